"""Curves of masks whose lines are known."""

import dataclasses
import json
import time
import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spine_drawing import LUMBAR, STEP, THORACIC, draw_spine, fill, oval, tilts_of, turned

from seam_seg.datasets.phantom import PRESETS, make_case
from seam_seg.errors import InputError
from seam_seg.measurement import Settings, describe, interval, measure_mask
from seam_seg.measurement.bones import MOST_PARTS
from seam_seg.measurement.result import grade

SHAPES = ('straight', 'single', 'double')


def angles(measured):
    return [curve.angle_deg for curve in measured.curves]


@pytest.mark.parametrize('shape', SHAPES)
def test_drawn_angles_are_measured(shape):
    measured = measure_mask(draw_spine(tilts_of(shape, 30)))
    assert measured.reason is None and len(measured.levels) == 16
    own = [level.tilt_deg for level in measured.levels]
    assert own == pytest.approx(tilts_of(shape, 30), abs=0.7)
    expected = dict(straight=[], single=[30], double=[30, 30])[shape]
    assert angles(measured) == pytest.approx(expected, abs=1.5)
    for curve in measured.curves:
        assert curve.raw_angle_deg == pytest.approx(30, abs=1)
        assert curve.center_line_angle_deg == pytest.approx(30, abs=3)
    largest = 30 if expected else 0
    assert measured.largest_curve_angle_deg == pytest.approx(largest, abs=1.5)


def test_ends_apex_side_and_region():
    measured = measure_mask(draw_spine(tilts_of('double', 30)))
    upper, lower = measured.curves
    # The top is tilted up on the right: the line runs to the right, and comes back.
    assert (upper.convex_to, lower.convex_to) == ('right', 'left')
    assert [upper.upper, upper.lower, lower.upper, lower.lower] == pytest.approx(
        [0, 7.5, 7.5, 15], abs=1
    )
    assert upper.apex == pytest.approx(3.75, abs=1)
    assert lower.apex == pytest.approx(11.25, abs=1)
    # 11 pairs and 5 lumps: T2 to T12, L1 to L5
    assert [measured.levels[n].name for n in (0, 10, 11, 15)] == ['T2', 'T12', 'L1', 'L5']
    assert upper.region == 'thoracic' and lower.region in ('thoracolumbar', 'lumbar')
    assert upper.side is None
    assert 'may_be_truncated' in upper.flags and 'may_be_truncated' in lower.flags


def test_settings_name_sides_levels_and_severity():
    mask = draw_spine(tilts_of('double', 30))
    plain = measure_mask(mask)
    told = Settings(image_left='patient_right', severity=(5, 6, 7), level_shift=-1)
    measured = measure_mask(mask, settings=told)
    assert angles(measured) == angles(plain)
    assert [c.side for c in measured.curves] == ['left', 'right']
    assert [c.severity for c in measured.curves] == ['severe'] * 2
    assert [c.severity for c in plain.curves] == ['moderate'] * 2
    assert [measured.levels[n].name for n in (0, 10, 11)] == ['T1', 'T11', 'T12']
    cutoffs = Settings().severity  # degrees from which on
    grades = [grade(angle, cutoffs) for angle in (9.99, 10, 24.99, 25, 40)]
    assert grades == ['none', 'mild', 'mild', 'moderate', 'severe']


@pytest.mark.parametrize('shape', SHAPES)
def test_mirror_image(shape):
    mask = draw_spine(tilts_of(shape, 24), missing=[(3, 'left')], joined=[12])
    here, there = measure_mask(mask), measure_mask(mask[:, ::-1])
    assert angles(there) == pytest.approx(angles(here), abs=0.1)
    assert there.largest_curve_angle_deg == pytest.approx(
        here.largest_curve_angle_deg, abs=0.1
    )
    other = dict(left='right', right='left')
    assert [c.convex_to for c in there.curves] == [
        other[c.convex_to] for c in here.curves
    ]


def test_padding_changes_nothing():
    mask = draw_spine(tilts_of('single', 24), missing=[(3, 'left')])
    here = measure_mask(mask).to_dict()
    there = measure_mask(np.pad(mask, ((13, 40), (25, 7)))).to_dict()
    for key in ('curves', 'levels', 'bones'):
        for one, other in zip(here[key], there[key]):
            for name in one:
                moved = 13 if name in ('y', 'apex_y') else 25
                if name in ('x', 'y', 'apex_x', 'apex_y'):
                    assert other[name] == pytest.approx(one[name] + moved, abs=0.011)
                elif name not in ('left', 'right'):
                    assert other[name] == one[name], (key, name)


@pytest.mark.parametrize('ratio', [0.8, 1.1, 1.5])
def test_spacing_follows_the_formula(ratio):
    """tan(measured) = k tan(true), exactly, for a line through two ellipses."""
    mask = draw_spine(tilts_of('single', 40))
    square = measure_mask(mask).levels
    other = measure_mask(mask, settings=Settings(spacing=(3 * ratio, 3))).levels
    pairs = [pair for pair in zip(square, other) if pair[0].bone == 'thoracic']
    assert len(pairs) == 11 and len(other) == len(square)
    for one, two in pairs:
        expected = np.degrees(np.arctan(ratio * np.tan(np.radians(one.tilt_deg))))
        assert two.tilt_deg == pytest.approx(expected, abs=1e-6)
        assert (two.x, two.y) == pytest.approx((one.x, one.y), abs=1e-6)


@pytest.mark.parametrize('stretch', [1 / 3, 0.5, 1.3, 2, 3])
def test_spacing_undoes_a_stretch(stretch):
    """Of lumps, too: they are taken apart in the patient's plane, not in the pixels'."""
    phantom = make_case(1, PRESETS['standard']).mask
    for mask, within in ((draw_spine(tilts_of('double', 30)), 0.7), (phantom, 0.5)):
        square = measure_mask(mask)
        size = mask.shape[1], round(stretch * mask.shape[0])
        stretched = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT)
        height = len(mask) / len(stretched)
        measured = measure_mask(stretched, settings=Settings(spacing=(height, 1)))
        assert angles(measured) == pytest.approx(angles(square), abs=within)
        assert measured.flags == square.flags
        for one, two in zip(square.levels, measured.levels):
            assert two.tilt_deg == pytest.approx(one.tilt_deg, abs=2 * within)
            assert two.y == pytest.approx(one.y / height, abs=2 * stretch + 1)


@pytest.mark.parametrize('cut', [(0, 5), (5, 0)])
def test_cropped_at_an_end(cut):
    """What is left is measured, named from the last pair, and said to be truncated."""
    tilts = tilts_of('single', 20)
    mask = draw_spine(tilts)
    mask = mask[60 * cut[0] + 40 * (cut[0] > 0) : len(mask) - 60 * cut[1] - 42]
    measured = measure_mask(mask)
    left = tilts[cut[0] : 16 - cut[1]]
    assert measured.largest_curve_angle_deg == pytest.approx(np.ptp(left), abs=2)
    (curve,) = measured.curves
    assert 'may_be_truncated' in curve.flags
    if cut[1]:  # no lump is left to count from
        assert 'names_uncertain' in measured.flags and measured.anchor == 'last_pair'
    else:
        assert measured.levels[0].name == 'T7' and 'names_uncertain' not in measured.flags


@pytest.mark.parametrize('missing', [[(0, 'left')], [(0, 'left'), (1, 'right')]])
def test_an_end_beyond_which_no_level_has_both_sides_may_be_truncated(missing):
    mask = draw_spine(tilts_of('double', 30), missing=missing)
    measured = measure_mask(mask, interval=False)
    upper, lower = measured.curves
    assert upper.upper == len(missing) and len(measured.levels) == 16
    assert upper.angle_deg < lower.angle_deg  # it does go on
    assert 'may_be_truncated' in upper.flags
    tilts = np.append(tilts_of('double', 30), [10.0, 5.0, 0.0])  # and one that does not
    whole = measure_mask(draw_spine(tilts, missing=missing), interval=False).curves[1]
    assert 'may_be_truncated' not in whole.flags


def test_missing_bones_leave_levels_of_one_side():
    tilts = tilts_of('double', 30)
    measured = measure_mask(draw_spine(tilts, missing=[(2, 'left'), (6, 'right')]))
    lone = [n for n, level in enumerate(measured.levels) if level.tilt_deg is None]
    assert lone == [2, 6] and 'one_sided_levels' in measured.flags
    assert measured.levels[2].left is None and 'one_side' in measured.levels[2].flags
    assert angles(measured) == pytest.approx([30, 30], abs=2)
    alone = {bone.id for bone in measured.bones if 'no_partner' in bone.flags}
    assert alone == {n for i in lone for n in measured.levels[i].bones}


def test_a_missing_level_is_a_gap_in_the_names():
    tilts = tilts_of('double', 30)
    measured = measure_mask(draw_spine(tilts, missing=[(4, 'left'), (4, 'right')]))
    names = [level.name for level in measured.levels]
    assert names[:5] == ['T2', 'T3', 'T4', 'T5', 'T7'] and 'gaps' in measured.flags
    assert 'gap_above' in measured.levels[4].flags


def test_more_than_six_lumps_are_flagged():
    flags = [measure_mask(draw_spine([0.0] * 14, lumps=n)).flags for n in (6, 7)]
    assert 'many_lumps' in flags[1] and 'many_lumps' not in flags[0]


def test_merged_bones_are_told_apart():
    tilts = tilts_of('double', 30)
    mask = draw_spine(
        tilts, joined=[11, 12, 13, 14], touching=[(4, 'left'), (8, 'right')]
    )
    count, _ = cv2.connectedComponents((mask == LUMBAR).astype(np.uint8))
    assert count - 1 == 1
    measured = measure_mask(mask)
    assert [level.tilt_deg is not None for level in measured.levels] == [True] * 16
    assert angles(measured) == pytest.approx([30, 30], abs=2)
    assert sum(bone.bone == 'lumbar' for bone in measured.bones) == 5
    assert sum('cut_out' in bone.flags for bone in measured.bones) >= 4


def test_bones_and_their_map():
    mask, known = draw_spine(tilts_of('single', 20), instances=True)
    mask[:20, :20] = 1  # a rib
    mask[30:32, 300] = THORACIC  # a speck
    measured = measure_mask(mask)
    assert [bone.bone for bone in measured.bones].count('thoracic') == 22
    ids = [bone.id for bone in measured.bones]
    assert len(set(ids)) == len(ids)
    assert set(np.unique(measured.bone_map)) == {0, *ids}
    assert not measured.bone_map[30:32, 300].any()
    for bone in measured.bones:
        own = measured.bone_map == bone.id
        assert own.sum() == bone.area
        assert len(np.unique(mask[own])) == 1
        assert len(np.unique(known[own])) == 1  # the very bones that were drawn
    assert measured.bones[-1].bone == 'rib' and measured.bones[-1].level is None
    assert {bone.side for bone in measured.bones if bone.bone == 'lumbar'} == {'both'}


def test_instances_are_used_where_they_agree():
    tilts = tilts_of('single', 20)
    mask, known = draw_spine(tilts, joined=[12], touching=[(4, 'left')], instances=True)
    measured = measure_mask(mask, known)
    assert 'instances_disagree' not in measured.flags
    assert {bone.id for bone in measured.bones} == set(np.unique(known)) - {0}
    np.testing.assert_array_equal(measured.bone_map, known)

    edited = mask.copy()
    assert known.max() == 115
    edited[known == 100 + 15] = 0  # a reader removes the last lump,
    bottom = np.argwhere(known == 2)[-1]  # and adds to an ellipse of the first level
    edited[bottom[0] : bottom[0] + 4, bottom[1]] = THORACIC
    edited[known == 5] = 0
    corrected = measure_mask(edited, known)
    assert 'instances_disagree' in corrected.flags
    ids = {bone.id for bone in corrected.bones}
    assert 115 not in ids and 5 not in ids and {7, 8, 112} <= ids
    assert len(corrected.levels) == 15
    # nothing of a map that has nothing to do with the mask
    strange = measure_mask(mask, np.ones(mask.shape, np.uint16))
    plain = measure_mask(mask)
    assert angles(strange) == angles(plain)


@pytest.mark.parametrize(
    'count, lumps, flag', [(18, 5, 'many_pairs'), (9, 3, 'few_levels')]
)
def test_flags_of_the_whole(count, lumps, flag):
    """13 pairs are one too many, nine levels one too few."""
    other = count + (1 if flag == 'few_levels' else -1)
    flagged, plain = (
        measure_mask(draw_spine([0.0] * n, lumps=lumps), interval=False).flags
        for n in (count, other)
    )
    assert flagged == [flag] and plain == []


def test_a_level_that_does_not_fit_the_others():
    tilts = np.zeros(16)
    tilts[5] = 12
    measured = measure_mask(draw_spine(tilts), interval=False)
    flagged = [n for n, level in enumerate(measured.levels) if level.flags]
    assert flagged == [5] and measured.levels[5].flags == ['off_line']


def test_a_lump_among_the_pairs_is_misplaced():
    mask = draw_spine([0.0] * 16)
    y = int(70 + 4 * STEP)
    pair = mask[y - 30 : y + 30]
    pair[pair == THORACIC] = LUMBAR
    measured = measure_mask(mask, interval=False)
    assert measured.flags == ['misplaced_levels']
    flagged = {n: level.flags for n, level in enumerate(measured.levels) if level.flags}
    assert flagged == {4: ['misplaced']}


def test_the_axis_of_a_lump_may_not_be_the_line_through_its_lobes(monkeypatch):
    """Both wings of the last lump are steeper than the line through their middles."""
    mask = draw_spine([0.0] * 16)
    y = int(70 + 15 * STEP)
    mask[y - 29 :] = 0
    for side in (-1, 1):
        fill(mask, turned((160 + side * 44, y), 50, oval(50, 9)), LUMBAR)

    def flagged():
        levels = measure_mask(mask, interval=False).levels
        assert levels[15].tilt_deg == pytest.approx(5.7, abs=0.5)
        return [n for n, level in enumerate(levels) if 'axis_disagrees' in level.flags]

    assert flagged() == []  # 4 degrees are no reason
    monkeypatch.setattr(describe, 'AXIS', 2.0)
    assert flagged() == [15]


@pytest.mark.parametrize('flag', ['small', 'large'])
def test_bones_of_another_size(flag):
    mask, bones = draw_spine([0.0] * 16, instances=True)
    bone = bones == np.unique(bones[mask == THORACIC])[6]
    if flag == 'large':
        mask[cv2.dilate(bone.astype(np.uint8), np.ones((19, 19), np.uint8)) > 0] = (
            THORACIC
        )
    else:
        middle = int(np.flatnonzero(bone.any(axis=1)).mean()) + 4
        mask[:middle][bone[:middle]] = 0
    measured = measure_mask(mask)
    assert [bone.flags for bone in measured.bones if bone.flags] == [[flag]]
    # what a reader should look at: half the interval, and the flags of all but bones
    low, high = measured.largest_interval_deg
    assert measured.doubt == (high - low) / 2
    low, high = 1.0, 4.0
    flagged = dataclasses.replace(
        measured, flags=['gaps', 'few_levels'], largest_interval_deg=(low, high)
    )
    assert flagged.doubt == 1.5 + 2


def test_a_map_of_components_does_no_harm():
    """A model that does not tell bones apart numbers what is connected."""
    mask = draw_spine(tilts_of('double', 30), joined=[11, 12, 13, 14])
    _, parts = cv2.connectedComponents(mask, connectivity=8)
    measured = measure_mask(mask, parts.astype(np.uint16))
    assert angles(measured) == pytest.approx(angles(measure_mask(mask)), abs=0.5)
    assert len(measured.levels) == 16


@pytest.mark.parametrize('turn', [np.flipud, lambda mask: np.rot90(mask, 2)])
def test_a_picture_upside_down_is_refused(turn):
    mask = draw_spine(tilts_of('double', 30))
    assert measure_mask(mask).reason is None
    assert 'upside down' in measure_mask(np.ascontiguousarray(turn(mask))).reason


def test_refusals_have_a_reason():
    empty = measure_mask(np.zeros((40, 20), np.uint8))
    assert empty.largest_curve_angle_deg is None and 'no bone' in empty.reason
    few = measure_mask(draw_spine([0.0] * 4, lumps=1))
    assert few.largest_curve_angle_deg is None and 'too few levels' in few.reason
    assert '4 with a bone on both sides' in few.reason
    assert few.curves == [] and few.bones and few.doubt == np.inf
    one_side = [(n, 'left') for n in range(12)]
    lone = measure_mask(draw_spine([0.0] * 16, missing=one_side, lumps=4))
    assert lone.reason is not None and '4 with a bone on both sides' in lone.reason


@pytest.mark.parametrize('side', [1, -1])
def test_one_side_of_a_scan_is_not_measured(side):
    """Halves of the wings that are left would pass for pairs."""
    mask = make_case(2, PRESETS['standard']).mask
    whole = measure_mask(mask)
    x, y = np.array(whole.center_line).T
    middle = np.interp(np.arange(len(mask)), y, x)[:, None]
    half = np.where(side * (np.arange(mask.shape[1]) - middle) > 0, mask, 0)
    found = measure_mask(half)
    assert whole.reason is None and 'on both sides' in found.reason


@pytest.mark.parametrize('numbered', [False, True])
def test_tens_of_thousands_of_specks_are_no_spine(numbered):
    """Pairs of so many would need gigabytes, and minutes."""
    mask = np.zeros((2574, 640), np.uint8)
    specks = mask[2:2570:5, 2:640:6]
    specks[:] = THORACIC
    known = np.cumsum(mask > 0).reshape(mask.shape) * (mask > 0) if numbered else None
    assert specks.size > 50_000
    tracemalloc.start()
    start = time.process_time()
    measured = measure_mask(mask, known, np.full(mask.shape, 0.9, np.float32))
    seconds = time.process_time() - start
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 3 and peak < 300e6
    assert 'no spine' in measured.reason and 'specks_dropped' in measured.flags
    assert len(measured.bones) == MOST_PARTS
    comb = mask.copy()
    comb[:, 310:330] = comb[::2] = LUMBAR  # one component, and 2,000 of them at its sides
    assert 'no spine' in measure_mask(comb).reason


def test_a_spine_among_specks_is_measured():
    mask = draw_spine(tilts_of('double', 30))
    clean = measure_mask(mask)
    near = cv2.dilate(mask, np.ones((5, 5), np.uint8)) > 0
    for label in (1, THORACIC, LUMBAR):
        specks = mask.copy()
        specks[::4, ::4][~near[::4, ::4]] = label
        measured = measure_mask(specks)
        assert measured.flags == [*clean.flags, 'specks_dropped']
        assert angles(measured) == pytest.approx(angles(clean), abs=0.1)
        assert len(measured.levels) == 16
    assert (specks == LUMBAR).sum() > 1.5 * (mask == LUMBAR).sum()


def test_json_holds_all_and_is_finite():
    content = measure_mask(draw_spine(tilts_of('double', 30))).to_dict()
    again = json.loads(json.dumps(content, allow_nan=False))
    assert again == content
    assert content['schema'].startswith('seam_seg.measurement/')
    assert content['settings']['spacing'] == [1, 1]
    assert content['interval_basis'] == 'mask'
    assert len(content['levels']) == 16 and 'bone_map' not in content


def test_arrays_of_other_shapes_are_refused():
    mask = draw_spine([0.0] * 8, lumps=3)
    with pytest.raises(ValueError, match='same size'):
        measure_mask(mask, mask[1:])
    for wrong in (255.0, -0.1, np.nan):
        with pytest.raises(ValueError, match='from 0 to 1'):
            measure_mask(mask, confidence=np.full(mask.shape, wrong))
    with pytest.raises(ValueError, match='H, W'):
        measure_mask(mask[..., None])
    for wrong, match in (
        (dict(spacing=(0, 1)), 'positive'),
        (dict(spacing=(1, 60)), 'times as high'),
        (dict(image_left='up'), 'image_left'),
        (dict(severity=(3, 2, 1)), 'rising'),
        (dict(level_shift=40), 'level_shift'),
    ):
        with pytest.raises(InputError, match=match):
            Settings(**wrong)


@st.composite
def any_masks(draw):
    """Blocks, ovals, noise and a spine, of any labels, some of it cut away."""
    height, width = draw(st.integers(1, 160)), draw(st.integers(1, 90))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    mask = np.zeros((height, width), np.uint8)
    if draw(st.booleans()):
        spine = draw_spine(generator.normal(0, 8, 12), lumps=draw(st.integers(0, 12)))
        mask = cv2.resize(spine, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    for _ in range(draw(st.integers(0, 25))):
        top, left = generator.integers(0, height), generator.integers(0, width)
        size = generator.integers(1, 25, 2)
        mask[top : top + size[0], left : left + size[1]] = generator.integers(0, 5)
    if draw(st.booleans()):
        noise = generator.random(mask.shape) < draw(st.floats(0, 0.5))
        mask[noise] = generator.choice([0, 1, 2, 3, 255], noise.sum())
    return mask


@pytest.mark.slow
@given(any_masks(), st.sampled_from([0.2, 1.0, 5.0]), st.integers(0, 3))
@settings(max_examples=30)
def test_no_mask_makes_it_crash(mask, ratio, kind):
    interval.REPETITIONS, before = 2, interval.REPETITIONS
    generator = np.random.default_rng(kind)
    instances = generator.integers(0, 9, mask.shape) if kind & 1 else None
    if kind == 3:
        _, instances = cv2.connectedComponents((mask > 0).astype(np.uint8))
    confidence = generator.random(mask.shape) if kind & 2 else None
    try:
        measured = measure_mask(mask, instances, confidence, Settings(spacing=(ratio, 1)))
    finally:
        interval.REPETITIONS = before
    json.dumps(measured.to_dict(), allow_nan=False)
    assert (measured.reason is None) == (measured.largest_curve_angle_deg is not None)
    assert measured.bone_map.shape == mask.shape
