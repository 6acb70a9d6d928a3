"""SEAM for MMSegmentation: bones in ultrasound volume projection images (VPI).

``import seam_seg`` registers every model, dataset, transform, metric and hook of the
package into mmseg's registries.
"""

from .stack import check_stack

check_stack()

from . import datasets, engine, evaluation, models, registry, weights  # noqa: E402
from .config_lookup import get_config  # noqa: E402
from .version import __version__  # noqa: E402

__all__ = [
    '__version__',
    'datasets',
    'engine',
    'evaluation',
    'get_config',
    'models',
    'registry',
    'weights',
]
