"""Bones one by one: how they are told apart, and how well."""

from typing import Dict, Sequence, Tuple

import cv2
import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max


def group_votes(
    mask: np.ndarray,
    votes: np.ndarray,
    sigma: float = 1.5,
    min_distance: int = 5,
    min_votes: float = 0.25,
) -> np.ndarray:
    """Tells the bones of a mask apart by where their pixels say that the center is.

    As in Panoptic-DeepLab, but that the votes themselves show the centers: they are
    counted on the grid, smoothed, and their peaks are the bones.

    Args:
        mask (np.ndarray): (h, w) labels; 0 is the background.
        votes (np.ndarray): (2, h, w) offsets (row, column) of each pixel from the center
            of its bone, as shares of h and w.
        sigma (float): of the smoothing, in pixels.
        min_distance (int): between two centers of a class, in pixels.
        min_votes (float): of a peak, as a share of the highest of the class.

    Returns:
        np.ndarray: (h, w) int32, a number for each bone, 0 outside.
    """
    shape = np.array(mask.shape)
    bones = np.zeros(mask.shape, np.int32)
    count = 0
    for label in np.unique(mask[mask > 0]):
        at = np.argwhere(mask == label)  # (pixels, 2)
        offsets = votes[:, at[:, 0], at[:, 1]].T * shape
        voted = at - offsets
        cell = np.clip(np.rint(voted).astype(int), 0, shape - 1)
        heat = np.zeros(mask.shape)
        np.add.at(heat, tuple(cell.T), 1.0)
        heat = ndimage.gaussian_filter(heat, sigma)
        peaks = peak_local_max(
            heat, min_distance=min_distance, threshold_rel=min_votes, exclude_border=False
        )
        if not len(peaks):
            continue
        distance = ((voted[:, None] - peaks[None]) ** 2).sum(axis=2)
        bones[tuple(at.T)] = count + 1 + distance.argmin(axis=1)
        count += len(peaks)
    return bones


def fit_to_mask(bones: np.ndarray, labels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Brings bones from the network's resolution to a mask of the original one.

    Args:
        bones (np.ndarray): (h, w) a number for each bone, 0 outside.
        labels (np.ndarray): (h, w) uint8, the labels that they are of.
        mask (np.ndarray): (H, W) uint8, the same labels at another size, along edges
            perhaps others.

    Returns:
        np.ndarray: (H, W) int32, 0 where the mask is; elsewhere the bone of the pixel's
        class that lies there, or else the nearest one.
    """
    size = mask.shape[::-1]
    fitted, labels = (
        cv2.resize(part, size, interpolation=cv2.INTER_NEAREST_EXACT)
        for part in (bones.astype(np.uint16), labels)
    )
    fitted[mask == 0] = 0
    for label in np.unique(mask[labels != mask]):
        at = mask == label
        known = at & (labels == label)
        if label and known.any():
            nearest = ndimage.distance_transform_edt(
                ~known, return_distances=False, return_indices=True
            )
            fitted[at] = fitted[tuple(nearest)][at]
        elif label:  # nothing of this class was there at the lower resolution
            fitted[at] = fitted.max() + 1
    return fitted.astype(np.int32)


def count_overlaps(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How many pixels each bone of a map shares with each bone of another.

    Args:
        one (np.ndarray): a number for each bone, 0 outside; small numbers, since the
            result has a row for each number up to the largest.
        other (np.ndarray): of the same shape.

    Returns:
        np.ndarray: (N + 1, M + 1) pixels; the first row and column are the outside.
    """
    height, width = int(one.max(initial=0)) + 1, int(other.max(initial=0)) + 1
    pairs = one.ravel().astype(np.intp) * width + other.ravel()
    return np.bincount(pairs, minlength=height * width).reshape(height, width)


def _renumber(bones: np.ndarray) -> np.ndarray:
    """The same bones as 1, 2, ..., without gaps; 0 stays 0."""
    there = np.bincount(bones) > 0
    there[:1] = False
    return (there.cumsum() * there)[bones]


def match_bones(
    predicted: np.ndarray,
    predicted_mask: np.ndarray,
    true: np.ndarray,
    true_mask: np.ndarray,
    classes: Sequence[str],
) -> Dict[str, Tuple[int, int, int]]:
    """Matches bones one to one: of one class, with an IoU above 0.5.

    Above one half no bone overlaps with two others, so that nothing is to be chosen.

    Args:
        predicted (np.ndarray): (H, W) a number for each bone, 0 outside.
        predicted_mask (np.ndarray): (H, W) labels.
        true (np.ndarray): (H, W) as ``predicted``.
        true_mask (np.ndarray): (H, W) labels.
        classes (Sequence[str]): names of the labels; 0 is the background.

    Returns:
        dict[str, tuple[int, int, int]]: of each class but the background, the numbers of
        matched, of predicted and of true bones.
    """
    found = {}
    for label, name in list(enumerate(classes))[1:]:
        of_ours, of_theirs = predicted_mask == label, true_mask == label
        at = of_ours | of_theirs
        shared = count_overlaps(
            _renumber(np.where(of_ours[at], predicted[at], 0)),
            _renumber(np.where(of_theirs[at], true[at], 0)),
        )
        union = shared.sum(1, keepdims=True) + shared.sum(0, keepdims=True) - shared
        # The pixels of both outsides lie elsewhere: their union may be none.
        hits = 2 * shared[1:, 1:] > union[1:, 1:]
        found[name] = (int(hits.sum()), *(count - 1 for count in shared.shape))
    return found
