"""Scores as rows of one long-form table, which benchmarks and studies keep.

A row is one number. Files of rows can be put together, filtered and summed up with
pandas alone, and every table and plot is made from them.
"""

import io
from pathlib import Path
from typing import Dict, Optional, Sequence, Union

import numpy as np
import pandas as pd

from ..atomic import write_whole
from ..errors import InputError
from .metric import PAPER_ORDER

# study, setting: what was asked, and on which data the number was taken; method, seed: of
# the training; image, class: empty where the number is of no single one; score: its name,
# value: in % for overlaps, px for distances, s for times; commit: of the code.
COLUMNS = (
    'study',
    'setting',
    'method',
    'seed',
    'image',
    'class',
    'score',
    'value',
    'commit',
)
DISTANCES = ('HD95', 'ASSD')  # in which one of two masks without a class has none
RUN = ['study', 'setting', 'method', 'seed']  # what is made, and replaced, as a whole
TEXT = [name for name in COLUMNS if name not in ('seed', 'value')]


def read_rows(path: Union[str, Path]) -> pd.DataFrame:
    """Reads a file of rows.

    Args:
        path (str | Path): CSV with the columns of :data:`COLUMNS`.

    Returns:
        pd.DataFrame: those columns; empty cells of text are ``''``.

    Raises:
        InputError: no such file, other columns, or a number that stands there twice.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f'{path}: no such file of rows.')
    try:
        rows = pd.read_csv(path, dtype=dict.fromkeys(TEXT, str), keep_default_na=False)
        rows = rows.astype(dict(seed=int, value=float))
    except (ValueError, KeyError) as error:
        raise InputError(f'{path}: no file of rows ({error}).') from error
    if list(rows) != list(COLUMNS):
        raise InputError(
            f'{path}: has the columns {", ".join(rows)} instead of {", ".join(COLUMNS)}.'
        )
    twice = rows[rows.duplicated(list(COLUMNS[:7]))]
    if len(twice):
        raise InputError(
            f'{path}: {" ".join(map(str, twice.iloc[0, :7]))} stands there '
            'twice. Remove one of the rows.'
        )
    return rows


def write_rows(path: Union[str, Path], rows: pd.DataFrame) -> None:
    """Writes rows as CSV, whole or not at all."""
    text = io.StringIO()
    rows.to_csv(text, index=False, lineterminator='\n', float_format='%.10g')
    write_whole(path, text.getvalue())


def merge_rows(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """The rows of both; a run (:data:`RUN`) that is in both is the new one alone."""
    known = pd.MultiIndex.from_frame(old[RUN])
    kept = old[~known.isin(pd.MultiIndex.from_frame(new[RUN]))]
    return pd.concat([kept, new], ignore_index=True)


def rows_of_tests(
    paths: Sequence[Union[str, Path]],
    study: str,
    setting: str,
    method: str,
    seed: int,
    commit: str,
) -> pd.DataFrame:
    """The rows of a test, or of those of all folds of a cross-validation.

    Args:
        paths (Sequence[str | Path]): each a ``dice_jaccard.csv`` of
            :class:`DiceJaccardMetric`.
        study (str): and the others: see :data:`COLUMNS`.

    Returns:
        pd.DataFrame: a row for each image, class and score that is defined, and one for
        R, the mean of the runtimes.
    """
    # Undefined is an empty cell: a case may be called NA, or None.
    tables = (
        pd.read_csv(path, dtype=dict(name=str), keep_default_na=False, na_values=[''])
        for path in paths
    )
    table = pd.concat(tables)
    runtime = table.pop('runtime').mean()
    rows = table.melt('name', var_name='key').dropna().rename(columns=dict(name='image'))
    rows[['score', 'class']] = rows.pop('key').str.split('.', n=1, expand=True)
    if np.isfinite(runtime):
        total = {'image': '', 'class': '', 'score': 'R', 'value': runtime}
        rows = pd.concat([rows, pd.DataFrame([total])])
    rows = rows.assign(
        study=study, setting=setting, method=method, seed=seed, commit=commit
    )
    return rows[list(COLUMNS)].reset_index(drop=True)


def rows_of_costs(
    costs: Dict[str, dict], study: str, setting: str, commit: str
) -> pd.DataFrame:
    """What :func:`seam_seg.apis.costs.measure_costs` returns, as rows.

    Args:
        costs (dict[str, dict]): method -> cost.
        study (str): and the others: see :data:`COLUMNS`.
    """
    found = []
    for method, cost in costs.items():
        rounds = [(f'round {i}', 'seconds', s) for i, s in enumerate(cost['seconds'])]
        keys = ('parameters', 'flops', 'peak_bytes', 'other_cores')
        single = [('', key, cost[key]) for key in keys if np.isfinite(cost[key])]
        found += [
            (study, setting, method, 0, image, '', score, value, commit)
            for image, score, value in (*rounds, *single)
        ]
    return pd.DataFrame(found, columns=list(COLUMNS))


def classes_of(rows: pd.DataFrame) -> list:
    """The classes in rows, those of the paper first and in its order."""
    found = [name for name in rows['class'].unique() if name]
    return [
        *(name for name in PAPER_ORDER if name in found),
        *(name for name in found if name not in PAPER_ORDER),
    ]


def mean_scores(rows: pd.DataFrame) -> pd.DataFrame:
    """What :class:`DiceJaccardMetric` returns, of each method and seed of one setting.

    Args:
        rows (pd.DataFrame): of one study and setting.

    Returns:
        pd.DataFrame: by method (in their order) and seed; columns ``Dice.<class>`` and
        so on, the means over the images, and ``mDice`` and so on, their averages over
        the classes: nan where a class that has a Dice lacks the score in all images.
    """
    images = rows[rows['image'] != '']
    key = images['score'] + '.' + images['class']
    table = images.pivot_table('value', ['method', 'seed'], key, sort=False)
    classes = classes_of(images)
    for score in images['score'].unique():
        names = [f'{score}.{name}' for name in classes]
        dice = table.reindex(columns=[f'Dice.{name}' for name in classes])
        values = table.reindex(columns=names)
        scored = dice.notna().to_numpy()
        lacking = (scored & values.isna().to_numpy()).any(axis=1)
        table[f'm{score}'] = np.where(
            lacking, np.nan, values.where(scored).mean(axis=1, skipna=True)
        )
    return table


def image_scores(rows: pd.DataFrame, score: str) -> pd.DataFrame:
    """A score of each image.

    Args:
        rows (pd.DataFrame): of one study and setting.
        score (str): as ``'Dice.rib'``; or ``'Dice'``, the average over the classes.

    Returns:
        pd.DataFrame: by method (in their order) and seed, a column for each image; nan
        where an image has no such score. An average of distances is nan, too, where a
        class that has a Dice has no distance: in a contrast, a method that misses the
        class must not gain by it. (The mean of one method's alone leaves its hard images
        out.)
    """
    score, _, name = score.partition('.')
    rows = rows[rows['image'] != '']
    found = rows[rows['score'] == score]
    if name:
        found = found[found['class'] == name]
    elif score in DISTANCES:
        case = ['method', 'seed', 'image']
        counts = found.groupby(case).size()
        dice = rows[rows['score'] == 'Dice'].groupby(case).size()
        whole = counts.index[counts == dice.reindex(counts.index)]
        found = found[pd.MultiIndex.from_frame(found[case]).isin(whole)]
    return found.pivot_table('value', ['method', 'seed'], 'image', sort=False)


def image_dice(rows: pd.DataFrame) -> pd.DataFrame:
    """Average Dice over the classes of each image, in %; see :func:`image_scores`."""
    return image_scores(rows, 'Dice')


def commits_of(rows: pd.DataFrame) -> str:
    """A sentence that says which code rows come from, and whether it is one."""
    commits = sorted(rows['commit'].unique())
    if len(commits) == 1:
        return f'All rows come from commit {commits[0]}.'
    counts = rows.drop_duplicates([*RUN, 'commit']).groupby('commit').size()
    parts = ', '.join(f'{name} ({counts[name]} runs)' for name in commits)
    return f'The rows come from several commits: {parts}.'


def cell(values: Optional[Sequence[float]], digits: int = 2) -> str:
    """Mean and standard deviation over the seeds as text; '-' where one is undefined."""
    if values is None or not len(values) or np.isnan(values).any():
        return '-'
    spread = f' ± {np.std(values, ddof=1):.{digits}f}' if len(values) > 1 else ''
    return f'{np.mean(values):.{digits}f}{spread}'
