"""'Attention on v': the attentions of DANet, EMANet and NonLocal on the FPN map.

Each is its attention module (mmseg's or mmcv's, as it is) on the same merged FPN feature
map v that SEAM gets, so that the attention alone is compared. The rows of the paper's
Table 1 can hardly be these: its GPU could not have held DANet's attention on v. Those are
rather the methods' own heads on a dilated ResNet, for which mmseg's heads are taken as
they are (the configs named ``r50-d8``); its times fit neither. What DANet's and
EMANet's own heads wrap around the attention, a 3x3 convolution before and one behind it
(in DANet for each branch), is not in the heads here. The configs set ``concat_input``: a
3x3 convolution fuses the attended map with v, as SEAM's rho does.

Memory: PAM and NonLocal hold attention between all pairs of positions, (H * W)^2 floats.
At stride 4 and in float32 that is 0.25 GiB for each 512 x 256 patch (8,192 positions)
and 1 GiB for a 1024 x 256 image (16,384 positions). Inference holds it twice for a
moment (before and after the softmax), 2 GiB for such an image; training keeps it once
per patch until the backward pass and then holds it three times (itself, its gradient and
the gradient before the softmax), some 9 GiB for a batch of 12 patches. EMANet holds
H * W times the number of bases instead, a few MiB.
"""

from typing import Any, Dict, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule, NonLocal2d
from mmseg.models.decode_heads.da_head import CAM, PAM
from mmseg.models.decode_heads.ema_head import EMAModule
from mmseg.registry import MODELS
from mmseg.utils import add_prefix
from torch import Tensor, nn

from .merged_fpn_head import MergedFPNHead


def added(v: Tensor, attended: Tensor) -> float:
    """The norm of what an attention adds to v, as a fraction of the norm of v."""
    return ((attended - v).norm() / v.norm()).item()


class FPNAttentionHead(MergedFPNHead):
    """Base: merged FPN map v (B, C, H, W), attention, last 1x1 convolution.

    Args:
        feature_strides (Sequence[int]): strides of the levels, finest first.
        concat_input (bool): True puts a 3x3 convolution with norm and activation on
            [attended, v], as mmseg's attention heads can, which is also SEAM's rho. With
            it each of these heads has more weights than SEAM's ('capacity equal to, or
            larger'); without it, attention is the only difference to the vanilla FPN.
            Default: False.
        **kwargs: of mmseg's ``BaseDecodeHead``.
    """

    def __init__(
        self, feature_strides: Sequence[int], concat_input: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(feature_strides=feature_strides, **kwargs)
        self.conv_cat = (
            ConvModule(
                2 * self.channels,
                self.channels,
                3,
                padding=1,
                conv_cfg=self.conv_cfg,
                norm_cfg=self.norm_cfg,
                act_cfg=self.act_cfg,
            )
            if concat_input
            else None
        )

    def attend(self, v: Tensor) -> Tensor:
        """The attention, with its own residual connection; keeps the shape of v."""
        raise NotImplementedError

    def fuse(self, attended: Tensor, v: Tensor) -> Tensor:
        """What the last layer gets, (B, C, H, W)."""
        if self.conv_cat is None:
            return attended
        return self.conv_cat(torch.cat([attended, v], dim=1))

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Class logits (B, N, H, W) of the merged map; no part that training needs."""
        v = self.merge(inputs)
        return self.cls_seg(self.fuse(self.attend(v), v))

    @torch.no_grad()
    def gates(self, inputs: Sequence[Tensor]) -> Dict[str, float]:
        """How far the attention is used: some begin as the identity and may stay it.

        Args:
            inputs (Sequence[Tensor]): feature maps of the host.

        Returns:
            dict[str, float]: ``added``, the norm of what the attention adds to v as a
            fraction of the norm of v.

        Raises:
            RuntimeError: in training mode, where the pass would change statistics.
        """
        if self.training:
            raise RuntimeError(
                f'{type(self).__name__}.gates: call eval() first, a pass '
                'in training mode changes the statistics of the head'
            )
        return self.gates_of(self.merge(inputs))

    def gates_of(self, v: Tensor) -> Dict[str, float]:
        """:meth:`gates` on the merged map (B, C, H, W)."""
        return dict(added=added(v, self.attend(v)))


@MODELS.register_module()
class FPNDAHead(FPNAttentionHead):
    """DANet's position and channel attention on the merged FPN map.

    Fu et al., 'Dual Attention Network for Scene Segmentation', CVPR 2019. As there, the
    two attended maps are summed, and each has a classifier and a loss of its own while
    training, of the weight of the main one. The losses are named as by mmseg's
    ``DAHead``: ``pam_cam.loss_ce``, ``pam.loss_ce``, ``cam.loss_ce``.

    The sum is halved: both attentions begin as the identity (gamma = 0), and half of
    v + v is what the vanilla FPN classifies. The ratio of v to its attended forms is the
    paper's.

    Args:
        feature_strides (Sequence[int]): strides of the levels, finest first.
        pam_channels (int): of query and key in the position attention; C / 8 in the
            paper.
        **kwargs: of :class:`FPNAttentionHead`.
    """

    def __init__(
        self, feature_strides: Sequence[int], pam_channels: int, **kwargs: Any
    ) -> None:
        super().__init__(feature_strides=feature_strides, **kwargs)
        self.pam = PAM(self.channels, pam_channels)
        self.cam = CAM()
        self.pam_conv_seg = nn.Conv2d(self.channels, self.out_channels, 1)
        self.cam_conv_seg = nn.Conv2d(self.channels, self.out_channels, 1)

    def branches(self, v: Tensor) -> Tuple[Tensor, Tensor]:
        """v after the position and after the channel attention, both (B, C, H, W)."""
        # The channels' products are sums over all positions, beyond float16's range.
        with torch.autocast(device_type=v.device.type, enabled=False):
            cam = self.cam(v.to(torch.promote_types(v.dtype, torch.float32)))
        return self.pam(v), cam.to(v.dtype)

    def attend(self, v: Tensor) -> Tensor:
        """Half of the sum of the branches, (B, C, H, W)."""
        pam, cam = self.branches(v)
        return (pam + cam) / 2

    def forward_train(self, inputs: Sequence[Tensor]) -> Tuple[Tensor, Tensor, Tensor]:
        """Class logits (B, N, H, W): of the sum, of the position and channel branch."""
        v = self.merge(inputs)
        pam, cam = self.branches(v)
        dropout = nn.Identity() if self.dropout is None else self.dropout
        return (
            self.cls_seg(self.fuse((pam + cam) / 2, v)),
            self.pam_conv_seg(dropout(pam)),
            self.cam_conv_seg(dropout(cam)),
        )

    def loss(
        self, inputs: Sequence[Tensor], batch_data_samples: list, train_cfg: dict
    ) -> dict:
        """The loss of the sum and of each branch.

        Args:
            inputs (Sequence[Tensor]): feature maps of the host.
            batch_data_samples (list[SegDataSample]): with ``gt_sem_seg``.
            train_cfg (dict): mmseg's; not used.

        Returns:
            dict[str, Tensor]: ``loss_ce`` (or what ``loss_decode`` is named) and
            ``acc_seg`` behind each of the prefixes ``pam_cam.``, ``pam.``, ``cam.``.
        """
        losses = dict()
        for name, logits in zip(('pam_cam', 'pam', 'cam'), self.forward_train(inputs)):
            losses.update(add_prefix(self.loss_by_feat(logits, batch_data_samples), name))
        return losses

    def gates_of(self, v: Tensor) -> Dict[str, float]:
        """Both gammas, and ``added`` for each branch alone and for their half sum."""
        pam, cam = self.branches(v)
        return dict(
            added=added(v, (pam + cam) / 2),
            added_pam=added(v, pam),
            added_cam=added(v, cam),
            gamma_pam=self.pam.gamma.scale.item(),
            gamma_cam=self.cam.gamma.scale.item(),
        )


@MODELS.register_module()
class FPNEMAHead(FPNAttentionHead):
    """EMANet's expectation-maximization attention on the merged FPN map.

    Li et al., 'Expectation-Maximization Attention Networks for Semantic Segmentation',
    ICCV 2019: their unit of two 1x1 convolutions around the attention, and the residual
    connection. There is no gradient through the iterations, so the first convolution
    keeps its random weights, as in mmseg's ``EMAHead`` (and, without saying so, in the
    authors' code). The bases belong to no loss: they are a buffer, and each forward pass
    in training mode moves them towards the mean over the batch (and over the processes).

    There is no gate: the head does not begin as the vanilla FPN.

    Args:
        feature_strides (Sequence[int]): strides of the levels, finest first.
        num_bases (int): 64 for 512 channels in the paper. Default: 64.
        num_stages (int): iterations. Default: 3.
        momentum (float): weight of the new bases. Default: 0.1.
        **kwargs: of :class:`FPNAttentionHead`.
    """

    def __init__(
        self,
        feature_strides: Sequence[int],
        num_bases: int = 64,
        num_stages: int = 3,
        momentum: float = 0.1,
        **kwargs: Any,
    ) -> None:
        super().__init__(feature_strides=feature_strides, **kwargs)
        # v is a sum of activations, not negative; the attention wants both signs.
        self.ema_mid_conv = ConvModule(
            self.channels,
            self.channels,
            1,
            conv_cfg=self.conv_cfg,
            norm_cfg=None,
            act_cfg=None,
        )
        self.ema_mid_conv.requires_grad_(False)
        self.ema_module = EMAModule(self.channels, num_bases, num_stages, momentum)
        self.ema_out_conv = ConvModule(
            self.channels,
            self.channels,
            1,
            conv_cfg=self.conv_cfg,
            norm_cfg=self.norm_cfg,
            act_cfg=None,
        )

    def attend(self, v: Tensor) -> Tensor:
        """v with its reconstruction from the bases, (B, C, H, W)."""
        recon = F.relu(self.ema_module(self.ema_mid_conv(v)))
        return F.relu(v + self.ema_out_conv(recon))


@MODELS.register_module()
class FPNNonLocalHead(FPNAttentionHead):
    """The non-local block on the merged FPN map.

    Wang et al., 'Non-local Neural Networks', CVPR 2018. Its last layer begins at zero,
    so that the head begins as the vanilla FPN.

    Args:
        feature_strides (Sequence[int]): strides of the levels, finest first.
        reduction (int): C over the channels inside the block. Default: 2.
        use_scale (bool): whether the products are divided by the square root of the
            channels inside the block. Default: True.
        mode (str): mmcv's name of the pairwise function.
            Default: ``'embedded_gaussian'``.
        **kwargs: of :class:`FPNAttentionHead`.
    """

    def __init__(
        self,
        feature_strides: Sequence[int],
        reduction: int = 2,
        use_scale: bool = True,
        mode: str = 'embedded_gaussian',
        **kwargs: Any,
    ) -> None:
        super().__init__(feature_strides=feature_strides, **kwargs)
        self.nl_block = NonLocal2d(
            self.channels,
            reduction=reduction,
            use_scale=use_scale,
            mode=mode,
            conv_cfg=self.conv_cfg,
            norm_cfg=self.norm_cfg,
        )

    def attend(self, v: Tensor) -> Tensor:
        """v with what the block adds to it, (B, C, H, W)."""
        return self.nl_block(v)
