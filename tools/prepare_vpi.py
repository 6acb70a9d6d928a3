#!/usr/bin/env python
"""Turns images and their masks into a data set for seam_seg, or adds them to one."""

import argparse
import sys
from pathlib import Path
from typing import Any, Optional, Sequence

from _options import add_subjects, add_window
from _start import start


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'images', type=Path, help='folder of grey images, or of folders of them'
    )
    parser.add_argument(
        'masks',
        type=Path,
        help='folder of masks, or that of the images: class indices, a page for each '
        'class, colours: red (rib), green (thoracic) and blue (lumbar), or polygons of '
        'LabelMe; or a file of polygons of all images (COCO)',
    )
    parser.add_argument('out', type=Path, help='folder to write the data set to')
    parser.add_argument(
        '--mask-suffix',
        metavar='SUFFIX',
        help="what follows the image's name in the mask's, such as _mask.png, or .json "
        'of polygons (default: the same name; needed where both are in one folder)',
    )
    parser.add_argument(
        '--mask-classes',
        nargs='+',
        metavar='NAME',
        help='meaning of labels 0, 1, 2..., or of the pages, in the masks, or the names '
        'of polygons; names of no class are ignored (default: '
        'background rib thoracic lumbar)',
    )
    parser.add_argument(
        '--colour-map',
        nargs='+',
        metavar='NAME=R,G,B',
        help='other colours of the classes, and of "ignore", in the masks; several may '
        'name one class (default: background=0,0,0 rib=255,0,0 thoracic=0,255,0 '
        'lumbar=0,0,255)',
    )
    add_window(parser)
    parser.add_argument(
        '--only-labelled',
        action='store_true',
        help='leave out images that have no mask, or polygons that nobody has checked '
        '(default: they are an error)',
    )
    add_subjects(parser)
    parser.add_argument(
        '--test-fraction',
        type=float,
        default=29 / 109,
        metavar='SHARE',
        help='of the subjects, on average (default: 29/109, as in the paper)',
    )
    parser.add_argument(
        '--val-fraction',
        type=float,
        default=0.2,
        metavar='SHARE',
        help='of the training subjects, on average; 0 writes no val.txt (default: '
        '%(default)s)',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of the split (default: %(default)s)'
    )
    parser.add_argument(
        '--append',
        nargs='?',
        const='train',
        choices=['train', 'val', 'test'],
        metavar='SIDE',
        help='add to the data set in OUT, whose split stays: subjects that are new come '
        'to this side of it, train, val or test (default: train)',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace the data set in OUT'
    )
    parser.add_argument(
        '--keep-split',
        action=argparse.BooleanOptionalAction,
        help='the subjects of the data set in OUT stay on their side, and only others '
        'are drawn (default: all are drawn, by which nobody moves unless the seed or a '
        'share changes; an error if the split was drawn otherwise and would change)',
    )
    args = parser.parse_args(argv)
    if args.append and (args.overwrite or args.keep_split is not None):
        parser.error('--append keeps the data set and its split: leave the other out')
    return args


def describe(changes: Any) -> str:
    """Says who moved, loudly where it spoils a comparison; several lines."""
    lines = []
    for (before, now), subjects in changes.moved.items():
        line = f'moved from {before} to {now}: {", ".join(subjects)}'
        if (before, now) in changes.crossing:
            line = f'warning: {line}; compare no score from before with one from now'
        lines.append(line)
    return '\n'.join(
        [
            *(lines or ['no subject moved to another side of the split']),
            f'new subjects: {", ".join(changes.new) or "none"}',
            f'gone subjects: {", ".join(changes.gone) or "none"}',
        ]
    )


def run(args: argparse.Namespace) -> int:
    from seam_seg.apis.command_line import progress
    from seam_seg.datasets.annotations import parse_colour_map
    from seam_seg.datasets.prepare import append, prepare

    if args.colour_map is not None:
        args.colour_map = parse_colour_map(args.colour_map)
    options = dict(vars(args), progress=progress)
    side = options.pop('append')
    if side is None:
        prepared = prepare(**options)
    else:
        drawn = ('test_fraction', 'val_fraction', 'seed', 'overwrite', 'keep_split')
        own = {key: value for key, value in options.items() if key not in drawn}
        prepared = append(**own, side=side)
    for split in ('train', 'val', 'test'):
        print(
            f'{split + ".txt":10}{len(getattr(prepared, split)):4d} cases of '
            f'{prepared.subjects[split]} subjects'
            + (' (of those in train.txt)' if split == 'val' else '')
        )
    if prepared.added is not None:
        print(f'added: {", ".join(prepared.added) or "nothing that was not there"}')
    if prepared.changes is not None:
        print(describe(prepared.changes))
    print(f'written to {args.out}; look at it with tools/check_dataset.py')
    return 0


def main(argv: Optional[Sequence[str]] = None) -> int:
    return start(parse_args, run, argv)


if __name__ == '__main__':
    sys.exit(main())
