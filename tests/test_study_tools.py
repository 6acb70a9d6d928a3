"""The studies: which runs there are, and what their reports say."""

import json
import re

import numpy as np
import pytest

from seam_seg.atomic import write_json
from seam_seg.config_lookup import get_config, project_root
from seam_seg.weights import READY_WEIGHTS


def test_runs_are_nested_and_paired(tool_module, tmp_path):
    module = tool_module('study_finetune')
    names = [f'case{i}' for i in range(40)]
    (tmp_path / 'train.txt').write_text('\n'.join(names))
    module.write_splits(tmp_path, [0, 1])
    runs = module.list_runs([0, 1])
    assert len(runs) == 1 + 2 * 2 * 5
    assert len({(run.variant, run.seed) for run in runs}) == len(runs)
    splits = {}
    for run in runs[1:]:
        start, count = run.variant.split('-')
        assert ('load_from' in run.options) == (start == 'scratch')
        file = run.options['train_dataloader']['dataset']['split_files']['train']
        listed = (tmp_path / file).read_text().split()
        assert len(listed) == int(count) and set(listed) <= set(names)
        # both starts get the same cases
        assert splits.setdefault((run.seed, int(count)), listed) == listed
    for seed in (0, 1):
        for few, more in zip(module.LABELLED, module.LABELLED[1:]):
            assert set(splits[seed, few]) < set(splits[seed, more])
    assert splits[0, 5] != splits[1, 5]
    rates = module.list_rate_runs([0, 1])
    # two seeds of the ready weights and four rates, one of three rates from scratch
    assert len({run.name for run in rates}) == len(rates) == 2 * (1 + 3 * 4) + 3 * 3
    for run in rates:  # chosen on cases that no run of the seed is trained on
        files = run.options['test_dataloader']['dataset']['split_files']
        rest = set((tmp_path / files['val']).read_text().split())
        assert len(rest) == 20 and not rest & set(splits[run.seed, 20])
        if run.variant == 'ready-0':
            assert run.checkpoint == READY_WEIGHTS
            continue
        start, rate, count = re.fullmatch(
            r'(ready|scratch)-(.+)-(\d+)', run.variant
        ).groups()
        assert ('load_from' in run.options) == (start == 'scratch')
        assert run.options['optim_wrapper']['optimizer']['lr'] == float(rate)
        assert run.options['param_scheduler']['0']['eta_min'] == float(rate) / 100
        file = run.options['train_dataloader']['dataset']['split_files']['train']
        assert file == f'labelled-{count}_seed{run.seed}.txt'


def test_report(tool_module, tmp_path):
    module = tool_module('study_finetune')
    for variant, seed, dice in (
        ('ready-0', 0, 60.0),
        ('ready-5', 0, 70.0),
        ('ready-5', 1, 74.0),
        ('scratch-5', 0, 40.0),
    ):
        (tmp_path / f'{variant}_seed{seed}.json').write_text(
            json.dumps(
                dict(variant=variant, seed=seed, scores=dict(mDice=dice), per_image={})
            )
        )
    for variant, dice in (
        ('ready-0', 61.0),
        ('ready-0.0003-1', 62.0),
        ('ready-0.0003-5', 64.0),
        ('ready-0.0003-20', 69.0),
        ('scratch-0.002-1', 55.0),
    ):
        write_json(
            tmp_path / 'rates' / f'{variant}_seed0.json',
            dict(variant=variant, seed=0, scores=dict(mDice=dice), per_image={}),
        )
    table = module.write_report(tmp_path).splitlines()
    assert table[2] == '| 0 | 60.00 | - |'
    assert table[5] == '| 5 | 72.00 +- 2.83 (2) | 40.00 |'
    assert (tmp_path / 'finetune.png').stat().st_size > 10000
    report = (tmp_path / 'README.md').read_text()
    assert table[5] in report
    for line in (
        '| from scratch | 0.002 | 55.00 | - | - | - |',
        'on the same cases: 61.00.',
        '| from the ready weights | 0.0003 | 62.00 | 64.00 | 69.00 | 65.00 |',
    ):
        assert line in report


@pytest.mark.parametrize('name', ['finetune', 'choices'])
def test_committed_report_is_that_of_the_committed_runs(name, tool_module, tmp_path):
    """Nobody edits the table by hand."""
    folder = project_root() / 'docs' / name
    for path in folder.rglob('*.json'):
        copy = tmp_path / path.relative_to(folder)
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(path.read_text())
    tool_module(f'study_{name}').write_report(tmp_path)
    assert (tmp_path / 'README.md').read_text() == (folder / 'README.md').read_text()


def test_the_config_has_the_rate_that_the_study_chose(tool_module):
    module = tool_module('study_finetune')
    table = module.rate_table(
        module.read_results(project_root() / 'docs/finetune/rates')
    ).splitlines()
    means = {
        float(cells[1]): float(cells[-1])
        for cells in (line.strip('| ').split(' | ') for line in table)
        if 'ready' in cells[0]
    }
    assert len(means) == len(module.RATES['ready'])
    cfg = get_config(module.CONFIG)
    assert cfg.optim_wrapper.optimizer.lr == max(means, key=means.get)
    assert cfg.param_scheduler[0].eta_min == pytest.approx(
        cfg.optim_wrapper.optimizer.lr / 100
    )


def test_the_readme_tells_what_fine_tuning_gave(tool_module):
    module = tool_module('study_finetune')
    results = module.read_results(project_root() / 'docs/finetune')
    readme = ' '.join((project_root() / 'README.md').read_text().split())
    dice = {
        start: {
            count: np.mean(values)
            for count, values in module.dice_of(results, start).items()
        }
        for start in module.STARTS
    }
    ready, scratch = dice['ready'], dice['scratch']
    assert (
        f'average Dice of {ready[0]:.1f}% without any labelled case, more than '
        f'training from scratch with 20 ({scratch[20]:.1f}%)'
    ) in readme
    assert ready[0] > scratch[20]
    later = ', '.join(f'{ready[count]:.1f}' for count in (2, 5, 10))
    assert f'one labelled case {ready[1]:.1f}%' in readme and ready[1] < ready[0]
    assert f'2, 5, 10 and 20 reach {later} and {ready[20]:.1f}%' in readme
    rates = {
        name: runs[0]['scores']['mDice']
        for name, runs in module.read_results(
            project_root() / 'docs/finetune/rates'
        ).items()
    }
    ahead = rates['scratch-0.006-20'] - rates['ready-0']
    behind = rates['ready-0'] - rates['scratch-0.006-5']
    assert f'ends {ahead:.1f} points ahead' in readme
    assert f'5 cases {behind:.1f} behind' in readme


def test_no_result_names_a_path_of_the_machine_that_made_it():
    files = [path for path in (project_root() / 'docs').rglob('*.json')]
    assert len(files) > 100
    for path in files:
        found = json.loads(path.read_text())
        words = (found.get('command') or '').split() if isinstance(found, dict) else []
        assert not [word for word in words if word.startswith('/')], path


def test_what_is_said_of_the_choices_is_in_their_table():
    docs = project_root() / 'docs'
    said = ' '.join((docs / 'choices.md').read_text().split('## Evidence')[1].split())
    rows = {
        cells[0]: cells[1:]
        for cells in (
            line.strip('| ').split(' | ')
            for line in (docs / 'choices/README.md').read_text().splitlines()
            if line.startswith('| ')
        )
    }
    held_out, against, validation, against_there, weight, ratio = (
        {name: cells[i] for name, cells in rows.items()} for i in range(1, 7)
    )

    def interval(cell):
        return re.search(r'\[[^]]+\]', cell)[0]

    def three(columns):
        return '{}, {} and {}'.format(
            *(columns[name] for name in ('scale-none', 'reference', 'scale-hw'))
        )

    for phrase in (
        f'{three(held_out)} on `scanner`, {three(validation)} on `standard`',
        f'as printed against the mass: {interval(against["scale-none"])} and '
        f'{interval(against_there["scale-none"])}',
        f'mean largest weight {weight["scale-none"]})',
        f'By the mass it is {weight["reference"]}.',
        f'is {ratio["reference"]} of |grad L_cls| on the key '
        f'({ratio["center-centroid-class"]} with one center per class)',
        f'same ({held_out["center-off"]}; {interval(against["center-off"])})',
        f'({held_out["center-centroid-class"]}; '
        f'{interval(against["center-centroid-class"])})',
    ):
        assert phrase in said, phrase
    for name, word in (
        ('center-l1-weight10', 'gradients is'),
        ('center-offset-instance', 'has a ratio of'),
    ):
        assert f'{word} {ratio[name]}' in said
        for column in (against, against_there):
            loss = column[name].split()[0].lstrip('-')
            seeds = column[name].split('; ')[1]
            assert f'{loss} ({interval(column[name])}; seeds {seeds})' in said, name
    for name in ('scale-none', 'scale-hw', 'center-off', 'center-centroid-class'):
        assert 'indistinguishable' in against[name] + against_there[name]
