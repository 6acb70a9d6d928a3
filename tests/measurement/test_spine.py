"""Tilts, and the curves between them."""

import itertools

import numpy as np
import pytest
from scipy.interpolate import make_smoothing_spline

from seam_seg.measurement.center_line import (
    FREEDOM,
    LEAST_ERROR,
    OUTLIER,
    ROBUST_ROUNDS,
    STRENGTHS,
    fit_line,
    likely_smoothing,
    robust_spline,
    roughness,
    sample_line,
    smoothing_spline,
)
from seam_seg.measurement.spine import (
    LEAST_CURVE,
    find_turns,
    largest_angle,
    smooth_tilts,
    turning_points,
)


def slow_turning_points(tilts, least):
    """Of all alternating sequences of large enough steps, the one that goes furthest."""
    best, far = [], 0.0
    for count in range(2, len(tilts) + 1):
        for points in itertools.combinations(range(len(tilts)), count):
            steps = np.diff(tilts[list(points)])
            if (np.abs(steps) < least).any() or (steps[1:] * steps[:-1] > 0).any():
                continue
            if np.abs(steps).sum() > far + 1e-9:
                best, far = list(points), np.abs(steps).sum()
    return best


@pytest.mark.parametrize('seed', range(8))
def test_turning_points_go_as_far_as_any(seed):
    tilts = np.random.default_rng(seed).normal(0, 5, 9)
    assert turning_points(tilts, 5.0) == slow_turning_points(tilts, 5.0)


def test_curves_by_hand():
    tilts = np.array([0, 8, 15, 6, -4, -12, -3, -1, -2, 0.0])
    usable = np.ones(10, bool)
    assert find_turns(tilts, usable) == [(0, 2), (2, 5), (5, 9)]
    assert largest_angle(tilts, usable) == 27
    usable[5] = False  # a level of one side is no end level
    assert find_turns(tilts, usable)[1] == (2, 4)
    # what turns between two neighbours, as where one of them is off, is no curve
    spike = np.array([0, 12, 0, 0, 0, 0.0])
    assert find_turns(spike, np.ones(6, bool)) == []
    assert find_turns(np.array([0, 0, 12, 12, 12, 12.0]), np.ones(6, bool)) == [(0, 2)]
    flat = np.array([0, 1, 3, 2, 0, 4.0])
    assert find_turns(flat, np.ones(6, bool)) == []
    assert largest_angle(flat, np.ones(6, bool)) == 4 < LEAST_CURVE


def test_smoothing_takes_most_of_the_bias_of_straight_spines():
    rng = np.random.default_rng(1)
    s, raw, smooth = np.arange(17.0), [], []
    for _ in range(60):
        own = rng.normal(0, 2, 17)
        fitted, _ = smooth_tilts(own, np.zeros(17), s, s > 11)
        raw.append(np.ptp(own))
        smooth.append(np.ptp(fitted))
    assert np.mean(raw) == pytest.approx(7.2, abs=0.4)  # as reckoned for 17 levels
    assert np.mean(smooth) < 0.4 * np.mean(raw)


def test_an_outlier_is_not_followed():
    s = np.arange(17.0)
    true = 15 * np.cos(s / 16 * np.pi)
    own = true.copy()
    own[6] += 25
    fitted, trust = smooth_tilts(own, true, s, s > 11)
    assert abs(fitted[6] - true[6]) < 3 and trust[6] < 0.3
    assert trust[[0, 1, 2, 14, 15, 16]].min() > 0.9
    assert np.abs(fitted - true)[[0, 1, 2, 10, 15, 16]].max() < 2


def test_levels_of_one_side_are_filled_in():
    s = np.arange(17.0)
    true = 15 * np.cos(s / 16 * np.pi)
    own = np.where(np.isin(s, [4, 9]), np.nan, true)
    fitted, _ = smooth_tilts(own, true, s, s > 11)
    assert fitted == pytest.approx(true, abs=0.7)


def test_center_line_by_hand():
    y = np.arange(0, 1700, 100.0)
    line = fit_line(100 + 0.2 * y, y, np.ones(17), 100, 0.1)
    assert np.tan(line.tilt) == pytest.approx(0.2, abs=1e-6)
    s, u = line.project(np.array([100 + 10]), np.array([0.0]))
    across = np.cos(np.arctan(0.2))
    assert u == pytest.approx(10 * across)  # to the right
    x0, y0 = line.point(s)
    assert (x0, y0) == (
        pytest.approx(100 + 0.2 * y0, abs=1e-6),
        pytest.approx(1.92, abs=2),
    )
    vertical = sample_line(np.zeros(3), np.array([0, 1, 2.0]))
    assert (vertical.tilt == 0).all() and vertical.s[-1] == 2


def test_roughness_is_that_of_the_smoothing_spline():
    rng = np.random.default_rng(0)
    at = np.cumsum(rng.uniform(0.3, 1.5, 9))
    values, weights = rng.normal(size=9), rng.uniform(0.5, 2, 9)
    matrix = np.diag(weights) + 0.3 * roughness(at)
    fitted = smoothing_spline(at, values, weights, 0.3)(at)
    assert np.linalg.solve(matrix, weights * values) == pytest.approx(fitted)


def slow_likelihood(at, values, weights, strength):
    """Minus twice the log of the restricted likelihood at the likeliest variances, from
    the errors of the spline and determinants; up to a constant."""
    count = len(at)
    bend = strength * roughness(at)
    off = values - smoothing_spline(at, values, weights, strength)(at)
    error = (weights * values * off).sum() + (count - 2) * LEAST_ERROR**2
    _, both = np.linalg.slogdet(np.diag(weights) + bend)
    return (count - 2) * np.log(error) + both - (count - 2) * np.log(strength)


@pytest.mark.parametrize('seed', range(6))
def test_the_likeliest_strength_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    at = np.cumsum(rng.uniform(0.8, 1.2, 15))
    values = 8 * seed * np.sin(at / 3) + rng.normal(0, 2, 15)
    weights = rng.uniform(0.5, 1.5, 15)
    prices = [
        slow_likelihood(at, values, weights, 0.05 * factor)
        + (np.log(factor) / FREEDOM) ** 2
        for factor in STRENGTHS
    ]
    found = likely_smoothing(at, values, weights, 0.05)
    assert found == pytest.approx(0.05 * STRENGTHS[int(np.argmin(prices))])


def test_straight_spines_are_smoothed_more_than_curved_ones():
    rng = np.random.default_rng(2)
    s, strengths = np.arange(17.0), []
    for wave in (0.0, 20.0):
        draws = [wave * np.sin(s / 2) + rng.normal(0, 2, 17) for _ in range(40)]
        found = [likely_smoothing(s, own, np.ones(17), 0.05) for own in draws]
        strengths.append(np.median(found))
    assert strengths[0] > 10 * strengths[1]
    level = likely_smoothing(s, np.zeros(17), np.ones(17), 0.05)
    assert 0.05 < level < np.inf  # nothing to divide by
    twins = np.sort(np.append(s, s[5] + 1e-9))  # two places in one
    assert likely_smoothing(twins, np.sin(twins), np.ones(18), 0.05) > 0


@pytest.mark.parametrize('off', [0.0, 0.3, 10.0])
def test_robust_spline_is_that_of_all_its_rounds(off):
    """It stops early, where nothing changes any more."""
    at = np.arange(12.0)
    values = np.sin(at / 3)
    values[5] += off
    weights = np.linspace(1, 2, 12)
    robust = np.ones(12)
    for _ in range(ROBUST_ROUNDS):
        fitted = make_smoothing_spline(at, values, w=weights * robust, lam=0.1)
        residual = np.abs(values - fitted(at))
        limit = OUTLIER * max(1.48 * np.median(residual), 0.05)
        robust = np.minimum(limit / residual, 1) ** 2
    fitted = make_smoothing_spline(at, values, w=weights * robust, lam=0.1)
    found, factors = robust_spline(at, values, weights, 0.1, 0.05)
    assert found(at) == pytest.approx(fitted(at), abs=1e-12)
    assert factors == pytest.approx(robust, abs=1e-12)
    assert (factors.min() < 1) == (off > 1)


def test_robust_spline_weighs_an_outlier_down():
    at = np.arange(12.0)
    values = np.sin(at / 3)
    values[5] += 10
    spline, robust = robust_spline(at, values, np.ones(12), 0.1, 0.01)
    assert robust[5] < 0.3 and abs(spline(5.0) - np.sin(5 / 3)) < 4
