"""What the tests of models share: every head, labels, samples, and a flood fill."""

import torch
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

OFFSET = dict(type='CenterRegressionLoss', mode='offset')
HEADS = {
    'SEAM as printed': dict(type='SEAMHead'),
    'SEAM, key mass': dict(type='SEAMHead', normalization='key_mass'),
    'SEAM, offset': dict(type='SEAMHead', normalization='key_mass', loss_center=OFFSET),
    'SEAM, one center a class': dict(
        type='SEAMHead',
        normalization='hw',
        loss_center=dict(type='CenterRegressionLoss', segments='class'),
    ),
    'SEAM w/o AL': dict(type='SEAMHead', attention=False),
    'SEAM w/o AL, conv': dict(type='SEAMHead', attention=False, conv=True),
    'SEAM w/o SS': dict(type='SEAMHead', beta=0, loss_center=OFFSET),
    'SEAM, felt center loss alone': dict(
        type='SEAMHead',
        loss_key=None,
        loss_center=dict(type='CenterRegressionLoss', in_pixels=True, reach=2.0),
    ),
    'RSNU': dict(
        type='FPNHead',
        loss_decode=[dict(type='SyncCrossEntropyLoss'), dict(type='TotalVariationLoss')],
    ),
    'FPN + 3x3 conv': dict(type='FPNConvHead'),
    'DANet': dict(type='FPNDAHead', pam_channels=2),
    'EMANet': dict(type='FPNEMAHead', num_bases=5),
    'NonLocal': dict(type='FPNNonLocalHead'),
    'DANet, concat': dict(type='FPNDAHead', pam_channels=2, concat_input=True),
    'EMANet, concat': dict(type='FPNEMAHead', num_bases=5, concat_input=True),
    'NonLocal, concat': dict(type='FPNNonLocalHead', concat_input=True),
}


def build_head(options):
    """A head of eight channels on two levels; ``options`` name its type."""
    base = dict(
        in_channels=[8, 8],
        in_index=[0, 1],
        feature_strides=[4, 8],
        channels=8,
        num_classes=4,
        dropout_ratio=0,
        norm_cfg=dict(type='BN'),
    )
    return MODELS.build({**base, **options})


def samples(label):
    """mmseg's samples of a batch of labels (B, H, W)."""
    out = []
    for image in label:
        height, width = image.shape
        out.append(
            SegDataSample(
                gt_sem_seg=PixelData(data=image[None]),
                metainfo=dict(
                    ori_shape=(2 * height + 1, 3 * width), img_shape=(height, width)
                ),
            )
        )
    return out


def bone_label(batch=2, height=48, width=32, num_classes=4, ignored_rows=0):
    """A box for each foreground class, one below the other, on background."""
    label = torch.zeros(batch, height, width, dtype=torch.long)
    for c in range(1, num_classes):
        label[:, 4 * c : 4 * c + 10, 4 * c : 4 * c + 8] = c
    label[:, :ignored_rows] = 255
    return label


def features(batch=2, height=12, width=8, channels=8):
    """Random maps of two levels, the second one at half of the size."""
    return [
        torch.randn(batch, channels, height, width),
        torch.randn(batch, channels, -(-height // 2), -(-width // 2)),
    ]


def total(losses):
    """The sum that a training step goes down."""
    return sum(value for name, value in losses.items() if 'loss' in name)


def slow_components(mask):
    """8-connected components of a bool array by flood fill, as lists of pixels."""
    height, width = mask.shape
    seen, components = set(), []
    for start in ((i, j) for i in range(height) for j in range(width)):
        if not mask[start] or start in seen:
            continue
        queue, component = [start], []
        seen.add(start)
        while queue:
            i, j = queue.pop()
            component.append((i, j))
            for y in range(max(i - 1, 0), min(i + 2, height)):
                for x in range(max(j - 1, 0), min(j + 2, width)):
                    if mask[y, x] and (y, x) not in seen:
                        seen.add((y, x))
                        queue.append((y, x))
        components.append(component)
    return components
