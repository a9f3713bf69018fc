"""Whoever meets a limit is told which setting it is."""
import contextlib
import gzip
import json
import threading
import time

import h2.config
import h2.connection
import pytest
from backends import v1
from gateway import Gateway
from http1_backend import Http1Backend
from http2_client import http2_request
from raw import Raw

CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin"}
log: "-"
errors: full
loops: 1
$limits
services:
  - name: orders
    versions: [{name: v1, package: shop.orders.v1, schema: $orders}]
    instances: [{address: "127.0.0.1:$instance", protocol: connect, versions: [v1]}]
"""
CREATE = "/v1/orders"
JSON = "content-type: application/json\r\n"


def order(peer, told, body):
    peer.say("HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: 0\r\n\r\n")


def large_order(peer, told, body):
    message = v1.Order(customer="c" * 2000).SerializeToString()
    peer.say(f"HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: {len(message)}\r\n\r\n")
    peer.say(message)


def large_head(peer, told, body):
    peer.say(f"HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nX-Much: {'x' * 3000}\r\nContent-Length: 0\r\n\r\n")


def slow_order(peer, told, body):
    time.sleep(1)
    order(peer, told, body)


@contextlib.contextmanager
def running(tmp_path, limits, script=order):
    with Http1Backend(script) as backend:
        with Gateway(tmp_path, CONFIG, instance=backend.port, limits=limits) as gateway:
            yield gateway


def http1(line, fields="", body=b"", length=None):
    def ask(gateway):
        with Raw(gateway.port) as raw:
            size = len(body) if length is None else length
            raw.send(f"{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{fields}content-length: {size}\r\n\r\n".encode() + body)
            return raw.read_all()
    return ask


def unfinished(head):
    def ask(gateway):
        with Raw(gateway.port) as raw:
            return raw.send(head).read_all()
    return ask


def http2(path, fields=()):
    return lambda gateway: http2_request(gateway.port, "GET", path, fields)[2]


def grpc_message(size):
    """The status stands in the trailers, escaped."""
    frame = b"\0" + size.to_bytes(4, "big") + bytes(size)
    fields = [("content-type", "application/grpc"), ("te", "trailers")]
    return lambda gateway: str(http2_request(gateway.port, "POST", "/shop.orders.v1.Orders/Create", fields, frame)).encode()


def orders(n):
    return json.dumps({"items": [{"sku": "x"}] * n}).encode()


MANY = "".join(f"x-{i}: y\r\n" for i in range(40))
ZEROS = gzip.compress(json.dumps({"customer": "0" * (4 << 20)}).encode())

ROWS = [
    ("head_bytes", "1KiB, path_bytes: 256", http1("GET /v1/orders", f"x: {'y' * 2000}\r\n")),
    ("head_bytes", "1KiB, path_bytes: 256", http2("/v1/orders", [("x", "y" * 2000)])),
    ("head_fields", "16", http1("GET /v1/orders", MANY)),
    ("head_fields", "16", http2("/v1/orders", [(f"x-{i}", "y") for i in range(40)])),
    ("path_bytes", "256", http1(f"GET /v1/orders?x={'y' * 300}")),
    ("path_bytes", "256", http2(f"/v1/orders?x={'y' * 300}")),
    ("head_time", "200ms", unfinished("GET /v1/orders HTTP/1.1\r\n")),
    ("body_time", "200ms", http1(f"POST {CREATE}", JSON, b"{", length=10)),
    ("message_bytes", "1KiB", http1(f"POST {CREATE}", JSON, b"{}", length=2000)),
    ("message_bytes", "1KiB", unfinished(f"POST {CREATE} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{JSON}transfer-encoding: "
                                         f"chunked\r\n\r\n7d0\r\n{' ' * 2000}\r\n0\r\n\r\n")),
    ("message_bytes", "1KiB", grpc_message(2000)),
    ("compression_ratio", "10", http1(f"POST {CREATE}", JSON + "content-encoding: gzip\r\n", ZEROS)),
    ("depth", "2", http1(f"POST {CREATE}", JSON, b'{"items":[[[[]]]]}')),
    ("elements", "5", http1(f"POST {CREATE}", JSON, orders(10))),
    ("call_memory", "1MiB, message_bytes: 1000KiB, answer_bytes: 1000KiB",
     http1(f"POST {CREATE}", JSON, b'{"customer":"' + b"c" * 900_000 + b'"}')),
    ("memory", "2KiB", http1("GET /v1/orders")),
    ("max_hops", "1", http1("GET /v1/orders", f"passerelle-hops: passerelle-{16 * '0'}\r\n")),
]


@pytest.mark.parametrize("setting, value, ask", ROWS, ids=[f"{row[0]}-{i}" for i, row in enumerate(ROWS)])
def test_a_request_that_meets_a_limit_is_told_its_setting(tmp_path, setting, value, ask):
    with running(tmp_path, f"limits: {{{setting}: {value}}}") as gateway:
        assert f"limits.{setting}".encode() in ask(gateway)


@pytest.mark.parametrize("setting, value, script", [
    ("answer_bytes", "1KiB", large_order),
    ("head_bytes", "2KiB, path_bytes: 256", large_head),
    ("call_time", "200ms", slow_order),
])
def test_a_response_that_meets_a_limit_is_told_its_setting(tmp_path, setting, value, script):
    with running(tmp_path, f"limits: {{{setting}: {value}}}", script) as gateway:
        assert f"limits.{setting}".encode() in http1("GET /v1/orders")(gateway)


def test_who_has_set_the_deadline_is_told(tmp_path):
    with running(tmp_path, "routes: [{match: orders, timeout: 200ms}]", slow_order) as gateway:
        assert b"the route's timeout" in http1("GET /v1/orders")(gateway)
        assert b"the client's" in http1("POST /shop.orders.v1.Orders/Get", JSON + "connect-timeout-ms: 100\r\n", b"{}")(gateway)


def test_calls_that_wait_for_an_instance_are_told_the_setting(tmp_path):
    """One is with the instance, one waits until it may not any more, and one is too many."""
    limits = "limits: {http1_connections: 1, http1_uploads: 1, instance_waits: 1, connect_time: 300ms}"
    with running(tmp_path, limits, slow_order) as gateway:
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(http1("GET /v1/orders")(gateway))) for _ in range(3)]
        for thread in threads:
            thread.start()
            time.sleep(0.1)
        for thread in threads:
            thread.join()
        assert sorted(b" 200 OK" in answer for answer in answers) == [False, False, True]
        assert any(b"limits.instance_waits" in answer for answer in answers)
        assert any(b"limits.connect_time" in answer for answer in answers)


def test_a_stream_too_many_is_in_the_log_with_the_setting(tmp_path):
    fields = [(":method", "GET"), (":scheme", "http"), (":authority", "x"), (":path", "/v1/orders")]
    http2_client = h2.connection.H2Connection(h2.config.H2Configuration())
    with running(tmp_path, "limits: {streams: 1}", slow_order) as gateway, Raw(gateway.port) as raw:
        http2_client.initiate_connection()
        for stream in (1, 3):
            http2_client.send_headers(stream, fields, end_stream=True)
        raw.send(http2_client.data_to_send())
        event = gateway.logged(event="request_refused")
        assert "limits.streams" in json.dumps(event)
