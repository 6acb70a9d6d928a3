"""Imports the tools, which are no package."""

import importlib.util
import sys

from seam_seg.config_lookup import project_root


def load_tool(name):
    """tools/NAME.py as a module."""
    path = project_root() / 'tools' / f'{name}.py'
    if str(path.parent) not in sys.path:  # where it finds what lies beside it
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(f'tool_{name}', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
