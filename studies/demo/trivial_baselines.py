"""Scores two trivial predictors on a data set, which any model has to beat."""

import argparse
import sys
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence

from seam_seg.apis.command_line import report_errors
from seam_seg.datasets import LoadVPIAnnotations, LoadVPIImage, ResizeVPI, VPIDataset
from seam_seg.errors import InputError
from studies.demo.predictors import nanmean, score_predictors
from studies.records import append_rows, make_rows


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
    parser.add_argument('--out', metavar='FILE', help='adds the scores to a file of rows')
    parser.add_argument('--setting', default='standard test', help='in those rows')
    return parser.parse_args(argv)


def load(data_root: str, split: str, steps: List[Callable]) -> Dict[str, list]:
    """The names, images and masks of a split after some pipeline steps."""
    samples = list(VPIDataset(data_root, split, pipeline=steps))
    return dict(
        names=[Path(sample['img_path']).stem for sample in samples],
        images=[sample['img'] for sample in samples],
        masks=[sample['gt_seg_map'] for sample in samples],
    )


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    args = parse_args(argv)
    image, mask = LoadVPIImage(), LoadVPIAnnotations()
    resize = ResizeVPI(scale=args.image_size[::-1])
    if min(args.image_size) < 1:
        raise InputError(f'--image-size {args.image_size}: must be at least 1 1.')
    train = load(args.data_root, 'trainval', [image, mask, resize])
    # The mask after the resizing: it keeps its size, and scores are taken on it.
    test = load(args.data_root, 'test', [image, resize, mask])
    classes = VPIDataset.METAINFO['classes']
    cases = list(zip(test['images'], test['masks']))
    results = score_predictors(train['images'], train['masks'], cases, len(classes))
    print(
        f'mean per-image Dice in % on {len(cases)} test cases, fitted on '
        f'{len(train["names"])} training cases'
    )
    print(f'{"":10}' + ''.join(f'{key:>10}' for key in (*classes[1:], 'average')))
    for method, dice in results.items():
        means = 100 * nanmean(dice[:, 1:])
        cells = [*means, *nanmean(means[:, None])]
        print(f'{method:10}' + ''.join(f'{value:10.2f}' for value in cells))
        if args.out is not None:
            values = [
                {'image': name, 'class': key, 'score': 'Dice', 'value': 100 * value}
                for name, row in zip(test['names'], dice)
                for key, value in zip(classes[1:], row[1:])
            ]
            append_rows(args.out, make_rows(values, 'demo', args.setting, method))
    return 0


if __name__ == '__main__':
    sys.exit(main())
