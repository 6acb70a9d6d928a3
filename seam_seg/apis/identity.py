"""What a training is made from, so that no result is taken for that of another one."""

import copy
import functools
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import List, Optional

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from ..config_lookup import project_root
from ..weights import READY_URL, READY_WEIGHTS

# What is logged, drawn or validated on the way does not change what is learned.
KEYS = ('model', 'optim_wrapper', 'param_scheduler', 'train_cfg')
SPLITS = ('train_dataloader', 'test_dataloader')


@functools.lru_cache(maxsize=None)
def _digest(path: str, size: int, changed: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def digest_of(path: str) -> str:
    """SHA-256 of a file, which is read again only when it has changed."""
    state = os.stat(path)
    return _digest(str(path), state.st_size, state.st_mtime_ns)


def cases_of(dataset_cfg: dict) -> List[List[str]]:
    """Names and contents of a split: of each image and mask, in order.

    A phantom's recipe stands for its contents, which another processor may round in
    another way.

    Args:
        dataset_cfg (dict): of a dataset of mmseg's.

    Returns:
        list[list[str]]: names of image and mask, and a digest of each.
    """
    dataset = DATASETS.build(dataset_cfg)
    recipe = Path(dataset.data_root or '') / 'phantom.json'
    drawn = digest_of(recipe) if recipe.is_file() else None
    pairs = dict.fromkeys(  # a case may have many patches
        (info['img_path'], info['seg_map_path']) for info in dataset.load_data_list()
    )
    return [
        [
            *(Path(path).name for path in pair),
            *(drawn or digest_of(path) for path in pair),
        ]
        for pair in pairs
    ]


def code_version() -> Optional[str]:
    """The commit of the package, with ``-changed`` where its code is no longer that.

    Returns:
        str | None: short hash; None where the package lies in no repository of its own,
        or git cannot read it.
    """
    root = project_root()
    if not (root / '.git').exists() or shutil.which('git') is None:
        return None

    def git(*words):
        return subprocess.run(
            ['git', '-C', str(root), *words], capture_output=True, text=True, check=False
        ).stdout.strip()

    commit = git('rev-parse', '--short', 'HEAD')
    changed = git('status', '--porcelain', '--', 'seam_seg', 'configs', 'tools')
    return commit + ('-changed' if changed else '') if commit else None


def identity(
    cfg: Config,
    seed: int,
    checkpoint: Optional[Path] = None,
    held_out: Optional[str] = None,
) -> str:
    """Stands for all that decides what a training learns and is tested on.

    Two runs of one identity have the same model, schedule, seed, weights to start from
    and cases, wherever the data lie.

    Args:
        cfg (Config): from :func:`seam_seg.apis.load_config`.
        seed (int): of the training.
        checkpoint (Path, optional): weights that are tested without a training.
        held_out (str, optional): another data set, whose test split is scored too.

    Returns:
        str: 16 hexadecimal digits.
    """
    init_default_scope('mmseg')
    parts = {
        key: cfg[key].to_dict() if hasattr(cfg[key], 'to_dict') else cfg[key]
        for key in KEYS
        if cfg.get(key) is not None
    }
    for split in SPLITS:
        loader = copy.deepcopy(cfg[split].to_dict())
        parts[f'{split} cases'] = cases_of(cfg[split].dataset)
        loader['dataset'].pop('data_root', None)
        parts[split] = {key: loader[key] for key in ('batch_size', 'dataset')}
    if held_out is not None:
        parts['held-out cases'] = cases_of(
            dict(cfg.test_dataloader.dataset, data_root=str(held_out), split='test')
        )
    start = str(checkpoint or cfg.get('load_from'))
    start = str(READY_WEIGHTS) if start == READY_URL else start
    parts['start'] = digest_of(start) if Path(start).is_file() else start
    parts['seed'] = seed
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
