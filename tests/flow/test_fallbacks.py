"""Each fallback in each dialect with three faults: the response says so, and so do the log, the metrics and the ledger."""
import base64
import json
import struct
import subprocess
import time
from concurrent import futures

import grpc
import pytest
from backends import v1, v2, v3
from gateway import BINARY, Gateway
from processes import eventually, free_port
from test_ledger import CONFIG, rows

PATH = "/shop.orders.v2.Orders/ListRecommendations"
REST = "/v2/customers/ada/recommendations"
OURS = {"authorization": "Bearer ada"}
DIALECTS = ("grpc", "grpc-web", "grpc-web-text", "connect", "rest")
REASONS = {"down": {"UPSTREAM_DOWN", "UPSTREAM_RESET", "UPSTREAM_REFUSED"},
           "slow": {"DEADLINE_EXCEEDED", "UPSTREAM_STATUS"},  # the instance has the same deadline, and may tell first
           "garbage": {"UPSTREAM_MESSAGE"}}
FALLBACKS = {"older": "older: true", "stale": "stale: 10m", "default": "default: {lines: [{sku: classic, quantity: 1}]}",
             "skip": "skip: true"}
SKUS = {"older": ["of-v1"], "stale": ["of-v3"], "default": ["classic"], "skip": []}


class Instance:
    """An instance of one version that does as it is told: `well`, `slow` or `garbage`; or it is down."""

    def __init__(self, version, message):
        self.now, self.port, self.message = "well", free_port(), message.SerializeToString()
        self.head, self.trailers = (), ()
        handler = grpc.method_handlers_generic_handler(f"shop.orders.{version}.Orders", {
            "ListRecommendations": grpc.unary_unary_rpc_method_handler(self.answer)})
        self.server = grpc.server(futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers([handler])
        assert self.server.add_insecure_port(f"127.0.0.1:{self.port}") == self.port
        self.server.start()

    def answer(self, request, context):
        context.send_initial_metadata(self.head)
        context.set_trailing_metadata(self.trailers)
        if isinstance(self.now, grpc.StatusCode):
            context.abort(self.now, "as it was told")
        if self.now == "slow":
            time.sleep(2)
        return b"\xff\xff\xff" if self.now == "garbage" else self.message

    def become(self, fault):
        self.now = fault
        if fault == "down":
            self.server.stop(None).wait()


def skus(message):
    return [item.sku for item in message.items]


def ask_grpc(gateway):
    channel = grpc.insecure_channel(gateway.address)
    gateway.clients.append(channel)
    method = channel.unary_unary(PATH, v2.ListRecommendationsRequest.SerializeToString, v2.ListRecommendationsResponse.FromString)
    reply, call = method.with_call(v2.ListRecommendationsRequest(customer_id="ada"), metadata=tuple(OURS.items()), timeout=20)
    return skus(reply), {key: value for key, value in call.initial_metadata()}


def ask_web(gateway, text):
    body = v2.ListRecommendationsRequest(customer_id="ada").SerializeToString()
    body = b"\0" + struct.pack(">I", len(body)) + body
    kind = "application/grpc-web-text+proto" if text else "application/grpc-web+proto"
    answer = gateway.http("POST", PATH, base64.b64encode(body) if text else body, {"Content-Type": kind, "Accept": kind, **OURS})
    assert answer.status == 200
    body = answer.body
    if text:  # pieces that are padded, each for itself
        body = b"".join(base64.b64decode(piece + "=" * (-len(piece) % 4)) for piece in body.decode().replace("=", " ").split())
    size = struct.unpack(">I", body[1:5])[0]
    assert body[0] == 0 and b"grpc-status: 0" in body[5 + size:].replace(b"grpc-status:0", b"grpc-status: 0")
    return skus(v2.ListRecommendationsResponse.FromString(body[5:5 + size])), answer.headers


def ask_json(gateway, verb, path, body=None):
    answer = gateway.http(verb, path, body, dict(OURS))
    assert answer.status == 200, answer.body
    return [item["sku"] for item in answer.json.get("items", [])], answer.headers


def ask(gateway, dialect):
    """The articles and the fields of the head."""
    found, fields = {"grpc": lambda: ask_grpc(gateway), "grpc-web": lambda: ask_web(gateway, False),
                     "grpc-web-text": lambda: ask_web(gateway, True),
                     "connect": lambda: ask_json(gateway, "POST", PATH, {"customerId": "ada"}),
                     "rest": lambda: ask_json(gateway, "GET", REST)}[dialect]()
    return found, {key.lower(): value for key, value in fields.items()}


@pytest.fixture
def instances():
    found = [Instance("v3", v3.ListRecommendationsResponse(lines=[v3.Line(sku="of-v3", quantity=1)])),
             Instance("v1", v1.ListRecommendationsResponse(items=[v1.Item(sku="of-v1", quantity=1)]))]
    yield found
    for instance in found:
        instance.server.stop(None)


def config(fallback):
    before, _, _ = CONFIG.partition("  - match: orders.Orders/ListRecommendations")
    rest = CONFIG[CONFIG.index("ledger:"):].splitlines()[0]
    return (before + "  - match: orders.Orders/ListRecommendations\n    timeout: 600ms\n"
            f"    on_failure: {{graceful: {{{fallback}}}}}\n" + ("" if rest in before else rest + "\n"))


def listed(*instances):
    names = ("v3", "v1")
    return "[" + ", ".join(f"{{address: '127.0.0.1:{instance.port}', protocol: grpc, versions: [{names[i]}]}}"
                           for i, instance in enumerate(instances)) + "]"


def check_marked(gateway, dialect, fault, kind, fields):
    reason, by, *age = [part.strip() for part in fields["passerelle-degraded"].split(";")]
    assert reason in REASONS[fault] and by == f"by={kind}"
    assert len(age) == (kind == "stale") and all(part.startswith("age=") for part in age)
    assert fields["cache-control"] == "no-store"
    line = gateway.logged(request_id=fields["x-request-id"])
    assert line["code"] == "OK" and line["level"] == "warning"
    assert line["degraded"] == reason == line["causes"][0]["fault"] and line["degraded_by"] == kind
    assert ("age_s" in line) == (kind == "stale")
    assert gateway.metric("passerelle_calls_total", dialect=dialect, degraded="true", by=kind, fault=reason) >= 1
    assert gateway.metric("passerelle_errors_total", degraded="true", by=kind, fault=reason) >= 1
    return reason


@pytest.mark.parametrize("fault", REASONS)
@pytest.mark.parametrize("kind", FALLBACKS)
def test_each_fallback_in_each_dialect_says_so(tmp_path, instances, kind, fault):
    served = listed(*instances[:2 if kind == "older" else 1])
    with Gateway(tmp_path, config(FALLBACKS[kind]), instances=served, ledger="{}") as gateway:
        for dialect in DIALECTS:
            found, fields = ask(gateway, dialect)
            assert found == ["of-v3"] and "passerelle-degraded" not in fields
        instances[0].become(fault)
        degraded = 0
        for dialect in DIALECTS:
            found, fields = ask(gateway, dialect)
            assert found == SKUS[kind], dialect
            if kind == "older" and fault == "down":  # no fallback: an instance that is down is not chosen
                assert fields["passerelle-served-version"] == "v1" and "passerelle-degraded" not in fields
                continue
            check_marked(gateway, dialect, fault, kind, fields)
            degraded += 1
        assert gateway.metric("passerelle_healing_total", act="older") == (degraded if kind == "older" else 0)
        ledger = rows(gateway, of="call")
        assert sum(row["degraded"] for row in ledger) == sum(row["count"] for row in ledger) == degraded
        assert all(row["fault"] in REASONS[fault] and row["cause"] for row in ledger)
        if fault != "down":
            instances[0].become("well")
            found, fields = ask(gateway, "rest")
            assert found == ["of-v3"] and "passerelle-degraded" not in fields


def refused_by_grpc(gateway):
    with pytest.raises(grpc.RpcError) as caught:
        ask_grpc(gateway)
    error = caught.value
    return error.code().name, dict([*error.initial_metadata(), *error.trailing_metadata()])


def refused_by_web(gateway):
    body = v2.ListRecommendationsRequest().SerializeToString()
    answer = gateway.http("POST", PATH, b"\0" + struct.pack(">I", len(body)) + body,
                          {"Content-Type": "application/grpc-web+proto", **OURS})
    fields = {key.lower(): value for key, value in answer.headers.items()}
    for line in answer.body[5:].decode().splitlines():  # or the trailers are all that there is
        name, _, value = line.partition(":")
        fields[name.strip()] = value.strip()
    return list(grpc.StatusCode)[int(fields["grpc-status"])].name, fields


def refused_by_json(gateway, verb, path, body=None):
    answer = gateway.http(verb, path, body, dict(OURS))
    return answer.json["code"].upper(), {key.lower(): value for key, value in answer.headers.items()}


CODES = {"down": "UNAVAILABLE", "slow": "DEADLINE_EXCEEDED", "garbage": "INTERNAL"}


@pytest.mark.parametrize("fault", REASONS)
def test_without_a_fallback_each_dialect_tells_the_error(tmp_path, instances, fault):
    loud = config("skip: true").replace("on_failure: {graceful: {skip: true}}", "on_failure: loud")
    with Gateway(tmp_path, loud, instances=listed(instances[0]), ledger="{}") as gateway:
        ask(gateway, "rest")
        instances[0].become(fault)
        for dialect, refused in {"grpc": refused_by_grpc, "grpc-web": refused_by_web,
                                 "connect": lambda gateway: refused_by_json(gateway, "POST", PATH, {"customerId": "ada"}),
                                 "rest": lambda gateway: refused_by_json(gateway, "GET", REST)}.items():
            code, fields = refused(gateway)
            assert code == CODES[fault] and "passerelle-degraded" not in fields, dialect
            line = gateway.logged(request_id=fields["x-request-id"])
            assert line["code"] == code and line["level"] == "error" and "degraded" not in line
            assert line["causes"][0]["fault"] in REASONS[fault]
            assert gateway.metric("passerelle_calls_total", dialect=dialect, degraded="false", code=code) == 1
        ledger = rows(gateway, of="call")
        assert sum(row["count"] for row in ledger) == 4 and not any(row["degraded"] for row in ledger)


def test_fallbacks_are_tried_in_their_order_until_one_has_a_response(tmp_path, instances):
    with Gateway(tmp_path, config(f"{FALLBACKS['stale']}, {FALLBACKS['default']}"), instances=listed(instances[0]),
                 ledger="{}") as gateway:
        ask(gateway, "rest")
        instances[0].become("garbage")
        assert ask(gateway, "rest")[0] == ["of-v3"]
        found, fields = ask(gateway, "connect")  # another request: nothing was kept
        assert found == ["classic"] and fields["passerelle-degraded"] == "UPSTREAM_MESSAGE; by=default"
        assert gateway.metric("passerelle_cache_asked_total", result="found") == 1
        assert gateway.metric("passerelle_cache_asked_total", result="missed") == 1


def got(gateway, **fields):
    """The status and where the response is from: `kept`, or `new`."""
    answer = gateway.http("GET", REST, headers=fields)
    marked = "passerelle-degraded" in {key.lower() for key in answer.headers}
    return answer.status, "kept" if marked else "new"


@pytest.mark.parametrize("code", ("PERMISSION_DENIED", "UNAUTHENTICATED", "NOT_FOUND"))
def test_what_the_service_denies_does_not_come_back(tmp_path, instances, code):
    with Gateway(tmp_path, config(FALLBACKS["stale"]), instances=listed(instances[0]), ledger="{}") as gateway:
        assert got(gateway, **OURS) == (200, "new")
        instances[0].become("garbage")
        assert got(gateway, **OURS) == (200, "kept")
        instances[0].become(grpc.StatusCode[code])
        assert got(gateway, **OURS)[0] in (401, 403, 404)
        instances[0].become("garbage")
        assert got(gateway, **OURS)[0] == 502
        assert gateway.metric("passerelle_cache_responses") == 0


@pytest.mark.parametrize("said", (("cache-control", "no-store"), ("cache-control", "must-revalidate"), ("vary", "accept-language")))
@pytest.mark.parametrize("where", ("head", "trailers"))
def test_what_may_not_be_kept_ends_what_was(tmp_path, instances, where, said):
    with Gateway(tmp_path, config(FALLBACKS["stale"]), instances=listed(instances[0]), ledger="{}") as gateway:
        assert got(gateway, **OURS) == (200, "new")
        setattr(instances[0], where, (said,))
        assert got(gateway, **OURS) == (200, "new")
        instances[0].become("garbage")
        assert got(gateway, **OURS)[0] == 502


def test_clients_with_empty_credentials_do_not_share(tmp_path, instances):
    with Gateway(tmp_path, config(FALLBACKS["stale"]), instances=listed(instances[0]), ledger="{}") as gateway:
        rows = ({"Authorization": ""}, {"Cookie": ""}, {"Authorization": "Bearer"}, {"Authorization": " ", "Cookie": " "})
        for row in rows:
            assert got(gateway, **row) == (200, "new")
        instances[0].become("garbage")
        assert [got(gateway, **row)[0] for row in rows] == [502] * len(rows)


def test_public_responses_are_of_one_host_and_one_origin(tmp_path, instances):
    public = config("stale: {for: 10m, public: true}")
    with Gateway(tmp_path, public, instances=listed(instances[0]), ledger="{}") as gateway:
        instances[0].head = (("vary", "origin"),)
        theirs = {"Host": "shop.example", "Origin": "https://a.example"}
        assert got(gateway, **theirs) == (200, "new")
        instances[0].become("garbage")
        assert got(gateway, **theirs) == (200, "kept")
        assert got(gateway, **{**theirs, "Host": "evil.example"})[0] == 502
        assert got(gateway, **{**theirs, "Origin": "https://evil.example"})[0] == 502


def test_a_reload_keeps_what_is_kept_unless_schemas_or_change_lists_change(tmp_path, instances):
    kept = config(FALLBACKS["stale"])
    with Gateway(tmp_path, kept, instances=listed(instances[0]), ledger="{}") as gateway:
        ask(gateway, "rest")
        instances[0].become("garbage")
        gateway.write(kept + "  - {match: orders.Orders/Get, timeout: 7s}\n")
        gateway.reload()
        gateway.logged(event="config_loaded")
        assert ask(gateway, "rest")[0] == ["of-v3"]
        changes = tmp_path / "changes.yaml"
        changes.write_text((gateway.words["shop"] / "orders-v2-v3.yaml").read_text() + "# another text\n")
        gateway.write(kept.replace("$shop/orders-v2-v3.yaml", "$folder/changes.yaml"))
        gateway.reload()
        eventually(lambda: gateway.metric("passerelle_cache_responses") == 0)
        assert gateway.http("GET", REST, headers=dict(OURS)).status == 502


def test_a_graceful_route_without_a_timeout_has_that_of_its_service(tmp_path, instances):
    text = config(FALLBACKS["default"]).replace("    timeout: 600ms\n", "").replace("timeout: 5s", "timeout: 400ms")
    with Gateway(tmp_path, text, instances=listed(instances[0]), ledger="{}") as gateway:
        instances[0].become("slow")
        began = time.monotonic()
        found, fields = ask(gateway, "rest")
        assert found == ["classic"] and fields["passerelle-degraded"].endswith("; by=default")
        assert time.monotonic() - began < 2  # the instance responds after 2 s


def test_explain_and_check_show_them(tmp_path):
    text = config("stale: 10m, " + FALLBACKS["default"])
    gateway = Gateway(tmp_path, text, instances="['127.0.0.1:1']", ledger="{}")
    gateway.words["instances"] = "[{address: '127.0.0.1:1', versions: [v3]}]"
    gateway.write()
    said = subprocess.run([BINARY, "explain", gateway.file, "GET", REST], capture_output=True, text=True, timeout=60).stdout
    assert "fallback  stale up to 10m, then default" in said, said
    found = json.loads(subprocess.run([BINARY, "explain", "--json", gateway.file, "GET", REST], capture_output=True, text=True,
                                      timeout=60).stdout)
    assert found["route"]["fallbacks"] == ["stale", "default"] and found["route"]["stale_ms"] == 600000
