#!/usr/bin/env python
"""Writes a synthetic VPI data set: images, masks, true geometry and splits."""

import argparse
import os
import sys
from typing import Optional, Sequence

from _start import start


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('root', help='folder to write to')
    parser.add_argument('--num-train', type=int, default=80, help='training cases')
    parser.add_argument('--num-test', type=int, default=29, help='test cases')
    parser.add_argument(
        '--preset',
        nargs='+',
        default=['standard'],
        metavar='NAME',
        help='easy, standard, hard, realistic, noise, texture, curve, lumbar; or, held '
        'out from training, scanner, handheld, smoothed (default: standard); of several, '
        'the cases take turns',
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of the data set')
    parser.add_argument(
        '--workers', type=int, default=os.cpu_count() or 1, help='processes'
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='replace a data set that was made otherwise',
    )
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> int:
    from seam_seg.apis.command_line import progress
    from seam_seg.datasets.phantom import find_params, write_phantom

    write_phantom(
        args.root,
        args.num_train,
        args.num_test,
        seed=args.seed,
        params=[find_params(name) for name in args.preset],
        num_workers=args.workers,
        overwrite=args.overwrite,
        progress=progress,
    )
    print(
        f'Wrote {args.num_train} training and {args.num_test} test cases, seed '
        f'{args.seed}, preset {" and ".join(args.preset)}, to {args.root}'
    )
    return 0


def main(argv: Optional[Sequence[str]] = None) -> int:
    return start(parse_args, run, argv)


if __name__ == '__main__':
    sys.exit(main())
