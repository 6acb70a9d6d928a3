"""Which files tools/predict.py takes, and which it refuses."""

import pytest

from seam_seg.apis.predict_files import find_images, prepare_out
from seam_seg.errors import InputError


@pytest.fixture
def folder(tmp_path):
    for name in ('b.png', 'a.TIF', 'notes.md'):
        (tmp_path / name).touch()
    (tmp_path / 'list.txt').write_text('b.png\r\n\nelsewhere/c.png\n')
    return tmp_path


def test_finds_images(folder):
    names = [path.name for path in find_images([str(folder), 'single.jpg'])]
    assert names == ['a.TIF', 'b.png', 'single.jpg']
    listed = find_images([str(folder / 'list.txt')])
    assert listed == [folder / 'b.png', folder / 'elsewhere/c.png']


def test_refuses_what_would_be_lost(folder, tmp_path):
    with pytest.raises(InputError, match='two images are named b'):
        find_images([str(folder / 'b.png'), str(folder / 'list.txt')])
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'empty.txt').touch()
    for name, match in (
        ('empty', 'holds no image'),
        ('empty.txt', 'no image is listed'),
        ('none.txt', 'no such list'),
    ):
        with pytest.raises(InputError, match=match):
            find_images([str(tmp_path / name)])
    with pytest.raises(InputError, match='could overwrite images'):
        prepare_out(folder, [folder / 'b.png'])
    with pytest.raises(InputError, match='could overwrite images'):
        prepare_out(folder, [folder / 'overlay/c.png'])
