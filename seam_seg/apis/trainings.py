"""Many trainings as files: what each is made from, how, and the rows that it gives.

``tools/benchmark.py`` hands the plan to Snakemake, which runs what is missing or was made
from something else (``tools/benchmark.smk``).
"""

import importlib
import json
import re
import shlex
import sys
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Dict, List, Set, Tuple

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
from .runs import load_config

# The libraries whose other version makes other numbers.
STACK = {module.__name__: module.__version__ for module in (torch, mmcv, mmengine, mmseg)}
# What is logged, drawn or validated on the way does not change what is learned.
BESIDE = ('work_dir', 'log_', 'visualizer', 'vis_', 'val_', 'tta_')
# Prints which code trains: the commit of a clone, '-dirty' where its code is no longer
# that, or else the version.
COMMIT = (
    '(cd {} && export GIT_DIR=.git && git rev-parse --short HEAD && '
    "(git diff --quiet HEAD -- seam_seg configs tools 'studies/*.py' || echo -dirty)) "
    "2> /dev/null | tr -d '\\n' | grep . || echo {}"
).format(shlex.quote(str(project_root())), __version__)


def code_behind(cfg: Config) -> Set[Path]:
    """The files of the modules that a config imports.

    Of a package all of them, but for seam_seg.apis, which trains nothing; of a lone
    module itself and what it imports from the files beside it.
    """
    files: Set[Path] = set()
    for name in cfg.get('custom_imports', {}).get('imports', []):
        origin = Path(importlib.import_module(name.split('.')[0]).__file__ or '')
        if origin.name == '__init__.py':
            files.update(origin.parent.rglob('*.py'))
        else:
            finder = ModuleFinder(path=[str(origin.parent)])
            finder.import_hook(name)
            found = (vars(module)['__file__'] for module in finder.modules.values())
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


def start_files(cfg: Config) -> List[Path]:
    """The local files of the weights that a training starts from, ``load_from`` first."""
    pretrained = (cfg.model.get('backbone') or {}).get('init_cfg') or {}
    names = (cfg.get('load_from'), pretrained.get('checkpoint'))
    paths = (READY_WEIGHTS if name == READY_URL else Path(name) for name in names if name)
    return [path for path in paths if path.is_file()]


def plan_run(
    name: str, config: str, options: dict, root: str, tests: Dict[str, Tuple[str, dict]]
) -> dict:
    """What one training and its tests are made from, and their commands.

    Args:
        name (str): of the run, and of its folder in the work dir.
        config (str): path or name. One without ``train_cfg`` is not trained: the weights
            of its ``load_from`` are scored as they are.
        options (dict): overrides with dotted keys, the seed among them.
        root (str): data set to train on.
        tests (dict[str, tuple[str, dict]]): setting, as the rows name it -> data set and
            further overrides.

    Returns:
        dict: ``command``, ``config`` (what is learned, as text) and ``inputs`` of the
        training; ``tests``: folder -> ``setting``, ``command`` and ``inputs``.

    Raises:
        InputError: the config, the data or an option cannot be used.
    """
    path = str(Path(config).resolve()) if Path(config).is_file() else config

    def call(tool: str, weights: str, root: str, folder: str, options: dict) -> str:
        start = shlex.join([sys.executable, str(project_root() / 'tools' / tool), path])
        where = ['--data-root', str(Path(root).resolve()), '--work-dir', folder]
        words = ['--cfg-options', *(f'{key}={value}' for key, value in options.items())]
        return f'{start} {weights} {shlex.join([*where, *words])}'

    cfg = load_config(config, options, root)
    learned = {key: value for key, value in cfg.items() if not key.startswith(BESIDE)}
    inputs = code_behind(cfg).union(start_files(cfg))
    command = 'true'
    weights = shlex.quote(str(next(iter(start_files(cfg)), cfg.get('load_from'))))
    if cfg.get('train_cfg') is not None:
        inputs |= data_files(cfg.train_dataloader.dataset)
        command = call('train.py', '--resume', root, name, options)
        weights = f'"$(cat {shlex.quote(name)}/last_checkpoint)"'
    planned = {}
    for setting, (where, further) in tests.items():
        folder, own = re.sub(r'\W+', '-', setting), {**options, **further}
        planned[folder] = dict(
            setting=setting,
            command=call('test.py', weights, where, f'{name}/{folder}', own),
            inputs=names_of(
                data_files(load_config(config, own, where).test_dataloader.dataset)
            ),
        )
    text = json.dumps(learned, sort_keys=True, default=str)
    return dict(command=command, config=text, inputs=names_of(inputs), tests=planned)


def names_of(files: Set[Path]) -> List[str]:
    """Files as Snakemake finds them from the work dir."""
    return sorted(str(path.resolve()) for path in files)


def read_finished(
    plan: Dict[str, dict], labels: Dict[str, Tuple[str, int]], study: str, work_dir: Path
) -> pd.DataFrame:
    """The rows of the tests that are done.

    Args:
        plan (dict[str, dict]): run -> from :func:`plan_run`.
        labels (dict[str, tuple[str, int]]): run -> method and seed; those of the folds of
            a cross-validation are the same.
        study (str): for the rows.
        work_dir (Path): of the runs.

    Returns:
        pd.DataFrame: of each method and seed that is done in a setting, in all folds.
    """
    groups: Dict[tuple, list] = {}
    for run, planned in plan.items():
        for folder, test in planned['tests'].items():
            label = (study, test['setting'], *labels[run])
            groups.setdefault(label, []).append(work_dir / run / folder)
    done: List[pd.DataFrame] = []
    for label, folders in groups.items():
        files = [folder / 'test/dice_jaccard.csv' for folder in folders]
        if all(file.is_file() for file in files):
            commits = [
                (folder.parent / 'begun').read_text().strip() for folder in folders
            ]
            done += [
                rows_of_test(file, *label, commit) for file, commit in zip(files, commits)
            ]
    return pd.concat(done, ignore_index=True) if done else pd.DataFrame(columns=COLUMNS)
