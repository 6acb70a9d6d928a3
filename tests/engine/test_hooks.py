"""RuntimeHook: what is timed, what is left out, and other work meanwhile."""

import types

import pytest
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample

from seam_seg.engine import hooks


class Model:
    """Counts on a fake clock: every step takes as many seconds as it has images."""

    def __init__(self, time):
        self.time = time

    def test_step(self, data):
        self.time[0] += data['images']
        return [SegDataSample() for _ in range(data['images'])]


def run(batches, monkeypatch, warmup=2):
    time = [0.0]
    monkeypatch.setattr(hooks, 'clock', lambda: time[0])
    model = Model(time)
    runner = types.SimpleNamespace(model=model, test_dataloader=batches)
    hook = HOOKS.build(dict(type='RuntimeHook', warmup=warmup))
    hook.before_test(runner)
    runtimes = []
    for batch in batches:
        time[0] += 100  # loading and scoring do not count
        runtimes += [s.metainfo['runtime'] for s in model.test_step(batch)]
    hook.after_test(runner)
    assert 'runtime' not in model.test_step(dict(images=1))[0].metainfo
    return runtimes


def test_warmup_is_left_out(monkeypatch):
    assert run([dict(images=1)] * 4, monkeypatch) == [None, None, 1, 1]


def test_a_short_test_still_has_a_time(monkeypatch):
    assert run([dict(images=1)], monkeypatch) == [1]
    assert run([dict(images=1)] * 2, monkeypatch) == [None, 1]


def test_time_is_per_image(monkeypatch):
    assert run([dict(images=4), dict(images=2)], monkeypatch, 0) == [1] * 6


@pytest.mark.parametrize('cores, said', [(100.0, True), (0.0, False)])
def test_other_work_is_said(cores, said, monkeypatch):
    logged = []
    monkeypatch.setattr(hooks.OtherWork, 'cores', lambda self: cores)
    monkeypatch.setattr(hooks, 'print_log', lambda text, **_: logged.append(text))
    run([dict(images=1)], monkeypatch)
    assert [text.startswith('R: ') for text in logged] == [True] * said
