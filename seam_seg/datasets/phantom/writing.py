"""Data sets of phantoms on disk."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import signal
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Callable, Iterable, Iterator, Sequence, Tuple

import cv2

from ...atomic import write_json, write_picture, write_whole
from ...errors import InputError
from .params import PhantomParams, preset_name
from .rendering import make_case

SPLITS = ('train', 'test')
# data root, split, name, seed and ranges of a case
Job = Tuple[Path, str, str, Tuple[int, int, int], PhantomParams]


def _case_paths(root: Path, split: str, name: str) -> tuple[Path, Path, Path, Path]:
    """Returns the paths of a case's image, mask, instances and geometry."""
    return (
        root / 'dataset' / split / f'{name}.png',
        root / 'groundtruth' / split / f'{name}_bone_3.png',
        root / 'instances' / split / f'{name}.png',
        root / 'geometry' / split / f'{name}.json',
    )


def _write_case(job: Job) -> None:
    """Makes and writes one case; a function of one argument, for the pool."""
    root, split, name, seed, params = job
    case = make_case(seed, params)
    *pictures, geometry_path = _case_paths(root, split, name)
    for path, pixels in zip(pictures, (case.image, case.mask, case.instances)):
        write_picture(path, pixels)
    write_json(geometry_path, case.geometry)


def _one_thread() -> None:
    """Keeps OpenCV to one thread in a worker: the workers share the cores already."""
    cv2.setNumThreads(1)


@contextlib.contextmanager
def _deaf_processes() -> Iterator[None]:
    """Has processes that start inside ignore Ctrl-C, which a terminal sends to them, too.

    They end with this one, and would print tracebacks of their own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is interrupted, and may say what happens then
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _prepare_root(root: Path, recipe: dict, overwrite: bool) -> None:
    """Checks the target folder and clears what an earlier run left there.

    Args:
        root (Path): Target folder.
        recipe (dict): How the data set will be made; kept in ``phantom.json``.
        overwrite (bool): Whether another phantom may be replaced.

    Raises:
        ValueError: If ``root`` is no folder, or holds another data set.
    """
    if root.exists() and not root.is_dir():
        raise InputError(f'{root} is a file; name a folder to write the phantom to')
    recipe_path = root / 'phantom.json'
    recipe = json.loads(json.dumps(recipe))
    split_files = [root / f'{split}.txt' for split in SPLITS]
    if any(path.exists() for path in split_files):
        if not recipe_path.exists():
            raise InputError(
                f'{root} already holds a data set that is no phantom; choose another '
                'folder'
            )
        try:
            same = json.loads(recipe_path.read_text(encoding='utf-8')) == recipe
        except (OSError, ValueError):
            same = False
        if not same and not overwrite:
            raise InputError(
                f'{root} already holds a data set that was made otherwise; choose '
                'another folder, or pass overwrite=True (--overwrite) to replace it'
            )
    # Without split files a data set is incomplete, and this one is, from here on.
    for path in split_files:
        path.unlink(missing_ok=True)
    for split in SPLITS:
        for path in _case_paths(root, split, 'x'):
            path.parent.mkdir(parents=True, exist_ok=True)
            for stale in path.parent.glob(f'phantom_{split}_*'):
                stale.unlink()
    write_json(recipe_path, recipe)


def write_phantom(
    root: str | Path,
    num_train: int,
    num_test: int,
    seed: int = 0,
    params: PhantomParams | Sequence[PhantomParams] = PhantomParams(),
    num_workers: int = 1,
    overwrite: bool = False,
    progress: Callable[[list], Iterable] = iter,
) -> None:
    """Writes a phantom data set in the layout of the clinical one.

    ``dataset/<split>/NAME.png`` holds the images, ``groundtruth/<split>/
    NAME_bone_3.png`` the masks, ``instances/<split>/NAME.png`` the bones one by one,
    ``geometry/<split>/NAME.json`` the true geometry,
    ``train.txt`` and ``test.txt`` the names, ``phantom.json`` how all was made. The
    split files come last: an interrupted run has none. The same call writes the same
    bytes, whatever the number of workers; repeating it replaces its own files.

    Args:
        root (str | Path): Folder to write to, made if absent.
        num_train (int): Training cases.
        num_test (int): Test cases.
        seed (int): Seed of the data set.
        params (PhantomParams | Sequence[PhantomParams]): Ranges to draw from; of
            several, the cases of a split take them in turns.
        num_workers (int): Processes; 1 works in this one.
        overwrite (bool): Replace a phantom that was made otherwise.
        progress (Callable): Wraps the list of cases, to show a progress bar.

    Raises:
        InputError: If an argument makes no sense or ``root`` cannot be used.
        OSError: If a file cannot be written.
    """
    counts = dict(train=num_train, test=num_test)
    for split, count in counts.items():
        if count < 0:
            raise InputError(f'num_{split} must not be negative, got {count}')
    if num_train + num_test == 0:
        raise InputError('num_train and num_test are both 0: ask for at least one case')
    if seed < 0:
        raise InputError(f'seed must not be negative, got {seed}')
    if num_workers < 1:
        raise InputError(f'num_workers must be at least 1, got {num_workers}')

    root = Path(root)
    mixed = [params] if isinstance(params, PhantomParams) else list(params)
    if not mixed:
        raise InputError('params is empty: name at least one preset')
    presets = [preset_name(part) for part in mixed]
    ranges = [asdict(part) for part in mixed]
    recipe = dict(
        counts,
        seed=seed,
        preset=presets if len(mixed) > 1 else presets[0],
        params=ranges if len(mixed) > 1 else ranges[0],
    )
    _prepare_root(root, recipe, overwrite)
    names = {
        split: [f'phantom_{split}_{i:04d}' for i in range(count)]
        for split, count in counts.items()
    }
    jobs = [
        (root, split, name, (seed, SPLITS.index(split), i), mixed[i % len(mixed)])
        for split in SPLITS
        for i, name in enumerate(names[split])
    ]
    _run(jobs, num_workers, progress)
    for split in SPLITS:
        text = ''.join(f'{name}\n' for name in names[split])
        write_whole(root / f'{split}.txt', text)


def _run(jobs: list[Job], num_workers: int, progress: Callable[[list], Iterable]) -> None:
    """Writes all cases, over processes if there are several workers."""
    if num_workers == 1:
        for job in progress(jobs):
            _write_case(job)
        return
    # 'spawn' starts clean processes: safe beside threads, alike on every system.
    context = multiprocessing.get_context('spawn')
    with _deaf_processes():
        pool = context.Pool(min(num_workers, len(jobs)), initializer=_one_thread)
    with pool:
        for written in progress([pool.apply_async(_write_case, [job]) for job in jobs]):
            written.get()
