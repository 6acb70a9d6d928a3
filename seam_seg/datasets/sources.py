"""Which images and masks belong together, in folders or in a file of COCO."""

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from ..errors import InputError
from .listing import LOOKED_FOR, POLYGON_SUFFIX, check_name, list_images, split_name
from .polygon_files import Drawing, read_coco, read_labelme
from .subjects import listed

# In the name of a case, between a folder and what lies in it.
BETWEEN = '__'


@dataclass(frozen=True)
class Source:
    """A case as it is found: its files.

    Attributes:
        name (str): of its files without suffix and ending; after those of the folders
            that they lie in, with :data:`BETWEEN` in between.
        image (Path): its image.
        mask (Path): its mask.
        drawing (Drawing, optional): what the mask holds where that is polygons.
    """

    name: str
    image: Path
    mask: Path
    drawing: Optional[Drawing] = None


@dataclass(frozen=True)
class _Mask:
    path: Path
    drawing: Optional[Drawing] = None


def find_sources(
    images: Path,
    masks: Path,
    mask_suffix: Optional[str] = None,
    out: Optional[Path] = None,
    only_labelled: bool = False,
) -> List[Source]:
    """Pairs the images with their masks; arguments as in :func:`.prepare.prepare`.

    What lies in ``out`` is left out.

    Returns:
        list[Source]: in the order of their names.

    Raises:
        InputError: no images, an image without mask (unless only those with one are
            asked for) or the reverse, or a name that is taken twice.
    """
    if not images.is_dir():
        raise InputError(f'{images}: no such folder.')
    if masks.is_file():
        if not is_polygons(masks):
            raise InputError(
                f'{masks}: neither a folder of masks nor a file of COCO '
                f'({POLYGON_SUFFIX}). Name the folder that it is in.'
            )
        if mask_suffix:
            raise InputError(
                f'--mask-suffix {mask_suffix}: {masks} is a file, which names the images '
                'itself. Leave the option out.'
            )
        image_paths = _by_name(images, _outside(list_images(images), images, out), '')
        found = {}
        for listed_name, drawing in read_coco(masks).items():
            name = listed_name.replace('/', BETWEEN)
            if name in found:
                raise InputError(
                    f'{masks}: {listed_name} and another image of the file would be the '
                    f'same case, {name}. Rename one of them.'
                )
            found[name] = _Mask(masks, drawing)
        # A file of COCO can list more than has been asked for.
        found = {
            name: mask
            for name, mask in found.items()
            if name in image_paths or (mask.drawing and mask.drawing.is_label)
        }
    else:
        image_paths, mask_paths = _in_folders(images, masks, mask_suffix, out)
        found = {
            name: _Mask(path, read_labelme(path) if is_polygons(path) else None)
            for name, path in mask_paths.items()
        }
    if not image_paths:
        raise InputError(
            f'{images}: no images (looked for {LOOKED_FOR}). Convert other formats first.'
        )
    open_cases = [
        name
        for name, mask in found.items()
        if name in image_paths and mask.drawing and not mask.drawing.is_label
    ]
    without_image = set(found) - set(image_paths)
    lonely = [f'masks without image: {listed(without_image)}'] if without_image else []
    if not only_labelled:
        without_mask = set(image_paths) - set(found)
        if open_cases:
            what = 'polygons that nobody has drawn or checked'
            lonely.insert(0, f'{what}: {listed(open_cases)}')
        if without_mask:
            lonely.insert(0, f'images without mask: {listed(without_mask)}')
    if lonely:
        raise InputError(
            f'{images} and {masks}: {"; ".join(lonely)}. Masks are matched by the name '
            'before the suffix; see --mask-suffix. --only-labelled leaves images without '
            'one out.'
        )
    sources = [
        Source(name, path, found[name].path, found[name].drawing)
        for name, path in sorted(image_paths.items())
        if name in found and name not in open_cases
    ]
    if not sources:
        raise InputError(
            f'{masks}: no label of an image in {images}. Polygons that were predicted '
            'are none before somebody has checked them: in LabelMe, tick the flag '
            'checked; of COCO, name the file that the annotation tool has exported.'
        )
    return sources


def is_polygons(path: Path) -> bool:
    """Whether a mask holds polygons, by its name."""
    return path.suffix.lower() == POLYGON_SUFFIX


def _in_folders(
    images: Path, masks: Path, mask_suffix: Optional[str], out: Optional[Path]
) -> List[Dict[str, Path]]:
    """The images and the masks of two folders, or of one, by their names."""
    if not masks.is_dir():
        raise InputError(f'{masks}: no such folder, nor a file of COCO.')
    if images.resolve() == masks.resolve():
        if not mask_suffix:
            raise InputError(
                f'{images}: images and masks in one folder. Say by which suffix masks '
                'are told, such as --mask-suffix _mask.png, or .json of polygons.'
            )
        masks = images
    # Either folder may lie in the other.
    own_images = _outside(list_images(images), images, masks, out)
    own_masks = _outside(_list_masks(masks, mask_suffix), masks, images, out)
    if masks == images:
        own_images = [path for path in own_images if path not in own_masks]
    return [
        _by_name(images, own_images, ''),
        _by_name(masks, own_masks, mask_suffix or ''),
    ]


def _list_masks(folder: Path, mask_suffix: Optional[str]) -> List[Path]:
    """Pictures; or polygons, where the suffix says so or there are no pictures."""
    pictures = list_images(folder)
    if mask_suffix:
        both = [*pictures, *list_images(folder, [POLYGON_SUFFIX])]
        return sorted(path for path in both if path.name.endswith(mask_suffix))
    polygons = list_images(folder, [POLYGON_SUFFIX])
    drawn, outlined = (
        {path.with_name(split_name(path)[0]) for path in paths}
        for paths in (pictures, polygons)
    )
    twins = drawn & outlined
    if twins:
        raise InputError(
            f'{folder}: holds pictures and files {POLYGON_SUFFIX} of the same names, '
            f'such as {min(twins).name}. Say which are the masks: --mask-suffix '
            f'{POLYGON_SUFFIX}, or that of the pictures.'
        )
    return pictures or polygons


def _outside(paths: Sequence[Path], folder: Path, *others: Optional[Path]) -> List[Path]:
    """Those files of a folder that are not in certain folders below it."""
    places = {other.resolve() for other in others if other is not None}
    inner = {place for place in places if folder.resolve() in place.parents}
    return [
        path
        for path in paths
        if not inner.intersection((path.parent.resolve() / path.name).parents)
    ]


def _by_name(folder: Path, paths: Sequence[Path], suffix: str) -> Dict[str, Path]:
    """Files below a folder by their names, without what they all end with."""
    found: Dict[str, Path] = {}
    for path in paths:
        own = path.name[: -len(suffix)] if suffix else split_name(path)[0]
        name = BETWEEN.join([*path.relative_to(folder).parts[:-1], own])
        check_name(path, name)
        if [name.strip()] != name.splitlines():
            raise InputError(
                f'{path}: its name begins or ends with a space, or has a line break, '
                'which the split files, one name a line, cannot say. Rename it.'
            )
        if name in found:
            raise InputError(
                f'{path}: {found[name].name} has the same name before the '
                'suffix. Remove or rename one of them.'
            )
        found[name] = path
    return found
