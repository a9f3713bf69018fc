"""Instances that are listed in etcd v3, which is restarted, compacted, replaced and silent meanwhile."""
import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from certificates import certificate
from gateway import SHOP_CONFIG, Gateway
from processes import Process, eventually, free_port
from test_discovery import Listed, addresses, answering

LISTED = "loops: 2" + SHOP_CONFIG.replace(
    "instances: $instances",
    "discovery: {etcd: {endpoints: $endpoints, prefix: /orders/, silence: $silence $more}, "
    "empty_after: $empty_after, timeout: $timeout}")


def b64(text):
    return base64.b64encode(text.encode()).decode()


class Etcd:
    """One etcd, which can be stopped, paused, and started again with the same data or with none."""

    def __init__(self, folder, *options, scheme="http"):
        self.folder, self.options, self.scheme = folder / "etcd", options, scheme
        self.port, self.peer = free_port(), free_port()
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        url, peers = f"{self.scheme}://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.peer}"
        self.process = Process(["etcd", "--data-dir", str(self.folder), "--unsafe-no-fsync",
                                "--listen-client-urls", url, "--advertise-client-urls", url,
                                "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
                                "--initial-cluster", f"default={peers}", "--log-level", "error", *self.options])
        self.process.wait_until(self.answers)
        return self

    def stop(self):
        if self.process:
            self.process.kill()
        self.process = None

    def forget(self):
        shutil.rmtree(self.folder)

    def signal(self, number):
        os.kill(self.process.child.pid, number)

    def answers(self):
        if self.scheme == "https":
            return self.ctl("endpoint", "health", check=False).returncode == 0
        try:
            return self.post("/v3/maintenance/status", {})
        except (OSError, http.client.HTTPException):
            return False

    def post(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
            assert response.status == 200, text
            return json.loads(text)
        finally:
            connection.close()

    def ctl(self, *arguments, check=True):
        done = subprocess.run(["etcdctl", "--endpoints", f"{self.scheme}://127.0.0.1:{self.port}", *self.tls, *arguments],
                              capture_output=True, text=True, timeout=30, env={"ETCDCTL_API": "3", "PATH": "/usr/bin"})
        assert not check or done.returncode == 0, done.stderr
        return done

    tls = ()

    def put(self, key, value, lease=0):
        text = value if isinstance(value, str) else json.dumps(value)
        return int(self.post("/v3/kv/put", {"key": b64(f"/orders/{key}"), "value": b64(text), "lease": lease})
                   ["header"]["revision"])

    def join(self, key, *backends, lease=0, **more):
        for backend in backends:
            self.put(key, {"address": f"127.0.0.1:{backend.port}", "versions": ["v3"], **more}, lease)

    def leave(self, key):
        self.post("/v3/kv/deleterange", {"key": b64(f"/orders/{key}")})


class Watching(Listed):
    """A gateway whose instances are keys of etcd."""

    def __init__(self, folder, *etcds, silence="500ms", empty_after="5m", timeout="500ms", more=""):
        endpoints = json.dumps([f"127.0.0.1:{etcd.port}" for etcd in etcds])
        Gateway.__init__(self, folder, LISTED, endpoints=endpoints, silence=silence, empty_after=empty_after, timeout=timeout,
                         more=more)


@pytest.fixture
def etcd(tmp_path):
    with Etcd(tmp_path) as running:
        yield running


def test_keys_are_instances_which_join_and_leave(tmp_path, etcd):
    with answering() as first, answering() as second:
        etcd.join("a", first)
        with Watching(tmp_path, etcd) as gateway:
            eventually(lambda: gateway.get() == "OK")
            etcd.join("b", second, build="3.2", cell="north", weight=7)
            eventually(lambda: gateway.listed() == addresses(first, second))
            etcd.leave("a")
            eventually(lambda: gateway.listed() == addresses(second))
            etcd.put("a", f"{{address: '127.0.0.1:{first.port}', versions: [v3], build: '9'}}  # YAML")
            eventually(lambda: gateway.listed() == addresses(first, second))
            assert gateway.metric("passerelle_config_generation") == 1
            service, = gateway.admin("/config").json["services"]
            assert [one["build"] for one in service["instances"]] == ["9", "3.2"]
            assert service["listed_in"] == f"etcd 127.0.0.1:{etcd.port} /orders/"
            etcd.post("/v3/kv/put", {"key": b64("/ordersomething"), "value": b64("x")})  # not of the prefix
            time.sleep(0.2)
            assert gateway.events("instance_refused") == []


def test_a_key_whose_lease_is_over_leaves(tmp_path, etcd):
    with answering() as first, answering() as second:
        lease = etcd.post("/v3/lease/grant", {"TTL": "2"})["ID"]
        etcd.join("a", first)
        etcd.join("b", second, lease=lease)
        with Watching(tmp_path, etcd) as gateway:
            eventually(lambda: gateway.listed() == addresses(first, second))
            eventually(lambda: gateway.listed() == addresses(first))


def test_an_invalid_value_is_reported_once_and_left_out(tmp_path, etcd):
    with answering() as backend:
        etcd.join("a", backend)
        for key, value in [("b", "{"), ("c", {"address": "x", "versions": ["v3"]}), ("d", {"address": "127.0.0.9:1", "versions": ["v9"]}),
                           ("e", {"address": addresses(backend)[0], "versions": ["v3"]})]:
            etcd.put(key, value)
        with Watching(tmp_path, etcd) as gateway:
            eventually(lambda: gateway.listed() == addresses(backend))
            eventually(lambda: len(gateway.events("instance_refused")) == 4)
            etcd.put("f", {"address": "127.0.0.8:1", "versions": ["v3"]})
            eventually(lambda: len(gateway.listed()) == 2)
            assert len(gateway.events("instance_refused")) == 4
            for key, what in [("b", ""), ("c", "x is not an address"), ("d", "no version v9"), ("e", "occurs twice")]:
                assert any(f"etcd /orders/{key}" in line and what in line for line in gateway.events("instance_refused"))


def test_the_last_known_instances_stay_while_etcd_is_gone_and_changes_are_known_when_it_is_back(tmp_path, etcd):
    with answering() as first, answering() as second:
        etcd.join("a", first)
        with Watching(tmp_path, etcd, empty_after="0s") as gateway:
            eventually(lambda: gateway.get() == "OK")
            etcd.stop()
            eventually(lambda: gateway.events("instances_unreadable"))
            for _ in range(10):
                assert gateway.get() == "OK" and gateway.listed() == addresses(first)
                time.sleep(0.2)
            assert len(gateway.events("instances_unreadable")) == 1
            assert gateway.metric("passerelle_healing_total", act="discovery", service="orders") == 1
            assert any("discovery" in json.dumps(line) for line in gateway.log() if line.get("event") == "healing_begun")
            gateway.reload()  # waits for nobody
            eventually(lambda: gateway.metric("passerelle_config_generation") == 2)
            assert gateway.get() == "OK" and gateway.listed() == addresses(first)
            etcd.start()
            began = time.monotonic()
            eventually(lambda: gateway.events("instances_readable"))
            assert time.monotonic() - began < 2
            etcd.join("b", second)
            eventually(lambda: gateway.listed() == addresses(first, second))


def test_another_store_with_other_revisions_is_read_anew(tmp_path, etcd):
    with answering() as first, answering() as second:
        for i in range(50):
            etcd.put("x", {"address": f"127.0.0.2:{i + 1}", "versions": ["v3"]})
        etcd.leave("x")
        etcd.join("a", first)
        with Watching(tmp_path, etcd) as gateway:
            eventually(lambda: gateway.listed() == addresses(first))
            etcd.stop()
            etcd.forget()
            etcd.start()
            etcd.join("b", second)  # its first revision, far below the last one
            eventually(lambda: gateway.listed() == addresses(second))
            etcd.join("a", first)
            eventually(lambda: gateway.listed() == addresses(first, second))


def test_an_empty_store_empties_the_service_only_after_a_while(tmp_path, etcd):
    with answering() as backend:
        etcd.join("a", backend)
        with Watching(tmp_path, etcd, empty_after="1500ms") as gateway:
            eventually(lambda: gateway.get() == "OK")
            etcd.stop()
            etcd.forget()
            etcd.start()
            began = time.monotonic()
            eventually(lambda: gateway.events("instances_empty"))
            assert gateway.get() == "OK"
            eventually(lambda: gateway.listed() == [])
            assert time.monotonic() - began > 1
            etcd.join("a", backend)
            eventually(lambda: gateway.get() == "OK")


def test_a_compacted_revision_is_read_over(tmp_path, etcd):
    """The gateway does not hear of changes that are compacted before etcd sends them: it was stopped meanwhile."""
    with answering() as first, answering() as second:
        etcd.join("a", first)
        with Watching(tmp_path, etcd, silence="60s") as gateway:
            eventually(lambda: gateway.listed() == addresses(first))
            etcd.stop()
            eventually(lambda: gateway.events("instances_unreadable"))
            os.kill(gateway.process.child.pid, signal.SIGSTOP)
            etcd.start()
            for i in range(20):
                last = etcd.put("x", {"address": f"127.0.0.2:{i + 1}", "versions": ["v3"]})
            etcd.leave("x")
            etcd.leave("a")
            etcd.join("b", second)
            etcd.post("/v3/kv/compaction", {"revision": last, "physical": True})
            os.kill(gateway.process.child.pid, signal.SIGCONT)
            eventually(lambda: gateway.listed() == addresses(second))


def test_an_etcd_that_is_silent_is_noticed(tmp_path, etcd):
    with answering() as backend, answering() as other:
        etcd.join("a", backend)
        with Watching(tmp_path, etcd) as gateway:
            eventually(lambda: gateway.get() == "OK")
            time.sleep(2)  # it answers, though nothing happens
            assert gateway.events("instances_unreadable") == []
            assert gateway.metric("passerelle_discovery_age_seconds", service="orders",
                                  source=f"etcd 127.0.0.1:{etcd.port} /orders/") < 1.5
            etcd.signal(signal.SIGSTOP)
            eventually(lambda: gateway.events("instances_unreadable"))
            assert gateway.get() == "OK"
            etcd.signal(signal.SIGCONT)
            began = time.monotonic()
            eventually(lambda: gateway.events("instances_readable"))
            assert time.monotonic() - began < 2
            etcd.join("b", other)
            eventually(lambda: gateway.listed() == addresses(backend, other))


def test_with_several_endpoints_the_next_is_asked(tmp_path, etcd):
    with answering() as first, answering() as second, contextlib.ExitStack() as stack:
        (tmp_path / "two").mkdir()
        other = stack.enter_context(Etcd(tmp_path / "two"))
        for one in (etcd, other):  # no cluster, but equal
            one.join("a", first)
        with Watching(tmp_path, etcd, other) as gateway:
            eventually(lambda: gateway.listed() == addresses(first))
            for stopped, left in [(etcd, other), (other, etcd)]:
                stopped.stop()
                left.join("b", second)
                eventually(lambda: gateway.listed() == addresses(first, second))
                left.leave("b")
                eventually(lambda: gateway.listed() == addresses(first))
                stopped.start()
            assert gateway.events("instances_unreadable") == []


def test_a_gateway_starts_before_etcd(tmp_path):
    with answering() as backend:
        etcd = Etcd(tmp_path)
        with Watching(tmp_path, etcd) as gateway:
            assert gateway.get() != "OK"
            eventually(lambda: gateway.events("instances_unreadable"))
            with etcd:
                etcd.join("a", backend)
                eventually(lambda: gateway.get() == "OK")


def test_a_user_needs_a_password_and_a_password_is_no_secret_of_the_log(tmp_path, etcd):
    with answering() as backend, answering() as other:
        etcd.join("a", backend)
        for arguments in [("user", "add", "root:secret-of-root"), ("role", "add", "reader"), ("role", "add", "root"),
                          ("role", "grant-permission", "reader", "--prefix=true", "read", "/orders/"),
                          ("user", "add", "gateway:secret-of-gateway"), ("user", "grant-role", "gateway", "reader"),
                          ("user", "grant-role", "root", "root"), ("auth", "enable")]:
            etcd.ctl(*arguments)
        (tmp_path / "password").write_text("secret-of-gateway\n")
        with Watching(tmp_path, etcd, timeout="20s", more=", user: gateway, password_file: password") as gateway:
            eventually(lambda: gateway.get() == "OK")
            etcd.ctl("--user", "root:secret-of-root", "put", "/orders/b",
                     json.dumps({"address": addresses(other)[0], "versions": ["v3"]}))
            eventually(lambda: gateway.listed() == addresses(backend, other))
            (tmp_path / "password").write_text("wrong-secret\n")
            gateway.reload()
            eventually(lambda: gateway.events("instances_unreadable"))
            assert gateway.get() == "OK"
            text = json.dumps(gateway.log())
            assert "authentication failed" in text and "secret-of-gateway" not in text and "wrong-secret" not in text


def test_ten_thousand_keys_arrive_in_pages_and_change_one_by_one(tmp_path, etcd):
    for start in range(0, 10000, 100):
        etcd.post("/v3/kv/txn", {"success": [
            {"request_put": {"key": b64(f"/orders/{i:05}"),
                             "value": b64(json.dumps({"address": f"10.0.{i // 250}.{i % 250 + 1}:7001", "versions": ["v3"]}))}}
            for i in range(start, start + 100)]})
    with Watching(tmp_path, etcd) as gateway:
        eventually(lambda: len(gateway.listed()) == 10000)
        began = time.monotonic()
        for i in range(200):
            etcd.leave(f"{i:05}")
        eventually(lambda: len(gateway.listed()) == 9800)
        assert time.monotonic() - began < 20
        assert gateway.metric("passerelle_instances_left_total", service="orders") == 200


def test_etcd_may_want_tls_and_a_certificate(tmp_path):
    certificate(tmp_path)
    etcd = Etcd(tmp_path, "--cert-file", str(tmp_path / "server.pem"), "--key-file", str(tmp_path / "server.key"),
                "--trusted-ca-file", str(tmp_path / "server.pem"), "--client-cert-auth", scheme="https")
    etcd.tls = ("--cacert", tmp_path / "server.pem", "--cert", tmp_path / "server.pem", "--key", tmp_path / "server.key")
    ours = ", tls: {ca: server.pem, certificate: server.pem, key: server.key}"
    with answering() as backend, etcd, Watching(tmp_path, etcd, timeout="5s", more=ours) as gateway:
        etcd.ctl("put", "/orders/a", json.dumps({"address": addresses(backend)[0], "versions": ["v3"]}))
        eventually(lambda: gateway.get() == "OK")
        etcd.stop()
        certificate(tmp_path)  # new ones take the names of the old
        gateway.reload()
        etcd.start()
        etcd.ctl("put", "/orders/b", json.dumps({"address": "127.0.0.9:1", "versions": ["v3"]}))
        eventually(lambda: len(gateway.listed()) == 2)
        gateway.write(more=ours.replace(", certificate: server.pem, key: server.key", ""))
        gateway.reload()
        eventually(lambda: gateway.events("instances_unreadable"))
        assert gateway.get() == "OK"
