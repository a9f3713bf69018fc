"""Calls that are recorded become spans at a collector, in one tree with those of clients and instances."""
import re
import time

import grpc
import pytest
from backends import client, v1
from collector import CLIENT, SERVER, GrpcCollector, HttpCollector, service
from gateway import Gateway
from http1_backend import Http1Backend
from processes import eventually, free_port

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{CALLER}-01", f"00-{TRACE}-{CALLER}-00"
CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin"}
log: "-"
errors: full
node: gate-1
loops: 1
tracing: {$tracing, every: 20ms}
services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders}
      - {name: v2, package: shop.orders.v2, schema: $orders}
      - {name: v3, package: shop.orders.v3, schema: $orders}
    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]
    instances: [{address: "127.0.0.1:$instance", protocol: connect, versions: [v3], build: 3.1.0}]
routes:
  - {match: orders, on_failure: loud, attempts: 3, retry: {initial_backoff: 1ms}}
  - {match: /plain/, instances: [{address: "127.0.0.1:$instance"}]}
"""
GOOD = "HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: 0\r\n\r\n"
DOWN = "HTTP/1.1 503 Unavailable\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n{\"code\":\"unavailable\"}"


class Backend(Http1Backend):
    """`says`: its responses in order, then good ones. `parents`: what it was told."""

    def __init__(self, *says):
        self.says, self.parents = list(says), []
        super().__init__(self.order)

    def order(self, peer, told, body):
        self.parents += told.all("traceparent")
        peer.say(self.says.pop(0) if self.says else GOOD)


def get(gateway, parent=None, path="/v1/orders/7"):
    return gateway.http("GET", path, headers={"traceparent": parent} if parent else {})


def running(folder, collector, backend, more="share: none"):
    return Gateway(folder, CONFIG, instance=backend.port, tracing=f"{collector.setting}, {more}")


def test_a_call_in_a_sampled_trace_is_one_tree_with_its_client_and_its_instance(tmp_path):
    with GrpcCollector() as collector, Backend() as backend, running(tmp_path, collector, backend) as gateway:
        assert get(gateway, SAMPLED).status == 200
        spans = collector.wait(2)
        (server,), (attempt,) = collector.of(SERVER), collector.of(CLIENT)
        assert {span.trace for span in spans} == {TRACE}
        assert server.parent == CALLER and attempt.parent == server.id
        assert backend.parents == [f"00-{TRACE}-{attempt.id}-01"]
        assert gateway.http("GET", "/v1/orders/7", headers={"traceparent": SAMPLED, "tracestate": "vendor=1"}).status == 200
        collector.wait(4)
        assert "vendor=1" in collector.of(SERVER)[1].state


def test_a_span_says_what_the_log_says(tmp_path):
    with GrpcCollector() as collector, Backend() as backend, running(tmp_path, collector, backend) as gateway:
        assert get(gateway, SAMPLED).status == 200
        collector.wait(2)
        (server,), (attempt,) = collector.of(SERVER), collector.of(CLIENT)
        (line,) = [line for line in gateway.log() if line.get("trace_id") == TRACE]
    assert server.name == "shop.orders.v1.Orders/Get"
    said = server.said
    assert said["passerelle.request_id"] == line["request_id"]
    assert (said["passerelle.client_version"], said["passerelle.served_version"]) == ("v1", "v3")
    assert (said["passerelle.version_rule"], said["passerelle.served_why"]) == (line["rule"], line["served_why"])
    assert (said["http.request.method"], said["url.path"], said["http.response.status_code"]) == ("GET", "/v1/orders/7", 200)
    assert said["rpc.method"] == "shop.orders.v1.Orders/Get"
    assert (attempt.said["server.address"], attempt.said["server.port"]) == ("127.0.0.1", backend.port)
    assert attempt.said["passerelle.build"] == "3.1.0"
    assert server.resource == {"service.name": "passerelle", "service.version": "0.1.0", "service.instance.id": "gate-1",
                               "host.name": "gate-1"}


def test_times_of_spans_are_within_each_other(tmp_path):
    before = time.time_ns()
    with GrpcCollector() as collector, Backend() as backend, running(tmp_path, collector, backend) as gateway:
        get(gateway, SAMPLED)
        collector.wait(2)
    (server,), (attempt,) = collector.of(SERVER), collector.of(CLIENT)
    slack = 1_000_000  # a clock is read once in a turn of the loop
    (sent, sent_at), (begun, begun_at) = attempt.events
    assert (sent, begun) == ("request sent", "response begun")
    assert before - slack <= server.start <= attempt.start + slack
    assert attempt.start <= sent_at <= begun_at <= attempt.end <= server.end + slack
    assert server.end <= time.time_ns() + slack


def test_a_trace_that_is_not_sampled_is_not_recorded_but_passed_on(tmp_path):
    with GrpcCollector() as collector, Backend() as backend, running(tmp_path, collector, backend, "share: 100 %") as gateway:
        get(gateway, UNSAMPLED)
        get(gateway, SAMPLED)
        collector.wait(2)
        assert len(collector.of(SERVER)) == 1
        assert re.fullmatch(f"00-{TRACE}-[0-9a-f]{{16}}-00", backend.parents[0])


def test_the_gateway_decides_alone_if_the_config_says_so(tmp_path):
    with GrpcCollector() as collector, Backend() as backend, \
            running(tmp_path, collector, backend, "share: 100 %, parent: false") as gateway:
        get(gateway, UNSAMPLED)
        collector.wait(2)
        assert backend.parents == [f"00-{TRACE}-{collector.of(CLIENT)[0].id}-01"]


def test_a_trace_begins_at_the_gateway_for_a_share_of_the_calls_without_one(tmp_path):
    with GrpcCollector() as collector, Backend() as backend, running(tmp_path, collector, backend, "share: 25 %") as gateway:
        for _ in range(200):
            get(gateway)
        eventually(lambda: len(backend.parents) and len(collector.of(SERVER)) == len(backend.parents))
        assert 20 < len(backend.parents) < 80
        servers = collector.of(SERVER)
        assert not any(span.parent for span in servers) and len({span.trace for span in servers}) == len(servers)
        assert {parent for parent in backend.parents} == {f"00-{span.trace}-{span.id}-03" for span in collector.of(CLIENT)}


def test_without_a_share_instances_hear_of_no_trace(tmp_path):
    with GrpcCollector() as collector, Backend() as backend, running(tmp_path, collector, backend) as gateway:
        get(gateway)
        assert backend.parents == []


def test_each_attempt_is_a_span_of_its_own(tmp_path):
    with GrpcCollector() as collector, Backend(DOWN) as backend, running(tmp_path, collector, backend) as gateway:
        assert get(gateway, SAMPLED).status == 200
        collector.wait(3)
        (server,), attempts = collector.of(SERVER), collector.of(CLIENT)
        assert [attempt.failed for attempt in attempts] == [True, False] and not server.failed
        assert attempts[0].said["error.type"] == "UPSTREAM_STATUS"
        assert backend.parents == [f"00-{TRACE}-{attempt.id}-01" for attempt in attempts]
        assert all(attempt.parent == server.id for attempt in attempts)


def test_a_path_that_is_passed_through_is_recorded(tmp_path):
    with GrpcCollector() as collector, Backend() as backend, running(tmp_path, collector, backend) as gateway:
        assert get(gateway, SAMPLED, "/plain/x?secret=1").status == 200
        collector.wait(2)
        (server,), (attempt,) = collector.of(SERVER), collector.of(CLIENT)
        assert server.name == "GET /plain/" and server.said["url.path"] == "/plain/x"
        assert backend.parents == [f"00-{TRACE}-{attempt.id}-01"]


def test_a_grpc_call_is_recorded_with_its_status(tmp_path):
    with GrpcCollector() as collector, Backend() as backend, running(tmp_path, collector, backend) as gateway:
        client(gateway, "v1").Get(v1.GetRequest(id="7"), metadata=[("traceparent", SAMPLED)])
        collector.wait(2)
        said = collector.of(SERVER)[0].said
        assert (said["rpc.system.name"], said["rpc.status_code"]) == ("grpc", "OK")


def test_failures_are_recorded_though_nobody_had_decided_so_and_mistakes_of_clients_are_not(tmp_path):
    with GrpcCollector() as collector, Backend(DOWN, DOWN, DOWN) as backend, running(tmp_path, collector, backend) as gateway:
        assert get(gateway, path="/nowhere").status == 404
        assert get(gateway, UNSAMPLED).status == 503
        collector.wait(4)
        (server,) = collector.of(SERVER)
        assert server.trace == TRACE and server.parent == CALLER and server.failed and "unavailable" in server.message.lower()
        assert len(collector.of(CLIENT)) == 3


def test_failures_are_not_recorded_if_the_config_says_so(tmp_path):
    with GrpcCollector() as collector, Backend(DOWN, DOWN, DOWN) as backend, \
            running(tmp_path, collector, backend, "share: none, errors: false") as gateway:
        assert get(gateway).status == 503
        get(gateway, SAMPLED)
        collector.wait(2)
        assert len(collector.of(SERVER)) == 1


def test_slow_calls_are_recorded(tmp_path):
    def slowly(peer, told, body):
        time.sleep(0.1)
        peer.say(GOOD)
    with GrpcCollector() as collector, Http1Backend(slowly) as backend, \
            running(tmp_path, collector, backend, "share: none, slow: 50ms") as gateway:
        get(gateway)
        collector.wait(2)
        assert collector.of(SERVER)[0].end - collector.of(SERVER)[0].start >= 50_000_000


def test_so_many_are_recorded_late_and_no_more(tmp_path):
    with GrpcCollector() as collector, Backend(*[DOWN] * 600) as backend, \
            running(tmp_path, collector, backend, "share: none, late_per_second: 1") as gateway:
        began = time.monotonic()
        for _ in range(20):
            get(gateway)
        seconds = time.monotonic() - began
        collector.wait(1)
        gateway.stop()
        assert 1 <= len(collector.of(SERVER)) <= seconds + 2


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
def test_what_a_collector_cannot_take_now_is_sent_again(tmp_path, code):
    with GrpcCollector(answers=[code]) as collector, Backend() as backend, running(tmp_path, collector, backend) as gateway:
        get(gateway, SAMPLED)
        collector.wait(2)
        assert len(collector.requests) == 2
        assert gateway.events("traces_not_sent") and eventually(lambda: gateway.events("traces_sent_again"))


def test_what_a_collector_refuses_is_not_sent_again(tmp_path):
    partial = service.ExportTraceServiceResponse(partial_success={"rejected_spans": 1, "error_message": "too old"})
    with GrpcCollector(answers=[grpc.StatusCode.INVALID_ARGUMENT, partial]) as collector, Backend() as backend, \
            running(tmp_path, collector, backend) as gateway:
        def counted(result):
            return gateway.metric("passerelle_otlp_items_total", signal="traces", result=result)
        get(gateway, SAMPLED)
        eventually(lambda: counted("rejected") == 2)
        get(gateway, SAMPLED)
        eventually(lambda: (counted("rejected"), counted("sent")) == (3, 1))
        assert len(collector.requests) == 2
        assert "too old" in str(gateway.events("traces_rejected"))


def test_without_a_collector_calls_are_answered_and_spans_are_dropped_and_counted(tmp_path):
    port = free_port()
    with Backend() as backend:
        with Gateway(tmp_path, CONFIG, instance=backend.port,
                     tracing=f"collector: '127.0.0.1:{port}', batch: 1024, queue: 8KiB") as gateway:
            for _ in range(100):
                assert get(gateway, SAMPLED).status == 200
            eventually(lambda: gateway.metric("passerelle_otlp_items_total", signal="traces", result="dropped") > 100)
            assert gateway.metric("passerelle_otlp_queue_bytes", signal="traces") <= 8192
            with GrpcCollector(port) as collector:
                collector.wait(2)
                eventually(lambda: gateway.metric("passerelle_otlp_queue_bytes", signal="traces") == 0)


def test_the_last_calls_are_sent_before_the_gateway_ends(tmp_path):
    with GrpcCollector() as collector, Backend() as backend:
        with Gateway(tmp_path, CONFIG.replace("every: 20ms", "every: 60s"), instance=backend.port,
                     tracing=collector.setting) as gateway:
            get(gateway, SAMPLED)
        assert len(collector.of(SERVER)) == 1


def test_another_collector_is_used_after_a_reload(tmp_path):
    with GrpcCollector() as one, GrpcCollector() as two, Backend() as backend, running(tmp_path, one, backend) as gateway:
        get(gateway, SAMPLED)
        one.wait(2)
        before = gateway.metric("passerelle_config_generation")
        gateway.write(tracing=two.setting)
        gateway.reload()
        eventually(lambda: gateway.metric("passerelle_config_generation") != before)
        get(gateway, SAMPLED)
        two.wait(2)
        assert len(one.spans) == 2


def test_tracing_begins_and_ends_with_a_reload(tmp_path):
    with GrpcCollector() as collector, Backend() as backend:
        without = CONFIG.replace("tracing: {$tracing, every: 20ms}\n", "")
        with Gateway(tmp_path, without, instance=backend.port, tracing=collector.setting) as gateway:
            def use(config):
                before = gateway.metric("passerelle_config_generation")
                gateway.write(config)
                gateway.reload()
                eventually(lambda: gateway.metric("passerelle_config_generation") != before)
                get(gateway, SAMPLED)
            get(gateway, SAMPLED)
            use(CONFIG)
            collector.wait(2)
            use(without)
            use(CONFIG)
            collector.wait(4)
        assert len(collector.of(SERVER)) == 2 and len(backend.parents) == 4


def test_spans_go_to_a_url_in_protobuf(tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret-of-the-collector")
    token.chmod(0o600)
    with HttpCollector(answers=[503]) as collector, Backend() as backend, \
            running(tmp_path, collector, backend, f"token_file: '{token}'") as gateway:
        get(gateway, SAMPLED)
        collector.wait(2)
        path, head = collector.heads[0]
        assert path == "/v1/traces" and head["Content-Type"] == "application/x-protobuf"
        assert head["Authorization"] == "Bearer s3cret-of-the-collector" and len(collector.requests) == 2
        assert collector.of(CLIENT)[0].parent == collector.of(SERVER)[0].id




@pytest.mark.parametrize("tracing, words", [
    ("share: 10 %", "nobody gets the spans"),
    ("collector: '127.0.0.1:4317', url: 'http://127.0.0.1:4318/v1/traces'", "not to both"),
    ("collector: '127.0.0.1:4317', share: 0 %", "0 % is no share of the calls"),
    ("collector: '127.0.0.1:4317', share: 101 %", "101 % is no share of the calls"),
    ("collector: '127.0.0.1:4317', batch: 64KiB, queue: 32KiB", "it is more than queue"),
    ("collector: '127.0.0.1:4317', token_file: /nowhere", "it belongs to a url"),
    ("collector: '127.0.0.1'", "tracing.collector.address")])
def test_a_mistake_in_the_config_is_told(tmp_path, tracing, words):
    told = Gateway(tmp_path, CONFIG, instance=1, tracing=tracing).check()
    assert told.returncode == 1 and words in told.stderr + told.stdout
