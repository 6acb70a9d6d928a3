"""Bones are told apart by their votes, and matched one to one."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.feature import peak_local_max

from seam_seg.evaluation.instances import (
    GAP,
    find_centers,
    fit_to_mask,
    group_votes,
    match_bones,
    peaks_of,
    split_pieces,
    spread_bones,
)

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


@pytest.mark.parametrize('seed', range(5))
def test_peaks_are_those_of_skimage(seed):
    """Whole numbers make plateaus and equal peaks; a smooth map has neither."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.random((50, 33)), 1.5)
    for heat, distance in ((smooth, 5), (smooth, 2), (rng.integers(0, 5, (20, 20)), 3)):
        heat = heat.astype(float)
        expected = peak_local_max(
            heat, min_distance=distance, threshold_rel=0.25, exclude_border=False
        )
        found = peaks_of(heat, distance, 0.25)
        assert len(expected) > 3
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('seed', range(8))
def test_centers_are_the_peaks_of_all_votes(seed):
    """Against scipy's smoothing of the whole grid; votes reach some of its edges."""
    rng = np.random.default_rng(seed)
    shape = np.array([30, 25])
    places = rng.integers(0, 20, (2, 1)) + rng.integers(0, 15, (2, 60))
    places = np.minimum(places, shape[:, None] - 1)
    heat = np.zeros(shape)
    np.add.at(heat, tuple(places), 1)
    heat = ndimage.gaussian_filter(heat, 1.5)
    expected = peak_local_max(
        heat, min_distance=3, threshold_rel=0.25, exclude_border=False
    )
    assert len(expected) > 1
    np.testing.assert_array_equal(find_centers(places, shape, 1.5, 3, 0.25), expected)


@pytest.mark.parametrize(('seed', 'moved'), [(0, 0), (1, 0.2), (2, -0.2)])
def test_every_pixel_goes_to_the_peak_nearest_to_its_vote(seed, moved):
    """Pixel by pixel, with scipy's smoothing; bones are numbered alike, too.

    Moved votes pile up at an edge of the grid, where the smoothing reflects them.
    """
    mask, _, votes = scene()
    votes = votes + 0.03 * np.random.default_rng(seed).normal(size=votes.shape) + moved
    expected, count = np.zeros(mask.shape, int), 0
    for label in (2, 3):
        voted = {
            (row, column): np.array(
                [row - votes[0, row, column] * 60, column - votes[1, row, column] * 40]
            )
            for row, column in np.argwhere(mask == label).tolist()
        }
        heat = np.zeros(mask.shape)
        for vote in voted.values():
            row, column = np.rint(vote).astype(int)
            heat[min(max(row, 0), 59), min(max(column, 0), 39)] += 1
        heat = ndimage.gaussian_filter(heat, 1.5)
        peaks = peak_local_max(
            heat, min_distance=5, threshold_rel=0.25, exclude_border=False
        )
        for pixel, vote in voted.items():
            away = [np.hypot(*(vote - peak)) for peak in peaks]
            expected[pixel] = count + 1 + int(np.argmin(away))
        count += len(peaks)
    np.testing.assert_array_equal(group_votes(mask, votes), expected)


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


@pytest.mark.parametrize('dtype', [np.uint8, np.int32])
def test_bones_spread_to_the_nearest_pixel_that_is_known(dtype):
    rng = np.random.default_rng(0)
    bones = rng.integers(0, 200, (30, 25)).astype(dtype)
    known = rng.random(bones.shape) < 0.05
    spread = spread_bones(bones, known)
    assert spread.dtype == dtype
    np.testing.assert_array_equal(spread[known], bones[known])
    places = np.argwhere(known)
    for pixel in np.ndindex(bones.shape):
        away = np.hypot(*(places - pixel).T)
        own = bones[known] == spread[pixel]
        # OpenCV's distances are within 2% of the Euclidean ones
        assert away[own].min() <= 1.03 * away.min()


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


@pytest.mark.parametrize('far', [False, True])
def test_a_smooth_mask_takes_the_nearest_bone_of_its_class(far):
    """Against the distances to every pixel of the class at the lower resolution."""
    mask, numbers, _ = scene()
    rng = np.random.default_rng(0)
    smooth = mask.repeat(5, axis=0).repeat(5, axis=1)
    if far:  # pieces of edges that lie elsewhere, and of another class
        for _ in range(60):
            row, column = rng.integers(0, [290, 190])
            smooth[row : row + 9, column : column + 7] = rng.choice([0, 2, 3])
    else:  # edges alone, by less than a pixel of the lower resolution
        smooth = np.roll(smooth, (4, -3), axis=(0, 1))
    fitted = fit_to_mask(numbers, mask, smooth)
    assert ((fitted > 0) == (smooth > 0)).all()
    moved = 0
    for row, column in np.argwhere(smooth > 0).tolist():
        label = smooth[row, column]
        at = row // 5, column // 5
        if mask[at] == label:
            assert fitted[row, column] == numbers[at]
            continue
        moved += 1
        pixels = np.argwhere(mask == label)
        away = np.hypot(*(pixels - at).T)
        own = numbers[tuple(pixels.T)] == fitted[row, column]
        # OpenCV's distances are within 2% of the Euclidean ones
        assert away[own].min() <= 1.03 * away.min()
    assert moved > 500


@pytest.mark.parametrize('seed', range(5))
def test_large_pieces_are_bones_of_their_own(seed):
    """Against a walk over the neighbours of each pixel."""
    bones = np.random.default_rng(seed).choice([0, 0, 2, 3], (24, 16)).astype(np.int32)
    bones[10:13] = 0
    expected, last = bones.copy(), 3
    for number in (2, 3):
        left, pieces = {*zip(*np.nonzero(bones == number))}, []
        for start in sorted(left):  # row by row
            if start not in left:
                continue
            left.remove(start)
            piece = [start]
            for row, column in piece:
                around = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)}
                piece.extend(around & left)
                left -= around
            pieces.append(piece)
        largest = max(pieces, key=len)  # the first of them
        for piece in pieces:
            if piece is not largest and 4 * len(piece) >= len(largest):
                last += 1
                expected[tuple(np.transpose(piece))] = last
    bones, expected = (
        each.repeat(GAP, axis=0).repeat(GAP, axis=1) for each in (bones, expected)
    )
    found = split_pieces(bones, min_piece=0.25)
    assert found.dtype == np.int32 and same_bones(found, expected)
    assert expected.max() > 3 and bones.max() == 3  # its own map is left alone
    np.testing.assert_array_equal(split_pieces(bones, min_piece=1.1), bones)


def test_pieces_that_hardly_lie_apart_are_one_bone():
    bones = np.zeros((40, 30), np.int32)
    bones[3:13], bones[13 + GAP - 1 : 30] = 1, 1
    np.testing.assert_array_equal(split_pieces(bones), bones)
    bones[13:20] = 0
    assert split_pieces(bones).max() == 2
    assert not split_pieces(np.zeros((4, 4), np.int32)).any()


def test_bones_in_a_mask_that_is_smaller():
    mask, numbers, _ = scene()
    fitted = fit_to_mask(numbers, mask, mask[1::3, 1::2])
    np.testing.assert_array_equal(fitted, numbers[1::3, 1::2])
    # of bones between its pixels nothing is left, or the nearest is far
    np.testing.assert_array_equal(fit_to_mask(numbers, mask, mask[30:31, 20:21]), [[0]])
    np.testing.assert_array_equal(fit_to_mask(numbers, mask, mask[40:41, 20:21]), [[4]])


def test_more_bones_than_a_byte_counts():
    mask, numbers, _ = scene()
    edited = mask.repeat(3, axis=0)
    edited[60, :9] = 1  # a class of which there was nothing
    fitted = fit_to_mask(numbers, mask, edited)
    expected = np.where(edited == 1, 5 * 256 + 1, fitted * 256)
    np.testing.assert_array_equal(fit_to_mask(numbers * 256, mask, edited), expected)


def test_nothing_but_bones_at_the_lower_resolution():
    ones = np.ones((4, 4), np.uint8)
    edited = np.uint8([[0, 1, 2], [1, 0, 2]])
    fitted = fit_to_mask(ones.astype(int), ones, edited)
    np.testing.assert_array_equal(fitted, edited)
