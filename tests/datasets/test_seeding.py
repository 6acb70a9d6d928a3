"""Augmentations follow from the seed and the position in the stream."""

import random

import numpy as np
import torch
from mmseg.registry import DATA_SAMPLERS

from seam_seg import get_config
from seam_seg.apis import load_config
from seam_seg.datasets import PositionSampler, VPIDataset
from seam_seg.datasets.seeding import Sample, derived_seed, seeded


def draws():
    return random.random(), np.random.random(), torch.rand(1).item()  # noqa: NPY002


def test_seeded():
    with seeded(3, 5):
        first = draws()
    random.seed(0), np.random.seed(0), torch.manual_seed(0)  # noqa: NPY002
    outside = draws(), draws()
    random.seed(0), np.random.seed(0), torch.manual_seed(0)  # noqa: NPY002
    before = draws()
    with seeded(3, 5):
        again = draws()
    assert (before, draws()) == outside  # nothing outside has changed
    assert first == again
    with seeded(5, 3):
        assert draws() != first
    assert len({derived_seed(a, b) for a in range(30) for b in range(30)}) == 900


def test_sampler_counts_the_stream():
    sampler = DATA_SAMPLERS.build(dict(type='PositionSampler', dataset=range(4), seed=7))
    stream = iter(sampler)
    found = [next(stream) for _ in range(12)]
    assert [sample.position for sample in found] == list(range(12))
    assert all(sample.seed == 7 for sample in found)
    for epoch in (found[:4], found[4:8], found[8:]):
        assert sorted(sample.index for sample in epoch) == [0, 1, 2, 3]
    # two processes share the stream
    shares = []
    for rank in (0, 1):
        half = PositionSampler(range(4), seed=7)
        half.rank, half.world_size = rank, 2
        half.indices = half._indices_of_rank()
        part = iter(half)
        shares.append([next(part) for _ in range(6)])
    assert sorted(shares[0] + shares[1], key=lambda sample: sample.position) == found


def test_dataset_draws_from_the_position(contract):
    cfg = load_config(
        'seam-keymass_r18-fpn_1xb8-600_phantom-256x128', None, str(contract)
    )
    dataset = VPIDataset(
        **{
            key: value
            for key, value in cfg.train_dataloader.dataset.items()
            if key != 'type'
        }
    )

    def image(*sample):
        return dataset[Sample(*sample)]['inputs']

    assert torch.equal(image(3, 40, 0), image(3, 40, 0))
    others = [image(3, position, 0) for position in range(41, 49)]
    assert any(not torch.equal(image(3, 40, 0), other) for other in others)
    others = [image(3, 40, seed) for seed in range(1, 9)]
    assert any(not torch.equal(image(3, 40, 0), other) for other in others)
    assert dataset[3]['inputs'].shape == (1, 256, 128)  # as ever, by index


def test_configs_use_it():
    for name in ('fpn_r50_1xb12-80k_vpi-512x256', 'fpn_r18_1xb8-600_phantom-256x128'):
        cfg = get_config(name)
        assert cfg.train_dataloader.sampler.type == 'PositionSampler'
        assert cfg.default_hooks.iteration_seed.type == 'IterationSeedHook'
        assert cfg.default_hooks.checkpoint.type == 'SafeCheckpointHook'
