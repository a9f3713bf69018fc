"""Calls stay in the gateway's cell, and leave it only as far as that lacks instances."""
import contextlib
import json
import subprocess

import pytest
from gateway import BINARY, Gateway
from http1_backend import Http1Backend
from processes import eventually

CONFIG = """
listen: ["127.0.0.1:$port"]
admin: {address: "127.0.0.1:$admin"}
log: "-"
errors: full
loops: 1
cell: a
$cells
limits: {connect_time: 2s}
services: []
routes:
  - {match: /, attempts: 1, instances: $instances}
"""


class Hall:
    """Instances of one cell, which can be cut off and come back."""

    def __init__(self, name, n):
        self.name, self.running = name, contextlib.ExitStack()
        self.backends = [self.start() for _ in range(n)]

    def start(self, port=0):
        return self.running.enter_context(Http1Backend(self.answer, port=port))

    def answer(self, peer, told, body):
        peer.say(f"HTTP/1.1 200 OK\r\nContent-Length: {len(self.name)}\r\n\r\n{self.name}")

    def cut_off(self, *which):
        for i in which:
            self.backends[i].__exit__(None, None, None)

    def come_back(self, *which):
        for i in which:
            self.backends[i] = self.start(self.backends[i].port)

    def listed(self):
        return [{"address": f"127.0.0.1:{backend.port}", "cell": self.name} for backend in self.backends]


@pytest.fixture
def halls():
    pair = Hall("a", 2), Hall("b", 3)
    yield pair
    for hall in pair:
        with contextlib.suppress(OSError):
            hall.running.close()


def run(folder, halls, cells=""):
    return Gateway(folder, CONFIG, cells=cells, instances=json.dumps([entry for hall in halls for entry in hall.listed()]))


def answers(gateway, n):
    """How many of n calls each cell has answered; None: nobody has."""
    counts = {"a": 0, "b": 0, None: 0}
    for _ in range(n):
        answer = gateway.http("GET", "/x")
        counts[answer.body.decode() if answer.status == 200 else None] += 1
    return counts


def known_down(gateway, n):
    """The gateway has noticed that so many are down."""
    eventually(lambda: answers(gateway, 4) and sum(
        line.startswith("passerelle_upstream_up") and line.endswith(" 0")
        for line in gateway.admin("/metrics").body.decode().splitlines()) == n)


def test_calls_stay_in_the_own_cell(tmp_path, halls):
    with run(tmp_path, halls) as gateway:
        assert answers(gateway, 60)["a"] == 60
        assert gateway.metric("passerelle_healing_total", act="cell") == 0
        service, = gateway.admin("/config").json["services"]
        assert [(entry["cell"], entry["weight"]) for entry in service["instances"]] == [("a", 1)] * 2 + [("b", 1)] * 3


def test_what_the_own_cell_lacks_leaves_it_and_is_seen(tmp_path, halls):
    with run(tmp_path, halls) as gateway:
        halls[0].cut_off(0)
        known_down(gateway, 1)
        before = gateway.metric("passerelle_healing_total", act="cell", service="/")
        counts = answers(gateway, 100)
        assert counts[None] == 0 and 27 <= counts["b"] <= 31  # half of 70 per cent is up, and a bit
        assert gateway.metric("passerelle_healing_total", act="cell", service="/") - before == counts["b"]
        assert gateway.logged(spilled=1)
        halls[0].come_back(0)
        eventually(lambda: answers(gateway, 20)["a"] == 20)


def test_without_the_own_cell_a_bounded_part_of_the_calls_leaves_it(tmp_path, halls):
    with run(tmp_path, halls) as gateway:
        halls[0].cut_off(0, 1)
        known_down(gateway, 2)
        counts = answers(gateway, 100)
        assert 45 <= counts["b"] <= 52 and counts[None] == 100 - counts["b"]
        lines = [line for line in gateway.log() if "cells.spill lets 50 %" in json.dumps(line)]
        assert lines and "UPSTREAM_DOWN" in json.dumps(lines[0])
        halls[0].come_back(0, 1)
        eventually(lambda: answers(gateway, 20)["a"] == 20)


def test_the_bound_is_a_setting(tmp_path, halls):
    with run(tmp_path, halls, "cells: {spill: 100}") as gateway:
        halls[0].cut_off(0, 1)
        known_down(gateway, 2)
        assert answers(gateway, 60)["b"] == 60


def test_the_trouble_of_another_cell_does_not_matter(tmp_path, halls):
    with run(tmp_path, halls) as gateway:
        halls[1].cut_off(0, 1, 2)
        assert answers(gateway, 60)["a"] == 60


def test_a_service_that_is_only_elsewhere_is_called_there(tmp_path, halls):
    with run(tmp_path, halls[1:]) as gateway:
        assert answers(gateway, 30)["b"] == 30
        assert gateway.metric("passerelle_healing_total", act="cell") == 0


def test_explain_tells_who_is_in_the_cell(tmp_path, halls):
    gateway = run(tmp_path, halls)
    gateway.write()
    said = subprocess.run([BINARY, "explain", gateway.file, "GET", "/x"], capture_output=True, text=True, timeout=30).stdout
    assert "cell      a: 2 of 5 instances are in it; calls leave it while fewer than 70 % of them are up, at most 50 %" in said
    assert said.count(", cell b)") == 3
    told = json.loads(subprocess.run([BINARY, "explain", "--json", gateway.file, "GET", "/x"], capture_output=True, text=True, timeout=30).stdout)
    assert told["cell"] == {"own": "a", "inside": 2, "elsewhere": 3, "healthy": 70, "spill": 50}
    assert [entry["cell"] for entry in told["instances"]] == ["a", "a", "b", "b", "b"]
