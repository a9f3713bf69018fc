"""How jobs are executed: their calls, what is tried again, what is undone, who goes on when a gateway stops or dies."""
import json
import sqlite3
import time

import pytest
from gateway import Gateway
from job_backend import SERVICES, JobBackend
from processes import eventually
from test_ledger import rows
from test_live_upgrade import Supervised

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin', socket: 'unix:$folder/admin.sock'}
log: "-"
loops: 2
node: $node
store: {sqlite: $store, jobs: {lease: 1s, look: 50ms}}
""" + SERVICES + """routes:
  - {match: machines, attempts: 1}
  - {match: hosting, attempts: 1}
jobs:
  - method: hosting.Sites/Create
    revision: $revision
    answer: {name: request.spec.name, operation: job.name, reason: job.reason}
    state: state
    states: {queued: PROVISIONING, running: PROVISIONING, waiting: PROVISIONING, failed: FAILED, undoing: REMOVING,
             undone: REMOVED, done: LIVE}
    token_file: $folder/../steps.token
    forward: [x-tenant]
    send: {x-team: hosting}
    steps:
      - name: reserve
        method: machines.Machines/Reserve
        request: {plan: request.spec.plan, holder: job.id}
        idempotency: key
        timeout: 5s
        retry: {for: 1h, initial_backoff: 10ms, max_backoff: 50ms}
        undo: {method: machines.Machines/Release, request: {holder: job.id}}
      - name: publish
        method: hosting.Backstage/Publish
        request: {name: request.spec.name, plan: request.spec.plan, address: steps.reserve.address}
        retry: {for: 1h, initial_backoff: 10ms, max_backoff: 50ms}
        undo: {method: hosting.Backstage/Unpublish, request: {name: request.spec.name}}
      - {name: rest, wait: {for: 50ms}}
      - name: announce
        method: hosting.Backstage/Announce
        request: {name: request.spec.name}
        idempotency: key
        retry: {for: 1h, initial_backoff: 10ms, max_backoff: 50ms}
        on_failure: graceful
"""


class World:
    def __init__(self, folder):
        self.folder, self.store = folder, folder / "jobs.db"
        self.backend = JobBackend(folder)
        (folder / "steps.token").write_text("of-the-gateway")
        (folder / "steps.token").chmod(0o600)

    def gateway(self, node, revision=1, **more):
        folder = self.folder / node
        folder.mkdir()
        return Gateway(folder, CONFIG, node=node, store=self.store, instance=self.backend.port, revision=revision, **more)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("jobs"))
    with world.backend:
        yield world


@pytest.fixture(scope="module")
def gateway(world):
    with world.gateway("main") as started:
        yield started


def create(gateway, site, plan="good"):
    """The id of a job."""
    answer = gateway.http("POST", "/v2/sites", {"name": site, "plan": plan})
    assert answer.status == 202, answer.body
    return answer.headers["location"].rpartition("/")[2]


def told(gateway, job):
    return gateway.http("GET", f"/v1/operations/{job}").json


def state(gateway, job):
    return told(gateway, job)["metadata"]["value"]["state"]


def end(gateway, job):
    """How it has ended, when it has."""
    return eventually(lambda: told(gateway, job).get("done") and state(gateway, job))


def effects(world, job, site):
    return sorted(world.backend.effects.of(job) + world.backend.effects.of(site))


def keys(world, job):
    """The steps that were called, and their undos."""
    return [key.strip('"').partition("-")[2] for key in world.backend.effects.keys() if job in key]


def subfolder(world, name):
    folder = world.folder / name
    folder.mkdir()
    return folder


def calls(gateway, job):
    """The log lines of a job's calls."""
    lines = (json.loads(line) for line in gateway.process.lines if job in line)
    return [line for line in lines if line.get("job") == job]


def test_steps_are_called_one_after_the_other_each_with_its_own_key(world, gateway):
    job = create(gateway, "one")
    assert end(gateway, job) == "done"
    assert effects(world, job, "one") == ["announce", "publish", "reserve"]
    assert [key for key in world.backend.effects.keys() if job in key] == [f'"{job}-reserve"', f'"{job}-publish"', f'"{job}-announce"']
    lines = eventually(lambda: len(calls(gateway, job)) == 3 and calls(gateway, job))
    assert [line["route"].rpartition(" ")[2] for line in lines] == ["steps.reserve", "steps.publish", "steps.announce"]
    begun, = [json.loads(line) for line in gateway.process.lines if '"operation":' in line and job in line and '"verb":"POST"' in line]
    assert {line["request_id"] for line in lines} == {begun["request_id"]}


def test_steps_are_in_the_trace_of_the_call_that_began_the_job(world, gateway):
    trace, caller = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    answer = gateway.http("POST", "/v2/sites", {"name": "traced", "plan": "good"}, headers={"traceparent": f"00-{trace}-{caller}-01"})
    job = answer.headers["location"].rpartition("/")[2]
    assert end(gateway, job) == "done"
    parent, = set(world.backend.effects.traces(job))  # the span of the gateway, in which the job was begun
    assert parent.split("-")[1] == trace and parent.split("-")[2] != caller and parent.endswith("-01")
    lines = eventually(lambda: len(calls(gateway, job)) == 3 and calls(gateway, job))
    assert {line["trace_id"] for line in lines} == {trace}


def test_a_job_that_was_begun_without_a_trace_has_none(world, gateway):
    job = create(gateway, "untraced")
    assert end(gateway, job) == "done"
    assert set(world.backend.effects.traces(job)) == {None}


def test_steps_have_the_gateways_credentials_and_what_is_delegated_but_none_of_the_callers(world, gateway):
    answer = gateway.http("POST", "/v2/sites", {"name": "delegated", "plan": "refused"},
                          headers={"Authorization": "Bearer of-the-caller", "Cookie": "session=1", "X-Tenant": "acme"})
    job = answer.headers["location"].rpartition("/")[2]
    assert eventually(lambda: world.backend.effects.of(job) == ["release", "reserve"])
    expected = {"authorization": "Bearer of-the-gateway", "x-tenant": "acme", "x-team": "hosting"}
    assert all(fields == expected for fields in world.backend.effects.fields(job))


def test_a_call_that_fails_or_whose_response_is_lost_is_made_again_with_the_same_key(world, gateway):
    for plan in ("flaky", "lost"):
        job = create(gateway, f"again-{plan}", plan)
        assert end(gateway, job) == "done"
        assert effects(world, job, f"again-{plan}") == ["announce", "publish", "reserve"]
        assert world.backend.effects.keys().count(f'"{job}-reserve"') == 2


def test_a_step_that_is_refused_undoes_those_before_it_the_last_one_first(world, gateway):
    job = create(gateway, "spoilt", "spoilt")
    assert end(gateway, job) == "undone"
    assert keys(world, job) == ["reserve", "publish", "publish-undo", "reserve-undo"]
    assert told(gateway, job)["error"]["code"] == 15
    assert "no publish for spoilt" in told(gateway, job)["error"]["message"]


def test_a_step_that_was_refused_without_an_effect_is_not_undone_itself(world, gateway):
    """Unpublish goes by the name, which may be another one's: that is why Publish is refused."""
    job = create(gateway, "refused", "refused")
    assert end(gateway, job) == "undone"
    assert keys(world, job) == ["reserve", "publish", "reserve-undo"]
    assert told(gateway, job)["error"]["code"] == 9
    assert "no publish for refused" in told(gateway, job)["error"]["message"]
    assert told(gateway, job)["metadata"]["value"]["failedStep"] == "publish"
    job = create(gateway, "full", "full")
    assert end(gateway, job) == "undone"
    assert keys(world, job) == ["reserve"]


def test_a_step_whose_refused_call_may_not_have_been_the_only_one_is_undone(world):
    with Gateway(subfolder(world, "often"), CONFIG.replace("{match: hosting, attempts: 1}", "{match: hosting, attempts: 2}"),
                 node="often", store=world.store, instance=world.backend.port, revision=8) as often:
        job = create(often, "gone-then-refused", "forgetful")
        assert end(often, job) == "undone"
    assert keys(world, job) == ["reserve", "publish", "publish", "publish-undo", "reserve-undo"]


def test_a_graceful_step_that_is_refused_is_passed_over(world, gateway):
    job = create(gateway, "x-quiet", "quiet")
    assert end(gateway, job) == "done"
    assert effects(world, job, "x-quiet") == ["publish", "reserve"]


def test_a_job_that_does_not_go_on_by_itself_is_told_of(world, gateway):
    job, *others = [create(gateway, site, "spoilt") for site in ("stuck", "stuck-again", "stuck-for-good")]
    assert [end(gateway, each) for each in (job, *others)] == ["failed"] * 3
    event = eventually(lambda: [event for event in gateway.events("job_stuck") if job in str(event)])
    assert "no publish for stuck; then the undo of publish failed: no unpublish for stuck" in str(event)
    assert told(gateway, job)["error"] == {"code": 15, "message": "no publish for stuck"}  # what failed first
    assert event[0]["level"] == "warning"
    kind, = eventually(lambda: [kind for kind in rows(gateway, fault="JOB_STUCK") if kind["count"] == 3])
    assert kind["method"].endswith("Sites/Create")


def test_calls_are_counted_by_how_they_ended(gateway):
    job = create(gateway, "counted", "refused")
    assert end(gateway, job) == "undone"
    method = "hosting.Sites/Create"
    assert gateway.metric("passerelle_job_calls_total", method=method, step="publish", call="step", result="refused") >= 1
    assert gateway.metric("passerelle_job_calls_total", method=method, step="reserve", call="undo", result="good") >= 1
    assert gateway.metric("passerelle_jobs_held") >= 0


def test_a_backend_that_is_away_is_waited_for(world, gateway):
    world.backend.kill()
    job = create(gateway, "later")
    eventually(lambda: state(gateway, job) == "waiting")
    world.backend.start()
    assert end(gateway, job) == "done"
    assert effects(world, job, "later") == ["announce", "publish", "reserve"]


def owners(world):
    with sqlite3.connect(world.store, timeout=10) as database:
        return [owner.partition("/")[0] for owner, in database.execute("SELECT owner FROM job_owners")]


def test_a_gateway_that_stops_hands_its_jobs_over_at_once_and_one_that_dies_after_its_lease(world, gateway):
    for site, leave in (("stopped", Gateway.stop), ("killed", lambda other: other.process.child.kill())):
        other = world.gateway(site)
        other.start()
        jobs = [create(other, f"{site}-{n}") for n in range(10)]
        leave(other)
        for n, job in enumerate(jobs):
            assert end(gateway, job) == "done"
            assert effects(world, job, f"{site}-{n}") == ["announce", "publish", "reserve"]
        if site == "stopped":
            assert "stopped" not in owners(world)
    eventually(lambda: set(owners(world)) == {"main"})


def test_a_call_that_runs_when_its_gateway_stops_ends_there_and_another_one_goes_on(world):
    with world.gateway("leaving", revision=4) as leaving:
        job = create(leaving, "slow", "slow")
        eventually(lambda: f'"{job}-reserve"' in world.backend.effects.keys())
    with world.gateway("staying", revision=4) as staying:
        assert end(staying, job) == "done"
    assert world.backend.effects.keys().count(f'"{job}-reserve"') == 1
    assert [line["route"].rpartition(".")[2] for line in calls(leaving, job)] == ["reserve"]
    assert len(calls(staying, job)) == 2


def test_a_gateway_that_starts_again_after_a_crash_goes_on_at_once_however_long_the_lease_is(world):
    folder = subfolder(world, "crashing")
    config = CONFIG.replace("lease: 1s", "lease: 600s")
    settings = {"node": "crashing", "store": folder / "jobs.db", "instance": world.backend.port, "revision": 9}
    crashing = Gateway(folder, config, **settings).start()
    job = create(crashing, "crashed", "slow")
    eventually(lambda: f'"{job}-reserve"' in world.backend.effects.keys())
    crashing.process.child.kill()
    crashing.process.child.wait()
    with Gateway(folder, config, **settings) as again:
        assert end(again, job) == "done"
    assert effects(world, job, "crashed") == ["announce", "publish", "reserve"]


def test_no_step_begins_after_a_cancel_however_long_the_lease_is(world):
    folder = world.folder / "cancelling"
    folder.mkdir()
    config = CONFIG.replace("lease: 1s", "lease: 60s")
    with Gateway(folder, config, node="cancelling", store=folder / "jobs.db", instance=world.backend.port, revision=8) as cancelling:
        job = create(cancelling, "unwanted", "slow")
        eventually(lambda: f'"{job}-reserve"' in world.backend.effects.keys())
        assert cancelling.http("POST", f"/v1/operations/{job}:cancel", {}).status == 200
        assert end(cancelling, job) == "undone"
    keys = [key.strip('"').partition("-")[2] for key in world.backend.effects.keys() if job in key]
    assert keys == ["reserve", "reserve-undo"]


def test_over_an_upgrade_the_old_process_ends_its_call_and_the_new_one_goes_on(world):
    folder = world.folder / "upgraded"
    folder.mkdir()
    with Supervised(folder, CONFIG + "upgrade: {steady: 0s}\n", node="upgraded", store=world.store, instance=world.backend.port,
                    revision=5) as upgraded:
        job = create(upgraded, "upgraded", "slow")
        eventually(lambda: f'"{job}-reserve"' in world.backend.effects.keys())
        assert upgraded.upgrade().returncode == 0
        assert end(upgraded, job) == "done"
        assert effects(world, job, "upgraded") == ["announce", "publish", "reserve"]
        assert world.backend.effects.keys().count(f'"{job}-reserve"') == 1


def test_a_job_is_executed_by_those_only_who_have_its_revision(world, gateway):
    with world.gateway("newer", revision=2) as newer:
        job = create(newer, "newer")
        assert end(newer, job) == "done"
        assert calls(newer, job) and not calls(gateway, job)


def test_jobs_whose_definition_is_gone_are_told_of(world):
    config = CONFIG.replace("look: 50ms", "look: 10ms")
    with world.gateway("gone", revision=6) as gone:
        job = create(gone, "gone", "slow")
    folder = world.folder / "without"
    folder.mkdir()
    with Gateway(folder, config, node="without", store=world.store, instance=world.backend.port, revision=7) as without:
        event, = eventually(lambda: [event for event in without.events("job_stuck") if job in str(event)])
        assert "no definition of its revision" in str(event)


def test_a_revision_that_gets_other_steps_while_it_has_jobs_is_told_of_at_once(world):
    folder = world.folder / "changed"
    folder.mkdir()
    config = CONFIG.replace("look: 50ms", "look: 2s").replace("{for: 50ms}", "60s")
    with Gateway(folder, config, node="changed", store=folder / "jobs.db", instance=world.backend.port, revision=1) as changed:
        job = create(changed, "changed")
        eventually(lambda: state(changed, job) == "waiting")
        changed.write(config=config.replace("{name: rest,", "{name: pause,"))
        changed.reload()
        event, = eventually(lambda: [event for event in changed.events("job_stuck") if job in str(event)])
        assert "no definition of its revision with the steps that it was begun with" in str(event)


def test_a_schedule_begins_each_job_once_in_all_gateways(world, gateway):
    schedule = CONFIG.replace("    send:", '    schedule: {every: 1s, request: {spec: {name: again, plan: good}}}\n    send:')
    with world.gateway("clock1", revision=3) as one, world.gateway("clock2", revision=3) as two:
        for each in (one, two):
            each.write(config=schedule)
            each.reload()
        began = time.time()

        def accepted():
            with sqlite3.connect(world.store, timeout=10) as database:
                return [created for created, in database.execute("SELECT created FROM jobs WHERE revision = 3")]
        eventually(lambda: len(accepted()) >= 2)
        assert len(accepted()) <= time.time() - began + 2
