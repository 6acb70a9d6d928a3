"""From a wheel in an environment of its own, and an empty folder: make test-install."""

import json
import os
import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from page_code import code_blocks
from wheel_building import build_wheel

from seam_seg.apis import init_model, predict, predict_mask
from seam_seg.apis.export import of_other_bones
from seam_seg.config_lookup import project_root
from seam_seg.datasets.readers import read_mask

pytestmark = [pytest.mark.slow, pytest.mark.install]
FINE_TUNING = 'seam-keymass-votes_r18-fpn_1xb4-200_finetune_vpi-512x128'

# Prints the records of a run of Weights & Biases, which has no reader of its own.
READ_WANDB = """
import json, struct, sys
from wandb.proto.wandb_internal_pb2 import Record

data, at, record = open(sys.argv[1], 'rb').read(), 7, b''
while at < len(data):
    left = 32768 - at % 32768
    if left < 7:
        at += left
        continue
    _, length, kind = struct.unpack('<IHB', data[at : at + 7])
    record += data[at + 7 : at + 7 + length]
    at += 7 + length
    if kind in (1, 4):
        found, record = Record.FromString(record), b''
        items = found.history.item
        row = {'/'.join(item.nested_key): json.loads(item.value_json) for item in items}
        print(json.dumps([found.WhichOneof('record_type'), row]))
"""


def make_environment(folder, *packages):
    """The folder of the programs of an environment with packages of pinned versions."""
    versions = folder / 'versions.txt'
    pinned = (project_root() / 'requirements.txt').read_text()
    (opencv,) = re.findall('opencv-python==(.*)', pinned)
    pinned += f'opencv-python-headless=={opencv}\n'
    versions.write_text(re.sub(r'\[.*?\]', '', pinned))
    subprocess.run([sys.executable, '-m', 'venv', folder / 'venv'], check=True)
    programs = folder / 'venv' / 'bin'
    command = [programs / 'pip', 'install', '--quiet', '--constraint', versions]
    subprocess.run([*command, *packages], check=True, timeout=1800)
    return programs


@pytest.fixture(scope='module')
def environment(tmp_path_factory):
    """One with the wheel and the stack that it asks for."""
    folder = tmp_path_factory.mktemp('environment')
    return make_environment(folder, f'{build_wheel(folder)}[onedl,wandb,notebook]')


@pytest.fixture
def run(environment, tmp_path, monkeypatch):
    """Runs a program of the environment in an empty folder; returns what it prints."""
    monkeypatch.chdir(tmp_path)
    path = f'{environment}{os.pathsep}{os.environ["PATH"]}'
    monkeypatch.delenv('PYTHONPATH', raising=False)

    def call(*words, status=0):
        found = subprocess.run(
            list(map(str, words)),
            capture_output=True,
            text=True,
            env=dict(os.environ, PATH=path, VIRTUAL_ENV=str(environment.parent)),
            timeout=600,
        )
        assert found.returncode == status, found.stdout + found.stderr
        return found.stdout + found.stderr

    return call


def test_an_image_its_mask_and_its_page(run, phantom, tmp_path):
    """The masks are those of the clone; measure finds in them what predict has found."""
    (image,) = sorted((phantom / 'dataset/test').glob('*.png'))[:1]
    (tmp_path / 'image.png').write_bytes(image.read_bytes())
    assert '1 of 1 masks measured' in run('seam-seg', 'predict', 'image.png', '--report')
    out = tmp_path / 'predictions'
    wanted = predict_mask(init_model(device='cpu'), image)
    assert np.array_equal(read_mask(out / 'image.png', 4), wanted)
    assert 'data:image/jpeg' in (out / 'image.html').read_text()
    assert '1 of 1 masks measured' in run('seam-seg', 'measure', 'predictions')
    measured = [
        json.loads(path.read_text())
        for path in (out / 'image.json', tmp_path / 'measurements' / 'image.json')
    ]
    for content in measured:
        del content['files']
    assert measured[0] == measured[1]
    assert measured[0]['largest_curve_angle_deg'] is not None


def test_a_training_and_its_test(run, tmp_path, monkeypatch):
    """On a phantom, from the ready weights; the training says how it is tested."""
    words = ['--num-train', 4, '--num-test', 2, '--workers', 1]
    run('seam-seg', 'phantom', 'data', *words)
    assert 'errors: 0' in run('seam-seg', 'check', 'data')
    Path('data/val.txt').write_text(Path('data/train.txt').read_text().split()[0])
    options = ['train_cfg.max_iters=20', 'default_hooks.checkpoint.interval=20']
    options += [
        f'{split}_dataloader.{key}'
        for split in ('train', 'val', 'test')
        for key in ('num_workers=0', 'persistent_workers=False')
    ]
    options += ['train_dataloader.batch_size=2']
    options += ['default_hooks.logger.interval=10']
    words = ['--data-root', 'data', '--wandb', '--cfg-options', *options]
    monkeypatch.setenv('WANDB_MODE', 'offline')
    said = run('seam-seg', 'train', FINE_TUNING, *words)
    (log,) = Path('work_dirs').glob('*/*/vis_data/wandb/offline-run-*/run-*.wandb')
    found = run('python', '-c', READ_WANDB, log).splitlines()
    kinds, rows = zip(*map(json.loads, found))
    assert 'config' in kinds and not {'artifact', 'output_raw'} & {*kinds}
    *rows, last = filter(None, rows)
    assert [row['_step'] for row in (*rows, last)][-2:] == [10, 20]
    assert all({'lr', 'loss'} <= row.keys() for row in rows) and last['bone/mDice'] > 50
    assert not list(log.parent.glob('files/media/**/*'))  # a validation image was drawn
    assert list(Path('work_dirs').glob('*/*/vis_data/vis_image/val_*.png'))
    (command,) = re.findall('to test +(seam-seg test .*)', said)
    said = run(*shlex.split(command), '--out', 'labels')
    scores = json.loads(next(Path('work_dirs').glob('*/test/*.json')).read_text())
    assert 50 < scores['mDice'] < 100 and str(tmp_path) not in command
    assert len(list(Path('labels').glob('*.png'))) == 2


def test_the_notebook(run, tmp_path):
    """It finds the curve that was drawn, and learns, and no cell warns of anything.

    Also where it has been run before.
    """
    notebook = project_root() / 'docs/notebooks/first_steps.ipynb'
    (tmp_path / notebook.name).write_bytes(notebook.read_bytes())
    (tmp_path / 'first_steps/training').mkdir(parents=True)
    (tmp_path / 'first_steps/training/iter_30.pth').write_text('of an earlier run')
    words = ['--preset', 'easy', '--num-train', 1, '--num-test', 1, '--workers', 1]
    run('seam-seg', 'phantom', 'first_steps/data', *words)
    run('jupyter', 'execute', notebook.name, '--inplace', '--timeout', 600)
    cells = json.loads((tmp_path / notebook.name).read_text())['cells']
    outputs = [output for cell in cells for output in cell.get('outputs', [])]
    kinds = [output['output_type'] for output in outputs]
    assert kinds.count('display_data') == 3 and 'execute_result' not in kinds
    assert 'stderr' not in [output.get('name') for output in outputs]
    said = ''.join(''.join(output.get('text', [])) for output in outputs)
    scores = dict(re.findall(r'(measured|drawn|ready|tuned): +([\d.]+)', said))
    measured, drawn, ready, tuned = map(float, scores.values())
    assert abs(measured - drawn) < 5 and tuned > ready + 3
    assert (tmp_path / 'results/image.png').is_file()


def test_the_command(run):
    """Help comes at once; the package is a command, too, and finds its own modules."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert 'usage: seam-seg train' in run('seam-seg', 'train', '--help')
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime < before.ru_utime + before.ru_stime + 0.5
    said = run('python', '-m', 'seam_seg', 'train', 'seam_r50', status=2)
    assert said.startswith('error: config seam_r50: ') and 'seam_r50-fpn_1xb12' in said
    program = 'import sys, seam_seg.apis.predict_files; print({*sys.modules})'
    loaded = run('python', '-c', program)  # what few need is imported where it is
    assert "'torch'" in loaded and "'matplotlib'" not in loaded


def test_configs_of_the_wheel_are_bases(run, tmp_path):
    """As mmengine resolves them for mmseg's own tools (docs/mmseg.md)."""
    base = f"__import__('seam_seg') and 'seam_seg::seam/{FINE_TUNING}.py'"
    (tmp_path / 'own.py').write_text(f'_base_ = {base}\nmodel = dict(neck=None)\n')
    program = "from mmengine.config import Config; c = Config.fromfile('own.py'); "
    program += 'print(c.model.decode_head.type, c.model.neck)'
    assert 'SEAMHead None\n' in run('python', '-c', program)


def test_an_exported_file_without_torch(tool, phantom, tmp_path, monkeypatch):
    """The lines of docs/onnx.md, where there is no more than they import."""
    exported = tmp_path / 'model.onnx'
    assert tool('export_onnx')([str(exported), '--phantoms', '1']) == 0
    packages = ('numpy', 'onnxruntime', 'opencv-python-headless')
    programs = make_environment(tmp_path, *packages)
    monkeypatch.delenv('PYTHONPATH', raising=False)

    def run(program):
        words = [programs / 'python', '-c', program]
        return subprocess.run(words, cwd=tmp_path, check=False).returncode

    assert run('import torch') and run('import seam_seg')
    (first, *_) = sorted((phantom / 'dataset/test').glob('*.png'))
    native = cv2.imread(str(first), cv2.IMREAD_GRAYSCALE)
    small = cv2.resize(native, (100, 300), interpolation=cv2.INTER_AREA)
    for image, share in ((native, 1e-5), (small, 1e-3)):
        cv2.imwrite(str(tmp_path / 'image.png'), image)
        assert run(code_blocks('onnx.md')[0]) == 0
        wanted = predict(init_model(device='cpu'), image)
        mask, instances, confidence = (
            cv2.imread(str(tmp_path / f'{name}.png'), cv2.IMREAD_UNCHANGED)
            for name in ('labels', 'instances', 'confidence')
        )
        assert mask.shape == image.shape and (mask != wanted.mask).mean() <= share
        apart = of_other_bones(wanted.bones, instances)
        assert apart <= max(share, 1e-4) * image.size
        assert np.abs(confidence / 255 - wanted.confidence).max() < 0.05
