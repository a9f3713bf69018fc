"""The views of operations on the operators' page: what they show is what the API says, and what is done there is done, and audited."""
import json

import pytest
from browser import Browser
from operated import Operated
from operators import TOKENS, plain
from processes import eventually
from trouble import HOSTILE

OPS, READER = TOKENS["ops"], TOKENS["reader"]


@pytest.fixture(scope="module")
def operated(tmp_path_factory):
    with Operated(tmp_path_factory.mktemp("operated")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(operated):
    running = Browser(f"http://127.0.0.1:{operated.gateway.admin_port}")
    yield running
    running.close()


def figure(text):
    """1,234 as the page writes it."""
    return float(text.replace(",", ""))


def seen(browser, view, token=OPS):
    return browser("seen", f"#/{view}", {"token": token})


# ---- what is shown is what the API says ---------------------------------------------------------------


def test_why_a_rollout_stopped(browser, operated):
    rollout, = operated.page("/rollouts?name=orders")["rollouts"]
    judgement, failures = rollout["judgement"], rollout["judgement"]["metrics"]["failures"]
    shown = seen(browser, "rollouts?name=orders")
    assert (f"It was found bad in tier {rollout['tier']}: failures: {failures['candidate_failed']} of {judgement['clients']['candidate']} clients of the "
            f"candidate failed, and {failures['baseline_failed']} of {judgement['clients']['baseline']} of the baseline.") in shown["text"]
    metric, = shown["tables"]["Metrics of this tier"]
    assert metric[:3] == ["failures", f"{failures['candidate_failed']} of {judgement['clients']['candidate']}",
                          f"{failures['baseline_failed']} of {judgement['clients']['baseline']}"]
    assert figure(metric[4]) == pytest.approx(failures["wealth"], abs=0.01)
    history = shown["tables"]["History of orders build new"]
    assert [row[1] for row in history] == [act["deed"]["act"] for act in rollout["history"]]
    assert [row[3] for row in history] == [act["deed"]["why"] for act in rollout["history"]]
    row, = seen(browser, "rollouts")["tables"]["Rollouts"]
    assert row[0] == "orders build new" and "rolled back: bad" in row[1] and "It was found bad in tier" in row[5]


def test_the_evidence_is_drawn_as_it_has_grown(browser, operated):
    rollout, = operated.page("/rollouts?name=orders")["rollouts"]
    drawn = browser("drawing", "#/rollouts?name=orders", OPS)
    trail = rollout["trail"]
    assert len(drawn["points"]) == len(trail)
    heights = [y for _, y in drawn["points"]]  # the first is at the top
    for one, two, above, below in zip(trail, trail[1:], heights, heights[1:]):
        assert (one["wealth"] < two["wealth"]) == (above > below)
    for point, height in zip(trail, heights):
        assert (point["wealth"] >= rollout["judgement"]["limit"]) == (height <= drawn["limit"])
    xs = [x for x, _ in drawn["points"]]
    assert xs == sorted(xs) and xs[0] == 0 and xs[-1] == 1000
    assert "rollback by judge" in drawn["acts"] and "bad from 20 on" in drawn["texts"] and "tier 1" in drawn["texts"]
    assert "from 20 on it is bad" in drawn["label"]


def test_jobs_are_those_of_the_api(browser, operated):
    listed = operated.page("/jobs")["jobs"]
    rows = seen(browser, "jobs")["tables"]["Jobs"]
    assert [row[0] for row in rows] == [job["id"] for job in listed]
    for row, job in zip(rows, listed):
        assert job["state"] in row[1] and row[2:3] + row[4:7] == [job["step"], job["method"], job["client"], job["resource"]]
    failed = seen(browser, "jobs?state=failed")["tables"]["Jobs"]
    assert [row[0] for row in failed] == [job["id"] for job in listed if job["state"] == "failed"] and len(failed) == 3
    assert all("UPSTREAM_STATUS (FAILED_PRECONDITION)" in row[7] for row in failed)
    told = browser("filtered", "#/jobs", OPS, "resource", "site/shop-4")
    assert told["hash"] == "#/jobs?resource=site%2Fshop-4" and operated.jobs["waiting"] in told["text"] and operated.jobs["failed"] not in told["text"]


def test_a_job_is_that_of_the_api(browser, operated):
    job, text = operated.job("failed"), seen(browser, f"jobs?id={operated.jobs['failed']}")["text"]
    for part in (job["id"], job["method"], job["client"], job["resource"], job["failure"]["message"], job["request_id"],
                 json.dumps(job["request"]["spec"], indent=2).splitlines()[1].strip()):
        assert part in text, part
    assert text.index("reserve") < text.index("approval") < text.index("publish\n")


def test_which_instance_is_ill(browser, operated):
    services = operated.page("/config")["services"]
    ill, drained = (f"127.0.0.1:{operated.builds.ports[name]}" for name in "cb")
    shown = seen(browser, "instances")
    rows = {(row[1], row[0]): row for row in shown["tables"]["Instances"]}
    assert set(rows) == {(service["name"], instance["address"]) for service in services for instance in service["instances"]}
    assert f"{ill} of orders (ejected)" in shown["text"] and f"{drained} of orders (drained)" in shown["text"]
    entry, = (entry for entry in operated.page("/healing")["now"] if entry["act"] == "eject")
    assert "ejected" in rows["orders", ill][2] and entry["why"] in rows["orders", ill][3]
    called = {(service["name"], instance["address"]): instance["called"] for service in operated.page("/config")["services"] for instance in service["instances"]}
    assert all(("in use" if called[key] else "not called yet") in row[2] for key, row in rows.items() if key[1] not in (ill, drained))
    now, = shown["tables"]["What is being healed now"]
    assert now[1].endswith("eject") and now[2:] == ["orders", ill, entry["why"]]
    by_hand, = shown["tables"]["What operators have done"]
    assert by_hand[:4] == ["drain", drained, "ops", HOSTILE]
    acts = {(act["act"], act.get("service", "")): act for act in operated.page("/healing")["acts"]}
    assert {(row[0], row[2]): figure(row[6]) for row in shown["tables"]["Acts of healing, and their limits"]} == \
        {key: act["total"] for key, act in acts.items()}
    filtered = browser("filtered", "#/instances", OPS, "state", "ill")
    assert filtered["hash"] == "#/instances?state=ill" and ill in filtered["text"]


def test_the_config_is_that_in_force(browser, operated):
    settings, config = operated.page("/settings"), operated.page("/config")
    shown = seen(browser, "config")
    assert "The config on disk is not in force." in shown["text"] and settings["hash"] in shown["text"]
    refused, = shown["tables"]["Configs that were refused, the latest first"]
    told, = settings["refused"]
    assert refused[1].split() == ["ops:", "more", "attempts"] and told["cause"] in refused[2]
    assert len(told["mistakes"]) == 3 and all(line.split(": ", 1)[1] in refused[2] for line in told["mistakes"])
    assert [row[0] for row in shown["tables"]["Services in force"]] == [service["name"] for service in config["services"]]
    assert [row[0] for row in shown["tables"]["Routes in force"]] == [route["match"] for route in config["routes"]]
    values = shown["tables"][f"Values of {config['file']}"]
    lines = operated.gateway.file.read_text().splitlines()
    for (path, value, origin), one in zip(values, settings["values"]):
        assert path == one["path"] and value == ("secret" if one.get("secret") else one["value"])
        assert origin == f"line {one['line']}" if "line" in one else "default" in origin
    port = next(one for one in settings["values"] if one["path"] == "listen[0].address")
    assert port["value"] in lines[port["line"] - 1]
    secret = next(one for one in settings["values"] if one["path"] == "admin.operators[1].token_sha256")
    assert secret["secret"] and "value" not in secret
    assert seen(browser, "config?text=token_sha256")["tables"][f"Values of {config['file']}"][0][1] == "secret"


def test_who_still_uses_an_old_version(browser, operated):
    usage = operated.page("/usage?service=orders&version=v1&limit=1000")
    shown = seen(browser, "usage?service=orders&version=v1")
    assert "1 client uses v1 of orders: ada." in shown["text"]
    client, = shown["tables"]["Clients, and the versions that they use"]
    assert client[:3] == ["ada", "orders", "v1"] and figure(client[3]) == usage["clients"][0]["calls"] == 3
    method, = shown["tables"]["Methods"]
    assert method[0] == usage["methods"][0]["method"]
    old, = shown["tables"]["Old versions, and when they end"]
    assert old[0] == "orders v1" and "past its sunset, still served" in old[1] and "of 1 h: if nobody calls it, it ends in" in old[2]
    assert browser("filtered", "#/usage", OPS, "service", "machines")["hash"] == "#/usage?service=machines"


def test_the_fleet_and_its_audit(browser, operated):
    shown = seen(browser, "fleet")
    fleet = {gateway["node"]: gateway for gateway in operated.page("/fleet")["gateways"]}
    rows = {row[0]: row for row in shown["tables"]["Gateways that share the store"]}
    assert set(rows) == set(fleet) == {"one", "two"}
    assert all(rows[node][3] == gateway["config"] and "another config" in rows[node][1] for node, gateway in fleet.items())
    entries = operated.page("/audit")["entries"]
    audit = shown["tables"]["What operators have changed"]
    assert [row[2] for row in audit] == [entry["action"] for entry in entries]
    assert [row[3] for row in audit] == [entry["why"] for entry in entries]
    assert [row[4].split()[-1] for row in audit] == [entry["result"] for entry in entries]


# ---- what is done there is done, and audited ----------------------------------------------------------


def audited(operated, action, why):
    """Its latest entry."""
    return eventually(lambda: next((entry for entry in operated.page("/audit")["entries"]
                                    if entry["action"] == action and why in entry["why"]), None))


def act(browser, operated, view, button, audit, **fields):
    """Whoever has the role does it, with a reason; what the page then says."""
    why = f"because of {audit} {len(operated.page('/audit')['entries'])} é"
    said = browser("act", f"#/{view}", OPS, button, {**fields, "Reason": why})
    entry = audited(operated, audit, why)
    assert (entry["who"], entry["by"]) == ("ops", "token")
    return said, entry


def done(*arguments, **fields):
    said, entry = act(*arguments, **fields)
    assert said.startswith("Done.") and entry["result"] == "done", said


def test_a_rollout_is_steered(browser, operated):
    def state():
        return operated.page("/rollouts?name=orders")["rollouts"][0]["state"]
    view = "rollouts?name=orders"
    for button, word, then in (("Start again", "start", "running"), ("Pause", "pause", "paused"), ("Resume", "resume", "running"),
                               ("Roll back", "rollback", "rolled back")):
        done(browser, operated, view, button, f"rollout_{word}")
        assert eventually(lambda: state() == then)
    assert eventually(lambda: seen(browser, view)["buttons"][0] == "Start again")


def test_jobs_are_steered(browser, operated):
    def view(name):
        return f"jobs?id={operated.jobs[name]}"
    for name, button, word, then in (("failed", "Retry", "retry", ("failed",)), ("skipped", "Skip the step", "skip_step", ("done",)),
                                     ("undone", "Undo", "undo", ("undone",)), ("waiting", "Event: approved", "event", ("done",)),
                                     ("cancelled", "Cancel", "cancel", ("undone",))):
        done(browser, operated, view(name), button, f"job_{word}")
        assert eventually(lambda: operated.job(name)["state"] in then)
    assert seen(browser, view("waiting"))["buttons"] == ["Undo", "Replay"]


def test_instances_are_taken_out_and_returned(browser, operated):
    address = f"127.0.0.1:{operated.builds.ports['a']}"
    view = f"instances?address={address}"

    def barred():
        return next(instance["barred"] for instance in operated.page("/config")["services"][0]["instances"] if instance["address"] == address)
    for button, word, then in (("Drain", "drain", ["drained"]), ("Return", "return", []), ("Eject", "eject", ["removed"]), ("Return", "return", [])):
        done(browser, operated, view, button, f"instance_{word}", **({} if word == "return" else {"For how long": "5m"}))
        assert barred() == then
    said, entry = act(browser, operated, view, "Drain", "instance_drain", **{"For how long": "soon"})
    assert said.startswith("Refused (400)") and "for" in said and entry["result"] == "BAD_VALUE" and barred() == []


def test_services_are_pinned(browser, operated):
    def pins():
        return [(pin["act"], pin["target"]) for pin in operated.page("/healing")["manual"] if pin["act"] == "pin"]
    done(browser, operated, "instances", "Pin", "service_pin", **{"Version or build": "old", "For how long": "5m"})
    assert len(pins()) == 1 and pins()[0][1].startswith("orders")
    assert "pinned" in seen(browser, "instances")["tables"]["Services"][0][3]
    done(browser, operated, "instances", "Unpin", "service_unpin")
    assert pins() == []


def test_versions_are_retired_and_served_again(browser, operated):
    def state():
        return operated.page("/usage")["retiring"][0]["state"]
    done(browser, operated, "usage", "Retire", "retire")
    assert state() == "retired" and operated.call("ada", "/v1/orders/1") == 410
    done(browser, operated, "usage", "Serve again", "retire_again")
    assert eventually(lambda: state() != "retired")


def test_a_refused_reload_says_why_and_a_good_one_ends_it(browser, operated):
    good = operated.gateway.config
    operated.gateway.write(good.replace("judge: {", "jugde: {"))
    said, entry = act(browser, operated, "config", "Reload", "reload")
    assert said.startswith("Refused (409)") and "jugde" in said and entry["result"] == "BAD_CONFIG"
    assert len(operated.page("/settings")["refused"]) == 2
    operated.gateway.write(good)
    done(browser, operated, "config", "Reload", "reload")
    assert operated.page("/settings")["generation"] > 1
    assert "not in force" not in seen(browser, "config")["text"]


def test_what_a_customer_says_is_entered(browser, operated):
    done(browser, operated, "signals", "Enter what was said", "feedback", **{"What was said": "My <b>order</b> is late", "Client": "ada"})
    row, = operated.page("/feedback/list?client=ada")["feedback"]
    assert (row["words"], row["source"]) == ("My <b>order</b> is late", "")
    assert "My <b>order</b> is late" in seen(browser, "signals?client=ada")["tables"]["What customers say"][0][2]


def test_what_is_done_elsewhere_is_shown_at_once(browser, operated):
    browser.begin("changes", f"#/jobs?id={operated.jobs['hostile']}", OPS, "Undo")
    assert browser.answer() == {"ready": True}
    assert operated.operate("POST", f"/jobs/{operated.jobs['hostile']}/event?name=approved", **{"Passerelle-Why": "a test"}).status == 200
    assert browser.told(browser.answer()) == {"loads": 0, "open": True}


# ---- by whom, and how ---------------------------------------------------------------------------------

VIEWS = ("rollouts", "rollouts?name=orders", "jobs", "instances", "config", "usage", "usage?service=orders&version=v1", "fleet")
ACTS = {"Start again", "Pause", "Resume", "Advance", "Roll back", "Retry", "Skip the step", "Cancel", "Undo", "Replay", "Event: approved", "Unpark", "Drain",
        "Eject", "Return", "Pin", "Unpin", "Retire", "Serve again", "Reload", "Drain this gateway"}


def test_who_may_only_read_sees_no_actions(browser, operated):
    for view in (*VIEWS, f"jobs?id={operated.jobs['failed']}"):
        may, reads = seen(browser, view), seen(browser, view, READER)
        assert not ACTS & set(reads["buttons"]), view
        assert view in ("jobs", "rollouts") or ACTS & set(may["buttons"]), view
        assert set(may["tables"]) == set(reads["tables"])
    refused = plain(operated.gateway, READER)("POST", "/rollouts/start?name=orders", **{"Passerelle-Why": "x"})
    assert refused.status == 403


def test_a_guest_sees_what_is_open_and_is_told_of_the_rest(browser):
    shown = browser("seen", "#/instances", {})
    assert "Instances" in shown["tables"] and "What is being healed now" not in shown["tables"] and "needs the role read" in shown["text"]
    assert "needs the role read" in browser("seen", "#/rollouts", {})["text"]


def test_an_action_needs_a_reason(browser):
    assert browser("unreasoned", "#/rollouts?name=orders", OPS, "Start again") == {"sent": 0, "open": 1}


def test_actions_work_by_the_keyboard_alone(browser, operated):
    told = browser("typed", "#/config", OPS, "Reload", "by the keyboard")
    assert told["button"]["outlined"] and told["first"]["dialog"] and told["result"].startswith("Done.")
    assert told["back"]["text"] == "Reload" and audited(operated, "reload", "by the keyboard")["result"] == "done"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, operated, scheme):
    """In what a shop in trouble does not have: test_operators_page.py looks at all views there."""
    hashes = ["#/rollouts?name=orders", "#/jobs?state=failed", f"#/jobs?id={operated.jobs['failed']}", "#/instances?state=ill", "#/config?text=operators",
              "#/usage?service=orders&version=v1", "#/fleet"]
    assert browser("axe", hashes, OPS, scheme) == []


@pytest.mark.parametrize("half", [0, 1])
def test_hostile_names_do_nothing(browser, operated, half):
    hashes = [*(f"#/{view}" for view in VIEWS), f"#/jobs?id={operated.jobs['hostile']}"][half::2]
    told = browser("harmless", hashes, OPS, [390, 820, 1440])
    assert told == {view: [] for view in hashes}


def test_hostile_names_are_shown_as_they_are(browser, operated):
    assert HOSTILE in seen(browser, f"jobs?id={operated.jobs['hostile']}")["text"]
    assert HOSTILE in seen(browser, "usage?service=orders&version=v3")["text"]
