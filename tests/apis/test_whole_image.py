"""The graph of a whole prediction, step by step against the package's own steps."""

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage

from seam_seg.apis import init_model, predict
from seam_seg.apis.whole_image import (
    MOST_BONES,
    WholeImage,
    blur_matrix,
    nearest,
    peaks_of,
    resized,
)
from seam_seg.datasets.phantom import make_case
from seam_seg.datasets.transforms import ResizeVPI
from seam_seg.evaluation import instances
from seam_seg.models.segmentors.vpi_segmentor import resize_mask


@pytest.fixture(scope='module')
def ready():
    return init_model(device='cpu')


@pytest.fixture(scope='module')
def case():
    return make_case(3)


@pytest.mark.parametrize(
    'size', [(2574, 640), (1536, 384), (1024, 256), (777, 301), (512, 128), (513, 128)]
)
def test_smaller_levels_are_those_of_opencv(size):
    """Also halves of two by two pixels; noise has many of them."""
    image = np.random.default_rng(0).integers(0, 256, size).astype(np.uint8)
    expected = ResizeVPI((128, 512)).transform(dict(img=image))['img']
    found = resized(torch.from_numpy(image), (512, 128))
    assert found.shape == (1, 1, 512, 128) and found.dtype == torch.float32
    np.testing.assert_array_equal(found[0, 0], expected)


@pytest.mark.parametrize('size', [(300, 100), (600, 100), (100, 1000), (7, 5), (1, 1)])
def test_larger_levels_are_interpolated(size):
    """Rightly, where OpenCV's own can be off by a quarter of a level."""
    image = np.random.default_rng(0).integers(0, 256, size).astype(np.uint8)
    found = resized(torch.from_numpy(image), (512, 128))[0, 0].numpy()
    exact = cv2.resize(image.astype(float), (128, 512))
    assert np.abs(found - exact).max() < 0.501
    theirs = ResizeVPI((128, 512)).transform(dict(img=image))['img']
    apart = np.abs(found - theirs)
    assert apart.max() <= 1 and apart.mean() < 0.15


def test_nearest_pixels_are_those_of_a_mask():
    """But where a center lies between two, which rounding decides there."""
    for other in (1, 2, 7, 32):
        row = torch.arange(other)[None, None]
        for side in range(1, 100):
            between = (2 * np.arange(side) + 1) * other % (2 * side) == 0
            apart = nearest(side, other) != resize_mask(row, (1, side))[0, 0]
            assert not (apart.numpy() & ~between).any()


def test_smoothing_is_that_of_the_votes():
    counts = np.random.default_rng(0).integers(0, 9, (40, 8)).astype(float)
    found = blur_matrix(40).numpy() @ counts @ blur_matrix(8).numpy().T
    expected = ndimage.gaussian_filter(counts, instances.SIGMA)
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    window = (13, 13)
    same = cv2.GaussianBlur(
        counts, window, instances.SIGMA, borderType=cv2.BORDER_REFLECT
    )
    np.testing.assert_allclose(found, same, rtol=1e-12)


@pytest.mark.parametrize('seed', range(3))
def test_peaks_are_those_of_the_package(seed):
    """As many as there are, in their order; of equal neighbours one."""
    heat = ndimage.gaussian_filter(np.random.default_rng(seed).random((90, 40)), 2)
    expected = instances.peaks_of(heat, instances.MIN_DISTANCE, instances.MIN_VOTES)
    at, real = peaks_of(torch.from_numpy(heat))
    assert at.shape == (MOST_BONES, 2)
    np.testing.assert_array_equal(at[real], expected)
    assert 5 < len(expected) < MOST_BONES
    heat[7, 7:9] = 1  # which of the two comes first is up to torch; ONNX says
    at, real = peaks_of(torch.from_numpy(heat))
    assert at[:2, 0].tolist() == [7, 7] and real[:3].tolist() == [True, False, True]
    assert not peaks_of(torch.zeros(90, 40, dtype=torch.float64))[1].any()


@pytest.fixture(scope='module')
def scene(case):
    """The truth at the network's resolution, with votes that are a little off."""
    labels, numbers = (
        cv2.resize(
            whole.astype(np.uint16), (128, 512), interpolation=cv2.INTER_NEAREST_EXACT
        )
        for whole in (case.mask, case.instances)
    )
    votes = np.random.default_rng(0).normal(size=(2, 512, 128)) * 0.004
    for number in np.unique(numbers[numbers > 0]):
        at = np.argwhere(numbers == number)
        votes[:, at[:, 0], at[:, 1]] += ((at - at.mean(axis=0)) / labels.shape).T
    return labels, votes.astype(np.float32)


@pytest.mark.slow
def test_bones_are_those_of_the_votes(ready, scene):
    """Number for number; and pixels would get bones of each class, of which they are not.

    A class without any is one bone of its own: its pixels may appear at the image's size.
    """
    labels, votes = scene
    whole = WholeImage(ready)
    for absent in (None, 2):
        labels = np.where(labels == absent, 0, labels)
        own = torch.from_numpy(labels.astype(np.int64))
        expected = instances.group_votes(labels, votes)
        found = whole.bones_by_class(own, torch.from_numpy(votes))
        assert found.shape == (4, 512, 128) and found.dtype == torch.int32
        np.testing.assert_array_equal(found.gather(0, own[None])[0], expected)
        assert expected.max() > 20 and not found[0].any()
        for label in (1, 2, 3):
            numbers = {*np.unique(expected[labels == label])}
            assert {*found[label].unique().tolist()} == (
                {expected.max() + 1} if label == absent else numbers
            )


@pytest.mark.slow
def test_other_ways_back(ready, case, monkeypatch):
    """The mask of the network's resolution, one side alone, and a model without votes."""
    monkeypatch.setattr(ready, 'resize', 'mask')
    monkeypatch.setattr(ready, 'mirror', False)
    monkeypatch.setattr(ready.decode_head, 'votes', None)
    image = cv2.resize(case.image, (301, 777), interpolation=cv2.INTER_AREA)
    expected = predict(ready, image)
    with torch.no_grad():
        mask, scores = WholeImage(ready).eval()(torch.from_numpy(image))
    assert np.abs(scores.numpy() - expected.scores).max() < 1e-4
    assert (mask.numpy() != expected.mask).mean() < 1e-5
