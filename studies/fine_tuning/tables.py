"""The tables and the plot of fine-tuning."""

from pathlib import Path
from typing import Dict, List

import matplotlib
import numpy as np
import pandas as pd

from seam_seg.atomic import write_figure
from seam_seg.datasets.phantom import HELD_OUT
from seam_seg.evaluation.rows import cell, mean_scores
from studies.blocks import origin, rows_of, table

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402

TESTS = {name: f'{name} test' for name in HELD_OUT}
REST = 'scanner rest'
ITERATIONS = 'scanner rest, iterations'
NOT_TUNED = 'ready-0'


def dice_of(rows: pd.DataFrame) -> Dict[str, List[float]]:
    """Method -> average Dice in % of each seed, of one setting."""
    dice = mean_scores(rows)['mDice'].sort_index(level='seed')
    return {name: dice[name].tolist() for name in dict.fromkeys(rows['method'])}


def counted(values: List[float]) -> str:
    """Mean, spread and number of the seeds, as far as there are any."""
    return cell(values) + (f' ({len(values)})' if len(values) > 1 else '')


def curves(folder: Path) -> Dict[str, Dict[int, List[float]]]:
    """Family -> number of labelled cases -> Dice of each seed."""
    found: Dict[str, Dict[int, List[float]]] = {}
    for family, setting in TESTS.items():
        rows = rows_of(folder, setting)
        for name, values in (dice_of(rows) if len(rows) else {}).items():
            found.setdefault(family, {})[int(name.split('-')[1])] = values
    return found


def cases(folder: Path) -> str:
    """A row for each number of labelled cases, a column for each family."""
    found = curves(folder)
    counts = sorted({count for by_count in found.values() for count in by_count})
    lines = [
        [str(count), *(counted(by_count.get(count, [])) for by_count in found.values())]
        for count in counts
    ]
    rows = rows_of(folder, *TESTS.values())
    return table(['labelled cases', *(f'`{name}`' for name in found)], lines) + origin(
        rows
    )


def tried(folder: Path, setting: str) -> Dict[float, Dict[int, List[float]]]:
    """What was tried -> number of labelled cases -> Dice of each seed."""
    found: Dict[float, Dict[int, List[float]]] = {}
    for name, values in dice_of(rows_of(folder, setting)).items():
        if name != NOT_TUNED:  # ready-VALUE-COUNT; a value may have a '-' too: 3e-05
            value, count = name.split('-', 1)[1].rsplit('-', 1)
            found.setdefault(float(value), {})[int(count)] = values
    return found


def overall(by_count: Dict[int, List[float]]) -> float:
    """The mean over the numbers of cases."""
    return float(np.mean([np.mean(values) for values in by_count.values()]))


def trial_table(folder: Path, setting: str, title: str) -> str:
    """A row for each value that was tried, a column for each number of labelled cases."""
    found = tried(folder, setting)
    counts = sorted({count for by_count in found.values() for count in by_count})
    lines = [
        [
            f'{value:g}',
            *(counted(by_count.get(count, [])) for count in counts),
            f'{overall(by_count):.2f}' if len(by_count) == len(counts) else '-',
        ]
        for value, by_count in sorted(found.items(), reverse=True)
    ]
    start = counted(dice_of(rows_of(folder, REST)).get(NOT_TUNED, []))
    return (
        table([title, *map(str, counts), 'mean'], lines)
        + f'\n\nNot fine-tuned, on the same cases: {start}.'
        + origin(rows_of(folder, setting))
    )


def rates(folder: Path) -> str:
    """The learning rates."""
    return trial_table(folder, REST, 'learning rate')


def iterations(folder: Path) -> str:
    """How long is trained."""
    return trial_table(folder, ITERATIONS, 'iterations')


def plot(folder: Path, path: Path) -> None:
    """Draws the average Dice over the number of labelled cases."""
    found = curves(folder)
    counts = sorted({count for by_count in found.values() for count in by_count})
    figure, axes = plt.subplots(figsize=(7, 4), layout='constrained')
    for number, (label, by_count) in enumerate(found.items()):
        at = [i for i, count in enumerate(counts) if count in by_count]
        values = [by_count[counts[i]] for i in at]
        means = [np.mean(seeds) for seeds in values]
        axes.plot(at, means, color=f'C{number}', label=label)
        for x, seeds in zip(at, values):
            axes.plot([x] * len(seeds), seeds, 'o', color=f'C{number}', alpha=0.5)
    axes.set(
        xlabel='labelled cases',
        ylabel='average Dice (%)',
        title='Held-out phantom families, 16 test cases each (mean; dots: seeds)',
    )
    axes.set_xticks(range(len(counts)), counts)
    axes.grid(alpha=0.3)
    axes.legend()
    write_figure(path, figure, dpi=120)
    plt.close(figure)


BLOCKS = {
    'fine_tuning.cases': cases,
    'fine_tuning.rates': rates,
    'fine_tuning.iterations': iterations,
}
PLOTS = {'fine_tuning.png': plot}
