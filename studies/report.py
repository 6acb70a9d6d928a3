#!/usr/bin/env python
"""Makes every table and plot from the rows of the studies again.

A table stands in any Markdown file of the repository between two lines of their own,
`<!-- rows: NAME -->` and `<!-- end of rows -->`. What is between them is made from
studies/*/results.csv by the tables.py beside it, and is not edited by hand.
"""

import argparse
import functools
import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the studies are no package that is installed

from seam_seg.apis.command_line import report_errors  # noqa: E402
from seam_seg.atomic import write_whole  # noqa: E402
from seam_seg.errors import InputError  # noqa: E402
from studies.blocks import rows_of  # noqa: E402

BEGIN = re.compile(r'<!-- rows: (\S+) -->')
END = '<!-- end of rows -->'


def list_studies(root: Path) -> Dict[str, Path]:
    """The studies in a clone, by name: the folders that have rows."""
    return {
        path.parent.name: path.parent
        for path in sorted((root / 'studies').glob('*/results.csv'))
    }


def list_pages(root: Path) -> List[Path]:
    """The Markdown files of a clone; all files that end so where there is no git."""
    words = 'ls-files -z --cached --others --exclude-standard *.md'.split()
    listed = subprocess.run(['git', '-C', str(root), *words], capture_output=True)
    if listed.returncode:
        return sorted(root.rglob('*.md'))
    names = listed.stdout.decode().split('\0')
    return sorted({root / name for name in names if name and (root / name).is_file()})


def find_blocks(lines: Sequence[str]) -> List[Tuple[str, int, int]]:
    """The blocks of a page.

    Args:
        lines (Sequence[str]): of the page.

    Returns:
        list[tuple[str, int, int]]: name, and the lines that it begins and ends with.

    Raises:
        InputError: a block that does not end, or an end without a block.
    """
    blocks: List[Tuple[str, int, int]] = []
    name, first = None, 0
    for i, line in enumerate(lines):
        begin = BEGIN.fullmatch(line)
        if begin and name is None:
            name, first = begin[1], i
        elif line == END and name is not None:
            blocks.append((name, first, i))
            name = None
        elif begin or line == END:
            raise InputError(f'line {i + 1}: a block in a block, or an end without one')
    if name is not None:
        raise InputError(f'line {first + 1}: block {name} does not end with {END}')
    return blocks


def check_rows(folder: Path) -> None:
    """Refuses rows that are malformed, or of another study."""
    strangers = set(rows_of(folder)['study']) - {folder.name}
    if strangers:
        raise InputError(
            f'{folder / "results.csv"}: has rows of the study {min(strangers)!r}.'
        )


def report(root: Path, names: Sequence[str] = (), check: bool = False) -> Iterator[str]:
    """Makes tables and plots, or says which ones differ.

    Args:
        root (Path): of a clone.
        names (Sequence[str]): studies. Default: all.
        check (bool): writes nothing, and draws nothing. Default: False.

    Yields:
        str: a fault, with the file and the block that has it.
    """
    studies = list_studies(root)
    for name in names:
        if name not in studies:
            raise InputError(f'{name}: no study. There are {", ".join(studies)}.')
    makers: Dict[str, Optional[Callable[[], str]]] = {}
    for study, folder in studies.items():
        # BLOCKS and PLOTS: functions of the study's folder
        tables = importlib.import_module(f'studies.{study}.tables')
        wanted = not names or study in names
        for name, function in tables.BLOCKS.items():
            makers[name] = functools.partial(function, folder) if wanted else None
        if not wanted:
            continue
        try:
            check_rows(folder)
            for file, draw in () if check else tables.PLOTS.items():
                draw(folder, folder / file)
        except InputError as error:
            yield str(error)
    for page in list_pages(root):
        text = page.read_text(encoding='utf-8')
        lines = text.split('\n')
        try:
            blocks = find_blocks(lines)
        except InputError as error:
            yield f'{page.relative_to(root)}: {error}'
            continue
        for name, first, last in reversed(blocks):
            where = f'{page.relative_to(root)}: block {name}'
            if name not in makers:
                yield f'{where}: there is no such block'
            elif makers[name] is not None:
                try:
                    made = ['', *makers[name]().split('\n'), '']
                except InputError as error:
                    yield f'{where}: {error}'
                    continue
                if check and made != lines[first + 1 : last]:
                    yield f'{where}: differs from what the rows give'
                lines[first + 1 : last] = made
        if not check and '\n'.join(lines) != text:
            write_whole(page, '\n'.join(lines))


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('names', nargs='*', metavar='NAME', help='studies (default: all)')
    parser.add_argument(
        '--check',
        action='store_true',
        help='only says which tables differ from the rows (the plots are not compared)',
    )
    parser.add_argument('--root', type=Path, default=ROOT, help='of a clone')
    args = parser.parse_args(argv)
    faults = list(report(args.root.resolve(), args.names, args.check))
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults and args.check:
        print('Where rows are right, run: python studies/report.py', file=sys.stderr)
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
