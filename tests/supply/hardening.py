"""Hardening of a built program, as readelf sees it: hardening.py BINARY. Every line that is missing fails."""
import re
import subprocess
import sys


def readelf(*options):
    return subprocess.run(["readelf", "-W", *options, sys.argv[1]], capture_output=True, text=True, check=True).stdout


header, segments, dynamic, symbols = readelf("-h"), readelf("-l"), readelf("-d"), readelf("--dyn-syms")
fortified = set(re.findall(r"(__\w+_chk)@", symbols)) - {"__stack_chk_fail"}
stack = re.search(r"GNU_STACK.* (R[W ]?[E ]?) ", segments)
checks = {
    "it is loaded at a random address (PIE)": "DYN" in header and re.search(r"FLAGS_1.*\bPIE\b", dynamic),
    "addresses of functions are read-only when it runs (RELRO)": "GNU_RELRO" in segments,
    "... all of them, from the start (BIND_NOW)": "BIND_NOW" in dynamic or re.search(r"FLAGS_1.*\bNOW\b", dynamic),
    "its stack is no code (NX)": stack and "E" not in stack[1],
    "no segment is both written and executed": not re.search(r"LOAD .* RWE ", segments),
    "a stack that was written past an array ends the process (stack protector)": "__stack_chk_fail" in symbols,
    f"copies are checked against the size of what they fill (fortify: {len(fortified)} functions)": len(fortified) >= 8,
    "no library is looked for in a folder of its own (RPATH)": not re.search(r"\((RPATH|RUNPATH)\)", dynamic),
    "no relocation writes into code (TEXTREL)": "TEXTREL" not in dynamic,
}
for name, good in checks.items():
    print(f"{'yes' if good else 'NO '}  {name}")
sys.exit(not all(checks.values()))
