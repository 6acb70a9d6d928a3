"""The part of the chain that works on a few numbers, and is repeated for the interval:
levels, center line, tilts, curves."""

from typing import List, NamedTuple, Optional, Tuple

import numpy as np

from .center_line import (
    SMOOTHING,
    CenterLine,
    fit_line,
    likely_smoothing,
    robust_spline,
    smoothing_spline,
)
from .levels import LUMBAR, Level, Pieces, find_levels, middles

# Chosen on phantoms (studies/curve, seeds of their own): the usual strength of smoothing
# where levels are one unit apart; what the normal of the center line counts beside a line
# through bones, a weak prior; and what a lump's line counts beside that of a pair, which
# is half as noisy.
TILT_SMOOTHING = 0.05
LINE_PRIOR = 0.25
LUMP_WEIGHT = 0.5
LEAST_NOISE = 1.5  # deg, of a bone's line, that is never taken for an outlier
LEAST_CURVE = 5.0  # deg: what turns less is no curve
LEAST_PAIRS = 5  # levels with both sides; fewer are not measured
LEAST_LEVELS = 3  # from one end level to the other, both counted


class Tilts(NamedTuple):
    """Tilts of the levels in degrees; positive raises the right end.

    Attributes:
        own (np.ndarray): (L,) of the line through the bones, nan where a side is missing.
        line (np.ndarray): (L,) of the normal of the center line.
        smooth (np.ndarray): (L,) the smoothed one, for every level.
        trust (np.ndarray): (L,) in (0, 1], low where a level does not fit the others.
    """

    own: np.ndarray
    line: np.ndarray
    smooth: np.ndarray
    trust: np.ndarray


class Turn(NamedTuple):
    """A curve: the spine turns one way between two end levels (indices)."""

    upper: int
    lower: int


class Spine(NamedTuple):
    """What follows from the pieces of a mask.

    Attributes:
        levels (list[Level]): from the top down.
        line (CenterLine): through their middles.
        tilts (Tilts): of the levels.
        x, y (np.ndarray): (L,) their middles.
    """

    levels: List[Level]
    line: CenterLine
    tilts: Tilts
    x: np.ndarray
    y: np.ndarray

    @property
    def paired(self) -> np.ndarray:
        """(L,) bool, which levels have a line of their own."""
        return np.isfinite(self.tilts.own)


def own_tilts(pieces: Pieces, levels: List[Level]) -> np.ndarray:
    """The tilts of the lines through the bones, (L,) in degrees, nan without a pair."""
    left = np.array([level.left for level in levels])
    right = np.array([level.right for level in levels])
    tilts = np.degrees(
        np.arctan2(pieces.y[left] - pieces.y[right], pieces.x[right] - pieces.x[left])
    )
    return np.where((left >= 0) & (right >= 0), tilts, np.nan)


def smooth_tilts(
    own: np.ndarray,
    line: np.ndarray,
    s: np.ndarray,
    lumbar: np.ndarray,
    stiffer: float = 1.0,
) -> Tuple[np.ndarray, np.ndarray]:
    """Smooths the tilts along the spine, robustly.

    The extremes of noisy tilts are too large: 17 straight levels with a noise of 2 deg
    show an angle of 7 deg. So they are smoothed before extremes are looked for, as
    strongly as these very tilts suggest: those of a straight spine more than those of a
    curved one, and noisy ones more than others.

    Args:
        own (np.ndarray): (L,) deg, of the lines through the bones, nan without one.
        line (np.ndarray): (L,) deg, of the normals of the center line.
        s (np.ndarray): (L,) places along the spine, in distances between levels, rising.
        lumbar (np.ndarray): (L,) bool.
        stiffer (float): factor of that strength. Default: 1.

    Returns:
        tuple[np.ndarray, np.ndarray]: (L,) deg, and the trust in each level.
    """
    known = np.isfinite(own)
    weight = np.where(known, np.where(lumbar, LUMP_WEIGHT, 1.0), 0.0)
    values = weight * np.where(known, own, 0) + LINE_PRIOR * line
    weight = weight + LINE_PRIOR
    at = s + 1e-6 * np.arange(len(s))  # two one-sided levels at a place
    values /= weight
    _, trust = robust_spline(at, values, weight, TILT_SMOOTHING, LEAST_NOISE)
    weight *= trust
    strength = stiffer * likely_smoothing(at, values, weight, TILT_SMOOTHING)
    return smoothing_spline(at, values, weight, strength)(at), trust


def follow(
    pieces: Pieces, line: CenterLine, unit: float, stiffer: float = 1.0
) -> Optional[Spine]:
    """Goes from bones to the tilt of every level.

    Args:
        pieces (Pieces): ellipses and lobes.
        line (CenterLine): that tells the sides apart.
        unit (float): distance between levels.
        stiffer (float): see :func:`smooth_tilts`.

    Returns:
        Spine | None: None where fewer than :data:`LEAST_PAIRS` levels have both sides.
    """
    return settle(pieces, find_levels(pieces, line, unit), line, unit, stiffer)


def settle(
    pieces: Pieces,
    levels: List[Level],
    line: CenterLine,
    unit: float,
    stiffer: float = 1.0,
) -> Optional[Spine]:
    """Goes from levels to their tilts; see :func:`follow`."""
    own = own_tilts(pieces, levels)
    if np.isfinite(own).sum() < LEAST_PAIRS:
        return None
    line = fit_line(*middles(pieces, levels, line), unit, SMOOTHING)
    x, y, _ = middles(pieces, levels, line)
    s, _ = line.project(x, y)
    order = np.argsort(s, kind='stable')
    levels = [levels[n]._replace(s=float(s[n])) for n in order]
    own, s, x, y = own[order], s[order], x[order], y[order]
    normal = np.degrees(line.tilt_at(s))
    lumbar = np.array([level.label == LUMBAR for level in levels])
    smooth, trust = smooth_tilts(own, normal, s / unit, lumbar, stiffer)
    return Spine(levels, line, Tilts(own, normal, smooth, trust), x, y)


def turning_points(tilts: np.ndarray, least: float = LEAST_CURVE) -> List[int]:
    """Alternating extremes that differ by ``least`` or more.

    The greatest and the least tilt are among them.

    Args:
        tilts (np.ndarray): (L,) deg.
        least (float): deg.

    Returns:
        list[int]: indices, rising; none where all tilts differ by less.
    """
    if not len(tilts) or np.ptp(tilts) < least:
        return []
    high = low = 0  # the extremes since the last point that is settled
    rising = 0  # 0 before the first turn
    points: List[int] = []
    for n, tilt in enumerate(tilts):
        high = n if tilt > tilts[high] else high
        low = n if tilt < tilts[low] else low
        if rising >= 0 and tilts[high] - tilt >= least:
            points.append(high)
            rising, low = -1, n
        elif rising <= 0 and tilt - tilts[low] >= least:
            points.append(low)
            rising, high = 1, n
    return [*points, high if rising > 0 else low]


def find_turns(tilts: np.ndarray, usable: np.ndarray) -> List[Turn]:
    """The curves of a spine.

    Args:
        tilts (np.ndarray): (L,) smoothed, deg.
        usable (np.ndarray): (L,) bool, which levels can be end levels.

    Returns:
        list[Turn]: from the top down.
    """
    index = np.flatnonzero(usable)
    points = [int(index[n]) for n in turning_points(tilts[index])]
    return [Turn(a, b) for a, b in zip(points, points[1:]) if b - a + 1 >= LEAST_LEVELS]


def largest_angle(tilts: np.ndarray, usable: np.ndarray) -> float:
    """The angle of the largest curve; of a spine without any, its range of tilts."""
    turns = find_turns(tilts, usable)
    if turns:
        return float(max(abs(tilts[a] - tilts[b]) for a, b in turns))
    return float(np.ptp(tilts[usable]))
