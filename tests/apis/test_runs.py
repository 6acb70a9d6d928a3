"""Options of the tools, and how bad ones are refused."""

import inspect
import shlex
from types import SimpleNamespace
from urllib.error import URLError

import pytest
import torch
from mmengine.runner import Runner

from seam_seg.apis import command_line, load_config, runs
from seam_seg.apis.runs import launched, set_amp
from seam_seg.config_lookup import get_config, project_root
from seam_seg.errors import InputError, Interrupted

DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'
ABS = [dict(type='A'), dict(type='B', x=['a', 'b'])]


def test_load_config(tmp_path):
    cfg = load_config(DEMO, {'randomness.seed': 3}, str(tmp_path))
    assert cfg.randomness.seed == 3
    assert cfg.work_dir == f'work_dirs/{DEMO}'
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        assert cfg[loader].dataset.data_root == str(tmp_path)
    paper = load_config(
        'seam_r50-fpn_1xb12-80k_vpi-512x256', None, str(tmp_path), 'elsewhere'
    )
    assert paper.work_dir == 'elsewhere' and paper.val_dataloader is None


def test_seed_is_on_by_default():
    assert load_config(DEMO).randomness.seed == 0


def test_options_on_this_machine(monkeypatch):
    cfg = load_config(DEMO)
    monkeypatch.delenv('RANK', raising=False)
    with pytest.raises(InputError, match='torchrun'), launched(cfg, 'pytorch'):
        pass
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(InputError, match='needs CUDA'), launched(cfg, 'slurm'):
        pass
    with pytest.raises(InputError, match='needs a CUDA device'):
        set_amp(cfg)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    set_amp(cfg)
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    with launched(cfg, 'slurm'):
        pass
    assert cfg.sync_bn == 'torch'


@pytest.mark.parametrize(
    'name,argv,words',
    [
        ('train', ['no-such-config'], ['no-such-config', 'no config']),
        ('train', [DEMO, '--data-root', 'nowhere'], ['--data-root nowhere']),
        ('train', [DEMO, '--amp'], ['--amp', 'CUDA']),
        ('train', [DEMO, '--work-dir', 'w', '--data-root', '.'], ['train.txt']),
        (
            'train',
            [DEMO, '--cfg-options', 'train_dataloader.dataset.data_root=gone'],
            ['data root gone', '--data-root'],
        ),
        ('test', [DEMO, 'none.pth', '--out', 'o', '--work-dir', 'w'], ['none.pth']),
        ('test', [DEMO, '--work-dir', 'w', 'none.pth'], ['none.pth', 'no such file']),
        ('test', ['none.pth', '--out', 'o'], ['none.pth', 'no such file']),
        (
            'test',
            [
                DEMO,
                'none.pth',
                '--cfg-options',
                'test_evaluator.type=IoUMetric',
                '--out',
                'o',
            ],
            ['--out', 'DiceJaccardMetric'],
        ),
        (
            'test',
            [DEMO, 'none.pth', '--cfg-options', 'custom_hooks=[]', '--show-dir', 's'],
            ['--show-dir', 'OverlayHook'],
        ),
        (
            'predict',
            ['none.png', '--out', 'o', '--config', DEMO, '--checkpoint', 'none.pth'],
            ['none.pth', 'no such file'],
        ),
    ],
)
def test_tools_refuse_in_one_line(name, argv, words, tool, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert tool(name)(argv) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith('error: ') and all(word in error for word in words)
    assert not (tmp_path / 'o').exists() and not (tmp_path / 's').exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    'error',
    [
        URLError('no route to host'),
        ModuleNotFoundError("No module named 'torchvision'", name='torchvision'),
    ],
    ids=['offline', 'no torchvision'],
)
def test_pretrained_weights_missing(error, tool, phantom, tmp_path, capsys, monkeypatch):
    """The message names the switch that trains from scratch."""
    from mmengine.runner import Runner

    def offline(self):
        raise error

    monkeypatch.setattr(Runner, '_init_model_weights', offline)
    assert (
        tool('train')(
            [
                DEMO,
                '--data-root',
                str(phantom),
                '--work-dir',
                str(tmp_path),
                '--cfg-options',
                'train_dataloader.num_workers=0',
                'train_dataloader.persistent_workers=False',
            ]
        )
        == 2
    )
    assert 'model.backbone.init_cfg=None' in capsys.readouterr().err


@pytest.mark.parametrize(
    'text,value',
    [
        ("[dict(type='A'), dict(type='B', x=['a', 'b'])]", ABS),
        ('[{"type": "A"}, {"type": "B", "x": ["a", "b"]}]', ABS),
        (str(ABS), ABS),  # as tools/benchmark.py hands it on
        ('[1,dict(a=dict(b=(1,2)))]', [1, dict(a=dict(b=(1, 2)))]),
        ('dict()', {}),
        # and these as in mmengine
        ('[a,(1,2.5)]', ['a', (1, 2.5)]),
        ('a,b', ['a', 'b']),
        ('None', None),
        ('iter_{}.pth', 'iter_{}.pth'),
        # and with its blanks, which mmengine takes away
        ('/a b/My data/x.pth', '/a b/My data/x.pth'),
    ],
)
def test_values_on_the_command_line(text, value):
    found = command_line.read_overrides(['a.b=True', f'x.y={text}', 'z=3'])
    assert found == {'a.b': True, 'x.y': value, 'z': 3}


@pytest.mark.parametrize(
    'text',
    [
        'x',
        'x=(1,2',
        'x=[dict(type=A)]',
        "x=[dict(type='A')",
        "x=dict('A')",
        'x=dict(**{})',
        "x=dict(a=print('it ran'))",
        'x={{1}}',
        'x=print(1,2)',
    ],
)
def test_values_that_cannot_be_read(text, capsys):
    with pytest.raises(InputError, match='^--cfg-options x.*KEY=VALUE') as error:
        command_line.read_overrides([text])
    assert '\n' not in str(error.value) and not capsys.readouterr().out


def test_variables_of_the_configs_are_no_options():
    """Nobody reads them once a config is read: a run would go on with what it was."""
    known = {*inspect.signature(Runner).parameters, *runs.OWN_KEYS, *runs.VARIABLES}
    read = {'custom_imports', 'method_name', 'tta_model', 'tta_pipeline'}
    paths = [*(project_root() / 'configs').glob('[!_]*/*_*.py')]
    assert len(paths) >= 30
    for path in paths:
        assert set(get_config(str(path))) - known <= read, path
    for option in ('norm_cfg.type=GN', 'data_root=data/vpi', 'image_size=(64,64)'):
        with pytest.raises(InputError, match=f'{option[:9]}.* nobody reads it now'):
            load_config(DEMO, command_line.read_overrides([option]))


def test_evaluators_on_the_command_line():
    text = "test_evaluator=[dict(type='DiceJaccardMetric'), dict(type='IoUMetric')]"
    cfg = load_config(DEMO, command_line.read_overrides([text]))
    assert [metric.type for metric in cfg.test_evaluator] == [
        'DiceJaccardMetric',
        'IoUMetric',
    ]


@pytest.mark.parametrize('several', [True, False])
def test_metrics_inside_an_evaluator(several, tmp_path):
    cfg = load_config(DEMO, work_dir=str(tmp_path))
    metric = dict(type='DiceJaccardMetric')
    cfg.test_evaluator = dict(type='Evaluator', metrics=[metric] if several else metric)
    with pytest.raises(InputError, match='none.pth'):  # the next that it asks for
        runs.test(cfg, 'none.pth', out=str(tmp_path / 'labels'))
    metric = cfg.test_evaluator.metrics
    metric = metric[0] if several else metric
    assert metric.summary_dir == str(tmp_path / 'test')
    assert metric.output_dir == str(tmp_path / 'labels')


@pytest.mark.parametrize('argv', [['a b.py'], ['a b.py', '--resume']])
def test_an_interrupted_training_says_how_it_goes_on(argv, tmp_path, capsys):
    """In two lines, of which the second can be copied."""

    def stopped(checkpoint):
        def main(argv=None):
            raise Interrupted(checkpoint)

        assert command_line.report_errors(main)(argv) == 130
        return capsys.readouterr().err.splitlines()

    said, command = stopped(tmp_path / 'iter_5.pth')
    assert '--resume' in said and said.endswith('iter_5.pth')
    python, tool, *words = shlex.split(command)
    assert python == 'python' and tool.endswith('tools/train.py')
    assert words == ['a b.py', '--resume']
    (said,) = stopped(None)
    assert 'nothing was saved' in said and '--resume' not in said


def test_an_interruption_that_mmengine_takes_for_an_error(tmp_path, monkeypatch):
    """While it writes the config into a checkpoint."""

    def stopped():
        (tmp_path / 'iter_3.pth').touch()
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise SyntaxError('Failed to format the config file') from None

    monkeypatch.setattr(runs, 'build_runner', lambda cfg: SimpleNamespace(train=stopped))
    monkeypatch.setattr(runs, 'check_config', lambda *_: None)
    with pytest.raises(Interrupted) as stop:
        runs.train(load_config(DEMO, work_dir=str(tmp_path)))
    # what was there before the one that is being written
    assert stop.value.checkpoint == tmp_path / 'iter_3.pth'


def test_report_errors(capsys):
    def fail(error):
        def main(argv=None):
            raise error

        return command_line.report_errors(main)([])

    worker = (
        'Caught InputError in DataLoader worker process 0.\nTraceback ...\n'
        'seam_seg.errors.InputError: a.png: damaged.'
    )
    assert fail(InputError(worker)) == 2
    assert capsys.readouterr().err == 'error: a.png: damaged.\n'
    assert fail(PermissionError(13, 'Permission denied', 'out/x')) == 2
    assert capsys.readouterr().err == 'error: out/x: Permission denied.\n'
    assert fail(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == 'interrupted\n'
    with pytest.raises(ZeroDivisionError):  # a bug keeps its traceback
        fail(ZeroDivisionError())
