"""The pages of the repository as a site: ``make docs``.

Sphinx reads the repository itself, so that each page keeps its place: links and pictures
work in both. The API page is made from the docstrings of the package.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from seam_seg.version import __version__  # noqa: E402

project = 'seam_seg'
copyright = 'the seam_seg developers, Apache-2.0'
version = release = __version__
extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon']
root_doc = 'README'
include_patterns = [
    '*.md',
    'docs/*.md',
    'configs/*/README.md',
    'studies/**.md',
    'data/README.md',
    'seam_seg/weights/README.md',
]
exclude_patterns = ['.*', 'build', 'dist', 'work_dirs', 'data/*/**']

myst_heading_anchors = 4
autodoc_member_order = 'bysource'
autodoc_typehints = 'none'  # the docstrings say them, with shapes and units
strip_signature_backslash = True  # so that napoleon keeps lambda_ as it is
napoleon_use_ivar = True  # attributes as a list

html_theme = 'furo'
html_title = f'seam_seg {__version__}'
html_copy_source = False
html_extra_path = ['site']  # index.html, since the first page is README.html

# The pages by subject; a page that is not named comes last in its group.
CONTENTS = """
```{toctree}
:hidden:
:caption: Use
:glob:
docs/install
docs/predict
docs/your-data
docs/correct
docs/train-and-test
docs/python
docs/curve
docs/onnx
docs/mmseg
docs/phantom
docs/results
docs/structure
docs/choices
docs/*
```
```{toctree}
:hidden:
:caption: Weights, data, configs
:glob:
seam_seg/weights/README
data/README
configs/*/README
```
```{toctree}
:hidden:
:caption: Project
:glob:
CONTRIBUTING
CHANGELOG
studies/README
studies/**
```
"""


def add_contents(app, docname, source):
    """Adds the contents to the first page, which is the README of the repository."""
    if docname == root_doc:
        source[0] += CONTENTS


def setup(app):
    app.connect('source-read', add_contents)
