"""The pages of docs/how-to do what they say, and so do the examples of docs/commands.md that use the shop."""
import pytest
from how_to import ROOT, fits, shop, steps_of, troubles

PAGES = [ROOT / "docs/commands.md"] + sorted(path for path in (ROOT / "docs/how-to").glob("*.md") if steps_of(path.read_text()))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_does_what_it_says(path):
    with shop() as running:
        found = list(troubles(path, running))
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize("said, printed, same", [
    ("a\nb", "a\nb", True),
    ("a\nb", "a", False),
    ("a", "a\nb", False),
    ("a\n...\nz", "a\nb\nc\nz", True),
    ("a\n...\nz", "a\nz", True),
    ("a\n...\nz", "a\nb", False),
    ("reload: ...", "reload: generation 2", True),
    ("reload: ...", "refused", False),
    ("at 2026-11-30T14:00:00Z took 1.5ms", "at 2027-01-01T00:00:00.123Z  took 0.25ms", True),
    ("key_c2e0a1b3  ada", "key_7d21f0aa   ada", True),
    ("key_c2e0a1b3  ada", "key_7d21f0aa   bob", False),
    ("1 of 3", "2 of 3", False),
])
def test_what_is_printed_is_compared_with_what_is_said(said, printed, same):
    assert fits(said.splitlines(), printed.splitlines()) == same
