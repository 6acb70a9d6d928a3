"""Cross entropy that is the same however a batch is spread over processes."""

from typing import Any, Optional, Sequence, Union

import torch
from mmengine.dist import all_reduce, get_world_size
from mmseg.models.losses import CrossEntropyLoss
from mmseg.registry import MODELS
from torch import Tensor


def mean_over_processes(value: Tensor) -> Tensor:
    """The mean of a number over the processes of a training.

    DDP averages the gradients of the processes. So a sum that each process divides by
    this mean of the counts ends as the sum of all over the count of all, which is what
    one process would have had.

    Args:
        value (Tensor): a scalar; not changed, and no gradient passes.

    Returns:
        Tensor: a scalar in float64; the value as it is where there is one process, whose
        device need not have float64.
    """
    value = value.detach()
    if get_world_size() == 1:
        return value
    value = value.double().clone()
    all_reduce(value, 'mean')
    return value


@MODELS.register_module()
class SyncCrossEntropyLoss(CrossEntropyLoss):
    """mmseg's softmax cross entropy, averaged over the labelled pixels of all processes.

    mmseg averages in each process alone, so that a pixel weighs more where its process
    has many ignored pixels. In one process this is mmseg's, with ``avg_non_ignore``.

    Args:
        class_weight (Sequence[float] | str, optional): of each class, as mmseg's.
        loss_weight (float): Default: 1.
        loss_name (str): key in mmseg's losses. Default: ``'loss_ce'``.
    """

    def __init__(
        self,
        class_weight: Optional[Union[Sequence[float], str]] = None,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_ce',
    ) -> None:
        super().__init__(
            class_weight=class_weight,
            loss_weight=loss_weight,
            loss_name=loss_name,
            avg_non_ignore=True,
        )

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        *args: Any,
        avg_factor: Optional[float] = None,
        reduction_override: Optional[str] = None,
        ignore_index: int = 255,
        **kwargs: Any,
    ) -> Tensor:
        """Takes the loss of a batch.

        Args:
            cls_score (Tensor): logits, (B, N, H, W).
            label (Tensor): (B, H, W) integers.
            *args: mmseg's ``weight`` of each pixel.
            avg_factor (float, optional): what the sum is divided by. Default: the number
                of labelled pixels (the sum of their class weights), averaged over the
                processes.
            reduction_override (str, optional): ``'none'``, ``'mean'`` or ``'sum'``.
            ignore_index (int): label of the pixels that do not count. Default: 255.
            **kwargs: of mmseg's.

        Returns:
            Tensor: a scalar, or the loss of each pixel without reduction; zero where all
            pixels are ignored.
        """
        if avg_factor is None and (reduction_override or self.reduction) == 'mean':
            labelled = label[label != ignore_index]
            count = torch.tensor(float(labelled.numel()), device=label.device)
            if self.class_weight is not None:
                # Not of the logits' type: of float16 the sum over pixels is infinite.
                weights = torch.tensor(self.class_weight, dtype=torch.double)
                # Labels beyond the classes are left to the loss, which says so.
                inside = labelled.clamp(0, len(weights) - 1)
                pixels = inside.bincount(minlength=len(weights)).cpu().double()
                count = pixels @ weights
            avg_factor = mean_over_processes(count).item()
        return super().forward(
            cls_score,
            label,
            *args,
            avg_factor=avg_factor,
            reduction_override=reduction_override,
            ignore_index=ignore_index,
            **kwargs,
        )
