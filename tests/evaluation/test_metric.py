"""DiceJaccardMetric: the mean of per-image scores, its table and its files."""

import csv
import json
import logging

import cv2
import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmseg.registry import METRICS
from test_dice_jaccard import slow_scores

from seam_seg.datasets import VPIDataset
from seam_seg.evaluation.surface import surface_distances

CLASSES = VPIDataset.METAINFO['classes']


def evaluate(pairs, *metrics, runtimes=None):
    """Evaluates (prediction, truth) pairs as a run does."""
    evaluator = Evaluator(metrics)
    evaluator.dataset_meta = VPIDataset.METAINFO
    for i, (pred, truth) in enumerate(pairs):
        evaluator.process(
            [
                dict(
                    img_path=f'folder/case {i}.png',
                    pred_sem_seg=dict(data=torch.from_numpy(pred)[None]),
                    gt_sem_seg=dict(data=torch.from_numpy(truth)[None]),
                    **({} if runtimes is None else dict(runtime=runtimes[i])),
                )
            ]
        )
    return evaluator.evaluate(len(pairs))


def run(pairs, runtimes=None, **options):
    """The scores of DiceJaccardMetric, without the prefix of their keys."""
    metric = dict(type='DiceJaccardMetric', **options)
    scores = evaluate(pairs, metric, runtimes=runtimes)
    prefix = f'{options.get("prefix", "bone")}/'
    assert all(key.startswith(prefix) for key in scores)
    return {key[len(prefix) :]: score for key, score in scores.items()}


@pytest.fixture
def pairs():
    rng = np.random.default_rng(1)
    out = [tuple(rng.integers(0, 4, (2, 8, 6 + i))) for i in range(3)]
    for mask in out[0]:
        mask[mask == 3] = 0  # lumbar: absent from both masks of the first image
    out[1][0][out[1][0] == 2] = 0  # thoracic: absent from one mask of the second
    return out


def test_mean_of_per_image_scores(pairs):
    metrics = run(pairs)
    for key, which in (('Dice', 0), ('Jaccard', 1)):
        means = {}
        for label, name in enumerate(CLASSES):
            scores = [slow_scores(*pair, label)[which] for pair in pairs]
            means[name] = 100 * np.mean([s for s in scores if not np.isnan(s)])
        for name in CLASSES[1:]:
            assert metrics[f'{key}.{name}'] == pytest.approx(means[name])
        assert f'{key}.background' not in metrics
        assert metrics[f'm{key}'] == pytest.approx(
            np.mean([means[name] for name in CLASSES[1:]])
        )
    undefined = [metrics[f'undefined.{name}'] for name in CLASSES[1:]]
    assert undefined == [0, 0, 1]
    assert slow_scores(*pairs[1], 2)[0] == 0


def test_differs_from_pooled_counts():
    """One perfect large image and one missed small one: pooling hides the miss."""
    large = np.ones((20, 20), np.int64)
    truth = np.zeros((20, 20), np.int64)
    truth[:2, :2] = 1
    metrics = run([(large, large), (np.zeros_like(truth), truth)])
    assert metrics['Dice.rib'] == pytest.approx(50)


def test_class_without_any_score():
    ones = np.ones((4, 4), np.int64)
    metrics = run([(ones, ones)])
    assert metrics['Dice.rib'] == metrics['mDice'] == 100
    assert 'Dice.lumbar' not in metrics and metrics['undefined.lumbar'] == 1


def test_a_class_that_is_nowhere_and_predicted_is_said(monkeypatch):
    said = []
    monkeypatch.setattr(
        'seam_seg.evaluation.metric.print_log',
        lambda text, logger=None, level=logging.INFO: said.append((level, text)),
    )
    ones = np.ones((4, 4), np.int64)
    other = ones.copy()
    other[0, 0] = 3
    metrics = run([(ones, ones)] * 2)
    assert metrics['mDice'] == 100 and len(said) == 1
    metrics = run([(ones, ones), (other, ones)])
    assert metrics['mDice'] < 50 and metrics['Dice.lumbar'] == 0
    (text,) = (text for level, text in said if level == logging.WARNING)
    assert 'lumbar is in no true mask of 2 images, and predicted in 1: ' in text


def test_nothing_but_background_has_no_score(tmp_path):
    zeros = np.zeros((4, 4), np.int64)
    metrics = run([(zeros, zeros)], summary_dir=str(tmp_path))
    assert np.isnan(metrics['mDice']) and metrics['undefined.rib'] == 1
    summary = json.loads((tmp_path / 'dice_jaccard.json').read_text())
    assert summary['mDice'] is None


def test_files(pairs, tmp_path):
    metrics = run(
        pairs,
        runtimes=[None, 0.2, 0.4],
        summary_dir=str(tmp_path / 'summary'),
        output_dir=str(tmp_path / 'labels'),
    )
    assert metrics['R'] == pytest.approx(0.3)
    summary = json.loads((tmp_path / 'summary/dice_jaccard.json').read_text())
    assert summary['images'] == 3
    assert {key: summary[key] for key in metrics} == metrics
    with (tmp_path / 'summary/dice_jaccard.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['name'] for row in rows] == ['case 0', 'case 1', 'case 2']
    assert rows[0]['Dice.lumbar'] == '' and rows[0]['runtime'] == ''
    for row, pair in zip(rows, pairs):
        expected = 100 * slow_scores(*pair, 1)[1]
        assert float(row['Jaccard.rib']) == pytest.approx(expected, abs=1e-5)
    for i, (pred, _) in enumerate(pairs):
        written = cv2.imread(str(tmp_path / f'labels/case {i}.png'), cv2.IMREAD_UNCHANGED)
        assert written.dtype == np.uint8 and (written == pred).all()


def test_surface_distances(pairs, tmp_path):
    metrics = run(pairs, surface=True, summary_dir=str(tmp_path))
    plain = run(pairs)
    assert {key: metrics[key] for key in plain} == plain
    # per image, of the label that is there in both masks
    expected = [surface_distances(*pair, 4) for pair in pairs]
    for row, key in enumerate(('HD95', 'ASSD')):
        for label, name in enumerate(CLASSES[1:], start=1):
            values = [scores[row][label] for scores in expected]
            assert metrics[f'{key}.{name}'] == pytest.approx(np.nanmean(values))
        assert metrics[f'm{key}'] == pytest.approx(
            np.mean([metrics[f'{key}.{name}'] for name in CLASSES[1:]])
        )
    assert [metrics[f'no_surface.{name}'] for name in CLASSES[1:]] == [0, 1, 1]
    with (tmp_path / 'dice_jaccard.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert rows[1]['HD95.thoracic'] == '' and float(rows[1]['ASSD.rib']) > 0
    # a class that is never found must not leave the average the better for it
    lost = run(
        [(np.where(pred == 1, 0, pred), truth) for pred, truth in pairs], surface=True
    )
    assert lost['Dice.rib'] == 0 and np.isfinite(lost['mDice'])
    assert np.isnan(lost['mHD95']) and np.isnan(lost['mASSD'])


def test_format_only(pairs, tmp_path):
    assert run(pairs, format_only=True, output_dir=str(tmp_path)) == {}
    assert len(list(tmp_path.glob('*.png'))) == 3
    with pytest.raises(ValueError, match='output_dir'):
        METRICS.build(dict(type='DiceJaccardMetric', format_only=True))


def test_prefix_and_ignored_pixels(pairs):
    pred, truth = pairs[2]
    hidden = np.where(pred == truth, truth, 7)
    metrics = run([(pred, hidden)], ignore_index=7, prefix='vpi')
    assert metrics['mDice'] == pytest.approx(100)


def test_stands_beside_the_dice_of_mmseg(pairs):
    """Whose key has the same name, and means another thing."""
    scores = evaluate(
        pairs,
        dict(type='DiceJaccardMetric'),
        dict(type='IoUMetric', iou_metrics=['mIoU', 'mDice']),
    )
    assert scores['bone/mDice'] == run(pairs)['mDice']
    assert abs(scores['bone/mDice'] - scores['mDice']) > 1
