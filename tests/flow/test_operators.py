"""Operators: reloads and drains are answered when they are done, and audited; who may do so is in test_admin_roles.py."""
import contextlib
import os
import socket
import sqlite3

import pytest
from gateway import Gateway
from operators import CONFIG, HASHES, TOKENS, command, entries, plain
from processes import eventually, free_port


@pytest.fixture
def gateway(tmp_path):
    with Gateway(tmp_path, CONFIG, **HASHES) as running:
        yield running


def asked(gateway, verb, path, operator=None, **fields):
    return plain(gateway, operator)(verb, path, **fields)


def test_a_reload_is_answered_when_it_is_done_and_audited(gateway):
    gateway.write(config=CONFIG + "drain: 9s\n")
    before = asked(gateway, "GET", "/config").json["generation"]
    answer = asked(gateway, "POST", "/reload", "ops", Passerelle_Why="longer drain")
    assert answer.status == 200 and answer.json["generation"] == before + 1
    entry, = entries(gateway)
    assert (entry["who"], entry["by"], entry["action"], entry["why"]) == ("ops", "token", "reload", "longer drain")
    assert entry["before"]["generation"] == before and entry["after"]["generation"] == before + 1
    assert entry["before"]["config"] != entry["after"]["config"] == answer.json["config"] and entry["result"] == "done"
    line, = eventually(lambda: gateway.events("audit"))
    assert line["who"] == "ops" and line["why"] == "longer drain" and line["generation_after"] == before + 1


def test_a_config_with_mistakes_is_refused_with_them_and_audited(gateway):
    gateway.write(config=CONFIG + "drian: 9s\n")
    done = command(gateway, "reload", "--why", "try")
    assert done.returncode == 1 and "drian: there is no such key" in done.stderr
    entry, = entries(gateway)
    assert entry["result"] == "BAD_CONFIG" and entry["before"] == entry["after"] and entry["why"] == "try"


def test_drain_stops_in_order_and_is_audited(tmp_path):
    gateway = Gateway(tmp_path, CONFIG, **HASHES).start()
    assert command(gateway, "drain", "--why", "maintenance").returncode == 0
    assert gateway.process.child.wait(timeout=20) == 0
    line, = gateway.events("audit")
    assert line["action"] == "drain" and line["why"] == "maintenance"
    with contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as store:
        assert store.execute("SELECT action, why, result FROM audit").fetchall() == [("drain", "maintenance", "done")]
    assert not (tmp_path / "admin.sock").exists()


def test_a_store_that_is_away_delays_no_action_and_is_missed(tmp_path):
    config = CONFIG.replace("store: store.db", "store: {sqlite: $folder/missing/store.db, time: 2s}")
    with Gateway(tmp_path, config, **HASHES) as gateway:
        assert asked(gateway, "POST", "/reload", "ops").status == 200
        eventually(lambda: gateway.metric("passerelle_audit_unstored_total") == 1)
        eventually(lambda: gateway.events("audit") and gateway.events("audit_unstored"))
        assert asked(gateway, "GET", "/audit", "reader").status == 503


def test_with_a_key_the_store_does_not_show_reasons_and_a_reload_rotates_it(tmp_path):
    for name in ("old", "new"):
        (tmp_path / f"{name}.key").write_text(os.urandom(32).hex() + "\n")
    old, new = "{id: old, file: old.key}", "{id: new, file: new.key}"
    config = CONFIG.replace("store: store.db", "store: {sqlite: store.db, keys: [$keys]}")
    with Gateway(tmp_path, config, keys=old, **HASHES) as gateway:
        for reason, keys in (("reason one", old), ("reason two", f"{new}, {old}"), ("reason three", new)):
            gateway.write(keys=keys)
            assert command(gateway, "reload", "--why", reason).returncode == 0
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
        eventually(lambda: gateway.events("audit"))
        assert asked(gateway, "GET", "/audit", "ops").status == 404


def test_who_leaves_before_the_answer_has_still_acted(gateway):
    with socket.create_connection(("127.0.0.1", gateway.admin_port)) as client:
        client.sendall(f"POST /reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKENS['ops']}\r\n\r\n".encode())
    eventually(lambda: [entry["result"] for entry in entries(gateway)] == ["done"])


def test_a_reload_moves_the_admin_and_answers_whoever_asked(gateway):
    other = free_port()
    gateway.write(admin=other)
    assert asked(gateway, "POST", "/reload", "ops").status == 200
    gateway.admin_port = other
    assert gateway.admin("/readyz").status == 200
