"""
Jobs while everything that takes part in them is killed: two gateways, the backend, and PostgreSQL if the jobs are there.

  job_kills.py KILLS   on each store; `make jobs-kills`

No job that was accepted is lost, each ends as its plan says, and none of its calls has an effect twice.
"""
import collections
import contextlib
import http.client
import json
import pathlib
import random
import signal
import sys
import tempfile
import time

from gateway import BINARY, Gateway
from job_backend import PLANS, SERVICES, UNHEARD, JobBackend
from processes import Process, eventually
from stores import PostgreSQL, SQLite, postgresql

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin', socket: 'unix:$folder/admin.sock'}
log: $folder/log
loops: 1
store: $store
node: $node
""" + SERVICES + """jobs:
  - method: hosting.Sites/Create
    answer: {name: request.spec.name, operation: job.name}
    state: state
    states: {queued: PROVISIONING, running: PROVISIONING, waiting: PROVISIONING, failed: FAILED, undoing: REMOVING,
             undone: REMOVED, done: LIVE}
    park_after: 1000000
    running: 1000
    running_per_client: 1000
    steps:
      - name: reserve
        method: machines.Machines/Reserve
        request: {plan: request.spec.plan, holder: job.id}
        idempotency: key
        timeout: 2s
        retry: {for: 1h, initial_backoff: 50ms, max_backoff: 300ms}
        undo: {method: machines.Machines/Release, request: {holder: job.id}}
      - name: publish
        method: hosting.Backstage/Publish
        request: {name: request.spec.name, plan: request.spec.plan, address: steps.reserve.address}
        timeout: 2s
        retry: {for: 1h, initial_backoff: 50ms, max_backoff: 300ms}
        undo: {method: hosting.Backstage/Unpublish, request: {name: request.spec.name}}
      - {name: rest, wait: {for: 50ms}}
      - name: announce
        method: hosting.Backstage/Announce
        request: {name: request.spec.name}
        idempotency: key
        timeout: 2s
        retry: {for: 1h, initial_backoff: 50ms, max_backoff: 300ms}
        on_failure: graceful
"""


def setting_of(store):
    """Jobs of a gateway that was killed go on after a second."""
    return store.setting[:-1] + ", time: 1s, jobs: {lease: 1s, look: 50ms}}"


class Killed(Gateway):
    """A gateway that is killed and started again."""

    def kill(self):
        self.process.child.kill()
        self.process.child.wait()

    def begin(self):
        """It serves when it is ready; nobody waits for that."""
        self.process = Process([BINARY, "run", str(self.file)])


def make_quick(server):
    """Processes are killed, not the machine: what was written is there. So it need not sync all that it has when it starts."""
    with open(server.folder / "data/postgresql.conf", "a") as settings:
        settings.write("fsync = off\n")


class World:
    def __init__(self, folder, store):
        self.store, self.backend = store, JobBackend(folder)
        if isinstance(store, PostgreSQL):
            make_quick(store)
        self.gateways = []
        for node in ("one", "two"):
            (folder / node).mkdir()
            self.gateways.append(Killed(folder / node, CONFIG, store=setting_of(store), node=node,
                                        instance=self.backend.port))
        self.random = random.Random(1)
        self.accepted = {}  # operation: (site, plan)
        self.kills = collections.Counter()
        self.n_sites = 0

    def __enter__(self):
        self.backend.start()
        for gateway in self.gateways:
            gateway.start()
        return self

    def __exit__(self, *_):
        for gateway in self.gateways:
            gateway.kill()
        self.backend.kill()

    def ask(self, gateway, verb, path, body=None):
        """The response; None: there is none."""
        with contextlib.suppress(OSError, http.client.HTTPException), \
                contextlib.closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)) as connection:
            connection.request(verb, path, body and json.dumps(body), {"content-type": "application/json"})
            answer = connection.getresponse()
            return answer, json.loads(answer.read() or b"{}")
        return None

    def create(self):
        """Asks for a site; whether that was answered with a job. Only then it was promised."""
        self.n_sites += 1
        plan = self.random.choice(sorted(PLANS))
        site = f"s{self.n_sites}-{plan}"
        told = self.ask(self.random.choice(self.gateways), "POST", "/v2/sites", {"name": site, "plan": plan})
        if not told or told[0].status != 202:
            return False
        self.accepted[told[0].headers["location"].rpartition("/")[2]] = (site, plan)
        return True

    def kill_something(self):
        n = sum(self.kills.values())  # the first kills are of each kind; which is next depends on how the calls went
        what = ["gateway", "backend", "store"][n] if n < 3 else self.random.choice(["gateway", "gateway", "backend", "store"])
        if what == "store" and isinstance(self.store, PostgreSQL):
            self.store.stop(signal.SIGKILL)
            self.store.start()
        elif what == "backend":
            self.backend.kill()
            self.backend.start(wait=False)
        else:  # SQLite is in the gateway
            what = "gateway"
            gateway = self.random.choice(self.gateways)
            gateway.kill()
            gateway.begin()
        self.kills[what] += 1

    def state(self, job):
        """"done", "undone", or None: it has not ended, or nobody says."""
        told = self.ask(self.random.choice(self.gateways), "GET", f"/v1/operations/{job}")
        if not told or not told[1].get("done"):
            assert not told or told[0].status != 404, f"{job} is lost: {told[1]}"
            return None
        return "done" if "response" in told[1] else told[1]["metadata"]["value"]["state"]

    def judge(self):
        for job, (site, plan) in self.accepted.items():
            state, effects = PLANS[plan]
            found = eventually(lambda job=job: self.state(job), timeout=120)
            had = sorted(self.backend.effects.of(job) + self.backend.effects.of(site))
            more = UNHEARD.get(plan, set()) & set(had)
            assert (found, had) == (state, sorted(effects | more)), f"{job} of {site}: {found}, {had}"


def run(folder, store, kills):
    with World(pathlib.Path(folder), store) as world:
        for _ in range(kills):
            eventually(world.create)  # something is under way, however long the last kill is felt
            world.create()
            time.sleep(world.random.uniform(0, 0.15))
            world.kill_something()
        world.judge()
        return world


def main():
    postgresql.SECONDS = 300  # a start on a machine that is busy
    kills = int(sys.argv[1])
    stores = [SQLite] + ([PostgreSQL] if postgresql.programs() else [])
    for kind in stores:
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            store = kind(pathlib.Path(folder)) if kind is SQLite else stack.enter_context(kind())
            began = time.monotonic()
            world = run(folder, store, kills)
            told = collections.Counter(PLANS[plan][0] for _, plan in world.accepted.values())
            print(f"{kind.__name__}: {sum(world.kills.values())} kills {dict(world.kills)}, {len(world.accepted)} jobs, "
                  f"none lost: {dict(told)}; {len(world.backend.effects.keys())} calls; {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
