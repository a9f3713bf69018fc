"""What clients of other servers of google.api.http are used to, where the config asks for it: Google's own, and grpc-gateway's."""
import json
import random
import subprocess

import pytest
from gateway import Gateway
from google.protobuf.json_format import MessageToDict
from http2_client import http2_request
from processes import ROOT, eventually, free_port
from raw import Raw
from talkers import Schema
from test_rest import Library, World

CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
rest: {method_override: true, grpc_metadata: true}
admin: {address: "127.0.0.1:$admin"}
log: "-"
services:
  - name: library
    versions: [{name: v1, package: library.v1, schema: $schema}]
    instances: ["127.0.0.1:$backend"]
routes:
  - {match: library, unknown_query: [$$alt, key]}
  - {match: library.Library/Update, rest: {update_masks: true}}
  - {match: library.Library/Lend, rest: {status_from: X-HTTP-Code}}
  - {match: library.Library/Whole, rest: {alt: true}, json: {enums_as_numbers: true}}
  - {match: library.Library/Deep, rest: {alt: true}}
  - {match: library.Library/Download, rest: {alt: true}}
  - {match: library.Library/Shelf, rest: {alt: true}, json: {stream: $stream}, errors: {shape: $shape}}
  - {match: library.Library/Counting, unknown_query: ignore}
  - {match: library.Library/More, unknown_query: refuse, unknown_fields: count, errors: {shape: google, detail: full}, json: {nulls: true}}
  - {match: library.Library/Tail, json: {nulls: true, defaults: true}}
"""


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    binary = tmp_path_factory.mktemp("schema") / "library.binpb"
    subprocess.run(["protoc", f"-I{ROOT}/tests/flow/rest", f"-I{ROOT}/examples/shop/proto", "--include_imports",
                    f"--descriptor_set_out={binary}", "library.proto"], check=True)
    return binary


class Backend(Library):
    """It also says what it was asked to say beside a book, and notes the metadata of each call."""

    def echo(self, message, context):
        self.metadata = dict(context.invocation_metadata())
        asked = json.loads(getattr(message, "note", "") or "{}")
        context.send_initial_metadata([(name, value) for name, value in asked.items()])
        return super().echo(message, context)

    def shelf(self, book, context):
        for one in super().shelf(book, context):
            one.shape = one.name == "round"
            yield one


@pytest.fixture(scope="module")
def library(schema):
    library = Backend(Schema(schema))
    yield library
    library.server.stop(0)


@pytest.fixture(scope="module")
def world(tmp_path_factory, schema, library):
    with Gateway(tmp_path_factory.mktemp("array"), CONFIG, schema=schema, backend=library.port, stream="array", shape="google") as gateway:
        yield World(gateway, library)


# ---- Parameters that name no field ---------------------------------------------------------------------------------

def test_named_parameters_are_ignored_and_others_refused(world):
    assert world.asks("GET", "/v1/one/7?$alt=json&number=3&key=") == {"name": "7", "number": "3"}
    assert world.asks("PUT", "/v1/tags/7?$alt=json", ["a"]) == {"name": "7", "tags": ["a"]}
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
        assert gateway.http("PUT", "/v1/one/7").headers["Allow"] == "GET, HEAD, OPTIONS"


# ---- The status of a success ------------------------------------------------------------------------------------------

def lend(world, **metadata):
    return world.http("POST", "/v1/one/7:lend", {"note": json.dumps(metadata)})


@pytest.mark.parametrize("said,status", [("200", 200), ("201", 201), ("299", 299), ("302", 302), ("399", 399), ("199", 200), ("400", 200),
                                         ("206", 200), ("204.0", 200), ("", 200), ("-1", 200), ("99999999999999999999", 200)])
def test_the_service_says_the_status_of_a_success(world, said, status):
    got = lend(world, **{"x-http-code": said, "location": "/v1/one/8"})
    assert (got.status, got.headers["Location"], got.headers.get("X-Http-Code")) == (status, "/v1/one/8", None)
    assert got.json["name"] == "7"
    assert eventually(lambda: world.gateway.log()[-1]["http_status"] == status)


@pytest.mark.parametrize("said", ["204", "205", "304"])
def test_a_status_without_content_has_none(world, said):
    got = lend(world, **{"x-http-code": said, "etag": '"5"'})
    assert (got.status, got.body, got.headers["ETag"]) == (int(said), b"", 'W/"passerelle-5"')
    assert said == "205" or got.headers.get("Content-Length") is None
    assert got.headers.get("Content-Type") is None


def test_elsewhere_it_is_metadata_like_any_other(world):
    got = world.http("POST", "/v1/counting/7", {"note": '{"x-http-code": "201"}'})
    assert (got.status, got.headers["X-Http-Code"]) == (200, "201")


# ---- Entity tags --------------------------------------------------------------------------------------------------------

def test_tags_of_a_service_of_grpc_go_both_ways(world):
    got = lend(world, etag='"5"')
    assert got.headers["ETag"] == 'W/"passerelle-5"'
    world.http("POST", "/v1/one/7:lend", {}, {"If-Match": got.headers["ETag"], "If-None-Match": '"6"'})
    assert (world.library.metadata["if-match"], world.library.metadata["if-none-match"]) == ('"5"', '"6"')


# ---- The form of a response ---------------------------------------------------------------------------------------------

def test_alt_says_the_form_of_a_response(world):
    book = world.library.Book(name="7", shape=1)
    got = world.http("PUT", "/v1/whole/7?$alt=proto", {"shape": "ROUND"}, {"Accept": "application/json"})
    assert (got.headers["Content-Type"], got.body) == ("application/x-protobuf", book.SerializeToString())
    for name in ("$alt", "alt", "%24alt"):
        for value in ("json", "json;enum-encoding=int", "json%3Benum-encoding%3Dint"):
            got = world.http("PUT", f"/v1/whole/7?{name}={value}", {"shape": "ROUND"})
            assert (got.headers["Content-Type"], got.json) == ("application/json", {"name": "7", "shape": 1})


@pytest.mark.parametrize("alt,shapes", [("json", ["FLAT", "ROUND"]), ("json;enum-encoding=string", ["FLAT", "ROUND"]), ("json;enum-encoding=int", [0, 1])])
def test_enums_are_numbers_where_the_client_asks_for_it(world, alt, shapes):
    flat, round = shapes
    got = world.http("GET", f"/v1/shelves/1/books/2?$alt={alt}&shape=ROUND&shapes=ROUND&shapes=FLAT&inner.shape=ROUND")
    assert (got.status, got.json) == (200, {"name": "shelves/1/books/2", "shape": round, "shapes": [round, flat], "inner": {"shape": round}})
    assert world.http("GET", "/v1/shelves/1/books/2?shape=ROUND").json["shape"] == "ROUND"
    for accept, read in (("application/json", json.loads), ("application/x-ndjson", lambda body: list(map(json.loads, body.splitlines())))):
        got = world.http("GET", f"/v1/shelf?tags=round&tags=a&tags=round&$alt={alt}", headers={"Accept": accept})
        assert [one.get("shape") for one in read(got.body)] == [round, None, round]


@pytest.mark.parametrize("path", ["/v1/whole/7?$alt=media", "/v1/whole/7?$alt=", "/v1/whole/7?$alt=proto;enum-encoding=int",
                                  "/v1/whole/7?$alt=json;enum-encoding=int;x=y", "/v1/whole/7?$alt=json;x", "/v1/whole/7?$alt=json&alt=json"])
def test_another_form_is_refused(world, path):
    told = world.refuses(400, "PUT", path, {})
    assert (told["reason"], "alt" in told["detail"]) == ("BAD_VALUE", True)


@pytest.mark.parametrize("alt, part", [("proto;enum-encoding=int", "enum-encoding=int"), ("json;enum-encoding=int;x=y", "x=y"), ("", "")])
def test_a_form_that_is_refused_is_told_with_the_part_that_is_wrong(world, alt, part):
    assert f'"{part}" in $alt' in world.refuses(400, "PUT", f"/v1/whole/7?$alt={alt}", {})["detail"]


def test_an_empty_value_of_an_enum_is_told_in_quotes(world):
    assert world.refuses(400, "GET", "/v1/shelves/1/books/2?shape=")["detail"].endswith('has no value ""')


def test_bytes_have_no_form_in_protobuf(world):
    assert world.refuses(400, "GET", "/v1/download/7?$alt=proto")["reason"] == "BAD_VALUE"
    assert world.http("GET", "/v1/download/7?$alt=json").body == b"7"


def test_an_error_stays_json_beside_alt(world):
    assert world.refuses(400, "GET", "/v1/shelves/1/books/2?$alt=proto&number=x")["reason"] == "BAD_VALUE"


# ---- Update masks -------------------------------------------------------------------------------------------------------

BOOK = "/v1/books/7"


@pytest.mark.parametrize("body,mask", [
    ({"number": 3}, "number"),
    ({"number": 3, "tags": [], "inner": {"note": "x", "at": "2026-01-02T03:04:05Z"}}, "number,tags,inner.note,inner.at"),
    ({"alias": "x", "inner": {}, "free": {"a": 1}, "labels": {"a": "b"}, "note": None}, "otherName,inner,free,labels,note"),
    ({"list": [{"name": "x"}], "inner": {"inner": {"yes": False}}}, "list,inner.inner.yes"),
])
def test_a_patch_without_a_mask_gets_one_of_its_body(world, body, mask):
    assert world.asks("PATCH", BOOK, body)["updateMask"] == mask


def test_a_mask_of_the_client_stays(world):
    assert world.asks("PATCH", BOOK + "?update_mask=note", {"number": 3})["updateMask"] == "note"
    assert world.asks("PATCH", BOOK + "?updateMask=note", {"number": 3})["updateMask"] == "note"


def test_only_a_patch_of_one_field_that_says_something_gets_one(world):
    for body in (None, {}):
        assert "updateMask" not in world.asks("PATCH", BOOK, body)
    assert "updateMask" not in world.asks("PUT", BOOK, {"number": 3})
    assert "updateMask" not in world.asks("PATCH", "/v1/whole/books/7", {"book": {"number": 3}})
    assert world.refuses(400, "PATCH", BOOK, {"what": 3})["reason"] == "UNKNOWN_FIELD"
    assert world.refuses(400, "PATCH", BOOK, "[", {"Content-Type": "application/json"})["reason"] == "BAD_JSON"


# ---- Methods of HTTP ----------------------------------------------------------------------------------------------------

def test_options_tell_which_methods_a_path_takes(world):
    got = world.http("OPTIONS", "/v1/one/7")
    assert (got.status, got.headers["Allow"], got.body) == (204, "GET, HEAD, OPTIONS", b"")
    assert set(world.http("OPTIONS", BOOK).headers["Allow"].split(", ")) == {"PATCH", "PUT", "OPTIONS"}
    assert world.asks("OPTIONS", "/v1/verbs/7") == {"name": "7"}
    assert world.refuses(404, "OPTIONS", "/v1/nothing")["reason"] == "UNKNOWN_PATH"
    assert world.http("OPTIONS", "/library.v1.Library/One").status == 405


SERVER_ALLOWS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


def test_options_of_the_server_asks_no_route(tmp_path):
    """Not even one that takes every path, nor one that demands credentials."""
    config = """
listen: ["127.0.0.1:$port"]
admin: "127.0.0.1:$admin"
log: "-"
routes:
  - {match: /, instances: ["127.0.0.1:1"]}
"""
    with Gateway(tmp_path, config) as gateway:
        for line in "OPTIONS * HTTP/1.1", "OPTIONS http://x HTTP/1.1":
            with Raw(gateway.port) as client:
                told = client.send(f"{line}\r\nHost: x\r\nConnection: close\r\n\r\n").read_all().decode()
            assert told.startswith("HTTP/1.1 204 ") and f"\r\nallow: {SERVER_ALLOWS}\r\n" in told.replace("Allow:", "allow:"), line
        status, fields, body, _ = http2_request(gateway.port, "OPTIONS", "*")
        assert (int(status), fields["allow"], body) == (204, [SERVER_ALLOWS], b"")
        assert gateway.http("OPTIONS", "/x").status == 503  # of a path, it is the route's
        with Raw(gateway.port) as client:
            assert client.send("GET * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").read_all().startswith(b"HTTP/1.1 400 ")


def test_head_is_get_without_a_body(world):
    get, head = (world.http(verb, "/v1/one/7?number=3") for verb in ("GET", "HEAD"))
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(get.body)))


def override(verb):
    return {"X-HTTP-Method-Override": verb, "Content-Type": "application/json"}


@pytest.mark.parametrize("verb,path,asked", [("PATCH", BOOK + "?update_mask=note", {"book": {"name": "books/7"}, "updateMask": "note"}),
                                             ("PUT", "/v1/whole/7", {"name": "7"}), ("DELETE", "/v1/none/8", {"name": "8"}),
                                             ("GET", "/v1/one/9", {"name": "9"})])
def test_a_post_may_stand_for_another_method(world, verb, path, asked):
    assert world.asks("POST", path, "{}", override(verb)) == asked
    assert eventually(lambda: world.gateway.log()[-1]["verb"] == verb) and "x-http-method-override" not in world.library.metadata


@pytest.mark.parametrize("verb", ["CONNECT", "put", "OPTIONS", "HEAD", "POST", "", "PUT, PUT", "X"])
def test_it_stands_for_no_method_that_is_none_of_these(world, verb):
    assert world.refuses(400, "POST", "/v1/whole/7", "{}", override(verb))["reason"] == "BAD_REQUEST"


def test_only_a_post_stands_for_another_and_only_where_the_path_has_it(world):
    assert world.asks("PUT", "/v1/whole/7", "{}", override("DELETE")) == {"name": "7"}
    assert world.refuses(405, "POST", "/v1/one/7", "{}", override("DELETE"))["headers"]["Allow"] == "GET, HEAD, OPTIONS"
    told = world.http("POST", "/library.v1.Library/One", "{}", override("DELETE"))
    assert told.status == 200 and world.library.metadata["x-http-method-override"] == "DELETE"


RULES = """
identity_header: x-client
trusted_proxies: [127.0.0.0/8]
rest: {method_override: true}
"""


def test_who_may_not_use_the_method_that_is_meant_may_not_mean_it(tmp_path, schema, library):
    config = CONFIG[:CONFIG.index("routes:")].replace("rest: {method_override: true, grpc_metadata: true}\n", RULES.lstrip()) + """
routes:
  - {match: library.Library/Remove, allow: [{client: [ada]}]}
  - {match: library.Library/NoBody, rate_limits: [{per: [client], rate: 1/h}]}
"""
    with Gateway(tmp_path, config, schema=schema, backend=library.port) as gateway:
        def post(who, **more):
            return gateway.http("POST", "/v1/none/7", "{}", {"X-Client": who, "Content-Type": "application/json", **more}).status

        delete = {"X-HTTP-Method-Override": "DELETE"}
        assert [post("ada", **delete), post("bob", **delete)] == [200, 403]   # the limit of the POST is none of theirs
        assert [post("bob"), post("bob"), post("bob", **delete)] == [200, 429, 403]
        assert gateway.http("DELETE", "/v1/none/7", headers={"X-Client": "bob", "X-HTTP-Method-Override": "POST"}).status == 403
        for who, statuses in (("ada", [405, 204]), ("bob", [403, 204])):
            assert [gateway.http(verb, "/v1/none/7", headers={"X-Client": who}).status for verb in ("PURGE", "OPTIONS")] == statuses
        allowed = {who: gateway.http("OPTIONS", "/v1/none/7", headers={"X-Client": who}).headers["Allow"] for who in ("ada", "bob")}
        assert set(allowed["ada"].split(", ")) == {"POST", "DELETE", "OPTIONS"} and allowed["bob"] == "POST, OPTIONS"


# ---- Metadata ------------------------------------------------------------------------------------------------------------

def test_metadata_have_names_of_grpc_gateway(world):
    got = world.http("POST", "/v1/one/7:lend", {"note": '{"x-shelf": "3"}'}, {"Grpc-Metadata-X-Who": "ada", "Grpc-Metadata-Grpc-Metadata-A": "1"})
    assert (got.headers["X-Shelf"], got.headers["Grpc-Metadata-X-Shelf"]) == ("3", "3")
    assert (world.library.metadata["x-who"], world.library.metadata["grpc-metadata-a"]) == ("ada", "1")
    assert "grpc-metadata-x-who" not in world.library.metadata


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "Connection", "Host", "Content-Type", "Grpc-Timeout", "Te", "Origin", "Cookie",
                                  "Sec-Fetch-Site", "X-HTTP-Method-Override", "X-Forwarded-For", "X-Request-Id", "Passerelle-Hops", "X_Forwarded_For"])
def test_they_are_no_way_to_say_what_others_say(world, name):
    got = world.http("POST", "/v1/one/7:lend", {"number": 3}, {f"Grpc-Metadata-{name}": "99999"})
    assert (got.status, got.json) == (200, {"name": "7", "number": "3"})
    assert "99999" not in world.library.metadata.values() and "99999" not in got.headers.values()


# ---- Without these settings ------------------------------------------------------------------------------------------

def test_nothing_of_it_is_so_by_itself(tmp_path, schema, library):
    config = CONFIG.replace("rest: {method_override: true, grpc_metadata: true}\n", "")
    config = config[:config.index("routes:")]
    with Gateway(tmp_path, config, schema=schema, backend=library.port) as gateway:
        plain = World(gateway, library)
        assert plain.http("POST", "/v1/whole/7", "{}", override("PUT")).status == 405
        assert plain.http("POST", "/v1/one/7:lend", {}, {**override("DELETE"), "Grpc-Metadata-A": "1"}).status == 200
        assert library.metadata["x-http-method-override"] == "DELETE" and library.metadata["grpc-metadata-a"] == "1"
        assert "updateMask" not in plain.asks("PATCH", BOOK, {"number": 3})
        assert plain.refuses(400, "GET", "/v1/one/7?$alt=json")["reason"] == "UNKNOWN_FIELD"
        got = lend(plain, **{"x-http-code": "201"})
        assert (got.status, got.headers["X-Http-Code"], got.headers.get("Grpc-Metadata-X-Http-Code")) == (200, "201", None)
        assert plain.http("GET", SHELF).headers["Content-Type"] == "application/x-ndjson"


# ---- null for what is unset ----------------------------------------------------------------------------------------

MESSAGES = ("inner", "at", "took", "mask", "most", "free", "file")  # of a book


def some_book(library, chance, depth=0):
    """A book that has this and that; now and then a message that is set and empty."""
    book = library.Book()
    for name, value in (("name", "n"), ("number", 7), ("yes", True), ("other_name", "x"), ("maybe", 0), ("raw", b"r")):
        if chance.random() < 0.4:
            setattr(book, name, value)
    book.tags.extend(["t"] * chance.randrange(3))
    for name in MESSAGES:
        if name != "inner" and chance.random() < 0.4:
            getattr(book, name).SetInParent()
    if depth < 3 and chance.random() < 0.5:
        book.inner.CopyFrom(some_book(library, chance, depth + 1))
    for _ in range(chance.randrange(3) if depth < 2 else 0):
        book.list.append(some_book(library, chance, depth + 1))
    return book


def told_of(book, defaults):
    """What protobuf's own JSON says of a book, and null wherever a message is missing in it."""
    told = MessageToDict(book, including_default_value_fields=defaults)
    told.update({name: None for name in MESSAGES if not book.HasField(name)})
    if book.HasField("file"):
        told["file"] = MessageToDict(book.file, including_default_value_fields=defaults)
    if book.HasField("inner"):
        told["inner"] = told_of(book.inner, defaults)
    if book.list:
        told["list"] = [told_of(one, defaults) for one in book.list]
    return told


@pytest.mark.parametrize("method, defaults", [("More", False), ("Tail", True)])
def test_null_is_where_a_message_is_unset_and_nowhere_else(world, library, method, defaults):
    chance = random.Random(7)
    for _ in range(30):
        book = some_book(library, chance)
        sent = world.http("POST", f"/library.v1.Library/{method}", MessageToDict(book))
        assert sent.json == told_of(book, defaults)
        again = world.http("POST", f"/library.v1.Library/{method}", sent.json)  # which is the same book
        assert again.json == sent.json


def test_null_is_in_answers_of_rest_where_the_route_asks_for_it(world):
    unset = dict.fromkeys(MESSAGES)
    assert world.http("GET", "/v1/more/7").json == {"name": "7", **unset}
    assert world.http("POST", "/v1/more", {"name": "7"}).json is None  # the field that is the body
    assert world.http("POST", "/v1/more", {"inner": {"name": "7"}}).json == {"name": "7", **unset}
    assert world.http("GET", "/v1/files/7:tail").json["inner"] is None
    assert world.http("GET", "/v1/files/7").json == {"name": "7"}  # another route
