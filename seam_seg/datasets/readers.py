"""Reads VPI images and masks, and says in words what is wrong with a file.

mmseg's loaders squeeze 16-bit images to 8 bits without a window and take RGB masks
and unknown labels without a word; here each of these is an error that names the file.
"""

from pathlib import Path
from typing import Optional, Tuple, Union

import cv2
import numpy as np

from ..errors import InputError

PathLike = Union[str, Path]

# Files with these endings are looked for in folders.
IMAGE_SUFFIXES = ('.png', '.bmp', '.tif', '.tiff', '.jpg', '.jpeg', '.pgm')
# Sides in pixels between which a file can be a VPI image. Those of the field's scanners
# are some 640 x 2600; what is far outside is a thumbnail, or several scans in one file.
SMALLEST_SIDE, LARGEST_SIDE = 8, 16384


def decode(path: PathLike, kind: str) -> np.ndarray:
    """Reads the pixels of a file as they are stored.

    Args:
        path (str | Path): any format that OpenCV reads.
        kind (str): ``'image'`` or ``'mask'``, for the messages.

    Returns:
        np.ndarray: (H, W) or (H, W, channels) in OpenCV's order (BGR), of any type.

    Raises:
        InputError: no such file, or it cannot be decoded.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f'{path}: no such {kind}. Check the folder, the name in the '
            'split file and the suffix.'
        )
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise InputError(f'{path}: the {kind} cannot be read ({error.strerror}).')
    try:
        array = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    except cv2.error:  # as of a header that claims more pixels than OpenCV allows
        array = None
    if array is None:
        raise InputError(
            f'{path}: the {kind} is {"empty" if not data.size else "damaged"} or not '
            'in a format that OpenCV reads. Export it again as PNG.'
        )
    return array


def to_uint8(
    image: np.ndarray, window: Optional[Tuple[float, float]] = None
) -> np.ndarray:
    """Maps grey levels to 8 bits.

    Args:
        image (np.ndarray): (H, W), uint8 or uint16.
        window (tuple[float, float], optional): the grey levels that become 0 and 255.
            Default: None: 8-bit images stay as they are; of 16-bit images, 0 becomes 0
            (the exterior of a VPI image is black) and the 99.9th percentile becomes
            255, because 12 significant bits are common and nothing in a PNG says how
            many there are.

    Returns:
        np.ndarray: (H, W) uint8.
    """
    if window is None:
        if image.dtype == np.uint8:
            return image
        window = (0, max(np.percentile(image, 99.9), 1))
    low, high = window
    scaled = (image.astype(np.float32) - low) * (255 / (high - low))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def read_image(
    path: PathLike, window: Optional[Tuple[float, float]] = None
) -> np.ndarray:
    """Reads a grey VPI image of 8 or 16 bits.

    Args:
        path (str | Path): any format that OpenCV reads.
        window (tuple[float, float], optional): see :func:`to_uint8`.

    Returns:
        np.ndarray: (H, W) uint8.

    Raises:
        InputError: no such file, not an image, a colour image, another depth, or too
            small or large.
    """
    image = decode(path, 'image')
    height, width = image.shape[:2]
    if not SMALLEST_SIDE <= min(height, width) <= max(height, width) <= LARGEST_SIDE:
        raise InputError(
            f'{path}: {height} x {width} pixels (height x width), but the sides of a '
            f'VPI image lie between {SMALLEST_SIDE} and {LARGEST_SIDE}. Is it the whole '
            'scan, and one scan only?'
        )
    if image.dtype not in (np.uint8, np.uint16):
        raise InputError(
            f'{path}: pixels of type {image.dtype}, but 8-bit or 16-bit '
            'grey is expected. Convert the image first.'
        )
    if image.ndim == 3:
        colour, alpha = image[..., :3], image[..., 3:]
        if (colour != colour[..., :1]).any():
            raise InputError(
                f'{path}: a colour image, but VPI images are grey. Is it '
                'an annotation or a screenshot?'
            )
        if (alpha != np.iinfo(image.dtype).max).any():
            raise InputError(
                f'{path}: the image has transparent pixels. Save it '
                'without an alpha channel.'
            )
        image = colour[..., 0]
    return to_uint8(np.ascontiguousarray(image), window)


def read_mask(
    path: PathLike,
    num_classes: int,
    ignore_index: int = 255,
    image_shape: Optional[Tuple[int, int]] = None,
) -> np.ndarray:
    """Reads a mask of class indices.

    Args:
        path (str | Path): a single-channel image of labels 0 to ``num_classes - 1``.
        num_classes (int): the classes that a label may name.
        ignore_index (int): one more label that is allowed. Default: 255.
        image_shape (tuple[int, int], optional): (H, W) of the image it belongs to.

    Returns:
        np.ndarray: (H, W) uint8.

    Raises:
        InputError: no such file, RGB, a label outside the classes, another size.
    """
    mask = decode(path, 'mask')
    if mask.ndim != 2:
        raise InputError(
            f'{path}: an RGB mask of {mask.shape[2]} channels, but one channel of '
            'class indices is expected. Convert it with tools/prepare_vpi.py.'
        )
    labels = np.unique(mask)
    # Membership, not an upper bound: TIFF masks can hold -1 or 0.5.
    wrong = labels[~np.isin(labels, [*range(num_classes), ignore_index])]
    if wrong.size:
        raise InputError(
            f'{path}: the mask has label {", ".join(map(str, wrong[:5]))}, but the '
            f'classes are 0 to {num_classes - 1} ({ignore_index} is ignored). Convert '
            'it with tools/prepare_vpi.py.'
        )
    if set(labels) == {0, ignore_index}:
        raise InputError(
            f'{path}: a binary mask of 0 and {ignore_index}, which would be read as '
            f'"ignored". Bones are labelled 1 to {num_classes - 1}.'
        )
    if image_shape is not None and mask.shape != tuple(image_shape):
        raise InputError(
            f'{path}: the mask is {mask.shape[0]} x {mask.shape[1]} (height x width), '
            f'but its image is {image_shape[0]} x {image_shape[1]}. Export both at the '
            'same size.'
        )
    return mask.astype(np.uint8)
