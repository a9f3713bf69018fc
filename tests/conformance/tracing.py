"""
A client, two services and the gateway between them send their spans to one collector:
   tracing.py GATEWAY ORDERS MACHINES COLLECTOR      addresses; all but the gateway's are served here

The client gets an order in v1; its service, which has v3, asks for a machine on the way. Messages are empty: which is a message of any type.
"""
import sys
import time
from concurrent import futures

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import client_interceptor, server_interceptor
from opentelemetry.instrumentation.grpc.grpcext import intercept_channel
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

gateway, orders, machines, collector = sys.argv[1:]
KINDS = {1: "internal", 2: "server", 3: "client"}
# From the root on: whose span it is, of which kind.
EXPECTED = [("customer", "internal"), ("customer", "client"), ("passerelle", "server"), ("passerelle", "client"), ("orders", "server"),
            ("orders", "client"), ("passerelle", "server"), ("passerelle", "client"), ("machines", "server")]
SLACK = 2_000_000  # nanoseconds: the gateway reads the clock once in a turn of its loop


class Spans(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self):
        self.all = []

    def Export(self, request, context):
        for resource_spans in request.resource_spans:
            (service,) = [pair.value.string_value for pair in resource_spans.resource.attributes if pair.key == "service.name"]
            self.all += [(service, span) for scope in resource_spans.scope_spans for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()


def provider(name):
    made = TracerProvider(resource=Resource.create({"service.name": name}))
    made.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(collector, insecure=True)))
    return made


def serve(address, name, handlers, spans=None):
    interceptors = [server_interceptor(tracer_provider=provider(name))] if name else []
    server = grpc.server(futures.ThreadPoolExecutor(4), interceptors=interceptors)
    if handlers:
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {
            method: grpc.unary_unary_rpc_method_handler(run)}) for service, method, run in handlers])
    if spans:
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(spans, server)
    assert server.add_insecure_port(address)
    server.start()
    return server


def call(name, path):
    channel = intercept_channel(grpc.insecure_channel(gateway), client_interceptor(tracer_provider=provider(name)))
    return channel.unary_unary(path)(b"", timeout=10)


def get_order(request, context):
    time.sleep(0.01)
    call("orders", "/shop.machines.v1.Machines/Get")
    return b""


def get_machine(request, context):
    time.sleep(0.01)
    return b""


def path_of(spans):
    """From the root down; each span has one child."""
    (at,) = [(service, span) for service, span in spans if not span.parent_span_id]
    path = [at]
    while children := [(service, span) for service, span in spans if span.parent_span_id == path[-1][1].span_id]:
        assert len(children) == 1, children
        path += children
    return path


spans = Spans()
servers = [serve(collector, None, [], spans), serve(orders, "orders", [("shop.orders.v3.Orders", "Get", get_order)]),
           serve(machines, "machines", [("shop.machines.v1.Machines", "Get", get_machine)])]
with provider("customer").get_tracer("test").start_as_current_span("a customer looks"):
    call("customer", "/shop.orders.v1.Orders/Get")
end = time.monotonic() + 10
while len(spans.all) < len(EXPECTED) and time.monotonic() < end:
    time.sleep(0.02)

path = path_of(spans.all)
for service, span in path:
    print(f"{service:10} {KINDS[span.kind]:8} {span.name:32} {(span.start_time_unix_nano - path[0][1].start_time_unix_nano) / 1e6:8.2f} ms "
          f"{(span.end_time_unix_nano - span.start_time_unix_nano) / 1e6:8.2f} ms")
assert [(service, KINDS[span.kind]) for service, span in path] == EXPECTED and len(spans.all) == len(EXPECTED)
assert len({span.trace_id for _, span in path}) == 1
for (_, outer), (_, inner) in zip(path, path[1:]):
    assert outer.start_time_unix_nano - SLACK <= inner.start_time_unix_nano, inner
    assert inner.end_time_unix_nano <= outer.end_time_unix_nano + SLACK, inner
for server in servers:
    server.stop(None)
print("one tree of", len(path), "spans, with times within each other")
