"""The ready weights: a small SEAM model trained on phantoms (README.md: its card)."""

from pathlib import Path
from typing import Optional

from mmengine.runner import CheckpointLoader

from ..engine.reading import READY, read_checkpoint
from ..errors import InputError

READY_WEIGHTS = Path(__file__).with_name('seam-keymass-votes_r18-fpn.pth')
READY_URL = f'{READY}ready'  # in configs: load_from


@CheckpointLoader.register_scheme(prefixes=READY)
def load_ready(filename: str, map_location: Optional[str] = None) -> dict:
    """Finds the ready weights for ``load_from`` from any folder, also in a wheel.

    Args:
        filename (str): :data:`READY_URL`.
        map_location (str, optional): as in ``torch.load``.

    Returns:
        dict: the checkpoint.

    Raises:
        InputError: another name.
    """
    if filename != READY_URL:
        raise InputError(f'{filename}: the package ships one checkpoint, {READY_URL}.')
    return read_checkpoint(READY_WEIGHTS, map_location=map_location)
