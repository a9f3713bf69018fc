"""REST by google.api.http as clients meet it: curl and http.client, before a grpcio backend that echoes."""
import base64
import gzip
import json
import random
import subprocess
import threading
from concurrent import futures

import grpc
import pytest
from gateway import Gateway
from processes import ROOT, eventually, free_port
from raw import Raw
from talkers import Schema

CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin"}
log: "-"
services:
  - name: library
    versions: [{name: v1, package: library.v1, schema: $schema}]
    instances: ["127.0.0.1:$backend"]
routes:
  - {match: library, timeout: 10s}
  - {match: library.Library/Counting, unknown_fields: count}
"""
JSON = {"Content-Type": "application/json"}
PIECES = [b"\x89PNG", b"", b"\0\xff", b"end"]


class Library:
    """
    The backend; `asked` are the messages that it got, as JSON, `ended` the names of shelves that were left,
    `gathered` the bytes of streams of requests.
    """

    def __init__(self, schema):
        self.schema, self.asked, self.ended, self.gathered = schema, [], [], 0
        self.quick = threading.Event()
        book, body = schema("library.v1.Book"), schema("google.api.HttpBody")
        self.Book, self.Body = book, body
        handlers = {}
        for method in schema.pool.FindServiceByName("library.v1.Library").methods:
            asked = schema(method.input_type.full_name)
            special = {"Download": self.download, "Pieces": self.pieces, "Shelf": self.shelf,
                       "UploadStream": self.gather, "RawStream": self.gather}
            kind = grpc.unary_stream_rpc_method_handler if method.name in ("Pieces", "Shelf") else \
                grpc.stream_unary_rpc_method_handler if method.name.endswith("Stream") else \
                grpc.unary_unary_rpc_method_handler
            handlers[method.name] = kind(special.get(method.name, self.echo), asked.FromString,
                                         lambda answer: answer.SerializeToString())
        self.port = free_port()
        self.server = grpc.server(futures.ThreadPoolExecutor(16))
        self.server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("library.v1.Library", handlers)])
        self.server.add_insecure_port(f"127.0.0.1:{self.port}")
        self.server.start()

    def echo(self, message, _):
        self.asked.append(self.schema.spell(message))
        return message

    def gather(self, messages, _):
        told = self.Book()
        for message in messages:
            if getattr(message, "name", "") == "slow":
                self.quick.wait(60)
            file = message.file if isinstance(message, self.Book) else message
            told.name = getattr(message, "name", "")
            told.number += 1
            told.note = file.content_type
            told.raw += file.data
            self.gathered += len(file.data)
        return told

    def download(self, book, _):
        return self.Body(content_type="image/png", data=book.name.encode())

    def pieces(self, book, context):
        for piece in PIECES:
            yield self.Body(content_type="image/png", data=piece)
        if book.name == "broken":
            context.abort(grpc.StatusCode.DATA_LOSS, "broke off")

    def shelf(self, book, context):
        gone = threading.Event()
        context.add_callback(lambda: (self.ended.append(book.name), gone.set()))
        if book.note == "head":
            context.send_initial_metadata([("x-set", "1")])
        for tag in book.tags:
            if tag == "!":
                context.abort(grpc.StatusCode.DATA_LOSS, "broke\noff")
            if tag == "...":
                gone.wait(30)
            yield self.Book(name=tag, note="two\nlines\r\nand more")


class World:
    def __init__(self, gateway, library):
        self.gateway, self.library = gateway, library

    def http(self, *arguments, **more):
        return self.gateway.http(*arguments, **more)

    def asks(self, verb, path, body=None, headers=None):
        """What the backend got of a request that goes well; the answer says the same."""
        before = len(self.library.asked)
        answer = self.http(verb, path, body, headers)
        assert answer.status == 200, answer.body
        assert len(self.library.asked) == before + 1
        return self.library.asked[-1]

    def refuses(self, status, verb, path, body=None, headers=None):
        """The problem that tells of it; the backend never hears of the request."""
        before = len(self.library.asked)
        answer = self.http(verb, path, body, headers)
        assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json"), answer.body
        assert len(self.library.asked) == before
        assert answer.json["status"] == status
        return {**answer.json, "headers": answer.headers}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rest")
    binary = folder / "library.binpb"
    subprocess.run(["protoc", f"-I{ROOT}/tests/flow/rest", f"-I{ROOT}/examples/shop/proto", "--include_imports",
                    f"--descriptor_set_out={binary}", "library.proto"], check=True)
    library = Library(Schema(binary))
    with Gateway(folder, CONFIG, schema=binary, backend=library.port) as gateway:
        yield World(gateway, library)
    library.server.stop(0)


# ---- Paths -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path,name", [
    ("/v1/one/42", "42"),
    ("/v1/one/a%20b+c", "a b+c"),
    ("/v1/one/x%2Fy%3A%3F%23%25", "x/y:?#%"),          # one segment is decoded wholly
    ("/v1/one/%C3%BC", "ü"),
    ("/v1/one/a:b", "a:b"),                            # a colon that begins no known verb
    ("/v1/one/42:lend", "42:lend"),                    # that verb is POST's
    ("/v1/one/..", ".."),                              # a name like any other: nothing is resolved
    ("/v1/%6Fne/42", "42"),                            # an escaped literal is still that literal
    ("/v1/shelves/1/books/2", "shelves/1/books/2"),
    ("/v1/shelves/a%2Fb/books/%7Ec%20d", "shelves/a%2Fb/books/~c d"),  # several keep reserved characters' escapes
    ("/v1/files/a/b/c.txt", "a/b/c.txt"),
    ("/v1/files/a//b/", "a//b/"),
    ("/v1/files", ""), ("/v1/files/", ""),
    ("/v1/files/a/b:tail", "a/b"),                     # the verb after **
    ("/v1/files/a:b/c", "a:b/c"),
    ("/v1/any/thing/of/7", "7"),
    ("/v1/verbs/7", "7"),
])
def test_a_path_says_the_name(world, path, name):
    assert world.asks("GET", path) == ({"name": name} if name else {})


def test_more_is_decoded_where_the_config_says_so(world, tmp_path):
    config = CONFIG.replace("log:", "decode_reserved: true\nlog:")
    with Gateway(tmp_path, config, schema=world.gateway.words["schema"], backend=world.library.port) as gateway:
        assert gateway.http("GET", "/v1/shelves/a%2Fb%3A%3F/books/c").json == {"name": "shelves/a%2Fb:?/books/c"}
        assert gateway.http("GET", "/v1/one/a%2Fb").json == {"name": "a/b"}


@pytest.mark.parametrize("path", [
    "/v1/one/", "/v1/one", "/v1/one/42/", "/v1//one/42", "/v1/one//42", "//v1/one/42", "/v1/one/a/b",
    "/v1/one%2F42", "/v1/any//of/7", "/v1/any/a/b/of/7", "/v1/shelves/1/books", "/v1/shelves/1/books/2/3",
    "/v1/one/../one/42", "/V1/one/42"])
def test_a_path_that_only_resembles_one_is_404(world, path):
    assert world.refuses(404, "GET", path)["reason"] == "UNKNOWN_PATH"


def test_the_root_is_a_path(world):
    assert world.asks("GET", "/?number=1") == {"number": "1"}
    assert world.http("GET", "").status == 200
    assert world.refuses(405, "POST", "/", {})["headers"]["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("path", ["/v1/one/%", "/v1/one/%4", "/v1/one/%zz", "/v1/one/%FF", "/v1/files/a%C3"])
def test_a_bad_escape_is_400(world, path):
    assert world.refuses(400, "GET", path)["code"] == "INVALID_ARGUMENT"


def test_a_verb_that_the_path_does_not_take_is_405_with_those_that_it_takes(world):
    told = world.refuses(405, "PUT", "/v1/one/42")
    assert told["headers"]["Allow"] == "GET, HEAD, OPTIONS"
    assert set(world.refuses(405, "GET", "/v1/none/7")["headers"]["Allow"].split(", ")) == {"POST", "DELETE", "OPTIONS"}
    assert world.refuses(405, "GET", "/v1/custom/7")["headers"]["Allow"] == "REPORT, OPTIONS"
    assert world.refuses(405, "POST", "/v1/one/42")["headers"]["Allow"] == "GET, HEAD, OPTIONS"


def test_verbs_of_ones_own_are_served(world):
    assert world.asks("REPORT", "/v1/custom/7") == {"name": "7"}
    assert world.asks("BREW", "/v1/verbs/7") == {"name": "7"}


def test_a_colons_verb_is_told_from_the_name(world):
    assert world.asks("POST", "/v1/one/a:b:lend", {"number": "5"}) == {"name": "a:b", "number": "5"}


def test_variables_of_every_type_are_read(world):
    raw = base64.urlsafe_b64encode(b"\xfb\xff").decode().rstrip("=")
    assert world.asks("GET", f"/v1/typed/-9007199254740993/ROUND/true/{raw}/2026-01-02T03:04:05Z") == {
        "number": "-9007199254740993", "shape": "ROUND", "yes": True, "raw": "+/8=", "at": "2026-01-02T03:04:05Z"}
    for path, field in (("x/ROUND/true/AA/2026-01-02T03:04:05Z", "number"),
                        ("1/SQUARE/true/AA/2026-01-02T03:04:05Z", "shape"),
                        ("1/ROUND/maybe/AA/2026-01-02T03:04:05Z", "yes"),
                        ("1/ROUND/true/A!/2026-01-02T03:04:05Z", "raw"),
                        ("1/ROUND/true/AA/yesterday", "at")):
        assert field in world.refuses(400, "GET", f"/v1/typed/{path}")["detail"]


@pytest.mark.parametrize("rule,why", [
    ('get: "/v1/{tags}"', "tags is not a single field"), ('get: "/v1/{inner}"', "inner is not a single field"),
    ('get: "/v1/{nothing}"', "nothing is not a single field"), ('get: "/v1/{name=a/{note}}"', "cannot be nested"),
    ('get: "/v1/{name=**}/x"', "only a verb may follow"), ('get: "v1/x"', "must begin with"),
    ('get: "/v1/{list.name}"', "list.name is not a single field"), ('get: "/v1/{inner.list.name}"', "inner.list.name is no"),
    ('get: "/v1/{labels}"', "labels is not a single field"), ('get: "/v1/{labels.a}"', "labels.a is not a single field"),
    ('get: "/v1/{at.seconds}"', "at.seconds is not a single field"), ('get: "/v1/{name.x}"', "name.x is not a single field"),
    ('get: "/v1/{mail}/{phone}"', "mail and phone are both of the oneof who"),
    ('get: "/v1/{inner.mail}/{inner.phone}"', "inner.mail and inner.phone are both of the oneof who"),
    ('get: "/v1/{mail}/{name}/{someone.name}"', "mail and someone.name are both of the oneof who"),
    ('get: "/v1/{other_name}/{otherName}"', "other_name and otherName are the same field"),
    ('custom {kind: "GET X" path: "/v1/x"}', '"GET X" is not a valid HTTP method'), ('custom {path: "/v1/x"}', '"" is not a valid HTTP method'),
    ('custom {kind: "CONNECT" path: "/v1/x"}', '"CONNECT" is not a valid HTTP method'), ('post: "/v1/x:"', "expected a verb"),
    ('get: "/v1/{name}/{name}"', "already exists"), ('post: "/v1/x" body: "nothing"', "the body nothing is not a field"),
    ('post: "/v1/x" body: "inner.name"', "the body inner.name is not a field"),
    ('get: "/v1/x" response_body: "nothing"', "the response body nothing is not a field")])
def test_a_rule_that_cannot_be_meant_is_refused_at_load(tmp_path, rule, why):
    told = check_of(tmp_path, rule)
    assert told.returncode == 1 and why in told.stdout + told.stderr


@pytest.mark.parametrize("rule", [
    'get: "/"', 'get: "/v1/{name}/{inner.name}/{inner.inner.name}"', 'get: "/v1/{inner.mail}/{phone}"',
    'get: "/v1/{mail}" additional_bindings {get: "/v1/{phone}"}', 'get: "/v1/{someone.name}/{someone.note}"',
    'custom {kind: "PROPFIND" path: "/v1/x"}', 'custom {kind: "*" path: "/v1/x"}', 'get: "/v1/{at}/{maybe}"'])
def test_a_rule_that_can_be_meant_is_taken(tmp_path, rule):
    told = check_of(tmp_path, rule)
    assert told.returncode == 0, told.stdout + told.stderr


def check_of(folder, rule):
    (folder / "some.proto").write_text("""
        syntax = "proto3"; package library.v1;
        import "google/api/annotations.proto"; import "google/protobuf/timestamp.proto";
        service Library { rpc One(Book) returns (Book) { option (google.api.http) = {%s}; } }
        message Book {
          string name = 1; repeated string tags = 2; Book inner = 3; string note = 4; repeated Book list = 5;
          map<string, string> labels = 6; google.protobuf.Timestamp at = 7; optional int32 maybe = 8;
          oneof who { string mail = 9; string phone = 10; Book someone = 11; } string other_name = 12;
        }""" % rule)
    binary = folder / "some.binpb"
    subprocess.run(["protoc", f"-I{folder}", f"-I{ROOT}/examples/shop/proto", "--include_imports",
                    f"--descriptor_set_out={binary}", "some.proto"], check=True)
    config = CONFIG.replace("  - {match: library.Library/Counting, unknown_fields: count}\n", "")
    return Gateway(folder, config, schema=binary, backend=1).check()


# ---- Queries ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("query,asked", [
    ("number=9007199254740993", {"number": "9007199254740993"}),
    ("tags=a&tags=b%26c&tags=", {"tags": ["a", "b&c", ""]}),
    ("counts=1&counts=-2", {"counts": [1, -2]}),
    ("shape=ROUND&shapes=1&shapes=FLAT", {"shape": "ROUND", "shapes": ["ROUND", "FLAT"]}),
    ("inner.name=a+b&inner.inner.number=7", {"inner": {"name": "a b", "inner": {"number": "7"}}}),
    ("raw=%2B/8=", {"raw": "+/8="}), ("raw=-_8", {"raw": "+/8="}),
    ("yes=true&ratio=NaN", {"yes": True, "ratio": "NaN"}), ("yes=1", {"yes": True}), ("inner.yes=True", {"inner": {"yes": True}}),
    ("labels[a]=b&labels.c=d+e", {"labels": {"a": "b", "c": "d e"}}), ("labels%5Ba%5D=b", {"labels": {"a": "b"}}),
    ("labels[a.b/c]=&inner.labels.a.b=x", {"labels": {"a.b/c": ""}, "inner": {"labels": {"a.b": "x"}}}),
    ("at=2026-01-02T03:04:05Z&took=1.5s", {"at": "2026-01-02T03:04:05Z", "took": "1.500s"}),
    ("mask=name,inner.otherName", {"mask": "name,inner.otherName"}),
    ("most=7&words=a&words=b", {"most": "7", "words": ["a", "b"]}),
    ("maybe=0", {"maybe": 0}),
    ("alias=x", {"alias": "x"}), ("other_name=x", {"alias": "x"}),
    ("&&number=1&", {"number": "1"}),
    ("", {}),
])
def test_a_query_fills_fields(world, query, asked):
    assert world.asks("GET", f"/v1/one/n?{query}") == {"name": "n", **asked}


@pytest.mark.parametrize("query,word", [
    ("nubmer=1", "nubmer"), ("inner.nothing=1", "inner.nothing"), ("name.inner=1", "name.inner"),
    ("number=1&number=2", "number"),                    # twice: nobody knows which is meant
    ("name=other", "name"),                             # in the path and in the query
    ("number=one", "number"), ("shape=SQUARE", "shape"), ("yes=1x", "yes"), ("at=now", "at"),
    ("inner=x", "inner"), ("free=x", "free"), ("labels=x", "labels"), ("labels[]=x", "labels"),
    ("labels[a=x", "labels"), ("labels[a]=x&labels.a=x", "labels.a"), ("tags[]=x", "tags[]"), ("yes=2", "yes"), ("list=x", "list"),
    ("list.name=x", "list"), ("tags=%FF", "tags"), ("number=%zz", "escape"), ("=1", ""),
])
def test_a_query_that_cannot_be_meant_is_400_and_named(world, query, word):
    told = world.refuses(400, "GET", f"/v1/one/n?{query}")
    assert word in json.dumps({**told, "headers": None})


def test_an_unknown_parameter_is_counted_where_the_route_says_so(world):
    assert world.asks("GET", "/v1/counting/n?nubmer=1&number=2&nothing.at.all=3") == {"name": "n", "number": "2"}
    assert world.gateway.logged(path="/v1/counting/n", verb="GET")["unknown"] == 2


# ---- Bodies ----------------------------------------------------------------------------------------------

def test_a_star_body_is_all_that_the_path_does_not_say(world):
    assert world.asks("PUT", "/v1/whole/n", {"number": 5, "inner": {"tags": ["a"]}}) == {
        "name": "n", "number": "5", "inner": {"tags": ["a"]}}
    assert world.asks("PUT", "/v1/whole/n", {"name": "n"}) == {"name": "n"}
    assert world.asks("PUT", "/v1/whole/n", {"name": ""}) == {"name": "n"}, "which is the same as unset"


@pytest.mark.parametrize("verb,path,body,field", [
    ("PUT", "/v1/whole/n", {"name": "other"}, "name"),
    ("PUT", "/v1/whole/n", {"name": {}}, "name"),
    ("PATCH", "/v1/inner/7", {"name": "inner/8"}, "inner.name"),
    ("PATCH", "/v1/inner/7", {"name": "7"}, "inner.name"),
    ("POST", "/v1/one/n:lend", {"name": "m"}, "name"),
    ("POST", "/v1/counting/here", {"name": "there"}, "name"),  # it is no unknown field
])
def test_a_path_that_contradicts_the_body_is_refused_and_named(world, verb, path, body, field):
    told = world.refuses(400, verb, path, body)
    assert told["reason"] == "BAD_VALUE" and field in told["detail"]


@pytest.mark.parametrize("query,word", [
    ("inner.number=1", "inner.number"), ("number=3&inner.note=x", "inner.note"), ("inner.inner.tags=a", "inner.inner.tags"),
    ("inner.name=inner/7", "inner.name"), ("inner=x", "inner"), ("inner%2Enote=x", "inner.note"), ("inner.=x", "inner"),
])
@pytest.mark.parametrize("body", [b"", b"{}", b'{"number": 4, "note": "x"}'])
def test_a_query_does_not_lead_into_the_field_that_is_the_body(world, query, word, body):
    told = world.refuses(400, "PATCH", f"/v1/inner/7?{query}", body, JSON)
    assert word in told["detail"] and told["reason"] == "UNKNOWN_FIELD"


@pytest.mark.parametrize("verb,path,body,query", [
    ("PUT", "/v1/tags/n", b'["a"]', "tags=b"), ("PUT", "/v1/labels/n", b'{"a": "b"}', "labels[c]=d"),
    ("PUT", "/v1/labels/n", b"", "labels.c=d"), ("PUT", "/v1/note/n", b'"a"', "note=a"),
    ("POST", "/v1/upload/n", b"bytes", "file.data=ZXZpbA=="), ("POST", "/v1/upload/n", b"bytes", "file.contentType=x/y"),
    ("POST", "/v1/upload/n", b"", "file.content_type=x/y"), ("POST", "/v1/streamed/n", b"bytes", "file.data=ZXZpbA=="),
    ("POST", "/v1/raw", b"bytes", "data=ZXZpbA=="), ("POST", "/v1/raw", b"bytes", "contentType=x/y"),
    ("PUT", "/v1/whole/n", b"{}", "alias=x"), ("PUT", "/v1/whole/n", b"{}", "name=n"),
])
def test_nor_into_a_body_of_any_other_kind(world, verb, path, body, query):
    told = world.refuses(400, verb, f"{path}?{query}", body, JSON)
    assert query.split("=")[0] in told["detail"]


def test_the_body_stands_where_unknown_fields_are_counted(world):
    before = {"name": "n", "inner": {"note": "body"}}
    assert world.asks("PUT", "/v1/counting/n?inner.note=query&inner.number=7&yes=true", before["inner"]) == {
        **before, "yes": True}
    assert world.gateway.logged(path="/v1/counting/n", verb="PUT")["unknown"] == 2


def test_a_body_that_says_a_field_in_both_spellings_is_refused(world):
    world.refuses(400, "PUT", "/v1/whole/n", b'{"name": "n", "name": "other"}', JSON)
    world.refuses(400, "PUT", "/v1/whole/n", b'{"alias": "n", "other_name": "other"}', JSON)


def test_a_star_body_leaves_no_parameters(world):
    told = world.refuses(400, "PUT", "/v1/whole/n?number=5", {})
    assert "number" in told["detail"] and told["reason"] == "UNKNOWN_FIELD"
    assert world.asks("POST", "/v1/counting/n?number=5&tags=a", {}) == {"name": "n"}
    assert world.gateway.logged(path="/v1/counting/n", verb="POST")["unknown"] == 2


@pytest.mark.parametrize("body", [b"", b"{}", b" \r\n{ }\t"])
def test_an_empty_body_is_an_empty_object(world, body):
    assert world.asks("PUT", "/v1/whole/n", body, JSON) == {"name": "n"}


def test_an_empty_body_of_a_field_leaves_it_unset(world):
    assert world.asks("PATCH", "/v1/inner/7", b"", JSON) == {"inner": {"name": "inner/7"}}
    assert world.asks("PATCH", "/v1/inner/7", b"{}", JSON) == {"inner": {"name": "inner/7"}}
    assert world.asks("PUT", "/v1/tags/n", b"", JSON) == {"name": "n"}


def test_path_body_and_query_share_a_message(world):
    assert world.asks("PATCH", "/v1/inner/7?number=3&tags=a&alias=x", {"number": "4", "note": "b"}) == {
        "inner": {"name": "inner/7", "number": "4", "note": "b"}, "number": "3", "tags": ["a"], "alias": "x"}


def test_a_field_of_any_type_may_be_the_body(world):
    assert world.asks("PUT", "/v1/tags/n", ["a", "b"]) == {"name": "n", "tags": ["a", "b"]}
    assert world.asks("PUT", "/v1/note/n", b'"words"', JSON) == {"name": "n", "note": "words"}
    world.refuses(400, "PUT", "/v1/tags/n", {"tags": ["a"]})


@pytest.mark.parametrize("verb,path", [("GET", "/v1/one/n"), ("POST", "/v1/none/n"), ("DELETE", "/v1/none/n")])
def test_a_body_where_none_is_taken_is_refused_unless_it_says_nothing(world, verb, path):
    told = world.refuses(400, verb, path, {"number": 5})
    assert "body" in told["detail"]
    for nothing in (b"", b"{}", b" { }\n"):
        assert world.asks(verb, path, nothing, JSON) == {"name": "n"}


def test_a_body_where_none_is_taken_is_counted_where_the_route_says_so(world):
    assert world.asks("POST", "/v1/counting?name=m", {"number": 5}) == {"name": "m"}
    assert world.gateway.logged(path="/v1/counting", verb="POST")["unknown"] == 1


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml",
                                          "application/json; charset=latin1", "nonsense", "application/grpc+xml"])
def test_another_content_type_is_415(world, content_type):
    told = world.http("PUT", "/v1/whole/n", b"{}", {"Content-Type": content_type})
    assert told.status == 415


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=UTF-8",
                                          "application/vnd.library.v1+json"])
def test_json_is_understood_under_all_its_names(world, content_type):
    assert world.asks("PUT", "/v1/whole/n", b'{"number": 1}', {"Content-Type": content_type}) == {"name": "n", "number": "1"}


# ---- Answers ---------------------------------------------------------------------------------------------

def test_each_binding_has_its_own_response_body(world):
    assert world.http("GET", "/v1/more/n?tags=a").json == {"name": "n", "tags": ["a"]}
    assert world.http("GET", "/v1/more?tags=a&tags=b").json == ["a", "b"]
    assert world.http("POST", "/v1/more", {"inner": {"number": 7}}).json == {"number": "7"}
    assert world.http("PUT", "/v1/note/n", b'"words"', JSON).json == "words"


def test_a_response_body_that_is_unset_is_its_fields_nothing(world):
    assert world.http("GET", "/v1/more").json == []
    assert world.http("PUT", "/v1/note/n", b'""', JSON).json == ""
    assert world.http("POST", "/v1/more", {}).json in ({}, None)


@pytest.mark.parametrize("accept", ["text/html", "image/*", "application/json;q=0", "application/xml, text/plain",
                                    "text/event-stream"])
def test_an_accept_that_json_does_not_meet_is_406(world, accept):
    assert world.refuses(406, "GET", "/v1/one/n", headers={"Accept": accept})["reason"] == "NOT_ACCEPTABLE"


@pytest.mark.parametrize("accept", ["*/*", "application/*", "APPLICATION/JSON", "text/html, */*;q=0.1", "",
                                    "application/vnd.library.v1+json", "application/json; charset=utf-8",
                                    "application/problem+json, application/json"])
def test_an_accept_that_json_meets_is_answered(world, accept):
    assert world.asks("GET", "/v1/one/n", headers={"Accept": accept}) == {"name": "n"}


# ---- HttpBody --------------------------------------------------------------------------------------------

def test_bytes_of_any_type_go_up_and_come_down(world):
    assert world.asks("POST", "/v1/upload/n?number=5", b"\0\xff{", {"Content-Type": "image/png"}) == {
        "name": "n", "number": "5", "file": {"contentType": "image/png", "data": "AP97"}}
    down = world.http("GET", "/v1/download/picture", headers={"Accept": "image/png"})
    assert (down.headers["Content-Type"], down.body) == ("image/png", b"picture")
    both = world.http("POST", "/v1/raw", b"\0\xff", {"Content-Type": "a/b; c=d"})
    assert (both.headers["Content-Type"], both.body) == ("a/b; c=d", b"\0\xff")


def test_a_field_of_the_answer_may_be_bytes_of_any_type(world):
    file = {"contentType": "image/png", "data": "AP8="}
    down = world.http("POST", "/v1/file", {"file": file})
    assert (down.headers["Content-Type"], down.body) == ("image/png", b"\0\xff")


def test_a_stream_of_bytes_is_one_body(world):
    answer = world.http("GET", "/v1/pieces/n")
    assert (answer.headers["Content-Type"], answer.body) == ("image/png", b"".join(PIECES))


def test_a_stream_of_bytes_that_breaks_is_no_whole_body(world):
    with Raw(world.gateway.port) as connection:
        connection.send("GET /v1/pieces/broken HTTP/1.1\r\nHost: x\r\n\r\n")
        told = connection.read_all()
    assert told.startswith(b"HTTP/1.1 200 OK\r\n") and all(piece in told for piece in PIECES), "what came is given"
    assert not told.endswith(b"0\r\n\r\n"), "nothing but the missing end can say that it is not all"


@pytest.mark.parametrize("path,name", [("/v1/streamed/n", "n"), ("/v1/streamed", None)])
@pytest.mark.parametrize("http", ["--http1.1", "--http2-prior-knowledge"])
def test_bytes_that_go_up_as_a_stream_may_be_more_than_a_message(world, tmp_path, path, name, http):
    upload, answer = tmp_path / "upload", tmp_path / "answer"
    upload.write_bytes(random.randbytes(6 << 20))  # grpcio takes 4 MiB in a message
    subprocess.run(["curl", "-sS", http, "-H", "Content-Type: image/png", "--data-binary", f"@{upload}",
                    "-o", answer, f"http://{world.gateway.address}{path}"], check=True, timeout=60)
    told = json.loads(answer.read_bytes())
    assert (told.get("name"), told["note"]) == (name, "image/png")
    assert base64.b64decode(told["raw"]) == upload.read_bytes()
    assert int(told["number"]) > 1


def test_bytes_that_go_up_as_a_stream_arrive_as_they_are_sent(world):
    before = world.library.gathered
    with Raw(world.gateway.port) as connection:
        connection.send("POST /v1/streamed HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        eventually(lambda: world.library.gathered == before + 3)
        connection.send("2\r\nde\r\n0\r\n\r\n")
        status, _, body = connection.read_answer()
    assert status == 200 and json.loads(body) == {"number": "2", "note": "a/b", "raw": "YWJjZGU="}


def test_a_service_that_does_not_read_holds_a_stream_of_bytes_back(world):
    sent, piece = 0, b"10000\r\n%s\r\n" % bytes(65536)
    with Raw(world.gateway.port, timeout=2) as connection:
        connection.send("POST /v1/streamed/slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        with pytest.raises(TimeoutError):
            while sent < 64 << 20:
                connection.send(piece)
                sent += len(piece)
    world.library.quick.set()


def test_a_stream_of_no_bytes_is_one_message(world):
    assert world.http("POST", "/v1/streamed/n", b"", {"Content-Type": "a/b"}).json == {
        "name": "n", "number": "1", "note": "a/b"}


def test_a_compressed_stream_of_bytes_is_one_message(world):
    headers = {"Content-Type": "a/b", "Content-Encoding": "gzip"}
    assert world.http("POST", "/v1/streamed/n", gzip.compress(b"abc"), headers).json == {
        "name": "n", "number": "1", "note": "a/b", "raw": "YWJj"}


# ---- Streams ---------------------------------------------------------------------------------------------

def lines(answer):
    return [json.loads(line) for line in answer.body.decode().splitlines()]


def events(answer):
    """[(event, id, data)] by the rules of HTML's "event stream interpretation"."""
    found = []
    for block in answer.body.decode().split("\n\n")[:-1]:
        fields = [line.partition(": ")[::2] for line in block.split("\n")]
        assert all(name in ("event", "id", "data") for name, _ in fields), block
        data = "\n".join(value for name, value in fields if name == "data")
        found.append((dict(fields).get("event", "message"), dict(fields).get("id"), json.loads(data)))
    return found


BOOK = {"note": "two\nlines\r\nand more"}


EVENTS = {"Accept": "text/event-stream"}


@pytest.mark.parametrize("accept", ["*/*", "application/x-ndjson", "application/*", None])
def test_a_stream_is_lines_unless_something_else_is_wanted(world, accept):
    answer = world.http("GET", "/v1/shelf?tags=a&tags=b", headers={"Accept": accept} if accept else {})
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert lines(answer) == [{"name": "a", **BOOK}, {"name": "b", **BOOK}]


@pytest.mark.parametrize("accept,kind", [
    ("text/event-stream", "text/event-stream"),
    ("application/x-ndjson;q=0.5, text/event-stream", "text/event-stream"),
    ("text/event-stream;q=0.5, application/x-ndjson", "application/x-ndjson"),
    ("text/event-stream;q=0, */*", "application/x-ndjson"),
    ("application/json", "application/json"), ("application/json, text/plain, */*", "application/json"),
    ("application/json, application/x-ndjson", "application/x-ndjson"),
])
def test_the_most_wanted_form_of_a_stream_is_given(world, accept, kind):
    answer = world.http("GET", "/v1/shelf?tags=a", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == kind


def test_newlines_in_data_do_not_break_an_event(world):
    answer = world.http("GET", "/v1/shelf?tags=a&tags=b", headers=EVENTS)
    assert answer.headers["Cache-Control"] == "no-cache"
    assert events(answer) == [("message", "1", {"name": "a", **BOOK}), ("message", "2", {"name": "b", **BOOK}),
                              ("end", "end", {})]


def test_a_browser_that_reconnects_goes_on_or_hears_that_all_is_said(world):
    answer = world.http("GET", "/v1/shelf?tags=c", headers={**EVENTS, "Last-Event-ID": "2"})
    assert [(kind, number) for kind, number, _ in events(answer)] == [("message", "3"), ("end", "end")]
    answer = world.http("GET", "/v1/shelf?tags=c", headers={**EVENTS, "Last-Event-ID": "end"})
    assert (answer.status, answer.body) == (204, b"")
    assert world.http("GET", "/v1/shelf?tags=c", headers={"Last-Event-ID": "end"}).status == 200


def test_a_stream_is_one_array_for_who_wants_json(world):
    for tags, names in (("tags=a&tags=b", ["a", "b"]), ("tags=a", ["a"]), ("", [])):
        answer = world.http("GET", f"/v1/shelf?{tags}", headers={"Accept": "application/json"})
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
        assert answer.json == [{"name": name, **BOOK} for name in names]


@pytest.mark.parametrize("accept,kind,body", [
    (None, "application/x-ndjson", b""), ("application/json", "application/json", b"[]"),
    ("text/event-stream", "text/event-stream", b"event: end\nid: end\ndata: {}\n\n")])
def test_a_stream_without_messages_has_its_type_and_its_end(world, accept, kind, body):
    answer = world.http("GET", "/v1/shelf", headers={"Accept": accept} if accept else {})
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, kind, body)


def test_a_stream_that_is_not_acceptable_is_406(world):
    assert world.refuses(406, "GET", "/v1/shelf?tags=a", headers={"Accept": "text/html"})


def test_an_error_in_the_middle_is_the_last_item(world):
    told = lines(world.http("GET", "/v1/shelf?tags=a&tags=!"))
    assert told[0] == {"name": "a", **BOOK}
    assert (told[1]["error"]["code"], told[1]["error"]["detail"]) == ("DATA_LOSS", "broke\noff")
    told = events(world.http("GET", "/v1/shelf?tags=a&tags=!", headers=EVENTS))
    assert [(event, number) for event, number, _ in told] == [("message", "1"), ("error", "end")]
    assert told[1][2]["error"]["code"] == "DATA_LOSS"
    told = world.http("GET", "/v1/shelf?tags=a&tags=!", headers={"Accept": "application/json"}).json
    assert told[0] == {"name": "a", **BOOK} and told[1]["error"]["code"] == "DATA_LOSS"


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/event-stream"])
@pytest.mark.parametrize("head", ["", "&note=head"])
def test_an_error_before_the_first_message_is_an_ordinary_one(world, accept, head):
    answer = world.http("GET", f"/v1/shelf?tags=!{head}", headers={"Accept": accept})
    assert (answer.status, answer.headers["Content-Type"]) == (500, "application/problem+json")
    assert answer.json["code"] == "DATA_LOSS"


def test_a_deadline_in_the_middle_is_said_too(world):
    answer = world.http("GET", "/v1/shelf?tags=a&tags=...", headers={"grpc-timeout": "300m"})
    assert answer.status == 200
    assert [line.get("error", {}).get("code") for line in lines(answer)] == [None, "DEADLINE_EXCEEDED"]


@pytest.mark.parametrize("http", ["--http1.1", "--http2-prior-knowledge"])
@pytest.mark.parametrize("accept", ["application/x-ndjson", "text/event-stream", "application/json"])
def test_each_message_is_there_at_once_and_a_reader_who_leaves_is_told(world, http, accept):
    name = f"reader{http}{accept}"
    curl = subprocess.Popen(["curl", "-sN", http, "-G", "-H", f"Accept: {accept}", "--data-urlencode", f"name={name}",
                             f"http://{world.gateway.address}/v1/shelf?tags=a&tags=..."], stdout=subprocess.PIPE)
    line = curl.stdout.readline()
    while not line.removeprefix(b"data: ").startswith(b"{"):
        line = curl.stdout.readline()
    assert json.loads(line.removeprefix(b"data: "))["name"] == "a"
    assert name not in world.library.ended
    curl.kill()
    curl.communicate()
    eventually(lambda: name in world.library.ended)


def test_http2_says_the_same(world):
    done = subprocess.run(["curl", "-s", "--http2-prior-knowledge", "-X", "PATCH", "--json", '{"number": 4}',
                           "-w", "\n%{http_version} %{http_code} %{content_type}",
                           f"http://{world.gateway.address}/v1/inner/x%2Fy?tags=a"], capture_output=True, text=True)
    body, told = done.stdout.rsplit("\n", 1)
    assert told == "2 200 application/json"
    assert json.loads(body) == {"inner": {"name": "inner/x%2Fy", "number": "4"}, "tags": ["a"]}
