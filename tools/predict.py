#!/usr/bin/env python
"""Segments images: labels of the original size, overlay, confidence, table of bones.

Of several images, overview.html says with which one to begin where they are corrected.
With --report also what tools/measure.py writes: the curves as JSON, CSV and HTML.
"""

import argparse
import sys
from pathlib import Path
from typing import Any, Optional, Sequence

from _options import add_trust, add_window
from _start import start


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
    add_window(parser)
    parser.add_argument(
        '--report',
        action='store_true',
        help='measure the curves, too, and write a page for each image (for a pixel '
        'size or other settings: tools/measure.py on the folder of the results)',
    )
    parser.add_argument(
        '--polygons',
        nargs='+',
        choices=['labelme', 'coco'],
        default=[],
        help='write the bones as polygons to correct, too: a file of LabelMe for each '
        'image, or one of COCO for all, which CVAT imports (docs/correct.md)',
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


def load_model(args: argparse.Namespace) -> Any:
    """The model that the options name."""
    if args.onnx is not None:
        from seam_seg.apis.export import OnnxModel

        return OnnxModel(args.onnx)
    from seam_seg.apis.inference import init_model

    return init_model(args.config, args.checkpoint, args.device, args.trust_checkpoint)


def run(args: argparse.Namespace) -> int:
    from seam_seg.apis.command_line import progress
    from seam_seg.apis.correction_files import Corrections
    from seam_seg.apis.inference import predict
    from seam_seg.apis.polygon_results import POLYGONS
    from seam_seg.apis.predict_files import find_images, prepare_out
    from seam_seg.apis.prediction import KINDS, check_measurable, label_path
    from seam_seg.datasets.readers import check_window
    from seam_seg.datasets.subjects import listed
    from seam_seg.errors import InputError

    check_window(args.window)
    images = find_images(args.images, mask_suffix=args.mask_suffix)
    new = {
        path: name
        for path, name in images.items()
        if not (args.skip_existing and label_path(args.out, name).is_file())
    }
    kinds = (*KINDS, POLYGONS) if args.polygons else KINDS
    corrections = Corrections(
        args.out, list(images.values()), list(new.values()), args.polygons, args.report
    )
    model = load_model(args) if new else None
    if args.report and model is not None:
        check_measurable(model.dataset_meta['classes'])
    window = args.window
    if window is None and model is not None:
        window = model.pipeline[0].window
    results = None
    if args.report:
        from seam_seg.apis.report_files import (
            Results,
            describe_weights,
            measure_prediction,
        )
        from seam_seg.weights import READY_WEIGHTS

        results = Results(args.out, list(images.values()))
        files = [args.onnx] if args.onnx else args.checkpoint or [READY_WEIGHTS]
        weights = describe_weights([Path(file) for file in files]) if new else None
    prepare_out(args.out, images, kinds, new)
    failures, done, outdated = [], [], []
    # The pages are of all images, also of those that were segmented before.
    for path, name in progress(list(images.items())):
        found = None
        try:
            if path in new:
                found = predict(model, path, window)
                found.save(args.out, name)
                done.append(name)
                if results is None and (args.out / f'{name}.json').is_file():
                    from seam_seg.apis.report_files import drop_outdated

                    if drop_outdated(args.out, name):
                        outdated.append(name)
            corrections.add(path, name, found, window)
            if results is not None:
                by = None if found is None else weights
                results.add(measure_prediction(path, args.out, name, by, window))
        except InputError as error:
            failures.append(str(error))
    skipped = f', {len(images) - len(new)} skipped' if args.skip_existing else ''
    print(
        f'\n{len(done)} of {len(images)} images segmented{skipped}; labels '
        f'in {args.out}, with the folders {", ".join(kinds)}'
    )
    # First the pages: the overview links those that are there.
    measured = '' if results is None else results.finish(failures)
    if outdated:
        measured = (
            f'removed the pages of {listed(outdated)}, whose labels are others now, and '
            'index.html and curves.csv of them: --report makes them anew'
        )
    for line in filter(None, (corrections.finish(failures), measured)):
        print(line)
    for message in failures:
        print(f'error: {message}', file=sys.stderr)
    return 1 if failures else 0


def main(argv: Optional[Sequence[str]] = None) -> int:
    return start(parse_args, run, argv)


if __name__ == '__main__':
    sys.exit(main())
