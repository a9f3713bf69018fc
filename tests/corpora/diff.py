"""Measures the first change lists that `passerelle diff` writes for real APIs against keys written by hand.

usage: diff.py PASSERELLE PROVE_CORPUS [-v] [NAME...]      -v tells what is missed and what is wrong

A key (keys/NAME.key) has what really changed its name, place or type between two versions. One change a line:

    type   OLD -> NEW                       a message or enum
    field  MESSAGE.PATH -> PATH [by WHAT]   paths inside the message; WHAT is a converter or template
    value  ENUM.VALUE -> VALUE
    method SERVICE.METHOD -> SERVICE.METHOD
    maybe  one of the above                 either answer is right
    beyond ...                              a change that no line of a change list can say

What is only removed or added is no guess, and not in a key.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

from corpora import HERE, MORE_PAIRS, PAIRS, UNSEEN_PAIRS, descriptor_sets, sides

FOUND, WRONG = 0.90, 0.03
MARK = re.compile(r'  # decide:.*')


def read_key(path):
    """The changes that are real, and those that may be guessed or not."""
    real, maybe = set(), set()
    for line in path.read_text().splitlines():
        words = line.split('#')[0].split()
        if not words or words[0] == 'beyond':
            continue
        into = maybe if words[0] == 'maybe' else real
        into.add(' '.join(words[words[0] == 'maybe':]))
    return real, maybe


def field_changes(message, name, change):
    """What the list says of one field: the changes that lead somewhere else, or by a converter."""
    for said in change if isinstance(change, list) else [change]:
        if isinstance(said, str):
            yield f'field {message}.{name} -> {said}'
            continue
        to = said.get('to', name)
        if 'from' in said:
            sources = said['from'] if isinstance(said['from'], list) else [said['from']]
            yield f'field {message}.{",".join(sources)} -> {name} by template'
        elif 'template' in said:
            yield f'field {message}.{name} -> {",".join(to)} by template'
        elif 'by' in said:
            yield f'field {message}.{name} -> {to} by {said["by"]}'
        elif 'to' in said:
            yield f'field {message}.{name} -> {to}'


def changes_of(text):
    """The guesses of a first list, in the words of a key."""
    said = yaml.load(text, yaml.BaseLoader)
    for old, new in (said.get('types') or {}).items():
        yield f'type {old} -> {new}'
    for message, fields in (said.get('messages') or {}).items():
        for name, change in fields.items():
            yield from field_changes(message, name, change)
    for enum, values in (said.get('enums') or {}).items():
        for old, change in values.items():
            if isinstance(change, dict):
                change = change.get('to', change.get('removed'))
            if isinstance(change, str) and change not in ('loud', 'graceful'):
                yield f'value {enum}.{old} -> {change}'
    for old, change in (said.get('methods') or {}).items():
        if isinstance(change, str) and change != old:
            yield f'method {old} -> {change}'


def first_list(program, old, new):
    run = subprocess.run([program, 'diff', '--changes', *(f'{path}:{package}' for path, package in (old, new))],
                         capture_output=True, text=True)
    if run.returncode > 1:
        sys.exit(f'diff failed with {run.returncode}: {run.stderr}')
    return run.stdout


def loads_without_marks(prove, old, new, text):
    """Is the list refused while it is marked, and good as soon as the marks are gone?"""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / 'list.yaml'
        good = []
        # A package without a version is called by its last part here.
        text = text.replace('\nfrom: old\n', f'\nfrom: {old[1].split(".")[-1]}\n')
        for content in text, MARK.sub('', text):
            path.write_text(content)
            run = subprocess.run([prove, 'losses', *old, *new, path], capture_output=True, text=True)
            good.append(run.returncode == 0)
    if not good[1]:
        print(run.stderr)
    return good == ['# decide:' not in text, True]


class Row:
    """One pair: how many real changes were found, and which guesses are wrong."""

    def __init__(self, name, real, maybe, guesses):
        self.name, self.n_real, self.n_guesses = name, len(real), len(guesses - maybe)
        self.missed, self.wrong = sorted(real - guesses), sorted(guesses - real - maybe)

    def line(self):
        found = self.n_real - len(self.missed)
        return (f'{self.name:<18} {self.n_real:>5} {found:>6} {share(found, self.n_real):>7} {self.n_guesses:>8}'
                f' {len(self.wrong):>6} {share(len(self.wrong), self.n_guesses):>7}')


def share(part, whole):
    return f'{100 * part / whole:.1f} %' if whole else '-'


def total(rows):
    whole = Row('all', set(), set(), set())
    for row in rows:
        whole.n_real += row.n_real
        whole.n_guesses += row.n_guesses
        whole.missed += row.missed
        whole.wrong += row.wrong
    return whole


def measure(program, prove, folder, name):
    """One pair: its row, and whether its first list is refused for its marks and for nothing else."""
    old, new = sides(folder, name)
    text = first_list(program, old, new)
    row = Row(name, *read_key(HERE / 'keys' / f'{name}.key'), set(changes_of(text)))
    return row, loads_without_marks(prove, old, new, text)


def main(program, prove, *names):
    verbose = '-v' in names
    names = [name for name in names if name != '-v']
    rows, bad = [], []
    with descriptor_sets() as folder:
        for name in names or sorted({**PAIRS, **MORE_PAIRS, **UNSEEN_PAIRS}):
            row, good = measure(program, prove, folder, name)
            rows.append(row)
            bad += [] if good else [name]
    whole = total(rows)
    print(f'{"":<18} {"real":>5} {"found":>6} {"":>7} {"guesses":>8} {"wrong":>6}')
    for row in rows + [whole]:
        print(row.line())
    for row in rows if verbose else []:
        print(*(f'{row.name}: missed {it}' for it in row.missed), *(f'{row.name}: WRONG {it}' for it in row.wrong),
              sep='\n', end='\n' if row.missed or row.wrong else '')
    for name in bad:
        print(f'{name}: its first list is not good')
    few = len(whole.missed) > (1 - FOUND) * whole.n_real
    return 1 if bad or few or len(whole.wrong) > WRONG * whole.n_guesses else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
