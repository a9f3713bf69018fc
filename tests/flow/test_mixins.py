"""Mixins: google.longrunning.Operations is the same RPC service in all versions, and what is in its operations is not."""
import subprocess

import grpc
import pytest
from gateway import BINARY, Gateway
from grpc_services import Reflection
from operations import Instance, compile_begun, maker
from processes import ROOT, free_port

CONFIG = """
listen: [127.0.0.1:$port]
admin: 127.0.0.1:$admin
services:
  - name: orders
    versions:
      - {name: v1, package: begun.v1, schema: $old}
      - {name: v2, package: begun.v2, schema: $new}
    changes: [$folder/changes.yaml]
    mixins: [google.longrunning.Operations]
    instances: [{address: '127.0.0.1:$backend', protocol: grpc, versions: [$served]}]
"""
CHANGES = """
from: v1
to: v2
messages:
  Progress: {percent: {by: number}}
  Result to CreateResult: {text: content}
  Progress to CreateProgress: {percent: done}
methods:
  google.longrunning.Operations.GetOperation: {operations_of: [Orders.Create]}
"""
OPERATIONS = """
syntax = "proto3";
package google.longrunning;
import "google/api/annotations.proto";
import "google/protobuf/any.proto";
import "google/protobuf/descriptor.proto";
import "google/protobuf/empty.proto";
extend google.protobuf.MethodOptions { OperationInfo operation_info = 1049; }
message OperationInfo { string response_type = 1; string metadata_type = 2; }
message Operation {
  string name = 1;
  google.protobuf.Any metadata = 2;
  bool done = 3;
  oneof result { google.protobuf.Any response = 5; }
}
message GetOperationRequest { string name = 1; }
message ListOperationsRequest { string name = 4; string filter = 1; }
message ListOperationsResponse { repeated Operation operations = 1; string next_page_token = 2; }
service Operations {
  rpc GetOperation(GetOperationRequest) returns (Operation) {
    option (google.api.http) = { get: "/v1/{name=operations/**}" };
  }
  rpc ListOperations(ListOperationsRequest) returns (ListOperationsResponse) {
    option (google.api.http) = { get: "/v1/{name=operations}" };
  }
  rpc CancelOperation(GetOperationRequest) returns (google.protobuf.Empty) {
    option (google.api.http) = { post: "/v1/{name=operations/**}:cancel" body: "*" };
  }
}
"""
GET = "/google.longrunning.Operations/GetOperation"


class Backend(Instance):
    """Serves the mixin: each operation has the name that was asked for, and holds what the test says."""

    def __init__(self, schema):
        self.holds, self.asked = {}, []
        super().__init__(schema, "google.longrunning.Operations",
                         {"GetOperation": self.get, "ListOperations": self.list, "CancelOperation": self.cancel})

    def get(self, wire):
        self.asked.append(self.make("google.longrunning.GetOperationRequest").FromString(wire).name)
        return self.operation(self.asked[-1], self.holds, done=True).SerializeToString()

    def list(self, _wire):
        answer = self.make("google.longrunning.ListOperationsResponse")()
        answer.operations.add().MergeFromString(self.operation("operations/7", self.holds, done=True).SerializeToString())
        return answer.SerializeToString()

    def cancel(self, wire):
        self.asked.append(self.make("google.longrunning.GetOperationRequest").FromString(wire).name)
        return b""


def compile_schemas(folder):
    (folder / "google/longrunning").mkdir(parents=True)
    (folder / "google/longrunning/operations.proto").write_text(OPERATIONS)
    (folder / "changes.yaml").write_text(CHANGES)
    return compile_begun(folder, folder, ROOT / "examples/shop/proto")


@pytest.fixture(scope="module", params=["v2", "v1"])
def mixed(request, tmp_path_factory):
    """The gateway before instances of one version only."""
    folder = tmp_path_factory.mktemp("mixed")
    made = compile_schemas(folder)
    backend = Backend(made["new" if request.param == "v2" else "old"])
    if request.param == "v2":
        backend.holds = {"response": ("begun.v2.CreateResult", {"content": "a", "count": 7}),
                         "metadata": ("begun.v2.CreateProgress", {"done": 50})}
    else:
        backend.holds = {"response": ("begun.v1.Result", {"text": "a", "count": 7}),
                         "metadata": ("begun.v1.Progress", {"percent": 50})}
    with Gateway(folder, CONFIG, backend=backend.port, served=request.param, **made) as gateway:
        yield gateway, backend, made
    backend.server.stop(0)


TOLD = {
    "v1": {"name": "operations/7", "done": True,
           "response": {"@type": "type.googleapis.com/begun.v1.Result", "text": "a", "count": 7},
           "metadata": {"@type": "type.googleapis.com/begun.v1.Progress", "percent": 50}},
    "v2": {"name": "operations/7", "done": True,
           "response": {"@type": "type.googleapis.com/begun.v2.CreateResult", "content": "a", "count": 7},
           "metadata": {"@type": "type.googleapis.com/begun.v2.CreateProgress", "done": 50}},
}


def poll(gateway, made, version, metadata):
    """GetOperation by a gRPC client that was built for `version`: what it finds in the operation."""
    make = maker(made["old" if version == "v1" else "new"])
    with grpc.insecure_channel(gateway.address) as channel:
        call = channel.unary_unary(GET, request_serializer=lambda message: message.SerializeToString(),
                                   response_deserializer=make("google.longrunning.Operation").FromString)
        operation = call(make("google.longrunning.GetOperationRequest")(name="operations/7"), timeout=10,
                         metadata=metadata)
    response, progress = (make(f"begun.{name}")() for name in
                          (("v1.Result", "v1.Progress") if version == "v1" else ("v2.CreateResult", "v2.CreateProgress")))
    assert operation.name == "operations/7" and operation.done
    assert operation.response.Unpack(response) and operation.metadata.Unpack(progress)
    return response, progress


def test_a_grpc_client_says_its_version_in_a_header(mixed):
    gateway, _backend, made = mixed
    response, progress = poll(gateway, made, "v2", [("api-version", "v2")])
    assert (response.content, response.count, progress.done) == ("a", 7, 50)


def test_a_grpc_client_that_says_none_has_the_default(mixed):
    gateway, _backend, made = mixed
    response, progress = poll(gateway, made, "v1", [])
    assert (response.text, response.count, progress.percent) == ("a", 7, 50)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_path_of_rest_has_the_version_of_the_client(mixed, version):
    gateway, backend, _made = mixed
    answer = gateway.http("GET", f"/{version}/operations/7")
    assert answer.status == 200, answer.body
    assert answer.json == TOLD[version]
    assert answer.headers["api-version"] == version
    assert backend.asked[-1] == "operations/7"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_other_methods_of_the_mixin_are_served_too(mixed, version):
    gateway, backend, _made = mixed
    assert gateway.http("POST", f"/{version}/operations/8:cancel", {}).status == 200
    assert backend.asked[-1] == "operations/8"


def test_reflection_lists_the_mixin(mixed):
    gateway, _backend, _made = mixed
    services = Reflection(gateway).ask(list_services="*").list_services_response.service
    assert "google.longrunning.Operations" in [service.name for service in services]


def test_without_the_key_the_mixin_is_not_served(tmp_path):
    made = compile_schemas(tmp_path)
    config = CONFIG.replace("    mixins: [google.longrunning.Operations]\n", "")
    with Gateway(tmp_path, config, backend=free_port(), served="v2", **made) as gateway:
        with grpc.insecure_channel(gateway.address) as channel, pytest.raises(grpc.RpcError) as error:
            channel.unary_unary(GET)(b"", timeout=10)
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED


def check(folder, config, made):
    """What `passerelle check` says of a config that is wrong."""
    gateway = Gateway(folder, config, backend=free_port(), served="v2", **made)
    gateway.write()
    run = subprocess.run([BINARY, "check", gateway.file], capture_output=True, text=True)
    assert run.returncode == 1
    return run.stdout + run.stderr


def test_a_mixin_that_no_schema_has_is_a_mistake(tmp_path):
    said = check(tmp_path, CONFIG.replace("longrunning.Operations", "longrunning.Operation"), compile_schemas(tmp_path))
    assert "has no RPC service google.longrunning.Operation" in said
    assert "(did you mean google.longrunning.Operations)" in said


def test_two_services_cannot_have_one_mixin(tmp_path):
    second = CONFIG[CONFIG.index("  - name: orders"):].replace("name: orders", "name: bills")
    said = check(tmp_path, CONFIG + second, compile_schemas(tmp_path))
    assert "/google.longrunning.Operations/GetOperation is already served by the service orders" in said
