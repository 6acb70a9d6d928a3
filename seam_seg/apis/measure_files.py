"""Measurement of files: finds what belongs to a mask, writes JSON and a table."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np
import scipy

from ..atomic import write_csv, write_json
from ..datasets import VPIDataset
from ..datasets.history import file_digest
from ..datasets.listing import IMAGE_SUFFIXES, is_image, split_name
from ..datasets.readers import (
    Spacing,
    check_directions,
    decode,
    read_image,
    read_left,
    read_mask,
    read_spacing,
)
from ..errors import InputError
from ..measurement import Bone, Curve, Measurement, Settings, measure_mask
from ..version import __version__

MASK_SUFFIX = '_bone_3'  # of masks in a data set: NAME_bone_3.png is of NAME.png
COLUMNS = (
    'name',
    'doubt',
    'largest_curve_angle_deg',
    'curve',
    'angle_deg',
    'low_deg',
    'high_deg',
    'raw_angle_deg',
    'center_line_angle_deg',
    'upper',
    'apex',
    'lower',
    'convex_to',
    'side',
    'region',
    'severity',
    'flags',
    'reason',
    'pixels',
)


class Folders(NamedTuple):
    """Where to look for what goes with a mask; None: beside it, or nowhere.

    Attributes:
        images (Path, optional): grey images, for the picture and for the size of a
            pixel. Default: nowhere.
        instances (Path, optional): maps of bones. Default: the folder ``instances``
            beside the mask, or beside a folder that holds it.
        confidence (Path, optional): probabilities as tools/predict.py writes them.
            Default: the folder ``confidence``, likewise.
    """

    images: Optional[Path] = None
    instances: Optional[Path] = None
    confidence: Optional[Path] = None


class Case(NamedTuple):
    """A mask and what was measured in it.

    Attributes:
        name (str): file name of the mask without its ending, after its folders below
            the one that was named.
        measurement (Measurement): of it.
        mask (np.ndarray): (H, W) uint8.
        image (np.ndarray | None): (H, W) uint8.
        files (dict[str, dict]): ``mask``, and where they were used ``image``,
            ``instances``, ``confidence`` and ``bones``: name and SHA-256.
        doubts (dict[int, float] | None): of bones, by id, where tools/predict.py has
            written their table beside the map of instances.
        spacing (Spacing | None): what the image, or else the mask, states, where that
            was asked.
    """

    name: str
    measurement: Measurement
    mask: np.ndarray
    image: Optional[np.ndarray]
    files: Dict[str, Dict[str, str]]
    doubts: Optional[Dict[int, float]] = None
    spacing: Optional[Spacing] = None

    def to_dict(self) -> Dict[str, Any]:
        """The content of ``NAME.json``."""
        software = dict(
            seam_seg=__version__,
            numpy=np.__version__,
            scipy=scipy.__version__,
            opencv=cv2.__version__,
        )
        content = self.measurement.to_dict()
        return dict(content, name=self.name, files=self.files, software=software)


def find_companion(
    folder: Optional[Path], mask: Path, name: Optional[str] = None
) -> Optional[Path]:
    """The file in a folder that belongs to a mask, of whatever format.

    Args:
        folder (Path, optional): where to look.
        mask (Path): which is not its own companion.
        name (str, optional): to look for, after folders below ``folder``: ``NAME``, or
            ``NAME_bone_3`` for ``NAME``, too, as in a data set. Default: that of the mask
            without its ending.

    Returns:
        Path | None: None where there is none.

    Raises:
        InputError: there are several, as an image beside its export, which may be of
            other sizes of a pixel.
    """
    if folder is None:
        return None
    name = split_name(mask)[0] if name is None else name
    names = [name]
    if name.endswith(MASK_SUFFIX):
        names.append(name[: -len(MASK_SUFFIX)])
    for stem in names:
        found: List[Path] = []
        for suffix in ('', *IMAGE_SUFFIXES):
            for ending in dict.fromkeys((suffix, suffix.upper())):
                path = folder / f'{stem}{ending}'
                if not path.is_file() or not (suffix or is_image(path)):
                    continue
                # Some file systems find a.png as a.PNG, too.
                if not any(map(path.samefile, [mask, *found])):
                    found.append(path)
        if len(found) > 1:
            raise InputError(
                f'{mask}: both {found[0]} and {found[1].name} have its name. Take one of '
                'them out of the folder.'
            )
        if found:
            return found[0]
    return None


def _home(kind: str, mask: Path) -> Tuple[Optional[Path], str]:
    """Where tools/predict.py writes what is of a kind, if the mask is one of its labels.

    Args:
        kind (str): such as ``'instances'``.
        mask (Path): such as ``results/p01/scan.png``.

    Returns:
        tuple[Path | None, str]: ``results/instances`` and the name there, ``'p01/scan'``.
    """
    place = mask.absolute()
    place = place.with_name(split_name(place)[0])
    for folder in place.parents:
        if (folder / kind).is_dir():
            return folder / kind, place.relative_to(folder).as_posix()
    return None, place.name


def check_folders(folders: Folders) -> None:
    """Refuses folders that are named and not there.

    Raises:
        InputError: one of them is no folder.
    """
    for option, folder in folders._asdict().items():
        if folder is not None and not folder.is_dir():
            raise InputError(f'--{option} {folder}: no such folder.')


def measure_file(
    path: Path,
    folders: Folders = Folders(),
    settings: Settings = Settings(),
    image_file: Optional[Path] = None,
    name: Optional[str] = None,
    ask_spacing: bool = True,
    window: Optional[Tuple[float, float]] = None,
) -> Case:
    """Measures a mask file.

    Args:
        path (Path): labels: 0 background, 1 rib, 2 thoracic, 3 lumbar.
        folders (Folders): of what goes with it.
        settings (Settings): of the measurement.
        image_file (Path, optional): the image. Default: looked for in its folder.
        name (str, optional): of the case, from :func:`.predict_files.find_images`.
            Default: the name of the file without its ending.
        ask_spacing (bool): whether the size of a pixel that the image, or else the mask,
            states takes the place of that in the settings. Default: True.
        window (tuple[float, float], optional): by which the image is shown, see
            :func:`seam_seg.datasets.readers.window_of`.

    Returns:
        Case: also where the measurement was refused; then it has a reason.

    Raises:
        InputError: the mask, or what goes with it, cannot be read, or sizes differ.
    """
    classes = VPIDataset.METAINFO['classes']
    mask = read_mask(path, len(classes), classes=classes)
    name = split_name(path)[0] if name is None else name
    places = dict(image=image_file or find_companion(folders.images, path, name))
    homes: Dict[str, Tuple[Optional[Path], str]] = {}
    for kind in ('instances', 'confidence'):
        named = getattr(folders, kind)
        homes[kind] = _home(kind, path) if named is None else (named, name)
    for kind, (folder, own_name) in homes.items():
        places[kind] = find_companion(folder, path, own_name)
    found = {kind: place for kind, place in places.items() if place is not None}
    stating = [*filter(None, [places['image'], path])]
    for file in stating:
        try:
            settings.check_left(read_left(file))
        except InputError as error:
            raise InputError(f'{file}: {error}') from None
    spacing = None
    if ask_spacing:
        settings, spacing = _with_spacing(settings, stating)
    image = read_image(found['image'], window) if 'image' in found else None
    if image is not None:
        check_directions(path, found['image'])
    maps: Dict[str, np.ndarray] = {
        kind: _read_map(found[kind], kind)
        for kind in ('instances', 'confidence')
        if kind in found
    }
    for kind, pixels in dict(maps, **({} if image is None else {'image': image})).items():
        if pixels.shape != mask.shape:
            raise InputError(
                f'{found[kind]}: is {pixels.shape[0]} x {pixels.shape[1]} (height x '
                f'width), but the mask {path.name} is {mask.shape[0]} x {mask.shape[1]}. '
                'They must have the same size.'
            )
    confidence = maps.get('confidence')
    measurement = measure_mask(
        mask,
        maps.get('instances'),
        None if confidence is None else confidence.astype(np.float32) / 255,
        settings,
    )
    doubts = None
    folder = homes['instances'][0]
    if folder is not None and 'instances' in found:
        below = found['instances'].relative_to(folder)
        below = below.with_name(f'{split_name(below)[0]}.csv')
        table = folder.with_name('bones') / below
        if table.is_file():
            doubts = read_doubts(table, measurement.bones)
            found['bones'] = table
    files = {kind: digest(place) for kind, place in dict(mask=path, **found).items()}
    if 'image' in files and window is not None:
        files['image']['window'] = f'{window[0]:g} to {window[1]:g}'
    return Case(name, measurement, mask, image, files, doubts, spacing)


def _with_spacing(
    settings: Settings, files: Sequence[Path]
) -> Tuple[Settings, Optional[Spacing]]:
    """Settings with the size that a pixel has by the first file that says so; and it."""
    for path in files:
        spacing = read_spacing(path)
        if spacing is not None:
            try:
                return replace(settings, spacing=(spacing.row, spacing.column)), spacing
            except InputError as error:
                raise InputError(f'{path}: {error}') from None
    return settings, None


def digest(path: Path) -> Dict[str, str]:
    """The name and the SHA-256 of a file."""
    return dict(file=path.name, sha256=file_digest(path))


def read_doubts(table: Path, bones: Sequence[Bone]) -> Dict[int, float]:
    """The doubt of bones that are still as tools/predict.py has predicted them.

    Args:
        table (Path): ``bones/NAME.csv``.
        bones (Sequence[Bone]): measured, with the ids of the map of instances.

    Returns:
        dict[int, float]: by id; of bones that were corrected nothing is known.

    Raises:
        InputError: it is no such table.
    """
    try:
        with open(table, encoding='utf-8', newline='') as file:
            rows = {
                (int(row['id']), row['bone'], int(row['area'])): float(row['doubt'])
                for row in csv.DictReader(file)
            }
    except (KeyError, TypeError, ValueError, csv.Error):
        raise InputError(
            f'{table}: is no table of bones as tools/predict.py writes it. Make it '
            'again, or remove it.'
        ) from None
    found = {bone.id: rows.get((bone.id, bone.bone, bone.area)) for bone in bones}
    return {name: doubt for name, doubt in found.items() if doubt is not None}


def _read_map(path: Path, kind: str) -> np.ndarray:
    """A map of one channel: numbers of bones, or probabilities times 255."""
    pixels = decode(path, kind)
    types = (np.uint8, np.uint16) if kind == 'instances' else (np.uint8,)
    if pixels.ndim != 2 or pixels.dtype not in types:
        raise InputError(
            f'{path}: {pixels.shape} of {pixels.dtype} is no map of {kind} as '
            'tools/predict.py writes it. Remove it, or name another folder by '
            f'--{kind}.'
        )
    return pixels


def write_case(case: Case, out: Path) -> None:
    """Writes ``out/NAME.json``.

    Args:
        case (Case): from :func:`measure_file`.
        out (Path): folder.
    """
    write_json(out / f'{case.name}.json', case.to_dict())


def curve_rows(case: Case) -> List[List]:
    """The lines of ``curves.csv`` for a case: one for each curve, or one without any."""
    measurement = case.measurement
    flags, pixels = measurement.flags, pixels_of(case)
    start = [case.name, measurement.doubt, measurement.largest_curve_angle_deg]
    if not measurement.curves:
        empty = [''] * (len(COLUMNS) - len(start) - 3)
        return [[*start, *empty, ' '.join(flags), measurement.reason, pixels]]
    return [
        [*start, n, *_curve_cells(curve), ' '.join([*curve.flags, *flags]), '', pixels]
        for n, curve in enumerate(measurement.curves, 1)
    ]


def pixels_of(case: Case) -> str:
    """Who says how high and how wide a pixel is: ``'stated'`` by the file, ``'given'``
    by the settings, or ``'square'``, which nobody said.
    """
    if case.spacing is not None:
        return 'stated'
    given = case.measurement.settings.spacing != Settings.spacing
    return 'given' if given else 'square'


def _curve_cells(curve: Curve) -> Iterator:
    yield curve.angle_deg
    yield from curve.interval_deg or (None, None)
    yield from (curve.raw_angle_deg, curve.center_line_angle_deg)
    yield from (curve.upper_name, curve.apex_name, curve.lower_name)
    yield from (curve.convex_to, curve.side, curve.region, curve.severity)


def write_curves(rows: Sequence[Sequence], out: Path) -> None:
    """Writes ``out/curves.csv``, the most doubtful case first.

    A doubt that is infinite, of a case without an interval, is left empty.

    Args:
        rows (Sequence[Sequence]): of :func:`curve_rows`, of all cases.
        out (Path): folder.
    """
    ordered = sorted(rows, key=lambda row: -row[1])  # stable: a case stays together
    cells = [[_cell(value) for value in row] for row in ordered]
    write_csv(out / 'curves.csv', [COLUMNS, *cells])


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return f'{value:.2f}' if np.isfinite(value) else ''
    return value
