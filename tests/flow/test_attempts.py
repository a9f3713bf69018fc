"""Attempts: each request to an instance is told in the log and counted, also when another one made the call good."""
import contextlib
import socket
import threading

import pytest
from gateway import ORDERS, Gateway
from http1_backend import Http1Backend
from processes import eventually, free_port

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin'}
log: "-"
loops: 1
routes:
  - {match: /old/, attempts: $attempts, instances: $instances}
"""


def ok(peer, told, body):
    peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def break_off(peer, told, body):
    peer.close()


def gateway_before(folder, *ports, attempts=2):
    listed = ", ".join(f"{{address: '127.0.0.1:{port}', protocol: http}}" for port in ports)
    return Gateway(folder, CONFIG, instances=f"[{listed}]", attempts=attempts)


def upstream_calls(gateway, port, code):
    return gateway.metric("passerelle_upstream_calls_total", instance=f"127.0.0.1:{port}", code=code)


def ask_until(gateway, count):
    """Calls until the log has one of so many attempts: its line."""
    def found():
        assert gateway.http("GET", "/old/x").status == 200
        lines = [line for line in gateway.log() if len(line.get("attempts", [])) == count]
        return lines[-1] if lines else None
    return eventually(found)


def test_a_call_that_went_well_is_one_attempt(tmp_path):
    with Http1Backend(ok) as good, gateway_before(tmp_path, good.port) as gateway:
        (attempt,) = ask_until(gateway, 1)["attempts"]
        assert attempt["instance"] == f"127.0.0.1:{good.port}" and attempt["code"] == "OK"
        assert "why" not in attempt and attempt["ms"] >= 0


def test_an_attempt_that_another_made_good_is_told_and_counted(tmp_path):
    with Http1Backend(ok) as good, Http1Backend(break_off) as bad:
        with gateway_before(tmp_path, bad.port, good.port) as gateway:
            line = ask_until(gateway, 2)
            first, second = line["attempts"]
            assert (first["instance"], first["code"], first["why"]) == (
                f"127.0.0.1:{bad.port}", "UNAVAILABLE", "UPSTREAM_RESET")
            assert (second["instance"], second["code"]) == (f"127.0.0.1:{good.port}", "OK")
            assert line["code"] == "OK" and line["instance"] == second["instance"]
            assert upstream_calls(gateway, bad.port, "UNAVAILABLE") >= 1
            assert upstream_calls(gateway, good.port, "OK") >= 1
            assert upstream_calls(gateway, good.port, "UNAVAILABLE") == 0


def test_an_instance_that_cannot_be_reached_is_told_as_an_attempt(tmp_path):
    nobody = free_port()
    with Http1Backend(ok) as good, gateway_before(tmp_path, nobody, good.port) as gateway:
        first, second = ask_until(gateway, 2)["attempts"]
        assert (first["instance"], first["code"]) == (f"127.0.0.1:{nobody}", "UNAVAILABLE")
        assert (second["instance"], second["code"]) == (f"127.0.0.1:{good.port}", "OK")


@pytest.mark.parametrize("attempts,asked", [(1, 1), (2, 2), (3, 3)])
def test_a_route_bounds_the_attempts_that_were_sent(tmp_path, attempts, asked):
    with Http1Backend(break_off) as one, Http1Backend(break_off) as two, Http1Backend(break_off) as three:
        with gateway_before(tmp_path, one.port, two.port, three.port, attempts=attempts) as gateway:
            assert gateway.http("GET", "/old/x").status == 503
            assert len(gateway.logged(path="/old/x")["attempts"]) == asked


def test_a_call_that_came_to_no_instance_has_no_attempt(tmp_path):
    with Http1Backend(ok) as good, gateway_before(tmp_path, good.port) as gateway:
        assert gateway.http("GET", "/nowhere").status == 404
        line = gateway.logged(path="/nowhere")
        assert "attempts" not in line and "instance" not in line


ORDERS_CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin'}
log: "-"
loops: 1
errors: full
$limits
services:
  - name: orders
    versions: [{name: v1, package: shop.orders.v1, schema: $orders}]
    instances: [{address: '127.0.0.1:$instance', protocol: $protocol, versions: [v1]}]
routes: [{match: orders, timeout: 300ms}]
"""


def says_who_served(answer):
    return "served_by" in answer.json or "Passerelle-Served-Version" in answer.headers


def test_an_instance_that_does_not_begin_to_speak_http2_is_told(tmp_path):
    """It takes the connection, and then nothing comes of it: the call has waited for it, and for nobody else."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        with Gateway(tmp_path, ORDERS_CONFIG, orders=ORDERS, instance=port, protocol="grpc", limits="") as gateway:
            answer = gateway.http("GET", "/v1/orders")
            assert answer.status == 504 and not says_who_served(answer)
            line = gateway.logged(path="/v1/orders")
            assert [(one["instance"], one["code"]) for one in line["attempts"]] == [(f"127.0.0.1:{port}", "DEADLINE_EXCEEDED")]
            assert upstream_calls(gateway, port, "DEADLINE_EXCEEDED") == 1


def test_a_call_for_which_no_connection_has_room_has_asked_nobody(tmp_path):
    go = threading.Event()

    def slow(peer, told, body):
        go.wait(20)
        peer.say("HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: 0\r\n\r\n")

    limits = "limits: {http1_connections: 1, http1_uploads: 1}"
    with Http1Backend(slow) as backend:
        with Gateway(tmp_path, ORDERS_CONFIG.replace("300ms", "3s"), orders=ORDERS, instance=backend.port, protocol="connect",
                     limits=limits) as gateway:
            first = threading.Thread(target=gateway.http, args=("GET", "/v1/orders"))
            first.start()
            eventually(lambda: backend.told)
            answer = gateway.http("GET", "/v1/orders/7", headers={"Connect-Timeout-Ms": "1"})
            go.set()
            first.join()
            assert answer.status in (503, 504) and not says_who_served(answer)
            assert "attempts" not in gateway.logged(path="/v1/orders/7")


@pytest.mark.parametrize("setting, path, body", [
    ("memory: 2KiB", "/v1/orders", None),
    ("message_bytes: 1KiB", "/v1/orders", {"customer": "c" * 2000}),
    ("depth: 1", "/v1/orders", {"items": [{"sku": "x"}]}),
])
def test_a_request_that_is_refused_was_served_by_nobody(tmp_path, setting, path, body):
    with Http1Backend(ok) as backend:
        with Gateway(tmp_path, ORDERS_CONFIG, orders=ORDERS, instance=backend.port, protocol="connect",
                     limits=f"limits: {{{setting}}}") as gateway:
            answer = gateway.http("POST" if body else "GET", path, body)
            assert answer.status >= 400 and not says_who_served(answer)
            assert "attempts" not in gateway.logged(path=path) and not backend.told
