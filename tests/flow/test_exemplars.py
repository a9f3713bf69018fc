"""Buckets of durations have the trace of a call in them, where it is recorded: on the page, and at a collector."""
import re
import time

import pytest
from backends import client, v3
from collector import SERVER, GrpcCollector
from gateway import Gateway
from http1_backend import Http1Backend
from processes import eventually
from test_native_histograms import ACCEPT, families, message  # noqa: F401

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
DURATION = "passerelle_call_duration_seconds"
CALLER = "b7ad6b7169203331"
CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin"}
log: "-"
loops: 2
otlp: {$collector, metrics: {every: 100ms, histograms: $histograms}}
tracing: {share: none, every: 20ms, slow: 200ms}
services:
  - name: orders
    versions: [{name: v3, package: shop.orders.v3, schema: $orders}]
    instances: [{address: "127.0.0.1:$instance", protocol: connect}]
"""
GOOD = "HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: 0\r\n\r\n"


class Backend(Http1Backend):
    def __init__(self):
        self.waits = []
        super().__init__(self.order)

    def order(self, peer, told, body):
        time.sleep(self.waits.pop(0) if self.waits else 0)
        peer.say(GOOD)


def call(gateway, trace=None, sampled="01"):
    parent = [("traceparent", f"00-{trace}-{CALLER}-{sampled}")] if trace else None
    client(gateway, "v3").Get(v3.GetRequest(id="7"), metadata=parent)


def exemplars(gateway, accept=OPENMETRICS):
    """{bound: (trace, span, value, time)}"""
    found = {}
    for line in gateway.http("GET", "/metrics", port=gateway.admin_port, headers={"Accept": accept}).body.decode().splitlines():
        if " # " in line and not line.startswith("#"):
            bound, trace, span, value, at = re.fullmatch(
                rf'{DURATION}_bucket{{.*le="([^"]*)"}} \d+ # {{trace_id="([0-9a-f]{{32}})",span_id="([0-9a-f]{{16}})"}} (\S+) (\S+)', line).groups()
            found[bound] = (trace, span, float(value), float(at))
    return found


def within(bound, value):
    bounds = [0, *(float(text) for text in ("0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10",
                                            "30", "inf"))]
    at = bounds.index(float(bound))
    return bounds[at - 1] < value <= bounds[at]


@pytest.fixture
def running(tmp_path, request):
    with GrpcCollector() as collector, Backend() as backend, \
            Gateway(tmp_path, CONFIG, instance=backend.port, collector=collector.setting, histograms=getattr(request, "param", "explicit")) as gateway:
        yield gateway, collector, backend


def test_a_recorded_call_is_the_exemplar_of_its_bucket(running):
    gateway, collector, backend = running
    before = time.time()
    call(gateway, "1" * 32)
    call(gateway)
    call(gateway, "2" * 32, "00")
    collector.wait(2)
    ((bound, (trace, span, value, at)),) = exemplars(gateway).items()
    server = collector.of(SERVER)[0]
    assert (trace, span) == ("1" * 32, server.id)
    assert value == (server.end - server.start) / 1e9 and within(bound, value)
    assert before - 0.001 <= at <= time.time()


def test_without_recorded_calls_there_are_no_exemplars(running):
    gateway, collector, backend = running
    call(gateway)
    call(gateway, "2" * 32, "00")
    assert not exemplars(gateway)
    assert not exemplars(gateway, "text/plain")


def test_the_plain_text_has_none(running):
    gateway, collector, backend = running
    call(gateway, "1" * 32)
    collector.wait(2)
    assert exemplars(gateway) and not exemplars(gateway, "text/plain")


def test_a_bucket_has_the_newest_call(running):
    gateway, collector, backend = running
    backend.waits = [0.06, 0.06]
    call(gateway, "1" * 32)
    call(gateway, "2" * 32)
    collector.wait(4)
    assert "2" * 32 in {trace for trace, *_ in exemplars(gateway).values()}


def test_a_slow_call_that_nobody_had_sampled_is_an_exemplar(running):
    gateway, collector, backend = running
    backend.waits = [0.3]
    call(gateway)
    collector.wait(2)
    (server,) = collector.of(SERVER)
    assert [trace for trace, *_ in exemplars(gateway).values()] == [server.trace]


def test_protobuf_has_them_in_buckets_and_for_native_histograms(running, message):  # noqa: F811
    gateway, collector, backend = running
    call(gateway, "1" * 32)
    collector.wait(2)
    (sample,) = [metric for metric in families(gateway, message)[DURATION].metric
                 if any(pair.name == "service" and pair.value == "orders" for pair in metric.label)]
    (listed,) = sample.histogram.exemplars
    (in_bucket,) = [bucket.exemplar for bucket in sample.histogram.bucket if bucket.HasField("exemplar")]
    assert listed == in_bucket
    assert {pair.name: pair.value for pair in listed.label} == {"trace_id": "1" * 32, "span_id": collector.of(SERVER)[0].id}
    assert listed.value > 0 and abs(listed.timestamp.seconds - time.time()) < 60


@pytest.mark.parametrize("running", ["explicit", "exponential"], indirect=True)
def test_a_collector_gets_them(running):
    gateway, collector, backend = running
    call(gateway, "1" * 32)
    eventually(lambda: (point := collector.point(DURATION, service="orders")) and point.exemplars)
    (exemplar,) = collector.point(DURATION, service="orders").exemplars
    collector.wait(2)
    server = collector.of(SERVER)[0]
    assert (exemplar.trace_id.hex(), exemplar.span_id.hex()) == ("1" * 32, server.id)
    assert exemplar.as_double == (server.end - server.start) / 1e9
    assert exemplar.time_unix_nano == server.end
