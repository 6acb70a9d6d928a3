"""Training and testing through mmengine's runner."""

import contextlib
import gc
import inspect
import os
from pathlib import Path
from typing import Any, Iterator, Optional, Sequence, Union
from urllib.error import URLError

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.runner import Runner
from mmseg.registry import METRICS

from ..config_lookup import get_config, project_root
from ..engine import (
    any_checkpoint,
    as_screen,
    build_runner,
    check_config,
    check_unused,
    check_weights,
    default_work_dir,
    last_checkpoint,
    own_config,
    read_checkpoint,
    seen_by,
    shown,
    tell_seen,
    unlogged,
    unwrapped,
)
from ..errors import InputError, Interrupted
from ..evaluation import DiceJaccardMetric
from .inference import check_config_of

# Beside those of mmengine's runner, whatever config it is.
OWN_KEYS = ('runner_type', 'trust_checkpoint')
# Variables of the configs in configs/_base_, which no run reads.
VARIABLES = (
    *('checkpoint', 'data_root', 'dataset_type', 'ema', 'image_size', 'load_pipeline'),
    *('norm_cfg', 'patches', 'resize', 'test_pipeline', 'train_pipeline', 'vary'),
)
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def load_config(
    name: str,
    options: Optional[dict] = None,
    data_root: Optional[str] = None,
    work_dir: Optional[str] = None,
) -> Config:
    """Loads a config and applies what the command line says.

    Args:
        name (str): path or name of a config.
        options (dict, optional): overrides, dotted key to value.
        data_root (str, optional): data root of every split.
        work_dir (str, optional): folder of logs and checkpoints. Default: that of the
            config, or ``work_dirs/<config>`` in the current folder.

    Returns:
        Config: ready for :func:`train` or :func:`test`.

    Raises:
        InputError: the config or an option cannot be used.
    """
    return _adapt(get_config(name), name, options, data_root, work_dir)


def load_own_config(
    checkpoint: str,
    options: Optional[dict] = None,
    data_root: Optional[str] = None,
    work_dir: Optional[str] = None,
    trust: bool = False,
) -> Config:
    """The config that a checkpoint carries, for :func:`test`, with what changes it.

    Args:
        checkpoint (str): file written by a training.
        options (dict, optional): overrides, dotted key to value.
        data_root (str, optional): data set. Default: that of the training.
        work_dir (str, optional): folder of logs and results. Default:
            ``work_dirs/<config>`` in the current folder, by the config's name.
        trust (bool): also reads what could run code. Default: False.

    Returns:
        Config: with the run's settings of ``configs/_base_/default_runtime.py``.

    Raises:
        InputError: the checkpoint carries no config, or it or an option cannot be used.
    """
    content = read_checkpoint(checkpoint, trust)
    cfg = own_config(content, checkpoint, trust, testing=True)
    runtime = project_root() / 'configs' / '_base_' / 'default_runtime.py'
    for key, value in Config.fromfile(str(runtime)).items():
        cfg.setdefault(key, value)
    if data_root is None and 'data_root' not in cfg.test_dataloader.dataset:
        raise InputError(
            f'checkpoint {checkpoint}: does not say where its data are. Give --data-root.'
        )
    return _adapt(cfg, cfg.origin.config, options, data_root, work_dir)


def _adapt(
    cfg: Config,
    name: str,
    options: Optional[dict],
    data_root: Optional[str],
    work_dir: Optional[str],
) -> Config:
    """Applies what the command line says to a config of that name or path."""
    if options:
        known = {*cfg, *inspect.signature(Runner).parameters, *OWN_KEYS}
        for key in options:
            top = key.split('.')[0]
            if top not in known:  # mmengine would take it, for nobody
                raise InputError(
                    f'--cfg-options {key}: the config {name} has no {top!r}.'
                )
            if top in VARIABLES:
                way = 'Set what was made of it, in model... or ..._dataloader.dataset...'
                raise InputError(
                    f'--cfg-options {key}: the configs have used {top} while they were '
                    'read, and nobody reads it now. '
                    + ('Say --data-root.' if top == 'data_root' else f'{way}.')
                )
        try:
            cfg.merge_from_dict(options)
        except (KeyError, TypeError, IndexError) as error:
            raise InputError(
                f'--cfg-options {" ".join(options)}: {error}. Write key=value with the '
                f'keys of {name}.'
            ) from error
    _check_numbers(cfg)
    if data_root is not None:
        root = Path(data_root).expanduser()
        if not root.is_dir():
            raise InputError(f'--data-root {data_root}: no such folder.')
        for loader in LOADERS:
            if cfg.get(loader):
                cfg[loader].dataset.data_root = str(root.resolve())
    cfg.work_dir = str(work_dir or cfg.get('work_dir') or default_work_dir(cfg))
    return cfg


def _check_numbers(cfg: Config) -> None:
    """The numbers that are set most, before an error far from here names none."""
    for section in ('model', 'train_cfg', 'optim_wrapper', 'randomness', *LOADERS):
        if not isinstance(cfg.get(section) or {}, dict):
            raise InputError(
                f'{section}={cfg[section]}: must be a dict, as in the '
                'configs of seam_seg.'
            )
    for loader in LOADERS:
        if cfg.get(loader) and not isinstance(cfg[loader].get('dataset'), dict):
            raise InputError(f'{loader}.dataset: must be a dict, a data set.')
    numbers = {
        f'{loader}.batch_size': cfg[loader].get('batch_size', 1)
        for loader in LOADERS
        if cfg.get(loader)
    }
    for key in ('max_iters', 'val_interval'):
        if (cfg.get('train_cfg') or {}).get(key) is not None:
            numbers[f'train_cfg.{key}'] = cfg.train_cfg[key]
    for key, number in numbers.items():
        if not isinstance(number, int) or number < 1:
            raise InputError(f'{key}={number}: must be a whole number, at least 1.')
    seed = (cfg.get('randomness') or {}).get('seed')
    if seed is not None and not (isinstance(seed, int) and 0 <= seed < 2**32):
        raise InputError(f'randomness.seed={seed}: must be a whole number, from 0 on.')


@contextlib.contextmanager
def launched(cfg: Config, launcher: str) -> Iterator[None]:
    """Sets a run of several processes up, and takes it down after the block.

    Args:
        cfg (Config): changed in place.
        launcher (str): ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.

    Raises:
        InputError: the launcher cannot be used here.
    """
    cfg.launcher = launcher
    if launcher == 'none':
        yield
        return
    if launcher == 'pytorch' and 'RANK' not in os.environ:
        raise InputError(
            '--launcher pytorch: start the tool with torchrun, for example '
            'torchrun --nproc_per_node 2 tools/train.py ...'
        )
    if torch.cuda.is_available():
        cfg.sync_bn = 'torch'  # the configs name BN, since SyncBN raises on a CPU
    elif launcher == 'pytorch':
        # mmengine would call torch.cuda.set_device; it leaves an existing group alone.
        dist.init_process_group('gloo')
        cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None)
    else:
        raise InputError(
            f'--launcher {launcher}: needs CUDA. Without it, use torchrun '
            'and --launcher pytorch.'
        )
    yield
    # The group's threads must end before the process does, and DDP holds on to them;
    # no process leaves while another still talks to it.
    gc.collect()
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()


def set_resume(cfg: Config) -> None:
    """Goes on with the training in the work dir, where there is one.

    Set in any case, ``cfg.resume`` could go on with the one that ``load_from`` holds.
    """
    if any_checkpoint(cfg.work_dir) is not None:
        cfg.resume = True


def set_amp(cfg: Config) -> None:
    """Switches automatic mixed precision on.

    Raises:
        InputError: there is no accelerator, or the config has an optimizer wrapper of
            its own.
    """
    if not torch.cuda.is_available():
        raise InputError(
            '--amp: needs a CUDA device, and there is none here. Train without it.'
        )
    kind = (cfg.get('optim_wrapper') or {}).get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise InputError(
            f'--amp: does not go with the optimizer wrapper {kind} of the config.'
        )
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.loss_scale = 'dynamic'


def set_tensorboard(cfg: Config) -> None:
    """Adds TensorBoard to the places that scalars and overlays are written to.

    Raises:
        InputError: the config has no visualizer.
    """
    _add_backend(cfg, '--tensorboard', dict(type='TensorboardVisBackend'))


def set_wandb(cfg: Config) -> None:
    """Adds Weights & Biases for scalars alone, without what the console shows.

    Raises:
        InputError: the config has no visualizer.
    """
    run = dict(name=Path(cfg.work_dir).name, settings=dict(console='off'))
    _add_backend(cfg, '--wandb', dict(type='WandbScores', init_kwargs=run))


def _add_backend(cfg: Config, option: str, backend: dict) -> None:
    if not (cfg.get('visualizer') or {}).get('vis_backends'):
        raise InputError(f'{option}: the config has no visualizer.vis_backends.')
    cfg.visualizer.vis_backends.append(backend)


@contextlib.contextmanager
def named(work_dir: str) -> Iterator[None]:
    """Gives errors of the system that name no file, as of a full disk, the work dir.

    Raises:
        OSError: inside, one was raised.
    """
    try:
        yield
    except URLError:
        raise
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, work_dir) from error


def train(cfg: Config, trust: bool = False) -> Runner:
    """Trains a model; with ``cfg.resume``, goes on from the last checkpoint in work_dir.

    Args:
        cfg (Config): from :func:`load_config`.
        trust (bool): also loads checkpoints that could run code, as does
            ``trust_checkpoint`` in the config. Default: False.

    Returns:
        Runner: after the training.

    Raises:
        InputError: a work dir with the checkpoints of another training, bad data, a
            config that cannot be built, a checkpoint that cannot be read, or pretrained
            weights that cannot be fetched.
        Interrupted: by Ctrl-C.
    """
    runner = None
    cfg.trust_checkpoint = trust or cfg.get('trust_checkpoint', False)
    try:
        with named(cfg.work_dir):
            # The runner asks again, but it writes to the folder as soon as it is built.
            check_unused(cfg.work_dir, cfg.get('resume', False))
            with unlogged():
                check_config(cfg, ('train', 'val'))
            runner = build_runner(cfg)
            runner.train()
    except KeyboardInterrupt:
        raise Interrupted(_saved(cfg, runner)) from None
    except SyntaxError as error:
        # mmengine writes the config into each checkpoint, and calls whatever is raised
        # meanwhile an error in it.
        if isinstance(error.__context__, KeyboardInterrupt):
            raise Interrupted(_saved(cfg, runner)) from None
        raise
    except (URLError, ModuleNotFoundError) as error:
        # mmengine asks torchvision where its weights are.
        if isinstance(error, ModuleNotFoundError) and error.name != 'torchvision':
            raise
        init_cfg = cfg.model.backbone.get('init_cfg') or {}
        raise InputError(
            f'the pretrained weights {init_cfg.get("checkpoint")} cannot be fetched '
            f'({error}). Without them, train from scratch with --cfg-options '
            'model.backbone.init_cfg=None'
            + (
                '; with them, install torchvision, which knows their address.'
                if isinstance(error, ModuleNotFoundError)
                else ''
            )
        ) from error
    return runner


def _saved(cfg: Config, runner: Optional[Runner]) -> Optional[Path]:
    """The checkpoint that a training would go on from, None before it has one.

    Not one that an earlier training left in the work dir: no other is built there.
    """
    began = cfg.get('resume') or runner is not None
    return last_checkpoint(cfg.work_dir) if began else None


def _takes_folders(metric: Union[str, type, None]) -> bool:
    """Whether this is :class:`DiceJaccardMetric`, or one that builds on it."""
    found = METRICS.get(metric) if isinstance(metric, str) else metric
    return inspect.isclass(found) and issubclass(found, DiceJaccardMetric)


def _metrics_of(evaluator: Any) -> Sequence[Any]:
    """The metrics of an evaluator in any of mmengine's forms."""
    if isinstance(evaluator, dict):
        evaluator = evaluator.get('metrics', evaluator)
    return evaluator if isinstance(evaluator, (list, tuple)) else [evaluator]


def test(
    cfg: Config,
    checkpoint: str,
    out: Optional[str] = None,
    show_dir: Optional[str] = None,
    tta: bool = False,
    trust: bool = False,
) -> dict:
    """Tests a model and writes its Dice/Jaccard table under ``cfg.work_dir/test``.

    Args:
        cfg (Config): from :func:`load_config`, or from :func:`load_own_config`.
        checkpoint (str): weights, written by a training with that config.
        out (str, optional): folder for the predicted label PNGs.
        show_dir (str, optional): folder for the overlays.
        tta (bool): average over a horizontal flip. Default: False.
        trust (bool): also loads a checkpoint that could run code. Default: False.

    Returns:
        dict[str, float]: what the metrics return.

    Raises:
        InputError: bad data, a checkpoint of another model or config, or an option that
            the config has no place for.
    """
    metrics = [
        item
        for item in _metrics_of(cfg.get('test_evaluator') or [])
        if isinstance(item, dict) and _takes_folders(item.get('type'))
    ]
    if out is not None and not metrics:
        raise InputError(
            '--out: test_evaluator of the config has no '
            'DiceJaccardMetric, which writes the label PNGs.'
        )
    for metric in metrics:
        metric['summary_dir'] = str(Path(cfg.work_dir) / 'test')
        metric['output_dir'] = out
    if show_dir is not None:
        hooks: Sequence[dict] = [
            hook
            for hook in cfg.get('custom_hooks') or []
            if hook.get('type') == 'OverlayHook'
        ]
        if not hooks:
            raise InputError('--show-dir: custom_hooks of the config has no OverlayHook.')
        hooks[0]['show_dir'] = show_dir
    cfg.trust_checkpoint = trust or cfg.get('trust_checkpoint', False)
    content = read_checkpoint(checkpoint, cfg.trust_checkpoint)
    check_config_of(content, checkpoint, cfg)  # before the data are looked for
    if tta:
        if 'tta_model' not in cfg or 'tta_pipeline' not in cfg:
            raise InputError('--tta: the config has no tta_model and tta_pipeline.')
        cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
        cfg.model = dict(cfg.tta_model, module=cfg.model)
    cfg.load_from, cfg.resume = None, False
    with named(cfg.work_dir):
        with unlogged():
            check_config(cfg, ('test',))
        runner = build_runner(cfg)
        model = unwrapped(runner.model)
        model.load_state_dict(check_weights(model, content, checkpoint), strict=False)
        seen = seen_by(content)
        del content  # the optimizer's state is twice as large as the weights
        tell_seen(runner.test_loop.dataloader.dataset, seen, checkpoint, runner.logger)
        scores = runner.test()
        written: list = [('scores', Path(cfg.work_dir) / 'test')] if metrics else []
        written += [('labels', out)] if out else []
        written += [('overlays', show_dir)] if show_dir else []
        if written:
            lines = [(name, shown(path)) for name, path in written]
            runner.logger.info(as_screen('Written', lines))
        return scores
