"""What every test shares: the package imported once, and fixed seeds."""
import pytest
import torch
from mmengine.registry import init_default_scope

import seam_seg  # noqa: F401  registers everything

# Tensors are tiny here: more threads only wait for each other.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def fixed_seed():
    """Every test draws the same numbers, whatever ran before it."""
    init_default_scope('mmseg')
    torch.manual_seed(0)
