"""What a scan's tissue and noise look like: models beside one another.

Which of them may be trained on says ``params.TRAINED_MODELS``. ``[F]``, ``[I]``,
``[O]``: see :mod:`.params`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.random import Generator

from .draws import draw_field, draw_int, draw_line, shake
from .params import PhantomParams

if TYPE_CHECKING:
    from .anatomy import Geometry

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


def draw_even(
    rng: Generator, params: PhantomParams, shape: tuple[int, int], share: np.ndarray
) -> np.ndarray:
    """Draws even tissue with a fine grain, and soft patches at both its ends. [I]"""
    tissue = np.zeros(shape, np.float32)
    for size, strength in zip(params.cloud_sizes, params.cloud_strengths):
        tissue += strength * draw_field(rng, shape, (size / 2, size / 2))
    patches = draw_field(rng, shape, (26, 24)) + 0.6 * draw_field(rng, shape, (12, 12))
    uneven = np.clip(3 * share - 1.7, 0, 1) + 0.5 * np.clip(1 - 6 * share, 0, 1)
    tissue += 0.25 * patches * uneven[:, None].astype(np.float32)
    tissue = shake(rng, tissue, 8, 1.5)
    # The grain: a weave of short threads along the scan lines and across them.
    grain = draw_field(rng, shape, (1.1, 5)) + 0.7 * draw_field(rng, shape, (6, 1.3))
    return tissue + np.float32(rng.uniform(*params.grain)) * grain


def _back_and_forth(at: np.ndarray, size: int) -> np.ndarray:
    """Folds coordinates into [0, size - 1] without a seam, float32."""
    span = size - 1
    return (span - np.abs(at % (2 * span) - span)).astype(np.float32)


def draw_fibres(
    rng: Generator, params: PhantomParams, shape: tuple[int, int], share: np.ndarray
) -> np.ndarray:
    """Draws muscle fibres that run down and outwards from the middle. [O]"""
    x = np.arange(shape[1], dtype=np.float32)
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    off = np.abs(x - shape[1] / 2)
    # In their own axes fibres stand upright: they are leaned over side by side.
    lean = rng.uniform(0.35, 0.7)
    upright = np.broadcast_to(rows, shape) - off / lean
    upright += 6 * draw_field(rng, shape, (60, 40))
    columns = np.broadcast_to(x, shape) - np.sign(x - shape[1] / 2) * lean * rows
    texture = 0.12 * draw_field(rng, shape, (70, 50))
    for size, strength in ((10, 0.09), (4, 0.07)):
        fibres = draw_field(rng, shape, (45, size))
        texture += strength * cv2.remap(
            fibres,
            _back_and_forth(columns, shape[1]),
            _back_and_forth(upright, shape[0]),
            cv2.INTER_LINEAR,
        )
    return cv2.GaussianBlur(texture, (0, 0), 0.8)


def draw_mottle(
    rng: Generator, params: PhantomParams, shape: tuple[int, int], share: np.ndarray
) -> np.ndarray:
    """Draws spots of one size with clear borders, as filters leave of speckle. [O]"""
    size = rng.uniform(4, 7)
    noise = rng.standard_normal(shape, dtype=np.float32)
    band = cv2.GaussianBlur(noise, (0, 0), sigmaX=1.4 * size, sigmaY=size)
    band -= cv2.GaussianBlur(noise, (0, 0), sigmaX=2.4 * size, sigmaY=1.8 * size)
    spots = np.tanh(1.8 * band / band.std())
    across = np.linspace(-1, 1, shape[1], dtype=np.float32) * rng.normal(0, 0.12)
    return 0.09 * spots + 0.1 * draw_field(rng, shape, (90, 60)) + across


TEXTURE_MODELS = dict(
    clouds=draw_clouds,
    even=draw_even,
    cells=draw_cells,
    fibres=draw_fibres,
    mottle=draw_mottle,
)

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


def _tilt_lines(texture: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Tilts the rows of a texture (H, W) by a slope per row (H,) in px/px."""
    height, width = texture.shape
    rows = np.arange(height)
    # Nearest neighbours keep the lines one pixel high, in steps.
    x = np.arange(width, dtype=np.float32)
    map_y = rows[:, None].astype(np.float32) - slope[:, None].astype(np.float32) * (
        x - width / 2
    )
    map_x = np.broadcast_to(x, map_y.shape)
    return cv2.remap(
        texture, map_x, map_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT
    )


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
    texture = _tilt_lines(texture, slope)
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


def _draw_pauses(
    rng: Generator, params: PhantomParams, height: int, bands: list[tuple[float, float]]
) -> np.ndarray:
    """Draws the gain per row (H,) around 1: another one after each of the pauses.

    The operator stops where dashes are dense, and here and there between. After a pause
    the gain is another, and goes back slowly.
    """
    rows = np.arange(height)
    gain = 1 + rng.uniform(*params.gain_wander) * draw_line(rng, height, 25)
    pauses = rng.uniform(0, height, draw_int(rng, params.num_pauses))
    for pause in (*pauses, *(middle for middle, _ in bands)):
        after = rows - pause
        change = rng.normal(0, params.pause_gain)
        gain += change * np.exp(-after.clip(0) / rng.uniform(60, 300)) * (after >= 0)
        # A dark seam of a few lines where the probe was held.
        seam = rng.uniform(0, 0.12) * np.exp(-np.abs(after) / rng.uniform(2, 7))
        gain -= seam
    return gain


def draw_sweeps(
    rng: Generator,
    params: PhantomParams,
    geometry: Geometry,
    slope: np.ndarray,
    bands: list[tuple[float, float]],
) -> np.ndarray:
    """Draws striation that beats with the sweep of the probe, and gain steps. [I]

    Lines were scanned in turns: their difference alternates from line to line, and comes
    and goes with a period of many lines, as two nearly equal spacings beat.
    """
    height, width = geometry.height, geometry.width
    rows = np.arange(height)
    gain = _draw_pauses(rng, params, height, bands)
    strength = rng.uniform(*params.striation) * np.exp(0.3 * draw_line(rng, height, 50))
    for middle, sigma in bands:
        strength *= 1 + 1.2 * np.exp(-0.5 * ((rows - middle) / sigma) ** 2)

    # Lines are threads: short ones, and some that go on for longer.
    fine = rng.standard_normal((height, width // 3 + 2), dtype=np.float32)
    fine = cv2.resize(fine, (width, height), interpolation=cv2.INTER_LINEAR)
    long = rng.standard_normal((height, width // 14 + 2), dtype=np.float32)
    fine += 0.6 * cv2.resize(long, (width, height), interpolation=cv2.INTER_LINEAR)
    # The beat's phase differs across the sweep: its envelope runs obliquely.
    length = rng.uniform(*params.beat_length)
    phase = np.cumsum(np.pi / length * np.exp(0.4 * draw_line(rng, height, 200)))
    lag = 0.9 * draw_field(rng, ((height + 7) // 8, (width + 7) // 8), (12, 12))
    lag = cv2.resize(lag, (width, height), interpolation=cv2.INTER_LINEAR)
    beat = np.cos(lag + phase[:, None].astype(np.float32))
    beat *= (1 - 2 * (rows % 2))[:, None].astype(np.float32)
    fine += np.float32(rng.uniform(*params.beat)) * beat
    texture = 1.05 * strength[:, None].astype(np.float32) * fine
    texture += gain[:, None].astype(np.float32)
    texture = _tilt_lines(texture, slope)
    grain = rng.standard_normal((height, width), dtype=np.float32)
    return texture + np.float32(rng.uniform(*params.speckle)) * grain


def draw_frames(
    rng: Generator,
    params: PhantomParams,
    geometry: Geometry,
    slope: np.ndarray,
    bands: list[tuple[float, float]],
) -> np.ndarray:
    """Draws a slow scan: few frames, and rows between them that are interpolated. [O]

    Speckle is drawn out along the scan then, and frames differ in gain.
    """
    height, width = geometry.height, geometry.width
    step = rng.uniform(5, 9)  # px between frames
    count = int(height / step) + 2
    frames = 1 + rng.uniform(0.1, 0.16) * rng.standard_normal((count, width // 2))
    frames *= 1 + rng.uniform(0.03, 0.07) * rng.standard_normal((count, 1))
    frames = cv2.resize(
        frames.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR
    )
    gain = _draw_gain(rng, params, height)
    for middle, sigma in bands:  # the probe was too fast: frames are missing
        off = (np.arange(height) - middle) / sigma
        gain *= 1 - 0.4 * np.exp(-(off**4))
    return _tilt_lines(frames * gain[:, None].astype(np.float32), slope)


def draw_smooth(
    rng: Generator,
    params: PhantomParams,
    geometry: Geometry,
    slope: np.ndarray,
    bands: list[tuple[float, float]],
) -> np.ndarray:
    """Draws what a speckle filter leaves: plateaus and worms, darker at the sides. [O]"""
    height, width = geometry.height, geometry.width
    half = (height + 1) // 2, (width + 1) // 2
    worms = draw_field(rng, half, (3, 5)) + 0.6 * draw_field(rng, half, (7, 9))
    plateaus = np.round(1.4 * worms) / 1.4
    look = 1 + rng.uniform(0.05, 0.09) * (0.6 * plateaus + 0.4 * worms)
    look = cv2.resize(look, (width, height), interpolation=cv2.INTER_CUBIC)
    left, right, _, _ = geometry.body.distances(height, width)
    inward = np.minimum(left, right).clip(0) / rng.uniform(50, 110)
    look *= 1 - rng.uniform(0.25, 0.5) * np.exp(-inward)
    gain = _draw_gain(rng, params, height)
    return look * gain[:, None].astype(np.float32)


NOISE_MODELS = dict(
    lines=draw_lines,
    sweeps=draw_sweeps,
    grains=draw_grains,
    frames=draw_frames,
    smooth=draw_smooth,
)
