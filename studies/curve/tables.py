"""The tables and plots of how accurate curve angles are."""

from pathlib import Path
from typing import Callable, Dict, List

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from seam_seg.atomic import write_figure
from studies.blocks import number, origin, rows_of, table

TRUE = ('mask', 'instances', 'floor')
NO_GOAL = ('hard',)
STRAIGHT = 10.0  # deg: below, a spine has no curve
SCORES = ('smoothed', 'raw', 'center line')


def cases_of(rows: pd.DataFrame, method: str, family: str = '') -> pd.DataFrame:
    """The cases of a method that were measured, a column for each score."""
    own = rows[rows['method'] == method]
    if family:
        own = own[own['setting'] == family]
    wide = own.pivot_table('value', ['setting', 'image'], 'score', sort=False)
    return wide.reindex(columns=[*SCORES, 'truth', 'half width', 'refused', 'curves',
                                 'found', 'ends'])  # fmt: skip


def icc(one: np.ndarray, other: np.ndarray) -> float:
    """ICC(2,1), absolute agreement of single measurements (Shrout & Fleiss 1979)."""
    both = np.stack([one, other], axis=1)
    n, k = both.shape
    grand = both.mean()
    rows = k * ((both.mean(axis=1) - grand) ** 2).sum() / max(n - 1, 1)
    columns = n * ((both.mean(axis=0) - grand) ** 2).sum() / (k - 1)
    rest = both - both.mean(axis=1, keepdims=True) - both.mean(axis=0) + grand
    error = (rest**2).sum() / max((n - 1) * (k - 1), 1)
    return (rows - error) / (rows + (k - 1) * error + k * (columns - error) / n)


def families_of(rows: pd.DataFrame) -> List[str]:
    return list(dict.fromkeys(rows['setting']))


def accuracy(method: str) -> Callable[[Path], str]:
    """A table of the largest angle, by family."""

    def make(folder: Path) -> str:
        rows = rows_of(folder)
        rows = rows[rows['method'].isin([method, 'floor'])]
        lines = []
        for family in families_of(rows[rows['method'] == method]):
            everyone = cases_of(rows, method, family)
            cases = everyone.dropna(subset=['truth'])
            off = cases['smoothed'] - cases['truth']
            floor = cases_of(rows, 'floor', family).dropna(subset=['truth'])
            spread = 1.96 * off.std()
            agreement = icc(cases['smoothed'].to_numpy(), cases['truth'].to_numpy())
            lines.append([
                f'`{family}`', len(everyone), number(off.abs().mean()),
                number(off.mean(), '+.2f'),
                f'{off.mean() - spread:+.1f} to {off.mean() + spread:+.1f}',
                number(agreement, '.3f'),
                number(100 * (off.abs() <= 5).mean(), '.0f'),
                number(100 * everyone['refused'].mean(), '.0f'),
                number((floor['smoothed'] - floor['truth']).abs().mean()),
            ])  # fmt: skip
        titles = ['family', 'cases', 'MAE', 'bias', '95% limits of agreement', 'ICC',
                  'within 5 deg, %', 'refused, %', 'MAE of the floor']  # fmt: skip
        return table(titles, lines) + origin(rows)

    return make


def straight(method: str) -> Callable[[Path], str]:
    """A table of spines of a true angle under 10 deg, and of all others."""

    def make(folder: Path) -> str:
        rows = rows_of(folder)
        rows = rows[rows['method'] == method]
        lines = []
        for family in families_of(rows):
            cases = cases_of(rows, method, family).dropna(subset=['truth'])
            off = cases['smoothed'] - cases['truth']
            level = cases['truth'] < STRAIGHT
            cells = []
            for part in (off[level], off[~level]):
                cells += [
                    len(part),
                    number(part.abs().mean()),
                    number(part.mean(), '+.2f'),
                ]
            lines.append([f'`{family}`', *cells])
        titles = [
            'family',
            'under 10 deg',
            'MAE',
            'bias',
            '10 deg and more',
            'MAE',
            'bias',
        ]
        return table(titles, lines) + origin(rows)

    return make


def methods(folder: Path) -> str:
    """The three angles beside one another, and with the map of bones."""
    rows = rows_of(folder)
    rows = rows[rows['method'].isin(TRUE)]
    lines = []
    for family in families_of(rows):
        cells = []
        pairs = [('mask', score) for score in SCORES]
        for method, score in [*pairs, ('instances', 'smoothed'), ('floor', 'smoothed')]:
            cases = cases_of(rows, method, family).dropna(subset=['truth'])
            off = cases[score] - cases['truth']
            cells.append(f'{off.abs().mean():.2f} ({off.mean():+.2f})')
        lines.append([f'`{family}`', *cells])
    titles = ['family', *SCORES, 'smoothed, with the map of bones', 'smoothed, floor']
    return table(titles, lines) + origin(rows)


def interval(method: str) -> Callable[[Path], str]:
    """Coverage of the 90% interval, and its width."""

    def make(folder: Path) -> str:
        rows = rows_of(folder)
        rows = rows[rows['method'] == method]
        cases = cases_of(rows, method).dropna(subset=['truth', 'half width'])
        family = cases.index.get_level_values('setting')
        pooled = cases[~family.isin(NO_GOAL)]
        parts: Dict[str, pd.DataFrame] = {
            f'`{name}`': cases[family == name] for name in families_of(rows)
        }
        parts['all but `hard`'] = pooled
        cuts = pooled['half width'].quantile([1 / 3, 2 / 3]).to_numpy()
        third = np.searchsorted(cuts, pooled['half width'])
        for n, name in enumerate(('narrowest third', 'middle third', 'widest third')):
            parts[name] = pooled[third == n]
        lines = []
        for name, part in parts.items():
            off = (part['smoothed'] - part['truth']).abs()
            inside = off <= part['half width']
            lines.append([
                name, len(part), number(100 * inside.mean(), '.0f'),
                number(2 * part['half width'].median(), '.1f'), number(off.mean()),
            ])  # fmt: skip
        titles = ['', 'cases', 'coverage, %', 'median width, deg', 'MAE, deg']
        return table(titles, lines) + origin(rows)

    return make


def levels(method: str) -> Callable[[Path], str]:
    """End levels of the largest curve, and curves that were found."""

    def make(folder: Path) -> str:
        rows = rows_of(folder)
        rows = rows[rows['method'] == method]
        lines = []
        for family in families_of(rows):
            cases = cases_of(rows, method, family).dropna(subset=['curves'])
            lines.append([
                f'`{family}`', len(cases), number(50 * cases['ends'].mean(), '.0f'),
                int(cases['curves'].sum()),
                number(100 * cases['found'].sum() / cases['curves'].sum(), '.0f'),
            ])  # fmt: skip
        titles = ['family', 'cases with a curve', 'end levels within one, %',
                  'curves of 10 deg', 'found, %']  # fmt: skip
        return table(titles, lines) + origin(rows)

    return make


def plot(folder: Path, path: Path) -> None:
    """Bland-Altman plots, one for each method."""
    rows = rows_of(folder)
    names = [name for name in dict.fromkeys(rows['method']) if name != 'floor']
    figure, axes = plt.subplots(1, len(names), figsize=(5 * len(names), 3.6), sharey=True,
                                squeeze=False)  # fmt: skip
    for axis, method in zip(axes[0], names):
        cases = cases_of(rows, method).dropna(subset=['truth'])
        hard = cases.index.get_level_values('setting').isin(NO_GOAL)
        off = cases['smoothed'] - cases['truth']
        mean = (cases['smoothed'] + cases['truth']) / 2
        for part, colour, name in ((~hard, '#1f6f8b', 'all but hard'),
                                   (hard, '#b0b0b0', 'hard')):  # fmt: skip
            axis.scatter(mean[part], off[part], s=8, color=colour, label=name)
        bias, spread = off[~hard].mean(), 1.96 * off[~hard].std()
        for value, style in ((bias, '-'), (bias - spread, '--'), (bias + spread, '--')):
            axis.axhline(value, color='black', linewidth=0.8, linestyle=style)
        axis.set_title(method)
        axis.set_xlabel('mean of measured and true angle, deg')
    axes[0][0].set_ylabel('measured - true, deg')
    axes[0][0].legend(fontsize=8)
    write_figure(path, figure)
    plt.close(figure)


BLOCKS = {
    'curve.accuracy': accuracy('mask'),
    'curve.straight': straight('mask'),
    'curve.methods': methods,
    'curve.interval': interval('mask'),
    'curve.levels': levels('mask'),
    'curve.predicted': accuracy('predicted'),
    'curve.predicted.straight': straight('predicted'),
    'curve.predicted.interval': interval('predicted'),
    'curve.predicted.levels': levels('predicted'),
}
PLOTS = {'bland_altman.png': plot}
