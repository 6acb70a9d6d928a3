"""Eq. 5 and the fusion of SEAM in another order: the same z, at a lower price.

Once training is over, theta is the same affine map at every position (a 1x1 convolution
and a norm whose statistics are fixed), and k' sums to 1 over its N channels, so

    z' = theta(a' x k') = m x k'    with m = theta(a') of shape (B, C, N).

So z' mixes N vectors, and what rho's convolution makes of its C channels is a convolution
of the N channels of k' (zero-padded like z'), by kernels that differ from image to image.
"""

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def has_hook(module: nn.Module) -> bool:
    """Whether somebody listens to a module or to one inside it."""
    return any(
        part._forward_hooks
        or part._forward_pre_hooks
        or part._backward_hooks
        or part._backward_pre_hooks
        for part in module.modules()
    )


def is_plain(conv: nn.Module, size: int) -> bool:
    """Whether a layer is a square convolution and no more, which keeps a map's size."""
    return (
        type(conv) is nn.Conv2d
        and conv.kernel_size == (size, size)
        and conv.padding == (size // 2, size // 2)
        and conv.stride == conv.dilation == (1, 1)
        and conv.groups == 1
        and conv.padding_mode == 'zeros'
    )


def can_associate(theta: ConvModule, rho: ConvModule) -> bool:
    """Whether :func:`fuse_associated` is the same function, and nobody sees a difference.

    Args:
        theta (ConvModule): of SEAM, or what was put in its place.
        rho (ConvModule): of SEAM, or what was put in its place.

    Returns:
        bool: False in training mode; if theta is not affine and the same everywhere, or
        rho begins with no 3x3 convolution; and where there are hooks, which want to see
        whole maps.
    """
    if theta.training or not (type(theta) is type(rho) is ConvModule):
        return False
    norm = theta.norm
    return (
        is_plain(theta.conv, 1)
        and not theta.with_activation
        and (
            norm is None
            or isinstance(norm, _BatchNorm)
            and norm.track_running_stats
            and not norm.training
        )
        and is_plain(rho.conv, 3)
        and rho.order[0] == 'conv'
        and not has_hook(theta)
        and not has_hook(rho)
    )


def fuse_associated(
    theta: ConvModule, rho: ConvModule, a_prime: Tensor, k_prime: Tensor, v: Tensor
) -> Tensor:
    """z = rho([theta(a' x k'), v]), without a map of C channels for z'.

    Args:
        theta (ConvModule): of SEAM, see :func:`can_associate`.
        rho (ConvModule): of SEAM.
        a_prime (Tensor): Eq. 4, (B, C', N).
        k_prime (Tensor): Eq. 3, (B, N, H, W).
        v (Tensor): (B, C, H, W).

    Returns:
        Tensor: z of shape (B, C, H, W).
    """
    batch, channels, height, width = v.shape
    m = theta(a_prime.unsqueeze(3)).squeeze(3)  # a' as a map of N x 1 positions
    on_z_prime, on_v = rho.conv.weight.split(channels, dim=1)  # (C, C, 3, 3) each
    kernels = torch.einsum('ocij,bcn->bonij', on_z_prime, m)
    z = F.conv2d(v, on_v, rho.conv.bias, padding=1) + F.conv2d(
        k_prime.reshape(1, -1, height, width),
        kernels.flatten(0, 1),
        padding=1,
        groups=batch,
    ).view_as(v)
    for layer in rho.order[1:]:
        if layer == 'norm' and rho.with_norm:
            z = rho.norm(z)
        elif layer == 'act' and rho.with_activation:
            z = rho.activate(z)
    return z
