"""From a mask to the ultrasound curve angles."""

from typing import List, Optional, Tuple

import numpy as np

from .bones import (
    NoSpine,
    agreeing_instances,
    check_sides,
    edge_spread,
    find_bones,
    too_few,
    without_specks,
)
from .describe import (
    CLASSES,
    Context,
    around,
    component_bones,
    describe_curve,
    describe_flags,
    describe_levels,
    describe_line,
    list_bones,
)
from .interval import repeat
from .naming import count_levels, is_upside_down
from .result import Bone, Measurement, Settings
from .spine import find_turns, follow, largest_angle


def measure_mask(
    mask: np.ndarray,
    instances: Optional[np.ndarray] = None,
    confidence: Optional[np.ndarray] = None,
    settings: Settings = Settings(),
    interval: bool = True,
) -> Measurement:
    """Measures the curves of a spine in a mask of its bones.

    The angle between the most tilted levels of a curve, after UCA (Lee et al., J Orthop
    Translat 2021, doi 10.1016/j.jot.2021.04.007): thoracic lines through the shadows of
    the transverse processes on both sides, lumbar lines through both parts of a lump. The
    tilts are smoothed along the spine first; ribs are not measured.

    Args:
        mask (np.ndarray): (H, W) labels: 1 rib, 2 thoracic, 3 lumbar, others nothing.
        instances (np.ndarray, optional): (H, W) a number for each bone, 0 outside; used
            where it agrees with the mask pixel by pixel. Default: bones that have run
            together are told apart by their shapes alone.
        confidence (np.ndarray, optional): (H, W) probability of each pixel's label, for
            the interval. Default: none, and the mask is taken to be right.
        settings (Settings): what the image does not say.
        interval (bool): gives angles their intervals, which takes more than half of the
            time. Default: True.

    Returns:
        Measurement: with a reason, and without angles, where there are too few levels,
        or the spine is upside down.

    Raises:
        ValueError: an array has another shape, or a probability is none.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f'the mask must be (H, W), got {mask.shape}')
    for name, other in (('instances', instances), ('confidence', confidence)):
        if other is not None and other.shape != mask.shape:
            raise ValueError(
                f'{name} are {other.shape}, but the mask is {mask.shape}: they must have '
                'the same size'
            )
    if confidence is not None and not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError('confidence must be probabilities, from 0 to 1')
    labels = np.where(np.isin(mask, list(CLASSES)), mask, 0).astype(np.uint8)
    # Padding changes nothing: only the smallest frame around all bones is looked at.
    rows, columns = (np.flatnonzero(labels.any(axis=axis)) for axis in (1, 0))
    basis = 'mask' if confidence is None else 'mask and probabilities'
    if not len(rows):
        nothing = np.zeros(mask.shape, np.int32)
        return _refused('the mask has no bone', basis, [], [], settings, nothing)
    top, left = int(rows[0]), int(columns[0])
    frame = slice(top, int(rows[-1]) + 1), slice(left, int(columns[-1]) + 1)
    labels = labels[frame]
    known: Optional[np.ndarray] = None
    free = 1
    flags: List[str] = []
    if instances is not None:
        known = agreeing_instances(labels, instances[frame])
        free = int(instances.max()) + 1
        if (known == 0)[labels > 0].any():
            flags.append('instances_disagree')
    kept = without_specks(labels)
    if (kept != labels).any():
        flags.append('specks_dropped')
        labels = kept
        known = None if known is None else np.where(labels > 0, known, 0)
    spread = None
    try:
        found = find_bones(labels, known, settings.ratio)
        if confidence is not None:
            spread = edge_spread(found, confidence[frame])
        spine = follow(found.pieces, found.line, found.unit)
        if spine is None:
            raise too_few(found.levels)
        check_sides(spine.paired)
        if is_upside_down([level.label for level in spine.levels]):
            raise NoSpine(
                'the lumps lie above the pairs, as in a picture that is upside down: '
                'turn it, and segment it again'
            )
    except NoSpine as error:
        numbers = component_bones(labels, known, list(CLASSES), free)
        bones = list_bones(numbers, labels, None, (left, top))
        whole = _unframe(numbers, mask.shape, frame)
        return _refused(str(error), basis, bones, flags, settings, whole)
    turns = find_turns(spine.tilts.smooth, spine.paired)
    again = None
    if interval:
        again = repeat(found.pieces, found.line, found.unit, spine, turns, spread)
    names = count_levels(
        [level.label for level in spine.levels],
        np.array([level.s for level in spine.levels]),
        settings.level_shift,
    )
    context = Context(
        labels, known, free, found, spine, names, again, settings, (left, top)
    )
    levels, bones, numbers = describe_levels(context)
    angle = largest_angle(spine.tilts.smooth, spine.paired)
    return Measurement(
        largest_curve_angle_deg=angle,
        largest_interval_deg=None if again is None else around(angle, again.largest),
        reason=None,
        interval_basis=basis,
        image_size=mask.shape,
        curves=[describe_curve(context, turn, n) for n, turn in enumerate(turns)],
        levels=levels,
        bones=bones,
        center_line=describe_line(context),
        anchor=names.anchor,
        flags=flags + describe_flags(levels, names),
        settings=settings,
        bone_map=_unframe(numbers, mask.shape, frame),
    )


def _unframe(
    numbers: np.ndarray, shape: Tuple[int, ...], frame: Tuple[slice, ...]
) -> np.ndarray:
    """Puts a map of bones back to where it was cut out."""
    whole = np.zeros(shape, np.int32)
    whole[frame] = numbers
    return whole


def _refused(
    reason: str,
    basis: str,
    bones: List[Bone],
    flags: List[str],
    settings: Settings,
    bone_map: np.ndarray,
) -> Measurement:
    """What is said where nothing could be measured."""
    return Measurement(
        largest_curve_angle_deg=None,
        largest_interval_deg=None,
        reason=reason,
        interval_basis=basis,
        image_size=bone_map.shape[:2],
        curves=[],
        levels=[],
        bones=bones,
        center_line=[],
        anchor=None,
        flags=flags,
        settings=settings,
        bone_map=bone_map,
    )
