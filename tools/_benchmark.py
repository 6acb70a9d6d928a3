"""What tools/benchmark.py does once its arguments are parsed."""

import argparse
import importlib.util
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Dict, Tuple

import pandas as pd
import torch

from seam_seg.apis.benchmark import write_report
from seam_seg.apis.command_line import read_overrides
from seam_seg.apis.comparison import against, read_contrast
from seam_seg.apis.costs import measure_costs, method_name
from seam_seg.apis.trainings import COMMIT, digest_of, plan_run, read_scores
from seam_seg.atomic import write_json
from seam_seg.config_lookup import config_path, get_config
from seam_seg.datasets.folds import fold_options
from seam_seg.datasets.history import recorded_subjects
from seam_seg.datasets.subjects import subjects_of
from seam_seg.engine.other_work import busy_warning
from seam_seg.errors import InputError
from seam_seg.evaluation.rows import merge_rows, read_rows, rows_of_costs, write_rows

IDLE = {'-n', '--dry-run', '--dryrun', '--unlock'}  # with these Snakemake runs nothing


def check_rows(args: argparse.Namespace) -> Dict[str, str]:
    """Config -> method, in the order of the rows, when they can stand in one table."""
    stems = [config_path(config).stem for config in args.configs]
    names = [method_name(config) for config in args.configs]
    settings = [args.setting, *(setting for setting, _ in args.also)]
    settings = [re.sub(r'\W+', '-', setting) for setting in settings]  # their folders
    once = dict(config=stems, seed=args.seeds, method_name=names, setting=settings)
    for what, found in once.items():
        if len(set(found)) < len(found):
            raise InputError(f'a {what} stands twice in {" ".join(map(str, found))}.')
    if args.reference and config_path(args.reference).stem not in stems:
        raise InputError(f'--reference {args.reference}: is none of the configs.')
    if any(key.split('.')[0] == 'model' for key in args.cfg_options):
        raise InputError(
            '--cfg-options: the model is what a row stands for, and R is measured with '
            'it. Give each model a config.'
        )
    return dict(zip(args.configs, names))


def read_contrasts(args: argparse.Namespace, methods: Dict[str, str]) -> dict:
    """What is compared; see :func:`seam_seg.apis.comparison.compare`."""
    called = {config_path(config).stem: name for config, name in methods.items()}
    if not args.contrast:
        reference = config_path(args.reference or args.configs[0]).stem
        return against(called[reference], methods.values())
    called = {**methods, **called, **{name: name for name in methods.values()}}
    return {
        label: weights
        for text in args.contrast
        for label, weights in read_contrast(text, called).items()
    }


def plan(args: argparse.Namespace, methods: Dict[str, str]) -> Tuple[dict, dict]:
    """Run -> what it is made from, and run -> method and seed."""
    scored = {'test_dataloader.dataset.split': args.split, 'test_evaluator.surface': True}
    runs, labels = {}, {}
    for seed, config in itertools.product(args.seeds, args.configs):
        root, *others = (
            where.replace('{seed}', str(seed))
            for where in (args.data_root, *(where for _, where in args.also))
        )
        folds = [{}]
        if args.folds is not None:
            folds = fold_options(get_config(config), args.folds, Path(root))
        for i, fold in enumerate(folds):
            part = f'_fold{i}' if args.folds is not None else ''
            name = f'{config_path(config).stem}{part}_seed{seed}'
            options = {**args.cfg_options, **fold, 'randomness.seed': seed}
            tests = {args.setting: (root, scored)}
            tests.update(
                {setting: (where, {}) for (setting, _), where in zip(args.also, others)}
            )
            runs[name] = plan_run(args.work_dir / name, config, options, root, tests)
            labels[name] = (methods[config], seed)
    return runs, labels


def check_tests(args: argparse.Namespace, runs: dict, labels: dict) -> None:
    """Sees to it that all seeds are tested on the same images: a comparison crosses both.

    Args:
        args (Namespace): of tools/benchmark.py.
        runs (dict), labels (dict): of :func:`plan`.

    Raises:
        InputError: they are not.
    """
    found: Dict[int, set] = {}
    for run, (_, seed) in labels.items():
        for test in runs[run]['tests'].values():
            if test['setting'] == args.setting:
                files = map(Path, test['inputs'])
                content = {(file.name, digest_of(file)) for file in files}
                found.setdefault(seed, set()).update(content)
    first, *others = found
    for seed in others:
        if found[seed] != found[first]:
            raise InputError(
                f'{args.data_root}: the {args.split} split of seed {seed} is not that of '
                f'seed {first}. What is compared is compared image by image over all '
                'seeds: put the same images into each, and let the training cases differ.'
            )


def find_subjects(args: argparse.Namespace, runs: dict) -> Dict[str, str]:
    """Whose the compared images are; see :func:`~seam_seg.datasets.subjects.subjects_of`.

    Args:
        args (Namespace): of tools/benchmark.py.
        runs (dict): of :func:`plan`.
    """
    names = {
        name
        for run in runs.values()
        for test in run['tests'].values()
        if test['setting'] == args.setting
        for name in test['cases']
    }
    root = Path(args.data_root.replace('{seed}', str(args.seeds[0])))
    said = args.subject_pattern, args.one_scan_per_subject
    return subjects_of(sorted(names), *said, recorded_subjects(root, names))


def run_snakemake(args: argparse.Namespace, runs: dict) -> int:
    """Makes what is missing, and returns the exit status of Snakemake."""
    count = torch.cuda.device_count()
    if not 0 <= args.gpus <= count:
        raise InputError(
            f'--gpus {args.gpus}: must be 0 to {count}, the number of GPUs here. With 0, '
            'one run follows the other.'
        )
    if importlib.util.find_spec('snakemake') is None:
        raise InputError(
            'Snakemake, which runs the trainings, is not there: with Python 3.11 or '
            'later, pip install "snakemake>=9".'
        )
    seen = os.environ.get('CUDA_VISIBLE_DEVICES') or ','.join(map(str, range(count)))
    gpus = seen.split(',')[: args.gpus]
    plan = args.work_dir / 'runs.json'
    write_json(plan, dict(runs=runs, commit=COMMIT, gpus=gpus))
    # Not by dates: the keys in the plan tell what the content of the inputs is.
    options = (
        f'--cores {args.gpus or 1} --keep-going --rerun-incomplete '
        '--rerun-triggers code input params --quiet host rules reason'
    )
    command = [sys.executable, '-m', 'snakemake', *options.split()]
    command += ['--snakefile', str(Path(__file__).with_name('benchmark.smk'))]
    command += ['--directory', str(args.work_dir), '--configfile', str(plan)]
    # The tools find the modules of a config where this process found them.
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen([*command, *args.snakemake], env=env) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:  # Snakemake got that too, and puts its lock away
            process.wait()
            raise


def run_benchmark(args: argparse.Namespace) -> int:
    """Plans, has Snakemake run what is missing, and writes rows and tables.

    Args:
        args (Namespace): of tools/benchmark.py.

    Returns:
        int: the exit status.

    Raises:
        InputError: something cannot be used, or was not done.
    """
    args.cfg_options = read_overrides(args.cfg_options)
    methods = check_rows(args)
    contrasts = read_contrasts(args, methods)
    runs, labels = plan(args, methods)
    subjects = None
    if contrasts:
        check_tests(args, runs, labels)
        subjects = find_subjects(args, runs)
    # What would fail after the trainings, fails now.
    path = args.out / 'results.csv'
    kept = read_rows(path) if path.exists() else None
    measure_costs(args.configs, 1)
    status = run_snakemake(args, runs)
    missing = [
        run
        for run, made in runs.items()
        for test in made['tests']
        if not (args.work_dir / run / test / 'test/dice_jaccard.csv').is_file()
    ]
    if status:
        logs = {str(args.work_dir / run / 'log.txt') for run in missing}
        raise InputError(
            'not everything could be trained and tested; see above'
            + (f', and {", ".join(sorted(logs))}' if logs else '')
            + '. What is done is kept, and is not done again.'
        )
    if missing or IDLE & set(args.snakemake):
        return 0
    measured = measure_costs(args.configs, args.rounds)
    warning = busy_warning(max(cost['other_cores'] for cost in measured.values()))
    if warning is not None:
        print(f'warning: R: {warning}', file=sys.stderr)
    costs = f'{args.setting}, costs'  # how the rows of R, parameters... are told apart
    commit = subprocess.check_output(COMMIT, shell=True, text=True).strip()
    rows = pd.concat(
        [
            read_scores(runs, labels, args.study, args.work_dir),
            rows_of_costs(measured, args.study, costs, commit),
        ]
    )
    write_rows(path, rows if kept is None else merge_rows(kept, rows))
    spread = 'one seed, '
    if len(args.seeds) > 1:
        spread = f'mean ± standard deviation over {len(args.seeds)} seeds, '
    table = write_report(
        rows[rows['setting'] == args.setting],
        rows[rows['setting'] == costs],
        contrasts,
        args.out,
        f'Written by `tools/benchmark.py {args.words}`. Mean of the per-image scores, '
        f'{spread}the best in bold; R: median seconds per image, all rows in '
        f'turns{"" if warning is None else f"; {warning}"}.',
        args.smallest_effect,
        subjects,
    )
    print(table.to_string(index=False))
    return 0
