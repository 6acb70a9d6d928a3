"""How a curve, a rib and a lump are shaped: models beside one another.

Which of them may be trained on says ``params.TRAINED_MODELS``; the others are of the
families that no weights ever see. ``[F]``, ``[I]``, ``[O]``:
see :mod:`.params`.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy.interpolate import CubicSpline

from .draws import draw_line
from .params import CURVE_TYPES, LUMBAR_SHAPES, PhantomParams

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


def draw_shifts(
    rng: Generator,
    params: PhantomParams,
    curve_type: str,
    height: int,
    level_y: np.ndarray,
) -> np.ndarray:
    """Draws straight stretches that lie side by side, joined by sideways shifts."""
    y = np.arange(height)
    places = {'upper': [0.35], 'lower': [0.68], 'stairs': [0.3, 0.66]}
    slope = 0.12 * draw_line(rng, height, height / 7)
    direction = rng.choice([-1, 1])
    for place in places.get(curve_type, []):
        at = level_y[0] + (place + rng.uniform(-0.06, 0.06)) * np.ptp(level_y)
        half = rng.uniform(0.05, 0.08) * height
        t = (y - at) / half
        # Flat-topped: within a shift the tilt is one, and changes at its two ends.
        slope += direction * rng.uniform(0.8, 1.2) / (1 + t**6)
        if curve_type == 'stairs' and rng.random() < 0.5:
            direction = -direction
    return slope


# Names of the curve's types, in the order of PhantomParams.curve_shares, and drawing.
CURVE_MODELS = dict(
    bumps=(CURVE_TYPES, draw_bumps),
    splines=(('none', 'long', 'skewed', 'triple'), draw_splines),
    shifts=(('none', 'upper', 'lower', 'stairs'), draw_shifts),
)

# --------------------------------------------------------------------------------
# Ribs: (rng, inner, outer, reach, rise, run_on) -> outline (N, 2) in px around the
# center of their ellipse, outwards and down. ``inner`` and ``outer`` are half heights,
# ``reach`` the way to the end, ``rise`` how far it climbs, ``run_on`` goes on beyond.
# --------------------------------------------------------------------------------


def round_off(points: np.ndarray) -> np.ndarray:
    """Rounds a closed polygon (N, 2) off by cutting its corners (Chaikin)."""
    for _ in range(3):
        following = np.roll(points, -1, axis=0)
        cut = [0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following]
        points = np.stack(cut, axis=1).reshape(-1, 2)
    return points


def draw_wedge(
    rng: Generator, inner: float, outer: float, reach: float, rise: float, run_on: float
) -> np.ndarray:
    """Draws a wedge that climbs or falls a little and widens outwards. [I]"""
    share = np.array([0.3, 0.5, 0.75, 1.0, 1.0])
    middle = -rise * share**1.3
    half = inner + (outer - inner) * share
    along = share * reach + [0, 0, 0, 0, run_on]
    upper = np.stack([along, middle - half + rng.normal(0, 2, 5)], 1)
    lower = np.stack([along, middle + half + rng.normal(0, 2, 5)], 1)
    return round_off(np.concatenate([upper, lower[::-1]]))


def draw_arc(
    rng: Generator, inner: float, outer: float, reach: float, rise: float, run_on: float
) -> np.ndarray:
    """Draws a band of one height that climbs over a bow and falls towards its end. [O]"""
    share = np.append(np.linspace(0.25, 1, 9), 1)
    along = share * reach + np.append(np.zeros(9), run_on)
    bow = rng.uniform(0.25, 0.55) * reach
    middle = -4 * bow * share * (1.05 - share) + 0.5 * rise * share
    half = inner * (1 + 0.1 * draw_line(rng, len(share), 3))
    half[-2:] *= rng.uniform(0.6, 1.0)
    upper = np.stack([along, middle - half], 1)
    lower = np.stack([along, middle + half], 1)
    return round_off(np.concatenate([upper, lower[::-1]]))


RIB_MODELS = dict(wedges=draw_wedge, arcs=draw_arc)

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


def draw_pair(
    rng: Generator,
    params: PhantomParams,
    shape: str,
    half_size: tuple[float, float, float],
) -> np.ndarray:
    """Draws a hanging lobe on either side, joined by a narrow arch over the midline."""
    arch = rng.uniform(0.22, 0.38)  # half height of the arch, of the lump's
    drop = rng.uniform(0.15, 0.5)  # of the lobes against the arch
    lobe = np.array(
        [[0.0, -arch], [0.3, -arch], [0.5, -0.75], [0.8, -0.8], [1.02, -0.3],
         [0.98, 0.45], [0.75, 0.8], [0.5, 0.65], [0.32, arch], [0.0, arch]]
    )  # fmt: skip
    lobe[2:8, 1] += drop
    lobe[:, 1] -= 0.4 * drop
    sides = []
    for side, half_width in ((1, half_size[1]), (-1, half_size[0])):
        one = lobe + rng.normal(0, 0.04, lobe.shape) * (lobe[:, :1] > 0)
        sides.append(one * [side * half_width, half_size[2]])
    return round_off(np.concatenate([sides[0], sides[1][::-1]]))


def draw_plate(
    rng: Generator,
    params: PhantomParams,
    shape: str,
    half_size: tuple[float, float, float],
) -> np.ndarray:
    """Draws a plate with rounded corners, wider below, with a notch above. [O]"""
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    square = rng.uniform(0.45, 0.7)  # 1 is an ellipse, 0 a rectangle
    u = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** square
    v = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** square
    u *= 0.86 + rng.uniform(0.05, 0.2) * v
    v += rng.uniform(0.1, 0.45) * np.exp(-((u / 0.25) ** 2)) * (v < 0)
    v += rng.normal(0, 0.1) * u
    x = np.where(u < 0, half_size[0], half_size[1]) * u
    return np.stack([x, 0.92 * half_size[2] * v], 1)


LUMBAR_MODELS = dict(
    wings=draw_wings, spindles=draw_spindles, pairs=draw_pair, plates=draw_plate
)
