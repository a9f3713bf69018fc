"""Retries as gRPC's clients and servers know them: waits, pushback, counts of attempts, one limit for a chain of gateways."""
import contextlib
import json
import time
from concurrent import futures

import grpc
import pytest
from backends import client, order_v3, v3, v3_grpc
from gateway import Gateway
from http1_backend import Http1Backend
from http2_backend import Http2Backend

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin'}
log: "-"
loops: 1
services:
  - name: orders
    versions: [{name: v3, package: shop.orders.v3, schema: $orders}]
    instances: $instances
    $service
routes: [{match: orders, timeout: 20s, $route}]
"""
FAST = "retry: {initial_backoff: 1ms, max_backoff: 2ms}"
PATIENT = "retry: {initial_backoff: 1ms, max_backoff: 1s}"  # waits as long as an instance says


class Shop(v3_grpc.OrdersServicer):
    """A grpcio server that does with each call what the test says: a list of scripts, of which the last one stays."""

    def __init__(self, *scripts):
        self.scripts, self.asked, self.times = list(scripts), [], []
        self.server = grpc.server(futures.ThreadPoolExecutor(8))
        v3_grpc.add_OrdersServicer_to_server(self, self.server)
        self.port = self.server.add_insecure_port("127.0.0.1:0")

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop(0)

    def serve(self, context, response):
        self.times.append(time.monotonic())
        self.asked.append(dict(context.invocation_metadata()))
        script = self.scripts[min(len(self.asked), len(self.scripts)) - 1]
        return script(context) or response

    def Get(self, request, context):
        return self.serve(context, v3.Order(id=request.id))

    def Create(self, request, context):
        return self.serve(context, request.order)

    @property
    def previous(self):
        return [metadata.get("grpc-previous-rpc-attempts") for metadata in self.asked]


def well(context):
    return None


def unavailable(context):
    context.abort(grpc.StatusCode.UNAVAILABLE, "busy")


def pushing_back(milliseconds):
    def script(context):
        context.set_trailing_metadata((("grpc-retry-pushback-ms", str(milliseconds)),))
        unavailable(context)
    return script


def listed(*ports, protocol="grpc"):
    return "[" + ", ".join(f"{{address: '127.0.0.1:{port}', protocol: {protocol}}}" for port in ports) + "]"


@pytest.fixture
def through(tmp_path):
    """through(port..., route=, service=, protocol=): a gateway before these instances."""
    with contextlib.ExitStack() as running:
        def run(*ports, route=FAST, service="", protocol="grpc"):
            folder = tmp_path / str(ports[0])
            folder.mkdir()
            return running.enter_context(Gateway(folder, CONFIG, instances=listed(*ports, protocol=protocol),
                                                 route=route, service=service))
        yield run


def call(gateway, method="Get", options=(), timeout=20):
    """(code, the fields of the head and the trailers) of one call."""
    stub = client(gateway, "v3", options=list(options))
    request = v3.GetRequest(id="1") if method == "Get" else v3.CreateRequest(order=order_v3())
    try:
        _, done = getattr(stub, method).with_call(request, timeout=timeout)
    except grpc.RpcError as error:
        done = error
    return done.code().name, dict([*(done.initial_metadata() or ()), *(done.trailing_metadata() or ())])


# ---- gRFC A6 ------------------------------------------------------------------------------------

def test_attempts_are_as_many_as_the_route_says_and_each_tells_how_many_were_before(through):
    with Shop(unavailable) as shop:
        code, fields = call(through(shop.port, route="attempts: 4, " + FAST))
        assert code == "UNAVAILABLE" and shop.previous == [None, "1", "2", "3"]
        assert fields["grpc-previous-rpc-attempts"] == "3" and fields["passerelle-not-retried"] == "attempts"


def test_another_instance_comes_first(through):
    with Shop(unavailable) as one, Shop(well) as other:
        gateway = through(one.port, other.port)
        assert [call(gateway)[0] for _ in range(10)] == ["OK"] * 10
        assert len(other.asked) == 10 and len(one.asked) >= 1


def test_a_pushback_is_obeyed_and_delays_the_next_attempt(through):
    with Shop(pushing_back(700), well) as shop:
        assert call(through(shop.port, route=PATIENT))[0] == "OK"
        assert shop.times[1] - shop.times[0] >= 0.7


def test_a_pushback_above_the_longest_wait_is_the_clients(through):
    with Shop(pushing_back(5000), well) as shop:
        code, fields = call(through(shop.port, route=PATIENT))
        assert code == "UNAVAILABLE" and len(shop.asked) == 1
        assert fields["grpc-retry-pushback-ms"] == "5000" and fields["passerelle-not-retried"] == "pushback"


@pytest.mark.parametrize("pushback", ["-1", "soon"])
def test_a_negative_pushback_ends_the_attempts(through, pushback):
    with Shop(pushing_back(pushback)) as shop:
        code, fields = call(through(shop.port, route="attempts: 4, " + FAST))
        assert code == "UNAVAILABLE" and len(shop.asked) == 1 and fields["passerelle-not-retried"] == "pushback"


def test_no_attempt_begins_behind_the_deadline(through):
    with Shop(pushing_back(5000)) as shop:
        code, fields = call(through(shop.port), timeout=4)
        assert code == "UNAVAILABLE" and len(shop.asked) == 1 and fields["passerelle-not-retried"] == "deadline"


def test_retry_after_of_a_rest_instance_is_obeyed(through):
    times = []

    def serve(peer, told, body):
        times.append(time.monotonic())
        if len(times) == 1:
            peer.say("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
        else:
            order = json.dumps({"id": "1"})
            peer.say("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     f"Content-Length: {len(order)}\r\n\r\n{order}")

    with Http1Backend(serve) as backend:
        assert call(through(backend.port, protocol="rest", route=PATIENT))[0] == "OK"
        assert times[1] - times[0] >= 1


def test_a_negative_pushback_ends_hedging(through):
    with Shop(pushing_back(-1)) as one, Shop(pushing_back(-1)) as other:
        code, _ = call(through(one.port, other.port, route="attempts: 5, hedge: {after: 1ms}"))
        assert code == "UNAVAILABLE" and len(one.asked) + len(other.asked) <= 2


# ---- The budget ---------------------------------------------------------------------------------

def test_without_budget_there_is_no_retry_and_everybody_is_told(through):
    with Shop(unavailable) as shop:
        gateway = through(shop.port, service="retry_budget: {percent: 20, at_least: 0}")
        code, fields = call(gateway)
        assert code == "UNAVAILABLE" and len(shop.asked) == 1 and fields["passerelle-not-retried"] == "budget"
        assert gateway.metric("passerelle_retries_refused_total", service="orders", reason="budget") == 1
        assert gateway.logged(code="UNAVAILABLE")["retry_refused"] == "budget"


def test_calls_that_went_well_pay_for_retries(through):
    scripts = [well] * 5 + [unavailable, well, unavailable]
    with Shop(*scripts) as shop:
        gateway = through(shop.port, service="retry_budget: {percent: 20, at_least: 0}")
        assert [call(gateway)[0] for _ in range(7)] == ["OK"] * 6 + ["UNAVAILABLE"]


def test_a_budget_of_zero_is_refused_with_what_to_write(tmp_path):
    gateway = Gateway(tmp_path, CONFIG, instances=listed(1), route=FAST, service="retry_budget: {percent: 0}")
    checked = gateway.check()
    assert checked.returncode == 1
    assert "services[0].retry_budget.percent" in checked.stdout + checked.stderr
    assert "percent: 20 here, or attempts: 1 in the routes" in checked.stdout + checked.stderr


# ---- Who retries as well ------------------------------------------------------------------------

RETRYING = [("grpc.enable_retries", 1), ("grpc.service_config", json.dumps({"methodConfig": [{
    "name": [{}],
    "retryPolicy": {"maxAttempts": 4, "initialBackoff": "0.01s", "maxBackoff": "0.01s", "backoffMultiplier": 1,
                    "retryableStatusCodes": ["UNAVAILABLE"]}}]}))]


def test_a_client_that_retries_by_itself_does_not_pay_twice(through):
    """Its policy says UNAVAILABLE; what may have been executed says that it must not."""
    with Shop(unavailable) as shop:
        code, _ = call(through(shop.port), "Create", options=RETRYING)
        assert code == "UNAVAILABLE" and len(shop.asked) == 1
    with Http2Backend(lambda request: request.connection.close()) as backend:
        code, _ = call(through(backend.port), "Create", options=RETRYING)
        assert code == "UNAVAILABLE" and len(backend.requests) == 1


def test_a_client_that_retries_by_itself_does_not_multiply_attempts(through):
    """For gRPC's clients a call that has had a head is committed."""
    with Shop(unavailable) as shop:
        code, _ = call(through(shop.port, route="attempts: 2, " + FAST), options=RETRYING)
        assert code == "UNAVAILABLE" and len(shop.asked) == 2


@pytest.mark.parametrize("gateways", [2, 3])
@pytest.mark.parametrize("attempts", [1, 2, 3, 5])
def test_a_chain_of_gateways_makes_no_more_attempts_than_one(through, gateways, attempts):
    route = f"attempts: {attempts}, " + FAST
    with Shop(unavailable) as shop:
        port = shop.port
        for _ in range(gateways):
            port = (gateway := through(port, route=route)).port
        code, fields = call(gateway)
        assert code == "UNAVAILABLE" and len(shop.asked) == attempts
        assert shop.previous == [None] + [str(n) for n in range(1, attempts)]


def test_a_chain_of_gateways_whose_instance_breaks_off_makes_no_more(through):
    with Http2Backend(lambda request: request.connection.close()) as backend:
        port = backend.port
        for _ in range(2):
            port = (gateway := through(port, route="attempts: 3, " + FAST)).port
        code, _ = call(gateway)
        assert code == "UNAVAILABLE" and len(backend.requests) == 3


def test_each_gateway_of_a_chain_keeps_its_own_limit(through):
    with Shop(unavailable) as shop:
        inner = through(shop.port, route="attempts: 2, " + FAST)
        outer = through(inner.port, route="attempts: 4, " + FAST)
        assert call(outer)[0] == "UNAVAILABLE" and len(shop.asked) == 4


def test_a_path_prefix_counts_them_too(tmp_path):
    config = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin'}
log: "-"
loops: 1
routes: [{match: /old/, attempts: 3, retry: {initial_backoff: 1ms, max_backoff: 2ms}, instances: ['127.0.0.1:$instance']}]
"""
    told = []

    def break_off(peer, head, body):
        told.append(head)
        peer.close()

    with Http1Backend(break_off) as backend, contextlib.ExitStack() as running:
        port = backend.port
        for name in ("inner", "outer"):
            (tmp_path / name).mkdir()
            gateway = running.enter_context(Gateway(tmp_path / name, config, instance=port))
            port = gateway.port
        answer = gateway.http("GET", "/old/x")
        assert answer.status == 503
        assert len(told) == 3
