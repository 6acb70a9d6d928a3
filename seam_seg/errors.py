"""The exceptions that are a person's doing, as opposed to a bug."""

from pathlib import Path
from typing import Optional


class InputError(ValueError):
    """Bad input from a person: a file, a folder, a config or an option.

    The message is one sentence or two that name the file, what is wrong and what
    to do. The tools print it without a traceback and exit with status 2.
    """


class Interrupted(KeyboardInterrupt):
    """A training that a person stopped.

    Args:
        checkpoint (Path, optional): that the training can go on from. Default: None,
            where it had saved none yet.
    """

    def __init__(self, checkpoint: Optional[Path] = None) -> None:
        super().__init__(checkpoint)
        self.checkpoint = checkpoint
