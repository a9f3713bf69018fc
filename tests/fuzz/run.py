#!/usr/bin/python3
"""Fuzzes each target for so many seconds: run.py BUILD SECONDS. What it finds stays in BUILD/findings."""
import pathlib
import subprocess
import sys

build, seconds = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
seeds = pathlib.Path(__file__).resolve().parent / "seeds"
targets = sorted(path for path in (build / "tests/fuzz").glob("fuzz_*") if path.is_file())
found = []
for target in targets:
    noun = target.name.removeprefix("fuzz_")
    corpus, findings = build / "corpus" / noun, build / "findings" / noun
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    print(f"{noun}: {seconds} s", flush=True)
    done = subprocess.run([target, f"-max_total_time={seconds}", "-print_final_stats=1", "-verbosity=0",
                           f"-artifact_prefix={findings}/", corpus, seeds / noun])
    if done.returncode:
        found.append(noun)
print(f"{len(targets)} targets, findings in {', '.join(found) or 'none'}")
sys.exit(1 if found or not targets else 0)
