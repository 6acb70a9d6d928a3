"""The paper's Table 1 from many trainings: cost, comparison, tables and plot.

The trainings themselves are those of :mod:`seam_seg.apis.study`.
"""

from pathlib import Path
from typing import Dict, List, Sequence

import matplotlib
import numpy as np
import pandas as pd
from scipy import stats

from ..atomic import write_figure, write_whole
from ..errors import InputError
from .study import BONES, image_dice

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's step-down correction: p-values that hold for all comparisons at once."""
    p_values = np.asarray(p_values, np.float64)
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(factors * p_values[order]), 1)
    return corrected


def compare(results: Dict[str, List[dict]], reference: str) -> Dict[str, dict]:
    """Paired comparison of a method with every other one.

    Wilcoxon's signed-rank test on the per-image Dice (average over the bone classes),
    averaged over the seeds, so that n is the number of images; two-sided,
    Holm-corrected over the other methods.

    Args:
        results (dict[str, list[dict]]): method -> its runs.
        reference (str): the method that the others are compared with.

    Returns:
        dict[str, dict]: other method -> ``difference`` (reference minus method, in
        points of Dice), ``by_seed`` (the same for each seed that both have), ``p`` and
        ``p_holm``. The test knows nothing of other seeds than these: a difference whose
        sign changes with the seed is not one of the methods.

    Raises:
        InputError: the reference has no result, or methods were scored on other images.
    """
    if reference not in results:
        raise InputError(
            f'the reference {reference!r} has no result; there are {", ".join(results)}.'
        )
    dice = {name: image_dice(runs) for name, runs in results.items()}
    rows = {}
    for name in results:
        if name == reference:
            continue
        if dice[name].keys() != dice[reference].keys():
            raise InputError(
                f'{name} and {reference} were scored on different images. '
                'Repeat the runs of one of them on the same data.'
            )
        difference = np.array(
            [dice[reference][image] - dice[name][image] for image in dice[name]]
        )
        p_value = stats.wilcoxon(difference).pvalue if difference.any() else 1.0
        by_seed = {
            which: {
                run['seed']: np.mean(list(image_dice([run]).values()))
                for run in results[which]
            }
            for which in (reference, name)
        }
        rows[name] = dict(
            difference=float(difference.mean()),
            p=float(p_value),
            by_seed=[
                float(mean - by_seed[name][seed])
                for seed, mean in by_seed[reference].items()
                if seed in by_seed[name]
            ],
        )
    for row, p_value in zip(rows.values(), holm([row['p'] for row in rows.values()])):
        row['p_holm'] = float(p_value)
    return rows


def make_table(
    results: Dict[str, List[dict]], costs: Dict[str, dict], reference: str
) -> pd.DataFrame:
    """A row for each method in the paper's form, cells as text.

    Args:
        results (dict[str, list[dict]]): method -> its runs, in the order of the rows.
        costs (dict[str, dict]): from :func:`measure_costs`.
        reference (str): see :func:`compare`.

    Returns:
        pd.DataFrame: mean and standard deviation over the seeds of the scores; images
        times classes without a distance, a seed on average, since one of the masks
        lacks the class; R, parameters and FLOPs; the difference to the reference, of
        each seed too, and its p-value. '-' where a method has no such score.
    """
    comparison = compare(results, reference)
    columns = {
        f'{bone.capitalize()} {key[0]} (%)': f'{key}.{bone}'
        for bone in BONES
        for key in ('Dice', 'Jaccard')
    }
    columns.update(
        {
            'Ave. D (%)': 'mDice',
            'Ave. J (%)': 'mJaccard',
            'HD95 (px)': 'mHD95',
            'ASSD (px)': 'mASSD',
        }
    )
    rows = []
    for name, runs in results.items():
        row = dict(Method=name, Seeds=len(runs))
        for title, key in columns.items():
            # None where no image has the score
            values = [
                np.nan if run['scores'].get(key) is None else run['scores'][key]
                for run in runs
            ]
            spread = f' ± {np.std(values, ddof=1):.2f}' if len(values) > 1 else ''
            row[title] = (
                '-' if np.isnan(values).any() else f'{np.mean(values):.2f}{spread}'
            )
        cost = costs[name]
        missed = [run['scores'][f'no_surface.{bone}'] for run in runs for bone in BONES]
        row.update(
            {
                'Without distance': str(round(sum(missed) / len(runs), 1)),
                'R (s)': f'{cost["R"]:.3f}',
                'Params (M)': f'{cost["parameters"] / 1e6:.2f}',
                'FLOPs (G)': f'{cost["flops"] / 1e9:.2f}',
            }
        )
        other = comparison.get(name)
        row[f'{reference} - this'] = f'{other["difference"]:+.2f}' if other else ''
        row['by seed'] = (
            ', '.join(f'{value:+.2f}' for value in other['by_seed']) if (other) else ''
        )
        row['p (Holm)'] = f'{other["p_holm"]:.3g}' if other else ''
        rows.append(row)
    return pd.DataFrame(rows)


def inside_table(results: Dict[str, List[dict]]) -> pd.DataFrame:
    """What :func:`seam_seg.apis.study.probe` found in the heads, mean over the seeds."""
    rows = []
    for name, runs in results.items():
        probes = [run.get('probe') or {} for run in runs]
        for key in probes[0]:
            values = [probe[key] for probe in probes if probe[key] is not None]
            if values:
                rows.append(
                    dict(
                        Method=name,
                        Quantity=key,
                        Mean=f'{np.mean(values):.3g}',
                        Seeds=', '.join(f'{value:.3g}' for value in values),
                    )
                )
    return pd.DataFrame(rows, columns=['Method', 'Quantity', 'Mean', 'Seeds'])


def per_image_frame(results: Dict[str, List[dict]]) -> pd.DataFrame:
    """Every score of every image, method and seed, a row each."""
    return pd.DataFrame(
        [
            dict(method=name, seed=run['seed'], image=image, **scores)
            for name, runs in results.items()
            for run in runs
            for image, scores in run['per_image'].items()
        ]
    )


def plot_per_image(results: Dict[str, List[dict]], path: Path) -> None:
    """Draws the per-image Dice, averaged over the seeds, of each class and method.

    Its median and quartiles, too.

    Args:
        results (dict[str, list[dict]]): method -> its runs.
        path (Path): PNG to write.
    """
    frame = per_image_frame(results)
    names = list(results)
    figure, axes = plt.subplots(
        1,
        len(BONES),
        figsize=(12, 0.36 * len(names) + 1.4),
        sharey=True,
        layout='constrained',
    )
    jitter = np.random.default_rng(0)
    for axis, bone in zip(axes, BONES):
        groups = [
            frame[frame.method == name].groupby('image')[f'Dice.{bone}'].mean().dropna()
            for name in names
        ]
        for i, group in enumerate(groups, start=1):
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
        axis.set(title=bone, xlabel='Dice (%) of the images; median, quartiles')
        axis.grid(axis='x', alpha=0.3)
    axes[0].set_yticks(range(1, len(names) + 1), names)
    axes[0].invert_yaxis()
    write_figure(path, figure)
    plt.close(figure)


def write_report(
    results: Dict[str, List[dict]],
    costs: Dict[str, dict],
    reference: str,
    out: Path,
    introduction: str,
) -> pd.DataFrame:
    """Writes the table as Markdown, CSV and LaTeX, all scores, and the plot.

    Args:
        results (dict[str, list[dict]]): method -> its runs, in the order of the rows.
        costs (dict[str, dict]): from :func:`measure_costs`.
        reference (str): see :func:`compare`.
        out (Path): folder for ``README.md``, ``table.csv``, ``table.tex``,
            ``per_image.csv`` and ``per_image.png``.
        introduction (str): Markdown above the table.

    Returns:
        pd.DataFrame: the table.
    """
    table = make_table(results, costs, reference)
    write_whole(out / 'table.csv', table.to_csv(index=False))
    latex = (
        table.style.hide(axis='index')
        .format(escape='latex')
        .format_index(axis='columns', escape='latex')
        .to_latex(hrules=True)
    )
    write_whole(out / 'table.tex', latex.replace('±', r'$\pm$'))
    write_whole(out / 'per_image.csv', per_image_frame(results).to_csv(index=False))
    plot_per_image(results, out / 'per_image.png')
    # what a person has written about the table, where there is something
    notes = '[How to read it](NOTES.md)\n\n' if (out / 'NOTES.md').exists() else ''
    write_whole(
        out / 'README.md',
        f'{introduction}\n\n{notes}'
        f'{table.to_markdown(index=False, disable_numparse=True)}\n\n'
        '![Per-image Dice by class and method](per_image.png)\n\n## Inside the heads\n\n'
        'added: norm of what an attention adds to v over the norm of v; gamma: its '
        "learned gate; largest_weight: of a' (1: saturated); gradient_ratio: of beta "
        'L_reg and L_cls on the key.\n\n'
        f'{inside_table(results).to_markdown(index=False, disable_numparse=True)}\n',
    )
    return table
