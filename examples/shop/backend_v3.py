#!/usr/bin/python3
"""The shop's orders, third version: strict about what must be there, and with every kind of stream."""
import backend
from shop.orders.v3 import orders_pb2 as v3, orders_pb2_grpc


def checked(order):
    """A copy of an order that may be kept, or Refused."""
    if not order.buyer.id:
        raise backend.field_required("order.buyer.id")
    if not order.currency:
        raise backend.field_required("order.currency")
    copy = v3.Order()
    copy.CopyFrom(order)
    copy.state = copy.state or v3.PLACED
    return copy


class Orders(orders_pb2_grpc.OrdersServicer):
    def __init__(self, store):
        self.store = store

    async def Create(self, request, context):
        return await self.store.put(checked(request.order))

    async def Get(self, request, context):
        return self.store.find(request.id)

    async def List(self, request, context):
        found = [order for order in self.store.orders.values()
                 if request.buyer.id in ("", order.buyer.id) and request.state in (0, order.state)]
        return v3.ListResponse(orders=found[:request.limit or None])

    async def SetStatus(self, request, context):
        order = v3.Order()
        order.CopyFrom(self.store.find(request.id))
        order.state = request.state
        return await self.store.put(order)

    async def Watch(self, request, context):
        final = (v3.DELIVERED, v3.CANCELLED)
        async for order in self.store.watch(request.id, lambda o: o.state in final):
            yield order

    async def ListRecommendations(self, request, context):
        return v3.ListRecommendationsResponse(
            lines=[v3.Line(sku="umbrella", quantity=1), v3.Line(sku="wellingtons", quantity=2)])

    async def Import(self, requests, context):
        good = [checked(request.order) async for request in requests]
        return v3.ImportResponse(ids=[(await self.store.put(order)).id for order in good])

    async def Lookup(self, requests, context):
        async for request in requests:
            yield self.store.find(request.id)


if __name__ == "__main__":
    backend.main("v3", Orders, orders_pb2_grpc.add_OrdersServicer_to_server)
