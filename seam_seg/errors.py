"""The one exception that means 'the input is wrong', as opposed to a bug."""


class InputError(ValueError):
    """Bad input from a person: a file, a folder, a config or an option.

    The message is one sentence or two that name the file, what is wrong and what
    to do. The tools print it without a traceback and exit with status 2.
    """
