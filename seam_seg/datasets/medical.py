"""Reads the pixels of DICOM, NIfTI and NRRD files, and how large they are.

Of a DICOM file only the elements in :data:`DICOM_TAGS` are parsed: who the patient is
cannot get into a result or a message. The libraries are optional, and
imported where a file needs them.
"""

import importlib
import io
import itertools
import logging
import warnings
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ..errors import InputError

DICOM_SUFFIXES = ('.dcm', '.dicom', '.ima')
NIFTI_SUFFIXES = ('.nii', '.nii.gz')
NRRD_SUFFIXES = ('.nrrd',)
VOLUME_SUFFIXES = (*NIFTI_SUFFIXES, *NRRD_SUFFIXES)
MEDICAL_SUFFIXES = (*DICOM_SUFFIXES, *VOLUME_SUFFIXES)

# Everything that is read of a DICOM file, and nothing else.
DICOM_TAGS = [
    *('Rows', 'Columns', 'NumberOfFrames', 'PixelData'),
    *('SamplesPerPixel', 'PlanarConfiguration', 'PhotometricInterpretation'),
    *('BitsAllocated', 'BitsStored', 'HighBit', 'PixelRepresentation'),
    *('RescaleSlope', 'RescaleIntercept', 'ModalityLUTSequence'),
    *('WindowCenter', 'WindowWidth', 'VOILUTFunction', 'VOILUTSequence'),
    *('PixelSpacing', 'PixelAspectRatio', 'SequenceOfUltrasoundRegions'),
    *('ExtendedOffsetTable', 'ExtendedOffsetTableLengths'),
]
# In the names of kinds of DICOM objects that come with images and are none.
WITHOUT_PIXELS = (
    *('SR Storage', 'Presentation State', 'Encapsulated', 'Document', 'Directory'),
)
CENTIMETRES = 3  # of PhysicalUnitsXDirection and PhysicalUnitsYDirection
# Millimetres in what NIfTI and NRRD name as the unit; where they name none, it is mm.
MILLIMETRES = {
    **dict.fromkeys(('', 'unknown', 'mm', 'millimeter', 'millimeters'), 1.0),
    **dict.fromkeys(('m', 'meter', 'meters'), 1000.0),
    **dict.fromkeys(('cm', 'centimeter', 'centimeters'), 10.0),
    **dict.fromkeys(('um', 'µm', 'micron', 'microns', 'micrometer'), 0.001),
}
# The world's axes point to the right, front and top of the patient, as in NIfTI. NRRD
# says by these words or their first letters where its own point to.
NRRD_SIGNS = dict(right=1, left=-1, anterior=1, posterior=-1, superior=1, inferior=-1)


class Spacing(NamedTuple):
    """How far pixels are apart, in mm.

    Attributes:
        row (float): the height of a pixel: from one row to the next.
        column (float): its width.
    """

    row: float
    column: float


class Levels(NamedTuple):
    """Pixels as a file stores them.

    Attributes:
        pixels (np.ndarray): (H, W) or (H, W, channels) in OpenCV's order (BGR), of any
            type.
        window (tuple[float, float], optional): the levels that the file wants shown as
            black and white. Default: None: it says nothing.
    """

    pixels: np.ndarray
    window: Optional[Tuple[float, float]] = None


class Volume(NamedTuple):
    """What NIfTI and NRRD files have in common.

    Attributes:
        shape (tuple[int, ...]): of the array.
        directions (np.ndarray, optional): (axes, 3), where each axis of the array points
            to in the patient: right, front, top. None: the file does not say.
        lengths (np.ndarray, optional): (axes,), from one element to the next, in mm.
        load (Callable): reads the array.
    """

    shape: Tuple[int, ...]
    directions: Optional[np.ndarray]
    lengths: Optional[np.ndarray]
    load: Callable[[], np.ndarray]


class Plane(NamedTuple):
    """Which axes of an array are the picture, and whether they run backwards.

    ``across``: the columns are known to run from the patient's right to the left.
    """

    row_axis: int
    column_axis: int
    flip_rows: bool
    flip_columns: bool
    across: bool = False


def is_medical(path: Path, data: np.ndarray) -> bool:
    """Whether this module reads a file.

    Args:
        path (Path): its name decides, but for DICOM;
        data (np.ndarray): uint8, its content: DICOM files often come without an ending,
            or with a part of a number for one.

    Returns:
        bool: true for DICOM, NIfTI and NRRD.
    """
    return path.name.lower().endswith(MEDICAL_SUFFIXES) or _is_dicom(path, data)


def _is_dicom(path: Path, data: np.ndarray) -> bool:
    return path.name.lower().endswith(DICOM_SUFFIXES) or says_dicom(data[:132].tobytes())


def says_dicom(start: bytes) -> bool:
    """Whether a file that begins so names itself DICOM."""
    return start[128:132] == b'DICM'


def says_no_image(path: Path) -> bool:
    """Whether a DICOM file says that it is of a kind without pixels, such as a report.

    Not where that is not known, without pydicom or of a damaged file: who reads it says.
    """
    try:
        reader = importlib.import_module('pydicom.filereader')
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # what they say quotes the file
            kind = reader.read_file_meta_info(path).MediaStorageSOPClassUID.name
    except Exception:  # pydicom raises many kinds
        return False
    return any(words in kind for words in WITHOUT_PIXELS)


def read_levels(path: Path, kind: str, data: np.ndarray) -> Levels:
    """Reads the pixels of a file with one image.

    Args:
        path (Path): see :func:`is_medical`.
        kind (str): ``'image'``, whose grey levels rise with brightness; or another word,
            for the messages, of what is stored as numbers with a meaning.
        data (np.ndarray): uint8, its content.

    Returns:
        Levels: of a picture as viewers show it, see :func:`plane_of`.

    Raises:
        InputError: the library is missing, the file is damaged, holds several images,
            or grey levels that are no function of a window.
    """
    if _is_dicom(path, data):
        return _dicom_levels(path, kind, data)
    volume = _open_volume(path, kind)
    plane = plane_of(path, volume.shape, volume.directions)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            array = volume.load()
    except Exception:  # the libraries raise many kinds, and zlib some more
        raise _damaged(path, kind) from None
    if array.dtype.fields:
        raise InputError(
            f'{path}: a colour {kind}, but one grey level for each pixel is expected. '
            'Export it again in grey.'
        )
    array = as_picture(array, plane)
    array = array.astype(array.dtype.newbyteorder('='))
    return Levels(np.ascontiguousarray(array))


def as_picture(array: np.ndarray, plane: Plane) -> np.ndarray:
    """(H, W) of an array whose other axes are of length 1."""
    sides = (plane.row_axis, plane.column_axis)
    others = [axis for axis in range(array.ndim) if axis not in sides]
    array = array.transpose(*sides, *others)
    array = array.reshape(array.shape[:2])
    return array[:: -1 if plane.flip_rows else 1, :: -1 if plane.flip_columns else 1]


def read_spacing(path: Path, data: np.ndarray) -> Optional[Spacing]:
    """How far the pixels of :func:`read_levels` are apart.

    Of DICOM: the one region in cm of SequenceOfUltrasoundRegions, or PixelSpacing. Of
    NIfTI and NRRD: what the header says, but not 1 x 1, which is what programs write
    where nobody has said anything.

    Args:
        path (Path): see :func:`is_medical`.
        data (np.ndarray): uint8, its content.

    Returns:
        Spacing | None: None where the file does not say.

    Raises:
        InputError: the library is missing, or the file is damaged.
    """
    if _is_dicom(path, data):
        return _dicom_spacing(path, data)
    volume = _open_volume(path, 'image')
    if volume.lengths is None:
        return None
    plane = plane_of(path, volume.shape, volume.directions)
    row, column = volume.lengths[[plane.row_axis, plane.column_axis]].tolist()
    if row == column == 1:
        return None
    return sensible_spacing(row, column)


def shows_right_first(path: Path, data: np.ndarray) -> bool:
    """Whether the left of the picture of :func:`read_levels` is the patient's right.

    Args:
        path (Path): see :func:`is_medical`.
        data (np.ndarray): uint8, its content.

    Returns:
        bool: False where the file does not say, as DICOM files of this field do not.

    Raises:
        InputError: the library is missing, or the file is damaged.
    """
    if _is_dicom(path, data):
        return False
    volume = _open_volume(path, 'image')
    return plane_of(path, volume.shape, volume.directions).across


def is_turned(path: Path, data: np.ndarray) -> Optional[bool]:
    """Whether the picture of :func:`read_levels` differs from how the file stores it.

    Args:
        path (Path): see :func:`is_medical`.
        data (np.ndarray): uint8, its content.

    Returns:
        bool | None: by the directions of a NIfTI or NRRD file; None where it states none,
        as DICOM files.

    Raises:
        InputError: the library is missing, or the file is damaged.
    """
    if _is_dicom(path, data):
        return None
    volume = _open_volume(path, 'image')
    if volume.directions is None:
        return None
    plane = plane_of(path, volume.shape, volume.directions)
    return plane[:4] != plane_of(path, volume.shape, None)[:4]


def plane_of(
    path: Union[str, Path], shape: Sequence[int], directions: Optional[np.ndarray]
) -> Plane:
    """Finds the picture in an array: columns to the patient's left, rows down.

    Without directions, the first axis of the picture becomes its columns and the second
    its rows, as programs store pictures. With them, the axes are taken by what in the
    patient they run along most: columns from right to left, or from front to back if the
    picture shows a side; rows from top to bottom, or from front to back if it is cut
    across. That is how viewers show it, and pictures that programs of the ITK family
    store (axes to the left and to the back) come back as they were.

    Args:
        path (str | Path): for the messages.
        shape (Sequence[int]): of the array; two axes are longer than 1.
        directions (np.ndarray, optional): see :class:`Volume`.

    Returns:
        Plane: which axes they are.

    Raises:
        InputError: several images, or directions that say nothing.
    """
    sides = [axis for axis, length in enumerate(shape) if length > 1]
    if len(sides) < 2 <= len(shape):
        sides = [0, 1]
    if len(sides) != 2:
        raise InputError(
            f'{path}: the file holds an array of {" x ".join(map(str, shape))}, but one '
            'image has two sides, and further ones of length 1; others would be lost. '
            'Save each image in a file of its own.'
        )
    if directions is None:
        return Plane(sides[1], sides[0], False, False)
    along = directions[sides]
    norms = np.linalg.norm(along, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or not norms.all():
        raise InputError(
            f'{path}: its affine (space directions) does not say where the axes of the '
            'image point to. Correct it, or export the image as PNG.'
        )
    along = along / norms
    # Two axes of the patient, another for each side, that fit together best.
    world = max(
        itertools.permutations(range(3), 2),
        key=lambda pair: abs(along[0, pair[0]]) + abs(along[1, pair[1]]),
    )
    backwards = [bool(along[side, axis] > 0) for side, axis in enumerate(world)]
    column = int(np.argmin(world))  # right to left before front to back before top down
    row = 1 - column
    across = world[column] == 0
    return Plane(sides[row], sides[column], backwards[row], backwards[column], across)


def _library(path: Path, module: str, package: str, form: str) -> Any:
    """An optional library, or a line that says how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(
            f'{path}: to read {form}, the package {package} is needed. Install it (pip '
            f"install {package}; the extra 'formats' has all of these), or export the "
            'file as PNG.'
        ) from None


def _damaged(path: Path, kind: str) -> InputError:
    return InputError(
        f'{path}: the {kind} is damaged, or not what its name says. Export it again.'
    )


def sensible_spacing(row: float, column: float) -> Optional[Spacing]:
    """A spacing, or None for one that cannot be meant."""
    good = np.isfinite([row, column]).all() and row > 0 and column > 0
    return Spacing(float(row), float(column)) if good else None


def _open_volume(path: Path, kind: str) -> Volume:
    """Reads the header of a NIfTI or NRRD file."""
    nrrd = path.name.lower().endswith(NRRD_SUFFIXES)
    library = (
        _library(path, 'nrrd', 'pynrrd', 'NRRD')
        if nrrd
        else _library(path, 'nibabel', 'nibabel', 'NIfTI')
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            return (_open_nrrd if nrrd else _open_nifti)(library, path)
    except Exception:  # the libraries raise many kinds
        raise _damaged(path, kind) from None


def _open_nifti(nibabel: Any, path: Path) -> Volume:
    image = nibabel.load(path)
    header = image.header
    shape = image.shape
    stated = int(header['qform_code']) or int(header['sform_code'])
    directions = np.zeros((max(len(shape), 3), 3))
    directions[:3] = image.affine[:3, :3].T
    factor = MILLIMETRES.get(header.get_xyzt_units()[0])
    return Volume(
        shape,
        directions if stated else None,
        None if factor is None else factor * np.asarray(header.get_zooms(), float),
        lambda: np.asanyarray(image.dataobj),
    )


def _open_nrrd(nrrd: Any, path: Path) -> Volume:
    header = nrrd.read_header(str(path))
    shape = tuple(int(length) for length in header['sizes'])
    along = header.get('space directions')
    along = None if along is None else np.array(along, float)
    lengths = header.get('spacings') if along is None else np.linalg.norm(along, axis=1)
    units = {
        unit.strip().lower()
        for key in ('space units', 'units')
        for unit in header.get(key, ())
    }
    factors = {MILLIMETRES.get(unit) for unit in units or {''}}
    factor = factors.pop() if len(factors) == 1 else None
    signs = _nrrd_signs(header.get('space', ''))
    directions = None
    if along is not None and signs is not None and along.shape[1] == 3:
        directions = along * signs
    return Volume(
        shape,
        directions,
        None if lengths is None or factor is None else factor * np.asarray(lengths),
        lambda: nrrd.read(str(path), index_order='F')[0],
    )


def _nrrd_signs(space: str) -> Optional[np.ndarray]:
    """(3,) which way the axes of a space point: None for one without a patient."""
    words = space.lower().split('-')
    if len(words) == 1 and len(space) in (3, 4):  # such as LPS, or LPST with time
        words = [
            next((word for word in NRRD_SIGNS if word[0] == letter), '')
            for letter in words[0]
        ]
    signs = [NRRD_SIGNS.get(word, 0) for word in words[:3]]
    return np.array(signs) if len(signs) == 3 and all(signs) else None


def _open_dicom(path: Path, kind: str, data: np.ndarray, pixels: bool) -> Any:
    """The data set of a file, of :data:`DICOM_TAGS` only."""
    pydicom = _library(path, 'pydicom', 'pydicom', 'DICOM')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # what they say quotes the file
            found = pydicom.dcmread(
                io.BytesIO(data.tobytes()),
                stop_before_pixels=not pixels,
                specific_tags=DICOM_TAGS,
            )
            frames = int(found.get('NumberOfFrames') or 1)
            empty = 'Rows' not in found or (pixels and 'PixelData' not in found)
    except Exception:  # pydicom raises many kinds
        raise _damaged(path, kind) from None
    if empty:
        raise InputError(
            f'{path}: a DICOM file without pixels, as of a report or a folder, or one '
            'that was cut off. Export the image again.'
        )
    if frames > 1:
        raise InputError(
            f'{path}: the file holds {frames} images (frames), and all but the first '
            'would be lost. Save each in a file of its own.'
        )
    return found


def _dicom_levels(path: Path, kind: str, data: np.ndarray) -> Levels:
    found = _open_dicom(path, kind, data, pixels=True)
    pixels = importlib.import_module('pydicom.pixels')
    syntax = found.file_meta.get('TransferSyntaxUID', '')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            if getattr(syntax, 'is_compressed', False) and not (
                pixels.get_decoder(syntax).is_available
            ):
                raise NotImplementedError
            array = pixels.pixel_array(found)
            if array.ndim == 3:
                return Levels(np.ascontiguousarray(array[..., ::-1]))
            if kind != 'image':
                return Levels(array)
            if found.PhotometricInterpretation not in ('MONOCHROME1', 'MONOCHROME2'):
                raise _coloured(path, found.PhotometricInterpretation)
            return _dicom_grey(path, found, array)
    except InputError:
        raise
    except NotImplementedError:
        raise InputError(
            f'{path}: compressed as {getattr(syntax, "name", syntax)}, which pydicom '
            'does not read by itself. Install one of its decoders (pip install '
            'python-gdcm), or export the file without compression.'
        ) from None
    except Exception:  # pydicom raises many kinds
        raise _damaged(path, kind) from None


def _coloured(path: Path, form: str) -> InputError:
    return InputError(
        f'{path}: a colour image ({form}), but VPI images are grey. Is it an annotation '
        'or a screenshot?'
    )


def _dicom_grey(path: Path, found: Any, array: np.ndarray) -> Levels:
    """Grey levels that rise with brightness, and the window for them."""
    window = _dicom_window(path, found)
    bits, signed = int(found.BitsStored), bool(found.PixelRepresentation)
    darkest = -(2 ** (bits - 1)) if signed else 0
    ends = [darkest, darkest + 2**bits - 1]
    slope = float(found.get('RescaleSlope', None) or 1)
    intercept = float(found.get('RescaleIntercept', None) or 0)
    if (slope, intercept) != (1, 0):
        array = array * slope + intercept
        ends = [end * slope + intercept for end in ends]
    if found.PhotometricInterpretation == 'MONOCHROME1':  # the highest is black
        if array.dtype.kind in 'iu':
            array = (sum(ends) - array.astype(np.int64)).astype(array.dtype)
        else:
            array = sum(ends) - array
        if window is not None:
            window = sum(ends) - window[1], sum(ends) - window[0]
    return Levels(array, window)


def _dicom_window(path: Path, found: Any) -> Optional[Tuple[float, float]]:
    """The levels that become black and white: of the first window, as viewers take it."""

    def first(key: str) -> Optional[float]:
        value = found.get(key)
        if value is None or value == '':
            return None
        return float(value[0] if isinstance(value, Sequence) else value)

    center, width = first('WindowCenter'), first('WindowWidth')
    function = found.get('VOILUTFunction') or 'LINEAR'
    table = 'ModalityLUTSequence' in found or (
        center is None and 'VOILUTSequence' in found
    )
    if table or function not in ('LINEAR', 'LINEAR_EXACT'):
        raise InputError(
            f'{path}: its grey levels go through a '
            f'{"table (LUT)" if table else f"function {function}"}, and only windows are '
            'read. Export the image as PNG.'
        )
    if center is None or width is None:
        return None
    # PS3.3 C.11.2.1.2: a linear window of width w has w levels, black and white among
    # them, and its center lies half a level below the middle.
    low, high = center - width / 2, center + width / 2
    if function == 'LINEAR':
        high -= 1
    if not low < high:
        raise InputError(
            f'{path}: its window of center {center:g} and width {width:g} has no grey '
            'levels. Correct it, or export the image as PNG.'
        )
    return low, high


def _dicom_spacing(path: Path, data: np.ndarray) -> Optional[Spacing]:
    found = _open_dicom(path, 'image', data, pixels=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            regions = found.get('SequenceOfUltrasoundRegions') or []
            spatial = [
                sensible_spacing(
                    10 * abs(float(region.PhysicalDeltaY)),
                    10 * abs(float(region.PhysicalDeltaX)),
                )
                for region in regions
                if region.get('PhysicalUnitsXDirection') == CENTIMETRES
                and region.get('PhysicalUnitsYDirection') == CENTIMETRES
            ]
            stored = [float(value) for value in found.get('PixelSpacing') or ()]
            ratio = [float(value) for value in found.get('PixelAspectRatio') or ()]
    except Exception:  # pydicom raises many kinds
        raise _damaged(path, 'image') from None
    if len(spatial) > 1:
        agree = len(set(spatial)) == 1
        logging.getLogger('seam_seg').warning(
            'warning: %s: %d ultrasound regions, of which one is expected; %s.',
            path,
            len(spatial),
            'all of one spacing' if agree else 'their spacings differ, and none is taken',
        )
        return spatial[0] if agree else None
    if spatial:
        return spatial[0]
    if len(stored) == 2:
        return sensible_spacing(*stored)
    if len(ratio) == 2 and ratio[0] != ratio[1]:  # an angle of square ones would be wrong
        logging.getLogger('seam_seg').warning(
            'warning: %s: states pixels %g to %g (height to width), and not their size; '
            'it is not known. An angle is right with: tools/measure.py --spacing %g %g',
            *(path, *ratio, *ratio),
        )
    return None
