"""Every faulty file is an error that names it; every good one reads as it is."""

import cv2
import numpy as np
import pytest

from seam_seg.datasets.readers import read_image, read_mask, to_uint8
from seam_seg.errors import InputError

GREY = np.arange(64 * 32, dtype=np.uint16).reshape(64, 32) % 251


def save(path, pixels):
    assert cv2.imwrite(str(path), pixels)
    return path


def test_8_bit_image_is_read_unchanged(tmp_path):
    path = save(tmp_path / 'a.png', GREY.astype(np.uint8))
    image = read_image(path)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, GREY)


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_grey_image_saved_as_rgb_is_accepted(tmp_path, dtype):
    grey = GREY.astype(dtype)
    rgb = save(tmp_path / 'rgb.png', np.repeat(grey[..., None], 3, axis=2))
    np.testing.assert_array_equal(
        read_image(rgb), read_image(save(tmp_path / 'grey.png', grey))
    )


def test_16_bit_image_without_window_spans_0_to_its_999th_permille(tmp_path):
    # 12 significant bits: dividing by 256 would leave 16 grey levels.
    image = np.linspace(100, 4095, 100 * 100).reshape(100, 100).astype(np.uint16)
    image[0, 0] = 65535  # an outlier, which must not decide
    read = read_image(save(tmp_path / 'a.png', image))
    assert read.max() == 255
    assert read[-1, -1] == 255
    assert read[0, 1] == round(100 * 255 / np.percentile(image, 99.9))
    assert len(np.unique(read)) > 200


def test_16_bit_image_of_zeros_stays_black(tmp_path):
    path = save(tmp_path / 'a.png', np.zeros((8, 8), np.uint16))
    assert not read_image(path).any()


def test_window_maps_its_ends_to_0_and_255():
    image = np.array([[0, 1000, 2000, 3000, 9000]], np.uint16)
    np.testing.assert_array_equal(to_uint8(image, (1000, 3000)), [[0, 0, 128, 255, 255]])


def test_window_applies_to_8_bits_too():
    np.testing.assert_array_equal(
        to_uint8(np.array([[50, 100, 150]], np.uint8), (50, 150)), [[0, 128, 255]]
    )


def test_name_that_is_not_ascii(tmp_path):
    path = tmp_path / 'Wirbelsäule 1.png'
    path.write_bytes(cv2.imencode('.png', GREY.astype(np.uint8))[1].tobytes())
    assert read_image(path).shape == (64, 32)


def truncated(path):
    data = cv2.imencode('.png', GREY.astype(np.uint8))[1].tobytes()
    path.write_bytes(data[:20])


@pytest.mark.parametrize(
    'write, message',
    [
        (lambda path: None, 'no such image'),
        (lambda path: path.mkdir(), 'no such image'),
        (lambda path: path.write_bytes(b''), 'empty'),
        (lambda path: path.write_bytes(b'hello'), 'damaged'),
        (truncated, 'damaged'),
    ],
)
def test_unreadable_image(tmp_path, write, message):
    path = tmp_path / 'case_7.png'
    write(path)
    with pytest.raises(InputError, match=f'case_7.png: .*{message}'):
        read_image(path)


def test_file_that_the_system_refuses(tmp_path, monkeypatch):
    path = save(tmp_path / 'case_7.png', GREY.astype(np.uint8))

    def refuse(*args):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(np, 'fromfile', refuse)
    with pytest.raises(InputError, match='case_7.png: .*Permission denied'):
        read_image(path)


@pytest.mark.parametrize(
    'suffix, pixels, message',
    [
        ('.png', np.dstack([GREY, GREY, GREY + 1]).astype(np.uint8), 'colour'),
        ('.png', np.dstack([GREY, GREY, GREY, GREY]).astype(np.uint8), 'transparent'),
        ('.tif', GREY.astype(np.float32), 'float32'),
        ('.tif', np.dstack([GREY] * 3).astype(np.float32), 'float32'),
    ],
)
def test_unsuitable_image(tmp_path, suffix, pixels, message):
    path = save(tmp_path / f'case_7{suffix}', pixels)
    with pytest.raises(InputError, match=f'case_7{suffix}: .*{message}'):
        read_image(path)


def test_opaque_alpha_channel_is_accepted(tmp_path):
    grey = GREY.astype(np.uint8)
    path = save(tmp_path / 'a.png', np.dstack([grey] * 3 + [np.full_like(grey, 255)]))
    np.testing.assert_array_equal(read_image(path), grey)


def test_mask_is_read_unchanged(tmp_path):
    mask = np.array([[0, 1, 2], [3, 255, 0]], np.uint8)
    for dtype in (np.uint8, np.uint16):
        read = read_mask(save(tmp_path / 'm.png', mask.astype(dtype)), 4)
        assert read.dtype == np.uint8
        np.testing.assert_array_equal(read, mask)


@pytest.mark.parametrize(
    'suffix, mask, message',
    [
        ('.png', np.zeros((4, 4, 3), np.uint8), 'RGB mask of 3 channels'),
        ('.png', np.full((4, 4), 7, np.uint8), 'label 7'),
        ('.png', np.full((4, 4), 257, np.uint16), 'label 257'),
        ('.png', np.array([[0, 128, 254]], np.uint8), 'label 128, 254'),
        ('.png', np.array([[0, 255]], np.uint8), 'binary mask of 0 and 255'),
        ('.tif', np.array([[0, -1]], np.int16), 'label -1'),
        ('.tif', np.array([[0, 0.5]], np.float32), 'label 0.5'),
    ],
)
def test_unsuitable_mask(tmp_path, suffix, mask, message):
    path = save(tmp_path / f'case_7_bone_3{suffix}', mask)
    with pytest.raises(InputError, match=f'case_7_bone_3{suffix}: .*{message}'):
        read_mask(path, 4)


def test_mask_of_another_size_than_its_image(tmp_path):
    path = save(tmp_path / 'case_7.png', np.zeros((64, 32), np.uint8))
    assert read_mask(path, 4, image_shape=(64, 32)).shape == (64, 32)
    with pytest.raises(InputError, match='case_7.png: .*64 x 32.*32 x 64'):
        read_mask(path, 4, image_shape=(32, 64))


def test_missing_mask(tmp_path):
    with pytest.raises(InputError, match='case_7.png: no such mask'):
        read_mask(tmp_path / 'case_7.png', 4)
