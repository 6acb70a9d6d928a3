"""tools/predict.py --report: from an image to its page in one command."""

import hashlib
import json
from types import SimpleNamespace

import cv2
import pytest
from spine_drawing import draw_spine, tilts_of

from seam_seg.apis import inference
from seam_seg.weights import READY_WEIGHTS


@pytest.mark.slow
def test_predict_measures_and_reports(tmp_path, tool, capsys):
    image = 200 - 50 * draw_spine(tilts_of('double', 20))
    for name in ('good.PNG', 'other.png'):
        cv2.imwrite(str(tmp_path / name), image)
    (tmp_path / 'bad.png').write_text('no picture')
    out = tmp_path / 'out'
    assert tool('predict')([str(tmp_path), '--report', '--out', str(out)]) == 1
    said = capsys.readouterr()
    assert '2 of 3 images segmented' in said.out and 'of 3 masks measured' in said.out
    assert said.err.count('error: ') == 1 and 'bad.png' in said.err
    assert not (out / 'bad.html').exists()
    content = json.loads((out / 'good.json').read_text())
    files = content['files']
    assert set(files) == {
        *('mask', 'image', 'instances', 'confidence', 'bones', 'weights')
    }
    assert files['image']['file'] == 'good.PNG'
    digest = hashlib.sha256(READY_WEIGHTS.read_bytes()).hexdigest()
    assert files['weights'] == dict(file=READY_WEIGHTS.name, sha256=digest)
    page = (out / 'good.html').read_text('utf-8')
    assert 'data:image/jpeg' in page and digest[:16] in page
    index = (out / 'index.html').read_text('utf-8')
    assert 'good.html' in index and 'other.html' in index and 'bad.png: the' in index
    assert (out / 'curves.csv').exists()

    words = [str(tmp_path / 'good.PNG'), '--report', '--out', str(tmp_path / 'one')]
    assert tool('predict')(words) == 0
    assert (tmp_path / 'one/good.html').read_text('utf-8') == page
    assert not (tmp_path / 'one/index.html').exists()


def test_other_classes_are_not_measured(tmp_path, tool, capsys, monkeypatch):
    """As by Prediction.measure: muscles were reported as ribs."""
    classes = ('background', 'muscle', 'fat', 'nerve')
    model = SimpleNamespace(dataset_meta=dict(classes=classes))
    monkeypatch.setattr(inference, 'init_model', lambda *options: model)
    cv2.imwrite(str(tmp_path / 'a.png'), draw_spine(tilts_of('double', 20)))
    words = [str(tmp_path / 'a.png'), '--out', str(tmp_path / 'out')]
    assert tool('predict')([*words, '--report']) == 2
    assert 'classes background, muscle, fat, nerve: only' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
