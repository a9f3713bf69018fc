"""
A gateway with a supervisor: upgraded and killed under the load of clients of every dialect.

UPGRADES and CRASHES say how often (3); `make upgrades` has 100 of each, and checks times besides (TIMES=1).
"""
import collections
import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import threading
import time

import pytest
import talkers
from gateway import BINARY, SHOP_CONFIG, Gateway, instances
from http1_backend import Http1Backend
from operators import command, on_socket
from processes import eventually, free_port
from raw import Raw

UPGRADES, CRASHES = (int(os.environ.get(name, 3)) for name in ("UPGRADES", "CRASHES"))
TIMES = bool(os.environ.get("TIMES"))  # a machine that does nothing else keeps them
ANSWERED_WITHIN = 0.150  # seconds, from a crash to the response on the next connection

CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin", socket: "unix:$folder/admin.sock"}
log: $folder/log
loops: 2
upgrade: {steady: 0s}
services:
  - name: talk
    versions:
      - {name: v1, package: talk.v1, schema: $schema}
      - {name: v2, package: talk.v2, schema: $schema}
      - {name: v3, package: talk.v3, schema: $schema}
    changes: [$talk/talk-v1-v2.yaml, $talk/talk-v2-v3.yaml]
    instances: [{address: '127.0.0.1:$backend', versions: [v3], protocol: grpc}]
routes: [{match: talk, timeout: 50s, impact: high, on_failure: loud}]
"""
PLAIN = """
listen: ["127.0.0.1:$port", "unix:$folder/calls.sock"]
admin: {address: "127.0.0.1:$admin", socket: "unix:$folder/admin.sock"}
log: "-"
drain: 5s
loops: $loops
upgrade: {$upgrade}
routes: [{match: /, instances: ['127.0.0.1:$backend']}]
"""
# What Node's HTTP/2 says of a request that it had not sent yet when a GOAWAY came, and does not send any more: it never
# left its client, whose library ought to send it on another connection (RFC 9113 section 8.7), and does not.
UNSENT = "Stream closed with error code NGHTTP2_REFUSED_STREAM"
# What it says of a request that it gave to a session whose connection the kernel had ended before, since its loop had not
# turned since. Nothing of it is sent; that no gateway has received it is seen in the log.
ENDED_SESSION = "stream closed with error code CANCEL"
ASKS = {"v1": {"say": "x", "number": "7"}, "v3": {"text": "x", "number": "7"}}
SLOW = {"v1": {"failWith": "", "waitMs": 300, "after": 1}, "v3": {"trouble": {"waitMs": 300, "after": 1}}}
Call = collections.namedtuple("Call", "method asks fields timeout")
Ended = collections.namedtuple("Ended", "who trace began ended told")


class Supervised(Gateway):
    """A gateway with its supervisor."""

    def __init__(self, *arguments, **words):
        super().__init__(*arguments, options=["--supervise"], **words)

    def children(self):
        """The processes that the supervisor runs, oldest first."""
        pid = self.process.child.pid
        with open(f"/proc/{pid}/task/{pid}/children") as told:
            return [int(child) for child in told.read().split()]

    def newest(self):
        return self.children()[-1]

    def upgrade(self):
        return command(self, "upgrade", "--why", "a test")

    def crash(self, number=signal.SIGSEGV):
        """Kills the one that serves, and waits until it is dead."""
        child = self.newest()
        os.kill(child, number)
        while child in self.children():
            time.sleep(0.001)


class Load:
    """Clients of every dialect in both versions, each of which calls again and again; all that ended is in `ended`."""

    def __init__(self, gateway, clients):
        self.gateway, self.ended, self.unsent, self.over = gateway, [], [], threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(f"{name} {version}", client, version, method), daemon=True)
                        for name, versions in clients.items() for version, client in versions.items()
                        for method in self.methods(name)]

    @staticmethod
    def methods(name):
        return ("say", "chat") if name in ("grpc", "connect+proto/2") else ("count",) if name.startswith("grpc-web") else ("say",)

    def run(self, who, client, version, method):
        ask = ASKS[version]
        asks = [{**ask, "times": 2, **SLOW[version]}] if method == "count" else [ask, {}, ask] if method == "chat" else [ask]
        expected = {"say": 1, "count": 2, "chat": 3}[method]
        while not self.over.is_set():
            began, trace = time.monotonic(), secrets.token_hex(16)
            call = Call(method, asks, {"traceparent": f"00-{trace}-0123456789abcdef-01"}, None)
            told = client.run(self.gateway.address, call, lambda how: None)
            if UNSENT in str(told.message):
                self.unsent.append(who)
                told = client.run(self.gateway.address, call, lambda how: None)
            if told.code is None and len(told.messages) != expected:
                told.fail("CUT", f"{len(told.messages)} messages")
            self.ended.append(Ended(f"{who} {method}", trace, began, time.monotonic(), told))
            time.sleep(0.01)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        eventually(self.all_have_called)
        return self

    def all_have_called(self, since=0.0):
        """Since then, each of them has begun a call that has ended well."""
        return len({call.who for call in list(self.ended) if call.told.code is None and call.began >= since}) == len(self.threads)

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(60)

    def lost(self):
        return [call for call in self.ended if call.told.code is not None]


def spell(lost):
    return [f"{call.who}: {call.told.code} {call.told.message}" for call in lost[:10]]


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """(folder, schema, backend's port, clients)"""
    folder = tmp_path_factory.mktemp("talk")
    with contextlib.ExitStack() as running:
        schema, binary = talkers.compile_schema(folder)
        backend = talkers.backends(binary, running)["grpcio"]
        yield folder, schema, backend.ports[2], talkers.clients(binary, talkers.Schema(binary), running)


def talking(tmp_path, talk):
    _folder, schema, port, clients = talk
    return Supervised(tmp_path, CONFIG, schema=schema, talk=talkers.TALK, backend=port), clients


def test_upgrades_under_load_of_all_dialects_lose_no_call(tmp_path, talk):
    gateway, clients = talking(tmp_path, talk)
    with gateway, Load(gateway, clients) as load:
        before, took = gateway.newest(), []
        for _ in range(UPGRADES):
            began = time.monotonic()
            done = gateway.upgrade()
            took.append(time.monotonic() - began)
            assert (done.returncode, done.stderr) == (0, "")
            eventually(lambda: load.all_have_called(began))
            assert gateway.newest() != before
            before = gateway.newest()
        load.__exit__()
        print(f"{UPGRADES} upgrades, {len(load.ended)} calls, {len(load.lost())} lost, {len(load.unsent)} sent again as Node "
              f"had not sent them; an upgrade takes "
              f"{sorted(took)[len(took) // 2] * 1000:.0f} ms, {max(took) * 1000:.0f} ms at most")
        assert load.lost() == [], spell(load.lost())
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {line["code"] for line in lines if line["log"] == "call"} == {"OK"}
    assert [line for line in lines if line.get("event") == "stopped" and "cut off" in line["message"]] == []


def test_crashes_under_load_lose_only_calls_in_flight(tmp_path, talk):
    gateway, clients = talking(tmp_path, talk)
    gateway.start()
    with Load(gateway, clients) as load:
        crashes, took = [], []
        for _ in range(CRASHES):
            before = gateway.newest()
            crashed = time.monotonic()
            gateway.crash()
            assert gateway.http("POST", "/talk.v3.Talk/Say", {"text": "x"}).status == 200
            took.append(time.monotonic() - crashed)
            crashes.append((crashed, crashed + took[-1]))
            eventually(lambda: gateway.newest() != before)
            eventually(lambda: load.all_have_called(crashed))
    lost = load.lost()
    strays = [call for call in lost if not any(call.began <= until and call.ended >= crashed for crashed, until in crashes)]
    gateway.stop()
    received = set(re.findall(r'"trace_id":"([0-9a-f]{32})"', (tmp_path / "log").read_text(errors="replace")))
    assert len(received) >= len(load.threads)
    late = [call for call in strays if call.trace not in received and ENDED_SESSION in str(call.told.message)]
    print(f"{CRASHES} crashes, {len(load.ended)} calls, {len(lost)} lost, {len(strays)} of them not in flight, of which Node gave "
          f"{len(late)} to a session that had ended; the next connection is answered after "
          f"{sorted(took)[len(took) // 2] * 1000:.0f} ms, {max(took) * 1000:.0f} ms at most")
    strays = [call for call in strays if call not in late]
    assert strays == [], spell(strays)


def test_with_the_shop_a_crash_is_over_soon(tmp_path):
    """The shop's config, with its schemas and change lists."""
    took = []
    gateway = Supervised(tmp_path, SHOP_CONFIG + "upgrade: {steady: 0s}\n", instances=instances(("v3", free_port())))
    with gateway:
        for _ in range(CRASHES):
            crashed = time.monotonic()
            gateway.crash()
            assert gateway.http("GET", "/v1/recommendations").status == 200  # its default: there is no backend
            took.append(time.monotonic() - crashed)
            eventually(lambda: gateway.admin("/readyz").status == 200)
    print(f"the shop: after {sorted(took)[len(took) // 2] * 1000:.0f} ms, {max(took) * 1000:.0f} ms at most")
    assert not TIMES or max(took) <= ANSWERED_WITHIN


# ---- One thing at a time ------------------------------------------------------------------------------------

def ok(peer, told, body):
    if told.target == "/slow":
        peer.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        time.sleep(1)
        peer.say("cd")
    else:
        peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@pytest.fixture
def plain(tmp_path):
    """A supervised gateway before a backend, not started."""
    with Http1Backend(ok) as backend:
        yield Supervised(tmp_path, PLAIN, backend=backend.port, loops=2, upgrade="")


def event(gateway, name):
    return eventually(lambda: gateway.events(name))[-1]


def begin(slow):
    """A call, of whose response the first half has come."""
    slow.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
    while not slow.ahead.endswith(b"ab"):
        slow._more()


def test_a_call_that_runs_ends_on_the_old_process_and_a_new_one_comes_to_the_new(plain):
    with plain as gateway:
        with Raw(gateway.port) as slow:
            begin(slow)
            old = gateway.newest()
            assert gateway.upgrade().returncode == 0
            assert len(gateway.children()) == 2 and gateway.newest() != old
            assert gateway.http("GET", "/").body == b"ok"
            assert slow.read_answer()[2] == b"abcd"
        eventually(lambda: old not in gateway.children())


def test_the_supervisor_replaces_itself_and_stays_the_same_process(plain):
    with plain as gateway:
        pid = gateway.process.child.pid
        begun = [os.stat(f"/proc/{pid}/exe").st_ino]
        assert gateway.upgrade().returncode == 0
        os.kill(pid, signal.SIGUSR2)
        eventually(lambda: sum("serves instead of" in line for line in gateway.process.errors) == 2)
        gateway.crash()  # it is still its child
        eventually(lambda: gateway.ready())
        assert gateway.process.running() and gateway.process.child.pid == pid
        assert [os.stat(f"/proc/{pid}/exe").st_ino] == begun
        assert len(os.listdir(f"/proc/{pid}/task")) == 1


def test_a_new_process_that_cannot_start_changes_nothing_and_the_old_one_says_why(plain):
    with plain as gateway:
        gateway.file.write_text("listen: nowhere:x\n")
        old = gateway.newest()
        done = gateway.upgrade()
        assert done.returncode == 1
        assert "the config cannot be loaded" in done.stderr
        assert "the config cannot be loaded" in str(event(gateway, "not_upgraded")["causes"])
        gateway.write()
        assert gateway.children() == [old]
        assert gateway.http("GET", "/").body == b"ok"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{gateway.folder}/calls.sock")  # its file is still there
        assert gateway.upgrade().returncode == 0


def test_a_new_process_that_is_late_is_ended(plain):
    """It waits for a schema, of an instance that says nothing."""
    plain.words["upgrade"] = "prove: 300ms"
    with plain as gateway, socket.create_server(("127.0.0.1", 0)) as silent:
        old = gateway.newest()
        instance = f"127.0.0.1:{silent.getsockname()[1]}"
        gateway.write(PLAIN + f"services: [{{name: notes, instances: ['{instance}'], "
                              f"versions: [{{name: v1, package: notes.v1, schema: {{reflection: '{instance}'}}}}]}}]\n")
        done = gateway.upgrade()
        assert done.returncode == 1
        assert "did not prove in time" in done.stderr
        assert gateway.children() == [old]
        assert gateway.http("GET", "/").body == b"ok"
        gateway.write(PLAIN)


@pytest.mark.parametrize("supervises, told", [("exit 0", "does not start as a supervisor"),
                                              ("kill -9 $$$$", "it ended by signal 9"),
                                              ("exec sleep 60", "did not prove in time that it supervises")])
def test_a_build_that_does_not_supervise_is_not_used(tmp_path, plain, supervises, told):
    """It would serve well."""
    installed, build = tmp_path / "installed", tmp_path / "build"
    installed.symlink_to(BINARY)
    build.write_text(f'#!/bin/sh\ncase "$*" in *--supervise*) {supervises.replace("$$$$", "$$")};; esac\nexec {BINARY} "$@"\n')
    build.chmod(0o755)
    plain.binary = str(installed)
    plain.words["upgrade"] = "prove: 300ms" if "sleep" in supervises else ""
    with plain as gateway:
        old = gateway.newest()
        build.rename(installed)
        done = gateway.upgrade()
        assert done.returncode == 1 and told in done.stderr
        assert told in str(event(gateway, "not_upgraded")["causes"])
        assert gateway.children() == [old] and not gateway.events("upgrading")
        assert gateway.http("GET", "/").body == b"ok"


def test_an_upgrade_says_which_config_the_new_process_has(plain):
    with plain as gateway:
        told = command(gateway, "reload").stdout
        assert told.startswith("reload: generation 2, config ")
        gateway.write(PLAIN + "# another\n")
        done = gateway.upgrade().stdout
        assert done.startswith("upgrade: generation 1, config ") and done.split()[-1] != told.split()[-1]
        assert command(gateway, "reload").stdout.split()[-1] == done.split()[-1]


def test_a_stop_in_the_middle_of_an_upgrade_ends_both(plain):
    with plain as gateway, socket.create_server(("127.0.0.1", 0)) as silent:
        instance = f"127.0.0.1:{silent.getsockname()[1]}"
        gateway.write(PLAIN + f"services: [{{name: notes, instances: ['{instance}'], "
                              f"versions: [{{name: v1, package: notes.v1, schema: {{reflection: '{instance}'}}}}]}}]\n")
        gateway.process.child.send_signal(signal.SIGUSR2)
        silent.accept()[0].close()  # the new one has read its config so far
        eventually(lambda: len(gateway.children()) == 2)
        gateway.process.child.terminate()
        assert gateway.process.wait() == 0


def test_calls_that_do_not_end_are_ended_when_the_time_of_the_old_process_is_over(plain):
    plain.words["upgrade"] = "drain: 200ms"
    with plain as gateway:
        with Raw(gateway.port) as slow:
            begin(slow)
            old = gateway.newest()
            assert gateway.upgrade().returncode == 0
            eventually(lambda: old not in gateway.children())
            assert b"cd" not in slow.read_all()
        assert event(gateway, "stopped")["message"] == "1 call was cut off"


def test_without_a_supervisor_an_upgrade_is_refused_and_a_crash_is_the_end(tmp_path):
    gateway = Gateway(tmp_path, PLAIN, backend=free_port(), loops=1, upgrade="").start()
    done = command(gateway, "upgrade")
    assert done.returncode == 1 and "--supervise" in done.stderr
    gateway.process.child.send_signal(signal.SIGUSR2)
    eventually(lambda: len(gateway.events("not_upgraded")) == 2)
    gateway.process.kill()
    assert not gateway.ready()


def test_a_crash_is_an_event_and_in_the_ledger_with_its_backtrace(plain):
    with plain as gateway:
        gateway.crash()
        told = event(gateway, "crashed")
        assert "signal 11 (Segmentation fault)" in str(told["causes"])
        assert any(f"{os.path.basename(BINARY)}(" in frame for frame in told["backtrace"])
        ledger = eventually(lambda: [row for row in on_socket(f"{gateway.folder}/admin.sock", "GET", "/errors").json["failures"]
                                     if row["fault"] == "CRASHED"])
        assert "Segmentation fault" in json.dumps(ledger[0])
        assert gateway.upgrade().returncode == 0  # and it is told only once
        assert len(gateway.events("crashed")) == 1


EJECTING = """
listen: ["127.0.0.1:$port"]
admin: {address: "127.0.0.1:$admin", socket: "unix:$folder/admin.sock"}
log: "-"
loops: 1
services:
  - name: orders
    versions: [{name: v3, package: shop.orders.v3, schema: $orders}]
    instances: $instances
    health: {eject: {first: 60s}}
routes: [{match: orders, attempts: 1}]
"""


def test_what_is_ejected_stays_so_over_an_upgrade_and_a_crash_as_do_kinds_of_failures(tmp_path):
    def bad(peer, told, body):
        peer.say("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")

    def good(peer, told, body):
        peer.say("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
    with Http1Backend(bad) as first, Http1Backend(good) as second, Http1Backend(good) as third:
        listed = ", ".join(f"{{address: '127.0.0.1:{each.port}', protocol: rest}}" for each in (first, second, third))
        with Supervised(tmp_path, EJECTING, instances=f"[{listed}]") as gateway:
            def is_ejected():
                return gateway.metric("passerelle_instance_barred", reason="ejected") == 1

            def asked_and_ejected():
                gateway.http("GET", "/v3/orders/1")
                return is_ejected()

            def failures():
                told = on_socket(f"{tmp_path}/admin.sock", "GET", "/errors").json["failures"]
                return sum(row["count"] for row in told if row["fault"] != "CRASHED")
            eventually(asked_and_ejected)
            failed = failures()
            for act in (gateway.upgrade, gateway.crash):
                n = len(first.told)
                act()
                eventually(gateway.ready)
                assert is_ejected()
                assert {gateway.http("GET", "/v3/orders/1").status for _ in range(10)} == {200}
                assert len(first.told) == n
                assert failures() == failed
                assert gateway.metric("passerelle_healing_total", act="eject") == 1
                assert gateway.metric("passerelle_healing_now", act="eject") == 1


def test_an_abort_by_the_kernel_has_no_backtrace_and_is_told_too(plain):
    with plain as gateway:
        gateway.crash(signal.SIGKILL)
        assert "signal 9 (Killed)" in str(event(gateway, "crashed")["causes"])


def test_a_gateway_that_never_works_is_given_up(plain):
    plain.words["upgrade"] = "restarts: 3, wait: 10ms, steady: 1h"
    plain.start()
    while plain.process.running():
        for child in plain.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGSEGV)
        time.sleep(0.05)
    assert plain.process.wait() == 128 + signal.SIGSEGV
    assert any("3 restarts in a row were in vain" in line for line in plain.process.errors)


def test_a_gateway_whose_config_has_a_mistake_by_now_is_tried_until_it_is_mended(plain):
    plain.words["upgrade"] = "restarts: 1, wait: 10ms"

    def refusals():
        return sum("the config cannot be loaded" in line for line in plain.process.errors)
    with plain as gateway:
        good = gateway.file.read_text()
        gateway.file.write_text("listen: nowhere:x\n")
        gateway.crash()
        eventually(lambda: refusals() >= 4)
        assert gateway.process.running() and "in vain" not in "\n".join(gateway.process.errors)
        gateway.file.write_text(good)
        gateway.process.child.send_signal(signal.SIGHUP)  # it does not wait any longer
        eventually(lambda: gateway.ready() and gateway.http("GET", "/").body == b"ok")


def test_a_config_with_mistakes_ends_the_supervisor_with_the_same_code(tmp_path):
    gateway = Supervised(tmp_path, "listen: nowhere:x\n")
    gateway.write()
    done = subprocess.run([BINARY, "run", "--supervise", gateway.file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "nowhere" in done.stderr


def test_more_and_fewer_loops_after_an_upgrade_lose_no_client(plain):
    """Each loop has a socket of its own: those of loops that are no more have clients in their queues, too."""
    with plain as gateway:
        failed, over = [], threading.Event()

        def ask():
            while not over.is_set():
                try:
                    with Raw(gateway.port, timeout=20) as client:
                        assert client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").read_answer()[2] == b"ok"
                except Exception as error:  # noqa: BLE001  (whatever it is, the call is lost)
                    failed.append(repr(error))
        clients = [threading.Thread(target=ask) for _ in range(4)]
        for each in clients:
            each.start()
        for loops in (4, 1, 3, 1, 2):
            gateway.write(loops=loops)
            assert gateway.upgrade().returncode == 0
            time.sleep(0.3)
        over.set()
        for each in clients:
            each.join()
        assert failed == []


def test_a_stop_refuses_new_clients_at_once(plain):
    with plain as gateway:
        with Raw(gateway.port) as slow:
            begin(slow)
            gateway.process.child.terminate()
            event(gateway, "stopping")

            def refused():
                try:
                    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5):
                        return False
                except ConnectionRefusedError:
                    return True
            eventually(refused)
            assert slow.read_answer()[2] == b"abcd"
        assert gateway.process.wait() == 0


def test_a_listener_that_a_reload_removes_is_closed_and_one_that_it_adds_is_handed_over(plain):
    with plain as gateway:
        other = free_port()
        gateway.write(PLAIN.replace('"127.0.0.1:$port"', f'"127.0.0.1:{other}"'))
        assert command(gateway, "reload").returncode == 0
        eventually(lambda: subprocess.run(["ss", "-Hltn", f"sport = :{gateway.port}"], capture_output=True).stdout == b"")
        gateway.crash()
        assert gateway.http("GET", "/", port=other).body == b"ok"
        gateway.write(PLAIN)
        assert gateway.upgrade().returncode == 0
        assert gateway.http("GET", "/").body == b"ok"


def test_a_removed_admin_socket_is_made_anew_by_a_reload(plain):
    with plain as gateway:
        socket_file = f"{gateway.folder}/admin.sock"
        for _ in range(2):
            os.unlink(socket_file)
            gateway.reload()
            eventually(lambda: os.path.exists(socket_file) and command(gateway, "healing").returncode == 0)
        assert gateway.upgrade().returncode == 0
        assert command(gateway, "healing").returncode == 0


def test_a_supervisor_that_is_killed_takes_its_gateway_with_it(plain):
    plain.start()
    child = plain.newest()
    plain.process.kill()
    eventually(lambda: not os.path.exists(f"/proc/{child}"))


# ---- systemd ------------------------------------------------------------------------------------------------

class Manager:
    """What systemd is for a service: it hears what the service says."""

    def __init__(self, folder):
        self.path = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.told = []
        threading.Thread(target=self.hear, daemon=True).start()

    def hear(self):
        while True:
            self.told.append(dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines()))

    def heard(self, name, value=None):
        return eventually(lambda: [one for one in self.told if name in one and value in (None, one[name])])


@pytest.mark.parametrize("kind", [Gateway, Supervised])
def test_systemd_hears_when_it_is_ready_reloads_and_stops_and_that_all_loops_turn(tmp_path, kind):
    manager = Manager(tmp_path)
    with Http1Backend(ok) as backend:
        gateway = kind(tmp_path, PLAIN, backend=backend.port, loops=2, upgrade="",
                       environment={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "200000"})
        with gateway:
            assert "Serving" in manager.heard("READY", "1")[0]["STATUS"]
            n = len(manager.heard("WATCHDOG", "1"))
            eventually(lambda: len(manager.heard("WATCHDOG", "1")) > n + 2)
            gateway.reload()
            assert int(manager.heard("RELOADING", "1")[0]["MONOTONIC_USEC"]) > 0
            eventually(lambda: len(manager.heard("READY", "1")) == 2)
            if kind is Supervised:
                assert gateway.upgrade().returncode == 0
                eventually(lambda: len(manager.heard("READY", "1")) == 3)
                assert not any("STOPPING" in one for one in manager.told)
        manager.heard("STOPPING", "1")


@pytest.mark.parametrize("options", [[], ["--supervise"]])
def test_sockets_of_systemd_are_served(tmp_path, options):
    """systemd-socket-activate is not everywhere: this does what it does, with a socket for the one listener."""
    with Http1Backend(ok) as backend, socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        under = ["/usr/bin/python3", "-c",
                 "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_PID=str(os.getpid()), "
                 "LISTEN_FDS='1', LISTEN_FDNAMES='web'); os.execv(sys.argv[2], sys.argv[2:])", str(listening.fileno())]
        gateway = Gateway(tmp_path, PLAIN, under=under, options=options, backend=backend.port, loops=2, upgrade="",
                          port=port)
        listening.set_inheritable(True)
        import processes
        popen = subprocess.Popen
        processes.subprocess.Popen = lambda *a, **k: popen(*a, pass_fds=[listening.fileno()], **k)
        try:
            gateway.start()
        finally:
            processes.subprocess.Popen = popen
        for _ in range(20):
            assert gateway.http("GET", "/").body == b"ok"
        for _ in range(3 if options else 0):
            assert command(gateway, "upgrade").returncode == 0
            assert gateway.http("GET", "/").body == b"ok"
        gateway.stop()
        with socket.create_connection(("127.0.0.1", port)):
            pass  # it is systemd's, and stays open


def test_a_gateway_that_hangs_is_ended_and_started_again(plain):
    plain.words["upgrade"] = "hung: 1s, steady: 0s"
    with plain as gateway:
        os.kill(gateway.newest(), signal.SIGSTOP)
        eventually(lambda: "a thread of the gateway hangs" in "\n".join(gateway.process.errors))
        eventually(lambda: gateway.http("GET", "/").body == b"ok")


@pytest.mark.parametrize("supervisor_first", [True, False])
def test_a_gateway_that_was_frozen_with_its_supervisor_does_not_hang(plain, supervisor_first):
    """As by docker pause, systemctl freeze or a paused virtual machine."""
    plain.words["upgrade"] = "hung: 3s, steady: 0s"
    with plain as gateway:
        serving = gateway.newest()
        both = [gateway.process.child.pid, serving]
        time.sleep(1.2)  # a sign of life came
        for process in both:
            os.kill(process, signal.SIGSTOP)
        time.sleep(5)
        for process in both if supervisor_first else reversed(both):
            os.kill(process, signal.SIGCONT)
            time.sleep(0.1)
        time.sleep(1.5)
        assert gateway.newest() == serving and gateway.http("GET", "/").body == b"ok"
        assert "hangs" not in "\n".join(gateway.process.errors)
        os.kill(serving, signal.SIGSTOP)  # one that does is still seen
        eventually(lambda: "a thread of the gateway hangs" in "\n".join(gateway.process.errors))
        eventually(lambda: gateway.http("GET", "/").body == b"ok")
