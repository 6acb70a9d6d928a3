"""How many doubtful bones have room in their table: a case is printed on one page.

In lines of the column beside the picture, as a browser sets ``style.css`` on A4.
"""

import math
from typing import Sequence

from ..measurement import Measurement
from .words import flag, flags

MOST_ROWS, LEAST_ROWS = 12, 3
# Beside the heading, the notes, the assumptions and six files.
LINES = 40.0
HEADING = 1.7
# Of a row of a table, with the space and the rule between rows, and of each further line.
ROW, MORE = 1.3, 1.05
CURVE = 1.3
# Characters of a line: of the name, of a flag of the case, of those of curves and bones.
NAME, CASE, CURVE_FLAGS, BONE_FLAGS = 60, 44, 24, 22
USUAL_FILES = 6


def bones_with_room(
    reasons: Sequence[Sequence[str]], measurement: Measurement, name: str, files: int
) -> int:
    """How many rows of the table of doubtful bones have room on the page.

    Args:
        reasons (Sequence[Sequence[str]]): flags of the bones, in the order of the rows.
        measurement (Measurement): whose curves and flags come first.
        name (str): of the case.
        files (int): number of files that it was made from.

    Returns:
        int: :data:`MOST_ROWS` at most, and not less than :data:`LEAST_ROWS` if there are
        as many: of a case with even more flags, a second sheet says the rest.
    """
    left = LINES - CURVE * (_lines(name, NAME) - 1)
    left -= max(files - USUAL_FILES, 0) / 2 * CURVE
    if measurement.curves:
        left -= HEADING * CURVE
    for curve in measurement.curves:
        left -= CURVE * _lines(flags(curve.flags), CURVE_FLAGS)
    if measurement.flags:
        left -= HEADING
    left -= sum(_lines(flag(one), CASE) for one in measurement.flags)
    rows = 0
    for names in reasons[:MOST_ROWS]:
        left -= ROW + MORE * (_lines(flags(names), BONE_FLAGS) - 1)
        if left < 0 and rows >= LEAST_ROWS:
            break
        rows += 1
    return rows


def _lines(text: str, width: int) -> int:
    return max(math.ceil(len(text) / width), 1)
