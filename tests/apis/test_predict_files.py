"""Which files tools/predict.py takes, and which it refuses."""

import csv
import json
import shutil

import cv2
import numpy as np
import pytest
from dicom_files import PATIENT, write_dicom
from PIL import Image
from vpi_files import draw_case, write_image

from seam_seg.apis import init_model, predict
from seam_seg.apis.measure_files import digest
from seam_seg.apis.predict_files import find_images, prepare_out
from seam_seg.apis.prediction import KINDS
from seam_seg.atomic import write_labels
from seam_seg.datasets.readers import read_mask
from seam_seg.errors import InputError
from seam_seg.weights import READY_WEIGHTS


@pytest.fixture
def folder(tmp_path):
    for name in ('b.png', 'a.TIF', 'notes.md'):
        (tmp_path / name).touch()
    (tmp_path / 'list.txt').write_text('b.png\r\n\nelsewhere/c.png\n')
    return tmp_path


def test_finds_images(folder):
    names = [path.name for path in find_images([str(folder), 'single.jpg'])]
    assert names == ['a.TIF', 'b.png', 'single.jpg']
    listed = find_images([str(folder / 'list.txt')])
    assert listed == {folder / 'b.png': 'b', folder / 'elsewhere/c.png': 'elsewhere/c'}


def test_refuses_what_would_be_lost(folder, tmp_path):
    with pytest.raises(InputError, match='two images are named b'):
        find_images([str(folder / 'x/b.png'), str(folder / 'list.txt')])
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'empty.txt').touch()
    for name, match in (
        ('empty', 'holds no image'),
        ('empty.txt', 'no image is listed'),
        ('none.txt', 'no such list'),
    ):
        with pytest.raises(InputError, match=match):
            find_images([str(tmp_path / name)])
    with pytest.raises(InputError, match='could overwrite images'):
        prepare_out(folder, {folder / 'b.png': 'b'})
    with pytest.raises(InputError, match='could overwrite images'):
        prepare_out(folder, {folder / 'overlay/c.png': 'c'})
    with pytest.raises(InputError, match='could overwrite images'):
        prepare_out(folder, {folder / 'p1/c.png': 'p1/c'})
    with pytest.raises(InputError, match='lies in a folder named bones'):
        prepare_out(tmp_path / 'out', {folder / 'bones/c.png': 'bones/c'})


@pytest.fixture
def patients(tmp_path):
    """A folder for each of two patients, with masks and earlier results among them."""
    scans = tmp_path / 'scans'
    for name in (
        'p1/scan.png',
        'p2/deep/scan.tif',
        'p1/scan_mask.png',
        'out/p1/scan.png',
    ):
        write_image(scans / name, draw_case(len(name), (128, 64))[0])
    for kind in KINDS:
        (scans / 'out' / kind).mkdir()
    return scans


def test_folders_below_folders_keep_their_names(patients):
    found = find_images([str(patients)], mask_suffix='_mask.png')
    assert found == {
        patients / 'p1/scan.png': 'p1/scan',
        patients / 'p2/deep/scan.tif': 'p2/deep/scan',
    }
    with pytest.raises(InputError, match='two masks are named scan '):
        find_images([str(patients / 'p1/scan.png'), str(patients / 'out/p1')], 'mask')
    # the same file twice is one; and what only looks like a folder of results is none
    twice = [str(patients / 'p1'), str(patients / 'p1/scan.png')]
    assert list(find_images(twice).values()) == ['scan', 'scan_mask']
    (patients / 'out/bones').rmdir()
    assert 'out/p1/scan' in find_images([str(patients)]).values()


@pytest.mark.slow
def test_grey_levels_by_a_window(tmp_path, tool, capsys):
    """As a data set is prepared: levels below 0 are black only by what somebody says."""
    image = draw_case(0, (128, 64))[0]
    write_image(tmp_path / 'plain/scan.png', image)
    (tmp_path / 'raw').mkdir()
    cv2.imwrite(str(tmp_path / 'raw/scan.tif'), image * np.float32(10) - 500)

    def predict(folder, *more):
        names = str(tmp_path / folder), '--out', str(tmp_path / f'{folder}_out')
        return tool('predict')([*names, '--polygons', 'labelme', '--report', *more])

    assert predict('plain') == 0 and predict('raw') == 1
    assert 'scan.tif' in capsys.readouterr().err
    window = ['--window', '-500', '2050']
    assert predict('raw', *window) == 0
    one, other = (tmp_path / f'{folder}_out' for folder in ('plain', 'raw'))
    assert np.array_equal(*(Image.open(path / 'scan.png') for path in (one, other)))
    kept = ('polygons/scan.png', 'confidence/scan.png')
    picture = {name: (one / name).read_bytes() for name in kept}
    assert picture == {name: (other / name).read_bytes() for name in picture}
    record = json.loads((other / 'scan.json').read_text())
    assert record['files']['image']['window'] == '-500 to 2050'
    (other / 'polygons/scan.png').unlink()
    assert predict('raw', *window, '--skip-existing') == 0
    assert (other / 'polygons/scan.png').read_bytes() == picture['polygons/scan.png']
    images = [str(other), '--images', str(tmp_path / 'raw'), '--out', str(tmp_path / 'm')]
    assert tool('measure')(images) == 1
    assert tool('measure')([*images, *window]) == 0
    capsys.readouterr()
    wrong = ['--window', '9', '2', '--out', str(tmp_path / 'wrong')]
    for name, more in dict(predict=[], measure=images[1:3]).items():
        assert tool(name)([str(tmp_path / 'plain'), *wrong, *more]) == 2
        assert 'window 9 2: the level of black' in capsys.readouterr().err
    assert not (tmp_path / 'wrong').exists()


@pytest.mark.slow
def test_a_tree_of_files_of_patients(patients, tool, capsys):
    """Every file that can be is done, where it was, once, and tells nothing of whom."""
    image = draw_case(0, (128, 64))[0]
    write_dicom(patients / 'p2/a.dcm', image, PixelSpacing=[0.5, 0.25])
    (patients / 'p1/bad.nii.gz').write_bytes(b'no')
    out = patients / 'out'
    shutil.rmtree(out)
    argv = [str(patients), '--out', str(out), '--mask-suffix', '_mask.png']
    assert tool('predict')([*argv, '--device', 'cpu']) == 1
    output = capsys.readouterr()
    assert '3 of 4 images' in output.out and 'bad.nii.gz: the image is dam' in output.err
    names = ['p1/scan', 'p2/a', 'p2/deep/scan']
    for kind in ('', *KINDS):
        suffix = 'csv' if kind == 'bones' else 'png'
        found = [
            path.relative_to(out / kind).with_suffix('').as_posix()
            for path in (out / kind).rglob(f'*.{suffix}')
        ]
        if kind:
            assert sorted(found) == names
        else:
            assert {*names} <= {*found}
    for name in names:
        mask = read_mask(out / f'{name}.png', 4, image_shape=image.shape)
        with (out / f'bones/{name}.csv').open(newline='') as file:
            rows = list(csv.DictReader(file))
        assert sum(int(row['area']) for row in rows) == np.count_nonzero(mask)
        for row in rows:
            assert ('area_mm2' in row) == (name == 'p2/a')
            if name == 'p2/a':
                assert float(row['area_mm2']) == int(row['area']) / 8
                assert float(row['y_mm']) == pytest.approx(float(row['y']) / 2, abs=1e-4)
    header = (out / 'bones/p2/a.csv').read_text().splitlines()[0]
    assert header.endswith(',x_mm,y_mm,area_mm2')
    written = b''.join(path.read_bytes() for path in out.rglob('*') if path.is_file())
    written += (output.out + output.err).encode()
    for value in PATIENT.values():
        for text in (value, value.replace('^', ' '), value.split('^')[0]):
            assert text.encode() not in written

    # the angles know how large a pixel is, with the image and with the labels alone
    found = patients / 'found'
    assert tool('predict')([*argv, '--skip-existing', '--report']) == 1
    assert tool('measure')([str(out), '--out', str(found)]) == 0
    for name in names:
        for folder in (out, found):
            content = json.loads((folder / f'{name}.json').read_text())
            spacing = [0.5, 0.25] if name == 'p2/a' else [1, 1]
            assert content['settings']['spacing'] == spacing
            assert content['name'] == name and (folder / f'{name}.html').is_file()
            assert 'weights' not in content['files']  # nobody knows
    assert {path.name for path in found.iterdir()} == {
        *('p1', 'p2', 'curves.csv', 'index.html')
    }
    shutil.rmtree(found)
    capsys.readouterr()

    # once more: what is there is left as it is, and no model is needed for it
    (patients / 'p1/bad.nii.gz').unlink()
    # but for the overview, which is of all images
    kept = [path for path in out.rglob('*') if path.name != 'overview.html']
    before = {path: path.stat().st_mtime_ns for path in kept}
    assert tool('predict')([*argv, '--skip-existing', '--checkpoint', 'none.pth']) == 0
    assert '0 of 3 images segmented, 3 skipped' in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in kept}
    assert {*out.rglob('*')} == {*kept, out / 'overview.html'}
    (out / 'p2/a.png').unlink()
    words = [*argv, '--skip-existing', '--device', 'cpu', '--report']
    assert tool('predict')(words) == 0
    assert '1 of 3 images segmented, 2 skipped' in capsys.readouterr().out
    changed = {path for path in before if path.stat().st_mtime_ns != before[path]}
    pictures = [path for path in changed if path.suffix in ('.png', '.csv')]
    assert {path.stem for path in pictures} == {'a', 'curves'}
    for _ in range(2):  # the record of by what a mask was made stays
        content = json.loads((out / 'p2/a.json').read_text())
        assert content['files']['weights']['file'] == READY_WEIGHTS.name
        assert tool('predict')(words) == 0


@pytest.fixture
def scans_of_one_name(tmp_path):
    """A folder for each of two patients, and in both a ``scan.png`` of one size."""
    folders = [tmp_path / 'scans' / name for name in ('p01', 'p02')]
    for seed, folder in enumerate(folders):
        write_image(folder / 'scan.png', draw_case(seed, (256, 64))[0])
    return folders


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()}


@pytest.mark.slow
def test_no_result_is_taken_for_that_of_another_image(
    scans_of_one_name, tmp_path, tool, capsys
):
    first, second = scans_of_one_name
    out = tmp_path / 'out'
    words = ['--out', str(out), '--report']
    tool('predict')([str(first), *words])
    before = contents(out)
    for more in ([], ['--skip-existing']):
        assert tool('predict')([str(second), *words, *more]) == 2
        assert 'scan.png: is of another image' in capsys.readouterr().err
        assert contents(out) == before
    tool('predict')([str(first), *words])  # the same again
    assert contents(out).keys() == before.keys()
    # somebody's own columns are not replaced
    (out / 'curves.csv').write_text('reader,name\n')
    assert tool('predict')([str(first), *words]) == 2
    assert 'no measurement (reader)' in capsys.readouterr().err
    (out / 'curves.csv').write_text('x' * 200000)  # more than a cell may have
    assert tool('predict')([str(first), *words]) == 2
    assert 'field larger' in capsys.readouterr().err


@pytest.mark.slow
def test_no_scan_is_overwritten(scans_of_one_name, tmp_path, tool, capsys):
    """By the tool, whose results another scan lies among; and in Python."""
    first, second = scans_of_one_name
    kept = (second / 'scan.png').read_bytes()
    assert tool('predict')([str(first), '--out', str(second)]) == 2
    assert 'a scan, or corrected' in capsys.readouterr().err
    model = init_model()
    for source in (first, second):
        with pytest.raises(InputError, match='a scan, or corrected'):
            predict(model, source / 'scan.png').save(second)
    assert (second / 'scan.png').read_bytes() == kept


@pytest.mark.slow
def test_corrections_are_not_overwritten(scans_of_one_name, tmp_path, tool, capsys):
    """Of a program that keeps the palette; all are named, and --skip-existing goes on."""
    folder, out = scans_of_one_name[0].parent, tmp_path / 'out'
    words = [str(folder), '--out', str(out)]
    tool('predict')(words)
    labels = [out / name / 'scan.png' for name in ('p01', 'p02')]
    for path in labels:
        picture = Image.open(path)
        picture.putpixel((1, 2), 3 - picture.getpixel((1, 2)))
        picture.save(path)
    before = contents(out)
    capsys.readouterr()
    assert tool('predict')(words) == 2
    said = capsys.readouterr().err
    assert 'or corrected' in said and 'So it is with p02/scan.' in said
    assert contents(out) == before
    # beside labels of another image, which --skip-existing does not take either
    images = dict(zip(sorted(folder.rglob('scan.png')), ('p01/scan', 'p02/scan')))
    write_labels(labels[0], np.zeros((9, 9), np.uint8), [[0, 0, 0]], source='ab12')
    with pytest.raises(InputError, match='of another image .* or corrected') as error:
        prepare_out(out, images)
    assert 'So it is' not in str(error.value)
    labels[0].write_bytes(before[labels[0]])
    assert tool('predict')([*words, '--skip-existing', '--report']) == 0
    assert all(path.read_bytes() == before[path] for path in labels)
    assert (out / 'p02/scan.json').is_file()


@pytest.mark.slow
def test_no_angle_stays_beside_other_labels(scans_of_one_name, tmp_path, tool, capsys):
    """As of another model, without --report."""
    folder, out = scans_of_one_name[0].parent, tmp_path / 'out'
    words = [str(folder), '--out', str(out)]
    tool('predict')([*words, '--report'])
    tool('predict')(words)  # the same labels
    assert (out / 'p01/scan.json').is_file() and (out / 'index.html').is_file()
    labels = out / 'p01/scan.png'
    was = np.array(Image.open(labels))
    write_labels(labels, np.roll(was, 1), [[0, 0, 0], [1, 2, 3]])  # as of another model
    record = json.loads((out / 'p01/scan.json').read_text())
    record['files']['mask'] = digest(labels)
    (out / 'p01/scan.json').write_text(json.dumps(record))
    capsys.readouterr()
    tool('predict')(words)
    assert 'removed the pages of p01/scan, ' in capsys.readouterr().out
    assert np.array_equal(Image.open(labels), was)
    for gone in ('p01/scan.json', 'p01/scan.html', 'index.html', 'curves.csv'):
        assert not (out / gone).exists()
    assert (out / 'p02/scan.json').is_file()


def test_results_are_the_masks_that_are_measured(patients):
    """Those in a folder that is named, where they are no images to predict."""
    found = find_images([str(patients)], 'mask', without=['overlay'])
    assert 'out/p1/scan' in found.values()


def test_names_of_which_no_file_can_be_made(tmp_path):
    (tmp_path / ('a' * 225 + '.png')).touch()
    assert list(find_images([str(tmp_path)]).values()) == ['a' * 225]
    (tmp_path / ('\u00fc' * 113 + '.png')).touch()
    with pytest.raises(InputError, match='longer than 225 bytes'):
        find_images([str(tmp_path)])
