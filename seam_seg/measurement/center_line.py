"""The center line of the spine, and where points lie along it and beside it."""

from dataclasses import dataclass
from typing import Any, Tuple

import numpy as np
from scipy.interpolate import make_smoothing_spline

# Strength of smoothing where levels are one unit apart; chosen on phantoms.
SMOOTHING = 0.1
SAMPLES_PER_LEVEL = 16
MOST_SAMPLES = 4096  # where a few specks far apart are taken for levels
ROBUST_ROUNDS = 3
OUTLIER = 3.0  # standard deviations, from which on a point counts less


# Of the strength that a spine's own values suggest, by a prior around the usual one:
FREEDOM = 2.0  # standard deviation of its log
LEAST_ERROR = 0.1  # of values that lie on a line as if they had none
STRENGTHS = 2.0 ** np.arange(-3, 7.5, 0.5)  # that are tried, times the usual one
LEAST_GAP = 0.05  # between two places, or rounding would be all


def smoothing_spline(
    at: np.ndarray, values: np.ndarray, weights: np.ndarray, smoothing: float
) -> Any:
    """Fits a natural cubic smoothing spline.

    Args:
        at (np.ndarray): (N,) places, strictly increasing, N at least 5.
        values (np.ndarray): (N,) what is smoothed.
        weights (np.ndarray): (N,) positive.
        smoothing (float): weight of the integrated squared second derivative.

    Returns:
        scipy.interpolate.BSpline: a function of places.
    """
    return make_smoothing_spline(at, values, w=weights, lam=smoothing)


def roughness(at: np.ndarray) -> np.ndarray:
    """The matrix (N, N) of the integrated squared second derivative of the natural cubic
    spline through values at places (N,): f^T K f (Green & Silverman 1994, ch. 2)."""
    gap, count = np.diff(at), len(at)
    inner = np.arange(count - 2)
    second = np.zeros((count, count - 2))  # divided differences
    second[inner, inner] = 1 / gap[:-1]
    second[inner + 1, inner] = -1 / gap[:-1] - 1 / gap[1:]
    second[inner + 2, inner] = 1 / gap[1:]
    band = np.diag((gap[:-1] + gap[1:]) / 3)
    band += np.diag(gap[1:-1] / 6, 1) + np.diag(gap[1:-1] / 6, -1)
    return second @ np.linalg.solve(band, second.T)


def likely_smoothing(
    at: np.ndarray, values: np.ndarray, weights: np.ndarray, usual: float
) -> float:
    """The strength of smoothing that values suggest: restricted maximum likelihood.

    The smoothing spline is the mean of a random curve given values with errors, and the
    strength is the ratio of both variances (Wahba, Ann. Statist. 1985;13:1378). Few
    values know little of it, hence a prior: log-normal, around ``usual``.

    Args:
        at (np.ndarray): (N,) places, increasing, N at least 5.
        values (np.ndarray): (N,) what is smoothed.
        weights (np.ndarray): (N,) positive, one over the variance of the errors, up to a
            common factor.
        usual (float): strength.

    Returns:
        float: one of ``usual`` times :data:`STRENGTHS`.
    """
    steps = np.maximum(np.diff(at), LEAST_GAP)
    root = np.sqrt(weights)
    bend = roughness(np.append(0, np.cumsum(steps))) / root[:, None] / root
    size, shapes = np.linalg.eigh(bend)
    power = (shapes.T @ (root * values)) ** 2
    strength = usual * STRENGTHS
    damped = strength[:, None] * size.clip(0)  # two of them are no bend at all
    free = len(at) - 2
    error = (power * damped / (1 + damped)).sum(axis=1) + free * LEAST_ERROR**2
    unlikely = free * np.log(error) + np.log1p(damped).sum(axis=1)
    unlikely += (np.log(STRENGTHS) / FREEDOM) ** 2 - free * np.log(strength)
    return float(strength[unlikely.argmin()])


def robust_spline(
    at: np.ndarray,
    values: np.ndarray,
    weights: np.ndarray,
    smoothing: float,
    least_scale: float,
) -> Tuple[Any, np.ndarray]:
    """Fits a cubic smoothing spline that single outliers do not bend.

    Reweighted: 1 up to :data:`OUTLIER` standard deviations (by the median of the absolute
    residuals), and falling with the square of the residual beyond.

    Args:
        at (np.ndarray): (N,) places, strictly increasing, N at least 5.
        values (np.ndarray): (N,) what is smoothed.
        weights (np.ndarray): (N,) positive.
        smoothing (float): weight of the integrated squared second derivative.
        least_scale (float): standard deviation that is always taken for noise.

    Returns:
        tuple[scipy.interpolate.BSpline, np.ndarray]: the spline, and the factors (N,) in
        (0, 1] by which outliers were weighed down.
    """
    robust = np.ones(len(at))
    for _ in range(ROBUST_ROUNDS):
        spline = smoothing_spline(at, values, weights * robust, smoothing)
        off = np.abs(values - spline(at))
        scale = max(1.48 * float(np.median(off)), least_scale)
        before = robust
        robust = (OUTLIER * scale / np.maximum(off, OUTLIER * scale)) ** 2
        if (robust == before).all():  # mostly at once, since nothing is an outlier
            return spline, robust
    return smoothing_spline(at, values, weights * robust, smoothing), robust


@dataclass(frozen=True)
class CenterLine:
    """A line that runs down the image, sampled along its rows.

    Attributes:
        x, y (np.ndarray): (N,) points, y strictly increasing.
        tilt (np.ndarray): (N,) rad, of the normal there: positive raises its right end,
            which is so where the line runs down and to the right.
        s (np.ndarray): (N,) length of the line above the point.
    """

    x: np.ndarray
    y: np.ndarray
    tilt: np.ndarray
    s: np.ndarray

    def project(self, x: np.ndarray, y: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Where the nearest points of the line are.

        Args:
            x, y (np.ndarray): (M,) points.

        Returns:
            tuple[np.ndarray, np.ndarray]: (M,) length along the line, beyond its ends
            along its tangents, and (M,) distance from it, negative to the left.
        """
        x, y = np.asarray(x, float), np.asarray(y, float)
        off = (x[:, None] - self.x) ** 2 + (y[:, None] - self.y) ** 2
        near = off.argmin(axis=1)
        dx, dy, tilt = x - self.x[near], y - self.y[near], self.tilt[near]
        along = dx * np.sin(tilt) + dy * np.cos(tilt)
        across = dx * np.cos(tilt) - dy * np.sin(tilt)
        return self.s[near] + along, across

    def point(self, s: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """The points (x, y) at lengths ``s`` (M,) along the line."""
        return np.interp(s, self.s, self.x), np.interp(s, self.s, self.y)

    def tilt_at(self, s: np.ndarray) -> np.ndarray:
        """The tilt in rad of the normals at lengths ``s`` (M,) along the line."""
        return np.interp(s, self.s, self.tilt)


def sample_line(x: np.ndarray, y: np.ndarray) -> CenterLine:
    """A line through points (N,) whose y is strictly increasing; N at least 2."""
    slope = np.gradient(x, y)
    s = np.append(0, np.cumsum(np.hypot(np.diff(x), np.diff(y))))
    return CenterLine(x, y, np.arctan(slope), s)


def fit_line(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray, unit: float, smoothing: float
) -> CenterLine:
    """Fits a robust smoothing spline x(y) through the middles of levels.

    Args:
        x, y (np.ndarray): (N,) middles of levels, N at least 5.
        weights (np.ndarray): (N,) positive.
        unit (float): distance between levels.
        smoothing (float): see :func:`robust_spline`, of coordinates in units.

    Returns:
        CenterLine: from two units above the first middle to two below the last one,
        straight beyond both.
    """
    order = np.argsort(y, kind='stable')
    at = np.maximum.accumulate(y[order] / unit + 1e-6 * np.arange(len(y)))
    at += 1e-9 * np.arange(len(y))  # two middles in a row
    spline, _ = robust_spline(at, x[order] / unit, weights[order], smoothing, 0.02)
    count = int(np.ceil((at[-1] - at[0] + 4) * SAMPLES_PER_LEVEL)) + 1
    count = min(count, MOST_SAMPLES)
    rows = np.linspace(at[0] - 2, at[-1] + 2, count)
    inside = rows.clip(at[0], at[-1])
    slope = spline.derivative()(inside)
    columns = spline(inside) + slope * (rows - inside)
    s = np.append(0, np.cumsum(np.hypot(np.diff(columns), np.diff(rows))))
    return CenterLine(unit * columns, unit * rows, np.arctan(slope), unit * s)
