"""What errors of the gateway's own making tell: `errors`, said globally, by listener and by route."""
import json

import pytest
from backends import Backend
from gateway import SHOP_CONFIG, Gateway, instances
from http2_client import http2_request
from processes import eventually, free_port
from raw import Raw
from test_error_fields import DIALECTS, EACH_DIALECT, good

PUBLIC = SHOP_CONFIG.replace("errors: full\n", "")
OLD = "  - {match: /old/, instances: [{address: '127.0.0.1:1', protocol: http}]}\n"


@pytest.fixture(scope="module")
def down(tmp_path_factory):
    """By default, with no instance that runs."""
    with Gateway(tmp_path_factory.mktemp("down"), PUBLIC + OLD, instances=instances(("v3", 1))) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """By default, with one that does."""
    with Backend("v3") as backend:
        with Gateway(tmp_path_factory.mktemp("up"), PUBLIC, instances=instances(("v3", backend.port))) as gateway:
            yield gateway


def everything(told):
    return f"{told.fields} {told.message} {told.details} {told.code}"


def assert_public(told, address):
    text = everything(told)
    for secret in (address, "127.0.0.1", "connect ", "DebugInfo", "causes", "served_by", "instance'", "refused"):
        assert secret not in text, secret


@EACH_DIALECT
def test_by_default_no_dialect_tells_what_lies_behind(down, dialect):
    told = DIALECTS[dialect](down, good(), {})
    assert told.code == "UNAVAILABLE" and told.message == "no instance of the service can be reached"
    assert told.info["reason"] == "UPSTREAM_DOWN"
    assert told.info["metadata"]["request_id"] == told.fields["x-request-id"]
    assert_public(told, "127.0.0.1:1")
    line = down.logged(request_id=told.fields["x-request-id"])
    assert "127.0.0.1:1" in str(line["causes"])  # the operator reads all of it


def test_a_route_without_schema_tells_no_more(down):
    answer = down.http("GET", "/old/x")
    assert answer.status == 503 and answer.json["reason"] == "UPSTREAM_DOWN"
    assert "127.0.0.1" not in answer.body.decode() and "causes" not in answer.json


@EACH_DIALECT
def test_the_callers_own_field_is_named(up, dialect):
    bad = {"order": {"customer": "ada", "nobody": 1}, "bytes": b"\x0a\x04\x12\x02\xff\xff", "watch": {"nobody": 1}}
    told = DIALECTS[dialect](up, bad, {})
    assert told.code == "INVALID_ARGUMENT" and told.info["reason"] in ("UNKNOWN_FIELD", "BAD_VALUE")
    assert sum(detail["@type"].endswith("BadRequest") for detail in told.details) == 1
    if dialect in ("rest", "connect", "connect_stream"):
        assert "nobody" in told.message
    assert_public(told, up.words["instances"])


# Each has two mistakes, in the dialects whose messages are read here.
BAD = {"order": {"customer": "ada", "nobody": 1, "items": [{}, {"sku": 7}]}, "watch": {"nobody": 1, "id": 7}}
FIELDS = {"rest": {"order.nobody", "order.items[1].sku"}, "connect": {"order.nobody", "order.items[1].sku"},
          "connect_stream": {"nobody", "id"}}


@pytest.mark.parametrize("dialect", FIELDS)
def test_all_invalid_fields_are_named(up, dialect):
    told = DIALECTS[dialect](up, BAD, {})
    [request] = [detail for detail in told.details if detail["@type"].endswith("BadRequest")]
    violations = request["fieldViolations"]
    assert {violation["field"] for violation in violations} == FIELDS[dialect]
    assert all(violation["reason"] and violation["description"] for violation in violations)
    assert told.message.endswith("(and 1 more invalid field)")


@EACH_DIALECT
def test_an_error_links_to_its_page_and_names_its_request(tmp_path, dialect):
    page = "error_help: https://docs.example/errors#{reason}\n"
    with Gateway(tmp_path, PUBLIC + page, instances=instances(("v3", 1))) as gateway:
        told = DIALECTS[dialect](gateway, good(), {})
        [help] = [detail for detail in told.details if detail["@type"].endswith("Help")]
        assert help["links"] == [{"description": "no instance of the service can be reached",
                                  "url": "https://docs.example/errors#UPSTREAM_DOWN"}]
        [request] = [detail for detail in told.details if detail["@type"].endswith("RequestInfo")]
        assert request["requestId"] == told.fields["x-request-id"]
        answer = gateway.http("GET", "/v1/orders/7")
        assert answer.json["type"] == "https://docs.example/errors#UPSTREAM_DOWN"
        assert answer.json["title"] == "no instance of the service can be reached"


def test_without_a_page_the_type_says_nothing_but_the_status(down):
    answer = down.http("GET", "/v1/orders/7")
    assert (answer.json["type"], answer.json["title"]) == ("about:blank", "Service Unavailable")


# what is asked wrongly -> what the message says of it
MISTAKES = [
    ("POST", "/v1/orders", "{", {"Content-Type": "application/json"}, "JSON, line 1"),
    ("GET", "/v1/orders?nobody=1", None, {}, "nobody"),
    ("GET", "/v1/orders", None, {"Accept": "text/html"}, "text/html"),
    ("PUT", "/v1/orders", None, {}, "GET, HEAD"),
    ("GET", "/nowhere", None, {}, "/nowhere"),
    ("POST", "/shop.orders.v1.Orders/Nothing", "{}", {"Content-Type": "application/json"}, "/Nothing"),
    ("POST", "/shop.orders.v1.Orders/Get", "{}", {"Content-Type": "application/xml"},
     "content-type application/xml; application/proto and application/json are accepted"),
    ("POST", "/v1/orders", "{}", {"Content-Type": "text/plain"}, "content-type text/plain; application/json is accepted"),
    ("POST", "/v1/orders", "{}", {"Content-Type": ""}, "application/json is accepted"),
    ("POST", "/shop.orders.v1.Orders/Get", "{}", {"Content-Type": "application/json", "Content-Encoding": "lz4"}, "lz4"),
    ("POST", "/shop.orders.v1.Orders/Get", "{}", {"Content-Type": "application/json", "Connect-Timeout-Ms": "x"}, "timeout"),
]


@pytest.mark.parametrize("verb,path,body,headers,said", MISTAKES)
def test_and_what_else_is_wrong_with_the_request(up, verb, path, body, headers, said):
    answer = up.http(verb, path, body, headers)
    assert 400 <= answer.status < 500 or answer.status == 501, answer.body
    assert said in (answer.json.get("detail") or answer.json["message"]), answer.body
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "causes" not in answer.json


@EACH_DIALECT
def test_a_service_speaks_for_itself(up, dialect):
    told = DIALECTS[dialect](up, good(), {"shop-fail": "ABORTED"})
    assert told.message == "as the caller wished" and told.info["reason"] == "AS_YOU_WISH"


# ---- Where it is said ----------------------------------------------------------------------------------

# global, listener, route -> full or not: the most specific word counts
PLACES = [
    (None, None, None, False), ("public", None, None, False), ("full", None, None, True),
    (None, "full", None, True), ("full", "public", None, False), ("public", "full", "public", False),
    ("public", "public", "full", True), ("full", "full", "public", False), (None, None, "full", True),
]


@pytest.mark.parametrize("globally,listener,route,full", PLACES)
def test_the_most_specific_word_counts(tmp_path, globally, listener, route, full):
    config = PUBLIC.replace("address: 127.0.0.1:$port", "address: '127.0.0.1:$port'"
                            + (f"\n    errors: {listener}" if listener else ""))
    config = (f"errors: {globally}\n" if globally else "") + config.replace(
        "on_failure: loud}", f"on_failure: loud, errors: {route}}}" if route else "on_failure: loud}") + OLD
    with Gateway(tmp_path, config, instances=instances(("v3", 1))) as gateway:
        answer = gateway.http("GET", "/v1/orders")
        assert answer.status == 503 and ("causes" in answer.json) == full == ("127.0.0.1:1" in answer.body.decode())
        # what has no route of its own: the listener's word, or the config's
        unrouted = (listener or globally) == "full"
        assert ("causes" in gateway.http("GET", "/nowhere").json) == unrouted
        assert ("causes" in gateway.http("GET", "/old/x").json) == unrouted


def test_each_listener_has_its_own_word_also_after_a_reload(tmp_path):
    other = free_port()
    config = PUBLIC.replace("- address: 127.0.0.1:$port",
                            "- {address: '127.0.0.1:$port'}\n  - {address: '127.0.0.1:$other', errors: full}")
    with Gateway(tmp_path, config, instances=instances(("v3", 1)), other=other) as gateway:
        assert "causes" not in gateway.http("GET", "/v1/orders").json
        assert "causes" in gateway.http("GET", "/v1/orders", port=other).json
        gateway.write("errors: full\n" + config.replace("errors: full", "errors: public"))
        gateway.reload()
        def turned():
            return ("causes" in gateway.http("GET", "/v1/orders").json
                    and "causes" not in gateway.http("GET", "/v1/orders", port=other).json)
        eventually(turned)


@pytest.mark.parametrize("key,new,config", [
    ("error_details", "errors: public", "error_details: false" + PUBLIC),
    ("error_details", "errors: full", "error_details: true" + PUBLIC),
    ("hide_internals", "errors: public", PUBLIC.replace("loud}", "loud, hide_internals: true}"))])
def test_the_keys_of_old_are_refused_with_the_new_one(tmp_path, key, new, config):
    done = Gateway(tmp_path, config, instances=instances(("v3", 1))).check()
    said = done.stdout + done.stderr
    line = config[:config.index(key)].count("\n") + 1
    assert done.returncode == 1 and f"gateway.yaml:{line}:" in said, said
    assert f"{key}: this key is no longer read" in said and new in said


def test_who_speaks_no_rpc_dialect_is_told_as_http_tells_errors(down):
    answer = down.http("POST", "/shop.orders.v3.Orders/Get", b"x", {"Content-Type": "application/unexpected"})
    assert answer.status == 415 and answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["reason"] == "UNSUPPORTED_MEDIA"


# ---- Below any call ------------------------------------------------------------------------------------


def test_no_error_body_of_http_itself_is_to_be_guessed_at(down):
    with Raw(down.port) as connection:
        status, head, body = connection.send("GET /v1/orders HTTP/1.1\r\nHost: a\r\nbad field: 1\r\n\r\n").read_answer()
        assert status == 400 and "x-content-type-options: nosniff" in head.lower() and json.loads(body)
    fields = [("expect", "magic")]
    status, fields, body, _ = http2_request(down.port, "GET", "/v1/orders", fields)
    assert status == 417 and fields["x-content-type-options"] == ["nosniff"] and json.loads(body)
