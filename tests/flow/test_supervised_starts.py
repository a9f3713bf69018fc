"""Starts under a supervisor that something disturbs: signals, a log or a binary that is gone, a loop that hangs."""
import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time

import pytest
from gateway import BINARY
from http1_backend import Http1Backend
from operators import command, on_socket
from processes import eventually
from test_live_upgrade import PLAIN, Supervised, ok


@pytest.fixture
def plain(tmp_path):
    """A supervised gateway before a backend, not started."""
    with Http1Backend(ok) as backend:
        yield Supervised(tmp_path, PLAIN, backend=backend.port, loops=2, upgrade="steady: 0s")


@contextlib.contextmanager
def hangups(process):
    """The supervisor gets one every 5 ms."""
    over = threading.Event()

    def send():
        while not over.wait(0.005):
            process.child.send_signal(signal.SIGHUP)
    sender = threading.Thread(target=send)
    sender.start()
    yield
    over.set()
    sender.join()


def told(gateway):
    return "\n".join(gateway.process.errors)


def test_a_hangup_ends_no_gateway_that_starts_for_an_upgrade_or_after_a_crash(plain):
    with plain as gateway:
        with hangups(gateway.process):
            for _ in range(3):
                assert gateway.upgrade().returncode == 0
                before = gateway.newest()
                gateway.crash()
                eventually(lambda: gateway.children() and gateway.newest() != before and gateway.ready())
        assert "Hangup" not in told(gateway)
        eventually(lambda: gateway.http("GET", "/").body == b"ok")


def test_a_hangup_while_the_next_one_starts_is_a_reload_after_it(plain):
    with plain as gateway:
        gateway.crash()
        eventually(gateway.children)
        gateway.process.child.send_signal(signal.SIGHUP)
        eventually(lambda: gateway.ready() and gateway.metric("passerelle_config_generation") == 2)


@pytest.mark.parametrize("delay", [0, 0.01, 0.03, 0.1])
def test_a_stop_while_the_next_one_starts_ends_all_well(plain, delay):
    with plain as gateway:
        gateway.crash()
        eventually(gateway.children)
        time.sleep(delay)
        gateway.process.child.terminate()
        assert gateway.process.wait() == 0


# ---- Upgrades that do not come about --------------------------------------------------------------------------

@pytest.fixture
def installed(plain, tmp_path, monkeypatch):
    """The same from a path at which another build can be installed."""
    path = tmp_path / "passerelle"
    os.link(BINARY, path) if os.stat(BINARY).st_dev == os.stat(tmp_path).st_dev else shutil.copy(BINARY, path)
    monkeypatch.setattr(plain, "binary", str(path))
    yield plain, path


@pytest.mark.parametrize("mode, why", [(0o644, "Permission denied"), (0o755, "Exec format error"), (None, "No such file")])
def test_a_build_that_cannot_be_executed_is_told_with_the_reason(installed, mode, why):
    gateway, path = installed
    with gateway:
        path.unlink()
        if mode:
            path.write_bytes(b"\x7fELF but nothing more")
            path.chmod(mode)
        done = subprocess.run([BINARY, "upgrade", "--admin", f"{gateway.folder}/admin.sock"], capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == 1
        assert f"executing {path}: {why}" in done.stderr
        assert f"executing {path}: {why}" in str(gateway.logged(event="not_upgraded")["causes"])
        assert gateway.http("GET", "/").body == b"ok"


def test_the_second_of_two_upgrades_at_once_is_told_that_one_is_under_way(plain):
    with plain as gateway:
        answers = []
        asking = [threading.Thread(target=lambda: answers.append(gateway.upgrade())) for _ in range(2)]
        old = gateway.newest()
        os.kill(old, signal.SIGSTOP)  # so that it hears of both at once
        for each in asking:
            each.start()
        time.sleep(1)
        os.kill(old, signal.SIGCONT)
        for each in asking:
            each.join()
        assert sorted(answer.returncode for answer in answers) == [0, 1]
        refused = next(answer for answer in answers if answer.returncode)
        assert "an upgrade is under way already" in refused.stderr
        gateway.logged(event="handed_over")
        assert len(gateway.events("handed_over")) == 1
        assert command(gateway, "upgrade").returncode == 0  # one afterwards is another one


# ---- What hangs -----------------------------------------------------------------------------------------------

def test_a_gateway_that_hung_is_told_as_one_that_the_supervisor_has_ended(plain):
    plain.words["upgrade"] = "hung: 1s, steady: 0s"
    with plain as gateway:
        os.kill(gateway.newest(), signal.SIGSTOP)  # SIGABRT cannot end it, SIGKILL does
        crashed = eventually(lambda: gateway.events("crashed"))[0]
        assert "was ended by the supervisor, by signal" in str(crashed["causes"])
        assert "no sign of life for 1." in str(crashed["causes"])
        assert crashed["message"] == "it hung; this process has taken its place"
        admin = f"{gateway.folder}/admin.sock"
        row = eventually(lambda: [row for row in on_socket(admin, "GET", "/errors").json["failures"] if row["fault"] == "CRASHED"])[0]
        assert "no sign of life" in str(row)
        assert "hung" in str(on_socket(admin, "GET", "/healing").json)


# ---- A log that is gone ---------------------------------------------------------------------------------------

@pytest.fixture
def logging(plain):
    """The same with its log in a folder."""
    plain.config = PLAIN.replace('log: "-"', "log: $folder/logs/log")
    (plain.folder / "logs").mkdir()
    yield plain


def lost_lines(gateway):
    return gateway.metric("passerelle_log_failed_total")


@pytest.mark.parametrize("again", ["upgrade", "crash"])
def test_a_log_that_cannot_be_opened_keeps_no_gateway_from_serving(logging, again):
    with logging as gateway:
        assert lost_lines(gateway) == 0
        before = gateway.newest()
        shutil.rmtree(gateway.folder / "logs")
        getattr(gateway, again)()
        eventually(lambda: gateway.children() and gateway.newest() != before and gateway.ready())
        assert gateway.http("GET", "/").body == b"ok"
        missing = eventually(lambda: [line for line in gateway.process.errors if "log_not_opened" in line])[0]
        assert "NO_FILE" in missing and "lines go to stderr" in missing
        eventually(lambda: lost_lines(gateway) > 0)
        gateway.reload()
        eventually(lambda: any("log_not_reopened" in line and "continue to go to stderr" in line for line in gateway.process.errors))
        (gateway.folder / "logs").mkdir()
        gateway.reload()
        file = gateway.folder / "logs" / "log"
        eventually(lambda: file.exists() and "log_opened" in file.read_text())
        lost = lost_lines(gateway)
        assert gateway.http("GET", "/").body == b"ok"
        eventually(lambda: '"path":"/"' in file.read_text())
        assert lost_lines(gateway) == lost


def test_a_log_whose_folder_is_there_again_is_opened_without_being_asked(logging):
    with logging as gateway:
        before = gateway.newest()
        shutil.rmtree(gateway.folder / "logs")
        gateway.crash()
        eventually(lambda: gateway.children() and gateway.newest() != before and gateway.ready())
        (gateway.folder / "logs").mkdir()
        eventually(lambda: (gateway.folder / "logs" / "log").exists())


def test_a_first_start_without_a_log_is_refused(logging):
    (logging.folder / "logs").rmdir()
    logging.write()
    done = subprocess.run([BINARY, "run", "--supervise", logging.file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "opening the log" in done.stderr
