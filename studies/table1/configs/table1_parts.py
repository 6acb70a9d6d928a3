"""What the regime of Table 1 needs beside the package: registered, for its configs."""

from typing import Tuple

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

Range = Tuple[float, float]


@TRANSFORMS.register_module()
class AffineAndGamma(BaseTransform):
    """A random affine map and a random exponent of the grey levels, by OpenCV.

    A twentieth of the time of MONAI's, for which a training on a GPU would wait. What
    comes in from outside is black and background, as the exterior of the scan is.

    Args:
        scale (tuple[float, float]): of the content, drawn along either axis.
        degrees (float): of the rotation, to either side.
        shift (tuple[float, float]): pixels up or down, and to either side.
        gamma (tuple[float, float]): range of the exponent, whose logarithm is uniform.
        prob (float): of the map, and of the exponent. Default: 0.8.
    """

    def __init__(
        self, scale: Range, degrees: float, shift: Range, gamma: Range, prob: float = 0.8
    ) -> None:
        self.scale, self.degrees, self.shift = scale, degrees, shift
        self.gamma, self.prob = gamma, prob

    def transform(self, results: dict) -> dict:
        """Changes ``img`` (uint8) and every segmentation field."""
        # VPIDataset seeds the global generator for each sample.
        chance, draw = np.random.random, np.random.uniform  # noqa: NPY002
        if chance() < self.prob:
            self._warp(results, self._draw_map(results['img'].shape))
        if chance() < self.prob:
            exponent = np.exp(draw(*np.log(self.gamma)))
            table = np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
            results['img'] = cv2.LUT(results['img'], table)
        return results

    def _draw_map(self, shape: Tuple[int, int]) -> np.ndarray:
        """A (2, 3) matrix, from pixels (x, y) to where their content goes."""
        draw = np.random.uniform  # noqa: NPY002
        angle = np.radians(draw(-self.degrees, self.degrees))
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        linear = turn @ np.diag(draw(*self.scale, 2))
        center = (np.array(shape[::-1]) - 1) / 2
        moved = center + draw(-1, 1, 2) * self.shift[::-1]
        return np.column_stack([linear, moved - linear @ center])

    @staticmethod
    def _warp(results: dict, matrix: np.ndarray) -> None:
        size = results['img'].shape[::-1]
        results['img'] = cv2.warpAffine(results['img'], matrix, size)
        for key in results.get('seg_fields', []):
            results[key] = cv2.warpAffine(
                results[key], matrix, size, flags=cv2.INTER_NEAREST
            )
