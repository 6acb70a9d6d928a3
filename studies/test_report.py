"""The reports: what the tables say is what the rows say, and what is claimed holds."""

import importlib
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from mmengine.config import Config

from seam_seg.config_lookup import get_config
from seam_seg.datasets.phantom import HELD_OUT, NEVER_TRAINED, PRESETS
from seam_seg.errors import InputError
from seam_seg.evaluation.rows import COLUMNS, write_rows
from studies import report
from studies.blocks import mean_of, rows_of, value_of
from studies.fine_tuning import tables as fine_tuning
from studies.open_choices import tables as open_choices
from studies.peer import tables as peer
from studies.ready_weights import tables as ready_weights
from studies.ready_weights.changes import CHANGES
from studies.shared_machine import measure as sharing
from studies.shared_machine import tables as shared_machine
from studies.speed import tables as speed
from studies.table1 import effects
from studies.table1 import tables as table1

STUDIES = report.list_studies(report.ROOT)
CLASSES = ('lumbar', 'thoracic', 'rib')
# As in '0.57 [+0.29, +0.84]'; the sign of the first may be left out.
INTERVAL = re.compile(r'(\d+\.\d+) \[([+-]\d+\.\d+), ([+-]\d+\.\d+)\]')


def folder_of(path, *runs):
    """A study of these runs: (setting, method, seed, [(image, class, score, value)])."""
    rows = [
        (path.name, setting, method, seed, image, name, score, value, 'abc1234')
        for setting, method, seed, numbers in runs
        for image, name, score, value in numbers
    ]
    write_rows(path / 'results.csv', pd.DataFrame(rows, columns=COLUMNS))
    return path


def dice(*values, score='Dice'):
    """The same score for all classes of an image, one for each value."""
    return [
        (f'case{i}', name, score, value)
        for i, value in enumerate(values)
        for name in CLASSES
    ]


def cells_of(text):
    """The cells of a table's rows, by the first one."""
    lines = [line.strip('| ').split(' | ') for line in text.split('\n') if '|' in line]
    return {cells[0].strip(): cells[1:] for cells in lines[2:]}


@pytest.mark.parametrize('name', STUDIES)
def test_study(name, tmp_path):
    """Rows of its own, small and without a machine's paths; a page; plots."""
    folder = STUDIES[name]
    assert len(STUDIES) == 13
    report.check_rows(folder)
    rows = rows_of(folder)
    # Scores image by image are long, but Git packs them to a tenth.
    assert (folder / 'results.csv').stat().st_size < 16 * 2**20
    for column in ('setting', 'method', 'image', 'class', 'score', 'commit'):
        assert not rows[column].str.contains(r'(?:^|\s)[/~]|[A-Za-z]:\\').any(), column
    assert np.isfinite(rows['value']).all()
    page = (folder / 'README.md').read_text()
    tables = importlib.import_module(f'studies.{name}.tables')
    for file, draw in tables.PLOTS.items():
        draw(folder, tmp_path / file)
        assert (tmp_path / file).stat().st_size > 10000
        assert file in page and (folder / file).is_file()


@pytest.fixture
def clone(tmp_path):
    """A clone with one study and one page besides."""
    shutil.copytree(STUDIES['demo'], tmp_path / 'studies/demo')
    (tmp_path / 'page.md').write_text(
        'before\n<!-- rows: demo.scores -->\n<!-- end of rows -->\nafter'
    )
    return tmp_path


def test_report_fills_and_checks(clone, capsys):
    arguments = ['--root', str(clone)]
    assert report.main([*arguments, '--check']) == 1
    assert 'page.md: block demo.scores' in capsys.readouterr().err
    assert report.main(arguments) == 0
    page = (clone / 'page.md').read_text()
    assert page.startswith('before\n<!-- rows: demo.scores -->\n\n| ')
    assert page.endswith('|\n\n<!-- end of rows -->\nafter') and '| mean mask |' in page
    assert report.main([*arguments, '--check']) == 0
    # a table that was edited by hand, and rows that have changed since
    (clone / 'page.md').write_text(page.replace('| mean mask |', '| best |'))
    assert report.main([*arguments, '--check']) == 1
    assert (clone / 'page.md').read_text() != page
    assert report.main([*arguments, 'demo']) == 0
    assert (clone / 'page.md').read_text() == page
    path = clone / 'studies/demo/results.csv'
    rows = path.read_text()
    value = rows.splitlines()[1].split(',')[-2]  # a Dice
    path.write_text(rows.replace(f',{value},', ',1,', 1))
    assert report.main([*arguments, '--check']) == 1
    capsys.readouterr()
    for broken, fault in (
        (rows.replace(value, 'good', 1), 'no file of rows'),
        (rows.replace('\ndemo,', '\nother,', 1), "rows of the study 'other'"),
    ):
        path.write_text(broken)
        assert report.main([*arguments, '--check']) == 1
        assert fault in capsys.readouterr().err
    assert report.main([*arguments, 'other']) == 2
    assert 'no study' in capsys.readouterr().err


@pytest.mark.parametrize(
    'text, fault',
    [
        ('<!-- rows: demo.other -->\n<!-- end of rows -->', 'block demo.other'),
        ('<!-- rows: demo.scores -->\n', 'does not end'),
        ('<!-- end of rows -->', 'line 1'),
        ('<!-- rows: demo.scores -->\n<!-- rows: demo.scores -->', 'line 2'),
    ],
)
def test_report_refuses(text, fault, clone, capsys):
    (clone / 'page.md').write_text(text)
    for arguments in ([], ['--check']):
        assert report.main(['--root', str(clone), *arguments]) == 1
        error = capsys.readouterr().err
        assert 'page.md' in error and fault in error
        assert (clone / 'page.md').read_text() == text


def table1_folder(tmp_path, seeds, without=()):
    """A study whose i-th method has 60 + i + seed Dice, 10 less Jaccard, i seconds."""
    names = [*table1.METHODS, 'a control']

    def numbers(name, seed):
        value = names.index(name) + seed
        found = dice(50.0 + value, 70.0 + value) + dice(50.0 + value, score='Jaccard')
        return [*found, ('case0', 'all', 'FaintFound', 40.0 + value)]

    def costs(name):
        seconds = ('round 0', '', 'seconds', names.index(name))
        return [seconds, ('', '', 'parameters', 3e6), ('', '', 'flops', 1e9)]

    ours = [name for name in reversed(names) if name not in table1.PAPER_SIZE]
    settings = [effects.MAIN, *effects.ELSEWHERE]
    folder = folder_of(
        tmp_path / 'table1',
        *(
            (setting, name, seed, numbers(name, seed + i))
            for i, setting in enumerate(settings)
            for name in ours
            for seed in seeds
        ),
        *((table1.COSTS, name, 0, costs(name)) for name in ours if name not in without),
    )
    shutil.copy(STUDIES['table1'] / 'paper.csv', folder)
    return folder


def test_table_of_methods(tmp_path):
    """In the paper's order, of the seeds that all have, with what each costs."""
    folder = table1_folder(tmp_path, range(4))
    text = table1.scores(folder)
    rows = cells_of(text)
    assert list(rows) == [name for name in table1.METHODS if name in rows]
    assert len(rows) == 18

    def mean(value):  # of seeds 0 and 1
        return f'{value + 0.5:.2f} ± 0.71'

    for i, name in enumerate(table1.METHODS):
        if name in rows:
            overlaps = [mean(60 + i), mean(50 + i)] * 4
            assert rows[name] == ['2', *overlaps, f'{i:.3f}', '3.00', '1.00']
    assert text.endswith('All rows come from commit abc1234.')
    seam = table1.METHODS.index('SEAM')
    own = [mean(60 + seam), mean(50 + seam)]
    beside = cells_of(table1.short(folder))
    assert beside['SEAM'] == [*own, f'{seam:.3f}', '81.85', '69.68', '0.37']
    assert beside['DANet'] == ['-', '-', '-', '79.05', '65.86', '0.32']
    assert not table1.VARIANTS & set(beside) and len(beside) == 16
    assert cells_of(table1.row_endpoints(folder))['SEAM'][:2] == ['2', mean(60 + seam)]
    # the i-th of the other test sets has i more
    elsewhere = cells_of(table1.rows_elsewhere(folder))['SEAM']
    faint = [f'{40.5 + seam + i} ± 0.7' for i in (1, 2, 3)]
    assert elsewhere[::2] == [mean(60 + seam + i) for i in (1, 2, 3)]
    assert elsewhere[1::2] == faint


def test_rows_of_a_folder_of_configs(tmp_path, monkeypatch):
    folder = table1_folder(tmp_path, [0, 1])
    monkeypatch.setattr(table1, 'methods_in', lambda path: {'unet': ['UNet']}[path.name])
    (line,) = cells_of(table1.of_phantom(folder, 'unet')).items()
    assert line == ('UNet', [*['62.50 ± 0.71', '52.50 ± 0.71'] * 4, '2.000'])


@pytest.mark.parametrize('seeds, without', [([0], ()), ([0, 1], ['RSNU'])])
def test_nothing_is_said_of_a_part_of_the_methods(seeds, without, tmp_path):
    folder = table1_folder(tmp_path, seeds, without)
    with pytest.raises(InputError, match='RSNU'):
        table1.scores(folder)


def test_transfer_of_styles(tmp_path):
    """A line for each part of the pass, a column for each family."""
    values = dict(style=[1.0, 3.0], reconstruction=[1.0, 1.0], none=[0.0, 0.0])
    runs = [
        (f'{family}, {part}', 'WaveCT', 0, dice(*(10.0 * j + value for value in numbers)))
        for part, numbers in values.items()
        for j, family in enumerate(table1.STYLES)
    ]
    rows = cells_of(table1.transfer(folder_of(tmp_path / 'table1', *runs)))
    assert rows['style'] == ['2.00', '12.00', '22.00']
    # differences 1 and 3: mean 2, standard error 1, and 12.706 of them with one degree
    assert rows['style - none [95%]'] == ['+2.00 [-10.71, +14.71]'] * 3
    assert rows['style - reconstruction [95%]'] == ['+1.00 [-11.71, +13.71]'] * 3


def test_rows_of_several_commits_are_said(tmp_path):
    folder = folder_of(tmp_path / 'fine_tuning', ('scanner test', 'ready-0', 0, dice(60)))
    text = (folder / 'results.csv').read_text()
    other = text.split('\n', 1)[1].replace('ready-0', 'ready-5').replace('abc', 'def')
    (folder / 'results.csv').write_text(text + other)
    assert 'several commits: abc1234 (1 runs), def1234' in fine_tuning.cases(folder)


def test_open_choices_by_hand(tmp_path):
    """Over four images whose differences are 1, 2, 3 and 4, twice the seeds."""
    runs = [
        (setting, method, seed, dice(*(50.0 + seed + step * i for i in range(1, 5))))
        for setting in (open_choices.HELD_OUT, open_choices.VALIDATION)
        for method, step in (('other', 2), ('reference', 1))
        for seed in (0, 1)
    ]
    runs[0][3].append(('', '', 'probe.largest_weight', 0.25))
    folder = folder_of(tmp_path / 'open_choices', *runs)
    rows = cells_of(open_choices.variants(folder))
    assert list(rows) == ['reference', 'other']
    half = 3.182446 * np.std([1, 2, 3, 4], ddof=1) / 2  # t of 3 degrees of freedom
    assert (
        rows['other'][2] == f'+2.50 [{2.5 - half:+.2f}, {2.5 + half:+.2f}]; +2.50, +2.50'
    )
    assert rows['reference'][1:3] == ['53.00 ± 0.71', 'reference']


def test_trials_by_hand(tmp_path):
    folder = folder_of(
        tmp_path / 'fine_tuning',
        ('scanner rest', 'ready-0', 0, dice(61.0)),
        ('scanner rest', 'ready-3e-05-1', 0, dice(62.0)),
        ('scanner rest', 'ready-3e-05-5', 0, dice(64.0)),
        ('scanner rest', 'ready-3e-05-5', 1, dice(66.0)),
        ('scanner rest', 'ready-0.002-1', 0, dice(55.0)),
        ('scanner rest, iterations', 'ready-20-1', 0, dice(63.0)),
    )
    text = fine_tuning.rates(folder)
    assert '| 3e-05 | 62.00 | 65.00 ± 1.41 (2) | 63.50 |' in text
    assert '| 0.002 | 55.00 | - | - |' in text
    assert 'on the same cases: 61.00.' in text
    assert '| 20 | 63.00 | 63.00 |' in fine_tuning.iterations(folder)


def family(value, f1, changed=()):
    """Rows of a family: Dice and F1 of all classes, and Dice under changes."""
    means = [('', name, score, v) for score, v in changed for name in CLASSES]
    f1 = [('', name, score, f1) for name in CLASSES for score in ('F1', 'F1_components')]
    counts = [('', '', 'bones', 40), ('', '', 'doubtful', 4), ('', '', 'seconds', 0.125)]
    auroc = [('', '', key, 0.5) for key in ready_weights.SUSPICIONS.values()]
    doubt = [('', name, 'auroc_doubt', 0.75) for name in ('', 'rib')]
    return [*dice(value - 1, value + 1), *means, *f1, *counts, *auroc, *doubt]


def test_families_by_hand(tmp_path):
    changed = [('Dice, size 0.88', 78), ('Dice, gain 1.3', 81)]
    folder = folder_of(
        tmp_path / 'ready_weights',
        ('scanner test', 'ready', 0, family(79.0, 0.5)),
        ('standard test', 'ready', 0, family(80.0, 0.25, changed)),
        ('standard test', 'before', 0, dice(70.0)),
        ('standard test', 'ceiling', 0, dice(85.0)),
        ('standard test', 'ceiling with faint bones', 0, dice(90.0)),
        ('scanner val', 'recipe', 0, family(60.0, 0.125)),
        ('scanner val', 'recipe', 1, family(62.0, 0.25)),
        ('standard val', 'other', 0, family(80.0, 0.75, changed)),
        ('steps', 'recipe', 0, [('round 0', '', 'cpu_seconds', 2.0)]),
        ('steps', 'other', 0, [('round 0', '', 'cpu_seconds', 3.0)]),
    )
    rows = cells_of(ready_weights.families(folder))
    own = ['80.00'] * 4
    assert list(rows) == ['standard', 'scanner']
    assert rows['standard'] == [*own, '70.00', '85.00', '-5.00', '90.00', '0.12']
    assert rows['scanner'] == [*['79.00'] * 4, *'----', '0.12']
    text = ready_weights.bones(folder)
    assert '| standard | rib | 0.250 | 0.250 | - | - |' in text
    assert text.count('| scanner | ') == 3
    assert cells_of(ready_weights.steadiness(folder)) == {
        'none': ['80.00', '+0.00'],
        'size 0.88': ['78.00', '-2.00'],
        'gain 1.3': ['81.00', '+1.00'],
    }
    expected = ['40', '4', '0.750', '-', '-', '0.750', *['0.500'] * 3]
    assert cells_of(ready_weights.doubt(folder))['scanner'] == expected
    tried = cells_of(ready_weights.screening(folder))
    over_two = ['61.00 ± 1.41', '-', *'---', *['0.188'] * 3, '1.00']
    assert tried['recipe'] == ['2', '-', *over_two]
    assert tried['other'] == ['1', '80.00', '-', '-', *['0.750'] * 3, *'---', '1.50']


def test_growth_by_hand(tmp_path):
    points = [
        (f'{n} positions', '', score, n**power)
        for n in (10, 100, 1000)
        for score, power in (('seconds', 1.5), ('bytes', 2))
    ]
    folder = folder_of(tmp_path / 'speed', ('growth', 'SEAM', 0, points))
    assert cells_of(speed.growth(folder)) == {'SEAM': ['1.50', '2.00']}


def test_way_back_by_hand(tmp_path):
    """Shares are medians of those of each round: 25, 20 and 40% here."""
    runs = {
        name: [(f'round {i}', '', 'seconds', value) for i, value in enumerate(seconds)]
        for name, seconds in (
            ('prediction, without votes', [0.02, 0.05, 0.03]),
            ('mask', [0.005, 0.01, 0.012]),
        )
    }
    folder = folder_of(
        tmp_path / 'speed', *(('way-back', name, 0, runs[name]) for name in runs)
    )
    cells = cells_of(speed.way_back(folder))
    assert cells['prediction, without votes'] == [
        '20.0',
        '30.0',
        '100.0% [100.0%, 100.0%]',
    ]
    assert cells['mask'] == ['5.0', '10.0', '25.0% [20.0%, 40.0%]']


def test_steps_by_hand(tmp_path):
    """Means of the rounds, against that of the first setting alone, and the longest."""
    runs = [
        (job, name, 0, [(f'round {k}', '', 'seconds', value) for k, value in rounds])
        for i, job in enumerate(sharing.JOBS)
        for j, name in enumerate(sharing.SETTINGS)
        for rounds in [enumerate([1.0 + i + j, 1.0 + i + j, 4.0 + i + j])]
    ]
    rows = cells_of(shared_machine.steps(folder_of(tmp_path / 'shared_machine', *runs)))
    assert list(rows) == list(sharing.SETTINGS)
    assert rows[sharing.TORCH][:2] == ['2.00 (1.0), 4.00', '3.00 (1.5), 5.00']
    assert rows['OMP_NUM_THREADS=1'][0] == '6.00 (3.0), 8.00'


def test_models_of_two_libraries_by_hand(tmp_path):
    """Family by family, the ready model first; and as much time for each training."""
    bones = [('', name, 'F1', 0.5 + 0.1 * i) for i, name in enumerate(CLASSES)]
    costs = [('round 0', '', 'cpu_seconds', 1.0), ('round 1', '', 'cpu_seconds', 2.0)]
    folder_of(
        tmp_path / 'ready_weights',
        ('scanner test', 'ready', 0, [*dice(80.0, 90.0), *bones]),
        ('scanner test', 'before', 0, dice(60.0)),
        ('standard test', 'ready', 0, [*dice(91.0), *bones]),
        ('standard val', 'ready', 0, [*dice(50.0), *bones]),
    )
    folder = folder_of(
        tmp_path / 'peer',
        ('scanner test', 'peer', 0, [*dice(70.0, 74.0), *bones]),
        ('prediction', 'ready', 0, [('round 0', '', 'cpu_seconds', 0.25)]),
        ('prediction', 'peer', 0, [('round 0', '', 'cpu_seconds', 0.5)]),
        ('training', 'ready', 0, [*costs, ('', '', 'iterations', 7200)]),
        ('training', 'peer', 0, [*costs, ('', '', 'iterations', 3600)]),
    )
    lines = [line.strip('| ').split(' | ') for line in peer.scores(folder).split('\n')]
    rest = ['0.500', '0.600', '0.700']
    assert [line[:2] for line in lines[2:5]] == [
        ['standard', 'ready model'],
        ['scanner', 'ready model'],
        ['scanner', 'Unet, ResNet-18'],
    ]
    assert lines[3][2:] == [*['85.00'] * 4, *rest]
    assert lines[4][2:] == [*['72.00'] * 4, *rest]
    rows = cells_of(peer.training(folder))
    assert rows['ready model'] == ['-', '1.500', '7200', '3.00', '0.250']
    assert rows['Unet, ResNet-18'] == ['-', '1.500', '3600', '1.50', '0.500']


def test_the_tools_share_a_machine(monkeypatch):
    """What the tools set beside a busy job costs little there."""
    monkeypatch.syspath_prepend(str(report.ROOT / 'tools'))
    monkeypatch.setenv('GOMP_SPINCOUNT', '')  # importing it settles nothing
    spins = importlib.import_module('_threads').SPINS
    seconds = shared_machine.seconds(STUDIES['shared_machine'])
    alone = seconds.loc[sharing.TORCH, sharing.ALONE]
    assert seconds.loc[f'GOMP_SPINCOUNT={spins}', sharing.LOOP] < 2.5 * alone


def test_intervals_in_the_text_are_those_of_the_tables():
    """What a page says in words follows its tables when they are made anew."""
    prose, tables = {}, ''
    for page in report.list_pages(report.ROOT):
        lines = page.read_text().splitlines()
        tables += '\n'.join(line for line in lines if line.startswith('|'))
        words = ' '.join(line for line in lines if not line.startswith('|')).split()
        prose[page] = ' '.join(words)  # an interval may go on in the next line

    def negative(number):
        return number.translate(str.maketrans('+-', '-+'))

    found = 0
    for page, text in prose.items():
        for value, low, high in INTERVAL.findall(text):
            ways = f'[{low}, {high}]', f'[{negative(high)}, {negative(low)}]'
            assert any(f'{value} {way}' in tables for way in ways), (page, value, low)
            found += 1
    assert found > 20


def test_the_demo_is_far_above_trivial_predictors():
    rows = rows_of(STUDIES['demo'])
    means = {
        method: np.mean([mean_of(group, 'Dice', name) for name in CLASSES])
        for method, group in rows.groupby('method')
    }
    assert set(means) == {'SEAM, small', 'mean mask', 'intensity'}
    for name in ('mean mask', 'intensity'):
        assert means['SEAM, small'] > means[name] + 15


def test_fine_tuning_is_as_its_study_chose():
    folder = STUDIES['fine_tuning']
    rates = fine_tuning.tried(folder, fine_tuning.REST)
    cfg = get_config('seam-keymass-votes_r18-fpn_1xb4-200_finetune_vpi-512x128')
    rate = cfg.optim_wrapper.optimizer.lr
    assert len(rates) == 4
    assert rate == max(rates, key=lambda rate: fine_tuning.overall(rates[rate]))
    assert cfg.param_scheduler[0].eta_min == pytest.approx(rate / 100)
    lengths = fine_tuning.tried(folder, fine_tuning.ITERATIONS)
    for count, name in ((1, 'ready-1'), (10, 'ready-10')):
        best = max(lengths, key=lambda length: np.mean(lengths[length][count]))
        own = Config.fromfile(folder / 'configs' / f'{name}.py')
        assert own.train_cfg.max_iters == best


def test_labelled_cases_help_and_one_costs_next_to_nothing():
    found = fine_tuning.curves(STUDIES['fine_tuning'])
    assert set(found) == {'scanner', 'handheld', 'smoothed'}
    means = {
        family: {count: np.mean(values) for count, values in by_count.items()}
        for family, by_count in found.items()
    }
    for family in ('handheld', 'smoothed'):
        assert means[family][1] > means[family][0] + 2
        assert means[family][10] > means[family][1] + 2
    # The weights are as good there as what shows allows: nothing to gain, or to lose.
    assert abs(means['scanner'][1] - means['scanner'][0]) < 0.3


def test_doubt_finds_the_bones_to_correct():
    """The claim of the table of bones, on cases that no model was chosen by."""
    found = ready_weights.families_of(STUDIES['ready_weights'], 'test', 'ready')
    assert {'standard', 'hard', 'scanner'} <= set(found)
    for name, rows in found.items():
        doubt, confidence, size, area = (
            value_of(rows, f'auroc_{key}')
            for key in ('doubt', 'confidence', 'size', 'area')
        )
        if name not in NEVER_TRAINED:
            # 34 of the 3,089 bones of easy are doubtful; area nearly tells them there.
            margin = 0.03 if name == 'easy' else 0.05
            assert doubt > max(size, area) + margin, name
            assert doubt > confidence - 0.02, name


def test_the_goals_of_the_ready_weights():
    """What their card claims, where it has a number."""
    found = ready_weights.families_of(STUDIES['ready_weights'], 'test', 'ready')
    for name, goal in dict(standard=83, scanner=80.5, hard=64).items():
        assert ready_weights.average(found[name]) >= goal
    goals = dict(standard=(0.93, 0.95, 0.80), scanner=(0.90, 0.90, 0.75))
    for name, least in goals.items():
        f1 = [value_of(found[name], 'F1', class_name=key) for key in CLASSES]
        assert (np.array(f1) >= least).all()
        unchanged = ready_weights.average(found[name])
        for change in CHANGES:
            changed = ready_weights.average(found[name], f'Dice, {change}')
            assert changed > unchanged - 1.5, change


def test_the_ceiling_is_above_what_is_shipped():
    """Where all shadows are known; how far below, the table says."""
    methods = ('ready', 'ceiling', 'ceiling with faint bones')
    own, shown, known = (
        ready_weights.families_of(STUDIES['ready_weights'], 'test', method)
        for method in methods
    )
    assert set(shown) == set(known) == {*PRESETS, *HELD_OUT}
    for name, rows in own.items():
        assert ready_weights.average(rows) < ready_weights.average(known[name]), name
    for name, rows in shown.items():
        assert ready_weights.average(rows) <= ready_weights.average(known[name]), name


def test_a_strong_center_loss_costs_dice():
    for setting in (open_choices.HELD_OUT, open_choices.VALIDATION):
        rows = rows_of(STUDIES['open_choices'], setting)
        assert open_choices.paired_interval(rows, 'center-l1-weight10')[2] < 0
        for name in ('scale-none', 'scale-hw', 'center-off', 'center-centroid-class'):
            _, low, high = open_choices.paired_interval(rows, name)
            assert low < 0 < high, name
