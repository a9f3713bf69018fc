"""The shop's backends without a gateway: what the other tests build on."""
import time

import grpc
import pytest
from backends import Backend, order_v3, v1, v3
from google.rpc import status_pb2
from processes import eventually


@pytest.fixture(scope="module")
def backend():
    with Backend("v3") as running:
        yield running


def test_an_order_is_created_and_read_again(backend):
    stub = backend.stub()
    created = stub.Create(v3.CreateRequest(order=order_v3()))
    assert created.state == v3.PLACED
    assert stub.Get(v3.GetRequest(id=created.id)) == created


def test_the_first_version_knows_how_to_purge():
    with Backend("v1") as old:
        stub = old.stub()
        stub.Create(v1.CreateRequest(order=v1.Order(customer="ada", total_cents=100)))
        assert stub.Purge(v1.PurgeRequest(customer="ada")).purged == 1


def test_an_error_carries_details(backend):
    with pytest.raises(grpc.RpcError) as caught:
        backend.stub().Get(v3.GetRequest(id="nowhere"))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    trailers = dict(caught.value.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info = status_pb2.ErrorInfo()
    assert status.details[0].Unpack(info) and info.metadata["id"] == "nowhere"


def test_a_watcher_sees_each_change_until_the_last(backend):
    stub = backend.stub()
    created = stub.Create(v3.CreateRequest(order=order_v3()))
    watching = stub.Watch(v3.WatchRequest(id=created.id))
    states = [next(watching).state]
    for state in (v3.PAID, v3.DELIVERED):
        stub.SetStatus(v3.SetStatusRequest(id=created.id, state=state))
        states.append(next(watching).state)
    assert states == [v3.PLACED, v3.PAID, v3.DELIVERED]
    assert list(watching) == []


def test_a_cancel_is_noticed_and_told(backend):
    call = backend.stub().Get.future(v3.GetRequest(id="x"), metadata=[("shop-delay", "30")])
    eventually(lambda: backend.told("call", method="Get"))
    time.sleep(0.1)
    before = time.time()
    call.cancel()
    told = eventually(lambda: backend.told("cancelled", method="Get"))[-1]
    assert told["at"] - before < 1


def test_metadata_comes_back_as_asked(backend):
    _, call = backend.stub().List.with_call(v3.ListRequest(), metadata=[
        ("x-echo-word", "hello"), ("x-echo-raw-bin", b"\x00\xff"), ("x-trailer-raw-bin", b"\x01")])
    assert ("x-echo-word", "hello") in call.initial_metadata()
    assert ("x-echo-raw-bin", b"\x00\xff") in call.initial_metadata()
    assert ("x-trailer-raw-bin", b"\x01") in call.trailing_metadata()


def test_all_kinds_of_stream_are_served(backend):
    stub = backend.stub()
    made = stub.Import(iter(v3.CreateRequest(order=order_v3()) for _ in range(3)))
    assert len(made.ids) == 3
    found = list(stub.Lookup(iter(v3.GetRequest(id=i) for i in made.ids)))
    assert [order.id for order in found] == list(made.ids)
