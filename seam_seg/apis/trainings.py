"""Many trainings as files: what each is made from, how, and the rows that it gives.

``tools/benchmark.py`` hands the plan to Snakemake, which runs what is missing or was made
from something else (``tools/benchmark.smk``).
"""

import functools
import hashlib
import importlib
import json
import os
import re
import shlex
import sys
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any, Dict, Iterable, List, Sequence, Set, Tuple

import mmcv
import mmengine
import mmseg
import pandas as pd
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from ..config_lookup import PACKAGE, building, project_root
from ..datasets.history import file_digest
from ..engine import read_checkpoint, seen_by
from ..errors import InputError
from ..evaluation.rows import rows_of_tests
from ..version import __version__
from ..weights import READY_URL, READY_WEIGHTS
from .runs import load_config

KINDS = ('img_path', 'seg_map_path', 'instance_path')
# The libraries whose other version makes other numbers.
STACK = {module.__name__: module.__version__ for module in (torch, mmcv, mmengine, mmseg)}
# What is logged, drawn or validated on the way does not change what is learned.
BESIDE = ('work_dir', 'log_', 'visualizer', 'vis_', 'val_', 'tta_')
# Prints which code trains: the commit of a clone, '-dirty' where its code is no longer
# that, or else the version.
COMMIT = (
    '(cd {} && export GIT_DIR=.git && git rev-parse --short HEAD && (git status '
    "--porcelain -- seam_seg configs tools 'studies/*.py' | grep -q . && echo -dirty; "
    "true)) 2> /dev/null | tr -d '\\n' | grep . || echo {}"
).format(shlex.quote(str(project_root())), __version__)


def code_behind(cfg: Config) -> Set[Path]:
    """The files of the modules that a config imports, and of what they import beside.

    Of a package all files, but for those of seam_seg.apis, which train nothing.
    """
    names = cfg.get('custom_imports', {}).get('imports', [])
    files: Set[Path] = set()
    for name in [names] if isinstance(names, str) else names:
        top = importlib.import_module(name.split('.')[0])
        homes = [Path(home) for home in getattr(top, '__path__', [])]
        files.update(path for home in homes for path in home.rglob('*.py'))
        beside = (homes or [Path(top.__file__ or '')])[0].parent
        if 'site-packages' not in beside.parts and top.__name__ != PACKAGE.name:
            files.update(imported_beside(name, beside))
    return {path for path in files if PACKAGE / 'apis' not in path.parents}


def imported_beside(name: str, folder: Path) -> Set[Path]:
    """A module and what it imports from a folder; all there where that is not told."""
    finder = ModuleFinder(path=[str(folder)])
    try:
        finder.import_hook(name)
    except Exception:  # packages without __init__.py are beyond it
        return set(folder.rglob('*.py'))
    found = (vars(module)['__file__'] for module in finder.modules.values())
    return {Path(file) for file in found if file}


def data_files(cfg: dict, kinds: Sequence[str] = KINDS) -> List[Path]:
    """The images, masks and maps of bones of a data set, or of those inside it."""
    inner = cfg.get('datasets', [cfg['dataset']] if 'dataset' in cfg else [])
    if inner:
        return [path for part in inner for path in data_files(part, kinds)]
    init_default_scope('mmseg')
    infos = DATASETS.build(dict(cfg, lazy_init=True)).load_data_list()
    names = (info[kind] for info in infos for kind in kinds if info.get(kind))
    return [Path(name) for name in dict.fromkeys(names)]


def start_files(cfg: Any) -> List[Path]:
    """The local files of weights that a config names, in load_from or in an init_cfg."""
    if isinstance(cfg, (list, tuple)):
        return [path for part in cfg for path in start_files(part)]
    if not isinstance(cfg, dict):
        return []
    found = (cfg.get(key) for key in ('load_from', 'checkpoint'))
    names = [name for name in found if isinstance(name, str)]
    paths = [READY_WEIGHTS if name == READY_URL else Path(name) for name in names]
    return [*filter(Path.is_file, paths), *start_files(list(cfg.values()))]


@functools.lru_cache(maxsize=None)
def digest_of(path: Path) -> str:
    """SHA-256 of the content of a file."""
    return file_digest(path)


def made_from(settings: object, files: Iterable[Path]) -> dict:
    """What Snakemake is to compare: settings and the files' content.

    Its own comparison begins with dates, and misses an older file that takes the place
    of a newer one.

    Returns:
        dict: ``inputs``, paths as they are found from the work dir, and ``key``.
    """
    inputs = [str(path.resolve()) for path in files]
    content = [settings, STACK, [[name, digest_of(Path(name))] for name in inputs]]
    text = json.dumps(content, sort_keys=True, default=str)
    return dict(inputs=inputs, key=hashlib.sha256(text.encode()).hexdigest())


def plan_run(
    folder: Path,
    config: str,
    options: dict,
    root: str,
    tests: Dict[str, Tuple[str, dict]],
) -> dict:
    """What one training and its tests are made from, and their commands.

    Args:
        folder (Path): of the run.
        config (str): path or name. One without ``train_cfg`` is not trained: the weights
            of its ``load_from`` are scored as they are.
        options (dict): overrides with dotted keys, the seed among them.
        root (str): data set to train on.
        tests (dict[str, tuple[str, dict]]): setting, as the rows name it -> data set and
            further overrides.

    Returns:
        dict: ``command``, ``inputs`` and ``key`` of the training; ``tests``: name of a
        folder -> ``setting``, ``cases`` by name, ``command``, ``inputs`` and ``key``.

    Raises:
        InputError: the config, the data or an option cannot be used, or a test has cases
            of the training, or of that of the weights it starts from.
    """
    folder = folder.resolve()

    def call(tool: str, weights: str, root: str, folder: Path, options: dict) -> str:
        start = [sys.executable, str(project_root() / 'tools' / tool), config]
        words = ['--data-root', str(Path(root).resolve()), '--work-dir', str(folder)]
        words += ['--cfg-options', *(f'{key}={value}' for key, value in options.items())]
        # where the user stands: a config may name files from there
        return (
            f'cd {shlex.quote(os.getcwd())} && {shlex.join(start)} {weights} '
            f'{shlex.join(words)}'
        )

    cfg, trained = load_config(config, options, root), set()
    learned = {key: value for key, value in cfg.items() if not key.startswith(BESIDE)}
    inputs = [*sorted(code_behind(cfg)), *start_files(cfg.to_dict())]
    weights = READY_WEIGHTS if cfg.get('load_from') == READY_URL else cfg.get('load_from')
    if weights is not None and Path(weights).is_file():
        trusted = cfg.get('trust_checkpoint', False)
        trained.update(seen_by(read_checkpoint(weights, trusted)))
    command, weights = 'true', shlex.quote(str(weights))
    if cfg.get('train_cfg') is not None:
        with building(cfg, 'train_dataloader'):
            files = data_files(cfg.train_dataloader.dataset)
        inputs += files
        images = data_files(cfg.train_dataloader.dataset, ['img_path'])
        trained.update(map(digest_of, images))
        command = call('train.py', '--resume', root, folder, options)
        weights = f'"$(cat {shlex.quote(str(folder))}/last_checkpoint)"'
    planned = {}
    for setting, (where, further) in tests.items():
        name, own = re.sub(r'\W+', '-', setting), {**options, **further}
        tested = load_config(config, own, where)
        with building(tested, 'test_dataloader'):
            files = data_files(tested.test_dataloader.dataset)
        images = data_files(tested.test_dataloader.dataset, ['img_path'])
        seen = [path.name for path in images if digest_of(path) in trained]
        if seen:
            raise InputError(
                f'config {config}: {setting!r} would score what it is trained on, such '
                f'as {seen[0]}. Score the test split; or cases that were left out, by '
                "train_dataloader.dataset.split='train' and the same val_fraction in "
                'both loaders.'
            )
        planned[name] = made_from(own, files)
        planned[name].update(setting=setting, cases=[path.stem for path in images])
        planned[name]['command'] = call('test.py', weights, where, folder / name, own)
    return dict(made_from(learned, inputs), command=command, tests=planned)


def read_scores(
    plan: Dict[str, dict], labels: Dict[str, Tuple[str, int]], study: str, work_dir: Path
) -> pd.DataFrame:
    """The rows of all tests, when all are done.

    Args:
        plan (dict[str, dict]): run -> from :func:`plan_run`.
        labels (dict[str, tuple[str, int]]): run -> method and seed; those of the folds of
            a cross-validation are the same, and so become one.
        study (str): for the rows.
        work_dir (Path): of the runs.
    """
    folders: Dict[tuple, List[Path]] = {}
    for run, made in plan.items():
        for name, test in made['tests'].items():
            label = (study, test['setting'], *labels[run])
            folders.setdefault(label, []).append(work_dir / run / name)
    parts = []
    for label, found in folders.items():
        commits = {(folder.parent / 'begun').read_text().strip() for folder in found}
        files = [folder / 'test/dice_jaccard.csv' for folder in found]
        parts.append(rows_of_tests(files, *label, '+'.join(sorted(commits))))
    return pd.concat(parts, ignore_index=True)
