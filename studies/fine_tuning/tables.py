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
STARTS = {'ready': 'from the ready weights', 'scratch': 'from scratch'}
NOT_TUNED = 'ready-0'


def dice_of(rows: pd.DataFrame) -> Dict[str, List[float]]:
    """Method -> average Dice in % of each seed, of one setting."""
    dice = mean_scores(rows)['mDice'].sort_index(level='seed')
    return {name: dice[name].tolist() for name in dict.fromkeys(rows['method'])}


def counted(values: List[float]) -> str:
    """Mean, spread and number of the seeds, as far as there are any."""
    return cell(values) + (f' ({len(values)})' if len(values) > 1 else '')


def curves(folder: Path) -> Dict[str, Dict[int, List[float]]]:
    """Family and start -> number of labelled cases -> Dice of each seed."""
    found: Dict[str, Dict[int, List[float]]] = {}
    for start, words in STARTS.items():
        for family, setting in TESTS.items():
            rows = rows_of(folder, setting)
            for name, values in (dice_of(rows) if len(rows) else {}).items():
                if name.startswith(f'{start}-'):
                    by_count = found.setdefault(f'`{family}`, {words}', {})
                    by_count[int(name.split('-')[1])] = values
    return found


def cases(folder: Path) -> str:
    """A row for each number of labelled cases, a column for each family and start."""
    found = curves(folder)
    counts = sorted({count for by_count in found.values() for count in by_count})
    lines = [
        [str(count), *(counted(by_count.get(count, [])) for by_count in found.values())]
        for count in counts
    ]
    rows = rows_of(folder, *TESTS.values())
    return table(['labelled cases', *found], lines) + origin(rows)


def rate_means(folder: Path) -> Dict[str, Dict[float, Dict[int, List[float]]]]:
    """Start -> learning rate -> number of labelled cases -> Dice of each seed."""
    found: Dict[str, Dict[float, Dict[int, List[float]]]] = {}
    for name, values in dice_of(rows_of(folder, REST)).items():
        if name != NOT_TUNED:
            start, rest = name.split('-', 1)
            rate, count = rest.rsplit('-', 1)  # a rate may have a '-' too: 3e-05
            found.setdefault(start, {}).setdefault(float(rate), {})[int(count)] = values
    return found


def overall(by_count: Dict[int, List[float]]) -> float:
    """The mean over the numbers of cases."""
    return float(np.mean([np.mean(values) for values in by_count.values()]))


def rates(folder: Path) -> str:
    """A row for each learning rate, a column for each number of labelled cases."""
    rows = rows_of(folder, REST)
    found = rate_means(folder)
    counts = sorted({n for start in found.values() for by in start.values() for n in by})
    lines = [
        [
            STARTS[start],
            f'{rate:g}',
            *(counted(by_count.get(count, [])) for count in counts),
            f'{overall(by_count):.2f}' if len(by_count) == len(counts) else '-',
        ]
        for start in STARTS
        for rate, by_count in sorted(found.get(start, {}).items(), reverse=True)
    ]
    start = counted(dice_of(rows).get(NOT_TUNED, []))
    return (
        table(['start', 'learning rate', *map(str, counts), 'mean'], lines)
        + f'\n\nNot fine-tuned, on the same cases: {start}.'
        + origin(rows)
    )


def plot(folder: Path, path: Path) -> None:
    """Draws the average Dice over the number of labelled cases."""
    found = curves(folder)
    counts = sorted({count for by_count in found.values() for count in by_count})
    figure, axes = plt.subplots(figsize=(7, 4), layout='constrained')
    for number, (label, by_count) in enumerate(found.items()):
        at = [i for i, count in enumerate(counts) if count in by_count]
        values = [by_count[counts[i]] for i in at]
        means = [np.mean(seeds) for seeds in values]
        axes.plot(at, means, color=f'C{number}', label=label.replace('`', ''))
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


BLOCKS = {'fine_tuning.cases': cases, 'fine_tuning.rates': rates}
PLOTS = {'fine_tuning.png': plot}
