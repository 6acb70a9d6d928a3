"""From the pixels of a mask to bones: the only part that looks at the image plane.

Lumps often run together along the dark midline, where the two sides of a wide pair of
ellipses may touch as well. So a strip along the center line is left out first; the wings
that remain are told apart like ellipses. What is still too tall for one bone is cut where
it is narrowest. Each round has a better center line than the one before.

All of this is done in square units, the width of a pixel: a strip across a lump that is
drawn askew, in a plane that is stretched, would not be across it in the patient.
"""

from dataclasses import dataclass, replace
from typing import Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np
from scipy import ndimage, signal

from .center_line import SMOOTHING, CenterLine, fit_line, sample_line
from .levels import LUMBAR, RIB, THORACIC, Level, Pieces, find_levels, middles
from .spine import LEAST_PAIRS

ROUNDS = 3
FEWEST_LEVELS = 5  # a smoothing spline needs five points
# Half width of the strip that is left out, of the distance from the center line that 95%
# of a class lie within. In the middle of a lump are its roof and stem.
STRIP = {THORACIC: 0.12, LUMBAR: 0.33}
SPECK = 0.15  # of the usual area of its class
TALL = 1.45  # in usual heights: more than one bone
THRESHOLDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)  # of the probability of a pixel's class
USUAL_DISTANCE = 1.5  # between levels, in usual heights, until it is known
# A back has some 24 bones of a class, and 46 ellipses and wings. More parts than these
# are specks, or no spine, and would cost memory and time that grow with their square.
MOST_PARTS = 200
MOST_PIECES = 100


class NoSpine(Exception):
    """A mask cannot be measured; the message says why."""


@dataclass(frozen=True)
class Found:
    """What a mask shows, in columns: the widths of a pixel, downwards, too.

    Attributes:
        pieces (Pieces): ellipses and wings; the latter at the lobes of their lump.
        levels (list[Level]): from the top down.
        line (CenterLine): the last one.
        unit (float): distance between levels.
        axis (np.ndarray): (N,) rad, the principal axis of the lump that a piece belongs
            to, nan where it is of none.
        owner (np.ndarray): (P,) index of the piece of each pixel, or -1.
        rows, columns (np.ndarray): (P,) the pixels of both classes.
        ratio (float): height of a pixel over its width.
    """

    pieces: Pieces
    levels: List[Level]
    line: CenterLine
    unit: float
    axis: np.ndarray
    owner: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    ratio: float


def without_specks(labels: np.ndarray) -> np.ndarray:
    """A mask in which each class has its largest parts alone.

    Args:
        labels (np.ndarray): (H, W) labels.

    Returns:
        np.ndarray: (H, W) labels; of a class of more than :data:`MOST_PARTS` connected
        components, what is smaller than so many others is background.
    """
    kept = labels.copy()
    for label in (RIB, THORACIC, LUMBAR):
        count, parts, stats, _ = cv2.connectedComponentsWithStats(
            (labels == label).astype(np.uint8), connectivity=8
        )
        if count - 1 > MOST_PARTS:
            order = np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind='stable')
            speck = np.zeros(count, bool)
            speck[1 + order[MOST_PARTS:]] = True
            kept[speck[parts]] = 0
    return kept


def agreeing_instances(mask: np.ndarray, instances: np.ndarray) -> np.ndarray:
    """Those bones of a map that are still what the mask shows.

    A mask that was corrected differs from the map that was made with it. A connected
    component is taken from the map where each of its pixels has a bone there, and each of
    these bones covers pixels of this class alone.

    Args:
        mask (np.ndarray): (H, W) labels.
        instances (np.ndarray): (H, W) a number for each bone, 0 outside.

    Returns:
        np.ndarray: (H, W) int32, ``instances`` where they are to be used, else 0; nothing
        of a map of more bones than three classes can have parts.
    """
    used = np.zeros(mask.shape, np.int32)
    off = instances[(mask == 0) & (instances > 0)]
    spoiled = [np.unique(off)]
    seen: Dict[int, np.ndarray] = {}
    for label in (RIB, THORACIC, LUMBAR):
        seen[label] = np.unique(instances[mask == label])
    if sum(map(len, seen.values())) > 3 * MOST_PARTS:
        return used
    for one in seen:
        for other in seen:
            if one < other:
                spoiled.append(np.intersect1d(seen[one], seen[other]))
    bad = np.unique(np.concatenate([*spoiled, [0]]))
    for label in (RIB, THORACIC, LUMBAR):
        here = mask == label
        count, parts = cv2.connectedComponents(here.astype(np.uint8), connectivity=8)
        wrong = here & np.isin(instances, bad)
        good = np.bincount(parts[wrong], minlength=count) == 0
        good[0] = False
        fits = good[parts]
        used[fits] = instances[fits]
    return used


def typical(sizes: np.ndarray, areas: np.ndarray) -> float:
    """The size of the bone that the median pixel lies in: specks hardly count."""
    order = np.argsort(sizes, kind='stable')
    total = np.cumsum(areas[order])
    return float(sizes[order][np.searchsorted(total, total[-1] / 2)])


def first_line(rows: np.ndarray, columns: np.ndarray) -> CenterLine:
    """The mean column of the bones around each row, as a first center line.

    Args:
        rows (np.ndarray): (P,) of the pixels.
        columns (np.ndarray): (P,) of the pixels.
    """
    top, bottom = rows.min(), rows.max()
    count = 256
    at = np.rint((rows - top) / max(bottom - top, 1e-9) * (count - 1)).astype(int)
    area = np.bincount(at, minlength=count).astype(float)
    sums = np.bincount(at, columns, minlength=count)
    sigma = 0.05 * count
    area, sums = (
        ndimage.gaussian_filter1d(part, sigma, mode='nearest', truncate=30)
        for part in (area, sums)
    )
    y = np.linspace(top, max(bottom, top + 1), count)
    return sample_line(sums / np.maximum(area, 1e-12), y)


def cut_tall(
    v: np.ndarray, height: float, distance: float, evenly: bool = True
) -> np.ndarray:
    """Tells apart what lies one above the other in one component.

    Args:
        v (np.ndarray): (P,) places of its pixels along the center line.
        height (float): of one bone.
        distance (float): between bones.
        evenly (bool): also where it is nowhere narrow. Default: True.

    Returns:
        np.ndarray: (P,) int, a number for each bone, from 0.
    """
    extent = float(np.ptp(v))
    step = max(round(height / 32), 1)  # whole pixels, or rows would come in beats
    cell = ((v - v.min()) / step).astype(int)
    profile = np.bincount(cell).astype(float)
    smooth = ndimage.gaussian_filter1d(np.pad(profile, 1), 0.12 * height / step)
    peaks, _ = signal.find_peaks(
        smooth, distance=max(0.6 * height / step, 1), prominence=0.08 * smooth.max()
    )
    if len(peaks) > 1:
        cuts = [
            low + int(smooth[low:high].argmin()) - 1
            for low, high in zip(peaks, peaks[1:])
        ]
    else:
        number = int(np.rint((extent - height) / distance)) + 1 if evenly else 1
        cuts = [int(len(profile) * n / number) for n in range(1, number)]
    return np.searchsorted(cuts, cell, side='right')


def _components(
    mask: np.ndarray,
    known: Optional[np.ndarray],
    rows: np.ndarray,
    columns: np.ndarray,
    label: np.ndarray,
    u: np.ndarray,
) -> Tuple[np.ndarray, np.ndarray]:
    """Tells the pixels on both sides of the strip apart.

    Returns:
        tuple[np.ndarray, np.ndarray]: (P,) a number for each ellipse or wing from 1, 0
        for pixels in the strip; and for each number the bone of ``known``, or 0.
    """
    part = np.zeros(len(rows), np.int64)
    origin = [np.zeros(1, np.int64)]
    count = 1
    for name, share in STRIP.items():
        own = label == name
        if not own.any():
            continue  # no quantile
        half = max(share * float(np.quantile(np.abs(u[own]), 0.95)), 1.5)
        kept = own & (np.abs(u) > half)
        if not kept.any():
            continue
        plane = np.zeros(mask.shape, np.uint8)
        plane[rows[kept], columns[kept]] = 1
        _, parts = cv2.connectedComponents(plane, connectivity=8)
        here = parts[rows[kept], columns[kept]].astype(np.int64)
        bone = np.zeros(len(here), np.int64)
        if known is not None:
            bone = known[rows[kept], columns[kept]].astype(np.int64)
        # A component may be of several bones of the map, which touch.
        keys, index = np.unique(here * (bone.max() + 1) + bone, return_inverse=True)
        part[kept] = index + count
        origin.append(_single(keys % (bone.max() + 1), index, u[kept] > 0))
        count += len(keys)
    return part, np.concatenate(origin)


def _single(bone: np.ndarray, index: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Those bones of a map that show as one piece on a side, others as 0.

    A map may be one of connected components, as of a model that does not tell bones
    apart; a bone of it is then several of them.

    Args:
        bone (np.ndarray): (K,) number of the bone of each piece, 0 for none.
        index (np.ndarray): (P,) the piece of each pixel.
        right (np.ndarray): (P,) bool, the side of each pixel.

    Returns:
        np.ndarray: (K,) int.
    """
    area = np.bincount(index, minlength=len(bone))
    side = np.bincount(index, right, minlength=len(bone)) > area / 2
    single = bone.copy()
    for name in np.unique(bone[bone > 0]):
        for one in (False, True):
            own = np.flatnonzero((bone == name) & (side == one))
            if len(own) and (area[own] >= SPECK * area[own].max()).sum() > 1:
                single[bone == name] = 0
    return single


def _pieces(
    rows: np.ndarray,
    columns: np.ndarray,
    label: np.ndarray,
    v: np.ndarray,
    part: np.ndarray,
    origin: np.ndarray,
    whole: np.ndarray,
    right: np.ndarray,
    unit: Optional[float],
) -> Tuple[Pieces, np.ndarray, float]:
    """Drops specks, cuts what is too tall, and takes the centers.

    Args:
        rows (np.ndarray): (P,) of the pixels.
        columns (np.ndarray): (P,) of the pixels.
        label (np.ndarray): (P,) their class.
        v (np.ndarray): (P,) their places along the center line.
        part, origin (np.ndarray): from :func:`_components`.
        whole (np.ndarray): (P,) the connected component of each lumbar pixel, with the
            strip, 0 for others.
        right (np.ndarray): (P,) bool, the side of each pixel.
        unit (float, optional): distance between levels, where it is known already.

    Returns:
        tuple[Pieces, np.ndarray, float]: the pieces, (P,) the index of each pixel's, or
        -1, and the distance between levels.
    """
    order = np.argsort(part, kind='stable')
    edges = np.searchsorted(part[order], np.arange(len(origin) + 1))
    bundles = [order[a:b] for a, b in zip(edges[1:], edges[2:])]
    names = np.array([label[bundle[0]] for bundle in bundles])
    areas = np.array([float(len(bundle)) for bundle in bundles])
    heights = np.array([float(np.ptp(v[bundle])) + 1 for bundle in bundles])
    owner = np.full(len(part), -1)
    made: List[Tuple[np.ndarray, int, bool]] = []
    for name in np.unique(names):
        own = names == name
        area, height = typical(areas[own], areas[own]), typical(heights[own], areas[own])
        distance = USUAL_DISTANCE * height if unit is None else unit
        for n in np.flatnonzero(own & (areas >= SPECK * area)):
            bundle, bone = bundles[n], int(origin[n + 1])
            index = np.zeros(len(bundle), int)
            if heights[n] > TALL * height:
                # A map of bones may be one of connected components, as of a model that
                # does not tell bones apart: so what is known is cut at a waist, too.
                index = cut_tall(v[bundle], height, distance, evenly=not bone)
            if not index.any():
                made.append((bundle, bone, True))
                continue
            cut = [bundle[index == i] for i in range(index.max() + 1)]
            made += [(one, 0, False) for one in cut if len(one) >= SPECK * area]
    for index_of, (bundle, _, _) in enumerate(made):
        owner[bundle] = index_of
    pieces = Pieces(
        np.array([columns[bundle].mean() for bundle, _, _ in made]),
        np.array([rows[bundle].mean() for bundle, _, _ in made]),
        np.array([label[bundle[0]] for bundle, _, _ in made]),
        np.array([float(len(bundle)) for bundle, _, _ in made]),
        np.array([bone if bone else -1 for _, bone, _ in made]),
        _lumps([whole[b[0]] for b, _, _ in made], [right[b[0]] for b, _, _ in made]),
        np.array([entire for _, _, entire in made]),
    )
    return pieces, owner, float(np.median(heights)) * USUAL_DISTANCE


def _lumps(whole: List[int], right: List[bool]) -> np.ndarray:
    """The components (N,) of which two pieces are the only ones, one a side, else -1."""
    component, side = np.array(whole), np.array(right)
    lump = np.full(len(component), -1)
    for name in np.unique(component[component > 0]):
        own = component == name
        if own.sum() == 2 and side[own].sum() == 1:
            lump[own] = name
    return lump


def _distance_between(
    pieces: Pieces, s: np.ndarray, u: np.ndarray, guess: float
) -> float:
    """The usual distance from one piece to the next on its side."""
    gaps = [np.diff(np.sort(s[side])) for side in (u < 0, u >= 0)]
    gap = np.concatenate(gaps)
    gap = gap[gap > 0.4 * guess]
    return float(np.median(gap)) if len(gap) else guess


def principal_axis(x: np.ndarray, y: np.ndarray) -> float:
    """The direction in rad of the longest extent of points (P,), positive if the right
    end is raised, in [-pi / 2, pi / 2]."""
    dx, dy = x - x.mean(), y - y.mean()
    return -0.5 * float(np.arctan2(2 * (dx * dy).mean(), (dx**2).mean() - (dy**2).mean()))


def _lobes(
    pieces: Pieces,
    levels: List[Level],
    line: CenterLine,
    rows: np.ndarray,
    columns: np.ndarray,
    v: np.ndarray,
    lumbar: np.ndarray,
    owner: np.ndarray,
    half: float,
    unit: float,
) -> Tuple[Pieces, np.ndarray, np.ndarray]:
    """Takes the lobes of each lump on both sides of a strip across its own line.

    A strip along the center line cuts a lump askew whose line is not normal to it, and
    the line through such halves is less tilted than the lump.

    Args:
        half (float): half width of the strip.
        unit (float): distance between levels.

    Returns:
        tuple[Pieces, np.ndarray, np.ndarray]: the pieces with other centers, the
        principal axes, and the owners with the pixels of the strip.
    """
    x, y, owner = pieces.x.copy(), pieces.y.copy(), owner.copy()
    axis = np.full(len(pieces), np.nan)
    lumps = [level for level in levels if level.label == LUMBAR]
    if not lumps:
        return pieces, axis, owner
    # The strip's pixels go to the nearest lump.
    free = np.flatnonzero(lumbar & (owner < 0))
    places = np.array([level.s for level in lumps])
    near = np.abs(v[free][:, None] - places).argmin(axis=1)
    free, near = (
        part[np.abs(v[free] - places[near]) < 0.6 * unit] for part in (free, near)
    )
    first = np.array([max(level.left, level.right) for level in lumps])
    owner[free] = first[near]
    order = np.argsort(owner, kind='stable')
    edges = np.searchsorted(owner[order], np.arange(len(pieces) + 1))
    for level in lumps:
        if min(level.left, level.right) < 0:
            continue
        own = np.concatenate(
            [order[edges[n] : edges[n + 1]] for n in (level.left, level.right)]
        )
        px, py = columns[own], rows[own]
        axis[[level.left, level.right]] = principal_axis(px, py)
        middle = [float(part[0]) for part in line.point(np.array([level.s]))]
        for _ in range(2):
            turn = np.arctan2(
                y[level.left] - y[level.right], x[level.right] - x[level.left]
            )
            u = (px - middle[0]) * np.cos(turn) - (py - middle[1]) * np.sin(turn)
            sides = u < -half, u > half
            if not all(side.any() for side in sides):
                break
            for n, side in zip((level.left, level.right), sides):
                x[n], y[n] = px[side].mean(), py[side].mean()
    return pieces.moved(x - pieces.x, y - pieces.y), axis, owner


def edge_spread(found: Found, confidence: np.ndarray) -> np.ndarray:
    """By how much the center of each piece moves with the threshold.

    Args:
        found (Found): N pieces.
        confidence (np.ndarray): (H, W) probability of the class of each pixel.

    Returns:
        np.ndarray: (N,) columns, the standard deviation over the thresholds that leave a
        third of the piece or more.
    """
    own = found.owner >= 0
    owner, count = found.owner[own], len(found.pieces)
    sure = confidence[found.rows[own], found.columns[own]]
    x, y = found.columns[own].astype(float), found.ratio * found.rows[own]
    places = np.full((len(THRESHOLDS), 2, count), np.nan)
    whole = np.bincount(owner, minlength=count)
    for n, threshold in enumerate(THRESHOLDS):
        weight = (sure >= threshold).astype(float)
        area = np.bincount(owner, weight, minlength=count)
        enough = (area > whole / 3) & (area > 0)
        for axis, place in enumerate((x, y)):
            sums = np.bincount(owner, weight * place, minlength=count)
            places[n, axis, enough] = sums[enough] / area[enough]
    seen = np.isfinite(places)
    number = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, places, 0).sum(axis=0) / number
    square = (np.where(seen, places - mean, 0) ** 2).sum(axis=0) / number
    return np.sqrt(square.mean(axis=0))


def too_few(levels: Sequence[Level]) -> NoSpine:
    """What is wrong with a mask of these levels."""
    pairs = sum(min(level.left, level.right) >= 0 for level in levels)
    return NoSpine(
        f'too few levels: {pairs} with a bone on both sides, and {LEAST_PAIRS} are needed'
    )


def check_sides(paired: np.ndarray) -> None:
    """Refuses a mask most of whose levels have a bone on one side alone.

    Where a whole side is missing, the center line runs through the other one, and halves
    of its wings pass for pairs.

    Args:
        paired (np.ndarray): (L,) bool, whether a level has a bone on both sides.

    Raises:
        NoSpine: fewer than half of them have.
    """
    if 2 * paired.sum() < len(paired):
        raise NoSpine(
            f'{paired.sum()} of {len(paired)} levels have a bone on both sides, and half '
            'of them must: is a side of the scan missing?'
        )


def find_bones(
    mask: np.ndarray, instances: Optional[np.ndarray] = None, ratio: float = 1.0
) -> Found:
    """Finds ellipses, wings, levels and the center line of a mask.

    Args:
        mask (np.ndarray): (H, W) labels; what is neither thoracic nor lumbar is ignored.
        instances (np.ndarray, optional): (H, W) from :func:`agreeing_instances`.
        ratio (float): height of a pixel over its width. Default: 1.

    Returns:
        Found: what the mask shows.

    Raises:
        NoSpine: there are fewer than five levels, or more pieces than of any spine.
    """
    rows, columns = np.nonzero((mask == THORACIC) | (mask == LUMBAR))
    if len(rows) < FEWEST_LEVELS:
        raise too_few([])
    label = mask[rows, columns]
    y, x = ratio * rows, columns.astype(float)
    line = first_line(y, x)
    _, whole = cv2.connectedComponents((mask == LUMBAR).astype(np.uint8), connectivity=8)
    whole = whole[rows, columns]
    if instances is not None:  # lumps that touch are told apart
        bone = instances[rows, columns].astype(np.int64)
        whole = np.where((label == LUMBAR) & (bone > 0), whole.max() + bone, whole)
    last: Optional[float] = None
    for _ in range(ROUNDS):
        cx, tilt = np.interp(y, line.y, line.x), np.interp(y, line.y, line.tilt)
        u = (x - cx) * np.cos(tilt)
        v = np.interp(y, line.y, line.s) + (x - cx) * np.sin(tilt)
        part, origin = _components(mask, instances, rows, columns, label, u)
        if len(origin) == 1:
            raise too_few([])
        pieces, owner, guess = _pieces(y, x, label, v, part, origin, whole, u > 0, last)
        pieces = replace(pieces, area=ratio * pieces.area)
        if len(pieces) > MOST_PIECES:
            raise NoSpine(
                f'no spine: {len(pieces)} thoracic and lumbar parts of a like size, and '
                f'a spine has no more than {MOST_PIECES}'
            )
        s, away = line.project(pieces.x, pieces.y)
        last = unit = _distance_between(pieces, s, away, guess)
        levels = find_levels(pieces, line, unit)
        if len(levels) < FEWEST_LEVELS:
            raise too_few(levels)
        line = fit_line(*middles(pieces, levels, line), unit, SMOOTHING)
    lumbar = label == LUMBAR
    half = (
        STRIP[LUMBAR] * float(np.quantile(np.abs(u[lumbar]), 0.95)) if lumbar.any() else 0
    )
    pieces, axis, owner = _lobes(pieces, levels, line, y, x, v, lumbar, owner, half, unit)
    levels = find_levels(pieces, line, unit)
    return Found(pieces, levels, line, unit, axis, owner, rows, columns, ratio)
