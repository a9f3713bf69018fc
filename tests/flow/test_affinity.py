"""Calls with something in common go to one instance: by a field of the head, a field of the message, or the client."""
import contextlib
import json
import subprocess
import threading

import pytest
from backends import Backend, client, v1, v3
from gateway import BINARY, Gateway
from http1_backend import Http1Backend
from processes import eventually

OPAQUE = """
listen: ["127.0.0.1:$port"]
admin: {address: "127.0.0.1:$admin"}
log: "-"
loops: 1
limits: {connect_time: 2s}
services: []
routes:
  - {match: /, affinity: $affinity, instances: $instances}
"""
SHOP = """
listen: ["127.0.0.1:$port"]
admin: {address: "127.0.0.1:$admin"}
log: "-"
errors: full
services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders}
      - {name: v2, package: shop.orders.v2, schema: $orders}
      - {name: v3, package: shop.orders.v3, schema: $orders}
    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]
    affinity: $affinity
    instances: $instances
"""


class Named(Http1Backend):
    """Answers with its port; while `held` is set, when it is released."""

    def __init__(self, port=0):
        self.go, self.n_held = threading.Event(), 0
        self.go.set()
        super().__init__(self.answer, port=port)

    def answer(self, peer, told, body):
        self.n_held += 1
        self.go.wait(20)
        self.n_held -= 1
        peer.say(f"HTTP/1.1 200 OK\r\nContent-Length: {len(str(self.port))}\r\n\r\n{self.port}")


@pytest.fixture
def backends():
    with contextlib.ExitStack() as running:
        yield [running.enter_context(Named()) for _ in range(5)]


def listed(backends):
    return json.dumps([f"127.0.0.1:{backend.port}" for backend in backends])


def asked(gateway, key):
    answer = gateway.http("GET", "/x", headers={"X-Session": key} if key else {})
    assert answer.status == 200
    return int(answer.body)


def owners(gateway, n=60):
    return {f"k{i}": asked(gateway, f"k{i}") for i in range(n)}


def test_calls_with_the_same_field_go_to_one_instance_of_every_gateway(tmp_path, backends):
    seen = []
    for name, order in (("one", backends), ("two", backends[::-1])):
        folder = tmp_path / name
        folder.mkdir()
        with Gateway(folder, OPAQUE, affinity="{header: X-Session}", instances=listed(order)) as gateway:
            seen += [owners(gateway), owners(gateway)]
    assert seen[0] == seen[1] == seen[2] == seen[3]
    assert len(set(seen[0].values())) == 5  # all have some


def explained(gateway, *given):
    return subprocess.run([BINARY, "explain", *given, str(gateway.file), "GET", "/x"], capture_output=True, text=True, timeout=30).stdout


def test_explain_names_the_instance(tmp_path, backends):
    with Gateway(tmp_path, OPAQUE, affinity="{header: X-Session}", instances=listed(backends)) as gateway:
        for key in ("k1", "k2", "k3"):
            said = explained(gateway, "-H", f"X-Session: {key}")
            assert f"affinity  by the header x-session: 127.0.0.1:{asked(gateway, key)}, while" in said
        told = json.loads(explained(gateway, "--json", "-H", "X-Session: k1"))
        assert told["affinity"] == {"by": "header", "name": "x-session", "instance": f"127.0.0.1:{asked(gateway, 'k1')}"}
        assert "goes by load" in explained(gateway)


def test_when_one_goes_only_its_calls_move_and_they_return(tmp_path):
    with contextlib.ExitStack() as running:
        backends = [running.enter_context(Named()) for _ in range(4)]
        gone = Named()
        gone.__enter__()
        with Gateway(tmp_path, OPAQUE, affinity="{header: X-Session}", instances=listed([*backends, gone])) as gateway:
            before = owners(gateway)
            gone.__exit__()
            after = owners(gateway)
            for key, owner in before.items():
                assert after[key] != gone.port and owner in (after[key], gone.port)
            running.enter_context(Named(gone.port))
            eventually(lambda: owners(gateway) == before)


def test_a_call_without_the_field_goes_by_load(tmp_path, backends):
    with Gateway(tmp_path, OPAQUE, affinity="{header: X-Session}", instances=listed(backends)) as gateway:
        assert len({asked(gateway, None) for _ in range(20)}) == 5


def test_a_client_goes_to_one_instance(tmp_path, backends):
    with Gateway(tmp_path, OPAQUE, affinity="{client: true}", instances=listed(backends)) as gateway:
        assert len({asked(gateway, f"k{i}") for i in range(20)}) == 1


def test_calls_of_one_key_beyond_the_bound_go_to_the_next(tmp_path, backends):
    with Gateway(tmp_path, OPAQUE, affinity="{header: X-Session, bound: 1.5}", instances=listed(backends)) as gateway:
        first = asked(gateway, "hot")
        for backend in backends:
            backend.go.clear()
        threads = [threading.Thread(target=asked, args=(gateway, "hot")) for _ in range(40)]
        for thread in threads:
            thread.start()
        eventually(lambda: sum(backend.n_held for backend in backends) == 40)
        held = {backend.port: backend.n_held for backend in backends}
        for backend in backends:
            backend.go.set()
        for thread in threads:
            thread.join()
        assert max(held.values()) <= 12  # 1.5 times 8
        assert held[first] >= 8
        assert asked(gateway, "hot") == first


@pytest.fixture
def shops():
    with contextlib.ExitStack() as running:
        yield [running.enter_context(Backend("v3")) for _ in range(4)]


def shop(folder, shops, affinity):
    entries = [{"address": f"127.0.0.1:{backend.port}", "versions": ["v3"]} for backend in shops]
    return Gateway(folder, SHOP, affinity=affinity, instances=json.dumps(entries))


def served(gateway, call):
    """The instance of the call that `call` makes."""
    n = len(gateway.log())
    with contextlib.suppress(Exception):
        call()
    return eventually(lambda: [line["instance"] for line in gateway.log()[n:] if "instance" in line])[-1]


def test_a_field_of_the_message_is_the_same_in_all_codecs_and_versions(tmp_path, shops):
    with shop(tmp_path, shops, "{field: id}") as gateway:
        new, old = client(gateway, "v3"), client(gateway, "v1")
        seen = set()
        for i in range(12):
            key = f"order-{i}"
            one = {served(gateway, lambda: new.Get(v3.GetRequest(id=key))),
                   served(gateway, lambda: old.Get(v1.GetRequest(id=key))),
                   served(gateway, lambda: gateway.http("GET", f"/v3/orders/{key}")),
                   served(gateway, lambda: gateway.http("POST", "/shop.orders.v3.Orders/Get", {"id": key}))}
            assert len(one) == 1
            seen |= one
        assert len(seen) > 1


def test_a_stream_goes_by_the_field_of_its_head(tmp_path, shops):
    with shop(tmp_path, shops, "{header: x-session}") as gateway:
        new = client(gateway, "v3")
        seen = set()
        for i in range(8):
            metadata = (("x-session", f"k{i}"),)
            one = {served(gateway, lambda: new.Import(iter([v3.CreateRequest()] * 3), metadata=metadata)) for _ in range(3)}
            assert len(one) == 1
            seen |= one
        assert len(seen) > 1
