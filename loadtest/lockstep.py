"""
Both ends of a gateway in one thread: the client, and the service behind it.

Each side sends in one write, and nothing else is sent before the other side has read all of it. So the gateway reads
the same bytes at each wake-up, however busy the machine is, and runs the same instructions:

    client.ask(n)     n requests in one write
    service.serve(n)  reads n requests, then answers them in one write
    client.hear(n)    reads n answers
"""
import collections
import socket
import struct

import hpack

import frames

READ_SIZE = 1 << 20
MAX_WINDOW = (1 << 31) - 1
DEFAULT_WINDOW = 65535
SECONDS = 60  # timeout of each operation


class Answer:
    """The answer to one call. `trailers` are empty for HTTP/1.1."""

    def __init__(self, fields, body, trailers):
        self.fields, self.body, self.trailers = fields, body, trailers


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def receive(connection):
    data = connection.recv(READ_SIZE)
    if not data:
        raise SystemExit("the gateway closed a connection during a scenario")
    return data


# ---- HTTP/1.1 --------------------------------------------------------------------------------------


class Http1:
    """One end of an HTTP/1.1 connection; bodies have a content-length."""

    def __init__(self, connection):
        self.connection, self.unread = connection, b""

    def message(self):
        """(first line, fields, body) of the next one."""
        while b"\r\n\r\n" not in self.unread:
            self.unread += receive(self.connection)
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        size = int(fields.get("content-length", 0))
        while len(self.unread) < size:
            self.unread += receive(self.connection)
        body, self.unread = self.unread[:size], self.unread[size:]
        return first, fields, body


class Http1Client:
    """One request at a time."""

    def __init__(self, port, method, path, body=b"", **fields):
        self.http = Http1(connect(port))
        head = f"{method} {path} HTTP/1.1\r\nhost: x\r\naccept: */*\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        if body:
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self.request = head.encode() + b"\r\n" + body

    def close(self):
        self.http.connection.close()

    def ask(self, n):
        assert n == 1, "several requests would reach the gateway at different times"
        self.http.connection.sendall(self.request)

    def hear(self, n):
        first, fields, body = self.http.message()
        return [Answer(dict(fields, **{":status": first.split()[1]}), body, {})]


class FreshTlsClient(Http1Client):
    """One request on each connection, which is opened and closed for it. `context`: of the client, for localhost."""

    def __init__(self, port, context, path):
        self.port, self.context, self.http = port, context, None
        self.request = f"GET {path} HTTP/1.1\r\nhost: x\r\naccept: */*\r\n\r\n".encode()

    def close(self):
        if self.http:
            self.http.connection.close()

    def ask(self, n):
        self.http = Http1(self.context.wrap_socket(connect(self.port), server_hostname="localhost"))
        super().ask(n)

    def hear(self, n):
        answers = super().hear(n)
        self.http.connection.unwrap().close()  # both have said that they end
        self.http = None
        return answers


# ---- HTTP/2 ----------------------------------------------------------------------------------------


class Stream:
    """What was received on one stream."""

    def __init__(self, window):
        self.heads, self.body, self.ended = [], b"", False
        self.window = window  # bytes that may still be sent


class Http2:
    """One end of a cleartext HTTP/2 connection. Its own receive windows are never full."""

    def __init__(self, connection, preface):
        self.connection, self.unread, self.unsent = connection, b"", b""
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.window, self.stream_window, self.frame_size = DEFAULT_WINDOW, DEFAULT_WINDOW, 1 << 14
        self.streams = {}
        self.preface = preface  # still to be received
        windows = struct.pack(">HI", frames.INITIAL_WINDOW_SIZE, MAX_WINDOW)
        self.unsent += frames.frame(frames.SETTINGS, 0, 0, windows)
        self.unsent += frames.frame(frames.WINDOW_UPDATE, 0, 0, struct.pack(">I", MAX_WINDOW - DEFAULT_WINDOW))

    def stream(self, number):
        if number not in self.streams:
            self.streams[number] = Stream(self.stream_window)
        return self.streams[number]

    def send_head(self, number, fields, end=False):
        flags = frames.END_HEADERS | (frames.END_STREAM if end else 0)
        self.stream(number)
        self.unsent += frames.frame(frames.HEADERS, flags, number, self.encoder.encode(fields))

    def send_data(self, number, data, end=False):
        """In as many frames as needed; waits for the windows of the other side."""
        stream = self.stream(number)
        while data:
            room = min(self.window, stream.window, self.frame_size)
            if room == 0:
                self.read()
                continue
            piece, data = data[:room], data[room:]
            flags = frames.END_STREAM if end and not data else 0
            self.unsent += frames.frame(frames.DATA, flags, number, piece)
            self.window -= len(piece)
            stream.window -= len(piece)

    def flush(self):
        if self.unsent:
            self.connection.sendall(self.unsent)
            self.unsent = b""

    def read(self):
        """Flushes first: the other side may be waiting for it."""
        self.flush()
        self.unread += receive(self.connection)
        if self.preface and len(self.unread) >= len(self.preface):
            self.unread, self.preface = self.unread[len(self.preface):], b""
        while not self.preface and len(self.unread) >= frames.HEAD_SIZE:
            size, *head = frames.frame_head(self.unread)
            end = frames.HEAD_SIZE + size
            if len(self.unread) < end:
                break
            payload, self.unread = self.unread[frames.HEAD_SIZE:end], self.unread[end:]
            self.on_frame(*head, payload)

    def on_frame(self, kind, flags, number, payload):
        if kind == frames.HEADERS:
            self.stream(number).heads.append(dict(self.decoder.decode(payload)))
        elif kind == frames.DATA:
            self.stream(number).body += payload
        elif kind == frames.SETTINGS and not flags & frames.ACK:
            self.on_settings(payload)
        elif kind == frames.WINDOW_UPDATE:
            self.on_window(number, struct.unpack(">I", payload)[0])
        elif kind == frames.PING and not flags & frames.ACK:
            self.unsent += frames.frame(frames.PING, frames.ACK, 0, payload)
        elif kind in (frames.RST_STREAM, frames.GOAWAY):
            raise SystemExit(f"the gateway sent a frame of kind {kind} during a scenario: {payload}")
        if kind in (frames.HEADERS, frames.DATA) and flags & frames.END_STREAM:
            self.stream(number).ended = True

    def on_settings(self, payload):
        settings = dict(struct.iter_unpack(">HI", payload))
        self.stream_window = settings.get(frames.INITIAL_WINDOW_SIZE, self.stream_window)
        self.frame_size = settings.get(frames.MAX_FRAME_SIZE, self.frame_size)
        self.unsent += frames.frame(frames.SETTINGS, frames.ACK, 0, b"")

    def on_window(self, number, more):
        if number == 0:
            self.window += more
        elif number in self.streams:
            self.streams[number].window += more

    def take_ended(self, n):
        """Waits for n streams to end; returns them as {number: stream}."""
        while len(ended := {number: s for number, s in self.streams.items() if s.ended}) < n:
            self.read()
        assert len(ended) == n, "more streams have ended than expected"
        for number in ended:
            del self.streams[number]
        return ended


class GrpcClient:
    """Calls of one method on one connection, with one request message each."""

    def __init__(self, port, path, message, **fields):
        self.http = Http2(connect(port), preface=b"")
        self.http.unsent = frames.PREFACE + self.http.unsent
        self.fields, self.message, self.next = [*frames.grpc_fields(path), *fields.items()], frames.grpc_message(message), 1

    def close(self):
        self.http.connection.close()

    def ask(self, n):
        for _ in range(n):
            self.http.send_head(self.next, self.fields)
            self.http.send_data(self.next, self.message, end=True)
            self.next += 2
        self.http.flush()

    def hear(self, n):
        return [Answer(stream.heads[0], stream.body, stream.heads[-1])
                for stream in self.http.take_ended(n).values()]

    def hear_messages(self, n):
        """The next n messages of the only open stream."""
        stream, = self.http.streams.values()
        messages = []
        while len(messages) < n:
            if len(stream.body) < 5 or len(stream.body) < (end := 5 + struct.unpack(">I", stream.body[1:5])[0]):
                assert not stream.ended, f"the stream ended: {stream.heads}"
                self.http.read()
                continue
            messages.append(stream.body[5:end])
            stream.body = stream.body[end:]
        return messages


# ---- Services --------------------------------------------------------------------------------------


class Service:
    """Listens on `port`; accepts the connection of the gateway with the first call."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(SECONDS)
        self.port = self.listener.getsockname()[1]
        self.http = None

    def close(self):
        self.listener.close()
        if self.http:
            self.http.connection.close()

    def accept(self):
        connection, _ = self.listener.accept()
        connection.settimeout(SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


class Http1Service(Service):
    def __init__(self, body):
        super().__init__()
        self.answer = (f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
                       .encode() + body)

    def serve(self, n):
        assert n == 1, "several requests would arrive at different times"
        self.http = self.http or Http1(self.accept())
        self.http.message()
        self.http.connection.sendall(self.answer)


class GrpcService(Service):
    def __init__(self, message):
        super().__init__()
        self.message = frames.grpc_message(message)

    def requests(self, n):
        self.http = self.http or Http2(self.accept(), frames.PREFACE)
        return self.http.take_ended(n)

    def serve(self, n):
        for number in self.requests(n):
            self.begin(number)
            self.http.send_data(number, self.message)
            self.http.send_head(number, [("grpc-status", "0")], end=True)
            del self.http.streams[number]
        self.http.flush()

    def begin(self, number):
        self.http.send_head(number, [(":status", "200"), ("content-type", "application/grpc")])

    def open(self):
        """Begins the answer to one streaming call."""
        number, = self.requests(1)
        self.begin(number)

    def send_packed(self, n):
        """n messages of that answer in one write, as many in each frame as fit."""
        number, = self.http.streams
        self.http.send_data(number, self.message * n)
        self.http.flush()

    def send_messages(self, n):
        """n messages of that answer in one write, one frame each."""
        number, = self.http.streams
        for _ in range(n):
            self.http.send_data(number, self.message)
        self.http.flush()
