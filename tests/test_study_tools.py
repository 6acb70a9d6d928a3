"""The studies: which runs there are, and what their reports say."""
import json

import pytest

from seam_seg.configs import project_root


def test_runs_are_nested_and_paired(tool_module, tmp_path):
    module = tool_module('study_finetune')
    names = [f'case{i}' for i in range(40)]
    (tmp_path / 'train.txt').write_text('\n'.join(names))
    runs = module.list_runs(tmp_path, [0, 1])
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


def test_report(tool_module, tmp_path):
    module = tool_module('study_finetune')
    for variant, seed, dice in (('ready-0', 0, 60.0), ('ready-5', 0, 70.0),
                                ('ready-5', 1, 74.0), ('scratch-5', 0, 40.0)):
        (tmp_path / f'{variant}_seed{seed}.json').write_text(json.dumps(
            dict(variant=variant, seed=seed, scores=dict(mDice=dice), per_image={})))
    table = module.write_report(tmp_path).splitlines()
    assert table[2] == '| 0 | 60.00 | - |'
    assert table[5] == '| 5 | 72.00 +- 2.83 (2) | 40.00 |'
    assert (tmp_path / 'finetune.png').stat().st_size > 10000
    assert table[5] in (tmp_path / 'README.md').read_text()


@pytest.mark.parametrize('name', ['finetune', 'choices'])
def test_committed_report_is_that_of_the_committed_runs(name, tool_module, tmp_path):
    """Nobody edits the table by hand."""
    folder = project_root() / 'docs' / name
    for path in folder.glob('*.json'):
        (tmp_path / path.name).write_text(path.read_text())
    tool_module(f'study_{name}').write_report(tmp_path)
    assert (tmp_path / 'README.md').read_text() == (folder / 'README.md').read_text()
