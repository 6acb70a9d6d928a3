"""Looks into the heads that tools/benchmark.py has trained, on training patches.

Of a SEAM head, `largest_weight` (of a': 1 means saturated), `query_gradient` (of the
masks' loss, against that at the key) and `gradient_ratio` (of beta L_reg and L_cls on the
key); of the other attention heads, their gates and what they add; of EMANet,
`bases_cosine` between its bases (1: they have collapsed to one).
"""

import argparse
import sys
from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmseg.models import BaseSegmentor
from mmseg.registry import DATASETS, MODELS

from seam_seg.apis import load_config, load_weights
from seam_seg.apis.command_line import report_errors
from seam_seg.apis.costs import method_name
from seam_seg.models.decode_heads import SEAMHead
from seam_seg.models.seam import attentive_weights
from studies.records import append_rows, make_rows, trained_weights

AUGMENTATIONS = ('Random', 'MonaiTransforms', 'AffineAndGamma')


def bases_cosine(bases: torch.Tensor) -> Tuple[float, float]:
    """How alike the bases of EMANet are.

    Args:
        bases (Tensor): (1, C, K), its buffer.

    Returns:
        tuple[float, float]: mean and largest cosine between two different bases.
    """
    unit = torch.nn.functional.normalize(bases[0].double(), dim=0)
    cosines = unit.T @ unit
    pairs = cosines[~torch.eye(len(cosines), dtype=torch.bool)]
    return pairs.mean().item(), pairs.max().item()


def query_gradient(model: BaseSegmentor, batch: dict) -> float:
    """How much of the loss of the masks reaches the query.

    Args:
        model (BaseSegmentor): with a SEAM head.
        batch (dict): of its data preprocessor.

    Returns:
        float: norm of the gradient of L_mask at phi(v), over that at varphi(v).
    """
    found: Dict[str, torch.Tensor] = {}
    seam = model.decode_head.seam
    hooks = [
        part.register_forward_hook(lambda _, __, y, name=name: found.update({name: y}))
        for name, part in (('query', seam.phi), ('key', seam.varphi))
    ]
    features = model.extract_feat(batch['inputs'])
    losses = model.decode_head.loss(features, batch['data_samples'], {})
    for hook in hooks:
        hook.remove()
    at_query, at_key = torch.autograd.grad(
        losses['loss_ce'], [found['query'], found['key']]
    )
    return (at_query.norm() / at_key.norm()).item()


def probe(cfg: Config, checkpoint: Path, patches: int = 16) -> Dict[str, Optional[float]]:
    """Looks into a trained attention head, on training patches without augmentation.

    Args:
        cfg (Config): of the training.
        checkpoint (Path): its weights.
        patches (int): how many patches, evenly spread over the training split.

    Returns:
        dict[str, float | None]: of a SEAM head, ``largest_weight``: mean over patches and
        channels of the largest of the N weights of a' (1 means saturated, 1 / N
        uniform); ``query_gradient``, see :func:`query_gradient`; ``gradient_ratio``:
        beta |grad L_reg| / |grad L_cls| on the key, by the norms over all patches; None
        where the head has no such part. Of the heads of 'attention on v', the mean of
        their ``gates`` over the patches. Of EMANet of either kind, ``bases_cosine`` and
        ``bases_cosine_max``, see :func:`bases_cosine`. Of other heads, nothing.
    """
    init_default_scope('mmseg')
    model = MODELS.build(cfg.model)
    load_weights(model, checkpoint, config=cfg)
    model.eval()
    head = model.decode_head
    dataset_cfg = cfg.train_dataloader.dataset.copy()
    dataset_cfg.pipeline = [
        step
        for step in dataset_cfg.pipeline
        if not step['type'].startswith(AUGMENTATIONS)
    ]
    dataset = DATASETS.build(dataset_cfg)
    indices = np.linspace(0, len(dataset) - 1, patches).round().astype(int)
    batch = model.data_preprocessor(
        pseudo_collate([dataset[int(i)] for i in indices]), training=True
    )
    found: Dict[str, Optional[float]] = {}
    if hasattr(head, 'ema_module'):
        mean, closest = bases_cosine(head.ema_module.bases)
        found.update(bases_cosine=mean, bases_cosine_max=closest)
    if hasattr(head, 'gates'):
        with torch.no_grad():  # one by one: attention has the square of the positions
            gates = [
                head.gates(model.extract_feat(image[None])) for image in batch['inputs']
            ]
        found.update({key: float(np.mean([g[key] for g in gates])) for key in gates[0]})
    if not isinstance(head, SEAMHead):
        return found
    label = torch.stack([s.gt_sem_seg.data[0] for s in batch['data_samples']])
    with torch.no_grad():
        v = head.merge(model.extract_feat(batch['inputs']))
        largest = query = None
        if head.seam is not None:
            k_prime = head.seam.varphi(v).softmax(dim=1)
            largest = (
                attentive_weights(head.seam.phi(v), k_prime, head.seam.normalization)
                .amax(2)
                .mean()
                .item()
            )
        k = (head.varphi if head.seam is None else head.seam.varphi)(v)
    if head.seam is not None:
        query = query_gradient(model, batch)
    ratio = None
    if head.loss_center is not None and head.loss_key is not None:
        k.requires_grad_()
        k_full = torch.nn.functional.interpolate(
            k, label.shape[1:], mode='bilinear', align_corners=False
        )
        norms = [
            torch.autograd.grad(loss, k)[0].norm().item()
            for loss in (
                head.beta * head.loss_center(k, label),
                head.loss_key(k_full, label, ignore_index=head.ignore_index),
            )
        ]
        ratio = norms[0] / norms[1]
    return dict(largest_weight=largest, query_gradient=query, gradient_ratio=ratio)


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='+', help='paths or names')
    parser.add_argument('--data-root', required=True, help='may contain {seed}')
    parser.add_argument('--work-dir', required=True, help='that of the trainings')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--rows', required=True, help='file of rows that is added to')
    parser.add_argument('--study', required=True)
    parser.add_argument('--setting', required=True)
    args = parser.parse_args(argv)
    for config in args.configs:
        for seed in args.seeds:
            cfg = load_config(config, None, args.data_root.format(seed=seed))
            found = probe(cfg, trained_weights(config, args.work_dir, seed))
            values = [
                dict(score=f'probe.{key}', value=value) for key, value in found.items()
            ]
            if values:
                method = method_name(config)
                rows = make_rows(values, args.study, args.setting, method, seed)
                append_rows(args.rows, rows, whole=False)
    return 0


if __name__ == '__main__':
    sys.exit(main())
