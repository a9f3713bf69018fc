#!/usr/bin/python3
"""Mutates the files that decide, and tells how many of the mutants the unit tests notice: run.py BUILD MUTATE [FILE...].

BUILD is made with -Db_coverage=true; MUTATE is the program of universalmutator. With files, only theirs are
drawn. In the environment: MUTANTS, how many (300); SEED; JOBS, how many at once (the number of processors).

1. Each unit test runs once. That tells how long it takes, and by gcov which lines it runs. Those that need a processor
   for longer than SLOWEST seconds are left out, so that a survivor does not take minutes.
2. MUTATE makes all mutants of a file. Each has a rank, the hash of seed, file, line and mutation: another line that
   changes does not move it. The first of each line are drawn, by rank, until the file has its share; a file's share is
   that of its lines.
3. A mutant that does not compile or link is replaced, and one with the object code of the original or of an earlier mutant. So
   are those that change a text only, or a CHECK, which only a bug can fail; and in loops `!=` for `<` where it counts,
   and `continue` where its body ends.
4. It is linked in front of the archives, into one after the other of the tests that run its line, the quickest first.
   The first that fails or takes too long kills it.

Ends with a table, and fails where fewer than 90 % are killed or survivors.md beside this file does not explain a survivor.
"""
import concurrent.futures
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SURVIVORS = pathlib.Path(__file__).resolve().with_name("survivors.md")
FILES = """
gateway/version/negotiate.c gateway/version/version_headers.c gateway/version/version_media.c
gateway/version/version_text.c
gateway/policy/breaker.c gateway/policy/gradient.c gateway/policy/policy.c gateway/policy/shedding.c
gateway/instances/instance_set.c gateway/instances/instances.c gateway/instances/reach.c
gateway/upstream/candidates.c gateway/upstream/endpoint.c gateway/loop/fair_queue.c gateway/upstream/pick.c
gateway/config/config_limits.c gateway/service/service_reach.c
gateway/telemetry/counters.c gateway/telemetry/series.c gateway/telemetry/telemetry.c
gateway/discovery/discovery.c gateway/process/reload.c
protocols/http/http_rules.c protocols/http1/http1_body.c protocols/http2/http2_watch.c
""".split()
ENOUGH = 90  # per cent
SLOWEST = 10  # seconds of a processor
MEMORY = 4 << 30  # bytes of address space of one test


@dataclasses.dataclass
class Test:
    name: str
    command: list
    programs: list  # those of the command that are linked here
    folder: str
    environment: dict
    seconds: float = 0.0
    processor_seconds: float = 0.0
    good: bool = True  # without any mutant
    lines: dict = dataclasses.field(default_factory=dict)  # file: the lines that it ran


@dataclasses.dataclass
class Mutant:
    file: str
    line: int
    before: str
    after: str
    rank: str
    text: str = ""
    end: str = ""  # killed, survived
    by: str = ""


def short(line):
    """A line of C as survivors.md has it."""
    return re.sub(r"\s+", " ", line).strip()


def say(text):
    print(text, flush=True)


# ---- The build folder ------------------------------------------------------------------------------------------------

class Build:
    def __init__(self, folder):
        self.folder = folder
        entries = json.loads((folder / "compile_commands.json").read_text())
        self.compile = {os.path.relpath(folder / entry["file"], ROOT): shlex.split(entry["command"])
                        for entry in entries if "/lib" in entry["output"] and not entry["file"].startswith("../tests")}
        self.links = {}
        self.lock = threading.Lock()

    def told(self, what):
        return json.loads(subprocess.check_output(["meson", "introspect", f"--{what}", self.folder]))

    def tests(self):
        """The unit tests that run a program of the build folder; all that they need is built."""
        targets = {target["id"]: target for target in self.told("targets")}
        programs = {name for target in targets.values() if target["type"] == "executable" for name in target["filename"]}
        made, needed = [], set()
        for test in self.told("tests"):
            command = [str(self.folder / word) if str(self.folder / word) in programs else word for word in test["cmd"]]
            own = [word for word in command if word in programs]
            if own and any(suite.endswith("unit") for suite in test["suite"]):
                made.append(Test(test["name"], command, own, test["workdir"] or str(self.folder), test["env"]))
                needed.update(name for of in test["depends"] for name in targets[of]["filename"])
        subprocess.run(["ninja", "-C", self.folder, *sorted(os.path.relpath(name, self.folder) for name in needed)],
                       check=True)
        return made

    def object_of(self, file, source, output):
        """Compiles it with neither coverage nor debugging, so that equal code makes equal bytes; True: it compiles."""
        words = [word for word in self.compile[file] if word not in ("--coverage", "-g", "ccache")]
        output_at = words.index("-o") + 1
        words[output_at] = str(output)
        for option in ("-MQ", "-MF"):
            at = words.index(option)
            del words[at:at + 2]
        words.remove("-MD")
        words[words.index("-c") + 1] = str(source)
        return subprocess.run([*words, "-g0", "-w", "-Werror=implicit-function-declaration"], cwd=self.folder, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0

    def link(self, program, mutant, output):
        """Links the program with the mutant's object in front of the archives, which then need not give theirs."""
        with self.lock:
            if program not in self.links:
                told = subprocess.check_output(["ninja", "-C", self.folder, "--quiet", "-t", "commands", "-s",
                                                os.path.relpath(program, self.folder)], text=True)
                self.links[program] = shlex.split(told.splitlines()[-1])
        words = list(self.links[program])
        if words[0] == "ccache":
            del words[0]
        at = words.index("-o")
        words[at + 1] = str(output)
        words.insert(at + 2, str(mutant))
        return subprocess.run([*words, "-s"], cwd=self.folder, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)


# ---- The tests -------------------------------------------------------------------------------------------------------

def limit_memory():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def end_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)  # what it started goes with it
    except ProcessLookupError:
        pass


def run(test, command, seconds, gcov):
    """Whether it ended well and in time, and its seconds of processor time."""
    environment = {**os.environ, **test.environment, "GCOV_PREFIX": str(gcov)}
    process = subprocess.Popen(command, cwd=test.folder, env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                               preexec_fn=limit_memory)
    clock = threading.Timer(seconds, end_group, [process])
    clock.start()
    _, status, usage = os.wait4(process.pid, 0)
    clock.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    end_group(process)
    return process.returncode == 0, usage.ru_utime + usage.ru_stime


def measure(build, test, files, notes):
    """Runs it as it is; what it ran stands in test.lines."""
    gcov = pathlib.Path(tempfile.mkdtemp(dir=notes))
    begun = time.monotonic()
    test.good, test.processor_seconds = run(test, test.command, 300, gcov)
    test.seconds = time.monotonic() - begun
    for file in files:
        target = pathlib.Path(build.compile[file][build.compile[file].index("-o") + 1])
        counts = pathlib.Path(f"{gcov}{build.folder / target.with_suffix('.gcda')}")
        if not counts.exists():
            continue
        counts.with_suffix(".gcno").symlink_to(build.folder / target.with_suffix(".gcno"))
        told = subprocess.check_output(["gcov", "--json-format", "--stdout", counts], cwd=build.folder,
                                       stderr=subprocess.DEVNULL)
        for of in json.loads(told)["files"]:
            if of["file"].endswith(file):
                ran = {line["line_number"] for line in of["lines"] if line["count"]}
                all_lines = {line["line_number"] for line in of["lines"]}
                test.lines[file] = (ran, all_lines)


def tests_of(mutant, tests):
    """Those that run its line, the quickest first; of a line without code of its own, those that run the file."""
    def runs(test):
        ran, all_lines = test.lines.get(mutant.file, (set(), set()))
        return mutant.line in ran if mutant.line in all_lines else bool(ran)
    return sorted((test for test in tests if runs(test)), key=lambda test: test.seconds)


# ---- The mutants -----------------------------------------------------------------------------------------------------

def without_texts(line):
    return re.sub(r'"(\\.|[^"\\])*"', '""', line)


def is_another_end_of_a_loop(before, after):
    """`i < n` and `i != n` are the same where `i` counts up to `n` one by one."""
    return (re.search(r"for \(.*\b(\w+) < ([^;]+); (\1\+\+|\+\+\1)\)", before) is not None
            and before.replace(" < ", " != ", 1) == after)


def is_the_end_of_a_body(original, at, after):
    """A `continue` behind the last statement of a loop changes nothing."""
    line = original[at]
    if short(line) != "}" or short(after) != "continue; }":
        return False
    indent = line[:-1]
    opened = next((text for text in reversed(original[:at]) if re.match(indent + r"\S", text)), "")
    return re.match(r"(for|while) \(", opened.strip()) is not None


def mutants_of(mutate, file, seed, notes):
    """All mutants of the file but those of texts, by rank: first one of each line, then a second of each, ..."""
    folder = notes / "mutants" / file.replace("/", ".")
    folder.mkdir(parents=True)
    subprocess.run([mutate, str(ROOT / file), "c", "--noCheck", "--mutantDir", folder], check=True, cwd=notes,
                   stdout=subprocess.DEVNULL)
    original = (ROOT / file).read_text().splitlines()
    made = {}
    for path in folder.iterdir():
        lines = path.read_text().splitlines()
        at = next((i for i, (a, b) in enumerate(zip(original, lines)) if a != b), None)
        extra = len(lines) - len(original)
        path.unlink()
        if at is None or extra < 0:
            continue
        changed = lines[at:at + 1 + extra]
        if lines[at] == original[at] or without_texts(" ".join(changed)) == without_texts(original[at]):
            continue
        after = " ".join(changed)  # on one line, so that no other line moves
        if original[at].strip().startswith("CHECK(") or is_another_end_of_a_loop(original[at], after) or \
                is_the_end_of_a_body(original, at, after):
            continue
        rank = hashlib.sha256(f"{seed}|{file}|{original[at]}|{after}".encode()).hexdigest()
        text = "\n".join([f'#line 1 "../{file}"', *original[:at], after, *original[at + 1:], ""])
        made.setdefault((at, after), Mutant(file, at + 1, original[at], after, rank, text))
    of_line = {}
    for mutant in sorted(made.values(), key=lambda mutant: mutant.rank):
        of_line.setdefault(mutant.line, []).append(mutant)
    return sorted(((i, mutant.rank, mutant) for of in of_line.values() for i, mutant in enumerate(of)),
                  key=lambda entry: entry[:2])


def shares(files, n):
    """How many mutants each file gets, by its lines; at least two."""
    lines = {file: len((ROOT / file).read_text().splitlines()) for file in files}
    whole = sum(lines.values())
    given = {file: max(2, int(n * lines[file] / whole)) for file in files}
    for file in sorted(files, key=lambda file: -lines[file]):
        if sum(given.values()) < n:
            given[file] += 1
    return given


class Hunt:
    """What all workers share."""

    def __init__(self, build, tests, n, notes):
        self.build, self.tests, self.notes = build, tests, notes
        self.n = n
        self.lock = threading.Lock()
        self.done = []
        self.replaced = 0
        self.seen = {}
        self.waiting = {}

    def prepare(self, file, mutate, seed):
        """Makes the mutants of one file, and the code that is none."""
        self.waiting[file] = [entry[2] for entry in mutants_of(mutate, file, seed, self.notes)]
        self.seen[file] = {self.code_of(file, (ROOT / file).read_text().splitlines())}

    def code_of(self, file, lines):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.notes))
        source = folder / pathlib.Path(file).name
        source.write_text("\n".join([f'#line 1 "../{file}"', *lines, ""]))
        if not self.build.object_of(file, source, folder / "original.o"):
            sys.exit(f"{file} does not compile without any mutant")
        return hashlib.sha256((folder / "original.o").read_bytes()).digest()

    def next_of(self, file):
        with self.lock:
            return self.waiting[file].pop(0) if self.waiting[file] else None

    def is_new(self, mutant, code):
        digest = hashlib.sha256(code.read_bytes()).digest()
        with self.lock:
            if digest in self.seen[mutant.file]:
                return False
            self.seen[mutant.file].add(digest)
            return True

    def draw(self, file):
        """The next mutant of the file that is one, judged."""
        while mutant := self.next_of(file):
            folder = pathlib.Path(tempfile.mkdtemp(dir=self.notes))
            source, code = folder / pathlib.Path(file).name, folder / "mutant.o"
            source.write_text(mutant.text)
            if self.build.object_of(file, source, code) and self.is_new(mutant, code) and \
                    self.judge(mutant, code, folder):
                self.tell(mutant)
                return
            self.replaced += 1
        say(f"{file} has no more mutants")

    def judge(self, mutant, code, folder):
        """False: it does not link."""
        tests = tests_of(mutant, self.tests)
        for test in tests:
            command = list(test.command)
            for i, program in enumerate(test.programs):
                linked = folder / f"{pathlib.Path(program).name}.{i}"
                made = self.build.link(program, code, linked)
                if made.returncode:
                    return False
                command = [str(linked) if word == program else word for word in command]
            ended_well, _ = run(test, command, 10 + 10 * test.seconds, folder / "gcov")
            for linked in folder.glob("*.[0-9]"):
                linked.unlink()
            if not ended_well:
                mutant.end, mutant.by = "killed", test.name
                return True
        mutant.end = "survived"
        mutant.by = f"all {len(tests)} tests that run it" if tests else "no test runs it"
        return True

    def tell(self, mutant):
        with self.lock:
            self.done.append(mutant)
            say(f"{len(self.done):4}/{self.n}  {mutant.end:8}  {mutant.file}:{mutant.line}  {mutant.by}")
            if mutant.end == "survived":
                say(f"           `{short(mutant.before)}` becomes `{short(mutant.after)}`")


# ---- What is told ----------------------------------------------------------------------------------------------------

def explained():
    """(file, before, after): why it survives."""
    known, file = {}, ""
    for line in SURVIVORS.read_text().splitlines() if SURVIVORS.exists() else []:
        if line.startswith("## "):
            file = line[3:].strip()
        if found := re.match(r"- `(.*?)` becomes `(.*?)`: (.+)", line):
            known[(file, found[1], found[2])] = found[3]
    return known


def report(hunt, files):
    known = explained()
    key = {id(mutant): (mutant.file, short(mutant.before), short(mutant.after)) for mutant in hunt.done}
    survivors = sorted((mutant for mutant in hunt.done if mutant.end == "survived"),
                       key=lambda mutant: (mutant.file, mutant.line))
    say(f"\n{'':40} mutants  killed  explained  open")
    for file in [*files, ""]:
        of = [mutant for mutant in hunt.done if not file or mutant.file == file]
        left = [mutant for mutant in of if mutant.end == "survived"]
        reasons = sum(key[id(mutant)] in known for mutant in left)
        say(f"{file or 'all':40} {len(of):7} {len(of) - len(left):7} {reasons:10} {len(left) - reasons:5}")
    say(f"{hunt.replaced} others were replaced: they do not compile, or have the code of another.")
    for mutant in survivors:
        why = known.get(key[id(mutant)])
        say(f"\n{mutant.file}:{mutant.line}: {why or 'OPEN: ' + mutant.by}\n"
            f"  - `{short(mutant.before)}` becomes `{short(mutant.after)}`")
    still = {key[id(mutant)] for mutant in survivors}
    for mutant in hunt.done:
        if mutant.end == "killed" and key[id(mutant)] in known and key[id(mutant)] not in still:
            say(f"\n{mutant.file}:{mutant.line}: killed by {mutant.by}; survivors.md need not explain it any more")
    killed = 100 * (len(hunt.done) - len(survivors)) / max(1, len(hunt.done))
    unknown = [mutant for mutant in survivors if key[id(mutant)] not in known]
    say(f"\n{killed:.1f} % of {len(hunt.done)} mutants are killed; of the {len(survivors)} survivors "
        f"{len(survivors) - len(unknown)} are explained in {SURVIVORS.relative_to(ROOT)}.")
    return bool(hunt.done) and killed >= ENOUGH and not unknown


def main():
    begun = time.monotonic()
    build = Build(pathlib.Path(sys.argv[1]).resolve())
    mutate = str(pathlib.Path(sys.argv[2]).absolute())
    files = sys.argv[3:] or FILES
    if unknown := [file for file in files if file not in build.compile]:
        sys.exit(f"not compiled in {sys.argv[1]}: {' '.join(unknown)}")
    n = int(os.environ.get("MUTANTS") or 300)
    seed = os.environ.get("SEED") or "passerelle"
    jobs = int(os.environ.get("JOBS") or os.cpu_count())
    with tempfile.TemporaryDirectory(prefix="mutants") as folder:
        notes = pathlib.Path(folder)
        tests = build.tests()
        say(f"Running {len(tests)} unit tests without mutants")
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            list(pool.map(lambda test: measure(build, test, files, notes), tests))
        for test in tests:
            if not test.good:
                say(f"{test.name} fails without any mutant, and is left out")
            elif test.processor_seconds > SLOWEST:
                say(f"{test.name} takes {test.processor_seconds:.0f} s of a processor, and is left out")
        tests = [test for test in tests if test.good and test.processor_seconds <= SLOWEST]
        say(f"Drawing {n} mutants of {len(files)} files")
        given = shares(files, n)
        turns = [file for file in files for _ in range(given[file])]
        hunt = Hunt(build, tests, len(turns), notes)
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            list(pool.map(lambda file: hunt.prepare(file, mutate, seed), files))
            list(pool.map(hunt.draw, turns))
        good = report(hunt, files)
    say(f"{(time.monotonic() - begun) / 60:.0f} minutes")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
