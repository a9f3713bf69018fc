#!/usr/bin/python3
"""Checks tests/model/job_lease.pml with spin: run.py [--full]

The model has no double owner and no lost job; each of its mutations has a counterexample; its states are those of the
code. --full: with more disorder of clocks and one step more, in a minute or two.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MODEL = ROOT / "tests/model/job_lease.pml"
STATES = ROOT / "gateway/config/job_config.h", ROOT / "gateway/job/job_state.h"
DEPTH = 3_000_000

# What is left out; what goes wrong then; and how much it takes to see it.
MUTATIONS = (
    ("NO_FENCING", "assertion violated", ("HURRY=1", "STEPS=2")),
    ("HASTY_TAKEOVER", "assertion violated", ("HURRY=1", "STEPS=1")),
    ("NO_UNCLAIM", "acceptance cycle", ("HURRY=1", "STEPS=1")),
    ("NO_RELEASE", "acceptance cycle", ("HURRY=2", "STEPS=1")),
)


def check(folder, *defines):
    """What the search says."""
    subprocess.run(["spin", "-a", *(f"-D{define}" for define in defines), MODEL], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run(["gcc", "-O1", "-w", "-DNFAIR=5", "-o", "pan", "pan.c"], cwd=folder, check=True)
    found = subprocess.run(["./pan", "-a", "-f", f"-m{DEPTH}"], cwd=folder, check=True, capture_output=True, text=True)
    return found.stdout


def check_names():
    text = re.sub(r"/\*.*?\*/", "", MODEL.read_text(), flags=re.DOTALL)
    code = "".join(path.read_text() for path in STATES)
    missing = {name for name in re.findall(r"\bJOB_[A-Z]+\b", text) if not re.search(rf"\b{name}\b", code)}
    if missing:
        sys.exit(f"the code has no {', '.join(sorted(missing))}")


def main():
    if not shutil.which("spin"):
        print("spin is not installed (apt install spin): the model is not checked")
        sys.exit(77)
    check_names()
    size = ("HURRY=2", "STEPS=2") if "--full" in sys.argv else ("HURRY=1", "STEPS=1")
    with tempfile.TemporaryDirectory() as folder:
        said = check(folder, *size)
        if "errors: 0" not in said or "max search depth too small" in said:
            sys.exit(said)
        print(re.search(r"\d+ states, stored", said)[0])
        for mutation, expected, size in MUTATIONS:
            said = check(folder, mutation, *size)  # ends with the first counterexample
            if "errors: 0" in said or expected not in said:
                sys.exit(f"{mutation} is not noticed:\n{said}")
            print(f"{mutation}: {expected}")


if __name__ == "__main__":
    main()
