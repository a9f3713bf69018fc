"""What the package says twice is the same: packaging.py VERSION."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# debhelper's own, and what every Debian that builds packages has.
IMPLIED = {"gcc", "python3"}


def section(name):
    text = re.search(rf"^\[{name}\]\n(.*?)(^\[|\Z)", (ROOT / "debian-packages").read_text(), re.M | re.S)[1]
    return {line.split()[0] for line in text.splitlines() if line and not line.startswith("#")}


def imported():
    """Packages of what the scripts of the build import, but Python's own modules and each other."""
    scripts = [script for folder in ("base", "adapters", "protocols", "gateway") for script in (ROOT / folder).rglob("*.py")]
    scripts += [ROOT / "docs/config_schema.py", ROOT / "docs/config_reference.py"]
    names = {name for script in scripts for name in re.findall(r"^(?:from|import) (\w+)", script.read_text(), re.M)}
    others = names - sys.stdlib_module_names - {script.stem for script in scripts}
    return {{"google": "python3-protobuf"}.get(name, name) for name in others}


control = (ROOT / "debian/control").read_text()
depends = re.search(r"^Build-Depends:\n((?: .*\n)+)", control, re.M)[1]
needed = {re.split(r"[ (:,]", line.strip())[0] for line in depends.splitlines()} - {"debhelper-compat", "python3"}
changelog = re.match(r"passerelle \((.*?)\)", (ROOT / "debian/changelog").read_text())[1]
news = re.search(r"^## (\d\S*?),? ", (ROOT / "CHANGELOG.md").read_text(), re.M)[1]
checks = {
    "the package is built with the packages of debian-packages [build]": needed == section("build") - IMPLIED,
    "so are the scripts that the build runs": imported() <= section("build"),
    f"its version is the program's ({changelog}, {sys.argv[1]})": changelog == sys.argv[1],
    f"CHANGELOG.md begins with it ({news})": news == sys.argv[1],
}
for name, good in checks.items():
    print(f"{'yes' if good else 'NO '}  {name}")
sys.exit(not all(checks.values()))
