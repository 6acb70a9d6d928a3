"""What is on the pages: all of the measurement, and nothing that a name smuggles in."""

import base64
import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from dicom_files import write_dicom
from spine_drawing import draw_spine, tilts_of

from seam_seg.apis.measure_files import Folders, find_companion, measure_file
from seam_seg.apis.report_files import Results
from seam_seg.errors import InputError
from seam_seg.measurement import Settings, interval, measure_mask
from seam_seg.report import case_page, drawing, index_page, words
from seam_seg.report.room import LEAST_ROWS, MOST_ROWS, bones_with_room

HOSTILE = '<img src=x onerror=alert(1)> {{ 7 * 7 }} "\'&</script>'
FILE = HOSTILE.replace('/', '')  # what a file system takes


@pytest.fixture(autouse=True)
def few_repetitions(monkeypatch):
    monkeypatch.setattr(interval, 'REPETITIONS', 3)


class Page(HTMLParser):
    """Elements with their attributes, and the text of those that have an id."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.scripts, self._tag = [], '', [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._tag = tag
        if tag == 'script':
            self.scripts.append('')

    def handle_endtag(self, tag):
        self._tag = None

    def handle_data(self, data):
        if self._tag == 'script':
            self.scripts[-1] += data
        else:
            self.text += data

    def values(self, attribute):
        return [one[attribute] for _, one in self.elements if attribute in one]

    @property
    def json(self):
        return json.loads(self.scripts[0])


def content_of(measurement, name='case'):
    mask = dict(file=f'{name}.png', sha256='ab' * 32)
    software = dict(seam_seg='1', numpy='2')
    return dict(
        measurement.to_dict(), name=name, files=dict(mask=mask), software=software
    )


def page_of(measurement, name='case', **more):
    return case_page(measurement, content_of(measurement, name), **more)


@pytest.fixture(scope='module')
def double():
    mask = draw_spine(tilts_of('double', 30), missing=[(3, 'left')])
    return measure_mask(mask), 60 * mask


def test_all_of_the_measurement_is_on_the_page(double):
    measured, image = double
    text = page_of(measured, image=image)
    page = Page(text)
    assert page.json == content_of(measured)
    assert page.values('data-curve') == ['1', '2'] and len(measured.curves) == 2
    assert page.values('data-level') == [level.name for level in measured.levels]
    ids = [str(bone.id) for bone in measured.bones]
    assert page.values('data-bone') == ids and len(ids) > 20
    for curve in measured.curves:
        low, high = curve.interval_deg
        for angle in (curve.angle_deg, curve.raw_angle_deg, low, high):
            assert f'{angle:.1f}°' in page.text
        assert curve.upper_name in page.text and curve.apex_name in page.text
    assert 'Research use. UCA, not Cobb.' in page.text
    assert 'square, which is an assumption' in page.text and 'abab' in page.text
    # the bone whose partner is missing is in the table, and its number in the picture
    (lonely,) = (bone for bone in measured.bones if 'no_partner' in bone.flags)
    assert page.values('data-tag') == [str(lonely.id)]
    assert f'#bone-{lonely.id}' in page.values('href')
    assert text == page_of(measured, image=image)


def test_settings_are_said():
    told = Settings((2, 1), 'patient_left', (5, 6, 7), -1)
    measured = measure_mask(draw_spine(tilts_of('double', 30)), settings=told)
    said = Page(page_of(measured)).text
    for text in ('2 high, 1 wide', "the patient's left", '5°, 6°, 7°', 'moved by -1'):
        assert text in said
    assert "patient's right" in said  # the convexity of the first curve


def test_lines_are_drawn_where_they_were_measured(double):
    """The end lines are as far apart as the angle says, the picture is to scale."""
    measured, image = double
    drawn = drawing.make_drawing(measured, image, {})
    assert drawn.frame.width / drawn.frame.height == pytest.approx(320 / len(image))
    for lines, curve in zip(drawn.curves, measured.curves):
        angles = []
        for path, end in zip(lines.ends, (curve.upper, curve.lower)):
            numbers = re.findall(r'-?[\d.]+', path)
            x1, y1, x2, y2 = map(float, numbers)
            angles.append(np.degrees(np.arctan((y1 - y2) / (x2 - x1))))
            level = measured.levels[end]
            x, y = drawn.frame.place(level.x, level.y)
            # the middle of the level is on the line, which ends on the concave side
            assert (x - x1) * (y2 - y1) == pytest.approx((y - y1) * (x2 - x1), abs=40)
            assert (x2 > x) == (curve.convex_to == 'left')
        assert abs(angles[0] - angles[1]) == pytest.approx(curve.angle_deg, abs=0.2)


def test_a_stretched_picture_shows_the_angles_of_the_patient():
    mask = draw_spine(tilts_of('double', 30))
    measured = measure_mask(mask, settings=Settings((2, 1)))
    frame = drawing.make_drawing(measured, None, {}).frame
    assert frame.height / frame.width == pytest.approx(2 * mask.shape[0] / mask.shape[1])


def test_no_name_becomes_markup(double):
    measured, _ = double
    page = Page(page_of(measured, HOSTILE))
    assert page.json['name'] == HOSTILE
    assert HOSTILE in page.text and not page.values('onerror')
    assert len(page.scripts) == 2
    index = Page(index_page([(HOSTILE, measured)], [f'{HOSTILE}: bad']))
    assert not index.values('onerror') and not index.scripts
    assert index.text.count(HOSTILE) == 2
    # bytes that are no UTF-8
    assert 'a?b' in page_of(measured, 'a\udcffb')
    assert 'a%FFb.html' in index_page([('a\udcffb', measured)])


def test_no_request_leaves_the_page(double):
    measured, image = double
    for text in (page_of(measured, image=image), index_page([('a', measured)])):
        page = Page(text)
        assert "default-src 'none'" in page.values('content')[1]
        links = page.values('href') + page.values('src')
        assert all(link.startswith(('data:', '#', 'a.html')) for link in links)
        assert not re.search(r'https?://|@import|url\((?!#)', text)


def test_the_largest_page_is_small_enough():
    """Noise is the worst image, and a mask of specks the worst mask."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (2574, 640), dtype=np.uint8)
    mask = np.zeros((2574, 640), np.uint8)
    for label in (1, 2, 3):
        mask[::16, 4 * label :: 16] = label
    measured = measure_mask(mask)
    assert len(measured.bones) == 2 * drawing.MOST_BONES
    page = page_of(measured, image=image)
    assert len(page.encode()) < 1_500_000
    assert len(Page(page).json['bones']) == drawing.MOST_BONES
    assert f'{len(measured.bones) - drawing.MOST_BONES} more bones' in page
    (uri,) = (one for one in Page(page).values('href') if one.startswith('data:image'))
    data = np.frombuffer(base64.b64decode(uri.split(',')[1]), np.uint8)
    shown = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    assert 1500 < len(shown) < 2000
    assert shown.shape[1] / len(shown) == pytest.approx(640 / 2574, abs=1e-3)


def test_refused_cases_have_a_page():
    measured = measure_mask(draw_spine(tilts_of('single', 20, 3), lumps=0))
    page = Page(page_of(measured))
    assert f'Not measured: {measured.reason}' in page.text
    assert len(page.values('data-bone')) == 6 and not page.values('data-level')
    empty = measure_mask(np.zeros((50, 40), np.uint8))
    assert 'Not measured: the mask has no bone' in Page(page_of(empty)).text


def test_a_straight_spine_has_no_curve():
    measured = measure_mask(draw_spine(tilts_of('straight', 0)))
    page = Page(page_of(measured))
    assert 'No curve of 5° or more' in page.text and not page.values('data-curve')


def write_table(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'w', newline='') as file:
        csv.writer(file).writerows([('id', 'bone', 'area', 'doubt'), *rows])


def test_doubts_beside_bones_of_another_format(tmp_path):
    mask, known = draw_spine(tilts_of('single', 20), instances=True)
    (tmp_path / 'instances').mkdir()
    cv2.imwrite(str(tmp_path / 'a.png'), mask)
    write_dicom(tmp_path / 'instances/a.IMA', known)
    write_table(tmp_path / 'bones/a.csv', [(5, 'thoracic', (known == 5).sum(), 0.61)])
    assert measure_file(tmp_path / 'a.png').doubts == {5: 0.61}


def test_doubts_of_the_prediction(tmp_path):
    mask, known = draw_spine(tilts_of('single', 20), instances=True)
    (tmp_path / 'instances').mkdir()
    cv2.imwrite(str(tmp_path / 'a_bone_3.png'), mask)
    cv2.imwrite(str(tmp_path / 'instances/a.png'), known)
    area = int((known == 5).sum())
    table = tmp_path / 'bones/a.csv'
    # the area of bone 7 is another by now: it was corrected
    rows = [(5, 'thoracic', area, 0.61), (6, 'rib', area, 0.9), (7, 'thoracic', 1, 0.8)]
    write_table(table, rows)
    case = measure_file(tmp_path / 'a_bone_3.png')
    assert case.doubts == {5: 0.61} and case.files['bones']['file'] == 'a.csv'
    page = Page(case_page(case.measurement, case.to_dict(), case.image, case.doubts))
    assert page.values('data-tag')[0] == '5' and '0.61' in page.text
    table.write_text('hello\n1\n')
    with pytest.raises(InputError, match='a.csv: is no table of bones'):
        measure_file(tmp_path / 'a_bone_3.png')


def test_several_cases_and_a_hostile_file_name(tmp_path, tool, capsys):
    masks, out = tmp_path / 'masks', tmp_path / 'out'
    masks.mkdir()
    for name, mask in (
        ('plain', draw_spine(tilts_of('straight', 0))),
        (FILE, draw_spine(tilts_of('double', 30))),
        ('none', np.zeros((60, 40), np.uint8)),
    ):
        cv2.imwrite(str(masks / f'{name}.png'), mask)
    (masks / f'bad {FILE}.png').write_text('no picture')
    assert tool('measure')([str(masks), '--out', str(out)]) == 1
    assert '2 of 4 masks measured' in capsys.readouterr().out
    index = Page((out / 'index.html').read_text('utf-8'))
    # the refused one first, with its reason; two curves have more flags than none
    links = [one for one in index.values('href') if one.endswith('.html')]
    assert links[0] == 'none.html' and links[2] == 'plain.html' and '%3Cimg' in links[1]
    assert 'the mask has no bone' in index.text and f'bad {FILE}.png' in index.text
    assert not index.values('onerror')
    page = Page((out / f'{FILE}.html').read_text('utf-8'))
    assert page.json == json.loads((out / f'{FILE}.json').read_text())


def test_a_case_called_index(tmp_path):
    Results(tmp_path, ['index'])
    with pytest.raises(InputError, match='a case is named index'):
        Results(tmp_path, ['a', 'index'])


def test_companions_with_endings_in_capitals(tmp_path):
    mask = draw_spine(tilts_of('single', 20))
    cv2.imwrite(str(tmp_path / 'a.png'), mask)
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images/a.PNG').write_bytes((tmp_path / 'a.png').read_bytes())
    case = measure_file(tmp_path / 'a.png', Folders(tmp_path / 'images'))
    assert case.files['image']['file'] == 'a.PNG'


def test_a_companion_without_an_ending(tmp_path):
    """A scan as an archive exports it; a text of that name is none."""
    cv2.imwrite(str(tmp_path / 'a.png'), draw_spine(tilts_of('single', 20)))
    images = tmp_path / 'images'
    images.mkdir()
    (images / 'a').write_text('of the patient')
    assert find_companion(images, tmp_path / 'a.png') is None
    for name in ('a', 'a.IMA'):
        path = write_dicom(images / name, cv2.imread(str(tmp_path / 'a.png'), 0))
        assert find_companion(images, tmp_path / 'a.png') == path
        path.unlink()
    (images / 'a.b.png').touch()
    assert find_companion(images, tmp_path / 'a.png') is None
    dotted = write_dicom(images / 'Smith.John', np.zeros((9, 9), np.uint8))
    assert find_companion(images, tmp_path / 'a.png', 'Smith.John') == dotted


def test_doubtful_bones_leave_room_for_what_comes_first(double):
    measured, _ = double
    reasons = [['no_partner']] * 30

    def rows(measurement, name='case', files=6):
        return bones_with_room(reasons, measurement, name, files)

    none = measure_mask(draw_spine(tilts_of('straight', 0)))
    assert none.curves == none.flags == [] and rows(none) == MOST_ROWS
    assert bones_with_room(reasons[:2], none, 'case', 6) == 2
    flags = list(words.FLAGS)[:7]
    curves = [replace(curve, flags=['methods_disagree']) for curve in 2 * measured.curves]
    crowded = replace(measured, curves=curves, flags=flags)
    few = rows(crowded)
    assert LEAST_ROWS < few < MOST_ROWS
    assert rows(crowded, 'x' * 80) < few and rows(crowded, files=8) < few
    assert rows(crowded, 'x' * 900, 40) == LEAST_ROWS
    page = Page(page_of(crowded, doubts={bone.id: 0.5 for bone in measured.bones}))
    assert 0 < len(page.values('data-tag')) < MOST_ROWS
    assert len(page.values('data-tag')) == len(page.values('data-spot'))


def test_numbers_of_bones_are_within_the_picture():
    mask = draw_spine(tilts_of('single', 30))
    rows, columns = np.nonzero(mask)
    mask = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    measured = measure_mask(mask, interval=False)
    drawn = drawing.make_drawing(measured, None, {})
    for outline in drawn.outlines:
        x, y = outline.at
        assert drawing.TAG <= x <= drawn.frame.width - drawing.TAG
        assert drawing.TAG / 2 <= y <= drawn.frame.height - drawing.TAG / 2
