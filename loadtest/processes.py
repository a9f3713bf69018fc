"""The processes of a load test: started on free ports, watched through /proc, stopped at the end."""
import ctypes
import os
import pathlib
import platform
import socket
import struct
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, process, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"{process.args[0]} ended with {process.returncode} before it listened")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"{process.args[0]} does not listen on port {port}")


def ask_for_short_slices(nanoseconds=100_000):
    """
    This process, and those that it starts: when one of them wakes up, it runs at once, before what runs already with usual
    slices (Linux 6.12). Without it a load waits for milliseconds on a machine that does other work. Where the kernel does not
    know it, nothing changes.
    """
    sched_setattr = {"x86_64": 314, "aarch64": 274}.get(platform.machine())
    attributes = struct.pack("IIQiIQQQ", 48, 0, 0, os.nice(0), 0, nanoseconds, 0, 0)
    if sched_setattr:
        ctypes.CDLL(None).syscall(sched_setattr, 0, attributes, 0)


def pinned(core, command):
    """The command, bound to that core, or unchanged where there is only one."""
    return ["taskset", "-c", str(core), *command] if os.cpu_count() > 1 else command


class Watched:
    """A process whose CPU time and memory are looked at. `errors`: a file for what it says of them. Use it in a `with` block."""

    def __init__(self, command, port, errors=None):
        self.port = port
        self.process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=errors)
        wait_for_port(port, self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def busiest(self):
        """The folder in /proc of the thread that has used most CPU time."""
        folders = list(pathlib.Path(f"/proc/{self.process.pid}/task").iterdir())
        return max(folders, key=lambda folder: int((folder / "schedstat").read_text().split()[0]))

    def cpu(self):
        """Seconds of CPU, user and system, of all its threads; to the nanosecond, unlike /proc/PID/stat."""
        total = 0
        folder = f"/proc/{self.process.pid}/task"
        for thread in os.listdir(folder):
            with open(f"{folder}/{thread}/schedstat") as file:
                total += int(file.read().split()[0])
        return total / 1e9

    def waited(self):
        """Seconds for which its threads were ready to run, and something else ran."""
        total = 0
        folder = f"/proc/{self.process.pid}/task"
        for thread in os.listdir(folder):
            with open(f"{folder}/{thread}/schedstat") as file:
                total += int(file.read().split()[1])
        return total / 1e9

    def memory(self):
        """Bytes in RAM that are its own: anonymous memory, without what is mapped from files."""
        with open(f"/proc/{self.process.pid}/status") as file:
            for line in file:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
        raise RuntimeError("the kernel does not say RssAnon")
