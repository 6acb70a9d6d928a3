"""What is compared, and what is found."""

import numpy as np
import pandas as pd
import pytest

from seam_seg.apis.comparison import (
    against,
    compare,
    comparison_table,
    effect_of,
    read_contrast,
)
from seam_seg.errors import InputError
from seam_seg.evaluation.crossed import crossed_mean
from seam_seg.evaluation.rows import COLUMNS

BONES = ('lumbar', 'thoracic', 'rib')
SHAPE = (3, 9)


def runs(method, values, score='Dice', classes=BONES, seeds=None):
    """Rows of a method; ``values[seed][image]`` is that of all classes, None has none."""
    return pd.DataFrame(
        [
            ('study', 'test', method, seed, f'case{i}', bone, score, value, 'commit')
            for seed, images in zip(seeds or range(len(values)), values)
            for i, value in enumerate(images)
            for bone in classes
            if value is not None
        ],
        columns=list(COLUMNS),
    )


def test_compare():
    rng = np.random.default_rng(0)
    base = rng.uniform(60, 80, SHAPE)
    others = dict(
        worse=base - rng.uniform(1, 3, SHAPE),
        noisy=base + rng.normal(0, 1, SHAPE),
        seeds=base + np.array([[-3], [0], [4]]),  # all images alike, every seed otherwise
        same=base,
    )
    rows = pd.concat(
        [runs('base', base), *(runs(name, dice) for name, dice in others.items())]
    )
    table = compare(rows, against('base', ['base', *others]), smallest=0.5)
    assert list(table.index) == [f'{name} - base' for name in others]
    assert list(table['seeds']) == [3] * 4 and list(table['images']) == [9] * 4
    raw = {}
    for name in ('worse', 'noisy', 'seeds'):
        wanted = crossed_mean(others[name] - base)
        found = table.loc[f'{name} - base']
        assert list(found[['difference', 'low', 'high']]) == pytest.approx(wanted[:3])
        raw[f'{name} - base'] = wanted.p
    assert table.loc['worse - base', 'high'] < 0  # the sign is that of mine - reference
    assert table.loc['seeds - base', 'low'] < -4  # 27 agreeing images are not three seeds
    assert list(table.loc['same - base', ['difference', 'low', 'high', 'p']]) == [
        *(0, 0, 0, 1)
    ]
    assert table.loc['same - base', 'effect'] == 'smaller than matters'
    assert table.loc['worse - base', 'effect'] == 'lower'
    # Holm: the smallest times 4, then times 3 and 2, never falling, at most 1
    before = 0.0
    for factor, name in zip((4, 3, 2), sorted(raw, key=raw.get)):
        before = min(1, max(before, factor * raw[name]))
        assert table.loc[name, 'p'] == pytest.approx(before)
    # Only those asked for are corrected for.
    asked = {'worse - base': dict(worse=1, base=-1)}
    assert compare(rows, asked)['p'].item() == pytest.approx(raw['worse - base'])


def test_images_of_a_subject_are_one():
    """Their mean, of those with a score, by a plain loop."""
    rng = np.random.default_rng(2)
    values = {name: rng.uniform(0, 100, SHAPE).tolist() for name in 'ab'}
    for own in values.values():
        own[1][0] = None
    rows = pd.concat([runs(name, value) for name, value in values.items()])
    members = dict(P1=[0, 1], P2=[2], P3=[3, 4, 5, 6], P4=[7, 8])
    subjects = {f'case{i}': name for name, own in members.items() for i in own}
    found = compare(rows, against('a', 'ab'), subjects=subjects)
    members['P1'] = [1]
    sample = np.zeros((3, 4))
    for seed in range(3):
        for column, own in enumerate(members.values()):
            differences = [values['b'][seed][i] - values['a'][seed][i] for i in own]
            sample[seed, column] = sum(differences) / len(own)
    wanted = list(crossed_mean(sample))
    line = found.loc['b - a']
    assert list(line[['difference', 'low', 'high', 'p']]) == pytest.approx(wanted)
    assert list(line[['seeds', 'images', 'subjects']]) == [3, 8, 4]
    assert comparison_table(found)['Seeds x subjects (images)'].item() == '3 x 4 (8)'
    # each of another: as if nothing was said
    alone = {name: name for name in subjects}
    pd.testing.assert_frame_equal(
        compare(rows, against('a', 'ab'), subjects=alone),
        compare(rows, against('a', 'ab')),
    )


def test_any_weights():
    """A difference of differences: image by image and seed by seed, by a plain loop."""
    rng = np.random.default_rng(1)
    values = {name: rng.uniform(0, 100, SHAPE) for name in 'abcd'}
    rows = pd.concat([runs(name, value) for name, value in values.items()])
    weights = dict(a=1, b=-1, c=-1, d=1)
    found = compare(rows, dict(interaction=weights)).loc['interaction']
    sample = np.zeros(SHAPE)
    for seed in range(3):
        for image in range(9):
            for name, weight in weights.items():
                sample[seed, image] += weight * values[name][seed, image]
    wanted = crossed_mean(sample)
    assert list(found[['difference', 'low', 'high', 'p']]) == pytest.approx(wanted)


def test_other_scores():
    dice = [[70, 72, 74], [70, 71, 76]]
    angle = dict(score='AngleError', classes=['all'])
    rows = pd.concat(
        [
            runs('a', dice),
            runs('a', [[4, 5, None], [4, 5, 6]], **angle),
            runs('b', dice),
            runs('b', [[5, 7, 9], [6, 9, 9]], **angle),
            runs('c', dice),
        ]
    )
    found = compare(rows, against('a', 'abc'), 'Dice.rib')
    assert list(found['difference']) == [0, 0]
    found = compare(rows, against('a', 'ab'), 'AngleError.all').loc['b - a']
    # the third image has no angle once, and is left out
    assert found['difference'] == (1 + 2 + 2 + 4) / 4 and found['images'] == 2
    with pytest.raises(InputError, match="'c' has no AngleError.all"):
        compare(rows, against('a', 'abc'), 'AngleError.all')


def test_who_misses_a_bone_gains_nothing_by_its_distance():
    dice, rib = [[70, 72, 74], [70, 71, 76]], dict(score='HD95', classes=['rib'])
    far = [[9, 9, 9], [9, 9, 9]]
    rows = pd.concat(
        [
            *(runs(name, dice) for name in 'ab'),
            *(
                runs(name, [[2, 2, 2], [2, 2, 2]], score='HD95', classes=BONES[:2])
                for name in 'ab'
            ),
            runs('a', far, **rib),
            runs('b', [[None, 9, None], [9, 9, None]], **rib),
        ]
    )
    found = compare(rows, against('a', 'ab'), 'HD95').loc['b - a']
    assert found['difference'] == 0 and found['images'] == 1


def test_who_draws_a_class_where_none_is_gains_nothing():
    """Neither has a score there that the other has: without the image both are equal."""
    careful, rash = [[70, 72, None], [70, 71, None]], [[70, 72, None], [70, 71, 0]]
    rows = pd.concat(
        [
            *(
                runs(name, [[70, 72, 74], [70, 71, 76]], classes=BONES[1:])
                for name in 'ab'
            ),
            runs('a', careful, classes=['lumbar']),
            runs('b', rash, classes=['lumbar']),
        ]
    )
    with pytest.raises(InputError, match='Dice.lumbar: in case2 some of b, a drew'):
        compare(rows, against('a', 'ab'), 'Dice.lumbar')
    assert compare(rows, against('a', 'ab'))['difference'].item() < -4
    rows = rows[(rows['class'] != 'lumbar') | (rows['image'] != 'case2')]
    assert compare(rows, against('a', 'ab'), 'Dice.lumbar')['difference'].item() == 0


def test_common_seeds_are_compared():
    rows = pd.concat(
        [
            runs('a', [[70, 72], [60, 66], [50, 50]], seeds=(0, 1, 2)),
            runs('b', [[50, 50], [61, 68]], seeds=(2, 1)),
            runs('c', [[50, 50]], seeds=(3,)),
            runs('d', [[50, 50, 50]], seeds=(2,)),
        ]
    )
    found = compare(rows, against('a', 'ab')).loc['b - a']
    assert found['difference'] == (1 + 2 + 0 + 0) / 4 and found['seeds'] == 2
    with pytest.raises(InputError, match='no seed in common'):
        compare(rows, against('a', 'ac'))
    with pytest.raises(InputError, match='different images: .* scores of case2. '):
        compare(rows, against('a', 'ad'))
    with pytest.raises(InputError, match="'e' has no Dice; there are a, b, c, d"):
        compare(rows, against('e', 'a'))


def test_one_seed_is_not_tested():
    rows = pd.concat([runs('ours', [[70, 72]]), runs('other', [[60, 70]])])
    found = compare(rows, against('other', ['ours']), smallest=1)
    assert found['difference'].item() == 6 and found[['low', 'high', 'p']].isna().all(
        None
    )
    line = comparison_table(found, smallest=1).iloc[0]
    assert list(line) == ['ours - other', '+6.00', 'undecided', '-', '1 x 2']


def test_no_image_has_the_score_throughout():
    rows = pd.concat([runs('a', [[None, 1], [1, 1]]), runs('b', [[1, None], [1, 1]])])
    rows = pd.concat([rows, *(runs(name, [[1, 1]] * 2, score='J') for name in 'ab')])
    found = compare(rows, against('a', 'ab'))
    assert np.isnan(found['difference'].item()) and found['images'].item() == 0
    assert list(comparison_table(found).iloc[0, [1, 3]]) == ['-', '2 x 0']


@pytest.mark.parametrize(
    'low, high, p, effect',
    [
        (0.6, 0.9, 0.01, 'higher'),
        (0.6, 0.9, 0.06, 'not lower'),  # one of many contrasts
        (0.1, 0.9, 0.01, 'not lower'),  # above 0; whether it matters is not known
        (-0.5, 0.5, 1, 'smaller than matters'),
        (0.1, 0.5, 0.01, 'smaller than matters'),
        (-0.7, 0.1, 1, 'not higher'),
        (-0.7, 0.7, 1, 'undecided'),
        (-0.9, -0.6, 0.01, 'lower'),
        (-0.9, -0.6, 0.06, 'not higher'),
        (np.nan, np.nan, np.nan, 'undecided'),
    ],
)
def test_effect(low, high, p, effect):
    assert effect_of(low, high, p, 0.56) == effect


def test_read_contrast():
    methods = {name: name for name in ('SEAM', 'FPN + 3x3 conv', 'FPN - old', 'old')}
    methods['seam_r50-fpn'] = 'SEAM'
    for text, label in {
        'SEAM - FPN + 3x3 conv': 'SEAM - FPN + 3x3 conv',
        'seam_r50-fpn - FPN - old': 'SEAM - FPN - old',
        'FPN - old - SEAM': 'FPN - old - SEAM',
    }.items():
        ((found, weights),) = read_contrast(text, methods).items()
        assert found == label and sorted(weights.values()) == [-1, 1]
    assert list(read_contrast('old - SEAM', methods)['old - SEAM']) == ['old', 'SEAM']
    for text in ('SEAM', 'SEAM - UNet', 'SEAM-old', 'seam_r50-fpn - SEAM'):
        with pytest.raises(InputError, match=f"{text!r} is not .* 'FPN - old'"):
            read_contrast(text, methods)
