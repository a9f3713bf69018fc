"""What the change of the version costs each message of a stream: instructions, which other processes do not disturb."""
import re
import subprocess

from processes import ROOT

NAME = "change of a message of a stream"
SCENARIO = "gRPC small message of a full frame"


def measure_all(run):
    done = run.results.setdefault("instructions", {})
    if not run.wants(f"Instructions: {NAME}") or NAME in done:
        return
    said = subprocess.run([ROOT / "loadtest/instructions", run.build, "--only", SCENARIO, "--no-memory"], capture_output=True, text=True).stdout
    found = {version: int(figure.replace(",", "")) for version, figure in re.findall(rf"{SCENARIO}, (v[13]) to v3 +([\d,]+)", said)}
    if set(found) != {"v1", "v3"}:
        run.note(f"instructions of messages could not be counted: {said.strip()[-200:]}")
        return
    done[NAME] = found["v1"] - found["v3"]
    run.say(f"Instructions: {NAME}: {done[NAME]:,}")
    run.save()
