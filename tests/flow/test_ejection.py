"""Instances that are worse than the others get no calls for a while: 20 instances, 500 calls per second.

What must come within a time is waited for, so that a slow machine fails no test; EJECTION_TIMES=1 asserts the times, too.
"""
import asyncio
import json
import os
import random
import re
import threading
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest
from backends import v3
from gateway import Gateway
from operators import command, entries
from processes import eventually

TIMES = os.environ.get("EJECTION_TIMES") == "1"
N, CLIENTS, PAUSE = 20, 50, 0.1  # 500 calls per second

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin'}
loops: 2
log: "-"
services:
  - name: orders
    versions: [{name: v3, package: shop.orders.v3, schema: $orders}]
    instances: $instances
$health
routes: [{match: orders, timeout: 5s, attempts: 1}]
"""
WELL = v3.Order(id="1").SerializeToString()


class Instances:
    """HTTP/2 instances on a loop of their own. `status` of an instance is what a part of its calls end with, in trailers."""

    def __init__(self, n=N):
        self.n, self.ports, self.delay = n, [], 0
        self.status, self.part = {}, {}
        self.silent, self.servers, self.writers = set(), [], [[] for _ in range(n)]
        self.seen = [0] * n
        self.random = random.Random(43)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        for i in range(self.n):
            server = asyncio.run_coroutine_threadsafe(
                asyncio.start_server(lambda reader, writer, i=i: self.serve(i, reader, writer), "127.0.0.1", 0),
                self.loop).result()
            self.servers.append(server)
            self.ports.append(server.sockets[0].getsockname()[1])
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    @property
    def listed(self):
        return "[" + ", ".join(f"'{self.address(i)}'" for i in range(self.n)) + "]"

    def address(self, i):
        return f"127.0.0.1:{self.ports[i]}"

    def fail(self, *which, status=13, part=1.0):
        for i in which:
            self.status[i], self.part[i] = status, part

    def stop(self, *which):
        """They break off, and can be connected to no more."""
        async def stop():
            for i in which:
                self.servers[i].close()
                for writer in self.writers[i]:
                    writer.close()

        asyncio.run_coroutine_threadsafe(stop(), self.loop).result()

    async def serve(self, i, reader, writer):
        self.writers[i].append(writer)
        http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        http2.initiate_connection()
        writer.write(http2.data_to_send())
        try:
            while data := await reader.read(65536):
                for event in http2.receive_data(data):
                    if isinstance(event, h2.events.StreamEnded):
                        self.seen[i] += 1
                        if i not in self.silent:
                            self.loop.call_later(self.delay, self.answer, i, http2, event.stream_id, writer)
                writer.write(http2.data_to_send())
        except (OSError, h2.exceptions.ProtocolError):
            pass
        writer.close()

    def answer(self, i, http2, stream, writer):
        fails = self.random.random() < self.part.get(i, 0)
        try:
            http2.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
            if not fails:
                http2.send_data(stream, b"\0" + len(WELL).to_bytes(4, "big") + WELL)
            http2.send_headers(stream, [("grpc-status", str(self.status[i]) if fails else "0")], end_stream=True)
            writer.write(http2.data_to_send())
        except (h2.exceptions.ProtocolError, OSError):
            pass  # it was cancelled


class Load:
    """Clients that ask all the time, on a thread of their own."""

    def __init__(self, gateway):
        self.port, self.n, self.n_failed, self.over = gateway.port, 0, 0, False
        self.thread = threading.Thread(target=lambda: asyncio.run(self.all()))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()

    async def all(self):
        await asyncio.gather(*(self.ask(i) for i in range(CLIENTS)))

    async def ask(self, i):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.sleep(PAUSE * i / CLIENTS)
        while not self.over:
            began = time.monotonic()
            writer.write(b"GET /v3/orders/1 HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                                          if line.startswith(b"content-length")))
            self.n += 1
            self.n_failed += not head.startswith(b"HTTP/1.1 200")
            await asyncio.sleep(max(0, began + PAUSE - time.monotonic()))
        writer.close()

    def go_on(self, n):
        """The calls of the next time: of `n`, at least, so many failed."""
        before = (self.n, self.n_failed)
        eventually(lambda: self.n - before[0] >= n)
        return self.n - before[0], self.n_failed - before[1]


@pytest.fixture
def instances():
    with Instances() as started:
        yield started


def healed(gateway, instance):
    """The messages about the healing of this instance."""
    return [line["message"] for line in gateway.log() if line.get("subject") == instance]


def test_one_of_20_that_fails_30_percent_is_ejected_and_the_calls_go_well(tmp_path, instances):
    with Gateway(tmp_path, CONFIG, instances=instances.listed, health="") as gateway, Load(gateway) as load:
        load.go_on(1500)
        assert gateway.barred() == {}
        instances.fail(7, part=0.3)
        began = time.monotonic()
        eventually(lambda: gateway.barred())
        took = time.monotonic() - began
        print(f"ejected after {took:.2f} s")
        assert gateway.barred() == {instances.address(7): "ejected"}
        load.go_on(100)  # those under way
        n, n_failed = load.go_on(2000)
        assert n_failed <= n * 0.005, f"{n_failed} of {n} calls failed"
        said = eventually(lambda: healed(gateway, instances.address(7)))
        assert re.search(r"(\d+ of \d+ calls failed|\d+ calls in a row failed), and \d+ of \d+ to other instances", said[0]), said
        assert gateway.metric("passerelle_healing_total", act="eject", service="orders") == 1
        if TIMES:
            assert took < 2


def test_if_all_fail_no_more_than_half_are_ejected_and_it_is_reported(tmp_path, instances):
    with Gateway(tmp_path, CONFIG, instances=instances.listed, health="") as gateway, Load(gateway) as load:
        load.go_on(1000)
        instances.fail(*range(N))
        most = 0
        for _ in range(30):
            load.go_on(50)
            most = max(most, len(gateway.barred()))
        assert most <= N // 2
        eventually(lambda: gateway.events("instances_all_used"))
        assert gateway.metric("passerelle_service_all_used", service="orders") == 1
        instances.fail(*range(N), part=0)
        eventually(lambda: gateway.events("instances_all_used_over"))
        assert gateway.barred() == {}
        assert load.go_on(500)[1] == 0


def test_a_slow_down_of_all_ejects_none(tmp_path, instances):
    with Gateway(tmp_path, CONFIG, instances=instances.listed, health="") as gateway, Load(gateway) as load:
        load.go_on(1000)
        instances.delay = 0.5
        load.go_on(1500)
        assert gateway.barred() == {}
        assert not gateway.events("instances_all_used")


def test_mistakes_of_the_caller_eject_none(tmp_path, instances):
    with Gateway(tmp_path, CONFIG, instances=instances.listed, health="") as gateway, Load(gateway) as load:
        instances.fail(7, status=3)
        load.go_on(2000)
        assert instances.seen[7] > 20
        assert gateway.barred() == {}


def test_an_ejected_instance_gets_no_calls_on_any_loop_and_comes_back(tmp_path, instances):
    health = "    health: {eject: {first: 3s}}"
    with Gateway(tmp_path, CONFIG, instances=instances.listed, health=health) as gateway, Load(gateway) as load:
        instances.fail(7, part=0.9)
        eventually(lambda: gateway.barred())
        load.go_on(100)
        before = instances.seen[7]
        load.go_on(300)
        assert instances.seen[7] == before or not gateway.barred()
        instances.fail(7, part=0)
        eventually(lambda: not gateway.barred())
        before = instances.seen[7]
        load.go_on(500)
        assert instances.seen[7] > before
        eventually(lambda: any("its time is over" in message for message in healed(gateway, instances.address(7))))


def test_an_ejection_stays_over_a_reload(tmp_path, instances):
    with Gateway(tmp_path, CONFIG, instances=instances.listed, health="") as gateway, Load(gateway) as load:
        instances.fail(7)
        eventually(lambda: gateway.barred())
        gateway.write(health="    health: {eject: {most: 10m}}")
        gateway.reload()
        eventually(lambda: gateway.metric("passerelle_config_generation") == 2)
        load.go_on(500)
        assert gateway.barred() == {instances.address(7): "ejected"}
        gateway.write(health="    health: {eject: {off: true}}")
        gateway.reload()
        eventually(lambda: gateway.barred() == {})
        load.go_on(500)
        assert gateway.barred() == {}


def test_one_that_is_silent_is_ejected_although_hedging_makes_its_calls_go_well(tmp_path, instances):
    config = CONFIG.replace("attempts: 1", "hedge: {after: 50ms}")
    with Gateway(tmp_path, config, instances=instances.listed, health="") as gateway, Load(gateway) as load:
        load.go_on(1500)
        assert gateway.barred() == {}
        instances.silent.add(7)
        began = time.monotonic()
        eventually(lambda: gateway.barred())
        print(f"ejected after {time.monotonic() - began:.2f} s")
        assert gateway.barred() == {instances.address(7): "ejected"}
        assert load.n_failed == 0
        said = eventually(lambda: healed(gateway, instances.address(7)))
        assert "got no response before another instance gave one" in said[0], said


def test_ejected_instances_are_used_when_the_others_go_down(tmp_path, instances):
    health = "    health: {eject: {first: 10m, most: 10m}}"
    with Gateway(tmp_path, CONFIG, instances=instances.listed, health=health) as gateway, Load(gateway) as load:
        load.go_on(1000)
        bad = range(4)
        instances.fail(*bad)
        eventually(lambda: len(gateway.barred()) == 4)
        instances.fail(*bad, part=0)
        instances.stop(*range(4, N))
        eventually(lambda: gateway.barred() == {})
        eventually(lambda: gateway.events("instances_needed"))
        load.go_on(200)
        assert load.go_on(500)[1] == 0


def test_an_operator_ends_an_ejection(tmp_path, instances):
    config = CONFIG.replace("127.0.0.1:$admin'}", "127.0.0.1:$admin', socket: 'unix:admin.sock'}\nstore: store.db")
    with Gateway(tmp_path, config, instances=instances.listed, health="") as gateway, Load(gateway) as load:
        instances.fail(7)
        eventually(lambda: gateway.barred())
        instances.fail(7, part=0)
        done = command(gateway, "instance", "return", instances.address(7), "--why", "it is mended", "--json")
        assert json.loads(done.stdout)["lifted"] is True, done.stderr
        assert gateway.barred() == {}
        before = instances.seen[7]
        load.go_on(500)
        assert instances.seen[7] > before
        eventually(lambda: "an operator has returned it" in healed(gateway, instances.address(7)))
        assert entries(gateway)[0]["action"] == "instance_return"
