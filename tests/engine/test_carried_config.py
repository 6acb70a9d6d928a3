"""What a checkpoint carries of its config, and that reading it runs nothing."""

import copy
import functools
import sys

import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS, TRANSFORMS

from seam_seg.apis.inference import build_model
from seam_seg.config_lookup import get_config
from seam_seg.datasets import VPIDataset
from seam_seg.engine import carried_config, carry, own_config
from seam_seg.engine.carried_config import without_data_root
from seam_seg.errors import InputError

DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'


@functools.lru_cache(maxsize=None)
def demo():
    """The demo's config, read once: for reading only."""
    return get_config(DEMO)


def content_of(cfg):
    """A checkpoint, but for its weights."""
    return dict(state_dict={}, meta=dict(seam_seg=carry(cfg)))


def changed(key, value):
    """The demo's checkpoint with another value somewhere in its config."""
    content = copy.deepcopy(content_of(demo()))
    node = content['meta']['seam_seg']['config']
    *path, last = key.split('.')
    for part in path:
        node = node[int(part) if part.isdigit() else part]
    node[int(last) if last.isdigit() else last] = value
    return content


def test_is_plain_and_enough(tmp_path):
    """Of tensors, numbers and text, and the same network comes of it."""
    cfg = demo()
    torch.save(content_of(cfg), tmp_path / 'x.pth')
    content = torch.load(tmp_path / 'x.pth', weights_only=True)
    own = own_config(content, tmp_path / 'x.pth', testing=True)
    expected, found = build_model(cfg).state_dict(), build_model(own).state_dict()
    assert {k: v.shape for k, v in found.items()} == {
        k: v.shape for k, v in expected.items()
    }
    assert own.origin == dict(config=DEMO, checkpoint=str(tmp_path / 'x.pth'))
    for key in ('method_name', 'tta_pipeline', 'test_evaluator', 'default_scope'):
        assert own[key] == cfg[key]
    pipeline = cfg.test_dataloader.dataset.pipeline[1:]  # without mmseg's own step
    dataset = dict(cfg.test_dataloader.dataset, pipeline=pipeline)
    assert own.test_dataloader.dataset == dataset
    assert own.test_cfg.type == cfg.test_cfg.type


def test_what_only_a_training_needs_is_left_out():
    cfg = get_config('rsnu_r50-fpn_1xb12-80k_vpi-512x256')
    cfg.model.decode_head.norm_cfg = dict(type='SyncBN', requires_grad=True)
    cfg.model.backbone.pretrained = 'open-mmlab://x'
    cfg.test_evaluator = [dict(type='DiceJaccardMetric', output_dir='o', surface=True)]
    config = carry(cfg)['config']
    text = str(config)
    for word in ('loss_', 'init_cfg', 'pretrained', 'open-mmlab', 'dropout', 'o/'):
        assert word not in text
    assert config['model']['decode_head']['norm_cfg'] == dict(type='BN')
    assert config['test_evaluator'] == [dict(type='DiceJaccardMetric', surface=True)]


def test_a_preprocessor_beside_the_model_is_carried():
    """Where mmseg's own configs have it; the model that is built here gets it, too."""
    cfg = copy.deepcopy(demo())
    cfg.data_preprocessor = dict(cfg.model.pop('data_preprocessor'), mean=[1.0] * 3)
    assert carry(cfg)['config']['model']['data_preprocessor']['mean'] == [1.0] * 3
    assert build_model(cfg).data_preprocessor.mean.flatten().tolist() == [1.0] * 3


def test_to_hand_on_says_nothing_of_a_machine():
    cfg = copy.deepcopy(demo())
    cfg.test_dataloader.dataset.data_root = '/home/somebody/patients'
    assert 'patients' in str(carry(cfg))
    assert 'patients' not in str(without_data_root(carry(cfg)))


def command(trace):
    """What a registry would run, given where it leaves a trace."""
    return dict(type='os.system', command=f'touch {trace}')


MODEL = 'model.decode_head'
DATASET = 'test_dataloader.dataset'
# Where it stands in a config, and what.
ATTACKS = {
    'the model': ('model', command),
    'a head': (MODEL, command),
    'a norm': (f'{MODEL}.norm_cfg', command),
    'a module': (f'{MODEL}.norm_cfg.type', lambda trace: 'antigravity'),
    'another library': (f'{MODEL}.type', lambda trace: 'mmdet.FCNMaskHead'),
    'an address': (f'{MODEL}.type', lambda trace: 'mmengine.model.BaseModel'),
    'a class': (f'{MODEL}.type', lambda trace: 'subprocess.Popen'),
    'no name': (f'{MODEL}.type', lambda trace: ['os.system']),
    'a padding': (f'{MODEL}.padding_mode', lambda trace: 'antigravity'),
    'a text with an address': (f'{MODEL}.x', lambda trace: 'os.system'),
    'a file': (f'{MODEL}.x', lambda trace: str(trace)),
    'a scope': (f'{MODEL}._scope_', lambda trace: 'antigravity'),
    'a model that reads files': ('model.backbone.type', lambda trace: 'TIMMBackbone'),
    'the default scope': ('default_scope', lambda trace: 'antigravity'),
    'a step': (f'{DATASET}.pipeline.1', command),
    'a step that reads pickles': (
        f'{DATASET}.pipeline.0',
        lambda trace: dict(type='LoadImageFromNpyFile'),
    ),
    'a step in a step': (
        f'{DATASET}.pipeline.1',
        lambda trace: dict(type='TestTimeAug', transforms=[[command(trace)]]),
    ),
}
TEST_ATTACKS = {
    'a data set': (DATASET, lambda trace: dict(command(trace), pipeline=[{}])),
    'a registered data set': (f'{DATASET}.type', lambda trace: 'BaseSegDataset'),
    'something in it': (f'{DATASET}.metainfo', command),
    'the metric': ('test_evaluator', command),
    'a metric': ('test_evaluator', lambda trace: [command(trace)]),
    'a metric that writes': (
        'test_evaluator',
        lambda trace: dict(type='DumpResults', out_file_path=str(trace)),
    ),
    'the augmentation': ('tta_pipeline', lambda trace: [command(trace)]),
    'its model': ('tta_model', command),
}


def refused(name, trace, testing):
    key, value = {**ATTACKS, **TEST_ATTACKS}[name]
    content = changed(key, value(trace))
    modules = set(sys.modules)
    with pytest.raises(InputError, match='its config names .*--config') as error:
        own_config(content, 'x.pth', testing=testing)
    assert '--trust-checkpoint' in str(error.value) and '\n' not in str(error.value)
    assert set(sys.modules) == modules and not trace.exists()


@pytest.mark.parametrize('name', ATTACKS)
def test_names_are_not_built(name, tmp_path):
    refused(name, tmp_path / 'it_ran', testing=False)


@pytest.mark.parametrize('name', TEST_ATTACKS)
def test_names_are_not_tested_with(name, tmp_path):
    """And do no harm where there is no test."""
    refused(name, tmp_path / 'it_ran', testing=True)
    key, value = TEST_ATTACKS[name]
    if not key.startswith(DATASET):
        own = own_config(changed(key, value(tmp_path / 'it_ran')), 'x.pth')
        assert 'os.system' not in str(own.to_dict())


def test_what_is_refused_would_run(tmp_path):
    """By a registry of mmengine: the names above are not harmless by themselves."""
    for number, registry in enumerate((MODELS, TRANSFORMS)):
        registry.build(command(tmp_path / str(number)))
        assert (tmp_path / str(number)).exists()


def test_paths_and_loaders_are_not_taken_over(tmp_path):
    """Not even from where no training of ours would have written them."""
    bad = dict(type='DiceJaccardMetric', summary_dir='s', output_dir='o')
    content = changed('test_evaluator', [bad])
    config = content['meta']['seam_seg']['config']
    config['test_dataloader'].update(
        collate_fn=command('x'), worker_init_fn=command('x'), sampler=command('x')
    )
    config['test_dataloader']['dataset']['backend_args'] = dict(backend='x')
    config['test_cfg'] = command('x')
    config['model']['backbone']['init_cfg'] = dict(checkpoint='x.pth')
    config['custom_imports'] = dict(imports=['antigravity'])
    config['custom_hooks'] = [command('x')]
    own = own_config(content, 'x.pth', testing=True)
    assert own.test_evaluator == [dict(type='DiceJaccardMetric')]
    for word in ('os.system', 'init_cfg', 'backend', 'antigravity', 'custom_hooks'):
        assert word not in str(own.to_dict())
    assert own.test_cfg.type == 'TestLoop'
    assert own.test_dataloader.sampler.type == 'DefaultSampler'


@pytest.mark.parametrize(
    'key, value',
    [
        ("model.x': __import__('os').system('touch it_ran'), 'y", 1),  # in a dump
        ('model.x', torch.zeros(1)),
        ('model', None),
        ('test_dataloader.dataset', 'x'),
        ('test_dataloader.dataset.pipeline', 5),
        ('test_dataloader.dataset.metainfo', 'x'),
        ('tta_pipeline', 5),
    ],
    ids=str,
)
def test_what_is_no_config_is_none(key, value):
    content = changed('name', 'x')
    node = content['meta']['seam_seg']['config']
    path = key.split('.', 1 if '(' in key else -1)
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    assert carried_config(content) is None
    with pytest.raises(InputError, match='x.pth: does not carry its config.*--config'):
        own_config(content, 'x.pth')


@pytest.mark.parametrize(
    'content',
    [None, {}, dict(meta=None), dict(meta={}), dict(meta=dict(seam_seg='0.2.0'))],
    ids=str,
)
def test_older_checkpoints_carry_none(content):
    assert carried_config(content) is None


def test_without_one_pipeline():
    cfg = copy.deepcopy(demo())
    cfg.test_dataloader = None
    with pytest.raises(InputError, match='no test_dataloader'):
        own_config(content_of(cfg), 'x.pth')


@pytest.mark.parametrize(
    'name, expected',
    [('../../etc', '_.._etc'), ('..', 'x'), ('', 'x'), (None, 'x'), ('a b', 'a b')],
)
def test_a_name_stays_in_its_folder(name, expected):
    own = own_config(changed('name', name), '/where/x.pth')
    assert own.origin.config == expected


HEAD = """
from mmseg.registry import MODELS
from seam_seg.models.decode_heads import SEAMHead

@MODELS.register_module(force=True)
class HeadOfSomebody(SEAMHead):
    pass
"""


def test_a_head_of_ones_own(tmp_path, monkeypatch):
    """Not imported unasked; with trust from where Python looks; by its config always."""
    content = changed('custom_imports', dict(imports=['head_of_somebody']))
    content['meta']['seam_seg']['config']['model']['decode_head']['type'] = (
        'HeadOfSomebody'
    )
    with pytest.raises(InputError, match="'HeadOfSomebody'.*--config.*--trust"):
        own_config(content, 'x.pth')
    with pytest.raises(InputError, match='imports .*head_of_somebody.*Give the config'):
        own_config(content, 'x.pth', trust=True)
    (tmp_path / 'head_of_somebody.py').write_text(HEAD)
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        own = own_config(content, 'x.pth', trust=True)
        assert type(build_model(own).decode_head).__name__ == 'HeadOfSomebody'
        own_config(content, 'x.pth')  # now it is known
    finally:
        MODELS.module_dict.pop('HeadOfSomebody', None)
        sys.modules.pop('head_of_somebody', None)


def test_other_values_become_plain():
    """Arrays, and the classes of configs that are Python."""
    cfg = Config(
        dict(
            model=dict(type=VPIDataset, mean=torch.ones(2).numpy(), x={1: None}),
            test_dataloader=dict(dataset=dict(pipeline=[])),
        )
    )
    model = carry(cfg)['config']['model']
    assert model == dict(type='VPIDataset', mean=[1.0, 1.0], x={1: None})
