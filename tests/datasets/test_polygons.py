"""A mask, its outline, and the mask again."""

import numpy as np
import pytest
from scipy import ndimage

from seam_seg.datasets.polygons import area_of, fill, outline, window_of


def blob(seed, shape=(60, 50), size=3.0):
    """Smooth areas of any form, with holes and pieces, up to the edges of the picture."""
    noise = np.random.default_rng(seed).normal(size=shape)
    return ndimage.gaussian_filter(noise, size) > 0


def inside(piece, x, y):
    """Whether a ray from a point to the right crosses an odd number of sides."""
    crossed = False
    for (x1, y1), (x2, y2) in zip(piece, np.roll(piece, -1, axis=0)):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            crossed = not crossed
    return crossed


def fill_slowly(pieces, shape):
    filled = np.zeros(shape, bool)
    for row in range(shape[0]):
        for column in range(shape[1]):
            center = column + 0.5, row + 0.5
            filled[row, column] = any(inside(piece, *center) for piece in pieces)
    return filled


def test_fill_against_a_loop_over_pixels():
    """A star that crosses itself, one that leaves the picture, and both together."""
    turns = np.arange(5) * 4 * np.pi / 5
    star = np.stack([12 + 11.3 * np.cos(turns), 13 + 11.1 * np.sin(turns)], axis=1)
    out = star + (9.2, -7.3)
    shape = (24, 20)
    for pieces in ([star], [out], [star, out]):
        filled = fill(pieces, shape)
        np.testing.assert_array_equal(filled, fill_slowly(pieces, shape))
        rows, columns = window_of(pieces, shape)
        assert filled.sum() == filled[rows, columns].sum() > 20
    assert not fill([star + 100], shape).any()
    assert np.zeros(shape)[window_of([star + 100], shape)].size == 0


@pytest.mark.parametrize('seed', range(4))
def test_small_areas_come_back_to_the_pixel(seed):
    mask = blob(seed, (24, 18), 1.2)
    pieces = outline(mask)
    assert len(pieces) > 2
    np.testing.assert_array_equal(fill(pieces, mask.shape), mask)
    assert area_of(pieces) == pytest.approx(mask.sum(), rel=0.12)
    if seed == 1:
        np.testing.assert_array_equal(fill_slowly(pieces, mask.shape), mask)


def test_single_pixels_lines_and_corners():
    mask = np.zeros((6, 7), bool)
    mask[0, 0] = mask[2, 2:6] = mask[3, 1] = mask[5, 6] = True
    pieces = outline(mask)
    assert len(pieces) == 3  # pixels that touch by a corner are one piece
    np.testing.assert_array_equal(fill(pieces, mask.shape), mask)
    assert outline(np.zeros((4, 4), bool)) == []


def test_holes_and_what_lies_in_them():
    """A ring of two holes, and in one of them another ring."""
    mask = np.zeros((60, 60), bool)
    mask[2:58, 2:58] = True
    mask[6:40, 6:40] = False
    mask[44:54, 44:54] = False
    mask[12:34, 12:34] = True
    mask[18:28, 18:28] = False
    pieces = outline(mask)
    assert len(pieces) == 2
    drawn = fill(pieces, mask.shape)
    np.testing.assert_array_equal(drawn, mask)


def test_large_areas_come_back_nearly_and_with_few_points():
    rows, columns = np.mgrid[:200, :300]
    mask = ((rows - 90) / 60) ** 2 + ((columns - 140) / 120) ** 2 < 1
    (piece,) = outline(mask)
    drawn = fill([piece], mask.shape)
    assert 2 * (drawn & mask).sum() / (drawn.sum() + mask.sum()) > 0.995
    assert area_of([piece]) == pytest.approx(mask.sum(), rel=0.005)
    assert len(piece) < 60
    assert (piece == np.round(piece, 2)).all()
