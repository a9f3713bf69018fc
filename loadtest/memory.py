"""What idle connections and idle HTTP/2 streams hold of a contender's memory."""
import pathlib
import resource
import socket
import tempfile
import time

from google.protobuf import descriptor_pb2

from frames import ACK, END_HEADERS, HEADERS, PING, PREFACE, SETTINGS, frame, grpc_fields
from lockstep import GrpcClient, receive
from processes import Watched, free_port

CALLS = 5000  # before memory is looked at: buffers that are the same for all connections, like that of the log, are full
HTTP1 = b"GET /raw/ HTTP/1.1\r\nhost: x\r\n\r\n"


def raise_file_limit(files):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < files:
        raise SystemExit(f"this needs {files} open files, and only {hard} are allowed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, files), hard))


def read_answer(connection):
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = connection.recv(4096)
        if not piece:
            raise SystemExit("a connection was closed instead of being answered")
        answer += piece


def settled(contender):
    """Memory once it has not changed for longer than allocators keep what was freed: of ours that is a second."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 2:
        if (now := contender.memory()) != last:
            last, since = now, time.monotonic()
        time.sleep(0.1)
    return last


def per_idle_connection(contender, port, n):
    """Bytes for each of n keep-alive connections that have had one answer."""
    raise_file_limit(n + 100)
    warm = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
    for _ in range(CALLS // len(warm)):
        for connection in warm:
            connection.sendall(HTTP1)
            read_answer(connection)
    before = settled(contender)
    connections = []
    for _ in range(n):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(HTTP1)
        read_answer(connection)
        connections.append(connection)
    after = settled(contender)
    for connection in warm + connections:
        connection.close()
    return (after - before) / n


def per_idle_http2_connection(contender, port, path, n):
    """Bytes for each of n connections that have had one answer and have no stream."""
    raise_file_limit(n + 100)

    def answered():
        client = GrpcClient(port, path, b"")
        client.ask(1)
        client.hear(1)
        return client

    warm = [answered() for _ in range(100)]
    for _ in range(CALLS // len(warm)):
        for client in warm:
            client.ask(1)
            client.hear(1)
    before = settled(contender)
    clients = [answered() for _ in range(n)]
    after = settled(contender)
    for client in warm + clients:
        client.close()
    return (after - before) / n


def literal(name, value):
    """A header field without indexing and without Huffman (RFC 7541 section 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def request(path):
    return b"".join(literal(name.encode(), value.encode()) for name, value in grpc_fields(path))


def open_streams(port, path, n):
    connection = socket.create_connection(("127.0.0.1", port))
    head = request(path)
    connection.sendall(PREFACE + frame(SETTINGS, 0, 0, b"") + frame(SETTINGS, ACK, 0, b"") +
                       b"".join(frame(HEADERS, END_HEADERS, 1 + 2 * i, head) for i in range(n)) +
                       frame(PING, 0, 0, b"all read"))
    answer = b""
    while frame(PING, ACK, 0, b"all read") not in answer:  # so that memory does not depend on how many come at once
        answer += receive(connection)
    return connection


def per_idle_stream(contender, port, path, connections, streams):
    """Bytes for each of the calls that wait for their first message, both sides of the gateway counted."""
    before_first = [open_streams(port, path, streams) for _ in range(2)]
    before = settled(contender)
    opened = [open_streams(port, path, streams) for _ in range(connections)]
    after = settled(contender)
    for connection in before_first + opened:
        connection.close()
    return (after - before) / (connections * streams)


def write_schema(file, package):
    """A descriptor set with one service: two methods, of one message with two fields."""
    schema = descriptor_pb2.FileDescriptorSet().file.add(name=f"{package}.proto", package=package, syntax="proto3")
    message, service = schema.message_type.add(name="Thing"), schema.service.add(name="Things")
    message.field.add(name="id", number=1, label=1, type=9, json_name="id")
    message.field.add(name="count", number=2, label=1, type=5, json_name="count")
    for method in "Get", "Put":
        service.method.add(name=method, input_type=f".{package}.Thing", output_type=f".{package}.Thing")
    file.write_bytes(descriptor_pb2.FileDescriptorSet(file=[schema]).SerializeToString())


def memory_with_services(build, n):
    """Of a gateway with n services that nobody calls, each with one version, one instance and one route."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        services, routes = [], []
        for i in range(n):
            write_schema(folder / f"{i}.binpb", f"p{i}.v1")
            services.append(f"  - {{name: s{i}, versions: [{{name: v1, package: p{i}.v1, schema: {folder}/{i}.binpb}}], "
                            "instances: [{address: 127.0.0.1:9, protocol: grpc, versions: [v1]}]}")
            routes.append(f"  - {{match: s{i}}}")
        config = folder / "gateway.yaml"
        config.write_text("\n".join([f"listen: [{{address: 127.0.0.1:{port}}}]", "loops: 1", "log: /dev/null", "services:", *services,
                                     "routes:", *routes, ""]))
        with Watched([build / "passerelle", "run", config], port) as gateway:
            return settled(gateway)


def per_idle_service(build, n):
    """Bytes for each of n services that nobody calls, beside ten others."""
    return (memory_with_services(build, 10 + n) - memory_with_services(build, 10)) / n
