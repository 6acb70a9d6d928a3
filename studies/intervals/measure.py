"""How often intervals of a mean over seeds and images hold the truth, by simulation.

python -m studies.intervals.measure
"""

import argparse
import functools
import sys
import warnings
from pathlib import Path
from typing import Callable, Dict, Iterator, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.formula.api import mixedlm

from seam_seg.apis.command_line import report_errors
from seam_seg.evaluation.crossed import crossed_mean
from studies.records import append_rows, make_rows

Interval = Tuple[float, float]
TRUTH = 1.0
RESAMPLES = 400


class World(NamedTuple):
    """Where differences come from: standard deviations in points of Dice.

    Attributes:
        seed, image (float): of what a seed, or an image, changes on average.
        rest (float): of what is left.
        tails (float, optional): degrees of freedom of Student's t. Default: normal.
    """

    seed: float
    image: float
    rest: float
    tails: Optional[float] = None

    def draw(self, rng: np.random.Generator, seeds: int, images: int) -> np.ndarray:
        """(seeds, images) differences."""
        effects = zip(self[:3], ((seeds, 1), (1, images), (seeds, images)))
        return TRUTH + sum(
            deviation * self._unit(rng, shape) for deviation, shape in effects
        )

    def _unit(self, rng: np.random.Generator, shape: Tuple[int, int]) -> np.ndarray:
        if self.tails is None:
            return rng.normal(size=shape)
        return rng.standard_t(self.tails, shape) * np.sqrt(1 - 2 / self.tails)

    def width(self, seeds: int, images: int) -> float:
        """Of the interval, were the deviations known."""
        variances = np.square(self[:3]) / (seeds, images, seeds * images)
        return 2 * stats.norm.ppf(0.975) * float(np.sqrt(variances.sum()))


WORLDS = {
    'as in Table 1': World(0.05, 0.1, 1.0),  # its contrasts, about
    'the same, heavy tails': World(0.05, 0.1, 1.0, tails=4),
    'as in its corners': World(0.2, 0.1, 1.0),  # the widest between seeds, about
    'seeds decide': World(2.0, 1.5, 4.0),
    'images decide': World(0.2, 5.0, 2.0),
    'neither': World(0.0, 0.0, 4.0),
    'least favourable': World(1.5, 6.1, 0.5),  # three seeds, a quarter from the images
}
SIZES = ((3, 30), (2, 150), (3, 150), (5, 150), (10, 150))
FITTED = (3, 30)  # by statsmodels: a larger one takes seconds


def _squares(values: np.ndarray) -> np.ndarray:
    """Variances of the mean, by the means of the seeds, of the images, and the rest."""
    seeds, images = values.shape
    by_seed = values.mean(axis=1, keepdims=True)
    by_image = values.mean(axis=0, keepdims=True)
    rest = values - by_seed - by_image + values.mean()
    freedom = (seeds - 1) * (images - 1)
    return np.array(
        [
            by_seed.var(ddof=1) / seeds,
            by_image.var(ddof=1) / images,
            (rest**2).sum() / freedom / values.size,
        ]
    )


def _around(values: np.ndarray, variance: float, freedom: float) -> Interval:
    reach = stats.t.ppf(0.975, freedom) * np.sqrt(variance)
    return values.mean() - reach, values.mean() + reach


def seeds_alone(values: np.ndarray) -> Interval:
    """Student's t over the means of the seeds."""
    return _around(values, _squares(values)[0], len(values) - 1)


def images_alone(values: np.ndarray) -> Interval:
    """Student's t over the means of the images."""
    return _around(values, _squares(values)[1], values.shape[1] - 1)


def min_f(values: np.ndarray) -> Interval:
    """min F' of Clark (1973), as in seam_seg 0.2 and 0.3: the rest counts twice."""
    parts = _squares(values)[:2]
    freedom = parts.sum() ** 2 / (parts**2 / (np.array(values.shape) - 1)).sum()
    return _around(values, parts.sum(), freedom)


def mixed_model(values: np.ndarray) -> Interval:
    """That of the package."""
    found = crossed_mean(values)
    return found.low, found.high


def mixed_model_normal(values: np.ndarray) -> Interval:
    """The same variance, taken for known, as by statsmodels where it finds it."""
    of_seed, of_image, rest = _squares(values)
    variance = max(of_seed - rest, 0) + max(of_image - rest, 0) + rest
    return _around(values, variance, np.inf)


def bootstrap(rng: np.random.Generator, values: np.ndarray) -> Interval:
    """Percentiles, where seeds and images are drawn again, each with replacement."""
    by_seed, by_image = (
        rng.multinomial(n, np.full(n, 1 / n), RESAMPLES) / n for n in values.shape
    )
    means = (by_seed @ values * by_image).sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


INTERVALS: Dict[str, Callable[[np.ndarray], Interval]] = {
    'mixed model': mixed_model,
    "min F'": min_f,
    'two-way bootstrap': functools.partial(bootstrap, np.random.default_rng(1)),
    'mixed model, normal': mixed_model_normal,
    'seeds alone': seeds_alone,
    'images alone': images_alone,
}


def fit(values: np.ndarray) -> Tuple[bool, float, float]:
    """MixedLM of statsmodels: whether it converged, and its interval."""
    long = pd.DataFrame(values).stack().rename_axis(['seed', 'image']).rename('value')
    components = dict(seed='0 + C(seed)', image='0 + C(image)')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            fitted = mixedlm(
                'value ~ 1',
                long.reset_index().assign(all=1),
                groups='all',
                re_formula='0',
                vc_formula=components,
            ).fit()
        except np.linalg.LinAlgError:
            return False, np.nan, np.nan
        reach = stats.norm.ppf(0.975) * fitted.bse.iloc[0]
    mean = fitted.params.iloc[0]
    return bool(fitted.converged), mean - reach, mean + reach


def measure(draws: int, fits: int) -> Iterator[Tuple[str, dict]]:
    """Yields the setting of each number, and the number."""
    for seeds, images in SIZES:
        for name, world in WORLDS.items():
            setting = f'{seeds} x {images}, {name}'
            rng = np.random.default_rng(0)
            samples = [world.draw(rng, seeds, images) for _ in range(draws)]
            for method, interval in INTERVALS.items():
                found = np.array([interval(values) for values in samples])
                for score, value in judge(found, world.width(seeds, images)).items():
                    yield setting, dict(method=method, score=score, value=value)
            if (seeds, images) != FITTED:
                continue
            found = np.array([fit(values) for values in samples[:fits]])
            scores = judge(found[:, 1:], world.width(seeds, images))
            scores['converged'] = 100 * found[:, 0].mean()
            for score, value in scores.items():
                yield setting, dict(method='MixedLM', score=score, value=value)


def judge(intervals: np.ndarray, known: float) -> Dict[str, float]:
    """How often intervals hold the truth, and how wide they are.

    Args:
        intervals (np.ndarray): (n, 2) ends; nan holds nothing.
        known (float): width of the interval, were the variance known.

    Returns:
        dict[str, float]: ``coverage`` in %, and the median ``width`` over the known one.
    """
    low, high = intervals.T
    held = (low <= TRUTH) & (high >= TRUTH)
    width = np.nanmedian(high - low) / known
    return dict(coverage=100 * held.mean(), width=float(width))


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--draws', type=int, default=2000, help='samples of a setting')
    parser.add_argument('--fits', type=int, default=50, help='of them for statsmodels')
    parser.add_argument(
        '--rows',
        type=Path,
        default=Path('studies/intervals/results.csv'),
        help='to write',
    )
    args = parser.parse_args(argv)
    numbers: Dict[str, list] = {}
    for setting, number in measure(args.draws, args.fits):
        numbers.setdefault(setting, []).append(number)
    rows = [make_rows(found, 'intervals', name) for name, found in numbers.items()]
    append_rows(args.rows, pd.concat(rows))
    return 0


if __name__ == '__main__':
    sys.exit(main())
