"""Trainings at the paper's size: what is trained, and what is kept of them."""

import json

import pandas as pd
import pytest

from seam_seg.config_lookup import config_path, get_config, project_root
from seam_seg.datasets.phantom import write_phantom
from seam_seg.errors import InputError
from seam_seg.evaluation.rows import read_rows
from studies.paper_size import measure, tables
from studies.records import append_rows, make_rows

CONFIGS = project_root() / 'studies/paper_size/configs'


def train_line(step, loss, time, **values):
    return {
        **values,
        'loss': loss,
        'time': time,
        'data_time': time / 10,
        'iter': step,
        'step': step,
    }


def write_log(folder, *lines):
    (folder / 'vis_data').mkdir(parents=True)
    text = '\n'.join(map(json.dumps, lines))
    (folder / 'vis_data/scalars.json').write_text(text + '\n')


def test_the_papers_model_is_trained():
    paper = get_config('seam_r50-fpn_1xb12-80k_vpi-512x256')
    for name, batch in (('gpu', 12), ('cpu', 4)):
        cfg = get_config(str(CONFIGS / f'{name}.py'))
        head = dict(cfg.model.decode_head)
        assert head.pop('normalization') is None
        own = dict(paper.model.decode_head)
        assert (own.pop('lambda_'), own.pop('beta')) == (0.4, 0.5)  # the defaults
        assert head == own and cfg.method_name == paper.method_name
        assert cfg.model.backbone.pop('init_cfg') is None
        assert dict(cfg.model.backbone, init_cfg=paper.model.backbone.init_cfg) == dict(
            paper.model.backbone
        )
        assert cfg.optim_wrapper == paper.optim_wrapper
        assert cfg.param_scheduler == paper.param_scheduler
        assert cfg.train_dataloader.dataset.patches.size == (512, 256)
        assert cfg.train_dataloader.batch_size == batch
        assert cfg.val_dataloader.dataset.split == 'val'


def test_log_of_a_run_that_was_cut_off(tmp_path):
    """What the second run did again replaces what the first one did."""
    dice = {'bone/mDice': 40.0, 'bone/Dice.rib': 30.0, 'time': 9.0, 'step': 20}
    write_log(
        tmp_path / 'a', *(train_line(n, 5.0 - n / 10, 7.0) for n in (10, 20, 30)), dice
    )
    write_log(tmp_path / 'b', train_line(30, 1.0, 3.0), train_line(40, 0.5, 3.5))
    values = measure.course(measure.read_log(tmp_path))
    assert [(v['image'], v['value']) for v in values if v['score'] == 'loss'] == [
        ('iteration 10', 4.0),
        ('iteration 20', 3.0),
        ('iteration 30', 1.0),
        ('iteration 40', 0.5),
    ]
    found = {(v['score'], v.get('class', '')): v for v in values if 'Dice' in v['score']}
    assert found['mDice', '']['value'] == 40 and found['Dice', 'rib']['value'] == 30
    times = {v['score']: v['value'] for v in values if 'image' not in v}
    assert times == dict(seconds=3.5, waiting=0.35)  # of 7.0, 3.0 and 3.5
    with pytest.raises(InputError, match='Train first'):
        measure.read_log(tmp_path / 'c')


def test_memory_is_that_of_training_not_of_the_search_for_algorithms():
    lines = [
        train_line(10 * n, 1.0, 1.0, memory=mib)
        for n, mib in enumerate((10, 20, 20, 900, 20))
    ]
    values = {v['score']: v['value'] for v in measure.course(lines)}
    assert values['peak_bytes'] == 20 * 2**20


def test_tables_of_two_seeds(tmp_path):
    for seed in (0, 1):
        values = [
            dict(image='iteration 10', score='loss', value=2.0 + seed),
            dict(image='iteration 20', score='loss', value=1.0),
            dict(image='iteration 20', score='mDice', value=50.0 + 2 * seed),
            *(
                {'image': 'iteration 20', 'score': 'Dice', 'class': name, 'value': value}
                for name, value in dict(lumbar=60.0, thoracic=50.0, rib=40.0).items()
            ),
            *(dict(score=name, value=0.25) for name in ('seconds', 'waiting')),
            dict(score='peak_bytes', value=float(2**31)),
        ]
        rows = make_rows(values, 'paper_size', 'a GPU', 'SEAM', seed)
        append_rows(tmp_path / 'results.csv', rows)
    lines = tables.course(tmp_path).splitlines()
    assert '| a GPU | 20 | 1.00 ± 0.00 | 51.00 ± 1.41 | 60.00 ± 0.00 |' in lines[2]
    assert lines[3] == ''  # iterations without a validation are in the plot alone
    assert '| a GPU | 2 | 0.25 | 0.25 | 2.0 |' in tables.cost(tmp_path)
    tables.plot_curves(tmp_path, tmp_path / 'curves.png')
    assert (tmp_path / 'curves.png').stat().st_size > 5000


@pytest.mark.slow
def test_a_training_leaves_its_rows(tmp_path):
    """Of a small network; run once more, it has nothing left to do."""
    write_phantom(str(tmp_path / 'data'), 4, 1, seed=7)
    base = config_path('fpn_r18_1xb8-600_phantom-256x128')
    config = tmp_path / 'small.py'
    config.write_text(
        f'_base_ = {str(base)!r}\n'
        'train_cfg = dict(max_iters=2, val_interval=2)\n'
        'default_hooks = dict(logger=dict(interval=1))\n'
        'loader = dict(num_workers=0, persistent_workers=False)\n'
        'train_dataloader = dict(batch_size=2, **loader)\n'
        'val_dataloader = loader\n'
    )
    words = [str(config), '--data-root', str(tmp_path / 'data'), '--seed', '3']
    words += ['--work-dir', str(tmp_path), '--out', str(tmp_path / 'rows.csv')]
    assert measure.main(words) == 0
    rows = read_rows(tmp_path / 'rows.csv')
    assert set(rows['score']) == {
        'loss', 'mDice', 'Dice', 'seconds', 'waiting', 'peak_bytes'
    }  # fmt: skip
    assert set(rows['seed']) == {3} and rows['setting'].str.contains('batch 2').all()
    assert list(rows[rows['score'] == 'loss']['image']) == ['iteration 1', 'iteration 2']
    assert measure.main(words) == 0
    again = read_rows(tmp_path / 'rows.csv')
    kept = [~frame['score'].eq('peak_bytes') for frame in (rows, again)]
    pd.testing.assert_frame_equal(
        rows[kept[0]].reset_index(drop=True), again[kept[1]].reset_index(drop=True)
    )
