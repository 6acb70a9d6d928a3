"""What lies behind a case: spine, vertebrae, body strip and bone outlines."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator

from ...errors import InputError
from .draws import draw_int, draw_line, draw_or
from .families import CURVE_MODELS, LUMBAR_MODELS, RIB_MODELS
from .params import CLASS_NAMES, LUMBAR, LUMBAR_SHAPES, RIB, THORACIC, PhantomParams

LAST_PAIR = 'T12'  # the lowest pair, whatever the number of pairs


@dataclass(frozen=True)
class Bone:
    """One bone as an expert would outline it.

    Attributes:
        label: ``RIB``, ``THORACIC`` or ``LUMBAR``.
        level: Name of its vertebra.
        side: -1 left in the image, 1 right, 0 both.
        center: (x, y) in px.
        outline: Closed polygon (N, 2) in px. Ribs run on past the body's edge.
        cut: Whether the end of the scan cuts a part of it off.
        merged_with: Level of the neighbour it is drawn as one with, or ''.
    """

    label: int
    level: str
    side: int
    center: tuple[float, float]
    outline: np.ndarray
    cut: bool = False
    merged_with: str = ''

    def to_dict(self) -> dict:
        """Returns what is worth keeping beside the mask, ready for JSON."""
        content = dict(
            name=CLASS_NAMES[self.label],
            level=self.level,
            side={-1: 'left', 0: 'both', 1: 'right'}[self.side],
            x=round(self.center[0], 2),
            y=round(self.center[1], 2),
        )
        if self.cut:
            content['cut'] = True
        if self.merged_with:
            content['merged_with'] = self.merged_with
        return content


@dataclass(frozen=True)
class Body:
    """The scanned strip.

    Attributes:
        left, right: Edges per row (H,), in px, without the raggedness.
        top, bottom: First and last row at the strip's middle, in px.
        top_slope, bottom_slope: Slope of the two ends, px/px.
    """

    left: np.ndarray
    right: np.ndarray
    top: float
    bottom: float
    top_slope: float
    bottom_slope: float

    def distances(self, height: int, width: int, step: int = 1) -> tuple[np.ndarray, ...]:
        """Signed distances to the sides and ends, positive inside.

        Args:
            height (int): Rows of the frame.
            width (int): Columns of the frame.
            step (int): Sample every ``step`` px.

        Returns:
            tuple[ndarray, ...]: to the left, right, top and bottom, each
            (height / step, width / step) float32 in px.
        """
        y = np.arange(0, height, step, dtype=np.float32)[:, None]
        x = np.arange(0, width, step, dtype=np.float32)[None]
        from_middle = x - np.float32((self.left + self.right).mean() / 2)
        return (
            x - self.left[::step, None].astype(np.float32),
            self.right[::step, None].astype(np.float32) - x,
            y - np.float32(self.top) - np.float32(self.top_slope) * from_middle,
            np.float32(self.bottom) + np.float32(self.bottom_slope) * from_middle - y,
        )


@dataclass(frozen=True)
class Geometry:
    """Everything a case is drawn around.

    Attributes:
        width, height: Frame in px.
        center_x: Center line, x per row (H,) in px.
        curve_type: One of the curve model's types; that of the whole spine, also
            where the scan shows only a part of it.
        vertebrae: Dicts of level, x, y (px) and tilt_deg, from the top down, of those
            whose middle the scan shows. A positive tilt raises the vertebra's right
            end: the center line there runs down and to the right, and the vertebra
            is normal to it.
        body: The scanned strip.
        bones: Every bone that the scan shows, from the top down.
        bridges: Outlines that join merged neighbours; part of the mask, not listed.
    """

    width: int
    height: int
    center_x: np.ndarray
    curve_type: str
    vertebrae: list[dict]
    body: Body
    bones: list[Bone]
    bridges: tuple[Bone, ...] = ()

    @property
    def largest_curve_angle_deg(self) -> float:
        """Cobb-style angle: the largest difference of tilt between vertebrae."""
        tilts = [vertebra['tilt_deg'] for vertebra in self.vertebrae]
        return round(max(tilts) - min(tilts), 2)

    def to_dict(self) -> dict:
        """Returns what is worth keeping beside the mask, ready for JSON."""
        rows = range(0, self.height, 8)
        return dict(
            image_size=dict(width=self.width, height=self.height),
            curve_type=self.curve_type,
            largest_curve_angle_deg=self.largest_curve_angle_deg,
            vertebrae=self.vertebrae,
            bones=[dict(id=i, **bone.to_dict()) for i, bone in enumerate(self.bones, 1)],
            center_line=[[round(float(self.center_x[y]), 3), y] for y in rows],
        )


def _draw_levels(
    rng: Generator, params: PhantomParams, top: float, bottom: float
) -> tuple[list[str], np.ndarray]:
    """Places the vertebrae along y so that they fill the body.

    Returns:
        tuple[list[str], ndarray]: names from the top down, and y in px.
    """
    num_thoracic = draw_int(rng, params.num_thoracic)
    num_lumbar = draw_int(rng, params.num_lumbar)
    # A missing twelfth pair is the topmost one: the scan starts below it. A sixth
    # lump is the transitional vertebra or sacrum that is drawn as lumbar.
    names = [f'T{13 - num_thoracic + i}' for i in range(num_thoracic)]
    names += [f'L{i + 1}' for i in range(num_lumbar)]

    first, last = rng.uniform(*params.first_gap), rng.uniform(*params.last_gap)
    lumbar = rng.uniform(*params.lumbar_gap)
    gaps = np.append(
        np.linspace(first, last, num_thoracic - 1), np.full(num_lumbar, lumbar)
    )
    gaps *= 1 + params.gap_jitter * rng.standard_normal(len(gaps)).clip(-2, 2)
    if num_lumbar:
        gaps[num_thoracic - 1] *= draw_or(rng, params.last_pair_gap, 1)
    start = top + rng.uniform(55, 120)
    end = bottom - rng.uniform(60, 150)
    gaps = (gaps * (end - start) / gaps.sum()).clip(*params.level_gap)
    return names, start + np.append(0, np.cumsum(gaps))


def _scale_to_angle(slope: np.ndarray, lean: float, angle: float) -> float:
    """Finds the factor of ``slope`` that gives the wanted largest curve angle.

    Args:
        slope (ndarray): Unscaled slopes at the vertebrae (V,).
        lean (float): Constant slope added to all of them.
        angle (float): Wanted largest difference of tilt, degrees.

    Returns:
        float: the factor, by bisection.
    """
    low, high = 0.0, 20.0
    for _ in range(40):
        middle = (low + high) / 2
        if np.ptp(np.degrees(np.arctan(middle * slope + lean))) < angle:
            low = middle
        else:
            high = middle
    return low


def _draw_spine(
    rng: Generator, params: PhantomParams, height: int, top: float, bottom: float
) -> tuple[np.ndarray, str, list[dict]]:
    """Draws the center line and the vertebrae on it.

    Returns:
        tuple[ndarray, str, list[dict]]: x per row (H,) around 0, the curve's type,
        the vertebrae (x still around 0).
    """
    names, level_y = _draw_levels(rng, params, top, bottom)
    curve_types, draw_slope = CURVE_MODELS[params.curve_model]
    curve_type = str(rng.choice(curve_types, p=params.curve_shares))
    straight = curve_type == 'none'
    angle = rng.uniform(*(params.straight_angle if straight else params.curve_angle))
    lean = rng.uniform(*params.lean)

    rows = np.arange(height)
    slope = draw_slope(rng, params, curve_type, height, level_y)
    slope *= _scale_to_angle(np.interp(level_y, rows, slope), lean, angle)
    slope += lean
    # Trapezoids: the line's finite differences then give the slope back.
    center_x = np.append(0, np.cumsum((slope[1:] + slope[:-1]) / 2))
    vertebrae = [
        dict(
            level=name,
            x=float(np.interp(y, rows, center_x)),
            y=round(float(y), 2),
            tilt_deg=round(float(np.degrees(np.arctan(np.interp(y, rows, slope)))), 2),
        )
        for name, y in zip(names, level_y)
    ]
    return center_x, curve_type, vertebrae


def _draw_body(
    rng: Generator,
    params: PhantomParams,
    width: int,
    height: int,
    top: float,
    bottom: float,
    center_x: np.ndarray,
) -> tuple[Body, float]:
    """Draws the strip that the probe scanned, roughly along the spine.

    Returns:
        tuple[Body, float]: the strip in frame coordinates, and how far right the
        spine must be moved to lie in it.
    """
    body_width = rng.uniform(*params.body_width) * width
    # The probe's path is smoother than the spine and follows it only in part.
    path = cv2.GaussianBlur(center_x[:, None], (1, 0), sigmaX=0, sigmaY=height / 30)
    path = (path[:, 0] - path.mean()) * rng.uniform(*params.body_follow)
    path += 5 * draw_line(rng, height, 400)
    room = width - body_width - 30
    if np.ptp(path) > room:
        path *= room / np.ptp(path)
    slack = (room - np.ptp(path)) / 2
    middle = width / 2 - (path.max() + path.min()) / 2
    path += middle + slack * rng.uniform(-0.6, 0.6)
    shift = float((path - center_x)[int(top) : int(bottom)].mean())

    def edge() -> np.ndarray:
        strength = rng.uniform(*params.edge_wander)
        # The absolute value leaves cusps, as where one sweep ends and another begins.
        return strength * (
            0.6 * draw_line(rng, height, 170) + 0.8 * np.abs(draw_line(rng, height, 75))
        )

    body = Body(
        left=path - body_width / 2 - edge(),
        right=path + body_width / 2 + edge(),
        top=top,
        bottom=bottom,
        top_slope=rng.uniform(*params.end_slope),
        bottom_slope=rng.uniform(*params.end_slope),
    )
    return body, shift + rng.uniform(-12, 12)


def _to_frame(vertebra: dict, points: np.ndarray) -> np.ndarray:
    """Takes points from a vertebra's own axes to the frame.

    Args:
        vertebra (dict): With x, y (px) and tilt_deg.
        points (ndarray): (N, 2), px along the vertebra (to the right, normal to
            the center line) and down the center line.

    Returns:
        ndarray: (N, 2) x and y in px.
    """
    tilt = np.radians(vertebra['tilt_deg'])
    across = np.array([np.cos(tilt), -np.sin(tilt)])
    down = np.array([np.sin(tilt), np.cos(tilt)])
    points = np.asarray(points, dtype=np.float64)
    origin = np.array([vertebra['x'], vertebra['y']])
    return origin + points[:, :1] * across + points[:, 1:] * down


def draw_ellipse(rng: Generator, half_width: float, half_height: float) -> np.ndarray:
    """Draws an ellipse (N, 2) around 0 with the wobble of a hand."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = np.ones_like(angle)
    for wave in (2, 3, 4):
        phase = rng.uniform(0, 2 * np.pi)
        radius += rng.normal(0, 0.06 / wave) * np.cos(wave * angle + phase)
    turn = rng.normal(0, 0.12)
    u, v = half_width * radius * np.cos(angle), half_height * radius * np.sin(angle)
    return np.stack(
        [u * np.cos(turn) - v * np.sin(turn), u * np.sin(turn) + v * np.cos(turn)], 1
    )


def _draw_thoracic(
    rng: Generator,
    params: PhantomParams,
    vertebra: dict,
    body: Body,
    half_distance: float,
    rib_rise: float,
) -> list[Bone]:
    """Draws an ellipse and its rib on one side.

    Args:
        rng (np.random.Generator): Source of randomness.
        params (PhantomParams): Ranges.
        vertebra (dict): Its vertebra.
        body (Body): The scanned strip.
        half_distance (float): Signed px from the center line; negative is left.
        rib_rise (float): px the rib climbs to the body's edge.

    Returns:
        list[Bone]: the rib and the ellipse, unless missing.
    """
    side = 1 if half_distance > 0 else -1
    half_width = rng.uniform(*params.ellipse_width) / 2
    half_height = rng.uniform(*params.ellipse_height) / 2
    at = np.array([half_distance + rng.normal(0, 3), rng.normal(0, 4)])
    center = _to_frame(vertebra, at[None])[0]
    outline = _to_frame(vertebra, at + draw_ellipse(rng, half_width, half_height))
    bones = [Bone(THORACIC, vertebra['level'], side, tuple(center), outline)]

    row = int(np.clip(center[1], 0, len(body.left) - 1))
    edge_x = body.right[row] if side > 0 else body.left[row]
    reach = side * (edge_x - center[0])  # px from the ellipse's center to the edge
    if params.thoracic_missing and rng.random() < params.thoracic_missing:
        return []
    if rng.random() < params.rib_missing or reach < half_width:
        return bones
    # The wedge starts inside the ellipse, which is painted over it: they touch.
    inner = rng.uniform(*params.rib_inner_height) / 2
    outer = inner * rng.uniform(*params.rib_widening)
    length = draw_or(rng, params.rib_length, 1)
    thickness = draw_or(rng, params.rib_thickness, 1)
    inner, outer, reach = thickness * inner, thickness * outer, length * reach
    if vertebra['level'] == LAST_PAIR:
        shown = draw_or(rng, params.last_rib_length, 1)
        if shown != 1:
            length, reach = 0, half_width + shown * (reach - half_width)
        if params.last_rib_drop[1]:
            rib_rise = -rng.uniform(*params.last_rib_drop)
    # Past the edge it runs on straight; what lies outside the body is cut off later.
    run_on = 60 if length == 1 else 0
    outline = RIB_MODELS[params.rib_model](rng, inner, outer, reach, rib_rise, run_on)
    outline = _to_frame(vertebra, at + outline * [side, 1])
    halfway = (half_width + reach) / 2
    center = _to_frame(vertebra, at[None] + [side * halfway, -rib_rise / 2])[0]
    return [Bone(RIB, vertebra['level'], side, tuple(center), outline), *bones]


def _draw_lumbar(
    rng: Generator,
    params: PhantomParams,
    vertebra: dict,
    shape: str,
    rotation: float,
    flatness: float,
    gap: float,
) -> Bone:
    """Draws one lump across the midline.

    Args:
        rng (np.random.Generator): Source of randomness.
        params (PhantomParams): Ranges.
        vertebra (dict): Its vertebra.
        shape (str): One of ``LUMBAR_SHAPES``, the same for all lumps of a case.
        rotation (float): Relative gain of the left wing, loss of the right one.
        flatness (float): Factor of the height; the width grows a little instead.
        gap (float): px to the nearest lump, which limits the height.

    Returns:
        Bone: the lump.
    """
    half_width = rng.uniform(*params.lumbar_width) / 2 * (1 + 0.3 * (1 - flatness))
    half_height = min(rng.uniform(*params.lumbar_height), 1.02 * gap) / 2 * flatness
    half_size = (half_width * (1 + rotation), half_width * (1 - rotation), half_height)
    outline = LUMBAR_MODELS[params.lumbar_model](rng, params, shape, half_size)
    outline = _to_frame(vertebra, outline)
    return Bone(LUMBAR, vertebra['level'], 0, (vertebra['x'], vertebra['y']), outline)


def _draw_bones(
    rng: Generator, params: PhantomParams, vertebrae: list[dict], body: Body
) -> list[Bone]:
    """Draws the bones of every vertebra, from the top down."""
    count = len(vertebrae)
    # Slow changes along the spine: neighbours are alike, ends of the back are not.
    rotation = rng.uniform(*params.rotation) * draw_line(rng, count, 4).clip(-1.5, 1.5)
    distance = rng.uniform(*params.pair_distance) + 10 * draw_line(rng, count, 3)
    distance = distance.clip(*params.pair_distance)
    low, high = params.rib_rise
    rise = (low + (high - low) * (0.5 + 0.3 * draw_line(rng, count, 4))).clip(low, high)
    num_lumbar = sum(vertebra['level'][0] == 'L' for vertebra in vertebrae)
    flattest = rng.uniform(*params.lumbar_flattening)
    flatness = np.interp(np.arange(num_lumbar), [2, num_lumbar - 1], [1, flattest])
    gaps = np.diff([vertebra['y'] for vertebra in vertebrae])
    shape = LUMBAR_SHAPES[0]
    if params.lumbar_shares[0] < 1:
        shape = str(rng.choice(LUMBAR_SHAPES, p=params.lumbar_shares))

    bones = []
    for i, vertebra in enumerate(vertebrae):
        if vertebra['level'][0] == 'L':
            number = i - (count - num_lumbar)
            gap = gaps[i - 1 : i + 1].min()
            size = rotation[i], flatness[number], gap
            bones.append(_draw_lumbar(rng, params, vertebra, shape, *size))
            continue
        for side in (-1, 1):
            half = side * distance[i] / 2 * (1 - side * rotation[i])
            climb = float(np.clip(rise[i] + rng.normal(0, 10), low, high))
            bones += _draw_thoracic(rng, params, vertebra, body, half, climb)
    return bones


def _crop(rng: Generator, params: PhantomParams, geometry: Geometry) -> Geometry:
    """Cuts an end of the scan off, or both: the sweep began late or stopped early.

    The frame gets shorter. A vertebra is left if its middle is; a bone if at least half
    of its outline is, since nobody outlines a sliver.
    """
    body = geometry.body
    length = body.bottom - body.top
    above, below = (
        length * rng.uniform(*bounds) if chance and rng.random() < chance else 0
        for chance, bounds in (
            (params.crop_top_chance, params.crop_top),
            (params.crop_bottom_chance, params.crop_bottom),
        )
    )
    if not above and not below:
        return geometry
    first, last = int(above), geometry.height - int(below)
    up = np.array([0, first])
    body = replace(
        body,
        left=body.left[first:last],
        right=body.right[first:last],
        top=body.top + above - first,
        bottom=body.bottom - below - first,
    )
    vertebrae = [
        dict(vertebra, y=round(vertebra['y'] - first, 2))
        for vertebra in geometry.vertebrae
    ]
    vertebrae = [v for v in vertebrae if body.top < v['y'] < body.bottom]
    if not vertebrae:
        raise InputError(
            'the phantom has no vertebra on the scan: give it more levels '
            '(num_thoracic, num_lumbar), or crop less (crop_top, '
            'crop_bottom)'
        )
    levels = {vertebra['level'] for vertebra in vertebrae}
    bones = []
    for bone in geometry.bones:
        outline = bone.outline - up
        shown = (outline[:, 1] > body.top) & (outline[:, 1] < body.bottom)
        if bone.level in levels and shown.mean() >= 0.5:
            center = bone.center[0], bone.center[1] - first
            changes = dict(center=center, outline=outline, cut=not shown.all())
            bones.append(replace(bone, **changes))
    return replace(
        geometry,
        height=last - first,
        center_x=geometry.center_x[first:last],
        vertebrae=vertebrae,
        body=body,
        bones=bones,
    )


def _bridge(one: Bone, other: Bone) -> np.ndarray:
    """Returns the outline (N, 2) that joins two neighbours of a class."""
    if one.label == RIB:  # ribs run together at the body's edge
        ends = []
        for bone in (one, other):
            x = bone.side * bone.outline[:, 0]
            ends.append(bone.outline[x > np.quantile(x, 0.55)])
        return cv2.convexHull(np.concatenate(ends).astype(np.float32))[:, 0]
    # Others along the spine, with a waist: half of an ellipse, the stem of a lump.
    part = 0.25 if one.label == THORACIC else 0.16
    half = part * min(np.ptp(bone.outline[:, 0]) for bone in (one, other))
    start, end = np.array(one.center), np.array(other.center)
    across = np.array([half, 0])
    return np.stack([start - across, start + across, end + across, end - across])


def _merge(rng: Generator, params: PhantomParams, geometry: Geometry) -> Geometry:
    """Joins neighbours of a class and side that an expert would outline as one."""
    chances = {
        RIB: params.rib_merged,
        THORACIC: params.thoracic_merged,
        LUMBAR: params.lumbar_merged,
    }
    if not any(chances.values()):
        return geometry
    bones, bridges = list(geometry.bones), []
    levels = [vertebra['level'] for vertebra in geometry.vertebrae]
    index = {(bone.label, bone.side, bone.level): i for i, bone in enumerate(bones)}
    for (label, side, level), i in index.items():
        below = levels[levels.index(level) + 1 : levels.index(level) + 2]
        j = index.get((label, side, *below))
        # Two at most: a third would hide where one vertebra ends.
        if j is None or bones[i].merged_with or rng.random() >= chances[label]:
            continue
        outline = _bridge(bones[i], bones[j])
        bridges.append(Bone(label, level, side, tuple(outline.mean(0).tolist()), outline))
        bones[i] = replace(bones[i], merged_with=bones[j].level)
        bones[j] = replace(bones[j], merged_with=level)
    return replace(geometry, bones=bones, bridges=tuple(bridges))


def draw_geometry(rng: Generator, params: PhantomParams = PhantomParams()) -> Geometry:
    """Draws the geometry of a case without rendering it.

    Args:
        rng (np.random.Generator): Source of randomness.
        params (PhantomParams): Ranges to draw from.

    Returns:
        Geometry: spine, vertebrae, body strip and bone outlines.
    """
    width, height = draw_int(rng, params.width), draw_int(rng, params.height)
    top = rng.uniform(*params.top_margin)
    bottom = height - rng.uniform(*params.bottom_margin)
    center_x, curve_type, vertebrae = _draw_spine(rng, params, height, top, bottom)
    body, shift = _draw_body(rng, params, width, height, top, bottom, center_x)
    center_x = center_x + shift
    for vertebra in vertebrae:
        vertebra['x'] = round(vertebra['x'] + shift, 2)
    bones = _draw_bones(rng, params, vertebrae, body)
    geometry = Geometry(width, height, center_x, curve_type, vertebrae, body, bones)
    return _merge(rng, params, _crop(rng, params, geometry))
