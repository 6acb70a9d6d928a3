"""The control of SEAM: as many weights as rho, and no attention."""

from typing import Any, Sequence

from mmcv.cnn import ConvModule
from mmseg.models.decode_heads import FPNHead
from mmseg.registry import MODELS
from torch import Tensor, nn


def wide_conv(head: FPNHead) -> ConvModule:
    """The control's 3x3 convolution, from C channels of a head to 2C.

    rho maps 2C channels to C; this one has as many weights and multiplications.
    """
    return ConvModule(
        head.channels,
        2 * head.channels,
        3,
        padding=1,
        conv_cfg=head.conv_cfg,
        norm_cfg=head.norm_cfg,
        act_cfg=head.act_cfg,
    )


@MODELS.register_module()
class FPNConvHead(FPNHead):
    """mmseg's FPN head with one more 3x3 convolution, of the cost of SEAM's rho.

    What SEAM gains over this head it does not owe to the larger capacity.

    Args:
        feature_strides (Sequence[int]): strides of the levels, finest first.
        **kwargs: of mmseg's ``BaseDecodeHead``.
    """

    def __init__(self, feature_strides: Sequence[int], **kwargs: Any) -> None:
        super().__init__(feature_strides=feature_strides, **kwargs)
        self.conv = wide_conv(self)
        self.conv_seg = nn.Conv2d(2 * self.channels, self.out_channels, 1)

    def cls_seg(self, feat: Tensor) -> Tensor:
        """Maps the merged FPN features (B, C, H, W) to logits (B, N, H, W)."""
        return super().cls_seg(self.conv(feat))
