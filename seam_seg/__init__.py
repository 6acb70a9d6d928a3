"""SEAM for MMSegmentation: bones in ultrasound volume projection images (VPI).

``import seam_seg`` registers every model, dataset, transform, metric and hook of the
package into mmseg's registries.
"""

import sys

from .version import __version__


def _is_command() -> bool:
    """Whether Python looks for the ``__main__.py`` of ``python -m seam_seg``.

    For that it imports the package, which then imports nothing: the command first reads
    its arguments. Meanwhile ``sys.argv[0]`` is ``'-m'``.
    """
    words = getattr(sys, 'orig_argv', [])  # from Python 3.10 on
    return sys.argv[:1] == ['-m'] and ('-m', __name__) in zip(words, words[1:])


if not _is_command():
    from .stack import check_stack

    check_stack()

    from . import datasets, engine, evaluation, models, registry, weights
    from .config_lookup import get_config

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
