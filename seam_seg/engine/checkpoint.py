"""Checkpoints that are whole, plain, and enough to go on bit by bit."""

import contextlib
import inspect
import os
import random
from pathlib import Path
from typing import Any, Iterator, List, Optional, Set, Tuple, Union

import numpy as np
import torch
from mmengine.dist import broadcast, get_rank, is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import BaseLoop, Runner
from mmseg.registry import HOOKS
from torch import nn

from ..atomic import PARTIAL, write_whole
from ..datasets.seeding import derived_seed
from ..errors import InputError
from .agreement import differences
from .carried_config import KEY, carried_config, carry, config_name
from .reading import READY, plain
from .runner import SafeRunner, guard_runner
from .seen import SEEN, images_of, seen_by, tell_seen
from .work_dir import last_checkpoint


class WholeFiles(LocalBackend):
    """mmengine's local files, written by :func:`write_whole`, removed when asked to."""

    def __init__(self) -> None:
        self._outdated: Optional[List[Tuple[str, int]]] = None

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Writes a file."""
        write_whole(filepath, obj)

    def remove(self, filepath: Union[str, Path]) -> None:
        """Removes a file, but inside :meth:`removing_last` at the end of that."""
        if self._outdated is None:
            super().remove(filepath)
        else:
            self._outdated.append((str(filepath), os.stat(filepath).st_ino))

    @contextlib.contextmanager
    def removing_last(self) -> Iterator[None]:
        """Removes nothing before what replaces it is written."""
        self._outdated, outer = [], self._outdated
        try:
            yield
        finally:
            outdated, self._outdated = self._outdated, outer
        for path, inode in outdated:
            if os.stat(path).st_ino == inode:  # not written anew meanwhile
                self.remove(path)


BACKEND = 'seam_seg.whole_files'
register_backend(BACKEND, WholeFiles, force=True)


def unwrapped(model: Any) -> Any:
    """The segmentor in the wrappers of a parallel training and of TTA."""
    while hasattr(model, 'module'):
        model = model.module
    return model


def check_weights(model: nn.Module, content: Any, name: Union[str, Path]) -> dict:
    """Compares a checkpoint with a model: all of it fits, or it is an error.

    mmengine warns about missing weights and goes on with random ones, which here would
    be a wrong result without a word.

    Args:
        model (nn.Module): the segmentor.
        content (Any): what was loaded.
        name (str | Path): of the checkpoint, for the message.

    Returns:
        dict: the weights, but for what the center loss may have learned, which is needed
        in training only.

    Raises:
        InputError: no checkpoint, one of another model, or one of a training that
            diverged.
    """
    weights = content.get('state_dict') if isinstance(content, dict) else None
    if not (
        isinstance(weights, dict)
        and isinstance(content.get('meta', {}), dict)
        and all(isinstance(value, torch.Tensor) for value in weights.values())
    ):
        raise InputError(f'checkpoint {name}: holds no weights (state_dict).')
    own, weights = (
        {key: value for key, value in part.items() if '.loss_center.' not in key}
        for part in (model.state_dict(), weights)
    )
    wrong = [
        *(f'{key} is missing' for key in own.keys() - weights.keys()),
        *(f'{key} is unknown' for key in weights.keys() - own.keys()),
        *(
            f'{key} has shape {tuple(weights[key].shape)}, not {tuple(own[key].shape)}'
            for key in own.keys() & weights.keys()
            if weights[key].shape != own[key].shape
        ),
    ]
    if wrong:
        raise InputError(
            f'checkpoint {name}: belongs to another model: {sorted(wrong)[0]} (one of '
            f'{len(wrong)} differences). Give the config it was trained with.'
        )
    infinite = [key for key, value in weights.items() if not value.isfinite().all()]
    if infinite:
        raise InputError(
            f'checkpoint {name}: {infinite[0]} is not finite: its training '
            'diverged. Train again, with a lower learning rate.'
        )
    return weights


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook``; a kill at any moment leaves a whole checkpoint.

    A checkpoint is written whole before the one that it replaces is removed (mmengine
    removes first), and beside the first best one, too, there is one to go on from. It
    holds tensors, numbers and strings alone, so that it can be read without running code:
    the history of the logged values is left out. It carries what prediction and testing
    need of the config, see :func:`carry`, and the digests of the images that it was
    trained on, with those that a checkpoint in ``load_from`` carries: a test of one of
    them says so. After a resume, the validation that a checkpoint may have missed is
    repeated, so that the best one is that of an uninterrupted training.

    Args:
        **kwargs: of mmengine's ``CheckpointHook``; local folders only.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(backend_args=dict(backend=BACKEND), **kwargs)
        # What mmengine's hook does not know it keeps for this, at the first checkpoint.
        inspect.signature(Runner.save_checkpoint).bind_partial(**self.args)
        self._seen: Set[str] = set()

    def before_run(self, runner: Runner) -> None:
        """Has other runners read safely too: mmseg's test.py heeds no ``runner_type``."""
        if not isinstance(runner, SafeRunner):
            guard_runner(runner)

    def before_train(self, runner: Runner) -> None:
        """Notes what is trained on, and clears what a killed training left behind."""
        super().before_train(runner)
        own = images_of(runner.train_loop.dataloader.dataset)
        new = sorted(own[key].name for key in own.keys() - self._seen)
        if runner._resume and self._seen and new:
            runner.logger.warning(
                f'{len(new)} of the {len(own)} training images, such as {new[0]}, were '
                'not among those that this training began with.'
            )
        self._seen.update(own)
        self._find_best(runner)
        if is_main_process():
            for path in Path(self.out_dir).glob(f'*{PARTIAL}'):
                path.unlink()
            # mmengine writes its note after the checkpoint, and others go by it.
            last = last_checkpoint(runner.work_dir)
            if last is not None:
                write_whole(last.with_name('last_checkpoint'), str(last))
        loop = runner.train_loop
        if loop.iter == 0 or self.by_epoch:
            return
        # Where it was resumed from, and what a new best score is written to.
        self.last_ckpt = self.file_backend.join_path(
            self.out_dir, self.filename_tmpl.format(loop.iter)
        )
        if (
            runner.val_loop is not None
            and loop.iter >= loop.val_begin
            and (loop.iter % loop.val_interval == 0 or loop.iter == loop.max_iters)
        ):
            runner.val_loop.run()

    def before_val(self, runner: Runner) -> None:
        """All processes score the network that is saved, that of the first.

        Where batch norm is not synchronised, as on CPUs, each has statistics of its own.
        """
        for buffer in unwrapped(runner.model).buffers():
            broadcast(buffer)

    def _find_best(self, runner: Runner) -> None:
        """Looks for the noted best checkpoint in the work dir, wherever it was written.

        mmengine notes whole paths. In a folder that was copied, the next better score
        would remove the best checkpoint of the other one; in one that was moved, it would
        leave the outdated one there.
        """
        noted = runner.message_hub.runtime_info
        for name in [key for key in noted if key.startswith('best_ckpt')]:
            path = Path(self.out_dir) / Path(str(noted[name])).name
            if path.is_file():
                runner.message_hub.update_info(name, str(path))
            else:  # of another training, as of one that load_from holds
                noted.pop(name)
                noted.pop(name.replace('ckpt', 'score'), None)
        if hasattr(self, 'best_ckpt_path'):  # of one score
            self.best_ckpt_path = noted.get('best_ckpt')
        for key in getattr(self, 'best_ckpt_path_dict', {}):
            self.best_ckpt_path_dict[key] = noted.get(f'best_ckpt_{key}')

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuses what would load in part only, and weights that mean something else.

        Warns where images are scored, or choose, that the weights have seen.

        Raises:
            InputError: the checkpoint does not fit; or what changes its masks is not in
                the config as it was in that of its training, in a resume or a test.
        """
        # What mmengine finds by itself, in a resume, has no name here.
        name = plain(runner._load_from or runner.work_dir)
        check_weights(unwrapped(runner.model), checkpoint, name)
        if runner._resume:
            held = {*checkpoint, *checkpoint.get('meta', {})}
            missing = {
                'epoch',
                'iter',
                'message_hub',
                'optimizer',
                'param_schedulers',
            } - held
            if missing:
                raise InputError(
                    f'checkpoint {name}: holds no {min(missing)}, so that no training '
                    'can go on from it. To start from its weights: --cfg-options '
                    f'load_from={name}, with another --work-dir.'
                )
        self._compare_configs(runner, checkpoint, name)
        self._seen = seen_by(checkpoint)
        for loop in (runner._test_loop, runner._val_loop):
            if isinstance(loop, BaseLoop):
                tell_seen(loop.dataloader.dataset, self._seen, name, runner.logger)

    @staticmethod
    def _compare_configs(runner: Runner, checkpoint: dict, name: str) -> None:
        """Whether the config means by the weights what that of their training did."""
        carried = carried_config(checkpoint)
        if carried is None:
            if not name.startswith(READY):
                runner.logger.warning(
                    f'checkpoint {name}: does not carry its config, so that nobody can '
                    f'check whether {config_name(runner.cfg)} is the one that it was '
                    'trained with.'
                )
            return
        found = differences(runner.cfg, carried)
        if not runner._resume and isinstance(runner._train_loop, BaseLoop):
            # Weights to start from: a preprocessing of its own is a training's right.
            network = (part for part in found if part.is_of_weights())
            for difference in network:
                runner.logger.warning(
                    f'{name} was trained otherwise than this training goes on: '
                    f'{difference}. Its weights fit, and mean something else.'
                )
            return
        for difference in found:
            raise InputError(
                f'config {config_name(runner.cfg)} and checkpoint {name} disagree: '
                f'{difference}. '
                + (
                    'Go on with the config and the options that it was begun with, or '
                    'train anew with another --work-dir.'
                    if runner._resume
                    else 'Give the config that it was trained with.'
                )
            )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Adds config and images seen, leaves out what is not plain, refuses bad weights.

        Raises:
            InputError: the training has diverged; an earlier checkpoint stays.
        """
        for key, value in checkpoint['state_dict'].items():
            if not value.isfinite().all():
                raise InputError(
                    f'the training diverged: {key} is not finite after '
                    f'{checkpoint["meta"]["iter"]} iterations. {self.out_dir} holds the '
                    'checkpoint before, if there is one. Train again, with a lower '
                    'learning rate (--cfg-options optim_wrapper.optimizer.lr=...).'
                )
        hub = checkpoint['message_hub']
        kept = {
            key: value.item() if hasattr(value, 'item') else value
            for key, value in hub['runtime_info'].items()
        }
        checkpoint['meta'][KEY] = {**carry(runner.cfg), SEEN: sorted(self._seen)}
        checkpoint['message_hub'] = dict(
            log_scalars={},
            runtime_info=kept,
            resumed_keys={
                key: hub['resumed_keys'][key]
                for key in kept
                if key in hub['resumed_keys']
            },
        )

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        with self.file_backend.removing_last():
            super()._save_checkpoint_with_step(runner, step, meta)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        with self.file_backend.removing_last():
            if self.save_best and self.last_ckpt is None and self.interval > 0:
                # mmengine writes one to go on from beside each best one but the first.
                step = runner.epoch if self.by_epoch else runner.iter
                meta = dict(epoch=runner.epoch, iter=runner.iter)
                self._save_checkpoint_with_step(runner, step, meta)
            super()._save_best_checkpoint(runner, metrics)


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Draws dropout, and whatever else, from the seed, the iteration and the process.

    Then it does not matter what was drawn before, as by a validation or by a training
    that was interrupted: no state of a generator need be kept in a checkpoint.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None
    ) -> None:
        """Seeds torch, NumPy and Python."""
        seed = derived_seed(runner.seed, runner.iter, get_rank())
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
