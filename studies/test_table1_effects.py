"""Effects that were put into rows are found in the tables that are made of them."""

import itertools
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from seam_seg.config_lookup import get_config
from seam_seg.errors import InputError
from seam_seg.evaluation.rows import COLUMNS, read_rows, write_rows
from studies.table1 import effects, plan, tables

ATTENTIONS = ('3x3 conv', 'SEAM printed', 'SEAM key mass')
CELLS = {
    f'{attention}{", center" * center}{", key" * key}': (attention, center, key)
    for attention, center, key in itertools.product(ATTENTIONS, (0, 1), (0, 1))
}


def write(folder, runs):
    """Rows of a study: (setting, method, score, class, (seeds, images) values)."""
    rows = [
        ('table1', setting, method, seed, f'case{i}', name, score, value, 'abc1234')
        for setting, method, score, name, values in runs
        for seed, images in enumerate(values)
        for i, value in enumerate(images)
        if np.isfinite(value)
    ]
    folder.mkdir(exist_ok=True)
    write_rows(folder / 'results.csv', pd.DataFrame(rows, columns=COLUMNS))
    return folder


def lines_of(text):
    """Title -> cells by the title of their column."""
    titles, _, *lines = (
        [cell.strip() for cell in line.strip('|').split('|')]
        for line in text.split('\n')
        if line.startswith('|')
    )
    return [dict(zip(titles, line)) for line in lines]


def noise(seed, scale=0.01):
    return np.random.default_rng(seed).normal(0, scale, (3, 4))


def test_factorial(tmp_path):
    """Means of cells with known effects, by the definition of each effect."""

    def mean(attention, center, key):
        effect = dict(zip(ATTENTIONS, (0, 1, 2)))[attention] + 3 * center - 2 * key
        together = 4 * center * key + 6 * center * (attention == 'SEAM key mass')
        return 50 + effect + together

    runs = [
        ('20 cases', name, 'Dice', 'rib', mean(*levels) + noise(i))
        for i, (name, levels) in enumerate(CELLS.items())
    ]
    runs += [
        ('20 cases', name, 'FaintFound', 'all', np.full((3, 4), 40.0 + 5 * levels[1]))
        for name, levels in CELLS.items()
    ]
    folder = write(tmp_path / 'table1', runs)
    lines = lines_of(effects.BLOCKS['table1.factorial'](folder))
    found = {line['Contrast']: float(line['Dice [95%]'].split()[0]) for line in lines}
    # averages over the other factors, by hand: half of 4, a third of 6, and so on
    wanted = {
        'SEAM printed': 1,
        'SEAM key mass': 2 + 6 / 2,
        'center loss': 3 + 4 / 2 + 6 / 3,
        'key cross entropy': -2 + 4 / 2,
        'SEAM printed x center loss': 0,
        'SEAM key mass x center loss': 6,
        'SEAM printed x key cross entropy': 0,
        'SEAM key mass x key cross entropy': 0,
        'center loss x key cross entropy': 4,
        'SEAM printed x center loss x key cross entropy': 0,
        'SEAM key mass x center loss x key cross entropy': 0,
    }
    assert found == pytest.approx(wanted, abs=0.05)
    assert list(found)[:4] == list(wanted)[:4]  # main effects first
    by_label = {line['Contrast']: line for line in lines}
    found = by_label['center loss']
    assert found['Faint bones found (%) [95%]'].startswith('+5.0 [')
    assert 'p (Holm)' not in found  # it explains, and decides nothing
    assert 'False bones (%) [95%]' not in found  # nobody has them
    apart = {
        line['Contrast']: float(line['Dice [95%]'].split()[0])
        for line in lines_of(effects.BLOCKS['table1.center'](folder))
    }
    assert apart == pytest.approx(
        {
            'center loss, key cross entropy on': 3 + 4 + 6 / 3,
            'center loss, key cross entropy off': 3 + 6 / 3,
        },
        abs=0.05,
    )
    explored = {
        line['Contrast']: float(line['Dice [95%]'].split()[0])
        for line in lines_of(effects.BLOCKS['table1.key'](folder))
    }
    assert explored == pytest.approx(
        {
            **{f'key cross entropy, {name}': -2 + 4 / 2 for name in ATTENTIONS},
            **{f'SEAM printed, key cross entropy {word}': 1 for word in ('off', 'on')},
            **{f'SEAM key mass, key cross entropy {word}': 5 for word in ('off', 'on')},
            'SEAM printed, key - 3x3 conv': 1 - 2,
            'SEAM printed, center, key - 3x3 conv': 1 + 3 - 2 + 4,
            'SEAM key mass, key - 3x3 conv': 2 - 2,
            'SEAM key mass, center, key - 3x3 conv': 2 + 3 - 2 + 4 + 6,
            'SEAM printed, center, key - 3x3 conv, center, key': 1,
            'SEAM printed, center, key - SEAM printed, key': 3 + 4,
        },
        abs=0.05,
    )
    with pytest.raises(InputError, match='20 cases has rows of all of .*SEAM printed'):
        effects.BLOCKS['table1.factorial'](write(tmp_path / 'part', runs[:4]))


def test_corners_by_setting(tmp_path):
    """The rows of the table are the cells of its setting; what is not run is left out."""
    few = [
        ('5 cases', name, 'Dice', 'rib', 50 + i + noise(i))
        for i, name in enumerate(
            ('3x3 conv', '3x3 conv, center, key', 'SEAM key mass', *list(CELLS)[-1:])
        )
    ]
    names = {new: old for old, new in effects.SAME.items()}
    main = [('64 cases', names.get(run[1], run[1]), *run[2:]) for run in few]
    folder = write(tmp_path / 'table1', [*few, *main, ('20 cases', *few[0][1:])])
    lines = lines_of(effects.BLOCKS['table1.corners'](folder))
    assert [line['Setting'] for line in lines] == ['5 cases'] * 3 + ['64 cases'] * 3
    differences = [line['Dice [95%]'].split()[0] for line in lines]
    assert [round(float(value)) for value in differences] == [1, 2, 3] * 2
    with pytest.raises(InputError, match='none of 20 cases, 64 cases has'):
        effects.BLOCKS['table1.controls'](folder)
    # the same on another test set, of which two endpoints are shown
    elsewhere = [('5 cases, missing', *run[1:]) for run in few]
    elsewhere += [('5 cases, missing', run[1], 'FalseBone', 'all', run[4]) for run in few]
    (folder / 'results.csv').unlink()
    lines = lines_of(effects.BLOCKS['table1.corners_elsewhere'](write(folder, elsewhere)))
    assert [line['Dice [95%]'].split()[0] for line in lines] == [
        line['Dice [95%]'].split()[0]
        for line in lines_of(effects.BLOCKS['table1.corners'](write(folder, few)))
    ]
    assert not any('False' in title for line in lines for title in line)


def test_cells_of_the_corners(tmp_path):
    """Of the seeds that all of them have, by hand."""
    values = np.array([[1.0, 3.0], [5.0, 7.0], [90.0, 90.0]])  # a third seed is left out
    names = ('3x3 conv', '3x3 conv, center, key', 'SEAM key mass', list(CELLS)[-1])
    settings = ('5 cases', '64 cases', 'no faint bones', '40% faint bones')
    same = {new: old for old, new in effects.SAME.items()}
    runs = [
        (
            setting,
            same.get(name, name) if setting == '64 cases' else name,
            *('Dice', 'rib', values + 10 * i + j),
        )
        for i, setting in enumerate(settings)
        for j, name in reversed(list(enumerate(names)))
    ]
    folder = write(tmp_path / 'table1', runs)
    lines = lines_of(effects.BLOCKS['table1.corner_cells'](folder))
    found = [(line['Setting'], line['Method'], line['Dice']) for line in lines]
    assert found == [
        (setting, name, f'{4 + 10 * i + j:.2f} ± 2.83')
        for i, setting in enumerate(settings)
        for j, name in enumerate(names)
    ]
    assert {line['Faint bones found (%)'] for line in lines} == {'-'}


def test_other_trainings_beside_the_same_seeds(tmp_path):
    gains = np.array([[1.0], [2.0], [3.0], [40.0]])  # a fourth seed, not tried with it
    values = 50 + np.arange(4.0) + noise(0)[:1]
    runs = [
        ('64 cases', effects.REFERENCE, 'Dice', 'rib', values + 0 * gains),
        ('64 cases', 'SEAM', 'Dice', 'rib', values + gains),
    ]
    for setting, factor in ((plan.HIGHER_SETTING, 2), (plan.LONGER_SETTING, -1)):
        runs.append((setting, effects.REFERENCE, 'Dice', 'rib', values + 0 * gains[:3]))
        runs.append((setting, 'SEAM', 'Dice', 'rib', values + factor * gains[:3]))
    folder = write(tmp_path / 'table1', runs)
    lines = lines_of(effects.BLOCKS['table1.checks'](folder))
    assert [line['Setting'] for line in lines] == [
        *('64 cases', '64 cases, seeds 0 to 2', '64 cases, rate 0.004'),
        '64 cases, twice as long',
    ]
    assert [line['Dice [95%]'].split()[0] for line in lines] == [
        *('+11.50', '+2.00', '+4.00', '-2.00')
    ]


def test_contrasts_and_endpoints(tmp_path):
    base = 60 + np.arange(12.0).reshape(3, 4)
    gains = {
        'FPN + 3x3 conv': 0,
        'SEAM': 2,
        'NonLocal, attention on v': 3,
        'SEAM, key mass, felt center': 0.1,
        'SEAM key mass, key': 0,
    }
    angles = np.where(np.arange(12).reshape(3, 4) == 5, np.nan, 4.0)
    runs = [
        ('64 cases', name, 'Dice', bone, base + gain + noise(i))
        for i, (name, gain) in enumerate(gains.items())
        for bone in ('rib', 'lumbar')
    ]
    runs += [
        ('64 cases', name, 'AngleError', 'all', angles + gain)
        for name, gain in gains.items()
    ]
    folder = write(tmp_path / 'table1', runs)
    lines = lines_of(effects.BLOCKS['table1.contrasts'](folder))
    effect = [line['Effect (0.56 matters)'] for line in lines]
    assert effect == ['higher', 'smaller than matters', 'lower']
    # of Dice alone: of faint bones nothing is known here
    assert {name for name in lines[0] if 'Holm' in name} == {'p (Holm)'}
    assert float(lines[0]['p (Holm)']) < 0.001
    # the one image without an angle is in no difference
    assert [line['Angle off (°) [95%]'].split()[0] for line in lines] == [
        *('+2.00', '+0.10', '-1.00')
    ]
    means = {
        line['Method']: line
        for line in lines_of(effects.BLOCKS['table1.endpoints'](folder))
    }
    assert list(means) == [name for name in effects.COMPARED if name in gains]
    assert means['SEAM']['Angle off (°)'] == '6.00 ± 0.00'
    assert means['SEAM']['Faint bones found (%)'] == '-' and means['SEAM']['Seeds'] == '3'
    dice = np.mean(base) + 2
    assert means['SEAM']['Dice'].startswith(f'{dice:.1f}')


def test_contrasts_beside_the_paper(tmp_path):
    """Each with the difference that its printed averages have, by hand."""
    names = sorted(effects.methods_of(effects.CONTRASTS))
    gains = {name: i for i, name in enumerate(names)}
    runs = [
        ('64 cases', name, score, bones, 60 + gain + noise(gain))
        for name, gain in gains.items()
        for score, bones in (('Dice', 'rib'), ('FaintFound', 'all'), ('FalseBone', 'all'))
    ]
    folder = write(tmp_path / 'table1', runs)
    shutil.copy(Path(effects.__file__).with_name('paper.csv'), folder)
    lines = lines_of(tables.BLOCKS['table1.beside_paper'](folder))
    paper = [line['Nearest pair in the paper'] for line in lines]
    assert [text.split()[0] for text in paper] == ['+0.71', '+0.56', '+1.83']
    assert 'w/o AL' in paper[0] and 'w/o SS' in paper[1] and 'NonLocal' in paper[2]
    for line, weights in zip(lines, effects.CONTRASTS.values()):
        wanted = sum(weight * gains[name] for name, weight in weights.items())
        for title in ('Dice', 'Faint bones found (%)', 'False bones (%)'):
            found = float(line[f'{title} [95%]'].split()[0])
            assert found == pytest.approx(wanted, abs=0.06), title


def test_regimes_have_the_same_form_of_seam(tmp_path):
    """Whatever it is called there; of two seeds the values, and no interval."""
    names = {name: cell for cell, name in effects.SAME.items()}
    seam, told = 'SEAM key mass, center, key', effects.TOLD[1]
    runs = []
    for i, setting in enumerate(effects.REGIMES):
        gains = {effects.NONE: 0, seam: 1 + i, told: 20}
        seeds = 2 if setting == '5 cases' else 3
        if setting == effects.SCRATCH:
            del gains[told]
        renamed = names if setting.startswith('64 cases') else {}
        runs += [
            (setting, renamed.get(name, name), *what, (60 + gain + noise(j))[:seeds])
            for j, (name, gain) in enumerate(gains.items())
            for what in (('Dice', 'rib'), ('FaintFound', 'all'))
        ]
    lines = lines_of(effects.regimes(write(tmp_path / 'table1', runs)))
    assert [line['Regime'] for line in lines] == list(effects.REGIMES)
    for i, line in enumerate(lines):
        few = line['Regime'] == '5 cases'
        assert line['SEAM: seeds'] == ('2' if few else '3')
        for title, digits in (('Dice', 2), ('Faint bones found (%)', 1)):
            cell = line[f'SEAM: {title} [95%]']
            values = cell.split(', ') if few else cell.split()[:1]
            assert len(values) == 1 + few
            for value in values:
                assert float(value) == pytest.approx(1 + i, abs=0.06)
                assert len(value.split('.')[1]) == digits
        untold = line['Regime'] == effects.SCRATCH
        assert (line['levels told: Dice [95%]'] == '-') == untold
        assert line['levels told: seeds'] == {True: '-'}.get(untold, '2' if few else '3')


def test_faint_bones_are_corrected_for_the_three_contrasts(tmp_path):
    gains = {
        'FPN + 3x3 conv': 0,
        'SEAM': 6,
        'NonLocal, attention on v': 2,
        'SEAM, key mass, felt center': 3,
        'SEAM key mass, key': 0,
    }
    runs = [
        ('64 cases', name, score, bones, 60 + gain + noise(i, 2))
        for i, (name, gain) in enumerate(gains.items())
        for score, bones in (('Dice', 'rib'), ('FaintFound', 'all'))
    ]
    folder = write(tmp_path / 'table1', runs)
    lines = lines_of(effects.BLOCKS['table1.contrasts'](folder))
    found = [float(line['p (Holm), Faint bones found (%)']) for line in lines]
    rows = read_rows(folder / 'results.csv')
    alone = [
        effects.compare_endpoint(rows, {name: weights}, 'FaintFound.all')['p'].item()
        for name, weights in effects.CONTRASTS.items()
    ]
    wanted = [0.0] * 3
    highest = 0.0
    for rank, i in enumerate(sorted(range(3), key=alone.__getitem__)):
        highest = max(highest, min(1.0, alone[i] * (3 - rank)))
        wanted[i] = highest
    assert max(wanted) < 0.5 and len(set(wanted)) == 3  # neither 1 nor all alike
    assert found == pytest.approx(wanted, rel=0.06)


def test_means_are_compared_by_seed(tmp_path):
    """Where a method has no more than the mean of its images, all are taken by theirs."""
    values = 50 + np.arange(12.0).reshape(3, 4)
    gain = np.array([1.0, 2.0, 6.0])
    control = 'FPN + 3x3 conv, coordinates'
    told = 'FPN + 3x3 conv, levels told'
    runs = [
        ('64 cases', effects.REFERENCE, 'Dice', bone, values)
        for bone in ('rib', 'lumbar')
    ]
    folder = write(tmp_path / 'table1', runs)
    rows = read_rows(folder / 'results.csv')
    means = rows[rows['image'] == 'case0'].assign(image=effects.MEAN)
    parts = []
    for name in (control, told):
        own = values.mean(axis=1) + gain * (name == told)
        parts.append(means.assign(method=name, value=own[means['seed']]))
    write_rows(folder / 'results.csv', pd.concat([rows, *parts]))
    lines = lines_of(effects.BLOCKS['table1.controls'](folder))
    assert {line['Setting'] for line in lines} == {'64 cases'}
    assert [line['Seeds x images'] for line in lines] == ['3 x mean'] * 3
    reach = stats.t.ppf(0.975, 2) * np.std(gain, ddof=1) / 3**0.5
    assert lines[1]['Dice [95%]'] == f'+3.00 [{3 - reach:+.2f}, {3 + reach:+.2f}]'


def test_endpoints_of_single_classes_may_be_means(tmp_path):
    """Those of all bones are compared by image all the same."""
    values = 50 + np.arange(12.0).reshape(3, 4)
    names = sorted(effects.methods_of(effects.CONTRASTS))
    runs = [
        ('64 cases', name, score, bones, values + i + noise(i))
        for i, name in enumerate(names)
        for score, bones in (
            *[('Dice', bones) for bones in ('lumbar', 'thoracic', 'rib')],
            *[('FaintFound', bones) for bones in ('lumbar', 'thoracic', 'rib', 'all')],
        )
    ]
    others = [
        ('64 cases', name, score, bones, (values + i + noise(i))[:, :1])
        for i, name in enumerate(names)
        for score in ('Jaccard', 'Found', 'BoneDice')
        for bones in ('lumbar', 'thoracic', 'rib')
    ]
    folder = write(tmp_path / 'table1', runs + others)
    rows = read_rows(folder / 'results.csv')
    means = (rows['score'] != 'Dice') & (rows['class'] != 'all')
    rows.loc[means, 'image'] = effects.MEAN
    rows = rows.drop_duplicates(list(COLUMNS[:-2]))
    write_rows(folder / 'results.csv', rows)
    contrast = dict(list(effects.CONTRASTS.items())[:1])
    ((label, weights),) = contrast.items()
    gain = sum(weight * names.index(name) for name, weight in weights.items())
    (found,) = effects.compare_endpoint(rows, contrast, 'FaintFound.all').to_dict(
        'records'
    )
    assert (found['seeds'], found['images']) == (3, 4)
    assert found['difference'] == pytest.approx(gain, abs=0.05)
    lines = lines_of(effects.effects_by_class(folder, '64 cases', contrast))
    assert [line['Class'] for line in lines] == ['lumbar', 'thoracic', 'rib']
    for line in lines:
        assert line['Contrast'] == label
        for title in ('Dice', 'Jaccard', 'Bones found (%)'):
            value = float(line[f'{title} [95%]'].split()[0])
            assert value == pytest.approx(gain, abs=0.06), title


def test_validation_as_it_stands_on_the_page(tmp_path):
    """The thirds of a training by their numbers; a rate once all are there."""
    rows = []

    def add(setting, method, seed, thirds, dice=80.0):
        for i, value in enumerate(thirds, 1):
            score = f'Validation after {i * int(method.split()[0]) // 3}'
            rows.append(('table1', setting, method, seed, '', '', score, value, 'abc'))
        rows.append(('table1', setting, method, seed, 'a', 'rib', 'Dice', dice, 'abc'))

    add('iterations', '1800 iterations', 100, [70, 80, 81])
    add('iterations', '1800 iterations', 101, [70, 80, 83])
    add('iterations', '600 iterations', 100, [60, 70, 75], dice=75.0)
    for rate, dice in zip(plan.RATES, (70, 72, 71)):
        add(plan.rate_setting(rate), '600 iterations', 100, [], dice)
    add(plan.rate_setting(plan.RATES[0]), '1800 iterations', 100, [50], 60)
    add(plan.rate_setting(plan.HIGHER_RATE), '600 iterations', 100, [], 75)
    for rate in plan.RATES:
        add(plan.rate_setting(rate), '2400 iterations', 100, [], 9.9)
    (tmp_path / 'table1').mkdir()
    write_rows(tmp_path / 'table1/results.csv', pd.DataFrame(rows, columns=COLUMNS))
    first, last = lines_of(tables.iterations(tmp_path / 'table1'))
    assert list(first.values()) == ['600 iterations', '75.00', '5.00']
    assert last['Gain of the last third'] == '2.00 ± 1.41'
    whole, failed = lines_of(tables.rates(tmp_path / 'table1'))
    # the one that was tried later is shown, and chosen by nobody
    shown = ['70.00', '72.00', '71.00', '75.00', '0.001', 'rib 72.0']
    assert list(whole.values())[1:] == shown
    assert list(failed.values())[-1] == 'rib 9.9, so in no table'


def test_weights_of_a_loss_as_they_stand_on_the_page(tmp_path):
    dice = {
        'rsnu': {0.001: (80, 82), 0.003: (80.5, 82.5), 0.01: (70, 70)},
        'rsnu-unet': {0.001: (60, 61), 0.003: (61, 62), 0.01: (61.5, 61)},
    }
    runs = [
        (
            plan.WEIGHTS_SETTING,
            plan.weight_method(config, weight),
            *('Dice', 'rib', np.array(values, float)[:, None]),
        )
        for config, own in dice.items()
        for weight, values in own.items()
    ]
    lines = lines_of(tables.weights(write(tmp_path / 'table1', runs)))
    cells = [[line['config'], line['weight'], line['mean']] for line in lines]
    assert cells == [
        ['rsnu', '0.001', '81.00'],
        ['rsnu', '0.003, chosen', '81.50'],
        ['rsnu', '0.01', '70.00'],
        ['rsnu-unet', '0.001', '60.50'],
        ['rsnu-unet', '0.003', '61.50'],
        ['rsnu-unet', '0.01, chosen', '61.25'],
    ]
    assert [lines[1]['seed 0'], lines[1]['seed 1']] == ['80.50', '82.50']


def test_trainings_that_went_on(tmp_path):
    pilots = [
        ('iterations', f'{count} iterations', 'Dice', 'rib', np.full((3, 1), 80.0))
        for count in plan.CANDIDATES
    ]
    runs = [
        (plan.rate_setting(rate), 'seam', 'Dice', 'rib', np.full((1, 1), dice))
        for rate, dice in zip(plan.RATES, (70.0, 72.0, 71.0))
    ]
    runs.append((plan.LONGER_VALIDATION, 'seam', 'Dice', 'rib', np.full((1, 1), 72.25)))
    folder = write(tmp_path / 'table1', pilots + runs)
    rows = read_rows(folder / 'results.csv')
    validated = [
        (
            'table1',
            plan.LONGER_VALIDATION,
            'seam',
            0,
            '',
            '',
            f'Validation after {n}',
            v,
            'x',
        )
        for n, v in ((400, 70.0), (800, 72.0), (1200, 72.5))
    ]
    more = pd.DataFrame(validated, columns=COLUMNS)
    write_rows(folder / 'results.csv', pd.concat([rows, more]))
    (line,) = lines_of(tables.longer(folder))
    assert line == {
        'config': 'seam',
        '600 iterations': '72.00',
        '1200 iterations': '72.25',
        'gain': '+0.25',
        'of its last third': '0.50',
    }


def test_inside_the_heads_by_setting(tmp_path):
    runs = [
        (setting, 'SEAM', 'probe.largest_weight', '', values[:, None])
        for setting, values in (
            (plan.HIGHER_SETTING, np.array([0.5, 0.75])),
            (plan.LONGER_SETTING, np.array([1.0])),
        )
    ]
    folder = write(tmp_path / 'table1', runs)
    lines = [list(line.values()) for line in lines_of(tables.inside_checks(folder))]
    assert lines == [
        [plan.HIGHER_SETTING, 'SEAM', 'largest_weight', '0.625', '0.5, 0.75'],
        [plan.LONGER_SETTING, 'SEAM', 'largest_weight', '1', '1'],
    ]
    (alone,) = lines_of(tables.inside(folder, plan.LONGER_SETTING))
    assert list(alone.values()) == lines[1][1:]


def test_a_training_that_was_made_again(tmp_path):
    one = np.arange(3.0)[:1, None] + 70
    settings = [effects.MAIN, *effects.ELSEWHERE]
    runs = [
        (setting.replace(effects.MAIN, words), name, 'Dice', 'rib', one + i + 10 * again)
        for again, words in enumerate((effects.MAIN, tables.AGAIN))
        for i, setting in enumerate(settings)
        for name in ['WaveCT', 'SEAM'][: 2 - again]
    ]
    first, second = lines_of(tables.again(write(tmp_path / 'table1', runs)))
    assert list(first.values()) == ['first', '70.00', '71.00', '72.00', '73.00']
    assert list(second.values()) == ['second', '80.00', '81.00', '82.00', '83.00']


def test_hours_are_those_of_the_stages_that_were_run(tmp_path):
    cells = ('3x3 conv', 'SEAM key mass', 'a method of no stage')
    runs = [('5 cases', name, 'Dice', 'rib', np.full((2, 1), 80.0)) for name in cells]
    folder = write(tmp_path / 'table1', runs)
    rows = read_rows(folder / 'results.csv')
    pilots = [
        rows[:1].assign(setting='iterations', method=f'{n} iterations', seed=seed)
        for n in plan.CANDIDATES
        for seed in plan.PILOT_SEEDS
    ]
    pilots += [
        rows[:1].assign(setting=run.setting, method=run.method, seed=run.seed)
        for run in plan.stages(600, {})['weights'][:3]
    ]
    write_rows(folder / 'results.csv', pd.concat([rows, *pilots]))
    found = {line['stage']: line for line in lines_of(tables.hours(folder))}
    stages = plan.stages(600, {})
    corners = [
        run
        for run in stages['corners']
        if run.setting == '5 cases' and run.config in ('cell_conv', 'cell_keymass')
    ]
    weights = stages['weights'][:3]  # of a weight one seed of two
    made = {
        'iterations': stages['iterations'],
        'corners': corners,
        'as registered': stages['iterations'] + corners,
        'weights': weights,
        'all': stages['iterations'] + corners + weights,
    }
    assert list(found) == list(made)
    whole = {
        **stages,
        'as registered': sum(plan.registered(600, {}).values(), []),
        'all': sum(stages.values(), []),
    }
    for name, runs in made.items():
        count = f'{len(runs)} of {len(whole[name])}'
        assert found[name]['trainings'] == (
            str(len(runs)) if name == 'iterations' else count
        )
        assert found[name]['core-hours'] == f'{plan.core_hours(runs):.1f}'


def test_the_contrasts_are_those_of_the_plan():
    """Methods have the names of the configs that the plan trains."""
    folder = Path(effects.__file__).with_name('configs')
    name = {
        config: get_config(str(folder / f'{config}.py')).method_name
        for pair in plan.CONTRASTS
        for config in pair
    }
    planned = [effects.against(name[other], [name[own]]) for own, other in plan.CONTRASTS]
    assert effects.CONTRASTS == {key: w for one in planned for key, w in one.items()}
