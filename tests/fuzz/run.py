#!/usr/bin/python3
"""Fuzzes each target for so many seconds, as many at a time as there are processors: run.py BUILD SECONDS [SEED].

With a seed the inputs are the same each time, as many as there is time for: a gate does not fail by luck. What it finds stays in BUILD/findings. Ends with "N passed, N failed".
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

SEEDS = pathlib.Path(__file__).resolve().parent / "seeds"


def fuzz(build, target, seconds, seed):
    """True when nothing was found; otherwise what the target says is printed, in one piece."""
    noun = target.name.removeprefix("fuzz_")
    words = SEEDS.parent / f"{noun}.dict"
    corpus, findings = build / "corpus" / noun, build / "findings" / noun
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([target, f"-max_total_time={seconds}", f"-seed={seed}", "-print_final_stats=1", "-verbosity=0",
                           f"-artifact_prefix={findings}/", *([f"-dict={words}"] if words.exists() else []),
                           corpus, SEEDS / noun],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        print(f"{done.stdout}\nFAILED: fuzz target {noun}, see {findings}", flush=True)
    else:
        runs = re.search(r"number_of_executed_units: *(\d+)", done.stdout)
        print(f"{noun}: {seconds} s, {runs[1] if runs else '?'} inputs, nothing found", flush=True)
    return done.returncode == 0


def main():
    build, seconds = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    seed = sys.argv[3] if len(sys.argv) > 3 else 0  # 0: another one each time
    targets = sorted(path for path in (build / "tests/fuzz").glob("fuzz_*") if path.is_file())
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        good = list(pool.map(lambda target: fuzz(build, target, seconds, seed), targets))
    print(f"{sum(good)} passed, {len(good) - sum(good)} failed", flush=True)
    sys.exit(0 if good and all(good) else 1)


if __name__ == "__main__":
    main()
