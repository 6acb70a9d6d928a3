"""Augmentations drawn from the seed and the sample's position, not from what came before.

So they depend neither on the number of workers nor on whether a training was interrupted.
"""

import contextlib
import random
from dataclasses import dataclass
from typing import Iterator

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from mmseg.registry import DATA_SAMPLERS


@dataclass(frozen=True)
class Sample:
    """What :class:`PositionSampler` asks a data set for.

    Attributes:
        index (int): in the data set.
        position (int): in the stream of all samples of all processes, from 0.
        seed (int): of the training.
    """

    index: int
    position: int
    seed: int


@DATA_SAMPLERS.register_module()
class PositionSampler(InfiniteSampler):
    """mmengine's ``InfiniteSampler``, which also says where in its stream a sample is.

    The data set must know what to do with it: :class:`VPIDataset` draws the sample's
    augmentations from it.
    """

    def _infinite_indices(self) -> Iterator[Sample]:
        for position, index in enumerate(super()._infinite_indices()):
            yield Sample(index, position, self.seed)


def derived_seed(*numbers: int) -> int:
    """A seed of 32 bits that depends on all of the numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


@contextlib.contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """Draws inside the block depend on the numbers alone, draws outside not on the block.

    Args:
        *numbers (int): not negative.
    """
    # The transforms of mmcv draw from the global generators.
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    seed = derived_seed(*numbers)
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.random.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002
