"""From a mask to the ultrasound curve angles: functions on arrays.

The chain, a module for each step: :mod:`.bones` (what is one bone), :mod:`.levels` (which
bones are a pair), :mod:`.center_line`, :mod:`.spine` (tilts, curves), :mod:`.interval`,
:mod:`.naming` and :mod:`.describe` (what is said of it). ``docs/curve.md`` has the
definitions and how accurate they are.
"""

from .measure import measure_mask
from .result import SCHEMA, Bone, Curve, LevelResult, Measurement, Settings

__all__ = [
    'Bone',
    'Curve',
    'LevelResult',
    'Measurement',
    'SCHEMA',
    'Settings',
    'measure_mask',
]
