"""The speed benchmark: what its numbers mean, not how large they are."""

import functools

import pytest
import torch

from seam_seg.apis import speed
from seam_seg.apis.costs import inference_case, peak_of

DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'
PLAIN = 'fpn_r18_1xb8-600_phantom-256x128'


def test_compare_times_by_hand():
    found = speed.compare_times([2.0, 6.0, 3.0], [1.0, 2.0, 2.0])
    assert found['minimum'] == 2 and found['median'] == 3
    assert found['ratio'] == 2  # of the minima, 2 / 1
    assert found['median_ratio'] == 2  # of 2, 3 and 1.5
    assert 1.5 <= found['low'] <= 2 <= found['high'] <= 3


def test_slope():
    points = [dict(positions=n, seconds=3 * n**1.5) for n in (10, 100, 1000)]
    assert speed.slope(points, 'seconds') == pytest.approx(1.5)


def test_peak_of():
    """Two maps of a MiB at once, of three in all."""
    x = torch.zeros(512, 512)

    def action():
        a = x + 1
        b = a + 1
        del a
        c = b + 1
        return c.sum()

    assert 2 * 2**20 <= peak_of(action) < 2.1 * 2**20


def test_training_takes_turns_on_real_patches(phantom):
    costs = speed.training_costs([PLAIN, DEMO], str(phantom), 2, 3)
    assert list(costs) == ['Vanilla FPN', 'SEAM, key mass']
    for cost in costs.values():
        assert len(cost['seconds']) == 3 and min(cost['seconds']) > 0
        assert cost['peak_bytes'] > 2 * 32 * 128 * 64 * 4  # the stem's output alone


def test_a_training_step_changes_the_weights(phantom):
    model, step = speed.training_step(DEMO, str(phantom), 2)
    before = model.decode_head.conv_seg.weight.clone()
    step()
    change = (model.decode_head.conv_seg.weight - before).abs().max()
    assert 1e-3 < change < 3e-3  # Adam's first step is the learning rate, 2e-3


@pytest.fixture
def quick_compile(monkeypatch):
    """torch.compile without the minutes that a C++ compiler would take."""
    monkeypatch.setattr(
        torch, 'compile', functools.partial(torch.compile, backend='eager')
    )


@pytest.mark.parametrize('name', speed.FORMATS)
def test_formats_compute_the_same(name, quick_compile):
    model, batch = inference_case(DEMO)
    expected = model.test_step(batch)[0].seg_logits.data.clone()
    speed.set_format(model, name)
    torch.testing.assert_close(
        model.test_step(batch)[0].seg_logits.data, expected, rtol=1e-4, atol=1e-4
    )
    weight = model.backbone.layer1[0].conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last) == (
        name == 'channels last'
    )


def test_formats_take_turns(phantom, quick_compile):
    found = speed.format_times(DEMO, str(phantom), 2, 1)
    assert list(found) == ['inference', 'training']
    for times in found.values():
        assert list(times) == list(speed.FORMATS) and min(map(min, times.values())) > 0


def test_growth_leaves_the_large_matrices_out():
    found = speed.growth([(8, 4), (16, 8), (32, 16)], 128, 8, 1)
    assert [point['positions'] for point in found['SEAM']] == [32, 128, 512]
    assert [point['positions'] for point in found['NonLocal']] == [32, 128]
    # memory of the non-local block: the square of the positions, twice, in float32
    assert found['NonLocal'][1]['bytes'] > 2 * 128**2 * 4


def test_data_and_test_loop(phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = speed.data_times(DEMO, str(phantom), 2)
    assert found['patches_per_second'] > 0 and 0 <= found['waiting'] < 1
    share = speed.outside_of_model(DEMO, str(phantom))
    assert share['images'] == 3 and 0 < share['outside'] < 1
    assert share['model_seconds'] < share['seconds']


def test_tool_keeps_what_it_has(tool_module, tmp_path, monkeypatch, capsys):
    """A part that is there is measured again only when it is named."""
    tool = tool_module('benchmark_speed')
    cost = dict(
        seconds=[1.0, 1.2], R=1.1, parameters=10**6, flops=10**9, peak_bytes=2**20
    )
    points = [dict(positions=n, seconds=n / 100, bytes=n) for n in (10, 100)]
    answers = dict(
        inference=dict(FPN=cost, SEAM=dict(cost, seconds=[1.1, 1.2], flops=11 * 10**8)),
        training={
            name: dict(seconds=[t, t], peak_bytes=2**21)
            for name, t in (('FPN', 2.0), ('SEAM', 3.0))
        },
        growth=dict(SEAM=points),
        formats=dict(inference={'as built': [1.0, 1.0], 'channels last': [0.8, 0.8]}),
        data=dict(patches_per_second=100.0, waiting=0.01),
        scoring=dict(case_seconds=0.01, images=12, outside=0.05),
    )
    measured = []

    def measure(part, args):
        measured.append(part)
        return answers[part]

    monkeypatch.setattr(tool, 'measure', measure)
    monkeypatch.setattr(tool, 'write_phantom', lambda *args, **options: None)
    out = ['--out', str(tmp_path)]
    assert tool.main([*out, '--only', 'training']) == 0
    assert '## Growth' not in (tmp_path / 'README.md').read_text()
    assert tool.main(out) == 0
    assert tool.main([*out, '--only', 'data']) == 0
    assert measured == [
        'training',
        'inference',
        'formats',
        'growth',
        'data',
        'scoring',
        'data',
    ]
    page = (tmp_path / 'README.md').read_text()
    assert '| SEAM | 1.100 | 1.150 | 1.100 | 1.050 [1.000, 1.100] | 1.100 |' in page
    assert '| SEAM | 3.000 | 3.000 | 1.500 | 1.500 [1.500, 1.500] | 0.67 | 2 |' in page
    assert '| SEAM | 1.00 | 1.00 |' in page  # growth
    assert '| inference, channels last | 0.800 | 0.800 | 0.800 |' in page
    assert 'waits 1.00% of its time' in page and '10.0 ms for the Dice' in page
    assert (tmp_path / 'growth.png').stat().st_size > 5000
    # measured in another way, or on another device
    measured.clear()
    path = tmp_path / 'data.json'
    path.write_text(path.read_text().replace('CPU', 'H100'))
    assert tool.main(out) == 0
    assert measured == ['data']
    assert tool.main([*out, '--rounds', '3']) == 0
    assert len(measured) == 1 + len(tool.PARTS)
    for extra in (['--rounds', '1'], ['--batch-size', '0']):
        with pytest.raises(SystemExit):
            tool.main([*out, *extra])
