"""
Rollouts while everything that takes part in them is killed: three gateways on one PostgreSQL, and PostgreSQL itself.

  rollout_kills.py KILLS   `make rollouts-kills`

Each client sees one build at a time and never goes back, recorded tiers never exceed their size, and each decision is made
once. In the end the candidate begins to fail, and is rolled back for everybody.
"""
import collections
import contextlib
import http.client
import json
import pathlib
import random
import signal
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
    judge: {least: 300ms, every: 100ms, metrics: [failures]}
"""
CLIENTS = 60


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

    def kill(self):
        self.process.child.kill()
        self.process.child.wait()

    def begin(self):
        self.process = Process([BINARY, "run", str(self.file)])

    def told(self):
        """The events about rollouts, of all its processes."""
        lines = (pathlib.Path(self.folder) / "log").read_text().splitlines()
        events = (json.loads(line) for line in lines if '"event":"rollout"' in line)
        return [event for event in events if "deed" in event]


class World:
    def __init__(self, folder, store, builds):
        self.store, self.builds = store, builds
        with open(store.folder / "data/postgresql.conf", "a") as settings:
            settings.write("fsync = off\n")  # processes are killed, not the machine
        instances = "[" + ", ".join(f"{{address: '127.0.0.1:{build.port}', protocol: grpc, build: {build.build}, weight: {build.weight}}}"
                                    for build in builds) + "]"
        self.gateways = []
        for node in ("one", "two", "three"):
            (folder / node).mkdir()
            self.gateways.append(Killed(folder / node, CONFIG, store=store.setting[:-1] + ", time: 1s}", node=node,
                                        instances=instances))
        self.random = random.Random(1)
        self.seen = collections.defaultdict(str)  # client: the builds that it has seen, in order, without repetitions
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
            client = f"c{self.random.randrange(CLIENTS)}"
            build = self.ask(client, self.random.choice(self.gateways))
            if build and not self.seen[client].endswith(build):
                self.seen[client] += build
            back = ("aba", "ba") if self.builds[1].fails else ()  # it may have been rolled back
            assert self.seen[client] in ("", "a", "b", "ab", *back), f"{client} has seen {self.seen[client]}"
            self.calls += 1

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


def run(folder, store, kills):
    with Build("a") as baseline, Build("b") as candidate, World(pathlib.Path(folder), store, (baseline, candidate)) as world:
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


def main():
    kills = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder, PostgreSQL() as store:
        began = time.monotonic()
        world = run(folder, store, kills)
        seen = collections.Counter(world.seen.values())
        print(f"{sum(world.kills.values())} kills {dict(world.kills)}, {world.calls} calls of {CLIENTS} clients, which saw {dict(seen)}; "
              f"decisions {dict(world.check_decisions())}; {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
