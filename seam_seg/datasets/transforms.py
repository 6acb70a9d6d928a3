"""Pipeline steps of VPI images, in mmcv's form."""

import importlib
from typing import Any, Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform, Resize
from mmengine.dataset import Compose
from mmengine.structures import PixelData
from mmseg.datasets.transforms import PackSegInputs
from mmseg.registry import TRANSFORMS
from skimage import measure

from ..errors import InputError
from .readers import (
    check_directions,
    read_image,
    read_instances,
    read_mask,
    to_grey,
    window_of,
)

# The test pipelines begin with this step of mmcv, which mmseg's MMSegInferencer looks
# for and inference_model changes. LoadVPIImage reads the file itself.
FOR_MMSEG = dict(type='LoadImageFromFile', color_type='unchanged')


def own_steps(pipeline: Optional[Sequence[Any]]) -> List[Any]:
    """The steps of a pipeline without :data:`FOR_MMSEG` before ``LoadVPIImage``.

    Args:
        pipeline (Sequence, optional): settings of steps, or steps; None is none.

    Returns:
        list: all others.
    """
    steps = list(pipeline or [])
    kinds = [step.get('type') if isinstance(step, dict) else None for step in steps[:2]]
    return steps[1:] if kinds == [FOR_MMSEG['type'], 'LoadVPIImage'] else steps


@TRANSFORMS.register_module()
class LoadVPIImage(BaseTransform):
    """Loads a grey image of 8 or 16 bits.

    Adds ``img`` (uint8, (H, W)), ``img_shape`` and ``ori_shape``. Requires
    ``img_path``, or, where that is None or absent, pixels in ``img`` as OpenCV decodes
    them, which mmseg's functions of inference are given. A backbone with three input
    channels gets three equal ones from the model's data preprocessor, whose three means
    spread the one channel.

    Args:
        window (tuple[float, float], optional): grey levels that become 0 and 255, see
            :func:`seam_seg.datasets.readers.window_of`. Default: None.
    """

    def __init__(self, window: Optional[Tuple[float, float]] = None) -> None:
        if window is not None and not -np.inf < window[0] < window[1] < np.inf:
            raise ValueError(f'LoadVPIImage: window {window} is empty or not finite')
        self.window = window

    def transform(self, results: dict) -> dict:
        """Reads ``results['img_path']``; raises InputError naming the file."""
        path = results.get('img_path')
        results['img'] = (
            to_grey(results['img'], 'the array', window_of(results['img'], self.window))
            if path is None
            else read_image(path, self.window)
        )
        results['ori_shape'] = results['img_shape'] = results['img'].shape
        return results


@TRANSFORMS.register_module()
class LoadVPIAnnotations(BaseTransform):
    """Loads the mask of an image, and refuses what mmseg's loader takes silently.

    An image alone, without a ``seg_map_path``, passes as it is: mmseg's functions of
    inference run this step, too. Otherwise it adds ``gt_seg_map`` (uint8, (H, W)) to
    ``seg_fields``. Requires ``ori_shape`` (load the image first), ``num_labels``,
    ``ignore_index``, ``label_map`` and, for masks of several pages or with a palette,
    ``mask_classes``, which :class:`VPIDataset` sets.
    """

    def transform(self, results: dict) -> dict:
        """Reads ``results['seg_map_path']``; raises InputError naming the file."""
        if 'seg_map_path' not in results:
            return results
        mask = read_mask(
            results['seg_map_path'],
            results['num_labels'],
            results['ignore_index'],
            results['ori_shape'],
            results.get('mask_classes', ()),
        )
        if results.get('img_path') is not None:
            check_directions(results['seg_map_path'], results['img_path'])
        if results.get('label_map'):
            table = np.arange(256, dtype=np.uint8)
            for stored, wanted in results['label_map'].items():
                table[stored] = wanted
            mask = table[mask]
        results['gt_seg_map'] = mask
        results['seg_fields'] = ['gt_seg_map']
        return results


@TRANSFORMS.register_module()
class LoadVPIInstances(BaseTransform):
    """Loads the map of the bones one by one, or finds them in the mask.

    Adds ``gt_instances`` (uint16, (H, W), 0 where there is no bone) to ``seg_fields``,
    after ``LoadVPIAnnotations``. Where the data set has no file of them
    (``instance_path``), the 8-connected components of each class are the bones.
    """

    def transform(self, results: dict) -> dict:
        """Reads ``results['instance_path']``; raises InputError naming the file."""
        mask, ignored = results['gt_seg_map'], results['ignore_index']
        if results.get('instance_path') is None:
            bones = np.where(mask == ignored, 0, mask)
            instances = measure.label(bones, connectivity=2).astype(np.uint16)
        else:
            instances = read_instances(results['instance_path'], mask, ignored)
        results['gt_instances'] = instances
        results['seg_fields'].append('gt_instances')
        return results


@TRANSFORMS.register_module()
class ResizeVPI(Resize):
    """mmcv's ``Resize`` to a fixed size, with unbiased masks.

    mmcv's nearest neighbour takes the top left of the source pixels, which shifts a
    mask shrunk from 2574 to 1024 rows by 0.75 of its pixels against its image. The
    image is averaged over the source pixels, so that thin structures do not alias, or
    interpolated where it is enlarged.

    Args:
        scale (tuple[int, int]): (width, height), as in mmcv.
    """

    def __init__(self, scale: Tuple[int, int]) -> None:
        super().__init__(scale=tuple(scale), keep_ratio=False, interpolation='area')

    def _resize_img(self, results: dict) -> None:
        rows, cols = results['img'].shape[:2]
        enlarged = results['scale'][0] > cols or results['scale'][1] > rows
        self.interpolation = 'bilinear' if enlarged else 'area'
        super()._resize_img(results)

    def _resize_seg(self, results: dict) -> None:
        for key in results.get('seg_fields', []):
            results[key] = cv2.resize(
                results[key], results['scale'], interpolation=cv2.INTER_NEAREST_EXACT
            )


@TRANSFORMS.register_module()
class CropPatch(BaseTransform):
    """Cuts the patch out that the dataset assigned to this index.

    Requires ``patch``: (top, left, height, width) in pixels of the resized image.
    """

    def transform(self, results: dict) -> dict:
        """Crops ``img`` and every segmentation field."""
        top, left, height, width = results['patch']
        rows, cols = results['img'].shape[:2]
        if top + height > rows or left + width > cols:
            raise InputError(
                f'patches: the patch at row {top}, column {left} of {height} x {width} '
                f'leaves the image of {rows} x {cols}. image_size of the dataset and '
                'scale of ResizeVPI must agree.'
            )
        for key in ['img', *results.get('seg_fields', [])]:
            results[key] = results[key][top : top + height, left : left + width]
        results['img_shape'] = (height, width)
        return results


@TRANSFORMS.register_module()
class CacheTransforms(BaseTransform):
    """Runs deterministic transforms once per image and keeps their result.

    Dense patches read each image many times. At 1024 x 256 an image with its mask
    takes 1 MB, in each worker.

    Args:
        transforms (list[dict]): without random steps; what they return must depend on
            ``img_path`` alone, and later steps must not write into its arrays.
    """

    def __init__(self, transforms: List[dict]) -> None:
        self.transforms = Compose(transforms)
        self._cache: Dict[str, dict] = {}

    def transform(self, results: dict) -> dict:
        """Adds the results of the transforms to those of this sample."""
        path = results['img_path']
        if path not in self._cache:
            loaded = self.transforms(dict(results))
            # Not what belongs to the sample rather than to the image: its patch.
            self._cache[path] = {
                key: value
                for key, value in loaded.items()
                if value is not results.get(key)
            }
        return {**results, **self._cache[path]}


@TRANSFORMS.register_module()
class MonaiTransforms(BaseTransform):
    """Random transforms of MONAI, drawn from where mmcv's are drawn from.

    The image is given to them as ``img``, (1, H, W) float32 in [0, 1], the other fields
    as ``seg``, (K, H, W): MONAI's dictionary transforms name these two as ``keys``.
    Grey levels are clipped afterwards, and the image is float32 from 0 to 255.

    Args:
        transforms (list[dict]): ``type``, the name of a class of ``monai.transforms``,
            and its arguments.

    Raises:
        InputError: MONAI is not installed.
    """

    def __init__(self, transforms: List[dict]) -> None:
        try:
            monai = importlib.import_module('monai.transforms')
        except ImportError as error:
            raise InputError(
                'MonaiTransforms: monai is not installed. Install it (pip install '
                'monai), or give a train_pipeline without this step.'
            ) from error
        self.transforms = monai.Compose(
            [
                getattr(monai, step['type'])(
                    **{key: value for key, value in step.items() if key != 'type'}
                )
                for step in transforms
            ]
        )

    def transform(self, results: dict) -> dict:
        """Transforms the image and every segmentation field alike."""
        # MONAI keeps generators of its own. The global one is seeded for each sample.
        self.transforms.set_random_state(np.random.randint(2**31))  # noqa: NPY002
        fields = results.get('seg_fields', [])
        data: Dict[str, Any] = dict(img=results['img'][None].astype(np.float32) / 255)
        if fields:
            data['seg'] = np.stack([results[key] for key in fields]).astype(np.float32)
        data = self.transforms(data)
        results['img'] = np.clip(np.asarray(data['img'])[0] * 255, 0, 255)
        for key, value in zip(fields, np.asarray(data.get('seg', []))):
            results[key] = np.rint(value).astype(results[key].dtype)
        results['img_shape'] = results['img'].shape
        return results


@TRANSFORMS.register_module()
class PackVPIInputs(PackSegInputs):
    """mmseg's ``PackSegInputs``, which also packs ``gt_instances``, (1, H, W) int64.

    Args:
        channels (int): that the one channel of the image is repeated to; mmseg's
            browse_dataset.py draws three. Default: 1.
        **kwargs: of ``PackSegInputs``.
    """

    def __init__(self, channels: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channels = channels

    def transform(self, results: dict) -> dict:
        """Packs a sample."""
        if self.channels > 1:
            results['img'] = np.repeat(results['img'][..., None], self.channels, axis=2)
        packed = super().transform(results)
        if 'gt_instances' in results:
            instances = torch.from_numpy(results['gt_instances'][None].astype(np.int64))
            packed['data_samples'].gt_instances = PixelData(data=instances)
        return packed
