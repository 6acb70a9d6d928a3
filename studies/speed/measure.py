"""Measures what SEAM costs: inference, training, formats, growth, data, scoring and more.

Rows of a part take the place of earlier ones. Half an hour on a machine that does nothing
else; with a GPU, that is what is measured.
"""

import argparse
import functools
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from mmcv.cnn import NonLocal2d
from mmengine.dataset import Compose, pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.models.utils import resize
from mmseg.registry import DATASETS, METRICS, MODELS
from mmseg.structures import SegDataSample
from skimage.measure import label
from torch import nn

from seam_seg.apis import init_model, predict
from seam_seg.apis.command_line import report_errors
from seam_seg.apis.costs import (
    NATIVE,
    inference_case,
    measure_costs,
    method_name,
    peak_of,
    take_turns,
)
from seam_seg.apis.runs import load_config, set_amp
from seam_seg.config_lookup import network_size
from seam_seg.datasets import VPIDataset
from seam_seg.datasets.phantom import write_phantom
from seam_seg.datasets.readers import read_image
from seam_seg.engine import build_runner
from seam_seg.engine.hooks import clock
from seam_seg.engine.other_work import OtherWork, busy_warning
from seam_seg.evaluation.bones import list_bones
from seam_seg.evaluation.instances import fit_to_mask, group_votes, split_pieces
from seam_seg.models import SEAM
from seam_seg.models.segmentors.vpi_segmentor import largest, way_back
from studies.peer.measure import measure_steps
from studies.records import add_out_argument, append_rows, make_rows

FORM = '{}_1xb12-80k_vpi-512x256'
HOST = FORM.format('fpn_r50')
RECOMMENDED = FORM.format('seam-keymass_r50-fpn')
TIMED = [
    FORM.format(name)
    for name in (
        'fpn_r50',
        'fpn-conv_r50',
        'seam_r50-fpn',
        'seam-keymass_r50-fpn',
        'emanet_r50-fpn',
        'danet_r50-fpn',
        'nonlocal_r50-fpn',
        'emanet_r50-d8',
        'danet_r50-d8',
        'nonlocal_r50-d8',
    )
]
TRAINED = [
    FORM.format(name)
    for name in ('fpn_r50', 'fpn-conv_r50', 'seam-wo-ss_r50-fpn', 'seam_r50-fpn')
]
PARTS = ('inference', 'training', 'formats', 'growth', 'data', 'scoring', 'way-back')
FORMATS = ('as built', 'channels last', 'compiled')
SIZES = [(64, 16), (128, 32), (256, 64), (512, 128), (1024, 256)]


def training_step(
    config: str, data_root: str, batch_size: int, amp: bool = False
) -> Tuple[nn.Module, Callable[[], object]]:
    """A model that trains, and one whole step of it (Adam included).

    Args:
        config (str): path or name.
        data_root (str): data set, for patches with real bones.
        batch_size (int): patches in a step.
        amp (bool): in mixed precision, which needs CUDA. Default: False.

    Returns:
        tuple[nn.Module, Callable]: the model and its step, on the same patches each time.
    """
    init_default_scope('mmseg')
    cfg = load_config(config, None, data_root)
    cfg.model.backbone.init_cfg = None
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    chosen = np.linspace(0, len(dataset) - 1, batch_size).round().astype(int)
    data = pseudo_collate([dataset[int(i)] for i in chosen])
    if amp:
        set_amp(cfg)
    model = MODELS.build(cfg.model)
    model.to('cuda' if torch.cuda.is_available() else 'cpu').train()
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    return model, functools.partial(model.train_step, data, wrapper)


def training_costs(
    configs: Sequence[str], data_root: str, batch_size: int, rounds: int
) -> Dict[str, dict]:
    """What a :func:`training_step` of models costs, in turns.

    Args:
        configs (Sequence[str]): paths or names.
        data_root (str): data set.
        batch_size (int): patches in a step.
        rounds (int): steps of each model, after two that warm up.

    Returns:
        dict[str, dict]: method -> ``seconds`` of each step and ``peak_bytes``; on CUDA,
        of each in mixed precision, too.
    """
    steps = {}
    for config in configs:
        name = method_name(config)
        steps[name] = training_step(config, data_root, batch_size)[1]
        if torch.cuda.is_available():
            steps[f'{name}, AMP'] = training_step(config, data_root, batch_size, True)[1]
    times = take_turns(steps, rounds)
    return {
        name: dict(seconds=times[name], peak_bytes=peak_of(step))
        for name, step in steps.items()
    }


def set_format(model: nn.Module, name: str) -> None:
    """Changes how a segmentor is computed, and not what.

    Args:
        model (nn.Module): changed in place.
        name (str): of :data:`FORMATS`. ``'channels last'``: the memory format of the
            weights, which the feature maps follow. ``'compiled'``: backbone, neck and,
            for inference, the head by ``torch.compile``, which wants a C++ compiler.
    """
    if name == 'channels last':
        model.to(memory_format=torch.channels_last)
    elif name == 'compiled':
        for part in (model.backbone, model.neck, model.decode_head):
            part.forward = torch.compile(part.forward)


def format_times(
    config: str, data_root: str, batch_size: int, rounds: int
) -> Dict[str, Dict[str, List[float]]]:
    """What the memory format and ``torch.compile`` bring.

    Args:
        config (str): path or name.
        data_root (str): data set.
        batch_size (int): patches in a training step.
        rounds (int): of each format, after two that warm up (and compile).

    Returns:
        dict[str, dict[str, list[float]]]: ``inference`` and ``training`` -> format ->
        seconds.
    """
    steps, tests = {}, {}
    for name in FORMATS:
        model, steps[name] = training_step(config, data_root, batch_size)
        set_format(model, name)
        model, batch = inference_case(config)
        set_format(model, name)
        tests[name] = functools.partial(model.test_step, batch)
    with torch.no_grad():
        inference = take_turns(tests, rounds)
    return dict(inference=inference, training=take_turns(steps, rounds))


def growth(
    sizes: Sequence[Tuple[int, int]], nonlocal_limit: int, channels: int, rounds: int
) -> Dict[str, Dict[int, dict]]:
    """Time and memory of the modules alone, by the size of the feature map.

    Args:
        sizes (Sequence[tuple[int, int]]): heights and widths, rising.
        nonlocal_limit (int): positions beyond which the non-local block is left out,
            since its matrix has the square of them.
        channels (int): C.
        rounds (int): calls for each size.

    Returns:
        dict[str, dict[int, dict]]: module -> positions of the map -> ``seconds``
        (minimum) and ``bytes``.
    """
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    modules = {
        'SEAM': SEAM(channels).to(device).eval(),
        'NonLocal': NonLocal2d(channels).to(device).eval(),
    }
    found: Dict[str, Dict[int, dict]] = {name: {} for name in modules}
    with torch.no_grad():
        for height, width in sizes:
            v = torch.randn(1, channels, height, width, device=device)
            actions = {
                name: functools.partial(module, v)
                for name, module in modules.items()
                if name == 'SEAM' or height * width <= nonlocal_limit
            }
            for name, seconds in take_turns(actions, rounds).items():
                found[name][height * width] = dict(
                    seconds=min(seconds), bytes=peak_of(actions[name])
                )
    return found


def data_times(config: str, data_root: str, steps: int) -> dict:
    """How fast patches come, and how long a training waits for them.

    Args:
        config (str): path or name.
        data_root (str): data set.
        steps (int): of training, after two that warm up.

    Returns:
        dict: ``patches_per_second`` of one worker whose images are decoded, and
        ``waiting``, the share of a training step spent waiting for its batch.
    """
    cfg = load_config(config, None, data_root, 'work_dirs/speed')
    cfg.model.backbone.init_cfg = None
    runner = build_runner(cfg)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    indices = range(0, len(dataset), max(1, len(dataset) // 200))
    for _ in range(2):  # the first pass decodes
        start = time.perf_counter()
        for index in indices:
            dataset[index]
        per_second = len(indices) / (time.perf_counter() - start)
    model, batches = runner.model, runner.train_loop.dataloader_iterator
    optim_wrapper = runner.build_optim_wrapper(cfg.optim_wrapper)
    model.train()
    waiting = total = 0.0
    for i in range(steps + 2):
        start = clock()
        batch = next(batches)
        arrived = clock()
        model.train_step(batch, optim_wrapper)
        if i >= 2:
            waiting += arrived - start
            total += clock() - start
    return dict(patches_per_second=per_second, waiting=waiting / total)


def scoring_times(rounds: int) -> List[float]:
    """Seconds to score one case of native size, Dice and Jaccard, by round."""
    metric = METRICS.build(dict(type='DiceJaccardMetric'))
    metric.dataset_meta = VPIDataset.METAINFO
    masks = torch.randint(0, 4, (2, 1, *NATIVE))
    sample = SegDataSample(metainfo=dict(img_path='case.png', ori_shape=NATIVE))
    sample.pred_sem_seg, sample.gt_sem_seg = (PixelData(data=mask) for mask in masks)
    sample = sample.to_dict()
    return take_turns({'': lambda: metric.process({}, [sample])}, rounds)['']


def outside_of_model(config: str, data_root: str) -> dict:
    """The share of a test that is not the model's.

    Args:
        config (str): path or name; its weights are random.
        data_root (str): data set.

    Returns:
        dict: ``images``, ``seconds`` of the whole test loop, ``model_seconds`` (R times
        the images) and ``outside``, the share of the rest.
    """
    cfg = load_config(
        config, {'test_dataloader.num_workers': 1}, data_root, 'work_dirs/speed'
    )
    cfg.model.backbone.init_cfg = None
    cfg.load_from = None
    cfg.test_evaluator.summary_dir = 'work_dirs/speed/test'  # as tools/test.py does
    # Every image counts, the first one too: the loop's time contains it.
    cfg.custom_hooks = [dict(type='RuntimeHook', warmup=0)]
    runner = build_runner(cfg)
    images = len(runner.test_dataloader.dataset)
    start = clock()
    metrics = runner.test()
    seconds = clock() - start
    return dict(
        images=images,
        seconds=seconds,
        model_seconds=metrics['bone/R'] * images,
        outside=1 - metrics['bone/R'] * images / seconds,
    )


def way_back_times(data_root: str, rounds: int) -> Dict[str, List[float]]:
    """What a prediction by the ready weights takes, its network, and all that follows it.

    Args:
        data_root (str): phantom, whose first test case is predicted.
        rounds (int): of each part.

    Returns:
        dict[str, list[float]]: part -> CPU seconds of each round.
    """
    model = init_model(device='cpu')
    name = (Path(data_root) / 'test.txt').read_text().split()[0]
    path = Path(data_root) / f'dataset/test/{name}.png'
    image = read_image(path)
    shape, classes = image.shape, model.dataset_meta['classes']
    batch = pseudo_collate([Compose(model.pipeline)(dict(img_path=str(path)))])
    with torch.no_grad():
        result = model.test_step(batch)[0]
    logits = result.seg_logits.data
    mask = result.pred_sem_seg.data[0].byte().numpy()
    labels, _ = largest(logits, logits.shape[1:])
    votes = result.votes.data.numpy()
    grouped = group_votes(labels, votes)
    instances = fit_to_mask(grouped, labels, mask)
    _, confidence = largest(logits.softmax(dim=0), shape)

    head, patch = model.decode_head, torch.rand(1, 3, *network_size(model.cfg))
    branch = head.votes

    def predict_bones() -> None:
        _ = predict(model, image).bones

    def without_votes(function: Callable, *words: object) -> None:
        head.votes = None  # the bones are connected components then
        function(*words)
        head.votes = branch

    def by_mmseg(layout: torch.memory_format) -> torch.Tensor:
        maps = logits[None].contiguous(memory_format=layout)
        return resize(maps, size=shape, mode='bilinear', align_corners=False).argmax(1)

    parts = {
        'prediction, without votes': lambda: without_votes(predict, model, image),
        'prediction': lambda: predict(model, image),
        'prediction and its bones': predict_bones,
        'prediction and its bones, without votes': lambda: without_votes(predict_bones),
        'network': lambda: model._forward(patch),
        'network, without votes': lambda: without_votes(model._forward, patch),
        'mask': lambda: way_back(logits, shape, 'mask'),
        'logits': lambda: way_back(logits, shape, 'logits'),
        'logits, by mmseg': lambda: by_mmseg(torch.contiguous_format),
        'logits, by mmseg, channels last': lambda: by_mmseg(torch.channels_last),
        'confidence': lambda: largest(logits.softmax(dim=0), shape),
        'labels that the votes are of': lambda: largest(logits, logits.shape[1:]),
        'votes grouped': lambda: group_votes(labels, votes),
        'bones fitted to the mask': lambda: fit_to_mask(grouped, labels, mask),
        'pieces that lie apart': lambda: split_pieces(instances),
        'components, without votes': lambda: label(mask, connectivity=2).astype(np.int32),
        'table of bones': lambda: list_bones(mask, confidence, image, classes, instances),
    }
    with torch.no_grad(), TemporaryDirectory() as folder:
        parts['from a file to results'] = lambda: predict(model, path).save(folder)
        return measure_steps(parts, rounds)


def timed_rows(method: str, seconds: Sequence[float], **others: float) -> List[dict]:
    """Rows of a method: its seconds in each round, and numbers of another kind."""
    times = [
        dict(method=method, image=f'round {i}', score='seconds', value=value)
        for i, value in enumerate(seconds)
    ]
    return times + number_rows(method, others)


def number_rows(method: str, numbers: Dict[str, float], image: str = '') -> List[dict]:
    """Rows of a method, one for each number by its name."""
    return [
        dict(method=method, image=image, score=key, value=value)
        for key, value in numbers.items()
    ]


def measure(
    part: str, data_root: str, batch_size: int, rounds: int
) -> Dict[str, List[dict]]:
    """One part of the study.

    Args:
        part (str): of :data:`PARTS`.
        data_root (str): data set.
        batch_size (int): patches in a training step.
        rounds (int): turns of each model.

    Returns:
        dict[str, list[dict]]: setting -> values of its rows.
    """
    if part == 'inference':
        costs = measure_costs(TIMED, rounds)
        for cost in costs.values():
            del cost['R']  # the median of the seconds
        return {part: [row for name in costs for row in timed_rows(name, **costs[name])]}
    if part == 'training':
        costs = training_costs(TRAINED, data_root, batch_size, rounds)
        return {
            part: [
                row
                for name, cost in costs.items()
                for row in timed_rows(name, **cost, batch_size=batch_size)
            ]
        }
    if part == 'formats':
        found = format_times(RECOMMENDED, data_root, batch_size, rounds)
        return {
            f'{kind}, formats': [
                row for name in times for row in timed_rows(name, times[name])
            ]
            for kind, times in found.items()
        }
    if part == 'growth':
        found = growth(SIZES, 256 * 64, 128, 5)
        return {
            part: [
                row
                for name, points in found.items()
                for positions, numbers in points.items()
                for row in number_rows(name, numbers, f'{positions} positions')
            ]
        }
    if part == 'way-back':
        times = way_back_times(data_root, rounds)
        return {part: [row for name in times for row in timed_rows(name, times[name])]}
    if part == 'data':
        numbers = data_times(HOST, data_root, rounds)
    else:
        numbers = outside_of_model(HOST, data_root)
        numbers['case_seconds'] = min(scoring_times(rounds))
    return {part: number_rows(method_name(HOST), numbers)}


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'parts', nargs='*', metavar='PART', help=f'of {", ".join(PARTS)} (default: all)'
    )
    parser.add_argument(
        '--rounds', type=int, default=20, help='turns of each model (default: 20)'
    )
    parser.add_argument(
        '--batch-size', type=int, default=2, help='of a training step (default: 2)'
    )
    parser.add_argument(
        '--data-root',
        default='data/speed',
        help='where a phantom is made (default: data/speed)',
    )
    add_out_argument(parser, __file__)
    args = parser.parse_args(argv)
    if args.rounds < 2 or args.batch_size < 1:
        parser.error('--rounds: at least 2, --batch-size: at least 1')
    unknown = set(args.parts) - set(PARTS)
    if unknown:
        parser.error(f'{min(unknown)}: is none of {", ".join(PARTS)}')
    write_phantom(args.data_root, 12, 12, seed=4, num_workers=2, overwrite=True)
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else ''
    for part in args.parts or PARTS:
        print(f'measuring: {part}', flush=True)
        others = OtherWork()
        found = measure(part, args.data_root, args.batch_size, args.rounds)
        warning = busy_warning(others.cores())
        if warning is not None and part != 'formats':  # where a compiler is at work
            print(f'warning: {part}: {warning}', file=sys.stderr)
        for setting, values in found.items():
            # A GPU's numbers stand beside the CPU's.
            setting = f'{setting}, {where}' if where else setting
            append_rows(args.out, make_rows(values, 'speed', setting))
    return 0


if __name__ == '__main__':
    sys.exit(main())
