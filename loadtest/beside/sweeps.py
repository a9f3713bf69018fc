"""How the cost of a call depends on how much there is of something: one figure for each contender at each number."""
import contextlib

from beside import many_services, rounds
from beside.install import Missing
from beside.peers import HAPROXY, NGHTTPX, NGINX, OURS
from frames import grpc_message

MANY = 3000  # connections


class Sweep:
    """
    `of`: what there are more and more of. `at(shop, setup, n)`: the load, and {contender: what its config has more}. `port`: where all
    are called. `warm_ups`: until all connections are there.
    """

    def __init__(self, name, of, numbers, port, contenders, at, warm_ups=1):
        self.name, self.of, self.numbers, self.port, self.contenders = name, of, numbers, port, contenders
        self.at, self.warm_ups = at, warm_ups


def connections(shop, setup, n):
    n = min(n, setup.connections - 200)
    return shop.http1(connections=n), {}


def services(shop, setup, n):
    # The service answers with an order of v3, which these are in another package.
    load = shop.grpc("Get", "v3", lambda answer: answer.body[5:] == shop.order, connections=1, streams=100)
    load = load.but(path=f"/{many_services.package(0)}.Orders/Get", numbered=n)
    return load, {OURS: many_services.gateway_words(setup, n), HAPROXY: many_services.haproxy_words(setup, n)}


def addresses(n):
    return [f"127.{1 + i // 62500}.{i // 250 % 250}.{1 + i % 250}" for i in range(n)]


def instances(shop, setup, n):
    listed = ", ".join(f"{{address: {address}:{setup.upstream}, protocol: http}}" for address in addresses(n))
    servers = "".join(f"    server s{i} {address}:{setup.upstream}\n" for i, address in enumerate(addresses(n)))
    return shop.http1().but(path="/many/orders/42"), {OURS: {"routes": f"  - {{match: /many/, timeout: 60s, instances: [{listed}]}}\n"},
                                                      HAPROXY: {"by_path": "    use_backend many if { path_beg /many/ }",
                                                                "backends": f"backend many\n{servers}"}}


def sizes(shop, _setup, n):
    body = grpc_message(shop.v3.Order(id="42", currency="x" * (n - 10)).SerializeToString())
    load = shop.grpc("SetStatus", "v3", lambda answer: answer.body == body, shop.file(f"echo-{n}.grpc", body), connections=2, streams=4)
    return load, {}


SWEEPS = (
    Sweep("HTTP/1.1 with many connections", "connections", (10, 100, 1000, 10000), "h1", (OURS, HAPROXY, NGINX, NGHTTPX), connections),
    Sweep("gRPC unary with many services", "services", (1, 10, 100, 1000), "h2", (OURS, HAPROXY), services),
    Sweep("HTTP/1.1 to many instances", "instances", (3, 30, 300, 3000, 10000), "h1", (OURS, HAPROXY), instances,
          warm_ups=4),
    Sweep("gRPC messages that come back, of many sizes", "bytes", (100, 1 << 10, 1 << 14, 1 << 17, 1 << 20, 1 << 22), "h2", (OURS, HAPROXY, NGHTTPX),
          sizes),
)


def start(run, running, service, sweep, load, words, contender):
    contender.prepare(run.setup)
    process = running.enter_context(contender.start(run.setup, **words))
    caller = running.enter_context(rounds.Caller(run.setup, process, process.ports[sweep.port], load))
    caller.probe()
    for _ in range(sweep.warm_ups):
        caller.ask("run", max(0.4, run.seconds))
    return rounds.Arm(contender.name, process, service, caller)


def measure_at(run, service, sweep, load, words, contenders):
    """{contender: microseconds of CPU for each call}."""
    leave_out, arms = run.leave_out(f"Sweep: {sweep.name}"), []
    with contextlib.ExitStack() as running:
        for contender in contenders:
            try:
                arms.append(start(run, running, service, sweep, load, words.get(contender, {}), contender))
            except rounds.WrongAnswer as problem:
                leave_out(problem)
            except Missing as problem:
                run.note(f"Sweep: {sweep.name}: {problem}")
        arms = rounds.alternate(arms, 3, lambda arm: arm.take_turn(run.seconds), leave_out)
        return {arm.name: round(arm.cpu, 3) for arm in arms}


def together(sweep, load):
    """Groups of contenders that are measured in turns. The service has not enough files for very many connections of all of them."""
    return [sweep.contenders] if load.connections < MANY else [(contender,) for contender in sweep.contenders]


def measure_all(run, shop, service):
    done = run.results.setdefault("sweeps", {})
    for sweep in SWEEPS:
        points = done.setdefault(sweep.name, {})
        for n in sweep.numbers:
            if not run.wants(f"Sweep: {sweep.name}") or str(n) in points:
                continue
            load, words = sweep.at(shop, run.setup, n)
            try:
                found = {}
                for contenders in together(sweep, load):
                    found |= measure_at(run, service, sweep, load, words, contenders)
                points[str(n)] = found
                run.say(f"Sweep: {sweep.name}, {n:,} {sweep.of}: " + ", ".join(f"{name} {cpu:.3g} us" for name, cpu in points[str(n)].items()))
            except rounds.WrongAnswer as problem:
                run.wrong(f"Sweep: {sweep.name}, {n:,}: {problem}")
            run.save()
