"""Two predictors without learning to speak of, which any model has to beat.

VPI images are aligned and their bones dark, so that a predictor that does not look at
the image, or at one pixel at a time, scores well above 0. Its scores are the floor of
every table.
"""

from dataclasses import dataclass
from typing import Callable, Dict, Iterable, Sequence, Tuple

import cv2
import numpy as np

from seam_seg.evaluation import confusion_counts, dice_jaccard

IGNORE_INDEX = 255
GREY_LEVELS = 256
CANDIDATES = 99  # thresholds that are tried for a class
# Maps an image, (h, w) uint8, to the score maps of N classes, (N, h, w).
Predictor = Callable[[np.ndarray], np.ndarray]


@dataclass
class MeanMask:
    """Scores a class by its frequency at this place in the training masks.

    Attributes:
        frequency (np.ndarray): (N, h, w) float32 in [0, 1].
    """

    frequency: np.ndarray

    @classmethod
    def fit(cls, masks: Sequence[np.ndarray], num_classes: int) -> 'MeanMask':
        """Counts the classes at every pixel.

        Args:
            masks (Sequence[np.ndarray]): (h, w) uint8 each, all of one size; ignored
                pixels do not count.
            num_classes (int): N.

        Returns:
            MeanMask: 0 where every mask is ignored.
        """
        counts = np.stack(
            [
                sum((mask == label).astype(np.float32) for mask in masks)
                for label in range(num_classes)
            ]
        )
        return cls(counts / np.maximum(counts.sum(axis=0), 1))

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The frequencies, whatever the image."""
        return self.frequency


@dataclass
class Intensity:
    """Scores a class by its probability given the grey level of the pixel.

    Attributes:
        posterior (np.ndarray): (N, 256) float32 in [0, 1].
    """

    posterior: np.ndarray

    @classmethod
    def fit(
        cls,
        images: Sequence[np.ndarray],
        masks: Sequence[np.ndarray],
        num_classes: int,
        sigma: float = 2,
    ) -> 'Intensity':
        """Counts the classes at every grey level.

        Args:
            images (Sequence[np.ndarray]): (h, w) uint8 each.
            masks (Sequence[np.ndarray]): their masks; ignored pixels do not count.
            num_classes (int): N.
            sigma (float): width, in grey levels, of the Gaussian that smooths the
                counts; few pixels have a given level. 0 smooths nothing. Default: 2.

        Returns:
            Intensity: 0 at levels without pixels nearby.
        """
        counts = np.zeros((num_classes, GREY_LEVELS))
        for image, mask in zip(images, masks):
            valid = mask != IGNORE_INDEX
            joint = mask[valid].astype(np.intp) * GREY_LEVELS + image[valid]
            counts += np.bincount(joint, minlength=counts.size).reshape(counts.shape)
        if sigma:
            offsets = np.arange(GREY_LEVELS)
            kernel = np.exp(-0.5 * ((offsets[:, None] - offsets) / sigma) ** 2)
            counts = counts @ kernel
        total = counts.sum(axis=0)
        posterior = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
        return cls(posterior.astype(np.float32))

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Looks the grey levels up."""
        return self.posterior[:, image]


def decide(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Labels a pixel with the bone that exceeds its threshold by the largest factor.

    The largest score would be the background's almost everywhere, because bones are
    rare: too weak an opponent.

    Args:
        scores (np.ndarray): (N, h, w), class 0 is the background.
        thresholds (np.ndarray): (N,), positive; that of class 0 is not used.

    Returns:
        np.ndarray: (h, w) uint8; background where no bone exceeds its threshold.
    """
    ratio = scores[1:] / np.asarray(thresholds, np.float32)[1:, None, None]
    best = ratio.argmax(axis=0)
    return np.where(ratio.max(axis=0) > 1, best + 1, 0).astype(np.uint8)


def fit_thresholds(
    predictor: Predictor,
    images: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    num_classes: int,
) -> np.ndarray:
    """Finds the thresholds that give the best mean per-image Dice in training.

    Each class on its own: pixels above the threshold against all others.

    Args:
        predictor (Predictor): fitted on the same images.
        images (Sequence[np.ndarray]): (h, w) uint8 each.
        masks (Sequence[np.ndarray]): their masks.
        num_classes (int): N.

    Returns:
        np.ndarray: (N,) positive; infinite for a class that never scores, and for the
        background.
    """
    tops = np.max([predictor(image).max(axis=(1, 2)) for image in images], axis=0)
    shares = np.arange(1, CANDIDATES + 1) / (CANDIDATES + 1)
    candidates = tops[:, None] * shares.astype(tops.dtype)
    dice = np.stack(
        [
            _dice_above(predictor(image), mask, candidates)
            for image, mask in zip(images, masks)
        ]
    )
    thresholds = np.full(num_classes, np.inf)
    for label, mean in enumerate(nanmean(dice)):
        if label and tops[label] > 0:
            thresholds[label] = candidates[label, mean.argmax()]
    return thresholds


def _dice_above(
    scores: np.ndarray, mask: np.ndarray, candidates: np.ndarray
) -> np.ndarray:
    """Dice of the pixels above each candidate threshold, (N, candidates)."""
    valid = mask != IGNORE_INDEX
    dice = np.empty(candidates.shape)
    for label, thresholds in enumerate(candidates):
        passed = np.searchsorted(thresholds, scores[label][valid])
        bone = mask[valid] == label
        # A pixel that passes k thresholds lies above the first k of them.
        intersection, area = (
            np.bincount(chosen, minlength=len(thresholds) + 1)[:0:-1].cumsum()[::-1]
            for chosen in (passed[bone], passed)
        )
        dice[label] = dice_jaccard(intersection, area, bone.sum())[0]
    return dice


def per_image_dice(
    predictor: Predictor,
    thresholds: np.ndarray,
    cases: Iterable[Tuple[np.ndarray, np.ndarray]],
    num_classes: int,
) -> np.ndarray:
    """Scores a predictor at the masks' own resolution.

    Args:
        predictor (Predictor): fitted.
        thresholds (np.ndarray): (N,), of :func:`fit_thresholds`.
        cases (Iterable[tuple[np.ndarray, np.ndarray]]): image (h, w) of the size that
            was trained on, and mask (H, W) of any size.
        num_classes (int): N.

    Returns:
        np.ndarray: (cases, N) Dice in [0, 1]; nan where a class is in neither mask.
    """
    dice = []
    for image, mask in cases:
        labels = decide(predictor(image), thresholds)
        labels = cv2.resize(
            labels, mask.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT
        )
        counts = confusion_counts(labels, mask, num_classes, IGNORE_INDEX)
        dice.append(dice_jaccard(*counts)[0])
    return np.stack(dice)


def score_predictors(
    images: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    cases: Sequence[Tuple[np.ndarray, np.ndarray]],
    num_classes: int,
) -> Dict[str, np.ndarray]:
    """Fits both predictors and scores them.

    Args:
        images (Sequence[np.ndarray]): training images, (h, w) uint8 each.
        masks (Sequence[np.ndarray]): their masks, (h, w) uint8 each.
        cases (Sequence[tuple[np.ndarray, np.ndarray]]): test cases, see
            :func:`per_image_dice`.
        num_classes (int): N.

    Returns:
        dict[str, np.ndarray]: predictor -> (cases, N), see :func:`per_image_dice`.
    """
    predictors = {
        'mean mask': MeanMask.fit(masks, num_classes),
        'intensity': Intensity.fit(images, masks, num_classes),
    }
    return {
        name: per_image_dice(
            predictor,
            fit_thresholds(predictor, images, masks, num_classes),
            cases,
            num_classes,
        )
        for name, predictor in predictors.items()
    }


def nanmean(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis without nan; nan, unwarned, where all are."""
    count = np.isfinite(values).sum(axis=0)
    return np.where(count, np.nansum(values, axis=0), np.nan) / np.maximum(count, 1)
