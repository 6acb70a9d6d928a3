"""Files that are written whole or not at all, whatever happens meanwhile."""

import contextlib
import csv
import hashlib
import io
import json
import os
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Iterable, Optional, Sequence, Tuple, Union

import cv2
import numpy as np
from PIL import Image

if TYPE_CHECKING:  # a quarter of a second, which most who write files do not need
    from matplotlib.figure import Figure

PARTIAL = '.partial'
# The text of a PNG that says how high and how wide a pixel is, in mm, and of how many
# rows and columns: programs keep texts when they resize. What PNG has for it is meant for
# printers, and programs fill it in with what nobody has measured.
SPACING = 'Spacing_mm'
# Texts of labels: which image they are of, and what their pixels were as written.
SOURCE, PIXELS = 'Source_SHA256', 'Pixels_SHA256'


def write_whole(path: Union[str, Path], content: Union[bytes, str]) -> None:
    """Writes a file, and its folder where there is none.

    Args:
        path (str | Path): file; an earlier one stays until this one is complete.
        content (bytes | str): of the file; text becomes UTF-8.

    Raises:
        OSError: it cannot be written, as on a full disk; it names the file.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    # Each process has its own: the last one to end wins, and none breaks the other.
    partial = f'{path}.{os.getpid()}{PARTIAL}'
    try:
        with open(partial, 'wb') as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as error:  # no debris
        with contextlib.suppress(OSError):
            os.remove(partial)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def write_json(path: Union[str, Path], content: object) -> None:
    """Writes what JSON can hold; see :func:`write_whole`."""
    write_whole(path, json.dumps(content, indent=1) + '\n')


def write_csv(path: Union[str, Path], rows: Iterable[Sequence]) -> None:
    """Writes rows of cells; see :func:`write_whole`."""
    text = io.StringIO(newline='')
    csv.writer(text).writerows(rows)
    write_whole(path, text.getvalue())


def write_figure(path: Union[str, Path], figure: 'Figure', dpi: float = 110) -> None:
    """Writes a figure of matplotlib: the same figure gives the same bytes.

    Args:
        path (str | Path): see :func:`write_whole`; .png, or .pdf or .svg, which carry
            no date.
        figure (Figure): what is drawn.
        dpi (float): of pixels. Default: 110.
    """
    from matplotlib import rc_context  # as above

    kind = Path(path).suffix[1:]
    undated = dict(pdf={'CreationDate': None}, svg={'Date': None})
    content = io.BytesIO()
    # Type 42: fonts as publishers ask for them. The salt: of the names in an SVG.
    with rc_context({'pdf.fonttype': 42, 'svg.hashsalt': 'seam_seg'}):
        figure.savefig(
            content, format=kind, dpi=dpi, bbox_inches='tight', metadata=undated.get(kind)
        )
    write_whole(path, content.getvalue())


def write_picture(
    path: Union[str, Path],
    pixels: np.ndarray,
    spacing: Optional[Tuple[float, float]] = None,
) -> None:
    """Writes grey levels, labels or, in OpenCV's order, colours.

    Args:
        path (str | Path): see :func:`write_whole`; .png, or .jpg for what is only looked
            at.
        pixels (np.ndarray): (H, W) or (H, W, 3) of uint8 or uint16.
        spacing (tuple[float, float], optional): height and width of a pixel in mm, of a
            .png. Default: None, unknown.
    """
    suffix = Path(path).suffix
    quality = [cv2.IMWRITE_JPEG_QUALITY, 80] if suffix == '.jpg' else []
    content = cv2.imencode(suffix, pixels, quality)[1].tobytes()
    write_whole(path, _with_text(content, SPACING, _spacing_text(pixels, spacing)))


def _spacing_text(pixels: np.ndarray, spacing: Optional[Tuple[float, float]]) -> str:
    if spacing is None:
        return ''
    row, column = map(float, spacing)
    height, width = pixels.shape[:2]
    return f'{row!r} {column!r} {height} {width}'


def _with_text(png: bytes, key: str, text: str) -> bytes:
    """The content of a PNG with a text, unless that is empty."""
    if not text:
        return png
    chunk = f'tEXt{key}\0{text}'.encode('latin-1')
    after = 33  # bytes: the signature of PNG, and its header, which comes first
    length, check = (struct.pack('>I', n) for n in (len(chunk) - 4, zlib.crc32(chunk)))
    return png[:after] + length + chunk + check + png[after:]


def write_labels(
    path: Union[str, Path],
    labels: np.ndarray,
    palette: Sequence[Sequence[int]],
    spacing: Optional[Tuple[float, float]] = None,
    source: str = '',
) -> None:
    """Writes labels as numbers of a palette, which viewers show in its colours.

    Args:
        path (str | Path): a .png; see :func:`write_whole`.
        labels (np.ndarray): (H, W) uint8.
        palette (Sequence[Sequence[int]]): RGB colour of labels 0, 1, 2...; others are
            black.
        spacing (tuple[float, float], optional): see :func:`write_picture`.
        source (str): SHA-256 of the image that they are of. Default: '', unknown.
    """
    # All entries: of fewer, Pillow would write as many bits for each label as they need.
    entries = np.zeros((256, 3), np.uint8)
    entries[: len(palette)] = palette
    picture = Image.fromarray(labels)
    picture.putpalette(entries.ravel().tolist())
    content = io.BytesIO()
    picture.save(content, 'PNG')
    png = content.getvalue()
    texts = {
        SPACING: _spacing_text(labels, spacing),
        SOURCE: source,
        PIXELS: _pixel_digest(labels),
    }
    for key, text in texts.items():
        png = _with_text(png, key, text)
    write_whole(path, png)


def read_source(path: Union[str, Path]) -> str:
    """Which image the labels are of that :func:`write_labels` wrote.

    Args:
        path (str | Path): file.

    Returns:
        str: what it was given as ``source``; '' where the file does not say.
    """
    try:
        with Image.open(path) as picture:
            if SOURCE not in picture.info:
                picture.load()  # some programs write texts behind the pixels
            return picture.info.get(SOURCE, '')
    except Exception:  # Pillow raises many kinds
        return ''


def is_as_written(path: Union[str, Path]) -> bool:
    """Whether a file has the labels that :func:`write_labels` gave it.

    Args:
        path (str | Path): file.

    Returns:
        bool: False where they were changed since, or the file is none of its. Colours of
        the palette do not count.
    """
    try:
        with Image.open(path) as picture:
            labels = np.asarray(picture)  # before its texts, see above
            return picture.info.get(PIXELS) == _pixel_digest(labels)
    except Exception:
        return False


def _pixel_digest(labels: np.ndarray) -> str:
    shape = ' '.join(map(str, (labels.dtype, *labels.shape)))
    return hashlib.sha256(shape.encode() + labels.tobytes()).hexdigest()
