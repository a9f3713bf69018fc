"""Peers that take their time: each has so much of it, and then the connection is given back."""
import time

import h2.config
import h2.connection
import h2.settings
import pytest
from backends import order_v3, v3
from gateway import SHOP_CONFIG, Gateway, instances
from http1_backend import Http1Backend
from processes import eventually
from raw import Raw

LIMITS = """
limits: {head_time: 500ms, body_time: 500ms, idle_time: 1s, send_time: 1s, handshake_time: 500ms}
"""


@pytest.fixture
def shop(run_shop):
    return run_shop("v3", config=SHOP_CONFIG + LIMITS)


def closed_after(connection):
    began = time.monotonic()
    told = connection.read_all()
    return time.monotonic() - began, told


def test_a_head_that_does_not_end(shop):
    with Raw(shop.gateway.port) as connection:
        connection.send("GET / HTTP/1.1\r\nHost")
        seconds, told = closed_after(connection)
    assert 0.3 < seconds < 3 and (told == b"" or b" 408 " in told)


def test_a_head_that_comes_drop_by_drop(shop):
    with Raw(shop.gateway.port) as connection:
        began = time.monotonic()
        with pytest.raises(OSError):
            for i in range(100):
                connection.send(f"X-{i}: a\r\n" if i else "GET / HTTP/1.1\r\nHost: x\r\n")
                time.sleep(0.1)
        assert time.monotonic() - began < 5


def test_a_body_that_does_not_come(shop):
    with Raw(shop.gateway.port) as connection:
        connection.send("POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                        "Content-Length: 10\r\n\r\n{")
        seconds, told = closed_after(connection)
    assert 0.3 < seconds < 3 and b" 408 " in told


def test_a_connection_that_says_nothing(shop):
    with Raw(shop.gateway.port) as connection:
        seconds, told = closed_after(connection)
    assert 0.3 < seconds < 4 and told == b""


def test_a_connection_that_is_kept_but_not_used(shop):
    with Raw(shop.gateway.port) as connection:
        connection.send("GET /v1/orders HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.read_answer()[0] == 200
        seconds, told = closed_after(connection)
    assert 0.5 < seconds < 4 and told == b""


def test_a_slow_stream_is_not_a_slow_peer(shop):
    """A stream that waits for its next message is at work, and outlives every limit above."""
    stub = shop.client("v3")
    made = stub.Create(v3.CreateRequest(order=order_v3()))
    watching = stub.Watch(v3.WatchRequest(id=made.id))
    next(watching)
    time.sleep(3)
    stub.SetStatus(v3.SetStatusRequest(id=made.id, state=v3.DELIVERED))
    assert next(watching).state == v3.DELIVERED


def test_a_reader_that_is_slow_but_reads_has_the_whole_answer(shop):
    shop.client("v3").Create(v3.CreateRequest(order=order_v3(id="long", gift_note="n" * 10_000_000)))
    with Raw(shop.gateway.port) as connection:
        connection.send("GET /v3/orders/long HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        told = b""
        while piece := connection.socket.recv(65536):
            told += piece
            time.sleep(0.008)
    assert len(told) > 10_000_000 and told.endswith(b"}")


def test_closed_connections_are_counted_and_gone(shop):
    before = shop.gateway.metric("passerelle_connections")
    held = [Raw(shop.gateway.port) for _ in range(20)]
    eventually(lambda: shop.gateway.metric("passerelle_connections") >= before + 19)
    for connection in held:
        connection.socket.close()
    eventually(lambda: shop.gateway.metric("passerelle_connections") <= before + 1)


def assert_clients_fault(gateway, instance, **wanted):
    """Who does not read his response has himself to blame: not the gateway, and not the instance."""
    line = gateway.logged(code="CANCELLED", **wanted)
    assert (line["http_status"], line["level"], line["causes"][0]["fault"]) == (200, "info", "CLIENT_STALLED")
    assert "limits.send_time" in line["causes"][-1]["doing"]
    assert [(one["instance"], one["code"]) for one in line["attempts"]] == [(instance, "CANCELLED")]
    assert gateway.metric("passerelle_errors_total", side="client", fault="CLIENT_STALLED") == 1
    assert gateway.metric("passerelle_errors_total", side="upstream") == 0
    assert gateway.metric("passerelle_upstream_calls_total", instance=instance, code="CANCELLED") == 1


def test_a_reader_of_http2_that_opens_no_window_is_at_fault_itself(shop):
    shop.client("v3").Create(v3.CreateRequest(order=order_v3(id="long", gift_note="n" * 3_000_000)))
    http2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    http2.local_settings = h2.settings.Settings(initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 10})
    request = v3.GetRequest(id="long").SerializeToString()
    with Raw(shop.gateway.port) as connection:
        http2.initiate_connection()
        http2.send_headers(1, [(":method", "POST"), (":scheme", "http"), (":authority", "x"),
                               (":path", "/shop.orders.v3.Orders/Get"), ("te", "trailers"),
                               ("content-type", "application/grpc")])
        http2.send_data(1, b"\0" + len(request).to_bytes(4, "big") + request, end_stream=True)
        connection.send(http2.data_to_send()).read_all()
    assert_clients_fault(shop.gateway, shop.backends[0].address, method="shop.orders.v3.Orders/Get")


def test_a_reader_of_http1_that_stops_reading_is_at_fault_itself(tmp_path):
    def endless(peer, told, body):
        peer.say("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(1000):
            peer.say(b"x" * 100_000)

    with Http1Backend(endless) as backend:
        route = f"  - {{match: /files/, instances: ['127.0.0.1:{backend.port}']}}\n"
        with Gateway(tmp_path, SHOP_CONFIG + route + LIMITS, instances=instances(("v3", 1))) as gateway:
            with Raw(gateway.port) as connection:
                connection.send("GET /files/long HTTP/1.1\r\nHost: x\r\n\r\n")
                assert_clients_fault(gateway, f"127.0.0.1:{backend.port}", path="/files/long")
