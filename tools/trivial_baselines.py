#!/usr/bin/env python
"""Scores two trivial predictors on a data set, which any model has to beat."""

import argparse
import sys
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np

from seam_seg.apis.command_line import report_errors
from seam_seg.atomic import write_json
from seam_seg.datasets import LoadVPIAnnotations, LoadVPIImage, ResizeVPI, VPIDataset
from seam_seg.errors import InputError
from seam_seg.evaluation.trivial import trivial_baselines


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data_root', help='folder with train.txt and test.txt')
    parser.add_argument(
        '--image-size',
        nargs=2,
        type=int,
        default=(1024, 256),
        metavar=('HEIGHT', 'WIDTH'),
        help='images are rescaled to it, in pixels (default: 1024 256)',
    )
    parser.add_argument('--out', type=Path, metavar='FILE', help='JSON of the scores')
    return parser.parse_args(argv)


def load(
    data_root: str, split: str, steps: List[Callable]
) -> List[Tuple[np.ndarray, np.ndarray]]:
    """The images and masks of a split after some pipeline steps."""
    dataset = VPIDataset(data_root, split, pipeline=steps)
    return [(sample['img'], sample['gt_seg_map']) for sample in dataset]


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    args = parse_args(argv)
    image, mask = LoadVPIImage(), LoadVPIAnnotations()
    resize = ResizeVPI(scale=args.image_size[::-1])
    if min(args.image_size) < 1:
        raise InputError(f'--image-size {args.image_size}: must be at least 1 1.')
    training = load(args.data_root, 'trainval', [image, mask, resize])
    # The mask after the resizing: it keeps its size, and scores are taken on it.
    cases = load(args.data_root, 'test', [image, resize, mask])
    results = trivial_baselines(*zip(*training), cases, VPIDataset.METAINFO['classes'])
    keys = list(results['mean mask'])
    print(
        f'mean per-image Dice in % on {len(cases)} test cases, fitted on '
        f'{len(training)} training cases'
    )
    print(f'{"":10}' + ''.join(f'{key:>10}' for key in keys))
    for name, scores in results.items():
        print(f'{name:10}' + ''.join(f'{scores[key]:10.2f}' for key in keys))
    if args.out is not None:
        write_json(args.out, results)
    return 0


if __name__ == '__main__':
    sys.exit(main())
