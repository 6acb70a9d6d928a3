#!/usr/bin/env python
"""Checks a data set on disk, prints every problem, and draws a contact sheet.

Exit status: 0 without errors, 1 if the data have errors, 2 for bad arguments.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Optional, Sequence

from _options import add_subjects
from _start import start


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('data_root', help='folder with train.txt and test.txt')
    parser.add_argument('--img-suffix', default='.png', help='(default: %(default)s)')
    parser.add_argument(
        '--seg-map-suffix', default='_bone_3.png', help='(default: %(default)s)'
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        default=['background', 'rib', 'thoracic', 'lumbar'],
        metavar='NAME',
        help='meaning of labels 0, 1, 2... in the masks (default: background rib '
        'thoracic lumbar)',
    )
    add_subjects(parser)
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/check_dataset'),
        metavar='DIR',
        help='folder of contact_sheet.png and report.json (default: %(default)s)',
    )
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> int:
    from seam_seg.apis.command_line import progress
    from seam_seg.atomic import write_json
    from seam_seg.datasets.check import check_dataset, describe, save_contact_sheet

    report = check_dataset(
        args.data_root,
        args.img_suffix,
        args.seg_map_suffix,
        args.classes,
        progress,
        args.subject_pattern,
        args.one_scan_per_subject,
    )
    for kind, lines in (('error', report.errors), ('warning', report.warnings)):
        for line in lines:
            print(f'{kind}: {line}')
    print(
        f'{len(report.cases)} cases can be read; errors: {len(report.errors)}, '
        f'warnings: {len(report.warnings)}'
    )
    print(describe(report))
    write_json(args.out / 'report.json', asdict(report))
    print(f'report: {args.out / "report.json"}')
    if report.cases:
        save_contact_sheet(report, args.out / 'contact_sheet.png')
        print(f'contact sheet: {args.out / "contact_sheet.png"}')
    return 1 if report.errors else 0


def main(argv: Optional[Sequence[str]] = None) -> int:
    return start(parse_args, run, argv)


if __name__ == '__main__':
    sys.exit(main())
