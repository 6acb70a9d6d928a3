"""A mask becomes the labels that it was drawn for, or an error says what it holds."""

import cv2
import numpy as np
import pytest
from PIL import Image
from vpi_files import draw_case, write_image

from seam_seg.datasets import annotations
from seam_seg.datasets.annotations import CLASSES, parse_colour_map
from seam_seg.datasets.phantom.params import PRESETS
from seam_seg.datasets.phantom.rendering import make_case
from seam_seg.datasets.polygon_files import Drawing, DrawnBone
from seam_seg.datasets.readers import COLOURS
from seam_seg.datasets.vpi import VPIDataset
from seam_seg.errors import InputError

RGB = np.array(list(COLOURS.values()), np.uint8)
OTHER = {
    'background': [(255, 255, 255)],
    'rib': [(255, 255, 0), (255, 128, 0)],
    'thoracic': [(0, 255, 255)],
    'lumbar': [(255, 0, 255)],
    'ignore': [(128, 128, 128)],
}


def read_annotation(*args, **options):
    """The labels of a mask."""
    return annotations.read_annotation(*args, **options).labels


def save(path, pixels, palette=None, **options):
    """Writes pixels with Pillow: (H, W), (H, W, 3) RGB, or numbers of a palette."""
    picture = Image.fromarray(np.asarray(pixels, np.uint8))
    if palette is not None:
        picture.putpalette(np.asarray(palette, np.uint8).ravel().tolist())
    picture.save(path, **options)
    return path


def squares(*colours, side=12):
    """Squares of the colours on black, below each other, with a gap between."""
    pixels = np.zeros(((side + 4) * len(colours), side + 8, 3), np.uint8)
    for i, colour in enumerate(colours):
        top = (side + 4) * i + 2
        pixels[top : top + side, 4:-4] = colour
    return pixels


def test_colours_are_those_of_the_data_set():
    assert tuple(COLOURS) == CLASSES
    assert [list(c) for c in COLOURS.values()] == VPIDataset.METAINFO['palette']


def test_class_indices_in_another_order(tmp_path):
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3)
    stored[1, 2] = 255
    write_image(tmp_path / 'm.png', stored)
    order = ['background', 'lumbar', 'sacrum', 'thoracic', 'rib']
    np.testing.assert_array_equal(
        read_annotation(tmp_path / 'm.png', order), [[0, 3, 255], [2, 1, 255]]
    )


@pytest.mark.parametrize('channels', [1, 3])
def test_class_indices_saved_grey_or_as_rgb(tmp_path, channels):
    mask = draw_case(0)[1]
    write_image(tmp_path / 'm.png', np.dstack([mask] * channels).squeeze())
    np.testing.assert_array_equal(read_annotation(tmp_path / 'm.png'), mask)


@pytest.mark.parametrize('names', [['background', 'rib', 'thoracic'], ['rib'] * 4])
def test_incomplete_mask_classes(tmp_path, names):
    write_image(tmp_path / 'm.png', draw_case(0)[1])
    with pytest.raises(InputError, match='--mask-classes'):
        read_annotation(tmp_path / 'm.png', names)


# Yellow was thoracic, magenta and cyan lumbar, and white lumbar wherever it was.
@pytest.mark.parametrize(
    'colour',
    [(255, 255, 0), (255, 0, 255), (0, 255, 255), (255, 255, 255), (0, 128, 0)]
    + [(255, 128, 0), (128, 128, 128)],
)
@pytest.mark.parametrize('suffix', ['png', 'jpg'])
def test_another_colour_is_named_with_its_share_and_a_place(tmp_path, colour, suffix):
    path = save(tmp_path / f'm.{suffix}', squares((255, 0, 0), colour), quality=90)
    with pytest.raises(InputError) as error:
        read_annotation(path)
    words = str(error.value)
    assert f'm.{suffix}: ' in words and '--colour-map' in words
    if suffix == 'png':
        share = 100 * 12 * 12 / (32 * 20)
        assert f'the colour {colour} on {share:.2g}% of' in words
        # The first center of 5 x 5 pixels in a square that begins at row 18, column 4.
        assert 'row 20, column 6' in words


def test_a_white_background_is_named(tmp_path):
    path = save(
        tmp_path / 'm.png',
        np.where(squares((255, 0, 0)).any(2)[..., None], (255, 0, 0), 255),
    )
    with pytest.raises(InputError, match=r'\(255, 255, 255\) on 55% of the mask'):
        read_annotation(path)


def test_outlines_in_another_colour_are_refused(tmp_path):
    pixels = np.zeros((200, 120, 3), np.uint8)
    cv2.rectangle(pixels, (10, 10), (110, 60), (255, 0, 0), -1)
    cv2.ellipse(pixels, (60, 140), (40, 30), 0, 0, 360, (255, 255, 0), 2)
    with pytest.raises(InputError, match=r'\(255, 255, 0\)'):
        read_annotation(save(tmp_path / 'm.png', pixels))


def test_nearly_pure_colours_and_antialiased_edges_pass(tmp_path):
    mask = np.zeros((60, 60, 3), np.uint8)
    cv2.circle(mask, (30, 30), 20, (20, 245, 10), -1, cv2.LINE_AA)
    label = read_annotation(save(tmp_path / 'm.png', mask))
    np.testing.assert_array_equal(label, np.where(mask[..., 1] > 127, 2, 0))


def test_an_edge_between_two_bones_has_no_other_class(tmp_path):
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, :20], pixels[:, 21:] = (255, 0, 0), (0, 255, 0)
    pixels[:, 20] = 127, 127, 0  # as near to black as to both
    label = read_annotation(save(tmp_path / 'm.png', pixels))
    np.testing.assert_array_equal(label[0], [1] * 20 + [2] * 20)  # thoracic over rib


@pytest.fixture(scope='module')
def drawing():
    return make_case(3, PRESETS['standard']).mask[:1400]


@pytest.mark.parametrize('subsampling', [0, 2], ids=['444', '420'])
@pytest.mark.parametrize('quality', [75, 95])
@pytest.mark.parametrize('other', [False, True], ids=['own', 'other'])
def test_a_jpeg_of_a_drawing_is_right_but_for_its_edges(
    tmp_path, drawing, quality, subsampling, other
):
    colours = np.array([OTHER[name][0] for name in CLASSES]) if other else RGB
    path = save(
        tmp_path / 'm.jpg', colours[drawing], quality=quality, subsampling=subsampling
    )
    label = read_annotation(path, colour_map=OTHER if other else None)
    wrong = label != drawing
    edge = cv2.morphologyEx(drawing, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    assert not (wrong & ~edge).any()
    assert wrong.mean() < 1e-3


def test_which_opacity_is_drawn_is_no_guess(tmp_path):
    mask = np.zeros((24, 24, 4), np.uint8)
    mask[2:8, 2:8] = (255, 0, 0, 255)
    mask[12:18, 2:8] = (0, 255, 0, 100)
    with pytest.raises(InputError, match='opacity 100 at row 14, column 4, and 255'):
        read_annotation(save(tmp_path / 'm.png', mask))


def test_most_of_an_image_is_no_bone(tmp_path):
    """As where labels or pages are in another order."""
    shifted = (draw_case(0)[1] + 3) % 4
    with pytest.raises(InputError, match='% of it would be bones of label 3'):
        read_annotation(save(tmp_path / 'm.png', shifted))
    pages = [Image.fromarray((shifted == i).astype(np.uint8)) for i in range(4)]
    pages[0].save(tmp_path / 'm.tif', save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match='% of it would be bones of label 3'):
        read_annotation(tmp_path / 'm.tif')
    order = ['rib', 'thoracic', 'lumbar', 'background']
    right = read_annotation(tmp_path / 'm.tif', order)
    np.testing.assert_array_equal(right, draw_case(0)[1])


@pytest.mark.parametrize('alpha', [255, 76])
def test_transparent_pixels_are_background(tmp_path, alpha):
    mask = np.full((12, 24, 4), 255, np.uint8)
    mask[:, :12] = (255, 0, 0, alpha)  # an overlay may be translucent throughout
    mask[:, 12:, 3] = 0  # white, but invisible
    path = save(tmp_path / 'm.png', mask)
    np.testing.assert_array_equal(read_annotation(path)[0], [1] * 12 + [0] * 12)
    mapped = read_annotation(
        path, colour_map={'background': [(0, 255, 0)], 'rib': [(255, 0, 0)]}
    )
    np.testing.assert_array_equal(mapped[0], [1] * 12 + [0] * 12)


def test_other_colours(tmp_path):
    wanted = [0, 1, 1, 2, 3, 255]
    colours = [c for name in OTHER for c in OTHER[name]]
    pixels = np.array(colours, np.uint8).repeat(9, axis=0)[None].repeat(9, axis=0)
    path = save(tmp_path / 'm.png', pixels)
    np.testing.assert_array_equal(
        read_annotation(path, colour_map=OTHER), [np.repeat(wanted, 9)] * 9
    )
    with pytest.raises(InputError):
        read_annotation(path)


def test_close_colours_are_told_apart(tmp_path):
    near = {'background': [(0, 0, 0)], 'rib': [(64, 0, 0)], 'lumbar': [(64, 0, 64)]}
    path = save(tmp_path / 'm.png', squares((64, 0, 0), (60, 0, 66)))
    assert set(np.unique(read_annotation(path, colour_map=near))) == {0, 1, 3}
    with pytest.raises(InputError, match=r'\(32, 0, 0\)'):
        read_annotation(save(path, squares((32, 0, 0))), colour_map=near)


def test_grey_colours_are_not_taken_for_class_indices(tmp_path):
    greys = {'background': [(0, 0, 0)], 'rib': [(100,) * 3], 'lumbar': [(255,) * 3]}
    stored = np.repeat([0, 100, 255], 9)[None].repeat(9, axis=0)
    label = read_annotation(save(tmp_path / 'm.png', stored), colour_map=greys)
    np.testing.assert_array_equal(label[0], np.repeat([0, 1, 3], 9))
    with pytest.raises(InputError, match=r'\(1, 1, 1\)|\(2, 2, 2\)|\(3, 3, 3\)'):
        read_annotation(save(tmp_path / 'm.png', draw_case(0)[1]), colour_map=greys)


def test_colour_map_of_the_command_line():
    items = [f'{n}={",".join(map(str, c))}' for n in OTHER for c in OTHER[n]]
    assert parse_colour_map(items) == OTHER


@pytest.mark.parametrize(
    'items, message',
    [
        (['background=0,0,0', 'ribs=1,2,3'], 'ribs=1,2,3: must be NAME'),
        (['background=0,0,0', 'rib=1,2'], 'rib=1,2: must be NAME'),
        (['background=0,0,0', 'rib=1,2,256'], 'rib=1,2,256: must be NAME'),
        (['background=0,0,0', 'rib'], 'rib: must be NAME'),
        (['background=0,0,0', 'rib=0,0,0'], 'rib=0,0,0: this colour is background'),
        (['rib=255,0,0'], 'of the background'),
        (['background=0,0,0', 'ignore=9,9,9'], 'at least one bone'),
    ],
)
def test_colour_maps_that_say_nothing(items, message):
    with pytest.raises(InputError, match=message):
        parse_colour_map(items)


def test_indices_or_colours(tmp_path):
    path = save(tmp_path / 'm.png', draw_case(0)[1])
    with pytest.raises(InputError, match='Leave one out'):
        read_annotation(path, CLASSES, OTHER)


# Black, dark red, dark green and olive, as of PASCAL VOC; not the classes' colours.
VOC = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)]


@pytest.mark.parametrize('suffix', ['png', 'bmp', 'tif'])
def test_a_palette_is_for_show(tmp_path, suffix):
    mask = draw_case(0)[1]
    path = save(tmp_path / f'm.{suffix}', mask, VOC)
    np.testing.assert_array_equal(read_annotation(path), mask)
    order = ['background', 'lumbar', 'thoracic', 'rib']
    np.testing.assert_array_equal(read_annotation(path, order), (4 - mask) * (mask > 0))
    mapped = read_annotation(
        path, colour_map=dict(zip(CLASSES, [[VOC[0]], [VOC[3]], [VOC[2]], [VOC[1]]]))
    )
    np.testing.assert_array_equal(mapped, (4 - mask) * (mask > 0))


def test_an_annotation_that_was_compressed_to_a_palette_is_no_guess(tmp_path):
    mask = draw_case(0)[1]
    path = save(tmp_path / 'm.png', mask, RGB)
    np.testing.assert_array_equal(read_annotation(path), mask)  # both say the same
    impure = np.abs(RGB.astype(int) - 5)  # as drawn by hand
    for colours in (RGB, impure):
        path = save(tmp_path / 'm.png', mask, colours[[0, 3, 1, 2]])
        with pytest.raises(InputError, match='would be rib.*colour of lumbar'):
            read_annotation(path)
    np.testing.assert_array_equal(read_annotation(path, CLASSES), mask)
    coloured = read_annotation(path, colour_map={n: [c] for n, c in COLOURS.items()})
    np.testing.assert_array_equal(coloured, np.array([0, 3, 1, 2])[mask])


@pytest.mark.parametrize('mask', [np.full((9, 9), 255), np.eye(9) * 255])
def test_masks_of_255_hold_nothing(tmp_path, mask):
    with pytest.raises(InputError, match='label 255'):
        read_annotation(save(tmp_path / 'm.png', mask))


def test_class_indices_do_not_survive_jpeg(tmp_path):
    mask = draw_case(0)[1]
    with pytest.raises(InputError, match='m.jpg: class indices in a JPEG'):
        read_annotation(save(tmp_path / 'm.jpg', mask, quality=100))
    assert not read_annotation(save(tmp_path / 'm.jpg', 0 * mask)).any()


def pages_of(mask, labels, path, value=255, **options):
    """Writes a page for each label."""
    frames = [Image.fromarray((mask == i).astype(np.uint8) * value) for i in labels]
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    return path


@pytest.mark.parametrize('labels', [(1, 2, 3), (0, 1, 2, 3)])
def test_a_page_for_each_class(tmp_path, labels):
    mask = draw_case(0)[1]
    path = pages_of(mask, labels, tmp_path / 'm.tif', compression='tiff_lzw')
    np.testing.assert_array_equal(read_annotation(path), mask)
    names = ['background', 'lumbar', 'thoracic', 'rib']
    np.testing.assert_array_equal(read_annotation(path, names), (4 - mask) * (mask > 0))
    with pytest.raises(InputError, match='3 pages|4 pages'):
        read_annotation(path, colour_map=OTHER)


def test_the_tool_takes_other_colours(tmp_path, run_tool):
    colours = np.array([OTHER[name][0] for name in CLASSES], np.uint8)
    for i in range(4):
        image, mask = draw_case(i)
        write_image(tmp_path / f'images/s{i}.png', image)
        write_image(tmp_path / f'masks/s{i}.png', colours[mask][..., ::-1])
    items = [f'{name}={",".join(map(str, OTHER[name][0]))}' for name in CLASSES]
    folders = [tmp_path / 'images', tmp_path / 'masks', tmp_path / 'out']
    assert run_tool('prepare_vpi', *folders)[0] == 2
    status, _, err = run_tool(
        'prepare_vpi', *folders, '--colour-map', *items, '--seed', '5'
    )
    assert status == 0, err
    written = sorted((tmp_path / 'out/groundtruth').rglob('*.png'))
    assert len(written) == 4
    for path in written:
        np.testing.assert_array_equal(cv2.imread(str(path), -1), draw_case(0)[1])


def polygons(*bones, shape=(40, 40)):
    """A drawing of rectangles: a name, and the ends of rows and columns."""
    drawn = []
    for n, (label, top, bottom, left, right) in enumerate(bones, 1):
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        drawn.append(DrawnBone(label, [np.array(corners, float)], where=f'shape {n}'))
    return Drawing(shape, drawn, format='LabelMe')


def test_polygons_share_edges_and_no_areas():
    """A later bone has the edge; what is ignored goes over all of them."""
    found = annotations.annotation_of(
        polygons(
            ('rib', 2, 12, 2, 30),
            ('lumbar', 8, 20, 5, 30),
            ('rib', 25, 30, 2, 9),
            ('ignore', 0, 40, 28, 40),
        ),
        'a.json',
    )
    labels, bones = np.zeros((2, 40, 40), int)
    labels[2:12, 2:30] = labels[25:30, 2:9] = 1
    bones[2:12, 2:30], bones[25:30, 2:9] = 1, 3
    labels[8:20, 5:30], bones[8:20, 5:30] = 3, 2
    labels[:, 28:], bones[:, 28:] = 255, 0
    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_array_equal(found.instances, bones)
    assert found.read_as == 'LabelMe polygons'
    both = polygons(('rib', 2, 14, 2, 30), ('lumbar', 9, 20, 5, 30))
    match = r'a.json: shape 1 \(rib\) and shape 2 \(lumbar\) .* at x 7, y 11.*group'
    with pytest.raises(InputError, match=match):
        annotations.annotation_of(both, 'a.json')


def test_names_of_polygons():
    hip = polygons(('hip', 2, 12, 2, 30), ('rib', 20, 30, 2, 10))
    match = "a.json: shape 1 is called 'hip', but the names are rib, thoracic, lumbar and"
    with pytest.raises(InputError, match=match):
        annotations.annotation_of(hip, 'a.json')
    found = annotations.annotation_of(hip, 'a.json', [*CLASSES, 'hip'])
    assert (found.labels[2:12, 2:30] == 255).all()
    assert set(np.unique(found.instances)) == {0, 2}
    with pytest.raises(InputError, match='100% of it would be bones of label 1'):
        annotations.annotation_of(polygons(('rib', -9, 90, -9, 90)), 'a.json')


def test_bones_of_no_pixel():
    """Beyond the picture, or in shares of its sides as some programs export them."""
    for place in ((50, 60, 50, 60), (0.6, 0.9, 0.1, 0.4)):
        drawing = polygons(('lumbar', 2, 9, 2, 9), ('rib', *place))
        match = r'a.json: shape 2 \(rib\) covers no pixel: .*picture of 40 x 40'
        with pytest.raises(InputError, match=match):
            annotations.annotation_of(drawing, 'a.json')


def test_a_thin_bone_under_a_later_one():
    """It would be lost; what is ignored may take a bone away."""
    thin = ('rib', 5, 9, 2, 30), ('lumbar', 4, 12, 1, 31)
    with pytest.raises(InputError, match=r'a.json: shape 1 \(rib\) lies under others'):
        annotations.annotation_of(polygons(*thin), 'a.json')
    found = annotations.annotation_of(polygons(thin[1], thin[0]), 'a.json')
    assert set(np.unique(found.instances)) == {0, 1, 2}
    found = annotations.annotation_of(
        polygons(thin[0], ('ignore', *thin[1][1:])), 'a.json'
    )
    assert set(np.unique(found.labels)) == {0, 255}
