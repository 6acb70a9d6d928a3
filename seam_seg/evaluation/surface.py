"""Distances between the outlines of two masks, in pixels, by MONAI."""

import warnings
from typing import Tuple

import numpy as np
import torch


def surface_distances(
    pred: np.ndarray, truth: np.ndarray, num_classes: int, ignore_index: int = 255
) -> Tuple[np.ndarray, np.ndarray]:
    """HD95 and ASSD of each class of one image.

    HD95 is the larger of the two directed 95th percentiles of the distances from one
    outline to the other; ASSD is the mean of all the distances of both directions.

    Args:
        pred (np.ndarray): (H, W) predicted labels.
        truth (np.ndarray): (H, W) true labels, or ``ignore_index``.
        num_classes (int): N.
        ignore_index (int): pixels that count as background in both. Default: 255.

    Returns:
        tuple[np.ndarray, np.ndarray]: HD95 and ASSD, each (N,) in pixels; nan for the
        background, and where a class is absent from either mask: then no distance is
        defined.
    """
    # It takes seconds to import, and only benchmarks need it.
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance

    # about an argument that MONAI itself passes
    warnings.filterwarnings('ignore', category=FutureWarning, module='monai')
    hd95, assd = np.full((2, num_classes), np.nan)
    ignored = truth == ignore_index
    for label in range(1, num_classes):
        masks = (pred == label) & ~ignored, truth == label
        if not (masks[0].any() and masks[1].any()):
            continue
        pair = [torch.from_numpy(mask)[None, None] for mask in masks]
        hd95[label] = compute_hausdorff_distance(
            *pair, include_background=True, percentile=95
        ).item()
        assd[label] = compute_average_surface_distance(
            *pair, include_background=True, symmetric=True
        ).item()
    return hd95, assd
