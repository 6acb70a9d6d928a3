"""The tables and plots of how accurate curve angles are."""

from pathlib import Path
from typing import Callable, Dict, List

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from seam_seg.atomic import write_figure
from studies.blocks import number, origin, rows_of, table

NO_GOAL = ('hard',)
POOLED = 'all but `hard`'
STRAIGHT = 10.0  # deg: below, a spine has no curve
SCORES = ('smoothed', 'raw', 'center line')
COLUMNS = [*SCORES, 'truth', 'half width', 'refused', 'curves', 'found', 'ends']
# Of each method the same smoothing with perfect pairs and splits.
MASKS = dict(mask='true masks', predicted='predicted masks')
FLOORS = dict(mask='floor', predicted='predicted floor')


def cases_of(rows: pd.DataFrame, method: str) -> pd.DataFrame:
    """The cases (setting, image) of a method, a column for each score; nan where one was
    refused, and in what is of spines with a curve alone."""
    own = rows[rows['method'] == method]
    wide = own.pivot_table('value', ['setting', 'image'], 'score', sort=False)
    return wide.reindex(columns=COLUMNS)


def measured_of(rows: pd.DataFrame, method: str) -> pd.DataFrame:
    """Those that were not refused, with ``off``, measured minus true angle."""
    cases = cases_of(rows, method).dropna(subset=['truth'])
    return cases.assign(off=cases['smoothed'] - cases['truth'])


def parts_of(cases: pd.DataFrame) -> Dict[str, pd.DataFrame]:
    """The cases of each family, and of all that have a goal."""
    family = cases.index.get_level_values('setting')
    parts = {f'`{name}`': cases[family == name] for name in dict.fromkeys(family)}
    parts[POOLED] = cases[~family.isin(NO_GOAL)]
    return parts


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


def error_of(off: pd.Series) -> str:
    """The mean absolute error, and the bias."""
    return f'{off.abs().mean():.2f} ({off.mean():+.2f})' if len(off) else '-'


def accuracy(method: str) -> Callable[[Path], str]:
    """A table of the largest angle, by family."""

    def make(folder: Path) -> str:
        rows = rows_of(folder)
        rows = rows[rows['method'].isin([method, FLOORS[method]])]
        everyone = parts_of(cases_of(rows, method))
        floors = parts_of(measured_of(rows, FLOORS[method]))
        lines = []
        for name, cases in parts_of(measured_of(rows, method)).items():
            off = cases['off']
            spread = 1.96 * off.std()
            agreement = icc(cases['smoothed'].to_numpy(), cases['truth'].to_numpy())
            lines.append([
                name, len(everyone[name]), number(off.abs().mean()),
                number(off.mean(), '+.2f'),
                f'{off.mean() - spread:+.1f} to {off.mean() + spread:+.1f}',
                number(agreement, '.3f'),
                number(100 * (off.abs() <= 5).mean(), '.0f'),
                number(100 * everyone[name]['refused'].mean(), '.1f'),
                number(floors[name]['off'].abs().mean()),
            ])  # fmt: skip
        titles = ['family', 'cases', 'MAE', 'bias', '95% limits of agreement', 'ICC',
                  'within 5 deg, %', 'refused, %', 'MAE of the floor']  # fmt: skip
        return table(titles, lines) + origin(rows)

    return make


def straight(method: str) -> Callable[[Path], str]:
    """A table of spines of a true angle under 10 deg, and of all others."""

    def make(folder: Path) -> str:
        rows = rows_of(folder)
        rows = rows[rows['method'].isin([method, FLOORS[method]])]
        floors = parts_of(measured_of(rows, FLOORS[method]))
        lines = []
        for name, cases in parts_of(measured_of(rows, method)).items():
            cells = []
            for side in (pd.Series.lt, pd.Series.ge):
                own, floor = (
                    part.loc[side(part['truth'], STRAIGHT), 'off']
                    for part in (cases, floors[name])
                )
                cells += [len(own), error_of(own), error_of(floor)]
            lines.append([name, *cells])
        titles = ['family', 'under 10 deg', 'MAE (bias)', 'floor',
                  '10 deg and more', 'MAE (bias)', 'floor']  # fmt: skip
        return table(titles, lines) + origin(rows)

    return make


def methods(*compared: str) -> Callable[[Path], str]:
    """The three angles of a method beside one another, and of other methods the first."""

    def make(folder: Path) -> str:
        rows = rows_of(folder)
        rows = rows[rows['method'].isin(compared)]
        parts = {method: parts_of(measured_of(rows, method)) for method in compared}
        lines = []
        for name, own in parts[compared[0]].items():
            errors = [error_of(own[score] - own['truth']) for score in SCORES]
            errors += [error_of(parts[method][name]['off']) for method in compared[1:]]
            lines.append([name, *errors])
        others = dict(instances='smoothed, with the map of bones')
        titles = [others.get(method, 'smoothed, floor') for method in compared[1:]]
        return table(['family', *SCORES, *titles], lines) + origin(rows)

    return make


def interval(method: str) -> Callable[[Path], str]:
    """Coverage of the 90% interval, and its width."""

    def make(folder: Path) -> str:
        rows = rows_of(folder)
        rows = rows[rows['method'] == method]
        parts = parts_of(measured_of(rows, method).dropna(subset=['half width']))
        pooled = parts[POOLED]
        cuts = pooled['half width'].quantile([1 / 3, 2 / 3]).to_numpy()
        third = np.searchsorted(cuts, pooled['half width'])
        for n, name in enumerate(('narrowest third', 'middle third', 'widest third')):
            parts[name] = pooled[third == n]
        lines = []
        for name, part in parts.items():
            inside = part['off'].abs() <= part['half width']
            lines.append([
                name, len(part), number(100 * inside.mean(), '.0f'),
                number(2 * part['half width'].median(), '.1f'),
                number(part['off'].abs().mean()),
            ])  # fmt: skip
        titles = ['', 'cases', 'coverage, %', 'median width, deg', 'MAE, deg']
        return table(titles, lines) + origin(rows)

    return make


def levels(method: str) -> Callable[[Path], str]:
    """End levels of the largest curve, and curves that were found."""

    def make(folder: Path) -> str:
        rows = rows_of(folder)
        rows = rows[rows['method'].isin([method, FLOORS[method]])]
        floors = parts_of(cases_of(rows, FLOORS[method]).dropna(subset=['curves']))
        lines = []
        for name, cases in parts_of(
            cases_of(rows, method).dropna(subset=['curves'])
        ).items():
            cells: List = [len(cases), int(cases['curves'].sum())]
            for part in (cases, floors[name]):
                found = part['found'].sum() / part['curves'].sum()
                cells += [
                    number(50 * part['ends'].mean(), '.0f'),
                    number(100 * found, '.0f'),
                ]
            lines.append([name, *cells])
        titles = ['family', 'cases with a curve', 'curves of 10 deg',
                  'end levels within one, %', 'curves found, %',
                  'floor: end levels', 'floor: found']  # fmt: skip
        return table(titles, lines) + origin(rows)

    return make


def card(folder: Path) -> str:
    """What the model card says of the curves in predicted masks."""
    rows = rows_of(folder)
    rows = rows[rows['method'] == 'predicted']
    lines = []
    for name, cases in parts_of(measured_of(rows, 'predicted')).items():
        off = cases['off']
        inside = off.abs() <= cases['half width']
        lines.append([
            name, number(off.abs().mean(), '.1f'), number(off.mean(), '+.1f'),
            number(100 * (off.abs() <= 5).mean(), '.0f'),
            number(100 * inside.mean(), '.0f'),
        ])  # fmt: skip
    titles = ['family', 'MAE, deg', 'bias, deg', 'within 5 deg, %',
              'within the 90% interval, %']  # fmt: skip
    return table(titles, lines) + origin(rows)


def seconds(folder: Path) -> str:
    """What measuring and reporting take beside the prediction."""
    rows = rows_of(folder)
    rows = rows[rows['method'] == 'time']
    wide = rows.pivot_table('value', ['setting', 'image'], 'score', sort=False)
    lines = []
    for name in dict.fromkeys(rows['setting']):
        own = wide.loc[name]
        both = own['measure'] + own['report']
        lines.append([
            f'`{name}`', len(own), number(own['predict'].median()),
            number(own['measure'].median()), number(own['report'].median()),
            number(both.median()), number(both.max()),
        ])  # fmt: skip
    titles = ['family', 'cases', 'predict', 'measure', 'report',
              'measure and report', 'the slowest case']  # fmt: skip
    return table(titles, lines) + origin(rows)


def plot(folder: Path, path: Path) -> None:
    """Bland-Altman plots of true and of predicted masks, beside their floors."""
    rows = rows_of(folder)
    names = [name for name in FLOORS if (rows['method'] == name).any()]
    figure, axes = plt.subplots(len(names), 2, figsize=(10, 3.9 * len(names)),
                                sharex=True, sharey=True, squeeze=False)  # fmt: skip
    for line, method in zip(axes, names):
        for axis, one, what in (
            (line[0], method, f'{MASKS[method]}, measured'),
            (line[1], FLOORS[method], f'{MASKS[method]}, perfect pairs and splits'),
        ):
            _bland_altman(axis, measured_of(rows, one), what)
        line[0].set_ylabel('measured - true, deg')
    for axis in axes[-1]:
        axis.set_xlabel('mean of measured and true angle, deg')
    axes[0][0].legend(fontsize=8)
    figure.tight_layout()
    write_figure(path, figure)
    plt.close(figure)


def _bland_altman(axis: plt.Axes, cases: pd.DataFrame, what: str) -> None:
    """Fills one of the plots; bias and limits are of all families that have a goal."""
    hard = cases.index.get_level_values('setting').isin(NO_GOAL)
    level = cases['truth'] < STRAIGHT
    mean, off = (cases['smoothed'] + cases['truth']) / 2, cases['off']
    for part, colour, mark, name in (
        (hard, '#b5b5b5', 'x', 'hard'),
        (~hard & ~level, '#1f6f8b', 'o', 'all others'),
        (~hard & level, '#d1662b', '^', 'of these, true angle under 10 deg'),
    ):
        axis.scatter(mean[part], off[part], s=9, color=colour, marker=mark,
                     linewidths=0.6, label=name)  # fmt: skip
    bias, spread = off[~hard].mean(), 1.96 * off[~hard].std()
    low, high = bias - spread, bias + spread
    for value, style in ((bias, '-'), (low, '--'), (high, '--')):
        axis.axhline(value, color='black', linewidth=0.8, linestyle=style)
    axis.set_title(f'{what}\n{bias:+.1f}, limits {low:+.1f} to {high:+.1f}', fontsize=9)


BLOCKS = {
    'curve.accuracy': accuracy('mask'),
    'curve.straight': straight('mask'),
    'curve.methods': methods('mask', 'instances', 'floor'),
    'curve.interval': interval('mask'),
    'curve.levels': levels('mask'),
    'curve.predicted': accuracy('predicted'),
    'curve.predicted.straight': straight('predicted'),
    'curve.predicted.methods': methods('predicted', 'predicted floor'),
    'curve.predicted.interval': interval('predicted'),
    'curve.predicted.levels': levels('predicted'),
    'curve.predicted.card': card,
    'curve.seconds': seconds,
}
PLOTS = {'bland_altman.png': plot}
