"""Scores on paper: the row of Table 1, a summary, and a row for each image."""

from pathlib import Path
from typing import Dict, Mapping, Sequence, Union

import numpy as np
from prettytable import PrettyTable

from ..atomic import write_csv, write_json

Column = Union[Sequence, np.ndarray]


def score_table(metrics: Dict[str, float], classes: Sequence[str], images: int) -> str:
    """Sets the scores as a row of Table 1, below the number of images without a score.

    Args:
        metrics (dict[str, float]): of :class:`~seam_seg.evaluation.DiceJaccardMetric`.
        classes (Sequence[str]): those that are scored, in the order of the columns.
        images (int): how many were tested on.

    Returns:
        str: several lines.
    """
    undefined = ', '.join(f'{name} {metrics[f"undefined.{name}"]}' for name in classes)
    missing = [name for name in classes if f'Dice.{name}' not in metrics]
    if missing:
        undefined += f'; the average leaves {", ".join(missing)} out'
    cells = {}
    for name in classes:
        cells[f'{name.capitalize()} D (%)'] = metrics.get(f'Dice.{name}')
        cells[f'{name.capitalize()} J (%)'] = metrics.get(f'Jaccard.{name}')
    cells['Ave. D (%)'], cells['Ave. J (%)'] = metrics['mDice'], metrics['mJaccard']
    row = [
        '-' if value is None or np.isnan(value) else f'{value:.2f}'
        for value in cells.values()
    ]
    table = PrettyTable([*cells, 'R (s)'])
    table.add_row([*row, f'{metrics["R"]:.3f}' if 'R' in metrics else '-'])
    return (
        f'mean of the per-image scores of {images} images; without a score '
        f'(absent from both masks): {undefined}\n{table.get_string()}'
    )


def write_scores(
    folder: Union[str, Path], metrics: Dict[str, float], table: Mapping[str, Column]
) -> None:
    """Writes ``dice_jaccard.json`` (the summary) and ``dice_jaccard.csv`` (the images).

    Args:
        folder (str | Path): to write to.
        metrics (dict[str, float]): of :class:`~seam_seg.evaluation.DiceJaccardMetric`.
        table (Mapping[str, Column]): by their titles, columns with a cell for each
            image: ``name``, then numbers, where nan or None is no score.
    """
    unit = 'mean of per-image scores in %, R in seconds per image'
    if 'mHD95' in metrics:
        unit += ', HD95 and ASSD in pixels'
    summary = {key: None if np.isnan(value) else value for key, value in metrics.items()}
    write_json(
        Path(folder) / 'dice_jaccard.json',
        dict(images=len(table['name']), unit=unit, **summary),
    )
    write_csv(
        Path(folder) / 'dice_jaccard.csv',
        [list(table), *([_cell(value) for value in row] for row in zip(*table.values()))],
    )


def _cell(value: Union[str, float, None]) -> str:
    """A name as it is, a number with six digits, and nothing for no number."""
    if isinstance(value, str):
        return value
    return '' if value is None or np.isnan(value) else f'{value:.6f}'
