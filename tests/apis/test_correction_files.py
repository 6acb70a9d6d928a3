"""What predict leaves for a person who corrects: polygons, and where to begin."""

import json
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from dicom_files import PATIENT, write_dicom
from spine_drawing import draw_spine, tilts_of

from seam_seg.apis import Prediction
from seam_seg.apis.correction_files import Corrections
from seam_seg.apis.prediction import number_pieces
from seam_seg.atomic import write_picture
from seam_seg.datasets.annotations import annotation_of
from seam_seg.datasets.polygon_files import read_coco, read_labelme
from seam_seg.datasets.readers import read_spacing
from seam_seg.errors import InputError
from seam_seg.measurement import interval


@pytest.fixture(scope='module')
def found():
    """A prediction of a drawn spine; one bone is doubtful, another in two pieces."""
    mask, bones = draw_spine(tilts_of('single', 20), instances=True)
    bones = bones.astype(np.int32)
    split = int(np.unique(bones)[3])
    rows = np.flatnonzero((bones == split).any(axis=1))
    middle = int(rows.mean())
    gap = np.zeros(mask.shape, bool)
    gap[middle : middle + 3] = bones[middle : middle + 3] == split
    mask, bones = np.where(gap, 0, mask), np.where(gap, 0, bones)
    sure = np.full(mask.shape, 0.9, np.float32)
    sure[bones == np.unique(bones)[5]] = 0.5
    return Prediction(mask, sure, 60 * mask, lambda: bones, spacing=(0.5, 0.25))


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'out'


def save(found, out, names, new=None, files=False, **options):
    """As tools/predict.py does for several images; with their other files, if wanted."""
    new = names if new is None else new
    corrections = Corrections(out, names, new, **options)
    for name in names:
        if files and name in new:
            found.save(out, name)
        corrections.add(out / 'none.png', name, found if name in new else None)
    return corrections.finish([])


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def check_bones(drawing, found):
    """The polygons of a prediction, drawn again."""
    drawn = annotation_of(drawing, 'a.json')
    assert len(drawing.bones) == len(np.unique(found.bones)) - 1 > 20
    for number, bone in enumerate(drawing.bones, 1):
        inside = drawn.instances == number
        true = found.bones == np.bincount(found.bones[inside]).argmax()
        assert found.classes[found.mask[true][0]] == bone.label
        assert dice(inside, true) > 0.98
    assert dice(drawn.labels > 0, found.mask > 0) > 0.99


@pytest.mark.slow
def test_polygons_of_both_formats(found, out):
    said = save(found, out, ['p1/a', 'b'], formats=['labelme', 'coco'])
    assert 'polygons for LabelMe' in said and 'coco.json' in said and 'overview' in said
    coco = read_coco(out / 'coco.json')
    assert list(coco) == ['p1/a', 'b']
    for name in coco:
        path = out / f'polygons/{name}.json'
        drawing = read_labelme(path)
        for one in (drawing, coco[name]):
            check_bones(one, found)
            assert not one.is_label  # before somebody has looked at it
        content = json.loads(path.read_text())
        picture = path.parent / content['imagePath']
        np.testing.assert_array_equal(cv2.imread(str(picture), -1), found.image)
        assert read_spacing(picture) == (0.5, 0.25)
        first, *_ = content['shapes']  # the most doubtful one
        bone = found.table()[0]
        assert first['label'] == bone.bone and first['flags'] == {'doubtful': True}
        assert first['description'].startswith(f'bone {bone.id}, {bone.side}, level ')
        groups = [shape['group_id'] for shape in content['shapes']]
        assert len({*groups} - {None}) == 1 and groups.count(None) == len(groups) - 2
    entry = json.loads((out / 'coco.json').read_text())['annotations'][0]
    assert entry['attributes']['id'] == bone.id
    assert entry['attributes']['doubt'] == pytest.approx(bone.doubt, abs=1e-4)
    # a model in a notebook
    found.save(out, 'c', labelme=True)
    written = json.loads((out / 'polygons/c.json').read_text())
    assert written == dict(content, imagePath='c.png')


def test_the_overview_links_the_pages_that_are_there(found, out):
    """A case that could not be measured has none."""
    (out / 'p1').mkdir(parents=True)
    for name in ('p1/a', 'b'):
        (out / f'{name}.html').touch()
    names = ['p1/a', 'b', 'c']
    for pages, expected in ((True, ['p1/a.html', 'b.html']), (False, [])):
        save(found, out, names, pages=pages)
        links = re.findall('href="([^"#]*.html)"', (out / 'overview.html').read_text())
        assert sorted(links) == sorted(expected)


@pytest.mark.slow
def test_corrections_are_not_overwritten(found, out):
    save(found, out, ['a', 'b'], files=True, formats=['labelme'])
    path = out / 'polygons/a.json'
    path.write_text('the work of a day')
    with pytest.raises(InputError, match='a.json: is there, and may hold corrections'):
        save(found, out, ['c', 'a'], formats=['labelme'])
    assert not (out / 'c.png').exists()
    with pytest.raises(InputError, match='may hold corrections'):
        found.save(out, 'a', labelme=True)
    save(found, out, ['a', 'c'], new=['c'], formats=['labelme', 'coco'])
    assert path.read_text() == 'the work of a day'
    assert list(read_coco(out / 'coco.json')) == ['a', 'c']


@pytest.mark.slow
def test_polygons_of_what_was_segmented_before(found, out):
    """From the files that are there, as from the prediction itself."""
    save(found, out, ['p1/a', 'b'], files=True, formats=['labelme', 'coco'])
    before = {path: path.read_bytes() for path in out.rglob('*.json')}
    assert len(before) == 3
    for path in before:
        path.unlink()
    (out / 'polygons/b.png').unlink()
    cv2.imwrite(str(out / 'none.png'), found.image)
    save(found, out, ['p1/a', 'b'], new=[], formats=['labelme', 'coco'])
    assert {path: path.read_bytes() for path in out.rglob('*.json')} == before
    assert (out / 'polygons/b.png').is_file()
    (out / 'polygons/b.png').unlink()
    cv2.imwrite(str(out / 'none.png'), found.image[1:])  # another image of that name
    with pytest.raises(InputError, match='none.png: is .* and of another image'):
        save(found, out, ['p1/a', 'b'], new=[], formats=['coco'])
    table = out / 'bones/b.csv'
    text = table.read_text()
    table.write_text(text.replace('\n1,', '\n999,'))
    with pytest.raises(InputError, match='does not have the bones of the table bones/b'):
        save(found, out, ['p1/a', 'b'], new=[], formats=['coco'])
    table.write_text(text.replace('doubt', 'trouble'))
    with pytest.raises(InputError, match='b.csv: is no table of bones'):
        save(found, out, ['p1/a', 'b'], new=[])
    table.unlink()  # somebody has kept the labels alone, and asks for no more
    assert 'overview' in save(found, out, ['p1/a', 'b'], new=[])


def test_the_patient_is_not_in_the_polygons(out, tmp_path):
    write_dicom(tmp_path / 'scan.dcm', np.full((128, 64), 90, np.uint8))
    mask = np.zeros((128, 64), np.uint8)
    mask[20:40, 10:30] = 1
    found = Prediction(mask, mask + 0.5, 60 * mask, lambda: mask.astype(np.int32))
    found.save(out, 'scan')
    corrections = Corrections(out, ['scan'], [], ['labelme', 'coco'])
    corrections.add(tmp_path / 'scan.dcm', 'scan')
    said = corrections.finish([])
    written = [path for path in out.rglob('*') if path.is_file()]
    assert {'scan.json', 'coco.json'} <= {path.name for path in written}
    content = b''.join(path.read_bytes() for path in written) + said.encode()
    for value in PATIENT.values():
        assert value.split('^')[0].encode() not in content


def test_the_most_doubtful_case_is_the_first(found, out):
    sure = replace(found, confidence=np.ones(found.mask.shape, np.float32))
    nothing = np.zeros_like(found.mask)
    empty = replace(found, mask=nothing, find_bones=lambda: nothing.astype(np.int32))
    corrections = Corrections(out, ['sure', 'doubt <b>', 'empty'], [])
    for one, name in ((sure, 'sure'), (found, 'doubt <b>'), (empty, 'empty')):
        corrections.add(out / 'none.png', name, one)
    corrections.finish(['bad.png: is <i> damaged'])
    page = (out / 'overview.html').read_text()
    titles = re.findall(r'<h2 class="name">\d\. (.*?)</h2>', page)
    assert titles == ['empty', 'doubt &lt;b&gt;', 'sure']
    assert 'bad.png: is &lt;i&gt; damaged' in page and '<b>' not in page
    assert 'src="overlay/doubt%20%3Cb%3E.png"' in page
    ids = re.findall(r'<th scope="row">(\d+)</th>', page)
    assert ids[:12] == [str(bone.id) for bone in found.table()[:12]]
    assert 'href="sure.html"' not in page
    assert page.count('class="doubtful"') == sum(b.doubt >= 0.25 for b in found.table())
    # of one image there is nothing to compare
    single = Corrections(out / 'one', ['a'], ['a'])
    single.add(out / 'none.png', 'a', found)
    assert single.finish([]) == '' and not (out / 'one').exists()
    # what an earlier run said of it would not hold any more
    single = Corrections(out, ['sure'], ['sure'])
    single.add(out / 'none.png', 'sure', found)
    assert single.finish([]) == '' and not (out / 'overview.html').exists()


@pytest.mark.slow
def test_polygons_of_measured_masks(out, tmp_path, tool, capsys, monkeypatch):
    """Of any origin, with the names of the levels, on their images."""
    monkeypatch.setattr(interval, 'REPETITIONS', 3)
    mask = draw_spine(tilts_of('double', 30), missing=[(3, 'left')])
    for name in ('masks/a_bone_3', 'masks/b', 'images/a'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_picture(tmp_path / f'{name}.png', mask, (0.4, 0.3))
    words = [str(tmp_path / 'masks'), '--out', str(out), '--polygons', 'labelme', 'coco']
    with pytest.raises(SystemExit):
        tool('measure')(words)
    words += ['--images', str(tmp_path / 'images')]
    assert tool('measure')(words) == 1
    said = capsys.readouterr()
    assert said.err.endswith(
        'error: b: polygons are drawn on an image, and there is none '
        'of this name. Correct --images, or leave out --polygons.\n'
    )
    assert '1 of 2 masks measured' in said.out and 'COCO in' in said.out
    measured = json.loads((out / 'a_bone_3.json').read_text())['bones']
    entries = json.loads((out / 'coco.json').read_text())['annotations']
    found = {entry['attributes']['id']: entry['attributes'] for entry in entries}
    assert len(found) == len(measured) > 20
    for bone in measured:
        assert found[bone['id']]['level'] == bone['level']
        assert found[bone['id']]['flags'].split() == bone['flags']
    assert read_spacing(out / 'polygons/a_bone_3.png') == (0.4, 0.3)
    drawing = read_labelme(out / 'polygons/a_bone_3.json')
    drawn = annotation_of(drawing, 'a.json')
    assert dice(drawn.labels > 0, mask > 0) > 0.99
    first = json.loads((out / 'polygons/a_bone_3.json').read_text())['shapes'][0]
    assert 'no_partner' in first['description'] and first['flags'] == {'doubtful': True}
    # once more would overwrite them; the tool that measures takes no pictures for masks
    assert tool('measure')(words) == 2
    assert tool('measure')([str(out), '--out', str(tmp_path / 'new')]) == 2
    assert 'holds no mask' in capsys.readouterr().err


@pytest.mark.slow
def test_a_file_of_coco_with_corrections_is_not_overwritten(found, out):
    save(found, out, ['a', 'b'], formats=['coco'])
    save(found, out, ['a', 'b'], formats=['coco'])  # nobody has looked at it
    path = out / 'coco.json'
    content = json.loads(path.read_text())
    content['images'][1]['checked'] = True
    for text in (json.dumps(content), 'of another kind'):
        path.write_text(text)
        with pytest.raises(InputError, match='coco.json: is there, and may hold corr'):
            save(found, out, ['a', 'b'], new=[], formats=['coco'])
        assert path.read_text() == text


def test_names_that_are_taken(out):
    for name in ('coco', 'overview'):
        with pytest.raises(InputError, match=f'a case is named {name}'):
            Corrections(out, [name, 'a'], [], pages=True)
        Corrections(out, [name, 'a'], [])


def test_each_piece_of_a_bone_has_its_number(found):
    numbers = number_pieces(found.bones, found.table())
    assert len(numbers) == len(found.table()) + 1
    assert numbers[-1].marked and numbers[-1].value == found.table()[0].id
    for number in numbers:
        assert found.bones[int(number.y), int(number.x)] == number.value
