"""Levels counted from the picture."""

import numpy as np
import pytest

from seam_seg.measurement.naming import (
    count_levels,
    is_upside_down,
    level_name,
    region_of,
)


def names(text, s=None, shift=0):
    labels = [2 if letter == 't' else 3 for letter in text]
    s = np.arange(len(text)) * 1.0 if s is None else np.array(s)
    counted = count_levels(labels, s, shift)
    return [level_name(int(number)) for number in counted.number], counted


def test_counted_from_the_last_pair_and_the_first_lump():
    found, counted = names('tttll')
    assert found == ['T10', 'T11', 'T12', 'L1', 'L2']
    assert counted.anchor == 'last_pair_and_first_lump' and counted.gaps == []
    assert names('tttll', shift=-1)[0] == ['T9', 'T10', 'T11', 'T12', 'L1']
    assert names('tttll', shift=2)[0][2:] == ['L2', 'L3', 'L4']
    assert names('ttt')[0][-1] == 'T12' and names('ttt')[1].anchor == 'last_pair'
    assert names('lll')[0] == ['L1', 'L2', 'L3']
    assert names('lll')[1].anchor == 'first_lump'
    assert names(13 * 't' + 'l')[0][:2] == ['C7', 'T1']
    assert level_name(-40) == 'above C1'


def test_gaps_and_levels_of_two_halves():
    found, counted = names('tttttll', [0, 1, 2, 4, 5, 6, 7])
    assert found[:4] == ['T7', 'T8', 'T9', 'T11'] and counted.gaps == [3]
    # a pair is missing above the first lump, which is L1 all the same
    found, counted = names('tttll', [0, 1, 2, 4, 5])
    assert found == ['T9', 'T10', 'T11', 'L1', 'L2']
    assert counted.gaps == [3] and counted.anchor == 'first_lump_after_gap'
    # a left and a right bone that were no pair, at one place
    assert names('ttttll', [0, 1, 1.2, 2.2, 3.2, 4.2])[0][1:3] == ['T11', 'T11']


def test_what_is_on_the_wrong_side_of_the_boundary():
    assert names('tttltttlll')[1].misplaced == [3]
    assert names('ttttllltll')[1].misplaced == [7]


@pytest.mark.parametrize(
    'text, expected',
    [('lllttttt', True), ('tttttlll', False), ('llltttttl', True), ('lltttt', False),
     ('lllllt', False), ('tltttttlll', False), ('lll', False), ('tttt', False),
     ('llltttlll', False)],
)  # fmt: skip
def test_lumps_above_the_pairs_are_a_picture_upside_down(text, expected):
    assert is_upside_down([2 if letter == 't' else 3 for letter in text]) == expected


@pytest.mark.parametrize(
    'number,region',
    [(-11, 'thoracic'), (-1, 'thoracic'), (0, 'thoracolumbar'), (1, 'thoracolumbar'),
     (2, 'lumbar'), (5, 'lumbar')],
)  # fmt: skip
def test_regions(number, region):
    assert region_of(number) == region
