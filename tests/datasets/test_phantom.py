"""The phantom: deterministic, on contract, within the published figures, learnable."""

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from stacks import UPSTREAM

from seam_seg.datasets import phantom
from seam_seg.datasets.phantom import (
    HELD_OUT,
    NEVER_TRAINED,
    PRESETS,
    PhantomParams,
    draw_geometry,
    families,
    find_params,
    looks,
    make_case,
    preset_name,
    shadows,
    write_phantom,
)
from seam_seg.datasets.phantom.anatomy import LAST_PAIR
from seam_seg.datasets.phantom.draws import cubic, draw_field, draw_line
from seam_seg.datasets.phantom.params import MODELS, TRAINED_MODELS
from seam_seg.datasets.phantom.rendering import draw_instances, draw_mask
from seam_seg.errors import InputError

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'make_phantom.py'
NUM_CASES = 8
STANDARD = PRESETS['standard']
REALISTIC = PRESETS['realistic']
NAMES = [*PRESETS, *HELD_OUT]
REGISTRIES = dict(
    curve_model=families.CURVE_MODELS,
    rib_model=families.RIB_MODELS,
    lumbar_model=families.LUMBAR_MODELS,
    shadow_model=shadows.SHADOW_MODELS,
    texture_model=looks.TEXTURE_MODELS,
    noise_model=looks.NOISE_MODELS,
)
LABELS = {'rib': 1, 'thoracic': 2, 'lumbar': 3}


@pytest.fixture(scope='module')
def cases():
    return [make_case([2024, i]) for i in range(NUM_CASES)]


@pytest.fixture(scope='module')
def geometries():
    return [draw_geometry(np.random.default_rng([5, i])).to_dict() for i in range(100)]


@pytest.fixture
def main(tool):
    return tool('make_phantom')


def read_all(root):
    """Maps the relative path of every file below root to its bytes."""
    files = (path for path in sorted(root.rglob('*')) if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def read_png(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def draw(seed, **changes):
    """Draws a geometry of the preset `standard` with some parameters changed."""
    return draw_geometry(np.random.default_rng(seed), replace(STANDARD, **changes))


def dice(a, b):
    return 2 * np.sum(a & b) / (np.sum(a) + np.sum(b))


# -------------------------------------------------------------------- make_case


@pytest.mark.slow
def test_same_seed_same_bytes(cases):
    again = make_case([2024, 3])
    assert again.image.tobytes() == cases[3].image.tobytes()
    assert again.mask.tobytes() == cases[3].mask.tobytes()
    assert again.geometry == cases[3].geometry
    assert again.geometry['seed'] == [2024, 3]


@pytest.mark.slow
def test_different_seeds_differ(cases):
    assert len({case.image.tobytes() for case in cases}) == NUM_CASES
    assert len({case.mask.tobytes() for case in cases}) == NUM_CASES


def test_a_single_number_is_a_seed():
    assert make_case(4).image.tobytes() == make_case([4]).image.tobytes()


def test_arrays(cases):
    for case in cases:
        assert case.image.dtype == case.mask.dtype == np.uint8
        assert case.image.shape == case.mask.shape
        assert set(np.unique(case.mask)) == {0, 1, 2, 3}
        size = case.geometry['image_size']
        assert (size['height'], size['width']) == case.image.shape
        assert json.loads(json.dumps(case.geometry)) == case.geometry


def test_sizes_vary_around_the_real_one(cases):
    shapes = np.array([case.image.shape for case in cases])
    assert len(set(map(tuple, shapes))) > NUM_CASES / 2
    assert np.all(np.abs(shapes / [2574, 640] - 1) < 0.07)


def test_class_shares(cases):
    # Published: 78 / 6 / 7 / 9 %. The tolerance is our acceptance, in points.
    shares = np.mean(
        [np.bincount(case.mask.ravel(), minlength=4) for case in cases], axis=0
    )
    shares = 100 * shares / shares.sum()
    assert np.all(np.abs(shares - [78, 6, 7, 9]) < [3, 2, 2, 2])


def test_grey_statistics(cases):
    means = [case.image.mean() for case in cases]
    stds = [case.image.std() for case in cases]
    # Published: mean 74 to 76, standard deviation 84 to 85 over the whole frame.
    assert 68 < np.mean(means) < 82
    assert 76 < np.mean(stds) < 92
    assert min(means) > 55 and max(means) < 95


def test_exterior_is_black_and_the_body_covers_its_share(cases):
    covered = np.mean([np.mean(case.image > 8) for case in cases])
    assert 0.53 < covered < 0.61  # published: about 57%
    for case in cases:
        border = [case.image[:10], case.image[-10:], case.image[:, :3]]
        assert max(part.max() for part in border) == 0


def test_rows_differ_more_than_columns(cases):
    differences = []
    for case in cases:
        image = case.image.astype(float)
        inside = cv2.morphologyEx(case.image, cv2.MORPH_CLOSE, np.ones((9, 9))) > 8
        inside = cv2.erode(inside.astype(np.uint8), np.ones((11, 11))) > 0
        rows = np.abs(np.diff(image, axis=0))[inside[1:] & inside[:-1]].mean()
        cols = np.abs(np.diff(image, axis=1))[inside[:, 1:] & inside[:, :-1]].mean()
        assert rows > 1.7 * cols
        differences.append([rows, cols])
    # Published: about 10 against 4 grey levels.
    assert np.all(np.abs(np.mean(differences, 0) - [10, 4]) < [2.5, 1])


def test_brightest_at_mid_thoracic_levels_and_darkest_at_the_lumbar_end(cases):
    def mean_of(case, low, high):
        rows = np.flatnonzero((case.image > 8).any(1))
        part = case.image[slice(*np.quantile(rows, [low, high]).astype(int))]
        return part[part > 8].mean()

    top = np.mean([mean_of(case, 0, 0.08) for case in cases])
    middle = np.mean([mean_of(case, 0.3, 0.5) for case in cases])
    end = np.mean([mean_of(case, 0.92, 1) for case in cases])
    assert middle > 1.4 * top and top > 1.4 * end


def test_grey_level_alone_does_not_find_the_bones(cases):
    image = np.concatenate([case.image[::3, ::3].ravel() for case in cases])
    mask = np.concatenate([case.mask[::3, ::3].ravel() for case in cases])
    inside = image > 8
    image, mask = image[inside], mask[inside]
    for label in (1, 2, 3):
        levels = np.bincount(image[mask == label], minlength=256)
        chance = levels / np.maximum(np.bincount(image, minlength=256), 1)
        best = max(
            dice(chance[image] > t, mask == label) for t in np.linspace(0, 0.6, 13)
        )
        assert best < 0.6


def test_bones_are_darker_than_the_tissue_beside_them(cases):
    # Beside: within 20 px of the class, not a bone, not the exterior.
    reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (41, 41))
    for label, least in ((1, 25), (2, 15), (3, 25)):
        darker = []
        for case in cases:
            near = cv2.dilate((case.mask == label).astype(np.uint8), reach) > 0
            beside = case.image[near & (case.mask == 0) & (case.image > 8)]
            bone = case.image[(case.mask == label) & (case.image > 8)]
            darker.append(float(beside.mean()) - float(bone.mean()))
        assert np.mean(darker) > least, f'class {label}: {np.round(darker)}'


def test_the_mean_mask_does_not_find_the_bones(cases):
    masks = np.array(
        [
            cv2.resize(case.mask, (128, 512), interpolation=cv2.INTER_NEAREST)
            for case in cases
        ]
    )
    for label, limit in ((1, 0.55), (2, 0.6), (3, 0.8)):
        scores = []
        for i in range(NUM_CASES):
            mean = (np.delete(masks, i, axis=0) == label).mean(0)
            scores.append(dice(mean > 0.3, masks[i] == label))
        assert np.mean(scores) < limit


# --------------------------------------------------------------------- geometry


@pytest.mark.slow
def test_levels_are_counted_and_spaced_as_published(geometries):
    for geometry in geometries:
        names = [vertebra['level'] for vertebra in geometry['vertebrae']]
        thoracic = [name for name in names if name[0] == 'T']
        lumbar = [name for name in names if name[0] == 'L']
        assert names == thoracic + lumbar
        assert thoracic in (
            [f'T{i}' for i in range(1, 13)],
            [f'T{i}' for i in range(2, 13)],
        )
        assert lumbar in ([f'L{i}' for i in range(1, 6)], [f'L{i}' for i in range(1, 7)])
        gaps = np.diff([vertebra['y'] for vertebra in geometry['vertebrae']])
        assert gaps.min() > 84.9 and gaps.max() < 180.1
    upper = [g['vertebrae'][1]['y'] - g['vertebrae'][0]['y'] for g in geometries]
    lower = [g['vertebrae'][9]['y'] - g['vertebrae'][8]['y'] for g in geometries]
    assert np.mean(lower) > 1.2 * np.mean(upper)


@pytest.mark.slow
def test_curve_angles_cover_the_range(geometries):
    angles = [geometry['largest_curve_angle_deg'] for geometry in geometries]
    assert min(angles) < 2 and max(angles) > 43
    assert max(angles) < 45.1
    assert min(np.histogram(angles, 9, (0, 45.1))[0]) >= 4
    assert {g['curve_type'] for g in geometries} == set(phantom.CURVE_TYPES)


def test_largest_curve_angle_is_over_all_pairs(geometries):
    for geometry in geometries[:40]:
        tilts = [vertebra['tilt_deg'] for vertebra in geometry['vertebrae']]
        largest = 0
        for one in tilts:
            for other in tilts:
                largest = max(largest, one - other)
        assert geometry['largest_curve_angle_deg'] == pytest.approx(largest, abs=0.01)


def slow_tilt(line, y):
    """The center line's angle to the vertical at y, by finite differences."""

    def x_at(at):
        for (x0, y0), (x1, y1) in zip(line, line[1:]):
            if y0 <= at <= y1:
                return x0 + (x1 - x0) * (at - y0) / (y1 - y0)
        raise AssertionError(f'no center line at y = {at}')

    return x_at(y), np.degrees(np.arctan2(x_at(y + 8) - x_at(y - 8), 16))


def test_tilt_is_the_center_lines_normal(geometries):
    for geometry in geometries[:40]:
        for vertebra in geometry['vertebrae']:
            x, tilt = slow_tilt(geometry['center_line'], vertebra['y'])
            assert vertebra['x'] == pytest.approx(x, abs=0.1)
            assert vertebra['tilt_deg'] == pytest.approx(tilt, abs=0.15)


def test_pairs_lie_across_the_center_line(geometries):
    curved = [g for g in geometries if g['largest_curve_angle_deg'] > 30]
    off = []
    for geometry in curved:
        for vertebra in geometry['vertebrae']:
            pair = {
                bone['side']: np.array([bone['x'], bone['y']])
                for bone in geometry['bones']
                if bone['level'] == vertebra['level'] and bone['name'] == 'thoracic'
            }
            if vertebra['level'][0] == 'L':
                assert pair == {}
                continue
            across = pair['right'] - pair['left']
            assert 160 < np.hypot(*across) < 275  # published 184 to 250, and jitter
            # A positive tilt raises the right end: y shrinks.
            angle = np.degrees(np.arctan2(-across[1], across[0]))
            off.append(angle - vertebra['tilt_deg'])
    assert len(curved) > 15
    assert np.mean(np.abs(off)) < 2.5  # about 8 if the tilt were ignored
    assert abs(np.mean(off)) < 0.5


def test_mask_has_each_bone_where_the_geometry_says(cases):
    found = {name: [] for name in LABELS}
    for case in cases:
        at = {v['level']: (v['x'], v['y']) for v in case.geometry['vertebrae']}
        for bone in case.geometry['bones']:
            x, y = int(round(bone['x'])), int(round(bone['y']))
            inside = 0 <= x < case.mask.shape[1] and 0 <= y < case.mask.shape[0]
            found[bone['name']].append(inside and case.mask[y, x] == LABELS[bone['name']])
            distance = np.hypot(
                bone['x'] - at[bone['level']][0], bone['y'] - at[bone['level']][1]
            )
            reach = {'rib': (110, 300), 'thoracic': (60, 170), 'lumbar': (0, 1)}
            low, high = reach[bone['name']]
            assert low <= distance <= high
    assert np.mean(found['lumbar']) == 1
    assert np.mean(found['thoracic']) > 0.97  # a few are cut by the body's edge
    assert np.mean(found['rib']) > 0.85  # a few lie under the next ellipse


def keys_kernel(x):
    """Of cubic interpolation, with OpenCV's parameter."""
    a, x = -0.75, abs(x)
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0


def test_cubic_by_hand():
    values, at = [1.0, -2.0, 3.0, 0.5, 4.0], np.array([1, 1.25, 1.999, 2.5, 3.75])
    for place, found in zip(at, cubic(5, at) @ np.array(values)):
        terms = [values[min(i, 4)] * keys_kernel(place - i) for i in range(6)]
        assert found == pytest.approx(sum(terms), abs=1e-6)


def test_lines_are_smooth_with_every_opencv(monkeypatch):
    """OpenCV 4 would draw steps of 1/32 of a cell."""
    line = draw_line(np.random.default_rng(1), 2000, 400)
    assert np.abs(np.diff(line, 2)).max() < 1e-3
    fields = [draw_field(np.random.default_rng(2), (90, 70), (7, 5.5))]
    monkeypatch.setattr(cv2, '__version__', '4.10.0')
    fields += [draw_field(np.random.default_rng(2), (90, 70), (7, 5.5))]
    np.testing.assert_allclose(*fields, atol=1e-3)


# ------------------------------------------------------------ presets and families

# SHA-256 of mask and geometry of make_case([2024, i]), and the image's mean and standard
# deviation (its last bits may differ from CPU to CPU). They guard the published figures,
# which are of this preset: nothing that is added may change it. Drawn with numpy 2.4.6
# and OpenCV 5.0.0; where only other versions fail this test, they are the reason.
STANDARD_CASES = [
    ('8a209c671341b7af', '7d211b752813d39b', 79.8995, 86.2337),
    ('9bf4695c9e5519e1', '355b37e1862ae77d', 80.7526, 89.3141),
    ('8e776f3cdb3d0d2d', '29089778c80e2eb2', 76.1245, 84.5738),
    ('4a4b45f45fc197cb', '6b699c4855b65d24', 79.6389, 87.5965),
]


# The same of make_case([31, 0]) of every preset and family that had been published
# before there was a `realistic`: what is added later leaves them alone.
OTHER_CASES = dict(
    easy=('98c374e59e79ebe5', '7d4bd33a3ed4cf33', 70.5832, 79.924),
    standard=('6294bda263ab037d', '4d651686a1462868', 74.1218, 82.7009),
    hard=('b2c0272c8bf186be', '66938a1ee179e90e', 102.1047, 102.5813),
    noise=('6294bda263ab037d', '4d651686a1462868', 72.4823, 81.9974),
    texture=('6294bda263ab037d', '4d651686a1462868', 75.1547, 82.1479),
    curve=('713447440e4bd0a8', '1cdc565261ccd08a', 76.79, 83.5479),
    lumbar=('dcd4240b05f1bcfa', '4d651686a1462868', 86.1383, 90.7381),
    scanner=('48e991460096caa4', '1cdc565261ccd08a', 75.2851, 82.4335),
)


def without_shadows(geometry):
    """What a geometry file held when bones had neither id nor shadow."""
    bones = [
        {key: value for key, value in bone.items() if key not in ('id', 'shadow')}
        for bone in geometry['bones']
    ]
    return dict(geometry, bones=bones)


def assert_digests(case, expected):
    if UPSTREAM:
        pytest.skip('upstream stack: OpenCV 4 draws other bits')
    mask, geometry, mean, std = expected
    text = json.dumps(without_shadows(case.geometry)).encode()
    assert hashlib.sha256(case.mask.tobytes()).hexdigest()[:16] == mask
    assert hashlib.sha256(text).hexdigest()[:16] == geometry
    assert case.image.mean() == pytest.approx(mean, abs=0.01)
    assert case.image.std() == pytest.approx(std, abs=0.01)


def test_standard_is_as_it_was(cases):
    for case, expected in zip(cases, STANDARD_CASES):
        assert_digests(case, expected)
    assert STANDARD == PhantomParams()


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_every_preset_and_family_draws_valid_cases(name):
    params = find_params(name)
    case = make_case([31, 0], params)
    again = make_case([31, 0], params)
    assert again.image.tobytes() == case.image.tobytes()
    assert again.mask.tobytes() == case.mask.tobytes()
    assert again.geometry == case.geometry
    assert again.instances.tobytes() == case.instances.tobytes()
    assert case.image.shape == case.mask.shape
    assert set(np.unique(case.mask)) == {0, 1, 2, 3}
    assert 30 < case.image.mean() < 120 and 50 < case.image.std() < 110
    assert case.image[case.mask > 0].mean() > 10  # the bones lie in the body
    assert json.loads(json.dumps(case.geometry)) == case.geometry
    assert preset_name(params) == name
    assert_bones_one_by_one(case)
    if name in OTHER_CASES:
        assert_digests(case, OTHER_CASES[name])


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_every_preset_and_family_keeps_the_anatomy(name):
    params = find_params(name)
    for i in range(20):
        geometry = draw_geometry(np.random.default_rng([6, i]), params)
        body = geometry.body
        for vertebra in geometry.vertebrae:
            row = int(vertebra['y'])
            assert body.top < row < body.bottom
            assert body.left[row] + 40 < vertebra['x'] < body.right[row] - 40
        levels = [vertebra['level'] for vertebra in geometry.vertebrae]
        found = [(bone.label, bone.level, bone.side) for bone in geometry.bones]
        assert {level for _, level, _ in found} <= set(levels)
        assert len(found) == len(set(found))
        assert 0 <= geometry.largest_curve_angle_deg < 45.1
        types, _ = families.CURVE_MODELS[params.curve_model]
        assert geometry.curve_type in types


def changes(name):
    """The fields of a preset or family that differ from `standard`."""
    standard = asdict(STANDARD)
    found = asdict(find_params(name)).items()
    return {field for field, value in found if value != standard[field]}


def test_presets_of_one_change_are_named_after_it_and_scanner_has_them_all():
    extent = {name: changes(name) for name in ('noise', 'texture', 'curve', 'lumbar')}
    assert set(extent) < set(PRESETS) and set(HELD_OUT) == {'scanner', *NEVER_TRAINED}
    for name, changed in extent.items():
        assert changed - {'curve_angle'} == {f'{name}_model'}
    assert changes('scanner') == set.union(*extent.values())
    for name, changed in extent.items():
        for field in changed:
            own = getattr(PRESETS[name], field)
            assert getattr(HELD_OUT['scanner'], field) == own != getattr(STANDARD, field)


def test_families_never_trained_share_no_held_out_model_with_any_other():
    assert set(NEVER_TRAINED) < set(HELD_OUT) and not set(NEVER_TRAINED) & set(PRESETS)
    for name in NEVER_TRAINED:
        own = HELD_OUT[name]
        others = [find_params(other) for other in NAMES if other != name]
        unique = {
            field
            for field in MODELS
            if all(getattr(own, field) != getattr(other, field) for other in others)
        }
        # All of its looks and, of the anatomy, its lumps and one thing more.
        assert unique > {'shadow_model', 'texture_model', 'noise_model', 'lumbar_model'}


@pytest.mark.parametrize('name', ['noise', 'texture'])
def test_presets_of_appearance_have_the_masks_of_standard(cases, name):
    case = make_case([2024, 1], PRESETS[name])
    np.testing.assert_array_equal(case.mask, cases[1].mask)
    assert without_shadows(case.geometry) == without_shadows(cases[1].geometry)
    assert np.mean(case.image != cases[1].image) > 0.3


@pytest.mark.slow
def test_training_presets_never_use_a_held_out_model(monkeypatch):
    def fail(*args):
        raise AssertionError('a held-out model was used')

    used = {field: set() for field in MODELS}
    for field, registry in REGISTRIES.items():
        assert tuple(registry) == MODELS[field]
        assert set(TRAINED_MODELS[field]) < set(registry)
        for params in PRESETS.values():
            used[field].add(getattr(params, field))
        for name in set(registry) - set(TRAINED_MODELS[field]):
            entry = (registry[name][0], fail) if field == 'curve_model' else fail
            monkeypatch.setitem(registry, name, entry)
    assert used == {field: set(names) for field, names in TRAINED_MODELS.items()}
    for params in PRESETS.values():
        make_case([8, 1], params)
    for name in NEVER_TRAINED:
        with pytest.raises(AssertionError, match='held-out'):
            make_case([8, 1], HELD_OUT[name])
    # What is held out of `scanner` is the combination: each model is in a preset alone.
    for field, models in TRAINED_MODELS.items():
        assert getattr(HELD_OUT['scanner'], field) in models
    assert changes('scanner') not in [changes(name) for name in PRESETS]


def test_unknown_names_are_refused():
    with pytest.raises(
        ValueError, match="'mad'.*easy, standard, hard, realistic, noise.*out.*scanner"
    ):
        find_params('mad')
    with pytest.raises(ValueError, match="noise_model.*lines, sweeps.*'white'"):
        PhantomParams(noise_model='white')
    with pytest.raises(ValueError, match='rib_missing.*1.5'):
        PhantomParams(rib_missing=1.5)
    assert preset_name(replace(STANDARD, rib_missing=0.05)) is None


# ------------------------------------------------- cropping, missing and merged bones


@pytest.mark.parametrize('end', ['top', 'bottom'])
def test_cropping_takes_levels_from_one_end(end):
    changes = {f'crop_{end}_chance': 1, f'crop_{end}': (0.15, 0.25)}
    for seed in range(12):
        whole, part = draw(seed), draw(seed, **changes)
        length = whole.body.bottom - whole.body.top
        lost = length - (part.body.bottom - part.body.top)
        assert 0.149 < lost / length < 0.251
        assert whole.height - part.height == pytest.approx(lost, abs=1)
        assert len(part.center_x) == len(part.body.left) == part.height
        # What is left is the whole, moved up, and nothing else is listed.
        levels = [vertebra['level'] for vertebra in part.vertebrae]
        names = [vertebra['level'] for vertebra in whole.vertebrae]
        up = whole.height - part.height if end == 'top' else 0
        kept = names[-len(levels) :] if end == 'top' else names[: len(levels)]
        assert levels == kept and len(levels) < len(names)
        at = {vertebra['level']: vertebra for vertebra in whole.vertebrae}
        for vertebra in part.vertebrae:
            before = at[vertebra['level']]
            assert vertebra['y'] == pytest.approx(before['y'] - up, abs=1.01)
            assert vertebra['tilt_deg'] == before['tilt_deg']
            row = int(vertebra['y'])
            assert part.center_x[row] == pytest.approx(vertebra['x'], abs=1)


def test_cropped_bones_are_marked_and_in_the_mask():
    marked = 0
    for seed in range(12):
        part = draw(seed, crop_top_chance=1, crop_bottom_chance=1)
        mask = draw_mask(part)
        assert mask.shape == (part.height, part.width)
        for bone in part.bones:
            inside = part.body.top < bone.outline[:, 1].min()
            inside = inside and bone.outline[:, 1].max() < part.body.bottom
            assert bone.cut != inside
            assert bone.to_dict().get('cut', False) is bone.cut
            marked += bone.cut
            if bone.label == phantom.LUMBAR:
                assert mask[int(bone.center[1]), int(bone.center[0])] == bone.label
    assert marked > 5


@pytest.mark.slow
def test_missing_bones_come_at_their_rate():
    def count(**changes):
        drawn = [draw(seed, **changes) for seed in range(30)]
        labels = [bone.label for geometry in drawn for bone in geometry.bones]
        return np.bincount(labels, minlength=4)[1:]

    whole = count(rib_missing=0)
    ribs, ellipses, lumps = count(rib_missing=0, thoracic_missing=0.2) / whole
    assert ellipses == pytest.approx(0.8, abs=0.05)
    assert ribs == pytest.approx(0.8, abs=0.05)
    assert lumps == pytest.approx(1, abs=0.03)
    ribs, ellipses, _ = count(rib_missing=0.3) / whole
    assert ribs == pytest.approx(0.7, abs=0.05) and ellipses == 1


def test_merged_bones_come_at_their_rate_in_one_piece_and_marked():
    chances = dict(rib_merged=0.1, thoracic_merged=0.1, lumbar_merged=0.1)
    merged, bones, joined = np.zeros(4), np.zeros(4), []
    for seed in range(40):
        geometry = draw(seed, **chances)
        index = {(b.label, b.side, b.level): b for b in geometry.bones}
        for bone in geometry.bones:
            bones[bone.label] += 1
            assert bone.to_dict().get('merged_with', '') == bone.merged_with
            if bone.merged_with:
                other = index[bone.label, bone.side, bone.merged_with]
                assert other.merged_with == bone.level
        for bridge in geometry.bridges:
            merged[bridge.label] += 1
        assert len(geometry.to_dict()['bones']) == len(geometry.bones)
        if seed < 8:
            mask = draw_mask(geometry)
            for bridge in geometry.bridges:
                if bridge.label != phantom.RIB:
                    _, pieces = cv2.connectedComponents(
                        (mask == bridge.label).astype(np.uint8)
                    )
                    one = index[bridge.label, bridge.side, bridge.level]
                    pair = one, index[one.label, one.side, one.merged_with]
                    x, y = np.array([b.center for b in pair]).astype(int).T
                    joined.append(pieces[y[0], x[0]] == pieces[y[1], x[1]] > 0)
    # About 0.1 of the neighbours, less the third of a row.
    rate = merged[1:] / bones[1:]
    assert np.all((0.05 < rate) & (rate < 0.12)), rate
    assert len(joined) > 8 and np.mean(joined) > 0.9  # a lump may lie over an ellipse


def test_ribs_get_shorter_and_thinner():
    def area(**changes):
        return np.sum([np.sum(draw_mask(draw(s, **changes)) == 1) for s in range(4)])

    assert area(rib_length=(0.6, 0.6)) < 0.8 * area()
    assert area(rib_thickness=(0.7, 0.7)) < 0.85 * area()


def test_hard_has_every_shape_of_lump():
    assert PRESETS['hard'].lumbar_shares[2] > 0
    outlines = [
        next(
            bone.outline - bone.center
            for bone in draw(3, lumbar_shares=shares).bones
            if bone.label == phantom.LUMBAR
        )
        for shares in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    ]
    waists = [np.abs(o[np.abs(o[:, 0]) < 12, 1]).min() for o in outlines]
    assert waists[1] < 0.8 * waists[0]
    assert not np.allclose(outlines[1], outlines[2], atol=5)


def contrast(case):
    near = cv2.dilate((case.mask > 0).astype(np.uint8), np.ones((31, 31))) > 0
    beside = near & (case.mask == 0) & (case.image > 8)
    return case.image[beside].mean() - case.image[case.mask > 0].mean()


def edges(case):
    return np.abs(cv2.Laplacian(case.image, cv2.CV_32F))[case.image > 8].mean()


def dark_tissue(case):
    return np.quantile(case.image[case.image > 8], 0.2)


def mean(case):
    return case.image.mean()


@pytest.mark.parametrize(
    ('changes', 'measure', 'factor'),
    [
        (dict(bone_contrast=(0.3, 0.3)), contrast, 0.8),
        (dict(blur=(2, 2)), edges, 0.7),
        (dict(gain=(0.7, 0.7)), mean, 0.85),
        (dict(gamma=(1.4, 1.4)), dark_tissue, 0.9),
        (dict(num_contact_losses=(6, 6), contact_loss_height=(300, 300)), mean, 0.95),
    ],
)
def test_effects_of_the_scan(cases, changes, measure, factor):
    case = make_case([2024, 2], replace(STANDARD, **changes))
    np.testing.assert_array_equal(case.mask, cases[2].mask)
    assert measure(case) < factor * measure(cases[2])


# ------------------------------------------------------------------ bones one by one


def assert_bones_one_by_one(case):
    """The map of instances agrees with the mask and with the geometry's bones."""
    assert case.instances.dtype == np.uint16 and case.instances.shape == case.mask.shape
    bones = case.geometry['bones']
    assert [bone['id'] for bone in bones] == list(range(1, len(bones) + 1))
    labels = np.array([0, *(LABELS[bone['name']] for bone in bones)])
    np.testing.assert_array_equal(labels[case.instances], case.mask)
    for bone in bones:
        shadow = bone['shadow']
        assert set(shadow) == {'depth', 'scale', 'shift'} and 0 <= shadow['depth'] <= 1
        assert len(shadow['scale']) == len(shadow['shift']) == 2


def test_bones_are_painted_one_by_one_by_the_rule_of_the_mask():
    geometry = draw(11, thoracic_merged=0, rib_missing=0)
    instances = draw_instances(geometry)
    inside = np.min([d for d in geometry.body.distances(*instances.shape)], axis=0) >= 0
    # Slowly: of all outlines around a pixel the one of the highest class, then the last.
    expected = np.zeros(instances.shape, int)
    rank = np.zeros(instances.shape, int)
    for i, bone in enumerate(geometry.bones, 1):
        canvas = np.zeros(instances.shape, np.uint8)
        points = np.round(bone.outline * 16).astype(np.int32)
        cv2.fillPoly(canvas, [points], 1, shift=4)
        wins = (canvas > 0) & inside & (1000 * bone.label + i > rank)
        expected[wins] = i
        rank[wins] = 1000 * bone.label + i
    np.testing.assert_array_equal(instances, expected)
    assert len(np.unique(instances)) - 1 > 0.95 * len(geometry.bones)
    np.testing.assert_array_equal(draw_mask(geometry), np.minimum(rank // 1000, 3))


def test_what_joins_merged_bones_goes_to_the_nearer_one():
    checked = 0
    for seed in range(4):
        geometry = draw(seed, thoracic_merged=0.5, lumbar_merged=0.5)
        instances = draw_instances(geometry)
        alone = draw_instances(replace(geometry, bridges=()))
        index = {(b.label, b.side, b.level): i for i, b in enumerate(geometry.bones, 1)}
        labels = np.array([0, *(bone.label for bone in geometry.bones)])
        new = instances != alone
        for bridge in geometry.bridges:
            one = index[bridge.label, bridge.side, bridge.level]
            other = geometry.bones[one - 1].merged_with
            pair = one, index[bridge.label, bridge.side, other]
            y, x = np.nonzero(new & np.isin(instances, pair))
            assert (labels[alone[y, x]] < bridge.label).all()
            off = [
                np.hypot(*(np.array(geometry.bones[i - 1].center)[:, None] - [x, y]))
                for i in pair
            ]
            nearer = np.where(off[1] < off[0], pair[1], pair[0])
            np.testing.assert_array_equal(instances[y, x], nearer)
            checked += len(set(instances[y, x])) == 2
        assert set(np.unique(instances[new])) <= set(index.values())
    assert checked > 5


def test_shadows_are_kept_as_they_were_cast(cases):
    depths, contrasts = [], []
    for case in cases:
        for bone in case.geometry['bones']:
            shadow = bone['shadow']
            low, high = STANDARD.shadow_scale
            if bone['name'] == 'rib':
                assert shadow['scale'][0] == 1
            else:
                assert low - 1e-3 <= shadow['scale'][0] <= high + 1e-3
            assert low - 1e-3 <= shadow['scale'][1] <= high + 1e-3
            if bone['name'] == 'thoracic':
                own = case.instances == bone['id']
                x, y = (int(round(bone[key])) for key in 'xy')
                window = np.s_[max(y - 70, 0) : y + 70, max(x - 70, 0) : x + 70]
                beside = (case.mask[window] == 0) & (case.image[window] > 8)
                if own.sum() > 1000 and beside.sum() > 1000:
                    depths.append(shadow['depth'])
                    tissue = case.image[window][beside].mean()
                    contrasts.append(1 - case.image[own].mean() / tissue)
    shifts = np.array([b['shadow']['shift'] for c in cases for b in c.geometry['bones']])
    assert shifts.std(0) == pytest.approx(STANDARD.shadow_offset, rel=0.15)
    # What is said to be deep is dark. Ribs, blobs and tissue blur this, but not much.
    assert len(depths) > 100 and np.corrcoef(depths, contrasts)[0, 1] > 0.5


# ------------------------------------------------- what makes a phantom look real


def at_last_pair(geometry, name):
    return [b for b in geometry.bones if b.level == LAST_PAIR and b.label == LABELS[name]]


def test_the_last_pair_is_short_steep_and_close_to_the_first_lump():
    def measured(**changes):
        """Of the last ribs: how far the tip falls, the width, the gap below the pair."""
        found = []
        for seed in range(8):
            geometry = draw(seed, rib_missing=0, **changes)
            ellipses = {bone.side: bone for bone in at_last_pair(geometry, 'thoracic')}
            levels = [vertebra['level'] for vertebra in geometry.vertebrae]
            gaps = np.diff([vertebra['y'] for vertebra in geometry.vertebrae])
            for rib in at_last_pair(geometry, 'rib'):
                x = rib.side * rib.outline[:, 0]
                tip = rib.outline[x > np.quantile(x, 0.8)].mean(0)
                drop = tip[1] - ellipses[rib.side].center[1]
                found.append([drop, np.ptp(x), gaps[levels.index(LAST_PAIR)]])
        return np.mean(found, axis=0)

    drop, width, gap = measured()
    fallen, short, near = measured(
        last_rib_length=(0.4, 0.4), last_rib_drop=(40, 40), last_pair_gap=(0.8, 0.8)
    )
    assert drop < 0 and 20 < fallen < 55
    assert short < 0.6 * width
    assert near == pytest.approx(0.8 * gap, rel=0.08)


def test_upper_levels_and_the_last_pair_are_faint(cases):
    even = dict(depth_jitter=0, faint_share=0, side_contrast=(1, 1))
    even.update(ellipse_depth=(0.6, 0.6), rib_depth=(0.6, 0.6))
    faint = dict(upper_contrast=(0.4, 0.4), num_upper_levels=(3, 3))
    faint['last_pair_contrast'] = (0.5, 0.5)
    case = make_case([2024, 0], replace(STANDARD, **even, **faint))
    levels = [vertebra['level'] for vertebra in case.geometry['vertebrae']]
    expected = dict(zip(levels, (0.24, 0.36, 0.48)), **{LAST_PAIR: 0.3})
    for bone in case.geometry['bones']:
        if bone['level'][0] == 'T':
            depth = expected.get(bone['level'], 0.6)
            assert bone['shadow']['depth'] == pytest.approx(depth, abs=1e-3)
    np.testing.assert_array_equal(case.mask, cases[0].mask)  # they are outlined


def test_the_midlines_blob_is_dark_and_no_bone(cases):
    case = make_case([2024, 1], replace(STANDARD, midline_blob=1))
    (at,) = [v for v in case.geometry['vertebrae'] if v['level'] == LAST_PAIR]
    x, y = int(at['x']), int(at['y'])
    window = np.s_[y - 12 : y + 12, x - 12 : x + 12]
    assert case.image[window].mean() < 0.7 * cases[1].image[window].mean()
    assert case.image[window].mean() < 30
    np.testing.assert_array_equal(case.mask, cases[1].mask)


def bare(**changes):
    """A geometry and the parameters of `realistic` without what else is drawn there."""
    params = replace(REALISTIC, faint_share=0, depth_jitter=0, shadow_offset=0, **changes)
    return draw_geometry(np.random.default_rng(3), params), params


def cast(geometry, params):
    """The share of echo that passes the bones alone, (H / 2, W / 2)."""
    rng = np.random.default_rng(4)
    shape = (geometry.height + 1) // 2, (geometry.width + 1) // 2
    passed = np.ones(shape, np.float32)
    found = shadows.draw_bone_shadows(rng, params, geometry)
    shadows.SHADOW_MODELS[params.shadow_model](rng, params, geometry, found, passed)
    return passed


def test_lumps_melt_into_each_other():
    geometry, params = bare(lumbar_links=(0.6, 0.6))
    linked = cast(geometry, params)
    apart = cast(geometry, replace(params, lumbar_links=(0, 0)))
    lumps = [bone.center for bone in geometry.bones if bone.label == phantom.LUMBAR]
    mask = draw_mask(geometry)
    between = []
    for (x0, y0), (x1, y1) in zip(lumps, lumps[1:]):
        rows = np.arange(int(y0), int(y1))
        x = int((x0 + x1) / 2)
        free = rows[mask[rows, x] == 0]
        if len(free) > 8:  # outlines stay apart
            y = int(free.mean()) // 2
            between.append([linked[y, x // 2], apart[y, x // 2]])
    assert len(between) >= 2
    linked, apart = np.mean(between, axis=0)
    assert linked < 0.85 * apart


def test_rib_and_ellipse_are_one_drawn_out_shadow():
    geometry, params = bare(drawn_out=(0.9, 0.9), streaks=(0, 0))
    drawn = cast(geometry, params)
    apart = cast(geometry, replace(params, drawn_out=(0, 0)))
    ellipses = [bone for bone in geometry.bones if bone.label == phantom.THORACIC]
    inner = []
    for bone in ellipses:  # just beside the ellipse, towards the midline
        x = int(bone.center[0] - bone.side * 58) // 2
        y = int(bone.center[1]) // 2
        inner.append([drawn[y, x], apart[y, x]])
    drawn, apart = np.mean(inner, axis=0)
    assert drawn < apart - 0.1


def test_the_gain_is_another_after_a_pause():
    quiet = replace(REALISTIC, gain_wander=(0, 0), striation=(0, 0), speckle=(0, 0))
    geometry = draw_geometry(np.random.default_rng(3), quiet)
    slope = np.zeros(geometry.height)

    def rows(bands, **changes):
        rng = np.random.default_rng(6)
        params = replace(quiet, **changes)
        return looks.draw_sweeps(rng, params, geometry, slope, bands).mean(1)

    still = rows([], num_pauses=(0, 0))
    assert still == pytest.approx(1, abs=1e-4)
    # The operator stops where dashes are dense: all is the same until then.
    paused = rows([(900, 20)], num_pauses=(0, 0), pause_gain=1)
    assert np.ptp(paused[:850]) < 1e-3 and abs(paused[920:930].mean() - 1) > 0.05
    assert np.ptp(rows([], num_pauses=(4, 4), pause_gain=0.5)) > 0.1


# ---------------------------------------------------------------- write_phantom


def test_layout_is_the_contract(tmp_path):
    write_phantom(tmp_path, 1, 1, seed=7)
    names = {
        split: (tmp_path / f'{split}.txt').read_text().splitlines()
        for split in ('train', 'test')
    }
    assert [len(names['train']), len(names['test'])] == [1, 1]
    expected = {'train.txt', 'test.txt', 'phantom.json'}
    for split in names:
        for name in names[split]:
            expected |= {
                f'dataset/{split}/{name}.png',
                f'groundtruth/{split}/{name}_bone_3.png',
                f'instances/{split}/{name}.png',
                f'geometry/{split}/{name}.json',
            }
            image = read_png(tmp_path / 'dataset' / split / f'{name}.png')
            mask = read_png(tmp_path / 'groundtruth' / split / f'{name}_bone_3.png')
            geometry = json.loads(
                (tmp_path / 'geometry' / split / f'{name}.json').read_text()
            )
            case = make_case(geometry['seed'])
            np.testing.assert_array_equal(image, case.image)
            np.testing.assert_array_equal(mask, case.mask)
            instances = read_png(tmp_path / 'instances' / split / f'{name}.png')
            assert instances.dtype == np.uint16
            np.testing.assert_array_equal(instances, case.instances)
            assert geometry == case.geometry
    assert set(read_all(tmp_path)) == expected


@pytest.mark.slow  # two processes import all of the package
def test_number_of_workers_does_not_change_a_byte(tmp_path):
    write_phantom(tmp_path / 'one', 1, 1, seed=3, num_workers=1)
    write_phantom(tmp_path / 'two', 1, 1, seed=3, num_workers=2)
    one = read_all(tmp_path / 'one')
    assert len(one) == 11
    assert one == read_all(tmp_path / 'two')


def test_repeating_replaces_its_own_files(tmp_path):
    write_phantom(tmp_path, 1, 0)
    before = read_all(tmp_path)
    (tmp_path / 'dataset/train/phantom_train_0000.png').write_bytes(b'damaged')
    write_phantom(tmp_path, 1, 0)
    assert read_all(tmp_path) == before


def test_interrupted_run_has_no_split_files_and_can_be_repeated(tmp_path, monkeypatch):
    write_case = phantom.writing._write_case

    def fail_at_second(job):
        if job[2].endswith('0001'):
            raise OSError('disk full')
        write_case(job)

    monkeypatch.setattr(phantom.writing, '_write_case', fail_at_second)
    with pytest.raises(OSError, match='disk full'):
        write_phantom(tmp_path, 2, 0)
    assert (tmp_path / 'dataset/train/phantom_train_0000.png').exists()
    assert not list(tmp_path.glob('*.txt*'))
    monkeypatch.undo()
    write_phantom(tmp_path, 2, 0)
    assert len((tmp_path / 'train.txt').read_text().split()) == 2


def test_other_data_set_is_kept_unless_told_otherwise(tmp_path):
    write_phantom(tmp_path, 2, 0)
    before = read_all(tmp_path)
    with pytest.raises(ValueError, match='already holds a data set.*overwrite'):
        write_phantom(tmp_path, 1, 0)
    assert read_all(tmp_path) == before
    write_phantom(tmp_path, 1, 0, overwrite=True)
    assert sum(path.endswith('.png') for path in read_all(tmp_path)) == 3


def test_clinical_data_set_is_kept(tmp_path):
    (tmp_path / 'train.txt').write_text('patient\n')
    with pytest.raises(ValueError, match='already holds a data set'):
        write_phantom(tmp_path, 1, 0)
    assert read_all(tmp_path) == {'train.txt': b'patient\n'}


def test_params_are_checked():
    with pytest.raises(ValueError, match='rib_rise.*low <= high'):
        PhantomParams(rib_rise=(10, 0))
    with pytest.raises(ValueError, match='too small'):
        PhantomParams(height=(512, 512))
    for options in (
        dict(gamma=(0, 1)),
        dict(shadow_blur=(-1, 2)),
        dict(rib_depth=(0.5, 1.1)),
        dict(num_lumbar=(4.5, 6)),
        dict(num_thoracic=(0, 3)),
        dict(lean=(0, np.inf)),
        dict(lean=(0, np.nan)),
        dict(gap_jitter=-0.1),
        dict(level_gap=(1, 2, 3)),
        dict(curve_shares=(0.5, 0.5, 0, 0.1)),
        dict(lumbar_shares=(0.5, 0.5)),
    ):
        with pytest.raises(ValueError, match=f'{next(iter(options))} must be'):
            PhantomParams(**options)


def test_a_spine_cropped_away_is_an_error():
    params = PhantomParams(
        num_thoracic=(1, 1),
        num_lumbar=(0, 0),
        level_gap=(40, 40),
        crop_top_chance=1,
        crop_top=(0.5, 0.5),
    )
    with pytest.raises(ValueError, match='no vertebra'):
        make_case(0, params)


def test_sharp_shadows():
    """No blur at all, of shadows, is no error."""
    assert make_case(0, PhantomParams(shadow_blur=(0, 0))).image.max() > 0


def test_params_change_the_case():
    params = PhantomParams(curve_shares=(1, 0, 0, 0), straight_angle=(4, 4))
    geometry = draw_geometry(np.random.default_rng(0), params)
    assert geometry.curve_type == 'none'
    assert geometry.largest_curve_angle_deg == pytest.approx(4, abs=0.02)


# ------------------------------------------------------------------------- tool


def test_tool_writes(main, tmp_path, capsys):
    assert (
        main([str(tmp_path), '--num-train', '1', '--num-test', '1', '--workers', '1'])
        == 0
    )
    last = capsys.readouterr().out.splitlines()[-1]
    assert '1 training and 1 test cases' in last and str(tmp_path) in last
    assert len(read_all(tmp_path)) == 11


@pytest.mark.parametrize('name', ['hard', 'scanner'])
def test_tool_takes_a_preset_and_records_it(main, tmp_path, capsys, name):
    arguments = ['--num-train', '1', '--num-test', '0', '--workers', '1']
    assert main([str(tmp_path), '--preset', name, *arguments]) == 0
    assert f'preset {name}' in capsys.readouterr().out
    recipe = json.loads((tmp_path / 'phantom.json').read_text())
    params = find_params(name)
    assert recipe['preset'] == name
    assert recipe['params'] == json.loads(json.dumps(asdict(params)))
    image = read_png(tmp_path / 'dataset/train/phantom_train_0000.png')
    np.testing.assert_array_equal(image, make_case([0, 0, 0], params).image)


@pytest.mark.slow
def test_presets_take_turns(main, tmp_path):
    assert (
        main(
            [
                str(tmp_path),
                '--preset',
                'easy',
                'hard',
                '--num-train',
                '3',
                '--num-test',
                '0',
                '--workers',
                '1',
            ]
        )
        == 0
    )
    recipe = json.loads((tmp_path / 'phantom.json').read_text())
    assert recipe['preset'] == ['easy', 'hard'] and len(recipe['params']) == 2
    for i, name in enumerate(('easy', 'hard', 'easy')):
        image = read_png(tmp_path / f'dataset/train/phantom_train_000{i}.png')
        expected = make_case([0, 0, i], find_params(name)).image
        np.testing.assert_array_equal(image, expected)
    with pytest.raises(InputError, match='at least one preset'):
        write_phantom(tmp_path / 'none', 1, 0, params=[])


@pytest.mark.parametrize(
    ('arguments', 'named'),
    [
        (['--num-train', '-1'], 'num_train'),
        (['--num-test', '-1'], 'num_test'),
        (['--num-train', '0', '--num-test', '0'], 'at least one case'),
        (['--seed', '-1'], 'seed'),
        (['--workers', '0'], 'num_workers'),
        (['--preset', 'mad'], "'mad'"),
    ],
)
def test_tool_refuses_bad_arguments(main, tmp_path, capsys, arguments, named):
    assert main([str(tmp_path / 'new'), *arguments]) == 2
    message = capsys.readouterr().err
    assert named in message and message.count('\n') == 1
    assert not list(tmp_path.iterdir())


def test_tool_refuses_a_file_as_root(main, tmp_path, capsys):
    path = tmp_path / 'file'
    path.write_text('kept')
    assert main([str(path), '--num-train', '1']) == 2
    assert str(path) in capsys.readouterr().err
    assert read_all(tmp_path) == {'file': b'kept'}
