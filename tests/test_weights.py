"""The ready weights: small, safe to load, useful as they are, and a start."""

import hashlib

import cv2
import numpy as np
import pytest
import torch
from mmseg.registry import DATASETS
from vpi_files import READY_CONFIG, write_contract

from seam_seg.apis import init_model, predict_mask
from seam_seg.apis.runs import load_config, set_resume
from seam_seg.datasets import VPIDataset
from seam_seg.datasets.readers import read_mask
from seam_seg.errors import InputError
from seam_seg.evaluation import confusion_counts, dice_jaccard
from seam_seg.weights import READY_URL, READY_WEIGHTS, load_ready

FINETUNE = 'seam-keymass-votes_r18-fpn_1xb4-200_finetune_vpi-512x128'
TINY = [
    'train_cfg.max_iters=2',
    'default_hooks.checkpoint.interval=1',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
]


def test_the_file():
    """Half precision, nothing but data in it, and its origin."""
    assert READY_WEIGHTS.stat().st_size <= 8e6
    content = torch.load(READY_WEIGHTS, weights_only=True)
    floats = {v.dtype for v in content['state_dict'].values() if v.is_floating_point()}
    assert floats == {torch.float16}
    assert content['meta']['config'] == READY_CONFIG
    assert content['meta']['seed'] == 0
    assert torch.equal(
        load_ready(READY_URL)['state_dict']['decode_head.conv_seg.bias'],
        content['state_dict']['decode_head.conv_seg.bias'],
    )
    with pytest.raises(InputError, match='ships one checkpoint'):
        load_ready('seam_seg://other')


def test_finds_bones_it_never_saw(phantom):
    """Three cases of the standard preset; trivial predictors reach about 40."""
    model, dice = init_model(device='cpu'), []
    for info in VPIDataset(str(phantom), 'test').load_data_list():
        truth = cv2.imread(info['seg_map_path'], cv2.IMREAD_UNCHANGED)
        counts = confusion_counts(predict_mask(model, info['img_path']), truth, 4)
        dice.append(dice_jaccard(*counts)[0][1:])
    assert np.shape(dice) == (3, 3) and np.mean(dice) > 0.7


def test_predict_uses_them(tool, phantom, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    image = sorted((phantom / 'dataset/test').glob('*.png'))[0]
    assert tool('predict')([str(image), '--device', 'cpu']) == 0
    written = read_mask(tmp_path / 'predictions' / image.name, 4)
    assert np.array_equal(written, predict_mask(init_model(device='cpu'), image))
    with pytest.raises(SystemExit):  # not under a config that is not theirs
        tool('predict')([str(image), '--config', READY_CONFIG])
    assert '--config: give the --checkpoint' in capsys.readouterr().err


@pytest.mark.slow
def test_fine_tuning_starts_from_them_once(tool, phantom, tmp_path):
    """A first start loads them; a resumed one goes on from its own checkpoint."""
    cfg = load_config(FINETUNE, None, str(phantom), str(tmp_path))
    set_resume(cfg)
    assert cfg.load_from == READY_URL and not cfg.resume
    arguments = [
        FINETUNE,
        '--data-root',
        str(phantom),
        '--work-dir',
        str(tmp_path),
        '--resume',
        '--cfg-options',
        *TINY,
    ]
    # A rate of zero leaves the weights as they were loaded.
    still = ['optim_wrapper.optimizer.lr=0', 'param_scheduler.0.eta_min=0']
    assert tool('train')([*arguments, *still]) == 0
    assert not list(tmp_path.glob('best_*'))  # there is no val.txt: the last is kept
    start = torch.load(READY_WEIGHTS, weights_only=True)['state_dict']
    trained = torch.load(tmp_path / 'iter_2.pth', weights_only=True, map_location='cpu')[
        'state_dict'
    ]
    key = 'decode_head.seam.phi.weight'
    assert torch.equal(trained[key], start[key].float())
    set_resume(cfg)
    assert cfg.resume
    assert tool('train')([*arguments, *still, 'train_cfg.max_iters=3']) == 0
    assert (tmp_path / 'iter_3.pth').is_file()
    log = sorted(tmp_path.glob('*/*.log'))[-1].read_text()
    assert 'iter_2.pth' in log and READY_URL not in log.split('Load')[-1]


@pytest.mark.slow
def test_fine_tuning_selects_on_val_txt(tool, tmp_path):
    """Also where it ends before a validation and a checkpoint are due."""
    root = write_contract(tmp_path / 'data')
    (root / 'val.txt').write_text('a1\na3\n')
    cfg = load_config(FINETUNE, None, str(root))
    trained, validated = (
        DATASETS.build(dict(cfg[f'{part}_dataloader'].dataset)).split_names()
        for part in ('train', 'val')
    )
    assert (trained, validated) == (['a0', 'a2', 'a4'], ['a1', 'a3'])
    words = [FINETUNE, '--data-root', str(root), '--work-dir', str(tmp_path / 'work')]
    options = [word for word in TINY if 'checkpoint.interval' not in word]
    options += [word.replace('train_dataloader', 'val_dataloader') for word in options]
    assert tool('train')([*words, '--cfg-options', *options]) == 0
    names = sorted(path.name for path in (tmp_path / 'work').glob('*.pth'))
    assert names == ['best_bone_mDice_iter_2.pth', 'iter_2.pth']
    drawn = {path.name for path in tmp_path.glob('work/*/vis_data/vis_image/*.png')}
    assert drawn == {'val_a1_2.png', 'val_a3_2.png'}


def test_the_card_is_of_this_file():
    card = READY_WEIGHTS.with_name('README.md').read_text()
    assert hashlib.sha256(READY_WEIGHTS.read_bytes()).hexdigest() in card
