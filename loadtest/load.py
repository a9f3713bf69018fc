"""One load: h2load against one contender, and what it cost the contender's process."""
import re
import subprocess


class Load:
    """What is asked for, and how. `data` is a file that is sent; `h1` speaks HTTP/1.1."""

    def __init__(self, path, h1=False, fields=(), data=None, connections=16, streams=16):
        self.path, self.h1, self.fields, self.data = path, h1, fields, data
        self.connections, self.streams = connections, streams

    def command(self, port, calls):
        command = ["h2load", "-n", str(calls), "-c", str(self.connections), "-t", "1"]
        command += ["--h1"] if self.h1 else ["-m", str(self.streams)]
        for field in self.fields:
            command += ["-H", field]
        if self.data:
            command += ["-d", str(self.data)]
        return command + [f"http://127.0.0.1:{port}{self.path}"]


class Cost:
    def __init__(self, cpu, slowest):
        self.cpu = cpu          # microseconds of CPU per call
        self.slowest = slowest  # milliseconds


MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def run(contender, port, load, calls):
    before = contender.cpu()
    done = subprocess.run(load.command(port, calls), capture_output=True, text=True)
    cpu = contender.cpu() - before
    good = re.search(r"status codes: (\d+) 2xx", done.stdout)
    if done.returncode or not good or int(good.group(1)) != calls:
        raise SystemExit(f"not every call was answered well: {' '.join(load.command(port, calls))}\n"
                         f"{done.stdout}{done.stderr}")
    time = re.search(r"time for request: +\S+ +([\d.]+)(us|ms|s)", done.stdout)
    return Cost(cpu / calls * 1e6, float(time.group(1)) * MILLISECONDS[time.group(2)])
