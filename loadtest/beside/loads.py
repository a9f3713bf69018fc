"""What is asked of contenders: kinds of calls, and what their responses have to be."""
import json

import contenders
from frames import grpc_message

ORDERS, MESSAGES = 1000, 10000
JSON = "content-type: application/json"
GRPC = ("content-type: application/grpc", "te: trailers")


class Load:
    """
    `units`: what is counted of each call, itself or its messages. `numbered`: calls are made in turn of so many paths, in place of 0000.
    `is_right(answer)` judges the first response; others must equal it.
    """

    def __init__(self, path, is_right, method="GET", fields=(), body=None, h1=True, grpc=False, web=False, connections=64, streams=1, fresh=False, window=None,
                 tls=False, units=1, numbered=1):
        self.path, self.is_right, self.method, self.fields, self.body = path, is_right, method, fields, body
        self.h1, self.grpc, self.web, self.connections, self.streams, self.fresh = h1, grpc, web, connections, streams, fresh
        self.window, self.tls, self.units, self.numbered = window, tls, units, numbered

    def but(self, **other):
        """The same with some things different."""
        return Load(**{**vars(self), **other})

    def words(self, setup):
        """Of the caller's command line."""
        words = ["h1" if self.h1 else "h2", "--connections", self.connections, "--streams", self.streams, "--method", self.method,
                 "--path", self.path]
        for field in self.fields:
            words += ["--field", field]
        words += ["--body", self.body] if self.body else []
        words += ["--numbered", self.numbered] if self.numbered > 1 else []
        words += ["--window", self.window] if self.window else []
        words += ["--tls", setup.certificate] if self.tls else []
        return words + ["--grpc"] * self.grpc + ["--web"] * self.web + ["--fresh"] * self.fresh


class Shop:
    """Files of what the service behind answers and of what clients send, and the loads that are made of them."""

    def __init__(self, setup):
        self.folder = setup.folder
        stubs = setup.build / "examples/shop/stubs"
        self.v1, self.v3 = contenders.import_orders(stubs, "v1"), contenders.import_orders(stubs, "v3")
        self.order = contenders.order_v3(stubs)
        self.small = self.v3.Order(id="42", buyer={"id": "ann"}, currency="EUR").SerializeToString()
        self.orders = self.v3.ListResponse(orders=[self.v3.Order.FromString(self.order)] * ORDERS).SerializeToString()
        self.mixed = [self.v3.Order(id="42", buyer={"id": "ann"}, currency="x" * size).SerializeToString()
                      for size in (3, 3, 3, 3, 3, 200, 3, 3, 1500, 3, 3, 3, 9000, 3, 3, 40, 40, 3, 17000, 3)] * (MESSAGES // 20)
        self.large = b"".join(b"%015d\n" % line for line in range(4096))
        self.get = self.file("get.grpc", grpc_message(self.v3.GetRequest(id="42").SerializeToString()))
        self.create = {
            "v1": self.file("create-v1.json", b'{"customer":"ann","street":"1 Main Street","city":"Springfield","zip":"12345",'
                            b'"items":[{"sku":"classic-mug","quantity":2},{"sku":"tea","quantity":1}],'
                            b'"totalCents":"1250","status":"PENDING"}'),
            "v3": self.file("create-v3.json", b'{"buyer":{"id":"ann"},"currency":"EUR","state":"PLACED","total":{"units":"12","nanos":500000000},'
                            b'"delivery":{"address":{"street":"1 Main Street","city":"Springfield","postalCode":"12345"}},'
                            b'"lines":[{"sku":"classic-mug","quantity":2},{"sku":"tea","quantity":1}]}')}

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def replies(self):
        """Of the service: what its command line says of them."""
        def many(messages):
            return b"".join(grpc_message(message) for message in messages)
        files = {"List": grpc_message(self.orders), "Watch": many([self.small] * MESSAGES), "large": self.large, "mixed": many(self.mixed)}
        words = [f"{name}={self.file(name + '.reply', content)}" for name, content in files.items()]
        words.append(f"drips:{self.folder / 'Watch.reply'}")
        return words + ["SetStatus", "echo"]

    # ---- Passed on -----------------------------------------------------------------------------

    def http1(self, **more):
        return Load("/raw/orders/42", lambda answer: answer.body == contenders.CERTAIN_JSON, **more)

    def http1_large(self, **more):
        return Load("/raw/large", lambda answer: answer.body == self.large, **more)

    def unary(self, version="v3", **more):
        def is_right(answer):
            message = answer.body[5:]
            return message == self.order if version == "v3" else self.is_v1(self.v1.Order.FromString(message))
        return self.grpc("Get", version, is_right, **{"connections": 1, "streams": 100, **more})

    def grpc(self, method, version, is_right, body=None, **more):
        return Load(f"/shop.orders.{version}.Orders/{method}", is_right, "POST",
                    **{"fields": GRPC, "body": body or self.get, "h1": False, "grpc": True, **more})

    def stream(self, version="v3", right=None, reply=None, **more):
        def is_right(answer):
            messages = list(split(answer.body))
            if version == "v3":
                return messages == (right or [self.small] * MESSAGES)
            return len(messages) == MESSAGES and all(self.v1.Order.FromString(message).customer == "ann" for message in messages)
        fields = (*GRPC, f"x-reply: {reply}") if reply else GRPC
        return self.grpc("Watch", version, is_right, **{"fields": fields, "connections": 2, "streams": 1, "units": MESSAGES, **more})

    # ---- Converted -----------------------------------------------------------------------------

    @staticmethod
    def is_v1(order):
        return order.customer == "ann" and order.total_cents == 1250 and len(order.items) == 2

    @staticmethod
    def is_json(version, order):
        if version == "v1":
            return order["customer"] == "ann" and order["totalCents"] == "1250" and len(order["items"]) == 2
        return order["buyer"] == {"id": "ann"} and order["total"]["units"] == "12" and len(order["lines"]) == 2

    def rest(self, version):
        return Load(f"/{version}/orders/42", lambda answer: self.is_json(version, json.loads(answer.body)))

    def rest_post(self, version):
        return Load(f"/{version}/orders", lambda answer: self.is_json(version, json.loads(answer.body)), "POST", (JSON,), self.create[version])

    def rest_unread(self):
        """A POST that is passed on by who does not read it."""
        return self.rest_post("v1").but(is_right=lambda answer: answer.body == contenders.CERTAIN_JSON)

    def rest_list(self, version):
        def is_right(answer):
            orders = json.loads(answer.body)["orders"]
            return len(orders) == ORDERS and self.is_json(version, orders[-1])
        return Load(f"/{version}/orders?limit=1000", is_right, connections=8)

    def connect(self, version="v3"):
        def is_right(answer):
            return answer.body == self.order if version == "v3" else self.is_v1(self.v1.Order.FromString(answer.body))
        return Load(f"/shop.orders.{version}.Orders/Get", is_right, "POST", ("content-type: application/proto", "connect-protocol-version: 1"),
                    self.file("get.binpb", self.v3.GetRequest(id="42").SerializeToString()))

    def grpc_web(self, version="v3"):
        def is_right(answer):
            message, *_ = split(answer.body)
            return message == self.order if version == "v3" else self.is_v1(self.v1.Order.FromString(message))
        return Load(f"/shop.orders.{version}.Orders/Get", is_right, "POST", ("content-type: application/grpc-web+proto", "x-grpc-web: 1"), self.get,
                    web=True)


def split(body):
    """The gRPC messages of a body."""
    at = 0
    while at < len(body):
        end = at + 5 + int.from_bytes(body[at + 1:at + 5], "big")
        yield body[at + 5:end]
        at = end
