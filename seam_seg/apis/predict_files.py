"""Prediction of files: finds the images, writes labels and overlays."""

from collections import Counter
from pathlib import Path
from typing import Any, List, Optional, Sequence

import numpy as np
from torch import nn

from ..atomic import write_csv, write_picture
from ..datasets.readers import IMAGE_SUFFIXES
from ..errors import InputError
from ..evaluation.bones import Bone, list_bones
from ..visualization import panel, write_rgb
from .inference import predict

# Beside the labels, a folder for each.
KINDS = ('overlay', 'confidence', 'bones', 'instances')


def find_images(arguments: Sequence[str], kind: str = 'image') -> List[Path]:
    """Lists the images that the command line names.

    Args:
        arguments (Sequence[str]): images, folders (their images are taken, sorted), or
            ``.txt`` files with one path a line, relative to the file.
        kind (str): what they are, for the messages. Default: ``'image'``.

    Returns:
        list[Path]: at least one path; a named image need not exist.

    Raises:
        InputError: no image at all, or two of the same name, whose results would
            overwrite each other.
    """
    images: List[Path] = []
    for argument in map(Path, arguments):
        if argument.is_dir():
            found = sorted(
                path
                for path in argument.iterdir()
                if path.suffix.lower() in IMAGE_SUFFIXES
            )
            if not found:
                raise InputError(
                    f'{argument}: the folder holds no {kind} '
                    f'({", ".join(IMAGE_SUFFIXES)}).'
                )
            images += found
        elif argument.suffix == '.txt':
            if not argument.is_file():
                raise InputError(f'{argument}: no such list.')
            try:
                lines = argument.read_text(encoding='utf-8-sig').splitlines()
            except UnicodeDecodeError:
                raise InputError(f'{argument}: the list is not UTF-8 text.') from None
            images += [argument.parent / line.strip() for line in lines if line.strip()]
        else:
            images.append(argument)
    if not images:
        raise InputError(f'{", ".join(arguments)}: no {kind} is listed.')
    twice = [stem for stem, n in Counter(path.stem for path in images).items() if n > 1]
    if twice:
        raise InputError(
            f'two {kind}s are named {twice[0]}, and one result would '
            'overwrite the other. Write the results into two folders.'
        )
    return images


def prepare_out(out: Path, images: Sequence[Path]) -> None:
    """Makes the folders of the results.

    Args:
        out (Path): for the labels, with a folder for each other kind of result.
        images (Sequence[Path]): from :func:`find_images`.

    Raises:
        InputError: one of them holds an image, so that a result could overwrite one.
    """
    targets = [out, *(out / kind for kind in KINDS)]
    for path in images:
        if path.resolve().parent in [target.resolve() for target in targets]:
            raise InputError(
                f'--out {out}: holds the image {path}, and results could '
                'overwrite images. Choose another folder.'
            )
    for target in targets:
        target.mkdir(parents=True, exist_ok=True)


def predict_file(model: nn.Module, path: Path, out: Path) -> Optional[str]:
    """Segments an image and writes what an expert needs to correct the result.

    ``out/NAME.png``: labels; ``overlay/NAME.png``: image and outlines;
    ``confidence/NAME.png``: the largest class probability times 255;
    ``bones/NAME.csv``: a row for each bone, the most doubtful first;
    ``instances/NAME.png``: the number of each bone in that table, 16 bits.

    Args:
        model (nn.Module): from :func:`seam_seg.apis.init_model`.
        path (Path): the image.
        out (Path): from :func:`prepare_out`.

    Returns:
        str | None: what is wrong with the file; then nothing is written for it.
    """
    try:
        mask, confidence, image, instances = predict(model, path)
    except InputError as error:
        return str(error)
    meta: Any = model.dataset_meta
    bones, _ = list_bones(mask, confidence, image, meta['classes'], instances)
    write_csv(
        out / 'bones' / f'{path.stem}.csv',
        [
            Bone._fields,
            *(
                [f'{value:.4f}' if isinstance(value, float) else value for value in bone]
                for bone in bones
            ),
        ],
    )
    name = f'{path.stem}.png'
    write_picture(out / 'confidence' / name, np.rint(255 * confidence).astype(np.uint8))
    write_rgb(
        out / 'overlay' / name,
        panel(image, [('prediction', mask)], meta['classes'], meta['palette']),
    )
    write_picture(out / 'instances' / name, instances.astype(np.uint16))
    write_picture(out / name, mask)  # last: where it is, the others are
    return None
