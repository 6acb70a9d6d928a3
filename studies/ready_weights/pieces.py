"""How large a piece that lies apart from its bone has to be, to be a bone of its own.

The ready weights on cases of part val: F1 of the bones, pooled over the cases of a
family, for several shares of the area of a bone's largest piece, and unsplit.
"""

import argparse
import sys
from collections import defaultdict
from typing import Any, DefaultDict, Dict, Optional, Sequence, Tuple

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate

from seam_seg.apis import init_model
from seam_seg.apis.command_line import report_errors
from seam_seg.evaluation.instances import (
    fit_to_mask,
    group_votes,
    match_bones,
    split_pieces,
)
from seam_seg.models.segmentors.vpi_segmentor import largest
from studies.ready_weights.cases import draw_cases, list_families
from studies.records import add_out_argument, append_rows, make_rows

SHARES: Dict[str, Optional[float]] = {
    'unsplit': None,
    '0.15': 0.15,
    '1/4': 1 / 4,
    '1/3': 1 / 3,
    '1/2': 1 / 2,
}


def find_voted(model: Any, image: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """The mask of an image, and its bones as they are voted for, before any is split."""
    _, *steps = model.pipeline
    sample = dict(img=image, ori_shape=image.shape, img_shape=image.shape)
    with torch.no_grad():
        result = model.test_step(pseudo_collate([Compose(steps)(sample)]))[0]
    mask, logits = result.pred_sem_seg.data[0].byte().numpy(), result.seg_logits.data
    labels, _ = largest(logits, logits.shape[1:])
    return mask, fit_to_mask(group_votes(labels, result.votes.data.numpy()), labels, mask)


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--families', nargs='+', default=['standard', 'scanner', 'hard'])
    parser.add_argument(
        '--cases', type=int, default=60, help='of each family (default: 60)'
    )
    add_out_argument(parser, __file__)
    args = parser.parse_args(argv)
    model = init_model(device='cpu')
    classes = model.dataset_meta['classes']
    for family in list_families('val', args.families):
        counts: DefaultDict[Tuple[str, str], Any] = defaultdict(lambda: np.zeros(3))
        for _, case in draw_cases(family, 'val', args.cases):
            mask, voted = find_voted(model, case.image)
            for share, least in SHARES.items():
                bones = voted if least is None else split_pieces(voted, least)
                found = match_bones(bones, mask, case.instances, case.mask, classes)
                for key, numbers in found.items():
                    counts[share, key] += numbers
        for share in SHARES:
            values = [
                {'class': key, 'score': 'F1', 'value': 2 * matched / (ours + true)}
                for (name, key), (matched, ours, true) in counts.items()
                if name == share
            ]
            rows = make_rows(values, 'ready_weights', f'{family} val, pieces', share)
            append_rows(args.out, rows)
    return 0


if __name__ == '__main__':
    sys.exit(main())
