"""How far the angles would have been others: the chain, repeated on changed bones.

Each repetition moves every bone by as much as the lines of this very spine scatter (and
as its outline moves with the threshold, where probabilities are given), leaves out one
level in ten, and smooths more or less. It has nothing of the scan, of the operator or of
the patient's posture: it is the repeatability of the measurement.
"""

from typing import List, NamedTuple, Optional

import numpy as np

from .center_line import CenterLine
from .levels import Pieces
from .spine import TILT_SMOOTHING, Spine, Turn, follow, largest_angle

REPETITIONS = 50
LEVEL = 0.9  # share of cases in which the truth is to be within the interval
DROPPED = 0.1
LEAST_JITTER = 0.012  # of a bone's center, in distances between levels
SMOOTHING_SPREAD = 0.5  # standard deviation of the log of the strength
# Half the width is so many standard deviations of the repetitions, and at least so many
# degrees, calibrated on phantoms (studies/curve, seeds of their own): on true masks, and,
# with probabilities, on masks that the ready weights predict. What a model gets wrong
# moves bones further than its thresholds do.
FACTOR = 1.9
PREDICTED_FACTOR = 2.75
LEAST_HALF_WIDTH = 1.6
SPREAD_FACTOR = 3.0


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
        smoothing = TILT_SMOOTHING * float(np.exp(rng.normal(0, SMOOTHING_SPREAD)))
        again = follow(pieces.moved(dx, dy).take(kept), line, unit, smoothing)
        if again is None:
            continue
        largest.append(largest_angle(again.tilts.smooth, again.paired))
        tilt = np.interp(spine.y, again.y, again.tilts.smooth)
        tilts.append(tilt)
        angles.append([_angle(tilt, turn, spine.tilts.smooth) for turn in turns])
    if len(largest) < REPETITIONS / 2:
        return None
    factor = FACTOR if spread is None else PREDICTED_FACTOR
    half = [
        np.hypot(factor * np.std(values, axis=0), LEAST_HALF_WIDTH)
        for values in (largest, angles, tilts)
    ]
    if turns:
        sizes = [abs(np.subtract(*spine.tilts.smooth[list(turn)])) for turn in turns]
        half[1][int(np.argmax(sizes))] = half[0]
    return Repeated(float(half[0]), half[1], half[2])


def _angle(tilt: np.ndarray, turn: Turn, measured: np.ndarray) -> float:
    """The angle of a curve in a repetition, whose end levels may be the next ones."""
    sign = 1 if measured[turn.upper] > measured[turn.lower] else -1
    upper = sign * tilt[max(turn.upper - 1, 0) : turn.upper + 2]
    lower = sign * tilt[max(turn.lower - 1, 0) : turn.lower + 2]
    return float(upper.max() - lower.min())
