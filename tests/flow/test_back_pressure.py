"""A peer that is slow holds the other back, and not its bytes in the gateway: however much there is to come."""
import base64
import concurrent.futures
import json
import socket
import struct
import threading
import time

import grpc
import pytest
from backends import client, v3
from gateway import BINARY, SHOP_CONFIG, Gateway
from http1_backend import Http1Backend
from processes import eventually

PIECE = 64 * 1024
PIECES = 16 * 1024  # 1 GiB in all
MIB = 1 << 20
# Sanitizers keep what was freed for a while; what must not grow is still a small part of 1 GiB.
MOST = 64 * MIB if "asan" in BINARY or "tsan" in BINARY else 2 * MIB

ROUTES = """
  - {match: /old/, instances: [{address: '127.0.0.1:$opaque', protocol: http}]}
"""


class Firehose(grpc.GenericRpcHandler):
    """Orders.Watch gives 1 GiB as fast as it is taken; Orders.Import takes one message, and the others in the end."""

    def __init__(self):
        self.sent = 0
        self.quick = threading.Event()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers((self,))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def service(self, details):
        if details.method.endswith("/List"):
            return grpc.unary_unary_rpc_method_handler(lambda request, context: v3.ListResponse(), None,
                                                       v3.ListResponse.SerializeToString)
        if details.method.endswith("/Watch"):
            return grpc.unary_stream_rpc_method_handler(self.watch, v3.WatchRequest.FromString,
                                                        v3.Order.SerializeToString)
        return grpc.stream_unary_rpc_method_handler(self.take, v3.CreateRequest.FromString,
                                                    v3.ImportResponse.SerializeToString)

    def watch(self, request, context):
        order = v3.Order(buyer=v3.Buyer(id="x" * PIECE))  # what every version has
        for _ in range(PIECES):
            if not context.is_active():
                return
            yield order
            self.sent += 1

    def take(self, requests, context):
        for _ in requests:
            self.quick.wait(60)
        return v3.ImportResponse()


def pour(peer, hose):
    """An opaque service: to GET it gives 1 GiB, of all else it takes one piece, and the others in the end."""
    told = peer.head()
    if told.verb != "GET":
        peer.chunk()
        hose.quick.wait(60)
        return
    if told.one("upgrade"):
        peer.say("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: bytes\r\n\r\n")
    else:
        peer.say(f"HTTP/1.1 200 OK\r\nContent-Length: {PIECE * PIECES}\r\n\r\n")
    for _ in range(PIECES):
        peer.say(b"x" * PIECE)
        hose.sent += 1


@pytest.fixture(scope="module")
def hose():
    running = Firehose()
    yield running
    running.server.stop(0)


@pytest.fixture
def firehose(tmp_path, hose):
    """A gateway that has answered small calls, but never had a large one."""
    hose.quick.clear()
    with Http1Backend(lambda peer: pour(peer, hose), each=False) as opaque:
        listed = f"[{{address: '127.0.0.1:{hose.port}', protocol: grpc, versions: [v3]}}]"
        with Gateway(tmp_path, config=SHOP_CONFIG + ROUTES, instances=listed, opaque=opaque.port) as gateway:
            hose.gateway = gateway
            for _ in range(20):
                assert gateway.http("GET", "/v3/orders").status == 200
                client(gateway, "v3").List(v3.ListRequest())
            yield hose
            hose.quick.set()


def memory(gateway):
    """Bytes that the process holds now."""
    with open(f"/proc/{gateway.process.child.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def most_memory(gateway, seconds, meanwhile):
    """The most that it held while meanwhile() was called again and again."""
    most, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        meanwhile()
        most = max(most, memory(gateway))
    return most


# ---- Slow readers ------------------------------------------------------------------------------------------

def envelope(message):
    return struct.pack(">BI", 0, len(message)) + message


def http1_download(gateway, verb, path, headers, body=b"", status=b"200"):
    """Reads 4 KiB at a time: 64 KiB a second."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    connection.connect(("127.0.0.1", gateway.port))
    lines = [f"{verb} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    assert connection.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 " + status

    def read():
        assert len(connection.recv(4096)) > 0
        time.sleep(1 / 16)
    return read, connection.close


def connect(gateway):
    return http1_download(gateway, "POST", "/shop.orders.v3.Orders/Watch", ["Content-Type: application/connect+json"],
                          envelope(b'{"id": "1"}'))


def grpc_web(gateway):
    return http1_download(gateway, "POST", "/shop.orders.v3.Orders/Watch", ["Content-Type: application/grpc-web+proto"],
                          envelope(v3.WatchRequest(id="1").SerializeToString()))


def grpc_web_text(gateway):
    return http1_download(gateway, "POST", "/shop.orders.v3.Orders/Watch", ["Content-Type: application/grpc-web-text"],
                          base64.b64encode(envelope(v3.WatchRequest(id="1").SerializeToString())))


def rest(gateway):
    return http1_download(gateway, "GET", "/v3/orders/1/events", [])


def connect_of_another_version(gateway):
    return http1_download(gateway, "POST", "/shop.orders.v2.Orders/Watch", ["Content-Type: application/connect+json"],
                          envelope(b'{"id": "1"}'))


def opaque(gateway):
    return http1_download(gateway, "GET", "/old/", [])


def tunnel(gateway):
    return http1_download(gateway, "GET", "/old/", ["Connection: upgrade", "Upgrade: bytes"], status=b"101")


def grpc_stream(gateway):
    stub = client(gateway, "v3", options=[("grpc.http2.lookahead_bytes", 65536), ("grpc.http2.bdp_probe", 0)])
    call = stub.Watch(v3.WatchRequest(id="1"))
    next(call)

    def read():
        next(call)
        time.sleep(1)
    return read, call.cancel


DOWNLOADS = [grpc_stream, connect, grpc_web, grpc_web_text, rest, connect_of_another_version, opaque, tunnel]


@pytest.mark.parametrize("open_stream", DOWNLOADS)
def test_a_slow_reader_of_much(firehose, open_stream):
    idle, sent = memory(firehose.gateway), firehose.sent
    read, close = open_stream(firehose.gateway)
    most = most_memory(firehose.gateway, 1.5, read)
    close()
    print(f"{open_stream.__name__}: {(most - idle) / MIB:.2f} MiB above idle; "
          f"{(firehose.sent - sent) * PIECE / MIB:.1f} MiB left the service")
    assert most - idle < MOST
    assert 0 < firehose.sent - sent < PIECES / 10


# ---- Slow services -----------------------------------------------------------------------------------------

class Pusher:
    """Sends as much as is taken, on a thread of its own."""

    def __init__(self, gateway, head, piece):
        self.connection = socket.create_connection(("127.0.0.1", gateway.port))
        self.connection.sendall(head)
        self.piece, self.sent = piece, 0
        self.thread = threading.Thread(target=self.push, daemon=True)
        self.thread.start()

    def push(self):
        try:
            for _ in range(PIECES):
                self.connection.sendall(self.piece)
                self.sent += 1
        except OSError:
            pass

    def close(self):
        self.connection.close()


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def connect_upload(gateway):
    order = json.dumps({"order": {"buyer": {"id": "a"}, "currency": "EUR", "giftNote": "x" * PIECE}}).encode()
    return Pusher(gateway, b"POST /shop.orders.v3.Orders/Import HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                  b"Content-Type: application/connect+json\r\n\r\n", chunk(envelope(order)))


def opaque_upload(gateway):
    return Pusher(gateway, b"PUT /old/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", chunk(b"x" * PIECE))


class grpc_upload:  # noqa: N801  (a row of the table, as the functions are)
    def __init__(self, gateway):
        self.sent = 0
        order = v3.Order(buyer=v3.Buyer(id="a"), currency="EUR", gift_note="x" * PIECE)

        def orders():
            for _ in range(PIECES):
                yield v3.CreateRequest(order=order)
                self.sent += 1
        self.call = client(gateway, "v3").Import.future(orders())

    def close(self):
        self.call.cancel()


@pytest.mark.parametrize("upload", [grpc_upload, connect_upload, opaque_upload])
def test_a_slow_taker_of_much(firehose, upload):
    idle = memory(firehose.gateway)
    pushing = upload(firehose.gateway)
    most = most_memory(firehose.gateway, 1.5, lambda: time.sleep(0.05))
    eventually(lambda: pushing.sent)
    sent = pushing.sent
    pushing.close()
    print(f"{upload.__name__}: {(most - idle) / MIB:.2f} MiB above idle; {sent * PIECE / MIB:.1f} MiB left the client")
    assert most - idle < MOST
    assert 0 < sent < PIECES / 10
