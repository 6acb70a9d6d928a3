"""Prediction of files: finds the images, writes labels and overlays."""
from collections import Counter
from pathlib import Path
from typing import Iterator, List, Optional, Sequence

import cv2
from torch import nn

from ..datasets.io import read_image
from ..errors import InputError
from ..visualization import panel, write_rgb
from .inference import predict_mask

SUFFIXES = ('.png', '.tif', '.tiff', '.bmp', '.jpg', '.jpeg')


def find_images(arguments: Sequence[str]) -> List[Path]:
    """Lists the images that the command line names.

    Args:
        arguments (Sequence[str]): images, folders (their images are taken, sorted), or
            ``.txt`` files with one path a line, relative to the file.

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
                path for path in argument.iterdir() if path.suffix.lower() in SUFFIXES)
            if not found:
                raise InputError(f'{argument}: the folder holds no image '
                                 f'({", ".join(SUFFIXES)}).')
            images += found
        elif argument.suffix == '.txt':
            if not argument.is_file():
                raise InputError(f'{argument}: no such list.')
            lines = argument.read_text(encoding='utf-8-sig').splitlines()
            images += [argument.parent / line.strip() for line in lines if line.strip()]
        else:
            images.append(argument)
    if not images:
        raise InputError(f'{", ".join(arguments)}: no image is listed.')
    twice = [stem for stem, n in Counter(path.stem for path in images).items() if n > 1]
    if twice:
        raise InputError(f'two images are named {twice[0]}, and one result would '
                         'overwrite the other. Predict them into two folders.')
    return images


def predict_files(model: nn.Module, images: Sequence[Path],
                  out: Path) -> Iterator[Optional[str]]:
    """Segments images and writes ``out/NAME.png`` and ``out/overlay/NAME.png``.

    Args:
        model (nn.Module): from :func:`seam_seg.apis.init_model`.
        images (Sequence[Path]): from :func:`find_images`.
        out (Path): folder, made where it is missing.

    Yields:
        str | None: for each image, None, or what is wrong with its file; the others
        are still done.

    Raises:
        InputError: the results would overwrite the images.
    """
    for path in images:
        if (out / f'{path.stem}.png').resolve() == path.resolve():
            raise InputError(f'--out {out}: the label PNG would overwrite the image '
                             f'{path}. Choose another folder.')
    (out / 'overlay').mkdir(parents=True, exist_ok=True)
    meta = model.dataset_meta
    for path in images:
        try:
            mask = predict_mask(model, path)
            picture = panel(
                read_image(path), [('prediction', mask)], meta['classes'],
                meta['palette'])
        except InputError as error:
            yield str(error)
            continue
        cv2.imencode('.png', mask)[1].tofile(out / f'{path.stem}.png')
        write_rgb(out / 'overlay' / f'{path.stem}.png', picture)
        yield None
