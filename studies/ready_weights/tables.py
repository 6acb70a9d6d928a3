"""The tables of the ready weights: Dice, bones, steadiness and doubt on every family."""

from pathlib import Path
from typing import Dict, Sequence

import numpy as np
import pandas as pd

from seam_seg.datasets.phantom import HELD_OUT, PRESETS
from studies.blocks import mean_of, number, origin, rows_of, table, value_of

CLASSES = ('lumbar', 'thoracic', 'rib')
FAMILIES = list(dict.fromkeys(['standard', *PRESETS, *HELD_OUT]))
CEILINGS = ('ceiling', 'ceiling with faint bones')
SCREENED = ('standard', 'scanner', 'hard')
TOLD_APART = {
    'bones': 'F1',
    'components': 'F1_components',
    'split and joined by the truth': 'F1_oracle',
    'components of the true mask': 'F1_of_truth',
}
SUSPICIONS = {
    'of confidence': 'auroc_confidence',
    'of unusual size': 'auroc_size',
    'of small area': 'auroc_area',
}


def families_of(folder: Path, part: str, method: str) -> Dict[str, pd.DataFrame]:
    """Family -> the rows of a method in a part, ``'val'`` or ``'test'``."""
    rows = rows_of(folder)
    rows = rows[rows['method'] == method]
    found = {name: rows[rows['setting'] == f'{name} {part}'] for name in FAMILIES}
    return {name: group for name, group in found.items() if len(group)}


def average(group: pd.DataFrame, score: str = 'Dice') -> float:
    """The average over the classes of a score's means over the images."""
    return float(np.mean([mean_of(group, score, name) for name in CLASSES]))


def losses(group: pd.DataFrame) -> Dict[str, float]:
    """Change of the scan -> points of average Dice that it costs."""
    scores = group['score'].unique()
    changes = [score for score in scores if score.startswith('Dice, ')]
    return {
        score.split(', ')[1]: average(group) - average(group, score) for score in changes
    }


def families(folder: Path) -> str:
    """Dice on every family, beside earlier weights and the ceilings, part test."""
    found = families_of(folder, 'test', 'ready')
    beside = {
        method: families_of(folder, 'test', method) for method in ('before', *CEILINGS)
    }
    lines = []
    for name, group in found.items():
        own = average(group)
        before, *ceilings = (
            average(groups[name]) if name in groups else np.nan
            for groups in beside.values()
        )
        gap = own - ceilings[0]
        lines.append(
            [
                name,
                *(number(mean_of(group, 'Dice', key)) for key in CLASSES),
                *map(number, (own, before, ceilings[0])),
                number(gap, '+.2f'),
                number(ceilings[1]),
                number(value_of(group, 'seconds')),
            ]
        )
    titles = ['family', *CLASSES, 'average', 'before', 'ceiling', 'gap to it']
    titles += ['with faint bones', 's an image']
    used = [*found.values(), *(g for groups in beside.values() for g in groups.values())]
    return table(titles, lines) + origin(pd.concat(used))


def bones(folder: Path) -> str:
    """F1 of the bones one by one, told apart in several ways, part test."""
    found = families_of(folder, 'test', 'ready')
    lines = [
        [
            name,
            key,
            *(
                number(value_of(group, score, class_name=key), '.3f')
                for score in TOLD_APART.values()
            ),
        ]
        for name, group in found.items()
        for key in CLASSES
    ]
    return table(['family', 'class', *TOLD_APART], lines) + origin(
        pd.concat(found.values())
    )


def steadiness(folder: Path) -> str:
    """What changes of the scan do to the average Dice, part test."""
    found = {
        name: group
        for name, group in families_of(folder, 'test', 'ready').items()
        if losses(group)
    }
    lines = [['none']]
    for group in found.values():
        lines[0] += [number(average(group)), '+0.00']
    for change in losses(next(iter(found.values()))):
        cells = []
        for group in found.values():
            loss = losses(group)[change]
            cells += [number(average(group) - loss), number(-loss, '+.2f')]
        lines.append([change, *cells])
    titles = [title for name in found for title in (f'`{name}`', 'difference')]
    return table(['change', *titles], lines) + origin(pd.concat(found.values()))


def doubt(folder: Path) -> str:
    """How well doubt finds the bones that need correction, part test."""
    found = families_of(folder, 'test', 'ready')
    lines = []
    for name, group in found.items():
        counts = [f'{value_of(group, key):.0f}' for key in ('bones', 'doubtful')]
        values = [
            *(value_of(group, 'auroc_doubt', class_name=key) for key in ('', *CLASSES)),
            *(value_of(group, key) for key in SUSPICIONS.values()),
        ]
        lines.append([name, *counts, *(number(value, '.3f') for value in values)])
    titles = ['family', 'bones', 'doubtful', 'AUROC of doubt', 'in lumbar', 'thoracic']
    titles += ['rib', *SUSPICIONS]
    return table(titles, lines) + origin(pd.concat(found.values()))


def over_seeds(values: Sequence[float], form: str = '.2f') -> str:
    """The mean over trainings, with the standard deviation where there are several."""
    spread = f' ± {np.std(values, ddof=1):{form}}' if len(values) > 1 else ''
    return number(float(np.mean(values)), form) + spread


def screening(folder: Path) -> str:
    """The trainings by which the network was chosen, part val."""
    rows = rows_of(folder)
    costs = rows[rows['score'] == 'cpu_seconds'].groupby('method')['value'].mean()
    rows = rows[rows['setting'].isin([f'{name} val' for name in FAMILIES])]
    lines = []
    for method, runs in rows.groupby('method', sort=False):
        cells = [method, runs['seed'].nunique()]
        for name in SCREENED:
            groups = runs[runs['setting'] == f'{name} val'].groupby('seed')
            dice = [average(group) for _, group in groups]
            cells.append(over_seeds(dice) if dice else '-')
        for name in SCREENED[:2]:
            groups = runs[runs['setting'] == f'{name} val'].groupby('seed')
            for key in CLASSES:
                found = [value_of(group, 'F1', class_name=key) for _, group in groups]
                cells.append(number(float(np.mean(found)), '.3f') if found else '-')
        cells.append(number(costs.get(method, np.nan) / costs['recipe']))
        lines.append(cells)
    titles = ['network', 'seeds', *(f'`{name}`' for name in SCREENED)]
    for name in SCREENED[:2]:
        titles += [f'F1 in `{name}`: {CLASSES[0]}', *CLASSES[1:]]
    return table([*titles, 'CPU time of a step'], lines) + origin(rows)


def pieces(folder: Path) -> str:
    """F1 of the bones by the share from which a piece is a bone of its own, part val."""
    rows = rows_of(folder)
    of_families = [rows[rows['setting'] == f'{name} val, pieces'] for name in SCREENED]
    lines = []
    for share in of_families[0]['method'].unique():
        values = [
            value_of(group, 'F1', share, class_name=key)
            for group in of_families
            for key in CLASSES
        ]
        lines.append([share, *(number(value, '.3f') for value in values)])
    titles = ['share of the largest piece']
    for name in SCREENED:
        titles += [f'F1 in `{name}`: {CLASSES[0]}', *CLASSES[1:]]
    return table(titles, lines) + origin(pd.concat(of_families))


BLOCKS = {
    'ready_weights.families': families,
    'ready_weights.bones': bones,
    'ready_weights.steadiness': steadiness,
    'ready_weights.doubt': doubt,
    'ready_weights.screening': screening,
    'ready_weights.pieces': pieces,
}
PLOTS: dict = {}
