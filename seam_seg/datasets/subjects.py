"""Who a case is of, and where a subject stands: on one side of a split, and for good."""

import hashlib
import re
import shlex
import unicodedata
from dataclasses import dataclass
from typing import Callable, Dict, Iterable, List, Mapping, Optional, Sequence

from ..errors import InputError

# Of a name: numbers and words, which anything else separates.
WORDS = r'\d+|[^\W\d_]+'


def draw(seed: int, purpose: str, subject: str) -> float:
    """A number for a subject, as good as random, that depends on nothing else.

    A split that compares it with a share does not change for anybody when others come or
    go, and with a greater share only takes in more. NumPy's generators would do neither:
    what they draw for one depends on the place among the others.

    Args:
        seed (int): other seeds give other numbers.
        purpose (str): what is drawn for; the numbers of two purposes are independent.
        subject (str): its name.

    Returns:
        float: uniform in [0, 1).
    """
    text = f'{seed}-{purpose}-{subject}'.encode(errors='surrogateescape')
    bits = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), 'big')
    return (bits >> 11) / 2**53  # as many bits as a float has


def listed(names: Iterable[str]) -> str:
    """Up to ten names, and how many there are beyond."""
    names = sorted(names)
    more = f' and {len(names) - 10} more' if len(names) > 10 else ''
    return ', '.join(names[:10]) + more


def first_seed(fills: Callable[[int], bool]) -> Optional[int]:
    """The first of a hundred seeds that leaves no side empty, to name in a message."""
    return next(filter(fills, range(100)), None)


def find_subject(name: str, pattern: str) -> Optional[str]:
    """:func:`subject_of`, or None where the pattern finds nothing in the name."""
    try:
        found = re.search(pattern, name)
    except re.error as error:
        raise InputError(
            f'--subject-pattern {pattern}: no regular expression ({error}).'
        ) from None
    if found is not None and not found.re.groups:
        raise InputError(
            f'--subject-pattern {pattern}: has no group. Put the part that is the '
            r"subject into parentheses, as in '^(.+)_scan\d+$'."
        )
    return (found.group(1) or None) if found else None


def subject_of(name: str, pattern: str) -> str:
    """The subject of a case.

    Args:
        name (str): of the case.
        pattern (str): regular expression whose first group, searched in the name, is the
            subject.

    Returns:
        str: the subject.

    Raises:
        InputError: the pattern is none, has no group, or finds nothing in the name.
    """
    found = find_subject(name, pattern)
    if found is None:
        raise InputError(
            f'{name}: --subject-pattern {pattern} finds no subject in this name. Correct '
            'the pattern or rename the file.'
        )
    return found


def subjects_of(
    names: Sequence[str],
    pattern: Optional[str] = None,
    one_scan: bool = False,
    recorded: Optional[Mapping[str, str]] = None,
) -> Dict[str, str]:
    """The subject of each case, which has to be known and not guessed.

    Args:
        names (Sequence[str]): of the cases.
        pattern (str, optional): see :func:`subject_of`. Default: None.
        one_scan (bool): each case is a subject of its own. Default: False.
        recorded (Mapping[str, str], optional): what the data set says; see
            :func:`seam_seg.datasets.history.recorded_subjects`. Default: None.

    Returns:
        dict[str, str]: by name. Where nothing is said, each case is a subject.

    Raises:
        InputError: pattern and ``one_scan`` exclude each other, the pattern is wrong, two
            subjects by it look alike (:func:`check_spelling`), a case is missing in
            ``recorded``, or nothing is said and the names look like several cases of one
            subject.
    """
    if pattern is not None and one_scan:
        raise InputError(
            '--subject-pattern and --one-scan-per-subject exclude each other. Leave one '
            'out.'
        )
    if pattern is not None:
        found = {name: subject_of(name, pattern) for name in names}
        check_spelling(found)
        return found
    if not one_scan and recorded is not None:
        unknown = [name for name in names if name not in recorded]
        if unknown:
            raise InputError(
                f'{unknown[0]}: not listed in prepared.csv, so that nobody knows whose '
                'case it is. Prepare the data set anew, or pass --subject-pattern or '
                '--one-scan-per-subject.'
            )
        return {name: recorded[name] for name in names}
    if not one_scan:
        ways = groupings(names)
        if ways:
            raise InputError(_question(ways))
    return {name: name for name in names}


def check_spelling(subjects: Mapping[str, str]) -> None:
    """Refuses what may be one subject, and would stand on two sides of a split.

    Args:
        subjects (Mapping[str, str]): subject of each case, by a pattern.

    Raises:
        InputError: two subjects look alike: upper and lower case, or how accents are
            stored.
    """
    cases: Dict[str, str] = {}  # the first of each subject, however it is spelled
    for name, subject in subjects.items():
        # Systems store an accent with its letter, or behind it.
        first = cases.setdefault(unicodedata.normalize('NFC', subject).casefold(), name)
        if subjects[first] != subject:
            raise InputError(
                f'{first} and {name}: the subjects {subjects[first]} and {subject} '
                'differ in upper and lower case alone, or in how accents are stored. '
                'Rename the files of one: alike if both are of one subject, or else '
                'unlike.'
            )


@dataclass(frozen=True)
class Grouping:
    """A way to read names as several cases of one subject.

    Attributes:
        pattern (str): regular expression whose first group is the subject.
        members (dict[str, list[str]]): names of the cases, by subject.
    """

    pattern: str
    members: Dict[str, List[str]]

    @property
    def example(self) -> str:
        """The first subject of several cases."""
        return next(key for key, names in self.members.items() if len(names) > 1)


def groupings(names: Iterable[str]) -> List[Grouping]:
    """Finds the beginnings that names have in common.

    A name is read as numbers and words; ``subj02_scan1`` as subj, 02, scan, 1. Names that
    begin with the same one, two, three... of them are a group. What is left out says
    nothing: one group of all (``case_001``, ``case_002``), or groups of one each.

    Args:
        names (Iterable[str]): of the cases.

    Returns:
        list[Grouping]: those of at least two groups, one of them of several cases; each
        splits the groups of the one before. Empty where names look like one case a
        subject.
    """
    names = sorted(names)
    most = max((len(re.findall(WORDS, name)) for name in names), default=0)
    found: List[Grouping] = []
    for count in range(1, most):
        pattern = _beginning(names, count)
        members: Dict[str, List[str]] = {}
        for name in names:
            members.setdefault(subject_of(name, pattern), []).append(name)
        same = found and list(found[-1].members.values()) == list(members.values())
        if 1 < len(members) < len(names) and not same:
            found.append(Grouping(pattern, members))
    return found


def _beginning(names: Sequence[str], count: int) -> str:
    """A pattern whose group is the first numbers and words, readable where it can be."""
    general = rf'^((?:[\W_]*(?:{WORDS})){{1,{count}}}|.+)'
    subjects = [subject_of(name, general) for name in names]
    parts = [re.findall(rf'{WORDS}|[\W_]+', subject) for subject in subjects]
    if len(set(map(len, parts))) > 1:
        return general
    readable = '^('
    for column in map(set, zip(*parts)):
        if all(part.isdecimal() for part in column):
            readable += r'\d+'
        else:
            readable += re.escape(column.pop()) if len(column) == 1 else '[A-Za-z]+'
    readable += ')'
    found = [re.search(readable, name) for name in names]
    fits = [match and match.group(1) for match in found] == subjects
    return readable if fits else general


def _question(found: Sequence[Grouping]) -> str:
    """Shows what was found, the coarsest first, and asks for a yes."""
    ways = []
    for grouping in found[:3]:
        one = grouping.example
        ways.append(
            f'--subject-pattern {shlex.quote(grouping.pattern)} if '
            f'{" and ".join(grouping.members[one][:2])} are of one subject, {one} '
            f'({len(grouping.members)} subjects)'
        )
    total = sum(map(len, found[0].members.values()))
    return (
        f'several of the {total} cases seem to be of one subject. Whose each is has to '
        'be known: no subject may be on two sides of a split, and none counts twice '
        f'where methods are compared. Pass {"; or ".join(ways)}; or '
        '--one-scan-per-subject if each case is of another.'
    )


def on_both_sides(
    subjects: Mapping[str, str], one: Iterable[str], other: Iterable[str]
) -> Dict[str, List[str]]:
    """Finds the subjects with cases in two lists.

    Args:
        subjects (Mapping[str, str]): subject of each case.
        one (Iterable[str]): names of cases.
        other (Iterable[str]): names of cases.

    Returns:
        dict[str, list[str]]: subject -> its first case in each of the lists.
    """
    first: Dict[str, str] = {}
    for name in one:
        first.setdefault(subjects[name], name)
    both: Dict[str, List[str]] = {}
    for name in other:
        if subjects[name] in first:
            both.setdefault(subjects[name], [first[subjects[name]], name])
    return both
