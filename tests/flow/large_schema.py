"""A service of a large platform, made up: as many messages as wanted, in two versions, and what changed between them."""
import random

from google.protobuf import descriptor_pb2

SCALARS = ["TYPE_STRING", "TYPE_INT64", "TYPE_INT32", "TYPE_BOOL", "TYPE_DOUBLE", "TYPE_BYTES"]
IN_ONE_FILE = 500
RENAMED = 20  # one field of every twentieth message


def _message(i, n, version, chance):
    """Six scalars and an enum, and two other messages of any file, so that most reach most."""
    message = descriptor_pb2.DescriptorProto(name=f"Message{i}")

    def add(name, kind, repeated=False, of=""):
        field = descriptor_pb2.FieldDescriptorProto
        message.field.add(name=name, number=len(message.field) + 1, type=field.Type.Value(kind), type_name=of,
                          label=field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL)

    for j in range(6):
        name = f"field_{j}_of_{i}"
        add(f"new_{name}" if version == 2 and j == 1 and i % RENAMED == 0 else name, chance.choice(SCALARS))
    add("kind", "TYPE_ENUM", of=f".large.v{version}.Kind")
    add("part", "TYPE_MESSAGE", of=f".large.v{version}.Message{chance.randrange(n)}")
    add("parts", "TYPE_MESSAGE", repeated=True, of=f".large.v{version}.Message{chance.randrange(n)}")
    return message


def _service(n_methods, version):
    service = descriptor_pb2.ServiceDescriptorProto(name="Large")
    for i in range(n_methods):
        service.method.add(name=f"Do{i}", input_type=f".large.v{version}.Message{2 * i}",
                           output_type=f".large.v{version}.Message{2 * i + 1}")
    return service


def _descriptor_set(n, n_methods, version):
    chance = random.Random(1)  # the same in both versions
    files = descriptor_pb2.FileDescriptorSet()
    names = [f"large/v{version}/part{first // IN_ONE_FILE}.proto" for first in range(0, n, IN_ONE_FILE)]
    for first, name in zip(range(0, n, IN_ONE_FILE), names):
        file = files.file.add(name=name, package=f"large.v{version}", syntax="proto3", dependency=names)
        file.dependency.remove(name)
        for i in range(first, min(n, first + IN_ONE_FILE)):
            file.message_type.append(_message(i, n, version, chance))
    kind = files.file[0].enum_type.add(name="Kind")
    for number, name in enumerate(["UNKNOWN", "SMALL", "LARGE"]):
        kind.value.add(name=name, number=number)
    files.file[0].service.append(_service(n_methods, version))
    return files.SerializeToString()


def write_large_service(folder, n, n_methods):
    """Writes v1.binpb, v2.binpb and changes.yaml; the config of the service, whose instances speak v2, as text."""
    for version in (1, 2):
        (folder / f"v{version}.binpb").write_bytes(_descriptor_set(n, n_methods, version))
    (folder / "changes.yaml").write_text("from: v1\nto: v2\nmessages:\n" + "".join(
        f"  Message{i}: {{field_1_of_{i}: new_field_1_of_{i}}}\n" for i in range(0, n, RENAMED)))
    return f"""
  - name: large
    versions:
      - {{name: v1, package: large.v1, schema: {folder}/v1.binpb}}
      - {{name: v2, package: large.v2, schema: {folder}/v2.binpb}}
    changes: [{folder}/changes.yaml]
    instances: [{{address: 127.0.0.1:1, protocol: grpc, versions: [v2]}}]
"""
