"""Each method's folder under configs/: its README and metafile, against the configs."""

import re

import pandas as pd
import pytest
import yaml

from seam_seg import get_config
from seam_seg.config_lookup import project_root

ROOT = project_root()
FOLDERS = sorted(
    path
    for path in (ROOT / 'configs').iterdir()
    if path.is_dir() and path.name != '_base_'
)
PAPER = pd.read_csv(ROOT / 'docs/table1/paper.csv', dtype=str).set_index('Method')
PHANTOM = pd.read_csv(ROOT / 'docs/table1/table.csv', dtype=str).set_index('Method')
ROWS = {path.stem.rsplit('_seed')[0] for path in (ROOT / 'docs/table1').glob('*_seed*')}
SHOWN = [
    f'{bone} {key} (%)' for bone in ('Lumbar', 'Thoracic', 'Rib', 'Ave.') for key in 'DJ'
] + ['R (s)']


def rows_of(text):
    """Method -> cells of the tables in a text."""
    rows = [
        [cell.strip() for cell in line.strip('|').split('|')]
        for line in text.splitlines()
        if re.match(r'\| [A-Z]', line)
    ]
    return {name: cells for name, *cells in rows}


def test_index():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
    assert index == [f'configs/{folder.name}/metafile.yml' for folder in FOLDERS]
    assert len(FOLDERS) == 9


@pytest.mark.parametrize('folder', FOLDERS, ids=lambda folder: folder.name)
def test_metafile(folder):
    content = yaml.safe_load((folder / 'metafile.yml').read_text())
    (collection,) = content['Collections']
    assert (ROOT / collection['README']).parent == folder
    assert collection['Paper']['URL'].startswith('https://')
    leaves = {path.stem for path in folder.glob('*.py')}
    assert {model['Name'] for model in content['Models']} == leaves
    assert len(content['Models']) == len(leaves)
    for model in content['Models']:
        assert model['In Collection'] == collection['Name']
        assert (ROOT / model['Config']).stem == model['Name']
        cfg = get_config(model['Name'])
        assert model['Metadata']['Batch Size'] == cfg.train_dataloader.batch_size
        on_phantom = cfg.train_dataloader.dataset.data_root == 'data/phantom'
        data = 'VPI phantom' if on_phantom else 'VPI'
        assert model['Metadata']['Training Data'] == data
        in_table = model['Name'] in ROWS
        assert ('Results' in model) == in_table
        if in_table:
            metrics = model['Results'][0]['Metrics']
            row = PHANTOM.loc[cfg.method_name]
            for key, title in (('mDice', 'Ave. D (%)'), ('mJaccard', 'Ave. J (%)')):
                assert f'{metrics[key]:.2f}' == row[title].split(' ')[0]
        assert (ROOT / model.get('Weights', model['Config'])).exists()


@pytest.mark.parametrize('folder', FOLDERS, ids=lambda folder: folder.name)
def test_readme(folder):
    """Every config is listed, links lead somewhere, the rows are those of both tables."""
    text = (folder / 'README.md').read_text()
    links = re.findall(r'\]\(([^)#]+)', text)
    assert {link[:-3] for link in links if '/' not in link} == {
        path.stem for path in folder.glob('*.py')
    }
    assert all((folder / link).exists() for link in links if '://' not in link)
    for name in re.findall(r'tools/(?:train|test)\.py (\S+)', text):
        get_config(name)
    paper, phantom = map(rows_of, text.split('## Results')[1].split('On the phantom'))
    assert paper and phantom.keys() >= paper.keys()
    for rows, table, shown in ((paper, PAPER, list(PAPER)), (phantom, PHANTOM, SHOWN)):
        for name, cells in rows.items():
            assert cells == list(table.loc[name, shown])


def test_every_row_is_in_a_folder():
    texts = ''.join((folder / 'README.md').read_text() for folder in FOLDERS)
    assert len(PAPER) == 11 and len(PHANTOM) == 13
    for table, times in ((PAPER, 2), (PHANTOM.drop(PAPER.index), 1)):
        assert all(texts.count(f'\n| {name} | ') == times for name in table.index)
