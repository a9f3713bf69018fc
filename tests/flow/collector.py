"""A collector of traces, scripted, that speaks OpenTelemetry's protocol by its official protos (tests/flow/opentelemetry)."""
import concurrent.futures
import http.server
import pathlib
import subprocess
import sys
import tempfile
import threading

import backends  # noqa: F401: sets up grpc
import grpc
from processes import eventually

_PROTOS = pathlib.Path(__file__).parent
_folder = tempfile.TemporaryDirectory()
subprocess.run(["protoc", f"-I{_PROTOS}", f"--python_out={_folder.name}",
                *(f"opentelemetry/proto/{name}.proto" for name in ("common/v1/common", "resource/v1/resource", "trace/v1/trace",
                                                                  "collector/trace/v1/trace_service"))], check=True)
sys.path.insert(0, _folder.name)

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service  # noqa: E402
from opentelemetry.proto.trace.v1 import trace_pb2 as trace  # noqa: E402

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
SERVER, CLIENT, INTERNAL = trace.Span.SPAN_KIND_SERVER, trace.Span.SPAN_KIND_CLIENT, trace.Span.SPAN_KIND_INTERNAL


class Span:
    def __init__(self, span, resource):
        self.trace, self.id, self.parent = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
        self.name, self.kind, self.state = span.name, span.kind, span.trace_state
        self.start, self.end = span.start_time_unix_nano, span.end_time_unix_nano
        self.failed, self.message = span.status.code == trace.Status.STATUS_CODE_ERROR, span.status.message
        self.events = [(event.name, event.time_unix_nano) for event in span.events]
        self.resource = resource
        self.said = attributes(span.attributes)


def attributes(pairs):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


class Collector:
    """`answer`: what becomes of a request, in order: None is good, a grpc.StatusCode fails, a response is given; then all are good."""

    def __init__(self, answers=()):
        self.spans, self.requests, self.answers = [], [], list(answers)

    def take(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else None
        if answer is None or isinstance(answer, service.ExportTraceServiceResponse):
            for resource_spans in request.resource_spans:
                resource = attributes(resource_spans.resource.attributes)
                self.spans += [Span(span, resource) for scope in resource_spans.scope_spans for span in scope.spans]
        return answer

    def of(self, kind):
        return [span for span in self.spans if span.kind == kind]

    def wait(self, n):
        """The spans, once there are `n`."""
        eventually(lambda: len(self.spans) >= n)
        return self.spans


class GrpcCollector(Collector, grpc.GenericRpcHandler):
    def __init__(self, port=0, answers=()):
        super().__init__(answers)
        self.port = port

    def service(self, call):
        if call.method == EXPORT:
            return grpc.unary_unary_rpc_method_handler(self.export, service.ExportTraceServiceRequest.FromString,
                                                       service.ExportTraceServiceResponse.SerializeToString)
        return None

    def export(self, request, context):
        answer = self.take(request)
        if isinstance(answer, grpc.StatusCode):
            context.abort(answer, "as the test says")
        return answer or service.ExportTraceServiceResponse()

    def __enter__(self):
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(2), handlers=[self])
        self.port = self.server.add_insecure_port(f"127.0.0.1:{self.port}")
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop(0).wait()

    @property
    def setting(self):
        return f"collector: '127.0.0.1:{self.port}'"


class HttpCollector(Collector):
    def __enter__(self):
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.heads.append((self.path, dict(self.headers)))
                status = collector.take(service.ExportTraceServiceRequest.FromString(body)) or 200
                self.send_response(status)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.heads = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def setting(self):
        return f"url: 'http://127.0.0.1:{self.server.server_port}/v1/traces'"
