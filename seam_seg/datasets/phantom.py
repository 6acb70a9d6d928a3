"""The first phantom: synthetic spine ultrasound VPI images with exact masks.

The clinical data set is not public, so the project draws its own: a volume
projection image (VPI) of a scanned back, the bone mask an expert would draw on it,
and the geometry behind both, including the true tilt of every vertebra. No real
image enters. Three sources are quoted beside the parameters:

* ``[F]``: published facts about VPI data, collected in the project's field notes;
* ``[I]``: what one published example image looks like (looked at, never read);
* ``[O]``: our own choice.

A case is drawn in two steps. :func:`draw_geometry` draws the spine, the vertebrae,
the body strip and the bone outlines, all of it cheap. :func:`make_case` then renders
tissue, shadows and artefacts around that geometry.

Axes: x grows to the right, y grows downwards (towards the lumbar end), both in px.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Tuple

import cv2
import numpy as np
from mmengine.utils import ProgressBar

from ..errors import InputError

BACKGROUND, RIB, THORACIC, LUMBAR = range(4)
CLASS_NAMES = {RIB: 'rib', THORACIC: 'thoracic', LUMBAR: 'lumbar'}
CURVE_TYPES = ('none', 'thoracic', 'lumbar', 'double')
SPLITS = ('train', 'test')

Range = Tuple[float, float]


@dataclass(frozen=True)
class PhantomParams:
    """Ranges ``(low, high)`` that a case is drawn from, in full-size pixels.

    "Depth" is the share of the echo that a shadow takes away at its darkest:
    0 leaves the tissue as it is, 1 is black. Sources: see the module's docstring.
    """

    # Frame and body strip.
    width: Range = (612, 668)  # px; [F] one image is 640
    height: Range = (2420, 2720)  # px; [F] one image is 2574
    body_width: Range = (0.585, 0.635)  # of the frame's width; [F] 57% of the area
    top_margin: Range = (50, 130)  # px of black above the body; [I]
    bottom_margin: Range = (20, 80)  # px of black below the body; [I]
    end_slope: Range = (-0.07, 0.07)  # px/px, slope of the body's two ends; [I]
    edge_wander: Range = (4, 8)  # px, slow wander of each edge; [I]
    edge_raggedness: Range = (0.5, 1.2)  # px, row to row; [I]
    body_follow: Range = (0.65, 0.95)  # how far the probe follows the curve; [O]

    # Spine.
    num_thoracic: Range = (11, 12)  # pairs, inclusive; [F]
    num_lumbar: Range = (5, 6)  # lumps, inclusive; [F]
    level_gap: Range = (85, 180)  # px between levels, never left; [F]
    first_gap: Range = (98, 122)  # px, between the topmost levels; [I]
    last_gap: Range = (135, 165)  # px, between the lowest thoracic levels; [I]
    lumbar_gap: Range = (140, 168)  # px; [I]
    gap_jitter: float = 0.07  # relative standard deviation; [O]
    curve_shares: tuple[float, ...] = (0.25, 0.3, 0.2, 0.25)  # as CURVE_TYPES; [O]
    straight_angle: Range = (0, 10)  # deg; below 10 is no scoliosis; Cobb
    curve_angle: Range = (10, 45)  # deg, largest difference of tilt; [O]
    curve_length: Range = (0.085, 0.125)  # apex to end vertebra, of height; [O]
    lean: Range = (-0.025, 0.025)  # px/px, slope of the whole spine; [I]
    rotation: Range = (-0.13, 0.13)  # left against right, relative; [O]

    # Bones, as an expert draws them.
    ellipse_width: Range = (80, 96)  # px; [F] about 88
    ellipse_height: Range = (70, 86)  # px; [F] about 78
    pair_distance: Range = (184, 250)  # px, center to center; [F]
    rib_inner_height: Range = (46, 70)  # px, where the rib meets the ellipse; [I]
    rib_widening: Range = (1.25, 2.1)  # height at the body's edge / inner height; [I]
    rib_rise: Range = (-5, 60)  # px the rib climbs towards the edge; [I]
    rib_missing: float = 0.04  # probability; [O]
    lumbar_width: Range = (248, 300)  # px; [F] about 276
    lumbar_height: Range = (122, 146)  # px; [F] about 134
    lumbar_flattening: Range = (0.65, 0.95)  # height of the last lump; [F] "flatter"

    # Bones, as they show.
    shadow_scale: Range = (0.72, 0.98)  # shadow size / outline size; [F] smaller
    shadow_offset: float = 5  # px, standard deviation of its displacement; [F]
    shadow_blur: Range = (6, 12)  # px, sigma of the soft edge; [I]
    side_contrast: Range = (0.65, 1.0)  # one side of the body against the other; [I]
    faint_share: float = 0.15  # of the bones barely show; [F] "several"
    faint_depth: Range = (0.04, 0.16)  # [I]
    ellipse_depth: Range = (0.32, 0.8)  # [I]
    rib_depth: Range = (0.6, 1.0)  # at the body's edge; [I]
    lumbar_depth: Range = (0.5, 0.85)  # [I]
    column_depth: Range = (0.45, 0.95)  # spinous-process shadow; [I]
    column_sigma: Range = (22, 40)  # px, its half width; [I]
    num_column_blobs: Range = (1, 5)  # round darker spots on it; [I]
    num_distractors: Range = (9, 17)  # dark patches that are no bone; [O]
    distractor_size: Range = (22, 62)  # px, half axes; [O]
    distractor_depth: Range = (0.15, 0.55)  # [O]

    # Tissue. Echo levels before saturation at 255, at fixed shares of the body.
    level_at: tuple[float, ...] = (0, 0.1, 0.25, 0.4, 0.52, 0.63, 0.78, 0.9, 1)  # [I]
    level: tuple[float, ...] = (95, 155, 212, 268, 260, 200, 180, 115, 26)  # [I]
    level_jitter: float = 0.08  # relative standard deviation; [O]
    cloud_sizes: tuple[float, ...] = (150, 60, 24, 9)  # px; [I]
    cloud_strengths: tuple[float, ...] = (0.13, 0.11, 0.1, 0.07)  # log; [I]
    num_glints: Range = (2, 6)  # bright flat streaks; [I]

    # Artefacts.
    scan_slope: Range = (-0.06, 0.06)  # px/px, tilt of the scan lines; [I]
    striation: Range = (0.05, 0.08)  # relative, line to line; [F] 10 grey levels
    speckle: Range = (0.015, 0.03)  # relative, pixel to pixel; [F] 4 grey levels
    gain_wander: Range = (0.02, 0.06)  # relative, along the scan; [F]
    num_gain_steps: Range = (2, 6)  # sudden changes of gain; [I]
    num_dash_bands: Range = (0, 2)  # [I]
    dash_band_height: Range = (30, 150)  # px; [I]
    num_dash_lines: Range = (0, 4)  # lone lines, outside the bands; [I]
    dash_length: float = 5  # px, median; [F]

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == 'Range' and not value[0] <= value[1]:
                raise InputError(
                    f'{field.name} must be (low, high) with low <= high, got {value}'
                )
        if self.height[0] < 2300 or self.width[0] < 560:
            raise InputError(
                f'width {self.width} x height {self.height} is too small for bones '
                'in full-size pixels; draw at least 560 x 2300 and resize afterwards'
            )


@dataclass(frozen=True)
class Bone:
    """One bone as an expert would outline it.

    Attributes:
        label: ``RIB``, ``THORACIC`` or ``LUMBAR``.
        level: Name of its vertebra.
        side: -1 left in the image, 1 right, 0 both.
        center: (x, y) in px.
        outline: Closed polygon (N, 2) in px. Ribs run on past the body's edge.
    """

    label: int
    level: str
    side: int
    center: tuple[float, float]
    outline: np.ndarray


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

    def distances(self, height, width, step=1):
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
        curve_type: One of ``CURVE_TYPES``.
        vertebrae: Dicts of level, x, y (px) and tilt_deg, from the top down. A
            positive tilt raises the vertebra's right end: the center line there
            runs down and to the right, and the vertebra is normal to it.
        body: The scanned strip.
        bones: Every bone, from the top down.
    """

    width: int
    height: int
    center_x: np.ndarray
    curve_type: str
    vertebrae: list[dict]
    body: Body
    bones: list[Bone]

    @property
    def largest_curve_angle_deg(self):
        """Cobb-style angle: the largest difference of tilt between vertebrae."""
        tilts = [vertebra['tilt_deg'] for vertebra in self.vertebrae]
        return round(max(tilts) - min(tilts), 2)

    def to_dict(self):
        """Returns what is worth keeping beside the mask, ready for JSON."""
        rows = range(0, self.height, 8)
        return dict(
            image_size=dict(width=self.width, height=self.height),
            curve_type=self.curve_type,
            largest_curve_angle_deg=self.largest_curve_angle_deg,
            vertebrae=self.vertebrae,
            bones=[
                dict(
                    name=CLASS_NAMES[bone.label],
                    level=bone.level,
                    side={-1: 'left', 0: 'both', 1: 'right'}[bone.side],
                    x=round(bone.center[0], 2),
                    y=round(bone.center[1], 2),
                )
                for bone in self.bones
            ],
            center_line=[[round(float(self.center_x[y]), 3), y] for y in rows],
        )


@dataclass(frozen=True)
class PhantomCase:
    """One synthetic case.

    Attributes:
        image: uint8 (H, W), the VPI image.
        mask: uint8 (H, W), 0 background, 1 rib, 2 thoracic, 3 lumbar.
        geometry: JSON-able, see :meth:`Geometry.to_dict`, plus the ``seed``.
    """

    image: np.ndarray
    mask: np.ndarray
    geometry: dict


# --------------------------------------------------------------------------------
# Random numbers
# --------------------------------------------------------------------------------


def _whole(rng, bounds):
    """Draws an int from an inclusive range."""
    return int(rng.integers(int(bounds[0]), int(bounds[1]) + 1))


def _field(rng, shape, size):
    """Draws a smooth random field of about unit variance.

    Args:
        rng (np.random.Generator): Source of randomness.
        shape (tuple[int, int]): Rows and columns.
        size (tuple[float, float]): Rows and columns per independent value.

    Returns:
        ndarray: float32 of ``shape``.
    """
    # A margin of one cell all round, cut at a random place: no cell wall, and so
    # no structure, sits at the same pixels in every case.
    cells = [int(np.ceil(n / s)) + 3 for n, s in zip(shape, size)]
    coarse = rng.standard_normal(cells, dtype=np.float32)
    start = rng.random(2) + 1
    scale = np.array([[1 / size[1], 0, start[1]], [0, 1 / size[0], start[0]]])
    return 1.2 * cv2.warpAffine(
        coarse,
        scale,
        shape[::-1],
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )


def _line(rng, length, size):
    """Draws a smooth random curve (length,), one free value per ``size`` samples."""
    return _field(rng, (length, 1), (size, 1))[:, 0].astype(np.float64)


# --------------------------------------------------------------------------------
# Geometry
# --------------------------------------------------------------------------------


def _draw_levels(rng, params, top, bottom):
    """Places the vertebrae along y so that they fill the body.

    Returns:
        tuple[list[str], ndarray]: names from the top down, and y in px.
    """
    num_thoracic = _whole(rng, params.num_thoracic)
    num_lumbar = _whole(rng, params.num_lumbar)
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
    start = top + rng.uniform(55, 120)
    end = bottom - rng.uniform(60, 150)
    gaps = (gaps * (end - start) / gaps.sum()).clip(*params.level_gap)
    return names, start + np.append(0, np.cumsum(gaps))


def _draw_slope(rng, params, curve_type, height, level_y):
    """Draws the slope dx/dy of the center line, per row, before it is scaled."""
    y = np.arange(height)
    slope = 0.15 * _line(rng, height, height / 6)
    apexes = {'thoracic': [0.3], 'lumbar': [0.76], 'double': [0.3, 0.72]}
    direction = rng.choice([-1, 1])
    for apex in apexes.get(curve_type, []):
        at = level_y[0] + (apex + rng.uniform(-0.05, 0.05)) * np.ptp(level_y)
        reach = rng.uniform(*params.curve_length) * height
        # A sideways bump exp(-t^2 / 2): its slope, and so the tilt, is largest one
        # reach above and below the apex, where the end vertebrae are.
        t = (y - at) / reach
        slope -= direction * rng.uniform(0.8, 1.2) * t * np.exp((1 - t**2) / 2)
        direction = -direction
    return slope


def _scale_to_angle(slope, lean, angle):
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


def _draw_spine(rng, params, height, top, bottom):
    """Draws the center line and the vertebrae on it.

    Returns:
        tuple[ndarray, str, list[dict]]: x per row (H,) around 0, the curve's type,
        the vertebrae (x still around 0).
    """
    names, level_y = _draw_levels(rng, params, top, bottom)
    curve_type = str(rng.choice(CURVE_TYPES, p=params.curve_shares))
    straight = curve_type == 'none'
    angle = rng.uniform(*(params.straight_angle if straight else params.curve_angle))
    lean = rng.uniform(*params.lean)

    rows = np.arange(height)
    slope = _draw_slope(rng, params, curve_type, height, level_y)
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


def _draw_body(rng, params, width, height, top, bottom, center_x):
    """Draws the strip that the probe scanned, roughly along the spine.

    Returns:
        tuple[Body, float]: the strip in frame coordinates, and how far right the
        spine must be moved to lie in it.
    """
    body_width = rng.uniform(*params.body_width) * width
    # The probe's path is smoother than the spine and follows it only in part.
    path = cv2.GaussianBlur(center_x[:, None], (1, 0), sigmaX=0, sigmaY=height / 30)
    path = (path[:, 0] - path.mean()) * rng.uniform(*params.body_follow)
    path += 5 * _line(rng, height, 400)
    room = width - body_width - 30
    if np.ptp(path) > room:
        path *= room / np.ptp(path)
    slack = (room - np.ptp(path)) / 2
    middle = width / 2 - (path.max() + path.min()) / 2
    path += middle + slack * rng.uniform(-0.6, 0.6)
    shift = float((path - center_x)[int(top) : int(bottom)].mean())

    def edge():
        strength = rng.uniform(*params.edge_wander)
        # The absolute value leaves cusps, as where one sweep ends and another begins.
        return strength * (
            0.6 * _line(rng, height, 170) + 0.8 * np.abs(_line(rng, height, 75))
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


def _to_frame(vertebra, points):
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


def _round_off(points):
    """Rounds a closed polygon (N, 2) off by cutting its corners (Chaikin)."""
    for _ in range(3):
        following = np.roll(points, -1, axis=0)
        cut = [0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following]
        points = np.stack(cut, axis=1).reshape(-1, 2)
    return points


def _ellipse(rng, half_width, half_height):
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


def _draw_thoracic(rng, params, vertebra, body, half_distance, rib_rise):
    """Draws an ellipse and its rib on one side.

    Args:
        rng (np.random.Generator): Source of randomness.
        params (PhantomParams): Ranges.
        vertebra (dict): Its vertebra.
        body (Body): The scanned strip.
        half_distance (float): Signed px from the center line; negative is left.
        rib_rise (float): px the rib climbs to the body's edge.

    Returns:
        list[Bone]: the rib, unless missing, and the ellipse.
    """
    side = 1 if half_distance > 0 else -1
    half_width = rng.uniform(*params.ellipse_width) / 2
    half_height = rng.uniform(*params.ellipse_height) / 2
    at = np.array([half_distance + rng.normal(0, 3), rng.normal(0, 4)])
    center = _to_frame(vertebra, at[None])[0]
    outline = _to_frame(vertebra, at + _ellipse(rng, half_width, half_height))
    bones = [Bone(THORACIC, vertebra['level'], side, tuple(center), outline)]

    row = int(np.clip(center[1], 0, len(body.left) - 1))
    edge_x = body.right[row] if side > 0 else body.left[row]
    reach = side * (edge_x - center[0])  # px from the ellipse's center to the edge
    if rng.random() < params.rib_missing or reach < half_width:
        return bones
    # The wedge starts inside the ellipse, which is painted over it: they touch.
    inner = rng.uniform(*params.rib_inner_height) / 2
    outer = inner * rng.uniform(*params.rib_widening)
    share = np.array([0.3, 0.5, 0.75, 1.0, 1.0])
    middle = -rib_rise * share**1.3
    half = inner + (outer - inner) * share
    # Past the edge it runs on straight; what lies outside the body is cut off later.
    along = side * (share * reach + [0, 0, 0, 0, 60])
    upper = np.stack([along, middle - half + rng.normal(0, 2, 5)], 1)
    lower = np.stack([along, middle + half + rng.normal(0, 2, 5)], 1)
    outline = _to_frame(vertebra, at + _round_off(np.concatenate([upper, lower[::-1]])))
    halfway = (half_width + reach) / 2
    center = _to_frame(vertebra, at[None] + [side * halfway, -rib_rise / 2])[0]
    return [Bone(RIB, vertebra['level'], side, tuple(center), outline), *bones]


# Right half of a bat-wing lump, in halves of its width and height: a roof that falls
# from the midline to the wing's tip, a nearly flat floor with a short stem. [I]
_WING = np.array(
    [[0.0, -1.05], [0.26, -1.05], [0.5, -0.55], [0.9, -0.3], [1.06, 0.1], [1.0, 0.75],
     [0.6, 0.85], [0.34, 0.68], [0.22, 1.05], [0.0, 1.05]]
)  # fmt: skip


def _draw_lumbar(rng, params, vertebra, rotation, flatness, gap):
    """Draws one lump across the midline.

    Args:
        rng (np.random.Generator): Source of randomness.
        params (PhantomParams): Ranges.
        vertebra (dict): Its vertebra.
        rotation (float): Relative gain of the left wing, loss of the right one.
        flatness (float): Factor of the height; the width grows a little instead.
        gap (float): px to the nearest lump, which limits the height.

    Returns:
        Bone: the lump.
    """
    half_width = rng.uniform(*params.lumbar_width) / 2 * (1 + 0.3 * (1 - flatness))
    half_height = min(rng.uniform(*params.lumbar_height), 1.02 * gap) / 2 * flatness
    wings = []
    for side in (1, -1):
        wing = _WING + rng.normal(0, 0.05, _WING.shape)
        wing[[0, -1], 0] = 0
        wing[:, 1] += rng.normal(0, 0.08) * wing[:, 0]
        size = [side * half_width * (1 - side * rotation), half_height]
        wings.append(wing * size)
    outline = np.concatenate([wings[0], wings[1][::-1]])
    outline = _to_frame(vertebra, _round_off(outline))
    return Bone(LUMBAR, vertebra['level'], 0, (vertebra['x'], vertebra['y']), outline)


def _draw_bones(rng, params, vertebrae, body):
    """Draws the bones of every vertebra, from the top down."""
    count = len(vertebrae)
    # Slow changes along the spine: neighbours are alike, ends of the back are not.
    rotation = rng.uniform(*params.rotation) * _line(rng, count, 4).clip(-1.5, 1.5)
    distance = rng.uniform(*params.pair_distance) + 10 * _line(rng, count, 3)
    distance = distance.clip(*params.pair_distance)
    low, high = params.rib_rise
    rise = (low + (high - low) * (0.5 + 0.3 * _line(rng, count, 4))).clip(low, high)
    num_lumbar = sum(vertebra['level'][0] == 'L' for vertebra in vertebrae)
    flattest = rng.uniform(*params.lumbar_flattening)
    flatness = np.interp(np.arange(num_lumbar), [2, num_lumbar - 1], [1, flattest])
    gaps = np.diff([vertebra['y'] for vertebra in vertebrae])

    bones = []
    for i, vertebra in enumerate(vertebrae):
        if vertebra['level'][0] == 'L':
            number = i - (count - num_lumbar)
            gap = gaps[i - 1 : i + 1].min()
            bones.append(
                _draw_lumbar(rng, params, vertebra, rotation[i], flatness[number], gap)
            )
            continue
        for side in (-1, 1):
            half = side * distance[i] / 2 * (1 - side * rotation[i])
            climb = float(np.clip(rise[i] + rng.normal(0, 10), low, high))
            bones += _draw_thoracic(rng, params, vertebra, body, half, climb)
    return bones


def draw_geometry(rng, params=PhantomParams()):
    """Draws the geometry of a case without rendering it.

    Args:
        rng (np.random.Generator): Source of randomness.
        params (PhantomParams): Ranges to draw from.

    Returns:
        Geometry: spine, vertebrae, body strip and bone outlines.
    """
    width, height = _whole(rng, params.width), _whole(rng, params.height)
    top = rng.uniform(*params.top_margin)
    bottom = height - rng.uniform(*params.bottom_margin)
    center_x, curve_type, vertebrae = _draw_spine(rng, params, height, top, bottom)
    body, shift = _draw_body(rng, params, width, height, top, bottom, center_x)
    center_x = center_x + shift
    for vertebra in vertebrae:
        vertebra['x'] = round(vertebra['x'] + shift, 2)
    bones = _draw_bones(rng, params, vertebrae, body)
    return Geometry(width, height, center_x, curve_type, vertebrae, body, bones)


def _fill(canvas, outline, value):
    """Fills a polygon (N, 2) given in the canvas's px, to 1/16 px."""
    points = np.round(outline * 16).astype(np.int32)
    cv2.fillPoly(canvas, [points], value, shift=4)


def _draw_mask(geometry):
    """Paints the labels, uint8 (H, W); blue over green over red, as annotated."""
    mask = np.zeros((geometry.height, geometry.width), np.uint8)
    for label in (RIB, THORACIC, LUMBAR):
        for bone in geometry.bones:
            if bone.label == label:
                _fill(mask, bone.outline, label)
    distances = geometry.body.distances(*mask.shape)
    for distance in distances:
        mask[distance < 0] = BACKGROUND
    return mask


# --------------------------------------------------------------------------------
# Rendering. Smooth things are drawn at half resolution ("half px").
# --------------------------------------------------------------------------------


def _add_shadow(passed, outline, depth, blur, fade=None, trail=0.0):
    """Multiplies a soft shadow into the share of echo that passes.

    Args:
        passed (ndarray): float32 (H / 2, W / 2) in [0, 1], changed in place.
        outline (ndarray): Closed polygon (N, 2) in full px.
        depth (float): Share taken away at the darkest.
        blur (float): Sigma of the soft edge in full px.
        fade (int | None): -1 or 1: the shadow is darkest at its left or right end
            and loses half of its depth towards the other.
        trail (float): px by which a weaker second shadow is drawn out downwards.
    """
    outline, blur, trail = outline / 2, blur / 2, int(trail / 2)
    margin = int(3 * blur) + 2
    x0, y0 = np.floor(outline.min(0)).astype(int) - margin
    x1, y1 = np.ceil(outline.max(0)).astype(int) + margin + [0, trail]
    window = np.zeros((y1 - y0, x1 - x0), np.float32)
    _fill(window, outline - [x0, y0], 1.0)
    if fade:
        ramp = np.linspace(0.5, 1.6, x1 - x0, dtype=np.float32)[::fade]
        window *= np.minimum(ramp, 1)
    soft = cv2.GaussianBlur(window, (0, 0), blur)
    if trail:
        lower = 0.7 * np.roll(window, trail, axis=0)
        soft = np.maximum(soft, cv2.GaussianBlur(lower, (0, 0), 2 * blur))
    height, width = passed.shape
    rows = slice(max(y0, 0), max(min(y1, height), 0))
    cols = slice(max(x0, 0), max(min(x1, width), 0))
    inside = soft[rows.start - y0 : rows.stop - y0, cols.start - x0 : cols.stop - x0]
    if inside.size:
        passed[rows, cols] *= 1 - depth * inside


def _shadow_bones(rng, params, geometry, passed):
    """Casts the bones' shadows: softer, smaller and less sure than their outlines."""
    depth_of = {
        RIB: params.rib_depth,
        THORACIC: params.ellipse_depth,
        LUMBAR: params.lumbar_depth,
    }
    contrast = dict(zip((-1, 1), rng.uniform(*params.side_contrast, 2)))
    contrast[rng.choice([-1, 1])] = 1.0
    contrast[0] = 1.0
    order = {v['level']: i for i, v in enumerate(geometry.vertebrae)}
    # Neighbours on one side show alike: contrast changes slowly along the back.
    trend = {side: 0.6 + 0.3 * _line(rng, len(order), 3) for side in (-1, 0, 1)}
    for bone in geometry.bones:
        low, high = depth_of[bone.label]
        share = trend[bone.side][order[bone.level]] + rng.normal(0, 0.15)
        depth = (low + (high - low) * np.clip(share, 0, 1)) * contrast[bone.side]
        if bone.level in ('L4', 'L5', 'L6'):
            depth *= 0.85  # the lowest lumps show least [I]
        if rng.random() < params.faint_share:
            depth = rng.uniform(*params.faint_depth)
        scale = rng.uniform(*params.shadow_scale, 2)
        middle = bone.outline.mean(0)
        if bone.label == RIB:
            scale[0] = 1  # a rib's shadow comes in from the body's edge
        shift = rng.normal(0, params.shadow_offset, 2)
        _add_shadow(
            passed,
            middle + (bone.outline - middle) * scale + shift,
            depth,
            rng.uniform(*params.shadow_blur) * (1.3 if bone.label == LUMBAR else 1),
            fade=bone.side if bone.label == RIB else None,
            trail=rng.uniform(0, 26) if bone.label == RIB else 0,
        )


def _shadow_distractors(rng, params, geometry, passed):
    """Casts shadows that are no bone, anywhere in the body."""
    body = geometry.body
    for _ in range(_whole(rng, params.num_distractors)):
        y = rng.uniform(body.top, body.bottom)
        row = int(np.clip(y, 0, geometry.height - 1))
        # Beyond the edges too: patches that enter from outside look like ribs.
        x = rng.uniform(body.left[row] - 15, body.right[row] + 15)
        half_width, half_height = rng.uniform(*params.distractor_size, 2)
        outline = [x, y] + _ellipse(rng, 1.3 * half_width, 0.8 * half_height)
        depth = rng.uniform(*params.distractor_depth)
        _add_shadow(passed, outline, depth, rng.uniform(8, 20))


def _shadow_column(rng, params, geometry, passed):
    """Casts the spinous processes' shadow: a dark column along the center line."""
    height, width = geometry.height, geometry.width
    rows = np.arange(height)
    lumbar = next(v['y'] for v in geometry.vertebrae if v['level'] == 'L1')
    # The column is dark at the top, weakest at the bright levels, darkest below. [I]
    body = geometry.body
    knots = [body.top, body.top + 0.45 * (lumbar - body.top), lumbar, body.bottom]
    low, high = params.column_depth
    low_depth = 0.8 * low
    depth = low + (high - low) * (
        np.interp(rows, knots, [0.8, 0.4, 0.9, 0.85]) + 0.16 * _line(rng, height, 90)
    )
    low, high = params.column_sigma
    sigma = low + (high - low) * (
        np.interp(rows, knots, [0.45, 0.2, 0.6, 0.7]) + 0.15 * _line(rng, height, 110)
    )
    middle = geometry.center_x + rng.normal(0, 4) + 4 * _line(rng, height, 130)
    x = np.arange(0, width, 2, dtype=np.float32)
    row = slice(None, None, 2)
    sigma = sigma.clip(16)[row, None].astype(np.float32)
    off = np.abs(x - middle[row, None].astype(np.float32)) / sigma
    depth = depth.clip(low_depth, 0.97)[row, None].astype(np.float32)
    # A little flatter in its dark middle than a Gaussian.
    passed *= 1 - depth * np.exp(-0.5 * off**2.2)

    for _ in range(_whole(rng, params.num_column_blobs)):
        y = rng.uniform(body.top, body.bottom)
        x = geometry.center_x[int(y)] + rng.normal(0, 5)
        radius = rng.uniform(20, 38, 2)
        outline = [x, y] + _ellipse(rng, *radius)
        _add_shadow(passed, outline, rng.uniform(0.4, 0.9), rng.uniform(10, 16))


def _shake(rng, image, size, strength):
    """Displaces pixels smoothly, so that no drawn outline stays regular.

    Args:
        rng (np.random.Generator): Source of randomness.
        image (ndarray): float32 (h, w).
        size (float): px between independent displacements.
        strength (float): Standard deviation of the displacement in px.

    Returns:
        ndarray: float32 (h, w).
    """
    y, x = np.indices(image.shape, dtype=np.float32)
    x += strength * _field(rng, image.shape, (size, size))
    y += strength * _field(rng, image.shape, (size, size))
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _draw_shadows(rng, params, geometry):
    """Draws the share of echo that passes, float32 (H / 2, W / 2) in [0, 1]."""
    shape = (geometry.height + 1) // 2, (geometry.width + 1) // 2
    passed = np.ones(shape, np.float32)
    _shadow_bones(rng, params, geometry, passed)
    _shadow_distractors(rng, params, geometry, passed)
    # Shadows are uneven inside: where echo leaks in, they are shallower.
    leak = np.clip(0.05 + 0.08 * _field(rng, shape, (16, 20)), 0, 0.4)
    passed += leak * (1 - passed)
    _shadow_column(rng, params, geometry, passed)
    passed = _shake(rng, _shake(rng, passed, 30, 3.5), 6, 0.9)
    # Every sweep of the probe smears along its own line. [I]
    return cv2.GaussianBlur(passed, (0, 0), sigmaX=2.5, sigmaY=0.8)


def _paraspinal_gain(rng, geometry):
    """Draws the brighter muscle beside the midline, float32 (H / 2, W / 2)."""
    x = np.arange(0, geometry.width, 2, dtype=np.float32)
    off = np.abs(x - geometry.center_x[::2, None].astype(np.float32))
    strip = np.exp(-0.5 * ((off - rng.uniform(55, 75)) / 26) ** 2)
    return rng.uniform(0.08, 0.25) * strip - 0.04


def _draw_tissue(rng, params, geometry):
    """Draws the soft tissue's echo, float32 (H / 2, W / 2), grey levels, unclipped."""
    body = geometry.body
    shape = (geometry.height + 1) // 2, (geometry.width + 1) // 2
    share = (np.arange(shape[0]) * 2 - body.top) / (body.bottom - body.top)
    knots = np.array(params.level_at, dtype=np.float64)
    # The ends stay put, the bright region in between comes at differing places.
    knots[1:-1] += rng.normal(0, 0.02, len(knots) - 2) + rng.normal(0, 0.03)
    level = np.array(params.level, dtype=np.float64)
    level *= np.exp(params.level_jitter * rng.standard_normal(len(level)))
    level = np.interp(share, knots, level)
    level = cv2.GaussianBlur(level[:, None].astype(np.float32), (1, 0), 0, sigmaY=30)

    clouds = np.zeros(shape, np.float32)
    layers = zip(params.cloud_sizes, params.cloud_strengths)
    for size, strength in layers:
        # Clouds lie along the scan lines: wider than high.
        clouds += strength * _field(rng, shape, (size / 2, 1.3 * size / 2))
    # Bright blobs, more of them below the ribs than among them. [I]
    bright = np.maximum(_field(rng, shape, (28, 32)) - 0.8, 0)
    clouds += 0.5 * bright * np.clip(2 * share - 0.6, 0.25, 1)[:, None]
    tissue = level * np.exp(_shake(rng, clouds, 10, 1.5))
    tissue *= 1 + _paraspinal_gain(rng, geometry)

    for _ in range(_whole(rng, params.num_glints)):
        # Most of the flat bright streaks lie near the top end.
        y = body.top + (body.bottom - body.top) * rng.beta(0.5, 2)
        row = int(np.clip(y, 0, geometry.height - 1))
        x = rng.uniform(body.left[row] + 30, body.right[row] - 30)
        half = rng.uniform(25, 60), rng.uniform(3, 6)
        glint = np.zeros(shape, np.float32)
        x0, y0 = int(x / 2), int(y / 2)
        turn = np.degrees(rng.uniform(*params.scan_slope))
        axes = int(half[0] / 2), max(int(half[1] / 2), 1)
        cv2.ellipse(glint, (x0, y0), axes, turn, 0, 360, 1.0, -1)
        window = np.s_[max(y0 - 30, 0) : y0 + 30, max(x0 - 60, 0) : x0 + 60]
        soft = cv2.GaussianBlur(glint[window], (0, 0), sigmaX=6, sigmaY=2)
        tissue[window] *= 1 + rng.uniform(0.3, 0.9) * soft
    return tissue


def _draw_scan_slope(rng, params, geometry):
    """Draws the tilt of the scan lines per row (H,), px/px: the probe rocks."""
    low, high = params.scan_slope
    middle, half = (low + high) / 2, (high - low) / 2
    wander = _line(rng, geometry.height, 500)
    return (middle + 0.6 * half * wander).clip(low, high)


def _draw_bands(rng, params, geometry):
    """Draws where dashes are dense: a list of (middle row, sigma in rows)."""
    body = geometry.body
    bands = []
    for _ in range(_whole(rng, params.num_dash_bands)):
        height = rng.uniform(*params.dash_band_height)
        middle = rng.uniform(body.top + height, body.bottom - height)
        bands.append((middle, height / 4))
    return bands


def _draw_scan(rng, params, geometry, slope, bands):
    """Draws gain, striation and speckle as one factor, float32 (H, W) around 1."""
    height, width = geometry.height, geometry.width
    rows = np.arange(height)
    gain = 1 + rng.uniform(*params.gain_wander) * _line(rng, height, 25)
    for _ in range(_whole(rng, params.num_gain_steps)):
        # A step that fades away: the sonographer, or the machine, settles again.
        after = rows - rng.integers(0, height)
        step = np.exp(-after.clip(0) / rng.uniform(8, 80)) * (after >= 0)
        gain += rng.normal(0, 0.06) * step

    strength = rng.uniform(*params.striation)
    strength = strength * np.exp(0.35 * _line(rng, height, 60))
    for middle, sigma in bands:
        strength *= 1 + 1.2 * np.exp(-0.5 * ((rows - middle) / sigma) ** 2)
    # Lines differ from each other and change slowly along themselves.
    fine = rng.standard_normal((height, width // 4 + 2), dtype=np.float32)
    fine = cv2.resize(fine, (width, height), interpolation=cv2.INTER_LINEAR)
    fine += 0.35 * rng.standard_normal((height, 1), dtype=np.float32)
    texture = 1.15 * strength[:, None].astype(np.float32) * fine
    texture += gain[:, None].astype(np.float32)
    # The lines are tilted: nearest neighbours keep them one pixel high, in steps.
    x = np.arange(width, dtype=np.float32)
    map_y = rows[:, None].astype(np.float32) - slope[:, None].astype(np.float32) * (
        x - width / 2
    )
    map_x = np.broadcast_to(x, map_y.shape)
    texture = cv2.remap(
        texture, map_x, map_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT
    )
    grain = rng.standard_normal((height, width), dtype=np.float32)
    return texture + np.float32(rng.uniform(*params.speckle)) * grain


def _draw_visibility(rng, params, geometry):
    """Draws how much of the body is seen, float32 (H, W) in [0, 1]: ragged edges."""
    height, width = geometry.height, geometry.width
    body = geometry.body
    rows = np.arange(height)
    # Edges are nearly crisp along the back and fade out at both its ends. [I]
    into = np.minimum((rows - body.top) / 80, (body.bottom - rows) / 260).clip(0, 1)
    left, right, top, bottom = body.distances(height, width)
    seen = np.minimum(top, bottom / 2.5).clip(0, 1)
    for distance in (left, right):
        ragged = rng.uniform(*params.edge_raggedness) * rng.standard_normal(height)
        ragged *= np.exp(0.3 * _line(rng, height, 80))
        fade = 3 + 3 * np.abs(_line(rng, height, 60))
        fade += rng.uniform(10, 50) * (1 - into)
        distance += ragged[:, None].astype(np.float32)
        distance /= fade[:, None].astype(np.float32)
        seen *= distance.clip(0, 1)
    return seen


def _draw_dash_line(rng, params, image, row, slope, in_body):
    """Draws one tilted line of 1-px-high black dashes, in place.

    Args:
        rng (np.random.Generator): Source of randomness.
        params (PhantomParams): Ranges.
        image (ndarray): float32 (H, W).
        row (float): Row at the middle of the frame.
        slope (float): px/px.
        in_body (ndarray): bool (H, W).
    """
    height, width = image.shape
    x = np.arange(width)
    y = np.round(row + slope * (x - width / 2)).astype(int)
    length = max(params.dash_length * np.exp(0.55 * rng.standard_normal()), 1)
    period = length + max(length * rng.uniform(0.8, 6), 3)
    phase = (x + rng.uniform(0, period)) % period
    valid = (y >= 0) & (y < height)
    valid[valid] &= in_body[y[valid], x[valid]]
    dark = valid & (phase < round(length))
    image[y[dark], x[dark]] = 0
    # A dash may end in a bright dot. [I]
    dot = valid & (np.floor(phase) == round(length))
    image[y[dot], x[dot]] *= rng.uniform(1, 1.5)


def _draw_dashes(rng, params, geometry, image, slope, bands, seen):
    """Draws the regular occlusion noise, in place: dense bands and lone lines."""
    in_body = seen > 0.3
    rows = []
    for middle, sigma in bands:
        count = int(4 * sigma * rng.uniform(0.2, 0.5))
        rows += list(middle + sigma * rng.standard_normal(count).clip(-2, 2))
    for _ in range(_whole(rng, params.num_dash_lines)):
        first = rng.uniform(geometry.body.top, geometry.body.bottom)
        rows += list(first + np.cumsum(rng.uniform(1, 9, rng.integers(1, 5))))
    for row in rows:
        at = slope[int(np.clip(row, 0, len(slope) - 1))] + rng.normal(0, 0.01)
        _draw_dash_line(rng, params, image, row, at, in_body)


def _draw_image(rng, params, geometry):
    """Renders the image, uint8 (H, W)."""
    echo = _draw_tissue(rng, params, geometry)
    echo *= _draw_shadows(rng, params, geometry)
    size = geometry.width, geometry.height
    image = cv2.resize(echo, size, interpolation=cv2.INTER_LINEAR)
    slope = _draw_scan_slope(rng, params, geometry)
    bands = _draw_bands(rng, params, geometry)
    image *= _draw_scan(rng, params, geometry, slope, bands)
    image = cv2.GaussianBlur(image, (3, 1), 0.6)
    # The echo saturates with a knee: bright tissue keeps some of its texture.
    np.minimum(image, 105 + 0.5 * image, out=image)
    np.clip(image, 0, 255, out=image)
    seen = _draw_visibility(rng, params, geometry)
    image *= seen
    _draw_dashes(rng, params, geometry, image, slope, bands, seen)
    return np.clip(image + 0.5, 0, 255).astype(np.uint8)


def make_case(seed: int | Sequence[int], params=PhantomParams()):
    """Makes one case; the same seed and parameters give the same bytes.

    Args:
        seed (int | Sequence[int]): Non-negative entropy of the case.
        params (PhantomParams): Ranges to draw from.

    Returns:
        PhantomCase: image, mask and geometry.
    """
    seed = [int(s) for s in np.atleast_1d(seed)]
    rng = np.random.default_rng(seed)
    geometry = draw_geometry(rng, params)
    return PhantomCase(
        image=_draw_image(rng, params, geometry),
        mask=_draw_mask(geometry),
        geometry=dict(seed=seed, **geometry.to_dict()),
    )


# --------------------------------------------------------------------------------
# Data sets on disk
# --------------------------------------------------------------------------------


def _case_paths(root, split, name):
    """Returns the paths of a case's image, mask and geometry."""
    return (
        root / 'dataset' / split / f'{name}.png',
        root / 'groundtruth' / split / f'{name}_bone_3.png',
        root / 'geometry' / split / f'{name}.json',
    )


def _write_json(path, content):
    path.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')


def _write_case(job):
    """Makes and writes one case; a function of one argument, for the pool."""
    root, split, name, seed, params = job
    case = make_case(seed, params)
    image_path, mask_path, geometry_path = _case_paths(root, split, name)
    for path, pixels in ((image_path, case.image), (mask_path, case.mask)):
        if not cv2.imwrite(str(path), pixels):
            raise OSError(f'{path}: could not be written; is the disk full?')
    _write_json(geometry_path, case.geometry)


def _one_thread():
    """Keeps OpenCV to one thread in a worker: the workers share the cores already."""
    cv2.setNumThreads(1)


def _write_atomically(path, text):
    """Writes a text file that is either absent or whole."""
    partial = path.with_name(path.name + '.partial')
    partial.write_text(text, encoding='utf-8')
    os.replace(partial, path)


def _prepare_root(root, recipe, overwrite):
    """Checks the target folder and clears what an earlier run left there.

    Args:
        root (Path): Target folder.
        recipe (dict): How the data set will be made; kept in ``phantom.json``.
        overwrite (bool): Whether another data set may be replaced.

    Raises:
        ValueError: If ``root`` is no folder, or holds another data set.
    """
    if root.exists() and not root.is_dir():
        raise InputError(f'{root} is a file; name a folder to write the phantom to')
    recipe_path = root / 'phantom.json'
    recipe = json.loads(json.dumps(recipe))
    split_files = [root / f'{split}.txt' for split in SPLITS]
    if any(path.exists() for path in split_files) and not overwrite:
        try:
            same = json.loads(recipe_path.read_text(encoding='utf-8')) == recipe
        except (OSError, ValueError):
            same = False
        if not same:
            raise InputError(
                f'{root} already holds a data set that was made otherwise; choose '
                'another folder, or pass overwrite=True (--overwrite) to replace it'
            )
    # Without split files a data set is incomplete, and this one is, from here on.
    for path in split_files:
        path.unlink(missing_ok=True)
    for split in SPLITS:
        for path in _case_paths(root, split, 'x'):
            path.parent.mkdir(parents=True, exist_ok=True)
            for stale in path.parent.glob(f'phantom_{split}_*'):
                stale.unlink()
    _write_json(recipe_path, recipe)


def write_phantom(
    root,
    num_train,
    num_test,
    seed=0,
    params=PhantomParams(),
    num_workers=1,
    overwrite=False,
):
    """Writes a phantom data set in the layout of the clinical one.

    ``dataset/<split>/NAME.png`` holds the images, ``groundtruth/<split>/
    NAME_bone_3.png`` the masks, ``geometry/<split>/NAME.json`` the true geometry,
    ``train.txt`` and ``test.txt`` the names, ``phantom.json`` how all was made. The
    split files come last: an interrupted run has none. The same call writes the same
    bytes, whatever the number of workers; repeating it replaces its own files.

    Args:
        root (str | Path): Folder to write to, made if absent.
        num_train (int): Training cases.
        num_test (int): Test cases.
        seed (int): Seed of the data set.
        params (PhantomParams): Ranges to draw from.
        num_workers (int): Processes; 1 works in this one.
        overwrite (bool): Replace a data set that was made otherwise.

    Raises:
        InputError: If an argument makes no sense or ``root`` cannot be used.
        OSError: If a file cannot be written.
    """
    counts = dict(train=num_train, test=num_test)
    for split, count in counts.items():
        if count < 0:
            raise InputError(f'num_{split} must not be negative, got {count}')
    if num_train + num_test == 0:
        raise InputError('num_train and num_test are both 0: ask for at least one case')
    if seed < 0:
        raise InputError(f'seed must not be negative, got {seed}')
    if num_workers < 1:
        raise InputError(f'num_workers must be at least 1, got {num_workers}')

    root = Path(root)
    recipe = dict(counts, seed=seed, params=asdict(params))
    _prepare_root(root, recipe, overwrite)
    names = {
        split: [f'phantom_{split}_{i:04d}' for i in range(count)]
        for split, count in counts.items()
    }
    jobs = [
        (root, split, name, (seed, SPLITS.index(split), i), params)
        for split in SPLITS
        for i, name in enumerate(names[split])
    ]
    _run(jobs, num_workers)
    for split in SPLITS:
        text = ''.join(f'{name}\n' for name in names[split])
        _write_atomically(root / f'{split}.txt', text)


def _run(jobs, num_workers):
    """Writes all cases, over processes if there are several workers."""
    progress = ProgressBar(len(jobs))
    if num_workers == 1:
        for job in jobs:
            _write_case(job)
            progress.update()
        return
    # 'spawn' starts clean processes: safe beside threads, alike on every system.
    context = multiprocessing.get_context('spawn')
    with context.Pool(min(num_workers, len(jobs)), initializer=_one_thread) as pool:
        for _ in pool.imap_unordered(_write_case, jobs):
            progress.update()
