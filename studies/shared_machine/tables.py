"""The table of how long a training step takes on a shared machine."""

from pathlib import Path

import pandas as pd

from studies.blocks import origin, rows_of, table
from studies.shared_machine.measure import ALONE, JOBS, SETTINGS, TORCH


def seconds(folder: Path, of_steps: str = 'mean') -> pd.DataFrame:
    """Seconds of a step, by setting, and a column for each job.

    Args:
        folder (Path): of the study.
        of_steps (str): what pandas takes of the steps. Default: their mean, since a
            training takes as long as all of its steps.
    """
    found = rows_of(folder).pivot_table('value', 'method', 'setting', aggfunc=of_steps)
    return found.loc[list(SETTINGS), list(JOBS)]


def steps(folder: Path) -> str:
    """Every setting alone and beside the jobs: seconds, against torch's alone, worst."""
    means, worst = seconds(folder), seconds(folder, 'max')
    reference = means.loc[TORCH, ALONE]
    lines = [
        [
            name,
            *(
                f'{mean:.2f} ({mean / reference:.1f}), {longest:.2f}'
                for mean, longest in zip(means.loc[name], worst.loc[name])
            ),
        ]
        for name in means.index
    ]
    title = 'mean seconds (ratio), longest step'
    return table([title, *JOBS], lines) + origin(rows_of(folder))


BLOCKS = {'shared_machine.steps': steps}
PLOTS: dict = {}
