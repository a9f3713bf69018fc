"""Tiers that are a share of clients begin on all gateways at the same time, also while a gateway or the store is late."""
import collections
import contextlib
import datetime
import signal
import socket
import threading
import time

import pytest
from operators import own_user
from processes import eventually
from rollout_kills import CONFIG, Build, Killed
from stores import PostgreSQL, postgresql

TIERS = 'tiers: ["1 %", "34 %", "67 %", all]\n    judge: {least: 100s, every: 100ms, metrics: [failures]}\n'
CLIENTS = [f"c{i}" for i in range(24)]


class Relay:
    """A socket of PostgreSQL that can be held up."""

    def __init__(self, folder, server):
        self.open = True
        self.target = str(server.folder / ".s.PGSQL.5432")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / ".s.PGSQL.5432"))
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, server = self.listener.accept()[0], socket.socket(socket.AF_UNIX)
            try:
                server.connect(self.target)
            except OSError:
                client.close()
                continue
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self.carry, args=(one, other), daemon=True).start()

    def carry(self, one, other):
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                while not self.open:
                    time.sleep(0.01)
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Fleet:
    """Three gateways, of which the last has the store through a relay."""

    def __init__(self, folder, server):
        self.server, self.folder, self.gateways = server, folder, []
        self.seen = collections.defaultdict(str)  # client: the build that has served it last

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        builds = [self.stack.enter_context(Build(name)) for name in "ab"]
        instances = "[" + ", ".join(f"{{address: '127.0.0.1:{build.port}', protocol: grpc, build: {build.build}}}" for build in builds) + "]"
        text = CONFIG[:CONFIG.index("tiers:")] + TIERS
        for node in ("one", "two", "three"):
            folder = self.folder / node
            folder.mkdir()
            store = self.server.setting
            if node == "three":
                self.relay = Relay(folder, self.server)
                store = store.replace(str(self.server.folder), str(folder))
            gateway = Killed(folder, text, store=store[:-1] + ", time: 1s}", node=node, instances=instances)
            self.gateways.append(self.stack.enter_context(gateway))
        eventually(lambda: all("tier" in self.rollout(gateway) for gateway in self.gateways) and self.all_have_begun())
        return self

    def __exit__(self, *error):
        self.relay.open = True
        self.stack.__exit__(*error)

    @staticmethod
    def rollout(gateway):
        return own_user(gateway)("GET", "/rollouts").json["rollouts"][0]

    def ask(self, client, gateway):
        answer = gateway.http("GET", "/v3/orders/o", headers={"x-account": client})
        assert answer.status == 200, answer.body
        return answer.json["id"][-1]

    def call(self, until):
        """Each client calls one gateway after the other, until it is so, and then each once more: nobody goes back."""
        end = time.monotonic() + 60
        is_over = False
        while not is_over:
            is_over = until()
            for i in range(len(CLIENTS) * 3):
                client, gateway = CLIENTS[i % len(CLIENTS)], self.gateways[i // len(CLIENTS)]
                build = self.ask(client, gateway)
                assert (self.seen[client], build) != ("b", "a"), f"{client} has gone back"
                self.seen[client] = build
            assert time.monotonic() < end

    def with_candidate(self):
        return sum(build == "b" for build in self.seen.values())

    def advance(self):
        """By the first gateway, which knows of it at once."""
        answer = own_user(self.gateways[0])("POST", "/rollouts/advance?name=orders")
        assert answer.status == 200, answer.body
        assert "begins" in self.rollout(self.gateways[0])

    def all_have_begun(self):
        found = [self.rollout(gateway) for gateway in self.gateways]
        return len({rollout["tier"] for rollout in found}) == 1 and not any("begins" in rollout for rollout in found)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    if not postgresql.programs():
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    with PostgreSQL() as server, Fleet(tmp_path_factory.mktemp("fleet"), server) as started:
        yield started


def test_a_tier_begins_on_all_gateways_at_once_also_where_it_is_read_later(fleet):
    fleet.call(lambda: True)
    before = fleet.with_candidate()
    fleet.relay.open = False
    fleet.advance()
    fleet.call(lambda: True)
    assert len({fleet.rollout(gateway)["tier"] for gateway in fleet.gateways}) == 2
    fleet.relay.open = True
    fleet.call(fleet.all_have_begun)
    assert fleet.with_candidate() > before


def test_no_tier_begins_before_a_gateway_that_cannot_read_the_store_can(fleet):
    fleet.call(lambda: True)
    before = fleet.with_candidate()
    fleet.relay.open = False
    fleet.advance()
    end = time.monotonic() + 2.5
    fleet.call(lambda: time.monotonic() > end)
    assert fleet.with_candidate() == before
    assert fleet.rollout(fleet.gateways[0])["silent"] == "three"
    fleet.relay.open = True
    fleet.call(fleet.all_have_begun)
    assert fleet.with_candidate() > before


def test_while_the_store_is_down_no_tier_begins_and_then_on_all_at_once(fleet):
    fleet.call(lambda: True)
    before = fleet.with_candidate()
    fleet.advance()
    begins = datetime.datetime.fromisoformat(fleet.rollout(fleet.gateways[0])["begins"]).timestamp()
    fleet.server.stop(signal.SIGKILL)
    is_in_time = time.time() < begins - 0.5  # before what they say in that step of what they know
    fleet.call(lambda: time.time() > begins + 0.2)
    assert fleet.with_candidate() == before or not is_in_time
    fleet.server.start()
    fleet.call(fleet.all_have_begun)
    assert fleet.with_candidate() > before
