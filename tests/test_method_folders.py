"""Each method's folder under configs/: its README and metafile, against the configs."""

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from seam_seg import get_config
from seam_seg.config_lookup import project_root
from seam_seg.evaluation.rows import mean_scores, read_rows
from seam_seg.weights import READY_URL

ROOT = project_root()
FOLDERS = sorted(
    path
    for path in (ROOT / 'configs').iterdir()
    if path.is_dir() and path.name != '_base_'
)
ROWS = read_rows(ROOT / 'studies/table1/results.csv')
MEANS = (
    mean_scores(ROWS[ROWS['setting'] == 'hard, 600 iterations'])[['mDice', 'mJaccard']]
    .groupby('method')
    .mean()
)


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
        in_table = '600_phantom' in model['Name'] and cfg.method_name in MEANS.index
        assert ('Results' in model) == in_table
        if in_table:
            metrics = model['Results'][0]['Metrics']
            assert metrics == MEANS.loc[cfg.method_name].round(2).to_dict()
        assert model.get('Weights', READY_URL) == READY_URL


@pytest.mark.parametrize('folder', FOLDERS, ids=lambda folder: folder.name)
def test_readme(folder):
    """Every config is listed, and both tables are there: studies/report.py fills them."""
    text = (folder / 'README.md').read_text()
    links = re.findall(r'\]\(([^)#]+)', text)
    assert {link[:-3] for link in links if '/' not in link} == {
        path.stem for path in folder.glob('*.py')
    }
    for name in re.findall(r'tools/(?:train|test)\.py (\S+)', text):
        get_config(Path(name).parent.name if name.endswith('.pth') else name)
    for kind in ('paper', 'phantom'):
        assert text.count(f'<!-- rows: {kind}.{folder.name} -->') == 1


def test_every_row_is_in_a_folder():
    texts = ''.join((folder / 'README.md').read_text() for folder in FOLDERS)
    paper = pd.read_csv(ROOT / 'studies/table1/paper.csv')['Method']
    assert len(paper) == 11 and len(MEANS) == 13
    for name in MEANS.index:
        assert texts.count(f'\n| {name} | ') == (2 if name in set(paper) else 1), name
