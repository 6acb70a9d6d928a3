"""The side of a subject: its own affair, nested in the shares, kept where asked."""

import pytest

from seam_seg.datasets.split import compare, kept_sides, sides_before, split_subjects
from seam_seg.errors import InputError

EVERYONE = [f's{i:03d}' for i in range(109)]
PAPER = 29 / 109


def on(sides, *wanted):
    return {subject for subject, side in sides.items() if side in wanted}


def test_shares_hold_on_average():
    counts = dict(train=0, val=0, test=0)
    for seed in range(40):
        for side in split_subjects(EVERYONE, PAPER, 0.2, seed).values():
            counts[side] += 1 / 40
    # of the paper's 109 subjects: 29 to test, a fifth of the other 80 to validate
    assert counts == pytest.approx(dict(train=64, val=16, test=29), abs=2)


def test_nobody_moves_when_others_come_or_go():
    sides = split_subjects(EVERYONE, PAPER, 0.2, 3)
    assert sides == split_subjects([*EVERYONE, *EVERYONE][::-1], PAPER, 0.2, 3)
    fewer = split_subjects(EVERYONE[::2], PAPER, 0.2, 3)
    assert fewer == {subject: sides[subject] for subject in EVERYONE[::2]}
    assert sides != split_subjects(EVERYONE, PAPER, 0.2, 4)


def test_a_greater_share_only_takes_in_more():
    splits = [split_subjects(EVERYONE, share, 0.2, 0) for share in (0.1, 0.3, 0.5)]
    for small, great in zip(splits, splits[1:]):
        assert on(small, 'test') < on(great, 'test')
        # and who stays in training validates, or not, as before
        assert on(great, 'val') == on(small, 'val') - on(great, 'test')
    few, many = (split_subjects(EVERYONE, PAPER, share, 0) for share in (0.1, 0.4))
    assert on(few, 'val') < on(many, 'val') and on(few, 'test') == on(many, 'test')
    assert not on(split_subjects(EVERYONE, PAPER, 0, 0), 'val')


def test_an_empty_side_is_an_error_that_names_a_seed_that_works():
    few = EVERYONE[:4]
    refused = 0
    for seed in range(8):
        try:
            sides = split_subjects(few, PAPER, 0.2, seed)
            assert set(sides.values()) == {'train', 'val', 'test'}
        except InputError as error:
            refused += 1
            good = int(str(error).split('pass --seed ')[1].split(',')[0])
            assert len(set(split_subjects(few, PAPER, 0.2, good).values())) == 3
    assert 0 < refused < 8
    # two subjects cannot be on three sides
    with pytest.raises(InputError, match='falls to .*Either add cases.*--val-fraction 0'):
        split_subjects(few[:2], PAPER, 0.2, 0)
    with pytest.raises(InputError, match=r'1 subject \(s000\)'):
        split_subjects(few[:1], PAPER, 0.2, 0)


def test_who_was_there_stays():
    old = {'s000': 'test', 's001': 'val', 's002': 'train', 'gone': 'test'}
    drawn = split_subjects(EVERYONE, PAPER, 0.2, 0)
    kept = split_subjects(EVERYONE, PAPER, 0.2, 0, old)
    assert [kept[subject] for subject in EVERYONE[:3]] == ['test', 'val', 'train']
    assert all(kept[subject] == drawn[subject] for subject in EVERYONE[3:])
    # a data set that had no val.txt gets one, without a change of the test cases
    old = {subject: 'train' for subject in EVERYONE[:60]}
    kept = split_subjects(EVERYONE, PAPER, 0.2, 0, old)
    assert not on(kept, 'test') & set(old) and on(kept, 'val') & set(old)
    old['s000'] = 'val'
    assert not on(split_subjects(EVERYONE, PAPER, 0, 0, old), 'val')


def test_changes(tmp_path):
    """Cases of an earlier data set, some of a subject on two sides, one renamed."""
    files = dict(
        train='a_1\nb_1\nb_2\nc_1\nd_1\n', val='c_1\n', test='\ufeffa_2\n\ne_1\nodd\n'
    )
    for split, text in files.items():
        (tmp_path / f'{split}.txt').write_text(text, encoding='utf-8')
    subjects = {f'{letter}_{i}': letter for letter in 'abcdf' for i in (1, 2)}
    before = sides_before(tmp_path, subjects, '^(.)_')
    sides = dict(a='train', b='test', c='val', d='val', f='train')
    changes = compare(before, sides)
    assert changes.moved == {
        ('test and train', 'train'): ['a'],
        ('train', 'test'): ['b'],
        ('train', 'val'): ['d'],
    }
    assert (changes.new, changes.gone) == (['f'], ['e', 'odd'])
    assert [subject for (subject,) in changes.crossing.values()] == ['a', 'b']
    with pytest.raises(InputError, match='a has cases in test and train'):
        kept_sides(tmp_path, before)
    del before['a']
    assert kept_sides(tmp_path, before)['c'] == 'val'
