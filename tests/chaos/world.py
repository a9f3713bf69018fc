"""What a scenario happens to: a gateway, ten instances behind relays, a load, and networks of their own."""
import base64
import collections
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "flow"))

from certificates import certificate  # noqa: E402
from dns_server import SILENT, DnsServer  # noqa: E402
from gateway import Gateway  # noqa: E402
from processes import ROOT, Process, eventually, free_port  # noqa: E402

PYTHON = "/usr/bin/python3"
TIMEOUT = 2    # seconds, of the route
PATIENCE = 20  # of clients, which nothing needs

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin'}
log: "-"
errors: full
loops: 2
$settings
services:
  - name: mail
    versions: [{name: v1, package: mail.v1, schema: $schema}]
    $instances
    health: {check: tcp}
    breaker: {}
  - name: calm
    versions: [{name: v1, package: calm.v1, schema: $schema}]
    instances: ['127.0.0.1:$calm']
routes:
  - {match: mail, timeout: ${timeout}s, attempts: 3, hedge: {after: 100ms}}
  - {match: calm, timeout: ${timeout}s}
"""


def compile_schema(folder):
    """Of mail, and of calm: the same under another name, for calls that no fault concerns."""
    mail = (HERE / "mail.proto").read_text()
    (folder / "mail.proto").write_text(mail)
    (folder / "calm.proto").write_text(mail.replace("mail.v1", "calm.v1").replace("/v1/mail", "/v1/calm"))
    subprocess.run(["protoc", f"-I{folder}", f"-I{ROOT}/examples/shop/proto", "--include_imports",
                    f"--descriptor_set_out={folder / 'schema.binpb'}", "mail.proto", "calm.proto"], check=True)
    return folder / "schema.binpb"


class Call(collections.namedtuple("Call", "began ended client method outcome instance text detail")):
    __slots__ = ()

    @property
    def ok(self):
        return self.outcome == "OK"

    @property
    def safe(self):
        return self.method == "Read"


class Instance:
    """One of the ten: its relay listens on `port`, it itself on `own`."""

    def __init__(self, kind, name):
        self.kind, self.name = kind, name
        self.port, self.own = free_port(), f"127.0.0.1:{free_port()}"

    @property
    def backend(self):
        """Where it listens itself."""
        host, port = self.own.split(":")
        return [host, int(port)]

    @property
    def spec(self):
        return f"{self.kind}:{self.name}:{self.own}"

    def entry(self, host="127.0.0.1", port=None, more=""):
        """As the config has it."""
        protocol = {"grpc": "grpc", "grpcs": "grpc", "rest": "rest"}.get(self.kind, "connect, codec: json")
        return f"{{address: '{host}:{port or self.port}', protocol: {protocol}{more}}}"


class Relay:
    def __init__(self, seed):
        self.child = subprocess.Popen([PYTHON, str(HERE / "relay.py"), str(seed)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)

    def order(self, port, **what):
        self.child.stdin.write(json.dumps({"port": port, **what}) + "\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())

    def stop(self):
        self.child.kill()
        self.child.wait()


class Load:
    """The clients' process; its calls are read as they end."""

    def __init__(self, schema, gateway, speed):
        self.calls, self.lock = [], threading.Lock()
        self.child = subprocess.Popen([PYTHON, str(HERE / "load.py"), str(schema), gateway.address, str(speed),
                                       str(PATIENCE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.child.stdout:
            call = Call(*json.loads(line))
            with self.lock:
                self.calls.append(call)

    def now(self):
        with self.lock:
            return list(self.calls)

    def wait_for(self, count, good=lambda call: call.ok, since=0.0):
        """Until so many calls that began since then are good."""
        eventually(lambda: sum(call.began >= since and good(call) for call in self.now()) >= count)

    def stop(self):
        self.child.stdin.close()
        self.reader.join(60)
        code = self.child.wait(10)
        assert code == 0, f"the load has failed: {code}"
        return self.calls


class Fleet:
    """
    The instances, which outlive scenarios. Numbers 0 (gRPC) and 1 (REST) are processes of their own and those that
    faults hit; the other eight share one.
    """

    def __init__(self, folder, seed=1):
        self.folder, self.seed = folder, seed
        self.schema = compile_schema(folder)
        certificate(folder, "good")
        certificate(folder, "wrong")
        kinds = ["grpc", "rest", "grpc", "grpc", "grpc", "grpc", "connect", "rest", "grpc", "connect"]
        self.instances = [Instance(kind, f"{kind}{i}") for i, kind in enumerate(kinds)]
        self.good, self.wrong = Instance("grpcs", "good"), Instance("grpcs", "wrong")
        self.processes = {}
        for number in (0, 1):
            self.start(number)
        self.rest = self.process(*self.instances[2:], self.good, self.wrong)
        self.calm = None

    def process(self, *instances, under=()):
        process = Process([*under, PYTHON, str(HERE / "backend.py"), str(self.schema), str(self.folder),
                           *(instance.spec for instance in instances)])
        return process.wait_until(lambda: "ready" in process.lines)

    def start(self, number):
        self.processes[number] = self.process(self.instances[number])

    def wrote(self):
        """How often each Write was executed, by its text."""
        return collections.Counter(line for file in self.folder.glob("*.wrote")
                                   for line in file.read_text().splitlines())

    def forget(self):
        for file in self.folder.glob("*.wrote"):
            os.truncate(file, 0)

    def stop(self):
        for process in [*self.processes.values(), self.rest]:
            process.kill()


class World:
    """One scenario's: a fresh gateway and fresh relays before the fleet."""

    def __init__(self, fleet, folder, running):
        self.fleet, self.folder, self.running = fleet, folder, running
        self.instances = fleet.instances
        self.hit = self.instances[:2]
        self.relay = Relay(fleet.seed)
        running.callback(self.relay.stop)
        fleet.forget()
        for instance in self.instances:
            self.relay.order(instance.port, to=instance.backend, http2=instance.kind == "grpc")
        self.entries = [instance.entry() for instance in self.instances]
        self.settings, self.listed = "", None
        self.more = [""] * len(self.instances)  # to their entries
        self.calm = free_port()

    def start(self, steady):
        """The gateway, after a scenario has prepared what it wants. `steady`: it goes before other processes."""
        listed = self.listed or f"instances: [{', '.join(self.entries)}]"
        self.gateway = self.running.enter_context(Gateway(
            self.folder, CONFIG, settings=self.settings, instances=listed, timeout=TIMEOUT,
            schema=self.fleet.schema, calm=self.calm))
        if steady:
            hurry(self.gateway.process.child.pid)

    def listed_now(self):
        """The number of instances that the gateway knows of."""
        services = {service["name"]: service for service in self.gateway.admin("/config").json["services"]}
        return len(services["mail"]["instances"])

    def fault(self, *instances, breaking=False, **fault):
        """From now on so; `breaking` resets what is connected."""
        for instance in instances or self.hit:
            self.relay.order(instance.port, fault=fault, **({"break": True} if breaking else {}))

    def acts(self):
        """How often the relays have done something to what passed."""
        return sum(self.relay.order(instance.port)["acts"] for instance in self.instances)

    def mend(self, *instances):
        for instance in instances or self.hit:
            self.relay.order(instance.port, fault={})


def hurry(pid):
    """All threads of the process go before others. Without the permission for it nothing changes."""
    if shutil.which("chrt"):
        subprocess.run(["chrt", "--all-tasks", "--rr", "--pid", "1", str(pid)], capture_output=True)


class Etcd:
    """An etcd of one, whose keys below /mail/ are the instances. It may be stopped, and lose what it knew."""

    def __init__(self, folder, running):
        self.data = folder / "etcd"
        self.port, self.peer = free_port(), free_port()
        self.process = None
        self.start()
        running.callback(self.stop)

    def start(self):
        url, peers = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.peer}"
        self.process = Process(["etcd", "--data-dir", str(self.data), "--unsafe-no-fsync", "--log-level", "error",
                                "--listen-client-urls", url, "--advertise-client-urls", url,
                                "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
                                "--initial-cluster", f"default={peers}"]).wait_until(self.answers)

    def answers(self):
        try:
            return self.post("/v3/maintenance/status", {})
        except (OSError, http.client.HTTPException):
            return False

    def stop(self):
        self.process.kill()

    def forget(self):
        shutil.rmtree(self.data)

    def post(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status == 200 and json.loads(response.read())
        finally:
            connection.close()

    def put(self, name, entry):
        assert self.post("/v3/kv/put", {"key": b64(f"/mail/{name}"), "value": b64(entry)})

    def delete(self, name):
        assert self.post("/v3/kv/deleterange", {"key": b64(f"/mail/{name}")})


def b64(text):
    return base64.b64encode(text.encode()).decode()


# ---- Networks of their own ------------------------------------------------------------------------------

class Network:
    """A network namespace for instances, and a link to it: from the address `here` to `there`."""

    def __init__(self, running):
        port = free_port()  # of a range that no other test process of this machine has
        self.name, self.near, self.far = f"chaos{port}", f"ca{port}", f"cb{port}"
        block = f"10.{200 + (port - 20000) // 250}.{(port - 20000) % 250}"
        self.here, self.there = f"{block}.1", f"{block}.2"
        running.callback(self.remove)
        self.ip("netns", "add", self.name)
        self.ip("link", "add", self.near, "type", "veth", "peer", "name", self.far, "netns", self.name)
        self.ip("addr", "add", f"{self.here}/30", "dev", self.near)
        self.ip("link", "set", self.near, "up")
        self.inside("addr", "add", f"{self.there}/30", "dev", self.far)
        self.inside("link", "set", "lo", "up")
        self.inside("link", "set", self.far, "up")

    @staticmethod
    def ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True)

    def inside(self, *words):
        self.ip("-n", self.name, *words)

    def reaches(self, port):
        """Whether it is there: a new link takes a moment."""
        try:
            socket.create_connection((self.there, port), timeout=0.2).close()
            return True
        except OSError:
            return False

    def lose(self, share):
        """Loses this share of the packets, in both directions."""
        for where, device in ([], self.near), (["-n", self.name], self.far):
            subprocess.run(["tc", *where, "qdisc", "replace", "dev", device, "root", "netem", "loss", share],
                           check=True, capture_output=True, text=True)

    def remove(self):
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)


def no_network():
    """Why there can be no network namespaces here, or None."""
    if not shutil.which("ip"):
        return "there is no `ip` (iproute2)"
    with contextlib.ExitStack() as running:
        try:
            Network(running)
        except subprocess.CalledProcessError as error:
            return f"network namespaces are not permitted: {error.stderr.strip()}"
    return None


def no_loss():
    """Why no packets can be lost here, or None."""
    if reason := no_network():
        return reason
    with contextlib.ExitStack() as running:
        try:
            Network(running).lose("1%")
        except (OSError, subprocess.CalledProcessError) as error:
            return f"the kernel has no netem: {getattr(error, 'stderr', error)}".strip()
    return None
