"""One run: its parts in their order, with what is measured so far in results.json after each."""
import contextlib
import datetime
import json
import pathlib
import platform
import resource
import tempfile
import time

import contenders
from beside import change, idle, latency, loads, peers, reloads, report, rounds, rows, sweeps
from beside.install import Missing
from processes import Watched, free_port, pinned

WHOLE_MINUTES = 20  # in which a turn takes TURN seconds
TURN = 0.5
FILES = 200_000


class Run:
    """What its parts share. `results`: what was measured, as it is in the file. `seconds`: of one turn."""

    def __init__(self, options, folder):
        self.options, self.folder, self.build = options, folder, options.build
        self.rounds = options.rounds
        self.seconds = TURN * options.minutes / WHOLE_MINUTES
        self.output = options.build / "performance"
        self.output.mkdir(exist_ok=True)
        self.results = self.read() if options.resume else {}
        self.results = {"date": datetime.date.today().isoformat(), "machine": machine(), "versions": {}, "notes": [], "rows": {}, **self.results}
        self.began = time.monotonic()

    @property
    def file(self):
        return self.output / "results.json"

    def read(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def save(self):
        self.file.write_text(json.dumps(self.results, indent=1, ensure_ascii=False) + "\n")

    def wants(self, name):
        return not self.options.only or any(word in name for word in self.options.only)

    def say(self, text=""):
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        print(f"[{minutes:2}:{seconds:02}] {text}" if text else "", flush=True)

    def wrong(self, text):
        """A call of ours that was lost or answered wrongly: the run fails."""
        self.results.setdefault("wrong", []).append(text)
        self.say(f"WRONG: {text}")

    def leave_out(self, where):
        """What to do with a WrongAnswer there: if it is ours it is raised, else that peer has no part."""
        def of(problem):
            if problem.name == peers.OURS.name:
                raise problem
            self.note(f"{where}: {problem}")
        return of

    def note(self, text):
        if text not in self.results["notes"]:
            self.results["notes"].append(text)
            self.say(f"note: {text}")


def raise_file_limit():
    """Many connections of many contenders end at one service."""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    except (ValueError, OSError):
        pass  # what there is has to do; what does not fit is noted


def machine():
    cpus = pathlib.Path("/proc/cpuinfo").read_text()
    model = next((line.partition(":")[2].strip() for line in cpus.splitlines() if line.startswith("model name")), platform.machine())
    return f"{cpus.count('processor')} x {model}, Linux {platform.release().split('-')[0]}"


def start_service(run, shop):
    """Of the run's setup, whose port it has."""
    reply, text = shop.file("reply.binpb", shop.order), shop.file("reply.json", contenders.CERTAIN_JSON)
    return Watched(pinned(peers.LOAD_CORE, [run.build / "loadtest/upstream", run.setup.upstream, reply, text, "everywhere", *shop.replies()]), run.setup.upstream)


def start_all(run, running, contenders_wanted):
    """{contender: its process} of those that can be had; `running` ends them."""
    started = {}
    for contender in contenders_wanted:
        try:
            contender.prepare(run.setup)
            started[contender] = running.enter_context(contender.start(run.setup))
            run.results["versions"][contender.name] = contender.version(run.setup)
        except Missing as problem:
            if contender is peers.OURS:
                raise SystemExit(str(problem)) from None
            run.note(f"{contender} is left out: {problem}")
    return started


def start_arms(run, running, service, started, row):
    """Those of the row whose contender is there, and answers rightly."""
    leave_out, arms = run.leave_out(row.whole_name), []
    for contender, name, port, load in row.arms():
        if contender not in started or port not in started[contender].ports:
            continue
        process = started[contender]
        try:
            caller = running.enter_context(rounds.Caller(run.setup, process, process.ports[port], load))
            caller.probe()
            caller.ask("run", min(0.2, run.seconds))
            arms.append(rounds.Arm(name, process, service, caller))
        except rounds.WrongAnswer as problem:
            leave_out(problem)
    return arms


def measure_row(run, service, started, row):
    with contextlib.ExitStack() as callers:
        arms = start_arms(run, callers, service, started, row)
        arms = rounds.alternate(arms, run.rounds, lambda arm: arm.take_turn(run.seconds), run.leave_out(row.whole_name))
    ours = [arm for arm in arms if arm.running.name == peers.OURS.name]
    compared = [(mine, other) for mine in ours for other in arms if other is not mine]
    return {"group": row.group, "name": row.name, "unit": row.unit,
            "arms": {arm.name: {"cpu_us": arm.cpu, "per_second": arm.per_second, "turns": [turn.record() for turn in arm.turns]} for arm in arms},
            "ratios": {f"{mine.name} / {other.name}": rounds.Comparison(mine, other).record() for mine, other in compared}}


def measure_rows(run, shop, service):
    done = run.results["rows"]
    wanted = [row for row in rows.rows(shop) if run.wants(row.whole_name) and row.whole_name not in done]
    if not wanted:
        return
    with contextlib.ExitStack() as running:
        started = start_all(run, running, [peers.OURS, *peers.PEERS])
        for row in wanted:
            try:
                done[row.whole_name] = measure_row(run, service, started, row)
                run.say(f"{row.whole_name}: {report.row_text(done[row.whole_name])}")
            except rounds.WrongAnswer as problem:
                run.wrong(f"{row.whole_name}: {problem}")
            run.save()


def run(options):
    """The exit code: 0 when no call was lost or answered wrongly, and all aims that were measured are met."""
    raise_file_limit()
    with tempfile.TemporaryDirectory() as name:
        this = Run(options, pathlib.Path(name))
        this.setup = peers.Setup(options.build, this.folder, free_port())
        shop = loads.Shop(this.setup)
        with start_service(this, shop) as service:
            measure_rows(this, shop, service)
            latency.measure_all(this, shop, service, start_all)
            sweeps.measure_all(this, shop, service)
            reloads.measure_all(this, shop, service)
            idle.measure_all(this)
        change.measure_all(this)
        this.results["aims"] = [aim.judge(this.results) for aim in rows.aims()]
        this.save()
        report.write(this)
        missed = [aim for aim in this.results["aims"] if aim["verdict"] == "missed"]
        return 1 if missed or this.results.get("wrong") else 0
