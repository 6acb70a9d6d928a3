"""What a training step of each screened config costs: CPU time, in turns.

Whole steps, from reading to the optimizer, as the study of the peer takes them. Rows of
an earlier measurement are replaced.
"""

import argparse
import sys
from typing import Optional, Sequence

from seam_seg.apis.command_line import report_errors
from seam_seg.datasets.phantom import write_phantom
from studies.peer.measure import measure_steps, round_values, start_training, train_steps
from studies.records import add_out_argument, append_rows, make_rows


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='+', help='paths or names')
    parser.add_argument(
        '--rounds', type=int, default=20, help='steps of each (default: 20)'
    )
    parser.add_argument(
        '--data-root',
        default='data/step_costs',
        help='where a phantom is made (default: data/step_costs)',
    )
    add_out_argument(parser, __file__)
    args = parser.parse_args(argv)
    if args.rounds < 1:
        parser.error('--rounds: at least 1')
    write_phantom(args.data_root, 12, 2, seed=4, num_workers=2, overwrite=True)
    runners = [start_training(config, args.data_root) for config in args.configs]
    times = measure_steps(
        {runner.cfg.method_name: train_steps(runner) for runner in runners}, args.rounds
    )
    for name, seconds in times.items():
        rows = make_rows(round_values(seconds), 'ready_weights', 'steps', name)
        append_rows(args.out, rows)
        print(f'{name}: {sum(seconds) / args.rounds:.3f} s a step')
    return 0


if __name__ == '__main__':
    sys.exit(main())
