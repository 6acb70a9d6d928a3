"""The Structure-Enhanced Attention Module, Eq. 2 to 5 of the paper.

Zhao et al., "Structure-Enhanced Attentive Learning for Spine Segmentation from
Ultrasound Volume Projection Images", ICASSP 2021.
"""

from typing import List, Optional, Tuple

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

NORMALIZATIONS = (None, 'key_mass', 'hw')


def attentive_weights(
    q: Tensor, k_prime: Tensor, normalization: Optional[str] = None
) -> Tensor:
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
    with torch.autocast(device_type=q.device.type, enabled=False):
        q, k_prime = at_least_float32(q.flatten(2), k_prime.flatten(2))
        return weights_of_energy(q @ k_prime.transpose(1, 2), k_prime, normalization)


def at_least_float32(*tensors: Tensor) -> List[Tensor]:
    """The tensors in float32, or in float64 if the first one is."""
    dtype = torch.promote_types(tensors[0].dtype, torch.float32)
    return [tensor.to(dtype) for tensor in tensors]


def weights_of_energy(
    energy: Tensor, k_prime: Tensor, normalization: Optional[str]
) -> Tensor:
    """The softmax of Eq. 4, of q x k'^T (B, C', N) with k' (B, N, HW)."""
    if normalization == 'key_mass':
        # A thousandth of a pixel: keeps the gradient finite for an absent class.
        energy = energy / k_prime.sum(dim=2).clamp(min=1e-3).unsqueeze(1)
    elif normalization == 'hw':
        energy = energy / k_prime.shape[2]
    return energy.softmax(dim=2)


def is_plain(conv: nn.Module) -> bool:
    """Whether a layer is a convolution without stride, dilation or groups, zero-padded
    so that the size stays."""
    return (
        type(conv) is nn.Conv2d
        and conv.stride == conv.dilation == (1, 1)
        and conv.groups == 1
        and conv.padding_mode == 'zeros'
        and conv.padding == tuple(size // 2 for size in conv.kernel_size)
    )


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
    group's later public code). Where the layers are such, the same function is computed
    re-associated (:meth:`associated`), at about half of the price.

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
        self.phi = nn.Conv2d(channels, channels // reduction, 1)
        self.varphi = nn.Conv2d(channels, num_classes, 1)
        self.theta = ConvModule(
            channels // reduction,
            channels,
            1,
            conv_cfg=conv_cfg,
            norm_cfg=norm_cfg,
            act_cfg=None,
        )
        self.rho = ConvModule(
            2 * channels,
            channels,
            3,
            padding=1,
            conv_cfg=conv_cfg,
            norm_cfg=norm_cfg,
            act_cfg=act_cfg,
        )

    def forward(self, v: Tensor) -> Tuple[Tensor, Tensor]:
        """Enhances a feature map.

        Args:
            v (Tensor): shape (B, C, H, W).

        Returns:
            tuple[Tensor, Tensor]: z of shape (B, C, H, W) and the key logits k of
            shape (B, N, H, W), before the softmax of Eq. 3.
        """
        k = self.varphi(v)
        k_prime = k.softmax(dim=1)
        if self.can_associate():
            return self.associated(v, k_prime), k
        return self.direct(v, k_prime), k

    def direct(self, v: Tensor, k_prime: Tensor) -> Tensor:
        """z, by Eq. 4 and 5 as they are written, whatever the layers are."""
        q = self.phi(v)
        weights = attentive_weights(q, k_prime, self.normalization)
        # (B, C', N) x (B, N, HW): every position is a mixture of N vectors
        attended = weights.to(v.dtype) @ k_prime.flatten(2).to(v.dtype)
        z_prime = self.theta(attended.view_as(q))
        return self.rho(torch.cat([z_prime, v], dim=1))

    def can_associate(self) -> bool:
        """Whether :meth:`associated` holds: phi, theta and rho's convolution linear.

        Batch norm is an affine map whose statistics follow from the moments of k'; that
        of several processes (SyncBN) only in evaluation mode.
        """
        theta, rho = self.theta, self.rho
        if not (isinstance(theta, ConvModule) and isinstance(rho, ConvModule)):
            return False
        if theta.with_norm:
            norm = theta.norm
            known = nn.BatchNorm2d if norm.training else nn.modules.batchnorm._BatchNorm
            if not (
                isinstance(norm, known)
                and norm.track_running_stats
                and norm.momentum is not None
            ):
                return False
        return (
            all(map(is_plain, (self.phi, theta.conv, rho.conv)))
            and self.phi.kernel_size == theta.conv.kernel_size == (1, 1)
            and rho.conv.kernel_size == (3, 3)
            and not theta.with_activation
            and rho.order[0] == 'conv'
            and not any(
                module.with_spectral_norm or module.with_explicit_padding
                for module in (theta, rho)
            )
        )

    def associated(self, v: Tensor, k_prime: Tensor) -> Tensor:
        """z of :meth:`direct`, without q and z', at little more than rho's price on v.

        q x k'^T = W_phi (v x k'^T) + b_phi (k' 1)^T. With a' given, theta is affine, and
        the N channels of k' sum to 1 wherever there is an image: z' = M k' with a C x N
        matrix M for each image, in the padding too, where both are 0. So what rho's
        convolution makes of z' is a convolution of k', with kernels for each image.
        """
        with torch.autocast(device_type=v.device.type, enabled=False):
            values, keys = at_least_float32(v.flatten(2), k_prime.flatten(2))
            w_phi, b_phi, w_theta, b_theta, w_rho = at_least_float32(
                *(
                    x if x is not None else v.new_zeros(())
                    for x in (
                        self.phi.weight.flatten(1),
                        self.phi.bias,
                        self.theta.conv.weight.flatten(1),
                        self.theta.conv.bias,
                        self.rho.conv.weight,
                    )
                )
            )
            mixed = values @ keys.transpose(1, 2)  # (B, C, N)
            energy = w_phi @ mixed + b_phi.view(-1, 1) * keys.sum(dim=2).unsqueeze(1)
            weights = weights_of_energy(energy, keys, self.normalization)
            m = w_theta @ weights + b_theta.view(-1, 1)
            if self.theta.with_norm:
                m = self.normed(m, keys)
            # (B, C, N, 3, 3): what rho's kernels on z' are on k'
            kernels = torch.einsum('ocij,bcn->bonij', w_rho[:, : v.shape[1]], m)
        rho = self.rho
        z = F.conv2d(v, rho.conv.weight[:, v.shape[1] :], rho.conv.bias, padding=1)
        batch, classes, height, width = k_prime.shape
        z = z + F.conv2d(
            k_prime.reshape(1, batch * classes, height, width),
            kernels.flatten(0, 1).to(k_prime.dtype),
            padding=1,
            groups=batch,
        ).view_as(z)
        for layer in rho.order[1:]:
            if layer == 'norm' and rho.with_norm:
                z = rho.norm(z)
            elif layer == 'act' and rho.with_activation:
                z = rho.activate(z)
        return z

    def normed(self, m: Tensor, keys: Tensor) -> Tensor:
        """M after theta's batch norm, whose statistics are those of M k'.

        Args:
            m (Tensor): (B, C, N).
            keys (Tensor): k', (B, N, HW).

        Returns:
            Tensor: (B, C, N).
        """
        norm = self.theta.norm
        if norm.training:
            count = keys.shape[0] * keys.shape[2]
            key_mean = keys.mean(dim=2, keepdim=True)  # (B, N, 1)
            centered = keys - key_mean
            covariance = centered @ centered.transpose(1, 2) / count  # (B, N, N)
            image_mean = m @ key_mean  # (B, C, 1)
            mean = image_mean.mean(dim=0).squeeze(1)
            # within the images and between them, so that no large numbers cancel
            variance = ((m @ covariance) * m).sum(dim=(0, 2)) + (
                image_mean.squeeze(2) - mean
            ).square().mean(dim=0)
            with torch.no_grad():
                unbiased = variance * (count / (count - 1))
                norm.running_mean.lerp_(mean.to(norm.running_mean), norm.momentum)
                norm.running_var.lerp_(unbiased.to(norm.running_var), norm.momentum)
                norm.num_batches_tracked += 1
        else:
            mean, variance = norm.running_mean, norm.running_var
        scale = (variance + norm.eps).rsqrt()
        weight, bias = (1, 0) if norm.weight is None else (norm.weight, norm.bias)
        scale = scale * weight
        return m * scale.view(-1, 1) + (bias - mean * scale).view(-1, 1)
