"""Other processes beside a measurement are seen, and our own work is not theirs."""

import math
import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from seam_seg.engine import other_work
from seam_seg.engine.other_work import OtherWork, busy_warning

TICK = 1 / os.sysconf('SC_CLK_TCK')


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A machine of four cores, of which we have two: ``system(now, own, ...)``."""
    monkeypatch.setattr(other_work, 'PROC', tmp_path)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: {1, 2}, raising=False)

    def at(now, own, idle=0.0, user=0.0, steal=0.0, elsewhere=0.0):
        """Seconds: on the clock, of this process, and as cores 2 and 3 count them."""
        monkeypatch.setattr(time, 'perf_counter', lambda: now)
        monkeypatch.setattr(os, 'times', lambda: (own / 2, own / 2, 0.0, 0.0, now))
        user, idle, steal, elsewhere = (
            round(value / TICK) for value in (user, idle, steal, elsewhere)
        )
        (tmp_path / 'stat').write_text(
            f'cpu  {user + elsewhere} 0 0 {idle} 0 0 0 {steal} 0 0\n'
            f'cpu1 0 0 0 7 7 0 0 0 0 0\n'
            f'cpu2 {user} 0 0 {idle} 5 0 0 {steal} {user} 0\n'
            f'cpu3 {elsewhere} 0 0 0 0 0 0 0 0 0\n'
            'intr 1 2 3\n'
        )

    return at


@pytest.mark.parametrize(
    'after, cores',
    [
        (dict(own=13, user=23), 1.0),  # ten seconds: ten of others, three of ours
        (dict(own=13, user=13, idle=7), 0.0),
        (dict(own=13, user=13, steal=2), 0.2),  # another machine on the same hardware
        (dict(own=13, user=13, elsewhere=99), 0.0),  # not on our cores
        (dict(own=14, user=13), 0.0),  # counts are coarse
    ],
)
def test_what_is_not_ours(after, cores, system):
    system(100, own=10, user=10)
    watch = OtherWork()
    system(110, **after)
    assert watch.cores() == pytest.approx(cores, abs=0.01)


def test_what_our_children_do_is_ours(system, tmp_path, monkeypatch):
    child = multiprocessing.Process()
    monkeypatch.setattr(type(child), 'pid', 77)
    monkeypatch.setattr(multiprocessing, 'active_children', lambda: [child])
    system(100, own=10, user=10)
    watch = OtherWork()  # before it has a file
    (tmp_path / '77').mkdir()
    ticks = round(4 / TICK)
    before = ' '.join(['S', *['1'] * 10])  # up to the faults that it had
    (tmp_path / '77/stat').write_text(f'77 (a) b) {before} {ticks} {ticks} 9 9 20')
    system(110, own=11, user=20)
    assert watch.cores() == pytest.approx((20 - 10 - 1 - 8) / 10, abs=0.01)


def test_where_nobody_counts_nothing_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(other_work, 'PROC', tmp_path / 'none')
    cores = OtherWork().cores()
    assert math.isnan(cores) and busy_warning(cores) is None


def test_little_is_not_said(system):
    assert busy_warning(0.19) is None
    assert 'kept 0.3 of 2 cores' in busy_warning(0.31)


def test_a_busy_process_is_seen():
    """On any machine, however busy: one more process takes a core, or its share."""
    with subprocess.Popen([sys.executable, '-c', 'while True: pass']) as process:
        try:
            watch = OtherWork()
            time.sleep(0.6)
            cores = watch.cores()
        finally:
            process.kill()
    assert 0.5 < cores < len(os.sched_getaffinity(0)) + 0.5
