"""What operators see of jobs, and do with them: passerelle jobs, and the admin pages behind it."""
import json
import os
import time

import pytest
from gateway import Gateway
from job_backend import SERVICES, JobBackend
from operators import HASHES, command, entries, plain
from processes import eventually

CONFIG = """
listen: [{address: '127.0.0.1:$port', trusted_proxies: [127.0.0.1]}]
identity_header: x-client-id
admin:
  address: '127.0.0.1:$admin'
  socket: unix:admin.sock
  operators:
    - {name: reader, role: read, token_sha256: $reader}
    - {name: ops, role: operate, token_sha256: $ops}
log: "-"
loops: 2
node: main
store: {sqlite: store.db, jobs: {lease: 1s, look: 50ms}}
ledger: {redact: [spec.plan, plan]}
""" + SERVICES + """routes:
  - {match: machines, attempts: 1}
  - {match: hosting, attempts: 1}
jobs:
"""
JOB = """
  - method: hosting.Sites/Create
    revision: $revision
    answer: {name: request.spec.name, operation: job.name, reason: job.reason}
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
      - {name: approval, wait: {event: approved, for: 1h}}
      - name: publish
        method: hosting.Backstage/Publish
        request: {name: request.spec.name, plan: request.spec.plan, address: steps.reserve.address}
        retry: {for: 1h, initial_backoff: 10ms, max_backoff: 50ms}
"""
ANNOUNCE = """
      - name: announce
        method: hosting.Backstage/Announce
        request: {name: request.spec.name}
        idempotency: key
"""


def revision(number, more=""):
    return JOB.replace("$revision", str(number)) + more


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("operators")
    backend = JobBackend(folder)
    with backend, Gateway(folder, CONFIG + revision(1), instance=backend.port, **HASHES) as started:
        started.backend = backend
        eventually(lambda: started.metric("passerelle_store_up") == 1)
        yield started


def create(gateway, site, plan="good", client="ada"):
    answer = gateway.http("POST", "/v2/sites", {"name": site, "plan": plan}, headers={"X-Client-Id": client})
    assert answer.status == 202, answer.body
    return answer.headers["location"].rpartition("/")[2]


def jobs(gateway, *words, code=0):
    done = command(gateway, "jobs", *words, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if done.stdout else None


def show(gateway, job):
    return jobs(gateway, "show", job)


def reached(gateway, job, state, step=None):
    return eventually(lambda: (lambda told: told["state"] == state and step in (None, told.get("step")) and told)(
        show(gateway, job)))


def ids(gateway, *words):
    return [job["id"] for job in jobs(gateway, "list", *words)["jobs"]]


def refused(gateway, *words):
    """The reason."""
    done = command(gateway, "jobs", *words)
    assert done.returncode == 1
    return done.stderr


def failed(gateway, site, client="ada"):
    """A job whose last step was refused."""
    job = create(gateway, site, "refused", client)
    reached(gateway, job, "waiting", "approval")
    jobs(gateway, "event", job, "approved")
    reached(gateway, job, "failed")
    return job


def test_a_job_waits_for_an_event_from_outside(gateway):
    job = create(gateway, "event")
    reached(gateway, job, "waiting", "approval")
    assert "it waits for the event approved" in refused(gateway, "event", job, "signed")
    assert jobs(gateway, "event", job, "approved") == {"action": "event", "job": job}
    reached(gateway, job, "done")
    assert jobs(gateway, "show", f"operations/{job}") == jobs(gateway, "show", job)  # as clients know it
    assert "waits for no event" in refused(gateway, "event", job, "approved")


def test_lists_are_filtered_and_paged(gateway):
    ended = create(gateway, "listed-1", client="bob")
    reached(gateway, ended, "waiting", "approval")
    jobs(gateway, "event", ended, "approved")
    reached(gateway, ended, "done")
    waits = create(gateway, "listed-2", client="bob")
    reached(gateway, waits, "waiting", "approval")
    for words, expected in ((["--client", "bob"], [waits, ended]), (["--client", "nobody"], []), (["--client", ""], []),
                            (["--state", "done"], [ended]), (["--state", "done,waiting"], [waits, ended]),
                            (["--state", "failed"], []), (["--step", "approval"], [waits]),
                            (["--resource", "site/listed-1"], [ended]), (["--service", "hosting"], [waits, ended]),
                            (["--service", "hosting.Sites"], [waits, ended]),
                            (["--service", "hosting.Sites/Create"], [waits, ended]),
                            (["--service", "host"], []), (["--service", "machines"], []), (["--older", "1h"], []),
                            (["--older", "1ms"], [waits, ended])):
        found = ids(gateway, *words, *([] if "--client" in words else ["--client", "bob"]))
        assert found == expected, words
    first = jobs(gateway, "list", "--client", "bob", "--limit", "1")
    assert ([job["id"] for job in first["jobs"]], first["next"]) == ([waits], waits)
    assert ids(gateway, "--client", "bob", "--after", waits) == [ended]
    text = command(gateway, "jobs", "list", "--client", "bob").stdout.splitlines()
    assert text[0].split() == ["ID", "STATE", "STEP", "SECONDS", "METHOD", "CLIENT", "WHY"]
    assert text[1].split()[:3] == [waits, "waiting", "approval"]
    assert command(gateway, "jobs", "list", "--client", "nobody").stdout == "no such jobs\n"
    for words in (["--state", "lost"], ["--older", "soon"], ["--limit", "1001"], ["--limit", "0"], ["--after", "x"]):
        assert f"{words[0][2:]} takes" in refused(gateway, "list", *words)


def test_messages_are_shown_without_what_is_redacted(gateway):
    job = failed(gateway, "shown")
    told = show(gateway, job)
    assert told["request"]["spec"] == {"name": "shown", "plan": "redacted"}
    assert (told["client"], told["resource"], told["method"]) == ("ada", "site/shown", "hosting.Sites/Create")
    steps = {step["name"]: step for step in told["steps"]}
    assert steps["reserve"]["response"]["address"] == "192.0.2.7"
    assert (steps["approval"]["event"], steps["publish"]["state"]) == ("approved", "current")
    assert {name: step["state"] for name, step in steps.items() if name != "publish"} == dict.fromkeys(set(steps) - {"publish"}, "done")
    assert (told["stuck"], told["failure"]["step"], told["failure"]["fault"]) == (True, "publish", "UPSTREAM_STATUS")
    text = command(gateway, "jobs", "show", job).stdout
    assert "site/shown" in text and '"plan":"redacted"' in text and '"refused"' not in text


def test_a_failed_job_is_retried_or_its_step_is_skipped(gateway):
    job = failed(gateway, "mended")
    assert "retry takes" not in command(gateway, "jobs", "retry", job, "--why", "once more").stderr
    reached(gateway, job, "failed")
    jobs(gateway, "skip-step", job, "--why", "published by hand")
    reached(gateway, job, "done")
    assert "it is done: skip-step takes one that has failed" in refused(gateway, "skip-step", job)
    assert "it is done: retry takes one that has failed" in refused(gateway, "retry", job)
    assert "it is done: cancel takes" in refused(gateway, "cancel", job)


def test_jobs_are_cancelled_and_undone(gateway):
    waits = create(gateway, "cancelled")
    reached(gateway, waits, "waiting", "approval")
    jobs(gateway, "cancel", waits, "--why", "the customer has left")
    assert reached(gateway, waits, "undone")["failure"]["message"] == "the customer has left"
    job = failed(gateway, "undone")
    jobs(gateway, "undo", job)
    reached(gateway, job, "undone")
    assert "it is undone: undo takes" in refused(gateway, "undo", job)


def test_an_ended_job_is_replayed_with_a_new_id_and_keys(gateway):
    job = create(gateway, "again")
    reached(gateway, job, "waiting", "approval")
    assert "it is waiting: replay takes" in refused(gateway, "replay", job, "--why", "x")
    jobs(gateway, "event", job, "approved")
    reached(gateway, job, "done")
    assert command(gateway, "jobs", "replay", job).returncode == 2
    answer = plain(gateway, "ops")("POST", f"/jobs/{job}/replay")
    assert answer.status == 400 and "say why" in answer.json["detail"]
    told = jobs(gateway, "replay", job, "--why", "the disk was lost")
    assert told["of"] == job and told["job"] != job
    reached(gateway, told["job"], "waiting", "approval")
    new = show(gateway, told["job"])
    assert (new["client"], new["resource"], new["request"]) == ("ada", "site/again", show(gateway, job)["request"])
    assert {f'"{job}-reserve"', f'"{told["job"]}-reserve"'} <= set(gateway.backend.effects.keys())
    assert "another job works on the same thing" in refused(gateway, "replay", job, "--why", "twice")


def test_metrics_count_jobs_by_state_and_step(gateway):
    waits, stuck = create(gateway, "counted-1"), failed(gateway, "counted-2")
    for job in (waits, stuck):
        told = eventually(lambda: (lambda told: told["state"] != "running" and told)(show(gateway, job)))
        labels = {"method": "hosting.Sites/Create", "state": told["state"], "step": told["step"]}
        expected = len(ids(gateway, "--state", told["state"], "--step", told["step"]))
        eventually(lambda: gateway.metric("passerelle_jobs", **labels) == expected)
        assert 0 < gateway.metric("passerelle_jobs_oldest_seconds", **labels) < 60


def test_each_order_is_audited(gateway):
    job = create(gateway, "audited")
    reached(gateway, job, "waiting", "approval")
    jobs(gateway, "event", job, "approved", "--why", "signed by ada")
    refused(gateway, "skip-step", "01jd2v7w3zcmq9e3f5h8k0n4rt")
    told = [entry for entry in entries(gateway) if entry["action"].startswith("job_")]
    event, = [entry for entry in told if job in entry["why"]]
    assert (event["action"], event["who"], event["result"]) == ("job_event", f"uid {os.geteuid()}", "done")
    assert event["why"] == f"{job} name=approved: signed by ada"
    skip, = [entry for entry in told if "01jd2v7w3zcmq9e3f5h8k0n4rt" in entry["why"]]
    assert (skip["action"], skip["result"]) == ("job_skip_step", "UNKNOWN_PATH")


def test_pages_need_their_roles(gateway):
    job = create(gateway, "roles")
    for who, reads, acts in ((None, 401, 401), ("reader", 200, 403), ("ops", 200, 409)):
        ask = plain(gateway, *filter(None, [who]))
        assert (ask("GET", "/jobs").status, ask("GET", f"/jobs/{job}").status) == (reads, reads)
        assert ask("POST", f"/jobs/{job}/retry").status == acts
    ask = plain(gateway, "ops")
    assert ask("GET", "/jobs/01jd2v7w3zcmq9e3f5h8k0n4rt").status == 404
    assert ask("GET", "/jobs?colour=red").status == 400
    assert ask("POST", f"/jobs/{job}/event").status == 400
    assert ask("POST", f"/jobs/{job}/paint").status == 404
    assert ask("POST", f"/jobs/{job}").status == 405
    assert ask("GET", f"/jobs/{job}/retry").status == 405


def test_a_command_line_that_makes_no_sense_is_refused(gateway):
    for words in ([], ["paint"], ["show"], ["show", "a", "b"], ["event", "a"], ["list", "a"], ["retry", "a", "--to", "2"],
                  ["show", "a", "--state", "done"], ["show", "../config"]):
        assert command(gateway, "jobs", *words).returncode == 2, words
    assert "there is no job" in refused(gateway, "show", "abc")


def use(gateway, text):
    before = gateway.admin("/config").json["generation"]
    gateway.write(config=CONFIG + text)
    gateway.reload()
    eventually(lambda: gateway.admin("/config").json["generation"] > before)


def test_parked_jobs_begin_when_an_operator_says_so(gateway):
    jobs(gateway, "unpark", "hosting.Sites/Create", "--why", "other tests have had failures")
    use(gateway, revision(1, "    park_after: 1\n"))
    failed(gateway, "parks")
    event, = eventually(lambda: gateway.events("job_parked"))
    assert "passerelle jobs unpark hosting.Sites/Create" in event["message"] and "publish" in event["message"]
    job = create(gateway, "parked")
    time.sleep(0.2)
    page = show(gateway, job)
    assert page["state"] == "queued" and page["parked"].startswith("publish ")
    for words in (["list", "--state", "queued"], ["show", job]):
        told = command(gateway, "jobs", *words).stdout
        assert "parked" in told and "passerelle jobs unpark hosting.Sites/Create --why" in told, told
    assert "an operator" in gateway.http("GET", f"/v1/operations/{job}", headers={"X-Client-Id": "ada"}).json["metadata"]["value"]["reason"]
    assert eventually(lambda: gateway.metric("passerelle_jobs_parked", method="hosting.Sites/Create") == 1)
    assert "the config has no jobs of hosting.Sites/Get" in refused(gateway, "unpark", "hosting.Sites/Get")
    assert jobs(gateway, "unpark", "hosting.Sites/Create", "--why", "the disk has room") == {
        "action": "unpark", "method": "hosting.Sites/Create"}
    reached(gateway, job, "waiting", "approval")
    assert [entry["why"] for entry in entries(gateway) if entry["action"] == "job_unpark" and entry["result"] == "done"][0] == (
        "method=hosting.Sites%2FCreate: the disk has room")


def test_while_jobs_wait_for_another_try_no_other_begins(gateway):
    labels = {"method": "hosting.Sites/Create"}
    config = revision(1, "    retrying: 1\n").replace("for: 1h, initial_backoff: 10ms, max_backoff: 50ms",
                                                     "for: 1h, initial_backoff: 200ms, max_backoff: 300ms")
    use(gateway, config)
    gateway.backend.kill()
    first = create(gateway, "held-1")
    reached(gateway, first, "waiting", "reserve")
    second = create(gateway, "held-2", client="bob")
    assert eventually(lambda: gateway.metric("passerelle_jobs_begins_held", **labels) == 1)
    assert gateway.metric("passerelle_jobs_retrying", **labels) == 1
    assert show(gateway, second)["state"] == "queued"
    event, = eventually(lambda: gateway.events("job_begins_held"))
    assert event["message"].startswith("hosting.Sites/Create: 1 jobs wait for another try")
    gateway.backend.start()
    for job in (first, second):
        reached(gateway, job, "waiting", "approval")
    assert eventually(lambda: gateway.metric("passerelle_jobs_begins_held", **labels) == 0)
    assert eventually(lambda: gateway.events("job_begins"))


def test_waiting_jobs_are_moved_to_a_compatible_revision(gateway):
    job, other = create(gateway, "moved"), create(gateway, "stays")
    for each in (job, other):
        reached(gateway, each, "waiting", "approval")
    assert "it is of revision 1 already" in refused(gateway, "migrate", job)
    use(gateway, revision(1) + revision(2, ANNOUNCE) +
        revision(3).replace("name: reserve", "name: book").replace("steps.reserve", "steps.book"))
    assert "step reserve, which the job has reached, has another name there" in refused(gateway, "migrate", job)
    assert "the config has no such revision" in refused(gateway, "migrate", job, "--to", "9")
    assert jobs(gateway, "migrate", job, "--to", "2", "--why", "it is to be announced") == {"action": "migrate", "job": job}
    assert show(gateway, job)["revision"] == 2
    for each in (job, other):
        jobs(gateway, "event", each, "approved")
        reached(gateway, each, "done")
    assert (gateway.backend.effects.of("moved"), gateway.backend.effects.of("stays")) == (["announce", "publish"], ["publish"])
    assert "JOB_UNFIT: it is done: what has ended stays as it is" in refused(gateway, "migrate", job, "--to", "1")


def test_a_job_whose_definition_is_gone_ends_when_it_is_cancelled(gateway):
    use(gateway, revision(5))
    job, other = create(gateway, "orphan"), create(gateway, "orphan-of-ada")
    for each in (job, other):
        reached(gateway, each, "waiting", "approval")
    use(gateway, revision(6))
    jobs(gateway, "cancel", job, "--why", "nobody needs it")
    assert gateway.http("POST", f"/v1/operations/{other}:cancel", {}, headers={"X-Client-Id": "ada"}).status == 200
    for each in (job, other):
        assert "its definition is not in the config any more" in reached(gateway, each, "failed")["failure"]["message"]
    create(gateway, "orphan")  # the site is free again
