"""mmseg's own functions and tools, with the configs of the package (docs/mmseg.md)."""

import json
import runpy
import sys
from pathlib import Path

import cv2
import mmcv
import mmseg
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.apis import MMSegInferencer, inference_model
from mmseg.apis import init_model as mmseg_init_model
from stacks import not_upstream
from vpi_files import READY_CONFIG, draw_case, write_contract, write_image

from seam_seg.apis import init_model, predict_mask
from seam_seg.config_lookup import config_path, import_package
from seam_seg.datasets import LoadVPIAnnotations, LoadVPIImage, VPIDataset
from seam_seg.datasets.transforms import FOR_MMSEG
from seam_seg.engine import carry
from seam_seg.errors import InputError
from seam_seg.weights import READY_URL, READY_WEIGHTS

TOOLS = Path(mmseg.__path__[0]) / '.mim' / 'tools'
SHAPE = (160, 72)  # of the images
EDITABLE = 'mmengine 0.10.7 finds the configs of a wheel, not those of a clone'
pytestmark = pytest.mark.skipif(
    not TOOLS.is_dir(), reason='this installation of mmseg has no .mim/tools'
)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Three training cases, one of them for validation, and two test cases."""
    root = write_contract(tmp_path_factory.mktemp('data'), train=3, shape=SHAPE)
    (root / 'val.txt').write_text('a1\n')
    return root


@pytest.fixture(scope='module')
def images(data):
    return sorted(map(str, (data / 'dataset' / 'test').glob('*.png')))


@pytest.fixture(scope='module')
def masks(images):
    """What the package itself predicts: (H, W) uint8 of each image."""
    model = init_model(device='cpu')
    return [predict_mask(model, image) for image in images]


@pytest.fixture
def mmseg_tool(monkeypatch, data):
    """Runs a file of mmseg's tools as a program; returns its globals."""

    def run(name, *words, **options):
        for split in ('train', 'val', 'test'):
            for key, value in (
                ('dataset.data_root', data),
                ('num_workers', 0),
                ('persistent_workers', False),
            ):
                options.setdefault(f'{split}_dataloader.{key}', value)
        changes = ['--cfg-options', *(f'{k}={v}' for k, v in options.items())]
        if name.endswith('benchmark.py'):
            changes = []  # it takes none
        monkeypatch.setattr(sys, 'argv', [name, *map(str, (*words, *changes))])
        monkeypatch.setenv('LOCAL_RANK', '0')  # which the tools would leave set
        return runpy.run_path(str(TOOLS / name), run_name='__main__')

    return run


def labels(folder):
    """The label PNGs of a folder, by name."""
    return [cv2.imread(str(path), -1) for path in sorted(folder.glob('*.png'))]


def same(found, wanted):
    """Whether two lists of masks are the same, in their types too, and not empty."""
    assert len(found) == len(wanted) > 0
    return all(
        one.astype(np.uint8).tobytes() == other.tobytes() and one.shape == other.shape
        for one, other in zip(found, wanted)
    )


# In Python.


@pytest.fixture(scope='module')
def segmentor():
    return mmseg_init_model(config_path(READY_CONFIG), str(READY_WEIGHTS), 'cpu')


def mask_of(sample):
    assert sample.seg_logits.data.shape[0] == 4  # not the votes
    return sample.pred_sem_seg.data.squeeze(0).numpy()


@pytest.mark.slow
def test_inference_model(segmentor, images, masks):
    """Paths, and what cv2 and mmcv read from them, of one channel and of three."""
    assert segmentor.dataset_meta['classes'] == VPIDataset.METAINFO['classes']
    assert same([mask_of(s) for s in inference_model(segmentor, images)], masks)
    for arrays in (
        [cv2.imread(image, cv2.IMREAD_UNCHANGED) for image in images],
        [mmcv.imread(image) for image in images],
    ):
        samples = inference_model(segmentor, arrays)
        assert same([mask_of(sample) for sample in samples], masks)


def test_an_array_is_refused_as_a_file_is(segmentor):
    """Colours are; and 16 bits are brought to 8 as those of a file."""
    colours = np.random.default_rng(0).integers(0, 256, (64, 32, 3), dtype=np.uint8)
    with pytest.raises(InputError, match='the array: a colour image'):
        inference_model(segmentor, colours)
    deep = np.linspace(0, 4095, 64 * 32).reshape(64, 32).astype(np.uint16)
    loaded = LoadVPIImage(window=(0, 4095))(dict(img=deep, img_path=None))
    assert loaded['img'].dtype == np.uint8 and loaded['img'].max() == 255
    assert loaded['ori_shape'] == (64, 32)


@pytest.mark.slow
def test_inferencer(images, masks, tmp_path):
    """A config by its path and by its content; the files that it writes."""
    inferencer = MMSegInferencer(str(config_path(READY_CONFIG)), READY_URL, device='cpu')
    found = inferencer(images, out_dir=str(tmp_path))
    assert same(found['predictions'], masks)
    assert same(labels(tmp_path / 'pred'), masks)
    drawn = labels(tmp_path / 'vis')
    assert [picture.shape for picture in drawn] == [(*SHAPE, 3)] * len(images)
    array = cv2.imread(images[0], cv2.IMREAD_UNCHANGED)
    assert same([mask_of(inferencer(array, return_datasamples=True))], masks[:1])


@pytest.mark.slow
def test_inferencer_by_name(images, masks):
    """In the scope of the package, whose index names the ready weights."""
    inferencer = MMSegInferencer(READY_CONFIG, device='cpu', scope='seam_seg')
    try:
        assert same([inferencer(images[0])['predictions']], masks[:1])
    finally:
        init_default_scope('mmseg')  # which the tests share


# The data set and its steps.


def test_a_data_set_reads_its_files_once(data, monkeypatch):
    """By LoadVPIImage alone, with its messages, though the config names mmcv's step."""
    pipeline = [FOR_MMSEG, dict(type='LoadVPIImage')]
    steps = VPIDataset(str(data), 'test', pipeline=pipeline).pipeline.transforms
    assert [type(step) for step in steps] == [LoadVPIImage]
    alone = VPIDataset(str(data), 'test', pipeline=[FOR_MMSEG]).pipeline.transforms
    assert [type(step).__name__ for step in alone] == ['LoadImageFromFile']


def test_an_image_alone_has_no_truth():
    results = dict(img=np.zeros((4, 4), np.uint8))
    assert LoadVPIAnnotations()(results) == results


# Configs.


@not_upstream(EDITABLE)
@pytest.mark.parametrize(
    'base',
    [
        f"'seam_seg::seam/{READY_CONFIG}.py'",
        "__import__('seam_seg') and 'seam_seg::_base_/models/fpn_r50.py'",
        "['seam_seg::_base_/models/ppmu.py']",
    ],
)
def test_base_of_the_package(base, tmp_path):
    path = tmp_path / 'own.py'
    path.write_text(f'_base_ = {base}\nmodel = dict(neck=None)\n')
    cfg = Config.fromfile(str(path))
    assert cfg.model.type == 'VPISegmentor' and cfg.model.neck is None
    assert "_scope_='seam_seg'" in cfg.pretty_text  # mmengine's note
    import_package(cfg)
    assert '_scope_' not in cfg.pretty_text and '_scope_' not in str(carry(cfg))


def test_base_of_mmseg(tmp_path):
    """By where it is installed, on either stack."""
    path = tmp_path / 'own.py'
    path.write_text(
        "_base_ = __import__('mmseg').__path__[0] + "
        "'/.mim/configs/_base_/models/fpn_r50.py'\n"
        "model = dict(decode_head=dict(type='SEAMHead', num_classes=4))\n"
    )
    assert Config.fromfile(str(path)).model.decode_head.in_channels == [256] * 4


# Tools.


@pytest.mark.slow
def test_test(mmseg_tool, tool, data, masks, tmp_path):
    """Labels, pictures and scores: those of our tool, byte by byte."""
    own, work = tmp_path / 'own', tmp_path / 'work'
    words = [str(READY_WEIGHTS), '--data-root', str(data), '--work-dir', str(own)]
    words += ['--out', str(own / 'out'), '--show-dir', str(own / 'show')]
    options = ['test_dataloader.num_workers=0']
    options += ['test_dataloader.persistent_workers=False']
    assert tool('test')([*words, '--cfg-options', *options]) == 0
    words = [config_path(READY_CONFIG), READY_WEIGHTS, '--work-dir', work]
    words += ['--out', work / 'out', '--show-dir', work / 'show']
    mmseg_tool('test.py', *words, experiment_name='doors_test')
    assert same(labels(work / 'out'), masks) and same(labels(own / 'out'), masks)
    pictures = work / 'show' / 'vis_data' / 'vis_image'
    assert same(labels(pictures), labels(own / 'show'))
    (found,) = work.glob('*/*.json')
    scores = json.loads(found.read_text())
    wanted = json.loads((own / 'test' / 'dice_jaccard.json').read_text())
    assert scores['bone/mDice'] == pytest.approx(wanted['mDice'])


@pytest.mark.slow
def test_test_with_augmentation(mmseg_tool, masks, tmp_path):
    """--tta of a model that sees both sides already: rounding apart, the same masks."""
    words = [config_path(READY_CONFIG), READY_WEIGHTS, '--work-dir', tmp_path]
    words += ['--out', tmp_path / 'out', '--tta']
    mmseg_tool('test.py', *words, experiment_name='doors_tta')
    found = labels(tmp_path / 'out')
    assert len(found) == len(masks)
    differing = [np.mean(one != other) for one, other in zip(found, masks)]
    assert max(differing) < 1e-3


@pytest.mark.slow
def test_train(mmseg_tool, tool, data, tmp_path):
    """An iteration and a validation: the weights of our tool, bit by bit."""
    options = {
        'train_cfg.max_iters': 1,
        'train_dataloader.batch_size': 2,
        'default_hooks.checkpoint.interval': 1,
    }
    words = [str(config_path(READY_CONFIG)), '--work-dir']
    mmseg_tool('train.py', *words, tmp_path / 'mmseg', **options)
    changes = [f'{key}={value}' for key, value in options.items()]
    changes += [
        f'{split}_dataloader.{key}'
        for split in ('train', 'val')
        for key in ('num_workers=0', 'persistent_workers=False')
    ]
    own = [*words, str(tmp_path / 'own'), '--data-root', str(data)]
    assert tool('train')([*own, '--cfg-options', *changes]) == 0
    one, other = (
        torch.load(tmp_path / name / 'iter_1.pth', weights_only=True)['state_dict']
        for name in ('mmseg', 'own')
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert (tmp_path / 'mmseg' / 'best_bone_mDice_iter_1.pth').is_file()


@pytest.mark.slow
@not_upstream('mmseg 1.2.2 draws into an array that OpenCV refuses')
def test_browse_dataset(mmseg_tool, tmp_path):
    """It draws images of three channels, to which ours of one are repeated."""
    words = [config_path(READY_CONFIG), '--output-dir', tmp_path, '--not-show']
    mmseg_tool(
        'analysis_tools/browse_dataset.py',
        *words,
        **{
            'visualizer.name': 'browse',
            'train_dataloader.dataset.pipeline.3.channels': 3,
        },
    )
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ['a0.png', 'a2.png']
    assert [picture.shape for picture in labels(tmp_path)] == [(512, 128, 3)] * 2


@pytest.mark.slow
@not_upstream(EDITABLE)
def test_benchmark(mmseg_tool, data, tmp_path):
    """It takes no options: a config names the data."""
    path = tmp_path / 'own.py'
    path.write_text(
        f"_base_ = 'seam_seg::seam/{READY_CONFIG}.py'\n"
        f'test_dataloader = dict(dataset=dict(data_root={str(data)!r}), '
        'num_workers=0, persistent_workers=False)\n'
    )
    mmseg_tool('analysis_tools/benchmark.py', path, READY_WEIGHTS, '--work-dir', tmp_path)
    (found,) = tmp_path.glob('fps_*.json')
    # It has no mean of a test split of fewer than 200 images.
    assert np.isnan(json.loads(found.read_text())['average_fps'])


@pytest.mark.slow
def test_confusion_matrix(mmseg_tool, data, tmp_path):
    """Of four classes, as counted here."""
    upside_down = draw_case(0, SHAPE)[1][::-1]
    for name in ('t0', 't1'):
        write_image(tmp_path / 'out' / f'{name}.png', upside_down)
    config = config_path(READY_CONFIG)
    module = mmseg_tool(
        'analysis_tools/confusion_matrix.py', config, tmp_path / 'out', tmp_path
    )
    assert (tmp_path / 'confusion_matrix.png').is_file()
    cfg = Config.fromfile(str(config)).test_dataloader.dataset
    dataset = VPIDataset(str(data), 'test', pipeline=cfg.pipeline)
    found = module['calculate_confusion_matrix'](dataset, labels(tmp_path / 'out'))
    wanted = np.zeros((4, 4))
    for info, predicted in zip(dataset.load_data_list(), labels(tmp_path / 'out')):
        truth = cv2.imread(info['seg_map_path'], cv2.IMREAD_UNCHANGED)
        for pair in zip(truth.ravel(), predicted.ravel()):
            wanted[pair] += 1
    assert (found == wanted).all() and wanted[1:].sum() > 0
