"""What a route demands of requests beyond their schema, in every dialect of real clients, with and without a conversion."""
import contextlib
import subprocess
import types

import grpc
import pytest
import talkers
from backends import v3  # noqa: F401  (with it come the google.rpc types)
from gateway import BINARY, Gateway
from google.rpc import status_pb2 as rpc
from processes import eventually
from test_ledger import rows
from test_matrix import CLIENTS, UPSTREAMS, in_version, methods_of_client

CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin", socket: "unix:admin.sock"}
log: "-"
ledger: {every: 100ms}
services:
  - name: talk
    versions:
      - {name: v1, package: talk.v1, schema: $schema}
      - {name: v2, package: talk.v2, schema: $schema}
      - {name: v3, package: talk.v3, schema: $schema}
    changes: [$talk/talk-v1-v2.yaml, $talk/talk-v2-v3.yaml]
    instances: [$instance]
routes:
  - match: talk
    timeout: 50s
    parameters:
      number: {default: 7, at_most: 100}
      text: {required: true, at_most: 5, versions: [v2, v3]}
      say: {required: true, at_most: 5, versions: [v1]}
      times: {at_most: 3, clamp: true}
      mood: {one_of: [CALM], versions: [v3]}
      tone: {one_of: [SOFT], versions: [v1]}
      wait_ms: {at_most: 90000, versions: [v1]}
      trouble.wait_ms: {at_most: 90000, versions: [v2, v3]}
"""


PROTO = """syntax = "proto3"; package s.%s;
service S { rpc Get(GetRequest) returns (Item); rpc Create(CreateRequest) returns (Item); }
message GetRequest { string name = 1; Kind kind = 2; }
message CreateRequest { Item item = 1; }
message Item { string %s = 1; }
enum Kind { KIND_UNSPECIFIED = 0; %s = 1; }
"""
TWO = """
listen: ["127.0.0.1:$port"]
services:
  - name: s
    versions: [{name: v1, package: s.v1, schema: s.binpb}, {name: v2, package: s.v2, schema: s.binpb}]
    changes: [list.yaml]
    instances: [{address: "127.0.0.1:1", versions: [v1]}]
routes: [{match: s, parameters: {PARAMETERS}}]
"""


@pytest.mark.parametrize("parameters,said", [
    ("item.title: {required: true}", "parameters.item.title: Item of v2 has no field title (versions: [v1])"),
    ("item.titel: {required: true}", "parameters.item.titel: Item of v1 has no field titel (did you mean title)"),
    ("kind: {one_of: [BOOK]}", "parameters.kind.one_of: Kind has no value BOOK in v2 (versions: [v1])"),
    ("kind: {one_of: [BOOKS]}", "parameters.kind.one_of: Kind has no value BOOKS (did you mean BOOK?)"),
    ("kind: {one_of: [BOOK], versions: [v1]}", None),
])
def test_a_mistake_of_some_versions_says_of_which_and_what_the_others_are(tmp_path, parameters, said):
    for version, title, kind in (("v1", "title", "BOOK"), ("v2", "display_title", "KIND_BOOK")):
        (tmp_path / f"{version}.proto").write_text(PROTO % (version, title, kind))
    subprocess.run(["protoc", f"-I{tmp_path}", f"--descriptor_set_out={tmp_path}/s.binpb", "v1.proto", "v2.proto"], check=True, timeout=60)
    (tmp_path / "list.yaml").write_text("from: v1\nto: v2\nmessages: {Item: {title: display_title}}\nenums: {Kind: {BOOK: KIND_BOOK}}\n")
    done = Gateway(tmp_path, TWO.replace("PARAMETERS", parameters)).check()
    told = [line for line in (done.stdout + done.stderr).splitlines() if "parameters" in line]
    assert [line.partition("routes[0].")[2] for line in told] == ([said] if said else []), done.stdout + done.stderr
    assert done.returncode == (1 if said else 0)


class World:
    def __init__(self, folder, running):
        self.folder, self.running, self.gateways = folder, running, {}
        self.schema, backend = talkers.compile_schema(folder)
        schema = talkers.Schema(backend)
        self.backends = talkers.backends(backend, running)
        self.clients = talkers.clients(backend, schema, running)

    def gateway(self, upstream):
        if upstream not in self.gateways:
            backend, http, words = UPSTREAMS[upstream]
            folder = self.folder / upstream.replace("/", "-")
            folder.mkdir()
            self.gateways[upstream] = self.running.enter_context(Gateway(
                folder, CONFIG, schema=self.schema, talk=talkers.TALK,
                instance=f"{{address: '127.0.0.1:{self.backends[backend].ports[http]}', versions: [v3], {words}}}"))
        return self.gateways[upstream]

    def run(self, client, upstream, version, method, *asks):
        call = types.SimpleNamespace(method=method, asks=[in_version(version, ask) for ask in asks], fields={},
                                     timeout=40)
        return self.clients[client][version].run(self.gateway(upstream).address, call, lambda cancel: None)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with contextlib.ExitStack() as running:
        yield World(tmp_path_factory.mktemp("parameters"), running)


def violations(told):
    """{field: reason} of google.rpc.BadRequest, which REST has as JSON."""
    bad = told.details["google.rpc.BadRequest"]
    if isinstance(bad, bytes):
        return {one.field: one.reason for one in rpc.BadRequest.FromString(bad).field_violations}
    return {one["field"]: one["reason"] for one in bad["fieldViolations"]}


def sends_json(client):
    return "json" in client or client.startswith(("rest", "connect-get"))


each_client = pytest.mark.parametrize("client", CLIENTS)
each_version = pytest.mark.parametrize("version", ["v1", "v3"])
each_upstream = pytest.mark.parametrize("upstream", ["grpc", "rest"])


@each_client
@each_version
@each_upstream
def test_what_is_absent_has_its_default(world, client, version, upstream):
    told = world.run(client, upstream, version, "say", {"text": "x"})
    assert told.code is None, told.message
    assert told.messages == [in_version(version, {"text": "x", "number": "7"})]


@each_client
@each_version
@each_upstream
def test_what_is_there_stays(world, client, version, upstream):
    full = {"text": "abcde", "number": "100", "mood": "CALM", "raw": "+/8="}
    told = world.run(client, upstream, version, "say", full)
    assert told.code is None, told.message
    assert told.messages == [in_version(version, full)]


@each_client
@each_version
def test_all_mistakes_are_told_together(world, client, version):
    asked = {"text": "", "number": "101", "mood": "LOUD", "trouble": {"waitMs": 90001}}
    told = world.run(client, "grpc", version, "say", asked)
    assert told.code == "INVALID_ARGUMENT", told.message
    wait = "waitMs" if sends_json(client) else "wait_ms"
    names = {"v1": ("say", "tone", wait), "v3": ("text", "mood", "trouble." + wait)}[version]
    assert violations(told) == {names[0]: "FIELD_REQUIRED", "number": "VALUE_NOT_ALLOWED",
                                names[1]: "VALUE_NOT_ALLOWED", names[2]: "VALUE_NOT_ALLOWED"}
    assert f"{names[0]}: is required" in told.message or "number: must be at most 100" in told.message


@each_client
@each_version
def test_a_value_becomes_its_bound(world, client, version):
    told = world.run(client, "grpc", version, "count", {"text": "x", "times": 9})
    if "count" in methods_of_client(client):
        assert told.code is None and len(told.messages) == 3


@pytest.mark.parametrize("client", [client for client in CLIENTS if "gather" in methods_of_client(client)])
@each_version
def test_every_message_of_a_stream_is_checked(world, client, version):
    good = [{"text": "a"}, {"text": "b", "number": "3"}]
    told = world.run(client, "grpc", version, "gather", *good)
    assert told.code is None and told.messages[0]["number"] == "10"
    told = world.run(client, "grpc", version, "gather", *good, {"text": "abcdef"})
    assert told.code == "INVALID_ARGUMENT"
    assert list(violations(told).values()) == ["VALUE_NOT_ALLOWED"]


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.NoCompression])
def test_a_compressed_message_is_opened(world, compression):
    schema = world.clients["grpc"]["v3"].schema
    ask, answer = schema("talk.v3.Ask"), schema("talk.v3.Answer")
    with grpc.insecure_channel(world.gateway("grpc").address, compression=compression) as channel:
        say = channel.unary_unary("/talk.v3.Talk/Say", ask.SerializeToString, answer.FromString)
        assert say(ask(text="x", raw=b"r" * 5000)).number == 7
        with pytest.raises(grpc.RpcError) as caught:
            say(ask(text="abcdef", raw=b"r" * 5000))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_large_message_is_checked_on_the_work_pool(world):
    schema = world.clients["grpc"]["v3"].schema
    ask, answer = schema("talk.v3.Ask"), schema("talk.v3.Answer")
    with grpc.insecure_channel(world.gateway("grpc").address) as channel:
        say = channel.unary_unary("/talk.v3.Talk/Say", ask.SerializeToString, answer.FromString)
        assert say(ask(text="x", raw=b"r" * 600_000)).number == 7


def test_it_is_a_mistake_of_the_client(world):
    gateway = world.gateway("grpc")
    answer = gateway.http("GET", "/v3/say/abcdef?number=1")
    assert (answer.status, answer.json["code"], answer.json["reason"]) == (400, "INVALID_ARGUMENT", "VALUE_NOT_ALLOWED")
    assert "text: must have at most 5 characters" in answer.json["detail"]
    line = gateway.logged(request_id=answer.json["request_id"])
    assert line["causes"][0]["fault"] == "VALUE_NOT_ALLOWED" and line["causes"][0]["field"] == "text", line


def test_paths_and_queries_are_told_with_the_rest(world):
    answer = world.gateway("grpc").http("GET", "/v3/say/abcdef?number=many&mood=LOUD")
    assert answer.status == 400
    told = {one["field"]: one["reason"] for detail in answer.json["details"] for one in detail.get("fieldViolations", ())}
    assert told == {"number": "BAD_VALUE", "text": "VALUE_NOT_ALLOWED", "mood": "VALUE_NOT_ALLOWED"}


def test_it_is_counted_and_in_the_ledger(world):
    gateway = world.gateway("grpc")
    labels = {"fault": "FIELD_REQUIRED", "side": "client"}
    before = gateway.metric("passerelle_errors_total", **labels)
    assert gateway.http("POST", "/v3/say", {"number": "2"}).status == 400
    eventually(lambda: gateway.metric("passerelle_errors_total", **labels) == before + 1)
    assert rows(gateway, "mistakes", fault="FIELD_REQUIRED") and not rows(gateway, fault="FIELD_REQUIRED")


def test_explain_shows_what_is_demanded(world):
    gateway = world.gateway("grpc")
    done = subprocess.run([BINARY, "explain", gateway.file, "GET", "/v3/say/x"], capture_output=True, text=True, timeout=60)
    assert "demands   number: default 7, at most 100\n          text: required, at most 5\n" in done.stdout
    assert "          times: at most 3, clamped\n          mood: one of CALM\n" in done.stdout
    assert "say:" not in done.stdout
