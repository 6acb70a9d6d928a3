"""What annotation tools read and write: LabelMe and COCO."""

import json

import numpy as np
import pytest

from seam_seg.datasets.polygon_files import (
    coco_content,
    labelme_content,
    read_coco,
    read_labelme,
    trace_bones,
)
from seam_seg.datasets.polygons import fill
from seam_seg.errors import InputError

LABELS = ('rib', 'thoracic', 'lumbar')


@pytest.fixture
def instances():
    """Three bones, the second of two pieces, the third with a hole."""
    found = np.zeros((40, 60), np.int32)
    found[2:12, 3:20] = 7
    found[16:30, 30:34] = found[16:30, 40:44] = 2
    found[18:38, 4:24] = 5
    found[24:30, 10:16] = 0
    return found


@pytest.fixture
def drawing(instances):
    notes = [
        dict(id=2, side='left', level=3, doubt=0.3125, confidence=0.75, doubtful=True),
        dict(id=7, side='both', level=1, doubt=0.1, confidence=0.9, doubtful=False),
        dict(id=5),
    ]
    return trace_bones(instances, list(zip(LABELS, notes)))


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def drawn(found):
    """The bones of a drawing one by one."""
    return {bone.label: fill(bone.pieces, found.shape) for bone in found.bones}


def same(found, instances):
    masks = drawn(found)
    assert sorted(masks) == sorted(LABELS) and len(found.bones) == 3
    for label, number in zip(LABELS, (2, 7, 5)):
        np.testing.assert_array_equal(masks[label], instances == number)


def test_labelme_and_back(drawing, instances, tmp_path):
    content = labelme_content(drawing, 'a.png')
    shapes = content['shapes']
    assert content['imagePath'] == 'a.png' and content['imageData'] is None
    assert (content['imageHeight'], content['imageWidth']) == (40, 60)
    assert content['flags'] == {'checked': False}
    assert [shape['group_id'] for shape in shapes] == [2, 2, None, None]
    assert [shape['flags'] for shape in shapes] == [{'doubtful': True}] * 2 + [{}, {}]
    said = 'bone 2, left, level 3, doubt 0.31, confidence 0.75'
    assert shapes[0]['description'] == said and shapes[3]['description'] == 'bone 5'
    assert {shape['shape_type'] for shape in shapes} == {'polygon'}
    found = read_labelme(write(tmp_path / 'a.json', content))
    same(found, instances)
    assert not found.checked and not found.is_label
    # as LabelMe saves it when somebody has ticked the flag; or without our flags
    for flags in ({'checked': True}, {}, None):
        content['flags'] = flags
        assert read_labelme(write(tmp_path / 'a.json', content)).is_label
    content['shapes'] = []
    assert not read_labelme(write(tmp_path / 'a.json', content)).is_label


def test_coco_and_back(drawing, instances, tmp_path):
    names = ['p1/a.png', 'p1/b.c.png']
    content = coco_content(dict.fromkeys(names, drawing), LABELS)
    assert [image['file_name'] for image in content['images']] == names
    assert [entry['name'] for entry in content['categories']] == [*LABELS]
    entries = content['annotations']
    assert [entry['id'] for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert [entry['category_id'] for entry in entries] == [1, 2, 3] * 2
    assert [len(entry['segmentation']) for entry in entries[:3]] == [2, 1, 1]
    assert entries[0]['attributes']['level'] == 3 and entries[0]['iscrowd'] == 0
    for entry, number in zip(entries, (2, 7, 5)):
        rows, columns = np.nonzero(instances == number)
        x, y, width, height = entry['bbox']
        assert (x, y) == (columns.min(), rows.min())
        assert (width, height) == (np.ptp(columns) + 1, np.ptp(rows) + 1)
        assert entry['area'] == pytest.approx(len(rows), rel=0.02)
    entries[0]['image_id'] = 1.0  # as tables write it
    path = write(tmp_path / 'coco.json', content)
    found = read_coco(path)
    assert list(found) == ['p1/a', 'p1/b.c']
    for one in found.values():
        same(one, instances)
        assert not one.is_label
    # what CVAT exports: without flags of the images; masks of its brush as runs
    for image in content['images']:
        del image['checked']
        image['file_name'] = image['file_name'].replace('/', '\\')
    runs = np.flatnonzero(np.diff(np.r_[0, (instances == 5).T.ravel(), 0]))
    entries[2]['segmentation'] = dict(
        size=[40, 60], counts=np.diff(np.r_[0, runs, instances.size]).tolist()
    )
    found = read_coco(write(path, content))
    assert found['p1/a'].is_label
    same(found['p1/a'], instances)


def spoil_labelme(change):
    content = dict(
        shapes=[dict(label='rib', points=[[1, 1], [9, 1], [9, 9]])],
        imageHeight=10,
        imageWidth=10,
    )
    change(content)
    return content


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda c: c.pop('shapes'), 'no file of LabelMe .*--mask-suffix'),
        (lambda c: c.pop('imageWidth'), 'how high and wide the image is'),
        (lambda c: c.update(imageHeight='10'), 'how high and wide'),
        (lambda c: c.update(imageHeight=1000000), 'how high and wide'),
        (lambda c: c['shapes'].append(dict(points=[])), 'shape 2 has no label'),
        (lambda c: c['shapes'].append(3), 'shape 2 has no label'),
        (lambda c: c['shapes'][0].update(shape_type='circle'), r'1 \(rib\) is a circle'),
        (lambda c: c['shapes'][0].update(points=[[1, 1], [2, 2]]), 'three points'),
        (lambda c: c['shapes'][0].update(points='x'), 'three points'),
        (lambda c: c['shapes'][0].update(points=[[1, 1, 0]] * 4), 'three points'),
        (lambda c: c['shapes'][0].update(points=[[1, 1e9]] * 3), 'three points'),
        (lambda c: c['shapes'][0].update(points=[[1, float('nan')]] * 3), 'three points'),
        (lambda c: c.update(images=[], annotations=[]), 'a file of COCO.*Name it'),
    ],
)
def test_files_of_labelme_that_cannot_be_used(tmp_path, change, message):
    path = write(tmp_path / 'a.json', spoil_labelme(change))
    with pytest.raises(InputError, match=f'a.json: .*{message}'):
        read_labelme(path)


def spoil_coco(change):
    content = dict(
        images=[dict(id=1, file_name='a.png', height=10, width=10)],
        annotations=[
            dict(id=4, image_id=1, category_id=2, segmentation=[[1, 1, 9, 1, 9, 9]])
        ],
        categories=[dict(id=2, name='rib')],
    )
    change(content)
    return content


def set_outline(outline):
    return lambda c: c['annotations'][0].update(segmentation=outline)


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda c: c.pop('categories'), 'no file of COCO'),
        (lambda c: c.update(images=['a.png']), 'no file of COCO'),
        (lambda c: c.update(shapes=[]), 'a file of LabelMe.*folder'),
        (lambda c: c['images'][0].pop('file_name'), 'no file_name'),
        (lambda c: c['images'][0].pop('height'), 'how high and wide the image of a.png'),
        (lambda c: c['images'].append(dict(c['images'][0], id=2)), 'two images named a'),
        (lambda c: c['images'].append(dict(id=1)), 'two images have one id'),
        (lambda c: c['categories'].append(dict(id=2)), 'two categories have one id'),
        (lambda c: c['annotations'][0].update(image_id=[1]), '4 is of an image that'),
        (lambda c: c['annotations'][0].update(image_id=9), '4 is of an image that'),
        (lambda c: c['annotations'][0].update(category_id=9), '4 is of a category that'),
        (set_outline([]), 'annotation 4 of a has no outline'),
        (set_outline(None), 'has no outline'),
        (set_outline([[1, 1, 9, 1, 9]]), 'three points'),
        (set_outline(dict(counts='Qf5')), r'compressed mask \(RLE\)'),
        (set_outline(dict(counts=[90, 11])), 'has no outline'),
        (set_outline(dict(counts=[-10, 110])), 'has no outline'),
        (set_outline(dict(counts=[1e300])), 'has no outline'),
        (set_outline(dict(counts=[])), 'has no outline'),
        (set_outline(dict(counts=[100])), 'has no outline'),
    ],
)
def test_files_of_coco_that_cannot_be_used(tmp_path, change, message):
    path = write(tmp_path / 'coco.json', spoil_coco(change))
    with pytest.raises(InputError, match=f'coco.json: .*{message}'):
        read_coco(path)


def test_no_json(tmp_path):
    path = tmp_path / 'a.json'
    for text in ('', '{"shapes": [', '[' * 100000, 'no', '3', '\x80'):
        path.write_bytes(text.encode('latin-1'))
        for read in (read_labelme, read_coco):
            with pytest.raises(InputError, match='a.json: (is no JSON|no file of)'):
                read(path)
    with pytest.raises(InputError, match='no such file'):
        read_coco(tmp_path / 'none.json')
