"""The shop's backends as tests use them."""
import json
import os
import sys

from processes import ROOT, Process, free_port

STUBS = os.environ.setdefault("SHOP_STUBS", str(ROOT / "build/examples/shop/stubs"))
sys.path.insert(0, STUBS)

import google  # noqa: E402

google.__path__.append(os.path.join(STUBS, "google"))

import grpc  # noqa: E402
from shop.orders.v1 import orders_pb2 as v1, orders_pb2_grpc as v1_grpc  # noqa: E402
from shop.orders.v2 import orders_pb2 as v2, orders_pb2_grpc as v2_grpc  # noqa: E402
from shop.orders.v3 import orders_pb2 as v3, orders_pb2_grpc as v3_grpc  # noqa: E402

STUB = {"v1": v1_grpc.OrdersStub, "v2": v2_grpc.OrdersStub, "v3": v3_grpc.OrdersStub}
CHANNEL = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
           ("grpc.use_local_subchannel_pool", 1)]


class Backend:
    """One of the three; may be killed and started again on the same port, with an empty store."""

    def __init__(self, version, port=None, arguments=(), host="127.0.0.1"):
        self.version, self.port = version, port or free_port()
        self.address = f"{host}:{self.port}"
        self.arguments = arguments
        self.process = None

    def start(self):
        self.process = Process(["/usr/bin/python3", str(ROOT / f"examples/shop/backend_{self.version}.py"),
                                "--listen", self.address, *self.arguments])
        self.process.wait_until(lambda: self.told("ready"))
        return self

    def kill(self):
        self.process.kill()

    def stop(self):
        """The one that runs now: it may have been started again."""
        self.process.terminate()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def told(self, event, **wanted):
        """What it said happened, of one kind."""
        lines = [json.loads(line) for line in self.process.lines]
        return [line for line in lines
                if line["event"] == event and all(line.get(k) == v for k, v in wanted.items())]

    def stub(self):
        """Straight to the backend, past the gateway."""
        return STUB[self.version](grpc.insecure_channel(self.address, CHANNEL))


def client(gateway, version, credentials=None, address=None, options=()):
    """A grpcio client of one version, through the gateway."""
    address = address or gateway.address
    options = CHANNEL + list(options)
    channel = grpc.secure_channel(address, credentials, options) if credentials else \
        grpc.insecure_channel(address, options)
    gateway.clients.append(channel)
    return STUB[version](channel)


def order_v3(**changes):
    """A good order in v3's shape."""
    order = v3.Order(buyer=v3.Buyer(id="ada"), currency="EUR", total=v3.Money(units=19, nanos=990_000_000),
                     lines=[v3.Line(sku="teapot", quantity=1)],
                     delivery=v3.Delivery(address=v3.Address(street="1 Kirkgate", city="Leeds",
                                                             postal_code="LS1")))
    order.MergeFrom(v3.Order(**changes))
    return order
