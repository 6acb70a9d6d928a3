"""The true segments (bones) of a label: their pixels, centers and sizes."""

from typing import List, NamedTuple, Optional, Tuple

import cv2
import numpy as np
import torch
from torch import Tensor

SEGMENTS = ('instance', 'class')


class SegmentMaps(NamedTuple):
    """The true segments of a batch, S in all.

    Attributes:
        members (Tensor): (B, N - 1, h, w) int64; the segment to which a pixel counts
            for a foreground class, S where there is none (or the pixel is ignored, or
            too far).
        own (Tensor): (B, h, w) int64; the segment that the pixel itself lies in by its
            true label, S for background and ignored pixels.
        centers (Tensor): (S + 1, 2) normalised (row, column) centers of mass; the last
            row is a placeholder for 'no segment'.
        sizes (Tensor): (S + 1,) numbers of true pixels; the last is 0.
    """

    members: Tensor
    own: Tensor
    centers: Tensor
    sizes: Tensor


def split_class(
    mask: np.ndarray,
    segments: str,
    bones: Optional[np.ndarray] = None,
    reach: Optional[float] = None,
) -> Tuple[np.ndarray, int]:
    """Shares the map, or what is near a segment, out among the segments of one class.

    Args:
        mask (np.ndarray): (h, w) bool, the pixels of the class.
        segments (str): ``'class'``: all pixels belong to the one segment.
            ``'instance'``: each to the nearest bone of the class.
        bones (np.ndarray, optional): (h, w) a number for each bone. Default: None, the
            8-connected components are the bones.
        reach (float, optional): pixels; what is farther than so many from every pixel
            of the class belongs to no segment. Default: None, nothing is too far.

    Returns:
        tuple[np.ndarray, int]: (h, w) int32 segment of each pixel, 0-based, -1 where it
        belongs to none, and the number of segments; zero if the class is absent.

    Raises:
        ValueError: another kind of segments.
    """
    if segments not in SEGMENTS:
        raise ValueError(f'segments={segments!r} is none of {SEGMENTS}')
    if not mask.any():
        return np.full(mask.shape, -1, np.int32), 0
    if segments == 'class':
        count, components = 2, mask.astype(np.int32)
    elif bones is None:
        count, components = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    else:
        numbers, found = np.unique(bones[mask], return_inverse=True)
        components = np.zeros(mask.shape, np.int32)
        components[mask] = found.ravel() + 1
        count = len(numbers) + 1
    # Labels every pixel with its nearest zero pixel's index; that pixel's component
    # is then looked up, since OpenCV numbers the two label maps differently.
    distance, nearest = cv2.distanceTransformWithLabels(
        (~mask).astype(np.uint8),
        cv2.DIST_L2,
        cv2.DIST_MASK_5,
        labelType=cv2.DIST_LABEL_PIXEL,
    )
    component_of = np.zeros(nearest.max() + 1, np.int32)
    component_of[nearest[mask]] = components[mask]
    region = component_of[nearest] - 1
    if reach is not None:
        region[distance > reach] = -1
    return region, count - 1


def segment_maps(
    label: Tensor,
    num_classes: int,
    segments: str = 'instance',
    ignore_index: int = 255,
    bones: Optional[Tensor] = None,
    reach: Optional[float] = None,
    dtype: torch.dtype = torch.float64,
) -> SegmentMaps:
    """Finds the true segments of a batch (on the CPU, by OpenCV).

    Positions are pixel centers, (i + 0.5) / h and (j + 0.5) / w.

    Args:
        label (Tensor): (B, h, w) integers; 0 is the background.
        num_classes (int): N, the background included.
        segments (str): ``'instance'`` or ``'class'``, see :func:`split_class`.
            Default: ``'instance'``.
        ignore_index (int): pixels of this label belong to no segment. Default: 255.
        bones (Tensor, optional): (B, h, w) a number for each bone, for ``'instance'``.
            Default: None, connected components.
        reach (float, optional): how far from a segment its members lie at most, in
            pixels of the label, see :func:`split_class`. Default: None.
        dtype (torch.dtype): of the centers and sizes. Default: float64, which the device
            of the label has to have.

    Returns:
        SegmentMaps: on the device of the label.
    """
    array = label.cpu().numpy()
    numbers = None if bones is None else bones.cpu().numpy()
    batch, height, width = array.shape
    rows = (np.arange(height) + 0.5) / height
    cols = (np.arange(width) + 0.5) / width
    valid = array != ignore_index
    members = np.full((batch, num_classes - 1, height, width), -1, np.int64)
    own = np.full(array.shape, -1, np.int64)
    centers: List[np.ndarray] = []
    sizes: List[np.ndarray] = []
    total = 0
    for image in range(batch):
        for channel in range(num_classes - 1):
            if channel + 1 == ignore_index:
                continue
            mask = array[image] == channel + 1
            region, count = split_class(
                mask, segments, None if numbers is None else numbers[image], reach
            )
            if not count:
                continue
            at_row, at_col = np.nonzero(mask)
            segment = region[mask]
            size = np.bincount(segment, minlength=count).astype(np.float64)
            centers.append(
                np.stack(
                    [
                        np.bincount(segment, weights=position, minlength=count) / size
                        for position in (rows[at_row], cols[at_col])
                    ],
                    axis=1,
                )
            )
            sizes.append(size)
            own[image][mask] = segment + total
            counts = valid[image] & (region >= 0)
            members[image, channel] = np.where(counts, region + total, -1)
            total += count
    members[members < 0] = total
    own[own < 0] = total
    centers.append(np.zeros((1, 2)))
    sizes.append(np.zeros(1))
    parts = (
        *(torch.from_numpy(part) for part in (members, own)),
        *(torch.from_numpy(np.concatenate(part)).to(dtype) for part in (centers, sizes)),
    )
    return SegmentMaps(*(part.to(label.device) for part in parts))
