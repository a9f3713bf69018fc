"""Who may call: tokens made by PyJWT, API keys, rules of routes; in all dialects."""
import base64
import datetime
import hashlib
import http.client
import http.server
import itertools
import json
import posixpath
import re
import subprocess
import threading
import time
import urllib.parse

import grpc
import jwt
import pytest
import yaml
from backends import Backend, client, order_v3, v1, v3
from cryptography.hazmat.primitives.asymmetric import ec
from gateway import BINARY, Gateway
from grpc_services import Reflection, parsed
from job_backend import JobBackend
from processes import eventually, free_port
from http2_client import http2_request
from test_each_fault import DIALECTS, IN_FRAMES, Call
from test_jobs import CONFIG as JOBS

CONFIG = """
listen: [{address: '127.0.0.1:$port'}, {address: '127.0.0.1:$behind', trusted_proxies: [127.0.0.0/8]}]
identity_header: x-client
admin: {address: '127.0.0.1:$admin', socket: 'unix:$folder/admin.sock'}
log: "-"
errors: full
authentication_failures: {rate: 1000/s, burst: 1000}
authentication:
  - jwt: {issuer: 'https://issuer', audience: [orders], keys: $folder/keys.json, look: 50ms, skew: 0s, class: class, claims: {scope: scope, roles: realm.roles}}
  - api_keys: {file: $folder/api-keys.yaml, look: 50ms}
  - {name: kept, api_keys: {file: $folder/api-keys.yaml, header: x-kept-key, forward: true}}
services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders}
      - {name: v2, package: shop.orders.v2, schema: $orders}
      - {name: v3, package: shop.orders.v3, schema: $orders}
    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]
    instances: [{address: '127.0.0.1:$instance', protocol: grpc, versions: [v3]}]
routes:
  - match: orders
    allow: [{claims: {scope: orders.read}}, {class: [staff]}, {client: ['bot-*'], version: [v3]}]
  - match: orders.Orders/Create
    allow: [{claims: {scope: orders.write}}]
  - {match: /echo/, allow: [{client: ["*"]}], instances: [{address: '127.0.0.1:$echo', protocol: http}]}
  - {match: /open/, authenticate: none, instances: [{address: '127.0.0.1:$echo', protocol: http}]}
  - {match: /either/, authenticate: optional, instances: [{address: '127.0.0.1:$echo', protocol: http}]}
  - {match: /staff/, allow: [{class: [staff]}], instances: [{address: '127.0.0.1:$echo', protocol: http}]}
  - {match: /staff/deeper/, instances: [{address: '127.0.0.1:$echo', protocol: http}]}
  - {match: /staff/open/, allow: [{client: ["*"]}], instances: [{address: '127.0.0.1:$echo', protocol: http}]}
  - {match: /known/, authenticate: optional, allow: [{client: ["*"]}], instances: [{address: '127.0.0.1:$echo', protocol: http}]}
"""


class Echo(http.server.BaseHTTPRequestHandler):
    """Responds with the fields of the request."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps({":path": self.path, **{name.lower(): value for name, value in self.headers.items()}}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *ignored):
        pass


class Issuer:
    """Signs tokens, and publishes its key."""

    def __init__(self, folder, kid="a"):
        self.folder, self.kid, self.key = folder, kid, ec.generate_private_key(ec.SECP256R1())
        self.others = []
        self.publish()

    def publish(self):
        own = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        (self.folder / "keys.json").write_text(json.dumps({"keys": [*self.others, {**own, "kid": self.kid}]}))
        return {**own, "kid": self.kid}

    def token(self, header=None, key=None, **claims):
        content = {"iss": "https://issuer", "aud": "orders", "sub": "ada", "scope": "orders.read", "exp": time.time() + 60, **claims}
        return jwt.encode({name: value for name, value in content.items() if value is not None}, key or self.key,
                          algorithm="ES256", headers={"kid": self.kid, **(header or {})})


KEYS = {"key-of-bot": {"client": "bot-1"}, "key-of-staff": {"client": "eve", "class": "staff"},
        "old-key": {"client": "eve", "class": "staff", "expires": datetime.date.today() - datetime.timedelta(days=1)}}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("access")
    issuer = Issuer(folder)
    (folder / "api-keys.yaml").write_text("keys:\n" + "".join(
        f"  - {{sha256: {hashlib.sha256(key.encode()).hexdigest()}, {', '.join(f'{name}: {value}' for name, value in said.items())}}}\n"
        for key, said in KEYS.items()))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as echo, Backend("v3") as backend:
        threading.Thread(target=echo.serve_forever, daemon=True).start()
        with Gateway(folder, CONFIG, instance=backend.port, echo=echo.server_address[1], behind=free_port()) as gateway:
            yield issuer, gateway, backend
        echo.shutdown()


def get(gateway, token=None, key=None, version="v1", path="orders/1", method="GET", body=None):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    headers |= {"x-api-key": key} if key else {}
    headers |= {"content-type": "application/json"} if body else {}
    return gateway.http(method, f"/{version}/{path}", body, headers=headers)


def get_at(gateway, path, token):
    return gateway.http("GET", path, headers={"authorization": f"Bearer {token}"})


def reason(answer):
    return answer.json["reason"]


def test_who_proves_nothing_may_call_nothing(scene):
    _, gateway, _ = scene
    answer = get(gateway)
    assert (answer.status, reason(answer), answer.headers["www-authenticate"]) == (401, "CREDENTIALS_MISSING", "Bearer, ApiKey")


def looks(answer):
    """All of a response but the id of the request, which details have in base64."""
    own, body = answer.headers["x-request-id"].encode(), answer.body
    return (answer.status, sorted((name.lower(), value) for name, value in answer.headers.items() if name.lower() not in ("x-request-id", "date")),
            body.replace(own, b"") if answer.headers["content-type"] == "application/problem+json" else len(body))


THERE, NOT_THERE = ("/v1/orders/1", "/v3/orders/1", "/shop.orders.v1.Orders/Create", "/staff/x", "/v1/orders/1?a=%zz"), (
    "/v1/nothing/at/all", "/v9/orders/1", "/shop.orders.v1.Orders/Nothing", "/nothing")


@pytest.mark.parametrize("media", [None, "application/grpc", "application/grpc-web+proto", "application/connect+proto", "application/json"])
@pytest.mark.parametrize("sends", ["nothing", "a wrong key", "a stranger's token"])
def test_refusals_of_what_is_there_and_of_what_is_not_are_the_same_to_the_byte(scene, media, sends):
    issuer, gateway, _ = scene
    fields = {"nothing": {}, "a wrong key": {"x-api-key": "of nobody"},
              "a stranger's token": {"authorization": f"Bearer {issuer.token(scope='other')}"}}[sends]
    ask = lambda path: looks(gateway.http("POST" if media else "GET", path, b"" if media else None,  # noqa: E731
                                          {**fields, **({"content-type": media} if media else {})}))
    seen = {path: ask(path) for path in THERE + NOT_THERE}
    if media in (None, "application/json"):  # of RPC dialects, each path is a method
        rpc = {path: seen.pop(path) for path in list(seen) if "Orders/" in path}
        assert len(set(map(str, rpc.values()))) == 1, rpc
    assert len(set(map(str, seen.values()))) == 1, seen


@pytest.mark.parametrize("method,path", [("POST", "orders"), ("DELETE", "orders/1"), ("GET", "nothing/at/all"), ("GET", "/nothing")])
def test_what_a_client_may_not_call_and_what_is_not_there_look_the_same(scene, method, path):
    """A rule hides `Create` from ada; so she learns nothing of what else there is or is not."""
    issuer, gateway, _ = scene
    body = b"{}" if method == "POST" else None
    seen = get(gateway, issuer.token(), method=method, path=path, body=body)
    assert (seen.status, reason(seen), seen.json["detail"], seen.headers.get("allow")) == (
        403, "NOT_ALLOWED", "the client may not make this call: there is no such call, or no rule allows it to this client", None)
    # Why is in the log.
    line = gateway.logged(request_id=seen.headers["x-request-id"])
    assert line["causes"][1]["fault"] == ("NOT_ALLOWED" if method == "POST" else "METHOD_NOT_ALLOWED" if method == "DELETE" else "UNKNOWN_PATH")


def test_who_may_call_all_learns_what_is_not_there(scene):
    issuer, gateway, _ = scene
    lord = issuer.token(scope="orders.read orders.write", **{"class": "staff"})
    assert reason(get(gateway, lord, path="nothing/at/all")) == "UNKNOWN_PATH"
    assert reason(get(gateway, lord, version="v9", path="orders/1")) == "UNKNOWN_PATH"
    assert reason(gateway.http("DELETE", "/v1/orders/1", headers={"authorization": f"Bearer {lord}"})) == "METHOD_NOT_ALLOWED"


def test_a_narrower_path_has_the_rules_of_the_wider_one(scene):
    issuer, gateway, _ = scene
    for path, status in (("/staff/x", 403), ("/staff/deeper/x", 403), ("/staff/open/x", 200)):
        assert get_at(gateway, path, issuer.token()).status == status, path
        assert gateway.http("GET", path, headers={"x-api-key": "key-of-staff"}).status == 200, path


def test_a_good_token_may_and_its_client_is_in_the_log(scene):
    issuer, gateway, _ = scene
    answer = get(gateway, issuer.token(sub="client-of-the-log"))
    assert answer.status in (200, 404), answer.body
    assert gateway.logged(client="client-of-the-log")["client_by"] == "token"


@pytest.mark.parametrize("wrong", ["iss", "aud", "exp", "nbf", "sub", "key", "kid", "scheme", "twice"])
def test_a_token_with_one_thing_wrong_is_refused(scene, wrong):
    issuer, gateway, _ = scene
    claims = {"iss": {"iss": "https://issuer.evil"}, "aud": {"aud": ["bills", "*"]}, "exp": {"exp": time.time() - 1},
              "nbf": {"nbf": time.time() + 60}, "sub": {"sub": None}, "key": {"key": ec.generate_private_key(ec.SECP256R1())},
              "kid": {"header": {"kid": "../../keys.json"}}}.get(wrong, {})
    token = issuer.token(**claims)
    if wrong == "twice":
        answer = gateway.http("GET", "/v1/orders/1", headers={"authorization": f"Bearer {token}", "Authorization": f"Bearer {token}"})
    elif wrong == "scheme":
        answer = gateway.http("GET", "/v1/orders/1", headers={"authorization": f"Basic {token}"})
    else:
        answer = get(gateway, token)
    expected = {"exp": "CREDENTIALS_EXPIRED", "scheme": "CREDENTIALS_MISSING"}.get(wrong, "CREDENTIALS_REFUSED")
    assert (answer.status, reason(answer)) == (401, expected)
    bearer = "Bearer" if wrong == "scheme" else 'Bearer error="invalid_token"'
    assert answer.headers["www-authenticate"] == f"{bearer}, ApiKey"


def test_rules_of_the_route_decide_what_a_client_may(scene):
    issuer, gateway, _ = scene
    order = json.dumps({"order": {"customer": "ada", "items": [{"sku": "a", "quantity": 1}]}}).encode()
    reader = get(gateway, issuer.token(), method="POST", path="orders", body=order)
    assert (reader.status, reason(reader)) == (403, "NOT_ALLOWED")
    writer = get(gateway, issuer.token(scope="orders.read orders.write"), method="POST", path="orders", body=order)
    assert writer.status not in (401, 403), writer.body
    stranger = get(gateway, issuer.token(scope="other"))
    assert (stranger.status, reason(stranger)) == (403, "NOT_ALLOWED")


def test_api_keys_name_clients_and_may_be_for_a_version(scene):
    _, gateway, _ = scene
    assert get(gateway, key="key-of-staff").status not in (401, 403)
    assert get(gateway, key="key-of-bot", version="v3").status not in (401, 403)
    refused = get(gateway, key="key-of-bot")
    assert (refused.status, reason(refused)) == (403, "NOT_ALLOWED")
    for key, why in (("old-key", "CREDENTIALS_EXPIRED"), ("key-of-nobody", "CREDENTIALS_REFUSED")):
        answer = get(gateway, key=key)
        assert (answer.status, reason(answer)) == (401, why)


def test_a_grpc_client_is_told_in_its_own_words(scene):
    issuer, gateway, _ = scene
    for metadata, code in (((), grpc.StatusCode.UNAUTHENTICATED),
                           ((("authorization", f"Bearer {issuer.token(scope='other')}"),), grpc.StatusCode.PERMISSION_DENIED)):
        for version, module in (("v1", v1), ("v3", v3)):
            with pytest.raises(grpc.RpcError) as refused:
                client(gateway, version).Get(module.GetRequest(id="1"), metadata=metadata, timeout=10)
            assert refused.value.code() == code


def test_a_stream_ends_when_its_token_does(scene):
    issuer, gateway, _ = scene
    orders, write = client(gateway, "v3"), (("authorization", f"Bearer {issuer.token(scope='orders.write')}"),)
    order = orders.Create(v3.CreateRequest(order=order_v3()), metadata=write, timeout=10)
    began, token = time.monotonic(), issuer.token(exp=time.time() + 1.5)
    with pytest.raises(grpc.RpcError) as ended:
        for _ in orders.Watch(v3.WatchRequest(id=order.id), metadata=(("authorization", f"Bearer {token}"),), timeout=60):
            pass
    assert ended.value.code() == grpc.StatusCode.UNAUTHENTICATED, ended.value
    assert time.monotonic() - began < 30


def test_what_was_checked_here_is_withheld_and_the_rest_passes(scene):
    issuer, gateway, _ = scene
    token, bearer = issuer.token(), lambda path, value: gateway.http("GET", path, headers={"authorization": value, "cookie": "a=b"})
    checked = bearer("/echo/x", f"Bearer {token}")
    assert (checked.status, checked.json.get("authorization"), checked.json["cookie"]) == (200, None, "a=b")
    assert bearer("/open/x", f"Bearer {token}").json["authorization"] == f"Bearer {token}"
    assert bearer("/open/x", "Bearer garbage").json["authorization"] == "Bearer garbage"


BAD = {"forged": {"authorization": "Bearer FORGED"}, "ended": {"authorization": "Bearer ENDED"}, "of a stranger": {"authorization": "Bearer STRANGE"},
       "no token": {"authorization": "Bearer garbage"}, "empty": {"authorization": "Bearer"}, "behind a tab": {"authorization": "bearer\tx"},
       "twice": {"authorization": "Basic eDp5", "Authorization": "Bearer FORGED"}, "a key": {"x-kept-key": "of nobody"}}
GOOD = {"a key": {"x-api-key": "key-of-bot"}, "a proxy's word": {"x-client": "ada"}, "both": {"x-api-key": "key-of-bot", "x-client": "ada"}}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("good", GOOD)
def test_good_credentials_do_not_make_up_for_bad_ones(scene, good, bad):
    issuer, gateway, _ = scene
    words = {"FORGED": issuer.token(key=ec.generate_private_key(ec.SECP256R1())), "ENDED": issuer.token(exp=time.time() - 1),
             "STRANGE": issuer.token(iss="https://issuer.evil")}
    fields = {name: re.sub("[A-Z]{4,}", lambda word: words[word[0]], value) for name, value in BAD[bad].items()}
    port = int(gateway.words["behind"])
    assert gateway.http("GET", "/echo/x", headers=GOOD[good], port=port).status == 200
    answer = gateway.http("GET", "/echo/x", headers={**GOOD[good], **fields}, port=port)
    assert (answer.status, reason(answer)) == (401, "CREDENTIALS_EXPIRED" if bad == "ended" else "CREDENTIALS_REFUSED")


@pytest.mark.parametrize("proxy", [{}, {"x-client": "ada"}])
def test_all_credentials_that_count_are_withheld_but_those_that_are_forwarded(scene, proxy):
    issuer, gateway, _ = scene
    sent = {"authorization": f"Bearer {issuer.token()}", "x-api-key": "key-of-bot", "x-kept-key": "key-of-staff", **proxy}
    told = gateway.http("GET", "/echo/x", headers=sent, port=int(gateway.words["behind"])).json
    assert (told.get("authorization"), told.get("x-api-key"), told["x-kept-key"]) == (None, None, "key-of-staff")
    assert gateway.http("GET", "/echo/x", headers={"authorization": "Basic eDp5", "x-api-key": "key-of-bot"}).json["authorization"] == "Basic eDp5"


def test_where_credentials_are_optional_they_must_be_good(scene):
    issuer, gateway, _ = scene
    assert gateway.http("GET", "/either/x").status == 200
    assert get_at(gateway, "/either/x", issuer.token()).status == 200
    assert get_at(gateway, "/either/x", "garbage").status == 401
    anonymous = gateway.http("GET", "/known/x")  # no rule is for it, but it may log in
    assert (anonymous.status, reason(anonymous), anonymous.headers["www-authenticate"]) == (401, "CREDENTIALS_MISSING", "Bearer, ApiKey")
    assert looks(anonymous) == looks(gateway.http("GET", "/nothing"))
    assert gateway.logged(request_id=anonymous.headers["x-request-id"])["causes"][1]["fault"] == "NOT_ALLOWED"
    assert get_at(gateway, "/known/x", issuer.token()).status == 200
    assert gateway.http("GET", "/echo/x").status == 401


def test_a_new_key_of_the_issuer_counts_beside_the_old_one(scene):
    issuer, gateway, _ = scene
    old, old_token = issuer.publish(), issuer.token()
    (gateway.folder / "new").mkdir()
    newer = Issuer(gateway.folder / "new", kid="b")
    assert get(gateway, newer.token()).status == 401
    newer.folder, newer.others = gateway.folder, [old]
    newer.publish()
    eventually(lambda: get(gateway, newer.token()).status != 401)
    assert get(gateway, old_token).status != 401


def test_a_key_that_is_revoked_is_refused_when_the_file_has_changed(scene):
    _, gateway, _ = scene
    file = gateway.folder / "api-keys.yaml"
    made = key("make", file, "eve", "--class", "staff")[1].strip()
    eventually(lambda: get(gateway, key=made).status not in (401, 403))
    file.write_text(file.read_text() + "nonsense\n")  # the last good keys stay
    gateway.logged(event="keys_not_read")
    assert get(gateway, key=made).status not in (401, 403)
    file.write_text(file.read_text().replace("nonsense\n", ""))
    assert key("revoke", file, made[:12])[0] == 0
    eventually(lambda: get(gateway, key=made).status == 401)
    assert get(gateway, key="key-of-staff").status not in (401, 403)
    assert gateway.metric("passerelle_key_reads_total", result="good") >= 2 and gateway.metric("passerelle_key_reads_total", result="failed") >= 1


@pytest.mark.parametrize("mode,told", [(0o644, False), (0o664, True), (0o646, True)])
def test_check_warns_of_files_of_keys_that_others_may_write_in(scene, tmp_path, mode, told):
    _, gateway, _ = scene
    for name in ("keys.json", "api-keys.yaml"):
        (tmp_path / name).write_bytes((gateway.folder / name).read_bytes())
        (tmp_path / name).chmod(mode)
    other = Gateway(tmp_path, CONFIG, instance=1, echo=2, behind=3)
    warned = set(re.findall(r"(\S+): other users may write in \S+ \(mode (\d+)\), and so add keys: chmod go-w", other.check().stdout))
    assert warned == ({(path, f"{mode:o}") for path in ("authentication[0].jwt.keys", "authentication[1].api_keys.file",
                                                         "authentication[2].api_keys.file")} if told else set())


def test_a_file_of_keys_that_is_deleted_is_told_once_and_its_keys_stay(scene):
    _, gateway, _ = scene
    file, away = gateway.folder / "api-keys.yaml", gateway.folder / "away.yaml"
    reads = lambda result: gateway.metric("passerelle_key_reads_total", result=result)  # noqa: E731
    told = lambda: [line for line in gateway.events("keys_not_read") if "No such file" in json.dumps(line)]  # noqa: E731
    failed, good = reads("failed"), reads("good")
    file.rename(away)
    eventually(told)
    assert get(gateway, key="key-of-staff").status not in (401, 403)
    away.rename(file)
    eventually(lambda: reads("good") == good + 1)
    assert len(told()) == 1 and reads("failed") == failed + 1


def test_reflection_shows_what_the_client_may_call(scene):
    issuer, gateway, _ = scene
    orders = "shop.orders.v1.Orders"
    sees = lambda **claims: Reflection(gateway, metadata=[("authorization", f"Bearer {issuer.token(**claims)}")])  # noqa: E731
    reader, stranger = sees(), sees(scope="other")
    with pytest.raises(grpc.RpcError) as refused:
        Reflection(gateway).services()
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert orders in reader.services() and not any(name.startswith("shop.") for name in stranger.services())
    [file, *_] = parsed(reader.ask(file_containing_symbol=orders))
    [service] = file.service
    assert "Get" in {method.name for method in service.method} and "Create" not in {method.name for method in service.method}
    assert {message.name for message in file.message_type} >= {"Order", "GetRequest"}
    assert reader.files(file_containing_symbol=f"{orders}.Get")[0] == file.name
    for hidden in ({"file_containing_symbol": f"{orders}.Create"}, {"file_containing_symbol": f"{orders}.Nothing"}):
        assert reader.files(**hidden) == 5
    for hidden in ({"file_containing_symbol": orders}, {"file_by_filename": file.name}, {"file_containing_symbol": "shop.orders.v1.Order"}):
        assert stranger.files(**hidden) == 5
    writer = sees(scope="orders.read orders.write")
    assert "Create" in {method.name for method in parsed(writer.ask(file_containing_symbol=orders))[0].service[0].method}


def test_explain_says_who_may_call(scene):
    _, gateway, _ = scene
    explained = lambda *arguments: subprocess.run([BINARY, "explain", gateway.file, *arguments], capture_output=True,  # noqa: E731
                                                  text=True, timeout=60).stdout
    told = json.loads(explained("POST", "/v1/orders", "--json"))["access"]
    assert told == {"authenticate": "required", "methods": ["jwt", "api_keys", "kept"], "allow": [{"claims": {"scope": "orders.write"}, "holds": False}]}
    told = json.loads(explained("GET", "/v3/orders/1", "--client", "bot-7", "--json"))["access"]
    assert [rule["holds"] for rule in told["allow"]] == [False, False, True] and told["allowed"]
    for scope, holds in (("orders.write", True), ("orders.read", False)):
        told = json.loads(explained("POST", "/v1/orders", "--client", "ada", "--claim", f"scope={scope}", "--json"))["access"]
        assert told["allow"][0]["holds"] == told["allowed"] == holds
    for wrong in (["--client", "ada", "--claim", "scope"], ["--client", "ada", "--claim", "scope="], ["--claim", "scope=x"], ["--class", "gold"]):
        assert explained("GET", "/v3/orders/1", *wrong) == ""
    text = explained("GET", "/v1/orders/1", "--client", "bot-7")
    assert "proof     required, by jwt, api_keys, kept\n" in text and 'allow     {"client":["bot-*"],"version":["v3"]}\n' in text
    assert "client    bot-7: not allowed by what is given of it" in text
    assert "allow     no rule: everybody who is known" in explained("GET", "/either/x")


# ---- Tricks ------------------------------------------------------------------------------------------------------------

SPELLINGS = ["/open/../staff/x", "/open/%2e%2e/staff/x", "/open/..%2fstaff/x", "/open/.%2e/staff/x", "/open/x/../../staff/x", "//staff/x",
             "/./staff/x", "/staff//x", "/STAFF/x", "/staff%2fx", "/staff;a=b/x", "/%73taff/x", "/open\\..\\staff/x", "/open/..;/staff/x",
             "/open/%252e%252e/staff/x", "/open/%c0%ae%c0%ae/staff/x", "http://x/staff/x", "/staff/x?/open/", "/staff/x#/open/", "/staff/.",
             "/staff", "/open/..", "/v1/../staff/x", "/open/%00/../staff/x"]


@pytest.mark.parametrize("path", SPELLINGS)
def test_no_spelling_of_a_path_leads_past_its_rules(scene, path):
    _, gateway, _ = scene
    try:
        answer = gateway.http("GET", path)
    except http.client.HTTPException:
        pytest.skip("the client refuses to send it")
    assert answer.status in (400, 401, 403, 404) or (answer.status == 200 and meant(answer.json[":path"]).startswith("/open")), answer.body


def meant(path):
    """As the most generous reader takes it."""
    for _ in range(3):
        path = urllib.parse.unquote(path)
    return posixpath.normpath(re.sub("/+", "/", path.replace("\\", "/").partition("?")[0].replace(";", "/;")))


@pytest.mark.parametrize("fields", [
    {"authorization": "Bearer "}, {"authorization": "Bearer"}, {"authorization": "Bearer a.b.c"}, {"authorization": "bearer\tx"},
    {"proxy-authorization": "TOKEN"}, {"x-authorization": "TOKEN"}, {"x_api_key": "key-of-staff"}, {"x-api-key": " "},
    {"x-api-key": "key-of-staff, key-of-staff"}, {"x-api-key": "key-of-staf"}, {"x-api-key": "KEY-OF-STAFF"}, {"cookie": "x-api-key=key-of-staff"},
    {"x-client": "eve", "x-forwarded-user": "eve", "x-client-id": "eve"}, {"connection": "x-api-key", "x-api-key": "key-of-staff"}])
def test_no_other_field_proves_anything(scene, fields):
    issuer, gateway, _ = scene
    headers = {name: value.replace("TOKEN", f"Bearer {issuer.token()}") for name, value in fields.items()}
    assert gateway.http("GET", "/staff/x", headers=headers).status in (400, 401), fields


def test_a_verb_in_a_field_does_not_change_the_rule(scene):
    issuer, gateway, _ = scene
    token = {"authorization": f"Bearer {issuer.token()}", "x-http-method-override": "GET", "content-type": "application/json"}
    assert gateway.http("POST", "/v1/orders", b"{}", headers=token).status == 403


# ---- All dialects and versions -----------------------------------------------------------------------------------------

def rules_of(method):
    """Those of the narrowest route of the config that has some."""
    routes = yaml.safe_load(CONFIG.replace("$port", "1").replace("$admin", "1"))["routes"]
    found = {route["match"]: route["allow"] for route in routes if "allow" in route}
    return next(found[match] for match in (f"orders.Orders/{method}", "orders.Orders", "orders") if match in found)


def holds(rule, who, version):
    named = lambda patterns, name: any(name == pattern or (pattern.endswith("*") and name and name.startswith(pattern[:-1]))  # noqa: E731
                                       for pattern in patterns)
    return (("client" not in rule or named(rule["client"], who.get("client", ""))) and
            ("class" not in rule or named(rule["class"], who.get("class", ""))) and
            ("version" not in rule or named(rule["version"], version)) and
            all(word in who.get("claims", {}).get(name, "").split() for name, word in rule.get("claims", {}).items()))


WHO = {"nobody": {}, "reader": {"client": "ada", "claims": {"scope": "orders.read"}},
       "writer": {"client": "ada", "claims": {"scope": "orders.read orders.write"}}, "stranger": {"client": "ada", "claims": {"scope": "other"}},
       "key-of-staff": {"client": "eve", "class": "staff"}, "key-of-bot": {"client": "bot-1"}}


def code_of(dialect, answer):
    """OK is None."""
    status, fields, body = answer
    if dialect == "grpc-web-text":
        body = b"".join(base64.b64decode(piece + b"=" * (-len(piece) % 4)) for piece in body.replace(b"=", b" ").split())
    told = fields.get("grpc-status") or (re.findall(rb"grpc-status: *(\d+)", body) or [b""])[-1].decode()
    return {"7": 403, "16": 401}.get(told) if dialect in IN_FRAMES else status if status in (401, 403) else None


def ask(gateway, dialect, method, version, headers):
    call = Call(dialect, method, version, {"order": {}} if method == "Create" else {"id": "1", "limit": 5})
    if dialect != "rest":
        call.text = b"" if call.codec == "proto" else b"{}"
    body, fields = call.body, {**({"content-type": call.media} if call.body is not None else {}), **headers}
    if dialect == "grpc":
        status, head, body, trailers = http2_request(gateway.port, call.verb, call.path, [*fields.items(), ("te", "trailers")], body)
        return status, {name: value[0] for name, value in {**head, **trailers}.items()}, body
    answer = gateway.http(call.verb, call.path, body, fields)
    return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.body


@pytest.mark.parametrize("who", WHO)
def test_a_call_is_allowed_or_refused_alike_in_all_dialects_and_versions(scene, who):
    issuer, gateway, _ = scene
    scope = WHO[who].get("claims", {}).get("scope")
    headers = {} if who == "nobody" else {"authorization": f"Bearer {issuer.token(scope=scope)}"} if scope else {"x-api-key": who}
    seen, right = {}, {}
    for method, version, dialect in itertools.product(("Get", "List", "Create"), ("v1", "v2", "v3"), DIALECTS):
        allowed = any(holds(rule, WHO[who], version) for rule in rules_of(method))
        right[method, version, dialect] = 401 if who == "nobody" else None if allowed else 403
        seen[method, version, dialect] = code_of(dialect, ask(gateway, dialect, method, version, headers))
    assert seen == right


def test_check_tells_what_is_wrong_with_credentials(tmp_path):
    gateway = Gateway(tmp_path, CONFIG, instance=1, echo=2, behind=3)
    (tmp_path / "keys.json").write_text("{}")
    (tmp_path / "api-keys.yaml").write_text("keys: [{client: ada, sha256: abc}]\n")
    told = gateway.check()
    assert told.returncode == 1
    assert "`keys`" in told.stdout + told.stderr and "64 hexadecimal digits" in told.stdout + told.stderr


def test_check_warns_of_what_has_no_rule_unless_that_is_said(tmp_path):
    issuer = Issuer(tmp_path)
    (tmp_path / "api-keys.yaml").write_text("keys: []\n")
    unruled = CONFIG.replace("    allow: [{claims: {scope: orders.read}}, {class: [staff]}, {client: ['bot-*'], version: [v3]}]\n", "")
    for config, warnings in ((CONFIG, ["/either/"]), (unruled, ["/shop.orders.v1.Orders/Get and other", "/either/"]),
                             (unruled + "authorization: allow\n", []), (unruled + "authorization: {default: deny}\n", [])):
        told = Gateway(tmp_path, config, instance=1, echo=2, behind=3).check()
        found = [line for line in (told.stdout + told.stderr).splitlines() if "no rule says who may call" in line]
        assert told.returncode == 0 and len(found) == len(warnings), told.stdout + told.stderr
        assert all(any(warning in line for line in found) for warning in warnings)
    assert issuer


def test_each_step_of_a_job_must_be_allowed_to_the_client(tmp_path):
    config = JOBS.replace("{match: machines, attempts: 1}", "{match: machines, attempts: 1, allow: [{class: [staff]}]}").replace("$folder/..", "$folder") + (
        "authentication: [{api_keys: $folder/api-keys.yaml}]\n")
    make = lambda *arguments: subprocess.run([BINARY, "key", "make", tmp_path / "api-keys.yaml", *arguments],  # noqa: E731
                                             capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    keys = {"ada": make("ada"), "eve": make("eve", "--class", "staff")}
    (tmp_path / "steps.token").write_text("of-the-gateway")
    (tmp_path / "steps.token").chmod(0o600)
    with JobBackend(tmp_path) as backend, Gateway(tmp_path, config, node="one", store=tmp_path / "jobs.db",
                                                  instance=backend.port, revision=1) as gateway:
        for client, key in keys.items():
            begun = gateway.http("POST", "/v2/sites", {"name": f"of-{client}", "plan": "good"}, {"x-api-key": key})
            assert begun.status == 202, begun.body
            path = "/v1/operations/" + begun.headers["location"].rpartition("/")[2]
            told = eventually(lambda: (answer := gateway.http("GET", path, headers={"x-api-key": key}).json).get("done") and answer)
            assert ("error" in told) == (client == "ada"), told
        assert told["response"] and not backend.effects.of("of-ada")


# ---- passerelle key --------------------------------------------------------------------------------------------------

def key(*arguments):
    done = subprocess.run([BINARY, "key", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_keys_are_made_listed_and_revoked_in_a_file(tmp_path):
    file = tmp_path / "keys.yaml"
    code, made, _ = key("make", file, "ada", "--class", "partner", "--claim", "scope=a b", "--expires", "2199-01-31")
    assert code == 0 and re.fullmatch(r"key_[0-9a-f]{8}_[\w-]{43}\n", made)
    assert file.stat().st_mode & 0o777 == 0o600 and made.strip() not in file.read_text()
    with file.open("a") as text:
        text.write("  # bob's\n")
    other = json.loads(key("make", file, 'bob "b"', "--tenant", "north", "--json")[1])
    assert other["client"] == 'bob "b"' and other["key"].startswith(other["id"])
    listed = json.loads(key("list", file, "--json")[1])["keys"]
    assert listed == [{"id": made[:12], "client": "ada", "class": "partner", "expires": "2199-01-31"},
                      {"id": other["id"], "client": 'bob "b"', "tenant": "north"}]
    assert key("revoke", file, made[:12])[:2] == (0, f"revoked: {made[:12]}\n")
    assert [row["id"] for row in json.loads(key("list", file, "--json")[1])["keys"]] == [other["id"]]
    assert key("revoke", file, other["id"])[0] == 0 and key("list", file, "--json")[1] == '{"keys":[]}\n'


def test_a_file_that_lines_cannot_be_added_to_stays_as_it_is(tmp_path):
    file, written = tmp_path / "keys.yaml", f"keys: [{{id: a, client: ada, sha256: {64 * '0'}}}, {{id: b, client: ada, sha256: {64 * '1'}}}]\n"
    file.write_text(written)
    assert key("make", file, "bob")[0] == 1 and key("revoke", file, "a")[0] == 1 and key("revoke", file, "c")[0] == 1
    assert file.read_text() == written and list(tmp_path.iterdir()) == [file]
    file.write_text("keys: 5\n")
    code, _, told = key("list", file)
    assert code == 1 and "keys.yaml:1:7" in told
    today, tomorrow = (datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=n) for n in (0, 1))
    for wrong, why in ((("bob", "--expires", "tomorrow"), "--expires: it is no day, as 2027-01-31"), (("",), "the client: it is empty"),
                       (("bob", "--expires", str(today)), "--expires: the key would have ended already"),
                       (("b\nob",), "the client: it has a control character"), (("bob", "--class", "\x7f"), "--class: it has a control character"),
                       (("bob", "--claim", "scope"), "--claim: it is not NAME=VALUE"), (("bob", "--claim", "=a"), "--claim: it is not NAME=VALUE")):
        code, _, told = key("make", tmp_path / "none.yaml", *wrong)
        assert code == 2 and why in told and not (tmp_path / "none.yaml").exists(), (wrong, told)
    assert key("make", tmp_path / "none.yaml", "b\u00f6b", "--expires", str(tomorrow))[0] == 0
    assert key("make", file, "bob", "--expires", "tomorrow")[0] == 2 and key("make", file)[0] == 2
