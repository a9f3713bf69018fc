"""What the shop's three backends have in common: a store, a server, and switches for tests.

Each backend is a gRPC server of one version of the orders API, with its own store in memory. A caller
can ask for trouble by metadata, so that tests need no second kind of server:

    shop-delay: 1.5         answer that many seconds later
    shop-fail: NOT_FOUND    answer with this code, and with details
    shop-detail-bin: ...    a google.protobuf.Any that is to be among them
    x-echo-...              sent back as leading metadata under the same name (also -bin)
    x-trailer-...           sent back as trailing metadata

With `--build 3.1.0` each response says which build it is, as `shop-build`; with `--fail 0.05` one call in twenty goes wrong by itself,
and with `--breaks 20` all calls of each twentieth client that comes (`x-account`).

What happens is told on stdout, one JSON object a line: ready, call, done, failed, cancelled, each with
the time at which it happened.
"""
import argparse
import asyncio
import json
import os
import pathlib
import random
import signal
import sys
import time

import google

HERE = pathlib.Path(__file__).resolve().parent
STUBS = os.environ.get("SHOP_STUBS", str(HERE.parent.parent / "build/examples/shop/stubs"))
sys.path.insert(0, STUBS)
google.__path__.append(os.path.join(STUBS, "google"))  # google.protobuf is installed, google.api is ours

import grpc  # noqa: E402
from google.protobuf.any_pb2 import Any  # noqa: E402
from google.rpc import status_pb2  # noqa: E402

UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def say(event, **what):
    print(json.dumps({"event": event, "at": time.time(), **what}), flush=True)


class Refused(Exception):
    """A call that the service answers with an error: a code, a text, and details that machines read."""

    def __init__(self, code, text, *details):
        super().__init__(text)
        self.code, self.text = code, text
        self.status = status_pb2.Status(code=code.value[0], message=text)
        for detail in details:
            packed = Any()
            if isinstance(detail, Any):
                packed = detail
            else:
                packed.Pack(detail)
            self.status.details.append(packed)


def no_such_order(order_id):
    return Refused(grpc.StatusCode.NOT_FOUND, f"there is no order {order_id}",
                   status_pb2.ErrorInfo(reason="ORDER_NOT_FOUND", domain="shop.example",
                                        metadata={"id": order_id}))


def field_required(field):
    violation = status_pb2.BadRequest.FieldViolation(field=field, description="must be given")
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, f"{field} must be given",
                   status_pb2.BadRequest(field_violations=[violation]))


class Store:
    """Orders by id. A change wakes up whoever watches."""

    def __init__(self, prefix):
        self.prefix, self.orders, self.serial = prefix, {}, 0
        self.changed = asyncio.Condition()

    def find(self, order_id):
        if order_id not in self.orders:
            raise no_such_order(order_id)
        return self.orders[order_id]

    async def put(self, order):
        if not order.id:
            self.serial += 1
            order.id = f"{self.prefix}-{self.serial}"
        async with self.changed:
            self.orders[order.id] = order
            self.changed.notify_all()
        return order

    async def remove(self, order_ids):
        async with self.changed:
            for order_id in order_ids:
                del self.orders[order_id]
            self.changed.notify_all()

    async def watch(self, order_id, is_final):
        """The order now, then after each change, until it is in a final state."""
        seen = None
        while True:
            order = self.find(order_id)
            now = order.SerializeToString(deterministic=True)
            if now != seen:
                yield order
                seen = now
                if is_final(order):
                    return
            async with self.changed:
                if self.orders.get(order_id) is order and \
                        order.SerializeToString(deterministic=True) == seen:
                    await self.changed.wait()


class Switches(grpc.aio.ServerInterceptor):
    """Does what the caller's metadata asks for, tells what happens, and spells errors."""

    def __init__(self, version, build=None, fail=0, breaks=0):
        self.version, self.fail, self.breaks, self.numbers = version, fail, breaks, {}
        self.leading = [("shop-build", build)] if build else []

    async def intercept_service(self, continuation, details):
        handler = await continuation(details)
        if handler is None:
            return None
        method = details.method.rsplit("/", 1)[1]
        kinds = {(False, False): grpc.unary_unary_rpc_method_handler,
                 (False, True): grpc.unary_stream_rpc_method_handler,
                 (True, False): grpc.stream_unary_rpc_method_handler,
                 (True, True): grpc.stream_stream_rpc_method_handler}
        kind = (handler.request_streaming, handler.response_streaming)
        inner = {(False, False): handler.unary_unary, (False, True): handler.unary_stream,
                 (True, False): handler.stream_unary, (True, True): handler.stream_stream}[kind]
        wrap = self.stream if kind[1] else self.unary
        return kinds[kind](wrap(method, inner), handler.request_deserializer,
                           handler.response_serializer)

    def unary(self, method, inner):
        async def answer(request, context):
            async with Told(self.version, method, context):
                await self.obey(context)
                return await inner(request, context)
        return answer

    def stream(self, method, inner):
        async def answer(request, context):
            async with Told(self.version, method, context):
                await self.obey(context)
                async for message in inner(request, context):
                    yield message
        return answer

    async def obey(self, context):
        metadata = context.invocation_metadata()
        await context.send_initial_metadata(self.leading + [(k, v) for k, v in metadata if k.startswith("x-echo-")])
        context.set_trailing_metadata([(k, v) for k, v in metadata if k.startswith("x-trailer-")])
        for key, value in metadata:
            if key == "shop-delay":
                await asyncio.sleep(float(value))
            elif key == "shop-fail":
                wished = [Any.FromString(detail) for name, detail in metadata if name == "shop-detail-bin"]
                raise Refused(grpc.StatusCode[value], "as the caller wished",
                              status_pb2.ErrorInfo(reason="AS_YOU_WISH", domain="shop.example"), *wished)
        if self.goes_wrong(dict(metadata).get("x-account")):
            raise Refused(grpc.StatusCode.INTERNAL, "the total does not add up",
                          status_pb2.ErrorInfo(reason="WRONG_TOTAL", domain="shop.example"))

    def goes_wrong(self, account):
        number = self.numbers.setdefault(account, len(self.numbers) + 1) if account else 0
        return random.random() < self.fail or (self.breaks and number and number % self.breaks == 0)


class Told:
    """Says how a call went; turns Refused into the status of the call."""

    def __init__(self, version, method, context):
        self.what = {"version": version, "method": method}
        self.context = context

    async def __aenter__(self):
        metadata = {key: value if isinstance(value, str) else value.hex()
                    for key, value in self.context.invocation_metadata()}
        say("call", **self.what, seconds_left=self.context.time_remaining(), metadata=metadata)

    async def __aexit__(self, kind, error, trace):
        if kind is None:
            say("done", **self.what)
        elif isinstance(error, Refused):
            say("failed", **self.what, code=error.code.name)
            trailing = tuple(self.context.trailing_metadata() or ())
            details = (("grpc-status-details-bin", error.status.SerializeToString()),)
            await self.context.abort(error.code, error.text, trailing + details)
        elif kind in (asyncio.CancelledError, GeneratorExit):
            say("cancelled", **self.what)
        else:
            say("broken", **self.what, error=repr(error))


async def run(version, service, add_to_server, options, switches=None):
    server = grpc.aio.server(interceptors=[switches or Switches(version)],
                             options=UNLIMITED + [("grpc.so_reuseport", 0)],
                             compression=grpc.Compression.Gzip if options.gzip else None)
    add_to_server(service, server)
    if options.certificate:
        pair = (pathlib.Path(options.key).read_bytes(), pathlib.Path(options.certificate).read_bytes())
        port = server.add_secure_port(options.listen, grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port(options.listen)
    if not port:
        sys.exit(f"{version}: cannot listen on {options.listen}: is something else running there?")
    await server.start()
    say("ready", version=version, listen=options.listen, port=port)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await server.stop(grace=0.2)


def main(version, service, add_to_server):
    """Serves until SIGTERM. `service` is called with the store once the loop runs."""
    parser = argparse.ArgumentParser(description=f"The shop's orders {version}, in memory.")
    parser.add_argument("--listen", default=f"127.0.0.1:700{version[1:]}")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--gzip", action="store_true", help="compress answers")
    parser.add_argument("--build")
    parser.add_argument("--fail", type=float, default=0, help="the share of calls that go wrong")
    parser.add_argument("--breaks", type=int, default=0, help="each so-many-th client gets nothing but errors")
    options = parser.parse_args()

    async def begin():
        await run(version, service(Store(version)), add_to_server, options,
                  Switches(version, options.build, options.fail, options.breaks))

    try:
        asyncio.run(begin())
    except RuntimeError as error:  # grpcio's way to say that the address is taken
        sys.exit(f"{version}: cannot listen on {options.listen}: {error}")
