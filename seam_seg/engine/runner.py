"""A runner whose checkpoints run no code, and that replaces no other training."""

import contextlib
import io
import itertools
from typing import Any, Dict, List, Optional, Tuple

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner import BaseLoop, Runner, find_latest_checkpoint
from mmseg.registry import RUNNERS
from torch import nn

from ..config_lookup import building, import_package
from ..datasets.vpi import NoValidationCasesError
from ..errors import InputError
from .console import ConsoleHook, clear_console
from .reading import guarded, plain, read_checkpoint
from .seen import check_apart
from .work_dir import agreed, alone, check_unused, resumable_checkpoint

# Names that a config gives weights in init_cfg by; the addresses are the libraries' own.
ZOOS = ('open-mmlab://', 'openmmlab://', 'torchvision://', 'modelzoo://', 'mmcls://')
RUNS = itertools.count()  # of this process
# What tells kinds of optimizers apart, of what they keep; other names come with versions.
KINDS = {'alpha', 'betas', 'momentum', 'rho'}


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

    A training starts in a work dir without checkpoints; with ``resume``, it goes on from
    the last one there. Where the data set has no validation cases, it goes without
    validation. The console shows what matters, see :class:`ConsoleHook`; the log file
    holds all.
    """

    _resume: bool
    _load_from: Optional[str]

    def __init__(
        self, *args: Any, experiment_name: Optional[str] = None, **kwargs: Any
    ) -> None:
        # Under this name and the second of its start mmengine keeps what a run has found,
        # as its best score; the next run of the process must not go on with that.
        name = f'{experiment_name or "run"}_{next(RUNS)}'
        super().__init__(*args, experiment_name=name, **kwargs)

    @classmethod
    def from_cfg(cls, cfg: Config) -> Runner:
        """Builds a run, and writes a config into its work dir that imports seam_seg."""
        cfg = cfg.copy()
        import_package(cfg)
        return super().from_cfg(cfg)

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

    def dump_config(self) -> None:
        """Writes nothing yet: one that is refused leaves the config of a run before."""

    def build_val_loop(self, loop: Any) -> Optional[BaseLoop]:
        """Builds the validation, None where there are no cases for it.

        Raises:
            InputError: it would be on images of the training.
        """
        try:
            built = super().build_val_loop(loop)
        except NoValidationCasesError as error:
            self.logger.info(f'Trains without validation, the last is kept: {error}')
            return None
        if isinstance(self._train_loop, BaseLoop):
            check_apart(self._train_loop.dataloader.dataset, built.dataloader.dataset)
        return built

    def train(self) -> nn.Module:
        """Trains.

        Returns:
            nn.Module: the model after it.

        Raises:
            InputError: the work dir holds checkpoints, and ``resume`` is not set; these
                are of another training; or one is running there.
        """
        with alone(self.work_dir):
            check_unused(self.work_dir, self._resume)
            return super().train()

    def load_or_resume(self) -> None:
        """Loads what the training starts from, or goes on from.

        With ``resume`` that is the last checkpoint in the work dir; while there is none,
        ``load_from``: a training that it holds goes on, its weights alone are a start.
        """
        if self._resume and not self._has_loaded:
            last = agreed(resumable_checkpoint(self.work_dir))
            if last is not None:
                self._load_from = str(last)
            elif self._load_from is None:
                self._resume = False
            else:
                trusted = self.cfg.get('trust_checkpoint', False)
                start = read_checkpoint(plain(self._load_from), trusted)
                self._resume = 'optimizer' in start
        super().load_or_resume()
        super().dump_config()

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Goes on with a training.

        Args:
            filename (str): its checkpoint.
            *args: of mmengine's ``Runner.resume``.
            **kwargs: of the same.

        Raises:
            InputError: it is not the training of this config: it is beyond its end, or
                began with another seed, optimizer or learning rate, which would be kept.
        """
        planned, optimizer = self._start_values(), self._optimizer_values()
        seed = self._randomness_cfg.get('seed')
        try:
            super().resume(filename, *args, **kwargs)
        except InputError:
            raise
        except (KeyError, ValueError) as error:  # of torch, where groups differ
            raise InputError(
                f'checkpoint {filename}: its training had another optimizer or schedule, '
                f'or other parts that learn ({error}). Name another --work-dir.'
            ) from error
        self._check_seed(filename, seed)
        kept = self._optimizer_values()
        for key in (KINDS & {*optimizer, *kept}) | (optimizer.keys() & kept.keys()):
            if optimizer.get(key) != kept.get(key):
                raise InputError(
                    f'checkpoint {filename}: the optimizer of its training had '
                    f'{key}={kept.get(key)}, which it keeps when resumed, and the config '
                    f'has {optimizer.get(key)}. Name another --work-dir, or go on as it '
                    'began.'
                )
        if self.iter > self.max_iters:
            raise InputError(
                f'checkpoint {filename}: has done {self.iter} iterations, and this '
                f'training ends after {self.max_iters}. Name another --work-dir, or '
                'train longer (--cfg-options train_cfg.max_iters=...).'
            )
        for (name, own), (_, held) in zip(planned, self._start_values()):
            if own != held:
                raise InputError(
                    f'checkpoint {filename}: its training began with {name}={held:g}, '
                    f'which it keeps when resumed, and the config has {own:g}. Name '
                    f'another --work-dir, or go on with {held:g}.'
                )
        if self.iter == self.max_iters:
            self.logger.info(
                f'nothing left to train: {filename} is at iteration {self.iter} of '
                f'{self.max_iters}'
            )

    def _check_seed(self, filename: str, seed: Optional[int]) -> None:
        """Sees to it that data come in the order of the training that goes on.

        The data loader was built with the seed of the config, before the checkpoint said
        which one the training has.
        """
        if seed is not None and seed != self.seed:
            raise InputError(
                f'checkpoint {filename}: its training began with seed {self.seed}, and '
                f'the config has {seed}. Name another --work-dir, or go on with '
                f'randomness.seed={self.seed}.'
            )
        sampler = getattr(self.train_loop.dataloader, 'sampler', None)
        if sampler is not None and hasattr(sampler, 'seed'):
            sampler.seed = self.seed

    def _optimizer_values(self) -> Dict[str, Any]:
        """What the optimizer has beside rates, of its first group, by name."""
        groups = getattr(self.optim_wrapper, 'param_groups', None)
        if not isinstance(groups, list):  # several optimizers
            return {}
        return {
            key: value
            for key, value in groups[0].items()
            if key not in ('params', 'lr', 'initial_lr')
        }

    def _start_values(self) -> List[Tuple[str, float]]:
        """What the schedules start from: name of the parameter and value."""
        schedules = self.param_schedulers or []
        if isinstance(schedules, dict):  # of several optimizers
            schedules = [item for part in schedules.values() for item in part]
        return [
            (schedule.param_name, value)
            for schedule in schedules
            for value in getattr(schedule, 'base_values', [])
        ]

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
