#!/usr/bin/env python
"""What the ready weights save in labelling: Dice against the number of labelled cases.

The held-out family 'scanner' stands for the data of another hospital. Training from
scratch gets three times the iterations, at the demo's learning rate: too short a schedule
would stand for too few cases. Finished runs are kept.
"""
import argparse
import sys
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import matplotlib
import numpy as np

from seam_seg.apis.cli import report_errors
from seam_seg.apis.study import Run, read_results, run_study
from seam_seg.datasets.phantom import find_params, write_phantom
from seam_seg.files import write_figure, write_whole
from seam_seg.weights import READY_CONFIG, READY_WEIGHTS

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402

CONFIG = 'seam-keymass_r18-fpn_1xb8-200_finetune_vpi-256x128'
LABELLED = (1, 2, 5, 10, 20)
# The demo's schedule.
FROM_SCRATCH = dict(
    load_from=None, train_cfg=dict(max_iters=600),
    optim_wrapper=dict(optimizer=dict(lr=2e-3)),
    param_scheduler={'0': dict(T_max=600, eta_min=2e-5)})
STARTS = {'ready': 'from the ready weights', 'scratch': 'from scratch'}


def list_runs(root: Path, seeds: Sequence[int]) -> List[Run]:
    """The runs, with a split file for each draw of labelled cases.

    A seed draws one order of the cases, so that more labelled cases include the fewer.
    """
    names = (root / 'train.txt').read_text().split()
    runs = [Run('ready-0', 0, READY_CONFIG, {}, READY_WEIGHTS)]
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(names)
        for count in LABELLED:
            file = f'labelled-{count}_seed{seed}.txt'
            write_whole(root / file, '\n'.join(order[:count]) + '\n')
            files = dict(train=file, val='val.txt', test='test.txt')
            data = dict(train_dataloader=dict(dataset=dict(split_files=files)))
            runs += [
                Run(f'ready-{count}', seed, CONFIG, data),
                Run(f'scratch-{count}', seed, CONFIG, dict(data, **FROM_SCRATCH))
            ]
    return runs


def dice_of(results: Dict[str, List[dict]], start: str) -> Dict[int, List[float]]:
    """Number of labelled cases -> average Dice in % of each seed."""
    return {
        count: [run['scores']['mDice'] for run in results[f'{start}-{count}']]
        for count in (0, *LABELLED) if f'{start}-{count}' in results
    }


def write_report(out: Path) -> str:
    """Writes the table and the plot of the results so far, and returns the table."""
    results = read_results(out)
    dice = {start: dice_of(results, start) for start in STARTS}
    rows = ['| labelled cases | from the ready weights | from scratch |', '|---|---|---|']
    for count in (0, *LABELLED):
        cells = []
        for start in STARTS:
            values = dice[start].get(count)
            if values is None:
                cells.append('-')
            elif len(values) == 1:
                cells.append(f'{values[0]:.2f}')
            else:
                cells.append(f'{np.mean(values):.2f} +- {np.std(values, ddof=1):.2f} '
                             f'({len(values)})')
        rows.append(f'| {count} | {" | ".join(cells)} |')
    table = '\n'.join(rows)
    figure, axes = plt.subplots(figsize=(6, 4), layout='constrained')
    for (start, label), colour in zip(STARTS.items(), ('tab:blue', 'tab:orange')):
        counts = sorted(dice[start])
        at = [(0, *LABELLED).index(count) for count in counts]
        axes.plot(at, [np.mean(dice[start][count]) for count in counts], color=colour,
                  label=f'{label} (mean; dots: seeds)')
        for x, count in zip(at, counts):
            axes.plot([x] * len(dice[start][count]), dice[start][count], 'o',
                      color=colour, alpha=0.5)
    axes.set(xlabel='labelled cases', ylabel='average Dice (%)',
             title="Held-out phantom family 'scanner', 16 test cases")
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
        'against labelled cases](finetune.png)\n')
    return table


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--data-root', type=Path, default=Path('data/study_finetune'),
        help='where the phantom is made (default: data/study_finetune)')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument(
        '--out', type=Path, default=Path('docs/finetune'),
        help='results, table and plot (default: docs/finetune)')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/study_finetune'))
    args = parser.parse_args(argv)
    write_phantom(
        args.data_root, 40, 16, seed=3000, params=find_params('scanner'), num_workers=2,
        overwrite=True)
    runs = list_runs(args.data_root, args.seeds)
    for _ in run_study(runs, str(args.data_root), args.out, args.work_dir, 'test'):
        write_report(args.out)
    print(write_report(args.out))
    return 0


if __name__ == '__main__':
    sys.exit(main())
