"""
One job, seen by everybody at once: a v1 REST client that polls, a v2 gRPC client that waits for the operation, a browser
that follows its events; by others it is not seen. And what becomes of the thing itself meanwhile, and afterwards.
"""
import http.client
import json
import threading
from concurrent import futures

import backends  # noqa: F401: the shop's stubs
import grpc
import pytest
from gateway import Gateway
from google.protobuf import json_format
from operations_service import Operations, lro, state_of
from operators import on_socket
from processes import eventually, free_port
from shop.hosting.v1 import hosting_pb2 as v1
from shop.hosting.v2 import hosting_pb2 as v2
from shop.machines.v1 import machines_pb2 as machines

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin', socket: 'unix:$folder/$name.sock'}
log: "-"
node: $name
loops: 2
store: {sqlite: $folder/jobs.db, jobs: {look: 100ms}}
identity_header: x-client
usage: {}
trusted_proxies: [127.0.0.0/8]
services:
  - name: hosting
    versions:
      - {name: v1, package: shop.hosting.v1, schema: $orders}
      - {name: v2, package: shop.hosting.v2, schema: $orders}
    changes: [$shop/hosting-v1-v2.yaml]
    instances: [{address: '127.0.0.1:$instance', versions: [v2]}]
  - name: machines
    versions: [{name: v1, package: shop.machines.v1, schema: $orders}]
    instances: [{address: '127.0.0.1:$instance', versions: [v1]}]
jobs:
  - method: hosting.Sites/Create
    version: v2
    answer:
      name: request.spec.name
      plan: request.spec.plan
      endpoint.address: steps.reserve.address
      operation: job.name
      reason: job.reason
    state: state
    states: {queued: PROVISIONING, running: PROVISIONING, waiting: PROVISIONING, failed: FAILED, undoing: REMOVING,
             undone: REMOVED, done: LIVE}
    resource:
      kind: site
      key: request.spec.name
      read: [{method: hosting.Sites/Get, key: name}]
      block: [{method: hosting.Sites/Delete, key: name}]
    steps:
      - name: reserve
        method: machines.Machines/Reserve
        request: {plan: request.spec.plan, holder: job.id}
        idempotency: key
        timeout: 30s
        retry: {for: 1h, initial_backoff: 30s, max_backoff: 30s}
        undo: {method: machines.Machines/Release, request: {holder: job.id}}
      - name: publish
        method: hosting.Backstage/Publish
        version: v2
        request: {name: request.spec.name, plan: request.spec.plan, address: steps.reserve.address}
"""


class Shop:
    """The instance of both services: a reservation takes until it is let go on."""

    def __init__(self):
        self.port, self.sites, self.released = free_port(), {}, []
        self.gates, self.refused, self.away = {}, set(), set()
        self.server = grpc.server(futures.ThreadPoolExecutor(16))
        handlers = {("shop.machines.v1.Machines", "Reserve", machines.ReserveRequest): self.reserve,
                    ("shop.machines.v1.Machines", "Release", machines.ReleaseRequest): self.release,
                    ("shop.hosting.v2.Backstage", "Publish", v2.PublishRequest): self.publish,
                    ("shop.hosting.v2.Sites", "Get", v2.GetRequest): self.get,
                    ("shop.hosting.v2.Sites", "Delete", v2.DeleteRequest): self.get}
        for (service, method, request), serve in handlers.items():
            handler = grpc.unary_unary_rpc_method_handler(serve, request_deserializer=request.FromString,
                                                          response_serializer=lambda message: message.SerializeToString())
            self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {method: handler})])
        assert self.server.add_insecure_port(f"127.0.0.1:{self.port}") == self.port
        self.server.start()

    def gate(self, plan):
        return self.gates.setdefault(plan, threading.Event())

    def reserve(self, request, context):
        if request.plan in self.away:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        self.gate(request.plan).wait(20)
        if request.plan in self.refused:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"no machine for {request.plan}")
        return machines.Machine(id="m1", plan=request.plan, address="192.0.2.7")

    def release(self, request, context):
        self.released.append(request.holder)
        return machines.Released(machines=1)

    def publish(self, request, context):
        self.sites[request.name] = v2.Site(name=request.name, plan=request.plan, state=v2.LIVE,
                                           endpoint=v2.Endpoint(address=request.address))
        return self.sites[request.name]

    def get(self, request, context):
        if request.name not in self.sites:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no site {request.name}")
        return self.sites[request.name]


class World:
    """The shop, two gateways of one store, and clients of them."""

    def __init__(self, shop, one, two):
        self.shop, self.one, self.two = shop, one, two

    def channel(self, gateway):
        channel = grpc.insecure_channel(gateway.address)
        gateway.clients.append(channel)
        return channel

    def operations(self, client="ada", gateway=None, version="v2"):
        return Operations(self.channel(gateway or self.one), x_client=client, api_version=version)

    def rest(self, verb, path, body=None, client="ada", gateway=None, **fields):
        headers = {"x-client": client, **{name.replace("_", "-"): value for name, value in fields.items()}}
        return (gateway or self.one).http(verb, path, body, headers)

    def create(self, name, client="ada", version="v1"):
        """A site is asked for; its plan is its name. The response, and the name of the operation."""
        answer = self.rest("POST", f"/{version}/sites", {"name": name, "plan": name}, client)
        return answer, answer.headers["location"].removeprefix("/v1/")

    def let_go_on(self, plan):
        self.shop.gate(plan).set()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder, shop = tmp_path_factory.mktemp("jobs"), Shop()
    with Gateway(folder, CONFIG, instance=shop.port, name="one") as one:
        folder_of_two = folder / "two"
        folder_of_two.mkdir()
        config = CONFIG.replace("$folder/jobs.db", str(folder / "jobs.db"))
        with Gateway(folder_of_two, config, instance=shop.port, name="two") as two:
            yield World(shop, one, two)
    shop.server.stop(None)


def events(gateway, operation):
    """The events of an operation, as they come: (id or kind, data)."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request("GET", f"/v1/{operation}", headers={"x-client": "ada", "accept": "text/event-stream"})
    response = connection.getresponse()
    assert response.status == 200 and response.headers["content-type"] == "text/event-stream"
    event = {}
    for line in iter(response.readline, b""):
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name:
            event[name] = value
        else:
            yield event.get("event", event["id"]), json.loads(event["data"])
            event = {}


def in_background(work):
    found = futures.Future()
    threading.Thread(target=lambda: found.set_result(work()), daemon=True).start()
    return found


def test_a_rest_client_a_grpc_client_and_a_browser_see_one_job_each_in_its_own_way(world):
    answer, operation = world.create("x1")
    assert answer.status == 202 and int(answer.headers["retry-after"]) >= 1
    assert answer.headers["passerelle-job"] == f"{operation}; state=queued"
    assert answer.json == {"name": "x1", "plan": "x1", "status": "IN_WORK", "operation": operation}
    browser = in_background(lambda: list(events(world.one, operation)))
    waiting = in_background(lambda: world.operations().wait(operation))
    elsewhere = in_background(lambda: world.operations(gateway=world.two).wait(operation))
    eventually(lambda: state_of(world.operations().get(operation)) == "running")
    polled = world.rest("GET", f"/v1/{operation}", api_version="v1")
    assert polled.status == 202 and polled.headers["retry-after"] == "1" and "done" not in polled.json
    world.let_go_on("x1")

    for waited in (waiting.result(20), elsewhere.result(20)):
        site = v2.Site()
        assert waited.done and waited.response.Unpack(site)
        assert site == v2.Site(name="x1", plan="x1", state=v2.LIVE, operation=operation,
                               endpoint=v2.Endpoint(address="192.0.2.7"))
    polled = world.rest("GET", f"/v1/{operation}", api_version="v1")
    assert polled.status == 200 and "retry-after" not in polled.headers
    assert polled.json["response"] == {"@type": "type.googleapis.com/shop.hosting.v1.Site", "name": "x1", "plan": "x1",
                                       "address": "192.0.2.7", "status": "ONLINE", "operation": operation}
    told = browser.result(20)
    assert [kind for kind, _ in told] == [str(i + 1) for i in range(len(told) - 1)] + ["end"]
    states = [data["metadata"]["value"]["state"] for _, data in told[:-1]]
    assert states[-1] == "done" and states[0] in ("queued", "running")
    assert told[-2][1]["done"] and told[-2][1]["response"]["@type"].endswith("shop.hosting.v1.Site")


def test_the_thing_is_read_from_its_job_and_afterwards_from_the_service(world):
    _, operation = world.create("x2")
    for version, status in (("v1", {"status": "IN_WORK"}), ("v2", {"state": "PROVISIONING"})):
        answer = world.rest("GET", f"/{version}/sites/x2")
        assert answer.status == 200 and answer.headers["passerelle-job"].startswith(operation)
        assert answer.json == {"name": "x2", "plan": "x2", "operation": operation, **status}
    assert world.rest("GET", "/v2/sites/x2", client="bob").status == 404  # the service's own answer
    blocked = world.rest("DELETE", "/v1/sites/x2", client="bob")
    assert blocked.status == 409 and blocked.json["reason"] == "JOB_BUSY"
    second = world.rest("POST", "/v2/sites", {"name": "x2", "plan": "other"}, client="bob")
    assert second.status == 409 and second.json["code"] == "ABORTED"
    world.let_go_on("x2")
    assert world.operations().wait(operation).done
    answer = world.rest("GET", "/v2/sites/x2")
    assert answer.status == 200 and "passerelle-job" not in answer.headers
    assert answer.json == {"name": "x2", "plan": "x2", "endpoint": {"address": "192.0.2.7"}, "state": "LIVE"}
    assert world.rest("DELETE", "/v1/sites/x2", client="bob").status == 200


def test_a_job_that_fails_is_undone_and_its_operation_has_the_error(world):
    world.shop.refused.add("x3")
    world.let_go_on("x3")
    _, operation = world.create("x3")
    waited = world.operations().wait(operation)
    assert waited.done and waited.error.code == grpc.StatusCode.FAILED_PRECONDITION.value[0]
    assert "no machine for x3" in waited.error.message
    assert operation.removeprefix("operations/") not in world.shop.released  # it was refused: there is nothing to release
    told = world.rest("GET", f"/v1/{operation}").json
    assert told["error"]["code"] == 9 and told["metadata"]["value"]["state"] == "undone"


def test_a_cancelled_job_is_undone(world):
    world.shop.away.add("x4")
    _, operation = world.create("x4")
    eventually(lambda: state_of(world.operations().get(operation)) == "waiting")
    following = world.operations().follow(operation)
    assert not next(following).done
    assert world.rest("DELETE", f"/v1/{operation}").json["reason"] == "OPERATION_UNFINISHED"
    world.operations(gateway=world.two).cancel(operation)
    last = list(following)[-1]
    assert last.done and last.error.code == grpc.StatusCode.CANCELLED.value[0]
    assert operation.removeprefix("operations/") in world.shop.released
    world.operations().cancel(operation)  # too late, which is no error
    world.operations().delete(operation)
    assert world.rest("GET", f"/v1/{operation}").status == 404


def test_others_are_told_of_no_job_but_their_own(world):
    _, operation = world.create("x5")
    stranger = world.operations("bob")
    for ask in (stranger.get, stranger.cancel, stranger.delete, stranger.wait):
        with pytest.raises(grpc.RpcError) as told:
            ask(operation)
        assert told.value.code() == grpc.StatusCode.NOT_FOUND
    assert operation in [found.name for found in world.operations().list().operations]
    assert operation not in [found.name for found in stranger.list().operations]
    running = world.operations().list(filter="done = false").operations
    assert [found.name for found in running] == [operation]
    world.let_go_on("x5")
    assert world.operations().wait(operation).done


DIALECTS = {"connect": "application/json", "grpc-web": "application/grpc-web+json", "rest": None}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_operations_are_told_in_each_dialect(world, dialect):
    world.let_go_on(f"y-{dialect}")
    _, operation = world.create(f"y-{dialect}")
    assert world.operations().wait(operation).done
    path = "/google.longrunning.Operations/GetOperation"
    body = json.dumps({"name": operation}).encode()
    if dialect == "rest":
        told = world.rest("GET", f"/v1/{operation}").body
    elif dialect == "connect":
        told = world.rest("POST", path, body, content_type=DIALECTS[dialect]).body
    else:
        told = world.rest("POST", path, b"\0" + len(body).to_bytes(4, "big") + body, content_type=DIALECTS[dialect]).body
        told = told[5:5 + int.from_bytes(told[1:5], "big")]
    read = json_format.Parse(told, lro.Operation())
    site = v1.Site()
    assert read.name == operation and read.done and read.response.Unpack(site) and site.status == v1.ONLINE


def test_steps_are_uses_of_the_client_of_the_job(world):
    world.create("used", client="eve")
    world.let_go_on("used")

    def used():
        page = on_socket(world.one.folder / "one.sock", "GET", "/usage?service=machines&client=eve").json
        other = on_socket(world.two.folder / "two.sock", "GET", "/usage?service=machines&client=eve").json
        return page["all_gateways"] and [(row["method"], row["calls"]) for row in (page["methods"] or other["methods"])]
    eventually(lambda: used() == [("shop.machines.v1.Machines/Reserve", 1)])
