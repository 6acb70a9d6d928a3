"""The table of the demo."""

from pathlib import Path

import numpy as np

from studies.blocks import mean_of, number, origin, rows_of, table, value_of

CLASSES = ('lumbar', 'thoracic', 'rib')
METHODS = ('SEAM, small', 'mean mask', 'intensity')


def scores(folder: Path) -> str:
    """The demo's model, and trivial predictors, which any model has to beat."""
    rows = rows_of(folder, 'standard test')
    lines = []
    for name in METHODS:
        part = rows[rows['method'] == name]
        means = {
            f'{key}.{bone}': mean_of(part, key, bone)
            for key in ('Dice', 'Jaccard')
            for bone in CLASSES
        }
        for key in ('Dice', 'Jaccard'):
            means[f'm{key}'] = np.mean([means[f'{key}.{bone}'] for bone in CLASSES])
        columns = [f'{key}.{bone}' for bone in CLASSES for key in ('Dice', 'Jaccard')]
        cells = [means[key] for key in (*columns, 'mDice', 'mJaccard')]
        runtime = number(value_of(part, 'R'), '.3f')
        lines.append([name, *map(number, cells), runtime])
    titles = ['', 'Lumbar D', 'J', 'Thoracic D', 'J', 'Rib D', 'J', 'Ave. D', 'J', 'R']
    return table(titles, lines) + origin(rows, always=False)


BLOCKS = {'demo.scores': scores}
PLOTS = {}
