"""One path, methods of two versions, and routes that want other proofs: what counts is what the route wants that the call has in the end."""
import hashlib
import struct
import subprocess
from concurrent import futures

import grpc
import pytest
from gateway import Gateway
from http2_client import http2_request
from processes import ROOT, free_port

CONFIG = """
listen: [127.0.0.1:$port, {address: '127.0.0.1:$behind', trusted_proxies: [127.0.0.1]}]
admin: 127.0.0.1:$admin
log: "-"
errors: full
identity_header: x-client
authentication:
  - {name: partners, api_keys: {file: $folder/partners.yaml, header: x-partner}}
  - {name: people, api_keys: {file: $folder/people.yaml, header: x-person}}
authorization: {default: allow}
services:
  - name: things
    versions:
      - {name: v1, package: two, schema: $folder/v1.binpb}
      - {name: v2, package: two, schema: $folder/v2.binpb}
    changes: [$folder/changes.yaml]
    default_version: v2
    pins: {ann: v1, bob: v1}
    instances: [{address: '127.0.0.1:$instance', protocol: grpc, versions: [v1, v2]}]
routes:
  - {match: things.Things/Fetch, authentication: [partners]}
  - {match: things.Things/Get, authentication: [people]}
  - {match: things.Things/Open, authenticate: none}
"""
# What v1 calls Get is Fetch in v2, which has another Get at the same path. Both routes name Get of v1; the first one counts.
METHODS = {"v1": {"Get": "/things/{id}", "Read": "/open/{id}"}, "v2": {"Fetch": "/fetch/{id}", "Get": "/things/{id}", "Open": "/open/{id}"}}
CHANGES = "from: v1\nto: v2\nmethods: {Things.Get: Things.Fetch, Things.Read: {removed: gone}}\n"
PEOPLE, PARTNERS = {"x-person": "secret-of-ann"}, {"x-partner": "secret-of-bob"}
DIALECTS = {"grpc": "application/grpc", "grpc-web": "application/grpc-web+proto", "connect": "application/proto", "rest": None}


def write_schema(folder, version):
    methods = "".join(f'  rpc {name}(Ask) returns (Thing) {{ option (google.api.http) = {{get: "{path}"}}; }}\n'
                      for name, path in METHODS[version].items())
    (folder / f"{version}.proto").write_text('syntax = "proto3";\npackage two;\nimport "google/api/annotations.proto";\n'
                                             "message Ask { string id = 1; }\nmessage Thing { string seen = 1; }\n"
                                             f"service Things {{\n{methods}}}\n")
    subprocess.run(["protoc", f"-I{folder}", f"-I{ROOT}/examples/shop/proto", "--include_imports",
                    f"--descriptor_set_out={folder}/{version}.binpb", f"{folder}/{version}.proto"], check=True)


class Instance(grpc.GenericRpcHandler):
    """Responds with the method, and the credentials that it got."""

    def service(self, details):
        seen = " ".join([details.method.rpartition("/")[2], *(name for name, _ in details.invocation_metadata if name in {**PEOPLE, **PARTNERS})])
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"\x0a" + bytes([len(seen)]) + seen.encode())


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paths")
    (folder / "changes.yaml").write_text(CHANGES)
    for version in METHODS:
        write_schema(folder, version)
    for name, fields in {"people": PEOPLE, "partners": PARTNERS}.items():
        (secret,) = fields.values()
        (folder / f"{name}.yaml").write_text(f"keys: [{{sha256: {hashlib.sha256(secret.encode()).hexdigest()}, client: {secret[-3:]}}}]\n")
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((Instance(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with Gateway(folder, CONFIG, instance=port, behind=free_port()) as running:
        yield running
    server.stop(None)


def ask(gateway, dialect, headers, path="Get", port=None):
    """What the instance has seen, or the status: 401."""
    if dialect == "rest":
        answer = gateway.http("GET", f"/{'things' if path == 'Get' else 'open'}/1", headers=headers, port=port)
        return answer.json["seen"] if answer.status == 200 else answer.status
    body = b"\x0a\x011" if dialect == "connect" else struct.pack(">BI", 0, 3) + b"\x0a\x011"
    fields = [("content-type", DIALECTS[dialect]), *headers.items(), *([("te", "trailers")] if dialect == "grpc" else [])]
    status, head, body, trailers = http2_request(port or gateway.port, "POST", f"/two.Things/{path}", fields, body)
    text = body.decode("latin-1")
    code = {**head, **trailers}.get("grpc-status", ["16" if "grpc-status: 16" in text or "grpc-status:16" in text else "0"])[0]
    return 401 if status == 401 or code == "16" else text[2:] if dialect == "connect" else text[7:7 + body[6]]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_route_in_the_version_that_is_asked_for_says_what_counts(gateway, dialect):
    def told(version, fields):
        return ask(gateway, dialect, {**({"api-version": version} if version else {}), **fields})
    assert told("v1", PARTNERS) == "Get" and told("v2", PEOPLE) == "Get"
    assert told("v1", PEOPLE) == 401 and told("v2", PARTNERS) == 401
    assert told(None, PEOPLE) == "Get" and told(None, PARTNERS) == 401  # the default is v2
    assert told("v1", {}) == 401 and told("v2", {}) == 401


@pytest.mark.parametrize("dialect", DIALECTS)
def test_credentials_that_do_not_count_there_are_not_looked_at_and_pass(gateway, dialect):
    assert ask(gateway, dialect, {"api-version": "v1", **PARTNERS, "x-person": "wrong"}) == "Get x-person"
    assert ask(gateway, dialect, {"api-version": "v2", **PEOPLE, **PARTNERS}) == "Get x-partner"
    assert ask(gateway, dialect, {"api-version": "v1", **PEOPLE, "x-partner": "wrong"}) == 401


def test_a_path_that_is_open_in_one_version_is_not_in_another(gateway):
    assert ask(gateway, "rest", {"api-version": "v2"}, "Open") == "Open"
    assert ask(gateway, "rest", {"api-version": "v1"}, "Open") == 401
    assert ask(gateway, "rest", {"api-version": "v1", **PEOPLE}, "Open") == "Read"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_who_is_only_known_by_what_counts_there_is_not_pinned_and_who_a_proxy_names_is(gateway, dialect):
    """Both are pinned to v1, whose route wants the key of a partner."""
    assert ask(gateway, dialect, PARTNERS) == 401 and ask(gateway, dialect, PEOPLE) == "Get"
    behind = gateway.words["behind"]
    assert ask(gateway, dialect, {"x-client": "ann", **PARTNERS}, port=behind) == "Get"
    assert ask(gateway, dialect, {"x-client": "ann", "x-partner": "wrong"}, port=behind) == 401


def test_check_tells_that_pins_do_not_count_there(gateway):
    told = gateway.check().stdout
    assert "pins of things do not count for GET /things/{id}" in told and "pins of things do not count for GET /open/{id}" in told
    assert "/fetch/" not in told
