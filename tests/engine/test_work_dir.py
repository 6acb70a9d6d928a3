"""What a work dir holds of the training before."""

from seam_seg.engine import last_checkpoint


def test_last_checkpoint(tmp_path):
    assert last_checkpoint(tmp_path) is None
    for name in (
        'iter_90.pth',
        'iter_100.pth',
        'best_bone_mDice_iter_200.pth',
        'iter_300.pth.partial',
        'iter_x.pth',
    ):
        (tmp_path / name).touch()
    assert last_checkpoint(tmp_path).name == 'iter_100.pth'
