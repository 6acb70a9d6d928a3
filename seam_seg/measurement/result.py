"""What a measurement says, and its JSON."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from ..errors import InputError

# Changes whenever a reader of an earlier one would misunderstand.
SCHEMA = 'seam_seg.measurement/1'
SIDES = ('unknown', 'patient_left', 'patient_right')
GRADES = ('none', 'mild', 'moderate', 'severe')

Interval = Optional[Tuple[float, float]]
Point = Tuple[float, float]


@dataclass(frozen=True)
class Settings:
    """What the image does not say.

    Attributes:
        spacing (tuple[float, float]): height and width of a pixel, in any unit: only
            their ratio counts. Default: square pixels, which is an assumption.
        image_left (str): what the left of the image shows: ``'patient_left'`` (seen from
            behind), ``'patient_right'`` or ``'unknown'``, the default.
        severity (tuple[float, float, float]): degrees from which on a curve is mild,
            moderate, severe. The default are cutoffs in use for Cobb angles: for the
            ultrasound angle none are established.
        level_shift (int): added to all levels: -1 takes the last pair for T11.

    Raises:
        InputError: one of them makes no sense.
    """

    spacing: Tuple[float, float] = (1.0, 1.0)
    image_left: str = 'unknown'
    severity: Tuple[float, float, float] = (10.0, 25.0, 40.0)
    level_shift: int = 0

    def __post_init__(self) -> None:
        if not all(np.isfinite(one) and one > 0 for one in self.spacing):
            raise InputError(f'spacing must be two positive numbers, got {self.spacing}')
        if not 0.1 <= self.ratio <= 10:
            raise InputError(
                f'spacing {self.spacing}: a pixel would be {self.ratio:.3g} times as '
                'high as wide. Give the height and the width of a pixel, in one unit.'
            )
        if self.image_left not in SIDES:
            raise InputError(
                f'image_left must be one of {", ".join(SIDES)}, got {self.image_left!r}'
            )
        if not (
            all(map(np.isfinite, self.severity))
            and 0 <= self.severity[0] <= self.severity[1] <= self.severity[2]
        ):
            raise InputError(f'severity must be rising degrees, got {self.severity}')
        if abs(self.level_shift) > 12:
            raise InputError(f'level_shift must be -12 to 12, got {self.level_shift}')

    def check_left(self, stated: str) -> None:
        """Refuses a file that states another side on its left than these settings.

        One that says nothing else is not believed either: many programs write directions
        that nobody has thought of.

        Args:
            stated (str): of :func:`seam_seg.datasets.readers.read_left`.

        Raises:
            InputError: they say otherwise.
        """
        if 'unknown' not in (stated, self.image_left) and stated != self.image_left:
            raise InputError(
                f'by the directions in the file, its left, as it is read, is {stated}, '
                f'but --image-left says {self.image_left}. Say {stated}; or, if nobody '
                'has thought of these directions, export it as PNG.'
            )

    @property
    def ratio(self) -> float:
        """Height of a pixel over its width."""
        return self.spacing[0] / self.spacing[1]


@dataclass(frozen=True)
class Bone:
    """A bone of the mask.

    Attributes:
        id (int): its number in :attr:`Measurement.bone_map`, and in the map of instances
            where that was used for it.
        bone (str): ``'rib'``, ``'thoracic'`` or ``'lumbar'``.
        side (str): ``'left'`` or ``'right'`` in the image, ``'both'`` for a whole lump.
        level (str | None): name; None for a rib, which is not measured.
        x (float): column of the center of mass, px.
        y (float): its row, px.
        area (int): px.
        flags (list[str]): why it is doubtful: ``'no_partner'``, ``'cut_out'`` of a larger
            component, ``'small'``, ``'large'``, ``'misplaced'``, ``'off_line'`` (its tilt
            does not fit its neighbours), ``'axis_disagrees'`` (of a lump).
    """

    id: int
    bone: str
    side: str
    level: Optional[str]
    x: float
    y: float
    area: int
    flags: List[str] = field(default_factory=list)

    def with_level(self, level: Optional[str], flags: List[str]) -> 'Bone':
        """The same bone of a level, and with more flags."""
        return replace(self, level=level, flags=self.flags + flags)


@dataclass(frozen=True)
class LevelResult:
    """A level.

    Attributes:
        name (str): counted from the picture, see :mod:`.naming`.
        bone (str): ``'thoracic'`` or ``'lumbar'``.
        x (float): column of its middle, px.
        y (float): its row, px.
        left (tuple | None): (x, y) px, the left end of its line.
        right (tuple | None): (x, y) px, the right end.
        tilt_deg (float | None): of that line; positive raises the right end.
        smooth_tilt_deg (float): smoothed along the spine.
        smooth_tilt_interval_deg (tuple | None): of the smoothed one.
        center_line_tilt_deg (float): of the normal of the center line.
        bones (list[int]): ids.
        flags (list[str]): ``'one_side'``, ``'gap_above'``, ``'misplaced'``,
            ``'off_line'``, ``'axis_disagrees'``.
    """

    name: str
    bone: str
    x: float
    y: float
    left: Optional[Point]
    right: Optional[Point]
    tilt_deg: Optional[float]
    smooth_tilt_deg: float
    smooth_tilt_interval_deg: Interval
    center_line_tilt_deg: float
    bones: List[int]
    flags: List[str] = field(default_factory=list)


@dataclass(frozen=True)
class Curve:
    """A curve of the spine, an ultrasound curve angle: not Cobb.

    Attributes:
        angle_deg (float): between the end levels, of the smoothed tilts.
        interval_deg (tuple | None): of that angle.
        raw_angle_deg (float): between the lines through the bones of the end levels.
        center_line_angle_deg (float): between the most tilted normals of the center line,
            from one level above the upper end to one below the lower one.
        upper (int): index of the upper end level.
        lower (int): index of the lower one.
        upper_name (str): name of the upper one.
        lower_name (str): name of the lower one.
        apex (int): index of the level that is nearest to the apex.
        apex_name (str): its name.
        apex_x (float): column where the center line is at right angles to the rows, px;
            where it is not within the curve, where its tilt is midway between the ends.
        apex_y (float): row of that point, px.
        convex_to (str): ``'left'`` or ``'right'`` of the image.
        side (str | None): ``'left'`` or ``'right'`` of the patient, where it is known.
        region (str): ``'thoracic'``, ``'thoracolumbar'`` or ``'lumbar'``, of the apex.
        severity (str): by :attr:`Settings.severity`.
        flags (list[str]): ``'may_be_truncated'`` (an end level is the first or last that
            is seen with both sides), ``'few_levels'`` (fewer than five lines in it),
            ``'methods_disagree'`` (the three angles, by more than 5 deg).
    """

    angle_deg: float
    interval_deg: Interval
    raw_angle_deg: float
    center_line_angle_deg: float
    upper: int
    lower: int
    upper_name: str
    lower_name: str
    apex: int
    apex_name: str
    apex_x: float
    apex_y: float
    convex_to: str
    side: Optional[str]
    region: str
    severity: str
    flags: List[str] = field(default_factory=list)


@dataclass(frozen=True)
class Measurement:
    """What was measured in a mask.

    Attributes:
        largest_curve_angle_deg (float | None): the largest angle of ``curves``; without a
            curve, the largest difference of smoothed tilts; None where it was refused.
        largest_interval_deg (tuple | None): of that angle.
        reason (str | None): why it was refused.
        interval_basis (str): ``'mask'`` or ``'mask and probabilities'``: what the
            repetitions had to draw on.
        image_size (tuple[int, int]): height and width, px.
        curves (list[Curve]): from the top down.
        levels (list[LevelResult]): from the top down.
        bones (list[Bone]): ribs last.
        center_line (list[tuple]): (x, y) px, from the first to the last level.
        anchor (str): what levels were counted from, see :class:`.naming.Names`.
        flags (list[str]): ``'few_levels'`` (fewer than ten with a line),
            ``'gaps'``, ``'one_sided_levels'``, ``'misplaced_levels'``,
            ``'names_uncertain'`` (no pair or no lump to count from, or a gap between),
            ``'many_lumps'`` (more than six), ``'many_pairs'`` (more than twelve),
            ``'instances_disagree'`` (a map of instances was given and not used for all),
            ``'specks_dropped'`` (a class had more parts than a spine can have; the
            smallest were left out).
        settings (Settings): what was assumed.
        bone_map (np.ndarray): (H, W) int32 the id of each pixel's bone, 0 elsewhere; not
            in the JSON.
    """

    largest_curve_angle_deg: Optional[float]
    largest_interval_deg: Interval
    reason: Optional[str]
    interval_basis: str
    image_size: Tuple[int, int]
    curves: List[Curve]
    levels: List[LevelResult]
    bones: List[Bone]
    center_line: List[Point]
    anchor: Optional[str]
    flags: List[str]
    settings: Settings
    bone_map: np.ndarray

    @property
    def doubt(self) -> float:
        """How much a reader should look at this case.

        Half the width of the interval in degrees, and one for each flag, of the curves
        and the levels as well. A case that was refused, or has no interval, comes before
        all others, with infinity.
        """
        if self.largest_interval_deg is None:
            return float('inf')
        low, high = self.largest_interval_deg
        flags = [self.flags, *(curve.flags for curve in self.curves)]
        flags += [level.flags for level in self.levels]
        return (high - low) / 2 + len(sum(flags, []))

    def to_dict(self) -> Dict[str, Any]:
        """What JSON can hold, with angles to 0.01 deg and places to 0.1 px."""
        content = {
            key: _plain(asdict(value) if key == 'settings' else value)
            for key, value in self.__dict__.items()
            if key != 'bone_map'
        }
        return dict(
            schema=SCHEMA, kind='ultrasound curve angle (UCA), not Cobb', **content
        )


def _plain(value: Any, key: str = '') -> Any:
    """Numbers, text, lists and dicts alone, rounded by what they are."""
    if hasattr(value, '__dataclass_fields__'):
        value = asdict(value)
    if isinstance(value, dict):
        return {name: _plain(one, name) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one, key) for one in value]
    if isinstance(value, (float, np.floating)):
        if key in ('spacing', 'severity'):  # of any unit
            return float(f'{value:.6g}')
        return round(float(value), 2)
    return value


def grade(angle: float, cutoffs: Tuple[float, float, float]) -> str:
    """The severity of an angle in degrees."""
    return GRADES[int(np.searchsorted(cutoffs, angle, side='right'))]


def patient_side(image_side: str, image_left: str) -> Optional[str]:
    """The side of the patient that a side of the image shows, None where unknown."""
    if image_left == 'unknown':
        return None
    same = image_left == 'patient_left'
    return image_side if same else {'left': 'right', 'right': 'left'}[image_side]
