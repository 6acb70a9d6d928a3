"""What the tools share once they have started: how they answer bad input."""

import _thread
import argparse
import ast
import functools
import logging
import os
import signal
import sys
import threading
from typing import Any, Dict, Iterable, Iterator, Optional, Protocol, Sequence

from mmengine.config import DictAction
from mmengine.dist import get_world_size
from mmengine.utils import track_iter_progress

from ..engine import shown, tool_command, with_commands
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


def read_overrides(items: Iterable[str]) -> Dict[str, Any]:
    """Reads ``KEY=VALUE`` as mmengine does, where a value may be or hold dicts, too.

    Those are written as in a config: ``key=[dict(type='A'), dict(type='B')]``. mmengine
    takes them for strings, or calls itself until Python stops it. Nothing is evaluated.
    Text keeps its blanks.

    Args:
        items (Iterable[str]): what follows ``--cfg-options``.

    Returns:
        dict[str, Any]: dotted keys and values.

    Raises:
        InputError: one cannot be read.
    """
    found: Dict[str, Any] = {}
    parser = argparse.ArgumentParser()
    parser.add_argument('items', nargs='+', action=DictAction)
    for item in items:
        key, _, value = item.partition('=')
        value = value.strip()
        opens = value.startswith(('[', '(', '{', 'dict('))
        try:
            if opens and ('{' in value or 'dict(' in value):
                tree = _PlainDicts().visit(ast.parse(value, mode='eval'))
                found[key] = ast.literal_eval(tree)
            elif ' ' in value and not opens and ',' not in value:
                found[key] = value  # mmengine would take the blanks away
            else:
                found.update(parser.parse_args(['--', item]).items)
        except UNREADABLE as error:
            raise InputError(
                f'--cfg-options {item}: cannot be read. Write KEY=VALUE, between '
                'quotes where it holds brackets, and dicts as in a config: '
                f'"{key}=[dict(type=\'...\')]"'
            ) from error
    return found


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
        print(f'error: {with_commands(message)}', file=sys.stderr)
        return 2

    return wrapper
