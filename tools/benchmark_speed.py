#!/usr/bin/env python
"""Measures what SEAM costs: inference, training, formats, growth, data and scoring.

Each part is kept as JSON when it is done, and is not repeated unless named with --only,
or measured on another device or with other rounds or batch.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import matplotlib
import torch

from seam_seg.apis import speed
from seam_seg.apis.command_line import report_errors
from seam_seg.apis.costs import measure_costs
from seam_seg.atomic import write_figure, write_json, write_whole
from seam_seg.datasets.phantom import write_phantom
from seam_seg.version import __version__

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402

FORM = '{}_1xb12-80k_vpi-512x256'
HOST = FORM.format('fpn_r50')
ROWS = [
    HOST,
    *map(
        FORM.format,
        (
            'fpn-conv_r50',
            'seam_r50-fpn',
            'seam-keymass_r50-fpn',
            'emanet_r50-fpn',
            'danet_r50-fpn',
            'nonlocal_r50-fpn',
        ),
    ),
]
RECOMMENDED = FORM.format('seam-keymass_r50-fpn')
TRAINED = [
    HOST,
    *map(FORM.format, ('fpn-conv_r50', 'seam-wo-ss_r50-fpn', 'seam_r50-fpn')),
]
SIZES = [(64, 16), (128, 32), (256, 64), (512, 128), (1024, 256)]


def measure(part: str, args: argparse.Namespace) -> dict:
    """One part of the benchmark."""
    if part == 'inference':
        return measure_costs(ROWS, args.rounds)
    if part == 'training':
        return speed.training_costs(
            TRAINED, str(args.data_root), args.batch_size, args.rounds
        )
    if part == 'formats':
        return speed.format_times(
            RECOMMENDED, str(args.data_root), args.batch_size, args.rounds
        )
    if part == 'growth':
        return speed.growth(SIZES, 256 * 64, 128, 5)
    if part == 'data':
        return speed.data_times(HOST, str(args.data_root), args.rounds)
    if part == 'scoring':
        return dict(
            speed.outside_of_model(HOST, str(args.data_root)),
            case_seconds=min(speed.scoring_times(args.rounds)),
        )
    raise ValueError(part)


PARTS = ('inference', 'training', 'formats', 'growth', 'data', 'scoring')


def inference_table(costs: Dict[str, dict]) -> List[str]:
    """Every model against the first one, by time and by FLOPs."""
    first = next(iter(costs.values()))
    rows = [
        '| | min (s) | median (s) | ratio of minima | median ratio [95%] | ratio of '
        'FLOPs | params (M) | FLOPs (G) | peak (MiB) |',
        '|---' * 9 + '|',
    ]
    for name, cost in costs.items():
        t = speed.compare_times(cost['seconds'], first['seconds'])
        rows.append(
            f'| {name} | {t["minimum"]:.3f} | {t["median"]:.3f} | {t["ratio"]:.3f} | '
            f'{t["median_ratio"]:.3f} [{t["low"]:.3f}, {t["high"]:.3f}] | '
            f'{cost["flops"] / first["flops"]:.3f} | {cost["parameters"] / 1e6:.2f} | '
            f'{cost["flops"] / 1e9:.1f} | {cost["peak_bytes"] / 2**20:.0f} |'
        )
    return rows


def times_table(times: Dict[str, List[float]]) -> List[str]:
    """A row for each action, against the first one."""
    rows = [
        '| | min (s) | median (s) | ratio of minima | median ratio [95%] |',
        '|---' * 5 + '|',
    ]
    for name, seconds in times.items():
        t = speed.compare_times(seconds, next(iter(times.values())))
        rows.append(
            f'| {name} | {t["minimum"]:.3f} | {t["median"]:.3f} | {t["ratio"]:.3f} | '
            f'{t["median_ratio"]:.3f} [{t["low"]:.3f}, {t["high"]:.3f}] |'
        )
    return rows


def training_table(costs: Dict[str, dict], batch_size: int) -> List[str]:
    """Every model's training step against the first one's."""
    rows = times_table({name: cost['seconds'] for name, cost in costs.items()})
    more = [' images per s | peak (MiB) |', '---|---|']
    more += [
        f' {batch_size / min(cost["seconds"]):.2f} | {cost["peak_bytes"] / 2**20:.0f} |'
        for cost in costs.values()
    ]
    return [row + cells for row, cells in zip(rows, more)]


def plot_growth(found: Dict[str, List[dict]], path: Path) -> None:
    """Draws time and memory over the positions of the map."""
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
                label=f'{name} (slope {speed.slope(points, key):.2f})',
            )
        axis.set(xlabel='positions H x W of the map', ylabel=unit)
        axis.grid(alpha=0.3, which='both')
        axis.legend()
    write_figure(path, figure)
    plt.close(figure)


def write_report(results: Dict[str, dict], out: Path) -> str:
    """Writes the page of the parts there are, and returns it."""
    lines = [
        '# What SEAM costs',
        '',
        'Written by `tools/benchmark_speed.py`. Models '
        'take turns; intervals are 95% bootstrap intervals of the median over the '
        'rounds. Targets are those that the project set itself, for the minima.',
    ]

    def section(title, part):
        lines.extend(
            ['', f'## {title}', '', f'{part["where"]}; {part["rounds"]} rounds.', '']
        )
        return part['found']

    if 'inference' in results:
        found = section('Inference', results['inference'])
        lines += [
            'One 1024 x 256 image, ResNet-50; time with normalisation and the way '
            'back to 2574 x 640. Peak: tensors only. Target: SEAM at most 1.07, '
            'and within 0.03 of the ratio of FLOPs.',
            '',
            *inference_table(found),
        ]
    if 'training' in results:
        found = section('Training step', results['training'])
        batch_size = results['training']['batch_size']
        lines += [
            '512 x 256 patches of a phantom, with the losses and Adam, batch '
            f'{batch_size}. Target: SEAM at most 1.15.',
            '',
            *training_table(found, batch_size),
        ]
    if 'formats' in results:
        found = section('Memory format and compiler', results['formats'])
        lines += [
            'The recommended SEAM, as above. Compiled: backbone and neck by '
            '`torch.compile`, and the head at inference.'
        ]
        for kind, times in found.items():
            lines += [
                '',
                *times_table(
                    {f'{kind}, {name}': seconds for name, seconds in times.items()}
                ),
            ]
    if 'growth' in results:
        found = section('Growth', results['growth'])
        plot_growth(found, out / 'growth.png')
        lines += [
            'The modules alone, C = 128, one image. Slope: the exponent of the '
            'number of positions. Target: SEAM at most 1.1.',
            '',
            '| | slope of time | slope of memory |',
            '|---|---|---|',
        ]
        lines += [
            f'| {name} | {speed.slope(points, "seconds"):.2f} | '
            f'{speed.slope(points, "bytes"):.2f} |'
            for name, points in found.items()
        ]
        lines += ['', '![Time and memory over the size of the map](growth.png)']
    if 'data' in results:
        found = section('Data', results['data'])
        lines += [
            f'{found["patches_per_second"]:.0f} patches of 512 x 256 per second and '
            'worker (flip and rotation included); a training step waits '
            f'{100 * found["waiting"]:.2f}% of its time for its batch of 12. Target: 3%.'
        ]
    if 'scoring' in results:
        found = section('Scoring', results['scoring'])
        lines += [
            f'{1e3 * found["case_seconds"]:.1f} ms for the Dice and Jaccard of one '
            '2574 x 640 case. Target: 15 ms. The test loop over '
            f'{found["images"]} images spends {100 * found["outside"]:.1f}% of its '
            'time outside the model. Target: 10%.'
        ]
    page = '\n'.join(lines) + '\n'
    write_whole(out / 'README.md', page)
    return page


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--only', choices=PARTS, nargs='+', help='parts to measure, again if need be'
    )
    parser.add_argument(
        '--rounds', type=int, default=20, help='turns of each model (default: 20)'
    )
    parser.add_argument(
        '--batch-size', type=int, default=2, help='of a training step (default: 2)'
    )
    parser.add_argument(
        '--data-root',
        type=Path,
        default=Path('data/speed'),
        help='where a phantom is made (default: data/speed)',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('docs/speed'),
        help='results, page and plot (default: docs/speed)',
    )
    args = parser.parse_args(argv)
    if args.rounds < 2 or args.batch_size < 1:
        parser.error('--rounds: at least 2, --batch-size: at least 1')
    args.out.mkdir(parents=True, exist_ok=True)
    write_phantom(args.data_root, 12, 12, seed=4, num_workers=2, overwrite=True)
    device = (
        torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else f'CPU, {torch.get_num_threads()} threads'
    )
    setting = dict(
        where=f'seam_seg {__version__}, torch {torch.__version__}, {device}',
        rounds=args.rounds,
        batch_size=args.batch_size,
    )
    results = {}
    for part in PARTS:
        path = args.out / f'{part}.json'
        kept = json.loads(path.read_text()) if path.exists() else {}
        # What was measured in another way, or elsewhere, is measured again.
        if part in (args.only or ()) or (
            not args.only and any(kept.get(key) != setting[key] for key in setting)
        ):
            print(f'measuring: {part}', flush=True)
            kept = dict(setting, found=measure(part, args))
            write_json(path, kept)
        if kept:
            results[part] = kept
    print(write_report(results, args.out))
    return 0


if __name__ == '__main__':
    sys.exit(main())
