"""What makes a site of the documentation: docs/site/hook.py."""
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "docs/site"))

from hook import Read, anchor_of, apart, navigation, outside, troubles  # noqa: E402


def troubles_of(**pages):
    """What is wrong with a site of these pages: page="HTML"."""
    with tempfile.TemporaryDirectory() as folder:
        site = pathlib.Path(folder)
        for name, text in pages.items():
            (site / f"{name}.html").write_text(text)
        return list(troubles(site, {path: Read(path.read_text()) for path in site.glob("*.html")}))


class Site(unittest.TestCase):
    def test_links_that_arrive_are_no_trouble(self):
        self.assertEqual(troubles_of(a='<a href="b.html#x">', b='<h2 id="x">X</h2><a href="#x">', c='<a href="https://example.org">'), [])

    def test_links_that_do_not_arrive_are_told(self):
        self.assertEqual(troubles_of(a='<a href="b.html">'), ["a.html: b.html: there is no such file"])
        self.assertEqual(troubles_of(a='<a href="#x">'), ["a.html: #x: the page has no such heading"])
        self.assertEqual(troubles_of(a='<img src="b.png">'), ["a.html: b.png: there is no such file"])

    def test_what_is_loaded_from_the_network_is_told(self):
        for text in ('<script src="https://cdn.example/x.js"></script>', '<link rel="stylesheet" href="//fonts.example/x.css">'):
            self.assertEqual(len(troubles_of(a=text)), 1, text)

    def test_headings_are_found_with_what_is_in_them(self):
        self.assertEqual(Read('<h1 id="a">The <code>log</code></h1><p>no</p><h2 id="b">B</h2>').headings, [["The log", "a"], ["B", "b"]])

    def test_anchors_are_those_of_github(self):
        self.assertEqual(anchor_of("Connections that are ready: `warm`"), "connections-that-are-ready-warm")
        self.assertEqual(anchor_of("A - B"), "a---b")

    def test_the_navigation_is_the_lists_of_the_index(self):
        index = "# D\n\n## One\n\n- [A](a.md): text\n- [tree](../R.md): out\n\n## None\n\ntext\n\n## Two\n- [B](b/c.md)\n"
        self.assertEqual(navigation(index), [("One", [("A", "a.md")]), ("Two", [("B", "b/c.md")])])

    def test_lists_stand_apart_from_the_text_before_them(self):
        self.assertEqual(apart("text\n- a\n- b\nmore"), "text\n\n- a\n- b\nmore")
        self.assertEqual(apart("- a\n  b\n- c"), "- a\n  b\n- c")
        self.assertEqual(apart("```\ntext\n- a\n```"), "```\ntext\n- a\n```")

    def test_files_outside_of_the_folder_are_known(self):
        self.assertEqual(outside("page.md", "../README.md"), pathlib.Path("README.md"))
        self.assertIsNone(outside("decisions/0001.md", "../config.md"))
        self.assertIsNone(outside("page.md", "../gateway"))


if __name__ == "__main__":
    unittest.main()
