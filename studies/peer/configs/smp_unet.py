"""segmentation_models_pytorch's Unet as an mmseg model: its logits are the feature map.

The library lies in a folder ``peer`` of the environment, outside of what Python searches
there, since mmseg imports timm wherever it finds one: every command would start more
slowly, and not at all where torchvision does not fit torch.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Optional, Sequence, Tuple

import torch
from mmengine.model import BaseModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from seam_seg.errors import InputError

PACKAGES = Path(sys.prefix) / 'peer'
# Of torchvision, compiled; none is called here.
OPERATIONS = ('nms', 'qnms')


def load_library() -> ModuleType:
    """Imports segmentation_models_pytorch, from its folder where it is nowhere else.

    The registry's torchvision is compiled for the CUDA build of torch. Beside one for
    CPUs its operations do not load, and then it cannot be imported either, for it wants
    the names of two of them: here they get names without operations.

    Raises:
        InputError: it is not installed.
    """
    if str(PACKAGES) not in sys.path:
        sys.path.append(str(PACKAGES))  # the last: nothing there hides what is here
    vision, own = map(
        importlib.util.find_spec, ('torchvision', 'segmentation_models_pytorch')
    )
    if vision is None or vision.origin is None or own is None:
        raise InputError(
            'segmentation_models_pytorch: is not there. Install it from the root of the '
            f'clone: {sys.executable} -m pip install --no-deps --target {PACKAGES} '
            '-r studies/peer/requirements.txt'
        )
    try:
        torch.ops.load_library(Path(vision.origin).with_name('_C.so'))
    except OSError:
        for name in OPERATIONS:
            if not hasattr(torch.ops.torchvision, name):
                torch.library.define(
                    f'torchvision::{name}',
                    '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor',
                )
    import segmentation_models_pytorch

    return segmentation_models_pytorch


@MODELS.register_module()
class SMPUnet(BaseModule):
    """The whole Unet of segmentation_models_pytorch, as a backbone.

    Args:
        init_cfg (dict, optional): of mmengine. Default: None, the library's own random
            weights.
        **kwargs: of ``segmentation_models_pytorch.Unet``.
    """

    def __init__(self, init_cfg: Optional[dict] = None, **kwargs: Any) -> None:
        super().__init__(init_cfg)
        self.unet = load_library().Unet(**kwargs)

    def forward(self, x: Tensor) -> Tuple[Tensor]:
        """Class logits, (B, classes, H, W), of images whose sizes 32 divides."""
        return (self.unet(x),)


@MODELS.register_module()
class LogitsHead(BaseDecodeHead):
    """A head without layers: its feature map are the logits, mmseg's losses the rest.

    Args:
        num_classes (int): channels of the feature map.
        **kwargs: ``loss_decode``... of mmseg's ``BaseDecodeHead``.
    """

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(
            in_channels=num_classes,
            channels=num_classes,
            num_classes=num_classes,
            dropout_ratio=0,
            init_cfg=None,
            **kwargs,
        )
        self.conv_seg = nn.Identity()

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """The last feature map, (B, num_classes, H, W)."""
        return self._transform_inputs(inputs)
