"""
The software bill of materials of a built gateway, as CycloneDX 1.5: sbom.py BINARY VERSION > passerelle.cdx.json

Components are the Debian packages whose files the program is linked with, by the dynamic linker of this machine; so it is made where
the package is built. The same program on the same packages gives the same bytes: the time is SOURCE_DATE_EPOCH's, and the serial
number comes from the content.
"""
import datetime
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import uuid

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/passerelle")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def linked(binary):
    """The files of shared libraries, resolved."""
    return sorted({os.path.realpath(path) for path in re.findall(r"(?:=> |^\s*)(/\S+) \(0x", run("ldd", binary), re.M)})


@functools.lru_cache(None)
def package_of(file):
    """The package that has the file; None: no package, a library of somebody's own."""
    for name in (file, file.replace("/usr/lib/", "/lib/", 1)):  # merged /usr: dpkg knows one of both
        found = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.splitlines()[0].rsplit(": ", 1)[0]
    return None


def fields_of(package):
    names = ("Package", "Version", "Architecture", "source:Package", "source:Version", "Homepage")
    told = run("dpkg-query", "-W", "-f", "\\t".join(f"${{{name}}}" for name in names), package)
    return dict(zip(names, told.split("\t")))


def licences_of(name):
    """As the package's copyright file names them, if it is of the machine-readable kind."""
    file = pathlib.Path(f"/usr/share/doc/{name}/copyright")
    text = file.read_text(errors="replace") if file.exists() else ""
    if "copyright-format" not in text.split("\n\n")[0]:
        return []
    return sorted({" ".join(found.split()) for found in re.findall(r"^License: *(\S.*)$", text, re.M)})


def purl(fields):
    return f"pkg:deb/debian/{fields['Package']}@{fields['Version'].replace('+', '%2B').replace(':', '%3A')}?arch={fields['Architecture']}&distro=debian-12"


def sha256(file):
    return hashlib.sha256(pathlib.Path(file).read_bytes()).hexdigest()


def component(package, files):
    fields = fields_of(package)
    made = {
        "type": "library", "bom-ref": purl(fields), "name": fields["Package"], "version": fields["Version"], "purl": purl(fields),
        "properties": [{"name": "debian:source", "value": f"{fields['source:Package']} {fields['source:Version']}"}],
        "components": [{"type": "file", "bom-ref": f"{purl(fields)}#{file}", "name": file,
                        "hashes": [{"alg": "SHA-256", "content": sha256(file)}]} for file in files],
    }
    licences = licences_of(fields["Package"])
    if licences:
        made["licenses"] = [{"license": {"name": name}} for name in licences]
    if fields["Homepage"].startswith("http"):
        made["externalReferences"] = [{"type": "website", "url": fields["Homepage"]}]
    return made


def bill(binary, version):
    by_package = {}
    for file in linked(binary):
        by_package.setdefault(package_of(file), []).append(file)
    unknown = by_package.pop(None, [])
    if unknown:
        sys.exit(f"sbom: no Debian package has {', '.join(unknown)}")
    components = [component(package, files) for package, files in sorted(by_package.items())]
    itself = {"type": "application", "bom-ref": "passerelle", "name": "passerelle", "version": version,
              "licenses": [{"license": {"id": "MIT"}}], "hashes": [{"alg": "SHA-256", "content": sha256(binary)}]}
    made = {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": itself}, "components": components,
        "dependencies": [{"ref": "passerelle", "dependsOn": [one["bom-ref"] for one in components]}],
    }
    made["serialNumber"] = f"urn:uuid:{uuid.uuid5(NAMESPACE, json.dumps(made, sort_keys=True))}"
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch:
        made["metadata"]["timestamp"] = datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc).isoformat()
    return made


if __name__ == "__main__":
    print(json.dumps(bill(sys.argv[1], sys.argv[2]), indent=1, sort_keys=True))
