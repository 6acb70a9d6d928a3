"""Scores of a model case by case: each image, and each bone with its doubt."""

from typing import List, Tuple

import numpy as np
from torch import nn

from ..datasets import VPIDataset
from ..datasets.readers import read_mask
from ..evaluation import confusion_counts, dice_jaccard
from ..evaluation.bones import auroc, bone_dice, list_bones
from .command_line import progress
from .inference import predict

DOUBTFUL = 0.7  # a bone of less Dice needs correction
SUSPICIONS = dict(
    doubt=lambda row: row['doubt'],
    confidence=lambda row: -row['confidence'],
    size=lambda row: abs(np.log2(row['size'])),
    area=lambda row: -row['area'],
)


def score_cases(
    model: nn.Module, data_root: str, split: str = 'test'
) -> Tuple[List[dict], List[dict]]:
    """Predicts a split and scores each image and each predicted bone.

    Args:
        model (nn.Module): from :func:`seam_seg.apis.init_model`.
        data_root (str): data set in the layout of :class:`VPIDataset`.
        split (str): Default: ``'test'``.

    Returns:
        tuple[list[dict], list[dict]]: for each image, ``image`` and the Dice of each bone
        class (nan where undefined); for each bone, its row of the table of bones,
        ``image``, and ``dice`` with the true bone that it overlaps most.
    """
    classes = model.dataset_meta['classes']
    images, bones = [], []
    for info in progress(VPIDataset(data_root, split).load_data_list()):
        mask, confidence, image = predict(model, info['img_path'])
        truth = read_mask(
            info['seg_map_path'], len(classes), info['ignore_index'], image.shape
        )
        dice, _ = dice_jaccard(
            *confusion_counts(mask, truth, len(classes), info['ignore_index'])
        )
        images.append(dict(zip(classes[1:], dice[1:]), image=info['img_path']))
        found, instances = list_bones(mask, confidence, image, classes)
        bones += [
            dict(
                bone._asdict(),
                image=info['img_path'],
                dice=bone_dice(instances == bone.id, truth == classes.index(bone.bone)),
            )
            for bone in found
        ]
    return images, bones


def dice_summary(images: List[dict]) -> dict:
    """Mean per-image Dice in % of each class, and their average.

    Args:
        images (list[dict]): from :func:`score_cases`.

    Returns:
        dict[str, float]: class -> mean over the images that have the class, and
        ``average``.
    """
    means = {
        name: 100 * float(np.nanmean([image[name] for image in images]))
        for name in images[0]
        if name != 'image'
    }
    return dict(means, average=float(np.mean(list(means.values()))))


def doubt_summary(rows: List[dict]) -> dict:
    """How well doubt, and parts of it alone, find the bones that need correction.

    Args:
        rows (list[dict]): from :func:`score_cases`.

    Returns:
        dict: numbers of bones and of doubtful ones (Dice < 0.7), and the AUROC of doubt,
        of low confidence, of a size other than usual and of a small area, over all bones
        and for each class; None where all or no bones are doubtful.
    """

    def summarise(part):
        doubtful = [row['dice'] < DOUBTFUL for row in part]
        return dict(
            bones=len(part),
            doubtful=int(np.sum(doubtful)),
            **{
                f'auroc_{key}': None
                if len(set(doubtful)) < 2
                else auroc([suspicion(row) for row in part], doubtful)
                for key, suspicion in SUSPICIONS.items()
            },
        )

    names = sorted({row['bone'] for row in rows})
    return {
        'all': summarise(rows),
        **{
            name: summarise([row for row in rows if row['bone'] == name])
            for name in names
        },
    }
