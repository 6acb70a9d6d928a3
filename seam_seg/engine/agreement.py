"""What two configs differ in that changes the masks of one checkpoint."""

import inspect
from typing import Any, Iterator, List, NamedTuple

from mmseg.registry import DATASETS, MODELS, TRANSFORMS

from ..datasets.transforms import FOR_MMSEG, own_steps
from .carried_config import (
    for_prediction,
    model_settings,
    plain_data,
    registered,
    shorten,
)

# Steps of a test pipeline that do not change a prediction.
BESIDE = ('LoadVPIAnnotations', 'PackSegInputs', 'TestTimeAug')


class _Unset:
    """Stands for a setting that is not there."""

    def __repr__(self) -> str:
        return 'not set'


UNSET = _Unset()


class Difference(NamedTuple):
    """A setting that changes the result and is not the same in two configs.

    Attributes:
        key (str): dotted, as for ``--cfg-options``.
        given (Any): in the config that was given.
        carried (Any): in the one that the checkpoint carries.
    """

    key: str
    given: Any
    carried: Any

    def is_of_weights(self) -> bool:
        """Whether it is of what the weights compute from a normalised image, or mean."""
        path = self.key.split('.')
        if path[0] == 'model':
            return path[1] not in ('data_preprocessor', 'test_cfg')
        return 'classes' in path

    def __str__(self) -> str:
        given, carried = (shorten(value) for value in (self.given, self.carried))
        return f'{self.key} is {given} in the config, and {carried} in the checkpoint'


def _result_settings(config: Any) -> dict:
    """Of a config, what changes the masks that a checkpoint gives."""
    model = for_prediction(plain_data(model_settings(config)))
    model.pop('auxiliary_head', None)
    dataset = plain_data((config.get('test_dataloader') or {}).get('dataset') or {})
    classes = (dataset.get('metainfo') or {}).get('classes')
    if classes is None:
        kind = registered(DATASETS, dataset.get('type'))
        classes = getattr(kind, 'METAINFO', {}).get('classes')
    return dict(
        model=model,
        test_dataloader=dict(
            dataset=dict(
                # With the numbers that the steps have in the configs of the package.
                pipeline=[FOR_MMSEG, *_steps(own_steps(dataset.get('pipeline')))],
                metainfo=dict(classes=classes),
            )
        ),
        tta_pipeline=_steps(plain_data(config.get('tta_pipeline'))),
    )


def _steps(pipeline: Any) -> List[dict]:
    """The steps of a test pipeline that change a prediction."""
    return [
        step
        for step in pipeline or []
        if not (isinstance(step, dict) and step.get('type') in BESIDE)
    ]


def differences(given: Any, carried: dict) -> Iterator[Difference]:
    """What two configs differ in that changes the masks of one checkpoint.

    Not where data lie, how many are read at once, how they are scored, and what only a
    training needs. What one of them does not set is what its class takes without it.

    Args:
        given (Config | dict): one config.
        carried (dict): the other, from :func:`carried_config`.

    Yields:
        Difference: in the order of the keys, types first.
    """
    a, b = _result_settings(given), _result_settings(carried)
    if not (a['tta_pipeline'] and b['tta_pipeline']):
        a['tta_pipeline'] = b['tta_pipeline'] = []
    yield from _compare(a, b)


def _compare(a: Any, b: Any, key: str = '') -> Iterator[Difference]:
    """Compares settings; lists and tuples are alike."""
    if isinstance(a, dict) and isinstance(b, dict):
        if a.get('type') != b.get('type'):
            yield Difference(
                f'{key}.type'.lstrip('.'), a.get('type', UNSET), b.get('type', UNSET)
            )
            return
        for name in sorted({*a, *b}, key=str):
            yield from _compare(
                _setting(a, name), _setting(b, name), f'{key}.{name}'.lstrip('.')
            )
    elif isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        if len(a) != len(b) or not any(isinstance(item, dict) for item in (*a, *b)):
            if list(a) != list(b):
                yield Difference(key, a, b)
            return
        for number, (one, other) in enumerate(zip(a, b)):
            yield from _compare(one, other, f'{key}.{number}')
    elif a != b:
        yield Difference(key, a, b)


def _setting(settings: dict, name: str) -> Any:
    """A setting, or else what the class of its ``type`` takes without it."""
    if name in settings:
        return settings[name]
    for registry in (MODELS, TRANSFORMS):
        kind = registered(registry, settings.get('type'))
        for owner in inspect.getmro(kind) if inspect.isclass(kind) else ():
            known = vars(owner).get('__init__')
            taken = inspect.signature(known).parameters.get(name) if known else None
            if taken is not None and taken.default is not inspect.Parameter.empty:
                return taken.default
    return UNSET
