"""The study of curve angles: what is compared with the truth, and what its tables say."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from seam_seg.datasets.phantom import draw_geometry, find_params, make_case
from seam_seg.evaluation.instances import split_by_truth
from seam_seg.evaluation.rows import COLUMNS, read_rows, write_rows
from studies.curve import measure, seconds, tables
from studies.curve.measure import Scores, compare

PUBLISHED = Path(tables.__file__).parent


def geometry_of(tilts):
    vertebrae = [dict(y=100.0 * n, tilt_deg=tilt) for n, tilt in enumerate(tilts)]
    largest = float(np.ptp(tilts))
    return SimpleNamespace(vertebrae=vertebrae, largest_curve_angle_deg=largest)


def test_a_case_is_compared_with_the_truth_by_hand():
    # turns one way by 30 deg from 0 to 5, back by 20 to 9
    tilts = [15, 10, 5, -5, -10, -15, -10, -5, 0, 5.0]
    found = [(110.0, 480.0, 1), (480.0, 900.0, -1)]
    scores = Scores(28.0, 31.0, 25.0, 3.0, found)
    said = dict(compare(scores, geometry_of(tilts)))
    assert said['refused'] == 0 and said['truth'] == 30
    assert (said['smoothed'], said['half width']) == (28, 3)
    assert said['curves'] == 2 and said['found'] == 2
    assert said['ends'] == 2  # the nearest vertebrae are 1 and 5
    # the other way round is not found; 350 is nearest to vertebra 3 or 4
    scores = scores._replace(turns=[(110.0, 480.0, -1), (250.0, 700.0, -1)])
    said = dict(compare(scores, geometry_of(tilts)))
    assert said['found'] == 0 and said['ends'] == 0
    scores = scores._replace(turns=[(0.0, 310.0, 1)])
    assert dict(compare(scores, geometry_of(tilts)))['ends'] == 1
    assert 'curves' not in dict(compare(scores, geometry_of([4, 0, -4.0, 0])))
    assert dict(compare(None, geometry_of(tilts))) == dict(refused=1)


@pytest.mark.slow
def test_the_floor_is_near_the_truth_and_takes_true_bones_alone():
    params = find_params('standard')
    geometry = draw_geometry(np.random.default_rng([7000]), params)
    case = make_case(7000, params)
    true = measure.floor_scores(case.instances, geometry)
    assert true.smoothed == pytest.approx(geometry.largest_curve_angle_deg, abs=4)
    # what a prediction has added to the mask is of no bone, and moves nothing
    mask = case.mask.copy()
    assert not mask[:40, :60].any()
    mask[:40, :60] = 2
    split = split_by_truth(mask, case.mask, case.instances)
    assert measure.floor_scores(split, geometry) == true
    assert measure.floor_scores(0 * split, geometry) is None


@pytest.mark.slow
def test_the_published_rows_can_be_made_again(tmp_path):
    """Of true masks and of the ready weights' ones, angles and intervals."""
    out = tmp_path / 'results.csv'
    words = ['--families', 'scanner', '--cases', '1', '--out', str(out)]
    for more in ([], ['--ready']):
        assert measure.main([*words, *more]) == 0
    columns = ['setting', 'method', 'seed', 'image', 'score']
    found, published = (
        read_rows(path).set_index(columns)['value']
        for path in (out, PUBLISHED / 'results.csv')
    )
    names = {'mask', 'instances', 'floor', 'predicted', 'predicted floor'}
    assert set(found.index.unique('method')) == names
    widths = found.xs('half width', level='score')
    assert set(widths.index.unique('method')) == {'mask', 'instances', 'predicted'}
    for name, own in found.groupby('method'):
        # Processors round a probability differently, and so the border of a bone.
        exact = 0.1 if name.startswith('predicted') else 0.011  # as it is printed
        assert own.to_dict() == pytest.approx(published[own.index].to_dict(), abs=exact)


@pytest.mark.slow
def test_seconds(tmp_path, monkeypatch):
    monkeypatch.setattr(seconds, 'FAMILIES', ('standard',))
    monkeypatch.setattr(seconds, 'RUNS', 1)
    out = tmp_path / 'results.csv'
    assert seconds.main(['--cases', '1', '--out', str(out)]) == 0
    rows = read_rows(out)
    assert set(rows['score']) == {'predict', 'measure', 'report'}
    assert (rows['value'] > 0).all() and (rows['value'] < 10).all()
    cells = cells_of(tables.seconds(tmp_path))['`standard`']
    values = rows.set_index('score')['value']
    both = values['measure'] + values['report']
    assert cells[0] == '1' and cells[4] == cells[5] == f'{both:.2f}'


def slow_icc(one, other):
    """ICC(2,1) from the mean squares of a two-way analysis of variance."""
    n, grand = len(one), (sum(one) + sum(other)) / (2 * len(one))
    subjects = [(a + b) / 2 for a, b in zip(one, other)]
    raters = [sum(one) / n, sum(other) / n]
    rest = 0.0
    for a, b, mean in zip(one, other, subjects):
        rest += (a - mean - raters[0] + grand) ** 2 + (b - mean - raters[1] + grand) ** 2
    rest /= n - 1
    between = sum(2 * (mean - grand) ** 2 for mean in subjects) / (n - 1)
    columns = sum(n * (mean - grand) ** 2 for mean in raters)
    return (between - rest) / (between + rest + 2 * (columns - rest) / n)


def test_icc():
    rng = np.random.default_rng(0)
    one = rng.uniform(0, 50, 12)
    other = one + rng.normal(2, 4, 12)
    assert tables.icc(one, other) == pytest.approx(slow_icc(one, other))
    assert tables.icc(one, one) == pytest.approx(1)
    assert tables.icc(one, one + 30) < 0.6  # it is agreement, not correlation


def rows_of_cases(method, setting, cases):
    """Rows of cases (truth, smoothed, half width, curves, found, ends); a case of
    nothing was refused."""
    names = ('truth', 'smoothed', 'half width', 'curves', 'found', 'ends')
    for n, case in enumerate(cases):
        scores = dict(refused=float(not case), **dict(zip(names, case)))
        if case:
            scores.update({'raw': case[1] + 1, 'center line': case[1] - 2})
        for score, value in scores.items():
            if value is not None:
                yield ('curve', setting, method, 8000, str(n), '', score, value, 'abc')


def cells_of(text):
    lines = [line.strip('| ').split(' | ') for line in text.split('\n') if '|' in line]
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines[2:]}


@pytest.fixture
def folder(tmp_path):
    """Predicted masks of two families, and their floors."""
    good = [
        (20, 22, 3, 2, 2, 2),  # within the interval
        (30, 26, 3, 1, 1, 1),  # not, and within 5 deg
        (4, 7, 4),  # straight, within
        (),
    ]
    hard = [(20, 29, 5, 2, 0, 0), (20, 21, 9, 1, 1, 2)]
    floor = [(20, 20, None, 2, 2, 2), (30, 29, None, 1, 1, 2), (4, 5), (25, 25)]
    rows = [
        *rows_of_cases('predicted', 'standard', good),
        *rows_of_cases('predicted', 'hard', hard),
        *rows_of_cases('predicted floor', 'standard', floor),
        *rows_of_cases('predicted floor', 'hard', hard),
    ]
    write_rows(tmp_path / 'results.csv', pd.DataFrame(rows, columns=COLUMNS))
    return tmp_path


def test_tables_of_predicted_masks_by_hand(folder):
    blocks = {name: cells_of(make(folder)) for name, make in tables.BLOCKS.items()
              if name.startswith('curve.predicted')}  # fmt: skip
    accuracy = blocks['curve.predicted']
    # off by 2, -4 and 3
    assert accuracy['`standard`'][:3] == ['4', '3.00', '+0.33']
    low, high = (1 / 3 + 1.96 * side * np.std([2, -4, 3], ddof=1) for side in (-1, 1))
    assert accuracy['`standard`'][3] == f'{low:+.1f} to {high:+.1f}'
    assert accuracy['`standard`'][5:] == ['100', '25.0', '0.50']
    assert accuracy['`hard`'][:3] == ['2', '5.00', '+5.00']
    assert accuracy['`hard`'][5:7] == ['50', '0.0']
    assert accuracy['all but `hard`'] == accuracy['`standard`']

    assert blocks['curve.predicted.straight']['`standard`'] == [
        *('1', '3.00 (+3.00)', '1.00 (+1.00)'),
        *('2', '3.00 (-1.00)', '0.33 (-0.33)'),
    ]
    assert blocks['curve.predicted.straight']['`hard`'][:3] == ['0', '-', '-']
    assert blocks['curve.predicted.methods']['`standard`'] == [
        *('3.00 (+0.33)', '3.33 (+1.33)', '2.33 (-1.67)', '0.50 (+0.00)')
    ]
    interval = blocks['curve.predicted.interval']
    assert interval['`standard`'] == ['3', '67', '6.0', '3.00']
    assert interval['`hard`'] == ['2', '50', '14.0', '5.00']
    assert interval['all but `hard`'] == interval['`standard`']
    assert sum(int(interval[f'{name} third'][0]) for name in
               ('narrowest', 'middle', 'widest')) == 3  # fmt: skip
    assert interval['widest third'] == ['1', '100', '8.0', '3.00']
    levels = blocks['curve.predicted.levels']
    assert levels['`standard`'] == ['2', '3', '75', '100', '100', '100']
    assert levels['`hard`'] == ['2', '3', '50', '33', '50', '33']
    assert blocks['curve.predicted.card']['`standard`'] == [*('3.0', '+0.3', '100', '67')]


def test_the_plot_has_a_line_for_predicted_masks(folder):
    tables.plot(folder, folder / 'plot.png')
    assert (folder / 'plot.png').stat().st_size > 10_000
