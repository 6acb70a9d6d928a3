#!/usr/bin/env python
"""Measures the memory that a training step of a config takes, by batch size.

On CUDA: the peak of the allocator, weights and optimizer state included. Elsewhere: by
how much the process grew, at its peak, since before the model was built.
"""
import argparse
import resource
import sys
from typing import Optional, Sequence

import torch
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from seam_seg.apis.cli import report_errors
from seam_seg.configs import get_config
from seam_seg.errors import InputError


def peak_bytes(device: str) -> int:
    """The peak so far: of CUDA's allocator, or of this process."""
    if device == 'cuda':
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='path or name of a config')
    parser.add_argument(
        '--batch-sizes', type=int, nargs='+', default=[1, 2, 4, 8, 12],
        help='in rising order, since a process does not shrink')
    args = parser.parse_args(argv)
    if sorted(set(args.batch_sizes)) != args.batch_sizes or args.batch_sizes[0] < 1:
        raise InputError('--batch-sizes: must be positive and rise.')
    cfg = get_config(args.config)
    init_default_scope('mmseg')
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    before = 0 if device == 'cuda' else peak_bytes(device)
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model).to(device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    height, width = cfg.train_dataloader.dataset.patches['size']
    print(f'{args.config}: patches of {height} x {width}, {device}')
    for batch_size in args.batch_sizes:
        inputs, samples = [], []
        for _ in range(batch_size):
            inputs.append(torch.randint(0, 256, (1, height, width), dtype=torch.uint8))
            sample = SegDataSample()
            sample.gt_sem_seg = PixelData(data=torch.randint(0, 4, (1, height, width)))
            samples.append(sample)
        batch = model.data_preprocessor(
            dict(inputs=inputs, data_samples=samples), training=True)
        losses = model(**batch, mode='loss')
        model.parse_losses(losses)[0].backward()
        optimizer.step()
        optimizer.zero_grad()
        print(f'batch {batch_size:3d}: {(peak_bytes(device) - before) / 2**30:.1f} GiB',
              flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
