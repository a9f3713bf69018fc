"""
Arms of a comparison, measured in rounds.

An arm is one contender with a caller, whose connections stay open. In each round every arm has its turn, and each round begins with
another one. What an arm costs is the CPU time of its process, to the nanosecond, by the calls that were answered in that time. A
turn is disturbed when other processes used too much of its core, or of that of the load.
"""
import json
import os
import statistics
import subprocess
import time

from google.protobuf.message import DecodeError

from beside.peers import LOAD_CORE, PROXY_CORE
from processes import pinned

# At most, so that a turn is not disturbed: for which share of it a contender may have waited for its core, and which shares of both
# cores others may have used. Those are known by ticks, of which a turn of half a second has fifty.
WAITED_SHARE, PROXY_SHARE, LOAD_SHARE = 0.02, 0.08, 0.15
TICKS = os.sysconf("SC_CLK_TCK")


class WrongAnswer(Exception):
    """A call was lost, or its response is not the right one. `name`: whose."""

    def __init__(self, name, what):
        super().__init__(f"{name}: {what}")
        self.name = name


def core_ran(core):
    """Seconds for which that core ran something, or was taken away from this machine, since it was started."""
    with open("/proc/stat") as file:
        for line in file:
            name, user, nice, system, _idle, _iowait, _irq, _softirq, steal, *_ = line.split()[:9] if line.startswith("cpu") else [""] * 9
            if name == f"cpu{core}":
                return sum(map(int, (user, nice, system, steal))) / TICKS
    raise RuntimeError("/proc/stat does not know the core")


class Answer:
    """What the caller saved of one: fields, an empty line, trailers, an empty line, the body."""

    def __init__(self, text):
        head, _, rest = text.partition(b"\n\n")
        trailers, _, self.body = (b"", b"", rest[1:]) if rest.startswith(b"\n") else rest.partition(b"\n\n")
        self.fields, self.trailers = self.read(head), self.read(trailers)
        self.status = self.fields.get("status")

    @staticmethod
    def read(lines):
        return dict(line.split(": ", 1) for line in lines.decode("latin1").splitlines())


class Caller:
    """A process of `caller`, whose calls go to one contender. Use it in a `with` block."""

    def __init__(self, setup, running, port, load, quiet=None):
        self.load, self.name = load, running.name
        self.save = setup.folder / "probe"
        more = ["--quiet", ",".join(str(file) for file in quiet)] if quiet else []
        command = pinned(LOAD_CORE, [setup.build / "loadtest/caller", port, *load.words(setup), "--save", self.save, *more])
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def ask(self, *command):
        """What it says; raises WrongAnswer unless all went well."""
        try:
            self.process.stdin.write(" ".join(str(word) for word in command) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WrongAnswer(self.name, f"the caller ended with {self.process.wait(10)}")
        told = json.loads(line)
        if told["wrong"] or told["lost"] or not told["good"]:
            raise WrongAnswer(self.name, f"of {told['due']} calls {told['wrong']} were answered wrongly ({told['why']}), "
                              f"{told['lost']} not at all")
        return told

    def judge(self, answer):
        try:
            return self.load.is_right(answer)
        except (ValueError, KeyError, TypeError, DecodeError):
            return False  # a body of another kind

    def probe(self):
        self.ask("probe")
        answer = Answer(self.save.read_bytes())
        if answer.status != "200" or not self.judge(answer):
            raise WrongAnswer(self.name, f"{answer.status} {answer.fields} {answer.body[:300]} {answer.trailers}")
        return answer


class Clocks:
    """Seconds until now: of the contender, of both cores, of the load with its service, and of the wall."""

    def __init__(self, running, service, caller):
        self.cpu, self.waited = running.cpu(), running.waited()
        self.proxy_core, self.load_core = core_ran(PROXY_CORE), core_ran(LOAD_CORE)
        with open(f"/proc/{caller.process.pid}/schedstat") as file:
            self.load = int(file.read().split()[0]) / 1e9 + service.cpu()
        self.wall = time.monotonic()


class Turn:
    """
    Between two clocks. `cpu`: microseconds for each unit (a call, or a message). Shares of the time: `waited`, for which the contender
    was ready and its core was not; `others` and `load_others`, which other processes had of both cores.
    """

    def __init__(self, before, after, told, units):
        self.seconds = after.wall - before.wall
        self.calls, self.cpu_seconds = told["good"], after.cpu - before.cpu
        self.cpu = self.cpu_seconds / (self.calls * units) * 1e6
        self.waited = (after.waited - before.waited) / self.seconds
        self.others = max(0, after.proxy_core - before.proxy_core - self.cpu_seconds) / self.seconds
        self.load_others = max(0, after.load_core - before.load_core - (after.load - before.load)) / self.seconds

    @property
    def disturbed(self):
        return self.waited > WAITED_SHARE or self.others > PROXY_SHARE or self.load_others > LOAD_SHARE

    @property
    def per_second(self):
        return self.calls / self.seconds

    def record(self):
        return {"cpu_us": round(self.cpu, 4), "calls": self.calls, "seconds": round(self.seconds, 3), "busy": round(self.cpu_seconds / self.seconds, 3),
                "waited": round(self.waited, 4), "others": round(self.others, 3), "load_others": round(self.load_others, 3),
                "disturbed": self.disturbed}


class Arm:
    """`running`: a contender's process; `service`: the one behind it."""

    def __init__(self, name, running, service, caller):
        self.name, self.running, self.service, self.caller = name, running, service, caller
        self.turns = []

    def take_turn(self, seconds):
        before = Clocks(self.running, self.service, self.caller)
        told = self.caller.ask("run", seconds)
        self.turns.append(Turn(before, Clocks(self.running, self.service, self.caller), told, self.caller.load.units))

    @property
    def cpu(self):
        """Microseconds for each unit: the median of the turns that were not disturbed, or of all."""
        return statistics.median(turn.cpu for turn in calm(self.turns))

    @property
    def per_second(self):
        return statistics.median(turn.per_second for turn in calm(self.turns))


def calm(turns):
    return [turn for turn in turns if not turn.disturbed] or turns


def alternate(arms, rounds, take_turn, leave_out):
    """
    Every arm has a turn in each round. Returns those that had all; the others are told to `leave_out(problem)`, which raises if it is
    ours.
    """
    for i in range(rounds):
        for arm in arms[i % len(arms):] + arms[:i % len(arms)]:
            try:
                take_turn(arm)
            except WrongAnswer as problem:
                leave_out(problem)
                arms = [other for other in arms if other is not arm]
    return arms


class Comparison:
    """Of two arms of the same rounds: the median of the ratios of the rounds that were not disturbed, if there are three of them."""

    def __init__(self, ours, theirs):
        pairs = list(zip(ours.turns, theirs.turns))
        calm = [pair for pair in pairs if not pair[0].disturbed and not pair[1].disturbed]
        self.calm, self.all = len(calm), len(pairs)
        self.disturbed = self.calm < min(3, self.all)
        ratios = sorted(o.cpu / t.cpu for o, t in (pairs if self.disturbed else calm))
        self.ratio, self.least, self.most = statistics.median(ratios), ratios[0], ratios[-1]

    def record(self):
        return {"ratio": round(self.ratio, 4), "least": round(self.least, 4), "most": round(self.most, 4), "calm_rounds": self.calm,
                "rounds": self.all, "disturbed": self.disturbed}
