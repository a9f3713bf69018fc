"""
The shop's machines and the backstage of its hosting, for jobs: an instance that may be killed at any time. What its calls
have had an effect on is in a file, and a call with a key that has had one has none again.

  job_backend.py PORT FILE

The plan of a site says how its calls go: see PLANS.
"""
import json
import os
import signal
import sqlite3
import sys
import time
from concurrent import futures

import backends  # noqa: F401: the shop's stubs
import grpc
from processes import Process, eventually, free_port
from shop.hosting.v2 import hosting_pb2 as v2
from shop.machines.v1 import machines_pb2 as machines

# Of the gateway's config, whose $instance is the backend's port.
SERVICES = """services:
  - name: hosting
    versions: [{name: v2, package: shop.hosting.v2, schema: $orders}]
    instances: [{address: '127.0.0.1:$instance', protocol: grpc}]
  - name: machines
    versions: [{name: v1, package: shop.machines.v1, schema: $orders}]
    instances: [{address: '127.0.0.1:$instance', protocol: grpc}]
"""

# What becomes of a job of this plan, and which of its calls have an effect.
PLANS = {
    "good": ("done", {"reserve", "publish", "announce"}),
    "lost": ("done", {"reserve", "publish", "announce"}),         # the first responses are lost
    "flaky": ("done", {"reserve", "publish", "announce"}),        # the first calls fail
    "slow": ("done", {"reserve", "publish", "announce"}),         # `reserve` takes its time
    "quiet": ("done", {"reserve", "publish"}),                    # `announce` is refused, which is graceful
    "refused": ("undone", {"reserve", "release"}),                # `publish` is refused
    "spoilt": ("undone", {"reserve", "release", "unpublish"}),    # `publish` fails, maybe with an effect
    "full": ("undone", set()),                                    # `reserve` is refused
}
# What is undone besides, if its gateway has not heard that the first call was refused.
UNHEARD = {"refused": {"unpublish"}, "full": {"release"}}


FIELDS = ("authorization", "cookie", "x-tenant", "x-team")  # whose values are kept


class Effects:
    """Who asks for what is to be told by keys only: the same call with another key has an effect again."""

    def __init__(self, file):
        self.file = file
        self.query("CREATE TABLE IF NOT EXISTS effects (key TEXT PRIMARY KEY, call TEXT, thing TEXT)")
        self.query("CREATE TABLE IF NOT EXISTS calls (key TEXT, wall REAL, trace TEXT, fields TEXT)")

    def query(self, sql, *values):
        database = sqlite3.connect(self.file, timeout=30, isolation_level=None)
        try:
            database.execute("PRAGMA synchronous = OFF")
            return database.execute(sql, values).fetchall()
        finally:
            database.close()

    def arrive(self, key, metadata):
        """How many calls there were with it, and this one."""
        fields = json.dumps({name: metadata[name] for name in FIELDS if name in metadata})
        self.query("INSERT INTO calls VALUES (?, ?, ?, ?)", key, time.time(), metadata.get("traceparent"), fields)
        return self.query("SELECT count(*) FROM calls WHERE key = ?", key)[0][0]

    def take(self, key, call, thing):
        self.query("INSERT OR IGNORE INTO effects VALUES (?, ?, ?)", key, call, thing)

    def of(self, thing):
        """The calls that had an effect on it, as often as they had."""
        return sorted(call for call, in self.query("SELECT call FROM effects WHERE thing = ?", thing))

    def traces(self, job):
        return [trace for trace, in self.query("SELECT trace FROM calls WHERE key LIKE ?", f"%{job}%")]

    def fields(self, job):
        """Those of FIELDS that its calls had."""
        return [json.loads(fields) for fields, in self.query("SELECT fields FROM calls WHERE key LIKE ?", f"%{job}%")]

    def keys(self):
        return [key for key, in self.query("SELECT key FROM calls ORDER BY wall")]


class Services:
    def __init__(self, effects):
        self.effects = effects

    def serve(self, call, thing, plan, context, refused=()):
        metadata = dict(context.invocation_metadata())
        key = metadata["idempotency-key"]
        arrivals = self.effects.arrive(key, metadata)
        if plan in refused:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"no {call} for {thing}")
        if plan == "spoilt" and call == "publish":
            context.abort(grpc.StatusCode.DATA_LOSS, f"no {call} for {thing}")
        if plan == "forgetful" and call == "publish":  # it has had its effect, and says no to the next one
            context.abort(grpc.StatusCode.ALREADY_EXISTS if arrivals > 1 else grpc.StatusCode.UNAVAILABLE, "hm")
        if plan == "flaky" and arrivals == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        time.sleep(0.5 if plan == "slow" and call == "reserve" else 0.02)
        self.effects.take(key, call, thing)
        if plan == "lost" and arrivals == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "nobody hears that it is done")

    def reserve(self, request, context):
        self.serve("reserve", request.holder, request.plan, context, {"full"})
        return machines.Machine(id=f"m-{request.holder}", plan=request.plan, address="192.0.2.7")

    def release(self, request, context):
        self.serve("release", request.holder, "", context)
        return machines.Released(machines=1)

    def publish(self, request, context):
        self.serve("publish", request.name, request.plan, context, {"refused"})
        return v2.Site(name=request.name)

    def unpublish(self, request, context):
        self.serve("unpublish", request.name, request.name, context, {"stuck", "stuck-again", "stuck-for-good"})
        return v2.Unpublished()

    def announce(self, request, context):
        self.serve("announce", request.name, request.name.rpartition("-")[2], context, {"quiet"})
        return v2.Announced(times=1)

    def handlers(self):
        rows = {"shop.machines.v1.Machines": [("Reserve", machines.ReserveRequest, self.reserve),
                                              ("Release", machines.ReleaseRequest, self.release)],
                "shop.hosting.v2.Backstage": [("Publish", v2.PublishRequest, self.publish),
                                              ("Unpublish", v2.UnpublishRequest, self.unpublish),
                                              ("Announce", v2.AnnounceRequest, self.announce)]}
        for service, methods in rows.items():
            yield grpc.method_handlers_generic_handler(service, {
                name: grpc.unary_unary_rpc_method_handler(serve, request_deserializer=request.FromString,
                                                          response_serializer=lambda message: message.SerializeToString())
                for name, request, serve in methods})


class JobBackend:
    """The process, as tests use it; `effects` reads its file."""

    def __init__(self, folder):
        self.port, self.file = free_port(), folder / "effects.db"
        self.effects = Effects(self.file)
        self.process = None

    def start(self, wait=True):
        self.process = Process(["/usr/bin/python3", __file__, str(self.port), str(self.file)])
        if wait:
            self.process.wait_until(lambda: "ready" in self.process.lines)
        return self

    def kill(self):
        self.process.child.kill()
        self.process.child.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()


def main():
    port, file = sys.argv[1:]
    server = grpc.server(futures.ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(list(Services(Effects(file)).handlers()))
    assert eventually(lambda: bind(server, port))
    server.start()
    print("ready", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    os._exit(0)


def bind(server, port):
    try:
        return server.add_insecure_port(f"127.0.0.1:{port}") == int(port)
    except RuntimeError:  # the one before still has it
        return False


if __name__ == "__main__":
    main()
