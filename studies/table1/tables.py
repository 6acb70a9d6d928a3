"""The tables and the plot of Table 1."""

import functools
from pathlib import Path
from typing import Dict, List, Sequence

import matplotlib
import numpy as np
import pandas as pd

from seam_seg.atomic import write_figure
from seam_seg.config_lookup import get_config
from seam_seg.evaluation.rows import cell, classes_of, mean_scores
from studies.blocks import number, origin, rows_of, table, value_of

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402

SHORT, LONG = 'hard, 600 iterations', 'hard, 1200 iterations'
REFERENCE = 'SEAM'
# The order of the paper's rows; other methods follow in the order of their runs.
METHODS = (
    'Vanilla FPN',
    'FPN + 3x3 conv',
    'UNet',
    'PPMU',
    'RSNU',
    'WaveCT',
    'DANet',
    'EMANet',
    'NonLocal',
    'SEAM w/o AL',
    'SEAM w/o SS',
    'SEAM',
    'SEAM, key mass',
)
OVERLAPS = {
    f'{part} {key[0]}': score
    for part in ('Lumbar', 'Thoracic', 'Rib', 'Ave.')
    for key in ('Dice', 'Jaccard')
    for score in [f'm{key}' if part == 'Ave.' else f'{key}.{part.lower()}']
}
# as the tables of single methods have them
TITLES = ['', 'Lumbar D', 'J', 'Thoracic D', 'J', 'Rib D', 'J', 'Ave. D', 'J', 'R']


def costs_of(setting: str) -> str:
    """The setting of the costs of the models of a setting, which took turns."""
    return f'{setting}, costs'


def in_order(found: Sequence[str]) -> List[str]:
    """Methods in the order of the tables."""
    return sorted(
        dict.fromkeys(found),
        key=lambda name: METHODS.index(name) if name in METHODS else len(METHODS),
    )


def cells_of(rows: pd.DataFrame) -> Dict[str, Dict[str, str]]:
    """Method -> score -> mean and spread over the seeds, of one setting."""
    scores = (*OVERLAPS.values(), 'mHD95', 'mASSD')
    means = mean_scores(rows).reindex(columns=list(scores))
    return {
        name: {score: cell(means.loc[name, score].tolist()) for score in scores}
        for name in in_order(rows['method'])
    }


def runtime(costs: pd.DataFrame, method: str) -> str:
    """R: the median of the seconds of a method, in turns with the others."""
    seconds = costs[(costs['method'] == method) & (costs['score'] == 'seconds')]['value']
    return number(seconds.median(), '.3f')


def without_distance(rows: pd.DataFrame) -> float:
    """Images times classes that have no distance, of a seed on average."""
    found = rows[rows['score'] == 'HD95']
    images = rows[rows['image'] != '']['image'].nunique()
    seeds = rows['seed'].nunique()
    return images * len(classes_of(rows)) - len(found) / seeds


def score_table(folder: Path, setting: str) -> str:
    """All columns of the methods of a setting."""
    rows = rows_of(folder, setting)
    costs = rows_of(folder, costs_of(setting))
    lines = []
    for name, cells in cells_of(rows).items():
        part = rows[rows['method'] == name]
        lines.append(
            [
                name,
                str(part['seed'].nunique()),
                *cells.values(),
                number(round(without_distance(part), 1), '.1f'),
                runtime(costs, name),
                number(value_of(costs, 'parameters', name) / 1e6),
                number(value_of(costs, 'flops', name) / 1e9),
            ]
        )
    titles = [
        'Method',
        'Seeds',
        *(f'{title} (%)' for title in OVERLAPS),
        'HD95 (px)',
        'ASSD (px)',
        'Without distance',
        'R (s)',
        'Params (M)',
        'FLOPs (G)',
    ]
    return table(titles, lines) + origin(pd.concat([rows, costs]))


def inside(folder: Path, setting: str) -> str:
    """What was found in the trained heads, mean over the seeds."""
    rows = rows_of(folder, setting)
    rows = rows[rows['score'].str.startswith('probe.')]
    lines = []
    for name in in_order(rows['method']):
        for key, part in rows[rows['method'] == name].groupby('score', sort=False):
            values = part.sort_values('seed')['value']
            quantity = key.split('.', 1)[1]
            seeds = ', '.join(f'{value:.3g}' for value in values)
            lines.append([name, quantity, f'{values.mean():.3g}', seeds])
    return table(['Method', 'Quantity', 'Mean', 'Seeds'], lines) + origin(rows)


def comparison(folder: Path) -> str:
    """Every method against the reference, with seeds and images as random effects."""
    from seam_seg.apis.benchmark import compare

    rows = rows_of(folder, SHORT)
    found = compare(rows, REFERENCE)
    lines = [
        [
            name,
            f'{found.difference[name]:+.2f}',
            f'[{found.low[name]:+.2f}, {found.high[name]:+.2f}]',
            f'{found.p[name]:.3g}',
            f'{found.p_holm[name]:.3g}',
        ]
        for name in in_order(found.index)
    ]
    titles = ['Method', f'{REFERENCE} - this', '95% interval', 'p', 'p (Holm)']
    return table(titles, lines) + origin(rows)


def read_paper(folder: Path) -> pd.DataFrame:
    """The paper's own table, cells as it prints them."""
    return pd.read_csv(folder / 'paper.csv', dtype=str).set_index('Method')


def short(folder: Path) -> str:
    """The averages of all methods, beside the paper's."""
    rows, costs = rows_of(folder, SHORT), rows_of(folder, costs_of(SHORT))
    paper = read_paper(folder)
    lines = [
        [
            name,
            cells['mDice'],
            cells['mJaccard'],
            runtime(costs, name),
            *(
                paper.loc[name, ['Ave. D', 'Ave. J', 'R (s)']]
                if name in paper.index
                else ['-'] * 3
            ),
        ]
        for name, cells in cells_of(rows).items()
    ]
    titles = ['', 'phantom: Ave. D', 'J', 'R (s)', 'paper: Ave. D', 'J', 'R (s)']
    return table(titles, lines) + origin(rows, always=False)


@functools.lru_cache(maxsize=None)
def methods_in(configs: Path) -> List[str]:
    """The methods whose configs for the phantom are in a folder."""
    return [
        get_config(str(path)).get('method_name')
        for path in sorted(configs.glob('*_phantom-*.py'))
    ]


def of_paper(folder: Path, name: str) -> str:
    """The paper's rows of the methods in configs/NAME."""
    paper = read_paper(folder)
    methods = set(methods_in(folder.parents[1] / 'configs' / name))
    return table(
        TITLES, [[row, *paper.loc[row]] for row in paper.index if row in methods]
    )


def of_phantom(folder: Path, name: str) -> str:
    """Our rows of the methods in configs/NAME."""
    rows, costs = rows_of(folder, SHORT), rows_of(folder, costs_of(SHORT))
    methods = methods_in(folder.parents[1] / 'configs' / name)
    rows = rows[rows['method'].isin(methods)]
    lines = [
        [row, *(cells[score] for score in OVERLAPS.values()), runtime(costs, row)]
        for row, cells in cells_of(rows).items()
    ]
    return table(TITLES, lines) + origin(rows, always=False)


def transfer(folder: Path) -> str:
    """What the two parts of WaveCT's pass cost, average Dice of each seed."""
    rows = rows_of(folder, SHORT)
    whole = mean_scores(rows[rows['method'] == 'WaveCT'])['mDice'].sort_index()
    lines = [['style (the default)', *(f'{value:.2f}' for value in whole)]]
    for name in ('reconstruction', 'none'):
        part = rows_of(folder, f'{SHORT}, transfer {name}')
        lines.append([name, *(f'{value:.2f}' for value in part['value'])])
    return table(['`model.transfer`', *map('seed {}'.format, range(3))], lines)


def total_variation(folder: Path) -> str:
    """The validation by which the weight of RSNU's loss was chosen."""
    rows = rows_of(folder, 'hard val, 600 iterations')
    lines = [
        [name.split()[-1], *(f'{value:.1f}' for value in part['value'])]
        for name, part in rows.groupby('method', sort=False)
    ]
    return table(['weight', 'seed 0', 'seed 1'], lines)


def plot_per_image(rows: pd.DataFrame, path: Path) -> None:
    """Draws the per-image Dice, averaged over the seeds, of each class and method.

    Its median and quartiles, too.

    Args:
        rows (pd.DataFrame): of one setting.
        path (Path): PNG to write.
    """
    rows = rows[rows['score'] == 'Dice']
    names, classes = in_order(rows['method']), classes_of(rows)
    means = rows.groupby(['method', 'class', 'image'])['value'].mean()
    figure, axes = plt.subplots(
        1,
        len(classes),
        figsize=(4 * len(classes), 0.36 * len(names) + 1.4),
        sharey=True,
        layout='constrained',
    )
    jitter = np.random.default_rng(0)
    for axis, bone in zip(axes, classes):
        for i, name in enumerate(names, start=1):
            group = means.loc[name, bone].to_numpy()
            axis.plot(
                group,
                i + jitter.uniform(-0.2, 0.2, len(group)),
                'o',
                markersize=2.5,
                color='tab:blue',
                alpha=0.5,
            )
            low, middle, high = np.percentile(group, (25, 50, 75))
            axis.plot([low, high], [i, i], color='black', linewidth=1.5)
            axis.plot(middle, i, '|', color='tab:red', markersize=14, markeredgewidth=2)
        axis.set(title=bone, xlabel='Dice (%) of the images; median, quartiles')
        axis.grid(axis='x', alpha=0.3)
    axes[0].set_yticks(range(1, len(names) + 1), names)
    axes[0].invert_yaxis()
    write_figure(path, figure)
    plt.close(figure)


FOLDERS = 'danet emanet fpn nonlocal ppmu rsnu seam unet wavect'.split()
BLOCKS = {
    'table1.short': short,
    'table1.scores': functools.partial(score_table, setting=SHORT),
    'table1.long': functools.partial(score_table, setting=LONG),
    'table1.inside': functools.partial(inside, setting=SHORT),
    'table1.inside_long': functools.partial(inside, setting=LONG),
    'table1.comparison': comparison,
    'table1.transfer': transfer,
    'table1.total_variation': total_variation,
    **{f'paper.{name}': functools.partial(of_paper, name=name) for name in FOLDERS},
    **{f'phantom.{name}': functools.partial(of_phantom, name=name) for name in FOLDERS},
}
PLOTS = {
    'per_image.png': lambda folder, path: plot_per_image(rows_of(folder, SHORT), path)
}
