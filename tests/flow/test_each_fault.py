"""
Each fault of base/faults.def in each dialect, on a loud route: the response, the line of the log, the metric, and the row
of the ledger.

FAULTS says how each fault comes about, and in which dialects it cannot, and why. A fault of base/faults.def without a row
there, or without a reason in NEVER why no call ends with it, fails.
"""
import base64
import contextlib
import datetime
import hashlib
import json
import re
import socket
import struct

import grpc
import h2.config
import h2.connection
import pytest
from backends import v1, v3
from gateway import ROOT, Gateway
from google.protobuf import json_format
from http2_backend import Http2Backend
from http2_client import http2_request
from operators import on_socket
from policy_server import PolicyServer, allowed, denied
from processes import eventually, free_port
from test_error_fields import connect_error, details_of

DIALECTS = ("grpc", "grpc-web", "grpc-web-text", "connect", "rest")
RPC = ("grpc", "grpc-web", "grpc-web-text", "connect")
IN_FRAMES = ("grpc", "grpc-web", "grpc-web-text")
FAULT = re.compile(r'^FAULT\((\w+), (\d+), (\d+), (true|false), SIDE_(\w+),', re.M)
TABLE = {name: (int(http), int(code), side.lower())
         for name, http, code, _, side in FAULT.findall((ROOT / "base/faults.def").read_text())}
CODES = {code.value[0]: code.name for code in grpc.StatusCode}

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin', socket: 'unix:$folder/admin.sock'}
log: "-"
loops: 1
errors: full
limits: {$limits}
services:
  - name: orders
    negotiate: [header, path, prefix, media_type, default]
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders}
      - {name: v2, package: shop.orders.v2, schema: $orders, sunset: 2020-03-01}
      - {name: v3, package: shop.orders.v3, schema: $orders}
    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]
    instances: [{address: '127.0.0.1:$instance', protocol: grpc, versions: [$version]}]
routes:
  - {match: orders, impact: high, timeout: $timeout, on_failure: loud}
  - match: orders.Orders/List
    on_failure: loud
    parameters: {limit: {at_most: 500}, buyer: {required: true, versions: [v3]}}
"""


def guarded(setting):
    return CONFIG.replace("    instances:", f"    {setting}\n    instances:")


LIMITS = ("head_bytes: 4KiB, path_bytes: 1KiB, message_bytes: 64KiB, answer_bytes: 32KiB, call_memory: 1MiB, depth: 10, "
          "body_time: 300ms, max_hops: 1")
GOOD = v3.Order(id="1", buyer=v3.Buyer(id="ada"), currency="EUR")


# ---- Instances ---------------------------------------------------------------------------------------

def serve(request):
    """Does with a stream what the field `x-do` says."""
    do, http2 = request.headers.get("x-do", "well"), request.connection
    with http2.speaking() as speaking:
        if do in ("reset", "refuse"):
            speaking.reset_stream(request.stream, {"reset": 2, "refuse": 7}[do])
        elif do == "http-status":
            speaking.send_headers(request.stream, [(":status", "999")], end_stream=True)
    if do == "well":
        request.answer(GOOD)
    elif do == "two":
        request.answer(GOOD, GOOD)
    elif do == "error":
        request.begin()
        request.end(13, "it is broken")
    elif do == "convert":
        request.answer(v3.Order(id="1", buyer=v3.Buyer(id="ada"), currency="EUR", state=v3.CANCELLED))
    elif do == "large":
        request.begin()
        with http2.speaking() as speaking:
            for piece in range(4):
                speaking.send_data(request.stream, struct.pack(">BI", 0, 40000) + b"x" * 9995 if piece == 0 else b"x" * 10000)
    elif do in ("garbage", "compressed"):
        request.begin()
        with http2.speaking() as speaking:
            speaking.send_data(request.stream, struct.pack(">BI", do == "compressed", 3) + b"\xff\xff\xff")
        request.end()


@pytest.fixture(scope="module")
def gateways(tmp_path_factory):
    """gateways(name): one gateway for all that needs it, started when it is first asked for."""
    running, found = contextlib.ExitStack(), {}
    instance = running.enter_context(Http2Backend(serve)).port

    def make(limits=LIMITS, instance=instance, version="v3", timeout="30s", config=CONFIG):
        return Gateway(tmp_path_factory.mktemp("faults"), config, limits=limits, instance=instance, version=version,
                       timeout=timeout)

    listed = CONFIG.replace("instances: [{address: '127.0.0.1:$instance', protocol: grpc, versions: [$version]}]",
                            "discovery: {file: list.yaml}").replace(
        "    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]\n", "")

    def alone():
        gateway = make(config=listed)
        (gateway.folder / "list.yaml").write_text("instances: []")
        return gateway

    def send(gateway, do):
        """A call whose response nobody reads."""
        call = with_fields(Call("rest"), x_do=do)
        head = "".join(f"{name}: {value}\r\n" for name, value in call.fields.items())
        client = running.enter_context(socket.create_connection(("127.0.0.1", gateway.port)))
        client.sendall(f"GET {call.path} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())

    def started(gateway):
        gateway.start = lambda: gateway
        return gateway

    def busy():
        """Its instance takes one call at a time, and has one that does not end."""
        one = running.enter_context(Http2Backend(serve, streams=1))
        gateway = make(instance=one.port, limits="http2_connections: 1, connect_time: 200ms").start()
        send(gateway, "hang")
        eventually(lambda: one.requests)
        return started(gateway)

    def full():
        """Its service may have one call in flight, and has one that does not end."""
        one = running.enter_context(Http2Backend(serve))
        gateway = make(instance=one.port, config=guarded("concurrency: {calls: 1, waiting: 0}")).start()
        send(gateway, "hang")
        eventually(lambda: one.requests)
        return started(gateway)

    def broken():
        """The breaker of its service is open."""
        gateway = make(config=guarded("breaker: {calls: 3, open: 5m}")).start()
        for _ in range(3):
            send(gateway, "error")
        gateway.logged(event="healing_begun", act="breaker")
        return started(gateway)
    keyed = CONFIG.replace("  - match: orders.Orders/List", "  - {match: orders.Orders/Create, idempotency: {key: required}}\n"
                           "  - match: orders.Orders/List") + (
        "store: {sqlite: $store}\nclients: {recorded: hashed, key: $folder/clients.key}\n")

    began = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    failing = "usage: {}\n" + guarded(
        f"retire: [{{version: v1, brownouts: [{{at: '{began.strftime('%Y-%m-%dT%H:%M:%SZ')}', for: 20h}}]}}]")

    def with_keys(store="$folder/store.db"):
        gateway = make(config=keyed.replace("$store", store))
        (gateway.folder / "clients.key").write_text("0123456789abcdef")
        return gateway
    known = CONFIG.replace("{match: orders, impact", "{match: orders, allow: [{client: [ada]}], impact") + (
        "authentication: [{api_keys: $folder/api-keys.yaml}]\n")

    def closed():
        """Its clients have API keys: `of ada`, `of bob`, and one that has ended."""
        gateway = make(config=known)
        (gateway.folder / "api-keys.yaml").write_text("keys:\n" + "".join(
            f"  - {{sha256: {hashlib.sha256(f'of {client}'.encode()).hexdigest()}, client: {client}, expires: {day}}}\n"
            for client, day in (("ada", "2199-01-01"), ("bob", "2199-01-01"), ("eve", "2001-01-01"))))
        return gateway

    def asked():
        """Its policy server does what the field `x-policy` says."""
        policy = running.enter_context(PolicyServer())
        said = {"deny": denied(), "silent": b""}
        policy.decide = lambda request, context: said.get(request.request.http.headers.get("x-policy"), allowed())
        return make(config=CONFIG + f"policy_servers: [{{name: opa, instances: ['127.0.0.1:{policy.port}'], timeout: 10s}}]\n"
                                    "authorization: {policy_server: opa}\n")
    makers = {"asked": asked, "keyed": with_keys, "closed": closed, "keyed, without its store": lambda: with_keys("$folder/nowhere/store.db"), "well": make, "down": lambda: make(instance=free_port()), "late": lambda: make(timeout="200ms"),
              "old": lambda: make(version="v1"), "in a brown-out": lambda: make(config=failing),
              "alone": alone, "busy": busy, "full": full, "broken": broken,
              "small": lambda: make(limits="call_memory: 1MiB, message_bytes: 1MiB, answer_bytes: 64KiB")}

    def get(name):
        if name not in found:
            found[name] = running.enter_context(makers[name]())
        return found[name]
    with running:
        yield get


# ---- Calls -------------------------------------------------------------------------------------------

PATHS = {"Get": ("GET", "/{version}/orders/1", None), "List": ("GET", "/{version}/orders?limit={limit}", None),
         "Create": ("POST", "/{version}/orders", "order"), "Purge": ("POST", "/{version}/orders:purge", None)}


class Call:
    """A call of one dialect before it is sent: a good one, of which a test makes a bad one."""

    def __init__(self, dialect, method="Get", version="v3", message=None):
        self.dialect, self.version, self.method = dialect, version, method
        self.message = {"id": "1"} if message is None else message
        self.fields, self.flags, self.rest_of_body, self.stops = {}, 0, b"", False
        self.codec = "json" if dialect in ("connect", "rest") else "proto"
        self.media = {"grpc": "application/grpc", "grpc-web": "application/grpc-web+proto", "connect": "application/json",
                      "grpc-web-text": "application/grpc-web-text+proto", "rest": "application/json"}[dialect]
        self.verb, self.path, self.text = "POST", f"/shop.orders.{version}.Orders/{method}", None
        if dialect == "rest":
            verb, path, part = PATHS[method]
            self.verb, self.path = verb, path.format(version=version, **{"limit": 5, **self.message})
            self.message = self.message[part] if part else {} if verb == "POST" else None

    def json(self):
        """Sends JSON, also where the dialect's own is protobuf."""
        if self.dialect in IN_FRAMES:
            self.codec, self.media = "json", self.media.replace("+proto", "") + "+json"
        return self

    @property
    def body(self):
        text = self.text
        if text is None and self.message is not None:
            text = json.dumps(self.message).encode() if self.codec == "json" else self.as_protobuf()
        if self.dialect in IN_FRAMES:
            text = struct.pack(">BI", self.flags, len(text)) + text + self.rest_of_body
        return base64.b64encode(text) if self.dialect == "grpc-web-text" else text

    def as_protobuf(self):
        module = v1 if self.version == "v1" else v3
        return json_format.ParseDict(self.message, getattr(module, self.method + "Request")()).SerializeToString()

    def send(self, gateway):
        body, fields = self.body, {**({"content-type": self.media} if self.body is not None else {}), **self.fields}
        if self.dialect == "grpc":
            status, head, body, trailers = http2_request(gateway.port, self.verb, self.path, [*fields.items(), ("te", "trailers")], body)
            return Told(self.dialect, status, {name: value[0] for name, value in {**head, **trailers}.items()}, body)
        if self.stops:
            fields["Content-Length"] = str(len(body) + 1)
        answer = gateway.http(self.verb, self.path, body, fields)
        return Told(self.dialect, answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.body)


class Told:
    """An error as a client of its dialect reads it: `code`, `reason`, `id`; `form` in which it came."""

    def __init__(self, dialect, status, fields, body):
        self.status, self.id = status, fields["x-request-id"]
        if fields["content-type"] == "application/problem+json":
            told = json.loads(body)
            assert told["status"] == status and told.get("request_id", self.id) == self.id
            self.form, self.code, self.reason = "http" if "code" in told else "refused", told.get("code"), told.get("reason")
            return
        if dialect == "connect":
            told = json.loads(body)
            found = connect_error(told)
            self.form, self.code = "connect", told["code"].upper()
        else:
            if dialect == "grpc-web-text":
                body = b"".join(base64.b64decode(piece + b"=" * (-len(piece) % 4)) for piece in body.replace(b"=", b" ").split())
            last = body[5:].decode().split("\r\n") if "grpc-status" not in fields else []
            fields = {**fields, **dict(line.split(": ", 1) for line in last if line)}
            found = details_of(base64.b64decode(fields.get("grpc-status-details-bin", "") + "==="))
            self.form, self.code = "grpc", CODES[int(fields["grpc-status"])]
        [info] = [detail for detail in found if detail["@type"].endswith("google.rpc.ErrorInfo")] or [{"reason": None}]
        self.reason = info["reason"]
        assert not self.reason or info["metadata"]["request_id"] == self.id



# ---- How each fault comes about ------------------------------------------------------------------------

def with_fields(call, **fields):
    call.fields.update({name.replace("_", "-"): value for name, value in fields.items()})
    return call


def do(what, method="Get", version="v1"):
    """The instance does it. A message of another version is read."""
    return lambda dialect: with_fields(create(dialect) if method == "Create" else Call(dialect, method, version), x_do=what)


def with_text(text):
    def make(dialect):
        call = Call(dialect, "Create", message={"order": {"buyer": {"id": "ada"}, "currency": "EUR"}}).json()
        call.text = text
        return call
    return make


def order(dialect, **more):
    """JSON in each dialect: a Create with more fields."""
    return Call(dialect, "Create", message={"order": {"buyer": {"id": "ada"}, "currency": "EUR", **more}}).json()


def create(dialect, **more):
    """In v1, so that it is read."""
    return Call(dialect, "Create", "v1", {"order": {"customer": "ada", **more}})


def bad_message(dialect):
    call = create(dialect)
    call.codec, call.text = "proto", b"\xff\xff\xff"
    if dialect == "connect":
        call.media = "application/proto"
    return call


def malformed_time(dialect):
    if dialect == "rest":
        call = Call(dialect)
        call.path += "?%zz=1"
        return call
    return with_fields(Call(dialect), **{"connect-timeout-ms" if dialect == "connect" else "grpc-timeout": "x"})


def no_time(dialect):
    name = "connect-timeout-ms" if dialect == "connect" else "grpc-timeout"
    return with_fields(Call(dialect), **{name: "0" if dialect == "connect" else "0m"})


def at_path(path, verb=None):
    def make(dialect):
        call = Call(dialect)
        call.path, call.verb = path, verb or call.verb
        return call
    return make


def other_media(dialect):
    if dialect == "rest":
        call = order(dialect)
        call.media = "application/xml"
        return call
    call = Call(dialect)
    call.media = {"grpc": "application/grpc+xml", "grpc-web": "application/grpc-web+xml", "connect": "application/xml",
                  "grpc-web-text": "application/grpc-web-text+xml"}[dialect]
    return call


def other_encoding(dialect):
    name = "grpc-encoding" if dialect in IN_FRAMES else "content-encoding"
    return with_fields(order(dialect), **{name: "lz4"})


def compressed(dialect):
    call = Call(dialect)
    call.flags = 1
    return call


def two_messages(dialect):
    call = Call(dialect)
    call.rest_of_body = b"\0\0\0\0\0"
    return call


def deep(dialect):
    return with_text(b'{"order": ' + b'{"nobody": ' * 20 + b"1" + b"}" * 21)(dialect)


def in_v2(dialect):
    call = Call(dialect)
    call.path = call.path.replace("v3", "v2")
    return call


def without_its_last_byte(dialect):
    call = order(dialect) if dialect == "rest" else Call(dialect)
    call.stops = True
    return call


def health_of_nobody(dialect):
    call = Call(dialect)
    call.path, call.text = "/grpc.health.v1.Health/Check", b"\n\x06nobody"
    call.media = "application/proto" if dialect == "connect" else call.media
    return call


def wrongly_framed(dialect):
    if dialect in IN_FRAMES:
        call = Call(dialect)
        call.flags = 4
        return call
    return with_fields(order(dialect), **{"Transfer-Encoding": "chunked", "Content-Length": "2"})


FORMS = {**{name: "grpc" for name in IN_FRAMES}, "connect": "connect", "rest": "http"}


HOPS = {"via": "1.1 passerelle-0123456789abcdef", "passerelle-hops": "passerelle-0123456789abcdef"}


class Row:
    """`make(dialect)`: the call. `form`: in which the error comes, of all or by dialect, if it is not that of the dialect. `but`: {dialect: why not}."""

    def __init__(self, make, gateway="well", but=None, code=None, form=None, reason=True):
        self.make, self.gateway, self.but, self.code, self.form, self.reason = make, gateway, but or {}, code, form, reason


NO_REST = {"rest": "REST has no names of methods"}
NO_FRAMES = {"connect": "its body is the message", "rest": "its body is the message"}
HTTP_ONLY = {name: "its client accepts what it sends" for name in RPC}
FAULTS = {
    "BAD_REQUEST": Row(malformed_time),
    "BAD_JSON": Row(with_text(b"{")),
    "BAD_MESSAGE": Row(bad_message, but={"rest": "REST is JSON"}),
    "BAD_VALUE": Row(lambda dialect: order(dialect, lines=7)),
    "UNKNOWN_FIELD": Row(lambda dialect: order(dialect, nobody=1)),
    "FIELD_REQUIRED": Row(lambda dialect: Call(dialect, "List", message={"limit": 5})),
    "VALUE_NOT_ALLOWED": Row(lambda dialect: Call(dialect, "List", "v1", {"limit": 501})),
    "CANNOT_CONVERT": Row(lambda dialect: order(dialect, state="CANCELLED"), "old"),
    "UNKNOWN_METHOD": Row(at_path("/shop.orders.v3.Orders/Nothing", "POST"), but=NO_REST),
    "UNKNOWN_PATH": Row(at_path("/nowhere"), but={name: "each path is a method" for name in IN_FRAMES}, form={"connect": "http"}),
    "UNKNOWN_SERVICE": Row(health_of_nobody, but={"rest": "the gateway's own services have no REST paths"}),
    "METHOD_NOT_ALLOWED": Row(at_path("/v3/orders/1", "PUT"), but={name: "each RPC is a POST" for name in RPC}),
    "METHOD_REMOVED": Row(lambda dialect: Call(dialect, "Purge", "v1", {})),
    "UNKNOWN_VERSION": Row(lambda dialect: with_fields(Call(dialect), api_version="v9")),
    "VERSION_CONFLICT": Row(lambda dialect: with_fields(Call(dialect), api_version="v1")),
    "VERSION_SUNSET": Row(in_v2),
    "VERSION_BROWNOUT": Row(lambda dialect: Call(dialect, "List", "v1", {"limit": 5}), "in a brown-out"),
    "UNSUPPORTED_MEDIA": Row(other_media, form={"connect": "http"}),
    "NOT_ACCEPTABLE": Row(lambda dialect: with_fields(Call(dialect), accept="text/html"), but=HTTP_ONLY),
    "UNSUPPORTED_ENCODING": Row(other_encoding),
    "PROTOCOL_VIOLATION": Row(wrongly_framed, form={"connect": "refused", "rest": "refused"}),
    "UNNAMED_COMPRESSION": Row(compressed, but=NO_FRAMES),
    "HEAD_TOO_LARGE": Row(lambda dialect: with_fields(Call(dialect), x_large="x" * 5000), form="refused"),
    "URI_TOO_LONG": Row(at_path("/" + "x" * 2000), form="refused"),
    "MESSAGE_TOO_LARGE": Row(lambda dialect: order(dialect, giftNote="x" * 70000)),
    "TOO_DEEP": Row(deep),
    "REQUEST_TIMEOUT": Row(without_its_last_byte, but={"grpc": "in HTTP/2, below"}),
    "CLIENT_DEADLINE": Row(no_time),
    "IDEMPOTENCY_KEY_MISSING": Row(create, "keyed"),
    "IDEMPOTENCY_KEY_MALFORMED": Row(lambda dialect: with_fields(create(dialect), idempotency_key="a b"), "keyed"),
    "IDEMPOTENCY_CLIENT_UNKNOWN": Row(lambda dialect: with_fields(create(dialect), idempotency_key="a"), "keyed"),
    "IDEMPOTENCY_STORE_DOWN": Row(
        lambda dialect: with_fields(create(dialect), idempotency_key="a", authorization="Bearer ada"), "keyed, without its store"),
    "CREDENTIALS_MISSING": Row(Call, "closed"),
    "CREDENTIALS_REFUSED": Row(lambda dialect: with_fields(Call(dialect), x_api_key="of nobody"), "closed"),
    "CREDENTIALS_EXPIRED": Row(lambda dialect: with_fields(Call(dialect), x_api_key="of eve"), "closed"),
    "NOT_ALLOWED": Row(lambda dialect: with_fields(Call(dialect), x_api_key="of bob"), "closed"),
    "POLICY_DENIED": Row(lambda dialect: with_fields(Call(dialect), x_policy="deny"), "asked"),
    "POLICY_UNAVAILABLE": Row(lambda dialect: with_fields(Call(dialect), x_policy="silent"), "asked"),
    "EXPECTATION_FAILED": Row(lambda dialect: with_fields(Call(dialect), expect="much"), form="refused"),
    "DEADLINE_EXCEEDED": Row(do("hang"), "late"),
    "UPSTREAM_STATUS": Row(do("error"), code="INTERNAL", reason=False),
    "UPSTREAM_DOWN": Row(do("well"), "down"),
    "UPSTREAM_RESET": Row(do("reset", "Create")),
    "UPSTREAM_REFUSED": Row(do("refuse", "Create")),
    "UPSTREAM_HTTP_STATUS": Row(do("http-status")),
    "UPSTREAM_PROTOCOL": Row(do("compressed")),
    "UPSTREAM_CARDINALITY": Row(do("two")),
    "UPSTREAM_MESSAGE": Row(do("garbage")),
    "UPSTREAM_CONVERT": Row(do("convert")),
    "UPSTREAM_TOO_LARGE": Row(do("large")),
    "NO_INSTANCE": Row(do("well"), "alone"),
    "LOOP_DETECTED": Row(lambda dialect: with_fields(Call(dialect), **HOPS)),
    "UNSUPPORTED": Row(two_messages, but=NO_FRAMES),
    "OUT_OF_MEMORY": Row(lambda dialect: order(dialect, giftNote="x" * 900_000), "small"),
    "OVERLOADED": Row(do("well"), "busy"),
    "SERVICE_FULL": Row(do("well"), "full"),
    "BREAKER_OPEN": Row(do("well"), "broken"),
}
# Those that no call ends with, and those that are seen elsewhere.
NEVER = {
    "SUPERSEDED": "of an attempt that lost to another one: the call has that one's response",
    "SYSTEM": "below others: a call that needs a system call fails with UPSTREAM_DOWN or INTERNAL",
    "TLS": "below UPSTREAM_DOWN, or before there is a call",
    "NO_FILE": "of a config", "BAD_CONFIG": "of a config", "BAD_SCHEMA": "of a config", "BAD_CHANGES": "of a config",
    "STORE_DOWN": "of operators' requests", "STORE_CONFLICT": "of operators' requests", "STORE_DAMAGED": "of operators' requests",
    "STORE_SEALED": "of operators' requests", "STORE_UNKNOWN": "of operators' requests",
    "JOB_STUCK": "of a job: flow/test_jobs.py",
    "SHADOW_DIFFERS": "of a copy of a call: flow/test_shadow.py",
    "ROLLOUT_BAD": "of a rollout: flow/test_rollout_story.py",
    "NOT_UPGRADED": "of operators' requests", "CRASHED": "of the process: flow/test_live_upgrade.py",
    "INTERNAL": "of mistakes in the gateway itself: none is known",
}
# Those that need more than a call: the test that provokes them.
ELSEWHERE = {
    "CANCELLED": "flow/test_each_fault.py",
    "CLIENT_STALLED": "flow/test_slow_peers.py",
    "IDENTITY_REQUIRED": "unit/gateway/job_view/test_operations.c",
    "KEYS_UNAVAILABLE": "unit/gateway/token/test_token.c",
    "JOB_BUSY": "unit/gateway/job_view/test_job_maker.c",
    "JOB_UNFIT": "flow/test_jobs_operators.py",
    "ROLLOUT_UNFIT": "flow/test_rollout_acts.py",
    "OPERATION_FAILED": "unit/gateway/job_view/test_operations.c",
    "OPERATION_UNFINISHED": "unit/gateway/job_view/test_operations.c",
    "TOO_MUCH_STORED": "unit/gateway/job_view/test_job_maker.c",
    "TOO_MANY_WAITS": "unit/gateway/job_view/test_operations.c",
    "TOO_MANY_JOBS": "unit/gateway/job_view/test_job_maker.c",
    "UNKNOWN_OPERATION": "unit/gateway/job_view/test_operations.c",
    "IDEMPOTENCY_UNFIT": "flow/test_idempotency.py",
    "IDEMPOTENCY_KEY_IN_USE": "flow/test_idempotency.py",
    "IDEMPOTENCY_KEY_REUSED": "flow/test_idempotency.py",
    "IDEMPOTENCY_NOT_KEPT": "flow/test_idempotency.py",
    "IDEMPOTENCY_OUTCOME_UNKNOWN": "flow/test_idempotency.py",
    "IDEMPOTENCY_RESPONSE_GONE": "flow/test_idempotency.py",
    "GATEWAY_DEADLINE": "unit/gateway/call/test_exchange_work.c",
    "MEMORY_FULL": "flow/test_memory_budget.py",
    "MEMORY_SHARE": "flow/test_memory_budget.py",
    "RATE_LIMITED": "flow/test_rate_limits.py",
    "ROLLED_BACK": "flow/test_rollout_arms.py",
    "SHED": "flow/test_overload.py",
    "SHUTTING_DOWN": "flow/test_drain.py",
}


def test_each_fault_has_a_row_and_each_row_is_a_fault():
    rows = [*FAULTS, *NEVER, *ELSEWHERE]
    assert sorted(rows) == sorted(TABLE)
    for name, file in ELSEWHERE.items():
        assert name in (ROOT / "tests" / file).read_text(), name
    for name, row in FAULTS.items():
        assert set(row.but) < set(DIALECTS) and all(row.but.values()), name


def errors_of(gateway, fault):
    """(the metric, the ledger's count) of a fault."""
    page = on_socket(gateway.folder / "admin.sock", "GET", "/errors").json
    counted = sum(row["count"] for row in page["failures"] + page["mistakes"] if row["fault"] == fault and row["of"] == "call")
    return gateway.metric("passerelle_errors_total", fault=fault), counted


def check_traces(gateway, fault, before, line):
    """The line, one more in the metric, one more in the ledger."""
    http, code, side = TABLE[fault]
    assert line["causes"][0]["fault"] == fault and line["level"] == ("info" if side == "client" else "error")
    assert eventually(lambda: errors_of(gateway, fault) == (before[0] + 1, before[1] + 1), timeout=10)
    assert gateway.metric("passerelle_errors_total", fault=fault, side=side) >= 1
    page = on_socket(gateway.folder / "admin.sock", "GET", "/errors").json
    rows = page["mistakes" if side == "client" else "failures"]
    assert any(row["fault"] == fault and row["side"] == side for row in rows)


@pytest.mark.parametrize("fault,dialect", [(fault, dialect) for fault, row in FAULTS.items() for dialect in DIALECTS
                                           if dialect not in row.but])
def test_each_fault_in_each_dialect_is_told_logged_counted_and_kept(gateways, fault, dialect):
    row, (http, code, _) = FAULTS[fault], TABLE[fault]
    gateway = gateways(row.gateway)
    before = errors_of(gateway, fault)
    told = row.make(dialect).send(gateway)
    form = row.form if isinstance(row.form, str) else (row.form or {}).get(dialect, FORMS[dialect])
    assert told.form == form
    assert told.code == (None if form == "refused" else row.code or CODES[code])
    assert told.reason == (fault if row.reason else None)
    assert form not in ("http", "refused") or row.code or told.status == http
    if form == "refused":  # before it was a call
        line = eventually(lambda: [event for event in gateway.log() if told.id in event.get("message", "")])[0]
        assert line["event"] == "request_refused"
    else:
        line = gateway.logged(request_id=told.id)
        assert line["code"] == told.code and line["dialect"] == {"http": "rest"}.get(form, dialect)
    check_traces(gateway, fault, before, line)


# ---- Without a response --------------------------------------------------------------------------------

def leave_in_the_middle(gateway, call, backend):
    """The client closes as soon as the instance has its call."""
    before, body = len(backend.requests), call.body
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        if call.dialect == "grpc":
            http2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
            http2.initiate_connection()
            http2.send_headers(1, [(":method", call.verb), (":scheme", "http"), (":authority", "x"), (":path", call.path),
                                   ("content-type", call.media), ("te", "trailers"), *call.fields.items()])
            http2.send_data(1, body, end_stream=True)
            client.sendall(http2.data_to_send())
        else:
            fields = {**call.fields, **({"content-type": call.media, "content-length": len(body)} if body is not None else {})}
            head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            client.sendall(f"{call.verb} {call.path} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode() + (body or b""))
        eventually(lambda: len(backend.requests) > before)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_client_that_leaves_is_logged_counted_and_kept(tmp_path, dialect):
    with Http2Backend(serve) as backend, Gateway(tmp_path, CONFIG, limits=LIMITS, instance=backend.port, version="v3",
                                                 timeout="30s") as gateway:
        before = errors_of(gateway, "CANCELLED")
        leave_in_the_middle(gateway, with_fields(Call(dialect), x_do="hang"), backend)
        line = gateway.logged(code="CANCELLED")
        assert line["dialect"] == dialect
        check_traces(gateway, "CANCELLED", before, line)
