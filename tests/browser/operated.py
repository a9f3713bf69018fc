"""A gateway with something to do for its operators, for the tests of the views of operations: a build was rolled back, jobs have
failed and wait, an instance is ejected and another one drained, an old version is past its sunset, a config was refused, and a
second gateway has another one."""
import asyncio
import contextlib
import re
import threading
import time

from gateway import Gateway
from job_backend import SERVICES, JobBackend
from operators import HASHES, TOKENS, plain
from processes import eventually, free_port
from trouble import HOSTILE

CONFIG = """
listen: [{address: '127.0.0.1:$port', trusted_proxies: [127.0.0.1]}]
identity_header: x-client-id
admin:
  address: '127.0.0.1:$admin'
  socket: unix:admin.sock
  operators:
    - {name: reader, role: read, token_sha256: $reader}
    - {name: ops, role: operate, token_sha256: $ops}
log: "-"
loops: 1
node: $node
store: {sqlite: $folder/store.db, jobs: {lease: 1s, look: 50ms}}
usage: {every: 100ms}
""" + SERVICES.replace("services:\n", """services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders, sunset: 2020-03-01}
      - {name: v2, package: shop.orders.v2, schema: $orders}
      - {name: v3, package: shop.orders.v3, schema: $orders}
    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]
    retire: [{version: v1, unused_for: 1h}]
    health: {eject: {first: 10m, most: 10m}}
    instances:
      - {address: '127.0.0.1:$a', protocol: rest, versions: [v3], build: old}
      - {address: '127.0.0.1:$b', protocol: rest, versions: [v3], build: old}
      - {address: '127.0.0.1:$c', protocol: rest, versions: [v3], build: old}
      - {address: '127.0.0.1:$new', protocol: rest, versions: [v3], build: new}
""") + """
routes:
  - {match: orders, attempts: 1}
  - {match: machines, attempts: 1}
  - {match: hosting, attempts: 1}
rollouts:
  - service: orders
    candidate: {build: new}
    pilot: [pilot-1]
    tiers: [1, 10, 100, all]
    judge: {metrics: [failures], least: 100ms, every: 100ms}
jobs:
  - method: hosting.Sites/Create
    answer: {name: request.spec.name, operation: job.name, reason: job.reason}
    state: state
    states: {queued: PROVISIONING, running: PROVISIONING, waiting: PROVISIONING, failed: FAILED, undoing: REMOVING,
             undone: REMOVED, done: LIVE}
    resource: {kind: site, key: request.spec.name}
    steps:
      - name: reserve
        method: machines.Machines/Reserve
        request: {plan: request.spec.plan, holder: job.id}
        idempotency: key
        retry: {for: 1h, initial_backoff: 10ms, max_backoff: 50ms}
      - {name: approval, wait: {event: approved, for: 1h}}
      - name: publish
        method: hosting.Backstage/Publish
        request: {name: request.spec.name, plan: request.spec.plan, address: steps.reserve.address}
        retry: {for: 1h, initial_backoff: 10ms, max_backoff: 50ms}
"""
OTHER_CONFIG = """
admin: {address: '127.0.0.1:$admin', socket: 'unix:two.sock'}
listen: ['127.0.0.1:$port']
log: "-"
loops: 1
node: two
store: {sqlite: $folder/store.db}
services:
  - name: stock
    versions: [{name: v1, package: shop.stock.v1, schema: $orders}]
    instances: ['127.0.0.1:1']
"""
ACCOUNT = re.compile(rb"x-client-id: (\S+)", re.I)


class Build(asyncio.Protocol):
    """An instance that fails the calls that `breaks(account)` says."""

    def __init__(self, breaks):
        self.breaks, self.rest = breaks, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        *heads, self.rest = (self.rest + data).split(b"\r\n\r\n")
        for head in heads:
            account = ACCOUNT.search(head)
            status = b"500 Broken" if self.breaks(account[1] if account else b"") else b"200 OK"
            self.transport.write(b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}" % status)


class Builds:
    """All instances of orders, on a loop of their own."""

    def __init__(self):
        self.ports = {name: free_port() for name in ("a", "b", "c", "new")}
        self.ill, self.seen = set(), {}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def breaks(self, name):
        """Of the new build each third client."""
        def of(account):
            nth = self.seen.setdefault(account, len(self.seen)) if name == "new" else 0
            return name in self.ill or nth % 3 == 2
        return of

    def __enter__(self):
        self.thread.start()
        for name, port in self.ports.items():
            asyncio.run_coroutine_threadsafe(
                self.loop.create_server(lambda name=name: Build(self.breaks(name)), "127.0.0.1", port), self.loop).result()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


class Operated:
    """with Operated(folder) as told: told.gateway, told.jobs = {"failed": ID, ...}."""

    def __init__(self, folder):
        self.folder, self.stack, self.jobs = folder, contextlib.ExitStack(), {}

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            builds = self.builds = stack.enter_context(Builds())
            backend = stack.enter_context(JobBackend(self.folder))
            self.gateway = stack.enter_context(Gateway(self.folder, CONFIG, instance=backend.port, node="one", **builds.ports, **HASHES))
            eventually(lambda: self.gateway.metric("passerelle_store_up") == 1)
            self.read, self.operate = plain(self.gateway, TOKENS["reader"]), plain(self.gateway, TOKENS["ops"])
            self.begin_jobs()
            self.roll_out()
            self.use_versions()
            self.make_ill()
            self.refuse_config()
            self.end_jobs()
            folder = self.folder / "two"
            folder.mkdir()
            self.other = stack.enter_context(Gateway(folder, OTHER_CONFIG.replace("$folder/store.db", str(self.folder / "store.db"))))
            eventually(lambda: len(self.page("/fleet")["gateways"]) == 2)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def page(self, path):
        return self.read("GET", path).json

    def call(self, client, path="/v3/orders/1"):
        return self.gateway.http("GET", path, headers={"x-client-id": client}).status

    # ---- one of everything ----

    def roll_out(self):
        """Until it is rolled back."""
        eventually(lambda: self.page("/rollouts?name=orders").get("rollouts"))

        async def crowd():
            reader, writer = await asyncio.open_connection("127.0.0.1", self.gateway.port)
            end = time.monotonic() + 60
            while self.page("/rollouts?name=orders")["rollouts"][0]["state"] == "running":
                assert time.monotonic() < end
                for i in range(300):
                    writer.write(b"GET /v3/orders/1 HTTP/1.1\r\nhost: shop\r\nx-client-id: c%d\r\n\r\n" % i)
                    head = await reader.readuntil(b"\r\n\r\n")
                    await reader.readexactly(int(re.search(rb"content-length: (\d+)", head, re.I)[1]))
            writer.close()
        asyncio.run(crowd())

    def use_versions(self):
        for client, path, n in (("ada", "/v1/orders/1", 3), ("bob", "/v2/orders/1", 2), ("bob", "/v3/orders/1", 1), (HOSTILE, "/v3/orders/1", 1)):
            for _ in range(n):
                self.call(client, path)
        eventually(lambda: any(row["client"] == "ada" for row in self.page("/usage")["clients"]))

    def make_ill(self):
        self.builds.ill.add("c")
        for _ in eventually_each():
            for i in range(30):
                self.call(f"c{i}")
            if any(entry["act"] == "eject" for entry in self.page("/healing")["now"]):
                break
        drained = self.operate("POST", f"/instance/drain?address=127.0.0.1:{self.builds.ports['b']}&for=10m", **{"Passerelle-Why": HOSTILE})
        assert drained.status == 200, drained.body

    def refuse_config(self):
        good = self.gateway.config
        self.gateway.write(good.replace("attempts: 1}", "atempts: 1}"))
        assert self.operate("POST", "/reload", **{"Passerelle-Why": "more attempts"}).status == 409
        self.gateway.write(good)

    def begin_jobs(self):
        for name, (site, plan) in {"failed": ("shop-1", "refused"), "skipped": ("shop-2", "refused"), "undone": ("shop-3", "refused"),
                                   "waiting": ("shop-4", "good"), "cancelled": ("shop-5", "good"), "hostile": (HOSTILE, "good")}.items():
            answer = self.gateway.http("POST", "/v2/sites", {"name": site, "plan": plan}, headers={"X-Client-Id": "ada"})
            assert answer.status == 202, answer.body
            self.jobs[name] = answer.headers["location"].rpartition("/")[2]

    def end_jobs(self):
        for name in self.jobs:
            self.reached(name, "waiting", "approval")
        for name in ("failed", "skipped", "undone"):
            assert self.operate("POST", f"/jobs/{self.jobs[name]}/event?name=approved", **{"Passerelle-Why": "a test"}).status == 200
            self.reached(name, "failed")

    def job(self, name):
        return self.page(f"/jobs/{self.jobs[name]}")

    def reached(self, name, state, step=None):
        return eventually(lambda: (lambda job: job["state"] == state and step in (None, job.get("step")))(self.job(name)))


def eventually_each(patience=30):
    """Turns of something that is tried until it is so."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        yield
    raise AssertionError("it does not come to be")
