"""Run by torchrun: trains and tests in each of two processes, see test_two_processes."""
import sys
from pathlib import Path

import torch.distributed as dist
from conftest import load_tool

DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'


def run(phantom, folder, checkpoint, *options):
    """Trains for a few iterations, then tests a given checkpoint."""
    common = [
        '--data-root', phantom, '--launcher', 'pytorch', '--cfg-options', *options
    ]
    assert load_tool('train').main(
        [DEMO, '--work-dir', f'{folder}/train', *common]) == 0
    if dist.get_rank() == 0:
        (Path(folder) / 'world_size').write_text(str(dist.get_world_size()))
    assert load_tool('test').main(
        [DEMO, checkpoint, '--work-dir', f'{folder}/test', *common]) == 0
    dist.destroy_process_group()


if __name__ == '__main__':
    run(*sys.argv[1:])
