"""How far the angles would have been others: the chain, repeated on changed bones.

Each repetition moves every bone by as much as the lines of this very spine scatter (and
as its outline moves with the threshold, where probabilities are given), leaves out one
level in ten, and smooths more or less. From this, and from how far bones and center line
disagree, follows the width of the interval, calibrated on phantoms. It has nothing of the
scan, of the operator or of the patient's posture: it is the repeatability of the
measurement.
"""

from typing import Any, List, NamedTuple, Optional

import numpy as np

from .center_line import CenterLine
from .levels import Pieces
from .spine import Spine, Turn, follow, largest_angle

REPETITIONS = 50
LEVEL = 0.9  # share of cases in which the truth is to be within the interval
DROPPED = 0.1
LEAST_JITTER = 0.012  # of a bone's center, in distances between levels
SMOOTHING_SPREAD = 0.5  # standard deviation of the log of the strength
SPREAD_FACTOR = 3.0  # what a model gets wrong moves bones further than its thresholds do


class Width(NamedTuple):
    """Of what half the width is the root of the sum of squares.

    Attributes:
        factor (float): of the standard deviation of the repetitions.
        least (float): deg.
        line (float): of the difference from the same angle of the center line, which
            hears of the mistakes of a model in another way.
    """

    factor: float
    least: float
    line: float

    def half(self, values: Any, off_line: Any) -> np.ndarray:
        """Half the width of intervals.

        Args:
            values (array_like): (R, ...) deg, of the repetitions.
            off_line (array_like): (...) deg, difference from the center line.
        """
        spread = self.factor * np.std(values, axis=0)
        return np.sqrt(
            spread**2 + self.least**2 + (self.line * np.asarray(off_line)) ** 2
        )


# Calibrated on phantoms (studies/curve, seeds of their own; none of the families that no
# weights ever see) to hold the truth in 92% of the cases, a little more than
# :data:`LEVEL`, since other families are harder: on true masks, and, where there are
# probabilities, on masks that the ready weights predict.
TRUE_MASK = Width(1.5, 1.6, 0.25)
PREDICTED = Width(1.75, 2.0, 1.0)


class Repeated(NamedTuple):
    """Half widths of intervals, in degrees.

    Attributes:
        largest (float): of the largest angle.
        turns (np.ndarray): (C,) of the angle of each curve; that of the largest curve is
            ``largest``.
        tilts (np.ndarray): (L,) of the smoothed tilt of each level.
    """

    largest: float
    turns: np.ndarray
    tilts: np.ndarray


def bone_jitter(pieces: Pieces, spine: Spine, unit: float) -> float:
    """By how much the centers of the bones scatter, from the lines through them.

    Args:
        pieces (Pieces): of the spine.
        spine (Spine): measured.
        unit (float): distance between levels.

    Returns:
        float: standard deviation in columns.
    """
    off = np.radians(spine.tilts.own - spine.tilts.smooth)[spine.paired]
    pairs = [level for level in spine.levels if min(level.left, level.right) >= 0]
    left = np.array([level.left for level in pairs])
    right = np.array([level.right for level in pairs])
    base = np.hypot(pieces.x[right] - pieces.x[left], pieces.y[right] - pieces.y[left])
    scatter = 1.48 * float(np.median(np.abs(off) * base)) / np.sqrt(2)
    return max(scatter, LEAST_JITTER * unit)


def repeat(
    pieces: Pieces,
    line: CenterLine,
    unit: float,
    spine: Spine,
    turns: List[Turn],
    spread: Optional[np.ndarray] = None,
    seed: int = 0,
) -> Optional[Repeated]:
    """Repeats the chain.

    Args:
        pieces (Pieces): ellipses and lobes.
        line (CenterLine): that told their sides apart.
        unit (float): distance between levels.
        spine (Spine): what was measured.
        turns (list[Turn]): its curves.
        spread (np.ndarray, optional): (N,) columns, by which the center of each piece
            moves with the threshold of the probabilities. Default: unknown.
        seed (int): of the draws.

    Returns:
        Repeated | None: None where most repetitions could not be measured.
    """
    rng = np.random.default_rng(seed)
    jitter = np.full(len(pieces), bone_jitter(pieces, spine, unit))
    if spread is not None:
        jitter = np.hypot(jitter, SPREAD_FACTOR * spread)
    members = [[n for n in (level.left, level.right) if n >= 0] for level in spine.levels]
    largest, angles, tilts = [], [], []
    for _ in range(REPETITIONS):
        dx, dy = rng.normal(size=(2, len(pieces))) * jitter
        kept = np.ones(len(pieces), bool)
        for pair, draw in zip(members, rng.random(len(members))):
            kept[pair] = draw >= DROPPED
        stiffer = float(np.exp(rng.normal(0, SMOOTHING_SPREAD)))
        again = follow(pieces.moved(dx, dy).take(kept), line, unit, stiffer)
        if again is None:
            continue
        largest.append(largest_angle(again.tilts.smooth, again.paired))
        tilt = np.interp(spine.y, again.y, again.tilts.smooth)
        tilts.append(tilt)
        angles.append([_angle(tilt, turn, spine.tilts.smooth) for turn in turns])
    if len(largest) < REPETITIONS / 2:
        return None
    width = TRUE_MASK if spread is None else PREDICTED
    smooth, normal = spine.tilts.smooth, spine.tilts.line
    sizes, lines = (
        np.array([abs(part[turn.upper] - part[turn.lower]) for turn in turns])
        for part in (smooth, normal)
    )
    half = width.half(angles, sizes - lines)
    if turns:
        first = int(sizes.argmax())
        half[first] = width.half(largest, sizes[first] - lines[first])
        most = float(half[first])
    else:
        off = largest_angle(smooth, spine.paired) - np.ptp(normal)
        most = float(width.half(largest, off))
    # An angle is the difference of two tilts.
    narrow = width._replace(least=width.least / np.sqrt(2))
    return Repeated(most, half, narrow.half(tilts, smooth - normal))


def _angle(tilt: np.ndarray, turn: Turn, measured: np.ndarray) -> float:
    """The angle of a curve in a repetition, whose end levels may be the next ones."""
    sign = 1 if measured[turn.upper] > measured[turn.lower] else -1
    upper = sign * tilt[max(turn.upper - 1, 0) : turn.upper + 2]
    lower = sign * tilt[max(turn.lower - 1, 0) : turn.lower + 2]
    return float(upper.max() - lower.min())
