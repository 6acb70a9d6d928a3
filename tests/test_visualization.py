"""Overlays keep the picture and show the classes."""

import numpy as np

from seam_seg.datasets import VPIDataset
from seam_seg.visualization import HEADER, Number, overlay, panel

PALETTE = VPIDataset.METAINFO['palette']


def test_overlay():
    image = np.full((60, 40), 100, np.uint8)
    mask = np.zeros((60, 40), np.uint8)
    mask[10:30, 5:35] = 2
    picture = overlay(image, mask, PALETTE, alpha=0.25)
    assert (picture[40:] == 100).all()  # no bone, no paint
    assert picture[20, 20].tolist() == [75, 138, 75]  # 0.75 * 100 + 0.25 * green
    assert picture[10, 20].tolist() == [0, 255, 0]  # the outline is opaque


def test_panel():
    image = np.zeros((2400, 640), np.uint8)
    masks = [('prediction', image), ('truth', image)]
    picture = panel(image, masks, VPIDataset.METAINFO['classes'], PALETTE, 'note')
    assert picture.shape[0] <= 1200 + 100 and picture.shape[1] < 3 * 340
    single = panel(image[:50, :30], [], VPIDataset.METAINFO['classes'], PALETTE)
    assert single.dtype == np.uint8


def test_numbers_are_written_over_the_last_picture():
    image = np.full((600, 200), 90, np.uint8)
    masks = [('prediction', np.zeros_like(image))]
    names = VPIDataset.METAINFO['classes']
    plain = panel(image, masks, names, PALETTE)
    numbers = [Number(7, 50, 100, False), Number(12, 150, 400, True)]
    drawn = panel(image, masks, names, PALETTE, numbers=numbers)
    rows, columns = np.nonzero((drawn != plain).any(axis=2))
    left = 200 + 3 * 4  # of the second picture
    for x, y in ((50, 100), (150, 400)):
        near = np.hypot(rows - HEADER - y, columns - left - x) < 25
        assert near.sum() > 50
    assert len(rows) == sum(
        (np.hypot(rows - HEADER - y, columns - left - x) < 25).sum()
        for x, y in ((50, 100), (150, 400))
    )
    # thin strokes may be blended with their outlines, as by OpenCV 4
    red, green, blue = drawn[rows, columns].astype(int).T
    assert (np.minimum(red, blue) > 150).any()  # white
    assert (np.minimum(red, green) - blue > 90).any()  # yellow
