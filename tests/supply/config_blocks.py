"""Each config in the documentation has only keys that there are: config_blocks.py PASSERELLE.

A block marked `yaml` is a config, or a part of one, if its first level has a key of a config. What such a part lacks (instances, files,
other services) is no mistake."""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^( *)```yaml\n(.*?)^ *```$", re.M | re.S)
# What a part of a config lacks, and values that are left open (`...`).
ABSENT = re.compile(r"the key \w+ is missing|there is no service|has no (version|instances)|No such file|is here twice|^\S+: \.\.\. is not|"
                    r"SHA-256 has 64|has the same token|its beginning is not|nobody counts who uses what|no job begins with|"
                    r"neither a member of a record nor a field|a path that is passed through has no versions")


def keys_of_config():
    page = (ROOT / "docs/config.md").read_text()
    table = page[page.index("\n## Config\n"):].split("\n## ")[1]
    return set(re.findall(r"^\| `(\w+)` \|", table, re.M))


def blocks():
    """(page, line, text) of each config."""
    keys = keys_of_config()
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = page.read_text()
        for block in BLOCK.finditer(text):
            first = set(re.findall(r"^(\w+):", block[2], re.M))
            if first & keys:
                yield page.relative_to(ROOT), text.count("\n", 0, block.start()) + 1, block[2]


def main(passerelle):
    wrong, n = [], 0
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "c.yaml"
        for page, line, text in blocks():
            n += 1
            file.write_text(text)
            done = subprocess.run([passerelle, "check", str(file)], capture_output=True, text=True)
            for problem in re.findall(r"^\S*c\.yaml:(\d+):\d+: (.*)", done.stdout + done.stderr, re.M):
                if not ABSENT.search(problem[1]):
                    wrong.append(f"{page}:{line + int(problem[0])}: {problem[1]}")
    return wrong, n


if __name__ == "__main__":
    found, count = main(sys.argv[1])
    print(*found, f"{count} configs, {len(found)} mistakes", sep="\n")
    sys.exit(bool(found) or not count)
