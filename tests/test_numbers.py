"""Numbers that stay numbers: extreme logits, low precision, masks of unusual content."""

import contextlib

import cv2
import numpy as np
import pytest
import torch
from model_cases import HEADS, build_head, samples, total

from seam_seg.evaluation.metric import DiceJaccardMetric

CLASSES = ('background', 'rib', 'thoracic', 'lumbar')
HEIGHT, WIDTH = 192, 128


def scattered(step):
    """Lone pixels, ``step`` apart, of the three classes in turns."""
    mask = np.zeros((HEIGHT, WIDTH), np.int64)
    at = np.indices((HEIGHT // step, WIDTH // step)).sum(0)
    mask[::step, ::step] = 1 + at % 3
    return mask


MASKS = {
    'all background': np.zeros((HEIGHT, WIDTH), np.int64),
    'all one class': np.full((HEIGHT, WIDTH), 3),
    'all ignored': np.full((HEIGHT, WIDTH), 255),
    'one labelled pixel': np.where(
        np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) == 999, 2, 255
    ),
    'segments of one pixel': scattered(16),
    'thousands of segments': scattered(2),
}


def test_the_masks_are_what_they_are_called():
    counts = {
        name: sum(
            cv2.connectedComponents((mask == label).astype(np.uint8))[0] - 1
            for label in (1, 2, 3)
        )
        for name, mask in MASKS.items()
    }
    assert counts == {
        'all background': 0,
        'all one class': 1,
        'all ignored': 0,
        'one labelled pixel': 1,
        'segments of one pixel': 96,
        'thousands of segments': 6144,
    }


@pytest.mark.slow
@pytest.mark.parametrize('precision', ['float32', 'bfloat16'])
@pytest.mark.parametrize('scale', [1.0, 1e4])
@pytest.mark.parametrize('name', HEADS)
def test_losses_and_gradients_are_finite(name, scale, precision):
    """With features of this scale, in every kind of mask."""
    head = build_head(HEADS[name])
    for label, mask in MASKS.items():
        inputs = [
            scale * torch.randn(2, 8, HEIGHT // stride, WIDTH // stride)
            for stride in (4, 8)
        ]
        truth = samples(torch.from_numpy(np.stack([mask, mask])))
        head.zero_grad()
        with (
            torch.autocast('cpu', torch.bfloat16)
            if precision == 'bfloat16'
            else contextlib.nullcontext()
        ):
            losses = head.loss(inputs, truth, {})
            loss = total(losses)
        loss.backward()
        assert loss.isfinite() and loss >= 0, label
        for key, parameter in head.named_parameters():
            if parameter.requires_grad:  # not None either, or DDP waits for it
                assert parameter.grad.isfinite().all(), (label, key)


@pytest.mark.parametrize('truth', MASKS)
def test_metric_is_finite_or_absent(truth):
    """A score is a number, or it is not there; 'nan' is said of the averages alone."""
    for prediction in MASKS.values():
        metric = DiceJaccardMetric(surface=True)
        metric.dataset_meta = dict(classes=CLASSES)
        metric.process(
            {},
            [
                dict(
                    img_path='a.png',
                    pred_sem_seg=dict(data=torch.from_numpy(prediction % 255)[None]),
                    gt_sem_seg=dict(data=torch.from_numpy(MASKS[truth])[None]),
                )
            ],
        )
        scores = metric.compute_metrics(metric.results)
        for key, value in scores.items():
            assert np.isfinite(value) or key.startswith('m'), key
        for name in CLASSES[1:]:
            assert (f'Dice.{name}' in scores) == (not scores[f'undefined.{name}'])
        if np.isnan(scores['mDice']):
            assert all(scores[f'undefined.{name}'] == 1 for name in CLASSES[1:])
