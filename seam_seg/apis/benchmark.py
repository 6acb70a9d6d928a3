"""The paper's Table 1 from rows of scores: tables, comparison and figures."""

from pathlib import Path
from typing import Mapping, Optional, Tuple

import matplotlib
import numpy as np
import pandas as pd

from ..atomic import write_figure, write_whole
from ..evaluation.rows import cell, classes_of, commits_of, mean_scores
from .comparison import Contrasts, compare, comparison_table

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402

UNITS = dict(Dice='D (%)', Jaccard='J (%)')
DISTANCES = dict(mHD95='HD95 (px)', mASSD='ASSD (px)')
KINDS = ('.png', '.pdf', '.svg')  # to look at, and two to print
NOTE = 'Points of Dice; above 0, the first of the two is ahead.'
INTERVALS = (
    ' Seeds and {} are crossed random effects. p is corrected for the number of '
    'contrasts, the intervals are not.'
)
GROUPED = (
    ' Images of one subject are averaged first, since they are not independent: here '
    'each subject counts the same, in Ave. each image.'
)
NO_INTERVALS = ' Intervals need two seeds, and images of two subjects.'
LACKING = (
    ' Some images lack a class: compared is the average of an image over the classes '
    'that it has, while Ave. is the average over the classes of their means.'
)
EFFECT = (
    ' Effect: higher or lower where the whole interval is beyond {0:g} points and p is '
    'below 0.05, smaller than matters where all of the interval is within, not higher or '
    'not lower where it is within on that side.'
)


def make_table(rows: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """A row for each method in the paper's form, cells as text.

    Args:
        rows (pd.DataFrame): of one study and setting, the methods in their order.
        costs (pd.DataFrame): rows of :func:`~seam_seg.evaluation.rows.rows_of_costs`.

    Returns:
        pd.DataFrame: mean and standard deviation over the seeds of the scores; where
        distances were taken, images times classes without one, a seed on average, since
        one of the masks lacks the class; R, parameters and FLOPs. '-' where a method has
        no such score.
    """
    scores = mean_scores(rows)
    images = rows[rows['image'] != '']
    classes = classes_of(rows[rows['score'] == 'Dice'])
    titles = {
        f'{score}.{name}': f'{name.capitalize()} {unit}'
        for name in classes
        for score, unit in UNITS.items()
    }
    titles.update({f'm{score}': f'Ave. {unit}' for score, unit in UNITS.items()})
    titles.update(DISTANCES)
    titles = {key: title for key, title in titles.items() if key in scores}
    cost = costs.pivot_table('value', 'method', 'score', aggfunc='median')
    table = []
    for name in rows['method'].unique():
        own = scores.loc[name]
        line = dict(Method=name, Seeds=len(own))
        line.update({title: cell(own[key]) for key, title in titles.items()})
        if 'mHD95' in scores:
            part = images[images['method'] == name]
            missed = (
                part['image'].nunique() * len(classes) * len(own)
                - (part['score'] == 'HD95').sum()
            )
            line['Without distance'] = f'{missed / len(own):.1f}'
        line['R (s)'] = f'{cost.loc[name, "seconds"]:.3f}'
        line['Params (M)'] = f'{cost.loc[name, "parameters"] / 1e6:.2f}'
        line['FLOPs (G)'] = f'{cost.loc[name, "flops"] / 1e9:.2f}'
        table.append(line)
    return pd.DataFrame(table)


def short_table(rows: pd.DataFrame, costs: pd.DataFrame) -> Tuple[pd.DataFrame, ...]:
    """The table that fits the page of a paper: overlaps of the classes, averages, R.

    Args:
        rows (pd.DataFrame): as for :func:`make_table`.
        costs (pd.DataFrame): likewise.

    Returns:
        tuple[pd.DataFrame, pd.DataFrame]: a row for each method and a column for each
        pair of class and score, means over the seeds as text, of the average Dice with
        its standard deviation; and True where a cell is the best score of its column as
        it is printed, if there is more than one method.
    """
    scores = mean_scores(rows)
    names = classes_of(rows[rows['score'] == 'Dice'])
    keys = {
        (name.capitalize(), score[0]): f'{score}.{name}'
        for name in names
        for score in UNITS
    }
    keys.update({('Ave.', score[0]): f'm{score}' for score in UNITS})
    keys = {title: key for title, key in keys.items() if key in scores}
    means = scores[list(keys.values())].groupby('method', sort=False)
    means = means.agg(lambda own: own.mean(skipna=False))
    means.columns = pd.MultiIndex.from_tuples(keys)
    table = means.apply(lambda column: column.map('{:.1f}'.format))
    printed = table.astype(float)
    best = printed.eq(printed.max()) & (len(printed) > 1)
    table = table.mask(means.isna(), '-')
    table['Ave.', 'D'] = [
        cell(scores.loc[name, 'mDice'], digits=1) for name in table.index
    ]
    cost = costs.pivot_table('value', 'method', 'score', aggfunc='median')
    table['', 'R (s)'] = [f'{cost.loc[name, "seconds"]:.3f}' for name in table.index]
    return table, best.reindex(columns=table.columns, fill_value=False)


def short_markdown(table: pd.DataFrame, best: pd.DataFrame) -> str:
    """:func:`short_table` as Markdown."""
    table = table.mask(best, '**' + table + '**')
    # The class stands above the first of its scores alone.
    groups = table.columns.get_level_values(0)
    again = groups.duplicated()
    titles = [
        score if repeated else f'{group} {score}'.strip()
        for (group, score), repeated in zip(table.columns, again)
    ]
    lines = [[name, *cells] for name, cells in zip(table.index, table.to_numpy())]
    return as_markdown(pd.DataFrame(lines, columns=['Method', *titles]))


def short_latex(table: pd.DataFrame, best: pd.DataFrame) -> str:
    """:func:`short_table` as LaTeX, for the package booktabs; 12 cm wide or so."""
    bold = np.where(best, 'textbf:--rwrap;', '')
    style = table.style.apply(lambda _: bold, axis=None).format(escape='latex')
    style = style.hide(names=True).format_index(escape='latex')
    style = style.format_index(axis='columns', escape='latex')
    text = style.to_latex(
        hrules=True,
        multicol_align='c',
        column_format='@{}l' + 'r' * table.shape[1] + '@{}',
    )
    groups = table.columns.get_level_values(0)
    rules, first = [], 2
    for name in groups.unique():
        last = first + (groups == name).sum() - 1
        if name:
            rules.append(rf'\cmidrule(lr){{{first}-{last}}}')
        first = last + 1
    head, body = text.split('\\\\\n', 1)
    text = f'{head}\\\\\n{"".join(rules)}\n{body}'
    text = text.replace('±', r'$\pm$')
    return (
        '% \\usepackage{booktabs}\n'
        f'{{\\footnotesize\\setlength{{\\tabcolsep}}{{3pt}}%\n{text}}}\n'
    )


def plot_per_image(rows: pd.DataFrame, *paths: Path) -> None:
    """Draws the Dice of each image, mean over the seeds, by class and method.

    Its median and quartiles, too.

    Args:
        rows (pd.DataFrame): of one study and setting.
        *paths (Path): to write, see :func:`~seam_seg.atomic.write_figure`.
    """
    dice = rows[rows['score'] == 'Dice']
    names, classes = list(dice['method'].unique()), classes_of(dice)
    figure, axes = plt.subplots(
        1,
        len(classes),
        figsize=(4 * len(classes), 0.36 * len(names) + 1.4),
        sharey=True,
        squeeze=False,
        layout='constrained',
    )
    jitter = np.random.default_rng(0)
    for axis, title in zip(axes[0], classes):
        part = dice[dice['class'] == title]
        for i, name in enumerate(names, start=1):
            group = part[part['method'] == name].groupby('image')['value'].mean()
            axis.plot(
                group,
                i + jitter.uniform(-0.2, 0.2, len(group)),
                'o',
                markersize=2.5,
                color='tab:blue',
                alpha=0.5,
            )
            if len(group):
                low, middle, high = np.percentile(group, (25, 50, 75))
                axis.plot([low, high], [i, i], color='black', linewidth=1.5)
                axis.plot(
                    middle, i, '|', color='tab:red', markersize=14, markeredgewidth=2
                )
        axis.set(title=title, xlabel='Dice (%) of the images; median, quartiles')
        axis.grid(axis='x', alpha=0.3)
    axes[0, 0].set_yticks(range(1, len(names) + 1), names)
    axes[0, 0].invert_yaxis()
    for path in paths:
        write_figure(path, figure)
    plt.close(figure)


def plot_differences(
    found: pd.DataFrame,
    *paths: Path,
    smallest: Optional[float] = None,
    score: str = 'Dice',
) -> None:
    """Draws differences with their intervals.

    Args:
        found (pd.DataFrame): of :func:`~seam_seg.apis.comparison.compare`.
        *paths (Path): to write, see :func:`~seam_seg.atomic.write_figure`.
        smallest (float, optional): effect that matters; what is less is shaded.
        score (str): that differs. Default: ``'Dice'``.
    """
    figure, axis = plt.subplots(
        figsize=(6.5, 0.3 * len(found) + 1.2), layout='constrained'
    )
    if smallest is not None:
        axis.axvspan(
            -smallest,
            smallest,
            color='tab:gray',
            alpha=0.2,
            linewidth=0,
            label=f'smaller than {smallest:g}',
        )
        figure.legend(loc='outside upper right', fontsize='small')
    axis.axvline(0, color='black', linewidth=0.8)
    for i, (_, line) in enumerate(found.iterrows()):
        axis.plot([line['low'], line['high']], [i, i], color='tab:blue', linewidth=1.5)
        axis.plot(line['difference'], i, 'o', color='tab:blue', markersize=4.5)
    axis.set_yticks(range(len(found)), list(found.index))
    axis.set_ylim(len(found) - 0.5, -0.5)
    interval = ', 95% interval' if found['p'].notna().any() else ''
    axis.set_xlabel(f'difference in {score}{interval}')
    axis.grid(axis='x', alpha=0.3)
    for path in paths:
        write_figure(path, figure)
    plt.close(figure)


def write_report(
    rows: pd.DataFrame,
    costs: pd.DataFrame,
    contrasts: Contrasts,
    out: Path,
    introduction: str,
    smallest: Optional[float] = None,
    subjects: Optional[Mapping[str, str]] = None,
) -> pd.DataFrame:
    """Writes the tables, the comparison, and the figures.

    Args:
        rows (pd.DataFrame): of one study and setting, the methods in their order.
        costs (pd.DataFrame): rows of :func:`~seam_seg.evaluation.rows.rows_of_costs`.
        contrasts (Contrasts): see :func:`~seam_seg.apis.comparison.compare`; may be none.
        out (Path): folder for ``table.md``, ``table.csv``, ``table.tex``, and
            ``per_image`` and ``differences`` as PNG, PDF and SVG.
        introduction (str): Markdown above the table.
        smallest (float, optional): effect that matters, in points of Dice.
        subjects (Mapping[str, str], optional): whose an image is, see
            :func:`~seam_seg.apis.comparison.compare`.

    Returns:
        pd.DataFrame: the table.

    Raises:
        InputError: see :func:`~seam_seg.apis.comparison.compare`.
    """
    # First, since it may refuse, and what is there is of one run.
    found = None
    if contrasts:
        found = compare(rows, contrasts, smallest=smallest, subjects=subjects)
    table = make_table(rows, costs)
    short = short_table(rows, costs)
    write_whole(out / 'table.csv', table.to_csv(index=False))
    write_whole(out / 'table.tex', short_latex(*short))
    plot_per_image(rows, *(out / f'per_image{kind}' for kind in KINDS))
    parts = [introduction, short_markdown(*short), commits_of(rows)]
    if found is not None:
        plot_differences(
            found, *(out / f'differences{kind}' for kind in KINDS), smallest=smallest
        )
        dice = rows[(rows['score'] == 'Dice') & (rows['image'] != '')]
        scored = dice.groupby(['method', 'seed', 'image'])['class'].nunique()
        grouped = (found['subjects'] < found['images']).any()
        intervals = INTERVALS.format('subjects' if grouped else 'images')
        note = NOTE + (intervals if found['p'].notna().any() else NO_INTERVALS)
        note += GROUPED if grouped else ''
        note += LACKING if (scored < dice['class'].nunique()).any() else ''
        parts += [
            note + ('' if smallest is None else EFFECT.format(smallest)),
            as_markdown(comparison_table(found, smallest=smallest)),
            '![Differences and their intervals](differences.png)',
        ]
    parts.append('![Dice of the images by class and method](per_image.png)')
    parts += ['All columns:', as_markdown(table)]
    write_whole(out / 'table.md', '\n\n'.join(parts) + '\n')
    return table


def as_markdown(table: pd.DataFrame) -> str:
    """A table of text as Markdown."""
    return table.to_markdown(index=False, disable_numparse=True)
