"""Long-running operations: the schemas `begun.v1` and `begun.v2`, and instances that answer with operations."""
import subprocess
from concurrent import futures

import grpc
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool
from grpc_services import message_class
from processes import ROOT, free_port

SCHEMAS = ROOT / "tests/unit/adapters/schemas"


def compile_begun(folder, *includes):
    """{"old": FILE, "new": FILE}: descriptor sets of both versions, in the folder. `includes` come first."""
    made = {}
    for side in ("old", "new"):
        made[side] = folder / f"{side}.binpb"
        subprocess.run(["protoc", *(f"-I{include}" for include in (*includes, SCHEMAS)), "--include_imports",
                        f"--descriptor_set_out={made[side]}", f"operations_{side}.proto"], check=True)
    return made


def maker(schema):
    """make(NAME, field=...): the message of that name in the descriptor set."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(schema.read_bytes()).file:
        pool.Add(file)
    return lambda name: message_class(pool, name)


class Instance:
    """Serves an RPC service; `methods` are {NAME: function of the request's bytes, which gives the response's}."""

    def __init__(self, schema, service, methods):
        self.make, self.port = maker(schema), free_port()
        self.server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {
            name: grpc.unary_unary_rpc_method_handler(lambda wire, _context, method=method: method(wire))
            for name, method in methods.items()}),))
        self.server.add_insecure_port(f"127.0.0.1:{self.port}")
        self.server.start()

    def operation(self, name, holds, **more):
        """An operation; `holds` is {"response" or "metadata": (type, {field: value})}."""
        operation = self.make("google.longrunning.Operation")(name=name, **more)
        for part, (type_name, fields) in holds.items():
            held = any_pb2.Any()
            held.Pack(self.make(type_name)(**fields))
            getattr(operation, part).MergeFromString(held.SerializeToString())
        return operation
