"""What Table 1 runs, in which order, with how many iterations and at which rate.

Written down before the first run (preregistration.md). Where a stage depends on the
validation of an earlier one, the rule is a function of the rows here.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import pandas as pd

from seam_seg.evaluation.rows import mean_scores

# What the three contrasts compare: the first minus the second, by config.
CONTRASTS = (
    ('seam', 'fpn-conv'),
    ('seam-keymass-center', 'cell_keymass-key'),
    ('seam', 'nonlocal'),
)
CONTRAST_ROWS = (
    'fpn-conv',
    'seam',
    'seam-keymass',
    'nonlocal',
    'seam-keymass-center',
    'cell_keymass-key',
)
CONTROLS = ('fpn-conv-coordinates', 'fpn-conv-levels')
OTHER_ROWS = (
    'fpn',
    'unet',
    'ppmu',
    'wavect',
    'rsnu',
    'rsnu-conv',
    'rsnu-unet',
    'danet',
    'emanet',
    'seam-wo-al',
    'seam-wo-al-conv',
    'seam-wo-ss',
    'seam-keymass-offset',
)
# Attention of a cell of the factorial -> the row whose rate it takes.
ATTENTIONS = dict(conv='fpn-conv', printed='seam', keymass='seam-keymass')
CELLS = tuple(
    f'cell_{attention}{center}{key}'
    for attention in ATTENTIONS
    for center in ('', '-center')
    for key in ('', '-key')
)
CORNERS = ('cell_conv', 'cell_conv-center-key', 'cell_keymass', 'cell_keymass-center-key')
# Cells that are a row under another name, and are trained with 64 cases as that.
SAME = {'cell_conv': 'fpn-conv', 'cell_keymass-center-key': 'seam-keymass-center'}
# Seeds of each stage. Rows, corners and scratch had three, until it was measured what a
# run takes (preregistration.md, changes).
SEEDS = dict(contrasts=10, factorial=5, controls=3, rows=2, corners=2, scratch=2)

PILOT_SEEDS = (100, 101, 102)  # validation alone: no test case is looked at with them
RATES = (5e-4, 1e-3, 2e-3)
USUAL_RATE = 1e-3  # before rates are chosen
# Not registered, and nothing is chosen by it: the two sides of the first contrast, on
# validation cases and then on the test, with a rate above the last of RATES, which all
# chose, and where training goes on for so many times as long.
CHECKED, CHECKED_SEEDS = ('fpn-conv', 'seam'), 3
HIGHER_RATE, HIGHER_SETTING = 4e-3, '64 cases, rate 0.004'
LONGER, LONGER_VALIDATION, LONGER_SETTING = 2, 'twice as long', '64 cases, twice as long'
# RSNU's loss, whose own weight is not known, and the hosts it is chosen on; 'rsnu-conv'
# takes that of the first.
WEIGHTS = (1e-3, 3e-3, 1e-2)
WEIGHTED, WEIGHTS_SETTING = ('rsnu', 'rsnu-unet'), "weight of RSNU's loss"
CANDIDATES = (600, 1200, 1800, 2400)  # iterations
GAIN = 0.3  # points of Dice
LEARNED = 10.0  # Dice in % that each class has on validation, of a row of the table
# Measured on one core, where the factorial was trained: an iteration of 4 images; what a
# run does besides; an image that is tested.
SECONDS = dict(iteration=0.42, run=15.0, image=0.3)


class Run(NamedTuple):
    """One training, and what it is scored on.

    Attributes:
        setting (str): in the rows.
        config (str): its name in ``studies/table1/configs``.
        seed (int): of the training and of its cases.
        iterations (int): of the training.
        rate (float): learning rate.
        cases (int): that are trained on.
        regime (str): folder of the data.
        scratch (bool): without the common start.
        split (str): ``'test'``, or ``'val'`` where something is chosen.
        method (str): in the rows; '' for that of the config.
        weight (float): of RSNU's loss; None for that of the config.
    """

    setting: str
    config: str
    seed: int
    iterations: int
    rate: float
    cases: int = 64
    regime: str = 'f15'
    scratch: bool = False
    split: str = 'test'
    method: str = ''
    weight: Optional[float] = None

    @property
    def per_image(self) -> Tuple[str, ...]:
        """The scores that are kept image by image; of others the mean is enough."""
        if self.setting == '64 cases' and self.config in CONTRAST_ROWS:
            return (
                'Dice',
                'FaintFound',
                'FaintDice',
                'Center',
                'FalseBone',
                'AngleError',
            )
        if self.split == 'val' or self.config in OTHER_ROWS:
            return ()
        return ('Dice', 'FaintFound')

    @property
    def name(self) -> str:
        """That of its folder."""
        words = (self.setting, self.config, self.method, f'seed{self.seed}')
        return '_'.join(word.replace(' ', '-') for word in words if word)


def chosen_iterations(rows: pd.DataFrame) -> int:
    """The fewest iterations of which twice as many, or the most, gain under 0.3 points.

    Args:
        rows (pd.DataFrame): of the study; those of the setting ``iterations`` have the
            validation score of each number, by seed.

    Returns:
        int: one of :data:`CANDIDATES`; the last where all of them gain.

    Raises:
        KeyError: they are not there yet.
    """
    dice = mean_scores(rows[rows['setting'] == 'iterations'])['mDice']
    means = dice.groupby('method').mean()
    scores = [means[f'{count} iterations'] for count in CANDIDATES]
    for i, count in enumerate(CANDIDATES):
        later = [n for n in CANDIDATES if n >= 2 * count] or [CANDIDATES[-1]]
        if scores[CANDIDATES.index(later[0])] - scores[i] < GAIN:
            return count
    return CANDIDATES[-1]


def chosen_rates(rows: pd.DataFrame) -> Dict[str, float]:
    """Config -> the rate of the best validation score; of equals the lower.

    Args:
        rows (pd.DataFrame): of the study; those of the settings ``rate ...``.
    """
    found: Dict[str, Tuple[float, float]] = {}
    for rate in RATES:
        own = rows[rows['setting'] == rate_setting(rate)]
        if not len(own):
            continue
        for (config, _), dice in mean_scores(own)['mDice'].items():
            if config not in found or dice > found[config][0]:
                found[config] = (dice, rate)
    return {config: rate for config, (_, rate) in found.items()}


def worst_classes(rows: pd.DataFrame) -> Dict[str, Tuple[str, float]]:
    """Config -> its class of the lowest validation Dice at the chosen rate, and that.

    A row stands in the table where this is at least :data:`LEARNED`.

    Args:
        rows (pd.DataFrame): as for :func:`chosen_rates`.
    """
    found = {}
    for config, rate in chosen_rates(rows).items():
        own = rows[(rows['setting'] == rate_setting(rate)) & (rows['method'] == config)]
        dice = mean_scores(own).filter(regex=r'^Dice\.').iloc[0]
        found[config] = (dice.idxmin().split('.', 1)[1], dice.min())
    return found


def chosen_weights(rows: pd.DataFrame) -> Dict[str, float]:
    """Config -> the largest weight of RSNU's loss that costs under 0.3 points.

    Against the best of :data:`WEIGHTS`, on validation cases. The largest, since a row
    whose loss is not felt is its host under another name.

    Args:
        rows (pd.DataFrame): of the study; those of the setting
            :data:`WEIGHTS_SETTING` have the methods ``CONFIG, WEIGHT``.
    """
    scores = mean_scores(rows[rows['setting'] == WEIGHTS_SETTING])['mDice']
    means = scores.groupby('method').mean()
    found = {}
    for config in WEIGHTED:
        own = {weight: means[weight_method(config, weight)] for weight in WEIGHTS}
        best = max(own.values())
        found[config] = max(weight for weight in WEIGHTS if best - own[weight] < GAIN)
    return found


def weight_method(config: str, weight: float) -> str:
    """The method of the trainings that a weight of RSNU's loss is judged by."""
    return f'{config}, {weight:g}'


def rate_setting(rate: float) -> str:
    """The setting of the trainings that a rate is judged by."""
    return f'rate {rate:g}'


def stages(iterations: int, rates: Dict[str, float]) -> Dict[str, List[Run]]:
    """The trainings in their order: what is registered, and what was added later.

    Args:
        iterations (int), rates (dict[str, float]): see :func:`registered`.

    Returns:
        dict[str, list[Run]]: by the name of the stage.
    """
    checked = [
        (config, rates.get(config, USUAL_RATE), seed)
        for seed in range(CHECKED_SEEDS)
        for config in CHECKED
    ]
    higher = [rate_run(config, iterations, HIGHER_RATE) for config in CHECKED]
    higher += [
        Run(HIGHER_SETTING, config, seed, iterations, HIGHER_RATE)
        for config, _, seed in checked
    ]
    weights = [
        Run(
            WEIGHTS_SETTING,
            config,
            seed,
            iterations,
            rates.get(config, USUAL_RATE),
            split='val',
            method=weight_method(config, weight),
            weight=weight,
        )
        for config in WEIGHTED
        for weight in WEIGHTS
        for seed in PILOT_SEEDS[:2]
    ]
    longer = [
        Run(
            LONGER_VALIDATION,
            config,
            PILOT_SEEDS[0],
            LONGER * iterations,
            rates.get(config, USUAL_RATE),
            split='val',
            method=config,
        )
        for config in CHECKED
    ]
    longer += [
        Run(LONGER_SETTING, config, seed, LONGER * iterations, rate)
        for config, rate, seed in checked
    ]
    return {
        **registered(iterations, rates),
        'higher rate': higher,
        'weights': weights,
        'longer': longer,
    }


def rate_run(config: str, iterations: int, rate: float) -> Run:
    """The training that a rate of a config is judged by, on validation cases."""
    return Run(
        rate_setting(rate),
        config,
        PILOT_SEEDS[0],
        iterations,
        rate,
        split='val',
        method=config,
    )


def registered(iterations: int, rates: Dict[str, float]) -> Dict[str, List[Run]]:
    """The trainings that were written down before.

    Args:
        iterations (int): from :func:`chosen_iterations`.
        rates (dict[str, float]): from :func:`chosen_rates`. Rows that are not in it take
            :data:`USUAL_RATE`.

    Returns:
        dict[str, list[Run]]: by the name of the stage.
    """

    def runs(
        stage: str, setting: str, configs: Sequence[str], **changes: Any
    ) -> List[Run]:
        return [
            Run(
                setting,
                config,
                seed,
                iterations,
                rates.get(row_of(config), USUAL_RATE),
                **changes,
            )
            for config in configs
            for seed in range(SEEDS[stage])
        ]

    pilots = [
        Run(
            'iterations',
            'fpn-conv',
            seed,
            count,
            USUAL_RATE,
            split='val',
            method=f'{count} iterations',
        )
        for count in CANDIDATES
        for seed in PILOT_SEEDS
    ]

    def tuned(configs: Sequence[str]) -> List[Run]:
        return [
            rate_run(config, iterations, rate) for config in configs for rate in RATES
        ]

    corners = [
        *runs('corners', '64 cases', [name for name in CORNERS if name not in SAME]),
        *runs('corners', '5 cases', CORNERS, cases=5),
        *runs('corners', 'no faint bones', CORNERS, cases=20, regime='f0'),
        *runs('corners', '40% faint bones', CORNERS, cases=20, regime='f40'),
    ]
    return {
        'iterations': pilots,
        'rates': tuned((*CONTRAST_ROWS, *CONTROLS)),
        'contrasts': runs('contrasts', '64 cases', CONTRAST_ROWS),
        'factorial': runs('factorial', '20 cases', (*CELLS, *CONTROLS), cases=20),
        'controls': runs('controls', '64 cases', CONTROLS),
        'other rates': tuned(OTHER_ROWS),
        'rows': runs('rows', '64 cases', OTHER_ROWS),
        'corners': corners,
        'scratch': runs('scratch', '64 cases, from scratch', CONTRAST_ROWS, scratch=True),
    }


def row_of(config: str) -> str:
    """The row whose rate a config takes: itself, or that of a cell's attention."""
    if config not in CELLS or config in CONTRAST_ROWS:
        return config
    return ATTENTIONS[config[len('cell_') :].split('-')[0]]


def images_of(run: Run) -> int:
    """How many images a run is scored on."""
    if run.split == 'val':
        return 20
    return 150 if run.regime != 'f15' else 300


def core_hours(runs: Sequence[Run]) -> float:
    """What runs take on one core each, by :data:`SECONDS`."""
    return (
        sum(
            run.iterations * SECONDS['iteration']
            + SECONDS['run']
            + (images_of(run) + 3 * 20) * SECONDS['image']
            for run in runs
        )
        / 3600
    )
