"""Many trainings as files: what each is made from, how, and the rows that it gives.

``tools/benchmark.py`` hands the plan to Snakemake, which runs what is missing or was made
from something else (``tools/benchmark.smk``).
"""

import importlib.util
import json
import re
import shlex
import sys
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Set, Tuple

import mmcv
import mmengine
import mmseg
import pandas as pd
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from ..config_lookup import PACKAGE, project_root
from ..evaluation.rows import COLUMNS, rows_of_test
from ..version import __version__
from ..weights import READY_URL, READY_WEIGHTS
from .train_test import load_config

# What is logged, drawn or validated on the way does not change what is learned.
# The libraries whose other version makes other numbers.
STACK = {module.__name__: module.__version__ for module in (torch, mmcv, mmengine, mmseg)}
BESIDE = ('work_dir', 'log_', 'visualizer', 'vis_', 'val_', 'tta_')


def flatten(options: dict, prefix: str = '') -> Dict[str, object]:
    """``{'a': {'b': 1}}`` with dotted keys, as in ``--cfg-options``: ``{'a.b': 1}``."""
    flat: Dict[str, object] = {}
    for key, value in options.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f'{prefix}{key}.'))
        else:
            flat[f'{prefix}{key}'] = value
    return flat


def code_behind(cfg: Config) -> Set[Path]:
    """The files of the modules that a config imports.

    Of a package all of them, but for seam_seg.apis, which trains nothing; of a lone
    module itself and what it imports from the files beside it.
    """
    files: Set[Path] = set()
    for name in cfg.get('custom_imports', {}).get('imports', []):
        origin = Path(importlib.util.find_spec(name.split('.')[0]).origin)
        if origin.name == '__init__.py':
            files.update(origin.parent.rglob('*.py'))
            continue
        finder = ModuleFinder(path=[str(origin.parent)])
        finder.import_hook(name)
        found = (module.__file__ for module in finder.modules.values())
        files.update(Path(file) for file in found if file)
    return {path for path in files if PACKAGE / 'apis' not in path.parents}


def data_files(dataset_cfg: dict) -> Set[Path]:
    """The images, masks and split files of a data set."""
    init_default_scope('mmseg')
    dataset = DATASETS.build(dict(dataset_cfg, lazy_init=True))
    infos = dataset.load_data_list()
    files = {Path(info[key]) for info in infos for key in ('img_path', 'seg_map_path')}
    lists = (Path(dataset.data_root) / name for name in dataset.split_files.values())
    return files.union(path for path in lists if path.is_file())


def start_files(cfg: Config) -> Set[Path]:
    """The files of the weights that a training starts from, as far as they are local."""
    start = (
        str(READY_WEIGHTS) if cfg.get('load_from') == READY_URL else cfg.get('load_from')
    )
    pretrained = (cfg.model.get('backbone') or {}).get('init_cfg') or {}
    names = [start, pretrained.get('checkpoint')]
    return {Path(name) for name in names if name and Path(name).is_file()}


def plan_run(
    name: str,
    config: str,
    options: dict,
    data_root: str,
    tests: Dict[str, Tuple[str, dict]],
) -> dict:
    """What one training and its tests are made from, and their commands.

    Args:
        name (str): of the run, and of its folder in the work dir.
        config (str): path or name. One without ``train_cfg`` is not trained: the weights
            of its ``load_from`` are scored as they are.
        options (dict): nested or dotted overrides, the seed among them.
        data_root (str): data set to train on.
        tests (dict[str, tuple[str, dict]]): setting, as the rows name it -> data set and
            further overrides.

    Returns:
        dict: ``command``, ``config`` (what is learned, as text) and ``inputs`` of the
        training; ``tests``: folder -> ``setting``, ``command`` and ``inputs``.

    Raises:
        InputError: the config, the data or an option cannot be used.
    """
    path = str(Path(config).resolve() if Path(config).is_file() else config)

    def call(tool: str, root: str, folder: str, flat: Dict[str, object]) -> List[str]:
        words = [sys.executable, str(project_root() / 'tools' / tool), path]
        words += ['--data-root', str(Path(root).resolve()), '--work-dir', folder]
        return [
            *words,
            '--cfg-options',
            *(f'{key}={value}' for key, value in flat.items()),
        ]

    options = flatten(options)
    cfg = load_config(config, options, data_root)
    learned = {key: value for key, value in cfg.items() if not key.startswith(BESIDE)}
    inputs = code_behind(cfg) | start_files(cfg)
    if cfg.get('train_cfg') is None:
        command, weights = 'true', shlex.quote(str(next(iter(start_files(cfg)))))
    else:
        inputs |= data_files(cfg.train_dataloader.dataset)
        command = shlex.join([*call('train.py', data_root, name, options), '--resume'])
        weights = f'"$(cat {shlex.quote(name)}/last_checkpoint)"'
    planned = {}
    for setting, (root, further) in tests.items():
        folder = re.sub(r'\W+', '-', setting)
        flat = {**options, **flatten(further)}
        tested = load_config(config, flat, root)
        words = call('test.py', root, f'{name}/{folder}', flat)
        planned[folder] = dict(
            setting=setting,
            command=f'{shlex.join(words[:3])} {weights} {shlex.join(words[3:])}',
            inputs=as_text(data_files(tested.test_dataloader.dataset)),
        )
    return dict(
        command=command,
        config=json.dumps(learned, sort_keys=True, default=str),
        inputs=as_text(inputs),
        tests=planned,
    )


def as_text(files: Set[Path]) -> List[str]:
    """Files as Snakemake finds them from the work dir."""
    return sorted(str(path.resolve()) for path in files)


def commit_command() -> str:
    """A shell command that prints which code trains: a commit, or the version."""
    root = project_root()
    if not (root / '.git').exists():
        return f'echo {__version__}'
    return f"git -C {shlex.quote(str(root))} describe --always --dirty --exclude '*'"


def read_finished(
    plan: Dict[str, dict], labels: Dict[str, Tuple[str, int]], study: str, work_dir: Path
) -> pd.DataFrame:
    """The rows of the tests that are done.

    Args:
        plan (dict[str, dict]): run -> from :func:`plan_run`.
        labels (dict[str, tuple[str, int]]): run -> method and seed; the folds of a
            cross-validation have the same.
        study (str): for the rows.
        work_dir (Path): of the runs.

    Returns:
        pd.DataFrame: of each method and seed whose tests in a setting are all done.
    """
    parts: Dict[tuple, List[Optional[pd.DataFrame]]] = {}
    for run, planned in plan.items():
        for folder, test in planned['tests'].items():
            path = work_dir / run / folder / 'test' / 'dice_jaccard.csv'
            label = (study, test['setting'], *labels[run])
            rows = None
            if path.is_file():
                commit = (work_dir / run / 'begun').read_text().strip()
                rows = rows_of_test(path, *label, commit)
            parts.setdefault(label, []).append(rows)
    done: Sequence[pd.DataFrame] = [
        rows
        for group in parts.values()
        if all(part is not None for part in group)
        for rows in group
    ]
    return pd.concat(done, ignore_index=True) if done else pd.DataFrame(columns=COLUMNS)
