"""The steps of the Containerfile, in folders with a minimal Debian each; then its command, as its user: it serves.

    container.py FOLDER [PROGRAM]

FOLDER is for what is made: FOLDER/base by debootstrap, if it is not there, and a copy of it for each stage. Needs root. With PROGRAM, a build of
the same tree, that one is taken, and what builds it is left out: a quick look, of which a whole run is the proof.
"""
import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

from run import Root, answers, check_with

HERE = pathlib.Path(__file__).resolve().parents[2]
SETTINGS = ("EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD", "USER")


def steps_of(text):
    """(instruction, rest) of each step; comments are left out, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


class Stage:
    """A folder with what the steps have made in it, and what they have set."""

    def __init__(self, base, folder):
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["cp", "-a", base, folder], check=True)
        self.folder, self.place, self.said = pathlib.Path(folder), "/", {}
        self.environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}

    def run(self, command):
        with mounted(self.folder):
            done = subprocess.run(["chroot", self.folder, "/bin/sh", "-c", f"cd {shlex.quote(self.place)} && {command}"], env=self.environment,
                                  text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            sys.exit(f"RUN {command} ends with {done.returncode}:\n{done.stdout[-4000:]}")

    def copy(self, words, stages):
        source = pathlib.Path(HERE)
        if words[0].startswith("--from="):
            source = stages[words.pop(0).split("=", 1)[1]].folder
        origin, target = source / words[0].lstrip("/"), self.folder / words[1].lstrip("/") if words[1] != "." else self.folder / self.place.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():  # of the tree, as .containerignore has it: what git knows
            names = subprocess.run(["git", "-C", HERE, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True, capture_output=True).stdout
            packed = subprocess.run(["tar", "-C", HERE, "--null", "-T", "-", "-c"], input=names, check=True, capture_output=True).stdout
            subprocess.run(["tar", "-C", target, "-x"], input=packed, check=True)
        else:
            shutil.copy(origin, target)

    def step(self, instruction, rest, stages):
        if instruction == "ENV":
            name, value = rest.split("=", 1)
            self.environment[name] = value
        elif instruction == "WORKDIR":
            self.place = rest
            (self.folder / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif instruction == "COPY":
            self.copy(rest.split(), stages)
        elif instruction == "RUN":
            self.run(rest)
        elif instruction in SETTINGS:
            self.said[instruction] = rest
        else:
            sys.exit(f"this does not know {instruction}")


@contextlib.contextmanager
def mounted(folder):
    subprocess.run(["mount", "-t", "proc", "proc", folder / "proc"], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder / "proc"], check=True)


def build(folder, program):
    """The last stage."""
    base, stages, stage = Root(folder / "base").folder, {}, None
    for instruction, rest in steps_of((HERE / "Containerfile").read_text()):
        print(f"{instruction} {rest[:100]}", flush=True)
        if instruction == "FROM":
            words = rest.split()
            name = words[2] if len(words) == 3 else "last"
            stage = stages[name] = Stage(base, folder / name)
        elif program and instruction == "RUN" and rest.startswith(("apt-get update -q && apt-get install -y -q --no-install-recommends make", "meson")):
            (stage.folder / "build").mkdir(exist_ok=True)
            shutil.copy(program, stage.folder / "build/passerelle")
        elif program and rest.startswith("ldd"):  # the stage has no libraries: those of the machine
            names = subprocess.run(rest.replace("/build/passerelle", str(program)).rsplit(">", 1)[0], shell=True, check=True, capture_output=True).stdout
            (stage.folder / "build/packages").write_bytes(names)
        else:
            stage.step(instruction, rest, stages)
    return stage


def main(folder, program=None):
    checks, check = check_with()
    folder = pathlib.Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    stage = build(folder, program and pathlib.Path(program).resolve())
    user = stage.said["USER"]
    check("the image's user is not root", user.split(":")[0] not in ("root", "0"), user)
    check("nothing that only building needs is in the image", not any((stage.folder / f"usr/bin/{name}").exists() for name in ("gcc", "meson", "protoc")))
    command = json.loads(stage.said["ENTRYPOINT"]) + json.loads(stage.said["CMD"])
    health = json.loads(stage.said["HEALTHCHECK"].split("CMD", 1)[1])
    chroot = ["chroot", f"--userspec={user}", stage.folder]
    with mounted(stage.folder):
        running = subprocess.Popen([*chroot, *command], env=stage.environment)
        until = time.monotonic() + 20
        while not answers() and running.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        check("its command serves", answers())
        check("its processes are the user's", pathlib.Path(f"/proc/{running.pid}").stat().st_uid == int(user.split(":")[0]))
        check("its health check is good", subprocess.run([*chroot, *health], env=stage.environment).returncode == 0)
        running.send_signal(getattr(signal, stage.said["STOPSIGNAL"]))
        check("its signal ends it well", running.wait(90) == 0)
    size = sum(path.lstat().st_size for path in stage.folder.rglob("*") if path.is_file() and not path.is_symlink() and "proc" not in path.parts)
    print(f"the image has {size >> 20} MiB")
    print(f"{sum(checks)} passed, {len(checks) - sum(checks)} failed")
    return not all(checks)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("this needs root: it makes a Debian in a folder, and changes its root to it")
    sys.exit(main(*sys.argv[1:]))
