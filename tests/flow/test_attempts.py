"""Attempts: each request to an instance is told in the log and counted, also when another one made the call good."""
import pytest
from gateway import Gateway
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
