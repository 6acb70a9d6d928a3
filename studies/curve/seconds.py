"""Times what `tools/predict.py --report` does beside the prediction, on one core.

The files of a mask, its bones and probabilities are read and measured (`measure`), then
JSON and page, with the image, are written (`report`). Seconds of CPU time, the least of
three runs of a case, since a machine's other work only adds to them.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Iterator, Optional, Sequence, Tuple

import cv2
import numpy as np
import torch

from seam_seg.apis import init_model, predict
from seam_seg.apis.command_line import progress, report_errors
from seam_seg.apis.measure_files import measure_file
from seam_seg.apis.report_files import Results
from seam_seg.atomic import write_picture
from seam_seg.datasets.phantom import find_params, make_case
from studies.curve.measure import FIRST_SEED
from studies.records import add_out_argument, append_rows, make_rows

FAMILIES = ('standard', 'hard')
RUNS = 3


def least_time(work: Callable) -> float:
    """Seconds of CPU time of the quickest of some runs."""
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def case_seconds(
    model: object, image: np.ndarray, folder: Path
) -> Iterator[Tuple[str, float]]:
    """Times the steps of a case.

    Args:
        model (nn.Module): from :func:`seam_seg.apis.init_model`.
        image (np.ndarray): (H, W) uint8.
        folder (Path): for files.

    Yields:
        tuple[str, float]: step and seconds.
    """
    path = folder / 'image.png'
    write_picture(path, image)
    found = predict(model, path)
    yield 'predict', least_time(lambda: predict(model, path).bones)
    pictures = dict(
        instances=found.bones.astype(np.uint16),
        confidence=np.rint(255 * found.confidence).astype(np.uint8),
    )
    write_picture(folder / 'case.png', found.mask)
    for kind, pixels in pictures.items():
        (folder / kind).mkdir(exist_ok=True)
        write_picture(folder / kind / 'case.png', pixels)
    mask = folder / 'case.png'
    case = measure_file(mask, image_file=path)
    yield 'measure', least_time(lambda: measure_file(mask, image_file=path))
    results = Results(folder, ['case'])
    yield 'report', least_time(lambda: results.add(case))


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--cases', type=int, default=12, help='of each family')
    add_out_argument(parser, __file__)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    model = init_model()
    with tempfile.TemporaryDirectory() as folder:
        for family in FAMILIES:
            values = []
            for seed in progress(range(FIRST_SEED, FIRST_SEED + args.cases)):
                image = make_case(seed, find_params(family)).image
                for score, value in case_seconds(model, image, Path(folder)):
                    row = dict(image=str(seed), score=score, value=round(value, 3))
                    values.append(row)
            append_rows(args.out, make_rows(values, 'curve', family, 'time'))
    return 0


if __name__ == '__main__':
    sys.exit(main())
