"""Images that other libraries have read are those that the package reads itself."""

import cv2
import numpy as np
import pytest
import torch
from monai.transforms import LoadImage, ScaleIntensityRange
from PIL import Image
from skimage import img_as_float, io

from seam_seg.datasets.arrays import grey_of
from seam_seg.datasets.readers import read_image, read_spacing
from seam_seg.errors import InputError

GREY = np.random.default_rng(0).integers(0, 256, (40, 24), dtype=np.uint8)
DEEP = np.random.default_rng(1).integers(0, 4000, (40, 24), dtype=np.uint16)


def levels(image, **options):
    return grey_of(image, **options)[0]


DIM = GREY // 3  # far from white, which stays so


@pytest.fixture
def png(tmp_path):
    path = str(tmp_path / 'a.png')
    assert cv2.imwrite(path, DIM)
    return path


@pytest.mark.parametrize(
    'load',
    [
        lambda path: cv2.imread(path),  # three channels
        lambda path: cv2.imread(path, cv2.IMREAD_UNCHANGED),
        Image.open,
        lambda path: Image.open(path).convert('RGB'),
        lambda path: Image.open(path).convert('RGBA'),
        lambda path: Image.open(path).convert('LA'),
        lambda path: Image.open(path).convert('P'),
        lambda path: Image.open(path).convert('I'),
        lambda path: Image.open(path).convert('F'),
        io.imread,
        lambda path: img_as_float(io.imread(path)),
        lambda path: torch.from_numpy(io.imread(path)),
        lambda path: torch.from_numpy(io.imread(path))[None, None] / 255,
        lambda path: torch.from_numpy(cv2.imread(path)).permute(2, 0, 1),
        lambda path: io.imread(path)[..., None],
        lambda path: io.imread(path).tolist(),
        lambda path: torch.from_numpy(io.imread(path)).long(),
        lambda path: io.imread(path).astype(np.uint32),
        lambda path: torch.from_numpy(io.imread(path)).bfloat16(),
        lambda path: LoadImage(image_only=True, ensure_channel_first=True)(path),
        lambda path: ScaleIntensityRange(0, 255, 0, 1)(
            LoadImage(image_only=True, ensure_channel_first=True)(path)
        ),
    ],
)
def test_a_file_by_any_library(load, png):
    found, spacing = grey_of(load(png))
    assert found.dtype == np.uint8 and spacing is None
    np.testing.assert_array_equal(found, DIM)
    # one for images of 16 bits, as of a model's config, is not of these
    np.testing.assert_array_equal(levels(load(png), window=(0, 4095)), DIM)


def test_a_window_of_shares_and_one_of_levels_held_as_floats(png):
    expected = read_image(png, (10, 60))
    np.testing.assert_array_equal(levels(DIM.astype(float), window=(10, 60)), expected)
    shares = levels(DIM / 255, window=(10 / 255, 60 / 255))
    assert np.abs(shares.astype(int) - expected).max() <= 1  # of halves
    for window in ((255, 0), (5, 5), (0, np.inf)):
        with pytest.raises(InputError, match='window .* black must be below'):
            levels(DIM, window=window)


def test_deep_images(tmp_path):
    """As those of a file: to the 99.9th percentile, or by a window."""
    path = str(tmp_path / 'a.png')
    assert cv2.imwrite(path, DEEP)
    assert np.array_equal(np.asarray(Image.open(path)), DEEP)
    for image in (DEEP, Image.open(path), DEEP.astype(np.float64), DEEP.astype(np.int32)):
        np.testing.assert_array_equal(levels(image), read_image(path))
        found = levels(image, window=(0, 4095))
        np.testing.assert_array_equal(found, read_image(path, (0, 4095)))
    shares = DEEP / np.float32(4095)  # all between 0 and 1, of which 1 is white
    np.testing.assert_array_equal(levels(shares), read_image(path, (0, 4095)))


@pytest.mark.parametrize('signs', [(-1, -1), (1, -1), (-1, 1), (1, 1)])
@pytest.mark.parametrize('third', [False, True])
def test_monai_says_where_the_axes_run(signs, third, tmp_path):
    nibabel = pytest.importorskip('nibabel')
    pixels = GREY.T[..., None] if third else GREY.T
    affine = np.diag([0.25 * signs[0], 0.5 * signs[1], 1, 1])
    path = tmp_path / 'a.nii.gz'
    nibabel.save(nibabel.Nifti1Image(pixels, affine), path)
    found, spacing = grey_of(LoadImage(image_only=True, ensure_channel_first=True)(path))
    np.testing.assert_array_equal(found, read_image(path))
    assert spacing == read_spacing(path) == (0.5, 0.25)


@pytest.mark.parametrize(
    'image, message',
    [
        (np.stack([GREY, GREY, GREY // 2], 2), 'a colour image'),
        (torch.from_numpy(np.stack([GREY, GREY, GREY // 2])), 'a colour image'),
        (Image.fromarray(np.stack([GREY, GREY, GREY // 2], 2)), 'a colour image'),
        (np.stack([GREY] * 2), r'\(2, 40, 24\) is not the shape of one grey image'),
        (np.stack([GREY] * 2)[:, None], r'\(2, 1, 40, 24\) is not the shape'),
        (GREY[0], r'\(24,\) is not the shape'),
        (GREY > 9, 'pixels of type bool'),
        (GREY[:4], '4 x 24 pixels'),
        (GREY - 300.0, 'grey levels from -'),
        (GREY * np.nan, 'NaN'),
        ('GREY', 'not the shape'),
    ],
)
def test_what_is_refused(image, message):
    with pytest.raises(InputError, match=f'^the array: .*{message}'):
        grey_of(image)


def test_several_images_are_not_one(tmp_path, png):
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    frames[0].save(tmp_path / 'a.gif', save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match='^the array: 2 images'):
        grey_of(Image.open(tmp_path / 'a.gif'))
    with pytest.raises(InputError, match='ensure_channel_first=True'):
        grey_of(LoadImage(image_only=True)(png))


def test_a_picture_to_be_turned(tmp_path):
    """OpenCV turns it, and Pillow does not."""
    picture = Image.fromarray(GREY)
    exif = picture.getexif()
    exif[0x0112] = 3
    picture.save(tmp_path / 'a.jpg', exif=exif)
    with pytest.raises(InputError, match='^the array: .*EXIF orientation 3'):
        grey_of(Image.open(tmp_path / 'a.jpg'))
