"""Tools read their arguments first, alone and as commands of seam-seg."""

import gc
import importlib
import json
import os
import subprocess
import sys

import pytest

import seam_seg.apis.command_line  # noqa: F401  as if a tool had run before
import seam_seg_cli
from seam_seg.config_lookup import project_root
from seam_seg.datasets import VPIDataset
from seam_seg.datasets.phantom import HELD_OUT, PRESETS
from seam_seg.datasets.readers import COLOURS
from seam_seg.measurement import Settings
from seam_seg.measurement.result import SIDES
from seam_seg.version import __version__

ROOT = project_root()
TOOLS = ROOT / 'tools'
# What each tool needs at least.
WORDS = dict(
    benchmark=['x', '--data-root', 'x'],
    check_dataset=['x'],
    export_onnx=['x'],
    make_folds=['x'],
    make_phantom=['x'],
    measure=['x'],
    predict=['x'],
    prepare_vpi=['x', 'x', 'x'],
    publish_model=['x', 'x'],
    test=['x', 'x'],
    train=['x'],
)
# Starts tools up to where something would be imported that is not Python's own, or torch;
# prints the exit status where it has not come to that, and what had happened before.
PROGRAM = """
import contextlib, io, json, runpy, sys

class Stop(BaseException):
    pass

class Finder:
    def find_spec(self, name, *rest):
        if name in forbidden:
            raise Stop

sys.meta_path.insert(0, Finder())
folder, words = sys.argv[1], json.loads(sys.argv[2])
sys.path.insert(0, folder)
forbidden = []
import _start
settled = []
_start.settle = settled.append

def start(tool, words):
    settled.clear()
    main = runpy.run_path(f'{folder}/{tool}.py')['main']
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            return main(words)
        except SystemExit as stop:
            return stop.code
        except Stop:
            return 'stopped, settled' if settled else 'stopped'

forbidden[:] = ['numpy', 'seam_seg', 'mmengine', 'torch']
found = {tool: [start(tool, ['--help']), start(tool, [*more, '--frob'])]
         for tool, more in words.items()}
forbidden[:] = ['torch']
for tool, more in words.items():
    found[tool].append(start(tool, more))
print(json.dumps(found))
"""


def call(*words):
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, cwd=ROOT
    )


def options(tool_module, name, capsys):
    """What ``--help`` of a tool says, in one line."""
    with pytest.raises(SystemExit) as stop:
        tool_module(name).main(['--help'])
    assert stop.value.code == 0
    return ' '.join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_arguments_come_first():
    """Help and mistakes load nothing; threads are settled before torch is loaded."""
    assert {path.stem for path in TOOLS.glob('[!_]*.py')} == {*WORDS}
    found = call('-c', PROGRAM, str(TOOLS), json.dumps(WORDS))
    assert json.loads(found.stdout) == dict.fromkeys(WORDS, [0, 2, 'stopped, settled'])


def test_what_parsers_say_of_the_package_is_so(tool_module, capsys):
    """They cannot ask it."""
    classes = ' '.join(VPIDataset.METAINFO['classes'])
    assert f'(default: {classes})' in options(tool_module, 'check_dataset', capsys)
    said = options(tool_module, 'prepare_vpi', capsys)
    colours = ' '.join(f'{name}={r},{g},{b}' for name, (r, g, b) in COLOURS.items())
    assert f'(default: {classes})' in said and f'(default: {colours})' in said
    said = options(tool_module, 'make_phantom', capsys)
    assert f'{", ".join(PRESETS)}; ' in said and f', {", ".join(HELD_OUT)} (' in said
    said = options(tool_module, 'measure', capsys)
    assert f'--image-left {{{",".join(SIDES)}}}' in said
    parsed = tool_module('check_dataset').parse_args(['x'])
    assert tuple(parsed.classes) == VPIDataset.METAINFO['classes']
    parsed = tool_module('measure').parse_args(['x'])
    assert (parsed.severity, parsed.image_left, parsed.level_shift) == (
        Settings.severity,
        Settings.image_left,
        Settings.level_shift,
    )


def test_a_missing_stack_is_said_in_words(tool, monkeypatch, capsys):
    """And a missing module of Python's own, which nobody expects, is not."""

    def missing(error):
        class Finder:
            @staticmethod
            def find_spec(name, *rest):
                if name == 'seam_seg.apis.command_line':
                    raise error

        monkeypatch.delitem(sys.modules, 'seam_seg.apis.command_line')
        monkeypatch.setattr(sys, 'meta_path', [Finder, *sys.meta_path])
        return tool('measure')(['x'])

    assert missing(ImportError('seam_seg needs mmcv.\n    pip install it')) == 2
    said = capsys.readouterr().err
    assert said == 'error: seam_seg needs mmcv.\n    pip install it\n'
    monkeypatch.undo()
    with pytest.raises(ModuleNotFoundError):
        missing(ModuleNotFoundError('No module named x', name='x'))


@pytest.mark.parametrize('alone', [True, False])
def test_what_is_imported_is_no_garbage(alone, tool_module, monkeypatch):
    """In a process of its own it is set aside, and what comes after is collected."""
    tool_module('measure')  # which finds what lies beside it
    module = importlib.import_module('_start')
    settled, found = [], []
    monkeypatch.setattr(module, 'settle', settled.append)

    def run(args):
        found.append((args, gc.isenabled(), gc.get_freeze_count() > 0))
        return 3

    gc.unfreeze()
    with monkeypatch.context() as patch:
        if alone:
            patch.delitem(sys.modules, 'torch')
        assert module.start(lambda argv: argv[0], run, ['x']) == 3
    assert found == [('x', True, alone)] and settled == [os.environ] * alone


def test_one_command(monkeypatch, capsys):
    """Every tool has one name, its own usage and its exit status."""
    named = [tool for tool, _ in seam_seg_cli.COMMANDS.values()]
    assert sorted(named) == sorted(WORDS)
    monkeypatch.setattr(sys, 'path', [*sys.path])

    def run(*words):
        monkeypatch.setattr(sys, 'argv', ['/bin/seam-seg', *words])
        with pytest.raises(SystemExit) as stop:
            seam_seg_cli.main()
        return stop.value.code, ''.join(capsys.readouterr())

    for name in seam_seg_cli.COMMANDS:
        status, said = run(name, '--help')
        assert status == 0 and said.startswith(f'usage: seam-seg {name} ')
        assert f'\n  {name} ' in run('--help')[1]
    assert run('--version') == (0, f'seam-seg {__version__}\n')
    assert run('predict', '--frob')[0] == run('frob')[0] == run()[0] == 2
    status, said = run('measure', 'no.png')  # what the tool does with it
    assert status == 1 and 'error: no.png: no such mask' in said


@pytest.mark.slow
def test_the_package_as_a_command():
    """It is imported whole after the arguments are read (tests/test_install.py)."""
    for words in (['-m', 'seam_seg'], ['-W', 'ignore', '-m', 'seam_seg']):
        found = call('-X', 'importtime', *words, 'predict', '--help')
        assert found.returncode == 0 and 'usage: seam-seg predict' in found.stdout
        loaded = {line.split()[-1] for line in found.stderr.splitlines()}
        assert 'seam_seg' in loaded and not {'numpy', 'torch'} & loaded
