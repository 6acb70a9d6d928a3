"""The table, the comparison and the plot that are made from rows."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from seam_seg.apis import benchmark
from seam_seg.errors import InputError
from seam_seg.evaluation.rows import COLUMNS, rows_of_costs

BONES = ('lumbar', 'thoracic', 'rib')


def runs(method, dice, score='Dice'):
    """Rows of a method; ``dice[seed][image]`` is that of all classes, None has none."""
    return pd.DataFrame(
        [
            ('study', 'test', method, seed, f'case{i}', bone, score, value, 'commit')
            for seed, images in enumerate(dice)
            for i, value in enumerate(images)
            for bone in BONES
            if value is not None
        ],
        columns=list(COLUMNS),
    )


def welch(differences):
    """Interval and p by plain loops: variances of the means by seed and by image."""
    seeds, images = len(differences), len(differences[0])
    mean = sum(map(sum, differences)) / (seeds * images)
    by_seed = [sum(row) / images for row in differences]
    by_image = [sum(row[i] for row in differences) / seeds for i in range(images)]
    parts = []
    for means in (by_seed, by_image):
        n = len(means)
        parts.append((sum((m - mean) ** 2 for m in means) / (n - 1) / n, n - 1))
    total = sum(part for part, _ in parts)
    freedom = total**2 / sum(part**2 / n for part, n in parts)
    t = mean / total**0.5
    reach = stats.t.ppf(0.975, freedom) * total**0.5
    return mean, mean - reach, mean + reach, 2 * stats.t.sf(abs(t), freedom)


def test_compare():
    rng = np.random.default_rng(0)
    base = rng.uniform(60, 80, (3, 9))
    others = dict(
        worse=base - rng.uniform(1, 3, (3, 9)),
        noisy=base + rng.normal(0, 1, (3, 9)),
        seeds=base + np.array([[-3], [0], [4]]),  # all images alike, every seed otherwise
        same=base,
    )
    rows = pd.concat(
        [runs('ours', base), *(runs(name, dice) for name, dice in others.items())]
    )
    table = benchmark.compare(rows, 'ours')
    assert list(table.index) == list(others)
    raw = {}
    for name in ('worse', 'noisy', 'seeds'):
        mean, low, high, raw[name] = welch((base - others[name]).tolist())
        assert list(table.loc[name, ['difference', 'low', 'high']]) == pytest.approx(
            [mean, low, high]
        )
    assert table.loc['seeds', 'low'] < -4  # 27 agreeing images do not make three seeds
    assert list(table.loc['same']) == [0, 0, 0, 1]
    # Holm: 0.0..., then the others times 3, 2, 1, never falling, at most 1
    order = sorted(raw, key=raw.get)
    expected, before = {}, 0.0
    for factor, name in zip((4, 3, 2), order):
        expected[name] = before = min(1, max(before, factor * raw[name]))
    assert {name: table.loc[name, 'p'] for name in raw} == pytest.approx(expected)
    with pytest.raises(InputError, match="'other' has no result"):
        benchmark.compare(rows, 'other')
    fewer = pd.concat([runs('ours', base), runs('worse', base[:, :5])])
    with pytest.raises(InputError, match='different images'):
        benchmark.compare(fewer, 'ours')


def test_one_seed_is_not_tested():
    rows = pd.concat([runs('ours', [[70, 72]]), runs('other', [[60, 70]])])
    table = benchmark.compare(rows, 'ours')
    assert table.loc['other', 'difference'] == 6 and table.loc['other'].isna().sum() == 3
    text = benchmark.comparison_table(rows, 'ours')
    assert list(text['p (Holm)']) == ['-']


def test_report(tmp_path):
    rows = pd.concat(
        [
            runs('FPN', [[70, 72, 60], [71, 71, 60]]),
            runs('FPN', [[5, 5, None], [5, 7, 9]], score='HD95'),
            runs('fpn_~50%', [[60, 70, 50], [61, 69, 50]]),
            runs('SEAM', [[74, 72, 65], [73, 75, 66]]),
            runs('SEAM', [[3, 3, 3], [3, 3, 3]], score='HD95'),
        ]
    )
    cost = dict(
        seconds=[0.2, 0.25, 0.9],
        parameters=3_100_000,
        flops=12_340_000_000,
        peak_bytes=1,
        other_cores=0.1,
    )
    costs = rows_of_costs(
        dict.fromkeys(rows['method'].unique(), cost), 'study', 'test, costs', 'commit'
    )
    benchmark.write_report(rows, costs, 'SEAM', tmp_path, '# Title')
    table = pd.read_csv(tmp_path / 'table.csv').set_index('Method')
    assert list(table.index) == ['FPN', 'fpn_~50%', 'SEAM']
    assert table.loc['FPN', 'Ave. D (%)'] == '67.33 ± 0.00'
    assert table.loc['FPN', 'HD95 (px)'] == '6.00 ± 1.41'
    assert table.loc['fpn_~50%', 'HD95 (px)'] == '-'
    assert list(table['Without distance']) == [1.5, 9, 0]
    assert list(table['FLOPs (G)']) == [12.34] * 3 and list(table['R (s)']) == [0.25] * 3
    page = (tmp_path / 'table.md').read_text()
    assert page.startswith('# Title') and 'per_image.png' in page
    assert '| FPN      | +3.50 [' in page
    latex = (tmp_path / 'table.tex').read_text()
    assert r'67.33 $\pm$ 0.00' in latex and r'\toprule' in latex
    assert '%' not in latex.replace(r'\%', '')
    assert r'fpn\_\textasciitilde 50\%' in latex
    assert (tmp_path / 'per_image.png').stat().st_size > 10000
