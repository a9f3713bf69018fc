#!/usr/bin/python3
"""The server under test of connectrpc's conformance runner: the gateway, with a server of the suite behind it.

The runner starts this with a ServerCompatRequest on standard input (4 bytes of length, big-endian, then the
message) and wants a ServerCompatResponse in the same frame on standard output, and nothing else there. What
the gateway and the server behind it say goes to standard error. Usage:

    connect_server.py GATEWAY TOOLS UPSTREAM

TOOLS is the folder with the suite's programs and service.binpb; UPSTREAM one of the names below.
"""
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# name: (the suite's server, its ServerCompatRequest.protocol and .http_version, the instance in our config)
CONNECT, GRPC, GRPC_WEB = 1, 2, 3
UNLIMITED = 1 << 30  # of the server behind: the limit that is tested is the gateway's
UPSTREAMS = {
    "grpc": ("referenceserver", GRPC, 2, "protocol: grpc"),
    "connect-h1": ("referenceserver", CONNECT, 1, "protocol: connect"),
    "connect-h2": ("referenceserver", CONNECT, 2, "protocol: connect, http2: true"),
    "grpc-web-h1": ("referenceserver", GRPC_WEB, 1, "protocol: grpc_web"),
    "grpc-go": ("grpcserver", GRPC, 2, "protocol: grpc"),
}

CONFIG = """
listen:
  - {{address: 127.0.0.1:{port}{tls}}}
admin: 127.0.0.1:{admin}
loops: 1
error_details: false
log: /dev/null
limits: {{message_bytes: {limit}, call_time: 0s}}
services:
  - name: conformance
    versions:
      - {{name: v1, package: connectrpc.conformance.v1, schema: {schema}}}
    instances:
      - {{address: 127.0.0.1:{upstream}, {instance}}}
cors: {{origins: ["*"]}}
routes:
  - {{match: conformance, unknown_fields: keep, attempts: 1}}
"""


def messages(tools):
    files = descriptor_pb2.FileDescriptorSet()
    with open(os.path.join(tools, "service.binpb"), "rb") as file:
        files.ParseFromString(file.read())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)

    def message(name):
        descriptor = pool.FindMessageTypeByName("connectrpc.conformance.v1." + name)
        make = getattr(message_factory, "GetMessageClass", None)
        return make(descriptor) if make else message_factory.MessageFactory(pool).GetPrototype(descriptor)

    return message("ServerCompatRequest"), message("ServerCompatResponse")


def read_framed(stream, kind):
    size, = struct.unpack(">I", stream.read(4))
    return kind.FromString(stream.read(size))


def write_framed(stream, message):
    data = message.SerializeToString()
    stream.write(struct.pack(">I", len(data)) + data)
    stream.flush()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_upstream(tools, program, request):
    child = subprocess.Popen([os.path.join(tools, program)], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=sys.stderr)
    write_framed(child.stdin, request)
    child.stdin.close()
    return child


def wait_ready(admin, child):
    until = time.monotonic() + 9
    while time.monotonic() < until and child.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=1)
            return
        except OSError:
            time.sleep(0.02)
    sys.exit("the gateway did not become ready")


def main():
    gateway, tools, upstream = sys.argv[1:4]
    program, protocol, http_version, instance = UPSTREAMS[upstream]
    Request, Response = messages(tools)
    request = read_framed(sys.stdin.buffer, Request)

    behind = start_upstream(tools, program, Request(protocol=protocol, http_version=http_version, message_receive_limit=UNLIMITED))
    address = read_framed(behind.stdout, Response)

    folder = tempfile.mkdtemp(prefix="passerelle-conformance-")
    tls = ""
    if request.use_tls:
        for name, data in (("server.pem", request.server_creds.cert), ("server.key", request.server_creds.key),
                           ("client.pem", request.client_tls_cert)):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)
        client = ", client_ca: client.pem" if request.client_tls_cert else ""
        tls = f", tls: {{certificate: server.pem, key: server.key{client}}}"
    port, admin = free_port(), free_port()
    config = os.path.join(folder, "gateway.yaml")
    with open(config, "w") as file:
        file.write(CONFIG.format(port=port, admin=admin, tls=tls, upstream=address.port, instance=instance,
                                 schema=json.dumps(os.path.join(os.path.abspath(tools), "service.binpb")),
                                 limit=request.message_receive_limit or 16777216))
    front = subprocess.Popen([gateway, "run", config], stdin=subprocess.DEVNULL, stdout=sys.stderr,
                             stderr=sys.stderr)

    def stop(*_):
        for child in (front, behind):
            child.terminate()
        for child in (front, behind):
            child.wait()
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    wait_ready(admin, front)
    pem = request.server_creds.cert if request.use_tls else b""
    write_framed(sys.stdout.buffer, Response(host="127.0.0.1", port=port, pem_cert=pem))
    front.wait()
    stop()


main()
