"""Runs a page of docs/how-to: its commands against the shop, and compares what they print with what the page says.

Blocks marked `sh` are commands, and run one after another in one shell, in the folder of the shop. A block marked `text` behind them is
what they print: a line `...` stands for any number of lines, and a line that ends in ` ...` for all that begin so. Times, ids,
fractions, what h2load counts and widths of columns may differ. Commands without such a block have to succeed. Blocks with another mark are not looked at.

    how_to.py PAGE      prints what the commands of a page print now, to be pasted
"""
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
VARYING = [(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"), (r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", "TIME"), (r"(?<![0-9a-z])(?=[a-z]*\d)[0-9a-f]{8,}(?![0-9a-z])", "ID"),
           (r"\d+\.\d+(?=s|ms| |$)", "N"), (r"\buid \d+", "uid N"), (r"\b\d+ (microseconds|[2-5]xx)", r"N \1"), (r"127\.0\.0\.1:\d{5}\b", "PEER"), (r"\s+", " ")]


def steps_of(page):
    """[commands, what they print, or None] of each block `sh` of a page."""
    steps = []
    for mark, text in BLOCK.findall(page):
        if mark == "sh":
            steps.append([text, None])
        elif mark == "text" and steps and steps[-1][1] is None:
            steps[-1][1] = text
    return steps


def alike(line):
    for pattern, word in VARYING:
        line = re.sub(pattern, word, line)
    return line.strip()


def fits(said, printed):
    """Whether lines that were printed are those that a page says."""
    if not said:
        return not printed
    if said[0] == "...":
        return any(fits(said[1:], printed[skip:]) for skip in range(len(printed) + 1))
    if not printed:
        return False
    one, other = alike(said[0]), alike(printed[0])
    return (other.startswith(one[:-4]) if one.endswith(" ...") else one == other) and fits(said[1:], printed[1:])


class Shop:
    """`make shop` in a folder, on free ports."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / "shop"
        build = pathlib.Path(os.environ.get("PASSERELLE", ROOT / "build/passerelle")).parent
        self.process = subprocess.Popen(["/usr/bin/python3", "-B", str(ROOT / "examples/shop/start.py"), str(self.folder), "--any-ports"],
                                        stdout=subprocess.PIPE, text=True, env={**os.environ, "BUILD": str(build)})
        lines = [self.process.stdout.readline() for _ in range(3)]
        self.ports = dict(pair.split("=") for pair in lines[2].split())

    def run(self, steps):
        """(exit code, lines printed) of each step; None for those that a shell which has ended did not come to."""
        script = "".join(f"{commands}\necho; echo @step $?\n" for commands, _ in steps)
        done = subprocess.run(["bash", "-c", f". ./env\n{self.with_ports(script)}"], cwd=self.folder, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        parts = re.split(r"^@step (\d+)\n", self.with_ports(done.stdout, back=True), flags=re.M)
        results = [(int(code), text.strip("\n").splitlines()) for text, code in zip(parts[::2], parts[1::2])]
        return results + [None] * (len(steps) - len(results))

    def with_ports(self, text, back=False):
        names = {port: wish for wish, port in self.ports.items()} if back else self.ports
        return re.sub(r"\b(" + "|".join(names) + r")\b", lambda found: names[found[1]], text)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


@contextlib.contextmanager
def shop():
    with tempfile.TemporaryDirectory(prefix="how-to-") as folder:
        running = Shop(folder)
        try:
            yield running
        finally:
            running.stop()


def troubles(path, running):
    """What is not as a page says."""
    steps = steps_of(path.read_text())
    for (commands, said), result in zip(steps, running.run(steps)):
        if result is None:
            yield f"{commands}was not run: the shell has ended"
        elif said is None and result[0]:
            yield f"{commands}exit code {result[0]}:\n" + "\n".join(result[1])
        elif said is not None and not fits(said.splitlines(), result[1]):
            yield f"{commands}prints:\n" + "\n".join(result[1]) + f"\nand not:\n{said}"


if __name__ == "__main__":
    with shop() as started:
        page_steps = steps_of(pathlib.Path(sys.argv[1]).read_text())
        for (asked, _), answer in zip(page_steps, started.run(page_steps)):
            print(asked, "=> ", answer and answer[0], "\n", "\n".join(answer[1] if answer else []), "\n", sep="")
