"""
A gateway that has given up what it does not need: what is refused, and that the rest goes on: upgrades, crashes, reloads, names, logs,
certificates, stores. `make sandbox` runs all flow tests in this way; which calls are refused is tested in test_sandbox.c.
"""
import json
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import ssl
import stat
import subprocess
from pathlib import Path

import pytest
from gateway import BINARY, Gateway
from http1_backend import Http1Backend
from operators import Authority, command
from processes import eventually, free_port
from stores import PostgreSQL
from test_live_upgrade import Supervised
from test_tls import answer

CONFIG = """
sandbox: true
$more
listen:
  - 127.0.0.1:$port
  - {address: '127.0.0.1:$secure', tls: {certificate: $folder/server.pem, key: $folder/server.key}}
admin: {address: "127.0.0.1:$admin", socket: "unix:$folder/admin.sock"}
log: $folder/log
loops: 2
upgrade: {steady: 0s}
store: $store
routes: [{match: /, instances: ['localhost:$backend']}]
"""
EXAMPLE = Path(__file__).parents[2] / "debian/gateway.yaml"
# AddressSanitizer looks for leaks by tracing its own process, which the sandbox refuses.
NO_LEAKS = {"ASAN_OPTIONS": ":".join([*filter(None, [os.environ.get("ASAN_OPTIONS")]), "detect_leaks=0"])}
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")


def shared(path):
    """pytest's folders are root's alone."""
    for folder in (path, *path.parents):
        if folder != Path("/tmp") and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    path.chmod(0o777)
    return path


@pytest.fixture
def folder(tmp_path):
    shared(tmp_path)
    Authority(tmp_path).sign("server", "/CN=one", "DNS:localhost")
    (tmp_path / "server.key").chmod(0o644)
    return tmp_path


@pytest.fixture
def backend():
    with Http1Backend(answer, host="127.0.0.1") as running:
        yield running


def status_of(pid):
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def subject(gateway):
    context = ssl.create_default_context(cafile=gateway.folder / "ca.pem")
    with socket.create_connection(("127.0.0.1", gateway.words["secure"]), timeout=20) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            return dict(part[0] for part in secure.getpeercert()["subject"])["commonName"]


def of_folder(folder, backend, store, more=""):
    return Supervised(folder, CONFIG, environment=NO_LEAKS, backend=backend.port, secure=free_port(), store=store, more=more)


def test_the_example_for_systemd_has_it():
    done = subprocess.run([BINARY, "check", EXAMPLE], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nsandbox: true\n" in EXAMPLE.read_text()


def assert_restricted(pid):
    status = status_of(pid)
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
    assert all(int(status[name], 16) & ~(1 << 10) == 0 for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"))
    return status


def told(gateway, name):
    """Events of this name in the log, before and after it was rotated."""
    lines = [line for file in ("log.1", "log") if (gateway.folder / file).exists()
             for line in (gateway.folder / file).read_text().splitlines()]
    return [line for line in map(json.loads, lines) if line.get("event") == name]


def live(gateway):
    """All that an operator does to it, and a crash."""
    assert gateway.http("GET", "/").body == b"ok"
    Authority(gateway.folder).sign("server", "/CN=two", "DNS:localhost")
    (gateway.folder / "server.key").chmod(0o644)
    (gateway.folder / "log").rename(gateway.folder / "log.1")
    gateway.reload()
    eventually(lambda: (gateway.folder / "log").exists() and told(gateway, "config_loaded"))
    assert subject(gateway) == "two"
    first = gateway.newest()
    assert command(gateway, "upgrade", "--why", "a test").returncode == 0
    second = gateway.newest()
    assert second != first and gateway.http("GET", "/").body == b"ok"
    assert_restricted(second)
    gateway.crash(signal.SIGABRT)
    eventually(lambda: gateway.children() not in ([], [second]))
    assert gateway.http("GET", "/").body == b"ok"
    assert_restricted(gateway.newest())
    crashed = eventually(lambda: told(gateway, "crashed"))[-1]
    assert "passerelle(" in str(crashed)  # its backtrace
    assert told(gateway, "sandbox_refused") == []
    eventually(lambda: "a test" in command(gateway, "audit").stdout)


def test_all_goes_on_with_an_sqlite_store(folder, backend):
    with of_folder(folder, backend, f"{{sqlite: {folder}/store.db}}") as gateway:
        assert_restricted(gateway.newest())
        assert status_of(gateway.process.child.pid)["Seccomp"] == "0"  # the supervisor starts programs
        live(gateway)
    assert sqlite3.connect(folder / "store.db").execute("SELECT count(*) FROM audit").fetchone()[0] >= 1


@ROOT
def test_all_goes_on_as_another_user(folder, backend):
    with of_folder(folder, backend, f"{{sqlite: {folder}/store.db}}", "user: nobody") as gateway:
        nobody = pwd.getpwnam("nobody")
        status = assert_restricted(gateway.newest())
        assert set(status["Uid"].split()) == {str(nobody.pw_uid)} and set(status["Gid"].split()) == {str(nobody.pw_gid)}
        live(gateway)


@ROOT
def test_what_could_not_be_read_again_is_told_at_the_start_and_by_check(folder, backend):
    """A list in a folder that root alone may enter, a key of root, and then a config that is good."""
    hidden = folder / "hidden"
    hidden.mkdir(mode=0o700)
    (hidden / "keys").write_text("keys: []\n")
    key = folder / "server.key"
    key.chmod(0o600)
    more = f"user: nobody\nauthorization: allow\nauthentication:\n  - {{name: partners, api_keys: {{file: {hidden}/keys}}}}"
    gateway = Gateway(folder, CONFIG, backend=backend.port, secure=free_port(), store=f"{{sqlite: {folder}/store.db}}", more=more)
    gateway.write()
    refused = subprocess.run([BINARY, "run", gateway.file], capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1
    checked = subprocess.run([BINARY, "check", gateway.file], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 1
    for text in (refused.stderr, checked.stdout):
        assert "nobody cannot read files that each reload reads" in text and "chown" in text
        assert f"{key} (of root, mode 600)" in text and f"{hidden}/keys (its folder cannot be entered)" in text
        assert "server.pem" not in text
    hidden.chmod(0o711)
    shutil.chown(key, "nobody")
    assert subprocess.run([BINARY, "check", gateway.file], capture_output=True, timeout=60).returncode == 0
    with of_folder(folder, backend, f"{{sqlite: {folder}/store.db}}", more) as running:
        running.reload()
        eventually(lambda: told(running, "config_loaded"))
        assert told(running, "config_refused") == []


def test_all_goes_on_with_a_postgresql_store(folder, backend):
    with PostgreSQL() as server:
        with of_folder(folder, backend, server.setting) as gateway:
            live(gateway)


def test_a_user_that_does_not_exist_is_told(folder, backend):
    gateway = Gateway(folder, CONFIG, backend=backend.port, secure=free_port(), store=f"{{sqlite: {folder}/store.db}}",
                      more="user: no-such-user")
    with pytest.raises(AssertionError, match="there is no user no-such-user"):
        gateway.start()
    checked = subprocess.run([BINARY, "check", gateway.file], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 1 and ":3:7: user: there is no user no-such-user" in checked.stdout
