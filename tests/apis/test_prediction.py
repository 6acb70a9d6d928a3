"""What a notebook asks of a model, and of what it says: as of the tools."""

import dataclasses
import json
import re

import cv2
import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from spine_drawing import draw_spine, tilts_of

from seam_seg.apis import Prediction, Segmenter, init_model, predict
from seam_seg.config_lookup import project_root
from seam_seg.datasets import VPIDataset
from seam_seg.datasets.phantom import make_case
from seam_seg.errors import InputError
from seam_seg.measurement import Settings, interval

PALETTE = VPIDataset.METAINFO['palette']
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def few_repetitions(monkeypatch):
    monkeypatch.setattr(interval, 'REPETITIONS', 3)


@pytest.fixture(scope='module')
def model():
    return Segmenter(device='cpu')


@pytest.fixture(scope='module')
def image(tmp_path_factory):
    """A phantom in a file."""
    path = tmp_path_factory.mktemp('image') / 'a case.png'
    assert cv2.imwrite(str(path), make_case(0).image)
    return path


@pytest.fixture(scope='module')
def found(model, image):
    return model.predict(image)


def contents(folder):
    """The files of a folder, by their paths in it."""
    paths = (path for path in folder.rglob('*') if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_as_the_tool(found, image, tmp_path, tool):
    """The files of save, and the numbers of measure."""
    words = [str(image), '--report', '--out', str(tmp_path / 'tool'), '--device', 'cpu']
    assert tool('predict')(words) == 0
    labels = found.save(tmp_path / 'own')
    assert labels == tmp_path / 'own' / 'a case.png'
    theirs, own = contents(tmp_path / 'tool'), contents(tmp_path / 'own')
    assert len(own) == 5 and own.items() <= theirs.items()
    content = json.loads((tmp_path / 'tool' / 'a case.json').read_text())
    measured = found.measure().to_dict()
    assert measured.items() <= content.items() and measured['curves']
    assert len(found.table()) == len(np.unique(found.bones)) - 1 > 20


def test_probabilities(found):
    probabilities = found.probabilities
    assert probabilities.shape == (4, *found.mask.shape)
    np.testing.assert_array_equal(probabilities.max(0), found.confidence)
    assert probabilities.sum(0) == pytest.approx(1, abs=1e-5)
    assert (probabilities.argmax(0) == found.mask).mean() > 0.97  # smooth edges apart


def test_a_file_and_an_array(model, found, image):
    array = cv2.imread(str(image))
    again = model.predict(array, spacing=(0.5, 0.25))
    np.testing.assert_array_equal(again.mask, found.mask)
    assert (found.name, again.name) == ('a case', 'image')
    assert found.spacing is None and again.spacing == (0.5, 0.25)
    settings = again.measure(Settings(level_shift=-1)).settings
    assert (settings.spacing, settings.level_shift) == ((0.5, 0.25), -1)
    bright = predict(init_model(device='cpu'), array, window=(0, 51)).image
    np.testing.assert_array_equal(bright, np.minimum(5.0 * found.image, 255))


def test_the_page(image, tmp_path, monkeypatch):
    """The code of docs/python.md runs as it stands."""
    matplotlib.use('Agg')
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'image.png').write_bytes(image.read_bytes())
    page = (project_root() / 'docs' / 'python.md').read_text()
    (code,) = re.findall('```python\n(.*?)```', page, re.S)
    exec(code, {})
    assert (tmp_path / 'results/image.png').is_file()
    plt.close('all')


@pytest.fixture
def drawn():
    """A prediction of a drawn spine, as sure as can be."""
    mask, bones = draw_spine(tilts_of('single', 20), instances=True)
    sure = np.ones(mask.shape, np.float32)
    return Prediction(mask, sure, 60 * mask, lambda: bones.astype(np.int32))


def test_a_prediction_by_hand(drawn, tmp_path):
    angle = drawn.measure().largest_curve_angle_deg
    assert angle == pytest.approx(20, abs=2)
    with pytest.raises(ValueError, match='without scores'):
        _ = drawn.probabilities
    saved = drawn.save(tmp_path, 'p01/scan')
    assert saved == tmp_path / 'p01/scan.png' and saved.is_file()
    assert (tmp_path / 'bones/p01/scan.csv').is_file()
    other = dataclasses.replace(drawn, classes=('background', 'bone'))
    with pytest.raises(InputError, match='classes background, bone: only masks of'):
        other.measure()


def test_bones_are_told_apart_when_asked_for_and_once(drawn):
    calls = []
    lazy = dataclasses.replace(drawn, find_bones=lambda: calls.append(1) or drawn.bones)
    assert lazy.mask.any() and not calls
    assert lazy.bones is drawn.bones and lazy.table() == drawn.table()
    assert lazy.bones is drawn.bones and calls == [1]


def test_plot(drawn):
    matplotlib.use('Agg')
    figure, own = plt.subplots()
    for axes in (drawn.plot(own), drawn.plot()):
        (picture,) = axes.get_images()
        pixels = picture.get_array()
        assert pixels.shape == (*drawn.mask.shape, 3)
        outlined = (pixels == PALETTE[2]).all(axis=2)  # of a thoracic bone, opaque
        assert outlined.any() and (drawn.mask[outlined] == 2).mean() > 0.5
        legend = [text.get_text() for text in axes.get_legend().get_texts()]
        assert legend == ['rib', 'thoracic', 'lumbar']
    assert own.figure is figure and axes.figure is not figure
    plt.close('all')


def test_the_side_that_a_file_states(tmp_path):
    """As by tools/measure.py: a picture that is turned by its directions is believed."""
    nibabel = pytest.importorskip('nibabel')
    mask = draw_spine(tilts_of('single', 20))
    scan = nibabel.Nifti1Image((60 * mask).T, np.diag([-0.2, -0.2, 1, 1]))
    nibabel.save(scan, tmp_path / 'scan.nii.gz')
    found = predict(init_model(device='cpu'), tmp_path / 'scan.nii.gz')
    assert found.image_left == 'patient_right'
    with pytest.raises(InputError, match='patient_right'):
        found.measure(Settings(image_left='patient_left'))
    assert found.measure(Settings(image_left='patient_right')).image_size == mask.shape
