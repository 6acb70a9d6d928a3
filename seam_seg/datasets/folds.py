"""Cross-validation: seeded folds of subjects, as split files."""

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence

from mmengine.config import Config

from ..atomic import write_whole
from ..errors import InputError
from .history import recorded_subjects
from .subjects import draw, first_seed, listed, on_both_sides, subjects_of
from .vpi import carve_val, read_split

SIDES = ('train', 'test')
# Share of the training subjects that validate, as VPIDataset draws it by default.
VAL_FRACTION = 0.2


def draw_folds(subjects: Mapping[str, str], count: int, seed: int) -> List[List[str]]:
    """Shares the cases out among folds, all cases of a subject into one.

    The fold of a subject depends on the seed, the number of folds and its name, not on
    who else is there; the folds are of one size on average only. With as many folds as
    subjects, each has a fold of its own.

    Args:
        subjects (Mapping[str, str]): subject of each case, by its name.
        count (int): of the folds, at least 2.
        seed (int): of the draw, not negative.

    Returns:
        list[list[str]]: for each fold its test cases, in the order of ``subjects``.

    Raises:
        InputError: fewer than two folds, fewer subjects than folds, or a fold to which no
            subject falls.
    """
    if seed < 0:
        raise InputError(f'--seed {seed}: must not be negative.')
    everyone = sorted(set(subjects.values()))
    if not 2 <= count <= len(everyone):
        raise InputError(
            f'--folds {count}: must be 2 to {len(everyone)}, the number of subjects.'
        )
    if count == len(everyone):
        fold_of = {subject: i for i, subject in enumerate(everyone)}
    else:
        fold_of = _drawn_folds(everyone, count, seed)
    folds: List[List[str]] = [[] for _ in range(count)]
    for name, subject in subjects.items():
        folds[fold_of[subject]].append(name)
    if not all(folds):
        seed_that_fills = first_seed(
            lambda other: len({*_drawn_folds(everyone, count, other).values()}) == count
        )
        ways = [] if seed_that_fills is None else [f'--seed {seed_that_fills}']
        ways += ['fewer folds', f'--folds {len(everyone)} for one subject in each']
        raise InputError(
            f'--folds {count} --seed {seed}: none of the {len(everyone)} subjects falls '
            f'to fold {folds.index([])}. Pass {", or ".join(ways)}.'
        )
    return folds


def _drawn_folds(subjects: Sequence[str], count: int, seed: int) -> Dict[str, int]:
    """The fold of each subject."""
    return {subject: int(count * draw(seed, 'fold', subject)) for subject in subjects}


def write_folds(
    root: Path,
    count: int,
    seed: int,
    pattern: Optional[str] = None,
    one_scan: bool = False,
) -> Path:
    """Writes the split files of all folds of a data set.

    Args:
        root (Path): data set; the cases are those of train.txt and test.txt.
        count (int): of the folds.
        seed (int): of the draw.
        pattern (str, optional): see :func:`~seam_seg.datasets.subjects.subjects_of`.
            Without it and ``one_scan``, the data set may say whose its cases are.
        one_scan (bool): each case is a subject of its own. Default: False.

    Returns:
        Path: the folder ``root/foldsCOUNT_seedSEED``, with ``foldI_train.txt`` and
        ``foldI_test.txt`` for I from 0; with a pattern, which the data set does not know
        and could not draw by, also ``foldI_val.txt``.

    Raises:
        InputError: a split file cannot be used, it is not known whose the cases are, the
            data set says otherwise, or :func:`draw_folds` refuses.
    """
    names = _cases(root)
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise InputError(
            f'{root}: case {sorted(twice)[0]} is in train.txt and in '
            'test.txt. Remove it from one of them.'
        )
    recorded = recorded_subjects(root, names)
    subjects = subjects_of(names, pattern, one_scan, recorded)
    folds = draw_folds(subjects, count, seed)
    out = root / f'folds{count}_seed{seed}'
    for i, test in enumerate(folds):
        train = [name for name in names if name not in set(test)]
        _check_subjects(root, i, (train, test), recorded or {})
        for split, part in zip(SIDES, (train, test)):
            write_whole(out / f'fold{i}_{split}.txt', '\n'.join(part) + '\n')
        val = out / f'fold{i}_val.txt'
        if pattern is not None:
            write_whole(val, '\n'.join(_validation(train, subjects)) + '\n')
        else:
            val.unlink(missing_ok=True)  # of an earlier call
    return out


def _cases(root: Path) -> List[str]:
    """The cases of a data set, those for training first."""
    return [name for side in SIDES for name in read_split(root / f'{side}.txt')]


def _validation(train: Sequence[str], subjects: Mapping[str, str]) -> List[str]:
    """The validation cases by the first seed that leaves some on both sides, or none."""
    for seed in range(100):
        with suppress(InputError):
            return carve_val(train, VAL_FRACTION, seed, subjects)
    return []


def _check_subjects(
    where: Path, fold: int, sides: Sequence[List[str]], subjects: Mapping[str, str]
) -> None:
    """Refuses a fold with cases of one subject, by the table of the cases, on two sides.

    Raises:
        InputError: it is one.
    """
    known = [[name for name in part if name in subjects] for part in sides]
    torn = on_both_sides(subjects, *known)
    if torn:
        raise InputError(
            f'{where}: of {listed(torn)}, fold {fold} has cases in training and in test, '
            'by prepared.csv. Make the folds anew without --subject-pattern and '
            '--one-scan-per-subject, or prepare the data set anew with them.'
        )


def _check_whole(where: Path, folds: Sequence[List[List[str]]], names: List[str]) -> None:
    """Refuses folds, of training and test cases, that are not those of the data set.

    Raises:
        InputError: a case is not tested once, or not trained on in all other folds.
    """
    there, tested = Counter(names), Counter(sum((test for _, test in folds), []))
    odd = {*(there - tested), *(tested - there)}
    odd.update(*(({*names} - {*test}) ^ {*train} for train, test in folds))
    if odd:
        raise InputError(
            f'{where}: its folds do not test each case of train.txt and test.txt once, '
            f'or not train on it in all others: {listed(odd)}. The data set has changed '
            'since; make the folds anew.'
        )


def fold_options(cfg: Config, folder: Path, root: Path) -> List[dict]:
    """What a config needs to train and test on each fold.

    Args:
        cfg (Config): the config.
        folder (Path): from :func:`write_folds`, in the data root.
        root (Path): data root.

    Returns:
        list[dict]: overrides of a config with dotted keys, by fold.

    Raises:
        InputError: there are no folds, they are not in the data root, or, as where the
            data set was prepared anew or added to since, a subject is on both sides of
            one, or a case is not tested once.
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
    folds = [
        [read_split(folder / f'fold{i}_{split}.txt') for split in SIDES]
        for i in range(count)
    ]
    _check_whole(folder, folds, _cases(root))
    options = []
    for i, sides in enumerate(folds):
        _check_subjects(folder, i, sides, recorded_subjects(root, sum(sides, [])) or {})
        # Where there is no foldI_val.txt and one is wanted, it is drawn.
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
