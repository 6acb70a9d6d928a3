"""Methods compared: contrasts of them, with intervals, from rows of scores."""

from typing import Dict, Iterable, Mapping, Optional

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from ..datasets.subjects import listed
from ..errors import InputError
from ..evaluation.crossed import Estimate, crossed_mean
from ..evaluation.rows import image_scores

SIZES = ['seeds', 'images', 'subjects']  # that a difference is from
OVERLAPS = ('Dice.', 'Jaccard.')  # of a class
# What is compared: label -> weight of each method. `SEAM - FPN` is 1 and -1.
Contrasts = Mapping[str, Mapping[str, float]]


def against(reference: str, names: Iterable[str]) -> Dict[str, Dict[str, float]]:
    """The contrasts `method - reference` of all other methods."""
    return {
        f'{name} - {reference}': {name: 1.0, reference: -1.0}
        for name in names
        if name != reference
    }


def read_contrast(text: str, methods: Mapping[str, str]) -> Dict[str, Dict[str, float]]:
    """Reads a contrast of two methods.

    Args:
        text (str): `A - B`, with a space on either side of the minus.
        methods (Mapping[str, str]): what a method may be called -> the method.

    Returns:
        dict[str, dict[str, float]]: the contrast, by its label.

    Raises:
        InputError: it is not made of two known methods.
    """
    parts = text.split(' - ')
    for i in range(1, len(parts)):  # names may have a minus of their own
        sides = (' - '.join(part).strip() for part in (parts[:i], parts[i:]))
        method, reference = (methods.get(side) for side in sides)
        if method is not None and reference is not None and method != reference:
            return against(reference, [method])
    raise InputError(
        f'the contrast {text!r} is not of the form "A - B" with two of '
        f'{", ".join(map(repr, dict.fromkeys(methods)))}.'
    )


def compare(
    rows: pd.DataFrame,
    contrasts: Contrasts,
    score: str = 'Dice',
    smallest: Optional[float] = None,
    subjects: Optional[Mapping[str, str]] = None,
) -> pd.DataFrame:
    """Estimates contrasts of methods, with other seeds and images in mind.

    The methods of a contrast are put together image by image and seed by seed, where the
    same seed stands for the same training data and start; the mean over both is estimated
    by :func:`~seam_seg.evaluation.crossed.crossed_mean`, which takes seeds and images as
    crossed samples. Images of one subject resemble each other, and taken for independent
    they would make the interval too narrow: their mean is taken first, so that each
    subject counts the same.

    Args:
        rows (pd.DataFrame): of one study and setting.
        contrasts (Contrasts): of :func:`against`, or any weights.
        score (str): that is compared, see
            :func:`~seam_seg.evaluation.rows.image_scores`. Default: ``'Dice'``.
        smallest (float, optional): effect that matters, in the unit of the score.
        subjects (Mapping[str, str], optional): whose each image is, by its name.
            Default: None: each is of another.

    Returns:
        pd.DataFrame: by label ``difference``; the ends of its 95% interval, ``low`` and
        ``high``; ``p``, two-sided, after Holm's correction for the contrasts (nan, like
        the interval, where there are not two seeds); ``seeds``, ``images`` and
        ``subjects`` that it is from: the seeds that all methods of the contrast have, the
        images on which all have the score with all these seeds, and whose these are; and
        with ``smallest``, ``effect``, see :func:`effect_of`.

    Raises:
        InputError: a method has no rows, or others have other images or no common seed;
            or the overlap of one class is compared, and in some images one of them alone
            has drawn it where there is none.
    """
    values = image_scores(rows, score)
    known = values.index.unique('method')
    scored = rows[rows['image'] != ''].groupby(['method', 'seed'])['image'].agg(frozenset)
    lines = []
    for weights in contrasts.values():
        for name in weights:
            if name not in known:
                raise InputError(
                    f'{name!r} has no {score}; there are {", ".join(known)}.'
                )
        sample = combine(values, scored, weights, score)
        images = sample.shape[1]
        if subjects is not None:
            sample = sample.T.groupby([subjects[name] for name in sample]).mean().T
        estimate = Estimate(*[np.nan] * 4)
        if sample.size:
            estimate = crossed_mean(sample.to_numpy())
        lines.append((*estimate, len(sample), images, sample.shape[1]))
    names = ['difference', 'low', 'high', 'p', *SIZES]
    table = pd.DataFrame(lines, index=list(contrasts), columns=names)
    tested = table['p'].notna()
    if tested.any():
        table.loc[tested, 'p'] = multipletests(table.loc[tested, 'p'], method='holm')[1]
    if smallest is not None:
        bounds = zip(table['low'], table['high'], table['p'])
        table['effect'] = [effect_of(*bound, smallest) for bound in bounds]
    return table


def combine(
    values: pd.DataFrame, scored: pd.Series, weights: Mapping[str, float], score: str
) -> pd.DataFrame:
    """A contrast of each seed and image.

    Args:
        values (pd.DataFrame): of :func:`~seam_seg.evaluation.rows.image_scores`.
        scored (pd.Series): by method and seed, the images with any score.
        weights (Mapping[str, float]): of the methods.
        score (str): what the values are.

    Returns:
        pd.DataFrame: seeds that all methods have, by images that all have the score of.

    Raises:
        InputError: see :func:`compare`.
    """
    first, *others = weights
    seeds = values.loc[first].index
    for name in others:
        seeds = seeds.intersection(values.loc[name].index)
        if not len(seeds):
            raise InputError(
                f'{name} and {first} have no seed in common. Train both with the same.'
            )
    for name in others:
        odd = {
            image for seed in seeds for image in scored[name, seed] ^ scored[first, seed]
        }
        if odd:
            raise InputError(
                f'{name} and {first} were scored on different images: one of them alone '
                f'has scores of {listed(odd)}. Repeat the test of one on the same data; '
                'or, where such a mask shows no bone, which only has a score if one is '
                'predicted, leave it out of the test split.'
            )
    parts = [weight * values.loc[name].loc[seeds] for name, weight in weights.items()]
    if score.startswith(OVERLAPS):
        drawn = [part.notna() for part in parts]
        odd = {image for own in drawn for image in own.columns[(own != drawn[0]).any()]}
        if odd:
            raise InputError(
                f'{score}: in {listed(odd)} some of {", ".join(weights)} drew the class '
                'where the truth has none, and have 0 there, and others have no score. '
                'Without these images who drew it would lose nothing. Compare the '
                'averages (Dice), or leave them out of all.'
            )
    return sum(parts[1:], parts[0]).dropna(axis='columns')


def effect_of(low: float, high: float, p: float, smallest: float) -> str:
    """What an interval says about the smallest effect that matters.

    Args:
        low (float): lower end of the 95% interval of a difference.
        high (float): upper end.
        p (float): of no difference, corrected for the number of contrasts.
        smallest (float): effect that matters, above 0.

    Returns:
        str: ``'higher'`` or ``'lower'`` where the whole interval is beyond the effect and
        p is below 0.05; ``'smaller than matters'`` where all of it is within, on both
        sides (two one-sided tests, at 2.5% each); ``'not higher'`` or ``'not lower'``
        where it is within on that side alone; or else ``'undecided'``.
    """
    if low > smallest and p < 0.05:
        return 'higher'
    if high < -smallest and p < 0.05:
        return 'lower'
    if -smallest < low and high < smallest:
        return 'smaller than matters'
    if high < smallest:
        return 'not higher'
    if low > -smallest:
        return 'not lower'
    return 'undecided'


def interval_text(found: pd.Series, digits: int = 2) -> str:
    """A line of :func:`compare` as `difference [low, high]`; '-' where there is none."""
    if np.isnan(found['difference']):
        return '-'
    text = f'{found["difference"]:+.{digits}f}'
    if np.isnan(found['p']):
        return text
    return f'{text} [{found["low"]:+.{digits}f}, {found["high"]:+.{digits}f}]'


def comparison_table(
    found: pd.DataFrame, score: str = 'Dice', smallest: Optional[float] = None
) -> pd.DataFrame:
    """The result of :func:`compare`, which has the arguments, with cells as text."""
    table = []
    grouped = (found['subjects'] < found['images']).any()
    for label, line in found.iterrows():
        cells = {'Contrast': label, f'Difference in {score} [95%]': interval_text(line)}
        if smallest is not None:
            cells[f'Effect ({smallest:g} matters)'] = line['effect']
        cells['p (Holm)'] = f'{line["p"]:.2g}' if np.isfinite(line['p']) else '-'
        # A line of numbers alone has the type of the others, which is no integer.
        seeds, images, subjects = (f'{line[key]:.0f}' for key in SIZES)
        if grouped:
            cells['Seeds x subjects (images)'] = f'{seeds} x {subjects} ({images})'
        else:
            cells['Seeds x images'] = f'{seeds} x {images}'
        table.append(cells)
    return pd.DataFrame(table)
