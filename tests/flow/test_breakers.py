"""A service that fails, or has too many calls, is not asked any more for a moment; clients hear so at once."""
import contextlib
import json
import threading
import time

import pytest
from backends import client, v1
from gateway import Gateway
from http1_backend import Http1Backend
from operators import command
from processes import eventually
from refusals import DIALECTS, refusal

CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin", socket: "unix:admin.sock"}
log: "-"
errors: full
loops: 1
services:
  - name: orders
    versions: [{name: v1, package: shop.orders.v1, schema: $orders}]
    instances: [{address: "127.0.0.1:$instance", protocol: connect, versions: [v1]}]
    $guards
routes:
  - {match: orders, attempts: 1}
"""
BREAKER = "breaker: {percent: 50, calls: 10, window: 60s, open: $open, probes: 2}"
GET = "/v1/orders/x"


class Service:
    """
    Its one instance: well, broken, or strict with its clients; and slow as long as `gate` is closed.
    Its streams last until `over`, and begin with a message if it is not `silent`.
    """

    def __init__(self):
        self.mood, self.gate = "well", threading.Event()
        self.silent, self.over = False, threading.Event()
        self.gate.set()

    def watch(self, peer):
        peer.say("HTTP/1.1 200 OK\r\nContent-Type: application/connect+proto\r\nTransfer-Encoding: chunked\r\n\r\n")
        if not self.silent:
            peer.say(b"5\r\n\0\0\0\0\0\r\n")
        self.over.wait(60)
        peer.close()

    def __call__(self, peer, told, body):
        if told.target.endswith("/Watch"):
            self.watch(peer)
            return
        self.gate.wait(30)
        if self.mood == "well":
            peer.say("HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: 0\r\n\r\n")
            return
        status, code = ("503 No", "unavailable") if self.mood == "broken" else ("400 No", "invalid_argument")
        error = '{"code": "%s"}' % code
        peer.say(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(error)}\r\n\r\n{error}")


@contextlib.contextmanager
def running(folder, guards):
    service = Service()
    with Http1Backend(service) as backend, Gateway(folder, CONFIG, instance=backend.port, guards=guards) as gateway:
        service.backend = backend
        yield service, gateway
        service.over.set()
        service.gate.set()


def ask(gateway, n):
    return [gateway.http("GET", GET).status for _ in range(n)]


def opened(service, gateway):
    service.mood = "broken"
    ask(gateway, 10)
    return len(service.backend.told)


def event(gateway, name, act):
    return eventually(lambda: [line for line in gateway.log() if line.get("event") == name and line.get("act") == act])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_while_it_is_open_clients_hear_so_and_the_instance_is_not_asked(tmp_path, dialect):
    with running(tmp_path, BREAKER.replace("$open", "60s")) as (service, gateway):
        asked = opened(service, gateway)
        service.mood = "well"
        told = refusal(gateway, dialect)
        assert told.is_by("BREAKER_OPEN") and 50 < told.after <= 60
        assert len(service.backend.told) == asked == 10
        (begun,) = event(gateway, "healing_begun", "breaker")
        assert "10 of 10 calls" in begun["message"]
        assert gateway.metric("passerelle_healing_total", act="breaker", service="orders") == 1


def test_it_closes_when_the_probes_go_well(tmp_path):
    with running(tmp_path, BREAKER.replace("$open", "100ms")) as (service, gateway):
        opened(service, gateway)
        service.mood = "well"
        eventually(lambda: ask(gateway, 1) == [200])
        eventually(lambda: ask(gateway, 1) == [200])
        assert ask(gateway, 20) == [200] * 20
        event(gateway, "healing_ended", "breaker")


def test_a_probe_that_fails_keeps_it_open(tmp_path):
    with running(tmp_path, BREAKER.replace("$open", "50ms")) as (service, gateway):
        asked = opened(service, gateway)
        eventually(lambda: ask(gateway, 1) and len(service.backend.told) >= asked + 2)
        assert len(event(gateway, "healing_begun", "breaker")) >= 2


def test_mistakes_of_clients_do_not_open_it(tmp_path):
    with running(tmp_path, BREAKER.replace("$open", "60s")) as (service, gateway):
        service.mood = "strict"
        assert ask(gateway, 30) == [400] * 30
        assert [gateway.http("POST", "/v1/orders", {"nonsense": 1}).status for _ in range(30)] == [400] * 30
        service.mood = "well"
        assert ask(gateway, 1) == [200]


def test_few_failures_do_not_open_it(tmp_path):
    with running(tmp_path, BREAKER.replace("$open", "60s")) as (service, gateway):
        service.mood = "broken"
        ask(gateway, 9)
        service.mood = "well"
        assert ask(gateway, 10) == [200] * 10  # 9 of 19
        service.mood = "broken"
        ask(gateway, 1)                        # 10 of 20
        service.mood = "well"
        assert ask(gateway, 1) == [503]


# ---- Calls in flight -----------------------------------------------------------------------------------------------

class Asking:
    """Calls in threads, whose statuses come later."""

    def __init__(self, gateway, n):
        self.statuses = []
        self.threads = [threading.Thread(target=lambda: self.statuses.extend(ask(gateway, 1))) for _ in range(n)]
        for thread in self.threads:
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join()
        return sorted(self.statuses)


def still_waiting(gateway):
    """A call that does not fail at once."""
    call = Asking(gateway, 1)
    call.threads[0].join(0.3)
    return call if call.threads[0].is_alive() else None


def in_flight(service, n):
    eventually(lambda: len(service.backend.told) == n)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_call_too_many_fails_at_once_if_none_may_wait(tmp_path, dialect):
    with running(tmp_path, "concurrency: {calls: 2, waiting: 0}") as (service, gateway):
        service.gate.clear()
        first = Asking(gateway, 2)
        in_flight(service, 2)
        assert refusal(gateway, dialect).is_by("SERVICE_FULL")
        service.gate.set()
        assert first.join() == [200, 200]
        assert refusal(gateway, dialect) is None


def test_calls_wait_for_a_place(tmp_path):
    with running(tmp_path, "concurrency: {calls: 2, waiting: 3, wait: 20s}") as (service, gateway):
        service.gate.clear()
        first = Asking(gateway, 2)
        in_flight(service, 2)
        others = Asking(gateway, 3)
        time.sleep(0.1)
        assert len(service.backend.told) == 2
        service.gate.set()
        assert first.join() + others.join() == [200] * 5


def test_of_more_calls_than_may_wait_some_fail(tmp_path):
    with running(tmp_path, "concurrency: {calls: 1, waiting: 2, wait: 20s}") as (service, gateway):
        service.gate.clear()
        first = Asking(gateway, 1)
        in_flight(service, 1)
        others = Asking(gateway, 5)
        eventually(lambda: len(others.statuses) == 3)
        assert others.statuses == [503] * 3
        service.gate.set()
        assert first.join() == [200] and others.join() == [200] * 2 + [503] * 3


def test_a_call_waits_no_longer_than_it_may(tmp_path):
    with running(tmp_path, "concurrency: {calls: 1, waiting: 2, wait: 200ms}") as (service, gateway):
        service.gate.clear()
        first = Asking(gateway, 1)
        in_flight(service, 1)
        began = time.monotonic()
        answer = gateway.http("GET", GET)
        assert answer.status == 503 and "waited" in answer.body.decode()
        assert 0.2 <= time.monotonic() - began < 5
        service.gate.set()
        assert first.join() == [200]


def test_who_gives_up_waiting_leaves_its_place_to_others(tmp_path):
    with running(tmp_path, "concurrency: {calls: 1, waiting: 5, wait: 20s}") as (service, gateway):
        service.gate.clear()
        first = Asking(gateway, 1)
        in_flight(service, 1)
        with pytest.raises(TimeoutError):
            gateway.http("GET", GET, timeout=0.2)
        gateway.logged(code="CANCELLED")
        second = Asking(gateway, 1)
        service.gate.set()
        assert first.join() + second.join() == [200, 200]
        assert len(service.backend.told) == 2


def test_a_limit_that_is_learned_begins_with_the_floor(tmp_path):
    with running(tmp_path, "concurrency: {adaptive: true, least: 2, waiting: 0}") as (service, gateway):
        service.gate.clear()
        first = Asking(gateway, 2)
        in_flight(service, 2)
        told = refusal(gateway, "rest")
        assert told.is_by("SERVICE_FULL") and b"concurrency.adaptive" in told.said
        service.gate.set()
        assert first.join() == [200, 200]


def test_a_reload_changes_the_limits(tmp_path):
    with running(tmp_path, "concurrency: {calls: 1, waiting: 0}") as (service, gateway):
        service.gate.clear()
        first = Asking(gateway, 1)
        in_flight(service, 1)
        assert ask(gateway, 1) == [503]
        gateway.write(guards="concurrency: {calls: 2, waiting: 0}")
        gateway.reload()
        more = eventually(lambda: still_waiting(gateway))
        service.gate.set()
        assert first.join() == [200] and more.join() == [200]


# ---- Streams -------------------------------------------------------------------------------------------------------

def watch(service, gateway, n):
    """So many streams that go on; each has reached the instance, and has begun unless it is silent."""
    streams = []
    for _ in range(n):
        asked = len(service.backend.told)
        streams.append(client(gateway, "v1").Watch(v1.WatchRequest(id="x"), timeout=60))
        in_flight(service, asked + 1)
        if not service.silent:
            next(streams[-1])
    return streams


def test_streams_that_begin_well_are_good_probes(tmp_path):
    with running(tmp_path, BREAKER.replace("$open", "500ms")) as (service, gateway):
        opened(service, gateway)
        service.mood = "well"
        time.sleep(0.6)
        streams = watch(service, gateway, 2)
        assert ask(gateway, 20) == [200] * 20
        event(gateway, "healing_ended", "breaker")
        assert all(stream.is_active() for stream in streams)


def test_streams_that_never_begin_do_not_keep_it_open(tmp_path):
    with running(tmp_path, BREAKER.replace("$open", "1s")) as (service, gateway):
        opened(service, gateway)
        service.mood, service.silent = "well", True
        time.sleep(1.1)
        streams = watch(service, gateway, 2)
        assert ask(gateway, 1) == [503]
        eventually(lambda: ask(gateway, 1) == [200])
        assert ask(gateway, 20) == [200] * 20
        assert all(stream.is_active() for stream in streams)


def test_the_page_says_until_when_it_is_open(tmp_path):
    with running(tmp_path, BREAKER.replace("$open", "60s")) as (service, gateway):
        opened(service, gateway)
        page = json.loads(command(gateway, "healing", "--json").stdout)
        (entry,) = [each for each in page["now"] if each["act"] == "breaker"]
        assert "open until 2" in entry["why"] and "then 2 calls probe it" in entry["why"]


@pytest.mark.parametrize("limit", ["calls: 2", "adaptive: true, least: 2"])
def test_streams_that_have_begun_take_no_places(tmp_path, limit):
    with running(tmp_path, "concurrency: {%s, waiting: 0, start: 60s}" % limit) as (service, gateway):
        streams = watch(service, gateway, 10)
        assert ask(gateway, 5) == [200] * 5
        assert all(stream.is_active() for stream in streams)


def test_streams_that_do_not_begin_take_places_for_a_while(tmp_path):
    with running(tmp_path, "concurrency: {calls: 2, waiting: 0, start: 1s}") as (service, gateway):
        service.silent = True
        streams = watch(service, gateway, 2)
        assert ask(gateway, 1) == [503]
        eventually(lambda: ask(gateway, 1) == [200])
        assert all(stream.is_active() for stream in streams)


def test_what_is_refused_is_told_and_ends(tmp_path):
    with running(tmp_path, "concurrency: {calls: 2, waiting: 0}") as (service, gateway):
        service.gate.clear()
        first = Asking(gateway, 2)
        in_flight(service, 2)
        assert ask(gateway, 3) == [503] * 3
        (begun,) = event(gateway, "healing_begun", "shed")
        assert begun["service"] == "orders" and "2 are in flight, where the limit is 2" in begun["message"]
        assert gateway.metric("passerelle_concurrency_limit", service="orders") == 2
        assert gateway.metric("passerelle_concurrency_in_flight", service="orders") == 2
        assert gateway.metric("passerelle_concurrency_refused_total", service="orders") == 3
        service.gate.set()
        assert first.join() == [200, 200]
        event(gateway, "healing_ended", "shed")
        assert gateway.metric("passerelle_concurrency_in_flight", service="orders") == 0
