"""A payment is made at most once, wherever the exchange is cut: at each byte, on each side, in each dialect.

Instances are two ports of one Payments, which cuts the first connection of a call after so many bytes, of what it reads
or of what it says, and carries out what it has read to its end. The other instance would carry it out again. Clients of
each dialect take turns. What may have been carried out is never called retryable.
"""
import base64
import collections
import contextlib
import json
import re
import socket
import struct
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest
from backends import v1, v3
from gateway import Gateway
from http2_client import http2_request
from processes import eventually
from test_error_fields import details_of

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin'}
log: /dev/null
services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders}
      - {name: v2, package: shop.orders.v2, schema: $orders}
      - {name: v3, package: shop.orders.v3, schema: $orders}
    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]
    instances: $instances
routes: [{match: orders, timeout: 10s, attempts: 3, retry: {initial_backoff: 1ms, max_backoff: 2ms}}]
"""
# Dialects of instances: how the config says it.
INSTANCES = {"grpc": "protocol: grpc", "grpc-web": "protocol: grpc_web", "grpc-web/2": "protocol: grpc_web, http2: true",
             "connect": "protocol: connect", "connect/2": "protocol: connect, http2: true", "rest": "protocol: rest",
             "connect+json": "protocol: connect, codec: json"}
PAYMENT = re.compile(rb"pay-[0-9]{6}")
ORDER = v3.Order(id="1", buyer=v3.Buyer(id="ada"))


def framed(message, flags=0):
    return struct.pack(">BI", flags, len(message)) + message


def answer_of(media):
    """(fields, body, trailers) of a response in the media type of its request."""
    if media.startswith("application/grpc-web"):
        return [("content-type", media)], framed(ORDER.SerializeToString()) + framed(b"grpc-status: 0\r\n", 0x80), None
    if media.startswith("application/grpc"):
        return [("content-type", media)], framed(ORDER.SerializeToString()), [("grpc-status", "0")]
    body = ORDER.SerializeToString() if "proto" in media else b'{"id":"1","buyer":{"id":"ada"}}'
    return [("content-type", media)], body, None


class Cut(Exception):
    """The connection ends here."""


class Cutting:
    """A socket of which one side ends after so many bytes, if it is the first one that gets so far."""

    def __init__(self, peer, payments):
        self.socket, self.payments, self.passed = peer, payments, {"read": 0, "say": 0}

    def left(self, side):
        cut = self.payments.cut
        return cut[1] - self.passed[side] if cut and cut[0] == side else 1 << 20

    def used(self, side, n):
        self.passed[side] += n
        with self.payments.lock:
            if self.left(side) <= 0 and self.payments.cut:
                self.payments.cut = None
                raise Cut

    def read(self):
        self.used("read", 0)  # of a connection that was opened before it was said where to cut
        data = self.socket.recv(min(self.left("read"), 65536))
        if not data:
            raise Cut
        self.used("read", len(data))
        return data

    def say(self, data):
        while data:
            self.used("say", 0)
            piece = data[:self.left("say")]
            self.socket.sendall(piece)
            data = data[len(piece):]
            self.used("say", len(piece))


class Payments:
    """Two instances that carry out payments: one call a connection, by HTTP/1.1 or HTTP/2, as it comes."""

    def __init__(self):
        self.lock, self.cut, self.made = threading.Lock(), None, collections.Counter()
        self.listeners = [socket.create_server(("127.0.0.1", 0), backlog=64) for _ in range(2)]
        self.ports = [listener.getsockname()[1] for listener in self.listeners]

    def __enter__(self):
        for listener in self.listeners:
            threading.Thread(target=self.accept, args=[listener], daemon=True).start()
        return self

    def __exit__(self, *_):
        for listener in self.listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=[listener.accept()[0]], daemon=True).start()

    def serve(self, peer):
        with contextlib.suppress(OSError, Cut, h2.exceptions.ProtocolError), peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            (self.serve2 if self.http2 else self.serve1)(Cutting(peer, self))
            peer.shutdown(socket.SHUT_WR)  # what the gateway still says is read: it is a call that went well
            while peer.recv(65536):
                pass

    def carry_out(self, body):
        with self.lock:
            self.made[PAYMENT.search(body).group()] += 1

    def serve1(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.read()
        head, _, body = data.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if b"content-length" in fields:
            while len(body) < int(fields[b"content-length"]):
                body += connection.read()
        else:
            while not body.endswith(b"\r\n0\r\n\r\n"):
                body += connection.read()
        self.carry_out(body)
        fields, body, _ = answer_of(fields[b"content-type"].decode())
        head = "".join(f"{name}: {value}\r\n" for name, value in fields)
        connection.say(f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def serve2(self, connection):
        http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        http2.initiate_connection()
        connection.say(http2.data_to_send())
        media, body, ended = "", b"", False
        while not ended:
            for event in http2.receive_data(connection.read()):
                if isinstance(event, h2.events.RequestReceived):
                    media = dict(event.headers)["content-type"]
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                ended |= isinstance(event, h2.events.StreamEnded)
            connection.say(http2.data_to_send())
        self.carry_out(body)
        fields, body, trailers = answer_of(media)
        http2.send_headers(1, [(":status", "200"), *fields])
        http2.send_data(1, body, end_stream=trailers is None)
        if trailers:
            http2.send_headers(1, trailers, end_stream=True)
        connection.say(http2.data_to_send())


@contextlib.contextmanager
def paying(folder, dialect):
    """(gateway, payments)"""
    with Payments() as payments:
        payments.http2 = dialect == "grpc" or dialect.endswith("/2")
        listed = ", ".join(f"{{address: '127.0.0.1:{port}', versions: [v3], {INSTANCES[dialect]}}}" for port in payments.ports)
        with Gateway(folder, CONFIG, instances=f"[{listed}]") as gateway:
            yield gateway, payments


# ---- Clients -----------------------------------------------------------------------------------------

CREATE = {"v1": "/shop.orders.v1.Orders/Create", "v3": "/shop.orders.v3.Orders/Create"}


def request_of(dialect, version, payment):
    """(path, fields, body)"""
    if dialect == "rest" or dialect == "connect":
        order = {"customer": payment} if version == "v1" else {"buyer": {"id": payment}}
        if dialect == "rest":
            return f"/{version}/orders", {"content-type": "application/json"}, json.dumps(order).encode()
        return CREATE[version], {"content-type": "application/json"}, json.dumps({"order": order}).encode()
    order = v1.CreateRequest(order=v1.Order(customer=payment)) if version == "v1" else \
        v3.CreateRequest(order=v3.Order(buyer=v3.Buyer(id=payment)))
    media = {"grpc": "application/grpc", "grpc-web": "application/grpc-web+proto"}[dialect]
    return CREATE[version], {"content-type": media, "te": "trailers"}, framed(order.SerializeToString())


def retryable(told):
    """What an ErrorInfo says of it."""
    [info] = [detail for detail in told if detail["@type"].endswith("google.rpc.ErrorInfo")]
    return info["metadata"]["retryable"] == "true"


def by_status(fields, trailers=()):
    """None: it is made. Else whether it may be tried again."""
    found = {**fields, **dict(trailers)}
    if found["grpc-status"] == "0":
        return None
    return retryable(details_of(base64.b64decode(found["grpc-status-details-bin"] + "===")))


def pay(gateway, dialect, version, payment):
    """None: it is made. Else whether it may be tried again."""
    path, fields, body = request_of(dialect, version, payment)
    if dialect == "grpc":
        _, seen, _, trailers = http2_request(gateway.port, "POST", path, list(fields.items()), body)
        return by_status({name: value[0] for name, value in seen.items()},
                         {name: value[0] for name, value in trailers.items()})
    answer = gateway.http("POST", path, body, fields)
    assert "retry-after" not in answer.headers
    if dialect == "grpc-web":
        last = answer.body[answer.body.rindex(b"\x80") + 5:].decode() if b"grpc-status" in answer.body else ""
        return by_status(dict(line.split(": ", 1) for line in last.split("\r\n") if line) or
                         {name.lower(): value for name, value in answer.headers.items()})
    if answer.status == 200:
        return None
    if dialect == "rest":
        assert answer.json["retryable"] == retryable(answer.json["details"])
        return answer.json["retryable"]
    [info] = [one["value"] for one in answer.json["details"] if one["type"] == "google.rpc.ErrorInfo"]
    return b"\x04true" in base64.b64decode(info + "===")


CLIENTS = [(dialect, version) for version in ("v3", "v1") for dialect in ("grpc", "grpc-web", "connect", "rest")]


# ---- Cut between gateway and instance ------------------------------------------------------------------

@pytest.mark.parametrize("side", ["read", "say"])
@pytest.mark.parametrize("dialect", INSTANCES)
def test_wherever_the_instance_is_cut_off_a_payment_is_made_once_at_most(tmp_path, dialect, side):
    with paying(tmp_path, dialect) as (gateway, payments):
        outcomes, at = collections.Counter(), 0
        while True:
            at += 1
            payment = f"pay-{at:06}"
            payments.cut = (side, at)
            told = pay(gateway, *CLIENTS[at % len(CLIENTS)], payment)
            uncut, payments.cut = payments.cut is not None, None
            made = payments.made[payment.encode()]
            assert made <= 1, f"after {at} bytes"
            assert made == 1 or told is not None, f"after {at} bytes it was called made"
            assert not (made and told), f"after {at} bytes: retryable, although it is made"
            outcomes["made" if told is None else "lost" if made else "not made"] += 1
            if uncut and told is None and at > 80:  # the exchange has no more bytes than that
                break
            assert at < 2000
        print(f"{dialect}, {side}: cut at {at - 1} places: {dict(outcomes)}")
        assert outcomes["lost" if side == "say" else "not made"] > 30


# ---- Cut between client and gateway --------------------------------------------------------------------

def bytes_of(dialect, http, payment):
    """All that a client says for one payment."""
    path, fields, body = request_of(dialect, "v3", payment)
    if http == 1:
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if name != "te")
        return f"POST {path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    http2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    http2.initiate_connection()
    http2.send_headers(1, [(":method", "POST"), (":scheme", "http"), (":authority", "shop.example"), (":path", path),
                           *fields.items()])
    http2.send_data(1, body, end_stream=True)
    return http2.data_to_send()


def leave(client, at):
    """In turns by an end and by a reset."""
    if at % 2:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def asked(gateway, request):
    client = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
    client.sendall(request)
    return client


def size_of_response(gateway, http, request):
    """How much the gateway says to it."""
    size, http2 = 0, h2.connection.H2Connection()
    http2.initiate_connection()
    http2.send_headers(1, [(":method", "GET"), (":scheme", "http"), (":authority", "x"), (":path", "/")], end_stream=True)
    with asked(gateway, request) as client:
        while data := client.recv(65536):
            size += len(data)
            if http == 2 and any(isinstance(event, h2.events.StreamEnded) for event in http2.receive_data(data)):
                break
    return size


@pytest.mark.parametrize("dialect,http", [(dialect, http) for dialect in ("grpc", "grpc-web", "connect", "rest")
                                          for http in (1, 2) if (dialect, http) != ("grpc", 1)])
def test_wherever_the_client_leaves_a_payment_is_made_once_at_most(tmp_path, dialect, http):
    with paying(tmp_path, "grpc") as (gateway, payments):
        whole = len(bytes_of(dialect, http, "pay-000000"))
        for at in range(whole):
            leave(asked(gateway, bytes_of(dialect, http, f"pay-{at:06}")[:at]), at)
        eventually(lambda: gateway.metric("passerelle_connections") == 0)
        assert not payments.made  # what has not come whole is nothing
        size = size_of_response(gateway, http, bytes_of(dialect, http, "pay-900000"))
        assert whole > 100 and size > 100
        for at in range(size):
            client = asked(gateway, bytes_of(dialect, http, f"pay-{900001 + at:06}"))
            read = 0
            while read < at:
                read += len(client.recv(at - read))
            leave(client, at)
        eventually(lambda: gateway.metric("passerelle_connections") == 0)
        # Who has left at once may have been too early for the instance to hear of it.
        assert set(payments.made.values()) == {1} and len(payments.made) > size / 2
        print(f"{dialect}, HTTP/{http}: left after each of {whole} bytes, and of {size} of the response; "
              f"{len(payments.made)} payments")
