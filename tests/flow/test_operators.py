"""Operators: who may do what on the admin interface, and that each change is in the audit."""
import contextlib
import hashlib
import json
import os
import socket
import sqlite3
import subprocess

import pytest
from gateway import BINARY, Gateway
from processes import eventually

TOKENS = {"reader": "r" * 40, "ops": "o" * 40}
CONFIG = """
listen: [127.0.0.1:$port]
admin:
  address: 127.0.0.1:$admin
  socket: unix:admin.sock
  operators:
    - {name: reader, role: read, token_sha256: $reader}
    - {name: ops, role: operate, token_sha256: $ops}
store: store.db
log: "-"
"""
HASHES = {name: hashlib.sha256(token.encode()).hexdigest() for name, token in TOKENS.items()}


@pytest.fixture
def gateway(tmp_path):
    with Gateway(tmp_path, CONFIG, **HASHES) as running:
        yield running


def asked(gateway, verb, path, operator=None, **fields):
    headers = {**({"Authorization": f"Bearer {TOKENS.get(operator, operator)}"} if operator else {}), **fields}
    return gateway.http(verb, path, headers=headers, port=gateway.admin_port)


def command(gateway, *words, token=None, admin=None):
    environment = {**os.environ, "PASSERELLE_ADMIN": admin or f"unix:{gateway.folder}/admin.sock"}
    if token:
        environment["PASSERELLE_TOKEN"] = token
    return subprocess.run([BINARY, *words], env=environment, capture_output=True, text=True, timeout=60)


def entries(gateway):
    return json.loads(command(gateway, "audit", "--json").stdout)["entries"]


def events(gateway, name):
    return [line for line in gateway.log() if line.get("event") == name]


@pytest.mark.parametrize("verb,path", [("GET", "/audit"), ("POST", "/reload"), ("POST", "/drain")])
@pytest.mark.parametrize("operator", [None, "wrong", ""])
def test_without_proof_each_is_refused_and_says_what_is_missing(gateway, verb, path, operator):
    answer = asked(gateway, verb, path, operator)
    assert answer.status == 401 and "role" in answer.json["detail"]
    assert gateway.metric("passerelle_admin_refused_total", reason="no_proof") == 1
    assert eventually(lambda: events(gateway, "admin_refused")) and not events(gateway, "audit")


@pytest.mark.parametrize("path", ["/reload", "/drain"])
def test_who_may_only_read_changes_nothing(gateway, path):
    answer = asked(gateway, "POST", path, "reader")
    assert answer.status == 403 and "reader has the role read; this needs operate" in answer.json["detail"]
    assert asked(gateway, "GET", "/audit", "reader").json == {"entries": []}
    assert gateway.metric("passerelle_admin_refused_total", reason="role") == 1


def test_an_action_is_no_page_and_a_web_page_does_not_act(gateway):
    assert asked(gateway, "GET", "/reload", "ops").status == 405
    assert asked(gateway, "POST", "/audit", "ops").status == 405
    assert asked(gateway, "POST", "/reload", "ops", Origin="https://panel.example").status == 403


def test_everybody_sees_health_metrics_and_the_config(gateway):
    for path in ("/healthz", "/readyz", "/metrics", "/config", "/fleet"):
        assert asked(gateway, "GET", path).status == 200


def test_a_reload_is_answered_when_it_is_done_and_audited(gateway):
    gateway.write(config=CONFIG + "drain: 9s\n")
    before = asked(gateway, "GET", "/config").json["generation"]
    answer = asked(gateway, "POST", "/reload", "ops", **{"Passerelle-Why": "longer drain"})
    assert answer.status == 200 and answer.json["generation"] == before + 1
    entry, = entries(gateway)
    assert (entry["who"], entry["by"], entry["action"], entry["why"]) == ("ops", "token", "reload", "longer drain")
    assert entry["before"]["generation"] == before and entry["after"]["generation"] == before + 1
    assert entry["before"]["config"] != entry["after"]["config"] == answer.json["config"] and entry["result"] == "done"
    line, = eventually(lambda: events(gateway, "audit"))
    assert line["who"] == "ops" and line["why"] == "longer drain" and line["generation_after"] == before + 1


def test_a_config_with_mistakes_is_refused_with_them_and_audited(gateway):
    gateway.write(config=CONFIG + "drian: 9s\n")
    done = command(gateway, "reload", "--why", "try")
    assert done.returncode == 1 and "drian: there is no such key" in done.stderr
    entry, = entries(gateway)
    assert entry["result"] == "BAD_CONFIG" and entry["before"] == entry["after"] and entry["why"] == "try"


def test_commands_find_the_gateway_by_its_socket_or_by_a_token(gateway):
    assert command(gateway, "reload", "--quiet").stdout == ""
    address = gateway.folder / "none.sock"
    assert command(gateway, "reload", admin=f"unix:{address}").returncode == 3
    over_tcp = f"127.0.0.1:{gateway.admin_port}"
    assert command(gateway, "reload", admin=over_tcp).returncode == 1
    assert command(gateway, "reload", admin=over_tcp, token=TOKENS["ops"]).returncode == 0
    assert [entry["by"] for entry in entries(gateway)] == ["token", "socket"]
    assert "reload" in command(gateway, "audit").stdout


def test_drain_stops_in_order_and_is_audited(tmp_path):
    gateway = Gateway(tmp_path, CONFIG, **HASHES).start()
    assert command(gateway, "drain", "--why", "maintenance").returncode == 0
    assert gateway.process.child.wait(timeout=20) == 0
    line, = events(gateway, "audit")
    assert line["action"] == "drain" and line["why"] == "maintenance"
    with contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as store:
        assert store.execute("SELECT action, why, result FROM audit").fetchall() == [("drain", "maintenance", "done")]
    assert not (tmp_path / "admin.sock").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a moment")
def test_the_socket_refuses_other_users_whatever_its_mode(gateway, tmp_path):
    path = tmp_path / "admin.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    ask = ("import socket; s = socket.socket(socket.AF_UNIX); s.connect(%r); "
           "s.sendall(b'GET /healthz HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n'); print(s.recv(9999))" % str(path))
    done = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", "/usr/bin/python3", "-c", ask],
                          capture_output=True, text=True, timeout=20)
    assert "403 Forbidden" in done.stdout, done.stderr
    assert gateway.metric("passerelle_admin_refused_total", reason="stranger") == 1


def test_a_store_that_is_away_delays_no_action_and_is_missed(tmp_path):
    config = CONFIG.replace("store: store.db", "store: {sqlite: $folder/missing/store.db, time: 2s}")
    with Gateway(tmp_path, config, **HASHES) as gateway:
        assert asked(gateway, "POST", "/reload", "ops").status == 200
        eventually(lambda: gateway.metric("passerelle_audit_unstored_total") == 1)
        eventually(lambda: events(gateway, "audit") and events(gateway, "audit_unstored"))
        assert asked(gateway, "GET", "/audit", "reader").status == 503


def test_with_a_key_the_store_does_not_show_reasons_and_a_reload_rotates_it(tmp_path):
    for name in ("old", "new"):
        (tmp_path / f"{name}.key").write_text(os.urandom(32).hex() + "\n")
    old, new = "{id: old, file: old.key}", "{id: new, file: new.key}"
    config = CONFIG.replace("store: store.db", "store: {sqlite: store.db, keys: [$keys]}")
    with Gateway(tmp_path, config, keys=old, **HASHES) as gateway:
        for reason, keys in (("reason one", old), ("reason two", f"{new}, {old}"), ("reason three", new)):
            gateway.write(keys=keys)
            assert command(gateway, "reload", "--reason", reason).returncode == 0
        shown = {entry["why"]: entry.get("why_failure", "") for entry in entries(gateway)}
        assert shown.pop("reason three") == shown.pop("reason two") == ""
        assert '"old", which is not among store.keys' in shown[""]
        assert "STORE_SEALED" in command(gateway, "audit").stdout
        gateway.write(keys=f"{new}, {old}")
        assert command(gateway, "reload").returncode == 0
        assert "reason one" in [entry["why"] for entry in entries(gateway)]
        stored = b"".join(path.read_bytes() for path in tmp_path.glob("store.db*"))
        assert b"reason" not in stored and b"old" in stored


def test_without_a_store_the_audit_is_in_the_log_only(tmp_path):
    with Gateway(tmp_path, CONFIG.replace("store: store.db\n", ""), **HASHES) as gateway:
        assert asked(gateway, "POST", "/reload", "ops").status == 200
        eventually(lambda: events(gateway, "audit"))
        assert asked(gateway, "GET", "/audit", "ops").status == 404


def test_who_leaves_before_the_answer_has_still_acted(gateway):
    with socket.create_connection(("127.0.0.1", gateway.admin_port)) as client:
        client.sendall(f"POST /reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKENS['ops']}\r\n\r\n".encode())
    eventually(lambda: [entry["result"] for entry in entries(gateway)] == ["done"])


def test_a_reload_moves_the_admin_and_answers_whoever_asked(gateway):
    from gateway import free_port
    other = free_port()
    gateway.write(admin=other)
    assert asked(gateway, "POST", "/reload", "ops").status == 200
    gateway.admin_port = other
    assert gateway.admin("/readyz").status == 200


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def signed(folder, name, subject):
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
            "-keyout", f"{name}.key", "-out", f"{name}.csr")
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-out", f"{name}.pem")


def test_an_operator_is_known_by_a_certificate(tmp_path):
    openssl(tmp_path, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-keyout", "ca.key", "-out", "ca.pem")
    signed(tmp_path, "ada", "/CN=ada")
    signed(tmp_path, "bob", "/CN=bob")
    tls = "tls: {certificate: ca.pem, key: ca.key, client_ca: ca.pem, client_certificate_optional: true}\n  socket:"
    config = CONFIG.replace("socket:", tls).replace("operators:", "operators:\n    - {name: ada, role: operate, certificate: CN=ada}")

    def curl(*words):
        done = subprocess.run(["curl", "-sk", "-m", "10", "-w", "%{http_code} %{http_version}", "-o", "/dev/null", *words],
                              cwd=tmp_path, capture_output=True, text=True, timeout=20)
        return done.stdout

    class Secure(Gateway):
        def ready(self):
            return curl(f"https://127.0.0.1:{self.admin_port}/readyz") == "200 1.1"

    with Secure(tmp_path, config, **HASHES) as gateway:
        reload = ["-X", "POST", f"https://127.0.0.1:{gateway.admin_port}/reload"]
        assert curl("--cert", "ada.pem", "--key", "ada.key", *reload) == "200 1.1"
        assert curl("--cert", "bob.pem", "--key", "bob.key", *reload) == "401 1.1"
        assert curl(*reload) == "401 1.1"
        assert curl("-H", f"Authorization: Bearer {TOKENS['ops']}", *reload) == "200 1.1"
        assert [(entry["who"], entry["by"]) for entry in entries(gateway)] == [("ops", "token"), ("ada", "certificate")]
