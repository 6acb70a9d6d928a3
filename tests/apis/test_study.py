"""Studies: resumable runs, and a table that says what was measured."""

import shutil
import threading

import cv2
import pytest
import torch
from mmseg.registry import MODELS

from seam_seg.apis import identity, load_config, study
from seam_seg.atomic import write_json
from seam_seg.datasets.phantom import HELD_OUT_SEEDS, find_params, write_phantom
from seam_seg.errors import InputError
from seam_seg.weights import READY_WEIGHTS

FINETUNE = 'seam-keymass_r18-fpn_1xb8-200_finetune_vpi-256x128'
DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'


def scored(dice):
    """Scores of images around ``dice``."""
    return dict(
        scores=dict(mDice=dice),
        per_image={
            f'case{i}': {f'Dice.{bone}': dice + i for bone in study.BONES}
            for i in range(8)
        },
    )


def result(variant, seed, dice, weight=0.5, ratio=None):
    """A run, 10 points worse on the held-out data."""
    return dict(
        variant=variant,
        seed=seed,
        **scored(dice),
        held_out=scored(dice - 10),
        probe=dict(largest_weight=weight, gradient_ratio=ratio),
    )


def write(folder, *runs):
    for run in runs:
        write_json(folder / f'{run["variant"]}_seed{run["seed"]}.json', run)


def test_flatten():
    options = dict(a=dict(b=1, c=dict(d='x')), e=None)
    assert study.flatten(options) == {'a.b': 1, 'a.c.d': 'x', 'e': None}


def test_finished_runs_are_not_repeated(tmp_path, monkeypatch, phantom):
    done = []

    def fake(run, data_root, work_dir, split, gpu, held_out):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append((run.variant, run.seed))
        return result(run.variant, run.seed, 50.0), None

    monkeypatch.setattr(study, 'train_and_score', fake)
    runs = [study.Run(name, seed, DEMO, {}) for seed in (0, 1) for name in 'ab']
    arguments = runs, str(phantom), tmp_path / 'out', tmp_path / 'work'
    with pytest.raises(KeyboardInterrupt):
        list(study.run_study(*arguments))
    assert done == [('a', 0), ('b', 0), ('a', 1)]
    done.clear()
    assert len(list(study.run_study(*arguments))) == 1
    assert done == [('b', 1)]
    assert sorted(study.read_results(tmp_path / 'out')) == ['a', 'b']
    with pytest.raises(InputError, match='no-such'):
        next(study.run_study([study.Run('a', 0, 'no-such', {})], *arguments[1:]))


def test_a_failed_run_loses_no_other(tmp_path, monkeypatch, phantom):
    """Two at a time, each on a GPU of its own; the failure is told at the end."""
    both = threading.Barrier(2, timeout=20)
    used = []

    def fake(run, data_root, work_dir, split, gpu, held_out):
        both.wait()  # only two that run at the same time pass
        used.append(gpu)
        if run.variant == 'b':
            raise MemoryError('b is too large')
        return result(run.variant, run.seed, 50.0), None

    monkeypatch.setattr(study, 'train_and_score', fake)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '5,7')
    runs = [study.Run(name, 0, DEMO, {}) for name in 'abcd']
    arguments = runs, str(phantom), tmp_path / 'out', tmp_path / 'work'
    with pytest.raises(InputError, match='1 of 4 runs failed.*b_seed0: b is too large'):
        list(study.run_study(*arguments, gpus=2))
    assert sorted(study.read_results(tmp_path / 'out')) == ['a', 'c', 'd']
    assert sorted(used) == ['5', '5', '7', '7']
    for count in (-1, 3):
        with pytest.raises(InputError, match=f'--gpus {count}: must be 0 to 2'):
            next(study.run_study(*arguments, gpus=count))


def test_nothing_is_taken_for_what_it_is_not(tmp_path, monkeypatch, phantom):
    """Results and half-done trainings of other data, configs or start weights."""
    begun = []

    def fake(run, data_root, work_dir, split, gpu, held_out):
        begun.append(run.name)
        if run.variant == 'cut off':
            (work_dir / 'iter_1.pth').touch()
            raise KeyboardInterrupt
        return result(run.variant, run.seed, 50.0), None

    monkeypatch.setattr(study, 'train_and_score', fake)
    copied = tmp_path / 'data'
    shutil.copytree(phantom, copied)
    done, cut_off = (study.Run(name, 0, DEMO, {}) for name in ('done', 'cut off'))

    def start(runs, root=copied, out='out'):
        begun.clear()
        list(study.run_study(runs, str(root), tmp_path / out, tmp_path / 'work'))

    with pytest.raises(KeyboardInterrupt):
        start([done, cut_off])
    # wherever the same data lie, what is done is done and what was begun goes on
    with pytest.raises(KeyboardInterrupt):
        start([done, cut_off], phantom)
    assert begun == ['cut off_seed0']
    lower = dict(optim_wrapper=dict(optimizer=dict(lr=1e-5)))
    for run in (done._replace(options=lower), done._replace(checkpoint=READY_WEIGHTS)):
        with pytest.raises(InputError, match='done_seed0.json: comes from other data'):
            start([run])
    with pytest.raises(InputError, match='work/cut off_seed0: comes from other data'):
        start([cut_off._replace(options=lower)])
    # other ready weights, which the config names by a name that stays
    fine_tuned = done._replace(variant='fine-tuned', config=FINETUNE)
    start([fine_tuned], out='fine-tuned')
    other = tmp_path / 'other.pth'
    other.write_bytes(READY_WEIGHTS.read_bytes() + b'x')
    with monkeypatch.context() as patched:
        patched.setattr(identity, 'READY_WEIGHTS', other)
        with pytest.raises(InputError, match='fine-tuned_seed0.json: comes from other'):
            start([fine_tuned], out='fine-tuned')
    # another phantom, whose cases have the same names
    recipe = copied / 'phantom.json'
    recipe.write_text(recipe.read_text().replace('"seed": 7', '"seed": 8'))
    for runs, out in (([done], 'out'), ([cut_off], 'other')):
        with pytest.raises(InputError, match='comes from other data'):
            start(runs, out=out)
    # data that were not drawn: their content counts
    recipe.unlink()
    start([done], out='clinical')
    (mask,) = (copied / 'groundtruth/train').glob('*0000*.png')
    pixels = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
    pixels[0, 0] = 1
    cv2.imwrite(str(mask), pixels)
    with pytest.raises(InputError, match='comes from other data'):
        start([done], out='clinical')
    assert begun == []


@pytest.mark.parametrize('content', ['{"variant": ', '[]', '{"variant": "done"}'])
def test_a_damaged_result_is_named_before_any_run(content, tmp_path, phantom):
    (tmp_path / 'last_seed0.json').write_text(content)
    runs = [study.Run(name, 0, DEMO, {}) for name in ('first', 'last')]
    with pytest.raises(InputError, match='last_seed0.json: no result of a study'):
        next(study.run_study(runs, str(phantom), tmp_path, tmp_path / 'work'))


def test_table(tmp_path):
    mixed = result('mixed', 0, 75.0, ratio=0.01)
    mixed['held_out'] = scored(58.0)  # better on one, worse on the other
    write(
        tmp_path,
        result('ref', 0, 70.0),
        result('ref', 1, 72.0),
        mixed,
        result('same', 1, 72.0),
    )
    table = study.study_table(study.read_results(tmp_path), 'ref').splitlines()
    assert table[2] == (
        '| ref | 2 | 61.00 +- 1.41 | reference | 71.00 +- 1.41 | reference | 0.5 | - |'
    )
    # paired with the seed that both have; the interval is over equal differences
    assert table[3] == (
        '| mixed | 1 | 58.00 | -2.00 [-2.00, -2.00]; -2.00 | 75.00 | '
        '+5.00 [+5.00, +5.00]; +5.00 | 0.5 | 0.01 |'
    )
    assert '+0.00 [+0.00, +0.00], indistinguishable; +0.00' in table[4]


def test_folds_are_one_test_of_all_images():
    """Means over all images, not over folds of different size."""

    def fold(number, seed, dice, surfaces):
        return dict(
            variant='a',
            seed=seed,
            fold=number,
            scores={
                'mDice': 1.0,
                'R': 0.1,
                **{
                    key: 1.0
                    for bone in study.BONES
                    for key in (f'Dice.{bone}', f'HD95.{bone}')
                },
                'no_surface.rib': surfaces,
            },
            per_image={
                f'{number}-{i}': {
                    'Dice.rib': value,
                    'Dice.lumbar': 2 * value,
                    'Dice.thoracic': 0.0,
                    **({'HD95.rib': 4.0 + i} if i else {}),
                }
                for i, value in enumerate(dice)
            },
        )

    runs = [fold(0, 5, [10, 20], 2), fold(1, 5, [60], 1), fold(0, 6, [30], 0)]
    first, second = study.pool_folds(runs)
    assert (first['seed'], second['seed']) == (5, 6)
    assert first['scores']['Dice.rib'] == 30 and first['scores']['Dice.lumbar'] == 60
    assert first['scores']['mDice'] == 30
    # one image of three has a distance, and only of the rib
    assert first['scores']['HD95.rib'] == first['scores']['mHD95'] == 5
    assert first['scores']['no_surface.rib'] == 3
    assert len(first['per_image']) == 3 and second['scores']['Dice.rib'] == 30
    with pytest.raises(InputError, match='image 0-0 was tested on in two folds'):
        study.pool_folds([runs[0], dict(runs[0], fold=1)])


def test_interval_covers_the_noise():
    reference, variant = result('a', 0, 70.0), result('b', 0, 70.0)
    for i, name in enumerate(variant['per_image']):
        for bone in study.BONES:
            variant['per_image'][name][f'Dice.{bone}'] += 3 if i % 2 else -2
    mean, low, high = study.paired_interval([variant], [reference])
    assert mean == pytest.approx(0.5) and low < 0 < high


def test_bad_results(tmp_path):
    with pytest.raises(InputError, match='no result'):
        study.read_results(tmp_path)
    foreign = result('b', 0, 70.0)
    del foreign['held_out']
    write(tmp_path, foreign)
    with pytest.raises(InputError, match="b, seed 0: its result lacks 'held_out'"):
        study.study_table(study.read_results(tmp_path), 'b')
    with pytest.raises(InputError, match="'ref' has no result"):
        study.study_table(study.read_results(tmp_path), 'ref')
    (tmp_path / 'c_seed0.json').write_text('{"variant": "c"')
    with pytest.raises(InputError, match='c_seed0.json'):
        study.read_results(tmp_path)


@pytest.mark.parametrize(
    'name, keys',
    [
        ('fpn_r18_1xb8-600_phantom-256x128', set()),
        (
            'seam-wo-al_r18-fpn_1xb8-600_phantom-256x128',
            {'largest_weight', 'gradient_ratio'},
        ),
        (
            'danet_r18-fpn_1xb8-600_phantom-256x128',
            {'added', 'added_pam', 'added_cam', 'gamma_pam', 'gamma_cam'},
        ),
    ],
)
def test_probe_finds_what_the_head_has(name, keys, phantom, tmp_path):
    cfg = load_config(name, None, str(phantom))
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), tmp_path / 'x.pth')
    found = study.probe(cfg, tmp_path / 'x.pth', patches=2)
    assert set(found) == keys
    if 'gamma_pam' in keys:  # untrained, the attention is the identity
        assert found['gamma_pam'] == found['added'] == 0


def test_a_real_run(tmp_path, phantom, monkeypatch):
    commits = iter(['before', 'after', 'of a run that fails'])
    monkeypatch.setattr(study, 'code_version', lambda: next(commits))
    held_out = tmp_path / 'scanner'
    write_phantom(held_out, 0, 2, HELD_OUT_SEEDS['val'], find_params('scanner'))
    options = dict(
        train_cfg=dict(max_iters=1),
        train_dataloader=dict(batch_size=2, num_workers=0, persistent_workers=False),
        model=dict(
            decode_head=dict(loss_center=dict(type='CenterRegressionLoss', mode='offset'))
        ),
    )
    runs = [study.Run('offset', 3, DEMO, options)]
    list(
        study.run_study(
            runs,
            str(phantom),
            tmp_path / 'out',
            tmp_path / 'work',
            look_inside=True,
            held_out=str(held_out),
        )
    )
    (run,) = study.read_results(tmp_path / 'out')['offset']
    assert run['seed'] == 3 and 'randomness.seed=3' in run['command']
    assert len(run['per_image']) == 1  # the validation split of five cases
    assert run['versions']['code'] == 'before'
    assert str(tmp_path) not in run['command'].replace(str(phantom), '')
    assert len(run['held_out']['per_image']) == 2
    assert run['held_out']['scores']['mDice'] != run['scores']['mDice']
    assert 0.25 <= run['probe']['largest_weight'] <= 1
    assert run['probe']['gradient_ratio'] > 0
    # weights as they are, on another split
    trained = tmp_path / 'work/offset_seed3/iter_1.pth'
    scored, checkpoint = study.train_and_score(
        study.Run('again', 3, DEMO, options, trained),
        str(phantom),
        tmp_path / 'again',
        'test',
    )
    assert len(scored['per_image']) == 3 and checkpoint == trained
    assert scored['versions']['code'] == 'after'
    assert scored['command'].startswith('tools/test.py ')
    # the result is that of these held-out cases, and of no others
    with pytest.raises(InputError, match='offset_seed3.json: comes from other data'):
        next(study.run_study(runs, str(phantom), tmp_path / 'out', tmp_path / 'work'))
    write_phantom(
        held_out, 0, 2, HELD_OUT_SEEDS['test'], find_params('scanner'), overwrite=True
    )
    with pytest.raises(InputError, match='offset_seed3.json: comes from other data'):
        next(
            study.run_study(
                runs,
                str(phantom),
                tmp_path / 'out',
                tmp_path / 'work',
                held_out=str(held_out),
            )
        )
    wrong = study.Run('bad', 0, DEMO, dict(model=dict(decode_head=dict(beta=-1))))
    with pytest.raises(InputError, match='log.txt'):
        study.train_and_score(wrong, str(phantom), tmp_path / 'bad')
    assert 'must not be negative' in (tmp_path / 'bad/log.txt').read_text()
