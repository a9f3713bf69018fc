#!/usr/bin/python3
"""Runs the tests of one build folder: run.py BUILD [unit]. Ends with "N passed, N failed".

With `unit` the flow tests are left out. The sum counts each Meson test (suites unit and seeds) and each pytest test. Fails when any failed, when
a part could not run at all, or when nothing ran.
"""
import json
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent


def meson_tests(build):
    """(passed, failed) of the unit tests and the fuzz seeds."""
    log = build / "meson-logs/testlog.json"
    log.unlink(missing_ok=True)
    code = subprocess.run(["meson", "test", "-C", build, "--suite", "unit", "--suite", "seeds",
                           "--print-errorlogs", "--timeout-multiplier", "4"]).returncode
    if not log.exists():
        return 0, 1
    results = [json.loads(line)["result"] for line in log.read_text().splitlines()]
    failed = sum(result not in ("OK", "EXPECTEDFAIL", "SKIP") for result in results)
    return results.count("OK"), failed or int(code != 0)


def node_clients():
    """Installs the JavaScript clients of the flow tests; a failure is said, and their tests then fail."""
    node = ROOT / "tests/flow/node"
    if not (node / "node_modules").exists():
        print("Installing the JavaScript clients", flush=True)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=node)


def flow_tests(build):
    """(passed, failed) of the tests with real clients and real backends: one file at a time on each processor."""
    report = build / "flow-tests.xml"
    report.unlink(missing_ok=True)
    environment = dict(os.environ, PASSERELLE=str(build / "passerelle"), PYTHONDONTWRITEBYTECODE="1",
                       SHOP_STUBS=str(build / "examples/shop/stubs"))
    code = subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "--junitxml", report,
                           "-p", "no:cacheprovider", ROOT / "tests/flow",
                           "-n", "auto", "--maxprocesses", "16", "--dist", "loadfile"],
                          env=environment, cwd=ROOT).returncode
    if not report.exists():
        return 0, 1
    suite = xml.etree.ElementTree.parse(report).getroot().find("testsuite")
    count = {key: int(suite.get(key)) for key in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    passed = count["tests"] - failed - count["skipped"]
    return passed, failed or int(code != 0)


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
