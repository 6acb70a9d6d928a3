#!/usr/bin/env python
"""Writes a model, from grey levels to bones, as one ONNX file; checks it on phantoms."""

import argparse
import os
import sys
from pathlib import Path
from typing import Optional, Sequence

from _options import add_trust
from _start import start

MOST_DIFFERENCE = 1e-4  # of a probability
MOST_DIFFERING = 1e-4  # share of the pixels that have another class, which are ties
MOST_OTHER_BONE = 1e-3  # or are of another bone


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path, metavar='FILE.onnx')
    parser.add_argument(
        '--config', help='path or name (default: the one that the checkpoint carries)'
    )
    parser.add_argument(
        '--checkpoint', help='file written by tools/train.py (default: the ready weights)'
    )
    parser.add_argument(
        '--phantoms', type=int, default=10, help='to check on (default: 10)'
    )
    add_trust(parser)
    args = parser.parse_args(argv)
    if args.config is not None and args.checkpoint is None:
        parser.error('--config: give the --checkpoint of that config, too')
    if args.phantoms < 1:
        parser.error('--phantoms: at least 1')
    return args


def run(args: argparse.Namespace) -> int:
    from seam_seg.apis.export import compare, export_onnx
    from seam_seg.apis.inference import init_model
    from seam_seg.datasets.phantom import make_case
    from seam_seg.engine.other_work import busy_warning
    from seam_seg.errors import InputError

    args.out.parent.mkdir(parents=True, exist_ok=True)
    model = init_model(args.config, args.checkpoint, 'cpu', args.trust_checkpoint)
    unchecked = args.out.with_suffix('.unchecked')
    try:
        export_onnx(model, unchecked)
        found = compare(
            model, unchecked, [make_case(seed).image for seed in range(args.phantoms)]
        )
    except InputError:
        unchecked.unlink(missing_ok=True)
        raise
    print(' '.join(f'{key}={value}' for key, value in found.items()))
    if (
        found['max_difference'] > MOST_DIFFERENCE
        or found['differing'] > MOST_DIFFERING * found['pixels']
        or found['other_bone'] > MOST_OTHER_BONE * found['pixels']
    ):
        raise InputError(
            f'{unchecked}: does not predict as PyTorch does, to {MOST_DIFFERENCE} of the '
            'probabilities; do not use it.'
        )
    os.replace(unchecked, args.out)
    print(
        f'{args.out}: {args.out.stat().st_size / 2**20:.1f} MiB; ONNX Runtime takes '
        f'{found["onnx_seconds"] / found["torch_seconds"]:.2f} of the time of PyTorch'
    )
    warning = busy_warning(found['other_cores'])
    if warning is not None:
        print(f'warning: {warning}', file=sys.stderr)
    return 0


def main(argv: Optional[Sequence[str]] = None) -> int:
    return start(parse_args, run, argv)


if __name__ == '__main__':
    sys.exit(main())
