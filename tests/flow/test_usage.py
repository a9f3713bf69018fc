"""Who uses which version is known, and an old one ends when nobody does."""
import collections
import datetime
import json
import os
import subprocess

import pytest
from backends import Backend, client, v1
from gateway import BINARY, SHOP_CONFIG, Gateway, instances
from processes import eventually
from stores import store  # noqa: F401  (a fixture)

CONFIG = SHOP_CONFIG.replace(
    "admin: {address: 127.0.0.1:$admin}",
    "admin: {address: '127.0.0.1:$admin', socket: 'unix:admin.sock'}\nidentity_header: x-client\n"
    "trusted_proxies: [127.0.0.1]\nnode: $node\nusage: $usage\n$more")
RETIRING = CONFIG.replace("schema: $orders}", "schema: $orders, sunset: 2020-03-01}", 1).replace(
    "    changes:", "    retire: [{version: v1, unused_for: $unused, brownouts: $brownouts}]\n    changes:")


def gateway_of(folder, backends, config=CONFIG, store=None, **words):
    words = {"node": "gw1", "usage": "{every: 100ms}", "unused": "1h", "brownouts": "[]", **words}
    words.setdefault("more", f"store: {store.setting}" if store else "")
    return Gateway(folder, config, instances=instances(("v3", backends["v3"].port)), **words)


def command(gateway, *words):
    environment = {**os.environ, "PASSERELLE_ADMIN": f"unix:{gateway.folder}/admin.sock"}
    return subprocess.run([BINARY, *words], env=environment, capture_output=True, text=True, timeout=60)


def usage(gateway, *words):
    done = command(gateway, "usage", "orders", *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def call(gateway, who="ada", version="v1"):
    return gateway.http("GET", f"/{version}/orders", headers={"x-client": who} if who else {})


def calls_by_client(page):
    return {(row["client"], row["version"]): row["calls"] for row in page["clients"]}


@pytest.fixture(scope="module")
def backends():
    with Backend("v3") as backend:
        yield {"v3": backend}


def test_usage_is_what_the_access_log_has(tmp_path, backends, store):  # noqa: F811
    with gateway_of(tmp_path, backends, store=store) as gateway:
        for client, version, n in (("ada", "v1", 3), ("bob", "v1", 1), ("bob", "v3", 2), ("", "v2", 2)):
            for _ in range(n):
                assert call(gateway, client, version).status == 200
        assert gateway.http("POST", "/v1/orders", {"customer": "ada"}, {"x-client": "ada"}).status == 200
        page = usage(gateway)
        logged = eventually(lambda: [lines for lines in [[line for line in gateway.log() if line.get("method")]]
                                     if len(lines) == 9])[0]
        assert {(row["version"], row["method"]): row["calls"] for row in page["methods"]} == collections.Counter(
            (line["client_version"], line["method"]) for line in logged)
        assert calls_by_client(page) == collections.Counter(
            (line.get("client", ""), line["client_version"]) for line in logged)
        assert page["all_gateways"] is True and not any(row["more_clients"] for row in page["methods"])
        only = usage(gateway, "v1", "--client", "bob")
        assert calls_by_client(only) == {("bob", "v1"): 1} and [row["calls"] for row in only["methods"]] == [1]
        text = command(gateway, "usage", "orders", "v1").stdout
        assert "shop.orders.v1.Orders/Create" in text and "bob" in text and "v3" not in text


def test_gateways_of_one_store_add_up_also_over_restarts(tmp_path, backends, store):  # noqa: F811
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    with gateway_of(tmp_path / "1", backends, store=store) as first:
        call(first), call(first, "bob")
    with gateway_of(tmp_path / "1", backends, store=store) as first, \
            gateway_of(tmp_path / "2", backends, store=store, node="gw2") as second:
        call(first), call(second), call(second, "carl")
        assert usage(second)["methods"][0]["clients"] == 3 or eventually(
            lambda: usage(second)["methods"][0]["calls"] == 5)
        eventually(lambda: calls_by_client(usage(first)) == {("ada", "v1"): 3, ("bob", "v1"): 1, ("carl", "v1"): 1})
        assert command(first, "client", "forget", "ada", "--why", "test").returncode == 0
        clients = {client for client, _ in calls_by_client(usage(first))}
        assert "ada" not in clients and {"bob", "carl"} <= clients and len(clients) == 3
        assert usage(first)["methods"][0]["calls"] == 5


def test_without_usage_nothing_is_counted(tmp_path, backends):
    config = CONFIG.replace("usage: $usage\n", "")
    with gateway_of(tmp_path, backends, config) as gateway:
        call(gateway)
        done = command(gateway, "usage", "orders")
        assert done.returncode == 1 and "no `usage`" in done.stderr
        assert gateway.metric("passerelle_usage_rows") == 0


def test_what_the_config_does_not_have_is_told(tmp_path, backends):
    with gateway_of(tmp_path, backends) as gateway:
        for words, said in (["nope"], "there is no service nope; there are orders"), \
                (["orders", "v9"], "there is no version v9; the versions of orders are v1, v2, v3"):
            done = command(gateway, "usage", *words)
            assert done.returncode == 1 and done.stdout == "" and said in done.stderr
        assert command(gateway, "usage", "orders", "v2").returncode == 0  # which nobody has used
        hint = "fields of requests are not counted: write usage: {fields: true} under the service"
        assert hint in command(gateway, "usage", "orders", "--fields").stdout
        assert hint not in command(gateway, "usage", "orders").stdout
        assert usage(gateway, "--fields")["fields_counted"] is False and "fields_counted" not in usage(gateway)


def test_clients_are_recorded_as_the_config_says(tmp_path, backends):
    key = tmp_path / "clients.key"
    key.write_text("5a" * 32 + "\n")
    key.chmod(0o600)
    with gateway_of(tmp_path, backends, more=f"clients: {{recorded: hashed, key: {key}}}") as gateway:
        call(gateway)
        client = usage(gateway)["clients"][0]["client"]
        assert len(client) == 32 and client != "ada"
        assert usage(gateway, "--client", "ada")["clients"][0]["client"] == client


def test_a_version_with_retire_ends_when_nobody_uses_it(tmp_path, backends, store):  # noqa: F811
    with gateway_of(tmp_path, backends, RETIRING, store=store, unused="1s") as gateway:
        assert call(gateway).status == 200
        eventually(lambda: gateway.events("version_past_sunset"))
        assert gateway.metric("passerelle_version_past_sunset", version="v1") == 1
        eventually(lambda: gateway.events("version_retired"))
        answer = call(gateway)
        assert answer.status == 410 and answer.json["reason"] == "VERSION_SUNSET"
        assert call(gateway, version="v3").status == 200
        page = usage(gateway)
        assert page["retiring"][0]["state"] == "retired" and "nobody has called it" in page["retiring"][0]["why"]
        assert calls_by_client(page)["ada", "v1"] == 1  # what was refused is no use
        assert gateway.metric("passerelle_version_retired", version="v1") == 1


def test_an_operator_ends_a_version_with_a_reason_and_takes_it_back(tmp_path, backends, store):  # noqa: F811
    with gateway_of(tmp_path, backends, RETIRING, store=store) as gateway:
        assert call(gateway).status == 200
        assert command(gateway, "retire", "orders", "v1").returncode == 2
        assert command(gateway, "retire", "orders", "v2", "--why", "x").returncode == 1
        done = command(gateway, "retire", "orders", "v1", "--why", "ada has moved")
        assert done.returncode == 0, done.stderr
        assert call(gateway).status == 410
        assert usage(gateway)["retiring"][0]["why"] == "ada has moved"
        assert command(gateway, "retire", "orders", "v1", "--again", "--why", "not yet").returncode == 0
        assert call(gateway).status == 200
        audit = json.loads(command(gateway, "audit", "--json").stdout)["entries"]
        assert {"retire", "retire_again"} <= {entry["action"] for entry in audit}
    with gateway_of(tmp_path, backends, RETIRING, store=store) as gateway:
        command(gateway, "retire", "orders", "v1", "--why", "over")
    with gateway_of(tmp_path, backends, RETIRING, store=store) as gateway:
        eventually(lambda: call(gateway).status == 410)


def test_a_brown_out_is_loud_until_it_is_over(tmp_path, backends):
    begin = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1)
    brownouts = f"[{{at: '{begin.strftime('%Y-%m-%dT%H:%M:%SZ')}', for: 1h}}]"
    with gateway_of(tmp_path, backends, RETIRING, brownouts=brownouts) as gateway:
        answer = call(gateway)
        assert answer.status == 503 and answer.json["reason"] == "VERSION_BROWNOUT"
        assert 3000 <= int(answer.headers["Retry-After"]) <= 3540 and "use v2, v3" in answer.json["detail"]
        assert call(gateway, version="v3").status == 200
        assert eventually(lambda: gateway.events("brownout_began"))[0]["level"] == "warning"
        assert gateway.metric("passerelle_brownout_refused_total", version="v1") == 1
        assert usage(gateway)["retiring"][0]["state"] == "brownout"
        assert calls_by_client(usage(gateway))["ada", "v1"] == 1  # whoever was refused still uses it
        gateway.write(brownouts="[]")
        gateway.reload()
        ended = eventually(lambda: gateway.events("brownout_ended"))
        assert "1 calls were refused" in ended[0]["message"] and call(gateway).status == 200


def test_a_brown_out_is_announced_before_it_begins(tmp_path, backends):
    begin = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(hours=1)
    brownouts = f"[{{at: '{begin.strftime('%Y-%m-%dT%H:%M:%SZ')}', for: 10m, share: 5 %}}]"
    told = f"@{int(begin.timestamp())};for=600;share=5.00"
    with gateway_of(tmp_path, backends, RETIRING, brownouts=brownouts) as gateway:
        assert call(gateway).headers["passerelle-brownout"] == told
        assert "passerelle-brownout" not in call(gateway, version="v3").headers
        _, made = client(gateway, "v1").List.with_call(v1.ListRequest())
        assert dict(made.initial_metadata())["passerelle-brownout"] == told


def test_check_warns_of_a_sunset_that_hits_clients_of_last_week(tmp_path, backends, store):  # noqa: F811
    ageing = CONFIG.replace("schema: $orders}", "schema: $orders, sunset: 2099-03-01}", 1)
    with gateway_of(tmp_path, backends, ageing, store=store) as gateway:
        assert "sunset of v1" not in gateway.check().stdout  # nobody has called it
        for client in "ada", "bob", "carl", "dora":
            call(gateway, client)
        call(gateway, "eva", "v3")
        usage(gateway)
        warned = [line for line in gateway.check().stdout.splitlines() if "sunset of v1" in line]
        assert len(warned) == 1 and "2099-03-01, will hit" in warned[0] and "and 1 more" in warned[0], warned
        assert "eva" not in warned[0] and "passerelle usage orders v1" in warned[0]
        retiring = ageing.replace("    changes:", "    retire: [{version: v1}]\n    changes:")
        gateway.write(retiring)
        assert "sunset of v1" not in gateway.check().stdout
        gateway.write(ageing)
    nobody = tmp_path / "nobody"
    nobody.mkdir()
    assert gateway_of(nobody, backends, ageing, more="store: {sqlite: nothing.db}").check().returncode == 0


def test_fields_that_requests_set_are_counted_in_each_format(tmp_path, backends):
    config = CONFIG.replace("    changes:", "    usage: {fields: true}\n    changes:")
    with gateway_of(tmp_path, backends, config) as gateway:
        gateway.http("POST", "/v1/orders", {"customer": "ada", "items": [{"sku": "tea"}, {"sku": "mug"}]}, {"x-client": "ada"})
        gateway.http("GET", "/v1/orders?customer=ada", headers={"x-client": "ada"})
        client(gateway, "v1").List(v1.ListRequest(customer="ada", limit=5))
        fields = {row["field"]: row["calls"] for row in usage(gateway, "v1", "--fields")["methods"] if "field" in row}
        assert fields == {"CreateRequest.order": 1, "Order.customer": 1, "Order.items": 1, "Item.sku": 1,
                          "ListRequest.customer": 2, "ListRequest.limit": 1}
        assert not any("field" in row for row in usage(gateway, "v1")["methods"])
        text = command(gateway, "usage", "orders", "v1", "--fields", "--client", "ada").stdout
        assert "Item.sku" in text and "ListRequest.limit" not in text and "not counted" not in text
