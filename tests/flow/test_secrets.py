"""Secrets stay where they are: distinctive ones are planted everywhere, and every output is searched for them."""
import base64
import hashlib
import os
import re
import signal
import subprocess

import pytest
from gateway import BINARY, SHOP_CONFIG, Gateway, instances
from operators import Authority, command, on_socket
from processes import eventually, free_port
from test_live_upgrade import Supervised

CONFIG = SHOP_CONFIG.replace("listen:\n  - address: 127.0.0.1:$port\n", """listen:
  - address: 127.0.0.1:$port
  - {address: '127.0.0.1:$secure', tls: {certificate: server.pem, key: server.key, certificates: [{certificate: more.pem, key: more.key}]}}
""").replace("admin: {address: 127.0.0.1:$admin}", """admin:
  address: 127.0.0.1:$admin
  socket: unix:admin.sock
  operators: [{name: ops, role: operate, token_sha256: $hash}]
""") + """
store: {sqlite: store.db, keys: [{id: one, file: store.key}]}
clients: {recorded: hashed, key: clients.key}
upgrade: {steady: 0s}
ledger:
  every: 100ms
  webhooks: [{name: pager, url: 'https://127.0.0.1:$nobody/', token_file: hook.token, secret_file: hook.secret, when: {new: true}}]
"""
FILES = {"server.key": "listen[1].tls.key", "more.key": "listen[1].tls.certificates[0].key", "store.key": "store.keys[0].file",
         "clients.key": "clients.key", "hook.token": "ledger.webhooks[0].token_file", "hook.secret": "ledger.webhooks[0].secret_file"}
PAGES = ("/config", "/metrics", "/healthz", "/readyz", "/settings", "/fleet", "/errors", "/healing", "/audit", "/usage", "/rollouts", "/shadow", "/jobs")
OPERATOR, BEARER, COOKIE = (f"SECRET-of-{what}-{os.urandom(8).hex()}" for what in ("operator", "bearer", "cookie"))


def plant(folder):
    """The files, and all that must not be seen: what they hold, in each form."""
    authority = Authority(folder)
    for name in ("server", "more"):
        authority.sign(name, f"/CN={name}", f"DNS:{name}.example")
    texts = {"store.key": os.urandom(32).hex(), "clients.key": f"SECRET-of-clients-{os.urandom(16).hex()}",
             "hook.token": f"SECRET-of-token-{os.urandom(8).hex()}", "hook.secret": f"SECRET-of-secret-{os.urandom(16).hex()}"}
    for name, text in texts.items():
        (folder / name).write_text(text + "\n")
    for name in FILES:
        (folder / name).chmod(0o600)
    keys = [line for name in ("server.key", "more.key") for line in (folder / name).read_text().splitlines() if "-----" not in line]
    raw = [bytes.fromhex(texts["store.key"])] + [base64.b64decode("".join(keys[k:k + 3])) for k in (0, 3)]
    plain = [*texts.values(), *keys, OPERATOR, BEARER, COOKIE]
    return [text.encode() for text in plain] + [base64.b64encode(text.encode()) for text in plain if "SECRET" in text] + raw


def of_folder(folder, kind=Gateway):
    return kind(folder, CONFIG, instances=instances(("v3", free_port())), secure=free_port(), nobody=free_port(),
                hash=hashlib.sha256(OPERATOR.encode()).hexdigest())


def outputs(gateway, folder):
    """{what: bytes} of all that it and its commands say."""
    config = str(gateway.file)
    said = {f"GET {page}": on_socket(folder / "admin.sock", "GET", page).body for page in PAGES}
    told = gateway.admin("/errors")
    said["GET /errors over TCP"] = told.body
    for words in (["check", config], ["check", "--json", config], ["explain", config, "GET", "/v1/orders/1"], ["store", "check", config],
                  ["version"]):
        done = subprocess.run([BINARY, *words], capture_output=True, timeout=60, cwd=folder)
        said[" ".join(words[:2])] = done.stdout + done.stderr
    for words in (["errors"], ["audit"], ["healing"], ["fleet"]):
        done = command(gateway, *words)
        said[words[0]] = (done.stdout + done.stderr).encode()
    return said


def assert_silent(secrets, said):
    for what, text in said.items():
        assert text is not None
        for secret in secrets:
            assert secret not in text, f"{what} has {secret!r}"


def test_no_secret_is_in_any_output(tmp_path):
    secrets = plant(tmp_path)
    fields = {"authorization": f"Bearer {BEARER}", "cookie": f"session={COOKIE}"}
    with of_folder(tmp_path, Supervised) as gateway:
        for path in ("/v1/orders/1", "/nowhere"):
            gateway.http("GET", path, headers=fields)
        gateway.http("GET", "/errors", port=gateway.admin_port, headers={"authorization": f"Bearer {OPERATOR}"})
        gateway.http("GET", "/errors", port=gateway.admin_port, headers={"authorization": f"Bearer {OPERATOR}x"})
        eventually(lambda: b"UPSTREAM" in on_socket(tmp_path / "admin.sock", "GET", "/errors").body)
        said = outputs(gateway, tmp_path)
        assert len(said["GET /config"]) > 500 and len(said["GET /errors"]) > 50
        token = (tmp_path / "hook.token").read_text()
        (tmp_path / "hook.token").write_text(f"{token.strip()} two words\n")  # a mistake, which quotes nothing
        gateway.reload()
        eventually(lambda: gateway.events("config_refused"))
        (tmp_path / "hook.token").write_text(token)
        gateway.crash(signal.SIGABRT)
        eventually(lambda: gateway.events("crashed"))
    said["stdout"] = "\n".join(gateway.process.lines).encode()
    said["stderr"] = "\n".join(gateway.process.errors).encode()
    assert len(said["stdout"]) > 1000 and b"signal" in said["stderr"]
    assert_silent(secrets, said)
    (tmp_path / "store.db-wal").touch()
    assert_silent(secrets, {"store": (tmp_path / "store.db").read_bytes() + (tmp_path / "store.db-wal").read_bytes()})


def test_a_wrong_secret_is_not_quoted(tmp_path):
    plant(tmp_path)
    for name, text in (("store.key", "SECRET-not-hex"), ("clients.key", "SECRET"), ("hook.token", "SECRET of two words"),
                       ("hook.secret", "whsec_SECRET*"), ("server.key", "SECRET"), ("more.key", "SECRET")):
        (tmp_path / name).write_text(text)
    told = of_folder(tmp_path).check()
    assert told.returncode != 0 and len(told.stdout + told.stderr) > 200
    assert "SECRET" not in told.stdout + told.stderr


def test_a_password_of_the_store_is_not_shown(tmp_path):
    (tmp_path / "c.yaml").write_text("listen: ['127.0.0.1:1']\nroutes: [{match: /, instances: ['127.0.0.1:2']}]\n"
                                     f"store: {{postgresql: 'host=127.0.0.1 port={free_port()} password=SECRET'}}\n")
    for words in (["check"], ["store", "check"], ["store", "backup"]):
        done = subprocess.run([BINARY, *words, tmp_path / "c.yaml", *(["copy"] if "backup" in words else [])], capture_output=True,
                              text=True, timeout=60)
        assert "SECRET" not in done.stdout + done.stderr and done.stdout + done.stderr


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_files_that_others_can_read_are_told(tmp_path, mode):
    plant(tmp_path)
    gateway = of_folder(tmp_path)
    assert "other users may use" not in gateway.check().stdout + gateway.check().stderr
    for name in FILES:
        (tmp_path / name).chmod(mode)
    told = gateway.check()
    for name, path in FILES.items():
        assert re.search(rf"{re.escape(path)}: other users may use \S*{name} \(mode {mode:o}\): chmod 600", told.stdout + told.stderr)
    with gateway:
        assert len(eventually(lambda: gateway.events("secret_open"))) >= 1
        assert gateway.metric("passerelle_secrets_open") == len(FILES)
        for name in FILES:
            (tmp_path / name).chmod(0o600)
        gateway.reload()
        eventually(lambda: gateway.metric("passerelle_secrets_open") == 0)
    assert len(gateway.events("secret_open")) == len(FILES)
