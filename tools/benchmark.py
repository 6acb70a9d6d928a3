#!/usr/bin/env python
"""Trains and tests configs over seeds on one data set, and makes the paper's table.

Finished runs are kept as JSON and not repeated; an interrupted one resumes. Every row has
the same data and seeds; R is measured for all rows in turns at the end.
"""

import argparse
import itertools
import sys
from pathlib import Path
from typing import Optional, Sequence

from mmengine.config import DictAction

from seam_seg.apis.benchmark import write_report
from seam_seg.apis.command_line import report_errors
from seam_seg.apis.costs import measure_costs, method_name
from seam_seg.apis.study import Run, pool_folds, read_results, run_study
from seam_seg.atomic import write_json
from seam_seg.config_lookup import config_path, get_config
from seam_seg.datasets.folds import fold_options
from seam_seg.errors import InputError


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='+', help='paths or names, in the order of rows')
    parser.add_argument('--data-root', required=True, help='data set of all rows')
    parser.add_argument(
        '--reference', help='config that the others are compared with (default: the last)'
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument(
        '--folds',
        type=Path,
        help='folder of tools/make_folds.py: cross-validation '
        'instead of the split of train.txt and test.txt',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/benchmark/results'),
        help='results, tables and plot',
    )
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/benchmark'))
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='overrides for every row, for example a longer schedule; the model is up to '
        'the configs',
    )
    parser.add_argument(
        '--gpus', type=int, default=0, help='trainings at a time, one on each GPU'
    )
    parser.add_argument(
        '--rounds', type=int, default=20, help='images for R (default: 20)'
    )
    args = parser.parse_args(argv)
    if args.rounds < 1:
        parser.error('--rounds: at least 1')
    return args


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    args = parse_args(argv)
    rows = {config_path(config).stem: config for config in args.configs}
    if len(rows) < len(args.configs) or len(set(args.seeds)) < len(args.seeds):
        raise InputError('a config or a seed is given twice.')
    reference = args.reference or args.configs[-1]
    if config_path(reference).stem not in rows:
        raise InputError(f'--reference {reference}: is none of the configs.')
    if any(key.split('.')[0] == 'model' for key in args.cfg_options):
        raise InputError(
            '--cfg-options: the model is what a row stands for, and R is '
            'measured with it. Give each model a config.'
        )
    names = {stem: method_name(config) for stem, config in rows.items()}
    if len(set(names.values())) < len(names):
        raise InputError(
            f'two configs have the same method_name: {", ".join(names.values())}.'
        )
    measure_costs(args.configs, 1)  # what fails after the trainings, fails now
    shared = dict(args.cfg_options, test_evaluator=dict(surface=True))
    runs = []
    for seed, (stem, config) in itertools.product(args.seeds, rows.items()):
        if args.folds is None:
            runs.append(Run(stem, seed, config, shared))
            continue
        folds = fold_options(get_config(config), args.folds, Path(args.data_root))
        runs += [
            Run(stem, seed, config, dict(shared, **options), fold=i)
            for i, options in enumerate(folds)
        ]
    for _ in run_study(
        runs,
        args.data_root,
        args.out,
        args.work_dir,
        'test',
        look_inside=True,
        gpus=args.gpus,
    ):
        pass
    wanted = {(run.variant, run.seed, run.fold) for run in runs}
    found = read_results(args.out)
    results = {
        name: [
            run for run in found[stem] if (stem, run['seed'], run.get('fold')) in wanted
        ]
        for stem, name in names.items()
    }
    if args.folds is not None:
        results = {name: pool_folds(found) for name, found in results.items()}
    costs = measure_costs(args.configs, args.rounds)
    write_json(args.out / 'costs.json', costs)
    words = ' '.join(sys.argv[1:] if argv is None else argv)
    versions = '; '.join(
        sorted(
            {
                ', '.join(
                    f'{name} {version}'
                    for name, version in run['versions'].items()
                    if version
                )
                for rows_runs in results.values()
                for run in rows_runs
            }
        )
    )
    table = write_report(
        results,
        costs,
        names[config_path(reference).stem],
        args.out,
        '# Methods on one footing\n\n'
        f'Written by `tools/benchmark.py {words}` ({versions}). Mean of the per-image '
        f'scores, mean ± standard deviation over {len(args.seeds)} seeds; R: median '
        'seconds per image, all rows in turns; p: Wilcoxon signed-rank test on the '
        'per-image Dice averaged over the seeds, Holm-corrected.',
    )
    print(table.to_string(index=False))
    return 0


if __name__ == '__main__':
    sys.exit(main())
