"""What is recorded about clients: nothing of them becomes a metric, and the store forgets them."""
import hashlib
import hmac
import json
import os
import re
import sqlite3
import subprocess

import pytest
from backends import Backend, client, v1, v3
from gateway import BINARY, SHOP_CONFIG, Gateway, instances
from processes import eventually
from stores import store  # noqa: F401  (a fixture)

KEY = "0123456789abcdef0123456789abcdef"
IDENTITY = """
identity_header: x-client
identity: {tenant_header: x-tenant, class_header: x-class, claim_headers: {plan: x-plan, region: x-region}}
trusted_proxies: [127.0.0.1]
clients: $clients
"""
# The marks are in no name of the config or the schemas.
MARKS = {"X-Client": "zebra-%d", "X-Tenant": "yucca-%d", "X-Class": "quince-%d", "X-Plan": "walnut-%d"}


def headers(number, **more):
    return {**{name: mark % number for name, mark in MARKS.items()}, **more}


def label_values(page):
    """All of a page in Prometheus' text format."""
    for line in page.splitlines():
        if not line.startswith("#"):
            yield from re.findall(r'[a-z_]+="((?:[^"\\]|\\.)*)"', line)


def call_in_many_ways(gateway):
    """Good and bad calls of many clients, in several dialects and versions."""
    order = {"customer": "ada", "items": [{"sku": "classic", "quantity": 1}], "total_cents": "1999"}
    for number in range(20):
        whose = headers(number)
        assert gateway.http("POST", "/v1/orders", order, headers=whose).status == 200
        assert gateway.http("GET", "/v1/orders/none", headers=whose).status == 404
        assert gateway.http("POST", "/v1/orders", "{", headers={**whose, "Content-Type": "application/json"}).status == 400
        assert gateway.http("GET", "/nowhere", headers=whose).status == 404
        assert gateway.http("GET", "/v1/orders/none", headers={**whose, "API-Version": "v7"}).status == 400
        gateway.http("GET", "/v1/orders/none", headers={"X-Client": f"zebra-too-{number}"})
    metadata = [(name.lower(), mark % 77) for name, mark in MARKS.items()]
    client(gateway, "v3").ListRecommendations(v3.ListRecommendationsRequest(), timeout=10, metadata=metadata)


@pytest.mark.parametrize("recorded", ["named", "hashed"])
def test_no_label_of_any_metric_names_a_client(tmp_path, recorded):
    (tmp_path / "key").write_text(KEY)
    clients = "named" if recorded == "named" else "{recorded: hashed, key: key}"
    config = SHOP_CONFIG.replace("    changes:", "    pins: {zebra-1: v2, zebra-2: v3}\n    changes:") + IDENTITY + \
        "store: $folder/store.db\n"
    with Backend("v3") as backend, \
            Gateway(tmp_path, config, clients=clients, instances=instances(("v3", backend.port))) as gateway:
        call_in_many_ways(gateway)
        line = gateway.logged(log="call", tenant="yucca-7")
        assert line.get("claims") == ({"plan": "walnut-7"} if recorded == "named" else None)
        shown = line["client"]
        hashes = {hmac.new(KEY.encode(), b"zebra-%d" % number, hashlib.sha256).hexdigest()[:32] for number in range(20)}
        assert shown == "zebra-7" if recorded == "named" else shown in hashes
        page = gateway.admin("/metrics").body.decode()
        openmetrics = gateway.http("GET", "/metrics", port=gateway.admin_port,
                                   headers={"Accept": "application/openmetrics-text"}).body.decode()
        values = set(label_values(page)) | set(label_values(openmetrics))
        assert {"orders", "UNKNOWN_PATH", "audit"} <= values  # the calls and the store are there
        named = [value for value in values if re.search("zebra|yucca|quince|walnut", value) or hashes & {value}]
        assert not named
        assert not re.search("zebra|yucca|quince|walnut", page + openmetrics)


# ---- Forgetting --------------------------------------------------------------------------------

TOKENS = {"reader": "r" * 40, "ops": "o" * 40}
HASHES = {name: hashlib.sha256(token.encode()).hexdigest() for name, token in TOKENS.items()}
OPERATED = """
listen: [127.0.0.1:$port]
admin:
  address: 127.0.0.1:$admin
  socket: unix:admin.sock
  operators:
    - {name: reader, role: read, token_sha256: $reader}
    - {name: ops, role: operate, token_sha256: $ops}
$stored
clients: $clients
log: "-"
"""


def operated(folder, stored, clients="named"):
    return Gateway(folder, OPERATED, stored=stored, clients=clients, **HASHES)


def command(gateway, *words):
    return subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "PASSERELLE_ADMIN": f"unix:{gateway.folder}/admin.sock"})


def audit(gateway):
    return json.loads(command(gateway, "audit", "--json").stdout)["entries"]


@pytest.mark.parametrize("recorded", ["named", "hashed"])
def test_a_client_is_forgotten_and_the_audit_says_so_without_the_name(tmp_path, store, recorded):  # noqa: F811
    (tmp_path / "key").write_text(KEY)
    clients = "named" if recorded == "named" else "{recorded: hashed, key: key}"
    with operated(tmp_path, f"store: {store.setting}", clients) as gateway:
        eventually(lambda: gateway.metric("passerelle_store_up") == 1)
        done = command(gateway, "client", "forget", "CN=zebra é/&?=", "--json", "--why", "she asked for it")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"action": "client_forget", "records": 0}
        entry, = audit(gateway)
        assert entry["action"] == "client_forget" and entry["why"] == "she asked for it"
        assert entry["result"] == "done" and entry["who"].startswith("uid ")
        assert entry["before"] == entry["after"]
        assert "zebra" not in json.dumps(audit(gateway)) + json.dumps(gateway.log())
        assert command(gateway, "client", "forget", "other", "--quiet").stdout == ""


def test_only_operators_forget_clients(tmp_path, store):  # noqa: F811
    with operated(tmp_path, f"store: {store.setting}") as gateway:
        eventually(lambda: gateway.metric("passerelle_store_up") == 1)
        for operator, status in ((None, 401), ("reader", 403), ("ops", 200)):
            fields = {"Authorization": f"Bearer {TOKENS[operator]}"} if operator else {}
            answer = gateway.http("POST", "/client/forget?name=zebra", headers=fields, port=gateway.admin_port)
            assert answer.status == status
        for path, status in (("/client/forget", 400), ("/client/forget?name=", 400), ("/client/forget?name=%zz", 400),
                             ("/client/forget?client=a", 400), ("/client/forget?name=a&name=b", 400),
                             ("/client/forget?name=a&x", 400), ("/reload?name=a", 400), ("/drain?x", 400)):
            assert gateway.http("POST", path, headers=fields, port=gateway.admin_port).status == status
        assert gateway.http("GET", "/client/forget?name=zebra", headers=fields, port=gateway.admin_port).status == 405
        assert [entry["who"] for entry in audit(gateway)] == ["ops"]
        assert "zebra" not in json.dumps(gateway.log())


def test_a_client_is_not_forgotten_by_halves_in_the_store_of_a_newer_gateway(tmp_path):
    with operated(tmp_path, f"store: {tmp_path}/store.db") as gateway:
        eventually(lambda: gateway.metric("passerelle_store_up") == 1)
        with sqlite3.connect(tmp_path / "store.db") as db:
            db.execute("INSERT INTO store_schema (number, oldest_reader) VALUES (1000, 1)")
        done = command(gateway, "client", "forget", "zebra")
        assert done.returncode == 1 and "a newer gateway" in done.stderr and "zebra" not in done.stderr
        entry, = audit(gateway)
        assert entry["action"] == "client_forget" and entry["result"] == "STORE_CONFLICT"


def test_where_nothing_is_stored_there_is_nobody_to_forget(tmp_path):
    with operated(tmp_path, "") as gateway:
        done = command(gateway, "client", "forget", "zebra")
        assert done.returncode == 1 and "no store" in done.stderr
    for words in ((), ("forget",), ("forget", ""), ("remember", "zebra"), ("forget", "a", "b")):
        assert command(gateway, "client", *words).returncode == 2
    assert command(gateway, "client", "forget", "zebra").returncode == 3
