"""The table of the open choices."""

from pathlib import Path
from typing import Tuple

import pandas as pd
from scipy import stats

from seam_seg.evaluation.rows import cell, image_dice, mean_scores
from studies.blocks import origin, rows_of, table

HELD_OUT, VALIDATION = 'scanner val', 'standard val'
REFERENCE = 'reference'


def paired_interval(rows: pd.DataFrame, method: str) -> Tuple[float, float, float]:
    """Difference of a variant to the reference over the same images and seeds.

    Args:
        rows (pd.DataFrame): of one setting.
        method (str): the variant.

    Returns:
        tuple[float, float, float]: mean difference in points of Dice, and the ends of its
        95% interval over the images (Student's t, since they are few).
    """
    dice = image_dice(rows)
    seeds = dice.loc[method].index.intersection(dice.loc[REFERENCE].index)
    a, b = (dice.loc[name].loc[seeds].mean() for name in (method, REFERENCE))
    interval = stats.ttest_1samp(a - b, 0).confidence_interval()
    return (a - b).mean(), interval.low, interval.high


def against(rows: pd.DataFrame, method: str) -> str:
    """What a variant differs by from the reference: mean, interval, and every seed."""
    if method == REFERENCE:
        return 'reference'
    mean, low, high = paired_interval(rows, method)
    dice = mean_scores(rows)['mDice']
    by_seed = (dice[method] - dice[REFERENCE]).dropna().sort_index()
    return (
        f'{mean:+.2f} [{low:+.2f}, {high:+.2f}]'
        f'{"" if low > 0 or high < 0 else ", indistinguishable"}; '
        f'{", ".join(f"{value:+.2f}" for value in by_seed)}'
    )


def variants(folder: Path) -> str:
    """A row for each variant: both data sets, and what was found inside the head."""
    settings = [rows_of(folder, name) for name in (HELD_OUT, VALIDATION)]
    probes = settings[1]
    lines = []
    names = dict.fromkeys(settings[0]['method'])
    for name in sorted(names, key=lambda name: (name != REFERENCE, name)):
        cells = [name, str(settings[0].query('method == @name')['seed'].nunique())]
        for rows in settings:
            dice = mean_scores(rows)['mDice'][name].tolist()
            cells += [cell(dice), against(rows, name)]
        for key in ('probe.largest_weight', 'probe.gradient_ratio'):
            found = probes[(probes['method'] == name) & (probes['score'] == key)]['value']
            cells.append(f'{found.mean():.3g}' if len(found) else '-')
        lines.append(cells)
    titles = [
        'variant',
        'seeds',
        'held out: Dice (%)',
        'against the reference',
        'validation: Dice (%)',
        'against the reference',
        "largest weight of a'",
        'beta grad L_reg / grad L_cls',
    ]
    return table(titles, lines) + origin(pd.concat(settings))


BLOCKS = {'open_choices.variants': variants}
PLOTS = {}
