"""Files are written whole or not at all."""

import json
import logging

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure
from mmseg.datasets.transforms import LoadAnnotations
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from seam_seg import atomic
from seam_seg.datasets.readers import read_mask, read_spacing


def test_folders_are_made_and_contents_kept(tmp_path):
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    atomic.write_whole(tmp_path / 'a' / 'b' / 'ä b.txt', 'é\n')
    atomic.write_json(tmp_path / 'x.json', {'a': [1, None]})
    atomic.write_csv(tmp_path / 'x.csv', [('name', 'Dice'), ('a, b', 0.5)])
    atomic.write_picture(tmp_path / 'x.png', pixels)
    assert (tmp_path / 'a' / 'b' / 'ä b.txt').read_bytes() == b'\xc3\xa9\n'
    assert json.loads((tmp_path / 'x.json').read_text()) == {'a': [1, None]}
    assert (tmp_path / 'x.csv').read_bytes() == b'name,Dice\r\n"a, b",0.5\r\n'
    assert np.array_equal(cv2.imread(str(tmp_path / 'x.png'), -1), pixels)
    assert not list(tmp_path.rglob(f'*{atomic.PARTIAL}'))


def test_full_disk_leaves_the_earlier_file(tmp_path, monkeypatch):
    path = tmp_path / 'x.pth'
    atomic.write_whole(path, b'earlier')

    def full(fd):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(atomic.os, 'fsync', full)
    with pytest.raises(OSError, match='No space.*x.pth'):
        atomic.write_whole(path, b'later')
    assert path.read_bytes() == b'earlier'
    assert [p.name for p in tmp_path.iterdir()] == ['x.pth']


def test_figures_are_the_same_each_time(tmp_path):
    for suffix, begin in dict(png=b'\x89PNG', pdf=b'%PDF', svg=b'<?xml').items():
        contents = []
        for turn in range(2):
            figure = Figure(figsize=(1, 1))
            figure.subplots().plot([1, 2])
            path = tmp_path / f'{turn}.{suffix}'
            atomic.write_figure(path, figure)
            contents.append(path.read_bytes())
        assert contents[0] == contents[1] and contents[0].startswith(begin)
        assert b'CreationDate' not in contents[0] and b'<dc:date>' not in contents[0]


def test_labels_are_colours_to_viewers_and_numbers_to_programs(tmp_path):
    palette = [(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)]
    labels = np.random.default_rng(0).integers(0, 4, (37, 23), dtype=np.uint8)
    path = tmp_path / 'new/x.png'
    atomic.write_labels(path, labels, palette)
    with Image.open(path) as picture:
        assert picture.mode == 'P'
        assert np.array_equal(np.array(picture), labels)
        assert np.array_equal(np.array(picture.convert('RGB')), np.array(palette)[labels])
    loaded = LoadAnnotations()(
        dict(seg_map_path=str(path), seg_fields=[], reduce_zero_label=False)
    )
    assert np.array_equal(loaded['gt_seg_map'], labels)
    assert np.array_equal(read_mask(path, 4), labels)
    assert read_spacing(path) is None
    atomic.write_labels(path, labels, palette, spacing=(0.1, 1 / 3))
    assert read_spacing(path) == (0.1, 1 / 3)
    assert np.array_equal(read_mask(path, 4), labels)
    assert atomic.read_source(path) == '' and atomic.is_as_written(path)
    atomic.write_labels(path, labels, palette, (0.1, 0.2), source='ab12')
    assert atomic.read_source(path) == 'ab12' and read_spacing(path) == (0.1, 0.2)
    assert atomic.is_as_written(path)
    # OpenCV has no palettes: the colours, blue first, whatever flag it is given
    bgr = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(bgr[..., ::-1], np.array(palette)[labels])
    atomic.write_labels(path, labels + 9, palette)  # also beyond the palette
    assert np.array_equal(np.array(Image.open(path)), labels + 9)


def test_what_is_no_label_of_ours_has_no_source(tmp_path):
    grey = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    scans = dict(grey=grey, colour=grey.convert('RGB'))
    scans.update(palette=grey.convert('P'))
    for name, picture in scans.items():
        picture.save(tmp_path / f'{name}.png')
    (tmp_path / 'text.png').write_text('no')
    for name in (*scans, 'text', 'nothing'):
        path = tmp_path / f'{name}.png'
        assert atomic.read_source(path) == '' and not atomic.is_as_written(path), name


def test_labels_that_were_changed_are_not_as_written(tmp_path):
    """Whether the program that changed them keeps the palette and the texts or not."""
    labels = np.random.default_rng(0).integers(0, 4, (6, 4), dtype=np.uint8)
    path, other = tmp_path / 'a.png', tmp_path / 'b.png'
    atomic.write_labels(path, labels, [[0, 0, 0], [1, 2, 3]], source='ab12')
    for change in (False, True):
        for texts in (False, True):
            picture = Image.open(path)
            if change:
                picture.putpixel((2, 3), int(labels[3, 2]) ^ 1)
            kept = PngInfo()
            for key, text in (picture.info if texts else {}).items():
                if isinstance(text, str):
                    kept.add_text(key, text)
            picture.save(other, pnginfo=kept)
            assert atomic.is_as_written(other) is (texts and not change)
            assert atomic.read_source(other) == ('ab12' if texts else '')
    # texts that stand behind the pixels, as other libraries write them
    atomic.write_labels(path, labels, [[0, 0, 0], [1, 2, 3]], (0.1, 0.2), 'ab12')
    content, info = path.read_bytes(), Image.open(path).info
    keys = (atomic.SPACING, atomic.SOURCE, atomic.PIXELS)
    end = 33 + sum(13 + len(key + info[key]) for key in keys)
    other.write_bytes(content[:33] + content[end:-12] + content[33:end] + content[-12:])
    assert not Image.open(other).info  # before its pixels are read
    assert atomic.read_source(other) == 'ab12' and atomic.is_as_written(other)
    assert read_spacing(other) == (0.1, 0.2)
    for shape in ((4, 6), (24, 1)):  # the same numbers in another shape
        atomic.write_labels(other, labels.reshape(shape), [[0, 0, 0]])
        texts = PngInfo()
        texts.add_text(atomic.PIXELS, Image.open(other).info[atomic.PIXELS])
        Image.open(path).save(other, pnginfo=texts)
        assert not atomic.is_as_written(other)


def test_a_spacing_that_a_resize_has_kept_is_none(tmp_path, caplog):
    """As ImageMagick resizes, and keeps the texts; earlier versions wrote no size."""
    path, other = tmp_path / 'a.png', tmp_path / 'b.png'
    atomic.write_picture(path, np.zeros((20, 10), np.uint8), (0.2, 0.1))
    with Image.open(path) as picture:
        text = picture.info[atomic.SPACING]
        for size, kept in (((10, 10), text), ((10, 10), '0.2 0.1'), ((10, 20), text)):
            info = PngInfo()
            info.add_text(atomic.SPACING, kept)
            picture.resize(size).save(other, pnginfo=info)
            resized = size == (10, 10) and kept == text
            with caplog.at_level(logging.WARNING, 'seam_seg'):
                assert read_spacing(other) == (None if resized else (0.2, 0.1))
            assert ('b.png' in caplog.text and '20 x 10' in caplog.text) == resized
            caplog.clear()
