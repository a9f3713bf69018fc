"""A page of six legs, of which one is down, one slow, one answers garbage and one is in another version, in each dialect."""
import base64
import json
import pathlib
import struct
import subprocess
import sys
import time
from concurrent import futures

import grpc
import pytest
from backends import Backend, order_v3, v3
from collector import CLIENT, INTERNAL, SERVER, GrpcCollector
from gateway import BINARY, ROOT, Gateway
from operators import command, own_user
from processes import eventually, free_port
from test_ledger import CONFIG as LEDGER_CONFIG, rows

HERE = pathlib.Path(__file__).resolve().parent
PANEL = HERE / "panel"
sys.path.insert(0, str(HERE / "talk"))

from schema import Schema  # noqa: E402

PARTS = "abcde"
DIALECTS = ("grpc", "grpc-web", "connect", "rest")
HEAD = LEDGER_CONFIG[:LEDGER_CONFIG.index("services:")]

SERVICES = """services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders}
      - {name: v2, package: shop.orders.v2, schema: $orders}
      - {name: v3, package: shop.orders.v3, schema: $orders}
    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]
    instances: [{address: '127.0.0.1:$v3', versions: [v3]}]
"""
PART = """  - name: part_NAME
    versions: [{name: v1, package: part.NAME, schema: $schema}]
    instances: ['127.0.0.1:$NAME']
"""
PAGE = """  - name: panel
    versions:
      - {name: v1, package: panel.v1, schema: $schema}
      - name: v2
        package: panel.v2
        schema: $schema
        compose:
          - method: Pages/Overview
            report: legs
            fan_out: 6
            legs:
              - {name: orders, method: orders.Orders/List, version: v2, request: {customer_id: request.customer},
                 response: {orders: orders}, forward: [authorization]}
              - {name: away, method: part_a.Parts/Get, request: {customer: request.customer}, response: {away: .},
                 on_failure: {graceful: {default: {text: none}}}}
              - {name: late, method: part_b.Parts/Get, request: {customer: request.customer}, response: {late: .},
                 timeout: $late, on_failure: {graceful: {skip: true}}}
              - {name: broken, method: part_c.Parts/Get, request: {customer: request.customer}, response: {broken: .},
                 on_failure: {graceful: {stale: {for: 10m, public: true}}}}
              - {name: first, method: part_d.Parts/Get, request: {customer: request.customer},
                 response: {count: count, customer_name: text}}
              - {name: second, method: part_e.Parts/Get, request: {customer: legs.first.text}, response: {text: text},
                 on_failure: $second}
    changes: [$panel/panel.yaml]
routes:
  - {match: panel, impact: high, timeout: 5s}
"""
CONFIG = HEAD + "usage: {}\n" + SERVICES + "".join(PART.replace("NAME", name) for name in PARTS) + PAGE


# google.rpc.Status with an ErrorInfo: the reason and the domain.
DETAILS = b"\x08\x05\x1a\x3b\n\x28type.googleapis.com/google.rpc.ErrorInfo\x12\x0f\n\x07NO_PART\x12\x04part"


class PartServer:
    """One part: answers well, slowly, with garbage, with an error, or is down."""

    def __init__(self, schema, name):
        self.schema, self.name, self.now, self.port = schema, name, "well", free_port()
        self.asked, self.fields = [], []
        handler = grpc.method_handlers_generic_handler(f"part.{name}.Parts", {
            "Get": grpc.unary_unary_rpc_method_handler(self.answer)})
        self.server = grpc.server(futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers([handler])
        assert self.server.add_insecure_port(f"127.0.0.1:{self.port}") == self.port
        self.server.start()

    def answer(self, request, context):
        self.asked.append(self.schema("part.Ask").FromString(request).customer)
        self.fields.append(dict(context.invocation_metadata()))
        if isinstance(self.now, grpc.StatusCode):
            context.set_trailing_metadata([("grpc-status-details-bin", DETAILS)])
            context.abort(self.now, "as it was told")
        if self.now == "slow":
            time.sleep(2)
        part = self.schema("part.Part")(text=f"{self.name} of {self.asked[-1]}", count=7)
        return b"\xff\xff\xff" if self.now == "garbage" else part.SerializeToString()

    def become(self, fault):
        self.now = fault
        if fault == "down":
            self.server.stop(None).wait()


@pytest.fixture(scope="module")
def schema_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("panel")
    for name in PARTS:
        (folder / f"part_{name}.proto").write_text(f"""syntax = "proto3";
package part.{name};
import "part.proto";
service Parts {{ rpc Get(.part.Ask) returns (.part.Part) {{ option idempotency_level = NO_SIDE_EFFECTS; }} }}
""")
    file = folder / "panel.binpb"
    subprocess.run(["protoc", f"-I{PANEL}", f"-I{folder}", f"-I{ROOT}/examples/shop/proto", "--include_imports",
                    f"--descriptor_set_out={file}", "panel_v1.proto", "panel_v2.proto",
                    *[f"part_{name}.proto" for name in PARTS]], check=True)
    return file


class Panel:
    def __init__(self, folder, schema_file, v3_port, late="300ms", second="loud", ledger="{}"):
        self.schema = Schema(schema_file)
        self.parts = {name: PartServer(self.schema, name) for name in PARTS}
        ports = {name: part.port for name, part in self.parts.items()}
        self.gateway = Gateway(folder, CONFIG, schema=schema_file, panel=PANEL, v3=v3_port, late=late, second=second,
                               ledger=ledger, **ports)

    def __enter__(self):
        self.gateway.start()
        return self

    def __exit__(self, *why):
        self.gateway.__exit__(*why)
        for part in self.parts.values():
            part.server.stop(None)

    def become(self, **faults):
        for name, fault in faults.items():
            self.parts[name].become(fault)

    def page(self, version="v2"):
        return self.schema(f"panel.{version}.Page"), self.schema(f"panel.{version}.PageRequest")

    def ask(self, dialect, version="v2", customer="ada"):
        """The page, and the fields of the head."""
        Page, Request = self.page(version)
        path, fields = f"/panel.{version}.Pages/Overview", {"authorization": "Bearer ada"}
        request = Request(customer=customer)
        if dialect == "grpc":
            channel = grpc.insecure_channel(self.gateway.address)
            self.gateway.clients.append(channel)
            method = channel.unary_unary(path, Request.SerializeToString, Page.FromString)
            page, call = method.with_call(request, metadata=tuple(fields.items()), timeout=20)
            return page, dict(call.initial_metadata())
        if dialect == "grpc-web":
            body = request.SerializeToString()
            answer = self.gateway.http("POST", path, b"\0" + struct.pack(">I", len(body)) + body,
                                       {"Content-Type": "application/grpc-web+proto", **fields})
            size = struct.unpack(">I", answer.body[1:5])[0]
            page = Page.FromString(answer.body[5:5 + size])
        else:
            answer = self.gateway.http(*(("POST", path, {"customer": customer}) if dialect == "connect" else
                                         ("GET", f"/{version}/pages/{customer}")), headers=fields)
            assert answer.status == 200, answer.body
            page = self.schema.read(f"panel.{version}.Page", answer.json)
        return page, {name.lower(): value for name, value in answer.headers.items()}


@pytest.fixture(scope="module")
def backend():
    with Backend("v3") as found:
        found.stub().Create(v3.CreateRequest(order=order_v3(id="o-1")))
        yield found


def states(page):
    return {leg.name: leg.state for leg in page.legs}


def reasons(page):
    return {leg.name: leg.reason for leg in page.legs if leg.reason}


def check_header(page, header):
    """It says the same as the report."""
    told = [dict([("name", part.split(";")[0].strip()), *[pair.strip().split("=") for pair in part.split(";")[1:]]])
            for part in header.split(",")]
    assert [(leg["name"], leg["state"], leg.get("reason", ""), leg.get("code", ""), int(leg["ms"]), int(leg.get("age", 0))) for leg in told] == \
        [(leg.name, leg.state, leg.reason, leg.code, leg.milliseconds, leg.age) for leg in page.legs]


ALL = ("orders", "away", "late", "broken", "first", "second")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_page_of_six_legs_is_answered_although_half_of_them_fail(tmp_path, schema_file, backend, dialect):
    with Panel(tmp_path, schema_file, backend.port) as panel:
        page, fields = panel.ask(dialect)
        assert states(page) == {name: "ok" for name in ALL} and "cache-control" not in fields
        assert page.orders[0].customer_id == "ada" and page.away.text == "a of ada" and page.count == 7
        assert page.customer_name == "d of ada" and page.text == "e of d of ada"
        check_header(page, fields["passerelle-legs"])

        panel.become(a="down", b="slow", c="garbage")
        began = time.monotonic()
        page, fields = panel.ask(dialect)
        assert time.monotonic() - began < 1.9  # the slow one would have taken 2 s
        assert states(page) == {"orders": "ok", "away": "degraded", "late": "skipped", "broken": "degraded", "first": "ok",
                                "second": "ok"}
        told = reasons(page)
        assert told["away"] in ("UPSTREAM_DOWN", "UPSTREAM_RESET", "UPSTREAM_REFUSED")
        assert told["late"] in ("DEADLINE_EXCEEDED", "UPSTREAM_STATUS") and told["broken"] == "UPSTREAM_MESSAGE"
        assert page.away.text == "none" and not page.HasField("late") and page.broken.text == "c of ada"
        assert page.text == "e of d of ada" and page.orders[0].customer_id == "ada"
        check_header(page, fields["passerelle-legs"])
        assert fields["cache-control"] == "no-store"

        line = panel.gateway.logged(request_id=fields["x-request-id"], service="panel")
        assert line["code"] == "OK" and line["level"] == "warning" and line["legs"] == fields["passerelle-legs"]
        away = panel.gateway.logged(request_id=fields["x-request-id"], leg="away")
        assert away["degraded_by"] == "default" and away["causes"][0]["fault"] == told["away"]
        assert away["peer"] == line["peer"]
        assert panel.gateway.metric("passerelle_calls_total", degraded="true", by="skip") == 1
        found = rows(panel.gateway, of="call")
        assert {row["route"] for row in found} == {f"panel.Pages/Overview legs.{name}" for name in ("away", "late", "broken")}
        told = command(panel.gateway, "errors").stdout
        assert all(f"by panel.Pages/Overview legs.{name}" in told for name in ("away", "late", "broken")), told

        panel.become(c=grpc.StatusCode.INTERNAL)
        page, fields = panel.ask(dialect)
        assert [(leg.reason, leg.code) for leg in page.legs if leg.name == "broken"] == [("UPSTREAM_STATUS", "INTERNAL")]
        check_header(page, fields["passerelle-legs"])


def test_older_clients_get_the_page_through_the_change_list(tmp_path, schema_file, backend):
    with Panel(tmp_path, schema_file, backend.port) as panel:
        for dialect in DIALECTS:
            page, fields = panel.ask(dialect, "v1")
            assert page.customer == "d of ada" and states(page) == {name: "ok" for name in ALL}
        used = own_user(panel.gateway)("GET", "/usage?service=part_a").json["methods"]
        assert [(row["method"], row["calls"]) for row in used] == [("part.a.Parts/Get", len(DIALECTS))]  # by its legs


def test_each_leg_is_a_span_within_that_of_the_page_and_its_attempt_one_within_the_leg(tmp_path, schema_file, backend):
    with GrpcCollector() as collector, Panel(tmp_path, schema_file, backend.port) as panel:
        panel.gateway.stop()
        panel.gateway.config = CONFIG + f"tracing: {{{collector.setting}, share: 100 %, every: 20ms}}\n"
        panel.gateway.start()
        panel.ask("rest")
        spans = {span.id: span for span in collector.wait(1 + 2 * len(ALL))}
        (page,) = collector.of(SERVER)
        legs = {span.said["passerelle.leg"]: span for span in collector.of(INTERNAL)}
        assert set(legs) == set(ALL) and all(leg.parent == page.id for leg in legs.values())
        attempts = collector.of(CLIENT)
        assert sorted(spans[attempt.parent].said["passerelle.leg"] for attempt in attempts) == sorted(ALL)
        told = panel.parts["a"].fields[0]["traceparent"].split("-")
        assert spans[told[2]].parent == legs["away"].id and {span.trace for span in spans.values()} == {told[1]}


def test_a_leg_sends_only_the_named_credentials(tmp_path, schema_file, backend):
    with Panel(tmp_path, schema_file, backend.port) as panel:
        panel.ask("rest")
        assert panel.parts["a"].asked == ["ada"] and "authorization" not in panel.parts["a"].fields[0]
        assert panel.parts["a"].fields[0]["x-forwarded-for"] == "127.0.0.1"


def refused(panel, dialect):
    """Code, the leg that the error names, and the fields."""
    Page, Request = panel.page()
    if dialect == "grpc":
        with pytest.raises(grpc.RpcError) as caught:
            panel.ask(dialect)
        details = dict(caught.value.trailing_metadata())["grpc-status-details-bin"]
        leg = b"leg" in details and b"first" in details and b"NO_PART" in details
        assert caught.value.details() == "as it was told"
        return caught.value.code().name, "first" if leg else None
    if dialect == "connect":
        answer = panel.gateway.http("POST", "/panel.v2.Pages/Overview", {"customer": "ada"})
        found = answer.json["details"][0]
        assert answer.json["message"] == "as it was told" and b"NO_PART" in base64.b64decode(found["value"] + "==")
        return answer.json["code"].upper(), "first" if b"first" in base64.b64decode(found["value"] + "==") else None
    answer = panel.gateway.http("GET", "/v2/pages/ada")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["detail"] == "as it was told" and answer.json["reason"] == "NO_PART"
    return answer.json["code"], answer.json["leg"]


@pytest.mark.parametrize("dialect", ("grpc", "connect", "rest"))
def test_a_loud_leg_fails_the_page_and_is_named(tmp_path, schema_file, backend, dialect):
    with Panel(tmp_path, schema_file, backend.port) as panel:
        panel.become(b="slow", d=grpc.StatusCode.NOT_FOUND)
        assert refused(panel, dialect) == ("NOT_FOUND", "first")
        assert not panel.parts["e"].asked
        line = panel.gateway.logged(service="panel")
        assert line["failed_leg"] == "first" and line["causes"][0]["fault"] == "UPSTREAM_STATUS"
        assert panel.gateway.logged(leg="late")["code"] == "CANCELLED"
        found = rows(panel.gateway) + rows(panel.gateway, "mistakes")
        assert {row["code"] for row in found} == {"NOT_FOUND"}  # none of the leg that was cancelled


def test_a_client_that_leaves_cancels_its_legs(tmp_path, schema_file, backend):
    with Panel(tmp_path, schema_file, backend.port, late="5s") as panel:
        panel.become(b="slow")
        Page, Request = panel.page()
        with grpc.insecure_channel(panel.gateway.address) as channel:
            method = channel.unary_unary("/panel.v2.Pages/Overview", Request.SerializeToString, Page.FromString)
            asked = method.future(Request(customer="ada"))
            eventually(lambda: panel.parts["b"].asked)
            asked.cancel()
        line = eventually(lambda: panel.gateway.logged(leg="late"))
        assert line["code"] == "CANCELLED"
        panel.become(b="well")
        page, fields = panel.ask("rest")
        assert states(page)["late"] == "ok"


def test_a_reload_while_legs_run_ends_them_with_the_config_that_they_began_with(tmp_path, schema_file, backend):
    with Panel(tmp_path, schema_file, backend.port, late="1s") as panel:
        panel.become(b="slow")
        with futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(panel.ask, "rest")
            eventually(lambda: panel.parts["b"].asked)
            panel.gateway.write(late="2s")
            panel.gateway.reload()
            page, fields = asked.result()
        assert states(page)["late"] == "skipped"


def test_explain_prints_the_plan(tmp_path, schema_file, backend):
    with Panel(tmp_path, schema_file, backend.port) as panel:
        told = subprocess.run([BINARY, "explain", panel.gateway.file, "GET", "/v1/pages/ada"], capture_output=True, text=True)
        assert told.returncode == 0, told.stderr
        assert "by the gateway, out of 6 legs, 6 at a time" in told.stdout
        legs = [line.split()[1] for line in told.stdout.splitlines() if line.startswith("leg ")]
        assert legs == [f"{name}:" for name in ALL]
        assert "second: /part.e.Parts/Get in v1, after first" in told.stdout
        assert "late: /part.b.Parts/Get in v1, timeout 300ms, impact low, graceful: skip" in told.stdout
        found = json.loads(subprocess.run([BINARY, "explain", "--json", panel.gateway.file, "GET", "/v1/pages/ada"],
                                          capture_output=True, text=True).stdout)
        assert [leg["name"] for leg in found["served"][0]["legs"]] == list(ALL)
        assert found["served"][0]["legs"][5]["after"] == ["first"]
        assert not any(leg["required"] for leg in found["served"][0]["legs"])


def test_a_webhook_may_name_the_route_of_a_leg(tmp_path, schema_file, backend):
    hook = "{name: pager, url: 'https://hooks.example/', when: {routes: [panel.Pages/Overview legs.%s]}}"
    for leg, told in (("late", ""), ("lat", "there is no route panel.Pages/Overview legs.lat")):
        panel = Panel(tmp_path, schema_file, backend.port, ledger=f"{{webhooks: [{hook % leg}]}}")
        result = panel.gateway.check()
        assert (result.returncode == 0) == (not told), result.stdout
        assert told in result.stdout
