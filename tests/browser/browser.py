"""The operators' page in headless Chromium."""
import json
import subprocess

from processes import ROOT

HERE = ROOT / "tests/browser"


class Browser:
    """browser("story", argument...): what the story tells. A page that complains of anything is a failure."""

    def __init__(self, base):
        assert (HERE / "node_modules/axe-core").exists(), "what the page's tests need is not installed: npm ci in tests/browser"
        self.number = 0
        self.child = subprocess.Popen(["node", "operators.mjs", base], cwd=HERE, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def begin(self, story, *arguments):
        self.number += 1
        self.child.stdin.write(json.dumps({"number": self.number, "story": story, "arguments": arguments}) + "\n")
        self.child.stdin.flush()

    def answer(self):
        """The next one; what a test did not wait for belongs to none."""
        while (answer := json.loads(self.child.stdout.readline())).pop("number") != self.number:
            pass
        return answer

    def __call__(self, story, *arguments):
        self.begin(story, *arguments)
        return self.told(self.answer())

    def told(self, answer):
        assert "told" in answer, answer
        assert answer["faults"] == []
        return answer["told"]

    def close(self):
        self.child.stdin.close()
        assert self.child.wait(30) == 0
