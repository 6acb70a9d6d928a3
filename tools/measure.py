#!/usr/bin/env python
"""Measures the ultrasound curve angles (UCA, not Cobb) in masks of the bones.

Research use. Writes NAME.json and the page NAME.html for each mask, and curves.csv and,
for several masks, index.html, the most doubtful case first.
Exit status: 0, also where a mask has too few levels and its JSON says so; 1 if a mask
could not be read; 2 for bad arguments.
"""

import argparse
import sys
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from _options import add_window
from _start import start


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'masks',
        nargs='+',
        metavar='MASK',
        help='masks of labels (0 background, 1 rib, 2 thoracic, 3 lumbar), folders of '
        'masks (and of folders of them), or .txt files with one path a line',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('measurements'),
        metavar='DIR',
        help='folder for the results (default: %(default)s)',
    )
    parser.add_argument(
        '--images',
        type=Path,
        metavar='DIR',
        help='folder of the images, NAME.png for the mask NAME.png or NAME_bone_3.png, '
        'in the same folders below it',
    )
    add_window(parser)
    for kind, what in (
        (
            'instances',
            'maps of the bones one by one, used where they agree with the mask',
        ),
        ('confidence', 'probabilities, for the interval'),
    ):
        parser.add_argument(
            f'--{kind}',
            type=Path,
            metavar='DIR',
            help=f'folder of {what} (default: the folder {kind} where tools/predict.py '
            'writes it, if there is one)',
        )
    parser.add_argument(
        '--spacing',
        type=float,
        nargs=2,
        metavar=('ROW', 'COL'),
        help='height and width of a pixel, in one unit; only their ratio counts '
        '(default: what the image or the mask says, or else 1 1, square pixels)',
    )
    parser.add_argument(
        '--image-left',
        choices=['unknown', 'patient_left', 'patient_right'],
        default='unknown',
        help='which side of the patient the left of the image is; unknown names sides '
        'of the image (default: %(default)s)',
    )
    parser.add_argument(
        '--severity',
        type=float,
        nargs=3,
        default=(10.0, 25.0, 40.0),
        metavar=('MILD', 'MODERATE', 'SEVERE'),
        help='degrees from which on a curve is called so (default: 10 25 40, which are '
        'cutoffs of Cobb angles)',
    )
    parser.add_argument(
        '--level-shift',
        type=int,
        default=0,
        metavar='N',
        help='moves all names of levels down by N: -1 takes the last pair, which is '
        'called T12, for T11 (default: 0)',
    )
    parser.add_argument(
        '--polygons',
        nargs='+',
        choices=['labelme', 'coco'],
        default=[],
        help='write the bones as polygons to correct, too, with --images: a file of '
        'LabelMe for each image, or one of COCO for all, which CVAT imports',
    )
    args = parser.parse_args(argv)
    if args.polygons and args.images is None:
        parser.error('--polygons: are drawn on the images; name their folder by --images')
    if args.window is not None and args.images is None:
        parser.error('--window: is of the images; name their folder by --images')
    return args


def run(args: argparse.Namespace) -> int:
    from seam_seg.apis.command_line import progress
    from seam_seg.apis.correction_files import COCO, PolygonFiles, check_names
    from seam_seg.apis.measure_files import Folders, check_folders, measure_file
    from seam_seg.apis.polygon_results import POLYGONS
    from seam_seg.apis.predict_files import find_images
    from seam_seg.apis.prediction import KINDS
    from seam_seg.apis.report_files import Results
    from seam_seg.datasets.readers import check_window
    from seam_seg.datasets.subjects import listed
    from seam_seg.errors import InputError
    from seam_seg.measurement import Settings

    check_window(args.window)
    row, column = args.spacing or Settings.spacing
    mild, moderate, severe = args.severity
    settings = Settings(
        (row, column), args.image_left, (mild, moderate, severe), args.level_shift
    )
    folders = Folders(args.images, args.instances, args.confidence)
    check_folders(folders)
    # What tools/predict.py writes below its labels are no masks.
    pictures = [kind for kind in (*KINDS, POLYGONS) if kind != 'bones']
    masks = find_images(args.masks, 'mask', without=pictures)
    names = list(masks.values())
    if args.polygons:
        check_names(names, [COCO])
    polygons = PolygonFiles(args.out, args.polygons, names)
    results = Results(args.out, names)
    failures = []
    lacking: Dict[str, List[str]] = {}
    for path, name in progress(list(masks.items())):
        try:
            ask = args.spacing is None
            case = measure_file(
                path, folders, settings, name=name, ask_spacing=ask, window=args.window
            )
            if args.polygons:
                polygons.add_case(case)
            results.add(case)
        except InputError as error:
            failures.append(str(error))
            continue
        for option, folder in folders._asdict().items():
            kind = 'image' if option == 'images' else option
            if folder is not None and kind not in case.files:
                lacking.setdefault(f'--{option} {folder}', []).append(name)
    print(f'\n{results.finish(failures)}')
    for line in polygons.finish():
        print(line)
    for option, alone in lacking.items():
        print(
            f'warning: {option}: has nothing for {listed(alone)}, measured without. It '
            'is to have the name of the mask, and an ending of images or none.',
            file=sys.stderr,
        )
    for message in failures:
        print(f'error: {message}', file=sys.stderr)
    return 1 if failures else 0


def main(argv: Optional[Sequence[str]] = None) -> int:
    return start(parse_args, run, argv)


if __name__ == '__main__':
    sys.exit(main())
