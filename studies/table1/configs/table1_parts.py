"""What the regime of Table 1 needs beside the package: registered, for its configs."""

import json
from pathlib import Path
from typing import Any, Sequence, Tuple

import cv2
import numpy as np
import table1_endpoints  # noqa: F401  registers its metric
import torch
import torch.nn.functional as F
from mmcv.transforms import BaseTransform
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS, MODELS, TRANSFORMS
from torch import Tensor

from seam_seg.models.decode_heads.merged_fpn_head import MergedFPNHead

Range = Tuple[float, float]


@TRANSFORMS.register_module()
class AffineAndGamma(BaseTransform):
    """A random affine map and a random exponent of the grey levels, by OpenCV.

    A twentieth of the time of MONAI's, for which a training on a GPU would wait. What
    comes in from outside is black and background, as the exterior of the scan is.

    Args:
        scale (tuple[float, float]): of the content, drawn along either axis.
        degrees (float): of the rotation, to either side.
        shift (tuple[float, float]): pixels up or down, and to either side.
        gamma (tuple[float, float]): range of the exponent, whose logarithm is uniform.
        prob (float): of the map, and of the exponent. Default: 0.8.
    """

    def __init__(
        self, scale: Range, degrees: float, shift: Range, gamma: Range, prob: float = 0.8
    ) -> None:
        self.scale, self.degrees, self.shift = scale, degrees, shift
        self.gamma, self.prob = gamma, prob

    def transform(self, results: dict) -> dict:
        """Changes ``img`` (uint8) and every segmentation field."""
        # VPIDataset seeds the global generator for each sample.
        chance, draw = np.random.random, np.random.uniform  # noqa: NPY002
        if chance() < self.prob:
            self._warp(results, self._draw_map(results['img'].shape[:2]))
        if chance() < self.prob:
            exponent = np.exp(draw(*np.log(self.gamma)))
            table = np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
            results['img'] = cv2.LUT(results['img'], table)
        return results

    def _draw_map(self, shape: Tuple[int, int]) -> np.ndarray:
        """A (2, 3) matrix, from pixels (x, y) to where their content goes."""
        draw = np.random.uniform  # noqa: NPY002
        angle = np.radians(draw(-self.degrees, self.degrees))
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        linear = turn @ np.diag(draw(*self.scale, 2))
        center = (np.array(shape[::-1]) - 1) / 2
        moved = center + draw(-1, 1, 2) * self.shift[::-1]
        return np.column_stack([linear, moved - linear @ center])

    @staticmethod
    def _warp(results: dict, matrix: np.ndarray) -> None:
        size = results['img'].shape[1::-1]
        results['img'] = cv2.warpAffine(results['img'], matrix, size)
        for key in results.get('seg_fields', []):
            results[key] = cv2.warpAffine(
                results[key], matrix, size, flags=cv2.INTER_NEAREST
            )


@TRANSFORMS.register_module()
class HidePatches(BaseTransform):
    """Hides patches of an image and adds noise; what it was becomes the label.

    For the start of Table 1, which learns what images look like and nothing of bones: no
    mask is read, and the field that masks have, ``gt_seg_map``, holds grey levels.

    Args:
        patch (tuple[int, int]): rows and columns of a patch; the image is of whole ones.
        share (float): of the patches that are hidden, on average.
        noise (float): its standard deviation in grey levels.
    """

    def __init__(self, patch: Tuple[int, int], share: float, noise: float) -> None:
        self.patch, self.share, self.noise = patch, share, noise

    def transform(self, results: dict) -> dict:
        """Changes ``img`` (uint8), and keeps it as it was."""
        img = results['img']
        # VPIDataset seeds the global generator for each sample.
        rows, columns = np.array(img.shape) // self.patch
        hidden = np.random.random((rows, columns)) < self.share  # noqa: NPY002
        hidden = np.kron(hidden, np.ones(self.patch, bool)).astype(bool)
        noise = np.random.normal(0, self.noise, img.shape)  # noqa: NPY002
        seen = np.where(hidden, img.mean(), img) + noise
        results['gt_seg_map'], results['seg_fields'] = img, ['gt_seg_map']
        results['img'] = np.clip(np.rint(seen), 0, 255).astype(np.uint8)
        return results


@MODELS.register_module()
class ReconstructionHead(MergedFPNHead):
    """Predicts the grey levels of an image from the merged FPN map.

    Args:
        feature_strides (Sequence[int]): strides of the levels, finest first.
        **kwargs: of mmseg's ``BaseDecodeHead``; ``num_classes`` is the number of pixels
            that a pixel of the map stands for.
    """

    def __init__(self, feature_strides: Sequence[int], **kwargs: Any) -> None:
        stride = feature_strides[0]
        kwargs['num_classes'] = stride**2
        super().__init__(feature_strides=feature_strides, **kwargs)
        self.stride = stride

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Grey levels from 0 to 1, (B, 1, H, W)."""
        return F.pixel_shuffle(self.cls_seg(self.merge(inputs)), self.stride)

    def loss(
        self, inputs: Sequence[Tensor], batch_data_samples: list, train_cfg: dict
    ) -> dict:
        """Mean absolute difference to the image that was hidden in part.

        Args:
            inputs (Sequence[Tensor]): feature maps of the host.
            batch_data_samples (list[SegDataSample]): ``gt_sem_seg`` holds grey levels.
            train_cfg (dict): mmseg's; not used.
        """
        image = self._stack_batch_gt(batch_data_samples).float() / 255
        return dict(loss_image=F.l1_loss(self(inputs), image))


@TRANSFORMS.register_module()
class TellLevels(BaseTransform):
    """The positive control that cannot but help: shows where the vertebrae are.

    The image gets three channels, itself twice and a spot on the middle of each vertebra,
    from the geometry file of the phantom. Nothing is said of any bone.

    Args:
        sigma (float): of a spot, in px.
    """

    def __init__(self, sigma: float = 20) -> None:
        self.sigma = sigma

    def transform(self, results: dict) -> dict:
        """Changes ``img`` from (H, W) to (H, W, 3)."""
        path = Path(results['img_path'])
        root, split = path.parent.parent.parent, path.parent.name
        file = root / 'geometry' / split / f'{path.stem}.json'
        vertebrae = json.loads(file.read_text(encoding='utf-8'))['vertebrae']
        rows, columns = (np.arange(size) for size in results['img'].shape)
        spots = np.zeros(results['img'].shape)
        for vertebra in vertebrae:
            down = np.exp(-0.5 * ((rows - vertebra['y']) / self.sigma) ** 2)
            across = np.exp(-0.5 * ((columns - vertebra['x']) / self.sigma) ** 2)
            spots += np.outer(down, across)
        spots = np.rint(255 * np.minimum(spots, 1)).astype(np.uint8)
        results['img'] = np.dstack([results['img'], results['img'], spots])
        return results


@HOOKS.register_module()
class ChannelsLast(Hook):
    """Lays out a model for the convolutions of a CPU: three quarters of the time.

    What it computes stays the same but for rounding. A GPU keeps torch's own layout.
    """

    def before_run(self, runner: Runner) -> None:
        """Changes the layout of the weights, which that of the maps follows."""
        model = runner.model
        if next(model.parameters()).device.type == 'cpu':
            model.to(memory_format=torch.channels_last)
