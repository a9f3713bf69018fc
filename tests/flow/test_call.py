"""passerelle call: one call, shown on both sides of its conversion; straight to an instance, and through a running gateway."""
import json
import os
import pty
import socket
import subprocess

import pytest
from backends import Backend, order_v3, v3
from certificates import certificate
from gateway import BINARY, SHOP_CONFIG, Gateway, instances
from processes import free_port

CONFIG = SHOP_CONFIG.replace("  - address: 127.0.0.1:$port\n", "  - address: 127.0.0.1:$port\n"
                             "  - {address: '127.0.0.1:$secure', tls: {certificate: server.pem, key: server.key}}\n")
# The instance is the gateway itself, over TLS.
SECURE = ("listen: ['127.0.0.1:0']\nservices:\n"
          "  - {{name: orders, versions: [{{name: v1, package: shop.orders.v1, schema: {orders}}}],\n"
          "     instances: [{{address: '127.0.0.1:{port}', tls: {{{tls}}}}}]}}\n")


class World:
    def __init__(self, folder, backend, gateway):
        self.folder, self.backend, self.gateway = folder, backend, gateway
        self.secure = gateway.words["secure"]

    def call(self, *words, config=None, stdin=None, **environment):
        return subprocess.run([BINARY, "call", str(config or self.gateway.file), *map(str, words)], capture_output=True, text=True,
                              timeout=60, input=stdin, env={**os.environ, **environment})

    def told(self, *words, **more):
        """The document of --json, and the exit code."""
        done = self.call(*words, "--json", **more)
        return json.loads(done.stdout), done.returncode

    def kept(self, **changes):
        """The id of an order that the backend has."""
        return self.backend.stub().Create(v3.CreateRequest(order=order_v3(**changes))).id

    def write(self, name, text, **words):
        file = self.folder / name
        file.write_text(text.format(orders=self.gateway.words["orders"], **words))
        return file


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("call")
    certificate(folder)
    with Backend("v3") as backend:
        with Gateway(folder, CONFIG, instances=instances(("v3", backend.port)), secure=free_port()) as gateway:
            yield World(folder, backend, gateway)


ORDER = ["order.customer=ada", "order.total_cents=1999", "order.comment=ring twice", '{"order": {"items": [{"sku": "mug", "quantity": 2}]}}']


def test_the_request_and_the_response_are_shown_on_both_sides(world):
    done = world.call("orders.Orders/Create", *ORDER, "--version", "v1")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"orders.Orders/Create as a client of v1, served as v3 by 127.0.0.1:{world.backend.port}"
    titles = [line for line in lines if line[:1].isdigit()]
    assert titles == ["1  request of the client (v1)", "2  request to the instance (v3)",
                      "3  response of the instance (v3)", "4  response to the client (v1)"]
    for line in ('   -     "customer": "ada",', '   !     "comment": "ring twice"    <- dropped', '   +       "id": "ada"',
                 '   +     "currency": "EUR"    <- defaulted', '   -     "units": "19",', '   +   "totalCents": "1999",', "       \"order\": {"):
        assert line in lines, done.stdout
    assert any(line.startswith("   lost: dropped Order.comment: ") and "orders-v1-v2.yaml:" in line for line in lines)
    assert any(line.startswith('   filled in: defaulted Order.currency: "EUR"') for line in lines)
    assert "OK after " in done.stdout and "\x1b" not in done.stdout


def test_losses_make_a_strict_call_fail(world):
    assert world.call("Orders/Create", *ORDER, "--version", "v1", "--strict").returncode == 1
    assert world.call("Orders/Create", *ORDER[:2], "--version", "v1", "--strict").returncode == 0


def test_json_has_all_of_it(world):
    told, code = world.told("Orders/Create", *ORDER, "--version", "v1")
    assert code == 0
    request, response = told["requests"][0], told["responses"][0]
    assert request["client"]["order"]["comment"] == "ring twice" and "comment" not in request["instance"]["order"]
    assert request["instance"]["order"]["buyer"] == {"id": "ada"}
    assert {(loss["what"], loss["path"], loss["n"]) for loss in request["losses"]} == \
        {("dropped", "Order.comment", 1), ("defaulted", "Order.currency", 1)}
    assert response["instance"]["total"] == {"units": "19", "nanos": 990000000} and response["client"]["totalCents"] == "1999"
    assert (told["code"], told["version"], told["served_version"], told["lost"], told["reached"]) == ("OK", "v1", "v3", True, True)


def test_what_is_not_converted_is_shown_once(world):
    done = world.call("Orders/Get", f"id={world.kept()}", "--version", "v3")
    assert done.returncode == 0
    assert [line for line in done.stdout.splitlines() if line[:1].isdigit()] == \
        ["1, 2  request, not converted (v3)", "3, 4  response, not converted (v3)"]


def test_each_message_of_a_stream_is_shown(world):
    told, code = world.told("Orders/Watch", f"id={world.kept(state=v3.DELIVERED)}", "--version", "v1")
    assert code == 0 and told["responses"][0]["client"]["status"] == "SHIPPED"
    assert {loss["path"] for loss in told["responses"][0]["losses"]} >= {"Order.state"}


def test_messages_of_a_request_come_from_the_standard_input(world):
    keys = [world.kept(), world.kept()]
    told, code = world.told("Orders/Lookup", "-", stdin="".join(json.dumps({"id": key}) for key in keys))
    assert code == 0 and [answer["client"]["id"] for answer in told["responses"]] == keys
    file = world.folder / "orders.json"
    file.write_text("".join(json.dumps({"order": {"buyer": {"id": "ada"}, "currency": "EUR"}}) + "\n" for _ in range(3)))
    told, code = world.told("Orders/Import", f"@{file}")
    assert code == 0 and len(told["responses"][0]["client"]["ids"]) == 3
    told, code = world.told("Orders/Import")
    assert code == 0 and (told["requests"], told["responses"][0]["client"]) == ([], {})


def test_the_error_of_a_service_is_shown_with_its_details(world):
    done = world.call("Orders/Get", "id=none", "--version", "v1")
    assert done.returncode == 1 and done.stderr == ""
    assert "NOT_FOUND after " in done.stdout and ": there is no order none" in done.stdout
    assert "3  details of the error from the instance (v3)" in done.stdout and '"reason": "ORDER_NOT_FOUND"' in done.stdout
    told, code = world.told("Orders/Create", "--version", "v2", "order.id=7")
    assert code == 1 and told["code"] == "INVALID_ARGUMENT" and told["responses"] == []


def test_a_value_without_counterpart_ends_the_call_before_it_is_made(world):
    done = world.call("Orders/SetStatus", "id=7", "status=LOST", "--version", "v1")
    assert done.returncode == 1 and '"status": "LOST"' in done.stdout and "2  request" not in done.stdout
    assert "CANNOT_CONVERT: status: " in done.stderr
    told, code = world.told("Orders/SetStatus", "id=7", "status=LOST", "--version", "v1")
    assert code == 1 and told["causes"][0]["fault"] == "CANNOT_CONVERT" and told["requests"][0]["client"]["status"] == "LOST"


def test_a_response_that_cannot_be_converted_is_the_services_fault_as_the_gateway_says_it(world):
    key = world.kept(state=v3.CANCELLED)
    told, code = world.told("Orders/Get", f"id={key}", "--version", "v1")
    assert code == 1 and told["code"] == "INTERNAL" and told["reached"]
    assert [cause["fault"] for cause in told["causes"]][:2] == ["UPSTREAM_CONVERT", "CANNOT_CONVERT"]
    assert told["causes"][0]["doing"] == "converting Order of v3 to v1"
    assert told["responses"][0]["instance"]["state"] == "CANCELLED" and "client" not in told["responses"][0]


@pytest.mark.parametrize("words, said", [
    (["Orders/Gett"], "did you mean Orders/Get"),
    (["Orders/Get", "idd=7"], 'did you mean "id"?'),
    (["Orders/Get", "idd=7"], "argument idd: "),
    (["Orders/Create", "order=x"], "argument order: its field is a message: give its fields, as order.id=..."),
    (["Orders/Get", "7"], "7 is neither field=value nor JSON"),
    (["Orders/Get", "{}{}"], "takes one message, and 2 are written"),
    (["Orders/Get", "--version", "v9"], "the versions of orders are v1, v2, v3"),
    (["Orders/Get", "--as", "v9"], "there is no version v9; the versions of orders are v1, v2, v3"),
    (["Orders/Get", "--as", "v9", "--to", "127.0.0.1:1"], "there is no version v9; the versions of orders are v1, v2, v3"),
    (["Orders/Import", "--as", "v1"], "/shop.orders.v3.Orders/Import cannot be served as v1"),
    (["Orders/Get", "--as", "v2"], "the config names no instance for it"),
    (["Orders/Get", "--to", "nowhere"], "nowhere is not an address"),
    (["Orders/Purge", "--version", "v1"], "METHOD_REMOVED"),
])
def test_what_cannot_be_called_is_told(world, words, said):
    done = world.call(*words)
    assert done.returncode == 1 and done.stdout == "" and said in done.stderr, done
    told, code = world.told(*words)
    assert code == 1 and told["reached"] is False
    assert said in json.dumps(told["causes"], ensure_ascii=False).replace('\\"', '"')


def test_the_deadline_ends_a_call(world):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = world.call("Orders/Get", "id=7", "--timeout", "300ms", "--instance", f"127.0.0.1:{silent.getsockname()[1]}")
    assert done.returncode == 1 and "DEADLINE_EXCEEDED after " in done.stdout and "no response within 300 ms (the gateway's own)" in done.stdout
    for wrong in "soon", "0s":
        done = world.call("Orders/Watch", "--timeout", wrong)
        assert done.returncode == 2 and f"not {wrong}" in done.stderr


def test_the_next_instance_is_called_if_one_cannot_be_reached(world):
    key, dead = world.kept(), free_port()
    config = world.folder / "two.yaml"
    config.write_text(world.gateway.file.read_text().replace("instances: [", f"instances: [{{address: '127.0.0.1:{dead}', versions: [v3]}}, "))
    done = world.call("Orders/Get", f"id={key}", config=config)
    assert done.returncode == 0 and f"127.0.0.1:{dead} cannot be reached: UPSTREAM_DOWN" in done.stderr
    done = world.call("Orders/Get", f"id={key}", "--instance", f"127.0.0.1:{world.backend.port}", config=config)
    assert (done.returncode, done.stderr) == (0, "")
    done = world.call("Orders/Get", f"id={key}", "--instance", f"127.0.0.1:{dead}", config=config)
    assert done.returncode == 3 and "   because SYSTEM: connecting: connection refused" in done.stdout


def test_an_instance_may_be_one_that_the_config_does_not_have(world):
    told, code = world.told("Orders/Get", f"id={world.kept()}", "--version", "v1", "--instance", f"http://localhost:{world.backend.port}")
    assert code == 0 and told["served_version"] == "v3" and told["responses"][0]["client"]["customer"] == "ada"


def test_through_a_gateway_the_client_s_side_is_shown(world):
    key = world.kept()
    for url, more in (f"http://127.0.0.1:{world.gateway.port}", []), \
            (f"https://localhost:{world.secure}", ["--ca", world.folder / "server.pem"]):
        done = world.call("Orders/Get", f"id={key}", "--version", "v1", "--to", url, *more)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert [line for line in done.stdout.splitlines() if line[:1].isdigit()] == \
            ["1  request of the client (v1)", "2  request to an instance, by this config (v3)", "4  response to the client (v1)"]
        assert '"customer": "ada"' in done.stdout
    told, code = world.told("Orders/Get", f"id={key}", "--version", "v1", "--to", url, *more)
    assert code == 0 and told["gateway"] == url and "instance" not in told["responses"][0]
    line = world.gateway.log()[-1]
    assert (line["client_version"], line["served_version"]) == ("v1", "v3")
    assert world.call("Orders/Get", f"id={key}", "--to", f"http://127.0.0.1:{free_port()}").returncode == 3


def test_a_gateway_whose_certificate_is_not_trusted_is_not_called(world):
    done = world.call("Orders/Get", "id=7", "--to", f"https://localhost:{world.secure}")
    assert done.returncode == 3 and "certificate" in done.stdout


def test_instances_are_reached_by_tls_as_the_config_says(world):
    key = world.kept()
    good = world.write("good.yaml", SECURE, port=world.secure, tls="ca: server.pem, name: localhost")
    told, code = world.told("Orders/Get", f"id={key}", config=good)
    assert code == 0 and told["responses"][0]["client"]["id"] == key
    other = world.write("other.yaml", SECURE, port=world.secure, tls="ca: server.pem, name: elsewhere")
    told, code = world.told("Orders/Get", f"id={key}", config=other)
    assert code == 3 and told["reached"] is False


def on_terminal(world, *words, **environment):
    """What a terminal gets of it: colours of the result, and the progress."""
    leader, follower = pty.openpty()
    running = subprocess.Popen([BINARY, "call", str(world.gateway.file), *words], stdin=follower, stdout=follower, stderr=follower,
                               env={**os.environ, "TERM": "xterm", **environment})
    os.close(follower)
    text = b""
    try:
        while piece := os.read(leader, 65536):
            text += piece
    except OSError:  # the other end is closed
        pass
    os.close(leader)
    assert running.wait(60) == 0
    return text.decode()


def test_colours_and_progress_are_for_terminals_only(world):
    words = ["Orders/Create", *ORDER, "--version", "v1"]
    shown = on_terminal(world, *words)
    assert "\x1b[31m   !     " in shown and "calling 127.0.0.1:" in shown
    plain = on_terminal(world, *words, NO_COLOR="1")
    assert "\x1b[3" not in plain and '   !     "comment": "ring twice"' in plain
    assert "\x1b[3" in on_terminal(world, *words, NO_COLOR="")
    assert "\x1b[3" not in on_terminal(world, *words, TERM="dumb")
