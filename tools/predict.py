#!/usr/bin/env python
"""Segments images: labels of the original size, overlay, confidence, table of bones."""

import argparse
import sys
from pathlib import Path
from typing import List, Optional, Sequence

import _threads  # noqa: F401  before torch is loaded

from seam_seg.apis.command_line import add_trust, progress, report_errors
from seam_seg.apis.export import OnnxModel
from seam_seg.apis.inference import Model, init_model
from seam_seg.apis.predict_files import (
    KINDS,
    find_images,
    label_path,
    predict_file,
    prepare_out,
)


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'images',
        nargs='+',
        metavar='IMAGE',
        help='images, folders of images (and of folders of them), or .txt files with one '
        'path a line',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('predictions'),
        help='folder for the results (default: predictions)',
    )
    parser.add_argument(
        '--mask-suffix',
        metavar='SUFFIX',
        help='files in the folders whose names end so, such as _mask.png, are no images '
        'but masks, and left out',
    )
    parser.add_argument(
        '--skip-existing',
        action='store_true',
        help='leave out images whose labels are in the folder of the results already',
    )
    parser.add_argument(
        '--config',
        help='path or name of a config (default: the one that the checkpoint carries)',
    )
    parser.add_argument(
        '--checkpoint',
        nargs='+',
        help='file written by tools/train.py; of several, the probabilities are averaged '
        '(default: the ready weights)',
    )
    parser.add_argument(
        '--onnx', help='file of tools/export_onnx.py, run by ONNX Runtime, instead'
    )
    parser.add_argument('--device', help='for example cpu, or cuda:1')
    add_trust(parser)
    args = parser.parse_args(argv)
    if args.onnx is not None and (args.config or args.checkpoint or args.device):
        parser.error(
            '--onnx holds the model, and runs where ONNX Runtime does: it takes '
            'no --config, --checkpoint or --device'
        )
    if args.config is not None and args.checkpoint is None:
        parser.error('--config: give the --checkpoint of that config, too')
    return args


def load_model(args: argparse.Namespace) -> Model:
    """The model that the options name."""
    if args.onnx is not None:
        return OnnxModel(args.onnx)
    return init_model(args.config, args.checkpoint, args.device, args.trust_checkpoint)


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    args = parse_args(argv)
    images = find_images(args.images, mask_suffix=args.mask_suffix, out=args.out)
    todo = [
        (path, name)
        for path, name in images.items()
        if not (args.skip_existing and label_path(args.out, name).is_file())
    ]
    failures: List[str] = []
    if todo:
        model = load_model(args)
        prepare_out(args.out, images)
        for path, name in progress(todo):
            message = predict_file(model, path, args.out, name)
            failures += [] if message is None else [message]
    skipped = f', {len(images) - len(todo)} skipped' if args.skip_existing else ''
    print(
        f'\n{len(todo) - len(failures)} of {len(images)} images segmented{skipped}; '
        f'labels in {args.out}, with the folders {", ".join(KINDS)}'
    )
    for message in failures:
        print(f'error: {message}', file=sys.stderr)
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
