"""Folds: every case once, subjects never torn apart, and the data set finds them."""

import pytest

from seam_seg import get_config
from seam_seg.datasets import VPIDataset
from seam_seg.datasets.folds import draw_folds, fold_options, write_folds
from seam_seg.errors import InputError

SCANS = [f'p{subject:02d}_scan{scan}' for subject in range(11) for scan in range(3)]


def test_every_case_once_and_subjects_whole():
    folds = draw_folds(SCANS, 4, 0, r'^(p\d+)_')
    assert sorted(sum(folds, [])) == sorted(SCANS)
    subjects = [{name[:3] for name in fold} for fold in folds]
    assert sorted(map(len, subjects)) == [2, 3, 3, 3]
    assert sum(map(len, subjects)) == 11  # none in two folds
    assert all(fold == sorted(fold) for fold in folds)  # the order of the cases


def test_seeded():
    assert draw_folds(SCANS, 4, 0) == draw_folds(SCANS, 4, 0) != draw_folds(SCANS, 4, 1)
    # the draw depends on the subjects, not on the order in which they are listed
    ours, other = (draw_folds(names, 4, 0) for names in (SCANS, SCANS[::-1]))
    assert [sorted(fold) for fold in other] == [sorted(fold) for fold in ours]
    for seed in (-1, 2**32):
        with pytest.raises(InputError, match=f'--seed {seed}'):
            draw_folds(SCANS, 4, seed)


@pytest.mark.parametrize(
    'count, pattern, words',
    [
        (1, None, 'must be 2 to 33'),
        (34, None, 'must be 2 to 33'),
        (12, r'^(p\d+)_', 'must be 2 to 11'),
        (2, '(', 'no regular expression'),
        (2, 'scan', 'has no group'),
        (2, '(x)', 'p00_scan0: --subject .*no subject'),
        (2, '(x?)', 'p00_scan0: --subject .*no subject'),
    ],
)
def test_refused(count, pattern, words):
    with pytest.raises(InputError, match=words):
        draw_folds(SCANS, count, 0, pattern)


def test_tool_and_dataset(contract, tool, capsys):
    """The files' cases are found, though fold and folder do not agree."""
    assert tool('make_folds')([str(contract), '--folds', '2', '--seed', '3']) == 0
    folder = contract / 'folds2_seed3'
    assert capsys.readouterr().out.strip() == str(folder)
    cfg = get_config('fpn_r18_1xb8-600_phantom-256x128')
    options = fold_options(cfg, folder, contract)
    seen, folders = [], []
    for option in options:
        cfg.merge_from_dict(option)
        parts = {
            split: VPIDataset(
                str(contract),
                split,
                both_folders=cfg[f'{loader}_dataloader'].dataset.both_folders,
                split_files=cfg[f'{loader}_dataloader'].dataset.split_files,
                pipeline=[],
            )
            for split, loader in (('trainval', 'train'), ('val', 'val'), ('test', 'test'))
        }
        names = {split: part.split_names() for split, part in parts.items()}
        assert {len(names['trainval']), len(names['test'])} == {3, 4}
        assert not set(names['trainval']) & set(names['test'])
        assert set(names['val']) < set(names['trainval'])
        folders += [{part['img_path'].split('/')[-2] for part in parts['trainval']}]
        seen += names['test']
    assert len(set(seen)) == 7
    assert {'train', 'test'} in folders
    # without the option, a case in the other folder is an error, as ever
    option = options[folders.index({'train', 'test'})]
    cfg.merge_from_dict(option)
    files = cfg.train_dataloader.dataset.split_files
    with pytest.raises(InputError, match='no such image'):
        VPIDataset(str(contract), 'trainval', split_files=files, pipeline=[])


def test_loaders_that_are_not_there_stay_so(contract):
    folder = write_folds(contract, 2, 5)
    cfg = get_config('fpn_r50_1xb12-80k_vpi-512x256')  # validates on nothing
    assert all(
        not key.startswith('val')
        for option in fold_options(cfg, folder, contract)
        for key in option
    )


def test_folder_of_folds(contract, tmp_path):
    cfg = get_config('fpn_r18_1xb8-600_phantom-256x128')
    with pytest.raises(InputError, match='holds no folds'):
        fold_options(cfg, contract / 'nothing', contract)
    (tmp_path / 'fold0_train.txt').write_text('a')
    with pytest.raises(InputError, match='must lie in the data root'):
        fold_options(cfg, tmp_path, contract)


def test_case_in_both_files(tmp_path):
    for name in ('train.txt', 'test.txt'):
        (tmp_path / name).write_text('a\nb\n')
    with pytest.raises(InputError, match='case a is in train.txt and in test.txt'):
        write_folds(tmp_path, 2, 0)
