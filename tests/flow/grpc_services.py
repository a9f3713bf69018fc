"""gRPC's own services, health and reflection, compiled from Debian's grpc-proto: messages and clients."""
import subprocess
import sys
import tempfile

import backends  # noqa: F401: extends the package google
import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PROTOS = "/usr/share/grpc-proto/grpc"
_folder = tempfile.TemporaryDirectory()
# Not by their full names, which would lie in the package `grpc`.
subprocess.run(["protoc", f"-I{PROTOS}", f"--python_out={_folder.name}", "health/v1/health.proto",
                "reflection/v1/reflection.proto", "reflection/v1alpha/reflection.proto"], check=True)
sys.path.insert(0, _folder.name)

from health.v1 import health_pb2 as health  # noqa: E402
from reflection.v1 import reflection_pb2 as v1  # noqa: E402
from reflection.v1alpha import reflection_pb2 as v1alpha  # noqa: E402

REFLECTION = {"v1": v1, "v1alpha": v1alpha}


def channel_to(gateway):
    channel = grpc.insecure_channel(gateway.address, backends.CHANNEL)
    gateway.clients.append(channel)
    return channel


class Health:
    def __init__(self, gateway):
        channel = channel_to(gateway)
        kinds = {"request_serializer": health.HealthCheckRequest.SerializeToString,
                 "response_deserializer": health.HealthCheckResponse.FromString}
        self.check_call = channel.unary_unary("/grpc.health.v1.Health/Check", **kinds)
        self.watch_call = channel.unary_stream("/grpc.health.v1.Health/Watch", **kinds)

    def check(self, service=""):
        answer = self.check_call(health.HealthCheckRequest(service=service), timeout=10)
        return health.HealthCheckResponse.ServingStatus.Name(answer.status)

    def watch(self, service=""):
        """An iterator of names of statuses; .call is the call."""
        return Watching(self.watch_call(health.HealthCheckRequest(service=service), timeout=60))


class Watching:
    def __init__(self, call):
        self.call = call

    def __iter__(self):
        return self

    def __next__(self):
        return health.HealthCheckResponse.ServingStatus.Name(next(self.call).status)


class Reflection:
    """A client of server reflection, in one of its versions, that says `metadata` with each stream."""

    def __init__(self, gateway, api="v1", metadata=()):
        self.messages, self.metadata = REFLECTION[api], metadata
        self.call = channel_to(gateway).stream_stream(
            f"/grpc.reflection.{api}.ServerReflection/ServerReflectionInfo",
            request_serializer=self.messages.ServerReflectionRequest.SerializeToString,
            response_deserializer=self.messages.ServerReflectionResponse.FromString)

    def ask_all(self, *asks):
        """Several requests on one stream: dictionaries of fields."""
        requests = [self.messages.ServerReflectionRequest(**ask) for ask in asks]
        return list(self.call(iter(requests), metadata=self.metadata, timeout=30))

    def ask(self, **fields):
        answer, = self.ask_all(fields)
        return answer

    def services(self):
        return {service.name for service in self.ask(list_services="*").list_services_response.service}

    def files(self, **fields):
        """The names of the files that are given, or the code of the error."""
        answer = self.ask(**fields)
        if answer.HasField("error_response"):
            return answer.error_response.error_code
        return [file.name for file in parsed(answer)]

    def pool(self, symbol):
        """All that a symbol needs, linked."""
        pool = descriptor_pool.DescriptorPool()
        for file in reversed(parsed(self.ask(file_containing_symbol=symbol))):
            add(pool, file, self)
        return pool


def parsed(answer):
    return [descriptor_pb2.FileDescriptorProto.FromString(file)
            for file in answer.file_descriptor_response.file_descriptor_proto]


def add(pool, file, reflection):
    for name in file.dependency:
        try:
            pool.FindFileByName(name)
        except KeyError:
            add(pool, parsed(reflection.ask(file_by_filename=name))[0], reflection)
    pool.Add(file)


def message_class(pool, name):
    return message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName(name))
