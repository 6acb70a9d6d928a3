"""Grey images that OpenCV, Pillow, scikit-image, torch or MONAI has read."""

from typing import Any, Optional, Tuple

import numpy as np
import torch
from PIL import Image

from ..errors import InputError
from .medical import Spacing, as_picture, plane_of, sensible_spacing
from .readers import check_upright, check_window, to_grey, window_of

WHERE = 'the array'  # in messages
FILE_TYPES = (np.uint8, np.int8, np.uint16, np.int16)  # as they are in files
PILLOW_MODES = {'1': 'L', 'P': 'RGB', 'PA': 'RGBA', 'LA': 'RGBA'}
# Which way the axes of a space point, in that of NIfTI.
SPACES = dict(RAS=(1, 1, 1), LPS=(-1, -1, 1))


def grey_of(
    image: Any, window: Optional[Tuple[float, float]] = None
) -> Tuple[np.ndarray, Optional[Spacing]]:
    """Makes a grey image of 8 bits of what a library has read.

    Args:
        image (np.ndarray | Tensor | PIL.Image.Image): (H, W), or with channels first or
            last: one, or three or four of which those of colour are equal. In a
            ``MetaTensor`` of MONAI, the columns come first, and its affine says which way
            they run. Integers of 8 and 16 bits are read as those of a file; larger types
            and floats are what libraries turn these into, or shares of white.
        window (tuple[float, float], optional): see :func:`.readers.window_of`; one that
            reaches beyond 1 is not of shares of white.

    Returns:
        tuple[np.ndarray, Spacing | None]: (H, W) uint8, and the size of a pixel where a
        ``MetaTensor`` says it.

    Raises:
        InputError: no such array, or one that :func:`.readers.to_grey` refuses.
    """
    check_window(window)
    spacing = None
    if isinstance(image, Image.Image):
        count = getattr(image, 'n_frames', 1)
        if count > 1:
            raise InputError(f'{WHERE}: {count} images. Give one of them.')
        check_upright(WHERE, image)
        if image.mode in PILLOW_MODES:
            image = image.convert(PILLOW_MODES[image.mode])
        array = np.asarray(image)
    elif isinstance(image, torch.Tensor) and hasattr(image, 'affine'):
        array, spacing = _of_monai(image)
    elif isinstance(image, torch.Tensor):
        array = _to_numpy(image)
    else:
        array = np.asarray(image)
    array = _without_batch(array)
    shares = None
    if array.dtype.kind in 'iuf' and array.dtype not in FILE_TYPES:
        array, shares = _as_stored(array)
    if shares is not None and (window is None or window[1] > shares[1]):
        window = shares  # any other is of levels, and all would become black
    return to_grey(array, WHERE, window_of(array, window)), spacing


def _to_numpy(image: torch.Tensor) -> np.ndarray:
    """The values of a tensor, also of a type that NumPy does not have."""
    image = image.detach().cpu()
    return (image.float() if image.dtype == torch.bfloat16 else image).numpy()


def _without_batch(array: np.ndarray) -> np.ndarray:
    """(H, W), or (H, W, 3 or 4)."""
    shape = array.shape
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim == 3 and array.shape[-1] not in (3, 4) and array.shape[0] in (3, 4):
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (3, 4)):
        return np.ascontiguousarray(array)
    raise InputError(
        f'{WHERE}: {shape} is not the shape of one grey image. Give (H, W), or channels '
        'first or last.'
    )


def _as_stored(array: np.ndarray) -> Tuple[np.ndarray, Optional[Tuple[float, float]]]:
    """Numbers as what they stand for: integers of 8 or 16 bits, or shares of white.

    Returns:
        tuple[np.ndarray, tuple[float, float] | None]: the levels, and their window where
        they are floats from 0 to 1, of which 1 is white.
    """
    if not array.size or not np.isfinite(array).all() or array.min() < 0:
        return array, None  # which is refused in words
    if array.dtype.kind == 'f' and array.max() <= 1:
        return array, (0, 1)
    if (array == np.rint(array)).all() and array.max() <= np.iinfo(np.uint16).max:
        small = array.max() <= np.iinfo(np.uint8).max
        return array.astype(np.uint8 if small else np.uint16), None
    return array, None


def _of_monai(image: Any) -> Tuple[np.ndarray, Optional[Spacing]]:
    """A ``MetaTensor`` of one channel as the picture that the file's reader gives."""
    array = _to_numpy(image)
    affine = np.asarray(image.affine, float)
    if array.ndim < 3 or array.shape[0] != 1:
        raise InputError(
            f'{WHERE}: a MetaTensor of shape {array.shape}, but one channel, columns and '
            'rows are expected. Load it with ensure_channel_first=True.'
        )
    array = array[0]
    # Pictures have no place in a patient; MONAI names a space for the others.
    signs = SPACES.get(str(image.meta.get('space')))
    along = affine[:3, : min(array.ndim, 3)].T
    directions = None
    if signs is not None and along.shape == (array.ndim, 3):
        directions = along * signs
    plane = plane_of(WHERE, array.shape, directions)
    row, column = (
        float(np.linalg.norm(along[axis])) for axis in (plane.row_axis, plane.column_axis)
    )
    stated = signs is not None and (row, column) != (1, 1)
    return as_picture(array, plane), sensible_spacing(row, column) if stated else None
