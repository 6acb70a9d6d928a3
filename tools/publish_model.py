#!/usr/bin/env python
"""Strips a checkpoint to its weights, in half precision, to hand it on."""

import argparse
import sys
from typing import Optional, Sequence

import _threads  # noqa: F401  before torch is loaded

from seam_seg.apis.command_line import report_errors
from seam_seg.apis.publish import publish
from seam_seg.config_lookup import get_config


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'config',
        nargs='?',
        help='path or name of the config it was trained with (default: the one that the '
        'checkpoint carries)',
    )
    parser.add_argument('checkpoint', help='file written by tools/train.py')
    parser.add_argument('out', help='file to write')
    args = parser.parse_args(argv)
    config = None if args.config is None else get_config(args.config)
    size = publish(config, args.checkpoint, args.out)
    print(f'Wrote {args.out}, {size / 1e6:.1f} MB')
    return 0


if __name__ == '__main__':
    sys.exit(main())
