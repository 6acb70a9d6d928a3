#!/usr/bin/env python
"""Writes the split files of a cross-validation: each case is tested on in one fold."""

import argparse
import sys
from pathlib import Path
from typing import Optional, Sequence

import _threads  # noqa: F401  before torch is loaded

from seam_seg.apis.command_line import add_subjects, report_errors
from seam_seg.datasets.folds import write_folds


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'data_root', type=Path, help='data set with train.txt and test.txt'
    )
    parser.add_argument('--folds', type=int, default=5, help='how many (default: 5)')
    parser.add_argument('--seed', type=int, default=0, help='of the draw (default: 0)')
    add_subjects(parser)
    args = parser.parse_args(argv)
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


if __name__ == '__main__':
    sys.exit(main())
