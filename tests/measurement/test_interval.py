"""The interval grows with what is unsure, and is the same each time."""

import numpy as np
import pytest
from spine_drawing import draw_spine, tilts_of

from seam_seg.measurement import Settings, interval, measure_mask
from seam_seg.measurement.bones import find_bones
from seam_seg.measurement.spine import follow


def width(measured):
    low, high = measured.largest_interval_deg
    return high - low


@pytest.mark.slow
def test_interval(monkeypatch):
    monkeypatch.setattr(interval, 'REPETITIONS', 25)
    mask = draw_spine(tilts_of('single', 30))
    plain = measure_mask(mask)
    low, high = plain.largest_interval_deg
    assert low < plain.largest_curve_angle_deg < high
    (curve,) = plain.curves
    assert curve.interval_deg == plain.largest_interval_deg
    assert width(plain) >= 2 * interval.TRUE_MASK.least
    for level in plain.levels:
        one, other = level.smooth_tilt_interval_deg
        assert one < level.smooth_tilt_deg < other
    assert measure_mask(mask).largest_interval_deg == plain.largest_interval_deg
    assert plain.interval_basis == 'mask'

    without = measure_mask(mask, interval=False)
    assert without.largest_interval_deg is None
    assert without.largest_curve_angle_deg == plain.largest_curve_angle_deg

    rough = tilts_of('single', 30) + np.random.default_rng(3).normal(0, 4, 16)
    assert width(measure_mask(draw_spine(rough))) > 1.2 * width(plain)

    unsure = np.random.default_rng(0).uniform(0.4, 1, mask.shape).astype(np.float32)
    unsure[np.arange(len(mask)) % 60 < 25] = 0.55
    predicted = measure_mask(mask, confidence=unsure)
    assert predicted.interval_basis == 'mask and probabilities'
    assert width(predicted) > 1.2 * width(plain)
    assert predicted.largest_curve_angle_deg == plain.largest_curve_angle_deg


def test_an_interval_does_not_go_below_zero():
    low, high = measure_mask(draw_spine(tilts_of('straight', 0))).largest_interval_deg
    assert low == 0 < high


def test_the_largest_curve_has_the_interval_of_the_largest_angle():
    tilts = np.append(tilts_of('single', 20, 8), tilts_of('single', -30, 9)[1:] + 5)
    measured = measure_mask(draw_spine(tilts))
    angles = [curve.angle_deg for curve in measured.curves]
    assert len(angles) == 2 and max(angles) == measured.largest_curve_angle_deg
    low, high = (measured.curves[n].interval_deg for n in np.argsort(angles))
    assert high == measured.largest_interval_deg
    assert low[0] < min(angles) < low[1]


def test_half_the_width_by_hand():
    values = [[1.0, 5.0], [3.0, 5.0]]  # standard deviations 1 and 0
    half = interval.Width(2.0, 3.0, 0.5).half(values, [0.0, -8.0])
    assert half == pytest.approx([np.sqrt(4 + 9), np.sqrt(9 + 16)])


def test_a_prediction_is_doubted_where_bones_and_center_line_disagree():
    """The lines are tilted to and fro around a straight center line."""
    tilts = np.where(np.arange(16) % 8 < 4, 9.0, -9.0)
    mask = draw_spine(0 * tilts)
    askew = np.zeros_like(mask)
    for n, tilt in enumerate(tilts):
        y = 70 + 60 * n
        part = draw_spine([0.0] * n + [tilt] + [0.0] * (15 - n))
        askew[y - 30 : y + 30] = part[y - 30 : y + 30]
    sure = np.ones(mask.shape, np.float32)
    measured = measure_mask(askew, confidence=sure)
    assert len(measured.curves) > 1
    for curve in measured.curves:
        apart = curve.angle_deg - curve.center_line_angle_deg
        assert apart > 5
        assert 'methods_disagree' in curve.flags
        assert curve.interval_deg[1] - curve.angle_deg > apart
    assert width(measure_mask(mask, confidence=sure)) < 8


def test_how_far_bones_are_moved(monkeypatch):
    """Lines that do not scatter are not taken at their word: 1.2% of the distance between
    levels; and a threshold moves a bone less than what a model gets wrong: three times.
    """
    found = find_bones(draw_spine(tilts_of('straight', 0)), None, Settings().ratio)
    spine = follow(found.pieces, found.line, found.unit)
    moved = []
    monkeypatch.setattr(interval, 'follow', lambda pieces, *_: moved.append(pieces))
    monkeypatch.setattr(interval, 'DROPPED', 0)
    monkeypatch.setattr(interval, 'REPETITIONS', 200)
    straight = 0.012 * found.unit
    for spread, expected in ((None, straight), (2.0, np.hypot(straight, 6.0))):
        moved.clear()
        by = None if spread is None else np.full(len(found.pieces), spread)
        interval.repeat(found.pieces, found.line, found.unit, spine, [], by)
        for axis in 'xy':
            before = getattr(found.pieces, axis)
            off = [getattr(pieces, axis) - before for pieces in moved]
            assert len(off) == 200
            assert np.std(off) == pytest.approx(expected, rel=0.05)
