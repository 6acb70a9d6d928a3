"""The page that says which prediction, and which bone of it, to correct first."""

from typing import Collection, List, Sequence, Tuple
from urllib.parse import quote

from ..evaluation.bones import DOUBTFUL, Bone, case_doubt
from .pages import render

MOST_LISTED = 12  # bones of a case


def overview_page(
    cases: Sequence[Tuple[str, List[Bone]]],
    failures: Sequence[str] = (),
    pages: Collection[str] = (),
) -> str:
    """The page of all predictions of a run, the most doubtful first.

    The pictures are those of ``overlay/``, beside the page.

    Args:
        cases (Sequence[tuple[str, list[Bone]]]): names of the results, and the bones of
            each, the most doubtful first.
        failures (Sequence[str]): messages of images that have no result.
        pages (Collection[str]): names of results whose page ``NAME.html`` is there.

    Returns:
        str: HTML in UTF-8.
    """
    # Stable. A case without any bone is the worst.
    ordered = sorted(cases, key=lambda case: -case_doubt(case[1]))
    rows = [
        dict(
            name=name,
            doubt=case_doubt(bones),
            count=len(bones),
            doubtful=sum(bone.doubt >= DOUBTFUL for bone in bones),
            bones=bones[:MOST_LISTED],
            picture=_link(f'overlay/{name}.png'),
            page=_link(f'{name}.html') if name in pages else None,
        )
        for name, bones in ordered
    ]
    return render('overview.html', rows=rows, failures=failures, limit=DOUBTFUL)


def _link(path: str) -> str:
    return quote(path, errors='surrogateescape')
