"""The Structure-Enhanced Attention Module, Eq. 2 to 5 of the paper.

Zhao et al., "Structure-Enhanced Attentive Learning for Spine Segmentation from
Ultrasound Volume Projection Images", ICASSP 2021.
"""

from typing import Optional, Tuple

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from .seam_associated import can_associate, fuse_associated

NORMALIZATIONS = (None, 'key_mass', 'hw')


def attentive_weights(
    q: Tensor, k_prime: Tensor, normalization: Optional[str] = None
) -> Tensor:
    """Eq. 4: the weights a' with which the keys re-estimate the features.

    Args:
        q (Tensor): query of shape (B, C', H, W).
        k_prime (Tensor): softmax of the key over the classes, shape (B, N, H, W).
        normalization (str, optional): what each column of q x k'^T is divided by.
            None: nothing, as printed. ``'key_mass'``: the sum of its key channel, so
            that it becomes the mean of the query over the segment. ``'hw'``: H * W.

    Returns:
        Tensor: a' of shape (B, C', N), in float32 at least; sums to 1 over N.
    """
    # The sum over all positions (8,192 for the paper's patch) overflows float16.
    with torch.autocast(device_type=q.device.type, enabled=False):
        dtype = torch.promote_types(q.dtype, torch.float32)
        q, k_prime = q.flatten(2).to(dtype), k_prime.flatten(2).to(dtype)
        a = q @ k_prime.transpose(1, 2)  # (B, C', HW) x (B, HW, N)
        if normalization == 'key_mass':
            # A thousandth of a pixel: keeps the gradient finite for an absent class.
            a = a / k_prime.sum(dim=2).clamp(min=1e-3).unsqueeze(1)
        elif normalization == 'hw':
            a = a / k_prime.shape[2]
        return a.softmax(dim=2)


class SEAM(nn.Module):
    """Structure-Enhanced Attention Module.

    The defaults are the paper as printed. phi and varphi are plain 1x1 convolutions;
    theta is a 1x1 convolution with norm; rho is a 3x3 convolution with norm and
    activation (the paper gives the kernel sizes; norm and activation follow the same
    group's later public code).

    In evaluation mode the same z is computed in another order, at a lower price
    (``seam_associated.py``), unless theta or rho, or a layer inside them, has a hook. So
    hooks on phi, varphi, theta and rho (as Grad-CAM sets them) always fire, in training
    and evaluation, and see the maps of the equations.

    Args:
        channels (int): C, the channels of v and of z.
        num_classes (int): N, the channels of the key. Default: 4.
        reduction (int): C' = C / reduction. Default: 4.
        normalization (str, optional): inside Eq. 4, see :func:`attentive_weights`.
            Default: None, as printed.
        conv_cfg (dict, optional): config of theta's and rho's convolution. Default: None.
        norm_cfg (dict, optional): config of their norm. Default: ``dict(type='BN')``.
        act_cfg (dict, optional): config of rho's activation.
            Default: ``dict(type='ReLU')``.

    Raises:
        ValueError: fewer than two classes, C not divisible by the reduction, or an
            unknown normalization.
    """

    def __init__(
        self,
        channels: int,
        num_classes: int = 4,
        reduction: int = 4,
        normalization: Optional[str] = None,
        conv_cfg: Optional[dict] = None,
        norm_cfg: Optional[dict] = dict(type='BN'),
        act_cfg: Optional[dict] = dict(type='ReLU'),
    ) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f'SEAM needs num_classes >= 2, got {num_classes}')
        if reduction < 1 or channels % reduction:
            raise ValueError(
                f'SEAM: channels={channels} cannot be divided by reduction={reduction}'
            )
        if normalization not in NORMALIZATIONS:
            raise ValueError(
                f'SEAM: normalization={normalization!r} is none of {NORMALIZATIONS}'
            )
        self.normalization = normalization
        inner, layers = channels // reduction, dict(conv_cfg=conv_cfg, norm_cfg=norm_cfg)
        self.phi = nn.Conv2d(channels, inner, 1)
        self.varphi = nn.Conv2d(channels, num_classes, 1)
        self.theta = ConvModule(inner, channels, 1, **layers, act_cfg=None)
        self.rho = ConvModule(
            2 * channels, channels, 3, padding=1, **layers, act_cfg=act_cfg
        )

    def forward(self, v: Tensor) -> Tuple[Tensor, Tensor]:
        """Maps v (B, C, H, W) to z (B, C, H, W) and the key logits k (B, N, H, W)."""
        q, k = self.phi(v), self.varphi(v)  # Eq. 2: (B, C', H, W), (B, N, H, W)
        k_prime = k.softmax(dim=1)  # Eq. 3
        a_prime = attentive_weights(q, k_prime, self.normalization)  # Eq. 4: (B, C', N)
        a_prime = a_prime.to(v.dtype)
        if can_associate(self.theta, self.rho):
            return fuse_associated(self.theta, self.rho, a_prime, k_prime, v), k
        attended = a_prime @ k_prime.to(v.dtype).flatten(2)  # (B, C', N) x (B, N, HW)
        z_prime = self.theta(attended.view_as(q))  # Eq. 5: (B, C, H, W)
        return self.rho(torch.cat([z_prime, v], dim=1)), k  # fusion of [z', v]
