"""SyncCrossEntropyLoss in one process; tests/test_distributed.py has two."""

import math

import pytest
import torch
from mmseg.models.losses import CrossEntropyLoss
from stacks import UPSTREAM

from seam_seg.models import SyncCrossEntropyLoss


def slow_loss(logits, label, weights):
    """The weighted mean over the labelled pixels, one by one."""
    total = count = 0.0
    for b, i, j in torch.cartesian_prod(*(torch.arange(n) for n in label.shape)).tolist():
        true = label[b, i, j].item()
        if true == 255:
            continue
        values = logits[b, :, i, j].tolist()
        log_sum = math.log(sum(math.exp(value) for value in values))
        total += weights[true] * (log_sum - values[true])
        count += weights[true]
    return total / count


@pytest.mark.parametrize('weights', [None, [0.5, 2.0, 1.0]])
def test_against_loops_and_mmseg(weights):
    logits = torch.randn(2, 3, 7, 5, dtype=torch.double)
    label = torch.randint(0, 3, (2, 7, 5))
    label[0, 2:4] = 255
    loss = SyncCrossEntropyLoss(class_weight=weights, loss_weight=0.3)(logits, label)
    expected = 0.3 * slow_loss(logits, label, weights or [1, 1, 1])
    assert loss.item() == pytest.approx(expected, rel=1e-7)
    if UPSTREAM and weights:
        pytest.skip('upstream stack: mmseg 1.2.2 looks for the weight of ignored pixels')
    # With weights, mmseg's fails under avg_non_ignore, and leaves the ignored out anyway.
    theirs = CrossEntropyLoss(
        class_weight=weights, loss_weight=0.3, avg_non_ignore=weights is None
    )
    assert loss == theirs(logits, label, ignore_index=255)


@pytest.mark.parametrize('weights', [None, [0.5, 2.0, 1.0]])
def test_gradient(weights):
    """That of Eq. 6 and 8, and none where a pixel is ignored."""
    logits = torch.randn(2, 3, 3, 4, dtype=torch.double, requires_grad=True)
    label = torch.randint(0, 3, (2, 3, 4))
    label[0, 1] = 255
    if UPSTREAM and weights:
        pytest.skip('upstream stack: mmseg 1.2.2 looks for the weight of ignored pixels')
    loss = SyncCrossEntropyLoss(class_weight=weights)
    assert torch.autograd.gradcheck(lambda x: loss(x, label), logits)
    loss(logits, label).backward()
    pulled = logits.grad.abs().sum(dim=1) > 0
    assert torch.equal(pulled, label != 255)


def test_weights_of_half_precision_are_summed_in_double():
    """Those of more pixels than float16 can count."""
    logits, label = torch.randn(1, 3, 400, 400), torch.randint(0, 3, (1, 400, 400))
    loss = SyncCrossEntropyLoss(class_weight=[0.5, 2.0, 1.0])
    with torch.autocast('cpu', torch.float16):
        found = loss(logits.half(), label).item()
    assert found == pytest.approx(loss(logits.half().float(), label).item(), rel=1e-3)


def test_arguments_of_mmseg():
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    label = torch.zeros(2, 4, 4).long()
    loss = SyncCrossEntropyLoss()
    each = loss(logits, label, reduction_override='none')
    assert each.shape == label.shape
    total = loss(logits, label, reduction_override='sum')
    torch.testing.assert_close(total, each.sum())
    torch.testing.assert_close(loss(logits, label, avg_factor=10), total / 10)
    torch.testing.assert_close(loss(logits, label, (label + 2)), 2 * loss(logits, label))
    nothing = loss(logits, label + 255)
    nothing.backward()
    assert nothing == 0 and not logits.grad.any()
