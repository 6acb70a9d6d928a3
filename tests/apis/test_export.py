"""ONNX: the exported file predicts as the model, in the page's own lines, too."""

import copy
import json
import re
import warnings

import cv2
import numpy as np
import onnx
import pytest
import torch
from mmseg.registry import MODELS
from page_code import code_blocks
from stacks import not_upstream
from vpi_files import READY_CONFIG

from seam_seg.apis import OnnxModel, init_model, predict
from seam_seg.apis.export import KEY, compare, export_onnx, of_other_bones
from seam_seg.apis.inference import Ensemble
from seam_seg.config_lookup import get_config
from seam_seg.datasets.phantom import make_case
from seam_seg.datasets.readers import read_mask
from seam_seg.engine.other_work import OtherWork
from seam_seg.errors import InputError
from seam_seg.evaluation.instances import split_pieces
from seam_seg.version import __version__

pytestmark = [
    pytest.mark.slow,
    not_upstream('torch 2.1 has no exporter that keeps height and width free'),
]


@pytest.fixture(scope='module')
def model():
    """The ready model: the network that users export first."""
    return init_model(device='cpu')


@pytest.fixture(scope='module')
def path(tool, tmp_path_factory):
    folder = tmp_path_factory.mktemp('onnx')
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # nobody who exports can act on torch's
        assert tool('export_onnx')([str(folder / 'model.onnx'), '--phantoms', '1']) == 0
    assert [file.name for file in folder.iterdir()] == ['model.onnx']
    return folder / 'model.onnx'


@pytest.fixture(scope='module')
def exported(path):
    return OnnxModel(path)


@pytest.fixture(scope='module')
def image():
    return make_case(3).image


def test_pixels_of_other_bones():
    bones = np.repeat(np.arange(4), 10)[None]  # the first ten are outside
    joined, swapped = np.minimum(bones, 1), np.array([0, 3, 1, 2])[bones]
    assert of_other_bones(bones, joined) == of_other_bones(joined, bones) == 20
    assert of_other_bones(bones, swapped) == 0
    moved = bones.copy()
    moved[0, 10:13] = 2
    assert of_other_bones(bones, moved) == of_other_bones(moved, bones) == 3


@pytest.mark.parametrize(
    'size, share',
    [
        (None, 1e-5),
        ((1024, 256), 1e-5),
        ((777, 301), 1e-5),
        ((300, 100), 1e-3),
        ((64, 999), 1e-3),
        ((8, 8), 0.05),
    ],
)
def test_predicts_as_the_model_at_any_size(model, exported, image, size, share):
    """To ties; and to a few pixels where the image is enlarged, by OpenCV's own bits."""
    if size:
        image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    ours, theirs = predict(model, image), predict(exported, image)
    assert theirs.mask.dtype == np.uint8 and theirs.mask.shape == image.shape
    assert (ours.mask != theirs.mask).mean() <= share
    close = 1e-4 if share == 1e-5 else 0.05
    assert np.abs(ours.probabilities - theirs.probabilities).max() < close
    assert np.abs(ours.confidence - theirs.confidence).max() < close
    assert ((theirs.bones > 0) == (theirs.mask > 0)).all()
    apart = of_other_bones(ours.bones, theirs.bones)
    assert apart <= max(share, 1e-4) * image.size
    assert len(np.unique(theirs.bones)) > (30 if image.size > 64 else 0)


def test_as_a_segmenter(model, exported, image):
    found = exported.predict(image, spacing=(0.5, 0.25))
    ours = predict(model, image)
    assert (found.mask == ours.mask).mean() > 0.9999 and found.spacing == (0.5, 0.25)
    assert (found.classes, found.palette) == (ours.classes, ours.palette)
    assert exported.classes == ours.classes


def test_says_what_it_was_made_from(path):
    said = json.loads(onnx.load(str(path)).metadata_props[0].value)
    assert (said['config'], said['version']) == (READY_CONFIG, __version__)
    assert said['classes'][1] == 'rib' and said['window'] is None


def test_compare_sees_differences(model, path, image):
    """Against another network, the same numbers are large."""
    other = init_model(device='cpu')
    same = compare(model, path, [image, image], rounds=1)
    assert same['pixels'] == 2560 * 640 + 512 * 128
    assert same['max_difference'] < 1e-4 and same['differing'] <= 5
    assert same['other_bone'] < 1e-3 * same['pixels']
    with torch.no_grad():
        other.decode_head.conv_seg.bias += torch.tensor([0.0, 1, 0, 0])
    found = compare(other, path, [image], rounds=1)
    assert found['max_difference'] > 0.2 and found['differing'] > 1000
    assert found['other_bone'] > 1000


def test_tools(path, image, tool, tmp_path, capsys):
    """Prediction from a file, with all its results; and what is refused."""
    cv2.imwrite(str(tmp_path / 'case.png'), image)
    case = str(tmp_path / 'case.png')
    out = tmp_path / 'out'
    assert tool('predict')([case, '--out', str(out), '--onnx', str(path)]) == 0
    assert cv2.imread(str(out / 'confidence/case.png'), -1).shape == image.shape
    assert (out / 'bones/case.csv').exists()
    (tmp_path / 'bad.onnx').write_bytes(path.read_bytes()[:1000])
    content = onnx.load(str(path))
    onnx.helper.set_model_props(content, {KEY: json.dumps(dict(version='0.3'))})
    onnx.save(content, str(tmp_path / 'old.onnx'))
    onnx.helper.set_model_props(content, {})
    onnx.save(content, str(tmp_path / 'other.onnx'))
    capsys.readouterr()
    for name, words in (
        ('bad', 'damaged'),
        ('no', 'no such file'),
        ('old', 'version 0.3, .* Export it again'),
        ('other', 'not written by'),
    ):
        argv = [case, '--out', str(tmp_path / 'new'), '--onnx', f'{tmp_path}/{name}.onnx']
        assert tool('predict')(argv) == 2
        assert re.search(f'{name}.onnx: .*{words}', capsys.readouterr().err)
    assert not (tmp_path / 'new').exists()


def test_the_lines_of_the_page(model, path, image, tmp_path, monkeypatch):
    """They write what `tools/predict.py` writes, but for pieces that lie apart."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'model.onnx').symlink_to(path)
    cv2.imwrite('image.png', image)
    exec(code_blocks('onnx.md')[0], {})
    found = predict(model, image)
    found.save(tmp_path / 'out', 'image')
    ours = read_mask(tmp_path / 'out/image.png', 4)
    assert (ours == cv2.imread('labels.png', cv2.IMREAD_UNCHANGED)).mean() > 0.99999
    for kind, most in (('instances', 0), ('confidence', 1)):
        theirs = cv2.imread(f'{kind}.png', cv2.IMREAD_UNCHANGED)
        ours = cv2.imread(f'out/{kind}/image.png', cv2.IMREAD_UNCHANGED)
        assert ours.dtype == theirs.dtype
        if kind == 'instances':
            theirs = split_pieces(theirs.astype(np.int32))
        apart = np.abs(ours.astype(int) - theirs)
        assert (apart > most).mean() < 1e-4


def test_what_is_not_exported(model, tmp_path, monkeypatch):
    """Steps that the graph does not have would be missing; several networks, too."""
    changed = copy.deepcopy(model.cfg)
    changed.test_dataloader.dataset.pipeline.insert(2, dict(type='RandomFlip', prob=1.0))
    monkeypatch.setattr(model, 'cfg', changed)
    with pytest.raises(InputError, match='LoadVPIImage, ResizeVPI, RandomFlip, Pack'):
        export_onnx(model, tmp_path / 'x.onnx')
    with pytest.raises(InputError, match='one checkpoint'):
        export_onnx(Ensemble([model]), tmp_path / 'x.onnx')
    assert not list(tmp_path.iterdir())


def test_another_network(tool, image, tmp_path, capsys, monkeypatch):
    """mmseg's UNet, which has no votes: bones are what is connected, as the page says."""
    config = 'unet_s5-d16-small_1xb8-600_phantom-256x128'
    network = MODELS.build(get_config(config).model)
    torch.save(dict(state_dict=network.state_dict()), tmp_path / 'x.pth')
    out, weights = str(tmp_path / 'x.onnx'), str(tmp_path / 'x.pth')
    monkeypatch.setattr(OtherWork, 'cores', lambda self: 100.0)
    argv = [out, '--config', config, '--checkpoint', weights, '--phantoms', '1']
    assert tool('export_onnx')(argv) == 0
    printed = capsys.readouterr()
    assert 'other_cores=100.0' in printed.out
    assert 'warning: other work kept 100.0 of' in printed.err
    exported = OnnxModel(out)
    assert len(exported.session.get_outputs()) == 2
    image = cv2.resize(image, (128, 256), interpolation=cv2.INTER_AREA)
    found = predict(exported, image)
    names = dict(mask=found.mask, np=np, cv2=cv2)
    exec(code_blocks('onnx.md')[1], names)
    assert found.bones.max() > 3
    assert of_other_bones(found.bones, names['instances']) == 0
    assert names['instances'].max() == found.bones.max()
