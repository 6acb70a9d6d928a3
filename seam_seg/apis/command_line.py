"""What the tools share: their options, and how they answer bad input."""

import argparse
import functools
import logging
import sys
from typing import Iterator, Optional, Protocol, Sequence

from mmengine.config import DictAction
from mmengine.utils import track_iter_progress

from ..errors import InputError


class Main(Protocol):
    """``main(argv)`` of a tool, which returns the exit status."""

    def __call__(self, argv: Optional[Sequence[str]] = None) -> int: ...


def progress(tasks: list) -> Iterator:
    """Wraps a list and shows a progress bar, away from what a tool prints."""
    try:
        yield from track_iter_progress(tasks, file=sys.stderr)
    except GeneratorExit:  # an error in between: its message starts a line
        print(file=sys.stderr)
        raise


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Adds the switch for checkpoints that hold more than weights."""
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='read a checkpoint even if that runs code which came with it',
    )


def run_parser(description: str, config_needed: bool = True) -> argparse.ArgumentParser:
    """The options that training and testing have in common.

    Args:
        description (str): of the tool.
        config_needed (bool): whether the config may not be left out. Default: True.

    Returns:
        ArgumentParser: with the config as its first argument.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        'config',
        nargs=None if config_needed else '?',
        help='path or name of a config'
        + ('' if config_needed else ' (default: the one that the checkpoint carries)'),
    )
    parser.add_argument('--data-root', help="data set, instead of the config's")
    parser.add_argument('--work-dir', help='folder for logs and results')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='overrides of the config, for example randomness.seed=1',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='pytorch with torchrun; also without a GPU',
    )
    add_trust(parser)
    return parser


def error_text(error: Exception) -> str:
    """The message of an error, without what a data loader's worker wraps around it."""
    return str(error).rsplit('InputError: ', 1)[-1].strip()


def report_errors(main: Main) -> Main:
    """Makes a tool's ``main(argv)`` print bad input as one line and return 2.

    Args:
        main (Callable): takes the arguments, returns the exit status.

    Returns:
        Callable: the same, without tracebacks for :class:`InputError`, for files that the
        system refuses, and for an interruption by the user (status 130). Whatever else is
        raised is a bug, and shows where.
    """

    @functools.wraps(main)
    def wrapper(argv: Optional[Sequence[str]] = None) -> int:
        # A log that cannot be written, as on a full disk, is not worth a traceback.
        logging.raiseExceptions = False
        try:
            return main(argv)
        except InputError as error:
            message = error_text(error)
        except OSError as error:
            message = (
                str(error)
                if error.filename is None
                else f'{error.filename}: {error.strerror}.'
            )
        except KeyboardInterrupt:
            print('interrupted', file=sys.stderr)
            return 130
        print(f'error: {message}', file=sys.stderr)
        return 2

    return wrapper
