"""What both modes of connectrpc's conformance suite need: its messages and frames, and gateways with a config of their own.

A frame is 4 bytes of length, big-endian, then the message.
"""
import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

HTTP1, HTTP2 = 1, 2
CONNECT, GRPC, GRPC_WEB = 1, 2, 3


def messages(tools, *names):
    files = descriptor_pb2.FileDescriptorSet()
    with open(os.path.join(tools, "conformance.binpb"), "rb") as file:
        files.ParseFromString(file.read())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)

    def message(name):
        descriptor = pool.FindMessageTypeByName("connectrpc.conformance.v1." + name)
        make = getattr(message_factory, "GetMessageClass", None)
        return make(descriptor) if make else message_factory.MessageFactory(pool).GetPrototype(descriptor)

    return [message(name) for name in names]


def read_framed(stream, kind):
    """The next message; None when there is none."""
    head = stream.read(4)
    if not head:
        return None
    size, = struct.unpack(">I", head)
    return kind.FromString(stream.read(size))


def write_framed(stream, message):
    data = message.SerializeToString()
    stream.write(struct.pack(">I", len(data)) + data)
    stream.flush()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_file(folder, name, data):
    path = os.path.join(folder, name)
    with open(path, "wb" if isinstance(data, bytes) else "w") as file:
        file.write(data)
    return path


def wait_ready(admin, child):
    until = time.monotonic() + 9
    while time.monotonic() < until and child.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=1)
            return
        except OSError:
            time.sleep(0.02)
    sys.exit("the gateway did not become ready")


@contextlib.contextmanager
def household():
    """A folder and a list of processes: both go when the block is left, also when somebody ends us."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    folder = tempfile.mkdtemp(prefix="passerelle-conformance-")
    children = []
    try:
        yield folder, children
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait()
        shutil.rmtree(folder)


def start_gateway(program, folder, children, config):
    """Runs the gateway with the config, in which `{admin}` stands for the port of its admin listener."""
    admin = free_port()
    path = write_file(folder, "gateway.yaml", config.replace("{admin}", str(admin)))
    child = subprocess.Popen([program, "run", path], stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr)
    children.append(child)
    wait_ready(admin, child)
    return child
