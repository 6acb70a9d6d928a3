#!/usr/bin/env python
"""Trains a model from a config."""

import sys
from typing import Optional, Sequence

import _threads  # noqa: F401  before torch is loaded

from seam_seg.apis.command_line import report_errors, run_parser
from seam_seg.apis.runs import (
    launched,
    load_config,
    set_amp,
    set_resume,
    set_tensorboard,
    train,
)


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = run_parser(__doc__)
    parser.add_argument(
        '--resume',
        action='store_true',
        help='go on from the last checkpoint in the work dir',
    )
    parser.add_argument(
        '--amp', action='store_true', help='automatic mixed precision (CUDA)'
    )
    parser.add_argument(
        '--tensorboard', action='store_true', help='log to TensorBoard as well'
    )
    args = parser.parse_args(argv)
    cfg = load_config(args.config, args.cfg_options, args.data_root, args.work_dir)
    if args.resume:
        set_resume(cfg)
    if args.amp:
        set_amp(cfg)
    if args.tensorboard:
        set_tensorboard(cfg)
    with launched(cfg, args.launcher):
        train(cfg, args.trust_checkpoint)
    return 0


if __name__ == '__main__':
    sys.exit(main())
