#!/usr/bin/env python
"""Tests a checkpoint: the Dice/Jaccard table, its files, and pictures."""

import argparse
import sys
from typing import Optional, Sequence

from _options import run_parser
from _start import start


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = run_parser(__doc__, config_needed=False)
    parser.add_argument('checkpoint', help='file written by tools/train.py')
    parser.add_argument('--out', help='folder for the predicted label PNGs')
    parser.add_argument(
        '--show-dir', help='folder for image, prediction and truth side by side'
    )
    parser.add_argument(
        '--tta', action='store_true', help='average with the mirrored image'
    )
    return parser.parse_intermixed_args(argv)


def run(args: argparse.Namespace) -> int:
    from seam_seg.apis.command_line import read_overrides
    from seam_seg.apis.runs import launched, load_config, load_own_config, test

    changes = (read_overrides(args.cfg_options), args.data_root, args.work_dir)
    if args.config is None:
        cfg = load_own_config(args.checkpoint, *changes, args.trust_checkpoint)
    else:
        cfg = load_config(args.config, *changes)
    with launched(cfg, args.launcher):
        test(
            cfg, args.checkpoint, args.out, args.show_dir, args.tta, args.trust_checkpoint
        )
    return 0


def main(argv: Optional[Sequence[str]] = None) -> int:
    return start(parse_args, run, argv)


if __name__ == '__main__':
    sys.exit(main())
