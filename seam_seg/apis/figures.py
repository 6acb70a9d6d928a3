"""The figures of the paper, from trained models: Fig. 2 (keys) and Fig. 3 (methods)."""

from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence, Tuple

import cv2
import matplotlib
import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from torch import nn

from ..atomic import write_figure
from ..datasets import VPIDataset
from ..datasets.readers import read_image, read_mask
from ..errors import InputError
from ..models.decode_heads import SEAMHead
from ..models.segments import segment_maps
from ..visualization import overlay, panel
from .inference import predict
from .study import image_dice

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402


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
    figure, axes = plt.subplots(
        1,
        len(names),
        figsize=(2.3 * len(names), 2.3 * height / width + 1),
        layout='constrained',
    )
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
    plt.close(figure)


def choose_cases(runs: Sequence[dict]) -> Dict[str, str]:
    """The best, the median and the worst image of a method.

    By Dice, averaged over the bone classes and the seeds; of an even number of images,
    the median is the lower one of the two in the middle.

    Args:
        runs (Sequence[dict]): the method's runs.

    Returns:
        dict[str, str]: 'best', 'median' and 'worst' -> name of the image.
    """
    dice = image_dice(runs)
    order = sorted(dice, key=lambda name: (dice[name], name))
    return dict(best=order[-1], median=order[(len(order) - 1) // 2], worst=order[0])


def draw_methods(
    models: Sequence[Tuple[str, nn.Module]], cases: Dict[str, str], data_root: str
) -> np.ndarray:
    """Draws input, each method's mask and the truth, a row for each case (as in Fig. 3).

    Args:
        models (Sequence[tuple[str, nn.Module]]): method and its model.
        cases (dict[str, str]): why a case is shown -> its name, in the test split.
        data_root (str): data set.

    Returns:
        np.ndarray: (h, w, 3) uint8, RGB.

    Raises:
        InputError: a case that is not in the test split.
    """
    dataset = VPIDataset(data_root, 'test')
    infos = {Path(info['img_path']).stem: info for info in dataset.load_data_list()}
    classes, palette = (dataset.metainfo[key] for key in ('classes', 'palette'))
    rows: List[np.ndarray] = []
    for why, name in cases.items():
        if name not in infos:
            raise InputError(
                f'{name}: not in the test split of {data_root}. The results '
                'belong to another data set.'
            )
        predictions = [
            (method, predict(model, infos[name]['img_path'])) for method, model in models
        ]
        image = predictions[0][1].image
        truth = read_mask(
            infos[name]['seg_map_path'], len(classes), dataset.ignore_index, image.shape
        )
        masks = [(method, result.mask) for method, result in predictions]
        rows.append(
            panel(
                image,
                [*masks, ('truth', truth)],
                classes,
                palette,
                f'{name}: {why} of {models[-1][0]}',
                max_height=700,
            )
        )
    width = max(row.shape[1] for row in rows)
    return np.vstack(
        [
            cv2.copyMakeBorder(row, 0, 6, 0, width - row.shape[1], cv2.BORDER_CONSTANT)
            for row in rows
        ]
    )
