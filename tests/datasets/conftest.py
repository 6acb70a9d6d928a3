"""A tiny data set in the layout on disk, and a way to run the tools."""
import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


def draw_case(seed, shape=(64, 32)):
    """A grey image and a mask with a block of every class, (H, W) uint8 each."""
    height, width = shape
    mask = np.zeros(shape, np.uint8)
    for label in (1, 2, 3):
        top = height * label // 5
        mask[top:top + height // 8, width // 4:3 * width // 4] = label
    noise = np.random.default_rng(seed).integers(100, 200, shape, dtype=np.uint8)
    return np.where(mask > 0, noise // 3, noise), mask


def write_image(path, pixels):
    """Writes a file, and makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def write_contract(root, train=5, test=2, shape=(64, 32)):
    """Writes a data set; the cases are called a0, a1, ... and t0, t1, ..."""
    for split, letter, count in (('train', 'a', train), ('test', 't', test)):
        names = [f'{letter}{i}' for i in range(count)]
        for i, name in enumerate(names):
            image, mask = draw_case([ord(letter), i], shape)
            write_image(root / 'dataset' / split / f'{name}.png', image)
            write_image(root / 'groundtruth' / split / f'{name}_bone_3.png', mask)
        (root / f'{split}.txt').write_text('\n'.join(names) + '\n')
    return root


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
