"""The vanilla FPN behind the style transfer of WaveCT (row 'WaveCT' of Table 1)."""

from typing import Any, List, Optional, Sequence

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor

from .vpi_segmentor import VPISegmentor


@MODELS.register_module()
class WaveCTSegmentor(VPISegmentor):
    """Gives a test image the style of a training image, then segments it.

    The network is trained on the images as they are. The autoencoder of the style
    transfer is trained beside it, to reconstruct the same patches (``loss_style``), what
    of it is not frozen; the two share no weights, so that neither changes the other.

    Of the published rule for the style image we know only that it should match the test
    image. The rule here: of ``num_styles`` images spread evenly over the training split
    (``StyleImagesHook`` puts them into the model, and the checkpoint holds them), each
    test image gets the one that correlates best with it on a coarse grid, where the
    anatomy shows and the texture does not.

    Args:
        autoencoder (dict): config of the autoencoder.
        style_size (Sequence[int]): (height, width) of the style images, that of the
            rescaled test images; divisible by 8.
        num_styles (int): how many there are. Default: 8.
        num_reconstructed (int, optional): patches of each batch that the autoencoder
            is trained on. Default: None, all.
        transfer (str): what a test image goes through: ``'style'``, the transfer;
            ``'reconstruction'``, the autoencoder alone; ``'none'``, nothing. The last two
            show what the transfer does to the scores of a checkpoint. Default:
            ``'style'``.
        **kwargs: of :class:`VPISegmentor`.

    Raises:
        ValueError: another ``transfer``.
    """

    GRID = (32, 8)  # cells of 16 pixels in a 512 x 128 image, finer than a bone

    def __init__(
        self,
        autoencoder: dict,
        style_size: Sequence[int],
        num_styles: int = 8,
        num_reconstructed: Optional[int] = None,
        transfer: str = 'style',
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if transfer not in ('style', 'reconstruction', 'none'):
            raise ValueError(
                f"transfer={transfer!r}: must be 'style', 'reconstruction' or 'none'."
            )
        self.transfer = transfer
        self.num_reconstructed = num_reconstructed
        self.autoencoder = MODELS.build(autoencoder)
        self.register_buffer(
            'styles', torch.zeros(num_styles, 1, *style_size, dtype=torch.uint8)
        )

    def grey_levels(self, inputs: Tensor) -> Tensor:
        """Undoes the normalisation: (B, 1 or 3, H, W) to (B, 1, H, W) in [0, 1]."""
        mean, std = self.data_preprocessor.mean[0], self.data_preprocessor.std[0]
        return (inputs[:, :1] * std + mean) / 255

    def match(self, image: Tensor) -> Tensor:
        """The style image for each image.

        Args:
            image (Tensor): (B, 1, H, W) grey levels in [0, 1].

        Returns:
            Tensor: (B, 1, style height, style width), in [0, 1].
        """
        styles = self.styles.to(image) / 255
        coarse, coarse_styles = (
            F.adaptive_avg_pool2d(x, self.GRID).flatten(1) for x in (image, styles)
        )
        coarse, coarse_styles = (
            F.normalize(x - x.mean(dim=1, keepdim=True)) for x in (coarse, coarse_styles)
        )
        return styles[(coarse @ coarse_styles.T).argmax(dim=1)]

    def restyle(self, inputs: Tensor) -> Tensor:
        """Transfers the style (see ``transfer``), in the network's normalisation.

        Args:
            inputs (Tensor): (B, 1 or 3, H, W), normalised; H and W divisible by 8.

        Returns:
            Tensor: of the same shape.
        """
        if self.transfer == 'none':
            return inputs
        image = self.grey_levels(inputs)
        style = self.match(image) if self.transfer == 'style' else None
        styled = self.autoencoder(image, style).clamp(0, 1)
        mean, std = self.data_preprocessor.mean[0], self.data_preprocessor.std[0]
        return ((styled * 255 - mean) / std).expand_as(inputs)

    def encode_decode(self, inputs: Tensor, batch_img_metas: List[dict]) -> Tensor:
        """Class logits (B, N, H, W) of the restyled images.

        Args:
            inputs (Tensor): (B, 1 or 3, H, W), normalised.
            batch_img_metas (list[dict]): mmseg's.

        Raises:
            RuntimeError: the model holds no style images yet.
        """
        if not self.styles.any():
            raise RuntimeError(
                'WaveCTSegmentor: there are no style images. Training with '
                "dict(type='StyleImagesHook') in custom_hooks puts them in."
            )
        return super().encode_decode(self.restyle(inputs), batch_img_metas)

    def _forward(self, inputs: Tensor, data_samples: Optional[list] = None) -> Tensor:
        """What counts the operations calls: with the style transfer, too."""
        return super()._forward(self.restyle(inputs), data_samples)

    def loss(self, inputs: Tensor, data_samples: list) -> dict:
        """The network's losses, and the autoencoder's mean square error.

        Args:
            inputs (Tensor): (B, 1 or 3, H, W), normalised.
            data_samples (list[SegDataSample]): with ``gt_sem_seg``.

        Returns:
            dict[str, Tensor]: with ``loss_style`` beside the usual ones, unless all of
            the autoencoder is frozen.
        """
        losses = super().loss(inputs, data_samples)
        if not any(weight.requires_grad for weight in self.autoencoder.parameters()):
            return losses
        image = self.grey_levels(inputs[: self.num_reconstructed])
        losses['loss_style'] = F.mse_loss(self.autoencoder(image), image)
        return losses
