"""Bones as polygons: the outline of a mask, and the pixels that polygons enclose.

Coordinates are those in which annotation tools draw: x to the right and y down, in pixels
from the top left corner of the picture. The first pixel reaches from 0 to 1, and its
center is at 0.5.
"""

from typing import List, Sequence, Tuple

import numpy as np
from skimage import draw, measure

# How far an outline may be from the one between the pixels, in px. The latter passes
# every center at 0.354 or more: up to that, no pixel changes sides. The other is what a
# person can edit, a quarter of the points (docs/correct.md has the figures).
EXACT, SMOOTH = 0.35, 0.75
SMALL = 400  # px: what has less would lose its form


def outline(mask: np.ndarray) -> List[np.ndarray]:
    """The polygons of a bone, one for each of its pieces.

    No format of annotation tools has holes. One is kept by a cut from the outline to its
    edge and back, of no width: what lies in it is outside by the rules of all programs
    that fill polygons.

    Args:
        mask (np.ndarray): (H, W) bool, best of the bone's surroundings only.

    Returns:
        list[np.ndarray]: each (N, 2) float, x and y, to a hundredth of a pixel; the last
        point is not the first one again. Empty for an empty mask.
    """
    rings = [
        ring[:, ::-1] - 0.5  # the margin of a pixel, less half a pixel to the corner
        for ring in measure.find_contours(
            np.pad(mask, 1).astype(float), 0.5, fully_connected='high'
        )
    ]
    if not rings:
        return []
    areas = np.array([_area(ring) for ring in rings])
    # The other way round than the largest ring, which is no hole, run the holes.
    around = np.sign(areas) == np.sign(areas[np.abs(areas).argmax()])
    pieces = {n: _simplified(rings[n]) for n in np.flatnonzero(around)}
    for n in np.flatnonzero(~around):
        # In the smallest piece around it; a piece can lie in the hole of another.
        owner = min(
            (m for m in pieces if measure.points_in_poly(rings[n][:1], rings[m])[0]),
            key=lambda m: abs(areas[m]),
        )
        pieces[owner] = _joined(pieces[owner], _simplified(rings[n]))
    return [np.round(piece, 2) for piece in pieces.values()]


def fill(pieces: Sequence[np.ndarray], shape: Tuple[int, int]) -> np.ndarray:
    """The pixels whose centers lie in one of several polygons.

    Args:
        pieces (Sequence[np.ndarray]): each (N, 2), x and y; what lies twice in a polygon
            that crosses itself is outside.
        shape (tuple[int, int]): (H, W); polygons may leave the picture.

    Returns:
        np.ndarray: (H, W) bool.
    """
    filled = np.zeros(shape, bool)
    for piece in pieces:
        filled[draw.polygon(piece[:, 1] - 0.5, piece[:, 0] - 0.5, shape)] = True
    return filled


def window_of(
    pieces: Sequence[np.ndarray], shape: Tuple[int, int]
) -> Tuple[slice, slice]:
    """The rows and the columns of a picture that polygons reach.

    Args:
        pieces (Sequence[np.ndarray]): each (N, 2), x and y.
        shape (tuple[int, int]): (H, W); what is beyond is left out.

    Returns:
        tuple[slice, slice]: empty where all of it is beyond.
    """
    corners = np.concatenate(pieces)[:, ::-1]
    low = np.clip(np.floor(corners.min(axis=0)), 0, shape).astype(int).tolist()
    high = np.clip(np.ceil(corners.max(axis=0)), 0, shape).astype(int).tolist()
    return slice(low[0], high[0]), slice(low[1], high[1])


def area_of(pieces: Sequence[np.ndarray]) -> float:
    """What polygons enclose, in square pixels."""
    return float(sum(abs(_area(piece)) for piece in pieces))


def _area(ring: np.ndarray) -> float:
    """Of a polygon, positive or negative by the direction in which it runs."""
    x, y = ring.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _simplified(ring: np.ndarray) -> np.ndarray:
    """A closed ring with fewer points, without the last one, which is the first."""
    tolerance = SMOOTH if abs(_area(ring)) >= SMALL else EXACT
    return measure.approximate_polygon(ring, tolerance)[:-1]


def _joined(piece: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """A polygon with a cut to a hole, where both are closest."""
    apart = np.linalg.norm(piece[:, None] - hole, axis=2)
    at, to = np.unravel_index(apart.argmin(), apart.shape)
    return np.concatenate([piece[: at + 1], hole[to:], hole[: to + 1], piece[at:]])
