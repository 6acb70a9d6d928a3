#!/usr/bin/env python
"""Trains and tests configs over seeds on the same data, and makes the paper's table.

Snakemake runs the trainings: what is finished is kept, what was interrupted resumes, and
what was made from another config, other data, weights or code behind the config is made
anew. The scores are rows of OUT/results.csv, and the tables lie beside it.
"""

import argparse
import shlex
import sys
from pathlib import Path
from typing import Optional, Sequence

from _options import add_overrides, add_subjects
from _start import start


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('configs', nargs='+', help='paths or names, in the order of rows')
    add('--data-root', required=True, help='data set of all rows; {seed} is the seed')
    compared = parser.add_mutually_exclusive_group()
    compared.add_argument(
        '--reference',
        metavar='CONFIG',
        help='that all others are compared with, as OTHER - CONFIG (default: the first)',
    )
    compared.add_argument(
        '--contrast',
        nargs='+',
        metavar='"A - B"',
        help='what is compared instead, by configs or names of methods',
    )
    add(
        '--smallest-effect',
        type=float,
        metavar='POINTS',
        help='difference in Dice that matters: says of each whether it is as large',
    )
    add('--seeds', type=int, nargs='+', default=[0, 1, 2])
    add(
        '--folds',
        type=Path,
        metavar='FOLDER',
        help='of tools/make_folds.py: '
        'cross-validation instead of the split of train.txt and test.txt',
    )
    add('--split', choices=['test', 'val'], default='test', help='what is scored')
    add_subjects(parser)
    add('--setting', help='its name in the rows (default: data set and split)')
    add(
        '--also',
        nargs='+',
        default=[],
        metavar='SETTING=ROOT',
        help='further data sets whose test split is scored',
    )
    add('--study', default='benchmark', help='its name in the rows')
    add(
        '--out',
        type=Path,
        default=Path('work_dirs/benchmark/results'),
        help='rows, tables and plot',
    )
    add('--work-dir', type=Path, default=Path('work_dirs/benchmark'))
    add_overrides(
        parser,
        'overrides for every row, for example a longer schedule; the model is up to the '
        'configs',
    )
    add('--gpus', type=int, default=0, help='trainings at a time, one on each GPU')
    add('--rounds', type=int, default=20, help='images for R (default: 20)')
    add(
        '--snakemake',
        nargs=argparse.REMAINDER,
        default=[],
        metavar='OPTION',
        help='what follows goes to Snakemake: --dry-run, or --executor slurm --jobs 20',
    )
    args = parser.parse_args(argv)
    if args.rounds < 1:
        parser.error('--rounds: at least 1')
    if args.smallest_effect is not None and not args.smallest_effect > 0:
        parser.error('--smallest-effect: above 0')
    if not all('=' in item for item in args.also):
        parser.error('--also: write SETTING=ROOT')
    if args.also and args.folds is not None:
        parser.error('--also: each fold would be scored on all of it; leave out --folds')
    if args.split == 'val' and args.folds is not None:
        parser.error('--split: folds are tested on each case once; leave out --split val')
    args.also = [item.split('=', 1) for item in args.also]
    args.setting = args.setting or f'{Path(args.data_root).name} {args.split}'
    args.words = shlex.join(sys.argv[1:] if argv is None else argv)
    return args


def run(args: argparse.Namespace) -> int:
    from _benchmark import run_benchmark

    return run_benchmark(args)


def main(argv: Optional[Sequence[str]] = None) -> int:
    return start(parse_args, run, argv)


if __name__ == '__main__':
    sys.exit(main())
