"""The intervals that are compared, against plain loops; and the rows that are kept."""

import numpy as np
import pytest
from scipy import stats

from seam_seg.evaluation.rows import read_rows
from studies.intervals import measure

WORLD = measure.World(1.0, 2.0, 3.0)


def test_intervals_against_loops():
    values = WORLD.draw(np.random.default_rng(0), 3, 5)
    rows = values.tolist()
    mean = sum(map(sum, rows)) / 15
    by_seed = [sum(row) / 5 for row in rows]
    by_image = [sum(row[i] for row in rows) / 3 for i in range(5)]
    variances = [
        sum((m - mean) ** 2 for m in means) / (len(means) - 1) / len(means)
        for means in (by_seed, by_image)
    ]
    freedom = sum(variances) ** 2 / (variances[0] ** 2 / 2 + variances[1] ** 2 / 4)
    for name, variance, df in (
        ('seeds alone', variances[0], 2),
        ('images alone', variances[1], 4),
        ("min F'", sum(variances), freedom),
    ):
        reach = stats.t.ppf(0.975, df) * variance**0.5
        assert measure.INTERVALS[name](values) == pytest.approx(
            (mean - reach, mean + reach)
        )
    # the same variance, with other quantiles
    low, high = measure.mixed_model_normal(values)
    ours = measure.mixed_model(values)
    assert ours[0] < low < mean < high < ours[1]
    converged, *fitted = measure.fit(WORLD.draw(np.random.default_rng(5), 6, 12))
    assert converged and fitted[0] < fitted[1]


def test_worlds_have_the_deviations_that_they_name():
    rng = np.random.default_rng(0)
    for tails in (None, 6):
        world = measure.World(1.0, 2.0, 3.0, tails)
        means = [world.draw(rng, 2, 3).mean() for _ in range(4000)]
        assert np.mean(means) == pytest.approx(measure.TRUTH, abs=0.1)
        width = 2 * stats.norm.ppf(0.975) * np.std(means)
        assert world.width(2, 3) == pytest.approx(width, rel=0.05)


def test_judge():
    ends = np.array([[0.5, 1.5], [1.2, 2.2], [0.0, 2.0], [np.nan, np.nan]])
    assert measure.judge(ends, 2.0) == pytest.approx(dict(coverage=50, width=0.5))


def test_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, 'WORLDS', dict(one=WORLD))
    monkeypatch.setattr(measure, 'SIZES', ((3, 6), (4, 6)))
    monkeypatch.setattr(measure, 'FITTED', (3, 6))
    path = tmp_path / 'rows.csv'
    words = ['--draws', '5', '--fits', '2', '--rows', str(path)]
    for _ in range(2):  # the second time takes the place of the first
        assert measure.main(words) == 0
    rows = read_rows(path)
    assert set(rows['setting']) == {'3 x 6, one', '4 x 6, one'}
    assert set(rows['method']) == {*measure.INTERVALS, 'MixedLM'}
    assert len(rows) == 2 * 2 * len(measure.INTERVALS) + 3
