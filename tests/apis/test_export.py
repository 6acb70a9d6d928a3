"""ONNX: the exported network, its labels, and prediction without PyTorch's network."""

import json
import warnings

import cv2
import numpy as np
import onnx
import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from stacks import UPSTREAM, not_upstream
from vpi_files import READY_CONFIG

from seam_seg.apis import init_model, predict
from seam_seg.apis.export import KEY, Exportable, OnnxModel, compare, export_onnx, rescale
from seam_seg.config_lookup import get_config
from seam_seg.engine.other_work import OtherWork
from seam_seg.errors import InputError
from seam_seg.version import __version__

pytestmark = pytest.mark.slow
DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'
NO_EXPORTER = 'torch 2.1 has no exporter that keeps height and width free'


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    """The ready model and its file: the network that users export first."""
    if UPSTREAM:
        pytest.skip(f'upstream stack: {NO_EXPORTER}')
    model = init_model(device='cpu')
    path = tmp_path_factory.mktemp('onnx') / 'model.onnx'
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # nobody who exports can act on torch's
        export_onnx(model, path)
    return model, path


@pytest.fixture(scope='module')
def image():
    """A smooth image with structures, of an odd size."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (20, 8)).astype(np.float32)
    return (
        cv2.resize(coarse, (301, 777), interpolation=cv2.INTER_CUBIC)
        .clip(0, 255)
        .astype(np.uint8)
    )


def test_exportable_is_the_segmentor(image):
    """The wrapper that is exported, against the segmentor it wraps."""
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = init_model(device='cpu')
    model.resize = 'mask'
    prediction = predict(model, image)
    x = torch.from_numpy(rescale(model, image))
    with torch.no_grad():
        labels = Exportable(model, 'mask').eval()(x)
        logits = Exportable(model, 'logits').eval()(x)
    assert labels.dtype == torch.uint8 and labels.shape == (1, 1, 512, 128)
    assert (labels[0] == logits[0, :4].argmax(dim=0)).all()
    full = cv2.resize(
        labels[0, 0].numpy(), image.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT
    )
    assert (full == prediction.mask).mean() > 0.9999


@pytest.mark.parametrize('size', [(512, 128), (384, 160), (500, 100), (64, 64)])
def test_any_size(exported, size):
    """Height and width are free, also where the pyramid's levels are odd."""
    model, path = exported
    x = 255 * torch.rand(1, 1, *size)
    with torch.no_grad():
        expected = Exportable(model, 'logits').eval()(x)[0].numpy()
        # and the module put into it for the exporter changes nothing
        plain = model.both_sides(
            lambda inputs: torch.nn.functional.interpolate(
                model._forward(inputs), size, mode='bilinear'
            ),
            (x - 75.99).expand(1, 3, *size) / 84.15,
        )
    assert np.abs(expected - plain[0].numpy()).max() < 1e-4
    found = OnnxModel(path).logits(x[0, 0].numpy())
    assert found.shape == (6, *size) and np.abs(found - expected).max() < 1e-4


def test_predicts_as_the_model(exported, image):
    model, path = exported
    ours, theirs = predict(model, image), predict(OnnxModel(path), image)
    assert (ours.mask != theirs.mask).mean() < 1e-4
    assert np.abs(ours.confidence - theirs.confidence).max() < 1e-3
    assert len(np.unique(ours.mask)) > 1
    assert ((theirs.bones > 0) == (theirs.mask > 0)).all()
    assert (ours.bones != theirs.bones).mean() < 1e-3
    assert np.abs(ours.probabilities - theirs.probabilities).max() < 1e-3
    again = OnnxModel(path).predict(image, spacing=(0.5, 0.25))  # as a Segmenter
    assert (again.mask == theirs.mask).all() and again.spacing == (0.5, 0.25)
    assert (again.classes, again.palette) == (ours.classes, ours.palette)


def test_says_what_it_was_made_from(exported):
    model, path = exported
    meta = json.loads(onnx.load(str(path)).metadata_props[0].value)
    assert (meta['config'], meta['version']) == (READY_CONFIG, __version__)
    assert meta['resize'] == 'logits'


def test_compare_sees_differences(exported, image):
    """Against another network, the same numbers are large."""
    model, path = exported
    same = compare(model, path, [image], rounds=1)
    assert same['max_difference'] < 1e-4 and same['not_ties'] == 0
    assert same['pixels'] == 512 * 128 + 384 * 160  # another size, too
    other = init_model(device='cpu')
    with torch.no_grad():
        other.decode_head.conv_seg.bias += torch.tensor([0.0, 1, 0, 0])
    found = compare(other, path, [image], rounds=1)
    assert found['max_difference'] == pytest.approx(1, abs=1e-3)
    assert found['differing'] >= found['not_ties'] > 0


def test_tools(exported, image, tool, tmp_path, capsys, monkeypatch):
    """Labels as output; prediction from a file; and what is refused."""
    _, path = exported
    cv2.imwrite(str(tmp_path / 'case.png'), image)
    case = str(tmp_path / 'case.png')
    out = tmp_path / 'out'
    assert tool('predict')([case, '--out', str(out), '--onnx', str(path)]) == 0
    assert cv2.imread(str(out / 'confidence/case.png'), -1).shape == image.shape
    assert (out / 'bones/case.csv').exists()
    labels = tmp_path / 'labels.onnx'
    monkeypatch.setattr(OtherWork, 'cores', lambda self: 100.0)
    assert tool('export_onnx')([str(labels), '--output', 'mask', '--phantoms', '1']) == 0
    printed = capsys.readouterr()
    assert 'max_difference=None' in printed.out and 'other_cores=100.0' in printed.out
    assert 'warning: other work kept 100.0 of' in printed.err
    assert [p.name for p in tmp_path.glob('labels*')] == ['labels.onnx']
    (tmp_path / 'bad.onnx').write_bytes(path.read_bytes()[:1000])
    for file, words in (
        (labels, 'labels only'),
        (tmp_path / 'bad.onnx', 'damaged'),
        (tmp_path / 'no.onnx', 'no such file'),
    ):
        assert (
            tool('predict')([case, '--out', str(tmp_path / 'other'), '--onnx', str(file)])
            == 2
        )
        assert words in capsys.readouterr().err
    assert not (tmp_path / 'other').exists()


def test_a_file_runs_no_code(exported, image, tool, tmp_path, capsys):
    """A registry would build whatever class or function a pipeline names."""
    _, path = exported
    trace = tmp_path / 'it_ran'
    content = onnx.load(str(path))
    meta = json.loads(content.metadata_props[0].value)
    meta['pipeline'].insert(1, dict(type='subprocess.check_call', args=['touch', trace]))
    onnx.helper.set_model_props(content, {KEY: json.dumps(meta, default=str)})
    onnx.save(content, str(tmp_path / 'bad.onnx'))
    cv2.imwrite(str(tmp_path / 'case.png'), image)
    assert (
        tool('predict')(
            [
                str(tmp_path / 'case.png'),
                '--out',
                str(tmp_path / 'out'),
                '--onnx',
                str(tmp_path / 'bad.onnx'),
            ]
        )
        == 2
    )
    assert "bad.onnx: holds the step 'subprocess.check_call'" in capsys.readouterr().err
    assert not trace.exists()


def test_a_torch_without_the_exporter_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.onnx, 'export', lambda model, args, f: None)
    with pytest.raises(InputError, match='no exporter that keeps'):
        export_onnx(init_model(device='cpu'), tmp_path / 'x.onnx')
    assert not list(tmp_path.iterdir())


@not_upstream(NO_EXPORTER)
def test_a_network_of_one_size_is_refused(tool, tmp_path, capsys):
    """mmseg's UNet computes sizes in Python, which fix the one it was exported at."""
    config = 'unet_s5-d16-small_1xb8-600_phantom-256x128'
    model = MODELS.build(get_config(config).model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'x.pth')
    assert (
        tool('export_onnx')(
            [
                str(tmp_path / 'x.onnx'),
                '--config',
                config,
                '--checkpoint',
                str(tmp_path / 'x.pth'),
                '--phantoms',
                '1',
            ]
        )
        == 2
    )
    assert 'free height and width' in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ['x.pth']
