"""What is said of measured times: ratios with their intervals, and exponents."""

from typing import Sequence

import numpy as np
from scipy import stats


def compare_times(seconds: Sequence[float], reference: Sequence[float]) -> dict:
    """How much longer an action takes than the one that it took turns with.

    Args:
        seconds (Sequence[float]): of the action, by round.
        reference (Sequence[float]): of the other one, by round.

    Returns:
        dict: ``minimum`` and ``median`` in seconds, ``ratio`` of the minima, and
        ``median_ratio``, the median of the ratios within a round, with the ends of its
        95% bootstrap interval, ``low`` and ``high``.
    """
    ratios = np.divide(seconds, reference)
    interval = stats.bootstrap(
        (ratios,), np.median, method='percentile', random_state=0
    ).confidence_interval
    return dict(
        minimum=min(seconds),
        median=float(np.median(seconds)),
        ratio=min(seconds) / min(reference),
        median_ratio=float(np.median(ratios)),
        low=float(interval.low),
        high=float(interval.high),
    )


def slope(points: Sequence[dict], key: str) -> float:
    """The exponent of growth: slope of log(key) over log(positions)."""
    return float(
        np.polyfit(
            np.log([point['positions'] for point in points]),
            np.log([point[key] for point in points]),
            1,
        )[0]
    )
