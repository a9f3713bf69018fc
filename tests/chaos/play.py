"""Plays one scenario under load."""
import contextlib
import time
from typing import NamedTuple

from verdict import Verdict
from world import Load, World


class Length(NamedTuple):
    """Seconds of each part."""
    before: float
    fault: float
    after: float


def play(scenario, fleet, folder, length, calm=None, speed=1.0):
    """
    The scenario's Verdict. With `calm` (calm.py) the times of a healthy route are measured and those of all calls
    judged; without it the machine may be busy with something else.
    """
    with contextlib.ExitStack() as running:
        world = World(fleet, folder, running)
        if scenario.prepare:
            scenario.prepare(world)
        if calm:
            running.callback(calm.serve(world.calm).kill)
        world.start(steady=bool(calm))
        load = Load(fleet.schema, world.gateway, speed)
        running.callback(load.child.kill)
        load.wait_for(30)
        quiet = pass_time(world, length.before, calm)
        begin = time.monotonic()
        scenario.begin(world)
        there = time.monotonic()
        faulty = pass_time(world, length.fault, calm, scenario.during)
        scenario.end(world)
        end = time.monotonic()
        time.sleep(length.after)
        load.wait_for(30, since=end + length.after)
        calls = load.stop()
        scenario.proof(world)
        verdict = Verdict(scenario, calls, (begin, there, end), fleet.wrote(), late=0.5 if calm else None)
        verdict.quiet, verdict.faulty = quiet, faulty
        verdict.hit = [instance.name for instance in world.hit]
        verdict.acts = world.acts()
        verdict.gateway = world.gateway
        return verdict


def pass_time(world, seconds, calm, step=None):
    """What calm has measured, or None. `step` is called about three times a second."""
    times = calm.measure(world, seconds) if calm else None
    end, n = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0:
        if step:
            step(world, n)
        n += 1
        time.sleep(min(0.33, left))
    return times.wait() if times else None
