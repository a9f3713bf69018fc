"""What the gateway does about what is broken: told, counted, listed; and what happens when it is too much."""
import json
import os
import subprocess

import pytest
from backends import Backend
from gateway import BINARY, Gateway
from operators import command, on_socket, plain
from processes import eventually, free_port
from test_retries import Shop, listed, unavailable, well

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin', socket: 'unix:admin.sock'}
log: "-"
loops: 1
services:
  - name: orders
    versions: [{name: v3, package: shop.orders.v3, schema: $orders}]
    instances: $instances
routes: [{match: orders, timeout: 20s, attempts: 2, retry: {initial_backoff: 1ms, max_backoff: 2ms}}]
healing: $healing
"""


@pytest.fixture
def run(tmp_path):
    """run(ports..., healing=...): a gateway before instances at these ports."""
    running = []

    def start(*ports, healing="{}"):
        running.append(Gateway(tmp_path, CONFIG, instances=listed(*ports), healing=healing).start())
        return running[0]
    yield start
    for gateway in running:
        gateway.stop()


def page(gateway):
    done = command(gateway, "healing", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def act_of(gateway, act, service="orders"):
    return next((row for row in page(gateway)["acts"] if (row["act"], row.get("service", "")) == (act, service)), None)


def total(gateway, act, service="orders"):
    return gateway.metric("passerelle_healing_total", act=act, service=service)


def excess(gateway, act, service="orders"):
    return gateway.metric("passerelle_healing_excess", act=act, service=service)


def get(gateway):
    return gateway.http("GET", "/v3/orders/x")


def test_an_instance_that_cannot_be_reached_is_listed_until_it_is_back(run):
    port = free_port()
    gateway = run(port)
    assert page(gateway) == {"manual": [], "now": [], "acts": [], "history": []}
    assert get(gateway).status == 503
    entry, = page(gateway)["now"]
    assert (entry["act"], entry["service"], entry["subject"]) == ("reconnect", "orders", f"127.0.0.1:{port}")
    assert "connection refused" in entry["cause"] and entry["seconds"] >= 0
    assert (total(gateway, "reconnect"), gateway.metric("passerelle_healing_now", act="reconnect")) == (1, 1)
    line, = eventually(lambda: gateway.events("healing_begun"))
    assert line["level"] == "warning" and line["subject"] == entry["subject"] and line["causes"][0]["fault"] == "UPSTREAM_DOWN"
    with Backend("v3", port):
        eventually(lambda: get(gateway).status == 404)  # there is no such order
        eventually(lambda: page(gateway)["now"] == [])
        was, = page(gateway)["history"]
        assert was["subject"] == entry["subject"] and was["how"] == "a connect has succeeded" and was["seconds"] > entry["seconds"]
        line, = eventually(lambda: gateway.events("healing_ended"))
        assert line["level"] == "info" and abs(line["ms"] / 1000 - was["seconds"]) < 0.01
        assert (total(gateway, "reconnect"), gateway.metric("passerelle_healing_now", act="reconnect")) == (1, 0)


def test_acts_of_calls_are_counted_without_events(run):
    with Shop(unavailable, well) as bad, Shop(well) as good:
        gateway = run(bad.port, good.port)
        while not bad.asked:
            assert get(gateway).status == 200
        assert total(gateway, "retry") == act_of(gateway, "retry")["total"] == 1
        assert gateway.events("healing_begun") == []


def test_an_instance_of_another_cell_is_an_act(tmp_path):
    config = CONFIG.replace("loops: 1", "loops: 1\ncell: near\ncells: {spill: 100}")
    with Shop(well) as far:
        listed_in_cells = (f"[{{address: '127.0.0.1:{free_port()}', protocol: grpc, cell: near}}, "
                           f"{{address: '127.0.0.1:{far.port}', protocol: grpc, cell: far}}]")
        with Gateway(tmp_path, config, instances=listed_in_cells, healing="{}") as gateway:
            eventually(lambda: get(gateway).status == 200)
            assert total(gateway, "cell") >= 1
            assert act_of(gateway, "cell")["total"] == total(gateway, "cell")


def test_too_many_acts_are_told_and_stop_until_half_of_them_are_past(run):
    with Shop(unavailable) as bad:
        gateway = run(bad.port, healing="{retry: {per: 6s, at_most: 4, percent: 0, stop: true}}")
        for _ in range(4):
            assert get(gateway).headers["Passerelle-Not-Retried"] == "attempts"
        row = act_of(gateway, "retry")
        assert (row["lately"], row["at_most"], row["seconds"], row["excess"], row["stopped"]) == (4, 4, 6, False, False)
        assert excess(gateway, "retry") == 0 and gateway.events("healing_excess") == []
        assert get(gateway).headers["Passerelle-Not-Retried"] == "attempts"
        assert excess(gateway, "retry") == 1
        line, = eventually(lambda: gateway.events("healing_excess"))
        assert (line["level"], line["act"], line["service"]) == ("warning", "retry", "orders")
        assert line["message"] == "5 in 6 s, at most 4: no more are done"
        now, = page(gateway)["now"]
        assert now["excess"] and now["why"] == line["message"] and act_of(gateway, "retry")["stopped"]
        assert "too many: no more are done" in command(gateway, "healing").stdout
        asked = len(bad.asked)
        assert get(gateway).headers["Passerelle-Not-Retried"] == "budget"
        assert len(bad.asked) == asked + 1
        eventually(lambda: excess(gateway, "retry") == 0)
        line, = eventually(lambda: gateway.events("healing_excess_over"))
        assert line["ms"] > 4000
        assert get(gateway).headers["Passerelle-Not-Retried"] == "attempts"


def test_history_counts_and_excesses_stay_over_a_reload(run):
    port = free_port()
    with Shop(unavailable) as bad:
        gateway = run(bad.port, port, healing="{retry: {per: 60s, at_most: 0, percent: 0}}")
        while not page(gateway)["now"] or not excess(gateway, "retry"):
            get(gateway)
        before = page(gateway)
        gateway.write(healing="{retry: {per: 60s, at_most: 0, percent: 0}, shed: {at_most: 9}}")
        assert command(gateway, "reload").returncode == 0
        after = page(gateway)
        assert [entry["since"] for entry in after["now"]] == [entry["since"] for entry in before["now"]]
        assert excess(gateway, "retry") == 1
        gateway.write(healing="{retry: {per: 60s, at_most: 1000}}")
        assert command(gateway, "reload").returncode == 0
        assert excess(gateway, "retry") == 0
        assert [entry["act"] for entry in page(gateway)["history"] if entry.get("excess")] == ["retry"]


def test_the_command_shows_tables_and_obeys_its_options(run, tmp_path):
    port = free_port()
    gateway = run(port)
    get(gateway)
    done = command(gateway, "healing")
    assert done.returncode == 0 and "now: 1" in done.stdout and "history: 0" in done.stdout
    assert "reconnect" in done.stdout and f"127.0.0.1:{port}" in done.stdout and "because: UPSTREAM_DOWN" in done.stdout
    assert command(gateway, "healing", "--quiet").stdout == ""
    assert command(gateway, "healing", "now").returncode == 2
    assert command(gateway, "healing", "--limit", "0").returncode == 2
    assert command(gateway, "healing", "--limit", "1").returncode == 0
    assert command(gateway, "healing", PASSERELLE_ADMIN=f"unix:{tmp_path}/none.sock").returncode == 3


def test_watch_prints_it_again(run, tmp_path):
    gateway = run(free_port())
    told = tmp_path / "told"
    with open(told, "w") as written:
        watching = subprocess.Popen([BINARY, "healing", "--watch"], stdout=written,
                                    env={**os.environ, "PASSERELLE_ADMIN": f"unix:{tmp_path}/admin.sock"})
        try:
            eventually(lambda: told.read_text().count("history: 0") >= 2)
            get(gateway)
            eventually(lambda: "reconnect" in told.read_text())
        finally:
            watching.terminate()
            watching.wait()


def test_who_may_not_read_does_not_see_it(run):
    gateway = run(free_port())
    assert plain(gateway)("GET", "/healing").status == 401


def test_what_cannot_stop_is_a_mistake(tmp_path):
    gateway = Gateway(tmp_path, CONFIG, instances=listed(1), healing="{restart: {stop: true}}")
    done = gateway.check()
    assert done.returncode == 1 and "healing.restart.stop: this act cannot be stopped" in done.stdout + done.stderr


def test_checks_of_an_instance_that_is_down_are_no_retries(tmp_path):
    checked = CONFIG.replace("$instances", "$instances\n    health: {check: {grpc: {}, every: 100ms, timeout: 100ms}}")
    with Gateway(tmp_path, checked, instances=listed(free_port()), healing="{}") as gateway:
        eventually(lambda: gateway.metric("passerelle_checks_failed_total") >= 5)
        assert "retry" not in [row["act"] for row in page(gateway)["acts"]]
        assert get(gateway).status == 503
        assert [row["service"] for row in page(gateway)["acts"] if row["act"] == "retry"] in ([], ["orders"])


def test_a_store_that_cannot_be_used_is_shown_until_it_can(tmp_path):
    (tmp_path / "store.db").mkdir()
    config = "listen: ['127.0.0.1:$port']\nadmin: {address: '127.0.0.1:$admin', socket: 'unix:$folder/admin.sock'}\n" \
             "log: '-'\nstore: store.db\nservices: []\n"
    with Gateway(tmp_path, config) as gateway:
        eventually(lambda: gateway.events("store_down"))
        assert on_socket(tmp_path / "admin.sock", "GET", "/healing").json["store_down"] == "sqlite"
        assert "the store (sqlite) cannot be used" in command(gateway, "healing").stdout
        (tmp_path / "store.db").rmdir()
        eventually(lambda: "store_down" not in on_socket(tmp_path / "admin.sock", "GET", "/healing").json)
        assert "the store" not in command(gateway, "healing").stdout
