#!/usr/bin/python3
"""
What a store has acknowledged is there after a crash, and all else is whole or absent.

  test_store_crash.py STORE_WRITER KILLS

KILLS times on each store: the writer is killed at a random moment of its writes; on PostgreSQL every second time the
server is killed instead.
"""
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3]))
import postgresql  # noqa: E402

STEP = 1_000_000  # numbers of one run


def write_until(writer, kind, address, first, kill):
    """The numbers that were acknowledged before kill(process) was called, at a random moment."""
    process = subprocess.Popen([writer, kind, address, str(first)], stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"the writer ended with {process.wait()} before its first acknowledgement")
        time.sleep(random.uniform(0, 0.03))
        kill(process)
        rest = process.stdout.read()
    finally:
        process.kill()
        process.wait()
    # The last line may be cut off: then nobody has read it.
    return {int(number) for number in (line + rest).split("\n")[:-1]}


def judge(acknowledged, rows, first):
    """`rows`: (number, side) of this run."""
    sides = {}
    for number, side in rows:
        sides.setdefault(number, []).append(side)
    lost = sorted(acknowledged - set(sides))
    torn = sorted(number for number, found in sides.items() if sorted(found) != [0, 1])
    if lost or torn:
        raise SystemExit(f"from {first}: {len(lost)} acknowledged are missing, {len(torn)} are not whole: "
                         f"{lost[:5]} {torn[:5]}")
    return len(acknowledged), len(sides)


def on_sqlite(writer, kills):
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/store.db"
        for run in range(kills):
            first = run * STEP
            acknowledged = write_until(writer, "sqlite", file, first, lambda process: process.kill())
            with sqlite3.connect(file) as db:
                rows = db.execute("SELECT number, side FROM pairs WHERE number >= ?", (first,)).fetchall()
                assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
                yield judge(acknowledged, rows, first)


def kill_server(server):
    def kill(process):
        server.stop(signal.SIGKILL)
        process.kill()
        server.start()
    return kill


def on_postgresql(writer, kills):
    with postgresql.PostgreSQL() as server:
        for run in range(kills):
            first = run * STEP
            kill = kill_server(server) if run % 2 else lambda process: process.kill()
            acknowledged = write_until(writer, "postgresql", server.address, first, kill)
            # A commit whose client is gone may still be under way.
            told = server.run("psql", "-At", "-F", " ", "-h", server.folder, "-U", "passerelle", "-d", "postgres",
                              "-c", f"SELECT number, side FROM pairs WHERE number >= {first}")
            rows = [tuple(map(int, line.split())) for line in told.splitlines()]
            yield judge(acknowledged, rows, first)


def report(name, results, kills):
    acknowledged = written = 0
    for run, (more, found) in enumerate(results, 1):
        acknowledged, written = acknowledged + more, written + found
        if run % 50 == 0:
            print(f"{name}: {run} of {kills} kills", flush=True)
    print(f"{name}: {kills} kills, {acknowledged} acknowledged, {written} written: none lost, none torn", flush=True)
    if not acknowledged:
        raise SystemExit("nothing was acknowledged: this shows nothing")


def main():
    writer, kills = sys.argv[1], int(sys.argv[2])
    report("SQLite", on_sqlite(writer, kills), kills)
    if postgresql.programs():
        report("PostgreSQL", on_postgresql(writer, kills), kills)
    else:
        print("PostgreSQL is not installed (apt install postgresql): only SQLite was tested")


if __name__ == "__main__":
    main()
