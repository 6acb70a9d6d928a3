"""TotalVariationLoss against plain loops and by hand."""

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from seam_seg.models import TotalVariationLoss


def slow_loss(logits, label, ignore_index=255):
    """Every step of every image and class, in float64."""
    batch, classes, height, width = logits.shape
    p = logits.double().softmax(dim=1).tolist()
    total = 0.0
    for b in range(batch):
        for c in range(classes):
            for i in range(height):
                for j in range(width):
                    if label[b, i, j] == ignore_index:
                        continue
                    if i + 1 < height and label[b, i + 1, j] != ignore_index:
                        total += abs(p[b][c][i + 1][j] - p[b][c][i][j]) / width
                    if j + 1 < width and label[b, i, j + 1] != ignore_index:
                        total += abs(p[b][c][i][j + 1] - p[b][c][i][j]) / height
    return total / (batch * classes)


def test_against_loops():
    logits = torch.randn(2, 3, 7, 5)
    label = torch.randint(0, 3, (2, 7, 5))
    label[0, 2:4, 1] = label[1, 6, 4] = 255
    loss = TotalVariationLoss(loss_weight=0.3)
    assert loss(logits, label).item() == pytest.approx(0.3 * slow_loss(logits, label))
    other = label.clone()
    other[label == 255] = 9
    assert loss(logits, other, ignore_index=9) == loss(logits, label)


def mask_logits(mask, size=1):
    """Certain logits of a mask of two classes, enlarged."""
    mask = mask.repeat_interleave(size, 0).repeat_interleave(size, 1)
    return 1e4 * torch.stack([1 - mask, mask])[None].float(), mask[None]


def test_by_hand_and_at_any_resolution():
    """A 2 x 3 box in 8 x 6: edges out and back, 2 * 3 / 6 and 2 * 2 / 8, both classes."""
    mask = torch.zeros(8, 6, dtype=torch.long)
    mask[3:5, 1:4] = 1
    for size in (1, 2, 5):
        loss = TotalVariationLoss()(*mask_logits(mask, size))
        assert loss.item() == pytest.approx(2 * 3 / 6 + 2 * 2 / 8)
    assert TotalVariationLoss()(*mask_logits(torch.ones(4, 4).long())) == 0


def test_speckle_costs_more_than_a_blob():
    speckle, blob = torch.zeros(2, 16, 16, dtype=torch.long)
    speckle[::4, ::4] = 1
    blob[4:8, 4:8] = 1
    assert speckle.sum() == blob.sum()
    loss = TotalVariationLoss()
    assert loss(*mask_logits(speckle)) > 3 * loss(*mask_logits(blob))


def test_gradient():
    logits = torch.randn(1, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    label = torch.randint(0, 3, (1, 4, 5))
    label[0, 1, 1] = 255
    assert torch.autograd.gradcheck(lambda x: TotalVariationLoss()(x, label), logits)


def test_all_ignored_and_low_precision():
    label = torch.full((1, 4, 4), 255)
    logits = torch.randn(1, 2, 4, 4, requires_grad=True)
    loss = TotalVariationLoss()(logits, label)
    loss.backward()
    assert loss == 0 and not logits.grad.any()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        low = TotalVariationLoss()(logits.bfloat16(), label * 0)
    assert low.dtype == torch.float32 and torch.isfinite(low)


def test_beside_cross_entropy_in_a_head():
    head = MODELS.build(
        dict(
            type='FCNHead',
            in_channels=4,
            channels=4,
            num_convs=0,
            concat_input=False,
            num_classes=3,
            loss_decode=[
                dict(type='CrossEntropyLoss'),
                dict(type='TotalVariationLoss', loss_weight=0.1),
            ],
        )
    )
    sample = SegDataSample(gt_sem_seg=PixelData(data=torch.zeros(1, 8, 8).long()))
    losses = head.loss([torch.randn(2, 4, 8, 8)], [sample, sample], {})
    assert losses['loss_tv'] > 0 and losses['loss_ce'] > 0
