"""Proves the change lists beside this file on the descriptor sets of real APIs.

usage: run.py PROVE_CORPUS MESSAGES [NAME...]      each in each direction
"""
import subprocess
import sys

from corpora import HERE, PAIRS, descriptor_sets, sides


def main(program, messages, *names):
    failed = []
    with descriptor_sets() as folder:
        for name in names or sorted(PAIRS):
            old, new = sides(folder, name)
            run = subprocess.run([program, messages, *old, *new, HERE / f'{name}.yaml'])
            print(f'{name}: {"proved" if run.returncode == 0 else "NOT PROVED"}', flush=True)
            if run.returncode:
                failed.append(name)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
