#!/usr/bin/env python
"""Evidence for what the paper leaves open: one factor at a time, over seeds.

Reference: Eq. 4 divided by the mass of the key, center loss by centroid and instance as
printed. Trains on the phantom's preset `standard`; the choices are made on the part for
validation of the held-out family `scanner`. Finished runs are kept.
"""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Optional, Sequence

from seam_seg.apis.command_line import report_errors
from seam_seg.apis.study import Run, read_results, run_study, study_table
from seam_seg.atomic import write_whole
from seam_seg.datasets.phantom import HELD_OUT_SEEDS, find_params, write_phantom
from seam_seg.errors import InputError

HELD_OUT_CASES = 24
CONFIG = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'
# The last checkpoint is scored, so that nothing need be validated on the way. With 300
# iterations some runs had not learned the ribs yet, which hid everything else.
SHORT = dict(
    train_cfg=dict(max_iters=450, val_interval=1000),
    param_scheduler={'0': dict(T_max=450)},
    default_hooks=dict(checkpoint=dict(interval=150)),
)


def head(**options) -> dict:
    """The short schedule with some options of the decode head."""
    return dict(SHORT, model=dict(decode_head=options))


def center(**options) -> dict:
    """The short schedule with another center loss."""
    return head(loss_center=dict(type='CenterRegressionLoss', **options))


VARIANTS = {
    'reference': SHORT,
    'scale-none': head(normalization=None),
    'scale-hw': head(normalization='hw'),
    'center-off': head(beta=0),
    'center-centroid-class': center(segments='class'),
    'center-offset-instance': center(mode='offset'),
    # A threshold of half a row of a patch (256 rows, in [0, 1]) makes smooth-l1 nearly an
    # l1: a shift by one row has the gradient that one by the whole patch has under 1.
    'center-l1-weight10': center(smooth_l1_beta=1 / 512, loss_weight=10.0),
}


def write_report(out: Path) -> str:
    """Writes the table of the results so far, and returns it."""
    table = study_table(read_results(out), 'reference')
    write_whole(
        out / 'README.md',
        '# Open choices, one factor at a time\n\n'
        'Written by `tools/study_choices.py`, which goes on where it was stopped '
        f'({len(VARIANTS)} variants, 3 seeds). Held out: the family `scanner`, part '
        f'`val` ({HELD_OUT_CASES} images); validation: 12 images of `standard`, the '
        'preset of the training images. Dice: mean and standard deviation over the '
        'seeds; against the reference: mean difference [95% interval over the images '
        '(t), which says nothing of the spread over trainings and is not corrected for '
        'the number of comparisons]; then the difference of each seed, in order.\n\n'
        + table
        + '\n',
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
        default=Path('data/study'),
        help='where the phantom is made (default: data/study)',
    )
    parser.add_argument(
        '--held-out',
        type=Path,
        default=Path('data/study_held_out'),
        help='where the held-out cases are made (default: data/study_held_out)',
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('docs/choices'),
        help='results and table (default: docs/choices)',
    )
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/study_choices'))
    args = parser.parse_args(argv)
    if args.held_out.resolve() == args.data_root.resolve():
        parser.error('--held-out and --data-root must be different folders')
    # 60 training cases, of which 12 validate; the test cases stay unused.
    write_phantom(args.data_root, 60, 1, seed=1, num_workers=2, overwrite=True)
    write_phantom(
        args.held_out,
        0,
        HELD_OUT_CASES,
        HELD_OUT_SEEDS['val'],
        find_params('scanner'),
        num_workers=2,
        overwrite=True,
    )
    runs = [
        Run(name, seed, CONFIG, options)
        for seed in args.seeds
        for name, options in VARIANTS.items()
    ]
    for _ in run_study(
        runs,
        str(args.data_root),
        args.out,
        args.work_dir,
        look_inside=True,
        held_out=str(args.held_out),
    ):
        with contextlib.suppress(InputError):  # the reference may have failed
            write_report(args.out)
    print(write_report(args.out))
    return 0


if __name__ == '__main__':
    sys.exit(main())
