"""The bones of a predicted mask one by one, the doubtful ones first.

An expert who corrects a prediction should not have to search: each connected bone gets a
doubt, and the table starts with the highest. Low probabilities alone would not do: bones
that have run together are large, and sure of themselves.
"""

from collections import Counter, defaultdict
from typing import DefaultDict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from scipy import ndimage
from skimage import measure

# Twice or half the usual area is as doubtful as so much less confidence: the best of
# 0.02, 0.05, 0.1, 0.2, 0.4 for the ready weights on part 'val' of the phantom's families.
SIZE_WEIGHT = 0.1


class Bone(NamedTuple):
    """One bone: a connected component, or what the votes have grouped.

    Attributes:
        id (int): its number in the map of instances, from 1.
        bone (str): name of the class.
        side (str): ``'left'`` or ``'right'`` in the image, of the middle of the scanned
            body at its height; ``'both'`` for a bone that reaches across the middle.
        level (int): 1 for the topmost bone of this class and side.
        x (float): column of its center of mass, in pixels.
        y (float): row of its center of mass, in pixels.
        area (int): in pixels.
        confidence (float): mean probability of the predicted class over its pixels, in
            [0, 1].
        size (float): area over the median area of this class in the image.
        doubt (float): 1 - confidence + ``SIZE_WEIGHT`` |log2(size)|.
    """

    id: int
    bone: str
    side: str
    level: int
    x: float
    y: float
    area: int
    confidence: float
    size: float
    doubt: float


def body_middle(image: np.ndarray) -> np.ndarray:
    """The middle column of the scanned body in each row.

    Args:
        image (np.ndarray): (H, W) grey levels; the exterior is black.

    Returns:
        np.ndarray: (H,) columns, smoothed over 5% of the rows; W / 2 in an image that is
        black all over.
    """
    body = image > 8  # the black exterior carries a little noise
    count = body.sum(axis=1)
    if not count.any():
        return np.full(len(image), image.shape[1] / 2)
    rows = np.flatnonzero(count)
    middle = (body[rows] * (np.arange(image.shape[1]) + 0.5)).sum(axis=1) / count[rows]
    # Rows without any body take the value of the nearest row that has some.
    middle = np.interp(np.arange(len(image)), rows, middle)
    return ndimage.uniform_filter1d(middle, max(len(image) // 20, 1), mode='nearest')


def list_bones(
    mask: np.ndarray,
    confidence: np.ndarray,
    image: np.ndarray,
    classes: Sequence[str],
    instances: Optional[np.ndarray] = None,
) -> Tuple[List[Bone], np.ndarray]:
    """Lists the bones of a predicted mask, the most doubtful first.

    Args:
        mask (np.ndarray): (H, W) predicted labels; 0 is the background.
        confidence (np.ndarray): (H, W) probability of the predicted class.
        image (np.ndarray): (H, W) grey levels.
        classes (Sequence[str]): names of the labels.
        instances (np.ndarray, optional): (H, W) a number for each bone. Default: None,
            the 8-connected components are the bones.

    Returns:
        tuple[list[Bone], np.ndarray]: the bones by falling doubt, and (H, W) int32 with
        the ``id`` of the bone that each pixel belongs to, or 0.
    """
    middle = body_middle(image)
    # Neighbours of one label are one component; the mask itself is measured along with
    # the confidence, to know which.
    if instances is None:
        instances = measure.label(mask, connectivity=2).astype(np.int32)
    regions = measure.regionprops(
        instances, np.stack([confidence, mask], axis=-1, dtype=float)
    )
    areas: DefaultDict[str, List[int]] = defaultdict(list)
    for region in regions:
        areas[classes[int(region.intensity_max[1])]].append(int(region.area))
    found: List[Bone] = []
    for region in regions:
        name = classes[int(region.intensity_max[1])]
        area, mean = int(region.area), float(region.intensity_mean[0])
        size = float(area / np.median(areas[name]))
        doubt = float(1 - mean + SIZE_WEIGHT * abs(np.log2(size)))
        y, x = map(float, region.centroid)
        _, left, _, right = region.bbox
        at = middle[int(y)]
        side = 'both' if left < at < right else 'left' if x < at else 'right'
        found.append(Bone(region.label, name, side, 0, x, y, area, mean, size, doubt))
    levels: Counter = Counter()
    ordered = []
    for bone in sorted(found, key=lambda bone: bone.y):
        levels[bone.bone, bone.side] += 1
        ordered.append(bone._replace(level=levels[bone.bone, bone.side]))
    return sorted(ordered, key=lambda bone: -bone.doubt), instances
