"""The tables and the plot of what SEAM costs."""

from pathlib import Path
from typing import Dict, List, Sequence

import matplotlib
import numpy as np
import pandas as pd

from seam_seg.atomic import write_figure
from studies.blocks import number, origin, rows_of, table, value_of
from studies.speed.ratios import compare_times, slope

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402

TIMES = ['', 'min (s)', 'median (s)', 'ratio of minima', 'median ratio [95%]']


def seconds_of(rows: pd.DataFrame) -> Dict[str, np.ndarray]:
    """Method -> seconds of each round, of one setting."""
    found = rows[rows['score'] == 'seconds']
    return {
        name: group['value'].to_numpy()
        for name, group in found.groupby('method', sort=False)
    }


def time_cells(seconds: Sequence[float], reference: Sequence[float]) -> List[str]:
    """What :func:`compare_times` says, in four cells."""
    found = compare_times(seconds, reference)
    return [
        f'{found["minimum"]:.3f}',
        f'{found["median"]:.3f}',
        f'{found["ratio"]:.3f}',
        f'{found["median_ratio"]:.3f} [{found["low"]:.3f}, {found["high"]:.3f}]',
    ]


def time_lines(rows: pd.DataFrame) -> Dict[str, List[str]]:
    """Method -> cells of its times against the first one's."""
    times = seconds_of(rows)
    first = next(iter(times.values()))
    return {name: [name, *time_cells(times[name], first)] for name in times}


def mebibytes(rows: pd.DataFrame, method: str) -> str:
    """The peak of a method's memory."""
    return number(value_of(rows, 'peak_bytes', method) / 2**20, '.0f')


def inference(folder: Path) -> str:
    """Every model against the first one, by time and by FLOPs."""
    rows = rows_of(folder, 'inference')
    lines = time_lines(rows)
    flops = {name: value_of(rows, 'flops', name) for name in lines}
    first = next(iter(flops.values()))
    for name, cells in lines.items():
        cells += [
            number(flops[name] / first, '.3f'),
            number(value_of(rows, 'parameters', name) / 1e6),
            number(flops[name] / 1e9, '.1f'),
            mebibytes(rows, name),
        ]
    titles = [*TIMES, 'ratio of FLOPs', 'params (M)', 'FLOPs (G)', 'peak (MiB)']
    return table(titles, lines.values()) + origin(rows)


def training(folder: Path) -> str:
    """Every model's training step against the first one's."""
    rows = rows_of(folder, 'training')
    lines = time_lines(rows)
    for name, seconds in seconds_of(rows).items():
        batch = value_of(rows, 'batch_size', name)
        lines[name] += [number(batch / seconds.min()), mebibytes(rows, name)]
    titles = [*TIMES, 'images per s', 'peak (MiB)']
    return table(titles, lines.values()) + origin(rows)


def formats(folder: Path) -> str:
    """What the memory format and the compiler bring, at inference and in training."""
    lines = []
    for kind in ('inference', 'training'):
        found = time_lines(rows_of(folder, f'{kind}, formats'))
        lines += [[f'{kind}, {name}', *cells] for name, (_, *cells) in found.items()]
    rows = rows_of(folder, 'inference, formats', 'training, formats')
    return table(TIMES, lines) + origin(rows)


def points_of(rows: pd.DataFrame) -> Dict[str, List[dict]]:
    """Module -> for each size of the map ``positions``, ``seconds`` and ``bytes``."""
    found: Dict[str, Dict[int, dict]] = {}
    for row in rows.itertuples():
        positions = int(row.image.split()[0])
        points = found.setdefault(row.method, {})
        points.setdefault(positions, dict(positions=positions))[row.score] = row.value
    return {
        name: [points[key] for key in sorted(points)] for name, points in found.items()
    }


def growth(folder: Path) -> str:
    """The exponents of growth with the map, of the modules alone."""
    rows = rows_of(folder, 'growth')
    lines = [
        [name, *(number(slope(points, key)) for key in ('seconds', 'bytes'))]
        for name, points in points_of(rows).items()
    ]
    return table(['', 'slope of time', 'slope of memory'], lines) + origin(rows)


def plot_growth(folder: Path, path: Path) -> None:
    """Draws time and memory over the positions of the map."""
    found = points_of(rows_of(folder, 'growth'))
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout='constrained')
    for axis, key, factor, unit in (
        (axes[0], 'seconds', 1e3, 'time (ms)'),
        (axes[1], 'bytes', 2**-20, 'peak memory (MiB)'),
    ):
        for name, points in found.items():
            axis.loglog(
                [point['positions'] for point in points],
                [point[key] * factor for point in points],
                'o-',
                label=f'{name} (slope {slope(points, key):.2f})',
            )
        axis.set(xlabel='positions H x W of the map', ylabel=unit)
        axis.grid(alpha=0.3, which='both')
        axis.legend()
    write_figure(path, figure)
    plt.close(figure)


def data(folder: Path) -> str:
    """How fast patches come and cases are scored."""
    rows = rows_of(folder, 'data', 'scoring')
    value = {score: value_of(rows, score) for score in rows['score']}
    lines = [
        ['patches per second and worker', f'{value["patches_per_second"]:.0f}'],
        ['share of a training step that waits for a batch', f'{value["waiting"]:.2%}'],
        ['Dice and Jaccard of one case', f'{1e3 * value["case_seconds"]:.1f} ms'],
        ['share of the test loop outside the model', f'{value["outside"]:.1%}'],
    ]
    return table(['', 'measured'], lines) + origin(rows)


def memory(folder: Path) -> str:
    """What a training step of the paper's model holds, by batch size."""
    rows = rows_of(folder, 'training memory')
    batches = rows['image'].str.split().str[1].tolist()
    cells = ['GiB', *(f'{value / 2**30:.1f}' for value in rows['value'])]
    return table(['batch', *batches], [cells]) + origin(rows, always=False)


def way_back(folder: Path) -> str:
    """What comes after the network, as shares of a prediction without votes."""
    rows = rows_of(folder, 'way-back')
    times = {name: 1e3 * seconds for name, seconds in seconds_of(rows).items()}
    whole = times['prediction, without votes']
    lines = []
    for name in times:
        found = compare_times(times[name], whole)
        share = f'{found["median_ratio"]:.1%} [{found["low"]:.1%}, {found["high"]:.1%}]'
        lines.append([name, f'{found["minimum"]:.1f}', f'{found["median"]:.1f}', share])
    header = ['', 'min (ms)', 'median (ms)', 'of a prediction without votes [95%]']
    return table(header, lines) + origin(rows)


def short(folder: Path) -> str:
    """The ratios alone: time and FLOPs of an image, time of a training step."""
    tests, steps = (rows_of(folder, name) for name in ('inference', 'training'))
    flops = {name: value_of(tests, 'flops', name) for name in seconds_of(tests)}
    columns = [
        {name: np.min(seconds) for name, seconds in seconds_of(tests).items()},
        flops,
        {name: np.min(seconds) for name, seconds in seconds_of(steps).items()},
    ]
    first = next(iter(flops))
    lines = [
        [name, *(number(column.get(name, np.nan) / column[first]) for column in columns)]
        for name in dict.fromkeys([*columns[0], *columns[2]])
    ]
    titles = ['', 'time of an image', 'FLOPs of an image', 'time of a training step']
    return table(titles, lines) + origin(pd.concat([tests, steps]), always=False)


BLOCKS = {
    'speed.inference': inference,
    'speed.training': training,
    'speed.formats': formats,
    'speed.growth': growth,
    'speed.data': data,
    'speed.memory': memory,
    'speed.way_back': way_back,
    'speed.short': short,
}
PLOTS = {'growth.png': plot_growth}
