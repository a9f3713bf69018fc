"""Many gRPC streams at once, as bare frames on both ends: no library stands between what happens and its time."""
import selectors
import socket
import struct
import threading
import time

import hpack

DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CANCEL = struct.pack(">I", 8)
PER_CONNECTION = 200  # below the gateway's limit of 250


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class Connection:
    """Frames in and out; streams by number."""

    def __init__(self, peer):
        self.socket, self.rest, self.streams = peer, b"", []

    def frames(self):
        """What has come; None when the other side has closed."""
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionError:
            data = b""
        if not data:
            return None
        self.rest += data
        found, at = [], self.rest.find(PREFACE) + len(PREFACE) if self.rest.startswith(PREFACE) else 0
        while len(self.rest) >= at + 9:
            end = at + 9 + int.from_bytes(self.rest[at:at + 3], "big")
            if len(self.rest) < end:
                break
            found.append((self.rest[at + 3], self.rest[at + 4], int.from_bytes(self.rest[at + 5:at + 9], "big"),
                          self.rest[at + 9:end]))
            at = end
        self.rest = self.rest[at:]
        return found

    def answer_to(self, kind, flags, payload):
        if kind in (SETTINGS, PING) and not flags & ACK:
            self.socket.sendall(frame(kind, ACK, 0, payload if kind == PING else b""))


class Watcher:
    """Serves connections from one thread and notes when each stream's frame of the awaited kind came."""

    def __init__(self, ends):
        self.ends = ends  # (kind, flags, payload) -> bool: this frame is a stream's end
        self.selector = selectors.DefaultSelector()
        self.begun, self.ended = 0, []
        self.connections = []
        self.stopped = False
        self.listener = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def add(self, connection):
        self.connections.append(connection)
        self.selector.register(connection.socket, selectors.EVENT_READ, connection)

    def accept(self, listener):
        peer, _ = listener.accept()
        peer.sendall(frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 100_000)))  # MAX_CONCURRENT_STREAMS
        self.add(Connection(peer))

    def listen(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.selector.register(self.listener, selectors.EVENT_READ, self.listener)
        return self.listener.getsockname()[1]

    def _run(self):
        while not self.stopped:
            for key, _ in self.selector.select(0.1):
                if isinstance(key.data, Connection):
                    self._read(key.data)
                else:
                    self.accept(key.data)

    def _read(self, connection):
        frames = connection.frames()
        now = time.monotonic()
        if frames is None:
            self.selector.unregister(connection.socket)
            return
        for kind, flags, stream, payload in frames:
            connection.answer_to(kind, flags, payload)
            if kind == HEADERS and stream not in connection.streams:
                connection.streams.append(stream)
                self.begun += 1
            if self.ends(kind, flags):
                self.ended.append(now)

    def refuse(self):
        """New connections, from now on."""
        if self.listener:
            self.selector.unregister(self.listener)
            self.listener.close()
            self.listener = None

    def stop(self):
        self.refuse()
        self.stopped = True
        self.thread.join(5)
        for connection in self.connections:
            connection.socket.close()


class ManyStreams:
    """`n` streams of Orders.Watch through a gateway, which shall lead to `port` of ours."""

    def __init__(self, n):
        self.n = n
        self.service = Watcher(lambda kind, flags: kind == RST_STREAM)
        self.clients = Watcher(lambda kind, flags: kind == HEADERS and flags & END_STREAM)
        self.port = self.service.listen()
        self.service.thread.start()
        self.clients.thread.start()

    def open(self, gateway_port):
        request = frame(DATA, END_STREAM, 0, b"\0\0\0\0\x03\x0a\x011")  # WatchRequest{id: "1"}
        for first in range(0, self.n, PER_CONNECTION):
            connection = Connection(socket.create_connection(("127.0.0.1", gateway_port)))
            encoder = hpack.Encoder()
            out = PREFACE + frame(SETTINGS, 0, 0)
            for i in range(min(PER_CONNECTION, self.n - first)):
                stream = 2 * i + 1
                head = encoder.encode([(":method", "POST"), (":scheme", "http"), (":authority", "shop"),
                                       (":path", "/shop.orders.v3.Orders/Watch"), ("te", "trailers"),
                                       ("content-type", "application/grpc")])
                out += frame(HEADERS, END_HEADERS, stream, head) + request[:5] + struct.pack(">I", stream) + request[9:]
                connection.streams.append(stream)
            connection.socket.sendall(out)
            self.clients.add(connection)

    def cancel_all(self):
        """When it began."""
        frames = [b"".join(frame(RST_STREAM, 0, stream, CANCEL) for stream in connection.streams)
                  for connection in self.clients.connections]
        began = time.monotonic()
        for connection, resets in zip(self.clients.connections, frames):
            connection.socket.sendall(resets)
        return began

    def lose_clients(self):
        began = time.monotonic()
        for connection in self.clients.connections:
            connection.socket.shutdown(socket.SHUT_RDWR)
        return began

    def lose_service(self):
        """As when its process dies."""
        self.service.refuse()
        began = time.monotonic()
        for connection in self.service.connections:
            connection.socket.shutdown(socket.SHUT_RDWR)
        return began

    def stop(self):
        self.clients.stop()
        self.service.stop()
