#!/usr/bin/python3
"""The shop's hosting, second version, and the machines that sites run on: what the steps of a job call.

Reserving, configuring, publishing and announcing take their time, and a part of the calls fails, before or after it had its effect. What
is to be done once is done once for each `Idempotency-Key`, which the gateway sends. Each effect is told on stdout, so that a test can
count. A machine on which a site is set up whose name begins with "broken" breaks. Everything is in memory.

    backend_hosting.py --listen 127.0.0.1:7005 --slow 0.5 --fail 0.2 --seed 1
"""
import argparse
import asyncio
import random

import backend
import grpc
from shop.hosting.v2 import hosting_pb2 as v2, hosting_pb2_grpc
from shop.machines.v1 import machines_pb2 as machines, machines_pb2_grpc


def unavailable(text):
    return backend.Refused(grpc.StatusCode.UNAVAILABLE, text)


def key_of(context):
    """The structured string of `Idempotency-Key`; what honours it refuses calls without."""
    for name, value in context.invocation_metadata():
        if name == "idempotency-key":
            return value.strip('"')
    raise backend.Refused(grpc.StatusCode.INVALID_ARGUMENT, "there is no Idempotency-Key")


class World:
    """What has really happened, how slowly, and how often in vain."""

    def __init__(self, options):
        self.slow, self.fail = options.slow, options.fail
        self.random = random.Random(options.seed)
        self.machines, self.sites, self.done = {}, {}, {}

    async def take_time(self):
        """Before an effect: it may not come to it."""
        await asyncio.sleep(self.random.uniform(self.slow / 2, self.slow))
        if self.random.random() < self.fail:
            raise unavailable("not in the mood")

    async def effect(self, what, on):
        """After an effect: its caller hears of it later, or never."""
        backend.say("effect", what=what, on=on)
        await asyncio.sleep(self.slow)
        if self.random.random() < self.fail:
            raise unavailable("done, but nobody shall know")


class Machines(machines_pb2_grpc.MachinesServicer):
    def __init__(self, world):
        self.world = world

    async def Reserve(self, request, context):
        world, key = self.world, key_of(context)
        await world.take_time()
        if key not in world.done:
            number = len(world.done) + 1
            machine = machines.Machine(id=f"m{number}", plan=request.plan, address=f"10.0.0.{number}")
            world.machines[machine.id] = (machine, request.holder)
            world.done[key] = machine
            await world.effect("reserve", request.holder)
        return world.done[key]

    def held_by(self, holder):
        return [machine for machine, its_holder in self.world.machines.values() if its_holder == holder]

    async def Release(self, request, context):
        await self.world.take_time()
        held = self.held_by(request.holder)
        for machine in held:
            del self.world.machines[machine.id]
        if held:
            await self.world.effect("release", request.holder)
        return machines.Released(machines=len(held))

    def find(self, name):
        if name not in self.world.machines:
            raise backend.Refused(grpc.StatusCode.NOT_FOUND, f"there is no machine {name}")
        return self.world.machines[name]

    async def Configure(self, request, context):
        await self.world.take_time()
        machine, holder = self.find(request.id)
        if machine.state == machines.EMPTY:
            machine.state = machines.PREPARING
            asyncio.get_running_loop().call_later(2 * self.world.slow, self.prepared, machine, request.site)
            await self.world.effect("configure", holder)
        return machine

    @staticmethod
    def prepared(machine, site):
        if machine.state == machines.PREPARING:
            machine.state = machines.BROKEN if site.startswith("broken") else machines.READY

    async def Erase(self, request, context):
        await self.world.take_time()
        used = [machine for machine in self.held_by(request.holder) if machine.state != machines.EMPTY]
        for machine in used:
            machine.state = machines.EMPTY
        if used:
            await self.world.effect("erase", request.holder)
        return machines.Erased(machines=len(used))

    async def Get(self, request, context):
        return self.find(request.id)[0]


class Sites(hosting_pb2_grpc.SitesServicer):
    """What is published. Sites are created by jobs of the gateway only."""

    def __init__(self, world):
        self.world = world

    def find(self, name):
        if name not in self.world.sites:
            raise backend.Refused(grpc.StatusCode.NOT_FOUND, f"there is no site {name}")
        return self.world.sites[name]

    async def Get(self, request, context):
        return self.find(request.name)

    async def Delete(self, request, context):
        site = self.find(request.name)
        del self.world.sites[request.name]
        site.state = v2.REMOVED
        return site


class Backstage(hosting_pb2_grpc.BackstageServicer):
    def __init__(self, world):
        self.world = world

    async def Publish(self, request, context):
        await self.world.take_time()
        if request.name not in self.world.sites:
            self.world.sites[request.name] = v2.Site(name=request.name, plan=request.plan, state=v2.LIVE,
                                                     endpoint=v2.Endpoint(address=request.address))
            await self.world.effect("publish", request.name)
        return self.world.sites[request.name]

    async def Unpublish(self, request, context):
        await self.world.take_time()
        if self.world.sites.pop(request.name, None):
            await self.world.effect("unpublish", request.name)
        return v2.Unpublished()

    async def Announce(self, request, context):
        world, key = self.world, key_of(context)
        await world.take_time()
        if key not in world.done:
            world.done[key] = v2.Announced(times=1)
            await world.effect("announce", request.name)
        return world.done[key]


def add_all(world, server):
    machines_pb2_grpc.add_MachinesServicer_to_server(Machines(world), server)
    hosting_pb2_grpc.add_SitesServicer_to_server(Sites(world), server)
    hosting_pb2_grpc.add_BackstageServicer_to_server(Backstage(world), server)


def main():
    parser = argparse.ArgumentParser(description="The shop's hosting, in memory: slow, and not always in the mood.")
    parser.add_argument("--listen", default="127.0.0.1:7005")
    parser.add_argument("--slow", type=float, default=1.0, help="seconds that a call takes at most")
    parser.add_argument("--fail", type=float, default=0.1, help="the part of the calls that fails, from 0 to 1")
    parser.add_argument("--seed", type=int, default=None, help="of what is drawn")
    parser.set_defaults(certificate=None, key=None, gzip=False)
    options = parser.parse_args()
    asyncio.run(backend.run("hosting", World(options), add_all, options))


if __name__ == "__main__":
    main()
