"""Gives the masks that people draw the labels of the data set.

A mask is drawn in colours, or holds class indices in its grey levels, in the numbers of a
palette or on a page for each class; or bones are polygons with a name.
"""

from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np

from ..errors import InputError
from .polygon_files import Drawing
from .polygons import fill, window_of
from .readers import (
    COLOUR_TOLERANCE,
    COLOURS,
    check_lossless,
    check_palette,
    check_shares,
    decode_mask,
    fills_area,
    merge_pages,
)
from .vpi import VPIDataset

Colour = Tuple[int, int, int]
ColourMap = Mapping[str, Sequence[Colour]]

CLASSES = VPIDataset.METAINFO['classes']
IGNORE_INDEX = 255
# Labels by name, where a pixel is as near to two colours: the first of them wins.
LABELS = {
    'ignore': IGNORE_INDEX,
    **{name: CLASSES.index(name) for name in reversed(CLASSES)},
}
# Share of the coloured pixels that may have an unknown colour away from any known one:
# what JPEG leaves around thin strokes.
STRAY_SHARE = 0.01


class Annotation(NamedTuple):
    """A mask with its meaning.

    Attributes:
        labels (np.ndarray): (H, W) uint8: 0 background, 1 rib, 2 thoracic, 3 lumbar, 255
            ignored.
        read_as (str): what the file was taken for, in words.
        instances (np.ndarray, optional): (H, W) uint16, a number for each bone, 0
            outside; of polygons, which are bone by bone.
    """

    labels: np.ndarray
    read_as: str
    instances: Optional[np.ndarray] = None


def parse_colour_map(items: Sequence[str]) -> Dict[str, List[Colour]]:
    """Reads the option ``--colour-map``.

    Args:
        items (Sequence[str]): such as ``'rib=255,255,0'``; red, green and blue. A name
            is a class or ``ignore``, and may come several times.

    Returns:
        dict[str, list[tuple[int, int, int]]]: the colours of each name.

    Raises:
        InputError: no such form or class, or a colour of two meanings, or no colour of
            the background or of any bone.
    """
    found: Dict[str, List[Colour]] = {}
    for item in items:
        name, _, text = item.partition('=')
        values = text.split(',')
        if (
            name not in LABELS
            or len(values) != 3
            or not all(v.isdecimal() and int(v) <= 255 for v in values)
        ):
            raise InputError(
                f'--colour-map {item}: must be NAME=R,G,B, of {", ".join(CLASSES)} or '
                'ignore, and of numbers from 0 to 255.'
            )
        red, green, blue = map(int, values)
        for other, colours in found.items():
            if (red, green, blue) in colours and other != name:
                raise InputError(
                    f'--colour-map {item}: this colour is {other} already. Leave one out.'
                )
        found.setdefault(name, []).append((red, green, blue))
    if 'background' not in found or not set(found) & set(CLASSES[1:]):
        raise InputError(
            f'--colour-map {" ".join(items)}: must name a colour of the background and '
            'of at least one bone.'
        )
    return found


def read_annotation(
    path: Path,
    mask_classes: Optional[Sequence[str]] = None,
    colour_map: Optional[ColourMap] = None,
) -> Annotation:
    """Reads a mask of class indices or colours.

    Args:
        path (Path): the mask.
        mask_classes (Sequence[str], optional): the meaning of labels 0, 1, 2... or of
            the pages; a class unknown to the data set becomes ignored. Then the mask
            must not be of colours. Default: None: those of the data set.
        colour_map (Mapping, optional): the colours of each class, and of ``'ignore'``.
            Then the mask must be of colours. Default: None:
            :data:`seam_seg.datasets.readers.COLOURS`.

    Returns:
        Annotation: labels, and what the file was taken for.

    Raises:
        InputError: an unknown label or colour.
    """
    names = _names_of_labels(mask_classes, colour_map)
    wanted = [CLASSES.index(n) if n in CLASSES else IGNORE_INDEX for n in names]
    stored = decode_mask(path, len(names))
    if len(stored.pages) > 1:
        if colour_map is not None:
            raise InputError(
                f'{path}: a mask of {len(stored.pages)} pages, but --colour-map says '
                'that masks are of colours. Leave the option out.'
            )
        merged = merge_pages(path, stored.pages, wanted, names.index('background'))
        pages = names if len(stored.pages) == len(names) else names[1:]
        return Annotation(merged, f'pages {" ".join(pages)}')
    if stored.numbers is not None and stored.palette is not None and colour_map is None:
        if mask_classes is None:
            check_palette(path, stored.numbers, stored.palette, names)
        labels = _indices_to_labels(stored.numbers, path, names, wanted)
        return Annotation(labels, f'numbers of a palette {" ".join(names)}')
    pixels, visible = _split_alpha(path, stored.pages[0])
    grey = pixels.ndim == 2 or bool((pixels == pixels[..., :1]).all())
    if colour_map is None and grey:
        check_lossless(path, stored)
        # Class indices that a program saved as RGB have three equal channels.
        indices = pixels[..., 0] if pixels.ndim == 3 else pixels
        labels = _indices_to_labels(indices, path, names, wanted)
        return Annotation(labels, f'labels {" ".join(names)}')
    if mask_classes is not None:
        raise InputError(
            f'{path}: an RGB mask, but --mask-classes says that masks '
            'hold class indices. Leave the option out.'
        )
    if pixels.dtype != np.uint8:
        raise InputError(
            f'{path}: an RGB mask of type {pixels.dtype}; 8 bits a '
            'channel are expected. Export it again.'
        )
    if colour_map is None:
        colour_map = {name: [colour] for name, colour in COLOURS.items()}
    rgb = np.dstack([pixels] * 3) if pixels.ndim == 2 else pixels[..., ::-1]
    rgb = np.where(
        visible[..., None], rgb, np.array(colour_map['background'][0], np.uint8)
    )
    # Class indices taken for colours would all be nearly black.
    labels = colours_to_labels(rgb, path, colour_map, 0 if grey else COLOUR_TOLERANCE)
    check_shares(path, labels, range(1, len(CLASSES)))
    return Annotation(labels, f'colours {_meanings(colour_map)}')


def annotation_of(
    drawing: Drawing, path: Path, mask_classes: Optional[Sequence[str]] = None
) -> Annotation:
    """Fills polygons, each of which is a bone.

    Two bones may share an edge, which becomes the later one's.

    Args:
        drawing (Drawing): of an image.
        path (Path): its file, for the messages.
        mask_classes (Sequence[str], optional): the names that a polygon may have besides
            ``'ignore'``; a class unknown to the data set becomes ignored. Default: None:
            those of the data set.

    Returns:
        Annotation: with the bones one by one.

    Raises:
        InputError: an unknown name, a bone of which no pixel is left, or an area in two
            bones.
    """
    names = [name for name in _names_of_labels(mask_classes, None) if name != CLASSES[0]]
    labels = np.zeros(drawing.shape, np.uint8)
    owners = np.zeros(drawing.shape, np.uint16)
    ignored = np.zeros(drawing.shape, bool)
    for number, bone in enumerate(drawing.bones, 1):
        if bone.label not in (*names, 'ignore'):
            raise InputError(
                f'{path}: {bone.where} is called {bone.label!r}, but the names are '
                f'{", ".join(names)} and ignore. Rename it; with --mask-classes, names '
                'that are no class of the data set are ignored.'
            )
        # In its surroundings alone, which takes a tenth of the time.
        window = window_of(bone.pieces, drawing.shape)
        corner = window[1].start, window[0].start
        inside = fill([piece - corner for piece in bone.pieces], owners[window].shape)
        if not inside.any():
            height, width = drawing.shape
            raise InputError(
                f'{path}: {bone.where} ({bone.label}) covers no pixel: it lies beyond '
                f'the picture of {width} x {height} (width x height), or between the '
                'centers of its pixels. Move its points (they are in pixels), or delete '
                'it.'
            )
        if bone.label not in CLASSES:
            ignored[window] |= inside
            continue
        places = np.argwhere(fills_area(inside & (owners[window] > 0)))
        if len(places):
            column, row = corner + places[0][::-1]
            other = drawing.bones[owners[row, column] - 1]
            raise InputError(
                f'{path}: {other.where} ({other.label}) and {bone.where} ({bone.label}) '
                f'cover the same area, as at x {column}, y {row}. A pixel is of one '
                'bone: move their points, or delete one; pieces of one bone are a group '
                '(group_id).'
            )
        labels[window][inside] = CLASSES.index(bone.label)
        owners[window][inside] = number
    left = set(np.unique(owners).tolist())
    for number, bone in enumerate(drawing.bones, 1):
        if bone.label in CLASSES and number not in left:
            raise InputError(
                f'{path}: {bone.where} ({bone.label}) lies under others that were drawn '
                'after it, and no pixel of it is left. Move the points, or delete one.'
            )
    labels[ignored], owners[ignored] = IGNORE_INDEX, 0
    check_shares(path, labels, range(1, len(CLASSES)))
    return Annotation(labels, f'{drawing.format} polygons', owners)


def _names_of_labels(
    mask_classes: Optional[Sequence[str]], colour_map: Optional[ColourMap]
) -> Tuple[str, ...]:
    """The names of the classes in a mask of class indices."""
    if mask_classes is not None and colour_map is not None:
        raise InputError(
            '--mask-classes and --colour-map: masks hold class indices or colours. '
            'Leave one out.'
        )
    names = tuple(mask_classes or CLASSES)
    if set(CLASSES) - set(names) or len(set(names)) < len(names):
        raise InputError(
            f'--mask-classes {" ".join(names)}: must name each of '
            f'{", ".join(CLASSES)} once, and others if need be.'
        )
    return names


def _split_alpha(path: Path, pixels: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Takes the alpha channel off.

    Returns:
        tuple[np.ndarray, np.ndarray]: the other channels, 0 where they are transparent;
        and (H, W) bool, true where they are not. An overlay may be translucent
        throughout.

    Raises:
        InputError: an area is neither as opaque as the rest nor transparent.
    """
    if pixels.ndim == 2 or pixels.shape[2] < 4:
        return pixels, np.ones(pixels.shape[:2], bool)
    alpha = pixels[..., 3]
    visible = alpha > alpha.max() / 2
    places = np.argwhere(fills_area((alpha > 0) & ~visible))
    if len(places):
        row, column = places[0]
        raise InputError(
            f'{path}: opacity {alpha[row, column]} at row {row}, column {column}, and '
            f'{alpha.max()} elsewhere: which of it is drawn cannot be told. Save the '
            'mask without an alpha channel.'
        )
    return np.where(visible[..., None], pixels[..., :3], 0).astype(pixels.dtype), visible


def _indices_to_labels(
    indices: np.ndarray, path: Path, names: Sequence[str], wanted: Sequence[int]
) -> np.ndarray:
    """(H, W) uint8 labels of class indices; ``wanted`` is the label of each."""
    found = np.unique(indices)
    unknown = np.setdiff1d(found, [*range(len(names)), IGNORE_INDEX])
    binary = IGNORE_INDEX in found and set(found) <= {0, IGNORE_INDEX}
    if unknown.size or binary:
        wrong = ', '.join(map(str, unknown[:5])) or IGNORE_INDEX
        raise InputError(
            f'{path}: the mask has label {wrong}, but its labels must be 0 to '
            f'{len(names) - 1} ({", ".join(names)}; 255 is ignored), or RGB colours. '
            'Correct the mask, or name its classes with --mask-classes, or its colours '
            'with --colour-map.'
        )
    table = np.full(256, IGNORE_INDEX, np.uint8)
    table[: len(wanted)] = wanted
    labels = table[indices.astype(np.uint8)]
    check_shares(path, labels, range(1, len(CLASSES)))
    return labels


def colours_to_labels(
    rgb: np.ndarray, path: Path, colour_map: ColourMap, tolerance: int = COLOUR_TOLERANCE
) -> np.ndarray:
    """Turns colours into labels.

    A pixel of an unknown colour lies on an edge, and becomes what is near it, within
    two pixels, and of the nearest colour.

    Args:
        rgb (np.ndarray): (H, W, 3) uint8.
        path (Path): for the message.
        colour_map (Mapping): the colours of each class, and of ``'ignore'``.
        tolerance (int): by which a channel may differ from a known colour; less where
            known colours are closer together. Default: :data:`COLOUR_TOLERANCE`.

    Returns:
        np.ndarray: (H, W) uint8, labels 0 to 3, and 255.

    Raises:
        InputError: an unknown colour fills an area, or is found away from edges.
    """
    known = [(LABELS[n], c) for n in LABELS for c in colour_map.get(n, ())]
    labels = np.array([label for label, _ in known], np.uint8)
    colours = np.array([colour for _, colour in known], np.int32)
    apart = np.abs(colours[:, None] - colours).max(axis=2)
    apart = apart[labels[:, None] != labels]
    tolerance = min(tolerance, (int(apart.min()) - 1) // 2)

    # Each colour once: a drawing has few, and a JPEG fewer than pixels.
    codes = rgb.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
    codes, indices, counts = np.unique(codes, return_inverse=True, return_counts=True)
    indices = indices.reshape(rgb.shape[:2])
    found = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1)
    difference = found[:, None] - colours
    distance = (difference**2).sum(axis=2)
    merged = labels[distance.argmin(axis=1)][indices]
    strange = (np.abs(difference).max(axis=2).min(axis=1) > tolerance)[indices]
    if not strange.any():
        return merged

    wrong = _away_from_edges(strange, merged)
    if wrong.any():
        code = np.bincount(indices[wrong]).argmax()
        row, column = np.argwhere(wrong & (indices == code))[0]
        alike = np.abs(found - found[code]).max(axis=1) <= tolerance
        share = 100 * counts[alike].sum() / indices.size
        raise InputError(
            f'{path}: the colour {_show(found[code].tolist())} on {share:.2g}% of the '
            f'mask, as at row {row}, column {column}, means nothing; the colours are '
            f'{_meanings(colour_map)}. Recolour it, or name its colours with '
            '--colour-map.'
        )
    near = np.stack(
        [_dilate((merged == label) & ~strange, 5)[strange] for label in labels], axis=1
    )
    candidates = np.where(near, distance[indices[strange]], np.inf)
    chosen = labels[candidates.argmin(axis=1)]
    merged[strange] = np.where(near.any(axis=1), chosen, merged[strange])
    return merged


def _away_from_edges(strange: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Where unknown colours are an area, or too many strokes without a bone beside."""
    areas = fills_area(strange)
    if areas.any():
        return areas
    bones = labels != 0
    strokes = strange & ~_dilate(bones & ~strange, 7)
    few = strokes.sum() <= STRAY_SHARE * (bones | strange).sum()
    return np.zeros_like(strokes) if few else strokes


def _dilate(mask: np.ndarray, side: int) -> np.ndarray:
    """(H, W) bool: where a square around the pixel has one of the mask."""
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)).astype(bool)


def _meanings(colour_map: ColourMap) -> str:
    """``'background (0, 0, 0), rib (255, 0, 0)...'``."""
    return ', '.join(
        f'{name} {" ".join(map(_show, colours))}' for name, colours in colour_map.items()
    )


def _show(colour: Sequence[int]) -> str:
    """``'(255, 0, 0)'``."""
    return f'({", ".join(map(str, colour))})'
