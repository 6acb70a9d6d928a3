"""The control of SEAM: as many weights as rho, and no attention."""

from typing import Any, Sequence

from mmcv.cnn import ConvModule
from mmseg.models.decode_heads import FPNHead
from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class FPNConvHead(FPNHead):
    """mmseg's FPN head with one more 3x3 convolution, of the cost of SEAM's rho.

    rho maps 2C channels to C; this convolution maps C to 2C, which are as many
    weights and as many multiplications. What SEAM gains over this head it does not owe
    to the larger capacity.

    Args:
        feature_strides (Sequence[int]): strides of the levels, finest first.
        **kwargs: of mmseg's ``BaseDecodeHead``.
    """

    def __init__(self, feature_strides: Sequence[int], **kwargs: Any) -> None:
        super().__init__(feature_strides=feature_strides, **kwargs)
        self.conv = ConvModule(
            self.channels,
            2 * self.channels,
            3,
            padding=1,
            conv_cfg=self.conv_cfg,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
        )
        self.conv_seg = nn.Conv2d(2 * self.channels, self.out_channels, 1)

    def cls_seg(self, feat: Tensor) -> Tensor:
        """Maps the merged FPN features (B, C, H, W) to logits (B, N, H, W)."""
        return super().cls_seg(self.conv(feat))
