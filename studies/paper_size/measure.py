"""Trains a config, and keeps the course of its loss and Dice, its time and its memory.

A run that was cut off goes on from its last checkpoint.
"""

import argparse
import json
import platform
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
import torch

from seam_seg.apis import load_config
from seam_seg.apis.command_line import report_errors
from seam_seg.apis.costs import method_name
from seam_seg.apis.runs import set_amp, set_resume, train
from seam_seg.config_lookup import config_path
from seam_seg.errors import InputError
from studies.records import append_rows, make_rows
from studies.speed.train_memory import peak_bytes

LOG = '*/vis_data/scalars.json'


def read_log(work_dir: Path) -> List[Dict[str, Any]]:
    """The lines that mmengine has logged, also those of runs that were cut off.

    Args:
        work_dir (Path): of the training.

    Returns:
        list[dict]: in the order of their iterations, ``step``; of an iteration that two
        runs logged, what the later one did.

    Raises:
        InputError: nothing was logged there.
    """
    found = {}
    for path in sorted(work_dir.glob(LOG)):
        for line in path.read_text().splitlines():
            values = json.loads(line)
            found[values['step'], 'loss' in values] = values
    if not found:
        raise InputError(f'{work_dir}: no {LOG} there. Train first.')
    return [found[key] for key in sorted(found)]


def course(lines: Sequence[Dict[str, Any]]) -> List[dict]:
    """Values for rows: loss and Dice by iteration, and the time of an iteration.

    Args:
        lines (Sequence[dict]): of :func:`read_log`.

    Returns:
        list[dict]: ``loss`` (mean of the last ten iterations), ``mDice`` and ``Dice`` of
        each class in %, with ``image`` 'iteration N'; and medians over the lines but the
        first: ``seconds`` of an iteration, of which ``waiting`` for data, and
        ``peak_bytes`` of CUDA's allocator, without what cuDNN's search takes once.
    """
    values = []
    for line in lines:
        at = dict(image=f'iteration {line["step"]}')
        if 'loss' in line:
            values.append(dict(at, score='loss', value=line['loss']))
        for key in ('bone/mDice', *(key for key in line if key.startswith('bone/Dice.'))):
            score, _, name = key.rpartition('/')[2].partition('.')
            if key in line:
                values.append({**at, 'score': score, 'class': name, 'value': line[key]})
    steps = [line for line in lines if 'loss' in line][1:]
    for score, key, unit in (
        ('seconds', 'time', 1),
        ('waiting', 'data_time', 1),
        ('peak_bytes', 'memory', 2**20),  # mmengine measures anew for each line
    ):
        found = [unit * line[key] for line in steps if key in line]
        if found:
            values.append(dict(score=score, value=float(np.median(found))))
    return values


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='path or name')
    parser.add_argument('--data-root', required=True)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--amp', action='store_true', help='mixed precision (CUDA)')
    parser.add_argument('--work-dir', default='work_dirs/paper_size')
    parser.add_argument('--out', required=True, help='file of rows, which may exist')
    args = parser.parse_args(argv)
    work_dir = Path(args.work_dir) / f'{config_path(args.config).stem}_seed{args.seed}'
    options = {'randomness.seed': args.seed}
    cfg = load_config(args.config, options, args.data_root, str(work_dir))
    set_resume(cfg)
    if args.amp:
        set_amp(cfg)
    train(cfg)
    cuda = torch.cuda.is_available()
    device = torch.cuda.get_device_name() if cuda else f'{platform.machine()} CPU'
    threads = '' if cuda else f', {torch.get_num_threads()} thread(s)'
    batch = cfg.train_dataloader.batch_size
    setting = f'{device}{threads}, batch {batch}{", AMP" * args.amp}'
    values = course(read_log(work_dir))
    if not cuda:
        values.append(dict(score='peak_bytes', value=peak_bytes('cpu')))
    method = method_name(args.config)
    append_rows(args.out, make_rows(values, 'paper_size', setting, method, args.seed))
    return 0


if __name__ == '__main__':
    sys.exit(main())
