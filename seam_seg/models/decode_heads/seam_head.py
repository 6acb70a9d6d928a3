"""SEAM as a decode head that takes the place of mmseg's ``FPNHead``."""

from typing import Any, List, Optional, Sequence, Tuple, Union

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmseg.models.losses import accuracy
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..seam import SEAM
from .fpn_conv_head import wide_conv
from .merged_fpn_head import MergedFPNHead


def as_large(instances: Tensor, label: Tensor) -> Tensor:
    """A map of bones with the padding that mmseg gives to labels, and to nothing else.

    Args:
        instances (Tensor): (1, h, w) a number for each bone, 0 outside.
        label (Tensor): (B, H, W), padded on the right and below.

    Returns:
        Tensor: (1, H, W).
    """
    height, width = label.shape[1:]
    below, right = height - instances.shape[1], width - instances.shape[2]
    return F.pad(instances, (0, right, 0, below))


@MODELS.register_module()
class SEAMHead(MergedFPNHead):
    """FPN head whose merged feature map v passes through SEAM before the last layer.

    The loss is Eq. 9 of the paper: L = L_seg + lambda (L_cls + beta L_reg). L_seg is
    ``loss_decode`` (Eq. 8, logged as ``loss_ce``), L_cls is ``loss_key`` (Eq. 6, logged
    as ``loss_key``), L_reg is ``loss_center`` (Eq. 7, logged as ``loss_center``); the
    logged values contain their weights. Only training computes L_cls and L_reg.

    Args:
        in_channels (int | Sequence[int]): channels of the input levels; an int for a
            single feature map.
        in_index (int | Sequence[int]): indices of the levels, one for each of
            ``in_channels``. Default: -1.
        feature_strides (Sequence[int]): strides of the levels, finest first.
            Default: ``(1, )``, for a single feature map.
        reduction (int): C / C' inside SEAM. Default: 4.
        normalization (str, optional): inside Eq. 4: None (as printed),
            ``'key_mass'`` or ``'hw'``, see :class:`SEAM`. Default: None.
        attention (bool): False is the paper's 'w/o AL': the key is predicted from v
            and supervised while training, and v itself is classified. Default: True.
        conv (bool): without attention, v passes one more 3x3 convolution before it is
            classified, of the cost of rho, as in :class:`FPNConvHead`: 'w/o AL' with the
            capacity of SEAM. Default: False.
        lambda_ (float): weight of the key's supervision. Default: 0.4.
        beta (float): weight of the center regression inside it; 0 is the paper's
            'w/o SS', and then the center loss is not built. Default: 0.5.
        loss_key (dict, optional): config of L_cls; None leaves it out.
        loss_center (dict): config of L_reg.
        center_votes (bool): one more branch, which is not in the paper: from z, each
            pixel's offset to the center of its bone, by which bones are told apart at
            inference (:func:`seam_seg.evaluation.instances.group_votes`). With it the
            output has two more channels, the offsets (row, column) as shares of H and
            W: train on whole images, and test on them; of patches they are other shares.
            Default: False.
        loss_votes (dict): config of its loss.
        loss_decode (dict | list[dict]): config of L_seg. Ignored pixels are not
            averaged over, unlike mmseg's default.
        **kwargs: ``channels``, ``num_classes``, ``norm_cfg``, ``dropout_ratio``... of
            mmseg's ``BaseDecodeHead``.

    Raises:
        ValueError: a negative ``lambda_`` or ``beta``, fewer than two classes, levels
            that do not match, ``conv`` beside the attention, or neither attention nor
            any loss of the key.
    """

    def __init__(
        self,
        in_channels: Union[int, Sequence[int]],
        *,
        in_index: Union[int, Sequence[int]] = -1,
        feature_strides: Sequence[int] = (1,),
        reduction: int = 4,
        normalization: Optional[str] = None,
        attention: bool = True,
        conv: bool = False,
        lambda_: float = 0.4,
        beta: float = 0.5,
        loss_key: Optional[dict] = dict(type='SyncCrossEntropyLoss'),
        loss_center: dict = dict(type='CenterRegressionLoss'),
        loss_decode: Union[dict, List[dict]] = dict(type='SyncCrossEntropyLoss'),
        center_votes: bool = False,
        loss_votes: dict = dict(type='CenterRegressionLoss', mode='votes'),
        **kwargs: Any,
    ) -> None:
        if lambda_ < 0 or beta < 0:
            raise ValueError(
                'SEAMHead: lambda_ and beta must not be negative, got '
                f'{lambda_} and {beta}'
            )
        if attention and conv:
            raise ValueError(
                'SEAMHead: conv=True takes the place of the attention; set '
                'attention=False'
            )
        if not attention and loss_key is None and not lambda_ * beta:
            raise ValueError(
                'SEAMHead: attention=False without any loss of the key is FPNHead, or '
                'with conv=True FPNConvHead; take that'
            )
        in_channels, in_index = (
            [value] if isinstance(value, int) else list(value)
            for value in (in_channels, in_index)
        )
        if not len(in_channels) == len(in_index) == len(feature_strides):
            raise ValueError(
                'SEAMHead needs as many in_channels as in_index and feature_strides, got '
                f'{in_channels}, {in_index} and {list(feature_strides)}'
            )
        super().__init__(
            feature_strides=feature_strides,
            in_channels=in_channels,
            in_index=in_index,
            loss_decode=loss_decode,
            **kwargs,
        )
        if self.num_classes < 2 or self.out_channels != self.num_classes:
            raise ValueError(
                'SEAMHead needs num_classes >= 2 with one output channel '
                f'each, got num_classes={self.num_classes}, '
                f'out_channels={self.out_channels}'
            )
        self.lambda_ = lambda_
        self.beta = beta
        self.seam: Optional[SEAM] = None
        if attention:
            self.seam = SEAM(
                self.channels,
                self.num_classes,
                reduction,
                normalization,
                conv_cfg=self.conv_cfg,
                norm_cfg=self.norm_cfg,
                act_cfg=self.act_cfg,
            )
        else:
            self.varphi = nn.Conv2d(self.channels, self.num_classes, 1)
        self.conv: Optional[nn.Module] = None
        width = self.channels  # of what is classified
        if conv:
            self.conv, width = wide_conv(self), 2 * self.channels
            self.conv_seg = nn.Conv2d(width, self.out_channels, 1)
        self.loss_key = None if loss_key is None else MODELS.build(loss_key)
        self.votes: Optional[nn.Module] = None
        if center_votes:
            own = dict(num_classes=self.num_classes, ignore_index=self.ignore_index)
            self.loss_votes = MODELS.build({**own, **loss_votes})
            self.votes = nn.Sequential(
                ConvModule(
                    width,
                    self.channels,
                    3,
                    padding=1,
                    norm_cfg=self.norm_cfg,
                    act_cfg=self.act_cfg,
                ),
                nn.Conv2d(self.channels, 2, 1),
            )
        # Not built when unused: a layer of the loss without a gradient stalls DDP.
        self.loss_center = (
            MODELS.build(
                {
                    'num_classes': self.num_classes,
                    'ignore_index': self.ignore_index,
                    **loss_center,
                }
            )
            if lambda_ * beta > 0
            else None
        )

    def forward_train(
        self, inputs: Sequence[Tensor]
    ) -> Tuple[Tensor, Tensor, Optional[Tensor]]:
        """Class and key logits, both (B, N, H, W), and the votes, (B, 2, H, W)."""
        v = self.merge(inputs)
        if self.seam is None:
            z, k = self.without_attention(v), self.varphi(v)
        else:
            z, k = self.seam(v)
        return self.cls_seg(z), k, None if self.votes is None else self.votes(z)

    def without_attention(self, v: Tensor) -> Tensor:
        """What is classified in the place of z: v (B, C, H, W), or its convolution."""
        return v if self.conv is None else self.conv(v)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Class logits (B, N, H, W) of the merged map; no part that training needs.

        With ``center_votes``, (B, N + 2, H, W).
        """
        v = self.merge(inputs)
        z = self.without_attention(v) if self.seam is None else self.seam(v)[0]
        if self.votes is None:
            return self.cls_seg(z)
        return torch.cat([self.cls_seg(z), self.votes(z)], dim=1)

    def loss(
        self, inputs: Sequence[Tensor], batch_data_samples: list, train_cfg: dict
    ) -> dict:
        """Eq. 9, term by term.

        Args:
            inputs (Sequence[Tensor]): feature maps of the host.
            batch_data_samples (list[SegDataSample]): with ``gt_sem_seg``.
            train_cfg (dict): mmseg's; not used.

        Returns:
            dict[str, Tensor]: ``loss_ce`` (or what ``loss_decode`` is named),
            ``loss_key``, ``loss_center``, ``loss_votes``, ``acc_seg`` and ``acc_key``.
        """
        seg_logits, k, votes = self.forward_train(inputs)
        losses = self.loss_by_feat(seg_logits, batch_data_samples)
        label = self._stack_batch_gt(batch_data_samples).squeeze(1)
        if self.loss_key is not None:
            # The key is compared at the resolution of the label, as the logits are.
            k_full = resize(
                k, size=label.shape[1:], mode='bilinear', align_corners=self.align_corners
            )
            losses['loss_key'] = self.lambda_ * self.loss_key(
                k_full, label, ignore_index=self.ignore_index
            )
            losses['acc_key'] = accuracy(k_full, label, ignore_index=self.ignore_index)
        if self.loss_center is not None:
            losses['loss_center'] = self.lambda_ * self.beta * self.loss_center(k, label)
        if votes is not None:
            bones = None
            if all('gt_instances' in sample for sample in batch_data_samples):
                bones = torch.cat(
                    [as_large(s.gt_instances.data, label) for s in batch_data_samples]
                )
            losses['loss_votes'] = self.loss_votes(votes, label, bones)
        return losses
