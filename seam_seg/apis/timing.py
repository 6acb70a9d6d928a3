"""Times that can be compared, on a machine that does other things too."""

from typing import Callable, Dict, List

from ..engine.hooks import clock


def take_turns(
    actions: Dict[str, Callable[[], object]], rounds: int
) -> Dict[str, List[float]]:
    """Times actions in turns, so that what else the machine does hits all of them alike.

    Args:
        actions (dict[str, Callable]): by name.
        rounds (int): of each action, after two that warm up.

    Returns:
        dict[str, list[float]]: seconds; the i-th of all actions were measured together.
    """
    times: Dict[str, List[float]] = {name: [] for name in actions}
    for i in range(rounds + 2):
        for name, action in actions.items():
            start = clock()
            action()
            if i >= 2:
                times[name].append(clock() - start)
    return times
