"""An instance that does with each HTTP/2 stream what a test says: what no well-behaved server would do."""
import socket
import struct
import threading

import h2.config
import h2.connection
import h2.events
import h2.settings


class Request:
    """One stream of one connection, as the test's script sees it."""

    def __init__(self, connection, stream, headers, nth):
        self.connection, self.stream, self.nth = connection, stream, nth
        self.headers = dict(headers)
        self.path = self.headers[":path"]
        self.body = b""

    def messages(self):
        """gRPC's messages out of the body so far."""
        found, rest = [], self.body
        while len(rest) >= 5:
            size = struct.unpack(">I", rest[1:5])[0]
            found.append(rest[5:5 + size])
            rest = rest[5 + size:]
        return found

    def begin(self, *messages):
        """gRPC's head, and messages."""
        with self.connection.speaking() as http2:
            http2.send_headers(self.stream, [(":status", "200"), ("content-type", "application/grpc")])
        self.say(*messages)

    def say(self, *messages):
        for message in messages:
            data = message.SerializeToString()
            with self.connection.speaking() as http2:
                http2.send_data(self.stream, b"\0" + struct.pack(">I", len(data)) + data)

    def end(self, status=0, message=None):
        said = [("grpc-message", message)] if message else []
        with self.connection.speaking() as http2:
            http2.send_headers(self.stream, [("grpc-status", str(status)), *said], end_stream=True)

    def answer(self, *messages):
        self.begin(*messages)
        self.end()

    def reset(self, code):
        with self.connection.speaking() as http2:
            http2.reset_stream(self.stream, code)


class Connection:
    """One connection from the gateway."""

    def __init__(self, backend, peer):
        self.backend, self.socket = backend, peer
        self.http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False,
                                                                         header_encoding="utf-8"))
        self.lock = threading.RLock()
        self.requests = {}
        self.events = []

    def speaking(self):
        """with connection.speaking() as http2: what is said within goes out together."""
        return _Speaking(self)

    def run(self):
        with self.speaking() as http2:
            http2.local_settings = h2.settings.Settings(client=False, initial_values={
                h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: self.backend.streams})
            http2.initiate_connection()
        try:
            while data := self.socket.recv(65536):
                with self.speaking() as http2:
                    events = http2.receive_data(data)
                for event in events:
                    self.take(event)
        except (OSError, h2.exceptions.ProtocolError):
            pass
        self.socket.close()

    def take(self, event):
        self.events.append(event)
        if isinstance(event, h2.events.RequestReceived):
            request = self.requests[event.stream_id] = self.backend.began(self, event)
            self.backend.on_head(request)
        elif isinstance(event, h2.events.DataReceived):
            self.requests[event.stream_id].body += event.data
            with self.speaking() as http2:
                if event.stream_id in http2.streams:
                    http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.backend.on_request(self.requests[event.stream_id])

    def goaway(self, last_stream, code=0):
        # By hand: h2 takes its own GOAWAY for the connection's end.
        with self.lock:
            self.socket.sendall(struct.pack(">I", 8)[1:] + b"\x07\0" + struct.pack(">III", 0, last_stream, code))

    def close(self):
        with self.lock:
            self.socket.shutdown(socket.SHUT_RDWR)

    def saw(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


class _Speaking:
    def __init__(self, connection):
        self.connection = connection

    def __enter__(self):
        self.connection.lock.acquire()
        return self.connection.http2

    def __exit__(self, *_):
        try:
            if data := self.connection.http2.data_to_send():
                self.connection.socket.sendall(data)
        except OSError:
            pass  # the gateway has left; the reader finds out
        finally:
            self.connection.lock.release()


class Http2Backend:
    """
    with Http2Backend(on_request) as backend: ...

    on_request(request) hears of each request that is there to its end, on_head(request) of each that begins.
    request.nth counts from 1, over all connections. `streams`: how many its SETTINGS allow at once.
    """

    def __init__(self, on_request, on_head=lambda request: None, streams=100):
        self.on_request, self.on_head, self.streams = on_request, on_head, streams
        self.requests, self.connections = [], []
        self.counting = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def began(self, connection, event):
        with self.counting:
            request = Request(connection, event.stream_id, event.headers, len(self.requests) + 1)
            self.requests.append(request)
        return request

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(self, peer)
            self.connections.append(connection)
            threading.Thread(target=connection.run, daemon=True).start()

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            try:
                connection.close()
            except OSError:
                pass
