"""What runs beside the model: hooks of mmengine's runner, and checkpoints."""

from .checkpoint import (
    IterationSeedHook,
    SafeCheckpointHook,
    check_weights,
    last_checkpoint,
    unwrapped,
)
from .config_check import build_runner, check_config
from .console import as_screen, shown, tool_command, unlogged
from .hooks import OverlayHook, RuntimeHook, StyleImagesHook
from .reading import read_checkpoint
from .runner import SafeRunner

__all__ = [
    'IterationSeedHook',
    'OverlayHook',
    'RuntimeHook',
    'SafeCheckpointHook',
    'SafeRunner',
    'StyleImagesHook',
    'as_screen',
    'build_runner',
    'check_config',
    'check_weights',
    'last_checkpoint',
    'read_checkpoint',
    'shown',
    'tool_command',
    'unlogged',
    'unwrapped',
]
