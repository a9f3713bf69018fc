#!/usr/bin/python3
"""Runs the tests of one build folder: run.py BUILD [unit]. Ends with "N passed, N failed".

With `unit` the flow tests are left out. The sum counts each Meson test (suites unit and seeds) and each pytest test.
Fails when any failed, when a part could not run at all, or when nothing ran.

A test that failed beside others is run once more by itself. It counts by what it says then, and a test that passes only
then is named as unsteady: it depends on how busy the machine is, and is a fault of the test or of ours.
"""
import json
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent


# At a time, on two processors three: tests wait more than they compute.
AT_A_TIME = str(min(16, max(2, os.cpu_count() * 3 // 2)))


def meson_run(build, *words):
    """{name: whether it passed} of the unit tests and the fuzz seeds; nothing when they could not run."""
    log = build / "meson-logs/testlog.json"
    log.unlink(missing_ok=True)
    code = subprocess.run(["meson", "test", "-C", build, "--suite", "unit", "--suite", "seeds", "--print-errorlogs",
                           "--timeout-multiplier", "4", *words]).returncode
    results = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    passed = {result["name"]: result["result"] in ("OK", "EXPECTEDFAIL")
              for result in results if result["result"] != "SKIP"}
    return passed if code == 0 or not all(passed.values()) else {}


def meson_tests(build):
    return twice(lambda: meson_run(build, "--num-processes", AT_A_TIME),
                 lambda failed: meson_run(build, "--no-rebuild", "--num-processes", "1",
                                          *(name.split(" / ")[-1] for name in failed)))


def node_clients():
    """Installs the JavaScript clients of the flow tests; a failure is said, and their tests then fail."""
    node = ROOT / "tests/flow/node"
    if not (node / "node_modules").exists():
        print("Installing the JavaScript clients", flush=True)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=node)


def flow_run(build, *words):
    """{name: whether it passed} of the tests with real clients and real backends; nothing when they could not run."""
    report = build / "flow-tests.xml"
    report.unlink(missing_ok=True)
    environment = dict(os.environ, PASSERELLE=str(build / "passerelle"), PYTHONDONTWRITEBYTECODE="1",
                       SHOP_STUBS=str(build / "examples/shop/stubs"))
    code = subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "--junitxml", report,
                           "-o", f"cache_dir={build / 'pytest-cache'}", ROOT / "tests/flow", *words],
                          env=environment, cwd=ROOT).returncode
    cases = xml.etree.ElementTree.parse(report).getroot().iter("testcase") if report.exists() else []
    passed = {}
    for case in cases:
        name = f"{case.get('classname')}.{case.get('name')}"
        # A test whose teardown fails has two cases.
        if case.find("skipped") is None:
            passed[name] = passed.get(name, True) and case.find("failure") is None and case.find("error") is None
    return passed if code == 0 or not all(passed.values()) else {}


def flow_tests(build):
    """A file at a time in each process; those that failed, one after the other."""
    return twice(lambda: flow_run(build, "-n", AT_A_TIME, "--dist", "loadfile"),
                 lambda failed: flow_run(build, "--last-failed", "--last-failed-no-failures", "none"))


def twice(run, run_alone):
    """(passed, failed) of a run in which those that failed are run again."""
    passed = run()
    if not passed:
        return 0, 1
    failed = [name for name, good in passed.items() if not good]
    if failed:
        print(f"Once more, each by itself: {', '.join(failed)}", flush=True)
        again = run_alone(failed)
        unsteady = [name for name in failed if again.get(name)]
        failed = [name for name in failed if not again.get(name)]
        for word, names in ("UNSTEADY, passed by itself", unsteady), ("FAILED", failed):
            print("".join(f"{word}: {name}\n" for name in names), end="", flush=True)
    return len(passed) - len(failed), len(failed)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    passed, failed = meson_tests(build)
    if sys.argv[2:] != ["unit"]:
        node_clients()
        flow = flow_tests(build)
        passed, failed = passed + flow[0], failed + flow[1]
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.exit(0 if passed and not failed else 1)


if __name__ == "__main__":
    main()
