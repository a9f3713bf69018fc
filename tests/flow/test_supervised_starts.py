"""Starts under a supervisor that something disturbs: signals, a log or a binary that is gone, a loop that hangs."""
import contextlib
import signal
import threading
import time

import pytest
from http1_backend import Http1Backend
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
