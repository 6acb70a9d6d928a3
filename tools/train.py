#!/usr/bin/env python
"""Trains a model from a config."""

import argparse
import sys
from typing import Optional, Sequence

from _options import run_parser
from _start import start


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
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
    parser.add_argument(
        '--wandb',
        action='store_true',
        help='log to Weights & Biases as well: losses, scores, learning rate and config, '
        'but no image (WANDB_MODE=offline sends nothing)',
    )
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> int:
    from seam_seg.apis.command_line import read_overrides
    from seam_seg.apis.runs import (
        launched,
        load_config,
        set_amp,
        set_resume,
        set_tensorboard,
        set_wandb,
        train,
    )

    changes = read_overrides(args.cfg_options)
    cfg = load_config(args.config, changes, args.data_root, args.work_dir)
    if args.resume:
        set_resume(cfg)
    if args.amp:
        set_amp(cfg)
    if args.tensorboard:
        set_tensorboard(cfg)
    if args.wandb:
        set_wandb(cfg)
    with launched(cfg, args.launcher):
        train(cfg, args.trust_checkpoint)
    return 0


def main(argv: Optional[Sequence[str]] = None) -> int:
    return start(parse_args, run, argv)


if __name__ == '__main__':
    sys.exit(main())
