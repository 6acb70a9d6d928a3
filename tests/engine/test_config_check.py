"""Whatever a config gets wrong is one line; whatever we get wrong shows where."""

import inspect
import re
import sys
import time

import pytest
import torch
from mmseg.registry import DATASETS, HOOKS, MODELS, VISBACKENDS
from test_checkpoint import DEMO
from test_runner import SMALL
from torch import nn
from vpi_files import READY_CONFIG

from seam_seg.apis import init_model, load_config, runs, train
from seam_seg.apis.command_line import report_errors
from seam_seg.apis.runs import test as score
from seam_seg.engine import check_config
from seam_seg.engine.config_check import BACKEND_PACKAGES
from seam_seg.errors import InputError
from seam_seg.weights import READY_WEIGHTS

ALL = ('train', 'val', 'test')
# What is wrong, and the section and the words that say so.
WRONG = {
    'type of the model': (dict(model=dict(type='X')), 'model', 'X is not in'),
    'type of a part': (dict(model=dict(backbone=dict(type='X'))), 'model', 'X is not in'),
    'type of a loss': (
        dict(model=dict(decode_head=dict(loss_decode=dict(type='X')))),
        'model',
        'X is not in',
    ),
    'argument of a part': (dict(model=dict(neck=dict(x=1))), 'model', "argument 'x'"),
    'value in a part': (
        dict(model=dict(decode_head=dict(channels=-1))),
        'model',
        'RuntimeError|ValueError',
    ),
    'type of a data set': (
        dict(train_dataloader=dict(dataset=dict(type='X'))),
        'train_dataloader',
        'X is not in',
    ),
    'argument of a data set': (
        dict(val_dataloader=dict(dataset=dict(x=1))),
        'val_dataloader',
        "argument 'x'",
    ),
    'type of a transform': (
        dict(test_dataloader=dict(dataset=dict(pipeline=[dict(type='X')]))),
        'test_dataloader',
        'X is not in',
    ),
    'type of a nested transform': (
        dict(
            train_dataloader=dict(
                dataset=dict(
                    pipeline=[dict(type='CacheTransforms', transforms=[dict(type='X')])]
                )
            )
        ),
        'train_dataloader',
        'X is not in',
    ),
    'no data set': (
        dict(train_dataloader=dict(_delete_=True, batch_size=1)),
        'train_dataloader',
        'dataset',
    ),
    'type of a sampler': (
        dict(train_dataloader=dict(sampler=dict(type='X'))),
        'train_dataloader',
        'X is not in',
    ),
    'workers that persist without any': (
        dict(train_dataloader=dict(num_workers=0, persistent_workers=True)),
        'train_dataloader',
        'persistent_workers',
    ),
    'argument of a loader': (
        dict(train_dataloader=dict(x=1)),
        'train_dataloader',
        "argument 'x'",
    ),
    'type of a metric': (dict(val_evaluator=dict(type='X')), 'val_evaluator', 'X is not'),
    'argument of a metric': (
        dict(test_evaluator=dict(x=1)),
        'test_evaluator',
        "argument 'x'",
    ),
    'one of several metrics': (
        dict(test_evaluator=[dict(type='DiceJaccardMetric'), dict(type='X')]),
        'test_evaluator',
        'X is not in',
    ),
    'type of the loop': (dict(train_cfg=dict(type='X')), 'train_cfg', 'X is not in'),
    'argument of the loop': (dict(train_cfg=dict(x=1)), 'train_cfg', "argument 'x'"),
    'type of the optimizer': (
        dict(optim_wrapper=dict(optimizer=dict(type='X'))),
        'optim_wrapper',
        'X is not in',
    ),
    'no optimizer': (
        dict(optim_wrapper=dict(_delete_=True, type='OptimWrapper')),
        'optim_wrapper',
        'must contain "optimizer"',
    ),
    'rate of learning': (
        dict(optim_wrapper=dict(optimizer=dict(lr=-1))),
        'optim_wrapper',
        'learning rate',
    ),
    'argument of its wrapper': (
        dict(optim_wrapper=dict(x=1)),
        'optim_wrapper',
        "argument 'x'",
    ),
    'type of a schedule': (
        dict(param_scheduler=[dict(type='X')]),
        'param_scheduler',
        'X is not in',
    ),
    'argument of a schedule': (
        dict(param_scheduler=[dict(type='LinearLR', x=1)]),
        'param_scheduler',
        "argument 'x'",
    ),
    'schedule after the end': (
        dict(param_scheduler=[dict(type='LinearLR', begin=9, by_epoch=False)]),
        'param_scheduler',
        'end should be larger than begin',
    ),
    'type of a visualizer': (
        dict(visualizer=dict(type='X')),
        'visualizer',
        'X is not in',
    ),
    'type of its backend': (
        dict(visualizer=dict(vis_backends=[dict(type='X')])),
        'visualizer',
        'X is not in',
    ),
}
# Those that need the run around them.
WRONG_IN_RUN = {
    'type of a hook': (dict(custom_hooks=[dict(type='X')]), 'X is not in'),
    'argument of a hook': (
        dict(default_hooks=dict(checkpoint=dict(x=1))),
        "argument 'x'",
    ),
    'value in a hook': (
        dict(default_hooks=dict(checkpoint=dict(save_best=5))),
        'save_best',
    ),
    'argument of the seed': (dict(randomness=dict(x=1)), "argument 'x'"),
    'validation without data': (dict(val_dataloader=None), 'val_dataloader'),
    'weights to start from': (
        dict(model=dict(backbone=dict(init_cfg=dict(type='X', _delete_=True)))),
        'X is not in',
    ),
}


@pytest.fixture
def config(phantom, tmp_path):
    def load(changes=None):
        cfg = load_config(DEMO, SMALL, str(phantom), str(tmp_path / 'work'))
        cfg.merge_from_dict(changes or {}, allow_list_keys=False)
        return cfg

    return load


@pytest.mark.parametrize('name', WRONG)
def test_names_the_section(name, config, tmp_path):
    changes, section, words = WRONG[name]
    cfg = config(changes)
    with pytest.raises(InputError, match=f'^config .*: {section} cannot .*') as error:
        check_config(cfg, ALL)
    assert error.match(words) and '\n' not in str(error.value)
    assert not (tmp_path / 'work').exists()


@pytest.mark.slow
@pytest.mark.parametrize('name', WRONG_IN_RUN)
def test_names_what_needs_the_run(name, config):
    changes, words = WRONG_IN_RUN[name]
    with pytest.raises(InputError, match='^config .* cannot be built .*') as error:
        train(config(changes))
    assert error.match(words) and '\n' not in str(error.value)


@pytest.fixture
def weights(tmp_path):
    """A checkpoint that no config can disagree with, since it carries none."""
    content = torch.load(READY_WEIGHTS, weights_only=True)
    del content['meta']['seam_seg']
    torch.save(content, tmp_path / 'weights.pth')
    return str(tmp_path / 'weights.pth')


def test_test_and_predict_say_it_too(config, weights):
    cfg = config(dict(model=dict(decode_head=dict(type='X'))))
    for run in (lambda: score(cfg, weights), lambda: init_model(cfg, weights, 'cpu')):
        with pytest.raises(InputError, match='model cannot be built .*X is not in'):
            run()
    cfg = config()
    for cfg.test_evaluator in ('IoUMetric', ['IoUMetric', 'X']):
        words = "test_evaluator cannot be built .*'IoUMetric' is no dict"
        with pytest.raises(InputError, match=words):
            score(cfg, weights)
    cfg = load_config(READY_CONFIG)
    cfg.test_dataloader.dataset.pipeline = [dict(type='X')]
    with pytest.raises(InputError, match='pipeline cannot be built .*X is not in'):
        init_model(cfg, weights, 'cpu')


def test_what_cannot_run_at_all(config, weights):
    with pytest.raises(InputError, match='auto_scale_lr.base_batch_size='):
        train(config(dict(auto_scale_lr=dict(enable=True))))
    with pytest.raises(InputError, match='has no train_cfg'):
        train(config(dict(train_cfg=None)))
    with pytest.raises(InputError, match='has no test_dataloader'):
        score(config(dict(test_dataloader=None)), weights)


def test_votes_are_learned_on_whole_images(config):
    """Of patches they are other shares, and would reach too far in a whole image."""
    votes = dict(model=dict(decode_head=dict(center_votes=True)))
    with pytest.raises(InputError, match='center_votes=True .* patches of it'):
        check_config(config(votes), ALL)
    check_config(config(votes), ('test',))
    whole = dict(votes, train_dataloader=dict(dataset=dict(patches=None)))
    check_config(config(whole), ALL)


def test_packages_of_the_backends(config, monkeypatch, tmp_path):
    """Those that mmengine imports; a missing one is said before anything is written."""
    backends = {
        name: kind
        for name, kind in VISBACKENDS.parent.module_dict.items()
        if kind.__module__.startswith('mmengine.') and name != 'LocalVisBackend'
    }
    assert backends.keys() == BACKEND_PACKAGES.keys() and backends
    cfg = config()
    for name, package in BACKEND_PACKAGES.items():
        source = inspect.getsource(backends[name])
        assert re.search(rf'(import|from) (torch\.utils\.)?{package}\b', source)
        cfg.visualizer.vis_backends = [dict(type=name)]
        monkeypatch.setitem(sys.modules, package, None)  # as if it were not there
        with pytest.raises(InputError, match=f'{name} .*pip install {package}$'):
            check_config(cfg, ALL)
    assert not (tmp_path / 'work').exists()


def test_score_that_the_best_is_chosen_by(config):
    cfg = config()
    ours, own = (
        dict(type='DiceJaccardMetric'),
        dict(type='DiceJaccardMetric', prefix='own'),
    )
    pooled = dict(type='IoUMetric', iou_metrics=['mDice'])  # may well return another key

    def check(evaluator, key):
        cfg.val_evaluator, cfg.default_hooks.checkpoint.save_best = evaluator, key
        check_config(cfg, ('val',))

    for evaluator, key in [
        (ours, 'bone/mDice'),
        (own, 'own/mDice'),
        (ours, 'auto'),
        (ours, None),
        (pooled, 'mDice'),
        ([ours, pooled], ['mDice', 'bone/mDice']),
    ]:
        check(evaluator, key)
    for evaluator, key, instead in [
        (ours, 'mDice', 'bone/mDice'),  # as before there was a prefix
        (ours, 'other/mJaccard', 'bone/mJaccard'),
        ([ours, own], ['own/mDice', 'Dice.rib'], 'bone/Dice.rib'),
        (own, 'bone/mDice', 'own/mDice'),
    ]:
        with pytest.raises(InputError, match=f"save_best='.*': .*Write '{instead}'"):
            check(evaluator, key)


def test_reads_no_data(config, monkeypatch):
    """The data set is there, and nothing of it is listed before the run."""
    monkeypatch.setattr(
        DATASETS.get('VPIDataset'), 'load_data_list', lambda self: pytest.fail('read')
    )
    check_config(config(), ALL)


class PlainData(torch.utils.data.Dataset):
    """A data set that knows nothing of mmengine."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        return index


@HOOKS.register_module(force=True)
class FaultyHook(HOOKS.get('OverlayHook')):
    """Has a bug of its own."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        return {}['a bug']


def test_what_others_write_is_let_through(config):
    DATASETS.register_module(module=PlainData, force=True)
    cfg = config(dict(train_dataloader=dict(batch_size=1)))
    cfg.train_dataloader.dataset = dict(type='PlainData', size=3)
    cfg.train_dataloader.sampler = dict(type='DefaultSampler', shuffle=True)
    cfg.train_dataloader.pop('batch_size')
    cfg.train_cfg = dict(by_epoch=True, max_epochs=2)
    cfg.val_cfg = dict()
    cfg.param_scheduler = dict(type='StepLR', step_size=1)
    cfg.data_preprocessor = dict(type='SegDataPreProcessor')
    cfg.val_evaluator = dict(metrics=[dict(type='DiceJaccardMetric')])
    cfg.test_dataloader.dataset = dict(
        type='RepeatDataset', times=2, dataset=cfg.test_dataloader.dataset
    )
    check_config(cfg, ALL)


def test_bugs_show_where(config):
    cfg = config()
    cfg.custom_hooks = [dict(type='FaultyHook')]
    with pytest.raises(KeyError, match='a bug'):
        report_errors(lambda argv: train(cfg))([])


@pytest.mark.slow
def test_changes_no_number(config, tmp_path, monkeypatch):
    found = []
    for checked in (True, False):
        if not checked:
            monkeypatch.setattr(runs, 'check_config', lambda *a: None)
        cfg = config()
        cfg.work_dir = str(tmp_path / f'checked {checked}')
        found.append(train(cfg).model.state_dict())
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


def test_leaves_the_config_as_it_is(config):
    cfg = config()
    before = cfg.pretty_text
    check_config(cfg, ALL)
    assert cfg.pretty_text == before


@pytest.mark.parametrize(
    'name', ['seam_r50-fpn_1xb12-80k_vpi-512x256', 'fpn_r50_1xb12-80k_vpi-512x256']
)
def test_takes_no_time(name, phantom, monkeypatch):
    """Beside what its network takes to be made, which is done twice."""
    cfg = load_config(name, None, str(phantom))
    check_config(cfg, ALL)
    monkeypatch.setattr(MODELS, 'build', lambda *a, **k: nn.Linear(1, 1))
    start = time.process_time()
    check_config(cfg, ALL)
    assert time.process_time() - start < 0.5
