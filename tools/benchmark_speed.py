#!/usr/bin/env python
"""Measures what SEAM costs: inference, training, formats, growth, data and scoring.

Each part is kept as JSON when it is done, and is not repeated unless named with --only.
"""
import argparse
import json
import sys
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import matplotlib
import torch

from seam_seg.apis import speed
from seam_seg.apis.benchmark import measure_costs
from seam_seg.apis.cli import report_errors
from seam_seg.datasets.phantom import write_phantom
from seam_seg.files import write_figure, write_json, write_whole
from seam_seg.version import __version__

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402

FORM = '{}_1xb12-80k_vpi-512x256'
HOST = FORM.format('fpn_r50')
ROWS = [HOST, *map(FORM.format, (
    'fpn-conv_r50', 'seam_r50-fpn', 'seam-keymass_r50-fpn', 'emanet_r50-fpn',
    'danet_r50-fpn', 'nonlocal_r50-fpn'))]
RECOMMENDED = FORM.format('seam-keymass_r50-fpn')
TRAINED = [HOST, *map(FORM.format, ('fpn-conv_r50', 'seam-wo-ss_r50-fpn',
                                    'seam_r50-fpn'))]
SIZES = [(64, 16), (128, 32), (256, 64), (512, 128), (1024, 256)]


def measure(part: str, args: argparse.Namespace) -> dict:
    """One part of the benchmark."""
    if part == 'inference':
        return measure_costs(ROWS, args.rounds)
    if part == 'training':
        return speed.training_times(
            TRAINED, str(args.data_root), args.batch_size, args.rounds)
    if part == 'formats':
        return speed.format_times(
            RECOMMENDED, str(args.data_root), args.batch_size, args.rounds)
    if part == 'growth':
        return speed.growth(SIZES, 256 * 64, 128, 5)
    if part == 'data':
        return speed.data_times(HOST, str(args.data_root), args.rounds)
    if part == 'scoring':
        return dict(speed.outside_of_model(HOST, str(args.data_root)),
                    case_seconds=min(speed.scoring_times(args.rounds)))
    raise ValueError(part)


PARTS = ('inference', 'training', 'formats', 'growth', 'data', 'scoring')


def inference_table(costs: Dict[str, dict]) -> List[str]:
    """Every model against the first one, by time and by FLOPs."""
    first = next(iter(costs.values()))
    rows = ['| | min (s) | median (s) | ratio of minima | median ratio [95%] | ratio of '
            'FLOPs | params (M) | FLOPs (G) | peak (MiB) |', '|---' * 9 + '|']
    for name, cost in costs.items():
        t = speed.compare_times(cost['seconds'], first['seconds'])
        rows.append(
            f'| {name} | {t["minimum"]:.3f} | {t["median"]:.3f} | {t["ratio"]:.3f} | '
            f'{t["median_ratio"]:.3f} [{t["low"]:.3f}, {t["high"]:.3f}] | '
            f'{cost["flops"] / first["flops"]:.3f} | {cost["parameters"] / 1e6:.2f} | '
            f'{cost["flops"] / 1e9:.1f} | {cost["peak_bytes"] / 2**20:.0f} |')
    return rows


def times_table(times: Dict[str, List[float]]) -> List[str]:
    """A row for each action, against the first one."""
    rows = ['| | min (s) | median (s) | ratio of minima | median ratio [95%] |',
            '|---' * 5 + '|']
    for name, seconds in times.items():
        t = speed.compare_times(seconds, next(iter(times.values())))
        rows.append(
            f'| {name} | {t["minimum"]:.3f} | {t["median"]:.3f} | {t["ratio"]:.3f} | '
            f'{t["median_ratio"]:.3f} [{t["low"]:.3f}, {t["high"]:.3f}] |')
    return rows


def plot_growth(found: Dict[str, List[dict]], path: Path) -> None:
    """Draws time and memory over the positions of the map."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout='constrained')
    for axis, key, factor, unit in ((axes[0], 'seconds', 1e3, 'time (ms)'),
                                    (axes[1], 'bytes', 2**-20, 'peak memory (MiB)')):
        for name, points in found.items():
            axis.loglog(
                [point['positions'] for point in points],
                [point[key] * factor for point in points], 'o-',
                label=f'{name} (slope {speed.slope(points, key):.2f})')
        axis.set(xlabel='positions H x W of the map', ylabel=unit)
        axis.grid(alpha=0.3, which='both')
        axis.legend()
    write_figure(path, figure)
    plt.close(figure)


def write_report(results: Dict[str, dict], out: Path) -> str:
    """Writes the page of the parts there are, and returns it."""
    lines = ['# What SEAM costs', '']
    where = results[next(iter(results))]['where']
    lines += [f'Written by `tools/benchmark_speed.py` ({where}). Models take turns; '
              'intervals are 95% bootstrap intervals of the median over the rounds.']
    if 'inference' in results:
        lines += ['', '## Inference', '', 'One 1024 x 256 image, ResNet-50; time with '
                  'normalisation and the way back to 2574 x 640. Peak: tensors only.', '',
                  *inference_table(results['inference']['found'])]
    if 'training' in results:
        lines += ['', '## Training step', '', '512 x 256 patches of a phantom, with the '
                  f'losses and Adam, batch {results["training"]["batch_size"]}.', '',
                  *times_table(results['training']['found'])]
    if 'formats' in results:
        lines += ['', '## Memory format and compiler', '', 'The recommended SEAM, as '
                  'above. Compiled: backbone and neck by `torch.compile`, and the head '
                  'at inference.']
        for kind, times in results['formats']['found'].items():
            lines += ['', *times_table(
                {f'{kind}, {name}': seconds for name, seconds in times.items()})]
    if 'growth' in results:
        plot_growth(results['growth']['found'], out / 'growth.png')
        lines += ['', '## Growth', '', 'The modules alone, C = 128, one image.', '',
                  '![Time and memory over the size of the map](growth.png)']
    if 'data' in results:
        found = results['data']['found']
        lines += [
            '', '## Data', '', f'{found["patches_per_second"]:.0f} patches of 512 x 256 '
            'per second and worker (flip and rotation included); a training step waits '
            f'{100 * found["waiting"]:.2f}% of its time for its batch of 12.'
        ]
    if 'scoring' in results:
        found = results['scoring']['found']
        lines += ['', '## Scoring', '', f'{1e3 * found["case_seconds"]:.1f} ms for the '
                  'Dice and Jaccard of one 2574 x 640 case. A test of '
                  f'{found["images"]} images spends {100 * found["outside"]:.1f}% of its '
                  'time outside the model.']
    page = '\n'.join(lines) + '\n'
    write_whole(out / 'README.md', page)
    return page


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--only', choices=PARTS, nargs='+', help='parts to measure, again if need be')
    parser.add_argument(
        '--rounds', type=int, default=20, help='turns of each model (default: 20)')
    parser.add_argument(
        '--batch-size', type=int, default=2, help='of a training step (default: 2)')
    parser.add_argument(
        '--data-root', type=Path, default=Path('data/speed'),
        help='where a phantom is made (default: data/speed)')
    parser.add_argument(
        '--out', type=Path, default=Path('docs/speed'),
        help='results, page and plot (default: docs/speed)')
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    write_phantom(args.data_root, 12, 12, seed=4, num_workers=2, overwrite=True)
    device = (torch.cuda.get_device_name() if torch.cuda.is_available()
              else f'CPU, {torch.get_num_threads()} threads')
    results = {}
    for part in PARTS:
        path = args.out / f'{part}.json'
        if part in (args.only or ()) or (not args.only and not path.exists()):
            print(f'measuring: {part}', flush=True)
            write_json(path, dict(
                where=f'seam_seg {__version__}, torch {torch.__version__}, {device}',
                rounds=args.rounds, batch_size=args.batch_size,
                found=measure(part, args)))
        if path.exists():
            results[part] = json.loads(path.read_text())
    print(write_report(results, args.out))
    return 0


if __name__ == '__main__':
    sys.exit(main())
