"""The table of bones: sides, levels and confidence."""

import numpy as np
import pytest

from seam_seg.atomic import write_csv
from seam_seg.errors import InputError
from seam_seg.evaluation.bones import (
    Bone,
    body_middle,
    bone_table,
    case_doubt,
    list_bones,
    read_bone_table,
)

CLASSES = ('background', 'rib', 'thoracic', 'lumbar')


@pytest.fixture
def case():
    """A strip whose middle runs from column 20 to 40, with bones on both sides."""
    image = np.zeros((100, 60), np.uint8)
    for row in range(10, 95):
        middle = 20 + row // 5
        image[row, middle - 15 : middle + 15] = 200
    mask = np.zeros_like(image)
    mask[20:26, 12:18] = 2  # left, upper
    mask[21:27, 30:36] = 2  # right, upper
    mask[50:56, 18:24] = 2  # left, lower
    mask[80:88, 25:45] = 3  # across the middle
    confidence = np.full(image.shape, 0.9)
    confidence[50:56, 18:24] = 0.6
    confidence[80:84, 25:45] = 0.5
    return image, mask, confidence


def test_middle_follows_the_body(case):
    middle = body_middle(case[0])
    assert abs(middle[50] - 30) < 1 and abs(middle[20] - 24) < 1
    assert abs(middle[0] - middle[10]) < 1  # no body there: the nearest row's
    assert (body_middle(np.zeros((5, 8), np.uint8)) == 4).all()


def test_table(case):
    image, mask, confidence = case
    bones, instances = list_bones(mask, confidence, image, CLASSES)
    rows = [(bone.bone, bone.side, bone.level, bone.area) for bone in bones]
    assert rows[0] == ('thoracic', 'left', 2, 36)  # the doubtful one first
    assert rows[1] == ('lumbar', 'both', 1, 160)
    assert set(rows[2:]) == {('thoracic', 'left', 1, 36), ('thoracic', 'right', 1, 36)}
    assert [round(bone.confidence, 6) for bone in bones] == [0.6, 0.7, 0.9, 0.9]
    assert all(
        bone.size == 1 and bone.doubt == pytest.approx(1 - bone.confidence)
        for bone in bones
    )
    assert (bones[1].x, bones[1].y) == (34.5, 83.5)
    assert ((instances > 0) == (mask > 0)).all()
    for bone in bones:
        own = instances == bone.id
        assert own.sum() == bone.area
        assert np.argwhere(own).mean(axis=0).tolist() == pytest.approx([bone.y, bone.x])
    assert list_bones(mask * 0, confidence, image, CLASSES)[0] == []


def pieces_of(region):
    """The 8-connected pieces of a (H, W) bool region, each a set of pixels, by loops."""
    left = {tuple(pixel) for pixel in np.argwhere(region).tolist()}
    pieces = []
    while left:
        piece, border = set(), [left.pop()]
        while border:
            y, x = border.pop()
            piece.add((y, x))
            around = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= around
            border += around
        pieces.append(frozenset(piece))
    return pieces


@pytest.mark.parametrize('seed', range(4))
def test_table_against_loops(seed):
    rng = np.random.default_rng(seed)
    # labels touch each other, also across corners; one class is absent
    mask = rng.choice([0, 0, 1, 3], (24, 17)).astype(np.uint8)
    confidence = rng.random(mask.shape, dtype=np.float32)
    bones, instances = list_bones(mask, confidence, mask * 60, CLASSES)
    assert [bone.doubt for bone in bones] == sorted(
        (b.doubt for b in bones), reverse=True
    )
    assert sorted(bone.id for bone in bones) == list(range(1, len(bones) + 1))
    assert instances.dtype == np.int32 and instances.max() == len(bones)
    for label, name in enumerate(CLASSES[1:], start=1):
        found = {
            frozenset(map(tuple, np.argwhere(instances == bone.id).tolist())): bone
            for bone in bones
            if bone.bone == name
        }
        expected = pieces_of(mask == label)
        assert found.keys() == set(expected)
        for piece, bone in found.items():
            rows, columns = zip(*piece)
            mean = np.mean([float(confidence[pixel]) for pixel in piece])
            size = len(piece) / np.median([len(other) for other in expected])
            assert bone.area == len(piece)
            assert (bone.y, bone.x) == pytest.approx((np.mean(rows), np.mean(columns)))
            assert (bone.confidence, bone.size) == pytest.approx((mean, size))
            doubt = 1 - mean + 0.1 * abs(np.log2(size))
            assert bone.doubt == pytest.approx(doubt)


def test_bones_that_have_run_together_come_first(case):
    """However confident: one of four times the usual area, and one of half of it."""
    image, mask, confidence = case
    mask[60:72, 20:32] = 2
    mask[76:79, 18:24] = 2
    confidence[:] = 0.9
    bones, _ = list_bones(mask, confidence, image, CLASSES)
    assert [(bone.area, bone.size) for bone in bones[:2]] == [(144, 4), (18, 0.5)]
    assert [bone.doubt for bone in bones] == pytest.approx([0.3, 0.2, *[0.1] * 4])


def test_millimetres_only_where_they_are_known(case):
    image, mask, confidence = case
    bones, _ = list_bones(mask, confidence, image, CLASSES)
    plain = bone_table(bones)
    assert plain[0] == list(Bone._fields)
    header, *rows = bone_table(bones, (0.3, 0.2))
    assert [header[: len(plain[0])], *(row[: len(plain[0])] for row in rows)] == plain
    assert header[len(plain[0]) :] == ['x_mm', 'y_mm', 'area_mm2']
    for row, bone in zip(rows, bones):
        values = [float(value) for value in row[-3:]]
        assert values == pytest.approx(
            [0.2 * bone.x, 0.3 * bone.y, 0.06 * bone.area], abs=1e-4
        )


def test_a_table_is_read_as_it_was_written(tmp_path):
    bones = [
        Bone(3, 'rib', 'left', 2, 10.25, 20.5, 60, 0.75, 1.5, 0.3085),
        Bone(1, 'lumbar', 'both', 1, 30.0, 40.0, 600, 0.875, 1.0, 0.125),
    ]
    path = tmp_path / 'a.csv'
    for spacing in (None, (0.5, 0.25)):
        write_csv(path, bone_table(bones, spacing))
        assert read_bone_table(path) == bones
    assert case_doubt(bones) == pytest.approx((0.3085 + 0.125) / 2)
    assert case_doubt([]) == np.inf
    path.write_text(path.read_text().replace('left,2', 'left,two'))
    with pytest.raises(InputError, match='a.csv: is no table of bones'):
        read_bone_table(path)
