"""Each method's folder under configs/: its README and metafile, against the configs."""

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from seam_seg import get_config
from seam_seg.config_lookup import project_root
from seam_seg.weights import READY_URL

ROOT = project_root()
FOLDERS = sorted(
    path
    for path in (ROOT / 'configs').iterdir()
    if path.is_dir() and path.name != '_base_'
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
        # what is published was trained by the configs of the studies
        assert 'Results' not in model
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
    """The paper's rows, and ours, which are those of the small configs."""
    texts = ''.join((folder / 'README.md').read_text() for folder in FOLDERS)
    paper = set(pd.read_csv(ROOT / 'studies/table1/paper.csv')['Method'])
    small = [path for folder in FOLDERS for path in folder.glob('*-600_phantom-*.py')]
    ours = {get_config(path.stem).method_name for path in small}
    assert len(paper) == 11 and len(ours) == len(small) == 18
    for name in paper | ours:
        expected = (name in paper) + (name in ours)
        assert texts.count(f'\n| {name} | ') == expected, name
