"""Bones one by one: how they are told apart, and how well."""

from typing import Dict, Sequence, Tuple

import cv2
import numpy as np
from scipy import ndimage
from scipy.cluster.vq import vq
from skimage import measure

# Of the grouping of votes.
SIGMA = 1.5  # of the smoothing, in pixels
MIN_DISTANCE = 5  # between two centers of a class, in pixels
MIN_VOTES = 0.25  # of a peak, as a share of the highest of the class
GAP = 4  # pixels between pieces that lie apart
MIN_PIECE = 1 / 3  # of a piece that is a bone, as a share of the largest of its bone


def peaks_of(heat: np.ndarray, min_distance: int, share: float) -> np.ndarray:
    """Local maxima, the highest first, none nearer to a higher one than ``min_distance``.

    What ``skimage.feature.peak_local_max`` finds, in a fraction of its time: it is called
    for every class of every image.

    Args:
        heat (np.ndarray): (h, w) floats, not negative.
        min_distance (int): pixels, along rows or columns.
        share (float): of the highest value, which a peak must exceed.

    Returns:
        np.ndarray: (peaks, 2) rows and columns.
    """
    window = np.ones((2 * min_distance + 1,) * 2, np.uint8)
    highest = (heat == cv2.dilate(heat, window)) & (heat > share * heat.max())
    at = np.flatnonzero(highest)  # in a quarter of the time of np.argwhere
    height = heat.ravel()[at]
    order = np.argsort(-height, kind='stable')
    at, height = np.stack(divmod(at[order], heat.shape[1]), axis=1), height[order]
    # Only equal neighbours, of a plateau, come so near: the first of them stays.
    kept = np.ones(len(at), bool)
    for i in np.flatnonzero(height[1:] == height[:-1]) + 1:
        near = np.abs(at[:i] - at[i]).max(axis=1) < min_distance
        kept[i] = not (near & kept[:i]).any()
    return at[kept]


def find_centers(
    places: np.ndarray,
    shape: Tuple[int, int],
    sigma: float,
    min_distance: int,
    share: float,
) -> np.ndarray:
    """Peaks of votes that are counted on a grid, and smoothed.

    Args:
        places (np.ndarray): (2, votes) int, row and column of each vote.
        shape (tuple[int, int]): (h, w) of the grid.
        sigma (float): of the smoothing, in pixels.
        min_distance (int): see :func:`peaks_of`.
        share (float): see :func:`peaks_of`.

    Returns:
        np.ndarray: (peaks, 2) rows and columns.
    """
    reach = int(4 * sigma + 0.5)  # pixels that a vote is smoothed over, to each side
    # Beyond the reach of all votes there is nothing: that part of the grid is left out.
    first = np.maximum(places.min(axis=1) - reach, 0)
    height, width = np.minimum(places.max(axis=1) + reach + 1, shape) - first
    row, column = places - first[:, None]
    counts = np.bincount(row * width + column, minlength=height * width)
    heat = cv2.GaussianBlur(
        counts.reshape(height, width).astype(np.float32),
        (2 * reach + 1,) * 2,
        sigma,
        borderType=cv2.BORDER_REFLECT,
    )
    return first + peaks_of(heat, min_distance, share)


def group_votes(
    mask: np.ndarray,
    votes: np.ndarray,
    sigma: float = SIGMA,
    min_distance: int = MIN_DISTANCE,
    min_votes: float = MIN_VOTES,
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
    size = np.array(mask.shape)[:, None]
    flat, bones = mask.ravel(), np.zeros(mask.size, np.int32)
    offsets = votes.reshape(2, -1)
    count = 0
    for label in range(1, int(mask.max()) + 1):
        at = np.flatnonzero(flat == label)
        if not at.size:
            continue
        voted = np.stack(divmod(at, mask.shape[1])) - offsets.take(at, axis=1) * size
        places = np.clip(np.rint(voted).astype(int), 0, size - 1)
        peaks = find_centers(places, mask.shape, sigma, min_distance, min_votes)
        nearest, _ = vq(voted.T, peaks.astype(float), check_finite=False)
        bones[at] = count + 1 + nearest
        count += len(peaks)
    return bones.reshape(mask.shape)


def spread_bones(bones: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Gives each pixel the number of the nearest one that has one, itself or another.

    Args:
        bones (np.ndarray): (h, w) a number for each bone.
        known (np.ndarray): (h, w) bool, where it counts; somewhere.

    Returns:
        np.ndarray: (h, w), of the type of ``bones``.
    """
    _, nearest = cv2.distanceTransformWithLabels(
        (~known).view(np.uint8),
        cv2.DIST_L2,
        cv2.DIST_MASK_5,
        labelType=cv2.DIST_LABEL_PIXEL,
    )
    # OpenCV counts the pixels that are known from 1, row by row.
    return bones[known].take(nearest - 1)


def spread_to_neighbours(bones: np.ndarray) -> np.ndarray:
    """:func:`spread_bones` by one pixel, in a tenth of its time.

    Args:
        bones (np.ndarray): (h, w) uint8, a number for each bone, 0 outside.

    Returns:
        np.ndarray: (h, w) uint8; 0 where none of the eight neighbours is of a bone. Of
        neighbours as near as each other, the largest number counts.
    """
    beside = cv2.dilate(bones, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
    spread = cv2.dilate(bones, np.ones((3, 3), np.uint8))  # corners are further away
    cv2.copyTo(beside, beside, spread)
    return cv2.copyTo(bones, bones, spread)


def fit_neighbours(
    bones: np.ndarray,
    labels: np.ndarray,
    mask: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
) -> np.ndarray:
    """:func:`fit_to_mask` where a class lies no more than one pixel from where it was.

    Args:
        bones (np.ndarray): (h, w) uint8, a number for each bone, 0 outside.
        labels (np.ndarray): (h, w) the labels that they are of.
        mask (np.ndarray): (H, W) the same labels at another size.
        rows (np.ndarray): (H,) where each row of the mask lies at (h, w).
        columns (np.ndarray): (W,) the same of each column.

    Returns:
        np.ndarray: (H, W) uint8, 0 where the mask is, and where its class lies further.
    """
    fitted = np.zeros(mask.shape, np.uint8)
    for label in range(1, int(labels.max()) + 1):
        spread = spread_to_neighbours(bones * (labels == label))
        left, top, width, height = cv2.boundingRect(spread)
        of_rows = slice(*np.searchsorted(rows, [top, top + height]))
        of_columns = slice(*np.searchsorted(columns, [left, left + width]))
        wanted = mask[of_rows, of_columns] == label
        if wanted.any():
            # One axis after the other: whole rows are copied.
            near = spread[top : top + height].take(columns[of_columns], axis=1)
            near = near.take(rows[of_rows] - top, axis=0)
            cv2.copyTo(near, wanted.view(np.uint8), fitted[of_rows, of_columns])
    return fitted


def fit_to_mask(bones: np.ndarray, labels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Brings bones from the network's resolution to a mask of the original one.

    Args:
        bones (np.ndarray): (h, w) a number for each bone, 0 outside.
        labels (np.ndarray): (h, w) uint8, the labels that they are of.
        mask (np.ndarray): (H, W) uint8, the same labels at another size, along edges
            perhaps others.

    Returns:
        np.ndarray: (H, W) int32, 0 where the mask is; elsewhere the bone of the pixel's
        class that lies there at (h, w), or else the nearest one there.
    """
    rows, columns = (  # where each of the mask's lies at (h, w)
        cv2.resize(
            np.arange(few, dtype=np.int32)[None],
            (many, 1),
            interpolation=cv2.INTER_NEAREST_EXACT,
        )[0]
        for few, many in zip(labels.shape, mask.shape)
    )
    last = int(bones.max())
    if last < 256:  # as good as always; to move bytes takes a fraction of the time
        near = fit_neighbours(bones.astype(np.uint8), labels, mask, rows, columns)
        fitted = near.astype(np.int32)
        if cv2.countNonZero(near) == cv2.countNonZero(mask):
            return fitted
    else:
        fitted = np.zeros(mask.shape, np.int32)
    # Something lies far from where its class was: for that, all of the image counts.
    far = np.where(fitted > 0, np.uint8(0), mask)
    for label in np.unique(far[far > 0]):
        at, known = np.nonzero(far == label), labels == label
        if known.any():
            fitted[at] = spread_bones(bones, known)[rows[at[0]], columns[at[1]]]
        else:  # nothing of this class was there at the lower resolution
            last += 1
            fitted[at] = last
    return fitted


def split_pieces(bones: np.ndarray, min_piece: float = MIN_PIECE) -> np.ndarray:
    """Makes bones of large pieces that lie apart from the rest of their bone.

    Slim neighbours, as ribs at the edge of the image, may vote for one center between
    them. A bone is one piece; smaller ones are left to it, as crumbs, and so are those
    that hardly lie apart: by less than :data:`GAP` pixels along rows and columns.

    Args:
        bones (np.ndarray): (H, W) int32, a number for each bone, 0 outside.
        min_piece (float): area of such a piece, as a share of the largest of the bone.

    Returns:
        np.ndarray: (H, W) int32; the largest piece of a bone keeps its number.
    """
    few = bones[::GAP, ::GAP]  # shows at a small part of the cost what is in pieces
    split = bones
    for number, window in enumerate(ndimage.find_objects(few), 1):
        if window is None or _pieces_of(few[window], number)[0].size == 1:
            continue
        whole = tuple(  # up to the next pixels that were looked at, which are not of it
            slice(max(GAP * (side.start - 1) + 1, 0), GAP * side.stop) for side in window
        )
        areas, pieces = _pieces_of(bones[whole], number)
        large = np.flatnonzero(areas >= min_piece * areas.max())
        for piece in large[large != areas.argmax()]:
            split = bones.copy() if split is bones else split
            split[whole][pieces == piece + 1] = split.max() + 1
    return split


def _pieces_of(bones: np.ndarray, number: int) -> Tuple[np.ndarray, np.ndarray]:
    """The areas of the pieces of a bone, and which pixel is of which, from 1."""
    own = (bones == number).view(np.uint8)
    _, pieces, numbers, _ = cv2.connectedComponentsWithStats(own, connectivity=8)
    return numbers[1:, cv2.CC_STAT_AREA], pieces


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


def split_by_truth(
    mask: np.ndarray, true_mask: np.ndarray, true_bones: np.ndarray
) -> np.ndarray:
    """Splits and joins a predicted mask as well as the truth tells.

    Each pixel goes to the true bone of its class that lies there; beside it, to the
    nearest one of those that its connected component reaches.

    Args:
        mask (np.ndarray): (H, W) predicted labels.
        true_mask (np.ndarray): (H, W) labels.
        true_bones (np.ndarray): (H, W) a number for each bone, 0 outside.

    Returns:
        np.ndarray: (H, W) int32, the true bones' numbers; 0 outside, and where a
        component reaches no bone of its class.
    """
    shared = np.zeros(mask.shape, np.int32)
    true = np.where(mask == true_mask, true_bones, 0)
    components = measure.label(mask, connectivity=2)
    for number, window in enumerate(ndimage.find_objects(components), 1):
        own = components[window] == number
        there = np.where(own, true[window], 0)
        if there.any():
            nearest = ndimage.distance_transform_edt(
                there == 0, return_distances=False, return_indices=True
            )
            shared[window][own] = there[tuple(nearest)][own]
    return shared


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
