"""prepare_vpi writes what the dataset reads, or nothing at all."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from vpi_files import draw_case, write_image

from seam_seg.datasets import LoadVPIAnnotations, LoadVPIImage, VPIDataset
from seam_seg.datasets.prepare import prepare, split_subjects
from seam_seg.errors import InputError

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
    # 6 subjects of two images: 2 for the test, and one of the other 4 for validation.
    assert found == [6, 2, 4]
    assert prepared.subjects == dict(train=4, val=1, test=2)
    assert sorted(prepared.train + prepared.test) == [
        f'p{i // 2:02d}_{i % 2}' for i in range(12)
    ]
    assert not list((tmp_path / 'out').glob('.*'))  # the stage is gone


def test_no_subject_is_on_two_sides(raw, tmp_path):
    for seed in range(8):
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


def test_split_is_the_papers_for_its_109_subjects():
    splits = split_subjects([f's{i}' for i in range(109)], 29 / 109, 0.2, 0)
    assert [len(splits[k]) for k in ('train', 'val', 'test')] == [80, 16, 29]
    assert not set(splits['train']) & set(splits['test'])
    assert set(splits['val']) < set(splits['train'])
    assert splits != split_subjects([f's{i}' for i in range(109)], 29 / 109, 0.2, 1)


def test_same_seed_same_bytes(raw, tmp_path, snapshot):
    run(raw, tmp_path / 'one', seed=3)
    run(raw, tmp_path / 'two', seed=3)
    assert snapshot(tmp_path / 'one') == snapshot(tmp_path / 'two')


def test_without_validation_file(raw, tmp_path):
    assert run(raw, tmp_path / 'out', val_fraction=0).val == []
    assert not (tmp_path / 'out/val.txt').exists()


def test_without_pattern_every_image_is_a_subject(raw, tmp_path):
    prepared = run(raw, tmp_path / 'out', subject_pattern=None)
    assert prepared.subjects['train'] + prepared.subjects['test'] == 12


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
        (nothing, dict(subject_pattern='^(q[0-9]+)'), 'p00_0: .*no subject'),
        (nothing, dict(subject_pattern='^p[0-9]+'), 'no group'),
        (nothing, dict(subject_pattern='(p'), 'no regular expression'),
        (nothing, dict(subject_pattern='^(p)'), r'1 subject \(p\)'),
        (nothing, dict(test_fraction=0.99), '--val-fraction 0'),
        (nothing, dict(test_fraction=0), '--test-fraction 0'),
        (nothing, dict(val_fraction=1), '--val-fraction 1'),
        (nothing, dict(window=(9, 9)), '--window 9 9'),
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


@pytest.mark.parametrize('number', range(1, 11))
def test_a_move_that_fails_brings_the_old_data_back(
    number, raw, tmp_path, snapshot, monkeypatch
):
    """As of an entry that is a mount point: at each of the renames."""
    out = tmp_path / 'out'
    run(raw, out)
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
        run(raw, out, overwrite=True)
    assert snapshot(tmp_path) == before
    run(raw, out, overwrite=True)  # five entries aside, five in
    assert snapshot(tmp_path) == before


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
    assert 'train.txt    8 cases of 4 subjects' in text
    assert 'test.txt     4 cases of 2 subjects' in text
    before = snapshot(tmp_path)
    status, _, err = run_tool(*argv)
    assert status == 2
    assert err.startswith('error: ') and err.count('\n') == 1
    assert snapshot(tmp_path) == before
    status, text, _ = run_tool('check_dataset', out, '--out', tmp_path / 'check')
    assert status == 0, text
