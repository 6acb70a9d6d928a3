"""How many iterations of one config's training take as long as the whole of another's.

Whole steps of both, from reading to the optimizer, in turns: by the time that the
process has on the cores, which other jobs hardly change. Validation is left out, since
both do it alike. With the checkpoints of both, predictions in turns too, from the image
to its bones. Rows of an earlier measurement are replaced.
"""

import argparse
import functools
import random
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence

from mmengine.runner import Runner

from seam_seg.apis import init_model, predict
from seam_seg.apis.command_line import report_errors
from seam_seg.apis.runs import load_config
from seam_seg.datasets.phantom import write_phantom
from seam_seg.engine import build_runner
from studies.records import add_out_argument, append_rows, make_rows

WARM_UP = 2
TRAINING, PREDICTION = 'training', 'prediction'  # the settings of the rows


def start_training(config: str, data_root: str) -> Runner:
    """The run of a config, whose data the process itself reads; its images are decoded.

    Args:
        config (str): path or name.
        data_root (str): data set.
    """
    options = {
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'load_from': None,
    }
    cfg = load_config(
        config, options, data_root, str(Path(data_root, 'runs', Path(config).stem))
    )
    runner = build_runner(cfg)
    dataset = runner.train_dataloader.dataset
    for i in range(len(dataset)):  # a training does this in its first epoch alone
        dataset[i]
    return runner


def train_steps(runner: Runner) -> Callable[[], Any]:
    """What takes one whole step of a training: the next batch, losses, and optimizer."""

    def batches() -> Iterator[dict]:
        while True:
            yield from runner.train_dataloader

    found = batches()
    wrapper = runner.build_optim_wrapper(runner.cfg.optim_wrapper)
    runner.model.train()
    return lambda: runner.model.train_step(next(found), wrapper)


def measure_steps(
    steps: Dict[str, Callable[[], Any]], rounds: int
) -> Dict[str, List[float]]:
    """Times steps in turns, in an order that changes: what runs first leaves its data.

    Args:
        steps (dict[str, Callable]): by name.
        rounds (int): of each, after two that warm up.

    Returns:
        dict[str, list[float]]: seconds that all cores together spent on each step.
    """
    times: Dict[str, List[float]] = {name: [] for name in steps}
    order, chance = list(steps), random.Random(0)
    for i in range(rounds + WARM_UP):
        chance.shuffle(order)
        for name in order:
            start = time.process_time()
            steps[name]()
            if i >= WARM_UP:
                times[name].append(time.process_time() - start)
    return times


def round_values(times: Sequence[float]) -> List[dict]:
    """The values of rows for the seconds of each round."""
    return [
        dict(image=f'round {i}', score='cpu_seconds', value=value)
        for i, value in enumerate(times)
    ]


def equal_iterations(
    iterations: int, seconds: Sequence[float], others: Sequence[float]
) -> int:
    """How many steps of another training take as long as all of one.

    Args:
        iterations (int): of the one.
        seconds (Sequence[float]): of steps of it.
        others (Sequence[float]): of as many steps of the other.
    """
    return round(iterations * sum(seconds) / sum(others))


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('ready', help='path or name of the config that says how long')
    parser.add_argument('peer', help='that of the other one')
    parser.add_argument(
        '--checkpoints',
        nargs=2,
        metavar=('READY', 'PEER'),
        help='weights of both; measures predictions instead of trainings',
    )
    parser.add_argument(
        '--rounds', type=int, default=30, help='steps of each (default: 30)'
    )
    parser.add_argument(
        '--data-root',
        default='data/peer',
        help='where a phantom is made (default: data/peer)',
    )
    add_out_argument(parser, __file__)
    args = parser.parse_args(argv)
    if args.rounds < 1:
        parser.error('--rounds: at least 1')
    write_phantom(args.data_root, 12, 2, seed=4, num_workers=2, overwrite=True)
    if args.checkpoints is not None:
        image = Path(args.data_root, 'dataset', 'test', 'phantom_test_0000.png')
        models = [
            init_model(*pair) for pair in zip((args.ready, args.peer), args.checkpoints)
        ]

        def find_bones(model: Any) -> Any:
            return predict(model, image).bones

        predictions = {
            name: functools.partial(find_bones, model)
            for name, model in zip(('ready', 'peer'), models)
        }
        for name, seconds in measure_steps(predictions, args.rounds).items():
            values = round_values(seconds)
            append_rows(args.out, make_rows(values, 'peer', PREDICTION, name))
            print(f'{name}: {sum(seconds) / args.rounds:.3f} s an image')
        return 0
    runners = {
        name: start_training(getattr(args, name), args.data_root)
        for name in ('ready', 'peer')
    }
    times = measure_steps(
        {name: train_steps(runner) for name, runner in runners.items()}, args.rounds
    )
    total = runners['ready'].cfg.train_cfg.max_iters
    iterations = dict(
        ready=total, peer=equal_iterations(total, times['ready'], times['peer'])
    )
    for name, runner in runners.items():
        values = round_values(times[name])
        parameters = sum(
            value.numel()
            for key, value in runner.model.named_parameters()
            if '.loss_' not in key
        )
        values.append(dict(score='iterations', value=iterations[name]))
        values.append(dict(score='parameters', value=parameters))
        append_rows(args.out, make_rows(values, 'peer', TRAINING, name))
        mean = sum(times[name]) / args.rounds
        print(f'{name}: {mean:.3f} s a step, {iterations[name]} iterations')
    return 0


if __name__ == '__main__':
    sys.exit(main())
