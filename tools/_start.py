"""How a tool starts: with its arguments, since what it imports then takes seconds."""

import argparse
import gc
import os
import sys
from typing import Callable, Optional, Sequence

from _threads import settle


def start(
    parse: Callable[[Optional[Sequence[str]]], argparse.Namespace],
    run: Callable[[argparse.Namespace], int],
    argv: Optional[Sequence[str]],
) -> int:
    """Parses arguments, settles how threads wait, and does what is asked for.

    Args:
        parse (Callable): takes the arguments, by Python's own library alone.
        run (Callable): takes what was parsed, imports what it needs, and returns the exit
            status.
        argv (Sequence[str], optional): arguments. None: those of the process.

    Returns:
        int: the exit status; 2 for bad input, 130 where a person has interrupted.
    """
    args = parse(argv)
    try:
        if 'torch' not in sys.modules:  # a process of its own
            settle(os.environ)
            _load()
        from seam_seg.apis.command_line import report_errors
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        return 130
    except ImportError as error:
        if error.name is not None:  # a module is missing where none is expected to
            raise
        print(f'error: {error}', file=sys.stderr)  # seam_seg.stack says what to install
        return 2
    return report_errors(lambda argv=None: run(args))(argv)


def _load() -> None:
    """Imports the package, and with it the stack, in half of the time.

    None of the hundreds of thousands of objects that are imported is garbage, but Python
    looks for it meanwhile, and again among all of them as the process ends.
    """
    gc.disable()
    try:
        import seam_seg  # noqa: F401
    finally:
        gc.freeze()
        gc.enable()
