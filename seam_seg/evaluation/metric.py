"""The paper's Dice/Jaccard table as an mmengine metric."""

from pathlib import Path
from typing import Dict, List, Optional, Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from mmseg.registry import METRICS
from prettytable import PrettyTable

from ..atomic import write_csv, write_json, write_picture
from .dice_jaccard import confusion_counts, dice_jaccard
from .surface import surface_distances

# The order of the columns of Table 1; other classes follow in their own order.
PAPER_ORDER = ('lumbar', 'thoracic', 'rib')


@METRICS.register_module()
class DiceJaccardMetric(BaseMetric):
    """Mean per-image Dice and Jaccard of each class (Table 1 of the paper).

    An image in which a class is absent from both masks has no score for it: it is left
    out of that class's mean, and counted as undefined. Absent from one mask only, it
    scores 0. The average is the plain mean over the foreground classes. Class 0 is the
    background and is not scored.

    :meth:`compute_metrics` returns, in %: ``mDice`` and ``mJaccard`` (averages),
    ``Dice.<class>`` and ``Jaccard.<class>``; the number of images without a score,
    ``undefined.<class>``; and R in seconds, where
    :class:`seam_seg.engine.RuntimeHook` runs. A class undefined in every image is left
    out of the result and of the averages, and the log says so; without any score, the
    averages are nan.

    With ``surface``, also ``HD95.<class>`` and ``ASSD.<class>`` in pixels, their
    averages ``mHD95`` and ``mASSD``, and ``no_surface.<class>``, the number of images
    without them: a class that is absent from either mask has no distance. Where a class
    with a Dice has no distance in any image, the averages are nan: a model that misses
    a class altogether must not gain by it.

    Args:
        ignore_index (int): true label of the pixels that do not count. Default: 255.
        surface (bool): takes the distances between outlines too, which takes about ten
            times as long as the overlap. Default: False.
        summary_dir (str, optional): folder for ``dice_jaccard.json`` (the summary) and
            ``dice_jaccard.csv`` (a row for each image). Default: None, no files.
        output_dir (str, optional): folder for the predicted label PNGs, under the names
            of the images. Default: None.
        format_only (bool): only write the PNGs. Default: False.
        collect_device (str): of mmengine's metrics. Default: ``'gpu'``, which gathers
            over the process group, gloo included; ``'cpu'`` writes into a folder.
        prefix (str, optional): of the keys of the result. Default: None.
    """

    def __init__(
        self,
        ignore_index: int = 255,
        surface: bool = False,
        summary_dir: Optional[str] = None,
        output_dir: Optional[str] = None,
        format_only: bool = False,
        collect_device: str = 'gpu',
        prefix: Optional[str] = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if format_only and output_dir is None:
            raise ValueError('DiceJaccardMetric: format_only needs an output_dir')
        self.ignore_index = ignore_index
        self.surface = surface
        self.summary_dir = summary_dir
        self.output_dir = output_dir
        self.format_only = format_only

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Scores a batch.

        Args:
            data_batch (dict): not used.
            data_samples (Sequence[dict]): with ``img_path``, ``pred_sem_seg`` and,
                unless ``format_only``, ``gt_sem_seg`` of the same size.
        """
        num_classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            name = Path(sample['img_path']).stem
            pred = sample['pred_sem_seg']['data'].squeeze(0).byte().cpu().numpy()
            if self.output_dir is not None:
                write_picture(Path(self.output_dir) / f'{name}.png', pred)
            if self.format_only:
                continue
            truth = sample['gt_sem_seg']['data'].squeeze(0).cpu().numpy()
            counts = confusion_counts(pred, truth, num_classes, self.ignore_index)
            self.results.append(
                dict(
                    name=name,
                    counts=np.stack(counts),
                    distances=np.stack(
                        surface_distances(pred, truth, num_classes, self.ignore_index)
                    )
                    if self.surface
                    else None,
                    runtime=sample.get('runtime'),
                )
            )

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Averages over the images.

        Args:
            results (list[dict]): one for each image, from every process.

        Returns:
            dict[str, float]: see the class.
        """
        if self.format_only:
            return {}
        classes = list(self.dataset_meta['classes'])
        counts = np.stack([result['counts'] for result in results])
        # name -> (images, N): per-image scores, overlaps in %
        scores = {
            key: 100 * score
            for key, score in zip(
                ('Dice', 'Jaccard'),
                dice_jaccard(counts[:, 0], counts[:, 1], counts[:, 2]),
            )
        }
        if self.surface:
            distances = np.stack([result['distances'] for result in results])
            scores.update(HD95=distances[:, 0], ASSD=distances[:, 1])
        order = [name for name in PAPER_ORDER if name in classes[1:]]
        order += [name for name in classes[1:] if name not in order]
        index = {name: classes.index(name) for name in order}
        metrics = {}
        for key, score in scores.items():
            means = {
                name: float(np.nanmean(score[:, i]))
                for name, i in index.items()
                if np.isfinite(score[:, i]).any()
            }
            scored = [
                name
                for name in order
                if np.isfinite(scores['Dice'][:, index[name]]).any()
            ]
            metrics[f'm{key}'] = (
                float(np.mean([means.get(name, np.nan) for name in scored]))
                if scored
                else np.nan
            )
            metrics.update({f'{key}.{name}': mean for name, mean in means.items()})
        for name, i in index.items():
            metrics[f'undefined.{name}'] = int(np.isnan(scores['Dice'][:, i]).sum())
            if self.surface:
                metrics[f'no_surface.{name}'] = int(np.isnan(scores['HD95'][:, i]).sum())
        runtimes = [
            result['runtime'] for result in results if result['runtime'] is not None
        ]
        if runtimes:
            metrics['R'] = float(np.mean(runtimes))
        self._print_table(metrics, order, len(results))
        if self.summary_dir is not None:
            columns = {
                f'{key}.{name}': score[:, i]
                for key, score in scores.items()
                for name, i in index.items()
            }
            self._write(metrics, results, columns)
        return metrics

    def _print_table(
        self, metrics: Dict[str, float], order: List[str], images: int
    ) -> None:
        """Logs the row of Table 1, and which images had no score."""
        table = PrettyTable()
        row = []
        for title, suffix in [
            *((name.capitalize(), f'.{name}') for name in order),
            ('Ave.', None),
        ]:
            for short, key in (('D', 'Dice'), ('J', 'Jaccard')):
                table.add_column(f'{title} {short} (%)', [])
                value = metrics.get(f'm{key}' if suffix is None else key + suffix)
                row.append('-' if value is None or np.isnan(value) else f'{value:.2f}')
        table.add_column('R (s)', [])
        row.append(f'{metrics["R"]:.3f}' if 'R' in metrics else '-')
        table.add_row(row)
        undefined = ', '.join(f'{name} {metrics[f"undefined.{name}"]}' for name in order)
        missing = [name for name in order if f'Dice.{name}' not in metrics]
        if missing:
            undefined += f'; the average leaves {", ".join(missing)} out'
        print_log(
            f'mean of the per-image scores of {images} images; without a score '
            f'(absent from both masks): {undefined}\n{table.get_string()}',
            logger=MMLogger.get_current_instance(),
        )

    def _write(
        self,
        metrics: Dict[str, float],
        results: List[dict],
        columns: Dict[str, np.ndarray],
    ) -> None:
        """Writes the JSON summary and the per-image CSV."""
        folder = Path(self.summary_dir)
        summary = dict(
            images=len(results),
            unit='mean of per-image scores in %, R in seconds per image'
            + (', HD95 and ASSD in pixels' if self.surface else ''),
            **{key: None if np.isnan(value) else value for key, value in metrics.items()},
        )
        write_json(folder / 'dice_jaccard.json', summary)
        write_csv(
            folder / 'dice_jaccard.csv',
            [
                ['name', *columns, 'runtime'],
                *(
                    [
                        result['name'],
                        *('' if np.isnan(cell) else f'{cell:.6f}' for cell in cells),
                        '' if result['runtime'] is None else f'{result["runtime"]:.6f}',
                    ]
                    for result, *cells in zip(results, *columns.values())
                ),
            ],
        )
