"""The tables and the figures that are made from rows."""

import pandas as pd
import pytest

from seam_seg.apis import benchmark
from seam_seg.apis.comparison import against
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


COST = dict(
    seconds=[0.2, 0.25, 0.9],
    parameters=3_100_000,
    flops=12_340_000_000,
    peak_bytes=1,
    other_cores=0.1,
)


def costs_of(rows):
    """The same costs for all methods."""
    return rows_of_costs(
        dict.fromkeys(rows['method'].unique(), COST), 'study', 'test, costs', 'commit'
    )


@pytest.mark.slow
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
    other = runs('SEAM', [[1, 2, 3], [1, 2, 3]], score='Found').assign(**{'class': 'all'})
    rows = pd.concat([rows, other.drop_duplicates()])
    contrasts = against('FPN', rows['method'].unique())
    benchmark.write_report(rows, costs_of(rows), contrasts, tmp_path, '# Title', 0.5)
    table = pd.read_csv(tmp_path / 'table.csv').set_index('Method')
    assert list(table.index) == ['FPN', 'fpn_~50%', 'SEAM']
    assert table.loc['FPN', 'Ave. D (%)'] == '67.33 ± 0.00'
    assert table.loc['FPN', 'HD95 (px)'] == '6.00 ± 1.41'
    assert table.loc['fpn_~50%', 'HD95 (px)'] == '-'
    assert list(table['Without distance']) == [1.5, 9, 0]
    assert list(table['FLOPs (G)']) == [12.34] * 3 and list(table['R (s)']) == [0.25] * 3
    page = (tmp_path / 'table.md').read_text()
    assert page.startswith('# Title')
    assert '| SEAM - FPN ' in page and '+3.50 [' in page
    assert 'Effect (0.5 matters)' in page
    assert '**70.8 ± 0.7**' in page and '**67.3' not in page
    latex = (tmp_path / 'table.tex').read_text()
    assert r'67.3 $\pm$ 0.0' in latex and r'\textbf{70.8 $\pm$ 0.7}' in latex
    assert r'\cmidrule(lr){2-2}' in latex and r'\toprule' in latex
    assert r'fpn\_\textasciitilde 50\%' in latex
    for name in ('per_image', 'differences'):
        assert f'{name}.png' in page
        assert (tmp_path / f'{name}.png').read_bytes().startswith(b'\x89PNG')
        assert (tmp_path / f'{name}.pdf').read_bytes().startswith(b'%PDF')
        assert '<svg' in (tmp_path / f'{name}.svg').read_text()


def test_one_method_is_compared_with_none(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, 'KINDS', ())
    rows = runs('SEAM', [[70, 72]])
    benchmark.write_report(rows, costs_of(rows), {}, tmp_path, '')
    assert 'Contrast' not in (tmp_path / 'table.md').read_text()
    assert not (tmp_path / 'differences.png').exists()
    assert not benchmark.short_table(rows, costs_of(rows))[1].any(axis=None)


@pytest.mark.parametrize('seeds, grouped', [(1, False), (2, False), (2, True)])
@pytest.mark.parametrize('lacking', [False, True])
def test_what_is_said_of_a_comparison(seeds, grouped, lacking, tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, 'KINDS', ())
    rows = pd.concat([runs(name, [[70, 72, 60]] * seeds) for name in ('FPN', 'SEAM')])
    if lacking:
        rows = rows[(rows['image'] != 'case1') | (rows['class'] == 'rib')]
    subjects = {f'case{i}': f'P{i // 2 if grouped else i}' for i in range(3)}
    contrasts = against('FPN', ['SEAM'])
    benchmark.write_report(
        rows, costs_of(rows), contrasts, tmp_path, '', subjects=subjects
    )
    page = (tmp_path / 'table.md').read_text()
    assert (benchmark.GROUPED in page) == grouped
    assert (benchmark.LACKING in page) == lacking
    crossed = benchmark.INTERVALS.format('subjects' if grouped else 'images')
    assert (crossed in page) == (seeds == 2)
    assert (benchmark.NO_INTERVALS in page) == (seeds == 1)
    assert f'| {seeds} x {"2 (3)" if grouped else 3} ' in page


def test_short_table():
    rows = pd.concat(
        [
            runs('a', [[50.04], [50.06]]),  # a tie, as printed
            runs('b', [[50.02], [50.03]]),
            runs('c', [[49], [52]]),
            runs('d', [[60], [60]]).query('`class` != "rib"'),
        ]
    )
    table, best = benchmark.short_table(rows, costs_of(rows))
    assert list(table.index) == list('abcd')
    assert list(table['Rib', 'D']) == ['50.0', '50.0', '50.5', '-']
    assert list(best['Rib', 'D']) == [False, False, True, False]
    assert table.loc['c', ('Ave.', 'D')] == '50.5 ± 2.1'
    assert list(best['Ave.', 'D']) == [False, False, False, True]
    assert not best['', 'R (s)'].any() and table.loc['a', ('', 'R (s)')] == '0.250'
    table, best = benchmark.short_table(rows.query('method < "c"'), costs_of(rows))
    assert list(best['Rib', 'D']) == [True, True]
    lines = benchmark.short_markdown(table, best).split('\n')
    titles = [title.strip() for title in lines[0].strip('|').split('|')]
    assert titles == ['Method', 'Lumbar D', 'Thoracic D', 'Rib D', 'Ave. D', 'R (s)']
