"""Changes of a scan that should not change what a model says of it."""

import functools
from typing import Callable, Dict, Tuple

import cv2
import numpy as np

Change = Callable[[np.ndarray, np.ndarray], Tuple[np.ndarray, np.ndarray]]


def scale_content(
    image: np.ndarray, mask: np.ndarray, x: float = 1, y: float = 1
) -> Tuple[np.ndarray, np.ndarray]:
    """Scales what is in the frame about its middle; the frame stays.

    Resizing the whole would change nothing: the network's input has one size.

    Args:
        image (np.ndarray): (H, W) uint8, interpolated linearly; black comes in.
        mask (np.ndarray): (H, W) labels, each pixel takes the nearest one.
        x (float): factor of the width. Default: 1.
        y (float): factor of the height. Default: 1.

    Returns:
        tuple[np.ndarray, np.ndarray]: both, scaled; what leaves the frame is gone.
    """
    height, width = image.shape
    matrix = np.array(
        [[x, 0, (1 - x) * (width - 1) / 2], [0, y, (1 - y) * (height - 1) / 2]]
    )
    size = (width, height)
    return (
        cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR),
        cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_NEAREST),
    )


def change_gamma(
    image: np.ndarray, mask: np.ndarray, gamma: float
) -> Tuple[np.ndarray, np.ndarray]:
    """Raises the grey levels, as shares of 255, to a power."""
    levels = 255 * (np.arange(256) / 255) ** gamma
    return cv2.LUT(image, np.rint(levels).astype(np.uint8)), mask


def change_gain(
    image: np.ndarray, mask: np.ndarray, gain: float
) -> Tuple[np.ndarray, np.ndarray]:
    """Multiplies the grey levels; above 255 they saturate."""
    levels = (gain * np.arange(256)).clip(0, 255)
    return cv2.LUT(image, np.rint(levels).astype(np.uint8)), mask


CHANGES: Dict[str, Change] = {
    **{
        f'{axes} {factor}': functools.partial(
            scale_content, **{axis: factor for axis in on}
        )
        for axes, on in (('size', 'xy'), ('width', 'x'), ('height', 'y'))
        for factor in (0.88, 1.12)
    },
    **{f'gamma {x}': functools.partial(change_gamma, gamma=x) for x in (0.7, 1.4)},
    **{f'gain {x}': functools.partial(change_gain, gain=x) for x in (0.7, 1.3)},
}
