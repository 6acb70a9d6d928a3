"""The pipeline steps: what they load, and that image and mask stay together."""

import sys

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from mmseg.registry import TRANSFORMS
from vpi_files import draw_case, write_image

from seam_seg.datasets import (
    CacheTransforms,
    CropPatch,
    LoadVPIAnnotations,
    LoadVPIImage,
    LoadVPIInstances,
    MonaiTransforms,
    PackVPIInputs,
    ResizeVPI,
    VPIDataset,
)
from seam_seg.datasets.seeding import seeded
from seam_seg.errors import InputError


def centroid(pixels):
    rows, columns = np.indices(pixels.shape)
    weights = pixels / pixels.sum()
    return np.array([(rows * weights).sum(), (columns * weights).sum()])


def test_steps_are_registered():
    names = (
        'CacheTransforms',
        'CropPatch',
        'LoadVPIAnnotations',
        'LoadVPIImage',
        'LoadVPIInstances',
        'MonaiTransforms',
        'PackVPIInputs',
        'ResizeVPI',
    )
    assert all(name in TRANSFORMS for name in names)


def test_image_and_mask_are_loaded(contract):
    path = contract / 'dataset/train/a0.png'
    mask_path = contract / 'groundtruth/train/a0_bone_3.png'
    results = LoadVPIImage()(dict(img_path=str(path)))
    assert results['img_shape'] == results['ori_shape'] == (64, 32)
    np.testing.assert_array_equal(results['img'], cv2.imread(str(path), -1))
    results.update(
        seg_map_path=str(mask_path), num_labels=4, label_map=None, ignore_index=255
    )
    results = LoadVPIAnnotations()(results)
    assert results['seg_fields'] == ['gt_seg_map']
    np.testing.assert_array_equal(results['gt_seg_map'], cv2.imread(str(mask_path), -1))


def test_loading_stops_at_a_mask_of_another_size(contract):
    path = contract / 'groundtruth/train/a0_bone_3.png'
    cv2.imwrite(str(path), np.zeros((8, 8), np.uint8))
    dataset = VPIDataset(
        str(contract), 'trainval', pipeline=[LoadVPIImage(), LoadVPIAnnotations()]
    )
    with pytest.raises(InputError, match='a0_bone_3.png'):
        dataset[0]


def test_empty_window():
    with pytest.raises(ValueError, match='window'):
        LoadVPIImage(window=(100, 100))


# The sizes of the configs, and a small one. An even factor such as 2 has no central
# source pixel: there a mask moves by a quarter of a pixel.
@pytest.mark.parametrize('scale', [(256, 1024), (128, 512), (100, 401)])
def test_resizing_does_not_shift_the_mask_against_the_image(scale):
    rows, columns = np.indices((2574, 640))
    disc = (np.hypot(rows - 1201.3, columns - 305.6) <= 80).astype(np.uint8)
    results = ResizeVPI(scale)(
        dict(img=255 * disc, gt_seg_map=disc, seg_fields=['gt_seg_map'])
    )
    assert results['img'].shape == results['gt_seg_map'].shape == scale[::-1]
    assert set(np.unique(results['gt_seg_map'])) == {0, 1}
    # Pixel centres: (x + 0.5) * factor - 0.5.
    factor = np.array(scale[::-1]) / disc.shape
    expected = (centroid(disc) + 0.5) * factor - 0.5
    np.testing.assert_allclose(centroid(results['img']), expected, atol=0.02)
    np.testing.assert_allclose(centroid(results['gt_seg_map']), expected, atol=0.1)


def test_resizing_leaves_a_mask_that_is_loaded_later_alone(contract):
    dataset = VPIDataset(
        str(contract),
        'test',
        pipeline=[LoadVPIImage(), ResizeVPI((16, 16)), LoadVPIAnnotations()],
    )
    assert dataset[0]['img'].shape == (16, 16)
    assert dataset[0]['gt_seg_map'].shape == dataset[0]['ori_shape'] == (64, 32)


def test_crop_cuts_image_and_mask_alike():
    image = np.arange(48).reshape(8, 6)
    results = CropPatch()(
        dict(
            img=image, gt_seg_map=image + 1, seg_fields=['gt_seg_map'], patch=(2, 1, 4, 5)
        )
    )
    np.testing.assert_array_equal(results['img'], image[2:6, 1:6])
    np.testing.assert_array_equal(results['gt_seg_map'], image[2:6, 1:6] + 1)
    assert results['img_shape'] == (4, 5)


def test_cached_patches_equal_uncached_ones_and_load_once(contract, monkeypatch):
    patches = dict(image_size=(48, 32), size=(16, 32), stride=(10, 32))
    load = [LoadVPIImage(), LoadVPIAnnotations(), ResizeVPI((32, 48))]
    plain = VPIDataset(
        str(contract), 'trainval', patches=patches, pipeline=[*load, CropPatch()]
    )
    expected = [plain[i] for i in range(len(plain))]
    assert len(expected) == 5 * 5  # images x offsets 0, 10, 20, 30, 32

    loads = []
    original = LoadVPIImage.transform
    monkeypatch.setattr(
        LoadVPIImage,
        'transform',
        lambda self, results: (
            loads.append(results['img_path']) or original(self, results)
        ),
    )
    cached = VPIDataset(
        str(contract),
        'trainval',
        patches=patches,
        pipeline=[CacheTransforms(load), CropPatch()],
    )
    for i in [*np.random.default_rng(0).permutation(len(cached)), 3, 3]:
        sample = cached[int(i)]
        assert sample.keys() == expected[i].keys()
        for key in ('img_path', 'patch', 'img_shape', 'ori_shape', 'sample_idx'):
            assert sample[key] == expected[i][key]
        for key in ('img', 'gt_seg_map'):
            np.testing.assert_array_equal(sample[key], expected[i][key])
    assert len(loads) == len(set(loads)) == 5


def test_patch_outside_the_image_is_refused():
    results = dict(img=np.zeros((40, 20), np.uint8), patch=(30, 0, 16, 16))
    with pytest.raises(InputError, match='leaves the image of 40 x 20'):
        CropPatch()(results)


def test_enlarged_images_are_interpolated():
    """Area averaging would repeat pixels, so that a ramp becomes stairs."""
    ramp = np.tile(np.arange(0, 160, 10, dtype=np.uint8), (8, 1))
    resize = ResizeVPI((64, 16))
    large = resize(dict(img=ramp, img_shape=ramp.shape))['img'].astype(int)
    assert large.shape == (16, 64)
    assert len(np.unique(large[0])) > 2 * len(np.unique(ramp))
    small = resize(dict(img=np.tile(ramp, (8, 8)), img_shape=(64, 128)))['img']
    assert small[0, 0] == 5  # the mean of 0 and 10


def touching(folder):
    """An image, its mask, and two bones in it that touch."""
    image, mask = draw_case(0)
    numbers = mask.astype(np.uint16) * 300
    rows = np.flatnonzero((mask == 3).any(axis=1))
    numbers[rows.mean().astype(int) :][mask[rows.mean().astype(int) :] == 3] = 7
    for kind, pixels in (('image', image), ('mask', mask), ('bones', numbers)):
        write_image(folder / f'{kind}.png', pixels)
    return mask, numbers


def load_bones(folder, **options):
    results = dict(
        img_path=str(folder / 'image.png'),
        seg_map_path=str(folder / 'mask.png'),
        instance_path=str(folder / 'bones.png'),
        num_labels=4,
        ignore_index=255,
        seg_fields=[],
    )
    steps = [LoadVPIImage(), LoadVPIAnnotations(), LoadVPIInstances()]
    return Compose(steps)({**results, **options})


def test_bones_are_loaded_one_by_one(tmp_path):
    mask, numbers = touching(tmp_path)
    results = load_bones(tmp_path)
    assert results['seg_fields'] == ['gt_seg_map', 'gt_instances']
    np.testing.assert_array_equal(results['gt_instances'], numbers)
    # without a file: connected pieces, and what touches is one
    found = load_bones(tmp_path, instance_path=None)['gt_instances']
    assert found.dtype == np.uint16 and ((found > 0) == (mask > 0)).all()
    assert len(np.unique(found)) < len(np.unique(numbers))
    # a class that is not trained on has no bones
    ignored = load_bones(tmp_path, label_map={3: 255})['gt_instances']
    np.testing.assert_array_equal(ignored, np.where(mask == 3, 0, numbers))


@pytest.mark.parametrize('fault', ['missing bone', 'two classes', 'size'])
def test_bones_that_disagree_with_the_mask(fault, tmp_path):
    _, numbers = touching(tmp_path)
    if fault == 'missing bone':
        numbers[numbers == 7] = 0
    elif fault == 'two classes':
        numbers[numbers == 300] = 7
    else:
        numbers = numbers[1:]
    write_image(tmp_path / 'bones.png', numbers)
    with pytest.raises(InputError, match='bones.png: the (map of bones|bones do not)'):
        load_bones(tmp_path)


def test_bones_reach_the_model(tmp_path):
    touching(tmp_path)
    results = load_bones(tmp_path)
    packed = PackVPIInputs()(dict(results))
    bones = packed['data_samples'].gt_instances.data
    assert bones.dtype == torch.int64 and bones.shape == (1, 64, 32)
    np.testing.assert_array_equal(bones[0].numpy(), results['gt_instances'])
    del results['gt_instances']
    assert 'gt_instances' not in PackVPIInputs()(results)['data_samples']


MONAI = [
    dict(
        type='RandAffined',
        keys=('img', 'seg'),
        prob=1.0,
        scale_range=((-0.2, 0.2), (-0.2, 0.2)),
        mode=('bilinear', 'nearest'),
        padding_mode='zeros',
    ),
    dict(type='RandAdjustContrastd', keys='img', prob=1.0, gamma=(0.5, 2.0)),
]


def test_monai_moves_image_and_fields_alike(tmp_path):
    _, numbers = touching(tmp_path)
    results = load_bones(tmp_path)
    results['img'] = np.where(numbers == 7, 255, 0).astype(np.uint8)
    with seeded(1):  # another draw may be hardly any change
        moved = MonaiTransforms(MONAI[:1])(dict(results))
    assert moved['gt_instances'].dtype == np.uint16
    assert set(np.unique(moved['gt_instances'])) <= {*np.unique(numbers)}
    assert (moved['gt_instances'] != numbers).any()
    bone = moved['gt_instances'] == 7
    assert (moved['gt_seg_map'][bone] == 3).all()
    overlap = ((moved['img'] > 127) & bone).sum() / ((moved['img'] > 127) | bone).sum()
    assert overlap > 0.9
    assert moved['img'].dtype == np.float32 and moved['img'].max() <= 255
    assert moved['img_shape'] == (64, 32)


def test_monai_draws_from_the_seed_of_the_sample(tmp_path):
    touching(tmp_path)
    step = MonaiTransforms(MONAI)

    def drawn(seed):
        with seeded(seed):
            return step(load_bones(tmp_path))['img']

    first = drawn(1)
    assert (drawn(2) != first).any()
    np.testing.assert_array_equal(drawn(1), first)


def test_without_monai_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'monai.transforms', None)
    with pytest.raises(InputError, match='pip install monai'):
        MonaiTransforms([])
