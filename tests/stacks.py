"""Marks for what upstream's older libraries cannot do; on the pinned stack all is run."""

import mmseg
import pytest
from mmengine.utils import digit_version

# As tests/upstream/requirements.txt has it: torch 2.1, NumPy 1.26, OpenCV 4.10.
UPSTREAM = digit_version(mmseg.__version__) < digit_version('1.3')


def not_upstream(reason: str) -> pytest.MarkDecorator:
    """Skips a test on upstream's stack, and says why."""
    return pytest.mark.skipif(UPSTREAM, reason=f'upstream stack: {reason}')
