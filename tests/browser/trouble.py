"""A shop with one of everything going wrong, for the tests of the operators' page.

    python3 trouble.py        keeps it until Ctrl-C, to look at

A client of v1 loses fields; an instance is ill, and nobody serves the stock; a rollout was stopped; a job has failed; a schema comes
from its cache; a version is past its sunset; and what clients and services say is hostile.
"""
import json
import pathlib
import shutil
import signal
import sys
import tempfile
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "flow"))

from backends import Backend, order_v3, v3  # noqa: E402
from gateway import ORDERS, Gateway  # noqa: E402
from operators import HASHES, TOKENS  # noqa: E402
from processes import ROOT, Process, eventually, free_port  # noqa: E402
from test_retries import Shop  # noqa: E402

import grpc  # noqa: E402

HOSTILE = "<img src=x onerror=\"document.title='owned'\">\"'--><script>document.title='owned'</script>"
TURNED = "\u202egnitset\u202d\u2066 evil"  # right to left
LONG = "w" * 10000
JOBS = (ROOT / "examples/shop/shop.yaml").read_text().partition("\njobs:\n")[2]

CONFIG = """
listen: [{address: '127.0.0.1:$port', trusted_proxies: [127.0.0.1]}]
admin:
  address: 127.0.0.1:$admin
  socket: unix:admin.sock
  operators:
    - {name: reader, role: read, token_sha256: $reader}
    - {name: ops, role: operate, token_sha256: $ops}
node: gw1
log: "-"
loops: 1
errors: full
identity_header: x-client
usage: {every: 100ms}
ledger: {every: 1s}
store: {sqlite: store.db, jobs: {lease: 2s, look: 100ms}}
services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders, deprecated: 2019-03-01, sunset: 2020-03-01}
      - {name: v2, package: shop.orders.v2, schema: $orders}
      - {name: v3, package: shop.orders.v3, schema: $orders}
    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]
    retire: [{version: v1, unused_for: 30d}]
    usage: {fields: true}
    health: {eject: {first: 10m, most: 10m}}
    instances:
      - {address: '127.0.0.1:$good', protocol: grpc, versions: [v3], build: 3.1.0}
      - {address: '127.0.0.1:$ill', protocol: grpc, versions: [v3], build: 3.1.0}
      - {address: '127.0.0.1:$new', protocol: grpc, versions: [v3], build: 3.2.0}
  - name: stock
    versions: [{name: v1, package: shop.stock.v1, schema: $orders}]
    instances: ['127.0.0.1:$nobody']
  - name: extras
    versions: [{name: v1, package: shop.extras.v1, schema: {reflection: {address: '127.0.0.1:$nobody', cache: extras.binpb}}}]
    instances: ['127.0.0.1:$nobody']
  - name: hosting
    versions:
      - {name: v1, package: shop.hosting.v1, schema: $orders}
      - {name: v2, package: shop.hosting.v2, schema: $orders}
    changes: [$shop/hosting-v1-v2.yaml]
    instances: [{address: '127.0.0.1:$hosting', protocol: grpc, versions: [v2]}]
  - name: machines
    versions: [{name: v1, package: shop.machines.v1, schema: $orders}]
    instances: ['127.0.0.1:$hosting']
routes:
  - {match: orders, impact: high, timeout: 2s, attempts: 2, on_failure: loud}
  - match: orders.Orders/ListRecommendations
    impact: low
    on_failure: {graceful: {default: {lines: [{sku: classic-mug, quantity: 1}]}}}
  - {match: stock, impact: catastrophic, timeout: 1s}
  - {match: hosting, impact: high, timeout: 2s}
rollouts:
  - service: orders
    candidate: {build: 3.2.0}
    tiers: [1, 10, 50, all]
    judge: {metrics: [failures], least: 200ms, every: 100ms}
jobs:
""" + JOBS


class Ill(Shop):
    """An instance of which all calls fail."""

    def __init__(self, words):
        super().__init__(lambda context: context.abort(grpc.StatusCode.UNAVAILABLE, f"disk of shard 12 is gone{words}"))

    def List(self, request, context):
        return self.serve(context, None)


class Hosting:
    """The site's services, quick, of which none fails by chance."""

    def __init__(self, port):
        self.process = Process(["/usr/bin/python3", str(ROOT / "examples/shop/backend_hosting.py"), "--listen", f"127.0.0.1:{port}",
                                "--slow", "0.01", "--fail", "0"])
        self.process.wait_until(lambda: any('"ready"' in line for line in self.process.lines))


class Trouble:
    """with Trouble(folder) as trouble: trouble.gateway, trouble.json("/errors"), ..."""

    def __init__(self, folder, hostile=True):
        self.hostile = hostile
        shutil.copy(ORDERS, folder / "extras.binpb")
        self.good, self.new, self.ill = Backend("v3"), Backend("v3", arguments=("--build", "3.2.0", "--breaks", "2")), Ill(f" {HOSTILE}" if hostile else "")
        self.hosting_port = free_port()
        self.gateway = Gateway(folder, CONFIG, good=self.good.port, ill=self.ill.port, new=self.new.port, nobody=free_port(),
                               hosting=self.hosting_port, **HASHES)
        self.lossy = None

    def __enter__(self):
        for part in (self.good, self.new, self.ill):
            part.__enter__()
        self.hosting = Hosting(self.hosting_port)
        self.gateway.start()
        self.happen()
        return self

    def __exit__(self, *error):
        self.gateway.__exit__(*error)
        self.hosting.process.terminate()
        for part in (self.good, self.new, self.ill):
            part.__exit__(*error)

    @property
    def page(self):
        """Where the operators' page is."""
        return f"http://127.0.0.1:{self.gateway.admin_port}"

    def call(self, verb, path, body=None, client="ada", **headers):
        return self.gateway.http(verb, path, body, {"x-client": client, "x-account": client, **headers})

    def json(self, page):
        """A page as an operator has it."""
        asked = urllib.request.Request(self.page + page, headers={"authorization": f"Bearer {TOKENS['ops']}"})
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return json.load(answer)

    def happen(self):
        self.a_rollout_is_stopped()
        self.order_7_loses_fields()
        self.others_call()
        if self.hostile:
            self.hostile_clients_call()
        self.a_job_fails()

    def a_rollout_is_stopped(self):
        def stopped():
            for number in range(240):
                self.call("GET", "/v3/orders", client=f"c{number}")
            return self.json("/rollouts")["rollouts"][0]["state"] == "rolled back"
        eventually(stopped, 40)

    def order_7_loses_fields(self):
        self.good.stub().Create(self.good_request())
        self.call("POST", "/v1/orders", {"id": "6", "customer": "lee", "comment": "leave it at the door"}, "legacy-shop")
        self.lossy = eventually(lambda: self.read_order_7()).headers["x-request-id"]

    def good_request(self):
        return v3.CreateRequest(order=order_v3(id="7", gift_note="happy birthday", delivery=v3.Delivery(express=True)))

    def read_order_7(self):
        answer = self.call("GET", "/v1/orders/7", client="legacy-shop")
        return answer if answer.status == 200 else None

    def others_call(self):
        for client, version, times in (("till-4", "v1", 3), ("warehouse", "v2", 40), ("web", "v3", 90)):
            for _ in range(times):
                self.call("GET", f"/{version}/orders", client=client)
        for _ in range(3):
            self.gateway.http("POST", "/shop.stock.v1.Stock/Count", {}, {"x-client": "ada"})

    def hostile_clients_call(self):
        for client in (HOSTILE, "x" * 200):
            self.call("GET", "/v1/orders", client=client)
        self.call("GET", f"/v1/orders/{LONG[:3000]}", client="ada")
        self.call("GET", "/v1/orders/%3Cimg%20src=x%20onerror=alert(1)%3E", client=TURNED.encode().decode("latin-1"))
        self.call("POST", "/v1/orders", {f"custommer {HOSTILE}": "ada"}, client="bob")
        self.call("GET", "/v1/stock/teapot", client="ada")
        errors = self.json("/errors")["failures"]
        for row, text in zip(errors, (HOSTILE, TURNED, LONG[:800])):
            self.gateway.http("POST", f"/errors/{row['fingerprint']}", {"owner": text, "ticket": HOSTILE, "cause": text},
                              {"authorization": f"Bearer {TOKENS['ops']}", "passerelle-why": "a test"}, port=self.gateway.admin_port)

    def a_job_fails(self):
        self.call("POST", "/v1/sites", {"name": "kites", "plan": "small"})
        self.call("POST", "/v1/sites", {"name": "broken-kites", "plan": "small"})
        eventually(lambda: len([job for job in self.json("/jobs")["jobs"] if job["state"] in ("done", "undone", "failed")]) == 2)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, Trouble(pathlib.Path(folder)) as kept:
        print(json.dumps({"folder": folder, "port": kept.gateway.port, "admin": kept.gateway.admin_port, "lossy": kept.lossy}), flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass
