"""
The healthy route: calls of a service that no fault concerns, through the same gateway, and how long they take.

h2load makes them at a steady rate and logs the time of each; loadtest/upstream answers them. Both and the gateway run
with a real-time priority where that is permitted: what is to be seen is what the faults do to the gateway, and not who
else wants the machine.
"""
import math
import os
import shutil
import subprocess

from world import hurry


RATE = 400  # calls per second, on four connections


class Calm:
    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        (folder / "answer.grpc").write_bytes(b"\x0a\x02ok")  # Answer{text: "ok"}
        (folder / "answer.json").write_text("{}")
        self.n = 0

    def serve(self, port):
        child = subprocess.Popen([self.build / "loadtest/upstream", str(port), self.folder / "answer.grpc",
                                  self.folder / "answer.json"], stdout=subprocess.PIPE)
        child.stdout.readline()
        hurry(child.pid)
        return child

    def measure(self, world, seconds):
        """Starts measuring, for so many seconds; the result is a Times when .wait() has been called."""
        self.n += 1
        return Times(self.folder / f"times{self.n}", world.gateway, seconds)


class Times:
    def __init__(self, log, gateway, seconds):
        self.log, self.gateway, self.cpu_before = log, gateway, cpu_of(gateway)
        self.seconds = seconds
        log.unlink(missing_ok=True)
        self.child = subprocess.Popen(
            ["h2load", "--h1", "-c", "4", "-t", "1", "--rps", str(RATE // 4), "-D", f"{seconds:.0f}",
             f"--log-file={log}", f"http://{gateway.address}/v1/calm/x"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        hurry(self.child.pid)

    def wait(self):
        assert self.child.wait(self.seconds + 60) == 0, "h2load has failed"
        self.cpu = (cpu_of(self.gateway) - self.cpu_before) / self.seconds
        rows = [line.split("\t") for line in self.log.read_text().splitlines()]
        self.times = sorted(int(row[2]) / 1000 for row in rows if row[1] == "200")
        self.n_failed = len(rows) - len(self.times)
        return self

    def percentile(self, share):
        """Milliseconds in which this share of the calls was answered."""
        return self.times[min(math.ceil(len(self.times) * share), len(self.times)) - 1]


def cpu_of(gateway):
    """Seconds of processor time that it has used."""
    with open(f"/proc/{gateway.process.child.pid}/stat") as stat:
        fields = stat.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_there(build):
    """Whether it can be measured."""
    return shutil.which("h2load") and (build / "loadtest/upstream").exists()
