"""What the pages point to exists: links, configs, commands; and their code runs."""

import ast
import json
import re

import pytest
from mmseg.registry import MODELS

from seam_seg.config_lookup import config_path, project_root
from seam_seg_cli import COMMANDS

ROOT = project_root()
SKIPPED = {'.venv', 'work_dirs', 'build', 'dist', 'node_modules'}
PAGES = [
    path
    for path in sorted(ROOT.rglob('*.md'))
    if not SKIPPED.intersection(path.relative_to(ROOT).parts)
    and not any(part.startswith('.') for part in path.relative_to(ROOT).parts)
]


def anchors(page):
    """The names that a page's headings get."""
    titles = re.findall(r'^#+ (.+)$', page.read_text(), re.M)
    return {re.sub(r'[^\w -]', '', title.lower()).replace(' ', '-') for title in titles}


def test_pages_are_found():
    names = {path.relative_to(ROOT).as_posix() for path in PAGES}
    assert {'README.md', 'seam_seg/weights/README.md', 'configs/seam/README.md'} < names


def check_links(page, text):
    """Checks that what a text links to is there, seen from its page."""
    for link in re.findall(r'\]\(([^)\s]+)\)', text):
        path, _, anchor = link.partition('#')
        if '://' in link or link.startswith('mailto:'):
            continue
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize('page', PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_configs_and_commands(page):
    text = page.read_text()
    check_links(page, text)
    for name in re.findall(r'[\w-]+_1xb\d+-\w+_[\w-]+', text):
        assert config_path(name).is_file()
    if page.name != 'CHANGELOG.md':  # which names what has gone
        for tool in re.findall(r'\btools/\w+\.py', text):
            assert (ROOT / tool).is_file(), tool
        for command in re.findall(r'\bseam-seg ([a-z]+)', text):
            assert command in COMMANDS, command
    for module in re.findall(r'-m (studies[\w.]*)', text):
        assert (ROOT / module.replace('.', '/')).with_suffix('.py').is_file(), module


def test_notebooks_are_kept_without_outputs():
    """What they give is in tests/test_install.py, which runs them."""
    notebooks = sorted((ROOT / 'docs').rglob('*.ipynb'))
    assert notebooks
    for notebook in notebooks:
        cells = json.loads(notebook.read_text())['cells']
        check_links(notebook, '\n'.join(''.join(cell['source']) for cell in cells))
        code = [cell for cell in cells if cell['cell_type'] == 'code']
        assert code and not any(cell['outputs'] for cell in code)
        assert not any(cell['execution_count'] for cell in code)


def test_head_in_another_config():
    blocks = re.findall(r'```python\n(.*?)```', (ROOT / 'README.md').read_text(), re.S)
    for code in blocks:
        ast.parse(code)
    (config,) = [code for code in blocks if code.startswith('custom_imports')]
    scope = {}
    exec(config, scope)
    head = MODELS.build(scope['model']['decode_head'])
    assert head.num_classes == head.conv_seg.out_channels == 19
