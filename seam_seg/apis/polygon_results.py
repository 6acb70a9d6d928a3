"""The bones of a result as polygons, and the files of LabelMe among the results."""

from pathlib import Path
from typing import Optional, Sequence, Tuple

import numpy as np

from ..atomic import write_json, write_picture
from ..datasets.polygon_files import Drawing, labelme_content, trace_bones
from ..errors import InputError
from ..evaluation.bones import DOUBTFUL, Bone

# The folder of the files of LabelMe, beside those of the other results.
POLYGONS = 'polygons'


def polygon_path(out: Path, name: str, suffix: str = '.json') -> Path:
    """Where the polygons of an image are written, for LabelMe; ``.png``: the image."""
    return out / POLYGONS / f'{name}{suffix}'


def check_uncorrected(path: Path) -> None:
    """Refuses to overwrite what may be a person's work.

    Raises:
        InputError: the file is there.
    """
    if path.exists():
        raise InputError(
            f'{path}: is there, and may hold corrections. Name another folder for the '
            'results, or remove it.'
        )


def trace(instances: np.ndarray, bones: Sequence[Bone]) -> Drawing:
    """The bones of a prediction as polygons, in the order of their table.

    Args:
        instances (np.ndarray): (H, W) int, the number of each bone.
        bones (Sequence[Bone]): their table.

    Returns:
        Drawing: with side, level, doubt and confidence of each bone.
    """
    notes = [
        dict(
            id=bone.id,
            side=bone.side,
            level=bone.level,
            doubt=round(bone.doubt, 4),
            confidence=round(bone.confidence, 4),
            doubtful=bone.doubt >= DOUBTFUL,
        )
        for bone in bones
    ]
    return trace_bones(instances, [(b.bone, n) for b, n in zip(bones, notes)])


def write_polygon_picture(
    out: Path, name: str, image: np.ndarray, spacing: Optional[Tuple[float, float]] = None
) -> None:
    """Writes an image where its polygons are, of any format: as 8 bits, for other tools.

    Args:
        out (Path): folder of the results.
        name (str): of the results.
        image (np.ndarray): (H, W) uint8.
        spacing (tuple[float, float], optional): see :func:`.atomic.write_picture`.
    """
    write_picture(polygon_path(out, name, '.png'), image, spacing)


def write_labelme(path: Path, drawing: Drawing) -> None:
    """Writes a file of LabelMe, whose image is beside it.

    Args:
        path (Path): from :func:`polygon_path`.
        drawing (Drawing): the bones.

    Raises:
        InputError: see :func:`check_uncorrected`.
    """
    check_uncorrected(path)
    picture = f'{path.name[: -len(path.suffix)]}.png'
    write_json(path, labelme_content(drawing, picture))
