#!/usr/bin/env python
"""Measures the memory that a training step of a config takes, by batch size."""

import argparse
import sys
from typing import Optional, Sequence

from seam_seg.apis.command_line import report_errors
from seam_seg.apis.memory import training_memory
from seam_seg.config_lookup import get_config


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='path or name of a config')
    parser.add_argument(
        '--batch-sizes',
        type=int,
        nargs='+',
        default=[1, 2, 4, 8, 12],
        help='in rising order (default: 1 2 4 8 12)',
    )
    args = parser.parse_args(argv)
    for batch_size, size in training_memory(get_config(args.config), args.batch_sizes):
        print(f'batch {batch_size:3d}: {size / 2**30:.1f} GiB', flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
