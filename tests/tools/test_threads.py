"""How threads wait is settled by what others do, and not against the user."""

import os
import subprocess
import sys

import pytest

from seam_seg.config_lookup import project_root

TOOLS = project_root() / 'tools'


@pytest.fixture
def threads(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import _threads

    return _threads


@pytest.mark.parametrize(
    'given, busy, spins',
    [
        ({}, 0.2, None),
        ({}, 1.0, '100'),
        (dict(GOMP_SPINCOUNT='5'), 1.0, '5'),
        (dict(OMP_WAIT_POLICY='active'), 1.0, None),  # which the count would overrule
        (dict(OMP_NUM_THREADS='1'), 1.0, '100'),
    ],
)
def test_beside_others_threads_sleep_unless_the_user_says_otherwise(
    given, busy, spins, threads, monkeypatch
):
    monkeypatch.setattr(threads, 'busy_cores', lambda: busy)
    environ = dict(given)
    threads.settle(environ)
    assert environ.pop('GOMP_SPINCOUNT', None) == spins
    assert environ == {k: v for k, v in given.items() if k != 'GOMP_SPINCOUNT'}


def test_time_without_work_is_that_of_the_own_cores(threads, tmp_path, monkeypatch):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {1, 12}, raising=False)
    lines = ['cpu 1 1 1 999 999 1', 'cpu1 5 5 5 30 4 5', 'cpu2 0 0 0 50 50 0']
    stat = tmp_path / 'stat'
    stat.write_text('\n'.join([*lines, 'cpu12 5 5 5 60 6 5', 'ctxt 7']) + '\n')
    assert threads.idle_seconds(str(stat)) == 100 / os.sysconf('SC_CLK_TCK')


def test_a_busy_loop_is_noticed(threads):
    loops = [
        subprocess.Popen([sys.executable, '-c', 'while True: pass'])
        for _ in os.sched_getaffinity(0)
    ]
    try:
        assert threads.busy_cores() > threads.SHARED
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def test_where_nobody_counts_nobody_is_busy(threads, monkeypatch):
    monkeypatch.delattr(os, 'sched_getaffinity')
    assert threads.busy_cores() == 0
