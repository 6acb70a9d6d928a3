"""What is told apart in the pixels of a mask."""

import numpy as np
import pytest
from spine_drawing import LUMBAR, draw_spine, fill, oval, tilts_of, turned

from seam_seg.measurement.bones import (
    agreeing_instances,
    cut_tall,
    edge_spread,
    find_bones,
    principal_axis,
    typical,
)


def test_tall_components_are_cut_where_they_are_narrow():
    rows = np.arange(300)
    width = np.where((rows % 100 < 15) & (rows > 50), 4, 40)  # waists at 100 and 200
    v = np.repeat(rows, width).astype(float)
    index = cut_tall(v, height=90, distance=100)
    for row, bone in ((20, 0), (90, 0), (120, 1), (190, 1), (220, 2), (290, 2)):
        assert set(index[v == row]) == {bone}
    even = cut_tall(np.repeat(np.arange(190.0), 40), height=90, distance=100)
    assert np.bincount(even) == pytest.approx([3800, 3800], abs=200)
    assert not cut_tall(np.repeat(np.arange(190.0), 40), 90, 100, evenly=False).any()


@pytest.mark.parametrize('tilt', [-30, 0, 20])
def test_principal_axis(tilt):
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 41), np.linspace(-1, 1, 41)), -1)
    disc = grid.reshape(-1, 2)[(grid**2).sum(-1).ravel() <= 1]
    points = turned((5, 9), tilt, disc * [30, 10])
    axis = np.degrees(principal_axis(points[:, 0], points[:, 1]))
    assert axis == pytest.approx(tilt, abs=0.5)


def test_lumps_keep_their_tilt_where_it_is_not_that_of_the_center_line():
    """A strip along the center line alone would take a fifth of it away."""
    tilts = np.zeros(16)
    mask = draw_spine(tilts)
    y = 70 + 60 * 13
    mask[y - 28 : y + 29] = 0
    lump = turned((160, y), 14.0, oval(70, 20))
    fill(mask, lump, LUMBAR)
    found = find_bones(mask)
    pair = found.levels[13]
    rise = found.pieces.y[pair.left] - found.pieces.y[pair.right]
    run = found.pieces.x[pair.right] - found.pieces.x[pair.left]
    assert np.degrees(np.arctan2(rise, run)) == pytest.approx(14, abs=0.7)


def test_typical_size_is_that_of_most_pixels():
    sizes = np.array([1.0] * 50 + [100.0] * 10)
    assert typical(sizes, sizes) == 100


def test_instances_by_hand():
    mask = np.zeros((12, 9), np.uint8)
    mask[1:3], mask[5:7], mask[9:11] = 2, 2, 3
    known = np.zeros((12, 9), int)
    known[1:3], known[5:7], known[9:11] = 7, 8, 9
    np.testing.assert_array_equal(agreeing_instances(mask, known), known)
    mask[2, 4] = 0  # erased a pixel of 7
    mask[8, 4] = 3  # drew one beside 9
    used = agreeing_instances(mask, known)
    assert set(np.unique(used)) == {0, 8}
    known[5, 0] = 9  # one bone of two classes
    assert not agreeing_instances(mask, known).any()


def test_bones_move_with_the_threshold_where_their_edge_is_unsure():
    mask = draw_spine(tilts_of('straight', 0))
    found = find_bones(mask)
    sure = np.ones(mask.shape, np.float32)
    assert edge_spread(found, sure) == pytest.approx(0, abs=1e-9)
    sure[:70] = 0.55  # the upper halves of the first pair
    spread = edge_spread(found, sure)
    moved = [n for level in found.levels[:1] for n in (level.left, level.right)]
    assert spread[moved].min() > 2
    assert np.delete(spread, moved).max() < 1e-9
