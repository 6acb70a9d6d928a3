"""A run loads no code, under our tools as under mmseg's own."""

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

import mmseg
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModule
from mmengine.runner import Runner
from mmseg.registry import HOOKS, MODELS
from stacks import UPSTREAM
from test_checkpoint import DEMO, OPTIONS, Bomb

from seam_seg.apis import load_config, train
from seam_seg.apis.runs import set_resume
from seam_seg.apis.runs import test as score
from seam_seg.config_lookup import config_path, project_root
from seam_seg.engine import SafeRunner, build_runner
from seam_seg.engine.runner import guard_init
from seam_seg.engine.work_dir import alone
from seam_seg.errors import InputError

SMALL = {
    **OPTIONS,
    'train_cfg.max_iters': 1,
    'train_cfg.val_interval': 9,
    'default_hooks.checkpoint.interval': 1,
    'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False,
}


@pytest.fixture
def config(phantom, tmp_path):
    """A small training of one iteration."""
    return lambda **options: load_config(
        DEMO, {**SMALL, **options}, str(phantom), str(tmp_path / 'work')
    )


@pytest.fixture
def checkpoints(config, tmp_path):
    """A good checkpoint, one with a bomb beside its weights, and the bomb's trace."""
    trace = tmp_path / 'it_ran'
    weights = MODELS.build(config().model).state_dict()
    torch.save(dict(state_dict=weights), tmp_path / 'good.pth')
    torch.save(dict(state_dict=weights, meta=dict(x=Bomb(trace))), tmp_path / 'bad.pth')
    return str(tmp_path / 'good.pth'), str(tmp_path / 'bad.pth'), trace


@pytest.fixture
def mmseg_tool(phantom, tmp_path, monkeypatch):
    """mmseg's own tools, as it installs them, on a config of this package."""

    def run(name, *more, **options):
        path = Path(mmseg.__file__).parent / '.mim/tools' / f'{name}.py'
        spec = importlib.util.spec_from_file_location(f'mmseg_{name}', path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        cfg = load_config(DEMO, SMALL, str(phantom))
        # Its command line knows no nested lists: the options go into a file.
        cfg.dump(tmp_path / 'config.py')
        arguments = [f'{key}={value}' for key, value in options.items()]
        monkeypatch.setattr(
            sys,
            'argv',
            [
                name,
                str(tmp_path / 'config.py'),
                *more,
                '--work-dir',
                str(tmp_path / 'work'),
                *(['--cfg-options', *arguments] if arguments else []),
            ],
        )
        module.main()

    return run


@pytest.mark.slow
def test_training_on_all_cases(config, tmp_path):
    """Not while some of them choose the checkpoint, and as the message says."""
    for option, value in (('val_fraction', 0), ('split', 'trainval')):
        with pytest.raises(InputError, match='validation images are trained on') as said:
            train(config(**{f'train_dataloader.dataset.{option}': value}))
    words = str(said.value).split('--cfg-options ')[1].split()
    without = dict(word.split('=') for word in words)
    values = {key: None if to == 'None' else to for key, to in without.items()}
    train(config(**values))
    assert (tmp_path / 'work/iter_1.pth').is_file()


@pytest.mark.slow
def test_mmseg_trains_and_resumes_safely(mmseg_tool, checkpoints, tmp_path):
    good, bad, trace = checkpoints
    with pytest.raises(InputError, match='bad.pth: holds more'):
        mmseg_tool('train', load_from=bad)
    assert not trace.exists()
    mmseg_tool('train', '--resume', load_from=good)  # nothing there: starts from it
    last = torch.load(tmp_path / 'work/iter_1.pth', weights_only=True)
    last['meta']['config'] = f'open({str(trace)!r}, "w")\n'
    torch.save(last, tmp_path / 'work/iter_1.pth')
    mmseg_tool('train', '--resume', load_from=good, **{'train_cfg.max_iters': 2})
    assert (tmp_path / 'work/iter_2.pth').exists() and not trace.exists()
    torch.save(dict(last, x=Bomb(trace)), tmp_path / 'work/iter_2.pth')
    with pytest.raises(InputError, match='iter_2.pth: holds more'):
        mmseg_tool('train', '--resume', **{'train_cfg.max_iters': 3})
    assert not trace.exists()
    with pytest.raises(InputError, match='holds iter_2.pth .*--resume.*--work-dir'):
        mmseg_tool('train', load_from=bad, trust_checkpoint=True)
    assert not trace.exists()
    for path in (tmp_path / 'work').glob('*.pth'):
        path.unlink()
    (tmp_path / 'work/last_checkpoint').unlink()
    mmseg_tool('train', load_from=bad, trust_checkpoint=True)
    assert trace.exists()


@pytest.mark.slow
def test_mmseg_builds_a_config_with_imports_of_its_own(tmp_path):
    """In a process that nobody has told of this package but the config's base."""
    (tmp_path / 'own_part.py').write_text('')
    config = tmp_path / 'own.py'
    config.write_text(
        f'_base_ = {str(config_path(DEMO))!r}\n'
        "custom_imports = dict(imports=['own_part'])\n"
    )
    # mmseg's train.py, but for the training
    code = (
        'import sys\n'
        f'sys.path.insert(0, {str(tmp_path)!r})\n'
        'from mmengine.config import Config\n'
        'from mmseg.registry import RUNNERS\n'
        f'cfg = Config.fromfile({str(config)!r})\n'
        f'cfg.work_dir = {str(tmp_path / "work")!r}\n'
        'RUNNERS.build(cfg).load_or_resume()\n'
    )
    built = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ, PYTHONPATH=str(project_root())),
    )
    assert built.returncode == 0, built.stderr
    # its other tools read what it wrote, and find the package there
    written = (tmp_path / 'work/own.py').read_text()
    assert "'seam_seg'" in written and "'own_part'" in written


@pytest.mark.slow
def test_goes_on_with_no_other_training(config, tmp_path):
    """Not beyond its end, nor from another rate; a finished one is no error."""
    longer = {'train_cfg.max_iters': 2}
    train(config())
    other = tmp_path / 'other'
    cfg = config(load_from=str(tmp_path / 'work/iter_1.pth'), resume=True, **longer)
    cfg.work_dir = str(other)
    train(cfg)  # mmengine's way, where the work dir holds nothing
    assert torch.load(other / 'iter_2.pth', weights_only=True)['meta']['iter'] == 2
    cfg.load_from = None
    cfg.train_cfg.max_iters = 1
    with pytest.raises(InputError, match='iter_2.pth: has done 2 iterations.* after 1'):
        train(cfg)
    cfg.train_cfg.max_iters = 2
    before = (other / 'iter_2.pth').stat()
    train(cfg)
    assert (other / 'iter_2.pth').stat() == before
    log = max(other.glob('*/*.log')).read_text()
    assert 'nothing left to train' in log and 'iteration 2 of 2' in log
    cfg.optim_wrapper.optimizer.lr = 0.01
    with pytest.raises(InputError, match='began with lr=0.02.* the config has 0.01'):
        train(cfg)


@pytest.mark.parametrize(
    'name', ['iter_9.pth', 'epoch_3.pth', 'best_bone_mDice_iter_9.pth', 'last_checkpoint']
)
def test_starts_in_no_others_work_dir(name, config, tmp_path):
    """Nothing there is touched; with --resume, it is not refused."""
    (tmp_path / 'work').mkdir()
    (tmp_path / 'work' / name).write_text('of before')
    cfg = config()
    with pytest.raises(InputError, match=f'work: holds {name} .*--resume.*--work-dir'):
        train(cfg)
    assert [path.name for path in (tmp_path / 'work').iterdir()] == [name]
    set_resume(cfg)
    assert cfg.resume
    if name.startswith('best'):  # nothing to go on from
        with pytest.raises(InputError, match=f'holds {name}.*no checkpoint to go on'):
            train(cfg)


def test_trains_where_no_other_training_runs(config, tmp_path, monkeypatch):
    monkeypatch.setattr('seam_seg.engine.work_dir.PATIENCE', 0)
    work_dir = tmp_path / 'work'
    work_dir.mkdir()
    with alone(work_dir):
        with pytest.raises(InputError, match='another training is running there'):
            train(config())
    assert not list(work_dir.glob('*.pth'))
    train(config())


def test_runs_of_one_second_are_strangers(config, tmp_path, monkeypatch):
    """What one has found, as its best score, is not the next one's."""
    monkeypatch.setattr('time.localtime', lambda *_: time.gmtime(0))  # its name at 0 s
    hubs = []
    for folder in ('one', 'two'):
        cfg = config()
        cfg.work_dir = str(tmp_path / folder)
        runner = build_runner(cfg)
        hubs.append(runner.message_hub)
        runner.message_hub.update_info('best_score', 99)
    assert runner.timestamp == '19700101_000000' and hubs[0] is not hubs[1]


def test_resume_in_an_empty_work_dir_is_a_start(config):
    cfg = config(load_from='a whole checkpoint.pth')
    set_resume(cfg)
    assert not cfg.resume


@pytest.mark.slow
def test_mmseg_tests_safely(mmseg_tool, checkpoints):
    """Its test.py heeds no ``runner_type``: the checkpoint hook sees to it."""
    good, bad, trace = checkpoints
    with pytest.raises(InputError, match='bad.pth: holds more'):
        mmseg_tool('test', bad)
    assert not trace.exists()
    mmseg_tool('test', good)
    mmseg_tool('test', good, '--tta')
    mmseg_tool('test', bad, trust_checkpoint=True)
    assert trace.exists()


@pytest.mark.slow
def test_configs_of_others_are_as_safe(config, checkpoints):
    """One that names no runner, and none of our hooks."""
    good, bad, trace = checkpoints
    cfg = config(load_from=bad)
    for key in ('runner_type', 'trust_checkpoint'):
        cfg.pop(key)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False)
    for run in (train, lambda cfg: score(cfg, bad)):
        with pytest.raises(InputError, match='bad.pth: holds more'):
            run(cfg.copy())
    assert not trace.exists()
    cfg.runner_type = 'Runner'
    with pytest.raises(InputError, match='runner_type Runner may run code'):
        train(cfg.copy())
    cfg.runner_type = 'NoRunner'
    with pytest.raises(InputError, match='NoRunner is not in'):
        train(cfg.copy())
    if UPSTREAM:
        pytest.skip('upstream stack: mmengine 0.10.7 prints no config that holds a class')
    cfg.runner_type, cfg.load_from = Runner, good
    assert type(train(cfg.copy(), trust=True)) is Runner


@HOOKS.register_module(force=True)
class WatchHook(Hook):
    """What torch.load is in the middle of a run."""

    seen = {}

    def _note(self, name):
        self.seen[name] = torch.load

    def before_run(self, runner):
        self._note('run')

    def after_load_checkpoint(self, runner, checkpoint):
        self._note('load')

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self._note('iteration')


@pytest.mark.slow
def test_torch_is_left_alone(config, checkpoints):
    before = torch.load
    cfg = config(load_from=checkpoints[0])
    cfg.custom_hooks = [dict(type='WatchHook')]
    assert type(train(cfg)) is SafeRunner
    assert WatchHook.seen == dict(run=before, load=before, iteration=before)
    assert torch.load is before and before.__module__ == 'torch.serialization'


def pretrained(path, **more):
    return dict(type='Pretrained', checkpoint=path, **more)


@pytest.mark.slow
@pytest.mark.parametrize(
    'init',
    [
        pretrained,
        lambda path: [dict(type='Kaiming', layer='Conv2d'), pretrained(path)],
        lambda path: pretrained(path, prefix='backbone.'),
        lambda path: dict(
            type='Constant', val=0, layer='X', override=pretrained(path, name='layer1')
        ),
    ],
    ids=['plain', 'list', 'prefix', 'override'],
)
def test_code_in_weights_to_start_from(init, config, checkpoints):
    good, bad, trace = checkpoints
    cfg = config()
    cfg.model.backbone.init_cfg = init(bad)
    with pytest.raises(InputError, match='bad.pth: holds more'):
        train(cfg)
    assert not trace.exists()


def test_weights_to_start_from_arrive(config, checkpoints):
    good, _, _ = checkpoints
    cfg = config()
    cfg.model.backbone.init_cfg = pretrained(good, prefix='backbone.')
    runner = build_runner(cfg)
    runner._init_model_weights()
    expected = torch.load(good, weights_only=True)['state_dict']
    for key, value in runner.model.state_dict().items():
        assert torch.equal(value, expected[key]) or not key.startswith('backbone.'), key
    # the config names the file as it did
    assert runner.cfg.model.backbone.init_cfg.checkpoint == good


def test_addresses_of_the_zoos_stay():
    model = BaseModule(init_cfg=pretrained('open-mmlab://resnet50_v1c'))
    guard_init(model)
    assert model.init_cfg['checkpoint'] == 'open-mmlab://resnet50_v1c'


def test_named_in_default_runtime():
    cfg = load_config(str(config_path(DEMO)))
    assert cfg.runner_type == 'SafeRunner' and cfg.trust_checkpoint is False
