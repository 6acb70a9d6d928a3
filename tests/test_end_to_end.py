"""Trains, is interrupted, resumes, tests and predicts through the real tools."""

import contextlib
import csv
import io
import itertools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seam_seg.config_lookup import config_path, project_root
from seam_seg.datasets import VPIDataset
from seam_seg.datasets.readers import read_mask
from seam_seg.evaluation import confusion_counts, dice_jaccard

pytestmark = pytest.mark.slow
DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'
# No worker processes: their start-up would take most of the time.
LOADERS = [
    f'{split}_dataloader.{key}'
    for split in ('train', 'val', 'test')
    for key in ('num_workers=0', 'persistent_workers=False')
]
TINY = [
    'train_dataloader.batch_size=2',
    'train_cfg.max_iters=4',
    'train_cfg.val_interval=2',
    'default_hooks.checkpoint.interval=2',
    'default_hooks.logger.interval=1',
    'default_hooks.checkpoint.max_keep_ckpts=5',
    *LOADERS,
]


@HOOKS.register_module()
class InterruptHook(Hook):
    """Ctrl-C at the start of the fourth iteration, after a checkpoint at the second."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 3:
            raise KeyboardInterrupt


@pytest.fixture(scope='module')
def trained(tool, phantom, tmp_path_factory):
    """The work dir of a training that was interrupted and resumed."""
    folder = tmp_path_factory.mktemp('run')
    work_dir = folder / 'work dir'
    config = folder / 'interrupted.py'
    config.write_text(
        f'_base_ = {str(config_path(DEMO))!r}\n'
        "custom_hooks = [dict(type='InterruptHook')]\n"
    )
    common = ['--data-root', str(phantom), '--work-dir', str(work_dir)]
    words = [str(config), *common, '--cfg-options', *TINY]
    shown, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(said):
        assert tool('train')(words) == 130
    (folder / 'first.txt').write_text(shown.getvalue())
    _, command = said.getvalue().splitlines()
    assert shlex.split(command)[2:] == [*words, '--resume']
    assert not (work_dir / 'iter_4.pth').exists()
    assert (work_dir / 'last_checkpoint').read_text().endswith('iter_2.pth')
    words = [DEMO, *common, '--resume', '--tensorboard', '--cfg-options', *TINY]
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        assert tool('train')(words) == 0
    (folder / 'resumed.txt').write_text(shown.getvalue())
    return work_dir


def screen(text, title):
    """The named lines below a title."""
    lines = text.split(f'{title}\n', 1)[1].splitlines()
    own = itertools.takewhile(lambda line: line.startswith('  '), lines)
    named = (line.strip().split('  ', 1) for line in own)
    return {name: said.strip() for name, said in named}


def test_one_screen_at_the_start(trained, phantom):
    """What matters; environment, config and hooks are in the log file, as ever."""
    first, resumed = (
        (trained.parent / f'{name}.txt').read_text() for name in ('first', 'resumed')
    )
    assert len(first.split('Iter(train)')[0].splitlines()) <= 25
    assert screen(first, 'Training')['start'] == 'random weights'
    lines = screen(resumed, 'Training')
    assert lines['config'] == DEMO and lines['data'] == str(phantom)
    assert lines['training'].startswith('4 cases, ') and lines['validation'] == '1 case'
    assert lines['classes'] == 'background, rib, thoracic, lumbar'
    assert lines['length'].startswith('4 iterations of 2 samples')
    assert lines['optimizer'] == 'Adam, learning rate 0.002'
    assert lines['start'] == f'iteration 2, {trained / "iter_2.pth"}'
    assert lines['device'].startswith('CPU') and lines['work dir'] == str(trained)
    logs = sorted(trained.glob('*/*.log'))
    assert len(logs) >= 2
    for text, log in zip((first, resumed), logs):
        assert 'WARNING' not in text and 'Loads checkpoint' not in text
        assert 'eta: ' in text.split('Iter(train)')[1]
        for part in ('System environment:', 'Config:\n', 'Hooks will be executed'):
            assert part not in text and part in log.read_text()
        assert screen(log.read_text(), 'Training') == screen(text, 'Training')


def test_the_end_says_how_to_test(trained, tool):
    """A line to be copied, with the options of the training."""
    lines = screen((trained.parent / 'resumed.txt').read_text(), 'Trained')
    (best,) = trained.glob('best_*.pth')
    assert re.search(rf'{best} \(\S+ [\d.]+ at iteration [24]\)', lines['best'])
    assert lines['last'] == str(trained / 'iter_4.pth')
    python, name, *words = shlex.split(lines['to test'])
    assert python == 'python' and name.endswith('tools/test.py')
    assert words == [str(best), '--work-dir', str(trained)]
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        assert tool('test')(words) == 0
    assert len(shown.getvalue().splitlines()) <= 25
    assert screen(shown.getvalue(), 'Written') == dict(scores=str(trained / 'test'))
    # on a machine that does other work, the times say so
    assert not re.search('WARNING - (?!R: other work)', shown.getvalue())


def test_ctrl_c(phantom, tmp_path):
    """Of a terminal, which sends it to the workers as well: two lines, no traceback."""
    process = subprocess.Popen(
        [
            sys.executable,
            str(project_root() / 'tools/train.py'),
            *(DEMO, '--data-root', str(phantom), '--work-dir', str(tmp_path)),
            '--cfg-options',
            *('train_dataloader.batch_size=2', 'default_hooks.checkpoint.interval=1'),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(project_root())),
        start_new_session=True,
        # Where the suite runs in the background of a shell, SIGINT is ignored, and what
        # it starts would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert any('Saving checkpoint at 2' in line for line in process.stdout)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    first, command = said.splitlines()
    assert re.search(r'--resume goes on from .*iter_\d+\.pth', first)
    assert command.endswith('--resume')


def test_resumes_from_the_last_checkpoint(trained):
    assert (trained / 'last_checkpoint').read_text().endswith('iter_4.pth')
    logs = sorted(trained.glob('*/vis_data/scalars.json'))
    assert len(logs) == 2
    resumed = [json.loads(line) for line in logs[1].read_text().splitlines()]
    steps = [line['step'] for line in resumed if 'decode.loss_center' in line]
    assert steps == [3, 4]
    for name in ('loss_ce', 'loss_key', 'loss_center', 'acc_seg'):
        assert all(
            np.isfinite(line[f'decode.{name}']) for line in resumed if 'loss' in line
        )


def test_saves_the_best_of_the_validation_split(trained, phantom):
    assert len(list(trained.glob('best_bone_mDice_iter_*.pth'))) == 1
    drawn = {
        path.stem[len('val_') :].rsplit('_', 1)[0]
        for path in trained.glob('*/vis_data/vis_image/val_*.png')
    }
    val = VPIDataset(str(phantom), split='val')
    assert drawn == set(val.split_names()) and len(drawn) == 1


def test_tensorboard_is_one_option_away(trained):
    """The learning rate, scores and images, by iteration, of the resumed training."""
    (folder,) = {path.parent for path in trained.glob('*/vis_data/events.out.*')}
    found = EventAccumulator(str(folder)).Reload()
    scalars = {
        name: [event.step for event in found.Scalars(name)]
        for name in found.Tags()['scalars']
    }
    assert {'lr', 'loss', 'bone/mDice'} <= scalars.keys()
    assert scalars['lr'] == [3, 4] and scalars['bone/mDice'] == [2, 4]
    assert found.Tags()['images']


@pytest.fixture(scope='module')
def checkpoint(trained):
    """The trained weights with a last layer that predicts every class somewhere.

    After four iterations all is background, which would hide what the tools do.
    """
    content = torch.load(trained / 'iter_4.pth', map_location='cpu', weights_only=False)
    generator = torch.Generator().manual_seed(0)
    weight = content['state_dict']['decode_head.conv_seg.weight']
    content['state_dict']['decode_head.conv_seg.weight'] = torch.randn(
        weight.shape, generator=generator
    )
    torch.save(content, trained / 'every_class.pth')
    return str(trained / 'every_class.pth')


@pytest.fixture(scope='module')
def tested(checkpoint, tool, phantom, tmp_path_factory):
    """What tools/test.py wrote: (work dir, labels, pictures)."""
    folder = tmp_path_factory.mktemp('test')
    assert (
        tool('test')(
            [
                DEMO,
                checkpoint,
                '--data-root',
                str(phantom),
                '--work-dir',
                str(folder),
                '--out',
                str(folder / 'labels'),
                '--show-dir',
                str(folder / 'pictures'),
                '--cfg-options',
                *LOADERS,
            ]
        )
        == 0
    )
    return folder


def test_scores_are_those_of_the_written_masks(tested, phantom):
    with (tested / 'test/dice_jaccard.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    names = (phantom / 'test.txt').read_text().split()
    assert [row['name'] for row in rows] == names and len(names) == 3
    for row in rows:
        pred = cv2.imread(str(tested / f'labels/{row["name"]}.png'), -1)
        truth = cv2.imread(
            str(phantom / f'groundtruth/test/{row["name"]}_bone_3.png'), -1
        )
        dice, jaccard = dice_jaccard(*confusion_counts(pred, truth, 4))
        for i, name in enumerate(('rib', 'thoracic', 'lumbar'), start=1):
            assert float(row[f'Dice.{name}']) == pytest.approx(100 * dice[i], abs=1e-4)
            assert float(row[f'Jaccard.{name}']) == pytest.approx(
                100 * jaccard[i], abs=1e-4
            )
    # two images warm up, the third is timed
    assert [row['runtime'] != '' for row in rows] == [False, False, True]
    summary = json.loads((tested / 'test/dice_jaccard.json').read_text())
    assert summary['R'] == pytest.approx(float(rows[2]['runtime']), abs=1e-5)


def test_pictures_show_image_prediction_and_truth(tested):
    pictures = sorted((tested / 'pictures').glob('*.png'))
    assert len(pictures) == 3
    for path in pictures:
        picture = cv2.imread(str(path))
        assert picture.shape[0] > 1000
        # the truth's pure colours are there (BGR), in the last third
        third = picture[:, 2 * picture.shape[1] // 3 :].reshape(-1, 3)
        for colour in ([0, 0, 255], [0, 255, 0], [255, 0, 0]):
            assert (third == colour).all(axis=1).any()


# Two that call different things mDice.
EVALUATORS = (
    "test_evaluator=[dict(type='DiceJaccardMetric'), "
    "dict(type='IoUMetric', iou_metrics=['mIoU', 'mDice'])]"
)


@pytest.mark.parametrize('way', ['nothing else', 'tta', 'logits', 'list of evaluators'])
def test_a_checkpoint_is_enough(way, checkpoint, tested, tool, phantom, tmp_path):
    """Without a config: as with its own, or with what is changed on purpose."""
    words = [checkpoint, '--work-dir', str(tmp_path), '--out', str(tmp_path / 'labels')]
    words += ['--tta'] if way == 'tta' else []
    options = {
        'logits': ['model.test_cfg.resize=logits'],
        'list of evaluators': [EVALUATORS],
    }.get(way, [])
    assert tool('test')([*words, '--cfg-options', *LOADERS[-2:], *options]) == 0
    summary = json.loads((tmp_path / 'test/dice_jaccard.json').read_text())
    assert summary['images'] == 3
    name = (phantom / 'test.txt').read_text().split()[0]
    mask = cv2.imread(str(tmp_path / f'labels/{name}.png'), -1)
    plain = cv2.imread(str(tested / f'labels/{name}.png'), -1)
    assert mask.shape == plain.shape
    # two ways change some pixels, another metric changes none
    assert (mask != plain).any() == (way in ('tta', 'logits'))


def test_what_disagrees_with_the_training(checkpoint, tool, phantom, tmp_path, capsys):
    """The same weights, and other grey levels: neither tested nor gone on with."""
    last = Path(checkpoint).with_name('iter_4.pth')
    (tmp_path / 'iter_4.pth').write_bytes(last.read_bytes())
    before = sorted(tmp_path.iterdir())
    common = ['--data-root', str(phantom), '--work-dir', str(tmp_path)]
    options = ['--cfg-options', *TINY, 'model.data_preprocessor.mean=[50,50,50]']
    for argv in (
        ['test', DEMO, checkpoint, *common, *options],
        ['train', DEMO, *common, '--resume', *options, 'train_cfg.max_iters=6'],
    ):
        assert tool(argv[0])(argv[1:]) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert 'data_preprocessor.mean is [50, 50, 50] in the config' in error
    assert sorted(tmp_path.glob('*.pth')) == before


def test_predict_writes_labels_under_the_original_names(
    checkpoint, tested, tool, phantom, tmp_path, capsys
):
    folder = phantom / 'dataset/test'
    bad = tmp_path / 'not an image.png'
    bad.write_bytes(b'no')
    status = tool('predict')(
        [
            str(folder),
            str(bad),
            '--out',
            str(tmp_path / 'out'),
            '--config',
            DEMO,
            '--checkpoint',
            checkpoint,
        ]
    )
    assert status == 1  # the bad file is reported, the others are done
    error = capsys.readouterr().err
    assert str(bad) in error and 'Traceback' not in error
    names = sorted(path.name for path in folder.glob('*.png'))
    assert sorted(path.name for path in (tmp_path / 'out').glob('*.png')) == names
    for kind in ('overlay', 'confidence'):
        assert sorted(p.name for p in (tmp_path / 'out' / kind).glob('*.png')) == names
    for name in names:
        mask = read_mask(tmp_path / 'out' / name, 4)
        assert mask.shape == cv2.imread(str(folder / name), -1).shape
        assert (mask == cv2.imread(str(tested / 'labels' / name), -1)).all()
        confidence = cv2.imread(str(tmp_path / 'out/confidence' / name), -1)
        assert confidence.shape == mask.shape and confidence.min() >= 63  # 255 / 4
        with (tmp_path / 'out/bones' / name.replace('.png', '.csv')).open() as file:
            bones = list(csv.DictReader(file))
        assert sum(int(bone['area']) for bone in bones) == (mask > 0).sum()
        numbers = cv2.imread(str(tmp_path / 'out/instances' / name), -1)
        assert numbers.dtype == np.uint16
        for bone in bones:
            assert (numbers == int(bone['id'])).sum() == int(bone['area'])
        doubts = [float(bone['doubt']) for bone in bones]
        assert doubts == sorted(doubts, reverse=True)
        assert all(0.25 <= float(bone['confidence']) <= 1 for bone in bones)


def test_a_held_out_family_is_a_data_set_to_test_on(checkpoint, tool, tmp_path):
    """No training case is needed: how a model of one's own is scored on a family."""
    root = tmp_path / 'scanner'
    made = [str(root), '--preset', 'scanner', '--num-train', '0', '--num-test', '2']
    assert tool('make_phantom')([*made, '--seed', '1000', '--workers', '1']) == 0
    words = [DEMO, checkpoint, '--data-root', str(root), '--work-dir', str(tmp_path)]
    assert tool('test')([*words, '--cfg-options', *LOADERS]) == 0
    scores = json.loads((tmp_path / 'test/dice_jaccard.json').read_text())
    assert scores['images'] == 2 and scores['mDice'] > 0


def test_the_papers_leaf_trains(tool, phantom, tmp_path):
    """All training cases, no validation, and the last checkpoint is kept."""
    assert (
        tool('train')(
            [
                'seam_r50-fpn_1xb12-80k_vpi-512x256',
                '--data-root',
                str(phantom),
                '--work-dir',
                str(tmp_path),
                '--cfg-options',
                'model.backbone.init_cfg=None',
                'train_dataloader.batch_size=1',
                'train_cfg.max_iters=1',
                'train_dataloader.num_workers=0',
                'train_dataloader.persistent_workers=False',
                'default_hooks.checkpoint.save_optimizer=False',
            ]
        )
        == 0
    )
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_1.pth']


def test_two_processes(phantom, tmp_path):
    """Of gloo, as a user starts them. How they test is in test_distributed.py."""
    words = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
    words += ['--nproc_per_node', '2', str(project_root() / 'tools/train.py'), DEMO]
    words += ['--data-root', str(phantom), '--work-dir', str(tmp_path)]
    words += ['--launcher', 'pytorch', '--cfg-options', *TINY]
    env = dict(os.environ, PYTHONPATH=str(project_root()))
    subprocess.run(words, check=True, timeout=300, cwd=tmp_path, env=env)
    assert (tmp_path / 'iter_4.pth').is_file()
    (log,) = tmp_path.glob('*/*.log')
    assert 'Distributed training: True' in log.read_text()
    assert 'GPU number: 2' in log.read_text()  # mmengine's name of the world size
    assert not (tmp_path / '.dist_test').exists()
