"""Hooks: the runtime R of the paper's table, overlays to look at, style images."""

import logging
import time
from pathlib import Path
from typing import Optional, Sequence

import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmseg.datasets import BaseSegDataset
from mmseg.registry import HOOKS, TRANSFORMS
from mmseg.structures import SegDataSample

from ..datasets.readers import read_image
from ..evaluation.dice_jaccard import confusion_counts, dice_jaccard
from ..visualization import panel, write_rgb
from .other_work import OtherWork, busy_warning


def clock() -> float:
    """Seconds, after the work queued on the GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


@HOOKS.register_module()
class RuntimeHook(Hook):
    """Times the model, for the column R of the paper's table.

    The paper does not say what R includes. Here it is the wall-clock time of
    ``model.test_step`` divided by the images of the batch: normalisation, network, and
    the way back to a mask of the original size; not reading the file, rescaling it, nor
    scoring. The time is put into each result as ``runtime`` (None while warming up),
    from where ``DiceJaccardMetric`` takes the mean. A test beside other work says so.

    Args:
        warmup (int): batches at the start that are not counted (in a test of no more
            batches than that, the last one counts). Default: 2.
    """

    def __init__(self, warmup: int = 2) -> None:
        self.warmup = warmup

    def before_test(self, runner: Runner) -> None:
        """Wraps the model's ``test_step``."""
        self._others = OtherWork()
        model = runner.model
        plain_step = model.test_step
        skip = min(self.warmup, len(runner.test_dataloader) - 1)
        done = 0

        def timed_step(data: dict) -> list:
            nonlocal done
            start = clock()
            outputs = plain_step(data)
            seconds = (clock() - start) / max(len(outputs), 1)
            for sample in outputs:
                sample.set_metainfo(dict(runtime=seconds if done >= skip else None))
            done += 1
            return outputs

        model.test_step = timed_step

    def after_test(self, runner: Runner) -> None:
        """Takes the wrapper off again."""
        del runner.model.test_step
        warning = busy_warning(self._others.cores())
        if warning is not None:
            print_log(f'R: {warning}', logger='current', level=logging.WARNING)


@HOOKS.register_module()
class OverlayHook(Hook):
    """Draws image, prediction and truth side by side.

    While training, a few validation images go to the visualizer (files under
    ``vis_data`` and, where it is on, TensorBoard) at each validation; in a test, every
    image goes to a folder.

    Args:
        val_images (int): images drawn at each validation. Default: 3.
        show_dir (str, optional): folder for the pictures of a test. Default: None, no
            pictures.
        draw (bool): gives the pictures of a test to the visualizer. mmseg's
            tools/test.py sets it, and the next two, of ``default_hooks.visualization``
            with ``--show-dir`` and ``--show``. Default: False.
        show (bool): shows the pictures of a test in a window. Default: False.
        wait_time (float): seconds that each is shown; 0 waits for a key. Default: 0.
    """

    def __init__(
        self,
        val_images: int = 3,
        show_dir: Optional[str] = None,
        draw: bool = False,
        show: bool = False,
        wait_time: float = 0.0,
    ) -> None:
        self.val_images = val_images
        self.show_dir = show_dir
        self.draw_test = draw
        self.show = show
        self.wait_time = wait_time

    @staticmethod
    def draw(sample: SegDataSample, dataset: BaseSegDataset) -> np.ndarray:
        """Draws one result.

        Args:
            sample (SegDataSample): with ``img_path``, ``pred_sem_seg``, ``gt_sem_seg``.
            dataset (BaseSegDataset): where it comes from; its pipeline starts with
                ``LoadVPIImage``.

        Returns:
            np.ndarray: RGB picture.
        """
        pred, truth = (
            field.data.squeeze(0).cpu().numpy().astype(np.uint8)
            for field in (sample.pred_sem_seg, sample.gt_sem_seg)
        )
        meta = dataset.metainfo
        dice, _ = dice_jaccard(
            *confusion_counts(pred, truth, len(meta['classes']), dataset.ignore_index)
        )
        note = 'Dice ' + '  '.join(
            f'{name} {score:.2f}'
            for name, score in zip(meta['classes'], dice)
            if name != meta['classes'][0]
        )
        return panel(
            read_image(sample.img_path, dataset.pipeline.transforms[0].window),
            [('prediction', pred), ('truth', truth)],
            meta['classes'],
            meta['palette'],
            note,
        )

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict,
        outputs: Sequence[SegDataSample],
    ) -> None:
        """Draws the first images of the validation split."""
        if batch_idx >= self.val_images or not is_main_process():
            return
        name = Path(outputs[0].img_path).stem
        picture = self.draw(outputs[0], runner.val_dataloader.dataset)
        runner.visualizer.add_image(f'val_{name}', picture, step=runner.iter)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict,
        outputs: Sequence[SegDataSample],
    ) -> None:
        """Draws the images of a test."""
        if self.show_dir is None and not (self.draw_test or self.show):
            return
        for sample in outputs:
            name = Path(sample.img_path).stem
            picture = self.draw(sample, runner.test_dataloader.dataset)
            if self.show_dir is not None:
                write_rgb(Path(self.show_dir) / f'{name}.png', picture)
            if self.draw_test:
                runner.visualizer.add_image(f'test_{name}', picture)
            if self.show:
                runner.visualizer.show(picture, name, wait_time=self.wait_time)


@HOOKS.register_module()
class StyleImagesHook(Hook):
    """Puts images of the training split into a ``WaveCTSegmentor``, before it trains.

    They are spread evenly over the split, and rescaled as the test images are.
    """

    def before_train(self, runner: Runner) -> None:
        """Reads the images; the same ones in every process and after a resume."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        dataset = runner.train_dataloader.dataset
        paths = list(
            dict.fromkeys(  # a case has many patches
                dataset.get_data_info(i)['img_path'] for i in range(len(dataset))
            )
        )
        load = Compose(
            [
                TRANSFORMS.build(step)
                for step in runner.cfg.test_dataloader.dataset.pipeline
                if step['type'] in ('LoadVPIImage', 'ResizeVPI')
            ]
        )
        chosen = np.linspace(0, len(paths) - 1, len(model.styles)).round().astype(int)
        images = [load(dict(img_path=paths[i]))['img'] for i in chosen]
        model.styles.copy_(torch.from_numpy(np.stack(images)).view_as(model.styles))
