"""What runs beside the model: hooks of mmengine's runner, and checkpoints."""

from .agreement import differences
from .carried_config import carried_config, carry, config_name, own_config
from .checkpoint import IterationSeedHook, SafeCheckpointHook, check_weights, unwrapped
from .config_check import build_runner, check_config
from .console import as_screen, shown, tool_command, unlogged, with_commands
from .hooks import OverlayHook, RuntimeHook, StyleImagesHook
from .reading import read_checkpoint
from .runner import SafeRunner
from .seen import seen_by, tell_seen
from .wandb_scores import WandbScores
from .work_dir import any_checkpoint, check_unused, default_work_dir, last_checkpoint

__all__ = [
    'IterationSeedHook',
    'OverlayHook',
    'RuntimeHook',
    'SafeCheckpointHook',
    'SafeRunner',
    'StyleImagesHook',
    'WandbScores',
    'any_checkpoint',
    'as_screen',
    'build_runner',
    'carried_config',
    'carry',
    'check_config',
    'check_unused',
    'check_weights',
    'config_name',
    'default_work_dir',
    'differences',
    'last_checkpoint',
    'own_config',
    'read_checkpoint',
    'seen_by',
    'shown',
    'tell_seen',
    'tool_command',
    'unlogged',
    'unwrapped',
    'with_commands',
]
