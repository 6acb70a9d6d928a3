"""The check at import: one message, with the line that mends the installation."""

import ast
import importlib
import subprocess
import sys
import types

import pytest
import torch

from seam_seg import stack
from seam_seg.config_lookup import project_root


def fake_import(monkeypatch, **results):
    """Replaces what importing a module gives; an exception is raised."""
    real = importlib.import_module

    def import_module(name):
        result = results.get(name)
        if isinstance(result, Exception):
            raise result
        return real(name) if result is None else types.SimpleNamespace(__version__=result)

    monkeypatch.setattr(stack.importlib, 'import_module', import_module)


def test_tested_stack_passes():
    stack.check_stack()


def test_torch_is_silent_on_pickles(tmp_path, recwarn):
    stack.check_stack()
    torch.save(dict(a=torch.zeros(1)), tmp_path / 'a.pth', pickle_protocol=3)
    assert torch.load(tmp_path / 'a.pth', weights_only=True)['a'] == 0
    # torch 2.1 warns of its own TypedStorage whatever it reads.
    assert not [w for w in recwarn.list if 'TypedStorage' not in str(w.message)]


@pytest.mark.parametrize('name', ['mmengine', 'mmcv', 'mmseg'])
def test_missing(monkeypatch, name):
    fake_import(monkeypatch, **{name: ModuleNotFoundError(f'No module named {name!r}')})
    with pytest.raises(ImportError) as error:
        stack.check_stack()
    assert name in str(error.value) and stack.ONEDL in str(error.value)


@pytest.mark.parametrize(
    'name,version',
    [('mmengine', '0.8.4'), ('mmcv', '1.7.2'), ('mmcv', '2.4.0'), ('mmseg', '0.30.0')],
)
def test_unsuitable(monkeypatch, name, version):
    fake_import(monkeypatch, **{name: version})
    with pytest.raises(ImportError, match=f'{name} {version} is installed'):
        stack.check_stack()


@pytest.mark.parametrize(
    'name,version',
    [('mmengine', '0.10.7'), ('mmcv', '2.1.0'), ('mmseg', '1.2.2'), ('mmcv', '2.2.0rc1')],
)
def test_upstream_versions_are_accepted(monkeypatch, name, version):
    fake_import(monkeypatch, **{name: version})
    stack.check_stack()


@pytest.mark.slow
def test_tools_need_no_package_of_another_tool():
    """Those that the benchmark, the export, formats and the tests have on top."""
    paths = (project_root() / 'tools').glob('*.py')
    lines = [
        ast.unparse(node)
        for path in sorted(paths)
        if path.stem not in ('benchmark', '_benchmark')
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    code = (
        'import sys\n'
        'for name in ("pandas", "monai", "tabulate", "onnx", "onnxruntime", "hypothesis",'
        ' "pytest", "torchvision", "tensorboard", "pydicom", "nibabel", "nrrd"):\n'
        '    sys.modules[name] = None\n'
        f'sys.path.append({str(project_root() / "tools")!r})\n'
    ) + '\n'.join(lines)
    assert code.count('from seam_seg.') > 20
    found = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr


def test_without_libgl(monkeypatch):
    fake_import(monkeypatch, cv2=ImportError('libGL.so.1: cannot open shared object'))
    with pytest.raises(ImportError, match='apt-get install -y libgl1'):
        stack.check_stack()


def test_mmseg_refusing_its_mmcv(monkeypatch):
    fake_import(monkeypatch, mmseg=AssertionError('MMCV==2.3.0 is used but ...'))
    with pytest.raises(ImportError, match='MMCV==2.3.0'):
        stack.check_stack()
