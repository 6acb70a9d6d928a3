"""What levels are called, counted from the picture, and the regions of curves.

The anatomical names are not known from an image: ribs and lumps are counted from the
place where the thoracic pairs end and the lumps begin, the last pair being taken as T12
and the first lump as L1. Where a level is missing between the two, it is taken for a
pair: the last one is often faint. A reader who knows better shifts all of them.
"""

from typing import List, NamedTuple, Sequence

import numpy as np

from .levels import LUMBAR

SKIPPED = 1.65  # a gap of so many usual ones hides a level
SAME = 0.5  # what is closer than so many usual gaps is one level


class Names(NamedTuple):
    """The numbering of the levels of an image.

    Attributes:
        number (np.ndarray): (L,) int, 0 is T12, 1 is L1.
        anchor (str): what the numbers were counted from: ``'last_pair_and_first_lump'``,
            ``'last_pair'`` where no lump was seen, ``'first_lump'`` where no pair was,
            ``'first_lump_after_gap'`` where a level between the two was not.
        gaps (list[int]): indices of levels above which one or more are missing.
        misplaced (list[int]): indices of pairs below the first lump, and of lumps above
            the last pair.
    """

    number: np.ndarray
    anchor: str
    gaps: List[int]
    misplaced: List[int]


def level_name(number: int) -> str:
    """The name of a level: 0 is T12, 1 is L1; above T1 is C7, above C1 nothing."""
    if number > 0:
        return f'L{number}'
    if number > -12:
        return f'T{12 + number}'
    return f'C{19 + number}' if number > -19 else 'above C1'


def region_of(number: int) -> str:
    """The region of a curve whose apex is at a level: thoracolumbar is T12 or L1."""
    if number in (0, 1):
        return 'thoracolumbar'
    return 'thoracic' if number < 0 else 'lumbar'


def is_upside_down(labels: Sequence[int]) -> bool:
    """Whether lumps and pairs stand as in a picture that is turned or mirrored.

    The lumps would be taken for what their places say, and no name, region or side of
    a curve would be right.

    Args:
        labels (Sequence[int]): (L,) classes of levels, from the top down.

    Returns:
        bool: true where there are three of both or more, and more levels would have to
        change their class for these to lie below than for them to lie above the pairs.
    """
    lumbar = np.asarray(labels) == LUMBAR
    as_it_stands, turned = (_on_wrong_side(low).min() for low in (lumbar, ~lumbar))
    return min(lumbar.sum(), (~lumbar).sum()) >= 3 and bool(as_it_stands > turned)


def _on_wrong_side(lumbar: np.ndarray) -> np.ndarray:
    """(L + 1,) lumps above and pairs below each place between two levels."""
    above = np.append(0, np.cumsum(lumbar))
    below = np.append(np.cumsum((~lumbar)[::-1])[::-1], 0)
    return above + below


def count_levels(labels: Sequence[int], s: np.ndarray, shift: int = 0) -> Names:
    """Numbers levels from the picture.

    Args:
        labels (Sequence[int]): (L,) classes, from the top down, L at least 2.
        s (np.ndarray): (L,) places along the spine, rising.
        shift (int): added to all numbers: -1 takes the last pair for T11. Default: 0.

    Returns:
        Names: of all levels.
    """
    lumbar = np.asarray(labels) == LUMBAR
    boundary = int(_on_wrong_side(lumbar).argmin())  # index of the first lump
    gaps = np.diff(s)
    steps, hidden = [], []
    for n, gap in enumerate(gaps):
        near = np.delete(gaps[max(n - 2, 0) : n + 3], min(n, 2))
        usual = float(np.median(near)) if len(near) else float(gap)
        share = gap / usual if usual > 0 else 1.0
        steps.append(0 if share < SAME else int(round(share)) if share >= SKIPPED else 1)
        if steps[-1] > 1:
            hidden.append(n + 1)
    number = np.append(0, np.cumsum(steps))
    counted, start = boundary, 1  # from the first lump
    anchor = 'last_pair_and_first_lump'
    if boundary == 0:
        anchor = 'first_lump'
    elif boundary == len(lumbar):
        anchor, counted, start = 'last_pair', boundary - 1, 0
    elif boundary in hidden:
        anchor = 'first_lump_after_gap'
    index = np.arange(len(lumbar))
    misplaced = np.flatnonzero(lumbar != (index >= boundary)).tolist()
    return Names(number - number[counted] + start + shift, anchor, hidden, misplaced)
