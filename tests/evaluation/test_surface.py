"""HD95 and ASSD against plain loops over all pairs of outline pixels."""

import math

import numpy as np
import pytest

from seam_seg.evaluation.surface import surface_distances


def outline(mask):
    """Pixels of a mask with a direct neighbour outside it, the frame counting as out."""
    rows, cols = mask.shape
    points = []
    for y in range(rows):
        for x in range(cols):
            around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            if mask[y, x] and not all(
                0 <= r < rows and 0 <= c < cols and mask[r, c] for r, c in around
            ):
                points.append((y, x))
    return points


def slow_distances(pred, truth):
    """HD95 and ASSD by definition."""
    a, b = outline(pred), outline(truth)
    there = [min(math.dist(p, q) for q in b) for p in a]
    back = [min(math.dist(p, q) for q in a) for p in b]
    hd95 = max(np.percentile(there, 95), np.percentile(back, 95))
    return hd95, sum(there + back) / len(there + back)


def blobs(seed):
    """Random labels in a few rectangles that overlap."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((37, 23), np.uint8)
    for label in (1, 2, 3, 1):
        top, left = rng.integers(1, 25), rng.integers(1, 14)
        mask[top : top + rng.integers(3, 10), left : left + rng.integers(2, 8)] = label
    return mask


@pytest.mark.parametrize('seed', [0, 1, 3, 4])  # all labels are in both masks
def test_against_loops(seed):
    pred, truth = blobs(seed), blobs(seed + 100)
    hd95, assd = surface_distances(pred, truth, 4)
    assert np.isnan(hd95[0]) and np.isnan(assd[0])
    for label in range(1, 4):
        expected = slow_distances(pred == label, truth == label)
        assert (hd95[label], assd[label]) == pytest.approx(expected, rel=1e-5)


def test_absent_and_ignored():
    truth = blobs(0)
    pred = truth.copy()
    pred[pred == 2] = 0  # missed
    pred[0, 0] = 3  # false, but ignored below
    hidden = truth.copy()
    hidden[0, 0] = 255
    hd95, assd = surface_distances(pred, hidden, 5)
    assert hd95[1] == assd[1] == hd95[3] == assd[3] == 0
    assert np.isnan(hd95[[2, 4]]).all() and np.isnan(assd[[2, 4]]).all()
    assert surface_distances(pred, truth, 4)[1][3] > 0
