"""The wheel carries the configs, the tools and the ready weights, and finds them."""

import zipfile
from pathlib import Path

import pytest
from wheel_building import build_wheel

import seam_seg.config_lookup
from seam_seg.config_lookup import project_root
from seam_seg.engine import console
from seam_seg.weights import READY_WEIGHTS


@pytest.mark.slow
def test_wheel(tmp_path, monkeypatch):
    wheel = build_wheel(tmp_path)
    site = tmp_path / 'site-packages'
    zipfile.ZipFile(wheel).extractall(site)
    installed = site / 'seam_seg'
    for folder in ('configs', 'tools'):
        original = {
            path.relative_to(project_root() / folder)
            for path in (project_root() / folder).rglob('*')
            if path.is_file() and path.suffix != '.pyc'
        }
        copied = {
            path.relative_to(installed / '.mim' / folder)
            for path in (installed / '.mim' / folder).rglob('*')
            if path.is_file()
        }
        assert original == copied and copied
    templates = Path('report/templates')
    names = {path.name for path in (project_root() / 'seam_seg' / templates).iterdir()}
    assert names == {path.name for path in (installed / templates).iterdir()} and names
    # Without it mmengine does not find seam_seg:: in a _base_.
    index = (project_root() / 'model-index.yml').read_bytes()
    assert (installed / '.mim' / 'model-index.yml').read_bytes() == index
    assert (installed / 'py.typed').is_file() and (site / 'seam_seg_cli.py').is_file()
    (entries,) = site.glob('*.dist-info/entry_points.txt')
    assert 'seam-seg = seam_seg_cli:main' in entries.read_text()
    for name in (READY_WEIGHTS.name, 'README.md'):
        assert (installed / 'weights' / name).read_bytes() == (
            READY_WEIGHTS.with_name(name).read_bytes()
        )
    for module in (seam_seg.config_lookup, console):
        monkeypatch.setattr(module, 'PACKAGE', installed)
    assert console.tool_command('test', 'a b') == "seam-seg test 'a b'"
    text = 'my/tools/train.py: see tools/prepare_vpi.py (or tools/predict.py).'
    assert console.with_commands(text) == (
        'my/tools/train.py: see seam-seg prepare (or seam-seg predict).'
    )
    cfg = seam_seg.get_config('seam_r50-fpn_1xb12-80k_vpi-512x256')
    assert cfg.filename.startswith(str(installed / '.mim'))
    assert cfg.model.decode_head.type == 'SEAMHead'
