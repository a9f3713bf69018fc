"""The operators' page in headless Chromium, on a gateway with one of everything going wrong: what it shows is what the API says."""
import re
import subprocess
import time

import pytest
from browser import HERE, Browser
from operators import TOKENS
from processes import ROOT, eventually
from trouble import HOSTILE, Trouble

OPS, READER = TOKENS["ops"], TOKENS["reader"]
VIEWS = ["overview", "matrix", "matrix?service=orders&client=v1&served=v3", "ledger", "request", "rollouts", "rollouts?name=orders", "jobs",
         "instances", "usage", "config", "fleet", "signals"]
WIDTHS = [390, 820, 1440]


@pytest.fixture(scope="module")
def trouble(tmp_path_factory):
    with Trouble(tmp_path_factory.mktemp("shop")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(trouble):
    running = Browser(trouble.page)
    yield running
    running.close()


@pytest.fixture(scope="module")
def hashes(trouble):
    """All views, and those of one thing each."""
    worst = trouble.json("/errors")["failures"][0]["fingerprint"]
    job = next(job["id"] for job in trouble.json("/jobs")["jobs"] if job["state"] == "undone")
    return [f"#/{view}" for view in VIEWS] + [f"#/ledger?fingerprint={worst}", f"#/request?id={trouble.lossy}", f"#/jobs?id={job}"]


def figure(text):
    """1,234 as the page writes it."""
    return int(text.replace(",", ""))


def test_the_chart_library_is_made_of_the_pinned_package(tmp_path):
    subprocess.run(["node", "uplot.mjs", tmp_path / "uPlot.js"], cwd=HERE, check=True)
    vendor = ROOT / "gateway/page/web/vendor"
    assert (vendor / "uPlot.js").read_bytes() == (tmp_path / "uPlot.js").read_bytes()
    assert (vendor / "uPlot.LICENSE").read_bytes() == (HERE / "node_modules/uplot/LICENSE").read_bytes()


# ---- what is shown is what the API says ---------------------------------------------------------------


def test_the_overview_says_what_is_wrong_the_worst_first(browser, trouble):
    seen = browser("seen", "#/overview", {"token": OPS})
    told = {(kind, text) for kind, text, *_ in seen["troubles"]}
    rollout, = trouble.json("/rollouts")["rollouts"]
    numbers = rollout["judgement"]["metrics"]["failures"]
    assert ("no instance", "No instance of stock can serve") in told
    assert ("unreachable", f"127.0.0.1:{trouble.gateway.words['nobody']} of stock cannot be reached") in told
    assert ("ejected", f"127.0.0.1:{trouble.ill.port} of orders gets no calls: it fails more often than others") in told
    assert ("stale schema", "The schema of extras v1 is an old one, from its cache") in told
    assert ("rollout", f"orders build 3.2.0 was rolled back in the tier {rollout['tier']}") in told
    assert ("old version", "v1 of orders is past its sunset, and still called") in told
    assert ("lost fields", "Clients of orders v1 lose fields, served in v3") in told
    assert ("jobs", "1 job failed and was undone") in told
    why = next(why for kind, _, why, _ in seen["troubles"] if kind == "rollout")
    assert f"{numbers['candidate_failed']} of {rollout['judgement']['clients']['candidate']} clients of the candidate" in why
    worst = trouble.json("/errors")["failures"][0]
    assert any(kind == "failures" and worst["fault"] in text and worst["cause"] in text for kind, text, *_ in seen["troubles"])
    assert re.search(r"last (now|\d+ \w+ ago)", seen["text"]) and re.search(r"sunset 2020-03-01", seen["text"])
    tones = [next(tone for tone in ("bad", "warn", "info") if kind in kinds[tone]) for kind, *_ in seen["troubles"]
             if (kinds := {"bad": ["no instance", "rollout"], "warn": ["unreachable", "ejected", "stale schema", "old version"], "info": ["jobs"]})
             and any(kind in of for of in kinds.values())]
    assert tones == sorted(tones, key=["bad", "warn", "info"].index)
    services = {row[0]: row for row in seen["tables"]["Services"]}
    assert {service["name"] for service in trouble.json("/config")["services"]} == set(services)
    assert services["stock"][2].endswith("0 of 1") and services["orders"][1] == "v1, v2, v3"


def test_the_matrix_is_that_of_the_api(browser, trouble):
    seen = browser("seen", "#/matrix?service=orders&client=v1&served=v3", {"token": OPS})
    orders = next(one for one in trouble.json("/matrix")["services"] if one["service"] == "orders")
    cell = next(cell for cell in orders["cells"] if (cell["client_version"], cell["served_version"]) == ("v1", "v3"))
    grid = seen["tables"]["Calls of orders by the version of the client and the version that served them"]
    v1 = next(row for row in grid if row[0].startswith("v1"))
    assert "past sunset" in v1[0]
    shown = " ".join(v1[1:])
    assert f"{cell['losses']} lost fields" in shown and re.search(rf"\b{cell['calls']} calls", shown)
    lost = {row[0] for row in seen["tables"]["Fields that v1 of orders can lose"]}
    assert {"Order.delivery.express", "Order.gift_note", "Order.comment"} <= lost
    clients = {row[0]: figure(row[2]) for row in seen["tables"]["Clients of v1"]}
    assert clients["legacy-shop"] == next(row["calls"] for row in trouble.json("/usage?service=orders&version=v1")["clients"]
                                          if row["client"] == "legacy-shop")
    assert {row["client"] for row in trouble.json("/usage?service=orders&version=v1")["clients"] if row["client"].isalnum()} <= set(clients)
    calls = seen["tables"]["Calls that lost fields"]
    assert any("legacy-shop" == row[1] and "GET /v1/orders/7" in row[2] and "Order.gift_note" in row[4] for row in calls)


def test_mistakes_of_clients_are_no_failures(browser, trouble):
    cells = {one["service"]: one["cells"] for one in trouble.json("/matrix")["services"]}
    assert sum(cell["mistakes"] for cell in cells["orders"]) > 0
    rows = {row[0]: row for row in browser("seen", "#/overview", {"token": OPS})["tables"]["Services"]}
    for service in ("orders", "stock"):
        calls = sum(cell["calls"] for cell in cells[service])
        for column, member in ((4, "errors"), (5, "mistakes")):
            assert float(rows[service][column].strip(" %")) == pytest.approx(100 * sum(cell[member] for cell in cells[service]) / calls, abs=0.06)
    grid = browser("seen", "#/matrix?service=orders", {"token": OPS})["text"]
    assert "clients' mistakes" in grid


def test_the_ledger_is_that_of_the_api(browser, trouble):
    rows = browser("seen", "#/ledger", {"token": OPS})["tables"]["Kinds of failures"]
    failures = [row for row in trouble.json("/errors")["failures"] if row["of"] == "call"]
    assert len(rows) == len(failures)
    for row, failure in zip(rows, failures):
        assert failure["fault"] in row[1] and failure["cause"][:80] in row[1]
        assert figure(row[5]) >= failure["count"] - 5 and figure(row[6].split(" ")[0]) == failure["clients"]
    one = failures[0]
    seen = browser("seen", f"#/ledger?fingerprint={one['fingerprint']}", {"token": OPS})
    assert one["fingerprint"] in seen["text"] and one["cause"] in seen["text"] and HOSTILE in seen["text"]
    assert [href for _, href in seen["links"] if "request?id=" in href] == [f"#/request?id={sample['request_id']}" for sample in one["samples"]]


def test_the_ledger_is_sorted_and_filtered(browser, trouble):
    told = browser("sorted", "#/ledger", OPS, "Kinds of failures", "All", "UPSTREAM_DOWN")
    counts = [figure(row[5]) for row in told["first"][1]]
    assert told["first"][0] == "descending" and counts == sorted(counts, reverse=True)
    assert told["second"][0] == "ascending" and [figure(row[5]) for row in told["second"][1]] == sorted(counts)
    assert 0 < len(told["filtered"]) < len(told["before"]) and all("UPSTREAM_DOWN" in row[1] for row in told["filtered"])
    assert told["hash"] == "#/ledger?text=UPSTREAM_DOWN"


def test_the_path_of_a_call_is_its_record(browser, trouble):
    seen = browser("seen", f"#/request?id={trouble.lossy}", {"token": OPS})
    record = trouble.json(f"/requests/{trouble.lossy}")
    path = " ".join(seen["steps"])
    for said in ("legacy-shop", "GET /v1/orders/7", "in v1", record["instance"], f"in {record['served_version']}", record["served_why"], "2 fields lost",
                 *record["lost"].split(", "), record["code"]):
        assert said in path, said
    listed = browser("seen", "#/request?text=orders%2F7&lost=true", {"token": OPS})["tables"]["Calls of the last hour, the newest first"]
    api = trouble.json("/requests?text=orders%2F7&lost=true&limit=200")["requests"]
    assert len(listed) == len(api) >= 1 and all("Order.gift_note" in row[4] for row in listed)
    assert browser("seen", f"#/request?id={trouble.lossy.upper()}", {"token": OPS})["steps"] == seen["steps"]
    unknown = browser("seen", "#/request?id=nowhere", {"token": OPS})["text"]
    assert "No call of the last hour has the id nowhere" in unknown and "gave way to newer ones (ledger.requests)" in unknown


# ---- four questions, by the page alone ----------------------------------------------------------------


def test_which_client_still_calls_v1(browser):
    told = browser("ways", OPS, "v1 of orders is past its sunset")
    assert told["hash"] == "#/matrix?service=orders&client=v1" and "legacy-shop" in told["text"]


def test_why_order_7_lost_a_field(browser):
    told = browser("ways", OPS, "Clients of orders v1 lose fields", "ago")
    assert "lost" in told["text"] and "What one has, and the other has no place for" in told["text"]
    told = browser("ways", OPS, "the calls that lost a field")
    assert "GET /v1/orders/7" in told["text"] and "Order.gift_note" in told["text"]


def test_which_instance_is_ill(browser, trouble):
    told = browser("ways", OPS, "gets no calls: it fails more often than others")
    assert told["hash"].startswith("#/instances?service=orders") and f"127.0.0.1:{trouble.ill.port}" in told["text"]


def test_why_the_rollout_stopped(browser, trouble):
    told = browser("ways", OPS, "orders build 3.2.0 was rolled back")
    numbers = trouble.json("/rollouts")["rollouts"][0]["judgement"]
    assert told["hash"] == "#/rollouts?name=orders" and "rolled back" in told["text"]
    assert str(numbers["metrics"]["failures"]["candidate_failed"]) in told["text"]


# ---- live, actions, roles -----------------------------------------------------------------------------


def test_what_happens_is_shown_at_once_and_the_focus_stays(browser, trouble):
    browser.begin("live", "#/request", OPS, "/v1/orders/just-now")
    assert browser.answer() == {"ready": True}
    began = time.monotonic()
    trouble.call("GET", "/v1/orders/just-now")
    told = browser.told(browser.answer())
    assert told == {"focus": True, "state": "live"} and time.monotonic() - began < 10


def test_an_operator_acknowledges_a_failure_and_says_why(browser, trouble):
    row = next(row for row in trouble.json("/errors")["failures"] if not row.get("annotation"))
    hash_of = f"#/ledger?fingerprint={row['fingerprint']}"
    assert "Done." in browser("act", hash_of, OPS, "Acknowledge", {"Reason": "Größe bekannt → ticket"})
    assert "Done." in browser("act", hash_of, OPS, "Annotate", {"Owner": "team-orders", "Ticket": "T-1", "Cause": "", "Reason": "known"})
    said = next(one for one in trouble.json("/errors")["failures"] if one["fingerprint"] == row["fingerprint"])["annotation"]
    assert said["acknowledged"] and said["owner"] == "team-orders" and said["who"] == "ops"
    whys = [entry["why"] for entry in trouble.json("/audit")["entries"] if row["fingerprint"] in entry["why"]]
    assert any("Größe bekannt → ticket" in why for why in whys)
    seen = browser("seen", hash_of, {"token": OPS})
    assert "team-orders" in seen["text"] and "Acknowledge no longer" in seen["buttons"]


def test_a_reader_sees_all_and_has_no_actions(browser, trouble):
    fingerprint = trouble.json("/errors")["failures"][0]["fingerprint"]
    seen = browser("seen", f"#/ledger?fingerprint={fingerprint}", {"token": READER})
    assert "reader · read" in seen["who"] and fingerprint in seen["text"] and seen["buttons"] == []


def test_a_hash_that_is_no_view_is_said_to_be_none(browser):
    assert "The view nowhere: there is none." in browser("seen", "#/nowhere", {"token": OPS})["text"]
    assert browser("seen", "#/errors", {"token": OPS})["title"] == "Failures"


def test_a_guest_sees_what_is_for_everybody(browser):
    seen = browser("seen", "#/overview", {})
    assert "guest" in seen["who"] and "needs the role read" in seen["text"] and "No instance of stock can serve" in seen["text"]
    assert "legacy-shop" not in seen["text"] and "rolled back" not in seen["text"]
    assert all(row[3:] == ["–"] * 5 for row in seen["tables"]["Services"])


def test_an_operator_signs_in_with_a_token(browser):
    told = browser("signed", OPS)
    assert "guest" in told["before"][0] and "needs the role read" in told["before"][1]
    assert "Refused." in told["wrong"]
    assert "ops · operate" in told["after"][0] and "UPSTREAM_DOWN" in told["after"][1]
    assert told["kept"] == [["passerelle-theme"], ""] and "guest" in told["out"][0] and told["out"][1] == 0


# ---- everybody can use it -----------------------------------------------------------------------------


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_any_view(browser, hashes, scheme, half):
    found = browser("axe", hashes[half::2], OPS, scheme)
    assert [one for one in found if one["impact"] in ("serious", "critical")] == []


def test_the_keyboard_is_enough(browser, trouble):
    fingerprint = trouble.json("/errors")["failures"][0]["fingerprint"]
    told = browser("keyboard", f"#/ledger?fingerprint={fingerprint}", OPS)
    assert told["skip"]["id"] == "skip" and told["skip"]["outlined"] and told["main"]["id"] == "main"
    assert all(at["outlined"] for at in told["reached"] if at["tag"] != "BODY"), told["reached"]
    assert told["button"] and told["dialog"]["dialog"] and told["back"]["text"] == "Annotate"


@pytest.mark.parametrize("half", [0, 1])
def test_what_others_say_is_shown_and_does_nothing(browser, hashes, half):
    told = browser("harmless", hashes[half::2], OPS, WIDTHS)
    assert {hash_of: wrong for hash_of, wrong in told.items() if wrong} == {}


def test_the_theme_is_that_of_the_system_until_one_is_chosen(browser):
    dark, light, kept = browser("theme")
    assert dark != light and kept == light


# ---- last, for it reloads the config ------------------------------------------------------------------


def test_a_config_that_was_refused_is_wrong_until_a_good_one_is_read(browser, trouble):
    def refused():
        troubles = browser("seen", "#/overview", {"token": OPS})["troubles"]
        return [(why, to) for kind, _, why, to in troubles if kind == "config"]
    assert refused() == []
    good = trouble.gateway.file.read_text()
    trouble.gateway.file.write_text(good + "\nrouts: []\n")
    trouble.gateway.reload()
    latest = eventually(lambda: trouble.json("/settings")["refused"])[0]
    assert refused() == [(latest["cause"], "#/config")]
    trouble.gateway.file.write_text(good + "\n# another one\n")
    trouble.gateway.reload()
    eventually(lambda: trouble.json("/settings")["since"] > latest["at"])
    assert refused() == []
