"""Scores a model on phantom families that it was not trained on ('another scanner').

For each family: Dice, and whether doubt finds the bones that need correction (Dice < 0.7)
better than low confidence, an unusual size or a small area does.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple

import cv2
import numpy as np
from sklearn.metrics import roc_auc_score
from torch import nn

from seam_seg.apis import init_model, predict
from seam_seg.apis.command_line import progress, report_errors
from seam_seg.apis.costs import method_name
from seam_seg.datasets import VPIDataset
from seam_seg.datasets.phantom import (
    HELD_OUT,
    HELD_OUT_SEEDS,
    PRESETS,
    find_params,
    write_phantom,
)
from seam_seg.datasets.readers import read_mask
from seam_seg.evaluation import confusion_counts, dice_jaccard
from seam_seg.evaluation.bones import list_bones
from seam_seg.evaluation.rows import cell
from studies.records import append_rows, make_rows

DOUBTFUL = 0.7  # a bone of less Dice needs correction
SUSPICIONS = dict(
    auroc_doubt=lambda bone: bone['doubt'],
    auroc_confidence=lambda bone: -bone['confidence'],
    auroc_size=lambda bone: abs(np.log2(bone['size'])),
    auroc_area=lambda bone: -bone['area'],
)


def bone_dice(own: np.ndarray, truth: np.ndarray) -> float:
    """Dice of one predicted bone with the true bone that it overlaps most.

    Args:
        own (np.ndarray): (H, W) bool, the predicted bone.
        truth (np.ndarray): (H, W) bool, all true bones of its class.

    Returns:
        float: in [0, 1]; 0 where it overlaps no true bone.
    """
    _, bones = cv2.connectedComponents(truth.astype(np.uint8), connectivity=8)
    overlaps = np.bincount(bones[own])
    overlaps[0] = 0
    best = int(overlaps.argmax())
    if not overlaps[best]:
        return 0.0
    return 2 * float(overlaps[best]) / float(own.sum() + (bones == best).sum())


def score_cases(model: nn.Module, data_root: str) -> Tuple[List[dict], List[dict]]:
    """Predicts the test split, and scores each image and each predicted bone.

    Args:
        model (nn.Module): from :func:`seam_seg.apis.init_model`.
        data_root (str): data set in the layout of :class:`VPIDataset`.

    Returns:
        tuple[list[dict], list[dict]]: rows of the Dice of each image and bone class in %
        (nan where undefined); of each bone, what the table of bones says, and ``dice``
        with the true bone that it overlaps most.
    """
    classes = model.dataset_meta['classes']
    images, bones = [], []
    for info in progress(VPIDataset(data_root, 'test').load_data_list()):
        mask, confidence, image, numbers = predict(model, info['img_path'])
        ignored = info['ignore_index']
        truth = read_mask(info['seg_map_path'], len(classes), ignored, image.shape)
        dice, _ = dice_jaccard(*confusion_counts(mask, truth, len(classes), ignored))
        name = Path(info['img_path']).stem
        images += [
            {'image': name, 'class': key, 'score': 'Dice', 'value': 100 * value}
            for key, value in zip(classes[1:], dice[1:])
        ]
        found, instances = list_bones(mask, confidence, image, classes, numbers)
        for bone in found:
            true = truth == classes.index(bone.bone)
            dice_of_it = bone_dice(instances == bone.id, true)
            bones.append(dict(bone._asdict(), dice=dice_of_it))
    return images, bones


def doubt_rows(bones: List[dict]) -> Iterator[dict]:
    """How well doubt, and parts of it alone, find the bones that need correction.

    Args:
        bones (list[dict]): from :func:`score_cases`.

    Yields:
        dict: numbers of bones and of doubtful ones (Dice < 0.7), and the AUROC of doubt,
        of low confidence, of a size other than usual and of a small area, over all bones
        and for each class; no AUROC where all or no bones are doubtful.
    """
    for name in ('', *sorted({bone['bone'] for bone in bones})):
        part = [bone for bone in bones if name in ('', bone['bone'])]
        doubtful = [bone['dice'] < DOUBTFUL for bone in part]
        scores = dict(bones=len(part), doubtful=sum(doubtful))
        if 0 < sum(doubtful) < len(part):
            for key, suspicion in SUSPICIONS.items():
                scores[key] = roc_auc_score(doubtful, [suspicion(b) for b in part])
        for key, value in scores.items():
            yield {'class': name, 'score': key, 'value': value}


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='path or name of a config')
    parser.add_argument('checkpoint', help='file written by tools/train.py')
    parser.add_argument(
        '--families',
        nargs='+',
        default=[*PRESETS, *HELD_OUT],
        metavar='NAME',
        help='presets and held-out families (default: all)',
    )
    parser.add_argument('--cases', type=int, default=12, help='of each family')
    parser.add_argument('--part', choices=list(HELD_OUT_SEEDS), default='val')
    parser.add_argument('--method', help="in the rows (default: the config's name)")
    parser.add_argument(
        '--out',
        default=Path(__file__).with_name('results.csv'),
        metavar='FILE',
        help='file of rows that is added to (default: that of the study)',
    )
    args = parser.parse_args(argv)
    model = init_model(args.config, args.checkpoint)
    method = args.method or method_name(args.config)
    for name in args.families:
        params, seed = find_params(name), HELD_OUT_SEEDS[args.part]
        with tempfile.TemporaryDirectory() as folder:
            write_phantom(folder, 0, args.cases, seed, params)
            images, bones = score_cases(model, folder)
        values = [*images, *doubt_rows(bones)]
        rows = make_rows(values, 'ready_weights', f'{name} {args.part}', method)
        append_rows(args.out, rows)
        dice = rows[rows['score'] == 'Dice'].groupby('class')['value'].mean().mean()
        doubt = rows[(rows['score'] == 'auroc_doubt') & (rows['class'] == '')]['value']
        print(
            f'\n{name}: average Dice {dice:.2f}%, AUROC of doubt '
            f'{cell(doubt.tolist(), 3)}'
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
