"""The paper's Table 1 from rows of scores: table, comparison and plot."""

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from ..atomic import write_figure, write_whole
from ..errors import InputError
from ..evaluation.rows import cell, classes_of, commits_of, image_dice, mean_scores

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402

UNITS = dict(Dice='D (%)', Jaccard='J (%)')
DISTANCES = dict(mHD95='HD95 (px)', mASSD='ASSD (px)')


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
    classes = classes_of(rows)
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


def compare(rows: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Compares a method with every other one, with other seeds and images in mind.

    Both are a sample, and crossed. The variance of the mean difference in average Dice is
    at most the sum of those of its mean over the seeds and of its mean over the images,
    with degrees of freedom by Welch and Satterthwaite: min F' of Clark, Journal of Verbal
    Learning and Verbal Behavior 12, 1973. The mixed model of statsmodels does not
    converge on crossed effects of three seeds, and takes their variance for known.

    Args:
        rows (pd.DataFrame): of one study and setting.
        reference (str): the method that the others are compared with.

    Returns:
        pd.DataFrame: by method ``difference`` (reference minus method, in points), the
        ends of its 95% interval, ``low`` and ``high``, and its two-sided ``p`` after
        Holm's correction for the methods; nan where there are not two seeds.

    Raises:
        InputError: the reference has no rows, or methods have other images or seeds.
    """
    dice = image_dice(rows)
    names = dice.index.unique('method')
    if reference not in names:
        raise InputError(
            f'the reference {reference!r} has no result; there are {", ".join(names)}.'
        )
    found = {}
    for name in names.drop(reference):
        paired = dice.loc[reference] - dice.loc[name]
        if paired.isna().any(axis=None):
            raise InputError(
                f'{name} and {reference} were scored on different images or with other '
                'seeds. Repeat the runs of one of them on the same data.'
            )
        found[name] = dict(zip(('difference', 'low', 'high', 'p'), crossed_test(paired)))
    table = pd.DataFrame.from_dict(
        found, orient='index', columns=['difference', 'low', 'high', 'p'], dtype=float
    )
    tested = table['p'].notna()
    if tested.any():
        table.loc[tested, 'p'] = multipletests(table.loc[tested, 'p'], method='holm')[1]
    return table


def crossed_test(paired: pd.DataFrame) -> tuple:
    """Mean, the ends of its 95% interval and p; see :func:`compare`.

    Args:
        paired (pd.DataFrame): differences, by seed and image.
    """
    values = paired.to_numpy()
    mean = values.mean()
    if min(values.shape) < 2:
        return mean, np.nan, np.nan, np.nan
    squares = np.array([stats.sem(values.mean(axis=axis)) ** 2 for axis in (1, 0)])
    total = squares.sum()
    if not total:  # the same everywhere
        return mean, mean, mean, float(mean == 0)
    freedom = total**2 / (squares**2 / (np.array(values.shape) - 1)).sum()
    low, high = stats.t.interval(0.95, freedom, mean, np.sqrt(total))
    return mean, low, high, 2 * stats.t.sf(abs(mean) / np.sqrt(total), freedom)


def comparison_table(rows: pd.DataFrame, reference: str) -> pd.DataFrame:
    """The result of :func:`compare` with cells as text."""
    table = []
    for name, found in compare(rows, reference).iterrows():
        known = np.isfinite(found['p'])
        interval = f' [{found["low"]:+.2f}, {found["high"]:+.2f}]' if known else ''
        table.append(
            {
                'Method': name,
                f'{reference} - this (points of Dice)': f'{found["difference"]:+.2f}'
                + interval,
                'p (Holm)': f'{found["p"]:.2g}' if known else '-',
            }
        )
    return pd.DataFrame(table)


def plot_per_image(rows: pd.DataFrame, path: Path) -> None:
    """Draws the Dice of each image, mean over the seeds, by class and method.

    Its median and quartiles, too.

    Args:
        rows (pd.DataFrame): of one study and setting.
        path (Path): PNG to write.
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
    write_figure(path, figure)
    plt.close(figure)


def write_report(
    rows: pd.DataFrame, costs: pd.DataFrame, reference: str, out: Path, introduction: str
) -> pd.DataFrame:
    """Writes the table as Markdown, CSV and LaTeX, the comparison, and the plot.

    Args:
        rows (pd.DataFrame): of one study and setting, the methods in their order.
        costs (pd.DataFrame): rows of :func:`~seam_seg.evaluation.rows.rows_of_costs`.
        reference (str): see :func:`compare`.
        out (Path): folder for ``table.md``, ``table.csv``, ``table.tex`` and
            ``per_image.png``.
        introduction (str): Markdown above the table.

    Returns:
        pd.DataFrame: the table.
    """
    table = make_table(rows, costs)
    write_whole(out / 'table.csv', table.to_csv(index=False))
    latex = table.style.hide(axis='index').format(escape='latex')
    latex = latex.format_index(axis='columns', escape='latex').to_latex(hrules=True)
    write_whole(out / 'table.tex', latex.replace('±', r'$\pm$'))
    plot_per_image(rows, out / 'per_image.png')
    parts = [introduction, as_markdown(table), commits_of(rows)]
    if len(table) > 1:
        parts.append(as_markdown(comparison_table(rows, reference)))
    parts.append('![Dice of the images by class and method](per_image.png)')
    write_whole(out / 'table.md', '\n\n'.join(parts) + '\n')
    return table


def as_markdown(table: pd.DataFrame) -> str:
    """A table of text as Markdown."""
    return table.to_markdown(index=False, disable_numparse=True)
