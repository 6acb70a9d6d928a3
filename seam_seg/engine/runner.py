"""A runner whose checkpoints run no code."""

import contextlib
import io
from typing import Any

from mmengine.logging import MMLogger
from mmengine.runner import Runner, find_latest_checkpoint
from mmseg.registry import RUNNERS
from torch import nn

from ..config_lookup import building
from .console import ConsoleHook, clear_console
from .reading import guarded

# Names that a config gives weights in init_cfg by; the addresses are the libraries' own.
ZOOS = ('open-mmlab://', 'openmmlab://', 'torchvision://', 'modelzoo://', 'mmcls://')


def guard_init(model: nn.Module) -> None:
    """Has the files that the modules' ``init_cfg`` name read by ``read_checkpoint``.

    Args:
        model (nn.Module): before its ``init_weights``; changed in place.
    """

    def visit(node: Any) -> None:
        if isinstance(node, (list, tuple)):
            for item in node:
                visit(item)
        elif isinstance(node, dict):
            address = node.get('checkpoint')
            if isinstance(address, str) and not address.startswith(ZOOS):
                node['checkpoint'] = guarded(address)
            visit(list(node.values()))

    for module in model.modules():
        visit(getattr(module, 'init_cfg', None))


def guard_runner(runner: Runner) -> None:
    """Has a runner of mmengine read what it loads by ``read_checkpoint``.

    Args:
        runner (Runner): before it loads anything; changed in place.
    """
    if runner.cfg.get('trust_checkpoint', False):
        return
    guard_init(runner.model)
    if runner._resume and runner._load_from is None:
        runner._load_from = find_latest_checkpoint(runner.work_dir)
    if runner._load_from is not None:
        runner._load_from = guarded(runner._load_from)


@RUNNERS.register_module()
class SafeRunner(Runner):
    """mmengine's ``Runner``; what it loads holds tensors, numbers and strings alone.

    So with ``load_from``, in a resume, and with local files and http(s) addresses in any
    ``init_cfg``. ``trust_checkpoint=True`` in the config switches that off. A config
    names it as ``runner_type``.

    The console shows what matters, see :class:`ConsoleHook`; the log file holds all.
    """

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Builds the logger, before it is told the environment and the config."""
        logger = super().build_logger(*args, **kwargs)
        clear_console(logger)
        return logger

    def register_hooks(self, *args: Any, **kwargs: Any) -> None:
        """Registers the hooks of the config, and the one for the console."""
        super().register_hooks(*args, **kwargs)
        self.register_hook(ConsoleHook())

    def build_model(self, model: Any) -> nn.Module:
        """Builds the model, whose ``init_cfg`` may name files."""
        built = super().build_model(model)
        if not self.cfg.get('trust_checkpoint', False):
            guard_init(built)
        return built

    def _init_model_weights(self) -> None:
        # What init_cfg names is built here and nowhere before.
        faults = (AssertionError, AttributeError, KeyError, TypeError, ValueError)
        with building(self.cfg, 'init_cfg of the model', faults):
            super()._init_model_weights()

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> dict:
        """Loads a checkpoint, also for ``resume``.

        Args:
            filename (str): a file or an address, see ``read_checkpoint``.
            *args: of mmengine's ``Runner.load_checkpoint``.
            **kwargs: of the same.

        Returns:
            dict: its content.

        Raises:
            InputError: see ``read_checkpoint``.
        """
        trusted = self.cfg.get('trust_checkpoint', False)
        with contextlib.redirect_stdout(io.StringIO()):  # it prints the address
            return super().load_checkpoint(
                filename if trusted else guarded(filename), *args, **kwargs
            )
