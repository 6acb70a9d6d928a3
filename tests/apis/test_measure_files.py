"""Measuring files: what is found beside a mask, what is written, in which order."""

import csv
import hashlib
import json

import cv2
import numpy as np
import pytest
from dicom_files import write_dicom
from spine_drawing import draw_spine, tilts_of

from seam_seg.apis.measure_files import (
    COLUMNS,
    Folders,
    find_companion,
    measure_file,
    pixels_of,
)
from seam_seg.atomic import write_labels
from seam_seg.datasets import VPIDataset
from seam_seg.errors import InputError
from seam_seg.measurement import Settings, interval

KINDS = ('json', 'html')


@pytest.fixture(autouse=True)
def few_repetitions(monkeypatch):
    monkeypatch.setattr(interval, 'REPETITIONS', 3)


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
    return path


@pytest.fixture
def masks(tmp_path):
    """A folder of a double curve, a straight spine, an empty mask and a broken file."""
    folder = tmp_path / 'masks'
    write(folder / 'a_bone_3.png', draw_spine(tilts_of('double', 30)))
    write(folder / 'b.png', draw_spine(tilts_of('straight', 0)))
    write(folder / 'c.png', np.zeros((60, 40), np.uint8))
    (folder / 'd.png').write_text('no picture')
    return folder


def test_one_bad_mask_stops_no_other(masks, tmp_path, tool, capsys):
    out = tmp_path / 'out'
    assert tool('measure')([str(masks), '--out', str(out)]) == 1
    said = capsys.readouterr()
    assert '2 of 4 masks measured' in said.out and 'read index.html' in said.out
    assert 'c: not measured: the mask has no bone' in said.out
    assert said.err.count('error: ') == 1 and 'd.png' in said.err
    assert {path.name for path in out.iterdir()} == {
        *(f'{name}.{kind}' for name in ('a_bone_3', 'b', 'c') for kind in KINDS),
        'curves.csv',
        'index.html',
    }
    content = json.loads((out / 'a_bone_3.json').read_text())
    assert content['name'] == 'a_bone_3'
    assert content['largest_curve_angle_deg'] == pytest.approx(30, abs=2)
    digest = hashlib.sha256((masks / 'a_bone_3.png').read_bytes()).hexdigest()
    assert content['files'] == dict(mask=dict(file='a_bone_3.png', sha256=digest))
    assert content['software']['seam_seg'] and content['reason'] is None
    refused = json.loads((out / 'c.json').read_text())
    assert refused['largest_curve_angle_deg'] is None and refused['reason']

    rows = list(csv.DictReader((out / 'curves.csv').open()))
    assert tuple(rows[0]) == COLUMNS
    # the refused one first; two curves have more flags than none
    assert [row['name'] for row in rows] == ['c', 'a_bone_3', 'a_bone_3', 'b']
    assert rows[0]['reason'] and rows[0]['angle_deg'] == rows[0]['doubt'] == ''
    assert float(rows[1]['doubt']) > float(rows[3]['doubt'])
    assert [row['curve'] for row in rows] == ['', '1', '2', '']
    assert float(rows[1]['angle_deg']) == pytest.approx(30, abs=2)
    assert float(rows[1]['low_deg']) < float(rows[1]['angle_deg'])
    assert [rows[1]['convex_to'], rows[2]['convex_to']] == ['right', 'left']


def test_options_reach_the_measurement(masks, tmp_path, tool, capsys):
    words = '--spacing 0.00213 0.004217 --image-left patient_left --level-shift -1'
    words += ' --severity 1 2 3'
    out = tmp_path / 'out'
    assert tool('measure')([str(masks / 'b.png'), '--out', str(out), *words.split()]) == 0
    assert 'read b.html' in capsys.readouterr().out
    content = json.loads((out / 'b.json').read_text())
    assert content['settings'] == dict(
        spacing=[0.00213, 0.004217],
        image_left='patient_left',
        severity=[1, 2, 3],
        level_shift=-1,
    )
    assert content['levels'][-1]['name'] == 'L4'


def test_nothing_is_to_be_read_where_nothing_was_measured(masks, tmp_path, tool, capsys):
    out = tmp_path / 'out'
    assert tool('measure')([str(masks / 'd.png'), '--out', str(out)]) == 1
    assert capsys.readouterr().out.strip() == '0 of 1 masks measured'
    assert list(out.iterdir()) == []
    # nor of an earlier call; but what somebody else has written stays
    path = write(tmp_path / 'a.png', draw_spine(tilts_of('double', 30)))
    assert tool('measure')([str(path), '--out', str(out)]) == 0
    path.write_text('no picture')
    (out / 'd.json').write_text('{"schema": "another"}')
    assert tool('measure')([str(path), '--out', str(out)]) == 1
    assert tool('measure')([str(masks / 'd.png'), '--out', str(out)]) == 2
    assert {file.name for file in out.iterdir()} == {'curves.csv', 'd.json'}
    assert len((out / 'curves.csv').read_text().splitlines()) == 1


def test_a_single_case_leaves_no_index_of_before(masks, tmp_path, tool):
    """It would show another angle than the case's own page."""
    out = tmp_path / 'out'
    words = [str(masks / 'a_bone_3.png'), str(masks / 'b.png'), '--out', str(out)]
    assert tool('measure')(words) == 0
    assert (out / 'index.html').is_file()
    assert tool('measure')(words[1:]) == 0
    assert not (out / 'index.html').exists() and (out / 'a_bone_3.html').is_file()
    own = out / 'index.html'
    own.write_text('<title>Our ward</title>')
    assert tool('measure')(words[1:]) == 0
    assert own.read_text() == '<title>Our ward</title>'


def test_polygons_that_somebody_drew_are_no_record(masks, tool, capsys):
    own = masks / 'b.json'
    own.write_text('{"flags": {"checked": true}, "shapes": []}')
    before = {path: path.read_bytes() for path in masks.iterdir()}
    words = [str(masks / 'a_bone_3.png'), str(masks / 'b.png'), '--out', str(masks)]
    assert tool('measure')(words) == 2
    assert 'b.json: is there, and is no measurement' in capsys.readouterr().err
    assert {path: path.read_bytes() for path in masks.iterdir()} == before


def test_what_goes_with_a_mask_is_found(tmp_path):
    mask, known = draw_spine(tilts_of('single', 20), joined=[12], instances=True)
    path = write(tmp_path / 'a_bone_3.png', mask)
    write(tmp_path / 'images/a.png', 60 * mask)
    alone = measure_file(path)
    assert alone.image is None and alone.measurement.interval_basis == 'mask'
    write(tmp_path / 'instances/a.png', known)
    write(tmp_path / 'confidence/a.png', np.full(mask.shape, 200, np.uint8))
    case = measure_file(path, Folders(images=tmp_path / 'images'))
    assert set(case.files) == {'mask', 'image', 'instances', 'confidence'}
    np.testing.assert_array_equal(case.image, 60 * mask)
    np.testing.assert_array_equal(case.measurement.bone_map, known)
    assert case.measurement.interval_basis == 'mask and probabilities'
    assert case.name == 'a_bone_3'
    # NAME.png goes before what NAME_bone_3.png is said to belong to
    write(tmp_path / 'images/a_bone_3.png', 50 * mask)
    assert find_companion(tmp_path / 'images', path).name == 'a_bone_3.png'
    assert find_companion(tmp_path, path) is None  # not the mask itself


def test_two_images_of_a_mask(tmp_path):
    """A PNG beside the scan it was made of has another size of a pixel."""
    mask = draw_spine(tilts_of('single', 20))
    path = write(tmp_path / 'a.png', mask)
    write(tmp_path / 'images/a.png', 60 * mask)
    write(tmp_path / 'images/a.tif', 60 * mask)
    with pytest.raises(InputError, match='both .*a.png and a.tif have its name'):
        measure_file(path, Folders(images=tmp_path / 'images'))


@pytest.mark.slow
def test_results_of_folders_of_patients(tmp_path, tool):
    """Masks keep their folders, and what belongs to each is found in the same ones."""
    out = tmp_path / 'results'
    mask, known = draw_spine(tilts_of('single', 20), joined=[12], instances=True)
    for place in ('p01/scan', 'p02/left/scan'):
        write(out / f'{place}.png', mask)
        write(out / f'instances/{place}.png', known)
        write(out / f'confidence/{place}.png', np.full(mask.shape, 200, np.uint8))
        write(out / f'overlay/{place}.png', np.dstack([mask] * 3))
    write(tmp_path / 'images/p02/left/scan.tif', 60 * mask)
    found = tmp_path / 'found'
    words = [str(out), '--images', str(tmp_path / 'images'), '--out', str(found)]
    assert tool('measure')(words) == 0
    kinds = {'mask', 'instances', 'confidence'}
    for place, used in (('p01/scan', kinds), ('p02/left/scan', {*kinds, 'image'})):
        content = json.loads((found / f'{place}.json').read_text())
        assert content['name'] == place and set(content['files']) == used
        assert f'href="{place}.html"' in (found / 'index.html').read_text()
        assert (found / f'{place}.html').is_file()
    rows = list(csv.DictReader((found / 'curves.csv').open()))
    assert {row['name'] for row in rows} == {'p01/scan', 'p02/left/scan'}
    # named alone, a mask still has what lies beside the folder that holds it
    alone = measure_file(out / 'p02/left/scan.png')
    assert set(alone.files) == kinds and alone.name == 'scan'


def test_a_side_that_a_file_states(tmp_path):
    """A picture from behind is turned as viewers show it: the left is the right."""
    nibabel = pytest.importorskip('nibabel')
    mask = draw_spine(tilts_of('single', 30))  # convex to the right of the picture
    plain = write(tmp_path / 'plain.png', mask)
    affine = np.array([[0.2, 0, 0, 0], [0, 0, 1, 0], [0, -0.2, 0, 0], [0, 0, 0, 1]])
    behind = tmp_path / 'behind.nii.gz'
    nibabel.save(nibabel.Nifti1Image(mask.T[:, :, None], affine), behind)

    def sides(path, **settings):
        (curve,) = measure_file(path, settings=Settings(**settings)).measurement.curves
        return curve.convex_to, curve.side

    assert sides(plain, image_left='patient_left') == ('right', 'right')
    assert sides(plain) == ('right', None)
    # the same scan; not contradicted, it is not believed either
    assert sides(behind, image_left='patient_right') == ('left', 'right')
    assert sides(behind) == ('left', None)
    with pytest.raises(InputError, match='behind.nii.gz: .*left, .* patient_right, but'):
        sides(behind, image_left='patient_left')
    # labels of that image are as it was read
    (tmp_path / 'labels').mkdir()
    labels = write(tmp_path / 'labels/behind.png', mask[:, ::-1])
    with pytest.raises(InputError, match='behind.nii.gz: .*left'):
        measure_file(labels, Folders(tmp_path), Settings(image_left='patient_left'))


def test_what_a_named_folder_does_not_have_is_said(masks, tmp_path, tool, capsys):
    words = [str(masks / 'a_bone_3.png'), str(masks / 'b.png'), '--out', str(tmp_path)]
    shape = cv2.imread(str(masks / 'b.png'), cv2.IMREAD_UNCHANGED).shape
    write(tmp_path / 'images/b.png', np.zeros(shape, np.uint8))
    assert tool('measure')([*words, '--images', str(tmp_path / 'images')]) == 0
    (said,) = capsys.readouterr().err.splitlines()[-1:]
    assert 'images: has nothing for a_bone_3, measured without' in said
    write(tmp_path / 'known/b.png', np.zeros(shape, np.uint8))
    assert tool('measure')([*words, '--instances', str(tmp_path / 'known')]) == 0
    (said,) = capsys.readouterr().err.splitlines()[-1:]
    assert 'known: has nothing for a_bone_3, measured' in said


@pytest.mark.slow
def test_size_of_a_pixel(tmp_path, tool, capsys):
    """Of the image before that of the mask, and what a person says before both."""
    mask = draw_spine(tilts_of('double', 30))
    path = tmp_path / 'masks/a.png'
    path.parent.mkdir()
    palette = VPIDataset.METAINFO['palette']
    write_labels(path, mask, palette, spacing=(0.2, 0.25))
    (tmp_path / 'images').mkdir()
    write_dicom(tmp_path / 'images/a.dcm', 60 * mask, PixelSpacing=[0.5, 0.4])
    folders = Folders(images=tmp_path / 'images')
    cases = [measure_file(path), measure_file(path, folders)]
    assert [case.measurement.settings.spacing for case in cases] == [
        (0.2, 0.25),
        (0.5, 0.4),
    ]
    for case in cases:
        settings = case.measurement.settings
        said = measure_file(path, settings=settings, ask_spacing=False).measurement
        angle = case.measurement.largest_curve_angle_deg
        assert angle == said.largest_curve_angle_deg
    plain = measure_file(write(tmp_path / 'plain.png', mask))
    given = measure_file(path, settings=settings, ask_spacing=False)
    said = [pixels_of(case) for case in (*cases, plain, given)]
    assert said == ['stated', 'stated', 'square', 'given']
    both = [str(path), str(tmp_path / 'plain.png'), '--out', str(tmp_path / 'both')]
    capsys.readouterr()
    assert tool('measure')(both) == 0
    assert 'plain: nothing states the size of a pixel' in capsys.readouterr().out
    rows = csv.DictReader((tmp_path / 'both/curves.csv').open())
    assert {(row['name'], row['pixels']) for row in rows} == {
        *[('a', 'stated'), ('plain', 'square')]
    }
    low, high = (case.measurement.largest_curve_angle_deg for case in cases)
    assert low < 28 and high > 32  # of 30 degrees in square pixels
    out = tmp_path / 'out'
    assert tool('measure')([str(path), '--out', str(out), '--spacing', '1', '1']) == 0
    content = json.loads((out / 'a.json').read_text())
    assert content['settings']['spacing'] == [1, 1]
    assert content['largest_curve_angle_deg'] == pytest.approx(30, abs=2)
    write_labels(path, mask, palette, spacing=(0.01, 3))
    with pytest.raises(InputError, match='a.png: spacing .* as high as wide'):
        measure_file(path)
    assert measure_file(path, ask_spacing=False).measurement.settings == Settings()
