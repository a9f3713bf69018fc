"""
Faults that are provoked in a real gateway, and what a real Prometheus tells of them: the alerts that must fire do, and no other.

Times of the rules are 240 times shorter, and Prometheus looks once a second. Each fault has a gateway and a Prometheus of its own.
"""
import collections
import contextlib
import http.server
import os
import signal
import socket
import subprocess
import threading
import time

import grpc
import pytest
from backends import v1, v1_grpc, v3, v3_grpc
from gateway import Gateway
from job_backend import JobBackend
from monitored import CONFIG as WITH_ROLLOUT, Prometheus, generated, monitored
from operators import command
from processes import eventually
from stores import SQLite
from test_access import Issuer
from test_live_upgrade import Supervised
from test_retries import Shop, well

TIME_SCALE = 240
PATIENCE = 90      # seconds in which an alert has to come, on a machine that does other things besides
QUIET = 4          # seconds in which nothing else may come
CALLS_EVERY = 0.02  # seconds: good calls that go on all the time

CONFIG = WITH_ROLLOUT[:WITH_ROLLOUT.index("rollouts:")]  # a candidate would be an instance that no client here calls
PAGE, TICKET = "page", "ticket"
# Of a service of high impact most of whose calls fail; of low impact all of it is for a working day.
BURNS = {("BudgetBurnsFast", PAGE), ("BudgetBurns", PAGE), ("BudgetBurnsSlowly", TICKET), ("BudgetRunsOut", TICKET)}
SMOULDERS = {(name, TICKET) for name, _ in BURNS}


def internal(context):
    context.abort(grpc.StatusCode.INTERNAL, "it is broken")


def nonsense(context):
    context.abort(grpc.StatusCode.INVALID_ARGUMENT, "which order?")


class Scripted(Shop):
    """The shop; each method may have a script of its own."""

    def __init__(self):
        super().__init__(well)
        self.methods = {}

    def serve(self, context, response):
        self.asked.append({})
        return self.scripts[-1](context) or response

    def List(self, request, context):
        return self.methods.get("List", well)(context) or v3.ListResponse()

    def ListRecommendations(self, request, context):
        return self.methods.get("ListRecommendations", well)(context) or v3.ListRecommendationsResponse()


class Answers(http.server.BaseHTTPRequestHandler):
    """A receiver of webhooks that takes all, and an issuer that shows its keys."""

    def do_GET(self):
        self.answer(self.server.keys.read_bytes())

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.answer(b"")

    def answer(self, text):
        self.send_response(self.server.status.get(self.command, 200))
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *ignored):
        pass


class Scene:
    """A gateway before two instances of the shop and the machines of jobs, all of them well, with calls that go on."""

    def __init__(self, folder, running, kind=Gateway, config=CONFIG, **words):
        self.folder, self.running = folder, running
        self.shops = [running.enter_context(Scripted()) for _ in range(2)]
        self.jobs = running.enter_context(JobBackend(folder))
        Issuer(folder)
        self.elsewhere = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.elsewhere.keys, self.elsewhere.status = folder / "keys.json", {}
        threading.Thread(target=self.elsewhere.serve_forever, daemon=True).start()
        running.callback(self.elsewhere.server_close)
        running.callback(self.elsewhere.shutdown)
        elsewhere = self.elsewhere.server_address[1]
        instances = ", ".join(f"{{address: '127.0.0.1:{shop.port}', protocol: grpc, versions: [v3], build: {build}}}"
                              for shop, build in zip(self.shops, "ab"))
        self.words = {"instances": f"[{instances}]", "jobs": self.jobs.port, "jwks": elsewhere, "receiver": elsewhere,
                      "sandbox": "false", **words}
        self.gateway = monitored(folder, config, kind=kind, **self.words)
        running.callback(self.end)
        self.gateway.start()
        self.channel = grpc.insecure_channel(self.gateway.address)
        self.stub = v3_grpc.OrdersStub(self.channel)
        self.calling = threading.Event()
        self.calling.set()
        self.caller = threading.Thread(target=self.call, daemon=True)
        self.caller.start()

    def end(self):
        self.calling.clear()
        if self.gateway.process.running():
            self.gateway.process.terminate()

    def call(self):
        while self.calling.is_set():
            with contextlib.suppress(grpc.RpcError):
                self.stub.Get(v3.GetRequest(id="7"), timeout=2)
            time.sleep(CALLS_EVERY)

    def script(self, script):
        for shop in self.shops:
            shop.scripts.append(script)

    def often(self, call, n=30):
        for _ in range(n):
            with contextlib.suppress(grpc.RpcError):
                call()

    def reconfigure(self, *change, **words):
        config = self.gateway.config.replace(*change) if change else self.gateway.config
        assert words or config != self.gateway.config
        self.gateway.write(config, **words)
        self.gateway.reload()

    def begin_job(self, plan):
        answer = self.gateway.http("POST", "/v2/sites", {"name": f"site-{time.monotonic_ns()}", "plan": plan})
        assert answer.status == 202, answer.body

    def another_gateway(self, **words):
        folder = self.folder / "second"
        folder.mkdir()
        Issuer(folder)
        other = monitored(folder, **{**self.words, "node": "gw2", **words})
        other.start()
        self.running.callback(lambda: other.process.running() and other.process.terminate())
        return other


# ---- The faults: what is done, what must be told, and what may be told besides --------------------------------------------

Fault = collections.namedtuple("Fault", "name before provoke told maybe")
FAULTS = []


def fault(told, maybe=(), before=dict):
    def add(provoke):
        FAULTS.append(Fault(provoke.__name__, before, provoke, set(told), set(maybe)))
        return provoke
    return add


def tickets(*names):
    return {(name, TICKET) for name in names}


@fault(set())
def nothing_happens(scene):
    """Calls go on."""


@fault(set())
def clients_make_mistakes(scene):
    scene.script(nonsense)
    for path in ("/nowhere", "/v9/orders"):
        scene.often(lambda: scene.gateway.http("GET", path))


@fault(BURNS, tickets("InstanceBarred", "AllInstancesUsed", "HealingExcess") | {("AllInstancesUsed", PAGE)})
def a_service_fails(scene):
    scene.script(internal)


@fault(SMOULDERS, tickets("InstanceBarred", "HealingExcess"))
def a_route_of_low_impact_fails(scene):
    """The instances serve so many other calls well that none is ejected."""
    for shop in scene.shops:
        shop.methods["List"] = internal
    end = time.monotonic() + 15
    while time.monotonic() < end:
        scene.often(lambda: scene.stub.List(v3.ListRequest(), timeout=2), 1)
        time.sleep(0.1)


@fault(tickets("Degraded"), tickets("InstanceBarred", "HealingExcess") | {("AllInstancesUsed", PAGE)})
def fallbacks_respond(scene):
    for shop in scene.shops:
        shop.methods["ListRecommendations"] = internal
    end = time.monotonic() + 12
    while time.monotonic() < end:
        scene.stub.ListRecommendations(v3.ListRecommendationsRequest(), timeout=2)
        time.sleep(0.02)


@fault({("ServiceUnserved", PAGE), *tickets("InstanceDown")} | BURNS, tickets("HealingExcess"))
def all_instances_are_down(scene):
    for shop in scene.shops:
        shop.server.stop(0)


@fault(tickets("InstanceDown"), tickets("HealingExcess"))
def one_instance_is_down(scene):
    scene.shops[0].server.stop(0)


@fault(tickets("HealingExcess", "InstanceDown"), before=lambda: {
    "config": CONFIG.replace("rate_limits:", "healing: {reconnect: {per: 60s, at_most: 0, percent: 0}}\nrate_limits:")})
def too_much_is_healed(scene):
    scene.shops[0].server.stop(0)


@fault(tickets("InstanceBarred"), BURNS | tickets("HealingExcess"))
def one_instance_is_ill(scene):
    scene.shops[0].scripts.append(internal)


@fault({("AllInstancesUsed", PAGE)} | BURNS, tickets("HealingExcess", "InstanceBarred"), before=lambda: {
    "config": CONFIG.replace("eject: {first: 30s, most: 60s}", "eject: {first: 30s, most: 60s, max_percent: 50, consecutive: 3}")})
def all_instances_are_ill(scene):
    scene.script(internal)


@fault(tickets("ConfigRefused"), tickets("ReloadHangs"))  # a quarter of a second is a minute here
def a_config_is_refused(scene):
    scene.reconfigure("impact: high", "impact: hihg")


@fault(tickets("LogFails"))
def the_log_cannot_be_written(scene):
    scene.reconfigure("log: $folder/log", "log: /dev/full")


@fault(tickets("LogDropped"))
def the_log_is_not_read(scene):
    os.mkfifo(scene.folder / "pipe")
    reader = os.open(scene.folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    scene.running.callback(os.close, reader)
    scene.reconfigure("log: $folder/log", "log: $folder/pipe")
    subprocess.run(["h2load", "-n", "20000", "-c", "4", f"http://{scene.gateway.address}/nowhere"], check=True, capture_output=True)


@fault({("StoreDown", PAGE)}, tickets("StoreTasksLost", "LedgerUnwritten", "UsageUnwritten", "AuditUnstored"))
def the_store_is_held_by_somebody_else(scene):
    scene.running.enter_context(SQLite(scene.folder).hanging())


@fault(tickets("CertificateEndsSoon"), before=lambda: {"days": 10})
def a_certificate_ends_in_ten_days(scene):
    """It was made so."""


@fault({("CertificateEnds", PAGE), *tickets("CertificateEndsSoon")}, before=lambda: {"days": 1})
def a_certificate_ends_tomorrow(scene):
    """It was made so."""


@fault(tickets("DiscoveryFails"), tickets("HealingExcess"))
def a_list_of_instances_is_broken(scene):
    (scene.folder / "machines.yaml").write_text("instances: [{address: [\n")


@fault(tickets("InstancesRefused"), tickets("HealingExcess"))
def an_entry_of_a_list_is_wrong(scene):
    good = (scene.folder / "machines.yaml").read_text()
    (scene.folder / "machines.yaml").write_text(good.replace("]", ", {address: '127.0.0.1:2', protocol: smoke}]"))


@fault(tickets("KeysNotRead"))
def an_issuer_is_down(scene):
    scene.elsewhere.status["GET"] = 500


@fault({("AllGatewaysDown", PAGE), *tickets("GatewayDown")})
def the_only_gateway_is_killed(scene):
    scene.calling.clear()
    scene.gateway.process.kill()


@fault(tickets("GatewayDown"))
def one_of_two_gateways_is_killed(scene):
    scene.second.process.kill()


@fault(tickets("ConfigsDiffer"), tickets("ReloadHangs"))
def two_gateways_have_different_configs(scene):
    scene.second.write(CONFIG.replace("attempts: 2}", "attempts: 3}"))
    scene.second.reload()


@fault(tickets("JobsHeld", "InstanceDown", "ServiceUnserved"), SMOULDERS | tickets("HealingExcess"))
def the_service_of_jobs_is_down(scene):
    scene.jobs.kill()
    for _ in range(5):
        scene.begin_job("good")


@fault({("JobsParked", PAGE)}, tickets("JobStuck"), before=lambda: {"config": CONFIG.replace("    retrying: 1\n", "    park_after: 1\n")})
def jobs_fail_all_in_the_same_way(scene):
    scene.begin_job("full")


@fault(tickets("RolloutPaused"), before=lambda: {"config": WITH_ROLLOUT})
def an_operator_pauses_a_rollout(scene):
    assert command(scene.gateway, "rollout", "pause", "orders", "--why", "a test").returncode == 0


@fault(tickets("RolloutRolledBack"), before=lambda: {"config": WITH_ROLLOUT})
def a_rollout_is_rolled_back(scene):
    assert command(scene.gateway, "rollout", "rollback", "orders", "--why", "a test").returncode == 0


@fault(tickets("RolloutCandidateGone"), before=lambda: {"config": WITH_ROLLOUT})
def the_instances_of_a_candidate_leave(scene):
    scene.reconfigure(instances=f"[{{address: '127.0.0.1:{scene.shops[0].port}', protocol: grpc, versions: [v3], build: a}}]")


@fault(tickets("WebhookFails") | BURNS, tickets("InstanceBarred", "HealingExcess", "JobEventsOld") | {("AllInstancesUsed", PAGE)})
def a_receiver_of_failures_is_down(scene):
    scene.elsewhere.status["POST"] = 500
    scene.script(internal)


@fault(tickets("VersionPastSunset"), before=lambda: {"sunset": "2026-02-01"})
def a_version_is_past_its_sunset(scene):
    """It was so from the start."""


@fault(tickets("FieldLostAnew"))
def a_conversion_loses_a_field(scene):
    old = v1_grpc.OrdersStub(scene.channel)
    scene.often(lambda: old.Create(v1.CreateRequest(order=v1.Order(customer="ada", comment="ring twice", street="1 Kirkgate", total_cents=1999)), timeout=2), 10)


@fault(tickets("ConnectionsRefused"), before=lambda: {"connections": 8})
def there_are_too_many_connections(scene):
    held = [socket.create_connection(("127.0.0.1", scene.gateway.port)) for _ in range(20)]
    scene.running.callback(lambda: [one.close() for one in held])


@fault(tickets("SecretOpen"))
def a_key_can_be_read_by_others(scene):
    (scene.folder / "server.key").chmod(0o666)
    scene.gateway.reload()


@fault(tickets("LedgerFull"), BURNS | tickets("InstanceBarred", "HealingExcess") | {("AllInstancesUsed", PAGE)}, before=lambda: {"rows": 1, "config": CONFIG.replace("every: 200ms\n  rows", "every: 10s\n  rows")})
def the_ledger_is_full(scene):
    """What gives way before the store has it."""
    for path in ("/nowhere", "/v1/orders/none?x=%zz"):
        scene.gateway.http("GET", path)
    for status in (grpc.StatusCode.DATA_LOSS, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNIMPLEMENTED):
        for shop in scene.shops:
            shop.scripts.append(lambda context, status=status: context.abort(status, "once"))
        time.sleep(0.5)
        scene.script(well)
        time.sleep(0.5)


@fault(tickets("Crashed"), before=lambda: {"kind": Supervised})
def a_gateway_crashes(scene):
    scene.gateway.crash(signal.SIGSEGV)


# ---- The test -------------------------------------------------------------------------------------------------------------

NEEDS_TWO = {"one_of_two_gateways_is_killed", "two_gateways_have_different_configs"}


def watch(prometheus, seen, wanted, seconds):
    """Until all that is wanted has fired, or time is up; `seen` gets all that fires."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not wanted <= seen:
        seen |= prometheus.firing()
        time.sleep(0.3)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_alerts_that_must_fire_do_and_the_others_stay_silent(tmp_path, fault):
    before = fault.before()
    with contextlib.ExitStack() as running:
        scene = Scene(tmp_path, running, **before)
        ports = [scene.gateway.admin_port]
        if fault.name in NEEDS_TWO:
            scene.second = scene.another_gateway()
            ports.append(scene.second.admin_port)
        generated(scene.gateway.file, tmp_path / "rules", "--time-scale", str(TIME_SCALE))
        prometheus = running.enter_context(Prometheus(tmp_path, tmp_path / "rules/passerelle.rules.yaml", ports))
        eventually(lambda: prometheus.query(f"sum(up) == {len(ports)}") and ("AllGatewaysDown", PAGE) not in prometheus.firing())
        seen = set()
        if not before:  # all is well so far
            watch(prometheus, seen, {None}, QUIET)
            assert seen == set()
        fault.provoke(scene)
        watch(prometheus, seen, fault.told, PATIENCE)
        watch(prometheus, seen, {None}, QUIET)
        assert fault.told <= seen, f"silent: {fault.told - seen}"
        assert seen <= fault.told | fault.maybe, f"too much: {seen - fault.told - fault.maybe}"


def test_there_are_enough_faults():
    assert len(FAULTS) >= 27  # 25, and two that are none
