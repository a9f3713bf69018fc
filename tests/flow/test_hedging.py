"""Hedging: a call whose response takes long is sent to a second instance, and the first response counts."""
import threading
from concurrent import futures

import grpc
import pytest
import talkers
from gateway import Gateway
from processes import eventually

CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin"}
log: "-"
loops: 1
services:
  - name: talk
    versions: [{name: v3, package: talk.v3, schema: $schema}]
    instances: ["127.0.0.1:$one", "127.0.0.1:$other"]
routes: [{match: talk, hedge: {after: $after}}]
"""


class Backend:
    """Answers with its name; the calls wait while `go` is cleared."""

    def __init__(self, schema, name):
        self.name, self.port, self.go = name, talkers.free_port(), threading.Event()
        self.n_asked, self.cancelled = 0, threading.Event()
        ask, self.answer = schema("talk.v3.Ask"), schema("talk.v3.Answer")
        say = grpc.unary_unary_rpc_method_handler(self.say, ask.FromString, self.answer.SerializeToString)
        self.server = grpc.server(futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("talk.v3.Talk", {"Say": say})])
        self.server.add_insecure_port(f"127.0.0.1:{self.port}")
        self.server.start()
        self.go.set()

    def say(self, ask, context):
        self.n_asked += 1
        if not context.add_callback(self.on_end):
            self.on_end()
        self.go.wait(60)
        return self.answer(text=self.name)

    def on_end(self):
        if not self.go.is_set():
            self.cancelled.set()


@pytest.fixture
def pair(tmp_path):
    schema, binary = talkers.compile_schema(tmp_path)
    backends = [Backend(talkers.Schema(binary), name) for name in ("one", "other")]
    yield schema, backends
    for backend in backends:
        backend.go.set()
        backend.server.stop(0)


def gateway_before(tmp_path, pair, after):
    schema, (one, other) = pair
    return Gateway(tmp_path, CONFIG, schema=schema, one=one.port, other=other.port, after=after)


def say(gateway):
    answer = gateway.http("GET", "/v3/say/hello")
    assert answer.status == 200
    return answer.json["text"]


def test_the_slow_instance_is_helped_by_the_other_one(tmp_path, pair):
    slow, fast = pair[1]
    slow.go.clear()
    with gateway_before(tmp_path, pair, "50ms") as gateway:
        eventually(lambda: say(gateway) == "other" and slow.n_asked)
        assert slow.cancelled.wait(20)
        line = eventually(lambda: next((line for line in gateway.log() if len(line.get("attempts", [])) == 2), None))
        first, second = line["attempts"]
        assert (first["code"], first["why"]) == ("CANCELLED", "SUPERSEDED")
        assert second["code"] == "OK" and line["instance"] == second["instance"] == f"127.0.0.1:{fast.port}"
        assert gateway.metric("passerelle_hedges_total") >= 1
        assert gateway.metric("passerelle_attempts_cancelled_total") >= 1
        assert gateway.metric("passerelle_upstream_calls_total", instance=f"127.0.0.1:{slow.port}",
                              code="CANCELLED") >= 1


def test_who_answers_in_time_is_left_alone(tmp_path, pair):
    one, other = pair[1]
    with gateway_before(tmp_path, pair, "30s") as gateway:
        for _ in range(20):
            say(gateway)
        assert one.n_asked + other.n_asked == 20
        assert gateway.metric("passerelle_hedges_total") == 0


def test_the_second_attempt_begins_when_most_calls_have_a_response(tmp_path, pair):
    slow, _ = pair[1]
    with gateway_before(tmp_path, pair, "p95") as gateway:
        for _ in range(120):
            say(gateway)
        before = gateway.metric("passerelle_hedges_total")
        slow.go.clear()
        eventually(lambda: say(gateway) == "other" and gateway.metric("passerelle_hedges_total") > before)
