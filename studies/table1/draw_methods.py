"""Draws the masks of several methods for the last one's best, median and worst case.

From what tools/benchmark.py left (Fig. 3 of the paper); the models are those of one seed.
"""

import argparse
import sys
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np
import pandas as pd
from torch import nn

from seam_seg.apis import init_model, predict
from seam_seg.apis.command_line import report_errors
from seam_seg.apis.costs import method_name
from seam_seg.datasets import VPIDataset
from seam_seg.datasets.readers import read_mask
from seam_seg.errors import InputError
from seam_seg.evaluation.rows import image_dice, read_rows
from seam_seg.visualization import panel, write_rgb
from studies.records import trained_weights


def choose_cases(rows: pd.DataFrame, method: str) -> Dict[str, str]:
    """The best, the median and the worst image of a method.

    By Dice, averaged over the bone classes and the seeds; of an even number of images,
    the median is the lower one of the two in the middle.

    Args:
        rows (pd.DataFrame): of one study and setting.
        method (str): its name in them.

    Returns:
        dict[str, str]: 'best', 'median' and 'worst' -> name of the image.

    Raises:
        InputError: the rows have no score of the method.
    """
    dice = image_dice(rows[rows['method'] == method]).mean()
    if dice.empty:
        raise InputError(f'no Dice of {method} in these rows.')
    order = sorted(dice.index, key=lambda name: (dice[name], name))
    return dict(best=order[-1], median=order[(len(order) - 1) // 2], worst=order[0])


def draw_methods(
    models: Sequence[Tuple[str, nn.Module]], cases: Dict[str, str], data_root: str
) -> np.ndarray:
    """Draws input, each method's mask and the truth, a row for each case (as in Fig. 3).

    Args:
        models (Sequence[tuple[str, nn.Module]]): method and its model.
        cases (dict[str, str]): why a case is shown -> its name, in the test split.
        data_root (str): data set.

    Returns:
        np.ndarray: (h, w, 3) uint8, RGB.

    Raises:
        InputError: a case that is not in the test split.
    """
    dataset = VPIDataset(data_root, 'test')
    infos = {Path(info['img_path']).stem: info for info in dataset.load_data_list()}
    classes, palette = (dataset.metainfo[key] for key in ('classes', 'palette'))
    rows: List[np.ndarray] = []
    for why, name in cases.items():
        if name not in infos:
            raise InputError(
                f'{name}: not in the test split of {data_root}. The results '
                'belong to another data set.'
            )
        predictions = [
            (method, predict(model, infos[name]['img_path'])) for method, model in models
        ]
        image = predictions[0][1].image
        truth = read_mask(
            infos[name]['seg_map_path'], len(classes), dataset.ignore_index, image.shape
        )
        masks = [(method, result.mask) for method, result in predictions]
        rows.append(
            panel(
                image,
                [*masks, ('truth', truth)],
                classes,
                palette,
                f'{name}: {why} of {models[-1][0]}',
                max_height=700,
            )
        )
    width = max(row.shape[1] for row in rows)
    return np.vstack(
        [
            cv2.copyMakeBorder(row, 0, 6, 0, width - row.shape[1], cv2.BORDER_CONSTANT)
            for row in rows
        ]
    )


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='+', help='paths or names, in order')
    parser.add_argument('--data-root', required=True, help='that of the benchmark')
    parser.add_argument('--rows', required=True, help='file of its scores')
    parser.add_argument('--setting', help='of the rows, where they have several')
    parser.add_argument('--work-dir', type=Path, required=True, help='that of its runs')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path, required=True, help='.png or .jpg to write')
    args = parser.parse_args(argv)
    if args.out.suffix not in ('.png', '.jpg'):
        parser.error(f'--out {args.out}: must end in .png or .jpg')
    rows = read_rows(args.rows)
    if args.setting is not None:
        rows = rows[rows['setting'] == args.setting]
    cases = choose_cases(rows, method_name(args.configs[-1]))
    models = [
        (
            method_name(config),
            init_model(config, trained_weights(config, args.work_dir, args.seed)),
        )
        for config in args.configs
    ]
    write_rgb(args.out, draw_methods(models, cases, args.data_root))
    print(f'Wrote {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
