"""Prediction of files: finds the images, writes labels and overlays."""
from collections import Counter
from pathlib import Path
from typing import List, Optional, Sequence

import cv2
from torch import nn

from ..configs import project_root
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


def demo_checkpoint() -> Path:
    """The best checkpoint of ``make demo``.

    Returns:
        Path: an existing file in the clone.

    Raises:
        InputError: the demo was not run.
    """
    folder = project_root() / 'work_dirs' / 'demo'
    found = sorted(folder.glob('best_mDice_iter_*.pth'))
    if not found:
        raise InputError(f'{folder}: no checkpoint of the demo. Run make demo, or give '
                         '--config and --checkpoint of a model of yours.')
    return found[-1]


def prepare_out(out: Path, images: Sequence[Path]) -> None:
    """Makes the folders of the results.

    Args:
        out (Path): for the labels; ``out/overlay`` is for the overlays.
        images (Sequence[Path]): from :func:`find_images`.

    Raises:
        InputError: one of them holds an image, so that a result could overwrite one.
    """
    targets = {out.resolve(), (out / 'overlay').resolve()}
    for path in images:
        if path.resolve().parent in targets:
            raise InputError(f'--out {out}: holds the image {path}, and results could '
                             'overwrite images. Choose another folder.')
    (out / 'overlay').mkdir(parents=True, exist_ok=True)


def predict_file(model: nn.Module, path: Path, out: Path) -> Optional[str]:
    """Segments an image and writes ``out/NAME.png`` and ``out/overlay/NAME.png``.

    Args:
        model (nn.Module): from :func:`seam_seg.apis.init_model`.
        path (Path): the image.
        out (Path): from :func:`prepare_out`.

    Returns:
        str | None: what is wrong with the file; then nothing is written for it.
    """
    try:
        mask = predict_mask(model, path)
        image = read_image(path, model.pipeline[0].window)
    except InputError as error:
        return str(error)
    meta = model.dataset_meta
    cv2.imencode('.png', mask)[1].tofile(out / f'{path.stem}.png')
    write_rgb(
        out / 'overlay' / f'{path.stem}.png',
        panel(image, [('prediction', mask)], meta['classes'], meta['palette']))
    return None
