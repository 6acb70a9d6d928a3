"""Folds: every case once, subjects never torn apart, and the data set finds them."""

import csv

import pytest
from vpi_files import write_contract

from seam_seg import get_config
from seam_seg.datasets import VPIDataset
from seam_seg.datasets.folds import draw_folds, fold_options, write_folds
from seam_seg.errors import InputError

SCANS = {
    f'p{subject:02d}_scan{scan}': f'p{subject:02d}'
    for subject in range(40)
    for scan in range(3)
}


def fold_of(subjects, count=4, seed=0):
    """The fold of each case."""
    folds = draw_folds(subjects, count, seed)
    return {name: i for i, fold in enumerate(folds) for name in fold}


def test_every_case_once_and_subjects_whole():
    folds = draw_folds(SCANS, 4, 0)
    assert sorted(sum(folds, [])) == sorted(SCANS)
    subjects = [{name[:3] for name in fold} for fold in folds]
    assert min(map(len, subjects)) > 3
    assert sum(map(len, subjects)) == 40  # none in two folds
    assert all(fold == sorted(fold) for fold in folds)  # the order of the cases


def test_a_fold_depends_on_seed_and_subject_only():
    folds = fold_of(SCANS)
    assert folds == fold_of(dict(reversed(SCANS.items()))) != fold_of(SCANS, seed=1)
    fewer = {name: subject for name, subject in SCANS.items() if subject < 'p30'}
    assert fold_of(fewer) == {name: folds[name] for name in fewer}


def test_one_subject_in_each_fold():
    assert draw_folds(dict(a1='a', b1='b', a2='a', c1='c'), 3, 0) == [
        ['a1', 'a2'],
        ['b1'],
        ['c1'],
    ]


def test_an_empty_fold_is_an_error_that_names_a_seed_that_works():
    few = {name: name for name in 'abcdef'}
    with pytest.raises(InputError, match='none of the 6 subjects falls to fold') as error:
        draw_folds(few, 4, 0)
    good = int(str(error.value).split('Pass --seed ')[1].split(',')[0])
    assert all(draw_folds(few, 4, good))
    many = {str(i): str(i) for i in range(40)}
    with pytest.raises(InputError, match='Pass fewer folds, or --folds 40'):
        draw_folds(many, 39, 0)


@pytest.mark.parametrize(
    'count, seed, words',
    [(1, 0, 'must be 2 to 40'), (41, 0, 'must be 2 to 40'), (2, -1, '--seed -1')],
)
def test_refused(count, seed, words):
    with pytest.raises(InputError, match=words):
        draw_folds(SCANS, count, seed)


def test_whose_the_cases_are(tmp_path):
    """It has to be said: by an option, or by the data set."""
    names = [*SCANS]
    for file, part in (('train.txt', names[9:]), ('test.txt', names[:9])):
        (tmp_path / file).write_text('\n'.join(part))

    def torn(**options):
        """The subjects with cases in several folds."""
        folder = write_folds(tmp_path, 4, 0, **options)
        sides = {}
        for path in folder.glob('fold?_test.txt'):
            for name in path.read_text().split():
                sides.setdefault(SCANS[name], set()).add(path.name)
        assert len(sides) == 40
        return [subject for subject, files in sides.items() if len(files) > 1]

    with pytest.raises(InputError, match='--one-scan-per-subject'):
        write_folds(tmp_path, 4, 0)
    assert torn(one_scan=True)
    assert not torn(pattern=r'^(p\d+)_')
    (tmp_path / 'phantom.json').write_text('{}')  # whose cases are each its own
    assert torn()
    with (tmp_path / 'prepared.csv').open('w') as file:
        csv.writer(file).writerows([('subject', 'name'), *zip(SCANS.values(), SCANS)])
    assert not torn()


def test_validation_by_subject(tmp_path):
    """Where only the pattern says whose the cases are, the folds keep what it said."""
    names = [*SCANS]
    for file, part in (('train.txt', names[9:]), ('test.txt', names[:9])):
        (tmp_path / file).write_text('\n'.join(part))
    folder = write_folds(tmp_path, 4, 0, pattern=r'^(p\d+)_')
    cfg = get_config('fpn_r18_1xb8-600_phantom-256x128')
    for options in fold_options(cfg, folder, tmp_path):
        cfg.merge_from_dict(options)
        files = cfg.train_dataloader.dataset.split_files
        train, val = (
            {SCANS[name] for name in dataset.split_names()}
            for dataset in (
                VPIDataset(str(tmp_path), split, split_files=files, lazy_init=True)
                for split in ('train', 'val')
            )
        )
        assert train and val and not train & val
    write_folds(tmp_path, 4, 0, one_scan=True)
    assert not list(folder.glob('*_val.txt'))  # those of before are of other folds


def test_no_subject_to_validate(tmp_path):
    """Of one subject for training none can; only what asks for it is an error."""
    for file, subject in (('train.txt', 'p00'), ('test.txt', 'p01')):
        cases = [name for name in SCANS if SCANS[name] == subject]
        (tmp_path / file).write_text('\n'.join(cases))
    folder = write_folds(tmp_path, 2, 0, pattern=r'^(p\d+)_')
    name = f'{folder.name}/fold0_{{}}.txt'.format
    files = {side: name(side) for side in ('train', 'val', 'test')}
    options = dict(split_files=files, lazy_init=True)
    assert len(VPIDataset(str(tmp_path), 'trainval', **options).split_names()) == 3
    with pytest.raises(InputError, match='fold0_val.txt: the split file is empty'):
        VPIDataset(str(tmp_path), 'val', **options).split_names()


def test_tool_and_dataset(contract, tool, capsys):
    """The files' cases are found, though fold and folder do not agree."""
    write_contract(contract, 9, 5)  # enough for a validation case in each fold
    options = ['--folds', '2', '--seed', '3', '--one-scan-per-subject']
    assert tool('make_folds')([str(contract), *options]) == 0
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
        assert len(names['trainval']) + len(names['test']) == 14
        assert not set(names['trainval']) & set(names['test'])
        assert set(names['val']) < set(names['trainval'])
        folders += [{part['img_path'].split('/')[-2] for part in parts['trainval']}]
        seen += names['test']
    assert len(seen) == len(set(seen)) == 14
    assert {'train', 'test'} in folders
    # without the option, a case in the other folder is an error, as ever
    option = options[folders.index({'train', 'test'})]
    cfg.merge_from_dict(option)
    files = cfg.train_dataloader.dataset.split_files
    with pytest.raises(InputError, match='no such image'):
        VPIDataset(str(contract), 'trainval', split_files=files, pipeline=[])


def test_loaders_that_are_not_there_stay_so(contract):
    folder = write_folds(contract, 2, 5, one_scan=True)
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


def test_folds_of_a_data_set_that_was_prepared_anew(tmp_path):
    """They were drawn when each scan was taken for a subject of its own."""
    cfg = get_config('fpn_r18_1xb8-600_phantom-256x128')
    names = [*SCANS]
    for file, part in (('train.txt', names[9:]), ('test.txt', names[:9])):
        (tmp_path / file).write_text('\n'.join(part))
    folder = write_folds(tmp_path, 4, 0, one_scan=True)
    assert len(fold_options(cfg, folder, tmp_path)) == 4  # nobody says otherwise
    with (tmp_path / 'prepared.csv').open('w') as file:
        csv.writer(file).writerows([('subject', 'name'), *zip(SCANS.values(), SCANS)])
    with pytest.raises(InputError, match='of p.*, fold 0 has cases in training and'):
        fold_options(cfg, folder, tmp_path)
    with pytest.raises(InputError, match='without --subject-pattern and --one-scan'):
        write_folds(tmp_path, 4, 0, one_scan=True)
    assert len(fold_options(cfg, write_folds(tmp_path, 4, 0), tmp_path)) == 4
    with (tmp_path / 'train.txt').open('a') as file:
        file.write('\np99_new')  # by hand; whose it is, an option has to say
    with pytest.raises(InputError, match='test each case .* once, .*: p99_new'):
        fold_options(cfg, folder, tmp_path)
    folder = write_folds(tmp_path, 4, 0, pattern=r'^(p\d+)_')
    assert len(fold_options(cfg, folder, tmp_path)) == 4
    trained = (folder / 'fold1_train.txt').read_text().split()
    (folder / 'fold1_train.txt').write_text('\n'.join(trained[1:]))
    with pytest.raises(InputError, match=f'train on it in all others: {trained[0]}'):
        fold_options(cfg, folder, tmp_path)


def test_case_in_both_files(tmp_path):
    for name in ('train.txt', 'test.txt'):
        (tmp_path / name).write_text('a\nb\n')
    with pytest.raises(InputError, match='case a is in train.txt and in test.txt'):
        write_folds(tmp_path, 2, 0)
