"""Files of annotation tools: LabelMe, one for each image, and COCO, one for many.

What is written can be read again; what tools and people make of it may be anything, and
what cannot be used is said in words. A polygon is a bone. Of several pieces, LabelMe has
a polygon each, of one label and ``group_id``, and COCO one annotation with all of them.
"""

import json
from pathlib import Path, PurePosixPath
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple, Union

import numpy as np
from scipy import ndimage

from ..errors import InputError
from .listing import split_name
from .polygons import area_of, outline
from .readers import LARGEST_SIDE

LABELME_VERSION = '5.4.0'  # that of the format, which LabelMe compares with its own
# Of an image in either format: false until a person has seen it.
CHECKED = 'checked'
DOUBTFUL = 'doubtful'  # flag of a shape


class DrawnBone(NamedTuple):
    """A bone as people draw it.

    Attributes:
        label (str): the name that its class has in the file.
        pieces (list[np.ndarray]): polygons, each (N, 2) float, of
            :func:`.polygons.outline`.
        notes (dict[str, Any]): what else is known of it: numbers and words by their
            names, such as ``doubt``.
        where (str): its place in the file, for messages.
    """

    label: str
    pieces: List[np.ndarray]
    notes: Dict[str, Any] = {}
    where: str = ''


class Drawing(NamedTuple):
    """The bones of an image.

    Attributes:
        shape (tuple[int, int]): (H, W) of the image.
        bones (list[DrawnBone]): the later ones are drawn over the earlier ones.
        checked (bool): false where the file says that nobody has looked at it yet.
        format (str): of the file: ``'LabelMe'`` or ``'COCO'``.
    """

    shape: Tuple[int, int]
    bones: List[DrawnBone]
    checked: bool = True
    format: str = ''

    @property
    def is_label(self) -> bool:
        """Whether a person has drawn or checked at least one bone."""
        return self.checked and bool(self.bones)


def trace_bones(
    instances: np.ndarray, bones: Sequence[Tuple[str, Dict[str, Any]]]
) -> Drawing:
    """The bones of a prediction as polygons, which nobody has checked.

    Args:
        instances (np.ndarray): (H, W) int, a number for each bone, 0 outside.
        bones (Sequence[tuple[str, dict]]): name of the class and notes of each bone, in
            the order of the drawing; the note ``id`` is its number.

    Returns:
        Drawing: of the image.
    """
    places = ndimage.find_objects(instances)
    drawn = []
    for label, notes in bones:
        rows, columns = places[notes['id'] - 1]
        inside = instances[rows, columns] == notes['id']
        corner = columns.start, rows.start
        pieces = [piece + corner for piece in outline(inside)]
        drawn.append(DrawnBone(label, pieces, notes))
    height, width = instances.shape
    return Drawing((height, width), drawn, checked=False)


def labelme_content(drawing: Drawing, picture: str) -> Dict[str, Any]:
    """What a file of LabelMe holds.

    Args:
        drawing (Drawing): of an image. Of the notes, ``id``, ``side``, ``level``,
            ``doubt``, ``confidence`` and ``flags`` become the description that LabelMe
            shows, and ``doubtful`` a flag.
        picture (str): path of the image from the file.

    Returns:
        dict: for JSON.
    """
    shapes = []
    for bone in drawing.bones:
        number = bone.notes.get('id') if len(bone.pieces) > 1 else None
        doubtful = bool(bone.notes.get(DOUBTFUL))
        shapes += [
            dict(
                label=bone.label,
                points=piece.tolist(),
                group_id=number,
                shape_type='polygon',
                flags={DOUBTFUL: True} if doubtful else {},
                description=_described(bone.notes),
            )
            for piece in bone.pieces
        ]
    height, width = drawing.shape
    return dict(
        version=LABELME_VERSION,
        flags={CHECKED: drawing.checked},
        shapes=shapes,
        imagePath=picture,
        imageData=None,
        imageHeight=height,
        imageWidth=width,
    )


def _described(notes: Mapping[str, Any]) -> str:
    """``'bone 12, left, level 3, doubt 0.31, confidence 0.82'``."""
    names = dict(id='bone ', side='', level='level ', doubt='doubt ')
    names.update(confidence='confidence ', flags='')
    parts = [
        f'{before}{notes[name]:.2f}'
        if isinstance(notes[name], float)
        else f'{before}{notes[name]}'
        for name, before in names.items()
        if notes.get(name) not in (None, '')
    ]
    return ', '.join(parts)


def coco_content(drawings: Mapping[str, Drawing], labels: Sequence[str]) -> Dict:
    """What a file of COCO holds.

    Args:
        drawings (Mapping[str, Drawing]): by the paths of the images from their folder.
        labels (Sequence[str]): of the categories, in their order.

    Returns:
        dict: for JSON. The notes of bones are ``attributes`` of the annotations.
    """
    images: List[Dict] = []
    annotations: List[Dict] = []
    for picture, drawing in drawings.items():
        height, width = drawing.shape
        image = dict(id=len(images) + 1, file_name=picture, height=height, width=width)
        images.append({**image, CHECKED: drawing.checked})
        for bone in drawing.bones:
            corners = np.concatenate(bone.pieces)
            low, size = corners.min(axis=0), np.ptp(corners, axis=0)
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=image['id'],
                    category_id=labels.index(bone.label) + 1,
                    segmentation=[piece.ravel().tolist() for piece in bone.pieces],
                    area=area_of(bone.pieces),
                    bbox=[*low.tolist(), *size.tolist()],
                    iscrowd=0,
                    attributes=bone.notes,
                )
            )
    categories = [dict(id=n, name=label) for n, label in enumerate(labels, 1)]
    return dict(
        info=dict(description='Bones of the spine, predicted by seam_seg'),
        licenses=[],
        images=images,
        annotations=annotations,
        categories=categories,
    )


def read_labelme(path: Path) -> Drawing:
    """Reads a file of LabelMe.

    Args:
        path (Path): JSON.

    Returns:
        Drawing: of its image.

    Raises:
        InputError: no such file, or not such a one; a shape that is no polygon.
    """
    content = _read_json(path)
    if 'annotations' in content and 'images' in content:
        raise InputError(
            f'{path}: a file of COCO, which is of many images. Name it, not its folder.'
        )
    shapes = content.get('shapes')
    if not isinstance(shapes, list):
        raise InputError(
            f'{path}: no file of LabelMe (it has no list of shapes). Name the files that '
            'are masks by --mask-suffix, or remove it.'
        )
    bones: Dict[Any, DrawnBone] = {}
    for number, shape in enumerate(shapes, 1):
        where = f'shape {number}'
        if not isinstance(shape, dict) or not isinstance(shape.get('label'), str):
            raise InputError(f'{path}: {where} has no label. Give it one, or delete it.')
        label = shape['label']
        kind = shape.get('shape_type', 'polygon')
        if kind != 'polygon':
            raise InputError(
                f'{path}: {where} ({label}) is a {kind}, but only polygons are read. '
                'Draw it as a polygon, or delete it.'
            )
        piece = _points(shape.get('points'), path, f'{where} ({label})')
        group = shape.get('group_id')
        key = number if group is None else (label, str(group))
        if key in bones:
            bones[key].pieces.append(piece)
        else:
            bones[key] = DrawnBone(label, [piece], where=where)
    size = content.get('imageHeight'), content.get('imageWidth')
    flags = content.get('flags')
    checked = not isinstance(flags, dict) or flags.get(CHECKED) is not False
    return Drawing(_size(size, path, ''), list(bones.values()), checked, 'LabelMe')


def read_coco(path: Path) -> Dict[str, Drawing]:
    """Reads a file of COCO.

    Args:
        path (Path): JSON.

    Returns:
        dict[str, Drawing]: by the names of the images in it, without their endings,
        after their folders.

    Raises:
        InputError: no such file, or not such a one; an annotation without an outline.
    """
    content = _read_json(path)
    if 'shapes' in content:
        raise InputError(
            f'{path}: a file of LabelMe, which is of one image. Name its folder instead.'
        )
    lists = [content.get(key) for key in ('images', 'annotations', 'categories')]
    if not all(
        isinstance(one, list) and all(isinstance(entry, dict) for entry in one)
        for one in lists
    ):
        raise InputError(
            f'{path}: no file of COCO (it lacks a list of images, annotations or '
            'categories). Export it again as "COCO 1.0", instances.'
        )
    images, annotations, categories = lists
    assert images is not None and annotations is not None and categories is not None
    labels = {
        number: category.get('name')
        for number, category in _by_id(categories, path, 'categories').items()
    }
    drawings: Dict[str, Drawing] = {}
    names: Dict[Any, str] = {}
    for number, image in _by_id(images, path, 'images').items():
        file = image.get('file_name')
        if not isinstance(file, str) or not file:
            raise InputError(f'{path}: an image has no file_name. Export the file again.')
        place = PurePosixPath(file.replace('\\', '/'))
        name = place.with_name(split_name(place.name)[0]).as_posix()
        if name in drawings:
            raise InputError(
                f'{path}: has two images named {name}. Rename one of them, or export '
                'them into two files.'
            )
        size = _size((image.get('height'), image.get('width')), path, f' of {file}')
        checked = image.get(CHECKED) is not False
        drawings[name] = Drawing(size, [], checked, 'COCO')
        names[number] = name
    for annotation in annotations:
        where = f'annotation {annotation.get("id")}'
        owner = names.get(_id(annotation.get('image_id')))
        label = labels.get(_id(annotation.get('category_id')))
        if owner is None or not isinstance(label, str):
            what = 'an image' if owner is None else 'a category'
            raise InputError(
                f'{path}: {where} is of {what} that the file does not list. Export it '
                'again.'
            )
        where += f' of {owner}'
        pieces = _segmentation(
            annotation.get('segmentation'), drawings[owner].shape, path, where
        )
        drawings[owner].bones.append(DrawnBone(label, pieces, where=where))
    return drawings


def _id(value: Any) -> Union[float, str, None]:
    """An id of COCO, a number or a text; None for anything else."""
    return value if isinstance(value, (int, float, str)) else None


def _by_id(entries: Sequence[Dict], path: Path, kind: str) -> Dict[Any, Dict]:
    """The images or the categories of a file of COCO by their ids."""
    found = {_id(entry.get('id')): entry for entry in entries}
    if len(found) < len(entries):
        raise InputError(
            f'{path}: two {kind} have one id, so that whose the annotations are cannot '
            'be told. Export the file again; if it was put together from several, take '
            'these one by one.'
        )
    return found


def _read_json(path: Path) -> Dict[str, Any]:
    if not path.is_file():
        raise InputError(f'{path}: no such file.')
    try:
        content = json.loads(path.read_text(encoding='utf-8-sig'))
    except (ValueError, RecursionError):
        raise InputError(f'{path}: is no JSON, or damaged. Save it again.') from None
    if not isinstance(content, dict):
        raise InputError(
            f'{path}: no file of LabelMe or COCO. Name the files that are masks by '
            '--mask-suffix, or remove it.'
        )
    return content


def _size(size: Tuple[Any, Any], path: Path, of: str) -> Tuple[int, int]:
    """(H, W), which the file has to say: tools that write none have seen no image."""
    if not all(type(side) is int and 0 < side <= LARGEST_SIDE for side in size):
        raise InputError(
            f'{path}: does not say how high and wide the image{of} is. Open it with its '
            'image, and save it again.'
        )
    return size


def _points(points: Any, path: Path, where: str) -> np.ndarray:
    """(N, 2) float: the points of a polygon."""
    try:
        piece = np.asarray(points, dtype=float)
        piece = piece.reshape(-1, 2) if piece.ndim == 1 else piece
        good = piece.ndim == 2 and piece.shape[1] == 2 and len(piece) >= 3
        good = good and np.abs(piece).max() <= 10 * LARGEST_SIDE
    except (TypeError, ValueError):
        good = False
    if not good:
        raise InputError(
            f'{path}: {where} is no polygon of three points or more. Draw it again, or '
            'delete it.'
        )
    return piece


def _segmentation(
    stored: Any, shape: Tuple[int, int], path: Path, where: str
) -> List[np.ndarray]:
    """The pieces of an annotation: polygons, or the runs of a mask drawn by a brush."""
    if isinstance(stored, list) and stored:
        return [_points(piece, path, where) for piece in stored]
    counts = stored.get('counts') if isinstance(stored, dict) else None
    if isinstance(counts, str):
        raise InputError(
            f'{path}: {where} is a compressed mask (RLE). Export polygons, or '
            'uncompressed masks.'
        )
    height, width = shape
    try:
        runs = np.array(counts, dtype=np.int64)
        good = runs.ndim == 1 and runs.min() >= 0 and runs.sum() == height * width
        good = good and runs[1::2].any()  # of nothing inside there is no outline
    except (TypeError, ValueError, OverflowError):
        good = False
    if not good:
        raise InputError(
            f'{path}: {where} has no outline (segmentation). Draw it as a polygon, or '
            'delete it.'
        )
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return outline(inside.reshape(width, height).T)  # column by column
