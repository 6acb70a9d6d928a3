"""Brings predictions back to the original resolution."""

import math
from typing import Any, Callable, List, Optional, Sequence, Tuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models import EncoderDecoder, SegTTAModel
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

RESIZE = ('mask', 'logits')
# mmcv's directions of a flip -> the axes of (C, h, w).
FLIPPED = dict(horizontal=(2,), vertical=(1,), diagonal=(1, 2))


def largest(maps: Tensor, shape: Sequence[int]) -> Tuple[np.ndarray, np.ndarray]:
    """Which of several maps is the largest at each pixel of another size, and how large.

    The maps are resized bilinearly (of the pixel centers) one after the other by OpenCV,
    and none is kept: a small part of the time of resizing all of them in torch and taking
    ``argmax`` (``studies/speed``), and the same labels but for ties.

    Args:
        maps (Tensor): (N, h, w), at most 256 of them.
        shape (Sequence[int]): the wanted (H, W).

    Returns:
        tuple[np.ndarray, np.ndarray]: (H, W) uint8, the first of the largest, and (H, W)
        float32, its value.
    """
    first, *others = np.ascontiguousarray(maps.detach().float().cpu().numpy())
    size = (int(shape[1]), int(shape[0]))
    values = cv2.resize(first, size, interpolation=cv2.INTER_LINEAR)
    labels = np.zeros(values.shape, np.uint8)
    for label, other in enumerate(others, 1):
        resized = cv2.resize(other, size, interpolation=cv2.INTER_LINEAR)
        larger = cv2.compare(resized, values, cv2.CMP_GT)  # 255 where it is
        # A later label is a larger number: the maximum of both is the later one.
        cv2.max(labels, cv2.bitwise_and(larger, label), dst=labels)
        cv2.max(values, resized, dst=values)
    return labels, values


def resize_mask(mask: Tensor, shape: Sequence[int]) -> Tensor:
    """Resizes a label map by nearest neighbour (of the pixel centers).

    Args:
        mask (Tensor): (1, h, w) integer labels below 256.
        shape (Sequence[int]): the wanted (H, W).

    Returns:
        Tensor: (1, H, W) int64.
    """
    if tuple(mask.shape[1:]) == tuple(shape[:2]):
        return mask.long()
    return F.interpolate(mask[None].byte(), size=tuple(shape[:2]), mode='nearest-exact')[
        0
    ].long()


def way_back(logits: Tensor, shape: Sequence[int], resize: str) -> Tensor:
    """The mask of logits at the original size.

    Args:
        logits (Tensor): (N, h, w).
        shape (Sequence[int]): the original (H, W).
        resize (str): of :data:`RESIZE`, see :class:`VPISegmentor`.

    Returns:
        Tensor: (1, H, W) int64, on the device of the logits.
    """
    if resize == 'mask':
        return resize_mask(logits.max(dim=0, keepdim=True).indices, shape)
    labels = torch.from_numpy(largest(logits, shape)[0][None])
    return labels.to(logits.device).long()


def mean_result(results: Sequence[SegDataSample], resize: str) -> SegDataSample:
    """Several results for one image as one: the mean of their probabilities.

    Args:
        results (Sequence[SegDataSample]): of :class:`VPISegmentor`.
        resize (str): of :data:`RESIZE`.

    Returns:
        SegDataSample: the first one, changed. ``seg_logits`` are the logarithms of the
        mean probabilities, ``pred_sem_seg`` their mask; ``votes``, where there are some,
        are the mean.
    """
    merged = results[0]
    if 'votes' in merged:
        votes = torch.stack([result.votes.data for result in results])
        merged.votes = PixelData(data=votes.mean(dim=0))
    logs = [result.seg_logits.data.float().log_softmax(dim=0) for result in results]
    # Not the logarithm of the mean, which has no value where all of them round to 0.
    logits = torch.stack(logs).logsumexp(dim=0) - np.log(len(logs))
    mask = way_back(logits, merged.metainfo['ori_shape'], resize)
    merged.seg_logits = PixelData(data=logits)
    merged.pred_sem_seg = PixelData(data=mask)
    return merged


def turned_back(output: Tensor, meta: dict) -> Tensor:
    """Takes the padding and the mirroring of the input away from an output.

    Args:
        output (Tensor): (C, h, w).
        meta (dict): of the sample.

    Returns:
        Tensor: (C, h', w').
    """
    left, right, top, bottom = meta.get(
        'img_padding_size', meta.get('padding_size', (0, 0, 0, 0))
    )
    height, width = output.shape[1:]
    output = output[:, top : height - bottom, left : width - right]
    if meta.get('flip'):
        output = output.flip(dims=FLIPPED[meta['flip_direction']])
    return output


@MODELS.register_module()
class VPISegmentor(EncoderDecoder):
    """mmseg's ``EncoderDecoder`` with two ways back to the original size.

    ``test_cfg['resize']`` chooses one: ``'mask'`` (default) takes the class at the
    network's resolution and resizes the mask by nearest neighbour (paper, Sec. 3.1:
    'the segmentation mask, which was then resized to the original resolution'), which
    leaves edges in steps; ``'logits'`` resizes the logits bilinearly and takes the class
    then, which is smooth, and mmseg's mask at hardly more than the cost of the other
    (:func:`largest`). Pixel centers stay where they are, whatever ``align_corners`` of
    the head. Either way the ``seg_logits`` of the results stay at the network's
    resolution.

    With ``test_cfg['mirror']`` the network sees the mirrored image too, and the mean of
    both is the prediction: that of a mirrored image is then the mirrored one.

    Where the head votes for centers of bones (``center_votes`` of :class:`SEAMHead`), the
    results hold ``votes``, (2, h, w) at the network's resolution.

    Args:
        **kwargs: of mmseg's ``EncoderDecoder``.

    Raises:
        ValueError: an unknown ``test_cfg['resize']``, a head of one channel for two
            classes, or votes with ``mode='slide'``, whose windows are no whole image.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.resize = (self.test_cfg or {}).get('resize', 'mask')
        self.mirror = (self.test_cfg or {}).get('mirror', False)
        if self.resize not in RESIZE:
            raise ValueError(
                f'VPISegmentor: test_cfg.resize={self.resize!r} is none of {RESIZE}'
            )
        if self.out_channels != self.num_classes:
            raise ValueError(
                f'VPISegmentor: out_channels={self.out_channels} of the head for '
                f'{self.num_classes} classes; the largest of one channel for each class '
                'is taken. Leave out_channels out.'
            )
        votes = getattr(self.decode_head, 'votes', None)
        if votes is not None and (self.test_cfg or {}).get('mode') == 'slide':
            raise ValueError(
                'VPISegmentor: center_votes are shares of the whole image; test_cfg.mode='
                "'slide' shows windows of it. Take mode='whole'."
            )

    def _forward(self, inputs: Tensor, data_samples: Optional[list] = None) -> Tensor:
        """Logits of the head; of mmseg's DANet, which returns several, the first."""
        output = super()._forward(inputs, data_samples)
        return output[0] if isinstance(output, tuple) else output

    def inference(self, inputs: Tensor, batch_img_metas: List[dict]) -> Tensor:
        """mmseg's, with the mean of both sides where ``mirror`` is set.

        Args:
            inputs (Tensor): (B, C, H, W).
            batch_img_metas (list[dict]): of the images.

        Returns:
            Tensor: (B, N, H, W) logits, or (B, N + 2, H, W) with votes.
        """
        infer = super().inference
        return self.both_sides(lambda images: infer(images, batch_img_metas), inputs)

    def both_sides(self, network: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
        """A network's output, where ``mirror`` is set the mean with the mirrored image's.

        Args:
            network (Callable): maps (B, C, H, W) to logits, (B, N, H, W), that votes may
                follow, (B, 2, H, W).
            inputs (Tensor): (B, C, H, W).

        Returns:
            Tensor: of the same shape as the network's output: the logarithms of the mean
            probabilities, and the mean votes.
        """
        output = network(inputs)
        if not self.mirror:
            return output
        mirrored = network(inputs.flip(dims=(3,))).flip(dims=(3,))
        (logits, votes), (others, opposite) = (
            maps.tensor_split([self.num_classes], dim=1) for maps in (output, mirrored)
        )
        log_mean = torch.logaddexp(
            logits.log_softmax(dim=1), others.log_softmax(dim=1)
        ) - math.log(2)
        if not votes.shape[1]:
            return log_mean
        # What pointed to one side points to the other.
        down, across = opposite.split(1, dim=1)
        votes = (votes + torch.cat([down, -across], dim=1)) / 2
        return torch.cat([log_mean, votes], dim=1)

    def postprocess_result(
        self, seg_logits: Tensor, data_samples: Optional[List[SegDataSample]] = None
    ) -> List[SegDataSample]:
        """Turns logits into label maps at the original resolution.

        Args:
            seg_logits (Tensor): (B, N, h, w) at the network's resolution.
            data_samples (list[SegDataSample], optional): with the meta information of
                the images; without it, the results keep the network's resolution.

        Returns:
            list[SegDataSample]: with ``seg_logits`` and ``pred_sem_seg``.
        """
        seg_logits, votes = seg_logits.tensor_split([self.num_classes], dim=1)
        if data_samples is None:
            return super().postprocess_result(seg_logits, data_samples)
        if votes.shape[1]:
            for sample, offsets in zip(data_samples, votes):
                data = turned_back(offsets, sample.metainfo)
                # Offsets are shares of the size, which was larger with the padding.
                sizes = zip(offsets.shape[1:], data.shape[1:])
                data = data * data.new_tensor([a / b for a, b in sizes]).view(2, 1, 1)
                if sample.metainfo.get('flip'):
                    # what pointed to one side points to the other
                    for dim in FLIPPED[sample.metainfo['flip_direction']]:
                        data[dim - 1] *= -1
                sample.set_data(dict(votes=PixelData(data=data)))
        for sample, logits in zip(data_samples, seg_logits):
            meta = sample.metainfo
            logits = turned_back(logits, meta)
            mask = way_back(logits, meta['ori_shape'], self.resize)
            sample.set_data(
                dict(seg_logits=PixelData(data=logits), pred_sem_seg=PixelData(data=mask))
            )
        return data_samples


@MODELS.register_module()
class VPITTAModel(SegTTAModel):
    """mmseg's test-time augmentation, brought back like :class:`VPISegmentor` does.

    The mean of the class probabilities is taken at the resolution of the logits, so
    the augmentations must share one input size (flips do).
    """

    def merge_preds(
        self, data_samples_list: List[List[SegDataSample]]
    ) -> List[SegDataSample]:
        """Merges the augmented predictions of each image into one.

        Args:
            data_samples_list (list[list[SegDataSample]]): per image, per augmentation.

        Returns:
            list[SegDataSample]: one for each image, see :func:`mean_result`.
        """
        resize = getattr(self.module, 'resize', 'mask')
        return [mean_result(results, resize) for results in data_samples_list]
