"""docs/correct.md, from end to end: its commands and its code, but for the iterations."""

import glob
import json
import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest

from seam_seg.config_lookup import project_root
from seam_seg.datasets.polygons import fill
from seam_seg.datasets.readers import read_instances, read_mask
from seam_seg.datasets.vpi import read_split

pytestmark = [pytest.mark.slow, pytest.mark.install]
BLOCK = re.compile(r'```python\n((?s:.*?))```|((?:^    \S.*\n(?:^     .*\n)*)+)', re.M)
QUICK = ['train_cfg.max_iters=1', 'train_cfg.val_interval=1']
QUICK += [
    f'{split}_dataloader.{key}'
    for split in ('train', 'val', 'test')
    for key in ('num_workers=0', 'persistent_workers=False')
]


def words_of(command):
    """A command of the page as a shell would split it, in the current folder."""
    command = re.sub(r'\$\(ls (.*?)\)', lambda found: glob.glob(found[1])[0], command)
    words = shlex.split(command)
    return [name for word in words for name in (glob.glob(word) or [word])]


def smaller_bone(name, shape):
    """The pixels of the polygon that was made smaller, before and after."""
    drawing = json.loads(Path(f'round1/polygons/{name}.json').read_text())
    points = np.array(drawing['shapes'][0]['points'])
    middle = points.mean(axis=0)
    return fill([(points - middle) / 0.9 + middle], shape), fill([points], shape)


def test_the_page_goes_round(tool, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = (project_root() / 'docs' / 'correct.md').read_text()
    scope, said = {}, {}
    for code, command in BLOCK.findall(page):
        if code:
            exec(code, scope)
            continue
        command = command.replace('\\\n', ' ')
        if not command.strip().startswith('python tools/'):
            printed = re.sub('^    ', '', command, flags=re.M)
            assert printed in said['prepare_vpi']
            continue
        _, path, *argv = words_of(command)
        name = path[len('tools/') : -len('.py')]
        if name == 'train':
            argv += QUICK
        if name == 'make_phantom':
            argv += ['--workers', '1']
        assert tool(name)(argv) == 0, command
        said[name] = capsys.readouterr().out
    # what has been checked, and nothing else; and who was there has stayed
    cases = [f'phantom_test_000{n}' for n in range(6)]
    data = Path('data/corrected')
    train, test = (read_split(data / f'{split}.txt') for split in ('train', 'test'))
    assert sorted(train + test) == cases and train[-2:] == cases[-2:]
    for case in cases[:4]:
        side = 'test' if case in test else 'train'
        mask = read_mask(data / f'groundtruth/{side}/{case}_bone_3.png', 4)
        bones = read_instances(data / f'instances/{side}/{case}.png', mask)
        # the truth is the prediction, but where the bone was made smaller
        predicted = read_mask(f'round1/{case}.png', 4)
        before, after = smaller_bone(case, mask.shape)
        assert (before ^ after).sum() > 100 and (mask[after] > 0).all()
        assert (mask != predicted)[before & ~after].mean() > 0.5
        assert (mask != predicted)[~(before | after)].mean() < 0.002
        numbers = cv2.imread(f'round1/instances/{case}.png', cv2.IMREAD_UNCHANGED)
        assert len(np.unique(bones)) == len(np.unique(numbers)) > 30
    # each round from the one before
    weights = glob.glob('work_dirs/round1/best_bone_mDice_iter_*.pth')
    assert len(weights) == 1 and f'the weights of {weights[0]}' in said['train']
    assert glob.glob('work_dirs/round2/best_bone_mDice_iter_*.pth')
    again = read_mask(f'round2/{cases[5]}.png', 4)
    assert (again != read_mask(f'round1/{cases[5]}.png', 4)).any()
