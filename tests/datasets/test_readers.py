"""Every faulty file is an error that names it; every good one reads as it is."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from seam_seg.datasets.arrays import grey_of
from seam_seg.datasets.readers import read_image, read_mask, read_spacing, to_uint8
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


def test_a_window_beyond_8_bits_leaves_them_as_they_are(tmp_path):
    """Of a folder with images of both kinds, it is that of the others."""
    pixels = GREY.astype(np.uint8)
    path = save(tmp_path / 'a.png', pixels)
    np.testing.assert_array_equal(read_image(path, (0, 4095)), pixels)
    np.testing.assert_array_equal(read_image(path, (0, 125)), to_uint8(pixels, (0, 125)))
    np.testing.assert_array_equal(read_image(path, (-500, 200)), pixels)
    np.testing.assert_array_equal(grey_of(pixels, (0, 4095))[0], pixels)
    path = save(tmp_path / 'b.png', 16 * GREY)
    np.testing.assert_array_equal(
        read_image(path, (0, 4095)), np.rint(16 * GREY * (255 / 4095)).astype(np.uint8)
    )


def test_a_tiff_of_16_bits_in_which_0_is_white(tmp_path):
    """OpenCV turns those of 8 bits round, as Pillow does when it writes them."""
    pixels = GREY.astype(np.uint8)
    for dtype, name in ((np.uint8, 'a.tif'), (np.uint16, 'b.tif')):
        picture = Image.fromarray(pixels.astype(dtype))
        picture.save(tmp_path / name, tiffinfo={0x0106: 0})
    with Image.open(tmp_path / 'b.tif') as picture:
        assert picture.tag_v2[0x0106] == 0
    np.testing.assert_array_equal(read_image(tmp_path / 'a.tif'), pixels)
    with pytest.raises(InputError, match='b.tif: a TIFF in which 0 is white'):
        read_image(tmp_path / 'b.tif')


def test_name_that_is_not_ascii(tmp_path):
    path = tmp_path / 'Wirbelsäule 1.png'
    path.write_bytes(cv2.imencode('.png', GREY.astype(np.uint8))[1].tobytes())
    assert read_image(path).shape == (64, 32)


def encoded(kind, count=1, **options):
    """A file of some images, as Pillow writes it."""
    frames = [Image.fromarray(np.roll(GREY, i, 0).astype(np.uint8)) for i in range(count)]
    buffer = io.BytesIO()
    more = dict(save_all=True, append_images=frames[1:]) if count > 1 else {}
    frames[0].save(buffer, kind, **more, **options)
    return buffer.getvalue()


@pytest.mark.parametrize('kind', ['TIFF', 'PNG'])
@pytest.mark.parametrize('read', [read_image, lambda path: read_mask(path, 9)])
def test_all_images_of_a_file_are_counted(tmp_path, kind, read):
    path = tmp_path / 'scan'
    path.write_bytes(encoded(kind, 5))
    with pytest.raises(InputError, match='scan: the file holds 5 images'):
        read(path)


def thumbnail():
    """EXIF data with a JPEG inside, which has an end of its own."""
    return b'Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0' + encoded('JPEG')


FILES = {
    'JPEG': (encoded('JPEG'), b''),
    'progressive': (encoded('JPEG', progressive=True), b''),
    'restarts': (encoded('JPEG', restart_marker_rows=1), b''),
    'thumbnail': (encoded('JPEG', exif=thumbnail()), b''),
    'trailing bytes': (encoded('JPEG'), b'of a camera'),
    'PNG': (encoded('PNG'), b''),
    'BMP': (encoded('BMP'), b''),
    'TIFF': (encoded('TIFF'), b''),
    'LZW': (encoded('TIFF', compression='tiff_lzw'), b''),
    'two pages': (encoded('TIFF', 2, compression='tiff_lzw'), b''),
    'PGM': (encoded('PPM'), b''),
}


@pytest.mark.parametrize('name', FILES)
def test_files_that_were_cut_off(tmp_path, name):
    content, trailer = FILES[name]
    path = tmp_path / 'scan'
    if name != 'two pages':
        path.write_bytes(content + trailer)
        assert read_image(path).shape == GREY.shape
    # With restarts, all pixels can be there where only the end marker (2 bytes) is not.
    least = 3 if name == 'restarts' else 1
    for cut in {*range(least, 40), *range(40, len(content), 97)}:
        path.write_bytes(content[:-cut])
        with pytest.raises(InputError):
            read_image(path)


@pytest.mark.parametrize('name', ['JPEG', 'progressive', 'thumbnail', 'restarts'])
def test_a_cut_jpeg_is_refused_by_any_opencv(tmp_path, monkeypatch, name):
    """Before version 5 it warns, and fills the picture up."""
    monkeypatch.setattr(cv2, 'imdecode', lambda *args: GREY.astype(np.uint8))
    path = tmp_path / 'scan.jpg'
    content = FILES[name][0]
    path.write_bytes(content)
    assert read_image(path).shape == GREY.shape
    for cut in (3, 20, 200, 500, len(content) // 2):
        path.write_bytes(content[:-cut])
        with pytest.raises(InputError, match='scan.jpg: the image is damaged'):
            read_image(path)


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
        ('.tif', GREY.astype(np.float32) - 1, 'grey levels from -1'),
        ('.tif', np.full(GREY.shape, np.nan, np.float32), 'NaN'),
    ],
)
def test_unsuitable_image(tmp_path, suffix, pixels, message):
    path = save(tmp_path / f'case_7{suffix}', pixels)
    with pytest.raises(InputError, match=f'case_7{suffix}: .*{message}'):
        read_image(path)


def test_float_image_spans_0_to_its_999th_permille(tmp_path):
    levels = GREY / np.float32(500)
    read = read_image(save(tmp_path / 'a.tif', levels))
    white = np.percentile(levels, 99.9)
    expected = np.clip(levels * 255 / white, 0, 255)
    assert np.abs(read - expected).max() <= 0.501
    assert not read_image(save(tmp_path / 'a.tif', levels * 0)).any()


def test_what_is_meant_for_printers_is_no_spacing(tmp_path):
    for suffix in ('png', 'tif', 'jpg'):
        path = tmp_path / f'a.{suffix}'
        Image.fromarray(GREY.astype(np.uint8)).save(path, dpi=(72, 72))
        assert read_spacing(path) is None


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


def blocks(shape=(60, 40)):
    """A mask with a block of each bone, which touch."""
    mask = np.zeros(shape, np.uint8)
    for label in (1, 2, 3):
        mask[15 * label - 10 : 15 * label + 5, 8:-8] = label
    return mask


def save_pages(path, *pages):
    """A TIFF with these pages."""
    frames = [Image.fromarray(np.asarray(page)) for page in pages]
    frames[0].save(path, 'TIFF', save_all=True, append_images=frames[1:])
    return path


@pytest.mark.parametrize('first', [0, 1])
@pytest.mark.parametrize('value', [1, 255, True])
def test_a_page_for_each_class(tmp_path, first, value):
    mask = blocks()
    pages = [
        (mask == i).astype(type(value) if value is True else np.uint8) * value
        for i in range(first, 4)
    ]
    path = save_pages(tmp_path / 'm.tif', *pages)
    np.testing.assert_array_equal(read_mask(path, 4, image_shape=mask.shape), mask)
    with pytest.raises(InputError, match='m.tif: .*60 x 40.*9 x 9'):
        read_mask(path, 4, image_shape=(9, 9))


def test_pages_without_the_background_wherever_it_is(tmp_path):
    path = save_pages(
        tmp_path / 'm.tif', *[(blocks() == i) * np.uint8(1) for i in (1, 2, 3)]
    )
    names = ['rib', 'background', 'thoracic', 'lumbar']
    np.testing.assert_array_equal(
        read_mask(path, 4, classes=names), np.array([1, 0, 2, 3])[blocks()]
    )


def test_pages_may_share_an_edge(tmp_path):
    pages = [(blocks() == i) * np.uint8(1) for i in (1, 2, 3)]
    shared = pages[0].copy()
    shared[20:23, 8:-8] = 1  # the first rows of thoracic
    path = save_pages(tmp_path / 'm.tif', shared, *pages[1:])
    np.testing.assert_array_equal(read_mask(path, 4), blocks())


def edited(number, edit, first=1):
    """Pages of which one is changed."""
    pages = [(blocks() == i) * np.uint8(1) for i in range(first, 4)]
    pages[number - 1] = edit(pages[number - 1])
    return pages


@pytest.mark.parametrize(
    'pages, message',
    [
        (
            edited(1, lambda page: page | 1),
            r'[0-9]+% of the pixels, as row \d+, column '
            r'\d+, are in pages 1 and 2',
        ),
        (edited(2, lambda page: 0 * page, first=0), 'in no page'),
        (edited(3, lambda page: page[:-1]), r'page 3 has the shape \(59, 40\)'),
        (edited(2, lambda page: np.dstack([page] * 3)), r'page 2 has .*\(60, 40, 3\)'),
        (edited(2, lambda page: page + 1), 'page 2 has the values 1, 2'),
        (edited(2, lambda page: page)[:2], 'm.tif: the file holds 2 images.* 3, or 4'),
    ],
)
def test_pages_that_do_not_fit(tmp_path, pages, message):
    path = save_pages(tmp_path / 'm.tif', *pages)
    with pytest.raises(InputError, match=message):
        read_mask(path, 4)


def save_palette(path, numbers, palette):
    """Numbers of a palette, in a format that has some."""
    picture = Image.fromarray(numbers)
    picture.putpalette(np.asarray(palette, np.uint8).ravel().tolist())
    picture.save(path)
    return path


@pytest.mark.parametrize('suffix', ['png', 'bmp', 'tif'])
def test_the_numbers_behind_a_palette_are_labels(tmp_path, suffix):
    palette = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)]
    path = save_palette(tmp_path / f'm.{suffix}', blocks(), palette)
    np.testing.assert_array_equal(read_mask(path, 4), blocks())
    with pytest.raises(InputError, match='label 2, 3'):
        read_mask(path, 2)


def test_a_palette_of_greys_is_grey_levels(tmp_path):
    # As compressors store few grey levels, in any order.
    path = save_palette(tmp_path / 'm.png', blocks(), [(i, i, i) for i in (0, 3, 1, 2)])
    np.testing.assert_array_equal(read_mask(path, 4), np.array([0, 3, 1, 2])[blocks()])


@pytest.mark.parametrize(
    'greys, numbers',
    [
        ([0] * 256, blocks()),
        ([255] * 256, blocks()),
        ([0] * 256, np.full((60, 40), 2, np.uint8)),
        ([0, 7, 7, 9], blocks()),
    ],
)
def test_a_palette_that_tells_no_numbers_apart(tmp_path, greys, numbers):
    """As of a program that stores labels and forgets their colours."""
    path = save_palette(tmp_path / 'm.png', numbers, [(grey,) * 3 for grey in greys])
    np.testing.assert_array_equal(read_mask(path, 4), numbers)


def test_a_palette_that_contradicts_the_classes(tmp_path):
    palette = [(0, 0, 0), (0, 0, 255), (255, 0, 0), (0, 255, 0)]
    path = save_palette(tmp_path / 'm.png', blocks(), palette)
    own = ['background', 'lumbar', 'rib', 'thoracic']
    np.testing.assert_array_equal(read_mask(path, 4, classes=own), blocks())
    with pytest.raises(InputError, match='m.png: number 1 .* rib, but has the colour of'):
        read_mask(path, 4, classes=['background', 'rib', 'thoracic', 'lumbar'])


def test_class_indices_do_not_survive_jpeg(tmp_path):
    with pytest.raises(InputError, match='m.jpg: class indices in a JPEG'):
        read_mask(save(tmp_path / 'm.jpg', 40 * blocks()), 200)


def test_pixels_whose_pages_nobody_counts(tmp_path):
    with pytest.raises(InputError, match='m.tif: pixels of type float64'):
        read_mask(save(tmp_path / 'm.tif', blocks().astype(np.float64)), 4)


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.tif'])
def test_a_picture_to_be_turned(tmp_path, suffix):
    """What was drawn on it would lie elsewhere; upright ones pass, and odd numbers."""
    path = tmp_path / f'a{suffix}'
    for orientation in (0, 1, 3, 6):
        picture = Image.fromarray(GREY.astype(np.uint8))
        exif = picture.getexif()
        exif[0x0112] = orientation
        picture.save(path, exif=exif)
        if orientation < 2:
            assert read_image(path).shape == GREY.shape
            continue
        for read in (read_image, lambda path: read_mask(path, 4)):
            with pytest.raises(InputError, match=f'a{suffix}: .*EXIF orientation'):
                read(path)
