"""Which images and labels prepare_vpi pairs, where labels are polygons."""

import json

import cv2
import numpy as np
import pytest
from dicom_files import write_dicom
from skimage import measure
from vpi_files import draw_case, write_image

from seam_seg.datasets import LoadVPIAnnotations, LoadVPIImage, VPIDataset
from seam_seg.datasets.annotations import CLASSES
from seam_seg.datasets.polygon_files import coco_content, labelme_content, trace_bones
from seam_seg.datasets.prepare import prepare
from seam_seg.datasets.sources import find_sources
from seam_seg.datasets.transforms import LoadVPIInstances
from seam_seg.errors import InputError

NAMES = [f'p{i}/scan' for i in range(4)]
OPTIONS = dict(test_fraction=0.4, val_fraction=0)
PIPELINE = [LoadVPIImage(), LoadVPIAnnotations(), LoadVPIInstances()]


def draw(i):
    """The bones of a case, the lowest of which are two that touch."""
    mask = draw_case(i)[1]
    instances = measure.label(mask).astype(np.int32)
    instances[:, 16:][mask[:, 16:] == 3] = 4
    labels = {n: CLASSES[mask[instances == n][0]] for n in (1, 2, 3, 4)}
    return trace_bones(instances, [(labels[n], dict(id=n)) for n in labels]), instances


@pytest.fixture
def scans(tmp_path):
    """A folder for each of four patients, and one of polygons; three are checked."""
    for i, name in enumerate(NAMES):
        write_image(tmp_path / f'scans/{name}.png', draw_case(i)[0])
        drawing = draw(i)[0]._replace(checked=i < 3)
        write_polygons(tmp_path / f'drawn/{name}.json', drawing)
        write_image(tmp_path / f'drawn/{name}.png', draw_case(i)[0])
    return tmp_path


def write_polygons(path, drawing):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(labelme_content(drawing, f'{path.stem}.png')))


def write_coco(path, checked):
    drawn = {f'{name}.png': draw(i)[0] for i, name in enumerate(NAMES)}
    drawn = {
        name: drawing._replace(checked=ok)
        for (name, drawing), ok in zip(drawn.items(), checked)
    }
    path.write_text(json.dumps(coco_content(drawn, CLASSES[1:])))
    return path


def prepared_bones(out):
    """The bones of all cases, as the data set reads them."""
    found = {}
    for split in ('train', 'test'):
        for sample in VPIDataset(str(out), split, val_fraction=0, pipeline=PIPELINE):
            name = sample['img_path'].split('/')[-1][:-4]
            found[name] = sample['gt_seg_map'], sample['gt_instances']
    return found


def check_bones(found, cases):
    assert sorted(found) == [f'p{i}__scan' for i in cases]
    for i in cases:
        labels, bones = found[f'p{i}__scan']
        mask, wanted = draw_case(i)[1], draw(i)[1]
        np.testing.assert_array_equal(labels, mask)
        pairs = np.unique(np.stack([bones, wanted]).reshape(2, -1), axis=1)
        assert pairs.shape == (2, 5)  # the same bones, by whatever numbers


def test_labelme_bone_by_bone(scans):
    """Only what somebody has checked, from the folder that predict writes."""
    folders = scans / 'scans', scans / 'drawn'
    with pytest.raises(InputError, match=r'files \.json of the same names, such as scan'):
        prepare(*folders, scans / 'out', **OPTIONS)
    options = dict(mask_suffix='.json', **OPTIONS)
    with pytest.raises(InputError, match='drawn or checked: p3__scan.*--only-labelled'):
        prepare(*folders, scans / 'out', **options)
    prepare(*folders, scans / 'out', only_labelled=True, **options)
    check_bones(prepared_bones(scans / 'out'), range(3))
    rows = (scans / 'out/prepared.csv').read_text()
    assert 'p1/scan.json' in rows and 'LabelMe polygons' in rows
    # images and polygons in one folder
    both = scans / 'drawn', scans / 'drawn'
    prepare(*both, scans / 'again', only_labelled=True, **options)
    check_bones(prepared_bones(scans / 'again'), range(3))
    # over a data set with maps of bones, masks alone: the maps are gone
    for i, name in enumerate(NAMES):
        write_image(scans / f'masks/{name}.png', draw_case(i)[1])
    prepare(scans / 'scans', scans / 'masks', scans / 'out', overwrite=True, **OPTIONS)
    assert not (scans / 'out/instances').exists()
    assert len(prepared_bones(scans / 'out')) == 4


def test_polygons_alone_need_no_suffix(scans):
    for path in (scans / 'drawn').rglob('*.png'):
        path.unlink()
    found = find_sources(scans / 'scans', scans / 'drawn', only_labelled=True)
    assert [source.name for source in found] == [f'p{i}__scan' for i in range(3)]


def test_coco_of_all_images(scans):
    path = write_coco(scans / 'coco.json', [True] * 4)
    prepare(scans / 'scans', path, scans / 'out', **OPTIONS)
    check_bones(prepared_bones(scans / 'out'), range(4))
    assert 'coco.json' in (scans / 'out/prepared.csv').read_text()
    write_coco(path, [True, False, True, True])
    with pytest.raises(InputError, match='nobody has drawn or checked: p1__scan'):
        prepare(scans / 'scans', path, scans / 'new', **OPTIONS)
    found = find_sources(scans / 'scans', path, only_labelled=True)
    assert [source.name for source in found] == ['p0__scan', 'p2__scan', 'p3__scan']
    write_coco(path, [False] * 4)
    with pytest.raises(InputError, match='no label of an image .*has exported'):
        prepare(scans / 'scans', path, scans / 'new', only_labelled=True, **OPTIONS)
    write_coco(path, [True] * 4)
    (scans / 'scans/p2/scan.png').unlink()
    with pytest.raises(InputError, match='masks without image: p2__scan'):
        prepare(scans / 'scans', path, scans / 'new', only_labelled=True, **OPTIONS)
    with pytest.raises(InputError, match='--mask-suffix .json: .*names the images'):
        prepare(scans / 'scans', path, scans / 'new', mask_suffix='.json')
    with pytest.raises(InputError, match='scan.png: neither a folder of masks nor a'):
        prepare(scans / 'scans', scans / 'drawn/p1/scan.png', scans / 'new')
    with pytest.raises(InputError, match='nor a file of COCO'):
        prepare(scans / 'scans', scans / 'none.json', scans / 'new')
    assert not (scans / 'new').exists()


def test_coco_with_two_images_that_become_one_case(scans):
    """A folder and its file, and a file that is called like both."""
    path = write_coco(scans / 'coco.json', [True] * 4)
    content = json.loads(path.read_text())
    content['images'][1]['file_name'] = 'p0__scan.png'
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match='coco.json: p0__scan and .* case, p0__scan'):
        find_sources(scans / 'scans', path, only_labelled=True)


def test_images_without_a_label_are_left_out_of_any_format(scans):
    for i in (0, 2, 3):
        write_image(scans / f'masks/{NAMES[i]}.png', draw_case(i)[1])
    folders = scans / 'scans', scans / 'masks', scans / 'out'
    with pytest.raises(InputError, match='images without mask: p1__scan'):
        prepare(*folders, **OPTIONS)
    prepare(*folders, only_labelled=True, **OPTIONS)
    assert sorted(prepared_bones(scans / 'out')) == ['p0__scan', 'p2__scan', 'p3__scan']


def test_what_does_not_fit(scans):
    """Every message names the file; nothing is written."""
    folders = scans / 'scans', scans / 'drawn', scans / 'out'
    options = dict(mask_suffix='.json', only_labelled=True, **OPTIONS)
    with pytest.raises(InputError, match='scan.json: polygons have names.*--colour-map'):
        prepare(*folders, colour_map=dict(background=[(0, 0, 0)]), **options)
    path = scans / 'drawn/p1/scan.json'
    good = json.loads(path.read_text())
    path.write_text(json.dumps(dict(good, imageHeight=65)))
    with pytest.raises(InputError, match=r'scan.json: the mask is 65 x 32 .* 64 x 32'):
        prepare(*folders, **options)
    good['shapes'][1]['label'] = 'hip'
    path.write_text(json.dumps(good))
    with pytest.raises(InputError, match=r"2 is called 'hip', .* rib, thoracic, lumbar"):
        prepare(*folders, **options)
    assert not (scans / 'out').exists()
    prepare(*folders, mask_classes=[*CLASSES, 'hip'], **options)
    labels, bones = prepared_bones(scans / 'out')['p1__scan']
    assert (labels[draw_case(1)[1] == 2] == 255).all() and len(np.unique(bones)) == 4
    assert cv2.imread(str(scans / 'drawn/p1/scan.png'), -1).shape == labels.shape


@pytest.mark.parametrize('picture, name', [('a.nii.gz', 'a'), ('1.2.9', '1.2.9')])
def test_pictures_and_polygons_of_one_name(picture, name, tmp_path):
    """Whatever its ending is, and if it has none."""
    for folder in ('scans', 'drawn'):
        (tmp_path / folder).mkdir()
        write_dicom(tmp_path / folder / picture, np.zeros((64, 32), np.uint8))
    (tmp_path / 'drawn' / f'{name}.json').touch()
    with pytest.raises(InputError, match=rf'same names, such as {name}\.'):
        prepare(tmp_path / 'scans', tmp_path / 'drawn', tmp_path / 'out', **OPTIONS)
