"""What a work dir holds of the training before; and one at a time trains there."""

import contextlib
import os
import re
import time
from pathlib import Path
from typing import Any, Iterator, Optional, Union

from mmengine.config import Config
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.runner import find_latest_checkpoint

from ..errors import InputError
from .carried_config import config_name

try:
    import fcntl
except ImportError:  # of Windows
    fcntl = None  # type: ignore[assignment]

# Seconds to wait for a work dir: workers of a killed training notice that within five.
PATIENCE = 10.0


def default_work_dir(cfg: Config) -> Path:
    """Where a run writes that is told nothing else: in the current folder."""
    return Path('work_dirs') / config_name(cfg)


def agreed(found: Any) -> Any:
    """What the main process has found, in all processes: none may go its own way."""
    shared = [found]
    broadcast_object_list(shared)
    return shared[0]


def last_checkpoint(work_dir: Union[str, Path]) -> Optional[Path]:
    """The checkpoint that a training got farthest with, None where there is none.

    mmengine's file of that name may be cut off; a checkpoint of
    :class:`SafeCheckpointHook` is whole when it is there.

    Args:
        work_dir (str | Path): of the training.
    """
    names = [
        re.fullmatch(r'(?:iter|epoch)_(\d+)\.pth', path.name)
        for path in Path(work_dir).glob('*.pth')
    ]
    found = [(int(name.group(1)), name.group()) for name in names if name]
    return Path(work_dir) / max(found)[1] if found else None


def any_checkpoint(work_dir: Union[str, Path]) -> Optional[Path]:
    """A trace of a training: its last or best checkpoint, or mmengine's note of one.

    Args:
        work_dir (str | Path): of the training.
    """
    folder = Path(work_dir)
    others = [*folder.glob('best_*.pth'), *folder.glob('last_checkpoint')]
    return last_checkpoint(folder) or min(others, default=None)


def resumable_checkpoint(work_dir: Union[str, Path]) -> Optional[Path]:
    """What a training would go on from, also where mmengine's note names another folder.

    Args:
        work_dir (str | Path): of the training.
    """
    noted = None
    if (Path(work_dir) / 'last_checkpoint').is_file():  # else mmengine prints that not
        noted = find_latest_checkpoint(str(work_dir))
    return last_checkpoint(work_dir) or (Path(noted) if noted else None)


def _lock(folder: int, how: int) -> bool:
    """Whether a lock on an open folder was changed so; also where there are no locks."""
    try:
        fcntl.flock(folder, how)
    except BlockingIOError:
        return False
    except OSError:  # such as ENOLCK or EBADF of NFS
        pass
    return True


@contextlib.contextmanager
def alone(work_dir: Union[str, Path]) -> Iterator[None]:
    """Keeps another training out of a work dir while this one runs, on any seed.

    Each would replace the other's checkpoints. The lock is on the folder itself: nothing
    is left of it, and the system lets go of it where a training is killed. Windows, and
    file systems without locks, have none.

    Args:
        work_dir (str | Path): that is there.

    Raises:
        InputError: a training is running there; in all processes, or in none.
    """
    with contextlib.ExitStack() as stack:
        taken = False
        if fcntl is not None and is_main_process():
            folder = os.open(work_dir, os.O_RDONLY)
            stack.callback(os.close, folder)
            # Workers that load data have inherited the lock, and may outlive this.
            stack.callback(_lock, folder, fcntl.LOCK_UN)
            end = time.monotonic() + PATIENCE
            while taken := not _lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
                if time.monotonic() > end:
                    break
                time.sleep(0.2)
        if agreed(taken):
            raise InputError(
                f'work dir {work_dir}: another training is running there, and each would '
                "replace the other's checkpoints. Name another --work-dir, or wait."
            )
        yield


def check_unused(work_dir: Union[str, Path], resume: bool = False) -> None:
    """Refuses a work dir whose checkpoints a new training would overwrite.

    Args:
        work_dir (str | Path): of the training that is about to begin.
        resume (bool): it is to go on, if there is a checkpoint to go on from.

    Raises:
        InputError: there was a training before; in all processes, or in none.
    """
    held = any_checkpoint(work_dir)
    if resume and resumable_checkpoint(work_dir) is not None:
        held = None
    held = agreed(held)
    if held is not None:
        raise InputError(
            f'work dir {work_dir}: holds {held.name} of another training, which this '
            'one would overwrite. '
            + (
                'There is no checkpoint to go on from: name'
                if resume
                else 'Go on with that (--resume), name'
            )
            + ' another --work-dir, or remove the folder.'
        )
