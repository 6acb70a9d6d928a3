"""What helps a person to correct predictions: polygons to edit, and where to begin."""

from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..atomic import write_json, write_whole
from ..datasets.polygon_files import Drawing, coco_content
from ..datasets.readers import decode, read_image, read_spacing
from ..errors import InputError
from ..evaluation.bones import Bone, read_bone_table
from .prediction import (
    CLASSES,
    POLYGONS,
    Prediction,
    check_uncorrected,
    polygon_path,
    trace,
    write_labelme,
    write_polygon_picture,
)

FORMATS = ('labelme', 'coco')
COCO, OVERVIEW = 'coco', 'overview'


class Corrections:
    """Collects the results of a run; writes polygons, and the overview of all cases.

    Args:
        out (Path): folder of the results.
        names (Sequence[str]): of all images to come.
        new (Sequence[str]): of those that are segmented now.
        formats (Sequence[str]): of :data:`FORMATS`. Default: none.
        pages (bool): whether each case has a page, ``NAME.html``, and a record,
            ``NAME.json``. Default: False.

    Raises:
        InputError: polygons that would be overwritten may be a person's work; or an
            image has the name of a file that is about all of them.
    """

    def __init__(
        self,
        out: Path,
        names: Sequence[str],
        new: Sequence[str],
        formats: Sequence[str] = (),
        pages: bool = False,
    ) -> None:
        self.out, self.formats, self.pages = out, formats, pages
        self.several = len(names) > 1
        for own, file in ((COCO, f'{COCO}.json'), (OVERVIEW, f'{OVERVIEW}.html')):
            if pages and own in names:
                raise InputError(
                    f'an image is named {own}, and {file} is about all of them. Rename '
                    'it.'
                )
        if 'labelme' in formats:
            for name in new:
                check_uncorrected(polygon_path(out, name))
        self._cases: List[Tuple[str, List[Bone]]] = []
        self._drawings: Dict[str, Drawing] = {}

    def add(self, image: Path, name: str, found: Optional[Prediction] = None) -> None:
        """Takes a case in, and writes its polygons for LabelMe.

        Args:
            image (Path): that was segmented.
            name (str): of its results, which are in the folder.
            found (Prediction, optional): Default: it was segmented earlier, and what it
                left is read.

        Raises:
            InputError: that cannot be read.
        """
        if found is None:
            table = self.out / 'bones' / f'{name}.csv'
            if not (self.formats or table.is_file()):
                return  # somebody has kept the labels alone
            bones = read_bone_table(table)
        else:
            bones = found.table()
        self._cases.append((name, bones))
        if not self.formats:
            return
        drawing = self._trace(name, bones) if found is None else found.drawing()
        self._drawings[f'{name}.png'] = drawing
        if found is not None:
            write_polygon_picture(self.out, name, found.image, found.spacing)
        elif not polygon_path(self.out, name, '.png').is_file():
            spacing = read_spacing(image)
            write_polygon_picture(self.out, name, read_image(image), spacing)
        path = polygon_path(self.out, name)
        if 'labelme' in self.formats and not path.exists():
            write_labelme(path, drawing)

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

        Args:
            failures (Sequence[str]): what is wrong with images that have no result.

        Returns:
            str: what was written, for the user; nothing if that is nothing.
        """
        written = []
        if 'labelme' in self.formats and self._cases:
            written.append(f'polygons for LabelMe in {self.out / POLYGONS}')
        if 'coco' in self.formats:
            path = self.out / f'{COCO}.json'
            drawn = {b.label for one in self._drawings.values() for b in one.bones}
            labels = [*CLASSES[1:], *sorted(drawn.difference(CLASSES))]
            write_json(path, coco_content(self._drawings, labels))
            written.append(f'COCO in {path}')
        if self.several:
            from ..report.overview import overview_page  # time, which one image saves

            path = self.out / f'{OVERVIEW}.html'
            write_whole(path, overview_page(self._cases, failures, self.pages))
            written.append(f'where to begin says {path}')
        return '; '.join(written)
