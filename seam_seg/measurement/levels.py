"""Which bone on the left belongs to which one on the right.

A level is a pair of thoracic ellipses or the two wings of a lump. Pairs are found by
dynamic programming: order is kept on both sides, and a bone may be left without a partner
at a price. Neither the nearest partner nor a greedy choice would do: one bone missing on
one side would shift all pairs below it.
"""

from dataclasses import dataclass, replace
from typing import List, NamedTuple, Tuple

import numpy as np

from .center_line import CenterLine

RIB, THORACIC, LUMBAR = 1, 2, 3  # labels of the masks
# What makes a pair expensive, each as a standard deviation, whose square is added.
ALONG = 0.15  # difference along the line, in distances between levels
AREA = 0.7  # log of the ratio of areas
BESIDE = 0.6  # log of the ratio of distances from the line
JUMP = np.radians(8)  # of the tilt against the normal of the line, from pair to pair
LARGEST_JUMP = 2.0  # so that jumps alone leave no bone without a partner
# What a bone without a partner costs; a pair that costs more than two is none.
MISSING = 3.0
APART = 1.3  # least distance of a pair of ellipses, in their widths
# Nothing further apart than this (in distances between levels) is one level.
FARTHEST = 0.6


@dataclass(frozen=True)
class Pieces:
    """Thoracic ellipses and wings of lumps, one by one.

    Attributes:
        x, y (np.ndarray): (N,) centers, in columns (widths of a pixel).
        label (np.ndarray): (N,) class.
        area (np.ndarray): (N,) in squares of a column.
        group (np.ndarray): (N,) the bone of a map of instances, or -1.
        lump (np.ndarray): (N,) a number that two wings share which are in one piece, as
            long as it has no more than these two, else -1.
        whole (np.ndarray): (N,) bool, False for a part that was cut out of a larger one.
    """

    x: np.ndarray
    y: np.ndarray
    label: np.ndarray
    area: np.ndarray
    group: np.ndarray
    lump: np.ndarray
    whole: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def moved(self, dx: np.ndarray, dy: np.ndarray) -> 'Pieces':
        """The same at other centers."""
        return replace(self, x=self.x + dx, y=self.y + dy)

    def take(self, index: np.ndarray) -> 'Pieces':
        """Those at an index, or where a mask is True."""
        return Pieces(
            self.x[index],
            self.y[index],
            self.label[index],
            self.area[index],
            self.group[index],
            self.lump[index],
            self.whole[index],
        )


class Level(NamedTuple):
    """A vertebra as the mask shows it.

    Attributes:
        left, right (int): index of a piece, -1 where that side is missing.
        label (int): class.
        s (float): length of the center line above it.
    """

    left: int
    right: int
    label: int
    s: float


def pair_costs(
    pieces: Pieces, s: np.ndarray, u: np.ndarray, left: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """What each pair costs by itself.

    Args:
        pieces (Pieces): N of them.
        s (np.ndarray): (N,) places along the center line, in distances between levels.
        u (np.ndarray): (N,) distances from it, likewise.
        left, right (np.ndarray): (L,), (R,) indices of the pieces on the two sides.

    Returns:
        np.ndarray: (L, R), inf where the two are no pair.
    """
    along = s[left][:, None] - s[right]
    areas = np.log(pieces.area[left][:, None] / pieces.area[right])
    away = np.maximum(np.abs(u), 1e-6)
    beside = np.log(away[left][:, None] / away[right])
    cost = (along / ALONG) ** 2 + (areas / AREA) ** 2 + (beside / BESIDE) ** 2
    lumps = pieces.lump[left][:, None], pieces.lump[right]
    known = (lumps[0] >= 0) & (lumps[1] >= 0)
    cost[known & (lumps[0] == lumps[1])] = 0
    other = pieces.label[left][:, None] != pieces.label[right]
    # A line that does not run from left to right has no tilt; and two thoracic pieces
    # that are closer than they are wide are parts of one, which the center line crosses.
    run = pieces.x[right] - pieces.x[left][:, None]
    width = np.sqrt((pieces.area[left][:, None] + pieces.area[right]) / 2)
    thoracic = pieces.label[left] == THORACIC
    crossed = run <= np.where(thoracic[:, None], APART * width, 0)
    far = np.abs(along) > FARTHEST
    cost[other | crossed | far | (known & (lumps[0] != lumps[1]))] = np.inf
    return cost


def best_pairs(cost: np.ndarray, turn: np.ndarray) -> List[Tuple[int, int]]:
    """Chooses pairs in order, one partner each, so that the sum of the costs is least.

    A bone without a partner costs :data:`MISSING`; from one pair to the next the change
    of ``turn``, divided by :data:`JUMP` and squared, is added, :data:`LARGEST_JUMP` at
    most.

    Args:
        cost (np.ndarray): (L, R) of each pair, inf where it is none.
        turn (np.ndarray): (L, R) rad, of the line of each pair.

    Returns:
        list[tuple[int, int]]: indices on the left and on the right, both increasing.
    """
    i, j = np.nonzero(np.isfinite(cost))  # by i, then by j: predecessors come first
    if not len(i):
        return []
    total = np.empty(len(i))
    before = np.full(len(i), -1)
    for n in range(len(i)):
        total[n] = MISSING * (i[n] + j[n])
        earlier = np.flatnonzero((i[:n] < i[n]) & (j[:n] < j[n]))
        if len(earlier):
            skipped = (i[n] - i[earlier] - 1) + (j[n] - j[earlier] - 1)
            jump = (turn[i[n], j[n]] - turn[i[earlier], j[earlier]]) / JUMP
            sums = total[earlier] + MISSING * skipped + np.minimum(jump**2, LARGEST_JUMP)
            best = sums.argmin()
            if sums[best] < total[n]:
                total[n], before[n] = sums[best], earlier[best]
        total[n] += cost[i[n], j[n]]
    rest = MISSING * ((cost.shape[0] - 1 - i) + (cost.shape[1] - 1 - j))
    n = int((total + rest).argmin())
    if (total + rest)[n] >= MISSING * sum(cost.shape):
        return []
    pairs = []
    while n >= 0:
        pairs.append((int(i[n]), int(j[n])))
        n = before[n]
    return pairs[::-1]


def find_levels(pieces: Pieces, line: CenterLine, unit: float) -> List[Level]:
    """Pairs the pieces on the left of a line with those on its right.

    Args:
        pieces (Pieces): all of them.
        line (CenterLine): between the two sides.
        unit (float): distance between levels.

    Returns:
        list[Level]: from the top down; a piece without a partner is a level of one side.
    """
    s, u = line.project(pieces.x, pieces.y)
    order = np.argsort(s, kind='stable')
    left, right = order[u[order] < 0], order[u[order] >= 0]
    cost = pair_costs(pieces, s / unit, u / unit, left, right)
    rise = pieces.y[left][:, None] - pieces.y[right]
    run = np.maximum(pieces.x[right] - pieces.x[left][:, None], 1e-6 * unit)
    middle = (s[left][:, None] + s[right]) / 2
    turn = np.arctan2(rise, run) - line.tilt_at(middle)
    pairs = best_pairs(cost, turn)
    levels = [
        Level(
            int(left[i]), int(right[j]), int(pieces.label[left[i]]), float(middle[i, j])
        )
        for i, j in pairs
    ]
    alone_left = np.delete(left, [i for i, _ in pairs])
    alone_right = np.delete(right, [j for _, j in pairs])
    levels += [Level(int(n), -1, int(pieces.label[n]), float(s[n])) for n in alone_left]
    levels += [Level(-1, int(n), int(pieces.label[n]), float(s[n])) for n in alone_right]
    return sorted(levels, key=lambda level: level.s)


def middles(
    pieces: Pieces, levels: List[Level], line: CenterLine
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The middle of each level, for a better center line.

    Args:
        pieces (Pieces): all of them.
        levels (list[Level]): L of them.
        line (CenterLine): so far.

    Returns:
        tuple[np.ndarray, np.ndarray, np.ndarray]: (L,) x, y and weights. Where a side
        is missing, the middle is as far from the other as is usual in its class, and
        counts a fifth.
    """
    left = np.array([level.left for level in levels])
    right = np.array([level.right for level in levels])
    label = np.array([level.label for level in levels])
    both = (left >= 0) & (right >= 0)
    x = (pieces.x[left] + pieces.x[right]) / 2
    y = (pieces.y[left] + pieces.y[right]) / 2
    half = (pieces.x[right] - pieces.x[left]) / 2
    for n in np.flatnonzero(~both):
        known = both & (label == label[n])
        usual = (
            float(np.median(half[known if known.any() else both])) if both.any() else 0
        )
        side, piece = (1, left[n]) if left[n] >= 0 else (-1, right[n])
        tilt = float(line.tilt_at(np.array([levels[n].s]))[0])
        x[n] = pieces.x[piece] + side * usual * np.cos(tilt)
        y[n] = pieces.y[piece] - side * usual * np.sin(tilt)
    return x, y, np.where(both, 1.0, 0.2)
