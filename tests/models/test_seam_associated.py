"""The cheaper form of SEAM: the same function, taken only where it is that."""

import copy

import pytest
import torch
from mmcv.cnn import ConvModule
from stacks import not_upstream

from seam_seg.models import SEAM
from seam_seg.models import seam as seam_module
from seam_seg.models.seam_associated import can_associate


def associates(seam):
    return can_associate(seam.theta, seam.rho)


def randomize(seam):
    """Norms that do something."""
    for module in seam.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            if module.affine:
                torch.nn.init.normal_(module.weight, 1, 0.2)
                torch.nn.init.normal_(module.bias)
    return seam


def direct_copy(seam):
    """The same weights, by Eq. 5 as it is written: a hook asks for it."""
    direct = copy.deepcopy(seam)
    direct.theta.register_forward_hook(lambda *_: None)
    assert not associates(direct)
    return direct


FORMS = {
    'batch of 1': dict(size=(1, 9, 7)),
    'batch of 3': dict(size=(3, 8, 6)),
    'one row': dict(size=(2, 1, 5)),
    'seven classes': dict(num_classes=7),
    "two classes, C = C'": dict(num_classes=2, reduction=1),
    'no norm': dict(norm_cfg=None),
    'norm without weights': dict(norm_cfg=dict(type='BN', affine=False)),
    'synchronised norm': dict(norm_cfg=dict(type='SyncBN')),
    'no activation': dict(act_cfg=None),
    'key mass': dict(normalization='key_mass'),
    'hw': dict(normalization='hw'),
}


@pytest.mark.parametrize('form', FORMS)
def test_is_the_same_function(form):
    """Values, and gradients of input and parameters, which saliency maps ask for."""
    options = dict(FORMS[form])
    batch, height, width = options.pop('size', (2, 6, 5))
    seam = randomize(SEAM(8, **options)).double().eval()
    assert associates(seam)
    v = torch.randn(batch, 8, height, width, dtype=torch.double) + 3
    probe = torch.randn(2, batch, 8, height, width, dtype=torch.double)
    found = []
    for module in (seam, direct_copy(seam)):
        x = v.clone().requires_grad_()
        z, k = module(x)
        loss = (z * probe[0]).sum() + (k * probe[1, :, : k.shape[1]]).sum()
        found.append([z, k, *torch.autograd.grad(loss, [x, *module.parameters()])])
    for a, b in zip(*found):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_it_is_what_evaluation_takes(monkeypatch):
    taken = []
    real = seam_module.fuse_associated
    monkeypatch.setattr(
        seam_module, 'fuse_associated', lambda *args: taken.append(1) or real(*args)
    )
    seam, v = SEAM(8), torch.randn(2, 8, 4, 4)
    seam(v)
    assert not taken  # training: the statistics of z' are wanted
    seam.eval()(v)
    assert taken


@pytest.mark.parametrize(
    'options',
    [
        dict(norm_cfg=dict(type='GN', num_groups=2)),
        dict(norm_cfg=dict(type='BN', track_running_stats=False)),
        dict(conv_cfg=dict(type='ConvWS')),
    ],
    ids=['group norm', 'statistics of the batch', 'weight standardisation'],
)
def test_other_layers_take_the_direct_form(options):
    assert not associates(SEAM(8, **options).eval())


@pytest.mark.parametrize(
    'name,layer',
    [
        ('theta', torch.nn.Sequential(torch.nn.Conv2d(2, 8, 1), torch.nn.ReLU())),
        ('theta', ConvModule(2, 8, 1)),  # with an activation
        ('theta', ConvModule(2, 8, 3, padding=1, act_cfg=None)),
        ('theta', ConvModule(2, 8, 1, act_cfg=None, with_spectral_norm=True)),
        ('rho', ConvModule(16, 8, 1)),
        ('rho', ConvModule(16, 8, 5, padding=2)),
        ('rho', ConvModule(16, 8, 3, padding=1, padding_mode='reflect')),
        ('rho', ConvModule(16, 8, 3, padding=1, order=('act', 'conv', 'norm'))),
        ('rho', torch.nn.Conv2d(16, 8, 3, padding=1)),
    ],
)
def test_replaced_layers_take_the_direct_form(name, layer):
    seam = SEAM(8).eval()
    assert associates(seam)
    setattr(seam, name, layer.eval())
    assert not associates(seam)
    assert seam(torch.randn(1, 8, 6, 6))[0].shape == (1, 8, 6, 6)


@pytest.mark.parametrize('training', [True, False], ids=['training', 'eval'])
@pytest.mark.parametrize(
    'name', ['phi', 'varphi', 'theta', 'theta.bn', 'rho', 'rho.conv']
)
def test_hooks_fire_on_the_maps_of_the_equations(name, training):
    """As Grad-CAM needs: the module's own output, and its gradient."""
    seam = SEAM(8).train(training)
    module = seam.get_submodule(name)
    seen = {}
    handles = [
        module.register_forward_pre_hook(lambda *_: seen.update(before=True)),
        module.register_forward_hook(lambda *args: seen.update(out=args[2].shape)),
        module.register_full_backward_hook(lambda *args: seen.update(grad=args[2][0])),
    ]
    v = torch.randn(2, 8, 5, 4, requires_grad=True)
    z, k = seam(v)
    (z.sum() + k.sum()).backward()
    channels = {'phi': 2, 'varphi': 4}.get(name, 8)
    assert seen['before'] and seen['out'] == (2, channels, 5, 4)
    assert seen['grad'].shape == (2, channels, 5, 4)
    for handle in handles:
        handle.remove()
    assert associates(seam) == (not training)


@pytest.mark.parametrize('register', ['forward_pre', 'forward', 'full_backward'])
def test_each_kind_of_hook_asks_for_the_direct_form(register):
    seam = SEAM(8).eval()
    getattr(seam.rho.conv, f'register_{register}_hook')(lambda *_: None)
    assert not associates(seam)


@pytest.mark.slow
@not_upstream('the compiler of torch 2.1 does not know torch.promote_types')
def test_compiles_as_one_graph():
    """The choice of the form is no obstacle to torch.compile."""
    seam = randomize(SEAM(8)).eval()
    v = torch.randn(2, 8, 5, 4)
    compiled = torch.compile(seam, backend='eager', fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(v), seam(v))


def test_bfloat16_autocast():
    seam = randomize(SEAM(16)).eval()
    v = torch.randn(2, 16, 9, 7)
    with torch.no_grad():
        with torch.autocast('cpu', dtype=torch.bfloat16):
            low = seam(v)[0]
        torch.testing.assert_close(low.float(), seam(v)[0], rtol=0.05, atol=0.1)
