"""What a model costs: seconds, parameters, operations and memory."""

import functools
import statistics
from typing import Any, Callable, Dict, List, Sequence, Tuple

import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from ..config_lookup import config_path, get_config, network_size
from ..engine.hooks import clock
from ..engine.other_work import OtherWork
from ..models.segmentors import VPISegmentor, WaveCTSegmentor

# Files have this size where nothing else is said: R includes the way back to it.
NATIVE = (2574, 640)


def take_turns(
    actions: Dict[str, Callable[[], object]], rounds: int
) -> Dict[str, List[float]]:
    """Times actions in turns, so that what else the machine does hits all of them alike.

    Not by torch.utils.benchmark: its Timer measures one action after the other, and calls
    each twice more before every measurement.

    Args:
        actions (dict[str, Callable]): by name.
        rounds (int): of each action, after two that warm up.

    Returns:
        dict[str, list[float]]: seconds; the i-th of all actions were measured together.
    """
    times: Dict[str, List[float]] = {name: [] for name in actions}
    for i in range(rounds + 2):
        for name, action in actions.items():
            start = clock()
            action()
            if i >= 2:
                times[name].append(clock() - start)
    return times


def peak_of(action: Callable[[], object]) -> int:
    """The most memory that a call holds for tensors beyond what was there before.

    By the allocator of CUDA where there is one, else by torch's profiler, which sees
    tensors but not the scratch space inside a CPU kernel.

    Args:
        action (Callable): what is measured; it is called once.

    Returns:
        int: bytes.
    """
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        action()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        action()
    events = [
        event
        for event in profiler.profiler.kineto_results.events()
        if event.name() == '[memory]'
    ]

    def start(event: Any) -> int:  # torch before 2.3 counts in microseconds
        return event.start_ns() if hasattr(event, 'start_ns') else event.start_us()

    held = peak = 0
    for event in sorted(events, key=start):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def method_name(config: str) -> str:
    """The row's name: ``method_name`` of the config, or else the config's own name."""
    return get_config(config).get('method_name', config_path(config).stem)


def inference_case(config: str) -> Tuple[Any, dict]:
    """A model with random weights, and an image for its ``test_step``.

    Args:
        config (str): path or name.

    Returns:
        tuple[nn.Module, dict]: the segmentor in evaluation mode, and a batch of one image
        of the size that it works at, to be brought back to :data:`NATIVE`.
    """
    init_default_scope('mmseg')
    cfg = get_config(config)
    (cfg.model.get('backbone') or {}).pop('init_cfg', None)
    model = MODELS.build(cfg.model)
    model.to('cuda' if torch.cuda.is_available() else 'cpu').eval()
    if isinstance(model, WaveCTSegmentor):
        model.styles.random_()  # any images: training would put some in
    size = network_size(cfg)
    sample = SegDataSample(metainfo=dict(ori_shape=NATIVE, img_shape=tuple(size)))
    image = torch.randint(0, 256, (1, *size), dtype=torch.uint8)
    return model, pseudo_collate([dict(inputs=image, data_samples=sample)])


def measure_costs(configs: Sequence[str], rounds: int = 20) -> Dict[str, dict]:
    """Runtime, parameters and FLOPs of models side by side.

    One image at a time, as R in :class:`seam_seg.engine.RuntimeHook`, in turns; the
    minimum is what the machine can do, the median what it did.

    Args:
        configs (Sequence[str]): paths or names.
        rounds (int): images for each model, after two that warm up. Default: 20.

    Returns:
        dict[str, dict]: method -> ``seconds`` (of each round), ``R`` (their median),
        ``parameters`` (all but those of the center loss), ``flops`` of the network at
        its input size (multiplications of convolutions and matrix products, as they
        run), ``peak_bytes``, see :func:`peak_of`, and ``other_cores``, those that other
        processes kept busy while times were taken.
    """
    actions: Dict[str, Callable[[], object]] = {}
    costs: Dict[str, dict] = {}
    for config in configs:
        name = method_name(config)
        model, batch = inference_case(config)
        # Not mmengine's counter: SEAM takes another form where somebody hooks its layers.
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            inputs = model.data_preprocessor(batch)['inputs']
            if isinstance(model, VPISegmentor):  # twice, where test_cfg.mirror is set
                model.both_sides(model._forward, inputs)
            else:
                model._forward(inputs)
        costs[name] = dict(
            parameters=sum(
                value.numel()
                for key, value in model.named_parameters()
                if '.loss_center.' not in key
            ),
            flops=counter.get_total_flops() // 2,
        )
        actions[name] = functools.partial(model.test_step, batch)
    with torch.no_grad():
        others = OtherWork()
        times = take_turns(actions, rounds)
        other_cores = others.cores()
        for name, seconds in times.items():
            costs[name].update(
                seconds=seconds,
                R=statistics.median(seconds),
                peak_bytes=peak_of(actions[name]),
                other_cores=other_cores,
            )
    return costs
