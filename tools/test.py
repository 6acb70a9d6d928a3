#!/usr/bin/env python
"""Tests a checkpoint: the Dice/Jaccard table, its files, and pictures."""
import argparse
import sys
from typing import Optional, Sequence

from mmengine.config import DictAction

from seam_seg.apis.cli import report_errors
from seam_seg.apis.runs import load_config, set_launcher, test


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='path or name of a config')
    parser.add_argument('checkpoint', help='file written by tools/train.py')
    parser.add_argument('--data-root', help="data set, instead of the config's")
    parser.add_argument(
        '--work-dir', help='folder for the log, and test/dice_jaccard.{json,csv}')
    parser.add_argument('--out', help='folder for the predicted label PNGs')
    parser.add_argument(
        '--show-dir', help='folder for image, prediction and truth side by side')
    parser.add_argument(
        '--tta', action='store_true', help='average with the mirrored image')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='overrides of the config, for example model.test_cfg.resize=logits')
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none',
        help='pytorch with torchrun; also without a GPU')
    return parser.parse_args(argv)


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options, args.data_root, args.work_dir)
    set_launcher(cfg, args.launcher)
    test(cfg, args.checkpoint, args.out, args.show_dir, args.tta)
    return 0


if __name__ == '__main__':
    sys.exit(main())
