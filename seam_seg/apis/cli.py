"""How the tools answer bad input: one line, and an exit status."""
import functools
import sys
from typing import Callable, Optional, Sequence

from ..errors import InputError

Main = Callable[[Optional[Sequence[str]]], int]


def error_text(error: Exception) -> str:
    """The message of an error, without what a data loader's worker wraps around it."""
    return str(error).rsplit('InputError: ', 1)[-1].strip()


def report_errors(main: Main) -> Main:
    """Makes a tool's ``main(argv)`` print bad input as one line and return 2.

    Args:
        main (Callable): takes the arguments, returns the exit status.

    Returns:
        Callable: the same, without tracebacks for :class:`InputError`, for files that
        the system refuses, and for an interruption by the user (status 130).
    """

    @functools.wraps(main)
    def wrapper(argv: Optional[Sequence[str]] = None) -> int:
        try:
            return main(argv)
        except InputError as error:
            message = error_text(error)
        except OSError as error:
            if error.filename is None:
                raise
            message = f'{error.filename}: {error.strerror}.'
        except KeyboardInterrupt:
            print('interrupted', file=sys.stderr)
            return 130
        print(f'error: {message}', file=sys.stderr)
        return 2

    return wrapper
