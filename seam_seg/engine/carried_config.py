"""The config that a checkpoint carries: plain data, all that prediction and testing need.

Reading it builds and imports nothing. A model is built from it only where every name in
it is one that the package knows already: mmengine's registries import, and call, whatever
else a ``type`` names, ``os.system`` included.
"""

import re
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Tuple, Union

import numpy as np
from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.utils import import_modules_from_strings
from mmseg.registry import MODELS

from ..datasets.transforms import own_steps
from ..errors import InputError
from ..version import __version__
from .reading import TRUST

KEY = 'seam_seg'  # in the meta of a checkpoint
GIVE_CONFIG = (
    'Give the config that it was trained with, too (--config of tools/predict.py and '
    'tools/export_onnx.py; before the checkpoint to tools/test.py and '
    'tools/publish_model.py)'
)
SCOPE = 'mmseg'
# Settings of a model that only a training needs, and those whose names begin so.
TRAINING_ONLY = {
    'attn_drop_rate',
    'batch_augments',
    'drop_path_rate',
    'drop_rate',
    'dropout_ratio',
    'frozen_stages',
    'ignore_index',
    'init_cfg',
    'momentum',
    'norm_eval',
    'pretrained',
    'requires_grad',
    'sampler',
    'train_cfg',
    'with_cp',
}
LOSSES = 'loss_'
TRAINING_ONLY_OF = dict(
    SEAMHead={'beta', 'lambda_'},
    SegDataPreProcessor={'seg_pad_val', 'size', 'size_divisor'},
    WaveCTSegmentor={'num_reconstructed'},
)
# Of a carried config, parents first.
PARTS: Dict[str, Any] = {
    'custom_imports': dict,
    'test_cfg': dict,
    'test_evaluator': (dict, list, tuple),
    'tta_model': dict,
    'tta_pipeline': (list, tuple),
    'test_dataloader': dict,
    'test_dataloader.dataset': dict,
    'test_dataloader.dataset.metainfo': dict,
    'test_dataloader.dataset.pipeline': (list, tuple),
}
LOADER = ('batch_size', 'num_workers', 'persistent_workers')
# Where a metric writes to, and by what other than the file system data are read.
PATHS = {'backend_args', 'collect_dir', 'output_dir', 'summary_dir'}
# What an untrusted checkpoint may name beside the parts of a model: others read pickles,
# or write files where they are told to.
STEPS = (
    'AdjustGamma',
    'CLAHE',
    'LoadVPIAnnotations',
    'LoadVPIImage',
    'PackSegInputs',
    'RandomFlip',
    'Rerange',
    'ResizeVPI',
    'TestTimeAug',
)
METRICS = ('DiceJaccardMetric', 'IoUMetric')
# Registered models that fetch, read or import what their settings name.
UNSAFE_MODELS = ('TIMMBackbone', 'VPD')


def shorten(value: Any) -> str:
    """A value as a message shows it."""
    text = ' '.join(repr(value).split())
    return text if len(text) <= 100 else f'{text[:97]}...'


def plain_data(value: Any) -> Any:
    """Settings as dicts, lists, tuples, text, numbers, bools and None alone."""
    if isinstance(value, dict):
        return {
            key if isinstance(key, int) else str(key): plain_data(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return (list if isinstance(value, list) else tuple)(map(plain_data, value))
    if isinstance(value, (np.generic, np.ndarray)):
        return plain_data(value.tolist())
    if value is None or type(value) in (bool, int, float, str):
        return value
    return getattr(value, '__name__', None) or str(value)


def model_settings(cfg: Any) -> dict:
    """The model of a config, with the preprocessor that mmengine lets stand beside it.

    Args:
        cfg (Config | dict): with ``model``.

    Returns:
        dict: what the model is built from, without test-time augmentation around it.
    """
    model = dict(cfg['model'])
    while isinstance(model.get('module'), dict):
        model = dict(model['module'])
    if cfg.get('data_preprocessor') is not None:
        model.setdefault('data_preprocessor', cfg['data_preprocessor'])
    return model


def for_prediction(settings: Any) -> Any:
    """Settings of a model without what only a training needs."""
    if isinstance(settings, (list, tuple)):
        return type(settings)(map(for_prediction, settings))
    if not isinstance(settings, dict):
        return settings
    left_out = TRAINING_ONLY | TRAINING_ONLY_OF.get(str(settings.get('type')), set())
    kept = {
        key: for_prediction(value)
        for key, value in settings.items()
        if key not in left_out and not str(key).startswith(LOSSES)
    }
    if kept.get('type') == 'SyncBN':  # the same without processes to talk to
        kept['type'] = 'BN'
    return kept


def _without(settings: Any, keys: Any) -> Any:
    """Settings without some keys, at any depth of lists and dicts."""
    if isinstance(settings, (list, tuple)):
        return type(settings)(_without(item, keys) for item in settings)
    if not isinstance(settings, dict):
        return settings
    return {k: _without(v, keys) for k, v in settings.items() if k not in keys}


def config_name(cfg: Config) -> str:
    """The name of a config, also of one that came with a checkpoint; '' without any."""
    origin = cfg.get('origin')
    if origin:
        return origin['config']
    return Path(cfg.filename).stem if cfg.filename else ''


def carry(cfg: Config) -> dict:
    """What of a config goes with its checkpoints, for their ``meta``.

    Args:
        cfg (Config): of a training.

    Returns:
        dict: ``version`` of the package, and ``config``, plain data: the model without
        what only a training needs, the test data, how they are scored, and its name.
    """
    keys = ('default_scope', 'custom_imports', 'method_name', 'test_cfg', 'tta_pipeline')
    config = {key: plain_data(cfg[key]) for key in keys if cfg.get(key) is not None}
    config['name'] = config_name(cfg)
    config['model'] = for_prediction(plain_data(model_settings(cfg)))
    if cfg.get('tta_model') is not None:
        config['tta_model'] = for_prediction(plain_data(cfg['tta_model']))
    if cfg.get('test_evaluator') is not None:
        config['test_evaluator'] = _without(plain_data(cfg['test_evaluator']), PATHS)
    if cfg.get('test_dataloader') is not None:
        loader = plain_data(cfg['test_dataloader'])
        dataset = loader.get('dataset')
        if isinstance(dataset, dict) and 'pipeline' in dataset:
            dataset['pipeline'] = own_steps(dataset['pipeline'])
        config['test_dataloader'] = {
            key: loader[key] for key in (*LOADER, 'dataset') if key in loader
        }
    return dict(version=__version__, config=config)


def without_data_root(carried: dict) -> dict:
    """A carried config to hand on: where the data lie on one machine is left out."""
    return dict(carried, config=_without(carried['config'], {'data_root'}))


def carried_config(content: Any) -> Optional[dict]:
    """The config that a checkpoint carries, as it stands there.

    Args:
        content (Any): of a checkpoint.

    Returns:
        dict | None: plain data, which nobody has checked for what it names; None where
        there is none, as in older checkpoints and those of other programs.
    """
    meta = content.get('meta') if isinstance(content, dict) else None
    own = meta.get(KEY) if isinstance(meta, dict) else None
    config = own.get('config') if isinstance(own, dict) else None
    return config if _is_plain(config) and _has_its_parts(config) else None


def _has_its_parts(config: Any) -> bool:
    """Whether there is a model, and what else is read here is what it has to be."""
    if not isinstance(config, dict) or not isinstance(config.get('model'), dict):
        return False
    for path, kind in PARTS.items():
        part: Any = config
        for key in path.split('.'):
            part = None if part is None else part.get(key)
        if part is not None and not isinstance(part, kind):
            return False
    return True


def _is_plain(value: Any) -> bool:
    """Whether it is plain data with words for keys, since a run writes it as Python."""
    if isinstance(value, dict):
        return all(
            type(key) is int
            or (isinstance(key, str) and re.fullmatch(r'\w[\w.-]*', key) is not None)
            for key in value
        ) and all(map(_is_plain, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


def registered(registry: Registry, name: Any) -> Any:
    """What has a name in a registry, or None; ``Registry.get`` would import other names.

    Args:
        registry (Registry): one of mmseg's.
        name (Any): of a config.
    """
    registry.import_from_location()  # the library's own modules, which are registered so
    node: Optional[Registry] = registry
    while node is not None:
        if isinstance(name, str) and name in node.module_dict:
            return node.module_dict[name]
        node = node.parent
    return None


def _strangers(settings: Any, key: str = '') -> Iterator[str]:
    """What of a model's settings could be more than a setting of a known layer."""
    if isinstance(settings, (list, tuple)):
        for item in settings:
            yield from _strangers(item, key)
    elif isinstance(settings, dict):
        for name, value in settings.items():
            if name in ('type', 'padding_mode'):  # mmcv looks both up
                known = registered(MODELS, value) is not None
                torchs = name == 'padding_mode' and value in ('zeros', 'circular')
                if not (known or torchs) or value in UNSAFE_MODELS:
                    yield f'the model {name} {shorten(value)}'
            elif name == '_scope_':
                yield f'the scope {shorten(value)}'
            else:
                yield from _strangers(value, str(name))
    elif isinstance(settings, str) and not re.fullmatch(r'[\w-]*', settings):
        yield f'{key}={shorten(settings)}'


def _strange_types(settings: Any, kind: str, known: Tuple[str, ...]) -> Iterator[str]:
    """The types in a list of settings, or in settings of settings, that are not known."""
    if isinstance(settings, (list, tuple)):
        for item in settings:
            yield from _strange_types(item, kind, known)
    elif isinstance(settings, dict):
        if 'type' in settings and settings['type'] not in known:
            yield f'the {kind} {shorten(settings["type"])}'
        if '_scope_' in settings:
            yield f'the scope {shorten(settings["_scope_"])}'
        for value in settings.values():
            yield from _strange_types(value, kind, known)


def _unsafe(config: dict, testing: bool) -> Iterator[str]:
    """What of a carried config is not known to be safe to build."""
    if config.get('default_scope', SCOPE) != SCOPE:
        yield f'the scope {shorten(config["default_scope"])}'
    yield from _strangers(for_prediction(config['model']))
    dataset = config['test_dataloader']['dataset']
    yield from _strange_types(dataset.get('pipeline'), 'step', STEPS)
    if not testing:
        return
    others = {key: value for key, value in dataset.items() if key != 'pipeline'}
    yield from _strange_types(others, 'data set', ('VPIDataset',))
    yield from _strange_types(config.get('test_evaluator'), 'metric', METRICS)
    yield from _strange_types(config.get('tta_pipeline'), 'step', STEPS)
    yield from _strangers(for_prediction(config.get('tta_model')))


def own_config(
    content: Any, name: Union[str, Path], trust: bool = False, testing: bool = False
) -> Config:
    """The config that a checkpoint carries, to build its model from.

    Args:
        content (Any): of the checkpoint.
        name (str | Path): of the checkpoint.
        trust (bool): also builds what the package does not know, after its
            ``custom_imports``. Default: False.
        testing (bool): with the data, the metrics and the augmentation of a test, not
            with the model and the test pipeline alone. Default: False.

    Returns:
        Config: with ``origin``, the name of the config and of the checkpoint.

    Raises:
        InputError: it carries none, or one that names what the package does not know.
    """
    config = carried_config(content)
    if config is None:
        raise InputError(
            f'checkpoint {name}: does not carry its config, as older ones do not. '
            f'{GIVE_CONFIG}.'
        )
    if not ((config.get('test_dataloader') or {}).get('dataset') or {}).get('pipeline'):
        raise InputError(
            f'checkpoint {name}: its config has no test_dataloader of one data set, with '
            'a pipeline. Give the config that it was trained with, too.'
        )
    imports = config.get('custom_imports') or {}
    if trust and imports:
        try:
            import_modules_from_strings(**imports)
        except Exception as error:  # whatever a module of somebody's raises
            raise InputError(
                f'checkpoint {name}: its config imports {imports.get("imports")}, which '
                f'fails ({type(error).__name__}: {error}). Give the config, too: modules '
                'beside it are found.'
            ) from error
    elif not trust:
        strange = next(_unsafe(config, testing), None)
        if strange is not None:
            raise InputError(
                f'checkpoint {name}: its config names {strange}, which seam_seg does not '
                f'know or does not build unasked. {GIVE_CONFIG}, which imports what it '
                f'needs. {TRUST}'
            )
    return Config(
        _settings(config, name, testing),
        cfg_text=f'# of {name}',  # else mmengine would open a file of this name
        filename=f'{name}.py',
    )


def _settings(config: dict, name: Union[str, Path], testing: bool) -> dict:
    """A carried config as one for prediction, or for a test."""
    title = re.sub(r'[^\w.+ -]', '_', str(config.get('name') or '')).lstrip('.')
    loader = config['test_dataloader']
    settings = dict(
        origin=dict(
            config=title or Path(name).stem,  # becomes the name of a folder
            checkpoint=str(name),
        ),
        default_scope=config.get('default_scope', SCOPE),
        model=for_prediction(config['model']),
        test_dataloader=dict(dataset=_without(loader['dataset'], PATHS)),
    )
    if testing:
        settings['test_dataloader'].update(
            {key: loader[key] for key in LOADER if key in loader},
            sampler=dict(type='DefaultSampler', shuffle=False),
        )
        settings['test_evaluator'] = _without(config.get('test_evaluator'), PATHS)
        settings['test_cfg'] = dict(
            type='TestLoop', fp16=bool((config.get('test_cfg') or {}).get('fp16'))
        )
        for key in ('method_name', 'tta_model', 'tta_pipeline'):
            if config.get(key) is not None:
                settings[key] = for_prediction(config[key])
    return settings
