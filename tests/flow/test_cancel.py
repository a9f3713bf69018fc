"""A thousand streams that end at once end on the other side, too: each of them."""
import pytest
from gateway import Gateway, instances
from many_streams import ManyStreams
from processes import eventually

N = 1000


@pytest.fixture
def streams(tmp_path):
    many = ManyStreams(N)
    with Gateway(tmp_path, instances=instances(("v3", many.port))) as gateway:
        many.open(gateway.port)
        eventually(lambda: many.service.begun == N)
        yield many
        eventually(lambda: gateway.metric("passerelle_calls_total", method="shop.orders.v3.Orders/Watch") == N)
        many.stop()


def test_the_service_hears_of_every_cancelled_call(streams):
    streams.cancel_all()
    eventually(lambda: len(streams.service.ended) == N)


def test_the_service_hears_of_every_call_whose_client_is_gone(streams):
    streams.lose_clients()
    eventually(lambda: len(streams.service.ended) == N)


def test_every_client_hears_that_the_service_is_gone(streams):
    streams.lose_service()
    eventually(lambda: len(streams.clients.ended) == N)
