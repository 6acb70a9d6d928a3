"""Killed at any write, a training goes on to the bits it would have ended with."""

import hashlib
import logging
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import ValLoop
from mmseg.registry import HOOKS, MODELS
from stacks import UPSTREAM

from seam_seg.apis import load_config, train
from seam_seg.apis import test as run_test
from seam_seg.apis.runs import set_resume
from seam_seg.config_lookup import get_config, project_root
from seam_seg.datasets import VPIDataset
from seam_seg.engine import SafeCheckpointHook, last_checkpoint
from seam_seg.engine.checkpoint import IterationSeedHook
from seam_seg.errors import InputError

DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'
# So that the scores move, and the best one is replaced on the way, on both stacks.
SEED = 2 if UPSTREAM else 0
OPTIONS = {
    'train_cfg.max_iters': 4,
    'train_cfg.val_interval': 2,
    'default_hooks.checkpoint.interval': 2,
    'default_hooks.logger.interval': 1,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'train_dataloader.batch_size': 2,
    'val_dataloader.num_workers': 0,
    'val_dataloader.persistent_workers': False,
    'custom_hooks': [],
    'randomness.seed': SEED,
    'model.decode_head.loss_decode.class_weight': [0.02, 1.0, 1.0, 1.0],
    'model.backbone.base_channels': 8,
    'model.backbone.stem_channels': 8,
    'model.neck.in_channels': [8, 16, 32, 64],
    'model.neck.out_channels': 8,
    'model.decode_head.in_channels': [8] * 4,
    'model.decode_head.channels': 8,
    'model.decode_head.norm_cfg': dict(type='BN'),
    'optim_wrapper.optimizer.lr': 0.02,
}


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the package may catch it."""


def start(root, work_dir, **options):
    cfg = load_config(DEMO, {**OPTIONS, **options}, str(root), str(work_dir))
    set_resume(cfg)
    return train(cfg)


def content(work_dir):
    """Everything that a later training or test depends on."""
    last = torch.load(last_checkpoint(work_dir), weights_only=True)
    best = {
        path.name: torch.load(path, weights_only=True)['state_dict']
        for path in sorted(work_dir.glob('best_*.pth'))
    }
    info = last['message_hub']['runtime_info']
    return dict(
        weights=last['state_dict'],
        optimizer=last['optimizer'],
        best=best,
        schedule=last['param_schedulers'],
        iter=last['meta']['iter'],
        score=info['best_score'],
        kept=info['keep_ckpt_ids'],
        files=sorted(path.name for path in work_dir.glob('*.pth*')),
    )


def same(a, b):
    """Equal to the last bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.fixture(scope='module')
def whole(phantom, tmp_path_factory):
    """What the training ends with that nobody interrupts, and its calls of the system."""
    work_dir = tmp_path_factory.mktemp('whole')
    calls = dict(replace=0, remove=0)

    def counting(name, plain):
        def patched(path, *arguments):
            calls[name] += str(path).startswith(str(work_dir))
            return plain(path, *arguments)

        return patched

    with pytest.MonkeyPatch.context() as patch:
        for name in calls:
            patch.setattr(os, name, counting(name, getattr(os, name)))
        start(phantom, work_dir)
    log = next(work_dir.glob('*/*.log')).read_text()
    assert log.count('The best checkpoint') >= 2  # it was replaced on the way
    return content(work_dir), calls


def killing(monkeypatch, work_dir, name, when, number):
    """Kills before or after the given call of os.replace or os.remove."""
    count = 0
    plain = getattr(os, name)

    def patched(path, *arguments):
        nonlocal count
        count += str(path).startswith(str(work_dir))
        if when == 'after' or count != number:
            plain(path, *arguments)
        if count == number:
            count += 1  # once
            raise Killed

    monkeypatch.setattr(os, name, patched)


@pytest.mark.slow
@pytest.mark.parametrize(
    'name, when', [('replace', 'before'), ('remove', 'before'), ('replace', 'after')]
)
def test_killed_at_every_write(name, when, whole, phantom, tmp_path, monkeypatch):
    expected, calls = whole
    # each of two checkpoints twice, with its best one between; the first of each goes
    assert calls == dict(replace=6, remove=2)
    assert len(expected['best']) == 1
    # After a change the disk is as before the next one: only after the last is it new.
    for number in range(1 if when == 'before' else calls[name], calls[name] + 1):
        work_dir = tmp_path / str(number)
        with monkeypatch.context() as patch:
            killing(patch, work_dir, name, when, number)
            with pytest.raises(Killed):
                start(phantom, work_dir)
        last = last_checkpoint(work_dir)
        if last is not None:  # it is whole
            torch.load(last, weights_only=True)
        # nothing but the first checkpoint may be missing altogether
        assert last is not None or (name, number) == ('replace', 1)
        start(phantom, work_dir)
        found = content(work_dir)
        # What was about to be removed may be left behind; nothing may be missing.
        assert set(found['files']) >= set(expected['files'])
        found['files'] = expected['files']
        found['best'] = {key: found['best'][key] for key in expected['best']}
        assert same(found, expected), number


@pytest.mark.slow
def test_killed_in_the_last_validation(phantom, tmp_path, monkeypatch):
    """Which comes at the end, whatever the interval; the best may be that of it."""
    options = {'train_cfg.max_iters': 3, 'default_hooks.checkpoint.interval': 3}
    start(phantom, tmp_path / 'whole', **options)
    validated = []

    def dying(loop):
        validated.append(loop.runner.iter)
        if loop.runner.iter == 3:
            raise Killed
        return run(loop)

    run = ValLoop.run
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(ValLoop, 'run', dying)
        start(phantom, tmp_path / 'killed', **options)
    assert validated == [2, 3]
    start(phantom, tmp_path / 'killed', **options)
    assert same(content(tmp_path / 'killed'), content(tmp_path / 'whole'))


@pytest.mark.slow
def test_killed_between_the_first_best_and_the_first_checkpoint(
    phantom, tmp_path, monkeypatch
):
    """Beside a best one there is one to go on from; mmengine's note is of the last."""
    options = {'train_cfg.val_interval': 1, 'default_hooks.checkpoint.interval': 3}
    start(phantom, tmp_path / 'whole', **options)

    def dying(loop):
        if loop.runner.iter == 2:
            raise Killed
        return run(loop)

    run, work_dir = ValLoop.run, tmp_path / 'killed'
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(ValLoop, 'run', dying)
        start(phantom, work_dir, **options)
    assert last_checkpoint(work_dir).name == 'iter_1.pth'
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'iter_0.pth'))
    start(phantom, work_dir, **options)
    assert same(content(work_dir), content(tmp_path / 'whole'))
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'iter_3.pth'))
    start(phantom, work_dir, **options)  # nothing left to train
    assert (work_dir / 'last_checkpoint').read_text() == str(work_dir / 'iter_4.pth')


@pytest.mark.slow
def test_a_real_kill(whole, phantom, tmp_path):
    """SIGKILL in the middle of writing the second checkpoint, in a process of its own."""
    script = tmp_path / 'killed.py'
    script.write_text(
        'import os, signal, sys\n'
        'from seam_seg.apis import load_config, train\n'
        'calls = []\n'
        'def fsync(fd):\n'
        '    calls.append(fd)\n'
        '    if len(calls) == 3:\n'
        '        os.ftruncate(fd, 1000)\n'
        '        os.kill(os.getpid(), signal.SIGKILL)\n'
        'os.fsync = fsync\n'
        f'train(load_config({DEMO!r}, {OPTIONS!r}, {str(phantom)!r}, '
        f'{str(tmp_path / "work")!r}))\n'
    )
    killed = subprocess.run(
        [sys.executable, str(script)],
        cwd=project_root(),
        capture_output=True,
        check=False,
        env=dict(os.environ, PYTHONPATH=str(project_root()), OMP_NUM_THREADS='1'),
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert list((tmp_path / 'work').glob('*.partial'))
    start(phantom, tmp_path / 'work')
    found, (expected, _) = content(tmp_path / 'work'), whole
    assert same(found['weights'], expected['weights'])
    assert found['score'] == expected['score']
    assert not list((tmp_path / 'work').glob('*.partial'))


@pytest.mark.slow
def test_workers_do_not_matter(whole, phantom, tmp_path):
    """Augmentations follow from the position of a sample, not from who draws them."""
    start(phantom, tmp_path, **{'train_dataloader.num_workers': 2})
    assert same(content(tmp_path)['weights'], whole[0]['weights'])


@pytest.mark.slow
def test_a_copy_goes_on_by_itself(phantom, tmp_path):
    """mmengine notes where the best checkpoint was; it may have been elsewhere."""
    begun, longer = tmp_path / 'begun', {'train_cfg.max_iters': 6}
    start(phantom, begun, **{'train_cfg.max_iters': 2})
    before = content(begun)
    copied, moved = (shutil.copytree(begun, tmp_path / name) for name in 'cm')
    start(phantom, copied, **longer)
    assert same(content(begun), before)  # the best one, too
    assert not same(content(copied)['best'], before['best'])  # there is a better one
    shutil.rmtree(begun)
    start(phantom, moved, **longer)
    assert same(content(moved), content(copied)) and len(content(moved)['best']) == 1
    # another work dir has no best one yet, and leaves that of the first alone
    before, other = content(moved), tmp_path / 'other'
    options = {'load_from': str(last_checkpoint(moved)), 'train_cfg.max_iters': 8}
    cfg = load_config(DEMO, {**OPTIONS, **options}, str(phantom), str(other))
    cfg.resume = True
    train(cfg)
    assert same(content(moved), before) and len(content(other)['best']) == 1


@pytest.mark.slow
def test_another_seed_or_optimizer_is_no_resume(phantom, tmp_path):
    """Data would come in an order that neither training has."""
    start(phantom, tmp_path, **{'train_cfg.max_iters': 2})
    dumped = tmp_path / f'{DEMO}.py'
    config = dumped.read_text()
    for options, message in (
        ({'randomness.seed': 1}, f'began with seed {SEED}, and the config has 1'),
        ({'optim_wrapper.optimizer.weight_decay': 0.1}, 'had weight_decay='),
        ({'optim_wrapper.optimizer': dict(type='SGD', lr=0.02)}, 'the optimizer of its'),
    ):
        with pytest.raises(InputError, match=message):
            start(phantom, tmp_path, **options)
    assert dumped.read_text() == config  # of the training that is there
    seen = []

    class Watch(Hook):
        def before_train(self, runner):
            seen.append((runner.seed, runner.train_loop.dataloader.sampler.seed))

    HOOKS.register_module(name='Watch', module=Watch, force=True)
    start(
        phantom,
        tmp_path,
        **{'randomness.seed': None, 'custom_hooks': [dict(type='Watch')]},
    )
    assert seen == [(SEED, SEED)]


@pytest.mark.slow
def test_another_seed_is_another_training(whole, phantom, tmp_path):
    start(phantom, tmp_path, **{'randomness.seed': 1})
    assert not same(content(tmp_path)['weights'], whole[0]['weights'])


class Bomb:
    """What a malicious checkpoint holds: unpickling it calls what it likes."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


@pytest.fixture
def malicious(tmp_path):
    """A checkpoint of the demo's model with a bomb, and what the bomb would leave."""
    model = MODELS.build(load_config(DEMO).model)
    path, trace = tmp_path / 'malicious.pth', tmp_path / 'it_ran'
    torch.save(dict(state_dict=model.state_dict(), meta=dict(x=Bomb(trace))), path)
    return path, trace


@pytest.mark.slow
def test_code_in_a_checkpoint_does_not_run(malicious, tool, phantom, tmp_path, capsys):
    """Not by any of the tools, nor by mmengine's fallback; with the switch it does."""
    path, trace = malicious
    image = next((phantom / 'dataset/test').glob('*.png'))
    work = ['--data-root', str(phantom), '--work-dir', str(tmp_path / 'work')]
    resumed = tmp_path / 'resumed'
    resumed.mkdir()
    (resumed / 'iter_2.pth').write_bytes(path.read_bytes())
    calls = [
        ('test', [DEMO, str(path), *work]),
        (
            'predict',
            [
                str(image),
                '--config',
                DEMO,
                '--checkpoint',
                str(path),
                '--out',
                str(tmp_path / 'out'),
            ],
        ),
        (
            'export_onnx',
            [str(tmp_path / 'x.onnx'), '--config', DEMO, '--checkpoint', str(path)],
        ),
        ('train', [DEMO, *work, '--cfg-options', f'load_from={path}']),
        ('train', [DEMO, *work[:3], str(resumed), '--resume']),
    ]
    for name, arguments in calls:
        assert tool(name)(arguments) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert '--trust-checkpoint' in error and '.pth' in error, name
        assert not trace.exists(), name
    assert tool('predict')([*calls[1][1], '--trust-checkpoint']) == 0
    assert trace.exists()


@pytest.mark.slow
def test_code_in_the_text_of_a_checkpoint_does_not_run(tool, phantom, tmp_path):
    """mmengine would execute the text of its old configs when a training goes on."""
    arguments = [
        DEMO,
        '--data-root',
        str(phantom),
        '--work-dir',
        str(tmp_path),
        '--cfg-options',
        'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False',
        'train_dataloader.batch_size=1',
        'train_cfg.max_iters=1',
        'default_hooks.checkpoint.interval=1',
    ]
    assert tool('train')(arguments) == 0
    last = torch.load(tmp_path / 'iter_1.pth', weights_only=True)
    assert 'config' not in last['meta']
    last['meta']['config'] = f'open({str(tmp_path / "it_ran")!r}, "w")\n'
    torch.save(last, tmp_path / 'iter_1.pth')
    arguments[-2] = 'train_cfg.max_iters=2'
    assert tool('train')([*arguments[:5], '--resume', *arguments[5:]]) == 0
    assert (tmp_path / 'iter_2.pth').exists() and not (tmp_path / 'it_ran').exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    'change, words',
    [
        (
            lambda content: content['state_dict'].pop('decode_head.conv_seg.bias'),
            'conv_seg.bias is missing',
        ),
        (
            lambda content: content['state_dict'].update(
                {'decode_head.conv_seg.bias': torch.zeros(7)}
            ),
            'has shape (7,), not (4,)',
        ),
        (lambda content: content.pop('state_dict'), 'holds no weights'),
        (lambda content: content['state_dict'].update(x=1.5), 'holds no weights'),
        (lambda content: content.update(meta=None), 'holds no weights'),
    ],
    ids=['missing', 'classes', 'nothing', 'number', 'no meta'],
)
def test_partial_loads_are_errors(change, words, tool, phantom, tmp_path, capsys):
    """Of load_from too, where mmengine would warn."""
    content = dict(state_dict=MODELS.build(load_config(DEMO).model).state_dict())
    change(content)
    torch.save(content, tmp_path / 'partial.pth')
    assert (
        tool('train')(
            [
                DEMO,
                '--data-root',
                str(phantom),
                '--work-dir',
                str(tmp_path / 'work'),
                '--cfg-options',
                f'load_from={tmp_path / "partial.pth"}',
                'train_dataloader.num_workers=0',
                'train_dataloader.persistent_workers=False',
            ]
        )
        == 2
    )
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert words in error and 'partial.pth' in error


@pytest.mark.slow
def test_damaged_resume(tool, phantom, tmp_path, capsys):
    (tmp_path / 'iter_2.pth').write_bytes(b'PK\x03\x04 cut off')
    assert (
        tool('train')(
            [DEMO, '--data-root', str(phantom), '--work-dir', str(tmp_path), '--resume']
        )
        == 2
    )
    assert 'iter_2.pth: cannot be read' in capsys.readouterr().err
    # weights alone, as of a published file
    torch.save(
        dict(state_dict=MODELS.build(load_config(DEMO).model).state_dict()),
        tmp_path / 'iter_2.pth',
    )
    assert (
        tool('train')(
            [DEMO, '--data-root', str(phantom), '--work-dir', str(tmp_path), '--resume']
        )
        == 2
    )
    assert 'iter_2.pth: holds no epoch' in capsys.readouterr().err


@pytest.mark.slow
def test_what_was_trained_on_is_known(phantom, tmp_path):
    """Also by the start of a training, and where it goes on with another split."""

    def files(root, split):
        images = VPIDataset(str(root), split)
        return [Path(images[i]['img_path']) for i in range(len(images))]

    def digests(root, split):
        return {
            hashlib.sha256(path.read_bytes()).hexdigest() for path in files(root, split)
        }

    def said(work_dir):
        log = max(work_dir.glob('*/*.log'), key=lambda path: path.stat().st_mtime)
        return re.findall(r'(\d+ of the \d+ [a-z ]+), such as', log.read_text())

    def seen(work_dir):
        held = torch.load(last_checkpoint(work_dir), weights_only=True)
        return set(held['meta']['seam_seg']['trained_on'])

    begun, added = tmp_path / 'begun', tmp_path / 'added'
    on_all = {'val_dataloader': None, 'val_cfg': None, 'val_evaluator': None}
    on_all['train_dataloader.dataset.split'] = 'trainval'
    start(phantom, begun, **{'train_cfg.max_iters': 2}, **on_all)
    assert seen(begun) == digests(phantom, 'trainval') and not said(begun)
    options = {**OPTIONS, 'test_dataloader.dataset.split': 'val'}
    cfg = load_config(DEMO, options, str(phantom), str(tmp_path / 'tested'))
    run_test(cfg, str(last_checkpoint(begun)))
    assert said(tmp_path / 'tested') == ['1 of the 1 images']
    other = shutil.copytree(phantom, tmp_path / 'other')
    for path in files(other, 'train'):
        cv2.imwrite(str(path), 255 - cv2.imread(str(path)))
    options = {'load_from': str(last_checkpoint(begun)), 'train_cfg.max_iters': 2}
    start(other, added, **options)
    assert seen(added) == digests(phantom, 'trainval') | digests(other, 'train')
    assert said(added) == ['1 of the 1 images']  # which chooses
    start(other, begun)
    assert seen(begun) == seen(added)
    assert said(begun) == ['1 of the 1 images', '4 of the 4 training images']


def test_a_checkpoint_that_carries_no_config_is_said(caplog):
    """In a resume, from a start, and in mmseg's tests; not of the ready weights."""
    runner = SimpleNamespace(cfg=get_config(DEMO), logger=logging.getLogger('old'))
    for name in ('seam_seg://ready', 'old/iter_5.pth'):
        SafeCheckpointHook._compare_configs(runner, dict(meta={}), name)
    (record,) = caplog.records
    assert 'old/iter_5.pth' in record.getMessage() and DEMO in record.getMessage()


def test_dropout_is_drawn_from_seed_iteration_and_process(monkeypatch):
    """Not from what was drawn before, as by a validation or before an interruption."""

    def draws(seed, step, rank=0):
        monkeypatch.setattr('seam_seg.engine.checkpoint.get_rank', lambda: rank)
        runner = SimpleNamespace(seed=seed, iter=step)
        IterationSeedHook().before_train_iter(runner, 0)
        return torch.rand(1).item(), np.random.random(), random.random()  # noqa: NPY002

    first = draws(3, 0)
    others = [draws(3, 1), draws(4, 0), draws(3, 0, rank=1)]
    assert draws(3, 0) == first
    for kind in zip(first, *others):
        assert len(set(kind)) == 4
