"""Appending rows to the results of a study, or from the files of tools/test.py.

`python -m studies.records TEST.csv --out FILE --study NAME ...` takes up one test, as of
`make demo`; what tools/benchmark.py trains it takes up itself.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Iterable, Optional, Sequence, Union

import numpy as np
import pandas as pd

from seam_seg.apis.command_line import report_errors
from seam_seg.apis.trainings import COMMIT
from seam_seg.config_lookup import config_path
from seam_seg.engine import last_checkpoint
from seam_seg.errors import InputError
from seam_seg.evaluation.rows import (
    COLUMNS,
    merge_rows,
    read_rows,
    rows_of_tests,
    write_rows,
)


def commit() -> str:
    """The commit of the clone, with ``-dirty`` where its code is no longer that."""
    return subprocess.check_output(COMMIT, shell=True, text=True).strip()


def make_rows(
    values: Iterable[dict], study: str, setting: str, method: str = '', seed: int = 0
) -> pd.DataFrame:
    """Rows of one run.

    Args:
        values (Iterable[dict]): ``score`` and ``value``, with ``image``, ``class`` or
            another ``method`` where the number is of one; what is not finite is left out.
        study (str): and the others: see :data:`seam_seg.evaluation.rows.COLUMNS`.

    Returns:
        pd.DataFrame: with all columns, of the current commit.
    """
    shared = {'study': study, 'setting': setting, 'method': method, 'seed': seed}
    shared.update({'image': '', 'class': '', 'commit': commit()})
    rows = pd.DataFrame([{**shared, **value} for value in values], columns=list(COLUMNS))
    return rows[np.isfinite(rows['value'].astype(float))].reset_index(drop=True)


def append_rows(path: Union[str, Path], rows: pd.DataFrame, whole: bool = True) -> None:
    """Adds rows to a file, which may not be there yet.

    Args:
        path (str | Path): the file.
        rows (pd.DataFrame): they take the place of earlier ones.
        whole (bool): of all rows of the same runs; otherwise only of the same numbers,
            as where a trained model is looked into. Default: True.

    Raises:
        InputError: what is there is no file of rows.
    """
    if Path(path).exists():
        old = read_rows(path)
        if whole:
            rows = merge_rows(old, rows)
        else:
            rows = pd.concat([old, rows], ignore_index=True)
            rows = rows.drop_duplicates(list(COLUMNS[:7]), keep='last')
    write_rows(path, rows)


def add_out_argument(parser: argparse.ArgumentParser, module: str) -> None:
    """Adds the option that says where rows go: beside the module, or elsewhere.

    Args:
        parser (argparse.ArgumentParser): of a study's command.
        module (str): its ``__file__``.
    """
    parser.add_argument(
        '--out',
        type=Path,
        default=Path(module).with_name('results.csv'),
        metavar='FILE',
        help='file of rows that is added to (default: that of the study)',
    )


def trained_weights(config: str, work_dir: Union[str, Path], seed: int) -> Path:
    """The last checkpoint of a run of tools/benchmark.py.

    Args:
        config (str): path or name.
        work_dir (str | Path): that of the benchmark.
        seed (int): of the run.

    Raises:
        InputError: there is none.
    """
    folder = Path(work_dir) / f'{config_path(config).stem}_seed{seed}'
    last = last_checkpoint(folder)
    if last is None:
        raise InputError(
            f'{folder}: no checkpoint. Run tools/benchmark.py with this config and seed.'
        )
    return Path(last)


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('test', help='WORK_DIR/test/dice_jaccard.csv')
    parser.add_argument('--out', required=True, help='file of rows, which may exist')
    parser.add_argument('--study', required=True)
    parser.add_argument('--setting', required=True)
    parser.add_argument('--method', required=True)
    parser.add_argument('--seed', type=int, default=0, help='of the training')
    args = parser.parse_args(argv)
    append_rows(
        args.out,
        rows_of_tests(
            [args.test], args.study, args.setting, args.method, args.seed, commit()
        ),
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
