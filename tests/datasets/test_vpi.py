"""The data set: splits, patches, labels, and errors that name the file."""

import shutil

import numpy as np
import pytest
from vpi_files import draw_case, write_contract, write_image

from seam_seg.datasets import LoadVPIAnnotations, LoadVPIImage, VPIDataset
from seam_seg.datasets.vpi import (
    NoValidationCasesError,
    carve_val,
    patch_offsets,
    read_split,
    resolve_root,
)
from seam_seg.errors import InputError


def names(root, split, **kwargs):
    dataset = VPIDataset(str(root), split, **kwargs)
    return [dataset[i]['img_path'].split('/')[-1][:-4] for i in range(len(dataset))]


def test_splits_are_disjoint_and_complete(contract):
    splits = {split: names(contract, split) for split in ('train', 'val', 'test')}
    assert sorted(splits['train'] + splits['val']) == ['a0', 'a1', 'a2', 'a3', 'a4']
    assert names(contract, 'trainval') == ['a0', 'a1', 'a2', 'a3', 'a4']
    assert splits['test'] == ['t0', 't1']
    assert len(splits['val']) == 1


def test_validation_cases_are_a_seeded_draw():
    cases = [f'a{i}' for i in range(500)]
    val = carve_val(cases, 0.2, seed=0)
    assert val == sorted(set(val), key=cases.index)  # the order of the cases
    assert 70 < len(val) < 130
    assert val != carve_val(cases, 0.2, seed=1)
    # it is a case's own affair whether it is drawn
    assert carve_val(cases[::3], 0.2, 0) == [name for name in cases[::3] if name in val]
    assert set(val) < set(carve_val(cases, 0.3, 0))


def test_validation_cases_of_a_subject_stay_together():
    subjects = {f's{i}_{scan}': f's{i}' for i in range(50) for scan in range(3)}
    val = carve_val(list(subjects), 0.2, 0, subjects)
    assert val == [n for n in subjects if subjects[n] in {subjects[name] for name in val}]
    with pytest.raises(InputError, match='of one subject only'):
        carve_val(['s0_0', 's0_1'], 0.2, 0, subjects)


@pytest.mark.parametrize('fraction, words', [(0.01, 'none of the 2'), (0.99, 'all of')])
def test_a_draw_that_leaves_nothing_says_what_to_do(contract, fraction, words):
    (contract / 'train.txt').write_text('a0\na1\n')
    with pytest.raises(InputError, match=f'train.txt: {words}.*val.txt') as error:
        VPIDataset(str(contract), 'train', val_fraction=fraction)
    seed = int(
        str(error.value).split('val_dataloader.dataset.val_seed=')[1].split(',')[0]
    )
    options = dict(val_fraction=fraction, val_seed=seed)
    assert len(names(contract, 'val', **options)) == 1
    assert len(names(contract, 'train', **options)) == 1


def test_the_draw_knows_the_subjects_of_a_prepared_data_set(contract):
    (contract / 'prepared.csv').write_text('name,subject\na0,x\na1,x\na2,x\na3,y\na4,y\n')
    sides = set()
    for seed in range(20):
        try:
            sides.add(tuple(names(contract, 'val', val_seed=seed, val_fraction=0.5)))
        except InputError:  # all on one side
            continue
    assert sides == {('a0', 'a1', 'a2'), ('a3', 'a4')}


def test_val_txt_comes_before_the_draw(contract):
    (contract / 'val.txt').write_text('a1\na3\n')
    assert names(contract, 'val') == ['a1', 'a3']
    assert names(contract, 'train') == ['a0', 'a2', 'a4']


def test_paths_and_metainfo(contract):
    dataset = VPIDataset(str(contract), 'test')
    info = dataset.get_data_info(1)
    assert info['img_path'] == str(contract / 'dataset/test/t1.png')
    assert info['seg_map_path'] == str(contract / 'groundtruth/test/t1_bone_3.png')
    assert dataset.metainfo['classes'] == ('background', 'rib', 'thoracic', 'lumbar')
    assert dataset.metainfo['palette'] == [
        [0, 0, 0],
        [255, 0, 0],
        [0, 255, 0],
        [0, 0, 255],
    ]


def test_other_folders_and_suffixes(contract):
    shutil.move(contract / 'dataset/test', contract / 'images')
    shutil.move(contract / 'groundtruth/test', contract / 'labels')
    for i in range(2):
        shutil.move(contract / f'labels/t{i}_bone_3.png', contract / f'labels/t{i}.png')
    assert names(
        contract,
        'test',
        seg_map_suffix='.png',
        folders=dict(img_path='images', seg_map_path='labels'),
    ) == ['t0', 't1']


def test_data_root_relative_to_the_current_folder(contract, monkeypatch):
    monkeypatch.chdir(contract.parent)
    assert names('vpi', 'test') == ['t0', 't1']


def test_data_root_relative_to_the_clone(contract, tmp_path, monkeypatch):
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr('seam_seg.datasets.vpi.project_root', lambda: contract.parent)
    assert names('vpi', 'test') == ['t0', 't1']


def test_missing_data_root_says_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match='data/nowhere.*no such folder') as error:
        resolve_root('data/nowhere')
    assert str(tmp_path / 'data/nowhere') in str(error.value)
    with pytest.raises(InputError, match='/nowhere'):
        resolve_root('/nowhere')


@pytest.mark.parametrize(
    'image, patch, stride, expected',
    [(10, 4, 3, [0, 3, 6]), (10, 4, 4, [0, 4, 6]), (10, 10, 4, [0]), (10, 1, 9, [0, 9])],
)
def test_patch_offsets(image, patch, stride, expected):
    assert patch_offsets(image, patch, stride) == expected


@pytest.mark.parametrize('image, patch, stride', [(10, 11, 1), (10, 0, 1), (10, 4, 0)])
def test_patches_that_do_not_fit(image, patch, stride):
    with pytest.raises(InputError, match='patches'):
        patch_offsets(image, patch, stride)


def test_patches_cover_every_pixel_of_every_image(contract):
    patches = dict(image_size=(50, 21), size=(16, 8), stride=(16, 5))
    dataset = VPIDataset(str(contract), 'trainval', patches=patches)
    seen = {}
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        top, left, height, width = info['patch']
        assert (height, width) == (16, 8)
        seen.setdefault(info['img_path'], np.zeros((50, 21), int))[
            top : top + height, left : left + width
        ] += 1
    assert len(seen) == 5
    assert all(cover.min() > 0 for cover in seen.values())
    # 4 rows (0, 16, 32, 34) x 4 columns (0, 5, 10, 13), image after image
    assert len(dataset) == 5 * 16
    again = VPIDataset(str(contract), 'trainval', patches=patches)
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        assert info == again.get_data_info(i)
        assert info['img_path'].endswith(f'a{i // 16}.png')
        assert info['patch'][:2] == ((0, 16, 32, 34)[i % 16 // 4], (0, 5, 10, 13)[i % 4])


def test_mask_classes_remap_the_labels(contract):
    mask = np.arange(6, dtype=np.uint8).repeat(64).reshape(12, 32)
    mask[10:] = 255
    write_image(contract / 'dataset/test/t0.png', mask)
    write_image(contract / 'groundtruth/test/t0_bone_3.png', mask)
    dataset = VPIDataset(
        str(contract),
        'test',
        pipeline=[LoadVPIImage(), LoadVPIAnnotations()],
        mask_classes=('background', 'lumbar', 'sacrum', 'rib', 'thoracic'),
    )
    label = dataset[0]['gt_seg_map']
    np.testing.assert_array_equal(label[::2, 0], [0, 3, 255, 1, 2, 255])


def test_other_classes(contract):
    dataset = VPIDataset(
        str(contract),
        'test',
        pipeline=[LoadVPIImage(), LoadVPIAnnotations()],
        mask_classes=('background', 'rib', 'thoracic', 'lumbar'),
        metainfo=dict(classes=('background', 'lumbar'), palette=[[0, 0, 0], [0, 0, 255]]),
    )
    assert dataset.metainfo['classes'] == ('background', 'lumbar')
    mask = draw_case([ord('t'), 0])[1]
    expected = np.array([0, 255, 255, 1])[mask]
    np.testing.assert_array_equal(dataset[0]['gt_seg_map'], expected)


def test_mask_classes_without_a_class(contract):
    with pytest.raises(InputError, match="lack the class 'lumbar'"):
        VPIDataset(str(contract), mask_classes=('background', 'rib', 'thoracic'))


def test_a_label_outside_the_classes(contract):
    path = contract / 'groundtruth/test/t0_bone_3.png'
    write_image(path, np.full((64, 32), 4, np.uint8))
    dataset = VPIDataset(
        str(contract), 'test', pipeline=[LoadVPIImage(), LoadVPIAnnotations()]
    )
    with pytest.raises(InputError, match='t0_bone_3.png: .*label 4'):
        dataset[0]


def test_split_file_with_a_mark_blank_lines_and_crlf(tmp_path):
    path = tmp_path / 'train.txt'
    path.write_bytes(b'\xef\xbb\xbfa0\r\n\r\n  a 1 \r\n')
    assert read_split(path) == ['a0', 'a 1']


@pytest.mark.parametrize(
    'content, message',
    [
        (None, 'no such split file'),
        (b'', 'empty'),
        (b'\n \n', 'empty'),
        (b'a0\na1\na0\na1\n', 'a0, a1 listed more than once'),
        ('a0\n'.encode('utf-16'), 'not UTF-8'),
        (b'a0\np01/a1\n', 'p01/a1 lies in a folder'),
    ],
)
@pytest.mark.parametrize('split', ['train', 'test', 'val'])
def test_faulty_split_file(contract, split, content, message):
    path = contract / f'{split}.txt'
    if content is not None:
        path.write_bytes(content)
    elif split == 'val':  # may be missing
        assert len(VPIDataset(str(contract), split)) > 0
        return
    else:
        path.unlink()
    with pytest.raises(InputError, match=f'{split}.txt: .*{message}'):
        VPIDataset(str(contract), split)


def test_a_layout_without_maps_of_bones_has_none(contract, monkeypatch):
    """Not even where one of that name lies in the current folder."""
    monkeypatch.chdir(contract / 'dataset/test')
    folders = dict(img_path='dataset/{split}', seg_map_path='groundtruth/{split}')
    dataset = VPIDataset(str(contract), 'test', folders=folders)
    assert dataset.load_data_list()[0]['instance_path'] is None


def test_training_without_test_cases(contract):
    (contract / 'test.txt').unlink()
    assert len(names(contract, 'trainval')) == 5


@pytest.mark.parametrize('split', ['train', 'val', 'trainval', 'test'])
def test_a_case_in_train_and_test(contract, split):
    (contract / 'test.txt').write_text('t0\na3\n')
    with pytest.raises(InputError, match='case a3 is in train.txt and in test.txt'):
        VPIDataset(str(contract), split)


@pytest.mark.parametrize(
    'listed, message',
    [('a0\nt0\n', 't0 is not among them'), ('a0\na1\na2\na3\na4\n', 'not all')],
)
def test_val_txt_that_does_not_fit_train_txt(contract, listed, message):
    (contract / 'val.txt').write_text(listed)
    with pytest.raises(InputError, match=f'val.txt.*{message}'):
        VPIDataset(str(contract), 'val')


@pytest.mark.parametrize('fraction', [1, -0.1, 1.5])
def test_val_fraction_out_of_range(contract, fraction):
    with pytest.raises(InputError, match='val_fraction'):
        VPIDataset(str(contract), 'val', val_fraction=fraction)


def test_without_a_draw_there_are_no_validation_cases(contract):
    """With val.txt it is as with a draw."""
    assert names(contract, 'train', val_fraction=0) == ['a0', 'a1', 'a2', 'a3', 'a4']
    with pytest.raises(NoValidationCasesError, match='val.txt: no such.*val_fraction=0'):
        VPIDataset(str(contract), 'val', val_fraction=0)
    (contract / 'val.txt').write_text('a3\n')
    assert names(contract, 'train', val_fraction=0) == ['a0', 'a1', 'a2', 'a4']
    assert names(contract, 'val', val_fraction=0) == ['a3']


def test_one_case_cannot_be_split(tmp_path):
    root = write_contract(tmp_path / 'one', train=1)
    with pytest.raises(InputError, match='train.txt: .* of one subject only'):
        VPIDataset(str(root), 'train')
    assert names(root, 'trainval') == ['a0']


@pytest.mark.parametrize(
    'file, kind',
    [('dataset/test/t1.png', 'image'), ('groundtruth/test/t1_bone_3.png', 'mask')],
)
def test_missing_file(contract, file, kind):
    (contract / file).unlink()
    with pytest.raises(InputError, match=f'{file}: no such {kind}.*t1'):
        VPIDataset(str(contract), 'test')


def test_unknown_split(contract):
    with pytest.raises(InputError, match="split='valid'"):
        VPIDataset(str(contract), 'valid')


def test_other_split_files(contract):
    (contract / 'fold0.txt').write_text('a0\na1\na3\n')
    files = dict(train='fold0.txt', val='none.txt', test='test.txt')
    dataset = VPIDataset(str(contract), 'trainval', split_files=files)
    assert dataset.split_names() == ['a0', 'a1', 'a3']
    with pytest.raises(InputError, match='split_files'):
        VPIDataset(str(contract), ann_file='fold0.txt')


def test_palette_follows_the_names(contract):
    classes = ['background', 'lumbar', 'rib']
    dataset = VPIDataset(
        str(contract),
        lazy_init=True,
        metainfo=dict(classes=classes),
        mask_classes=VPIDataset.METAINFO['classes'],
    )
    assert dataset.metainfo['palette'] == [[0, 0, 0], [0, 0, 255], [255, 0, 0]]
    for metainfo in (
        dict(classes=['background', 'hip']),
        dict(classes=classes, palette=[[0, 0, 0]]),
    ):
        with pytest.raises(InputError, match='palette'):
            VPIDataset(str(contract), lazy_init=True, metainfo=metainfo)


def test_data_set_that_is_only_tested_on(contract):
    (contract / 'train.txt').write_text('\n')
    assert VPIDataset(str(contract), 'test').split_names() == ['t0', 't1']
    (contract / 'train.txt').unlink()
    assert VPIDataset(str(contract), 'test').split_names() == ['t0', 't1']
    with pytest.raises(InputError, match='train.txt'):
        VPIDataset(str(contract), 'train')
