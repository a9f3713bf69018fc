"""Connections of clients that become old (limits.max_age): they are replaced, and no call is lost by it."""
import time

import grpc
from backends import v3
from gateway import SHOP_CONFIG, Gateway
from http1_backend import Http1Backend
from raw import Raw

AGE = SHOP_CONFIG + "limits: {max_age: 1s}\n"
GET = "GET /v1/orders?limit=1 HTTP/1.1\r\nHost: shop\r\n\r\n"
PLAIN = """
listen: [127.0.0.1:$port]
admin: 127.0.0.1:$admin
log: "-"
limits: {max_age: 1s}
routes: [{match: /, instances: ['127.0.0.1:$backend']}]
"""


def opened(gateway):
    return gateway.metric("passerelle_connections_opened_total")


def until_told(connection):
    """Seconds until a response says that it was the last one."""
    began, head = time.monotonic(), ""
    while "connection: close" not in head:
        time.sleep(0.02)
        status, head, _ = connection.send(GET).read_answer()
        assert status == 200
    return time.monotonic() - began


def test_a_client_of_http_2_opens_another_one_and_loses_no_call(run_shop):
    shop = run_shop("v3", config=AGE)
    with grpc.insecure_channel(f"127.0.0.1:{shop.gateway.port}") as channel:
        call = channel.unary_unary("/shop.orders.v3.Orders/List")
        call(b"")
        before, until = opened(shop.gateway), time.monotonic() + 4
        while time.monotonic() < until:
            assert call(b"") == v3.ListResponse().SerializeToString()
        assert 1 <= opened(shop.gateway) - before <= 6


def test_one_of_http_1_ends_with_a_response_that_says_so(run_shop):
    shop = run_shop("v3", config=AGE)
    with Raw(shop.gateway.port) as connection:
        assert until_told(connection) > 0.7
        assert connection.read_all() == b""


def test_one_without_calls_at_that_time_has_one_more(run_shop):
    """A request may be under way: closing would lose it."""
    shop = run_shop("v3", config=AGE)
    with Raw(shop.gateway.port) as connection:
        assert "connection: close" not in connection.send(GET).read_answer()[1]
        time.sleep(3)
        assert "connection: close" in connection.send(GET).read_answer()[1]
        assert connection.read_all() == b""


def test_a_response_that_takes_longer_goes_on_to_its_end(tmp_path):
    def slow(peer, told, body):
        peer.say("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n")
        for _ in range(30):
            time.sleep(0.1)
            peer.say("x")
    with Http1Backend(slow) as backend, Gateway(tmp_path, PLAIN, backend=backend.port) as gateway:
        with Raw(gateway.port) as connection:
            assert connection.send(GET).read_answer()[2] == b"x" * 30


def test_without_a_maximum_age_none_is_replaced(run_shop):
    shop = run_shop("v3")
    with Raw(shop.gateway.port) as connection:
        until = time.monotonic() + 2
        while time.monotonic() < until:
            assert "connection: close" not in connection.send(GET).read_answer()[1]
