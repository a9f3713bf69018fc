"""Memory of what is idle: connections, streams, and services of the gateway. Each contender is started anew for it."""
import memory
from beside import many_services
from beside.install import Missing
from beside.peers import ENVOY, HAPROXY, NGHTTPX, NGINX, OURS

CONNECTIONS, STREAMS, SERVICES = 2000, 90, 1000
LOOKUP = "/shop.orders.v3.Orders/Lookup"
GET = "/shop.orders.v3.Orders/Get"

KINDS = {
    "HTTP/1.1 connection": lambda running: memory.per_idle_connection(running, running.ports["h1"], CONNECTIONS),
    "HTTP/2 connection": lambda running: memory.per_idle_http2_connection(running, running.ports["h2"], GET, CONNECTIONS),
    "HTTP/2 stream": lambda running: memory.per_idle_stream(running, running.ports["h2"], LOOKUP, 50, STREAMS),
}


def per_idle_service(setup):
    """With its schema and one instance, that no call has reached."""
    def of(n):
        with OURS.start(setup, **many_services.gateway_words(setup, n)) as running:
            return memory.settled(running)
    few = 10
    return (of(SERVICES + few) - of(few)) / SERVICES


def measure_all(run):
    done = run.results.setdefault("memory", {})
    for kind, measure in KINDS.items():
        if not run.wants(f"Memory: {kind}") or kind in done:
            continue
        found = {}
        for contender in (OURS, HAPROXY, NGINX, NGHTTPX, ENVOY):
            try:
                contender.prepare(run.setup)
                with contender.start(run.setup) as running:
                    found[contender.name] = measure(running)
            except (Missing, SystemExit, OSError, AssertionError) as problem:
                run.note(f"memory of an idle {kind}: {contender}: {problem}")
        done[kind] = found
        run.say(f"Memory: {kind}: " + ", ".join(f"{name} {size:,.0f}" for name, size in found.items()))
        run.save()
    if run.wants("Memory: service") and "service" not in done:
        done["service"] = {OURS.name: per_idle_service(run.setup)}
        run.say(f"Memory: service: {done['service'][OURS.name]:,.0f}")
        run.save()
