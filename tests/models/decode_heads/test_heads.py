"""SEAMHead and the control in mmseg's habits: losses, hosts, odd inputs."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from model_cases import bone_label, build_head, features, samples, total

from seam_seg.models import SEAM, CenterRegressionLoss


def build(type='SEAMHead', **options):
    return build_head(dict(options, type=type))


def test_loss_is_equation_9():
    head = build(lambda_=0.3, beta=0.7).double()
    inputs, label = [level.double() for level in features()], bone_label()
    label[:, :3] = 255
    losses = head.loss(inputs, samples(label), {})
    assert set(losses) == {'loss_ce', 'acc_seg', 'loss_key', 'acc_key', 'loss_center'}
    logits, k, votes = head.forward_train(inputs)
    assert votes is None

    def cross_entropy(x):  # Eq. 6 and 8: not averaged over ignored pixels
        x = F.interpolate(x, label.shape[1:], mode='bilinear', align_corners=False)
        picked = []
        for b, i, j in itertools.product(range(2), range(48), range(32)):
            true = label[b, i, j].item()
            if true != 255:
                values = x[b, :, i, j].tolist()
                log_sum = math.log(sum(math.exp(value) for value in values))
                picked.append(log_sum - values[true])
        return sum(picked) / len(picked)

    center = CenterRegressionLoss()(k, label).item()  # Eq. 7 has loops of its own
    assert center > 0
    wanted = dict(
        loss_ce=cross_entropy(logits),
        loss_key=0.3 * cross_entropy(k),
        loss_center=0.3 * 0.7 * center,
    )
    found = {name: losses[name].item() for name in wanted}
    assert found == pytest.approx(wanted, rel=1e-9)


def test_gradient_of_equation_9():
    """Of the sum of its terms, at the feature maps and at the convolution of the key."""
    head = build(lambda_=0.3, beta=0.7).double()
    label = bone_label(height=48, width=32, ignored_rows=3)
    levels = [level.double().requires_grad_() for level in features()]
    weight = head.seam.varphi.weight

    def loss(*inputs):
        return total(head.loss(inputs[:2], samples(label), {}))

    assert torch.autograd.gradcheck(loss, (*levels, weight), fast_mode=True)


def test_defaults_are_the_papers():
    head = build()
    assert (head.lambda_, head.beta) == (0.4, 0.5)
    assert isinstance(head.seam, SEAM) and head.seam.normalization is None
    assert head.loss_center.ignore_index == 255
    assert head.loss_center.num_classes == 4


def test_training_classifies_what_inference_does():
    head, inputs = build().eval(), features()
    torch.testing.assert_close(head.forward_train(inputs)[0], head(inputs))


def test_without_attention():
    head = build(attention=False).eval()
    assert head.seam is None
    inputs = features()
    v = head.merge(inputs)
    torch.testing.assert_close(head(inputs), head.conv_seg(v))
    losses = head.loss(inputs, samples(bone_label()), {})
    assert losses['loss_key'] > 0 and losses['loss_center'] > 0
    # at inference the key is not even computed
    head.varphi.forward = lambda x: pytest.fail('the key was computed')
    head(inputs)


def test_without_attention_with_the_capacity_of_the_control():
    """Key and centers are supervised on v, and what is classified is FPNConvHead's."""
    head = build(attention=False, conv=True).eval()
    control = build(type='FPNConvHead').eval()
    assert not control.load_state_dict(head.state_dict(), strict=False).missing_keys
    inputs = features()
    torch.testing.assert_close(head(inputs), control(inputs))
    logits, k, _ = head.forward_train(inputs)
    torch.testing.assert_close(logits, control(inputs))
    torch.testing.assert_close(k, head.varphi(head.merge(inputs)))
    # and an image's bones are told apart from what is classified, as with SEAM's z
    assert build(attention=False, conv=True, center_votes=True)(inputs).shape[1] == 6


def test_without_cross_entropy_of_the_key():
    """The center regression stays, at the weight of Eq. 9; nothing else changes."""
    inputs, data = features(), samples(bone_label())
    with_it = build()
    without = build(loss_key=None)
    without.load_state_dict(with_it.state_dict())
    losses, fewer = (head.loss(inputs, data, {}) for head in (with_it, without))
    assert set(losses) - set(fewer) == {'loss_key', 'acc_key'}
    for name, value in fewer.items():
        torch.testing.assert_close(value, losses[name])
    bare = build(loss_key=None, beta=0).loss(inputs, data, {})
    assert set(bare) == {'loss_ce', 'acc_seg'}


def test_without_structure_supervision():
    head = build(beta=0, loss_center=dict(type='CenterRegressionLoss', mode='offset'))
    losses = head.loss(features(), samples(bone_label()), {})
    assert 'loss_center' not in losses and losses['loss_key'] > 0
    assert head.loss_center is None


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
    plain = build(type='FPNHead').eval()
    missing = plain.load_state_dict(head.state_dict(), strict=False)
    assert not missing.missing_keys
    inputs = features()
    torch.testing.assert_close(head(inputs), plain(inputs))


@pytest.mark.parametrize(
    'options',
    [
        dict(lambda_=-1),
        dict(beta=-0.1),
        dict(out_channels=1, num_classes=2),
        dict(in_index=-1),
        dict(feature_strides=[4]),
        dict(in_channels=8),
        dict(conv=True),
        dict(attention=False, conv=True, loss_key=None, beta=0),
    ],
)
def test_bad_arguments(options):
    with pytest.raises(ValueError, match='SEAMHead'):
        build(**options)


def test_control_costs_what_rho_costs():
    """The same number of weights in its convolution, at the same resolution."""
    seam = build().seam
    control = build(type='FPNConvHead')
    assert control.conv.conv.weight.numel() == seam.rho.conv.weight.numel()
    assert control.conv.conv.kernel_size == seam.rho.conv.kernel_size


def data_of(label, numbers):
    """With a number for each bone."""
    data = samples(label)
    for sample, one in zip(data, numbers):
        sample.gt_instances = PixelData(data=one[None])
    return data


def test_votes_for_centers():
    """One more branch: its loss in training, two more channels at inference."""
    torch.manual_seed(0)
    head, inputs, label = build(center_votes=True), features(), bone_label()
    data = samples(label)
    head.votes[1].weight.data *= 0.01  # as large as offsets
    merged = head.loss(inputs, data, {})
    assert merged['loss_votes'] > 0
    numbers = label.clone()
    numbers[:, :, 14:] += 4 * (label[:, :, 14:] > 0)  # two bones where one seems to be
    losses = head.loss(inputs, data_of(label, numbers), {})
    _, _, votes = head.forward_train(inputs)
    expected = head.loss_votes(votes, label, numbers)
    torch.testing.assert_close(losses['loss_votes'], expected)
    assert losses['loss_votes'] != merged['loss_votes']
    # mmseg pads labels to a size that the network takes, and knows nothing of bones
    label[:, -8:], label[:, :, -6:] = 255, 255
    whole = head.loss(inputs, data_of(label, numbers), {})
    cut = head.loss(inputs, data_of(label, numbers[:, :-8, :-6]), {})
    assert whole['loss_votes'] > 0 and cut['loss_votes'] == whole['loss_votes']
    losses['loss_votes'].backward()
    assert head.seam.theta.conv.weight.grad.abs().sum() > 0  # it is regressed from z
    head.eval()
    output = head(inputs)
    assert output.shape[1] == 6
    logits, _, votes = head.forward_train(inputs)
    torch.testing.assert_close(output, torch.cat([logits, votes], dim=1))
    plain = build()
    assert plain.votes is None and not hasattr(plain, 'loss_votes')
