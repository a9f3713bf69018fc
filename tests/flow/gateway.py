"""The gateway under test: started with a config that the test writes, and checked when it ends."""
import http.client
import json
import os
import signal
import string
import subprocess

from processes import ROOT, Process, eventually, free_port

BINARY = os.environ.get("PASSERELLE", str(ROOT / "build/passerelle"))
SANDBOX = bool(os.environ.get("SANDBOX"))  # every gateway gives up what it does not need, and nothing that it needs is refused
SHOP = ROOT / "examples/shop"
ORDERS = os.path.join(os.path.dirname(os.environ.get("SHOP_STUBS", str(ROOT / "build/examples/shop/stubs"))),
                      "orders.binpb")
COMPLAINTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:",
              "WARNING: ThreadSanitizer", "CHECK failed")

# All three versions of the shop; $instances is a YAML list, $routes more routes.
SHOP_CONFIG = """
listen:
  - address: 127.0.0.1:$port
admin: {address: 127.0.0.1:$admin}
log: "-"
errors: full
services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders}
      - {name: v2, package: shop.orders.v2, schema: $orders}
      - {name: v3, package: shop.orders.v3, schema: $orders}
    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]
    instances: $instances
routes:
  - {match: orders, impact: high, timeout: 5s, on_failure: loud}
  - match: orders.Orders/ListRecommendations
    impact: low
    on_failure: {graceful: {default: {lines: [{sku: classic, quantity: 1}]}}}
"""


def instances(*pairs):
    """instances(("v3", 7003), ...) as the config wants it."""
    listed = ", ".join(f"{{address: '127.0.0.1:{port}', protocol: grpc, versions: [{version}]}}"
                       for version, port in pairs)
    return f"[{listed}]"


class Answer:
    def __init__(self, response):
        self.status, self.headers = response.status, response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)


class Gateway:
    """
    with Gateway(tmp_path, CONFIG, instances=...) as gateway: ...

    In the config $port, $admin, $shop, $orders, $folder and the keywords given are filled in. Leaving the
    block stops it and asserts that it went cleanly. `under`: a command that runs it, such as valgrind;
    `environment`: variables besides those of the test. `options`: of the command `run`.
    """

    binary = BINARY

    def __init__(self, folder, config=SHOP_CONFIG, under=(), environment=None, options=(), **words):
        self.folder, self.under, self.environment, self.options = folder, list(under), environment, options
        self.words = {"port": free_port(), "admin": free_port(), "shop": SHOP, "orders": ORDERS,
                      "folder": folder, **words}
        self.port, self.admin_port = self.words["port"], self.words["admin"]
        self.config = config
        self.file = folder / "gateway.yaml"
        self.process, self.started = None, False
        self.clients = []  # grpcio channels, closed before it stops: grpcio hears of a GOAWAY after 5 s only

    def write(self, config=None, **words):
        """Writes the config file (anew)."""
        self.words.update(words)
        self.config = config or self.config
        sandbox = "\nsandbox: true\n" if SANDBOX and self.started and "sandbox:" not in self.config else ""
        self.file.write_text(string.Template(self.config).substitute(self.words) + sandbox)

    def check(self):
        """passerelle check: the finished process."""
        self.write()
        return subprocess.run([BINARY, "check", self.file], capture_output=True, text=True, timeout=60)

    def start(self):
        self.started = True
        self.write()
        self.process = Process([*self.under, self.binary, "run", *self.options, str(self.file)], self.environment).wait_until(self.ready)
        return self

    def ready(self):
        try:
            return self.admin("/readyz").status == 200
        except OSError:
            return False

    def stop(self):
        for channel in self.clients:
            channel.close()
        code = self.process.terminate()
        told = "\n".join(self.process.errors)
        assert not any(complaint in told for complaint in COMPLAINTS), told
        assert not SANDBOX or not self.events("sandbox_refused"), self.events("sandbox_refused")
        assert code == 0, f"exit code {code}\n{told[-4000:]}"

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.stop()
        else:
            self.process.terminate()
            print("\n".join(self.process.errors[-50:]))

    def reload(self):
        self.process.child.send_signal(signal.SIGHUP)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def admin(self, path):
        return self.http("GET", path, port=self.admin_port)

    def metric(self, name, **labels):
        """The sum of a metric's samples that have these labels."""
        total = 0.0
        for line in self.admin("/metrics").body.decode().splitlines():
            sample, _, value = line.rpartition(" ")
            if line.startswith(name + "{") or line.startswith(name + " "):
                if all(f'{key}="{wanted}"' in sample for key, wanted in labels.items()):
                    total += float(value)
        return total

    def barred(self):
        """{address: reason} of the instances that get no calls."""
        found = {}
        for line in self.admin("/metrics").body.decode().splitlines():
            if line.startswith("passerelle_instance_barred{"):
                found[line.split('instance="')[1].split('"')[0]] = line.split('reason="')[1].split('"')[0]
        return found

    def http(self, verb, path, body=None, headers=None, port=None, timeout=20):
        """One HTTP/1.1 request on a connection of its own; a dict goes as JSON."""
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout)
        try:
            connection.request(verb, path, body, headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def log(self):
        """The access log's lines so far, as dictionaries."""
        found = []
        for line in self.process.lines:
            try:
                found.append(json.loads(line))
            except ValueError:
                raise AssertionError(f"not JSON in the log: {line!r}") from None
        return found

    def events(self, name):
        """The log's lines about events of this name so far."""
        return [line for line in self.log() if line.get("event") == name]

    def logged(self, **wanted):
        """The last access-log line with these members, waiting for it to come."""
        def last():
            lines = [line for line in self.log() if all(line.get(k) == v for k, v in wanted.items())]
            return lines[-1] if lines else None
        return eventually(last)
