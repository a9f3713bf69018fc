#!/usr/bin/python3
"""
The chaos suite: each scenario under load, what became of the calls, and what it did to a healthy route.

    tests/chaos/run.py BUILD [--seconds 30] [--seed 1] [--only NAME] [--list]

Fails if a call was answered wrongly, hung, or was lost although another instance could have answered it, if a write
was executed twice, if calls still fail 2 s after the fault, or if the healthy route's p99 is more than 1.2 times that
of the time before. A busy machine makes that ratio worse: a scenario of which nothing but this is said is played again,
up to three times.
"""
import argparse
import os
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True
options = argparse.ArgumentParser()
options.add_argument("build", type=pathlib.Path)
options.add_argument("--seconds", type=float, default=30)
options.add_argument("--seed", type=int, default=1)
options.add_argument("--only", action="append", default=[])
options.add_argument("--list", action="store_true")
options = options.parse_args()
options.build = options.build.resolve()
os.environ["PASSERELLE"] = str(options.build / "passerelle")
os.environ["SHOP_STUBS"] = str(options.build / "examples/shop/stubs")

import calm  # noqa: E402
from play import Length, play  # noqa: E402
from scenarios import SCENARIOS  # noqa: E402
from verdict import RECOVERED  # noqa: E402
from world import Fleet  # noqa: E402

SLOWER = 1.2  # times the healthy route's p99, at most
HEAD = f"{'scenario':18} {'answered':>8} {'failed':>6} {'lost':>5} {'hung':>5} {'recovered':>9} {'back':>6} " \
       f"{'p99 of safe calls':>19} {'healthy p99':>17} {'ratio':>6} {'CPU':>11}"


def ratio(verdict):
    return verdict.faulty.percentile(0.99) / verdict.quiet.percentile(0.99)


def complaints(verdict):
    found = verdict.complaints()
    if verdict.recovery() > RECOVERED:
        found.append(f"calls fail {verdict.recovery():.2f} s after the fault")
    if verdict.quiet.n_failed + verdict.faulty.n_failed:
        found.append(f"{verdict.quiet.n_failed + verdict.faulty.n_failed} calls of the healthy route failed")
    return found


def row(verdict):
    back = verdict.back(verdict.hit)
    quiet, faulty = verdict.quiet, verdict.faulty
    slowest = [1000 * verdict.slowest(*when) for when in ((0, verdict.begin), (verdict.there, verdict.end))]
    return f"{verdict.scenario.name:18} {verdict.count('answered'):8} {verdict.count('failed'):6} " \
           f"{verdict.count('lost'):5} {verdict.count('hung'):5} {verdict.recovery():7.2f} s " \
           f"{'-' if back is None else f'{back:.1f} s':>6} " \
           f"{slowest[0]:6.0f} -> {slowest[1]:6.0f} ms" \
           f" {quiet.percentile(0.99):5.2f} -> {faulty.percentile(0.99):5.2f} ms {ratio(verdict):6.2f} " \
           f"{quiet.cpu * 100:3.0f} -> {faulty.cpu * 100:3.0f} %"


def run(scenario, fleet, steady):
    """Whether it went well."""
    if reason := scenario.needs():
        print(f"{scenario.name:18} skipped: {reason}", flush=True)
        return True
    length = Length(max(options.seconds / 2, 2), options.seconds, 5)
    for _ in range(3):
        verdict = play(scenario, fleet, pathlib.Path(tempfile.mkdtemp(dir=fleet.folder)), length, steady)
        found = complaints(verdict)
        print(row(verdict), flush=True)
        if found or ratio(verdict) <= SLOWER:
            break
    if ratio(verdict) > SLOWER:
        found.append(f"the healthy route's p99 is {ratio(verdict):.2f} times that of before")
    for complaint in found:
        print(f"    {complaint[:1000]}", flush=True)
    return not found


def go_first():
    """Instances, relays and clients go before what else the machine does; the gateway goes before them (calm.py)."""
    try:
        os.nice(-15)
    except PermissionError:
        print("without the permission for a higher priority, other processes disturb the measurement", flush=True)


def main():
    chosen = [scenario for scenario in SCENARIOS if not options.only or scenario.name in options.only]
    if options.list:
        print("".join(f"{scenario.name:18} {scenario.what}\n" for scenario in chosen), end="")
        return
    if not calm.is_there(options.build):
        sys.exit("h2load (nghttp2-client) and loadtest/upstream are needed")
    go_first()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        fleet, steady = Fleet(folder, options.seed), calm.Calm(options.build, folder)
        print(HEAD, flush=True)
        bad = [scenario.name for scenario in chosen if not run(scenario, fleet, steady)]
        fleet.stop()
    print(f"{len(chosen) - len(bad)} of {len(chosen)} went well" + (f"; not: {', '.join(bad)}" if bad else ""))
    sys.exit(1 if bad or not chosen else 0)


main()
