#!/usr/bin/env python
"""Shows whether low confidence finds the bones that need correction (Dice < 0.7)."""
import argparse
import json
import sys
from pathlib import Path
from typing import Optional, Sequence

from seam_seg.apis.cli import report_errors
from seam_seg.apis.confidence import confidence_summary, score_bones
from seam_seg.apis.inference import init_model


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='path or name of a config')
    parser.add_argument('checkpoint', help='file written by tools/train.py')
    parser.add_argument('data_root', help='its test split is predicted')
    parser.add_argument('--out', type=Path, metavar='FILE', help='JSON of the summary')
    args = parser.parse_args(argv)
    model = init_model(args.config, args.checkpoint)
    summary = confidence_summary(score_bones(model, args.data_root))
    print(f'\n{"":10}{"bones":>8}{"doubtful":>10}{"AUROC confidence":>18}'
          f'{"AUROC area":>12}')
    for name, row in summary.items():
        columns = (
            '-' if row[key] is None else f'{row[key]:.3f}'
            for key in ('auroc_confidence', 'auroc_area'))
        print(f'{name:10}{row["bones"]:8d}{row["doubtful"]:10d}'
              '{:>18}{:>12}'.format(*columns))
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(summary, indent=2) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
