"""mmseg's ``FPNHead`` with its merged feature map v as a step of its own."""

from typing import Sequence

from mmseg.models.decode_heads import FPNHead
from mmseg.models.utils import resize
from torch import Tensor


class MergedFPNHead(FPNHead):
    """Base of the heads that put a module between the merged FPN map and the last layer.

    Args:
        feature_strides (Sequence[int]): strides of the levels, finest first.
        **kwargs: of mmseg's ``BaseDecodeHead``.
    """

    def merge(self, inputs: Sequence[Tensor]) -> Tensor:
        """Merges the FPN levels into v.

        Args:
            inputs (Sequence[Tensor]): feature maps of the host, each (B, C_i, H_i, W_i).

        Returns:
            Tensor: v of shape (B, C, H, W), at the resolution of the finest level.
        """
        levels = self._transform_inputs(inputs)
        v = self.scale_heads[0](levels[0])
        for scale_head, level in zip(self.scale_heads[1:], levels[1:]):
            v = v + resize(
                scale_head(level),
                size=v.shape[2:],
                mode='bilinear',
                align_corners=self.align_corners,
            )
        return v
