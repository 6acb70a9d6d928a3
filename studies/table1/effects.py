"""What attention and the losses change: contrasts, the factorial, endpoints.

Rows of the settings that studies/table1 trains anew; scores of its endpoints beside Dice.
"""

import functools
import itertools
from pathlib import Path
from typing import (
    Callable,
    Collection,
    Dict,
    Iterable,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
)

import numpy as np
import pandas as pd
from scipy import stats

from seam_seg.apis.comparison import Contrasts, against, compare, interval_text
from seam_seg.errors import InputError
from seam_seg.evaluation.rows import cell, image_scores
from studies.blocks import origin, rows_of, table
from studies.table1 import make_data, plan

SMALLEST = 0.56  # points of Dice: what the paper's center regression gains
REFERENCE = 'FPN + 3x3 conv'
MAIN, FACTORIAL = '64 cases', '20 cases'
OTHER_TESTS = sorted(make_data.OTHER_TESTS)
ELSEWHERE = [f'{MAIN}, {name}' for name in OTHER_TESTS]  # the same trainings
SCRATCH = f'{MAIN}, from scratch'
CORNERS = ('5 cases', FACTORIAL, MAIN, 'no faint bones', '40% faint bones')
CORNERS_ELSEWHERE = [f'{cases}, {name}' for cases in CORNERS[:3] for name in OTHER_TESTS]
# The lines of the table for readers of the paper (docs/structure.md).
REGIMES = (
    *(MAIN, *ELSEWHERE, SCRATCH),
    *(FACTORIAL, *(f'{FACTORIAL}, {name}' for name in OTHER_TESTS)),
    *(CORNERS[0], *CORNERS[3:]),
)
NONE, ATTENDED = '3x3 conv', ('SEAM printed', 'SEAM key mass')  # levels of the factorial
ATTENTIONS = (NONE, *ATTENDED)
# Cells that are rows of the table with 64 cases, and have its names there.
SAME = {REFERENCE: NONE, 'SEAM, key mass, felt center': 'SEAM key mass, center, key'}
# What the study was made for, written down before its first run.
CONTRASTS: Contrasts = {
    **against(REFERENCE, ['SEAM']),
    **against('SEAM key mass, key', ['SEAM, key mass, felt center']),
    **against('NonLocal, attention on v', ['SEAM']),
}
TOLD = ('FPN + 3x3 conv, coordinates', 'FPN + 3x3 conv, levels told')
CONTROLS = against(REFERENCE, TOLD)
BOTH_CONTROLS: Contrasts = {**CONTROLS, **against(TOLD[0], [TOLD[1]])}
# The cells with attention and all losses, with one of them, or with none.
CORNER_CONTRASTS = against(
    '3x3 conv', ['3x3 conv, center, key', 'SEAM key mass', 'SEAM key mass, center, key']
)
# Not written down before the first run: without the key's cross entropy the center loss
# wants no mask, so that the mean over both says little (preregistration.md).
CENTER: Contrasts = {
    f'center loss, key cross entropy {word}': {
        f'{attention}{center}{key}': weight / 3
        for attention in ATTENTIONS
        for center, weight in (('', -1), (', center', 1))
    }
    for word, key in (('on', ', key'), ('off', ''))
}
# Not written down either. What the key's cross entropy does by attention, and attention
# with and without it; the cells with both, against the control; the paper's two steps.
KEY: Contrasts = {
    **{
        f'key cross entropy, {attention}': {
            f'{attention}{center}{key}': weight / 2
            for center in ('', ', center')
            for key, weight in (('', -1), (', key', 1))
        }
        for attention in ATTENTIONS
    },
    **{
        f'{attention}, key cross entropy {word}': {
            f'{name}{center}{key}': weight / 2
            for center in ('', ', center')
            for name, weight in ((NONE, -1), (attention, 1))
        }
        for attention in ATTENDED
        for word, key in (('off', ''), ('on', ', key'))
    },
    **against(
        NONE,
        [
            f'{attention}{center}, key'
            for attention in ATTENDED
            for center in ('', ', center')
        ],
    ),
    **against('3x3 conv, center, key', ['SEAM printed, center, key']),
    **against('SEAM printed, key', ['SEAM printed, center, key']),
}
# In the order of their table.
CELLS = [
    f'{attention}{center}{key}'
    for attention in ATTENTIONS
    for center in ('', ', center')
    for key in ('', ', key')
]
# The methods of the contrasts, in the order of their table.
COMPARED = (
    REFERENCE,
    'SEAM',
    'SEAM, key mass',
    'NonLocal, attention on v',
    'SEAM, key mass, felt center',
    'SEAM key mass, key',
)
# Reported beside them; they decide nothing.
SECONDARY: Contrasts = {
    **against(REFERENCE, ['SEAM, key mass']),
    **against('NonLocal, attention on v', ['SEAM, key mass']),
}


class Endpoint(NamedTuple):
    """How a score stands in the tables.

    Attributes:
        title (str): of its column.
        digits (int): that are printed.
        smallest (float, optional): effect that matters. Default: none was named.
    """

    title: str
    digits: int
    smallest: Optional[float] = None


# By the score of the rows. The lower the better, from false bones on.
ENDPOINTS = {
    'Dice': Endpoint('Dice', 2, SMALLEST),
    'FaintFound.all': Endpoint('Faint bones found (%)', 1, 5),
    'FaintDice.all': Endpoint('Dice of faint bones', 2),
    'Found.all': Endpoint('Bones found (%)', 1),
    'BoneDice.all': Endpoint('Dice of bones', 2),
    'FalseBone.all': Endpoint('False bones (%)', 1),
    'Center.all': Endpoint('Centers off (px)', 2),
    'AngleError.all': Endpoint('Angle off (°)', 2),
    'AngleRefused.all': Endpoint('No angle (%)', 1),
}
VALIDATION = 'Validation after'  # so many iterations, the score of which
# Of each class; none of them decides.
BY_CLASS = {
    'Dice': Endpoint('Dice', 2),
    'Jaccard': Endpoint('Jaccard', 2),
    'FaintFound': Endpoint('Faint bones found (%)', 1),
    'Found': Endpoint('Bones found (%)', 1),
    'BoneDice': Endpoint('Dice of bones', 2),
}
MEAN = 'mean'  # stands for the image where a score is not kept image by image
# The factors of the 12 cells: name of an effect -> the weight of each level, by the part
# that it adds to the name of a method. '' is the average over the levels.
FACTORS: List[Dict[str, Dict[str, float]]] = [
    {
        **{name: {NONE: -1, name: 1} for name in ATTENDED},
        '': {name: 1 / 3 for name in ATTENTIONS},
    },
    {'center loss': {'': -1, ', center': 1}, '': {'': 0.5, ', center': 0.5}},
    {'key cross entropy': {'': -1, ', key': 1}, '': {'': 0.5, ', key': 0.5}},
]


def factorial_contrasts() -> Dict[str, Dict[str, float]]:
    """Main effects of the factors, and their interactions, as weights of the cells.

    An effect is the mean difference between two levels over all levels of the other
    factors; an interaction, how much an effect differs between two levels of another
    factor. Attention is compared with the 3x3 convolution.
    """
    found = []
    for names in itertools.product(*FACTORS):
        weights: Dict[str, float] = {}
        levels = [factor[name] for factor, name in zip(FACTORS, names)]
        for parts in itertools.product(*levels):
            weights[''.join(parts)] = float(
                np.prod([level[part] for level, part in zip(levels, parts)])
            )
        changed = [name for name in names if name]
        if changed:
            found.append((len(changed), ' x '.join(changed), weights))
    found.sort(key=lambda effect: effect[0])
    return {label: weights for _, label, weights in found}


def methods_of(contrasts: Contrasts) -> Set[str]:
    """All methods that take part."""
    return {name for weights in contrasts.values() for name in weights}


def endpoints_in(rows: pd.DataFrame, names: Iterable[str]) -> List[str]:
    """Those of :data:`ENDPOINTS` that all these methods have."""
    return [
        score
        for score in ENDPOINTS
        if set(names) <= set(image_scores(rows, score).index.unique('method'))
    ]


def tested(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of tests. What else is known of a training has the commit that asked."""
    return rows[~rows['score'].str.startswith((VALIDATION, 'probe.'))]


def seed_differences(
    rows: pd.DataFrame, weights: Mapping[str, float], score: str
) -> pd.Series:
    """A contrast of the means over the images, by seed, where all have one."""
    values = image_scores(rows, score).mean(axis=1)
    parts = [weight * values.loc[name] for name, weight in weights.items()]
    return sum(parts[1:], parts[0]).dropna()


def compare_means(rows: pd.DataFrame, contrasts: Contrasts, score: str) -> pd.DataFrame:
    """What :func:`compare` returns, from means over the images.

    Seeds alone are a sample then: Student's t over them, for these images.
    """
    lines = []
    for weights in contrasts.values():
        sample = seed_differences(rows, weights, score)
        low = high = p = np.nan
        if len(sample) > 1:
            found = stats.ttest_1samp(sample, 0)
            (low, high), p = found.confidence_interval(), found.pvalue
        lines.append((sample.mean(), low, high, p, len(sample), MEAN))
    names = ['difference', 'low', 'high', 'p', 'seeds', 'images']
    return pd.DataFrame(lines, index=list(contrasts), columns=names)


def compare_endpoint(
    rows: pd.DataFrame, contrasts: Contrasts, score: str
) -> pd.DataFrame:
    """What :func:`compare` returns; of means, where one of the methods has no more."""
    name, _, bones = score.partition('.')
    own = rows['method'].isin(methods_of(contrasts)) & (rows['score'] == name)
    if bones:  # of single classes there may be no more than means
        own &= rows['class'] == bones
    rows = rows[own]
    if (rows['image'] == MEAN).any():
        return compare_means(rows, contrasts, score)
    smallest = ENDPOINTS[score].smallest if score in ENDPOINTS else None
    return compare(rows, contrasts, score, smallest)


def effect_lines(
    rows: pd.DataFrame,
    contrasts: Contrasts,
    decide: bool = False,
    scores: Collection[str] = ENDPOINTS.keys(),
) -> pd.DataFrame:
    """Contrasts by all endpoints that their methods have, as text.

    Args:
        rows (pd.DataFrame): of a setting.
        contrasts (Contrasts): of methods.
        decide (bool): also p, and what becomes of the smallest effect. Default: False.
        scores (Collection[str]): of :data:`ENDPOINTS`. Default: all.
    """
    lines = pd.DataFrame({'Contrast': list(contrasts)})
    for score in endpoints_in(rows, methods_of(contrasts)):
        if score not in scores:
            continue
        endpoint = ENDPOINTS[score]
        found = compare_endpoint(rows, contrasts, score)
        title = f'{endpoint.title} [95%]'
        lines[title] = [
            interval_text(line, endpoint.digits) for _, line in found.iterrows()
        ]
        if decide and 'effect' in found:
            lines[f'Effect ({endpoint.smallest:g} matters)'] = list(found['effect'])
            holm = 'p (Holm)' if score == 'Dice' else f'p (Holm), {endpoint.title}'
            lines[holm] = [f'{p:.2g}' for p in found['p']]
        if score == 'Dice':
            sizes = zip(found['seeds'], found['images'])
            lines['Seeds x images'] = [f'{seeds} x {images}' for seeds, images in sizes]
    return lines


def regimes(folder: Path) -> str:
    """The one form of SEAM that was trained in all regimes, and the levels told.

    By Dice and faint bones found, against the control of the same regime and seeds. Of
    two seeds the two values, since an interval would be chance.
    """
    titles = {'SEAM key mass, center, key': 'SEAM', TOLD[1]: 'levels told'}
    rows = rows_of(folder, *REGIMES).replace(dict(method=SAME))
    rows = rows[rows['method'].isin([NONE, *titles])]
    lines = []
    for setting in REGIMES:
        own, line = rows[rows['setting'] == setting], {'Regime': setting}
        for method, title in titles.items():
            contrast = against(NONE, [method])
            for score in ('Dice', 'FaintFound.all'):
                if score not in endpoints_in(own, methods_of(contrast)):
                    continue
                endpoint, (weights,) = ENDPOINTS[score], contrast.values()
                (found,) = compare_endpoint(own, contrast, score).to_dict('records')
                text = interval_text(found, endpoint.digits)
                if found['seeds'] < 3:
                    values = seed_differences(own, weights, score)
                    text = ', '.join(f'{value:+.{endpoint.digits}f}' for value in values)
                line[f'{title}: seeds'] = found['seeds']
                line[f'{title}: {endpoint.title} [95%]'] = text
        lines.append({name: str(cell) for name, cell in line.items()})
    return as_table(pd.DataFrame(lines).fillna('-')) + origin(tested(rows))


def as_table(frame: pd.DataFrame) -> str:
    """A table of text as Markdown."""
    return table(list(frame), frame.to_numpy().tolist())


def effects(
    folder: Path,
    settings: Sequence[str],
    contrasts: Contrasts,
    names: Mapping[str, str] = {},
    decide: bool = False,
    scores: Collection[str] = ENDPOINTS.keys(),
) -> str:
    """Contrasts in every setting where all their methods have been run.

    Args:
        folder (Path): of the study.
        settings (Sequence[str]): of the rows.
        contrasts (Contrasts): see :func:`~seam_seg.apis.comparison.compare`.
        names (Mapping[str, str]): of methods that are called otherwise in some settings.
            Default: none.
        decide, scores: see :func:`effect_lines`.

    Raises:
        InputError: there is no such setting.
    """
    rows = rows_of(folder, *settings).replace(dict(method=names))
    return effect_table(rows, settings, contrasts, decide, scores)


def effect_table(
    rows: pd.DataFrame,
    settings: Sequence[str],
    contrasts: Contrasts,
    decide: bool = False,
    scores: Collection[str] = ENDPOINTS.keys(),
) -> str:
    """:func:`effects` of rows."""
    rows = rows[rows['method'].isin(methods_of(contrasts))]
    parts = []
    for setting in settings:
        own = rows[rows['setting'] == setting]
        if methods_of(contrasts) <= set(own['method']):
            lines = effect_lines(own, contrasts, decide, scores)
            if len(settings) > 1:
                lines.insert(0, 'Setting', setting)
            parts.append(lines)
    if not parts:
        wanted = ', '.join(sorted(methods_of(contrasts)))
        raise InputError(f'none of {", ".join(settings)} has rows of all of {wanted}.')
    return as_table(pd.concat(parts).fillna('-')) + origin(tested(rows))


def checks(folder: Path) -> str:
    """The first contrast as registered, of ten seeds and of those that other trainings
    were tried with, and with these: a higher rate, and twice as many iterations.
    """
    tried = [plan.HIGHER_SETTING, plan.LONGER_SETTING]
    rows = rows_of(folder, MAIN, *tried)
    same = f'{MAIN}, seeds 0 to {plan.CHECKED_SEEDS - 1}'
    few = (rows['setting'] == MAIN) & (rows['seed'] < plan.CHECKED_SEEDS)
    rows = pd.concat([rows, rows[few].assign(setting=same)])
    settings = [MAIN, same, *tried]
    return effect_table(rows, settings, against(REFERENCE, ['SEAM']))


def last_third(rows: pd.DataFrame) -> pd.Series:
    """What the last third of the trainings of a method gains, in points of Dice.

    Args:
        rows (pd.DataFrame): with the validation score after each third.

    Returns:
        pd.Series: by seed; nan where a training was not validated then, and nothing
        where none was twice.
    """
    steps = rows['score'].str.extract(rf'^{VALIDATION} (\d+)$')[0]
    rows = rows[steps.notna()].assign(step=steps.dropna().astype(int))
    dice = rows.pivot(index='seed', columns='step', values='value')
    if len(dice.columns) < 2:
        return pd.Series(dtype=float)
    return dice[dice.columns[-1]] - dice[dice.columns[-2]]


def effects_by_class(folder: Path, setting: str, contrasts: Contrasts) -> str:
    """Contrasts class by class."""
    rows = rows_of(folder, setting)
    rows = rows[rows['method'].isin(methods_of(contrasts))]
    parts = []
    for bones in ('lumbar', 'thoracic', 'rib'):
        lines = pd.DataFrame({'Class': bones, 'Contrast': list(contrasts)})
        for score, endpoint in BY_CLASS.items():
            found = compare_endpoint(rows, contrasts, f'{score}.{bones}')
            lines[f'{endpoint.title} [95%]'] = [
                interval_text(line, endpoint.digits) for _, line in found.iterrows()
            ]
        parts.append(lines)
    return as_table(pd.concat(parts)) + origin(tested(rows))


def ordered(rows: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """Rows by method: these in their order, and others behind them as they come."""
    names = [*methods, *rows['method']]
    return rows.sort_values(
        'method', key=lambda column: column.map(names.index), kind='stable'
    )


def endpoints(folder: Path, setting: str, methods: Sequence[str]) -> str:
    """Methods by all endpoints: mean and standard deviation over the seeds.

    Args:
        folder (Path): of the study.
        setting (str): of the rows.
        methods (Sequence[str]): these alone, in their order.
    """
    rows = rows_of(folder, setting)
    return endpoint_table(ordered(rows[rows['method'].isin(methods)], methods))


def endpoint_table(rows: pd.DataFrame) -> str:
    """:func:`endpoints` of rows, in their order."""
    return as_table(endpoint_lines(rows)) + origin(tested(rows))


def endpoint_lines(rows: pd.DataFrame) -> pd.DataFrame:
    """The methods of a setting by all endpoints, as text."""
    lines = []
    for name in rows['method'].unique():
        own = rows[rows['method'] == name]
        line = {'Method': name, 'Seeds': own['seed'].nunique()}
        for score, endpoint in ENDPOINTS.items():
            values = image_scores(own, score).mean(axis=1)
            line[endpoint.title] = cell(values, endpoint.digits)
        line['Gain of the last third'] = cell(last_third(own))
        lines.append(line)
    return pd.DataFrame(lines)


def corner_cells(folder: Path) -> str:
    """The cells in the regimes that have no other table of all four: with seeds 0 and 1,
    since a seed has training cases of its own.
    """
    settings = [setting for setting in CORNERS if setting != FACTORIAL]
    rows = rows_of(folder, *settings).replace(dict(method=SAME))
    cells = methods_of(CORNER_CONTRASTS)
    rows = rows[rows['method'].isin(cells) & (rows['seed'] < plan.SEEDS['corners'])]
    parts = []
    for setting in settings:
        lines = endpoint_lines(ordered(rows[rows['setting'] == setting], CELLS))
        lines.insert(0, 'Setting', setting)
        parts.append(lines)
    return as_table(pd.concat(parts)) + origin(tested(rows))


BLOCKS: Dict[str, Callable[[Path], str]] = {
    'table1.endpoints': functools.partial(endpoints, setting=MAIN, methods=COMPARED),
    'table1.contrasts': functools.partial(
        effects, settings=[MAIN], contrasts=CONTRASTS, decide=True
    ),
    'table1.checks': checks,
    'table1.checks_elsewhere': functools.partial(
        effects,
        settings=[
            setting.replace(MAIN, tried)
            for tried in (plan.HIGHER_SETTING, plan.LONGER_SETTING)
            for setting in ELSEWHERE
        ],
        contrasts=against(REFERENCE, ['SEAM']),
        scores=['Dice', 'FaintFound.all', 'FalseBone.all'],
    ),
    'table1.longer_endpoints': functools.partial(
        endpoints, setting=plan.LONGER_SETTING, methods=[REFERENCE, 'SEAM']
    ),
    'table1.classes': functools.partial(
        effects_by_class, setting=MAIN, contrasts={**CONTRASTS, **SECONDARY}
    ),
    'table1.secondary': functools.partial(effects, settings=[MAIN], contrasts=SECONDARY),
    'table1.elsewhere': functools.partial(
        effects, settings=ELSEWHERE, contrasts={**CONTRASTS, **SECONDARY}
    ),
    'table1.scratch': functools.partial(
        effects, settings=[SCRATCH], contrasts={**CONTRASTS, **SECONDARY}
    ),
    'table1.scratch_endpoints': functools.partial(
        endpoints, setting=SCRATCH, methods=COMPARED
    ),
    'table1.controls': functools.partial(
        effects,
        settings=[FACTORIAL, MAIN],
        contrasts=BOTH_CONTROLS,
        names={SAME[REFERENCE]: REFERENCE},
    ),
    'table1.controls_elsewhere': functools.partial(
        effects,
        settings=[
            f'{cases}, {name}' for cases in (FACTORIAL, MAIN) for name in OTHER_TESTS
        ],
        contrasts=CONTROLS,
        names={SAME[REFERENCE]: REFERENCE},
    ),
    'table1.cells': functools.partial(
        endpoints, setting=FACTORIAL, methods=[*CELLS, *TOLD]
    ),
    'table1.factorial': functools.partial(
        effects, settings=[FACTORIAL], contrasts=factorial_contrasts()
    ),
    'table1.center': functools.partial(effects, settings=[FACTORIAL], contrasts=CENTER),
    'table1.key': functools.partial(effects, settings=[FACTORIAL], contrasts=KEY),
    'table1.corners': functools.partial(
        effects, settings=CORNERS, contrasts=CORNER_CONTRASTS, names=SAME
    ),
    'table1.corners_elsewhere': functools.partial(
        effects,
        settings=CORNERS_ELSEWHERE,
        contrasts=CORNER_CONTRASTS,
        names=SAME,
        scores=['Dice', 'FaintFound.all'],
    ),
    'table1.corner_cells': corner_cells,
    'table1.regimes': regimes,
}
