"""How a key of the config goes: deprecated in one release, refused in a later one.

No key is deprecated at present. So the key that this release refuses is made a deprecated one in a copy of the gateway: its option `replaced_by`
(adapters/document/document.proto) becomes `deprecated_for` in the schema that is built into the program. That is the release before."""
import pathlib
import subprocess

import pytest
from gateway import BINARY, SHOP_CONFIG, Gateway, instances
from google.protobuf.internal.encoder import TagBytes
from processes import eventually

INSTEAD = b"errors: public, or errors: full"
OLD_KEY = "error_details: false\n"
REPLACED_BY, DEPRECATED_FOR = 50105, 50107


@pytest.fixture(scope="module")
def release_before(tmp_path_factory):
    program = pathlib.Path(BINARY).read_bytes()
    replaced, deprecated = (TagBytes(number, 2) + bytes([len(INSTEAD)]) + INSTEAD for number in (REPLACED_BY, DEPRECATED_FOR))
    assert program.count(replaced) == 1
    file = tmp_path_factory.mktemp("before") / "passerelle"
    file.write_bytes(program.replace(replaced, deprecated))
    file.chmod(0o755)
    return file


def check(binary, folder, *options):
    gateway = Gateway(folder, SHOP_CONFIG + OLD_KEY, instances=instances(("v3", 7003)))
    gateway.write()
    done = subprocess.run([binary, "check", gateway.file, *options], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def place(config):
    return f"gateway.yaml:{config.count(chr(10))}:1: error_details"


def test_a_deprecated_key_is_warned_of_with_what_to_write(release_before, tmp_path):
    code, told = check(release_before, tmp_path)
    assert f"{place(SHOP_CONFIG + OLD_KEY)}: this key is deprecated: a later release does not read it (write {INSTEAD.decode()})" in told
    assert "is good" in told and code == 0
    assert check(release_before, tmp_path, "--strict")[0] == 1


def test_a_gateway_with_a_deprecated_key_runs_and_logs_it_at_each_start_and_reload(release_before, tmp_path, monkeypatch):
    monkeypatch.setattr(Gateway, "binary", release_before)
    with Gateway(tmp_path, SHOP_CONFIG + OLD_KEY, instances=instances(("v3", 7003))) as gateway:
        event, = eventually(lambda: gateway.events("key_deprecated"))
        assert event["level"] == "warning" and f"{place(gateway.config)}: this key is deprecated" in event["message"], event
        assert INSTEAD.decode() in event["message"]
        gateway.write(gateway.config + "# the same\n")
        gateway.reload()
        assert eventually(lambda: len(gateway.events("key_deprecated")) == 2)
        gateway.write(gateway.config.replace(OLD_KEY, ""))
        gateway.reload()
        assert eventually(lambda: len(gateway.events("config_loaded")) == 2)
        assert len(gateway.events("key_deprecated")) == 2


def test_the_release_after_refuses_the_key_with_the_same_words(tmp_path):
    code, told = check(BINARY, tmp_path)
    assert f"{place(SHOP_CONFIG + OLD_KEY)}: this key is no longer read (write {INSTEAD.decode()})" in told
    assert "is good" not in told and code == 1
