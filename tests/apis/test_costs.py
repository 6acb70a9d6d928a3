"""What a model costs: actions in turns, memory, parameters and operations."""

import numpy as np
import pytest
import torch

from seam_seg.apis import costs
from seam_seg.config_lookup import config_path
from seam_seg.evaluation.rows import rows_of_costs

DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'
WAVECT = 'wavect_r18-fpn_1xb8-600_phantom-256x128'


def test_takes_turns():
    calls = []
    times = costs.take_turns(
        {name: lambda name=name: calls.append(name) for name in 'ab'}, 3
    )
    assert calls == list('ab' * 5)  # two rounds warm up
    assert [len(times[name]) for name in 'ab'] == [3, 3]


def test_peak():
    """Two tensors at once, of which one is let go."""

    def action():
        first = torch.ones(1000, 1000)
        second = first + 1
        del first
        return second.sum()

    assert 8e6 <= costs.peak_of(action) < 9e6


@pytest.mark.slow
def test_costs(monkeypatch, tmp_path):
    monkeypatch.setattr(costs.OtherWork, 'cores', lambda self: 0.7)
    found = costs.measure_costs([DEMO, WAVECT], rounds=2)
    assert list(found) == ['SEAM, key mass', 'WaveCT']
    cost = found['SEAM, key mass']
    # the autoencoder runs on the image and on its style
    assert found['WaveCT']['flops'] > 2 * cost['flops']
    assert 0 < min(cost['seconds']) <= cost['R'] and len(cost['seconds']) == 2
    assert cost['peak_bytes'] > 32 * 256 * 64 * 4  # the stem's output alone
    assert 3.0e6 < cost['parameters'] < 3.2e6
    # the stem's first convolution alone: 3 x 3 x 3 x 32 at half of 512 x 128
    assert cost['flops'] > 10 * 27 * 32 * 256 * 64
    # a mirrored image more is twice the network
    twice = tmp_path / 'twice.py'
    changes = 'model = dict(test_cfg=dict(mirror=True))'
    twice.write_text(f"_base_ = '{config_path(DEMO)}'\n{changes}\n")
    (mirrored,) = costs.measure_costs([str(twice)], rounds=1).values()
    assert mirrored['flops'] == 2 * cost['flops']
    rows = rows_of_costs(found, 'study', 'test, costs', 'commit')
    table = rows.pivot_table('value', 'method', 'score', aggfunc='median')
    assert table.loc['SEAM, key mass', 'seconds'] == pytest.approx(
        np.median(cost['seconds'])
    )
    assert table.loc['WaveCT', 'flops'] == found['WaveCT']['flops']
    assert table.loc['WaveCT', 'other_cores'] == 0.7
    assert not rows.duplicated(['method', 'image', 'score']).any()
