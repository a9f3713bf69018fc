"""The end of a gateway: nothing that came is lost, and what cannot finish is told so."""
import json
import signal
import socket
import threading
import time

import grpc
import pytest
from backends import Backend, client, order_v3, v1, v3
from gateway import SHOP_CONFIG, Gateway, instances
from grpc_services import Health
from http1_backend import Http1Backend
from processes import eventually
from raw import Raw

PLAIN = """
listen: [127.0.0.1:$port]
admin: 127.0.0.1:$admin
log: "-"
drain: $drain
routes: [{match: /, instances: ['127.0.0.1:$backend']}]
"""
GET = "GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"


def ended(gateway):
    """The event at the end, once the process is gone."""
    assert gateway.process.wait() == 0
    return gateway.events("stopped")[-1]


def test_a_response_that_promised_another_is_followed_by_one(tmp_path):
    """Its head went out before the signal: the client may send its next request as soon as it has the rest."""
    going = threading.Event()

    def slow(peer, told, body):
        peer.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        if told.target == "/slow":
            going.wait(20)
            time.sleep(0.3)
        peer.say("cd")
    with Http1Backend(slow) as backend:
        gateway = Gateway(tmp_path, PLAIN, backend=backend.port, drain="5s").start()
        with Raw(gateway.port) as connection:
            connection.send(GET % "slow")
            eventually(lambda: backend.told)
            while not connection.ahead.endswith(b"ab"):
                connection._more()
            gateway.process.child.terminate()
            going.set()
            assert connection.read_answer()[2] == b"abcd"
            status, head, body = connection.send(GET % "next").read_answer()
            assert (status, body) == (200, b"abcd") and "connection: close" in head
            assert connection.read_all() == b""
        assert ended(gateway)["message"] == "all calls have ended"


def test_no_request_on_a_reused_connection_is_lost(tmp_path):
    """Each client sends its next request until it is told not to, 20 ms after its last answer."""
    lost, closed = [], []

    def ask(port):
        with Raw(port) as connection:
            while True:
                try:
                    _, head, body = connection.send(GET % "x").read_answer()
                except (OSError, EOFError) as error:
                    lost.append(error)
                    return
                if "connection: close" in head:
                    closed.append(body)
                    return
                time.sleep(0.02)

    with Http1Backend(lambda peer, told, body: peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as backend:
        gateway = Gateway(tmp_path, PLAIN, backend=backend.port, drain="5s").start()
        clients = [threading.Thread(target=ask, args=(gateway.port,)) for _ in range(20)]
        for each in clients:
            each.start()
        eventually(lambda: len(backend.told) > 200)
        gateway.process.child.terminate()
        for each in clients:
            each.join(20)
        assert not lost and closed == [b"ok"] * 20
        assert ended(gateway)["level"] == "info"


def test_within_the_delay_only_readiness_fails(tmp_path):
    with Backend("v3") as backend:
        config = SHOP_CONFIG + "drain: {delay: 3s, time: 1s}\n"
        gateway = Gateway(tmp_path, config, instances=instances(("v3", backend.port))).start()
        health = Health(gateway)
        assert health.check() == "SERVING"
        began = time.monotonic()
        gateway.process.child.terminate()
        eventually(lambda: gateway.admin("/readyz").status == 503)
        eventually(lambda: health.check() == "NOT_SERVING")
        while time.monotonic() - began < 2:
            answer = gateway.http("GET", "/v1/orders")  # each on a new connection
            assert answer.status == 200 and answer.headers["connection"] is None
            time.sleep(0.1)
        for channel in gateway.clients:
            channel.close()
        assert gateway.admin("/healthz").status == 200
        ended(gateway)
        assert time.monotonic() - began > 3
        assert [line["event"] for line in gateway.log() if line["log"] == "event"][-3:] == ["leaving", "stopping", "stopped"]


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGTERM, signal.SIGINT], [signal.SIGTERM, signal.SIGTERM]],
                         ids=["SIGINT", "SIGINT-in-the-delay", "SIGTERM-twice"])
def test_a_delay_can_be_skipped(tmp_path, signals):
    gateway = Gateway(tmp_path, PLAIN, backend=9, drain="{delay: 60s}").start()
    for number in signals:
        gateway.process.child.send_signal(number)
        eventually(lambda: any(line["event"] in ("leaving", "stopping", "stopping_now", "stopped")
                               for line in gateway.log()[-1:]))
    began = time.monotonic()
    ended(gateway)
    assert time.monotonic() - began < 10


# ---- When the time is over -----------------------------------------------------------------------

HELD = SHOP_CONFIG + "drain: 1s\n"


def test_calls_that_are_cut_off_end_in_their_dialect_and_are_counted(tmp_path):
    with Backend("v3") as backend:
        gateway = Gateway(tmp_path, HELD, instances=instances(("v3", backend.port))).start()
        made = client(gateway, "v3").Create(v3.CreateRequest(order=order_v3()))
        stub, slow = client(gateway, "v3"), [("shop-delay", "15")]
        unary = stub.List.future(v3.ListRequest(), metadata=slow)
        watching = stub.Watch(v3.WatchRequest(id=made.id))
        assert next(watching).id == made.id
        web, connect, rest, events = (Raw(gateway.port) for _ in range(4))
        ask = f'{{"id":"{made.id}"}}'.encode()
        web.send(post("/shop.orders.v3.Orders/Watch", "application/grpc-web+json", frame(ask)))
        connect.send(post("/shop.orders.v3.Orders/Watch", "application/connect+json", frame(ask)))
        rest.send("GET /v3/orders HTTP/1.1\r\nHost: x\r\nshop-delay: 15\r\n\r\n")
        events.send(f"GET /v3/orders/{made.id}/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
        eventually(lambda: len(backend.told("call")) == 7)

        gateway.process.child.terminate()
        with pytest.raises(grpc.RpcError) as caught:
            unary.result(15)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE and "shutting down" in caught.value.details()
        with pytest.raises(grpc.RpcError) as caught:
            next(watching)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        assert b"grpc-status: 14\r\n" in web.read_all()
        assert b'"code":"unavailable"' in connect.read_all()
        assert rest.read_all().startswith(b"HTTP/1.1 503 ")
        told = events.read_all()
        assert b"event: error" in told and told.endswith(b"0\r\n\r\n")
        for connection in web, connect, rest, events:
            connection.socket.close()
        event = ended(gateway)
        assert (event["level"], event["message"]) == ("warning", "6 calls were cut off")
        calls = [line for line in gateway.log() if line["log"] == "call" and line["code"] == "UNAVAILABLE"]
        assert [line["causes"][0]["fault"] for line in calls] == ["SHUTTING_DOWN"] * 6


def post(path, media, body):
    return (f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {media}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def frame(message):
    return b"\0" + len(message).to_bytes(4, "big") + message


def test_who_does_not_read_does_not_hold_up_the_end(tmp_path):
    """A client that takes nothing of a large response, and never closes."""
    def serve(peer, told, body):
        peer.say("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        try:
            while True:
                peer.say(b"x" * 65536)
        except OSError:
            pass
    with Http1Backend(serve) as backend:
        gateway = Gateway(tmp_path, PLAIN, backend=backend.port, drain="200ms").start()
        with Raw(gateway.port) as connection:
            connection.send(GET % "large")
            eventually(lambda: backend.told)
            time.sleep(0.3)
            began = time.monotonic()
            gateway.process.child.terminate()
            assert ended(gateway)["message"] == "1 call was cut off"
            assert time.monotonic() - began < 5


# ---- While there is no memory --------------------------------------------------------------------

MIB = 1 << 20
FULL = SHOP_CONFIG.replace("timeout: 5s", "timeout: 60s") + """drain: 1s
limits: {memory: 64MiB, call_memory: 64MiB, message_bytes: 15MiB, answer_bytes: 15MiB}
"""


def stalled(gateway, path, number):
    """A client of its own address, which asks and reads nothing."""
    taker = socket.socket()
    taker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    taker.bind((f"127.0.1.{number}", 0))
    taker.connect(("127.0.0.1", gateway.port))
    taker.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return taker


def test_calls_that_wait_for_memory_end_in_their_dialect(tmp_path):
    """The responses of clients that read nothing hold all memory; those of others wait for the rest of theirs."""
    with Backend("v3") as backend:
        gateway = Gateway(tmp_path, FULL, instances=instances(("v3", backend.port))).start()
        order = {"buyer": {"id": "k" * 8 * MIB}, "currency": "EUR", "total": {"units": "1"}, "lines": [{"sku": "a", "quantity": 1}],
                 "delivery": {"address": {"street": "1 Kirkgate", "city": "Leeds", "postalCode": "LS1"}}}
        made = gateway.http("POST", "/v3/orders", json.dumps(order), {"Content-Type": "application/json"}, timeout=30)
        assert made.status == 200, made.body[:300]
        path, ask = f"/v3/orders/{made.json['id']}", json.dumps({"id": made.json["id"]}).encode()
        before = len(backend.told("call"))
        stub = client(gateway, "v1", options=[("grpc.max_receive_message_length", 1 << 30)])
        unary = stub.Get.future(v1.GetRequest(id=made.json["id"]), metadata=[("shop-delay", "3")])
        web, connect, rest = (Raw(gateway.port) for _ in range(3))
        late = b"shop-delay: 3\r\nContent-Type"
        web.send(post("/shop.orders.v3.Orders/Get", "application/grpc-web+json", frame(ask)).replace(b"Content-Type", late))
        connect.send(post("/shop.orders.v3.Orders/Get", "application/json", ask).replace(b"Content-Type", late))
        rest.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nshop-delay: 3\r\n\r\n")
        eventually(lambda: len(backend.told("call")) == before + 4)
        takers = [stalled(gateway, path, number) for number in range(1, 41)]
        eventually(lambda: gateway.metric("passerelle_memory_bytes", kind="calls") +
                   gateway.metric("passerelle_memory_bytes", kind="buffers") > 60 * MIB)
        time.sleep(3.5)  # the delayed responses have come, as far as there is memory for them
        assert not unary.done()

        began = time.monotonic()
        gateway.process.child.terminate()
        with pytest.raises(grpc.RpcError) as caught:
            unary.result(15)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE and "shutting down" in caught.value.details()
        assert b"grpc-status: 14\r\n" in web.read_all()
        assert b'"code":"unavailable"' in connect.read_all()
        assert rest.read_all().startswith(b"HTTP/1.1 503 ")
        event = ended(gateway)
        assert time.monotonic() - began < 1 + 2 + 1
        assert event["level"] == "warning" and event["message"].endswith("calls were cut off")
        for taker in takers:
            taker.close()
        for connection in web, connect, rest:
            connection.socket.close()
