"""What every test shares: the package imported once, and fixed seeds."""

import gc
import os
import random

import numpy as np
import pytest
import torch
from hypothesis import settings
from mmengine.registry import init_default_scope
from tool_loading import load_tool
from yapf.yapflib import yapf_api

import seam_seg  # noqa: F401  registers everything
from seam_seg.datasets.phantom import write_phantom

# The suite tests the CPU path, also on a machine with a GPU; processes inherit it.
os.environ['CUDA_VISIBLE_DEVICES'] = ''
init_default_scope('mmseg')
# Tensors are tiny here: more threads only wait for each other; in processes, too.
torch.set_num_threads(1)
os.environ['OMP_NUM_THREADS'] = '1'
# mmengine collects garbage for each data set: not among all that was imported.
gc.freeze()


# Of tests/test_fuzz.py; `make fuzz` takes the longer one.
settings.register_profile(
    'suite', max_examples=25, derandomize=True, deadline=None, database=None
)
settings.register_profile('long', max_examples=1000, deadline=None, print_blob=True)
settings.load_profile('suite')


@pytest.fixture(scope='session', autouse=True)
def configs_are_not_formatted():
    """mmengine has each config that it writes formatted, for a second; processes do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yapf_api, 'FormatCode', lambda text, **options: (text, True))
        yield


@pytest.fixture(autouse=True)
def fixed_seed():
    """Every test draws the same numbers, whatever ran before it."""
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002


@pytest.fixture(scope='session')
def tool():
    """``tool('train')`` is the ``main(argv)`` of tools/train.py."""
    return lambda name: load_tool(name).main


@pytest.fixture(scope='session')
def tool_module():
    """``tool_module('train')`` is tools/train.py, as a module."""
    return load_tool


@pytest.fixture(scope='session')
def phantom(tmp_path_factory):
    """A phantom of five training and three test cases at native size."""
    root = tmp_path_factory.mktemp('data') / 'phantom'
    write_phantom(str(root), 5, 3, seed=7, num_workers=1)
    return root
