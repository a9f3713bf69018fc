"""The bill of materials: test_sbom.py BINARY VERSION: what is linked is in it, and twice it is the same."""
import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
BINARY, VERSION = sys.argv[1:3]


def made():
    return subprocess.run([sys.executable, HERE / "sbom.py", BINARY, VERSION], capture_output=True, text=True, check=True,
                          env={"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": "1700000000"}).stdout


text = made()
bill = json.loads(text)
assert text == made(), "the same program gave another bill"
assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.5", 1)
assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bill["serialNumber"])
assert bill["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"
assert bill["metadata"]["component"]["version"] == VERSION
names = {one["name"] for one in bill["components"]}
wanted = {"libc6", "libssl3", "libsqlite3-0", "libpq5", "libcurl4", "libuv1", "libc-ares2", "libprotobuf-c1", "zlib1g", "libzstd1",
          "libbrotli1", "libyaml-0-2", "libseccomp2"}
assert wanted <= names, wanted - names
refs = [one["bom-ref"] for one in bill["components"]]
assert len(refs) == len(set(refs)) and bill["dependencies"] == [{"ref": "passerelle", "dependsOn": refs}]
needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", subprocess.run(["readelf", "-dW", BINARY], capture_output=True, text=True, check=True).stdout))
files = [Path(file["name"]).name for one in bill["components"] for file in one["components"]]
for library in needed:
    stem = library.split(".so")[0]
    assert any(file.startswith(stem) for file in files), f"{library} is linked and not in the bill"
for one in bill["components"]:
    assert one["purl"].startswith(f"pkg:deb/debian/{one['name']}@") and one["version"], one
