"""Equal calls that are under way at once are asked of the service once, if the route says so."""
import threading
from concurrent import futures

import grpc
import pytest
from backends import v2, v3
from gateway import Gateway
from processes import eventually, free_port
from test_fallbacks import DIALECTS, OURS, PATH, ask, ask_grpc, config, listed

ADA = v2.ListRecommendationsRequest(customer_id="ada")


class Held:
    """An instance that counts calls, and answers each when it is let go: well, or as `outcomes` say, in order."""

    def __init__(self, outcomes=()):
        self.port, self.n, self.outcomes = free_port(), 0, list(outcomes)
        self.trailers = ()
        self.lock, self.gate = threading.Lock(), threading.Semaphore(0)
        handler = grpc.method_handlers_generic_handler("shop.orders.v3.Orders", {
            "ListRecommendations": grpc.unary_unary_rpc_method_handler(self.answer),
            "Create": grpc.unary_unary_rpc_method_handler(lambda request, context: self.answer(request, context) and b"")})
        self.server = grpc.server(futures.ThreadPoolExecutor(32))
        self.server.add_generic_rpc_handlers([handler])
        assert self.server.add_insecure_port(f"127.0.0.1:{self.port}") == self.port
        self.server.start()

    def answer(self, request, context):
        with self.lock:
            self.n += 1
            n = self.n
            outcome = self.outcomes.pop(0) if self.outcomes else None
        self.gate.acquire()
        context.set_trailing_metadata(self.trailers)
        if outcome:
            context.abort(outcome, "as it was told")
        return v3.ListRecommendationsResponse(lines=[v3.Line(sku=f"answer-{n}", quantity=1)]).SerializeToString()

    def let_go(self, n=1):
        for _ in range(n):
            self.gate.release()


@pytest.fixture
def held():
    instance = Held()
    yield instance
    instance.let_go(1000)
    instance.server.stop(None).wait()


@pytest.fixture
def pool():
    with futures.ThreadPoolExecutor(32) as threads:
        yield threads


def serving(tmp_path, instance, stale="{for: 10m, join: 30s}", more="", others=""):
    text = config(f"stale: {stale}{others}").replace("timeout: 600ms", "timeout: 60s") + "loops: 1\n" + more
    return Gateway(tmp_path, text, instances=listed(instance), ledger="{}")


def waits(gateway):
    return gateway.metric("passerelle_calls_join_waits_total")


def joined(gateway):
    return gateway.metric("passerelle_calls_joined_total")


def wait_for_another(gateway, held, start):
    """Another call than before has reached the service, or waits."""
    before = held.n + waits(gateway)
    call = start()
    assert eventually(lambda: held.n + waits(gateway) == before + 1)
    return call


def begin(gateway, held, pool, dialects):
    """The calls in the order of `dialects`, all under way: the first one leads."""
    return [wait_for_another(gateway, held, lambda d=dialect: pool.submit(ask, gateway, d)) for dialect in dialects]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_equal_calls_of_each_dialect_are_one_for_the_service(tmp_path, held, pool, dialect):
    with serving(tmp_path, held) as gateway:
        calls = begin(gateway, held, pool, [dialect] * 5)
        held.let_go()
        answers = [call.result() for call in calls]
        assert held.n == 1 and {tuple(found) for found, _ in answers} == {("answer-1",)}
        assert all("passerelle-degraded" not in fields for _, fields in answers)
        assert {fields["passerelle-served-version"] for _, fields in answers} == {"v3"}
        ids = [fields["x-request-id"] for _, fields in answers]
        lines = [gateway.logged(request_id=each) for each in ids]
        assert "joined" not in lines[0] and {line["joined"] for line in lines[1:]} == {ids[0]}
        assert {(line["code"], line["level"]) for line in lines} == {("OK", "info")}
        assert joined(gateway) == 4 and waits(gateway) == 4
        held.let_go()
        assert ask(gateway, dialect)[0] == ["answer-2"]  # nothing of it is left


def test_dialects_with_one_codec_join_each_other(tmp_path, held, pool):
    with serving(tmp_path, held) as gateway:
        calls = begin(gateway, held, pool, ["grpc", "grpc-web", "grpc-web-text"])
        held.let_go()
        assert [call.result()[0] for call in calls] == [["answer-1"]] * 3 and held.n == 1


def test_calls_do_not_wait_for_each_other_unless_the_route_says_so(tmp_path, held, pool):
    with serving(tmp_path, held, stale="10m") as gateway:
        calls = begin(gateway, held, pool, ["grpc"] * 3)
        assert eventually(lambda: held.n == 3)
        held.let_go(3)
        assert {call.result()[0][0] for call in calls} == {"answer-1", "answer-2", "answer-3"}
        assert joined(gateway) == waits(gateway) == 0


def test_calls_with_side_effects_do_not_join(tmp_path, held, pool):
    with serving(tmp_path, held, others=", writes: true") as gateway:
        gateway.write(gateway.config.replace("orders.Orders/ListRecommendations", "orders.Orders/Create"))
        gateway.reload()
        assert gateway.logged(event="config_loaded")
        create = "/shop.orders.v3.Orders/Create"
        calls = [wait_for_another(gateway, held, lambda: pool.submit(gateway.http, "POST", create, {}, dict(OURS)))
                 for _ in range(2)]
        assert held.n == 2 and waits(gateway) == 0
        held.let_go(2)
        assert [call.result().status for call in calls] == [200, 200]


def test_another_client_does_not_join(tmp_path, held, pool, monkeypatch):
    with serving(tmp_path, held) as gateway:
        (ours,) = begin(gateway, held, pool, ["connect"])
        monkeypatch.setitem(OURS, "authorization", "Bearer bob")
        (other,) = begin(gateway, held, pool, ["connect"])
        assert eventually(lambda: held.n == 2)
        held.let_go(2)
        assert {ours.result()[0][0], other.result()[0][0]} == {"answer-1", "answer-2"} and joined(gateway) == 0


@pytest.mark.parametrize("outcome, status", [("NOT_FOUND", 404), ("INTERNAL", 500)])
def test_if_the_call_under_way_gets_an_error_the_others_ask_at_once(tmp_path, held, pool, outcome, status):
    held.outcomes = [grpc.StatusCode[outcome]] * 5
    with serving(tmp_path, held) as gateway:
        calls = [wait_for_another(gateway, held, lambda: pool.submit(gateway.http, "POST", PATH, {"customerId": "ada"}, dict(OURS)))
                 for _ in range(5)]
        held.let_go()
        assert calls[0].result().status == status
        assert eventually(lambda: held.n == 5)  # none waits for the error of another
        held.let_go(4)
        assert [call.result().status for call in calls] == [status] * 5
        assert held.n == 5 and joined(gateway) == 0 and waits(gateway) == 4


def test_if_a_fallback_stands_in_for_the_call_under_way_the_others_ask_at_once(tmp_path, held, pool):
    held.outcomes = [grpc.StatusCode.INTERNAL]
    with serving(tmp_path, held, others=", skip: true") as gateway:
        calls = begin(gateway, held, pool, ["grpc"] * 4)
        held.let_go()
        assert calls[0].result()[1]["passerelle-degraded"].startswith("UPSTREAM_STATUS")
        assert eventually(lambda: held.n == 4)
        held.let_go(3)
        assert {call.result()[0][0] for call in calls[1:]} == {"answer-2", "answer-3", "answer-4"}
        assert joined(gateway) == 0 and waits(gateway) == 3


def test_a_retry_of_the_call_under_way_is_waited_for(tmp_path, held, pool):
    held.outcomes = [grpc.StatusCode.UNAVAILABLE]
    with serving(tmp_path, held) as gateway:
        calls = begin(gateway, held, pool, ["grpc"] * 3)
        held.let_go()
        assert eventually(lambda: held.n == 2)
        held.let_go()
        assert [call.result()[0] for call in calls] == [["answer-2"]] * 3 and held.n == 2


def test_if_the_first_client_leaves_another_call_takes_its_place(tmp_path, held, pool):
    with serving(tmp_path, held) as gateway:
        with grpc.insecure_channel(gateway.address) as channel:
            method = channel.unary_unary(PATH, v2.ListRecommendationsRequest.SerializeToString,
                                         v2.ListRecommendationsResponse.FromString)
            first = wait_for_another(gateway, held, lambda: method.future(ADA, metadata=tuple(OURS.items())))
            calls = begin(gateway, held, pool, ["grpc"] * 3)
            first.cancel()
            assert eventually(lambda: held.n == 2)
        held.let_go(2)
        assert [call.result()[0] for call in calls] == [["answer-2"]] * 3


def test_a_call_that_waits_may_be_cancelled(tmp_path, held, pool):
    with serving(tmp_path, held) as gateway:
        calls = begin(gateway, held, pool, ["grpc"])
        with grpc.insecure_channel(gateway.address) as channel:
            method = channel.unary_unary(PATH, v2.ListRecommendationsRequest.SerializeToString,
                                         v2.ListRecommendationsResponse.FromString)
            second = wait_for_another(gateway, held, lambda: method.future(ADA, metadata=tuple(OURS.items())))
            calls += begin(gateway, held, pool, ["grpc"])
            second.cancel()
            assert gateway.logged(code="CANCELLED")
        held.let_go()
        assert [call.result()[0] for call in calls] == [["answer-1"]] * 2 and held.n == 1


@pytest.mark.parametrize("said", ["no-store", "must-revalidate"])
def test_a_response_that_is_for_nobody_else_is_not_shared(tmp_path, held, pool, said):
    held.trailers = (("cache-control", said),)
    with serving(tmp_path, held) as gateway:
        calls = begin(gateway, held, pool, ["grpc"] * 4)
        held.let_go()
        assert eventually(lambda: held.n == 4)
        held.let_go(3)
        assert len({call.result()[0][0] for call in calls}) == 4 and joined(gateway) == 0


def test_a_call_that_waits_asks_by_itself_when_half_of_its_time_has_passed(tmp_path, held, pool):
    with serving(tmp_path, held) as gateway:
        begin(gateway, held, pool, ["grpc", "connect"])  # of two codecs: both lead
        answer = gateway.http("POST", PATH, {"customerId": "ada"}, {**OURS, "Connect-Timeout-Ms": "300"})
        assert answer.json["code"] == "deadline_exceeded" and eventually(lambda: held.n == 3)
        with pytest.raises(grpc.RpcError) as error:
            with grpc.insecure_channel(gateway.address) as channel:
                channel.unary_unary(PATH)(ADA.SerializeToString(), metadata=tuple(OURS.items()), timeout=0.4)
        assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert eventually(lambda: held.n == 4) and waits(gateway) == 2
        held.let_go(4)


def test_a_call_waits_no_longer_than_the_route_says(tmp_path, held, pool):
    with serving(tmp_path, held, stale="{for: 10m, join: 50ms}") as gateway:
        calls = begin(gateway, held, pool, ["grpc"])
        calls.append(pool.submit(ask_grpc, gateway))
        assert eventually(lambda: held.n == 2)
        held.let_go(2)
        assert {call.result()[0][0] for call in calls} == {"answer-1", "answer-2"}


def test_no_more_calls_wait_than_the_config_says(tmp_path, held, pool):
    with serving(tmp_path, held, more="cache: {joined: 2}\n") as gateway:
        calls = begin(gateway, held, pool, ["grpc"] * 4)
        assert eventually(lambda: held.n == 2)
        held.let_go(2)
        answers = sorted(call.result()[0][0] for call in calls)
        assert held.n == 2 and set(answers) <= {"answer-1", "answer-2"} and joined(gateway) == 2


def test_a_gateway_that_stops_ends_calls_that_wait(tmp_path, held, pool):
    with serving(tmp_path, held, more="drain: 100ms\n") as gateway:
        calls = begin(gateway, held, pool, ["connect"] * 3)
    for call in calls:
        with pytest.raises(AssertionError):
            call.result()
