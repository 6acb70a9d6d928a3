"""What several measurements leave: JSON and page of each, a table and an index of all."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..atomic import write_whole
from ..datasets.subjects import listed
from ..errors import InputError
from ..measurement import Measurement
from ..measurement.result import SCHEMA
from ..report import case_page, index_page
from .measure_files import (
    COLUMNS,
    Case,
    curve_rows,
    digest,
    measure_file,
    pixels_of,
    write_case,
    write_curves,
)
from .predict_files import remove_page
from .prediction import label_path

INDEX = 'index'
TABLE = 'curves.csv'
INDEX_TITLE = 'Ultrasound curve angles'  # of its template


class Results:
    """Writes what was measured, case by case, and at last what is about all of them.

    Args:
        out (Path): folder, made where it is not there.
        names (Sequence[str]): of all cases to come.

    Raises:
        InputError: one of several is called ``index``, as the page of all of them is; or
            a file where a record or the table would be is somebody's own.
    """

    def __init__(self, out: Path, names: Sequence[str]) -> None:
        self.several = len(names) > 1
        if self.several and INDEX in names:
            raise InputError(
                f'a case is named {INDEX}, and {INDEX}.html is the page of all of them. '
                'Rename it.'
            )
        for name in names:
            record = out / f'{name}.json'
            if record.exists() and not _is_record(record):
                raise InputError(
                    f'{record}: is there, and is no measurement that could be replaced. '
                    'Choose another folder for the results (--out).'
                )
        foreign = _own_columns(out / TABLE)
        if foreign:
            raise InputError(
                f'{out / TABLE}: has columns that are no measurement ({foreign}), and '
                'would be replaced. Rename it, or choose another folder for the results '
                '(--out).'
            )
        out.mkdir(parents=True, exist_ok=True)
        self.out = out
        self._names = list(names)
        self._refused: List[str] = []
        self._pixels: Dict[str, List[str]] = {}
        self._rows: List[List] = []
        self._cases: List[Tuple[str, Measurement]] = []

    def add(self, case: Case) -> None:
        """Writes ``NAME.json`` and ``NAME.html``."""
        write_case(case, self.out)
        page = case_page(case.measurement, case.to_dict(), case.image, case.doubts)
        write_whole(self.out / f'{case.name}.html', page)
        self._rows += curve_rows(case)
        self._pixels.setdefault(pixels_of(case), []).append(case.name)
        # The maps of hundreds of cases would fill the memory.
        nothing = np.zeros((0, 0), np.int32)
        self._cases.append((case.name, replace(case.measurement, bone_map=nothing)))
        if case.measurement.reason is not None:
            self._refused.append(f'{case.name}: not measured: {case.measurement.reason}')

    def finish(self, failures: Sequence[str]) -> str:
        """Writes ``curves.csv`` and, for several cases, ``index.html``.

        Both are of these cases alone; for a single one, an index that is there goes.
        What an earlier call has left of a case that could not be measured now goes: its
        angle would be taken for that of the file that is there.

        Args:
            failures (Sequence[str]): what is wrong with files that were not measured.

        Returns:
            str: what was written and what was refused, for the user; lines.
        """
        done = {name for name, _ in self._cases}
        for name in self._names:
            if name not in done and _is_record(self.out / f'{name}.json'):
                (self.out / f'{name}.html').unlink(missing_ok=True)
                (self.out / f'{name}.json').unlink()
        if self._rows or (self.out / TABLE).exists():
            write_curves(self._rows, self.out)
        index = self.out / f'{INDEX}.html'
        if self.several:
            write_whole(index, index_page(self._cases, failures))
        elif self._cases:
            remove_page(index, INDEX_TITLE)
        measured = len(self._cases) - len(self._refused)
        total = len(self._cases) + len(failures)
        line = f'{measured} of {total} masks measured'
        if self._cases:
            first = INDEX if self.several else self._cases[0][0]
            line += (
                f'; results in {self.out}: read {first}.html; all curves are in '
                'curves.csv'
            )
        said = []
        if {'stated', 'square'} <= set(self._pixels):
            said.append(
                f'{listed(self._pixels["square"])}: nothing states the size of a pixel, '
                'and it is taken as square, where that of others is stated'
            )
        return '\n'.join([line, *said, *self._refused])


def drop_outdated(out: Path, name: str) -> bool:
    """Removes what an earlier call has measured in labels that are others now.

    With the record and its page go the table and the index, which would have its angle.

    Args:
        out (Path): folder of the results.
        name (str): of a case whose labels have been written.

    Returns:
        bool: whether there was something to remove.
    """
    record = out / f'{name}.json'
    if not _is_record(record):
        return False
    files = json.loads(record.read_text(encoding='utf-8')).get('files', {})
    if files.get('mask') == digest(label_path(out, name)):
        return False
    (out / f'{name}.html').unlink(missing_ok=True)
    record.unlink()
    remove_page(out / f'{INDEX}.html', INDEX_TITLE)
    if not _own_columns(out / TABLE):
        (out / TABLE).unlink(missing_ok=True)
    return True


def _own_columns(table: Path) -> str:
    """Columns of a file in the place of ``curves.csv`` that are somebody's own, or why
    they cannot be read.
    """
    if not table.is_file():
        return ''
    with open(table, encoding='utf-8-sig', errors='replace', newline='') as file:
        try:
            first = next(csv.reader(file), [])
        except csv.Error as error:
            return str(error)
    return ', '.join(sorted(set(first) - set(COLUMNS)))


def _is_record(path: Path) -> bool:
    """Whether a file is a measurement, and not somebody's own JSON."""
    try:
        schema = json.loads(path.read_text(encoding='utf-8'))['schema']
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return str(schema).startswith(SCHEMA.partition('/')[0])


def measure_prediction(
    image: Path,
    out: Path,
    name: str,
    weights: Optional[Dict[str, Dict[str, str]]],
    window: Optional[Tuple[float, float]] = None,
) -> Case:
    """Measures what :meth:`.Prediction.save` has written.

    Args:
        image (Path): that was segmented.
        out (Path): folder of the results.
        name (str): of the results.
        weights (dict[str, dict], optional): of :func:`describe_weights`, for the record.
            None: the labels were there; what an earlier record of them says is kept.
        window (tuple[float, float], optional): see :func:`.measure_files.measure_file`.

    Returns:
        Case: with its image, the map of its bones, probabilities and doubts.
    """
    mask = label_path(out, name)
    case = measure_file(mask, image_file=image, name=name, window=window)
    if weights is None:
        weights = _recorded_weights(out / f'{name}.json', case.files['mask'])
    return case._replace(files=dict(case.files, **weights))


def _recorded_weights(path: Path, mask: Dict[str, str]) -> Dict[str, Dict[str, str]]:
    """By what an earlier ``NAME.json`` says that this mask was made; else nothing."""
    try:
        files = json.loads(path.read_text(encoding='utf-8'))['files']
        same = files['mask'] == mask
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    return {key: files[key] for key in files if same and key.startswith('weights')}


def describe_weights(files: Sequence[Path]) -> Dict[str, Dict[str, str]]:
    """Names and digests of the files of a model: ``weights``, ``weights 2``..."""
    return {
        f'weights {n}' if n > 1 else 'weights': digest(path)
        for n, path in enumerate(files, 1)
    }
