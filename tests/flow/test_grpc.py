"""grpcio clients through the gateway: unary calls and all streams pass through unchanged."""
import queue
import threading
import time

import grpc
import pytest
from backends import order_v3, v1, v3
from processes import eventually


def feed(requests):
    """An iterator over what is put into a queue; None ends it."""
    return iter(requests.get, None)


@pytest.fixture(scope="module")
def stub(shop):
    return shop.client("v3")


@pytest.fixture
def made(stub):
    return stub.Create(v3.CreateRequest(order=order_v3()))


def test_unary(stub, made):
    assert stub.Get(v3.GetRequest(id=made.id)) == made


def test_a_server_stream(stub, made):
    watching = stub.Watch(v3.WatchRequest(id=made.id))
    assert next(watching).state == v3.PLACED
    stub.SetStatus(v3.SetStatusRequest(id=made.id, state=v3.DELIVERED))
    assert [order.state for order in watching] == [v3.DELIVERED]


def test_a_client_stream(stub):
    made = stub.Import(iter(v3.CreateRequest(order=order_v3(gift_note=str(i))) for i in range(100)))
    notes = [stub.Get(v3.GetRequest(id=order_id)).gift_note for order_id in made.ids]
    assert notes == [str(i) for i in range(100)]


def test_a_conversation_takes_turns(stub, made):
    requests = queue.Queue()
    answers = stub.Lookup(feed(requests))
    for _ in range(20):
        requests.put(v3.GetRequest(id=made.id))
        assert next(answers) == made
    requests.put(None)
    assert list(answers) == []


def test_a_conversation_may_end_in_the_middle_with_an_error(stub, made):
    requests = queue.Queue()
    answers = stub.Lookup(feed(requests))
    requests.put(v3.GetRequest(id=made.id))
    assert next(answers) == made
    requests.put(v3.GetRequest(id="nowhere"))
    with pytest.raises(grpc.RpcError) as caught:
        next(answers)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    requests.put(None)


def test_a_message_of_four_mebibytes_both_ways(stub):
    note = "x" * (4 * 1024 * 1024)
    made = stub.Create(v3.CreateRequest(order=order_v3(gift_note=note)))
    assert made.gift_note == note
    assert stub.Get(v3.GetRequest(id=made.id)).gift_note == note


def test_large_messages_on_streams(stub):
    note = "y" * 1_000_000
    made = stub.Import(iter(v3.CreateRequest(order=order_v3(gift_note=note)) for _ in range(8)))
    found = stub.Lookup(iter(v3.GetRequest(id=order_id) for order_id in made.ids))
    assert [len(order.gift_note) for order in found] == [1_000_000] * 8


def test_metadata_with_bin_goes_both_ways(stub):
    sent = [("x-echo-word", "hello"), ("x-echo-raw-bin", b"\x00\x01\xfe\xff"), ("x-echo-twice", "a"),
            ("x-echo-twice", "b"), ("x-trailer-raw-bin", b"\xff\x00")]
    _, call = stub.List.with_call(v3.ListRequest(limit=1), metadata=sent)
    assert [pair for pair in call.initial_metadata() if pair[0].startswith("x-echo-")] == sent[:4]
    assert ("x-trailer-raw-bin", b"\xff\x00") in call.trailing_metadata()


def test_metadata_goes_both_ways_across_versions(shop):
    _, call = shop.client("v1").List.with_call(v1.ListRequest(limit=1), metadata=[
        ("x-echo-raw-bin", b"\x00\xff"), ("x-trailer-word", "bye")])
    assert ("x-echo-raw-bin", b"\x00\xff") in call.initial_metadata()
    assert ("x-trailer-word", "bye") in call.trailing_metadata()


def test_a_deadline_fires_in_time_and_the_backend_is_told(shop, stub):
    before = len(shop.backend().told("cancelled", method="List"))
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        stub.List(v3.ListRequest(), timeout=0.3, metadata=[("shop-delay", "30")])
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - began < 1.5
    eventually(lambda: len(shop.backend().told("cancelled", method="List")) > before)


def test_the_backend_hears_how_much_time_is_left(shop, stub):
    def left(mark):
        """The seconds that the backend was given for the call with this mark."""
        return eventually(lambda: [call["seconds_left"] for call in shop.backend().told("call", method="List")
                                   if call["metadata"].get("x-mark") == mark])[0]
    stub.List(v3.ListRequest(), timeout=4.0, metadata=[("x-mark", "native")])
    assert 2 < left("native") < 4.1  # grpcio rounds up
    shop.client("v1").List(v1.ListRequest(), timeout=3.0, metadata=[("x-mark", "converted")])
    assert 1 < left("converted") < 3.1
    assert shop.http("GET", "/v3/orders", headers={"x-mark": "rest"}).status == 200
    assert 3 < left("rest") < 5.1, "the route's timeout, when the caller says none"


def test_a_rest_caller_hears_when_the_routes_time_is_over(shop):
    began = time.monotonic()
    answer = shop.http("GET", "/v1/orders", headers={"shop-delay": "30"})
    assert answer.status == 504 and answer.json["code"] == "DEADLINE_EXCEEDED"
    assert 4.5 < time.monotonic() - began < 8


def test_a_cancel_reaches_the_backend_within_100_ms(shop, stub):
    def cancelled():
        return shop.backend().told("cancelled", method="List")
    delays = []
    for _ in range(5):
        asked, seen = len(shop.backend().told("call", method="List")), len(cancelled())
        call = stub.List.future(v3.ListRequest(), metadata=[("shop-delay", "30")])
        eventually(lambda: len(shop.backend().told("call", method="List")) > asked)
        time.sleep(0.05)
        before = time.time()
        call.cancel()
        eventually(lambda: len(cancelled()) > seen)
        delays.append(cancelled()[-1]["at"] - before)
    assert sorted(delays)[2] < 0.1, delays


def test_a_cancel_of_a_stream_reaches_the_backend(shop, stub, made):
    before = len(shop.backend().told("cancelled", method="Watch"))
    watching = stub.Watch(v3.WatchRequest(id=made.id))
    next(watching)
    watching.cancel()
    eventually(lambda: len(shop.backend().told("cancelled", method="Watch")) > before)


def test_a_rest_caller_who_leaves_cancels_the_call(shop):
    before = len(shop.backend().told("cancelled", method="List"))
    with pytest.raises(TimeoutError):
        shop.http("GET", "/v1/orders", headers={"shop-delay": "30"}, timeout=0.3)
    eventually(lambda: len(shop.backend().told("cancelled", method="List")) > before)


def test_many_calls_at_once_each_get_their_own_answer(stub):
    ids = list(stub.Import(iter(v3.CreateRequest(order=order_v3()) for _ in range(50))).ids)
    wrong = []

    def ask(order_id):
        for _ in range(20):
            if stub.Get(v3.GetRequest(id=order_id)).id != order_id:
                wrong.append(order_id)

    threads = [threading.Thread(target=ask, args=(order_id,)) for order_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_unknown_method_and_service_are_unimplemented(shop):
    with grpc.insecure_channel(shop.gateway.address) as channel:
        for path in ("/shop.orders.v3.Orders/Nothing", "/shop.orders.v9.Orders/Get", "/x/y"):
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary(path)(b"")
            assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_method_without_counterpart_is_unimplemented_with_the_reason(shop):
    with pytest.raises(grpc.RpcError) as caught:
        shop.client("v1").Purge(v1.PurgeRequest(customer="ada"))
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "Purge" in caught.value.details()


def test_compressed_requests_are_understood(shop):
    stub = shop.client("v1")
    made = stub.Create(v1.CreateRequest(order=v1.Order(customer="ada" * 1000)), compression=grpc.Compression.Gzip)
    assert made.customer == "ada" * 1000
