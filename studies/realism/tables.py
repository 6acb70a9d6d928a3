"""The tables of what phantom families look like beside published images."""

from pathlib import Path
from typing import List, NamedTuple, Tuple

from studies.blocks import number, origin, rows_of, table, value_of

NEWEST = ('standard', 'realistic', 'handheld', 'smoothed')


class Aim(NamedTuple):
    """A number of published images.

    Attributes:
        title: of its line.
        score, class_name: in the rows.
        published: as text: a range, or of one image alone.
        accepted: least and most that we take for met.
        form: of the numbers.
    """

    title: str
    score: str
    class_name: str
    published: str
    accepted: Tuple[float, float]
    form: str = '.1f'


# The shares, mean, deviation and cover are published of data sets, the differences of
# rows and columns, too; all others were measured by `--image` in the one public image.
AIMS = (
    Aim('mean grey level', 'mean', '', '74 to 76', (74, 76)),
    Aim('standard deviation', 'std', '', '84 to 85', (84, 85)),
    Aim('body, % of the frame', 'covers', '', 'about 57', (55.5, 58.5)),
    Aim('differences of rows', 'rows', '', 'about 10', (9, 11)),
    Aim('differences of columns', 'columns', '', 'about 4', (3.5, 4.5)),
    Aim('background, %', 'share', 'background', '78', (77, 79)),
    Aim('rib, %', 'share', 'rib', '6', (5.5, 6.5)),
    Aim('thoracic, %', 'share', 'thoracic', '7', (6.5, 7.5)),
    Aim('lumbar, %', 'share', 'lumbar', '9', (8.5, 9.5)),
    Aim('grey, first quarter', 'mean of the first quarter', '', '136', (121, 151)),
    Aim('grey, second quarter', 'mean of the second quarter', '', '175', (160, 190)),
    Aim('grey, third quarter', 'mean of the third quarter', '', '139', (124, 154)),
    Aim('grey, last quarter', 'mean of the last quarter', '', '85', (70, 100)),
    Aim('unevenness, 10 to 40 px', 'unevenness', '', '0.22', (0.19, 0.25), '.2f'),
    Aim('texture along 5 px', 'texture along 5 px', '', '0.37', (0.27, 0.47), '.2f'),
    Aim('texture across 1 row', 'texture across 1 row', '', '0.08', (0, 0.15), '.2f'),
    Aim('texture across 2 rows', 'texture across 2 rows', '', '0.17', (0.1, 0.25), '.2f'),
)


def statistics(folder: Path) -> str:
    """The families of the newest models beside what is published."""
    rows = rows_of(folder)
    lines = []
    for aim in AIMS:
        values = [
            value_of(rows[rows['setting'] == name], aim.score, class_name=aim.class_name)
            for name in NEWEST
        ]
        low, high = aim.accepted
        met = 'yes' if low <= values[NEWEST.index('realistic')] <= high else '**no**'
        cells = [number(value, aim.form) for value in values]
        wanted = f'{low:g} to {high:g}'
        lines.append([aim.title, aim.published, *cells[:2], wanted, met, *cells[2:]])
    own, other = (
        [f'`{name}`' for name in NEWEST[:2]],
        [f'`{name}`' for name in NEWEST[2:]],
    )
    titles = ['', 'published', *own, 'accepted', 'met', *other]
    return table(titles, lines) + origin(rows[rows['setting'].isin(NEWEST)])


def families(folder: Path) -> str:
    """Every preset and family, all numbers."""
    rows = rows_of(folder)
    names = list(dict.fromkeys(rows['setting']))
    lines: List[List[str]] = []
    for name in names:
        own = rows[rows['setting'] == name]
        values = [value_of(own, aim.score, class_name=aim.class_name) for aim in AIMS]
        cells = [number(value, aim.form) for value, aim in zip(values, AIMS)]
        lines.append([f'`{name}`', *cells])
    return table(['family', *(aim.title for aim in AIMS)], lines) + origin(rows)


BLOCKS = {'realism.statistics': statistics, 'realism.families': families}
PLOTS = {}
