"""
What a page of another origin can make a browser send with its visitor's cookies before anybody is asked by a preflight:
GET, HEAD and POST, with bodies of text/plain, forms, and no said type (Fetch, "CORS-safelisted").
"""
import json
import subprocess
from concurrent import futures

import grpc
import pytest
from gateway import Gateway
from http2_client import http2_request
from processes import ROOT, free_port
from raw import Raw
from talkers import Schema

PROTO = """
syntax = "proto3";
package site.$version;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
message Item { string name = 1; google.api.HttpBody file = 2; }
service Site {
  rpc Read(Item) returns (Item) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Watch(Item) returns (stream Item) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Remove(Item) returns (Item) { option (google.api.http) = {post: "/items/{name}:remove"}; }
  rpc Twice(Item) returns (Item) { option idempotency_level = IDEMPOTENT; }
  rpc Grown(Item) returns (Item) { $level }
  rpc Put(Item) returns (Item) { option (google.api.http) = {post: "/items/{name}" body: "*"
    additional_bindings {delete: "/items/{name}"} additional_bindings {get: "/odd/{name}" body: "*"}}; }
  rpc Store(Item) returns (Item) { option (google.api.http) = {post: "/files/{name}" body: "$body"}; }
  rpc Gather(stream Item) returns (Item) { option (google.api.http) = {post: "/gathered" body: "*"}; }
}
"""
CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin"}
$more
services:
  - name: site
    on_conflict: first
    versions:
      - {name: v1, package: site.v1, schema: $folder/v1.binpb}
      - {name: v2, package: site.v2, schema: $folder/v2.binpb}
    instances: [{address: "127.0.0.1:$backend", versions: [$served]}]
"""
JSON = {"Content-Type": "application/json"}
MESSAGE = b'{"name":"7"}'
GET = "connect=v1&encoding=json&message=%7B%22name%22%3A%227%22%7D"
# What a page may say of a body without a preflight, and what only looks as if it said JSON.
FREE_TYPES = [None, "text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded",
              "multipart/form-data; boundary=x", "text/plain; a=application/json", "text/plain;application/json",
              "application/x-www-form-urlencoded; x=+json", "text/plain, application/json"]


class Site:
    """The backend of both versions; `heard` are the calls that it got, also those of which no message came."""

    def __init__(self, folder):
        self.heard = []
        self.port = free_port()
        self.server = grpc.server(futures.ThreadPoolExecutor(8))
        for version, level, body in (("v1", "", "file"), ("v2", "option idempotency_level = NO_SIDE_EFFECTS;", "*")):
            text = PROTO.replace("$version", version).replace("$level", level).replace("$body", body)
            (folder / f"{version}.proto").write_text(text)
            subprocess.run(["protoc", f"-I{folder}", f"-I{ROOT}/examples/shop/proto", "--include_imports",
                            f"--descriptor_set_out={folder}/{version}.binpb", f"{version}.proto"], check=True)
            self.serve(Schema(folder / f"{version}.binpb"), version)
        self.server.add_insecure_port(f"127.0.0.1:{self.port}")
        self.server.start()

    def serve(self, schema, version):
        item = schema(f"site.{version}.Item")

        def handler(method):
            def answer(asked, _):
                self.heard.append(f"{version}.{method.name}")
                items = list(asked) if method.name == "Gather" else [asked]
                return items[0] if items else item()

            def stream(asked, context):
                yield answer(asked, context)
            kind = grpc.stream_unary_rpc_method_handler if method.name == "Gather" else \
                grpc.unary_stream_rpc_method_handler if method.name == "Watch" else grpc.unary_unary_rpc_method_handler
            return kind(stream if method.name == "Watch" else answer, item.FromString, item.SerializeToString)
        name = f"site.{version}.Site"
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
            name, {m.name: handler(m) for m in schema.pool.FindServiceByName(name).methods})])


class World:
    def __init__(self, site, gateway):
        self.site, self.gateway = site, gateway

    def ask(self, verb, path, body=None, headers=None):
        """(status, fields with lower-case names, body), over HTTP/1.1 and HTTP/2, which must agree."""
        answer = self.gateway.http(verb, path, body, headers)
        fields = {name.lower(): value for name, value in answer.headers.items()}
        told = http2_request(self.gateway.port, verb, path,
                             [(name.lower(), value) for name, value in (headers or {}).items()], body)
        assert told[0] == answer.status, (told, answer.body)
        return answer.status, fields, answer.body

    def heard(self, ask):
        """The calls that the backend hears of meanwhile."""
        before = len(self.site.heard)
        ask()
        return self.site.heard[before:]

    def refuses(self, status, verb, path, body=None, headers=None):
        told = []
        assert self.heard(lambda: told.append(self.ask(verb, path, body, headers))) == []
        assert told[0][0] == status, told
        return told[0]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    running = Site(folder)
    running.folder = folder
    yield running
    running.server.stop(0)


@pytest.fixture(scope="module")
def world(site):
    with Gateway(site.folder, CONFIG, backend=site.port, served="v1, v2", more="") as gateway:
        yield World(site, gateway)


@pytest.fixture
def run(site, tmp_path):
    """run(served=..., more=...): a gateway of its own."""
    started = []

    def start(served="v1, v2", more=""):
        gateway = Gateway(tmp_path, CONFIG.replace("$folder", str(site.folder)), backend=site.port, served=served,
                          more=more)
        started.append(gateway)
        gateway.start()
        return World(site, gateway)
    yield start
    for gateway in started:
        gateway.stop()


# ---- Connect's GET -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_get_asks_a_method_without_side_effects(world, version):
    status, _, body = world.ask("GET", f"/site.{version}.Site/Read?{GET}")
    assert (status, json.loads(body)) == (200, {"name": "7"})


@pytest.mark.parametrize("method", ["Remove", "Twice", "Put"])
@pytest.mark.parametrize("query", [GET, GET + "&base64=0", "connect=v1", "encoding=json&message=%7B%7D", "", "message=7"])
def test_a_get_asks_no_other_method(world, method, query):
    for headers in ({}, JSON, {"Connect-Protocol-Version": "1"}, {"Api-Version": "v2"}):
        _, fields, body = world.refuses(405, "GET", f"/site.v1.Site/{method}?{query}", headers=headers)
        assert fields["allow"] == "POST" and json.loads(body)["code"] == "unknown"


@pytest.mark.parametrize("verb", ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_nor_does_any_verb_but_post(world, verb):
    for headers in ({}, JSON, {"Content-Type": "text/plain"}, {"Content-Type": "application/vnd.site+json"}):
        assert world.refuses(405, verb, "/site.v1.Site/Remove", MESSAGE, headers)[1]["allow"] == "POST"
        assert world.refuses(405, verb, "/site.v1.Site/Read", MESSAGE, headers)[1]["allow"] == "GET, HEAD, POST"


def test_a_head_asks_what_a_get_asks(world):
    assert world.refuses(405, "HEAD", f"/site.v1.Site/Remove?{GET}")[1]["allow"] == "POST"


def test_a_stream_is_not_asked_by_get(world):
    world.refuses(415, "GET", f"/site.v1.Site/Watch?{GET}")
    world.refuses(405, "GET", f"/site.v1.Site/Gather?{GET}")


def test_the_gateways_own_services_are_asked_by_post(world):
    told = world.gateway.http("GET", "/grpc.health.v1.Health/Check?connect=v1&encoding=proto&message=")
    assert (told.status, told.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("served,path,header,status", [
    ("v2", "v2", None, 200),        # it has none, wherever it is served
    ("v1, v2", "v2", None, 405),    # v1's, which may have some, may serve it
    ("v1", "v2", None, 405),
    ("v2", "v1", None, 405),        # the client's version does not say that it has none
    ("v1, v2", "v1", None, 405),
])
def test_side_effects_are_those_of_each_version_that_may_answer(run, served, path, header, status):
    world = run(served=served)
    heard = world.heard(lambda: world.ask("GET", f"/site.{path}.Site/Grown?{GET}"))
    assert heard == (["v2.Grown"] * 2 if status == 200 else [])
    assert world.ask("GET", f"/site.{path}.Site/Grown?{GET}")[0] == status
    assert world.ask("POST", f"/site.{path}.Site/Grown", MESSAGE, JSON)[0] == 200


# ---- Bodies ------------------------------------------------------------------------------------------------

def headers_of(content_type):
    return {"Content-Type": content_type} if content_type else {}


@pytest.mark.parametrize("content_type", FREE_TYPES)
@pytest.mark.parametrize("verb,path", [
    ("POST", "/site.v1.Site/Remove"), ("POST", "/site.v1.Site/Gather"), ("POST", "/items/7"), ("POST", "/items/7:remove"),
    ("POST", "/gathered"), ("DELETE", "/items/7"), ("GET", "/odd/7"), ("POST", "/grpc.health.v1.Health/Check"),
])
def test_a_body_that_needs_no_preflight_is_415(world, verb, path, content_type):
    world.refuses(415, verb, path, MESSAGE, headers_of(content_type))


@pytest.mark.parametrize("path", ["/items/7", "/gathered"])
def test_however_its_length_is_said(world, path):
    for sent in ("Transfer-Encoding: chunked\r\n\r\nc\r\n{\"name\":\"7\"}\r\n0\r\n\r\n",
                 "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n{\"name\":\"7\"}\r\n0\r\n\r\n",
                 "Content-Length: 12\r\n\r\n{\"name\":\"7\"}"):
        def ask():
            with Raw(world.gateway.port) as connection:
                connection.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{sent}")
                assert connection.read_reply("POST")[0] == 415
        assert world.heard(ask) == []


def test_the_refusal_does_not_wait_for_the_rest_of_the_body(world):
    with Raw(world.gateway.port) as connection:
        connection.send("POST /items/7 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")
        assert connection.read_reply("POST")[0] == 415


@pytest.mark.parametrize("content_type", [*FREE_TYPES, "application/json"])
@pytest.mark.parametrize("verb,path", [("POST", "/items/7"), ("POST", "/items/7:remove"), ("DELETE", "/items/7")])
def test_a_rest_request_without_a_body_needs_no_type(world, verb, path, content_type):
    for body in (None, b""):  # the latter over HTTP/2: not known to be empty before its end
        assert world.ask(verb, path, body, headers_of(content_type))[0] == 200
    with Raw(world.gateway.port) as connection:
        connection.send(f"{verb} {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        assert connection.read_reply(verb)[0] == 200


@pytest.mark.parametrize("content_type", FREE_TYPES)
@pytest.mark.parametrize("body", [None, b""])
def test_connect_needs_a_type_even_without_a_body(world, content_type, body):
    """An empty message of protobuf has no bytes: such a request would be a whole call."""
    world.refuses(415, "POST", "/site.v1.Site/Remove", body, headers_of(content_type))


def test_what_a_service_takes_of_any_type_it_takes_of_none_too(world):
    for content_type in FREE_TYPES:
        status, _, body = world.ask("POST", "/files/7", b"bytes", {**headers_of(content_type), "Api-Version": "v1"})
        assert status == 200 and json.loads(body)["file"]["data"] == "Ynl0ZXM="
        assert json.loads(body)["file"].get("contentType") == content_type


@pytest.mark.parametrize("content_type", FREE_TYPES)
def test_but_not_in_a_version_that_takes_json(world, content_type):
    """The same requests in another version: which one is meant is known late."""
    headers = {**headers_of(content_type), "Api-Version": "v2"}
    world.refuses(415, "POST", "/files/7", MESSAGE, headers)
    assert world.ask("POST", "/files/7", MESSAGE, {**JSON, "Api-Version": "v2"})[0] == 200


def test_bodies_without_a_type_are_json_where_the_config_says_so(run):
    world = run(more="untyped_bodies: json")
    for path in ("/site.v1.Site/Remove", "/items/7", "/gathered"):
        assert world.heard(lambda: world.ask("POST", path, MESSAGE))
        assert json.loads(world.ask("POST", path, MESSAGE)[2]) == {"name": "7"}
        for content_type in FREE_TYPES[1:]:
            world.refuses(415, "POST", path, MESSAGE, headers_of(content_type))
    world.refuses(405, "GET", f"/site.v1.Site/Remove?{GET}")
    world.refuses(400, "POST", "/site.v1.Site/Remove", b"")  # which is no JSON


def test_an_unknown_word_for_them_is_told(site, tmp_path):
    told = Gateway(tmp_path, CONFIG.replace("$folder", str(site.folder)), backend=1, served="v1",
                   more="untyped_bodies: yaml").check()
    assert told.returncode == 1 and "untyped_bodies" in told.stdout + told.stderr
