"""The kinds of random numbers that the phantom is drawn with."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator


def draw_int(rng: Generator, bounds: tuple[float, float]) -> int:
    """Draws an int from an inclusive range."""
    return int(rng.integers(int(bounds[0]), int(bounds[1]) + 1))


def draw_field(
    rng: Generator, shape: tuple[int, int], size: tuple[float, float]
) -> np.ndarray:
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
    if int(cv2.__version__.split('.')[0]) < 5:
        rows, columns = (
            cubic(cell, np.arange(n) / s + first)
            for cell, n, s, first in zip(cells, shape, size, start)
        )
        return 1.2 * (rows @ coarse @ columns.T)
    scale = np.array([[1 / size[1], 0, start[1]], [0, 1 / size[0], start[0]]])
    return 1.2 * cv2.warpAffine(
        coarse,
        scale,
        shape[::-1],
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )


def cubic(cells: int, at: np.ndarray) -> np.ndarray:
    """Cubic interpolation as a matrix, the one of OpenCV 5.

    OpenCV 4 rounds places to 1/32 of a cell: a smooth line would have steps.

    Args:
        cells (int): values to interpolate between; the last one goes on beyond the end.
        at (np.ndarray): (n,) places among them, from 1 on.

    Returns:
        ndarray: (n, cells) float32, four weights a row.
    """
    first = np.floor(at).astype(int)
    far, near = at - first + 1, at - first
    outer = -0.75 * (((far - 5) * far + 8) * far - 4)
    inner = [(1.25 * x - 2.25) * x * x + 1 for x in (near, 1 - near)]
    weights = np.zeros((len(at), cells), np.float32)
    taps = [outer, *inner, 1 - outer - sum(inner)]
    for offset, weight in enumerate(taps, start=-1):
        column = np.minimum(first + offset, cells - 1)
        np.add.at(weights, (np.arange(len(at)), column), weight.astype(np.float32))
    return weights


def draw_line(rng: Generator, length: int, size: float) -> np.ndarray:
    """Draws a smooth random curve (length,), one free value per ``size`` samples."""
    return draw_field(rng, (length, 1), (size, 1))[:, 0].astype(np.float64)


def draw_or(rng: Generator, bounds: tuple[float, float], off: float) -> float:
    """Draws a number from a range, but nothing where the effect is off.

    Args:
        rng (np.random.Generator): Source of randomness; left alone if off, so that
            switching an effect on is the only thing that changes a case.
        bounds (tuple[float, float]): low and high.
        off (float): Value without effect; ``(off, off)`` switches it off.

    Returns:
        float: the number.
    """
    return off if tuple(bounds) == (off, off) else rng.uniform(*bounds)


def shake(rng: Generator, image: np.ndarray, size: float, strength: float) -> np.ndarray:
    """Displaces pixels smoothly, so that no drawn outline stays regular.

    Args:
        rng (np.random.Generator): Source of randomness.
        image (ndarray): float32 (h, w).
        size (float): px between independent displacements.
        strength (float): Standard deviation of the displacement in px.

    Returns:
        ndarray: float32 (h, w).
    """
    height, width = image.shape
    columns = np.arange(width, dtype=np.float32)
    rows = np.arange(height, dtype=np.float32)[:, None]
    x = columns + strength * draw_field(rng, (height, width), (size, size))
    y = rows + strength * draw_field(rng, (height, width), (size, size))
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
