"""What a work dir holds of the training before, and that one trains there at a time."""

import errno
import os
import signal
import time

import pytest

from seam_seg.engine import last_checkpoint, work_dir
from seam_seg.engine.work_dir import alone
from seam_seg.errors import InputError


def test_last_checkpoint(tmp_path):
    assert last_checkpoint(tmp_path) is None
    for name in (
        'iter_90.pth',
        'iter_100.pth',
        'best_bone_mDice_iter_200.pth',
        'iter_300.pth.partial',
        'iter_x.pth',
    ):
        (tmp_path / name).touch()
    assert last_checkpoint(tmp_path).name == 'iter_100.pth'


def test_one_training_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(work_dir, 'PATIENCE', 0.3)
    with alone(tmp_path):
        with pytest.raises(InputError, match='another training is running there'):
            with alone(tmp_path):
                pass
        (tmp_path / 'other').mkdir()
        with alone(tmp_path / 'other'):
            pass
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), alone(tmp_path):
            raise ZeroDivisionError
    assert [path.name for path in tmp_path.rglob('*')] == ['other']
    # what was begun meanwhile, as workers are, does not keep it
    with alone(tmp_path):
        child = os.fork()
        if not child:
            time.sleep(60)
            os._exit(0)
    try:
        with alone(tmp_path):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    def without_locks(*arguments):
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr('fcntl.flock', without_locks)
    with alone(tmp_path), alone(tmp_path):
        pass
