"""Long-running operations: what is in one is a type of the client's version, by the method that began it."""
import grpc
import pytest
from gateway import Gateway
from operations import Instance, compile_begun

CONFIG = """
listen: [127.0.0.1:$port]
admin: 127.0.0.1:$admin
services:
  - name: orders
    versions:
      - {name: v1, package: begun.v1, schema: $old}
      - {name: v2, package: begun.v2, schema: $new}
    changes: [$folder/changes.yaml]
    instances: [{address: '127.0.0.1:$backend', protocol: grpc, versions: [v2]}]
"""
CHANGES = """
from: v1
to: v2
messages:
  Progress: {percent: {by: number}}
  Result to CreateResult: {text: content}
  Result to PurgeResult: {count: {by: text}}
  Progress to CreateProgress: {percent: done}
methods:
  Orders.Purge: {response: {Result: PurgeResult}}
  Orders.Get: {operations_of: [Orders.Create]}
"""


class Operations(Instance):
    """Serves begun.v2.Orders: each method answers with an operation that holds what the test says."""

    def __init__(self, schema):
        self.holds = {}
        super().__init__(schema, "begun.v2.Orders", {method: lambda _wire, method=method: self.answer(method)
                                                     for method in ("Create", "Cancel", "Purge", "Get")})

    def answer(self, method):
        return self.operation(f"operations/{method}", self.holds[method]).SerializeToString()


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    folder = tmp_path_factory.mktemp("begun")
    (folder / "changes.yaml").write_text(CHANGES)
    made = compile_begun(folder)
    backend = Operations(made["new"])
    with Gateway(folder, CONFIG, backend=backend.port, **made) as gateway:
        yield gateway, backend
    backend.server.stop(0)


@pytest.mark.parametrize("method,held,told", [
    ("Create", ("begun.v2.CreateResult", {"content": "a", "count": 7}), {"text": "a", "count": 7}),
    ("Cancel", ("begun.v2.Result", {"text": "a", "count": 7}), {"text": "a", "count": 7}),
    ("Purge", ("begun.v2.PurgeResult", {"text": "a", "count": "7"}), {"text": "a", "count": 7}),
    ("Get", ("begun.v2.CreateResult", {"content": "a"}), {"text": "a"}),
])
def test_the_response_is_what_the_method_says(begun, method, held, told):
    gateway, backend = begun
    backend.holds[method] = {"response": held}
    answer = gateway.http("POST", f"/begun.v1.Orders/{method}", {"id": "1"})
    assert answer.status == 200, answer.body
    assert answer.json == {"name": f"operations/{method}",
                           "response": {"@type": "type.googleapis.com/begun.v1.Result", **told}}


def test_the_metadata_is_what_the_method_says(begun):
    gateway, backend = begun
    backend.holds["Create"] = {"metadata": ("begun.v2.CreateProgress", {"done": 50})}
    answer = gateway.http("POST", "/begun.v1.Orders/Create", {"id": "1"})
    assert answer.json["metadata"] == {"@type": "type.googleapis.com/begun.v1.Progress", "percent": 50}


def test_a_grpc_client_gets_its_own_types(begun):
    gateway, backend = begun
    backend.holds["Create"] = {"response": ("begun.v2.CreateResult", {"content": "a"})}
    with grpc.insecure_channel(gateway.address) as channel:
        wire = channel.unary_unary("/begun.v1.Orders/Create")(b"\n\x011", timeout=10)
    operation = backend.make("google.longrunning.Operation").FromString(wire)
    assert operation.response.type_url == "type.googleapis.com/begun.v1.Result"
    assert operation.response.value == b"\n\x01a"


def test_what_the_method_does_not_name_is_an_error(begun):
    gateway, backend = begun
    backend.holds["Cancel"] = {"response": ("begun.v2.CreateResult", {"content": "a"})}
    answer = gateway.http("POST", "/begun.v1.Orders/Cancel", {"id": "1"})
    assert answer.status == 500 and answer.json["code"] == "internal"
    assert "cannot be converted to the client's version" in answer.json["message"]
