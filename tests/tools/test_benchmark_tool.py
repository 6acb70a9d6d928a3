"""The benchmark: what is made, kept, resumed and made anew; and the tool as a whole."""

import importlib.util
import os
import re
import shutil
import sys
from argparse import Namespace

import pandas as pd
import pytest
import torch

from seam_seg.apis.trainings import STACK, digest_of, made_from
from seam_seg.config_lookup import config_path
from seam_seg.errors import InputError
from seam_seg.evaluation.rows import read_rows

DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'
needs_snakemake = pytest.mark.skipif(
    sys.version_info < (3, 11), reason='Snakemake 9 needs Python 3.11'
)
TINY = [
    'train_cfg.max_iters=1',
    'train_dataloader.batch_size=2',
    'default_hooks.checkpoint.interval=1',
    *(
        f'{split}_dataloader.{key}'
        for split in ('train', 'test')
        for key in ('num_workers=0', 'persistent_workers=False')
    ),
]


class Workflow:
    """The rules with commands that only write down that they ran."""

    def __init__(self, folder, module):
        self.folder, self.module, self.learned, self.gpus = folder, module, 'lr=1', 0
        for name in ('code', 'data'):
            (folder / name).write_text(name)
        self.commands = dict(train='echo train | tee -a ../ran')

    def __call__(self, *names):
        """Makes what is missing of runs (default: one), and returns what ran."""
        digest_of.cache_clear()
        runs = {}
        for name in names or ['run_seed0']:
            scores = f'{name}/test/test/dice_jaccard.csv'
            test = made_from({}, [self.folder / 'data'])
            test['command'] = f'echo test | tee -a ../ran > {scores}'
            runs[name] = made_from(self.learned, [self.folder / 'code'])
            runs[name].update(command=self.commands['train'], tests=dict(test=test))
        (self.folder / 'ran').write_text('')
        work_dir = self.folder / 'work'
        args = Namespace(gpus=self.gpus, work_dir=work_dir, snakemake=[])
        status = self.module.run_snakemake(args, runs)
        return [*(self.folder / 'ran').read_text().split(), status]


@pytest.fixture
def workflow(tmp_path, tool_module, monkeypatch):
    monkeypatch.setenv('TMPDIR', str(tmp_path))  # of locks, which all users' runs share
    return Workflow(tmp_path, tool_module('_benchmark'))


@pytest.mark.slow
@needs_snakemake
def test_what_has_changed_is_made_anew(workflow, monkeypatch):
    folder = workflow.folder
    run = folder / 'work/run_seed0'
    assert workflow() == ['train', 'test', 0]
    assert len((run / 'begun').read_text().split()) == 1
    (folder / 'code').write_text('code')  # touched, and the same
    assert workflow() == [0]
    (folder / 'data').write_text('other')  # what is tested on, not what is learned
    assert workflow() == ['test', 0]
    (run / 'iter_1.pth').touch()
    (folder / 'code').write_text('other')
    os.utime(folder / 'code', (1, 1))  # an older file in the place of a newer one
    assert workflow() == ['train', 'test', 0]
    assert not (run / 'iter_1.pth').exists()  # no training resumes from that
    workflow.learned = 'lr=2'
    assert workflow() == ['train', 'test', 0]
    monkeypatch.setitem(STACK, 'torch', 'another')
    assert workflow() == ['train', 'test', 0]
    (run / 'test/test/dice_jaccard.csv').unlink()
    assert workflow() == ['test', 0]


@pytest.mark.slow
@needs_snakemake
def test_what_failed_goes_on_unless_something_changed(workflow):
    right = workflow.commands['train']
    workflow.commands['train'] = 'touch run_seed0/iter_1.pth; false'
    assert workflow()[-1] != 0
    workflow.commands['train'] = right
    assert workflow() == ['train', 'test', 0]
    assert (workflow.folder / 'work/run_seed0/iter_1.pth').exists()  # resumed


@pytest.mark.slow
@needs_snakemake
def test_each_gpu_has_one_training(workflow, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '5,7')
    workflow.gpus = 2
    workflow.commands['train'] = 'echo $CUDA_VISIBLE_DEVICES >> ../ran; sleep 3'
    *ran, status = workflow('run_seed0', 'run_seed1')
    assert sorted(ran) == ['5', '7', 'test', 'test'] and not status


def test_without_snakemake_it_says_what_to_install(workflow, monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(InputError, match='pip install "snakemake>=9"'):
        workflow()


def test_what_is_compared(tool_module, capsys):
    module, engine = map(tool_module, ('benchmark', '_benchmark'))
    other, third = (
        DEMO.replace('seam-keymass_r18-fpn', name) for name in ('fpn_r18', 'fpn-conv_r18')
    )
    names = {other: 'Vanilla FPN', third: 'FPN + 3x3 conv', DEMO: 'SEAM, key mass'}

    def labels(*words):
        args = module.parse_args([*names, '--data-root', 'data', *words])
        return list(engine.read_contrasts(args, names))

    assert labels() == ['FPN + 3x3 conv - Vanilla FPN', 'SEAM, key mass - Vanilla FPN']
    assert labels('--reference', DEMO) == [
        'Vanilla FPN - SEAM, key mass',
        'FPN + 3x3 conv - SEAM, key mass',
    ]
    asked = [f'{DEMO} - {other}', 'Vanilla FPN - FPN + 3x3 conv']
    assert labels('--contrast', *asked) == ['SEAM, key mass - Vanilla FPN', asked[1]]
    with pytest.raises(InputError, match="'UNet - Vanilla FPN' is not"):
        labels('--contrast', 'UNet - Vanilla FPN')
    for wrong in (
        ['--smallest-effect', '0'],
        ['--smallest-effect', 'nan'],
        ['--reference', DEMO, '--contrast', *asked],
        ['--also', 'other=data', '--folds', 'data/folds2_seed0'],
    ):
        with pytest.raises(SystemExit):
            labels(*wrong)
        assert wrong[0] in capsys.readouterr().err


def test_seeds_are_tested_on_the_same_images(tool_module, tmp_path):
    """By name and content, in whatever folder; other data sets are not compared."""
    check = tool_module('_benchmark').check_tests
    args = Namespace(data_root='data/{seed}', split='test', setting='here')
    labels = {f'{name}_{seed}': (name, seed) for name in 'ab' for seed in range(2)}

    def runs(*contents):
        digest_of.cache_clear()
        made = {}
        for run, (_, seed) in labels.items():
            tests = {}
            for setting, text in zip(('here', 'there'), contents[seed]):
                path = tmp_path / f'{seed}/{setting}/image.png'
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
                tests[setting] = dict(made_from({}, [path]), setting=setting)
            made[run] = dict(tests=tests)
        return made

    check(args, runs(('same', 'one'), ('same', 'other')), labels)
    with pytest.raises(InputError, match='data/{seed}: the test split of seed 1 is not'):
        check(args, runs(('same', 'one'), ('other', 'one')), labels)


def test_whose_the_images_are_is_not_guessed(tool_module, tmp_path):
    """By the table of the data set, else as it is said, else it is asked."""
    module, engine = map(tool_module, ('benchmark', '_benchmark'))
    names = ['s1_a', 's1_b', 's2_a']
    other = dict(setting='other', cases=['elsewhere'])
    test = dict(setting='here', cases=names)
    runs = {'x': dict(tests=dict(a=test, b=other)), 'y': dict(tests=dict(a=test))}

    def found(*words):
        words = [
            'x',
            '--data-root',
            str(tmp_path / '{seed}'),
            '--setting',
            'here',
            *words,
        ]
        return list(engine.find_subjects(module.parse_args(words), runs).items())

    with pytest.raises(InputError, match='several of the 3 cases seem to be of one'):
        found()
    assert found('--one-scan-per-subject') == [(name, name) for name in names]
    wanted = list(zip(names, ['s1', 's1', 's2']))
    assert found('--subject-pattern', '^(s[0-9])') == wanted
    (tmp_path / '4').mkdir()
    table = 'name,subject\n' + ''.join(f'{name},P{name[1]}\n' for name in names)
    (tmp_path / '4/prepared.csv').write_text(table)
    assert found('--seeds', '4') == list(zip(names, ['P1', 'P1', 'P2']))


@pytest.mark.slow
@needs_snakemake
def test_the_tool(tool, phantom, tmp_path, capfd, monkeypatch):
    """A head beside its config, trained for an iteration; edited, it is to train anew."""
    monkeypatch.setattr(sys, 'path', [*sys.path])  # it finds the module by itself
    (tmp_path / 'own_head.py').write_text(
        'from mmseg.registry import MODELS\nfrom seam_seg.models import SEAMHead\n\n\n'
        '@MODELS.register_module(force=True)\nclass OwnHead(SEAMHead):\n    scale = 1\n'
    )
    own = tmp_path / 'own.py'
    own.write_text(
        f'_base_ = {str(config_path(DEMO))!r}\nmethod_name = "own"\n'
        "custom_imports = dict(imports=['seam_seg', 'own_head'])\n"
        "model = dict(decode_head=dict(type='OwnHead'))\n"
    )
    out, work = tmp_path / 'out', tmp_path / 'work dir'
    arguments = [
        *(str(own), '--data-root', str(phantom), '--seeds', '0', '--rounds', '1'),
        *('--out', str(out), '--work-dir', str(work), '--cfg-options', *TINY),
    ]
    assert tool('benchmark')(arguments) == 0
    table = pd.read_csv(out / 'table.csv')
    assert list(table.Method) == ['own']
    rows = read_rows(out / 'results.csv')
    scored = rows[rows['score'] == 'Dice']
    assert set(scored['setting']) == {f'{phantom.name} test'}
    assert scored['image'].nunique() == 3 and {'HD95', 'R', 'flops'} <= set(rows['score'])
    assert (work / 'own_seed0/iter_1.pth').exists()
    with (tmp_path / 'own_head.py').open('a') as file:
        file.write('    other = 2\n')
    capfd.readouterr()
    assert tool('benchmark')([*arguments, '--snakemake', '--dry-run']) == 0
    planned = capfd.readouterr().out
    assert re.search(r'begin +1\ntrain +1\ntest +1\n', planned)


@pytest.mark.slow
def test_cross_validation(tool_module, phantom, tmp_path, monkeypatch, capsys):
    """Each of the eight cases is tested on once for each seed, in the fold it is in."""
    main = tool_module('benchmark').main
    module = importlib.import_module('_benchmark')
    phantom = shutil.copytree(phantom, tmp_path / 'phantom')
    assert tool_module('make_folds').main([str(phantom), '--folds', '3']) == 0

    def fake(args, runs):
        """Scores each case with the number of its fold."""
        for name, run in runs.items():
            ((folder, test),) = run['tests'].items()
            words = test['command']
            fold = int(name.split('_fold')[1][0])
            assert f'fold{fold}_test.txt' in words and 'surface=True' in words
            names = (phantom / f'folds3_seed0/fold{fold}_test.txt').read_text().split()
            path = args.work_dir / name / folder / 'test/dice_jaccard.csv'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(
                'name,Dice.lumbar,runtime\n'
                + ''.join(f'{case},{50 + fold},{fold}\n' for case in names)
            )
            (args.work_dir / name / 'begun').write_text('commit\n')
        return 0

    monkeypatch.setattr(module, 'run_snakemake', fake)
    monkeypatch.setattr(
        module,
        'measure_costs',
        lambda configs, rounds: {
            module.method_name(config): dict(
                seconds=[1.0], parameters=1, flops=1, peak_bytes=1, other_cores=100.0
            )
            for config in configs
        },
    )
    arguments = f'--data-root {phantom} --folds {phantom}/folds3_seed0 --seeds 0 1'
    arguments += f' --out {tmp_path} --work-dir {tmp_path}/work'
    for _ in range(2):  # the second call reads what the first has written
        assert main([DEMO, *arguments.split()]) == 0
    rows = read_rows(tmp_path / 'results.csv')
    dice = rows[rows['score'] == 'Dice']
    assert list(dice.groupby('image').size()) == [2] * 8
    # three, two and three cases in the folds
    table = pd.read_csv(tmp_path / 'table.csv')
    assert table['Ave. D (%)'][0] == f'{dice["value"].mean():.2f} ± 0.00'
    assert dice['value'].sum() == 2 * (3 * 50 + 2 * 51 + 3 * 52)
    # R, over all images that were timed
    times = rows[rows['score'] == 'R']['value']
    assert list(times) == pytest.approx([(3 * 0 + 2 * 1 + 3 * 2) / 8] * 2)
    # that other work was going on meanwhile is said, written and kept
    assert 'warning: R: ' in capsys.readouterr().err
    assert 'kept 100.0 of' in (tmp_path / 'table.md').read_text()
    # two methods, on images of two subjects
    compared = [DEMO.replace('seam-keymass_r18-fpn', 'fpn_r18'), DEMO, *arguments.split()]
    compared += ['--seeds', '0', '--subject-pattern', '^phantom_(train|test)']
    assert main([*compared, '--out', str(tmp_path / 'compared')]) == 0
    page = (tmp_path / 'compared/table.md').read_text()
    assert 'Seeds x subjects (images)' in page and '| 1 x 2 (8) ' in page
    # what could not be made leaves the rows as they are
    before = (tmp_path / 'results.csv').read_bytes()
    (lost,) = (tmp_path / 'work').glob('*_fold1_seed1/*/test/dice_jaccard.csv')
    lost.unlink()
    monkeypatch.setattr(module, 'run_snakemake', lambda args, runs: 1)
    assert main([DEMO, *arguments.split()]) == 2
    said = capsys.readouterr().err
    assert 'not everything could be' in said and '_fold1_seed1/log.txt' in said
    assert (tmp_path / 'results.csv').read_bytes() == before
    assert rows[rows['score'] == 'other_cores']['value'].tolist() == [100]
