"""The mean of a sample whose rows and columns are both drawn: seeds and images."""

from typing import NamedTuple

import numpy as np
from scipy import stats


class Estimate(NamedTuple):
    """A mean with the ends of its interval, and the two-sided p of a mean of 0.

    Ends and p are nan where there are not two rows and two columns.
    """

    mean: float
    low: float
    high: float
    p: float


def crossed_mean(values: np.ndarray, level: float = 0.95) -> Estimate:
    """Estimates a mean with crossed random effects of rows and columns.

    The mixed model ``value = mean + row + column + rest``, all three random, fitted by
    restricted maximum likelihood. On a complete grid the fit has a closed form: the
    variance of the mean is the sum of the mean squares of rows and of columns, less that
    of the rest, over the number of values; and a component that would be negative is 0.
    (Where both would be, the fit pools all three; the rest alone is kept here, with the
    degrees of freedom of all, and the interval is wider than need be.)
    Degrees of freedom as Satterthwaite (Biometrics Bulletin 2, 1946) has them, so that
    few seeds make a wide interval. ``MixedLM`` of statsmodels fits the same model, but
    often fails where a component is 0, and takes the variance for known.
    ``studies/intervals`` has how often such intervals hold the truth.

    Args:
        values (np.ndarray): (R, C), as differences of two methods by seed and image.
        level (float): of the interval. Default: 0.95.

    Returns:
        Estimate: mean, interval and p.
    """
    rows, columns = values.shape
    mean = values.mean()
    if min(rows, columns) < 2:
        return Estimate(float(mean), np.nan, np.nan, np.nan)
    by_row = values.mean(axis=1, keepdims=True) - mean
    by_column = values.mean(axis=0, keepdims=True) - mean
    squares = np.array(
        [
            columns * (by_row**2).sum(),
            rows * (by_column**2).sum(),
            ((values - mean - by_row - by_column) ** 2).sum(),
        ]
    )
    freedoms = np.array([rows - 1, columns - 1, (rows - 1) * (columns - 1)])
    of_row, of_column, rest = squares / freedoms
    total = max(of_row - rest, 0) + max(of_column - rest, 0) + rest
    if not total:  # the same everywhere
        return Estimate(float(mean), float(mean), float(mean), float(mean == 0))
    freedom = total**2 / ((squares / freedoms) ** 2 / freedoms).sum()
    error = np.sqrt(total / values.size)
    reach = stats.t.ppf((1 + level) / 2, freedom) * error
    p = 2 * stats.t.sf(abs(mean) / error, freedom)
    return Estimate(float(mean), float(mean - reach), float(mean + reach), float(p))
