"""A gateway that has all that `passerelle monitoring` tells of, and a Prometheus that scrapes it."""
import json
import pathlib
import subprocess
import urllib.parse
import urllib.request

from certificates import certificate
from gateway import BINARY, Gateway
from processes import Process, free_port

CONFIG = """
listen:
  - address: 127.0.0.1:$port
  - {address: '127.0.0.1:$tls', tls: {certificate: $folder/server.pem, key: $folder/server.key}}
admin: {address: '127.0.0.1:$admin', socket: 'unix:$folder/admin.sock'}
log: $folder/log
loops: 1
node: $node
store: {sqlite: $folder/store.db, jobs: {look: 50ms}}
sandbox: $sandbox
usage: {every: 200ms}
ledger:
  every: 200ms
  rows: $rows
  webhooks: [{name: pager, url: 'http://127.0.0.1:$receiver/', attempts: 1, every: 1s, when: {impact: high}}]
limits: {connections: $connections}
rate_limits: [{name: all, rate: 100000/s}]
policy_servers: [{name: opa, instances: ['127.0.0.1:1']}]
tracing: {collector: '127.0.0.1:1', share: none, errors: false}
authentication:
  - {name: people, jwt: {issuer: 'https://issuer', audience: [orders], keys_url: 'http://127.0.0.1:$jwks/', refresh: 1s, claims: {scope: scope}}}
authenticate: optional
identity_header: x-client
trusted_proxies: [127.0.0.1]
services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders, deprecated: 2026-01-01, sunset: $sunset}
      - {name: v2, package: shop.orders.v2, schema: $orders}
      - {name: v3, package: shop.orders.v3, schema: $orders}
    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]
    retire: [{version: v1}]
    health: {eject: {first: 30s, most: 60s}, slow_start: 0s}
    instances: $instances
  - name: hosting
    versions: [{name: v2, package: shop.hosting.v2, schema: $orders}]
    instances: [{address: '127.0.0.1:$jobs', protocol: grpc}]
  - name: machines
    versions: [{name: v1, package: shop.machines.v1, schema: $orders}]
    discovery: {file: $folder/machines.yaml, every: 100ms}
routes:
  - {match: orders, impact: high, timeout: 5s, on_failure: loud, attempts: 2}
  - match: orders.Orders/ListRecommendations
    impact: low
    on_failure: {graceful: {default: {lines: [{sku: classic, quantity: 1}]}}}
  - {match: orders.Orders/List, impact: low, attempts: 1}
  - {match: orders.Orders/Create, impact: high, idempotency: {key: optional, store_down: proceed}}
  - {match: machines, attempts: 1}
  - {match: hosting, attempts: 1}
jobs:
  - method: hosting.Sites/Create
    answer: {name: request.spec.name, operation: job.name, reason: job.reason}
    state: state
    states: {queued: PROVISIONING, running: PROVISIONING, waiting: PROVISIONING, failed: FAILED, undoing: REMOVING,
             undone: REMOVED, done: LIVE}
    retrying: 1
    steps:
      - name: reserve
        method: machines.Machines/Reserve
        request: {plan: request.spec.plan, holder: job.id}
        idempotency: key
        retry: {for: 1h, initial_backoff: 10ms, max_backoff: 1s}
job_webhooks: [{name: board, url: 'http://127.0.0.1:$receiver/'}]
rollouts:
  - {service: orders, candidate: {build: b}, tiers: [1, 10, all], judge: {least: 100s, every: 100ms}}
"""


def monitored(folder, config=CONFIG, kind=Gateway, days=90, **words):
    """The Gateway, not yet started. What is not given as a keyword is well."""
    certificate(folder, days=days)
    (folder / "machines.yaml").write_text("instances: [{address: '127.0.0.1:%s', protocol: grpc}]\n" % words.get("jobs", 1))
    return kind(folder, config, **{"tls": free_port(), "node": "gw1", "sandbox": "true", "rows": 500, "connections": 1000,
                                      "receiver": 1, "jwks": 1, "jobs": 1, "sunset": "2036-01-01",
                                      "instances": "[{address: '127.0.0.1:1', protocol: grpc, versions: [v3]}]", **words})


def generated(config, folder, *options):
    """What `passerelle monitoring` has written there."""
    done = subprocess.run([BINARY, "monitoring", config, "--out", folder, *options], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return {str(path.relative_to(folder)): path.read_text() for path in pathlib.Path(folder).rglob("*") if path.is_file()}


class Prometheus:
    """Scrapes gateways each second, and knows which alerts fire."""

    def __init__(self, folder, rules, targets, every="1s", options=()):
        self.port, self.folder = free_port(), folder
        listed = ", ".join(f"'127.0.0.1:{port}'" for port in targets)
        self.file = folder / "prometheus.yaml"
        self.file.write_text(f"global: {{scrape_interval: {every}, scrape_timeout: {every}, evaluation_interval: {every}}}\n"
                             f"rule_files: ['{rules}']\n"
                             f"scrape_configs:\n  - {{job_name: passerelle, static_configs: [{{targets: [{listed}]}}]}}\n")
        self.options = options
        self.process = None

    def __enter__(self):
        self.process = Process(["prometheus", f"--config.file={self.file}", f"--storage.tsdb.path={self.folder}/tsdb",
                                f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn", *self.options])
        return self.process.wait_until(self.ready) and self

    def __exit__(self, *_):
        self.process.terminate()

    def ready(self):
        try:
            return self.get("/-/ready")
        except OSError:
            return False

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.read()

    def query(self, expression):
        """[(labels, value)]"""
        found = json.loads(self.get("/api/v1/query?" + urllib.parse.urlencode({"query": expression})))
        return [(one["metric"], one.get("value", [0, None])[1]) for one in found["data"]["result"]]

    def firing(self):
        """{(alert without its prefix, severity)}"""
        alerts = json.loads(self.get("/api/v1/alerts"))["data"]["alerts"]
        return {(alert["labels"]["alertname"].removeprefix("Passerelle"), alert["labels"]["severity"])
                for alert in alerts if alert["state"] == "firing"}
