"""From the grey levels of a file to its mask and bones, as one graph for other programs.

What :func:`seam_seg.apis.predict` does with OpenCV and NumPy around the network, written
in torch so that ``torch.onnx`` can export it: for images of any size, and without loops
over what is found in them.
"""

import copy
from typing import Tuple

import cv2
import torch
import torch.nn.functional as F
from mmseg.models.utils import resize
from torch import Tensor, nn

from ..config_lookup import network_size
from ..evaluation.instances import MIN_DISTANCE, MIN_VOTES, SIGMA
from .inference import Model

MOST_BONES = 64  # of a class, the highest peaks; a spine has 24 ribs


class WholeImage(nn.Module):
    """A model with all that prediction does before and after it.

    Args:
        model (nn.Module): from :func:`seam_seg.apis.init_model`; copied.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model: Model = copy.deepcopy(model).cpu()
        self.size = network_size(model.cfg)
        self.blur_rows, self.blur_columns = (blur_matrix(side) for side in self.size)

    def forward(self, image: Tensor) -> Tuple[Tensor, ...]:
        """Segments an image.

        Args:
            image (Tensor): (H, W) uint8 grey levels, at its own size.

        Returns:
            tuple[Tensor, ...]: the mask, (H, W) uint8; the probabilities of the classes
            at the network's resolution, (N, h, w) float32; and, of a model that votes
            for centers, the bones, (H, W) int32.
        """
        height, width = self.size
        preprocessor = self.model.data_preprocessor
        output = self.model.both_sides(
            lambda inputs: resize(
                self.model._forward(inputs),
                size=self.size,
                mode='bilinear',
                align_corners=self.model.align_corners,
            ),
            (resized(image, self.size) - preprocessor.mean) / preprocessor.std,
        )
        logits, votes = output.tensor_split([self.model.num_classes], dim=1)
        labels = logits[0].argmax(dim=0)
        rows = nearest(image.shape[0], height)
        columns = nearest(image.shape[1], width)
        if self.model.resize == 'logits':
            large = F.interpolate(logits, size=image.shape, mode='bilinear')
            mask = large[0].argmax(dim=0)
        else:
            mask = labels[rows][:, columns]
        found = mask.to(torch.uint8), logits[0].softmax(dim=0)
        if not votes.shape[1]:
            return found
        bones = self.bones_by_class(labels, votes[0])
        place = (mask * height + rows[:, None]) * width + columns
        return (*found, bones.ravel()[place])

    def bones_by_class(self, labels: Tensor, votes: Tensor) -> Tensor:
        """What :func:`.group_votes` does, for whatever class a pixel turns out to be of.

        At the image's size that can be another than at the network's. So each pixel is
        given a bone of each class: the one whose center is nearest to its vote.

        Args:
            labels (Tensor): (h, w) int64.
            votes (Tensor): (2, h, w) float32.

        Returns:
            Tensor: (N, h, w) int32, the number of the bone if the pixel is of that class;
            0 for the background.
        """
        height, width = labels.shape
        sides = torch.tensor([[height], [width]], dtype=torch.float64)
        here = torch.cartesian_prod(torch.arange(height), torch.arange(width)).T
        voted = here - votes.reshape(2, -1).double() * sides
        row, column = voted.round().clamp(min=0).minimum(sides - 1).long()
        place, nothing = row * width + column, torch.zeros_like(voted[0])
        ranks, counts = [], []
        for label in range(1, self.model.num_classes):
            inside = (labels == label).ravel().double()
            counted = nothing.scatter_add(0, place, inside).reshape(height, width)
            peaks, real = peaks_of(self.blur_rows @ counted @ self.blur_columns.T)
            # The squared distance but for the vote's own square, which is the same for
            # all; what is no peak is far from everything.
            squares = torch.where(real, (peaks**2).sum(dim=1), 1e12)
            distance = squares - 2 * voted.T @ peaks.T
            ranks.append(real.cumsum(dim=0)[distance.argmin(dim=1)])
            counts.append(real.sum())
        of_class = torch.stack(counts)
        first = of_class.cumsum(dim=0) - of_class
        # Pixels of a class that is there at the image's size alone are one more bone.
        absent = of_class == 0
        first = torch.where(absent, of_class.sum() + absent.cumsum(dim=0), first)
        bones = torch.stack(ranks) + first[:, None]
        bones = torch.cat([torch.zeros_like(bones[:1]), bones])
        return bones.reshape(-1, height, width).int()


def resized(image: Tensor, size: Tuple[int, int]) -> Tensor:
    """What ``ResizeVPI`` does: each new pixel is the mean of what it covers.

    Or, where the image is enlarged, it is interpolated bilinearly. The levels are those
    of OpenCV; but enlarged ones can differ by one, since OpenCV interpolates with few
    bits.

    Args:
        image (Tensor): (H, W) uint8.
        size (tuple[int, int]): the wanted (h, w).

    Returns:
        Tensor: (1, 1, h, w) float32, whole numbers from 0 to 255.
    """
    height, width = (
        torch.scalar_tensor(side, dtype=torch.float64) for side in image.shape
    )
    enlarged = (height < size[0]) | (width < size[1])
    rows = shares(torch.arange(image.shape[0]), height, size[0], enlarged)
    columns = shares(torch.arange(image.shape[1]), width, size[1], enlarged)
    levels = rows @ (image.float() @ columns.T)
    # Of four pixels OpenCV rounds halves up, else to the even number.
    halved = (height == 2 * size[0]) & (width == 2 * size[1])
    return torch.where(halved, (levels + 0.5).floor(), levels.round())[None, None]


def shares(at: Tensor, side: Tensor, new: int, enlarged: Tensor) -> Tensor:
    """How much each pixel along a side counts for each new one.

    Args:
        at (Tensor): (n,), the numbers of the pixels.
        side (Tensor): n, a scalar of float64.
        new (int): pixels of the new side.
        enlarged (Tensor): a scalar of bool, whether to interpolate.

    Returns:
        Tensor: (new, n) float32, rows that sum to 1.
    """
    scale = side / new
    start = torch.arange(new)[:, None] * scale
    covered = torch.minimum(start + scale, at + 1) - torch.maximum(start, at)
    center = (start + scale / 2 - 0.5).clamp(min=0).minimum(side - 1)
    weights = torch.where(enlarged, 1 - (at - center).abs(), covered / scale)
    return weights.clamp(min=0).float()


def nearest(side: int, other: int) -> Tensor:
    """The pixels of another side that the centers of those of one lie in, (side,)."""
    return (2 * torch.arange(side) + 1) * other // (2 * side)


def peaks_of(heat: Tensor) -> Tuple[Tensor, Tensor]:
    """What :func:`.instances.peaks_of` finds, as a list of always the same length.

    Args:
        heat (Tensor): (h, w) float64, not negative.

    Returns:
        tuple[Tensor, Tensor]: (``MOST_BONES``, 2) float64 rows and columns, the highest
        first, and (``MOST_BONES``,) bool, whether they are peaks.
    """
    reach = MIN_DISTANCE
    window = 2 * reach + 1
    highest = F.max_pool2d(heat[None], (window, 1), stride=1, padding=(reach, 0))
    highest = F.max_pool2d(highest, (1, window), stride=1, padding=(0, reach))[0]
    is_peak = (heat == highest) & (heat > MIN_VOTES * heat.max())
    value, place = torch.where(is_peak, heat, 0.0).ravel().topk(MOST_BONES)
    at = torch.stack([place // heat.shape[1], place % heat.shape[1]], dim=1)
    # Only equal neighbours, of a plateau, come so near: the first of them stays.
    near = (at[:, None] - at).abs().amax(dim=2) < MIN_DISTANCE
    order = torch.arange(MOST_BONES)
    follows = (near & (order[:, None] > order)).any(dim=1)
    return at.double(), (value > 0) & ~follows


def blur_matrix(side: int) -> Tensor:
    """The smoothing of :func:`.group_votes` along a side, (side, side) float64."""
    reach = int(4 * SIGMA + 0.5)
    matrix = torch.zeros(side, side, dtype=torch.float64)
    for step, weight in zip(
        range(-reach, reach + 1), cv2.getGaussianKernel(2 * reach + 1, SIGMA)[:, 0]
    ):
        for row in range(side):
            column = cv2.borderInterpolate(row + step, side, cv2.BORDER_REFLECT)
            matrix[row, column] += weight
    return matrix
