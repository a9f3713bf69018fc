"""Metrics and lines of the log go to a collector: what it gets is what the page /metrics and the log have."""
import time

import grpc
import pytest
from backends import client, v3
from collector import GrpcCollector, HttpCollector, metrics
from gateway import Gateway
from http1_backend import Http1Backend
from processes import eventually, free_port

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = f"00-{TRACE}-b7ad6b7169203331-01"
CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin"}
log: "-"
node: gate-1
loops: 1
$otlp
services:
  - name: orders
    versions: [{name: v3, package: shop.orders.v3, schema: $orders}]
    instances: [{address: "127.0.0.1:$instance", protocol: connect}]
"""
GOOD = "HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: 0\r\n\r\n"
DURATION = "passerelle_call_duration_seconds"


@pytest.fixture(scope="module")
def instance():
    with Http1Backend(lambda peer, told, body: peer.say(GOOD)) as backend:
        yield backend.port


def running(folder, instance, otlp):
    return Gateway(folder, CONFIG, instance=instance, otlp=otlp)


def call(gateway, n=1, parent=None):
    stub = client(gateway, "v3")
    for _ in range(n):
        stub.Get(v3.GetRequest(id="7"), metadata=[("traceparent", parent)] if parent else None)


def all_of(collector, name, **labels):
    """Like Gateway.metric, of what the collector has."""
    points = [point for found, point in collector.metrics.get(name, {}).items() if labels.items() <= dict(found).items()]
    return sum(point.as_double for point in points)


def test_what_the_collector_has_is_what_the_page_has(tmp_path, instance):
    before = time.time_ns()
    with GrpcCollector() as collector, running(tmp_path, instance, f"otlp: {{{collector.setting}, metrics: 100ms}}") as gateway:
        call(gateway, 5)
        eventually(lambda: all_of(collector, "passerelle_calls_total", service="orders") == 5)
        names = {line.split(" ")[2] for line in gateway.admin("/metrics").body.decode().splitlines() if line.startswith("# TYPE")}
        with_samples = {name for name in names if any(line.startswith((f"{name}{{", f"{name} ", f"{name}_"))
                                                      for line in gateway.admin("/metrics").body.decode().splitlines())}
        eventually(lambda: with_samples <= set(collector.metrics))
        calls = collector.kinds["passerelle_calls_total"]
        assert calls.sum.is_monotonic and calls.sum.aggregation_temporality == metrics.AGGREGATION_TEMPORALITY_CUMULATIVE
        point = collector.point("passerelle_calls_total", service="orders", method="shop.orders.v3.Orders/Get", code="OK")
        assert before <= point.start_time_unix_nano <= point.time_unix_nano <= time.time_ns()
        assert collector.kinds["passerelle_loops"].WhichOneof("data") == "gauge"
        assert collector.point("passerelle_build_info", version="0.1.0").as_double == 1
        assert collector.kinds["passerelle_service_duration_seconds"].WhichOneof("data") == "summary"
        assert collector.resources[0] == {"service.name": "passerelle", "service.version": "0.1.0", "service.instance.id": "gate-1",
                                          "host.name": "gate-1"}


def test_histograms_have_the_buckets_of_the_page_and_add_up(tmp_path, instance):
    with GrpcCollector() as collector, running(tmp_path, instance, f"otlp: {{{collector.setting}, metrics: 100ms}}") as gateway:
        call(gateway, 3)
        eventually(lambda: (point := collector.point(DURATION, service="orders")) and point.count == 3)
        point = collector.point(DURATION, service="orders")
        assert sum(point.bucket_counts) == 3 and len(point.bucket_counts) == len(point.explicit_bounds) + 1
        assert list(point.explicit_bounds) == sorted(point.explicit_bounds) and point.explicit_bounds[0] == 0.0005
        assert 0 < point.sum < 30
        for bound, count in zip(point.explicit_bounds, point.bucket_counts):
            assert gateway.metric(f"{DURATION}_bucket", service="orders", le=f"{bound:g}") >= count


def test_histograms_are_exponential_if_the_config_says_so(tmp_path, instance):
    setting = "metrics: {every: 100ms, histograms: exponential}"
    with GrpcCollector() as collector, running(tmp_path, instance, f"otlp: {{{collector.setting}, {setting}}}") as gateway:
        call(gateway, 3)
        eventually(lambda: (point := collector.point(DURATION, service="orders")) and point.count == 3)
        point = collector.point(DURATION, service="orders")
        assert point.scale == 3 and point.zero_count + sum(point.positive.bucket_counts) == 3
        highest = 2 ** ((point.positive.offset + len(point.positive.bucket_counts)) / 8)
        assert point.sum / 3 <= highest <= point.sum * 1.1  # the longest of three is at least their mean, and at most their sum


def test_metrics_come_in_requests_of_a_size(tmp_path, instance):
    with GrpcCollector(signal="metrics") as collector, \
            running(tmp_path, instance, f"otlp: {{{collector.setting}, batch: 2KiB, metrics: 200ms}}") as gateway:
        call(gateway)
        eventually(lambda: all_of(collector, "passerelle_calls_total", service="orders") == 1)
        eventually(lambda: "process_max_fds" in collector.metrics)  # the last one of the page
        assert len(collector.requests) > 4
        assert all(request.ByteSize() < 2048 + 2048 for request in collector.requests)


def test_metrics_of_an_outage_come_when_it_is_over_and_what_had_no_room_is_counted(tmp_path, instance):
    port = free_port()
    setting = f"otlp: {{collector: '127.0.0.1:{port}', batch: 4KiB, queue: 64KiB, metrics: 100ms}}"
    with running(tmp_path, instance, setting) as gateway:
        eventually(lambda: gateway.metric("passerelle_otlp_items_total", signal="metrics", result="dropped") > 0)
        assert gateway.metric("passerelle_otlp_queue_bytes", signal="metrics") <= 65536
        eventually(lambda: gateway.events("metrics_not_sent"))
        with GrpcCollector(port) as collector:
            eventually(lambda: gateway.events("metrics_sent_again"))
            eventually(lambda: collector.point("passerelle_otlp_items_total", signal="metrics", result="dropped"))


def test_the_last_metrics_are_sent_before_the_gateway_ends(tmp_path, instance):
    with GrpcCollector() as collector:
        with running(tmp_path, instance, f"otlp: {{{collector.setting}, metrics: 1h}}") as gateway:
            call(gateway, 2)
        assert all_of(collector, "passerelle_calls_total", service="orders") == 2


def test_a_line_of_the_log_is_a_record_with_its_trace_and_its_span(tmp_path, instance):
    with GrpcCollector() as collector, running(
            tmp_path, instance, f"otlp: {{{collector.setting}, logs: {{least: info, every: 20ms}}}}\ntracing: {{share: none, every: 20ms}}") as gateway:
        before = time.time_ns()
        call(gateway, parent=SAMPLED)
        eventually(lambda: collector.logged("call") and len(collector.spans) == 2)
        (record,), (server, _) = collector.logged("call"), sorted(collector.spans, key=lambda span: span.kind)
        line = gateway.logged(log="call")
    assert (record.trace, record.span, record.flags) == (TRACE, server.id, 1) and line["span_id"] == server.id
    assert (record.severity, record.level) == (9, "info")
    assert record.body == "shop.orders.v3.Orders/Get OK"
    assert before - 10 ** 6 <= record.time <= record.observed <= time.time_ns()
    assert record.said["passerelle.request_id"] == line["request_id"] and record.said["rpc.method"] == line["method"]
    assert record.said["passerelle.total_ms"] == line["total_ms"]
    assert record.said["passerelle.attempts"] == line["attempts"]
    assert record.resource["service.instance.id"] == "gate-1"


def test_what_is_redacted_is_in_no_record(tmp_path, instance):
    more = "redact: [path, id]\nroutes: [{match: orders, log: {fields: [id]}}]"
    with GrpcCollector() as collector, running(
            tmp_path, instance, f"otlp: {{{collector.setting}, logs: {{least: info, every: 20ms}}}}\n{more}") as gateway:
        call(gateway)
        said = eventually(lambda: collector.logged("call"))[0].said
        assert (said["url.path"], said["passerelle.fields"]) == ("redacted", {"id": "redacted"})


def test_lines_below_a_level_are_not_sent(tmp_path, instance):
    with GrpcCollector() as collector:
        with running(tmp_path, instance, f"otlp: {{{collector.setting}, logs: {{least: error, every: 20ms}}}}") as gateway:
            call(gateway)
            gateway.write("listen: nonsense")
            gateway.reload()
            eventually(lambda: collector.logged("config_refused"))
            (refused,) = collector.logged("config_refused")
            assert refused.severity == 17 and refused.said["passerelle.mistakes"] == gateway.logged(event="config_refused")["mistakes"]
        assert {record.level for record in collector.records} == {"error"}


def test_each_line_comes_once_until_the_last_one(tmp_path, instance):
    with GrpcCollector() as collector:
        with running(tmp_path, instance, f"otlp: {{{collector.setting}, batch: 4KiB, logs: {{least: info, every: 60s}}}}") as gateway:
            call(gateway, 50)
            eventually(lambda: len(collector.logged("call")) > 10)  # `batch` is enough
            eventually(lambda: len([line for line in gateway.log() if line["log"] == "call"]) == 50)
            lines = {line["request_id"] for line in gateway.log() if line["log"] == "call"}
        said = [record.said["passerelle.request_id"] for record in collector.logged("call")]
        assert sorted(said) == sorted(lines) and collector.logged("stopped")


def test_lines_that_a_collector_is_too_slow_for_are_dropped_and_counted(tmp_path, instance):
    port = free_port()
    with running(tmp_path, instance,
                 f"otlp: {{collector: '127.0.0.1:{port}', batch: 1KiB, queue: 8KiB, logs: {{least: info, every: 10ms}}}}") as gateway:
        call(gateway, 60)
        eventually(lambda: gateway.metric("passerelle_otlp_items_total", signal="logs", result="dropped") > 0)
        assert gateway.metric("passerelle_otlp_queue_bytes", signal="logs") <= 8192
        assert gateway.metric("passerelle_log_dropped_total") == 0  # the log itself has all of them
        eventually(lambda: len([line for line in gateway.log() if line["log"] == "call"]) == 60)


def test_all_signals_go_to_paths_of_a_url(tmp_path, instance):
    token = tmp_path / "token"
    token.write_text("s3cret-of-the-collector")
    token.chmod(0o600)
    with HttpCollector() as collector, running(tmp_path, instance, f"""
otlp: {{url: '{collector.base}/', token_file: '{token}', service: gate, metrics: 100ms, logs: {{least: info, every: 20ms}}}}
tracing: {{share: none, every: 20ms}}""") as gateway:
        call(gateway, parent=SAMPLED)
        eventually(lambda: collector.spans and collector.logged("call") and collector.metrics)
        assert {path for path, _ in collector.heads} == {"/v1/traces", "/v1/metrics", "/v1/logs"}
        assert all(head["Authorization"] == "Bearer s3cret-of-the-collector" for _, head in collector.heads)
        assert {span.resource["service.name"] for span in collector.spans} == {"gate"}


def test_one_signal_that_is_refused_does_not_hold_up_the_others(tmp_path, instance):
    with GrpcCollector(signal="metrics", answers=[grpc.StatusCode.UNIMPLEMENTED] * 1000) as collector, running(
            tmp_path, instance, f"otlp: {{{collector.setting}, metrics: 100ms, logs: {{least: info, every: 20ms}}}}") as gateway:
        eventually(lambda: gateway.metric("passerelle_otlp_items_total", signal="metrics", result="rejected") > 0)
        call(gateway)
        eventually(lambda: collector.logged("call"))
        assert eventually(lambda: collector.logged("metrics_not_sent"))[0].severity == 13


def test_a_url_says_what_it_has_not_taken(tmp_path, instance):
    with HttpCollector(signal="logs") as collector:
        from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
        collector.answers = [logs.ExportLogsServiceResponse(partial_success={"rejected_log_records": 1, "error_message": "too old"})]
        with running(tmp_path, instance, f"otlp: {{url: '{collector.base}', logs: {{least: info, every: 20ms}}}}") as gateway:
            call(gateway)
            eventually(lambda: gateway.metric("passerelle_otlp_items_total", signal="logs", result="rejected") == 1)
            assert "too old" in str(eventually(lambda: gateway.events("logs_rejected")))


def retry_info(seconds):
    """A google.rpc.Status, RESOURCE_EXHAUSTED, with it."""
    duration = bytes([0x0a, 2, 0x08, seconds])
    kind = b"type.googleapis.com/google.rpc.RetryInfo"
    detail = bytes([0x0a, len(kind)]) + kind + bytes([0x12, len(duration)]) + duration
    return bytes([0x08, 8, 0x1a, len(detail)]) + detail


def test_a_collector_is_left_alone_as_long_as_it_says(tmp_path, instance):
    with GrpcCollector(signal="logs", answers=[(grpc.StatusCode.RESOURCE_EXHAUSTED, retry_info(2))]) as by_grpc, \
            HttpCollector(signal="logs", answers=[(429, {"Retry-After": "2"})]) as by_http:
        for collector, setting in ((by_grpc, by_grpc.setting), (by_http, f"url: '{by_http.base}'")):
            with running(tmp_path, instance, f"otlp: {{{setting}, logs: {{least: info, every: 10ms}}}}") as gateway:
                call(gateway)
                eventually(lambda: gateway.events("logs_not_sent"))
                began = time.monotonic()
                eventually(lambda: collector.logged("call"))
                assert time.monotonic() - began > 1.5  # by itself it waits a second at most the first time


def test_signals_begin_and_end_with_a_reload(tmp_path, instance):
    with GrpcCollector() as collector, running(tmp_path, instance, "") as gateway:
        def use(otlp):
            before = gateway.metric("passerelle_config_generation")
            gateway.write(otlp=otlp)
            gateway.reload()
            eventually(lambda: gateway.metric("passerelle_config_generation") != before)

        def call_unseen(nth):
            """What is not in the log yet when a reload comes would be seen."""
            call(gateway)
            eventually(lambda: sum(line["log"] == "call" for line in gateway.log()) == nth)
        call_unseen(1)
        on = f"otlp: {{{collector.setting}, metrics: 100ms, logs: {{least: info, every: 20ms}}}}"
        use(on)
        call(gateway, 2)
        eventually(lambda: len(collector.logged("call")) == 2 and all_of(collector, "passerelle_calls_total", service="orders") == 3)
        use("")
        call_unseen(4)
        use(on)
        call(gateway)
        eventually(lambda: len(collector.logged("call")) == 3 and all_of(collector, "passerelle_calls_total", service="orders") == 5)


@pytest.mark.parametrize("otlp, words", [
    ("otlp: {metrics: 60s}", "nobody gets the signals"),
    ("otlp: {collector: '127.0.0.1:4317'}", "nothing is sent"),
    ("otlp: {collector: '127.0.0.1:4317', url: 'http://127.0.0.1:4318', logs: info}", "not to both"),
    ("otlp: {collector: '127.0.0.1:4317', token_file: /nowhere, logs: info}", "it belongs to a url"),
    ("otlp: {url: 'http://127.0.0.1:4318/?a=b', logs: info}", "it has no query"),
    ("otlp: {collector: '127.0.0.1:4317', batch: 64KiB, queue: 32KiB, logs: info}", "it is more than queue"),
    ("otlp: {collector: '127.0.0.1', logs: info}", "otlp.collector.address"),
    ("otlp: {collector: '127.0.0.1:4317', logs: debug}", "otlp.logs"),
    ("otlp: {collector: '127.0.0.1:4317', metrics: 99ms}", "otlp.metrics")])
def test_a_mistake_in_the_config_is_told(tmp_path, otlp, words):
    told = running(tmp_path, 1, otlp).check()
    assert told.returncode == 1 and words in told.stderr + told.stdout


@pytest.mark.parametrize("otlp", ["otlp: {collector: '127.0.0.1:4317', metrics: 100ms}", "otlp: {collector: '127.0.0.1:4317', metrics: 1h}",
                                  "otlp: {url: 'http://127.0.0.1:4318', batch: 32KiB, queue: 32KiB, logs: warning}",
                                  "otlp: {collector: '127.0.0.1:4317'}\ntracing: {share: none}"])
def test_a_good_config_is_taken(tmp_path, otlp):
    told = running(tmp_path, 1, otlp).check()
    assert told.returncode == 0, told.stderr + told.stdout
