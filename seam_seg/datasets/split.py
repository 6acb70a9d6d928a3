"""On which side of a split each subject stands, and who has moved.

The side depends on the subject's name, the shares and the seed, not on who else is there.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, List, Mapping, Optional, Set, Tuple

from ..errors import InputError
from .history import read_settings
from .subjects import draw, first_seed, listed, subject_of

SIDES = ('train', 'val', 'test')


@dataclass(frozen=True)
class Changes:
    """What became of the subjects of a data set that was replaced.

    Attributes:
        moved (dict[tuple[str, str], list[str]]): subjects by the sides that they stood
            and stand on: train, val or test, or ``'test and train'`` of one that had
            cases on both.
        new (list[str]): the subjects that were not there.
        gone (list[str]): those that are not there any more.
    """

    moved: Dict[Tuple[str, str], List[str]]
    new: List[str]
    gone: List[str]

    @property
    def crossing(self) -> Dict[Tuple[str, str], List[str]]:
        """Of those that moved, the ones that came to the test cases or left them."""
        return {
            (before, now): subjects
            for (before, now), subjects in self.moved.items()
            if (before == 'test') != (now == 'test') or before.startswith('test and')
        }


def split_subjects(
    subjects: Iterable[str],
    test_fraction: float,
    val_fraction: float,
    seed: int,
    kept: Optional[Mapping[str, str]] = None,
) -> Dict[str, str]:
    """Draws the test subjects, and the validation subjects out of the others.

    Args:
        subjects (Iterable[str]): repetitions do not matter.
        test_fraction (float): in (0, 1). The test subjects of a smaller one are among
            those of a greater.
        val_fraction (float): of the others, in [0, 1).
        seed (int): of the draws.
        kept (Mapping[str, str], optional): subjects that are not drawn, and their sides.
            If none of them validates, validation subjects are drawn out of all.

    Returns:
        dict[str, str]: subject -> ``'train'``, ``'val'`` or ``'test'``.

    Raises:
        InputError: too few subjects, or a side is empty.
    """
    everyone = sorted(set(subjects))
    if len(everyone) < 2:
        raise InputError(
            f'{len(everyone)} subject ({", ".join(everyone)}): training '
            'and test cases must be of different subjects. Add cases, or '
            'correct --subject-pattern.'
        )
    kept = kept or {}
    val_is_kept = 'val' in kept.values()

    def side_of(subject: str, seed: int) -> str:
        tests = draw(seed, 'test', subject) < test_fraction
        validates = draw(seed, 'val', subject) < val_fraction
        if subject in kept:
            tests = kept[subject] == 'test'
            if val_is_kept:
                validates = kept[subject] == 'val' and val_fraction > 0
        return 'test' if tests else 'val' if validates else 'train'

    def sides_with(seed: int) -> Dict[str, str]:
        return {subject: side_of(subject, seed) for subject in everyone}

    needed = set(SIDES) if val_fraction else {'train', 'test'}
    sides = sides_with(seed)
    empty = sorted(needed - set(sides.values()))
    if empty:
        good = first_seed(lambda other: needed == set(sides_with(other).values()))
        ways = [] if good is None else [f'pass --seed {good}']
        ways += ['add cases', 'pass another --test-fraction or --val-fraction']
        if val_fraction:
            ways.append('pass --val-fraction 0 for no validation subjects')
        raise InputError(
            f'none of the {len(everyone)} subjects falls to {empty[0]} (--seed {seed}, '
            f'--test-fraction {test_fraction:.3g}, --val-fraction {val_fraction:.3g}); '
            f'the shares hold on average only. Either {", or ".join(ways)}.'
        )
    return sides


def sides_before(
    out: Path, subjects: Mapping[str, str], pattern: Optional[str]
) -> Dict[str, Set[str]]:
    """The sides on which the data set in ``out`` has cases of each subject.

    Args:
        out (Path): may hold none.
        subjects (Mapping[str, str]): of the new cases.
        pattern (str, optional): of the subjects, also for cases that are gone.

    Returns:
        dict[str, set[str]]: empty if there is no data set.
    """
    side_of: Dict[str, str] = {}
    for side in SIDES:  # the lines of val.txt are in train.txt, too
        path = out / f'{side}.txt'
        if path.is_file():  # whatever is wrong with it: it is to be replaced
            text = path.read_text(encoding='utf-8-sig', errors='replace')
            side_of |= {line.strip(): side for line in text.splitlines() if line.strip()}
    before: Dict[str, Set[str]] = {}
    for name, side in side_of.items():
        subject = subjects.get(name, name)
        if name not in subjects and pattern is not None:
            with contextlib.suppress(InputError):  # it was named by other rules
                subject = subject_of(name, pattern)
        before.setdefault(subject, set()).add(side)
    return before


def kept_sides(out: Path, before: Mapping[str, Set[str]]) -> Dict[str, str]:
    """The one side of each subject that was there.

    Args:
        out (Path): folder of the data set, for the messages.
        before (Mapping[str, set[str]]): of :func:`sides_before`.

    Returns:
        dict[str, str]: subject -> side.

    Raises:
        InputError: nobody was there, or somebody on two sides.
    """
    if not before:
        raise InputError(
            f'{out}: holds no data set whose split could be kept. Leave out --keep-split.'
        )
    for subject, sides in before.items():
        if len(sides) > 1:
            raise InputError(
                f'{out}: {subject} has cases in {_joined(sides)}, so that the split '
                'cannot be kept. Pass --no-keep-split, or correct the split files.'
            )
    return {subject: next(iter(sides)) for subject, sides in before.items()}


def _joined(sides: Set[str]) -> str:
    """Such as ``'test and train'``."""
    return ' and '.join(sorted(sides))


def compare(before: Mapping[str, Set[str]], sides: Mapping[str, str]) -> Changes:
    """Says what is different for whom.

    Args:
        before (Mapping[str, set[str]]): of :func:`sides_before`.
        sides (Mapping[str, str]): of :func:`split_subjects`.

    Returns:
        Changes: of the subjects.
    """
    moved: Dict[Tuple[str, str], List[str]] = {}
    for subject, now in sides.items():
        if before.get(subject, {now}) != {now}:
            moved.setdefault((_joined(before[subject]), now), []).append(subject)
    return Changes(
        moved=moved,
        new=sorted(set(sides) - set(before)),
        gone=sorted(set(before) - set(sides)),
    )


def check_redraw(out: Path, changes: Changes) -> None:
    """Refuses to draw anew, unasked, a split that other rules have drawn.

    One that these rules have drawn changes only where somebody asks for it, by another
    seed, share or pattern.

    Args:
        out (Path): folder of the data set.
        changes (Changes): that are to be.

    Raises:
        InputError: a subject would come to the test cases or leave them.
    """
    settings = read_settings(out)
    if (settings and not settings.get('keep_split')) or not changes.crossing:
        return
    who = '; '.join(
        f'from {before} to {now}: {listed(subjects)}'
        for (before, now), subjects in changes.crossing.items()
    )
    raise InputError(
        f'{out}: its split was not drawn by --seed and the shares alone (but by an '
        f'earlier version, by hand or with --keep-split), and would change: {who}. Pass '
        '--keep-split to leave everybody who is in it where they are, or --no-keep-split '
        'to draw all anew; what was trained on it may then have seen test cases.'
    )
