"""Prediction of files: finds the images, and makes room for the results."""

from pathlib import Path
from typing import Collection, Dict, List, Mapping, Optional, Sequence, Tuple

from ..datasets.history import file_digest
from ..datasets.listing import LOOKED_FOR, check_name, list_images, split_name
from ..datasets.subjects import listed
from ..errors import InputError
from .prediction import KINDS, label_path, why_kept


def find_images(
    arguments: Sequence[str],
    kind: str = 'image',
    mask_suffix: Optional[str] = None,
    without: Sequence[str] = (),
) -> Dict[Path, str]:
    """Lists the images that the command line names, and names their results.

    Args:
        arguments (Sequence[str]): images; folders, of which the images in them and in the
            folders below are taken, sorted, but for results of a prediction where images
            are wanted; or ``.txt`` files with one path a line, relative to the file.
        kind (str): what they are, for the messages. Default: ``'image'``.
        mask_suffix (str, optional): files in folders whose names end so are masks that
            lie beside their images, and left out. Default: None, there are none.
        without (Sequence[str]): names of folders below those that are named, which are
            left out. Default: none.

    Returns:
        dict[Path, str]: at least one path, which need not exist if it was named; and its
        name without ending, after its folders below the one that was named (or below
        that of the list, if the list has a relative path).

    Raises:
        InputError: no image at all, or two of the same name, whose results would
            overwrite each other, or a name that is not UTF-8.
    """
    found: List[Tuple[Path, str]] = []
    for argument in map(Path, arguments):
        if argument.is_dir():
            inside = [
                path
                for path in list_images(argument)
                if not (mask_suffix and path.name.endswith(mask_suffix))
                and not (kind == 'image' and _among_results(path, argument))
                and not {*path.relative_to(argument).parts[:-1]}.intersection(without)
            ]
            if not inside:
                raise InputError(
                    f'{argument}: the folder holds no {kind} ({LOOKED_FOR}).'
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
        check_name(path, name)
        if name in named:
            raise InputError(
                f'two {kind}s are named {name} ({named[name]} and {path}), and one '
                'result would overwrite the other. '
                + (
                    'Rename one of them, or take it out of the folder.'
                    if path.parent == named[name].parent
                    else 'Name a folder that holds both, or write the results into two '
                    'folders.'
                )
            )
        images[path], named[name] = name, path
    return images


def _among_results(path: Path, folder: Path) -> bool:
    """Whether a file lies among results below a folder, of this or of an earlier call."""
    below = list(path.relative_to(folder).parents)[:-1]
    return any(all((folder / part / kind).is_dir() for kind in KINDS) for part in below)


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


def prepare_out(
    out: Path,
    images: Mapping[Path, str],
    kinds: Sequence[str] = KINDS,
    new: Optional[Collection[Path]] = None,
) -> None:
    """Makes the folders of the results.

    Args:
        out (Path): for the labels, with a folder for each other kind of result.
        images (Mapping[Path, str]): from :func:`find_images`.
        kinds (Sequence[str]): names of the other folders. Default: those that are always
            written.
        new (Collection[Path], optional): the images that are segmented; of the others
            there are results. Default: None, all.

    Raises:
        InputError: one of them holds an image, so that a result could overwrite one; or
            a folder of images is named as one of the results; or see
            :func:`.prediction.why_kept`.
    """
    targets = [out, *(out / kind for kind in kinds)]
    for path, name in images.items():
        kind, *below = name.split('/')
        if below and kind in kinds:
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
    refused: Dict[str, List[str]] = {}  # why -> names
    for path, name in images.items():
        labels = label_path(out, name)
        if not labels.exists():  # digests take time
            continue
        why = why_kept(labels, _digest(path), new is None or path in new)
        if why:
            refused.setdefault(why, []).append(name)
    if refused:
        said = []
        for why, (first, *others) in refused.items():
            said.append(f'{label_path(out, first)}: {why}')
            if others:
                said.append(f'So it is with {listed(others)}.')
        raise InputError(' '.join(said))
    for target in targets:
        target.mkdir(parents=True, exist_ok=True)


def _digest(path: Path) -> str:
    """SHA-256 of an image; '' where it cannot be read, as is said when its turn comes."""
    try:
        return file_digest(path) if path.is_file() else ''
    except OSError:
        return ''


def remove_page(path: Path, title: str) -> None:
    """Removes a page about several cases, of which one is made anew alone.

    It would contradict the page of that case.

    Args:
        path (Path): of the page; nothing happens where there is none.
        title (str): how the title of such a page begins; another is somebody's own.
    """
    if path.is_file() and f'<title>{title}' in path.read_text('utf-8', 'replace'):
        path.unlink()
