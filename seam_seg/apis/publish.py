"""A checkpoint as it is handed on: weights in half precision and nothing else."""

import io
from pathlib import Path
from typing import Optional, Union

import torch
from mmengine.config import Config

from ..atomic import write_whole
from ..engine import carry, check_weights, config_name, own_config, read_checkpoint
from ..engine.carried_config import KEY, without_data_root
from ..errors import InputError
from .inference import build_model, check_config_of


def publish(
    config: Optional[Config], checkpoint: Union[str, Path], out: Union[str, Path]
) -> int:
    """Writes the weights of a training without its optimizer, at half precision.

    What was learned by the center loss alone is left out too. The file holds tensors,
    numbers and text only, so that it loads with ``weights_only``, and carries its config,
    but for where the data lay.

    Args:
        config (Config, optional): of the training. None: the one that the checkpoint
            carries.
        checkpoint (str | Path): written by it.
        out (str | Path): the new file, written whole or not at all.

    Returns:
        int: its size in bytes.

    Raises:
        InputError: not the checkpoint of that config, or a weight that half precision
            cannot hold.
    """
    content = read_checkpoint(checkpoint)
    if config is None:
        config = own_config(content, checkpoint, testing=True)
    check_config_of(content, checkpoint, config)
    model = build_model(config)
    model.load_state_dict(check_weights(model, content, checkpoint), strict=False)
    meta = content.get('meta', {})
    if not {'dataset_meta', 'iter', 'seed'} <= meta.keys():
        raise InputError(
            f'checkpoint {checkpoint}: says nothing of its classes, '
            'iteration and seed. Give one that tools/train.py wrote.'
        )
    weights = {}
    for name, value in model.state_dict().items():
        if '.loss_center.' in name:
            continue
        weights[name] = value.half() if value.is_floating_point() else value
        if not torch.isfinite(weights[name]).all():
            raise InputError(
                f'checkpoint {checkpoint}: {name} does not fit into half precision.'
            )
    names, palette = (meta['dataset_meta'][key] for key in ('classes', 'palette'))
    dataset_meta = dict(
        classes=tuple(map(str, names)), palette=[list(map(int, rgb)) for rgb in palette]
    )
    out = Path(out)
    file = io.BytesIO()
    torch.save(
        dict(
            state_dict=weights,
            meta=dict(
                dataset_meta=dataset_meta,
                iter=int(meta['iter']),
                seed=int(meta['seed']),
                config=config_name(config),
                **{KEY: without_data_root(carry(config))},
            ),
        ),
        file,
    )
    write_whole(out, file.getvalue())
    return out.stat().st_size
