"""A subject's number depends on nothing else; names of several scans are noticed."""

import re

import numpy as np
import pytest

from seam_seg.datasets.subjects import draw, groupings, subject_of, subjects_of
from seam_seg.errors import InputError

MANY = [f's{i}' for i in range(2000)]


def test_numbers_are_uniform_and_independent():
    test, val, other = (
        np.array([draw(seed, purpose, name) for name in MANY])
        for seed, purpose in ((0, 'test'), (0, 'val'), (1, 'test'))
    )
    for numbers in (test, val, other):
        assert 0 <= numbers.min() and numbers.max() < 1
        counts = np.histogram(numbers, 10, (0, 1))[0]
        assert np.abs(counts - 200).max() < 60  # more than four standard deviations
    assert np.abs(np.corrcoef([test, val, other]) - np.eye(3)).max() < 0.1


def test_numbers_stay_what_they_are():
    """Another rule would move subjects of every data set that is prepared anew."""
    numbers = [draw(0, purpose, 'subj01') for purpose in ('test', 'val', 'fold')]
    assert numbers == pytest.approx([0.89705243, 0.67117416, 0.06662058], abs=1e-8)


# Names -> the subjects that they suggest, coarsest first; none where nothing is asked.
LISTS = {
    'subj02_scan1 subj02_scan2 subj03_scan1': [['subj02', 'subj03']],
    'subj01_scan1 subj01-scan2 subj02 subj03': [['subj01', 'subj02', 'subj03']],
    'anna_1 anna_2 bert_1': [['anna', 'bert']],
    'anna1 anna2 bert1': [['anna', 'bert']],
    'Müller.1 Müller.2 Öz.1': [['Müller', 'Öz']],
    'P01a P01b P02a': [['P01', 'P02']],
    'lab1 anna 1,lab1 anna 2,lab1 bert 1': [['lab1 anna', 'lab1 bert']],
    "o'neil_1 o'neil_2 o'hara_1": [["o'hara", "o'neil"]],
    '2021-03-04_a 2021-03-04_b 2021-03-05_a': [['2021-03-04', '2021-03-05']],
    'A_s1_1 A_s1_2 A_s2_1 B_s3_1': [['A', 'B'], ['A_s1', 'A_s2', 'B_s3']],
    'standard_0001 standard_0002 hard_0001': [['hard', 'standard']],
    'scan1,scan1 (2),scan2': [['scan1', 'scan2']],
    'case_001 case_002 case_010': [],
    'P01 P02 P03': [],
    '1 2 10': [],
    '001_US 002_US 101_US': [],
    'left right': [],
    'case 1': [],
    '--- __ .': [],
    '': [],
}


@pytest.mark.parametrize('names', LISTS)
def test_several_scans_of_a_subject_are_noticed(names):
    listed = names.split(',' if ',' in names else None)
    found = groupings(listed)
    assert [sorted(grouping.members) for grouping in found] == LISTS[names]
    for grouping in found:
        # what is proposed does what is shown
        for subject, members in grouping.members.items():
            assert {subject_of(name, grouping.pattern) for name in members} == {subject}
        assert sorted(sum(grouping.members.values(), [])) == sorted(listed)


def test_proposed_patterns_are_readable():
    (found,) = groupings([f'subj{i:02d}_scan{j}' for i in range(5) for j in range(3)])
    assert found.pattern == r'^(subj\d+)'


def test_it_needs_a_yes():
    names = ['subj02_scan1', 'subj02_scan2', 'subj03_scan1']
    with pytest.raises(InputError) as error:
        subjects_of(names)
    text = str(error.value)
    assert '\n' not in text and '3 cases' in text and '2 subjects' in text
    assert 'subj02_scan1' in text and '--one-scan-per-subject' in text
    pattern = re.search(r"--subject-pattern '(\S+)'", text)[1]
    expected = dict(zip(names, ['subj02', 'subj02', 'subj03']))
    assert subjects_of(names, pattern) == expected
    assert subjects_of(names, recorded=expected) == expected
    own = {name: name for name in names}
    assert subjects_of(names, one_scan=True) == own
    assert subjects_of(names, one_scan=True, recorded=expected) == own
    assert subjects_of(names[1:]) == {name: name for name in names[1:]}


def test_what_is_said_has_to_fit():
    with pytest.raises(InputError, match='exclude each other'):
        subjects_of(['a1'], '(a)', one_scan=True)
    with pytest.raises(InputError, match='a2: .*nobody knows'):
        subjects_of(['a1', 'a2'], recorded={'a1': 'a'})


def test_one_subject_is_not_spelled_in_two_ways():
    pattern = '^(.+)_'
    with pytest.raises(InputError, match='P1_a and p1_b: the subjects P1 and p1'):
        subjects_of(['q_a', 'P1_a', 'P1_c', 'p1_b'], pattern)
    accented = ['M\u00fcller_1', 'Mu\u0308ller_2']  # with the letter, and behind it
    with pytest.raises(InputError, match='how accents are stored'):
        subjects_of(accented, pattern)
    assert subjects_of(['P1_a', 'P1_A'], pattern) == {'P1_a': 'P1', 'P1_A': 'P1'}


@pytest.mark.parametrize(
    'pattern, words',
    [
        ('(', 'no regular expression'),
        ('scan', 'has no group'),
        ('(x)', 'p1_scan0: --subject-pattern .*no subject'),
        ('(x?)', 'p1_scan0: --subject-pattern .*no subject'),
    ],
)
def test_faulty_patterns(pattern, words):
    with pytest.raises(InputError, match=words):
        subject_of('p1_scan0', pattern)
