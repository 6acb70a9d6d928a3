"""init_model, load_weights and predict_mask; checkpoints with and without a config."""

import copy

import cv2
import numpy as np
import pytest
import torch
from skimage import measure

from seam_seg.apis import init_model, load_own_config, predict, predict_mask
from seam_seg.apis.inference import build_model
from seam_seg.apis.publish import publish
from seam_seg.config_lookup import get_config
from seam_seg.datasets import VPIDataset
from seam_seg.datasets.readers import read_mask
from seam_seg.engine import carry
from seam_seg.errors import InputError
from seam_seg.evaluation.instances import group_votes

DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'
PRINTED = 'seam_r18-fpn_1xb8-600_phantom-256x128'


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """Random weights of the demo's model."""
    from mmseg.registry import MODELS

    torch.manual_seed(0)
    model = MODELS.build(get_config(DEMO).model)
    torch.nn.init.normal_(model.decode_head.conv_seg.weight)
    path = tmp_path_factory.mktemp('weights') / 'model.pth'
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return path


@pytest.fixture
def image(tmp_path):
    """A 16-bit image of an odd size, under a name with a space and an umlaut."""
    pixels = np.random.default_rng(0).integers(0, 4096, (131, 61)).astype(np.uint16)
    path = tmp_path / 'Fall für zwei.png'
    cv2.imencode('.png', pixels)[1].tofile(path)
    return path, pixels


def test_predicts_a_file_and_an_array_alike(checkpoint, image):
    path, pixels = image
    model = init_model(DEMO, checkpoint, 'cpu')
    assert model.dataset_meta['classes'][1:] == ('rib', 'thoracic', 'lumbar')
    mask = predict_mask(model, path)
    assert mask.shape == pixels.shape and mask.dtype == np.uint8
    assert len(np.unique(mask)) > 1
    assert (mask == predict_mask(model, str(path))).all()
    assert (mask == predict_mask(model, pixels)).all()


def test_is_the_network_by_hand(checkpoint):
    """Rescale, normalise, network, class, back: each step written out."""
    pixels = np.random.default_rng(1).integers(0, 256, (90, 70)).astype(np.uint8)
    model = init_model(DEMO, checkpoint, 'cpu')
    small = cv2.resize(pixels, (128, 512))  # enlarged: bilinear
    x = (torch.from_numpy(small).float().expand(1, 3, -1, -1) - 75.99) / 84.15
    with torch.no_grad():
        logits = model.decode_head(model.extract_feat(x))
    logits = torch.nn.functional.interpolate(
        logits, (512, 128), mode='bilinear', align_corners=False
    )
    classes = logits[0].argmax(0).byte().numpy()
    expected = cv2.resize(classes, (70, 90), interpolation=cv2.INTER_NEAREST_EXACT)
    result = predict(model, pixels)
    assert (result.mask == expected).mean() > 0.999
    assert (result.image == pixels).all()
    probabilities = torch.nn.functional.interpolate(
        logits.softmax(1), (90, 70), mode='bilinear'
    )[0]
    np.testing.assert_allclose(result.confidence, probabilities.amax(0), atol=1e-5)
    # the smooth way back: the class of the logits at full size
    model.resize = 'logits'
    smooth = torch.nn.functional.interpolate(logits, (90, 70), mode='bilinear')[0]
    again = predict(model, pixels)
    assert (again.mask == smooth.argmax(0).numpy()).mean() > 0.999
    assert (again.confidence == result.confidence).all()


def test_several_checkpoints_are_averaged(checkpoint, tmp_path):
    """Their probabilities, by hand; neither the logits nor the masks."""
    content = torch.load(checkpoint, weights_only=True)
    content['state_dict']['decode_head.conv_seg.weight'] *= -3
    torch.save(content, tmp_path / 'other.pth')
    pixels = np.random.default_rng(2).integers(0, 256, (512, 128)).astype(np.uint8)
    files = [checkpoint, tmp_path / 'other.pth']
    probabilities = []
    for file in files:
        model = init_model(DEMO, file, 'cpu')
        with torch.no_grad():
            x = (torch.from_numpy(pixels).float().expand(1, 3, -1, -1) - 75.99) / 84.15
            probabilities.append(
                torch.nn.functional.interpolate(
                    model.decode_head(model.extract_feat(x)),
                    (512, 128),
                    mode='bilinear',
                    align_corners=False,
                )[0].softmax(dim=0)
            )
    mean = (probabilities[0] + probabilities[1]) / 2
    result = predict(init_model(DEMO, files, 'cpu'), pixels)
    assert (result.mask == mean.argmax(dim=0).numpy()).mean() > 0.999
    assert result.confidence == pytest.approx(mean.amax(dim=0).numpy(), abs=1e-4)
    alone = [p.argmax(dim=0).numpy() for p in probabilities]
    assert all((result.mask != mask).mean() > 0.01 for mask in alone)
    # smoothly to another size: the mean's logarithm is resized
    ensemble = init_model(DEMO, files, 'cpu')
    ensemble.models[0].resize = 'logits'
    large = cv2.resize(pixels, (384, 1536), interpolation=cv2.INTER_NEAREST)
    logits = torch.nn.functional.interpolate(
        mean.log()[None], (1536, 384), mode='bilinear'
    )[0]
    found = predict(ensemble, large).mask
    assert (found == logits.argmax(dim=0).numpy()).mean() > 0.999


def test_refuses_other_checkpoints(checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=True)
    weights = content['state_dict']

    def refused(match, config=DEMO, **changes):
        path = tmp_path / 'changed.pth'
        torch.save(dict(content, **changes), path)
        with pytest.raises(InputError, match=match) as error:
            init_model(config, path, 'cpu')
        assert 'changed.pth' in str(error.value)

    key = 'decode_head.conv_seg.bias'
    refused('is missing', state_dict={k: v for k, v in weights.items() if k != key})
    refused('is unknown', state_dict=dict(weights, extra=torch.zeros(1)))
    refused('has shape', state_dict=dict(weights, **{key: torch.zeros(5)}))
    refused('no weights', state_dict=None)
    refused('another model', config='fpn_r50_1xb12-80k_vpi-512x256')
    with pytest.raises(InputError, match='no such file'):
        init_model(DEMO, tmp_path / 'none.pth', 'cpu')
    for name, data in (('empty', b''), ('half', checkpoint.read_bytes()[:5000])):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=f'{name}: cannot be read'):
            init_model(DEMO, tmp_path / name, 'cpu')


def with_config(checkpoint, path, cfg, **changes):
    """A checkpoint as a training of that config writes it."""
    content = torch.load(checkpoint, weights_only=True)
    meta = dict(iter=1, seed=0, dataset_meta=VPIDataset.METAINFO, seam_seg=carry(cfg))
    torch.save(dict(content, meta=meta, **changes), path)
    return path


@pytest.fixture(scope='module')
def own(checkpoint, tmp_path_factory):
    """A checkpoint of the demo, trained with a mean and a deviation of its own."""
    cfg = get_config(DEMO)
    cfg.model.data_preprocessor.update(mean=[50.0] * 3, std=[60.0] * 3)
    return with_config(checkpoint, tmp_path_factory.mktemp('own') / 'own.pth', cfg), cfg


def test_a_checkpoint_is_enough(own, image, caplog):
    """It predicts as with its config; and says nothing."""
    path, cfg = own
    model = init_model(checkpoint=path, device='cpu')
    mask = predict_mask(model, image[0])
    assert (mask == predict_mask(init_model(cfg, path, 'cpu'), image[0])).all()
    assert model.data_preprocessor.mean.flatten().tolist() == [50.0] * 3
    assert model.decode_head.seam.normalization == 'key_mass'
    init_model(device='cpu')
    assert not caplog.records


@pytest.mark.slow
@pytest.mark.parametrize(
    'config, key, values',
    [
        (DEMO, 'model.data_preprocessor.mean', '75.99, .* 50.0, '),
        (PRINTED, 'model.decode_head.normalization', "None .* 'key_mass'"),
    ],
    ids=['named config', 'as printed'],
)
def test_a_config_that_disagrees(config, key, values, own, tool, image, tmp_path, capsys):
    """Both would load, and lose tens of points of Dice without a word."""
    cfg = get_config(config)
    if config == PRINTED:
        cfg.model.data_preprocessor = own[1].model.data_preprocessor
    with pytest.raises(InputError, match=f'{config} and .*own.pth .*{key} is .*{values}'):
        init_model(cfg, own[0], 'cpu')
    words = ['--config', config, '--checkpoint', str(own[0])]
    for name, argv in (
        ('predict', [str(image[0]), '--out', str(tmp_path / 'out'), *words]),
        ('export_onnx', [str(tmp_path / 'x.onnx'), *words]),
        ('publish_model', [config, str(own[0]), str(tmp_path / 'x.pth')]),
    ):
        assert tool(name)(argv) == 2
        error = capsys.readouterr().err.strip()
        assert 'disagree' in error and 'Leave the config out' in error
        assert len(error.splitlines()) == 1
    assert not list(tmp_path.glob('x.*')) and not (tmp_path / 'out').exists()


def test_tools_need_no_config(own, tool, image, tmp_path, capsys):
    out = tmp_path / 'out'
    argv = [str(image[0]), '--out', str(out), '--checkpoint', str(own[0])]
    assert tool('predict')(argv) == 0
    expected = predict_mask(init_model(own[1], own[0], 'cpu'), image[0])
    written = read_mask(out / image[0].name, 4)
    assert (written == expected).all() and 'warning' not in capsys.readouterr().err


def test_older_checkpoints_want_a_config(checkpoint, caplog):
    """And nobody can say whether it is theirs, which is said in a line."""
    with pytest.raises(InputError, match='model.pth: does not carry its config'):
        init_model(checkpoint=checkpoint, device='cpu')
    init_model(DEMO, checkpoint, 'cpu')
    (line,) = [record.getMessage() for record in caplog.records]
    assert 'model.pth' in line and DEMO in line and '\n' not in line


@pytest.mark.slow
def test_several_checkpoints_of_one_config(own, checkpoint, tmp_path):
    files = [own[0], with_config(checkpoint, tmp_path / 'same.pth', own[1])]
    assert len(init_model(checkpoint=files, device='cpu').models) == 2
    cfg = copy.deepcopy(own[1])
    cfg.model.decode_head.normalization = 'hw'
    files[1] = with_config(checkpoint, tmp_path / 'other.pth', cfg)
    with pytest.raises(InputError, match="own.pth and .*other.pth .*'key_mass' and 'hw'"):
        init_model(checkpoint=files, device='cpu')
    with pytest.raises(InputError, match='disagree.*normalization'):
        init_model(own[1], files, 'cpu')
    with pytest.raises(InputError, match='model.pth: does not carry'):
        init_model(checkpoint=[own[0], checkpoint], device='cpu')
    # of those that carry none, the order of the classes is all that is known
    content = torch.load(checkpoint, weights_only=True)
    meta = {key: values[::-1] for key, values in VPIDataset.METAINFO.items()}
    content['meta'] = dict(dataset_meta=meta)
    torch.save(content, tmp_path / 'reversed.pth')
    with pytest.raises(InputError, match='model.pth and .*reversed.pth .*another order'):
        init_model(DEMO, [checkpoint, tmp_path / 'reversed.pth'], 'cpu')


def test_no_code_of_a_checkpoint_runs(checkpoint, tool, image, tmp_path, capsys):
    """Nor does any that its config names, by any of the tools."""
    trace = tmp_path / 'it_ran'
    cfg = get_config(DEMO)
    cfg.model.decode_head.norm_cfg = dict(type='os.system', command=f'touch {trace}')
    bad = str(with_config(checkpoint, tmp_path / 'bad.pth', cfg))
    for name, argv in (
        ('predict', [str(image[0]), '--out', str(tmp_path / 'out'), '--checkpoint', bad]),
        ('test', [bad, '--data-root', str(tmp_path), '--work-dir', str(tmp_path / 'w')]),
        ('export_onnx', [str(tmp_path / 'x.onnx'), '--checkpoint', bad]),
        ('publish_model', [bad, str(tmp_path / 'x.pth')]),
    ):
        assert tool(name)(argv) == 2
        error = capsys.readouterr().err
        assert "bad.pth: its config names the model type 'os.system'" in error
        assert not trace.exists(), name


def test_a_change_on_purpose(own, tmp_path, monkeypatch, caplog):
    """Of the checkpoint's own config: it is made, and said."""
    monkeypatch.chdir(tmp_path)
    options = {'model.test_cfg.resize': 'logits', 'test_dataloader.batch_size': 2}
    cfg = load_own_config(str(own[0]), options, str(tmp_path))
    assert cfg.work_dir == f'work_dirs/{DEMO}'
    assert cfg.test_dataloader.dataset.data_root == str(tmp_path)
    assert cfg.runner_type == 'SafeRunner' and cfg.custom_hooks[1].type == 'OverlayHook'
    assert init_model(cfg, own[0], 'cpu').resize == 'logits'
    (line,) = [record.getMessage() for record in caplog.records]
    assert "model.test_cfg.resize is 'logits'" in line and "'mask'" in line
    with pytest.raises(InputError, match='x.y: the config'):
        load_own_config(str(own[0]), {'x.y': 1}, str(tmp_path))


def test_a_checkpoint_that_knows_no_data(own, tmp_path):
    """One that was handed on: where the data lay is nobody's business."""
    publish(None, own[0], tmp_path / 'handed_on.pth')
    with pytest.raises(InputError, match='handed_on.pth: .*--data-root'):
        load_own_config(str(tmp_path / 'handed_on.pth'))
    assert load_own_config(str(tmp_path / 'handed_on.pth'), data_root=str(tmp_path))


@pytest.fixture(scope='module')
def voting(tmp_path_factory):
    """A checkpoint of a model that votes for the centers of bones."""
    cfg = get_config(DEMO)
    cfg.model.decode_head.center_votes = True
    torch.manual_seed(0)  # what it predicts shall not depend on other tests
    model = build_model(cfg)
    with torch.no_grad():
        model.decode_head.votes[1].weight.mul_(0.05)
    path = tmp_path_factory.mktemp('voting') / 'iter_1.pth'
    content = dict(state_dict=model.state_dict(), meta=dict(seam_seg=carry(cfg)))
    torch.save(content, path)
    return path


def test_bones_are_grouped_by_their_votes(voting):
    pixels = np.random.default_rng(3).integers(0, 256, (512, 128)).astype(np.uint8)
    model = init_model(checkpoint=voting, device='cpu')
    found = predict(model, pixels)
    mask, bones = found.mask, found.bones
    assert bones.dtype == np.int32 and ((bones > 0) == (mask > 0)).all()
    pairs = {*zip(bones.ravel().tolist(), mask.ravel().tolist())}
    assert len(pairs) == len({bone for bone, _ in pairs}) > 4
    x = (torch.from_numpy(pixels).float().expand(1, 3, -1, -1) - 75.99) / 84.15
    with torch.no_grad():
        output = model.decode_head(model.extract_feat(x))
    output = torch.nn.functional.interpolate(output, (512, 128), mode='bilinear')[0]
    expected = group_votes(output[:4].argmax(dim=0).numpy(), output[4:].numpy())
    assert (bones == expected).mean() > 0.99
    # of several models, the mean
    ensemble = init_model(checkpoint=[voting, voting], device='cpu')
    assert (predict(ensemble, pixels).bones == bones).mean() > 0.99
    # four times the size, and with the smooth way back: the same bones, to its edges
    large = cv2.resize(pixels, (512, 2048), interpolation=cv2.INTER_NEAREST)
    for smooth in (model, ensemble):
        for one in smooth.modules():
            if hasattr(one, 'resize'):
                one.resize = 'logits'
        found = predict(smooth, large)
        mask, fitted = found.mask, found.bones
        assert fitted.shape == mask.shape == (2048, 512)
        assert ((fitted > 0) == (mask > 0)).all()
        inner = mask == np.kron(
            output[:4].argmax(dim=0).byte(), np.ones((4, 4), np.uint8)
        )
        same = (fitted == bones.repeat(4, axis=0).repeat(4, axis=1))[inner]
        assert 0.5 < inner.mean() < 1 and same.mean() > 0.98


def test_bones_without_votes_are_connected_pieces(checkpoint, image):
    found = predict(init_model(DEMO, checkpoint, 'cpu'), image[1])
    np.testing.assert_array_equal(found.bones, measure.label(found.mask, connectivity=2))
