"""
Rollouts while everything that takes part in them is killed: three gateways on one PostgreSQL, and PostgreSQL itself.

  rollout_kills.py KILLS   `make rollouts-kills`: a rollout of its own, in a process of its own, for each hundred
  rollout_kills.py KILLS SEED

Each client sees one build at a time and never goes back, recorded tiers never exceed their size, and each decision is made
once. In the end the candidate begins to fail, and is rolled back for everybody.

Times are such that a busy machine does not look like an outage: who is silent for 30 times `judge.every` is taken for dead,
and a gateway that has not read the store within 2 s of its start does not know who has the candidate (docs/rollouts.md).
"""
import collections
import contextlib
import http.client
import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import grpc
from gateway import BINARY, Gateway
from operators import own_user
from processes import Process, eventually
from stores import PostgreSQL
from test_retries import Shop, v3

CONFIG = """
listen: [{address: '127.0.0.1:$port', trusted_proxies: [127.0.0.1]}]
admin: {address: '127.0.0.1:$admin', socket: 'unix:$folder/admin.sock'}
log: $folder/log
loops: 2
store: $store
node: $node
services:
  - name: orders
    versions: [{name: v3, package: shop.orders.v3, schema: $orders}]
    instances: $instances
cohort: {header: x-account}
rollouts:
  - service: orders
    candidate: {build: b}
    tiers: [1, 5, 20, "50 %", all]  # of which the last one needs more instances of b
    judge: {least: 300ms, every: 300ms, metrics: [failures]}
"""
CLIENTS = 60
TOGETHER = 100  # kills of one rollout


class Build(Shop):
    """Says in each response which build it is."""

    def __init__(self, build):
        super().__init__(lambda context: None)
        self.build, self.fails, self.weight = build, False, 2 if build == "a" else 1

    def Get(self, request, context):
        if self.fails:
            context.abort(grpc.StatusCode.INTERNAL, "broken")
        return v3.Order(id=f"{request.id}-{self.build}")


class Killed(Gateway):
    """A gateway that is killed and started again."""

    began, sees = 0, True

    def kill(self):
        self.process.child.kill()
        self.process.child.wait()

    def begin(self):
        self.process, self.sees = Process([BINARY, "run", str(self.file)]), False
        self.began = (pathlib.Path(self.folder) / "log").stat().st_size

    def is_blind(self):
        """It could not read the store when it started, and has not since: it knows no members, and has said so."""
        text = (pathlib.Path(self.folder) / "log").read_bytes()[self.began:]
        if self.sees or b'"rollouts_held_up"' not in text.partition(b'"event":"started"')[0]:
            return False
        with contextlib.suppress(OSError, http.client.HTTPException):
            rollout, = own_user(self)("GET", "/rollouts").json["rollouts"]
            self.sees = "tier" in rollout and not rollout["store_down"]
        return not self.sees

    def told(self):
        """The events about rollouts, of all its processes."""
        lines = (pathlib.Path(self.folder) / "log").read_text().splitlines()
        events = (json.loads(line) for line in lines if '"event":"rollout"' in line)
        return [event for event in events if "deed" in event]


class World:
    def __init__(self, folder, store, builds, seed):
        self.store, self.builds = store, builds
        with open(store.folder / "data/postgresql.conf", "a") as settings:
            settings.write("fsync = off\n")  # processes are killed, not the machine
        instances = "[" + ", ".join(f"{{address: '127.0.0.1:{build.port}', protocol: grpc, build: {build.build}, weight: {build.weight}}}"
                                    for build in builds) + "]"
        self.gateways = []
        for node in ("one", "two", "three"):
            (folder / node).mkdir()
            self.gateways.append(Killed(folder / node, CONFIG, store=store.setting[:-1] + ", time: 5s}", node=node,
                                        instances=instances))
        self.random = random.Random(seed)
        self.seen = collections.defaultdict(str)  # client: the builds that it has seen, in order, without repetitions
        self.calls_of = collections.defaultdict(lambda: collections.deque(maxlen=5))  # client: the latest: when, whose, build
        self.kills = collections.Counter()
        self.calls = 0

    def __enter__(self):
        for gateway in self.gateways:
            gateway.start()
        return self

    def __exit__(self, *_):
        for gateway in self.gateways:
            gateway.kill()

    def ask(self, client, gateway):
        """The build that has served the client; "": none, for the gateway was killed or the build fails."""
        with contextlib.suppress(OSError, http.client.HTTPException), \
                contextlib.closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)) as connection:
            connection.request("GET", "/v3/orders/o", headers={"x-account": client})
            answer = connection.getresponse()
            body = json.loads(answer.read() or b"{}")
            return body["id"][-1] if answer.status == 200 else ""
        return ""

    def call(self, n=1):
        for _ in range(n):
            client, gateway = f"c{self.random.randrange(CLIENTS)}", self.random.choice(self.gateways)
            was_blind, build = gateway.is_blind(), self.ask(client, gateway)
            if was_blind or gateway.is_blind():
                continue
            self.calls_of[client].append((time.strftime("%H:%M:%S"), f"{time.time() % 1:.3f}", gateway.words["node"], build))
            if build and not self.seen[client].endswith(build):
                self.seen[client] += build
            back = ("aba", "ba") if self.builds[1].fails else ()  # it may have been rolled back
            assert self.seen[client] in ("", "a", "b", "ab", *back), self.story(client)
            self.calls += 1

    def story(self, client):
        """Of a client that has seen what it should not: its latest calls, and what its gateways have told lately."""
        told = (line for gateway in self.gateways
                for line in (pathlib.Path(gateway.folder) / "log").read_text().splitlines()[-300:] if '"event":' in line)
        lately = sorted((line for line in told), key=lambda line: json.loads(line)["time"])[-60:]
        return "\n".join((f"{client} has seen {self.seen[client]}", *map(str, self.calls_of[client]), *lately))

    def sql(self, text):
        rows = self.store.run("psql", "-q", "-h", self.store.folder, "-U", "passerelle", "-d", "postgres", "-At", "-c", text)
        return [row.split("|") for row in rows.splitlines()]

    def check_members(self):
        """Of the tier: its room may grow to twice its clients and two more, where they cannot show enough."""
        (last, count, room), = self.sql("SELECT coalesce(max(number), 0), count(*), (SELECT coalesce(max(room), 0) FROM rollouts)"
                                        " FROM rollout_members")
        assert int(count) == int(last) and (int(last) <= int(room) or int(room) == 0), (last, count, room)

    def all_ready(self):
        return all(gateway.ready() for gateway in self.gateways)

    def kill_something(self):
        if self.random.random() < 0.25:
            eventually(self.all_ready)  # a gateway that starts without the store does not know its members
            self.store.stop(signal.SIGKILL)
            self.call(5)
            self.store.start()
            self.kills["store"] += 1
        else:
            gateway = self.random.choice(self.gateways)
            gateway.kill()
            gateway.begin()
            self.kills["gateway"] += 1

    def status(self):
        for gateway in self.gateways:
            with contextlib.suppress(OSError, http.client.HTTPException):
                rollout = own_user(gateway)("GET", "/rollouts").json["rollouts"][0]
                if rollout.get("tier"):
                    return rollout
        return {}

    def check_decisions(self):
        """Each is in the history once, and was told once at most: who was killed has not told it."""
        acts = self.sql("SELECT revision FROM rollout_acts ORDER BY revision")
        assert [int(revision) for revision, in acts] == list(range(2, len(acts) + 2)), acts
        told = collections.Counter()
        for gateway in self.gateways:
            for event in gateway.told():
                told[event["act"], event["deed"]["tier"]] += 1
        assert told and all(n == 1 for (act, _), n in told.items() if act in ("advance", "rollback")), told
        return told


def run(folder, store, kills, seed=1):
    with Build("a") as baseline, Build("b") as candidate, World(pathlib.Path(folder), store, (baseline, candidate), seed) as world:
        for _ in range(kills):
            end = time.monotonic() + world.random.uniform(0.05, 0.4)
            while time.monotonic() < end:
                world.call()
            world.kill_something()
            world.check_members()
        eventually(world.all_ready)

        def has_grown():
            world.call(20)
            return len(world.sql("SELECT 1 FROM rollout_members")) >= 5
        eventually(has_grown, timeout=60)
        candidate.fails = True

        def is_rolled_back():
            world.call(20)
            return world.status().get("state") == "rolled back"
        eventually(is_rolled_back, timeout=60)
        eventually(lambda: all(world.ask(f"c{i}", gateway) == "a" for i in range(CLIENTS) for gateway in world.gateways))
        world.check_decisions()
        return world


def kill(kills, seed):
    with tempfile.TemporaryDirectory() as folder, PostgreSQL() as store:
        began = time.monotonic()
        world = run(folder, store, kills, seed)
        seen = collections.Counter(world.seen.values())
        print(f"{sum(world.kills.values())} kills {dict(world.kills)}, {world.calls} calls of {CLIENTS} clients, which saw {dict(seen)}; "
              f"decisions {dict(world.check_decisions())}; {time.monotonic() - began:.0f} s", flush=True)


def main():
    kills = int(sys.argv[1])
    if len(sys.argv) > 2:
        kill(kills, int(sys.argv[2]))
        return
    for seed in range(-(-kills // TOGETHER)):
        part = min(TOGETHER, kills - seed * TOGETHER)
        subprocess.run([sys.executable, __file__, str(part), str(seed)], check=True)


if __name__ == "__main__":
    main()
