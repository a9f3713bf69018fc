"""Connections of clients that become old (limits.max_age): they are replaced, and no call is lost by it."""
import contextlib
import selectors
import time

import grpc
import hpack
import pytest
from backends import v3
from gateway import SHOP_CONFIG, Gateway, instances
from http1_backend import Http1Backend
from processes import eventually
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


def test_one_without_calls_at_that_time_is_closed_after_a_second(run_shop):
    shop = run_shop("v3", config=AGE)
    began = time.monotonic()
    with Raw(shop.gateway.port) as silent, Raw(shop.gateway.port) as answered:
        assert "connection: close" not in answered.send(GET).read_answer()[1]
        assert silent.read_all() == answered.read_all() == b""
        assert 1.7 < time.monotonic() - began < 4


def test_a_request_within_that_second_is_answered(run_shop):
    """It may have been under way."""
    shop = run_shop("v3", config=AGE)
    with Raw(shop.gateway.port) as first, Raw(shop.gateway.port) as second:
        assert "connection: close" not in second.send(GET).read_answer()[1]
        time.sleep(1.2)
        for connection in first, second:
            status, head, _ = connection.send(GET).read_answer()
            assert status == 200 and "connection: close" in head
            assert connection.read_all() == b""


class Http2:
    """A client that acknowledges nothing, and takes the frames as they come."""

    def __init__(self, connection):
        self.connection = connection
        self.encoder = hpack.Encoder()
        connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\4" + bytes(5))

    def ask(self, stream, *more):
        block = self.encoder.encode([(":method", "GET"), (":scheme", "http"), (":authority", "shop"), (":path", "/v1/orders"), *more])
        self.connection.send(len(block).to_bytes(3, "big") + b"\1\5" + stream.to_bytes(4, "big") + block)

    def frame(self):
        """(type, flags, stream, payload); EOFError at the end."""
        head = self.connection._take(9)
        return head[3], head[4], int.from_bytes(head[5:], "big"), self.connection._take(int.from_bytes(head[:3], "big"))

    def goaway(self):
        """The last stream of the next GOAWAY. Before it there may be responses, whose streams go to `ended`."""
        self.ended = []
        while True:
            kind, flags, stream, payload = self.frame()
            if kind in (0, 1) and flags & 1:
                self.ended.append(stream)
            if kind == 7:
                assert payload[4:] == bytes(4)
                return int.from_bytes(payload[:4], "big")


LAST = 2**31 - 1


@pytest.mark.parametrize("why", ["age", "drain"])
def test_who_does_not_acknowledge_gets_no_further_streams_after_a_second(run_shop, why):
    shop = run_shop("v3", config=AGE if why == "age" else SHOP_CONFIG)
    with Raw(shop.gateway.port) as connection:
        http2 = Http2(connection)
        http2.ask(1, ("shop-delay", "4"))
        eventually(lambda: shop.backends[0].told("call", method="List"))
        if why == "drain":
            shop.gateway.process.child.terminate()
        assert http2.goaway() == LAST
        began = time.monotonic()
        http2.ask(3)
        assert http2.goaway() == 3
        assert 0.7 < time.monotonic() - began < 3 and http2.ended == [3]
        for stream in 5, 7:
            http2.ask(stream)
        ended = []
        with pytest.raises(EOFError):
            while True:
                kind, flags, stream, _ = http2.frame()
                assert kind != 7
                ended += [stream] if kind in (0, 1) and flags & 1 else []
        assert ended == [1]


def test_one_of_http_2_without_calls_is_told_as_well(run_shop):
    shop = run_shop("v3", config=AGE)
    began = time.monotonic()
    with Raw(shop.gateway.port) as connection:
        http2 = Http2(connection)
        assert http2.goaway() == LAST and 0.75 < time.monotonic() - began < 2
        assert http2.goaway() == 0
        with pytest.raises(EOFError):
            http2.frame()


def test_connections_that_came_together_are_told_one_by_one(run_shop):
    shop = run_shop("v3", config=AGE.replace("1s", "3s"))
    with contextlib.ExitStack() as opened_here:
        told, waiting = [], selectors.DefaultSelector()
        for _ in range(100):
            began = time.monotonic()
            connection = opened_here.enter_context(Raw(shop.gateway.port))
            waiting.register(connection.socket, selectors.EVENT_READ, (Http2(connection), began))
        while len(told) < 100:
            for key, _ in waiting.select(10):
                http2, began = key.data
                if http2.frame()[0] == 7:
                    told.append(time.monotonic() - began)
                    waiting.unregister(key.fileobj)
        told.sort()
        assert 2.4 <= told[0] < 2.7 < told[-1] < 3.2, told  # if the machine is slow
        assert min(later - earlier for earlier, later in zip(told, told[60:])) > 0.05, told


def test_an_age_below_a_second_is_refused(tmp_path):
    for age in "1ns", "1ms", "999ms":
        checked = Gateway(tmp_path, AGE.replace("1s", age), instances=instances(("v3", 1))).check()
        assert checked.returncode != 0 and "limits.max_age: must be at least 1s" in checked.stdout + checked.stderr


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
