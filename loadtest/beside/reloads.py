"""A config that is loaded again and again while calls are made: none of them may be lost, and how late they become."""
import signal
import threading

from beside import rounds
from beside.install import Missing
from beside.peers import NGINX, OURS

NAME = "a reload each half second"
EVERY = 0.5
RATE = 5000  # calls per second, far below what any of them can do


class Reloading:
    """Changes the config of a running contender and tells it so, until the end of the block."""

    def __init__(self, running):
        self.running, self.over, self.n = running, threading.Event(), 0
        self.text = running.file.read_text()
        self.thread = threading.Thread(target=self.work)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.running.file.write_text(self.text)

    def work(self):
        while not self.over.wait(EVERY):
            self.n += 1
            self.running.file.write_text(self.text.replace("60s", f"{60 + self.n}s"))
            self.running.process.send_signal(signal.SIGHUP)


def measure(run, service, contender, load):
    contender.prepare(run.setup)
    with contender.start(run.setup) as running:
        quiet = (running.busiest() / "schedstat", f"/proc/{service.process.pid}/task/{service.process.pid}/schedstat")
        with rounds.Caller(run.setup, running, running.ports["h1"], load, quiet) as caller:
            caller.probe()
            without = caller.ask("open", RATE, run.seconds * 8)
            with Reloading(running) as reloading:
                during = caller.ask("open", RATE, run.seconds * 8)
    return {"reloads": reloading.n, "calls": during["good"], "without": without["latency"], "during": during["latency"]}


def measure_all(run, shop, service):
    done = run.results.setdefault("reload", {})
    for contender in (OURS, NGINX):
        if not run.wants(f"Reload: {NAME}") or contender.name in done:
            continue
        try:
            found = done[contender.name] = measure(run, service, contender, shop.http1())
            run.say(f"Reload: {NAME}: {contender}: {found['reloads']} reloads, {found['calls']:,} calls, none lost; p99 "
                    f"{found['without']['p99']:.0f} us without, {found['during']['p99']:.0f} us during")
        except rounds.WrongAnswer as problem:
            (run.wrong if contender is OURS else run.note)(f"Reload: {problem}")
        except Missing as problem:
            run.note(f"Reload: {problem}")
        run.save()
