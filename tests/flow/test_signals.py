"""Signals at every time of a gateway's life, also when it does not serve yet and while it reads a config."""
import contextlib
import os
import shutil
import signal
import socket
import time

import pytest
from backends import v3
from certificates import certificate
from gateway import BINARY, ORDERS, SHOP, SHOP_CONFIG, Gateway, instances
from http2_backend import Http2Backend
from mounts import Mount
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
    mount = Mount(tmp_path)
    gateway = Gateway(tmp_path, "listen: [127.0.0.1:$port]\nadmin: 127.0.0.1:$admin\n")
    gateway.file = mount.folder / "gateway.yaml"
    gateway.write()
    with mounted(mount):  # so that reading the config takes as long as the test wants
        gateway.process = Process([*mount.under, BINARY, "run", str(gateway.file)])
        eventually(lambda: holds_terminate(f"/proc/{gateway.process.child.pid}/status"))
        gateway.reload()
        gateway.reload()
        time.sleep(0.2)
        assert gateway.process.running()
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
    """Blocked or handled by the gateway; whoever starts a thread blocks all signals for a moment, SIGUSR1 too."""
    with open(status, encoding="ascii") as lines:
        blocked, caught = (int(line.split()[1], 16) for line in lines if line.startswith(("SigBlk", "SigCgt")))
    term, other = (1 << (number - 1) for number in (signal.SIGTERM, signal.SIGUSR1))
    return caught & term or (blocked & term and not blocked & other)


# ---- A mount that hangs --------------------------------------------------------------------------

@contextlib.contextmanager
def mounted(mount):
    """The mount hangs within the block."""
    mount.hang()
    try:
        yield
    finally:
        mount.mend()


def on_mount(gateway, mount, what):
    """The config that the running gateway will read next has something on the mount: which file that is."""
    config, file = SHOP_CONFIG, mount.folder / what
    if what == "gateway.yaml":
        file.write_text(gateway.file.read_text())
        return file
    if what == "orders.binpb":
        shutil.copy(ORDERS, file)
        gateway.write(orders=file)
    elif what == "orders-v1-v2.yaml":
        for name in (what, "orders-v2-v3.yaml"):
            shutil.copy(SHOP / name, mount.folder / name)
        gateway.write(shop=mount.folder)
    elif what == "key":
        file.write_text("k" * 64)
        gateway.write(f"clients: {{recorded: hashed, key: '{file}'}}" + config)
    elif what == "server.pem":
        certificate(mount.folder)
        gateway.write(config.replace("- address: 127.0.0.1:$port",
                                     f"- {{address: '127.0.0.1:$port', tls: {{certificate: '{file}', key: "
                                     f"'{mount.folder}/server.key'}}}}"))
    else:
        file.write_text("instances: []")
        gateway.write(config.replace("instances: $instances", f"discovery: {{file: '{file}'}}"))
    return file


FILES = ["gateway.yaml", "orders.binpb", "orders-v1-v2.yaml", "key", "server.pem", "list.yaml"]


def answering():
    return Http2Backend(lambda request: request.answer(v3.Order(id="1")))


def serving(folder, mount, backend, what="", config=SHOP_CONFIG):
    gateway = Gateway(folder, config, mount.under, instances=instances(("v3", backend.port)))
    if what == "gateway.yaml":
        gateway.file = mount.folder / what
    return gateway.start()


@pytest.mark.parametrize("what", FILES)
def test_a_reload_that_waits_for_a_file_does_not_hold_up_the_end(tmp_path, what):
    mount = Mount(tmp_path)
    with answering() as backend:
        gateway = serving(tmp_path, mount, backend, what)
        file = on_mount(gateway, mount, what)
        with mounted(mount):
            gateway.reload()
            eventually(lambda: gateway.metric("passerelle_config_reload_running_seconds") > 0)
            assert gateway.http("GET", "/v3/orders/1").status == 200
            gateway.process.child.terminate()
            assert ends_soon(gateway.process) == 0
        told = gateway.logged(event="reload_held_up")
        assert told["message"] == "it is left behind"
        assert f"and is reading {file}" in str(told)
        assert gateway.log()[-1]["event"] == "stopped"


def test_who_asks_for_a_reload_is_told_what_the_one_before_waits_for(tmp_path):
    mount = Mount(tmp_path)
    with answering() as backend:
        gateway = serving(tmp_path, mount, backend)
        file = on_mount(gateway, mount, "orders.binpb")
        with mounted(mount):
            gateway.reload()
            eventually(lambda: gateway.metric("passerelle_config_reload_running_seconds") > 1)
            gateway.reload()
            told = gateway.logged(event="reload_held_up")
            assert told["message"] == "the config is read again after that"
            assert f"and is reading {file}" in str(told)
            assert gateway.metric("passerelle_config_generation") == 1
        eventually(lambda: gateway.metric("passerelle_config_generation") == 3)
        assert gateway.metric("passerelle_config_reload_running_seconds") == 0
        gateway.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_gateway_that_waits_for_its_config_before_it_serves_ends_at_once(tmp_path, number):
    mount = Mount(tmp_path)
    file = mount.folder / "gateway.yaml"
    file.write_text("listen: []\n")
    with mounted(mount):
        process = Process([*mount.under, BINARY, "run", str(file)])
        eventually(lambda: holds_terminate(f"/proc/{process.child.pid}/status"))
        time.sleep(0.2)
        assert process.running()
        process.child.send_signal(number)
        assert ends_soon(process) == 0


def test_a_list_of_instances_that_does_not_arrive_holds_up_nothing(tmp_path):
    mount = Mount(tmp_path)
    file = mount.folder / "list.yaml"
    config = SHOP_CONFIG.replace("instances: $instances", f"discovery: {{file: '{file}', every: 20ms}}")
    with answering() as backend:
        file.write_text(f"instances: {instances(('v3', backend.port))}")
        gateway = serving(tmp_path, mount, backend, config=config)
        with mounted(mount):
            told = gateway.logged(event="instances_unreadable")
            assert f"{file} does not arrive" in str(told)
            assert gateway.http("GET", "/v3/orders/1").status == 200
            gateway.reload()  # reads the same list, on another thread
            gateway.process.child.terminate()
            assert ends_soon(gateway.process) == 0


def test_a_log_that_takes_no_lines_does_not_hold_up_the_end(tmp_path):
    gateway = Gateway(tmp_path, "listen: [127.0.0.1:$port]\nadmin: 127.0.0.1:$admin\nlog: $folder/log\n")
    os.mkfifo(tmp_path / "log")
    reader = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    gateway.start()
    for _ in range(70):  # more than a FIFO holds
        gateway.http("GET", "/" + 1000 * "x")
    gateway.process.child.terminate()
    assert gateway.process.wait() == 0
    os.close(reader)
    assert "the log takes no lines" in "\n".join(gateway.process.errors)
