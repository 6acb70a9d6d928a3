"""Total variation of the predicted probabilities (row 'RSNU' of Table 1)."""

from typing import Any, Optional

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class TotalVariationLoss(nn.Module):
    """Anisotropic total variation of the class probabilities, against speckle.

    Huang et al., "Bone Feature Segmentation in Ultrasound Spine Image with Robustness to
    Speckle and Regular Occlusion Noise", SMC 2020, add such a term to the loss of their
    network. Its formula and weight were not found; the choice here is the integral of
    ``|dp/dx| + |dp/dy|`` over the image as a unit square::

        mean over images and classes of
            sum |p[i + 1, j] - p[i, j]| / W + sum |p[i, j + 1] - p[i, j]| / H

    It is the same for the same shapes at any resolution: of a mask, the width plus
    the height of each outline, out and back, as shares of the image.

    Args:
        loss_weight (float): Default: 1.
        loss_name (str): key in mmseg's losses. Default: ``'loss_tv'``.
    """

    def __init__(self, loss_weight: float = 1.0, loss_name: str = 'loss_tv') -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.loss_name = loss_name  # mmseg reads it

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Optional[Tensor] = None,
        ignore_index: int = 255,
        **kwargs: Any,
    ) -> Tensor:
        """Takes the loss of a batch; the true classes do not matter to it.

        Args:
            pred (Tensor): class logits, (B, N, H, W).
            target (Tensor): labels, (B, H, W); a step to or from a pixel of
                ``ignore_index`` does not count.
            weight (Tensor, optional): of mmseg; not used.
            ignore_index (int): Default: 255.
            **kwargs: of mmseg's other losses; not used.

        Returns:
            Tensor: a scalar in float32 or better.
        """
        height, width = pred.shape[2:]
        with torch.autocast(device_type=pred.device.type, enabled=False):
            probability = pred.to(torch.promote_types(pred.dtype, torch.float32)).softmax(
                dim=1
            )
            valid = (target != ignore_index)[:, None]
            total = probability.new_zeros(())
            for axis, length in ((2, width), (3, height)):
                counts = valid.narrow(axis, 1, valid.shape[axis] - 1) & valid.narrow(
                    axis, 0, valid.shape[axis] - 1
                )
                steps = probability.diff(dim=axis).abs()
                total = total + (steps * counts).sum() / length
            return self.loss_weight * total / (pred.shape[0] * pred.shape[1])
