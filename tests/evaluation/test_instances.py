"""Bones are told apart by their votes, and matched one to one."""

import numpy as np
import pytest

from seam_seg.evaluation.instances import fit_to_mask, group_votes, match_bones

CLASSES = ('background', 'rib', 'thoracic', 'lumbar')


def scene():
    """A mask of bones that touch, their numbers, and true votes."""
    mask = np.zeros((60, 40), np.uint8)
    numbers = np.zeros(mask.shape, int)
    for number, (top, left, bottom, right, label) in enumerate(
        [
            (5, 5, 17, 16, 2),
            (17, 5, 29, 16, 2),
            (5, 24, 17, 35, 2),
            (35, 4, 46, 36, 3),
            (46, 4, 57, 36, 3),
        ],
        1,
    ):
        mask[top:bottom, left:right] = label
        numbers[top:bottom, left:right] = number
    votes = np.zeros((2, *mask.shape))
    for number in range(1, 6):
        at = np.argwhere(numbers == number)
        votes[:, at[:, 0], at[:, 1]] = ((at - at.mean(axis=0)) / mask.shape).T
    return mask, numbers, votes


def same_bones(one, other):
    """Whether two maps share the pixels out alike, whatever the numbers."""
    pairs = {*zip(one.ravel().tolist(), other.ravel().tolist())}
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


@pytest.mark.parametrize('noise', [0, 0.02])
def test_votes_tell_bones_apart(noise):
    mask, numbers, votes = scene()
    votes = votes + noise * np.random.default_rng(0).normal(size=votes.shape)
    found = group_votes(mask, votes)
    assert found.dtype == np.int32 and found.max() == 5
    assert ((found > 0) == (mask > 0)).all()
    assert noise or same_bones(found, numbers)
    agreed = [np.bincount(found[numbers == n]).max() for n in range(1, 6)]
    assert sum(agreed) >= 0.95 * (numbers > 0).sum()


def test_votes_that_leave_the_image_or_a_mask_without_bones():
    mask, _, votes = scene()
    found = group_votes(mask, votes + 5)
    assert ((found > 0) == (mask > 0)).all()
    assert not group_votes(np.zeros_like(mask), votes).any()


def slow_matches(ours, our_mask, theirs, their_mask, label):
    """Pairs of sets of pixels."""

    def bones(numbers, mask):
        return [
            {*zip(*np.nonzero((numbers == n) & (mask == label)))}
            for n in np.unique(numbers[mask == label])
        ]

    a, b = bones(ours, our_mask), bones(theirs, their_mask)
    hits = sum(len(x & y) / len(x | y) > 0.5 for x in a for y in b)
    return hits, len(a), len(b)


def test_matches_agree_with_sets_of_pixels():
    mask, numbers, _ = scene()
    moved, mask_of_moved = np.roll(numbers, 3, axis=0), np.roll(mask, 3, axis=0)
    moved[20:24] = 0
    mask_of_moved[20:24] = 0
    moved[moved == 3] = 2  # one bone for two
    found = match_bones(moved, mask_of_moved, numbers, mask, CLASSES)
    assert list(found) == ['rib', 'thoracic', 'lumbar']
    for label, name in enumerate(CLASSES[1:], 1):
        expected = slow_matches(moved, mask_of_moved, numbers, mask, label)
        assert found[name] == expected
    assert found['rib'] == (0, 0, 0) and found['lumbar'] == (2, 2, 2)
    assert 0 < found['thoracic'][0] < 3
    # Whatever the numbers are.
    sparse = numbers.astype(np.uint16) * 13000
    assert match_bones(moved * 1000, mask_of_moved, sparse, mask, CLASSES) == found


def test_a_mask_of_one_class_alone():
    ones = np.ones((4, 4), int)
    assert match_bones(ones, ones, ones, ones, CLASSES)['rib'] == (1, 1, 1)


def test_bones_at_another_size():
    mask, numbers, _ = scene()
    large = mask.repeat(3, axis=0).repeat(2, axis=1)
    expected = numbers.repeat(3, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(fit_to_mask(numbers, mask, large), expected)
    # along edges the mask may be another: there the nearest bone of the class counts
    edited = large.copy()
    edited[12, 10:32] = 2  # a row above two thoracic bones
    edited[60, 60:62] = 1  # a class of which there was nothing
    edited[170] = 0
    fitted = fit_to_mask(numbers, mask, edited)
    assert fitted.dtype == np.int32 and ((fitted > 0) == (edited > 0)).all()
    assert (fitted[12, 10:32] == 1).all()
    assert (fitted[60, 60:62] == 6).all()
    same = edited == large
    np.testing.assert_array_equal(fitted[same], expected[same])
