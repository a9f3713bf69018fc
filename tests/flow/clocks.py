"""A wall clock that a test sets, for one process."""
import os
import pathlib
import struct
import subprocess

SOURCE = pathlib.Path(__file__).with_name("wall_clock.c")


class WallClock:
    """`under` is what Gateway wants: the command that runs it with this clock."""

    def __init__(self, folder):
        library = folder / "wall_clock.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-o", library, SOURCE],
                       check=True, timeout=60)
        self.file = folder / "wall_clock"
        self.shift(0)
        self.under = ["env", f"LD_PRELOAD={library}", f"WALL_CLOCK={self.file}",
                      f"ASAN_OPTIONS=verify_asan_link_order=0:{os.environ.get('ASAN_OPTIONS', '')}"]

    def shift(self, seconds):
        """From the machine's clock; the process sees it at once."""
        with open(self.file, "r+b" if self.file.exists() else "w+b") as file:
            file.write(struct.pack("q", seconds))
