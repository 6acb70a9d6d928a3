#!/usr/bin/env python
"""Scores a model on phantom families that it was not trained on ('another scanner').

For each family: Dice, the gap to the training family, and whether doubt finds the bones
that need correction (Dice < 0.7) better than an unusual or a small area does.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Optional, Sequence

from seam_seg.apis.case_scores import dice_summary, doubt_summary, score_cases
from seam_seg.apis.command_line import report_errors
from seam_seg.apis.inference import init_model
from seam_seg.atomic import write_json, write_whole
from seam_seg.datasets.phantom import (
    HELD_OUT,
    HELD_OUT_SEEDS,
    PRESETS,
    find_params,
    write_phantom,
)


def markdown(summary: dict, reference: str) -> str:
    """The summary as a table, gaps against the reference family."""
    rows = [
        '| family | lumbar | thoracic | rib | average Dice (%) | gap | bones, doubtful | '
        'AUROC of doubt | in lumbar | thoracic | rib | of confidence | of unusual size | '
        'of small area |',
        f'|{"---|" * 14}',
    ]
    for name, row in summary.items():
        dice, bones = row['dice'], row['bones']['all']
        aurocs = [
            *(
                row['bones'].get(part, {}).get('auroc_doubt')
                for part in ('all', 'lumbar', 'thoracic', 'rib')
            ),
            *(bones[f'auroc_{key}'] for key in ('confidence', 'size', 'area')),
        ]
        gap = dice['average'] - summary[reference]['dice']['average']
        cells = [
            name,
            *(f'{dice[key]:.2f}' for key in ('lumbar', 'thoracic', 'rib', 'average')),
            f'{gap:+.2f}',
            f'{bones["bones"]}, {bones["doubtful"]}',
            *('-' if value is None else f'{value:.3f}' for value in aurocs),
        ]
        rows.append(f'| {" | ".join(cells)} |')
    return '\n'.join(rows)


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='path or name of a config')
    parser.add_argument('checkpoint', help='file written by tools/train.py')
    parser.add_argument(
        '--families',
        nargs='+',
        default=[*PRESETS, *HELD_OUT],
        metavar='NAME',
        help='presets and held-out families (default: all)',
    )
    parser.add_argument('--reference', default='standard', help='what it was trained on')
    parser.add_argument('--cases', type=int, default=12, help='of each family')
    parser.add_argument('--part', choices=list(HELD_OUT_SEEDS), default='val')
    parser.add_argument(
        '--out', type=Path, metavar='FILE', help='JSON, and .md beside it'
    )
    args = parser.parse_args(argv)
    model = init_model(args.config, args.checkpoint)
    summary = {}
    for name in dict.fromkeys([args.reference, *args.families]):
        params = find_params(name)
        with tempfile.TemporaryDirectory() as folder:
            write_phantom(folder, 0, args.cases, HELD_OUT_SEEDS[args.part], params)
            images, bones = score_cases(model, folder)
        summary[name] = dict(dice=dice_summary(images), bones=doubt_summary(bones))
    table = markdown(summary, args.reference)
    print('\n' + table)
    if args.out is not None:
        write_json(args.out, summary)
        write_whole(args.out.with_suffix('.md'), table + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
