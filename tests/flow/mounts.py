"""A folder that hangs when a test wants it, for one process: as a network mount whose server is gone."""
import os
import pathlib
import subprocess

SOURCE = pathlib.Path(__file__).with_name("hung_mount.c")


class Mount:
    """`under` is what Gateway wants: the command that runs it with this folder."""

    def __init__(self, folder):
        library = folder / "hung_mount.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-o", library, SOURCE],
                       check=True, timeout=60)
        self.folder = folder / "mount"
        self.folder.mkdir()
        self.hangs = folder / "hangs"
        self.under = ["env", f"LD_PRELOAD={library}", f"HUNG_FOLDER={self.folder}", f"HUNG_WHILE={self.hangs}",
                      f"ASAN_OPTIONS=verify_asan_link_order=0:{os.environ.get('ASAN_OPTIONS', '')}"]

    def hang(self):
        self.hangs.touch()

    def mend(self):
        self.hangs.unlink()
