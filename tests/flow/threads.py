"""A process that can make no further thread when a test wants it: as in a container whose pids.max is reached."""
import os
import pathlib
import subprocess

SOURCE = pathlib.Path(__file__).with_name("no_threads.c")


class Threads:
    """`under` is what Gateway wants: the command that runs it so."""

    def __init__(self, folder):
        library = folder / "no_threads.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-o", library, SOURCE],
                       check=True, timeout=60)
        self.none = folder / "no_threads"
        self.under = ["env", f"LD_PRELOAD={library}", f"NO_THREADS_WHILE={self.none}",
                      f"ASAN_OPTIONS=verify_asan_link_order=0:{os.environ.get('ASAN_OPTIONS', '')}"]

    def end(self):
        self.none.touch()

    def mend(self):
        self.none.unlink()
