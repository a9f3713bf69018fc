"""The ledger: no failure is lost, failures of one kind are one row, and each call of the last hour is known."""
import contextlib
import hashlib
import http.client
import json
import os
import re
import sqlite3
import subprocess
from concurrent import futures

import grpc
import pytest
from backends import v1, v1_grpc
from gateway import BINARY, SHOP_CONFIG, Gateway, instances
from http1_backend import Http1Backend
from http2_client import http2_request
from processes import eventually, free_port
from raw import talk
from stores import store  # noqa: F401  (a fixture)

TOKEN = "r" * 40
CONFIG = SHOP_CONFIG.replace(
    "admin: {address: 127.0.0.1:$admin}",
    "admin: {address: '127.0.0.1:$admin', socket: 'unix:admin.sock', operators: [{name: reader, token_sha256: "
    + hashlib.sha256(TOKEN.encode()).hexdigest() + "}]}\nledger: $ledger")


def command(gateway, *words):
    environment = {**os.environ, "PASSERELLE_ADMIN": f"unix:{gateway.folder}/admin.sock"}
    return subprocess.run([BINARY, *words], env=environment, capture_output=True, text=True, timeout=60)


def errors(gateway):
    return json.loads(command(gateway, "errors", "--json").stdout)


def rows(gateway, kind="failures", **wanted):
    return [row for row in errors(gateway)[kind] if all(row.get(name) == value for name, value in wanted.items())]


@contextlib.contextmanager
def serving(servicer):
    """The port of a v1 instance."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    port = server.add_insecure_port("127.0.0.1:0")
    v1_grpc.add_OrdersServicer_to_server(servicer, server)
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


@pytest.fixture
def away(tmp_path):
    """A gateway whose only instance is away."""
    with Gateway(tmp_path, CONFIG, instances=instances(("v3", free_port())), ledger="{}") as gateway:
        yield gateway


def get(gateway):
    return gateway.http("GET", "/v1/orders/some")


def connect(gateway):
    return gateway.http("POST", "/shop.orders.v1.Orders/Get", {"id": "x"})


def by_grpc(gateway):
    with grpc.insecure_channel(gateway.address) as channel:
        call = channel.unary_unary("/shop.orders.v1.Orders/Get",
                                   request_serializer=v1.GetRequest.SerializeToString,
                                   response_deserializer=v1.Order.FromString)
        with pytest.raises(grpc.RpcError):
            call(v1.GetRequest(id="x"))


# While the instance is known to be down, none is picked, and no version is served: that is another kind.
@pytest.mark.parametrize("call", [get, connect, by_grpc])
def test_a_failure_in_each_dialect_is_counted_exactly(away, call):
    for _ in range(3):
        call(away)
    found = rows(away, fault="UPSTREAM_DOWN", method="shop.orders.v1.Orders/Get")
    assert {row.get("served_version", "none") for row in found} == {"v3", "none"}
    assert sum(row["count"] for row in found) == 3 and len(found) == len(rows(away))
    for row in found:
        assert row["count"] == row["last_minute"] == row["last_hour"] == row["last_day"] == len(row["samples"])
        assert row["degraded"] == row["retried"] == 0 and row["clients"] == 1
        assert row["side"] == "upstream" and row["code"] == "UNAVAILABLE" and row["impact"] == "high"
        assert row["route"] == "orders" and row["client_version"] == "v1" and row["share_of_clients"] == 1
        assert row["cause"] == "connecting: connection refused"
        assert row["share_of_calls"] == pytest.approx(row["count"] / 3, abs=0.001)
        assert row["criticality"] == pytest.approx(10 * (row["share_of_calls"] + 1) / 2, abs=0.001)


def test_failures_of_all_dialects_are_one_kind(tmp_path):
    with Gateway(tmp_path, CONFIG + "loops: 1\n", instances=instances(("v3", free_port())), ledger="{}") as gateway:
        for call in (get, get, connect, by_grpc):
            call(gateway)
        (row,) = [row for row in rows(gateway) if "served_version" not in row]
    assert row["count"] == 3
    assert {sample["record"]["dialect"] for sample in row["samples"]} == {"rest", "connect", "grpc"}


def test_a_degraded_response_is_in_the_ledger_with_its_cause(away):
    answer = away.http("GET", "/v1/recommendations")
    assert answer.status == 200
    (row,) = rows(away, method="shop.orders.v1.Orders/ListRecommendations")
    assert row["count"] == row["degraded"] == 1 and row["fault"] == "UPSTREAM_DOWN" and row["cause"]
    assert row["impact"] == "low" and row["code"] == "UNAVAILABLE"


def test_mistakes_of_clients_are_apart(away):
    away.http("GET", "/nowhere/7")
    away.http("GET", "/nowhere/8")
    away.http("POST", "/v1/orders", {"no_such_field": 1})
    assert rows(away) == []
    (unknown,) = rows(away, "mistakes", fault="UNKNOWN_PATH")
    assert unknown["count"] == 2 and unknown["side"] == "client" and unknown["code"] == "UNIMPLEMENTED"
    assert len(rows(away, "mistakes")) == 2


def test_what_another_attempt_made_good_is_in_the_ledger(tmp_path):
    def ok(peer, told, body):
        peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with Http1Backend(ok) as good:
        config = CONFIG + "  - {match: /old/, instances: $old}\n"
        old = f"[{{address: '127.0.0.1:{good.port}', protocol: http}}, {{address: '127.0.0.1:{free_port()}', protocol: http}}]"
        with Gateway(tmp_path, config, instances=instances(("v3", free_port())), old=old, ledger="{}") as gateway:
            def retried():
                assert gateway.http("GET", "/old/x").status == 200
                return rows(gateway, route="/old/")
            row = eventually(retried)[0]
            assert row["of"] == "attempt" and row["fault"] == "UPSTREAM_DOWN"
            assert row["retried"] == row["count"] and row["criticality"] == 0
            sample = row["samples"][0]["record"]
            assert sample["code"] == "OK" and len(sample["tries"]) == 2
            assert sample["tries"][0]["causes"]


PATHS = {"Get": "/v1/orders/some", "ListRecommendations": "/v1/recommendations"}


@pytest.mark.parametrize("method", PATHS)
def test_an_error_that_another_instance_made_good_is_in_the_ledger(tmp_path, method):
    """In gRPC, where the service itself returned the error; the routes are loud and graceful."""
    class Refusing(v1_grpc.OrdersServicer):
        def Get(self, request, context):
            context.abort(grpc.StatusCode.UNAVAILABLE, f"busy with {request.id}")

        def ListRecommendations(self, request, context):
            context.abort(grpc.StatusCode.UNAVAILABLE, "busy")

    class Good(v1_grpc.OrdersServicer):
        def Get(self, request, context):
            return v1.Order(id=request.id)

        def ListRecommendations(self, request, context):
            return v1.ListRecommendationsResponse()

    with serving(Refusing()) as bad, serving(Good()) as good:
        with Gateway(tmp_path, CONFIG, instances=instances(("v1", bad), ("v1", good)), ledger="{}") as gateway:
            def retried():
                assert gateway.http("GET", PATHS[method]).status == 200
                return [row for row in rows(gateway) if row["of"] == "attempt"]
            row = eventually(retried)[0]
            assert row["fault"] == "UPSTREAM_STATUS" and row["code"] == "UNAVAILABLE" and row["criticality"] == 0
            assert row["method"] == f"shop.orders.v1.Orders/{method}" and row["instances"] == [f"127.0.0.1:{bad}"]
            assert [other for other in rows(gateway) if other["of"] == "call"] == []
            assert f"Orders/{method}  v1 -> v1  (attempts)" in command(gateway, "errors").stdout


def test_a_degraded_call_has_the_code_of_its_cause(tmp_path):
    class Refusing(v1_grpc.OrdersServicer):
        def ListRecommendations(self, request, context):
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "busy")

    with serving(Refusing()) as bad:
        with Gateway(tmp_path, CONFIG, instances=instances(("v1", bad)), ledger="{}") as gateway:
            answer = gateway.http("GET", "/v1/recommendations")
            assert answer.status == 200
            (row,) = rows(gateway)
            assert row["degraded"] == row["count"] == 1 and row["of"] == "call"
            assert row["fault"] == "UPSTREAM_STATUS" and row["code"] == "RESOURCE_EXHAUSTED"


def failed_lines(gateway):
    return [line for line in gateway.log() if line.get("log") == "call" and (line["code"] != "OK" or "degraded" in line)]


def test_each_failed_call_of_the_log_is_in_the_ledger(run_shop):
    """Whatever went wrong, in whatever dialect: as many failures of each fault in the ledger as in the log."""
    shop = run_shop("v3", config=CONFIG, ledger="{}")
    rpc = "/shop.orders.v1.Orders/Get"
    shop.http("GET", "/nowhere")
    shop.http("PATCH", "/v1/orders/1")
    shop.http("GET", "/v1/orders/1?no_such=1")
    shop.http("GET", "/v1/orders/missing")
    shop.http("POST", "/v1/orders", b"{", {"Content-Type": "application/json"})
    shop.http("POST", "/v1/orders", b"{}", {"Content-Type": "text/plain"})
    shop.http("POST", "/v9/orders", {})
    shop.http("POST", rpc, {"id": 7})
    shop.http("POST", rpc, {"id": "missing"})
    shop.http("POST", rpc, {"id": "x"}, {"Connect-Timeout-Ms": "never"})
    shop.http("POST", rpc, {"id": "x"}, {"API-Version": "v3"})
    by_grpc(shop.gateway)
    with grpc.insecure_channel(shop.gateway.address) as channel:
        for path in (rpc, "/shop.orders.v1.Orders/Nothing", "/shop.Nothing/Get"):
            call = channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
            with pytest.raises(grpc.RpcError):
                call(b"\xff")
            with pytest.raises(grpc.RpcError):
                call(b"", timeout=0.000001)
    shop.backend().kill()
    for path in ("/v1/recommendations", "/v2/orders/1", "/v3/orders/1"):
        shop.http("GET", path)
    by_grpc(shop.gateway)

    def counts(pairs):
        total = {}
        for name, n in pairs:
            total[name] = total.get(name, 0) + n
        return total

    def agree():
        page = errors(shop.gateway)
        told = counts((row["fault"], row["count"] - row["retried"]) for row in page["failures"] + page["mistakes"])
        logged = counts((line["causes"][0]["fault"], 1) for line in failed_lines(shop.gateway))
        return told if told == logged else None
    assert len(eventually(agree)) >= 8


@pytest.mark.parametrize("head, status, reason", [
    (f"GET /{'a' * 9000} HTTP/1.1\r\nHost: x\r\n\r\n", 414, "URI_TOO_LONG"),
    ("GET / HTTP/1.1\r\nHost: x\r\nExpect: much\r\n\r\n", 417, "EXPECTATION_FAILED"),
    (f"GET / HTTP/1.1\r\nHost: x\r\nX-Long: {'a' * 40000}\r\n\r\n", 431, "HEAD_TOO_LARGE"),
    ("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, "PROTOCOL_VIOLATION"),
])
def test_a_head_that_is_refused_before_it_is_a_call_has_its_reason_and_a_row(away, head, status, reason):
    answer = talk(away.port, head)
    fields, body = answer.split(b"\r\n\r\n", 1)
    assert fields.startswith(f"HTTP/1.1 {status} ".encode()) and json.loads(body)["reason"] == reason
    request_id = re.search(rb"x-request-id: (\w+)", fields)[1].decode()
    (row,) = rows(away, "mistakes")
    assert row["fault"] == reason and row["count"] == 1 and row["side"] == "client"
    assert row["samples"][0]["request_id"] == request_id
    event = away.logged(event="request_refused")
    assert event["causes"][0]["fault"] == reason and request_id in event["message"]
    record = json.loads(command(away, "request", request_id, "--json").stdout)
    assert record["http_status"] == status and record["peer"].startswith("127.0.0.1:")
    assert away.metric("passerelle_calls_total") == 0


@pytest.mark.parametrize("path, fields, status, reason", [
    ("/" + "a" * 9000, [], 414, "URI_TOO_LONG"),
    ("/", [(f"x-{i}", "y" * 1000) for i in range(40)], 431, "HEAD_TOO_LARGE"),
])
def test_in_http2_a_head_that_is_refused_has_its_reason_and_a_row_too(away, path, fields, status, reason):
    told, seen, body, _trailers = http2_request(away.port, "GET", path, fields)
    assert told == status and json.loads(body)["reason"] == reason
    (row,) = rows(away, "mistakes")
    assert row["fault"] == reason and row["samples"][0]["request_id"] == seen["x-request-id"][0]


def test_good_calls_are_no_rows_but_are_known(run_shop):
    shop = run_shop("v3", config=CONFIG, ledger="{}")
    reply = shop.client("v1").Create(v1.CreateRequest(order=v1.Order(customer="ada", total_cents=5, comment="hello")))
    assert reply.id
    line = shop.gateway.logged(method="shop.orders.v1.Orders/Create")
    told = command(shop.gateway, "request", line["request_id"])
    assert told.returncode == 0
    assert "lost                Order.comment" in told.stdout
    assert "converted           v1 -> v3 -> v1" in told.stdout
    record = json.loads(command(shop.gateway, "request", line["request_id"], "--json").stdout)
    assert record["lost"] == "Order.comment" and record["code"] == "OK" and record["losses"] == line["losses"]
    assert rows(shop.gateway) == [] and rows(shop.gateway, "mistakes") == []


def test_a_request_that_nobody_knows_is_told_so(away):
    told = command(away, "request", "0" * 32)
    assert told.returncode == 1 and "no record" in told.stderr
    assert command(away, "request", "../config").returncode == 2
    assert command(away, "request").returncode == 2


def test_a_failed_request_is_known_with_all_causes(away):
    problem = get(away).json
    told = command(away, "request", problem["request_id"])
    assert told.returncode == 0
    assert "fault=UPSTREAM_DOWN" in told.stdout and "/v1/orders/some" in told.stdout


READER = {"Authorization": f"Bearer {TOKEN}"}


def test_who_has_no_role_sees_nothing_of_the_ledger(away):
    get(away)
    assert away.admin("/errors").status == 401
    page = away.http("GET", "/errors", port=away.admin_port, headers=READER).json
    sample = page["failures"][0]["samples"][0]
    assert sample["record"]["path"] == "/v1/orders/some"
    path = f"/requests/{sample['request_id']}"
    assert away.http("GET", path, port=away.admin_port).status == 401
    answer = away.http("GET", path, port=away.admin_port, headers=READER)
    assert answer.status == 200 and answer.json["path"] == "/v1/orders/some"
    assert away.http("GET", "/requests/none", port=away.admin_port, headers=READER).status == 404
    assert away.http("GET", "/requests/", port=away.admin_port, headers=READER).status == 404


# ---- Calls of the last hour ----


def listed(gateway, query=""):
    answer = gateway.http("GET", f"/requests{query}", port=gateway.admin_port, headers=READER)
    return answer.json["requests"] if answer.status == 200 else answer


def test_calls_of_the_last_hour_are_listed_the_newest_first(run_shop):
    shop = run_shop("v3", config=CONFIG, ledger="{}")
    shop.http("POST", "/v1/orders", {"customer": "ada", "totalCents": "5", "comment": "hello"})
    shop.http("GET", "/v1/orders/nowhere")
    shop.http("GET", "/v3/orders")
    calls = eventually(lambda: [found for found in [listed(shop.gateway)] if len(found) == 3])[0]
    assert [call["path"] for call in calls] == ["/v3/orders", "/v1/orders/nowhere", "/v1/orders"]
    lossy, = listed(shop.gateway, "?lost=true&service=orders&version=v1&served=v3")
    assert lossy["lost"] == "Order.comment" and lossy == calls[2]
    assert [call["path"] for call in listed(shop.gateway, "?text=orders%2Fnowhere")] == ["/v1/orders/nowhere"]
    assert listed(shop.gateway, f"?id={lossy['request_id']}") == [lossy]
    assert [call["path"] for call in listed(shop.gateway, "?limit=1")] == ["/v3/orders"]
    assert listed(shop.gateway, "?failed=true") == listed(shop.gateway, "?version=v2") == []


def test_who_asks_for_calls_needs_the_role_and_a_good_query(away):
    request_id = get(away).json["request_id"]
    assert away.admin("/requests").status == 401
    assert [call["request_id"] for call in listed(away, "?failed=true")] == [request_id]
    refused = listed(away, "?who=ada")
    assert refused.status == 400 and "the query has id, client" in refused.json["detail"]


def test_what_is_redacted_is_neither_listed_nor_found(tmp_path):
    with Gateway(tmp_path, CONFIG, instances=instances(("v3", free_port())), ledger="{redact: [path]}") as gateway:
        get(gateway)
        assert [call["path"] for call in listed(gateway)] == ["redacted"]
        assert listed(gateway, "?text=orders%2Fsome") == []


# ---- Texts of clients ----

WORD = "xyzzy"


def texts_of_client(gateway, word):
    """The same mistakes, each with this word where a client may have one of its own."""
    rpc = "/shop.orders.v1.Orders/Get"
    gateway.http("GET", f"/{word}/path")
    gateway.http("POST", f"/{word}.Service/Method", {})
    gateway.http("GET", f"/v1/orders/some?{word}=1")
    gateway.http("POST", "/v1/orders", {word: 1})
    gateway.http("POST", "/v1/orders", {"items": [{word: 1}]})
    gateway.http("POST", "/v1/orders", {"total_cents": word})
    gateway.http("POST", "/v1/orders", f"{{{word}".encode(), {"Content-Type": "application/json"})
    gateway.http("POST", "/v1/orders", b"{}", {"Content-Type": f"text/{word}"})
    gateway.http("GET", "/v1/orders/some", headers={"Accept": f"text/{word}"})
    gateway.http("POST", "/v1/orders", b"{}", {"Content-Type": "application/json", "Content-Encoding": word})
    gateway.http("POST", rpc, {"id": "x"}, {"Connect-Timeout-Ms": word})
    gateway.http("POST", rpc, {"id": "x"}, {"Connect-Protocol-Version": word})
    gateway.http("POST", rpc, {"id": "x"}, {"API-Version": word})
    gateway.http(word.upper(), "/v1/orders/some")
    gateway.http("GET", "/v1/orders/some", headers={"Expect": word})


def test_no_kind_has_a_text_of_a_client(run_shop):
    shop = run_shop("v3", config=CONFIG + "loops: 1\n", ledger="{}")
    texts_of_client(shop.gateway, WORD)
    shop.http("GET", f"/v1/orders/{WORD}")  # the service quotes it
    page = errors(shop.gateway)
    kinds = {row["fingerprint"] for row in page["mistakes"]}
    assert len(kinds) >= 10 and len(page["failures"]) == 0
    for row in page["mistakes"]:
        assert WORD not in json.dumps({name: value for name, value in row.items() if name != "samples"}).lower()
    for i in range(5):
        texts_of_client(shop.gateway, "word" + "abcde"[i])
        shop.http("GET", "/v1/orders/word" + "abcde"[i])
    assert {row["fingerprint"] for row in errors(shop.gateway)["mistakes"]} == kinds


def test_a_field_is_named_if_the_schema_has_it(run_shop):
    shop = run_shop("v3", config=CONFIG + "loops: 1\n", ledger="{}")
    shop.http("POST", "/v1/orders", {"totalCents": "many"})
    shop.http("POST", "/v1/orders", {WORD: 1})
    causes = {row["fault"]: row["cause"] for row in rows(shop.gateway, "mistakes")}
    assert causes == {"BAD_VALUE": "a value does not fit its field: order.total_cents",
                      "UNKNOWN_FIELD": "a field is not part of this message: order"}


def test_what_is_redacted_is_shown_nowhere(tmp_path):
    ledger = "{redact: [path, order.totalCents]}"
    with Gateway(tmp_path, CONFIG, instances=instances(("v3", free_port())), ledger=ledger) as gateway:
        problem = get(gateway).json
        record = json.loads(command(gateway, "request", problem["request_id"], "--json").stdout)
        assert record["path"] == "redacted" and record["causes"][0]["doing"] != "redacted"
        assert "/v1/orders/some" not in json.dumps(errors(gateway))
        assert gateway.logged(request_id=problem["request_id"])["path"] == "/v1/orders/some"


def test_a_text_that_quotes_what_is_redacted_is_shown_nowhere(run_shop):
    shop = run_shop("v3", config=CONFIG + "loops: 1\n", ledger="{redact: [path, order.total_cents]}")
    shop.http("GET", f"/{WORD}/7")
    shop.http("GET", f"/v1/orders/{WORD}")
    shop.http("POST", "/v1/orders", {"totalCents": WORD})
    page = errors(shop.gateway)
    assert len(page["mistakes"]) == 3 and WORD not in json.dumps(page)


def test_the_list_for_a_person(away):
    get(away)
    away.http("GET", "/nowhere")
    told = command(away, "errors")
    assert told.returncode == 0
    assert "failures: 1\n" in told.stdout and "mistakes of clients: 1\n" in told.stdout
    assert "10.0000   high " in told.stdout and "v1 -> v3" in told.stdout


def test_the_list_has_the_code(tmp_path):
    class Refusing(v1_grpc.OrdersServicer):
        def Get(self, request, context):
            context.abort(grpc.StatusCode.DATA_LOSS, "broken")

    with serving(Refusing()) as bad, Gateway(tmp_path, CONFIG, instances=instances(("v1", bad)), ledger="{}") as gateway:
        get(gateway)
        lines = command(gateway, "errors").stdout.splitlines()
        assert "FAULT               CODE                METHOD" in lines[1]
        assert "UPSTREAM_STATUS     DATA_LOSS           shop.orders.v1.Orders/Get  v1 -> v1" in lines[2]


def test_the_list_is_limited(run_shop):
    shop = run_shop("v3", config=CONFIG, ledger="{}")
    for verb, path in (("GET", "/nowhere"), ("GET", "/v1/orders/some?x=1"), ("PATCH", "/v1/orders/some"), ("GET", "/v9/orders/some")):
        shop.http(verb, path)
    n = len(rows(shop.gateway, "mistakes"))
    assert n >= 3

    def told(*words):
        text = command(shop.gateway, "errors", *words).stdout.split("mistakes of clients")[1]
        return len(re.findall(r"\b[0-9a-f]{16}\b", text)), text
    assert told()[0] == n and "more" not in told()[1]
    assert told("--limit", str(n))[0] == n and "more" not in told("--limit", str(n))[1]
    assert told("--limit", str(n - 1))[0] == n - 1 and "1 more: --limit" in told("--limit", str(n - 1))[1]
    assert told("--limit", "1")[0] == 1 and f"{n - 1} more: --limit" in told("--limit", "1")[1]
    assert len(json.loads(command(shop.gateway, "errors", "--json", "--limit", "1").stdout)["mistakes"]) == n
    for wrong in ("0", "-1", "x", "1.5", ""):
        assert command(shop.gateway, "errors", "--limit", wrong).returncode == 2


def test_the_list_is_watched_over_a_restart(tmp_path):
    config = CONFIG + "store: {sqlite: store.db}\n"
    gateway = Gateway(tmp_path, config, instances=instances(("v3", free_port())), ledger="{}")
    environment = {**os.environ, "PASSERELLE_ADMIN": f"unix:{tmp_path}/admin.sock"}
    out = tmp_path / "watched"
    with gateway, open(out, "w") as written:
        watching = subprocess.Popen([BINARY, "errors", "--watch"], env=environment, stdout=written, stderr=subprocess.STDOUT)
        try:
            eventually(lambda: "failures: 0" in out.read_text())
            gateway.stop()
            eventually(lambda: "trying again" in out.read_text())
            assert watching.poll() is None
            gateway.start()
            before = out.read_text().count("failures: 0")
            eventually(lambda: out.read_text().count("failures: 0") > before)
            assert watching.poll() is None and out.read_text().count("trying again") == 1
        finally:
            watching.kill()
            watching.wait()
    assert command(gateway, "errors", "--watch").returncode == 3


def test_more_kinds_than_there_is_room_for_are_counted(tmp_path):
    with Gateway(tmp_path, CONFIG + "loops: 1\n", instances=instances(("v3", free_port())), ledger="{rows: 2}") as gateway:
        for path in ("/v1/orders/x", "/v2/orders/x", "/v3/orders/x"):
            gateway.http("GET", path)
        page = errors(gateway)
        assert len(page["failures"]) == 2 and page["evicted_failures"] == {"rows": 1, "count": 1}
        assert gateway.metric("passerelle_ledger_rows", side="gateway") == 2
        assert gateway.metric("passerelle_ledger_evicted_total") == 1


def test_a_reload_keeps_the_ledger(away):
    get(away)
    away.reload()
    get(away)
    assert sum(row["count"] for row in rows(away)) == 2


def check_ledger(folder, ledger):
    gateway = Gateway(folder, CONFIG, instances=instances(("v3", 1)), ledger=ledger)
    gateway.write()
    told = subprocess.run([BINARY, "check", gateway.file], capture_output=True, text=True)
    return told.returncode, told.stdout + told.stderr


def test_a_wrong_setting_is_told_with_its_place(tmp_path):
    code, text = check_ledger(tmp_path, "{redact: ['order.'], rows: 0, every: 1ms, unmute_rate: 1, unmute_pause: 59m}")
    assert code == 1
    for name in ("redact[0]", "rows", "every", "unmute_rate", "unmute_pause"):
        assert f"ledger.{name}" in text


@pytest.mark.parametrize("name, hint", [
    ("pat", 'did you mean "path"'), ("clients", 'did you mean "client"'), ("order.custommer", 'did you mean "order.customer"'),
    ("order.items.quantiti", 'did you mean "order.items.quantity"'), ("ordre.customer", 'did you mean "order"'),
    ("order.customer.name", ""), ("", ""), ("order..customer", ""), ("xyzzy", "for example"),
])
def test_what_is_redacted_has_to_exist(tmp_path, name, hint):
    code, text = check_ledger(tmp_path, f"{{redact: ['{name}']}}")
    assert code == 1 and "ledger.redact[0]" in text and hint in text, text


def test_whatever_a_record_has_can_be_redacted(run_shop):
    shop = run_shop("v3", config=CONFIG, ledger="{}")
    shop.client("v1").Create(v1.CreateRequest(order=v1.Order(customer="ada", total_cents=5, comment="hello")))
    created = shop.gateway.logged(method="shop.orders.v1.Orders/Create")["request_id"]
    record = json.loads(command(shop.gateway, "request", created, "--json").stdout)
    shop.http("POST", "/v1/orders", {"total_cents": "many"}, {"X-Request-Id": "x"})
    shop.backend().kill()
    get(shop.gateway)
    shop.http("GET", "/v1/recommendations")
    page = errors(shop.gateway)
    records = [sample["record"] for row in page["failures"] + page["mistakes"] for sample in row["samples"]]
    names = {name for one in [record, *records] for name in one}
    assert len(names) > 30
    fields = ["order.customer", "order.total_cents", "order.totalCents", "order.items.sku", "order.buyer.id"]
    code, text = check_ledger(shop.gateway.folder, f"{{redact: [{', '.join(sorted(names) + fields)}]}}")
    assert code == 0, text


# ---- Over restarts, and among gateways ----

KEPT = CONFIG.replace("{name: reader, ", "{name: ops, role: operate, ") + "store: $store\nnode: $node\n"


def kept(folder, store, node="one", port=None, **words):  # noqa: F811
    folder.mkdir(exist_ok=True)
    return Gateway(folder, KEPT, instances=instances(("v3", free_port())), ledger="{every: 100ms}", store=store.setting,
                   node=node, **words)


def total(gateway):
    return sum(row["count"] for row in rows(gateway))


def annotate(gateway, fingerprint, said, **fields):
    headers = {"Authorization": f"Bearer {TOKEN}", "Passerelle-Why": "we know", **fields}
    return gateway.http("POST", f"/errors/{fingerprint}", said, port=gateway.admin_port, headers=headers)


def test_the_ledger_outlives_the_gateway(tmp_path, store):  # noqa: F811
    with kept(tmp_path / "a", store) as gateway:
        get(gateway)
        get(gateway)
        first = rows(gateway)[0]
    with kept(tmp_path / "a", store) as gateway:
        again = eventually(lambda: rows(gateway, fingerprint=first["fingerprint"]))[0]
        for member in ("count", "first", "last", "clients", "instances", "cause"):
            assert again[member] == first[member]
        for before, after in zip(first["samples"], again["samples"], strict=True):
            assert after["request_id"] == before["request_id"] and after["record"]["path"] == before["record"]["path"]
            assert before["record"]["peer"].startswith("127.0.0.1") and after["record"]["peer"] == "redacted"
        for member in ("criticality", "share_of_calls", "share_of_clients"):
            assert again[member] == first[member] > 0
        assert total(gateway) == 2
        get(gateway)
        assert total(gateway) == 3
    with kept(tmp_path / "b", store, node="other") as gateway:
        assert total(gateway) == 0


def test_what_was_counted_lately_survives_a_kill(tmp_path, store):  # noqa: F811
    gateway = kept(tmp_path / "a", store)
    gateway.__enter__()
    try:
        get(gateway)
        eventually(lambda: gateway.metric("passerelle_store_tasks_total", result="done") > 20)
    finally:
        gateway.process.kill()
    with kept(tmp_path / "a", store) as gateway:
        eventually(lambda: total(gateway) == 1)


def test_a_damaged_record_is_told_and_set_aside(tmp_path):
    store = type("SQLite", (), {"setting": f"{{sqlite: {tmp_path}/store.db}}"})
    with kept(tmp_path / "a", store) as gateway:
        get(gateway)
    with sqlite3.connect(tmp_path / "store.db") as database:
        assert database.execute("UPDATE failures SET content = X'0000'").rowcount == 1
    with kept(tmp_path / "a", store) as gateway:
        line = eventually(lambda: gateway.events("ledger_row_damaged"))[0]
        assert "is set aside" in line["message"] and line["causes"]
        assert gateway.http("GET", "/v1/orders/some").status == 503
        eventually(lambda: gateway.metric("passerelle_ledger_damaged_total") == 1)
        assert total(gateway) == 1
    with sqlite3.connect(tmp_path / "store.db") as database:
        assert database.execute("SELECT count(*) FROM failures WHERE id LIKE 'damaged %'").fetchone() == (1,)


def test_what_an_operator_says_is_shown_by_all_gateways(tmp_path, store):  # noqa: F811
    with kept(tmp_path / "a", store) as one, kept(tmp_path / "b", store, node="two") as two:
        get(one)
        get(two)
        fingerprint = rows(one)[0]["fingerprint"]
        answer = annotate(one, fingerprint, {"owner": "ada", "ticket": "T-1", "acknowledged": True})
        assert answer.status == 200
        for gateway in (one, two):
            said = eventually(lambda: [row["annotation"] for row in rows(gateway, fingerprint=fingerprint)
                                       if "annotation" in row])[0]
            assert said["owner"] == "ada" and said["ticket"] == "T-1" and said["acknowledged"] and said["muted"]
            assert said["who"] == "ops" and said["why"] == "we know" and "cause" not in said
        assert annotate(two, fingerprint, {"cause": "disk"}).status == 200
        assert rows(two, fingerprint=fingerprint)[0]["annotation"]["owner"] == "ada"
        entries = eventually(lambda: [entry for entry in json.loads(command(one, "audit", "--json").stdout)["entries"]
                                      if entry["node"] == "two"])
        assert entries[0]["action"] == "annotate"
        assert entries[0]["why"] == f"{fingerprint}: we know"


def test_an_annotation_needs_no_store(tmp_path):
    config = CONFIG.replace("{name: reader, ", "{name: ops, role: operate, ") + "loops: 1\n"
    with Gateway(tmp_path, config, instances=instances(("v3", free_port())), ledger="{}") as gateway:
        get(gateway)
        get(gateway)
        first, second = rows(gateway)
        assert annotate(gateway, first["fingerprint"], {"acknowledged": True}).status == 200
        assert [row["fingerprint"] for row in rows(gateway)] == [second["fingerprint"], first["fingerprint"]]
        assert rows(gateway)[1]["annotation"]["muted"]


def test_what_happens_more_often_is_muted_no_longer(tmp_path):
    config = CONFIG.replace("{name: reader, ", "{name: ops, role: operate, ") + "loops: 1\n"
    with Gateway(tmp_path, config, instances=instances(("v3", free_port())), ledger="{unmute_rate: 2}") as gateway:
        gateway.http("GET", "/nowhere/a")
        gateway.http("GET", "/nowhere/b")

        def annotation(said=None):
            (row,) = rows(gateway, "mistakes")
            if said:
                assert annotate(gateway, row["fingerprint"], said).status == 200
            return rows(gateway, "mistakes")[0]["annotation"]
        assert annotation({"acknowledged": True})["muted"]
        gateway.http("GET", "/nowhere/c")
        gateway.http("GET", "/nowhere/d")
        assert annotation()["muted"] and "changed" not in annotation()
        gateway.http("GET", "/nowhere/e")
        assert not annotation()["muted"] and annotation()["changed"] == "more often"
        assert not annotation({"owner": "ada"})["muted"]
        assert annotation({"acknowledged": True})["muted"]


def test_an_operator_annotates_by_the_command(away):
    get(away)
    fingerprint = rows(away)[0]["fingerprint"]
    annotated = command(away, "errors", "annotate", fingerprint, "--owner", 'ada "a"', "--ticket", "T-1",
                        "--acknowledge", "--why", "known")
    assert annotated.returncode == 0 and annotated.stdout == ""
    said = rows(away)[0]["annotation"]
    assert said["owner"] == 'ada "a"' and said["ticket"] == "T-1" and said["muted"] and said["why"] == "known"
    assert 'muted; owner: ada "a"; ticket: T-1; why: known; by uid 0' in command(away, "errors").stdout
    assert command(away, "errors", "annotate", fingerprint, "--unmute", "--owner", "").returncode == 0
    said = rows(away)[0]["annotation"]
    assert "owner" not in said and said["ticket"] == "T-1" and not said["muted"]


def test_what_has_failed_just_now_can_be_annotated(tmp_path):
    for folder, ledger in (("other", "{}"), ("here", "{every: 1h}")):
        (tmp_path / folder).mkdir()
        with Gateway(tmp_path / folder, CONFIG, instances=instances(("v3", free_port())), ledger=ledger) as gateway:
            gateway.http("GET", "/nowhere")
            if folder == "other":
                fingerprint = rows(gateway, "mistakes")[0]["fingerprint"]
                continue
            done = command(gateway, "errors", "annotate", fingerprint, "--owner", "ada")
            assert done.returncode == 0, done.stderr
            assert rows(gateway, "mistakes")[0]["annotation"]["owner"] == "ada"


def test_the_command_refuses_what_is_no_annotation(away):
    for words in ((), ("0" * 15, "--owner", "ada"), ("0" * 16,), ("0" * 16, "more", "--owner", "ada"),
                  ("0" * 16, "--watch", "--owner", "ada"), ("0" * 16, "--limit", "3", "--owner", "ada")):
        assert command(away, "errors", "annotate", *words).returncode == 2
    for words in (("--owner", "ada"), ("--cause", "x"), ("--ticket", "x"), ("--acknowledge",), ("--unmute",), ("--why", "x")):
        told = command(away, "errors", *words)
        assert told.returncode == 2 and told.stdout == "" and words[0] in told.stderr and "annotate" in told.stderr
    told = command(away, "errors", "annotate", "0" * 16, "--owner", "ada")
    assert told.returncode == 1 and "knows no failure with that fingerprint" in told.stderr


def test_wrong_annotations_are_refused(away):
    get(away)
    fingerprint = rows(away)[0]["fingerprint"]
    assert annotate(away, fingerprint, {"owner": "ada"}).status == 403  # a reader
    unix = ["curl", "-s", "-o", "-", "-w", "%{http_code}", "--unix-socket", f"{away.folder}/admin.sock"]

    def say(path, text):
        told = subprocess.run([*unix, "-d", text, f"http://localhost/errors/{path}"], capture_output=True, text=True)
        return told.stdout[-3:]
    assert say(fingerprint, '{"owner": "ada"}') == "200"
    assert say(fingerprint, '{"owners": "ada"}') == "400"
    assert say(fingerprint, "{") == "400"
    assert say(fingerprint, "{}") == "400"
    assert say(fingerprint, '{"owner": "ada", "owner": "bob"}') == "400"
    assert say(fingerprint, r'{"owner": "a\u0000b"}') == "400"
    assert say(fingerprint, '{"owner": ' + "[" * 200 + "]" * 200 + "}") == "400"
    assert say("0" * 16, '{"owner": "ada"}') == "404"
    assert say("none", '{"owner": "ada"}') == "404"
    entries = eventually(lambda: (lines := away.events("audit"))[5:] and lines)
    assert entries[0]["result"] == "done" and entries[1]["result"] == "BAD_VALUE"


def test_what_is_sealed_with_another_key_is_overwritten_by_nothing(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.key").write_text(("1" if name == "one" else "2") * 64)
        (tmp_path / f"{name}.key").chmod(0o600)

    def sealed(*names):
        keys = ", ".join(f"{{id: {name}, file: {tmp_path}/{name}.key}}" for name in names)
        store = type("SQLite", (), {"setting": f"{{sqlite: {tmp_path}/store.db, keys: [{keys}]}}"})
        return kept(tmp_path / "a", store)

    def mistakes(gateway):
        return [row for row in errors(gateway)["mistakes"] if row["fault"] == "UNKNOWN_PATH"]

    def wander(gateway, n):
        for _ in range(n):
            gateway.http("GET", "/nowhere")

    with sealed("one") as gateway:
        wander(gateway, 5)
        fingerprint = mistakes(gateway)[0]["fingerprint"]
        assert annotate(gateway, fingerprint, {"owner": "ada", "acknowledged": True}).status == 200
    with sealed("two") as gateway:
        eventually(lambda: gateway.events("ledger_row_damaged"))
        wander(gateway, 2)
        (row,) = eventually(lambda: [row for row in mistakes(gateway) if "annotation" in row and row["count"] == 2])
        assert "owner" not in row["annotation"] and "sealed" in row["annotation"]["failure"]
        refused = annotate(gateway, fingerprint, {"owner": "bob"})
        assert refused.status == 500 and "would be lost" in refused.json["detail"]
    with sealed("one", "two") as gateway:
        row = eventually(lambda: [row for row in mistakes(gateway) if row["count"] == 7])[0]
        assert row["annotation"]["owner"] == "ada"
        assert annotate(gateway, fingerprint, {"ticket": "T-1"}).status == 200
        assert mistakes(gateway)[0]["annotation"]["owner"] == "ada"
    with sqlite3.connect(tmp_path / "store.db") as database:
        for table in ("failures", "annotations"):
            text = str(database.execute(f"SELECT * FROM {table}").fetchall())
            assert "ada" not in text and "UNKNOWN_PATH" not in text and "T-1" not in text


def test_a_gateway_that_is_asked_until_it_is_gone_ends_in_order(tmp_path):
    with Gateway(tmp_path, CONFIG, instances=instances(("v3", free_port())), ledger="{}") as gateway:
        def ask():
            while gateway.process.running():
                try:
                    gateway.http("GET", "/errors", headers={"Authorization": f"Bearer {TOKEN}"}, port=gateway.admin_port)
                except (OSError, http.client.HTTPException):
                    pass  # it is going
        with futures.ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask) for _ in range(4)]
            assert gateway.process.terminate() == 0
            for one in asking:
                one.result()
