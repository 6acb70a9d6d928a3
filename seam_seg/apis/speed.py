"""What SEAM costs: inference, training, growth with the map, data and scoring."""

import functools
import time
from typing import Callable, Dict, List, Sequence, Tuple

import numpy as np
import torch
from mmcv.cnn import NonLocal2d
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.registry import DATASETS, METRICS, MODELS
from mmseg.structures import SegDataSample
from scipy import stats
from torch import nn

from ..datasets import VPIDataset
from ..engine.hooks import clock
from ..models import SEAM
from .costs import NATIVE, inference_case, method_name, peak_of, take_turns
from .train_test import load_config, set_amp

FORMATS = ('as built', 'channels last', 'compiled')


def compare_times(seconds: Sequence[float], reference: Sequence[float]) -> dict:
    """How much longer an action takes than the one that it took turns with.

    Args:
        seconds (Sequence[float]): of the action, by round.
        reference (Sequence[float]): of the other one, by round.

    Returns:
        dict: ``minimum`` and ``median`` in seconds, ``ratio`` of the minima, and
        ``median_ratio``, the median of the ratios within a round, with the ends of its
        95% bootstrap interval, ``low`` and ``high``.
    """
    ratios = np.divide(seconds, reference)
    interval = stats.bootstrap(
        (ratios,), np.median, method='percentile', random_state=0
    ).confidence_interval
    return dict(
        minimum=min(seconds),
        median=float(np.median(seconds)),
        ratio=min(seconds) / min(reference),
        median_ratio=float(np.median(ratios)),
        low=float(interval.low),
        high=float(interval.high),
    )


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
) -> Dict[str, List[dict]]:
    """Time and memory of the modules alone, by the size of the feature map.

    Args:
        sizes (Sequence[tuple[int, int]]): heights and widths, rising.
        nonlocal_limit (int): positions beyond which the non-local block is left out,
            since its matrix has the square of them.
        channels (int): C.
        rounds (int): calls for each size.

    Returns:
        dict[str, list[dict]]: module -> for each size ``positions``, ``seconds``
        (minimum) and ``bytes``.
    """
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    modules = {
        'SEAM': SEAM(channels).to(device).eval(),
        'NonLocal': NonLocal2d(channels).to(device).eval(),
    }
    found: Dict[str, List[dict]] = {name: [] for name in modules}
    with torch.no_grad():
        for height, width in sizes:
            v = torch.randn(1, channels, height, width, device=device)
            actions = {
                name: functools.partial(module, v)
                for name, module in modules.items()
                if name == 'SEAM' or height * width <= nonlocal_limit
            }
            for name, seconds in take_turns(actions, rounds).items():
                found[name].append(
                    dict(
                        positions=height * width,
                        seconds=min(seconds),
                        bytes=peak_of(actions[name]),
                    )
                )
    return found


def slope(points: Sequence[dict], key: str) -> float:
    """The exponent of growth: slope of log(key) over log(positions)."""
    return float(
        np.polyfit(
            np.log([point['positions'] for point in points]),
            np.log([point[key] for point in points]),
            1,
        )[0]
    )


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
    runner = Runner.from_cfg(cfg)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    indices = range(0, len(dataset), max(1, len(dataset) // 200))
    for _ in range(2):  # the first pass decodes
        start = time.perf_counter()
        for index in indices:
            dataset[index]
        per_second = len(indices) / (time.perf_counter() - start)
    model, batches = runner.model, iter(runner.train_dataloader)
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
    runner = Runner.from_cfg(cfg)
    images = len(runner.test_dataloader.dataset)
    start = clock()
    metrics = runner.test()
    seconds = clock() - start
    return dict(
        images=images,
        seconds=seconds,
        model_seconds=metrics['R'] * images,
        outside=1 - metrics['R'] * images / seconds,
    )
