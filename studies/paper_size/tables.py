"""The tables and the plot of the trainings at the paper's size."""

from pathlib import Path
from typing import Iterator, Tuple

import matplotlib
import pandas as pd

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402

from studies.blocks import number, origin, rows_of, table  # noqa: E402

CLASSES = ('lumbar', 'thoracic', 'rib')


def by_iteration(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of iterations, with their number as ``iteration``."""
    rows = rows[rows['image'].str.startswith('iteration ')]
    return rows.assign(iteration=rows['image'].str.split().str[1].astype(int))


def curves(rows: pd.DataFrame) -> Iterator[Tuple[str, int, pd.DataFrame]]:
    """Setting, seed and the rows of iterations of each training."""
    for (setting, seed), part in by_iteration(rows).groupby(
        ['setting', 'seed'], sort=False
    ):
        yield setting, seed, part


def spread(values: pd.Series) -> str:
    """Mean, and what the seeds differ by where there are several."""
    if len(values) < 2:
        return number(values.mean())
    return f'{values.mean():.2f} ± {values.std():.2f}'


def course(folder: Path) -> str:
    """Loss and validation Dice on the way, mean ± standard deviation over the seeds."""
    rows = by_iteration(rows_of(folder))
    lines = []
    for setting, part in rows.groupby('setting', sort=False):
        for iteration in sorted(part[part['score'] == 'mDice']['iteration'].unique()):
            now = part[part['iteration'] == iteration]
            cells = [
                spread(now[now['score'] == score]['value']) for score in ('loss', 'mDice')
            ]
            dice = now[now['score'] == 'Dice']
            cells += [spread(dice[dice['class'] == name]['value']) for name in CLASSES]
            lines.append([setting, iteration, *cells])
    titles = [
        '',
        'iteration',
        'loss',
        'Ave. D',
        *(f'{c.capitalize()} D' for c in CLASSES),
    ]
    return table(titles, lines) + origin(rows)


def cost(folder: Path) -> str:
    """Time and memory of the trainings, the mean over the seeds."""
    rows = rows_of(folder)
    lines = []
    for setting, part in rows.groupby('setting', sort=False):
        means = part.groupby('score')['value'].mean()
        cells = [f'{means[name]:.3g}' for name in ('seconds', 'waiting')]
        lines.append(
            [
                setting,
                part['seed'].nunique(),
                *cells,
                f'{means["peak_bytes"] / 2**30:.1f}',
            ]
        )
    titles = ['', 'seeds', 's an iteration', 'of it, waiting for data', 'peak (GiB)']
    return table(titles, lines) + origin(rows)


def plot_curves(folder: Path, path: Path) -> None:
    """Loss and validation Dice by iteration, a line for each training."""
    figure, panels = plt.subplots(1, 2, figsize=(10, 4), layout='constrained')
    for setting, seed, part in curves(rows_of(folder)):
        for panel, score in zip(panels, ('loss', 'mDice')):
            own = part[part['score'] == score].sort_values('iteration')
            panel.plot(own['iteration'], own['value'], label=f'{setting}, seed {seed}')
    for panel, title in zip(panels, ('loss', 'average Dice (%), validation')):
        panel.set(xlabel='iteration', ylabel=title)
        panel.set_ylim(bottom=0)
    panels[1].legend(fontsize='small')
    figure.savefig(path, dpi=110)
    plt.close(figure)


BLOCKS = {'paper_size.course': course, 'paper_size.cost': cost}
PLOTS = {'curves.png': plot_curves}
