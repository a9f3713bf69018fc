"""Keys from a URL; client certificates; which methods count where. In one gateway."""
import http.server
import json
import ssl
import subprocess
import threading
import time
import urllib.request

import grpc
import jwt
import pytest
from backends import Backend, client, order_v3, v3
from certificates import certificate
from gateway import Gateway
from processes import eventually, free_port
from test_access import Issuer, get, key, reason

CONFIG = """
listen:
  - {address: '127.0.0.1:$port'}
  - {address: '127.0.0.1:$tls', tls: {certificate: $folder/server.pem, key: $folder/server.key, client_ca: $folder/ca.pem, client_certificate_optional: true}}
  - {address: '127.0.0.1:$keys_only', authentication: [partners]}
admin: {address: '127.0.0.1:$admin', socket: 'unix:$folder/admin.sock'}
log: "-"
sandbox: true
authentication_failures: {rate: 1000/s, burst: 10000}
authentication:
  - {name: people, jwt: {issuer: 'https://issuer', audience: [orders], keys_url: 'http://127.0.0.1:$jwks/keys.json', keys: $folder/kept.json, refresh: 1s, timeout: 300ms, skew: 0s, claims: {scope: scope}}}
  - {name: partners, api_keys: {file: $folder/api-keys.yaml, look: 50ms}}
  - {name: guests, renew: 700ms, api_keys: {file: $folder/guests.yaml, header: x-guest-key}}
  - {name: machines, certificate: {of: common_name, name: ["bot-*"], class: machine}}
authorization: allow
services:
  - name: orders
    versions:
      - {name: v3, package: shop.orders.v3, schema: $orders}
    instances: [{address: '127.0.0.1:$instance', protocol: grpc, versions: [v3]}]
routes:
  - {match: orders.Orders/List, authentication: [machines, people]}
  - {match: orders.Orders/Watch, allow: [{class: [machine]}]}
"""


class Publisher(http.server.ThreadingHTTPServer):
    """Publishes what is in a folder; `answers`: what it does instead."""

    def __init__(self, folder, port=0):
        self.folder, self.asked, self.broken = folder, 0, None
        super().__init__(("127.0.0.1", port), Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked += 1
        text = (self.server.folder / "keys.json").read_bytes()
        if self.server.broken == "slow":
            time.sleep(1)
        if self.server.broken == "moved":
            self.send_response(302)
            self.send_header("location", "/keys.json")
        else:
            self.send_response(500 if self.server.broken == "error" else 200)
        text = {"garbage": b"{", "large": b" " * (1 << 20) + text, "empty": b'{"keys": []}'}.get(self.server.broken, text)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        try:
            self.wfile.write(text)
        except OSError:
            pass

    def log_message(self, *ignored):
        pass


def client_certificate(folder, name):
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                    "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.csr"], check=True, capture_output=True)
    subprocess.run(["openssl", "x509", "-req", "-in", folder / f"{name}.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
                    "-days", "2", "-out", folder / f"{name}.pem"], check=True, capture_output=True)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("access_keys")
    issuer = Issuer(folder)
    (folder / "api-keys.yaml").write_text("keys: []\n")
    (folder / "guests.yaml").write_text("keys: []\n")
    key("make", folder / "guests.yaml", "guest", "--class", "machine")
    certificate(folder)
    certificate(folder, "ca")
    for name in ("bot-1", "stranger"):
        client_certificate(folder, name)
    with Publisher(folder) as publisher, Backend("v3") as backend:
        with Gateway(folder, CONFIG, instance=backend.port, jwks=publisher.server_port, tls=free_port(), keys_only=free_port()) as gateway:
            eventually(lambda: get(gateway, issuer.token(), version="v3").status not in (401, 503))
            yield issuer, gateway, publisher
            assert gateway.metric("passerelle_sandbox_refused_total") == 0
        publisher.shutdown()


def passes(answer):
    return answer.status not in (401, 403, 503)


def over_tls(gateway, path, name=None, **headers):
    context = ssl.create_default_context(cafile=gateway.folder / "server.pem")
    if name:
        context.load_cert_chain(gateway.folder / f"{name}.pem", gateway.folder / f"{name}.key")
    request = urllib.request.Request(f"https://localhost:{gateway.words['tls']}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, context=context, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_keys_are_fetched_and_kept_in_a_file(scene):
    issuer, gateway, _ = scene
    assert passes(get(gateway, issuer.token(), version="v3"))
    assert json.loads((gateway.folder / "kept.json").read_text()) == json.loads((gateway.folder / "keys.json").read_text())


def test_keys_that_cannot_be_kept_count_and_were_fetched(scene):
    issuer, gateway, publisher = scene
    part = gateway.folder / f"kept.json.{gateway.process.child.pid}.part"
    part.mkdir()
    told = gateway.logged(event="keys_not_kept")
    failed, asked = gateway.metric("passerelle_key_reads_total", result="failed"), publisher.asked
    eventually(lambda: publisher.asked > asked)
    part.rmdir()
    assert f"http://127.0.0.1:{publisher.server_port}/keys.json" in str(told) and "kept.json" in str(told), told
    assert gateway.metric("passerelle_key_reads_total", result="failed") == failed and passes(get(gateway, issuer.token(sub="unkept"), version="v3"))


@pytest.mark.parametrize("broken", ["error", "slow", "moved", "garbage", "large", "empty"])
def test_a_publisher_that_fails_has_no_effect(scene, broken):
    issuer, gateway, publisher = scene
    kept = (gateway.folder / "kept.json").read_text()
    failed = gateway.metric("passerelle_key_reads_total", result="failed")
    publisher.broken = broken
    eventually(lambda: gateway.metric("passerelle_key_reads_total", result="failed") > failed)
    eventually(lambda: gateway.metric("passerelle_key_urls_failing") == 1 and gateway.metric("passerelle_keys_stale_seconds") > 0)
    publisher.broken = None
    eventually(lambda: gateway.metric("passerelle_key_urls_failing") == gateway.metric("passerelle_keys_stale_seconds") == 0)
    assert passes(get(gateway, issuer.token(sub=f"during-{broken}"), version="v3"))
    assert (gateway.folder / "kept.json").read_text() == kept


def test_a_key_that_is_published_later_counts_without_a_reload_and_the_old_one_beside_it(scene):
    issuer, gateway, _ = scene
    old = issuer.publish()
    (gateway.folder / "new").mkdir()
    newer = Issuer(gateway.folder / "new", kid="b")
    for n in range(3):  # also just after a fetch, and whatever others asked for
        early = get(gateway, newer.token(iat=time.time(), sub=f"early-{n}"), version="v3")
        assert (early.status, reason(early)) == (503, "KEYS_UNAVAILABLE") and 1 <= int(early.headers["retry-after"]) <= 10
    late = get(gateway, newer.token(iat=time.time() - 60), version="v3")  # its key would be there
    assert (late.status, reason(late)) == (401, "CREDENTIALS_REFUSED")
    newer.folder, newer.others = gateway.folder, [old]
    newer.publish()
    eventually(lambda: passes(get(gateway, newer.token(), version="v3")))
    assert passes(get(gateway, issuer.token(sub="again"), version="v3"))


def test_a_gateway_that_starts_while_the_publisher_is_down_has_the_keys_that_were_kept(scene, tmp_path):
    issuer, gateway, _ = scene
    for name in ("api-keys.yaml", "guests.yaml", "server.pem", "server.key", "ca.pem", "kept.json"):
        (tmp_path / name).write_bytes((gateway.folder / name).read_bytes())
    with Gateway(tmp_path, gateway.config, instance=1, jwks=free_port(), tls=free_port(), keys_only=free_port()) as other:
        assert get(other, issuer.token(), version="v3").status == 503  # there is no instance, but the client is known
        assert reason(get(other, issuer.token(aud="bills"), version="v3")) == "CREDENTIALS_REFUSED"


class Keyless(Gateway):
    def ready(self):
        try:
            answer = self.admin("/readyz")
        except OSError:
            return False
        return answer.status == 503 and b"the first keys" in answer.body


def test_a_gateway_without_any_keys_of_an_issuer_is_not_ready_at_first(scene, tmp_path):
    issuer, gateway, _ = scene
    for name in ("api-keys.yaml", "guests.yaml", "server.pem", "server.key", "ca.pem"):
        (tmp_path / name).write_bytes((gateway.folder / name).read_bytes())
    jwks = free_port()
    with Keyless(tmp_path, gateway.config, instance=1, jwks=jwks, tls=free_port(), keys_only=free_port()) as other:
        answer = get(other, issuer.token(), version="v3")
        assert (answer.status, reason(answer)) == (503, "KEYS_UNAVAILABLE") and 1 <= int(answer.headers["retry-after"]) <= 10
        with Publisher(gateway.folder, jwks) as publisher:
            eventually(lambda: other.admin("/readyz").status == 200)
            publisher.shutdown()
        assert reason(get(other, issuer.token(aud="bills"), version="v3")) == "CREDENTIALS_REFUSED"


def test_a_certificate_is_a_method_like_others(scene):
    issuer, gateway, _ = scene
    path = "/v3/orders/1"
    assert over_tls(gateway, path, "bot-1") not in (401, 403)
    assert gateway.logged(client="bot-1", client_by="certificate")["class"] == "machine"
    assert over_tls(gateway, path, "stranger") == 401  # its name is none of the method's
    assert over_tls(gateway, path) == 401
    assert over_tls(gateway, path, "stranger", Authorization=f"Bearer {issuer.token()}") not in (401, 403)
    assert over_tls(gateway, path, "bot-1", Authorization="Bearer garbage") == 401  # does not make up for it


def test_listeners_and_routes_name_the_methods_that_count_there(scene):
    issuer, gateway, _ = scene
    partner = key("make", gateway.folder / "api-keys.yaml", "partner")[1].strip()
    eventually(lambda: passes(get(gateway, key=partner, version="v3")))
    at = lambda port, path, headers: gateway.http("GET", path, headers=headers, port=port)  # noqa: E731
    token = {"authorization": f"Bearer {issuer.token()}"}
    keys_only = int(gateway.words["keys_only"])
    assert passes(at(keys_only, "/v3/orders/1", {"x-api-key": partner}))
    refused = at(keys_only, "/v3/orders/1", token)
    assert (refused.status, refused.headers["www-authenticate"]) == (401, "ApiKey")
    # The route's methods count before the listener's.
    assert at(None, "/v3/orders?limit=5", {"x-api-key": partner}).status == 401
    assert passes(at(None, "/v3/orders?limit=5", token)) and passes(at(keys_only, "/v3/orders?limit=5", token))


def test_a_stream_ends_when_its_client_must_prove_itself_again(scene):
    issuer, gateway, _ = scene
    guest = key("make", gateway.folder / "guests.yaml", "guest", "--class", "machine")[1].strip()
    eventually(lambda: passes(gateway.http("GET", "/v3/orders/1", headers={"x-guest-key": guest})), timeout=20)
    orders = client(gateway, "v3")
    order = orders.Create(v3.CreateRequest(order=order_v3()), metadata=(("x-guest-key", guest),), timeout=10)
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as ended:
        for _ in orders.Watch(v3.WatchRequest(id=order.id), metadata=(("x-guest-key", guest),), timeout=60):
            pass
    assert ended.value.code() == grpc.StatusCode.UNAUTHENTICATED and 0.6 < time.monotonic() - began < 30


def test_keys_that_rotate_under_load_lose_no_call(scene):
    """Published before it signs, and made before the old one is taken out: as issuers and operators do it."""
    issuer, gateway, _ = scene
    file, failed, rounds, stop = gateway.folder / "api-keys.yaml", [], [0, 0, 0], threading.Event()
    issuer.publish()
    proofs = {"token": issuer.token, "key": key("make", file, "load")[1].strip()}
    now = lambda: ({"authorization": f"Bearer {proofs['token']()}"}, {"x-api-key": proofs["key"]})  # noqa: E731
    eventually(lambda: all(passes(gateway.http("GET", "/v3/orders/1", headers=headers)) for headers in now()))

    def load(at):
        while not stop.is_set():
            for headers in now():
                answer = gateway.http("GET", "/v3/orders/1", headers=headers)
                if not passes(answer):
                    failed.append(answer.body)
            rounds[at] += 1
    threads = [threading.Thread(target=load, args=(at,)) for at in range(len(rounds))]
    for thread in threads:
        thread.start()
    current = issuer
    for turn in range(2):
        (gateway.folder / f"turn{turn}").mkdir()
        newer = Issuer(gateway.folder / f"turn{turn}", kid=f"turn{turn}")
        newer.folder, newer.others = gateway.folder, [*current.others, {**json.loads(
            jwt.algorithms.ECAlgorithm.to_jwk(current.key.public_key())), "kid": current.kid}]
        newer.publish()
        other = key("make", file, "load")[1].strip()
        eventually(lambda: all(passes(gateway.http("GET", "/v3/orders/1", headers=headers)) for headers in (
            {"authorization": f"Bearer {newer.token()}"}, {"x-api-key": other})))
        old, proofs["token"], proofs["key"] = proofs["key"], newer.token, other
        before = list(rounds)  # all calls with the old key end
        eventually(lambda: all(after >= then + 2 for after, then in zip(rounds, before)))
        assert key("revoke", file, old[:12])[0] == 0
        current = newer
    stop.set()
    for thread in threads:
        thread.join()
    assert not failed and min(rounds) > 4, (rounds, failed[:2])


def test_check_warns_of_keys_that_a_new_process_would_not_have(scene, tmp_path):
    _, gateway, _ = scene
    for config, warned in ((gateway.config, None), (gateway.config.replace(" keys: $folder/kept.json,", ""), "write `keys: FILE` beside `keys_url`"),
                           (gateway.config.replace("$folder/kept.json", "$folder/nowhere/kept.json"), "nowhere/kept.json takes no file of this user")):
        other = Gateway(gateway.folder, config, **{name: gateway.words[name] for name in ("instance", "jwks", "tls", "keys_only")})
        other.file = tmp_path / "gateway.yaml"
        told = other.check()
        assert told.returncode == 0 and (warned in told.stdout if warned else "tokens of" not in told.stdout), told.stdout + told.stderr
