"""A tiny data set in the layout on disk, and a way to run the tools."""
import importlib.util
from pathlib import Path

import pytest
from vpi_files import write_contract

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


@pytest.fixture
def contract(tmp_path):
    """A data set of 5 training and 2 test cases of 64 x 32 pixels."""
    return write_contract(tmp_path / 'vpi')


@pytest.fixture
def run_tool(capsys):
    """Runs a tool's ``main``; returns its status, stdout and stderr."""

    def run(tool, *argv):
        spec = importlib.util.spec_from_file_location(tool, TOOLS / f'{tool}.py')
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        capsys.readouterr()
        status = module.main([str(arg) for arg in argv])
        return (status, *capsys.readouterr())

    return run


@pytest.fixture
def snapshot():
    """Lists every file below a folder with its bytes."""

    def take(root):
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob('*')) if path.is_file()
        }

    return take
