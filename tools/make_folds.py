#!/usr/bin/env python
"""Writes the split files of a cross-validation: each case is tested on in one fold."""

import argparse
import sys
from pathlib import Path
from typing import Optional, Sequence

from _options import add_subjects
from _start import start


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'data_root', type=Path, help='data set with train.txt and test.txt'
    )
    parser.add_argument('--folds', type=int, default=5, help='how many (default: 5)')
    parser.add_argument('--seed', type=int, default=0, help='of the draw (default: 0)')
    add_subjects(parser)
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> int:
    from seam_seg.datasets.folds import write_folds

    print(
        write_folds(
            args.data_root,
            args.folds,
            args.seed,
            args.subject_pattern,
            args.one_scan_per_subject,
        )
    )
    return 0


def main(argv: Optional[Sequence[str]] = None) -> int:
    return start(parse_args, run, argv)


if __name__ == '__main__':
    sys.exit(main())
