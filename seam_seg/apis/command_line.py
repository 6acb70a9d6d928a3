"""What the tools share: their options, and how they answer bad input."""

import _thread
import argparse
import ast
import functools
import logging
import os
import signal
import sys
import threading
from typing import Any, Iterator, Optional, Protocol, Sequence

from mmengine.config import DictAction
from mmengine.dist import get_world_size
from mmengine.utils import track_iter_progress

from ..engine import shown, tool_command
from ..errors import InputError, Interrupted


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


# Raised by mmengine's and by Python's parser.
UNREADABLE = (AssertionError, RecursionError, SyntaxError, TypeError, ValueError)


class _PlainDicts(ast.NodeTransformer):
    """Writes ``dict(a=1)`` as ``{'a': 1}``, which is a literal."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        keys = [keyword.arg for keyword in node.keywords]
        if getattr(node.func, 'id', None) != 'dict' or node.args or None in keys:
            return node  # no literal
        values = [self.visit(keyword.value) for keyword in node.keywords]
        return ast.Dict(keys=[ast.Constant(key) for key in keys], values=values)


class ConfigOptions(DictAction):
    """mmengine's ``KEY=VALUE``, where a value may be a dict or a list of dicts, too.

    Those are written as in a config: ``key=[dict(type='A'), dict(type='B')]``. mmengine
    takes them for strings, or calls itself until Python stops it. Nothing is evaluated.
    Text keeps its blanks.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: Optional[str] = None,
    ) -> None:
        """Adds options to those that the namespace has.

        Raises:
            InputError: one cannot be read.
        """
        for item in values:
            key, _, value = item.partition('=')
            value = value.strip()
            opens = value.startswith(('[', '(', '{', 'dict('))
            try:
                if opens and ('{' in value or 'dict(' in value):
                    tree = _PlainDicts().visit(ast.parse(value, mode='eval'))
                    options = dict(getattr(namespace, self.dest) or {})
                    options[key] = ast.literal_eval(tree)
                    setattr(namespace, self.dest, options)
                elif ' ' in value and not opens and ',' not in value:
                    options = dict(getattr(namespace, self.dest) or {})
                    options[key] = value  # mmengine would take the blanks away
                    setattr(namespace, self.dest, options)
                else:
                    super().__call__(parser, namespace, [item], option_string)
            except UNREADABLE as error:
                raise InputError(
                    f'{option_string} {item}: cannot be read. Write KEY=VALUE, between '
                    'quotes where it holds brackets, and dicts as in a config: '
                    f'"{key}=[dict(type=\'...\')]"'
                ) from error


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Adds the switch for checkpoints that hold more than weights."""
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='read a checkpoint even if that runs code which came with it',
    )


def add_subjects(parser: argparse.ArgumentParser) -> None:
    """Adds the two ways to say whose the cases of a data set are."""
    parser.add_argument(
        '--subject-pattern',
        metavar='REGEX',
        help='its first group, searched in the name of a case, is the subject, whose '
        'cases stay together (default: each case is a subject, or of the one that '
        'prepared.csv names; names that look otherwise are pointed out)',
    )
    parser.add_argument(
        '--one-scan-per-subject',
        action='store_true',
        help='each case is a subject, whatever its name looks like',
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
        action=ConfigOptions,
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


def _hear_interruptions() -> None:
    """Has Ctrl-C, which the terminal sends to all processes, reach this one, and always.

    The workers of a data loader would print tracebacks of their own; they end with this
    process. And Python drops what is raised in a callback, as while it starts a worker.
    """
    if hasattr(os, 'register_at_fork'):
        os.register_at_fork(
            after_in_child=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
        )
    report = sys.unraisablehook

    def say_again(dropped: Any) -> None:
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            threading.Timer(0.1, _thread.interrupt_main).start()
        else:
            report(dropped)

    sys.unraisablehook = say_again


def way_on(stop: KeyboardInterrupt, argv: Optional[Sequence[str]]) -> str:
    """What to do after an interruption, to follow the word.

    Args:
        stop (KeyboardInterrupt): what was raised.
        argv (Sequence[str], optional): of the tool. Default: None, those of the process.

    Returns:
        str: of a training, whether and how it goes on; else nothing.
    """
    if not isinstance(stop, Interrupted):
        return ''
    if stop.checkpoint is None:
        return ': nothing was saved yet'
    text = f': --resume goes on from {shown(stop.checkpoint)}'
    if get_world_size() > 1:
        return text
    words = [*(sys.argv[1:] if argv is None else argv)]
    words += [] if '--resume' in words else ['--resume']
    return f'{text}\n    {tool_command("train", *words)}'


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
        if argv is None:  # a process of its own
            _hear_interruptions()
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
        except KeyboardInterrupt as stop:
            if argv is None:
                # A second one ends it at once; what is half built has nothing to say.
                signal.signal(signal.SIGINT, signal.SIG_DFL)
                sys.unraisablehook = lambda dropped: None
            print(f'interrupted{way_on(stop, argv)}', file=sys.stderr)
            return 130
        print(f'error: {message}', file=sys.stderr)
        return 2

    return wrapper
