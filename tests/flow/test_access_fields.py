"""Who may call, by the fields of the request: in all dialects and versions, and past no trick."""
import base64
import gzip
import hashlib
import itertools
import json
import re
import struct
import subprocess

import grpc
import pytest
from backends import Backend, client, v3
from gateway import BINARY, Gateway
from http2_client import http2_request

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin'}
log: "-"
errors: full
limits: {work_bytes: 1KiB}
authentication: [{api_keys: $folder/api-keys.yaml}]
services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders}
      - {name: v2, package: shop.orders.v2, schema: $orders}
      - {name: v3, package: shop.orders.v3, schema: $orders}
    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]
    instances: [{address: '127.0.0.1:$instance', protocol: grpc, versions: [v3]}]
routes:
  - {match: orders, allow: [{fields: {id: $$client}}, {class: [staff]}]}
  - match: orders.Orders/List
    unknown_fields: count
    allow:
      - {version: [v1], fields: {customer: $$client}}
      - {version: [v2], fields: {customer_id: $$client}}
      - {version: [v3], fields: {buyer.id: $$client}}
      - {fields: {limit: $$claims.pages, customer: everyone}, client: [ada]}
      - {class: [staff]}
"""
KEYS = {"ada": "{client: ada, claims: {pages: 5 7}}", "eve": "{client: eve, class: staff}"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fields")
    (folder / "api-keys.yaml").write_text("keys:\n" + "".join(
        f"  - {{sha256: {hashlib.sha256(name.encode()).hexdigest()}, {said[1:]}\n" for name, said in KEYS.items()))
    with Backend("v3") as backend, Gateway(folder, CONFIG, instance=backend.port) as gateway:
        yield gateway


OWNER = {"v1": "customer", "v2": "customerId", "v3": "buyer.id"}
LIST = {version: f"/shop.orders.{version}.Orders/List" for version in OWNER}


def message(version, owner):
    return {"buyer": {"id": owner}} if version == "v3" else {OWNER[version]: owner}


def wire(version, owner):
    """Field 1, a text; of v3 in a message."""
    text = b"\x0a" + bytes([len(owner)]) + owner.encode()
    return b"\x0a" + bytes([len(text)]) + text if version == "v3" else text


def framed(body, flags=0):
    return struct.pack(">BI", flags, len(body)) + body


def status_of(gateway, path, media, body, who="ada", **fields):
    """403, or 0: it was allowed; or what else was wrong."""
    verb = "POST" if media else "GET"
    headers = {"x-api-key": who, **({"content-type": media} if media else {}), **fields}
    if media and media.startswith("application/grpc") and "web" not in media:
        status, head, told, trailers = http2_request(gateway.port, verb, path, [*headers.items(), ("te", "trailers")], body)
        code = {**head, **trailers}["grpc-status"][0]
    else:
        answer = gateway.http(verb, path, body, headers)
        status, code = answer.status, (re.findall(rb"grpc-status: *(\d+)", answer.body) or [answer.headers.get("grpc-status", "").encode()])[0].decode()
    return {"7": 403, "0": 0, "3": 400}[code] if code else 0 if status == 200 else status


SENDERS = {
    "grpc": lambda version, owner: (LIST[version], "application/grpc", framed(wire(version, owner))),
    "grpc of JSON": lambda version, owner: (LIST[version], "application/grpc+json", framed(json.dumps(message(version, owner)).encode())),
    "grpc-web": lambda version, owner: (LIST[version], "application/grpc-web+proto", framed(wire(version, owner))),
    "connect": lambda version, owner: (LIST[version], "application/proto", wire(version, owner)),
    "connect of JSON": lambda version, owner: (LIST[version], "application/json", json.dumps(message(version, owner)).encode()),
    "connect's GET": lambda version, owner: (
        f"{LIST[version]}?connect=v1&encoding=proto&base64=1&message={base64.urlsafe_b64encode(wire(version, owner)).decode()}", None, None),
    "rest": lambda version, owner: (f"/{version}/orders?{OWNER[version]}={owner}", None, None),
}


@pytest.mark.parametrize("sender", SENDERS)
def test_a_client_may_ask_for_what_is_its_own_alike_in_all_dialects_and_versions(gateway, sender):
    for version, owner, who in itertools.product(OWNER, ("ada", "bob", "ad", ""), ("ada", "eve")):
        right = 0 if who == "eve" or owner == "ada" else 403
        assert status_of(gateway, *SENDERS[sender](version, owner), who) == right, (version, owner, who)


def test_a_variable_of_the_path_is_a_field(gateway):
    for owner, right in (("ada", 0), ("bob", 403)):
        assert status_of(gateway, f"/v3/customers/{owner}/orders", None, None) == right


def test_a_refused_request_reaches_nobody_and_why_is_in_the_log(gateway):
    told = gateway.http("GET", "/v1/orders?customer=bob", headers={"x-api-key": "ada"})
    assert (told.status, told.json["reason"]) == (403, "NOT_ALLOWED")
    line = gateway.logged(request_id=told.headers["x-request-id"])
    assert "a request with these fields" in json.dumps(line["causes"]) and "instance" not in line


def test_a_claim_and_a_text_are_values_too(gateway):
    for limit, owner, right in ((5, "everyone", 0), (7, "everyone", 0), (6, "everyone", 403), (57, "everyone", 403), (5, "anyone", 403)):
        assert status_of(gateway, f"/v1/orders?customer={owner}&limit={limit}", None, None) == right, (limit, owner)


ADA, BOB = wire("v1", "ada"), wire("v1", "bob")
DEEP = {name: wire("v3", name) for name in ("ada", "bob")}


@pytest.mark.parametrize("version,body", [
    ("v1", ADA + BOB), ("v1", BOB + ADA), ("v1", ADA + b"\x0a\x00"), ("v1", b""), ("v1", b"\x08\x01"), ("v1", b"\x0a\x04ada\x00"), ("v1", b"\x0a\x04ada "),
    ("v3", DEEP["ada"] + DEEP["bob"]), ("v3", DEEP["bob"] + DEEP["ada"]), ("v3", b"\x0a\x0a" + ADA + BOB), ("v3", b"\x0a\x00"), ("v3", ADA)])
def test_a_field_that_is_there_twice_or_not_at_all_does_not_allow(gateway, version, body):
    assert status_of(gateway, LIST[version], "application/grpc", framed(body)) in (400, 403)


def test_a_message_in_two_parts_is_one(gateway):
    assert status_of(gateway, LIST["v3"], "application/grpc", framed(DEEP["ada"] + b"\x0a\x00")) == 0


def test_a_broken_message_does_not_allow(gateway):
    assert status_of(gateway, LIST["v1"], "application/grpc", framed(ADA + b"\xff")) in (400, 403)
    assert status_of(gateway, LIST["v1"], "application/json", b'{"customer": "ada"') == 400


@pytest.mark.parametrize("body", ['{"customer":"ada","customer":"bob"}', '{"customer":"bob","customer":"ada"}', '{"customerId":"ada","customer_id":"bob"}',
                                  '{"customer":"ada","Customer":"bob"}', '{"cust\\u006fmer":"bob","customer":"ada"}', '{"customer":["ada"]}', "[]", "null", ""])
def test_no_spelling_of_JSON_leads_past_a_rule(gateway, body):
    """Also what would pass as an unknown field, and which another reader may take for the known one."""
    version = "v2" if "customerId" in body else "v1"
    assert status_of(gateway, LIST[version], "application/json", body.encode()) in (400, 403)


def test_a_query_beside_the_path_does_not_lead_past_a_rule(gateway):
    for query in ("?buyer.id=bob", "?buyer.id=ada&buyer.id=bob"):
        assert status_of(gateway, f"/v3/customers/ada/orders{query}", None, None) in (400, 403)


def test_a_compressed_request_is_looked_into_and_a_large_one_is_not(gateway):
    zipped = lambda body: framed(gzip.compress(body), 1)  # noqa: E731
    padding = lambda size: b"\x7a" + bytes([size & 0x7f | 0x80, size >> 7]) + size * b"x"  # noqa: E731 (of a field that v1 does not have)
    for body, who, right in ((zipped(ADA), "ada", 0), (zipped(BOB), "ada", 403), (framed(ADA + padding(1024 - 5 - 3)), "ada", 0),
                             (framed(ADA + padding(1024 - 5 - 2)), "ada", 403), (framed(ADA + padding(1024 - 5 - 2)), "eve", 0),
                             (zipped(ADA + padding(1024 - 5 - 3)), "ada", 0), (zipped(ADA + padding(1024 - 5 - 2)), "ada", 403)):
        assert status_of(gateway, LIST["v1"], "application/grpc", body, who, **{"grpc-encoding": "gzip"}) == right, (len(body), who)


def test_no_rule_of_fields_allows_a_stream_of_requests(gateway):
    for who, right in (("ada", grpc.StatusCode.PERMISSION_DENIED), ("eve", None)):
        call = client(gateway, "v3").Lookup(iter([v3.GetRequest(id=who)]), metadata=(("x-api-key", who),), timeout=10)
        try:
            seen = list(call) and None
        except grpc.RpcError as refused:
            seen = refused.code() if right else None
        assert seen == right


def test_a_narrower_route_has_the_rules_and_a_method_without_the_field_is_closed(gateway):
    for method, request, right in (("Get", v3.GetRequest(id="ada"), grpc.StatusCode.NOT_FOUND), ("Get", v3.GetRequest(id="bob"), grpc.StatusCode.PERMISSION_DENIED),
                                   ("Get", v3.GetRequest(), grpc.StatusCode.PERMISSION_DENIED), ("Create", v3.CreateRequest(), grpc.StatusCode.PERMISSION_DENIED)):
        with pytest.raises(grpc.RpcError) as refused:
            getattr(client(gateway, "v3"), method)(request, metadata=(("x-api-key", "ada"),), timeout=10)
        assert refused.value.code() == right, (method, request)


@pytest.mark.parametrize("rule,told", [
    ("{match: orders.Orders/Lookup, allow: [{fields: {id: $client}}]}", "takes streams of requests"),
    ("{match: /a/, instances: ['127.0.0.1:1'], allow: [{fields: {id: $client}}]}", "has no fields that are known"),
    ("{match: orders.Orders/List, allow: [{fields: {buyer: $client}}]}", "has the text or whole number buyer"),
    ("{match: orders.Orders/Create, allow: [{fields: {order.lines.sku: $client}}]}", "has the text or whole number order.lines.sku")])
def test_a_rule_that_can_hold_for_nothing_is_a_mistake(gateway, rule, told):
    text = gateway.file.read_text()
    file = gateway.folder / "wrong.yaml"
    file.write_text(text[:text.index("routes:")] + f"routes: [{rule}]\n")
    said = subprocess.run([BINARY, "check", file], capture_output=True, text=True, timeout=60)
    assert said.returncode == 1 and told in said.stdout + said.stderr


def test_explain_says_that_it_depends_on_the_request(gateway):
    explained = lambda *more: subprocess.run([BINARY, "explain", gateway.file, "GET", "/v1/orders", "--client", "ada", *more],  # noqa: E731
                                             capture_output=True, text=True, timeout=60).stdout
    assert 'allow     {"version":["v1"],"fields":{"customer":"$client"}}: holds for requests with these fields\n' in explained()
    assert json.loads(explained("--json"))["access"]["allow"][0]["fields"] == {"customer": "$client"}
