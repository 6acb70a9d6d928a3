"""What a training is made from."""

import shlex
import shutil
import subprocess
import sys

import cv2
import pytest
import torch
from vpi_files import write_contract, write_image

import seam_seg
from seam_seg.apis import trainings
from seam_seg.apis.runs import load_config
from seam_seg.config_lookup import PACKAGE, config_path, project_root
from seam_seg.errors import InputError
from seam_seg.version import __version__
from seam_seg.weights import READY_URL, READY_WEIGHTS

DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'
FINETUNE = 'seam-keymass-votes_r18-fpn_1xb4-200_finetune_vpi-512x128'


def plan(phantom, config=DEMO, options={}, **tests):
    tests = tests or {'a test': (str(phantom), {})}
    folder = phantom / 'run seed0'
    return trainings.plan_run(folder, config, options, str(phantom), tests)


def test_inputs_are_code_data_and_start(phantom):
    found = plan(phantom, FINETUNE)
    inputs = set(found['inputs'])
    package = seam_seg.__path__[0]
    assert {f'{package}/models/seam.py', str(READY_WEIGHTS.resolve())} <= inputs
    assert f'{package}/apis/benchmark.py' not in inputs
    names = (phantom / 'train.txt').read_text().split()
    for name in names:
        assert str(phantom / f'dataset/train/{name}.png') in inputs
        assert str(phantom / f'groundtruth/train/{name}_bone_3.png') in inputs
    assert not any('/test/' in path for path in inputs)
    test = found['tests']['a-test']
    assert test['setting'] == 'a test'
    assert len(test['inputs']) == 3 * 3 and '/test/' in test['inputs'][0]


def test_maps_of_bones_are_data(tmp_path):
    """Those that a training of votes reads."""
    contract = write_contract(tmp_path / 'data')
    folder = contract / 'instances/train'
    names = (contract / 'train.txt').read_text().split()
    for name in names:
        mask = cv2.imread(str(contract / f'groundtruth/train/{name}_bone_3.png'), -1)
        write_image(folder / f'{name}.png', mask)
    votes = FINETUNE, {'load_from': None}
    found = plan(contract, *votes)
    assert {str(folder / f'{name}.png') for name in names} < set(found['inputs'])
    write_image(folder / f'{names[0]}.png', 2 * mask)
    trainings.digest_of.cache_clear()
    assert plan(contract, *votes)['key'] != found['key']


def test_commands_are_those_of_the_tools(phantom, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = plan(
        phantom,
        options={'randomness.seed': 3},
        val=(str(phantom), {'test_dataloader.dataset.split': 'val'}),
    )
    words = shlex.split(found['command'])
    assert words[:2] == ['cd', str(tmp_path)]  # where paths in a config begin
    assert words[4].endswith('tools/train.py') and words[5:7] == [DEMO, '--resume']
    assert words[-1] == 'randomness.seed=3' and str(phantom / 'run seed0') in words
    command = found['tests']['val']['command']
    assert f'"$(cat \'{phantom}/run seed0\'/last_checkpoint)"' in command
    assert command.endswith('test_dataloader.dataset.split=val')


def test_only_what_is_learned_counts(phantom):
    def key(**options):
        options = {name.replace('__', '.'): value for name, value in options.items()}
        return plan(phantom, options=options)['key']

    assert key() == key(val_dataloader__num_workers=0, log_level='ERROR')
    assert key() != key(optim_wrapper__optimizer__lr=1.0)
    assert key() != key(randomness__seed=5)


def test_a_config_without_training_is_scored_as_it_is(phantom, tmp_path):
    config = tmp_path / 'as_it_is.py'
    config.write_text(
        f'_base_ = {str(config_path(DEMO))!r}\nload_from = {READY_URL!r}\n'
        'train_cfg = None\ntrain_dataloader = None\noptim_wrapper = None\n'
        'param_scheduler = None\n'
    )
    found = plan(phantom, str(config))
    assert found['command'] == 'true'
    assert str(READY_WEIGHTS) in found['tests']['a-test']['command']


def test_weights_to_start_from(tmp_path, monkeypatch):
    """From wherever they are named, as far as they are files here."""
    monkeypatch.chdir(tmp_path)
    for name in ('w.pth', 'init.pth', 'deep.pth'):
        (tmp_path / name).write_text(name)
    cfg = load_config(DEMO)
    cfg.load_from = 'w.pth'
    cfg.model.backbone.init_cfg = [dict(type='Pretrained', checkpoint='init.pth')]
    cfg.model.neck.init_cfg = dict(
        override=dict(type='Pretrained', checkpoint='deep.pth')
    )
    cfg.model.decode_head.init_cfg = dict(checkpoint='open-mmlab://resnet50_v1c')
    names = {path.name for path in trainings.start_files(cfg.to_dict())}
    assert names == {'w.pth', 'init.pth', 'deep.pth'}


def test_data_of_wrapped_data_sets(phantom):
    cfg = load_config(DEMO, None, str(phantom)).test_dataloader.dataset
    files = trainings.data_files(cfg)
    wrapped = dict(type='RepeatDataset', times=2, dataset=cfg)
    both = dict(type='ConcatDataset', datasets=[cfg, wrapped])
    assert len(files) == 9 and trainings.data_files(both) == files * 2


def test_code_of_modules_and_packages(tmp_path, monkeypatch):
    """A lone module and what it imports beside it; a package as a whole."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / 'lone.py').write_text('import math\nimport beside\n')
    (tmp_path / 'beside.py').write_text('import numpy\n')
    (tmp_path / 'another.py').write_text('')
    (tmp_path / 'pack/deep').mkdir(parents=True)
    (tmp_path / 'pack/__init__.py').write_text('')
    (tmp_path / 'pack/deep/__init__.py').write_text('')
    (tmp_path / 'pack/deep/inner.py').write_text('import beside\n')
    cfg = load_config(DEMO)
    cfg.custom_imports.imports = ['lone']
    assert trainings.code_behind(cfg) == {tmp_path / 'lone.py', tmp_path / 'beside.py'}
    cfg.custom_imports.imports = 'pack.deep.inner'  # mmengine takes one name, too
    assert trainings.code_behind(cfg) == {
        tmp_path / 'pack/__init__.py',
        tmp_path / 'pack/deep/__init__.py',
        tmp_path / 'pack/deep/inner.py',
        tmp_path / 'beside.py',
    }
    (tmp_path / 'lone.py').write_text('import spaces.inner\n')
    (tmp_path / 'spaces').mkdir()
    (tmp_path / 'spaces/inner.py').write_text('')  # without __init__.py
    cfg.custom_imports.imports = ['lone']
    assert tmp_path / 'spaces/inner.py' in trainings.code_behind(cfg)


def test_code_of_the_package_is_behind_every_config(tmp_path, monkeypatch):
    """Also behind one whose own imports replaced the package's."""
    monkeypatch.setattr(sys, 'path', [*sys.path])
    (tmp_path / 'own_part.py').write_text('')
    config = tmp_path / 'own.py'
    config.write_text(
        f'_base_ = {str(config_path(DEMO))!r}\n'
        "custom_imports = dict(imports=['own_part'])\n"
    )
    files = trainings.code_behind(load_config(str(config)))
    assert {tmp_path / 'own_part.py', PACKAGE / 'models/seam.py'} <= files


def test_no_score_of_what_is_learned(phantom, tmp_path):
    """One that trains on all of train.txt has no validation cases left."""
    val = (str(phantom), {'test_dataloader.dataset.split': 'val'})
    options = {'model.backbone.init_cfg': None}
    with pytest.raises(InputError, match='would score what it is trained on, such as p'):
        plan(phantom, 'seam_r50-fpn_1xb12-80k_vpi-512x256', options, val=val)
    plan(phantom, 'seam_r50-fpn_1xb12-80k_vpi-512x256', options)
    moved = shutil.copytree(phantom, tmp_path / 'moved')  # the same images elsewhere
    elsewhere = str(moved), val[1]
    with pytest.raises(InputError, match='would score what it is trained on, such as p'):
        plan(phantom, 'seam_r50-fpn_1xb12-80k_vpi-512x256', options, val=elsewhere)
    (seen, *_) = (phantom / 'dataset/test').glob('*.png')
    start = dict(trained_on=[trainings.digest_of(seen)])
    torch.save(dict(meta=dict(seam_seg=start)), tmp_path / 'start.pth')
    begun = {**options, 'load_from': str(tmp_path / 'start.pth')}
    with pytest.raises(InputError, match=f'is trained on, such as {seen.name}'):
        plan(phantom, 'seam_r50-fpn_1xb12-80k_vpi-512x256', begun)
    votes = {'load_from': None}
    with pytest.raises(InputError, match='no validation cases are drawn'):
        plan(phantom, FINETUNE, votes, val=val)
    drawn = {f'{name}_dataloader.dataset.val_fraction': 0.5 for name in ('train', 'test')}
    plan(phantom, FINETUNE, {**votes, **drawn}, val=val)


def test_bad_data_is_said_before_anything_runs(phantom, tmp_path):
    with pytest.raises(InputError, match='no such folder'):
        plan(phantom, no=(str(tmp_path / 'no'), {}))


def test_which_code_trained(tmp_path):
    """The commit of a clone, whether its code is still that, or else the version."""
    folder = tmp_path / 'a clone'
    command = trainings.COMMIT.replace(
        shlex.quote(str(project_root())), shlex.quote(str(folder))
    )
    assert command != trainings.COMMIT

    def said():
        return subprocess.check_output(command, shell=True, text=True).strip()

    def git(*words):
        options = ['-c', 'user.name=a', '-c', 'user.email=a@b', '-c', 'core.hooksPath=']
        output = subprocess.check_output(['git', *options, *words], cwd=folder, text=True)
        return output.strip()

    folder.mkdir()
    assert said() == __version__
    for name in ('seam_seg/a.py', 'docs/a.md'):
        (folder / name).parent.mkdir()
        (folder / name).write_text('x')
    git('init', '-q')
    git('add', '.')
    git('commit', '-qm', 'x')
    commit = git('rev-parse', '--short', 'HEAD')
    assert said() == commit
    (folder / 'docs/a.md').write_text('y')  # trains nothing
    assert said() == commit
    (folder / 'seam_seg/b.py').write_text('y')
    assert said() == f'{commit}-dirty'
