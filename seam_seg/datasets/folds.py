"""Cross-validation: seeded folds of subjects, as split files."""

from pathlib import Path
from typing import List, Optional, Sequence

from mmengine.config import Config
from sklearn.model_selection import GroupKFold

from ..atomic import write_whole
from ..errors import InputError
from .subjects import subject_of
from .vpi import read_split


def draw_folds(
    names: Sequence[str], count: int, seed: int, pattern: Optional[str] = None
) -> List[List[str]]:
    """Shares the cases out among folds, all cases of a subject into one.

    Args:
        names (Sequence[str]): of the cases.
        count (int): of the folds, at least 2.
        seed (int): of the draw.
        pattern (str, optional): see :func:`~seam_seg.datasets.subjects.subject_of`.

    Returns:
        list[list[str]]: for each fold its test cases, in the order of ``names``; their
        subjects differ in number by one at most.

    Raises:
        InputError: fewer than two folds, or fewer subjects than folds.
    """
    if not 0 <= seed < 2**32:
        raise InputError(f'--seed {seed}: must be 0 to {2**32 - 1}.')
    subjects = [subject_of(name, pattern, '--subject') for name in names]
    if not 2 <= count <= len(set(subjects)):
        raise InputError(
            f'--folds {count}: must be 2 to {len(set(subjects))}, the number of subjects.'
        )
    folds = GroupKFold(count, shuffle=True, random_state=seed)
    return [[names[i] for i in cases] for _, cases in folds.split(names, groups=subjects)]


def write_folds(root: Path, count: int, seed: int, pattern: Optional[str] = None) -> Path:
    """Writes the split files of all folds of a data set.

    Args:
        root (Path): data set; the cases are those of train.txt and test.txt.
        count (int): of the folds.
        seed (int): of the draw.
        pattern (str, optional): see :func:`~seam_seg.datasets.subjects.subject_of`.

    Returns:
        Path: the folder ``root/foldsCOUNT_seedSEED``, with ``foldI_train.txt`` and
        ``foldI_test.txt`` for I from 0.

    Raises:
        InputError: a split file cannot be used, or :func:`draw_folds` refuses.
    """
    names = []
    for file in ('train.txt', 'test.txt'):
        names += read_split(root / file)
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise InputError(
            f'{root}: case {sorted(twice)[0]} is in train.txt and in '
            'test.txt. Remove it from one of them.'
        )
    out = root / f'folds{count}_seed{seed}'
    folds = draw_folds(names, count, seed, pattern)
    for i, test in enumerate(folds):
        train = [name for name in names if name not in set(test)]
        for split, part in (('train', train), ('test', test)):
            write_whole(out / f'fold{i}_{split}.txt', '\n'.join(part) + '\n')
    return out


def fold_options(cfg: Config, folder: Path, root: Path) -> List[dict]:
    """What a config needs to train and test on each fold.

    Args:
        cfg (Config): the config.
        folder (Path): from :func:`write_folds`, in the data root.
        root (Path): data root.

    Returns:
        list[dict]: overrides of a config with dotted keys, by fold.

    Raises:
        InputError: there are no folds, or they are not in the data root.
    """
    count = len(list(folder.glob('fold*_train.txt')))
    if not count:
        raise InputError(
            f'{folder}: holds no folds (foldI_train.txt). '
            'tools/make_folds.py writes them.'
        )
    try:
        inside = folder.resolve().relative_to(root.resolve())
    except ValueError:
        raise InputError(f'{folder}: must lie in the data root {root}.') from None
    loaders = [
        loader
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader')
        if cfg.get(loader)
    ]
    options = []
    for i in range(count):
        # There is no val.txt for a fold: where one is wanted, it is drawn.
        dataset = {'both_folders': True} | {
            f'split_files.{split}': (inside / f'fold{i}_{split}.txt').as_posix()
            for split in ('train', 'val', 'test')
        }
        options.append(
            {
                f'{loader}.dataset.{key}': value
                for loader in loaders
                for key, value in dataset.items()
            }
        )
    return options
