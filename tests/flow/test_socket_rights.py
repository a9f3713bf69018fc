"""Who may connect to the unix sockets that a gateway makes: mode, owner and group of their files."""
import contextlib
import json
import os
import pathlib
import pwd
import stat
import subprocess
import tempfile

import pytest
from gateway import BINARY
from operators import command
from nobody import as_nobody
from processes import eventually, free_port
from test_live_upgrade import Supervised

CONFIG = """
listen:
  - {address: 'unix:$folder/a.sock', mode: $mode$owner}
  - 127.0.0.1:$port
admin: {address: "127.0.0.1:$admin", socket: {address: "unix:$folder/admin.sock", mode: $admin_mode$owner}}
log: $folder/log
loops: 2
upgrade: {steady: 0s}
routes: [{match: /, instances: ['127.0.0.1:$backend']}]
"""
IS_ROOT = os.geteuid() == 0
NOBODY = pwd.getpwnam("nobody")
ROOT = pytest.mark.skipif(not IS_ROOT, reason="only root gives files to others")
OWNER = f", owner: nobody, group: {NOBODY.pw_gid}" if IS_ROOT else ""


@contextlib.contextmanager
def open_folder(mode):
    """pytest's own folders can be entered by their owner alone."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, mode)
        yield pathlib.Path(folder)


@pytest.fixture(scope="module")
def gateway():
    with open_folder(0o755) as folder:
        with Supervised(folder, CONFIG, mode="0660", admin_mode="'0600'", owner=OWNER, backend=free_port()) as running:
            yield running


def rights(gateway, name):
    found = (gateway.folder / name).lstat()
    return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid


def wanted(mode):
    return (mode, NOBODY.pw_uid, NOBODY.pw_gid) if IS_ROOT else (mode, os.geteuid(), os.getegid())


def connects(gateway, user, name="a.sock"):
    """Whether a user without any group of its own can."""
    script = ("import os, socket, sys; os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]));"
              "socket.socket(socket.AF_UNIX).connect(sys.argv[2])")
    done = subprocess.run(["/usr/bin/python3", "-c", script, str(user), gateway.folder / name], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
    return done.returncode == 0


def reload_with(gateway, **words):
    gateway.write(**words)
    done = command(gateway, "reload")
    assert done.returncode == 0, done.stderr


def test_the_files_have_what_the_config_says(gateway):
    assert rights(gateway, "a.sock") == wanted(0o660) and rights(gateway, "admin.sock") == wanted(0o600)


@ROOT
def test_the_kernel_lets_in_whom_they_name_and_nobody_else(gateway):
    assert connects(gateway, NOBODY.pw_uid) and connects(gateway, NOBODY.pw_uid, "admin.sock")
    assert not connects(gateway, 12345) and not connects(gateway, 12345, "admin.sock")


@ROOT
def test_who_may_connect_to_the_admin_socket_operates(gateway):
    done = subprocess.run(as_nobody("curl", "-s", "--unix-socket", gateway.folder / "admin.sock", "http://gateway/whoami"), capture_output=True,
                          text=True, timeout=30)
    told = json.loads(done.stdout)
    assert (told["role"], told["name"]) == ("operate", f"uid {NOBODY.pw_uid}")


def test_a_reload_changes_them_and_an_upgrade_keeps_them(gateway):
    reload_with(gateway, mode="0666", admin_mode="0660")
    assert rights(gateway, "a.sock") == wanted(0o666) and rights(gateway, "admin.sock") == wanted(0o660)
    before = gateway.newest()
    assert gateway.upgrade().returncode == 0
    eventually(lambda: gateway.newest() != before)
    assert rights(gateway, "a.sock") == wanted(0o666) and rights(gateway, "admin.sock") == wanted(0o660)
    reload_with(gateway, mode="0660", admin_mode="0600")
    assert rights(gateway, "a.sock") == wanted(0o660) and rights(gateway, "admin.sock") == wanted(0o600)


def test_who_cannot_give_a_file_is_told_and_leaves_none():
    with open_folder(0o777) as folder:
        gateway = Supervised(folder, CONFIG, mode="0660", admin_mode="0600", owner=", owner: root", backend=free_port())
        gateway.write()
        done = subprocess.run(as_nobody(BINARY, "run", gateway.file), capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and "root gives a file to anybody" in done.stderr, done.stderr
        assert not (folder / "a.sock").exists()
