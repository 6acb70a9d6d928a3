"""The tables and the plot of Table 1."""

import functools
from pathlib import Path
from typing import List, Tuple

import pandas as pd

from seam_seg.apis.benchmark import make_table, plot_differences, plot_per_image
from seam_seg.apis.comparison import Contrasts, against, compare, comparison_table
from seam_seg.config_lookup import get_config
from seam_seg.evaluation.rows import cell, mean_scores
from studies.blocks import number, origin, rows_of, table
from studies.table1 import effects, plan
from studies.table1.effects import as_table

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
    'DANet, attention on v',
    'EMANet',
    'EMANet, attention on v',
    'NonLocal',
    'NonLocal, attention on v',
    'SEAM w/o AL',
    'SEAM w/o SS',
    'SEAM',
    'SEAM, key mass',
)
AVERAGES = ['Ave. D (%)', 'Ave. J (%)', 'R (s)']
OVERLAPS = [f'{name} {key} (%)' for name in ('Lumbar', 'Thoracic', 'Rib') for key in 'DJ']
# What the paper has that comes nearest to each contrast; its 'w/o AL' has no convolution.
NEAREST = ('SEAM w/o AL', 'SEAM w/o SS', 'NonLocal')
MAIN_ENDPOINTS = ('Dice', 'FaintFound.all', 'FalseBone.all')
# of the tables of single methods
TITLES = ['', 'Lumbar D', 'J', 'Thoracic D', 'J', 'Rib D', 'J', 'Ave. D', 'J', 'R']


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with their methods in the order of the tables."""
    names = [*METHODS, *effects.CELLS, *rows['method']]
    return rows.sort_values(
        'method', key=lambda column: column.map(names.index), kind='stable'
    )


def results_of(folder: Path, setting: str) -> Tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of a setting, and those of the costs of its models, which took turns."""
    rows = in_order(rows_of(folder, setting))
    return rows, rows_of(folder, f'{setting}, costs')


def scores(folder: Path, setting: str) -> str:
    """All columns of the methods of a setting."""
    rows, costs = results_of(folder, setting)
    return as_table(make_table(rows, costs)) + origin(pd.concat([rows, costs]))


def inside(folder: Path, setting: str) -> str:
    """What was found in the trained heads, mean over the seeds."""
    rows = in_order(rows_of(folder, setting))
    rows = rows[rows['score'].str.startswith('probe.')]
    lines = []
    for (name, key), part in rows.groupby(['method', 'score'], sort=False):
        values = part.sort_values('seed')['value']
        seeds = ', '.join(f'{value:.3g}' for value in values)
        lines.append([name, key.split('.', 1)[1], f'{values.mean():.3g}', seeds])
    return table(['Method', 'Quantity', 'Mean', 'Seeds'], lines) + origin(rows)


def compared(folder: Path) -> pd.DataFrame:
    """SEAM minus every other method, with other seeds and images in mind."""
    rows = in_order(rows_of(folder, SHORT))
    contrasts = {
        f'{REFERENCE} - {name}': {REFERENCE: 1.0, name: -1.0}
        for name in rows['method'].unique()
        if name != REFERENCE
    }
    return compare(rows, contrasts, smallest=effects.SMALLEST)


def comparison(folder: Path) -> str:
    """The table of :func:`compared`."""
    found = comparison_table(compared(folder), smallest=effects.SMALLEST)
    return as_table(found) + origin(rows_of(folder, SHORT))


def read_paper(folder: Path) -> pd.DataFrame:
    """The paper's own table, cells as it prints them."""
    return pd.read_csv(folder / 'paper.csv', dtype=str).set_index('Method')


def short(folder: Path) -> str:
    """The averages of all methods, beside the paper's; '-' where one has no such row."""
    rows, costs = results_of(folder, SHORT)
    found = make_table(rows, costs).set_index('Method')[AVERAGES]
    paper = read_paper(folder)[['Ave. D', 'Ave. J', 'R (s)']]
    lines = [
        [
            name,
            *(cell for part in (found, paper) for cell in part.reindex([name]).iloc[0]),
        ]
        for name in METHODS
    ]
    lines = [['-' if pd.isna(cell) else cell for cell in line] for line in lines]
    titles = ['', 'phantom: Ave. D', 'J', 'R (s)', 'paper: Ave. D', 'J', 'R (s)']
    return table(titles, lines) + origin(rows, always=False)


@functools.lru_cache(maxsize=None)
def methods_in(configs: Path) -> List[str]:
    """The methods whose configs are in a folder."""
    return [
        get_config(str(path)).get('method_name') for path in sorted(configs.glob('*.py'))
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
    rows, costs = results_of(folder, SHORT)
    rows = rows[rows['method'].isin(methods_in(folder.parents[1] / 'configs' / name))]
    found = make_table(rows, costs)[['Method', *OVERLAPS, *AVERAGES]]
    return table(TITLES, found.to_numpy().tolist()) + origin(rows, always=False)


def transfer(folder: Path) -> str:
    """What the two parts of WaveCT's pass cost, average Dice of each seed."""
    rows = rows_of(folder, SHORT)
    whole = mean_scores(rows[rows['method'] == 'WaveCT'])['mDice'].sort_index()
    lines = [['style (the default)', *(f'{value:.2f}' for value in whole)]]
    for name in ('reconstruction', 'none'):
        part = rows_of(folder, f'{SHORT}, transfer {name}')
        lines.append([name, *(f'{value:.2f}' for value in part['value'])])
    return table(['`model.transfer`', *map('seed {}'.format, range(3))], lines)


def iterations(folder: Path) -> str:
    """The validation by which the number of iterations was chosen."""
    rows = rows_of(folder, 'iterations')
    dice = mean_scores(rows)['mDice']
    lines = [
        [name, cell(dice.loc[name]), cell(effects.last_third(own))]
        for name, own in rows.groupby('method', sort=False)
    ]
    lines.sort(key=lambda line: int(line[0].split()[0]))
    return table(['', 'Dice', 'Gain of the last third'], lines) + origin(
        effects.tested(rows)
    )


def rates(folder: Path) -> str:
    """The validation by which the rates were chosen, of configs that have all of it."""
    tried = list(map(plan.rate_setting, plan.RATES))
    rows = rows_of(folder, *tried, plan.rate_setting(plan.HIGHER_RATE))
    settings = list(rows['setting'].unique())
    found = pd.concat(
        {name: mean_scores(rows_of(folder, name))['mDice'] for name in settings}, axis=1
    )
    found = found.droplevel('seed').dropna(subset=tried)
    chosen, worst = plan.chosen_rates(rows), plan.worst_classes(rows)
    lines = []
    for name, *dice in found.itertuples():
        bones, least = worst[name]
        learned = '' if least >= plan.LEARNED else ', so in no table'
        words = f'{chosen[name]:g}', f'{bones} {least:.1f}{learned}'
        lines.append([name, *map(number, dice), *words])
    titles = ['config', *settings, 'chosen', 'lowest class there']
    rows = rows[rows['method'].isin(found.index)]
    return table(titles, lines) + origin(effects.tested(rows))


def total_variation(folder: Path) -> str:
    """The validation by which the weight of RSNU's loss was chosen, on each host."""
    validation = 'hard val, 600 iterations'
    hosts = dict(
        FPN=rows_of(folder, validation).set_index(['method', 'seed'])['value'],
        UNet=mean_scores(rows_of(folder, f'{validation}, UNet'))['mDice'],
    )
    found = pd.DataFrame(
        {
            f'{host}, seed {seed}': dice.xs(seed, level='seed')
            for host, dice in hosts.items()
            for seed in range(2)
        }
    )
    found.index = found.index.str.split().str[-1]
    found = found.sort_index(key=lambda weights: -weights.astype(float))
    found = found.map(lambda dice: '-' if pd.isna(dice) else f'{dice:.1f}')
    lines = [[weight, *cells] for weight, cells in zip(found.index, found.to_numpy())]
    return table(['weight', *found], lines)


def beside_paper(folder: Path) -> str:
    """The three contrasts by the main endpoints, beside what the paper has for them."""
    rows = rows_of(folder, effects.MAIN)
    rows = rows[rows['method'].isin(effects.methods_of(effects.CONTRASTS))]
    lines = effects.effect_lines(rows, effects.CONTRASTS)
    titles = [effects.ENDPOINTS[name].title for name in MAIN_ENDPOINTS]
    lines = lines[['Contrast', *(f'{title} [95%]' for title in titles)]]
    dice = read_paper(folder)['Ave. D'].astype(float)
    paper = [f'{dice[REFERENCE] - dice[other]:+.2f} over {other}' for other in NEAREST]
    lines.insert(1, 'Nearest pair in the paper', paper)
    return as_table(lines) + origin(effects.tested(rows))


def plot(folder: Path, path: Path) -> None:
    """Draws the Dice of each image, by class and method."""
    plot_per_image(in_order(rows_of(folder, SHORT)), path)


def plot_compared(folder: Path, path: Path) -> None:
    """Draws the differences of :func:`compared`."""
    plot_differences(compared(folder), path, smallest=effects.SMALLEST)


def plot_contrasts(folder: Path, path: Path) -> None:
    """Draws the contrasts written down before, those beside them, and the controls."""
    contrasts: Contrasts = {**effects.CONTRASTS, **effects.SECONDARY, **effects.CONTROLS}
    found = compare(rows_of(folder, effects.MAIN), contrasts, smallest=effects.SMALLEST)
    plot_differences(found, path, smallest=effects.SMALLEST)


def plot_faint(folder: Path, path: Path) -> None:
    """Draws what the factorial's parts change in faint bones found, and the controls."""
    contrasts: Contrasts = {
        **against(effects.SAME[effects.REFERENCE], effects.TOLD),
        **effects.factorial_contrasts(),
    }
    score = 'FaintFound.all'
    title, _, smallest = effects.ENDPOINTS[score]
    found = effects.compare_endpoint(rows_of(folder, effects.FACTORIAL), contrasts, score)
    plot_differences(found, path, smallest=smallest, score=title.lower())


FOLDERS = 'danet emanet fpn nonlocal ppmu rsnu seam unet wavect'.split()
BLOCKS = {
    'table1.short': short,
    'table1.scores': functools.partial(scores, setting=SHORT),
    'table1.long': functools.partial(scores, setting=LONG),
    'table1.inside': functools.partial(inside, setting=SHORT),
    'table1.inside_long': functools.partial(inside, setting=LONG),
    'table1.inside_factorial': functools.partial(inside, setting=effects.FACTORIAL),
    'table1.inside_higher': functools.partial(inside, setting=plan.HIGHER_SETTING),
    'table1.comparison': comparison,
    'table1.beside_paper': beside_paper,
    'table1.iterations': iterations,
    'table1.rates': rates,
    **effects.BLOCKS,
    'table1.transfer': transfer,
    'table1.total_variation': total_variation,
    **{f'paper.{name}': functools.partial(of_paper, name=name) for name in FOLDERS},
    **{f'phantom.{name}': functools.partial(of_phantom, name=name) for name in FOLDERS},
}
PLOTS = {
    'per_image.png': plot,
    'differences.png': plot_compared,
    'contrasts.png': plot_contrasts,
    'faint_bones.png': plot_faint,
}
