"""The VPI dataset: its layout on disk, its splits, and dense patches."""

from collections import Counter
from pathlib import Path
from typing import Any, List, Mapping, Optional, Sequence, Tuple, Union

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from ..config_lookup import project_root
from ..errors import InputError
from .history import recorded_subjects
from .seeding import Sample, seeded
from .subjects import draw, first_seed
from .transforms import own_steps

SPLITS = ('train', 'val', 'trainval', 'test')
# The loaders whose data sets have to draw the same validation cases.
TRAINING = ('train', 'val')
# What leaves out the validation, and takes its cases for the training.
TRAIN_ON_ALL = (
    '--cfg-options train_dataloader.dataset.split=trainval val_dataloader=None '
    'val_evaluator=None val_cfg=None'
)


class NoValidationCasesError(InputError):
    """There is no val.txt, and nothing is to be drawn: all cases are trained on."""


def resolve_root(data_root: str) -> Path:
    """Finds a data root, so that configs run from any folder.

    Args:
        data_root (str): an absolute path, or one relative to the current folder or
            else to the clone.

    Returns:
        Path: an existing folder.

    Raises:
        InputError: there is none.
    """
    candidates = [Path(data_root).expanduser()]
    if not candidates[0].is_absolute():
        candidates = [Path.cwd() / data_root, project_root() / data_root]
    for path in candidates:
        if path.is_dir():
            return path
    raise InputError(
        f'data root {data_root}: no such folder (looked for '
        f'{" and ".join(map(str, dict.fromkeys(candidates)))}). Name yours '
        '(--data-root of the tools), or make a phantom with tools/make_phantom.py.'
    )


def read_split(path: Path) -> List[str]:
    """Reads a split file: one case a line; blank lines and CRLF do not matter.

    Args:
        path (Path): the file.

    Returns:
        list[str]: the names, in the order of the file.

    Raises:
        InputError: it is missing, empty, no text, names a case twice, or with a folder.
    """
    if not path.is_file():
        raise InputError(
            f'{path}: no such split file. It lists one case a line, '
            'without suffix; tools/prepare_vpi.py writes it.'
        )
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError:
        raise InputError(f'{path}: the split file is not UTF-8 text.') from None
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise InputError(f'{path}: the split file is empty. List one case a line.')
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(
            f'{path}: {", ".join(twice)} listed more than once. Remove '
            'the repeated lines.'
        )
    inside = [name for name in names if '/' in name or '\\' in name]
    if inside:
        raise InputError(
            f'{path}: {inside[0]} lies in a folder, and what is written for a case has '
            'its name alone. Prepare the data set with tools/prepare_vpi.py, which takes '
            'folders into the names.'
        )
    return names


def _lists_cases(path: Path) -> bool:
    """Whether a split file is there and not empty."""
    return path.is_file() and bool(path.read_bytes().strip())


def carve_val(
    names: Sequence[str],
    fraction: float,
    seed: int,
    subjects: Optional[Mapping[str, str]] = None,
) -> List[str]:
    """Draws the validation cases out of the training cases.

    Whether a case is one depends on the seed, the fraction and its subject, not on which
    other cases there are; a greater fraction adds cases and takes none away.

    Args:
        names (Sequence[str]): the training cases.
        fraction (float): share of the subjects on average, strictly between 0 and 1.
        seed (int): of the draw.
        subjects (Mapping[str, str], optional): subject of each case where it is known.
            Default: None, each case is one.

    Returns:
        list[str]: at least one case and not all, in the order of ``names``.

    Raises:
        InputError: a fraction outside (0, 1), or all cases fall to one side.
    """
    if not 0 < fraction < 1:
        raise InputError(f'val_fraction={fraction}: must lie between 0 and 1.')
    subject_of = {name: (subjects or {}).get(name, name) for name in names}
    if len(set(subject_of.values())) < 2:
        raise InputError(
            'the training cases are of one subject only: a validation split cannot be '
            f'carved from them. Add cases, or train on all: {TRAIN_ON_ALL}'
        )

    def drawn(seed: int) -> List[str]:
        return [name for name in names if draw(seed, 'val', subject_of[name]) < fraction]

    val = drawn(seed)
    if val and len(val) < len(names):
        return val
    good = first_seed(lambda other: 0 < len(drawn(other)) < len(names))
    options = [f'{loader}_dataloader.dataset.val_seed={good}' for loader in TRAINING]
    another = '' if good is None else f'pass --cfg-options {" ".join(options)}, '
    raise InputError(
        f'{"all" if val else "none"} of the {len(names)} training cases fall to the '
        f'validation split with val_fraction={fraction:g} and val_seed={seed}. Write a '
        f'val.txt, {another}or train on all: {TRAIN_ON_ALL}'
    )


def patch_offsets(image: int, patch: int, stride: int) -> List[int]:
    """Offsets of dense patches along one axis; the last one touches the border.

    Args:
        image (int): length of the image in pixels.
        patch (int): length of the patch, at most that of the image.
        stride (int): at least 1.

    Returns:
        list[int]: ascending offsets from 0 to ``image - patch``.
    """
    if not 1 <= patch <= image or stride < 1:
        raise InputError(
            f'patches: size {patch} must be 1 to {image} (the rescaled '
            f'image) and stride {stride} at least 1.'
        )
    offsets = list(range(0, image - patch + 1, stride))
    if offsets[-1] != image - patch:
        offsets.append(image - patch)
    return offsets


@DATASETS.register_module()
class VPIDataset(BaseSegDataset):
    """Spine ultrasound volume projection images with bone masks.

    The layout is that of the paper's group::

        data_root/
            dataset/<train|test>/NAME.png              grey image
            groundtruth/<train|test>/NAME_bone_3.png   labels 0 to 3
            instances/<train|test>/NAME.png            optional: a number for each bone
            train.txt, test.txt                        one NAME a line
            val.txt                                    optional

    The validation cases are taken out of the training cases: those of ``val.txt``
    where it exists, otherwise a seeded draw (:func:`carve_val`), by subject where the
    data set says whose its cases are, or none.

    Args:
        data_root (str): relative paths are looked up in the current folder, then in
            the clone.
        split (str): ``'train'`` (without the validation cases), ``'val'``,
            ``'trainval'`` (all of train.txt) or ``'test'``. Default: ``'train'``.
        val_fraction (float): share of the training cases, on average, that ``'val'``
            draws where there is no val.txt. With 0 nothing is drawn: there are no
            validation cases then, and ``'train'`` is all of train.txt. Default: 0.2.
        val_seed (int): of that draw. Default: 0.
        patches (dict, optional): dense patches: ``image_size``, ``size`` and
            ``stride``, each (height, width) in pixels of the rescaled image. An index
            then means image ``index // patches per image`` and a fixed offset in
            it, which ``CropPatch`` cuts out. Default: None, whole images.
        folders (dict): folder in the data root of the images (``img_path``) and masks
            (``seg_map_path``) of each split; ``{split}`` is train or test.
        split_files (dict): names of the split files in the data root.
        both_folders (bool): a case may lie in the folder of either split, as in
            cross-validation, where split_files are those of a fold. Default: False.
        img_suffix (str): Default: ``'.png'``.
        seg_map_suffix (str): Default: ``'_bone_3.png'``.
        mask_classes (Sequence[str], optional): the class names of labels 0, 1, 2... in
            the mask files, where they differ from ``metainfo['classes']``; a class that
            is not among the latter is ignored. Default: None.
        pipeline (Sequence): of mmseg's ``BaseSegDataset``, but for
            :data:`~seam_seg.datasets.transforms.FOR_MMSEG`, which is left out.
        **kwargs: of mmseg's ``BaseSegDataset``; ``metainfo=dict(classes=...,
            palette=...)`` sets other classes. The first class is the background.
            ``ann_file`` is not used: ``split_files`` takes its place.

    Raises:
        InputError: a missing folder or file, an empty split (also one that the draw
            leaves empty), a repeated case, or a case in both train.txt and test.txt; the
            message names it.
        NoValidationCasesError: ``'val'`` has no cases, see ``val_fraction``.
    """

    METAINFO: dict = dict(
        classes=('background', 'rib', 'thoracic', 'lumbar'),
        palette=[[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]],
    )

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        val_fraction: float = 0.2,
        val_seed: int = 0,
        patches: Optional[dict] = None,
        folders: dict = dict(
            img_path='dataset/{split}',
            seg_map_path='groundtruth/{split}',
            instance_path='instances/{split}',
        ),
        split_files: dict = dict(train='train.txt', val='val.txt', test='test.txt'),
        both_folders: bool = False,
        img_suffix: str = '.png',
        seg_map_suffix: str = '_bone_3.png',
        mask_classes: Optional[Sequence[str]] = None,
        metainfo: Optional[dict] = None,
        pipeline: Sequence[Any] = (),
        lazy_init: bool = False,
        **kwargs: Any,
    ) -> None:
        if split not in SPLITS:
            raise InputError(f'VPIDataset: split={split!r} is none of {SPLITS}.')
        self.split = split
        self.val_fraction = val_fraction
        self.val_seed = val_seed
        self.patches = patches
        if kwargs.get('ann_file'):
            raise InputError(
                f'VPIDataset: ann_file={kwargs["ann_file"]!r} is not used. '
                'Name the files in split_files.'
            )
        self.split_files = split_files
        root = resolve_root(data_root)
        folder, other = ('test', 'train') if split == 'test' else ('train', 'test')
        self.other_folders = (
            {key: root / value.format(split=other) for key, value in folders.items()}
            if both_folders
            else {}
        )
        super().__init__(
            data_root=str(root),
            data_prefix={
                key: value.format(split=folder) for key, value in folders.items()
            },
            img_suffix=img_suffix,
            seg_map_suffix=seg_map_suffix,
            metainfo=self._with_palette(metainfo),
            pipeline=own_steps(pipeline),
            lazy_init=True,
            **kwargs,
        )
        classes = self._metainfo['classes']
        self.mask_classes = tuple(mask_classes or classes)
        self.label_map = None
        if self.mask_classes != tuple(classes):
            missing = set(classes) - set(self.mask_classes)
            if missing:
                raise InputError(
                    f'VPIDataset: mask_classes {self.mask_classes} lack '
                    f'the class {sorted(missing)[0]!r}.'
                )
            self.label_map = {
                label: classes.index(name) if name in classes else self.ignore_index
                for label, name in enumerate(self.mask_classes)
            }
        self._metainfo['label_map'] = self.label_map
        if not lazy_init:
            self.full_init()

    @classmethod
    def _with_palette(cls, metainfo: Optional[dict]) -> Optional[dict]:
        """Colours classes that are known by their names, whatever their order."""
        if not metainfo or 'classes' not in metainfo:
            return metainfo
        classes = metainfo['classes']
        known = dict(zip(cls.METAINFO['classes'], cls.METAINFO['palette']))
        palette = metainfo.get('palette', [known.get(name) for name in classes])
        if len(palette) != len(classes) or None in palette:
            raise InputError(
                f'VPIDataset: metainfo has the classes {list(classes)}, and '
                'needs a palette with an RGB colour for each.'
            )
        return dict(metainfo, palette=palette)

    @classmethod
    def get_label_map(cls, new_classes: Optional[Sequence[str]] = None) -> None:
        """Leaves the map to ``mask_classes``: mmseg's knows the default names only."""
        return None

    def split_names(self) -> List[str]:
        """The names of this split's cases, in the order of the split file."""
        root = Path(self.data_root)
        files = {key: root / name for key, name in self.split_files.items()}
        if self.split == 'test' and not _lists_cases(files['train']):
            return read_split(files['test'])  # a data set that is only tested on
        train = read_split(files['train'])
        if _lists_cases(files['test']) or self.split == 'test':
            test = read_split(files['test'])
            both = sorted(set(train) & set(test))
            if both:
                raise InputError(
                    f'{root}: case {both[0]} is in {files["train"].name} and in '
                    f'{files["test"].name}; scores '
                    'would be taken on training data. Remove it from one of them.'
                )
            if self.split == 'test':
                return test
        if self.split == 'trainval':
            return train
        if files['val'].is_file():
            val = read_split(files['val'])
            stray = sorted(set(val) - set(train))
            if stray or len(val) == len(train):
                raise InputError(
                    f'{files["val"]}: must list some but not all cases of '
                    f'{files["train"].name}'
                    + (f', and {stray[0]} is not among them.' if stray else '.')
                )
        elif self.val_fraction != 0:
            val = self._carved(train, files['train'])
        elif self.split == 'val':
            raise NoValidationCasesError(
                f'{files["val"]}: no such split file, and no validation cases are drawn '
                '(val_fraction=0). List some of those of train.txt, one a line.'
            )
        else:
            return train
        return (
            val
            if self.split == 'val'
            else [name for name in train if name not in set(val)]
        )

    def _carved(self, train: List[str], path: Path) -> List[str]:
        """The validation cases that are drawn, as there is no file of them."""
        subjects = recorded_subjects(Path(self.data_root), train)
        try:
            return carve_val(train, self.val_fraction, self.val_seed, subjects)
        except InputError as error:
            raise InputError(f'{path}: {error}') from None

    def __getitem__(self, idx: Union[int, Sample]) -> dict:
        """A sample after the pipeline.

        Args:
            idx (int | Sample): index; of a :class:`PositionSampler`, what the
                augmentations are drawn from too.

        Returns:
            dict: of the pipeline.
        """
        if not isinstance(idx, Sample):
            return super().__getitem__(idx)
        with seeded(idx.seed, idx.position):
            return super().__getitem__(idx.index)

    def _find(self, key: str, file: str) -> Path:
        """Where a file of a case is, or would be."""
        path = Path(self.data_prefix.get(key, '')) / file
        if key in self.other_folders and not path.is_file():
            return self.other_folders[key] / file
        return path

    def load_data_list(self) -> List[dict]:
        """Lists the images, or their patches.

        Returns:
            list[dict]: ``img_path``, ``seg_map_path``, ``instance_path`` (None where
            there is none), ``num_labels``, ``mask_classes`` and, with patches, ``patch``
            = (top, left, height, width).
        """
        tiles: List[Optional[Tuple[int, int, int, int]]] = [None]
        if self.patches is not None:
            height, width = self.patches['size']
            rows, cols = (
                patch_offsets(*lengths)
                for lengths in zip(
                    self.patches['image_size'],
                    self.patches['size'],
                    self.patches['stride'],
                )
            )
            tiles = [(top, left, height, width) for top in rows for left in cols]
        data_list = []
        for name in self.split_names():
            info = dict(
                label_map=self.label_map,
                num_labels=len(self.mask_classes),
                mask_classes=self.mask_classes,
                ignore_index=self.ignore_index,
                reduce_zero_label=False,
                seg_fields=[],
            )
            for key, suffix in (
                ('img_path', self.img_suffix),
                ('seg_map_path', self.seg_map_suffix),
            ):
                path = self._find(key, name + suffix)
                if not path.is_file():
                    kind = 'image' if key == 'img_path' else 'mask'
                    raise InputError(
                        f'{path}: no such {kind}, but case {name} is listed in the '
                        f'split files of {self.data_root}. Add the file, or run '
                        'tools/check_dataset.py to see every such case.'
                    )
                info[key] = str(path)
            info['instance_path'] = None
            if self.data_prefix.get('instance_path'):  # a layout may have none
                bones = self._find('instance_path', f'{name}.png')
                info['instance_path'] = str(bones) if bones.is_file() else None
            data_list += [
                info if tile is None else dict(info, patch=tile) for tile in tiles
            ]
        return data_list
