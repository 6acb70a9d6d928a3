"""Turns folders of images and masks into the layout that the dataset reads.

Everything is checked before the first file is written, and the new files are moved to
their place only when all of them exist: a refusal leaves nothing behind. On which
side of the split a subject stands depends on its name, the shares and the seed only.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ..atomic import write_picture, write_whole
from ..errors import InputError
from .annotations import Annotation, ColourMap, read_annotation
from .history import CASES, SETTINGS, file_digest, image_read_as, write_history
from .readers import (
    IMAGE_SUFFIXES,
    decode_levels,
    list_images,
    read_image,
    read_spacing,
    split_name,
)
from .split import (
    Changes,
    check_redraw,
    compare,
    kept_sides,
    sides_before,
    split_subjects,
)
from .subjects import listed, subjects_of

# What the function owns in its output folder, split files last.
ENTRIES = (
    *('dataset', 'groundtruth', CASES, SETTINGS),
    *('test.txt', 'val.txt', 'train.txt'),
)
# In the name of a case, between a folder and what lies in it.
BETWEEN = '__'


@dataclass(frozen=True)
class Source:
    """A case as it is found: its files.

    Attributes:
        name (str): of its files without suffix and ending; after those of the folders
            that they lie in, with :data:`BETWEEN` in between.
        image (Path): its image.
        mask (Path): its mask.
    """

    name: str
    image: Path
    mask: Path


@dataclass(frozen=True)
class Prepared:
    """What :func:`prepare` wrote.

    Attributes:
        train (list[str]): the cases in train.txt.
        val (list[str]): those of them in val.txt; empty where none was written.
        test (list[str]): the cases in test.txt.
        subjects (dict[str, int]): number of subjects in each of the three.
        changes (Changes, optional): against the data set that was replaced.
    """

    train: List[str]
    val: List[str]
    test: List[str]
    subjects: Dict[str, int]
    changes: Optional[Changes] = None


def prepare(
    images: Path,
    masks: Path,
    out: Path,
    mask_suffix: Optional[str] = None,
    mask_classes: Optional[Sequence[str]] = None,
    colour_map: Optional[ColourMap] = None,
    window: Optional[Tuple[float, float]] = None,
    subject_pattern: Optional[str] = None,
    one_scan_per_subject: bool = False,
    test_fraction: float = 29 / 109,
    val_fraction: float = 0.2,
    seed: int = 0,
    overwrite: bool = False,
    keep_split: Optional[bool] = None,
    progress: Callable[[list], Iterable] = iter,
) -> Prepared:
    """Writes the layout of :class:`VPIDataset` from folders of images and masks.

    The split is drawn over subjects, so that no subject is on two sides of it, and by
    :func:`~seam_seg.datasets.subjects.draw`, so that it stays when others come or go.
    The same input and seed give the same output. ``prepared.csv`` and ``prepared.json``
    in ``out`` say where each case came from and how it was prepared.

    Args:
        images (Path): folder of grey images; those in folders below it are taken, too.
        masks (Path): folder of masks, each of class indices or colours, in the same
            folders below it as their images. It may be that of the images, or lie in it.
        out (Path): folder to write to.
        mask_suffix (str, optional): a mask is called like its image's stem with this
            behind it. Default: None: the same stem, and any suffix. To be given where
            images and masks are in one folder.
        mask_classes (Sequence[str], optional): the meaning of labels 0, 1, 2... in
            the masks; a class unknown to the data set becomes ignored (255). Default:
            None: background, rib, thoracic, lumbar.
        colour_map (Mapping, optional): the colours of each class in the masks, see
            :func:`seam_seg.datasets.annotations.read_annotation`.
        window (tuple[float, float], optional): see
            :func:`seam_seg.datasets.readers.to_uint8`.
        subject_pattern (str, optional): a regular expression that is searched in the
            stem, and whose first group is the subject. Default: None: each stem is a
            subject, unless stems look like several of one.
        one_scan_per_subject (bool): each stem is a subject, whatever it looks like.
            Default: False.
        test_fraction (float): share of the subjects in test.txt, in (0, 1), on average.
            Default: the paper's 29 of 109.
        val_fraction (float): share of the training subjects in val.txt, in [0, 1), on
            average; 0 writes no val.txt. Default: 0.2.
        seed (int): of the draws. Default: 0.
        overwrite (bool): replace the data set that ``out`` holds. Default: False.
        keep_split (bool, optional): whether subjects of the data set that ``out`` holds
            keep their side, and only others are drawn. Default: None: all are drawn, but
            if its split was not drawn like this and a subject would change between
            training and testing, that is an error.
        progress (Callable): wraps the list of cases, to show a progress bar.

    Returns:
        Prepared: the splits.

    Raises:
        InputError: anything is wrong; then nothing has been written.
    """
    images, masks, out = Path(images), Path(masks), Path(out)
    settings = dict(
        mask_suffix=mask_suffix,
        mask_classes=mask_classes,
        colour_map=colour_map,
        window=window,
        subject_pattern=subject_pattern,
        one_scan_per_subject=one_scan_per_subject,
        test_fraction=test_fraction,
        val_fraction=val_fraction,
        seed=seed,
        keep_split=bool(keep_split),
    )
    _check_options(window, test_fraction, val_fraction, seed)
    _check_out(images, masks, out, overwrite)
    sources = find_sources(images, masks, mask_suffix, out)
    subjects = subjects_of(
        [source.name for source in sources], subject_pattern, one_scan_per_subject
    )
    before = sides_before(out, subjects, subject_pattern)
    sides = split_subjects(
        subjects.values(),
        test_fraction,
        val_fraction,
        seed,
        kept_sides(out, before) if keep_split else {},
    )
    changes = compare(before, sides) if before else None
    if changes and keep_split is None:
        check_redraw(out, changes)

    def convert(source: Source) -> Tuple[np.ndarray, Annotation]:
        image = read_image(source.image, window)
        annotation = read_annotation(source.mask, mask_classes, colour_map)
        mask = annotation.labels
        if image.shape != mask.shape:
            raise InputError(
                f'{source.mask}: the mask is {mask.shape[0]} x {mask.shape[1]} (height '
                f'x width), but its image is {image.shape[0]} x {image.shape[1]}. '
                'Export both at the same size.'
            )
        return image, annotation

    # Twice over the files rather than all of them in memory.
    for source in progress(sources):
        convert(source)
    out.mkdir(parents=True, exist_ok=True)
    # Inside, since what lies around may be another file system.
    stage = Path(tempfile.mkdtemp(prefix='.new.', dir=out))
    try:
        rows = []
        for source in progress(sources):
            subject = subjects[source.name]
            folder = 'test' if sides[subject] == 'test' else 'train'
            image, annotation = convert(source)
            spacing = read_spacing(source.image)
            _write_case(stage, folder, source.name, image, annotation.labels, spacing)
            levels = decode_levels(source.image, 'image')
            image_as = image_read_as(levels.pixels, window or levels.window)
            rows.append(
                [
                    *(source.name, subject, sides[subject]),
                    _relative(source.image, images),
                    *(file_digest(source.image), image_as),
                    _relative(source.mask, masks),
                    *(file_digest(source.mask), annotation.read_as),
                ]
            )
        write_history(stage, rows, settings)
        prepared = _write_splits(stage, subjects, sides)
        _move(stage, out)
    finally:
        shutil.rmtree(stage)
        if not any(out.iterdir()):
            out.rmdir()
    return replace(prepared, changes=changes)


def find_sources(
    images: Path,
    masks: Path,
    mask_suffix: Optional[str] = None,
    out: Optional[Path] = None,
) -> List[Source]:
    """Pairs the images with their masks; arguments as in :func:`prepare`.

    What lies in ``out`` is left out.

    Returns:
        list[Source]: in the order of their names.

    Raises:
        InputError: no images, an image without mask or the reverse, or a name that is
            taken twice.
    """
    for folder in (images, masks):
        if not folder.is_dir():
            raise InputError(f'{folder}: no such folder.')
    if images.resolve() == masks.resolve():
        if not mask_suffix:
            raise InputError(
                f'{images}: images and masks in one folder. Say by which suffix masks '
                'are told, such as --mask-suffix _mask.png.'
            )
        masks = images
    # Either folder may lie in the other.
    own_images, own_masks = (
        _below(folder, [inner for inner in (other, out) if inner is not None])
        for folder, other in ((images, masks), (masks, images))
    )
    own_masks = [path for path in own_masks if path.name.endswith(mask_suffix or '')]
    if masks == images:
        own_images = [path for path in own_images if path not in own_masks]
    image_paths = _by_name(images, own_images, '')
    mask_paths = _by_name(masks, own_masks, mask_suffix or '')
    if not image_paths:
        raise InputError(
            f'{images}: no images (looked for {", ".join(IMAGE_SUFFIXES)}'
            '). Convert other formats first.'
        )
    lonely = [
        f'images without mask: {listed(set(image_paths) - set(mask_paths))}',
        f'masks without image: {listed(set(mask_paths) - set(image_paths))}',
    ]
    lonely = [line for line in lonely if not line.endswith(': ')]
    if lonely:
        raise InputError(
            f'{images} and {masks}: {"; ".join(lonely)}. Masks are '
            'matched by the name before the suffix; see --mask-suffix.'
        )
    return [
        Source(name, path, mask_paths[name]) for name, path in sorted(image_paths.items())
    ]


def _below(folder: Path, without: Sequence[Path]) -> List[Path]:
    """The images of a folder, but for those in some of the folders below it."""
    places = {other.resolve() for other in without}
    inner = {place for place in places if folder.resolve() in place.parents}
    return [
        path
        for path in list_images(folder)
        if not inner.intersection((path.parent.resolve() / path.name).parents)
    ]


def _by_name(folder: Path, paths: Sequence[Path], suffix: str) -> Dict[str, Path]:
    """Files below a folder by their names, without what they all end with."""
    found: Dict[str, Path] = {}
    for path in paths:
        own = path.name[: -len(suffix)] if suffix else split_name(path)[0]
        name = BETWEEN.join([*path.relative_to(folder).parts[:-1], own])
        if name in found:
            raise InputError(
                f'{path}: {found[name].name} has the same name before the '
                'suffix. Remove or rename one of them.'
            )
        found[name] = path
    return found


def _relative(path: Path, folder: Path) -> str:
    """The path of a file from a folder, however that was written."""
    return Path(os.path.relpath(path, folder)).as_posix()


def _check_options(
    window: Optional[Tuple[float, float]],
    test_fraction: float,
    val_fraction: float,
    seed: int,
) -> None:
    """Refuses numbers that make no sense."""
    if seed < 0:
        raise InputError(f'--seed {seed}: must not be negative.')
    if window is not None and not -np.inf < window[0] < window[1] < np.inf:
        raise InputError(
            f'--window {window[0]:g} {window[1]:g}: LOW must be below '
            'HIGH, and both finite.'
        )
    if not 0 < test_fraction < 1:
        raise InputError(f'--test-fraction {test_fraction}: must lie between 0 and 1.')
    if not 0 <= val_fraction < 1:
        raise InputError(
            f'--val-fraction {val_fraction}: must be 0 or lie between 0 and 1.'
        )


def _check_out(images: Path, masks: Path, out: Path, overwrite: bool) -> None:
    """Refuses an output folder in which something could be lost."""
    if out.exists() and not out.is_dir():
        raise InputError(f'{out}: is a file. Name a folder to write to.')
    for folder in (images, masks):
        if out.resolve() in (folder.resolve(), *folder.resolve().parents):
            raise InputError(
                f'{out}: {folder} lies in it and could be overwritten. '
                'Name another folder to write to.'
            )
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise InputError(
            f'{out}: is not empty. Name another folder, or pass '
            '--overwrite to replace the data set in it.'
        )
    owned = [entry for entry in ENTRIES if (out / entry).exists()]
    if owned and 'train.txt' not in owned:
        raise InputError(
            f'{out / owned[0]}: would be replaced, but without a '
            'train.txt beside it this is no data set. Name another '
            'folder, or remove it.'
        )


def _write_case(
    root: Path,
    folder: str,
    name: str,
    image: np.ndarray,
    mask: np.ndarray,
    spacing: Optional[Tuple[float, float]],
) -> None:
    """Writes the two files of a case."""
    for path, pixels in (
        (root / 'dataset' / folder / f'{name}.png', image),
        (root / 'groundtruth' / folder / f'{name}_bone_3.png', mask),
    ):
        write_picture(path, pixels, spacing)


def _write_splits(
    root: Path, subjects: Mapping[str, str], sides: Mapping[str, str]
) -> Prepared:
    """Writes the split files; without validation subjects there is no val.txt."""
    # The validation cases are some of train.txt.
    sides_in = dict(train=('train', 'val'), val=('val',), test=('test',))
    names = {
        split: [name for name, subject in subjects.items() if sides[subject] in parts]
        for split, parts in sides_in.items()
    }
    for split, cases in names.items():
        if cases:
            write_whole(root / f'{split}.txt', ''.join(f'{name}\n' for name in cases))
    counts = {
        split: sum(side in parts for side in sides.values())
        for split, parts in sides_in.items()
    }
    return Prepared(names['train'], names['val'], names['test'], counts)


def _move(stage: Path, out: Path) -> None:
    """Replaces the data set in ``out``, and nothing else there, by the new one.

    The old one is put aside first, and comes back if anything fails.
    """
    aside = Path(tempfile.mkdtemp(prefix='.old.', dir=out))
    moved: List[Tuple[Path, Path]] = []
    try:
        # Without its split files the old data set cannot be taken for a whole one.
        for source, target, entries in (
            (out, aside, reversed(ENTRIES)),
            (stage, out, ENTRIES),
        ):
            for entry in entries:
                if (source / entry).exists() or (source / entry).is_symlink():
                    (source / entry).rename(target / entry)
                    moved.append((source / entry, target / entry))
    except BaseException:
        for source, target in reversed(moved):
            target.rename(source)
        aside.rmdir()
        raise
    shutil.rmtree(aside)
