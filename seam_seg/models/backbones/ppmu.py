"""PPMU, a U-Net on VGG11 with pyramid pooling (row 'PPMU' of Table 1).

Shahin, Amer, Elattar, "Deep Convolutional Encoder-Decoders with Aggregated
Multi-Resolution Skip Connections for Skin Lesion Segmentation", ISBI 2019.
"""

import warnings
from typing import List, Optional, Sequence

import torch
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule, Sequential
from mmseg.models.decode_heads.psp_head import PPM
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from torch import Tensor, nn

# VGG11's stages, as multiples of the first one's channels: a pooling ends each.
STAGES = ((1,), (2,), (4, 4), (8, 8), (8, 8))
# (input without the skip, middle, output) of the decoder's blocks, the deepest first.
BLOCKS = ((8, 16, 8), (8, 8, 4), (4, 8, 2), (2, 4, 1), (1, 2, 0.5))
PYRAMIDS = 3  # blocks with pyramid pooling, from the deepest on


def dilated_pair(in_channels: int, out_channels: int, norm_cfg: dict) -> nn.Sequential:
    """Two 3x3 convolutions of dilation 2, the second with norm and ReLU, as released."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=2, dilation=2),
        ConvModule(
            out_channels, out_channels, 3, padding=2, dilation=2, norm_cfg=norm_cfg
        ),
    )


class PPMUBlock(BaseModule):
    """Two dilated 3x3 convolutions, pyramid pooling (or not), upsampling by two.

    Args:
        in_channels (int): of the input.
        mid_channels (int): behind the convolutions.
        out_channels (int): of the output.
        pyramid (bool): whether that is pooled to 1, 2, 3 and 6 bins, each with a
            quarter of the channels, and concatenated with itself.
        norm_cfg (dict): config of the norm.
    """

    def __init__(
        self,
        in_channels: int,
        mid_channels: int,
        out_channels: int,
        pyramid: bool,
        norm_cfg: dict,
    ) -> None:
        super().__init__()
        self.convs = dilated_pair(in_channels, mid_channels, norm_cfg)
        self.pyramid = (
            PPM(
                (1, 2, 3, 6),
                mid_channels,
                mid_channels // 4,
                conv_cfg=None,
                norm_cfg=norm_cfg,
                act_cfg=dict(type='ReLU'),
                align_corners=False,
            )
            if pyramid
            else None
        )
        width = 2 * mid_channels if pyramid else mid_channels
        self.up = nn.Sequential(
            nn.ConvTranspose2d(
                width, out_channels, 3, stride=2, padding=1, output_padding=1
            ),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, in, h, w) to (B, out, 2 h, 2 w)."""
        x = self.convs(x)
        if self.pyramid is not None:
            x = torch.cat([x, *self.pyramid(x)], dim=1)
        return self.up(x)


@MODELS.register_module()
class PPMU(BaseModule):
    """Encoder of VGG11 with batch norm, decoder with pyramid pooling, as a backbone.

    Two forms were published. The paper's text pools inside two skips and the bottleneck
    and takes the maximum; the authors' released code, whose result is the one that the
    paper reports, pools averages inside the three deepest blocks of the decoder. This is
    the released form: channels 512-1024-512, 1024-512-256, 768-512-128, 384-256-64,
    192-128-32, 96-32 (input with skip - middle - output), a norm behind each convolution
    of the encoder, behind every second one of the decoder and behind those of the
    pyramids. Two things are other: the encoder may begin as torchvision's ``vgg11_bn``
    (released: ``vgg11``, with new norms), and the norms of the pyramids keep the usual
    momentum (released: 0.95, nearly the statistics of the last batch alone). The
    largest-component step is left out, since a spine has many bones.

    Args:
        in_channels (int): of the image. Default: 3.
        base_channels (int): of the first stage; 64 is VGG11. A multiple of 4.
            Default: 64.
        norm_cfg (dict): config of the norm. Default: ``dict(type='BN')``.
        init_cfg (dict, optional): of mmengine, for the encoder alone; its layers
            are numbered as torchvision's ``vgg11_bn.features``, so that
            ``dict(type='Pretrained', checkpoint='torchvision://vgg11_bn',
            prefix='features.')`` fits. Default: None, from scratch.

    Raises:
        ValueError: base_channels is no multiple of 4.
    """

    def __init__(
        self,
        in_channels: int = 3,
        base_channels: int = 64,
        norm_cfg: dict = dict(type='BN'),
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__()
        if base_channels < 4 or base_channels % 4:
            raise ValueError(
                f'PPMU: base_channels={base_channels} must be a positive multiple of 4'
            )
        layers: List[nn.Module] = []
        skips = []
        width = in_channels
        for stage in STAGES:
            for factor in stage:
                with warnings.catch_warnings():
                    # It has a bias in vgg11_bn, whose weights are to fit.
                    warnings.filterwarnings('ignore', 'Unnecessary conv bias')
                    plain = ConvModule(
                        width,
                        factor * base_channels,
                        3,
                        padding=1,
                        bias=True,
                        norm_cfg=norm_cfg,
                    )
                layers += [plain.conv, plain.norm, plain.activate]
                width = factor * base_channels
            skips.append(width)
            layers.append(nn.MaxPool2d(2))
        self.encoder = Sequential(*layers, init_cfg=init_cfg)
        self.blocks = nn.ModuleList()
        # The deepest block has no skip: it gets what the last pooling leaves.
        for i, (block, skip) in enumerate(zip(BLOCKS, [0, *skips[:0:-1]])):
            below, middle, above = (int(factor * base_channels) for factor in block)
            self.blocks.append(
                PPMUBlock(below + skip, middle, above, i < PYRAMIDS, norm_cfg)
            )
        self.last = dilated_pair(
            int(BLOCKS[-1][2] * base_channels) + skips[0], base_channels // 2, norm_cfg
        )

    def forward(self, x: Tensor) -> Sequence[Tensor]:
        """Decodes the image to a feature map of its own size.

        Args:
            x (Tensor): (B, in_channels, H, W), of at least 32 x 32.

        Returns:
            tuple[Tensor]: one map, (B, base_channels / 2, H, W).
        """
        skips = []
        for layer in self.encoder:
            if isinstance(layer, nn.MaxPool2d):
                skips.append(x)
            x = layer(x)
        for block, skip in zip(self.blocks, reversed(skips)):
            x = block(x)
            if x.shape[2:] != skip.shape[2:]:  # a pooling dropped an odd row or column
                x = resize(x, size=skip.shape[2:], mode='bilinear', align_corners=False)
            x = torch.cat([x, skip], dim=1)
        return (self.last(x),)
