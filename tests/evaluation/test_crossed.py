"""Means of crossed samples: by plain loops, by another library, and by simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import mixedlm

from seam_seg.evaluation.crossed import crossed_mean


def draw(rng, rows, columns, by_row, by_column, rest, mean=0.0):
    """A crossed sample with these standard deviations."""
    return (
        mean
        + by_row * rng.normal(size=(rows, 1))
        + by_column * rng.normal(size=(1, columns))
        + rest * rng.normal(size=(rows, columns))
    )


def by_loops(values):
    """Mean, standard error and degrees of freedom from sums of squares, one by one."""
    rows, columns = len(values), len(values[0])
    mean = sum(map(sum, values)) / (rows * columns)
    of_rows = [sum(row) / columns for row in values]
    of_columns = [sum(row[j] for row in values) / rows for j in range(columns)]
    a = sum(columns * (m - mean) ** 2 for m in of_rows) / (rows - 1)
    b = sum(rows * (m - mean) ** 2 for m in of_columns) / (columns - 1)
    e = 0.0
    for i in range(rows):
        for j in range(columns):
            e += (values[i][j] - of_rows[i] - of_columns[j] + mean) ** 2
    e /= (rows - 1) * (columns - 1)
    of_row, of_column = max(a - e, 0) / columns, max(b - e, 0) / rows
    variance = of_row / rows + of_column / columns + e / (rows * columns)
    spread = a**2 / (rows - 1) + b**2 / (columns - 1) + e**2 / (rows - 1) / (columns - 1)
    freedom = (variance * rows * columns) ** 2 / spread
    return mean, variance**0.5, freedom


# all components; no effect of the rows; none of the columns; neither
@pytest.mark.parametrize('parts', [(1, 3, 2), (0, 3, 2), (3, 0, 2), (0, 0, 2)])
def test_against_loops(parts):
    values = draw(np.random.default_rng(7), 4, 9, *parts, mean=0.8)
    mean, error, freedom = by_loops(values.tolist())
    found = crossed_mean(values, level=0.9)
    reach = stats.t.ppf(0.95, freedom) * error
    p = 2 * (1 - stats.t.cdf(abs(mean) / error, freedom))
    assert found == pytest.approx((mean, mean - reach, mean + reach, p))
    # rows and columns play the same part
    assert crossed_mean(values.T, level=0.9) == pytest.approx(found)


def test_against_a_mixed_model():
    """Where no component is 0, the restricted likelihood has its maximum here."""
    values = draw(np.random.default_rng(1), 3, 20, 2, 3, 2, mean=1)
    long = pd.DataFrame(values).stack().rename_axis(['seed', 'image'])
    fitted = mixedlm(
        'value ~ 1',
        long.rename('value').reset_index().assign(all=1),
        groups='all',
        re_formula='0',
        vc_formula=dict(seed='0 + C(seed)', image='0 + C(image)'),
    ).fit()
    assert fitted.converged and (fitted.vcomp > 0.1).all()
    found = crossed_mean(values)
    _, _, freedom = by_loops(values.tolist())
    error = (found.high - found.low) / 2 / stats.t.ppf(0.975, freedom)
    assert found.mean == pytest.approx(fitted.params.iloc[0])
    assert error == pytest.approx(fitted.bse.iloc[0], rel=1e-3)


def test_what_cannot_be_estimated():
    for values in (np.ones((1, 5)), np.ones((5, 1))):
        found = crossed_mean(values)
        assert found.mean == 1 and np.isnan(found[1:]).all()
    assert crossed_mean(np.zeros((3, 4))) == (0, 0, 0, 1)
    assert crossed_mean(np.full((3, 4), 0.5)) == (0.5, 0.5, 0.5, 0)


@pytest.mark.slow
@pytest.mark.parametrize('seeds', [3, 10])
@pytest.mark.parametrize(
    'parts, honest',
    [
        ((0.7, 1.5, 4.0), (0.92, 0.98)),  # as in Table 1 so far
        ((2.0, 1.0, 1.0), (0.92, 0.98)),  # seeds decide
        ((0.2, 5.0, 2.0), (0.92, 0.98)),  # images decide
        ((0.0, 0.0, 4.0), (0.95, 1.0)),  # neither: cautious
    ],
)
def test_intervals_hold_the_truth(seeds, parts, honest):
    rng = np.random.default_rng(seeds)
    held = [
        found.low <= 1.5 <= found.high
        for found in (
            crossed_mean(draw(rng, seeds, 150, *parts, mean=1.5)) for _ in range(1000)
        )
    ]
    assert honest[0] <= np.mean(held) <= honest[1]
