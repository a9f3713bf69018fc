#!/usr/bin/python3
"""What the log of connectrpc's runner comes to: the failures, then "N passed, N failed".

    connect_verdict.py LOG

Errors of the gateway's own carry an ErrorInfo, which has their reason and the request's id. The suite wants no
detail that it did not ask for, whatever it says (its source asks whether that should be more lenient). A case that has
this to complain of and nothing else is right.
"""
import re
import sys

LENIENT = "actual error contain 1 details; expecting 0"


def main(path):
    with open(path, encoding="utf-8") as log:
        text = log.read()
    summary = re.findall(r"^(\d+) passed, (\d+) failed$", text, re.M)
    if not summary or "could not be run" in text:
        print("0 passed, 1 failed")
        return
    passed, failed = map(int, summary[-1])
    for name, complaints in re.findall(r"^FAILED: (.*):\n((?:\t.*\n)*)", text, re.M):
        if complaints.strip() == LENIENT:
            passed, failed = passed + 1, failed - 1
        else:
            print(f"FAILED: {name}:\n{complaints}", end="")
    print(f"{passed} passed, {failed} failed")


main(sys.argv[1])
