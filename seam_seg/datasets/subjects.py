"""Who a case is of: no subject may stand on two sides of a split."""

import re
from typing import Optional

from ..errors import InputError


def subject_of(name: str, pattern: Optional[str], option: str) -> str:
    """The subject of a case.

    Args:
        name (str): of the case.
        pattern (str, optional): regular expression whose first group, searched in the
            name, is the subject. None: each case is a subject.
        option (str): of the tool that takes the pattern, for the messages.

    Returns:
        str: the subject.

    Raises:
        InputError: the pattern is none, has no group, or finds nothing in the name.
    """
    if pattern is None:
        return name
    try:
        found = re.search(pattern, name)
    except re.error as error:
        raise InputError(
            f'{option} {pattern}: no regular expression ({error}).'
        ) from None
    if found is not None and not found.re.groups:
        raise InputError(
            f'{option} {pattern}: has no group. Put the part that is the subject '
            r"into parentheses, as in '^(.+)_scan\d+$'."
        )
    if found is None or not found.group(1):
        raise InputError(
            f'{name}: {option} {pattern} finds no subject in this name. Correct the '
            'pattern or rename the file.'
        )
    return found.group(1)
