"""
A gateway whose instructions are counted by valgrind's callgrind.

Callgrind dumps its count and starts again from zero each time that the gateway calls accept4(). So opening a connection
sets a mark. The count between two marks is exact, and excludes the start and the end of the process.
"""
import re
import time

import contenders
import lockstep


ACCEPTED = 0.02  # of the work, at most, to accept a connection


class Interrupted(Exception):
    """A count that says nothing."""


class Counted:
    """Use it in a `with` block, and `counted()` after the block."""

    def __init__(self, build, folder, upstream, config="", route="", services="", instances="", listen="", connects=False):
        """`connects`: the work opens connections, each of which ends a dump."""
        self.out, self.connects = folder / "callgrind.out", connects
        self.marks, self.first, self.last = [], None, None
        config += "overload: {shed: false, delay: 10s, interval: 10s}\n"  # it is so slow that it may well be overloaded
        self.gateway = contenders.start_gateway(build, folder, upstream, under=[
            "valgrind", "--tool=callgrind", "--dump-before=accept4", "--dump-line=no",
            f"--callgrind-out-file={self.out}", f"--log-file={folder / 'valgrind.log'}"], config=config, route=route,
            services=services, instances=instances, listen=listen)
        self.port = self.gateway.port

    def __enter__(self):
        self.gateway.__enter__()
        return self

    def __exit__(self, *error):
        for mark in self.marks:
            mark.close()
        self.gateway.__exit__(*error)

    def dumps(self):
        return [int(path.suffix[1:]) for path in self.out.parent.glob("callgrind.out.*")]

    def mark(self):
        """Waits until the gateway accepts a new connection; returns the number of the dump that ends there."""
        before = len(self.dumps())
        self.marks.append(lockstep.connect(self.port))
        end = time.monotonic() + lockstep.SECONDS
        while len(self.dumps()) == before:
            if time.monotonic() > end:
                raise SystemExit("callgrind did not see the gateway call accept4()")
            time.sleep(0.002)
        return before + 1

    def count(self, work):
        self.first = self.mark()
        work()
        self.last = self.mark()

    def counted(self):
        """
        The dump of the work: the largest between the marks. The others only contain the accepting of marks, unless somebody
        else has connected meanwhile: then the work is in several dumps, and counts for nothing. That is so, too, where the work connects,
        but then all of them are of it: see instructions().
        """
        *others, largest = self.between()
        if not self.connects and sum(map(total, others)) > ACCEPTED * total(largest):
            raise Interrupted("another process has connected to the gateway while its instructions were counted")
        return largest

    def between(self):
        """The dumps between the marks, the largest last."""
        return sorted((self.path(dump) for dump in self.dumps() if self.first < dump <= self.last), key=total)

    def instructions(self):
        """Of the work."""
        return sum(map(total, self.between())) if self.connects else total(self.counted())

    def path(self, dump):
        return self.out.parent / f"{self.out.name}.{dump}"


def total(path):
    """The instructions of one dump."""
    return int(re.search(r"^totals: (\d+)", path.read_text(), re.MULTILINE).group(1))
