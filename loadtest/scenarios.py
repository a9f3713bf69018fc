"""The scenarios of the instruction guard: calls of each kind, with and without a version change."""
import atexit
import base64
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import ssl
import tempfile
import time

import contenders
from beside.peers import make_certificate
from lockstep import FreshTlsClient, GrpcClient, GrpcService, Http1Client, Http1Service
from processes import free_port

TOGETHER = 16       # gRPC calls in flight at once
IN_ONE_WRITE = 100  # messages of a stream
ORDERS = 1000       # in a list


class Calls:
    """Calls of one client to one service."""

    def __init__(self, scenario, client, service):
        self.scenario, self.client, self.service, self.right = scenario, client, service, None

    def close(self):
        self.client.close()
        self.service.close()

    def run(self, n):
        at_once = self.scenario.at_once
        for _ in range(n // at_once):
            self.client.ask(at_once)
            self.service.serve(at_once)
            for answer in self.client.hear(at_once):
                if answer.fields[":status"] != "200" or answer.trailers.get("grpc-status", "0") != "0":
                    raise SystemExit(f"{self.scenario.name}: {answer.fields} {answer.body} {answer.trailers}")
                self.check(answer.body)

    def check(self, body):
        """Judges the first answer; all others must be equal to it."""
        if self.right is None and self.scenario.is_right(body):
            self.right = body
        if body != self.right:
            raise SystemExit(f"{self.scenario.name}: a wrong answer: {body}")


class Messages(Calls):
    """Messages of the answer to one streaming call."""

    def __init__(self, scenario, client, service):
        super().__init__(scenario, client, service)
        client.ask(1)
        service.open()

    def run(self, n):
        at_once = self.scenario.at_once
        for _ in range(n // at_once):
            self.service.send_messages(at_once)
            for message in self.client.hear_messages(at_once):
                self.check(message)


class PackedMessages(Messages):
    """The same, many in each frame, as services send what they have ready."""

    def run(self, n):
        at_once = self.scenario.at_once
        for _ in range(n // at_once):
            self.service.send_packed(at_once)
            for message in self.client.hear_messages(at_once):
                self.check(message)


# The second attempt is planned for each call, and never begins.
RETRIES = ", attempts: 3, retry: {initial_backoff: 25ms, max_backoff: 1s}, hedge: {after: 30s}"


# All that is there for calls that fail; the receiver of the webhook hears of none.
EVERYTHING = ("}\n  - {match: orders.Orders/Get, impact: high, parameters: {id: {required: true, at_most: 64}}" + RETRIES +
              ", on_failure: {graceful: {older: true, stale: 10m, default: {id: none}}}")
CLIENTS = "identity_header: x-client\ntrusted_proxies: [127.0.0.1]\n"
LEDGER = "ledger: {webhooks: [{name: pager, url: 'http://127.0.0.1:1/', every: 1m}]}\n"


class Secure:
    """A listener for localhost in TLS: its certificate, as long as the process; what a config says of it; and the context of a client."""

    def __init__(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        atexit.register(shutil.rmtree, folder)
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        make_certificate(certificate, key)
        self.port, self.context = free_port(), ssl.create_default_context(cafile=certificate)
        self.listen = f", {{address: 127.0.0.1:{self.port}, tls: {{certificate: {certificate}, key: {key}}}}}"


class Credentials:
    """Files of an API key and of a token's key, as long as the process; what a config says of them; and what a client sends."""

    def __init__(self):
        folder = tempfile.mkdtemp()
        atexit.register(shutil.rmtree, folder)
        secret, key = os.urandom(32), "key_0123abcd_" + "k" * 43
        parts = [self.encode(json.dumps(part).encode()) for part in (
            {"alg": "HS256", "typ": "JWT", "kid": "a"},
            {"iss": "https://login.example", "aud": "shop", "sub": "ann", "scope": "orders.read orders.write", "iat": int(time.time()),
             "exp": int(time.time()) + 86400})]
        signed = ".".join(parts)
        self.token = f"{signed}.{self.encode(hmac.digest(secret, signed.encode(), 'sha256'))}"
        self.key = key
        keys, api_keys = pathlib.Path(folder, "keys.json"), pathlib.Path(folder, "api-keys.yaml")
        keys.write_text(json.dumps({"keys": [{"kty": "oct", "kid": "a", "k": self.encode(secret)}]}))
        api_keys.write_text(f"keys: [{{sha256: {hashlib.sha256(key.encode()).hexdigest()}, client: ann, claims: {{scope: orders.read}}}}]\n")
        self.config = ("authentication:\n  - jwt: {issuer: 'https://login.example', audience: [shop], algorithms: [HS256], "
                       f"claims: {{scope: scope}}, keys: {keys}}}\n  - api_keys: {api_keys}\n")

    @staticmethod
    def encode(part):
        return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


class Scenario:
    """
    The instructions of `n` calls are counted, after `warm` other calls. `kind` is Calls or Messages. `route`: more settings of
    the route; `config`: more lines of the config; `services`: of the service; `instances`: of the instance, and others. It has
    `settles` seconds before. `beside`: the name of a scenario, before this one,
    than which it may have at most `most` percent more.
    """

    def __init__(self, name, service, client, is_right, kind=Calls, n=800, warm=160, at_once=1, route="", config="",
                 services="", instances="", listen="", port=None, settles=0, beside=None, most=6):
        self.name, self.start_service, self.start_client, self.is_right = name, service, client, is_right
        self.kind, self.n, self.warm, self.at_once, self.route, self.config = kind, n, warm, at_once, route, config
        self.listen, self.port = listen, port
        self.services, self.instances, self.settles, self.beside, self.most = services, instances, settles, beside, most

    def start(self, port, service):
        return self.kind(self, self.start_client(port), service)


def traced(share):
    return f"tracing: {{collector: '127.0.0.1:9', share: {share}}}\n"


def scenarios(stubs):
    """`stubs`: folder of the Python stubs of the shop."""
    v3 = contenders.import_orders(stubs, "v3")
    v1 = contenders.import_orders(stubs, "v1")
    order = contenders.order_v3(stubs)
    orders = v3.ListResponse(orders=[v3.Order.FromString(order)] * ORDERS).SerializeToString()
    get, watch = v3.GetRequest(id="42").SerializeToString(), v3.WatchRequest(id="42").SerializeToString()
    create_v3 = {"buyer": {"id": "ann"}, "currency": "EUR", "state": "PLACED", "total": {"units": "12"},
                 "delivery": {"address": {"street": "1 Main Street", "city": "Springfield", "postalCode": "12345"}},
                 "lines": [{"sku": "classic-mug", "quantity": 2}, {"sku": "tea", "quantity": 1}]}
    create_v1 = {"customer": "ann", "street": "1 Main Street", "city": "Springfield", "zip": "12345",
                 "items": [{"sku": "classic-mug", "quantity": 2}, {"sku": "tea", "quantity": 1}],
                 "totalCents": "1200", "status": "PENDING"}

    def is_v3(message):
        return message == order

    def is_v1(message):
        read = v1.Order.FromString(message)
        return read.customer == "ann" and read.total_cents == 1250 and len(read.items) == 2

    def framed(is_right):
        return lambda body: is_right(body[5:])

    def is_v3_json(body):
        read = json.loads(body)
        return read["buyer"] == {"id": "ann"} and len(read["lines"]) == 2

    def is_v1_json(body):
        read = json.loads(body)
        return read["customer"] == "ann" and read["totalCents"] == "1250" and len(read["items"]) == 2

    def listed(is_right):
        def is_list(body):
            read = json.loads(body)["orders"]
            return len(read) == ORDERS and is_right(json.dumps(read[-1]))
        return is_list

    def opaque():
        body = contenders.CERTAIN_JSON
        return Scenario("HTTP/1.1 passed through", lambda: Http1Service(body),
                        lambda port: Http1Client(port, "GET", "/raw/orders/42"), lambda answer: answer == body)

    def opaque_secure():
        body, secure = contenders.CERTAIN_JSON, Secure()
        return Scenario("HTTP/1.1 passed through, over a new TLS connection", lambda: Http1Service(body),
                        lambda port: FreshTlsClient(port, secure.context, "/raw/orders/42"), lambda answer: answer == body,
                        n=80, warm=16, listen=secure.listen, port=secure.port)

    def unary(name, version, is_right, route="", request=get, **more):
        return Scenario(name, lambda: GrpcService(order),
                        lambda port: GrpcClient(port, f"/shop.orders.{version}.Orders/Get", request),
                        framed(is_right), at_once=TOGETHER, route=route, **more)

    large, bearer = v3.Order(id="42", currency="x" * 1017).SerializeToString(), "Bearer " + "a" * 40
    assert len(large) == 1024

    def unary_of_1_kib(name, fields=None, **more):
        return Scenario(name, lambda: GrpcService(large),
                        lambda port: GrpcClient(port, "/shop.orders.v3.Orders/Get", get, **(fields or {"authorization": bearer})),
                        lambda body: body[5:] == large, at_once=TOGETHER, **more)

    credentials = Credentials()
    ruled = {"config": credentials.config, "route": ", allow: [{claims: {scope: orders.read}}]"}

    def unary_of_a_client(name, config="", **more):
        return unary_of_1_kib(name, {"x-client": "ada"}, config=CLIENTS + config, **more)

    def with_rollout(name, pilot, build, other):
        """Nothing is looked at while calls are counted. The other build has an instance that gets no call."""
        rollouts = (f"rollouts: [{{service: orders, candidate: {{build: new}}, pilot: [{pilot}], tiers: [1, all], judge: {{every: 1h, least: 1h}}}}]\n"
                    "rollouts_file: FOLDER/rollouts.db\n")
        return unary_of_a_client(name, rollouts, instances=f", build: {build}}}, {{address: 127.0.0.1:9, protocol: grpc, versions: [v3], build: {other}",
                                 settles=10, beside="gRPC unary, 1 KiB, of a client", most=5)

    def rest_of_1_kib(name, **more):
        return Scenario(name, lambda: GrpcService(large), lambda port: Http1Client(port, "GET", "/v3/orders/42", authorization=bearer),
                        lambda body: json.loads(body)["currency"] == "x" * 1017, **more)

    def stream(name, version, is_right):
        return Scenario(name, lambda: GrpcService(order),
                        lambda port: GrpcClient(port, f"/shop.orders.{version}.Orders/Watch", watch),
                        is_right, Messages, n=10000, warm=1000, at_once=IN_ONE_WRITE)

    def rest(name, method, path, is_right, answer=order, body=None, **counts):
        text = json.dumps(body).encode() if body else b""
        return Scenario(name, lambda: GrpcService(answer), lambda port: Http1Client(port, method, path, text),
                        is_right, **counts)

    small = v3.Order(id="42", buyer=v3.Buyer(id="ann"), currency="EUR").SerializeToString()

    def packed(name, version, is_right):
        return Scenario(name, lambda: GrpcService(small),
                        lambda port: GrpcClient(port, f"/shop.orders.{version}.Orders/Watch", watch),
                        is_right, PackedMessages, n=40000, warm=4000, at_once=IN_ONE_WRITE)

    def is_small(message):
        return b"ann" in message and len(message) < 40

    few = {"n": 8, "warm": 2}
    return [
        opaque(),
        opaque_secure(),
        unary("gRPC unary, v3 to v3", "v3", is_v3),
        unary("gRPC unary, v3 to v3, with retries and hedges", "v3", is_v3, RETRIES),
        unary("gRPC unary, v3 to v3, with parameters", "v3", is_v3,
              ", parameters: {id: {required: true, at_most: 64}}"),
        unary("gRPC unary, v3 to v3, with a default", "v3", is_v3, ", parameters: {id: {default: '42'}}", request=b""),
        unary("gRPC unary, v1 to v3", "v1", is_v1),
        unary("gRPC unary, v1 to v3, of a route with shadow calls, not copied", "v1", is_v1,
              ", shadow: {to: {version: v3}, share: 0.0001 %}", beside="gRPC unary, v1 to v3", most=1),
        unary_of_1_kib("gRPC unary, 1 KiB"),
        unary_of_1_kib("gRPC unary, 1 KiB, kept", route=", on_failure: {graceful: {stale: 10m, writes: true}}"),
        unary_of_1_kib("gRPC unary, 1 KiB, with everything", route=EVERYTHING, config=LEDGER, beside="gRPC unary, 1 KiB"),
        unary_of_1_kib("gRPC unary, 1 KiB, with usage", config="usage: {}\n", beside="gRPC unary, 1 KiB", most=2),
        unary_of_1_kib("gRPC unary, 1 KiB, with usage of fields", config="usage: {}\n",
                       services="\n    usage: {fields: true}"),
        # The collector is away: what waits for it is bounded, and the rest is dropped.
        unary_of_1_kib("gRPC unary, 1 KiB, none of it traced", config=traced("none"), beside="gRPC unary, 1 KiB", most=0.5),
        unary_of_1_kib("gRPC unary, 1 KiB, a tenth of it traced", config=traced("10 %"), beside="gRPC unary, 1 KiB", most=3),
        unary_of_1_kib("gRPC unary, 1 KiB, sent with an API key", {"x-api-key": credentials.key}),
        unary_of_1_kib("gRPC unary, 1 KiB, known by an API key", {"x-api-key": credentials.key}, **ruled,
                       beside="gRPC unary, 1 KiB, sent with an API key", most=2),
        unary_of_1_kib("gRPC unary, 1 KiB, sent with a token", {"authorization": f"Bearer {credentials.token}"}),
        unary_of_1_kib("gRPC unary, 1 KiB, known by a token", {"authorization": f"Bearer {credentials.token}"}, **ruled,
                       beside="gRPC unary, 1 KiB, sent with a token", most=3),
        unary_of_a_client("gRPC unary, 1 KiB, of a client"),
        with_rollout("gRPC unary, 1 KiB, of a client that has not the candidate of a rollout", "bob", "old", "new"),
        with_rollout("gRPC unary, 1 KiB, of a client that has the candidate of a rollout", "ada", "new", "old"),
        unary_of_1_kib("gRPC unary, 1 KiB, within a limit", config="rate_limits: [{per: [client], rate: 1000000/s}]\n",
                       beside="gRPC unary, 1 KiB", most=2),
        rest_of_1_kib("REST GET, 1 KiB"),
        rest_of_1_kib("REST GET, 1 KiB, with everything", route=EVERYTHING, config=LEDGER, beside="REST GET, 1 KiB"),
        stream("gRPC message of a stream, v3 to v3", "v3", is_v3),
        stream("gRPC message of a stream, v1 to v3", "v1", is_v1),
        packed("gRPC small message of a full frame, v3 to v3", "v3", is_small),
        packed("gRPC small message of a full frame, v1 to v3", "v1", is_small),
        rest("REST GET, v3 to v3", "GET", "/v3/orders/42", is_v3_json),
        rest("REST GET, v3 to v3, with parameters", "GET", "/v3/orders/42", is_v3_json,
             route=", parameters: {id: {required: true, at_most: 64}}"),
        rest("REST GET, v1 to v3", "GET", "/v1/orders/42", is_v1_json),
        rest("REST POST, v3 to v3", "POST", "/v3/orders", is_v3_json, body=create_v3),
        rest("REST POST, v1 to v3", "POST", "/v1/orders", is_v1_json, body=create_v1),
        rest(f"REST list of {ORDERS:,}, v3 to v3", "GET", "/v3/orders?limit=1000", listed(is_v3_json), orders, **few),
        rest(f"REST list of {ORDERS:,}, v1 to v3", "GET", "/v1/orders?limit=1000", listed(is_v1_json), orders, **few),
    ]
