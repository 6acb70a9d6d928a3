"""Trains the autoencoder of the small WaveCT on unlabelled images, up to a PSNR.

Photographic weights do not fit an autoencoder of an eighth of VGG19's channels: this
takes their place. The row keeps it frozen.
"""

import argparse
import io
import sys
from pathlib import Path
from typing import Iterator, Optional, Sequence, Tuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from seam_seg.apis.command_line import report_errors
from seam_seg.atomic import write_whole
from seam_seg.datasets import VPIDataset
from seam_seg.datasets.readers import read_image
from seam_seg.errors import InputError
from seam_seg.models import WaveletAutoencoder

SIZE = (512, 128)  # height, width of what the small networks see
CROP = (128, 64)  # of what is trained on: an eighth of the time of whole images
EVERY = 100  # iterations between two looks at the validation images


def read_images(root: Path, count: int, split: str = 'trainval') -> Tensor:
    """The first images of a part of a data set.

    Args:
        root (Path): of the data set.
        count (int): how many at most.
        split (str): the part. Default: all that is trained on.

    Returns:
        Tensor: (B, 1, 512, 128) uint8.
    """
    infos = VPIDataset(str(root), split, lazy_init=True).load_data_list()[:count]
    images = [
        cv2.resize(read_image(i['img_path']), SIZE[::-1], interpolation=cv2.INTER_AREA)
        for i in infos
    ]
    return torch.from_numpy(np.stack(images))[:, None]


@torch.no_grad()
def mean_psnr(model: WaveletAutoencoder, images: Tensor) -> float:
    """Peak signal-to-noise ratio of the reconstructions in dB, mean over the images.

    Args:
        model (WaveletAutoencoder): that reconstructs.
        images (Tensor): (B, 1, H, W) uint8.
    """
    found = []
    for image in images.to(next(model.parameters()).device) / 255:
        error = (model(image[None]).clamp(0, 1) - image).square().mean()
        found.append(-10 * torch.log10(error).item())
    return float(np.mean(found))


def train(
    model: WaveletAutoencoder,
    images: Tensor,
    held_out: Tensor,
    iterations: int,
    batch_size: int = 4,
    rate: float = 5e-3,
) -> Iterator[Tuple[int, float]]:
    """Trains on crops by the mean square error, Adam with cosine annealing.

    Args:
        model (WaveletAutoencoder): changed in place.
        images, held_out (Tensor): (B, 1, H, W) uint8.
        iterations (int): how many at most.
        batch_size (int): crops of an iteration, mirrored in every second one.
        rate (float): learning rate at the start.

    Yields:
        tuple[int, float]: iteration, and PSNR in dB on what is held out.
    """
    device = next(model.parameters()).device
    # Otherwise hundreds of iterations bring no more than the mean grey level.
    torch.nn.init.constant_(model.last.bias, images.float().mean().item() / 255)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
    for iteration in range(1, iterations + 1):
        chosen = torch.randint(len(images), (batch_size,))
        top, left = (
            int(torch.randint(whole - part + 1, (1,))) for whole, part in zip(SIZE, CROP)
        )
        image = images[chosen, :, top : top + CROP[0], left : left + CROP[1]]
        image = image.to(device) / 255
        image = image.flip(dims=(3,)) if iteration % 2 else image
        optimizer.zero_grad()
        F.mse_loss(model(image), image).backward()
        optimizer.step()
        schedule.step()
        if iteration % EVERY == 0 or iteration == iterations:
            yield iteration, mean_psnr(model, held_out)


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--data-root', type=Path, default=Path('data/table1/start'))
    parser.add_argument('--images', type=int, default=100, help='that are read')
    parser.add_argument('--held-out', type=int, default=10, help='of them')
    parser.add_argument('--psnr', type=float, default=33.0, help='in dB, that is wanted')
    parser.add_argument('--iterations', type=int, default=3000, help='at most')
    parser.add_argument('--base-channels', type=int, default=8)
    parser.add_argument('--seed', type=int, default=3, help='some never learn')
    parser.add_argument('--out', default='studies/table1/autoencoder.pth')
    args = parser.parse_args(argv)
    torch.manual_seed(args.seed)
    images = read_images(args.data_root, args.images)
    if len(images) <= args.held_out:
        raise InputError(
            f'{args.data_root}: {len(images)} images are too few. Draw more.'
        )
    model = WaveletAutoencoder(args.base_channels)
    model.init_weights()
    model.to('cuda' if torch.cuda.is_available() else 'cpu')
    split = images[args.held_out :], images[: args.held_out]
    psnr = -np.inf
    for iteration, psnr in train(model, *split, args.iterations):
        print(f'iteration {iteration}: {psnr:.2f} dB', flush=True)
        if psnr >= args.psnr:
            break
    if psnr < args.psnr:
        raise InputError(
            f'{args.out}: not written, {psnr:.2f} dB are less than --psnr {args.psnr}. '
            'Train with another --seed, or for more --iterations.'
        )
    state = {key: value.cpu() for key, value in model.state_dict().items()}
    content = io.BytesIO()
    torch.save(state, content)
    write_whole(args.out, content.getvalue())
    return 0


if __name__ == '__main__':
    sys.exit(main())
