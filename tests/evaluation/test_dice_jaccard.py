"""Counts and scores against plain loops and hand-made cases."""

import numpy as np
import pytest

from seam_seg.evaluation import confusion_counts, dice_jaccard


def slow_scores(pred, truth, label, ignore_index=255):
    """Dice and Jaccard of one class, pixel by pixel, from the sets' definition."""
    both = either = in_pred = in_truth = 0
    for p, t in zip(pred.flat, truth.flat):
        if t == ignore_index:
            continue
        in_pred += p == label
        in_truth += t == label
        both += p == label and t == label
        either += p == label or t == label
    if not either:
        return np.nan, np.nan
    return 2 * both / (in_pred + in_truth), both / either


@pytest.mark.parametrize('dtype', [np.uint8, np.int64])
@pytest.mark.parametrize('ignored', [0, 0.2])
def test_agrees_with_plain_loops(dtype, ignored):
    rng = np.random.default_rng(0)
    for _ in range(10):
        classes = int(rng.integers(2, 6))
        # draws from few classes, so that some are absent from one mask or from both
        pred = rng.choice(rng.integers(0, classes, 2), (9, 7)).astype(dtype)
        truth = rng.choice(rng.integers(0, classes, 2), (9, 7)).astype(dtype)
        truth[rng.random(truth.shape) < ignored] = 255
        scores = dice_jaccard(*confusion_counts(pred, truth, classes))
        expected = np.array([slow_scores(pred, truth, c) for c in range(classes)]).T
        np.testing.assert_allclose(scores, expected, rtol=1e-12)


def test_by_hand():
    pred = np.array([[1, 1, 0], [0, 2, 0]])
    truth = np.array([[1, 0, 0], [1, 3, 255]])
    counts = confusion_counts(pred, truth, 5)
    assert [part.tolist() for part in counts] == [
        [1, 1, 0, 0, 0],
        [2, 2, 1, 0, 0],
        [2, 2, 0, 1, 0],
    ]
    dice, jaccard = dice_jaccard(*counts)
    assert dice[:4].tolist() == [0.5, 0.5, 0, 0]
    assert jaccard[1] == pytest.approx(1 / 3)
    assert np.isnan(dice[4]) and np.isnan(jaccard[4])


def test_bad_input():
    with pytest.raises(ValueError, match='shape'):
        confusion_counts(np.zeros((2, 3)), np.zeros((3, 2)), 4)
    for pred, truth in ((4, 0), (0, 4), (-1, 0)):
        with pytest.raises(ValueError, match='outside 0 to 3'):
            confusion_counts(np.full((2, 2), pred), np.full((2, 2), truth), 4)
