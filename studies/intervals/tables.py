"""The tables of how often intervals hold the truth."""

from pathlib import Path
from typing import Callable, Dict

from studies.blocks import origin, rows_of, table, value_of

PLOTS: Dict[str, Callable[[Path, Path], None]] = {}


def coverage(folder: Path) -> str:
    """By setting and interval: coverage in %, and width over the known one."""
    rows = rows_of(folder)
    rows = rows[rows['method'] != 'MixedLM']
    methods = list(rows['method'].unique())
    lines = [
        [
            name,
            *(
                f'{value_of(own, "coverage", method):.1f} '
                f'({value_of(own, "width", method):.2f})'
                for method in methods
            ),
        ]
        for name, own in rows.groupby('setting', sort=False)
    ]
    return table(['Seeds x images', *methods], lines) + origin(rows)


def fitted(folder: Path) -> str:
    """What MixedLM of statsmodels does with the same samples."""
    rows = rows_of(folder)
    rows = rows[rows['method'] == 'MixedLM']
    lines = [
        [
            name,
            f'{value_of(own, "converged"):.0f}',
            f'{value_of(own, "coverage"):.0f} ({value_of(own, "width"):.2f})',
        ]
        for name, own in rows.groupby('setting', sort=False)
    ]
    return table(['Seeds x images', 'converged (%)', 'MixedLM'], lines)


BLOCKS = {'intervals.coverage': coverage, 'intervals.fitted': fitted}
