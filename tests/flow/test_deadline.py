"""A deadline counts from the first byte of a request, shrinks on the way, and is one for all attempts."""
import json
import time
from concurrent import futures

import grpc
import pytest
import talkers
from gateway import Gateway
from raw import Raw

CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin"}
services:
  - name: talk
    versions: [{name: v3, package: talk.v3, schema: $schema}]
    instances: ["127.0.0.1:$one", "127.0.0.1:$other"]
routes: [{match: talk, timeout: 60s, attempts: 2}]
"""


class Backend:
    """Notes how many seconds each call has left; may refuse the first after a while."""

    def __init__(self, schema, shared):
        self.shared, self.port = shared, talkers.free_port()
        ask, answer = schema("talk.v3.Ask"), schema("talk.v3.Answer")
        say = grpc.unary_unary_rpc_method_handler(self.say, ask.FromString, answer.SerializeToString)
        self.answer = answer
        self.server = grpc.server(futures.ThreadPoolExecutor(4))
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("talk.v3.Talk", {"Say": say})])
        self.server.add_insecure_port(f"127.0.0.1:{self.port}")
        self.server.start()

    def say(self, ask, context):
        self.shared["left"].append(context.time_remaining())
        if self.shared["refuse_after"]:
            time.sleep(self.shared["refuse_after"])
            self.shared["refuse_after"] = 0
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        return self.answer(text=ask.text)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deadline")
    schema, binary = talkers.compile_schema(folder)
    shared = {"left": [], "refuse_after": 0}
    one, other = (Backend(talkers.Schema(binary), shared) for _ in range(2))
    with Gateway(folder, CONFIG, schema=schema, one=one.port, other=other.port) as gateway:
        yield gateway, shared
    one.server.stop(0)
    other.server.stop(0)


REQUEST = "POST /v3/say HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\ngrpc-timeout: 9S\r\n\r\n{}"


@pytest.mark.parametrize("cut", [3, REQUEST.index("grpc-timeout"), REQUEST.index("{}")],
                         ids=["in_the_request_line", "in_the_head", "in_the_body"])
def test_a_request_that_comes_slowly_has_less_time_left(running, cut):
    gateway, shared = running
    with Raw(gateway.port) as connection:
        connection.send(REQUEST[:cut])
        time.sleep(1)
        connection.send(REQUEST[cut:])
        assert connection.read_answer()[0] == 200
    assert shared["left"][-1] < 8.2


def test_a_request_that_comes_later_than_its_deadline_is_late(running):
    gateway, shared = running
    before = len(shared["left"])
    with Raw(gateway.port) as connection:
        connection.send("POST /v3/say HTTP/1.1\r\n")
        time.sleep(0.5)
        connection.send("Host: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\ngrpc-timeout: 300m\r\n\r\n{}")
        status, _, body = connection.read_answer()
    assert (status, json.loads(body)["code"]) == (504, "DEADLINE_EXCEEDED")
    assert len(shared["left"]) == before, "nobody was asked"


def test_the_next_attempt_has_what_the_one_before_left(running):
    gateway, shared = running
    shared["refuse_after"] = 1
    before = len(shared["left"])
    answer = gateway.http("POST", "/v3/say", {"text": "x"}, {"grpc-timeout": "9S"})
    assert answer.status == 200 and answer.json == {"text": "x"}
    first, second = shared["left"][before:]
    assert second < first - 0.9


def late(gateway):
    """Calls so far that failed by the service's fault, and by the client's. The service may notice it first."""
    return [gateway.metric("passerelle_errors_total", side=side) for side in ("upstream", "client")]


def test_a_service_that_hangs_is_not_the_clients_fault(running):
    gateway, shared = running
    shared["refuse_after"] = 1
    hung, slow = late(gateway)
    assert gateway.http("POST", "/v3/say", {"text": "x"}, {"grpc-timeout": "300m"}).status == 504
    assert late(gateway) == [hung + 1, slow]
    assert gateway.logged(code="DEADLINE_EXCEEDED")["level"] == "error"
    time.sleep(1)


def test_a_request_that_does_not_come_in_time_is_the_clients_fault(running):
    gateway, _ = running
    hung, slow = late(gateway)
    with Raw(gateway.port) as connection:
        connection.send(REQUEST.replace("9S", "200m").replace("{}", "{"))
        assert connection.read_answer()[0] == 504
    assert late(gateway) == [hung, slow + 1]


def test_without_time_for_another_attempt_there_is_none(running):
    gateway, shared = running
    shared["refuse_after"] = 2
    before = len(shared["left"])
    answer = gateway.http("POST", "/v3/say", {"text": "x"}, {"grpc-timeout": "700m"})
    assert (answer.status, answer.json["code"]) == (504, "DEADLINE_EXCEEDED")
    time.sleep(2)
    assert len(shared["left"]) == before + 1
