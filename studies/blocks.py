"""What the tables of the studies share: their rows, and Markdown."""

import functools
from pathlib import Path
from typing import Iterable, Optional, Sequence

import numpy as np
import pandas as pd

from seam_seg.evaluation.rows import commits_of, read_rows


def rows_of(folder: Path, *settings: str) -> pd.DataFrame:
    """The rows of a study.

    Args:
        folder (Path): of the study.
        settings (str): those alone. Default: all.

    Returns:
        pd.DataFrame: see :mod:`seam_seg.evaluation.rows`.

    Raises:
        InputError: there is no such file, or it is malformed.
    """
    path = folder / 'results.csv'
    rows = _read_once(path, path.stat().st_mtime_ns if path.exists() else 0)
    return rows[rows['setting'].isin(settings)] if settings else rows.copy()


@functools.lru_cache(maxsize=4)
def _read_once(path: Path, changed: int) -> pd.DataFrame:
    """The rows of a file, which each table of a page asks for."""
    return read_rows(path)


def value_of(
    rows: pd.DataFrame, score: str, method: Optional[str] = None, class_name: str = ''
) -> float:
    """The one value of a score that is of no single image; nan where there is none."""
    found = rows[(rows['score'] == score) & (rows['class'] == class_name)]
    found = found[found['image'] == '']
    if method is not None:
        found = found[found['method'] == method]
    return found['value'].item() if len(found) else np.nan


def mean_of(rows: pd.DataFrame, score: str, class_name: str) -> float:
    """The mean of a score of a class over the images, or the mean that was kept of it."""
    return rows[(rows['score'] == score) & (rows['class'] == class_name)]['value'].mean()


def number(value: float, form: str = '.2f') -> str:
    """A number as text; '-' where it is undefined."""
    return '-' if np.isnan(value) else format(value, form)


def table(titles: Sequence[str], lines: Iterable[Sequence]) -> str:
    """A table in Markdown; a change of one cell changes one of its lines."""
    rows = (titles, ['---'] * len(titles), *lines)
    return '\n'.join(f'| {" | ".join(map(str, cells))} |' for cells in rows)


def origin(rows: pd.DataFrame, always: bool = True) -> str:
    """The sentence below a table that says which code its rows come from.

    Args:
        rows (pd.DataFrame): that the table was made from.
        always (bool): also where they come from one commit. Default: True.

    Returns:
        str: a paragraph, with the empty line above it; or nothing.
    """
    commits = set(rows['commit'])
    if len(commits) == 1 and not always:
        return ''
    if commits == {'unrecorded'}:
        return '\n\nThe commit of the code was not recorded.'
    return f'\n\n{commits_of(rows)}'
