"""What runs beside the model: hooks of mmengine's runner, and checkpoints."""

from .checkpoint import (
    IterationSeedHook,
    SafeCheckpointHook,
    check_weights,
    last_checkpoint,
    safe_loading,
)
from .hooks import OverlayHook, RuntimeHook, StyleImagesHook

__all__ = [
    'IterationSeedHook',
    'OverlayHook',
    'RuntimeHook',
    'SafeCheckpointHook',
    'StyleImagesHook',
    'check_weights',
    'last_checkpoint',
    'safe_loading',
]
