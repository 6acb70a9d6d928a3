"""The pages as a site (``make docs``), without a warning; every link leads somewhere."""

import html
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

import seam_seg.apis
import seam_seg.measurement
from seam_seg.config_lookup import project_root

pytestmark = [pytest.mark.slow, pytest.mark.install]
SPHINX = Path(sys.prefix) / 'docs'


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    if not SPHINX.is_dir():
        pytest.skip('Sphinx is not there: make docs installs it')
    out = tmp_path_factory.mktemp('site')
    command = [sys.executable, '-m', 'sphinx', '--quiet', '--fail-on-warning']
    command += ['--conf-dir', 'docs', '--doctree-dir', out / 'doctrees', '.', out]
    found = subprocess.run(
        command,
        cwd=project_root(),
        env=dict(os.environ, PYTHONPATH=str(SPHINX)),
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return out


def test_every_link_and_picture_is_there(site):
    pages = {page: page.read_text() for page in site.rglob('*.html')}
    names = {page.relative_to(site).as_posix() for page in pages}
    assert {'docs/api.html', 'studies/curve/README.html', 'CHANGELOG.html'} < names
    targets = {
        page: {html.unescape(name) for name in re.findall(r'\bid="([^"]*)"', text)}
        for page, text in pages.items()
    }
    checked = 0
    for page, text in pages.items():
        for link in re.findall(r'\b(?:href|src)="([^"]*)"', text):
            path, _, anchor = unquote(html.unescape(link)).partition('#')
            if '://' in path or path.startswith('data:'):
                continue
            target = (page.parent / path.partition('?')[0]).resolve() if path else page
            assert target.exists(), (page, link)
            if anchor:
                assert anchor in targets[target], (page, link)
            checked += 1
    assert checked > 1000


def test_the_api_page_has_what_users_import(site):
    found = (site / 'docs' / 'api.html').read_text()
    for module in (seam_seg.apis, seam_seg.measurement, seam_seg.models):
        for name in module.__all__:
            if name != 'SCHEMA':  # a constant
                assert f'id="{module.__name__}.{name}"' in found, name
    assert 'channels of the input levels' in found  # of SEAMHead's docstring
