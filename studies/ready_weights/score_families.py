"""Measures a model on the families of the phantom, also on those it was not trained on.

For each family: Dice; F1 of the bones one by one, beside those of the connected
components of the same masks, of masks split and joined as well as can be, and of the
components of the true masks; and whether doubt finds the bones that need correction
(Dice < 0.7) better than low confidence, an unusual size or a small area does. For
`standard` and `scanner` also what changes of the scan cost.
"""

import argparse
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, DefaultDict, Dict, Iterator, List, NamedTuple, Optional, Sequence

import numpy as np
import pandas as pd
from skimage import measure
from sklearn.metrics import roc_auc_score

from seam_seg.apis import init_model, predict, predict_mask
from seam_seg.apis.command_line import report_errors
from seam_seg.apis.inference import Prediction
from seam_seg.datasets.phantom import PhantomCase
from seam_seg.evaluation.instances import count_overlaps, match_bones, split_by_truth
from studies.blocks import number, value_of
from studies.ready_weights.cases import (
    add_arguments,
    class_dice,
    dice_rows,
    draw_cases,
    list_families,
)
from studies.ready_weights.changes import CHANGES
from studies.records import append_rows, make_rows

STEADY = ('standard', 'scanner')  # where the changes of the scan are tried
DOUBTFUL = 0.7  # a bone of less Dice needs correction
SUSPICIONS = dict(
    auroc_doubt=lambda bone: bone['doubt'],
    auroc_confidence=lambda bone: -bone['confidence'],
    auroc_size=lambda bone: abs(np.log2(bone['size'])),
    auroc_area=lambda bone: -bone['area'],
)


class Found(NamedTuple):
    """What was measured on the cases of a family.

    Attributes:
        dice (list[dict]): rows of the Dice of each image and class in %.
        counts (dict): score -> class -> matched, predicted and true bones of all cases.
        bones (list[dict]): of each predicted bone, what the table of bones says, and
            ``dice`` with the true bone that it overlaps most.
        steadiness (dict[str, list]): change -> Dice of each class in %, for each image.
        seconds (list[float]): of a prediction and its bones, for each image.
    """

    dice: List[dict]
    counts: Dict[str, Dict[str, np.ndarray]]
    bones: List[dict]
    steadiness: Dict[str, List[np.ndarray]]
    seconds: List[float]


def count_bones(
    prediction: Prediction, case: PhantomCase, classes: Sequence[str]
) -> Dict[str, Dict[str, tuple]]:
    """Matches the bones of a prediction, told apart in four ways, with the true ones.

    Args:
        prediction (Prediction): of the case.
        case (PhantomCase): the truth, drawn bone by bone.
        classes (Sequence[str]): names of the labels.

    Returns:
        dict: score -> class -> matched, predicted and true bones, of

        * ``F1``, the bones as predicted;
        * ``F1_components``, the connected components of the predicted mask;
        * ``F1_oracle``, :func:`split_by_truth` of it, counting no bone but those that
          match: what fails to match could be joined to another. An upper bound but for
          the pixels outside of all bones, which could be shared out otherwise;
        * ``F1_of_truth``, the connected components of the true mask.
    """
    mask = prediction.mask
    components = measure.label(mask, connectivity=2)
    told_apart = dict(
        F1=(prediction.bones, mask),
        F1_components=(components, mask),
        F1_oracle=(split_by_truth(mask, case.mask, case.instances), mask),
        F1_of_truth=(measure.label(case.mask, connectivity=2), case.mask),
    )
    counts = {
        score: match_bones(bones, labels, case.instances, case.mask, classes)
        for score, (bones, labels) in told_apart.items()
    }
    counts['F1_oracle'] = {
        name: (matched, matched, true)
        for name, (matched, _, true) in counts['F1_oracle'].items()
    }
    return counts


def bone_dice(bones: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Dice of each predicted bone with the true bone that it overlaps most.

    Args:
        bones (np.ndarray): (H, W) a number for each predicted bone, 0 outside.
        true (np.ndarray): (H, W) the same of the true bones of a class.

    Returns:
        np.ndarray: by the number of the predicted bone, in [0, 1]; 0 where it overlaps
        no true bone.
    """
    shared = count_overlaps(bones, true)
    areas, true_areas = shared.sum(axis=1), shared.sum(axis=0)
    shared[:, 0] = 0
    best = shared.argmax(axis=1)
    overlap = shared[np.arange(len(shared)), best]
    return 2 * overlap / np.maximum(areas + true_areas[best], 1)


def list_scored_bones(
    prediction: Prediction, case: PhantomCase, classes: Sequence[str]
) -> List[dict]:
    """The table of bones of a prediction, with the ``dice`` of each bone."""
    found, instances = prediction.table(), prediction.bones
    dice = {
        name: bone_dice(instances, np.where(case.mask == label, case.instances, 0))
        for label, name in list(enumerate(classes))[1:]
    }
    return [dict(bone._asdict(), dice=dice[bone.bone][bone.id]) for bone in found]


def score_family(model: Any, family: str, part: str, count: int) -> Found:
    """Measures a model on the cases of a family.

    Args:
        model (nn.Module): from :func:`seam_seg.apis.init_model`.
        family (str): preset or held-out family.
        part (str): ``'val'`` or ``'test'``.
        count (int): cases.
    """
    classes = model.dataset_meta['classes']
    counts: DefaultDict[str, Any] = defaultdict(lambda: defaultdict(lambda: np.zeros(3)))
    found = Found([], counts, [], defaultdict(list), [])
    for name, case in draw_cases(family, part, count):
        start = time.perf_counter()
        prediction = predict(model, case.image)
        _ = prediction.bones  # told apart when they are asked for
        found.seconds.append(time.perf_counter() - start)
        found.dice.extend(dice_rows(name, prediction.mask, case.mask, classes))
        for score, by_class in count_bones(prediction, case, classes).items():
            for key, numbers in by_class.items():
                counts[score][key] += numbers
        found.bones.extend(list_scored_bones(prediction, case, classes))
        for change, apply in CHANGES.items() if family in STEADY else ():
            image, truth = apply(case.image, case.mask)
            mask = predict_mask(model, image)
            found.steadiness[change].append(class_dice(mask, truth, len(classes)))
    return found


def doubt_rows(bones: List[dict]) -> Iterator[dict]:
    """How well doubt, and parts of it alone, find the bones that need correction.

    Args:
        bones (list[dict]): of :class:`Found`.

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


def summary_rows(found: Found, classes: Sequence[str]) -> Iterator[dict]:
    """What is of no single image.

    Args:
        found (Found): of a family.
        classes (Sequence[str]): names of the labels.

    Yields:
        dict: F1 in [0, 1], pooled over the cases, of each class and way to tell bones
        apart; the mean Dice of each class in % under each change of the scan,
        ``'Dice, CHANGE'``; the median of the seconds; what doubt finds.
    """
    for score, by_class in found.counts.items():
        for key, (matched, ours, true) in by_class.items():
            value = 2 * matched / (ours + true) if ours + true else np.nan
            yield {'class': key, 'score': score, 'value': value}
    for change, dice in found.steadiness.items():
        for key, value in zip(classes[1:], np.transpose(dice)):
            yield {'class': key, 'score': f'Dice, {change}', 'value': np.nanmean(value)}
    yield {'score': 'seconds', 'value': np.median(found.seconds)}
    yield from doubt_rows(found.bones)


def average(rows: pd.DataFrame, score: str) -> float:
    """The mean over the classes of a score's means over the images."""
    return rows[rows['score'] == score].groupby('class')['value'].mean().mean()


def describe(rows: pd.DataFrame) -> str:
    """What a person wants to know of the rows of a family."""
    dice = average(rows, 'Dice')
    values = rows.set_index(['score', 'class'])['value']
    f1 = ', '.join(f'{value:.3f} {key}' for key, value in values['F1'].items())
    doubt = number(value_of(rows, 'auroc_doubt'), '.3f')
    losses = {
        change: dice - average(rows, f'Dice, {change}')
        for change in CHANGES
        if (rows['score'] == f'Dice, {change}').any()
    }
    text = f'average Dice {dice:.2f}%, F1 {f1}, AUROC of doubt {doubt}'
    text += f', {value_of(rows, "seconds"):.2f} s an image'
    if losses:
        worst = max(losses, key=lambda change: losses[change])
        text += f'; {worst} costs most, {losses[worst]:.2f} points'
    return text


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'config', nargs='?', help='path or name (default: what the checkpoint carries)'
    )
    parser.add_argument('checkpoint', help='file written by tools/train.py')
    parser.add_argument('--method', help="in the rows (default: the checkpoint's name)")
    parser.add_argument(
        '--seed', type=int, default=0, help='of the training, in the rows (default: 0)'
    )
    parser.add_argument(
        '--study', default='ready_weights', help='in the rows (default: ready_weights)'
    )
    add_arguments(parser)
    args = parser.parse_args(argv)
    families = list_families(args.part, args.families)
    model = init_model(args.config, args.checkpoint)
    method = args.method or Path(args.checkpoint).stem
    for name in families:
        found = score_family(model, name, args.part, args.cases)
        values = [*found.dice, *summary_rows(found, model.dataset_meta['classes'])]
        rows = make_rows(values, args.study, f'{name} {args.part}', method, args.seed)
        append_rows(args.out, rows)
        print(f'\n{name}: {describe(rows)}', flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
