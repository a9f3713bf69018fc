#!/usr/bin/python3
"""The shop's orders, first version: flat orders, cents, and Purge."""
import backend
from shop.orders.v1 import orders_pb2 as v1, orders_pb2_grpc


class Orders(orders_pb2_grpc.OrdersServicer):
    def __init__(self, store):
        self.store = store

    async def Create(self, request, context):
        order = v1.Order()
        order.CopyFrom(request.order)
        order.status = order.status or v1.PENDING
        return await self.store.put(order)

    async def Get(self, request, context):
        return self.store.find(request.id)

    async def List(self, request, context):
        found = [order for order in self.store.orders.values()
                 if request.customer in ("", order.customer) and request.status in (0, order.status)]
        return v1.ListResponse(orders=found[:request.limit or None])

    async def SetStatus(self, request, context):
        order = v1.Order()
        order.CopyFrom(self.store.find(request.id))
        order.status = request.status
        return await self.store.put(order)

    async def Watch(self, request, context):
        async for order in self.store.watch(request.id, lambda o: o.status in (v1.SHIPPED, v1.LOST)):
            yield order

    async def ListRecommendations(self, request, context):
        return v1.ListRecommendationsResponse(items=[v1.Item(sku="umbrella", quantity=1)])

    async def Purge(self, request, context):
        gone = [key for key, order in self.store.orders.items() if order.customer == request.customer]
        await self.store.remove(gone)
        return v1.PurgeResponse(purged=len(gone))


if __name__ == "__main__":
    backend.main("v1", Orders, orders_pb2_grpc.add_OrdersServicer_to_server)
