"""The geometry of a page: everything in units of the drawing, which is about a thousand
high, at the proportions that the pixels have in the patient."""

import base64
import math
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np
from scipy import ndimage

from ..evaluation.bones import DOUBTFUL
from ..measurement import Bone, Curve, LevelResult, Measurement
from .room import bones_with_room
from .words import bone_text, degrees, level_text

HEIGHT, WIDTH = 1000.0, 560.0  # of the picture, at most
TOP, BOTTOM = 52.0, 40.0  # room for the scale of the plot
GUTTER, PLOT = 56.0, 230.0  # names of levels; the plot
EDGE = 14.0  # for what is written below the last tick
LABEL = 46.0  # half of a written angle
TAG = 18.0  # half of the number of a bone; it is half as high
# A JPEG of pure noise has a byte for each pixel: what is larger is shrunk to so many.
MOST_PIXELS = 700_000
QUALITY = 82
# What has more is no spine, and its outlines would fill megabytes.
MOST_BONES = 300
RANGES = ((10, 5), (20, 10), (30, 15), (40, 20), (60, 30), (90, 45))  # deg: most, step

Point = Tuple[float, float]


class Frame(NamedTuple):
    """From pixels to units.

    Attributes:
        x, y (float): units of a column and of a row.
        width, height (float): of the picture.
    """

    x: float
    y: float
    width: float
    height: float

    def place(self, x: float, y: float) -> Point:
        """The center of a pixel."""
        return (x + 0.5) * self.x, (y + 0.5) * self.y


class Outline(NamedTuple):
    """A bone in the picture.

    Attributes:
        bone (Bone): what it is.
        path (str): outlines, SVG.
        at (tuple[float, float]): where its number is written.
        doubt (float | None): of the table of tools/predict.py.
        marked (bool): whether it is doubtful.
        text (str): what is said of it.
    """

    bone: Bone
    path: str
    at: Point
    doubt: Optional[float]
    marked: bool
    text: str


class CurveLines(NamedTuple):
    """A curve in the picture.

    Attributes:
        number (int): from 1.
        curve (Curve): the curve.
        ends (list[str]): paths of the two end lines, at their smoothed tilts.
        arc (str): path of the arc between them, on the concave side.
        label (tuple[float, float]): the middle of the angle that is written on it, away
            from numbers of bones where that is possible.
        apex (str): points of a triangle that shows to the convex side.
    """

    number: int
    curve: Curve
    ends: List[str]
    arc: str
    label: Point
    apex: str


class LevelMark(NamedTuple):
    """A level in the picture and in the plot.

    Attributes:
        level (LevelResult): the level.
        y (float): its middle.
        line (str): path of the line through its bones, or nothing.
        tilt (float): x of its own tilt, or of the smoothed one where it has none.
        smooth (float): x of the smoothed tilt.
        beyond (bool): whether its own tilt is off the scale, and shown at its edge.
        curves (str): numbers of the curves that end here.
        text (str): what is said of it.
    """

    level: LevelResult
    y: float
    line: str
    tilt: float
    smooth: float
    beyond: bool
    curves: str
    text: str


class Plot(NamedTuple):
    """The tilt over the levels.

    Attributes:
        left, right (float): of the scale.
        ticks (list[tuple[float, str]]): x, and what is written there.
        smooth (str): path of the smoothed tilts.
        band (str): path around their intervals, or nothing.
        numbers (list[tuple[int, float, float]]): number of a curve, and where it is
            written.
    """

    left: float
    right: float
    ticks: List[Tuple[float, str]]
    smooth: str
    band: str
    numbers: List[Tuple[int, float, float]]


class Drawing(NamedTuple):
    """All that a page shows.

    Attributes:
        frame (Frame): of the picture.
        top (float): room above it.
        width, height (float): of the whole.
        image (str | None): data URI of a JPEG.
        outlines (list[Outline]): of the bones, from the top down, ribs last.
        listed (list[Outline]): the most doubtful ones, the first of all first.
        unlisted (int): others that are doubtful.
        hidden (int): bones that are not drawn, in a mask of hundreds.
        center_line (str): path.
        levels (list[LevelMark]): from the top down.
        curves (list[CurveLines]): from the top down.
        plot (Plot | None): None where nothing was measured.
    """

    frame: Frame
    top: float
    width: float
    height: float
    image: Optional[str]
    outlines: List[Outline]
    listed: List[Outline]
    unlisted: int
    hidden: int
    center_line: str
    levels: List[LevelMark]
    curves: List[CurveLines]
    plot: Optional[Plot]


def make_drawing(
    measurement: Measurement,
    image: Optional[np.ndarray],
    doubts: Dict[int, float],
    name: str = '',
    files: int = 0,
) -> Drawing:
    """Lays out a page.

    Args:
        measurement (Measurement): of a mask.
        image (np.ndarray, optional): (H, W) uint8.
        doubts (dict[int, float]): of bones, by id; of those that are known.
        name (str): of the case.
        files (int): number of files that it was made from.

    Returns:
        Drawing: the same for the same input.
    """
    height, width = measurement.image_size
    ratio = measurement.settings.ratio
    unit = min(HEIGHT / (height * ratio), WIDTH / width)
    frame = Frame(unit, unit * ratio, unit * width, unit * ratio * height)
    outlines = _outlines(measurement, frame, doubts)
    doubtful = sorted(
        [outline for outline in outlines if outline.marked],
        key=lambda one: (-(one.doubt or 0), -len(one.bone.flags)),
    )
    reasons = [outline.bone.flags for outline in doubtful]
    listed = doubtful[: bones_with_room(reasons, measurement, name, files)]
    tags = [outline.at for outline in listed]
    plot, levels = _plot(measurement, frame)
    return Drawing(
        frame=frame,
        top=TOP,
        width=frame.width + (GUTTER + PLOT + EDGE if plot else 0),
        height=frame.height + TOP + BOTTOM,
        image=None if image is None else embed(image),
        outlines=outlines,
        listed=listed,
        unlisted=len(doubtful) - len(listed),
        hidden=len(measurement.bones) - len(outlines),
        center_line=_path([frame.place(x, y) for x, y in measurement.center_line]),
        levels=levels,
        curves=[
            _curve_lines(number, curve, measurement, frame, tags)
            for number, curve in enumerate(measurement.curves, 1)
        ],
        plot=plot,
    )


def embed(image: np.ndarray) -> str:
    """An image as a data URI: JPEG, of at most :data:`MOST_PIXELS`.

    Args:
        image (np.ndarray): (H, W) uint8.
    """
    height, width = image.shape
    scale = math.sqrt(MOST_PIXELS / (height * width))
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return 'data:image/jpeg;base64,' + base64.b64encode(data.tobytes()).decode()


def drawn_bones(bones: Sequence[Bone]) -> List[Bone]:
    """The bones that a page shows: the largest :data:`MOST_BONES`, in their order."""
    largest = sorted(bones, key=lambda bone: -bone.area)[:MOST_BONES]
    kept = {bone.id for bone in largest}
    return [bone for bone in bones if bone.id in kept]


def _inside(place: float, length: float, half: float) -> float:
    """The place next to one at which what is written is within the picture."""
    half = min(half, length / 2)
    return min(max(place, half), length - half)


def _path(points: Sequence[Point], closed: bool = False) -> str:
    """An SVG path through points, to a tenth of a unit."""
    if not len(points):
        return ''
    text = 'L'.join(f'{x:.1f} {y:.1f}' for x, y in points)
    return f'M{text}' + ('Z' if closed else '')


def _outlines(
    measurement: Measurement, frame: Frame, doubts: Dict[int, float]
) -> List[Outline]:
    places = ndimage.find_objects(measurement.bone_map)
    levels = {bone: level for level in measurement.levels for bone in level.bones}
    coarse = 0.4 / frame.x  # px: what a page does not show
    outlines = []
    for bone in drawn_bones(measurement.bones):
        rows, columns = places[bone.id - 1]
        own = measurement.bone_map[rows, columns] == bone.id
        found, _ = cv2.findContours(
            own.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
        )
        path = ''
        for contour in found:
            points = cv2.approxPolyDP(contour, coarse, True)[:, 0]
            at = [frame.place(x + columns.start, y + rows.start) for x, y in points]
            path += _path(at, closed=True)
        doubt = doubts.get(bone.id)
        marked = bool(bone.flags) or (doubt is not None and doubt >= DOUBTFUL)
        # Not over the ends of the lines that are drawn through the others.
        x, y = frame.place(bone.x, bone.y if bone.bone == 'rib' else rows.start)
        place = _inside(x, frame.width, TAG), _inside(y, frame.height, TAG / 2)
        text = bone_text(bone, levels.get(bone.id), doubt)
        outlines.append(Outline(bone, path, place, doubt, marked, text))
    return outlines


def _curve_lines(
    number: int,
    curve: Curve,
    measurement: Measurement,
    frame: Frame,
    tags: Sequence[Point],
) -> CurveLines:
    """The end lines run from the convex side, beyond the bones, to the concave side,
    where they would meet, and an arc connects them there."""
    side = -1 if curve.convex_to == 'right' else 1  # of the concavity
    paths, tips = [], []
    for end in (curve.upper, curve.lower):
        level = measurement.levels[end]
        x, y = frame.place(level.x, level.y)
        tilt = math.radians(level.smooth_tilt_deg)
        step = side * math.cos(tilt), -side * math.sin(tilt)
        room = (x if side < 0 else frame.width - x) / math.cos(tilt)
        reach = max(min(0.32 * frame.width, room - 0.06 * frame.width), 0.0)
        back = -0.26 * frame.width
        start, tip, last = (
            (x + step[0] * far, y + step[1] * far) for far in (back, reach, reach + 10)
        )
        paths.append(_path([start, last]))
        tips.append(tip)
    (x1, y1), (x2, y2) = tips
    # As of a circle around the point in which the lines meet, which may be far away.
    angle = math.radians(max(curve.angle_deg, 1))
    radius = math.hypot(x2 - x1, y2 - y1) / (2 * math.sin(min(angle, math.pi) / 2))
    sweep = 1 if side < 0 else 0
    arc = f'M{x1:.1f} {y1:.1f}A{radius:.1f} {radius:.1f} 0 0 {sweep} {x2:.1f} {y2:.1f}'
    x, y = frame.place(curve.apex_x, curve.apex_y)
    apex = f'{x - side * 13:.1f},{y:.1f} {x:.1f},{y - 8:.1f} {x:.1f},{y + 8:.1f}'
    places = [
        (_inside(x1 + part * (x2 - x1), frame.width, LABEL), y1 + part * (y2 - y1))
        for part in (0.5, 0.4, 0.6, 0.3, 0.7)
    ]
    free = (
        place
        for place in places
        if not any(
            abs(tag[0] - place[0]) < LABEL + 14 and abs(tag[1] - place[1]) < 20
            for tag in tags
        )
    )
    label = next(free, places[0])
    return CurveLines(number, curve, paths, arc, label, apex)


def _plot(
    measurement: Measurement, frame: Frame
) -> Tuple[Optional[Plot], List[LevelMark]]:
    levels = measurement.levels
    if not levels:
        return None, []
    bands = [level.smooth_tilt_interval_deg for level in levels]
    known = [band for band in bands if band is not None]
    tilts = [level.smooth_tilt_deg for level in levels]
    widest = max(map(abs, [*tilts, *np.ravel(known)]))
    # A line that is far off the others must not press them together.
    own = [abs(level.tilt_deg) for level in levels if level.tilt_deg is not None]
    widest = max(widest, min(max(own), 1.5 * widest))
    most, step = next((pair for pair in RANGES if pair[0] >= widest), RANGES[-1])
    left = frame.width + GUTTER
    middle = left + PLOT / 2

    def across(tilt: float) -> float:
        return middle + min(max(tilt / most, -1.0), 1.0) * (PLOT / 2 - 10)

    ends: Dict[int, List[str]] = {}
    numbers = []
    for number, curve in enumerate(measurement.curves, 1):
        for end in (curve.upper, curve.lower):
            ends.setdefault(end, []).append(str(number))
        at = levels[curve.apex]
        y = frame.place(at.x, at.y)[1]
        shown = [tilt for tilt in (at.smooth_tilt_deg, at.tilt_deg) if tilt is not None]
        numbers.append((number, across(max(shown)), y))
    marks = []
    for n, level in enumerate(levels):
        line = ''
        if level.left is not None and level.right is not None:
            line = _path([frame.place(*level.left), frame.place(*level.right)])
        tilt = level.smooth_tilt_deg if level.tilt_deg is None else level.tilt_deg
        mark = LevelMark(
            level=level,
            y=frame.place(level.x, level.y)[1],
            line=line,
            tilt=across(tilt),
            smooth=across(level.smooth_tilt_deg),
            beyond=abs(tilt) > most,
            curves=', '.join(ends.get(n, [])),
            text=level_text(level),
        )
        marks.append(mark)
    band = ''
    if len(known) == len(levels):
        low, high = (
            [(across(pair[side]), mark.y) for pair, mark in zip(known, marks)]
            for side in (0, 1)
        )
        band = _path(low + high[::-1], closed=True)
    ticks = range(-(most // step) * step, most + 1, step)
    plot = Plot(
        left=left,
        right=left + PLOT,
        ticks=[(across(tick), degrees(tick).replace('.0', '')) for tick in ticks],
        smooth=_path([(mark.smooth, mark.y) for mark in marks]),
        band=band,
        numbers=numbers,
    )
    return plot, marks
