"""A policy server of grpcio that does what a test tells it, and remembers what it was asked."""
import subprocess
import sys
import tempfile
from concurrent import futures

import backends  # noqa: F401: extends the package google
import grpc
from processes import ROOT

PROTO = "envoy/service/auth/v3/external_auth.proto"
_folder = tempfile.TemporaryDirectory()
subprocess.run(["protoc", f"-I{ROOT}/gateway/authz/proto", f"-I{ROOT}/examples/shop/proto", f"--python_out={_folder.name}", PROTO],
               check=True)
sys.path.insert(0, _folder.name)

from envoy.service.auth.v3 import external_auth_pb2 as auth  # noqa: E402


def option(name, value, **how):
    made = auth.HeaderValueOption(header=auth.HeaderValue(key=name, value=value))
    if "append" in how:
        made.append.value = how["append"]
    if "action" in how:
        made.append_action = how["action"]
    return made


def allowed(*headers, removed=(), response=()):
    told = auth.CheckResponse()
    told.status.code = 0
    told.status.SetInParent()
    told.ok_response.headers.extend(headers)
    told.ok_response.headers_to_remove.extend(removed)
    told.ok_response.response_headers_to_add.extend(response)
    return told


def denied(status=403, body="", *headers):
    told = auth.CheckResponse()
    told.status.code = 7
    told.denied_response.status.code = status
    told.denied_response.body = body
    told.denied_response.headers.extend(headers)
    return told


class PolicyServer:
    """with PolicyServer() as server: server.decide = lambda request, context: allowed()"""

    def __init__(self, port=0):
        self.asked, self.left, self.decide = [], 0, lambda request, context: allowed()
        self.server = grpc.server(futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
            "envoy.service.auth.v3.Authorization", {"Check": grpc.unary_unary_rpc_method_handler(
                self.check, request_deserializer=auth.CheckRequest.FromString,
                response_serializer=lambda told: told if isinstance(told, bytes) else told.SerializeToString())})])
        self.port = self.server.add_insecure_port(f"127.0.0.1:{port}")

    def check(self, request, context):
        self.asked.append((request.attributes, dict(context.invocation_metadata())))
        context.add_callback(self.leave)
        return self.decide(request.attributes, context)

    def leave(self):
        self.left += 1

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop(0)
