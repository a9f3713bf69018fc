"""Connections of services with `warm`: there before the first call, with TLS, and again after they were lost."""
import contextlib
import json
import ssl
import time

import pytest
from certificates import certificate
from gateway import Gateway
from http1_backend import Http1Backend
from processes import eventually

CONFIG = """
listen: ["127.0.0.1:$port"]
admin: {address: "127.0.0.1:$admin"}
log: "-"
loops: 2
limits: {warm_connections: $limit}
services: []
routes:
  - {match: /, warm: $warm, instances: $instances}
"""
LOOPS = 2  # each of them keeps its own


class Open(Http1Backend):
    def answer(self, peer, told, body):
        peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def __init__(self, port=0):
        self.n_closed = 0
        super().__init__(self.answer, port=port)

    def _serve(self, peer):
        super()._serve(peer)
        self.n_closed += 1

    @property
    def n_open(self):
        return len(self.peers) - self.n_closed


def run(folder, backends, warm, limit=1000):
    return Gateway(folder, CONFIG, warm=warm, limit=limit, instances=json.dumps([f"127.0.0.1:{b.port}" for b in backends]))


@pytest.fixture
def backends():
    with contextlib.ExitStack() as running:
        yield [running.enter_context(Open()) for _ in range(2)]


def warm(gateway, state):
    return gateway.metric("passerelle_warm_connections", state=state)


def test_they_are_there_before_the_first_call_and_calls_use_them(tmp_path, backends):
    with run(tmp_path, backends, 3) as gateway:
        eventually(lambda: [backend.n_open for backend in backends] == [3 * LOOPS] * 2)
        eventually(lambda: warm(gateway, "ready") == 12 and warm(gateway, "missing") == 0)
        for _ in range(10):
            assert gateway.http("GET", "/x").status == 200
        assert [len(backend.peers) for backend in backends] == [3 * LOOPS] * 2


def test_their_handshakes_are_done(tmp_path):
    certificate(tmp_path)
    with contextlib.ExitStack():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
        secret = Open(0)
        secret.listener = context.wrap_socket(secret.listener, server_side=True)  # accept() returns after the handshake
        with secret:
            entry = {"address": f"127.0.0.1:{secret.port}", "tls": {"ca": str(tmp_path / "server.pem"), "name": "localhost"}}
            with Gateway(tmp_path, CONFIG, warm=2, limit=1000, instances=json.dumps([entry])) as gateway:
                eventually(lambda: secret.n_open == 2 * LOOPS and warm(gateway, "ready") == 2 * LOOPS)
                assert gateway.http("GET", "/x").status == 200
                assert len(secret.peers) == 2 * LOOPS


def test_lost_ones_are_replaced(tmp_path, backends):
    with run(tmp_path, backends, 2) as gateway:
        eventually(lambda: backends[0].n_open == 2 * LOOPS)
        for peer in list(backends[0].peers):
            peer.close()
        eventually(lambda: backends[0].n_closed == 2 * LOOPS)
        eventually(lambda: backends[0].n_open == 2 * LOOPS)
        eventually(lambda: warm(gateway, "missing") == 0)


def test_an_instance_that_comes_back_is_warm_again(tmp_path):
    first = Open()
    first.__enter__()
    with run(tmp_path, [first], 2) as gateway:
        eventually(lambda: first.n_open == 2 * LOOPS)
        first.__exit__()
        eventually(lambda: warm(gateway, "missing") == 2 * LOOPS)
        with Open(first.port) as again:
            eventually(lambda: again.n_open == 2 * LOOPS)
            eventually(lambda: warm(gateway, "ready") == 2 * LOOPS)


def test_all_together_are_bounded(tmp_path, backends):
    with run(tmp_path, backends, 10, limit=12) as gateway:
        eventually(lambda: sum(backend.n_open for backend in backends) == 12)
        eventually(lambda: warm(gateway, "ready") == 12)
        assert warm(gateway, "beyond_limit") == 2 * 10 * LOOPS - 12


def test_without_the_setting_none_is_opened(tmp_path, backends):
    with run(tmp_path, backends, 0) as gateway:
        time.sleep(0.3)
        assert sum(len(backend.peers) for backend in backends) == 0
        assert warm(gateway, "ready") == 0
