"""Eq. 7 against plain loops, and the properties that the words of it promise."""

import math

import numpy as np
import pytest
import torch
from model_cases import slow_components

from seam_seg.models import CenterRegressionLoss

KINDS = [
    (mode, segments)
    for mode in ('centroid', 'offset')
    for segments in ('instance', 'class')
]
IGNORE = 255


def bones(batch=2, height=14, width=10):
    """Labels with several bones of a class, an absent class, and ignored pixels.

    No pixel is as far from one bone as from the other: the gap has an even height.
    """
    label = torch.zeros(batch, height, width, dtype=torch.long)
    label[:, 1:4, 4:8] = 1
    label[:, 10:13, 4:8] = 1
    label[0, 5:8, 6:8] = 2
    label[0, 1, 8] = 3
    label[1, 0] = IGNORE
    label[1, 11, 5] = IGNORE  # inside a bone
    return label


def perfect_key(label, num_classes=4, sharpness=60.0):
    """Key logits whose softmax is the label (background where it is ignored)."""
    one_hot = torch.nn.functional.one_hot(label * (label != IGNORE), num_classes)
    return sharpness * one_hot.permute(0, 3, 1, 2).double()


def slow_smooth_l1(x, beta):
    return 0.5 * x * x / beta if abs(x) < beta else abs(x) - 0.5 * beta


def slow_loss(
    key, label, mode, segments, beta, layer=None, in_pixels=False, reach=math.inf
):
    """Eq. 7 pixel by pixel: the sum over foreground pixels divided by their number."""
    batch, classes, height, width = key.shape
    scale = (height, width) if in_pixels else (1, 1)

    def position(i, j):
        return (i + 0.5) / height, (j + 0.5) / width

    total, foreground = 0.0, 0
    for b in range(batch):
        for c in range(1, classes):
            mask = (label[b] == c).numpy()
            if not mask.any():
                continue
            parts = (
                slow_components(mask)
                if segments == 'instance'
                else [[(i, j) for i in range(height) for j in range(width) if mask[i, j]]]
            )
            mass = [0.0] * len(parts)
            moment = [[0.0, 0.0] for _ in parts]
            for i in range(height):
                for j in range(width):
                    if label[b, i, j] == IGNORE:
                        continue
                    distances = [
                        min(math.hypot(i - y, j - x) for y, x in part) for part in parts
                    ]
                    nearest = distances.index(min(distances))
                    if distances[nearest] > reach:
                        continue
                    logits = key[b, :, i, j].tolist()
                    largest = max(logits)
                    exps = [math.exp(value - largest) for value in logits]
                    weight = exps[c] / sum(exps)
                    mass[nearest] += weight
                    for axis, place in enumerate(position(i, j)):
                        moment[nearest][axis] += weight * place
            for s, part in enumerate(parts):
                center = [
                    sum(position(i, j)[axis] for i, j in part) / len(part)
                    for axis in (0, 1)
                ]
                for i, j in part:
                    foreground += 1
                    for axis in (0, 1):
                        true = position(i, j)[axis] - center[axis]
                        if mode == 'centroid':
                            estimate = position(i, j)[axis] - moment[s][axis] / mass[s]
                        else:
                            estimate = layer.bias[axis].item() + sum(
                                layer.weight[axis, n - 1, 0, 0].item()
                                * key[b, n, i, j].item()
                                for n in range(1, classes)
                            )
                        total += slow_smooth_l1(scale[axis] * (estimate - true), beta)
    return total / max(foreground, 1)


@pytest.mark.parametrize('mode,segments', KINDS)
def test_agrees_with_plain_loops(mode, segments):
    loss = CenterRegressionLoss(mode, segments).double()
    key = 2 * torch.randn(2, 4, 14, 10, dtype=torch.double)
    expected = slow_loss(
        key,
        bones(),
        mode,
        segments,
        1.0 if mode == 'centroid' else 1 / 9,
        getattr(loss, 'offset_layer', None),
    )
    assert loss(key, bones()).item() == pytest.approx(expected, rel=1e-10)
    assert expected > 1e-3


@pytest.mark.parametrize('mode,segments', KINDS)
@pytest.mark.parametrize('reach', [None, 0, 1.5])
def test_felt_form_agrees_with_plain_loops(mode, segments, reach):
    """Differences in pixels of the key, its mass only near the segment."""
    if reach is not None and mode == 'offset':
        with pytest.raises(ValueError, match="reach is for mode='centroid'"):
            CenterRegressionLoss(mode, segments, reach=reach)
        return
    loss = CenterRegressionLoss(
        mode, segments, in_pixels=True, smooth_l1_beta=0.5, reach=reach
    ).double()
    key = 2 * torch.randn(2, 4, 14, 10, dtype=torch.double)
    layer = getattr(loss, 'offset_layer', None)
    far = math.inf if reach is None else reach
    expected = slow_loss(key, bones(), mode, segments, 0.5, layer, True, far)
    assert loss(key, bones()).item() == pytest.approx(expected, rel=1e-10)
    assert expected > 1e-2


def test_mass_far_away_does_not_pull():
    """A faint key in a corner moves the center of mass, unless reach keeps it out."""
    label, key = bones(), perfect_key(bones(), sharpness=10.0)
    found = {}
    for reach in (None, 2.0):
        logits = key.clone()
        logits[:, 1, :, :2] += 8.0  # more than two pixels beside every bone
        loss = CenterRegressionLoss(in_pixels=True, reach=reach)
        found[reach] = loss(logits, label).item(), loss(key, label).item()
    (with_it, without), (near, near_without) = found[None], found[2.0]
    assert near == near_without  # what is far away does not count at all
    assert with_it > without + 0.05


def test_the_felt_form_asks_for_no_mask():
    """Near a bone, the center of mass of a key that is the same everywhere is its own."""
    label = torch.zeros(1, 32, 24, dtype=torch.long)
    label[0, 5:9, 6:12], label[0, 18:24, 8:14] = 1, 2
    loss = CenterRegressionLoss(in_pixels=True, smooth_l1_beta=0.5, reach=2.0)
    perfect = loss(perfect_key(label), label).item()
    constant = loss(torch.zeros(1, 4, 32, 24), label).item()
    assert perfect == pytest.approx(0, abs=1e-9)
    assert constant == pytest.approx(0, abs=1e-9)
    aside = perfect_key(label, sharpness=3.0).roll(1, dims=3)
    assert loss(aside, label).item() > 0.05


@pytest.mark.parametrize('mode,segments', KINDS)
def test_gradients(mode, segments):
    # A small threshold, so that both branches of smooth-l1 are met.
    label = bones()[:, ::2, ::2]
    key = torch.randn(2, 4, 7, 5, dtype=torch.double, requires_grad=True)
    for felt in (False, True):
        own = dict(reach=1.0) if felt and mode == 'centroid' else {}
        loss = CenterRegressionLoss(
            mode, segments, smooth_l1_beta=0.05, in_pixels=felt, **own
        ).double()
        inputs = (key, *loss.parameters())
        assert torch.autograd.gradcheck(lambda key, *_, f=loss: f(key, label), inputs)


@pytest.mark.parametrize('mode,segments', KINDS)
@pytest.mark.parametrize('value', [0, IGNORE])
def test_no_foreground_is_exactly_zero(mode, segments, value):
    loss = CenterRegressionLoss(mode, segments)
    key = (1e4 * torch.randn(2, 4, 8, 6)).requires_grad_()
    result = loss(key, torch.full((2, 8, 6), value))
    assert result.item() == 0
    result.backward()
    assert (key.grad == 0).all()
    for parameter in loss.parameters():  # DDP waits for every gradient
        assert (parameter.grad == 0).all()


@pytest.mark.parametrize('mode,segments', KINDS)
def test_ignored_pixels_do_not_count(mode, segments):
    loss = CenterRegressionLoss(mode, segments).double()
    key = torch.randn(2, 4, 14, 10, dtype=torch.double)
    other = torch.where((bones() == IGNORE)[:, None], torch.randn_like(key), key)
    assert loss(key, bones()).item() == loss(other, bones()).item()
    assert loss(key, bones()).item() != loss(key + torch.randn_like(key), bones()).item()


@pytest.mark.parametrize('mode,segments', KINDS)
def test_a_class_may_be_ignored(mode, segments):
    """Its bones are none, as if their pixels were of the usual ignored label."""
    torch.manual_seed(1)
    loss = CenterRegressionLoss(mode, segments, ignore_index=3).double()
    usual = CenterRegressionLoss(mode, segments).double()
    usual.load_state_dict(loss.state_dict())
    key, label = torch.randn(2, 4, 14, 10, dtype=torch.double), bones()
    label[label == IGNORE] = 3
    assert (label == 3).any()
    expected = usual(key, label.where(label != 3, torch.tensor(IGNORE)))
    assert loss(key, label).item() == expected.item()


@pytest.mark.parametrize('segments', ['instance', 'class'])
def test_centroid_is_zero_for_a_perfect_key(segments):
    label = bones()
    label[label == IGNORE] = 0
    loss = CenterRegressionLoss('centroid', segments)
    assert loss(perfect_key(label), label).item() == pytest.approx(0, abs=1e-20)


@pytest.mark.parametrize('segments', ['instance', 'class'])
def test_centroid_grows_with_the_shift(segments):
    """Two bones 24 apart (centers): half the gap between them is 9 pixels."""

    def two(shift):
        label = torch.zeros(1, 64, 16, dtype=torch.long)
        label[:, 10 + shift : 16 + shift, 4:12] = 2
        label[:, 34 + shift : 40 + shift, 4:12] = 2
        return label

    loss = CenterRegressionLoss('centroid', segments)
    values = [loss(perfect_key(two(shift)), two(0)).item() for shift in range(10)]
    assert values[0] == pytest.approx(0, abs=1e-20)
    assert all(later > earlier for earlier, later in zip(values, values[1:]))
    # exactly the smooth-l1 of the shift, for every foreground pixel
    assert values[5] == pytest.approx(0.5 * (5 / 64) ** 2)


@pytest.mark.parametrize('segments', ['instance', 'class'])
def test_resolution_does_not_matter(segments):
    label = bones()
    key = torch.randn(2, 4, 14, 10, dtype=torch.double)
    loss = CenterRegressionLoss('centroid', segments)
    double = [x.repeat_interleave(2, -1).repeat_interleave(2, -2) for x in (key, label)]
    assert loss(*double).item() == pytest.approx(loss(key, label).item(), rel=0.01)
    # a label finer than the key is brought to the key
    assert loss(key, double[1]).item() == pytest.approx(loss(key, label).item())


@pytest.mark.parametrize('segments', ['instance', 'class'])
def test_offset_is_zero_for_the_true_offsets(segments):
    """The layer passes two key channels on, which hold the true offsets."""
    label = bones()
    key = torch.zeros(2, 4, 14, 10, dtype=torch.double)
    for b in range(2):
        for c in (1, 2, 3):
            mask = (label[b] == c).numpy()
            parts = slow_components(mask)
            if segments == 'class' and mask.any():
                parts = [[pixel for part in parts for pixel in part]]
            for part in parts:
                rows, cols = np.array(part).T
                key[b, 1, rows, cols] = torch.tensor((rows - rows.mean()) / 14)
                key[b, 2, rows, cols] = torch.tensor((cols - cols.mean()) / 10)
    loss = CenterRegressionLoss('offset', segments).double()
    with torch.no_grad():
        loss.offset_layer.weight.copy_(torch.eye(2, 3)[:, :, None, None])
        loss.offset_layer.bias.zero_()
    assert loss(key, label).item() == pytest.approx(0, abs=1e-20)
    assert loss(key + 0.1, label).item() > 1e-3


def test_absent_key_mass_has_a_defined_value():
    label = bones()
    key = torch.zeros(2, 4, 14, 10)
    key[:, 0] = 1e4  # all background: no mass for any bone
    key.requires_grad_()
    loss = CenterRegressionLoss()(key, label)
    loss.backward()
    assert loss.item() == 0 and torch.isfinite(key.grad).all()


def test_thresholds_follow_the_mode():
    assert CenterRegressionLoss('centroid').smooth_l1_beta == 1
    assert CenterRegressionLoss('offset').smooth_l1_beta == 1 / 9
    assert not list(CenterRegressionLoss('centroid').parameters())


@pytest.mark.parametrize('mode,segments', KINDS)
def test_half_precision_is_summed_in_float32(mode, segments):
    loss = CenterRegressionLoss(mode, segments)
    key = torch.randn(2, 4, 14, 10).bfloat16()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        low = loss(key, bones())
    assert low.dtype == torch.float32
    assert low.item() == pytest.approx(loss(key.float(), bones()).item(), rel=1e-6)


def test_loss_weight_and_number_of_classes():
    key, label = torch.randn(1, 2, 8, 8), torch.zeros(1, 8, 8, dtype=torch.long)
    label[:, 2:5, 3:6] = 1
    one = CenterRegressionLoss(num_classes=2)(key, label)
    three = CenterRegressionLoss(num_classes=2, loss_weight=3)(key, label)
    assert three.item() == pytest.approx(3 * one.item()) and one.item() > 0


@pytest.mark.parametrize(
    'options',
    [
        dict(mode='center'),
        dict(segments='bone'),
        dict(num_classes=1),
        dict(smooth_l1_beta=0),
    ],
)
def test_bad_arguments(options):
    with pytest.raises(ValueError):
        CenterRegressionLoss(**options)


def test_bad_shapes():
    with pytest.raises(ValueError, match='key_logits must be'):
        CenterRegressionLoss()(torch.randn(1, 3, 4, 4), torch.zeros(1, 4, 4).long())
    label, numbers = torch.zeros(1, 8, 8).long(), torch.zeros(1, 7, 8).long()
    with pytest.raises(ValueError, match=r'of one size, got \(1, 7, 8\)'):
        CenterRegressionLoss('votes')(torch.randn(1, 2, 4, 4), label, numbers)


# --- votes: the offsets are given


def touching_bones():
    """Labels and numbers of bones: two of a class touch, and one is in two pieces."""
    label = torch.zeros(2, 12, 10, dtype=torch.long)
    numbers = torch.zeros_like(label)
    for number, (rows, cols, name) in enumerate(
        [((1, 4), (2, 6), 1), ((4, 8), (2, 6), 1), ((9, 11), (0, 3), 2)], 1
    ):
        for part in (label, numbers):
            part[:, slice(*rows), slice(*cols)] = name if part is label else number
    label[1, 9:11, 7:9], numbers[1, 9:11, 7:9] = 2, 3
    label[0, 2, 3] = IGNORE
    return label, numbers


def slow_votes_loss(votes, label, numbers, beta):
    """The mean over the pixels of bones, one by one."""
    batch, _, height, width = votes.shape
    total, count = 0.0, 0
    for b in range(batch):
        places = {}
        for i in range(height):
            for j in range(width):
                if 0 < label[b, i, j] < IGNORE:
                    key = (int(label[b, i, j]), int(numbers[b, i, j]))
                    places.setdefault(key, []).append((i, j))
        for part in places.values():
            for i, j in part:
                count += 1
                for axis, length in enumerate((height, width)):
                    center = sum(place[axis] + 0.5 for place in part) / len(part)
                    true = ((i, j)[axis] + 0.5 - center) / length
                    total += slow_smooth_l1(votes[b, axis, i, j].item() - true, beta)
    return total / count


def test_votes_agree_with_plain_loops():
    label, numbers = touching_bones()
    votes = 0.05 * torch.randn(2, 2, 12, 10, dtype=torch.double)
    loss = CenterRegressionLoss('votes')
    assert not list(loss.parameters())
    expected = slow_votes_loss(votes, label, numbers, 0.01)
    assert loss(votes, label, numbers).item() == pytest.approx(expected, rel=1e-10)
    # without numbers, what touches is one bone
    pieces = torch.zeros_like(numbers)
    for b in range(2):
        for name in (1, 2):
            mask = (label[b] == name).numpy()
            for number, part in enumerate(slow_components(mask), 1):
                for i, j in part:
                    pieces[b, i, j] = number
    merged = slow_votes_loss(votes, label, pieces, 0.01)
    assert loss(votes, label).item() == pytest.approx(merged, rel=1e-10)
    assert abs(merged - expected) > 1e-3


def test_votes_gradients_and_zero():
    label, numbers = touching_bones()
    loss = CenterRegressionLoss('votes', smooth_l1_beta=0.05)
    votes = (0.1 * torch.randn(2, 2, 12, 10, dtype=torch.double)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, label, numbers), votes)
    assert loss(votes, torch.zeros_like(label), numbers).item() == 0
    with pytest.raises(ValueError, match=r'must be \(B, 2, h'):
        loss(torch.zeros(2, 4, 12, 10), label)
