"""The center regression of the key, Eq. 7 of the paper."""

from typing import Optional, Sequence

import torch
import torch.nn.functional as F
from mmengine.dist import get_world_size
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..segments import SEGMENTS, SegmentMaps, segment_maps
from .sync_cross_entropy_loss import mean_over_processes

MODES = ('centroid', 'offset', 'votes')


def positions(like: Tensor) -> Tensor:
    """Normalised (row, column) of the pixel centers, shape (2, h, w), of (..., h, w)."""
    height, width = like.shape[-2:]
    rows = torch.arange(height, device=like.device, dtype=like.dtype) + 0.5
    cols = torch.arange(width, device=like.device, dtype=like.dtype) + 0.5
    return torch.stack(torch.meshgrid(rows / height, cols / width, indexing='ij'))


def _shrink(labels: Tensor, size: Sequence[int]) -> Tensor:
    """Brings labels (B, H, W) to another (h, w), by nearest neighbour."""
    labels = labels[:, None].float()
    return F.interpolate(labels, size=tuple(size), mode='nearest-exact')[:, 0].long()


@MODELS.register_module()
class CenterRegressionLoss(nn.Module):
    """Smooth-l1 between the estimated and the true center of each segment, Eq. 7.

    In Eq. 7 the pixel's own position p(k_i) cancels, so that the difference of the
    offsets is p(c) - p(c-hat), the same for every pixel of a segment; averaged over
    the foreground pixels, a segment weighs by its share of them. The paper leaves
    c-hat, the segment and the threshold open; both readings are here:

    - ``mode='centroid'``, the words of the paper: c-hat is the center of mass of k'
      (softmax of the key, Eq. 3) over the pixels that belong to the segment.
    - ``mode='offset'``, its source SA-SSD [15]: each pixel's offset to its center is
      predicted from the foreground key channels by a 1x1 convolution, which belongs to
      this loss and is needed in training only.
    - ``mode='votes'``: not in the paper. The offsets are given, as by the branch of
      :class:`SEAMHead` that predicts them at inference too.
    - ``segments='instance'``: each connected bone has a center, and each pixel belongs
      to the nearest bone of the class in question; bones are connected, or apart, at the
      resolution of the key, so that those less than a pixel of it apart are one.
      ``segments='class'``: a class has one center.

    Positions are pixel centers, (i + 0.5) / h and (j + 0.5) / w, at the resolution of
    the key; the label is brought to it by nearest neighbour. 1[k_i != 0] is read as the
    true label; smooth-l1 is summed over the two coordinates.

    With coordinates in [0, 1] the loss is hardly felt: smooth-l1 is quadratic all over
    the image, and its gradient a few thousandths of that of the key's cross entropy. And
    a center of mass over all pixels nearest to a bone is moved as much by a faint key far
    away as by the bone. ``in_pixels`` and ``reach`` are the remedies, not in the paper.

    Args:
        mode (str): ``'centroid'``, ``'offset'`` or ``'votes'``. Default:
            ``'centroid'``.
        segments (str): ``'instance'`` or ``'class'``. Default: ``'instance'``.
        num_classes (int): N, the background included. Default: 4.
        smooth_l1_beta (float, optional): threshold of smooth-l1, in units of the
            normalised coordinates. Default: None: 1 for ``'centroid'`` (the usual
            smooth-l1), 1/9 for ``'offset'`` (SA-SSD's), 0.01 for ``'votes'``: below the
            offsets inside a bone, so that the loss is felt.
        in_pixels (bool): differences are taken in pixels of the key instead, and so is
            the threshold, whose default is then 1. Default: False.
        reach (float, optional): for ``'centroid'``: the key's mass counts for a segment
            up to so many pixels of the key from it. Default: None, without a limit.
        loss_weight (float): Default: 1.
        ignore_index (int): label of the pixels that do not count. Default: 255.

    Raises:
        ValueError: an unknown mode or kind of segments, a number out of range, or a
            ``reach`` in another mode than ``'centroid'``.
    """

    def __init__(
        self,
        mode: str = 'centroid',
        segments: str = 'instance',
        num_classes: int = 4,
        smooth_l1_beta: Optional[float] = None,
        loss_weight: float = 1.0,
        ignore_index: int = 255,
        in_pixels: bool = False,
        reach: Optional[float] = None,
    ) -> None:
        super().__init__()
        if mode not in MODES:
            raise ValueError(f'CenterRegressionLoss: mode={mode!r} is none of {MODES}')
        if segments not in SEGMENTS:
            raise ValueError(
                f'CenterRegressionLoss: segments={segments!r} is none of {SEGMENTS}'
            )
        if num_classes < 2:
            raise ValueError(
                f'CenterRegressionLoss needs num_classes >= 2, got {num_classes}'
            )
        if smooth_l1_beta is None:
            normalised = dict(centroid=1.0, offset=1 / 9, votes=0.01)[mode]
            smooth_l1_beta = 1.0 if in_pixels else normalised
        if smooth_l1_beta <= 0:
            raise ValueError(
                'CenterRegressionLoss: smooth_l1_beta must be positive, '
                f'got {smooth_l1_beta}'
            )
        if reach is not None and (mode != 'centroid' or reach < 0):
            raise ValueError(
                "CenterRegressionLoss: reach is for mode='centroid' and not negative, "
                f'got reach={reach} and mode={mode!r}'
            )
        self.mode = mode
        self.segments = segments
        self.num_classes = num_classes
        self.smooth_l1_beta = smooth_l1_beta
        self.loss_weight = loss_weight
        self.ignore_index = ignore_index
        self.in_pixels = in_pixels
        self.reach = reach
        if mode == 'offset':
            self.offset_layer = nn.Conv2d(num_classes - 1, 2, 1)

    def forward(
        self, key_logits: Tensor, label: Tensor, bones: Optional[Tensor] = None
    ) -> Tensor:
        """Takes the loss of a batch.

        Args:
            key_logits (Tensor): k before the softmax, shape (B, N, h, w); for
                ``'votes'`` the offsets, (B, 2, h, w), see :func:`positions`.
            label (Tensor): integer labels, shape (B, H, W), of any resolution; 0 is
                the background.
            bones (Tensor, optional): (B, H, W) a number for each bone. Default: None,
                the connected components of the label are the bones.

        Returns:
            Tensor: a scalar in float32 or better. Exactly zero, with zero gradients,
            where there is no foreground. In a training of several processes, each
            divides by the mean of their numbers of foreground pixels.

        Raises:
            ValueError: the shapes do not fit.
        """
        channels = 2 if self.mode == 'votes' else self.num_classes
        if (
            key_logits.dim() != 4
            or label.dim() != 3
            or key_logits.shape[1] != channels
            or key_logits.shape[0] != label.shape[0]
        ):
            raise ValueError(
                f'CenterRegressionLoss: key_logits must be (B, {channels}, h, '
                f'w) and label (B, H, W), got {tuple(key_logits.shape)} and '
                f'{tuple(label.shape)}'
            )
        if bones is not None and bones.shape != label.shape:
            raise ValueError(
                'CenterRegressionLoss: bones and label must be of one size, got '
                f'{tuple(bones.shape)} and {tuple(label.shape)}'
            )
        size = key_logits.shape[2:]
        dtype = torch.promote_types(key_logits.dtype, torch.float32)
        maps = segment_maps(
            _shrink(label, size),
            self.num_classes,
            self.segments,
            self.ignore_index,
            None if bones is None else _shrink(bones, size),
            self.reach,
            dtype,
        )
        with torch.autocast(device_type=key_logits.device.type, enabled=False):
            term = self._centroid if self.mode == 'centroid' else self._offset
            loss = term(key_logits.to(dtype), maps)
            # over all processes, see SyncCrossEntropyLoss
            foreground = mean_over_processes(maps.sizes.sum()).to(dtype)
            return self.loss_weight * loss / foreground.clamp(min=1 / get_world_size())

    def _smooth_l1(self, difference: Tensor, size: Sequence[int]) -> Tensor:
        """Of differences along (row, column) in their second dimension.

        Args:
            difference (Tensor): (S, 2) or (B, 2, h, w), in normalised coordinates.
            size (Sequence[int]): (h, w) of the key.
        """
        if self.in_pixels:
            shape = (2, *[1] * (difference.dim() - 2))
            difference = difference * difference.new_tensor(size).view(shape)
        return F.smooth_l1_loss(
            difference,
            torch.zeros_like(difference),
            reduction='none',
            beta=self.smooth_l1_beta,
        )

    def _centroid(self, key_logits: Tensor, maps: SegmentMaps) -> Tensor:
        """Sum over the foreground pixels, with the estimated centers of mass."""
        k_prime = key_logits.softmax(dim=1)[:, 1:]
        members = maps.members.flatten()
        weights = k_prime.flatten()
        centers = maps.centers
        axes = positions(key_logits)
        # Deviations from the true center are summed, not positions: the sum is small
        # where the estimate is good, and an absent mass leaves it at zero.
        shift = [
            weights.new_zeros(len(centers)).index_add(
                0,
                members,
                weights * (axis.expand_as(k_prime).flatten() - centers[members, i]),
            )
            for i, axis in enumerate(axes)
        ]
        mass = weights.new_zeros(len(centers)).index_add(0, members, weights)
        # Below a thousandth of a pixel the estimate fades to the true center: where
        # the key is empty there is no center to correct, and its cross entropy acts.
        difference = torch.stack(shift, dim=1) / mass.clamp(min=1e-3)[:, None]
        return (
            self._smooth_l1(difference, key_logits.shape[2:]).sum(dim=1) * maps.sizes
        ).sum()

    def _offset(self, key_logits: Tensor, maps: SegmentMaps) -> Tensor:
        """Sum over the foreground pixels, with the predicted or the given offsets."""
        predicted = key_logits
        if self.mode == 'offset':
            layer = self.offset_layer.parameters()
            weight, bias = (x.to(key_logits.dtype) for x in layer)
            predicted = F.conv2d(key_logits[:, 1:], weight, bias)
        centers = maps.centers[maps.own].permute(0, 3, 1, 2)
        true = positions(key_logits) - centers
        foreground = (maps.own < len(maps.sizes) - 1)[:, None]
        # masked_fill, not a product: an infinite prediction times zero is no zero
        difference = (predicted - true).masked_fill(~foreground, 0)
        return self._smooth_l1(difference, key_logits.shape[2:]).sum()
