"""
Latency by an open loop: calls are due at fixed rates, whether or not others are answered, and latency counts from when one was due.

The rates are shares of what the slower one of the first two arms can do. Other arms have part where the rate is below what they can
do. Only calls in undisturbed times count, unless those are less than half.
"""
import contextlib
import statistics

from beside import rounds
from beside.peers import ENVOY, HAPROXY, NGHTTPX, NGINX, OURS

SHARES = (30, 70)  # percent
QUANTILES = ("p50", "p99", "p99.9")
BEARABLE = 0.9     # of its own saturation


class LatencyRow:
    """`arms`: (contender, its name here, port, load)."""

    def __init__(self, name, *arms):
        self.name, self.arms = name, arms


def latency_rows(shop):
    unread = shop.rest_unread()
    http, unary = shop.http1(), shop.unary(connections=4, streams=100)
    return [
        LatencyRow("REST POST v1 to gRPC v3, beside HAProxy, which passes it unread", (OURS, "Passerelle, converted", "rest", shop.rest_post("v1")),
                   (HAPROXY, "HAProxy, unread", "h1", unread), (ENVOY, "Envoy, unconverted", "rest", shop.rest_post("v3"))),
        LatencyRow("HTTP/1.1, 57 B", *((one, one.name, "h1", http) for one in (OURS, HAPROXY, NGINX, NGHTTPX, ENVOY))),
        LatencyRow("gRPC unary", *((one, one.name, "h2", unary) for one in (OURS, HAPROXY, NGINX, NGHTTPX, ENVOY))),
    ]


class Arm:
    def __init__(self, name, process, service, caller):
        self.name, self.caller = name, caller
        self.closed = rounds.Arm(name, process, service, caller)
        self.told = []  # of each round at the present rate

    def saturate(self, seconds):
        self.closed.take_turn(seconds)
        return self.closed.turns[-1].per_second

    def figures(self):
        """Of each round, {quantile: us}; and whether it was disturbed."""
        calm = all(told["quiet"]["n"] * 2 >= told["latency"]["n"] for told in self.told)
        return [told["quiet" if calm else "latency"] for told in self.told], not calm


def start(run, running, service, started, row):
    leave_out, arms = run.leave_out(f"Latency: {row.name}"), []
    for contender, name, port, load in row.arms:
        if contender not in started:
            continue
        process = started[contender]
        caller = running.enter_context(rounds.Caller(run.setup, process, process.ports[port], load, quiet=(
            process.busiest() / "schedstat", f"/proc/{service.process.pid}/task/{service.process.pid}/schedstat")))
        try:
            caller.probe()
            caller.ask("run", run.seconds)
            arms.append(Arm(name, process, service, caller))
        except rounds.WrongAnswer as problem:
            leave_out(problem)
    return arms


def at_rate(run, row, arms, rate, able):
    taking = [arm for arm in arms if rate < BEARABLE * able[arm]]
    for arm in taking:
        arm.told = []
    return rounds.alternate(taking, run.rounds, lambda arm: arm.told.append(arm.caller.ask("open", round(rate), run.seconds * 2.5)),
                            run.leave_out(f"Latency: {row.name}"))


def summary(arms):
    found = {}
    for arm in arms:
        figures, disturbed = arm.figures()
        found[arm.name] = {"disturbed": disturbed, "own_p99": statistics.median(told["own"]["p99"] for told in arm.told),
                           **{quantile: statistics.median(figure[quantile] for figure in figures) for quantile in QUANTILES}}
    return found


def p99_ratio(arms):
    """Of the first to the second: the median of the rounds."""
    if len(arms) < 2:
        return None
    pairs = zip(arms[0].figures()[0], arms[1].figures()[0])
    return statistics.median(ours["p99"] / theirs["p99"] for ours, theirs in pairs)


def measure(run, service, started, row):
    with contextlib.ExitStack() as running:
        arms = start(run, running, service, started, row)
        able = {arm: statistics.median(arm.saturate(run.seconds) for _ in range(3)) for arm in arms}
        slower = min(able[arm] for arm in arms[:2])
        rates = {}
        for share in SHARES:
            taking = at_rate(run, row, arms, slower * share / 100, able)
            rates[str(share)] = {"per_second": round(slower * share / 100), "arms": summary(taking), "p99_ratio": p99_ratio(taking)}
    return {"saturation": {arm.name: round(per_second) for arm, per_second in able.items()}, "rates": rates}


def text(found):
    rate = found["rates"][str(SHARES[-1])]
    return ", ".join(f"{name} p99 {arm['p99']:.0f} us{'~' if arm['disturbed'] else ''}" for name, arm in rate["arms"].items())


def measure_all(run, shop, service, start_all):
    done = run.results.setdefault("latency", {})
    wanted = [row for row in latency_rows(shop) if run.wants(f"Latency: {row.name}") and row.name not in done]
    if not wanted:
        return
    with contextlib.ExitStack() as running:
        started = start_all(run, running, [OURS, HAPROXY, NGINX, NGHTTPX, ENVOY])
        for row in wanted:
            try:
                done[row.name] = measure(run, service, started, row)
                run.say(f"Latency: {row.name}, at {SHARES[-1]} %: {text(done[row.name])}")
            except rounds.WrongAnswer as problem:
                run.wrong(f"Latency: {row.name}: {problem}")
            run.save()
    first = latency_rows(shop)[0].name
    if first in done:
        run.results["p99_ratio"] = done[first]["rates"][str(SHARES[-1])]["p99_ratio"]
