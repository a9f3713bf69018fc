"""The longest turns of a process' event loops, measured from within (turns.c)."""
import pathlib
import struct
import subprocess
from typing import NamedTuple

SOURCE = pathlib.Path(__file__).with_name("turns.c")
ROW = struct.Struct("5q")
THREADS = 64


class Turn(NamedTuple):
    thread: int
    n: int           # how many turns that thread had
    longest: float   # milliseconds, in which it ran or was blocked, and not the machine elsewhere; also the next two
    in_all: float    # with that
    cpu: float


class Turns:
    """`under`: the command that runs a process whose turns are measured."""

    def __init__(self, folder):
        library, self.file = folder / "turns.so", folder / "turns"
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-D_GNU_SOURCE", "-o", library, SOURCE], check=True, timeout=60)
        self.clear()
        self.under = ["env", f"LD_PRELOAD={library}", f"TURNS={self.file}"]

    def clear(self):
        """Forgets the turns so far."""
        if not self.file.exists():
            self.file.write_bytes(bytes(ROW.size * THREADS))
            return
        with open(self.file, "r+b") as file:
            for at in range(THREADS):
                file.seek(at * ROW.size + 8)
                file.write(bytes(ROW.size - 8))

    def read(self):
        rows = ROW.iter_unpack(self.file.read_bytes())
        return [Turn(thread, n, *(time / 1e6 for time in times)) for thread, n, *times in rows if thread]
