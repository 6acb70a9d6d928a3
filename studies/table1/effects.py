"""What attention and the losses change: contrasts, the factorial, endpoints.

Rows of the settings that studies/table1 trains anew; scores of its endpoints beside Dice.
"""

import functools
import itertools
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Mapping, Sequence

import numpy as np
import pandas as pd

from seam_seg.apis.comparison import (
    Contrasts,
    against,
    compare,
    comparison_table,
    interval_text,
)
from seam_seg.errors import InputError
from seam_seg.evaluation.rows import cell, image_scores
from studies.blocks import origin, rows_of, table

SMALLEST = 0.56  # points of Dice: what the paper's center regression gains
REFERENCE = 'FPN + 3x3 conv'
MAIN, FACTORIAL = '64 cases', '20 cases'
ELSEWHERE = (  # the same trainings, and those from scratch
    MAIN,
    f'{MAIN}, missing',
    f'{MAIN}, occluded',
    f'{MAIN}, scanner',
    f'{MAIN}, from scratch',
)
CORNERS = (FACTORIAL, '5 cases', 'no faint bones', '40% faint bones', *ELSEWHERE[:-1])
# Cells that are rows of the table with 64 cases, and have its names there.
SAME = {
    REFERENCE: '3x3 conv',
    'SEAM, key mass, felt center': 'SEAM key mass, center, key',
}
# What the study was made for, written down before its first run.
CONTRASTS: Contrasts = {
    **against(REFERENCE, ['SEAM']),
    **against('SEAM key mass, key', ['SEAM, key mass, felt center']),
    **against('NonLocal, attention on v', ['SEAM']),
}
CONTROLS = against(
    REFERENCE, ['FPN + 3x3 conv, coordinates', 'FPN + 3x3 conv, levels told']
)
# The cells with attention and all losses, with one of them, or with none.
CORNER_CONTRASTS = against(
    '3x3 conv', ['3x3 conv, center, key', 'SEAM key mass', 'SEAM key mass, center, key']
)
# Score of the rows -> title and digits. The lower the better, from false bones on.
ENDPOINTS = {
    'Dice': ('Dice', 2),
    'Found.all': ('Bones found (%)', 1),
    'FaintFound.all': ('Faint bones found (%)', 1),
    'FaintDice.all': ('Dice of faint bones', 2),
    'FalseBone.all': ('False bones (%)', 1),
    'Center.all': ('Centers off (px)', 2),
    'AngleError.all': ('Angle off (°)', 2),
    'AngleRefused.all': ('No angle (%)', 1),
}
# The factors of the 12 cells: name of an effect -> the weight of each level, by the part
# that it adds to the name of a method. '' is the average over the levels.
FACTORS: List[Dict[str, Dict[str, float]]] = [
    {
        'SEAM printed': {'3x3 conv': -1, 'SEAM printed': 1},
        'SEAM key mass': {'3x3 conv': -1, 'SEAM key mass': 1},
        '': {'3x3 conv': 1 / 3, 'SEAM printed': 1 / 3, 'SEAM key mass': 1 / 3},
    },
    {'center loss': {'': -1, ', center': 1}, '': {'': 0.5, ', center': 0.5}},
    {'key cross entropy': {'': -1, ', key': 1}, '': {'': 0.5, ', key': 0.5}},
]


def factorial_contrasts() -> Dict[str, Dict[str, float]]:
    """Main effects of the factors, and their interactions, as weights of the cells.

    An effect is the mean difference between two levels over all levels of the other
    factors; an interaction, how much an effect differs between two levels of another
    factor. Attention is compared with the 3x3 convolution.
    """
    found = []
    for names in itertools.product(*FACTORS):
        weights: Dict[str, float] = {}
        levels = [factor[name] for factor, name in zip(FACTORS, names)]
        for parts in itertools.product(*levels):
            weights[''.join(parts)] = float(
                np.prod([level[part] for level, part in zip(levels, parts)])
            )
        changed = [name for name in names if name]
        if changed:
            found.append((len(changed), ' x '.join(changed), weights))
    found.sort(key=lambda effect: effect[0])
    return {label: weights for _, label, weights in found}


def endpoints_in(rows: pd.DataFrame, names: Iterable[str]) -> List[str]:
    """Those of :data:`ENDPOINTS` that all these methods have."""
    return [
        score
        for score in ENDPOINTS
        if set(names) <= set(image_scores(rows, score).index.unique('method'))
    ]


def effect_lines(rows: pd.DataFrame, contrasts: Contrasts) -> pd.DataFrame:
    """Contrasts by Dice, with effect and p, and by the other endpoints, as text."""
    lines = comparison_table(
        compare(rows, contrasts, smallest=SMALLEST), smallest=SMALLEST
    )
    names = {name for weights in contrasts.values() for name in weights}
    for score in endpoints_in(rows, names):
        title, digits = ENDPOINTS[score]
        if score == 'Dice':
            continue
        found = compare(rows, contrasts, score)
        lines[title] = [interval_text(line, digits) for _, line in found.iterrows()]
    return lines


def as_table(frame: pd.DataFrame) -> str:
    """A table of text as Markdown."""
    return table(list(frame), frame.to_numpy().tolist())


def effects(folder: Path, setting: str, contrasts: Contrasts) -> str:
    """Contrasts in a setting."""
    rows = rows_of(folder, setting)
    return as_table(effect_lines(rows, contrasts)) + origin(rows)


def effects_by_setting(
    folder: Path, settings: Sequence[str], contrasts: Contrasts, names: Mapping[str, str]
) -> str:
    """Contrasts in every setting where all their methods have been run.

    Args:
        folder (Path): of the study.
        settings (Sequence[str]): of the rows.
        contrasts (Contrasts): see :func:`~seam_seg.apis.comparison.compare`.
        names (Mapping[str, str]): of methods that are called otherwise here.

    Raises:
        InputError: there is no such setting.
    """
    rows = rows_of(folder, *settings).replace(dict(method=names))
    needed = {name for weights in contrasts.values() for name in weights}
    parts = []
    for setting in settings:
        own = rows[rows['setting'] == setting]
        if needed <= set(own['method']):
            lines = effect_lines(own, contrasts)
            lines.insert(0, 'Setting', setting)
            parts.append(lines)
    if not parts:
        raise InputError(f'no setting has rows of all of {", ".join(sorted(needed))}.')
    return as_table(pd.concat(parts).fillna('-')) + origin(rows)


def endpoints(folder: Path, setting: str) -> str:
    """Each method by all endpoints: mean and standard deviation over the seeds."""
    rows = rows_of(folder, setting)
    lines = []
    for name, own in rows.groupby('method', sort=False):
        line = {'Method': name, 'Seeds': own['seed'].nunique()}
        for score, (title, digits) in ENDPOINTS.items():
            values = image_scores(own, score).mean(axis=1)
            line[title] = cell(values, digits)
        lines.append(line)
    return as_table(pd.DataFrame(lines)) + origin(rows)


BLOCKS: Dict[str, Callable[[Path], str]] = {
    'table1.endpoints': functools.partial(endpoints, setting=MAIN),
    'table1.contrasts': functools.partial(effects, setting=MAIN, contrasts=CONTRASTS),
    'table1.elsewhere': functools.partial(
        effects_by_setting, settings=ELSEWHERE[1:], contrasts=CONTRASTS, names={}
    ),
    'table1.controls': functools.partial(
        effects_by_setting,
        settings=(MAIN, FACTORIAL),
        contrasts=CONTROLS,
        names={SAME[REFERENCE]: REFERENCE},
    ),
    'table1.cells': functools.partial(endpoints, setting=FACTORIAL),
    'table1.factorial': functools.partial(
        effects, setting=FACTORIAL, contrasts=factorial_contrasts()
    ),
    'table1.corners': functools.partial(
        effects_by_setting, settings=CORNERS, contrasts=CORNER_CONTRASTS, names=SAME
    ),
}
