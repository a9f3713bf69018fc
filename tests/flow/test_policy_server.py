"""A policy server is asked about calls, by Envoy's ext_authz: what it gets, and what becomes of what it says, in all dialects."""
import contextlib
import http.server
import json
import subprocess
import threading

import grpc
import pytest
from backends import Backend, client, v3
from gateway import BINARY, Gateway
from grpc_services import Health, Reflection
from http2_client import http2_request
from operators import on_socket
from policy_server import PolicyServer, allowed, auth, denied, option
from processes import eventually, free_port
from test_each_fault import DIALECTS, Call, with_fields

CONFIG = """
listen: [{address: '127.0.0.1:$port'}, {address: '127.0.0.1:$free', policy_server: none}]
admin: {address: '127.0.0.1:$admin', socket: 'unix:$folder/admin.sock'}
log: "-"
policy_servers:
  - {name: opa, instances: ['127.0.0.1:$opa'], timeout: 300ms, response_bytes: 4KiB, message_bytes: 20, fields: 8}
  - {name: away, instances: ['127.0.0.1:$nobody'], timeout: 200ms}
  - {name: lax, instances: ['127.0.0.1:$nobody'], timeout: 200ms, on_error: admit}
  - {name: reader, instances: ['127.0.0.1:$opa'], headers: [x-*], body: 64}
  - {name: skimmer, instances: ['127.0.0.1:$opa'], headers: [none], body: 4, partial_body: true, raw_body: true}
  - {name: loose, instances: ['127.0.0.1:$opa'], timeout: 300ms, on_error: admit}
authorization: {policy_server: opa}
services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders}
      - {name: v2, package: shop.orders.v2, schema: $orders}
      - {name: v3, package: shop.orders.v3, schema: $orders}
    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]
    instances: [{address: '127.0.0.1:$instance', protocol: grpc, versions: [v3]}]
routes:
  - {match: orders, policy_context: {area: orders, level: high}}
  - {match: orders.Orders/List, on_failure: {graceful: {default: {}}}}
  - {match: /echo/, instances: [{address: '127.0.0.1:$echo', protocol: http}]}
  - {match: /away/, policy_server: away, instances: [{address: '127.0.0.1:$echo', protocol: http}]}
  - {match: /lax/, policy_server: lax, instances: [{address: '127.0.0.1:$echo', protocol: http}]}
  - {match: /loose/, policy_server: loose, instances: [{address: '127.0.0.1:$echo', protocol: http}]}
  - {match: /read/, policy_server: reader, instances: [{address: '127.0.0.1:$echo', protocol: http}]}
  - {match: /skim/, policy_server: skimmer, instances: [{address: '127.0.0.1:$echo', protocol: http}]}
  - {match: /free/, policy_server: none, instances: [{address: '127.0.0.1:$echo', protocol: http}]}
"""

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Echo(http.server.BaseHTTPRequestHandler):
    """Responds with the fields and the body of the request."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        size = int(self.headers.get("content-length", 0))
        told = {name.lower(): value for name, value in self.headers.items()}
        body = json.dumps({":body": self.rfile.read(size).decode("latin-1"), **told}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, *ignored):
        pass


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """(gateway, policy server)"""
    echo = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=echo.serve_forever, daemon=True).start()
    with contextlib.ExitStack() as running:
        backend = running.enter_context(Backend("v3"))
        server = running.enter_context(PolicyServer())
        gateway = running.enter_context(Gateway(
            tmp_path_factory.mktemp("policy"), CONFIG, instance=backend.port, opa=server.port, nobody=free_port(),
            free=free_port(), echo=echo.server_address[1]))
        client(gateway, "v3").Create(v3.CreateRequest(order=v3.Order(id="1", buyer=v3.Buyer(id="ada"), currency="EUR")))
        yield gateway, server
    echo.shutdown()


@pytest.fixture
def gateway(world):
    world[1].asked.clear()
    world[1].decide = lambda request, context: allowed()
    return world[0]


@pytest.fixture
def server(world, gateway):
    return world[1]


# ---- What it is asked --------------------------------------------------------------------------------

@pytest.mark.parametrize("dialect", DIALECTS)
def test_it_is_asked_what_policies_look_at(gateway, server, dialect):
    server.decide = lambda request, context: denied()
    told = with_fields(Call(dialect), authorization="Bearer t", x_name="a", traceparent=TRACE).send(gateway)
    (attributes, metadata), = server.asked
    http = attributes.request.http
    assert http.headers["authorization"] == "Bearer t" and http.headers["x-name"] == "a"
    assert (http.method, http.path) == (("GET", "/v3/orders/1") if dialect == "rest" else
                                        ("POST", "/shop.orders.v3.Orders/Get"))
    assert http.headers[":path"] == http.path and http.host == http.headers[":authority"]
    assert http.scheme == "http" and http.protocol == ("HTTP/2" if dialect == "grpc" else "HTTP/1.1")
    assert not http.body and not http.raw_body
    assert attributes.source.address.socket_address.address == "127.0.0.1"
    assert attributes.source.address.socket_address.port_value
    assert attributes.destination.address.socket_address.port_value == gateway.port
    assert attributes.request.time.seconds > 1_700_000_000
    assert dict(attributes.context_extensions) == {"area": "orders", "level": "high"}
    known = attributes.metadata_context.filter_metadata["passerelle"].fields
    assert {name: known[name].string_value for name in known} == {
        "service": "orders", "version": "v3", "method": "/shop.orders.v3.Orders/Get", "route": "orders"}
    assert metadata["x-request-id"] == told.id == http.id and metadata["traceparent"].startswith(TRACE[:36])


@pytest.mark.parametrize("spelled, meant", [
    ("/echo/public/../admin/x?a=%61", "/echo/admin/x?a=%61"), ("/echo/public/%2e%2e/admin/x", "/echo/admin/x"),
    ("/echo/%61dmin/x", "/echo/admin/x"), ("/v3/orders/%31?x=%61", "/v3/orders/1?x=%61"), ("/v3/orders/a%2fb", "/v3/orders/a%2Fb")])
def test_it_is_told_the_path_that_is_meant_however_it_is_spelled(gateway, server, spelled, meant):
    server.decide = lambda request, context: denied()
    assert gateway.http("GET", spelled).status == 403
    (attributes, _), = server.asked
    assert attributes.request.http.path == attributes.request.http.headers[":path"] == meant


@pytest.mark.parametrize("spelled", ["/v3/orders/%2e%2e", "/v3/orders/.."])
def test_a_path_of_a_method_that_could_be_another_one_is_refused_unasked(gateway, server, spelled):
    assert gateway.http("GET", spelled).status == 400
    assert not server.asked


def test_a_stream_is_asked_about_once(gateway, server):
    requests = [v3.GetRequest(id=order) for order in ("1", "2", "3")]
    with pytest.raises(grpc.RpcError) as caught:
        list(client(gateway, "v3").Lookup(iter(requests), timeout=10))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert len(server.asked) == 1


def test_a_body_is_told_as_text_up_to_its_limit(gateway, server):
    assert gateway.http("POST", "/read/", b"a" * 64, {"X-A": "1", "Accept": "b"}).json[":body"] == "a" * 64
    (attributes, _), = server.asked
    assert attributes.request.http.body == "a" * 64 and attributes.request.http.size == 64
    assert attributes.request.http.headers["x-envoy-auth-partial-body"] == "false"
    assert attributes.request.http.headers["x-a"] == "1" and "accept" not in attributes.request.http.headers
    assert gateway.http("POST", "/read/", b"a" * 65).status == 413
    assert len(server.asked) == 1


def test_a_longer_body_may_be_cut(gateway, server):
    for body, shown in ((b"\xffbcd", b"\xffbcd"), (b"abcde", b"abcd"), (b"x" * 300_000, b"xxxx"), (b"", b"")):
        server.asked.clear()
        assert gateway.http("POST", "/skim/", body).json[":body"] == body.decode("latin-1")
        (attributes, _), = server.asked
        assert attributes.request.http.raw_body == shown
        if body:
            assert attributes.request.http.headers["x-envoy-auth-partial-body"] == ("true" if len(body) > 4 else "false")


def test_where_none_is_named_none_is_asked(gateway, server):
    assert gateway.http("GET", "/free/").status == 200
    assert gateway.http("GET", "/echo/", port=gateway.words["free"]).status == 200
    assert not server.asked


def test_the_gateways_own_services_are_asked_about_but_for_health(gateway, server):
    assert Health(gateway).check() == "SERVING" and not server.asked
    assert "shop.orders.v1.Orders" in Reflection(gateway).services()
    (attributes, _), = server.asked
    assert attributes.request.http.path.endswith("ServerReflectionInfo")
    server.decide = lambda request, context: denied()
    with pytest.raises(grpc.RpcError) as caught:
        Reflection(gateway).services()
    assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED


def test_explain_and_check_say_who_decides(gateway):
    def said(*words):
        return subprocess.run([BINARY, words[0], gateway.file, *words[1:]], capture_output=True, text=True, timeout=60)
    assert ("opa decides within 300 ms; without its answer the call is refused; it is told area=orders, level=high"
            in said("explain", "GET", "/v3/orders/1").stdout)
    assert "lax decides within 200 ms; without its answer the call is made" in said("explain", "GET", "/lax/").stdout
    assert "nobody is asked" in said("explain", "GET", "/free/").stdout
    policy = json.loads(said("explain", "GET", "/v3/orders/1", "--json").stdout)["access"]["policy"]
    assert policy == {"server": "opa", "timeout_ms": 300, "on_error": "refuse", "context": {"area": "orders", "level": "high"}}
    checked = said("check")
    assert checked.returncode == 0 and "while the policy server lax cannot be asked" in checked.stdout + checked.stderr


# ---- What it says ------------------------------------------------------------------------------------

@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_refusal_is_told_in_the_words_of_the_server(gateway, server, dialect):
    before = gateway.metric("passerelle_policy_denied_total")
    server.decide = lambda request, context: denied(401, "not today, and not tomorrow", option("x-why", "because"),
                                                    option("content-length", "3"), option("www-authenticate", "Bearer"))
    told = Call(dialect).send(gateway)
    assert (told.code, told.reason) == ("UNAUTHENTICATED", "POLICY_DENIED")
    assert gateway.metric("passerelle_policy_denied_total") == before + 1
    line = gateway.logged(request_id=told.id)
    assert line["causes"][0]["fault"] == "POLICY_DENIED" and "opa" in json.dumps(line)
    assert "attempts" not in line


def test_a_refusal_has_its_status_text_and_fields(gateway, server):
    server.decide = lambda request, context: denied(401, "not today, and not tomorrow", option("x-why", "because"),
                                                    option("transfer-encoding", "chunked"))
    for path in ("/v3/orders/1", "/echo/"):
        told = gateway.http("GET", path)
        assert told.status == 401 and told.headers["x-why"] == "because" and told.json["detail"] == "not today, and not t"
        assert told.headers["transfer-encoding"] is None and "www-authenticate" not in told.headers
        assert "opa" not in str(told.headers) + told.body.decode() and "api-version" not in told.headers


def test_a_refusal_may_lead_elsewhere(gateway, server):
    server.decide = lambda request, context: denied(302, "", option("location", "/login"))
    told = gateway.http("GET", "/echo/")
    assert told.status == 302 and told.headers["location"] == "/login" and not told.body


def test_a_refusal_without_a_text_or_a_status_has_those_of_its_fault(gateway, server):
    server.decide = lambda request, context: auth.CheckResponse(status={"code": 7})
    told = gateway.http("GET", "/v3/orders/1")
    assert told.status == 403 and told.json["reason"] == "POLICY_DENIED" and told.json["detail"]


def test_fields_of_the_request_are_added_changed_and_removed(gateway, server):
    server.decide = lambda request, context: allowed(
        option("x-user", "ada"), option("x-list", "c", append=True), option("x-new", "n", action=1),
        removed=["Authorization"], response=[option("x-told", "yes"), option("content-length", "1")])
    for path in ("/echo/", "/read/"):
        told = gateway.http("POST", path, b"body", {"X-User": "forged", "X-List": "b", "Authorization": "Bearer t"})
        assert told.json["x-user"] == "ada" and told.json["x-list"].replace(" ", "").endswith("c")
        assert told.json["x-new"] == "n" and "authorization" not in told.json and told.json[":body"] == "body"
        assert told.headers["x-told"] == "yes"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_fields_reach_instances_and_clients_in_each_dialect(gateway, server, dialect):
    server.decide = lambda request, context: allowed(option("x-user", "ada"), response=[option("x-told", "yes")])
    call = Call(dialect)
    if dialect == "grpc":
        status, head, _, trailers = http2_request(gateway.port, "POST", call.path, [("content-type", call.media), ("te", "trailers")],
                                                  call.body)
        assert status == 200 and {**head, **trailers}["x-told"] == ["yes"]
    else:
        told = gateway.http(call.verb, call.path, call.body, {"content-type": call.media} if call.body is not None else {})
        assert told.headers["x-told"] == "yes"


@pytest.mark.parametrize("name, value", [("host", "other"), ("content-length", "5"), ("transfer-encoding", "chunked"),
                                         ("x-user", "a\r\nx-b: c"), (":path", "/free/"), ("passerelle-hops", "a")])
def test_who_is_allowed_with_a_change_that_cannot_be_made_is_refused(gateway, server, name, value):
    before = gateway.metric("passerelle_policy_fields_refused_total")
    server.decide = lambda request, context: allowed(option(name, value))
    for path in ("/echo/", "/loose/"):
        told = gateway.http("GET", path, headers={"X-User": "forged"})
        assert told.status == 503 and told.json["reason"] == "POLICY_UNAVAILABLE"
    assert gateway.metric("passerelle_policy_fields_refused_total") == before + 2


# ---- When it says nothing ----------------------------------------------------------------------------

def slow(request, context):
    eventually(lambda: not context.is_active())
    return allowed()


def broken(request, context):
    context.abort(grpc.StatusCode.INTERNAL, "secret of the policy")


SILENT = {"slow": slow, "an error": broken, "garbage": lambda request, context: b"\xff\xff\xff",
          "nothing": lambda request, context: b"", "huge": lambda request, context: b"\x0a\x00" + b"\x22\x80\x40" + bytes(8192),
          "too many fields": lambda request, context: allowed(*[option("x-a", "b", append=True)] * 9)}


@pytest.mark.parametrize("how", SILENT)
def test_without_an_answer_calls_are_refused_or_admitted_as_the_config_says(gateway, server, how):
    counted = [gateway.metric(f"passerelle_policy_{name}_total") for name in ("failed", "admitted")]
    server.decide = SILENT[how]
    told = gateway.http("GET", "/v3/orders/1")
    assert told.status == 503 and told.json["reason"] == "POLICY_UNAVAILABLE"
    assert "secret" not in told.body.decode() and "opa" not in told.body.decode()
    assert gateway.http("GET", "/loose/").status == 200 or how == "huge"
    failed, admitted = (gateway.metric(f"passerelle_policy_{name}_total") for name in ("failed", "admitted"))
    causes = gateway.logged(request_id=told.headers["x-request-id"])["causes"]
    if how == "slow":  # or the server's own clock was first
        assert any(text in str(causes) for text in ("no response within 300 ms (the gateway's own)", "DEADLINE_EXCEEDED"))
    assert failed >= counted[0] + 1 and admitted >= counted[1] + (how not in ("huge", "too many fields"))


@pytest.mark.parametrize("said, status", [
    (denied(401, "", *[option(f"x-{i}", "b") for i in range(65)]), 401), (denied(401, "", option("x-a", "b", action=9)), 401),
    (denied(401, "x" * 70_000), 503)], ids=["many fields", "an unknown action", "long"])
def test_a_refusal_at_length_admits_nobody(gateway, server, said, status):
    """By a server without which calls are made."""
    server.decide = lambda request, context: said
    assert gateway.http("GET", "/loose/").status == status


def test_a_server_that_is_down_is_the_gateways_fault_and_in_the_ledger(gateway, server):
    told = gateway.http("GET", "/away/")
    assert told.status == 503 and told.json["reason"] == "POLICY_UNAVAILABLE"
    line = gateway.logged(request_id=told.headers["x-request-id"])
    assert line["causes"][0]["fault"] == "POLICY_UNAVAILABLE"
    assert "UPSTREAM_DOWN" in [cause["fault"] for cause in line["causes"]]
    assert gateway.metric("passerelle_errors_total", fault="POLICY_UNAVAILABLE", side="gateway")
    page = on_socket(gateway.folder / "admin.sock", "GET", "/errors").json
    assert any(row["fault"] == "POLICY_UNAVAILABLE" for row in page["failures"])
    assert gateway.http("GET", "/lax/").status == 200
    assert not server.asked


def test_no_default_stands_in_for_a_refusal_or_for_silence(gateway, server):
    server.decide = lambda request, context: b""
    assert gateway.http("GET", "/v3/orders?limit=5").status == 503
    server.decide = lambda request, context: denied(404)
    assert gateway.http("GET", "/v3/orders?limit=5").status == 404


def test_who_leaves_is_asked_about_no_longer(gateway, server):
    left = server.left
    server.decide = slow
    call = client(gateway, "v3").Get.future(v3.GetRequest(id="1"))
    eventually(lambda: server.asked)
    call.cancel()
    eventually(lambda: server.left == left + 1)
    assert gateway.logged(code="CANCELLED")


def test_the_clients_deadline_covers_the_question(gateway, server):
    server.decide = slow
    told = with_fields(Call("grpc"), grpc_timeout="50m").send(gateway)
    assert (told.code, told.reason) == ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED")
    assert "policy server" in json.dumps(gateway.logged(request_id=told.id))
