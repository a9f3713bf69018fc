"""Config: every mistake is told at once, nothing wrong is ever loaded, and SIGHUP swaps it whole."""
import re
import subprocess
import time

import pytest
from backends import Backend, client, order_v3, v1, v3
from gateway import BINARY, SHOP_CONFIG, Gateway, instances
from processes import eventually

TEN_MISTAKES = """\
listen:
  - address: 127.0.0.1:99999
  - {address: 127.0.0.1:$port, tsl: {}}
admin: {address: nowhere}
services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders, sunset: soon}
      - {name: v2, package: shop.orders.v7, schema: $orders}
      - {name: v3, package: shop.orders.v3, schema: missing.binpb}
    changes: [missing.yaml]
    instances:
      - {address: 127.0.0.1:7003, protocol: grcp, versions: [v3]}
      - {address: 127.0.0.1:7004, protocol: grpc, versions: [v4]}
routes:
  - {match: order, timeout: 2parsecs}
limits: {head_bytes: -5}
"""


def test_ten_mistakes_are_told_in_one_run_each_with_its_place(tmp_path):
    gateway = Gateway(tmp_path, TEN_MISTAKES)
    done = gateway.check()
    assert done.returncode == 1
    told = done.stdout + done.stderr
    places = re.findall(r"gateway\.yaml:(\d+):(\d+): ", told)
    lines = {int(line) for line, _ in places}
    assert lines >= {2, 3, 4, 8, 9, 10, 11, 13, 14, 16, 17}, told
    assert len(places) >= 11
    for nearest in ("tls", "grpc", "orders"):
        assert nearest in told
    assert "services[0].versions[0].sunset" in told


def test_of_a_wrong_package_nothing_else_is_told(tmp_path):
    """The change lists beside it would lack all of its types."""
    config = SHOP_CONFIG.replace("package: shop.orders.v1", "package: shop.orders.v7")
    gateway = Gateway(tmp_path, config, instances=instances(("v3", 7003)))
    told = gateway.check().stdout.splitlines()
    assert len(told) == 1 and "no RPC service in the package shop.orders.v7 (did you mean shop.orders.v1)" in told[0]


def test_run_refuses_what_check_refuses(tmp_path):
    gateway = Gateway(tmp_path, TEN_MISTAKES)
    gateway.write()
    done = subprocess.run([BINARY, "run", gateway.file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert len(re.findall(r"gateway\.yaml:\d+:\d+: ", done.stdout + done.stderr)) >= 11


@pytest.mark.parametrize("text", ["", "listen: [", "- 1\n- 2\n", "listen: *nothing\n", "\t", "a: 1\na: 2\n"])
def test_what_is_no_config_at_all_is_refused(tmp_path, text):
    done = Gateway(tmp_path, text).check()
    assert done.returncode == 1 and "gateway.yaml" in done.stdout + done.stderr


def test_a_file_that_is_not_there_is_refused(tmp_path):
    done = subprocess.run([BINARY, "check", tmp_path / "none.yaml"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "none.yaml" in done.stdout + done.stderr


def test_a_good_config_passes_and_its_losses_are_reported(tmp_path):
    done = Gateway(tmp_path, instances=instances(("v3", 7003))).check()
    assert done.returncode == 0, done.stderr
    assert "Order.comment" in done.stdout and "dropped" in done.stdout


def test_a_default_answer_that_the_schema_does_not_know_is_refused(tmp_path):
    config = SHOP_CONFIG.replace("lines: [{sku: classic, quantity: 1}]", "lines: [{skuu: classic}]")
    done = Gateway(tmp_path, config, instances=instances(("v3", 7003))).check()
    assert done.returncode == 1 and "skuu" in done.stdout + done.stderr


def test_an_address_that_is_taken_is_said(tmp_path):
    with Backend("v3") as backend:
        gateway = Gateway(tmp_path, instances=instances(("v3", backend.port)), port=backend.port)
        gateway.write()
        done = subprocess.run([BINARY, "run", gateway.file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and str(backend.port) in done.stdout + done.stderr


def test_a_reload_takes_over_and_calls_at_work_go_on(run_shop):
    shop = run_shop("v3")
    stub = shop.client("v3")
    made = stub.Create(v3.CreateRequest(order=order_v3()))
    watching = stub.Watch(v3.WatchRequest(id=made.id))
    assert next(watching).state == v3.PLACED

    with Backend("v1") as old:
        shop.gateway.write(instances=instances(("v1", old.port)))
        shop.gateway.reload()
        eventually(lambda: client(shop.gateway, "v1").List(v1.ListRequest()) is not None
                   and old.told("call", method="List"))
        shop.backend().stub().SetStatus(v3.SetStatusRequest(id=made.id, state=v3.DELIVERED))
        assert [order.state for order in watching] == [v3.DELIVERED]


def test_a_bad_reload_leaves_the_old_config_and_says_so(run_shop):
    shop = run_shop("v3")
    before = len(shop.gateway.process.errors)
    shop.gateway.write(config=TEN_MISTAKES)
    shop.gateway.reload()
    told = eventually(lambda: "\n".join(shop.gateway.process.errors[before:]))
    eventually(lambda: "gateway.yaml:17" in "\n".join(shop.gateway.process.errors[before:]))
    assert told and shop.http("GET", "/v1/orders").status == 200
    mistakes = shop.gateway.logged(event="config_refused")["mistakes"]
    assert len(mistakes) >= 11 and any("gateway.yaml:17:" in mistake for mistake in mistakes)
    eventually(lambda: shop.gateway.metric("passerelle_config_reloads_total", outcome="refused") == 1)
    shop.gateway.write(config=SHOP_CONFIG)
    shop.gateway.reload()
    eventually(lambda: shop.gateway.metric("passerelle_config_reloads_total", outcome="taken") >= 1)
    assert shop.http("GET", "/v1/orders").status == 200


def lines_of(path, text):
    return path.exists() and [line for line in path.read_text().splitlines() if text in line]


def test_the_log_is_reopened_on_sighup_whatever_the_config_says(tmp_path):
    """The name of the log is relative to the config."""
    config = "listen: [127.0.0.1:$port]\nadmin: 127.0.0.1:$admin\nlog: calls.log\n"
    log, rotated = tmp_path / "calls.log", tmp_path / "calls.log.1"
    with Gateway(tmp_path, config) as gateway:
        gateway.http("GET", "/before")
        eventually(lambda: lines_of(log, "/before"))
        for wrong in (config + "loops: many\n", "listen: [", None):
            log.rename(rotated)
            gateway.write(wrong) if wrong else gateway.file.unlink()
            gateway.reload()
            eventually(lambda: lines_of(log, "config_refused"))
            gateway.http("GET", "/after")
            eventually(lambda: lines_of(log, "/after"))
            assert not lines_of(rotated, "/after")
            log.unlink()  # so that the next round sees its own lines
            gateway.write(config)
            gateway.reload()
            eventually(lambda: lines_of(log, "config_loaded"))


def test_a_log_that_cannot_be_reopened_goes_on_where_it_was(tmp_path):
    config = "listen: [127.0.0.1:$port]\nadmin: {address: 127.0.0.1:$admin, socket: unix:admin.sock}\nlog: logs/calls.log\n"
    (tmp_path / "logs").mkdir()
    with Gateway(tmp_path, config) as gateway:
        (tmp_path / "logs").rename(tmp_path / "moved")
        gateway.reload()
        eventually(lambda: lines_of(tmp_path / "moved/calls.log", "config_loaded"))
        assert lines_of(tmp_path / "moved/calls.log", '"log_not_reopened"')
        assert any("the log cannot be opened again" in line for line in gateway.process.errors)
        assert gateway.metric("passerelle_log_failed_total") >= 1
        told = subprocess.run([BINARY, "reload", "--admin", f"unix:{tmp_path}/admin.sock"], capture_output=True, text=True,
                              timeout=60, check=False)
        assert (told.returncode, "reload: generation 3" in told.stdout) == (0, True), told
        assert "the log cannot be opened again: NO_FILE" in told.stderr
        (tmp_path / "logs").mkdir()
        gateway.reload()
        eventually(lambda: lines_of(tmp_path / "logs/calls.log", "config_loaded"))


def test_a_new_log_is_opened_by_the_config_that_names_it(tmp_path):
    config = "listen: [127.0.0.1:$port]\nadmin: 127.0.0.1:$admin\nlog: $log\n"
    with Gateway(tmp_path, config, log="a.log") as gateway:
        gateway.write(log="none/b.log")
        gateway.reload()
        eventually(lambda: lines_of(tmp_path / "a.log", "config_refused"))
        gateway.write(log="b.log")
        gateway.reload()
        eventually(lambda: lines_of(tmp_path / "b.log", "config_loaded"))


def test_reloads_under_load_disturb_nobody(run_shop):
    shop = run_shop("v3")
    stub = shop.client("v3")
    end, answered, reloads = time.monotonic() + 3, 0, 0
    while time.monotonic() < end:
        if answered % 50 == 0:
            shop.gateway.reload()
            reloads += 1
        stub.List(v3.ListRequest())
        assert shop.http("GET", "/v1/orders").status == 200
        answered += 1
    assert answered > 50 and reloads > 1


def test_sigterm_lets_calls_at_work_finish(run_shop):
    shop = run_shop("v3")
    call = shop.client("v3").List.future(v3.ListRequest(), metadata=[("shop-delay", "1")])
    eventually(lambda: shop.backend().told("call", method="List"))
    shop.gateway.process.child.terminate()
    assert call.result(10) == v3.ListResponse()


def test_an_idle_client_does_not_hold_up_the_end(run_shop):
    """grpcio looks at an idle connection every five seconds only."""
    shop = run_shop("v3")
    shop.client("v3").List(v3.ListRequest())
    began = time.monotonic()
    assert shop.gateway.process.terminate() == 0
    assert time.monotonic() - began < 4
