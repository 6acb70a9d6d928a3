"""Scans are found in folders by whatever name; nothing that may be one is lost unsaid."""

import cv2
import numpy as np
import pydicom
import pytest
from dicom_files import write_dicom

from seam_seg.datasets.listing import list_images, split_name
from seam_seg.datasets.readers import read_image
from seam_seg.errors import InputError

GREY = np.arange(64 * 32, dtype=np.uint16).reshape(64, 32) % 251


def write_png(path):
    assert cv2.imwrite(str(path), GREY.astype(np.uint8))


def test_names_and_endings(tmp_path):
    assert split_name('x/case.1.nii.gz') == ('case.1', '.nii.gz')
    assert split_name('case.v2.PNG') == ('case.v2', '.PNG')
    assert split_name('IM_0001') == ('IM_0001', '')
    assert split_name('1.2.840.10008') == ('1.2.840.10008', '')  # two are two names
    assert split_name('1.2.7_mask') == ('1.2.7_mask', '')
    assert split_name('scan.IMA') == ('scan', '.IMA')
    for name in ('b/a.NII.GZ', 'b/c/d.dcm', 'e.nrrd', '._e.nrrd', '.cache/x.png', 'y.gz'):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path)]
    assert found == ['b/a.NII.GZ', 'b/c/d.dcm', 'e.nrrd']


def test_dicom_files_by_other_names_are_found_in_folders(tmp_path, monkeypatch):
    """As scanners and archives export them, among files that are none."""
    grey = GREY.astype(np.uint8)
    wanted = ['IM_0001', 'a.dcm', 'b.IMA', 'b.png', 'disc/1.2.840.7', 'disc/1.2.8_mask']
    for name in (*wanted, 'disc/DICOMDIR', '.hidden', '.c.dcm'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_dicom(tmp_path / name, grey)
    for name in ('README', 'notes.txt', '1.2.3'):
        (tmp_path / name).write_bytes(b'of no image, and longer than a preamble' * 9)
    (tmp_path / 'empty').touch()

    def found(*suffixes):
        paths = list_images(tmp_path, *suffixes)
        return [path.relative_to(tmp_path).as_posix() for path in paths]

    assert found() == wanted and found(['.json']) == []
    for name in wanted:
        np.testing.assert_array_equal(read_image(tmp_path / name), grey)

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr('builtins.open', refuse)
    # each may be one, and who reads it says that it cannot
    assert {'1.2.3', 'IM_0001', 'b.IMA', 'notes.txt'} <= set(found())


def test_links_to_folders_are_followed_and_not_in_circles(tmp_path):
    save_here = [tmp_path / 'scans/a.png', tmp_path / 'elsewhere/p01/b.png']
    for path in save_here:
        path.parent.mkdir(parents=True)
        write_png(path)
    (tmp_path / 'scans/more').symlink_to(tmp_path / 'elsewhere')
    (tmp_path / 'elsewhere/back').symlink_to(tmp_path / 'scans')
    (tmp_path / 'scans/gone').symlink_to(tmp_path / 'nowhere')
    found = list_images(tmp_path / 'scans')
    assert found == [tmp_path / 'scans/a.png', tmp_path / 'scans/more/p01/b.png']
    (tmp_path / 'scans/gone.DCM').symlink_to(tmp_path / 'nowhere')
    assert list_images(tmp_path / 'scans')[1] == tmp_path / 'scans/gone.DCM'


def test_what_is_left_out_beside_dicom_is_said(tmp_path, caplog):
    """A scan of which nothing arrived, and reports, which have no pixels."""
    grey = GREY.astype(np.uint8)
    (tmp_path / 'disc').mkdir()
    (tmp_path / 'disc/IM_2').touch()
    (tmp_path / 'page.html').write_text('of no scan')
    write_png(tmp_path / 'a.png')
    assert list_images(tmp_path) == [tmp_path / 'a.png'] and not caplog.text
    scans = [write_dicom(tmp_path / name, grey) for name in ('IM_1', 'b.IMA')]
    whole = scans[0].read_bytes()
    (tmp_path / 'short').write_bytes(whole[:131])
    for name in ('report.SR', 'DICOMDIR', 'DICOMDIR;1', 'dicomdir.dcm'):
        report = pydicom.dcmread(scans[0])
        for element in ('Rows', 'Columns', 'PixelData'):
            delattr(report, element)
        report.save_as(tmp_path / name, enforce_file_format=True)
    assert list_images(tmp_path) == [scans[0], tmp_path / 'a.png', scans[1]]
    (record,) = caplog.records
    said = record.getMessage().split(': ')[-1]
    assert said == 'DICOMDIR;1, disc/IM_2, report.SR, short.'
    # cut off behind its header: it is read, and refused by its name
    scans[0].write_bytes(whole[:-9])
    assert scans[0] in list_images(tmp_path)
    with pytest.raises(InputError, match='IM_1: '):
        read_image(scans[0])
