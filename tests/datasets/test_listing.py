"""Scans are found in folders by whatever name; nothing that may be one is lost unsaid."""

import sys

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
    wanted = [
        *('IM_0001', 'a.dcm', 'b.IMA', 'b.png', 'c.US'),
        *('disc/1.2.840.7', 'disc/1.2.8_mask'),
    ]
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
    # what may be one is not left out in silence
    also = [name for name in (*wanted, 'README', '1.2.3', 'empty') if name != 'c.US']
    assert found() == sorted(also)


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


def test_what_else_is_on_a_disc(tmp_path, caplog):
    """Reports are no images; scans of which nothing or a part arrived are named."""
    scan = write_dicom(tmp_path / 'IM_1', GREY.astype(np.uint8))
    whole = scan.read_bytes()
    others = {
        'SR_1': pydicom.uid.ComprehensiveSRStorage,
        'PR_1': pydicom.uid.GrayscaleSoftcopyPresentationStateStorage,
        'PDF_1': pydicom.uid.EncapsulatedPDFStorage,
        'DICOMDIR;1': pydicom.uid.MediaStorageDirectoryStorage,
    }
    for name, kind in others.items():
        write_dicom(tmp_path / name, GREY.astype(np.uint8), SOPClassUID=kind)
    assert list_images(tmp_path) == [scan]
    for length in range(132, len(whole) - 1, 7):
        scan.write_bytes(whole[:length])
        assert list_images(tmp_path) == [scan]
        with pytest.raises(InputError, match='IM_1: '):
            read_image(scan)
    assert 'seam_seg' not in {record.name for record in caplog.records}
    (tmp_path / 'IM_2').touch()
    (tmp_path / 'IM_3').write_bytes(whole[:131])
    (tmp_path / 'IM_4').symlink_to(tmp_path / 'nowhere')
    (tmp_path / 'README').write_bytes(whole[:100] * 2)
    (tmp_path / 'page.html').write_text('of no scan')
    assert list_images(tmp_path) == [scan]
    assert caplog.messages[-1].endswith(': IM_2, IM_3, IM_4.')


def test_without_pydicom_what_says_dicom_is_listed(tmp_path, monkeypatch):
    """Who reads it says what to install."""
    scan = write_dicom(tmp_path / 'IM_1', GREY.astype(np.uint8))
    monkeypatch.setitem(sys.modules, 'pydicom.filereader', None)
    assert list_images(tmp_path) == [scan]
