"""One tester for every head, and for every config at the size that a CPU trains.

As tests/models/base.py of segmentation_models_pytorch: what each of them must keep,
whatever is inside. Their equations have tests of their own.
"""

import copy
import functools

import pytest
import torch
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from model_cases import HEADS, bone_label, build_head, features, samples, total
from torch.utils._python_dispatch import TorchDispatchMode

from seam_seg.config_lookup import get_config, project_root

LEAVES = sorted(path.stem for path in (project_root() / 'configs').glob('[!_]*/*.py'))
SMALL = [name for name in LEAVES if name.endswith('1xb8-600_phantom-256x128')]
# Hosts of which there is no small form.
LARGE = [
    name
    for name in LEAVES
    if any(host in name for host in ('swin', 'r101', 'seam-keymass_unet'))
]
# What training alone needs, in whatever model has it.
TRAINING_ONLY = ('loss_', 'offset_layer', 'pam_conv_seg', 'cam_conv_seg')


def shaken(model):
    """Each time other weights; attentions that begin as the identity are so no longer."""
    for parameter in model.parameters():
        parameter.data.add_(0.03 * torch.randn_like(parameter))
    return model


class HeadCase:
    """A head on two random feature maps; sizes are those of the finer one."""

    sizes = ((2, 12, 8), (1, 9, 7), (3, 5, 6), (1, 2, 3))

    def __init__(self, name):
        self.name = name

    def build(self, num_classes=4):
        return shaken(build_head(dict(HEADS[self.name], num_classes=num_classes)))

    def inputs(self, size):
        return features(*size)

    def losses(self, head, size, num_classes=4):
        batch, height, width = size
        label = bone_label(batch, 4 * height + 1, 4 * width - 1, num_classes, 2)
        return head.loss(self.inputs(size), samples(label), {})

    def logits(self, head, inputs):
        return head(inputs)


class LeafCase:
    """The whole model of a config on random images."""

    def __init__(self, name):
        self.name = name
        # mmseg's UNet takes multiples of its stride, WaveCT's wavelets of eight
        multiple = 32 if 'unet' in name else 8 if 'wavect' in name else 1
        height, width = (-(-side // multiple) * multiple for side in (75, 45))
        self.sizes = ((2, 64, 32), (1, height, width))

    @functools.cached_property
    def model(self):
        cfg = get_config(self.name).model
        cfg.backbone.init_cfg = None
        if 'style_size' in cfg:
            cfg.style_size = (64, 32)
        model = MODELS.build(cfg)
        if 'styles' in model.state_dict():
            model.styles.random_(1, 256)  # which a training would bring
        return model

    def build(self):
        return shaken(copy.deepcopy(self.model))

    def inputs(self, size):
        batch, height, width = size
        channels = 1 if 'grey' in self.name else 3
        return torch.randn(batch, channels, height, width)

    def losses(self, model, size):
        label = bone_label(*size, ignored_rows=2)
        return model.loss(self.inputs(size), samples(label))

    def logits(self, model, inputs):
        return model.encode_decode(inputs, [dict(img_shape=inputs.shape[2:])])


CASES = [
    *(pytest.param(HeadCase(name), id=name) for name in HEADS),
    *(pytest.param(LeafCase(name), id=name) for name in SMALL),
    *(pytest.param(LeafCase(name), id=name, marks=pytest.mark.slow) for name in LARGE),
]


@pytest.fixture(scope='module', params=CASES)
def case(request):
    """One after the other, each through all of the tests: built once, then dropped."""
    yield request.param
    vars(request.param).pop('model', None)


def test_no_model_is_left_out():
    """Each registered head of ours, and each part that any config names, is met above."""
    parts = {}
    for name in LEAVES:
        model = get_config(name).model
        parts[name] = {model.type, model.backbone.type, model.decode_head.type}
    tested = set().union(*(parts[name] for name in SMALL + LARGE))
    # mmseg's own heads on the dilated ResNet-50: in tests/test_configs.py
    of_mmseg = {'DAHead', 'EMAHead', 'NLHead'}
    assert tested == set().union(*parts.values()) - of_mmseg
    assert len(SMALL) >= 13 and len(LARGE) == 3
    registered = {
        name
        for name, module in MODELS.module_dict.items()
        if module.__module__.startswith('seam_seg.models.decode_heads')
    }
    assert registered == {options['type'] for options in HEADS.values()} - {'FPNHead'}


def test_shapes(case):
    """Also of odd sizes, and of a batch of one."""
    model = case.build().eval()
    with torch.no_grad():
        for size in case.sizes:
            logits = case.logits(model, case.inputs(size))
            assert logits.shape == (size[0], 4, *size[1:])
            assert torch.isfinite(logits).all()


@pytest.mark.parametrize('num_classes', [2, 7])
@pytest.mark.parametrize('name', HEADS)
def test_other_numbers_of_classes(name, num_classes):
    case = HeadCase(name)
    head = case.build(num_classes)
    for size in case.sizes:
        assert head(case.inputs(size)).shape == (size[0], num_classes, *size[1:])
        losses = case.losses(head, size, num_classes)
        assert all(torch.isfinite(value).all() for value in losses.values())


def test_backward(case):
    """DDP stalls on a parameter that trains and gets no gradient."""
    model = case.build()
    loss = total(case.losses(model, case.sizes[0]))
    assert torch.isfinite(loss) and loss > 0
    loss.backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
        else:
            assert parameter.grad is None, name


class Float64(TorchDispatchMode):
    """Collects what is computed in double precision."""

    def __init__(self):
        super().__init__()
        self.operations = set()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        out = operation(*args, **(kwargs or {}))
        tensors = out if isinstance(out, (list, tuple)) else [out]
        # arrays of numpy may be of it, as long as they stay where they are
        if str(operation) != 'aten.lift_fresh.default':
            self.operations |= {
                str(operation)
                for tensor in tensors
                if isinstance(tensor, torch.Tensor) and tensor.dtype == torch.float64
            }
        return out


def test_training_needs_no_double_precision(case):
    """MPS has none. Whether all else runs there was not tried."""
    model = case.build()
    with Float64() as found:
        total(case.losses(model, case.sizes[0])).backward()
    assert not found.operations
    with Float64() as found:  # what is, is seen
        model.double()
    assert found.operations


def test_evaluation_needs_no_part_of_training(case):
    """Twice the same, whatever else is in the batch; nothing is written."""
    model = case.build().eval()
    spared = []
    for name, module in model.named_modules():
        if name.rpartition('.')[2].startswith(TRAINING_ONLY):
            spared.append(name)
            module.forward = lambda *_, name=name: pytest.fail(f'{name} was called')
    heads = [part for part in model.modules() if isinstance(part, BaseDecodeHead)]
    assert spared or not heads
    before = copy.deepcopy(model.state_dict())
    inputs = case.inputs((3, *case.sizes[0][1:]))
    with torch.no_grad():
        logits = case.logits(model, inputs)
        assert isinstance(logits, torch.Tensor)  # nothing beside the logits
        assert torch.equal(case.logits(model, inputs), logits)
        alone = case.logits(
            model,
            inputs[1:2] if isinstance(inputs, torch.Tensor) else [x[1:2] for x in inputs],
        )
    assert (alone - logits[1:2]).abs().max() < 1e-3 * logits.abs().max()
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_state_dict_round_trip(case):
    """All that a trained model is, statistics and bases too, is in its state dict."""
    model, other = case.build(), case.build()
    case.losses(model, case.sizes[0])  # moves the statistics
    inputs = case.inputs(case.sizes[0])
    model.eval()
    other.eval()
    with torch.no_grad():
        expected = case.logits(model, inputs)
        assert not torch.equal(case.logits(other, inputs), expected)
        other.load_state_dict(copy.deepcopy(model.state_dict()), strict=True)
        assert torch.equal(case.logits(other, inputs), expected)
