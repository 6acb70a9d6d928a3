"""Segments of a label against flood fill and plain loops."""

import math

import numpy as np
import pytest
import torch
from model_cases import slow_components

from seam_seg.models.segments import SEGMENTS, segment_maps, split_class


def test_every_pixel_belongs_to_the_nearest_bone():
    rng = np.random.default_rng(0)
    mask = rng.random((24, 20)) > 0.93
    region, count = split_class(mask, 'instance')
    parts = slow_components(mask)
    assert count == len(parts) > 10
    distance = np.array(
        [
            [
                [min(math.hypot(i - y, j - x) for y, x in part) for part in parts]
                for j in range(20)
            ]
            for i in range(24)
        ]
    )
    owner = {region[part[0]]: s for s, part in enumerate(parts)}
    assert len(owner) == count
    taken = np.vectorize(owner.get)(region)
    chosen = np.take_along_axis(distance, taken[..., None], 2)[..., 0]
    # OpenCV's 5 x 5 chamfer distance is exact within 3%
    assert (chosen <= 1.03 * distance.min(axis=2) + 1e-9).all()
    assert (chosen == distance.min(axis=2)).mean() > 0.97


@pytest.mark.parametrize('segments', SEGMENTS)
def test_maps_of_a_batch(segments):
    """Members, centers and sizes, against the components one by one."""
    rng = np.random.default_rng(1)
    label = (rng.random((2, 9, 7)) > 0.8) * rng.integers(1, 4, (2, 9, 7))
    label[1][label[1] == 3] = 0  # an absent class
    label[rng.random(label.shape) > 0.9] = 255
    maps = segment_maps(torch.from_numpy(label), 4, segments)
    total = 0
    for image, channel in np.ndindex(2, 3):
        mask = label[image] == channel + 1
        parts = slow_components(mask)
        if segments == 'class' and parts:
            parts = [sum(parts, [])]
        members = maps.members[image, channel].numpy()
        ids = set()
        for part in parts:
            (own,) = {maps.own[image, i, j].item() for i, j in part}
            ids.add(own)
            assert {members[i, j].item() for i, j in part} == {own}
            center = (np.mean(part, axis=0) + 0.5) / (9, 7)
            assert maps.centers[own].numpy() == pytest.approx(center)
            assert maps.sizes[own] == len(part)
        assert len(ids) == len(parts)
        # every pixel that is not ignored belongs to some segment of the class
        nothing, ignored = {len(maps.sizes) - 1}, label[image] == 255
        assert set(members[~ignored].tolist()) == (ids or nothing)
        assert set(members[ignored].tolist()) == nothing
        total += len(ids)
    assert len(maps.sizes) == total + 1 == (16 if segments == 'instance' else 5)
    assert maps.sizes[-1] == 0
    outside = (label == 0) | (label == 255)
    assert ((maps.own == total).numpy() == outside).all()


def test_unknown_kind():
    with pytest.raises(ValueError, match="segments='bone'"):
        split_class(np.ones((2, 2), bool), 'bone')


def test_bones_by_their_numbers():
    """What touches is told apart, and what is in pieces is one."""
    label = torch.tensor([[[1, 1, 0, 2], [1, 1, 0, 2], [0, 0, 0, 0], [1, 0, 0, 2]]])
    numbers = torch.tensor([[[7, 9, 0, 4], [7, 9, 0, 4], [0, 0, 0, 0], [9, 0, 0, 6]]])
    maps = segment_maps(label, 3, bones=numbers)
    assert maps.own[0].tolist() == [[0, 1, 4, 2], [0, 1, 4, 2], [4] * 4, [1, 4, 4, 3]]
    assert maps.sizes.tolist() == [2, 3, 2, 1, 0]
    centers = [[1.0, 0.5], [(0.5 + 1.5 + 3.5) / 3, (1.5 + 1.5 + 0.5) / 3]]
    torch.testing.assert_close(maps.centers[:2], torch.tensor(centers).double() / 4)
