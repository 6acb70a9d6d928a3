"""The studies: which runs there are, and what their reports say."""
import json
import re

import pytest

from seam_seg.configs import get_config, project_root
from seam_seg.files import write_json


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
    assert len({run.name for run in rates}) == len(rates) == 2 * (1 + 3 * 4)
    for run in rates:  # chosen on cases that no run of the seed is trained on
        files = run.options['test_dataloader']['dataset']['split_files']
        rest = set((tmp_path / files['val']).read_text().split())
        assert len(rest) == 20 and not rest & set(splits[run.seed, 20])


def test_report(tool_module, tmp_path):
    module = tool_module('study_finetune')
    for variant, seed, dice in (('ready-0', 0, 60.0), ('ready-5', 0, 70.0),
                                ('ready-5', 1, 74.0), ('scratch-5', 0, 40.0)):
        (tmp_path / f'{variant}_seed{seed}.json').write_text(json.dumps(
            dict(variant=variant, seed=seed, scores=dict(mDice=dice), per_image={})))
    for variant, dice in (('ready-0', 61.0), ('0.0003-1', 62.0), ('0.0003-5', 64.0),
                          ('0.0003-20', 69.0), ('0.001-1', 55.0)):
        write_json(tmp_path / 'rates' / f'{variant}_seed0.json', dict(
            variant=variant, seed=0, scores=dict(mDice=dice), per_image={}))
    table = module.write_report(tmp_path).splitlines()
    assert table[2] == '| 0 | 60.00 | - |'
    assert table[5] == '| 5 | 72.00 +- 2.83 (2) | 40.00 |'
    assert (tmp_path / 'finetune.png').stat().st_size > 10000
    report = (tmp_path / 'README.md').read_text()
    assert table[5] in report
    for line in ('| 0.001 | 55.00 | - | - | - |', 'on the same cases: 61.00.',
                 '| 0.0003 | 62.00 | 64.00 | 69.00 | 65.00 |'):
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
        module.read_results(project_root() / 'docs/finetune/rates')).splitlines()
    means = {float(cells[0]): float(cells[-1]) for cells in (
        line.strip('| ').split(' | ') for line in table[2:2 + len(module.RATES)])}
    assert len(means) == len(module.RATES)
    cfg = get_config(module.CONFIG)
    assert cfg.optim_wrapper.optimizer.lr == max(means, key=means.get)
    assert cfg.param_scheduler[0].eta_min == cfg.optim_wrapper.optimizer.lr / 100


def test_what_is_said_of_the_choices_is_in_their_table():
    docs = project_root() / 'docs'
    said = (docs / 'choices.md').read_text().split('## Evidence')[1]
    table = (docs / 'choices/README.md').read_text()
    scores = re.findall(r'\d+\.\d\d \+- \d\.\d\d', said)
    intervals = re.findall(r'\[[+-]\d\.\d\d, [+-]\d\.\d\d\]', said)
    assert len(scores) == 8 and len(intervals) == 8
    for quoted in (*scores, *intervals):
        assert quoted in table, quoted
    for inside in ('0.00269', '0.00688', '1.31', '4.69', '0.651'):
        assert inside in said and f'| {inside} |' in table, inside
    # what the choice of the recommended configs rests on
    assert re.search(r'scale-none .* indistinguishable; .* indistinguishable; .* \| 1 \|',
                     table)
