"""The wheel carries the configs, the tools and the ready weights, and finds them."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import seam_seg.config_lookup
from seam_seg.config_lookup import project_root
from seam_seg.weights import READY_WEIGHTS


@pytest.mark.slow
def test_wheel(tmp_path, monkeypatch):
    clone = tmp_path / 'clone'
    clone.mkdir()
    for name in ('setup.py', 'pyproject.toml', 'README.md', 'model-index.yml'):
        shutil.copy(project_root() / name, clone)
    for name in ('seam_seg', 'configs', 'tools'):
        shutil.copytree(project_root() / name, clone / name)
    subprocess.run(
        [
            sys.executable,
            '-m',
            'pip',
            'wheel',
            '--quiet',
            '--no-deps',
            '--no-build-isolation',
            '--wheel-dir',
            str(tmp_path),
            str(clone),
        ],
        check=True,
        timeout=120,
    )
    (wheel,) = tmp_path.glob('seam_seg-*.whl')
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
    for name in (READY_WEIGHTS.name, 'README.md'):
        assert (installed / 'weights' / name).read_bytes() == (
            READY_WEIGHTS.with_name(name).read_bytes()
        )
    monkeypatch.setattr(seam_seg.config_lookup, 'PACKAGE', installed)
    cfg = seam_seg.get_config('seam_r50-fpn_1xb12-80k_vpi-512x256')
    assert cfg.filename.startswith(str(installed / '.mim'))
    assert cfg.model.decode_head.type == 'SEAMHead'
