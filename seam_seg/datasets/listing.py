"""Which files of a folder are looked at, and how they are called without an ending."""

import logging
from pathlib import Path
from typing import Iterator, List, Sequence, Tuple, Union

from ..errors import InputError
from .medical import DICOM_SUFFIXES, MEDICAL_SUFFIXES, says_dicom, says_no_image
from .subjects import listed

PathLike = Union[str, Path]

# Files with these endings are looked for in folders.
IMAGE_SUFFIXES = (
    *('.png', '.bmp', '.tif', '.tiff', '.jpg', '.jpeg', '.pgm'),
    *MEDICAL_SUFFIXES,
)
# What is looked for in folders, for messages.
LOOKED_FOR = ', '.join(IMAGE_SUFFIXES) + ', or DICOM by another name'
# Of files of LabelMe and COCO, which masks can be.
POLYGON_SUFFIX = '.json'
# Bytes of a DICOM file before the first of its elements.
SHORTEST = 132
# Bytes, of 255 that systems allow: files are named after it, and longer until whole.
LONGEST_NAME = 225


def split_name(path: PathLike) -> Tuple[str, str]:
    """The name of a file before its ending, and the ending.

    Args:
        path (str | Path): such as ``'scans/a.nii.gz'``.

    Returns:
        tuple[str, str]: ``'a'`` and ``'.nii.gz'``; the ending as it is written.
    """
    path = Path(path)
    twice = ''.join(path.suffixes[-2:])
    suffix = twice if twice.lower() in IMAGE_SUFFIXES else path.suffix
    if not suffix[1:2].isalpha():  # of a number, by which scanners name DICOM files
        suffix = ''
    return path.name[: len(path.name) - len(suffix)], suffix


def check_name(path: PathLike, name: str) -> None:
    """Refuses a name that tables and pages cannot hold.

    Args:
        path (str | Path): for the message.
        name (str): of a case, from the names of its file and folders.

    Raises:
        InputError: bytes that are no text, as older systems left them, or too many.
    """
    try:
        parts = [part.encode() for part in name.split('/')]
    except UnicodeEncodeError:
        raise InputError(
            f'{path}: its name, or that of its folder, is not UTF-8. Rename it (convmv '
            'does that for many).'
        ) from None
    if max(map(len, parts)) > LONGEST_NAME:
        raise InputError(
            f'{path}: its name, or that of its folder, is longer than {LONGEST_NAME} '
            'bytes, and files that are named after it could not be written. Shorten it.'
        )


def is_image(path: Path, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> bool:
    """Whether a file in a folder is looked at.

    By its ending, and DICOM of another name by what it says of itself. Not if it is
    hidden, nor the list of a disc's files or a report.
    """
    if path.name.startswith('.'):
        return False
    suffix = split_name(path)[1].lower()
    if suffix in suffixes:
        return True
    if DICOM_SUFFIXES[0] not in suffixes or path.name.upper() == 'DICOMDIR':
        return False
    try:
        with open(path, 'rb') as file:
            start = file.read(SHORTEST)
    except FileNotFoundError:  # a link that leads nowhere
        return False
    except OSError:
        return not suffix  # it may be one, and who reads it says why it cannot
    return says_dicom(start) and not says_no_image(path)


def list_images(folder: Path, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> List[Path]:
    """The files of :func:`is_image` in a folder and in the folders below it.

    Links to folders are followed; those that lead nowhere are files. A warning names
    what has no ending and no content of an image, beside images without an ending.

    Args:
        folder (Path): it may be hidden itself; hidden folders below it are left out.
        suffixes (Sequence[str]): their endings. Default: those of images.

    Returns:
        list[Path]: in the order of their names.
    """
    files = sorted(_files_below(folder))
    images = [path for path in files if is_image(path, suffixes)]
    if '' in {split_name(path)[1] for path in images}:
        short = [
            path.relative_to(folder).as_posix()
            for path in sorted(set(files) - set(images))
            if not path.name.startswith('.')
            and not split_name(path)[1]
            and not (path.exists() and path.stat().st_size >= SHORTEST)
        ]
        if short:
            logging.getLogger('seam_seg').warning(
                'warning: %s: left out, as empty, cut off or a dead link: %s.',
                *(folder, listed(short)),
            )
    return images


def _files_below(folder: Path, above: Tuple[Path, ...] = ()) -> Iterator[Path]:
    """The files in a folder and below, through links, but not round in a circle."""
    real = folder.resolve()
    if real in above:
        return
    for path in folder.iterdir():
        if path.is_file() or (path.is_symlink() and not path.exists()):
            yield path
        elif path.is_dir() and not path.name.startswith('.'):
            yield from _files_below(path, (*above, real))
