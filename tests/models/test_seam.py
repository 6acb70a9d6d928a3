"""SEAM against Eq. 2 to 5 written as plain loops in float64."""

import math

import pytest
import torch

from seam_seg.models import SEAM
from seam_seg.models.seam import attentive_weights
from seam_seg.models.seam_associated import can_associate


def slow_conv(x, weight, bias, padding):
    """A convolution of one image, x[c][i][j], one multiplication at a time."""
    channels, height, width = len(x), len(x[0]), len(x[0][0])
    size = len(weight[0][0])
    out = []
    for o in range(len(weight)):
        plane = [[bias[o] if bias is not None else 0.0] * width for _ in range(height)]
        for i in range(height):
            for j in range(width):
                for c in range(channels):
                    for di in range(size):
                        for dj in range(size):
                            y, z = i + di - padding, j + dj - padding
                            if 0 <= y < height and 0 <= z < width:
                                plane[i][j] += weight[o][c][di][dj] * x[c][y][z]
        out.append(plane)
    return out


def slow_norm(x, norm):
    """Batch norm in evaluation mode."""
    return [
        [
            [
                (value - norm.running_mean[c].item())
                / math.sqrt(norm.running_var[c].item() + norm.eps)
                * norm.weight[c].item()
                + norm.bias[c].item()
                for value in row
            ]
            for row in plane
        ]
        for c, plane in enumerate(x)
    ]


def slow_softmax(values):
    largest = max(values)
    exps = [math.exp(value - largest) for value in values]
    return [value / sum(exps) for value in exps]


def slow_seam(seam, v, normalization):
    """Eq. 2 to 5 and the fusion, for one image v[c][i][j]."""
    height, width = len(v[0]), len(v[0][0])
    q = slow_conv(v, seam.phi.weight.tolist(), seam.phi.bias.tolist(), 0)
    k = slow_conv(v, seam.varphi.weight.tolist(), seam.varphi.bias.tolist(), 0)
    k_prime = [[[0.0] * width for _ in range(height)] for _ in k]
    for i in range(height):
        for j in range(width):
            probabilities = slow_softmax([plane[i][j] for plane in k])
            for n, probability in enumerate(probabilities):
                k_prime[n][i][j] = probability
    positions = [(i, j) for i in range(height) for j in range(width)]
    a = []
    for plane in q:
        row = []
        for key in k_prime:
            energy = sum(plane[i][j] * key[i][j] for i, j in positions)
            if normalization == 'key_mass':
                energy /= sum(key[i][j] for i, j in positions)
            elif normalization == 'hw':
                energy /= height * width
            row.append(energy)
        a.append(slow_softmax(row))
    attended = [
        [
            [sum(row[n] * k_prime[n][i][j] for n in range(len(k))) for j in range(width)]
            for i in range(height)
        ]
        for row in a
    ]
    z_prime = slow_norm(
        slow_conv(attended, seam.theta.conv.weight.tolist(), None, 0), seam.theta.bn
    )
    z = slow_norm(
        slow_conv(z_prime + v, seam.rho.conv.weight.tolist(), None, 1), seam.rho.bn
    )
    return [[[max(value, 0.0) for value in row] for row in plane] for plane in z], k


def make_seam(normalization=None, channels=8, num_classes=3, reduction=2, hooked=True):
    """SEAM in float64 with norms that do something; a hook asks for the direct form."""
    seam = SEAM(channels, num_classes, reduction, normalization).double().eval()
    if hooked:
        seam.rho.register_forward_hook(lambda *_: None)
    assert can_associate(seam.theta, seam.rho) != hooked
    for norm in (seam.theta.bn, seam.rho.bn):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        torch.nn.init.normal_(norm.weight, 1, 0.2)
        torch.nn.init.normal_(norm.bias)
    return seam


@pytest.mark.parametrize('hooked', [True, False], ids=['direct', 'associated'])
@pytest.mark.parametrize('normalization', [None, 'key_mass', 'hw'])
def test_agrees_with_plain_loops(normalization, hooked):
    seam = make_seam(normalization, hooked=hooked)
    v = torch.randn(2, 8, 5, 3, dtype=torch.double)
    z, k = seam(v)
    for image in range(2):
        slow_z, slow_k = slow_seam(seam, v[image].tolist(), normalization)
        torch.testing.assert_close(z[image], torch.tensor(slow_z, dtype=torch.double))
        torch.testing.assert_close(k[image], torch.tensor(slow_k, dtype=torch.double))


@pytest.mark.parametrize('normalization', [None, 'key_mass', 'hw'])
def test_gradients(normalization):
    seam = make_seam(normalization, channels=4)
    v = torch.randn(2, 4, 3, 2, dtype=torch.double, requires_grad=True)
    parameters = tuple(seam.parameters())
    assert torch.autograd.gradcheck(lambda v, *_: seam(v), (v, *parameters))


def test_layers_are_the_papers():
    seam = SEAM(64)
    assert seam.phi.weight.shape == (16, 64, 1, 1)  # C' = C / 4
    assert seam.varphi.weight.shape == (4, 64, 1, 1)
    assert seam.theta.conv.weight.shape == (64, 16, 1, 1)
    assert seam.rho.conv.weight.shape == (64, 128, 3, 3)
    assert seam.rho.conv.padding == (1, 1)
    assert seam.normalization is None  # Eq. 4 as printed


def test_fusion_takes_z_prime_first():
    seam = make_seam()
    v = torch.randn(1, 8, 4, 4, dtype=torch.double)
    before = seam(v)[0]
    with torch.no_grad():
        seam.rho.conv.weight[:, :8] = 0  # drops z', the first half
    plain = seam.rho.bn(
        torch.nn.functional.conv2d(v, seam.rho.conv.weight[:, 8:], padding=1)
    ).relu()
    torch.testing.assert_close(seam(v)[0], plain)
    assert not torch.allclose(before, plain)


def test_scale_free_normalizations():
    """Twice as many equal pixels leave a' unchanged only where it is normalised."""
    q = torch.randn(1, 4, 6, 5, dtype=torch.double)
    k = torch.randn(1, 3, 6, 5, dtype=torch.double).softmax(dim=1)
    twice = [x.repeat_interleave(2, dim=2) for x in (q, k)]
    for normalization in ('key_mass', 'hw'):
        torch.testing.assert_close(
            attentive_weights(q, k, normalization),
            attentive_weights(*twice, normalization),
        )
    assert not torch.allclose(attentive_weights(q, k), attentive_weights(*twice))


@pytest.mark.parametrize('normalization', [None, 'key_mass', 'hw'])
def test_absent_class_and_extreme_keys_stay_finite(normalization):
    seam = SEAM(8, normalization=normalization)
    with torch.no_grad():
        seam.varphi.bias.copy_(torch.tensor([1e4, 0, 0, -1e4]))
    v = torch.randn(1, 8, 4, 4, requires_grad=True)
    z, k = seam(v)
    (z.sum() + k.sum()).backward()
    assert torch.isfinite(z).all() and torch.isfinite(v.grad).all()


def test_bfloat16_autocast_forward_and_backward():
    seam = SEAM(16)
    v = torch.randn(2, 16, 9, 7, requires_grad=True)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert seam.phi(v).dtype == torch.bfloat16
        z, k = seam(v)
        weights = attentive_weights(seam.phi(v), k.softmax(dim=1))
    assert weights.dtype == torch.float32  # Eq. 4 is summed in float32
    (z.float().square().mean() + k.float().square().mean()).backward()
    assert torch.isfinite(v.grad).all() and v.grad.abs().sum() > 0


@pytest.mark.parametrize(
    'options',
    [
        dict(num_classes=1),
        dict(reduction=3),
        dict(reduction=0),
        dict(normalization='sum'),
    ],
)
def test_bad_arguments(options):
    with pytest.raises(ValueError):
        SEAM(16, **options)


def test_unscaled_eq4_saturates_at_the_papers_size():
    """Sums over the 8,192 positions of a 512 x 256 patch leave a' nearly one-hot.

    The ground of a remark in docs/choices.md, on random features.
    """
    largest = {}
    for normalization in (None, 'key_mass', 'hw'):
        torch.manual_seed(0)
        seam = SEAM(128, normalization=normalization)
        v = torch.randn(1, 128, 128, 64).relu()
        with torch.no_grad():
            weights = attentive_weights(
                seam.phi(v), seam.varphi(v).softmax(dim=1), normalization
            )
        largest[normalization] = weights.amax(dim=2).mean().item()
    assert largest[None] > 0.95
    assert largest['key_mass'] < 0.5 and largest['hw'] < 0.5
