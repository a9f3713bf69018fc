"""The series of an instance end when it has left, and those of others go on."""
import contextlib

from backends import Backend
from gateway import SHOP_CONFIG, Gateway, instances
from processes import eventually


def lines_of(gateway, port):
    """What /metrics says of the instance."""
    return [line for line in gateway.admin("/metrics").body.decode().splitlines() if f'"127.0.0.1:{port}"' in line]


def calls_of(gateway, port):
    return gateway.metric("passerelle_upstream_calls_total", instance=f"127.0.0.1:{port}")


def test_series_of_instances_that_have_left_end(tmp_path):
    with contextlib.ExitStack() as running:
        first, second = (running.enter_context(Backend("v3")).port for _ in range(2))
        both = instances(("v3", first), ("v3", second))
        gateway = running.enter_context(Gateway(tmp_path, SHOP_CONFIG, instances=both))

        def call():
            assert gateway.http("POST", "/shop.orders.v3.Orders/ListRecommendations", b"{}", {"Content-Type": "application/json"}).status == 200
            return calls_of(gateway, first) > 0 and calls_of(gateway, second) > 0
        assert eventually(call)
        went_on = calls_of(gateway, second)

        gateway.write(instances=instances(("v3", second)))
        gateway.reload()
        assert eventually(lambda: not lines_of(gateway, first))
        assert calls_of(gateway, second) >= went_on

        gateway.write(instances=both)
        gateway.reload()
        assert eventually(lambda: lines_of(gateway, first))
        assert calls_of(gateway, first) == 0  # it is another one now
