"""The positive control of Table 1: a network that is told where each pixel lies."""

from typing import Any

import torch
import torch.nn.functional as F
from mmseg.models.backbones import ResNetV1c
from mmseg.registry import MODELS
from torch import Tensor, nn

from seam_seg.models.losses.center_regression_loss import positions


class PositionConv(nn.Conv2d):
    """A convolution that sees two more channels: row and column, from -1 to 1.

    Their weights are a parameter of their own that begins at zero, so that weights of the
    plain convolution fit, and give what they gave.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.position = nn.Parameter(torch.zeros_like(self.weight[:, :2]))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C, H, W) as a convolution of C + 2 channels would."""
        where = 2 * positions(x)[None] - 1
        return super().forward(x) + F.conv2d(
            where, self.position, None, self.stride, self.padding
        )


@MODELS.register_module()
class CoordinateResNet(ResNetV1c):
    """mmseg's ResNet, its input with the coordinates of each pixel as two channels.

    Args:
        **kwargs: of mmseg's ``ResNetV1c``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        first = self.stem[0]
        self.stem[0] = PositionConv(
            first.in_channels,
            first.out_channels,
            first.kernel_size,
            first.stride,
            first.padding,
            bias=False,
        )
