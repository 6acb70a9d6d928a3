"""Measures the memory that a training step of a config takes, by batch size."""

import argparse
import resource
import sys
from pathlib import Path
from typing import Iterator, Optional, Sequence, Tuple

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from seam_seg.apis.command_line import report_errors
from seam_seg.apis.costs import method_name
from seam_seg.config_lookup import get_config
from seam_seg.errors import InputError
from studies.records import append_rows, make_rows


def peak_bytes(device: str) -> int:
    """The peak so far: of CUDA's allocator, or of this process (Linux)."""
    if device == 'cuda':
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def training_memory(cfg: Config, batch_sizes: Sequence[int]) -> Iterator[Tuple[int, int]]:
    """Takes one training step with Adam for each batch size.

    On CUDA: the peak of the allocator, weights and optimizer state included. Elsewhere:
    by how much the process grew, at its peak, since before the model was built.

    Args:
        cfg (Config): with dense patches of grey images as training data.
        batch_sizes (Sequence[int]): rising, since a process does not shrink.

    Yields:
        tuple[int, int]: batch size and bytes.

    Raises:
        InputError: batch sizes that do not rise.
    """
    if sorted(set(batch_sizes)) != list(batch_sizes) or batch_sizes[0] < 1:
        raise InputError(f'batch sizes {list(batch_sizes)}: must be positive and rise.')
    init_default_scope('mmseg')
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    before = 0 if device == 'cuda' else peak_bytes(device)
    model = MODELS.build(cfg.model).to(device).train()
    optimizer = torch.optim.Adam(model.parameters())
    height, width = cfg.train_dataloader.dataset.patches['size']
    label = torch.zeros(1, height, width, dtype=torch.long)
    label[:, height // 4 : height // 2, width // 4 : width // 2] = 1
    for batch_size in batch_sizes:
        samples = [SegDataSample() for _ in range(batch_size)]
        for sample in samples:
            sample.gt_sem_seg = PixelData(data=label)
        inputs = list(
            torch.randint(0, 256, (batch_size, 1, height, width), dtype=torch.uint8)
        )
        batch = model.data_preprocessor(
            dict(inputs=inputs, data_samples=samples), training=True
        )
        model.parse_losses(model(**batch, mode='loss'))[0].backward()
        optimizer.step()
        optimizer.zero_grad()
        yield batch_size, peak_bytes(device) - before


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='path or name of a config')
    parser.add_argument(
        '--batch-sizes',
        type=int,
        nargs='+',
        default=[1, 2, 4, 8, 12],
        help='in rising order (default: 1 2 4 8 12)',
    )
    parser.add_argument('--out', type=Path, help='adds the sizes to a file of rows')
    args = parser.parse_args(argv)
    values = []
    for batch_size, size in training_memory(get_config(args.config), args.batch_sizes):
        print(f'batch {batch_size:3d}: {size / 2**30:.1f} GiB', flush=True)
        values.append(dict(image=f'batch {batch_size}', score='peak_bytes', value=size))
    if args.out is not None:
        method = method_name(args.config)
        append_rows(args.out, make_rows(values, 'speed', 'training memory', method))
    return 0


if __name__ == '__main__':
    sys.exit(main())
