"""Two processes with half of the batch each do what one does with the whole."""

import json
import os
import socket
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from tool_loading import load_tool

from seam_seg.config_lookup import get_config
from seam_seg.engine import SafeCheckpointHook, check_unused
from seam_seg.errors import InputError

pytestmark = pytest.mark.slow
DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'
PROCESSES = 2


def labels(kind):
    """Labels of four images, of which each process gets two."""
    generator = torch.Generator().manual_seed(1)
    label = torch.zeros(4, 64, 32, dtype=torch.long)
    for image in range(4):
        for value in (1, 2, 3):
            row, col = (torch.randint(40, (2,), generator=generator) % 22).tolist()
            label[image, row : row + 9 * value, col : col + 7] = value
    if kind == 'ignored unevenly':
        label[2:, :50] = 255
        label[0, 60:] = 255
    elif kind == 'no foreground in one':
        label[2:] = 0
    elif kind == 'nothing labelled in one':
        label[2:] = 255
    elif kind == 'nothing labelled':
        label[:] = 255
    return label


CASES = {
    'even': {},
    'ignored unevenly': {},
    'no foreground in one': {},
    'nothing labelled in one': {},
    'nothing labelled': {},
    'by offset': dict(loss_center=dict(type='CenterRegressionLoss', mode='offset')),
    'without attention': dict(attention=False),
    'total variation, class weights': dict(
        loss_decode=[
            dict(type='SyncCrossEntropyLoss', class_weight=[0.5, 1.0, 2.0, 3.0]),
            dict(type='TotalVariationLoss', loss_weight=0.1),
        ]
    ),
}
LABELS = {
    'by offset': 'no foreground in one',
    'without attention': 'ignored unevenly',
    'total variation, class weights': 'ignored unevenly',
}


def gradients(case, part=slice(None), parallel=False):
    """Loss and gradients of the demo's model in float64, BN and dropout in eval mode."""
    init_default_scope('mmseg')
    torch.manual_seed(0)
    cfg = get_config(DEMO).model
    cfg.decode_head.update(CASES[case])
    module = MODELS.build(cfg)
    module.init_weights()
    module = module.double().eval()
    model = MMDistributedDataParallel(module) if parallel else module
    images = torch.randn(4, 3, 64, 32, dtype=torch.double)[part]
    samples = [
        SegDataSample(gt_sem_seg=PixelData(data=label[None]))
        for label in labels(LABELS.get(case, case))[part]
    ]
    loss = module.parse_losses(model(images, samples, mode='loss'))[0]
    loss.backward()
    return loss.detach(), {
        name: parameter.grad for name, parameter in module.named_parameters()
    }


def work(rank, port, folder, phantom):
    """What one of the processes does."""
    torch.set_num_threads(1)
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(PROCESSES),
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port),
    )
    dist.init_process_group('gloo')
    part = slice(2 * rank, 2 * rank + 2)
    found = {}
    for case in CASES:
        loss, grads = gradients(case, part, parallel=True)
        dist.all_reduce(loss)
        found[case] = (loss / PROCESSES, grads)
    if rank == 0:
        torch.save(found, folder / 'gradients.pth')
    own = folder / f'rank{rank}'  # as of a file system that is slow to tell the others
    own.mkdir()
    if rank == 0:
        (own / 'iter_1.pth').touch()
    with pytest.raises(InputError, match='holds iter_1.pth'):
        check_unused(own)
    # before they validate, all take the statistics of the first, which are saved
    norm = torch.nn.BatchNorm2d(2)
    norm.running_mean += rank
    norm.num_batches_tracked += rank
    SafeCheckpointHook().before_val(SimpleNamespace(model=norm))
    assert not norm.running_mean.any() and not norm.num_batches_tracked
    dist.barrier()
    dist.destroy_process_group()
    arguments = arguments_of_test(folder, phantom, 'two')
    assert load_tool('test').main([*arguments, '--launcher', 'pytorch']) == 0


def arguments_of_test(folder, phantom, name):
    """Scores the three test images of the phantom, which two processes cannot share."""
    return [
        DEMO,
        str(folder / 'weights.pth'),
        '--data-root',
        str(phantom),
        '--work-dir',
        str(folder / name),
        '--out',
        str(folder / name / 'labels'),
        '--cfg-options',
        'test_dataloader.num_workers=0',
        'test_dataloader.persistent_workers=False',
    ]


@pytest.fixture(scope='module')
def folder(phantom, tmp_path_factory):
    """Where the two processes left their results."""
    folder = tmp_path_factory.mktemp('two')
    model = MODELS.build(get_config(DEMO).model)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), folder / 'weights.pth')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(work, (port, folder, phantom), PROCESSES)
    return folder


@pytest.mark.parametrize('case', CASES)
def test_gradients_of_a_split_batch(case, folder):
    loss, grads = torch.load(folder / 'gradients.pth', weights_only=True)[case]
    expected_loss, expected = gradients(case)
    # mmseg adds 1.2e-7 to each denominator, here some thousand pixels
    torch.testing.assert_close(loss, expected_loss, rtol=1e-8, atol=0)
    assert grads.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(grads[name], gradient, rtol=1e-8, atol=1e-12, msg=name)
    largest = max(gradient.abs().max() for gradient in expected.values())
    assert (largest > 1e-3) == (case != 'nothing labelled')


def test_scores_of_a_split_test(folder, phantom, tool):
    assert tool('test')(arguments_of_test(folder, phantom, 'one')) == 0
    one, two = (
        json.loads((folder / name / 'test/dice_jaccard.json').read_text())
        for name in ('one', 'two')
    )
    assert one.pop('R') > 0 and two.pop('R') > 0
    assert one == two and one['images'] == 3
    rows = [
        [
            line.rsplit(',', 1)[0]
            for line in (folder / name / 'test/dice_jaccard.csv').read_text().splitlines()
        ]
        for name in ('one', 'two')
    ]
    assert rows[0] == rows[1] and len(rows[0]) == 4
    assert len(list((folder / 'two/labels').glob('*.png'))) == 3
