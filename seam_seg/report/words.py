"""What the names and flags of a measurement mean, for a reader."""

from typing import Optional, Sequence

from ..measurement import Bone, Curve, LevelResult, Measurement, Settings

FLAGS = dict(
    # of a measurement
    gaps='a level may be missing between two others',
    one_sided_levels='levels with a bone on one side only have no line of their own',
    misplaced_levels='a pair lies below the first lump, or a lump above the last pair',
    names_uncertain='no pair or no lump to count levels from, or a gap between them: '
    'names may be shifted',
    many_lumps='more than six lumps: one may be drawn twice, or be no lump',
    many_pairs='more than twelve thoracic levels: one may be drawn twice, or be none',
    instances_disagree='the map of bones does not fit the mask everywhere, and was used '
    'where it does',
    specks_dropped='more parts than a spine can have: the smallest were left out',
    # of curves
    may_be_truncated='may go on beyond the picture',
    methods_disagree='the three angles differ by over 5°',
    few_levels='few levels',
    # of levels and bones
    one_side='a bone on one side only',
    gap_above='a level may be missing above',
    misplaced='out of order',
    off_line='its line does not fit its neighbours',
    axis_disagrees='its axis does not fit its line',
    no_partner='no partner on the other side',
    cut_out='cut out of a larger area',
    small='small',
    large='large',
)
ANCHORS = dict(
    last_pair_and_first_lump='the last thoracic pair is taken for T12, the first lump '
    'for L1',
    first_lump_after_gap='the first lump is taken for L1; above it a level is missing, '
    'which is taken for a pair',
    last_pair='no lump was seen; the last thoracic pair is taken for T12',
    first_lump='no thoracic pair was seen; the first lump is taken for L1',
)


def degrees(angle: float) -> str:
    """An angle to a tenth, with a minus sign that is one: ``'−3.2°'``."""
    return f'{round(angle, 1) + 0.0:.1f}°'.replace('-', '\u2212')


def interval(pair: Optional[Sequence[float]]) -> str:
    """``'28.1° to 36.0°'``, or that there is none."""
    return 'no interval' if pair is None else ' to '.join(map(degrees, pair))


def flag(name: str) -> str:
    """What a flag says; of one that is not known here, its name."""
    return FLAGS.get(name, name.replace('_', ' '))


def flags(names: Sequence[str]) -> str:
    """What several flags say."""
    return '; '.join(map(flag, names))


def convexity(curve: Curve) -> str:
    """The side of a curve: the patient's where it is known, else the image's."""
    if curve.side is None:
        return f'image {curve.convex_to}'
    return f"patient's {curve.side}"


def summary(curve: Curve) -> str:
    """A curve in a line."""
    return (
        f'{degrees(curve.angle_deg)} {curve.region}, {curve.upper_name} to '
        f'{curve.lower_name}, convex to the {convexity(curve)}'
    )


def bone_text(
    bone: Bone, level: Optional[LevelResult], doubt: Optional[float] = None
) -> str:
    """What is said of a bone that a reader points at.

    Args:
        bone (Bone): the bone.
        level (LevelResult, optional): that it belongs to.
        doubt (float, optional): of the table of tools/predict.py.
    """
    side = 'across the midline' if bone.side == 'both' else f"on the image's {bone.side}"
    parts = [f'Bone {bone.id}: {bone.bone}, {side}', f'{bone.area} px']
    if doubt is not None:
        parts.append(f'doubt {doubt:.2f}')
    if bone.flags:
        parts.append(flags(bone.flags))
    if level is not None:
        parts.append(level_text(level))
    return '. '.join(parts) + '.'


def level_text(level: LevelResult) -> str:
    """What is said of a level that a reader points at."""
    own = 'no line' if level.tilt_deg is None else f'line {degrees(level.tilt_deg)}'
    text = f'Level {level.name}: {own}, smoothed {degrees(level.smooth_tilt_deg)}'
    if level.smooth_tilt_interval_deg is not None:
        text += f' ({interval(level.smooth_tilt_interval_deg)})'
    return text + (f'; {flags(level.flags)}' if level.flags else '')


def case_flags(measurement: Measurement) -> Sequence[str]:
    """All that is doubtful about a case and its curves, each once."""
    names = [*measurement.flags]
    for curve in measurement.curves:
        names += curve.flags
    return [flag(name) for name in dict.fromkeys(names)]


def assumptions(measurement: Measurement) -> Sequence[Sequence[str]]:
    """What was taken for granted: pairs of a name and a text."""
    settings: Settings = measurement.settings
    row, column = settings.spacing
    pixels = f'{row:g} high, {column:g} wide'
    if settings.spacing == Settings.spacing:  # nobody has said anything
        pixels = 'square, which is an assumption'
    left = settings.image_left.replace('patient_', "the patient's ")
    anchor = ANCHORS.get(measurement.anchor or '', 'none were counted')
    if settings.level_shift:
        anchor += f'; then all were moved by {settings.level_shift:+d}'
    cutoffs = ', '.join(f'{cutoff:g}°' for cutoff in settings.severity)
    basis = dict(mask='the mask alone: without probabilities, it is taken to be right')
    basis['mask and probabilities'] = 'the mask and its probabilities'
    return [
        ('Pixels', pixels),
        ('Left of the image', left),
        ('Names of levels', f'counted, not known: {anchor}'),
        ('Severity', f'from {cutoffs}: cutoffs in use for Cobb angles'),
        ('Interval from', basis[measurement.interval_basis]),
    ]
