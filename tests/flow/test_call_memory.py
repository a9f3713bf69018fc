"""A call that has used up its memory still hears so: an error in its own dialect, never silence, and the gateway lives."""
import base64
import re

import pytest
from backends import v3
from gateway import SHOP_CONFIG, Gateway, instances
from http1_backend import Http1Backend
from http2_backend import Http2Backend
from http2_client import http2_request
from test_error_fields import DIALECTS, EACH_DIALECT, good
from test_own_fields import frame

LIMITS = "limits: {call_memory: 1MiB, message_bytes: 512KiB, answer_bytes: 900KiB}\n"
LINE = f"{{sku: {'d' * 1000}, quantity: 1}}"


def graceful(config, lines):
    """With a default of so many lines for all methods that answer with an order."""
    order = ", ".join([LINE] * lines)
    return config.replace("on_failure: loud}", f"on_failure: {{graceful: {{default: {{lines: [{order}]}}}}}}}}").replace(
        "match: orders,", "match: orders.Orders/Get,")


def get_in(gateway, dialect):
    """A Get of v3 in one dialect: (HTTP status, fields and trailers, body)."""
    if dialect == "rest":
        answer = gateway.http("GET", "/v3/orders/x")
        return answer.status, answer.headers, answer.body
    if dialect == "connect":
        answer = gateway.http("POST", "/shop.orders.v3.Orders/Get", {"id": "x"})
        return answer.status, answer.headers, answer.body
    if dialect == "grpc_web_text":
        return in_web_text(gateway, "/shop.orders.v3.Orders/Get")
    if dialect == "grpc_web":
        answer = gateway.http("POST", "/shop.orders.v3.Orders/Get", frame(b"\x0a\x01x"),
                              {"Content-Type": "application/grpc-web+proto"})
        return answer.status, answer.headers, answer.body
    status, head, body, trailers = http2_request(gateway.port, "POST", "/shop.orders.v3.Orders/Get",
                                                 [("content-type", "application/grpc"), ("te", "trailers")],
                                                 frame(b"\x0a\x01x"))
    told = {name: ", ".join(values) for name, values in {**head, **trailers}.items()}
    return status, told, body


def in_web_text(gateway, path):
    """A call of v3 in gRPC-Web-text: its body as it is under base64, which may be padded after each part."""
    answer = gateway.http("POST", path, base64.b64encode(frame(b"\x0a\x01x")),
                          {"Content-Type": "application/grpc-web-text+proto"})
    parts = re.findall(rb"[^=]+=*", answer.body)
    return answer.status, answer.headers, b"".join(map(base64.b64decode, parts))


def is_unavailable(dialect, status, head, body):
    if dialect == "grpc":
        return head["grpc-status"] == "14" and not body
    if dialect in ("grpc_web", "grpc_web_text"):
        return b"grpc-status: 14\r\n" in body and body[0] == 0x80
    return status == 503 and {"rest": b"UPSTREAM_DOWN", "connect": b'"code":"unavailable"'}[dialect] in body


def is_out_of_memory(dialect, status, head, body):
    if dialect == "grpc":
        return head["grpc-status"] == "8" and not body
    if dialect == "grpc_web":
        return b"grpc-status: 8\r\n" in body and body[0] == 0x80
    return status == {"rest": 503, "connect": 429}[dialect] and b"needs more memory" in body


# Only base64 needs memory of the call; elsewhere the default goes out as it lies in the config.
@pytest.mark.parametrize("dialect,lines,fits", [
    *((dialect, 1300, True) for dialect in ("rest", "connect", "grpc_web", "grpc")),
    ("grpc_web_text", 100, True), ("grpc_web_text", 1300, False)])
def test_a_default_that_does_not_fit_leaves_the_error_that_it_was_for(tmp_path, dialect, lines, fits):
    with Gateway(tmp_path, graceful(SHOP_CONFIG, lines) + LIMITS, instances=instances(("v3", 1))) as gateway:
        status, head, body = get_in(gateway, dialect)
        marked = head.get("passerelle-degraded")
        line = gateway.logged(request_id=head["x-request-id"])
        if fits:
            assert status == 200 and marked == "UPSTREAM_DOWN; by=default" and line["degraded"] == "UPSTREAM_DOWN"
            return
        assert is_unavailable(dialect, status, head, body), body[:500]  # what it was to stand in for
        assert marked is None and not line.get("degraded")
        assert line["causes"][0]["fault"] == "UPSTREAM_DOWN" and "the response by default cannot be sent" in line["causes"][0]["doing"]
        assert gateway.http("GET", "/nowhere").status == 404


def test_the_default_of_a_stream_that_does_not_fit_is_an_error_in_it(tmp_path):
    order = ", ".join([LINE] * 1300)
    config = SHOP_CONFIG.replace(
        "match: orders.Orders/ListRecommendations\n    impact: low\n    on_failure: {graceful: {default: {lines: ["
        "{sku: classic, quantity: 1}]}}}",
        f"match: orders.Orders/Watch\n    on_failure: {{graceful: {{default: {{lines: [{order}]}}}}}}")
    with Gateway(tmp_path, config + LIMITS, instances=instances(("v3", 1))) as gateway:
        status, _, body = in_web_text(gateway, "/shop.orders.v3.Orders/Watch")
        assert status == 200 and body[0] == 0x80 and b"grpc-status: 14\r\n" in body
        assert gateway.http("GET", "/nowhere").status == 404


# ---- Whatever is left when it runs out -------------------------------------------------------------------


class Growing:
    """A Connect instance whose answers grow by the call, with a head that weighs something too."""

    def __init__(self):
        self.size = 0

    def __call__(self, peer, told, body):
        order = v3.Order(id="x", gift_note="n" * self.size).SerializeToString()
        head = "".join(f"X-Weight-{i}: {'w' * 100}\r\nTrailer-X-Weight-{i}: {'w' * 100}\r\n" for i in range(20))
        peer.say(f"HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\n{head}Content-Length: {len(order)}\r\n\r\n")
        peer.say(order)


@pytest.mark.parametrize("dialect", ["rest", "connect", "grpc_web", "grpc"])
def test_at_every_size_a_call_is_answered_or_hears_why_not(tmp_path, dialect):
    growing = Growing()
    with Http1Backend(growing) as backend:
        listed = f"[{{address: '127.0.0.1:{backend.port}', protocol: connect, versions: [v3]}}]"
        with Gateway(tmp_path, SHOP_CONFIG + LIMITS, instances=listed) as gateway:
            outcomes = []
            for size in range(100_000, 800_000, 14_003):
                growing.size = size
                status, head, body = get_in(gateway, dialect)
                short = is_out_of_memory(dialect, status, head, body)
                assert short or (status == 200 and b"n" * size in body), (size, status, body[:200])
                assert head["x-request-id"]
                outcomes.append(short)
            assert not outcomes[0]
            assert outcomes[-1] == (dialect in ("rest", "connect"))  # protobuf passes without a second copy


def failing(request):
    """An error whose head is as large as heads may be."""
    fields = [("grpc-status", "9"), ("grpc-message", "m" * 7000)]
    with request.connection.speaking() as http2:
        http2.send_headers(request.stream, [(":status", "200"), ("content-type", "application/grpc"), *fields],
                           end_stream=True)


@EACH_DIALECT
def test_a_services_long_error_is_passed_on(tmp_path, dialect):
    with Http2Backend(failing) as backend:
        listed = f"[{{address: '127.0.0.1:{backend.port}', protocol: grpc, versions: [v3]}}]"
        with Gateway(tmp_path, SHOP_CONFIG + LIMITS, instances=listed) as gateway:
            if dialect == "grpc":
                status, head, body = get_in(gateway, dialect)
                assert head["grpc-status"] == "9" and head["grpc-message"] == "m" * 7000
                return
            told = DIALECTS[dialect](gateway, good(), {})
            assert told.code == "FAILED_PRECONDITION" and told.message == "m" * 7000
