"""The table of how long a training step takes on a shared machine."""

from pathlib import Path

import pandas as pd

from studies.blocks import origin, rows_of, table
from studies.shared_machine.measure import ALONE, JOBS, SETTINGS, TORCH


def medians(folder: Path) -> pd.DataFrame:
    """Median seconds of a step, by setting, and a column for each job."""
    found = rows_of(folder).pivot_table('value', 'method', 'setting', aggfunc='median')
    return found.loc[list(SETTINGS), list(JOBS)]


def steps(folder: Path) -> str:
    """Every setting alone and beside the jobs, in seconds and against torch's, alone."""
    found = medians(folder)
    reference = found.loc[TORCH, ALONE]
    lines = [
        [name, *(f'{value:.2f} ({value / reference:.1f})' for value in row)]
        for name, row in zip(found.index, found.to_numpy())
    ]
    return table(['median seconds (ratio)', *JOBS], lines) + origin(rows_of(folder))


BLOCKS = {'shared_machine.steps': steps}
PLOTS: dict = {}
