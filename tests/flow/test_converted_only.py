"""A version that no instance speaks and that has no REST rules: its messages are always converted, and what reads them still works."""
import json
import subprocess
from concurrent import futures

import grpc
import pytest
from gateway import BINARY, Gateway
from processes import free_port

PROTO = """
syntax = "proto3";
package box.%(version)s;
service Boxes { rpc Get(GetRequest) returns (Box) {} }
message GetRequest { string name = 1; int32 most = 2; }
message Box { string name = 1; string %(title)s = 2; }
"""
CONFIG = """
listen: [127.0.0.1:$port]
admin: 127.0.0.1:$admin
log: "-"
store: {sqlite: $folder/store.db}
identity_header: x-client
trusted_proxies: [127.0.0.1]
services:
  - name: boxes
    versions:
      - {name: v1, package: box.v1, schema: boxes.binpb}
      - {name: v2, package: box.v2, schema: boxes.binpb}
    changes: [changes.yaml]
    instances: [{address: '127.0.0.1:$instance', versions: [v2]}]
routes: [{match: boxes.Boxes/Get $route}]
"""
ROUTES = {
    "nothing": "",
    "parameters": ", parameters: {name: {required: true}, most: {default: 7}}",
    "log": ", log: {fields: [name]}",
    "affinity": ", affinity: {field: name}",
    "idempotency": ", idempotency: {key: optional}",
    "default": ", on_failure: {graceful: {default: {}, writes: true}}",
    "response_fields": ", response_fields: [name]",
}


@pytest.fixture(scope="module")
def boxes(tmp_path_factory):
    """The folder with the schema, and the port of an instance that says back the name, and the most as the title."""
    folder = tmp_path_factory.mktemp("boxes")
    for version, title in (("v1", "title"), ("v2", "heading")):
        (folder / f"{version}.proto").write_text(PROTO % {"version": version, "title": title})
    subprocess.run(["protoc", f"-I{folder}", f"--descriptor_set_out={folder}/boxes.binpb", "v1.proto", "v2.proto"], check=True)
    (folder / "changes.yaml").write_text("from: v1\nto: v2\nmessages:\n  Box: {title: heading}\n")

    def get(request, _context):
        most = request[request.index(b"\x10") + 1] if b"\x10" in request else 0
        return request.split(b"\x10")[0] + b"\x12\x01" + b"%d" % most
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("box.v2.Boxes", {"Get": grpc.unary_unary_rpc_method_handler(get)})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield folder, port
    server.stop(None)


@pytest.mark.parametrize("route", ROUTES)
def test_what_reads_messages_reads_those_of_each_dialect(boxes, route):
    folder, instance = boxes
    with Gateway(folder, CONFIG, instance=instance, route=ROUTES[route]) as gateway:
        for version, title in (("v1", "title"), ("v2", "heading")):
            answer = gateway.http("POST", f"/box.{version}.Boxes/Get", {"name": "a"}, {"x-client": "ann", "idempotency-key": f"{version}{route}"})
            told = {"name": "a"} if route == "response_fields" else {"name": "a", title: "7" if route == "parameters" else "0"}
            assert (answer.status, json.loads(answer.body)) == (200, told)
        if route == "parameters":
            answer = gateway.http("POST", "/box.v1.Boxes/Get", {})
            assert answer.status == 400 and "name" in str(answer.body)
        if route == "log":
            for version in ("v1", "v2"):
                assert gateway.logged(path=f"/box.{version}.Boxes/Get")["fields"] == {"name": "a"}


@pytest.mark.parametrize("version, title", [("v1", "title"), ("v2", "heading")])
def test_passerelle_call_shows_both_sides(boxes, version, title):
    folder, instance = boxes
    gateway = Gateway(folder, CONFIG, instance=instance, route="", port=free_port())
    gateway.write()
    done = subprocess.run([BINARY, "call", gateway.file, "boxes.Boxes/Get", "name=a", "--version", version], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f'"{title}": "0"' in done.stdout
