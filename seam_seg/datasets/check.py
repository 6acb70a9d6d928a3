"""Checks a data set on disk, all of it before anybody trains on it, and describes it.

The dataset stops at the first fault, hours into a run at worst. Here every fault is
collected as one line that names the file and says what to do.
"""

import hashlib
import shlex
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Optional, Sequence, Tuple

import cv2
import numpy as np
from matplotlib import color_sequences
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..atomic import write_figure
from ..errors import InputError
from .annotations import CLASSES, IGNORE_INDEX, LABELS
from .history import CASES, bits_of, recorded_subjects
from .readers import check_directions, decode, read_image, read_instances, read_mask
from .subjects import groupings, listed, on_both_sides, subjects_of
from .vpi import VPIDataset, read_split, resolve_root

Colour = Tuple[float, float, float]
RIM = ('thoracic', 'lumbar')
# Of the pixels of the first. Phantoms have none, and at least 0.7% by interpolation.
LARGEST_RIM = 0.002


@dataclass
class CaseReport:
    """A case whose image and mask can be read.

    Attributes:
        name (str): as in the split file.
        split (str): ``'train'`` or ``'test'``.
        image (str): path of the image.
        mask (str): path of the mask.
        shape (tuple[int, int]): (height, width) in pixels.
        pixel_type (str): such as ``'8-bit grey'``.
        top_level (int | float): the highest grey level as stored.
        label_areas (list[int]): pixels of labels 0, 1, 2...
        rim (int): pixels of thoracic bones in rims of lumbar ones, see :func:`rim_of`.
        grey_sum (int): sum of the grey levels in 8-bit scale.
        grey_square_sum (int): sum of their squares.
        digest (str): the same for two images with the same pixels.
    """

    name: str
    split: str
    image: str
    mask: str
    shape: Tuple[int, int]
    pixel_type: str
    top_level: float
    label_areas: List[int]
    rim: int
    grey_sum: int
    grey_square_sum: int
    digest: str


@dataclass
class DatasetReport:
    """What :func:`check_dataset` found.

    Attributes:
        data_root (str): the folder.
        classes (list[str]): the meaning of labels 0, 1, 2...
        errors (list[str]): what keeps the data from being used; one line each.
        warnings (list[str]): what is allowed but probably not meant.
        splits (dict[str, list[str]]): the names in train, test and, where there is
            one, val.
        cases (list[CaseReport]): the cases that can be read.
        class_shares (dict[str, dict[str, float]]): for each split, the share of each
            class in the pixels that are not ignored, in %.
        mean (float, optional): of all pixels of the readable images in train.txt, in
            8-bit scale; None without any.
        std (float, optional): their standard deviation.
    """

    data_root: str
    classes: List[str]
    errors: List[str] = field(default_factory=list)
    warnings: List[str] = field(default_factory=list)
    splits: Dict[str, List[str]] = field(default_factory=dict)
    cases: List[CaseReport] = field(default_factory=list)
    class_shares: Dict[str, Dict[str, float]] = field(default_factory=dict)
    mean: Optional[float] = None
    std: Optional[float] = None


def check_dataset(
    data_root: str,
    img_suffix: str = '.png',
    seg_map_suffix: str = '_bone_3.png',
    classes: Sequence[str] = CLASSES,
    progress: Callable[[list], Iterable] = iter,
    subject_pattern: Optional[str] = None,
    one_scan_per_subject: bool = False,
) -> DatasetReport:
    """Checks every file of a data set in the layout of :class:`VPIDataset`.

    Args:
        data_root (str): see :func:`seam_seg.datasets.vpi.resolve_root`.
        img_suffix (str): of the images. Default: ``'.png'``.
        seg_map_suffix (str): of the masks. Default: ``'_bone_3.png'``.
        classes (Sequence[str]): the meaning of labels 0, 1, 2... in the masks.
        progress (Callable): wraps the list of cases, to show a progress bar.
        subject_pattern (str, optional): see
            :func:`~seam_seg.datasets.subjects.subject_of`. Default: None, what the data
            set says, or else what the names look like.
        one_scan_per_subject (bool): each case is a subject of its own. Default: False.

    Returns:
        DatasetReport: with every problem, not only the first.

    Raises:
        InputError: there is no such folder, or the pattern is wrong.
    """
    root = resolve_root(data_root)
    report = DatasetReport(str(root), list(classes))
    report.splits = _check_splits(root, report)
    _check_subjects(root, report, subject_pattern, one_scan_per_subject)
    pairs: List[Tuple[str, str, Path, Path]] = []
    for split in ('train', 'test'):
        prefix = VPIDataset(str(root), split, lazy_init=True).data_prefix
        folders = [Path(prefix['img_path']), Path(prefix['seg_map_path'])]
        names = report.splits[split]
        missing = [folder for folder in folders if not folder.is_dir()]
        if missing and names:
            report.errors += [
                f'{folder}: no such folder, but {split}.txt lists {len(names)} cases. '
                'Create it with their files.'
                for folder in missing
            ]
            continue
        paths = [
            [folder / (name + suffix) for name in names]
            for folder, suffix in zip(folders, (img_suffix, seg_map_suffix))
        ]
        report.warnings += _unlisted(folders, {p for both in paths for p in both}, split)
        pairs += zip(names, [split] * len(names), *paths)
    for name, split, image, mask in progress(pairs):
        bones = root / 'instances' / split / f'{name}.png'
        case = _check_case(name, split, image, mask, bones, classes, report.errors)
        if case is not None:
            report.cases.append(case)
    _check_repeats(report)
    _check_bones(report)
    _measure_grey(report)
    return report


def _check_splits(root: Path, report: DatasetReport) -> Dict[str, List[str]]:
    """Reads the split files, as far as they can be read, and compares them."""
    errors = report.errors
    splits = {split: _names(root / f'{split}.txt', errors) for split in ('train', 'test')}
    errors += [
        f'{root / "test.txt"}: {name} is in train.txt as well; scores would be taken '
        'on training data. Remove it from one of them.'
        for name in splits['test']
        if name in set(splits['train'])
    ]
    val_path = root / 'val.txt'
    if val_path.is_file():
        splits['val'] = _names(val_path, errors)
        errors += [
            f'{val_path}: {name} is not in train.txt; the validation cases are taken '
            'out of the training cases. Remove the line or add it to train.txt.'
            for name in splits['val']
            if name not in set(splits['train'])
        ]
        if splits['train'] and set(splits['train']) <= set(splits['val']):
            errors.append(
                f'{val_path}: lists all cases of train.txt, so that none is '
                'left to train on. Remove some lines.'
            )
    elif splits['train'] and not errors:
        try:
            VPIDataset(str(root), 'val', lazy_init=True).split_names()
        except InputError as error:  # which not every config asks for
            report.warnings.append(str(error))
    return splits


def _check_subjects(
    root: Path, report: DatasetReport, pattern: Optional[str], one_scan: bool
) -> None:
    """Finds subjects on two sides, as far as it is known whose the cases are."""
    splits = report.splits
    names = list(dict.fromkeys(splits['train'] + splits['test']))
    subjects: Optional[Dict[str, str]] = None
    try:
        recorded = recorded_subjects(root, names)
    except InputError as error:
        report.errors.append(str(error))
        return
    if pattern is not None or one_scan:
        subjects = subjects_of(names, pattern, one_scan)
    elif recorded is not None:
        subjects = {name: recorded.get(name, name) for name in names}
        unknown = [name for name in names if name not in recorded]
        if unknown:
            report.warnings.append(
                f'{root / CASES}: does not list {listed(unknown)}, so that nobody knows '
                'whose these cases are. Prepare the data set anew, or pass '
                '--subject-pattern or --one-scan-per-subject.'
            )
    if subjects is None:
        _check_likely_subjects(root, report, names)
        return
    report.errors += [
        f'{root}: {subject} has {one} in train.txt and {other} in test.txt; scores '
        'would be taken on subjects of the training data. Prepare the data set anew.'
        for subject, (one, other) in on_both_sides(
            subjects, splits['train'], _only_tested(splits)
        ).items()
    ]
    val = [name for name in _validation(root, splits) if name in subjects]
    train = [name for name in splits['train'] if name not in set(val)]
    side, way = 'val.txt', 'Move the cases of a subject to one side.'
    if 'val' not in splits:
        side, way = 'the drawn validation cases', 'Name the subjects in a prepared.csv.'
    report.warnings += [
        f'{root}: {subject} has {two} in {side}, but {one} is trained on; the '
        f'validation scores are too good. {way}'
        for subject, (one, two) in on_both_sides(subjects, train, val).items()
    ]


def _validation(root: Path, splits: Dict[str, List[str]]) -> List[str]:
    """The cases of val.txt, or else those that a data set would draw by default."""
    if 'val' in splits:
        return splits['val']
    with suppress(InputError):  # of which :func:`_check_splits` has told
        return VPIDataset(str(root), 'val', lazy_init=True).split_names()
    return []


def _only_tested(splits: Dict[str, List[str]]) -> List[str]:
    """The test cases without those in train.txt, which are errors already."""
    return [name for name in splits['test'] if name not in set(splits['train'])]


def _check_likely_subjects(root: Path, report: DatasetReport, names: List[str]) -> None:
    """Warns where names look as if subjects were on both sides of the split."""
    for grouping in groupings(names):
        subjects = {
            name: subject for subject, group in grouping.members.items() for name in group
        }
        both = on_both_sides(
            subjects, report.splits['train'], _only_tested(report.splits)
        )
        if both:
            subject, (one, other) = next(iter(both.items()))
            report.warnings.append(
                f'{root}: {one} is in train.txt and {other} in test.txt; if these are of '
                f'one subject, {subject} (and {len(both) - 1} more likewise), scores '
                'would be taken on subjects of the training data. Prepare the data set '
                f'anew with --subject-pattern {shlex.quote(grouping.pattern)}, or say '
                'that they are not: --one-scan-per-subject.'
            )
            return


def _names(path: Path, errors: List[str]) -> List[str]:
    """The names in a split file; a fault in it becomes an error, and is passed over."""
    try:
        return read_split(path)
    except InputError as error:
        errors.append(str(error))
    if not path.is_file():
        return []
    lines = path.read_text(encoding='utf-8-sig', errors='ignore').splitlines()
    return list(dict.fromkeys(line.strip() for line in lines if line.strip()))


def _unlisted(folders: List[Path], listed: set, split: str) -> List[str]:
    """Warnings on the files that belong to no listed case."""
    return [
        f'{path}: belongs to no case of {split}.txt and is never read. List the case, '
        'or move the file away.'
        for folder in folders
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if path not in listed and not path.name.startswith('.')
    ]


def _check_case(
    name: str,
    split: str,
    image_path: Path,
    mask_path: Path,
    bones_path: Path,
    classes: Sequence[str],
    errors: List[str],
) -> Optional[CaseReport]:
    """Reads a case; its faults go to ``errors``, and then there is no report."""
    image = mask = None
    try:
        image = read_image(image_path)
    except InputError as error:
        errors.append(str(error))
    shape = None if image is None else image.shape
    try:
        mask = read_mask(mask_path, len(classes), IGNORE_INDEX, shape, classes)
        if image is not None:
            check_directions(mask_path, image_path)
    except InputError as error:
        errors.append(str(error))
    if image is None or mask is None:
        return None
    if bones_path.is_file():  # which a training of votes reads
        try:
            read_instances(bones_path, mask, IGNORE_INDEX)
        except InputError as error:
            errors.append(str(error))
    stored = decode(image_path, 'image')
    grey = image.astype(np.int64)
    return CaseReport(
        name=name,
        split=split,
        image=str(image_path),
        mask=str(mask_path),
        shape=image.shape,
        pixel_type=f'{bits_of(stored)} grey'
        + (f' in {stored.shape[2]} channels' if stored.ndim == 3 else ''),
        top_level=(stored[..., :3] if stored.ndim == 3 else stored).max().item(),
        label_areas=np.bincount(mask.ravel(), minlength=256)[: len(classes)].tolist(),
        rim=rim_of(mask) if tuple(classes) == CLASSES else 0,
        grey_sum=int(grey.sum()),
        grey_square_sum=int((grey**2).sum()),
        digest=hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest(),
    )


def rim_of(mask: np.ndarray) -> int:
    """Thoracic pixels in thin rims around lumbar bones.

    A mask that was resized by interpolation has labels 1 and 2 where 3 meets the
    background: valid ones, and wrong. Of ribs, thin parts may touch other bones.

    Args:
        mask (np.ndarray): (H, W) uint8.

    Returns:
        int: pixels.
    """
    square = np.ones((3, 3), np.uint8)
    thoracic, lumbar = ((mask == LABELS[name]).astype(np.uint8) for name in RIM)
    thin = thoracic & ~cv2.morphologyEx(thoracic, cv2.MORPH_OPEN, square)
    return int((thin & cv2.dilate(lumbar, square)).sum())


def _check_repeats(report: DatasetReport) -> None:
    """Finds images with the same pixels under two names."""
    first: Dict[str, CaseReport] = {}
    for case in report.cases:
        other = first.setdefault(case.digest, case)
        if other is case or other.image == case.image:
            continue
        line = f'{case.image}: the same pixels as {other.image}. Remove one of them'
        if other.split == case.split:
            report.warnings.append(f'{line}.')
        else:
            report.errors.append(f'{line}: scores would be taken on training data.')


def _check_bones(report: DatasetReport) -> None:
    """Class shares of each split, and warnings where bones are missing."""
    for case in report.cases:
        if not any(case.label_areas[1:]):
            report.warnings.append(
                f'{case.mask}: the mask has no bone at all. Check '
                'that it is the right file.'
            )
        if case.rim and case.rim > LARGEST_RIM * case.label_areas[LABELS[RIM[0]]]:
            report.warnings.append(
                f'{case.mask}: has a thin rim of {" around ".join(RIM)} bones, as a mask '
                'that was resized by interpolation. Resize the original mask to the '
                'nearest label.'
            )
    for split, names in report.splits.items():
        folder = 'test' if split == 'test' else 'train'
        areas = (
            np.array(
                [
                    case.label_areas
                    for case in report.cases
                    if case.split == folder and case.name in set(names)
                ]
            )
            .reshape(-1, len(report.classes))
            .sum(axis=0)
        )
        if not areas.sum():
            continue
        report.class_shares[split] = dict(
            zip(report.classes, (100 * areas / areas.sum()).tolist())
        )
        report.warnings += [
            f'{Path(report.data_root) / split}.txt: no mask of these cases has the '
            f'class {name} (label {label}). Check the order of the classes.'
            for label, name in enumerate(report.classes)
            if not areas[label]
        ]


def _measure_grey(report: DatasetReport) -> None:
    """Mean and standard deviation over all pixels of the training images."""
    cases = [case for case in report.cases if case.split == 'train']
    if not cases:
        return
    count = sum(case.shape[0] * case.shape[1] for case in cases)
    mean = sum(case.grey_sum for case in cases) / count
    square = sum(case.grey_square_sum for case in cases) / count
    report.mean, report.std = mean, max(square - mean**2, 0) ** 0.5


def describe(report: DatasetReport) -> str:
    """Puts the figures of a report, not its problems, into words.

    Args:
        report (DatasetReport): of :func:`check_dataset`.

    Returns:
        str: several lines.
    """
    if not report.cases:
        return 'no case can be read'
    width = max(10, *map(len, report.classes))
    lines = [
        'share of the pixels in %'
        + ''.join(f'{name:>{width + 2}}' for name in report.classes)
    ]
    for split, shares in report.class_shares.items():
        title = f'  {split:6}{len(report.splits[split]):4d} cases'
        lines.append(
            f'{title:24}'
            + ''.join(f'{share:{width + 2}.2f}' for share in shares.values())
        )
    heights, widths = zip(*(case.shape for case in report.cases))
    lines.append(
        f'image size: {_span(heights)} x {_span(widths)} pixels (height x width)'
    )
    for kind, count in Counter(case.pixel_type for case in report.cases).items():
        top = max(c.top_level for c in report.cases if c.pixel_type == kind)
        lines.append(f'pixels: {kind}, levels up to {top:g} ({count} images)')
    if report.mean is not None:
        three = [','.join([f'{value:.2f}'] * 3) for value in (report.mean, report.std)]
        lines += [
            f'train.txt: mean grey {report.mean:.2f}, standard deviation '
            f'{report.std:.2f} (8-bit scale). To normalise with them:',
            f'  --cfg-options model.data_preprocessor.mean={three[0]} '
            f'model.data_preprocessor.std={three[1]}',
        ]
    return '\n'.join(lines)


def _span(values: Sequence[int]) -> str:
    """``'640'`` or ``'612 to 668'``."""
    low, high = min(values), max(values)
    return str(low) if low == high else f'{low} to {high}'


def class_colours(classes: Sequence[str]) -> List[Colour]:
    """RGB colours in [0, 1]: the palette's for its classes, distinct ones for others.

    Args:
        classes (Sequence[str]): names of the classes.

    Returns:
        list[tuple[float, float, float]]: one for each class.
    """
    palette = {
        name: (red / 255, green / 255, blue / 255)
        for name, (red, green, blue) in zip(CLASSES, VPIDataset.METAINFO['palette'])
    }
    spare = [to_rgb(colour) for colour in color_sequences['Set2']]
    return [palette.get(name, spare[i % len(spare)]) for i, name in enumerate(classes)]


def save_contact_sheet(report: DatasetReport, path: Path, limit: int = 12) -> None:
    """Draws a grid of images with their bones outlined.

    Args:
        report (DatasetReport): with at least one case.
        path (Path): the PNG to write, in an existing folder.
        limit (int): the most images, drawn evenly from all cases. Default: 12.
    """
    count = min(limit, len(report.cases))
    chosen = np.linspace(0, len(report.cases) - 1, count).round().astype(int)
    cases = [report.cases[i] for i in chosen]
    columns = min(count, 6)
    rows = -(-count // columns)
    tallest = max(case.shape[0] / case.shape[1] for case in cases)
    # Inches: a column is 1.7 wide, a VPI image in it 6.4 high; 0.6 for the legend.
    cell = min(max(1.6 * tallest, 1), 6.4)
    figure = Figure(figsize=(1.7 * columns + 0.2, (cell + 0.35) * rows + 0.6))
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    colours = class_colours(report.classes)
    for axis in axes:
        axis.axis('off')
        axis.set_anchor('N')  # images of different heights begin on one line
    for axis, case in zip(axes, cases):
        _draw_case(axis, case, report.classes, colours)
    figure.legend(
        handles=[
            Line2D([], [], color=colour, linewidth=2, label=name)
            for name, colour in list(zip(report.classes, colours))[1:]
        ],
        loc='upper center',
        ncols=max(len(report.classes) - 1, 1),
        frameon=False,
    )
    height = figure.get_figheight()
    figure.subplots_adjust(
        left=0.01,
        right=0.99,
        bottom=0.3 / height,
        top=1 - 0.5 / height,
        wspace=0.04,
        hspace=0.35 / cell,
    )
    write_figure(path, figure, dpi=140)


def _draw_case(
    axis: Axes, case: CaseReport, classes: Sequence[str], colours: List[Colour]
) -> None:
    """One image of the contact sheet, its name below."""
    scale = min(1000 / max(case.shape), 1)
    size = tuple(max(round(length * scale), 1) for length in case.shape[::-1])
    image = cv2.resize(read_image(case.image), size, interpolation=cv2.INTER_AREA)
    mask = read_mask(case.mask, len(classes), IGNORE_INDEX, classes=classes)
    mask = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT)
    axis.imshow(image, cmap='gray', vmin=0, vmax=255)
    for label, colour in enumerate(colours[1:], 1):
        bone = (mask == label).astype(np.uint8)
        if bone.any() and min(bone.shape) > 1:
            axis.contour(bone, levels=[0.5], colors=[colour], linewidths=0.9)
    name = case.name if len(case.name) <= 18 else f'...{case.name[-15:]}'
    axis.text(
        0.5,
        -0.012,
        f'{name} ({case.split})',
        transform=axis.transAxes,
        ha='center',
        va='top',
        fontsize=8,
    )
