#!/usr/bin/env python
"""Segments images: a label PNG of the original size, and an overlay, for each."""
import argparse
import sys
from pathlib import Path
from typing import List, Optional, Sequence

from mmengine.utils import ProgressBar

from seam_seg.apis.cli import report_errors
from seam_seg.apis.inference import init_model
from seam_seg.apis.predict import find_images, predict_files


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'images', nargs='+', metavar='IMAGE',
        help='images, folders of images, or .txt files with one path a line')
    parser.add_argument('--out', required=True, help='folder for the results')
    parser.add_argument('--config', required=True, help='path or name of a config')
    parser.add_argument(
        '--checkpoint', required=True, help='file written by tools/train.py')
    parser.add_argument('--device', help='for example cpu, or cuda:1')
    return parser.parse_args(argv)


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    args = parse_args(argv)
    images = find_images(args.images)
    model = init_model(args.config, args.checkpoint, args.device)
    bar = ProgressBar(len(images), file=sys.stderr)
    failures: List[str] = []
    for message in predict_files(model, images, Path(args.out)):
        if message is not None:
            failures.append(message)
        bar.update()
    print(f'\n{len(images) - len(failures)} of {len(images)} images segmented; labels '
          f'in {args.out}, overlays in {Path(args.out) / "overlay"}')
    for message in failures:
        print(f'error: {message}', file=sys.stderr)
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
