"""No further thread can be made: what needs one is refused or waits, and calls go on."""
import subprocess

import pytest
from gateway import BINARY, Gateway
from operators import Authority, command, on_socket
from processes import eventually, free_port
from test_passwords import HASH, ask
from threads import Threads

CONFIG = """
listen:
  - 127.0.0.1:$port
  - {address: 127.0.0.1:$secure, tls: {certificate: web.pem, key: web.key, watch: true}}
admin:
  address: 127.0.0.1:$admin
  socket: unix:$folder/admin.sock
  operators: [{name: ada, role: operate, password: $ada}]
store: store.db
log: "-"
loops: 1
watch_every: 30ms
services:
  - name: orders
    versions: [{name: v3, package: shop.orders.v3, schema: $orders}]
    discovery: {file: list.yaml, every: 50ms}
"""
LIST = "instances: [{address: '127.0.0.1:1', versions: [v3]}%s]\n"


@pytest.fixture
def threads(tmp_path):
    return Threads(tmp_path)


def gateway_of(tmp_path, threads, options=()):
    Authority(tmp_path).sign("web", "/CN=web", "DNS:localhost")
    (tmp_path / "list.yaml").write_text(LIST % "")
    return Gateway(tmp_path, CONFIG, under=threads.under, options=options, ada=f"'{HASH['correct horse']}'", secure=free_port())


def test_what_needs_a_thread_is_refused_and_the_gateway_serves_on(tmp_path, threads):
    with gateway_of(tmp_path, threads) as gateway:
        threads.end()
        for password in ("wrong", "correct horse"):
            answer = ask(gateway, "GET", "/limits", "ada", password)
            assert answer.status == 503 and b"thread" in answer.body and answer.headers["retry-after"]
        done = command(gateway, "profile", "--seconds", "1", "-o", tmp_path / "profile")
        assert done.returncode == 3 and "no further thread" in done.stderr
        done = command(gateway, "reload", "--why", "a test")
        assert done.returncode == 1 and "no further thread" in done.stdout + done.stderr
        assert on_socket(tmp_path / "admin.sock", "GET", "/metrics").status == 200
        assert gateway.http("GET", "/nothing").status == 404
        threads.mend()
        assert ask(gateway, "GET", "/limits", "ada", "correct horse").status == 200
        assert command(gateway, "reload", "--why", "a test").returncode == 0


def test_lists_and_certificates_are_looked_at_when_there_is_one_again(tmp_path, threads):
    with gateway_of(tmp_path, threads) as gateway:
        threads.end()
        eventually(lambda: gateway.events("no_thread"))
        Authority(tmp_path).sign("web", "/CN=other", "DNS:localhost")
        (tmp_path / "list.yaml").write_text(LIST % ", {address: '127.0.0.1:2', versions: [v3]}")
        threads.mend()
        eventually(lambda: gateway.events("certificate_renewed"))
        eventually(lambda: len(gateway.admin("/config").json["services"][0]["instances"]) == 2)
        assert len(gateway.events("no_thread")) == 1


@pytest.mark.parametrize("options", [[], ["--supervise"]])
def test_without_any_it_does_not_start_and_says_why(tmp_path, threads, options):
    gateway = gateway_of(tmp_path, threads, options)
    gateway.write()
    threads.end()
    done = subprocess.run([*threads.under, BINARY, "run", *options, gateway.file], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "thread" in done.stderr and "bug:" not in done.stderr
