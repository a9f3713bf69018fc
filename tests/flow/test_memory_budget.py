"""The memory of the process is bounded, and the client that holds much of it is the first to be refused."""
import contextlib
import http.client
import socket
import struct
import zlib

import pytest
from backends import Backend
from gateway import SHOP_CONFIG, Gateway, instances
from processes import eventually

BUDGET = "limits: {memory: 64MiB, call_memory: 16MiB, message_bytes: 15MiB, answer_bytes: 15MiB}\n"
MIB = 1 << 20


@pytest.fixture(scope="module")
def backend():
    with Backend("v1") as backend:
        yield backend


@pytest.fixture
def gateway(backend, tmp_path):
    config = BUDGET + SHOP_CONFIG.replace("127.0.0.1:$port", "0.0.0.0:$port")
    with Gateway(tmp_path, config, instances=instances(("v1", backend.port))) as gateway:
        yield gateway


def send(gateway, body, source, field):
    client = socket.create_connection(("127.0.0.1", gateway.port), source_address=(source, 0))
    with contextlib.suppress(ConnectionError):  # refused before it is all there
        client.sendall(b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s\r\n"
                       b"Content-Length: %d\r\n\r\n" % (field, len(body)) + body)
    return client


def body_of(size):
    return b'{"customer":"' + b"k" * (size - 100) + b'"}'


def post(gateway, size, source):
    """A body that is small as it comes: a MiB of one letter for each of gzip's kilobytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return send(gateway, packer.compress(body_of(size)) + packer.flush(), source, b"Content-Encoding: gzip")


def status(client):
    """(status, fields, body) of its response."""
    with client:
        answer = http.client.HTTPResponse(client)
        answer.begin()
        return answer.status, answer.headers, answer.read()


def made(gateway, source):
    """The status of a call that needs some MiB."""
    return status(post(gateway, MIB, source))[0]


def hog(gateway, source="127.0.0.2"):
    """Holds three quarters of the budget, by calls whose service is slow."""
    def hold():
        return send(gateway, body_of(MIB // 2), source, b"shop-delay: 20")

    def is_full():
        clients.append(hold())
        return all(made(gateway, source) == 429 for _ in range(5))  # not only while conversions need some

    clients = [hold() for _ in range(80)]
    eventually(lambda: gateway.metric("passerelle_memory_bytes", kind="calls") > 40 * MIB)
    eventually(is_full)
    return clients


def reload(gateway):
    loaded = gateway.metric("passerelle_config_generation")
    gateway.reload()
    eventually(lambda: gateway.metric("passerelle_config_generation") > loaded)


def close(clients):
    for client in clients:
        client.close()


def test_the_client_that_holds_much_is_refused_and_another_is_not(gateway):
    clients = hog(gateway)
    code, fields, body = status(post(gateway, MIB, "127.0.0.2"))
    assert code == 429 and fields["retry-after"] == "1" and b'"MEMORY_SHARE"' in body
    assert made(gateway, "127.0.0.3") == 200
    assert gateway.metric("passerelle_memory_refused_clients_total") > 0
    assert gateway.metric("passerelle_memory_limit_bytes") == 64 * MIB
    assert sum(gateway.metric("passerelle_memory_bytes", kind=kind)
               for kind in ("calls", "buffers", "connections", "tls")) < 72 * MIB
    close(clients)
    eventually(lambda: made(gateway, "127.0.0.2") == 200)


def test_a_reload_changes_the_limit_at_once(gateway):
    clients = hog(gateway)
    assert made(gateway, "127.0.0.2") == 429
    gateway.write(BUDGET.replace("64MiB", "1GiB") + SHOP_CONFIG.replace("127.0.0.1:$port", "0.0.0.0:$port"))
    reload(gateway)
    assert made(gateway, "127.0.0.2") == 200
    close(clients)


def test_operators_and_health_are_answered_above_the_limit(gateway):
    clients = hog(gateway)
    gateway.write(BUDGET.replace("memory: 64MiB", "memory: 20MiB") +
                  SHOP_CONFIG.replace("127.0.0.1:$port", "0.0.0.0:$port"))
    reload(gateway)
    code, _, body = status(post(gateway, MIB, "127.0.0.3"))
    assert code == 503 and b'"MEMORY_FULL"' in body
    assert gateway.admin("/readyz").status == 200
    assert gateway.metric("passerelle_memory_refused_total") > 0
    close(clients)


def unfinished(gateway, source):
    """A head of 28 KB without its end."""
    client = socket.create_connection(("127.0.0.1", gateway.port), source_address=(source, 0))
    with contextlib.suppress(ConnectionError):
        client.sendall(b"GET /v1/orders/1 HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 28_000)
    return client


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def unfinished_http2(gateway, source):
    """The same in HTTP/2: HEADERS and CONTINUATION without END_HEADERS."""
    field = b"\0\1x\x7f\x81\x04" + b"v" * 640  # a literal of 1 + 640 bytes, not indexed
    block = b"\x82\x86\x84\x41\1x" + field * 44
    client = socket.create_connection(("127.0.0.1", gateway.port), source_address=(source, 0))
    with contextlib.suppress(ConnectionError):
        client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") +
                       frame(1, 1, 1, block[:16_000]) + frame(9, 0, 1, block[16_000:]))
    return client


@pytest.mark.parametrize("begin", [unfinished, unfinished_http2])
def test_heads_without_an_end_are_refused_and_others_are_answered(gateway, begin):
    gateway.write(BUDGET.replace("memory: 64MiB", "memory: 16MiB").replace("call_memory: 16MiB", "call_memory: 4MiB")
                  .replace("15MiB", "3MiB") + SHOP_CONFIG.replace("127.0.0.1:$port", "0.0.0.0:$port"))
    reload(gateway)
    clients = [begin(gateway, "127.0.0.2") for _ in range(700)]
    eventually(lambda: gateway.metric("passerelle_memory_refused_clients_total") > 0)
    assert sum(gateway.metric("passerelle_memory_bytes", kind=kind)
               for kind in ("calls", "buffers", "connections", "tls")) < 16 * MIB
    for _ in range(20):
        assert made(gateway, "127.0.0.3") == 200
    assert gateway.metric("passerelle_memory_refused_total") == 0
    close(clients)
    eventually(lambda: gateway.metric("passerelle_memory_clients") == 0)
    client = begin(gateway, "127.0.0.2")  # there is memory again
    assert made(gateway, "127.0.0.2") == 200
    close([client])


def test_all_is_given_back(gateway):
    before = gateway.metric("passerelle_memory_bytes", kind="calls")
    close(hog(gateway))
    eventually(lambda: gateway.metric("passerelle_memory_bytes", kind="calls") <= before + MIB)
    eventually(lambda: gateway.metric("passerelle_memory_clients") == 0)
