"""What else the machine does while times are taken."""

import math
import multiprocessing
import os
import time
from pathlib import Path
from typing import Optional, Tuple

PROC = Path('/proc')
NOTICED = 0.1  # of the cores; less than that a system does by itself


class OtherWork:
    """How many cores other processes keep busy, from when this is made on.

    Of the cores that this process may use. Linux counts the time of each; what this
    process and those that it started with multiprocessing, as data loaders do, took of
    it is not the others'. What a hypervisor takes for another machine is. GPUs are not
    looked at.
    """

    def __init__(self) -> None:
        self._before = _counters()

    def cores(self) -> float:
        """Cores that were busy with other work on average; nan where nobody counts."""
        after = _counters()
        if self._before is None or after is None:
            return math.nan
        seconds, busy, own = (new - old for new, old in zip(after, self._before))
        return max(0.0, (busy - own) / seconds)


def busy_warning(cores: float) -> Optional[str]:
    """What to say of times that were taken beside other work.

    Args:
        cores (float): of :meth:`OtherWork.cores`.

    Returns:
        str | None: a clause; None where it was little, or is unknown.
    """
    if math.isnan(cores) or cores < NOTICED * len(os.sched_getaffinity(0)):
        return None
    return (
        f'other work kept {cores:.1f} of {len(os.sched_getaffinity(0))} cores busy '
        'meanwhile: these times are not to be trusted'
    )


def _counters() -> Optional[Tuple[float, float, float]]:
    """Seconds: now, those that the cores were busy for, and those of them for us."""
    try:
        lines = (PROC / 'stat').read_text().splitlines()
    except OSError:  # not Linux
        return None
    cores = {f'cpu{number}' for number in os.sched_getaffinity(0)}
    ticks = 0
    for name, *counts in map(str.split, lines):
        if name in cores:  # user, nice, system, idle, iowait, irq, softirq, steal, ...
            ticks += sum(map(int, counts[:3])) + sum(map(int, counts[5:8]))
    own = sum(os.times()[:4])  # with the children that have ended
    tick = 1 / os.sysconf('SC_CLK_TCK')
    for child in multiprocessing.active_children():
        try:
            stat = (PROC / str(child.pid) / 'stat').read_text()
        except OSError:  # it has just ended
            continue
        own += tick * sum(map(int, stat.rpartition(')')[2].split()[11:13]))
    return time.perf_counter(), tick * ticks, own
