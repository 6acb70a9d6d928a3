"""What a run shows: a screen of what matters at its start, and one at its end."""

import contextlib
import logging
import os
import re
import shlex
from pathlib import Path
from typing import Any, Iterator, List, Tuple, Union

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import MMLogger
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import EpochBasedTrainLoop, Runner

from ..config_lookup import PACKAGE, project_root
from .carried_config import config_name
from .reading import plain
from .work_dir import default_work_dir

# The environment, the config and the order of the hooks: hundreds of lines.
RUNNER_FILE = Runner.__init__.__code__.co_filename
# Beginnings of what nobody who trains can act on, most of it warnings of mmengine about
# its own code.
FILE_ONLY = (
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
    'Advance dataloader',
    'Exp name:',
    'Loads checkpoint by',
    'The prefix is not set in metric class',
)

Lines = List[Tuple[str, str]]  # name and text


@contextlib.contextmanager
def unlogged() -> Iterator[None]:
    """Logs nothing inside: for what is built on trial, and has its say later."""
    logger = MMLogger.get_current_instance()
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = False


def for_console(record: logging.LogRecord) -> bool:
    """A filter of the console's log: the rest is in the log file alone.

    Args:
        record (LogRecord): of mmengine's logger.

    Returns:
        bool: False for what the runner tells about itself, unless it is a warning, and
        for :data:`FILE_ONLY`.
    """
    if record.levelno <= logging.INFO and record.pathname == RUNNER_FILE:
        return False
    return not record.getMessage().startswith(FILE_ONLY)


def clear_console(logger: logging.Logger) -> None:
    """Has a logger of mmengine show on the console what :func:`for_console` lets pass."""
    for handler in logger.handlers:
        # A FileHandler is a StreamHandler, too.
        if not isinstance(handler, logging.FileHandler):
            handler.addFilter(for_console)


def shown(path: Union[str, Path]) -> str:
    """A path as short as it can be written from the current folder."""
    full = Path(path).absolute()
    here = Path.cwd()
    return str(full.relative_to(here) if here in full.parents else full)


def tool_command(name: str, *words: str) -> str:
    """A line for the shell that starts a tool.

    Args:
        name (str): of a tool that is also the name of its command: ``'test'``.
        *words (str): its arguments, not quoted.

    Returns:
        str: for a POSIX shell, from the current folder.
    """
    if in_wheel():
        return shlex.join(['seam-seg', name, *words])
    tool = shown(project_root() / 'tools' / f'{name}.py')
    return shlex.join(['python', tool, *words])


def in_wheel() -> bool:
    """Whether the tools lie inside the package, where nobody looks for them."""
    return PACKAGE in project_root().parents


def with_commands(text: str) -> str:
    """A message with the commands of a wheel in the place of the files in tools/.

    Args:
        text (str): that names tools as ``tools/train.py``.

    Returns:
        str: of a clone, the same.
    """
    if not in_wheel():
        return text
    from seam_seg_cli import COMMANDS  # beside the package, and in every wheel

    names = {file: f'seam-seg {name}' for name, (file, _) in COMMANDS.items()}
    pattern = rf'(?<![\w./])tools/({"|".join(names)})\.py\b'
    return re.sub(pattern, lambda found: names[found[1]], text)


def command_to_test(runner: Runner, checkpoint: str) -> str:
    """The line that tests a checkpoint of a training.

    A checkpoint carries its config. One that imports modules of its user's has to be
    given: that which lies beside them.

    Args:
        runner (Runner): of the training.
        checkpoint (str): file of the checkpoint.

    Returns:
        str: see :func:`tool_command`.
    """
    words = [shown(checkpoint)]
    if Path(runner.work_dir).absolute() != default_work_dir(runner.cfg).absolute():
        words += ['--work-dir', shown(runner.work_dir)]
    imports = (runner.cfg.get('custom_imports') or {}).get('imports') or []
    if imports in ([PACKAGE.name], PACKAGE.name, []) or not runner.cfg.filename:
        return tool_command('test', *words)
    root = runner.cfg.get('test_dataloader', {}).get('dataset', {}).get('data_root')
    words += ['--data-root', shown(root)] if root else []
    return tool_command('test', shown(runner.cfg.filename), *words)


def as_screen(title: str, lines: Lines) -> str:
    """Sets a title and named lines one below the other."""
    width = max(len(name) for name, _ in lines)
    return '\n'.join([title, *(f'  {name:{width}}  {text}' for name, text in lines)])


def describe_data(dataset: Any) -> str:
    """How much a data set holds."""
    samples = f'{len(dataset)} samples'
    if not hasattr(dataset, 'split_names'):  # of another class than VPIDataset
        return samples
    cases = len(dataset.split_names())
    text = f'{cases} case' + ('s' if cases > 1 else '')
    return text if cases == len(dataset) else f'{text}, {samples}'


def describe_subject(runner: Runner, dataset: Any) -> Lines:
    """What a run is about: the model, and the data and their classes.

    Args:
        runner (Runner): with a model.
        dataset (Dataset): that it is trained or tested on.
    """
    method = runner.cfg.get('method_name') or runner.model_name
    parameters = sum(value.numel() for value in runner.model.parameters())
    classes = getattr(dataset, 'metainfo', {}).get('classes') or ()
    root = getattr(dataset, 'data_root', None)
    return [
        ('config', config_name(runner.cfg) or '(in memory)'),
        ('model', f'{method}: {parameters / 1e6:.2f} million parameters'),
        ('data', shown(root) if root else type(dataset).__name__),
        ('classes', ', '.join(classes) or '-'),
    ]


def describe_place(runner: Runner) -> Lines:
    """Where a run computes, and where it writes."""
    device = next(runner.model.parameters()).device
    threads = torch.get_num_threads()
    name = (
        torch.cuda.get_device_name(device)
        if device.type == 'cuda'
        else f'{device.type.upper()}, {threads} thread' + ('s' if threads > 1 else '')
    )
    processes = f', {get_world_size()} processes' if get_world_size() > 1 else ''
    return [
        ('device', name + processes),
        ('work dir', shown(runner.work_dir)),
        ('log', f'{shown(runner.logger.log_file)}, with environment and config'),
    ]


def describe_length(runner: Runner) -> str:
    """How long a training is, and how often it is validated."""
    loop = runner.train_loop
    batch = getattr(loop.dataloader, 'batch_size', None)  # None with a batch sampler
    each = ' in each process' if get_world_size() > 1 else ''
    unit = 'epochs' if isinstance(loop, EpochBasedTrainLoop) else 'iterations'
    return (
        f'{loop.max_iters} iterations'
        + (f' of {batch} samples{each}' if batch else '')
        + (
            f', validated every {loop.val_interval} {unit}'
            if runner.val_loop is not None
            else ', without validation'
        )
    )


def describe_optimizer(runner: Runner) -> str:
    """Optimizer, learning rate before any schedule, and precision."""
    wrapper = runner.optim_wrapper
    groups = wrapper.param_groups
    if isinstance(groups, dict):  # of several optimizers
        return ', '.join(groups)
    rates = {group.get('initial_lr', group['lr']) for group in groups}
    ends = sorted({min(rates), max(rates)})
    return (
        f'{type(wrapper.optimizer).__name__}, learning rate '
        + ' to '.join(f'{rate:g}' for rate in ends)
        + (', mixed precision' if isinstance(wrapper, AmpOptimWrapper) else '')
    )


def describe_start(runner: Runner) -> str:
    """What a training starts from."""
    source = plain(runner._load_from) if runner._load_from else None
    if runner.iter:
        return f'iteration {runner.iter}' + (f', {shown(source)}' if source else '')
    if source:
        return f'the weights of {source}'
    init = (runner.cfg.model.get('backbone') or {}).get('init_cfg')
    if isinstance(init, dict) and init.get('checkpoint'):
        return f'the weights of {init["checkpoint"]} in the backbone'
    return 'random weights'


def best_checkpoints(runner: Runner) -> Iterator[Tuple[str, str]]:
    """The best checkpoints by each score that they are chosen by.

    Args:
        runner (Runner): after a training.

    Yields:
        tuple[str, str]: the file, and its score in words.
    """
    found = runner.message_hub.runtime_info
    for hook in runner.hooks:
        if not isinstance(hook, CheckpointHook) or not hook.save_best:
            continue
        for key in hook.key_indicators:
            end = '' if len(hook.key_indicators) == 1 else f'_{key}'
            path, score = found.get(f'best_ckpt{end}'), found.get(f'best_score{end}')
            if path is None or not os.path.isfile(path):
                continue
            # mmengine keeps the iteration in the name alone.
            step = re.search(r'(\d+)\D*$', Path(path).name)
            unit = 'epoch' if hook.by_epoch else 'iteration'
            yield path, f'{key} {score:.2f}' + (f' at {unit} {step[1]}' if step else '')


class ConsoleHook(Hook):
    """Logs what runs before it does, and afterwards what a training has left.

    After whatever else sets a run up, and before the checkpoint hook, which may validate
    first.
    """

    priority = 'LOW'

    def before_train(self, runner: Runner) -> None:
        """One screen: model, data, length, start, device and work dir."""
        dataset = runner.train_dataloader.dataset
        lines = describe_subject(runner, dataset)
        lines += [('training', describe_data(dataset))]
        if runner.val_loop is not None:
            lines += [('validation', describe_data(runner.val_dataloader.dataset))]
        lines += [
            ('length', describe_length(runner)),
            ('optimizer', describe_optimizer(runner)),
            ('seed', str(runner.seed)),
            ('start', describe_start(runner)),
        ]
        runner.logger.info(as_screen('Training', lines + describe_place(runner)))

    def before_test(self, runner: Runner) -> None:
        """The same, as far as a test has it."""
        dataset = runner.test_dataloader.dataset
        lines = describe_subject(runner, dataset)
        lines += [('test', describe_data(dataset))]
        runner.logger.info(as_screen('Test', lines + describe_place(runner)))

    def after_train(self, runner: Runner) -> None:
        """The best checkpoint with its score, the last one, and how to test."""
        found = list(best_checkpoints(runner))
        lines = [('best', f'{shown(path)} ({score})') for path, score in found]
        chosen = [path for path, _ in found]
        last = runner.message_hub.runtime_info.get('last_ckpt')
        if last is not None and os.path.isfile(last):
            lines += [('last', shown(last))]
            chosen += [last]
        if chosen:
            lines += [('to test', command_to_test(runner, chosen[0]))]
            runner.logger.info(as_screen('Trained', lines))
