"""The commands from outside: what they print where, and their exit codes. test_commands.py BINARY FOLDER."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

BINARY, FOLDER = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])


def run(*arguments):
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=120,
                          cwd=FOLDER, check=False)


WORDS = re.findall(r"(?m)^  (\w+) ", run("help").stdout)


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
            for option in re.findall(r"(?m)^  (-[\w-]+)", run(word, "--help").stdout):
                self.assertIn(f"\n.B {option}", plain)
        if shutil.which("groff"):
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=page.stdout, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_bash_completes_commands_and_options(self):
        def completed(*words):
            script = (f"source <({BINARY} help --bash); COMP_WORDS=(passerelle {' '.join(words)}); "
                      f"COMP_CWORD={len(words)}; _passerelle; echo ${{COMPREPLY[@]}}")
            return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split()
        for word in WORDS:
            self.assertIn(word, completed(word[:2]))
            options = re.findall(r"(?m)^  (-[\w-]+)", run(word, "--help").stdout)
            self.assertEqual(set(completed(word, "-")), {"--help", *options})
        self.assertEqual(completed("check", "gar"), [])

    def test_help_writes_one_thing_at_a_time(self):
        for wrong in ["--man", "--bash"], ["--man", "check"], ["check", "run"]:
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
        reference = (pathlib.Path(__file__).parents[3] / "docs/commands.md").read_text().splitlines()
        for word in WORDS:
            usage = run(word, "--help").stdout.splitlines()[0]
            self.assertIn(usage.replace("usage:", "##"), reference)

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
        json.loads(run("diff", "--json", *sides).stdout)
        self.assertEqual(run("diff", sides[0], sides[0]).returncode, 0)
        for wrong in "none.binpb", "garage.binpb", "garage.binpb:garage.v9":
            self.assertEqual(run("diff", wrong, sides[1]).returncode, 2)

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

    def test_prove_agrees_and_the_same_seed_says_the_same(self):
        done = run("prove", "garage.yaml", "--messages=500", "--seed", 7)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(done.stdout.count("agreed"), 3)
        self.assertEqual(run("prove", "--seed", 7, "--messages", 500, "garage.yaml").stdout, done.stdout)


unittest.main(argv=sys.argv[:1])
