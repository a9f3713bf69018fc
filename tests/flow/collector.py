"""A collector, scripted, that speaks OpenTelemetry's protocol by its official protos (tests/flow/opentelemetry)."""
import concurrent.futures
import http.server
import importlib
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
SIGNALS = {"traces": "trace", "metrics": "metrics", "logs": "logs"}  # the paths of URLs, and the names of protos
subprocess.run(["protoc", f"-I{_PROTOS}", f"--python_out={_folder.name}",
                *(f"opentelemetry/proto/{name}.proto" for name in ("common/v1/common", "resource/v1/resource")),
                *(f"opentelemetry/proto/{name}/v1/{name}.proto" for name in SIGNALS.values()),
                *(f"opentelemetry/proto/collector/{name}/v1/{name}_service.proto" for name in SIGNALS.values())], check=True)
sys.path.insert(0, _folder.name)

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service  # noqa: E402
from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics  # noqa: E402
from opentelemetry.proto.trace.v1 import trace_pb2 as trace  # noqa: E402

SERVER, CLIENT, INTERNAL = trace.Span.SPAN_KIND_SERVER, trace.Span.SPAN_KIND_CLIENT, trace.Span.SPAN_KIND_INTERNAL


class Signal:
    """The messages of a signal."""

    def __init__(self, path, name):
        services = importlib.import_module(f"opentelemetry.proto.collector.{name}.v1.{name}_service_pb2")
        title = name.capitalize()
        self.name = path
        self.method = f"/opentelemetry.proto.collector.{name}.v1.{title}Service/Export"
        self.request = getattr(services, f"Export{title}ServiceRequest")
        self.response = getattr(services, f"Export{title}ServiceResponse")


_signals = [Signal(path, name) for path, name in SIGNALS.items()]


class Span:
    def __init__(self, span, resource):
        self.trace, self.id, self.parent = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
        self.name, self.kind, self.state = span.name, span.kind, span.trace_state
        self.start, self.end = span.start_time_unix_nano, span.end_time_unix_nano
        self.failed, self.message = span.status.code == trace.Status.STATUS_CODE_ERROR, span.status.message
        self.events = [(event.name, event.time_unix_nano) for event in span.events]
        self.resource = resource
        self.said = attributes(span.attributes)


class Record:
    """A record of a log."""

    def __init__(self, record, resource):
        self.trace, self.span, self.flags = record.trace_id.hex(), record.span_id.hex(), record.flags
        self.severity, self.level, self.event = record.severity_number, record.severity_text, record.event_name
        self.time, self.observed = record.time_unix_nano, record.observed_time_unix_nano
        self.body = record.body.string_value
        self.resource = resource
        self.said = attributes(record.attributes)


def value_of(any_value):
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(value) for value in any_value.array_value.values]
    if kind == "kvlist_value":
        return attributes(any_value.kvlist_value.values)
    return getattr(any_value, kind) if kind else None


def attributes(pairs):
    found = {pair.key: value_of(pair.value) for pair in pairs}
    assert len(found) == len(pairs)
    return found


def points_of(metric):
    return getattr(metric, metric.WhichOneof("data")).data_points


class Collector:
    """`answers`: what becomes of requests of `signal`, in order: None is good, a grpc.StatusCode fails, a pair has its details, too, a
    response is given; then all are good, as are those of other signals."""

    def __init__(self, answers=(), signal="traces"):
        self.spans, self.records, self.requests, self.answers, self.signal = [], [], [], list(answers), signal
        self.metrics = {}  # the newest of each name, with the points of all requests of one time: {name: {labels: point}}
        self.kinds, self.resources = {}, []

    def take(self, signal, request):
        answer = None
        if signal.name == self.signal:
            self.requests.append(request)
            answer = self.answers.pop(0) if self.answers else None
        if answer is None or isinstance(answer, signal.response):
            getattr(self, f"take_{signal.name}")(request)
        return answer

    def take_traces(self, request):
        for part in request.resource_spans:
            resource = attributes(part.resource.attributes)
            self.spans += [Span(span, resource) for scope in part.scope_spans for span in scope.spans]

    def take_logs(self, request):
        for part in request.resource_logs:
            resource = attributes(part.resource.attributes)
            self.records += [Record(record, resource) for scope in part.scope_logs for record in scope.log_records]

    def take_metrics(self, request):
        for part in request.resource_metrics:
            self.resources.append(attributes(part.resource.attributes))
            for metric in (metric for scope in part.scope_metrics for metric in scope.metrics):
                self.kinds[metric.name] = metric
                for point in points_of(metric):
                    self.metrics.setdefault(metric.name, {})[tuple(sorted(attributes(point.attributes).items()))] = point

    def point(self, name, **labels):
        """The newest point whose labels have these; None: there is none yet."""
        for found, point in self.metrics.get(name, {}).items():
            if labels.items() <= dict(found).items():
                return point
        return None

    def of(self, kind):
        return [span for span in self.spans if span.kind == kind]

    def logged(self, event):
        return [record for record in self.records if record.event == f"passerelle.{event}"]

    def wait(self, n):
        """The spans, once there are `n`."""
        eventually(lambda: len(self.spans) >= n)
        return self.spans


class GrpcCollector(Collector, grpc.GenericRpcHandler):
    def __init__(self, port=0, answers=(), signal="traces"):
        super().__init__(answers, signal)
        self.port = port

    def service(self, call):
        for signal in _signals:
            if call.method == signal.method:
                return grpc.unary_unary_rpc_method_handler(lambda request, context: self.export(signal, request, context),
                                                           signal.request.FromString, signal.response.SerializeToString)
        return None

    def export(self, signal, request, context):
        answer = self.take(signal, request)
        if answer is None or isinstance(answer, signal.response):
            return answer or signal.response()
        code, details = answer if isinstance(answer, tuple) else (answer, None)
        if details:
            context.set_trailing_metadata((("grpc-status-details-bin", details),))
        context.abort(code, "as the test says")

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
    """A number as an answer is a status; a pair also has fields of the head."""

    def __enter__(self):
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.heads.append((self.path, dict(self.headers)))
                (signal,) = [signal for signal in _signals if self.path.endswith(f"/v1/{signal.name}")]
                answer = collector.take(signal, signal.request.FromString(body)) or signal.response()
                status, fields = answer if isinstance(answer, tuple) else (answer, {}) if isinstance(answer, int) else (200, {})
                said = answer.SerializeToString() if isinstance(answer, signal.response) else b""
                self.send_response(status)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(said)))
                for name, value in fields.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said)

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
    def base(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def setting(self):
        return f"url: '{self.base}/v1/traces'"
