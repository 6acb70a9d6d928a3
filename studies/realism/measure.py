"""Measures what phantom families look like, in numbers that published images have too.

`--image FILE` measures an image instead, whose numbers are printed and not kept.
"""

import argparse
import sys
from typing import Dict, List, Optional, Sequence

import cv2
import numpy as np

from seam_seg.apis.command_line import progress, report_errors
from seam_seg.datasets.phantom import HELD_OUT, PRESETS, find_params, make_case
from seam_seg.datasets.readers import read_image
from studies.records import add_out_argument, append_rows, make_rows

CLASSES = ('background', 'rib', 'thoracic', 'lumbar')
SEED = 1000  # of the measured cases, which no training has
EXTERIOR = 8  # grey level; what is not brighter is outside of the body
QUARTERS = ('first', 'second', 'third', 'last')


def correlation(rest: np.ndarray, valid: np.ndarray, lag: int, axis: int) -> float:
    """Correlates a texture (H, W) with itself, some pixels away, where it is valid."""
    both = valid & np.roll(valid, lag, axis)
    product = (rest * np.roll(rest, lag, axis))[both].mean()
    return float(product / (rest[valid] ** 2).mean())


def image_numbers(image: np.ndarray) -> Dict[str, float]:
    """Measures an image of a whole back.

    Args:
        image (ndarray): uint8 (H, W).

    Returns:
        dict[str, float]: ``mean`` and ``std`` of the grey levels of the whole frame, the
        share of the frame that the body ``covers`` (%), mean absolute differences of
        ``rows`` and ``columns`` inside of the body, ``mean of the ... quarter`` of the
        body's rows, ``unevenness``: the relative standard deviation of the body at 10 to
        40 px; and of the fine texture its correlation over 5 px along a row and over 1
        and 2 rows.
    """
    grey = image.astype(np.float32)
    body = cv2.morphologyEx(image, cv2.MORPH_CLOSE, np.ones((9, 9))) > EXTERIOR
    inside = cv2.erode(body.astype(np.uint8), np.ones((11, 11))) > 0
    down = np.abs(np.diff(grey, axis=0))[inside[1:] & inside[:-1]]
    across = np.abs(np.diff(grey, axis=1))[inside[:, 1:] & inside[:, :-1]]
    numbers = {
        'mean': grey.mean(),
        'std': grey.std(),
        'covers': 100 * (image > EXTERIOR).mean(),
        'rows': down.mean(),
        'columns': across.mean(),
    }
    rows = np.flatnonzero(inside.any(1))
    for name, part in zip(QUARTERS, np.array_split(rows, 4)):
        numbers[f'mean of the {name} quarter'] = grey[part][inside[part]].mean()
    deep = cv2.erode(body.astype(np.uint8), np.ones((31, 31))) > 0
    middle, coarse = (cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in (6, 24))
    numbers['unevenness'] = ((middle - coarse)[deep] / coarse[deep].clip(20)).std()
    # Neither where the echo saturates nor where it is dark is there much texture.
    valid = deep & (middle > 60) & (middle < 230)
    rest = grey - middle
    numbers['texture along 5 px'] = correlation(rest, valid, 5, 1)
    numbers['texture across 1 row'] = correlation(rest, valid, 1, 0)
    numbers['texture across 2 rows'] = correlation(rest, valid, 2, 0)
    return {name: float(value) for name, value in numbers.items()}


def family_numbers(name: str, cases: int) -> List[dict]:
    """Measures cases of a family.

    Args:
        name (str): preset or held-out family.
        cases (int): how many.

    Returns:
        list[dict]: values of rows: means over the cases, and the shares of the classes in
        % of all pixels.
    """
    found, shares = [], []
    for i in range(cases):
        case = make_case((SEED, 1, i), find_params(name))
        found.append(image_numbers(case.image))
        shares.append(np.bincount(case.mask.ravel(), minlength=4) / case.mask.size)
    values = [
        dict(score=key, value=round(np.mean([numbers[key] for numbers in found]), 4))
        for key in found[0]
    ]
    return values + [
        {'class': key, 'score': 'share', 'value': round(100 * share, 4)}
        for key, share in zip(CLASSES, np.mean(shares, axis=0))
    ]


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--families',
        nargs='+',
        default=[*PRESETS, *HELD_OUT],
        metavar='NAME',
        help='presets and held-out families (default: all)',
    )
    parser.add_argument('--cases', type=int, default=24, help='of each family')
    parser.add_argument('--image', metavar='FILE', help='a grey image to measure instead')
    add_out_argument(parser, __file__)
    args = parser.parse_args(argv)
    if args.image:
        for key, value in image_numbers(read_image(args.image)).items():
            print(f'{key:>26} {value:8.2f}')
        return 0
    for name in progress(args.families):
        values = family_numbers(name, args.cases)
        append_rows(args.out, make_rows(values, 'realism', name))
    return 0


if __name__ == '__main__':
    sys.exit(main())
