"""Scores for Weights & Biases, and nothing else."""

from typing import Any, Optional, Union

import numpy as np
import torch
from mmengine.config import Config
from mmengine.visualization import WandbVisBackend
from mmengine.visualization.vis_backend import force_init_env
from mmseg.registry import VISBACKENDS

from ..errors import InputError


@VISBACKENDS.register_module()
class WandbScores(WandbVisBackend):
    """Sends numbers, by iteration, and the config.

    mmengine's own backend counts calls instead of iterations, and would also send the
    validation images, which may be of patients, and the Python files of the current
    folder.

    Args:
        save_dir (str): folder for what Weights & Biases writes.
        **kwargs: of mmengine's ``WandbVisBackend``.
    """

    def _init_env(self) -> None:
        """Begins a run; raises InputError with what wandb says against it."""
        try:
            super()._init_env()
        except Exception as error:
            if type(error).__module__.split('.')[0] != 'wandb':
                raise
            raise InputError(
                f'Weights & Biases: {" ".join(str(error).split())} Or set '
                'WANDB_MODE=offline, with which nothing is sent.'
            ) from error

    @force_init_env
    def add_config(self, config: Config, **kwargs: Any) -> None:
        """Sends the config."""
        self._wandb.config.update(config.to_dict(), allow_val_change=True)

    def add_graph(self, *args: Any, **kwargs: Any) -> None:
        """Sends no model."""

    def add_image(self, *args: Any, **kwargs: Any) -> None:
        """Sends no picture."""

    @force_init_env
    def add_scalar(
        self,
        name: str,
        value: Union[int, float, torch.Tensor, np.ndarray],
        step: int = 0,
        **kwargs: Any,
    ) -> None:
        """Sends a number."""
        self._wandb.log({name: value}, step=step)

    @force_init_env
    def add_scalars(
        self,
        scalar_dict: dict,
        step: int = 0,
        file_path: Optional[str] = None,
        **kwargs: Any,
    ) -> None:
        """Sends numbers, such as losses, scores and the learning rate."""
        self._wandb.log(dict(scalar_dict), step=step)

    def close(self) -> None:
        """Ends the run; mmengine's calls what newer versions of wandb have no more."""
        if hasattr(self, '_wandb'):
            self._wandb.finish()
