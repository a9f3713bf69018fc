"""The commands from outside: what they print where, and their exit codes. test_commands.py BINARY FOLDER [TEST]..."""
import contextlib
import http.server
import json
import os
import pathlib
import pty
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BINARY, FOLDER = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
REFERENCE = (pathlib.Path(__file__).parents[3] / "docs/commands.md").read_text()
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("PASSERELLE_")}


# What those that read their standard input get.
SAID = {"password": "a password of operators\n"}


def run(*arguments, **environment):
    return subprocess.run([BINARY, *map(str, arguments)], input=SAID.get(arguments and arguments[0]), capture_output=True, text=True, timeout=120,
                          cwd=FOLDER, check=False, env={**ENVIRONMENT, **environment})


TABLE = {command["name"]: command for command in json.loads(run("help", "--json").stdout)["commands"]}
WORDS = list(TABLE)
OPTIONS = {word: [option["name"] for option in TABLE[word]["options"]] for word in WORDS}
# What is said first behind a command.
ACTIONS = {"config": ["show", "schema"], "store": ["check", "backup"], "client": ["forget"], "key": ["make", "list", "revoke"], "errors": ["annotate"],
           "feedback": ["list", "show", "add", "import"], "signals": ["acknowledge"], "instance": ["eject", "drain", "return"],
           "jobs": "list show retry skip-step cancel undo event migrate replay unpark".split(),
           "rollout": "status plan start advance pause resume rollback".split()}

# Each command with arguments for which its answer is good. `run` prints nothing but its log, and has no end.
GOOD = {
    "run": None,
    "init": ["garage.binpb", "--out", "DRAFTED"],
    "check": ["garage.yaml"],
    "config": ["show", "garage.yaml"],
    "explain": ["garage.yaml", "GET", "/cars"],
    "call": ["CALLED", "Cars/Get", "name=x"],
    "diff": ["garage.binpb:garage.v1", "garage.binpb:garage.v1"],
    "prove": ["garage.yaml", "--messages", "20"],
    "openapi": ["garage.yaml", "--service", "garage", "--version", "v1"],
    "monitoring": ["garage.yaml"],
    "fleet": [],
    "reload": ["--why", "a test"],
    "drain": ["--why", "a test"],
    "upgrade": ["--why", "a test"],
    "audit": [],
    "errors": [],
    "tail": ["--lines", "1"],
    "healing": [],
    "signals": [],
    "feedback": ["list"],
    "limits": [],
    "shadow": [],
    "rollout": ["status"],
    "instance": ["eject", "127.0.0.1:1", "--for", "10m", "--why", "a test"],
    "service": ["pin", "garage", "v1", "--why", "a test"],
    "profile": ["--seconds", "1", "-o", "profile.pb.gz"],
    "request": ["0" * 32],
    "store": ["check", "STORED"],
    "jobs": ["list"],
    "idempotency": ["show", "key-1"],
    "shadow": [],
    "usage": ["garage"],
    "retire": ["garage", "v1", "--why", "a test"],
    "rollout": ["status"],
    "client": ["forget", "ada", "--why", "a test"],
    "key": ["list", "KEYS", "--used"],
    "password": [],
    "version": [],
    "help": [],
}


# Without a good answer: one has no end, and no call was made that the others could know.
UNANSWERED = {"run", "request", "idempotency", "tail"}


@contextlib.contextmanager
def gateway(folder=None, options=()):
    """A running gateway without ports: gives the path of its admin socket."""
    with contextlib.nullcontext(folder) if folder else tempfile.TemporaryDirectory() as folder:
        admin = pathlib.Path(folder) / "admin.sock"
        config = pathlib.Path(folder) / "gateway.yaml"
        config.write_text(f"listen: [unix:{folder}/calls.sock]\nadmin: {{socket: 'unix:{admin}'}}\n"
                          f"store: {folder}/store.db\nlog: {folder}/log\nloops: 1\n"
                          f"usage: {{}}\n"
                          f"services:\n  - {{name: garage, versions: [{{name: v1, package: garage.v1, schema: {FOLDER.resolve()}/garage.binpb}},\n"
                          f"      {{name: v2, package: garage.v2, schema: {FOLDER.resolve()}/garage.binpb}}],\n"
                          f"     retire: [{{version: v1}}],\n"
                          f"     instances: [{{address: '127.0.0.1:1', versions: [v1, v2]}}]}}\n")
        running = subprocess.Popen([BINARY, "run", *options, config], stderr=subprocess.PIPE, text=True)
        try:
            while run("reload", "--quiet", "--admin", admin).returncode and running.poll() is None:
                time.sleep(0.02)
            yield admin
        finally:
            running.terminate()
            errors = running.communicate(timeout=30)[1]
        assert running.returncode == 0, errors


def stored_config():
    """A config whose store a gateway has used."""
    folder = tempfile.TemporaryDirectory()
    with gateway(folder.name):
        pass
    return folder, f"{folder.name}/gateway.yaml"


FOLDER_OF_STORE, GOOD["store"][1] = stored_config()
GOOD["key"][1] = f"{FOLDER_OF_STORE.name}/api-keys.yaml"
pathlib.Path(GOOD["key"][1]).write_text("keys: []\n")
GOOD["init"][2] = f"{FOLDER_OF_STORE.name}/drafted"


class Cars(http.server.BaseHTTPRequestHandler):
    """An instance in Connect, with JSON: each car is the same."""
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "12")
        self.end_headers()
        self.wfile.write(b'{"name":"x"}')

    def log_message(self, *_):
        pass


def called_config():
    """A config with such an instance, which serves until the tests have ended."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cars)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    folder = tempfile.TemporaryDirectory()
    pathlib.Path(folder.name, "called.yaml").write_text(
        f"listen: ['127.0.0.1:0']\nservices:\n  - {{name: garage, versions: [{{name: v1, package: garage.v1, schema: {FOLDER.resolve()}/garage.binpb}}],\n"
        f"     instances: [{{address: '127.0.0.1:{server.server_port}', protocol: connect, codec: json}}]}}\n")
    return folder, f"{folder.name}/called.yaml"


FOLDER_OF_CALLED, GOOD["call"][0] = called_config()


def run_good(word, *more):
    """The command with a good answer; one that asks has a gateway of its own, which it may stop."""
    if not TABLE[word]["asks"]:
        return run(word, *GOOD[word], *more)
    with gateway(options=["--supervise"] if word == "upgrade" else []) as admin:
        return run(word, *GOOD[word], *more, PASSERELLE_ADMIN=f"unix:{admin}")


def section_of(word):
    """What docs/commands.md says of a command."""
    return re.search(rf"(?ms)^## passerelle {word}\b.*?(?=^## |\Z)", REFERENCE).group()


@contextlib.contextmanager
def planned(settings):
    """The path of a config with a rollout."""
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "gateway.yaml"
        config.write_text("listen: ['127.0.0.1:0']\nservices:\n"
                          f"  - {{name: garage, versions: [{{name: v1, package: garage.v1, schema: {FOLDER.resolve()}/garage.binpb}}],\n"
                          "     instances: [{address: '127.0.0.1:1'}]}\n"
                          f"rollouts: [{{service: garage, candidate: {{build: 3.1.0}}, {settings}}}]\n")
        yield config


class Answers(unittest.TestCase):
    """What is said when all is well; behind a command that asks there is a gateway, with its threads."""

    def test_json_is_one_document_with_documented_members(self):
        for word in WORDS:
            if word in UNANSWERED:
                continue
            done = run_good(word, "--json")
            self.assertEqual((done.returncode, done.stderr), (0, ""), word)
            told = json.loads(done.stdout)
            self.assertIsInstance(told, dict)
            self.assertTrue(done.stdout.endswith("}\n"), word)
            undocumented = [member for member in told if f"`{member}`" not in section_of(word)]
            self.assertEqual(undocumented, [], f"{word} --json")

    def test_quiet_prints_nothing_when_the_answer_is_good(self):
        for word in WORDS:
            for more in ["--quiet"], ["--quiet", "--json"]:
                if word not in UNANSWERED:
                    done = run_good(word, *more)
                    self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""), word)


class Conventions(unittest.TestCase):
    """What holds for every command of the table."""

    def test_each_command_has_a_row_here(self):
        self.assertEqual(set(GOOD), set(WORDS))
        self.assertEqual([word for word in WORDS if not TABLE[word]["prints"]], ["run"])

    def test_each_command_has_a_section_of_the_reference_in_the_order_of_the_table(self):
        self.assertEqual(re.findall(r"(?m)^## passerelle (\w+)", REFERENCE), WORDS)

    def test_each_option_is_in_the_section_of_its_command_or_among_those_of_all(self):
        of_all = set(re.findall(r"--\w[\w-]*", "".join(re.findall(r"(?m)^\| (`--[^|]*) \|", REFERENCE.split("\n## ")[0]))))
        for word in WORDS:
            told = set(re.findall(r"--?\w[\w-]*", section_of(word))) | of_all
            self.assertEqual(set(OPTIONS[word]) - told, set(), word)

    def test_the_reference_names_once_all_that_ask_a_gateway(self):
        [row] = re.findall(r"(?m)^\| `--admin ADDRESS` \| ([^|]*) \|", REFERENCE)
        self.assertEqual(re.findall(r"`(\w+)", row), [word for word in WORDS if TABLE[word]["asks"]])

    def test_an_unknown_option_is_2(self):
        for word in WORDS:
            for option in "--nothing", "--quite", "-x", "--help=yes":
                done = run(word, *(GOOD[word] or ["garage.yaml"]), option)
                self.assertEqual((done.returncode, done.stdout), (2, ""), word)
                self.assertIn(f"passerelle {word}: there is no option {option}", done.stderr)
                self.assertIn(f"usage: passerelle {word}", done.stderr)

    def test_a_value_that_is_missing_is_2(self):
        for word in WORDS:
            for option in TABLE[word]["options"]:
                if "value" in option:
                    done = run(word, option["name"])
                    self.assertEqual((done.returncode, done.stdout), (2, ""), word)
                    self.assertIn(f"{option['name']} needs a value", done.stderr)

    def test_a_gateway_that_cannot_be_reached_is_3(self):
        with socket.socket() as unused, tempfile.TemporaryDirectory() as folder:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            with socket.socket(socket.AF_UNIX) as stale:
                stale.bind(f"{folder}/stale.sock")
            for word in WORDS:
                if not TABLE[word]["asks"]:
                    continue
                for address in (f"unix:{folder}/none.sock", f"{folder}/none.sock", f"unix:{folder}/stale.sock",
                                f"127.0.0.1:{port}", f"http://127.0.0.1:{port}", f"https://127.0.0.1:{port}/",
                                "name.invalid:1", "unix:/" + "x" * 200):
                    for more in [], ["--quiet"], ["--json"]:
                        done = run(word, *GOOD[word], "--admin", address, *more)
                        self.assertEqual((done.returncode, done.stdout), (3, ""), (word, address))
                        self.assertIn(f"passerelle {word}: no gateway answers at {address}: ", done.stderr)

    def test_an_address_that_is_none_is_2(self):
        for word in WORDS:
            if TABLE[word]["asks"]:
                for address in ("gw1", "gw1:", "gw1:0", "gw1:65536", ":9901", "::1:9901", "[gw1]:9901", "unix:", "ftp://gw1:1",
                                "https://gw1/x", "https://", "http://a@gw1:9901"):
                    done = run(word, *GOOD[word], PASSERELLE_ADMIN=address)
                    self.assertEqual((done.returncode, done.stdout), (2, ""), (word, address))
                    self.assertIn(f"{address} is not an address", done.stderr)

    def test_a_result_that_cannot_be_written_is_1(self):
        for word in WORDS:
            if GOOD[word] is None or TABLE[word]["asks"]:
                continue
            with open("/dev/full", "w") as full:
                done = subprocess.run([BINARY, word, *GOOD[word]], input=SAID.get(word), stdout=full, stderr=subprocess.PIPE, text=True, cwd=FOLDER)
            self.assertEqual(done.returncode, 1, word)
            self.assertIn(f"passerelle {word}: writing the result: No space left on device", done.stderr)

    def test_the_reference_has_each_option_of_its_own(self):
        shared = {option for option in OPTIONS["version"]} | set(OPTIONS["reload"])
        for word in WORDS:
            missing = [option for option in OPTIONS[word]
                       if f"`{option}" not in (REFERENCE if option in shared else section_of(word))]
            self.assertEqual(missing, [], word)


class Completion(unittest.TestCase):
    def test_bash_completes_commands_and_options(self):
        def completed(*words):
            script = (f"source <({BINARY} help --bash); COMP_WORDS=(passerelle {' '.join(words)}); "
                      f"COMP_CWORD={len(words)}; _passerelle; printf '%s ' \"${{COMPREPLY[@]}}\"")
            return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split()
        for word in WORDS:
            self.assertIn(word, completed(word[:2]))
            self.assertEqual(set(completed(word, "-")), set(OPTIONS[word]))
        self.assertEqual(completed("check", "gar"), [])
        for word, actions in ACTIONS.items():
            self.assertEqual(completed(word, "''"), actions)
            self.assertEqual(completed(word, actions[0], "''"), [])
            self.assertEqual(completed(word, actions[-1][:3]), [action for action in actions if action.startswith(actions[-1][:3])])

    @unittest.skipUnless(shutil.which("fish"), "there is no fish")
    def test_fish_completes_commands_and_options(self):
        lines = [f"passerelle {word[:2]}" for word in WORDS] + [f"passerelle {word} -" for word in WORDS] + \
            [f"passerelle {word} " for word in ACTIONS]
        script = f"{BINARY} help --fish | source\n" + "".join(f"complete -C '{line}'; echo ---\n" for line in lines)
        with tempfile.TemporaryDirectory() as home:
            done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, check=True,
                                  env={**ENVIRONMENT, "HOME": home})
        self.assertEqual(done.stderr, "")
        told = [[entry.split("\t") for entry in part.splitlines()] for part in done.stdout.split("---\n")]
        for (word, actions), part in zip(ACTIONS.items(), told[2 * len(WORDS):]):
            self.assertEqual({entry[0] for entry in part if entry[0] in actions}, set(actions), word)
        for at, word in enumerate(WORDS):
            self.assertIn([word, TABLE[word]["text"]], told[at])
            self.assertEqual({entry[0] for entry in told[len(WORDS) + at]}, set(OPTIONS[word]))

    @unittest.skipUnless(shutil.which("zsh"), "there is no zsh")
    def test_zsh_completes_commands_and_options(self):
        with tempfile.TemporaryDirectory() as home, Zsh(home) as zsh:
            for word in WORDS:
                unique = next(word[:n] for n in range(1, len(word) + 1) if sum(w.startswith(word[:n]) for w in WORDS) == 1)
                self.assertEqual(zsh.completed(f"passerelle {unique}"), f"passerelle {word}")
                for action in ACTIONS.get(word, ())[:1]:
                    start = next(action[:n] for n in range(1, len(action)) if sum(a.startswith(action[:n]) for a in ACTIONS[word]) == 1)
                    self.assertEqual(zsh.completed(f"passerelle {word} {start}"), f"passerelle {word} {action}")
                for option in OPTIONS[word]:
                    start = option[:-1]
                    if len(option) > 3 and sum(o.startswith(start) for o in OPTIONS[word]) == 1:
                        self.assertEqual(zsh.completed(f"passerelle {word} {start}"), f"passerelle {word} {option}")

    def test_the_scripts_are_valid(self):
        for shell in "bash", "zsh", "fish":
            script = run("help", f"--{shell}")
            self.assertEqual((script.returncode, script.stderr), (0, ""))
            if shutil.which(shell):
                done = subprocess.run([shell, "-n"], input=script.stdout, capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""), shell)


class Zsh:
    """An interactive zsh, which prints the line when a key was pressed behind a completion."""

    def __init__(self, home):
        self.child, self.terminal = pty.fork()
        if self.child == 0:
            os.execvpe("zsh", ["zsh", "-f", "-i"], {**ENVIRONMENT, "HOME": home, "TERM": "dumb", "PS1": "", "PS2": ""})

    def __enter__(self):
        self.send("unsetopt zle_bracketed_paste prompt_sp prompt_cr; autoload -U compinit; compinit -D -u\n"
                  f"source <({BINARY} help --zsh)\n"
                  "tell() { zle -I; print -r -- \"<$BUFFER>\"; BUFFER= }; zle -N tell; bindkey '^T' tell\n"
                  "print -r -- '<'ready'>'\n")
        self.read_until("<ready>")
        return self

    def __exit__(self, *_error):
        os.close(self.terminal)
        os.waitpid(self.child, 0)

    def send(self, text):
        os.write(self.terminal, text.encode())

    def read_until(self, wanted):
        read, end = "", time.monotonic() + 30
        while wanted not in read:
            assert time.monotonic() < end and select.select([self.terminal], [], [], 30)[0], read
            read += os.read(self.terminal, 65536).decode(errors="replace")
        return read

    def completed(self, line):
        self.send(f"{line}\t\x14")
        read = self.read_until(">\r\n")
        return re.search(r"(?m)^<(.*?) ?>\r$", read).group(1).strip()


class Commands(unittest.TestCase):
    def test_every_command_has_examples_and_exit_codes_in_its_help(self):
        self.assertGreater(len(WORDS), 10)
        for word in WORDS:
            told = run(word, "--help").stdout
            self.assertRegex(told, rf"\nexamples:\n(  .*passerelle {word}.*\n|  .*\n)+\nexit codes:\n  0  \w")
            for code in range(4):
                self.assertRegex(told, rf"(?m)^  {code}  \w")

    def test_the_man_page_has_every_command_and_option(self):
        page = run("help", "--man")
        self.assertEqual((page.returncode, page.stderr), (0, ""))
        plain = page.stdout.replace("\\-", "-")
        for word in WORDS:
            self.assertIn(f"\n.SS {word} ", plain)
            for option in OPTIONS[word]:
                self.assertIn(f"\n.B {option}", plain)
        if shutil.which("groff"):
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=page.stdout, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_help_writes_one_thing_at_a_time(self):
        for wrong in ["--man", "--bash"], ["--zsh", "--json"], ["--man", "check"], ["check", "run"]:
            self.assertEqual(run("help", *wrong).returncode, 2)

    def test_without_a_command_or_with_a_wrong_one_usage_is_told(self):
        for arguments in [], ["chekc"], ["check"], ["run"], ["explain", "garage.yaml"], ["diff", "a"], \
                ["prove", "garage.yaml", "--messages", "many"], ["version", "x"]:
            done = run(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertIn("usage: passerelle", done.stderr)
        self.assertIn("did you mean check", run("chekc").stderr)

    def test_help_and_version_in_all_spellings(self):
        for word in "help", "--help", "-h":
            self.assertIn("check", run(word).stdout)
        for word in "version", "--version":
            self.assertRegex(run(word).stdout, r"^passerelle \d+\.\d+\.\d+ \(libuv ")

    def test_each_command_tells_how_it_is_used(self):
        for word in WORDS:
            told = [run(word, "--help"), run(word, "-h"), run("help", word)]
            for done in told:
                self.assertEqual((done.returncode, done.stderr), (0, ""), word)
                self.assertTrue(done.stdout.startswith(f"usage: passerelle {word}"), done.stdout)
            self.assertEqual(len({done.stdout for done in told}), 1)
        self.assertEqual(run("check", "none.yaml", "--help").stdout, run("check", "--help").stdout)
        for option in "-H 'NAME: VALUE'", "--client NAME", "--plan":
            self.assertRegex(run("explain", "--help").stdout, rf"(?m)^  {option} +\S")
        done = run("help", "chekc")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("did you mean check", done.stderr)

    def test_the_reference_has_the_same_usage(self):
        for word in WORDS:
            heading = run(word, "--help").stdout.splitlines()[0].replace("usage:", "##")
            self.assertTrue(heading in REFERENCE.splitlines(), heading)

    def test_the_value_of_an_option_is_not_an_option(self):
        done = run("explain", "garage.yaml", "GET", "/v1/cars", "--client", "--help")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("version   v1", done.stdout)

    def test_an_unknown_option_is_told_and_not_taken_for_a_file(self):
        for arguments in ["check", "--jsno", "garage.yaml"], ["run", "--jsno", "garage.yaml"], \
                ["explain", "--plam", "garage.yaml", "/x"], ["check", "--json=yes", "garage.yaml"]:
            done = run(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertIn(f"there is no option {arguments[1]}", done.stderr)
        self.assertIn("did you mean --json", run("check", "--jsno", "garage.yaml").stderr)
        self.assertIn("--messages needs a value", run("prove", "garage.yaml", "--messages").stderr)
        self.assertEqual(run("prove", "garage.yaml", "--messages").returncode, 2)

    def test_check_tells_what_a_good_config_means(self):
        done = run("check", "garage.yaml")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("dropped   Car.note", done.stdout)
        self.assertTrue(json.loads(run("check", "garage.yaml", "--json").stdout)["ok"])

    def test_a_warning_makes_a_strict_check_fail(self):
        with tempfile.TemporaryDirectory() as folder:
            old = pathlib.Path(folder) / "old.yaml"
            text = (FOLDER / "garage.yaml").read_text().replace("garage.binpb", str(FOLDER.resolve() / "garage.binpb"))
            text = text.replace("[v1-v2.yaml]", f"[{FOLDER.resolve() / 'v1-v2.yaml'}]")
            text += "limits: {connections: 10}\n"  # for which any machine has descriptors
            old.write_text(text)
            self.assertEqual(run("check", "--strict", old).returncode, 0)
            old.write_text(text.replace("{name: v1,", "{name: v1, sunset: 2020-01-01,", 1))
            done = run("check", old)
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
            self.assertIn("warning: garage: the default version v1", done.stdout)
            self.assertEqual(run("check", "--strict", old).returncode, 1)
            self.assertEqual(run("check", "--strict", old).stdout, done.stdout)
            told = run("check", "--strict", "--json", old)
            self.assertEqual((told.returncode, len(json.loads(told.stdout)["warnings"])), (1, 1))

    def test_check_and_run_refuse_the_same(self):
        with tempfile.TemporaryDirectory() as folder:
            wrong = pathlib.Path(folder) / "wrong.yaml"
            wrong.write_text("listen: [nowhere]\nruotes: []\n")
            done = run("check", wrong)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stdout.count("wrong.yaml:"), 2)
            refused = run("run", wrong)
            self.assertEqual((refused.returncode, refused.stdout), (1, ""))
            self.assertIn("did you mean routes", refused.stderr)
            told = json.loads(run("check", "--json", wrong).stdout)
            self.assertEqual([problem["line"] for problem in told["problems"]], [2, 1])

    def test_a_config_that_is_not_there(self):
        for done in run("check", "none.yaml"), run("run", "none.yaml"), run("prove", "none.yaml"), \
                run("explain", "none.yaml", "/x"):
            self.assertEqual(done.returncode, 1)
            self.assertIn("none.yaml", done.stdout + done.stderr)

    def test_explain_follows_fields_and_the_client(self):
        done = run("explain", "garage.yaml", "GET", "/cars", "-H", "API-Version: v2", "-H", "Accept: */*")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("version   v2 of garage, by the rule header", done.stdout)
        done = run("explain", "garage.yaml", "/garage.v1.Cars/Scrap")
        self.assertEqual(done.returncode, 1)
        self.assertIn("METHOD_REMOVED", done.stdout)
        self.assertEqual(run("explain", "garage.yaml", "/x", "-H", "no colon").returncode, 2)

    def test_diff_begins_a_change_list(self):
        sides = "garage.binpb:garage.v1", "garage.binpb:garage.v2"
        done = run("diff", *sides)
        self.assertEqual(done.returncode, 1)
        self.assertIn("owner", done.stdout)
        self.assertTrue(run("diff", "--changes", *sides).stdout.lstrip("#").strip())
        told = json.loads(run("diff", "--json", *sides).stdout)
        self.assertTrue(told["breaks"] and told["differences"])
        self.assertEqual(told["change_list"], run("diff", "--changes", *sides).stdout)
        self.assertEqual(run("diff", sides[0], sides[0]).returncode, 0)
        for wrong in "none.binpb", "garage.binpb", "garage.binpb:garage.v9":
            self.assertEqual(run("diff", wrong, sides[1]).returncode, 2)

    def test_diff_says_what_is_wrong_with_its_sides_and_what_to_write(self):
        one, two = "garage.binpb:garage.v1", "garage.binpb:garage.v2"
        with tempfile.TemporaryDirectory() as folder:
            sets = {"none": "", "nowhere": "message A {}", "odd": "package odd.v1; message A { int32 x = 1; }",
                    "colon:odd": "package odd.v1; message A { int32 x = 1; }",
                    "alone": "package alone.v1; enum A { ZERO = 0; }"}
            for name, text in sets.items():
                pathlib.Path(folder, "x.proto").write_text('syntax = "proto3";' + text)
                subprocess.run(["protoc", f"-I{folder}", f"--descriptor_set_out={folder}/{name}", "x.proto"], cwd=folder,
                               check=True)
            for code, sides, said in [
                    (2, ("garage.binpb", two), "has services in several packages (garage.v1, garage.v2"),
                    (2, ("garage.binpb:garage.v9", two), 'has no package "garage.v9"; it has garage.v1, garage.v2'),
                    (2, (f"{folder}/x.proto", two), f"protoc --include_imports --descriptor_set_out={folder}/x.binpb"),
                    (2, (f"{folder}/none", two), "has no messages and no services: is it the right file?"),
                    (2, (f"{folder}/nowhere", two), "types without a package are not compared"),
                    (2, (one, two, "--changes", "--json"), "--changes and --json do not go together"),
                    (0, (one, one), "OLD and NEW are the same"),
                    (1, (two, one), "OLD is v2 and NEW is v1: if that is the wrong order, exchange them"),
                    (1, (f"{folder}/odd", one), "odd.v1 and garage.v1 have nothing in common"),
                    (0, (f"{folder}/alone", f"{folder}/alone:alone.v1"), ""),
                    (0, (f"{folder}/odd", f"{folder}/colon:odd"), "")]:
                with self.subTest(sides):
                    done = run("diff", *sides)
                    self.assertEqual(done.returncode, code, done.stderr)
                    self.assertIn(said, done.stderr) if said else self.assertEqual(done.stderr, "")

    def test_diff_does_not_compare_each_of_thousands_of_types_with_each(self):
        with tempfile.TemporaryDirectory() as folder:
            for version, noun in ("v1", "Room"), ("v2", "Hall"):
                messages = "".join(f"message {noun}{i} {{ string a{i % 50} = 1; int32 b{i % 70} = 2; {noun}{i // 2} c = 3; }}"
                                   for i in range(3000))
                methods = "".join(f"rpc Do{noun}{i}({noun}{i}) returns ({noun}{i + 1});" for i in range(1500))
                pathlib.Path(folder, f"{version}.proto").write_text(
                    f'syntax = "proto3"; package many.{version}; {messages} service {noun}s {{ {methods} }}')
            subprocess.run(["protoc", f"-I{folder}", "--include_imports", f"--descriptor_set_out={folder}/s.binpb",
                            "v1.proto", "v2.proto"], cwd=folder, check=True)
            done = run("diff", "--changes", f"{folder}/s.binpb:many.v1", f"{folder}/s.binpb:many.v2")
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertEqual(done.stdout.count("calls of v1 fail") + done.stdout.count("  # guess: by its name"), 1500)

    def test_diff_takes_a_package_that_has_services_only(self):
        with tempfile.TemporaryDirectory() as folder:
            for version in "v1", "v2":
                pathlib.Path(folder, f"{version}.proto").write_text(
                    f'syntax = "proto3"; package only.{version}; import "google/protobuf/empty.proto"; service '
                    f'Pings{version} {{ rpc Ping(google.protobuf.Empty) returns (google.protobuf.Empty); }}')
            subprocess.run(["protoc", f"-I{folder}", "--include_imports", f"--descriptor_set_out={folder}/s.binpb",
                            "v1.proto", "v2.proto"], cwd=folder, check=True)
            done = run("diff", f"{folder}/s.binpb:only.v1", f"{folder}/s.binpb:only.v2")
            self.assertEqual((done.returncode, done.stderr), (1, ""))
            self.assertIn("Pingsv1.Ping: moved to Pingsv2.Ping", done.stdout)

    def test_rollout_plan_says_what_each_tier_can_show(self):
        with planned("tiers: [1, 100, 25 %, all]") as config:
            flags = ["--clients", "100000", "--clients-per-hour", "20000", "--failing", "0.1 %"]
            done = run("rollout", "plan", config, "garage", *flags)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertRegex(done.stdout, r"(?m)^garage build 3\.1\.0: impact low, 100000 clients, 20000 in an hour, of which 0\.1 % fail")
            self.assertRegex(done.stdout, r"(?m)^1 +1 +1 in 100 +1 in 1000 +1 in 100000 +nothing +nothing +95 % +30 min$")
            self.assertRegex(done.stdout, r"(?m)^all +100000 +1000 +100 +1 +nothing +nothing +nothing +30 min$")
            self.assertIn("It has too few clients to prove any fault", done.stdout)
            self.assertIn("There are no others to compare with", done.stdout)

            told = json.loads(run("rollout", "plan", config, *flags, "--json").stdout)
            self.assertEqual((told["rollout"], told["impact"], told["failing"]), ("garage build 3.1.0", "low", 0.001))
            one, hundred, share, everybody = told["tiers"]
            self.assertEqual([tier["clients"] for tier in told["tiers"]], [1, 100, 25075, 100000])
            self.assertNotIn("found_half", one)
            self.assertLess(hundred["found_half"], hundred["found_most"])
            self.assertLess(share["found_most"], hundred["found_half"])
            self.assertEqual(everybody["hours"], 0.5)

    def test_rollout_plan_needs_the_traffic_and_a_rollout(self):
        flags = {"--clients": "1000", "--clients-per-hour": "100", "--failing": "1"}
        with planned("tiers: [10, all]") as config:
            def plan(name=config, **changed):
                return run("rollout", "plan", name, *(word for pair in {**flags, **changed}.items() for word in pair))
            self.assertEqual(plan().returncode, 0)
            for option, wrong in ("--clients", "0.9"), ("--clients", "many"), ("--clients-per-hour", "0"), ("--failing", "-1"), \
                    ("--failing", "99.1"), ("--failing", "1 percent"), ("--clients", ""), ("--failing", "nan"):
                done = plan(**{option: wrong})
                self.assertEqual((done.returncode, done.stdout), (2, ""), (option, wrong))
                self.assertIn(f'{option}: "{wrong}" is no number between', done.stderr)
            self.assertIn("the config has no rollout of orders", run("rollout", "plan", config, "orders", "--clients", "1",
                                                                     "--clients-per-hour", "1", "--failing", "0").stderr)
            done = plan("garage.yaml")
            self.assertEqual(done.returncode, 1)
            self.assertIn("the config has 0 rollouts", done.stderr)
        for word in "status", "advance":
            done = run("rollout", word, "orders", "--failing", "1")
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("--failing: it is for plan", done.stderr)

    def test_prove_agrees_and_the_same_seed_says_the_same(self):
        done = run("prove", "garage.yaml", "--messages=500", "--seed", 7)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(done.stdout.count("agreed"), 3)
        self.assertEqual(run("prove", "--seed", 7, "--messages", 500, "garage.yaml").stdout, done.stdout)


unittest.main(argv=sys.argv[:1] + sys.argv[3:])
