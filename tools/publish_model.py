#!/usr/bin/env python
"""Strips a checkpoint to its weights, in half precision, to hand it on."""

import argparse
import sys
from typing import Optional, Sequence

from _start import start


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'config',
        nargs='?',
        help='path or name of the config it was trained with (default: the one that the '
        'checkpoint carries)',
    )
    parser.add_argument('checkpoint', help='file written by tools/train.py')
    parser.add_argument('out', help='file to write')
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> int:
    from seam_seg.apis.publish import publish
    from seam_seg.config_lookup import get_config

    config = None if args.config is None else get_config(args.config)
    size = publish(config, args.checkpoint, args.out)
    print(f'Wrote {args.out}, {size / 1e6:.1f} MB')
    return 0


def main(argv: Optional[Sequence[str]] = None) -> int:
    return start(parse_args, run, argv)


if __name__ == '__main__':
    sys.exit(main())
