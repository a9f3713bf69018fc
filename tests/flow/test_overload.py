"""A gateway that has more to do than it can: it refuses calls by their impact, and says when to come back."""
import contextlib
import subprocess
import threading
import time

import pytest
from gateway import Gateway
from grpc_services import Health
from http1_backend import Http1Backend
from processes import eventually
from refusals import DIALECTS, refusal

CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin"}
log: "-"
errors: full
loops: 1
overload: {$overload}
services:
  - name: orders
    versions: [{name: v1, package: shop.orders.v1, schema: $orders}]
    instances: [{address: "127.0.0.1:$instance", protocol: connect, versions: [v1]}]
routes:
  - {match: orders, impact: $impact}
  - {match: orders.Orders/Create, impact: low}
"""
SOON = "delay: 1ms, interval: 10ms, calm: 300ms, pause: 20ms"


def order(peer, told, body):
    peer.say("HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: 0\r\n\r\n")


@contextlib.contextmanager
def flood(gateway, path="/v1/nowhere"):
    """More requests than anybody can answer, of no impact: until the block ends."""
    load = subprocess.Popen(["h2load", "-n", "100000000", "-c", "40", "-m", "100", "-t", "1",
                             f"http://{gateway.address}{path}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        load.kill()
        load.wait()


def shedding(gateway):
    return gateway.metric("passerelle_loop_shedding") > 0


def refused(gateway, dialect):
    """Within a minute: what a call is refused by, and not by chance."""
    return eventually(lambda: refusal(gateway, dialect))


@contextlib.contextmanager
def overloaded(folder, impact="low", overload=SOON):
    with Http1Backend(order) as backend:
        with Gateway(folder, CONFIG, instance=backend.port, impact=impact, overload=overload) as gateway:
            with flood(gateway):
                eventually(lambda: shedding(gateway))
                yield gateway


@pytest.mark.parametrize("dialect", DIALECTS)
def test_clients_of_each_dialect_hear_that_they_are_refused_and_for_how_long(tmp_path, dialect):
    with overloaded(tmp_path) as gateway:
        told = refused(gateway, dialect)
        assert told.is_by("SHED") and 1 <= told.after <= 2
        assert gateway.metric("passerelle_calls_shed_total", impact="low") > 0


def test_calls_of_catastrophic_impact_are_answered(tmp_path):
    with overloaded(tmp_path, "catastrophic") as gateway:
        assert all(refusal(gateway, dialect) is None for _ in range(10) for dialect in DIALECTS)
        assert gateway.metric("passerelle_calls_shed_total", impact="catastrophic") == 0


def test_health_and_operators_are_answered(tmp_path):
    with overloaded(tmp_path) as gateway:
        assert [Health(gateway).check() for _ in range(5)] == ["SERVING"] * 5
        assert gateway.admin("/readyz").status == 200
        assert gateway.metric("passerelle_healing_total", act="shed") > 0


def test_connections_with_nothing_but_refusals_are_read_once_in_a_pause(tmp_path):
    """40 connections with 100 calls each, whose impact is low, while calls of high impact take all that the loop can do."""
    with overloaded(tmp_path, "high", overload=SOON.replace("pause: 20ms", "pause: 1s")) as gateway:
        with flood(gateway, "/v1/orders/x"):
            def in_a_second():
                before, began = gateway.metric("passerelle_calls_shed_total", impact="low"), time.monotonic()
                time.sleep(1)
                after = gateway.metric("passerelle_calls_shed_total", impact="low")
                return (after - before) / (time.monotonic() - began)
            assert eventually(lambda: 0 < in_a_second() < 40 * 100 * 2.5)  # a rest is half of the pause at least


def test_few_refusals_are_in_the_log_and_tell_of_the_others(tmp_path):
    with overloaded(tmp_path) as gateway:
        began = time.monotonic()
        eventually(lambda: gateway.metric("passerelle_calls_shed_total") > 5000)
        seconds = time.monotonic() - began
    lines = [line for line in gateway.log() if line.get("log") != "event" and "SHED" in str(line)]
    assert 0 < len(lines) < 200 + 12 * seconds
    assert all("others since" in str(line) for line in lines)


def test_afterwards_everything_is_as_before(tmp_path):
    with Http1Backend(order) as backend:
        with Gateway(tmp_path, CONFIG, instance=backend.port, impact="low", overload=SOON) as gateway:
            with flood(gateway):
                refused(gateway, "rest")
            eventually(lambda: not shedding(gateway), timeout=10)
            assert all(refusal(gateway, dialect) is None for _ in range(5) for dialect in DIALECTS)
            eventually(lambda: [line["event"] for line in gateway.log() if line.get("act") == "shed"][-1] == "healing_ended")


def test_nothing_is_refused_if_the_config_says_so(tmp_path):
    with Http1Backend(order) as backend:
        with Gateway(tmp_path, CONFIG, instance=backend.port, impact="low", overload="shed: false, " + SOON) as gateway:
            with flood(gateway):
                end = time.monotonic() + 2
                while time.monotonic() < end:
                    assert refusal(gateway, "rest") is None
            assert gateway.metric("passerelle_calls_shed_total") == 0


def test_a_hiccup_refuses_nothing(tmp_path):
    """The process is stopped for a while, again and again, under load."""
    with Http1Backend(order) as backend:
        with Gateway(tmp_path, CONFIG, instance=backend.port, impact="low", overload="") as gateway:
            stop = threading.Event()
            clients = [threading.Thread(target=lambda: [refusal(gateway, "rest") for _ in iter(stop.is_set, True)])
                       for _ in range(4)]
            for client in clients:
                client.start()
            for _ in range(5):
                gateway.process.child.send_signal(19)  # SIGSTOP
                time.sleep(0.5)
                gateway.process.child.send_signal(18)  # SIGCONT
                time.sleep(0.2)
            stop.set()
            for client in clients:
                client.join()
            assert gateway.metric("passerelle_calls_shed_total") == 0


def test_drain_ends_calls_as_ever(tmp_path):
    with overloaded(tmp_path, "catastrophic") as gateway:
        assert refusal(gateway, "rest") is None
        gateway.process.child.send_signal(15)
        assert gateway.process.child.wait(30) == 0
