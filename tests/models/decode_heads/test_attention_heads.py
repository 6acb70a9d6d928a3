"""The attention baselines: against plain loops, against the vanilla FPN, their losses."""

import math

import model_cases
import pytest
import torch
from model_cases import build_head, samples, total
from stacks import not_upstream

OPTIONS = dict(
    FPNDAHead=dict(pam_channels=3), FPNEMAHead=dict(num_bases=5), FPNNonLocalHead=dict()
)
HEADS = list(OPTIONS)
# A key's bias adds the same to a whole row of the softmax; weights that sum to one hand
# the bias of g on as a constant, which the batch norm behind it takes away.
WITHOUT_EFFECT = (
    'pam.key_project.bias',
    'nl_block.phi.conv.bias',
    'nl_block.g.conv.bias',
)
GATED = ['FPNDAHead', 'FPNNonLocalHead']


def build(type, **options):
    return build_head({**OPTIONS.get(type, {}), 'type': type, **options})


def features(batch=2, height=6, width=4):
    return model_cases.features(batch, height, width)


def labels():
    label = torch.randint(0, 4, (2, 24, 16))
    label[:, :2] = 255
    return samples(label)


def open_gates(head):
    """Random weights wherever the attention begins at zero, and random statistics."""
    for module in head.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.normal_(module.weight)
            torch.nn.init.normal_(module.bias)
        elif isinstance(module, torch.nn.Conv2d):
            torch.nn.init.normal_(module.weight, std=0.3)
    for name, parameter in head.named_parameters():
        if 'gamma' in name:
            torch.nn.init.constant_(parameter, 0.75 if 'pam' in name else -0.5)
    return head


# --- plain loops, on one image as a list of positions, each a list of channels ---


def positions(x):
    return x.flatten(1).T.tolist()


def conv(layer, vectors):
    """A 1x1 convolution."""
    weight = layer.weight[:, :, 0, 0].tolist()
    bias = [0.0] * len(weight) if layer.bias is None else layer.bias.tolist()
    return [[b + dot(row, x) for row, b in zip(weight, bias)] for x in vectors]


def norm(layer, vectors):
    """Batch norm in eval mode."""
    parts = list(
        zip(
            layer.running_mean.tolist(),
            layer.running_var.tolist(),
            layer.weight.tolist(),
            layer.bias.tolist(),
        )
    )
    return [
        [
            (value - mean) / math.sqrt(var + layer.eps) * weight + bias
            for value, (mean, var, weight, bias) in zip(x, parts)
        ]
        for x in vectors
    ]


def dot(a, b):
    return sum(i * j for i, j in zip(a, b))


def softmax(row):
    powers = [math.exp(value - max(row)) for value in row]
    return [power / sum(powers) for power in powers]


def mix(weights, vectors):
    return [dot(weights, column) for column in zip(*vectors)]


def da_loop(head, v):
    q, k, value = (
        conv(layer, v)
        for layer in (
            head.pam.query_project,
            head.pam.key_project,
            head.pam.value_project,
        )
    )
    gamma_pam, gamma_cam = 0.75, -0.5
    pam = [mix(softmax([dot(q_i, k_j) for k_j in k]), value) for q_i in q]
    channels = list(zip(*v))
    # the least similar channels weigh most, as in the authors' code
    cam = list(
        zip(*(mix(softmax([-dot(a, b) for b in channels]), channels) for a in channels))
    )
    return [
        [x + (gamma_pam * p + gamma_cam * c) / 2 for x, p, c in zip(*rows)]
        for rows in zip(v, pam, cam)
    ]


def ema_loop(head, v):
    x = conv(head.ema_mid_conv.conv, v)
    bases = head.ema_module.bases[0].T.tolist()
    for _ in range(head.ema_module.num_stages):
        z = [softmax([dot(x_i, base) for base in bases]) for x_i in x]
        bases = []
        for column in zip(*z):
            base = mix([weight / sum(column) for weight in column], x)
            bases.append([value / math.sqrt(dot(base, base)) for value in base])
    recon = [[max(value, 0) for value in mix(z_i, bases)] for z_i in z]
    out = norm(head.ema_out_conv.bn, conv(head.ema_out_conv.conv, recon))
    return [[max(a + b, 0) for a, b in zip(*rows)] for rows in zip(v, out)]


def nonlocal_loop(head, v):
    block = head.nl_block
    theta, phi, g = (conv(layer.conv, v) for layer in (block.theta, block.phi, block.g))
    assert len(g[0]) == 4  # half of the channels
    y = [mix(softmax([dot(t, p) / math.sqrt(4) for p in phi]), g) for t in theta]
    out = norm(block.conv_out.bn, conv(block.conv_out.conv, y))
    return [[a + b for a, b in zip(*rows)] for rows in zip(v, out)]


@pytest.mark.parametrize(
    'type,loop',
    [
        ('FPNDAHead', da_loop),
        ('FPNEMAHead', ema_loop),
        ('FPNNonLocalHead', nonlocal_loop),
    ],
)
def test_equals_plain_loops(type, loop):
    head = open_gates(build(type)).double().eval()
    inputs = [x.double() for x in features(height=4, width=3)]
    v = head.merge(inputs)
    attended = torch.tensor(
        [loop(head, positions(image)) for image in v], dtype=torch.float64
    )
    attended = attended.transpose(1, 2).reshape(v.shape)
    torch.testing.assert_close(head.attend(v), attended, rtol=1e-9, atol=1e-11)
    # and the last layer follows it at once
    torch.testing.assert_close(
        head(inputs),
        torch.einsum('bchw,nc->bnhw', attended, head.conv_seg.weight[:, :, 0, 0])
        + head.conv_seg.bias[:, None, None],
    )
    assert head.gates(inputs)['added'] == pytest.approx(
        ((attended - v).norm() / v.norm()).item(), rel=1e-9
    )


@pytest.mark.parametrize('type', GATED)
def test_begins_as_the_vanilla_fpn(type):
    head = build(type)
    head.init_weights()
    plain = build('FPNHead')
    assert not head.load_state_dict(plain.state_dict(), strict=False).unexpected_keys
    inputs = features()
    torch.testing.assert_close(head.train()(inputs), plain.train()(inputs))
    torch.testing.assert_close(head.eval()(inputs), plain.eval()(inputs))
    assert set(head.gates(inputs).values()) == {0}
    assert head.gates(inputs).keys() == open_gates(head).gates(inputs).keys()
    assert 0 not in head.gates(inputs).values()


def test_gates_of_danet():
    head = open_gates(build('FPNDAHead')).eval()
    inputs = features()
    gates = head.gates(inputs)
    assert gates['gamma_pam'] == 0.75
    assert gates['gamma_cam'] == -0.5
    v = head.merge(inputs)
    assert gates['added_pam'] == pytest.approx(
        ((head.pam(v) - v).norm() / v.norm()).item()
    )
    assert gates['added_cam'] == pytest.approx(
        ((head.cam(v) - v).norm() / v.norm()).item()
    )


@pytest.mark.parametrize('type', HEADS)
def test_gates_refuse_training_mode(type):
    head = build(type)
    before = {name: value.clone() for name, value in head.state_dict().items()}
    with pytest.raises(RuntimeError, match=f'{type}.gates: call eval'):
        head.gates(features())
    for name, value in head.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize('type', HEADS)
@pytest.mark.parametrize('concat_input', [False, True])
def test_every_parameter_gets_a_gradient(type, concat_input):
    head = open_gates(build(type, concat_input=concat_input))
    losses = head.loss(features(), labels(), {})
    total(losses).backward()
    frozen = []
    for name, parameter in head.named_parameters():
        if not parameter.requires_grad:
            frozen.append(name)
            continue
        assert torch.isfinite(parameter.grad).all(), name
        assert (parameter.grad.abs().max() > 1e-6) == (name not in WITHOUT_EFFECT), name
    assert frozen == (
        [f'ema_mid_conv.conv.{name}' for name in ('weight', 'bias')]
        if type == 'FPNEMAHead'
        else []
    )


def test_losses_of_danet():
    head = open_gates(build('FPNDAHead'))
    inputs, batch = features(), labels()
    losses = head.loss(inputs, batch, {})
    assert set(losses) == {
        f'{branch}.{name}'
        for branch in ('pam_cam', 'pam', 'cam')
        for name in ('loss_ce', 'acc_seg')
    }
    v = head.merge(inputs)
    expected = dict(
        pam_cam=head.conv_seg((head.pam(v) + head.cam(v)) / 2),
        pam=head.pam_conv_seg(head.pam(v)),
        cam=head.cam_conv_seg(head.cam(v)),
    )
    for name, logits in expected.items():
        torch.testing.assert_close(
            losses[f'{name}.loss_ce'], head.loss_by_feat(logits, batch)['loss_ce']
        )
    head.eval()
    torch.testing.assert_close(head(inputs), head.forward_train(inputs)[0])


@pytest.mark.parametrize('type', GATED)
def test_closed_gates_open(type):
    """Their gradients are not zero, though what lies behind them gets zeros yet."""
    head = build(type)
    total(head.loss(features(), labels(), {})).backward()
    if type == 'FPNDAHead':
        assert head.pam.gamma.scale.grad != 0 and head.cam.gamma.scale.grad != 0
    else:
        assert head.nl_block.conv_out.bn.weight.grad.abs().max() > 0


@pytest.mark.parametrize('type', ['FPNEMAHead', 'FPNNonLocalHead'])
def test_one_loss(type):
    assert set(build(type).loss(features(), labels(), {})) == {'loss_ce', 'acc_seg'}


def test_dropout_reaches_every_classifier():
    head = build('FPNDAHead', dropout_ratio=0.9)
    seen = []
    head.dropout.register_forward_hook(lambda *_: seen.append(1))
    head.forward_train(features())
    assert len(seen) == 3


def test_bases_move_in_training_only():
    torch.manual_seed(0)
    head = build('FPNEMAHead', momentum=0.25)
    inputs, before = features(), head.ema_module.bases.clone()
    head(inputs)
    after = head.ema_module.bases.clone()
    assert not after.requires_grad and 'ema_module.bases' in head.state_dict()
    # the step is a quarter of the way to vectors of norm one
    reached = before + (after - before) / 0.25
    torch.testing.assert_close(reached.norm(dim=1), torch.ones(1, 5))
    assert (after - before).abs().max() > 1e-3
    head.eval()(inputs)
    assert torch.equal(head.ema_module.bases, after)


@pytest.mark.parametrize('type', HEADS)
def test_concat_input_gives_the_capacity_of_seam(type):
    def weights(head):
        return sum(p.numel() for p in head.parameters() if p.requires_grad)

    # 32 channels as in the small models: the convolutions outweigh the biases
    head = build(type, channels=32, concat_input=True)
    assert weights(head) > weights(build('SEAMHead', channels=32))
    assert (
        weights(head) - weights(build(type, channels=32))
        == build('SEAMHead', channels=32).seam.rho.conv.weight.numel() + 2 * 32
    )
    inputs = features()
    head.eval()
    v = head.merge(inputs)
    torch.testing.assert_close(
        head(inputs), head.conv_seg(head.conv_cat(torch.cat([head.attend(v), v], 1)))
    )


@pytest.mark.parametrize('concat_input', [False, True])
@pytest.mark.parametrize('type', HEADS)
def test_heads_in_half_precision(type, concat_input):
    head = build(type, concat_input=concat_input).eval().bfloat16()
    output = head([level.bfloat16() for level in features()])
    assert output.dtype == torch.bfloat16 and torch.isfinite(output).all()


@not_upstream('torch 2.1 has no float16 autocast on a CPU')
def test_channel_attention_beyond_float16():
    """8,192 positions: the products of the channels exceed 65,504."""
    head = open_gates(build('FPNDAHead')).eval()
    v = torch.full((1, 8, 8, 8), 40.0).half()  # 64 * 40^2 = 102,400
    with torch.autocast('cpu', dtype=torch.float16):
        assert torch.isfinite(head.branches(v)[1]).all()
