"""What clients of other servers of google.api.http are used to, where the config asks for it: Google's own, and grpc-gateway's."""
import json
import subprocess

import pytest
from gateway import Gateway
from processes import ROOT, free_port
from talkers import Schema
from test_rest import Library, World

CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin"}
log: "-"
services:
  - name: library
    versions: [{name: v1, package: library.v1, schema: $schema}]
    instances: ["127.0.0.1:$backend"]
routes:
  - {match: library, unknown_query: [$$alt, key]}
  - {match: library.Library/Shelf, json: {stream: $stream}, errors: {shape: $shape}}
  - {match: library.Library/Counting, unknown_query: ignore}
  - {match: library.Library/More, unknown_query: refuse, unknown_fields: count, errors: {shape: google, detail: full}}
"""


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    binary = tmp_path_factory.mktemp("schema") / "library.binpb"
    subprocess.run(["protoc", f"-I{ROOT}/tests/flow/rest", f"-I{ROOT}/examples/shop/proto", "--include_imports",
                    f"--descriptor_set_out={binary}", "library.proto"], check=True)
    return binary


@pytest.fixture(scope="module")
def library(schema):
    library = Library(Schema(schema))
    yield library
    library.server.stop(0)


@pytest.fixture(scope="module")
def world(tmp_path_factory, schema, library):
    with Gateway(tmp_path_factory.mktemp("array"), CONFIG, schema=schema, backend=library.port, stream="array", shape="google") as gateway:
        yield World(gateway, library)


# ---- Parameters that name no field ---------------------------------------------------------------------------------

def test_named_parameters_are_ignored_and_others_refused(world):
    assert world.asks("GET", "/v1/one/7?$alt=json&number=3&key=") == {"name": "7", "number": "3"}
    assert world.asks("PUT", "/v1/whole/7?$alt=json", {"number": 3}) == {"name": "7", "number": "3"}
    told = world.refuses(400, "GET", "/v1/one/7?alt=json")
    assert (told["reason"], "alt names no field" in told["detail"]) == ("UNKNOWN_FIELD", True)
    assert world.refuses(400, "GET", "/v1/one/7?$alt.x=json")["reason"] == "UNKNOWN_FIELD"
    assert world.refuses(400, "GET", "/v1/one/7?inner.wrong=1")["reason"] == "UNKNOWN_FIELD"


def test_all_are_ignored_but_not_what_the_body_has_a_place_for(world):
    assert world.asks("GET", "/v1/counting/7?what=1&inner.ever=2&number=3") == {"name": "7", "number": "3"}
    assert world.asks("POST", "/v1/counting/7?what=1", {"number": 3}) == {"name": "7", "number": "3"}
    assert world.refuses(400, "POST", "/v1/counting/7?number=4", {"number": 3})["reason"] == "UNKNOWN_FIELD"
    assert world.refuses(400, "GET", "/v1/counting/7?number=x")["reason"] == "BAD_VALUE"


def test_they_may_be_refused_where_unknown_fields_are_counted(world):
    told = world.http("GET", "/v1/more/7?what=1")
    assert (told.status, told.json["error"]["details"][0]["reason"]) == (400, "UNKNOWN_FIELD")
    assert world.http("POST", "/v1/more", {"what": 1}).status == 200


# ---- Streams --------------------------------------------------------------------------------------------------------

SHELF = "/v1/shelf?tags=a&tags=b"


def names(items):
    return [item["name"] for item in items]


@pytest.mark.parametrize("accept", [None, "*/*", "application/json"])
def test_a_stream_is_an_array_without_a_wish(world, accept):
    got = world.http("GET", SHELF, headers={"Accept": accept} if accept else {})
    assert (got.status, got.headers["Content-Type"], names(got.json)) == (200, "application/json", ["a", "b"])


def test_a_wish_for_lines_or_events_is_heard(world):
    lines = world.http("GET", SHELF, headers={"Accept": "application/x-ndjson"})
    assert (lines.headers["Content-Type"], names(map(json.loads, lines.body.splitlines()))) == ("application/x-ndjson", ["a", "b"])
    events = world.http("GET", SHELF, headers={"Accept": "text/event-stream"})
    assert events.headers["Content-Type"] == "text/event-stream" and b"event: end" in events.body


def test_an_error_in_an_array_has_the_shape_of_googles(world):
    got = world.http("GET", SHELF + "&tags=!")
    assert names(got.json[:2]) == ["a", "b"]
    assert got.json[2] == {"error": {"code": 500, "message": "broke\noff", "status": "DATA_LOSS", "details": []}}


def test_results_are_wrapped_as_grpc_gateway_does(tmp_path, schema, library):
    with Gateway(tmp_path, CONFIG, schema=schema, backend=library.port, stream="result", shape="problem") as gateway:
        got = gateway.http("GET", SHELF + "&tags=!", headers={"Accept": "application/json"})
        items = [json.loads(line) for line in got.body.splitlines()]
        assert (got.headers["Content-Type"], names(item["result"] for item in items[:2])) == ("application/json", ["a", "b"])
        assert items[2:] == [{"error": {"code": 15, "message": "broke\noff", "details": []}}]
        empty = gateway.http("GET", "/v1/shelf")
        assert (empty.status, empty.headers["Content-Type"], empty.body) == (200, "application/json", b"")
        assert gateway.http("GET", "/v1/shelf?tags=!").headers["Content-Type"] == "application/problem+json"


# ---- Errors ---------------------------------------------------------------------------------------------------------

def test_an_error_has_the_shape_of_googles_on_such_a_route_only(world):
    told = world.http("GET", "/v1/shelf?tags=!")
    assert (told.status, told.headers["Content-Type"]) == (500, "application/json")
    assert told.json == {"error": {"code": 500, "message": "broke\noff", "status": "DATA_LOSS", "details": []}}
    own = world.http("GET", "/v1/more?number=x").json["error"]
    assert (own["code"], own["status"]) == (400, "INVALID_ARGUMENT")
    assert {"ErrorInfo", "BadRequest", "DebugInfo"} <= {detail["@type"].split(".")[-1] for detail in own["details"]}
    assert world.refuses(404, "GET", "/v1/nothing")["reason"] == "UNKNOWN_PATH"


def test_a_whole_gateway_may_have_it_but_for_a_listener(tmp_path, schema, library):
    config = CONFIG.replace("listen: [", "errors: {shape: google}\nlisten: [{address: 127.0.0.1:$other, errors: {shape: problem}}, ")
    with Gateway(tmp_path, config, schema=schema, backend=library.port, stream="lines", shape="problem", other=free_port()) as gateway:
        told = gateway.http("GET", "/v1/nothing").json["error"]
        assert (told["code"], told["status"], told["details"][0]["reason"]) == (404, "UNIMPLEMENTED", "UNKNOWN_PATH")
        assert gateway.http("GET", "/v1/shelf?tags=!").headers["Content-Type"] == "application/problem+json"
        assert gateway.http("PUT", "/v1/one/7").headers["Allow"] == "GET, HEAD"
