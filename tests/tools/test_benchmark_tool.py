"""The benchmark: what is made, kept, resumed and made anew; the tool on two configs."""

import json
import re
import subprocess
import sys

import pandas as pd
import pytest

from seam_seg.config_lookup import config_path, project_root
from seam_seg.evaluation.rows import read_rows

DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'
FPN = 'fpn_r18_1xb8-600_phantom-256x128'
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

    def __init__(self, folder):
        self.folder = folder
        for name in ('code', 'data'):
            (folder / name).write_text(name)
        self.run = dict(
            command='echo train | tee -a ../ran',
            config='lr=1',
            inputs=[str(folder / 'code')],
            tests=dict(
                test=dict(
                    command='echo test | tee -a ../ran > run_seed0/test/test/'
                    'dice_jaccard.csv',
                    inputs=[str(folder / 'data')],
                )
            ),
        )
        self.runs = dict(run_seed0=self.run)
        self.stack = dict(torch='1')
        self.gpus = []

    def __call__(self):
        """Makes what is missing, and returns what ran."""
        plan = dict(runs=self.runs, stack=self.stack, commit='echo c', gpus=self.gpus)
        (self.folder / 'runs.json').write_text(json.dumps(plan))
        (self.folder / 'ran').write_text('')
        rules = project_root() / 'tools/benchmark.smk'
        result = subprocess.run(
            f'{sys.executable} -m snakemake --cores 2 --snakefile {rules} --directory '
            f'{self.folder}/work --configfile {self.folder}/runs.json --quiet all '
            '--max-checksum-file-size 1TB --rerun-incomplete',
            shell=True,
            check=False,
        )
        return [*(self.folder / 'ran').read_text().split(), result.returncode]


@pytest.mark.slow
def test_what_has_changed_is_made_anew(tmp_path):
    workflow = Workflow(tmp_path)
    run = tmp_path / 'work/run_seed0'
    assert workflow() == ['train', 'test', 0]
    assert (run / 'begun').read_text() == 'c\n'
    (tmp_path / 'code').write_text('code')  # touched, and the same
    assert workflow() == [0]
    (tmp_path / 'data').write_text('other')  # what is tested on, not what is learned
    assert workflow() == ['test', 0]
    (run / 'iter_1.pth').touch()
    (tmp_path / 'code').write_text('other')
    assert workflow() == ['train', 'test', 0]
    assert not (run / 'iter_1.pth').exists()  # no training resumes from that
    workflow.run['config'] = 'lr=2'
    assert workflow() == ['train', 'test', 0]
    workflow.stack = dict(torch='2')
    assert workflow() == ['train', 'test', 0]
    (run / 'test/test/dice_jaccard.csv').unlink()
    assert workflow() == ['test', 0]


@pytest.mark.slow
def test_what_failed_goes_on_unless_something_changed(tmp_path):
    workflow = Workflow(tmp_path)
    right = workflow.run['command']
    workflow.run['command'] = 'touch run_seed0/iter_1.pth; false'
    assert workflow()[-1] != 0
    workflow.run['command'] = right
    assert workflow() == ['train', 'test', 0]
    assert (tmp_path / 'work/run_seed0/iter_1.pth').exists()  # resumed


@pytest.mark.slow
def test_each_gpu_has_one_training(tmp_path):
    workflow = Workflow(tmp_path)
    workflow.gpus = ['5', '7']
    workflow.runs = {
        name: dict(
            workflow.run,
            command='echo $CUDA_VISIBLE_DEVICES >> ../ran; sleep 3',
            tests=dict(
                test=dict(command=f'touch {name}/test/test/dice_jaccard.csv', inputs=[])
            ),
        )
        for name in ('run_seed0', 'run_seed1')
    }
    *gpus, status = workflow()
    assert sorted(gpus) == ['5', '7'] and not status


@pytest.mark.slow
def test_the_tool(tool, phantom, tmp_path, capfd, monkeypatch):
    """Two rows train for one iteration; then a head is edited: one is to train anew."""
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
        *(FPN, str(own), '--data-root', str(phantom), '--seeds', '0', '--rounds', '1'),
        *('--out', str(out), '--work-dir', str(work), '--cfg-options', *TINY),
    ]
    assert tool('benchmark')(arguments) == 0
    table = pd.read_csv(out / 'table.csv')
    assert list(table.Method) == ['Vanilla FPN', 'own']
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


def test_cross_validation(tool_module, phantom, tmp_path, monkeypatch):
    """Each of the eight cases is tested on once for each seed, in the fold it is in."""
    module = tool_module('benchmark')
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
            path.parent.mkdir(parents=True)
            path.write_text(
                'name,Dice.lumbar,runtime\n'
                + ''.join(f'{case},{50 + fold},\n' for case in names)
            )
            (args.work_dir / name / 'begun').write_text('commit\n')
        return 0

    monkeypatch.setattr(module, 'run_snakemake', fake)
    monkeypatch.setattr(
        module,
        'measure_costs',
        lambda configs, rounds: {
            'SEAM, key mass': dict(seconds=[1.0], parameters=1, flops=1, peak_bytes=1)
        },
    )
    assert (
        module.main(
            [
                *(
                    DEMO,
                    '--data-root',
                    str(phantom),
                    '--folds',
                    str(phantom / 'folds3_seed0'),
                ),
                *(
                    '--seeds',
                    '0',
                    '1',
                    '--out',
                    str(tmp_path),
                    '--work-dir',
                    str(tmp_path / 'work'),
                ),
            ]
        )
        == 0
    )
    rows = read_rows(tmp_path / 'results.csv')
    dice = rows[rows['score'] == 'Dice']
    assert list(dice.groupby('image').size()) == [2] * 8
    # three, three and two cases in the folds
    table = pd.read_csv(tmp_path / 'table.csv')
    assert table['Ave. D (%)'][0] == f'{dice["value"].mean():.2f} ± 0.00'
    assert dice['value'].sum() == 2 * (3 * 50 + 3 * 51 + 2 * 52)
