"""PPMU: the published channels, sizes, and gradients."""

import warnings

import pytest
import torch
from mmseg.registry import MODELS
from torch import nn

from seam_seg import get_config


def build(**options):
    return MODELS.build(dict(type='PPMU', **options))


def test_published_channels():
    """Of the released code: input with skip - middle - output."""
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # mmcv's on biases, which vgg11_bn has
        model = build()
    found = []
    for block in model.blocks:
        first, second = block.convs
        assert first.out_channels == second.conv.in_channels
        assert first.dilation == second.conv.dilation == (2, 2)
        # nothing between the two; norm and activation behind the second
        assert isinstance(first, nn.Conv2d) and isinstance(second.norm, nn.BatchNorm2d)
        middle = second.conv.out_channels
        assert block.up[0].in_channels == middle * (1 if block.pyramid is None else 2)
        found.append((first.in_channels, middle, block.up[0].out_channels))
    assert found == [
        (512, 1024, 512),
        (1024, 512, 256),
        (768, 512, 128),
        (384, 256, 64),
        (192, 128, 32),
    ]
    first, second = model.last
    assert (first.in_channels, second.conv.out_channels) == (96, 32)
    assert isinstance(second.norm, nn.BatchNorm2d)
    assert [block.pyramid is not None for block in model.blocks] == [
        True,
        True,
        True,
        False,
        False,
    ]
    # four bins, each a quarter of the channels
    assert [step[1].conv.out_channels for step in model.blocks[0].pyramid] == [256] * 4
    norms = sum(isinstance(layer, nn.BatchNorm2d) for layer in model.modules())
    assert norms == 8 + 6 + 3 * 4  # encoder, decoder, pyramids


def test_pyramid_pools_what_the_convolutions_give():
    block = build(base_channels=4).blocks[0].eval()
    x = torch.randn(2, 32, 6, 4)
    with torch.no_grad():
        middle = block.convs(x)
        pooled = [middle]
        for bins, step in zip((1, 2, 3, 6), block.pyramid):
            small = nn.functional.adaptive_avg_pool2d(middle, bins)
            pooled.append(
                nn.functional.interpolate(step[1](small), (6, 4), mode='bilinear')
            )
        torch.testing.assert_close(block(x), block.up(torch.cat(pooled, dim=1)))


def test_encoder_is_vgg11_bn_layer_by_layer():
    """So that torchvision's weights fit: the position of each layer and its shape."""
    expected = []
    width = 3
    for channels in (64, 'M', 128, 'M', 256, 256, 'M', 512, 512, 'M', 512, 512, 'M'):
        if channels == 'M':
            expected.append(('MaxPool2d', None))
            continue
        expected += [
            ('Conv2d', (channels, width, 3, 3)),
            ('BatchNorm2d', (channels,)),
            ('ReLU', None),
        ]
        width = channels
    found = [
        (
            type(layer).__name__,
            tuple(layer.weight.shape) if hasattr(layer, 'weight') else None,
        )
        for layer in build().encoder
    ]
    assert found == expected
    assert all(
        layer.bias is not None
        for layer in build(base_channels=4).encoder
        if isinstance(layer, nn.Conv2d)
    )


def test_loads_pretrained_weights(tmp_path):
    source = build(base_channels=4)
    torch.save(
        {f'features.{key}': value for key, value in source.encoder.state_dict().items()},
        tmp_path / 'vgg.pth',
    )
    model = build(
        base_channels=4,
        init_cfg=dict(
            type='Pretrained', checkpoint=str(tmp_path / 'vgg.pth'), prefix='features.'
        ),
    )
    model.init_weights()
    for key, value in source.encoder.state_dict().items():
        assert torch.equal(model.encoder.state_dict()[key], value)


def test_loss_is_the_authors_soft_dice_beside_cross_entropy():
    """Of first powers, over the foreground of an image, as theirs of one class."""
    losses = get_config('ppmu-small_1xb8-600_phantom-256x128').model.decode_head
    cross_entropy, dice = map(MODELS.build, losses.loss_decode)
    assert type(cross_entropy).__name__ == 'SyncCrossEntropyLoss'
    logits, label = torch.randn(2, 4, 5, 3), torch.randint(0, 4, (2, 5, 3))
    p = logits.softmax(dim=1)
    scores = []
    for image in range(2):
        both = found = true = 0.0
        for c in (1, 2, 3):
            for i in range(5):
                for j in range(3):
                    hit = float(label[image, i, j] == c)
                    both += p[image, c, i, j].item() * hit
                    found += p[image, c, i, j].item()
                    true += hit
        scores.append(2 * both / (found + true))
    expected = 1 - sum(scores) / 2
    assert dice(logits, label).item() == pytest.approx(expected, abs=1e-3)


def test_refuses_other_widths():
    with pytest.raises(ValueError, match='multiple of 4'):
        build(base_channels=6)
