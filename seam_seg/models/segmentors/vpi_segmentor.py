"""Brings predictions back to the original resolution as the paper does."""

import warnings
from typing import Any, List, Optional, Sequence

import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models import EncoderDecoder, SegTTAModel
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

RESIZE = ('mask', 'logits')


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
        output = output.flip(dims=(2 if meta['flip_direction'] == 'horizontal' else 1,))
    return output


@MODELS.register_module()
class VPISegmentor(EncoderDecoder):
    """mmseg's ``EncoderDecoder`` with the paper's way back to the original size.

    ``test_cfg['resize']`` chooses it: ``'mask'`` (default) takes the class at the
    network's resolution and resizes the mask by nearest neighbour (paper, Sec. 3.1:
    'the segmentation mask, which was then resized to the original resolution');
    ``'logits'`` resizes the logits bilinearly first (mmseg's habit), which is smoother
    and several times dearer at 2574 x 640. With ``'mask'``, the ``seg_logits`` of the
    results stay at the network's resolution.

    Where the head votes for centers of bones (``center_votes`` of :class:`SEAMHead`), the
    results hold ``votes``, (2, h, w) at the network's resolution.

    Args:
        **kwargs: of mmseg's ``EncoderDecoder``.

    Raises:
        ValueError: an unknown ``test_cfg['resize']``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.resize = (self.test_cfg or {}).get('resize', 'mask')
        if self.resize not in RESIZE:
            raise ValueError(
                f'VPISegmentor: test_cfg.resize={self.resize!r} is none of {RESIZE}'
            )

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
                if sample.metainfo.get('flip'):
                    # what pointed to one side points to the other
                    axis = ('vertical', 'horizontal').index(
                        sample.metainfo['flip_direction']
                    )
                    data[axis] *= -1
                sample.set_data(dict(votes=PixelData(data=data)))
        if self.resize == 'logits':
            return super().postprocess_result(seg_logits, data_samples)
        for sample, logits in zip(data_samples, seg_logits):
            meta = sample.metainfo
            logits = turned_back(logits, meta)
            mask = logits.argmax(dim=0, keepdim=True)
            sample.set_data(
                dict(
                    seg_logits=PixelData(data=logits),
                    pred_sem_seg=PixelData(data=resize_mask(mask, meta['ori_shape'])),
                )
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
            list[SegDataSample]: one for each image.
        """
        with warnings.catch_warnings():  # of the shape, which is mended below
            warnings.filterwarnings('ignore', message='The shape of value will convert')
            merged = super().merge_preds(data_samples_list)
        for sample in merged:
            mask = sample.pred_sem_seg.data.reshape(
                1, *sample.pred_sem_seg.data.shape[-2:]
            )
            sample.pred_sem_seg = PixelData(
                data=resize_mask(mask, sample.metainfo['ori_shape'])
            )
        return merged
