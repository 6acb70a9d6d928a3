"""From the numbers of a spine to what is reported: names, sides, flags, bones."""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np

from .bones import SPECK, Found, typical
from .interval import Repeated
from .levels import LUMBAR, RIB, THORACIC
from .naming import Names, level_name, region_of
from .result import Bone, Curve, Interval, LevelResult, Settings, grade, patient_side
from .spine import Spine, Turn

CLASSES = {RIB: 'rib', THORACIC: 'thoracic', LUMBAR: 'lumbar'}
DISAGREE = 5.0  # deg between the three angles of a curve
FEW_LEVELS = 10  # with a line, of the 16 to 18 of a whole back
FEW_IN_CURVE = 5
MOST_LUMPS, MOST_PAIRS = 6, 12
AXIS = 10.0  # deg between the line through the lobes of a lump and its principal axis
OFF_LINE = 6.0  # deg between a bone's line and the smoothed tilt
UNUSUAL = 1.8  # times the usual area of its class, or a part of it


class Context(NamedTuple):
    """All that a description needs.

    Attributes:
        labels (np.ndarray): (h, w) labels of the frame around all bones.
        known (np.ndarray | None): (h, w) numbers of bones to keep, 0 elsewhere.
        free (int): the lowest number for a new bone.
        found (Found): pieces and pixels.
        spine (Spine): their levels and tilts.
        names (Names): of the levels.
        again (Repeated | None): the repetitions.
        settings (Settings): of the measurement.
        corner (tuple[int, int]): column and row of the frame's corner in the image.
    """

    labels: np.ndarray
    known: Optional[np.ndarray]
    free: int
    found: Found
    spine: Spine
    names: Names
    again: Optional[Repeated]
    settings: Settings
    corner: Tuple[int, int]

    def place(self, x: float, y: float) -> Tuple[float, float]:
        """A point in pixels of the image."""
        return float(x) + self.corner[0], float(y) / self.settings.ratio + self.corner[1]


def around(angle: float, half: float) -> Tuple[float, float]:
    """The interval of an angle, which cannot be negative, from half its width."""
    return max(angle - half, 0.0), angle + half


def describe_curve(context: Context, turn: Turn, index: int) -> Curve:
    """What is said of a curve.

    Args:
        context (Context): of the measurement.
        turn (Turn): its end levels.
        index (int): of the curve among all.
    """
    spine, settings = context.spine, context.settings
    upper, lower = turn
    tilts = spine.tilts
    sign = 1 if tilts.smooth[upper] > tilts.smooth[lower] else -1
    angle = abs(float(tilts.smooth[upper] - tilts.smooth[lower]))
    raw = abs(float(tilts.own[upper] - tilts.own[lower]))
    normals = sign * tilts.line[max(upper - 1, 0) : lower + 2]
    between = float(normals.max() - normals.min())
    s = _apex(context, turn)
    apex = int(np.abs([level.s - s for level in spine.levels]).argmin())
    x, y = (float(part[0]) for part in spine.line.point(np.array([s])))
    number = int(context.names.number[apex])
    image_side = 'right' if sign > 0 else 'left'
    flags = []
    lines = np.flatnonzero(spine.paired)  # no other level can be an end
    if upper == lines[0] or lower == lines[-1]:
        flags.append('may_be_truncated')
    if spine.paired[upper : lower + 1].sum() < FEW_IN_CURVE:
        flags.append('few_levels')
    if max(angle, raw, between) - min(angle, raw, between) > DISAGREE:
        flags.append('methods_disagree')
    place = context.place(x, y)
    again = context.again
    return Curve(
        angle_deg=angle,
        interval_deg=None if again is None else around(angle, again.turns[index]),
        raw_angle_deg=raw,
        center_line_angle_deg=between,
        upper=upper,
        lower=lower,
        upper_name=level_name(int(context.names.number[upper])),
        lower_name=level_name(int(context.names.number[lower])),
        apex=apex,
        apex_name=level_name(number),
        apex_x=place[0],
        apex_y=place[1],
        convex_to=image_side,
        side=patient_side(image_side, settings.image_left),
        region=region_of(number),
        severity=grade(angle, settings.severity),
        flags=flags,
    )


def _apex(context: Context, turn: Turn) -> float:
    """The place along the spine where the center line runs straight down, or, of a curve
    in which it does not, where its tilt is midway between its ends."""
    spine = context.spine
    ends = [spine.levels[n].s for n in turn]
    s = np.linspace(ends[0], ends[1], 200)
    tilt = spine.line.tilt_at(s)
    if tilt.min() < 0 < tilt.max():
        aim = 0.0
    else:
        aim = float(tilt[0] + tilt[-1]) / 2
    crossings = np.flatnonzero(np.diff(np.sign(tilt - aim)) != 0)
    if len(crossings):  # of several, the one nearest to the middle of the curve
        return float(s[crossings[np.abs(crossings - 99.5).argmin()]])
    return float(s[np.abs(tilt - aim).argmin()])


def component_bones(
    labels: np.ndarray, known: Optional[np.ndarray], classes: Sequence[int], first: int
) -> np.ndarray:
    """The connected components of some classes, and the known bones among them.

    Args:
        labels (np.ndarray): (h, w) labels.
        known (np.ndarray, optional): (h, w) numbers of bones to keep, 0 elsewhere.
        classes (Sequence[int]): of the bones.
        first (int): the lowest number of a new bone.

    Returns:
        np.ndarray: (h, w) int32 the numbers of the bones, 0 elsewhere and for specks.
    """
    numbers = np.zeros(labels.shape, np.int32)
    for label in classes:
        fresh = labels == label
        if known is not None:
            numbers[fresh] = known[fresh]
            fresh &= known == 0
        count, parts, stats, _ = cv2.connectedComponentsWithStats(
            fresh.astype(np.uint8), connectivity=8
        )
        areas = stats[1:, cv2.CC_STAT_AREA].astype(float)
        if not len(areas):
            continue
        kept = np.append(False, areas >= SPECK * typical(areas, areas))
        names = np.zeros(count, np.int32)
        names[kept] = first + np.arange(kept.sum())
        first += int(kept.sum())
        numbers[fresh] = names[parts[fresh]]
    return numbers


def list_bones(
    numbers: np.ndarray,
    labels: np.ndarray,
    middle: Optional[np.ndarray],
    corner: Tuple[int, int],
) -> List[Bone]:
    """The bones of a map.

    Args:
        numbers (np.ndarray): (h, w) a number for each bone.
        labels (np.ndarray): (h, w) labels.
        middle (np.ndarray, optional): (h,) columns of the center line. Default: the
            middle of all bones.
        corner (tuple[int, int]): column and row of the frame's corner.

    Returns:
        list[Bone]: from the top down, ribs last; small and large ones are flagged.
    """
    rows, columns = np.nonzero(numbers)
    names, index = np.unique(numbers[rows, columns], return_inverse=True)
    if not len(names):
        return []
    area = np.bincount(index).astype(float)
    x, y = (np.bincount(index, part) / area for part in (columns, rows))
    first = np.full(len(names), -1)
    first[index[::-1]] = np.arange(len(index))[::-1]
    label = labels[rows, columns][first]
    left, right = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    np.minimum.at(left, index, columns)
    np.maximum.at(right, index, columns)
    if middle is None:
        middle = np.full(len(labels), columns.mean())
    at = middle[np.rint(y).astype(int)]
    usual = {name: float(np.median(area[label == name])) for name in np.unique(label)}
    bones = []
    for n in np.lexsort((y, label == RIB)):
        share = area[n] / usual[label[n]]
        # A bone that reaches across the middle with a fifth of its width or more.
        reach = min(at[n] - left[n], right[n] - at[n]) / (right[n] - left[n] + 1)
        side = 'both' if reach > 0.2 else 'left' if x[n] < at[n] else 'right'
        flags = ['small'] if share < 1 / UNUSUAL else []
        flags += ['large'] if share > UNUSUAL else []
        place = float(x[n]) + corner[0], float(y[n]) + corner[1]
        name = CLASSES[int(label[n])]
        bones.append(Bone(int(names[n]), name, side, None, *place, int(area[n]), flags))
    return bones


def describe_levels(context: Context) -> Tuple[List[LevelResult], List[Bone], np.ndarray]:
    """What is said of levels and bones.

    Returns:
        tuple[list[LevelResult], list[Bone], np.ndarray]: and the map (h, w) of the bones.
    """
    found, spine = context.found, context.spine
    pieces, levels = found.pieces, spine.levels
    ids = _piece_ids(context)
    numbers = np.zeros(context.labels.shape, np.int32)
    owned = found.owner >= 0
    numbers[found.rows[owned], found.columns[owned]] = ids[found.owner[owned]]
    if context.known is not None:  # a bone of the map is what the map says it is
        kept = np.isin(context.known, np.unique(pieces.group[pieces.group > 0]))
        numbers[kept] = context.known[kept]
    free = max(context.free, int(numbers.max()) + 1)
    ribs = component_bones(context.labels, context.known, [RIB], free)
    numbers[ribs > 0] = ribs[ribs > 0]

    own = [[n for n in (level.left, level.right) if n >= 0] for level in levels]
    flags = [_level_flags(context, n) for n in range(len(levels))]
    names = [level_name(int(number)) for number in context.names.number]
    more: Dict[int, Tuple[str, List[str]]] = {}
    for n, members in enumerate(own):
        said = [flag for flag in flags[n] if flag not in ('gap_above', 'one_side')]
        said += ['no_partner'] if len(members) == 1 else []
        for piece in members:
            cut = [] if pieces.whole[piece] else ['cut_out']
            more[int(ids[piece])] = names[n], said + cut
    scale = np.arange(len(context.labels)) * context.settings.ratio
    middle = np.interp(scale, spine.line.y, spine.line.x)
    bones = []
    for bone in list_bones(numbers, context.labels, middle, context.corner):
        bones.append(bone.with_level(*more.get(bone.id, (None, []))))
    results = []
    for n, level in enumerate(levels):
        ends = [
            context.place(pieces.x[side], pieces.y[side]) if side >= 0 else None
            for side in (level.left, level.right)
        ]
        x, y = context.place(spine.x[n], spine.y[n])
        result = LevelResult(
            name=names[n],
            bone=CLASSES[level.label],
            x=x,
            y=y,
            left=ends[0],
            right=ends[1],
            tilt_deg=float(spine.tilts.own[n]) if spine.paired[n] else None,
            smooth_tilt_deg=float(spine.tilts.smooth[n]),
            smooth_tilt_interval_deg=_tilt_interval(context, n),
            center_line_tilt_deg=float(spine.tilts.line[n]),
            bones=sorted({int(ids[piece]) for piece in own[n]}),
            flags=flags[n],
        )
        results.append(result)
    return results, bones, numbers


def _piece_ids(context: Context) -> np.ndarray:
    """The bone (N,) of each piece: that of the map where it was used, else a new one."""
    pieces = context.found.pieces
    ids = pieces.group.copy()
    free = context.free
    for level in context.spine.levels:
        fresh = [n for n in (level.left, level.right) if n >= 0 and pieces.group[n] < 0]
        for n in fresh:
            ids[n] = free
            free += level.label != LUMBAR  # both wings are one bone
        free += bool(fresh) and level.label == LUMBAR
    return ids


def _tilt_interval(context: Context, n: int) -> Interval:
    if context.again is None:
        return None
    half = float(context.again.tilts[n])
    tilt = float(context.spine.tilts.smooth[n])
    return tilt - half, tilt + half


def _level_flags(context: Context, n: int) -> List[str]:
    """Why a level is doubtful."""
    spine, level = context.spine, context.spine.levels[n]
    flags = [] if spine.paired[n] else ['one_side']
    if n in context.names.gaps:
        flags.append('gap_above')
    if n in context.names.misplaced:
        flags.append('misplaced')
    if abs(spine.tilts.own[n] - spine.tilts.smooth[n]) > OFF_LINE:
        flags.append('off_line')
    axis = np.degrees(context.found.axis[max(level.left, level.right)])
    if abs(spine.tilts.own[n] - axis) > AXIS:  # False where either is nan
        flags.append('axis_disagrees')
    return flags


def describe_flags(levels: Sequence[LevelResult], names: Names) -> List[str]:
    """What is doubtful about the measurement as a whole."""
    lines = sum(level.tilt_deg is not None for level in levels)
    flags = {
        'few_levels': lines < FEW_LEVELS,
        'gaps': bool(names.gaps),
        'one_sided_levels': lines < len(levels),
        'misplaced_levels': bool(names.misplaced),
        'names_uncertain': names.anchor != 'last_pair_and_first_lump',
        'many_lumps': sum(level.bone == CLASSES[LUMBAR] for level in levels) > MOST_LUMPS,
        'many_pairs': (
            sum(level.bone == CLASSES[THORACIC] for level in levels) > MOST_PAIRS
        ),
    }
    return [name for name, holds in flags.items() if holds]


def describe_line(context: Context) -> List[Tuple[float, float]]:
    """The center line as points in pixels, from the first to the last level."""
    first, last = context.spine.levels[0].s, context.spine.levels[-1].s
    x, y = context.spine.line.point(np.linspace(first, last, 60))
    return [context.place(a, b) for a, b in zip(x, y)]
