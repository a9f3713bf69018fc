#!/usr/bin/python3
"""The shop's orders, second version: addresses and amounts of their own."""
import backend
from shop.orders.v2 import orders_pb2 as v2, orders_pb2_grpc


class Orders(orders_pb2_grpc.OrdersServicer):
    def __init__(self, store):
        self.store = store

    async def Create(self, request, context):
        order = v2.Order()
        order.CopyFrom(request.order)
        order.status = order.status or v2.QUEUED
        return await self.store.put(order)

    async def Get(self, request, context):
        return self.store.find(request.id)

    async def List(self, request, context):
        found = [order for order in self.store.orders.values()
                 if request.customer_id in ("", order.customer_id)
                 and request.status in (0, order.status)]
        return v2.ListResponse(orders=found[:request.limit or None])

    async def SetStatus(self, request, context):
        order = v2.Order()
        order.CopyFrom(self.store.find(request.id))
        order.status = request.status
        return await self.store.put(order)

    async def Watch(self, request, context):
        final = (v2.SHIPPED, v2.DELIVERED)
        async for order in self.store.watch(request.id, lambda o: o.status in final):
            yield order

    async def ListRecommendations(self, request, context):
        return v2.ListRecommendationsResponse(items=[v2.Item(sku="umbrella", quantity=1)])


if __name__ == "__main__":
    backend.main("v2", Orders, orders_pb2_grpc.add_OrdersServicer_to_server)
