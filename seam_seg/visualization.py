"""Pictures of masks: overlays, and the panels of tools/test.py and tools/predict.py."""

from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple, Union

import cv2
import numpy as np

from .atomic import write_picture

FONT = cv2.FONT_HERSHEY_SIMPLEX
HEADER = 48  # px above a panel, at its final size


class Number(NamedTuple):
    """A number to be written on a picture.

    Attributes:
        value (int): the number.
        x, y (float): its middle, in pixels of the image.
        marked (bool): yellow, and not white.
    """

    value: int
    x: float
    y: float
    marked: bool


def overlay(
    image: np.ndarray,
    mask: np.ndarray,
    palette: Sequence[Sequence[int]],
    alpha: float = 0.3,
) -> np.ndarray:
    """Paints the foreground classes over a grey image, with their outlines.

    Args:
        image (np.ndarray): (H, W) uint8.
        mask (np.ndarray): (H, W) labels; 0 and labels beyond the palette stay grey.
        palette (Sequence[Sequence[int]]): RGB colour of each class.
        alpha (float): opacity of the paint; the outline is opaque. Default: 0.3.

    Returns:
        np.ndarray: (H, W, 3) uint8, RGB.
    """
    canvas = np.repeat(image[..., None], 3, axis=2)
    width = max(2, round(max(image.shape) / 800))
    for label, colour in list(enumerate(palette))[1:]:
        region = mask == label
        if not region.any():
            continue
        canvas[region] = (
            (1 - alpha) * canvas[region] + alpha * np.asarray(colour)
        ).astype(np.uint8)
        contours, _ = cv2.findContours(
            region.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(canvas, contours, -1, tuple(map(int, colour)), width)
    return canvas


def panel(
    image: np.ndarray,
    masks: Sequence[Tuple[str, np.ndarray]],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    note: Optional[str] = None,
    max_height: int = 1200,
    numbers: Sequence[Number] = (),
) -> np.ndarray:
    """Puts the image and its overlays side by side, with titles and a legend.

    Args:
        image (np.ndarray): (H, W) uint8.
        masks (Sequence[tuple[str, np.ndarray]]): title and (H, W) labels of each.
        classes (Sequence[str]): names; the first is the background.
        palette (Sequence[Sequence[int]]): RGB colour of each class.
        note (str, optional): a line beside the legend. Default: None.
        max_height (int): the pictures are shrunk to this many pixels. Default: 1200.
        numbers (Sequence[Number]): written over the last picture. Default: none.

    Returns:
        np.ndarray: (h, w, 3) uint8, RGB.
    """
    scale = min(1.0, max_height / image.shape[0])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    views: List[Tuple[str, np.ndarray]] = [('image', np.repeat(image[..., None], 3, 2))]
    views += [(title, overlay(image, mask, palette)) for title, mask in masks]
    columns = []
    for title, view in views:
        column = cv2.copyMakeBorder(
            cv2.resize(view, size, interpolation=cv2.INTER_AREA),
            HEADER,
            HEADER,
            4,
            4,
            cv2.BORDER_CONSTANT,
            value=(32, 32, 32),
        )
        room = column.shape[1] - 14  # a long title is written smaller
        size_of = min(0.8, 0.8 * room / cv2.getTextSize(title, FONT, 0.8, 2)[0][0])
        cv2.putText(
            column, title, (10, 32), FONT, size_of, (255, 255, 255), 2, cv2.LINE_AA
        )
        columns.append(column)
    for number in numbers:
        _write_number(columns[-1], number, scale)
    canvas = np.ascontiguousarray(np.hstack(columns))
    left, baseline = 10, canvas.shape[0] - 16
    for name, colour in list(zip(classes, palette))[1:]:
        cv2.rectangle(
            canvas,
            (left, baseline - 18),
            (left + 18, baseline),
            tuple(map(int, colour)),
            cv2.FILLED,
        )
        left += 26
        cv2.putText(
            canvas, name, (left, baseline), FONT, 0.6, (255, 255, 255), 1, cv2.LINE_AA
        )
        left += cv2.getTextSize(name, FONT, 0.6, 1)[0][0] + 16
    if note:
        cv2.putText(
            canvas,
            note,
            (left + 16, baseline),
            FONT,
            0.6,
            (255, 255, 255),
            1,
            cv2.LINE_AA,
        )
    return canvas


def _write_number(column: np.ndarray, number: Number, scale: float) -> None:
    """Writes a number on a picture that was shrunk and has a margin around it."""
    text = str(number.value)
    (width, height), _ = cv2.getTextSize(text, FONT, 0.5, 1)
    x = round((number.x + 0.5) * scale - width / 2) + 4
    y = round((number.y + 0.5) * scale + height / 2) + HEADER
    colour = (255, 221, 51) if number.marked else (255, 255, 255)
    for paint, thick in (((0, 0, 0), 3), (colour, 1)):
        cv2.putText(column, text, (x, y), FONT, 0.5, paint, thick, cv2.LINE_AA)


def write_rgb(path: Union[str, Path], picture: np.ndarray) -> None:
    """Writes an RGB picture; see :func:`seam_seg.atomic.write_picture`."""
    write_picture(path, picture[..., ::-1])
