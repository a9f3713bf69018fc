"""What outlives a gateway: SQLite and PostgreSQL, and the gateways that share them."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest
from backends import Backend
from gateway import BINARY, SHOP_CONFIG, Gateway, instances
from processes import eventually
from stores import server, store  # noqa: F401  (fixtures)

STORED = "store: $store\nnode: $node\n" + SHOP_CONFIG


def gateway_with(folder, setting, backend=None, node="one", config=STORED):
    folder.mkdir(exist_ok=True)
    listed = instances(("v3", backend.port if backend else 9))
    return Gateway(folder, config, store=setting, node=node, instances=listed)


def fleet(gateway):
    """{name: drift} of the gateways that this one knows."""
    return {known["node"]: known["drift"] for known in gateway.admin("/fleet").json["gateways"]}


def test_gateways_that_share_a_store_see_each_other_until_they_stop(tmp_path, store):  # noqa: F811
    with gateway_with(tmp_path / "a", store.setting, node="one") as one:
        eventually(lambda: fleet(one) == {"one": []})
        with gateway_with(tmp_path / "b", store.setting, node="two") as two:
            eventually(lambda: set(fleet(two)) == set(fleet(one)) == {"one", "two"})
        eventually(lambda: set(fleet(one)) == {"one"})


def test_the_hash_of_a_config_changes_with_its_text_and_comes_back_with_it(tmp_path, store):  # noqa: F811
    with gateway_with(tmp_path / "watch", store.setting, node="watch") as watch:
        eventually(lambda: fleet(watch) == {"watch": []})
        one = watch.admin("/fleet").json["gateways"][0]
        assert len(one["config"]) == 16 and one["generation"] == 1
        watch.write(config=watch.config + "drain: 9s\n")
        watch.reload()
        eventually(lambda: watch.admin("/fleet").json["gateways"][0]["generation"] == 2)
        assert watch.admin("/fleet").json["gateways"][0]["config"] != one["config"]
        watch.write(config=watch.config.replace("drain: 9s\n", ""))
        watch.reload()
        eventually(lambda: watch.admin("/fleet").json["gateways"][0]["generation"] == 3)
        assert watch.admin("/fleet").json["gateways"][0]["config"] == one["config"]


def test_two_gateways_of_one_name_are_told_of(tmp_path, store):  # noqa: F811
    with gateway_with(tmp_path / "a", store.setting, node="same") as first:
        eventually(lambda: fleet(first))
        with gateway_with(tmp_path / "b", store.setting, node="same"):
            eventually(lambda: [line for line in first.log() if line.get("event") == "fleet_name_taken"])


def test_without_a_store_there_is_no_fleet(tmp_path):
    with Gateway(tmp_path, instances=instances(("v3", 9))) as gateway:
        answer = gateway.admin("/fleet")
        assert answer.status == 404 and "store" in answer.json["detail"]
        assert b"passerelle_store" not in gateway.admin("/metrics").body


def test_calls_go_on_while_the_store_is_gone_and_it_is_used_again_when_it_is_back(tmp_path, server):  # noqa: F811
    with Backend("v3") as backend, gateway_with(tmp_path / "a", server.setting, backend) as gateway:
        eventually(lambda: gateway.metric("passerelle_store_up") == 1)
        server.stop(signal.SIGKILL)
        eventually(lambda: gateway.metric("passerelle_store_up") == 0)
        assert gateway.http("GET", "/v1/orders/1").status in (200, 404)
        assert gateway.admin("/readyz").status == 200
        eventually(lambda: [line for line in gateway.log() if line.get("event") == "store_down"])
        server.start()
        eventually(lambda: gateway.metric("passerelle_store_up") == 1)
        eventually(lambda: [line for line in gateway.log() if line.get("event") == "store_up"])


def test_a_store_that_hangs_delays_no_call_and_no_admin_page(tmp_path, server):  # noqa: F811
    setting = server.setting.replace("{", "{time: 1s, ")
    with Backend("v3") as backend, gateway_with(tmp_path / "a", setting, backend) as gateway:
        eventually(lambda: gateway.metric("passerelle_store_up") == 1)
        server.hold()
        try:
            end = time.monotonic() + 7  # longer than a beat
            while time.monotonic() < end:
                assert gateway.http("GET", "/v1/orders/1", timeout=2).status in (200, 404)
                assert gateway.admin("/readyz").status == 200
                time.sleep(0.05)
            eventually(lambda: gateway.metric("passerelle_store_up") == 0)
        finally:
            server.release()
        eventually(lambda: gateway.metric("passerelle_store_up") == 1)


def test_a_gateway_stops_in_order_while_its_store_hangs(tmp_path, server):  # noqa: F811
    gateway = gateway_with(tmp_path / "a", server.setting.replace("{", "{time: 1s, ")).start()
    eventually(lambda: gateway.metric("passerelle_store_up") == 1)
    server.hold()
    try:
        began = time.monotonic()
        gateway.stop()
        assert time.monotonic() - began < 10
    finally:
        server.release()


def test_a_gateway_starts_without_its_store(tmp_path):
    with Backend("v3") as backend, \
            gateway_with(tmp_path / "a", "{sqlite: /nowhere/store.db}", backend) as gateway:
        assert gateway.metric("passerelle_store_up") == 0
        assert gateway.http("GET", "/v1/orders/1").status in (200, 404)
        assert "the folder /nowhere does not exist" in gateway.check().stdout


def test_a_damaged_file_is_told_and_left_as_it_is(tmp_path):
    file = tmp_path / "store.db"
    file.write_bytes(b"this is no database " * 1000)
    with gateway_with(tmp_path / "a", f"{{sqlite: {file}}}") as gateway:
        told = eventually(lambda: [line for line in gateway.log() if line.get("event") == "store_down"])
        assert "damaged" in str(told) and str(file) in str(told)
    assert file.read_bytes() == b"this is no database " * 1000


def test_a_file_that_is_removed_is_told_and_made_anew(tmp_path):
    file = tmp_path / "store.db"
    with gateway_with(tmp_path / "a", f"{{sqlite: {file}}}", node="one") as gateway:
        eventually(lambda: fleet(gateway) == {"one": []})
        for path in tmp_path.glob("store.db*"):
            path.unlink()
        told = eventually(lambda: [line for line in gateway.log() if line.get("event") == "store_down"])
        assert f"{file} was removed or replaced" in str(told)
        eventually(file.exists)
        eventually(lambda: gateway.metric("passerelle_store_up") == 1)


def test_the_fleet_says_that_it_cannot_read_its_store(tmp_path, server):  # noqa: F811
    with gateway_with(tmp_path / "a", server.setting, node="one") as one:
        eventually(lambda: fleet(one) == {"one": []})
        server.stop(signal.SIGKILL)
        failure = eventually(lambda: one.admin("/fleet").json.get("failure"))
        assert "STORE_" in failure
        done = fleet_command("--admin", f"127.0.0.1:{one.admin_port}")
        assert done.returncode == 1 and failure[:20] in done.stderr and "\none " in done.stdout
        server.start()
        eventually(lambda: "failure" not in one.admin("/fleet").json)
        assert fleet_command("--admin", f"127.0.0.1:{one.admin_port}").returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system needs root")
def test_a_full_disk_is_told_and_the_store_goes_on_when_there_is_room(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], check=False).returncode:
        pytest.skip("mount is not allowed here")
    try:
        with gateway_with(tmp_path / "a", f"{{sqlite: {disk}/store.db}}") as gateway:
            eventually(lambda: fleet(gateway))
            filler = disk / "filler"
            with open(filler, "wb", buffering=0) as file:
                try:
                    while True:
                        file.write(b"x" * 4096)
                except OSError:
                    pass
            failed = gateway.metric("passerelle_store_tasks_total", result="failed")
            eventually(lambda: gateway.metric("passerelle_store_tasks_total", result="failed") > failed)
            filler.unlink()
            done = gateway.metric("passerelle_store_tasks_total", result="done")
            eventually(lambda: gateway.metric("passerelle_store_tasks_total", result="done") > done)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_store_setting_that_changes_needs_a_restart(tmp_path):
    with gateway_with(tmp_path / "a", f"{{sqlite: {tmp_path}/one.db}}") as gateway:
        gateway.write(store=f"{{sqlite: {tmp_path}/two.db}}")
        gateway.reload()
        eventually(lambda: [line for line in gateway.log()
                            if line.get("event") == "restart_needed" and "store" in line["message"]])
        assert not (tmp_path / "two.db").exists()


def test_two_places_for_one_store_are_a_mistake(tmp_path):
    done = gateway_with(tmp_path / "a", "{sqlite: x.db, postgresql: service=x}").check()
    assert done.returncode == 1 and "the store has both sqlite and postgresql" in done.stdout + done.stderr


def fleet_command(*arguments, **environment):
    return subprocess.run([BINARY, "fleet", *arguments], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "PASSERELLE_ADMIN": "", **environment})


def test_the_command_fleet_prints_who_differs_and_says_so_by_its_exit_code(tmp_path, store):  # noqa: F811
    with gateway_with(tmp_path / "a", store.setting, node="one") as one:
        eventually(lambda: fleet(one) == {"one": []})
        admin = f"127.0.0.1:{one.admin_port}"
        done = fleet_command("--admin", admin)
        assert done.returncode == 0 and done.stdout.splitlines()[1].startswith("one ")
        assert fleet_command(PASSERELLE_ADMIN=admin).returncode == 0
        assert json.loads(fleet_command("--admin", admin, "--json").stdout)["gateways"][0]["node"] == "one"
        with gateway_with(tmp_path / "b", store.setting, node="two"):  # on other ports: another config
            eventually(lambda: set(fleet(one)) == {"one", "two"})
            done = fleet_command("--admin", admin)
            assert done.returncode == 1 and "config" in done.stdout
            done = fleet_command("--admin", admin, "--quiet")
            assert done.returncode == 1 and done.stdout == ""


def test_a_command_says_why_it_hears_nothing(tmp_path):
    with Gateway(tmp_path, instances=instances(("v3", 9))) as gateway:
        done = fleet_command("--admin", f"127.0.0.1:{gateway.admin_port}")
        assert done.returncode == 1 and "no store" in done.stderr
    done = fleet_command("--admin", f"127.0.0.1:{gateway.admin_port}")
    assert done.returncode == 3 and "refused" in done.stderr
    done = fleet_command("--admin", f"unix:{tmp_path}/none.sock")
    assert done.returncode == 3 and "No such file" in done.stderr
    for wrong in ("nothing", "host:", ":1", "host:70000"):
        done = fleet_command("--admin", wrong)
        assert done.returncode == 2 and "is not an address" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_the_admin_socket_refuses_other_users(tmp_path):
    tmp_path.chmod(0o755)
    folder = tempfile.mkdtemp(prefix="admin-")
    os.chmod(folder, 0o755)
    try:
        config = SHOP_CONFIG.replace("{address: 127.0.0.1:$admin}", f"{{address: 'unix:{folder}/admin.sock'}}")
        gateway = Gateway(tmp_path, config, instances=instances(("v3", 9)))
        gateway.ready = lambda: os.path.exists(f"{folder}/admin.sock")
        with gateway:
            assert os.stat(f"{folder}/admin.sock").st_mode & 0o777 == 0o600
            command = [sys.executable, "-c", "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])",
                       f"{folder}/admin.sock"]
            assert subprocess.run(command, check=False, capture_output=True).returncode == 0
            other = subprocess.run(command, check=False, capture_output=True, text=True, user="nobody")
            assert other.returncode == 1 and "PermissionError" in other.stderr
    finally:
        shutil.rmtree(folder)
