"""The tables and the plots of Table 1."""

import functools
from pathlib import Path
from typing import Dict, List, Tuple

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from seam_seg.apis.benchmark import make_table, plot_differences
from seam_seg.apis.comparison import Contrasts, against, compare
from seam_seg.atomic import write_figure
from seam_seg.config_lookup import get_config
from seam_seg.errors import InputError
from seam_seg.evaluation.rows import cell, image_scores, mean_scores
from studies.blocks import number, origin, rows_of, table, value_of
from studies.table1 import effects, plan, psnr
from studies.table1.effects import as_table
from studies.table1.run import pending

# In the order of the paper's rows. Its DANet, EMANet and NonLocal have no small form.
METHODS = (
    'Vanilla FPN',
    'FPN + 3x3 conv',
    'UNet',
    'PPMU',
    'RSNU',
    'RSNU + 3x3 conv',
    'RSNU, UNet',
    'WaveCT',
    'DANet',
    'DANet, attention on v',
    'EMANet',
    'EMANet, attention on v',
    'NonLocal',
    'NonLocal, attention on v',
    'SEAM w/o AL',
    'SEAM w/o AL + 3x3 conv',
    'SEAM w/o SS',
    'SEAM',
    'SEAM, key mass',
    'SEAM, key mass, felt center',
    'SEAM, key mass, felt offset',
)
PAPER_SIZE = {'DANet', 'EMANet', 'NonLocal'}
# Rows of the full table that the short one leaves out.
VARIANTS = {
    'RSNU + 3x3 conv',
    'RSNU, UNet',
    'SEAM w/o AL + 3x3 conv',
    'SEAM, key mass, felt center',
    'SEAM, key mass, felt offset',
}
COSTS = f'{effects.MAIN}, costs'
AGAIN = f'{effects.MAIN} again'  # WaveCT's seed 0, on another machine
SHOWN = ('Dice', 'FaintFound.all')  # of the rows, in the plot and elsewhere
# What WaveCT is scored on: families with a style to take away, and the parts of its pass.
STYLES, TRANSFERS = ('noise', 'texture', 'scanner'), ('style', 'reconstruction', 'none')
AVERAGES = ['Ave. D (%)', 'Ave. J (%)', 'R (s)']
OVERLAPS = [f'{name} {key} (%)' for name in ('Lumbar', 'Thoracic', 'Rib') for key in 'DJ']
# What the paper has that comes nearest to each contrast; its 'w/o AL' has no convolution.
NEAREST = ('SEAM w/o AL', 'SEAM w/o SS', 'NonLocal')
MAIN_ENDPOINTS = ('Dice', 'FaintFound.all', 'FalseBone.all')
# of the tables of single methods
TITLES = ['', 'Lumbar D', 'J', 'Thoracic D', 'J', 'Rib D', 'J', 'Ave. D', 'J', 'R']


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with their methods in the order of the tables."""
    return effects.ordered(rows, [*METHODS, *effects.CELLS])


def results_of(folder: Path) -> Tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of Table 1, and those of the costs of its models, which took turns.

    All methods have the same seeds, since a seed has training cases of its own.

    Raises:
        InputError: a method lacks a seed or its costs: nothing is said of a part.
    """
    wanted = set(range(plan.SEEDS['rows']))
    rows, costs = rows_of(folder, effects.MAIN), rows_of(folder, COSTS)
    rows = rows[rows['method'].isin(METHODS) & rows['seed'].isin(wanted)]
    seeds = rows.groupby('method')['seed'].agg(set)
    lacking = set(METHODS) - PAPER_SIZE - set(seeds[seeds == wanted].index)
    lacking |= set(rows['method']) - set(costs['method'])
    if lacking:
        raise InputError(f'not all of {", ".join(sorted(lacking))} has been run.')
    return in_order(rows), costs[costs['method'].isin(set(rows['method']))]


def scores(folder: Path) -> str:
    """All columns of the rows."""
    rows, costs = results_of(folder)
    return as_table(make_table(rows, costs)) + origin(
        effects.tested(pd.concat([rows, costs]))
    )


def row_endpoints(folder: Path) -> str:
    """The rows by all endpoints."""
    return effects.endpoint_table(results_of(folder)[0])


def rows_elsewhere(folder: Path) -> str:
    """The same trainings on the other test sets."""
    names = results_of(folder)[0]['method'].unique()
    rows = rows_of(folder, *effects.ELSEWHERE)
    rows = rows[rows['method'].isin(names) & (rows['seed'] < plan.SEEDS['rows'])]
    found = {
        (title, score): image_scores(rows[rows['setting'] == setting], score).mean(axis=1)
        for title, setting in zip(effects.OTHER_TESTS, effects.ELSEWHERE)
        for score in SHOWN
    }
    titles = [f'`{title}`: {effects.ENDPOINTS[score].title}' for title, score in found]
    lines = [
        [
            name,
            *(
                cell(values.loc[name], effects.ENDPOINTS[score].digits)
                for (_, score), values in found.items()
            ),
        ]
        for name in names
    ]
    return table(['Method', *titles], lines) + origin(effects.tested(rows))


def inside(folder: Path, *settings: str) -> str:
    """What was found in the trained heads, mean over the seeds."""
    rows = in_order(rows_of(folder, *settings))
    rows = rows[rows['score'].str.startswith('probe.')]
    lines = []
    for (where, *names), part in rows.groupby(['setting', 'method', 'score'], sort=False):
        values = part.sort_values('seed')['value']
        name, key = names[0], names[1].split('.', 1)[1]
        seeds = ', '.join(f'{value:.3g}' for value in values)
        lines.append([where, name, key, f'{values.mean():.3g}', seeds])
    titles = ['Setting', 'Method', 'Quantity', 'Mean', 'Seeds']
    if len(settings) == 1:
        titles, lines = titles[1:], [line[1:] for line in lines]
    return table(titles, lines) + origin(rows)


def inside_checks(folder: Path) -> str:
    """:func:`inside` of the trainings beside the first contrast."""
    return inside(folder, plan.HIGHER_SETTING, plan.LONGER_SETTING)


def read_paper(folder: Path) -> pd.DataFrame:
    """The paper's own table, cells as it prints them."""
    return pd.read_csv(folder / 'paper.csv', dtype=str).set_index('Method')


def short(folder: Path) -> str:
    """The averages of the methods, beside the paper's; '-' where one has no such row.

    Where the rows come from stands below :func:`scores`.
    """
    rows, costs = results_of(folder)
    found = make_table(rows, costs).set_index('Method')[AVERAGES]
    paper = read_paper(folder)[['Ave. D', 'Ave. J', 'R (s)']]
    lines = [
        [
            name,
            *(cell for part in (found, paper) for cell in part.reindex([name]).iloc[0]),
        ]
        for name in METHODS
        if name not in VARIANTS
    ]
    lines = [['-' if pd.isna(cell) else cell for cell in line] for line in lines]
    titles = ['', 'phantom: Ave. D', 'J', 'R (s)', 'paper: Ave. D', 'J', 'R (s)']
    return table(titles, lines)


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
    """Our rows of the methods in configs/NAME; their origin is below :func:`scores`."""
    rows, costs = results_of(folder)
    rows = rows[rows['method'].isin(methods_in(folder.parents[1] / 'configs' / name))]
    found = make_table(rows, costs)[['Method', *OVERLAPS, *AVERAGES]]
    return table(TITLES, found.to_numpy().tolist())


def transfer(folder: Path) -> str:
    """What the parts of WaveCT's pass do where there is another style.

    Dice of one training; of the differences the intervals are over the images.
    """
    dice = {
        (family, name): image_scores(
            rows_of(folder, f'{family}, {name}'), 'Dice'
        ).squeeze()
        for family in STYLES
        for name in TRANSFERS
    }
    lines = [
        [name, *(f'{dice[family, name].mean():.2f}' for family in STYLES)]
        for name in TRANSFERS
    ]
    for one, other in (('style', 'none'), ('style', 'reconstruction')):
        cells = []
        for family in STYLES:
            found = stats.ttest_rel(dice[family, one], dice[family, other])
            low, high = found.confidence_interval()
            mean = (dice[family, one] - dice[family, other]).mean()
            cells.append(f'{mean:+.2f} [{low:+.2f}, {high:+.2f}]')
        lines.append([f'{one} - {other} [95%]', *cells])
    settings = [f'{family}, {name}' for family, name in dice]
    titles = ['`model.transfer`', *(f'`{family}`' for family in STYLES)]
    return table(titles, lines) + origin(rows_of(folder, *settings))


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


def longer(folder: Path) -> str:
    """Validation where the training goes on for twice as long."""
    rows = rows_of(folder, plan.LONGER_VALIDATION)
    known = rows_of(folder)
    rates, iterations = plan.chosen_rates(known), plan.chosen_iterations(known)
    lines = []
    for (config, _), dice in mean_scores(rows)['mDice'].items():
        usual = rows_of(folder, plan.rate_setting(rates[config]))
        before = mean_scores(usual[usual['method'] == config])['mDice'].item()
        own = rows[rows['method'] == config]
        gains = f'{dice - before:+.2f}', cell(effects.last_third(own))
        lines.append([config, f'{before:.2f}', f'{dice:.2f}', *gains])
    counts = [f'{n} iterations' for n in (iterations, plan.LONGER * iterations)]
    titles = ['config', *counts, 'gain', 'of its last third']
    return table(titles, lines) + origin(effects.tested(rows))


def weights(folder: Path) -> str:
    """The validation by which the weight of RSNU's loss was chosen, on each host."""
    rows = rows_of(folder, plan.WEIGHTS_SETTING)
    dice, chosen = mean_scores(rows)['mDice'], plan.chosen_weights(rows)
    found = {name: dice.loc[name].sort_index() for name in dice.index.unique('method')}
    lines = [
        [
            config,
            f'{weight:g}' + (', chosen' if chosen[config] == weight else ''),
            *(f'{value:.2f}' for value in found[plan.weight_method(config, weight)]),
            f'{found[plan.weight_method(config, weight)].mean():.2f}',
        ]
        for config in plan.WEIGHTED
        for weight in plan.WEIGHTS
    ]
    seeds = [f'seed {seed}' for seed in sorted(dice.index.unique('seed'))]
    titles = ['config', 'weight', *seeds, 'mean']
    return table(titles, lines) + origin(effects.tested(rows))


def again(folder: Path) -> str:
    """WaveCT's first training, and the same once more on another machine."""
    settings = [effects.MAIN, *effects.ELSEWHERE]
    lines, parts = [], []
    for name, words in (('first', effects.MAIN), ('second', AGAIN)):
        line = [name]
        for setting in settings:
            rows = rows_of(folder, setting.replace(effects.MAIN, words))
            rows = rows[(rows['method'] == 'WaveCT') & (rows['seed'] == 0)]
            line.append(f'{mean_scores(rows)["mDice"].item():.2f}')
            parts.append(rows)
        lines.append(line)
    titles = ['training', 'test', *(f'`{name}`' for name in effects.OTHER_TESTS)]
    return table(titles, lines) + origin(effects.tested(pd.concat(parts)))


def reconstruction(folder: Path) -> str:
    """What WaveCT's autoencoders keep of images that they were not trained on."""
    rows = rows_of(folder, psnr.SETTING)
    lines = [
        [name, f'{value_of(own, "images"):.0f}', f'{value_of(own, "PSNR"):.2f}']
        for name, own in rows.groupby('method', sort=False)
    ]
    return table(['autoencoder', 'images', 'PSNR (dB)'], lines) + origin(rows)


def hours(folder: Path) -> str:
    """Trainings and core-hours of each stage that was run, by what an iteration takes."""
    rows = rows_of(folder)
    chosen = plan.chosen_iterations(rows), plan.chosen_rates(rows)
    registered, stages = plan.registered(*chosen), plan.stages(*chosen)
    parts = {
        **registered,
        'as registered': [run for runs in registered.values() for run in runs],
        **{name: runs for name, runs in stages.items() if name not in registered},
        'all': [run for runs in stages.values() for run in runs],
    }
    left = set(pending(parts['all'], rows))
    lines = []
    for name, runs in parts.items():
        made = [run for run in runs if run not in left]
        if made:
            of_all = '' if len(made) == len(runs) else f' of {len(runs)}'
            lines.append([name, f'{len(made)}{of_all}', f'{plan.core_hours(made):.1f}'])
    return table(['stage', 'trainings', 'core-hours'], lines)


def beside_paper(folder: Path) -> str:
    """The three contrasts by the main endpoints, beside what the paper has for them."""
    rows = rows_of(folder, effects.MAIN)
    rows = rows[rows['method'].isin(effects.methods_of(effects.CONTRASTS))]
    lines = effects.effect_lines(rows, effects.CONTRASTS)
    titles = [effects.ENDPOINTS[name].title for name in MAIN_ENDPOINTS]
    lines = lines[['Contrast', *(f'{title} [95%]' for title in titles)]]
    dice = read_paper(folder)['Ave. D'].astype(float)
    paper = [f'{dice["SEAM"] - dice[other]:+.2f} over {other}' for other in NEAREST]
    lines.insert(1, 'Nearest pair in the paper', paper)
    return as_table(lines) + origin(effects.tested(rows))


def difference_axes(lines: List[str], reference: str) -> Tuple[Figure, Dict[str, Axes]]:
    """An empty plot of differences, a line for each; the axes by the score."""
    figure, axes = plt.subplots(
        1, 2, figsize=(9, 0.28 * len(lines) + 1.2), sharey=True, layout='constrained'
    )
    for axis, score in zip(axes, SHOWN):
        title, _, smallest = effects.ENDPOINTS[score]
        axis.axvspan(-smallest, smallest, color='0.9', linewidth=0)
        axis.axvline(0, color='black', linewidth=0.8)
        axis.set_xlabel(f'{title}: difference to {reference}')
        axis.grid(axis='x', alpha=0.3)
    axes[0].set_yticks(range(len(lines)), lines)
    axes[0].invert_yaxis()
    return figure, dict(zip(SHOWN, axes))


def plot_rows(folder: Path, path: Path) -> None:
    """Draws how far the rows are from the reference of the same seed."""
    rows, _ = results_of(folder)
    names = [name for name in rows['method'].unique() if name != effects.REFERENCE]
    figure, axes = difference_axes(names, effects.REFERENCE)
    for score, axis in axes.items():
        values = image_scores(rows, score).mean(axis=1).unstack('method')
        for seed, marker in zip(range(plan.SEEDS['rows']), 'os'):
            own = values.loc[seed, names] - values.loc[seed, effects.REFERENCE]
            axis.plot(own, range(len(names)), marker, markersize=5, label=f'seed {seed}')
    axes[SHOWN[0]].legend(fontsize='small')
    write_figure(path, figure)
    plt.close(figure)


def plot_corners(folder: Path, path: Path) -> None:
    """Draws how far the cells of the corners are from the one with nothing, by seed."""
    contrasts, minus = effects.CORNER_CONTRASTS, f' - {effects.NONE}'
    lines = [
        f'{setting}: {label.removesuffix(minus)}'
        for setting in effects.CORNERS
        for label in contrasts
    ]
    figure, axes = difference_axes(lines, effects.NONE)
    for n, setting in enumerate(effects.CORNERS):
        rows = rows_of(folder, setting).replace(dict(method=effects.SAME))
        for score in effects.endpoints_in(rows, effects.methods_of(contrasts)):
            if score not in axes:
                continue
            for place, weights in enumerate(contrasts.values(), n * len(contrasts)):
                own = effects.seed_differences(rows, weights, score)
                style = dict(color='tab:blue', alpha=0.5)
                axes[score].plot(own, [place] * len(own), 'o', **style)
    write_figure(path, figure)
    plt.close(figure)


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
    'table1.scores': scores,
    'table1.row_endpoints': row_endpoints,
    'table1.rows_elsewhere': rows_elsewhere,
    'table1.inside': lambda folder: inside(folder, effects.MAIN),
    'table1.inside_factorial': lambda folder: inside(folder, effects.FACTORIAL),
    'table1.inside_checks': inside_checks,
    'table1.beside_paper': beside_paper,
    'table1.iterations': iterations,
    'table1.rates': rates,
    **effects.BLOCKS,
    'table1.transfer': transfer,
    'table1.weights': weights,
    'table1.longer': longer,
    'table1.again': again,
    'table1.reconstruction': reconstruction,
    'table1.hours': hours,
    **{f'paper.{name}': functools.partial(of_paper, name=name) for name in FOLDERS},
    **{f'phantom.{name}': functools.partial(of_phantom, name=name) for name in FOLDERS},
}
PLOTS = {
    'rows.png': plot_rows,
    'corners.png': plot_corners,
    'contrasts.png': plot_contrasts,
    'faint_bones.png': plot_faint,
}
