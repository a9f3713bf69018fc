"""Who may do what on the admin interface: every path, for everybody; and that every change is audited."""
import json
import os
import subprocess

import pytest
from gateway import BINARY, Gateway
from operators import (CONFIG, HASHES, TLS_CONFIG, SecureGateway, command, entries, make_certificates, other_user,
                       own_user, plain, secure)
from processes import eventually

# Every path: how it is asked for, and what it needs.
PATHS = {
    "/": ("GET", "guest"),
    "/page/**": ("GET", "guest"),
    "/whoami": ("GET", "guest"),
    "/live": ("GET", "read"),
    "/healthz": ("GET", "guest"),
    "/readyz": ("GET", "guest"),
    "/metrics": ("GET", "guest"),
    "/config": ("GET", "guest"),
    "/fleet": ("GET", "guest"),
    "/settings": ("GET", "read"),
    "/tail": ("GET", "read"),
    "/matrix": ("GET", "read"),
    "/healing": ("GET", "read"),
    "/audit": ("GET", "read"),
    "/errors": ("GET", "read"),
    "/requests": ("GET", "read"),
    "/requests/": ("GET", "read"),
    "/jobs": ("GET", "read"),
    "/jobs/": ("GET", "read"),
    "/jobs/unpark": ("POST", "operate"),
    "/idempotency": ("GET", "read"),
    "/idempotency/forget": ("POST", "operate"),
    "/rollouts": ("GET", "read"),
    "/limits": ("GET", "read"),
    "/shadow": ("GET", "read"),
    "/usage": ("GET", "read"),
    "/keys": ("GET", "read"),
    "/debug/loops": ("GET", "read"),
    "/debug/allocator": ("GET", "operate"),
    "/debug/profile": ("GET", "operate"),
    "/debug/heap": ("GET", "operate"),
    "/signals": ("GET", "read"),
    "/signals/": ("POST", "operate"),
    "/feedback": ("POST", "operate"),
    "/feedback/list": ("GET", "read"),
    "/feedback/": ("GET", "read"),
    "/retire": ("POST", "operate"),
    **{f"/rollouts/{word}": ("POST", "operate") for word in ("start", "advance", "pause", "resume", "rollback", "tell")},
    "/errors/": ("POST", "operate"),
    **{f"/jobs/*/{word}": ("POST", "operate")
       for word in ("retry", "skip-step", "cancel", "undo", "event", "migrate", "replay")},
    "/reload": ("POST", "operate"),
    "/drain": ("POST", "operate"),
    "/upgrade": ("POST", "operate"),
    "/client/forget": ("POST", "operate"),
    "/instance/eject": ("POST", "operate"),
    "/instance/drain": ("POST", "operate"),
    "/instance/return": ("POST", "operate"),
    "/service/pin": ("POST", "operate"),
    "/service/unpin": ("POST", "operate"),
}
QUERIES = {"/debug/profile": "?seconds=0", "/instance/eject": "?address=127.0.0.1:1", "/instance/drain": "?address=127.0.0.1:1&for=9s",
           "/instance/return": "?address=127.0.0.1%3A1", "/service/pin": "?to=v3", "/service/unpin": "?service=orders",
           "/client/forget": "?name=ada", "/requests/": "0" * 32, "/errors/": "0" * 16, "/signals/": "0" * 16, "/feedback/": "0" * 16, "/jobs/": "0" * 26,
           "/tail": "?no=filter", "/usage": "?service=orders", "/retire": "?service=orders&version=v1",
           "/idempotency": "?key=none", "/idempotency/forget": "?key=none",
           "/jobs/*/event": "?name=approved", "/jobs/unpark": "?method=orders.Orders/None"}
JOBS = {path for path in PATHS if path.startswith("/jobs/")}
ROLLOUTS = {path for path in PATHS if path.startswith("/rollouts/")}
KEYS = {"/idempotency", "/idempotency/forget"}
UNKNOWN = {"/page/**", "/requests/", "/errors/", "/signals/", "/feedback/", "/usage", "/retire", *JOBS, *KEYS, *ROLLOUTS}  # no such file, call, failure, ..., and nobody counts usage
UNFIT = {"/upgrade", "/debug/heap"}  # there is no supervisor that could; allocations are not sampled
MALFORMED = {"/debug/profile", "/live", "/tail", "/feedback"}  # a good question would take its time; which pages? nothing is said

# Everybody who may ask: the gateway's kind, how, and the role; None: nothing is shown.
PLAIN, TLS = "plain", "tls"
ASKERS = {
    "TCP": (PLAIN, plain, "guest"),
    "TCP with a wrong token": (PLAIN, lambda gateway: plain(gateway, "wrong"), "guest"),
    "TCP with an empty token": (PLAIN, lambda gateway: plain(gateway, ""), "guest"),
    "TCP with a token to read": (PLAIN, lambda gateway: plain(gateway, "reader"), "read"),
    "TCP with a token to operate": (PLAIN, lambda gateway: plain(gateway, "ops"), "operate"),
    "TLS": (TLS, secure, "guest"),
    "TLS with a token to read": (TLS, lambda gateway: secure(gateway, token="reader"), "read"),
    "TLS with a token to operate": (TLS, lambda gateway: secure(gateway, token="ops"), "operate"),
    "a certificate that is not listed": (TLS, lambda gateway: secure(gateway, "mallory"), "guest"),
    "a certificate to read": (TLS, lambda gateway: secure(gateway, "eve"), "read"),
    "a certificate to operate": (TLS, lambda gateway: secure(gateway, "ada"), "operate"),
    "the socket, own user": (PLAIN, own_user, "operate"),
    "the socket, other user": (PLAIN, other_user, None),
}
RANKS = [None, "guest", "read", "operate"]
# Every path that changes something, and the command that asks for it.
# (test_ledger.py has that of /errors/, test_jobs_operators.py those of /jobs/, test_rollout_acts.py those of /rollouts/,
# test_weak_signals.py that of /signals/, test_feedback.py that of /feedback, test_usage.py that of /retire, test_idempotency.py that of /idempotency/forget.)
AUDITED = {"/reload": ["reload"], "/drain": ["drain"], "/upgrade": ["upgrade"],
           "/client/forget": ["client", "forget", "ada"],
           "/instance/eject": ["instance", "eject", "127.0.0.1:1"], "/instance/drain": ["instance", "drain", "127.0.0.1:1"],
           "/instance/return": ["instance", "return", "127.0.0.1:1"], "/service/pin": ["service", "pin", "orders", "v3"],
           "/service/unpin": ["service", "unpin", "orders"]}
# What the audit has before the reason of these.
SUBJECTS = {"eject": "127.0.0.1:1 for 1h", "return": "127.0.0.1:1", "pin": "orders to v3 for 1h", "unpin": "orders"}
SUBJECTS["drain"] = SUBJECTS["eject"]


def start(kind, folder):
    if kind == PLAIN:
        return Gateway(folder, CONFIG, **HASHES).start()
    make_certificates(folder)
    return SecureGateway(folder, TLS_CONFIG, **HASHES).start()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A gateway of each kind, for all that does not end it."""
    gateways = {kind: start(kind, tmp_path_factory.mktemp(kind)) for kind in (PLAIN, TLS)}
    yield gateways
    for gateway in gateways.values():
        gateway.stop()


def expected(asker, path):
    """The statuses that are right for the role."""
    role, needed = ASKERS[asker][2], PATHS[path][1]
    if RANKS.index(role) >= RANKS.index(needed):
        return 404 if path in UNKNOWN else 409 if path in UNFIT else 400 if path in MALFORMED else 200
    return 401 if role == "guest" else 403


def test_each_path_has_a_row(running):
    told = plain(running[PLAIN])("GET", "/nothing").json["detail"]
    assert set(told.removeprefix("there are ").split()) == set(PATHS)
    assert set(AUDITED) == {path for path, (verb, _role) in PATHS.items() if verb != "GET"} - {"/errors/", "/signals/", "/feedback", "/retire", *JOBS, *KEYS, *ROLLOUTS}


@pytest.mark.parametrize("path", [path for path in PATHS if path != "/drain"])
@pytest.mark.parametrize("asker", ASKERS)
def test_each_path_is_for_whom_it_is(running, asker, path):
    if asker.endswith("other user") and os.geteuid() != 0:
        pytest.skip("only root can be somebody else for a moment")
    kind, way, role = ASKERS[asker]
    ask, verb = way(running[kind]), PATHS[path][0]
    generation = running[kind].admin("/config").json["generation"]
    answer = ask(verb, path + QUERIES.get(path, ""))
    assert answer.status == expected(asker, path), answer.body
    changed = running[kind].admin("/config").json["generation"] - generation
    assert changed == (path == "/reload" and answer.status == 200)
    for wrong in {"GET", "POST", "PUT", "DELETE"} - {verb}:
        assert ask(wrong, path + QUERIES.get(path, "")).status == (403 if role is None else 405)


@pytest.mark.parametrize("asker", ASKERS)
def test_only_who_operates_may_drain(running, asker, tmp_path):
    if asker.endswith("other user") and os.geteuid() != 0:
        pytest.skip("only root can be somebody else for a moment")
    kind, way, role = ASKERS[asker]
    if role != "operate":
        assert way(running[kind])("POST", "/drain").status == expected(asker, "/drain")
        assert running[kind].process.running()
        return
    gateway = start(kind, tmp_path)
    assert way(gateway)("POST", "/drain").status == 200
    assert gateway.process.wait() == 0


def test_what_everybody_sees_has_no_names_of_clients_or_operators(running):
    gateway = running[PLAIN]
    gateway.http("GET", "/v1/orders/7", headers={"X-Client-Id": "client-of-mine"})
    gateway.logged(client="client-of-mine")
    plain(gateway, "ops")("POST", "/reload")
    for path, (verb, role) in PATHS.items():
        if role == "guest":
            body = plain(gateway)(verb, path).body.decode()
            assert "client-of-mine" not in body and '"reader"' not in body and '"ops"' not in body, path


def test_each_command_that_changes_something_has_a_row():
    table = json.loads(subprocess.run([BINARY, "help", "--json"], capture_output=True, check=True).stdout)["commands"]
    assert {command["name"] for command in table if command["changes"]} == {"errors", "feedback", "signals", "idempotency", "jobs", "retire", "rollout", *(words[0] for words in AUDITED.values())}


@pytest.mark.parametrize("why", [None, "a reason with ümlauts"])
@pytest.mark.parametrize("words", AUDITED.values(), ids=lambda words: "_".join(words[:2]))
def test_each_change_is_audited_in_log_and_store(tmp_path, words, why):
    word = words[0]
    gateway = Gateway(tmp_path, CONFIG, options=["--supervise"] if word == "upgrade" else [], **HASHES).start()
    before = gateway.admin("/config").json["generation"]
    stored = [] if word == "drain" else None  # which is read when the gateway has stopped
    gateway.write(config=CONFIG + "drain: 9s\n")
    eventually(lambda: gateway.metric("passerelle_store_up") == 1)
    done = command(gateway, *words, *(["--why", why] if why else []))
    assert (done.returncode, done.stderr) == (0, "")
    if stored is None:
        entry, = eventually(lambda: entries(gateway))  # after an upgrade, the old process writes it
        gateway.stop()
    else:
        assert gateway.process.wait() == 0
        again = Gateway(tmp_path, CONFIG, **HASHES)
        with again:
            entry, = entries(again)
    line, = gateway.events("audit")
    after = before + (word == "reload")
    for told, generations in ((entry, (entry["before"]["generation"], entry["after"]["generation"])),
                              (line, (line["generation_before"], line["generation_after"]))):
        assert told["action"] == "_".join(words[:2])
        assert (told["who"], told["by"], told["result"]) == (f"uid {os.geteuid()}", "socket", "done")
        subject = SUBJECTS[words[1]] if word in ("instance", "service") else ""
        assert told.get("why", "") == ": ".join(filter(None, (subject, why)))
        assert generations == (before, after)
    assert (entry["before"]["config"], entry["after"]["config"]) == (line["config_before"], line["config_after"])
    assert (entry["before"]["config"] == entry["after"]["config"]) == (word not in ("reload", "upgrade"))


def test_a_refused_attempt_changes_nothing_and_is_logged(tmp_path):
    with Gateway(tmp_path, CONFIG, **HASHES) as gateway:
        for path in AUDITED:
            target = path + QUERIES.get(path, "")
            assert plain(gateway)("POST", target).status == 401
            assert plain(gateway, "reader")("POST", target).status == 403
            assert plain(gateway, "ops")("POST", target, Origin="https://panel.example").status == 403
            assert plain(gateway, "ops")("POST", target, Host="rebound.example").status == 421
        refused = 4 * len(AUDITED)
        told = eventually(lambda: len(gateway.events("admin_refused")) == refused and gateway.events("admin_refused"))
        assert [(line["reason"], line.get("who"), line["request"]) for line in told] == [
            (reason, who, f"POST {path}") for path in AUDITED for reason, who in
            [("no_proof", None), ("role", "reader"), ("origin", "ops"), ("host", None)]]
        assert all(line["peer"].startswith("127.0.0.1:") for line in told)
        assert entries(gateway) == []
        assert gateway.metric("passerelle_admin_refused_total") == refused


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a moment")
def test_a_stranger_at_the_socket_is_named(tmp_path):
    with Gateway(tmp_path, CONFIG, **HASHES) as gateway:
        assert other_user(gateway)("POST", "/reload").status == 403
        line, = eventually(lambda: gateway.events("admin_refused"))
        assert (line["reason"], line["who"], line["request"]) == ("stranger", "uid 65534", "POST /reload")


def test_the_log_has_a_limited_number_of_refusals_and_then_how_many_more(tmp_path):
    config = CONFIG.replace("  socket:", "  refused_events: 3\n  socket:")
    gateway = Gateway(tmp_path, config, **HASHES).start()
    for _ in range(10):
        assert plain(gateway)("GET", "/audit").status == 401
    assert own_user(gateway)("POST", "/reload", Origin="https://panel.example").status == 403  # its limit is its own
    assert gateway.metric("passerelle_admin_refused_total") == 11
    gateway.stop()
    told = [line.get("suppressed", line.get("reason")) for line in gateway.events("admin_refused")]
    assert sorted(map(str, told)) == ["7", "no_proof", "no_proof", "no_proof", "origin"]
