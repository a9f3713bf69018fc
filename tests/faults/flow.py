#!/usr/bin/python3
"""Faults by chance through the flow tests: flow.py BUILD [ARGUMENT of pytest...]. Ends with "N passed, N failed".

One operation in 1000 (ONE_IN) fails in each gateway, chosen by SEED (1) and the name of the test. Tests may fail by that,
and are not counted; gateways are, whatever their test says: see chance.py. Each file of tests has such gateways, but for
those of WITHOUT.
"""
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

# Files of tests that cannot run under faults, and why.
WITHOUT = {
    "test_backends.py": "of the shop's instances, without a gateway",
    "test_hints.py": "of `passerelle check`, which serves nothing",
    "test_memory.py": "under valgrind, which brings its own functions for memory",
}
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def file_of(line):
    return pathlib.Path(line["test"].split("::")[0]).name


def files_without(lines):
    """What is wrong with WITHOUT."""
    ran, faulty = {file_of(line) for line in lines if "begins" in line}, {file_of(line) for line in lines if "faults" in line}
    return [{"test": file, "wrong": "it has no gateway with faults, and no reason in WITHOUT"} for file in ran - faulty - set(WITHOUT)] + \
        [{"test": file, "wrong": "it can run under faults: it is not to be in WITHOUT"} for file in faulty & set(WITHOUT)]


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.NamedTemporaryFile(prefix="faults-") as report:
        environment = dict(os.environ, FAULTS_REPORT=report.name, FAULTS_ONE_IN=os.environ.get("ONE_IN", "1000"),
                           FAULTS_SEED=os.environ.get("SEED", "1"), PYTHONDONTWRITEBYTECODE="1",
                           PYTHONPATH=f"{ROOT}/tests/faults:{ROOT}/tests/flow",
                           PASSERELLE=str(build / "tests/faults/passerelle-faults"),
                           SHOP_STUBS=str(build / "examples/shop/stubs"))
        subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", "-p", "chance",
                        "-n", "2", "--dist", "loadfile", *(sys.argv[2:] or [ROOT / "tests/flow"])], env=environment, cwd=ROOT)
        lines = [json.loads(line) for line in report]
    wrong = [line for line in lines if "wrong" in line] + files_without(lines)
    gateways = [line for line in lines if "faults" in line]
    faults = collections.Counter()
    for line in gateways:
        faults.update(line["faults"])
    for line in wrong:
        print(f"FAILED: {line['test']}: {line['wrong']}")
    print(f"{len(gateways)} gateways, {sum(line['failures'] for line in gateways)} failed calls; faults: "
          + ", ".join(f"{n} {kind}" for kind, n in faults.most_common()))
    bad = len({line["test"] for line in wrong})
    print(f"{max(0, len(gateways) - bad)} passed, {bad} failed")
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
