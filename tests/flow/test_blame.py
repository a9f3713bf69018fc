"""What one client can do, by itself, does not count against an instance: it is neither ejected, nor does a breaker open."""
import contextlib
import threading
import time

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
        self.broken, self.hangs, self.time, self.over = False, False, 0, threading.Event()
        super().__init__(self.answer)

    def answer(self, peer, told, body):
        time.sleep(self.time)
        if self.hangs:
            self.over.wait(10)
        bad = self.broken or body in BAD
        status, kind, text = ("500 No", "application/json", b'{"code": "internal"}') if bad else ("200 OK", "application/proto", b"")
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
