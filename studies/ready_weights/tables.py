"""The tables of the ready weights: families, doubt, and the candidates."""

from pathlib import Path
from typing import Dict, List

import numpy as np
import pandas as pd

from seam_seg.datasets.phantom import HELD_OUT, PRESETS
from studies.blocks import mean_of, number, origin, rows_of, table, value_of

CLASSES = ('lumbar', 'thoracic', 'rib')
TRAINED_ON = 'standard'
OWN = 'standard and hard test'
FAMILIES = list(dict.fromkeys([TRAINED_ON, *PRESETS, *HELD_OUT]))
SUSPICIONS = {
    'of confidence': 'auroc_confidence',
    'of unusual size': 'auroc_size',
    'of small area': 'auroc_area',
}
MODELS = {
    'demo': 'demo: `standard`, 512 x 128, 600 iterations of 8 patches',
    'hard 1024x256': '`hard`, 1024 x 256, 2,400 of 4; its config was not kept',
    'ready': '**both, 512 x 128, 2,400 of 8: the ready weights**',
}


def families_of(folder: Path, part: str, method: str) -> Dict[str, pd.DataFrame]:
    """Family -> the rows of a method in a part, ``'val'`` or ``'test'``."""
    rows = rows_of(folder)
    rows = rows[rows['method'] == method]
    found = {name: rows[rows['setting'] == f'{name} {part}'] for name in FAMILIES}
    return {name: group for name, group in found.items() if len(group)}


def dice_cells(group: pd.DataFrame, reference: pd.DataFrame) -> List[str]:
    """Dice of each class, the average, and its gap to the family trained on."""
    dice, other = (
        [mean_of(rows, 'Dice', name) for name in CLASSES] for rows in (group, reference)
    )
    gap = np.mean(dice) - np.mean(other)
    return [*map(number, dice), number(np.mean(dice)), f'{gap:+.2f}']


def doubt_cells(group: pd.DataFrame) -> List[str]:
    """Bones, doubtful ones, and the AUROC of doubt and of its parts."""
    counts = [f'{value_of(group, key):.0f}' for key in ('bones', 'doubtful')]
    doubt = [value_of(group, 'auroc_doubt', class_name=name) for name in ('', *CLASSES)]
    alone = [value_of(group, key) for key in SUSPICIONS.values()]
    return [*counts, *(number(value, '.3f') for value in (*doubt, *alone))]


DICE_TITLES = [*CLASSES, 'average', f'gap to `{TRAINED_ON}`']
DOUBT_TITLES = ['bones', 'doubtful', 'AUROC of doubt', 'in lumbar', 'thoracic', 'rib']
DOUBT_TITLES += SUSPICIONS


def families(folder: Path) -> str:
    """Dice of the ready weights on every family, part test."""
    found = families_of(folder, 'test', 'ready')
    lines = [
        [name, *dice_cells(group, found[TRAINED_ON])] for name, group in found.items()
    ]
    return table(['family', *DICE_TITLES], lines) + origin(pd.concat(found.values()))


def doubt(folder: Path) -> str:
    """How well doubt finds the bones that need correction, part test."""
    found = families_of(folder, 'test', 'ready')
    lines = [[name, *doubt_cells(group)] for name, group in found.items()]
    return table(['family', *DOUBT_TITLES], lines) + origin(pd.concat(found.values()))


def candidates(folder: Path) -> str:
    """The models among which the ready weights were chosen, part val."""
    lines, used = [], []
    for method, words in MODELS.items():
        found = families_of(folder, 'val', method)
        cells = [
            dice_cells(found[name], found[TRAINED_ON]) for name in (TRAINED_ON, 'scanner')
        ]
        lines.append([words, cells[0][3], *cells[1][3:]])
        used += [found[TRAINED_ON], found['scanner']]
    titles = ['model', f'`{TRAINED_ON}`', '`scanner`', 'gap']
    return table(titles, lines) + origin(pd.concat(used))


def validation(folder: Path) -> str:
    """Every family and model of part val, with all columns."""
    lines, used = [], []
    for method in MODELS:
        found = families_of(folder, 'val', method)
        used += found.values()
        lines += [
            [method, name, *dice_cells(group, found[TRAINED_ON]), *doubt_cells(group)]
            for name, group in found.items()
        ]
    titles = ['model', 'family', *DICE_TITLES, *DOUBT_TITLES]
    return table(titles, lines) + origin(pd.concat(used))


def own_test(folder: Path) -> str:
    """The test split of the data that the ready weights were trained on."""
    rows = rows_of(folder, OWN)
    titles, cells = [''], [f'`{OWN}`']
    for key in ('Dice', 'Jaccard'):
        means = [mean_of(rows, key, name) for name in CLASSES]
        titles += [f'{name.capitalize()} {key[0]}' for name in (*CLASSES, 'Ave.')]
        cells += [number(value) for value in (*means, np.mean(means))]
    cells.append(number(value_of(rows, 'R'), '.3f'))
    return table([*titles, 'R'], [cells]) + origin(rows)


BLOCKS = {
    'ready_weights.families': families,
    'ready_weights.doubt': doubt,
    'ready_weights.candidates': candidates,
    'ready_weights.validation': validation,
    'ready_weights.own_test': own_test,
}
PLOTS = {}
