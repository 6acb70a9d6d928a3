"""Rows: read, written, put together and summed up, against plain loops."""

import numpy as np
import pandas as pd
import pytest

from seam_seg.errors import InputError
from seam_seg.evaluation import rows as module
from seam_seg.evaluation.rows import COLUMNS

BONES = ('lumbar', 'thoracic', 'rib')


def make(values, method='a', seed=0, score='Dice', commit='1234567'):
    """Rows of one run; ``values[image][class]``."""
    return pd.DataFrame(
        [
            ('study', 'setting', method, seed, f'case{i}', bone, score, value, commit)
            for i, image in enumerate(values)
            for bone, value in zip(BONES, image)
            if value is not None
        ],
        columns=list(COLUMNS),
    )


def test_round_trip(tmp_path):
    rows = make([[80.123456, 70, 0.1 + 0.2]], method='1e5')  # a name that looks a number
    module.write_rows(tmp_path / 'rows.csv', rows)
    pd.testing.assert_frame_equal(module.read_rows(tmp_path / 'rows.csv'), rows)


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda text: text + text.splitlines()[1] + '\n', 'twice'),
        (lambda text: text.replace('study,', 'studio,', 1), 'columns'),
        (lambda text: text.replace('80.5', 'eighty'), 'no file of rows'),
        (lambda text: '', 'no file of rows'),
    ],
)
def test_refuses(change, message, tmp_path):
    path = tmp_path / 'rows.csv'
    module.write_rows(path, make([[80.5, 70, 60]]))
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match=message) as error:
        module.read_rows(path)
    assert str(path) in str(error.value)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match='no such file'):
        module.read_rows(tmp_path / 'no.csv')


def test_merge_replaces_whole_runs():
    old = pd.concat([make([[1, 2, 3]]), make([[4, 5, 6]], seed=1)])
    new = make([[7, 8]], commit='new')
    merged = module.merge_rows(old, new)
    assert sorted(merged['value']) == [4, 5, 6, 7, 8]
    assert len(module.merge_rows(old, old)) == len(old)


def test_rows_of_tests(tmp_path):
    (tmp_path / 'dice_jaccard.csv').write_text(
        'name,Dice.lumbar,HD95.lumbar,runtime\n01,80.5,3,\n02,,,0.25\n03,70,,0.75\n'
    )
    (tmp_path / 'fold1.csv').write_text('name,Dice.lumbar,HD95.lumbar,runtime\nNA,7,,\n')
    rows = module.rows_of_tests(
        [tmp_path / 'dice_jaccard.csv', tmp_path / 'fold1.csv'],
        *('study', 'setting', 'a', 2, 'commit'),
    )
    assert list(rows) == list(COLUMNS) and (rows['seed'] == 2).all()
    found = {
        (row['image'], row['class'], row['score']): row['value']
        for _, row in rows.iterrows()
    }
    assert found == {
        ('01', 'lumbar', 'Dice'): 80.5,
        ('03', 'lumbar', 'Dice'): 70,
        ('NA', 'lumbar', 'Dice'): 7,
        ('01', 'lumbar', 'HD95'): 3,
        ('', '', 'R'): 0.5,
    }


def test_mean_scores():
    """By image first; a class without Dice is left out, one without distance is not."""
    dice = [[80, 70, None], [60, 50, 40]]
    rows = pd.concat(
        [
            make(dice),
            make([[5, 3, None], [7, None, None]], score='HD95'),
            make([[10, 20]], method='b'),  # no rib anywhere
        ]
    )
    means = module.mean_scores(rows)
    a, b = means.loc[('a', 0)], means.loc[('b', 0)]
    assert a['Dice.lumbar'] == 70 and a['Dice.rib'] == 40
    assert a['mDice'] == pytest.approx((70 + 60 + 40) / 3)
    assert a['HD95.lumbar'] == 6 and np.isnan(a['mHD95'])  # the rib has a Dice
    assert b['mDice'] == 15 and np.isnan(b['Dice.rib'])
    assert list(module.classes_of(rows)) == list(BONES)
    average = module.image_dice(rows)
    assert average.loc[('a', 0), 'case0'] == 75
    assert average.loc[('a', 0), 'case1'] == 50
    ribs = module.image_scores(rows, 'Dice.rib')
    assert list(ribs.index) == [('a', 0)] and list(ribs.loc[('a', 0)]) == [40]
    # of the second image two bones are missing, and one alone would be nearer
    distances = module.image_scores(rows, 'HD95').loc[('a', 0)]
    assert list(distances.index) == ['case0'] and list(distances) == [4]
    near = module.image_scores(rows, 'HD95.lumbar').loc[('a', 0)]
    assert list(near) == [5, 7]


def test_commits():
    one = make([[1, 2, 3]])
    assert module.commits_of(one).endswith('commit 1234567.')
    text = module.commits_of(pd.concat([one, make([[1]], seed=1, commit='7654321')]))
    assert '1234567 (1 runs)' in text and '7654321 (1 runs)' in text


def test_cell():
    assert module.cell([70.0, 72.0]) == '71.00 ± 1.41'
    assert module.cell([70.0]) == '70.00'
    assert module.cell([70.0, np.nan]) == module.cell([]) == module.cell(None) == '-'
