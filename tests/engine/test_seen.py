"""The images that a model has seen."""

import hashlib
import logging
from pathlib import Path

import pytest

from seam_seg.engine.seen import check_apart, images_of, seen_by, tell_seen
from seam_seg.errors import InputError


class Images:
    """A data set that says where its images are."""

    def __init__(self, *paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def get_data_info(self, i):
        return dict(img_path=str(self.paths[i]))


def test_images_are_told_apart_by_content(tmp_path):
    paths = [tmp_path / name for name in ('a.png', 'b.png', 'copy.png')]
    for path, text in zip(paths, (b'one', b'two', b'one')):
        path.write_bytes(text)
    found = images_of(Images(*paths, paths[1]))
    assert set(found) == {hashlib.sha256(text).hexdigest() for text in (b'one', b'two')}
    elsewhere = Path('s3:/images/a.png')
    assert images_of(Images(elsewhere)) == {str(elsewhere): elsewhere}
    with pytest.raises(InputError, match='1 of the 2 valid.*copy.png, or a copy'):
        check_apart(Images(paths[0]), Images(*paths[1:]))
    check_apart(Images(paths[0]), Images(paths[1]))
    assert images_of([1, 2]) == {}  # a data set of another library


def test_what_was_seen_is_told(tmp_path, caplog):
    paths = [tmp_path / name for name in ('a.png', 'b.png')]
    for path in paths:
        path.write_bytes(path.name.encode())
    known, logger = images_of(Images(paths[0])), logging.getLogger('seen')
    tell_seen(Images(paths[1]), set(known), 'x.pth', logger)
    assert not caplog.records
    tell_seen(Images(*paths), set(known), 'x.pth', logger)
    (record,) = caplog.records
    assert record.getMessage().startswith('1 of the 2 images, such as a.png, are among')
    assert 'x.pth' in record.getMessage()


def test_what_a_checkpoint_says():
    said = dict(meta=dict(seam_seg=dict(trained_on=['a', 'b', 3])))
    assert seen_by(said) == {'a', 'b'}
    for other in ({}, None, dict(meta=None), dict(meta=dict(seam_seg=dict(config={})))):
        assert seen_by(other) == set()
    for odd in (3, 'words', dict(a=1)):
        assert seen_by(dict(meta=dict(seam_seg=dict(trained_on=odd)))) == set()
