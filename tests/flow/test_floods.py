"""Fast transfers, storms of deadlines and refused streams are ordinary, in however many frames they come; floods end."""
import contextlib
import socket
import struct
import threading
import time

import hpack
import pytest
from backends import client, v3
from gateway import SHOP_CONFIG, Gateway, instances
from http1_backend import Http1Backend
from many_streams import (ACK, CANCEL, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS,
                          WINDOW_UPDATE, Connection, Watcher, frame)
from processes import eventually

MIB = 1 << 20
SIZE = 48 * MIB
GOAWAY, ENHANCE_YOUR_CALM = 7, 11
ROUTES = """
  - {match: /big/, instances: [{address: '127.0.0.1:$big', protocol: http}]}
"""
WATCH = [(":method", "POST"), (":scheme", "http"), (":authority", "shop"), (":path", "/shop.orders.v3.Orders/Watch"),
         ("te", "trailers"), ("content-type", "application/grpc")]
MESSAGE = b"\0\0\0\0\x03\x0a\x011"  # WatchRequest{id: "1"}


class CutOff(Exception):
    """The gateway has sent GOAWAY or closed the connection."""


def window_update(stream, size):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", size))


def returns(stream, size, piece):
    """WINDOW_UPDATEs for the stream and its connection, of at most `piece` bytes each."""
    return b"".join(window_update(on, min(piece, size - at)) for at in range(0, size, piece) for on in (0, stream))


class Client(Connection):
    """One that speaks frames, and does with each that comes what a test says."""

    def __init__(self, port):
        super().__init__(socket.create_connection(("127.0.0.1", port), timeout=30))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.encoder = hpack.Encoder()
        self.last = -1
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0))

    def request(self, head, flags=END_STREAM):
        self.last += 2
        return frame(HEADERS, END_HEADERS | flags, self.last, self.encoder.encode(head))

    def read(self):
        """The frames that have come; those of the connection are answered."""
        found = self.frames()
        if found is None:
            raise CutOff("closed")
        for kind, flags, _, payload in found:
            if kind == GOAWAY:
                raise CutOff(int.from_bytes(payload[4:8], "big"))
            self.answer_to(kind, flags, payload)
        return found

    def lives(self):
        """A PING is answered."""
        self.socket.sendall(frame(PING, 0, 0, b"12345678"))
        while not any(kind == PING and flags & ACK for kind, flags, _, _ in self.read()):
            pass
        return True

    def download(self, path, piece):
        """How many bytes came; each frame's are returned at once."""
        self.socket.sendall(self.request([(":method", "GET"), *WATCH[1:3], (":path", path)]))
        got, ended = 0, False
        while not ended:
            out = []
            for kind, flags, stream, payload in self.read():
                if kind == DATA and payload:
                    got += len(payload)
                    out.append(returns(stream, len(payload), piece))
                ended |= kind in (DATA, HEADERS) and bool(flags & END_STREAM)
            self.socket.sendall(b"".join(out))
        return got


def pour(peer, told, body):
    peer.say(f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")
    for _ in range(SIZE // MIB):
        peer.say(bytes(MIB))


@pytest.fixture
def run(tmp_path):
    """run(port): a gateway before this instance of the shop's third version, and before a large file."""
    with contextlib.ExitStack() as running:
        def start(port=1):
            big = running.enter_context(Http1Backend(pour))
            return running.enter_context(Gateway(tmp_path, config=SHOP_CONFIG + ROUTES, big=big.port,
                                                 instances=instances(("v3", port))))
        yield start


# ---- Fast transfers --------------------------------------------------------------------------------------

@pytest.mark.parametrize("piece", [16384, 1000])
def test_a_client_that_returns_all_bytes_at_once_gets_a_large_file(run, piece):
    peer = Client(run().port)
    assert peer.download("/big/file", piece) == SIZE
    assert peer.lives()


class Sink:
    """An instance that takes one stream of requests and returns its bytes in pieces, on both levels at once."""

    def __init__(self, piece):
        self.piece, self.got = piece, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        peer = Connection(self.listener.accept()[0])
        encoder, ended = hpack.Encoder(), None
        peer.socket.sendall(frame(SETTINGS, 0, 0))
        while (frames := peer.frames()) is not None:
            out = []
            for kind, flags, stream, payload in frames:
                peer.answer_to(kind, flags, payload)
                if kind == DATA:
                    self.got += len(payload)
                    out.append(returns(stream, len(payload), self.piece))
                    ended = stream if flags & END_STREAM else None
            if ended:
                out += [frame(HEADERS, END_HEADERS, ended, encoder.encode([(":status", "200"), WATCH[-1]])),
                        frame(DATA, 0, ended, bytes(5)),
                        frame(HEADERS, END_HEADERS | END_STREAM, ended, encoder.encode([("grpc-status", "0")]))]
            peer.socket.sendall(b"".join(out))
            ended = None


@pytest.mark.parametrize("piece", [16384, 1000])
def test_an_instance_that_returns_all_bytes_at_once_takes_a_large_upload(run, piece):
    sink = Sink(piece)
    gateway = run(sink.port)
    request = v3.CreateRequest(order=v3.Order(buyer=v3.Buyer(id="x" * MIB)))
    client(gateway, "v3").Import(iter([request] * (SIZE // MIB)), timeout=60)
    assert sink.got >= SIZE
    assert gateway.metric("passerelle_upstream_connections_lost_total") == 0


# ---- Storms ----------------------------------------------------------------------------------------------

ROUNDS, AT_ONCE = 50, 100


def test_calls_that_end_by_their_deadlines_leave_the_connection_alone(run):
    """5,000 in little more than a second, as of clients whose service is slow; the instance hears of each."""
    service = Watcher(lambda kind, flags: kind == RST_STREAM)
    gateway = run(service.listen())
    service.thread.start()
    peer = Client(gateway.port)
    for n in range(ROUNDS):
        calls = range(peer.last + 2, peer.last + 2 + 2 * AT_ONCE, 2)
        peer.socket.sendall(b"".join(peer.request(WATCH, 0) + frame(DATA, END_STREAM, call, MESSAGE) for call in calls))
        eventually(lambda: service.begun == (n + 1) * AT_ONCE)
        time.sleep(0.02)
        peer.socket.sendall(b"".join(frame(RST_STREAM, 0, call, CANCEL) for call in calls))
    assert peer.lives()
    eventually(lambda: len(service.ended) == ROUNDS * AT_ONCE)
    service.stop()


class Refusing(Watcher):
    """Ends each stream as it begins."""

    def __init__(self):
        super().__init__(lambda kind, flags: kind == HEADERS)
        self.encoders = {}

    def _read(self, connection):
        n = len(connection.streams)
        super()._read(connection)
        encoder = self.encoders.setdefault(connection, hpack.Encoder())
        head = [(":status", "200"), WATCH[-1], ("grpc-status", "8")]
        connection.socket.sendall(b"".join(frame(HEADERS, END_HEADERS | END_STREAM, stream, encoder.encode(head))
                                           for stream in connection.streams[n:]))


def test_streams_that_the_service_refuses_may_be_reset_by_their_clients(run):
    """As gRPC's clients do with what they have not ended themselves."""
    service = Refusing()
    gateway = run(service.listen())
    service.thread.start()
    peer = Client(gateway.port)
    lookup = [*WATCH[:3], (":path", "/shop.orders.v3.Orders/Lookup"), *WATCH[4:]]
    refused = 0
    for n in range(ROUNDS):
        peer.socket.sendall(b"".join(peer.request(lookup, 0) for _ in range(AT_ONCE)))
        while refused < (n + 1) * AT_ONCE:
            ended = [stream for kind, flags, stream, _ in peer.read() if kind == HEADERS and flags & END_STREAM]
            refused += len(ended)
            peer.socket.sendall(b"".join(frame(RST_STREAM, 0, stream, CANCEL) for stream in ended))
    assert peer.lives()
    service.stop()


# ---- Floods ----------------------------------------------------------------------------------------------

def is_cut_off(peer, out):
    """By the time that it has sent all of it."""
    with contextlib.suppress(ConnectionError):
        peer.socket.sendall(out)
    with pytest.raises(CutOff) as cut:
        while True:
            peer.read()
    return cut.value.args[0] == ENHANCE_YOUR_CALM


def test_resets_at_once_are_a_flood(run):
    gateway = run()
    peer = Client(gateway.port)
    out = b"".join(peer.request(WATCH, 0) + frame(RST_STREAM, 0, peer.last, CANCEL) for _ in range(10_000))
    assert is_cut_off(peer, out)
    assert Client(gateway.port).lives()


def test_window_updates_are_a_flood_when_they_return_nothing(run):
    """However much was sent before."""
    gateway = run()
    peer = Client(gateway.port)
    assert peer.download("/big/file", 16384) == SIZE
    assert is_cut_off(peer, window_update(0, 1) * 20_000)
    assert Client(gateway.port).lives()
