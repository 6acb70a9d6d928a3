#!/usr/bin/env python
"""What the ready weights save in labelling: Dice against the number of labelled cases.

The held-out family 'scanner' stands for the data of another hospital. Training from
scratch gets three times the iterations, at the demo's learning rate: too short a schedule
would stand for too few cases. The learning rate of fine-tuning is chosen first, each seed
scoring it on the cases that it leaves unlabelled. Finished runs are kept.
"""

import argparse
import sys
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import matplotlib
import numpy as np

from seam_seg.apis.command_line import report_errors
from seam_seg.apis.study import Run, read_results, run_study
from seam_seg.atomic import write_figure, write_whole
from seam_seg.datasets.phantom import find_params, write_phantom
from seam_seg.weights import READY_CONFIG, READY_WEIGHTS

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402

CONFIG = 'seam-keymass_r18-fpn_1xb8-200_finetune_vpi-256x128'
LABELLED = (1, 2, 5, 10, 20)
# Learning rates that are looked into, each with these numbers of cases; of training from
# scratch with one seed only, since its runs take three times as long.
RATES = dict(ready=(1e-3, 3e-4, 1e-4, 3e-5), scratch=(6e-3, 2e-3, 6e-4))
RATE_CASES = (1, 5, 20)
STARTS = {'ready': 'from the ready weights', 'scratch': 'from scratch'}


def learning_rate(rate: float) -> dict:
    """The options of a rate that falls to a hundredth of it."""
    return dict(
        optim_wrapper=dict(optimizer=dict(lr=rate)),
        param_scheduler={'0': dict(eta_min=rate / 100)},
    )


def from_scratch(rate: float) -> dict:
    """The options that train from scratch, for as long as the demo."""
    options = learning_rate(rate)
    options['param_scheduler']['0']['T_max'] = 600
    return dict(options, load_from=None, train_cfg=dict(max_iters=600))


def labelled(count: int, seed: int) -> dict:
    """The options that train on the first labelled cases of a seed."""
    files = dict(train=f'labelled-{count}_seed{seed}.txt', val='val.txt', test='test.txt')
    return dict(train_dataloader=dict(dataset=dict(split_files=files)))


def write_splits(root: Path, seeds: Sequence[int]) -> None:
    """Writes a split file for each draw of labelled cases, and for the cases left over.

    A seed draws one order of the cases, so that more labelled cases include the fewer.
    """
    names = (root / 'train.txt').read_text().split()
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(names)
        parts = {f'labelled-{count}': order[:count] for count in LABELLED}
        parts['rest'] = order[max(LABELLED) :]
        for name, part in parts.items():
            write_whole(root / f'{name}_seed{seed}.txt', '\n'.join(part) + '\n')


def list_rate_runs(seeds: Sequence[int]) -> List[Run]:
    """The runs that look into the learning rates, scored on the cases left over."""
    runs = []
    for seed in seeds:
        files = dict(train='train.txt', val=f'rest_seed{seed}.txt', test='test.txt')
        rest = dict(test_dataloader=dict(dataset=dict(split_files=files)))
        runs.append(Run('ready-0', seed, READY_CONFIG, rest, READY_WEIGHTS))
        options = dict(ready=learning_rate)
        if seed == seeds[0]:
            options['scratch'] = from_scratch
        runs += [
            Run(
                f'{start}-{rate:g}-{count}',
                seed,
                CONFIG,
                dict(labelled(count, seed), **rest, **options[start](rate)),
            )
            for start in options
            for count in RATE_CASES
            for rate in RATES[start]
        ]
    return runs


def list_runs(seeds: Sequence[int]) -> List[Run]:
    """The runs that are tested."""
    runs = [Run('ready-0', 0, READY_CONFIG, {}, READY_WEIGHTS)]
    for seed in seeds:
        for count in LABELLED:
            data = labelled(count, seed)
            runs += [
                Run(f'ready-{count}', seed, CONFIG, data),
                Run(f'scratch-{count}', seed, CONFIG, dict(data, **from_scratch(2e-3))),
            ]
    return runs


def dice_of(results: Dict[str, List[dict]], start: str) -> Dict[int, List[float]]:
    """Number of labelled cases -> average Dice in % of each seed."""
    return {
        count: [run['scores']['mDice'] for run in results[f'{start}-{count}']]
        for count in (0, *LABELLED)
        if f'{start}-{count}' in results
    }


def cell(values: Sequence[float]) -> str:
    """Mean, standard deviation and number of the seeds, as far as there are any."""
    if not values:
        return '-'
    if len(values) == 1:
        return f'{values[0]:.2f}'
    return f'{np.mean(values):.2f} +- {np.std(values, ddof=1):.2f} ({len(values)})'


def rate_table(results: Dict[str, List[dict]]) -> str:
    """A row for each learning rate, a column for each number of labelled cases."""
    rows = [
        f'| start | learning rate | {" | ".join(map(str, RATE_CASES))} | mean |',
        f'|{"---|" * (len(RATE_CASES) + 3)}',
    ]
    for start, rates in RATES.items():
        for rate in rates:
            found = dice_of(results, f'{start}-{rate:g}')
            dice = [found.get(count, []) for count in RATE_CASES]
            means = [np.mean(values) for values in dice if values]
            overall = f'{np.mean(means):.2f}' if len(means) == len(RATE_CASES) else '-'
            rows.append(
                f'| {STARTS[start]} | {rate:g} | {" | ".join(map(cell, dice))} | '
                f'{overall} |'
            )
    start = cell(dice_of(results, 'ready').get(0, []))
    return '\n'.join(rows) + f'\n\nNot fine-tuned, on the same cases: {start}.'


def write_report(out: Path) -> str:
    """Writes tables and plot of the results so far, and returns the main table."""
    results = read_results(out)
    dice = {start: dice_of(results, start) for start in STARTS}
    rows = ['| labelled cases | from the ready weights | from scratch |', '|---|---|---|']
    for count in (0, *LABELLED):
        cells = [cell(dice[start].get(count, [])) for start in STARTS]
        rows.append(f'| {count} | {" | ".join(cells)} |')
    table = '\n'.join(rows)
    figure, axes = plt.subplots(figsize=(6, 4), layout='constrained')
    for (start, label), colour in zip(STARTS.items(), ('tab:blue', 'tab:orange')):
        counts = sorted(dice[start])
        at = [(0, *LABELLED).index(count) for count in counts]
        axes.plot(
            at,
            [np.mean(dice[start][count]) for count in counts],
            color=colour,
            label=f'{label} (mean; dots: seeds)',
        )
        for x, count in zip(at, counts):
            axes.plot(
                [x] * len(dice[start][count]),
                dice[start][count],
                'o',
                color=colour,
                alpha=0.5,
            )
    axes.set(
        xlabel='labelled cases',
        ylabel='average Dice (%)',
        title="Held-out phantom family 'scanner', 16 test cases",
    )
    axes.set_xticks(range(len(LABELLED) + 1), (0, *LABELLED))
    axes.grid(alpha=0.3)
    axes.legend()
    write_figure(out / 'finetune.png', figure, dpi=120)
    plt.close(figure)
    write_whole(
        out / 'README.md',
        '# Labelled cases saved by the ready weights\n\n'
        'Written by `tools/study_finetune.py`, which goes on where it was stopped. '
        f'Config `{CONFIG}`, with `load_from` (200 iterations) and without (600, at the '
        'learning rate of the demo): the same cases and seeds. Average Dice in %, mean '
        'and standard deviation over the seeds (how many).\n\n' + table + '\n\n![Dice '
        'against labelled cases](finetune.png)\n\n## The learning rates\n\n'
        'Each run is scored on the 20 cases that its seed leaves unlabelled; none is a '
        'test case. Average Dice in % against the number of labelled cases. The config '
        'of fine-tuning has the rate of the best mean; its neighbours are close, and '
        'which is best depends on the number of cases (the lowest rate was added when '
        'the best of the others was the lowest). Training from scratch has the rate of '
        'the demo, 0.002; it is tried beside two others here, with one seed: with 20 '
        'cases a higher one is better. Masks of this family took part in the choice.'
        '\n\n' + rate_table(read_results(out / 'rates')) + '\n',
    )
    return table


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--data-root',
        type=Path,
        default=Path('data/study_finetune'),
        help='where the phantom is made (default: data/study_finetune)',
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('docs/finetune'),
        help='results, table and plot (default: docs/finetune)',
    )
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/study_finetune'))
    args = parser.parse_args(argv)
    write_phantom(
        args.data_root,
        40,
        16,
        seed=3000,
        params=find_params('scanner'),
        num_workers=2,
        overwrite=True,
    )
    write_splits(args.data_root, args.seeds)
    data = str(args.data_root)
    for _ in run_study(
        list_rate_runs(args.seeds),
        data,
        args.out / 'rates',
        args.work_dir / 'rates',
        'val',
    ):
        print(rate_table(read_results(args.out / 'rates')), flush=True)
    for _ in run_study(list_runs(args.seeds), data, args.out, args.work_dir, 'test'):
        write_report(args.out)
    print(write_report(args.out))
    return 0


if __name__ == '__main__':
    sys.exit(main())
