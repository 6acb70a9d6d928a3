"""Does the confidence of a bone tell which bones need correction?"""
from typing import List

import numpy as np
from torch import nn

from ..datasets import VPIDataset
from ..datasets.io import read_mask
from ..evaluation.bones import auroc, bone_dice, list_bones
from .cli import progress
from .inference import predict

DOUBTFUL = 0.7  # a bone of less Dice needs correction


def score_bones(model: nn.Module, data_root: str, split: str = 'test') -> List[dict]:
    """Predicts a split and scores each predicted bone.

    Args:
        model (nn.Module): from :func:`seam_seg.apis.init_model`.
        data_root (str): data set in the layout of :class:`VPIDataset`.
        split (str): Default: ``'test'``.

    Returns:
        list[dict]: for each bone, its row of the table of bones, ``image``, and
        ``dice`` with the true bone that it overlaps most.
    """
    classes = model.dataset_meta['classes']
    rows = []
    for info in progress(VPIDataset(data_root, split).load_data_list()):
        mask, confidence, image = predict(model, info['img_path'])
        truth = read_mask(
            info['seg_map_path'], len(classes), info['ignore_index'], image.shape)
        bones, instances = list_bones(mask, confidence, image, classes)
        rows += [
            dict(
                bone._asdict(), image=info['img_path'],
                dice=bone_dice(instances == bone.id, truth == classes.index(bone.bone)))
            for bone in bones
        ]
    return rows


def confidence_summary(rows: List[dict]) -> dict:
    """How well confidence, and area alone, find the bones that need correction.

    Args:
        rows (list[dict]): from :func:`score_bones`.

    Returns:
        dict: numbers of bones and of doubtful ones (Dice < 0.7), and the AUROC of low
        confidence and of small area, over all bones and for each class; None where all or
        no bones are doubtful.
    """
    def summarise(part):
        doubtful = [row['dice'] < DOUBTFUL for row in part]
        return dict(
            bones=len(part), doubtful=int(np.sum(doubtful)),
            **{
                f'auroc_{key}': None if len(set(doubtful)) < 2 else auroc(
                    [-row[key] for row in part], doubtful)
                for key in ('confidence', 'area')
            })

    names = sorted({row['bone'] for row in rows})
    return {
        'all': summarise(rows),
        **{name: summarise([row for row in rows if row['bone'] == name])
           for name in names}
    }
