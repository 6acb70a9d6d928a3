"""Checkpoints as they are handed on."""

import pytest
import torch
from mmseg.registry import MODELS

from seam_seg.apis import init_model
from seam_seg.apis.publish import publish
from seam_seg.config_lookup import get_config
from seam_seg.datasets import VPIDataset
from seam_seg.engine import carry, own_config
from seam_seg.errors import InputError
from seam_seg.version import __version__

CONFIG = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'


def save(model, path, **meta):
    """As mmengine saves: an optimizer beside the weights, and a meta."""
    meta.update(iter=600, seed=0, dataset_meta=VPIDataset.METAINFO, cfg='secret path')
    torch.save(
        dict(
            state_dict=model.state_dict(), optimizer=dict(x=torch.ones(10**6)), meta=meta
        ),
        path,
    )


def test_publish(tmp_path, tool):
    model = MODELS.build(get_config(CONFIG).model).eval()
    save(model, tmp_path / 'trained.pth')  # an older one
    out = tmp_path / 'published.pth'
    assert tool('publish_model')([CONFIG, str(tmp_path / 'trained.pth'), str(out)]) == 0
    parameters = sum(p.numel() for p in model.parameters())
    assert 2 * parameters < out.stat().st_size < 2.2 * parameters + 2e5
    assert b'secret path' not in out.read_bytes()
    content = torch.load(out, weights_only=True)
    assert content['meta']['config'] == CONFIG and content['meta']['iter'] == 600
    loaded = init_model(checkpoint=out, device='cpu')
    assert loaded.dataset_meta['classes'] == VPIDataset.METAINFO['classes']
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=1e-3, atol=1e-4)


def test_publishes_by_the_config_that_it_carries(tmp_path, tool, capsys):
    cfg = get_config(CONFIG)
    cfg.model.data_preprocessor.mean = [50.0] * 3
    cfg.test_dataloader.dataset.data_root = '/home/somebody/patients'
    save(MODELS.build(cfg.model), tmp_path / 'trained.pth', seam_seg=carry(cfg))
    assert b'patients' in (tmp_path / 'trained.pth').read_bytes()
    out = tmp_path / 'published.pth'
    assert tool('publish_model')([str(tmp_path / 'trained.pth'), str(out)]) == 0
    assert b'patients' not in out.read_bytes()
    meta = torch.load(out, weights_only=True)['meta']
    assert meta['config'] == meta['seam_seg']['config']['name'] == CONFIG
    assert meta['seam_seg']['version'] == __version__
    loaded = init_model(checkpoint=out, device='cpu')
    assert loaded.data_preprocessor.mean.flatten().tolist() == [50.0] * 3
    assert (
        loaded.cfg.model
        == own_config(torch.load(tmp_path / 'trained.pth', weights_only=True), out).model
    )


def test_refuses_what_half_precision_cannot_hold(tmp_path):
    model = MODELS.build(get_config(CONFIG).model)
    model.decode_head.conv_seg.bias.data[0] = 1e6
    save(model, tmp_path / 'trained.pth')
    with pytest.raises(InputError, match='conv_seg.bias does not fit'):
        publish(get_config(CONFIG), tmp_path / 'trained.pth', tmp_path / 'out.pth')
    assert not (tmp_path / 'out.pth').exists()


def test_what_the_center_loss_has_learned(tmp_path):
    """It is of use in training alone, and nobody asks for it or is handed it."""
    config = CONFIG.replace('keymass', 'keymass-offset')
    model = MODELS.build(get_config(config).model).eval()
    learned = {key for key in model.state_dict() if '.loss_center.' in key}
    assert learned
    save(model, tmp_path / 'trained.pth')
    init_model(config, tmp_path / 'trained.pth', 'cpu')
    publish(get_config(config), tmp_path / 'trained.pth', tmp_path / 'published.pth')
    content = torch.load(tmp_path / 'published.pth', weights_only=True)
    assert set(content['state_dict']) == set(model.state_dict()) - learned
    init_model(config, tmp_path / 'published.pth', 'cpu')
    del content['state_dict']['decode_head.conv_seg.weight']
    torch.save(content, tmp_path / 'lacking.pth')
    with pytest.raises(InputError, match='conv_seg.weight is missing'):
        init_model(config, tmp_path / 'lacking.pth', 'cpu')
