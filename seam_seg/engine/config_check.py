"""Whether a config can be built, found out before a run is."""

import copy
import importlib.util
import inspect
from typing import Any, Optional, Sequence

from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from mmengine.registry import Registry, init_default_scope
from mmengine.runner import Runner
from mmseg.registry import (
    DATASETS,
    EVALUATOR,
    LOOPS,
    MODELS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    RUNNERS,
    VISBACKENDS,
    VISUALIZERS,
)

from ..config_lookup import FAULTS, building
from ..errors import InputError
from ..evaluation import DiceJaccardMetric
from .runner import SafeRunner

# What mmengine's backends import when a run begins; pip knows it by the same name.
BACKEND_PACKAGES = dict(
    AimVisBackend='aim',
    ClearMLVisBackend='clearml',
    DVCLiveVisBackend='dvclive',
    MLflowVisBackend='mlflow',
    NeptuneVisBackend='neptune',
    TensorboardVisBackend='tensorboard',
    WandbVisBackend='wandb',
)


def check_config(cfg: Config, splits: Sequence[str]) -> None:
    """Builds what a run will build later, and throws it away.

    The data are not read for it. Loops and visualizers need a run around them: their
    arguments are compared with what they take, and the packages of the visualizer's
    backends are looked for. Hooks are built with the run alone, see :func:`build_runner`.

    Args:
        cfg (Config): not changed.
        splits (Sequence[str]): what runs: ``'train'``, ``'val'``, ``'test'``.

    Raises:
        InputError: a part cannot be built; the message names it.
    """
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    for key in (f'{splits[0]}_dataloader', f'{splits[0]}_cfg'):
        if cfg.get(key) is None:
            raise InputError(
                f'config {cfg.filename}: has no {key}. Derive it from one of the configs '
                'of seam_seg (_base_).'
            )
    scaling = (cfg.get('auto_scale_lr') or {}) if 'train' in splits else {}
    if scaling.get('enable') and 'base_batch_size' not in scaling:
        raise InputError(
            f'config {cfg.filename}: auto_scale_lr.enable=True needs the batch size that '
            'the learning rate is for: auto_scale_lr.base_batch_size=...'
        )
    if cfg.get('visualizer') is not None:
        with building(cfg, 'visualizer'):
            _check_arguments(VISUALIZERS, cfg.visualizer, name='', save_dir='')
            for backend in cfg.visualizer.get('vis_backends') or []:
                _check_arguments(VISBACKENDS, backend, save_dir='')
                _check_package(cfg, _class_of(VISBACKENDS, backend['type']))
    with building(cfg, 'model'):
        settings = dict(copy.deepcopy(cfg.model))
        if cfg.get('data_preprocessor') is not None:
            settings.setdefault('data_preprocessor', cfg.data_preprocessor)
        model = MODELS.build(settings)
    for split in splits:
        loader, loop = f'{split}_dataloader', f'{split}_cfg'
        if cfg.get(loader):
            with building(cfg, loader):
                _build_dataloader(cfg[loader])
        if split != 'train':
            with building(cfg, f'{split}_evaluator'):
                evaluator = _build_evaluator(cfg.get(f'{split}_evaluator'))
            if split == 'val' and evaluator is not None:
                _check_save_best(cfg, evaluator)
        if cfg.get(loop) is not None:
            with building(cfg, loop):
                _check_loop(split, cfg[loop])
    votes = getattr(getattr(model, 'decode_head', None), 'votes', None)
    if 'train' in splits and votes is not None:
        _check_whole(cfg)
    if 'train' not in splits or cfg.get('optim_wrapper') is None:
        return
    with building(cfg, 'optim_wrapper'):
        kind = (cfg.optim_wrapper.get('optimizer') or {}).get('type')
        if kind is not None:  # mmengine's message would not name it
            _class_of(OPTIMIZERS, kind)
        optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    if not isinstance(optimizer, OptimWrapperDict):
        with building(cfg, 'param_scheduler'):
            _build_schedulers(cfg, optimizer)


def build_runner(cfg: Config) -> Runner:
    """Builds the run of a config.

    Args:
        cfg (Config): where it names no ``runner_type``, :class:`SafeRunner` is taken.

    Returns:
        Runner: that of the config.

    Raises:
        InputError: it cannot be built, or its runner would run what came with a
            checkpoint.
    """
    cfg.setdefault('runner_type', 'SafeRunner')
    with building(cfg, 'the run', FAULTS):
        if not cfg.get('trust_checkpoint', False) and not issubclass(
            _class_of(RUNNERS, cfg.runner_type), SafeRunner
        ):
            raise InputError(
                f'config {cfg.filename}: its runner_type {cfg.runner_type} may run code '
                "that came with a checkpoint. Take 'SafeRunner', or trust every "
                'checkpoint it reads: --trust-checkpoint.'
            )
        return RUNNERS.build(cfg)


def _class_of(registry: Registry, kind: Any) -> Any:
    """The class that a config means by ``type``."""
    found = registry.get(kind) if isinstance(kind, str) else kind
    if found is None:
        raise KeyError(f'{kind} is not in the {registry.name} registry')
    return found


def _check_whole(cfg: Config) -> None:
    """Whether votes are learned on whole images: they are shares of what is seen.

    Learned on patches, each would reach as many times too far in a whole image as that is
    larger.
    """
    patches = cfg.train_dataloader.get('dataset', {}).get('patches')
    if patches and tuple(patches['size']) != tuple(patches['image_size']):
        raise InputError(
            f'config {cfg.filename}: decode_head.center_votes=True learns shares of the '
            'whole image, and train_dataloader shows patches of it. Derive the config '
            'from one that trains on whole images, as seam-keymass-votes.'
        )


def _check_arguments(registry: Registry, settings: dict, **given: Any) -> None:
    """Whether a class takes its arguments, which needs the run around it to be built."""
    arguments = dict(settings, **given)
    kind = arguments.pop('type')
    inspect.signature(_class_of(registry, kind)).bind(**arguments)


def _check_loop(split: str, settings: dict) -> None:
    """Whether a loop takes its arguments."""
    settings = dict(settings)
    given: dict = dict(runner=None, dataloader=None)
    if split != 'train':
        given['evaluator'] = None
        settings.setdefault('type', f'{split.capitalize()}Loop')
    elif 'type' not in settings:
        unit = 'Epoch' if settings.pop('by_epoch') else 'Iter'
        settings['type'] = f'{unit}BasedTrainLoop'
    _check_arguments(LOOPS, settings, **given)


def _build_dataloader(settings: dict) -> None:
    """Builds a data loader with its data set, sampler and transforms; reads no data."""
    settings = copy.deepcopy(dict(settings))
    dataset = settings['dataset']
    if isinstance(dataset, dict):
        known = inspect.signature(_class_of(DATASETS, dataset['type'])).parameters
        if 'lazy_init' in known:
            dataset = dict(dataset, lazy_init=True)
        dataset = DATASETS.build(dataset)
    if not settings.get('batch_sampler'):
        settings.setdefault('batch_size', 1)
    # Else samplers would ask for its length, and it would read its list.
    settings.update(dataset=dataset, num_batch_per_epoch=1)
    Runner.build_dataloader(settings, seed=0)


def _check_package(cfg: Config, backend: type) -> None:
    """Whether the package is installed that a backend of the visualizer writes with."""
    names = [kind.__name__ for kind in backend.__mro__]
    package = next((BACKEND_PACKAGES[n] for n in names if n in BACKEND_PACKAGES), None)
    if package is not None and importlib.util.find_spec(package) is None:
        raise InputError(
            f'config {cfg.filename}: {names[0]} of visualizer.vis_backends needs the '
            f'package {package}, which is not installed. pip install {package}'
        )


def _build_evaluator(settings: Any) -> Optional[Evaluator]:
    """Builds the metrics, as the runner does."""
    if settings is None:
        return None
    settings = copy.deepcopy(settings)
    for metric in settings if isinstance(settings, (list, tuple)) else [settings]:
        if isinstance(metric, str):  # which mmengine lets pass
            raise TypeError(f'{metric!r} is no dict of a metric')
    if isinstance(settings, dict) and 'metrics' in settings:
        return EVALUATOR.build(dict(dict(type='Evaluator'), **settings))
    return Evaluator(settings)


def _check_save_best(cfg: Config, evaluator: Evaluator) -> None:
    """Whether there will be the score that the best checkpoint is chosen by.

    That can be told of DiceJaccardMetric alone; other metrics may return any key.
    """
    hooks = cfg.get('default_hooks') or {}
    keys = (hooks.get('checkpoint') or {}).get('save_best')
    starts = tuple(
        f'{metric.prefix}/'
        for metric in evaluator.metrics
        if isinstance(metric, DiceJaccardMetric)
    )
    if not starts or len(starts) < len(evaluator.metrics):
        return
    for key in keys if isinstance(keys, (list, tuple)) else [keys]:
        if isinstance(key, str) and key != 'auto' and not key.startswith(starts):
            raise InputError(
                f'config {cfg.filename}: default_hooks.checkpoint.save_best={key!r}: '
                'DiceJaccardMetric puts its prefix before its scores. Write '
                f'{starts[0] + key.split("/")[-1]!r}.'
            )


def _build_schedulers(cfg: Config, optimizer: OptimWrapper) -> None:
    """Builds the schedules of the learning rate, as the runner does."""
    settings = cfg.get('param_scheduler') or []
    for schedule in settings if isinstance(settings, (list, tuple)) else [settings]:
        schedule = copy.deepcopy(dict(schedule))
        unit = 'max_epochs' if schedule.get('by_epoch', True) else 'max_iters'
        if cfg.train_cfg.get(unit) is not None:
            schedule.setdefault('end', cfg.train_cfg[unit])
        PARAM_SCHEDULERS.build(
            schedule, default_args=dict(optimizer=optimizer, epoch_length=1)
        )
