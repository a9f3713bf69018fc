"""A rollout from its beginning to its end, with as many clients as a service has: 5,000."""
import asyncio
import collections
import contextlib
import json
import random
import re
import time

import pytest
from gateway import Gateway
from operators import command, own_user
from processes import eventually, free_port

CONFIG = """
listen: [{address: '127.0.0.1:$port', trusted_proxies: [127.0.0.1]}]
admin: {address: '127.0.0.1:$admin', socket: 'unix:admin.sock'}
log: "-"
loops: 1
cohort: {header: x-account}
rollouts_file: $folder/rollouts.db
services:
  - name: orders
    versions: [{name: v3, package: shop.orders.v3, schema: $orders}]
    instances:
      - {address: '127.0.0.1:$old', protocol: rest, build: old}
      - {address: '127.0.0.1:$new', protocol: rest, build: new}
routes: [{match: orders, timeout: 20s}]
rollouts:
  - {service: orders, candidate: {build: new}, tiers: $tiers, judge: {metrics: [failures], least: $least, every: 100ms}}
"""
ACCOUNT = re.compile(rb"x-account: (\w+)", re.I)


class Build(asyncio.Protocol):
    """An instance that says which build it is, in each response; of some accounts all calls fail."""

    def __init__(self, build, breaks):
        self.build, self.breaks, self.rest = build, breaks, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        *heads, self.rest = (self.rest + data).split(b"\r\n\r\n")
        for head in heads:
            status = b"500 Broken" if self.breaks(ACCOUNT.search(head)[1]) else b"200 OK"
            self.transport.write(b"HTTP/1.1 %s\r\ncontent-type: application/json\r\nx-build: %s\r\ncontent-length: 2\r\n\r\n{}" %
                                 (status, self.build))


class Numbered:
    """Each so-many-th account that comes."""

    def __init__(self, every):
        self.every, self.accounts = every, {}

    def __call__(self, account):
        return self.accounts.setdefault(account, len(self.accounts) + 1) % self.every == 0


class Crowd:
    """Clients that call one after the other, in one order, over a few connections."""

    def __init__(self, gateway, accounts):
        self.gateway, self.seen, self.failed = gateway, {account: [] for account in accounts}, set()

    async def call(self, turns):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.gateway.port)
        for account in turns:
            writer.write(b"GET /v3/orders/1 HTTP/1.1\r\nhost: shop\r\nx-account: %s\r\n\r\n" % account.encode())
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(re.search(rb"content-length: (\d+)", head, re.I)[1]))
            build = re.search(rb"x-build: (\w+)", head, re.I)[1].decode()
            if self.seen[account][-1:] != [build]:
                self.seen[account].append(build)
            if b" 200 " not in head[:20]:
                self.failed.add(account)
        writer.close()

    async def all_call(self, accounts=None, until=lambda: False):
        order = list(accounts or self.seen)
        turns = (account for account in order if not until())
        await asyncio.gather(*(self.call(turns) for _ in range(8)))


def with_builds(gateway, story, old=lambda account: False, new=lambda account: False):
    """Runs the story, a coroutine, beside both builds."""
    async def run():
        loop = asyncio.get_running_loop()
        async with contextlib.AsyncExitStack() as stack:
            for build, breaks in (("old", old), ("new", new)):
                server = await loop.create_server(lambda build=build, breaks=breaks: Build(build.encode(), breaks), "127.0.0.1",
                                                  gateway.words[build])
                await stack.enter_async_context(server)
            await story()
    asyncio.run(run())


async def comes_to_be(what, patience=60):
    end = time.monotonic() + patience
    while not what():
        assert time.monotonic() < end
        await asyncio.sleep(0.1)


def status(gateway):
    return own_user(gateway)("GET", "/rollouts?name=orders").json["rollouts"][0]


def gateway_of(folder, tiers, least):
    return Gateway(folder, CONFIG, old=free_port(), new=free_port(), tiers=tiers, least=least)


def test_a_build_that_breaks_one_client_in_twenty_is_stopped_in_the_tier_that_shows_it(tmp_path):
    crowd = None

    async def story():
        over = asyncio.create_task(comes_to_be(lambda: status(gateway)["state"] != "running", 300))
        while not over.done():
            await crowd.all_call(until=over.done)
        await crowd.all_call()

    with gateway_of(tmp_path, "[1, 10, 100, 1000, all]", "100ms") as gateway:
        crowd = Crowd(gateway, random.Random(17).sample([f"c{i}" for i in range(5000)], 5000))
        with_builds(gateway, story, new=Numbered(20))
        told = status(gateway)
        assert (told["state"], told["bad"]) == ("rolled back", True), told
        assert [tier["state"] for tier in told["tiers"]] == ["passed", "passed", "rolled back", "to come", "to come"]
        orders = collections.Counter(" ".join(builds) for builds in crowd.seen.values())
        assert set(orders) == {"old", "old new old"} and sum(orders.values()) == 5000
        assert 40 <= orders["old new old"] <= told["room"] and told["room"] in (100, 202)  # it may have become twice as large
        assert len(crowd.failed) == orders["old new old"] // 20
        text = command(gateway, "rollout", "status", "orders").stdout
        assert "100 rolled back, 1000 to come" in text and "rollback by judge" in text and "advance by judge" in text
        assert "more clients" not in text and "needs" not in text  # nothing is waited for any more
        trail = told["trail"]  # how the evidence has grown, until it was enough
        assert list(dict.fromkeys(point["tier"] for point in trail)) == ["1", "10", "100"] and trail[0]["wealth"] <= 1
        assert trail[-1]["wealth"] == told["judgement"]["wealth"] >= told["judgement"]["limit"] > trail[-2]["wealth"]
        assert trail[-1]["candidate"] == told["judgement"]["clients"]["candidate"] and told["latest_members"] == []
        event = gateway.events("rollout")[-1]
        assert event["level"] == "error" and event["deed"]["judgement"]["verdict"] == "bad"
        assert "ROLLOUT_BAD" in command(gateway, "errors").stdout
        gateway.reload()
        eventually(lambda: gateway.events("config_loaded"))
        assert status(gateway)["state"] == "rolled back"


def test_of_the_baseline_those_count_that_came_before_the_tier_was_full(tmp_path):
    def counted():
        judgement = status(gateway)["judgement"]
        return judgement["clients"]["baseline"], judgement["metrics"]["failures"]["baseline_failed"]

    async def new_failures(names):
        """Clients that nobody has seen before come, and fail; how many of them count."""
        clients, failed = counted()
        await crowd.all_call(names)
        await comes_to_be(lambda: counted()[0] >= clients + len(names))
        return counted()[1] - failed

    async def story():
        await crowd.all_call(early)
        while not any("new" in builds for builds in crowd.seen.values()):  # the member begins a little later
            await asyncio.sleep(0.1)
            await crowd.all_call(early)
        member, = status(gateway)["latest_members"]
        assert member["client"] in early and member["has_it"] and member["at"]
        await comes_to_be(lambda: counted()[0] >= len(early) - 1)
        for late in groups:  # until all know that it is full
            if await new_failures(late) == 0:
                return
        raise AssertionError("whoever comes late still counts")

    early, groups = [f"e{i}" for i in range(40)], [[f"l{k}n{i}" for i in range(10)] for k in range(20)]
    with gateway_of(tmp_path, "[1, all]", "100s") as gateway:
        crowd = Crowd(gateway, sum(groups, early))
        assert "has not yet counted clients" in plan(gateway).stderr
        forgotten = command(gateway, "rollout", "plan", "orders")
        assert forgotten.returncode == 2 and "rollout plan CONFIG [SERVICE]" in forgotten.stderr
        alone = command(gateway, "rollout", "plan", str(gateway.file), "--admin", f"127.0.0.1:{free_port()}")
        assert alone.returncode == 3 and "without one give --clients, --clients-per-hour and --failing" in alone.stderr
        with_builds(gateway, story, old=lambda account: account.startswith(b"l"))
        the_plan_is_for_what_was_counted(gateway)


def plan(gateway, *more):
    return command(gateway, "rollout", "plan", str(gateway.file), "orders", *more)


def the_plan_is_for_what_was_counted(gateway):
    judgement = status(gateway)["judgement"]
    clients = sum(judgement["clients"].values())
    share = judgement["metrics"]["failures"]["baseline_failed"] / judgement["clients"]["baseline"]
    told = plan(gateway).stdout
    assert f"orders build new: impact low, {clients} clients, {clients} in an hour, of which " in told
    assert float(re.search(r"of which (\S+) % fail", told)[1]) == pytest.approx(100 * share, abs=0.5)
    assert "counted by the gateway, for" in told and "more clients may call in a day" in told
    one, everybody = told.split("\n\n")[2:]
    assert re.fullmatch("1: 1 client\n  It has too few clients to prove any fault: it limits who is hit.\n"
                        "  When it passes, a fault that breaks more than 3 % is ruled out; smaller ones may be there.\n"
                        "  It does not pass by itself: its clients rule out 9. % only. A larger tier before `all` would, or an operator advances.",
                        one)
    assert everybody == f"all: {clients} clients, for 2 min\n  There are no others to compare with: nothing is found here.\n"
    as_json = json.loads(plan(gateway, "--json", "--clients", "9000", "--failing", "2").stdout)
    assert (as_json["clients"], as_json["failing"], as_json["clients_per_hour"]) == (9000, 0.02, clients)
    assert as_json["counted_seconds"] > 0
