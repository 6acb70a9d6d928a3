"""Table 1's regime: its data, its endpoints, its start, its plan."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from seam_seg.config_lookup import project_root
from seam_seg.datasets import VPIDataset
from seam_seg.datasets.phantom import PhantomCase, find_params, make_case, writing
from seam_seg.measurement import measure_mask
from studies.table1 import make_data

CONFIGS = project_root() / 'studies/table1/configs'
sys.path.append(str(CONFIGS))  # as of a config that lies there

import table1_endpoints as endpoints  # noqa: E402

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
