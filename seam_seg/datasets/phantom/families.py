"""Model families: what a curve, a lump, a texture and the noise are drawn by.

The first of each registry is what models are trained on. The others are held out: they
make up the test sets that stand for another scanner (see ``params.HELD_OUT``), and no
training preset uses them. ``[F]``, ``[I]``, ``[O]``: see :mod:`.params`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.random import Generator
from scipy.interpolate import CubicSpline

from .draws import draw_field, draw_int, draw_line, shake
from .params import CURVE_TYPES, LUMBAR_SHAPES, PhantomParams

if TYPE_CHECKING:
    from .anatomy import Geometry

# --------------------------------------------------------------------------------
# Curves: (rng, params, curve_type, height, level_y) -> slope dx/dy of the center line
# per row (H,), before it is scaled to the wanted angle.
# --------------------------------------------------------------------------------


def draw_bumps(
    rng: Generator,
    params: PhantomParams,
    curve_type: str,
    height: int,
    level_y: np.ndarray,
) -> np.ndarray:
    """Draws one or two bumps of fixed shape at the usual places."""
    y = np.arange(height)
    slope = 0.15 * draw_line(rng, height, height / 6)
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


def draw_splines(
    rng: Generator,
    params: PhantomParams,
    curve_type: str,
    height: int,
    level_y: np.ndarray,
) -> np.ndarray:
    """Draws sideways splines whose two flanks differ, through one to three apexes."""
    y = np.arange(height)
    apexes = {'long': [0.5], 'skewed': [0.38], 'triple': [0.2, 0.48, 0.78]}
    at = np.array(apexes.get(curve_type, []))
    if not len(at):
        return 0.15 * draw_line(rng, height, height / 8)
    at = at + rng.uniform(-0.05, 0.05, len(at))
    side = rng.choice([-1, 1]) * np.array([1, -1, 1])[: len(at)]
    side = side * rng.uniform(0.7, 1.3, len(at))
    # The flank above an apex is steeper or flatter than the one below it.
    if curve_type == 'skewed':
        ends = at[0] - rng.uniform(0.1, 0.16), at[0] + rng.uniform(0.3, 0.42)
    elif curve_type == 'long':
        ends = rng.uniform(0.1, 0.2), rng.uniform(0.8, 0.9)
    else:
        ends = rng.uniform(-0.02, 0.06), rng.uniform(0.92, 1.04)
    knots = np.concatenate([[ends[0] - 0.6, ends[0]], at, [ends[1], ends[1] + 0.6]])
    values = np.concatenate([[0, 0], side, [0, 0]])
    spline = CubicSpline(level_y[0] + knots * np.ptp(level_y), values, bc_type='clamped')
    slope = spline(y, 1)
    # Beyond its ends a spline swings back: the spine there runs straight instead.
    low, high = level_y[0] + np.array(ends) * np.ptp(level_y)
    slope *= np.exp(-((np.minimum(y - low, 0) / 90) ** 2))
    slope *= np.exp(-((np.maximum(y - high, 0) / 90) ** 2))
    return slope * height / 4 + 0.1 * draw_line(rng, height, height / 8)


# Names of the curve's types, in the order of PhantomParams.curve_shares, and drawing.
CURVE_MODELS = dict(
    bumps=(CURVE_TYPES, draw_bumps),
    splines=(('none', 'long', 'skewed', 'triple'), draw_splines),
)

# --------------------------------------------------------------------------------
# Lumbar lumps: (rng, params, shape, half_size) -> outline (N, 2) in px around 0.
# ``shape`` is the case's family, ``half_size`` holds px of the left wing, of the right
# wing and of the height.
# --------------------------------------------------------------------------------

# Right half of a bat-wing lump, in halves of its width and height: a roof that falls
# from the midline to the wing's tip, a nearly flat floor with a short stem. [I]
_BAT = np.array(
    [[0.0, -1.05], [0.26, -1.05], [0.5, -0.55], [0.9, -0.3], [1.06, 0.1], [1.0, 0.75],
     [0.6, 0.85], [0.34, 0.68], [0.22, 1.05], [0.0, 1.05]]
)  # fmt: skip
# The same without a stem: thick wings, narrow in the middle. [O]
_BOW = np.array(
    [[0.0, -0.62], [0.2, -0.66], [0.55, -0.98], [0.9, -0.86], [1.08, -0.2], [1.04, 0.55],
     [0.75, 0.95], [0.45, 0.86], [0.2, 0.7], [0.0, 0.66]]
)  # fmt: skip
# A bar with drooping ends, as of the lowest levels. [I]
_BAR = np.array(
    [[0.0, -0.9], [0.26, -0.86], [0.55, -0.78], [0.86, -0.6], [1.08, 0.05], [1.02, 0.85],
     [0.7, 0.95], [0.4, 0.72], [0.2, 0.84], [0.0, 0.86]]
)  # fmt: skip
_WINGS = dict(zip(LUMBAR_SHAPES, (_BAT, _BOW, _BAR)))


def round_off(points: np.ndarray) -> np.ndarray:
    """Rounds a closed polygon (N, 2) off by cutting its corners (Chaikin)."""
    for _ in range(3):
        following = np.roll(points, -1, axis=0)
        cut = [0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following]
        points = np.stack(cut, axis=1).reshape(-1, 2)
    return points


def draw_wings(
    rng: Generator,
    params: PhantomParams,
    shape: str,
    half_size: tuple[float, float, float],
) -> np.ndarray:
    """Draws a polygon per wing after one of the templates, with a hand's jitter."""
    template = _WINGS[shape]
    wings = []
    for side, half_width in ((1, half_size[1]), (-1, half_size[0])):
        wing = template + rng.normal(0, 0.05, template.shape)
        wing[[0, -1], 0] = 0
        wing[:, 1] += rng.normal(0, 0.08) * wing[:, 0]
        wings.append(wing * [side * half_width, half_size[2]])
    return round_off(np.concatenate([wings[0], wings[1][::-1]]))


def draw_spindles(
    rng: Generator,
    params: PhantomParams,
    shape: str,
    half_size: tuple[float, float, float],
) -> np.ndarray:
    """Draws a bent middle line with a thickness that swells along it."""
    u = np.sin(np.linspace(-np.pi / 2, np.pi / 2, 41))
    bend, skew = rng.uniform(-0.35, 0.45), rng.normal(0, 0.08)
    middle = bend * (np.abs(u) ** 1.6 - 0.4) + skew * u
    waist, swell = rng.uniform(0.4, 1.0), rng.uniform(0.5, 0.8)
    lobes = np.exp(-(((np.abs(u) - swell) / 0.42) ** 2))
    thickness = np.sqrt(np.clip(1 - np.abs(u) ** 4, 0, 1)) * (
        0.8 * waist * np.exp(-((u / 0.35) ** 2)) + 0.8 * lobes
    )
    thickness *= 1 + 0.06 * draw_line(rng, len(u), 8)
    x = np.where(u < 0, half_size[0], half_size[1]) * u * 1.04
    upper = np.stack([x, half_size[2] * (middle - thickness)], 1)
    lower = np.stack([x, half_size[2] * (middle + thickness)], 1)
    return np.concatenate([upper, lower[::-1]])


LUMBAR_MODELS = dict(wings=draw_wings, spindles=draw_spindles)

# --------------------------------------------------------------------------------
# Textures: (rng, params, shape, share) -> log of the tissue's echo around its level,
# float32 of ``shape``, in half px. ``share`` (rows,) runs from 0 to 1 down the body.
# --------------------------------------------------------------------------------


def draw_clouds(
    rng: Generator, params: PhantomParams, shape: tuple[int, int], share: np.ndarray
) -> np.ndarray:
    """Draws smooth clouds at several sizes and bright blobs. [I]"""
    clouds = np.zeros(shape, np.float32)
    layers = zip(params.cloud_sizes, params.cloud_strengths)
    for size, strength in layers:
        # Clouds lie along the scan lines: wider than high.
        clouds += strength * draw_field(rng, shape, (size / 2, 1.3 * size / 2))
    # Bright blobs, more of them below the ribs than among them. [I]
    bright = np.maximum(draw_field(rng, shape, (28, 32)) - 0.8, 0)
    clouds += 0.5 * bright * np.clip(2 * share - 0.6, 0.25, 1)[:, None]
    return shake(rng, clouds, 10, 1.5)


def draw_cells(
    rng: Generator, params: PhantomParams, shape: tuple[int, int], share: np.ndarray
) -> np.ndarray:
    """Draws lobules (Voronoi cells) with bright septa, crossed by oblique fibres."""
    texture = np.zeros(shape, np.float32)
    # Drawn lying: cells become wider than high when stretched back.
    wide = shape[0], int(shape[1] / 1.5)
    for size, strength in ((rng.uniform(20, 32), 0.24), (rng.uniform(8, 12), 0.14)):
        empty = np.full(wide, 255, np.uint8)
        count = max(int(wide[0] * wide[1] / size**2), 8)
        empty[rng.integers(0, wide[0], count), rng.integers(0, wide[1], count)] = 0
        distance, cell = cv2.distanceTransformWithLabels(
            empty, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
        )
        value = rng.standard_normal(cell.max() + 1).astype(np.float32)
        layer = 0.8 * value[cell] + 1.1 * (distance / size - 0.4)
        layer = cv2.GaussianBlur(layer, (0, 0), size / 12)
        texture += strength * cv2.resize(layer, shape[::-1])
    # Fibres: white noise blurred along an oblique line, one band of frequencies.
    noise = rng.standard_normal(shape, dtype=np.float32)
    kernel = np.zeros((31, 31), np.float32)
    tilt = rng.choice([-1, 1]) * rng.uniform(0.25, 0.9)
    end = int(round(15 * tilt))
    cv2.line(kernel, (0, 15 - end), (30, 15 + end), 1.0, 1)
    fibres = cv2.filter2D(noise, -1, kernel / np.sqrt(kernel.sum()))
    fibres = cv2.GaussianBlur(fibres, (0, 0), 0.8) - cv2.GaussianBlur(fibres, (0, 0), 3)
    texture += rng.uniform(0.03, 0.06) * fibres / fibres.std()
    return shake(rng, texture, 14, 1.2)


TEXTURE_MODELS = dict(clouds=draw_clouds, cells=draw_cells)

# --------------------------------------------------------------------------------
# Noise: (rng, params, geometry, slope, bands) -> factor of the echo around 1, float32
# (H, W). ``slope`` (H,) is that of the scan lines in px/px, ``bands`` are the rows
# (middle, sigma) where the scan is noisiest.
# --------------------------------------------------------------------------------


def _draw_gain(rng: Generator, params: PhantomParams, height: int) -> np.ndarray:
    """Draws the gain per row (H,) around 1."""
    rows = np.arange(height)
    gain = 1 + rng.uniform(*params.gain_wander) * draw_line(rng, height, 25)
    for _ in range(draw_int(rng, params.num_gain_steps)):
        # A step that fades away: the sonographer, or the machine, settles again.
        after = rows - rng.integers(0, height)
        step = np.exp(-after.clip(0) / rng.uniform(8, 80)) * (after >= 0)
        gain += rng.normal(0, 0.06) * step
    return gain


def draw_lines(
    rng: Generator,
    params: PhantomParams,
    geometry: Geometry,
    slope: np.ndarray,
    bands: list[tuple[float, float]],
) -> np.ndarray:
    """Draws striation, line by line, and fine white speckle. [F]"""
    height, width = geometry.height, geometry.width
    rows = np.arange(height)
    gain = _draw_gain(rng, params, height)

    strength = rng.uniform(*params.striation) * np.exp(0.35 * draw_line(rng, height, 60))
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


def draw_grains(
    rng: Generator,
    params: PhantomParams,
    geometry: Geometry,
    slope: np.ndarray,
    bands: list[tuple[float, float]],
) -> np.ndarray:
    """Draws fully developed speckle: gamma-distributed, in grains of several px.

    The intensity of compounded speckle, averaged over a few looks, follows a gamma
    distribution; a point spreads further across the beam than along it.
    """
    height, width = geometry.height, geometry.width
    looks = int(rng.integers(3, 7))
    sigma = rng.uniform(1.6, 2.6), rng.uniform(0.8, 1.3)
    power = np.zeros(((height + 1) // 2, (width + 1) // 2), np.float32)
    for _ in range(looks):
        part = rng.standard_normal(power.shape, dtype=np.float32)
        part = cv2.GaussianBlur(part, (0, 0), sigmaX=sigma[0] / 2, sigmaY=sigma[1] / 2)
        power += part**2
    power /= power.mean()
    grains = cv2.resize(power, (width, height), interpolation=cv2.INTER_LINEAR)
    # Log compression: dark grains stay visible beside bright ones.
    grains = np.maximum(grains, 0.02) ** np.float32(rng.uniform(0.3, 0.5))
    grains /= grains.mean()
    gain = _draw_gain(rng, params, height)
    # Sweeps overlap with a beat instead of differing line by line.
    period = rng.uniform(9, 16)
    rows = np.arange(height) + 6 * draw_line(rng, height, 120)
    gain *= 1 + rng.uniform(0.02, 0.05) * np.sin(2 * np.pi * rows / period)
    for middle, spread in bands:
        gain *= 1 - 0.25 * np.exp(-0.5 * ((rows - middle) / spread) ** 2)
    return grains * gain[:, None].astype(np.float32)


NOISE_MODELS = dict(lines=draw_lines, grains=draw_grains)
