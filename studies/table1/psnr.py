"""How well an autoencoder of WaveCT reconstructs images that it was not trained on.

    python -m studies.table1.psnr FILE --data-root FOLDER --split val --method NAME

adds a row: peak signal-to-noise ratio in dB, mean over the images.
"""

import argparse
import sys
from pathlib import Path
from typing import Optional, Sequence

from seam_seg.apis.command_line import report_errors
from seam_seg.engine import read_checkpoint
from seam_seg.errors import InputError
from seam_seg.models import WaveletAutoencoder
from studies.records import add_out_argument, append_rows, make_rows
from studies.table1.train_autoencoder import mean_psnr, read_images

SETTING = 'reconstruction'
PREFIX = 'autoencoder.'  # of its weights in a checkpoint of WaveCT


def load_autoencoder(path: Path, base_channels: int) -> WaveletAutoencoder:
    """An autoencoder with weights of its own file, or of a checkpoint of WaveCT.

    Args:
        path (Path): the file.
        base_channels (int): of the autoencoder.

    Raises:
        InputError: it cannot be read, or holds no such weights.
    """
    state = read_checkpoint(path)
    state = state.get('state_dict', state)
    own = {
        key[len(PREFIX) :]: value
        for key, value in state.items()
        if key.startswith(PREFIX)
    }
    model = WaveletAutoencoder(base_channels).eval()
    try:
        model.load_state_dict(own or state)
    except RuntimeError as error:
        raise InputError(
            f'{path}: no weights of an autoencoder with --base-channels {base_channels}.'
        ) from error
    return model


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('file', type=Path, help='of the autoencoder, or of a training')
    parser.add_argument('--data-root', type=Path, required=True)
    parser.add_argument('--split', default='val', help='(default: %(default)s)')
    parser.add_argument('--images', type=int, default=20, help='the first of the split')
    parser.add_argument('--base-channels', type=int, default=8)
    parser.add_argument('--method', required=True, help='name of the row')
    add_out_argument(parser, __file__)
    args = parser.parse_args(argv)
    images = read_images(args.data_root, args.images, args.split)
    psnr = mean_psnr(load_autoencoder(args.file, args.base_channels), images)
    print(f'{args.method}: {psnr:.2f} dB, {len(images)} images')
    values = [dict(score='PSNR', value=psnr), dict(score='images', value=len(images))]
    append_rows(args.out, make_rows(values, 'table1', SETTING, args.method))
    return 0


if __name__ == '__main__':
    sys.exit(main())
