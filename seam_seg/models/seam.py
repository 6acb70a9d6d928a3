"""The Structure-Enhanced Attention Module, Eq. 2 to 5 of the paper.

Zhao et al., "Structure-Enhanced Attentive Learning for Spine Segmentation from
Ultrasound Volume Projection Images", ICASSP 2021.
"""
from typing import Optional, Tuple

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn

NORMALIZATIONS = (None, 'key_mass', 'hw')


def attentive_weights(q: Tensor,
                      k_prime: Tensor,
                      normalization: Optional[str] = None) -> Tensor:
    """Eq. 4: the weights a' with which the keys re-estimate the features.

    The product sums over all H * W positions (8,192 for the paper's patch), which is
    beyond the comfort of half precision, so it is computed in float32 at least,
    autocast or not.

    Args:
        q (Tensor): query of shape (B, C', H, W).
        k_prime (Tensor): softmax of the key over the classes, shape (B, N, H, W).
        normalization (str, optional): what each column of q x k'^T is divided by.
            None: nothing, as printed. ``'key_mass'``: the sum of its key channel, so
            that it becomes the mean of the query over the segment. ``'hw'``: H * W.

    Returns:
        Tensor: a' of shape (B, C', N); sums to 1 over N.
    """
    dtype = torch.promote_types(q.dtype, torch.float32)
    with torch.autocast(device_type=q.device.type, enabled=False):
        q, k_prime = q.flatten(2).to(dtype), k_prime.flatten(2).to(dtype)
        energy = q @ k_prime.transpose(1, 2)
        if normalization == 'key_mass':
            # A thousandth of a pixel: keeps the gradient finite for an absent class.
            energy = energy / k_prime.sum(dim=2).clamp(min=1e-3).unsqueeze(1)
        elif normalization == 'hw':
            energy = energy / q.shape[2]
        return energy.softmax(dim=2)


class SEAM(nn.Module):
    """Structure-Enhanced Attention Module.

        q = phi(v), k = varphi(v)                (Eq. 2)
        k' = softmax of k over the N channels    (Eq. 3)
        a' = softmax of q x k'^T over N          (Eq. 4)
        z' = theta(a' x k')                      (Eq. 5)
        z = rho([z', v])                         (residual fusion)

    The defaults are the paper as printed. phi and varphi are plain 1x1 convolutions;
    theta is a 1x1 convolution with norm; rho is a 3x3 convolution with norm and
    activation (the paper gives the kernel sizes; norm and activation follow the same
    group's later public code).

    Args:
        channels (int): C, the channels of v and of z.
        num_classes (int): N, the channels of the key. Default: 4.
        reduction (int): C' = C / reduction. Default: 4.
        normalization (str, optional): inside Eq. 4, see :func:`attentive_weights`.
            Default: None, as printed.
        conv_cfg (dict, optional): config of the convolutions. Default: None.
        norm_cfg (dict, optional): config of the norm in theta and rho.
            Default: ``dict(type='BN')``.
        act_cfg (dict, optional): config of the activation in rho.
            Default: ``dict(type='ReLU')``.

    Raises:
        ValueError: fewer than two classes, C not divisible by the reduction, or an
            unknown normalization.
    """

    def __init__(self,
                 channels: int,
                 num_classes: int = 4,
                 reduction: int = 4,
                 normalization: Optional[str] = None,
                 conv_cfg: Optional[dict] = None,
                 norm_cfg: Optional[dict] = dict(type='BN'),
                 act_cfg: Optional[dict] = dict(type='ReLU')) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f'SEAM needs num_classes >= 2, got {num_classes}')
        if reduction < 1 or channels % reduction:
            raise ValueError(f'SEAM: channels={channels} cannot be divided by '
                             f'reduction={reduction}')
        if normalization not in NORMALIZATIONS:
            raise ValueError(f'SEAM: normalization={normalization!r} is none of '
                             f'{NORMALIZATIONS}')
        self.normalization = normalization
        self.phi = nn.Conv2d(channels, channels // reduction, 1)
        self.varphi = nn.Conv2d(channels, num_classes, 1)
        self.theta = ConvModule(
            channels // reduction, channels, 1,
            conv_cfg=conv_cfg, norm_cfg=norm_cfg, act_cfg=None)
        self.rho = ConvModule(
            2 * channels, channels, 3, padding=1,
            conv_cfg=conv_cfg, norm_cfg=norm_cfg, act_cfg=act_cfg)

    def forward(self, v: Tensor) -> Tuple[Tensor, Tensor]:
        """Enhances a feature map.

        Args:
            v (Tensor): shape (B, C, H, W).

        Returns:
            tuple[Tensor, Tensor]: z of shape (B, C, H, W) and the key logits k of
            shape (B, N, H, W), before the softmax of Eq. 3.
        """
        q, k = self.phi(v), self.varphi(v)
        k_prime = k.softmax(dim=1)
        weights = attentive_weights(q, k_prime, self.normalization)
        # (B, C', N) x (B, N, HW): every position is a mixture of N vectors
        attended = weights.to(v.dtype) @ k_prime.flatten(2).to(v.dtype)
        z_prime = self.theta(attended.view_as(q))
        return self.rho(torch.cat([z_prime, v], dim=1)), k
