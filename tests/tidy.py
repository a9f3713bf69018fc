#!/usr/bin/python3
"""Runs clang-tidy over our C and headers, as many files at a time as there are processors: tidy.py BUILD.

Every finding is an error. The checks stand in .clang-tidy. Ends with "N passed, N failed", which counts files.
"""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# How many states the analyzer follows in one function: with its own 225,000 it takes five times as long.
OPTIONS = [f"--extra-arg-before={word}" for word in ("-Xclang", "-analyzer-config", "-Xclang", "max-nodes=50000")]


def sources_of(build):
    """Ours of all that the build compiles; the largest first, so that none is left for the end."""
    commands = json.loads((build / "compile_commands.json").read_text())
    files = {(build / command["file"]).resolve() for command in commands}
    ours = [file for file in files if ROOT in file.parents and build not in file.parents]
    return sorted(ours, key=lambda file: -file.stat().st_size)


# The analyzer takes half of the time. What it looks for in tests, running them under the sanitizers finds, too.
QUICK = ["--checks=-clang-analyzer-*"]
RUN_ANYWAY = ("tests", "loadtest")


def tidy(build, source):
    """What is found in the file and in the headers that it includes."""
    began = time.monotonic()
    words = QUICK if source.relative_to(ROOT).parts[0] in RUN_ANYWAY else OPTIONS
    done = subprocess.run(["clang-tidy", "--quiet", "-p", build, *words, source], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
    found = done.stdout if done.returncode == 0 else done.stdout + done.stderr
    return source, done.returncode == 0, found.strip(), time.monotonic() - began


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    sources = sources_of(build)
    good = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = [pool.submit(tidy, build, source) for source in sources]
        for n, run in enumerate(concurrent.futures.as_completed(runs), 1):
            source, passed, found, seconds = run.result()
            good += passed
            print(f"[{n}/{len(runs)}] {source.relative_to(ROOT)}, {seconds:.1f} s", flush=True)
            if found:
                print(found, flush=True)
            if not passed:
                print(f"FAILED: clang-tidy of {source.relative_to(ROOT)}", flush=True)
    print(f"{good} passed, {len(runs) - good} failed", flush=True)
    sys.exit(0 if runs and good == len(runs) else 1)


if __name__ == "__main__":
    main()
