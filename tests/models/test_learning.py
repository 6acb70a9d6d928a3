"""A small model with SEAMHead learns two patches by heart, and the losses show in it."""

import pytest
import torch
from mmseg.registry import MODELS
from model_cases import samples, total

from seam_seg.models.segments import segment_maps

HEIGHT, WIDTH, STEPS = 64, 32, 120


def patches():
    """Two drawn patches with nine bones, bright under noise."""
    label = torch.zeros(2, HEIGHT, WIDTH, dtype=torch.long)
    label[0, 4:9, 2:14] = label[0, 4:9, 19:30] = 1
    label[0, 20:30, 10:20] = label[0, 34:44, 14:24] = 2
    label[0, 50:60, 8:22] = 3
    label[1, 2:12, 12:22] = label[1, 16:26, 8:18] = 2
    label[1, 32:44, 10:24] = label[1, 50:62, 6:20] = 3
    image = 40 + 60 * (label > 0) + 40 * torch.rand(label.shape)
    return image[:, None].byte(), label


def build(beta):
    """A UNet of three levels. The center loss, where it is on, is one that is felt:
    steep from a hundredth of the patch on, and as heavy as the cross entropy."""
    return MODELS.build(
        dict(
            type='VPISegmentor',
            data_preprocessor=dict(
                type='SegDataPreProcessor', mean=[76.0], std=[84.0], size_divisor=32
            ),
            backbone=dict(
                type='UNet',
                in_channels=1,
                base_channels=8,
                num_stages=3,
                strides=(1, 1, 1),
                enc_num_convs=(1, 1, 1),
                dec_num_convs=(1, 1),
                downsamples=(True, True),
                enc_dilations=(1, 1, 1),
                dec_dilations=(1, 1),
            ),
            decode_head=dict(
                type='SEAMHead',
                in_channels=8,
                in_index=2,
                channels=8,
                num_classes=4,
                dropout_ratio=0,
                norm_cfg=dict(type='BN'),
                normalization='key_mass',
                beta=beta,
                loss_center=dict(
                    type='CenterRegressionLoss', smooth_l1_beta=0.01, loss_weight=20
                ),
            ),
            train_cfg=dict(),
            test_cfg=dict(mode='whole'),
        )
    )


def dice(predicted, label):
    """The mean over the bone classes."""
    scores = []
    for c in (1, 2, 3):
        ours, true = predicted == c, label == c
        scores.append(2 * (ours & true).sum().item() / (ours.sum() + true.sum()).item())
    return sum(scores) / 3


def centroid_error(key, label):
    """Mean distance of the key's centers of mass to the true ones, of a patch's side."""
    maps = segment_maps(label, 4)
    k_prime = key.softmax(dim=1)[:, 1:]
    rows = ((torch.arange(HEIGHT) + 0.5) / HEIGHT).view(-1, 1)
    cols = (torch.arange(WIDTH) + 0.5) / WIDTH
    distances = []
    for segment, true in enumerate(maps.centers[:-1]):
        weight = k_prime * (maps.members == segment)
        center = torch.stack([(weight * rows).sum(), (weight * cols).sum()])
        distances.append((center / weight.sum() - true).norm().item())
    assert len(distances) == 9
    return sum(distances) / 9


def overfit(beta):
    """Trains from the same start on the same patches.

    Returns:
        list[dict]: before and after, the Dice of the key and of the mask, and the
        centroid error of the key.
    """
    torch.manual_seed(0)
    images, label = patches()
    model = build(beta)
    batch = model.data_preprocessor(
        dict(inputs=list(images), data_samples=samples(label)), training=True
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def scores():
        with torch.no_grad():
            features = model.extract_feat(batch['inputs'])
            logits, key, _ = model.decode_head.forward_train(features)
        return dict(
            mask=dice(logits.argmax(dim=1), label),
            key=dice(key.argmax(dim=1), label),
            error=centroid_error(key, label),
        )

    model.train()
    found = [scores()]
    for _ in range(STEPS):
        optimizer.zero_grad()
        total(model(**batch, mode='loss')).backward()
        optimizer.step()
    return [*found, scores()]


@pytest.fixture(scope='module')
def learned():
    return {beta: overfit(beta) for beta in (0, 0.5)}


@pytest.mark.slow
@pytest.mark.parametrize('beta', [0, 0.5])
def test_key_and_mask_are_learned(learned, beta):
    before, after = learned[beta]
    assert before['key'] < 0.3 and before['mask'] < 0.3
    assert after['mask'] > 0.95
    assert after['key'] > before['key'] + 0.4


@pytest.mark.slow
def test_center_loss_moves_the_keys_centers(learned):
    """Towards the true ones: against the start, and against the cross entropy alone."""
    (start, without), (same_start, with_it) = learned[0], learned[0.5]
    assert start == same_start
    assert with_it['error'] < start['error'] / 10
    assert with_it['error'] < without['error'] / 5
