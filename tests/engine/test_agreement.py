"""What two configs may differ in for one checkpoint, and what they may not."""

import copy
from types import SimpleNamespace

import pytest
import torch
from mmengine.runner import IterBasedTrainLoop

from seam_seg.config_lookup import get_config
from seam_seg.engine import SafeCheckpointHook, carry, differences
from seam_seg.errors import InputError

DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'
PRINTED = 'seam_r18-fpn_1xb8-600_phantom-256x128'
PIPELINE = 'test_dataloader.dataset.pipeline'


@pytest.fixture(scope='module')
def demo():
    cfg = get_config(DEMO)
    return cfg, carry(cfg)['config']


def first(cfg, carried):
    return next(differences(cfg, carried), None)


@pytest.mark.parametrize(
    'options',
    [
        {'model.backbone.init_cfg': [dict(type='Pretrained', checkpoint='x')]},
        {'model.backbone.frozen_stages': 2, 'model.backbone.with_cp': True},
        {'model.decode_head.dropout_ratio': 0.5},
        {'model.decode_head.lambda_': 1, 'model.decode_head.beta': 0},
        {'model.decode_head.loss_center': dict(type='CenterRegressionLoss')},
        {'model.decode_head.norm_cfg': dict(type='SyncBN')},
        {'model.auxiliary_head': dict(type='FCNHead')},
        {'model.train_cfg': None},
        {'model.data_preprocessor.mean': (75.99, 75.99, 75.99)},
        {'model.data_preprocessor.size_divisor': 64},
        {'model.decode_head.in_channels': (64, 64, 64, 64)},
        {'model.decode_head.reduction': 4},  # the default
        {f'{PIPELINE}.1.window': None},  # likewise
        {f'{PIPELINE}.4.meta_keys': ('ori_shape',)},
        {'test_dataloader.batch_size': 4, 'test_dataloader.num_workers': 0},
        {'test_dataloader.dataset.data_root': 'x', 'test_evaluator.surface': True},
        {'test_dataloader.dataset.split': 'val', 'train_cfg.max_iters': 1},
        {'tta_pipeline.2.transforms.0.0.prob': 0.1},
        {'work_dir': 'x', 'method_name': 'x', 'randomness.seed': 7},
    ],
    ids=str,
)
def test_does_not_change_masks(options, demo):
    cfg, carried = copy.deepcopy(demo[0]), demo[1]
    cfg.merge_from_dict(options)
    assert first(cfg, carried) is None


@pytest.mark.parametrize(
    'key, value',
    [
        ('model.data_preprocessor.mean', [50.0] * 3),
        ('model.data_preprocessor.std', [75.99] * 3),
        ('model.decode_head.normalization', None),
        ('model.decode_head.normalization', 'hw'),
        ('model.decode_head.align_corners', True),
        ('model.decode_head.type', 'FPNHead'),
        ('model.decode_head.own', 1),
        ('model.test_cfg.resize', 'logits'),
        ('model.test_cfg.mode', 'slide'),
        ('model.backbone.style', 'caffe'),
        (f'{PIPELINE}.1.window', (0, 4095)),
        (f'{PIPELINE}.2.scale', (256, 1024)),
        ('tta_pipeline.1.scale', (256, 1024)),
    ],
)
def test_changes_masks(key, value, demo):
    cfg, carried = copy.deepcopy(demo[0]), demo[1]
    cfg.merge_from_dict({key: value})
    found = first(cfg, carried)
    assert found.key == key and found.given == value and key in str(found)


def test_the_order_of_classes(demo):
    cfg, carried = copy.deepcopy(demo[0]), demo[1]
    names = ['background', 'rib', 'thoracic', 'lumbar']
    cfg.test_dataloader.dataset.metainfo = dict(classes=names)
    assert first(cfg, carried) is None
    cfg.test_dataloader.dataset.metainfo = dict(classes=names[::-1])
    found = first(cfg, carried)
    assert found.key == 'test_dataloader.dataset.metainfo.classes'


def test_more_and_fewer_steps(demo):
    cfg, carried = copy.deepcopy(demo[0]), demo[1]
    cfg.test_dataloader.dataset.pipeline.insert(2, dict(type='CLAHE'))
    assert first(cfg, carried).key == PIPELINE
    del cfg.test_dataloader.dataset.pipeline[2:4]
    assert first(cfg, carried).key == PIPELINE


def test_the_step_that_mmseg_looks_for_changes_nothing(demo):
    """A config without it, as of version 0.3, agrees with one that has it."""
    cfg, carried = copy.deepcopy(demo[0]), demo[1]
    assert carried['test_dataloader']['dataset']['pipeline'][0]['type'] == 'LoadVPIImage'
    del cfg.test_dataloader.dataset.pipeline[0]
    assert first(cfg, carried) is None
    cfg.test_dataloader.dataset.pipeline[0] = dict(type='LoadImageFromFile')
    assert first(cfg, carried).key == f'{PIPELINE}.1.type'


def test_a_setting_that_weights_do_not_show():
    """The key-mass model under the config as printed: all weights have the same names."""
    found = first(get_config(PRINTED), carry(get_config(DEMO))['config'])
    assert found == ('model.decode_head.normalization', None, 'key_mass')
    assert found.is_of_weights()


def test_with_augmentation_around_it(demo):
    """As a test builds it, ours and mmseg's."""
    cfg, carried = copy.deepcopy(demo[0]), demo[1]
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    cfg.model = dict(cfg.tta_model, module=cfg.model)
    assert first(cfg, carried) is None
    cfg.model.module.decode_head.normalization = None
    assert first(cfg, carried).key == 'model.decode_head.normalization'


def loaded(demo, changes, resume=False, training=True):
    """What the log is warned of when a run of the changed config loads the checkpoint."""
    cfg, carried = copy.deepcopy(demo[0]), demo[1]
    cfg.merge_from_dict(changes)
    said = []
    loop = IterBasedTrainLoop.__new__(IterBasedTrainLoop) if training else dict()
    runner = SimpleNamespace(
        cfg=cfg,
        model=torch.nn.Identity(),
        work_dir='w',
        _load_from='x.pth',
        _resume=resume,
        _train_loop=loop,
        _val_loop=None,
        _test_loop=None,
        logger=SimpleNamespace(warning=said.append),
    )
    content = dict(state_dict={}, meta=dict(seam_seg=dict(config=carried)))
    if resume:
        content.update(dict.fromkeys(('message_hub', 'optimizer', 'param_schedulers')))
        content['meta'].update(epoch=0, iter=1)
    SafeCheckpointHook().after_load_checkpoint(runner, content)
    return said


def test_in_a_run(demo):
    """Resumed and tested with what it was trained with; started from as one likes."""
    mean, mass = 'model.data_preprocessor.mean', 'model.decode_head.normalization'
    for way in (dict(resume=True), dict(training=False)):
        assert loaded(demo, {'train_cfg.max_iters': 9}, **way) == []
        for key in (mean, mass):
            with pytest.raises(InputError, match=f'{DEMO} and .*x.pth disagree: {key}'):
                loaded(demo, {key: None}, **way)
    assert loaded(demo, {mean: [1.0] * 3, 'model.test_cfg.resize': 'logits'}) == []
    (line,) = loaded(demo, {mass: None})
    assert 'x.pth' in line and mass in line
    # by another order of the classes, each channel of the head is another one
    order = dict(classes=('lumbar', 'thoracic', 'rib', 'background'))
    (line,) = loaded(demo, {'test_dataloader.dataset.metainfo': order})
    assert 'classes' in line
