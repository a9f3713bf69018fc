"""The admin interface under attack: by peers on the network, and by other users of the machine."""
import contextlib
import os
import resource
import socket
import ssl
import stat
import struct
import subprocess
import threading
import time

import pytest
from gateway import BINARY, Gateway
from operators import (CONFIG, HASHES, NOBODY, TLS_CONFIG, TOKENS, SecureGateway, command, entries, make_certificates, own_user,
                       plain, socket_for_others)
from processes import eventually


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("attacked"), CONFIG, **HASHES) as running:
        yield running


def connect(gateway, timeout=30):
    return socket.create_connection(("127.0.0.1", gateway.admin_port), timeout=timeout)


def read_all(client):
    read = b""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while piece := client.recv(65536):
            read += piece
    return read


# ---- Peers on the network ---------------------------------------------------------------------------------------------


def test_who_sends_a_request_slowly_is_closed_whatever_it_sends(gateway):
    """A byte now and then, in the head or in a body, keeps no connection."""
    head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: "
    body = b"POST /reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
    clients = [connect(gateway), connect(gateway)]
    for client, text in zip(clients, (head, body)):
        client.sendall(text)
    began = time.monotonic()
    ended = {}

    def trickle(client):
        with contextlib.suppress(OSError):
            while time.monotonic() < began + 60:
                client.sendall(b"x")
                client.settimeout(0.5)
                with contextlib.suppress(TimeoutError):
                    if not client.recv(1000):
                        break
        ended[client] = time.monotonic() - began
    threads = [threading.Thread(target=trickle, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert all(time_taken < 45 for time_taken in ended.values()) and len(ended) == 2
    assert gateway.admin("/healthz").status == 200


def sockets_of(gateway):
    """How many it has open."""
    folder, n = f"/proc/{gateway.process.child.pid}/fd", 0
    for one in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            n += os.readlink(f"{folder}/{one}").startswith("socket:")
    return n


def test_clients_that_reset_their_tls_connections_leave_none_behind(tmp_path):
    """As many as there is room for, more than once: else nobody would be served, and the gateway would not end."""
    make_certificates(tmp_path)
    context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    with SecureGateway(tmp_path, TLS_CONFIG, **HASHES) as gateway:
        assert gateway.admin("/healthz").status == 200
        before = sockets_of(gateway)
        for _ in range(100):
            with context.wrap_socket(connect(gateway), server_hostname="localhost") as client:
                client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                client.recv(1000)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        eventually(lambda: sockets_of(gateway) <= before, timeout=20)
        assert gateway.admin("/healthz").status == 200


@pytest.mark.parametrize("text", [
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * (4 << 20) + b"\r\n\r\n",
    b"GET /" + b"x" * (4 << 20) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n" + b"a: b\r\n" * 100000 + b"\r\n",
    b"\x00" * (1 << 20),
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + b"x" * (1 << 20),
], ids=["field", "path", "fields", "zeros", "token"])
def test_a_huge_head_is_refused_at_once(gateway, text):
    with connect(gateway) as client:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            client.sendall(text)
        assert b" 200 " not in read_all(client)[:20]
    assert gateway.admin("/healthz").status == 200


def test_a_body_that_is_huge_or_never_ends_is_refused(gateway):
    for field in b"Content-Length: 18446744073709551615", b"Content-Length: 10000000", b"Transfer-Encoding: chunked":
        with connect(gateway) as client:
            client.sendall(b"POST /reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + TOKENS["ops"].encode() +
                           b"\r\n" + field + b"\r\n\r\n")
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                for _ in range(100):
                    client.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            assert b" 200 " not in read_all(client)[:20]
    assert gateway.admin("/healthz").status == 200


def test_ten_thousand_connections_keep_neither_scrapes_nor_operators_out(gateway):
    wanted = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    staying = []
    try:
        for i in range(min(wanted, hard - 200)):
            client = connect(gateway)
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                client.sendall([b"\r\n", b"GET /me", b"GET /config HTTP/1.1\r\nHost: localhost\r\n\r\n"][i % 3])
            staying.append(client)
            if i % 2000 == 1999:
                assert plain(gateway)("GET", "/metrics").status == 200
                assert plain(gateway, "ops")("POST", "/reload").status == 200
                assert command(gateway, "reload").returncode == 0
    finally:
        for client in staying:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert gateway.admin("/healthz").status == 200


def test_an_operator_who_waits_for_an_answer_is_not_cut_off_by_a_flood(tmp_path):
    """The reload waits for a schema by reflection, of an instance that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow = CONFIG[:CONFIG.index("services:")] + ("services:\n  - name: orders\n    versions: [{name: v1, package: shop.orders.v1, schema: {reflection: "
                         "{address: '127.0.0.1:%d', timeout: 3s}}}]\n"
                         "    instances: [{address: '127.0.0.1:%d', protocol: grpc, versions: [v1]}]\n"
                         % (silent.getsockname()[1], silent.getsockname()[1]))
        with Gateway(tmp_path, CONFIG, **HASHES) as gateway:
            gateway.write(config=slow)
            answers = []
            waiting = threading.Thread(target=lambda: answers.append(plain(gateway, "ops")("POST", "/reload")))
            waiting.start()
            asked = silent.accept()  # the operator is known, and waits
            clients = []
            while waiting.is_alive() and len(clients) < 2000:
                client = connect(gateway)
                client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                clients.append(client)
            waiting.join(60)
            for client in [*clients, asked[0]]:
                client.close()
            assert [answer.status for answer in answers] == [409], answers and answers[0].body
            assert len(clients) > 100


def test_what_a_peer_says_cannot_forge_a_line_of_the_log(gateway):
    with connect(gateway) as client:
        client.sendall(b"GET /audit%0a%22%7d%1b[31m HTTP/1.1\r\nHost: rebound.example\r\n\r\n")
        assert b" 421 " in client.recv(65536)
    line = eventually(lambda: [line for line in gateway.events("admin_refused") if line["reason"] == "host"])[-1]
    assert line["request"].startswith("GET /audit") and all("\x1b" not in text for text in gateway.process.lines)


@pytest.mark.parametrize("field", ["Passerelle-Why: a\r\nX-Y: b", "Passerelle-Why: a\nb"])
def test_a_reason_cannot_bring_fields_of_its_own(gateway, field):
    with connect(gateway) as client:
        client.sendall(f"POST /reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKENS['ops']}\r\n"
                       f"Connection: close\r\n{field}\r\n\r\n".encode())
        answer = read_all(client)
    if b" 200 " in answer[:20]:
        assert entries(gateway)[0]["why"] == "a"


def test_names_and_reasons_do_not_reach_the_terminal_of_who_reads_them(tmp_path):
    """C1 controls and marks that turn text around are valid UTF-8; a node's name may have anything."""
    config = 'node: "gw\\e[2J\\x9b31m"\n' + CONFIG
    with Gateway(tmp_path, config, **HASHES) as gateway:
        with connect(gateway) as client:
            client.sendall(f"POST /reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKENS['ops']}\r\n"
                           "Connection: close\r\nPasserelle-Why: ".encode() +
                           b"\xc2\x9b31m \xe2\x80\xaegnp \xff\r\n\r\n")
            assert b" 200 " in read_all(client)[:20]
        told = eventually(lambda: (done := command(gateway, "audit")).returncode == 0 and "reload" in done.stdout and done.stdout)
        assert "\\u009b31m \\u202egnp \ufffd" in told
        fleet = eventually(lambda: "gw" in (done := command(gateway, "fleet")).stdout and done.stdout)
        assert "gw\\x1b[2J\\u009b31m" in fleet
        for text in told, fleet, command(gateway, "audit", "--json").stdout, command(gateway, "fleet", "--json").stdout:
            assert not any(c != "\n" and (c < " " or "\x7f" <= c <= "\x9f") for c in text), ascii(text)


# ---- Other users of the machine ---------------------------------------------------------------------------------------


def refused_start(folder, told):
    """The gateway does not start, and says why."""
    gateway = Gateway(folder, CONFIG, **HASHES)
    gateway.write()
    done = subprocess.run([BINARY, "run", gateway.file], capture_output=True, text=True, timeout=30, cwd=folder)
    assert done.returncode == 1 and told in done.stderr, done.stderr


def test_a_link_in_the_place_of_the_socket_is_not_followed(tmp_path):
    target = tmp_path / "target.sock"
    for make in (lambda: None, lambda: target.write_text("precious"), lambda: stale(target)):
        make()
        before = target.exists() and target.stat()
        (tmp_path / "admin.sock").symlink_to(target)
        refused_start(tmp_path, "Address already in use")
        assert (tmp_path / "admin.sock").is_symlink()
        assert (target.exists() and target.stat()) == before
        (tmp_path / "admin.sock").unlink()
        target.unlink(missing_ok=True)


def stale(path):
    """A socket whose process is gone."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))


def test_a_file_or_a_living_socket_in_its_place_stays(tmp_path):
    path = tmp_path / "admin.sock"
    path.write_text("precious")
    refused_start(tmp_path, "Address already in use")
    assert path.read_text() == "precious"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(path))
        living.listen()
        refused_start(tmp_path, "Address already in use")
        assert path.is_socket()


def test_a_socket_that_a_crash_has_left_is_replaced(tmp_path):
    stale(tmp_path / "admin.sock")
    with Gateway(tmp_path, CONFIG, **HASHES) as gateway:
        assert own_user(gateway)("GET", "/healthz").status == 200
        assert stat.S_IMODE((tmp_path / "admin.sock").stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a moment")
def test_other_users_cannot_hold_up_the_socket(gateway):
    """Also where somebody has loosened its mode: their connections go before those of operators."""
    script = ("import socket, sys, time\nkept = []\n"
              "for _ in range(300):\n    c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1]); c.send(b'GET /'); kept.append(c)\n"
              "print('there', flush=True); time.sleep(60)")
    with socket_for_others(gateway) as (name, descriptors):
        child = subprocess.Popen([*NOBODY, "/usr/bin/python3", "-c", script, name], pass_fds=descriptors,
                                 stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "there\n"
        for _ in range(20):
            assert own_user(gateway)("GET", "/audit").status == 200
    finally:
        child.kill()
        child.communicate()
