#!/usr/bin/env python
"""Segments images: labels of the original size, overlay, confidence, table of bones.

With --report also what tools/measure.py writes: the curves as JSON, CSV and HTML.
"""

import argparse
import sys
from pathlib import Path
from typing import Optional, Sequence

import _threads  # noqa: F401  before torch is loaded

from seam_seg.apis.command_line import add_trust, progress, report_errors
from seam_seg.apis.export import OnnxModel
from seam_seg.apis.inference import Model, init_model
from seam_seg.apis.predict_files import KINDS, find_images, predict_file, prepare_out
from seam_seg.apis.report_files import Results, describe_weights, measure_prediction
from seam_seg.errors import InputError
from seam_seg.weights import READY_WEIGHTS


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'images',
        nargs='+',
        metavar='IMAGE',
        help='images, folders of images, or .txt files with one path a line',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('predictions'),
        help='folder for the results (default: predictions)',
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
    parser.add_argument(
        '--report',
        action='store_true',
        help='measure the curves, too, and write a page for each image (for a pixel '
        'size or other settings: tools/measure.py on the folder of the results)',
    )
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


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    args = parse_args(argv)
    images = find_images(args.images)
    if args.onnx is not None:
        model: Model = OnnxModel(args.onnx)
    else:
        model = init_model(
            args.config, args.checkpoint, args.device, args.trust_checkpoint
        )
    prepare_out(args.out, images)
    results = None
    if args.report:
        results = Results(args.out, [image.stem for image in images])
        files = [args.onnx] if args.onnx else args.checkpoint or [READY_WEIGHTS]
        weights = describe_weights([Path(file) for file in files])
    failures, segmented = [], 0
    for image in progress(images):
        message = predict_file(model, image, args.out)
        segmented += message is None
        if message is None and results is not None:
            try:
                results.add(measure_prediction(image, args.out, weights))
            except InputError as error:
                message = str(error)
        if message is not None:
            failures.append(message)
    print(
        f'\n{segmented} of {len(images)} images segmented; labels '
        f'in {args.out}, with the folders {", ".join(KINDS)}'
    )
    if results is not None:
        print(results.finish(failures))
    for message in failures:
        print(f'error: {message}', file=sys.stderr)
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
