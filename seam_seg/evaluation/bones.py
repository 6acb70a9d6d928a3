"""The bones of a predicted mask one by one, the doubtful ones first.

An expert who corrects a prediction should not have to search: each connected bone gets a
doubt, and the table starts with the highest. Low probabilities alone would not do: bones
that have run together are large, and sure of themselves.
"""

import csv
from collections import Counter
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from scipy import ndimage
from skimage import measure

from ..errors import InputError

# Twice or half the usual area is as doubtful as so much less confidence. It is for models
# whose bones run together, as those of earlier ready weights, for which it was the best
# of 0.02, 0.05, 0.1, 0.2, 0.4 on part 'val' of the phantom's families. Those of today
# tell bones apart, and 0.02 would do a little better (AUROC 0.886 instead of 0.879).
SIZE_WEIGHT = 0.1
# Doubt from which on pages and pictures mark a bone.
DOUBTFUL = 0.25


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
    middle = body[rows] @ (np.arange(image.shape[1]) + 0.5) / count[rows]
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
        instances (np.ndarray, optional): (H, W) int, a number for each bone, whose pixels
            share a label. Default: None, the 8-connected components are the bones.

    Returns:
        tuple[list[Bone], np.ndarray]: the bones by falling doubt, and (H, W) int32 with
        the ``id`` of the bone that each pixel belongs to, or 0.
    """
    middle = body_middle(image)
    if instances is None:
        # Neighbours of one label are one component.
        instances = measure.label(mask, connectivity=2).astype(np.int32)
    # Sums over the pixels of all bones at once: regionprops, one bone after the other,
    # takes several times as long on a map of full size.
    at = np.flatnonzero(instances.ravel() > 0)
    owner = instances.ravel()[at].astype(np.intp)  # once, and not in every sum
    areas = np.bincount(owner, minlength=1)
    numbers = np.flatnonzero(areas)
    rows, columns, confidences = (
        np.bincount(owner, weights=values, minlength=1)[numbers] / areas[numbers]
        for values in (*divmod(at, instances.shape[1]), confidence.ravel()[at])
    )
    label_of = np.zeros(len(areas), int)
    label_of[owner] = mask.ravel()[at]
    labels, areas = label_of[numbers], areas[numbers]
    usual = {label: np.median(areas[labels == label]) for label in np.unique(labels)}
    boxes = ndimage.find_objects(instances)
    found: List[Bone] = []
    for number, label, area, y, x, mean in zip(
        *(values.tolist() for values in (numbers, labels, areas, rows, columns)),
        confidences.tolist(),
    ):
        size = float(area / usual[label])
        doubt = float(1 - mean + SIZE_WEIGHT * abs(np.log2(size)))
        columns_of = boxes[number - 1][1]
        at_row = middle[int(y)]
        if columns_of.start < at_row < columns_of.stop:
            side = 'both'
        else:
            side = 'left' if x < at_row else 'right'
        found.append(Bone(number, classes[label], side, 0, x, y, area, mean, size, doubt))
    levels: Counter = Counter()
    ordered = []
    for bone in sorted(found, key=lambda bone: bone.y):
        levels[bone.bone, bone.side] += 1
        ordered.append(bone._replace(level=levels[bone.bone, bone.side]))
    return sorted(ordered, key=lambda bone: -bone.doubt), instances


def case_doubt(bones: Sequence[Bone]) -> float:
    """How doubtful a prediction is: the mean doubt of its bones.

    Its rank correlation with the Dice that predictions of the ready weights lack is 0.65
    over 96 phantoms (``make_case([5000, n])`` for n below 16 of each of hard, realistic,
    texture, scanner, handheld and smoothed), and 0.42 within a family, on the mean. That
    of the mean weighted by area is 0.69 and 0.31, of the median 0.64 and 0.37, of the
    number of doubtful bones 0.60 and 0.25, of 1 - confidence over the pixels of all bones
    0.70 and 0.37.

    Args:
        bones (Sequence[Bone]): of :func:`list_bones`.

    Returns:
        float: infinite without any bone.
    """
    return float(np.mean([bone.doubt for bone in bones])) if bones else np.inf


def bone_table(
    bones: Sequence[Bone], spacing: Optional[Tuple[float, float]] = None
) -> List[List]:
    """The table of bones, as it is written.

    Args:
        bones (Sequence[Bone]): of :func:`list_bones`.
        spacing (tuple[float, float], optional): height and width of a pixel in mm.
            Default: None, unknown: then the table has no columns in mm.

    Returns:
        list[list]: the names of the columns, and a row for each bone. ``x_mm`` and
        ``y_mm`` are distances of the center of mass from that of the first pixel,
        ``area_mm2`` is the area.
    """
    rows: List[List] = [list(Bone._fields), *(list(bone) for bone in bones)]
    if spacing is not None:
        height, width = spacing
        rows[0] += ['x_mm', 'y_mm', 'area_mm2']
        for row, bone in zip(rows[1:], bones):
            row += [bone.x * width, bone.y * height, bone.area * height * width]
    return [
        [f'{value:.4f}' if isinstance(value, float) else value for value in row]
        for row in rows
    ]


def read_bone_table(path: Path) -> List[Bone]:
    """The bones of a table that was written.

    Args:
        path (Path): CSV with the rows of :func:`bone_table`.

    Returns:
        list[Bone]: in the order of the file.

    Raises:
        InputError: it is no such table.
    """
    kinds = Bone.__annotations__
    try:
        with open(path, encoding='utf-8', newline='') as file:
            return [
                Bone(**{name: kind(row[name]) for name, kind in kinds.items()})
                for row in csv.DictReader(file)
            ]
    except (OSError, KeyError, TypeError, ValueError, csv.Error):
        raise InputError(
            f'{path}: is no table of bones as tools/predict.py writes it. Predict the '
            'image again.'
        ) from None
