"""What every error says, whoever made it and in whichever dialect: its code, reason and request id, and the
fields about versions that a good answer would have."""
import base64
import json
import re
import struct

import grpc
import pytest
from backends import Backend, client, v1
from gateway import SHOP_CONFIG, Gateway, instances
from google.protobuf import json_format
from google.rpc import status_pb2 as rpc

SUNSET = "Wed, 01 Mar 2090 00:00:00 GMT"
CONFIG = SHOP_CONFIG.replace(
    "{name: v1, package: shop.orders.v1, schema: $orders}",
    "{name: v1, package: shop.orders.v1, schema: $orders, deprecated: 2026-03-01, sunset: 2090-03-01, "
    "successor: 'https://shop.example/v2'}").replace(
    "{name: v2, package: shop.orders.v2, schema: $orders}",
    "{name: v2, package: shop.orders.v2, schema: $orders, sunset: 2020-03-01, "
    "successor: 'https://shop.example/v3'}").replace(
    "changes:", "negotiate: [header, path, prefix, media_type, default]\n    on_conflict: first\n    changes:")


@pytest.fixture(scope="module")
def aged(tmp_path_factory):
    """v1 is old, v2 gone, v3 runs; the version's field comes first."""
    with Backend("v3") as backend:
        with Gateway(tmp_path_factory.mktemp("aged"), CONFIG, instances=instances(("v3", backend.port))) as gateway:
            yield gateway


@pytest.fixture(scope="module")
def down(tmp_path_factory):
    """The same without any instance that runs."""
    with Gateway(tmp_path_factory.mktemp("down"), CONFIG, instances=instances(("v3", 1))) as gateway:
        yield gateway


# ---- One error, as each dialect says it --------------------------------------------------------------

METADATA = ("api-version", "vary", "deprecation", "sunset", "link", "x-request-id")


class Told:
    """An error as its client got it."""

    def __init__(self, http_status, fields, code, message, details):
        self.http_status, self.fields, self.code, self.message = http_status, fields, code, message
        self.details = details

    @property
    def info(self):
        """The one ErrorInfo, as its JSON."""
        found = [detail for detail in self.details if detail["@type"].endswith("google.rpc.ErrorInfo")]
        assert len(found) == 1, self.details
        return found[0]


def lower(headers):
    fields = {}
    for name, value in headers:
        fields[name.lower()] = f"{fields[name.lower()]}, {value}" if name.lower() in fields else value
    return fields


def as_json(name, value):
    """A detail that is made of google.rpc's types as a REST client would see it."""
    kind = {"ErrorInfo": rpc.ErrorInfo, "BadRequest": rpc.BadRequest, "Help": rpc.Help,
            "RequestInfo": rpc.RequestInfo}.get(name.rpartition(".")[2])
    told = {"@type": f"type.googleapis.com/{name}"}
    if kind is rpc.ErrorInfo:
        info = kind.FromString(value)
        told.update(reason=info.reason, domain=info.domain, metadata=dict(info.metadata))
    elif kind:
        told.update(json_format.MessageToDict(kind.FromString(value)))
    return told


def details_of(status_bytes):
    return [as_json(detail.type_url.rpartition("/")[2], detail.value)
            for detail in rpc.Status.FromString(status_bytes).details]


def call_rest(gateway, message, headers):
    answer = gateway.http("POST", "/v1/orders", message["order"], headers)
    told = answer.json
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert told["status"] == answer.status
    return Told(answer.status, lower(answer.headers.items()), told["code"], told["detail"], told.get("details", []))


def connect_error(error):
    pad = "==="
    return [as_json(detail["type"], base64.b64decode(detail["value"] + pad)) for detail in error.get("details", [])]


def call_connect(gateway, message, headers):
    answer = gateway.http("POST", "/shop.orders.v1.Orders/Create", {"order": message["order"]}, headers)
    assert answer.headers["Content-Type"] == "application/json"
    return Told(answer.status, lower(answer.headers.items()), answer.json["code"].upper(),
                answer.json["message"], connect_error(answer.json))


def call_connect_stream(gateway, message, headers):
    """Watch, since Create is none."""
    body = json.dumps(message.get("watch", {"id": "nowhere"})).encode()
    answer = gateway.http("POST", "/shop.orders.v1.Orders/Watch", b"\0" + struct.pack(">I", len(body)) + body,
                          {"Content-Type": "application/connect+json", **headers})
    assert answer.status == 200 and answer.body[0] == 2
    error = json.loads(answer.body[5:])["error"]
    return Told(200, lower(answer.headers.items()), error["code"].upper(), error["message"], connect_error(error))


def call_grpc_web(gateway, message, headers):
    body = message["bytes"]
    answer = gateway.http("POST", "/shop.orders.v1.Orders/Create", b"\0" + struct.pack(">I", len(body)) + body,
                          {"Content-Type": "application/grpc-web+proto", **headers})
    assert answer.status == 200
    assert answer.body[0] == 0x80
    trailers = dict(line.split(": ", 1) for line in answer.body[5:].decode().split("\r\n") if line)
    details = base64.b64decode(trailers.get("grpc-status-details-bin", "") + "===")
    code = next(code for code in grpc.StatusCode if code.value[0] == int(trailers["grpc-status"]))
    return Told(200, lower(answer.headers.items()), code.name, trailers["grpc-message"], details_of(details))


def call_grpc(gateway, message, headers):
    channel = grpc.insecure_channel(gateway.address, [("grpc.use_local_subchannel_pool", 1)])
    gateway.clients.append(channel)
    call = channel.unary_unary("/shop.orders.v1.Orders/Create")
    with pytest.raises(grpc.RpcError) as caught:
        call(message["bytes"], metadata=[(name.lower(), value) for name, value in headers.items()])
    error = caught.value
    fields = lower([*error.initial_metadata(), *error.trailing_metadata()])
    return Told(200, fields, error.code().name, error.details(),
                details_of(fields.get("grpc-status-details-bin", b"")))


DIALECTS = {"rest": call_rest, "connect": call_connect, "connect_stream": call_connect_stream,
            "grpc_web": call_grpc_web, "grpc": call_grpc}
EACH_DIALECT = pytest.mark.parametrize("dialect", DIALECTS)


def good(**more):
    order = v1.Order(customer="ada")
    return {"order": {"customer": "ada"}, "bytes": v1.CreateRequest(order=order).SerializeToString(), **more}


# ---- Fields ------------------------------------------------------------------------------------------


def check_version_fields(told):
    assert told.fields["api-version"] == "v1"
    assert "api-version" in told.fields["vary"]
    assert told.fields["deprecation"] == "@1772323200"
    assert told.fields["sunset"] == SUNSET
    assert told.fields["link"] == '<https://shop.example/v2>; rel="successor-version"'
    assert re.fullmatch("[0-9a-f]{32}", told.fields["x-request-id"])


@EACH_DIALECT
def test_an_error_of_the_service_says_what_a_good_answer_would(aged, dialect):
    told = DIALECTS[dialect](aged, good(), {"shop-fail": "ABORTED"})
    assert (told.code, told.message) == ("ABORTED", "as the caller wished")
    assert told.info["reason"] == "AS_YOU_WISH" and told.info["domain"] == "shop.example"
    check_version_fields(told)


@EACH_DIALECT
def test_an_error_of_the_gateway_says_it_too(down, dialect):
    told = DIALECTS[dialect](down, good(), {})
    assert told.code == "UNAVAILABLE"
    info = told.info
    assert info["reason"] == "UPSTREAM_DOWN" and info["domain"] == "passerelle"
    assert info["metadata"]["request_id"] == told.fields["x-request-id"]
    assert info["metadata"]["version"] == "v1" and info["metadata"]["retryable"] == "true"
    check_version_fields(told)
    assert down.logged(request_id=told.fields["x-request-id"])["code"] == "UNAVAILABLE"


@EACH_DIALECT
def test_a_version_that_is_gone_says_where_to_go(aged, dialect):
    told = DIALECTS[dialect](aged, good(), {"Api-Version": "v2"})
    assert told.code == "UNIMPLEMENTED" and told.info["reason"] == "VERSION_SUNSET"
    assert "https://shop.example/v3" in told.message
    assert told.http_status == {"rest": 410, "connect": 501}.get(dialect, 200)
    assert told.fields["api-version"] == "v2" and told.fields["sunset"] == "Sun, 01 Mar 2020 00:00:00 GMT"
    assert told.fields["link"] == '<https://shop.example/v3>; rel="successor-version"'


@EACH_DIALECT
def test_a_version_that_never_was_is_refused_and_another_word_would_do(aged, dialect):
    told = DIALECTS[dialect](aged, good(), {"Api-Version": "v9"})
    assert told.code == "INVALID_ARGUMENT" and told.info["reason"] == "UNKNOWN_VERSION"
    assert "v1" in told.message and "v3" in told.message
    assert "api-version" in told.fields["vary"]  # a cache must not give this to who says another
    assert "api-version" not in told.fields
    assert told.info["metadata"]["request_id"] == told.fields["x-request-id"]


@EACH_DIALECT
def test_a_message_that_cannot_be_read_is_the_clients_mistake(aged, dialect):
    bad = {"order": {"customer": 7}, "bytes": b"\x0a\x7f", "watch": {"id": 7}}
    told = DIALECTS[dialect](aged, bad, {})
    assert told.code == "INVALID_ARGUMENT"
    assert told.info["reason"] in ("BAD_VALUE", "BAD_MESSAGE", "BAD_JSON")
    if dialect in ("rest", "connect", "connect_stream"):
        kinds = [detail["@type"].rpartition(".")[2] for detail in told.details]
        assert kinds.count("BadRequest") == 1 and len(kinds) == len(set(kinds))  # AIP-193: each type once
    check_version_fields(told)


def test_no_reason_is_longer_than_aip_193_allows_and_all_are_upper_snake(aged):
    for told in (call_rest(aged, good(), {"Api-Version": "v9"}), call_rest(aged, {"order": []}, {})):
        assert re.fullmatch("[A-Z][A-Z0-9_]{0,61}[A-Z0-9]", told.info["reason"])


# ---- The service's own words -------------------------------------------------------------------------


@pytest.mark.parametrize("code,http_status", [(17, 500), (2021, 404), (2147483647, 500)])
def test_a_status_code_of_the_services_own_reaches_every_client(tmp_path, code, http_status):
    from http2_backend import Http2Backend

    def failing(request):
        request.begin()
        request.end(code, "no water")

    config = SHOP_CONFIG.replace("    changes:", "    status_codes: {2021: 404}\n    changes:")
    with Http2Backend(failing) as backend:
        with Gateway(tmp_path, config, instances=instances(("v3", backend.port))) as gateway:
            body = v1.CreateRequest(order=v1.Order(customer="ada")).SerializeToString()
            web = gateway.http("POST", "/shop.orders.v1.Orders/Create", b"\0" + struct.pack(">I", len(body)) + body,
                               {"Content-Type": "application/grpc-web+proto"})
            assert f"grpc-status: {code}\r\n".encode() in web.body
            assert call_grpc(gateway, good(), {}).code == "UNKNOWN"  # as grpcio knows it
            for call in (call_rest, call_connect):
                told = call(gateway, good(), {})
                assert (told.http_status, told.code) == (http_status, "UNKNOWN")
                assert told.info["metadata"] == {"status_code": str(code)}
            logged = gateway.logged(dialect="rest")
            assert (logged["code"], logged["status_code"]) == ("UNKNOWN", code)


# ---- HTTP's own words --------------------------------------------------------------------------------


@pytest.mark.parametrize("http_status,code", [
    (400, "INTERNAL"), (401, "UNAUTHENTICATED"), (403, "PERMISSION_DENIED"), (404, "UNIMPLEMENTED"),
    (429, "UNAVAILABLE"), (502, "UNAVAILABLE"), (503, "UNAVAILABLE"), (504, "UNAVAILABLE"), (418, "UNKNOWN"),
    (500, "UNKNOWN"), (200, "UNKNOWN")])
def test_http_speaks_for_an_rpc_instance_only_where_grpc_is_silent(tmp_path, http_status, code):
    from test_compression import WebBackend, frame

    class Silent(WebBackend.Handler):
        def do_POST(self):
            self.rfile.read(0)
            body = b"a page" if http_status != 200 else frame(b"")
            self.send_response(http_status)
            self.send_header("Content-Type", "text/html" if http_status != 200 else "application/grpc-web+proto")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

    backend = WebBackend()
    backend.RequestHandlerClass = Silent
    listed = f"[{{address: '127.0.0.1:{backend.server_port}', protocol: grpc_web, versions: [v3]}}]"
    config = CONFIG.replace("timeout: 5s", "timeout: 5s, attempts: 1")
    try:
        with Gateway(tmp_path, config, instances=listed) as gateway:
            with pytest.raises(grpc.RpcError) as caught:
                client(gateway, "v1").Get(v1.GetRequest(id="x"))
            assert caught.value.code().name == code
    finally:
        backend.shutdown()
        backend.server_close()


@pytest.mark.parametrize("http_status,code", [
    (400, "INVALID_ARGUMENT"), (401, "UNAUTHENTICATED"), (403, "PERMISSION_DENIED"), (404, "NOT_FOUND"),
    (405, "UNIMPLEMENTED"), (409, "ABORTED"), (410, "NOT_FOUND"), (412, "FAILED_PRECONDITION"),
    (422, "INVALID_ARGUMENT"), (429, "RESOURCE_EXHAUSTED"), (500, "INTERNAL"), (501, "UNIMPLEMENTED"),
    (503, "UNAVAILABLE"), (504, "DEADLINE_EXCEEDED")])
def test_a_rest_instance_has_a_table_of_its_own(tmp_path, http_status, code):
    from test_errors import RestBackend
    with RestBackend() as backend:
        backend.answer = (http_status, "text/plain", b"no")
        listed = f"[{{address: '127.0.0.1:{backend.server_port}', protocol: rest, versions: [v3]}}]"
        with Gateway(tmp_path, CONFIG, instances=listed) as gateway:
            with pytest.raises(grpc.RpcError) as caught:
                client(gateway, "v1").Get(v1.GetRequest(id="x"))
            assert caught.value.code().name == code
            answer = gateway.http("GET", "/v1/orders/x")
            assert answer.json["code"] == code and answer.json["status"] == answer.status
        backend.shutdown()
