"""Where the cases of a data set came from, and whose they are, as files beside it."""

import csv
import hashlib
import json
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np

from ..atomic import write_csv, write_json
from ..errors import InputError
from ..version import __version__

CASES, SETTINGS = 'prepared.csv', 'prepared.json'
PHANTOM = 'phantom.json'
COLUMNS = (
    'name',
    'subject',
    'side',
    'image',
    'image_sha256',
    'image_read_as',
    'mask',
    'mask_sha256',
    'mask_read_as',
)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, as ``sha256sum`` prints it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def bits_of(stored: np.ndarray) -> str:
    """The type of pixels in words, such as ``'16-bit'`` or ``'32-bit float'``."""
    kinds = dict(u='', i=' signed', f=' float')
    return f'{8 * stored.dtype.itemsize}-bit{kinds.get(stored.dtype.kind, "")}'


def image_read_as(
    stored: np.ndarray, window: Optional[Tuple[float, float]] = None
) -> str:
    """How an image is taken, in words; see :func:`~seam_seg.datasets.readers.to_uint8`.

    Args:
        stored (np.ndarray): as it is stored.
        window (tuple[float, float], optional): the levels that become 0 and 255.

    Returns:
        str: such as ``'16-bit, window 0 to 4095'``.
    """
    bits = bits_of(stored)
    if window is not None:
        return f'{bits}, window {window[0]:g} to {window[1]:g}'
    if stored.dtype == np.uint8:
        return f'{bits}, as it is'
    return f'{bits}, window 0 to the 99.9th percentile'


def write_history(root: Path, rows: Iterable[Sequence[str]], settings: dict) -> None:
    """Writes the table of the cases, and the settings that they were prepared with.

    Args:
        root (Path): of the data set.
        rows (Iterable[Sequence[str]]): a row for each case, in the order of ``COLUMNS``.
        settings (dict): what JSON can hold; the version is added.
    """
    write_csv(root / CASES, [COLUMNS, *rows])
    write_json(root / SETTINGS, dict(version=__version__, **settings))


def read_history(root: Path) -> List[List[str]]:
    """The rows of the table that :func:`write_history` wrote, without its header.

    Raises:
        InputError: it is no such table.
    """
    path = root / CASES
    try:
        with path.open(encoding='utf-8-sig', newline='') as file:
            header, *rows = csv.reader(file)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError):
        header, rows = [], []
    if tuple(header) != COLUMNS or any(len(row) != len(COLUMNS) for row in rows):
        raise InputError(
            f'{path}: no table of the cases as tools/prepare_vpi.py writes it. Prepare '
            'the data set anew.'
        )
    return rows


def read_settings(root: Path) -> dict:
    """What :func:`write_history` was given and wrote; empty where it has not been."""
    try:
        settings = json.loads((root / SETTINGS).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
    return settings if isinstance(settings, dict) else {}


def recorded_subjects(root: Path, names: Iterable[str]) -> Optional[Dict[str, str]]:
    """What a data set itself says about whose its cases are.

    Args:
        root (Path): of the data set.
        names (Iterable[str]): of its cases.

    Returns:
        dict[str, str], optional: subject by name: of a prepared data set those of its
        table, of a phantom each case its own. None: the data set says nothing.

    Raises:
        InputError: the table cannot be read.
    """
    path = root / CASES
    if not path.is_file():
        return {name: name for name in names} if (root / PHANTOM).is_file() else None
    try:
        with path.open(encoding='utf-8-sig', newline='') as file:
            subjects = {row['name']: row['subject'] for row in csv.DictReader(file)}
    except (UnicodeDecodeError, csv.Error, KeyError):
        subjects = {}
    if not subjects or not all({*subjects, *subjects.values()}):
        raise InputError(
            f'{path}: no table with a name and a subject in each row. Prepare the data '
            'set anew, or remove the file.'
        )
    return subjects
