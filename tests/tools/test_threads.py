"""How threads wait is settled before torch is loaded, and not against the user."""

import json
import os
import runpy
import subprocess
import sys

import pytest

from seam_seg.config_lookup import project_root

TOOLS = project_root() / 'tools'
KEYS = ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY', 'OMP_NUM_THREADS')
# Runs tools up to where torch would be loaded, and prints what it would find.
PROGRAM = """
import json, os, runpy, sys

class Stop(BaseException):
    pass

class Finder:
    def find_spec(self, name, *rest):
        if name == 'torch':
            raise Stop

sys.meta_path.insert(0, Finder())
found = {}
for path in sys.argv[1:]:
    os.environ.pop('GOMP_SPINCOUNT', None)
    sys.modules.pop('_threads', None)
    sys.path[0] = os.path.dirname(path)
    try:
        runpy.run_path(path)
    except Stop:
        found[os.path.basename(path)] = os.environ.get('GOMP_SPINCOUNT')
print(json.dumps(found))
"""


@pytest.mark.slow
def test_every_tool_settles_it_before_torch():
    paths = [str(path) for path in TOOLS.glob('[!_]*.py')]
    assert len(paths) >= 10
    env = {key: value for key, value in os.environ.items() if key not in KEYS}
    printed = subprocess.run(
        [sys.executable, '-c', PROGRAM, *paths],
        capture_output=True,
        text=True,
        check=True,
        env=env,
    ).stdout
    found = json.loads(printed)
    assert len(found) == len(paths) and set(found.values()) == {'1000'}


@pytest.mark.parametrize(
    'given, spins',
    [
        ({}, '1000'),
        (dict(GOMP_SPINCOUNT='5'), '5'),
        (dict(OMP_WAIT_POLICY='active'), None),  # which the count would overrule
        (dict(OMP_NUM_THREADS='1'), '1000'),
    ],
)
def test_what_the_user_says_stands(given, spins, monkeypatch):
    for key in KEYS:
        monkeypatch.setenv(key, '')  # so that it is put back, whatever happens
        monkeypatch.delenv(key)
    for key, value in given.items():
        monkeypatch.setenv(key, value)
    runpy.run_path(str(TOOLS / '_threads.py'))
    assert os.environ.get('GOMP_SPINCOUNT') == spins
    assert {key: os.environ[key] for key in given} == given
