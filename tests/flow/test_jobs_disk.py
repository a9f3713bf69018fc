"""Jobs while the disk of their PostgreSQL is full; of SQLite's: tests/unit/gateway/job_store/test_job_table.c."""
import os

import pytest
from gateway import Gateway
from job_backend import JobBackend
from operators import HASHES
from processes import eventually
from stores import PostgreSQL, fill, postgresql, small_disk
from test_jobs_operators import CONFIG, ids, jobs, reached, revision


def begin(gateway, site):
    """What a client is told; the request has more bytes than the pages of the table have room for, however they are compressed."""
    return gateway.http("POST", "/v2/sites", {"name": site, "plan": os.urandom(20_000).hex()}, headers={"X-Client-Id": "ada"}, timeout=30)


def accepted(gateway, site):
    """Its id, as soon as the store takes it."""
    answer = eventually(lambda: (lambda answer: answer.status == 202 and answer)(begin(gateway, site)))
    return answer.headers["location"].rpartition("/")[2]


def approve(gateway, job):
    reached(gateway, job, "waiting", "approval")
    jobs(gateway, "event", job, "approved")
    reached(gateway, job, "done")


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system needs root")
def test_with_a_full_disk_no_job_is_accepted_none_is_lost_and_they_go_on_when_there_is_room(tmp_path):
    if not postgresql.programs():
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    with small_disk("120m") as disk, PostgreSQL(parent=disk) as server, JobBackend(tmp_path) as backend:
        store = server.setting[:-1] + ", jobs: {lease: 1s, look: 50ms}}"
        config = CONFIG.replace("{sqlite: store.db, jobs: {lease: 1s, look: 50ms}}", store) + revision(1)
        with Gateway(tmp_path, config, instance=backend.port, **HASHES) as gateway:
            gateway.backend = backend
            before = accepted(gateway, "before")
            reached(gateway, before, "waiting", "approval")
            filler = fill(disk)
            for site in ("full-1", "full-2"):
                refused = begin(gateway, site)
                assert (refused.status, refused.json["reason"]) == (503, "STORE_DOWN"), refused.body
            assert "No space left" in str(refused.json) or eventually(lambda: "No space left" in str(gateway.events("store_down")))
            assert ids(gateway) == [before]
            filler.unlink()
            after = accepted(gateway, "after")
            assert ids(gateway) == [after, before]
            for job, site in ((before, "before"), (after, "after")):
                approve(gateway, job)
                assert backend.effects.of(site) == ["publish"]
            assert not backend.effects.of("full-1") + backend.effects.of("full-2")
