"""init_model, load_weights and predict_mask."""

import cv2
import numpy as np
import pytest
import torch

from seam_seg.apis import init_model, predict, predict_mask
from seam_seg.config_lookup import get_config
from seam_seg.errors import InputError

DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'


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
    probability = logits[0].softmax(0).amax(0).numpy()
    np.testing.assert_allclose(
        result.confidence, cv2.resize(probability, (70, 90)), atol=1e-5
    )


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


@pytest.mark.parametrize(
    'array',
    [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.float32), np.zeros(4, np.uint8)],
)
def test_refuses_other_arrays(checkpoint, array):
    model = init_model(DEMO, checkpoint, 'cpu')
    with pytest.raises(ValueError, match='image must be'):
        predict_mask(model, array)


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
