"""What the README says is true: its code runs, its names exist, its figures are files."""

import json
import re

import pandas as pd
import pytest
from mmseg.registry import MODELS

from seam_seg.config_lookup import config_path, project_root

README = (project_root() / 'README.md').read_text()


def test_head_in_another_config():
    (code,) = re.findall(r'```python\n(custom_imports.*?)```', README, re.S)
    scope = {}
    exec(code, scope)
    head = MODELS.build(scope['model']['decode_head'])
    assert head.num_classes == head.conv_seg.out_channels == 19


def test_links_and_configs_exist():
    links = re.findall(r'\]\(([^)#]+)\)', README)
    local = [link for link in links if '://' not in link]
    assert len(local) >= 12
    for link in local:
        assert (project_root() / link).exists(), link
    for name in re.findall(r'[\w-]+_1xb\d+-\w+_[\w-]+', README):
        assert config_path(name).is_file()


def test_speed_is_that_of_the_files():
    def found(part):
        path = project_root() / f'docs/speed/{part}.json'
        return json.loads(path.read_text())['found']

    def ratio(costs, name, key='seconds'):
        return f'{min(costs[name][key]) / min(costs["Vanilla FPN"][key]):.2f}'

    part = ' '.join(
        README.split('**Speed.**')[1].split('**Cross-validation.**')[0].split()
    )
    inference, training = found('inference'), found('training')
    flops = inference['SEAM']['flops'] / inference['Vanilla FPN']['flops']
    for words in (
        f'SEAM takes {ratio(inference, "SEAM, key mass")} of the time',
        f'SEAM takes {ratio(inference, "SEAM")} of the time',
        f'{flops:.2f} of its operations',
        f'{ratio(training, "SEAM")} of it for a training step',
        f'takes {ratio(inference, "EMANet")} for an image',
        f"NonLocal's {ratio(inference, 'NonLocal')}",
        f"DANet's {ratio(inference, 'DANet')}",
    ):
        assert words in part, words


def test_table_of_methods_is_that_of_the_files():
    folder = project_root() / 'docs/table1'
    paper, phantom = (
        pd.read_csv(folder / f'{name}.csv', dtype=str).set_index('Method').fillna('')
        for name in ('paper', 'table')
    )
    part = README.split('**Methods on one footing.**')[1].split('**Speed.**')[0]
    rows = {
        cells[0]: cells[1:]
        for cells in (
            [cell.strip() for cell in line.strip('|').split('|')]
            for line in part.splitlines()
            if line.startswith('| ')
        )
    }
    rows.pop('')
    assert list(rows) == list(phantom.index)
    for name, cells in rows.items():
        assert cells[:6] == list(
            phantom.loc[
                name,
                [
                    'Ave. D (%)',
                    'Ave. J (%)',
                    'HD95 (px)',
                    'R (s)',
                    'SEAM - this',
                    'p (Holm)',
                ],
            ]
        ), name
        assert cells[6:] == (
            list(paper.loc[name, ['Ave. D', 'Ave. J', 'R (s)']])
            if name in paper.index
            else ['-'] * 3
        ), name


def test_demo_figures_are_those_of_the_files():
    folder = project_root() / 'docs/demo'
    scores = json.loads((folder / 'dice_jaccard.json').read_text())
    trivial = json.loads((folder / 'trivial_baselines.json').read_text())
    rows = {
        cells[0]: cells[1:]
        for cells in (
            [cell.strip() for cell in line.strip('|').split('|')]
            for line in README.splitlines()
            if line.startswith('|')
        )
    }
    names = ('lumbar', 'thoracic', 'rib')
    expected = [scores[f'{key}.{name}'] for name in names for key in ('Dice', 'Jaccard')]
    expected += [scores['mDice'], scores['mJaccard']]
    assert [float(cell) for cell in rows['SEAM, small'][:8]] == pytest.approx(
        expected, abs=0.005
    )
    assert float(rows['SEAM, small'][8]) == pytest.approx(scores['R'], abs=0.0005)
    for name, result in trivial.items():
        assert [float(cell) for cell in rows[name][:8:2]] == pytest.approx(
            [result[key] for key in (*names, 'average')], abs=0.005
        )
        # the claim of the phantom: a trained model is far above the trivial ones
        assert scores['mDice'] - result['average'] >= 15
