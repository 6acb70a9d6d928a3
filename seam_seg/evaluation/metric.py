"""The paper's Dice/Jaccard table as an mmengine metric."""

import logging
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from mmseg.registry import METRICS

from ..atomic import write_picture
from .dice_jaccard import confusion_counts, dice_jaccard
from .score_files import score_table, write_scores
from .surface import surface_distances

# The order of the columns of Table 1; other classes follow in their own order.
PAPER_ORDER = ('lumbar', 'thoracic', 'rib')
SCORES = ('Dice', 'Jaccard', 'HD95', 'ASSD')  # the last two with surface=True


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
    averages are nan. A run sees these keys behind the prefix, as in
    ``save_best='bone/mDice'``, since mmseg's ``IoUMetric`` calls ``mDice`` another thing:
    that of the pixels of all images together, background included. The files of
    ``summary_dir`` hold them as they are.

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
        keep_results (bool): mmseg's tools/test.py sets it with ``--out``; the PNGs are
            kept in any case. Default: True.
        format_only (bool): only write the PNGs. Default: False.
        collect_device (str): of mmengine's metrics. Default: ``'gpu'``, which gathers
            over the process group, gloo included; ``'cpu'`` writes into a folder.
        prefix (str, optional): of the keys of a run. Default: None, which is ``'bone'``.
    """

    default_prefix = 'bone'

    def __init__(
        self,
        ignore_index: int = 255,
        surface: bool = False,
        summary_dir: Optional[str] = None,
        output_dir: Optional[str] = None,
        keep_results: bool = True,
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
        classes = self.dataset_meta['classes'][1:]
        order = [name for name in PAPER_ORDER if name in classes]
        order += [name for name in classes if name not in order]
        columns = self._columns(results, order)
        means = {
            key: float(np.nanmean(column))
            for key, column in columns.items()
            if np.isfinite(column).any()
        }
        scored = [name for name in order if f'Dice.{name}' in means]
        metrics: Dict[str, float] = {}
        for key in SCORES if self.surface else SCORES[:2]:
            values = [means.get(f'{key}.{name}', np.nan) for name in scored]
            metrics[f'm{key}'] = float(np.mean(values)) if values else np.nan
            own = [f'{key}.{name}' for name in order]
            metrics.update({name: means[name] for name in own if name in means})
        for name in order:
            metrics[f'undefined.{name}'] = int(np.isnan(columns[f'Dice.{name}']).sum())
            if self.surface:
                lacking = np.isnan(columns[f'HD95.{name}'])
                metrics[f'no_surface.{name}'] = int(lacking.sum())
        self._warn_of_absent(results, scored)
        runtimes = [result['runtime'] for result in results]
        timed = [runtime for runtime in runtimes if runtime is not None]
        if timed:
            metrics['R'] = float(np.mean(timed))
        print_log(
            score_table(metrics, order, len(results)),
            logger=MMLogger.get_current_instance(),
        )
        if self.summary_dir is not None:
            names = [result['name'] for result in results]
            write_scores(
                self.summary_dir, metrics, dict(name=names, **columns, runtime=runtimes)
            )
        return metrics

    def _warn_of_absent(self, results: List[dict], scored: List[str]) -> None:
        """Tells of a class that a few false pixels make one of those averaged."""
        index = {name: i for i, name in enumerate(self.dataset_meta['classes'])}
        _, drawn, true = np.stack([result['counts'] for result in results], axis=1)
        for name in scored:
            if not true[:, index[name]].any():
                print_log(
                    f'{name} is in no true mask of {len(results)} images, and predicted '
                    f'in {np.count_nonzero(drawn[:, index[name]])}: it has Dice 0 there, '
                    f'and is one of the {len(scored)} classes of the averages',
                    logger=MMLogger.get_current_instance(),
                    level=logging.WARNING,
                )

    def _columns(self, results: List[dict], order: List[str]) -> Dict[str, np.ndarray]:
        """Per-image scores (images,), such as ``Dice.rib``; overlaps in %."""
        counts = np.stack([result['counts'] for result in results])
        dice, jaccard = dice_jaccard(counts[:, 0], counts[:, 1], counts[:, 2])
        scores = dict(Dice=100 * dice, Jaccard=100 * jaccard)  # (images, N) each
        if self.surface:
            distances = np.stack([result['distances'] for result in results])
            scores.update(HD95=distances[:, 0], ASSD=distances[:, 1])
        index = {name: i for i, name in enumerate(self.dataset_meta['classes'])}
        return {
            f'{key}.{name}': score[:, index[name]]
            for key, score in scores.items()
            for name in order
        }
