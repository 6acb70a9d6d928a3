"""What a model says of an image, and what can be asked of it."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Callable, List, Optional, Sequence, Tuple, Union

import cv2
import numpy as np
from scipy import ndimage
from skimage import measure

from ..atomic import is_as_written, read_source, write_csv, write_labels, write_picture
from ..datasets import VPIDataset
from ..datasets.polygon_files import Drawing
from ..errors import InputError
from ..evaluation.bones import DOUBTFUL, Bone, bone_table, list_bones
from ..visualization import Number, overlay, panel, write_rgb
from .polygon_results import polygon_path, trace, write_labelme, write_polygon_picture

if TYPE_CHECKING:  # a quarter of a second each, for who measures or plots
    from matplotlib.axes import Axes

    from ..measurement import Measurement, Settings

CLASSES = VPIDataset.METAINFO['classes']
PALETTE = tuple(tuple(colour) for colour in VPIDataset.METAINFO['palette'])
# Beside the labels, a folder for each.
KINDS = ('overlay', 'confidence', 'bones', 'instances')
SPECK = 0.1  # of the area of a bone: what is smaller than that has no number of its own


def label_path(out: Path, name: str) -> Path:
    """Where the labels of an image are written, and last: then it is finished."""
    return out / f'{name}.png'


def why_kept(path: Path, source: str, replaced: bool = True) -> str:
    """Why no results are written where those of another image are, or what is no result.

    Args:
        path (Path): of :func:`label_path`.
        source (str): SHA-256 of the image that is segmented; '' where it is not known.
        replaced (bool): whether the labels would be. Default: True.

    Returns:
        str: the labels there are of another image; or they would be replaced, and are
        none that were predicted: a scan, or somebody's corrections. Else ''.
    """
    if not path.exists():
        return ''
    there = read_source(path)
    if there and source and there != source:
        return (
            'is of another image of this name. Choose another folder for the results, or '
            'remove these: one would be taken for the other.'
        )
    if replaced and not is_as_written(path):
        return (
            'is there, and not as it was predicted: a scan, or corrected, or by an '
            'earlier version. Choose another folder for the results, or move it away; '
            '--skip-existing of tools/predict.py leaves it as it is.'
        )
    return ''


def number_pieces(instances: np.ndarray, bones: Sequence[Bone]) -> List[Number]:
    """Where the number of a bone is written: in the middle of its pieces, but for specks.

    Args:
        instances (np.ndarray): (H, W) int, the number of each bone.
        bones (Sequence[Bone]): their table.

    Returns:
        list[Number]: the most doubtful last, over the others.
    """
    numbers = []
    places = ndimage.find_objects(instances)
    for bone in reversed(bones):
        rows, columns = places[bone.id - 1]
        pieces = measure.label(instances[rows, columns] == bone.id, connectivity=2)
        for piece in range(1, pieces.max() + 1):
            inside = np.pad(pieces == piece, 1).astype(np.uint8)
            if inside.sum() < SPECK * bone.area:
                continue
            depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
            y, x = np.unravel_index(depth.argmax(), depth.shape)
            number = Number(
                bone.id,
                float(x - 1 + columns.start),
                float(y - 1 + rows.start),
                bone.doubt >= DOUBTFUL,
            )
            numbers.append(number)
    return numbers


def check_measurable(classes: Sequence[str]) -> None:
    """Refuses masks whose labels are no bones, or others.

    Args:
        classes (Sequence[str]): the meaning of labels 0, 1, 2...

    Raises:
        InputError: they are not those of the data set.
    """
    if tuple(classes) != CLASSES:
        raise InputError(
            f'classes {", ".join(classes)}: only masks of {", ".join(CLASSES)} are '
            'measured.'
        )


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says of an image, at the image's size.

    Attributes:
        mask (np.ndarray): (H, W) uint8 labels.
        confidence (np.ndarray): (H, W) float32, the largest class probability, of
            probabilities that are resized bilinearly.
        image (np.ndarray): (H, W) uint8, the grey levels that the model was shown.
        find_bones (Callable): tells :attr:`bones` apart; called once, when they are
            asked for.
        classes (tuple[str, ...]): the meaning of labels 0, 1, 2...
        palette (Sequence[tuple[int, ...]]): their RGB colours.
        scores (np.ndarray, optional): (N, h, w) float32, the probability of each class
            at the network's resolution.
        spacing (tuple[float, float], optional): height and width of a pixel in mm. None:
            unknown.
        image_left (str): what the left of the image shows by the directions in its file,
            as in :class:`seam_seg.measurement.Settings`.
        name (str): of the file without its ending, or ``'image'``.
        source (str): SHA-256 of the file; ``''`` of an array.
    """

    mask: np.ndarray
    confidence: np.ndarray
    image: np.ndarray
    find_bones: Callable[[], np.ndarray]
    classes: Tuple[str, ...] = CLASSES
    palette: Sequence[Tuple[int, ...]] = PALETTE
    scores: Optional[np.ndarray] = None
    spacing: Optional[Tuple[float, float]] = None
    name: str = 'image'
    image_left: str = 'unknown'
    source: str = ''

    @cached_property
    def bones(self) -> np.ndarray:
        """(H, W) int32, a number for each bone, 0 outside.

        Grouped by their votes where the model votes for centers, else the connected
        components of the mask.
        """
        return self.find_bones()

    @property
    def probabilities(self) -> np.ndarray:
        """(N, H, W) float32: of each class, at the image's size; resized when asked for.

        Raises:
            ValueError: a prediction that was made by hand has none.
        """
        if self.scores is None:
            raise ValueError('a prediction without scores has no probabilities')
        size = self.mask.shape[::-1]
        return np.stack(
            [cv2.resize(one, size, interpolation=cv2.INTER_LINEAR) for one in self.scores]
        )

    def table(self) -> List[Bone]:
        """The bones with side, level, place, area and doubt, the most doubtful first."""
        return list(self._table)

    @cached_property
    def _table(self) -> List[Bone]:
        return list_bones(
            self.mask, self.confidence, self.image, self.classes, self.bones
        )[0]

    def measure(self, settings: Optional['Settings'] = None) -> 'Measurement':
        """Measures the curves: as ``tools/predict.py --report`` does, number for number.

        Args:
            settings (Settings, optional): of :mod:`seam_seg.measurement`; its spacing is
                taken where the image does not say one. Default: its defaults.

        Returns:
            Measurement: research use; with a reason, and without angles, where there are
            too few levels.

        Raises:
            InputError: of classes that are not rib, thoracic and lumbar, or of an image
                that states another side on its left than the settings.
        """
        from ..measurement import Settings, measure_mask

        check_measurable(self.classes)
        settings = Settings() if settings is None else settings
        settings.check_left(self.image_left)
        if self.spacing is not None:
            settings = replace(settings, spacing=self.spacing)
        # In 8 bits, as it is in a file.
        confidence = self._confidence_levels().astype(np.float32) / 255
        return measure_mask(self.mask, self.bones, confidence, settings)

    def plot(self, axes: Optional['Axes'] = None) -> 'Axes':
        """Draws the bones over the image.

        Args:
            axes (Axes, optional): of matplotlib. Default: those of a new figure.

        Returns:
            Axes: with the classes as its legend.
        """
        from matplotlib import pyplot as plt
        from matplotlib.patches import Patch

        if axes is None:
            height, width = self.mask.shape
            _, axes = plt.subplots(figsize=(8 * width / height + 2, 8))
        axes.imshow(overlay(self.image, self.mask, self.palette))
        axes.set_axis_off()
        axes.set_title(self.name)
        axes.legend(
            [Patch(color=f'#{bytes(colour).hex()}') for colour in self.palette[1:]],
            self.classes[1:],
            loc='center left',
            bbox_to_anchor=(1, 0.5),
        )
        return axes

    def drawing(self) -> Drawing:
        """The bones as polygons, see :mod:`seam_seg.datasets.polygons`."""
        return trace(self.bones, self.table())

    def save(
        self, out: Union[str, Path], name: Optional[str] = None, labelme: bool = False
    ) -> Path:
        """Writes what an expert needs to correct the result.

        ``out/NAME.png``: labels, in the colours of the palette; ``overlay/NAME.png``:
        image, outlines and ids; ``confidence/NAME.png``: the largest class probability
        times 255; ``bones/NAME.csv``: a row for each bone, the most doubtful first, with
        columns in mm where the size of a pixel is known; ``instances/NAME.png``: the
        number of each bone in that table, 16 bits. For LabelMe, ``polygons/NAME.json``
        and the image, ``polygons/NAME.png``.

        Args:
            out (str | Path): folder, made where it is not there.
            name (str, optional): of the files, with folders if need be. Default: that of
                the image.
            labelme (bool): writes the files for LabelMe, too. Default: False.

        Returns:
            Path: the labels, which are written last.

        Raises:
            InputError: see :func:`why_kept`; or the file for LabelMe is there, and
                may hold corrections.
        """
        out, name = Path(out), self.name if name is None else name
        kept = why_kept(label_path(out, name), self.source)
        if kept:
            raise InputError(f'{label_path(out, name)}: {kept}')
        picture = f'{name}.png'
        bones = self.table()
        if labelme:
            write_labelme(polygon_path(out, name), self.drawing())
            write_polygon_picture(out, name, self.image, self.spacing)
        write_csv(out / 'bones' / f'{name}.csv', bone_table(bones, self.spacing))
        write_picture(out / 'confidence' / picture, self._confidence_levels())
        write_rgb(
            out / 'overlay' / picture,
            panel(
                self.image,
                [('prediction', self.mask)],
                self.classes,
                self.palette,
                numbers=number_pieces(self.bones, bones),
            ),
        )
        write_picture(out / 'instances' / picture, self.bones.astype(np.uint16))
        labels = label_path(out, name)
        write_labels(labels, self.mask, self.palette, self.spacing, self.source)
        return labels

    def _confidence_levels(self) -> np.ndarray:
        return np.rint(255 * self.confidence).astype(np.uint8)
