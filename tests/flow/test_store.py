"""What outlives a gateway: SQLite and PostgreSQL, and the gateways that share them."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

import pytest
from backends import Backend
from clocks import WallClock
from gateway import BINARY, SHOP_CONFIG, Gateway, instances
from nobody import as_nobody
from processes import eventually
from stores import PostgreSQL, fill, postgresql, server, small_disk, store  # noqa: F401  (fixtures)

STORED = "store: $store\nnode: $node\n" + SHOP_CONFIG


def gateway_with(folder, setting, backend=None, node="one", config=STORED):
    folder.mkdir(exist_ok=True)
    listed = instances(("v3", backend.port if backend else 9))
    return Gateway(folder, config, store=setting, node=node, instances=listed)


def fleet(gateway):
    """{name: drift} of the gateways that this one knows."""
    return {known["node"]: known["drift"] for known in gateway.admin("/fleet").json["gateways"]}


def command(gateway, *words):
    return subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "PASSERELLE_ADMIN": f"unix:{gateway.folder}/admin.sock"})


def reload_command(gateway):
    return command(gateway, "reload", "--quiet")


def audit(gateway):
    return json.loads(command(gateway, "audit", "--json").stdout)["entries"]


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


def test_a_gateway_does_not_start_with_the_name_of_one_that_runs(tmp_path, store):  # noqa: F811
    with gateway_with(tmp_path / "a", store.setting, node="same") as first:
        eventually(lambda: fleet(first))
        second = gateway_with(tmp_path / "b", store.setting, node="same")
        second.write()
        ended = subprocess.run([BINARY, "run", second.file], capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 1 and "the name same is taken: process " in ended.stderr, ended.stderr
        assert f"process {first.process.child.pid}," in ended.stderr and "`node:`" in ended.stderr
        assert fleet(first) == {"same": []} and not first.events("fleet_name_taken")


def test_a_gateway_starts_at_once_with_the_name_of_one_that_has_died(tmp_path, store):  # noqa: F811
    first = gateway_with(tmp_path / "a", store.setting, node="same").start()
    eventually(lambda: fleet(first))
    first.process.kill()
    with gateway_with(tmp_path / "b", store.setting, node="same") as second:
        eventually(lambda: fleet(second) == {"same": []})
        assert not second.events("fleet_name_taken")


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
        eventually(lambda: gateway.events("store_down"))
        server.start()
        eventually(lambda: gateway.metric("passerelle_store_up") == 1)
        eventually(lambda: gateway.events("store_up"))


def test_a_store_that_hangs_delays_no_call_and_no_admin_page(tmp_path, store):  # noqa: F811
    setting = store.setting.replace("{", "{time: 1s, ")
    with Backend("v3") as backend, gateway_with(tmp_path / "a", setting, backend) as gateway:
        eventually(lambda: fleet(gateway) == {"one": []})
        with store.hanging():
            end = time.monotonic() + 7  # longer than a beat
            while time.monotonic() < end:
                assert gateway.http("GET", "/v1/orders/1", timeout=2).status in (200, 404)
                assert gateway.http("GET", "/nowhere", timeout=2).status == 404  # the ledger keeps it
                for page in ("/readyz", "/healthz", "/metrics", "/config", "/fleet"):
                    assert gateway.http("GET", page, port=gateway.admin_port, timeout=2).status == 200
                time.sleep(0.05)
            eventually(lambda: gateway.metric("passerelle_store_tasks_total", result="failed") > 0 or
                       gateway.metric("passerelle_store_tasks_total", result="given_up") > 0)
            assert gateway.admin("/readyz").status == 200
        eventually(lambda: gateway.metric("passerelle_store_up") == 1)
        eventually(lambda: fleet(gateway) == {"one": []})


def test_a_store_that_is_slow_costs_tasks_their_time_and_calls_nothing(tmp_path, store):  # noqa: F811
    setting = store.setting.replace("{", "{time: 500ms, ")
    with Backend("v3") as backend, gateway_with(tmp_path / "a", setting, backend) as gateway:
        eventually(lambda: fleet(gateway) == {"one": []})
        with store.busy():
            given_up = gateway.metric("passerelle_store_tasks_total", result="given_up")
            failed = gateway.metric("passerelle_store_tasks_total", result="failed")

            def lost():
                assert gateway.http("GET", "/v1/orders/1", timeout=2).status in (200, 404)
                assert gateway.admin("/readyz").status == 200
                return gateway.metric("passerelle_store_tasks_total", result="given_up") > given_up or \
                    gateway.metric("passerelle_store_tasks_total", result="failed") > failed
            eventually(lost)
        done = gateway.metric("passerelle_store_tasks_total", result="done")
        eventually(lambda: gateway.metric("passerelle_store_tasks_total", result="done") > done)
        eventually(lambda: gateway.metric("passerelle_store_up") == 1)
        eventually(lambda: fleet(gateway) == {"one": []})


# ---- Clocks ------------------------------------------------------------------------------------

YEAR = 365 * 24 * 3600


def beats(gateway, n):
    """Until the fleet has beaten so often."""
    done = gateway.metric("passerelle_store_tasks_total", result="done")
    eventually(lambda: gateway.metric("passerelle_store_tasks_total", result="done") >= done + n)


def test_a_clock_that_jumps_harms_neither_calls_nor_what_is_stored(tmp_path, store):  # noqa: F811
    clock = WallClock(tmp_path)
    config = STORED.replace("{address: 127.0.0.1:$admin}", "{address: 127.0.0.1:$admin, socket: unix:admin.sock}")
    with Backend("v3") as backend:
        gateway = gateway_with(tmp_path / "a", store.setting, backend, config=config)
        gateway.under = clock.under
        with gateway:
            eventually(lambda: fleet(gateway) == {"one": []})
            for number, shift in enumerate((0, YEAR, -YEAR), 1):
                clock.shift(shift)
                assert reload_command(gateway).returncode == 0
                beats(gateway, 2)
                assert fleet(gateway) == {"one": []}
                assert gateway.http("GET", "/v1/orders/1", timeout=2).status in (200, 404)
                assert gateway.metric("passerelle_store_up") == 1
                assert len(audit(gateway)) == number  # none was deleted
            years = [int(entry["at"][:4]) for entry in audit(gateway)]
            assert years == [years[1] + 1, years[1], years[1] - 1]
            for result in ("failed", "given_up", "conflict"):
                assert gateway.metric("passerelle_store_tasks_total", result=result) == 0


def test_a_gateway_that_crashed_with_a_clock_ahead_is_in_the_fleet_again_at_once(tmp_path, store):  # noqa: F811
    clock = WallClock(tmp_path)
    clock.shift(YEAR)
    gateway = gateway_with(tmp_path / "a", store.setting)
    gateway.under = clock.under
    gateway.start()
    eventually(lambda: fleet(gateway) == {"one": []})
    gateway.process.kill()
    clock.shift(0)
    with gateway:
        eventually(lambda: fleet(gateway) == {"one": []})
        started = gateway.admin("/fleet").json["gateways"][0]["started"]
        assert abs(int(started[:4]) - int(time.strftime("%Y", time.gmtime()))) <= 0
        beats(gateway, 1)
        assert not gateway.events("fleet_name_taken")


def test_a_gateway_stops_in_order_while_its_store_hangs(tmp_path, store):  # noqa: F811
    gateway = gateway_with(tmp_path / "a", store.setting.replace("{", "{time: 1s, ")).start()
    eventually(lambda: fleet(gateway) == {"one": []})
    with store.hanging():
        gateway.stop()  # within its patience


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
        told = eventually(lambda: gateway.events("store_down"))
        assert "damaged" in str(told) and str(file) in str(told)
    assert file.read_bytes() == b"this is no database " * 1000


def test_a_file_that_is_removed_is_told_and_made_anew(tmp_path):
    file = tmp_path / "store.db"
    with gateway_with(tmp_path / "a", f"{{sqlite: {file}}}", node="one") as gateway:
        eventually(lambda: fleet(gateway) == {"one": []})
        for path in tmp_path.glob("store.db*"):
            path.unlink()
        told = eventually(lambda: gateway.events("store_down"))
        assert f"{file} was removed or replaced" in str(told)
        eventually(file.exists)
        eventually(lambda: gateway.metric("passerelle_store_up") == 1)
        told, = eventually(lambda: gateway.events("store_made_empty"))
        assert "nothing that was stored before is in it" in str(told)
        assert gateway.metric("passerelle_store_made_empty_total") == 1


@pytest.mark.parametrize("there", [True, False])
def test_a_file_without_a_byte_is_told_at_the_start_and_one_that_is_new_is_not(tmp_path, there):
    file = tmp_path / "store.db"
    if there:
        file.touch()
    with gateway_with(tmp_path / "a", f"{{sqlite: {file}}}", node="one") as gateway:
        eventually(lambda: fleet(gateway) == {"one": []})
        assert [f"{file} had no bytes" in str(told) for told in gateway.events("store_made_empty")] == [True] * there
        assert gateway.metric("passerelle_store_made_empty_total") == there


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


def test_of_a_server_that_is_gone_it_is_known_that_nothing_was_stored(tmp_path, server):  # noqa: F811
    config = STORED.replace("{address: 127.0.0.1:$admin}", "{address: 127.0.0.1:$admin, socket: unix:admin.sock}")
    setting = server.setting.replace("{", "{connections: 4, ")
    with gateway_with(tmp_path / "a", setting, config=config) as gateway:
        eventually(lambda: fleet(gateway) == {"one": []})
        assert gateway.http("GET", "/nowhere").status == 404
        (row,) = json.loads(command(gateway, "errors", "--json").stdout)["mistakes"]
        for _ in range(8):
            assert audit(gateway) == []  # all connections are in use
        server.stop(signal.SIGKILL)
        eventually(lambda: gateway.metric("passerelle_store_up") == 0)  # on one connection at least
        for words in [("audit",), ("errors", "annotate", row["fingerprint"], "--owner", "ada")] * 6:
            done = command(gateway, *words)
            assert done.returncode == 3 and "STORE_UNKNOWN" not in done.stderr and "is not known" not in done.stderr, done.stderr


@pytest.mark.parametrize("kind", ["fifo", "socket"])
def test_a_store_that_is_no_file_is_told_at_once(tmp_path, kind):
    place = tmp_path / kind
    with socket.socket(socket.AF_UNIX) as listening:
        if kind == "fifo":
            os.mkfifo(place)
        else:
            listening.bind(str(place))
        with gateway_with(tmp_path / "a", f"{{sqlite: {place}}}") as gateway:
            assert "not a file" in gateway.check().stdout
            done = store_command(gateway, "check")
            assert done.returncode == 3 and "not a file" in done.stderr
            done = store_command(gateway, "backup", str(tmp_path / "copy"))
            assert done.returncode == 3 and "not a file" in done.stderr
            told = eventually(lambda: gateway.events("store_down"))
            assert "not a file" in str(told)


def test_a_file_that_was_cut_off_is_damaged_and_its_wal_stays(tmp_path):
    gateway = gateway_with(tmp_path / "a", f"{{sqlite: {tmp_path}/store.db}}")
    with gateway:
        eventually(lambda: fleet(gateway) == {"one": []})
        for name in ("store.db", "store.db-wal"):
            shutil.copy(tmp_path / name, tmp_path / f"kept-{name}")
    os.truncate(tmp_path / "store.db", 0)
    shutil.copy(tmp_path / "kept-store.db-wal", tmp_path / "store.db-wal")
    done = store_command(gateway, "check")
    assert done.returncode == 1 and "it was cut off" in done.stderr
    assert "it was cut off" in gateway.check().stdout or "is damaged" in gateway.check().stdout
    with gateway:
        eventually(lambda: gateway.events("store_down"))
    assert (tmp_path / "store.db-wal").read_bytes() == (tmp_path / "kept-store.db-wal").read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system needs root")
def test_a_full_disk_is_told_and_the_store_goes_on_when_there_is_room(tmp_path):
    with small_disk("1m") as disk, \
            gateway_with(tmp_path / "a", f"{{sqlite: {disk}/store.db}}") as gateway:
        eventually(lambda: fleet(gateway))
        filler = fill(disk)
        failed = gateway.metric("passerelle_store_tasks_total", result="failed")
        eventually(lambda: gateway.metric("passerelle_store_tasks_total", result="failed") > failed)
        eventually(lambda: gateway.metric("passerelle_store_up") == 0)
        down, = eventually(lambda: gateway.events("store_down"))
        assert "is full" in str(down["causes"])
        filler.unlink()
        done = gateway.metric("passerelle_store_tasks_total", result="done")
        eventually(lambda: gateway.metric("passerelle_store_tasks_total", result="done") > done)
        eventually(lambda: gateway.metric("passerelle_store_up") == 1)
        eventually(lambda: gateway.events("store_up"))


# ---- passerelle store --------------------------------------------------------------------------


def store_command(gateway, *words):
    return subprocess.run([BINARY, "store", words[0], gateway.file, *words[1:]], capture_output=True, text=True, timeout=60,
                          check=False)


def test_store_check_says_what_is_in_a_store_in_use(tmp_path, store):  # noqa: F811
    with gateway_with(tmp_path / "a", store.setting, node="one") as gateway:
        eventually(lambda: fleet(gateway) == {"one": []})
        done = store_command(gateway, "check")
        assert done.returncode == 0, done.stderr
        told = json.loads(store_command(gateway, "check", "--json").stdout)
        tables = {table["table"]: table for table in told["tables"]}
        assert told["ok"] and told["schema"] == told["known_schema"] and not told["damage"]
        assert tables["gateways"]["rows"] == 1 and tables["gateways"]["oldest"].startswith("20")
        assert tables["audit"]["rows"] == 0 and "oldest" not in tables["audit"]
        assert 0 < tables["gateways"]["bytes"] < told["bytes"]
        assert "gateways" in done.stdout and f"{told['bytes']} bytes" in done.stdout
        done = store_command(gateway, "check", "--quiet")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        eventually(lambda: gateway.metric("passerelle_store_bytes") > 0, timeout=120)
        assert gateway.metric("passerelle_store_table_bytes", table="audit") == tables["audit"]["bytes"]
        assert gateway.metric("passerelle_store_rows", table="audit") == 0


def test_store_check_tells_no_store_from_none_that_answers_and_a_damaged_one(tmp_path, server):  # noqa: F811
    without = Gateway(tmp_path, instances=instances(("v3", 9)))
    without.write()
    done = store_command(without, "check")
    assert done.returncode == 1 and "has no key `store`" in done.stderr
    for setting, code, told in (("{sqlite: $folder/none.db}", 3, "unable to open"),
                                ("{postgresql: 'host=/nowhere user=x'}", 3, "connecting to PostgreSQL"),
                                ("{sqlite: $folder/bad.db}", 1, "damaged, or no database")):
        (tmp_path / "bad.db").write_bytes(b"this is no database " * 1000)
        broken = gateway_with(tmp_path, setting.replace("$folder", str(tmp_path)))
        broken.write()
        done = store_command(broken, "check")
        assert done.returncode == code and told in done.stderr, done.stderr
    server.hold()
    try:
        held = gateway_with(tmp_path, server.setting.replace("{", "{time: 1s, "))
        held.write()
        done = store_command(held, "check")
        assert done.returncode == 3 and "does not answer within 1.0 s" in done.stderr
    finally:
        server.release()
    for words in ((), ("check",), ("backup", held.file), ("repair", held.file), ("check", held.file, "x")):
        assert subprocess.run([BINARY, "store", *words], capture_output=True, timeout=60, check=False).returncode == 2


def test_a_page_that_was_damaged_is_found_by_both_checks(tmp_path):
    file = tmp_path / "store.db"
    with gateway_with(tmp_path / "a", f"{{sqlite: {file}}}") as gateway:
        eventually(lambda: fleet(gateway))
    assert "warning: store" not in gateway.check().stdout
    with contextlib.closing(sqlite3.connect(file)) as database:
        page, = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'gateways'").fetchone()
    content = bytearray(file.read_bytes())
    content[4096 * (page - 1):4096 * page] = b"\xa5" * 4096
    file.write_bytes(content)
    done = store_command(gateway, "check")
    assert done.returncode == 1 and "damaged" in done.stdout
    assert json.loads(store_command(gateway, "check", "--json").stdout)["ok"] is False
    assert re.search(f"warning: store: .*{file} is damaged", gateway.check().stdout)
    with gateway:  # it starts, says so, and serves
        eventually(lambda: gateway.events("store_down"))
        assert gateway.metric("passerelle_store_up") == 0
        assert gateway.http("GET", "/nowhere").status == 404


@pytest.mark.skipif(os.geteuid() != 0, reason="root is needed to be somebody else")
def test_check_warns_of_a_store_that_this_user_cannot_write(tmp_path):
    with tempfile.TemporaryDirectory(prefix="store-") as name:
        folder = pathlib.Path(name)
        gateway = gateway_with(folder / "config", f"{{sqlite: {folder}/data/store.db}}")
        (folder / "data").mkdir()
        shutil.copy(gateway.words["orders"], folder / "config/orders.binpb")
        shutil.copytree(gateway.words["shop"], folder / "config/shop", ignore=shutil.ignore_patterns("*.py"))
        gateway.write(orders=folder / "config/orders.binpb", shop=folder / "config/shop")
        shutil.copy(BINARY, folder / "passerelle")

        def warnings():
            subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
            told = subprocess.run(as_nobody(folder / "passerelle", "check", gateway.file), capture_output=True, text=True, timeout=60,
                                  check=False).stdout
            return [line for line in told.splitlines() if line.startswith("warning: store")]

        assert f"the folder {folder}/data cannot be written: Permission denied" in warnings()[0]
        (folder / "data").chmod(0o777)
        assert not warnings()
        sqlite3.connect(folder / "data/store.db").execute("CREATE TABLE t (x)")
        assert f"{folder}/data/store.db cannot be written: Permission denied" in warnings()[0]
        (folder / "data/store.db").chmod(0o666)
        assert not warnings()


def test_a_backup_of_a_store_in_use_is_a_store(tmp_path):
    copy = tmp_path / "copy.db"
    with gateway_with(tmp_path / "a", f"{{sqlite: {tmp_path}/store.db}}", node="one") as gateway:
        eventually(lambda: fleet(gateway) == {"one": []})
        done = store_command(gateway, "backup", copy)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"copied to {copy}\n", "")
        done = store_command(gateway, "backup", "/nowhere/copy.db")
        assert done.returncode == 1 and "write /nowhere/copy.db.part: No such file" in done.stderr
    with gateway_with(tmp_path / "b", f"{{sqlite: {copy}}}", node="two") as restored:
        eventually(lambda: set(fleet(restored)) == {"one", "two"})


def test_the_command_that_a_backup_of_postgresql_prints_makes_one_that_can_be_restored(tmp_path, server):  # noqa: F811
    copy = tmp_path / "it's a copy"
    with gateway_with(tmp_path / "a", server.setting, node="one") as gateway:
        eventually(lambda: fleet(gateway) == {"one": []})
        done = store_command(gateway, "backup", copy)
        assert done.returncode == 1 and "nothing was copied" in done.stderr and not copy.exists()
        path = {**os.environ, "PATH": f"{server.bin}:{os.environ['PATH']}"}
        subprocess.run(done.stdout, shell=True, check=True, env=path, timeout=60)
        server.run("createdb", "-h", server.folder, "-U", "passerelle", "other")
        other = server.address.replace("dbname=postgres", "dbname=other")
        subprocess.run([server.bin / "pg_restore", f"--dbname={other}", copy], check=True, timeout=60)
    with gateway_with(tmp_path / "b", f'{{postgresql: "{other}"}}', node="two") as restored:
        eventually(lambda: set(fleet(restored)) == {"one", "two"})


# ---- The setting -------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system needs root")
def test_a_server_with_a_full_disk_is_told_and_the_audit_goes_on_when_there_is_room(tmp_path):
    if not postgresql.programs():
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    with small_disk("100m") as disk, PostgreSQL(parent=disk) as server:
        config = STORED.replace("{address: 127.0.0.1:$admin}", "{address: 127.0.0.1:$admin, socket: unix:admin.sock}")
        with Backend("v3") as backend, gateway_with(tmp_path / "a", server.setting, backend, config=config) as gateway:
            eventually(lambda: fleet(gateway) == {"one": []})
            filler = fill(disk)
            assert reload_command(gateway).returncode == 0  # who repairs a platform is not stopped by its database
            eventually(lambda: gateway.metric("passerelle_audit_unstored_total") == 1)
            told = eventually(lambda: gateway.events("audit_unstored"))
            assert "STORE_DOWN" in str(told) and "No space left" in str(told)
            assert gateway.http("GET", "/v1/orders/1", timeout=2).status in (200, 404)
            filler.unlink()
            eventually(lambda: reload_command(gateway).returncode == 0 and audit(gateway))
            assert gateway.metric("passerelle_store_up") == 1


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
            other = subprocess.run(as_nobody(*command), check=False, capture_output=True, text=True)
            assert other.returncode == 1 and "PermissionError" in other.stderr
    finally:
        shutil.rmtree(folder)
