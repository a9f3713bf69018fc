"""http_rules: rules of google.api.http from a service YAML, beside those of the schema."""
import json
import re
import subprocess

import pytest
from gateway import BINARY, Gateway
from processes import ROOT
from talkers import Schema
from test_rest import Library, World

CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin"}
log: "-"
services:
  - name: library
    versions: [{name: v1, package: library.v1, schema: $schema, http_rules: rules.yaml}]
    mixins: [library.extra.Places]
    instances: ["127.0.0.1:$backend"]
"""
PLACES = """syntax = "proto3"; package library.extra;
service Places { rpc GetPlace(Place) returns (Place); rpc Other(Place) returns (Place); }
message Place { string name = 1; }
"""
# As the service YAML of an API of Google has them, with much that is none of a gateway's business.
RULES = """type: google.api.Service
config_version: 3
name: library.example.com
title: Library API
apis:
  - name: library.v1.Library
  - name: library.extra.Places
http:
  rules:
    - selector: library.extra.Places.GetPlace
      get: '/v1/{name=places/*}'
      additional_bindings:
        - post: '/v1/{name=places/*}:ask'
          body: '*'
    - selector: library.v1.Library.One
      custom: {kind: BREW, path: '/v1/brewed/{name}'}
    - selector: library.v1.Library.Note
      put: '/v1/noted/{name}'
      body: note
      response_body: note
    - selector: google.longrunning.Operations.GetOperation
      get: '/v1/{name=operations/**}'
"""


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    folder = tmp_path_factory.mktemp("schema")
    (folder / "places.proto").write_text(PLACES)
    binary = folder / "library.binpb"
    subprocess.run(["protoc", f"-I{folder}", f"-I{ROOT}/tests/flow/rest", f"-I{ROOT}/examples/shop/proto", "--include_imports",
                    f"--descriptor_set_out={binary}", "library.proto", "places.proto"], check=True)
    return binary


@pytest.fixture(scope="module")
def world(tmp_path_factory, schema):
    folder, library = tmp_path_factory.mktemp("rules"), Library(Schema(schema))
    (folder / "rules.yaml").write_text(RULES)
    with Gateway(folder, CONFIG, schema=schema, backend=library.port) as gateway:
        yield World(gateway, library)
    library.server.stop(0)


def test_a_mixin_without_rules_gets_those_of_the_file(world):
    for verb, path, body in (("GET", "/v1/places/rome", None), ("POST", "/v1/places/rome:ask", {})):
        told = world.refuses(501, verb, path, body)  # the backend has no such service: it was asked
        assert "library.extra.Places" in told.get("service", "") + told["detail"] or told["code"] == "UNIMPLEMENTED"
    assert world.refuses(404, "GET", "/v1/operations/7")["reason"] == "UNKNOWN_PATH"


def test_a_rule_of_the_file_takes_the_place_of_the_schemas(world):
    assert world.asks("BREW", "/v1/brewed/7") == {"name": "7"}
    assert world.refuses(404, "GET", "/v1/one/7")["reason"] == "UNKNOWN_PATH"
    assert world.http("PUT", "/v1/noted/7", '"x"', {"Content-Type": "application/json"}).json == "x"
    assert world.asks("PUT", "/v1/whole/7", {}) == {"name": "7"}


ONE = "http:\n  rules:\n  - {selector: library.v1.Library.One, get: /v1/x}\n"


@pytest.mark.parametrize("rules,place,why,hint", [
    ("http:\n  rules:\n  - {selector: library.v1.Library.Onee, get: /v1/x}\n", "3:16", "library.v1.Library has no method Onee", "did you mean library.v1.Library.One"),
    ("http:\n  rules:\n  - {selector: library.v1.Library.One, gett: /v1/x, get: /v1/x}\n", "3:40", "gett is no key of a rule", "did you mean get"),
    ("http:\n  rules:\n  - {selector: library.v1.Library.One}\n", "3:5", "a rule is a map with a pattern", "get: /v1/x"),
    ("http:\n  rules:\n  - {get: /v1/x}\n", "3:5", "a rule has a selector", "selector: library.v1.Library.Get, get: /v1/x"),
    ("http:\n  rules:\n  - text\n", "3:5", "a rule has a selector", "selector"),
    ("http:\n  rules:\n  - {selector: library.v1.Library.One, custom: {kind: BREW}, get: /v1/x}\n", "3:48", "a custom pattern has a kind and a path",
     "{kind: HEAD, path: /v1/x}"),
    ("http:\n  rules:\n  - {selector: library.v1.Library.One, get: [x]}\n", "3:45", "a text is expected here", ""),
    ("http:\n  rules:\n  - {selector: library.v1.Library.One, get: /v1/x, additional_bindings: {get: /v1/y}}\n", "3:73", "a list is expected here",
     "- before each rule"),
])
def test_a_mistake_in_the_file_has_its_place_and_what_to_write(tmp_path, schema, rules, place, why, hint):
    told = check(tmp_path, schema, rules)
    assert any(f"rules.yaml:{place}: http.rules: {why}" in line and hint in line for line in told.splitlines()), told
    assert check(tmp_path, schema, ONE) == ""


@pytest.mark.parametrize("rules,why", [
    ("http:\n  rules: 7\n", "has no list http.rules"), ("a: b\n", "has no list http.rules"), (None, "file names are relative to this file"),
    ("http:\n  rules:\n  - {selector: other.v1.Other.One, get: /v1/x}\n", "has no rule for a method of v1"),
    ("http:\n  rules:\n  - {selector: One, get: /v1/x}\n", "has no rule for a method of v1")])
def test_a_file_that_is_of_no_use_is_told_at_its_key(tmp_path, schema, rules, why):
    told = check(tmp_path, schema, rules)
    assert "gateway.yaml:7" in told and "versions[0].http_rules" in told and why in told


def test_a_rule_of_the_file_is_checked_as_those_of_schemas_are(tmp_path, schema):
    assert "tags is not a single field" in check(tmp_path, schema, ONE.replace("/v1/x", '"/v1/{tags}"'))


def test_two_methods_with_the_same_requests_are_a_warning_with_a_place(tmp_path, schema):
    (tmp_path / "rules.yaml").write_text(ONE.replace("get: /v1/x", 'get: "/v1/x/{name}"') +
                                         '  - {selector: library.v1.Library.Whole, get: "/v1/x/{name}"}\n')
    gateway = Gateway(tmp_path, CONFIG, schema=schema, backend=1)
    gateway.write()

    def checked(*words):
        return subprocess.run([BINARY, "check", gateway.file, *words], capture_output=True, text=True, timeout=60)
    told = [line for line in checked().stdout.splitlines() if "GET /v1/x/{name} is of" in line]
    assert len(told) == 1 and re.match(r"warning: .*gateway.yaml:\d+:\d+: services\[0\].versions\[0\].schema: ", told[0]), told
    assert told[0].removeprefix("warning: ") in json.loads(checked("--json").stdout)["warnings"]
    assert checked().returncode == 0 and checked("--strict").returncode == 1


def check(folder, schema, rules):
    if rules is not None:
        (folder / "rules.yaml").write_text(rules)
    done = Gateway(folder, CONFIG, schema=schema, backend=1).check()
    return (done.stdout + done.stderr) if done.returncode else ""
