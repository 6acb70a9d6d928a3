"""DICOM, NIfTI and NRRD: as viewers show them, with spacing, without the patient."""

import itertools
import logging
import sys

import cv2
import nibabel
import nrrd
import numpy as np
import pydicom
import pytest
from dicom_files import PATIENT, write_dicom
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLSLossless, RLELossless
from vpi_files import write_contract

from seam_seg.apis.measure_files import Folders, measure_file
from seam_seg.datasets.annotations import read_annotation
from seam_seg.datasets.check import check_dataset
from seam_seg.datasets.medical import plane_of
from seam_seg.datasets.prepare import prepare
from seam_seg.datasets.readers import (
    check_directions,
    decode_levels,
    read_image,
    read_left,
    read_mask,
    read_spacing,
)
from seam_seg.datasets.transforms import LoadVPIAnnotations
from seam_seg.errors import InputError

# More rows than columns, and no two alike.
GREY = np.random.default_rng(0).integers(0, 255, (20, 12), dtype=np.uint8)


def region(x, y, units=3):
    """An item of SequenceOfUltrasoundRegions."""
    item = Dataset()
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = units
    item.PhysicalDeltaX, item.PhysicalDeltaY = x, y
    return item


def test_dicom_of_8_bits_as_it_is(tmp_path):
    path = write_dicom(tmp_path / 'a.dcm', GREY)
    np.testing.assert_array_equal(read_image(path), GREY)
    bare = path.rename(tmp_path / 'IM_0001')  # as on disks of hospitals
    np.testing.assert_array_equal(read_image(bare), GREY)
    assert read_spacing(bare) is None


def test_dicom_window_against_the_formula_of_the_standard(tmp_path):
    levels = np.arange(4000, dtype=np.uint16).reshape(80, 50)
    for center, width in ((2048, 4096), (1000, 500), (1200.5, 801)):
        path = write_dicom(
            tmp_path / 'a.dcm',
            levels,
            BitsStored=12,
            HighBit=11,
            WindowCenter=[center, 7],
            WindowWidth=[width, 9],
        )
        expected = np.zeros(levels.shape)
        for place, x in np.ndenumerate(levels.astype(float)):  # PS3.3 C.11.2.1.2.1
            if x <= center - 0.5 - (width - 1) / 2:
                y = 0
            elif x > center - 0.5 + (width - 1) / 2:
                y = 255
            else:
                y = ((x - (center - 0.5)) / (width - 1) + 0.5) * 255
            expected[place] = y
        assert np.abs(read_image(path) - expected).max() <= 0.5001
    # what the user says comes before what the file says
    np.testing.assert_array_equal(
        read_image(path, (1000, 1001)), np.where(levels > 1000, 255, 0)
    )


def test_dicom_exact_window_and_rescaled_levels(tmp_path):
    levels = np.arange(-200, 200, dtype=np.int16).reshape(20, 20)
    path = write_dicom(
        tmp_path / 'a.dcm',
        levels,
        RescaleSlope=2,
        RescaleIntercept=-100,
        WindowCenter=100,
        WindowWidth=510,
        VOILUTFunction='LINEAR_EXACT',
    )
    expected = np.clip((2.0 * levels - 100 + 155) / 2, 0, 255)
    assert np.abs(read_image(path) - expected).max() <= 0.5001


def test_dicom_whose_highest_level_is_black(tmp_path):
    same = dict(PhotometricInterpretation='MONOCHROME1')
    path = write_dicom(tmp_path / 'a.dcm', 255 - GREY, **same)
    np.testing.assert_array_equal(read_image(path), GREY)
    deep = 16 * GREY.astype(np.uint16)
    bits = dict(BitsStored=12, HighBit=11)
    for more, mirrored in (({}, {}), (dict(WindowCenter=1000, WindowWidth=801),) * 2):
        plain = write_dicom(tmp_path / 'b.dcm', deep, **bits, **more)
        if mirrored:  # of levels from 600 to 1400
            mirrored = dict(WindowCenter=4096 - 1000, WindowWidth=801)
        path = write_dicom(tmp_path / 'a.dcm', 4095 - deep, **bits, **same, **mirrored)
        np.testing.assert_array_equal(read_image(path), read_image(plain))


def test_grey_dicom_in_three_channels_and_one_in_colours(tmp_path):
    colours = dict(
        SamplesPerPixel=3, PlanarConfiguration=0, PhotometricInterpretation='RGB'
    )
    rgb = np.dstack([GREY] * 3)
    path = write_dicom(tmp_path / 'a.dcm', rgb, **colours)
    np.testing.assert_array_equal(read_image(path), GREY)
    rgb[0, 0] = 10, 20, 30
    path = write_dicom(tmp_path / 'a.dcm', rgb, **colours)
    assert decode_levels(path, 'image').pixels[0, 0].tolist() == [30, 20, 10]
    with pytest.raises(InputError, match='a.dcm: a colour image'):
        read_image(path)


def test_dicom_spacing(tmp_path, caplog):
    def spacing(**elements):
        return read_spacing(write_dicom(tmp_path / 'a.dcm', GREY, **elements))

    # cm, and up or down; PixelSpacing is mm, rows first
    one = [region(0.02, -0.03)]
    assert spacing(SequenceOfUltrasoundRegions=one) == pytest.approx((0.3, 0.2))
    assert spacing(PixelSpacing=[0.5, 0.25]) == (0.5, 0.25)
    both = spacing(SequenceOfUltrasoundRegions=one, PixelSpacing=[0.5, 0.25])
    assert both == pytest.approx((0.3, 0.2))
    # seconds, as of a Doppler strip, are no place
    time = [region(0.02, 0.03, units=4)]
    assert spacing(SequenceOfUltrasoundRegions=time) is None
    assert spacing(SequenceOfUltrasoundRegions=time + one) == pytest.approx((0.3, 0.2))
    assert spacing(PixelSpacing=[0, 0.25]) is None
    # a ratio alone: of squares nothing is lost; else an angle would be that of squares
    assert spacing(PixelAspectRatio=[1, 1]) is None
    assert spacing(PixelAspectRatio=[2, 1], PixelSpacing=[0.5, 0.25]) == (0.5, 0.25)
    with caplog.at_level(logging.WARNING, 'seam_seg'):
        assert spacing(PixelAspectRatio=[2, 1]) is None
        assert 'pixels 2 to 1' in caplog.text and '--spacing 2 1' in caplog.text
    with caplog.at_level(logging.WARNING, 'seam_seg'):
        assert spacing(SequenceOfUltrasoundRegions=2 * one) == pytest.approx((0.3, 0.2))
        assert '2 ultrasound regions' in caplog.text and 'a.dcm' in caplog.text
        other = [*one, region(0.05, 0.05)]
        assert spacing(SequenceOfUltrasoundRegions=other) is None
        assert 'spacings differ' in caplog.text


@pytest.mark.parametrize(
    'elements, message',
    [
        (dict(NumberOfFrames=7, PixelData=GREY.tobytes() * 7), r'7 images \(frames\)'),
        (dict(VOILUTFunction='SIGMOID'), 'function SIGMOID'),
        (dict(VOILUTSequence=[Dataset()]), 'through a table'),
        (dict(WindowCenter=5, WindowWidth=0), 'window of center 5 and width 0'),
        (dict(PhotometricInterpretation='PALETTE COLOR'), 'a colour image'),
        (dict(PixelData=GREY.tobytes()[:-20]), 'the image is damaged'),
        (dict(Rows=2, PixelData=GREY.tobytes()[:24]), '2 x 12 pixels'),
    ],
)
def test_unsuitable_dicom(tmp_path, elements, message):
    path = write_dicom(tmp_path / 'case_7.dcm', GREY, **elements)
    with pytest.raises(InputError, match=f'case_7.dcm: .*{message}') as caught:
        read_image(path)
    assert not any(value in str(caught.value) for value in PATIENT.values())


def test_negative_levels_need_a_window(tmp_path):
    path = write_dicom(tmp_path / 'a.dcm', GREY.astype(np.int16) - 50)
    with pytest.raises(InputError, match='a.dcm: grey levels from -50 to .*--window'):
        read_image(path)
    np.testing.assert_array_equal(read_image(path, (-50, 205)), GREY)


def test_compressed_dicom(tmp_path):
    path = write_dicom(tmp_path / 'a.dcm', GREY)
    found = pydicom.dcmread(path)
    found.compress(RLELossless)
    found.save_as(path)
    np.testing.assert_array_equal(read_image(path), GREY)
    if not pydicom.pixels.get_decoder(JPEGLSLossless).is_available:
        found.file_meta.TransferSyntaxUID = JPEGLSLossless
        found.save_as(path)
        with pytest.raises(InputError, match='a.dcm: compressed as JPEG-LS.*gdcm'):
            read_image(path)


def write_nifti(path, pixels, affine=None, **header):
    """Pixels as they are given: (columns, rows) as a rule."""
    image = nibabel.Nifti1Image(pixels, affine)
    for key, value in header.items():
        image.header[key] = value
    image.to_filename(path)
    return path


def write_nrrd(path, pixels, **header):
    nrrd.write(str(path), pixels, header, index_order='F')
    return path


MAKERS = {
    'DICOM': lambda folder: write_dicom(folder / 'a.dcm', GREY),
    'NIfTI': lambda folder: write_nifti(folder / 'a.nii', GREY.T),
    'NIfTI, gz': lambda folder: write_nifti(folder / 'a.nii.gz', GREY.T[..., None]),
    'NRRD': lambda folder: write_nrrd(folder / 'a.nrrd', GREY.T, encoding='gzip'),
}


@pytest.mark.parametrize('name', MAKERS)
def test_files_that_were_cut_off(tmp_path, name):
    path = MAKERS[name](tmp_path)
    np.testing.assert_array_equal(read_image(path), GREY)
    content = path.read_bytes()
    # gzip ends with 8 bytes that are no pixels
    for kept in (0, 3, len(content) // 2, len(content) - 12):
        path.write_bytes(content[:kept])
        with pytest.raises(InputError, match=f'{path.name}: '):
            read_image(path)


@pytest.mark.parametrize(
    'name, module, package',
    [
        ('DICOM', 'pydicom', 'pydicom'),
        ('NIfTI', 'nibabel', 'nibabel'),
        ('NRRD', 'nrrd', 'pynrrd'),
    ],
)
def test_a_package_that_is_not_there(tmp_path, monkeypatch, name, module, package):
    path = MAKERS[name](tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    for read in (read_image, read_spacing):
        with pytest.raises(InputError, match=f'{name}, the package {package} ') as caught:
            read(path)
        assert '\n' not in str(caught.value) and 'pip install' in str(caught.value)


# Where the picture's columns and rows run to in the patient, and so does the array: front
# view (as VPI images), cut across, and from the side.
VIEWS = {'front': ('L', 'I'), 'across': ('L', 'P'), 'side': ('P', 'I')}
UNIT = dict(R=(1, 0, 0), A=(0, 1, 0), S=(0, 0, 1), L=(-1, 0, 0), P=(0, -1, 0))
UNIT['I'] = (0, 0, -1)
OPPOSITE = dict(zip('RASLPI', 'LPIRAS'))


def stored_arrays(view):
    """The picture in every order and direction of its axes; where each axis runs to."""
    columns, rows = VIEWS[view]
    for transposed, flip_c, flip_r in itertools.product((False, True), repeat=3):
        picture = GREY[:: -1 if flip_r else 1, :: -1 if flip_c else 1]
        ways = [
            OPPOSITE[rows] if flip_r else rows,
            OPPOSITE[columns] if flip_c else columns,
        ]
        sides = [0.3, 0.2]  # mm, of rows and columns
        yield (
            (picture, ways, sides) if transposed else (picture.T, ways[::-1], sides[::-1])
        )


@pytest.mark.parametrize('view', VIEWS)
def test_nifti_as_viewers_show_it(tmp_path, view):
    for pixels, ways, sides in stored_arrays(view):
        affine = np.eye(4)
        vectors = [np.multiply(UNIT[way], side) for way, side in zip(ways, sides)]
        vectors.append(np.cross(*vectors))
        # a little oblique, as files of scanners are; and somewhere
        turn = np.array([[1, -0.1, 0], [0.1, 1, 0], [0, 0, 1]]) / np.hypot(1, 0.1)
        affine[:3, :3] = (turn if view == 'across' else np.eye(3)) @ np.array(vectors).T
        affine[:3, 3] = 7, -8, 9
        for one_slice in (pixels, pixels[..., None]):
            path = write_nifti(tmp_path / 'a.nii.gz', one_slice, affine)
            np.testing.assert_array_equal(read_image(path), GREY)
            # columns run to the patient's left, unless the picture is of a side
            left = 'unknown' if view == 'side' else 'patient_right'
            assert read_left(path) == left
            assert read_spacing(path) == pytest.approx((0.3, 0.2), rel=1e-4)


@pytest.mark.parametrize('view', VIEWS)
def test_nrrd_as_viewers_show_it(tmp_path, view):
    for pixels, ways, sides in stored_arrays(view):
        vectors = [np.multiply(UNIT[way], side) for way, side in zip(ways, sides)]
        vectors.append(np.cross(*vectors) * 10)
        for space, signs in (
            ('right-anterior-superior', (1, 1, 1)),
            ('left-posterior-superior', (-1, -1, 1)),
            ('LPS', (-1, -1, 1)),
        ):
            path = write_nrrd(
                tmp_path / 'a.nrrd',
                pixels[..., None],
                **{'space': space, 'space directions': np.array(vectors) * signs},
            )
            np.testing.assert_array_equal(read_image(path), GREY)
            assert read_spacing(path) == pytest.approx((0.3, 0.2))


def test_the_slice_may_be_any_axis():
    for axis in range(3):
        shape = [20, 20]
        shape.insert(axis, 1)
        plane = plane_of('a', shape, None)
        assert (plane.column_axis, plane.row_axis) == tuple(
            number for number in range(3) if number != axis
        )
        world = plane_of('a', shape, -np.eye(3))  # to L, P, I, as pictures run
        assert world[:4] == plane[:4]


def test_without_orientation_the_first_axis_is_the_columns(tmp_path):
    path = write_nifti(tmp_path / 'a.nii', GREY.T, pixdim=[1, 0.2, 0.3, 1, 1, 1, 1, 1])
    np.testing.assert_array_equal(read_image(path), GREY)
    assert read_left(path) == 'unknown'
    assert read_spacing(path) == pytest.approx((0.3, 0.2))
    path = write_nrrd(tmp_path / 'a.nrrd', GREY.T, spacings=[0.2, 0.3])
    np.testing.assert_array_equal(read_image(path), GREY)
    assert read_spacing(path) == pytest.approx((0.3, 0.2))


def test_units_and_what_nobody_has_said(tmp_path):
    image = nibabel.Nifti1Image(GREY.T, np.diag([-0.0002, -0.0003, 1, 1]))
    image.header.set_xyzt_units('meter')
    image.to_filename(tmp_path / 'a.nii')
    assert read_spacing(tmp_path / 'a.nii') == pytest.approx((0.3, 0.2), rel=1e-4)
    path = write_nifti(tmp_path / 'a.nii', GREY.T, np.diag([-1, -1, 1, 1]))
    assert read_spacing(path) is None  # 1 x 1
    for units, expected in (
        (['cm', 'cm'], (3, 2)),
        (['um', 'um'], (0.0003, 0.0002)),
        (['parsec', 'parsec'], None),
        (['mm', 'cm'], None),
    ):
        path = write_nrrd(tmp_path / 'a.nrrd', GREY.T, spacings=[0.2, 0.3], units=units)
        assert read_spacing(path) == (expected and pytest.approx(expected))
    assert read_spacing(write_nrrd(tmp_path / 'b.nrrd', GREY.T)) is None


def test_several_slices_and_an_orientation_of_nothing(tmp_path):
    path = write_nifti(tmp_path / 'a.nii', np.dstack([GREY.T] * 5))
    with pytest.raises(InputError, match='a.nii: the file holds an array of 12 x 20 x 5'):
        read_image(path)
    path = write_nrrd(tmp_path / 'a.nrrd', np.dstack([GREY.T] * 5))
    with pytest.raises(InputError, match='a.nrrd: .* 12 x 20 x 5'):
        read_mask(path, 4)
    with pytest.raises(InputError, match='a: its affine'):
        plane_of('a', (12, 20), np.zeros((3, 3)))


def test_colours_in_nifti(tmp_path):
    rgb = np.zeros(GREY.T.shape, [('R', 'u1'), ('G', 'u1'), ('B', 'u1')])
    path = write_nifti(tmp_path / 'a.nii', rgb)
    with pytest.raises(InputError, match='a.nii: a colour image'):
        read_image(path)


@pytest.mark.parametrize('dtype', [np.int16, np.int32, np.float32, np.float64])
def test_levels_of_any_type(tmp_path, dtype):
    """0 stays black, and the 99.9th percentile becomes white, as of 16 bits."""
    levels = (GREY.T.astype(float) / (255 if np.dtype(dtype).kind == 'f' else 1)).astype(
        dtype
    )
    expected = np.clip(levels.T.astype(float) / np.percentile(levels, 99.9), 0, 1) * 255
    path = write_nrrd(tmp_path / 'a.nrrd', levels)
    assert np.abs(read_image(path) - expected).max() <= 0.501
    levels[3, 3] = -1
    with pytest.raises(InputError, match='grey levels from -1'):
        read_image(write_nrrd(tmp_path / 'a.nrrd', levels))
    if levels.dtype.kind == 'f':
        levels[3, 3] = np.nan
        with pytest.raises(InputError, match='NaN'):
            read_image(write_nrrd(tmp_path / 'a.nrrd', levels))


@pytest.mark.parametrize('dtype', [np.uint8, np.int16, np.float32])
def test_masks(tmp_path, dtype):
    mask = np.zeros((40, 24), np.uint8)
    for label in (1, 2, 3):
        mask[10 * label : 10 * label + 5, 4:12] = label
    stored = mask.T.astype(dtype)
    for path in (
        write_nifti(tmp_path / 'm.nii.gz', stored, np.diag([-0.2, -0.3, 1, 1])),
        write_nrrd(tmp_path / 'm.nrrd', stored),
    ):
        np.testing.assert_array_equal(read_mask(path, 4), mask)
        np.testing.assert_array_equal(read_annotation(path).labels, mask)
    path = write_dicom(tmp_path / 'm.dcm', mask, WindowCenter=2, WindowWidth=4)
    np.testing.assert_array_equal(read_mask(path, 4), mask)


def test_a_pair_of_which_one_is_turned_by_what_the_other_does_not_say(tmp_path):
    """A mask by nibabel with np.eye(4) would lie upside down on a PNG."""
    mask = np.zeros((40, 24), np.uint8)
    mask[5:9, 4:12] = 1
    kept = np.diag([-0.2, -0.3, 1, 1])
    cv2.imwrite(str(tmp_path / 'silent.png'), mask)
    write_dicom(tmp_path / 'silent.dcm', mask)
    write_nifti(tmp_path / 'silent.nii', mask.T)
    write_nrrd(tmp_path / 'silent.nrrd', mask.T)
    write_nifti(tmp_path / 'kept.nii.gz', mask.T, kept)
    write_nifti(tmp_path / 'turned.nii.gz', mask.T, np.eye(4))
    directions = {'space': 'RAS', 'space directions': np.eye(3)}
    write_nrrd(tmp_path / 'turned.nrrd', mask.T[..., None], **directions)
    silent = sorted(tmp_path.glob('silent.*'))
    turned = sorted(tmp_path.glob('turned.*'))
    spoken = [tmp_path / 'kept.nii.gz', *turned]
    assert len(silent) == 4 and len(turned) == 2
    volumes = [path for path in silent if path.suffix in ('.nii', '.nrrd')]
    for one, other in [
        *itertools.product(silent, silent),
        *itertools.product(spoken, spoken),
        *[(tmp_path / 'kept.nii.gz', path) for path in silent],
        *[(path, tmp_path / 'kept.nii.gz') for path in silent],
        # what is no volume was drawn on what is shown
        *itertools.product(sorted(set(silent) - set(volumes)), turned),
    ]:
        check_directions(one, other)
    for pair in itertools.product(turned, silent):
        with pytest.raises(InputError, match='directions in the mask .* its image'):
            check_directions(*pair)
    for pair in itertools.product(volumes, turned):
        with pytest.raises(InputError, match='directions in the image .* the mask'):
            check_directions(*pair)


def test_the_same_where_pairs_are_read(tmp_path):
    root = write_contract(tmp_path / 'data', train=12, test=1)
    old = root / 'groundtruth/train/a0_bone_3.png'
    mask = cv2.imread(str(old), cv2.IMREAD_UNCHANGED)
    folder = tmp_path / 'masks'
    folder.mkdir()
    for i in range(1, 12):
        write_nifti(folder / f'a{i}.nii', mask.T, np.diag([-1, -1, 1, 1]))
    turned = write_nifti(folder / 'a0.nii', mask.T, np.eye(4))
    image = root / 'dataset/train/a0.png'
    with pytest.raises(InputError, match='a0.nii: the directions'):
        prepare(image.parent, folder, tmp_path / 'out')
    with pytest.raises(InputError, match='a0.nii: the directions'):
        measure_file(turned, Folders(images=image.parent))
    for path in root.rglob('*_bone_3.png'):
        label = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).T
        affine = np.eye(4) if path == old else np.diag([-1, -1, 1, 1])
        write_nifti(path.with_suffix('.nii'), label, affine)
    (line,) = check_dataset(str(root), seg_map_suffix='_bone_3.nii').errors
    assert 'a0_bone_3.nii: the directions' in line
    turned = old.with_suffix('.nii')
    step = dict(img_path=image, seg_map_path=turned, num_labels=4, ignore_index=255)
    step['ori_shape'] = mask.shape
    with pytest.raises(InputError, match='a0_bone_3.nii: the directions'):
        LoadVPIAnnotations().transform(step)
