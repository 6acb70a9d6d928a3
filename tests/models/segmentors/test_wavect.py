"""WaveCTSegmentor: which style it takes, and that its pass changes what is predicted."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from seam_seg import get_config
from seam_seg.apis import load_config, train
from seam_seg.datasets.readers import read_image

NAME = 'wavect_r18-fpn_1xb8-600_phantom-256x128'


def build():
    init_default_scope('mmseg')
    torch.manual_seed(0)
    return MODELS.build(get_config(NAME).model)


def images(count):
    """Smooth grey images: 'anatomy' that differs from one to the next."""
    rng = np.random.default_rng(0)
    return torch.stack(
        [
            torch.from_numpy(
                cv2.resize(
                    rng.uniform(0, 255, (8, 4)), (128, 512), interpolation=cv2.INTER_CUBIC
                ).clip(0, 255)
            )[None].float()
            for _ in range(count)
        ]
    )


def test_normalisation_is_undone():
    model = build()
    grey = images(2).round()
    batch = model.data_preprocessor(dict(inputs=list(grey.byte())))
    assert torch.allclose(model.grey_levels(batch['inputs']) * 255, grey, atol=1e-3)


def test_matches_anatomy_not_appearance():
    model = build()
    model.styles.copy_(images(8))
    shown = images(8)[[5, 2]] / 255
    shown = 0.2 + 0.5 * shown + 0.05 * torch.randn(shown.shape)  # another scanner
    assert torch.equal(model.match(shown), model.styles[[5, 2]] / 255)


def test_needs_styles():
    model = build().eval()
    with pytest.raises(RuntimeError, match='StyleImagesHook'):
        model.test_step(dict(inputs=[torch.zeros(1, 512, 128, dtype=torch.uint8)]))


def test_pass_changes_image_and_mask():
    model = build().eval()
    model.styles.copy_(images(8))
    inputs = model.data_preprocessor(dict(inputs=list(images(1).byte())))['inputs']
    with torch.no_grad():
        restyled = model.restyle(inputs)
        assert restyled.shape == inputs.shape and torch.isfinite(restyled).all()
        before, after = (model.grey_levels(x) for x in (inputs, restyled))
        assert (after - before).abs().max() > 0.05
        logits = model.encode_decode(inputs, [dict(img_shape=(512, 128))])
        plain = super(type(model), model).encode_decode(
            inputs, [dict(img_shape=(512, 128))]
        )
        assert (logits.argmax(1) != plain.argmax(1)).any()
        assert torch.equal(
            model._forward(inputs), model.decode_head(model.extract_feat(restyled))
        )


def test_transfer_in_parts():
    """The image as it is, and as the autoencoder gives it back, whatever the styles."""
    model = build().eval()
    model.styles.copy_(images(8))
    inputs = model.data_preprocessor(dict(inputs=list(images(1).byte())))['inputs']
    with torch.no_grad():
        model.transfer = 'none'
        assert torch.equal(model.restyle(inputs), inputs)
        model.transfer = 'reconstruction'
        grey = model.grey_levels(inputs)
        back = model.restyle(inputs)
        assert torch.allclose(
            model.grey_levels(back), model.autoencoder(grey).clamp(0, 1), atol=1e-5
        )
    assert not torch.allclose(back, inputs)
    with pytest.raises(ValueError, match='transfer='):
        MODELS.build(dict(get_config(NAME).model, transfer='blur'))


@pytest.mark.slow
def test_pass_takes_the_style_over():
    """An autoencoder that has learned: brightness and contrast become the style's."""
    model = build()
    autoencoder = model.autoencoder
    autoencoder.init_weights()
    grey = images(8)[:, :, :64, :32] / 255
    optimizer = torch.optim.Adam(autoencoder.parameters(), lr=5e-3)
    for _ in range(80):
        optimizer.zero_grad()
        (autoencoder(grey) - grey).square().mean().backward()
        optimizer.step()
    image = images(1).round()
    inputs = model.data_preprocessor(dict(inputs=list(image.byte())))['inputs']
    shown = {}
    for name, style in (('dark', 0.3 * image), ('bright', 100 + 0.6 * image)):
        model.styles.copy_(style.round().expand_as(model.styles))
        with torch.no_grad():
            shown[name] = model.grey_levels(model.restyle(inputs)).mean().item()
    own = model.grey_levels(inputs).mean().item()
    assert shown['dark'] < own - 0.1 and shown['bright'] > own + 0.05
    model.transfer = 'reconstruction'
    with torch.no_grad():
        back = model.grey_levels(model.restyle(inputs)).mean().item()
    assert back == pytest.approx(own, abs=0.05)  # bright styles do not matter to it


def test_networks_do_not_share_gradients():
    model = build()
    sample = SegDataSample(metainfo=dict(img_shape=(64, 32), ori_shape=(64, 32)))
    sample.gt_sem_seg = PixelData(data=torch.randint(0, 4, (1, 64, 32)))
    losses = model.loss(torch.randn(2, 3, 64, 32), [sample, sample])
    ours = dict(model.autoencoder.named_parameters(prefix='autoencoder'))
    for name, parameter in model.named_parameters():
        used = [
            torch.autograd.grad(
                losses[loss], parameter, retain_graph=True, allow_unused=True
            )[0]
            is not None
            for loss in ('loss_style', 'decode.loss_ce')
        ]
        assert used == [name in ours, name not in ours], name


def test_a_frozen_autoencoder_has_no_loss():
    model = build()
    model.autoencoder.requires_grad_(False)
    sample = SegDataSample(metainfo=dict(img_shape=(64, 32), ori_shape=(64, 32)))
    sample.gt_sem_seg = PixelData(data=torch.randint(0, 4, (1, 64, 32)))
    losses = model.loss(torch.randn(2, 3, 64, 32), [sample, sample])
    assert set(losses) == {'decode.loss_ce', 'decode.acc_seg'}


@pytest.mark.slow
def test_training_fills_the_styles(phantom, tmp_path):
    """From the training split, rescaled; and the checkpoint holds them."""
    cfg = load_config(
        NAME,
        {
            'train_cfg.max_iters': 1,
            'train_cfg.val_interval': 1,
            'model.num_styles': 3,
            'train_dataloader.num_workers': 0,
            'train_dataloader.persistent_workers': False,
            'train_dataloader.batch_size': 2,
            'val_dataloader.num_workers': 0,
            'val_dataloader.persistent_workers': False,
        },
        str(phantom),
        str(tmp_path),
    )
    runner = train(cfg)
    state = torch.load(tmp_path / 'iter_1.pth', weights_only=False)['state_dict']
    assert torch.equal(state['styles'], runner.model.styles)
    names = runner.train_dataloader.dataset.split_names()
    assert state['styles'].shape == (3, 1, 512, 128)
    chosen = names[0], names[round((len(names) - 1) / 2)], names[-1]
    for style, name in zip(state['styles'][:, 0], chosen):
        image = read_image(phantom / 'dataset/train' / f'{name}.png')
        image = cv2.resize(image, (128, 512), interpolation=cv2.INTER_AREA)
        assert np.array_equal(style.numpy(), image)
