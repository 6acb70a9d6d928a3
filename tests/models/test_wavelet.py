"""Haar pooling and AdaIN against plain loops; the autoencoder and its weights."""

import numpy as np
import pytest
import torch
from torch import nn

from seam_seg.errors import InputError
from seam_seg.models.wavelet import (
    WaveletAutoencoder,
    adaptive_instance_norm,
    haar_pool,
    haar_unpool,
)


def test_haar_against_loops():
    x = torch.randn(2, 3, 4, 6, dtype=torch.float64)
    low, lh, hl, hh = haar_pool(x).numpy()
    for index in np.ndindex(2, 3, 2, 3):
        b, ch, i, j = index
        block = x[b, ch, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].numpy()
        (p, q), (r, s) = block
        assert low[index] == pytest.approx((p + q + r + s) / 2)
        assert lh[index] == pytest.approx((q - p + s - r) / 2)
        assert hl[index] == pytest.approx((r + s - p - q) / 2)
        assert hh[index] == pytest.approx((p - q - r + s) / 2)


def test_perfect_reconstruction():
    x = torch.randn(2, 5, 8, 12, dtype=torch.float64)
    components = haar_pool(x)
    assert torch.allclose(haar_unpool(components).sum(dim=0), x, atol=1e-12, rtol=0)
    # orthonormal: energy is kept, and a constant has no details
    assert (components**2).sum() == pytest.approx((x**2).sum().item())
    assert haar_pool(torch.ones_like(x))[1:].abs().max() == 0


def test_haar_refuses_odd_sizes():
    with pytest.raises(ValueError, match='even, got 4 x 5'):
        haar_pool(torch.zeros(1, 1, 4, 5))


def test_adain_statistics():
    content = 3 + 5 * torch.randn(2, 4, 9, 7, dtype=torch.float64)
    style = -1 + 0.5 * torch.randn(1, 4, 5, 11, dtype=torch.float64)
    out = adaptive_instance_norm(content, style)
    assert torch.allclose(out.mean((2, 3)), style.mean((2, 3)).expand(2, 4))
    assert torch.allclose(
        out.std((2, 3), correction=0),
        style.std((2, 3), correction=0).expand(2, 4),
        rtol=1e-4,
    )
    # and nothing but a shift and a scale of each channel
    for b, ch in np.ndindex(2, 4):
        pair = torch.stack([out[b, ch].flatten(), content[b, ch].flatten()])
        assert torch.corrcoef(pair)[0, 1] == pytest.approx(1)
    assert torch.allclose(adaptive_instance_norm(content, content), content, rtol=1e-4)


def test_constant_channel_stays_finite():
    out = adaptive_instance_norm(torch.zeros(1, 1, 4, 4), torch.randn(1, 1, 4, 4))
    assert torch.isfinite(out).all()


def test_gradients():
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    style = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: haar_unpool(haar_pool(t))[1], x)
    assert torch.autograd.gradcheck(adaptive_instance_norm, (x, style))


def test_encoder_is_vgg19s():
    """Numbered as torchvision's, up to conv4_1."""
    convs = {
        name: tuple(layer.weight.shape)
        for name, layer in WaveletAutoencoder().encoder.named_children()
        if isinstance(layer, nn.Conv2d)
    }
    channels = {
        '0': (3, 64),
        '2': (64, 64),
        '5': (64, 128),
        '7': (128, 128),
        '10': (128, 256),
        '12': (256, 256),
        '14': (256, 256),
        '16': (256, 256),
        '19': (256, 512),
    }
    assert convs == {name: (out, into, 3, 3) for name, (into, out) in channels.items()}


def test_given_weights_are_frozen(tmp_path):
    """As in the papers: with a trained encoder, the decoder alone learns."""
    source = WaveletAutoencoder(base_channels=2)
    torch.save(
        {f'features.{key}': value for key, value in source.encoder.state_dict().items()},
        tmp_path / 'vgg.pth',
    )
    model = WaveletAutoencoder(
        base_channels=2,
        init_cfg=dict(
            type='Pretrained', checkpoint=str(tmp_path / 'vgg.pth'), prefix='features.'
        ),
    )
    model.init_weights()
    for key, value in source.encoder.state_dict().items():
        assert torch.equal(model.encoder.state_dict()[key], value)
    model(torch.rand(1, 1, 16, 16)).sum().backward()
    assert all(p.grad is None for p in model.encoder.parameters())
    assert all(p.grad is not None for p in model.decoder.parameters())


def test_a_whole_autoencoder_is_taken_and_frozen(tmp_path):
    torch.manual_seed(1)
    source = WaveletAutoencoder(4)
    path = tmp_path / 'autoencoder.pth'
    torch.save(source.state_dict(), path)
    model = WaveletAutoencoder(4, checkpoint=str(path))
    model.init_weights()
    assert not any(weight.requires_grad for weight in model.parameters())
    image = torch.rand(1, 1, 32, 16)
    torch.testing.assert_close(model(image), source(image))
    with pytest.raises(InputError, match='no weights of this autoencoder'):
        WaveletAutoencoder(8, checkpoint=str(path)).init_weights()
    with pytest.raises(InputError, match='none.pth: no weights'):
        WaveletAutoencoder(4, checkpoint=str(tmp_path / 'none.pth')).init_weights()


def test_style_sets_the_statistics_of_the_decoders_maps():
    torch.manual_seed(0)
    model = WaveletAutoencoder(base_channels=4).double()
    image, style = torch.rand(2, 2, 1, 32, 16, dtype=torch.float64)
    none = [None] * 4
    of_style = model.decode(*model.encode(style), none)[1]
    maps = model.decode(*model.encode(image), of_style)[1]
    assert [tuple(m.shape) for m in maps] == [
        (2, 32, 4, 2),
        (2, 16, 4, 2),
        (2, 8, 8, 4),
        (2, 4, 16, 8),
    ]
    for ours, theirs in zip(maps, of_style):
        assert torch.allclose(ours.mean((2, 3)), theirs.mean((2, 3)))
    assert not torch.allclose(model(image, style), model(image))


@pytest.mark.slow
def test_learns_to_reconstruct():
    torch.manual_seed(0)
    model = WaveletAutoencoder(base_channels=4)
    model.init_weights()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    images = torch.rand(2, 1, 4, 4).repeat_interleave(8, 2).repeat_interleave(8, 3)
    losses = []
    for _ in range(100):
        loss = (model(images) - images).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < images.var().item() / 5 < losses[0]
