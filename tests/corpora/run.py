"""Proves the change lists beside this file on the descriptor sets of real APIs, where they are present.

usage: run.py PROVE_CORPUS MESSAGES [NAME...]      each in each direction; ends with 77 when there are none
"""
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PAIRS = {
    'bigquery-storage': ('google.cloud.bigquery.storage.v1beta1', 'google.cloud.bigquery.storage.v1'),
    'functions': ('google.cloud.functions.v1', 'google.cloud.functions.v2'),
    'language': ('google.cloud.language.v1', 'google.cloud.language.v2'),
    'notebooks': ('google.cloud.notebooks.v1', 'google.cloud.notebooks.v2'),
    'privateca': ('google.cloud.security.privateca.v1beta1', 'google.cloud.security.privateca.v1'),
    'pubsub': ('google.pubsub.v1beta2', 'google.pubsub.v1'),
    'securitycenter': ('google.cloud.securitycenter.v1', 'google.cloud.securitycenter.v2'),
    'speech': ('google.cloud.speech.v1', 'google.cloud.speech.v2'),
}
SKIPPED = 77


def find_corpora():
    told = os.environ.get('CORPORA')
    beside = [parent / 'shared' / 'corpora' for parent in list(HERE.parents)[1:5]]
    for folder in ([pathlib.Path(told)] if told else []) + beside:
        if folder.is_dir():
            return folder
    return None


def main(program, messages, *names):
    folder = find_corpora()
    if folder is None:
        print('no corpora here: set CORPORA to their folder')
        return SKIPPED
    failed = []
    for name in names or sorted(PAIRS):
        old, new = PAIRS[name]
        run = subprocess.run([program, messages, folder / f'{old}.binpb', old, folder / f'{new}.binpb', new,
                              HERE / f'{name}.yaml'])
        print(f'{name}: {"proved" if run.returncode == 0 else "NOT PROVED"}', flush=True)
        if run.returncode:
            failed.append(name)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
