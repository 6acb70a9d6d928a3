"""The trivial predictors against loops that are slow and plain."""

import json

import cv2
import numpy as np
import pytest

from seam_seg.evaluation.trivial import (
    CANDIDATES,
    Intensity,
    MeanMask,
    decide,
    fit_thresholds,
    per_image_dice,
    trivial_baselines,
)

NUM_CLASSES = 4


@pytest.fixture
def cases():
    """Five images of 12 x 8 in which the grey level tells something of the class."""
    rng = np.random.default_rng(0)
    masks = rng.choice([0, 0, 0, 1, 2, 3], (5, 12, 8)).astype(np.uint8)
    masks[0, 0, 0] = 255
    masks[1][masks[1] == 3] = 0
    images = 200 - 40 * (masks % 255) + rng.integers(0, 50, masks.shape)
    return images.astype(np.uint8), masks


def dice_of(pred, truth, label):
    """Dice of a class, nan where it is in neither mask, ignored pixels left out."""
    both = pred_area = truth_area = 0
    for p, t in zip(pred.ravel(), truth.ravel()):
        if t != 255:
            both += p == label and t == label
            pred_area += p == label
            truth_area += t == label
    total = pred_area + truth_area
    return 2 * both / total if total else np.nan


def test_mean_mask_is_the_frequency_without_ignored_pixels(cases):
    _, masks = cases
    frequency = MeanMask.fit(masks, NUM_CLASSES)(None)
    assert frequency.shape == (NUM_CLASSES, 12, 8)
    for row in range(12):
        for column in range(8):
            labels = [m[row, column] for m in masks if m[row, column] != 255]
            for label in range(NUM_CLASSES):
                assert frequency[label, row, column] == pytest.approx(
                    labels.count(label) / len(labels)
                )


def test_mean_mask_where_all_is_ignored():
    assert not MeanMask.fit([np.full((2, 2), 255, np.uint8)], NUM_CLASSES)(None).any()


def test_intensity_is_the_share_at_each_grey_level(cases):
    images, masks = cases
    posterior = Intensity.fit(images, masks, NUM_CLASSES, sigma=0).posterior
    for level in range(256):
        labels = [
            int(t)
            for g, t in zip(images.ravel(), masks.ravel())
            if g == level and t != 255
        ]
        for label in range(NUM_CLASSES):
            expected = labels.count(label) / len(labels) if labels else 0
            assert posterior[label, level] == pytest.approx(expected)


def test_intensity_smooths_counts_with_a_gaussian():
    image = np.array([[100, 100, 103]], np.uint8)
    mask = np.array([[1, 1, 2]], np.uint8)
    posterior = Intensity.fit([image], [mask], NUM_CLASSES, sigma=2).posterior
    near, far = np.exp(-0.5 * (1 / 2) ** 2), np.exp(-0.5 * (2 / 2) ** 2)
    assert posterior[1, 101] == pytest.approx(2 * near / (2 * near + far))
    assert posterior[2, 102] == pytest.approx(near / (near + 2 * far))


def test_decision_takes_the_largest_ratio_above_one():
    scores = np.array([[0.9, 0.9, 0.1], [0.2, 0.1, 0.5], [0.3, 0.3, 0.5]])[:, None]
    thresholds = np.array([np.inf, 0.1, 0.4])
    # 2.0 against 0.75; 1.0, which is not above, against 0.75; 5 against 1.25
    np.testing.assert_array_equal(decide(scores, thresholds), [[1, 0, 1]])
    np.testing.assert_array_equal(
        decide(scores, np.array([np.inf, np.inf, 0.25])), [[2, 2, 2]]
    )


@pytest.mark.parametrize('kind', ['mean', 'intensity'])
def test_thresholds_maximise_the_training_dice(cases, kind):
    images, masks = cases
    predictor = (
        MeanMask.fit(masks, NUM_CLASSES)
        if kind == 'mean'
        else Intensity.fit(images, masks, NUM_CLASSES)
    )
    thresholds = fit_thresholds(predictor, images, masks, NUM_CLASSES)
    assert np.isinf(thresholds[0])

    def mean_dice(label, threshold):
        return np.nanmean(
            [
                dice_of(
                    np.where(predictor(image)[label] > threshold, label, 0), mask, label
                )
                for image, mask in zip(images, masks)
            ]
        )

    for label in range(1, NUM_CLASSES):
        top = max(predictor(image)[label].max() for image in images)
        best = max(
            mean_dice(label, top * np.float32(k / (CANDIDATES + 1)))
            for k in range(1, CANDIDATES + 1)
        )
        assert mean_dice(label, np.float32(thresholds[label])) == pytest.approx(best)


def test_a_class_that_is_never_seen_is_never_predicted(cases):
    images, masks = cases
    masks = np.where(masks == 2, 0, masks)
    predictor = MeanMask.fit(masks, NUM_CLASSES)
    thresholds = fit_thresholds(predictor, images, masks, NUM_CLASSES)
    assert np.isinf(thresholds[2])
    assert not (decide(predictor(None), thresholds) == 2).any()


def test_scores_are_per_image_at_the_size_of_the_mask(cases):
    images, masks = cases
    predictor = Intensity.fit(images, masks, NUM_CLASSES)
    thresholds = fit_thresholds(predictor, images, masks, NUM_CLASSES)
    large = [
        cv2.resize(mask, (24, 48), interpolation=cv2.INTER_NEAREST_EXACT)
        for mask in masks
    ]
    dice = per_image_dice(predictor, thresholds, zip(images, large), NUM_CLASSES)
    assert dice.shape == (5, NUM_CLASSES)
    for i, mask in enumerate(large):
        pred = decide(predictor(images[i]), thresholds).repeat(4, axis=0).repeat(3, 1)
        for label in range(NUM_CLASSES):
            np.testing.assert_allclose(dice[i, label], dice_of(pred, mask, label))


def test_absent_classes_are_left_out_of_the_mean(cases):
    images, masks = cases
    empty = [(images[0], np.zeros_like(masks[0])), (images[1], np.zeros_like(masks[1]))]
    results = trivial_baselines(
        images, np.where(masks == 2, 0, masks), empty, ('background', 'a', 'b', 'c')
    )
    for scores in results.values():
        assert list(scores) == ['a', 'b', 'c', 'average']
        assert np.isnan(scores['b'])  # in no mask and never predicted
        assert scores['a'] == scores['c'] == scores['average'] == 0


def test_tool(tool, tmp_path, capsys):
    main = tool('trivial_baselines')
    for split, count in (('train', 3), ('test', 2)):
        for i in range(count):
            mask = np.zeros((60, 30), np.uint8)
            for label in (1, 2, 3):
                mask[14 * label : 14 * label + 9, 6 + i : 20 + i] = label
            for folder, name, pixels in (
                ('dataset', f'{split}{i}.png', 200 - 50 * mask),
                ('groundtruth', f'{split}{i}_bone_3.png', mask),
            ):
                (tmp_path / folder / split).mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(tmp_path / folder / split / name), pixels)
        (tmp_path / f'{split}.txt').write_text(
            ''.join(f'{split}{i}\n' for i in range(count))
        )
    out = tmp_path / 'new/scores.json'
    status = main([str(tmp_path), '--image-size', '30', '15', '--out', str(out)])
    assert status == 0
    assert 'on 2 test cases, fitted on 3 training cases' in capsys.readouterr().out
    scores = json.loads(out.read_text())
    # The grey level tells all here, but for the edges that the resizing blurs.
    assert scores['intensity']['average'] > 80
    assert scores['mean mask']['average'] > 60
    assert main([str(tmp_path / 'nowhere')]) == 2
    assert main([str(tmp_path), '--image-size', '0', '15']) == 2
    assert capsys.readouterr().err.count('error: ') == 2
