"""SEAMHead and the control in mmseg's habits: losses, hosts, odd inputs."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from seam_seg.models import SEAM, CenterRegressionLoss

BASE = dict(
    in_channels=[8, 8],
    in_index=[0, 1],
    feature_strides=[4, 8],
    channels=8,
    num_classes=4,
    dropout_ratio=0,
    norm_cfg=dict(type='BN'),
)


def build(type='SEAMHead', **options):
    return MODELS.build({**BASE, 'type': type, **options})


def features(batch=2, height=12, width=8, channels=8):
    return [
        torch.randn(batch, channels, height, width),
        torch.randn(batch, channels, -(-height // 2), -(-width // 2)),
    ]


def samples(label):
    out = []
    for image in label:
        sample = SegDataSample()
        sample.gt_sem_seg = PixelData(data=image[None])
        out.append(sample)
    return out


def some_label(batch=2, height=48, width=32, num_classes=4):
    label = torch.zeros(batch, height, width, dtype=torch.long)
    for c in range(1, num_classes):
        label[:, 4 * c : 4 * c + 10, 4 * c : 4 * c + 8] = c
    return label


def test_loss_is_equation_9():
    head = build(lambda_=0.3, beta=0.7)
    inputs, label = features(), some_label()
    label[:, :3] = 255
    losses = head.loss(inputs, samples(label), {})
    assert set(losses) == {'loss_ce', 'acc_seg', 'loss_key', 'acc_key', 'loss_center'}
    logits, k = head.forward_train(inputs)

    def cross_entropy(x):  # Eq. 6 and 8: not averaged over ignored pixels
        x = F.interpolate(x, label.shape[1:], mode='bilinear', align_corners=False)
        log_p = x.log_softmax(dim=1)
        picked = [
            log_p[b, label[b, i, j], i, j]
            for b in range(2)
            for i in range(48)
            for j in range(32)
            if label[b, i, j] != 255
        ]
        return -sum(picked) / len(picked)

    assert losses['loss_ce'].item() == pytest.approx(
        cross_entropy(logits).item(), rel=1e-5
    )
    assert losses['loss_key'].item() == pytest.approx(
        0.3 * cross_entropy(k).item(), rel=1e-5
    )
    center = CenterRegressionLoss()(k, label)
    assert losses['loss_center'].item() == pytest.approx(0.3 * 0.7 * center.item())
    assert center.item() > 0


def test_defaults_are_the_papers():
    head = build()
    assert (head.lambda_, head.beta) == (0.4, 0.5)
    assert isinstance(head.seam, SEAM) and head.seam.normalization is None
    assert head.loss_center.ignore_index == 255
    assert head.loss_center.num_classes == 4


def test_without_attention():
    head = build(attention=False).eval()
    assert head.seam is None
    inputs = features()
    v = head.merge(inputs)
    torch.testing.assert_close(head(inputs), head.conv_seg(v))
    losses = head.loss(inputs, samples(some_label()), {})
    assert losses['loss_key'] > 0 and losses['loss_center'] > 0
    # at inference the key is not even computed
    head.varphi.forward = lambda x: pytest.fail('the key was computed')
    head(inputs)


def test_without_structure_supervision():
    head = build(beta=0, loss_center=dict(type='CenterRegressionLoss', mode='offset'))
    losses = head.loss(features(), samples(some_label()), {})
    assert 'loss_center' not in losses and losses['loss_key'] > 0
    assert head.loss_center is None


def test_inference_needs_no_loss():
    head = build(loss_center=dict(type='CenterRegressionLoss', mode='offset')).eval()
    inputs = features()
    expected = head.forward_train(inputs)[0]
    head.loss_center.forward = head.loss_key.forward = lambda *_: pytest.fail('loss')
    torch.testing.assert_close(head(inputs), expected)


@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(attention=False),
        dict(beta=0),
        dict(normalization='key_mass'),
        dict(normalization='hw'),
        dict(loss_center=dict(type='CenterRegressionLoss', mode='offset')),
        dict(loss_center=dict(type='CenterRegressionLoss', segments='class')),
    ],
)
def test_every_parameter_gets_a_gradient(options):
    """DDP stalls on a parameter without one, also in a batch without foreground."""
    head = build(**options)
    for label in (some_label(), some_label() * 0):
        head.zero_grad()
        losses = head.loss(features(), samples(label), {})
        sum(v for name, v in losses.items() if 'loss' in name).backward()
        for name, parameter in head.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize('num_classes', [2, 3, 7])
@pytest.mark.parametrize('batch,height,width', [(1, 9, 7), (3, 6, 5), (1, 2, 3)])
def test_classes_and_odd_sizes(num_classes, batch, height, width):
    head = build(num_classes=num_classes)
    inputs = features(batch, height, width)
    assert head(inputs).shape == (batch, num_classes, height, width)
    label = some_label(batch, 4 * height + 1, 4 * width - 1, min(num_classes, 2))
    losses = head.loss(inputs, samples(label), {})
    assert all(torch.isfinite(value).all() for value in losses.values())


def test_one_feature_map():
    head = MODELS.build(
        dict(type='SEAMHead', in_channels=6, in_index=1, channels=8, num_classes=4)
    )
    x = torch.randn(2, 6, 5, 7)
    assert head([None, x]).shape == (2, 4, 5, 7)
    listed = MODELS.build(
        dict(
            type='SEAMHead',
            in_channels=[6],
            in_index=[1],
            feature_strides=[1],
            channels=8,
            num_classes=4,
        )
    )
    listed.load_state_dict(head.state_dict())
    torch.testing.assert_close(listed.eval()([None, x]), head.eval()([None, x]))


def test_merges_the_levels_as_mmseg_does():
    """Without attention, the head is mmseg's FPNHead on the same weights."""
    head = build(attention=False).eval()
    plain = build('FPNHead').eval()
    missing = plain.load_state_dict(head.state_dict(), strict=False)
    assert not missing.missing_keys
    inputs = features()
    torch.testing.assert_close(head(inputs), plain(inputs))


def test_bfloat16_autocast():
    head = build(normalization='key_mass')
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = head.loss(features(), samples(some_label()), {})
        total = sum(value for name, value in losses.items() if 'loss' in name)
    total.backward()
    assert torch.isfinite(total)
    assert all(torch.isfinite(p.grad).all() for p in head.parameters())


@pytest.mark.parametrize(
    'options',
    [
        dict(lambda_=-1),
        dict(beta=-0.1),
        dict(out_channels=1, num_classes=2),
        dict(in_index=-1),
        dict(feature_strides=[4]),
        dict(in_channels=8),
    ],
)
def test_bad_arguments(options):
    with pytest.raises(ValueError, match='SEAMHead'):
        build(**options)


def test_control_costs_what_rho_costs():
    """The same number of weights in its convolution, at the same resolution."""
    seam = build().seam
    control = build('FPNConvHead')
    assert control.conv.conv.weight.numel() == seam.rho.conv.weight.numel()
    assert control.conv.conv.kernel_size == seam.rho.conv.kernel_size
    inputs = features()
    assert control(inputs).shape == (2, 4, 12, 8)
    losses = control.loss(inputs, samples(some_label()), {})
    assert set(losses) == {'loss_ce', 'acc_seg'}
