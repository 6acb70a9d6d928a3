"""check_dataset finds every planted fault, and describes good data truly."""

import json

import cv2
import numpy as np
import pytest
from vpi_files import draw_case, write_image

from seam_seg.datasets.check import (
    LARGEST_RIM,
    check_dataset,
    class_colours,
    describe,
    rim_of,
)
from seam_seg.datasets.phantom import make_case
from seam_seg.errors import InputError


def only(lines, *parts):
    """The one line that holds all the parts."""
    found = [line for line in lines if all(part in line for part in parts)]
    assert len(found) == 1, (parts, lines)
    return found[0]


def test_good_data(contract):
    report = check_dataset(str(contract))
    assert report.errors == report.warnings == []
    assert [case.name for case in report.cases] == [
        'a0',
        'a1',
        'a2',
        'a3',
        'a4',
        't0',
        't1',
    ]
    pixels = np.stack([draw_case([ord('a'), i])[0] for i in range(5)]).astype(float)
    assert report.mean == pytest.approx(pixels.mean())
    assert report.std == pytest.approx(pixels.std())
    mask = draw_case(0)[1]
    for split in ('train', 'test'):
        for label, share in enumerate(report.class_shares[split].values()):
            assert share == pytest.approx(100 * (mask == label).mean())
    text = describe(report)
    assert 'image size: 64 x 32 pixels' in text
    assert '8-bit grey, levels up to 199 (7 images)' in text
    mean = f'{report.mean:.2f}'
    assert f'model.data_preprocessor.mean={mean},{mean},{mean} ' in text


def test_every_fault_is_found_in_one_go(contract):
    train, truth = contract / 'dataset/train', contract / 'groundtruth/train'
    (train / 'a0.png').write_bytes(b'no image')
    write_image(truth / 'a0_bone_3.png', np.full((64, 32), 9, np.uint8))
    write_image(train / 'a1.png', np.dstack([draw_case(1)[0]] * 2 + [draw_case(1)[1]]))
    write_image(truth / 'a2_bone_3.png', np.zeros((64, 32, 3), np.uint8))
    (truth / 'a3_bone_3.png').unlink()
    write_image(truth / 'a4_bone_3.png', np.zeros((32, 64), np.uint8))
    (train / 'notes.txt').write_text('')
    (train / '.hidden').write_text('')
    (contract / 'test.txt').write_text('t0\nt1\nt1\na2\n')
    (contract / 'val.txt').write_text('a1\nx7\n')
    report = check_dataset(str(contract))
    errors = report.errors
    only(errors, 'train/a0.png', 'damaged')
    only(errors, 'a0_bone_3.png', 'label 9')
    only(errors, 'train/a1.png', 'colour')
    only(errors, 'a2_bone_3.png', 'RGB')
    only(errors, 'a3_bone_3.png', 'no such mask')
    only(errors, 'a4_bone_3.png', '32 x 64')
    only(errors, 'test.txt', 't1 listed more than once')
    only(errors, 'test.txt', 'a2 is in train.txt')
    only(errors, 'dataset/test/a2.png', 'no such image')
    only(errors, 'groundtruth/test/a2_bone_3.png', 'no such mask')
    only(errors, 'val.txt', 'x7 is not in train.txt')
    assert len(errors) == 11
    only(report.warnings, 'notes.txt', 'train.txt')
    assert len(report.warnings) == 1
    assert [case.name for case in report.cases] == ['t0', 't1']
    assert report.mean is None
    assert 'normalise' not in describe(report)


def test_empty_and_missing_splits(contract):
    (contract / 'train.txt').write_text('\n')
    (contract / 'test.txt').unlink()
    report = check_dataset(str(contract))
    only(report.errors, 'train.txt', 'empty')
    only(report.errors, 'test.txt', 'no such split file')
    assert len(report.warnings) == 14  # every file belongs to no case
    assert describe(report) == 'no case can be read'


SCANS = dict(train=['anna_1', 'anna_2', 'bert_1'], test=['anna_3', 'bert_2', 'carl_1'])


@pytest.fixture
def scans(tmp_path):
    """A data set of which two subjects have cases for training and for testing."""
    for split, names in SCANS.items():
        for i, name in enumerate(names):
            image, mask = draw_case([len(split), i])
            write_image(tmp_path / f'dataset/{split}/{name}.png', image)
            write_image(tmp_path / f'groundtruth/{split}/{name}_bone_3.png', mask)
        (tmp_path / f'{split}.txt').write_text('\n'.join(names))
    (tmp_path / 'val.txt').write_text('anna_2')
    return tmp_path


def test_subjects_that_seem_to_be_on_both_sides(scans):
    report = check_dataset(str(scans))
    assert report.errors == []
    line = only(report.warnings, 'anna_1', 'anna_3', 'anna (and 1 more likewise)')
    assert '--subject-pattern' in line and '--one-scan-per-subject' in line
    assert check_dataset(str(scans), one_scan_per_subject=True).warnings == []
    # names alike on one side only, as a phantom's or a contract's, are nobody's fault
    (scans / 'test.txt').write_text('carl_1')
    report = check_dataset(str(scans))
    assert not any('--subject' in line for line in report.warnings + report.errors)


@pytest.mark.parametrize('said', ['by an option', 'by the data set'])
def test_subjects_that_are_on_both_sides(scans, said):
    pattern = '^(.+)_' if said == 'by an option' else None
    if pattern is None:
        rows = [f'{name},{name[:4]}' for name in SCANS['train'] + SCANS['test']]
        (scans / 'prepared.csv').write_text('\n'.join(['name,subject', *rows]))
    report = check_dataset(str(scans), subject_pattern=pattern)
    only(report.errors, 'anna has anna_1 in train.txt and anna_3 in test.txt')
    only(report.errors, 'bert has bert_1 in train.txt and bert_2 in test.txt')
    only(report.warnings, 'val.txt', 'anna has anna_2')
    assert (len(report.errors), len(report.warnings)) == (2, 1)


def test_subjects_that_the_draw_of_validation_cases_does_not_know(contract):
    """Without val.txt the data set draws, and by subject only where it knows them."""
    names = [f'{subject}_{scan}' for subject in 'abcdefgh' for scan in range(3)]
    (contract / 'train.txt').write_text('\n'.join(names))
    pattern = '^(.)'
    warnings = check_dataset(str(contract), subject_pattern=pattern).warnings
    torn = [line for line in warnings if 'drawn validation cases' in line]
    assert torn and all('prepared.csv' in line for line in torn)
    rows = [f'{name},{name[0]}' for name in [*names, 't0', 't1']]
    (contract / 'prepared.csv').write_text('\n'.join(['name,subject', *rows]))
    warnings = check_dataset(str(contract), subject_pattern=pattern).warnings
    assert not any('drawn validation cases' in line for line in warnings)


def test_cases_that_the_table_does_not_know(scans):
    (scans / 'prepared.csv').write_text('name,subject\nanna_1,anna\n')
    report = check_dataset(str(scans))
    only(report.warnings, 'prepared.csv', 'anna_2, anna_3, bert_1, bert_2, carl_1')
    (scans / 'prepared.csv').write_text('no table')
    only(check_dataset(str(scans)).errors, 'prepared.csv', 'no table')


def test_a_draw_that_leaves_no_validation_case(contract):
    (contract / 'train.txt').write_text('a0\na1\n')
    report = check_dataset(str(contract))
    only(report.warnings, 'train.txt', 'val_seed')
    assert report.errors == []


def test_validation_that_leaves_nothing(contract):
    (contract / 'val.txt').write_text((contract / 'train.txt').read_text())
    only(check_dataset(str(contract)).errors, 'val.txt', 'all cases')


def test_missing_folder_is_one_error(contract):
    for path in (contract / 'groundtruth/test').iterdir():
        path.unlink()
    (contract / 'groundtruth/test').rmdir()
    report = check_dataset(str(contract))
    only(report.errors, 'groundtruth/test', 'no such folder', 'lists 2 cases')
    assert len(report.errors) == 1


def test_the_same_image_twice(contract):
    image = draw_case([ord('a'), 0])[0]
    write_image(contract / 'dataset/train/a1.png', image)
    write_image(contract / 'dataset/test/t1.png', image)
    report = check_dataset(str(contract))
    only(report.warnings, 'a1.png', 'same pixels', 'a0.png')
    only(report.errors, 't1.png', 'same pixels', 'a0.png', 'training data')


def test_missing_bones_are_warnings(contract):
    mask = draw_case(0)[1]
    write_image(contract / 'groundtruth/test/t0_bone_3.png', np.zeros_like(mask))
    write_image(contract / 'groundtruth/test/t1_bone_3.png', np.where(mask == 2, 0, mask))
    report = check_dataset(str(contract))
    assert report.errors == []
    only(report.warnings, 't0_bone_3.png', 'no bone')
    only(report.warnings, 'test.txt', 'thoracic (label 2)')
    assert len(report.warnings) == 2


@pytest.mark.parametrize('way', ['INTER_LINEAR', 'INTER_AREA', 'INTER_NEAREST'])
@pytest.mark.parametrize('scale', [0.21, 0.37, 0.93])
def test_rims_of_masks_that_were_interpolated(way, scale):
    whole = make_case(seed=3).mask
    mask = cv2.resize(whole, None, fx=scale, fy=scale, interpolation=getattr(cv2, way))
    share = rim_of(mask) / np.count_nonzero(mask == 2)
    assert share == 0 if way == 'INTER_NEAREST' else share > 2 * LARGEST_RIM


def test_rims_are_warned_of(contract):
    mask = np.zeros((64, 32), np.uint8)
    mask[4:20, 4:20], mask[30:50, 6:20] = 2, 3
    path = next((contract / 'groundtruth/train').glob('*.png'))
    write_image(path, mask)
    assert not [line for line in check_dataset(str(contract)).warnings if 'rim' in line]
    mask[29, 6:20] = 2
    write_image(path, mask)
    only(
        check_dataset(str(contract)).warnings,
        f'{path}: has a thin rim of thoracic around',
    )


def test_bit_depth_and_channels_are_reported(contract):
    grey = draw_case([ord('a'), 0])[0]
    write_image(contract / 'dataset/train/a0.png', grey.astype(np.uint16) * 20)
    write_image(contract / 'dataset/train/a1.png', np.dstack([grey // 2] * 3))
    report = check_dataset(str(contract))
    assert report.errors == []
    assert f'16-bit grey, levels up to {int(grey.max()) * 20} (1 images)' in describe(
        report
    )
    assert '8-bit grey in 3 channels' in describe(report)


def test_other_suffixes_and_classes(contract):
    for path in (contract / 'groundtruth').rglob('*_bone_3.png'):
        path.rename(path.with_name(path.name.replace('_bone_3', '_mask')))
    classes = ['background', 'rib', 'thoracic', 'lumbar', 'sacrum']
    report = check_dataset(str(contract), '.png', '_mask.png', classes)
    assert report.errors == []
    only(report.warnings, 'train.txt', 'sacrum')
    assert len(set(class_colours(classes))) == 5


def test_bones_that_do_not_agree_with_their_mask(contract):
    """As where a mask was corrected by hand: a training of votes would stop at it."""
    folder = contract / 'instances/train'
    folder.mkdir(parents=True)
    mask = draw_case(0)[1]
    write_image(folder / 'a0.png', mask.astype(np.uint16))
    write_image(folder / 'a1.png', np.where(mask == 2, 0, mask).astype(np.uint16))
    (line,) = check_dataset(str(contract)).errors
    assert 'instances/train/a1.png: the bones do not agree with the mask' in line


def test_no_such_folder(tmp_path):
    with pytest.raises(InputError, match='nowhere'):
        check_dataset(str(tmp_path / 'nowhere'))


def test_tool(contract, tmp_path, run_tool, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, _ = run_tool('check_dataset', contract)
    assert status == 0
    assert 'errors: 0, warnings: 0' in out
    sheet = cv2.imread(str(tmp_path / 'work_dirs/check_dataset/contact_sheet.png'))
    # Outlines in the palette's colours, BGR.
    for colour in ([0, 0, 255], [0, 255, 0], [255, 0, 0]):
        assert (np.abs(sheet.astype(int) - colour).max(axis=2) < 40).any()
    report = json.loads((tmp_path / 'work_dirs/check_dataset/report.json').read_text())
    assert len(report['cases']) == 7

    (contract / 'dataset/test/t1.png').unlink()
    status, out, _ = run_tool('check_dataset', contract, '--out', tmp_path / 'faulty')
    assert status == 1
    assert 't1.png: no such image' in out

    status, _, err = run_tool('check_dataset', tmp_path / 'nowhere')
    assert status == 2
    assert err.startswith('error: ') and err.count('\n') == 1
