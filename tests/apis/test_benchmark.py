"""The benchmark: its statistics, its costs, its files, and the tool on two configs."""

import itertools
import json

import cv2
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from seam_seg.apis import benchmark
from seam_seg.apis.study import BONES
from seam_seg.config_lookup import config_path
from seam_seg.errors import InputError

DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'
WAVECT = 'wavect_r18-fpn_1xb8-600_phantom-256x128'


def run(seed, dice):
    """A run with these average Dice scores of images, each the same for all classes."""
    scores = {
        key: float(np.mean(dice))
        for key in (
            'mDice',
            'mJaccard',
            'mHD95',
            'mASSD',
            *(f'{key}.{bone}' for key in ('Dice', 'Jaccard') for bone in BONES),
        )
    }
    scores.update({f'no_surface.{bone}': 1 for bone in BONES})
    return dict(
        seed=seed,
        scores=scores,
        per_image={
            f'case{i}': {f'Dice.{bone}': value for bone in BONES}
            for i, value in enumerate(dice)
        },
    )


def test_holm_by_hand():
    # sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1, never falling
    assert benchmark.holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx(
        [0.06, 0.04, 0.06, 0.06]
    )
    assert benchmark.holm([0.5, 0.9]) == pytest.approx([1, 1])


def test_compare():
    rng = np.random.default_rng(0)
    base = rng.uniform(60, 80, 9)
    worse = base - rng.uniform(0.1, 3, 9)
    noisy = base + rng.normal(0, 1, 9)
    results = dict(
        ours=[run(0, base + 1), run(1, base - 1)],  # their mean is base
        worse=[run(0, worse), run(1, worse)],
        noisy=[run(0, noisy)],
        same=[run(0, base)],
    )
    rows = benchmark.compare(results, 'ours')
    assert list(rows) == ['worse', 'noisy', 'same']
    assert rows['worse']['difference'] == pytest.approx(np.mean(base - worse))
    # exact two-sided p: all 2^9 signs are equally likely, and all differences positive
    assert rows['worse']['p'] == pytest.approx(2 / 2**9)
    ranks = stats.rankdata(np.abs(base - noisy))
    observed = min(ranks[base > noisy].sum(), ranks[base < noisy].sum())
    as_extreme = [
        min(total, ranks.sum() - total) <= observed
        for total in (
            sum(rank for rank, positive in zip(ranks, signs) if positive)
            for signs in itertools.product((0, 1), repeat=9)
        )
    ]
    assert rows['noisy']['p'] == pytest.approx(np.mean(as_extreme))
    assert rows['same']['p'] == 1
    assert rows['worse']['by_seed'] == pytest.approx(
        [np.mean(base + 1 - worse), np.mean(base - 1 - worse)]
    )
    assert rows['same']['by_seed'] == pytest.approx([1])  # it has no other seed
    assert rows['worse']['p_holm'] == pytest.approx(3 * rows['worse']['p'])
    with pytest.raises(InputError, match="'other' has no result"):
        benchmark.compare(results, 'other')
    with pytest.raises(InputError, match='different images'):
        benchmark.compare(dict(results, worse=[run(0, worse[:5])]), 'ours')


def test_report(tmp_path):
    results = {
        'FPN': [run(0, [70.0, 72.0, 60.0]), run(1, [71.0, 71.0, 60.0])],
        'fpn_~50%': [run(0, [60.0, 70.0, 50.0])],
        'nothing': [run(0, [0.0, 0.0, 0.0])],
        'SEAM': [run(0, [74.0, 72.0, 65.0]), run(1, [73.0, 75.0, 66.0])],
    }
    results['nothing'][0]['scores']['mHD95'] = None
    for seed, gamma in ((0, 0.1), (1, 0.3)):
        results['SEAM'][seed]['probe'] = dict(gamma=gamma, ratio=None)
    cost = dict(R=0.25, parameters=3_100_000, flops=12_340_000_000)
    benchmark.write_report(
        results, dict.fromkeys(results, cost), 'SEAM', tmp_path, '# Title'
    )
    table = pd.read_csv(tmp_path / 'table.csv')
    assert list(table.Method) == list(results)
    mean, spread = np.mean([67 + 1 / 3] * 2), 0.0
    assert table['Ave. D (%)'][0] == f'{mean:.2f} ± {spread:.2f}'
    assert table['Ave. D (%)'][1] == '60.00'  # one seed has no spread
    assert table['HD95 (px)'][2] == '-'
    assert table['by seed'][0] == '+3.00, +4.00'
    assert list(table['Without distance']) == [3.0] * 4
    assert list(table['FLOPs (G)']) == [12.34] * 4
    assert table['SEAM - this'][0] == pytest.approx(3.5)
    page = (tmp_path / 'README.md').read_text()
    assert page.startswith('# Title') and '| SEAM' in page and 'per_image.png' in page
    assert '| SEAM     | gamma      | 0.2    | 0.1, 0.3 |' in page
    assert page.count('SEAM     | ') == 2  # the other quantity has no value
    latex = (tmp_path / 'table.tex').read_text()
    assert (
        r'67.33 $\pm$ 0.00' in latex
        and r'\toprule' in latex
        and '%' not in (latex.replace(r'\%', ''))
    )
    assert r'fpn\_\textasciitilde 50\%' in latex
    frame = pd.read_csv(tmp_path / 'per_image.csv')
    assert len(frame) == 6 * 3 and frame['Dice.rib'].max() == 75
    assert (tmp_path / 'per_image.png').stat().st_size > 10000


def test_costs():
    costs = benchmark.measure_costs([DEMO, WAVECT], rounds=2)
    assert list(costs) == [benchmark.method_name(DEMO), 'WaveCT']
    # the autoencoder runs on the image and on its style
    assert costs['WaveCT']['flops'] > 2 * costs['SEAM, key mass']['flops']
    cost = costs[benchmark.method_name(DEMO)]
    assert 0 < min(cost['seconds']) <= cost['R'] and len(cost['seconds']) == 2
    assert cost['peak_bytes'] > 32 * 256 * 64 * 4  # the stem's output alone
    assert 3.0e6 < cost['parameters'] < 3.2e6
    # the stem's first convolution alone: 3 x 3 x 3 x 32 at half of 512 x 128
    assert cost['flops'] > 10 * 27 * 32 * 256 * 64


def test_the_tool(tool, phantom, tmp_path, capsys):
    """Two rows that train for one iteration, and a second call that trains nothing."""
    configs = []
    for name, beta in (('with', 0.5), ('without', 0.0)):
        path = tmp_path / f'{name}.py'
        path.write_text(
            f'_base_ = {str(config_path(DEMO))!r}\n'
            f'method_name = {name!r}\nmodel = dict(decode_head=dict(beta={beta}))\n'
        )
        configs.append(str(path))
    arguments = [
        *configs,
        '--data-root',
        str(phantom),
        '--seeds',
        '0',
        '--rounds',
        '1',
        '--out',
        str(tmp_path / 'out'),
        '--work-dir',
        str(tmp_path / 'work'),
        '--cfg-options',
        'train_cfg.max_iters=1',
        'train_dataloader.batch_size=2',
        'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False',
    ]
    assert tool('benchmark')(arguments) == 0
    printed = capsys.readouterr().out
    assert '2 of 2: ' in printed
    table = pd.read_csv(tmp_path / 'out/table.csv')
    assert list(table.Method) == ['with', 'without']
    run = json.loads((tmp_path / 'out/with_seed0.json').read_text())
    assert len(run['per_image']) == 3 and run['split'] == 'test'
    assert 'mHD95' in run['scores'] and 'train_dataloader.batch_size=2' in run['command']
    assert (tmp_path / 'work/with_seed0/iter_1.pth').exists()
    assert tool('benchmark')(arguments) == 0
    assert 'of 2' not in capsys.readouterr().out
    # the figure of the masks, from the same folders
    figure = [
        *configs,
        '--data-root',
        str(phantom),
        '--results',
        str(tmp_path / 'out'),
        '--work-dir',
        str(tmp_path / 'work'),
        '--out',
        str(tmp_path / 'methods.png'),
    ]
    assert tool('draw_methods')(figure) == 0
    assert cv2.imread(str(tmp_path / 'methods.png')).shape[0] > 3 * 700
    assert tool('draw_methods')([*figure, '--seed', '5']) == 2
    assert 'seed5: no checkpoint' in capsys.readouterr().err
    # what is wrong is said before anything runs, and a result that is cut off is named
    for extra, match in (
        (['--reference', DEMO], 'none of the configs'),
        ([configs[0].replace('with.py', 'no.py')], 'neither a file'),
    ):
        assert tool('benchmark')([*arguments[:2], *extra, *arguments[2:]]) == 2
        assert match in capsys.readouterr().err
    (tmp_path / 'out/with_seed0.json').write_text('{"variant": ')
    assert tool('benchmark')(arguments) == 2
    assert 'with_seed0.json' in capsys.readouterr().err


def test_cross_validation(tool, phantom, tmp_path, capsys, monkeypatch):
    """Each of the eight cases is tested on once for each seed, in the fold it is in."""

    def fake(run_, data_root, work_dir, split, gpu, held_out):
        dataset = run_.options['test_dataloader']['dataset']
        assert dataset['both_folders'] and split == 'test'
        assert run_.options['test_evaluator'] == dict(surface=True)
        images = (phantom / dataset['split_files']['test']).read_text().split()
        result = run(run_.seed, [50.0 + run_.fold] * len(images))
        result['per_image'] = dict(zip(images, result['per_image'].values()))
        return dict(result, variant=run_.variant, fold=run_.fold, versions={}), None

    monkeypatch.setattr('seam_seg.apis.study.train_and_score', fake)
    monkeypatch.setattr('seam_seg.apis.study.probe', lambda cfg, checkpoint: {})
    assert tool('make_folds')([str(phantom), '--folds', '3']) == 0
    assert (
        tool('benchmark')(
            [
                DEMO,
                '--data-root',
                str(phantom),
                '--folds',
                str(phantom / 'folds3_seed0'),
                '--seeds',
                '0',
                '1',
                '--rounds',
                '1',
                '--out',
                str(tmp_path),
                '--work-dir',
                str(tmp_path / 'work'),
            ]
        )
        == 0
    )
    assert '6 of 6: ' in capsys.readouterr().out
    assert (tmp_path / f'{DEMO}_fold2_seed1.json').exists()
    frame = pd.read_csv(tmp_path / 'per_image.csv')
    assert list(frame.groupby('image').size()) == [2] * 8
    # three, three and two cases in the folds
    table = pd.read_csv(tmp_path / 'table.csv')
    assert table['Ave. D (%)'][0] == f'{(3 * 50 + 3 * 51 + 2 * 52) / 8:.2f} ± 0.00'
