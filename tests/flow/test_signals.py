"""Signals at every time of a gateway's life, also when it does not serve yet and while it reads a config."""
import contextlib
import os
import signal
import socket
import time

import pytest
from gateway import BINARY, Gateway
from processes import Process, eventually
from reflecting import Reflecting, notes_schema

CONFIG = """
listen: $listen
admin: 127.0.0.1:$admin
services:
  - name: notes
    versions:
      - {name: v1, package: notes.v1, schema: {reflection: {address: '$telling', timeout: 30s}}}
    instances: ['127.0.0.1:9']
"""
SOON = 5.0  # seconds; the instance is given 30 to answer


class Silent:
    """An instance that takes connections and never says a word."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.peers = []
        return self

    def __exit__(self, *_):
        for peer in self.peers:
            peer.close()
        self.listener.close()

    def wait(self):
        """Until it is being asked."""
        self.listener.settimeout(20)
        self.peers.append(self.listener.accept()[0])


@contextlib.contextmanager
def starting(folder, silent, listen="[127.0.0.1:$port]"):
    """A gateway that asks the silent instance for a schema, before it has started."""
    gateway = Gateway(folder, CONFIG.replace("$listen", listen), telling=silent.address)
    gateway.write()
    process = Process([BINARY, "run", str(gateway.file)])
    silent.wait()
    yield gateway, process
    process.kill()


def ends_soon(process):
    began = time.monotonic()
    code = process.wait()
    assert time.monotonic() - began < SOON
    return code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_gateway_that_waits_for_a_schema_before_it_serves_ends_at_once(tmp_path, number):
    with Silent() as silent, starting(tmp_path, silent, "[127.0.0.1:$port, 'unix:$folder/s']") as (_, process):
        process.child.send_signal(number)
        assert ends_soon(process) == 0
        assert "before startup was complete" in "\n".join(process.errors)
        assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGPIPE])
def test_other_signals_do_not_end_a_gateway_that_has_not_started(tmp_path, number):
    with Silent() as silent, starting(tmp_path, silent) as (_, process):
        for _ in range(3):
            process.child.send_signal(number)
            time.sleep(0.1)
        assert process.running()
        process.child.terminate()
        assert ends_soon(process) == 0


def test_a_hangup_before_the_start_is_a_reload_after_it(tmp_path):
    gateway = Gateway(tmp_path, "listen: [127.0.0.1:$port]\nadmin: 127.0.0.1:$admin\n")
    os.mkfifo(gateway.file)  # so that reading the config takes as long as the test wants
    gateway.process = Process([BINARY, "run", str(gateway.file)])
    with gateway.file.open("w") as reading:
        gateway.file.unlink()
        gateway.write()  # for the reload
        gateway.reload()
        gateway.reload()
        time.sleep(0.2)
        assert gateway.process.running()
        reading.write(gateway.file.read_text())
    gateway.process.wait_until(gateway.ready)
    eventually(lambda: gateway.metric("passerelle_config_generation") == 2)
    gateway.stop()


@pytest.mark.parametrize("times", [1, 2])
def test_a_reload_that_waits_for_a_schema_does_not_hold_up_the_end(tmp_path, times):
    with Reflecting(notes_schema(tmp_path)) as telling, Silent() as silent:
        gateway = Gateway(tmp_path, CONFIG.replace("$listen", "[127.0.0.1:$port]"), telling=telling.address).start()
        gateway.write(telling=silent.address)
        gateway.reload()
        silent.wait()
        for _ in range(times):
            gateway.process.child.terminate()
        assert ends_soon(gateway.process) == 0
        told = "\n".join(gateway.process.errors + gateway.process.lines)
        assert '"stopped"' in told and "config_refused" not in told and "gateway.yaml:" not in told


def test_every_signal_on_the_way_to_serving_is_acted_upon(tmp_path):
    """SIGTERM at any moment after the gateway holds signals back ends it well, and none of them by the signal."""
    config = "listen: [127.0.0.1:$port]\nadmin: 127.0.0.1:$admin\n"
    for delay in range(0, 60, 4):
        gateway = Gateway(tmp_path, config)
        gateway.write()
        process = Process([BINARY, "run", str(gateway.file)])
        held = f"/proc/{process.child.pid}/status"
        eventually(lambda: holds_terminate(held))
        time.sleep(delay / 1000)
        process.child.send_signal(signal.SIGHUP)
        process.child.terminate()
        assert ends_soon(process) == 0, "\n".join(process.errors)


def holds_terminate(status):
    """Blocked or handled by the gateway; whoever starts a thread blocks all signals for a moment, SIGUSR2 too."""
    with open(status, encoding="ascii") as lines:
        blocked, caught = (int(line.split()[1], 16) for line in lines if line.startswith(("SigBlk", "SigCgt")))
    term, other = (1 << (number - 1) for number in (signal.SIGTERM, signal.SIGUSR2))
    return caught & term or (blocked & term and not blocked & other)
