#!/usr/bin/env python
"""Tests a checkpoint: the Dice/Jaccard table, its files, and pictures."""

import sys
from typing import Optional, Sequence

import _threads  # noqa: F401  before torch is loaded

from seam_seg.apis.command_line import report_errors, run_parser
from seam_seg.apis.runs import launched, load_config, load_own_config, test


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = run_parser(__doc__, config_needed=False)
    parser.add_argument('checkpoint', help='file written by tools/train.py')
    parser.add_argument('--out', help='folder for the predicted label PNGs')
    parser.add_argument(
        '--show-dir', help='folder for image, prediction and truth side by side'
    )
    parser.add_argument(
        '--tta', action='store_true', help='average with the mirrored image'
    )
    args = parser.parse_intermixed_args(argv)
    changes = (args.cfg_options, args.data_root, args.work_dir)
    if args.config is None:
        cfg = load_own_config(args.checkpoint, *changes, args.trust_checkpoint)
    else:
        cfg = load_config(args.config, *changes)
    with launched(cfg, args.launcher):
        test(
            cfg, args.checkpoint, args.out, args.show_dir, args.tta, args.trust_checkpoint
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
