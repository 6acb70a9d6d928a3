"""Fills the templates."""

from typing import Any, Dict, Optional, Sequence, Tuple
from urllib.parse import quote

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from ..evaluation.bones import DOUBTFUL
from ..measurement import Measurement
from ..measurement.interval import LEVEL
from . import words
from .drawing import drawn_bones, make_drawing

# Names of files and messages are written by others: nothing of them becomes markup.
ENVIRONMENT = Environment(
    loader=PackageLoader('seam_seg.report'),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters.update(
    degrees=words.degrees,
    interval=words.interval,
    flags=words.flags,
    convexity=words.convexity,
    summary=words.summary,
    unit=lambda value: f'{value:.1f}',
)


def case_page(
    measurement: Measurement,
    content: Dict[str, Any],
    image: Optional[np.ndarray] = None,
    doubts: Optional[Dict[int, float]] = None,
) -> str:
    """The page of a case.

    Args:
        measurement (Measurement): of its mask.
        content (dict[str, Any]): of its JSON, with ``name``, ``files`` and ``software``;
            the page holds it, too.
        image (np.ndarray, optional): (H, W) uint8. Default: bones on plain grey.
        doubts (dict[int, float], optional): of bones, by id, from the table of
            tools/predict.py. Default: none are known.

    Returns:
        str: HTML in UTF-8, under 1.5 MB at any size of the image.
    """
    drawing = make_drawing(
        measurement, image, doubts or {}, content['name'], len(content['files'])
    )
    if drawing.hidden:
        shown = {bone.id for bone in drawn_bones(measurement.bones)}
        bones = [bone for bone in content['bones'] if bone['id'] in shown]
        content = dict(content, bones=bones)
    return render(
        'case.html',
        m=measurement,
        content=content,
        drawing=drawing,
        doubts_known=doubts is not None,
        doubtful=DOUBTFUL,
        percent=round(100 * LEVEL),
        case_flags=[words.flag(name) for name in measurement.flags],
        assumptions=words.assumptions(measurement),
    )


def index_page(
    cases: Sequence[Tuple[str, Measurement]], failures: Sequence[str] = ()
) -> str:
    """The page of several cases, the most doubtful first.

    Args:
        cases (Sequence[tuple[str, Measurement]]): names and what was measured.
        failures (Sequence[str]): messages of files that could not be read.

    Returns:
        str: HTML in UTF-8.
    """
    ordered = sorted(cases, key=lambda case: -case[1].doubt)  # stable
    rows = [
        dict(
            name=name,
            link=quote(f'{name}.html', errors='surrogateescape'),
            m=measurement,
            flags=words.case_flags(measurement),
        )
        for name, measurement in ordered
    ]
    return render('index.html', rows=rows, failures=failures, percent=round(100 * LEVEL))


def render(template: str, **values: Any) -> str:
    """Fills a template.

    Args:
        template (str): name of its file.
        **values: of its variables.

    Returns:
        str: HTML in UTF-8.
    """
    text = ENVIRONMENT.get_template(template).render(values)
    # A file's name can have bytes that are no UTF-8; they are shown as question marks.
    return text.encode('utf-8', 'replace').decode()
