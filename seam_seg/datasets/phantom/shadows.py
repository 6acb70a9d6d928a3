"""How bones show: the shadows they cast, by models beside one another.

Everything here is drawn at half resolution ("half px"). Which of the models may be
trained on says ``params.TRAINED_MODELS``. ``[F]``, ``[I]``, ``[O]``: see :mod:`.params`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from .anatomy import LAST_PAIR, Bone, Geometry, draw_ellipse
from .draws import draw_field, draw_int, draw_line, draw_or, shake
from .params import LUMBAR, RIB, THORACIC, PhantomParams


@dataclass(frozen=True)
class Shadow:
    """How one bone shows.

    Attributes:
        outline: Closed polygon (N, 2) in px: the bone's own, smaller and moved.
        depth: Share of the echo that is gone where it is darkest. (Left as drawn: of
            Python's or NumPy's float, which decides the precision of the product.)
        scale: Its width and height against the outline's.
        shift: How far it is moved, x and y in px.
        blur: Sigma of its soft edge in px.
        trail: px by which a weaker second shadow is drawn out downwards.
    """

    outline: np.ndarray
    depth: float
    scale: np.ndarray
    shift: np.ndarray
    blur: float
    trail: float

    def to_dict(self) -> dict:
        """Returns what the geometry file keeps, ready for JSON."""
        return dict(
            depth=round(float(self.depth), 3),
            scale=[round(value, 3) for value in self.scale.tolist()],
            shift=[round(value, 2) for value in self.shift.tolist()],
        )


def fill(canvas: np.ndarray, outline: np.ndarray, value: float) -> None:
    """Fills a polygon (N, 2) given in the canvas's px, to 1/16 px."""
    points = np.round(outline * 16).astype(np.int32)
    cv2.fillPoly(canvas, [points], value, shift=4)


def soften(canvas: np.ndarray, sigma: float) -> np.ndarray:
    """Blurs by a Gaussian of this sigma in px, which may be 0."""
    return cv2.GaussianBlur(canvas, (0, 0), sigma) if sigma > 0 else canvas


def add_shadow(
    passed: np.ndarray,
    outline: np.ndarray,
    depth: float,
    blur: float,
    fade: int | None = None,
    trail: float = 0.0,
) -> None:
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
    fill(window, outline - [x0, y0], 1.0)
    if fade:
        ramp = np.linspace(0.5, 1.6, x1 - x0, dtype=np.float32)[::fade]
        window *= np.minimum(ramp, 1)
    soft = soften(window, blur)
    if trail:
        lower = 0.7 * np.roll(window, trail, axis=0)
        soft = np.maximum(soft, soften(lower, 2 * blur))
    height, width = passed.shape
    rows = slice(*np.clip([y0, y1], 0, height))
    cols = slice(*np.clip([x0, x1], 0, width))
    inside = soft[rows.start - y0 : rows.stop - y0, cols.start - x0 : cols.stop - x0]
    passed[rows, cols] *= 1 - depth * inside


def draw_bone_shadows(
    rng: Generator, params: PhantomParams, geometry: Geometry
) -> list[Shadow]:
    """Draws how bones show: softer, smaller and less sure than their outlines.

    Args:
        rng (np.random.Generator): Source of randomness.
        params (PhantomParams): Ranges.
        geometry (Geometry): Of the case.

    Returns:
        list[Shadow]: of the bones, then of the bridges.
    """
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
    trend = {side: 0.6 + 0.3 * draw_line(rng, len(order), 3) for side in (-1, 0, 1)}
    strength = draw_or(rng, params.bone_contrast, 1)
    upper = draw_or(rng, params.upper_contrast, 1)
    fading = 0 if upper == 1 else draw_int(rng, params.num_upper_levels)
    shadows = []
    for bone in (*geometry.bones, *geometry.bridges):
        low, high = depth_of[bone.label]
        share = trend[bone.side][order[bone.level]] + rng.normal(0, params.depth_jitter)
        depth = (low + (high - low) * np.clip(share, 0, 1)) * contrast[bone.side]
        if bone.level in ('L4', 'L5', 'L6'):
            depth *= 0.85  # the lowest lumps show least [I]
        if rng.random() < params.faint_share:
            depth = rng.uniform(*params.faint_depth)
        depth *= strength
        if order[bone.level] < fading:
            depth *= upper + (1 - upper) * order[bone.level] / fading
        if bone.level == LAST_PAIR:
            depth *= draw_or(rng, params.last_pair_contrast, 1)
        scale = rng.uniform(*params.shadow_scale, 2)
        middle = bone.outline.mean(0)
        if bone.label == RIB:
            scale[0] = 1  # a rib's shadow comes in from the body's edge
        shift = rng.normal(0, params.shadow_offset, 2)
        blur = rng.uniform(*params.shadow_blur) * (1.3 if bone.label == LUMBAR else 1)
        trail = rng.uniform(0, 26) if bone.label == RIB else 0
        outline = middle + (bone.outline - middle) * scale + shift
        shadows.append(Shadow(outline, depth, scale, shift, blur, trail))
    return shadows


# --------------------------------------------------------------------------------
# Models: (rng, params, geometry, shadows, passed) -> None. They change ``passed``,
# float32 (H / 2, W / 2), the share of the echo that passes, in place; ``shadows`` are
# those of the bones and bridges.
# --------------------------------------------------------------------------------


def cast_spots(
    rng: Generator,
    params: PhantomParams,
    geometry: Geometry,
    shadows: Sequence[Shadow],
    passed: np.ndarray,
) -> None:
    """Casts a soft spot per bone, each for itself."""
    for bone, shadow in zip((*geometry.bones, *geometry.bridges), shadows):
        add_shadow(
            passed,
            shadow.outline,
            shadow.depth,
            shadow.blur,
            fade=bone.side if bone.label == RIB else None,
            trail=shadow.trail,
        )


def _shade(shape: tuple[int, int], outline: np.ndarray, blur: float) -> tuple:
    """Draws one soft shape, drawn out along the scan lines.

    Args:
        shape (tuple[int, int]): Rows and columns of the whole, in half px.
        outline (ndarray): Closed polygon (N, 2) in full px.
        blur (float): Sigma of its edge in full px.

    Returns:
        tuple: rows and columns as slices, and the shape there, float32 in [0, 1].
    """
    margin = np.array([3, 2]) * blur / 2 + 3
    low = np.clip(outline.min(0) / 2 - margin, 0, [shape[1] - 1, shape[0] - 1])
    high = np.clip(outline.max(0) / 2 + margin, 1, [shape[1], shape[0]])
    (x0, y0), (x1, y1) = low.astype(int), np.ceil(high).astype(int)
    # Beyond the frame's sides it goes on: a rib comes in from there undiminished.
    pad = int(3 * blur / 2) + 2
    window = np.zeros((y1 - y0, x1 - x0 + 2 * pad), np.float32)
    fill(window, outline / 2 - [x0 - pad, y0], 1.0)
    if blur > 0:
        window = cv2.GaussianBlur(window, (0, 0), sigmaX=0.6 * blur, sigmaY=0.36 * blur)
    return np.s_[y0:y1, x0:x1], window[:, pad:-pad]


def _thickness(depth: float) -> float:
    """Returns the optical thickness of a shadow of this depth."""
    return -float(np.log(1 - min(depth, 0.98)))


def _link_lumps(
    rng: Generator,
    params: PhantomParams,
    lumps: list[tuple[Bone, Shadow]],
    thick: np.ndarray,
) -> None:
    """Darkens what lies between neighbouring lumps, the wider the lower, in place."""
    for number, (upper, lower) in enumerate(zip(lumps, lumps[1:])):
        (x0, y0), (x1, y1) = upper[0].center, lower[0].center
        half = rng.uniform(34, 60) * (1 + 0.22 * number), 0.5 * (y1 - y0)
        at = (x0 + x1) / 2 + rng.normal(0, 8), (y0 + y1) / 2
        window, soft = _shade(thick.shape, at + draw_ellipse(rng, *half), 16)
        depth = rng.uniform(*params.lumbar_links) * (upper[1].depth + lower[1].depth) / 2
        thick[window] = np.maximum(thick[window], _thickness(depth) * soft)


def _streak(rng: Generator, shape: tuple[int, int], slope: float) -> np.ndarray:
    """Draws parallel streaks along the scan lines, float32 of about unit variance."""
    coarse = draw_field(rng, shape, (1.2, 45)) + 0.6 * draw_field(rng, shape, (4, 60))
    x = np.arange(shape[1], dtype=np.float32)
    rows = np.arange(shape[0], dtype=np.float32)[:, None] - slope * (x - x.mean())
    columns = np.broadcast_to(x, shape)
    rows = rows.astype(np.float32)
    return cv2.remap(coarse, columns, rows, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT)


def cast_streaks(
    rng: Generator,
    params: PhantomParams,
    geometry: Geometry,
    shadows: Sequence[Shadow],
    passed: np.ndarray,
) -> None:
    """Casts rib and ellipse as one drawn-out shadow, lumps as patches that melt. [I]

    Drawn as optical thickness: the shadow lets ``exp(-thickness)`` pass. Of two shadows
    the thicker counts, so what touches becomes one.
    """
    shape = passed.shape
    thick, lumbar = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    cast = list(zip((*geometry.bones, *geometry.bridges), shadows))
    for bone, shadow in cast:
        canvas = lumbar if bone.label == LUMBAR else thick
        window, soft = _shade(shape, shadow.outline, shadow.blur)
        if bone.label == RIB:
            # Darkest at the body's edge, where the ray passes most of it.
            ramp = np.linspace(0.5, 1.3, soft.shape[1], dtype=np.float32)
            soft = soft * np.minimum(ramp, 1)[:: bone.side]
        canvas[window] = np.maximum(canvas[window], _thickness(shadow.depth) * soft)
    # A sweep draws every shadow out along its line, a rib's and an ellipse's into one.
    drawn_out = cv2.GaussianBlur(thick, (0, 0), sigmaX=14, sigmaY=3)
    thick = np.maximum(thick, rng.uniform(*params.drawn_out) * drawn_out)
    lumps = [(bone, shadow) for bone, shadow in cast if bone.label == LUMBAR]
    lumps.sort(key=lambda lump: lump[0].center[1])
    _link_lumps(rng, params, lumps, lumbar)
    # Echo leaks in by patches: one wing shows better than the other.
    patches = draw_field(rng, shape, (28, 38)) + 0.3 * draw_field(rng, shape, (9, 14))
    patches = cv2.GaussianBlur(patches, (0, 0), 3)
    lumbar *= np.maximum(1 + rng.uniform(*params.patchiness) * patches, 0.1)
    thick = shake(rng, np.maximum(thick, lumbar), 20, 1.8)
    slope = rng.uniform(*params.scan_slope)
    thick *= 1 + rng.uniform(*params.streaks) * _streak(rng, shape, slope)
    passed *= np.exp(-thick)


def cast_rims(
    rng: Generator,
    params: PhantomParams,
    geometry: Geometry,
    shadows: Sequence[Shadow],
    passed: np.ndarray,
) -> None:
    """Casts bones whose upper surface echoes brightly above a shadow. [O]"""
    for shadow in shadows:
        lower = np.array([0, rng.uniform(12, 24)])
        window, soft = _shade(passed.shape, shadow.outline + lower, shadow.blur)
        passed[window] *= 1 - np.float32(shadow.depth) * soft
        # The surface is what the bone has and its shadow has not: a bright crescent.
        window, whole = _shade(passed.shape, shadow.outline, 5)
        down = np.array([[1, 0, 0], [0, 1, lower[1] / 2]])
        below = cv2.warpAffine(whole, down, whole.shape[::-1])
        rim = (whole - below).clip(0)
        passed[window] *= 1 + np.float32(rng.uniform(0.8, 1.6) * shadow.depth) * rim


def cast_veils(
    rng: Generator,
    params: PhantomParams,
    geometry: Geometry,
    shadows: Sequence[Shadow],
    passed: np.ndarray,
) -> None:
    """Casts shadows that begin sharply above and hang down like veils. [O]"""
    thick = np.zeros(passed.shape, np.float32)
    for shadow in shadows:
        window, soft = _shade(passed.shape, shadow.outline, 0.7 * shadow.blur)
        thick[window] += _thickness(shadow.depth) * soft
    fade = np.exp(-np.arange(90) / rng.uniform(14, 26)).astype(np.float32)[::-1]
    veils = cv2.filter2D(thick, -1, fade[:, None] / fade.sum(), anchor=(0, 89))
    thick = np.maximum(0.6 * thick, veils) + 0.25 * veils
    passed *= np.exp(-thick)


SHADOW_MODELS = dict(
    spots=cast_spots, streaks=cast_streaks, rims=cast_rims, veils=cast_veils
)
