"""How threads wait for each other; every tool settles it before it loads torch.

Between two steps of a computation torch's threads wait by spinning, as GNU's OpenMP has
it, for milliseconds. On a machine of one's own nothing is faster. Where another job holds
one of the cores, the thread that is waited for has none, since the others spin on theirs:
a training step can take ten times as long. So where others are at work as a tool starts,
its threads go to sleep almost at once (``studies/shared_machine``). Unlike another number
of threads, this changes no bit of a result.

OpenMP reads this once, when torch is loaded, and ``import seam_seg`` loads torch: hence a
module beside the tools, for ``_start.py``. Whoever has said how threads shall wait is
left alone.
"""

import os
import time
from typing import MutableMapping

SPINS = '100'
SHARED = 0.5  # cores in use by others from which on a machine is shared
SECONDS = 0.1  # ten ticks of Linux's clock


def idle_seconds(stat: str = '/proc/stat') -> float:
    """Seconds for which the cores that this process may use had nothing to do.

    Args:
        stat (str): Linux's file of counts.

    Raises:
        OSError, AttributeError: this is not Linux.
    """
    cores = {f'cpu{number}' for number in os.sched_getaffinity(0)}
    with open(stat) as file:
        lines = [line.split() for line in file]
    idle = sum(
        int(counts[3]) + int(counts[4]) for name, *counts in lines if name in cores
    )
    return idle / os.sysconf('SC_CLK_TCK')


def busy_cores() -> float:
    """Cores that others keep busy while this process sleeps; 0 where nobody counts."""
    try:
        before, start = idle_seconds(), time.perf_counter()
        time.sleep(SECONDS)
        idle = (idle_seconds() - before) / (time.perf_counter() - start)
        return len(os.sched_getaffinity(0)) - idle
    except (OSError, AttributeError):
        return 0.0


def settle(environ: MutableMapping[str, str]) -> None:
    """Says how threads wait on a shared machine, where nobody has."""
    if 'OMP_WAIT_POLICY' in environ or 'GOMP_SPINCOUNT' in environ:
        return
    if busy_cores() > SHARED:
        environ['GOMP_SPINCOUNT'] = SPINS
