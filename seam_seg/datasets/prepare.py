"""Turns images and masks into the layout that the dataset reads, and adds to it.

Everything is checked before the first file is written, and the new files are moved to
their place only when all of them exist: a refusal leaves nothing behind. On which
side of the split a subject stands depends on its name, the shares and the seed only.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ..atomic import write_picture, write_whole
from ..errors import InputError
from .annotations import CLASSES, Annotation, ColourMap, annotation_of, read_annotation
from .history import (
    CASES,
    COLUMNS,
    SETTINGS,
    file_digest,
    image_read_as,
    read_history,
    read_settings,
    write_history,
)
from .readers import (
    check_directions,
    check_window,
    decode,
    decode_levels,
    read_image,
    read_spacing,
    window_of,
)
from .sources import Source, find_sources
from .split import (
    SIDES,
    Changes,
    check_redraw,
    compare,
    kept_sides,
    sides_before,
    split_subjects,
)
from .subjects import check_spelling, find_subject, listed, subjects_of
from .vpi import read_split

# What the function owns in its output folder, split files last.
FOLDERS = ('dataset', 'groundtruth', 'instances')
ENTRIES = (*FOLDERS, CASES, SETTINGS, 'test.txt', 'val.txt', 'train.txt')


@dataclass(frozen=True)
class Prepared:
    """What :func:`prepare` or :func:`append` wrote.

    Attributes:
        train (list[str]): the cases in train.txt.
        val (list[str]): those of them in val.txt; empty where none was written.
        test (list[str]): the cases in test.txt.
        subjects (dict[str, int]): number of subjects in each of the three.
        changes (Changes, optional): against the data set that was there.
        added (list[str], optional): of :func:`append`, the cases that were not there.
    """

    train: List[str]
    val: List[str]
    test: List[str]
    subjects: Dict[str, int]
    changes: Optional[Changes] = None
    added: Optional[List[str]] = None


@dataclass(frozen=True)
class _Reader:
    """How the files of cases are read; arguments as in :func:`prepare`."""

    images: Path
    masks: Path
    mask_classes: Optional[Sequence[str]]
    colour_map: Optional[ColourMap]
    window: Optional[Tuple[float, float]]

    def read(self, source: Source) -> Tuple[np.ndarray, Annotation]:
        """The image and the mask of a case."""
        image = read_image(source.image, self.window)
        if source.drawing is None:
            annotation = read_annotation(source.mask, self.mask_classes, self.colour_map)
            self._check_size(source, image, annotation.labels.shape)
            check_directions(source.mask, source.image)
            return image, annotation
        if self.colour_map is not None:
            raise InputError(
                f'{source.mask}: polygons have names, but --colour-map says that masks '
                'are of colours. Leave the option out.'
            )
        self._check_size(source, image, source.drawing.shape)
        return image, annotation_of(source.drawing, source.mask, self.mask_classes)

    @staticmethod
    def _check_size(source: Source, image: np.ndarray, shape: Tuple[int, ...]) -> None:
        if image.shape != shape:
            raise InputError(
                f'{source.mask}: the mask is {shape[0]} x {shape[1]} (height '
                f'x width), but its image {source.image.name} is {image.shape[0]} x '
                f'{image.shape[1]}. Export both at the same size.'
            )

    def describe(self, source: Source, annotation: Annotation) -> List[str]:
        """The last columns of the table of the cases."""
        levels = decode_levels(source.image, 'image')
        masks = self.masks if self.masks.is_dir() else self.masks.parent
        return [
            _relative(source.image, self.images),
            file_digest(source.image),
            image_read_as(
                levels.pixels, window_of(levels.pixels, self.window, levels.window)
            ),
            _relative(source.mask, masks),
            file_digest(source.mask),
            annotation.read_as,
        ]


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
    only_labelled: bool = False,
    progress: Callable[[list], Iterable] = iter,
) -> Prepared:
    """Writes the layout of :class:`VPIDataset` from folders of images and masks.

    The split is drawn over subjects, so that no subject is on two sides of it, and by
    :func:`~seam_seg.datasets.subjects.draw`, so that it stays when others come or go.
    The same input and seed give the same output. ``prepared.csv`` and ``prepared.json``
    in ``out`` say where each case came from and how it was prepared. Of polygons, the map
    of the bones one by one is written, too.

    Args:
        images (Path): folder of grey images; those in folders below it are taken, too.
        masks (Path): folder of masks, each of class indices, colours or polygons
            (LabelMe), in the same folders below it as their images. It may be that of the
            images, or lie in it. Or a file of polygons of all images (COCO).
        out (Path): folder to write to.
        mask_suffix (str, optional): a mask is called like its image's stem with this
            behind it. Default: None: the same stem, and any suffix. To be given where
            images and masks are in one folder.
        mask_classes (Sequence[str], optional): the meaning of labels 0, 1, 2... in
            the masks, or the names of polygons; a class unknown to the data set becomes
            ignored (255). Default: None: background, rib, thoracic, lumbar.
        colour_map (Mapping, optional): the colours of each class in the masks, see
            :func:`seam_seg.datasets.annotations.read_annotation`.
        window (tuple[float, float], optional): see
            :func:`seam_seg.datasets.readers.window_of`.
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
        only_labelled (bool): leave out images without a mask, or with polygons that
            nobody has checked. Default: False: they are an error.
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
    check_window(window)
    _check_draw(test_fraction, val_fraction, seed)
    _check_out(images, masks, out, overwrite)
    sources = find_sources(images, masks, mask_suffix, out, only_labelled)
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
    reader = _Reader(images, masks, mask_classes, colour_map, window)
    # Twice over the files rather than all of them in memory.
    for source in progress(sources):
        reader.read(source)
    prepared = _write(
        out, sources, reader, _Cases(subjects, sides), settings, progress=progress
    )
    return replace(prepared, changes=changes)


def append(
    images: Path,
    masks: Path,
    out: Path,
    side: str = 'train',
    mask_suffix: Optional[str] = None,
    mask_classes: Optional[Sequence[str]] = None,
    colour_map: Optional[ColourMap] = None,
    window: Optional[Tuple[float, float]] = None,
    subject_pattern: Optional[str] = None,
    one_scan_per_subject: bool = False,
    only_labelled: bool = False,
    progress: Callable[[list], Iterable] = iter,
) -> Prepared:
    """Adds cases to a data set that :func:`prepare` wrote; its split stays as it is.

    A case that is there already, image and mask, is left as it is.

    Args:
        images, masks, out, mask_suffix, mask_classes, colour_map, only_labelled,
            progress: as in :func:`prepare`. If the data set was prepared with either of
            the middle two, masks that are no polygons need one, too.
        side (str): of the subjects that are new: ``'train'``, ``'val'`` or ``'test'``.
            The others keep theirs, so that nobody is on two. Default: ``'train'``.
        window, subject_pattern, one_scan_per_subject: as in :func:`prepare`. Default:
            what the data set was prepared with. Another pattern also says whose the
            cases are that are there, as far as it finds a subject in their names.

    Returns:
        Prepared: the splits as they are now, and who was added.

    Raises:
        InputError: anything is wrong, such as a case of the same name that looks
            otherwise; then nothing has been changed.
    """
    if side not in SIDES:
        raise InputError(f'--append {side}: is none of {", ".join(SIDES)}.')
    images, masks, out = Path(images), Path(masks), Path(out)
    _check_out(images, masks, out, overwrite=True)
    there = _read_cases(out)
    settings = read_settings(out)
    if 'version' not in settings:
        raise InputError(
            f'{out / SETTINGS}: is missing or damaged, and says by which window and '
            'subjects the data set was prepared. Prepare it anew.'
        )
    if subject_pattern is not None:
        there = there.regrouped(out, subject_pattern)
        settings.update(subject_pattern=subject_pattern, one_scan_per_subject=False)
    elif not one_scan_per_subject:
        subject_pattern = settings.get('subject_pattern')
        one_scan_per_subject = bool(settings.get('one_scan_per_subject'))
    if window is None and settings.get('window'):
        low, high = settings['window']
        window = low, high
    check_window(window)
    sources = find_sources(images, masks, mask_suffix, out, only_labelled)
    if mask_classes is None and colour_map is None:
        _check_meaning(settings, sources, out)
    reader = _Reader(images, masks, mask_classes, colour_map, window)
    names = [source.name for source in sources if source.name not in there.subjects]
    if subject_pattern is None and not one_scan_per_subject:
        subjects_of([*there.subjects, *names])  # which asks where names look like groups
    subjects = subjects_of(names, subject_pattern, one_scan_per_subject)
    if subject_pattern is not None:
        check_spelling({**there.subjects, **subjects})
    before = sides_before(out, there.subjects, None)
    sides = {**dict.fromkeys(subjects.values(), side), **there.sides}
    new = []
    for source in progress(sources):
        image, annotation = reader.read(source)
        if source.name in subjects:
            new.append(source)
        else:
            folder = there.folder(source.name)
            _check_same(out, folder, source, image, annotation)
    cases = _Cases({**there.subjects, **subjects}, sides, there.rows)
    kept = {key: value for key, value in settings.items() if key != 'version'}
    # By which a split that is drawn anew is known not to be this one.
    kept['keep_split'] = True
    prepared = _write(out, new, reader, cases, kept, progress=progress)
    return replace(prepared, changes=compare(before, sides), added=sorted(subjects))


@dataclass(frozen=True)
class _Cases:
    """Whose the cases are, and where they stand.

    Attributes:
        subjects (dict[str, str]): by name of the case, in the order of the split files.
        sides (dict[str, str]): by subject.
        rows (dict[str, list[str]]): of the table of the cases, of those that are in the
            data set already.
    """

    subjects: Dict[str, str]
    sides: Dict[str, str]
    rows: Dict[str, List[str]] = field(default_factory=dict)

    def folder(self, name: str) -> str:
        """The folder of a case: train or test."""
        return 'test' if self.sides[self.subjects[name]] == 'test' else 'train'

    def regrouped(self, out: Path, pattern: str) -> '_Cases':
        """The same with the subjects that a pattern finds.

        Else a subject whose cases were recorded by another rule would be a new one, and
        could come to the other side of the split.

        Args:
            out (Path): folder of the data set, for the message.
            pattern (str): see :func:`~seam_seg.datasets.subjects.subject_of`.

        Raises:
            InputError: by the pattern, somebody is on two sides.
        """
        subjects = dict(self.subjects)
        sides: Dict[str, str] = {}
        for name, recorded in self.subjects.items():
            if found := find_subject(name, pattern):
                subjects[name] = found
            side = self.sides[recorded]
            if sides.setdefault(subjects[name], side) != side:
                raise InputError(
                    f'{out}: by --subject-pattern {pattern}, {subjects[name]} has cases '
                    f'in {side} and {sides[subjects[name]]}. Prepare the data set anew '
                    'with this pattern.'
                )
        rows = {
            name: [row[0], subjects[name], *row[2:]] for name, row in self.rows.items()
        }
        return _Cases(subjects, sides, rows)


def _read_cases(out: Path) -> _Cases:
    """The cases of a data set that is to be added to."""
    if not (out / CASES).is_file() or not (out / 'train.txt').is_file():
        raise InputError(
            f'{out}: holds no data set of tools/prepare_vpi.py (train.txt and {CASES}) '
            'that could be added to. Leave out --append to make one.'
        )
    rows = {row[0]: row for row in read_history(out)}
    names = [
        name
        for split in ('train', 'test')
        if (out / f'{split}.txt').is_file()
        for name in read_split(out / f'{split}.txt')
    ]
    odd = set(names) ^ set(rows)
    if odd:
        raise InputError(
            f'{out}: {CASES} and the split files do not list the same cases: '
            f'{listed(odd)}. Correct them, or prepare the data set anew.'
        )
    subjects = {name: rows[name][1] for name in names}
    return _Cases(subjects, kept_sides(out, sides_before(out, subjects, None)), rows)


def _check_meaning(
    settings: Mapping[str, Any], sources: Sequence[Source], out: Path
) -> None:
    """Refuses a guess: labels or colours meant something else the first time.

    The new masks may be of that program, or corrected predictions, and either would be
    read with classes exchanged by the other's meaning. Polygons have names.
    """
    drawn = [source.mask for source in sources if source.drawing is None]
    for option in ('mask_classes', 'colour_map'):
        if drawn and settings.get(option):
            raise InputError(
                f'{drawn[0]}: {out} was prepared with --{option.replace("_", "-")}. Say '
                'what the new masks mean, too: --mask-classes for their labels (the '
                f'usual: {" ".join(CLASSES)}), or --colour-map for their colours.'
            )


def _check_same(
    out: Path, folder: str, source: Source, image: np.ndarray, annotation: Annotation
) -> None:
    """Refuses a case whose name is taken by another, or by other labels of it."""
    places = [
        ('image', f'dataset/{folder}/{source.name}.png', image),
        ('mask', f'groundtruth/{folder}/{source.name}_bone_3.png', annotation.labels),
    ]
    bones = f'instances/{folder}/{source.name}.png'
    if annotation.instances is not None and (out / bones).is_file():
        places.append(('map of bones', bones, annotation.instances))
    for kind, place, pixels in places:
        stored = decode(out / place, kind)
        same = np.array_equal if kind != 'map of bones' else _same_bones
        if not same(stored, pixels):
            raise InputError(
                f'{source.image if kind == "image" else source.mask}: the data set has a '
                f'case {source.name} already, and another {kind}: {out / place}. Rename '
                'the new one; or, to replace the old one, prepare the data set anew.'
            )


def _same_bones(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two maps (H, W) tell the same bones apart, by whatever numbers."""
    if one.shape != other.shape:
        return False
    pairs = len(np.unique(one.astype(np.int64) * 65536 + other))
    return pairs == len(np.unique(one)) == len(np.unique(other))


def _write(
    out: Path,
    sources: Sequence[Source],
    reader: _Reader,
    cases: _Cases,
    settings: Dict[str, Any],
    progress: Callable[[list], Iterable],
) -> Prepared:
    """Writes a data set beside the one that is there, and puts it into its place.

    Args:
        out (Path): its folder.
        sources (Sequence[Source]): the cases to read; others of ``cases`` are there.
        reader (_Reader): of their files.
        cases (_Cases): all of them.
        settings (dict): of the history.
        progress (Callable): wraps the list of cases.
    """
    out.mkdir(parents=True, exist_ok=True)
    # Inside, since what lies around may be another file system.
    stage = Path(tempfile.mkdtemp(prefix='.new.', dir=out))
    try:
        if cases.rows:
            for name in FOLDERS:
                if (out / name).is_dir():
                    shutil.copytree(out / name, stage / name, copy_function=_link)
        rows = dict(cases.rows)
        for source in progress(list(sources)):
            image, annotation = reader.read(source)
            folder = cases.folder(source.name)
            _write_case(stage, folder, source, image, annotation)
            subject = cases.subjects[source.name]
            rows[source.name] = [
                *(source.name, subject, cases.sides[subject]),
                *reader.describe(source, annotation),
            ]
        _check_copies(rows.values())
        write_history(stage, [rows[name] for name in sorted(rows)], settings)
        prepared = _write_splits(stage, cases.subjects, cases.sides)
        _move(stage, out)
    finally:
        shutil.rmtree(stage)
        if not any(out.iterdir()):
            out.rmdir()
    return prepared


def _check_copies(rows: Iterable[Sequence[str]]) -> None:
    """Refuses an image file that is there twice, on two sides of the split.

    Raises:
        InputError: there is one.
    """
    first: Dict[str, Tuple[str, str]] = {}
    for row in rows:
        case = dict(zip(COLUMNS, row))
        name, side = case['name'], case['side']
        other, its_side = first.setdefault(case['image_sha256'], (name, side))
        if side != its_side:
            raise InputError(
                f'{other} ({its_side}) and {name} ({side}) are the same image file; '
                'scores would be taken on training data. Leave one of them out.'
            )


def _link(source: str, target: str) -> None:
    """The same file by another name, which takes no room; a copy where there are none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _relative(path: Path, folder: Path) -> str:
    """The path of a file from a folder, however that was written."""
    return Path(os.path.relpath(path, folder)).as_posix()


def _check_draw(test_fraction: float, val_fraction: float, seed: int) -> None:
    """Refuses numbers that make no sense."""
    if seed < 0:
        raise InputError(f'--seed {seed}: must not be negative.')
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
            '--overwrite to replace the data set in it, or --append to add to it.'
        )
    owned = [entry for entry in ENTRIES if (out / entry).exists()]
    if owned and 'train.txt' not in owned:
        raise InputError(
            f'{out / owned[0]}: would be replaced, but without a '
            'train.txt beside it this is no data set. Name another '
            'folder, or remove it.'
        )


def _write_case(
    root: Path, folder: str, source: Source, image: np.ndarray, annotation: Annotation
) -> None:
    """Writes the files of a case."""
    spacing = read_spacing(source.image)
    name = f'{source.name}.png'
    write_picture(root / 'dataset' / folder / name, image, spacing)
    mask = root / 'groundtruth' / folder / f'{source.name}_bone_3.png'
    write_picture(mask, annotation.labels, spacing)
    if annotation.instances is not None:
        write_picture(root / 'instances' / folder / name, annotation.instances)


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
