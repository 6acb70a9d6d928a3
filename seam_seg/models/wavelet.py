"""Haar wavelet pooling, AdaIN, and the autoencoder of WaveCT (row 'WaveCT' of Table 1).

Liu et al., "Remove Appearance Shift for Ultrasound Image Segmentation via Fast and
Universal Style Transfer", ISBI 2020 (arXiv 2002.05844), on the network of Yoo et al.,
"Photorealistic Style Transfer via Wavelet Transforms", ICCV 2019.
"""

import pickle
from typing import List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule, Sequential
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..errors import InputError

# Rows: LL, LH, HL, HH; columns: the pixels of a 2 x 2 block, row by row.
HAAR = 0.5 * torch.tensor(
    [
        [1.0, 1.0, 1.0, 1.0],
        [-1.0, 1.0, -1.0, 1.0],
        [-1.0, -1.0, 1.0, 1.0],
        [1.0, -1.0, -1.0, 1.0],
    ]
)


def haar_pool(x: Tensor) -> Tensor:
    """Splits a map into its four Haar components, each at half the size.

    Args:
        x (Tensor): (B, C, H, W), H and W even.

    Returns:
        Tensor: (4, B, C, H / 2, W / 2): LL (twice the mean of a block), LH, HL, HH.

    Raises:
        ValueError: H or W is odd.
    """
    batch, channels, height, width = x.shape
    if height % 2 or width % 2:
        raise ValueError(
            f'haar_pool: height and width must be even, got {height} x {width}'
        )
    blocks = F.pixel_unshuffle(x, 2).view(batch, channels, 4, height // 2, width // 2)
    return torch.einsum('kp,bcphw->kbchw', HAAR.to(x), blocks)


def haar_unpool(components: Tensor) -> Tensor:
    """Brings each component back to the full size; their sum is the map they came from.

    Args:
        components (Tensor): (4, B, C, h, w), see :func:`haar_pool`.

    Returns:
        Tensor: (4, B, C, 2 h, 2 w).
    """
    blocks = torch.einsum('kp,kbchw->kbcphw', HAAR.to(components), components)
    return F.pixel_shuffle(blocks.flatten(2, 3), 2)


def adaptive_instance_norm(content: Tensor, style: Tensor, eps: float = 1e-5) -> Tensor:
    """Gives each channel of the content the mean and deviation of the style's.

    Huang and Belongie, "Arbitrary Style Transfer in Real-time with Adaptive Instance
    Normalization", ICCV 2017.

    Args:
        content (Tensor): (B, C, H, W).
        style (Tensor): (B or 1, C, H', W').
        eps (float): added to the content's variance. Default: 1e-5.

    Returns:
        Tensor: shape of the content.
    """
    mean, style_mean = (x.mean((2, 3), keepdim=True) for x in (content, style))
    variance, style_variance = (
        x.var((2, 3), keepdim=True, unbiased=False) for x in (content, style)
    )
    scale = ((style_variance + eps) / (variance + eps)).sqrt()
    return (content - mean) * scale + style_mean


@MODELS.register_module()
class WaveletAutoencoder(BaseModule):
    """VGG19's layers up to conv4_1 with Haar pooling, and their mirror as a decoder.

    Of each pooling, LL goes on and the other three go around to the decoder, where the
    four are brought back to full size and concatenated. Style transfer sets the
    statistics of the deepest map and of the decoder's map at each level to those of the
    style image; what went around is left as it is, and keeps the edges.

    Args:
        base_channels (int): of the first level; 64 is VGG19. Default: 64.
        init_cfg (dict, optional): of mmengine, for the encoder, whose layers are
            numbered as torchvision's ``vgg19.features``: ``dict(type='Pretrained',
            checkpoint='torchvision://vgg19', prefix='features.')`` fits. With it, the
            encoder is frozen and the decoder alone is trained, as in the papers.
            Default: None, both are trained on the images at hand.
        checkpoint (str, optional): file with the state dict of an autoencoder of this
            width that has learned to reconstruct, which is then frozen as it is.
            Default: None.

    Raises:
        InputError: the checkpoint cannot be read, or is another's; of ``init_weights``.
    """

    CONVS = (2, 2, 4, 1)  # of each level of VGG19, up to conv4_1
    MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of VGG's images

    def __init__(
        self,
        base_channels: int = 64,
        init_cfg: Optional[dict] = None,
        checkpoint: Optional[str] = None,
    ) -> None:
        # torch's own draw shrinks what passes through ten layers to next to nothing.
        super().__init__(init_cfg=dict(type='Kaiming', layer='Conv2d', mode='fan_in'))
        widths = [base_channels * 2**level for level in range(len(self.CONVS))]
        layers: List[nn.Module] = []
        width = 3
        self.ends = []  # the index behind each level's last layer
        for level, (count, out) in enumerate(zip(self.CONVS, widths)):
            for _ in range(count):
                layers += self.conv(width, out)
                width = out
            self.ends.append(len(layers))
            if level < len(self.CONVS) - 1:
                layers.append(nn.Identity())  # VGG's max pooling: here, haar_pool
        self.encoder = Sequential(*layers, init_cfg=init_cfg)
        self.frozen = init_cfg is not None
        self.encoder.requires_grad_(not self.frozen)
        # Deepest first; each level ends with the width of the one above it.
        self.decoder = nn.ModuleList()
        for level in reversed(range(len(self.CONVS))):
            out = widths[max(level - 1, 0)]
            merged = level < len(self.CONVS) - 1
            width = widths[level]
            layers = self.conv(4 * width, width) if merged else []
            for _ in range(self.CONVS[level] - 1 - merged):
                layers += self.conv(width, width)
            self.decoder.append(nn.Sequential(*layers, *self.conv(width, out)))
        self.last = nn.Conv2d(base_channels, 1, 3, padding=1, padding_mode='reflect')
        for name, values in (('mean', self.MEAN), ('std', self.STD)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), False)
        self.checkpoint = checkpoint
        if checkpoint is not None:
            self.requires_grad_(False)

    def init_weights(self) -> None:
        """mmengine's, and then the weights of the checkpoint where there is one."""
        super().init_weights()
        if self.checkpoint is None:
            return
        try:
            state = torch.load(self.checkpoint, map_location='cpu', weights_only=True)
            self.load_state_dict(state)
        except (OSError, RuntimeError, TypeError, pickle.UnpicklingError) as error:
            raise InputError(
                f'{self.checkpoint}: no weights of this autoencoder '
                f'({str(error).splitlines()[0]}). Make them by '
                'studies/table1/train_autoencoder.py with the same base_channels.'
            ) from error

    @staticmethod
    def conv(in_channels: int, out_channels: int) -> List[nn.Module]:
        """A 3x3 convolution that continues the image at its border, and ReLU."""
        return [
            nn.Conv2d(in_channels, out_channels, 3, padding=1, padding_mode='reflect'),
            nn.ReLU(inplace=True),
        ]

    def encode(self, image: Tensor) -> Tuple[Tensor, List[Tensor]]:
        """Encodes an image.

        Args:
            image (Tensor): (B, 1, H, W) grey levels in [0, 1]; H and W divisible by 8.

        Returns:
            tuple[Tensor, list[Tensor]]: the deepest map (B, 8 base, H / 8, W / 8); and of
            each pooling, deepest first, LH, HL and HH (3, B, C, h, w).
        """
        x = (image - self.mean) / self.std
        details: List[Tensor] = []
        start = 0
        for end in self.ends:
            if start:
                low, high = haar_pool(x).split((1, 3))
                details.insert(0, high)
                x = low[0]
                start += 1
            x = self.encoder[start:end](x)
            start = end
        return x, details

    def decode(
        self, x: Tensor, details: Sequence[Tensor], style: Sequence[Optional[Tensor]]
    ) -> Tuple[Tensor, List[Tensor]]:
        """Decodes an image, with the statistics of a style where there is one.

        Args:
            x (Tensor): the deepest map.
            details (Sequence[Tensor]): see :meth:`encode`.
            style (Sequence[Tensor | None]): the style's maps, see the return value.

        Returns:
            tuple[Tensor, list[Tensor]]: image (B, 1, H, W); and the map that enters each
            level of the decoder, deepest first, before the details join it.
        """
        maps = []
        for level, (layers, of_style) in enumerate(zip(self.decoder, style)):
            if of_style is not None:
                x = adaptive_instance_norm(x, of_style)
            maps.append(x)
            if level:
                x = haar_unpool(torch.cat([x[None], details[level - 1]]))
                x = x.transpose(0, 1).flatten(1, 2)
            x = layers(x)
        return self.last(x), maps

    def forward(self, image: Tensor, style: Optional[Tensor] = None) -> Tensor:
        """Reconstructs an image, in the style of another one if that is given.

        Args:
            image (Tensor): (B, 1, H, W) grey levels in [0, 1]; H and W divisible by 8.
            style (Tensor, optional): (1, 1, H', W'). Default: None.

        Returns:
            Tensor: (B, 1, H, W).
        """
        none = [None] * len(self.decoder)
        maps = none if style is None else self.decode(*self.encode(style), none)[1]
        return self.decode(*self.encode(image), maps)[0]
