"""The studies' own code: what its numbers mean, not how large they are."""

import functools
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from seam_seg.apis import init_model, load_config, predict
from seam_seg.apis.costs import inference_case, method_name
from seam_seg.apis.inference import Prediction
from seam_seg.config_lookup import get_config, project_root
from seam_seg.datasets.phantom import (
    HELD_OUT,
    HELD_OUT_SEEDS,
    NEVER_TRAINED,
    PRESETS,
    PhantomCase,
    draw_geometry,
    find_params,
    make_case,
    write_phantom,
)
from seam_seg.errors import InputError
from seam_seg.evaluation.instances import split_by_truth
from seam_seg.evaluation.rows import COLUMNS, image_dice, read_rows
from studies import probe, records
from studies.demo import trivial_baselines
from studies.demo.predictors import (
    CANDIDATES,
    Intensity,
    MeanMask,
    decide,
    fit_thresholds,
    per_image_dice,
)
from studies.fine_tuning.make_splits import LABELLED, write_splits
from studies.ready_weights import ceiling, score_families
from studies.ready_weights.cases import draw_cases, list_families
from studies.ready_weights.ceiling import draw_ceiling, mean_outline
from studies.ready_weights.changes import CHANGES
from studies.shared_machine import measure as sharing
from studies.speed import measure, train_memory
from studies.speed.ratios import compare_times, slope
from studies.table1 import draw_keys

DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'
PLAIN = 'fpn_r18_1xb8-600_phantom-256x128'
DANET = 'danet_r18-fpn_1xb8-600_phantom-256x128'
EMANET = 'emanet_r18-fpn_1xb8-600_phantom-256x128'
STUDIES = project_root() / 'studies'
NUM_CLASSES = 4


@pytest.fixture(scope='module')
def phantom(tmp_path_factory):
    """Two training and two test cases."""
    init_default_scope('mmseg')
    root = tmp_path_factory.mktemp('data') / 'phantom'
    write_phantom(str(root), 2, 2, seed=7)
    return root


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """The work dir of a benchmark, with random weights of each config."""
    init_default_scope('mmseg')
    work_dir = tmp_path_factory.mktemp('work')
    torch.manual_seed(0)
    for config in (DEMO, PLAIN, DANET, EMANET):
        cfg = get_config(config)
        cfg.model.backbone.init_cfg = None
        folder = work_dir / f'{config}_seed0'
        folder.mkdir()
        state = MODELS.build(cfg.model).state_dict()
        torch.save(dict(state_dict=state, meta={}), folder / 'iter_1.pth')
    return work_dir


def weights(work_dir, config=DEMO):
    return str(records.trained_weights(config, work_dir, 0))


# --- rows


def test_rows_are_replaced_by_run_or_by_number(tmp_path):
    path = tmp_path / 'new/rows.csv'

    def add(seed, whole=True, **scores):
        values = [dict(score=key, value=value) for key, value in scores.items()]
        rows = records.make_rows(values, 'a', 'b', 'c', seed)
        records.append_rows(path, rows, whole)
        found = read_rows(path)
        assert list(found) == list(COLUMNS) and found['commit'].str.len().min() >= 7
        return {(row.seed, row.score): row.value for row in found.itertuples()}

    assert add(0, x=1.0, y=2.0, z=float('nan')) == {(0, 'x'): 1, (0, 'y'): 2}
    assert add(1, x=3.0) == {(0, 'x'): 1, (0, 'y'): 2, (1, 'x'): 3}
    assert add(0, x=4.0) == {(1, 'x'): 3, (0, 'x'): 4}
    assert add(0, False, x=5.0, p=6.0) == {(1, 'x'): 3, (0, 'x'): 5, (0, 'p'): 6}


def test_a_test_is_taken_up(tmp_path):
    path, out = tmp_path / 'dice_jaccard.csv', tmp_path / 'rows.csv'
    path.write_text('name,Dice.rib,Jaccard.rib,runtime\none,50,40,\ntwo,60,,0.5\n')
    words = ['--study', 'demo', '--setting', 'standard test', '--method', 'SEAM, small']
    assert records.main([str(path), '--out', str(out), *words]) == 0
    rows = read_rows(out)
    assert sorted(zip(rows.image, rows.score, rows.value)) == [
        ('', 'R', 0.5),
        ('one', 'Dice', 50),
        ('one', 'Jaccard', 40),
        ('two', 'Dice', 60),
    ]
    assert set(rows.method) == {'SEAM, small'}


# --- the trivial predictors against loops that are slow and plain


@pytest.fixture
def cases():
    """Five images of 12 x 8 in which the grey level tells something of the class."""
    rng = np.random.default_rng(0)
    masks = rng.choice([0, 0, 0, 1, 2, 3], (5, 12, 8)).astype(np.uint8)
    masks[0, 0, 0] = 255
    masks[1][masks[1] == 3] = 0
    images = 200 - 40 * (masks % 255) + rng.integers(0, 50, masks.shape)
    return images.astype(np.uint8), masks


def dice_of(pred, truth, label):
    """Dice of a class, nan where it is in neither mask, ignored pixels left out."""
    both = pred_area = truth_area = 0
    for p, t in zip(pred.ravel(), truth.ravel()):
        if t != 255:
            both += p == label and t == label
            pred_area += p == label
            truth_area += t == label
    total = pred_area + truth_area
    return 2 * both / total if total else np.nan


def test_mean_mask_is_the_frequency_without_ignored_pixels(cases):
    _, masks = cases
    frequency = MeanMask.fit(masks, NUM_CLASSES)(None)
    assert frequency.shape == (NUM_CLASSES, 12, 8)
    for row in range(12):
        for column in range(8):
            labels = [m[row, column] for m in masks if m[row, column] != 255]
            for label in range(NUM_CLASSES):
                assert frequency[label, row, column] == pytest.approx(
                    labels.count(label) / len(labels)
                )


def test_intensity_smooths_counts_with_a_gaussian():
    image = np.array([[100, 100, 103]], np.uint8)
    mask = np.array([[1, 1, 2]], np.uint8)
    posterior = Intensity.fit([image], [mask], NUM_CLASSES, sigma=2).posterior
    near, far = np.exp(-0.5 * (1 / 2) ** 2), np.exp(-0.5 * (2 / 2) ** 2)
    assert posterior[1, 101] == pytest.approx(2 * near / (2 * near + far))
    assert posterior[2, 102] == pytest.approx(near / (near + 2 * far))


def test_decision_takes_the_largest_ratio_above_one():
    scores = np.array([[0.9, 0.9, 0.1], [0.2, 0.1, 0.5], [0.3, 0.3, 0.5]])[:, None]
    thresholds = np.array([np.inf, 0.1, 0.4])
    # 2.0 against 0.75; 1.0, which is not above, against 0.75; 5 against 1.25
    np.testing.assert_array_equal(decide(scores, thresholds), [[1, 0, 1]])


@pytest.mark.parametrize('kind', ['mean', 'intensity'])
def test_thresholds_maximise_the_training_dice(cases, kind):
    images, masks = cases
    masks = np.where(masks == 2, 0, masks)
    predictor = (
        MeanMask.fit(masks, NUM_CLASSES)
        if kind == 'mean'
        else Intensity.fit(images, masks, NUM_CLASSES)
    )
    thresholds = fit_thresholds(predictor, images, masks, NUM_CLASSES)
    assert np.isinf(thresholds[[0, 2]]).all()  # background, and a class never seen

    def mean_dice(label, threshold):
        return np.nanmean(
            [
                dice_of(
                    np.where(predictor(image)[label] > threshold, label, 0), mask, label
                )
                for image, mask in zip(images, masks)
            ]
        )

    for label in (1, 3):
        top = max(predictor(image)[label].max() for image in images)
        best = max(
            mean_dice(label, top * np.float32(k / (CANDIDATES + 1)))
            for k in range(1, CANDIDATES + 1)
        )
        assert mean_dice(label, np.float32(thresholds[label])) == pytest.approx(best)


def test_scores_are_per_image_at_the_size_of_the_mask(cases):
    images, masks = cases
    predictor = Intensity.fit(images, masks, NUM_CLASSES)
    thresholds = fit_thresholds(predictor, images, masks, NUM_CLASSES)
    large = [
        cv2.resize(mask, (24, 48), interpolation=cv2.INTER_NEAREST_EXACT)
        for mask in masks
    ]
    dice = per_image_dice(predictor, thresholds, zip(images, large), NUM_CLASSES)
    assert dice.shape == (5, NUM_CLASSES)
    for i, mask in enumerate(large):
        pred = decide(predictor(images[i]), thresholds).repeat(4, axis=0).repeat(3, 1)
        for label in range(NUM_CLASSES):
            np.testing.assert_allclose(dice[i, label], dice_of(pred, mask, label))


def test_trivial_baselines(tmp_path, capsys):
    for split, count in (('train', 3), ('test', 2)):
        for i in range(count):
            mask = np.zeros((60, 30), np.uint8)
            for label in (1, 2, 3):
                mask[14 * label : 14 * label + 9, 6 + i : 20 + i] = label
            for folder, name, pixels in (
                ('dataset', f'{split}{i}.png', 200 - 50 * mask),
                ('groundtruth', f'{split}{i}_bone_3.png', mask),
            ):
                (tmp_path / folder / split).mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(tmp_path / folder / split / name), pixels)
        (tmp_path / f'{split}.txt').write_text(
            ''.join(f'{split}{i}\n' for i in range(count))
        )
    out = tmp_path / 'rows.csv'
    words = [str(tmp_path), '--image-size', '30', '15', '--out', str(out)]
    assert trivial_baselines.main(words) == 0
    printed = capsys.readouterr().out
    assert 'on 2 test cases, fitted on 3 training cases' in printed
    rows = read_rows(out)
    assert len(rows) == 2 * 2 * 3 and set(rows.image) == {'test0', 'test1'}
    # The grey level tells all here, but for the edges that the resizing blurs.
    for method, least in (('intensity', 80), ('mean mask', 60)):
        dice = image_dice(rows).loc[method].to_numpy().mean()
        assert dice > least and f'{dice:10.2f}\n' in printed
    assert trivial_baselines.main([str(tmp_path / 'nowhere')]) == 2
    assert trivial_baselines.main([str(tmp_path), '--image-size', '0', '15']) == 2
    assert capsys.readouterr().err.count('error: ') == 2


# --- the families of the phantom


def test_dice_of_one_bone():
    true = np.zeros((20, 20), int)
    true[2:6, 2:6], true[10:14, 2:6] = 4, 2
    ours = np.zeros_like(true)
    ours[2:6, 4:8], ours[:, 16:] = 3, 1
    found = score_families.bone_dice(ours, true)
    assert found[3] == pytest.approx(2 * 8 / 32) and found[1] == found[2] == 0
    ours[6:11, 4:6] = 3  # reaches the other bone too: the larger overlap counts
    assert score_families.bone_dice(ours, true)[3] == pytest.approx(2 * 8 / (26 + 16))
    assert not score_families.bone_dice(ours, np.zeros_like(true)).any()


@pytest.fixture
def touching_bones():
    """Three thoracic bones, of which two touch, and a rib."""
    mask, instances = np.zeros((60, 40), np.uint8), np.zeros((60, 40), np.uint16)
    for number, (top, left, bottom, right, label) in enumerate(
        [(2, 4, 14, 16, 2), (14, 4, 26, 16, 2), (40, 4, 52, 16, 2), (2, 16, 14, 36, 1)], 1
    ):
        mask[top:bottom, left:right] = label
        instances[top:bottom, left:right] = number
    return PhantomCase(200 - 50 * mask, mask, instances, {})


def test_a_mask_is_split_and_joined_by_the_truth(touching_bones):
    true_mask, instances = touching_bones.mask, touching_bones.instances
    mask = np.zeros_like(true_mask)
    mask[4:27, 3:15] = 2  # over two bones, and a little beside them
    mask[41:45, 4:16] = mask[47:51, 4:16] = 2  # one bone in two pieces
    mask[40:52, 25:35] = mask[4:10, 20:30] = 2  # no bone, and one of another class
    _, components = cv2.connectedComponents(mask, connectivity=8)
    expected = np.zeros(mask.shape, int)
    for row, column in np.argwhere(mask == 2):  # slow and plain
        reached = (components == components[row, column]) & (true_mask == 2)
        distances = {
            (y - row) ** 2 + (x - column) ** 2: instances[y, x]
            for y, x in np.argwhere(reached)
        }
        expected[row, column] = distances[min(distances)] if distances else 0
    found = split_by_truth(mask, touching_bones.mask, touching_bones.instances)
    np.testing.assert_array_equal(found, expected)
    assert set(np.unique(found)) == {0, 1, 2, 3}


def test_bones_are_counted_as_told_apart_in_four_ways(touching_bones):
    case, classes = touching_bones, ('background', 'rib', 'thoracic', 'lumbar')

    def count(mask, bones):
        prediction = Prediction(mask, np.ones(mask.shape), case.image, lambda: bones)
        return score_families.count_bones(prediction, case, classes)

    found = count(case.mask, case.instances)
    assert found['F1'] == dict(rib=(1, 1, 1), thoracic=(3, 3, 3), lumbar=(0, 0, 0))
    assert found['F1_oracle'] == found['F1']
    # Two that touch are one component, in the true mask, too.
    assert found['F1_components']['thoracic'] == (1, 2, 3)
    assert found['F1_of_truth'] == found['F1_components']
    mask = case.mask.copy()
    mask[40:44] = mask[48:] = 0  # a third of a bone is left
    mask[30:36, 25:30] = 3
    found = count(mask, (mask > 0).astype(int))
    assert found['F1']['thoracic'] == (0, 1, 3) and found['F1']['lumbar'] == (0, 1, 0)
    assert found['F1_oracle']['thoracic'] == (2, 2, 3)
    assert found['F1_oracle']['lumbar'] == (0, 0, 0)
    assert found['F1_of_truth']['thoracic'] == (1, 2, 3)


@pytest.mark.parametrize('axes', [('size', 'yx'), ('width', 'x'), ('height', 'y')])
@pytest.mark.parametrize('factor', [0.88, 1.12])
def test_the_content_is_scaled_in_its_frame(axes, factor):
    name, scaled_axes = axes
    mask = np.zeros((101, 51), np.uint8)
    mask[30:71, 15:36] = 3
    mask[:, 0] = mask[0] = 1  # leaves the frame where it grows
    image, labels = CHANGES[f'{name} {factor}'](60 * mask + 60, mask)
    assert image.shape == labels.shape == mask.shape
    at = np.argwhere(labels == 3)
    for i, (axis, size) in enumerate(zip('yx', (41, 21))):
        expected = size * (factor if axis in scaled_axes else 1)
        assert np.ptp(at[:, i]) + 1 == pytest.approx(expected, abs=1)
        outside = labels.take(0, axis=i)  # the first row or column
        if axis in scaled_axes:
            assert outside.max() == 0 or factor > 1
            assert image.take(0, axis=i).max() == 0 or factor > 1
            assert (outside[5:] != 1).all()
    np.testing.assert_allclose(at.mean(axis=0), [50, 25], atol=0.51)
    assert image[50, 25] == 240 and image.min() == (0 if factor < 1 else 60)


def test_grey_levels_are_changed():
    grey = np.random.default_rng(0).integers(0, 256, (7, 5), np.uint8)
    for name, value in (
        ('gamma 0.7', lambda x: 255 * (x / 255) ** 0.7),
        ('gamma 1.4', lambda x: 255 * (x / 255) ** 1.4),
        ('gain 0.7', lambda x: 0.7 * x),
        ('gain 1.3', lambda x: min(1.3 * x, 255)),
    ):
        changed, mask = CHANGES[name](grey, grey)
        expected = [[round(value(float(x))) for x in row] for row in grey]
        assert changed.dtype == np.uint8 and changed.tolist() == expected
        assert mask is grey
    assert len(CHANGES) == 10


def test_the_ceiling_is_the_mask_where_nothing_is_random():
    known = dict(shadow_scale=(0.8, 0.8), shadow_offset=0, faint_share=0)
    for name, merged in (('standard', False), ('hard', True)):
        params = replace(find_params(name), bone_contrast=(1, 1), **known)
        params = replace(params, faint_depth=(0, 0), thoracic_merged=0.5 * merged)
        case = make_case([3, 0], params)
        assert merged == any('merged_with' in bone for bone in case.geometry['bones'])
        np.testing.assert_array_equal(draw_ceiling(case, params), case.mask)


def test_the_ceiling_knows_the_shadow_and_not_the_outline():
    params = find_params('standard')
    case = make_case([3, 0], params)
    mask, whole = draw_ceiling(case, params), draw_ceiling(case, params, faint=True)
    found = set()
    for bone in case.geometry['bones']:
        if bone['name'] == 'lumbar':
            shows, at = bone['shadow']['depth'] > 0.16, (int(bone['y']), int(bone['x']))
            assert whole[at] == 3 and mask[at] == (3 if shows else 0)
            found.add(shows)
    assert found == {True, False}
    # It is moved as its shadow is, and as large as that says.
    geometry = draw_geometry(np.random.default_rng([3, 0]), params)
    for bone, known in zip(geometry.bones, case.geometry['bones']):
        shadow = known['shadow']
        drawn = mean_outline(bone, shadow, params)
        shift = drawn.mean(axis=0) - bone.outline.mean(axis=0)
        np.testing.assert_allclose(shift, shadow['shift'], atol=1e-9)
        ratio = np.ptp(drawn, axis=0) / np.ptp(bone.outline, axis=0)
        mean = [1 if known['name'] == 'rib' else 0.85, 0.85]
        np.testing.assert_allclose(ratio, np.array(shadow['scale']) / mean)


def test_nothing_is_chosen_by_what_is_never_trained_on():
    assert list_families('test') == [*PRESETS, *HELD_OUT]
    assert set(list_families('test')) - set(list_families('val')) == {*NEVER_TRAINED}
    assert list_families('test', ['smoothed', 'easy']) == ['smoothed', 'easy']
    for part, name in (('val', 'handheld'), ('test', 'mad')):
        with pytest.raises(InputError, match=name):
            list_families(part, ['easy', name])
    with pytest.raises(InputError, match='0 cases of easy'):
        next(draw_cases('easy', 'val', 0))


def test_families_are_drawn_as_the_tool_draws_them(tmp_path):
    seed = HELD_OUT_SEEDS['test']
    write_phantom(tmp_path, 0, 1, seed, find_params('scanner'))
    ((name, case),) = draw_cases('scanner', 'test', 1)
    image = cv2.imread(str(tmp_path / 'dataset/test/phantom_test_0000.png'), -1)
    np.testing.assert_array_equal(image, case.image)
    assert name == '000'


def test_doubt_is_ranked_over_all_bones_and_by_class():
    def bone(name, dice, doubt):
        return dict(bone=name, dice=dice, doubt=doubt, confidence=-doubt, size=1, area=5)

    bones = [bone('rib', 0.9, 0.1), bone('rib', 0.5, 0.3), bone('lumbar', 0.8, 0.4)]
    found = {
        (row['class'], row['score']): row['value']
        for row in score_families.doubt_rows(bones)
    }
    assert found['', 'bones'] == 3 and found['', 'doubtful'] == 1
    assert found['', 'auroc_doubt'] == found['', 'auroc_confidence'] == 0.5
    assert found['', 'auroc_size'] == 0.5 and found['rib', 'auroc_doubt'] == 1
    assert ('lumbar', 'auroc_doubt') not in found and found['lumbar', 'doubtful'] == 0


def test_what_is_of_no_single_image():
    found = score_families.Found(
        dice=[],
        counts=dict(F1=dict(rib=np.array([3, 4, 4]), lumbar=np.zeros(3))),
        bones=[],
        steadiness={'gain 1.3': [np.array([80.0, np.nan]), np.array([90.0, 70.0])]},
        seconds=[0.1, 0.2, 0.9],
    )
    values = score_families.summary_rows(found, ('background', 'rib', 'lumbar'))
    rows = {(row.get('class', ''), row['score']): row['value'] for row in values}
    assert rows['rib', 'F1'] == 0.75 and np.isnan(rows['lumbar', 'F1'])
    assert rows['rib', 'Dice, gain 1.3'] == 85 and rows['', 'seconds'] == 0.2
    assert rows['lumbar', 'Dice, gain 1.3'] == 70


def dice_in_percent(model, image, mask):
    """Dice of each class, the background left out, by plain sums."""
    found = predict(model, image).mask
    return [
        200
        * ((found == n) & (mask == n)).sum()
        / ((found == n).sum() + (mask == n).sum())
        for n in (1, 2, 3)
    ]


@pytest.mark.slow
def test_families_are_scored(trained, tmp_path, monkeypatch, capsys):
    change = CHANGES['size 0.88']
    monkeypatch.setattr(score_families, 'CHANGES', {'size 0.88': change})
    out = tmp_path / 'rows.csv'
    words = ['--families', 'scanner', '--cases', '1', '--method', 'x', '--out', str(out)]
    assert score_families.main([DEMO, weights(trained), *words]) == 0
    printed = capsys.readouterr().out
    rows = read_rows(out)
    assert set(rows.setting) == {'scanner val'} and set(rows.method) == {'x'}
    counts = rows[rows.score == 'bones'].set_index('class')['value']
    assert counts[''] == counts.drop('').sum() > 0
    model = init_model(DEMO, weights(trained))
    ((name, case),) = draw_cases('scanner', 'val', 1)
    dice = dice_in_percent(model, case.image, case.mask)
    changed = dice_in_percent(model, *change(case.image, case.mask))
    for key, own, after in zip(('rib', 'thoracic', 'lumbar'), dice, changed):
        values = rows[rows['class'] == key].set_index(['score', 'image'])['value']
        assert values['Dice', name] == pytest.approx(own)
        assert values['Dice, size 0.88', ''] == pytest.approx(after)
    assert f'scanner: average Dice {np.mean(dice):.2f}%, F1 ' in printed
    loss = np.mean(dice) - np.mean(changed)
    assert f' s an image; size 0.88 costs most, {loss:.2f} points' in printed


@pytest.mark.slow
def test_ceilings_are_rows(tmp_path, capsys):
    out = tmp_path / 'rows.csv'
    words = ['--families', 'noise', 'hard', '--cases', '1', '--out', str(out)]
    assert ceiling.main(words) == 0
    rows = read_rows(out)
    assert set(rows.setting) == {'noise val', 'hard val'} and len(rows) == 2 * 2 * 3
    means = rows.groupby(['setting', 'method'])['value'].mean()
    assert means['hard val', 'ceiling'] < means['hard val', 'ceiling with faint bones']
    printed = capsys.readouterr().out
    assert f'noise: average Dice {means["noise val", "ceiling"]:.2f}%' in printed


# --- speed


def test_compare_times_by_hand():
    found = compare_times([2.0, 6.0, 3.0], [1.0, 2.0, 2.0])
    assert found['minimum'] == 2 and found['median'] == 3
    assert found['ratio'] == 2  # of the minima, 2 / 1
    assert found['median_ratio'] == 2  # of 2, 3 and 1.5
    assert 1.5 <= found['low'] <= 2 <= found['high'] <= 3


def test_slope():
    points = [dict(positions=n, seconds=3 * n**1.5) for n in (10, 100, 1000)]
    assert slope(points, 'seconds') == pytest.approx(1.5)


def test_growth_leaves_the_large_matrices_out():
    found = measure.growth([(8, 4), (16, 8), (32, 16)], 128, 8, 1)
    assert list(found['SEAM']) == [32, 128, 512]
    assert list(found['NonLocal']) == [32, 128]
    # memory of the non-local block: the square of the positions, twice, in float32
    assert found['NonLocal'][128]['bytes'] > 2 * 128**2 * 4


def test_parts_of_speed_are_rows(tmp_path, monkeypatch):
    cost = dict(seconds=[1.0, 1.2], peak_bytes=2**20)
    for name, found in dict(
        measure_costs=dict(FPN=dict(cost, R=1.1, flops=10)),
        training_costs=dict(FPN=cost),
        format_times=dict(inference={'as built': [3.0]}, training={'compiled': [4.0]}),
        growth=dict(SEAM={64: dict(seconds=0.1, bytes=7)}),
        data_times=dict(waiting=0.01),
        outside_of_model=dict(outside=0.05),
        scoring_times=[0.02, 0.01],
        way_back_times={'mask': [0.5]},
        write_phantom=None,
    ).items():
        monkeypatch.setattr(measure, name, lambda *_, found=found, **__: found)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    out = tmp_path / 'rows.csv'
    assert measure.main(['--out', str(out)]) == 0
    assert measure.main(['growth', '--out', str(out)]) == 0
    rows = read_rows(out)
    keys = zip(rows.setting, rows.method, rows.image, rows.score)
    found = dict(zip(keys, rows.value))
    assert found == {
        ('inference', 'FPN', 'round 0', 'seconds'): 1.0,
        ('inference', 'FPN', 'round 1', 'seconds'): 1.2,
        ('inference', 'FPN', '', 'peak_bytes'): 2**20,
        ('inference', 'FPN', '', 'flops'): 10,
        ('training', 'FPN', 'round 0', 'seconds'): 1.0,
        ('training', 'FPN', 'round 1', 'seconds'): 1.2,
        ('training', 'FPN', '', 'peak_bytes'): 2**20,
        ('training', 'FPN', '', 'batch_size'): 2,
        ('inference, formats', 'as built', 'round 0', 'seconds'): 3.0,
        ('training, formats', 'compiled', 'round 0', 'seconds'): 4.0,
        ('growth', 'SEAM', '64 positions', 'seconds'): 0.1,
        ('growth', 'SEAM', '64 positions', 'bytes'): 7,
        ('data', 'Vanilla FPN', '', 'waiting'): 0.01,
        ('way-back', 'mask', 'round 0', 'seconds'): 0.5,
        ('scoring', 'Vanilla FPN', '', 'outside'): 0.05,
        ('scoring', 'Vanilla FPN', '', 'case_seconds'): 0.01,
    }
    for wrong in (['nothing'], ['--rounds', '1'], ['--batch-size', '0']):
        with pytest.raises(SystemExit):
            measure.main([*wrong, '--out', str(out)])


@pytest.mark.slow
def test_training_takes_turns_on_real_patches(phantom):
    costs = measure.training_costs([PLAIN], str(phantom), 2, 1)
    cost = costs['Vanilla FPN']
    assert len(cost['seconds']) == 1 and min(cost['seconds']) > 0
    assert cost['peak_bytes'] > 2 * 32 * 128 * 64 * 4  # the stem's output alone


@pytest.mark.slow
def test_what_follows_the_network_is_timed(phantom):
    times = measure.way_back_times(str(phantom), 2)
    assert {len(seconds) for seconds in times.values()} == {2}
    assert min(times['logits']) < min(times['logits, by mmseg'])
    assert min(times['votes grouped'] + times['table of bones']) > 0


@pytest.mark.parametrize('name', measure.FORMATS)
def test_formats_compute_the_same(name, monkeypatch):
    # torch.compile without the minutes that a C++ compiler would take
    quick = functools.partial(torch.compile, backend='eager')
    monkeypatch.setattr(torch, 'compile', quick)
    model, batch = inference_case(DEMO)
    expected = model.test_step(batch)[0].seg_logits.data.clone()
    measure.set_format(model, name)
    torch.testing.assert_close(
        model.test_step(batch)[0].seg_logits.data, expected, rtol=1e-4, atol=1e-4
    )
    weight = model.backbone.layer1[0].conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last) == (
        name == 'channels last'
    )


@pytest.mark.slow
def test_data_and_test_loop(phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = measure.data_times(DEMO, str(phantom), 2)
    assert found['patches_per_second'] > 0 and 0 <= found['waiting'] < 1
    share = measure.outside_of_model(DEMO, str(phantom))
    assert share['images'] == 2 and 0 < share['outside'] < 1
    assert share['model_seconds'] < share['seconds']


@pytest.mark.slow
def test_memory_of_rising_batches(tmp_path, capsys):
    out = tmp_path / 'rows.csv'
    words = ['--out', str(out), '--batch-sizes']
    assert train_memory.main([DEMO, *words, '1', '2']) == 0
    assert capsys.readouterr().out.startswith('batch   1: ')
    rows = read_rows(out)
    assert list(rows.image) == ['batch 1', 'batch 2']
    assert 0 <= rows.value[0] <= rows.value[1]
    assert train_memory.main([DEMO, *words, '2', '1']) == 2


# --- what is inside the heads, and the figures of the paper


@pytest.mark.slow
@pytest.mark.parametrize(
    'name, keys',
    [
        (PLAIN, set()),
        (DEMO, {'largest_weight', 'query_gradient', 'gradient_ratio'}),
        (DANET, {'added', 'added_pam', 'added_cam', 'gamma_pam', 'gamma_cam'}),
        (EMANET, {'added', 'bases_cosine', 'bases_cosine_max'}),
    ],
)
def test_probe_finds_what_the_head_has(name, keys, phantom, trained):
    cfg = load_config(name, None, str(phantom))
    found = probe.probe(cfg, weights(trained, name), patches=2)
    assert set(found) == keys
    if 'gamma_pam' in keys:  # untrained, the attention is the identity
        assert found['gamma_pam'] == found['added'] == 0
    if 'largest_weight' in keys:
        assert 0.25 <= found['largest_weight'] <= 1 and found['gradient_ratio'] > 0
    if 'bases_cosine' in keys:  # random directions
        assert found['bases_cosine'] < found['bases_cosine_max'] < 0.9


@pytest.mark.slow
def test_the_query_against_the_key():
    """Written out, Eq. 2 to 5; and nothing reaches a query whose softmax is saturated."""
    torch.manual_seed(0)
    init_default_scope('mmseg')
    cfg = load_config(DEMO)
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model).eval()
    label = torch.randint(0, 4, (2, 64, 32))
    samples = [SegDataSample(gt_sem_seg=PixelData(data=one[None])) for one in label]
    batch = dict(inputs=torch.randn(2, 3, 64, 32), data_samples=samples)
    head, seam = model.decode_head, model.decode_head.seam
    v = head.merge(model.extract_feat(batch['inputs'])).detach()
    q, k = (part(v).detach().requires_grad_() for part in (seam.phi, seam.varphi))
    k_prime = k.softmax(1)
    shares = k_prime.flatten(2) / k_prime.flatten(2).sum(2, keepdim=True)
    a_prime = (q.flatten(2) @ shares.mT).softmax(2)
    z_prime = seam.theta((a_prime @ k_prime.flatten(2)).view_as(q))
    logits = head.cls_seg(seam.rho(torch.cat([z_prime, v], 1)))
    logits = F.interpolate(logits, (64, 32), mode='bilinear', align_corners=False)
    at_query, at_key = torch.autograd.grad(F.cross_entropy(logits, label), [q, k])
    expected = (at_query.norm() / at_key.norm()).item()
    assert probe.query_gradient(model, batch) == pytest.approx(expected, rel=1e-4)
    with torch.no_grad():
        seam.phi.weight *= 1e9
    assert probe.query_gradient(model, batch) == 0


def test_collapsed_bases_point_the_same_way():
    """The cosines between the bases, one pair after the other."""
    bases = torch.randn(1, 6, 5, dtype=torch.double)
    columns = bases[0].T.tolist()
    cosines = [
        sum(a * b for a, b in zip(columns[i], columns[j]))
        / np.sqrt(sum(a * a for a in columns[i]) * sum(b * b for b in columns[j]))
        for i in range(5)
        for j in range(5)
        if i != j
    ]
    mean, largest = probe.bases_cosine(bases)
    assert mean == pytest.approx(np.mean(cosines)) and mean < 0.5
    assert largest == pytest.approx(max(cosines))
    mean, largest = probe.bases_cosine(bases[:, :, :1] * torch.arange(1.0, 6.0))
    assert mean == pytest.approx(1) and largest == pytest.approx(1)


@pytest.mark.slow
def test_probes_join_the_rows_of_a_run(phantom, trained, tmp_path, capsys):
    out = tmp_path / 'rows.csv'
    dice = [dict(score='Dice', value=5.0, image='x')]
    method = method_name(DEMO)
    records.append_rows(out, records.make_rows(dice, 'table1', 'hard', method))
    words = ['--data-root', str(phantom.parent / 'phantom'), '--work-dir', str(trained)]
    words += ['--rows', str(out), '--study', 'table1', '--setting', 'hard', '--seeds']
    assert probe.main([DEMO, *words, '0']) == 0
    assert list(read_rows(out).score) == [
        'Dice',
        'probe.largest_weight',
        'probe.query_gradient',
        'probe.gradient_ratio',
    ]
    assert probe.main([DEMO, *words, '5']) == 2
    assert 'seed5: no checkpoint' in capsys.readouterr().err


def test_centers_against_loops(trained, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (512, 128)).astype(np.uint8)
    mask = np.zeros_like(image)
    mask[40:80, 20:50] = 2
    mask[40:80, 80:110] = 2
    mask[300:360, 30:100] = 3
    for name, pixels in (('image', image), ('mask', mask)):
        cv2.imwrite(str(tmp_path / f'{name}.png'), pixels)
    model = init_model(DEMO, weights(trained), 'cpu')
    keys = draw_keys.read_keys(model, tmp_path / 'image.png', tmp_path / 'mask.png')
    assert keys.k_prime.shape == (4, 128, 32)
    assert sorted(keys.classes) == [2, 2, 3]
    boxes = {2: [(40, 80, 20, 50), (40, 80, 80, 110)], 3: [(300, 360, 30, 100)]}
    rows, cols = np.mgrid[:128, :32]

    def distance(box):
        top, bottom, left, right = np.array(box) // 4
        down = np.maximum(np.maximum(top - rows, rows - (bottom - 1)), 0)
        across = np.maximum(np.maximum(left - cols, cols - (right - 1)), 0)
        return np.hypot(down, across)

    for label, center, estimate in zip(keys.classes, keys.centers, keys.estimates):
        middles = [
            ((top + bottom) / 2 / 512, (left + right) / 2 / 128)
            for top, bottom, left, right in boxes[label]
        ]
        mine = min(range(len(middles)), key=lambda i: abs(middles[i][1] - center[1]))
        assert center == pytest.approx(middles[mine], abs=1e-2)
        distances = [distance(box) for box in boxes[label]]
        weight = keys.k_prime[label] * (distances[mine] == np.min(distances, axis=0))
        moment = [(weight * (rows + 0.5) / 128).sum(), (weight * (cols + 0.5) / 32).sum()]
        # ties along the middle between two bones go to either
        assert estimate == pytest.approx(np.array(moment) / weight.sum(), abs=0.01)


def test_draws_keys(phantom, trained, tmp_path, capsys):
    name = (phantom / 'test.txt').read_text().split()[0]
    image = str(phantom / f'dataset/test/{name}.png')
    mask = str(phantom / f'groundtruth/test/{name}_bone_3.png')
    out = str(tmp_path / 'keys.png')

    def draw(config, truth=mask):
        own = ['--config', config, '--checkpoint', weights(trained, config)]
        return draw_keys.main([image, truth, out, *own])

    assert draw(DANET) == 2  # it has a forward_train, too
    assert 'has no key' in capsys.readouterr().err
    assert draw(DEMO) == 0
    picture = cv2.imread(out)
    assert picture.shape[0] > 700 and picture.std() > 30
    assert draw(DEMO, str(tmp_path / 'none.png')) == 2
    assert 'none.png' in capsys.readouterr().err


# --- shared_machine


def test_settings_take_turns_beside_jobs(tmp_path, monkeypatch):
    """Rows of all settings and jobs; no process is left, whatever happens."""
    order, started = [], []

    def start(data_root, **setting):
        code = 'import sys\nfor _ in sys.stdin: print(0.5, flush=True)'
        started.append(
            subprocess.Popen(
                [sys.executable, '-c', code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    def take(process):
        order.append(started.index(process))
        return plain(process)

    plain = sharing.take_step
    monkeypatch.setattr(sharing, 'start_steps', start)
    monkeypatch.setattr(sharing, 'take_step', take)
    monkeypatch.setattr(sharing, 'write_phantom', lambda *_, **__: None)
    out = tmp_path / 'rows.csv'
    assert sharing.main(['--rounds', '2', '--out', str(out)]) == 0
    settings = len(sharing.SETTINGS)
    assert order == list(range(settings)) * 2 * len(sharing.JOBS)
    rows = read_rows(out)
    assert (rows['value'] == 0.5).all()
    assert (rows.groupby(['setting', 'method']).size() == 2).all()
    assert list(rows['setting'].unique()) == list(sharing.JOBS)
    # five, and the training beside which they were taken
    assert [process.poll() is not None for process in started] == [True] * (settings + 1)


# --- what is trained


def test_labelled_cases_are_nested_and_leave_the_rest(tmp_path):
    phantom = tmp_path / 'phantom'
    for name in ('dataset', 'groundtruth'):
        (phantom / name).mkdir(parents=True)
    names = [f'case{i}' for i in range(40)]
    (phantom / 'train.txt').write_text('\n'.join(names))
    for name in ('test.txt', 'phantom.json'):
        (phantom / name).touch()
    drawn = []
    for seed in (0, 1):
        root = tmp_path / f'seed{seed}'
        for _ in range(2):  # once more changes nothing
            write_splits(phantom, root, seed)
        parts = {
            part: (root / f'{part}.txt').read_text().split()
            for part in ('val', *(f'labelled-{count}' for count in LABELLED))
        }
        sets = [set(parts[f'labelled-{count}']) for count in LABELLED]
        assert [len(part) for part in sets] == list(LABELLED)
        assert all(few < more for few, more in zip(sets, sets[1:]))
        assert set(parts['val']) == set(names) - sets[-1]
        assert (root / 'dataset').resolve() == phantom / 'dataset'
        drawn.append(sets[2])
    assert drawn[0] != drawn[1]


@pytest.mark.slow
def test_configs_say_what_their_names_say():
    tuning = STUDIES / 'fine_tuning/configs'
    cases = sorted(tuning.glob('*.py'))
    rates, iterations = (
        sorted((tuning / name).glob('*.py')) for name in ('rates', 'iterations')
    )
    choices = sorted((STUDIES / 'open_choices/configs').glob('*.py'))
    counts = [len(paths) for paths in (cases, rates, iterations, choices)]
    assert counts == [6, 8, 6, 7]
    for path in (*cases, *rates, *iterations):
        cfg = get_config(str(path))
        assert cfg.get('method_name', path.stem) == path.stem
        _, *tried, count = path.stem.replace('e-', 'e~').split('-')
        if count == '0':
            assert cfg.train_cfg is None and cfg.load_from == 'seam_seg://ready'
            continue
        rate = cfg.optim_wrapper.optimizer.lr
        length = min(20 * int(count), 200)
        if path in rates:
            assert rate == float(tried[0].replace('~', '-'))
        elif path in iterations:
            length = int(tried[0])
        assert cfg.train_cfg.max_iters == length
        (scheduler,) = cfg.param_scheduler
        assert scheduler.eta_min == pytest.approx(rate / 100)
        assert cfg.train_dataloader.dataset.split == 'trainval'
        assert cfg.val_dataloader is None
        assert cfg.load_from == 'seam_seg://ready'
        files = cfg.train_dataloader.dataset.split_files
        assert files.train == f'labelled-{count}.txt'
    reference = get_config(str(STUDIES / 'open_choices/configs/reference.py'))
    for path in choices:  # one thing differs, and it is the head
        cfg = get_config(str(path))
        assert cfg.method_name == path.stem
        assert cfg.train_cfg.max_iters == 450
        cfg.model.decode_head = reference.model.decode_head
        cfg.method_name = reference.method_name
        assert cfg.to_dict() == reference.to_dict()
