"""Few file descriptors: clients are refused first; instances, admin, the log and reloads keep theirs."""
import contextlib
import json
import socket
import subprocess
import time

import pytest
from gateway import BINARY, Gateway
from http1_backend import Http1Backend
from processes import eventually, free_port
from raw import Raw

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin'}
log: "-"
loops: 2
routes:
  - {match: /old/, instances: [{address: '127.0.0.1:$backend', protocol: http}]}
"""
FEW = ["prlimit", "--nofile=128"]
GET = "GET /old/ HTTP/1.1\r\nHost: a\r\n\r\n"


def ok(peer, told, body):
    peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def connect(gateway):
    return socket.create_connection(("127.0.0.1", gateway.port), timeout=10)


def crowd(gateway, n=200):
    """As many clients as come, each idle."""
    clients = [connect(gateway) for _ in range(n)]
    eventually(lambda: gateway.metric("passerelle_connections_refused_total") > 0)
    return clients


def is_served(gateway):
    try:
        return gateway.http("GET", "/old/").status == 200
    except OSError:
        return False  # refused: those who have left still have their descriptors


def cpu_seconds(gateway):
    return gateway.metric("process_cpu_seconds_total")


def test_idle_clients_take_nothing_from_instances_admin_log_and_reloads(tmp_path):
    with Http1Backend(ok) as backend, Gateway(tmp_path, CONFIG, under=FEW, backend=backend.port) as gateway:
        with Raw(gateway.port) as first:
            clients = crowd(gateway)
            assert first.send(GET).read_answer()[0] == 200
            assert len(backend.peers) == 1
            for page in ("/healthz", "/readyz", "/config", "/metrics"):
                assert gateway.admin(page).status == 200
            assert gateway.logged(path="/old/")
            gateway.write()
            gateway.reload()
            eventually(lambda: gateway.metric("passerelle_config_reloads_total", outcome="taken") == 1)
            other = free_port()
            gateway.write(CONFIG + f"# {other}\n", admin=other)  # admin moves, which needs sockets
            gateway.reload()
            gateway.admin_port = other
            eventually(gateway.ready)
            assert gateway.metric("process_open_fds") > 64  # it can count its own
        for client in clients:
            client.close()


def test_those_who_are_refused_are_counted_and_told_seldom_and_cost_no_spinning(tmp_path):
    with Http1Backend(ok) as backend, Gateway(tmp_path, CONFIG, under=FEW, backend=backend.port) as gateway:
        clients = crowd(gateway)
        def counted(*kinds):
            return sum(gateway.metric(f"passerelle_connections_{kind}_total") for kind in kinds)
        eventually(lambda: counted("opened", "refused") == len(clients))  # the last of them may be counted a moment later
        opened = counted("opened")
        assert opened >= 40
        told = eventually(lambda: gateway.events("accept_failed"))
        assert len(told) <= 2  # one for each loop's listener
        assert "file descriptors for clients are in use" in json.dumps(told)
        before, began = cpu_seconds(gateway), time.monotonic()
        time.sleep(1.5)
        assert cpu_seconds(gateway) - before < 0.5 * (time.monotonic() - began)

        for client in clients:
            client.close()
        eventually(lambda: gateway.metric("passerelle_connections_closed_total") >= opened)
        for _ in range(20):
            assert gateway.http("GET", "/old/").status == 200


def test_many_calls_at_once_leave_the_admin_listener_and_the_log_their_own(tmp_path):
    """Each call has a client and a connection to the instance; what cannot be had is an error, and not for ever."""
    def slow(peer, told, body):
        time.sleep(0.5)
        ok(peer, told, body)

    with Http1Backend(slow) as backend, Gateway(tmp_path, CONFIG, under=FEW, backend=backend.port) as gateway:
        with contextlib.ExitStack() as open_ones:
            for _ in range(100):
                with contextlib.suppress(OSError):
                    open_ones.enter_context(Raw(gateway.port)).send(GET)
            eventually(lambda: len(backend.peers) > 5)
            assert gateway.admin("/metrics").status == 200
            assert gateway.admin("/config").status == 200
            eventually(lambda: any(line.get("path") == "/old/" for line in gateway.log()))
        eventually(lambda: is_served(gateway))


def test_admin_clients_who_stay_take_nothing_from_others(tmp_path):
    with Http1Backend(ok) as backend, Gateway(tmp_path, CONFIG, under=FEW, backend=backend.port) as gateway:
        clients = crowd(gateway)
        staying = [socket.create_connection(("127.0.0.1", gateway.admin_port), timeout=10) for _ in range(300)]
        assert gateway.admin("/metrics").status == 200
        gateway.reload()
        eventually(lambda: gateway.metric("passerelle_config_reloads_total", outcome="taken") == 1)
        for client in clients + staying:
            client.close()


def warnings(lines):
    """Without that of the sandbox, which is on in `make sandbox`: root stays root."""
    return [line for line in lines if ("warning" in line or line.startswith(("{", '"'))) and "sandbox: " not in line]


@pytest.mark.parametrize("connections, warned", [(40, False), (20000, True)])
def test_a_limit_of_connections_that_cannot_be_had_is_warned_of(tmp_path, connections, warned):
    config = CONFIG + "limits: {connections: %d}\n" % connections
    with Gateway(tmp_path, config, under=FEW, backend=9) as gateway:
        eventually(lambda: bool(gateway.events("few_descriptors")) == warned)
        done = subprocess.run([*FEW, BINARY, "check", gateway.file], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0
        assert ("limits.connections is 20000" in done.stdout) == warned and len(warnings(done.stdout.splitlines())) == warned
        done = subprocess.run([*FEW, BINARY, "check", "--json", gateway.file], capture_output=True, text=True,
                              timeout=60)
        assert len(warnings(json.dumps(told) for told in json.loads(done.stdout)["warnings"])) == warned


def test_the_default_limit_of_connections_is_what_can_be_had(tmp_path):
    """Nobody has asked for more: it is told, and no warning."""
    with Gateway(tmp_path, CONFIG, under=FEW, backend=9) as gateway:
        eventually(lambda: gateway.events("few_descriptors"))
        assert [event["level"] for event in gateway.events("few_descriptors")] == ["info"]
        done = subprocess.run([*FEW, BINARY, "check", gateway.file], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and warnings(done.stdout.splitlines()) == []


def test_the_soft_limit_is_raised_to_the_hard_one(tmp_path):
    with Gateway(tmp_path, CONFIG, under=["prlimit", "--nofile=64:500"], backend=9) as gateway:
        assert gateway.metric("process_max_fds") == 500


def test_a_gateway_that_could_take_no_client_does_not_start(tmp_path):
    gateway = Gateway(tmp_path, CONFIG, backend=9)
    gateway.write()
    done = subprocess.run(["prlimit", "--nofile=30", BINARY, "run", gateway.file], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 1 and "file descriptors" in done.stderr


@pytest.mark.parametrize("options", [[], ["--supervise"]])
@pytest.mark.parametrize("more", ["", "store: store.db\n"])
@pytest.mark.parametrize("sandbox", ["", "sandbox: true\n"])
def test_with_too_few_a_gateway_says_so_or_serves(tmp_path, options, more, sandbox):
    config = CONFIG.replace("loops: 2", "loops: 1").replace("admin: {", "admin: {socket: 'unix:$folder/admin.sock', ") + more + sandbox
    served = []
    for n in range(20, 61 if more else 51, 1):
        gateway = Gateway(tmp_path, config, backend=9)
        gateway.write()
        with subprocess.Popen(["prlimit", f"--nofile={n}", BINARY, "run", *options, gateway.file], cwd=tmp_path, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as running:
            eventually(lambda: running.poll() is not None or gateway.ready())
            if running.poll() is None:
                served.append(n)
                running.terminate()
            errors = running.communicate(timeout=60)[1]
        assert "bug:" not in errors and "does not hold" not in errors, (n, errors)
        if n not in served:
            assert running.returncode == 1 and ("file descriptors" in errors or "Too many open files" in errors), (n, errors)
        elif len(served) > 3:
            break
    assert len(served) > 3 and served[0] > 30
