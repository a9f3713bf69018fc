"""What one client can do, by itself, does not count against an instance: it is neither ejected, nor does a breaker open."""
import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from gateway import Gateway
from http1_backend import Http1Backend
from processes import eventually

CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin"}
log: "-"
loops: 1
services:
  - name: orders
    versions: [{name: v1, package: shop.orders.v1, schema: $orders}]
    instances: $instances
    $guards
routes:
  - {match: orders, attempts: 1}
"""
GET = "/shop.orders.v1.Orders/Get"
GUARDS = ["breaker: {percent: 50, calls: 10, window: 60s, open: 60s}", "health: {eject: {max_percent: 90}}"]
BAD = [b"\x18", b"\x0a\x02\xff\xfe"]
WELL = b"\x0a\x01x"


class Instance(Http1Backend):
    """Fails, as servers do, with bytes that it cannot parse; with all, if it is broken. Responds when the time is over."""

    def __init__(self):
        self.broken, self.full, self.hangs, self.time, self.over = False, False, False, 0, threading.Event()
        super().__init__(self.answer)

    def answer(self, peer, told, body):
        time.sleep(self.time)
        if self.hangs:
            self.over.wait(10)
        bad = self.broken or body in BAD
        kind = "application/json" if bad or self.full else "application/proto"
        status, text = ("500 No", b'{"code": "internal"}') if bad else ("200 OK", b"")
        if self.full:
            status, text = "429 Full", b'{"code": "resource_exhausted"}'
        peer.say(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text)


@contextlib.contextmanager
def running(folder, guards):
    with contextlib.ExitStack() as stack:
        instances = [stack.enter_context(Instance()) for _ in range(3 if "eject" in guards else 1)]
        listed = [f'{{address: "127.0.0.1:{each.port}", protocol: connect, versions: [v1]}}' for each in instances]
        gateway = stack.enter_context(Gateway(folder, CONFIG, guards=guards, instances=f"[{', '.join(listed)}]"))
        yield instances, gateway
        for each in instances:
            each.over.set()


def ask(gateway, body, **fields):
    headers = {"Content-Type": "application/proto", **{name.replace("_", "-"): value for name, value in fields.items()}}
    return gateway.http("POST", GET, body, headers)


def has_judged(gateway, instances, guards):
    """The breaker is open, or the first instance is ejected, and no other one."""
    if "breaker" in guards:
        return ask(gateway, WELL).status == 503
    return gateway.barred() == {f"127.0.0.1:{instances[0].port}": "ejected"}


@pytest.mark.parametrize("guards", GUARDS, ids=["breaker", "ejection"])
def test_a_message_that_does_not_parse_is_its_clients_mistake(tmp_path, guards):
    with running(tmp_path, guards) as (instances, gateway):
        for i in range(40):
            told = ask(gateway, BAD[i % 2])
            assert (told.status, told.json["code"]) == (400, "invalid_argument"), told.body
            assert ask(gateway, WELL).status == 200
        assert not has_judged(gateway, instances, guards)
        instances[0].broken = True
        eventually(lambda: [ask(gateway, WELL) for _ in range(20)] and has_judged(gateway, instances, guards))


@pytest.mark.parametrize("guards", GUARDS, ids=["breaker", "ejection"])
def test_a_deadline_that_leaves_no_time_is_its_clients_choice_and_a_generous_one_is_not(tmp_path, guards):
    with running(tmp_path, guards) as (instances, gateway):
        for each in instances:
            each.time = 0.02
        for _ in range(20):
            assert ask(gateway, WELL, Connect_Timeout_Ms="2").status == 504
        for _ in range(20):
            ask(gateway, WELL, Connect_Timeout_Ms="2")
            assert ask(gateway, WELL).status == 200
        assert not has_judged(gateway, instances, guards)
        instances[0].hangs = True
        with ThreadPoolExecutor(40) as pool:
            list(pool.map(lambda _: ask(gateway, WELL, Connect_Timeout_Ms="600"), range(60)))
        eventually(lambda: has_judged(gateway, instances, guards))


@pytest.mark.parametrize("guards", GUARDS, ids=["breaker", "ejection"])
def test_a_quota_of_one_client_that_an_instance_holds_counts_neither_for_nor_against_it(tmp_path, guards):
    with running(tmp_path, guards) as (instances, gateway):
        instances[0].full = True
        told = []
        eventually(lambda: told.append(ask(gateway, WELL).status) or told.count(429) >= 10)  # the others may be quicker for a while
        assert not has_judged(gateway, instances, guards)
        instances[0].full, instances[0].broken = False, True
        eventually(lambda: [ask(gateway, WELL) for _ in range(20)] and has_judged(gateway, instances, guards))
