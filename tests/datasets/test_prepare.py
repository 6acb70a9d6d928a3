"""prepare_vpi writes what the dataset reads, or nothing at all."""

import csv
import hashlib
import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from dicom_files import PATIENT, write_dicom
from skimage import measure
from vpi_files import draw_case, write_image

from seam_seg.datasets import LoadVPIAnnotations, LoadVPIImage, VPIDataset
from seam_seg.datasets.annotations import CLASSES
from seam_seg.datasets.polygon_files import labelme_content, trace_bones
from seam_seg.datasets.prepare import ENTRIES, _move, append, prepare
from seam_seg.datasets.readers import read_spacing
from seam_seg.datasets.subjects import draw
from seam_seg.errors import InputError
from seam_seg.version import __version__

RED, GREEN, BLUE = (0, 0, 255), (0, 255, 0), (255, 0, 0)  # as OpenCV orders them


def to_rgb(mask):
    return np.array([(0, 0, 0), RED, GREEN, BLUE], np.uint8)[mask]


@pytest.fixture
def raw(tmp_path):
    """Two folders: 12 images of 6 subjects, and their RGB masks."""
    for i in range(12):
        image, mask = draw_case(i)
        name = f'p{i // 2:02d}_{i % 2}'
        write_image(tmp_path / f'raw/images/{name}.png', image)
        write_image(tmp_path / f'raw/masks/{name}_mask.png', to_rgb(mask))
    return tmp_path / 'raw'


def run(raw, out, **kwargs):
    options = dict(mask_suffix='_mask.png', subject_pattern='^(p[0-9]+)_')
    return prepare(raw / 'images', raw / 'masks', out, **{**options, **kwargs})


def test_result_is_what_the_dataset_reads(raw, tmp_path):
    prepared = run(raw, tmp_path / 'out')
    pipeline = [LoadVPIImage(), LoadVPIAnnotations()]
    found = []
    for split in ('train', 'val', 'test'):
        dataset = VPIDataset(str(tmp_path / 'out'), split, pipeline=pipeline)
        found.append(len(dataset))
        for sample in dataset:
            name = sample['img_path'].split('/')[-1][:-4]
            image, mask = draw_case(2 * int(name[1:3]) + int(name[-1]))
            np.testing.assert_array_equal(sample['img'], image)
            np.testing.assert_array_equal(sample['gt_seg_map'], mask)
    # 6 subjects of two images: one for the test, and one of the others for validation.
    assert found == [8, 2, 2]
    assert prepared.subjects == dict(train=5, val=1, test=1)
    assert sorted(prepared.train + prepared.test) == [
        f'p{i // 2:02d}_{i % 2}' for i in range(12)
    ]
    assert not list((tmp_path / 'out').glob('.*'))  # the stage is gone


def test_no_subject_is_on_two_sides(raw, tmp_path):
    for seed in (0, 2, 8):
        prepared = run(raw, tmp_path / f'out{seed}', seed=seed)
        sides = [
            {name[:3] for name in names}
            for names in (
                prepared.test,
                prepared.val,
                set(prepared.train) - set(prepared.val),
            )
        ]
        assert sum(map(len, sides)) == len(set.union(*sides)) == 6


def test_same_seed_same_bytes(raw, tmp_path, snapshot):
    run(raw, tmp_path / 'one', seed=2)
    run(raw, tmp_path / 'two', seed=2)
    assert snapshot(tmp_path / 'one') == snapshot(tmp_path / 'two')


def test_without_validation_file(raw, tmp_path):
    assert run(raw, tmp_path / 'out', val_fraction=0).val == []
    assert not (tmp_path / 'out/val.txt').exists()


def test_every_image_a_subject(raw, tmp_path):
    one_each = dict(subject_pattern=None, one_scan_per_subject=True)
    prepared = run(raw, tmp_path / 'out', **one_each)
    assert prepared.subjects['train'] + prepared.subjects['test'] == 12


def table(out):
    """The rows of the table of the cases, by name."""
    with (out / 'prepared.csv').open(newline='') as file:
        return {row['name']: row for row in csv.DictReader(file)}


def test_each_case_says_where_it_came_from(raw, tmp_path):
    deep = raw / 'images/p00_1.png'
    write_image(deep, draw_case(1)[0].astype(np.uint16) * 16)
    write_image(raw / 'masks/p00_0_mask.png', draw_case(0)[1])
    out = tmp_path / 'out'
    prepared = run(raw, out)
    rows = table(out)
    assert sorted(rows) == sorted(prepared.train + prepared.test)
    for name, row in rows.items():
        assert row['subject'] == name[:3]
        assert name in getattr(prepared, row['side'])
        assert (row['side'] == 'train') == (name in {*prepared.train} - {*prepared.val})
        for kind, file in (('image', f'{name}.png'), ('mask', f'{name}_mask.png')):
            assert row[kind] == file
            content = (raw / f'{kind}s' / file).read_bytes()
            assert row[f'{kind}_sha256'] == hashlib.sha256(content).hexdigest()
    assert rows['p00_0']['image_read_as'] == '8-bit, as it is'
    assert rows['p00_1']['image_read_as'] == '16-bit, window 0 to the 99.9th percentile'
    labels = 'labels background rib thoracic lumbar'
    colours = (
        'colours background (0, 0, 0), rib (255, 0, 0), thoracic (0, 255, 0), '
        'lumbar (0, 0, 255)'
    )
    assert [rows[f'p00_{i}']['mask_read_as'] for i in (0, 1)] == [labels, colours]
    settings = json.loads((out / 'prepared.json').read_text())
    expected = dict(version=__version__, seed=0, subject_pattern='^(p[0-9]+)_')
    assert expected.items() <= settings.items()
    # no path of the machine on which it was made
    assert str(tmp_path) not in (out / 'prepared.csv').read_text() + str(settings)


def add_subject(raw, subject):
    for i in range(2):
        image, mask = draw_case(100 * subject + i)
        write_image(raw / f'images/p{subject:02d}_{i}.png', image)
        write_image(raw / f'masks/p{subject:02d}_{i}_mask.png', to_rgb(mask))


def test_who_moves_and_who_does_not(raw, tmp_path):
    out = tmp_path / 'out'
    assert run(raw, out).changes is None
    sides = {name: row['side'] for name, row in table(out).items()}
    for subject in (6, 7):
        add_subject(raw, subject)
    changes = run(raw, out, overwrite=True).changes
    assert (changes.moved, changes.new, changes.gone) == ({}, ['p06', 'p07'], [])
    now = {name: row['side'] for name, row in table(out).items()}
    assert sides.items() < now.items()
    changes = run(raw, out, overwrite=True, test_fraction=0.6, val_fraction=0).changes
    test = {row['subject'] for row in table(out).values() if row['side'] == 'test'}
    assert {name[:3] for name, side in now.items() if side == 'test'} < test
    assert set(sum(changes.crossing.values(), [])) < test
    assert {now for _, now in changes.moved} == {'train', 'test'}  # val.txt is gone


def test_a_split_that_was_drawn_otherwise(raw, tmp_path, snapshot):
    """As by an earlier version: nobody crosses to another side unasked."""
    out = tmp_path / 'out'
    run(raw, out, seed=1)
    for name in ('prepared.csv', 'prepared.json'):
        (out / name).unlink()
    before = snapshot(out)
    with pytest.raises(InputError, match='from test to train: p04.*--keep-split'):
        run(raw, out, overwrite=True)
    assert snapshot(out) == before
    add_subject(raw, 6)
    kept = run(raw, out, overwrite=True, keep_split=True)
    assert (kept.changes.moved, kept.changes.new) == ({}, ['p06'])
    assert set(before['test.txt'].split()) <= {name.encode() for name in kept.test}
    with pytest.raises(InputError, match='--keep-split'):  # as the table remembers
        run(raw, out, overwrite=True)
    anew = run(raw, out, overwrite=True, keep_split=False)
    assert anew.changes.crossing and anew.test == run(raw, tmp_path / 'fresh').test


def test_16_bit_images_are_windowed(raw, tmp_path):
    for path in (raw / 'images').iterdir():
        write_image(path, cv2.imread(str(path), -1).astype(np.uint16) * 16)
    prepared = run(raw, tmp_path / 'out', window=(0, 16 * 255))
    name = prepared.test[0]
    image = cv2.imread(str(tmp_path / f'out/dataset/test/{name}.png'), -1)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, draw_case(2 * int(name[1:3]) + int(name[-1]))[0])


def test_overwriting_replaces_the_data_set_and_nothing_else(raw, tmp_path, snapshot):
    out = tmp_path / 'out'
    run(raw, out)
    write_image(out / 'dataset/train/stale.png', draw_case(0)[0])
    (out / 'notes.md').write_text('mine')
    run(raw, out, overwrite=True, val_fraction=0)
    files = snapshot(out)
    assert files.pop('notes.md') == b'mine'
    run(raw, tmp_path / 'fresh', val_fraction=0)
    assert files == snapshot(tmp_path / 'fresh')


def remove_mask(raw):
    (raw / 'masks/p01_0_mask.png').unlink()


def remove_image(raw):
    (raw / 'images/p01_0.png').unlink()


def same_name_twice(raw):
    write_image(raw / 'images/p01_0.bmp', draw_case(0)[0])


def shrink_mask(raw):
    write_image(raw / 'masks/p05_1_mask.png', np.zeros((32, 32, 3), np.uint8))


def orange_mask(raw):
    write_image(
        raw / 'masks/p05_1_mask.png', to_rgb(draw_case(0)[1]) // 255 * (255, 128, 255)
    )


def colour_image(raw):
    write_image(raw / 'images/p05_1.png', to_rgb(draw_case(0)[1]))


def damage_image(raw):
    (raw / 'images/p05_1.png').write_bytes(b'no image')


def unknown_label(raw):
    write_image(raw / 'masks/p05_1_mask.png', np.full((64, 32), 4, np.uint8))


def binary_mask(raw):
    write_image(raw / 'masks/p05_1_mask.png', (draw_case(0)[1] > 0) * np.uint8(255))


def deep_rgb(raw):
    write_image(
        raw / 'masks/p05_1_mask.png', to_rgb(draw_case(0)[1]).astype(np.uint16) * 257
    )


def nothing(raw):
    pass


@pytest.mark.parametrize(
    'spoil, options, message',
    [
        (remove_mask, {}, 'images without mask: p01_0'),
        (remove_image, {}, 'masks without image: p01_0'),
        (same_name_twice, {}, 'p01_0.*same name'),
        (shrink_mask, {}, 'p05_1_mask.png: .*32 x 32.*64 x 32'),
        (orange_mask, {}, r'p05_1_mask.png: the colour \(0, 128, 0\)'),
        (colour_image, {}, 'p05_1.png: a colour image'),
        (damage_image, {}, 'p05_1.png: .*damaged'),
        (unknown_label, {}, 'p05_1_mask.png: .*label 4'),
        (binary_mask, {}, 'p05_1_mask.png: .*label 255'),
        (deep_rgb, {}, 'p05_1_mask.png: .*uint16'),
        (nothing, dict(mask_suffix='_seg.png'), 'images without mask: .*and 2 more'),
        (
            nothing,
            dict(mask_classes=['background', 'rib', 'thoracic', 'lumbar']),
            'p00_0_mask.png: an RGB mask',
        ),
        (nothing, dict(subject_pattern=None), r"'\^\(p\\d\+\)' .*--one-scan-per-subject"),
        (nothing, dict(keep_split=True), 'no data set whose split could be kept'),
        (nothing, dict(seed=6), 'falls to test .*--seed 0'),
        (nothing, dict(subject_pattern='^(q[0-9]+)'), 'p00_0: .*no subject'),
        (nothing, dict(subject_pattern='^p[0-9]+'), 'no group'),
        (nothing, dict(subject_pattern='(p'), 'no regular expression'),
        (nothing, dict(subject_pattern='^(p)'), r'1 subject \(p\)'),
        (nothing, dict(test_fraction=0.99), '--val-fraction 0'),
        (nothing, dict(test_fraction=0), '--test-fraction 0'),
        (nothing, dict(val_fraction=1), '--val-fraction 1'),
        (nothing, dict(window=(9, 9)), 'window 9 9: '),
    ],
)
def test_refusals_write_nothing(raw, tmp_path, snapshot, spoil, options, message):
    spoil(raw)
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match=message):
        run(raw, tmp_path / 'new/out', **options)
    assert snapshot(tmp_path) == before
    assert not (tmp_path / 'new').exists()


def test_an_output_folder_with_data_is_left_alone(raw, tmp_path, snapshot):
    out = tmp_path / 'out'
    write_image(out / 'dataset/mine.png', draw_case(0)[0])
    before = snapshot(tmp_path)
    for overwrite, message in ((False, 'not empty'), (True, 'no data set')):
        with pytest.raises(InputError, match=message):
            run(raw, out, overwrite=overwrite)
    with pytest.raises(InputError, match='lies in it'):
        run(raw, raw, overwrite=True)
    with pytest.raises(InputError, match='is a file'):
        run(raw, raw / 'images/p00_0.png')
    with pytest.raises(InputError, match='no such folder'):
        run(tmp_path / 'nowhere', out / 'new')
    assert snapshot(tmp_path) == before


def test_a_full_disk_leaves_nothing_behind(raw, tmp_path, snapshot, monkeypatch):
    run(raw, tmp_path / 'out')
    before = snapshot(tmp_path)

    def fail(*args):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('seam_seg.datasets.prepare._write_splits', fail)
    with pytest.raises(OSError, match='No space'):
        run(raw, tmp_path / 'out', overwrite=True)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize('number', range(1, 2 * len(ENTRIES) + 1))
def test_a_move_that_fails_brings_the_old_data_back(
    number, tmp_path, snapshot, monkeypatch
):
    """As of an entry that is a mount point: at each of the renames."""
    out, stage = tmp_path / 'out', tmp_path / 'stage'
    for folder in (out, stage):
        folder.mkdir()
        for entry in ENTRIES:
            (folder / entry).write_text(f'{folder.name} {entry}')
    before = snapshot(tmp_path)
    count = 0
    plain = Path.rename

    def fail_once(path, target):
        nonlocal count
        count += 1
        if count == number:
            raise OSError(16, 'Device or resource busy', str(path))
        return plain(path, target)

    with monkeypatch.context() as patch, pytest.raises(OSError, match='busy'):
        patch.setattr(Path, 'rename', fail_once)
        _move(stage, out)
    assert snapshot(tmp_path) == before
    new = snapshot(stage)
    _move(stage, out)  # all entries aside, all in
    assert snapshot(out) == new


def test_tool(raw, tmp_path, run_tool, snapshot):
    out = tmp_path / 'out'
    argv = [
        'prepare_vpi',
        raw / 'images',
        raw / 'masks',
        out,
        '--mask-suffix',
        '_mask.png',
        '--subject-pattern',
        '^(p[0-9]+)_',
    ]
    status, text, _ = run_tool(*argv)
    assert status == 0
    assert 'train.txt   10 cases of 5 subjects' in text
    assert 'test.txt     2 cases of 1 subjects' in text
    assert 'moved' not in text
    before = snapshot(tmp_path)
    status, _, err = run_tool(*argv)
    assert status == 2
    assert err.startswith('error: ') and err.count('\n') == 1
    assert snapshot(tmp_path) == before
    status, text, _ = run_tool('check_dataset', out, '--out', tmp_path / 'check')
    assert status == 0 and 'warnings: 0' in text, text
    status, text, _ = run_tool(*argv, '--overwrite', '--seed', '1')
    moved = re.findall('^warning: moved from (.*) to (.*): (.*);', text, re.MULTILINE)
    assert status == 0 and moved == [('test', 'val', 'p02'), ('train', 'test', 'p04')]
    assert 'moved from val to train: p00\n' in text  # no warning


def test_folders_of_patients_with_masks_beside_images(raw, tmp_path, snapshot):
    """The same data set, whether masks have a folder of their own or not."""
    one, two = tmp_path / 'one', tmp_path / 'two'
    for i in range(12):
        place = f'p{i // 2:02d}/day {i % 2}/scan'
        image, mask = draw_case(i)
        write_image(one / f'{place}.png', image)
        write_image(one / f'{place}_mask.png', to_rgb(mask))
        write_image(two / f'{place}.png', image)
        write_image(two / f'masks/{place}.png', to_rgb(mask))
    pattern = dict(subject_pattern='^(.+?)__')
    prepared = prepare(one, one, one / 'vpi', '_mask.png', **pattern)
    assert prepared.subjects == dict(train=5, val=1, test=1)
    rows = table(one / 'vpi')
    assert rows['p03__day 1__scan']['subject'] == 'p03'
    assert rows['p03__day 1__scan']['image'] == 'p03/day 1/scan.png'
    assert rows['p03__day 1__scan']['mask'] == 'p03/day 1/scan_mask.png'
    # the data set itself, which now lies there, is no source
    before = snapshot(one / 'vpi')
    prepare(one, one, one / 'vpi', '_mask.png', overwrite=True, **pattern)
    assert snapshot(one / 'vpi') == before
    prepare(two, two / 'masks', tmp_path / 'out', **pattern)
    for name, content in snapshot(tmp_path / 'out').items():
        if not name.startswith('prepared'):
            assert content == before[name]
    shutil.rmtree(one / 'vpi')
    with pytest.raises(InputError, match='in one folder.*--mask-suffix'):
        prepare(one, one, tmp_path / 'none')
    with pytest.raises(InputError, match='--subject-pattern'):  # whose they are is asked
        prepare(one, one, tmp_path / 'none', '_mask.png')
    write_image(one / 'p03__day 1__scan.png', draw_case(7)[0])
    with pytest.raises(InputError, match='has the same name'):
        prepare(one, one, tmp_path / 'none', '_mask.png', **pattern)
    assert not (tmp_path / 'none').exists()


def test_dicom_without_the_patient(tmp_path, snapshot):
    for i in range(4):
        image, mask = draw_case(i)
        more = dict(PixelSpacing=[0.5, 0.25]) if i == 1 else {}
        if i == 2:
            more = dict(WindowCenter=128, WindowWidth=256)
        (tmp_path / 'raw').mkdir(exist_ok=True)
        write_dicom(tmp_path / f'raw/case_{i}.dcm', image, **more)
        write_image(tmp_path / f'raw/case_{i}_mask.png', mask)
    out, raw = tmp_path / 'out', tmp_path / 'raw'
    prepared = prepare(raw, raw, out, '_mask.png', test_fraction=0.4, val_fraction=0)
    written = snapshot(out)
    for name in prepared.train:
        image = cv2.imread(str(out / f'dataset/train/{name}.png'), -1)
        np.testing.assert_array_equal(image, draw_case(int(name[-1]))[0])
    for path in out.rglob('*.png'):  # images and masks
        spacing = (0.5, 0.25) if path.name.startswith('case_1') else None
        assert read_spacing(path) == spacing
    rows = table(out)
    assert rows['case_1']['image_read_as'] == '8-bit, as it is'
    assert rows['case_2']['image_read_as'] == '8-bit, window 0 to 255'
    for value in PATIENT.values():
        assert value.split('^')[0].encode() not in b''.join(written.values())


def new_cases(folder, names, offset=100):
    """Folders of images and masks of other cases."""
    for i, name in enumerate(names):
        image, mask = draw_case(offset + i)
        write_image(folder / f'images/{name}.png', image)
        write_image(folder / f'masks/{name}.png', np.roll(mask, i + 1, axis=0))
    return folder / 'images', folder / 'masks'


def lines(out):
    """The cases of each split file."""
    files = {path.stem: path for path in out.glob('*.txt')}
    return {name: path.read_text().split() for name, path in sorted(files.items())}


def test_cases_are_added_and_nobody_moves(raw, tmp_path, snapshot):
    """To train unless told; subjects that are there stay on their side."""
    out = tmp_path / 'out'
    run(raw, out, window=(0, 200))
    before, split = snapshot(out), lines(out)
    tester, validator = split['test'][0][:3], split['val'][0][:3]
    names = ['p77_0', 'p77_1', f'{tester}_2', f'{validator}_2']
    found = append(*new_cases(tmp_path / 'more', names), out)
    assert found.added == sorted(names)
    assert found.changes.new == ['p77'] and not (
        found.changes.moved or found.changes.gone
    )
    assert lines(out) == dict(
        train=[*split['train'], f'{validator}_2', 'p77_0', 'p77_1'],
        val=[*split['val'], f'{validator}_2'],
        test=[*split['test'], f'{tester}_2'],
    )
    after = snapshot(out)
    for name, content in before.items():
        if name.endswith('.png'):
            assert after[name] == content
    rows = table(out)
    assert [rows[name]['subject'] for name in names] == ['p77', 'p77', tester, validator]
    assert rows['p77_0']['image_read_as'].endswith('window 0 to 200')  # as the others
    assert list(rows) == sorted(rows) and len(rows) == 16
    pipeline = [LoadVPIImage(), LoadVPIAnnotations()]
    assert len(VPIDataset(str(out), 'trainval', pipeline=pipeline)) == 13
    append(*new_cases(tmp_path / 'val', ['p83_0'], 200), out, side='val')
    assert lines(out)['val'][-1] == lines(out)['train'][-1] == 'p83_0'
    trainer = next(f'p{n}' for n in range(84, 99) if draw(0, 'test', f'p{n}') > 0.3)
    before = snapshot(out)
    with pytest.raises(InputError, match=r'p83_0 \(val\) and .*_0 \(test\) are the same'):
        append(*new_cases(tmp_path / 'twice', [f'{trainer}_0'], 200), out, side='test')
    assert snapshot(out) == before
    append(*new_cases(tmp_path / 'test', [f'{trainer}_0'], 300), out, side='test')
    assert lines(out)['test'][-1] == f'{trainer}_0'
    # all of it again: nothing is new, and nothing is otherwise
    before = snapshot(out)
    found = append(tmp_path / 'more/images', tmp_path / 'more/masks', out)
    assert found.added == [] and snapshot(out) == before
    # drawn anew, the split would be another, which is not done unasked
    add_subject(raw, int(trainer[1:]))
    with pytest.raises(InputError, match=f'from test to .*: {trainer}.*--keep-split'):
        run(raw, out, overwrite=True)


def test_another_pattern_says_whose_all_cases_are(tmp_path):
    """Each case was a subject; with second scans of them, none comes to another side."""
    out = tmp_path / 'out'
    first, second, third = ([f's{i:02}_{n}' for i in range(6)] for n in '123')
    folders = new_cases(tmp_path / 'first', first)
    prepare(*folders, out, test_fraction=0.4, val_fraction=0.3)
    split = lines(out)
    more = new_cases(tmp_path / 'second', second, 200)
    with pytest.raises(InputError, match='seem to be of one subject'):
        append(*more, out)
    found = append(*more, out, subject_pattern=r'^(s\d+)')
    assert not found.changes.new and not found.changes.moved
    for name, cases in lines(out).items():
        assert sorted(cases) == sorted(
            [*split[name], *(f'{case[:-1]}2' for case in split[name])]
        )
    assert {row['subject'] for row in table(out).values()} == {name[:3] for name in first}
    # it is remembered, like the first one
    assert not append(*new_cases(tmp_path / 'third', third, 300), out).changes.new
    # one by which somebody would be on two sides is no such pattern
    before = lines(out)
    with pytest.raises(InputError, match=r'by --subject-pattern \^\(s\), s has cases in'):
        append(*new_cases(tmp_path / 'last', ['s09_1'], 400), out, subject_pattern='^(s)')
    # nor is somebody new who is there in other letters
    pattern, folders = r'^([sS]\d+)', new_cases(tmp_path / 'capital', ['S05_9'], 500)
    with pytest.raises(InputError, match='s05_1 and S05_9: the subjects s05 and S05'):
        append(*folders, out, subject_pattern=pattern)
    assert lines(out) == before


def other_mask(folder):
    write_image(folder / 'masks/p77_0.png', draw_case(1)[1])


def other_image(folder):
    write_image(folder / 'images/p77_0.png', draw_case(1)[0])


def no_mask(folder):
    (folder / 'masks/p78_0.png').unlink()


def bad_mask(folder):
    write_image(folder / 'masks/p78_0.png', np.full((64, 32), 9, np.uint8))


def full_disk(*args):
    raise OSError(28, 'No space left on device')


@pytest.mark.parametrize(
    'spoil, options, message',
    [
        (other_mask, {}, r'p77_0\.png: .* case p77_0 already, and another mask: .*t/g'),
        (other_image, {}, 'p77_0 already, and another image'),
        (no_mask, {}, 'images without mask: p78_0'),
        (bad_mask, {}, 'p78_0.png: the mask has label 9'),
        (None, dict(subject_pattern='^(q)'), 'no subject'),
        (None, dict(side='left'), '--append left'),
        (None, dict(window=(3, 1)), 'window 3 1: '),
        (full_disk, {}, 'No space'),
    ],
)
def test_nothing_is_added_if_anything_is_wrong(
    raw, tmp_path, snapshot, monkeypatch, spoil, options, message
):
    out, more = tmp_path / 'out', tmp_path / 'more'
    run(raw, out)
    append(*new_cases(more, ['p77_0']), out)
    folders = new_cases(more, ['p77_0', 'p78_0'])
    before = snapshot(out)
    if spoil is full_disk:
        monkeypatch.setattr('seam_seg.datasets.prepare._write_splits', full_disk)
    elif spoil is not None:
        spoil(more)
    with pytest.raises((InputError, OSError), match=message):
        append(*folders, out, **options)
    assert snapshot(out) == before and not list(out.glob('.*'))


def test_what_cannot_be_added_to(raw, tmp_path, snapshot):
    out = tmp_path / 'out'
    folders = new_cases(tmp_path / 'more', ['p77_0'])
    with pytest.raises(InputError, match='out: holds no data set .*Leave out --append'):
        append(*folders, out)
    assert not out.exists()
    run(raw, out)
    (out / 'prepared.csv').write_text('name,subject\np00_0,p00\n')
    with pytest.raises(InputError, match='prepared.csv: no table of the cases'):
        append(*folders, out)
    run(raw, out, overwrite=True)
    text = (out / 'test.txt').read_text()
    (out / 'test.txt').write_text('\n'.join(text.split()[1:]) + '\n')
    with pytest.raises(InputError, match=f'not list the same cases: {text.split()[0]}'):
        append(*folders, out)
    run(raw, out, overwrite=True, subject_pattern=None, one_scan_per_subject=True)
    whole = (out / 'prepared.json').read_text()
    (out / 'prepared.json').write_text(whole[:20])
    with pytest.raises(InputError, match='prepared.json: is missing or damaged'):
        append(*folders, out)
    (out / 'prepared.json').write_text(whole)
    odd = new_cases(tmp_path / 'odd', ['q1_a', 'q1_b'])
    assert append(*odd, out).added == ['q1_a', 'q1_b']  # each a subject, as recorded
    settings = json.loads((out / 'prepared.json').read_text())
    settings['one_scan_per_subject'] = False
    (out / 'prepared.json').write_text(json.dumps(settings))
    with pytest.raises(InputError, match='seem to be of one subject'):
        append(*new_cases(tmp_path / 'last', ['q2_a', 'q2_b']), out)


def drawn_bones(instances):
    """A file of LabelMe with bones that somebody has checked."""
    mask = draw_case(0)[1]
    numbers = np.unique(instances)[1:].tolist()
    bones = [(CLASSES[mask[instances == n][0]], dict(id=n)) for n in numbers]
    drawing = trace_bones(instances, bones)._replace(checked=True)
    return labelme_content(drawing, 'a.png')


def test_bones_are_compared_too(tmp_path):
    """The same labels, but another division into bones."""
    bones = measure.label(draw_case(0)[1]).astype(np.int32)
    folder = tmp_path / 'raw'
    content = drawn_bones(bones)
    for i in range(3):
        write_image(folder / f'images/c_{i}.png', draw_case(i)[0])
        (folder / 'masks').mkdir(exist_ok=True)
        (folder / f'masks/c_{i}.json').write_text(json.dumps(content))
    folders = folder / 'images', folder / 'masks', tmp_path / 'out'
    prepare(*folders, test_fraction=0.5, val_fraction=0)
    content['shapes'].reverse()  # other numbers
    (folder / 'masks/c_0.json').write_text(json.dumps(content))
    assert append(*folders).added == []
    bones[:, 16:][bones[:, 16:] == 2] = 4
    (folder / 'masks/c_0.json').write_text(json.dumps(drawn_bones(bones)))
    with pytest.raises(InputError, match='c_0 already, and another map of bones'):
        append(*folders)


def test_what_masks_mean_is_said_again(raw, tmp_path, snapshot):
    """Else classes could be exchanged without a word; polygons have names."""
    out, order = tmp_path / 'out', ['background', 'lumbar', 'thoracic', 'rib']
    images, masks = new_cases(tmp_path / 'more', ['p77_0'])
    colours = dict(zip(CLASSES, ([(0, 0, 0)], [(0, 0, 255)], [(0, 255, 0)])))
    colours['lumbar'] = [(255, 0, 0)]
    run(raw, out, colour_map=colours)
    with pytest.raises(InputError, match='p77_0.png: .* prepared with --colour-map'):
        append(images, masks, out)
    settings = json.loads((out / 'prepared.json').read_text())
    settings.update(mask_classes=order, colour_map=None)
    (out / 'prepared.json').write_text(json.dumps(settings))
    before = snapshot(out)
    with pytest.raises(InputError, match='p77_0.png: .* prepared with --mask-classes'):
        append(images, masks, out)
    assert snapshot(out) == before
    bones = measure.label(draw_case(0)[1]).astype(np.int32)
    (tmp_path / 'drawn').mkdir()
    (tmp_path / 'drawn/p77_0.json').write_text(json.dumps(drawn_bones(bones)))
    assert append(images, tmp_path / 'drawn', out).added == ['p77_0']
    images, masks = new_cases(tmp_path / 'last', ['p77_1'])
    append(images, masks, out, mask_classes=order)
    found = cv2.imread(str(out / 'groundtruth/train/p77_1_bone_3.png'), -1)
    stored = cv2.imread(str(masks / 'p77_1.png'), -1)
    np.testing.assert_array_equal(found, np.array([0, 3, 2, 1])[stored])


def test_tool_adds(raw, tmp_path, run_tool):
    out = tmp_path / 'out'
    words = ['prepare_vpi', raw / 'images', raw / 'masks', out]
    words += ['--mask-suffix', '_mask.png', '--subject-pattern', '^(p[0-9]+)_']
    assert run_tool(*words)[0] == 0
    more = ['prepare_vpi', *new_cases(tmp_path / 'more', ['p77_0']), out]
    status, text, _ = run_tool(*more, '--append', 'test')
    assert status == 0 and 'added: p77_0\n' in text and 'new subjects: p77\n' in text
    assert 'test.txt     3 cases of 2 subjects' in text
    status, text, _ = run_tool(*more, '--append')
    assert status == 0 and 'added: nothing that was not there' in text
    with pytest.raises(SystemExit):
        run_tool(*more, '--append', '--overwrite')
