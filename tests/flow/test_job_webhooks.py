"""Webhooks of jobs: each state that is asked for is told at least once, signed, and one after the other for each job."""
import base64
import hmac
import json
import time

import pytest
from gateway import Gateway
from job_backend import SERVICES, JobBackend
from processes import eventually, free_port
from test_webhooks import Receiver

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin'}
log: "-"
loops: 2
node: $node
store: {sqlite: $store, jobs: {lease: 1s, look: 50ms}}
job_webhooks: $hooks
""" + SERVICES + """routes:
  - {match: machines, attempts: 1}
  - {match: hosting, attempts: 1}
jobs:
  - method: hosting.Sites/Create
    answer: {name: request.spec.name, operation: job.name}
    state: state
    states: {queued: PROVISIONING, running: PROVISIONING, waiting: PROVISIONING, failed: FAILED, undoing: REMOVING,
             undone: REMOVED, done: LIVE}
    resource: {kind: site, key: request.spec.name}
    steps:
      - name: reserve
        method: machines.Machines/Reserve
        request: {plan: request.spec.plan, holder: job.id}
        idempotency: key
        retry: {for: 1h, initial_backoff: 10ms, max_backoff: 50ms}
        undo: {method: machines.Machines/Release, request: {holder: job.id}}
      - name: publish
        method: hosting.Backstage/Publish
        request: {name: request.spec.name, plan: request.spec.plan, address: steps.reserve.address}
        retry: {for: 1h, initial_backoff: 10ms, max_backoff: 50ms}
      - {name: rest, wait: {for: 50ms}}
"""
SECRET = "a-secret-of-more-than-16-bytes"


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    with JobBackend(tmp_path_factory.mktemp("backend")) as started:
        yield started


class World:
    def __init__(self, folder, backend):
        self.folder, self.backend, self.n = folder, backend, 0
        self.secret = folder / "secret"
        self.secret.write_text(SECRET)
        self.secret.chmod(0o600)

    def hook(self, receiver, **more):
        return {"name": "panel", "url": receiver.url, "public": False, "backoff": "10ms", "secret_file": str(self.secret), **more}

    def gateway(self, *hooks):
        folder = self.folder / f"gateway{self.n}"
        self.n += 1
        folder.mkdir()
        return Gateway(folder, CONFIG, node="one", store=self.folder / "jobs.db", instance=self.backend.port, hooks=json.dumps(hooks))


@pytest.fixture
def world(tmp_path, backend):
    return World(tmp_path, backend)


def create(gateway, site, plan="good"):
    answer = gateway.http("POST", "/v2/sites", {"name": site, "plan": plan})
    assert answer.status == 202, answer.body
    return answer.headers["location"].rpartition("/")[2]


def told(receiver, job):
    return [body for _, _, body in receiver.posts if body["data"]["id"] == job]


def states(receiver, job):
    return [body["data"]["state"] for body in told(receiver, job)]


def ends(receiver, job, state):
    assert eventually(lambda: state in states(receiver, job)), states(receiver, job)


def posts(gateway, result):
    return gateway.metric("passerelle_job_webhook_posts_total", webhook="panel", result=result)


def test_the_end_of_a_job_is_told_with_what_a_client_sees_of_it_and_signed(world):
    with Receiver() as receiver, world.gateway(world.hook(receiver)) as gateway:
        done, undone = create(gateway, "good-site"), create(gateway, "bad-site", "refused")
        ends(receiver, done, "done")
        ends(receiver, undone, "undone")
        assert eventually(lambda: posts(gateway, "sent") == 2)
        time.sleep(0.2)
        assert len(receiver.posts) == 2
    (event,), (failed,) = told(receiver, done), told(receiver, undone)
    assert event["specversion"] == "1.0" and event["type"] == "passerelle.job.done" and event["subject"] == f"operations/{done}"
    assert event["data"] == {**event["data"], "link": f"/v1/operations/{done}", "method": "hosting.Sites/Create", "state": "done",
                             "resource": "site/good-site"}
    assert "reason" not in event["data"]
    assert failed["data"]["reason"] == {"step": "publish", "fault": "UPSTREAM_STATUS", "code": "FAILED_PRECONDITION",
                                        "message": "no publish for bad-site"}
    for (path, headers, body), raw in zip(receiver.posts, receiver.bodies):
        assert headers["Webhook-Id"] == body["id"] and headers["Content-Type"] == "application/cloudevents+json"
        signed = b".".join([headers["Webhook-Id"].encode(), headers["Webhook-Timestamp"].encode(), raw])
        expected = base64.b64encode(hmac.digest(SECRET.encode(), signed, "sha256")).decode()
        assert headers["Webhook-Signature"] == f"v1,{expected}"


def test_states_that_are_asked_for_are_told_in_order_each_once(world):
    everything = ["queued", "running", "waiting", "failed", "undoing", "undone", "done"]
    with Receiver() as receiver, world.gateway(world.hook(receiver, states=everything)) as gateway:
        good, tried_again = create(gateway, "all"), create(gateway, "again", "flaky")
        for job in (good, tried_again):
            ends(receiver, job, "done")
    steps = [(body["data"]["state"], body["data"].get("step")) for body in told(receiver, good)]
    assert steps == [("queued", None), ("running", "reserve"), ("running", "publish"), ("waiting", "rest"), ("done", "rest")]
    assert states(receiver, tried_again).count("waiting") <= 3  # of each step once
    for job in (good, tried_again):
        numbers = [body["data"]["number"] for body in told(receiver, job)]
        assert numbers == list(range(1, len(numbers) + 1))


def test_a_receiver_that_fails_gets_it_again_with_the_same_id_and_the_next_ones_after_it(world):
    with Receiver(500, 404, 302, 200) as receiver, world.gateway(world.hook(receiver, states=["queued", "done"])) as gateway:
        job = create(gateway, "again")
        ends(receiver, job, "done")
        assert eventually(lambda: posts(gateway, "sent") == 2)
        assert gateway.metric("passerelle_job_webhook_retries_total", webhook="panel") == 3
        assert gateway.events("job_webhook_failed")
    assert states(receiver, job) == ["queued"] * 4 + ["done"]
    assert len({body["id"] for body in told(receiver, job)}) == 2


def test_a_receiver_that_hangs_holds_up_neither_jobs_nor_others(world):
    with Receiver(0) as hangs, Receiver() as other:
        hooks = world.hook(hangs, name="hangs", timeout="10s"), world.hook(other)
        with world.gateway(*hooks) as gateway:
            jobs = [create(gateway, f"site-{n}") for n in range(6)]
            for job in jobs:
                ends(other, job, "done")
            assert eventually(lambda: len(hangs.posts) == 4)  # at_once
            began = time.monotonic()
        assert time.monotonic() - began < 5


def test_what_is_not_told_before_the_gateway_dies_is_told_by_the_next_one(world):
    with Receiver(0) as hangs:
        gateway = world.gateway(world.hook(hangs, timeout="200ms", states=["queued", "done"])).start()
        job = create(gateway, "lost")
        assert eventually(lambda: hangs.posts)
        assert eventually(lambda: (gateway.metric("passerelle_job_events_oldest_seconds") or 0) > 0)
        gateway.process.kill()
    with Receiver() as receiver, world.gateway(world.hook(receiver, states=["queued", "done"])) as later:
        ends(receiver, job, "done")
        assert states(receiver, job) == ["queued", "done"]
        assert eventually(lambda: later.metric("passerelle_job_events_oldest_seconds") == 0)
    assert hangs.posts[0][2]["id"] == told(receiver, job)[0]["id"]


def test_what_nobody_takes_is_given_up_and_counted(world):
    with Receiver(503) as receiver, world.gateway(world.hook(receiver, **{"for": "50ms"})) as gateway:
        create(gateway, "given-up")
        assert eventually(lambda: posts(gateway, "given_up") == 1)
        assert eventually(lambda: gateway.events("job_webhook_given_up"))
        assert posts(gateway, "sent") == 0


def test_nothing_is_sent_to_an_internal_address_however_it_is_written_unless_the_config_says_so(world):
    with Receiver() as receiver:
        hosts = {"panel": "127.0.0.1", "named": "localhost", "mapped": "[::ffff:127.0.0.1]", "six": "[::1]"}
        hooks = [{"name": name, "url": receiver.url.replace("127.0.0.1", host), "for": "50ms", "backoff": "10ms"}
                 for name, host in hosts.items()]
        with world.gateway(*hooks) as gateway:
            create(gateway, "inside")
            assert eventually(lambda: all(gateway.metric("passerelle_job_webhook_posts_total", webhook=name, result="given_up") == 1
                                          for name in hosts))
            assert eventually(lambda: str(gateway.events("job_webhook_given_up")).count("not public") == len(hosts))
        assert not receiver.posts


def test_a_redirect_is_not_followed(world):
    with Receiver() as inside, Receiver(307, fields=[("Location", inside.url)]) as outside, \
            world.gateway(world.hook(outside, **{"for": "50ms"})) as gateway:
        create(gateway, "moved")
        assert eventually(lambda: posts(gateway, "given_up") == 1)
        assert outside.posts and not inside.posts


def test_check_doubts_what_is_not_signed(world):
    result = world.gateway({"name": "panel", "url": "https://panel.test/"}).check()
    assert "nothing is signed" in result.stdout + result.stderr


def test_only_methods_that_are_named_are_told_and_names_are_checked(world):
    with Receiver() as receiver:
        wrong = world.gateway(world.hook(receiver, methods=["hosting.Sites/Creat"])).check()
        assert "no job begins with a call of hosting.Sites/Creat (did you mean hosting.Sites/Create)" in wrong.stdout, wrong.stdout
        with world.gateway(world.hook(receiver, methods=["hosting.Sites/Create"])) as gateway:
            ends(receiver, create(gateway, "named"), "done")
