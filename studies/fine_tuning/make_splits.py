"""Makes the data of the study: for each family and seed, a data set with labelled cases.

A family that is held out stands for the data of another hospital. All seeds share its
images; each draws which of the 40 training cases are labelled (labelled-N.txt). The 20
that it leaves unlabelled are its validation split (val.txt), on which the learning rates
are chosen, of 'scanner' alone.
"""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Optional, Sequence

import numpy as np

from seam_seg.apis.command_line import report_errors
from seam_seg.atomic import write_whole
from seam_seg.datasets.phantom import HELD_OUT, find_params, write_phantom

LABELLED = (1, 2, 5, 10, 20)


def write_splits(phantom: Path, root: Path, seed: int) -> None:
    """Makes the data set of a seed, whose images are links to a phantom's.

    Args:
        phantom (Path): the phantom.
        root (Path): folder of the data set; its parent holds the phantom too.
        seed (int): of the order of the cases, so that more labelled cases include the
            fewer.
    """
    root.mkdir(parents=True, exist_ok=True)
    for name in ('dataset', 'groundtruth'):
        if not (root / name).exists():
            (root / name).symlink_to(Path('..') / phantom.name / name)
    for name in ('train.txt', 'test.txt', 'phantom.json'):
        shutil.copy(phantom / name, root)
    names = (phantom / 'train.txt').read_text().split()
    order = np.random.default_rng(seed).permutation(names)
    parts = {f'labelled-{count}': order[:count] for count in LABELLED}
    parts['val'] = order[max(LABELLED) :]
    for name, part in parts.items():
        write_whole(root / f'{name}.txt', '\n'.join(part) + '\n')


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--root',
        type=Path,
        default=Path('data/fine_tuning'),
        help='gets FAMILY/seed0, FAMILY/seed1 ... (default: data/fine_tuning)',
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    args = parser.parse_args(argv)
    for family in HELD_OUT:
        phantom, params = args.root / family / 'phantom', find_params(family)
        write_phantom(phantom, 40, 16, 3000, params, num_workers=2, overwrite=True)
        for seed in args.seeds:
            write_splits(phantom, args.root / family / f'seed{seed}', seed)
    return 0


if __name__ == '__main__':
    sys.exit(main())
