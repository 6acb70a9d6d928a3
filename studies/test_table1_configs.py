"""The rows and cells of Table 1 are what they are called."""

import functools
from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import HOOKS, MODELS
from mmseg.structures import SegDataSample

from seam_seg.config_lookup import get_config, project_root
from studies.table1 import plan

CONFIGS = project_root() / 'studies/table1/configs'
init_default_scope('mmseg')
CELLS = {
    (attention, center, key): '-'.join(
        [f'cell_{attention}', *['center'] * center, *['key'] * key]
    )
    for attention in ('conv', 'printed', 'keymass')
    for center in (False, True)
    for key in (False, True)
}
# Rows whose model is that of a config of the package, but for where it starts.
SMALL = '1xb8-600_phantom-256x128'
SAME = {
    'fpn': 'fpn_r18',
    'fpn-conv': 'fpn-conv_r18',
    'unet': 'unet_s5-d16-small',
    'rsnu': 'rsnu_r18-fpn',
    'rsnu-conv': 'rsnu-conv_r18-fpn',
    'rsnu-unet': 'rsnu_unet-s5-d16-small',
    'danet': 'danet_r18-fpn',
    'emanet': 'emanet_r18-fpn',
    'nonlocal': 'nonlocal_r18-fpn',
    'seam': 'seam_r18-fpn',
    'seam-wo-ss': 'seam-wo-ss_r18-fpn',
    'seam-wo-al': 'seam-wo-al_r18-fpn',
    'seam-wo-al-conv': 'seam-wo-al-conv_r18-fpn',
    'seam-keymass': 'seam-keymass_r18-fpn',
    'seam-keymass-center': 'seam-keymass-center_r18-fpn',
    'seam-keymass-offset': 'seam-keymass-offset_r18-fpn',
    'ppmu': 'ppmu-small',
}
ROWS = [*SAME, 'wavect', 'fpn-conv-coordinates']


@functools.lru_cache(maxsize=None)
def config(name):
    return get_config(str(CONFIGS / f'{name}.py'))


def build(name):
    """A model with random weights: the start is not there yet."""
    torch.manual_seed(0)
    return MODELS.build(config(name).model)


def batch():
    """Two drawn images, 64 x 32, with bones of each class."""
    label = torch.zeros(2, 64, 32, dtype=torch.long)
    label[:, 4:12, 4:12] = label[:, 20:28, 18:28] = 1
    label[:, 30:38, 6:14] = 2
    label[1, 46:58, 8:26] = 3
    image = 40 + 60 * (label > 0) + 40 * torch.rand(label.shape)
    samples = [
        SegDataSample(
            gt_sem_seg=PixelData(data=one[None]),
            metainfo=dict(ori_shape=(160, 80), img_shape=(64, 32)),
        )
        for one in label
    ]
    return dict(inputs=list(image[:, None].byte()), data_samples=samples)


def losses_of(model):
    prepared = model.data_preprocessor(batch(), training=True)
    return model(**prepared, mode='loss')


@pytest.mark.slow
def test_every_row_and_cell_is_there():
    """Those that the plan names, and no two of a name."""
    assert set(plan.CELLS) == set(CELLS.values()) and len(CELLS) == 12
    planned = {*plan.CONTRAST_ROWS, *plan.OTHER_ROWS} - {'fpn-conv-levels'}
    assert planned <= {*ROWS, *CELLS.values()}
    names = [config(name).method_name for name in [*ROWS, *CELLS.values()]]
    assert len(set(names)) == len(names)


@pytest.mark.slow
def test_rows_differ_in_the_model_alone():
    """But for their names, and what comes with a model that is another class."""
    reference = config('fpn-conv').to_dict()
    own = {'model', 'method_name', 'custom_hooks', 'custom_imports', 'felt'}
    for name in [*ROWS, *CELLS.values()]:
        found = config(name).to_dict()
        for key in {*reference, *found} - own:
            assert found.get(key) == reference.get(key), (name, key)


@pytest.mark.slow
@pytest.mark.parametrize('name', SAME)
def test_row_is_the_packages_model(name):
    found, own = (
        cfg.model for cfg in (config(name), get_config(f'{SAME[name]}_{SMALL}'))
    )
    assert found.decode_head == own.decode_head
    shapes = []
    for model in (found, own):
        module = MODELS.build(dict(model, data_preprocessor=None))
        shapes.append({key: x.shape for key, x in module.state_dict().items()})
    assert shapes[0] == shapes[1]


@pytest.mark.slow
@pytest.mark.parametrize('attention,center,key', CELLS)
def test_cell(attention, center, key):
    """Its losses, what the center loss reaches, and one step."""
    model = build(CELLS[attention, center, key])
    head = model.decode_head
    seam = getattr(head, 'seam', None)
    assert (seam is None) == (attention == 'conv')
    if seam is not None:
        normalization = dict(printed=None, keymass='key_mass')[attention]
        assert seam.normalization == normalization
    losses = losses_of(model)
    assert {name for name in losses if 'loss' in name} == {
        'decode.loss_ce',
        *['decode.loss_center'] * center,
        *['decode.loss_key'] * key,
    }
    parts = dict(head.named_parameters())
    behind = {}  # what the key, and so its losses, lie before: they reach nothing of it
    for name in ('decode.loss_center', 'decode.loss_key'):
        if name not in losses:
            continue
        grads = torch.autograd.grad(
            losses[name], list(parts.values()), retain_graph=True, allow_unused=True
        )
        behind[name] = {
            part
            for part, grad in zip(parts, grads)
            if grad is None or not grad.abs().max() > 0
        }
        reached = set(parts) - behind[name]
        varphi = 'seam.varphi.weight' if seam is not None else 'varphi.weight'
        assert varphi in reached
        assert sum(part.startswith('scale_heads') for part in reached) >= 4  # v itself
        rest = ('conv', 'conv_seg', 'seam.phi', 'seam.theta', 'seam.rho')
        assert not any(part.startswith(rest) for part in reached)
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    for name, parameter in model.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
    with torch.no_grad():
        (first, _) = model.eval().test_step(batch())
    assert first.pred_sem_seg.data.shape == (1, 160, 80)


@pytest.mark.slow
def test_cells_have_the_same_capacity():
    """What lies behind v has the same number of weights within 4%, varphi included."""
    weights = {}
    for name in CELLS.values():
        parts = MODELS.build(config(name).model.decode_head).named_parameters()
        weights[name] = sum(
            value.numel()
            for part, value in parts
            if not part.startswith(('scale_heads', 'loss_'))
        )
    assert max(weights.values()) < 1.04 * min(weights.values())


def test_coordinates_are_two_more_channels():
    """Of a convolution that begins as the one without them, and learns from them."""
    plain, told = (build(name).backbone for name in ('fpn-conv', 'fpn-conv-coordinates'))
    missing, unexpected = told.load_state_dict(plain.state_dict(), strict=False)
    assert (missing, unexpected) == (['stem.0.position'], [])
    x = torch.randn(2, 3, 64, 32)
    for here, there in zip(plain(x), told(x)):
        torch.testing.assert_close(here, there)
    sum(feature.square().sum() for feature in told(x)).backward()
    first = told.stem[0]
    assert first.position.grad.abs().max() > 0
    torch.nn.init.normal_(first.position)
    rows = (2 * torch.arange(64) + 1) / 64 - 1
    cols = (2 * torch.arange(32) + 1) / 32 - 1
    where = torch.stack([rows.view(-1, 1).expand(64, 32), cols.expand(64, 32)])
    whole = torch.nn.functional.conv2d(
        torch.cat([x, where.expand(2, -1, -1, -1)], dim=1),
        torch.cat([first.weight, first.position], dim=1),
        stride=2,
        padding=1,
    )
    torch.testing.assert_close(first(x), whole)


@pytest.mark.slow
@pytest.mark.parametrize('name', [*ROWS, *CELLS.values()])
def test_layout_changes_rounding_alone(name):
    """Loss and gradient of a model as it is laid out for a CPU."""
    assert dict(type='ChannelsLast') in config(name).custom_hooks
    found = []
    for hook in (None, HOOKS.build(dict(type='ChannelsLast'))):
        model = build(name)  # anew, since the bases of EMANet change with each pass
        if hook is not None:
            hook.before_run(SimpleNamespace(model=model))
            layout = torch.channels_last
            assert any(
                weight.is_contiguous(memory_format=layout) and not weight.is_contiguous()
                for weight in model.parameters()
                if weight.dim() == 4
            )
        torch.manual_seed(0)  # of its dropout
        losses = losses_of(model)
        loss = sum(value for key, value in losses.items() if 'loss' in key)
        loss.backward()
        grads = [weight.grad for weight in model.parameters() if weight.grad is not None]
        found.append((loss.detach(), torch.cat([grad.flatten() for grad in grads])))
    (plain, grad), (other, other_grad) = found
    torch.testing.assert_close(other, plain, rtol=1e-4, atol=0)
    assert (other_grad - grad).norm() < 0.01 * grad.norm()
