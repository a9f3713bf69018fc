"""Says what fails in a process of passerelle-faults, and compares its log with its ledger afterwards."""
import json
import mmap
import os
import struct

from operators import on_socket

KINDS = ["read", "read_end", "write", "write_full", "write_short", "connect", "connect_late", "socket", "accept",
         "accept_gone", "resolve", "file", "tls", "tls_memory", "memory"]  # in the order of Kind in faults.c
SEEN, FAILED = 32, 32 + 16 * 8


class Control:
    """The file that is shared with one process. `environment` is for that process."""

    def __init__(self, path):
        path.write_bytes(bytes(4096))
        # Libraries abort without a word; the sanitizer tells where.
        options = f"{os.environ.get('ASAN_OPTIONS', '')}:handle_abort=1"
        self.environment = {"PASSERELLE_FAULTS": str(path), "ASAN_OPTIONS": options}
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 4096)

    def _set(self, at, number):
        self.memory[at:at + 8] = struct.pack("=Q", number)

    def _numbers(self, at):
        return dict(zip(KINDS, struct.unpack_from(f"={len(KINDS)}Q", self.memory, at)))

    def arm(self, kind, nth):
        """From now on the nth of this kind fails."""
        self.disarm()
        self._clear()
        self._set(8, nth)
        self._set(16, 0)
        self._set(0, 1 << KINDS.index(kind))

    def arm_by_chance(self, one_in, seed, kinds=KINDS):
        self.disarm()
        self._clear()
        self._set(16, one_in)
        self._set(24, seed)
        self._set(0, sum(1 << KINDS.index(kind) for kind in kinds))

    def disarm(self):
        self._set(0, 0)

    def _clear(self):
        self.memory[SEEN:SEEN + 256] = bytes(256)

    @property
    def seen(self):
        return self._numbers(SEEN)

    @property
    def failed(self):
        return self._numbers(FAILED)


def ask_admin(path, page):
    """The body of a page, by the admin socket."""
    answer = on_socket(path, "GET", page, timeout=20)
    assert answer.status == 200, (page, answer.status, answer.body)
    return answer.body.decode()


def failures_in_ledger(admin_socket):
    """How many failed calls the ledger has."""
    page = json.loads(ask_admin(admin_socket, "/errors"))
    evicted = page["evicted_failures"]["count"] + page["evicted_mistakes"]["count"]
    return evicted + sum(row["count"] for row in page["failures"] + page["mistakes"] if row["of"] == "call")


def failures_in_log(lines):
    """How many failed calls the log has: also those that were refused before they were calls."""
    return sum("causes" in line if line["log"] == "call" else line["event"] in ("request_refused", "response_lost")
               for line in lines)
