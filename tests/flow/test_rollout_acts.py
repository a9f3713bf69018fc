"""What operators do with rollouts: it is done once, kept, followed by other gateways, refused where it does not fit, and told."""
import contextlib
import json
import os
import pathlib
import subprocess
import tempfile
import time

import pytest
from backends import client, v3
from gateway import BINARY, Gateway
from operators import command, entries, own_user
from nobody import as_nobody
from processes import eventually
from stores import PostgreSQL, SQLite, server, store  # noqa: F401  (fixtures)
from test_retries import Shop, well

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin', socket: 'unix:admin.sock'}
node: $node
log: "-"
loops: 2
$store
services:
  - name: orders
    versions: [{name: v3, package: shop.orders.v3, schema: $orders}]
    instances: $instances
rollouts:
  - service: orders
    candidate: {build: b}
    tiers: [1, 10, all]
    judge: {least: 100s, every: 100ms, posted: [complaints]}
"""


@pytest.fixture(scope="module")
def shops():
    with Shop(well) as one, Shop(well) as two:
        yield one, two


def instances(shops, builds="ab"):
    return "[" + ", ".join(f"{{address: '127.0.0.1:{shop.port}', protocol: grpc, versions: [v3], build: {build}}}"
                           for shop, build in zip(shops, builds)) + "]"


def gateway_of(folder, shops, store_setting, node="one", builds="ab"):
    return Gateway(folder, CONFIG, instances=instances(shops, builds), node=node, store=store_setting)


def with_store(store):  # noqa: F811
    return f"store: {store.setting}"


def rollouts(gateway):
    return own_user(gateway)("GET", "/rollouts").json["rollouts"]


def status(gateway):
    """The rollout, with its history, as soon as the store has been read."""
    return eventually(lambda: own_user(gateway)("GET", "/rollouts?name=orders").json.get("rollouts"))[0]


def state(gateway):
    return status(gateway)["state"]


def acts(gateway):
    """Of the history, the latest last."""
    return [act["deed"]["act"] for act in reversed(status(gateway)["history"])]


def order(gateway, word, *more):
    return command(gateway, "rollout", word, "orders", *more)


def is_judged(gateway):
    return eventually(lambda: status(gateway).get("judges_here"))


def test_what_operators_do_is_told_kept_and_audited(tmp_path, shops, store):  # noqa: F811
    with gateway_of(tmp_path, shops, with_store(store)) as gateway:
        is_judged(gateway)
        assert state(gateway) == "running"
        assert order(gateway, "pause", "--why", "a look at it").returncode == 0
        assert state(gateway) == "paused"
        refused = order(gateway, "pause")
        assert refused.returncode == 1 and "ROLLOUT_UNFIT" in refused.stderr and "paused already" in refused.stderr
        for word in ("resume", "advance", "rollback"):
            assert order(gateway, word).returncode == 0
        assert "start it anew" in order(gateway, "advance").stderr
        assert order(gateway, "start").returncode == 2  # it needs a reason,
        assert [order(gateway, "start", "--why", nothing).returncode for nothing in ("", " ", "\t")] == [2, 2, 2]
        bare = own_user(gateway)("POST", "/rollouts/start?name=orders")  # of whoever asks
        assert bare.status == 409 and "needs a reason" in bare.body.decode()
        assert order(gateway, "start", "--why", "it is mended").returncode == 0
        assert acts(gateway) == ["pause", "resume", "advance", "rollback", "start"]
        told = status(gateway)
        assert (told["state"], told["tier"], told["trial"]) == ("running", "1", 2)
        deeds = [act["deed"] for act in told["history"]]
        assert deeds[0]["why"] == "it is mended" and deeds[0]["node"] == "one" and deeds[0]["who"] != "judge"
        assert deeds[2]["tier"] == "10" and deeds[2]["judgement"]["limit"] == 20
        events = [line["act"] for line in gateway.events("rollout") if "act" in line]
        assert events == acts(gateway)
        assert gateway.metric("passerelle_rollout_acts_total") == 5
        assert gateway.metric("passerelle_rollout_state", state="running") == 1
        audited = [(entry["action"], entry["result"]) for entry in entries(gateway) if entry["action"].startswith("rollout")]
        assert audited.count(("rollout_pause", "ROLLOUT_UNFIT")) == 1 and ("rollout_start", "done") in audited
        text = order(gateway, "status").stdout
        assert "orders build b: running" in text and "start by" in text and "it is mended" in text


def test_what_was_rolled_back_stays_so(tmp_path, shops):
    """Without a store, in the gateway's own file: after a crash, and with a config that was read again."""
    with gateway_of(tmp_path, shops, f"rollouts_file: {tmp_path}/rollouts.db") as gateway:
        is_judged(gateway)
        assert order(gateway, "rollback", "--why", "complaints").returncode == 0
        gateway.process.child.kill()
        gateway.process.child.wait()
        gateway.start()
        assert state(gateway) == "rolled back"
        gateway.reload()
        eventually(lambda: gateway.events("config_loaded"))
        assert state(gateway) == "rolled back" and acts(gateway) == ["rollback"]
        gateway.write(CONFIG[:CONFIG.index("rollouts:")])
        gateway.reload()
        eventually(lambda: rollouts(gateway)[0].get("withdrawn"))
        gateway.write(CONFIG)
        gateway.reload()
        eventually(lambda: rollouts(gateway))
        assert eventually(lambda: state(gateway) == "rolled back")


def test_a_build_that_was_rolled_back_does_not_serve_because_its_entry_is_gone(tmp_path, shops):
    """Neither after the reload, nor after a restart; it serves again if nothing else is there, or by its rollout."""
    with gateway_of(tmp_path, shops, f"rollouts_file: {tmp_path}/rollouts.db") as gateway:
        def asked():
            before = [len(shop.asked) for shop in shops]
            stub = client(gateway, "v3")
            for i in range(20):
                stub.Get(v3.GetRequest(id=f"o{i}"), timeout=20)
            return [len(shop.asked) > n for shop, n in zip(shops, before)]

        def events():
            return [line for line in gateway.events("rollout_withdrawn") if "b: it is rolled back" in line["message"]]

        is_judged(gateway)
        assert order(gateway, "rollback", "--why", "complaints").returncode == 0
        without = CONFIG[:CONFIG.index("rollouts:")]
        gateway.write(without)
        gateway.reload()
        eventually(events)
        assert asked() == [True, False]
        assert own_user(gateway)("GET", "/rollouts").json["rollouts"] == [
            {"rollout": "orders build b", "service": "orders", "candidate": "build b", "state": "rolled back", "withdrawn": True}]
        assert "the config has none" in command(gateway, "rollout", "status", "orders").stdout
        assert "put that back first" in order(gateway, "start", "--why", "it is mended").stderr
        assert gateway.metric("passerelle_instance_barred", reason="withdrawn") == 1
        gateway.process.child.kill()
        gateway.process.child.wait()
        gateway.start()
        assert asked() == [True, False]
        gateway.write(without, instances=instances(shops, "bb"))
        gateway.reload()
        eventually(lambda: events()[-1]["level"] == "error")
        eventually(lambda: asked() == [True, True])
        gateway.write(CONFIG, instances=instances(shops))
        gateway.reload()
        eventually(lambda: state(gateway) == "rolled back")
        assert order(gateway, "start", "--why", "it is mended").returncode == 0
        assert "withdrawn" not in status(gateway)


def test_without_a_store_check_tells_that_rollouts_cannot_be_kept(shops):
    def told(file):
        gateway = gateway_of(folder, shops, file)
        gateway.write()
        done = subprocess.run(as_nobody(BINARY, "check", gateway.file), capture_output=True, text=True, timeout=60)  # root may write everywhere
        return done.returncode, done.stdout

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        missing = told(f"rollouts_file: {name}/none/r.db")
        assert missing == (1, f"{name}/gateway.yaml:7:16: rollouts_file: the folder {name}/none does not exist"
                              " (create it, and let the gateway write in it)\n")
        closed = told("rollouts_file: /usr/r.db")
        assert "warning: rollouts_file: STORE_DOWN: the folder /usr cannot be written: Permission denied" in closed[1]
        usual = told("")[1]
        assert os.path.exists("/var/lib/passerelle") or "does not exist (rollouts_file: rollouts.db, or create it)" in usual
        damaged = folder / "r.db"
        damaged.write_text("no database at all, but something else" * 30)
        damaged.chmod(0o666)
        folder.chmod(0o777)
        assert "warning: rollouts_file: " in told(f"rollouts_file: {damaged}")[1]


def test_a_candidate_without_instances_has_no_clients_until_it_is_there(tmp_path, shops):
    with gateway_of(tmp_path, shops, f"rollouts_file: {tmp_path}/rollouts.db", builds="aa") as gateway:
        eventually(lambda: status(gateway).get("gone"))
        assert acts(gateway) == ["gone"]
        assert "no instances" in order(gateway, "advance").stderr
        gateway.write(instances=instances(shops))
        gateway.reload()
        eventually(lambda: status(gateway).get("gone") is False)
        assert acts(gateway) == ["gone", "back"]
        gateway.write(instances=instances(shops, "aa"))  # they vanish
        gateway.reload()
        eventually(lambda: status(gateway).get("gone"))
        assert acts(gateway) == ["gone", "back", "gone"] and state(gateway) == "running"
        assert "no instances" in order(gateway, "advance").stderr


def test_while_the_store_is_down_nothing_is_ordered(tmp_path, shops, store):  # noqa: F811
    setting = "store: " + store.setting[:-1] + ", time: 300ms}"
    with gateway_of(tmp_path, shops, setting) as gateway:
        is_judged(gateway)
        with store.hanging():
            eventually(lambda: rollouts(gateway)[0]["store_down"])
            refused = order(gateway, "rollback")
            assert refused.returncode == 3 and "STORE_" in refused.stderr
            assert rollouts(gateway)[0]["state"] == "running"
        eventually(lambda: not rollouts(gateway)[0]["store_down"])
        if "UNKNOWN" not in refused.stderr:
            assert acts(gateway) == []
        assert gateway.events("rollouts_held_up")


def test_while_the_store_is_down_members_keep_the_candidate_and_nobody_becomes_one(tmp_path, shops, server):  # noqa: F811
    text = CONFIG.replace("127.0.0.1:$port'}", "127.0.0.1:$port', trusted_proxies: [127.0.0.1]}").replace(
        "rollouts:", "cohort: {header: x-account}\nrollouts:").replace("least: 100s", "least: 1s")
    setting = "store: " + server.setting[:-1] + ", time: 300ms}"
    with Gateway(tmp_path, text, instances=instances(shops), node="one", store=setting) as gateway:
        def has_candidate(name):
            before = len(shops[1].asked)
            assert gateway.http("GET", "/v3/orders/o", headers={"x-account": name}).status == 200
            return len(shops[1].asked) > before

        member = eventually(lambda: next(filter(has_candidate, (f"c{i}" for i in range(20))), None))
        with server.hanging():
            eventually(lambda: rollouts(gateway)[0]["store_down"])
            before = rollouts(gateway)[0]
            assert not any(has_candidate(f"new{i}") for i in range(50)) and has_candidate(member)
            time.sleep(1)  # the tier's shortest time is over
            after = rollouts(gateway)[0]
            assert (after["tier"], after["members"]) == (before["tier"], before["members"])
            assert not any(has_candidate(f"new{i}") for i in range(50)) and has_candidate(member)


def test_gateways_that_share_a_store_do_the_same(tmp_path, shops, server):  # noqa: F811
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with contextlib.ExitStack() as stack:
        one, two = (stack.enter_context(gateway_of(tmp_path / node, shops, with_store(server), node)) for node in ("one", "two"))
        eventually(lambda: status(one).get("judges_here") or status(two).get("judges_here"))
        assert status(one)["judges_here"] != status(two)["judges_here"]
        judge, other = (one, two) if status(one)["judges_here"] else (two, one)
        assert order(other, "advance", "--why", "by hand").returncode == 0
        eventually(lambda: status(judge)["tier"] == "10", timeout=2)
        assert judge.events("rollout_followed") and acts(judge) == acts(other) == ["advance"]
        judge.process.child.kill()
        judge.process.child.wait()
        is_judged(other)
        judge.start()
        assert not status(judge)["judges_here"] and status(judge)["tier"] == "10"


def test_what_is_told_of_clients_has_to_be_one_of_the_metrics(tmp_path, shops):
    with gateway_of(tmp_path, shops, f"rollouts_file: {tmp_path}/rollouts.db") as gateway:
        is_judged(gateway)
        told = [own_user(gateway)("POST", f"/rollouts/tell?name=orders&client=c{i}&metric=complaints") for i in range(20)]
        counted = sum(answer.json["counts"] for answer in told)  # the door lets in a part of the clients
        assert {answer.status for answer in told} == {200} and counted
        wrong = own_user(gateway)("POST", "/rollouts/tell?name=orders&client=ada&metric=praise")
        assert wrong.status == 400 and "judge.posted" in wrong.body.decode()
        other = own_user(gateway)("POST", "/rollouts/tell?name=billing&client=ada&metric=complaints")
        assert other.status == 404
        assert gateway.metric("passerelle_rollout_told_total") == 20
        eventually(lambda: status(gateway)["judgement"]["metrics"]["complaints"]["baseline_failed"] == counted)
