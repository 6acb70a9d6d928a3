"""A disk that fills up: one clear error, no half-written file, nothing earlier lost."""

import contextlib
import resource

import pytest
import torch
from test_bad_input import DEMO, Bench
from vpi_files import READY_CONFIG, draw_case

from seam_seg.atomic import PARTIAL
from seam_seg.weights import READY_WEIGHTS


@contextlib.contextmanager
def room(size):
    """No file can grow beyond ``size`` bytes: the writes themselves fail."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def train(b, iterations, *more):
    return [
        'train',
        DEMO,
        '--data-root',
        b.data(),
        '--work-dir',
        str(b.out),
        *more,
        '--cfg-options',
        f'train_cfg.max_iters={iterations}',
        'train_cfg.val_interval=9',
        'default_hooks.checkpoint.interval=1',
        'train_dataloader.num_workers=0',
        'train_dataloader.batch_size=1',
        'train_dataloader.persistent_workers=False',
    ]


CASES = {
    'predict': (
        lambda b: ['predict', b.image(draw_case(0, (1024, 256))[0]), '--out', str(b.out)],
        5000,
    ),
    'check_dataset': (lambda b: ['check_dataset', b.data(), '--out', str(b.out)], 200),
    'prepare_vpi': (lambda b: ['prepare_vpi', *b.folders(), '--seed', '3'], 200),
    'make_phantom': (
        lambda b: [
            'make_phantom',
            str(b.out),
            '--num-train',
            '1',
            '--num-test',
            '1',
            '--workers',
            '1',
        ],
        5000,
    ),
    'make_folds': (
        lambda b: ['make_folds', b.data(), '--folds', '2', '--one-scan-per-subject'],
        5,
    ),
    'publish_model': (
        lambda b: [
            'publish_model',
            READY_CONFIG,
            str(READY_WEIGHTS),
            str(b.out / 'x.pth'),
        ],
        1000000,
    ),
    'test': (
        lambda b: [
            'test',
            READY_CONFIG,
            str(READY_WEIGHTS),
            '--data-root',
            'PHANTOM',
            '--work-dir',
            str(b.out),
            '--out',
            str(b.out / 'labels'),
            '--show-dir',
            str(b.out / 'shown'),
            '--cfg-options',
            'test_dataloader.num_workers=0',
            'test_dataloader.persistent_workers=False',
        ],
        60000,
    ),
    'train': (lambda b: train(b, 1), 200000),
    'train, not even the log': (lambda b: train(b, 1), 4000),
}


@pytest.mark.slow
@pytest.mark.parametrize('name', CASES)
def test_one_error_and_no_debris(name, tool, phantom, tmp_path, capsys):
    make, size = CASES[name]
    bench = Bench(tmp_path)
    bench.out.mkdir()
    argv = [str(phantom) if word == 'PHANTOM' else word for word in make(bench)]
    before = set(tmp_path.rglob('*'))
    with room(size):
        status = tool(argv[0])(argv[1:])
    output = capsys.readouterr()
    assert status == 2
    (line,) = [line for line in output.err.splitlines() if line.startswith('error: ')]
    assert 'File too large' in line and str(tmp_path) in line
    assert not list(tmp_path.rglob(f'*{PARTIAL}*'))
    for path in set(tmp_path.rglob('*')) - before:  # what came before it is whole
        if path.is_file() and path.suffix != '.log' and 'log' not in name:
            assert path.stat().st_size < size, path


@pytest.mark.slow
def test_training_goes_on_where_there_is_room_again(tool, tmp_path, capsys):
    bench = Bench(tmp_path)
    name, *argv = train(bench, 1)
    assert tool(name)(argv) == 0
    checkpoint = bench.out / 'iter_1.pth'
    content = checkpoint.read_bytes()
    name, *argv = train(bench, 2, '--resume')
    with room(len(content) // 2):
        assert tool(name)(argv) == 2
    assert 'iter_2.pth: File too large' in capsys.readouterr().err
    assert checkpoint.read_bytes() == content
    assert not list(bench.out.glob(f'*{PARTIAL}'))
    assert tool(name)(argv) == 0
    assert torch.load(bench.out / 'iter_2.pth', weights_only=True)['meta']['iter'] == 2


@pytest.mark.slow
def test_a_training_that_diverges_leaves_the_checkpoint_before(tool, tmp_path, capsys):
    bench = Bench(tmp_path)
    name, *argv = train(bench, 2)
    assert tool(name)([*argv, 'optim_wrapper.optimizer.lr=1e19']) == 2
    error = capsys.readouterr().err
    assert 'the training diverged' in error and 'not finite after 2 iterations' in error
    torch.load(bench.out / 'iter_1.pth', weights_only=True)
    assert not (bench.out / 'iter_2.pth').exists()
