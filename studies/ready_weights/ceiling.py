"""The Dice of a predictor that knows every visible shadow, to put others beside.

Where an expert outlines a bone is not all in the image: a shadow is smaller than its
outline and a little beside it, by chance, and some bones do not show. What is in the
image this predictor knows: the exact place, size and shape of each shadow that shows,
which bone casts it, and where the body ends. It draws the mean outline around it: the
shadow, enlarged by what shadows of the family are smaller on average. For a bone that
does not show it draws nothing (`ceiling`), or as for others (`ceiling with faint bones`).

A model can get above the first by guessing faint bones where others leave a place for
them, and, in principle, a little above the second: bones of one case are alike in size.
"""

import argparse
import sys
from dataclasses import replace
from typing import List, Optional, Sequence

import numpy as np

from seam_seg.apis.command_line import report_errors
from seam_seg.datasets import VPIDataset
from seam_seg.datasets.phantom import (
    RIB,
    Bone,
    PhantomCase,
    PhantomParams,
    draw_geometry,
    find_params,
)
from seam_seg.datasets.phantom.rendering import draw_mask
from studies.ready_weights.cases import (
    add_arguments,
    dice_rows,
    draw_cases,
    list_families,
)
from studies.records import append_rows, make_rows

CLASSES = VPIDataset.METAINFO['classes']
METHODS = {'ceiling': False, 'ceiling with faint bones': True}


def mean_outline(bone: Bone, shadow: dict, params: PhantomParams) -> np.ndarray:
    """The outline to expect around a shadow.

    Args:
        bone (Bone): with the true outline.
        shadow (dict): ``scale`` and ``shift`` of its shadow, as in a geometry file.
        params (PhantomParams): of the family.

    Returns:
        np.ndarray: (N, 2) in px: the shadow, enlarged about its middle by the mean ratio
        of outline and shadow; a rib's shadow is as long as its outline.
    """
    middle = bone.outline.mean(axis=0)
    mean = np.full(2, np.mean(params.shadow_scale))
    if bone.label == RIB:
        mean[0] = 1
    scale = np.array(shadow['scale']) / mean
    return middle + shadow['shift'] + (bone.outline - middle) * scale


def draw_ceiling(
    case: PhantomCase, params: PhantomParams, faint: bool = False
) -> np.ndarray:
    """Draws what the predictor says of a case.

    Args:
        case (PhantomCase): with the shadow of each bone; it gives the seed of the rest.
        params (PhantomParams): that it was drawn from. A bone shows whose shadow is
            deeper than that of any faint one (``faint_depth``).
        faint (bool): draws the others, too. Default: False.

    Returns:
        np.ndarray: (H, W) uint8 labels, painted as the true mask is. What joins merged
        neighbours is known where both show.
    """
    geometry = draw_geometry(np.random.default_rng(case.geometry['seed']), params)
    shown: List[Bone] = []
    for bone, known in zip(geometry.bones, case.geometry['bones']):
        if faint or known['shadow']['depth'] > params.faint_depth[1]:
            outline = mean_outline(bone, known['shadow'], params)
            shown.append(replace(bone, outline=outline))
    bridges = [bridge for bridge in geometry.bridges if _num_joined(bridge, shown) == 2]
    return draw_mask(replace(geometry, bones=shown, bridges=tuple(bridges)))


def _num_joined(bridge: Bone, bones: Sequence[Bone]) -> int:
    """How many of the two bones that a bridge joins are among these."""
    return sum(
        (bone.label, bone.side) == (bridge.label, bridge.side)
        and bridge.level in (bone.level, bone.merged_with)
        for bone in bones
    )


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    args = parser.parse_args(argv)
    for name in list_families(args.part, args.families):
        params = find_params(name)
        values = []
        for image, case in draw_cases(name, args.part, args.cases):
            for method, faint in METHODS.items():
                mask = draw_ceiling(case, params, faint)
                values += [
                    dict(row, method=method)
                    for row in dice_rows(image, mask, case.mask, CLASSES)
                ]
        rows = make_rows(values, 'ready_weights', f'{name} {args.part}')
        append_rows(args.out, rows)
        means = rows.groupby(['method', 'class'], sort=False)['value'].mean()
        each = [f'{means[method].mean():.2f}% ({method})' for method in METHODS]
        print(f'\n{name}: average Dice {", ".join(each)}', flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
