"""Studies: resumable runs, and a table that says what was measured."""
import json

import pytest

from seam_seg.apis import study
from seam_seg.errors import InputError

DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'


def result(variant, seed, dice, weight=0.5, ratio=None):
    """A run whose images score around ``dice``."""
    return dict(
        variant=variant, seed=seed, scores=dict(mDice=dice),
        per_image={
            f'case{i}': {f'Dice.{bone}': dice + i for bone in study.BONES}
            for i in range(8)
        },
        probe=dict(largest_weight=weight, gradient_ratio=ratio))


def write(folder, *runs):
    for run in runs:
        study.write_json(folder / f'{run["variant"]}_seed{run["seed"]}.json', run)


def test_flatten():
    options = dict(a=dict(b=1, c=dict(d='x')), e=None)
    assert study.flatten(options) == ['a.b=1', 'a.c.d=x', 'e=None']


def test_finished_runs_are_not_repeated(tmp_path, monkeypatch, phantom):
    done = []

    def fake(config, options, seed, data_root, work_dir):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append((options['x'], seed))
        run = result('', seed, 50.0)
        del run['variant']  # run_study knows it
        return run

    monkeypatch.setattr(study, 'train_and_score', fake)
    arguments = (DEMO, dict(a=dict(x=1), b=dict(x=2)), [0, 1], str(phantom),
                 tmp_path / 'out', tmp_path / 'work')
    with pytest.raises(KeyboardInterrupt):
        list(study.run_study(*arguments))
    assert done == [(1, 0), (2, 0), (1, 1)]
    done.clear()
    assert len(list(study.run_study(*arguments))) == 1
    assert done == [(2, 1)]
    assert sorted(study.read_results(tmp_path / 'out')) == ['a', 'b']
    with pytest.raises(InputError, match='no-such'):
        next(study.run_study('no-such', *arguments[1:]))


def test_table(tmp_path):
    write(tmp_path, result('ref', 0, 70.0), result('ref', 1, 72.0),
          result('better', 0, 75.0, ratio=0.01), result('same', 1, 72.0))
    table = study.study_table(study.read_results(tmp_path), 'ref').splitlines()
    assert table[2] == '| ref | 2 | 71.00 +- 1.41 | reference | 0.5 | - |'
    # paired with the seed that both have; every image is 5 better
    assert table[3] == '| better | 1 | 75.00 | +5.00 [+5.00, +5.00] | 0.5 | 0.01 |'
    assert '+0.00 [+0.00, +0.00], indistinguishable' in table[4]


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
    write(tmp_path, result('b', 0, 70.0))
    with pytest.raises(InputError, match="'ref' has no result"):
        study.study_table(study.read_results(tmp_path), 'ref')
    (tmp_path / 'c_seed0.json').write_text('{"variant": "c"')
    with pytest.raises(InputError, match='c_seed0.json'):
        study.read_results(tmp_path)


def test_a_real_run(tmp_path, phantom):
    options = dict(
        train_cfg=dict(max_iters=1), train_dataloader=dict(
            batch_size=2, num_workers=0, persistent_workers=False),
        model=dict(decode_head=dict(
            loss_center=dict(type='CenterRegressionLoss', mode='offset'))))
    run = study.train_and_score(DEMO, options, 3, str(phantom), tmp_path / 'run')
    json.dumps(run)
    assert run['seed'] == 3 and 'randomness.seed=3' in run['command']
    assert len(run['per_image']) == 1  # the validation split of five cases
    assert 0.25 <= run['probe']['largest_weight'] <= 1
    assert run['probe']['gradient_ratio'] > 0
    with pytest.raises(InputError, match='log.txt'):
        study.train_and_score(
            DEMO, dict(model=dict(decode_head=dict(beta=-1))), 0, str(phantom),
            tmp_path / 'bad')
    assert 'must not be negative' in (tmp_path / 'bad/log.txt').read_text()
