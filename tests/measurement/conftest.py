"""Few repetitions: most tests ask for other things than the interval."""

import pytest

from seam_seg.measurement import interval


@pytest.fixture(autouse=True)
def few_repetitions(monkeypatch):
    monkeypatch.setattr(interval, 'REPETITIONS', 4)
