"""The cases of the phantom's families that ready weights are measured on."""

import argparse
from typing import Iterator, List, Optional, Sequence, Tuple

import numpy as np

from seam_seg.apis.command_line import progress
from seam_seg.datasets.phantom import (
    HELD_OUT,
    HELD_OUT_SEEDS,
    NEVER_TRAINED,
    PRESETS,
    PhantomCase,
    find_params,
    make_case,
)
from seam_seg.errors import InputError
from seam_seg.evaluation import confusion_counts, dice_jaccard
from studies.records import add_out_argument


def list_families(part: str, names: Optional[Sequence[str]] = None) -> List[str]:
    """The families that may be measured in a part.

    Args:
        part (str): ``'val'``, to choose by, or ``'test'``, to report.
        names (Sequence[str], optional): those alone. Default: all that may.

    Returns:
        list[str]: presets and held-out families.

    Raises:
        InputError: there is none of a name, or nothing may be chosen by it.
    """
    for name in names or ():
        find_params(name)
        if part == 'val' and name in NEVER_TRAINED:
            raise InputError(
                f'family {name}: nothing is chosen by it. Score it with --part test.'
            )
    hidden = NEVER_TRAINED if part == 'val' else ()
    return list(names or (name for name in (*PRESETS, *HELD_OUT) if name not in hidden))


def draw_cases(family: str, part: str, count: int) -> Iterator[Tuple[str, PhantomCase]]:
    """Draws the cases of a family, with a progress bar.

    They are those of ``tools/make_phantom.py`` with ``--num-train 0`` and the seed of
    the part in ``HELD_OUT_SEEDS``.

    Args:
        family (str): its name.
        part (str): ``'val'`` or ``'test'``.
        count (int): how many.

    Yields:
        tuple[str, PhantomCase]: the name of a case, and what it is.

    Raises:
        InputError: no case is wanted.
    """
    if count < 1:
        raise InputError(f'{count} cases of {family}: ask for one at least (--cases).')
    params = find_params(family)
    for i in progress(list(range(count))):
        yield f'{i:03d}', make_case((HELD_OUT_SEEDS[part], 1, i), params)


def class_dice(mask: np.ndarray, truth: np.ndarray, num_classes: int) -> np.ndarray:
    """Dice of each class but the background in %, nan where it is in neither mask."""
    dice, _ = dice_jaccard(*confusion_counts(mask, truth, num_classes))
    return 100 * dice[1:]


def dice_rows(
    image: str, mask: np.ndarray, truth: np.ndarray, classes: Sequence[str]
) -> List[dict]:
    """The values of rows for the Dice of each class of an image."""
    dice = class_dice(mask, truth, len(classes))
    return [
        {'image': image, 'class': key, 'score': 'Dice', 'value': value}
        for key, value in zip(classes[1:], dice)
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what says which cases are drawn, and where their rows go."""
    parser.add_argument(
        '--families',
        nargs='+',
        metavar='NAME',
        help='presets and held-out families (default: all; in part val, all but '
        f'{" and ".join(NEVER_TRAINED)})',
    )
    parser.add_argument(
        '--cases', type=int, default=60, help='of each family (default: 60)'
    )
    parser.add_argument(
        '--part',
        choices=list(HELD_OUT_SEEDS),
        default='val',
        help='val to choose by, test to report (default: val)',
    )
    add_out_argument(parser, __file__)
