"""What a run shows. Whole runs are in tests/test_end_to_end.py."""

import logging
import shlex
from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.logging import MMLogger, print_log

from seam_seg.config_lookup import project_root
from seam_seg.engine import SafeCheckpointHook
from seam_seg.engine.console import (
    RUNNER_FILE,
    best_checkpoints,
    clear_console,
    command_to_test,
    describe_start,
    shown,
    tool_command,
    unlogged,
)
from seam_seg.engine.reading import guarded


def test_commands_can_be_copied(tmp_path, monkeypatch):
    """From any folder, with blanks and quotes in names."""
    work_dir = tmp_path / "it's a run"
    imports = dict(imports=['seam_seg', 'a_head'])
    data = dict(dataset=dict(data_root=str(tmp_path / 'data')))
    cfg = Config(
        dict(custom_imports=imports, test_dataloader=data),
        cfg_text='# own',
        filename=str(tmp_path / 'configs/own.py'),
    )
    runner = SimpleNamespace(cfg=cfg, work_dir=str(work_dir))
    for folder in (tmp_path, project_root(), work_dir.parent.parent):
        monkeypatch.chdir(folder)
        line = command_to_test(runner, str(work_dir / 'best_a_b.pth'))
        python, tool, *words = shlex.split(line)
        assert python == 'python' and (folder / tool).samefile(
            project_root() / 'tools/test.py'
        )
        assert words[2:6:2] == ['--work-dir', '--data-root']
        # the config beside the modules that it imports
        assert [folder / word for word in (*words[:2], *words[3::2])] == [
            tmp_path / 'configs/own.py',
            work_dir / 'best_a_b.pth',
            work_dir,
            tmp_path / 'data',
        ]
    cfg.custom_imports.imports = ['seam_seg']  # then the checkpoint is enough
    runner.work_dir = 'work_dirs/own'  # and so is where a test writes unasked
    (word,) = shlex.split(command_to_test(runner, 'work_dirs/own/iter_5.pth'))[2:]
    assert word == 'work_dirs/own/iter_5.pth'
    assert shlex.split(tool_command('train', 'a b', "c='d'"))[2:] == ['a b', "c='d'"]


def test_paths_are_short(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / 'a/b') == 'a/b' == shown('a/b')
    assert shown(tmp_path.parent) == str(tmp_path.parent)


@pytest.mark.parametrize('hook', [CheckpointHook, SafeCheckpointHook])
def test_best_by_any_score(hook, tmp_path):
    """Whatever it is called, and also of several."""

    def found(keys, **info):
        hooks = [SimpleNamespace(), hook(save_best=keys, rule='greater', by_epoch=False)]
        hub = SimpleNamespace(runtime_info=info)
        return list(best_checkpoints(SimpleNamespace(hooks=hooks, message_hub=hub)))

    one, two = (
        tmp_path / f'best_{key}_iter_{n}.pth' for key, n in [('x_y', 20), ('z', 4)]
    )
    one.touch()
    two.touch()
    assert found('x/y') == [] == found(None)
    assert found('x/y', best_ckpt=str(one), best_score=81.234) == [
        (str(one), 'x/y 81.23 at iteration 20')
    ]
    info = {
        'best_ckpt_x/y': str(one),
        'best_score_x/y': 1.0,
        'best_ckpt_z': str(two),
        'best_score_z': 2.0,
    }
    assert [path for path, _ in found(['x/y', 'z'], **info)] == [str(one), str(two)]
    one.unlink()  # removed since
    assert found('x/y', best_ckpt=str(one), best_score=81.234) == []


def test_where_a_training_starts():
    def start(iteration=0, load_from=None, backbone=None):
        cfg = SimpleNamespace(model=dict(backbone=backbone))
        return describe_start(
            SimpleNamespace(iter=iteration, _load_from=load_from, cfg=cfg)
        )

    assert start() == start(backbone=dict(init_cfg=None)) == 'random weights'
    assert 'open-mmlab://r' in start(
        backbone=dict(init_cfg=dict(checkpoint='open-mmlab://r'))
    )
    assert start(load_from=guarded('/w/a.pth')) == 'the weights of /w/a.pth'
    assert start(300, guarded('/w/iter_300.pth')) == 'iteration 300, /w/iter_300.pth'


def test_the_console_is_clear_and_the_file_complete(tmp_path, capsys):
    file = tmp_path / 'run.log'
    logger = MMLogger(name='test_console', log_file=str(file))
    clear_console(logger)

    def say(text, level=logging.INFO, path=__file__):
        logger.handle(logging.LogRecord('x', level, path, 1, text, None, None))

    say('Config: ...', path=RUNNER_FILE)
    say('the number of GPUs differs', logging.WARNING, RUNNER_FILE)
    say('"FileClient" will be deprecated in future.', logging.WARNING)
    say('a warning', logging.WARNING)
    say('Iter(train) [20/20]')
    out = capsys.readouterr().out
    for text, is_shown in {
        'Config': False,
        'GPUs differs': True,
        'FileClient': False,
        'a warning': True,
        'Iter(train)': True,
    }.items():
        assert (text in out) == is_shown and text in file.read_text()


def test_what_is_built_on_trial_is_not_logged(capsys):
    with pytest.raises(ValueError), unlogged():
        print_log('on trial', logger='current')
        raise ValueError
    print_log('for good', logger='current', level=logging.WARNING)
    assert 'on trial' not in capsys.readouterr().out
    assert not MMLogger.get_current_instance().disabled
