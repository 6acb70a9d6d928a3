"""Runs Table 1 as it was registered: one command, which goes on where it stopped.

    python -m studies.table1.run --jobs 2

draws the data, trains the start, and runs the stages of plan.py by the engine of
tools/benchmark.py (tools/benchmark.smk). What has rows is not run again, on whatever
machine they were made. Ctrl-C, or `timeout -s INT 540` before it, keeps the rows of what
is done. With a GPU, all jobs share it: about as many as there are cores.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import pandas as pd
import torch

from seam_seg.apis.command_line import report_errors
from seam_seg.apis.costs import measure_costs, method_name
from seam_seg.apis.runs import load_config
from seam_seg.apis.trainings import COMMIT, plan_run, read_scores
from seam_seg.atomic import write_json
from seam_seg.config_lookup import project_root
from seam_seg.engine import last_checkpoint, read_checkpoint
from seam_seg.errors import InputError
from seam_seg.evaluation.rows import COLUMNS, read_rows, rows_of_costs
from studies.probe import probe
from studies.records import append_rows, commit, make_rows
from studies.table1 import make_data, plan
from studies.table1.plan import Run

STUDY = 'table1'
HERE = Path(__file__).parent
CONFIGS = HERE / 'configs'
START = HERE / 'start.pth'
ENGINE = project_root() / 'tools/benchmark.smk'
PARTS = ('backbone.', 'neck.')  # what a start is of


@functools.lru_cache(maxsize=None)
def config_file(name: str) -> str:
    """The path of a config of the study, as from the current folder."""
    return os.path.relpath(CONFIGS / f'{name}.py')


def method_of(run: Run) -> str:
    """The method of a run's rows."""
    return run.method or _method_of_config(run.config)


@functools.lru_cache(maxsize=None)
def _method_of_config(name: str) -> str:
    return method_name(config_file(name))


def read_known(path: Path) -> pd.DataFrame:
    """The rows that there are; none where there is no file."""
    return read_rows(path) if path.exists() else pd.DataFrame(columns=list(COLUMNS))


def pending(runs: Sequence[Run], rows: pd.DataFrame) -> List[Run]:
    """Those runs that have no rows."""
    done = set(zip(rows['setting'], rows['method'], rows['seed']))
    return [run for run in runs if (run.setting, method_of(run), run.seed) not in done]


def options_of(run: Run) -> dict:
    """What a run changes of its config."""
    options = {
        'randomness.seed': run.seed,
        'train_cfg.max_iters': run.iterations,
        # a third of the way, two thirds, and the end
        'train_cfg.val_interval': run.iterations // 3,
        'default_hooks.checkpoint.interval': run.iterations // 3,
        'optim_wrapper.optimizer.lr': run.rate,
        'train_dataloader.dataset.split_files.train': f'train-{run.cases}.txt',
    }
    if run.scratch:
        options.update({f'model.{part}init_cfg': None for part in PARTS})
    if run.weight is not None:
        options['model.decode_head.loss_decode.1.loss_weight'] = run.weight
    return options


def root_of(run: Run, data: Path) -> str:
    """The data set of a run."""
    return str(data / run.regime / f'seed{run.seed}')


def plan_of(run: Run, data: Path, work_dir: Path) -> dict:
    """A run as :func:`plan_run` has it."""
    root = root_of(run, data)
    scored: dict = {'test_dataloader.dataset.split': run.split}
    if run.split == 'val':
        scored['test_evaluator.endpoints'] = False
    return plan_run(
        work_dir / run.name,
        config_file(run.config),
        options_of(run),
        root,
        {run.setting: (root, scored)},
    )


def run_engine(runs: Dict[str, dict], work_dir: Path, jobs: int) -> int:
    """Makes what is missing, so many jobs at a time, and returns the exit status.

    Args:
        runs (dict[str, dict]): name -> from :func:`plan_run`.
        work_dir (Path): of the runs.
        jobs (int): at a time.
    """
    made = work_dir / 'runs.json'
    write_json(made, dict(runs=runs, commit=COMMIT, gpus=[]))
    # As in tools/benchmark.py. The other scheduler needs a solver, for jobs all alike.
    options = (
        f'--cores {jobs} --keep-going --rerun-incomplete --scheduler greedy '
        '--rerun-triggers code input params --quiet host rules reason '
        # After each job that ends, Snakemake looks once more in each of these timespans
        # for jobs to start: with 60 jobs a tenth of a core, if it is a second.
        '--max-jobs-per-timespan 1000/10s'
    )
    command = [sys.executable, '-m', 'snakemake', *options.split()]
    command += ['--snakefile', str(ENGINE), '--directory', str(work_dir)]
    command += ['--configfile', str(made)]
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
    # Jobs at a time, each on one core: more threads would only wait for one another.
    env.setdefault('OMP_NUM_THREADS', '1')
    # glibc keeps large blocks instead of giving them back each iteration: the same bits,
    # and half of the time of a training whose attention has a weight for each two pixels.
    env.setdefault('MALLOC_MMAP_MAX_', '0')
    env.setdefault('MALLOC_TRIM_THRESHOLD_', str(2**40))
    with subprocess.Popen(command, env=env) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:  # Snakemake got that too, and puts its lock away
            process.wait()
            raise


def make_start(data: Path, work_dir: Path) -> None:
    """Trains the start, unless there is one, and keeps its backbone and neck."""
    if START.exists():
        return
    folder = work_dir / 'start'
    words = ['--data-root', str(data / 'start'), '--work-dir', str(folder), '--resume']
    tool = project_root() / 'tools/train.py'
    subprocess.run([sys.executable, str(tool), config_file('start'), *words], check=True)
    export_start(Path(str(last_checkpoint(folder))), START)


def export_start(checkpoint: Path, path: Path) -> None:
    """Writes the backbone and the neck of a checkpoint, in half precision.

    Args:
        checkpoint (Path): of the config ``start``.
        path (Path): file to write.
    """
    weights = read_checkpoint(checkpoint)['state_dict']
    kept = {
        key: value.half() if value.is_floating_point() else value
        for key, value in weights.items()
        if key.startswith(PARTS)
    }
    torch.save(dict(state_dict=kept, meta={}), path)


def validation_rows(folder: Path) -> List[dict]:
    """The validation scores of a training, as values of rows.

    Args:
        folder (Path): its work dir, with a folder of logs for each time it was resumed.

    Returns:
        list[dict]: average Dice in % as ``Validation after N``.
    """
    found: Dict[int, float] = {}
    for file in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in file.read_text(encoding='utf-8').splitlines():
            content = json.loads(line)
            if 'bone/mDice' in content:
                found[content['step']] = content['bone/mDice']
    return [
        dict(score=f'Validation after {step}', value=found[step])
        for step in sorted(found)
    ]


def split_by_set(rows: pd.DataFrame) -> pd.DataFrame:
    """Gives the images of other test sets, which their names begin with, settings."""
    for name in make_data.OTHER_TESTS:
        own = rows['image'].str.startswith(f'{name}_')
        rows.loc[own, 'setting'] += f', {name}'
    return rows


def thinned(rows: pd.DataFrame, run: Run) -> pd.DataFrame:
    """Puts the mean in the place of what is not wanted image by image.

    All rows of all runs would be 300 MB.

    Args:
        rows (pd.DataFrame): of a run and all its test sets.
        run (Run): says which scores stay as they are, of the first set; of endpoints
            those of all bones.

    Returns:
        pd.DataFrame: values with three digits; a mean has the image ``mean``.
    """
    whole = (rows['image'] == '') | (
        rows['score'].isin(run.per_image)
        & (rows['setting'] == run.setting)
        & ((rows['score'] == 'Dice') | (rows['class'] == 'all'))
    )
    others = [name for name in COLUMNS if name not in ('image', 'value')]
    means = rows[~whole].groupby(others, sort=False)['value'].mean().reset_index()
    kept = pd.concat([rows[whole], means.assign(image='mean')], ignore_index=True)
    return kept[list(COLUMNS)].round({'value': 3})


def collect(runs: Dict[str, Run], made: Dict[str, dict], work_dir: Path) -> pd.DataFrame:
    """The rows of those runs that are done.

    Args:
        runs (dict[str, Run]): by name.
        made (dict[str, dict]): the same, from :func:`plan_of`.
        work_dir (Path): of the runs.
    """
    parts = [pd.DataFrame(columns=list(COLUMNS))]
    for name, run in runs.items():
        if not all(
            (work_dir / name / test / 'test/dice_jaccard.csv').is_file()
            for test in made[name]['tests']
        ):
            continue
        labels = {name: (method_of(run), run.seed)}
        scores = split_by_set(read_scores({name: made[name]}, labels, STUDY, work_dir))
        parts.append(thinned(scores, run))
        values = validation_rows(work_dir / name)
        parts.append(make_rows(values, STUDY, run.setting, method_of(run), run.seed))
    return pd.concat([part for part in parts if len(part)] or parts[:1])


def run_stage(runs: Sequence[Run], args: argparse.Namespace) -> None:
    """Runs what is pending of a stage, and adds its rows.

    Raises:
        InputError: something could not be trained or tested.
    """
    named = {run.name: run for run in pending(runs, read_known(args.rows))}
    if not named:
        return
    made = {name: plan_of(run, args.data, args.work_dir) for name, run in named.items()}
    try:
        status = run_engine(made, args.work_dir, args.jobs)
    finally:  # also of what is done when somebody interrupts it
        rows = collect(named, made, args.work_dir)
        if len(rows):
            append_rows(args.rows, rows)
    if status:
        raise InputError(
            f'not everything could be trained and tested; see above, and log.txt in the '
            f'folders of {args.work_dir}. What is done is kept. --without leaves a '
            'config out.'
        )


def planned(rows: pd.DataFrame, without: Sequence[str] = ()) -> Dict[str, List[Run]]:
    """The stages, as far as earlier ones have settled what they depend on.

    Args:
        rows (pd.DataFrame): of the study.
        without (Sequence[str]): configs that are left out.
    """

    def listed(iterations: int, rates: Dict[str, float]) -> Dict[str, List[Run]]:
        found = plan.stages(iterations, rates)
        return {
            name: [run for run in runs if run.config not in without]
            for name, runs in found.items()
        }

    found = listed(plan.CANDIDATES[0], {})
    if pending(found['iterations'], rows):
        return dict(iterations=found['iterations'])
    found = listed(plan.chosen_iterations(rows), plan.chosen_rates(rows))
    if pending(found['rates'], rows):
        return {name: found[name] for name in ('iterations', 'rates', 'other rates')}
    if pending(found['other rates'], rows):
        del found['rows'], found['weights']
        return found
    worst = plan.worst_classes(rows)
    found['rows'] = [run for run in found['rows'] if worst[run.config][1] >= plan.LEARNED]
    return found


def measure(args: argparse.Namespace) -> None:
    """R, parameters and FLOPs of the rows, all in turns."""
    names = [
        name
        for name in (*plan.CONTRAST_ROWS, *plan.CONTROLS, *plan.OTHER_ROWS)
        if name not in args.without
    ]
    files = [config_file(name) for name in names]
    costs = rows_of_costs(measure_costs(files), STUDY, '64 cases, costs', commit())
    append_rows(args.rows, costs)


def look_inside(args: argparse.Namespace) -> None:
    """Adds what studies/probe.py finds in trained heads, while their weights are here.

    Of the runs that are tested, have rows, and have not been looked into.
    """
    known = read_known(args.rows)
    found = known[known['score'].str.startswith('probe.')]
    looked = set(zip(found['setting'], found['method'], found['seed']))
    for runs in planned(known, args.without).values():
        unfinished = pending(runs, known)
        for run in runs:
            last = last_checkpoint(args.work_dir / run.name)
            here = last is not None and last.stem == f'iter_{run.iterations}'
            label = (run.setting, method_of(run), run.seed)
            if not here or run.split != 'test' or run in unfinished or label in looked:
                continue
            root = root_of(run, args.data)
            cfg = load_config(config_file(run.config), options_of(run), root)
            values = [
                dict(score=f'probe.{key}', value=value)
                for key, value in probe(cfg, last).items()
                if value is not None
            ]
            print(f'{run.name}: {values}', flush=True)
            if values:
                append_rows(args.rows, make_rows(values, STUDY, *label), whole=False)


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('--stages', nargs='+', metavar='NAME', help='these alone (default: all)')
    add('--without', nargs='+', default=[], metavar='CONFIG', help='leaves rows out')
    add('--jobs', type=int, default=1, help='trainings at a time (default: 1)')
    add('--data', type=Path, default=make_data.ROOT, help='(default: %(default)s)')
    add('--work-dir', type=Path, default=Path('work_dirs/table1'))
    add('--rows', type=Path, default=HERE / 'results.csv', help='file that is added to')
    add('--list', action='store_true', help='only says what is pending')
    add('--prepare', action='store_true', help='only draws the data and trains the start')
    add('--merge', type=Path, metavar='FILE', help='only adds rows of another machine')
    add('--costs', action='store_true', help='only measures R, parameters and FLOPs')
    add('--inside', action='store_true', help='only looks into the heads trained here')
    args = parser.parse_args(argv)
    if args.costs:
        measure(args)
    if args.merge:
        append_rows(args.rows, read_rows(args.merge))
    if args.inside:
        look_inside(args)
    if args.costs or args.merge or args.inside:
        return 0
    if not args.list:
        make_data.make_data(args.data, num_workers=args.jobs)
        make_start(args.data, args.work_dir)
    if args.prepare:
        return 0
    finished: set = set()
    while True:
        rows = read_known(args.rows)
        found = planned(rows, args.without)
        for name in args.stages or ():
            if name not in (known := plan.stages(plan.CANDIDATES[0], {})):
                raise InputError(f'{name}: no stage. There are {", ".join(known)}.')
        todo = {
            name: pending(runs, rows)
            for name, runs in found.items()
            if name not in finished and name in (args.stages or found)
        }
        for name, runs in todo.items():
            hours = plan.core_hours(runs)
            print(f'{name}: {len(runs)} runs, {hours:.1f} core-hours', flush=True)
        if args.list:
            return 0
        if not any(todo.values()):
            later = [name for name in args.stages or () if name not in found]
            if later:
                waits = [name for name, runs in found.items() if pending(runs, rows)]
                raise InputError(
                    f'{", ".join(later)}: not run, since {", ".join(waits)} settles how. '
                    'Run that before, or --without what cannot be run.'
                )
            return 0
        name = next(name for name, runs in todo.items() if runs)
        run_stage(todo[name], args)
        finished.add(name)


if __name__ == '__main__':
    sys.exit(main())
