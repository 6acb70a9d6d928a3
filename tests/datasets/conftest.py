"""A tiny data set in the layout on disk, and a way to run the tools."""

import pytest
from vpi_files import write_contract


@pytest.fixture
def contract(tmp_path):
    """A data set of 5 training and 2 test cases of 64 x 32 pixels."""
    return write_contract(tmp_path / 'vpi')


@pytest.fixture
def run_tool(tool, capsys):
    """Runs a tool's ``main``; returns its status, stdout and stderr."""

    def run(name, *argv):
        capsys.readouterr()
        status = tool(name)([str(arg) for arg in argv])
        return (status, *capsys.readouterr())

    return run


@pytest.fixture
def snapshot():
    """Lists every file below a folder with its bytes."""

    def take(root):
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob('*'))
            if path.is_file()
        }

    return take
