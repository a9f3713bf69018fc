"""The hints that the source gives, by the calls that give them: collected, so that none is left untried."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ROOT / "adapters", *(ROOT / "gateway" / name for name in ("config", "inventory", "service", "settings"))
STRING = r'"(?:[^"\\]|\\.)*"'


def without_comments(text):
    return re.sub(rf"({STRING})|/\*.*?\*/|//[^\n]*", lambda match: match.group(1) or " ", text, flags=re.S)


def arguments(text, at):
    """The arguments of the call whose bracket opens at `at`."""
    depth, found, word = 0, [], ""
    for piece in re.finditer(rf"{STRING}|.", text[at:], flags=re.S):
        token = piece.group()
        if token in "([{":
            depth += 1
        elif token in ")]}":
            depth -= 1
        if depth == 0:
            return found + [" ".join(word.split())]
        if token == "," and depth == 1:
            found.append(" ".join(word.split()))
            word = ""
        elif token not in "(" or depth > 1:
            word += token
    return []


def strings(code):
    """The string literals, with those that stand side by side joined."""
    return [eval(f"({found.group()})")  # noqa: S307 (a literal of C with the escapes of Python)
            for found in re.finditer(rf"{STRING}(?:\s*{STRING})*", re.sub(r'"\s*PRI\w+\s*"', "s", code))]


def pattern(text):
    """What a format prints, as a regular expression."""
    return "".join(re.escape(part.replace("%%", "%")) if k % 2 == 0 else ".*"
                   for k, part in enumerate(re.split(r"(%[-.*\d]*(?:ll|l|z)?[a-zA-Z])", text)))


class Site:
    """One call that gives a hint: where, and what the mistake says."""

    def __init__(self, path, function, hint, reasons):
        self.path, self.function, self.hint, self.reasons = path, function, hint, reasons

    def __repr__(self):
        return f"{self.path}: {self.function}: {self.hint} ({' | '.join(self.reasons)})"

    def tells(self, reason):
        return any(re.fullmatch(pattern(it) + "(: .*)?", reason) for it in self.reasons)


def functions_with_hints(text):
    """Functions with a parameter `hint`, and which one it is."""
    for match in re.finditer(r"(\w+)\(", text):
        names = arguments(text, match.end() - 1)
        if "const char *hint" in names:
            yield match.group(1), names.index("const char *hint")


def sites():
    texts = {path: without_comments(path.read_text()) for folder in FOLDERS for path in sorted(folder.rglob("*.[ch]"))}
    public = dict(found for path, text in texts.items() if path.suffix == ".h" for found in functions_with_hints(text))
    for path, text in texts.items():
        known = {**public, **dict(functions_with_hints(text)), "problem_add": 5}
        function = "?"
        for match in re.finditer(r"^[a-zA-Z][\w *]*?\b(\w+)\([^;{}]*\)\s*\{|(\w+)\(", text, flags=re.M):
            if match.group(1):
                function = match.group(1)
                continue
            names = arguments(text, match.end() - 1) if match.group(2) in known else []
            if len(names) <= known.get(match.group(2), 0) or "const char *hint" in names:
                continue
            hint = names[known[match.group(2)]]
            passed_on = hint in ("hint", "p->hint") and not re.search(r"const char \*hint\b(?! *[,)])", body(text, match.start()))
            if hint != "NULL" and not passed_on:
                yield Site(path.relative_to(ROOT), function, hint, strings(" , ".join(names[known[match.group(2)] + 1:])))


def body(text, at):
    """The function around this place, up to it."""
    return text[text.rfind("\n}\n", 0, at):at]


if __name__ == "__main__":
    for site in sites():
        print(site)
