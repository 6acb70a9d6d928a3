"""Times training steps of the demo, alone and beside jobs that fill cores.

One process for each way that threads may wait; they take turns, step by step. The jobs
are started here. Five minutes on two cores that do nothing else; rows of an earlier
measurement are replaced.
"""

import argparse
import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from seam_seg.apis.command_line import report_errors
from seam_seg.config_lookup import project_root
from seam_seg.datasets.phantom import write_phantom
from seam_seg.errors import InputError
from studies.records import add_out_argument, append_rows, make_rows

TORCH = 'as torch has it'
SETTINGS = {
    TORCH: {},
    'GOMP_SPINCOUNT=1000': dict(GOMP_SPINCOUNT='1000'),
    'GOMP_SPINCOUNT=100': dict(GOMP_SPINCOUNT='100'),  # of the tools beside others
    'OMP_WAIT_POLICY=passive': dict(OMP_WAIT_POLICY='passive'),
    'OMP_NUM_THREADS=1': dict(OMP_NUM_THREADS='1'),
}
ALONE, LOOP, LOOPS, TRAINING = JOBS = (
    'alone',
    'beside a busy loop',
    'beside two busy loops',
    'beside a training',  # whose threads wait as torch has it
)


def start_steps(data_root: str, **setting: str) -> subprocess.Popen:
    """A process of :mod:`studies.shared_machine.steps`, ready for its first step.

    Args:
        data_root (str): data set.
        setting (str): variables of its environment; no other one says how threads wait.

    Raises:
        InputError: it ended; what it said is on stderr.
    """
    env = {k: v for k, v in os.environ.items() if not k.startswith(('OMP_', 'GOMP_'))}
    process = subprocess.Popen(
        [sys.executable, '-m', 'studies.shared_machine.steps', data_root],
        env={**env, **setting},
        cwd=project_root(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    if not any(line == 'ready\n' for line in process.stdout):
        raise InputError('the process that takes training steps has ended; see above.')
    return process


def take_step(process: subprocess.Popen) -> float:
    """Seconds of one step."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write('\n')
    process.stdin.flush()
    return float(process.stdout.readline())


@contextlib.contextmanager
def running(*processes: subprocess.Popen) -> Iterator[None]:
    """Ends processes after the block."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def start_job(name: str, data_root: str) -> List[subprocess.Popen]:
    """The processes of a job of :data:`JOBS`, at work."""
    if name == TRAINING:
        training = start_steps(data_root)
        assert training.stdin is not None
        training.stdin.write('\n' * 10000)  # more steps than it has the time for
        training.stdin.flush()
        return [training]
    loop = [sys.executable, '-c', 'while True: pass']
    return [subprocess.Popen(loop) for _ in range({LOOP: 1, LOOPS: 2}.get(name, 0))]


def measure(data_root: str, rounds: int) -> Iterator[Tuple[str, Dict[str, List[float]]]]:
    """Times steps in every setting beside every job.

    Args:
        data_root (str): data set.
        rounds (int): steps in each.

    Yields:
        tuple[str, dict[str, list[float]]]: job, and setting -> seconds of each step.
    """
    with contextlib.ExitStack() as stack:
        workers = {}
        for name, setting in SETTINGS.items():
            workers[name] = start_steps(data_root, **setting)
            stack.enter_context(running(workers[name]))
        for job in JOBS:
            print(f'measuring: {job}', flush=True)
            times: Dict[str, List[float]] = {name: [] for name in workers}
            with running(*start_job(job, data_root)):
                for _ in range(rounds):
                    for name, worker in workers.items():
                        times[name].append(take_step(worker))
            yield job, times


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--rounds', type=int, default=10, help='steps in each setting (default: 10)'
    )
    parser.add_argument(
        '--data-root',
        default='data/shared_machine',
        help='where a phantom is made (default: data/shared_machine)',
    )
    add_out_argument(parser, __file__)
    args = parser.parse_args(argv)
    if args.rounds < 1:
        parser.error('--rounds: at least 1')
    write_phantom(args.data_root, 12, 2, seed=4, num_workers=2, overwrite=True)
    for job, times in measure(str(Path(args.data_root).resolve()), args.rounds):
        values = [
            dict(method=name, image=f'round {i}', score='seconds', value=value)
            for name, seconds in times.items()
            for i, value in enumerate(seconds)
        ]
        append_rows(args.out, make_rows(values, 'shared_machine', job))
    return 0


if __name__ == '__main__':
    sys.exit(main())
