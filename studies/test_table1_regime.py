"""Table 1's regime: its data, its endpoints, its start, its plan."""

import json
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS
from scipy import ndimage

from seam_seg.apis.runs import load_config
from seam_seg.config_lookup import get_config, project_root
from seam_seg.datasets import VPIDataset
from seam_seg.datasets.phantom import (
    PhantomCase,
    find_params,
    make_case,
    write_phantom,
    writing,
)
from seam_seg.datasets.readers import read_image
from seam_seg.datasets.seeding import Sample
from seam_seg.datasets.transforms import own_steps
from seam_seg.evaluation.rows import COLUMNS, read_rows
from seam_seg.measurement import measure_mask
from studies.table1 import make_data, plan, run

CONFIGS = project_root() / 'studies/table1/configs'
sys.path.append(str(CONFIGS))  # as of a config that lies there

import table1_endpoints as endpoints  # noqa: E402
import table1_parts as parts  # noqa: E402

NAMES = ('background', 'rib', 'thoracic', 'lumbar')


# --- data


def tiny_case(seed, params):
    """Stands in for a case: a picture of its seed and share."""
    rng = np.random.default_rng([*seed, int(100 * params.faint_share)])
    picture = rng.integers(0, 255, (8, 4), np.uint8)
    return PhantomCase(picture, picture % 4, picture.astype(np.uint16), dict(seed=seed))


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Two seeds of the first regime, one of another: all but what cases look like."""
    monkeypatch.setattr(writing, 'make_case', tiny_case)
    monkeypatch.setattr(make_data, 'COUNTS', (3, 2, 1))
    monkeypatch.setattr(make_data, 'VALIDATION', 1)
    monkeypatch.setattr(make_data, 'UNLABELLED', 1)
    tests = make_data.test_phantoms(tmp_path)
    names = ('f15', 'f40', *make_data.OTHER_TESTS)
    few = {name: tests[name]._replace(test=1) for name in names}
    monkeypatch.setattr(make_data, 'test_phantoms', lambda _: few)
    make_data.make_data(tmp_path, [0, 5], ['f15', 'f40'], 1)
    dates = {path: path.stat().st_mtime_ns for path in tmp_path.rglob('*.png')}
    make_data.make_data(tmp_path, [0, 5], ['f15', 'f40'], 1)
    assert dates == {path: path.stat().st_mtime_ns for path in tmp_path.rglob('*.png')}
    return tmp_path


def names_of(root, name):
    return (root / f'{name}.txt').read_text().split()


def test_cases_are_redrawn_for_each_seed_and_tests_are_shared(data):
    roots = [data / 'f15/seed0', data / 'f15/seed5', data / 'f40/seed0']
    assert not (data / 'f40/seed5').exists()
    few, more, most = (names_of(roots[0], f'train-{n}') for n in (1, 2, 3))
    assert set(few) < set(more) < set(most)
    assert {*names_of(roots[0], 'val')} == {*names_of(roots[0], 'train')} - {*most}
    contents = [
        [path.read_bytes() for path in sorted(root.glob('dataset/train/*.png'))]
        for root in roots
    ]
    assert list(map(len, contents)) == [4, 4, 3]
    everything = sum(contents, [])
    for other in ('start/dataset/train', 'tests/f15/dataset/test'):
        everything += [path.read_bytes() for path in (data / other).glob('*.png')]
    assert len(set(everything)) == len(everything) == 4 + 4 + 3 + 1 + 1
    test = (roots[0] / 'dataset/test').resolve()
    assert test == (roots[1] / 'dataset/test').resolve()
    assert names_of(roots[0], 'test') == names_of(data / 'tests/all', 'test')
    for name, source in (('phantom_test_0000', 'f15'), ('scanner_0000', 'scanner')):
        original = data / 'tests' / source
        for file, old in (
            (f'dataset/test/{name}.png', 'dataset/test/phantom_test_0000.png'),
            (f'geometry/test/{name}.json', 'geometry/test/phantom_test_0000.json'),
        ):
            assert (roots[1] / file).resolve() == (original / old).resolve()
    dataset = VPIDataset(str(roots[0]), split='test')
    assert len(dataset) == 1 + len(make_data.OTHER_TESTS)
    few = dict(train='train-2.txt', val='val.txt', test='test.txt')
    assert len(VPIDataset(str(roots[0]), split='trainval', split_files=few)) == 2
    assert len(VPIDataset(str(roots[0]), split='val')) == 1


def test_what_the_test_sets_differ_in(tmp_path):
    params = {
        name: phantom.params
        for name, phantom in make_data.test_phantoms(tmp_path).items()
    }
    assert params['f15'] == find_params('standard')
    assert [params[f'f{n}'].faint_share for n in (0, 15, 40)] == [0, 0.15, 0.4]
    assert params['scanner'] == find_params('scanner')
    trained = replace(params['missing'], rib_missing=0.04, thoracic_missing=0)
    assert trained == params['f15'] != params['occluded']
    seeds = {phantom.seed for phantom in make_data.test_phantoms(tmp_path).values()}
    every = {make_data.case_phantom(tmp_path, 'f15', s).seed for s in (*range(10), 100)}
    assert not seeds & every and make_data.START not in seeds | every


# --- endpoints against loops that are slow and plain


def plain_split(mask, truth, bones):
    """Numbers of the true bones, pixel by pixel: the nearest of the component."""
    split = np.zeros(mask.shape, int)
    for row, column in np.argwhere(mask):
        label = mask[row, column]
        reached, todo = set(), [(row, column)]
        while todo:
            y, x = todo.pop()
            if (
                (y, x) not in reached
                and 0 <= y < mask.shape[0]
                and 0 <= x < mask.shape[1]
                and mask[y, x] == label
            ):
                reached.add((y, x))
                todo += [(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        near = [
            ((y - row) ** 2 + (x - column) ** 2, bones[y, x])
            for y, x in reached
            if truth[y, x] == label
        ]
        split[row, column] = min(near)[1] if near else 0
    return split


def test_bones_are_scored_one_by_one():
    truth = np.zeros((14, 16), np.uint8)
    bones = np.zeros(truth.shape, np.uint16)
    for number, (rows, columns, label) in enumerate(
        [
            ((1, 6), (1, 6), 3),  # found, beside its neighbour
            ((6, 11), (1, 6), 3),
            ((1, 5), (9, 13), 2),  # missed but for a corner
            ((8, 12), (9, 13), 2),  # not predicted
        ],
        1,
    ):
        truth[slice(*rows), slice(*columns)] = label
        bones[slice(*rows), slice(*columns)] = number
    mask = np.zeros_like(truth)
    mask[2:11, 1:7] = 3  # one component over both lumps
    mask[4:8, 12:15] = 2
    mask[13, 15] = 2  # reaches no bone
    dice, off = endpoints.score_bones(mask, truth, bones, 5)
    split = plain_split(mask, truth, bones)
    for number in range(1, 6):
        ours, theirs = np.argwhere(split == number), np.argwhere(bones == number)
        if not len(theirs):
            assert number == 5 and np.isnan(dice[4]) and np.isnan(off[4])
            continue
        both = len({*map(tuple, ours)} & {*map(tuple, theirs)})
        assert dice[number - 1] == pytest.approx(2 * both / (len(ours) + len(theirs)))
        if len(ours):
            apart = np.hypot(*(ours.mean(axis=0) - theirs.mean(axis=0)))
            assert off[number - 1] == pytest.approx(apart)
        else:
            assert dice[number - 1] == 0 and np.isnan(off[number - 1])
    assert (dice[:4] > 0.5).tolist() == [True, True, False, False]


@pytest.fixture(scope='module')
def case():
    return make_case(3, replace(find_params('standard'), rib_missing=0.2))


def test_places_of_missing_bones(case):
    """Leaving out bones that are there, one at a time: places lie in their outlines."""
    full = case.geometry
    ribs = sum(bone['name'] == 'rib' for bone in full['bones'])
    thoracic = sum(v['level'][0] == 'T' for v in full['vertebrae'])
    assert len(endpoints.missing_places(full)) == 2 * thoracic - ribs > 0
    hits = []
    for bone in full['bones']:
        if bone['name'] == 'lumbar':
            continue
        rest = dict(full, bones=[other for other in full['bones'] if other is not bone])
        (place,) = (
            place
            for place in endpoints.missing_places(rest)
            if place[:3] == (bone['name'], bone['level'], bone['side'])
        )
        hits.append(case.instances[int(place.y), int(place.x)] == bone['id'])
    assert len(hits) > 20 and np.mean(hits) > 0.9


def test_false_bones_are_counted_where_none_is():
    truth, mask = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)
    truth[:, :18] = 1

    def plain(place, radius):
        inside = [
            (y, x)
            for y in range(-99, 99)
            for x in range(-99, 99)
            if (y - round(place.y)) ** 2 + (x - round(place.x)) ** 2 <= radius**2
        ]
        seen = [(y, x) for y, x in inside if 0 <= y < 40 and 0 <= x < 40]
        free = [at for at in seen if truth[at] != 1]
        if len(free) <= len(inside) / 2:
            return np.nan
        return float(sum(mask[at] == 1 for at in free) > len(free) / 2)

    found = []
    mask[:, :24] = 1
    for x in (10, 18, 20, 23, 24, 30, 39, 45):
        place = endpoints.Place('rib', 'T5', 'left', x + 0.2, 20.4)
        value = endpoints.is_false_bone(mask, truth, place, 6.5)
        np.testing.assert_equal(value, plain(place, 6.5))
        found.append(value)
    assert {0, 1} < set(found) and np.isnan(found[0]) and np.isnan(found[-1])


@pytest.mark.slow
def test_the_endpoints_of_an_image(case, tmp_path):
    """Of the true mask all is right; of one without its faint bones, they are lost."""
    truth, bones, geometry = case.mask, case.instances, case.geometry
    perfect = endpoints.score_image(truth, truth, bones, geometry)
    for score in ('BoneDice', 'Found', 'FaintDice', 'FaintFound'):
        assert {perfect[f'{score}.{name}'] for name in ('all', 'rib')} == {100}
    assert perfect['Center.all'] == perfect['FalseBone.all'] == 0
    expected = measure_mask(truth[::4, ::4]).largest_curve_angle_deg
    true = geometry['largest_curve_angle_deg']
    assert perfect['AngleError.all'] == pytest.approx(abs(expected - true))

    faint = [b['id'] for b in geometry['bones'] if b['shadow']['depth'] <= 0.16]
    assert 3 < len(faint) < 20
    lost = np.where(np.isin(bones, faint), 0, truth).astype(np.uint8)
    for name in ('rib', 'thoracic'):  # and a bone where none is
        for place in endpoints.missing_places(geometry):
            if place.name == name:
                y, x = int(place.y), int(place.x)
                lost[y - 30 : y + 30, x - 30 : x + 30] = endpoints.LABELS[name]
    found = endpoints.score_image(lost, truth, bones, geometry)
    assert found['FaintFound.all'] == 0 and found['FaintDice.all'] < 20
    assert np.isnan(found['FaintCenter.all']) and found['FalseBone.all'] > 90
    visible = np.unique(bones[::4, ::4])[1:]
    share = 1 - np.isin(visible, faint).mean()
    assert found['Found.all'] == pytest.approx(100 * share, abs=3)

    empty = endpoints.score_image(np.zeros_like(truth), truth, bones, geometry)
    assert empty['AngleRefused.all'] == 100 and np.isnan(empty['AngleError.all'])
    assert empty['BoneDice.all'] == empty['Found.lumbar'] == empty['FalseBone.all'] == 0


# --- the start


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
    """Two cases of full size, one of them tested on."""
    root = tmp_path_factory.mktemp('pictures')
    write_phantom(root, 2, 1, seed=5)
    (root / 'train-64.txt').write_text((root / 'train.txt').read_text())
    (root / 'val.txt').write_text('phantom_train_0001\n')
    return root


def batch_of(cfg, root, model):
    """A batch of the training, as the model takes it."""
    settings = dict(cfg.train_dataloader.dataset, data_root=str(root))
    dataset = DATASETS.build(settings)
    samples = [dataset[Sample(i, i, 0)] for i in range(len(dataset))]
    return model.data_preprocessor(pseudo_collate(samples), True)


@pytest.mark.slow
def test_rows_begin_with_a_start_that_has_seen_no_bone(pictures, tmp_path, monkeypatch):
    init_default_scope('mmseg')
    cfg = get_config(str(CONFIGS / 'start.py'))
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    batch = batch_of(cfg, pictures, model)
    for path in pictures.glob('groundtruth/train/*.png'):
        path.write_bytes(b'no picture')  # masks are not even read
    again = batch_of(cfg, pictures, model)
    torch.testing.assert_close(again['inputs'], batch['inputs'])
    # The label is the image, of which the network sees a part; what it sees is alike.
    images = torch.cat([s.gt_sem_seg.data for s in batch['data_samples']]).float()
    mean, std = cfg.model.data_preprocessor.mean[0], cfg.model.data_preprocessor.std[0]
    seen = batch['inputs'][:, 0] * std + mean
    off = (seen - images).abs()
    hidden = off.unfold(1, 16, 16).unfold(2, 16, 16).mean(dim=(3, 4)) > 15
    assert 0.1 < hidden.float().mean() < 0.6 and off.quantile(0.3) < 12
    (loss,) = model.loss(**batch).values()
    restored = model.decode_head(model.extract_feat(batch['inputs']))[:, 0]
    first = loss.item()
    assert first == pytest.approx((restored - images / 255).abs().mean().item())
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(6):
        (loss,) = model.loss(**batch).values()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < first

    checkpoint, start = tmp_path / 'iter_6.pth', tmp_path / 'start.pth'
    torch.save(dict(state_dict=model.state_dict(), meta={}), checkpoint)
    run.export_start(checkpoint, start)
    weights = torch.load(start)['state_dict']
    assert {key.split('.')[0] for key in weights} == {'backbone', 'neck'}

    cfg = get_config(str(CONFIGS / 'fpn-conv.py'))
    for part in ('backbone', 'neck'):
        assert cfg.model[part].init_cfg.checkpoint == 'studies/table1/start.pth'
        cfg.model[part].init_cfg.checkpoint = str(start)
    row = MODELS.build(cfg.model)
    row.init_weights()
    own = row.state_dict()
    for key, value in own.items():
        if key.startswith(run.PARTS):
            torch.testing.assert_close(value, weights[key].to(value.dtype))
    assert {*weights} == {key for key in own if key.startswith(run.PARTS)}
    scratch = run.options_of(plan.Run('a', 'fpn-conv', 0, 9, 1e-3, scratch=True))
    for part in ('backbone', 'neck'):
        assert scratch[f'model.{part}.init_cfg'] is None


def test_light_changes_move_image_and_masks_alike():
    rng = np.random.default_rng(0)
    mask = np.zeros((64, 48), np.uint8)
    mask[20:40, 10:30] = 2
    step = parts.AffineAndGamma(
        scale=(0.9, 1.1), degrees=10, shift=(8, 4), gamma=(0.7, 1.4), prob=1
    )
    moved = 0
    for seed in range(20):
        np.random.seed(seed)  # noqa: NPY002
        results = dict(img=100 * mask, gt_seg_map=mask, seg_fields=['gt_seg_map'])
        found = step.transform(results)
        inside = found['img'] > 0.5 * found['img'].max()
        assert ((found['gt_seg_map'] == 2) == inside).mean() > 0.95
        moved += (found['gt_seg_map'] != mask).any()
        # grey levels keep their order
        grey = rng.integers(0, 256, (64, 48)).astype(np.uint8)
        still = parts.AffineAndGamma((1, 1), 0, (0, 0), (0.7, 1.4), 1)
        changed = still.transform(dict(img=grey))['img']
        order = np.argsort(grey.ravel(), kind='stable')
        assert (np.diff(changed.ravel()[order].astype(int)) >= 0).all()
    assert moved == 20


def test_the_control_is_told_the_levels_and_nothing_else(pictures):
    name = 'phantom_test_0000'
    path = pictures / f'dataset/test/{name}.png'
    grey = read_image(path)
    shown = parts.TellLevels().transform(dict(img_path=str(path), img=grey))['img']
    assert (shown[..., :2] == grey[..., None]).all()
    file = pictures / f'geometry/test/{name}.json'
    vertebrae = json.loads(file.read_text())['vertebrae']
    peaks, count = ndimage.label(shown[..., 2] > 200)
    assert count == len(vertebrae)
    found = np.array(ndimage.center_of_mass(peaks > 0, peaks, range(1, count + 1)))
    expected = np.array([[v['y'], v['x']] for v in vertebrae])
    np.testing.assert_allclose(found, expected, atol=1.5)
    cfg = get_config(str(CONFIGS / 'fpn-conv-levels.py'))
    for steps in (
        own_steps(cfg.val_dataloader.dataset.pipeline),
        own_steps(cfg.test_dataloader.dataset.pipeline),
        cfg.train_dataloader.dataset.pipeline[0].transforms,
    ):
        assert [step['type'] for step in steps[:2]] == ['LoadVPIImage', 'TellLevels']


# --- the plan


def test_the_plan_has_each_run_once():
    for count in plan.CANDIDATES:
        runs = [run for stage in plan.stages(count, {}).values() for run in stage]
        names = [run.name for run in runs]
        assert len(set(names)) == len(names)
        keys = {(r.setting, r.method or r.config, r.seed) for r in runs}
        assert len(keys) == len(runs)
        tested = {run.seed for run in runs if run.split == 'test'}
        assert not tested & set(plan.PILOT_SEEDS)
        assert {run.seed for run in runs if run.split == 'val'} == set(plan.PILOT_SEEDS)
    assert {run.seed for run in plan.stages(600, {})['contrasts']} == set(range(10))
    for pair in plan.CONTRASTS:
        assert set(pair) <= set(plan.CONTRAST_ROWS)


def test_what_is_compared_is_kept_image_by_image():
    for name, runs in plan.stages(600, {}).items():
        for one in runs:
            compared = one.split == 'test' and name != 'rows'
            assert ({'Dice', 'FaintFound'} <= set(one.per_image)) == compared


def rows_with(setting, bones='rib', **dice):
    """Rows of three seeds around the Dice of each method, of a class."""
    values = [
        dict(method=method, seed=seed, image='a', score='Dice', value=mean + seed - 1)
        for method, mean in dice.items()
        for seed in range(3)
    ]
    rows = pd.DataFrame(values).assign(
        study='table1', setting=setting, commit='x', **{'class': bones}
    )
    return rows[list(COLUMNS)]


@pytest.mark.parametrize(
    ('scores', 'expected'),
    [
        ((50, 50.2, 50.2, 50.2), 600),
        ((50, 50.4, 50.5, 50.6), 1200),
        ((50, 51, 52, 52.2), 1800),
        ((50, 51, 52, 53), 2400),
    ],
)
def test_the_rule_for_the_iterations(scores, expected):
    counts = (f'{count} iterations' for count in plan.CANDIDATES)
    rows = rows_with('iterations', **dict(zip(counts, scores)))
    assert plan.chosen_iterations(rows) == expected


def test_the_rule_for_the_rates():
    dice = {5e-4: dict(a=50, b=50), 1e-3: dict(a=51, b=49), 2e-3: dict(a=51, b=49)}
    rows = pd.concat([rows_with(plan.rate_setting(rate), **dice[rate]) for rate in dice])
    assert plan.chosen_rates(rows) == dict(a=1e-3, b=5e-4)
    rates = plan.chosen_rates(rows_with('rate 0.002', **{'seam-keymass': 1, 'fpn': 2}))
    found = plan.stages(600, rates)
    by = {run.config: run.rate for run in found['factorial'] + found['rows']}
    assert by['cell_keymass-center'] == by['fpn'] == 2e-3
    assert by['cell_conv'] == by['unet'] == plan.USUAL_RATE


def test_the_rule_for_the_weight_of_rsnu():
    dice = {
        'rsnu, 0.001': 80.0,
        'rsnu, 0.003': 79.8,
        'rsnu, 0.01': 79.6,
        'rsnu-unet, 0.001': 70.0,
        'rsnu-unet, 0.003': 71.0,
        'rsnu-unet, 0.01': 70.8,
    }
    rows = rows_with(plan.WEIGHTS_SETTING, **dice)
    assert plan.chosen_weights(rows) == {'rsnu': 3e-3, 'rsnu-unet': 1e-2}


def test_a_weight_is_that_of_the_loss_of_its_run(tmp_path):
    runs = plan.stages(600, {'rsnu': 2e-3, 'rsnu-unet': 2e-3})['weights']
    for one in runs:
        cfg = load_config(run.config_file(one.config), run.options_of(one), tmp_path)
        losses = cfg.model.decode_head.loss_decode
        assert losses[1].type == 'TotalVariationLoss'
        assert losses[1].loss_weight == one.weight != losses[0].get('loss_weight')
        assert one.method == f'{one.config}, {one.weight:g}' and one.rate == 2e-3


def test_the_class_that_a_row_has_learned_least():
    rows = [
        rows_with('rate 0.001', 'rib', a=5, b=70),
        rows_with('rate 0.001', 'lumbar', a=60, b=80),
        rows_with('rate 0.002', 'rib', a=30, b=60),
        rows_with('rate 0.002', 'lumbar', a=20, b=80),
    ]
    assert plan.worst_classes(pd.concat(rows[:2])) == dict(a=('rib', 4), b=('rib', 69))
    # a has 32.5 with the lower rate and 25 with the higher, b 75 and 70
    assert plan.worst_classes(pd.concat(rows))['a'] == ('rib', 4)
    rows[3]['value'] += 20
    assert plan.worst_classes(pd.concat(rows))['a'] == ('rib', 29)


def test_stages_wait_for_what_they_depend_on(monkeypatch):
    """Rows are added for one stage after the other."""
    monkeypatch.setattr(run, 'method_of', lambda one: one.method or one.config)
    rows = pd.DataFrame(columns=list(COLUMNS))

    def add(runs):
        found = [
            dict(setting=one.setting, method=one.method or one.config, seed=one.seed)
            for one in runs
        ]
        blank = {
            'study': '',
            'image': 'a',
            'class': 'rib',
            'score': 'Dice',
            'value': 50.0,
        }
        return pd.concat([rows, pd.DataFrame(found).assign(commit='x', **blank)])

    assert list(run.planned(rows)) == ['iterations']
    rows = add(run.planned(rows)['iterations'])
    assert list(run.planned(rows)) == ['iterations', 'rates', 'other rates']
    assert {one.iterations for one in run.planned(rows)['rates']} == {600}
    without = run.planned(rows, ['nonlocal'])['rates']
    assert 'nonlocal' not in {one.config for one in without}
    rows = add(run.planned(rows)['rates'])
    found = run.planned(rows)
    assert 'contrasts' in found and not {'rows', 'weights'} & set(found)
    assert {one.rate for one in found['contrasts']} == {min(plan.RATES)}
    rows = add(found['other rates'])
    assert list(run.planned(rows)) == list(plan.stages(600, {}))
    pending = {name: run.pending(runs, rows) for name, runs in run.planned(rows).items()}
    assert not pending['rates'] and len(pending['contrasts']) == 60
    assert {one.config for one in run.planned(rows)['rows']} == set(plan.OTHER_ROWS)
    rows.loc[rows['method'] == 'ppmu', 'value'] = 5  # it has not learned a class
    left = {one.config for one in run.planned(rows)['rows']}
    assert left == set(plan.OTHER_ROWS) - {'ppmu'}


def test_what_has_rows_is_not_run_again_and_an_interruption_keeps_them(
    tmp_path, monkeypatch, capsys
):
    """The driver, with an engine that writes what a test writes."""
    runs = {
        'iterations': [
            plan.Run(
                'iterations', 'fpn-conv', 100, 3, 1e-3, split='val', method='3 iterations'
            )
        ],
        'rates': [],
        'other rates': [],
        'rows': [],
        'contrasts': [plan.Run('64 cases', 'fpn-conv', seed, 3, 1e-3) for seed in (0, 1)],
    }
    started = []

    def plan_of(one, data, work_dir):
        return dict(tests={one.name: dict(setting=one.setting)})

    def engine(made, work_dir, jobs):
        started.append(sorted(made))
        for name in made:
            test = work_dir / name / name / 'test'
            test.mkdir(parents=True)
            (work_dir / name / 'begun').write_text('abc1234')
            keys = 'name,Dice.rib,Jaccard.rib,FaintFound.all,FaintFound.rib,runtime\n'
            lines = ('a,50,40,10,20,0.5\n', 'b,70,60,,40,0.5\n', 'scanner_0,10,5,1,1,\n')
            (test / 'dice_jaccard.csv').write_text(keys + ''.join(lines))
            logs = work_dir / name / '1/vis_data'
            logs.mkdir(parents=True)
            (logs / 'scalars.json').write_text(
                '{"lr": 1, "step": 1}\n{"bone/mDice": 30.5, "step": 3}\n'
            )
            if '64-cases' in name and len(started) == 2:
                raise KeyboardInterrupt
        return 0

    monkeypatch.setattr(plan, 'stages', lambda *_: runs)
    monkeypatch.setattr(plan, 'CANDIDATES', (3,))
    monkeypatch.setattr(run, 'plan_of', plan_of)
    monkeypatch.setattr(run, 'run_engine', engine)
    monkeypatch.setattr(make_data, 'make_data', lambda *_, **__: None)
    monkeypatch.setattr(run, 'make_start', lambda *_: None)
    file = tmp_path / 'rows.csv'
    words = ['--work-dir', str(tmp_path / 'work'), '--rows', str(file)]
    # of a later stage, nothing is run
    assert run.main([*words, '--stages', 'contrasts']) == 2
    assert not started and 'iterations settles how' in capsys.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        run.main.__wrapped__(words)
    first = read_rows(file)
    assert set(zip(first.setting, first.seed)) == {
        ('iterations', 100),
        ('64 cases', 0),
        ('iterations, scanner', 100),
        ('64 cases, scanner', 0),
    }
    assert run.main(words) == 0
    assert started == [
        ['iterations_fpn-conv_3-iterations_seed100'],
        ['64-cases_fpn-conv_seed0', '64-cases_fpn-conv_seed1'],
        ['64-cases_fpn-conv_seed1'],
    ]
    rows = read_rows(file)
    own = rows[(rows.setting == '64 cases') & (rows.seed == 1)]
    assert {(r.image, r['class'], r.score): r.value for _, r in own.iterrows()} == {
        ('a', 'rib', 'Dice'): 50,
        ('b', 'rib', 'Dice'): 70,
        ('a', 'all', 'FaintFound'): 10,
        ('mean', 'rib', 'FaintFound'): 30,
        ('mean', 'rib', 'Jaccard'): 50,
        ('', '', 'R'): 0.5,
        ('', '', 'Validation after 3'): 30.5,
    }
    style = rows[(rows.setting == '64 cases, scanner') & (rows.seed == 1)]
    assert set(style.image) == {'mean'} and set(style.value) == {10, 5, 1}
    capsys.readouterr()
    assert run.main([*words, '--list']) == 0
    assert 'contrasts: 0 runs' in capsys.readouterr().out


def test_heads_are_looked_into_once_where_their_weights_are(tmp_path, monkeypatch):
    runs = [plan.Run('64 cases', 'seam', seed, 3, 1e-3) for seed in range(4)]
    monkeypatch.setattr(run, 'planned', lambda *_: dict(contrasts=runs))
    looked = []

    def probe(cfg, checkpoint):
        looked.append((cfg, checkpoint.parent.name))
        return dict(largest_weight=0.25, gradient_ratio=None)

    monkeypatch.setattr(run, 'probe', probe)
    monkeypatch.setattr(run, 'load_config', lambda file, options, root: root)
    for one in runs[:3]:  # seed 2 is not finished, seed 3 was trained elsewhere
        folder = tmp_path / one.name
        folder.mkdir()
        steps = 2 if one.seed == 2 else 3
        (folder / f'iter_{steps}.pth').touch()
    file = tmp_path / 'rows.csv'
    scored = [dict(score='Dice', value=50.0, image='a', **{'class': 'rib'})]
    for one in (runs[0], runs[2], runs[3]):  # seed 1 has not been tested
        run.append_rows(
            file, run.make_rows(scored, 'table1', '64 cases', 'SEAM', one.seed)
        )
    words = ['--inside', '--rows', str(file), '--work-dir', str(tmp_path), '--data', 'x']
    for _ in range(2):
        assert run.main(words) == 0
    assert looked == [('x/f15/seed0', runs[0].name)]
    rows = read_rows(file)
    assert len(rows) == 4
    inside = rows[rows['score'] == 'probe.largest_weight']
    assert inside['value'].item() == 0.25 and inside['seed'].item() == 0


@pytest.mark.slow
def test_a_run_is_planned_with_its_own_cases_rate_and_test_sets(pictures, tmp_path):
    root = tmp_path / 'data/f15'
    root.mkdir(parents=True)
    (root / 'seed3').symlink_to(pictures)
    (pictures / 'train-20.txt').write_text('phantom_train_0000\n')
    one = plan.Run('20 cases', 'fpn-conv', 3, 600, 2e-3, cases=20)
    made = run.plan_of(one, tmp_path / 'data', tmp_path)
    for word in (
        'train_cfg.max_iters=600',
        'train_cfg.val_interval=200',
        'optim_wrapper.optimizer.lr=0.002',
        'randomness.seed=3',
        'train_dataloader.dataset.split_files.train=train-20.txt',
    ):
        assert word in made['command']
    read = [path for path in made['inputs'] if 'dataset/train' in path]
    assert len(read) == 1
    assert any(path.endswith('table1_endpoints.py') for path in made['inputs'])
    (test,) = made['tests'].values()
    assert 'dataset.split=test' in test['command'] and len(test['inputs']) == 3


@pytest.mark.parametrize(
    'name',
    sorted(
        {run.config for stage in plan.stages(600, {}).values() for run in stage}
        | {'start'}
    ),
)
def test_every_planned_config_is_there(name):
    assert (CONFIGS / f'{name}.py').is_file()
