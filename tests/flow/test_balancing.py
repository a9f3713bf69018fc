"""Which of several instances gets a call: by weight, by load and latency, by list."""
import contextlib
import json
import threading
import time

import pytest
from gateway import Gateway
from http1_backend import Http1Backend
from processes import eventually

CONFIG = """
listen: ["127.0.0.1:$port"]
admin: {address: "127.0.0.1:$admin"}
log: "-"
loops: 1
services: []
routes:
  - match: /
    instances: $instances
"""
LISTED = """
listen: ["127.0.0.1:$port"]
admin: {address: "127.0.0.1:$admin"}
log: "-"
loops: 1
services:
  - name: orders
    versions: [{name: v3, package: shop.orders.v3, schema: $orders}]
    discovery: {file: $folder/list.yaml, every: 100ms}
"""


class Counted(Http1Backend):
    """Answers every request after `delay` seconds, and counts them."""

    def __init__(self, delay=0.0):
        self.delay, self.n = delay, 0
        super().__init__(self.answer)

    def answer(self, peer, told, body):
        self.n += 1
        time.sleep(self.delay)
        peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@pytest.fixture
def backends():
    """backends(delays...): running ones."""
    with contextlib.ExitStack() as running:
        yield lambda *delays: [running.enter_context(Counted(delay)) for delay in delays]


def listed(backends, *settings):
    return json.dumps([{"address": f"127.0.0.1:{backend.port}", **more} for backend, more in zip(backends, settings)])


def call_often(gateway, n):
    for _ in range(n):
        assert gateway.http("GET", "/x").status == 200


def rounds(gateway, counted, fits, n=160):
    """Calls of eight clients, until a round of n calls is spread as it should be: on a busy machine latencies differ."""
    def one():
        for backend in counted:
            backend.n = 0
        threads = [threading.Thread(target=call_often, args=(gateway, n // 8)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        counts = [backend.n for backend in counted]
        return sum(counts) == n and fits(counts) and counts
    return eventually(one, 30)


def test_calls_are_in_proportion_to_the_weights(tmp_path, backends):
    three = backends(0.05, 0.05, 0.05)
    with Gateway(tmp_path, CONFIG, instances=listed(three, {}, {"weight": 2}, {"weight": 5})) as gateway:
        rounds(gateway, three, lambda counts: all(abs(n - 20 * weight) <= 8 for n, weight in zip(counts, (1, 2, 5))))


def test_equal_ones_get_equally_many(tmp_path, backends):
    three = backends(0.05, 0.05, 0.05)
    with Gateway(tmp_path, CONFIG, instances=listed(three, {}, {}, {})) as gateway:
        rounds(gateway, three, lambda counts: max(counts) - min(counts) <= 12)


def test_a_slow_one_gets_fewer_calls_although_none_is_running(tmp_path, backends):
    two = backends(0.1, 0)
    with Gateway(tmp_path, CONFIG, instances=listed(two, {}, {})) as gateway:
        call_often(gateway, 60)
    assert two[0].n <= 6


def test_many_calls_at_once_go_by_how_many_are_running(tmp_path, backends):
    four = backends(0.2, 0.2, 0.2, 0.2)
    with Gateway(tmp_path, CONFIG, instances=listed(four, *[{}] * 4)) as gateway:
        threads = [threading.Thread(target=call_often, args=(gateway, 1)) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert all(7 <= backend.n <= 13 for backend in four)


def test_a_list_outside_of_the_config_has_weights_and_cells_too(tmp_path):
    (tmp_path / "list.yaml").write_text(
        "instances: [{address: '127.0.0.1:1', weight: 3, cell: a}, {address: '127.0.0.1:2', weight: 0}]")
    with Gateway(tmp_path, LISTED) as gateway:
        refused = eventually(lambda: [line for line in gateway.process.lines if "instance_refused" in line])
        assert "weight" in refused[0]
        assert gateway.metric("passerelle_instances", service="orders") == 1
