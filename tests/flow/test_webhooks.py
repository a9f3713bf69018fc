"""Webhooks: a kind of failures that matters is told to a receiver, once, and never at the cost of a call."""
import base64
import contextlib
import hmac
import http.server
import json
import socket
import ssl
import threading
import time

import pytest
from certificates import certificate
from gateway import SHOP_CONFIG, Gateway, instances
from operators import own_user
from processes import eventually, free_port

CONFIG = SHOP_CONFIG.replace(
    "admin: {address: 127.0.0.1:$admin}",
    "admin: {address: '127.0.0.1:$admin', socket: 'unix:admin.sock'}") + "ledger: {every: 100ms, webhooks: $hooks}\n"


class Receiver:
    """A receiver of posts: `answers` are the statuses that it gives, the last one for ever; 0: it never answers."""

    def __init__(self, *answers, fields=(), tls=None):
        self.posts, self.bodies = [], []
        self.let_go = threading.Event()
        receiver, answers = self, list(answers or [200])

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.bodies.append(body)
                receiver.posts.append((self.path, self.headers, json.loads(body)))
                status = answers.pop(0) if len(answers) > 1 else answers[0]
                if not status:
                    receiver.let_go.wait(60)
                    return
                self.send_response(status)
                for name, value in fields:
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(f"{tls}.pem", f"{tls}.key")
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *_):
        self.let_go.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/errors"

    def got(self, n=1):
        """The bodies, as soon as there are `n`."""
        assert eventually(lambda: len(self.posts) >= n)
        return [body for _, _, body in self.posts]


@contextlib.contextmanager
def serving(tmp_path, *hooks):
    """A gateway whose only instance is away."""
    with Gateway(tmp_path, CONFIG, instances=instances(("v3", free_port())), hooks=json.dumps(hooks)) as gateway:
        yield gateway


def hook(receiver, **more):
    return {"name": "pager", "url": receiver.url, "backoff": "10ms", **more}


def fail(gateway):
    assert gateway.http("GET", "/v1/orders/some", headers={"Cookie": "secret"}).status == 503


def fail_until(gateway, enough):
    def once():
        fail(gateway)
        return enough()
    assert eventually(once)


def posts(gateway, result):
    return gateway.metric("passerelle_webhook_posts_total", webhook="pager", result=result)


def test_a_new_kind_of_failure_is_posted_with_its_row(tmp_path):
    with Receiver() as receiver, serving(tmp_path, hook(receiver)) as gateway:
        fail(gateway)
        (body,) = receiver.got()
        (row,) = [row for row in own_user(gateway)("GET", "/errors").json["failures"]
                  if row["fingerprint"] == body["failure"]["fingerprint"]]
        assert eventually(lambda: posts(gateway, "sent") == 1)
    path, headers, _ = receiver.posts[0]
    assert path == "/errors" and headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("passerelle/")
    assert headers["Webhook-Id"].startswith(row["fingerprint"] + "-")
    assert body["reason"] == "new" and body["webhook"] == "pager" and body["node"]
    failure = body["failure"]
    assert failure.keys() == row.keys()
    for name in ("fault", "code", "side", "route", "method", "impact", "first", "last", "instances"):
        assert failure[name] == row[name]
    assert failure["fault"] == "UPSTREAM_DOWN" and failure["count"] == 1
    record = failure["samples"][0]["record"]
    assert record["peer"] == "redacted" and record["causes"]


def twice(receiver):
    """The bodies about the first kind, once there are two."""
    bodies = [body for _, _, body in receiver.posts]
    found = [body for body in bodies if body["failure"]["fingerprint"] == bodies[0]["failure"]["fingerprint"]]
    return found if len(found) >= 2 else None


def test_a_kind_that_comes_back_is_posted_again_after_a_while(tmp_path):
    with Receiver() as receiver, serving(tmp_path, hook(receiver, every="1s")) as gateway:
        fail_until(gateway, lambda: twice(receiver))
        first, second = twice(receiver)[:2]
    assert (first["reason"], second["reason"]) == ("new", "recurring")
    assert second["failure"]["count"] > first["failure"]["count"]
    ids = {headers["Webhook-Id"] for _, headers, _ in receiver.posts}
    assert len(ids) == len(receiver.posts)


def test_each_webhook_gets_what_it_asks_for(tmp_path):
    asked = {"quiet": {"impact": "catastrophic"}, "other": {"faults": ["TLS"]}, "elsewhere": {"routes": ["orders.Orders/ListRecommendations"]},
             "rare": {"failures": 1000}, "mild": {"criticality": 99},
             "once": {"new": True, "impact": "high", "faults": ["UPSTREAM_DOWN"], "routes": ["orders"],
                      "services": ["orders"], "criticality": 0.5}}
    with contextlib.ExitStack() as stack:
        receivers = {name: stack.enter_context(Receiver()) for name in asked}
        pager = stack.enter_context(Receiver())
        hooks = [hook(receivers[name], name=name, when=when, every="1s") for name, when in asked.items()]
        gateway = stack.enter_context(serving(tmp_path, hook(pager, every="1s"), *hooks))
        fail_until(gateway, lambda: len(pager.posts) >= 3)
        assert [name for name in asked if receivers[name].posts] == ["once"]
        reasons = [(body["failure"]["fingerprint"], body["reason"]) for body in receivers["once"].got()]
    assert len(set(reasons)) == len(reasons) and {reason for _, reason in reasons} == {"new"}


def test_a_busy_receiver_is_asked_again_with_the_same_id(tmp_path):
    with Receiver(503, 429, 200) as receiver, serving(tmp_path, hook(receiver)) as gateway:
        fail(gateway)
        assert eventually(lambda: posts(gateway, "sent") == 1)
        assert gateway.metric("passerelle_webhook_retries_total", webhook="pager") == 2
        assert posts(gateway, "failed") == 0
    assert len({headers["Webhook-Id"] for _, headers, _ in receiver.posts}) == 1 and len(receiver.posts) == 3


@pytest.mark.parametrize("status, asked, told", [
    (500, 3, "the receiver answered 500"),
    (404, 1, "the receiver answered 404"),
    (302, 1, "the receiver answered 302: redirects are not followed"),
])
def test_a_receiver_that_says_no_is_told_of(tmp_path, status, asked, told):
    with Receiver() as elsewhere, Receiver(status, fields=[("Location", elsewhere.url)]) as receiver:
        with serving(tmp_path, hook(receiver, attempts=3)) as gateway:
            fail(gateway)
            (event,) = eventually(lambda: gateway.events("webhook_failed"))
            assert event["level"] == "warning" and event["message"].startswith("webhook pager: ")
            assert event["causes"][0]["doing"] == told
            assert posts(gateway, "failed") == 1 and posts(gateway, "sent") == 0
            assert receiver.url not in json.dumps(gateway.log())
        assert len(receiver.posts) == asked and not elsewhere.posts


def test_a_receiver_that_is_away_is_told_of(tmp_path):
    with Receiver() as receiver:
        away = hook(receiver, attempts=2)
    with serving(tmp_path, away) as gateway:
        fail(gateway)
        (event,) = eventually(lambda: gateway.events("webhook_failed"))
        assert "2 attempts" in event["message"] and "connect" in event["causes"][0]["doing"]


def test_a_receiver_that_takes_nothing_is_told_of_now_and_then(tmp_path):
    with Receiver() as receiver:
        away = hook(receiver, attempts=1, every="1s")
    with serving(tmp_path, away) as gateway:
        fail_until(gateway, lambda: posts(gateway, "failed") >= 3)
        assert len(gateway.events("webhook_failed")) == 1


def test_a_new_kind_is_posted_until_it_is_taken(tmp_path):
    with Receiver(500, 400, 200) as receiver, \
            serving(tmp_path, hook(receiver, attempts=1, every="1s", when={"new": True})) as gateway:
        fail(gateway)
        assert [body["reason"] for body in receiver.got(3)] == ["new"] * 3
        assert eventually(lambda: posts(gateway, "sent") == 1)
        assert posts(gateway, "failed") == 2


def test_a_receiver_that_hangs_holds_up_neither_calls_nor_other_webhooks(tmp_path):
    with Receiver(0) as hangs, Receiver() as other:
        with serving(tmp_path, hook(hangs, timeout="60s"), hook(other, name="other", every="1s")) as gateway:
            fail_until(gateway, lambda: len(other.posts) >= 2)
            assert len(hangs.posts) == 1
            # The gateway ends although the receiver still hangs.
        dropped = gateway.events("webhook_dropped")
        assert [event["message"] for event in dropped if "pager" in event["message"]]


def test_an_attempt_has_a_time(tmp_path):
    with Receiver(0) as receiver, serving(tmp_path, hook(receiver, timeout="100ms", attempts=2)) as gateway:
        fail(gateway)
        (event,) = eventually(lambda: gateway.events("webhook_failed"))
        assert "2 attempts" in event["message"] and "timed out" in event["causes"][0]["doing"].lower()


def test_a_response_without_end_is_cut_off(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def answer():
            peer = listener.accept()[0]
            peer.recv(65536)
            with contextlib.suppress(OSError):
                peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while True:
                    peer.sendall(b"x" * 65536)

        threading.Thread(target=answer, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with serving(tmp_path, {"name": "pager", "url": url, "timeout": "60s"}) as gateway:
            fail(gateway)
            assert eventually(lambda: posts(gateway, "sent") == 1)


def test_a_reload_removes_a_webhook_and_what_waits_for_it(tmp_path):
    with Receiver(0) as hangs, Receiver() as other, serving(tmp_path, hook(hangs, timeout="60s")) as gateway:
        fail(gateway)
        fingerprint = hangs.got()[0]["failure"]["fingerprint"]
        gateway.write(hooks=json.dumps([hook(other, name="other")]))
        gateway.reload()
        (event,) = eventually(lambda: gateway.events("webhook_dropped"))
        assert "the config has no such webhook any more" in event["message"]
        assert 'webhook="pager"' not in gateway.admin("/metrics").body.decode()

        def told_again():
            return [body for _, _, body in other.posts if body["failure"]["fingerprint"] == fingerprint]
        fail_until(gateway, told_again)
        # What was seen before there was the webhook is not new.
        assert told_again()[0]["reason"] == "recurring"


def test_a_reload_keeps_what_a_webhook_was_told(tmp_path):
    with Receiver() as receiver, serving(tmp_path, hook(receiver)) as gateway:
        fail(gateway)
        receiver.got()
        gateway.write(hooks=json.dumps([hook(receiver, when={"failures": 1}, every="1s")]))
        gateway.reload()
        seen = {body["failure"]["fingerprint"] for body in receiver.got()}
        fail_until(gateway, lambda: len(receiver.posts) > len(seen))
        reasons = [(body["failure"]["fingerprint"], body["reason"]) for body in receiver.got()]
        assert len([one for one in reasons if one[1] == "new"]) == len({fingerprint for fingerprint, _ in reasons})


def test_no_more_than_the_limit_in_an_hour(tmp_path):
    with Receiver() as receiver, serving(tmp_path, hook(receiver, per_hour=1, every="1s")) as gateway:
        fail_until(gateway, lambda: gateway.metric("passerelle_webhook_limited_total", webhook="pager") >= 2)
        assert len(receiver.posts) == 1


def test_what_the_queue_has_no_room_for_is_dropped_and_counted(tmp_path):
    with Receiver(0) as receiver, serving(tmp_path, hook(receiver, queue=1, every="1s", timeout="60s")) as gateway:
        fail_until(gateway, lambda: posts(gateway, "dropped") >= 1)
        assert "its queue is full" in eventually(lambda: gateway.events("webhook_dropped"))[0]["message"]
        assert eventually(lambda: len(receiver.posts)) == 1


def test_https_is_verified_and_a_token_is_sent(tmp_path):
    certificate(tmp_path)
    certificate(tmp_path, "other")
    (tmp_path / "token").write_text("very-secret\n")
    with Receiver(tls=tmp_path / "server") as receiver:
        url = receiver.url.replace("http:", "https:")
        good = {"name": "pager", "url": url, "ca": "server.pem", "token_file": "token"}
        strangers = [{"name": "system", "url": url, "attempts": 1},
                     {"name": "other", "url": url, "attempts": 1, "ca": "other.pem"},
                     {"name": "plain", "url": receiver.url, "attempts": 1}]
        with serving(tmp_path, good, *strangers) as gateway:
            fail(gateway)
            assert eventually(lambda: posts(gateway, "sent") == 1)
            failed = eventually(lambda: len(gateway.events("webhook_failed")) >= 3 and gateway.events("webhook_failed"))
            told = {event["message"].split()[1]: event["causes"][0]["doing"] for event in failed}
            assert "certificate" in told["system:"] and "certificate" in told["other:"] and "plain:" in told
            assert "very-secret" not in json.dumps(gateway.log())
    assert {headers["Authorization"] for _, headers, _ in receiver.posts} == {"Bearer very-secret"}


def test_a_post_is_signed_with_the_secret(tmp_path):
    (tmp_path / "plain").write_text("0123456789abcdef\n")
    (tmp_path / "standard").write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
    keys = {"/plain": b"0123456789abcdef", "/standard": base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")}
    with Receiver() as receiver:
        hooks = [{"name": path[1:], "url": f"http://127.0.0.1:{receiver.port}{path}", "secret_file": path[1:]} for path in keys]
        with serving(tmp_path, *hooks) as gateway:
            fail(gateway)
            receiver.got(2)
    assert {path for path, _, _ in receiver.posts} == set(keys)
    for (path, headers, _), body in zip(receiver.posts, receiver.bodies):
        signed = f"{headers['Webhook-Id']}.{headers['Webhook-Timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.digest(keys[path], signed, "sha256")).decode()
        assert headers["Webhook-Signature"] == f"v1,{expected}"
        assert abs(int(headers["Webhook-Timestamp"]) - time.time()) < 60


def test_a_public_webhook_is_never_sent_inside(tmp_path):
    with Receiver() as receiver:
        inside = [{"name": name, "url": f"http://{host}:{receiver.port}/", "attempts": 1, "public": True}
                  for name, host in (("address", "127.0.0.1"), ("name", "localhost"), ("mapped", "[::ffff:127.0.0.1]"))]
        with serving(tmp_path, *inside) as gateway:
            fail(gateway)
            failed = eventually(lambda: len(gateway.events("webhook_failed")) == 3 and gateway.events("webhook_failed"))
            assert {event["causes"][0]["doing"] for event in failed} == \
                {"the receiver's address is not public: a receiver inside needs `public: false`"}
    assert not receiver.posts


@pytest.mark.parametrize("bad, told", [
    ({"url": "ftp://x/"}, "a webhook is https:// or http://, not ftp://"),
    ({"url": "hooks.example/errors"}, "the URL does not say https:// or http://"),
    ({"url": "https://"}, "it is not a URL"),
    ({"url": "https://x:99999/"}, "it is not a URL"),
    ({"url": "https://ada:secret@x/"}, "use a token_file"),
    ({"url": "https://x/#there"}, "what is behind a # is not sent"),
    ({"every": "0s"}, "must be at least 1s"),
    ({"per_hour": 0}, "must be at least 1"),
    ({"attempts": 0}, "must be at least 1"),
    ({"timeout": "0s"}, "must be at least 1ms"),
    ({"queue": 0}, "must be at least 1"),
    ({"name": "two words"}, "a webhook's name has 1 to 64 letters"),
    ({"ca": "nowhere.pem"}, "nowhere.pem"),
    ({"url": "http://x/", "ca": "gateway.yaml"}, "the URL is not https://"),
    ({"token_file": "nowhere"}, "nowhere"),
    ({"token_file": "gateway.yaml"}, "is not one line of visible characters"),
    ({"token_file": "lines"}, "holds no secret: it is empty, or has blank lines only"),
    ({"secret_file": "nowhere"}, "nowhere"),
    ({"secret_file": "short"}, "a secret that signs has 16 or more"),
    ({"secret_file": "bad"}, "is not base64 behind whsec_"),
    ({"secret_file": "empty"}, "has nothing behind whsec_"),
    ({"when": {"faults": ["UPSTREAM_DONW"]}}, "did you mean UPSTREAM_DOWN"),
    ({"when": {"faults": ["BAD_JSON"]}}, "is a mistake of clients"),
    ({"when": {"routes": ["order"]}}, "there is no route order"),
    ({"when": {"services": ["order"]}}, "there is no service order"),
    ({"when": {"criticality": 101}}, "a criticality is from 0 to 100"),
    ({"when": {"criticality": -1}}, "a criticality is from 0 to 100"),
    ({"when": {"failures": 0}}, "must be at least 1"),
    ({"when": {"impact": "huge"}}, "huge"),
    ({"retries": 3}, "retries"),
])
def test_check_refuses_a_webhook_that_cannot_work(tmp_path, bad, told):
    for name, secret in (("short", "0123456789abcde"), ("bad", "whsec_*"), ("empty", "whsec_"), ("lines", "\n\n")):
        (tmp_path / name).write_text(secret)
    hooks = json.dumps([{"name": "pager", "url": "https://hooks.example/errors", **bad}])
    result = Gateway(tmp_path, CONFIG, instances=instances(("v3", 7003)), hooks=hooks).check()
    assert result.returncode != 0
    assert told in result.stdout and "ledger.webhooks[0]" in result.stdout, result.stdout


def test_check_refuses_two_webhooks_of_one_name(tmp_path):
    hooks = json.dumps([{"name": "pager", "url": "https://x/"}, {"name": "pager", "url": "https://y/"}])
    result = Gateway(tmp_path, CONFIG, instances=instances(("v3", 7003)), hooks=hooks).check()
    assert result.returncode != 0 and "another webhook has the name pager already" in result.stdout


def test_check_doubts_a_token_in_the_open(tmp_path):
    (tmp_path / "token").write_text("secret")
    hooks = json.dumps([{"name": "pager", "url": "http://x/", "token_file": "token"}])
    result = Gateway(tmp_path, CONFIG, instances=instances(("v3", 7003)), hooks=hooks).check()
    assert "the token is sent unencrypted" in result.stdout + result.stderr
