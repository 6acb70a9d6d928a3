#!/usr/bin/env python
"""Draws the key maps k' of an image with the true and the estimated centers (Fig. 2)."""

import argparse
import sys
from pathlib import Path
from typing import Optional, Sequence

from seam_seg.apis.command_line import report_errors
from seam_seg.apis.figures import draw_keys, read_keys
from seam_seg.apis.inference import init_model


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('image', type=Path)
    parser.add_argument('mask', type=Path, help='its true labels')
    parser.add_argument('out', type=Path, help='PNG to write')
    parser.add_argument('--config', help='path or name (default: the ready weights)')
    parser.add_argument('--checkpoint', help='file written with that config')
    args = parser.parse_args(argv)
    if (args.config is None) != (args.checkpoint is None):
        parser.error('--config and --checkpoint belong together')
    model = init_model(*([] if args.config is None else [args.config, args.checkpoint]))
    meta = model.dataset_meta
    draw_keys(
        read_keys(model, args.image, args.mask),
        meta['classes'],
        meta['palette'],
        args.out,
    )
    print(f'Wrote {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
