#!/usr/bin/env python
"""Trains a model from a config."""
import argparse
import sys
from typing import Optional, Sequence

from mmengine.config import DictAction

from seam_seg.apis.cli import report_errors
from seam_seg.apis.runs import (
    load_config,
    set_amp,
    set_launcher,
    set_tensorboard,
    train,
)


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='path or name of a config')
    parser.add_argument('--data-root', help="data set, instead of the config's")
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--resume', action='store_true',
        help='go on from the last checkpoint in the work dir')
    parser.add_argument(
        '--amp', action='store_true', help='automatic mixed precision (CUDA)')
    parser.add_argument(
        '--tensorboard', action='store_true', help='log to TensorBoard as well')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='overrides of the config, for example randomness.seed=1')
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none',
        help='pytorch with torchrun; also without a GPU')
    return parser.parse_args(argv)


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options, args.data_root, args.work_dir)
    cfg.resume = args.resume
    if args.amp:
        set_amp(cfg)
    if args.tensorboard:
        set_tensorboard(cfg)
    set_launcher(cfg, args.launcher)
    train(cfg)
    return 0


if __name__ == '__main__':
    sys.exit(main())
