#!/usr/bin/env python
"""Draws the masks of several methods for the last one's best, median and worst case.

From what tools/benchmark.py left (Fig. 3 of the paper); the models are those of one seed.
"""

import argparse
import sys
from pathlib import Path
from typing import Optional, Sequence

from seam_seg.apis.command_line import report_errors
from seam_seg.apis.costs import method_name
from seam_seg.apis.figures import choose_cases, draw_methods
from seam_seg.apis.inference import init_model
from seam_seg.apis.study import read_results
from seam_seg.config_lookup import config_path
from seam_seg.engine import last_checkpoint
from seam_seg.errors import InputError
from seam_seg.visualization import write_rgb


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='+', help='paths or names, in order')
    parser.add_argument('--data-root', required=True, help='that of the benchmark')
    parser.add_argument('--results', type=Path, required=True, help='its --out')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/benchmark'))
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path, required=True, help='.png or .jpg to write')
    args = parser.parse_args(argv)
    if args.out.suffix not in ('.png', '.jpg'):
        parser.error(f'--out {args.out}: must end in .png or .jpg')
    stems = [config_path(config).stem for config in args.configs]
    results = read_results(args.results)
    if stems[-1] not in results:
        raise InputError(f'{args.results}: no result of {stems[-1]}.')
    models = []
    for config, stem in zip(args.configs, stems):
        work_dir = args.work_dir / f'{stem}_seed{args.seed}'
        last = last_checkpoint(work_dir)
        if last is None:
            raise InputError(
                f'{work_dir}: no checkpoint. Run tools/benchmark.py with '
                'this config, seed and --work-dir.'
            )
        models.append((method_name(config), init_model(config, last)))
    write_rgb(
        args.out, draw_methods(models, choose_cases(results[stems[-1]]), args.data_root)
    )
    print(f'Wrote {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
