"""The tables of the ready model beside a Unet of another library."""

from pathlib import Path

import numpy as np
import pandas as pd

from seam_seg.datasets.phantom import HELD_OUT, PRESETS
from studies.blocks import mean_of, number, origin, rows_of, table, value_of
from studies.peer.measure import PREDICTION, TRAINING

CLASSES = ('lumbar', 'thoracic', 'rib')
MODELS = {'ready': 'ready model', 'peer': 'Unet, ResNet-18'}
FAMILIES = [*PRESETS, *HELD_OUT]
PART = 'test'


def scores(folder: Path) -> str:
    """Both models on every family: Dice, and F1 of the bones one by one."""
    settings = [f'{name} {PART}' for name in FAMILIES]
    # The ready weights' own study has scored them, on the same cases.
    rows = rows_of(folder.parent / 'ready_weights', *settings)
    rows = pd.concat([rows[rows['method'] == 'ready'], rows_of(folder, *settings)])
    lines = []
    for family in FAMILIES:
        for method, words in MODELS.items():
            own = rows[rows['setting'] == f'{family} {PART}']
            own = own[own['method'] == method]
            if not len(own):
                continue
            dice = [mean_of(own, 'Dice', name) for name in CLASSES]
            f1 = [value_of(own, 'F1', class_name=name) for name in CLASSES]
            cells = [*map(number, (*dice, np.mean(dice)))]
            cells += [number(value, '.3f') for value in f1]
            lines.append([family, words, *cells])
    titles = ['family', 'model', *CLASSES, 'average']
    titles += [f'F1, {name}' for name in CLASSES]
    return table(titles, lines) + origin(rows)


def training(folder: Path) -> str:
    """What a step of each costs, how many the trainings have, and what an image costs."""
    rows = rows_of(folder, TRAINING, PREDICTION)
    lines = []
    for method, words in MODELS.items():
        own = rows[rows['method'] == method]
        image = own[own['setting'] == PREDICTION]['value'].mean()
        own = own[own['setting'] == TRAINING]
        seconds = own[own['score'] == 'cpu_seconds']['value'].mean()
        iterations = value_of(own, 'iterations')
        cells = [
            number(value_of(own, 'parameters') / 1e6),
            number(seconds, '.3f'),
            f'{iterations:.0f}',
            number(seconds * iterations / 3600),
            number(image, '.3f'),
        ]
        lines.append([words, *cells])
    titles = ['', 'parameters (M)', 'CPU seconds a step', 'iterations', 'CPU hours']
    titles.append('CPU seconds an image')
    return table(titles, lines) + origin(rows)


BLOCKS = {'peer.scores': scores, 'peer.training': training}
PLOTS: dict = {}
