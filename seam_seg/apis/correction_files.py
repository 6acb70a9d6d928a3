"""What helps a person to correct predictions: polygons to edit, and where to begin."""

from pathlib import Path
from typing import TYPE_CHECKING, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..atomic import write_json, write_whole
from ..datasets.polygon_files import DOUBTFUL as MARK
from ..datasets.polygon_files import Drawing, coco_content, read_coco, trace_bones
from ..datasets.readers import decode, read_image, read_spacing
from ..errors import InputError
from ..evaluation.bones import DOUBTFUL, Bone, read_bone_table
from .polygon_results import (
    POLYGONS,
    check_uncorrected,
    polygon_path,
    trace,
    write_labelme,
    write_polygon_picture,
)
from .predict_files import remove_page
from .prediction import CLASSES, Prediction

if TYPE_CHECKING:  # a quarter of a second, for who measures
    from .measure_files import Case

FORMATS = ('labelme', 'coco')
COCO, OVERVIEW = 'coco.json', 'overview.html'
OVERVIEW_TITLE = 'Where to begin'  # of its template
Pixels = Tuple[np.ndarray, Optional[Tuple[float, float]]]


class PolygonFiles:
    """Writes the bones of a run as polygons for annotation tools.

    Args:
        out (Path): folder of the results.
        formats (Sequence[str]): of :data:`FORMATS`.
        new (Sequence[str]): names of the cases that are made now; others are left as
            they are where they are there.

    Raises:
        InputError: polygons that are there may be a person's work.
    """

    def __init__(self, out: Path, formats: Sequence[str], new: Sequence[str]) -> None:
        self.out, self.formats, self._new = out, formats, set(new)
        self._drawings: Dict[str, Drawing] = {}
        if 'labelme' in formats:
            for name in new:
                check_uncorrected(polygon_path(out, name))
        coco = out / COCO
        if 'coco' in formats and coco.exists() and _is_checked(coco):
            check_uncorrected(coco)

    def add(self, name: str, drawing: Drawing, load: Callable[[], Pixels]) -> None:
        """Takes a case in, and writes its image and its file of LabelMe.

        Args:
            name (str): of the results.
            drawing (Drawing): its bones.
            load (Callable): returns its grey levels, (H, W) uint8, and the size of a
                pixel.
        """
        self._drawings[f'{name}.png'] = drawing
        if name in self._new or not polygon_path(self.out, name, '.png').is_file():
            write_polygon_picture(self.out, name, *load())
        path = polygon_path(self.out, name)
        if 'labelme' in self.formats and not path.exists():
            write_labelme(path, drawing)

    def add_case(self, case: 'Case') -> None:
        """Takes a mask in that was measured, on its image.

        Args:
            case (Case): of :func:`.measure_files.measure_file`. Specks that the
                measurement left out are left out.

        Raises:
            InputError: there is no image.
        """

        def load() -> Pixels:
            if case.image is None:
                raise InputError(
                    f'{case.name}: polygons are drawn on an image, and there is none of '
                    'this name. Correct --images, or leave out --polygons.'
                )
            return case.image, case.spacing

        self.add(case.name, trace_case(case), load)

    def finish(self) -> List[str]:
        """Writes the file of COCO; returns what was written, for the user."""
        written = []
        if 'labelme' in self.formats and self._drawings:
            written.append(f'polygons for LabelMe in {self.out / POLYGONS}')
        if 'coco' in self.formats:
            drawn = {b.label for one in self._drawings.values() for b in one.bones}
            labels = [*CLASSES[1:], *sorted(drawn.difference(CLASSES))]
            write_json(self.out / COCO, coco_content(self._drawings, labels))
            written.append(f'COCO in {self.out / COCO}')
        return written


def _is_checked(path: Path) -> bool:
    """Whether a file of COCO is other than a prediction that nobody has looked at."""
    try:
        return any(drawing.checked for drawing in read_coco(path).values())
    except InputError:
        return True


def check_names(names: Sequence[str], files: Sequence[str]) -> None:
    """Refuses cases whose page or record is called as a file about all of them.

    Args:
        names (Sequence[str]): of the cases.
        files (Sequence[str]): such as ``'coco.json'``.

    Raises:
        InputError: one is.
    """
    for file in files:
        if Path(file).stem in names:
            raise InputError(
                f'a case is named {Path(file).stem}, and {file} is about all of them. '
                'Rename it.'
            )


def trace_case(case: 'Case') -> Drawing:
    """The bones that were measured in a mask as polygons, the doubtful ones first.

    Args:
        case (Case): of :func:`.measure_files.measure_file`.

    Returns:
        Drawing: with side and, of vertebrae, the name of the level; with why a bone is
        unusual, and its doubt where that is known.
    """
    doubts = case.doubts or {}
    bones = []
    for bone in case.measurement.bones:
        doubt = doubts.get(bone.id, 0)
        notes = dict(id=bone.id, side=bone.side, level=bone.level)
        notes['doubt'] = doubts.get(bone.id)
        notes['flags'] = ' '.join(bone.flags)
        notes[MARK] = bool(bone.flags) or doubt >= DOUBTFUL
        bones.append((-doubt, -len(bone.flags), bone.bone, notes))
    bones.sort(key=lambda one: one[:2])
    drawn = [(label, notes) for _, _, label, notes in bones]
    return trace_bones(case.measurement.bone_map, drawn)


class Corrections:
    """Collects predictions; writes their polygons, and the overview of all cases.

    Args:
        out (Path): folder of the results.
        names (Sequence[str]): of all images to come.
        new (Sequence[str]): of those that are segmented now.
        formats (Sequence[str]): of :data:`FORMATS`. Default: none.
        pages (bool): whether each case has a page, ``NAME.html``, and a record,
            ``NAME.json``. Default: False.

    Raises:
        InputError: see :class:`PolygonFiles` and :func:`check_names`.
    """

    def __init__(
        self,
        out: Path,
        names: Sequence[str],
        new: Sequence[str],
        formats: Sequence[str] = (),
        pages: bool = False,
    ) -> None:
        self.out, self.pages, self.several = out, pages, len(names) > 1
        if pages:
            check_names(names, [COCO, OVERVIEW])
        self._polygons = PolygonFiles(out, formats, new) if formats else None
        self._cases: List[Tuple[str, List[Bone]]] = []
        self._anew = False

    def add(
        self,
        image: Path,
        name: str,
        found: Optional[Prediction] = None,
        window: Optional[Tuple[float, float]] = None,
    ) -> None:
        """Takes a case in.

        Args:
            image (Path): that was segmented.
            name (str): of its results, which are in the folder.
            found (Prediction, optional): Default: it was segmented earlier, and what it
                left is read.
            window (tuple[float, float], optional): by which the image is shown then, see
                :func:`seam_seg.datasets.readers.window_of`.

        Raises:
            InputError: that cannot be read.
        """
        if found is None:
            table = self.out / 'bones' / f'{name}.csv'
            if self._polygons is None and not table.is_file():
                return  # somebody has kept the labels alone
            bones = read_bone_table(table)
        else:
            bones, self._anew = found.table(), True
        self._cases.append((name, bones))
        if self._polygons is None:
            return
        drawing = self._trace(name, bones) if found is None else found.drawing()

        def load() -> Pixels:
            if found is not None:
                return found.image, found.spacing
            grey = read_image(image, window)
            if grey.shape != drawing.shape:
                raise InputError(
                    f'{image}: is {grey.shape[0]} x {grey.shape[1]} (height x width), '
                    f'but the labels {name} that are there are of {drawing.shape[0]} x '
                    f'{drawing.shape[1]}, and of another image. Predict it anew, without '
                    '--skip-existing.'
                )
            return grey, read_spacing(image)

        self._polygons.add(name, drawing, load)

    def _trace(self, name: str, bones: Sequence[Bone]) -> Drawing:
        """The polygons of an image that was segmented earlier."""
        path = self.out / 'instances' / f'{name}.png'
        instances = decode(path, 'map of bones')
        missing = {bone.id for bone in bones} - set(np.unique(instances).tolist())
        if instances.ndim != 2 or missing:
            raise InputError(
                f'{path}: does not have the bones of the table bones/{name}.csv. Predict '
                'the image again.'
            )
        return trace(instances.astype(np.int32), bones)

    def finish(self, failures: Sequence[str]) -> str:
        """Writes ``coco.json`` and, of several images, ``overview.html``.

        The overview links the pages of the cases that are there by now. Of a single
        image, an overview that is there goes.

        Args:
            failures (Sequence[str]): what is wrong with images that have no result.

        Returns:
            str: what was written, for the user; nothing if that is nothing.
        """
        written = [] if self._polygons is None else self._polygons.finish()
        path = self.out / OVERVIEW
        if self.several:
            from ..report.overview import overview_page  # time, which one image saves

            pages = [
                name
                for name, _ in self._cases
                if self.pages and (self.out / f'{name}.html').is_file()
            ]
            write_whole(path, overview_page(self._cases, failures, pages))
            written.append(f'where to begin says {path}')
        elif self._anew:
            remove_page(path, OVERVIEW_TITLE)
        return '; '.join(written)
