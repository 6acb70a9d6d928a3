"""Reads VPI images and masks, and says in words what is wrong with a file.

mmseg's loaders squeeze 16-bit images to 8 bits without a window and take RGB masks
and unknown labels without a word; here each of these is an error that names the file.
OpenCV reads the pixels, since Pillow has no 16-bit colours; Pillow knows what OpenCV does
not say: how many images a file holds, the numbers behind a palette, and whether a JPEG is
whole. The name decides what a file is, but for DICOM, which says it of itself;
:mod:`seam_seg.datasets.medical` reads DICOM, NIfTI and NRRD.
"""

import contextlib
import io
import logging
import warnings
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple, Union

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from ..atomic import SPACING
from ..errors import InputError
from .medical import (
    VOLUME_SUFFIXES,
    Levels,
    Spacing,
    is_medical,
    is_turned,
    read_levels,
    sensible_spacing,
    shows_right_first,
)
from .medical import read_spacing as read_medical_spacing

PathLike = Union[str, Path]

# Sides in pixels between which a file can be a VPI image. Those of the field's scanners
# are some 640 x 2600; what is far outside is a thumbnail, or several scans in one file.
SMALLEST_SIDE, LARGEST_SIDE = 8, 16384
ORIENTATION = 0x0112  # of EXIF and TIFF: 1 is upright
PHOTOMETRIC = 0x0106  # of TIFF: 0 says that white is 0
# What the colours of an annotation mean (RGB).
COLOURS = {
    'background': (0, 0, 0),
    'rib': (255, 0, 0),
    'thoracic': (0, 255, 0),
    'lumbar': (0, 0, 255),
}
# Side in pixels of the smallest square that is an area. What is thinner is an edge:
# antialiasing, JPEG, or two outlines drawn over each other.
AREA_SIDE = 5
# Grey levels by which each channel may differ from a known colour. JPEG of quality 75 or
# better differs by more only along edges thinner than an area.
COLOUR_TOLERANCE = 64
# A class of bones covers a tenth of a VPI image: what covers more than half is another.
LARGEST_SHARE = 0.5


class StoredMask(NamedTuple):
    """A mask file before its pixels are given a meaning.

    Attributes:
        pages (list[np.ndarray]): (H, W) or (H, W, channels) in OpenCV's order (BGR), of
            any type; one for each image in the file.
        numbers (np.ndarray, optional): (H, W) uint8, where the pixels are numbers of
            entries in a palette of colours.
        palette (np.ndarray, optional): (256, 3) uint8, RGB, the colours of the numbers.
        lossy (bool): JPEG, which changes pixels.
    """

    pages: List[np.ndarray]
    numbers: Optional[np.ndarray] = None
    palette: Optional[np.ndarray] = None
    lossy: bool = False


def decode(path: PathLike, kind: str) -> np.ndarray:
    """The pixels of :func:`decode_levels`."""
    return decode_levels(path, kind).pixels


def decode_levels(path: PathLike, kind: str) -> Levels:
    """Reads the pixels of a file as they are stored.

    Args:
        path (str | Path): any format that OpenCV reads, DICOM, NIfTI or NRRD.
        kind (str): ``'image'``, ``'mask'`` or another word for the messages.

    Returns:
        Levels: of any type, and the window that the file asks for.

    Raises:
        InputError: no such file, damaged or truncated, or of several images.
    """
    data = _read_bytes(path, kind)
    if data.size and is_medical(Path(path), data):
        return read_levels(Path(path), kind, data)
    array = _decode_first(path, kind, data)
    _, count = _inspect(path, kind, data, array)
    if count > 1:
        raise InputError(
            f'{path}: the file holds {count} images (pages), and all but the first would '
            'be lost. Save each in a file of its own.'
        )
    return Levels(array)


def decode_mask(path: PathLike, num_classes: int) -> StoredMask:
    """Reads a mask as it is stored, with its palette and its pages.

    Args:
        path (str | Path): as of :func:`decode_levels`.
        num_classes (int): with the background. A TIFF may have a page for each class,
            with or without the background.

    Returns:
        StoredMask: pixels, or pages.

    Raises:
        InputError: no such file, damaged or truncated, or of another number of images.
    """
    data = _read_bytes(path, 'mask')
    if data.size and is_medical(Path(path), data):
        return StoredMask([read_levels(Path(path), 'mask', data).pixels])
    first = _decode_first(path, 'mask', data)
    picture, count = _inspect(path, 'mask', data, first)
    lossy = picture.format in ('JPEG', 'MPO')
    if count > 1:
        if picture.format != 'TIFF' or count not in (num_classes - 1, num_classes):
            raise InputError(
                f'{path}: the file holds {count} images (pages). A mask has one, or is a '
                f'TIFF with a page for each class: {num_classes - 1}, or {num_classes} '
                'with the background. Save what is meant as a file of its own.'
            )
        return StoredMask(_decode_pages(path, picture, count))
    if picture.mode != 'P':
        return StoredMask([first], lossy=lossy)
    numbers = _decode_pages(path, picture, 1)[0]
    palette = np.zeros((256, 3), np.uint8)
    entries = np.reshape(picture.getpalette() or [], (-1, 3))
    palette[: len(entries)] = entries
    if (palette == palette[:, :1]).all():
        # A palette of greys is a way to store grey levels, and compressors choose it; but
        # not one of a single grey, or with one grey for two numbers, which loses them.
        levels = palette[np.unique(numbers), 0]
        single = len(np.unique(entries)) < 2
        lost = len(np.unique(levels)) < len(levels)
        return StoredMask([numbers if single or lost else palette[numbers, 0]])
    return StoredMask([first], numbers, palette)


def _read_bytes(path: PathLike, kind: str) -> np.ndarray:
    """The content of a file, uint8."""
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f'{path}: no such {kind}. Check the folder, the name in the '
            'split file and the suffix.'
        )
    try:
        return np.fromfile(path, np.uint8)
    except OSError as error:
        raise InputError(f'{path}: the {kind} cannot be read ({error.strerror}).')


def _damaged(path: PathLike, kind: str, state: str = 'damaged') -> InputError:
    return InputError(
        f'{path}: the {kind} is {state} or not in a format that OpenCV reads. Export it '
        'again as PNG.'
    )


def _decode_first(path: PathLike, kind: str, data: np.ndarray) -> np.ndarray:
    """The pixels of the only image in a file, or of the first."""
    if not data.size:
        raise _damaged(path, kind, 'empty')
    try:
        array = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:  # as of a header that claims more pixels than OpenCV allows
        array = None
    if array is None:
        raise _damaged(path, kind)
    return array


def _inspect(
    path: PathLike, kind: str, data: np.ndarray, array: np.ndarray
) -> Tuple[Image.Image, int]:
    """What OpenCV does not say of a file that it reads.

    Args:
        path (str | Path): for the message.
        kind (str): for the message.
        data (np.ndarray): uint8, the content of the file.
        array (np.ndarray): what OpenCV reads.

    Returns:
        tuple[PIL.Image.Image, int]: the file as Pillow opens it, and the number of its
        images.

    Raises:
        InputError: a truncated JPEG, whose rest OpenCV before 5 paints grey; a second
            image that is damaged; a file that Pillow does not open; or one that is to
            be turned.
    """
    damaged = _damaged(path, kind)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        if data[:2].tobytes() in (b'II', b'MM'):
            # Of a TIFF that is cut off within its list of pages.
            warnings.filterwarnings(
                'error', 'Corrupt EXIF|Truncated File|Tag data larger'
            )
        try:
            picture = Image.open(io.BytesIO(data.tobytes()))
        except UnidentifiedImageError:
            if array.dtype == np.uint8:
                raise damaged
            raise InputError(
                f'{path}: pixels of type {array.dtype} in a form that Pillow does not '
                f'read. Convert the {kind} to PNG.'
            )
        except Exception:  # Pillow raises many kinds
            raise damaged
        try:
            count = getattr(picture, 'n_frames', 1)
            if picture.format in ('JPEG', 'MPO'):
                # All of its data at an eighth of its size, which saves time.
                picture.draft(picture.mode, (1, 1))
                picture.load()
        except Exception:
            raise damaged
    check_upright(path, picture)
    # OpenCV turns 8 bits round, and leaves 16 as they are.
    inverted = getattr(picture, 'tag_v2', {}).get(PHOTOMETRIC) == 0
    if inverted and array.dtype != np.uint8:
        raise InputError(
            f'{path}: a TIFF in which 0 is white, of {array.dtype}. Save the {kind} with '
            'black as 0.'
        )
    return picture, count


def check_upright(path: PathLike, picture: Image.Image) -> None:
    """Refuses a picture that is stored otherwise than it is to be shown.

    Some programs turn it, and others (and OpenCV, depending on how it is asked) do not:
    an image and what was drawn on it would not lie on each other.

    Args:
        path (str | Path): for the message.
        picture (PIL.Image.Image): opened; a PNG is not decoded for this.

    Raises:
        InputError: its EXIF data say that it is to be turned or mirrored.
    """
    orientation = 1
    if picture.format != 'PNG' or 'exif' in picture.info:
        # Damaged EXIF data say nothing.
        with warnings.catch_warnings(), contextlib.suppress(Exception):
            warnings.simplefilter('ignore')
            orientation = picture.getexif().get(ORIENTATION, 1)
    if orientation in range(2, 9):
        raise InputError(
            f'{path}: is to be shown turned or mirrored (EXIF orientation '
            f'{orientation}), which not all programs do. Save it as it is to be seen '
            '(ImageMagick: mogrify -auto-orient FILE).'
        )


def _decode_pages(path: PathLike, picture: Image.Image, count: int) -> List[np.ndarray]:
    """The pixels of all images in a mask file, as Pillow reads them."""
    pages = []
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            for page in range(count):
                picture.seek(page)
                pages.append(np.array(picture))
        except Exception:
            raise _damaged(path, 'mask')
    return pages


def check_window(window: Optional[Tuple[float, float]]) -> None:
    """Refuses a window that makes no sense.

    Raises:
        InputError: black is not below white, or one of them not finite.
    """
    if window is not None and not -np.inf < window[0] < window[1] < np.inf:
        raise InputError(
            f'window {window[0]:g} {window[1]:g}: the level of black must be below that '
            'of white, and both finite.'
        )


def window_of(
    image: np.ndarray,
    asked: Optional[Tuple[float, float]],
    own: Optional[Tuple[float, float]] = None,
) -> Optional[Tuple[float, float]]:
    """The window that an image is shown with.

    Args:
        image (np.ndarray): as it is stored.
        asked (tuple[float, float], optional): what a user names. One that reaches below
            0 or beyond 255 is not of 8-bit images, which lie beside others.
        own (tuple[float, float], optional): what the file asks for. Default: None.

    Returns:
        tuple[float, float] | None: for :func:`to_uint8`.

    Raises:
        InputError: it is asked for one that makes no sense.
    """
    check_window(asked)
    if asked is None or (image.dtype == np.uint8 and (asked[0] < 0 or asked[1] > 255)):
        return own
    return asked


def to_uint8(
    image: np.ndarray, window: Optional[Tuple[float, float]] = None
) -> np.ndarray:
    """Maps grey levels to 8 bits.

    Args:
        image (np.ndarray): (H, W), of numbers; without a window, none is negative.
        window (tuple[float, float], optional): the grey levels that become 0 and 255.
            Default: None: 8-bit images stay as they are; of others, 0 becomes 0
            (the exterior of a VPI image is black) and the 99.9th percentile becomes
            255, because 12 significant bits are common and nothing in a PNG says how
            many there are.

    Returns:
        np.ndarray: (H, W) uint8.
    """
    if window is None:
        if image.dtype == np.uint8:
            return image
        high = float(np.percentile(image, 99.9))
        window = (0, max(high, 1) if image.dtype.kind in 'iu' else high or 1)
    low, high = window
    scaled = (image.astype(np.float32) - low) * (255 / (high - low))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def read_image(
    path: PathLike, window: Optional[Tuple[float, float]] = None
) -> np.ndarray:
    """Reads a grey VPI image.

    Args:
        path (str | Path): as of :func:`decode_levels`; of 8 or 16 bits, or of any numbers
            that are not negative.
        window (tuple[float, float], optional): see :func:`window_of`. Default: None: the
            one that the file asks for (DICOM), if there is one.

    Returns:
        np.ndarray: (H, W) uint8.

    Raises:
        InputError: no such file, not an image, or one that :func:`to_grey` refuses.
    """
    image, own_window = decode_levels(path, 'image')
    return to_grey(image, path, window_of(image, window, own_window))


def to_grey(
    image: np.ndarray, path: PathLike, window: Optional[Tuple[float, float]] = None
) -> np.ndarray:
    """Makes a grey image of 8 bits of decoded pixels.

    Args:
        image (np.ndarray): (H, W), or (H, W, 3 or 4) whose channels of colour are equal.
        path (str | Path): where they are from, for the messages.
        window (tuple[float, float], optional): see :func:`to_uint8`.

    Returns:
        np.ndarray: (H, W) uint8.

    Raises:
        InputError: a colour image, levels that are negative or no numbers, or too small
            or large.
    """
    height, width = image.shape[:2]
    if not SMALLEST_SIDE <= min(height, width) <= max(height, width) <= LARGEST_SIDE:
        raise InputError(
            f'{path}: {height} x {width} pixels (height x width), but the sides of a '
            f'VPI image lie between {SMALLEST_SIDE} and {LARGEST_SIDE}. Is it the whole '
            'scan, and one scan only?'
        )
    if image.dtype.kind not in 'iuf':
        raise InputError(
            f'{path}: pixels of type {image.dtype}, but grey levels are expected. '
            'Convert the image first.'
        )
    if image.ndim == 3:
        colour, alpha = image[..., :3], image[..., 3:]
        if (colour != colour[..., :1]).any():
            raise InputError(
                f'{path}: a colour image, but VPI images are grey. Is it '
                'an annotation or a screenshot?'
            )
        opaque = np.iinfo(image.dtype).max if image.dtype.kind in 'iu' else 1
        if (alpha != opaque).any():
            raise InputError(
                f'{path}: the image has transparent pixels. Save it '
                'without an alpha channel.'
            )
        image = colour[..., 0]
    if image.dtype.kind == 'f' and not np.isfinite(image).all():
        raise InputError(
            f'{path}: some of its grey levels are no numbers (NaN or infinite). Correct '
            'the image.'
        )
    if window is None and image.min() < 0:
        raise InputError(
            f'{path}: grey levels from {image.min():g} to {image.max():g}, and which of '
            'them is black is not said. Name a window (--window of tools/prepare_vpi.py, '
            'window of LoadVPIImage in a config), or export the image as PNG.'
        )
    return to_uint8(np.ascontiguousarray(image), window)


def read_spacing(path: PathLike) -> Optional[Spacing]:
    """How far the pixels of an image are apart, in mm.

    PNG, BMP, JPEG and TIFF say it for printers, and are not asked; but a PNG that was
    written by this package from a file that says it has it in a text.

    Args:
        path (str | Path): the file, as of :func:`read_image` or :func:`read_mask`.

    Returns:
        Spacing | None: height and width of a pixel, of rows and columns as they are read;
        None where the file does not say.

    Raises:
        InputError: no such file, or a damaged one.
    """
    data = _read_bytes(path, 'image')
    if data.size and is_medical(Path(path), data):
        return read_medical_spacing(Path(path), data)
    if data[1:4].tobytes() != b'PNG':
        return None
    try:
        content = data.tobytes()
        picture = Image.open(io.BytesIO(content))
        if SPACING not in picture.info and SPACING.encode() in content:
            picture.load()  # some programs write texts behind the pixels
        row, column, *size = map(float, picture.info[SPACING].split())
    except Exception:  # Pillow raises many kinds; and texts are edited
        return None
    if len(size) not in (0, 2):
        return None
    if size and size != [picture.height, picture.width]:  # earlier versions wrote none
        logging.getLogger('seam_seg').warning(
            'warning: %s: its text %s is of %g x %g pixels, and it has %d x %d; it was '
            'resized or cropped since, and the size of its pixels is not known.',
            *(path, SPACING, *size, picture.height, picture.width),
        )
        return None
    return sensible_spacing(row, column)


def read_left(path: PathLike) -> str:
    """What the left of an image or a mask, as it is read, shows of the patient.

    Args:
        path (str | Path): the file, as of :func:`read_image` or :func:`read_mask`.

    Returns:
        str: ``'patient_right'`` of a NIfTI or NRRD file that states its directions and
        shows the patient from the front or the back, else ``'unknown'``.

    Raises:
        InputError: no such file, or a damaged one.
    """
    data = _read_bytes(path, 'image')
    stated = data.size and is_medical(Path(path), data)
    right = stated and shows_right_first(Path(path), data)
    return 'patient_right' if right else 'unknown'


def check_directions(mask: PathLike, image: PathLike) -> None:
    """Refuses a pair of which one file is turned by what the other does not say.

    A NIfTI or NRRD mask is drawn on the image as a viewer shows it. Where one of them
    states directions that turn it and the other states none, both are of the same
    size and lie upside down on each other, and nothing else would tell.

    Args:
        mask (str | Path): the file, as of :func:`read_mask`.
        image (str | Path): the file, as of :func:`read_image`.

    Raises:
        InputError: such a pair, no such file, or a damaged one.
    """
    if not str(mask).lower().endswith(VOLUME_SUFFIXES):
        return  # other masks state nothing, and are drawn on what is shown
    turned = is_turned(Path(mask), _read_bytes(mask, 'mask'))
    data = _read_bytes(image, 'image')
    stated = bool(data.size) and is_medical(Path(image), data)
    other = is_turned(Path(image), data) if stated else None
    if turned and other is None:
        one, rest = 'mask', 'its image'
    elif other and turned is None:
        one, rest = 'image', 'the mask'
    else:
        return
    raise InputError(
        f'{mask}: the directions in the {one} turn or mirror it, and {rest} is read as '
        f'it is stored, so that they may not fit ({image}). Save both from one program '
        'in one format; or export the mask as PNG as it lies on the image.'
    )


def read_mask(
    path: PathLike,
    num_classes: int,
    ignore_index: int = 255,
    image_shape: Optional[Tuple[int, int]] = None,
    classes: Sequence[str] = (),
) -> np.ndarray:
    """Reads a mask of class indices.

    Args:
        path (str | Path): a single-channel image of labels 0 to ``num_classes - 1``, or
            one with a palette of colours for show; or a TIFF for :func:`merge_pages`.
        num_classes (int): the classes that a label may name.
        ignore_index (int): one more label that is allowed. Default: 255.
        image_shape (tuple[int, int], optional): (H, W) of the image it belongs to.
        classes (Sequence[str]): their names, for the colours of a palette, and for
            pages without the background where it is not the first. Default: unknown.

    Returns:
        np.ndarray: (H, W) uint8.

    Raises:
        InputError: no such file, RGB, a label outside the classes, another size.
    """
    stored = decode_mask(path, num_classes)
    mask = stored.pages[0]
    if len(stored.pages) > 1:
        background = list(classes).index('background') if 'background' in classes else 0
        mask = merge_pages(path, stored.pages, range(num_classes), background)
    elif stored.numbers is not None and stored.palette is not None:
        check_palette(path, stored.numbers, stored.palette, classes)
        mask = stored.numbers
    if mask.ndim != 2:
        raise InputError(
            f'{path}: an RGB mask of {mask.shape[2]} channels, but one channel of '
            'class indices is expected. Convert it with tools/prepare_vpi.py.'
        )
    check_lossless(path, stored)
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


def read_instances(
    path: PathLike, mask: np.ndarray, ignore_index: int = 255
) -> np.ndarray:
    """Reads a map of bones one by one.

    Args:
        path (str | Path): a single-channel image of 8 or 16 bits: 0 where there is no
            bone, and one number for each bone.
        mask (np.ndarray): (H, W) uint8 labels that it must agree with, 0 the background.
        ignore_index (int): label of pixels that do not count. Default: 255.

    Returns:
        np.ndarray: (H, W) uint16, 0 where the mask is ignored.

    Raises:
        InputError: no such file, another type or size, a bone outside the mask or of two
            classes, or a pixel of the mask that is of no bone.
    """
    instances = decode(path, 'map of bones')
    if instances.dtype not in (np.uint8, np.uint16) or instances.shape != mask.shape:
        raise InputError(
            f'{path}: the map of bones is {instances.shape} of {instances.dtype}, but '
            f'one channel of 8 or 16 bits of the size of its mask, {mask.shape}, is '
            'expected. Make it again, or remove the folder instances.'
        )
    instances = np.where(mask == ignore_index, 0, instances).astype(np.uint16)
    mask = np.where(mask == ignore_index, 0, mask)
    # One number for each pair of a bone and a label; sorting pairs takes a second.
    pairs = np.flatnonzero(np.bincount(instances.ravel() * np.int64(256) + mask.ravel()))
    bones, labels = pairs // 256, pairs % 256
    if ((bones == 0) != (labels == 0)).any() or len(set(bones)) < len(bones):
        raise InputError(
            f'{path}: the bones do not agree with the mask: each must cover pixels of '
            'one class, and together all of them. Was the mask edited? Make the map '
            'again, or remove it.'
        )
    return instances


def check_lossless(path: PathLike, stored: StoredMask) -> None:
    """Refuses class indices in a JPEG, whose neighbours may be indices as well."""
    if stored.lossy and stored.pages[0].any():
        raise InputError(
            f'{path}: class indices in a JPEG, which changes them. Export the mask '
            'again as PNG.'
        )


def check_palette(
    path: PathLike, numbers: np.ndarray, palette: np.ndarray, classes: Sequence[str]
) -> None:
    """Refuses a mask whose palette contradicts its numbers.

    The numbers of a palette PNG are labels, and its colours are for show (PASCAL VOC).
    But a compressor may have stored an annotation in colours so; its numbers mean
    nothing.

    Args:
        path (str | Path): for the message.
        numbers (np.ndarray): (H, W) uint8.
        palette (np.ndarray): (256, 3) uint8, RGB.
        classes (Sequence[str]): the meaning of numbers 0, 1, 2...

    Raises:
        InputError: a number has the colour of another class in :data:`COLOURS`, or
            nearly.
    """
    meanings = {name: colour for name, colour in COLOURS.items() if name in classes}
    for number in np.intersect1d(numbers, range(len(classes))).tolist():
        entry = palette[number].astype(int)
        near = [
            name
            for name, colour in meanings.items()
            if np.abs(entry - colour).max() <= COLOUR_TOLERANCE
        ]
        for name in near:
            if name == classes[number]:
                continue
            raise InputError(
                f'{path}: number {number} of its palette would be {classes[number]}, but '
                f'has the colour of {name}. Convert it with tools/prepare_vpi.py, and '
                'name what is right: its numbers by --mask-classes, or its colours by '
                '--colour-map.'
            )


def fills_area(mask: np.ndarray) -> np.ndarray:
    """The centers of squares of 5 x 5 pixels (:data:`AREA_SIDE`) that a mask fills.

    Args:
        mask (np.ndarray): (H, W) bool.

    Returns:
        np.ndarray: (H, W) bool.
    """
    square = np.ones((AREA_SIDE, AREA_SIDE), np.uint8)
    return cv2.erode(
        mask.astype(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=0
    ).astype(bool)


def check_shares(path: PathLike, mask: np.ndarray, bones: Sequence[int]) -> None:
    """Refuses a mask most of which is one class of bones, as where classes are shifted.

    Args:
        path (str | Path): for the message.
        mask (np.ndarray): (H, W) labels.
        bones (Sequence[int]): the labels of bones.

    Raises:
        InputError: one of them has more than :data:`LARGEST_SHARE` of the pixels.
    """
    counts = np.bincount(mask.ravel(), minlength=256)
    for label in bones:
        share = counts[label] / mask.size
        if share > LARGEST_SHARE:
            raise InputError(
                f'{path}: {100 * share:.0f}% of it would be bones of label {label}. '
                'Is it the background? The order of labels and pages is that of the '
                'classes, background first; --mask-classes of tools/prepare_vpi.py '
                'names another.'
            )


def merge_pages(
    path: PathLike, pages: List[np.ndarray], labels: Sequence[int], background: int
) -> np.ndarray:
    """Makes one mask of a page for each class.

    Two pages may share an edge, which becomes the higher label. An area in two pages is
    an error, and so is an area in none where there is a page of the background.

    Args:
        path (str | Path): for the message.
        pages (list[np.ndarray]): each (H, W) of 0 and one other value; as many as
            classes, or one less: without the background.
        labels (Sequence[int]): that the classes become, in the order of the pages.
        background (int): which of the classes is the background.

    Returns:
        np.ndarray: (H, W) uint8.

    Raises:
        InputError: the pages do not fit together.
    """
    indices = list(range(len(labels)))
    if len(pages) < len(labels):
        indices.remove(background)
    marked = []
    for number, page in enumerate(pages, 1):
        if page.ndim != 2 or page.shape != pages[0].shape:
            raise InputError(
                f'{path}: page {number} has the shape {page.shape}, and page 1 '
                f'{pages[0].shape}. Save all as one channel and at the same size.'
            )
        values = np.unique(page)
        if len(values[values != 0]) > 1:
            raise InputError(
                f'{path}: page {number} has the values '
                f'{", ".join(map(str, values[:5]))}, but a page for each class holds 0 '
                'and one other value. Save one mask of labels, or correct the pages.'
            )
        marked.append(page != 0)
    times = np.sum(marked, axis=0)
    whole = len(pages) == len(labels)
    for wrong, fault in (
        (times > 1, 'in pages {}'),
        ((times == 0) & whole, 'in no page, not even in that of the background'),
    ):
        places = np.argwhere(fills_area(wrong))
        if len(places):
            row, column = places[0]
            both = [str(i) for i, page in enumerate(marked, 1) if page[row, column]]
            raise InputError(
                f'{path}: {100 * wrong.mean():.2g}% of the pixels, as row {row}, column '
                f'{column}, are {fault.format(" and ".join(both))}. A pixel has one '
                'class: correct the pages.'
            )
    merged = np.full(pages[0].shape, labels[background], np.uint8)
    for index, page in sorted(zip(indices, marked), key=lambda pair: labels[pair[0]]):
        if index != background:
            merged[page] = labels[index]
    check_shares(path, merged, [labels[i] for i in range(len(labels)) if i != background])
    return merged
