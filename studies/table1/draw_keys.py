"""Draws the key maps k' of an image with the true and the estimated centers (Fig. 2)."""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple, Optional, Sequence

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.dataset import Compose, pseudo_collate
from torch import nn

from seam_seg.apis import init_model
from seam_seg.apis.command_line import report_errors
from seam_seg.atomic import write_figure
from seam_seg.datasets.readers import read_image, read_mask
from seam_seg.errors import InputError
from seam_seg.models.decode_heads import SEAMHead
from seam_seg.models.segments import segment_maps
from seam_seg.visualization import overlay


class Keys(NamedTuple):
    """What the key of an image says, at the resolution of the key.

    Attributes:
        image (np.ndarray): (H, W) uint8, as the file holds it.
        truth (np.ndarray): (H, W) labels.
        k_prime (np.ndarray): (N, h, w), softmax of the key over the classes (Eq. 3).
        classes (np.ndarray): (S,) class of each true bone.
        centers (np.ndarray): (S, 2) true (row, column) centers in [0, 1].
        estimates (np.ndarray): (S, 2) centers of mass of k' over the pixels nearest to
            each bone; nan where there is no mass.
    """

    image: np.ndarray
    truth: np.ndarray
    k_prime: np.ndarray
    classes: np.ndarray
    centers: np.ndarray
    estimates: np.ndarray


def read_keys(model: nn.Module, image: Path, mask: Path) -> Keys:
    """Runs a SEAM model and compares the centers in its key with the true ones.

    Args:
        model (nn.Module): from :func:`seam_seg.apis.init_model`.
        image (Path): the image.
        mask (Path): its true labels.

    Returns:
        Keys: see there.

    Raises:
        InputError: a bad file, or a model without a key.
    """
    head = model.decode_head
    if not isinstance(head, SEAMHead):  # DANet's, too, has a forward_train
        raise InputError(
            f'{type(head).__name__}: this model has no key. Name a config '
            'with a SEAMHead, and its checkpoint.'
        )
    load, *steps = model.pipeline
    num_classes = head.num_classes
    grey = read_image(image, load.window)
    truth = read_mask(mask, num_classes, head.ignore_index, grey.shape)
    sample = Compose(steps)(dict(img=grey, ori_shape=grey.shape, img_shape=grey.shape))
    batch = model.data_preprocessor(pseudo_collate([sample]), False)
    with torch.no_grad():
        k = head.forward_train(model.extract_feat(batch['inputs']))[1]
    k_prime = k.float().softmax(dim=1)[0].cpu().numpy()
    small = cv2.resize(truth, k_prime.shape[:0:-1], interpolation=cv2.INTER_NEAREST_EXACT)
    maps = segment_maps(
        torch.from_numpy(small)[None].long(), num_classes, 'instance', head.ignore_index
    )
    members, centers = maps.members[0].numpy(), maps.centers[:-1].numpy()
    rows = (np.arange(small.shape[0]) + 0.5) / small.shape[0]
    cols = (np.arange(small.shape[1]) + 0.5) / small.shape[1]
    classes, estimates = [], []
    for bone in range(len(centers)):
        (channel,) = np.unique(np.nonzero(members == bone)[0])
        weight = k_prime[channel + 1] * (members[channel] == bone)
        classes.append(channel + 1)
        with np.errstate(invalid='ignore', divide='ignore'):
            estimates.append(
                [
                    (weight.sum(1) * rows).sum() / weight.sum(),
                    (weight.sum(0) * cols).sum() / weight.sum(),
                ]
            )
    return Keys(
        grey,
        truth,
        k_prime,
        np.array(classes, int),
        centers.reshape(-1, 2),
        np.array(estimates).reshape(-1, 2),
    )


def draw_keys(
    keys: Keys, names: Sequence[str], palette: Sequence[Sequence[int]], path: Path
) -> None:
    """Draws the truth and, for each bone class, k' with the centers (as in Fig. 2).

    Args:
        keys (Keys): from :func:`read_keys`.
        names (Sequence[str]): the classes.
        palette (Sequence[Sequence[int]]): RGB colour of each.
        path (Path): PNG to write.
    """
    height, width = keys.image.shape
    size = (2.3 * len(names), 2.3 * height / width + 1)
    figure = Figure(figsize=size, layout='constrained')
    axes = figure.subplots(1, len(names))
    axes[0].imshow(overlay(keys.image, keys.truth, palette))
    axes[0].set_title('truth')
    for label, axis in enumerate(axes[1:], start=1):
        shown = axis.imshow(
            keys.k_prime[label],
            cmap='magma',
            vmin=0,
            vmax=1,
            extent=(0, width, height, 0),
            aspect='equal',
            interpolation='bilinear',
        )
        axis.set_title(f"k', {names[label]}")
        chosen = keys.classes == label
        true, estimated = (
            part[chosen][:, ::-1] * [width, height]
            for part in (keys.centers, keys.estimates)
        )
        axis.plot(*true.T, 'o', color='deepskyblue', markersize=5, label='true')
        axis.plot(*estimated.T, 'x', color='lime', markersize=5, label='estimated')
        for start, end in zip(estimated, true):
            if np.isfinite(start).all():
                axis.annotate(
                    '',
                    end,
                    start,
                    arrowprops=dict(
                        arrowstyle='->', color='white', linewidth=1, shrinkA=0, shrinkB=0
                    ),
                )
    axes[-1].legend(loc='lower right', fontsize=7)
    figure.colorbar(shown, ax=axes[1:], shrink=0.5, pad=0.02)
    for axis in axes:
        axis.set_axis_off()
    write_figure(path, figure)


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('image', type=Path)
    parser.add_argument('mask', type=Path, help='its true labels')
    parser.add_argument('out', type=Path, help='PNG to write')
    parser.add_argument('--config', help='path or name (default: the ready weights)')
    parser.add_argument('--checkpoint', help='file written with that config')
    args = parser.parse_args(argv)
    if (args.config is None) != (args.checkpoint is None):
        parser.error('--config and --checkpoint belong together')
    model = init_model(*([] if args.config is None else [args.config, args.checkpoint]))
    meta = model.dataset_meta
    draw_keys(
        read_keys(model, args.image, args.mask),
        meta['classes'],
        meta['palette'],
        args.out,
    )
    print(f'Wrote {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
