"""Prediction of files: finds the images, writes labels and overlays."""

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from torch import nn

from ..atomic import write_csv, write_labels, write_picture
from ..datasets.readers import IMAGE_SUFFIXES, list_images, read_spacing, split_name
from ..errors import InputError
from ..evaluation.bones import bone_table, list_bones
from ..visualization import panel, write_rgb
from .inference import predict

# Beside the labels, a folder for each.
KINDS = ('overlay', 'confidence', 'bones', 'instances')


def find_images(
    arguments: Sequence[str],
    kind: str = 'image',
    mask_suffix: Optional[str] = None,
    out: Optional[Path] = None,
    without: Sequence[str] = (),
) -> Dict[Path, str]:
    """Lists the images that the command line names, and names their results.

    Args:
        arguments (Sequence[str]): images; folders, of which the images in them and in the
            folders below are taken, sorted; or ``.txt`` files with one path a line,
            relative to the file.
        kind (str): what they are, for the messages. Default: ``'image'``.
        mask_suffix (str, optional): files in folders whose names end so are masks that
            lie beside their images, and left out. Default: None, there are none.
        out (Path, optional): of the results; left out where it lies in a folder that is
            named. Default: None.
        without (Sequence[str]): names of folders below those that are named, which are
            left out. Default: none.

    Returns:
        dict[Path, str]: at least one path, which need not exist if it was named; and its
        name without ending, after its folders below the one that was named (or below
        that of the list, if the list has a relative path).

    Raises:
        InputError: no image at all, or two of the same name, whose results would
            overwrite each other.
    """
    found: List[Tuple[Path, str]] = []
    for argument in map(Path, arguments):
        if argument.is_dir():
            inside = [
                path
                for path in list_images(argument)
                if not (mask_suffix and path.name.endswith(mask_suffix))
                and not _within(path, out, argument)
                and not {*path.relative_to(argument).parts[:-1]}.intersection(without)
            ]
            if not inside:
                raise InputError(
                    f'{argument}: the folder holds no {kind} '
                    f'({", ".join(IMAGE_SUFFIXES)}).'
                )
            found += [(path, _name(path.relative_to(argument))) for path in inside]
        elif argument.suffix == '.txt':
            found += [
                (argument.parent / line, _name(line)) for line in _read_list(argument)
            ]
        else:
            found.append((argument, _name(Path(argument.name))))
    if not found:
        raise InputError(f'{", ".join(arguments)}: no {kind} is listed.')
    images: Dict[Path, str] = {}
    named: Dict[str, Path] = {}
    for path, name in found:
        if path in images:
            continue
        if name in named:
            raise InputError(
                f'two {kind}s are named {name} ({named[name]} and {path}), and one '
                'result would overwrite the other. Name a folder that holds both, or '
                'write the results into two folders.'
            )
        images[path], named[name] = name, path
    return images


def _within(path: Path, out: Optional[Path], folder: Path) -> bool:
    """Whether a file lies among results that lie in a folder of images."""
    if out is None or folder.resolve() not in out.resolve().parents:
        return False
    return out.resolve() in path.resolve().parents


def _name(path: Path) -> str:
    """The name of a result; of a path that leads elsewhere, without its folders."""
    stem, _ = split_name(path)
    if path.is_absolute() or '..' in path.parts:
        return stem
    return path.with_name(stem).as_posix()


def _read_list(path: Path) -> List[Path]:
    """The lines of a list that are not blank."""
    if not path.is_file():
        raise InputError(f'{path}: no such list.')
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError:
        raise InputError(f'{path}: the list is not UTF-8 text.') from None
    return [Path(line.strip()) for line in lines if line.strip()]


def prepare_out(out: Path, images: Mapping[Path, str]) -> None:
    """Makes the folders of the results.

    Args:
        out (Path): for the labels, with a folder for each other kind of result.
        images (Mapping[Path, str]): from :func:`find_images`.

    Raises:
        InputError: one of them holds an image, so that a result could overwrite one; or
            a folder of images is named as one of the results.
    """
    targets = [out, *(out / kind for kind in KINDS)]
    for path, name in images.items():
        kind, *below = name.split('/')
        if below and kind in KINDS:
            raise InputError(
                f'{path}: lies in a folder named {kind}, as one of the results is. '
                'Rename it, or name that folder itself.'
            )
    folders = {(target / name).parent for name in images.values() for target in targets}
    taken = {folder.resolve() for folder in (*targets, *folders)}
    for path in images:
        if path.resolve().parent in taken:
            raise InputError(
                f'--out {out}: holds the image {path}, and results could '
                'overwrite images. Choose another folder.'
            )
    for target in targets:
        target.mkdir(parents=True, exist_ok=True)


def label_path(out: Path, name: str) -> Path:
    """Where the labels of an image are written, and last: then it is finished."""
    return out / f'{name}.png'


def predict_file(
    model: nn.Module, path: Path, out: Path, name: Optional[str] = None
) -> Optional[str]:
    """Segments an image and writes what an expert needs to correct the result.

    ``out/NAME.png``: labels, in the colours of the model's palette;
    ``overlay/NAME.png``: image and outlines;
    ``confidence/NAME.png``: the largest class probability times 255;
    ``bones/NAME.csv``: a row for each bone, the most doubtful first, with columns in mm
    where the image says how large its pixels are;
    ``instances/NAME.png``: the number of each bone in that table, 16 bits.

    Args:
        model (nn.Module): from :func:`seam_seg.apis.init_model`.
        path (Path): the image.
        out (Path): from :func:`prepare_out`.
        name (str, optional): of the results, from :func:`find_images`. Default: the name
            of the file without its ending.

    Returns:
        str | None: what is wrong with the file; then nothing is written for it.
    """
    try:
        mask, confidence, image, instances = predict(model, path)
        spacing = read_spacing(path)
    except InputError as error:
        return str(error)
    meta: Any = model.dataset_meta
    bones, _ = list_bones(mask, confidence, image, meta['classes'], instances)
    name = split_name(path)[0] if name is None else name
    write_csv(out / 'bones' / f'{name}.csv', bone_table(bones, spacing))
    picture = f'{name}.png'
    write_picture(
        out / 'confidence' / picture, np.rint(255 * confidence).astype(np.uint8)
    )
    write_rgb(
        out / 'overlay' / picture,
        panel(image, [('prediction', mask)], meta['classes'], meta['palette']),
    )
    write_picture(out / 'instances' / picture, instances.astype(np.uint16))
    write_labels(label_path(out, name), mask, meta['palette'], spacing)
    return None
