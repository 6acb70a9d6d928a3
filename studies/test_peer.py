"""The Unet of another library is that library's, and trains as the ready model does."""

import importlib.util
import re
import sys

import pytest
import torch
from mmengine.structures import PixelData
from mmengine.utils import digit_version
from mmseg.structures import SegDataSample

from seam_seg.apis.inference import build_model
from seam_seg.config_lookup import get_config, project_root
from seam_seg.datasets.phantom import write_phantom
from seam_seg.errors import InputError
from seam_seg.evaluation.rows import read_rows
from studies.blocks import rows_of, value_of
from studies.peer import measure

FOLDER = project_root() / 'studies/peer'
CONFIG = FOLDER / 'configs/unet-resnet18.py'


@pytest.fixture(scope='module')
def cfg():
    return get_config(str(CONFIG))


@pytest.mark.slow
@pytest.mark.skipif(
    digit_version(torch.__version__) < digit_version('2.2'),
    reason='upstream stack: the library is installed beside the pinned one only',
)
def test_the_model_is_that_of_the_library(cfg):
    torch.manual_seed(0)
    model = build_model(cfg)
    library = sys.modules['segmentation_models_pytorch']
    plain = library.Unet('resnet18', encoder_weights=None, in_channels=3, classes=4)
    state = {
        key.replace('backbone.unet.', ''): value
        for key, value in model.state_dict().items()
    }
    plain.load_state_dict(state)  # no layer more or less
    inputs = torch.randn(2, 3, 64, 32)
    samples = [
        SegDataSample(gt_sem_seg=PixelData(data=torch.randint(0, 4, (1, 64, 32))))
        for _ in range(2)
    ]
    # before the forward pass in training mode, which moves the batch norms
    expected = plain.eval()(inputs)
    torch.testing.assert_close(model.eval()._forward(inputs), expected)
    plain.train()
    losses = model.train().loss(inputs, samples)
    labels = torch.cat([sample.gt_sem_seg.data for sample in samples])
    entropy = torch.nn.functional.cross_entropy(plain(inputs), labels)
    assert set(losses) == {'decode.loss_ce', 'decode.acc_seg'}
    torch.testing.assert_close(losses['decode.loss_ce'], entropy)
    losses['decode.loss_ce'].backward()
    assert all(value.grad.abs().sum() > 0 for value in model.parameters())


def test_all_but_the_model_is_that_of_the_ready_weights(cfg):
    base = re.search(r"^_base_ = '(.+)'$", CONFIG.read_text(), re.M)[1]
    ready = get_config(str(CONFIG.parent / base))
    own = {'model', 'method_name', 'custom_imports', 'train_cfg', 'default_hooks'}
    assert {key for key in {*cfg, *ready} if cfg.get(key) != ready.get(key)} == own
    models = [dict(config.model) for config in (cfg, ready)]
    parts = {key for key in models[0] if models[0][key] != models[1].get(key)}
    assert parts == {'backbone', 'neck', 'decode_head'}
    assert cfg.model.decode_head.loss_decode == ready.model.decode_head.loss_decode
    validations = set()
    for config in (cfg, ready):
        interval = config.train_cfg.val_interval
        assert config.default_hooks.checkpoint.interval == interval
        validations.add(config.train_cfg.max_iters // interval)
        config.default_hooks.checkpoint.interval = None
    assert len(validations) == 1 and cfg.default_hooks == ready.default_hooks
    rows = rows_of(FOLDER, measure.TRAINING)
    for config, method in ((ready, 'ready'), (cfg, 'peer')):
        iterations = value_of(rows, 'iterations', method)
        assert config.train_cfg.max_iters == iterations, method


def test_without_the_library_it_says_what_to_install(cfg, monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(InputError, match='-r studies/peer/requirements.txt'):
        sys.modules['smp_unet'].load_library()


def test_as_long_by_hand():
    assert measure.equal_iterations(100, [1.0, 3.0], [4.0, 4.0]) == 50


@pytest.mark.slow
def test_steps_of_two_trainings(tmp_path, monkeypatch, capsys):
    def few(root, *args, **kwargs):
        write_phantom(root, 2, 1, seed=7)

    monkeypatch.setattr(measure, 'write_phantom', few)
    monkeypatch.setattr(measure, 'WARM_UP', 0)
    out = tmp_path / 'rows.csv'
    form = '{}_r18-fpn_1xb8-600_phantom-256x128'
    configs = [form.format('seam-keymass'), form.format('seam-wo-al')]
    words = ['--rounds', '1', '--data-root', str(tmp_path / 'data'), '--out', str(out)]
    assert measure.main([*configs, *words]) == 0
    rows = read_rows(out)
    assert set(rows.setting) == {measure.TRAINING}
    ready, peer = (rows[rows.method == name] for name in ('ready', 'peer'))
    seconds = [value_of_step(part) for part in (ready, peer)]
    assert value_of(ready, 'iterations') == 600
    iterations = value_of(peer, 'iterations')
    assert iterations == round(600 * seconds[0] / seconds[1])
    assert f'{iterations:.0f} iterations' in capsys.readouterr().out
    assert value_of(peer, 'parameters') < value_of(ready, 'parameters')
    config = 'seam-keymass-votes_r18-fpn_1xb4-10800_phantom-512x128'
    weights = project_root() / 'seam_seg/weights/seam-keymass-votes_r18-fpn.pth'
    pair = [str(weights)] * 2
    assert measure.main([config, config, *words, '--checkpoints', *pair]) == 0
    rows = read_rows(out)
    assert (rows.setting == measure.PREDICTION).sum() == 2
    assert len(rows) > 4  # those of the trainings are still there
    with pytest.raises(SystemExit):
        measure.main([*configs, '--rounds', '0'])


def value_of_step(rows):
    """CPU seconds of the only step."""
    return rows[rows.score == 'cpu_seconds']['value'].item()
