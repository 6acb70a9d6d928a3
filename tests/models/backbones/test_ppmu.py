"""PPMU: the published channels, sizes, and gradients."""

import warnings

import pytest
import torch
from mmseg.registry import MODELS
from torch import nn


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
        width = first.conv.in_channels // (2 if block.pyramid is not None else 1)
        assert first.conv.out_channels == second.conv.in_channels
        assert first.conv.dilation == second.conv.dilation == (2, 2)
        found.append((width, second.conv.out_channels, block.up[0].out_channels))
    assert found == [
        (512, 1024, 512),
        (1024, 512, 256),
        (768, 512, 128),
        (384, 256, 64),
        (192, 128, 32),
    ]
    last = model.last.conv
    assert (last.in_channels, last.out_channels) == (96, 32)
    assert [block.pyramid is not None for block in model.blocks] == [
        True,
        True,
        True,
        False,
        False,
    ]
    # four bins, each a quarter of the channels
    assert [step[1].conv.out_channels for step in model.blocks[0].pyramid] == [128] * 4


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


def test_refuses_other_widths():
    with pytest.raises(ValueError, match='multiple of 4'):
        build(base_channels=6)
