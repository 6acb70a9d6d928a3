"""The phantom: synthetic spine ultrasound VPI images with exact masks.

The clinical data set is not public, so the project draws its own: a volume
projection image (VPI) of a scanned back, the bone mask an expert would draw on it,
and the geometry behind both, including the true tilt of every vertebra. No real
image enters. ``docs/phantom.md`` shows it.

A case is drawn in two steps. :func:`draw_geometry` draws the spine, the vertebrae,
the body strip and the bone outlines, all of it cheap. :func:`make_case` then renders
tissue, shadows and artefacts around that geometry. Both take a
:class:`PhantomParams`: ``PRESETS`` holds those to train on, ``HELD_OUT`` those that
no shipped model was trained on: one that has all at once what some presets have one at
a time, and those named in ``NEVER_TRAINED``, of models that nothing else uses, which
none ever will be trained on or chosen by.

Axes: x grows to the right, y grows downwards (towards the lumbar end), both in px.
"""

from .anatomy import Body, Bone, Geometry, draw_geometry
from .params import (
    BACKGROUND,
    CLASS_NAMES,
    CURVE_TYPES,
    HELD_OUT,
    HELD_OUT_SEEDS,
    LUMBAR,
    NEVER_TRAINED,
    PRESETS,
    RIB,
    THORACIC,
    PhantomParams,
    find_params,
    preset_name,
)
from .rendering import PhantomCase, make_case
from .writing import SPLITS, write_phantom

__all__ = [
    'BACKGROUND',
    'Body',
    'Bone',
    'CLASS_NAMES',
    'CURVE_TYPES',
    'Geometry',
    'HELD_OUT',
    'HELD_OUT_SEEDS',
    'LUMBAR',
    'NEVER_TRAINED',
    'PRESETS',
    'PhantomCase',
    'PhantomParams',
    'RIB',
    'SPLITS',
    'THORACIC',
    'draw_geometry',
    'find_params',
    'make_case',
    'preset_name',
    'write_phantom',
]
