"""gRPC health: what the gateway says of itself and of the services behind it."""
import struct

import grpc
import pytest
from backends import Backend
from gateway import SHOP_CONFIG, Gateway, instances
from grpc_services import Health, health
from processes import eventually
from raw import Raw


def test_the_gateway_serves_and_so_does_each_version_that_somebody_answers(shop):
    client = Health(shop.gateway)
    for service in ("", "shop.orders.v1.Orders", "shop.orders.v2.Orders", "shop.orders.v3.Orders"):
        assert client.check(service) == "SERVING"


def test_a_service_that_nobody_knows_is_not_found_by_check_and_unknown_to_watch(shop):
    client = Health(shop.gateway)
    with pytest.raises(grpc.RpcError) as caught:
        client.check("shop.orders.v9.Orders")
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    watching = client.watch("shop.orders.v9.Orders")
    assert next(watching) == "SERVICE_UNKNOWN"
    assert watching.call.is_active()
    watching.call.cancel()


def test_without_its_instance_a_service_does_not_serve_but_the_gateway_does(run_shop):
    shop = run_shop("v3")
    client = Health(shop.gateway)
    watching = client.watch("shop.orders.v1.Orders")
    assert next(watching) == "SERVING"
    shop.backend().kill()
    assert shop.http("GET", "/v1/orders").status == 503
    assert next(watching) == "NOT_SERVING"
    assert client.check("shop.orders.v1.Orders") == "NOT_SERVING"
    assert client.check() == "SERVING"
    shop.backend().start()
    assert next(watching) == "SERVING"
    watching.call.cancel()


def test_a_watch_hears_of_a_service_that_a_reload_brings(tmp_path):
    one = SHOP_CONFIG.replace("      - {name: v2, package: shop.orders.v2, schema: $orders}\n", "").replace(
        "    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]\n", "").replace(
        "      - {name: v1, package: shop.orders.v1, schema: $orders}\n", "").split("routes:")[0]
    with Backend("v3") as backend:
        with Gateway(tmp_path, one, instances=instances(("v3", backend.port))) as gateway:
            watching = Health(gateway).watch("shop.orders.v1.Orders")
            assert next(watching) == "SERVICE_UNKNOWN"
            gateway.write(SHOP_CONFIG)
            gateway.reload()
            assert next(watching) == "SERVING"
            watching.call.cancel()


def test_going_down_is_told_to_those_who_watch_and_nobody_waits_for_them(run_shop):
    shop = run_shop("v3")
    client = Health(shop.gateway)
    watching = [client.watch(service) for service in ("", "shop.orders.v2.Orders", "unknown")]
    assert [next(each) for each in watching] == ["SERVING", "SERVING", "SERVICE_UNKNOWN"]
    shop.gateway.process.child.terminate()
    assert [list(each) for each in watching] == [["NOT_SERVING"], ["NOT_SERVING"], ["SERVICE_UNKNOWN"]]
    assert all(each.call.code() == grpc.StatusCode.OK for each in watching)
    assert shop.gateway.process.terminate() == 0


def frames(connection):
    """(type, flags, stream, payload) of each HTTP/2 frame that comes, until the other side closes."""
    data = b""
    while piece := connection.socket.recv(65536):
        data += piece
        while len(data) >= 9 and len(data) >= 9 + (size := int.from_bytes(data[:3], "big")):
            kind, flags, stream = struct.unpack(">BBI", data[3:9])
            yield kind, flags, stream, data[9:9 + size]
            data = data[9 + size:]


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def field(name, value):
    """HPACK: a literal without indexing."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


DATA, HEADERS, SETTINGS, GOAWAY = 0, 1, 4, 7


def test_not_serving_is_said_before_goaway(run_shop):
    shop = run_shop("v3")
    head = b"".join(field(*pair) for pair in (
        (":method", "POST"), (":scheme", "http"), (":authority", "here"), (":path", "/grpc.health.v1.Health/Watch"),
        ("content-type", "application/grpc"), ("te", "trailers")))
    with Raw(shop.gateway.port) as connection:
        connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0) + frame(HEADERS, 4, 1, head) +
                        frame(DATA, 1, 1, b"\0\0\0\0\0"))
        said = []
        for kind, _, stream, payload in frames(connection):
            if kind == DATA and payload:
                said.append(health.HealthCheckResponse.FromString(payload[5:]).status)
                if len(said) == 1:
                    shop.gateway.process.child.terminate()
            if kind == GOAWAY:
                said.append("GOAWAY")
        assert said[:3] == [1, 2, "GOAWAY"]


@pytest.mark.parametrize("messages, call", [(0, "Check"), (2, "Check"), (0, "Watch"), (2, "Watch")])
def test_one_message_is_asked_for(shop, messages, call):
    with grpc.insecure_channel(shop.gateway.address) as channel:
        answers = channel.stream_stream(f"/grpc.health.v1.Health/{call}")(iter([b""] * messages), timeout=20)
        with pytest.raises(grpc.RpcError) as caught:
            list(answers)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_connect_clients_may_check_too(shop):
    answer = shop.http("POST", "/grpc.health.v1.Health/Check", b"", {"Content-Type": "application/proto"})
    assert answer.status == 200
    assert health.HealthCheckResponse.FromString(answer.body).status == health.HealthCheckResponse.SERVING
    answer = shop.http("POST", "/grpc.health.v1.Health/Watch", b"", {"Content-Type": "application/proto"})
    assert answer.status == 415


def test_a_message_that_is_none_is_refused(shop):
    answer = shop.http("POST", "/grpc.health.v1.Health/Check", b"\x0a\x7fcut", {"Content-Type": "application/proto"})
    assert answer.status == 400 and eventually(lambda: shop.gateway.logged(path="/grpc.health.v1.Health/Check"))
