"""What runs beside the model: hooks of mmengine's runner, and checkpoints."""

from .checkpoint import IterationSeedHook, SafeCheckpointHook, check_weights, unwrapped
from .config_check import build_runner, check_config
from .hooks import OverlayHook, RuntimeHook, StyleImagesHook
from .reading import read_checkpoint
from .runner import SafeRunner
from .work_dir import any_checkpoint, check_unused, last_checkpoint

__all__ = [
    'IterationSeedHook',
    'OverlayHook',
    'RuntimeHook',
    'SafeCheckpointHook',
    'SafeRunner',
    'StyleImagesHook',
    'any_checkpoint',
    'build_runner',
    'check_config',
    'check_unused',
    'check_weights',
    'last_checkpoint',
    'read_checkpoint',
    'unwrapped',
]
